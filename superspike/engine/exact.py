"""Learning by the exact surrogate gradient in the place of the local rule: for comparison, of small networks.

Resets are outside the gradient, as is usual: through them it grows until nothing is learned (Zenke & Vogels 2021). Through
recurrence it grows as well, unless the surrogate is as low as :class:`superspike.ScaledFastSigmoid`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model import surrogate
from ..model.loss import SquaredError
from ..model.parameters import ParameterError, cast, check_memory
from ..tasks import Samples
from ..tasks.samples import which_of
from .classifier import Classifier, Outcome, matrices
from .gradient import AT_ONCE, Cost, Path, Start, bptt, run, stream_cost, stream_raster, trial_cost
from .jit import compile_lock, kernel
from .simulation import Simulation
from .state import Log

Array = NDArray[Any]


@kernel
def derivatives(model: Any, x: Array, found: Array) -> None:
    """σ' of many numbers."""
    for i in range(len(x)):
        found[i] = surrogate.derivative(model, x[i])


def at_once(model: Any, x: Array) -> Array:
    """σ' of each number in ``x``, of any shape."""
    found = np.empty(x.size)
    derivatives(cast(model, np.float64), x.ravel(), found)
    return found.reshape(x.shape)


class ExactClassifier(Classifier):
    """A :class:`Classifier` whose gradient goes back through time, layers and recurrence, and not through its feedback.

    Samples, dropout, the cost of spike counts, batches and optimiser are the same. So, with symmetric feedback, one hidden layer
    and no recurrence, both learn the same weights.
    """

    def _run(self, samples: Samples, which: ArrayLike | None, *, learn: bool, train: bool) -> Outcome:
        """Run samples; where they learn, their gradient is in m."""
        if not learn or self._dry:
            return super()._run(samples, which, learn=learn, train=train)
        _, _, _, labels, steps = self._checked(samples)
        self._prepare(steps)
        self.network.weights = self.weights
        chosen = which_of("Classifier.which", which, len(labels))
        size = min(self._room, max(1, AT_ONCE // (steps * max(self.sizes))))
        outcomes, sums = list[Outcome](), matrices(self._m[0], *self._matrices)
        for first in range(0, len(chosen), size):
            part = chosen[first : first + size]
            outcomes.append(super()._run(samples, part, learn=False, train=train))
            path = run(self.network, self._inputs(len(part)) * float(self._models[train].drive))
            cost = trial_cost(self.network, path, labels[part])
            for m, g in zip(sums, bptt(self.network, path, cost, reset=False, slope=at_once), strict=True):
                with np.errstate(over="ignore"):  # what is no longer finite is found by the update
                    m -= g.astype(self.dtype)
        return Outcome(*(np.concatenate(x) for x in zip(*outcomes, strict=True)))

    def _inputs(self, n: int) -> Array:
        """The input spikes of the samples that have just been run, but for those left out: (steps, samples, inputs)."""
        assert self._group is not None
        found: Array = np.zeros((self._sizes.steps, n, self.sizes[0]))
        for b, ptr in enumerate(self._group.ptr[:n, 0]):
            steps = np.repeat(np.arange(self._sizes.steps), np.diff(ptr[:-1]))
            np.add.at(found[:, b], (steps, self._group.ids[ptr[0] : ptr[-2]]), 1.0)
        return found


class ExactSimulation(Simulation):
    """A :class:`Simulation` that learns from each block by the exact gradient of what its errors cost, and needs no feedback.

    This is backpropagation through time, truncated where a block begins: what was before is taken as given, and what a block does
    to later errors is left out. A snapshot within a block begins one. Traces and sums that are recorded are the local rule's,
    which the engine carries on.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        block, scheme = self.network.rule.block, self.network.scheme
        room = 64 * (self.block_steps + self._history) * sum(self.network.sizes)
        check_memory("Rule.block", f"{block:g} ms and delays of {self._history * scheme.dt:.10g} ms", room)
        late = self.constants.delay + 1 if self.network.loss.filtered else 0
        if self.block_steps < late + 2:  # steps, for a weight to act on an error
            raise ParameterError(
                f"Rule.block: must be >= {(late + 2) * scheme.dt:g} ms where gradients are exact and errors "
                f"{late * scheme.dt:g} ms late, got {block:g} ms; give longer blocks"
                f"{', or a shorter Scheme.delay' if late else ''}"
            )
        self._start: Start | None = None
        self._heard, self._first = [self._recent()], 0  # steps and ids of spikes, of each layer and the targets
        self._path(self._standing())  # what has no exact gradient is refused at once

    def compile(self) -> None:
        """Compile the kernels, or load them from the cache."""
        super().compile()
        with compile_lock():
            for layer in self.network.layers[1:]:
                at_once(layer.surrogate, np.zeros(1))

    def learn(self, on: bool) -> None:
        """Switch plasticity on or off; hidden layers need no feedback."""
        self.plastic[:] = np.array(self.network.plastic) & on

    def advance(self, steps: int) -> tuple[float, Log]:
        """Simulate ``steps`` steps; where something learns, note the spikes."""
        if self._start is None and self.plastic.any():
            self._start, self._heard, self._first = self._standing(), [self._recent()], self.step
        cost, log = super().advance(steps)
        if self._start is not None:
            self._heard.append([self.spikes(log, row) for row in range(len(self.network.sizes) + 1)])
        return cost, log

    def update(self, rate: float = 1.0) -> None:
        """End the block, by its gradient."""
        if self._start is not None:
            path, cost = self._path(self._start)
            loss = self.network.loss  # the rule's errors, and so learning rates, are in its units
            unit = 1 / loss.height if isinstance(loss, SquaredError) else float(self.constants.impulse)
            gradients = bptt(self.network, path, cost, reset=False, slope=at_once)
            for m, g, plastic in zip(self.traces["m"], gradients, self.plastic, strict=True):
                if plastic:  # what is frozen is not cleared
                    with np.errstate(over="ignore"):  # what is no longer finite is found by the update
                        m[:] = -g / unit
        self._start = None
        super().update(rate)

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go on from a :meth:`snapshot`."""
        super().restore(snapshot)
        self._start = None

    def _standing(self) -> Start:
        """What the next step begins with, but for spikes."""
        where, state, last = self.where, self.state, len(self.network.sizes) - 1
        own = [slice(where.start[k], where.start[k] + where.size[k]) for k in range(1, last + 1)]
        v, current, left = ([x[None, at].astype(float) for at in own] for x in (state.v, state.current, state.refractory))
        errors = state.e1[None, own[-1]].astype(float), state.e2[None, own[-1]].astype(float)
        return Start(self._history, [], v, current, left, errors, state.memory.copy())

    def _recent(self) -> list[tuple[Array, Array]]:
        """Steps and ids of the last steps' spikes, which still act, of each layer and the targets."""
        steps = np.arange(self.step - self._history, self.step)
        return [(np.repeat(steps, np.diff(ends)), ids) for ends, ids in self._tails[: len(self.network.sizes) + 1]]

    def _path(self, start: Start) -> tuple[Path, Cost]:
        """What the network did since the ``start``, and what it cost."""
        sizes, first = self.network.sizes, self._first - self._history
        rasters = []
        for n, parts in zip([*sizes, sizes[-1]], zip(*self._heard, strict=True), strict=True):
            steps, ids = map(np.concatenate, zip(*parts, strict=True))
            rasters.append(stream_raster(steps - first, ids, self.step - first, n))
        start = start._replace(spikes=rasters[1:-1])
        path = run(self.network, rasters[0], start)
        return path, stream_cost(self.network, path, rasters[-1], start)

"""Learning by the exact surrogate gradient in the place of the local rule: for comparison, of small networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model import surrogate
from ..model.parameters import cast
from ..tasks import Samples
from ..tasks.samples import which_of
from .classifier import Classifier, Outcome, matrices
from .gradient import AT_ONCE, bptt, run, trial_cost
from .jit import kernel

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

    Samples, dropout, the cost of spike counts, batches and optimiser are the same. Resets are outside the gradient, as is usual:
    through them it grows until nothing is learned (Zenke & Vogels 2021). Through recurrence it grows as well, unless the
    surrogate is as low as :class:`superspike.ScaledFastSigmoid`. So, with symmetric feedback, one hidden layer and no
    recurrence, both learn the same weights.
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

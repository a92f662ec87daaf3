"""Networks that classify samples: hidden spiking layers, a readout, minibatches, threads.

The scheme, the mathematics and what memory grows with are described in :mod:`superspike.engine.trial`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.feedback import FEEDBACKS, MV_PER_V, Symmetric
from ..model.filters import Filter
from ..model.network import Network
from ..model.neuron import LIF
from ..model.parameters import Param, ParameterError, cast
from ..model.projection import Projection
from ..model.readout import of_trials
from ..model.scheme import readout_filter, whole_steps
from ..tasks import Samples
from ..tasks.samples import which_of
from . import trial
from .jit import bound, check_learning, check_method, read_only, together
from .state import LANES, matrix, padded, random_state, set_random_state, zeros
from .traces import interval as interval_of
from .traces import propagators
from .trial import GROWTH, SHARDS, Group, Model, Sizes, workspace

Array = NDArray[Any]

MOST_THREADS = 256
BUDGET = 2**28  # bytes of the rows and spikes of a group, which are reserved, and touched where there are any


class Outcome(NamedTuple):
    """Of each sample: what the outputs say (mV), the class that says most, the hidden layers' spikes, the loss."""

    z: Array  # (samples, outputs)
    prediction: Array  # (samples,)
    spikes: Array  # (samples, hidden layers)
    loss: Array  # (samples,)


class Trace(NamedTuple):
    """One sample: steps and ids of each hidden layer's spikes, the readout's potentials, the answer and when it was settled."""

    spikes: list[tuple[Array, Array]]
    potentials: Array  # (steps, outputs), mV
    prediction: int
    decided: int  # steps, from which on a trial that ends has this answer


def peak(filter: Filter) -> float:
    """The largest U that a current of 1 leads to."""
    current, u, largest = 1.0, 0.0, 0.0
    while u >= largest:
        largest = u
        current, u = filter.a1 * current, filter.a2 * u + filter.c * current
    return largest


def matrices(flat: Array, start: Array, widths: Sequence[int], sizes: Sequence[int]) -> list[Array]:
    """The matrices in a flat array, without the padding of their rows."""
    return [matrix(flat, a, b, width, n) for (a, b), width, n in zip(itertools.pairwise(start), widths, sizes, strict=True)]


def check_chain(network: Network) -> None:
    """Raise ParameterError for a network that the kernels of trials cannot carry."""
    last, scheme = len(network.sizes) - 1, network.scheme
    if not of_trials(network.loss):
        raise ParameterError(f"Network.loss: must be one of trials, such as max_over_time, got {network.loss!r}")
    more = [own.name for own in network.projections if own != Projection(*own.pair) or own.post > own.pre + 1]
    if last < 2 or more:
        raise ParameterError(
            f"Network: must have one hidden layer or more, no skips and no projections with parameters of their own in trials, "
            f"got {network.sizes}{', ' * bool(more)}{', '.join(more)}"
        )
    for k, layer in enumerate(network.layers[1:last], 1):
        lif = layer.neuron
        if not isinstance(lif, LIF) or lif.reset != "subtract" or lif.tau_ref != 0 or layer[1:] != network.layers[1][1:]:
            raise ParameterError(
                f'Network.sizes: must have hidden layers of the same LIF(reset="subtract", tau_ref=0) and surrogate, '
                f"got {layer} as layer {k}"
            )
    if not all(layer.plastic for layer in network.layers):
        raise ParameterError("Network.sizes: must have layers that are all plastic, got a frozen one")
    if network.rule.rho:
        raise ParameterError(f"Rule.rho: must be 0 in trials, whose regularisers are Network.rates, got {network.rule.rho:g}")
    if whole_steps("Scheme.delay", scheme.delay, scheme.dt) != 1:
        raise ParameterError(f"Scheme.delay: must be one step ({scheme.dt:g} ms) in trials, got {scheme.delay:g} ms")


class Classifier:
    """A network that classifies trials, in motion: samples from rest, minibatches.

    Parameters
    ----------
    network : one or more hidden layers of the same LIF neurons, with reset by subtraction and no refractory period, which may
        have projections onto themselves, and a readout with a unit per class; its loss is one of trials (max_over_time, …) and
        its delay one step. Feedback other than symmetric is scaled to the size of symmetric feedback through the weights that
        the seed draws. From the first update on the network holds views of the weights
    dropout : the probability that an input spike is left out in training; the others count 1/(1 − dropout)
    threads : how many share the samples of a batch; the numbers do not depend on it

    Raises
    ------
    ParameterError for another kind of network.
    """

    def __init__(self, network: Network, *, dropout: float = 0.0, threads: int = 1) -> None:
        check_chain(network)
        self.network, self.sizes, self.dtype, self.dt = network, network.sizes, network.dtype, network.scheme.dt
        self.dropout = Param("", "", ge=0, lt=1).check("Classifier.dropout", dropout)
        self.threads = Param("", "", ge=1, le=MOST_THREADS).check("Classifier.threads", threads, int)
        hidden = network.layers[1]
        self._step = hidden.neuron.cell(self.dt, network.scheme.integration)
        self._filter = Filter(self._step.a_syn, self._step.a_mem, self._step.c_mem)
        self._readout = readout_filter(network.layers[-1].neuron, network.scheme)
        self._dropout_rng = np.random.default_rng(network.seed).spawn(3)[2]
        self._gains = self._feedback_gains(network.drawn_weights())
        network.refresh_feedback()
        widths = [*(padded(n, 2 * LANES) for n in self.sizes[:-1]), padded(self.sizes[-1])]
        loops = [pre for pre, post in network.pairs if pre == post]
        blocks = [(n, width) for n, width in zip(self.sizes, widths[1:], strict=False)] + [
            (self.sizes[k], widths[k]) for k in loops
        ]
        starts = np.cumsum([0, *(n * width for n, width in blocks)])
        w_start, v_start = starts[: len(self.sizes)], np.full(len(self.sizes), -1)
        v_start[loops] = starts[len(self.sizes) - 1 : -1]
        b_start = np.cumsum([0, 0, *(self.sizes[-1] * width for width in widths[1:-1])])
        self._sizes = Sizes(np.array(self.sizes, np.int64), np.array(widths, np.int64), w_start, v_start, b_start, 0)
        self._w, *memories = (zeros(starts[-1], self.dtype, k) for k in range(1 + network.optimizer.memories))
        self._m = zeros((SHARDS, starts[-1]), self.dtype, 1 + len(memories))
        self._matrices = starts, [width for _, width in blocks], [*self.sizes[1:], *(self.sizes[k] for k in loops)]
        self._memories, self._feedback = tuple(memories), zeros(b_start[-1], self.dtype)
        self.weights = matrices(self._w, *self._matrices)
        self._feedback_views = matrices(self._feedback, b_start[1:], widths[1:-1], self.sizes[1:-1])
        for view, values in zip(self.weights, network.checked(network.weights), strict=True):
            view[...] = values
        self.updates = 0
        self.learning_rate = 1.0  # multiplies the optimiser's changes: for schedules
        self._models = {train: self._model(self.dropout if train else 0.0) for train in (False, True)}
        self._loss, self._method = cast(network.loss, self.dtype), cast(network.optimizer, self.dtype)
        self._check_methods()
        self._none = zeros(max(widths), self.dtype)  # for update_row's regulariser
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        self._dry = False  # whether kernels are compiled only
        self._compiled: dict[Any, Any] = {}  # the kernels, for the types of this classifier's arguments
        self._known: list[tuple[Any, tuple[Any, ...]]] = []  # samples, and what was made of them
        self._group: Group | None = None

    def _check_methods(self) -> None:
        """Raise the error that says what is wrong with somebody's own class, for the compiler or for memory."""
        one = self.dtype(1)
        table: Array = np.zeros((1, 1), self.dtype)
        check_learning(self.network.layers[1].surrogate, self.network.optimizer, self.dtype)
        check_method("logits", self._loss, read_only(table), 1, one, table[0])
        check_method("errors", self._loss, read_only(table), read_only(table[0]), 1, 0, one, one, table)

    def _symmetric(self, weights: Sequence[Array]) -> list[Array]:
        pairs = dict(zip(self.network.pairs, weights, strict=True))
        return Symmetric().matrices(self.sizes, pairs, self._dropout_rng)  # draws nothing

    def _feedback_gains(self, drawn: Sequence[Array]) -> list[float]:
        """What turns the network's matrices into mV: symmetric feedback becomes the gradient's, others of its size at first."""
        if isinstance(self.network.feedback, Symmetric):
            return [MV_PER_V] * (len(self.sizes) - 2)
        return [
            MV_PER_V * float(np.linalg.norm(s) / np.linalg.norm(b)) if np.any(b) else 0.0
            for b, s in zip(self.network.feedback_weights, self._symmetric(drawn), strict=True)
        ]

    @property
    def feedback_weights(self) -> list[Array]:
        """What an error of each output is to the neurons of each hidden layer: (classes, n_hidden), mV."""
        if isinstance(self.network.feedback, Symmetric):
            if len(self.sizes) == 3:  # what follows comes to, in less time
                return [self.weights[1].T]
            return [MV_PER_V * b for b in self._symmetric(self.weights)]
        return [gain * b for gain, b in zip(self._gains, self.network.feedback_weights, strict=True)]

    def forward(self, samples: Samples, which: ArrayLike | None = None) -> Outcome:
        """Run samples, all or the numbered ones; nothing is learned."""
        return self._run(samples, which, learn=False, train=False)

    def gradient(self, samples: Samples, which: ArrayLike | None = None) -> tuple[float, list[Array]]:
        """The mean of samples' losses, and of −Σ e λ (1/mV) for each projection.

        With symmetric feedback and one hidden layer this is the surrogate gradient, with the reset outside it.
        """
        outcome = self._run(samples, which, learn=True, train=False)
        total = self._m.sum(axis=0) / self.dtype(-len(outcome.loss))
        self._m[:] = 0
        return float(outcome.loss.mean()), [g.copy() for g in matrices(total, *self._matrices)]

    def train_batch(self, samples: Samples, which: ArrayLike | None = None) -> Outcome:
        """Run samples, and change the weights once by their mean gradient."""
        outcome = self._run(samples, which, learn=True, train=True)
        self.updates += 1
        rule, totals = self.network.rule, np.zeros((self.threads, len(self.sizes) - 1))
        number, arrays = self.dtype, (self._w, self._m, self._memories, self._none)
        rate = (
            self._method,
            number(self.updates),
            number(self.learning_rate),
            len(outcome.loss),
            number(1),
            number(rule.w_max),
        )
        self._together(trial.update, [(self._sizes, k, self.threads, *arrays, *rate, totals) for k in range(self.threads)])
        if not (np.isfinite(totals).all() and np.isfinite(outcome.loss).all()):
            raise ParameterError(
                f"{self!r}: gradients or weight changes are no longer finite; lower the learning rate, or the strengths of Rates"
            )
        self.network.weights = self.weights
        self.network.refresh_feedback()
        return outcome

    def trace(self, samples: Samples, sample: int) -> Trace:
        """One sample, step by step; nothing is learned."""
        outcome, group, spikes = self._run(samples, [sample], learn=False, train=False), self._group, []
        assert group is not None
        for ptr in group.ptr[0, 1:]:
            counts = np.diff(ptr[:-1])
            spikes.append((np.repeat(np.arange(len(counts)), counts), group.ids[ptr[0] : ptr[-2]].copy()))
        u, z = self.works[0].u, np.zeros(self._sizes.width[-1], self.dtype)
        steps = trial.decided(self._loss, u, self.sizes[-1], self.dtype(self.dt), z)
        return Trace(spikes, u[:, : self.sizes[-1]].copy(), int(outcome.prediction[0]), int(steps))

    def compile(self, samples: Samples) -> None:
        """Compile the kernels of learning, for samples like these. Nothing is learned."""
        self._dry, updates, draws = True, self.updates, self._dropout_rng.bit_generator.state
        try:
            self.train_batch(samples, [0])
        finally:
            self._dry, self.updates, self._dropout_rng.bit_generator.state = False, updates, draws

    def snapshot(self) -> dict[str, Array]:
        """Everything that changes between batches, as a dictionary of arrays: see :meth:`restore`."""
        found = {"w": self._w} | {f"memory{k}": x for k, x in enumerate(self._memories)}
        numbers = {"updates": np.array(self.updates), "random": random_state(self._dropout_rng)}
        return {name: x.copy() for name, x in found.items()} | numbers

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go on, to the last bit, from a :meth:`snapshot` of a classifier of the same network, with any number of threads."""
        own = {"w": self._w} | {f"memory{k}": x for k, x in enumerate(self._memories)}
        for name, x in own.items():
            if (snapshot[name].dtype, snapshot[name].shape) != (x.dtype, x.shape):
                raise ParameterError(
                    f"Classifier.restore: must be a snapshot of the same network, with {name} {x.dtype} {x.shape}"
                )
        self.network.checked([w.copy() for w in matrices(snapshot["w"], *self._matrices)])
        for name, x in own.items():
            x[...] = snapshot[name]
        self.updates = int(snapshot["updates"])
        set_random_state(self._dropout_rng, snapshot["random"])
        self.network.weights = self.weights
        self.network.refresh_feedback()

    def __repr__(self) -> str:
        return f"<Classifier {'-'.join(map(str, self.sizes))}, {FEEDBACKS.name_of(self.network.feedback)} feedback>"

    def _run(self, samples: Samples, which: ArrayLike | None, *, learn: bool, train: bool) -> Outcome:
        """Run samples in groups; where they learn, their gradient is in m."""
        arrays = self._checked(samples)
        n = len(arrays[3])
        chosen = which_of("Classifier.which", which, n)
        self._prepare(arrays[4])
        if learn:
            for view, b in zip(self._feedback_views, self.feedback_weights, strict=True):
                view[...] = b
        outcomes, before = list[Outcome](), 0
        key = np.uint64(self._dropout_rng.integers(2**63) if train and self.dropout else 0)
        for first in range(0, len(chosen), self._room):
            group = self._make_group(arrays, chosen[first : first + self._room], key, before)
            size = len(group.which)
            edges = [min(max(len(chosen) * k // SHARDS - first, 0), size) for k in range(SHARDS + 1)]
            outcomes.append(self._run_group(group, list(itertools.pairwise(edges)), arrays, learn, train))
            before = int(group.begin[-1])
        return outcomes[0] if len(outcomes) == 1 else Outcome(*(np.concatenate(x) for x in zip(*outcomes, strict=True)))

    def _checked(self, samples: Samples) -> tuple[Any, ...]:
        """Steps, units, offsets, labels, as the kernels take them, and the number of steps. Samples are looked at once."""
        for known, arrays in self._known:
            if known is samples:
                return arrays
        trials = samples.in_steps(self.dt)
        steps, units = (np.ascontiguousarray(x, np.int32) for x in (trials.steps, trials.units))
        offsets, labels = (np.ascontiguousarray(x, np.int64) for x in (trials.offsets, samples.labels))
        n_steps = Param("", "", ge=1).check("samples.n_steps", trials.n_steps, int)
        n = len(labels)
        if len(offsets) != n + 1 or offsets[0] < 0 or np.any(np.diff(offsets) < 0) or not offsets[-1] <= len(steps) == len(units):
            raise ParameterError(f"samples.offsets: must be {n + 1} numbers that rise, to the number of steps and units at most")
        for name, x, end in (("steps", steps, n_steps), ("units", units, self.sizes[0]), ("labels", labels, self.sizes[-1])):
            if len(x) and (x.min() < 0 or x.max() >= end):
                raise ParameterError(f"samples.{name}: must lie between 0 and {end - 1}, got {x.min()} to {x.max()}")
        arrays = read_only(steps), read_only(units), read_only(offsets), labels, n_steps
        self._known = [*self._known[-3:], (samples, arrays)]
        return arrays

    def _model(self, dropout: float) -> Model:
        number = self.dtype
        return Model(
            lif=cast(self._step, number),
            surrogate=cast(self.network.layers[1].surrogate, number),
            readout=cast(self._readout, number),
            temperature=number(self.network.loss.temperature),
            rates=cast(self.network.rates, number),
            dt=number(self.dt),
            peak=number(peak(self._filter)),
            drive=number(1 / (1 - dropout)),
            left_out=np.uint64(dropout * 2**32),
        )

    def _prepare(self, steps: int) -> None:
        """Arrays and tables for samples of that many steps."""
        if self._sizes.steps == steps:
            return
        number, outputs = self.dtype, self.sizes[-1]
        begin = getattr(self.network.loss, "begin", 0.0)
        if begin >= steps * self.dt:
            name = type(self.network.loss).__name__
            raise ParameterError(f"{name}.begin: must be < {steps * self.dt:g} ms, the length of a sample, got {begin:g} ms")
        interval = interval_of(steps, self._filter, self._readout, growth=GROWTH[number])
        unfiltered = Filter(1.0, 1.0, 1.0), 1.0  # errors: what the tables hold of their filter is not read
        self._tables = tuple(
            propagators(pre, self._readout, *unfiltered, interval, number) for pre in (self._filter, self._readout)
        )
        self._sizes = self._sizes._replace(steps=steps)
        widths = self._sizes.width[1:].tolist()
        self.works = [workspace(outputs, widths, steps, interval, number) for _ in range(self.threads)]
        self._rows = sum(widths) * steps  # of a sample, at most,
        self._row_start = np.cumsum([0, *widths])[:-1] * steps  # and where a layer's begin
        self._hidden = sum(self.sizes[1:-1]) * steps  # its spikes, at most
        self._room = max(1, BUDGET // (self._rows * np.dtype(number).itemsize + self._hidden * 4))
        self._group = None

    def _make_group(self, arrays: tuple[Any, ...], which: Array, key: Any, before: int) -> Group:
        """The arrays of a group, those of one before if they are large enough; ``before``: spikes of the batch before it."""
        _, _, offsets, labels, _ = arrays
        n, layers, old = len(which), len(self.sizes), self._group
        begin = np.full(n + 1, before)
        begin[1:] += np.cumsum(offsets[which + 1] - offsets[which])
        spikes, steps = int(begin[-1]) - before, self._sizes.steps
        if old is None or len(old.ptr) < n or len(old.ids) < n * self._hidden + spikes:
            hidden = np.cumsum([0, *self.sizes[1:-1]])[:-1] * steps
            sample = np.arange(n)[:, None]
            old = Group(
                which=which, key=key, begin=begin, label=np.zeros(n, np.int64),
                ptr=np.zeros((n, layers - 1, steps + 2), np.int64),
                ids=np.empty(n * self._hidden + 2 * spikes, np.int32),
                room=np.column_stack([np.zeros(n, np.int64), sample * self._hidden + hidden]),
                n_rows=np.zeros((n, layers - 1), np.int64),
                rows=np.empty((n if self.threads > SHARDS else self.threads) * self._rows, self.dtype),
                row_start=sample * self._rows + self._row_start,
                z=np.zeros((n, self._sizes.width[-1]), self.dtype),
                loss=np.zeros(n, self.dtype),
            )  # fmt: skip
        old.room[:n, 0] = len(old.ids) - spikes - before + begin[:-1]
        self._group = old._replace(which=which, key=key, begin=begin, label=labels[which])
        return self._group

    def _run_group(
        self, group: Group, shards: list[tuple[int, int]], arrays: tuple[Any, ...], learn: bool, train: bool
    ) -> Outcome:
        """Run a group, whose ``shards`` have gradients of their own; up to SHARDS threads take one each, or both."""
        shared = self._sizes, self._models[train], self._loss, *arrays[:3], self._w, self._feedback, *self._tables, group
        n, threads, parts = len(group.which), self.threads, shards
        at_once = threads <= SHARDS  # rows are added to the gradient as they are made: a thread's samples share their place
        if at_once:
            for k, part in enumerate(shards):
                group.row_start[slice(*part)] = self._row_start + k % threads * self._rows
        else:
            parts = list(itertools.pairwise(n * k // threads for k in range(threads + 1)))
        own = zip(parts, itertools.cycle(self._m), itertools.cycle(self.works), strict=False)
        try:
            self._together(trial.run, [(*shared, m, *part, learn, at_once, work) for part, m, work in own])
            if learn and not at_once:
                for part, m in zip(shards, self._m, strict=True):
                    self._together(trial.collect, [(self._sizes, shared[1], group, *part, k, threads, m) for k in range(threads)])
        except IndexError as error:  # of the loss, whose arrays alone are checked
            name = type(self.network.loss).__name__
            raise ParameterError(f"{name}: must keep to its arrays in logits and errors, got an index beyond them") from error
        z, counts = group.z[:n, : self.sizes[-1]].copy(), group.ptr[:n, 1:, -2] - group.ptr[:n, 1:, 0]
        return Outcome(z, z.argmax(axis=1), counts, group.loss[:n].astype(float))

    def _together(self, kernel: Any, calls: list[tuple[Any, ...]]) -> None:
        """Call a kernel several times at once, in a thread each."""
        if kernel not in self._compiled:
            self._compiled[kernel] = bound(kernel, *calls[0])
        if not self._dry:
            together(self._pool, self._compiled[kernel], calls)

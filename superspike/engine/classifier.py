"""Networks that classify samples: hidden spiking layers, a readout, minibatches, threads.

The scheme, the mathematics and what memory grows with are described in :mod:`superspike.engine.trial`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.feedback import FEEDBACKS, MV_PER_V, Symmetric, checked_matrices
from ..model.filters import INTEGRATIONS, Filter, double_exponential
from ..model.neuron import LIF, LIFStep, check_lif
from ..model.optimizer import OPTIMIZERS, Adam
from ..model.parameters import Param, ParameterError, cast, check_seed, one_of
from ..model.readout import READOUT_LOSSES, Rates, Readout
from ..model.scheme import PRECISIONS
from ..model.surrogate import SURROGATES, FastSigmoid
from . import trial
from .jit import bound, read_only
from .state import LANES, padded, zeros
from .traces import propagators
from .trial import GROWTH, Group, Model, Sizes, workspace

Array = NDArray[Any]

BUDGET = 2**28  # bytes of the rows and spikes of a group, which are reserved, and touched where there are any


class Trials(Protocol):
    """The spikes of sample k are ``offsets[k]:offsets[k + 1]`` of ``steps`` and ``units``; all have ``n_steps`` steps."""

    steps: Array
    units: Array
    offsets: Array
    n_steps: int


class Samples(Protocol):
    """Labelled samples."""

    labels: Array

    def in_steps(self, dt: float) -> Trials:
        """Their spikes on a grid of steps of ``dt`` (ms)."""


class Outcome(NamedTuple):
    """Of each sample: what the outputs say (mV), the class that says most, the hidden layers' spikes, the loss."""

    z: Array  # (samples, outputs)
    prediction: Array  # (samples,)
    spikes: Array  # (samples, hidden layers)
    loss: Array  # (samples,)


def peak(filter: Filter) -> float:
    """The largest U that a current of 1 leads to."""
    current, u, largest = 1.0, 0.0, 0.0
    while u >= largest:
        largest = u
        current, u = filter.a1 * current, filter.a2 * u + filter.c * current
    return largest


def matrices(flat: Array, start: Array, rows: Sequence[int], columns: Sequence[int]) -> list[Array]:
    """The matrices in a flat array, without the padding of their rows."""
    ends = itertools.pairwise(start)
    return [flat[a:b].reshape(n, -1)[:, :m] for (a, b), n, m in zip(ends, rows, columns, strict=True)]


class Classifier:
    """A chain of layers: input, hidden layers of spiking neurons with reset by subtraction, a readout with a unit per class.

    Parameters
    ----------
    sizes : neurons per layer from the input up; the last is the number of classes
    loss : a name (max_over_time, mean_over_time, weighted_sum, last_step, each_step) or an instance
    feedback : a name (symmetric, random, uniform, sign, none) or an instance; other than symmetric feedback is scaled to the size
        of symmetric feedback through the weights that the seed draws
    surrogate, optimizer : names or instances
    neuron, readout, rates : parameters of hidden neurons, of the readout, and bounds of spike counts
    dropout : the probability that an input spike is left out in training; the others count 1/(1 − dropout)
    dt, integration, precision : time step (ms) and numerics; spikes act one step later
    w0 : initial weights are drawn from N(0, (w0/√n_pre)²), in mV
    w_max : bound of the weights' magnitude (mV)
    weights : initial weights instead, one (n_pre, n_post) array (mV) per projection
    threads : how many share the samples of a batch; the numbers do not depend on it
    """

    def __init__(
        self, sizes: Sequence[int], *, loss: Any = "max_over_time", feedback: Any = "symmetric", surrogate: Any = None,
        optimizer: Any = None, neuron: LIF | None = None, readout: Readout | None = None, rates: Rates | None = None,
        dropout: float = 0.0, dt: float = 1.0, integration: str = "exact", precision: str = "single", w0: float = 100.0,
        w_max: float = 1000.0, weights: Sequence[ArrayLike] | None = None, seed: int = 0, threads: int = 1,
    ) -> None:  # fmt: skip
        whole = Param("", "", ge=1)
        self.sizes = [whole.check("Classifier.sizes", n, int) for n in sizes]
        if len(self.sizes) < 3:
            raise ParameterError(f"Classifier.sizes: must be input, hidden layers and readout, got {self.sizes}")
        self.loss, self.feedback = READOUT_LOSSES.make(loss), FEEDBACKS.make(feedback)
        self.surrogate = SURROGATES.make(FastSigmoid(2.0) if surrogate is None else surrogate)
        self.optimizer = OPTIMIZERS.make(Adam(0.15) if optimizer is None else optimizer)
        self.neuron, self.readout, self.rates = neuron or LIF(tau_ref=0), readout or Readout(), rates or Rates()
        check_lif(self.neuron)
        if self.neuron.tau_ref != 0:
            raise ParameterError(
                f"LIF.tau_ref: must be 0 ms where the threshold is subtracted at a spike, got {self.neuron.tau_ref:g}; "
                "give LIF(tau_ref=0)"
            )
        self.dropout = Param("", "", ge=0, lt=1).check("Classifier.dropout", dropout)
        self.dt = Param("ms", "", gt=0).check("Classifier.dt", dt)
        self.w0, self.w_max = (Param("mV", "", ge=0).check(f"Classifier.{n}", x) for n, x in (("w0", w0), ("w_max", w_max)))
        self.seed, self.threads = check_seed("Classifier.seed", seed), whole.check("Classifier.threads", threads, int)
        one_of("Classifier.integration", integration, INTEGRATIONS)
        one_of("Classifier.precision", precision, PRECISIONS)
        self.dtype: type = np.float32 if precision == "single" else np.float64
        for owner, name in itertools.product((self.neuron, self.readout), ("tau_mem", "tau_syn")):
            if getattr(owner, name) <= self.dt:
                raise ParameterError(
                    f"{type(owner).__name__}.{name}: must be larger than dt ({self.dt:g} ms), got {getattr(owner, name):g}"
                )
        self._filter, self._readout = (
            double_exponential(each.tau_syn, each.tau_mem, self.dt, integration) for each in (self.neuron, self.readout)
        )
        draws, self._feedback_rng, self._dropout_rng = np.random.default_rng(self.seed).spawn(3)
        shapes = list(itertools.pairwise(self.sizes))
        drawn = [draws.normal(0, self.w0 / np.sqrt(n_pre), (n_pre, n_post)) for n_pre, n_post in shapes]
        self._gains = self._feedback_gains(drawn)
        self._fixed = [] if self.feedback.follows_weights else self._matrices(drawn)
        widths = [*(padded(n, 2 * LANES) for n in self.sizes[:-1]), padded(self.sizes[-1])]
        w_start = np.cumsum([0, *(n * width for n, width in zip(self.sizes, widths[1:], strict=False))])
        b_start = np.cumsum([0, 0, *(self.sizes[-1] * width for width in widths[1:-1])])
        self._sizes = Sizes(np.array(self.sizes, np.int64), np.array(widths, np.int64), w_start, b_start, 0)
        self._w, self._m, *memories = (zeros(w_start[-1], self.dtype, k) for k in range(2 + self.optimizer.memories))
        self._memories, self._feedback = tuple(memories), zeros(b_start[-1], self.dtype)
        self.weights, self._gradients = (matrices(x, w_start, self.sizes[:-1], self.sizes[1:]) for x in (self._w, self._m))
        self._feedback_views = matrices(self._feedback, b_start[1:], self.sizes[-1:] * (len(shapes) - 1), self.sizes[1:-1])
        for view, values in zip(self.weights, drawn if weights is None else self._fitting(weights, shapes), strict=True):
            view[...] = values
        self.updates = 0
        self.learning_rate = 1.0  # multiplies the optimiser's changes: for schedules
        self._models = {train: self._model(self.dropout if train else 0.0) for train in (False, True)}
        self._loss, self._method = cast(self.loss, self.dtype), cast(self.optimizer, self.dtype)
        self._none = zeros(max(widths), self.dtype)  # for update_row's regulariser
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        self._compiled: dict[Any, Any] = {}  # the kernels, for the types of this classifier's arguments
        self._known: list[tuple[Any, tuple[Any, ...]]] = []  # samples, and what was made of them
        self._group: Group | None = None

    def _fitting(self, weights: Sequence[ArrayLike], shapes: list[tuple[int, int]]) -> list[Array]:
        arrays = [np.asarray(w) for w in weights]
        if [w.shape for w in arrays] != shapes or not all(w.dtype.kind in "iuf" and np.isfinite(w).all() for w in arrays):
            raise ParameterError(
                f"Classifier.weights: must be finite arrays (n_pre, n_post) of the shapes {shapes}, "
                f"got {[w.shape for w in arrays]}"
            )
        return arrays

    def _scheme(self, scheme: Any, weights: Sequence[Array]) -> list[Array]:
        pairs = {(k, k + 1): w for k, w in enumerate(weights)}
        return checked_matrices(type(scheme).__name__, scheme.matrices(self.sizes, pairs, self._feedback_rng), self.sizes)

    def _feedback_gains(self, drawn: Sequence[Array]) -> list[float]:
        """What turns a scheme's matrices into mV: symmetric feedback becomes the gradient's, others of its size at first."""
        if isinstance(self.feedback, Symmetric):
            return [MV_PER_V] * (len(self.sizes) - 2)
        own, symmetric = self._scheme(self.feedback, drawn), self._scheme(Symmetric(), drawn)
        return [
            MV_PER_V * float(np.linalg.norm(s) / np.linalg.norm(b)) if np.any(b) else 0.0
            for b, s in zip(own, symmetric, strict=True)
        ]

    def _matrices(self, weights: Sequence[Array]) -> list[Array]:
        return [gain * b for gain, b in zip(self._gains, self._scheme(self.feedback, weights), strict=True)]

    @property
    def feedback_weights(self) -> list[Array]:
        """What an error of each output is to the neurons of each hidden layer: (classes, n_hidden), mV."""
        if isinstance(self.feedback, Symmetric) and len(self.sizes) == 3:  # what follows comes to, in less time
            return [self.weights[-1].T]
        return self._matrices(self.weights) if self.feedback.follows_weights else self._fixed

    def forward(self, samples: Samples, which: ArrayLike | None = None) -> Outcome:
        """Run samples, all or the numbered ones; nothing is learned."""
        return self._run(samples, which, learn=False, train=False)[0]

    def gradient(self, samples: Samples, which: ArrayLike | None = None) -> tuple[float, list[Array]]:
        """The mean of samples' losses, and of −Σ e λ (1/mV) for each projection.

        With symmetric feedback and one hidden layer this is the surrogate gradient, with the reset outside it.
        """
        outcome, group = self._run(samples, which, learn=True, train=False)
        self._collect(*group)
        found = [-g / g.dtype.type(len(outcome.loss)) for g in self._gradients]
        self._m[:] = 0
        return float(outcome.loss.mean()), found

    def train_batch(self, samples: Samples, which: ArrayLike | None = None) -> Outcome:
        """Run samples, and change the weights once by their mean gradient."""
        outcome, group = self._run(samples, which, learn=True, train=True)
        self.updates += 1
        totals = np.zeros((self.threads, len(self.sizes) - 1))
        number, arrays = self.dtype, (self._w, self._m, self._memories, self._none)
        rate = self._method, number(self.updates), number(self.learning_rate), len(outcome.loss), number(1), number(self.w_max)
        self._together(
            trial.update, [(self._sizes, *group, k, self.threads, *arrays, *rate, totals) for k in range(self.threads)]
        )
        if not (np.isfinite(totals).all() and np.isfinite(outcome.loss).all()):
            raise ParameterError(f"{self!r}: gradients or weight changes are no longer finite; lower the learning rate")
        return outcome

    def __repr__(self) -> str:
        return f"<Classifier {'-'.join(map(str, self.sizes))}, {FEEDBACKS.name_of(self.feedback)} feedback>"

    def _run(self, samples: Samples, which: ArrayLike | None, *, learn: bool, train: bool) -> tuple[Outcome, tuple[Group, int]]:
        """Run samples in groups; the last group's rows are left to be collected."""
        arrays = self._checked(samples)
        n = len(arrays[3])
        chosen = np.arange(n) if which is None else np.asarray(which, np.int64)
        if not len(chosen) or chosen.min() < 0 or chosen.max() >= n:
            raise ParameterError(f"samples: must be some, with numbers between 0 and {n - 1}")
        self._prepare(arrays[4])
        if learn:
            for view, b in zip(self._feedback_views, self.feedback_weights, strict=True):
                view[...] = b
        outcomes: list[Outcome] = []
        for first in range(0, len(chosen), self._room):
            part = chosen[first : first + self._room]
            group, n = self._make_group(arrays, part, train), len(part)
            outcomes.append(self._run_group(group, n, arrays, learn, train))
            if learn and first + n < len(chosen):
                self._collect(group, n)
        return Outcome(*(np.concatenate(parts) for parts in zip(*outcomes, strict=True))), (group, n)

    def _collect(self, group: Group, n: int) -> None:
        """Add a group's rows to the gradient."""
        self._together(trial.collect, [(self._sizes, group, n, k, self.threads, self._m) for k in range(self.threads)])

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
        number, lif = self.dtype, self.neuron
        step = LIFStep(self._filter.a2, self._filter.c, self._filter.a1, lif.v_threshold - lif.v_rest)
        return Model(
            lif=cast(step, number),
            surrogate=cast(self.surrogate, number),
            readout=cast(self._readout, number),
            temperature=number(self.readout.temperature),
            rates=cast(self.rates, number),
            dt=number(self.dt),
            peak=number(peak(self._filter)),
            drive=number(1 / (1 - dropout)),
        )

    def _prepare(self, steps: int) -> None:
        """Arrays and tables for samples of that many steps."""
        if self._sizes.steps == steps:
            return
        number, outputs = self.dtype, self.sizes[-1]
        fastest = min(*self._filter[:2], *self._readout[:2])
        interval = min(steps, max(1, round(GROWTH[number] / -np.log(fastest))))
        unfiltered = Filter(1.0, 1.0, 1.0), 1.0  # errors: what the tables hold of their filter is not read
        self._tables = tuple(
            propagators(pre, self._readout, *unfiltered, interval, number) for pre in (self._filter, self._readout)
        )
        self._sizes = self._sizes._replace(steps=steps)
        widths = self._sizes.width[1:].tolist()
        self.works = [workspace(outputs, widths, steps, interval, number) for _ in range(self.threads)]
        self._rows = sum(widths) * steps  # of a sample, at most
        self._hidden = sum(self.sizes[1:-1]) * steps  # its spikes, at most
        self._room = max(1, BUDGET // (self._rows * np.dtype(number).itemsize + self._hidden * 4))
        self._group = None

    def _make_group(self, arrays: tuple[Any, ...], which: Array, train: bool) -> Group:
        """The arrays of a group, those of one before if they are large enough."""
        _, _, offsets, labels, _ = arrays
        n, layers, old = len(which), len(self.sizes), self._group
        begin = np.zeros(n + 1, np.int64)
        np.cumsum(offsets[which + 1] - offsets[which], out=begin[1:])
        spikes, steps = int(begin[-1]), self._sizes.steps
        if old is None or len(old.ptr) < n or len(old.ids) < n * self._hidden + spikes:
            hidden = np.cumsum([0, *self.sizes[1:-1]])[:-1] * steps
            rows = np.cumsum([0, *self._sizes.width[1:]])[:-1] * steps
            sample = np.arange(n)[:, None]
            old = self._group = Group(
                which=which, left_out=np.zeros(0, np.bool_), begin=begin, label=np.zeros(n, np.int64),
                ptr=np.zeros((n, layers - 1, steps + 2), np.int64),
                ids=np.empty(n * self._hidden + 2 * spikes, np.int32),
                room=np.column_stack([np.zeros(n, np.int64), sample * self._hidden + hidden]),
                n_rows=np.zeros((n, layers - 1), np.int64),
                rows=np.empty(n * self._rows, self.dtype),
                row_start=sample * self._rows + rows,
                z=np.zeros((n, self._sizes.width[-1]), self.dtype),
                loss=np.zeros(n, self.dtype),
            )  # fmt: skip
        old.room[:n, 0] = len(old.ids) - spikes + begin[:-1]
        out = self._dropout_rng.random(spikes, np.float32) < self.dropout if train and self.dropout else np.zeros(0, np.bool_)
        return old._replace(which=which, begin=begin, label=labels[which], left_out=out)

    def _run_group(self, group: Group, n: int, arrays: tuple[Any, ...], learn: bool, train: bool) -> Outcome:
        shared = self._sizes, self._models[train], self._loss, *arrays[:3], self._w, self._feedback, *self._tables, group
        shares = [(n * k // self.threads, n * (k + 1) // self.threads) for k in range(self.threads)]
        self._together(trial.run, [(*shared, *share, learn, work) for share, work in zip(shares, self.works, strict=True)])
        z, counts = group.z[:n, : self.sizes[-1]].copy(), group.ptr[:n, 1:, -2] - group.ptr[:n, 1:, 0]
        return Outcome(z, z.argmax(axis=1), counts, group.loss[:n].astype(float))

    def _together(self, kernel: Any, calls: list[tuple[Any, ...]]) -> None:
        """Call a kernel several times at once, in a thread each."""
        if kernel not in self._compiled:
            self._compiled[kernel] = bound(kernel, *calls[0])
        function = self._compiled[kernel]
        others = [self._pool.submit(function, *call) for call in calls[1:]] if self._pool else []
        function(*calls[0])
        for other in others:
            other.result()

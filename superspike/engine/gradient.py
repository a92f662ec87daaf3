"""Exact gradients of the surrogate network, in plain NumPy and double precision: a reference for what the local rule computes.

A network is run as :mod:`superspike.model.scheme` says, here with x for the potential before a reset:

    x(t) = a v(t−1) + c I(t−1)      S(t) = Θ(x(t) − ϑ)      v(t) = x(t) − r S(t)      I(t) = α I(t−1) + Σ_k S_k(t − D_k) W_k

r is the drop of a reset by subtraction, or x itself; a refractory neuron keeps x(t) = v(t−1) and does not spike. The surrogate
gradient of a loss L is that of this program with f(x − ϑ) for the ∂S/∂x that is missing (Neftci, Mostafa & Zenke 2019), the
same in every step in which a neuron may spike. There are two ways to it, which agree to rounding:

- :func:`bptt`, backward in time: of each neuron ∂L/∂I and ∂L/∂x, whose memory grows with the time;
- :func:`rtrl`, forward in time (Williams & Zipser 1989): of each neuron and each weight of the network ∂x/∂w.

Spikes can be taken as given, not as functions of weights, where they reset a neuron (``reset=False``) and where they reach
their own layer (``recurrence=False``). The local rule takes them so, and leaves out more (:mod:`superspike.lab.alignment`).
"""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.loss import CrossEntropy, SquaredError, VanRossum
from ..model.network import Network
from ..model.neuron import LIFStep, SubtractStep
from ..model.parameters import Param, ParameterError, check_memory, one_of
from ..model.readout import of_trials, rate_error
from ..model.scheme import error_filter, whole_steps
from ..tasks import Samples, Task
from ..tasks.samples import which_of

Array = NDArray[Any]

Slope = Callable[[Any, Array], Array]  # what finds σ' of many numbers

METHODS = ("bptt", "rtrl")
AT_ONCE = 2**22  # numbers of one layer: of so many samples, neurons and, backward in time, steps, or else weights


class Path(NamedTuple):
    """What a network did: of each layer, the input being 0, arrays (steps, samples, n)."""

    spikes: list[Array]
    x: list[Array]  # potentials before a reset (mV above rest); of the input none
    free: list[Array]  # whether a neuron was not refractory; of the input none
    begin: int = 0  # before this step spikes alone are known, which still act


class Start(NamedTuple):
    """What a stream's network goes on from, where it is not from rest, and its layers' spikes, which are known then."""

    begin: int  # how many of the steps lie before
    spikes: list[Array]  # of each layer but the input, arrays (steps, 1, n)
    v: list[Array]  # and (1, n): potentials (mV above rest)
    current: list[Array]  # mV
    left: list[Array]  # refractory steps
    errors: tuple[Array, Array]  # of the outputs, in the filter's two stages, (1, n_out)
    memory: Array  # of the loss


class Cost(NamedTuple):
    """A loss of each sample, and its derivatives by what the layers do, the input being 0; all of shapes that broadcast."""

    loss: Array  # (samples,)
    by_spikes: list[Any]  # ∂L/∂S(t) of each layer: (steps, samples, n)
    by_x: list[Any]  # ∂L/∂x(t)


class Wiring(NamedTuple):
    """A projection: the layers it joins, its weights (n_pre, n_post), its delay in steps, whether gradients go down it."""

    pre: int
    post: int
    w: Array
    delay: int
    passes: bool


def exact_gradient(
    network: Network,
    data: Samples | Task,
    which: ArrayLike | None = None,
    *,
    method: str = "bptt",
    reset: bool = True,
    recurrence: bool = True,
) -> tuple[float, list[Array]]:
    """The loss of a network, and its surrogate gradient (1/mV) for each projection; both from rest, with today's weights.

    Parameters
    ----------
    data : labelled samples, of which the mean counts, or the task of a stream, of which the first period does; its loss is
        ½ Σ_t Σ_k e_k(t)² of the errors that the rule sees (van_rossum, squared_error), or Σ_t −log p_label(t) (cross_entropy)
    which : the numbers of some of the samples
    method : bptt, backward in time, or rtrl, forward in time, which takes longer by the number of weights
    reset : whether the gradient goes through resets
    recurrence : whether it goes through the spikes that a layer sends to itself

    Raises
    ------
    ParameterError for neurons and losses whose gradient is not known here, and for data that do not fit.
    """
    one_of("exact_gradient.method", method, METHODS)
    for name, switch in (("reset", reset), ("recurrence", recurrence)):
        Param("", "").check(f"exact_gradient.{name}", switch, bool)
    if not isinstance(network, Network):
        raise ParameterError(f"exact_gradient.network: must be a Network, got {type(network).__name__}")
    way, ends = bptt if method == "bptt" else rtrl, (network.sizes[0], network.sizes[-1])
    if isinstance(data, Task):
        if which is not None:
            raise ParameterError(f"exact_gradient.which: must be left out, a stream has no samples, got {which!r}")
        if (data.n_inputs, data.n_outputs) != ends:
            raise ParameterError(
                f"exact_gradient.data: must have the network's {ends[0]} inputs and {ends[1]} outputs, got {data!r}"
            )
        inputs, targets = rasters(network, data)
        path = run(network, inputs)
        cost = stream_cost(network, path, targets)
        return float(cost.loss.sum()), way(network, path, cost, reset=reset, recurrence=recurrence)
    if not len(getattr(data, "labels", ())):
        raise ParameterError(f"exact_gradient.data: must be some Samples, or a Task, got {reprlib.repr(data)}")
    chosen = which_of("exact_gradient.which", which, len(data.labels))
    trials, loss, total = data.in_steps(network.scheme.dt), 0.0, [np.zeros(w.shape) for w in network.weights]
    if np.max(trials.units, initial=0) >= ends[0] or np.max(data.labels) >= ends[1]:
        raise ParameterError(f"exact_gradient.data: must have the network's {ends[0]} inputs and {ends[1]} classes, has more")
    each = trials.n_steps if method == "bptt" else sum(w.size for w in network.weights)
    size = max(1, AT_ONCE // (each * max(network.sizes)))
    for first in range(0, len(chosen), size):
        own = chosen[first : first + size]
        path = run(network, raster(trials, own, network.sizes[0]))
        cost = trial_cost(network, path, data.labels[own])
        loss += float(cost.loss.sum())
        for sum_, g in zip(total, way(network, path, cost, reset=reset, recurrence=recurrence), strict=True):
            sum_ += g
    return loss / len(chosen), [g / len(chosen) for g in total]


def raster(trials: Any, which: Array, inputs: int) -> Array:
    """The input of some samples on the time grid, as (steps, samples, inputs)."""
    found: Array = np.zeros((trials.n_steps, len(which), inputs))
    for b, k in enumerate(which):
        own = slice(trials.offsets[k], trials.offsets[k + 1])
        np.add.at(found[:, b], (trials.steps[own], trials.units[own]), 1.0)
    return found


def rasters(network: Network, task: Task) -> list[Array]:
    """Inputs and targets of one period of a task, as (steps, 1, n)."""
    frozen = task.in_steps(network.scheme.dt)
    check_memory("Task.period_ms", f"{task.period_ms:g} ms", 64 * frozen.period * sum(network.sizes))
    spikes, sizes = frozen.spikes(0, frozen.period), (task.n_inputs, task.n_outputs)
    return [stream_raster(*own, frozen.period, n) for own, n in zip(spikes, sizes, strict=True)]


def stream_raster(steps: Array, ids: Array, length: int, n: int) -> Array:
    """Spikes of ``n`` units in so many steps, as (length, 1, n)."""
    found: Array = np.zeros((length, 1, n))
    np.add.at(found[:, 0], (steps, ids), 1.0)
    return found


def cells(network: Network) -> list[Any]:
    """A step's coefficients of each layer but the input."""
    found = [layer.neuron.cell(network.scheme.dt, network.scheme.integration) for layer in network.layers[1:]]
    for layer, cell in zip(network.layers[1:], found, strict=True):
        if not isinstance(cell, (LIFStep, SubtractStep)):
            name = type(layer.neuron).__name__
            raise ParameterError(f"Network.neuron: must be LIF or a readout where gradients are exact, got {name}")
    return found


def wiring(network: Network, recurrence: bool = True) -> list[Wiring]:
    """The projections."""
    dt = network.scheme.dt
    return [
        Wiring(pre, post, w.astype(float), whole_steps("", delay, dt), pre > 0 and (recurrence or pre != post))
        for (pre, post), w, delay in zip(network.pairs, network.weights, network.delays, strict=True)
    ]


@np.errstate(over="ignore", invalid="ignore")  # numbers that are no longer finite are told by those who use them
def run(network: Network, inputs: Array, start: Start | None = None) -> Path:
    """Run a network on ``inputs``, (steps, samples, n_in), many samples at once and from rest, or one from a ``start``."""
    steps, samples, _ = inputs.shape
    shapes = [(steps, samples, n) for n in network.sizes[1:]]
    spikes, begin = (start.spikes, start.begin) if start else (list(map(np.zeros, shapes)), 0)
    path = Path([inputs, *spikes], [inputs[:0], *map(np.zeros, shapes)], [inputs[:0], *map(np.zeros, shapes)], begin)
    v, current, left = ([np.zeros((samples, n)) for n in network.sizes] for _ in range(3))
    if start:
        v[1:], current[1:], left[1:] = start.v, [x.copy() for x in start.current], start.left
    joined, layers = wiring(network), [*enumerate(zip(cells(network), network.layers[1:], strict=True), 1)]
    n_ref = [whole_steps("tau_ref", layer.neuron.tau_ref, network.scheme.dt) for layer in network.layers[1:]]
    for t in range(begin, steps):
        for k, (cell, _) in layers:
            left[k] = np.maximum(left[k] - 1, 0)
            free = left[k] == 0
            x = np.where(free, cell.a_mem * v[k] + cell.c_mem * current[k], v[k])
            s = path.spikes[k][t] if start else free & (x > cell.threshold)
            v[k], left[k] = np.where(s != 0, x - drop(cell, x), x), np.where(s != 0, n_ref[k - 1] + 1, left[k])
            current[k] *= cell.a_syn
            path.spikes[k][t], path.x[k][t], path.free[k][t] = s, x, free
        for p in joined:
            if t >= p.delay:
                current[p.post] += path.spikes[p.pre][t - p.delay] @ p.w
    return path


def drop(cell: Any, x: Array) -> Any:
    """By how much a spike lowers the potential ``x``."""
    return cell.drop if isinstance(cell, SubtractStep) else x


def kept(cell: Any, s: Array) -> Any:
    """∂v/∂x, with the spikes s as they are."""
    return 1.0 if isinstance(cell, SubtractStep) else 1 - s


def one_by_one(surrogate: Any, x: Array) -> Array:
    """σ' of each number in ``x``: a surrogate takes no arrays."""
    found: Array = np.fromiter(map(surrogate.derivative, x.ravel().tolist()), float, x.size).reshape(x.shape)
    return found


def slopes(network: Network, path: Path, slope: Slope = one_by_one) -> list[Array]:
    """f(x − ϑ) of each layer, 0 where a neuron is refractory, and of a readout."""
    found = [path.spikes[0][:0]]
    for k, (layer, cell) in enumerate(zip(network.layers[1:], cells(network), strict=True), 1):
        if np.isinf(cell.threshold):
            found.append(np.zeros_like(path.x[k]))
            continue
        found.append(slope(layer.surrogate, path.x[k] - cell.threshold) * path.free[k])
    return found


@np.errstate(over="ignore", invalid="ignore")  # through resets and loops it may grow beyond all numbers
def bptt(
    network: Network, path: Path, cost: Cost, *, reset: bool = True, recurrence: bool = True, slope: Slope = one_by_one
) -> list[Array]:  # fmt: skip
    """Σ over samples of ∂L/∂W for each projection, backward in time; Λ_y stands for ∂L/∂y.

        Λ_I(t) = α Λ_I(t+1) + c Λ_x(t+1)                         Λ_S(t) = ∂L/∂S(t) + Σ_k Λ_I(t + D_k) W_kᵀ − r Λ_v(t)
        Λ_v(t) = a Λ_x(t+1)                                      Λ_x(t) = ∂L/∂x(t) + Λ_v(t) ∂v/∂x + f(t) Λ_S(t)
        ∂L/∂W_k = Σ_t S_k(t − D_k)ᵀ Λ_I(t)

    Source: Neftci, Mostafa & Zenke (2019).
    """
    joined, layers, f = wiring(network, recurrence), [*enumerate(cells(network), 1)], slopes(network, path, slope)
    by_current = [np.zeros_like(s) for s in path.spikes]
    before, onto_v, onto_current = ([np.zeros_like(s[0]) for s in path.spikes] for _ in range(3))
    steps = len(path.spikes[0])
    for t in reversed(range(path.begin, steps)):
        for k, cell in layers:
            before[k] = by_current[k][t] = cell.a_syn * before[k] + onto_current[k]
        for k, cell in layers:
            by_s = at(cost.by_spikes[k], t) - reset * drop(cell, path.x[k][t]) * onto_v[k]
            for p in joined:
                if p.pre == k and p.passes and t + p.delay < steps:
                    by_s = by_s + by_current[p.post][t + p.delay] @ p.w.T
            by_x = at(cost.by_x[k], t) + kept(cell, path.spikes[k][t]) * onto_v[k] + f[k][t] * by_s
            onto_v[k] = np.where(path.free[k][t], cell.a_mem, 1.0) * by_x
            onto_current[k] = path.free[k][t] * cell.c_mem * by_x
    return [masked(network, n, summed(path.spikes[p.pre], by_current[p.post], p.delay)) for n, p in enumerate(joined)]


def summed(spikes: Array, by_current: Array, delay: int) -> Array:
    """Σ_t S(t − D)ᵀ Λ_I(t), over samples as well."""
    late = by_current[delay:]
    pre, post = (x[: len(late)].reshape(-1, x.shape[-1]) for x in (spikes, late))
    found: Array = pre.T @ post
    return found


@np.errstate(over="ignore", invalid="ignore")  # through resets and loops it may grow beyond all numbers
def rtrl(network: Network, path: Path, cost: Cost, *, reset: bool = True, recurrence: bool = True) -> list[Array]:
    """The same forward in time: in each step what each weight w of the network does to each neuron.

        ∂x/∂w(t) = a ∂v/∂w(t−1) + c ∂I/∂w(t−1)                   ∂S/∂w(t) = f(t) ∂x/∂w(t)
        ∂v/∂w(t) = ∂x/∂w(t) ∂v/∂x − r ∂S/∂w(t)                   ∂I/∂w(t) = α ∂I/∂w(t−1) + Σ_k W_kᵀ ∂S_k/∂w(t − D_k) + ∂W_k/∂w S_k

    Only what the loss thinks of a step, ∂L/∂S and ∂L/∂x, has to be known. An array is (samples, n, n_pre n_post) for each
    layer and each projection onto it or below.

    Source: Williams & Zipser (1989).
    """
    joined, layers, f = wiring(network, recurrence), [*enumerate(cells(network), 1)], slopes(network, path)
    samples = path.spikes[0].shape[1]
    ways = [(k, q) for k, _ in layers for q, p in enumerate(joined) if p.post <= k]
    dv, di = ({(k, q): np.zeros((samples, network.sizes[k], joined[q].w.size)) for k, q in ways} for _ in range(2))
    ds = deque[dict[tuple[int, int], Array]](maxlen=1 + max(p.delay for p in joined))
    total = [np.zeros(p.w.size) for p in joined]
    for t in range(path.begin, len(path.spikes[0])):
        ds.append({})
        for k, q in ways:
            cell, free, x = layers[k - 1][1], path.free[k][t][:, :, None], path.x[k][t][:, :, None]
            dx = np.where(free, cell.a_mem, 1.0) * dv[k, q] + free * cell.c_mem * di[k, q]
            ds[-1][k, q] = f[k][t][:, :, None] * dx
            dv[k, q] = kept(cell, path.spikes[k][t][:, :, None]) * dx - reset * drop(cell, x) * ds[-1][k, q]
            di[k, q] *= cell.a_syn
            for by, dy in ((cost.by_spikes[k], ds[-1][k, q]), (cost.by_x[k], dx)):
                total[q] += np.einsum("bn,bnw->w", np.broadcast_to(at(by, t), dy.shape[:2]), dy)
        for n, p in enumerate(joined):
            if t < p.delay:
                continue
            for k, q in ways:
                if p.pre == k and p.passes and t - p.delay >= path.begin:
                    di[p.post, q] += p.w.T @ ds[-1 - p.delay][k, q]
            own = di[p.post, n].reshape(samples, p.w.shape[1], *p.w.shape)  # a view; row i of W_kᵀ acts on neuron i alone
            np.einsum("biji->bji", own)[...] += path.spikes[p.pre][t - p.delay][:, :, None]
    return [masked(network, n, g.reshape(p.w.shape)) for n, (g, p) in enumerate(zip(total, joined, strict=True))]


def at(derivative: Any, t: int) -> Any:
    """What a derivative by something of each step is in step t."""
    return derivative[t] if isinstance(derivative, np.ndarray) and derivative.ndim == 3 else derivative


def masked(network: Network, n: int, g: Array) -> Array:
    """A gradient at the weights of projection n, where it has synapses."""
    mask = network.masks[n]
    return g if mask is None else g * mask


def trial_cost(network: Network, path: Path, labels: Array) -> Cost:
    """The loss of trials, without, and its derivatives with, what :class:`superspike.Rates` adds."""
    if not of_trials(network.loss):
        raise ParameterError(f"Network.loss: must be one of trials, such as max_over_time, got {network.loss!r}")
    u, dt = path.x[-1], np.float64(network.scheme.dt)
    _, samples, outputs = u.shape
    loss, by_x = np.zeros(samples), np.zeros_like(u)
    for b in range(samples):
        own, z, e = np.ascontiguousarray(u[:, b]), np.zeros(outputs), np.zeros((len(u), outputs))
        network.loss.logits(own, outputs, dt, z)
        loss[b] = network.loss.errors(own, z, outputs, labels[b], dt, np.float64(network.loss.temperature), e)
        by_x[:, b] = -e
    by_spikes: list[Any] = [0.0] * len(path.spikes)
    for k in range(1, len(path.spikes) - 1) if any(network.rates) else ():
        counts = path.spikes[k].sum(axis=0)
        by_spikes[k] = -np.array([[rate_error(n, own.mean(), network.rates) for n in own] for own in counts])
    return Cost(loss, by_spikes, [*[0.0] * (len(path.spikes) - 1), by_x])


@np.errstate(over="ignore", invalid="ignore")  # as in :func:`run`
def stream_cost(network: Network, path: Path, targets: Array, start: Start | None = None) -> Cost:
    """What a stream's errors cost, at the delay and by the filter of the scheme; ``targets``: (steps, 1, n_out)."""
    loss, nothing = network.loss, list[Any]([0.0] * (len(path.spikes) - 1))
    if isinstance(loss, VanRossum):
        e, by_wrong = filtered(network, targets - path.spikes[-1], start)
        return Cost(0.5 * (e**2).sum(axis=(0, 2)), [*nothing, -by_wrong], [*nothing, 0.0])
    late = 0 if start else whole_steps("", network.scheme.delay, network.scheme.dt)  # in the end, errors that nobody knows yet
    seen = max(path.begin, len(targets) - late)
    u = path.x[-1][path.begin : seen]
    if isinstance(loss, SquaredError):
        e = (jumps(network, targets[path.begin : seen], start) - u) / loss.height
        cost, by_u = 0.5 * e**2, -e / loss.height
    elif isinstance(loss, CrossEntropy):
        cost, by_u = surprise(network, targets[path.begin : seen], u / loss.temperature, start)
    else:
        known = "van_rossum, squared_error or cross_entropy"
        raise ParameterError(f"Network.loss: must be {known} where gradients of streams are exact, got {loss!r}")
    by_x = np.zeros_like(path.x[-1])
    by_x[path.begin : seen] = by_u
    return Cost(cost.sum(axis=(0, 2)), [*nothing, 0.0], [*nothing, by_x])


def jumps(network: Network, targets: Array, start: Start | None) -> Array:
    """The target potentials of :class:`superspike.SquaredError`."""
    decay = np.exp(-1 / whole_steps("SquaredError.tau", network.loss.tau, network.scheme.dt))
    found, now = np.zeros_like(targets), start.memory if start else 0.0
    for t, spikes in enumerate(targets):
        found[t] = now = decay * now + network.loss.height * spikes
    return found


def surprise(network: Network, targets: Array, z: Array, start: Start | None) -> tuple[Array, Array]:
    """−log p of the class of :class:`superspike.CrossEntropy`, at the class, and its derivatives by U; p = softmax(z)."""
    begin = whole_steps("CrossEntropy.begin", network.loss.begin, network.scheme.dt)
    named, since = start.memory if start else (0, 0)
    y, counts = np.zeros_like(z), np.zeros((len(z), 1, 1))
    for t, spikes in enumerate(targets[:, 0]):
        since += 1
        if spikes.any():
            named, since = int(np.flatnonzero(spikes)[-1]) + 1, 0
        if named and since >= begin:
            y[t, 0, int(named) - 1] = counts[t] = 1
    log_p = z - z.max(axis=2, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=2, keepdims=True))
    return -y * log_p, counts * (np.exp(log_p) - y) / network.loss.temperature


def filtered(network: Network, wrong: Array, start: Start | None) -> tuple[Array, Array]:
    """Errors e = α ∗ wrong, D steps late, and the derivatives of ½ Σ e² by what was wrong in each step.

    A step's e is read before that step's impulses enter, as in the scheme.
    """
    (a1, a2, c), impulse = error_filter(network.rule, network.scheme)
    delay, steps = whole_steps("", network.scheme.delay, network.scheme.dt), range(start.begin if start else 0, len(wrong))
    e, by_wrong = np.zeros_like(wrong), np.zeros_like(wrong)
    e1, e2 = start.errors if start else (np.zeros_like(wrong[0]), np.zeros_like(wrong[0]))
    for t in steps:
        e1 = a1 * e1
        e[t] = e2 = a2 * e2 + c * e1
        if t >= delay:
            e1 = e1 + impulse * wrong[t - delay]
    by_e1, by_e2 = np.zeros_like(e1), np.zeros_like(e2)
    for t in reversed(steps):
        if t >= delay:
            by_wrong[t - delay] = impulse * by_e1
        by_e2 = e[t] + a2 * by_e2
        by_e1 = a1 * (by_e1 + c * by_e2)
    return e, by_wrong

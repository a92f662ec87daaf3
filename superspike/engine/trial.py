"""Trials: labelled samples that begin at rest, hidden layers with reset by subtraction, and a readout; forward in time only.

One step n (Neftci, Mostafa & Zenke 2019), S = Θ(U − ϑ), f = σ'(U) of the same U, before the reset:

    U(n+1) = a (U(n) − d S(n)) + c I(n)        I(n+1) = α I(n) + Σ_j w_ij S_j(n)

and so for the readout, without d, which is ϑ, or ϑ/a where the network is integrated as ``nmz19``. A loss
(:mod:`superspike.model.readout`) turns the readout's potentials into errors e; they reach every hidden layer through its feedback
matrix, unfiltered. A hidden synapse's eligibility is λ_ij = κ ∗ [f(U_i) (ε ∗ S_j)], κ the readout's filter; at the readout's
synapses κ ∗ S_i takes its place. The gradient is Σ_t e_i(t) λ_ij(t).

From rest, what a spike of step s adds to its synapses depends on s and the post neuron only, not on which neuron spiked: a
sample needs **one row of numbers per step with spikes**, and each spike is one addition of its step's row to the gradient. A row
is made as the event engine makes the synapses of a neuron that spikes once (:mod:`superspike.engine.traces`).

A sample is run to its end, which gives the errors, and then a window of steps at a time once more for the rows; if it fits
into one window, its surrogates are still there. The neurons' sums and maps go forward in time; only what errors make of the rows
of an interval is added up from its last error on. Memory: per thread the surrogates of one window (WINDOW × neurons), the
readout's potentials, and three numbers per neuron and step with spikes, one of which is the row; of each sample of a group
its spikes. Nothing is kept per synapse and step. Half of a batch's samples are summed apart from the others (SHARDS), so that
the sums have the same bits for any number of threads and two share nothing; more than two keep the rows of all samples of
a group, and add them by shares of the neurons.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..model import readout, rule, surrogate
from ..model.filters import Filter
from ..model.neuron import SubtractStep
from .jit import Array, call_in_kernels, choose_by_type, compiled, each, kernel, read_only, separate
from .state import zeros
from .traces import Propagators, chain_free, load_eight, store_eight
from .update import update_row
from .vectors import above, add, bits_above, item, lanes, load, lowest, put, store

choose_by_type(readout.logits, writes=True)  # a guest may write into its arrays, and nowhere else
choose_by_type(readout.errors, writes=True)


call_in_kernels(readout.cross_entropy)
call_in_kernels(readout.rate_error)

WINDOW = 128  # steps whose surrogates are kept
ROW, ERROR, BOUND = range(3)  # what happens to the rows of a layer
PATIENCE = 8  # steps after which a layer without input is asked again whether it may still spike
SHARDS = 2  # of a group, each with a gradient of its own, so that two threads need nothing of each other's
GROWTH: dict[type, float] = {np.float32: 8.0, np.float64: 12.0}  # an interval's length in fastest time constants: see docs


class Sizes(NamedTuple):
    """Layers 0 (input) to the readout; projection p leads from layer p to p + 1. int64 arrays but for the number of steps."""

    n: Array  # (layers,)
    width: Array  # (layers,): with padding, to whole vectors
    w_start: Array  # (layers,): of each projection's synapses, row by row
    v_start: Array  # (layers,): of those of a hidden layer onto itself, -1 where there are none
    b_start: Array  # (layers,): of each hidden layer's feedback matrix (outputs, width)
    steps: int  # of a sample


class Model(NamedTuple):
    """What stays fixed, in the precision of the run."""

    lif: SubtractStep
    surrogate: Any
    readout: Filter
    temperature: Any
    rates: Any
    dt: Any
    peak: Any  # the largest U, at any time, that a current of 1 leads to
    drive: Any  # what an input spike counts: more than 1 where others are left out
    left_out: Any  # up to which of 2³² random numbers a spike is left out


class Group(NamedTuple):
    """Samples that are run together."""

    which: Array  # (samples,)
    key: Any  # of the random numbers that leave spikes out
    begin: Array  # (samples + 1,): where a sample's spikes begin in their order
    label: Array  # (samples,)
    ptr: Array  # (samples, layers − 1, steps + 2): spikes of step s are ids[ptr[s]:ptr[s + 1]]
    ids: Array  # int32
    room: Array  # (samples, layers − 1): where a layer's begin
    n_rows: Array  # (samples, layers − 1)
    rows: Array  # of each projection, one per step with spikes that mattered; shared where a thread adds them at once
    row_start: Array  # (samples, layers − 1)
    z: Array  # (samples, padded outputs): what the outputs say, mV
    loss: Array  # (samples,)


class Work(NamedTuple):
    """Of one thread; layers are hidden ones."""

    v: Array  # (layers, widest)
    current: Array  # (layers, widest): times what U gains from it in a step
    at: Array  # (layers, blocks of neurons): the step for which v and current are, where there is no more input
    f: Array  # (layers, window, widest): U, then the surrogate
    fired: Array  # (window, vectors of neurons): bits
    u: Array  # (steps, outputs): the readout
    e: Array  # (steps, outputs): −∂L/∂U
    error_ptr: Array  # (steps + 1,): errors of step t are error_k[error_ptr[t]:error_ptr[t + 1]]
    error_k: Array
    error: Array
    rate_error: Array  # (layers, widest)
    sums: Array  # (2 outputs,): of the readout's current interval
    maps: Array  # (layers, intervals, 8 widest): of those that are over, to the start of the current
    free: Array  # (layers, intervals, 6)
    now: Array  # (layers,): the current interval
    event: Array  # (most in an interval, 3)
    seen: Array  # (window + 1, two vectors)
    first_row: Array  # (layers, intervals + 1): an interval's
    p: Array  # (layers and readout, steps, 2): a row's p̃ in the frame of its interval
    a: Array  # (layers, steps, 2 widest): its −A1 and −A2


def workspace(outputs: int, widths: list[int], steps: int, interval: int, dtype: type) -> Work:
    """Arrays for one thread: hidden layers and a readout of these widths, and samples of so many steps."""
    layers, widest, window = len(widths) - 1, max(widths[:-1]), min(steps, WINDOW)
    intervals = -(-steps // window) * -(-window // interval)
    shapes: dict[str, Any] = dict.fromkeys(("v", "current", "rate_error"), (layers, widest))
    shapes |= dict.fromkeys(("u", "e"), (steps, widths[-1])) | dict.fromkeys(("error_k", "error"), steps * outputs)
    shapes |= {"f": (layers, window, widest), "at": (layers, widest), "fired": (window, widest), "error_ptr": steps + 1}
    shapes |= {"sums": 2 * widths[-1], "maps": (layers, intervals, 8 * widest), "free": (layers, intervals, 6)}
    shapes |= {"now": layers, "event": (interval * (outputs + 2), 3), "first_row": (layers, intervals + 1)}
    shapes |= {"seen": (interval + 1, 2 * widest), "p": (layers + 1, steps, 2), "a": (layers, steps, 2 * widest)}
    whole = {"at", "fired", "error_ptr", "error_k", "now", "event", "first_row"}
    return Work(**{name: zeros(shapes[name], np.int64 if name in whole else dtype, k) for k, name in enumerate(Work._fields)})


@compiled
def random_bits(key: Any, k: int) -> Any:
    """32 random bits, a function of the key and of k alone: SplitMix64 (Steele, Lea & Flood 2014)."""
    x = key + np.uint64(k) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) >> np.uint64(32)


@separate
def read_spikes(
    ptr: Array, ids: Array, room: int, steps: Array, units: Array, begin: int, end: int, left_out: Any, key: Any, k: int
) -> None:
    """Sort a sample's spikes by step."""
    ptr[:] = 0
    for a in range(begin, end):
        if left_out == 0 or random_bits(key, k + a - begin) >= left_out:
            add(ptr, steps[a] + 2, 1)
    ptr[0] = ptr[1] = room
    for s in range(2, len(ptr)):
        add(ptr, s, item(ptr, s - 1))
    for a in range(begin, end):
        if left_out == 0 or random_bits(key, k + a - begin) >= left_out:
            put(ids, item(ptr, steps[a] + 1), units[a])
            add(ptr, steps[a] + 1, 1)


@compiled
def first_step(ptr: Array) -> int:
    """The first step with a spike, or how many steps there are."""
    s = 0
    while s < len(ptr) - 2 and item(ptr, s + 1) == item(ptr, 0):
        s += 1
    return s


@compiled
def last_step(ptr: Array) -> int:
    """The step after the last with a spike."""
    s = len(ptr) - 2
    while s > 0 and item(ptr, s - 1) == item(ptr, s):
        s -= 1
    return s


@separate
def neurons(
    layer: int, width: int, w: Array, w_start: int, t0: int, begin: int, end: int, quiet: int, ptr: Array, ids: Array,
    lif: SubtractStep, drive: float, peak: float, v: Array, current: Array, at: Array, f: Array, fired: Array,
) -> None:  # fmt: skip
    """Take a layer from ``begin``, or the step ``at`` which a block of neurons is, to ``end``: U into f, spikes into ``fired``.

    Their rows 0 are step ``t0``. From step ``quiet`` on the layer has no input, and a block stops, ``at`` this step, where U and
    current, which moves U by ``peak`` times itself at most, are both too small for more spikes: half of what it takes.
    """
    a, c, decay, threshold, drop = lif.a_mem, lif.c_mem * drive, lif.a_syn, lif.threshold, lif.a_mem * lif.drop
    half, n = threshold * type(threshold)(0.5), lanes(w)
    few = half * lif.c_mem / peak  # of a current that already counts c
    for i in range(0, width, 2 * n):
        block = i // (2 * n)
        t = max(begin, item(at, (layer, block)))
        u, j, u2, j2 = load(v, (layer, i)), load(current, (layer, i)), load(v, (layer, i + n)), load(current, (layer, i + n))
        stop = min(end, max(t, quiet))
        while t < end:
            while t < stop:
                store(f, (layer, t - t0, i), u)
                store(f, (layer, t - t0, i + n), u2)
                put(fired, (t - t0, 2 * block), bits_above(u, threshold))
                put(fired, (t - t0, 2 * block + 1), bits_above(u2, threshold))
                u = u * a + j - above(u, threshold, drop)
                u2 = u2 * a + j2 - above(u2, threshold, drop)
                j = j * decay
                j2 = j2 * decay
                for s in range(item(ptr, t), item(ptr, t + 1)):
                    k = w_start + item(ids, s) * width + i
                    j = j + load(w, k) * c
                    j2 = j2 + load(w, k + n) * c
                t += 1
            over = bits_above(u, half) | bits_above(u2, half) | bits_above(j, few) | bits_above(j2, few)
            if over == 0 and t >= quiet:
                break
            stop = min(end, t + PATIENCE)
        put(at, (layer, block), t)
        for s in range(t, end):
            put(fired, (s - t0, 2 * block), 0)
            put(fired, (s - t0, 2 * block + 1), 0)
        store(v, (layer, i), u)
        store(v, (layer, i + n), u2)
        store(current, (layer, i), j)
        store(current, (layer, i + n), j2)


@separate
def recurrent_neurons(
    layer: int, width: int, w: Array, w_start: int, v_start: int, t0: int, begin: int, end: int, ptr: Array, own: Array,
    ids: Array, lif: SubtractStep, drive: float, v: Array, current: Array, f: Array,
) -> None:  # fmt: skip
    """The same of a layer with synapses onto itself: step by step, because its spikes act in the next. Lists them, too."""
    a, c, decay, threshold, drop = lif.a_mem, lif.c_mem * drive, lif.a_syn, lif.threshold, lif.a_mem * lif.drop
    n, size = item(own, begin), lanes(w)
    for t in range(begin, end):
        first = n
        for i in range(0, width, size):
            u, j = load(v, (layer, i)), load(current, (layer, i))
            bits = bits_above(u, threshold)
            store(f, (layer, t - t0, i), u)
            store(v, (layer, i), u * a + j - above(u, threshold, drop))
            j = j * decay
            for s in range(item(ptr, t), item(ptr, t + 1)):
                j = j + load(w, w_start + item(ids, s) * width + i) * c
            store(current, (layer, i), j)
            while bits != 0:
                put(ids, n, i + lowest(bits))
                n += 1
                bits &= bits - 1
        put(own, t + 1, n)
        for s in range(first, n):
            row = v_start + item(ids, s) * width
            for i in range(0, width, size):
                store(current, (layer, i), load(current, (layer, i)) + load(w, row + i) * lif.c_mem)


@separate
def find_spikes(vectors: int, size: int, begin: int, end: int, t0: int, fired: Array, ptr: Array, ids: Array) -> None:
    """List the spikes step by step, in order of neurons, ``size`` of them in a vector."""
    n = item(ptr, begin)
    for t in range(begin, end):
        for k in range(vectors):
            bits = item(fired, (t - t0, k))
            while bits != 0:
                put(ids, n, k * size + lowest(bits))
                n += 1
                bits &= bits - 1
        put(ptr, t + 1, n)


@compiled
def hidden_layer(
    z: Sizes, m: Model, layer: int, w: Array, group: Group, b: int, t0: int, t1: int, never: int, work: Work
) -> None:  # fmt: skip
    """Take one layer of a sample through a window. ``never``: no stopping."""
    before, v_start = group.ptr[b, layer - 1], item(z.v_start, layer)
    known = layer == 1 or work.f.shape[1] == z.steps
    quiet = max(never, last_step(before) if known else z.steps)
    begin, drive = max(t0, first_step(before)), m.drive if layer == 1 else type(m.drive)(1)
    if v_start >= 0:
        recurrent_neurons(
            layer - 1, item(z.width, layer), w, item(z.w_start, layer - 1), v_start, t0, begin, t1, before, group.ptr[b, layer],
            group.ids, m.lif, drive, work.v, work.current, work.f,
        )  # fmt: skip
        return
    neurons(
        layer - 1, item(z.width, layer), w, item(z.w_start, layer - 1), t0, begin, t1, quiet, before, group.ids, m.lif, drive,
        m.peak, work.v, work.current, work.at, work.f, work.fired,
    )  # fmt: skip


@compiled
def rest(layer: int, work: Work) -> None:
    """Begin a sample."""
    work.v[layer - 1] = 0
    work.current[layer - 1] = 0
    work.at[layer - 1] = 0


@compiled
def hidden_layers(z: Sizes, m: Model, w: Array, group: Group, b: int, t0: int, t1: int, work: Work) -> None:
    """Take the hidden layers of one sample through a window; list their spikes."""
    for layer in range(1, len(z.n) - 1):
        own = group.ptr[b, layer]
        if t0 == 0:
            rest(layer, work)
            put(own, 0, item(group.room, (b, layer)))
        begin, size = min(t1, max(t0, first_step(group.ptr[b, layer - 1]))), lanes(w)
        own[t0 : begin + 1] = item(own, t0)
        hidden_layer(z, m, layer, w, group, b, t0, t1, 0, work)
        if item(z.v_start, layer) < 0:
            find_spikes(item(z.width, layer) // size, size, begin, t1, t0, work.fired, own, group.ids)


@separate
def readout_layer(z: Sizes, filter: Filter, w: Array, ptr: Array, ids: Array, u: Array) -> None:
    """The readout's potentials in all steps of a sample."""
    last = len(z.n) - 1
    width, w_start = item(z.width, last), item(z.w_start, last - 1)
    for i in range(0, width, lanes(w)):
        x = load(w, 0) * type(filter.c)(0)
        j = x
        for t in range(z.steps):
            store(u, (t, i), x)
            x = x * filter.a2 + j * filter.c
            j = j * filter.a1
            for s in range(item(ptr, t), item(ptr, t + 1)):
                j = j + load(w, w_start + item(ids, s) * width + i)


@separate
def list_errors(e: Array, outputs: int, ptr: Array, ks: Array, errors: Array) -> int:
    """List the outputs' errors step by step and clear them; return the step after the last. A guest may err in the padding."""
    n, end, zero = 0, 0, e.dtype.type(0)
    none = above(load(e, (0, 0)), zero, zero)
    for t in range(len(e)):
        put(ptr, t, n)
        for i in range(0, e.shape[1], lanes(e)):
            x = load(e, (t, i))
            bits = bits_above(x * x, zero)
            if bits != 0:
                end = t + 1
                while bits != 0:
                    k = i + lowest(bits)
                    if k < outputs:
                        put(ks, n, k)
                        put(errors, n, item(e, (t, k)))
                        n += 1
                    bits &= bits - 1
            store(e, (t, i), none)
    put(ptr, len(e), n)
    return end


@separate
def rate_errors(n: int, rates: Any, ptr: Array, ids: Array, error: Array) -> bool:
    """What the bounds of a layer's spike counts ask of its neurons; return whether of any."""
    zero = type(rates.mean)(0)
    error[:] = zero
    for s in range(ptr[0], ptr[-2]):
        add(error, ids[s], 1)
    mean, some = type(rates.mean)(ptr[-2] - ptr[0]) / type(rates.mean)(n), False
    for i in range(n):
        error[i] = readout.rate_error(error[i], mean, rates)
        some |= error[i] != zero
    return some


@separate
def list_events(
    layer: int, row: int, ptr: Array, own: Array, begin: int, end: int, spike: Array, bounded: bool, error_ptr: Array,
    event: Array, p: Array,
) -> tuple[int, int]:  # fmt: skip
    """List what happens in an interval: rows that begin, in steps that follow one with spikes, and errors.

    ``own`` are the spikes of the layer itself, if it has synapses onto itself, else those of ``ptr`` once more.

    An error meets the eligibility two steps after the surrogate: the readout's current and potential lie between.
    Return the next row and how many events there are: the steps done by then, what it is, and which.
    """
    n = 0
    for t in range(begin, end):
        if item(ptr, t) != item(ptr, t - 1) or item(own, t) != item(own, t - 1):
            put(event, (n, 0), t - begin)
            put(event, (n, 1), ROW)
            put(event, (n, 2), row)
            put(p, (layer, row, 0), item(spike, (t - begin, 0)))
            put(p, (layer, row, 1), item(spike, (t - begin, 1)))
            row += 1
            n += 1
        if bounded:
            put(event, (n, 0), t - begin + 1)
            put(event, (n, 1), BOUND)
            put(event, (n, 2), t)
            n += 1
        if t + 3 < len(error_ptr):
            for k in range(item(error_ptr, t + 2), item(error_ptr, t + 3)):
                put(event, (n, 0), t - begin + 1)
                put(event, (n, 1), ERROR)
                put(event, (n, 2), k)
                n += 1
    return row, n


@compiled
def end_rows(
    e1: Any, e2: Any, y1: Any, y2: Any, first: int, stop: int, i: int, width: int,
    layer: int, p: Array, a: Array, rows: Array, row_start: int,
) -> None:  # fmt: skip
    """Bring rows of earlier intervals up to date, neurons from i on: to Σ e λ of one spike each."""
    for row in range(first, stop):
        p1, p2, at = item(p, (layer, row, 0)), item(p, (layer, row, 1)), row_start + row * width + i
        later = (y1 * p1 + y2 * p2) - (e1 * load(a, (layer, row, i)) + e2 * load(a, (layer, row, width + i)))
        store(rows, at, load(rows, at) + later)


@separate
def make_rows(
    layer: int, width: int, begin: int, end: int, t0: int, step: Array, spike: Array, motion: Array,
    feedback: Array, b_start: int, f: Array, rate_error: Array, error_k: Array, error: Array,
    event: Array, events: int, now: int, last: bool, first_row: Array, p: Array, a: Array, seen: Array, maps: Array, free: Array,
    rows: Array, row_start: int, threshold: float, model: Any,
) -> None:  # fmt: skip
    """Take a layer's sums through an interval, make the rows that begin meanwhile, and chain the sums to the maps.

    U in f becomes σ'(U) on the way, of a vector of neurons at a time, which then is in the first cache.

    A of a row is that of the traces' module, with the other sign; ``seen`` are Z1 and Z2 when errors come. What errors make of
    rows is summed from the interval's end on: E and Y so belong to the errors that a row has before it, and M is not needed.
    The ``last`` interval brings all rows up to date.
    """
    for i in range(0, width, lanes(f)):
        for t in range(begin - t0, end - t0):
            for k in range(lanes(f)):
                put(f, (layer, t, i + k), surrogate.derivative(model, item(f, (layer, t, i + k)) - threshold))
        x1 = load(f, (layer, 0, 0)) * f.dtype.type(0)
        x2, z1, z2, e1, e2, y1, y2 = x1, x1, x1, x1, x1, x1, x1
        k = 0
        for n in range(events + 1):
            stop = item(event, (n, 0)) if n < events else end - begin
            while k < stop:
                surrogates = load(f, (layer, begin - t0 + k, i))
                x1 = x1 + surrogates * item(step, (k, 0))
                x2 = x2 + surrogates * item(step, (k, 1))
                z1 = z1 + x1 * item(step, (k, 2))
                z2 = z2 + x2 * item(step, (k, 2))
                k += 1
            if n < events:
                kind, which = item(event, (n, 1)), item(event, (n, 2))
                if kind == ROW:
                    d1, d2, sigma = item(spike, (k, 0)), item(spike, (k, 1)), item(spike, (k, 2))
                    a1 = x1 * d1 + x2 * d2
                    store(a, (layer, which, i), a1)
                    store(a, (layer, which, width + i), z1 * d1 + z2 * d2 - sigma * a1)
                elif kind == ERROR:
                    store(seen, (k, 0), z1)
                    store(seen, (k, lanes(f)), z2)
        for n in range(events - 1, -1, -1):
            k, kind, which = item(event, (n, 0)), item(event, (n, 1)), item(event, (n, 2))
            if kind == ROW:
                d1, d2 = item(p, (layer, which, 0)), item(p, (layer, which, 1))
                m = (y1 * d1 + y2 * d2) - (e1 * load(a, (layer, which, i)) + e2 * load(a, (layer, which, width + i)))
                store(rows, row_start + which * width + i, m)
            elif kind == ERROR:
                at = b_start + item(error_k, which) * width + i
                g = load(feedback, at) * (item(error, which) * item(step, (k - 1, 4)))
                e1 = e1 + g * item(step, (k - 1, 3))
                e2 = e2 + g
                y1 = y1 + g * load(seen, (k, 0))
                y2 = y2 + g * load(seen, (k, lanes(f)))
            else:
                g = load(rate_error, (layer, i)) * load(f, (layer, which - t0, i))
                y1 = y1 + g * item(motion, (k - 1, 1))
                y2 = y2 + g * item(motion, (k - 1, 2))
        g11, g21, g22 = item(motion, (end - begin, 3)), item(motion, (end - begin, 4)), item(motion, (end - begin, 5))
        for tag in range(now):
            u11, u12, u21, u22, me1, me2, my1, my2 = load_eight(maps[layer, tag], i)
            p11, p21, p22 = item(free, (layer, tag, 0)), item(free, (layer, tag, 1)), item(free, (layer, tag, 2))
            f11, f21, f22 = item(free, (layer, tag, 3)), item(free, (layer, tag, 4)), item(free, (layer, tag, 5))
            me1 = me1 + e1 * f11 + e2 * f21
            me2 = me2 + e2 * f22
            my1 = my1 + e1 * u11 + e2 * u21 + y1 * p11 + y2 * p21
            my2 = my2 + e1 * u12 + e2 * u22 + y2 * p22
            if last:
                stop = item(first_row, (layer, tag + 1))
                end_rows(me1, me2, my1, my2, item(first_row, (layer, tag)), stop, i, width, layer, p, a, rows, row_start)
            else:
                v11, v12 = u11 + x1 * p11 + x2 * p21, u12 + x2 * p22
                v21 = (u21 + z1 * p11 + z2 * p21) * g22 + u11 * g21
                v22 = (u22 + z2 * p22) * g22 + u12 * g21
                store_eight(maps[layer, tag], i, (v11 * g11, v12 * g11, v21, v22, me1, me2, my1, my2))
        if not last:
            zero = x1 * f.dtype.type(0)
            store_eight(maps[layer, now], i, (x1 * g11, x2 * g11, z1 * g22, z2 * g22, zero, zero, zero, zero))


@compiled
def gradient(
    z: Sizes, m: Model, layer: int, t0: int, t1: int, end: int, bounded: bool, table: Propagators, feedback: Array,
    group: Group, b: int, work: Work,
) -> None:  # fmt: skip
    """Go on with the rows of one layer in a window; ``end`` is the step after the last that counts."""
    own, width = layer - 1, item(z.width, layer)
    before, row_start = group.ptr[b, own], item(group.row_start, (b, own))
    loops = group.ptr[b, layer] if item(z.v_start, layer) >= 0 else before
    t, stop = max(t0, first_step(before) + 1), min(t1, end)
    if t0 == 0:
        put(work.now, own, 0)
        put(work.first_row, (own, 0), 0)
        put(group.n_rows, (b, own), 0)
    longest = len(table.step)
    while t < stop:
        now, n = item(work.now, own), -(-(stop - t) // longest)  # intervals that are left
        length = -(-(stop - t) // n)
        row, events = list_events(
            own, item(group.n_rows, (b, own)), before, loops, t, t + length, table.spike, bounded, work.error_ptr, work.event,
            work.p,
        )  # fmt: skip
        put(group.n_rows, (b, own), row)
        put(work.first_row, (own, now + 1), row)
        make_rows(
            own, width, t, t + length, t0, table.step, table.spike, table.end, feedback, item(z.b_start, layer), work.f,
            work.rate_error, work.error_k, work.error, work.event, events, now, t + length == end, work.first_row, work.p, work.a,
            work.seen, work.maps, work.free, group.rows, row_start, m.lif.threshold, m.surrogate,
        )  # fmt: skip
        for k in range(6):
            put(work.free, (own, now, k), item(table.end, (0, k)))
        for tag in range(now + 1):
            chain_free(work.free[own, tag], table.end[length])
        put(work.now, own, now + 1)
        t += length


@separate
def readout_rows(z: Sizes, end: int, table: Propagators, group: Group, b: int, work: Work) -> None:
    """The rows of the readout's synapses: Σ e (κ ∗ S) of one spike each. Two sums do, for there is no surrogate."""
    own, width, interval = len(z.n) - 2, item(z.width, len(z.n) - 1), len(table.step)
    before, row_start, rows = group.ptr[b, own], item(group.row_start, (b, own)), group.rows
    sums, free, p, n, q = work.sums, table.end, work.p[own], 0, 0
    sums[:] = 0
    for t in range(first_step(before) + 1, end):
        if item(before, t) != item(before, t - 1):
            d1, d2 = item(table.spike, (q, 0)), item(table.spike, (q, 1))
            put(p, (n, 0), d1)
            put(p, (n, 1), d2)
            for i in range(width):
                put(rows, row_start + n * width + i, -(item(sums, i) * d1 + item(sums, width + i) * d2))
            n += 1
        for s in range(item(work.error_ptr, t), item(work.error_ptr, t + 1)):
            add(sums, item(work.error_k, s), item(work.error, s) * item(free, (q, 1)))
            add(sums, width + item(work.error_k, s), item(work.error, s) * item(free, (q, 2)))
        q += 1
        if q == interval or t == end - 1:
            for row in range(n):
                p1, p2 = item(p, (row, 0)), item(p, (row, 1))
                if p1 != 0 or p2 != 0:
                    for i in range(width):
                        add(rows, row_start + row * width + i, item(sums, i) * p1 + item(sums, width + i) * p2)
                    put(p, (row, 0), above_tiny(item(free, (q, 0)) * p1))
                    put(p, (row, 1), above_tiny(item(free, (q, 1)) * p1 + item(free, (q, 2)) * p2))
            sums[:] = 0
            q = 0
    put(group.n_rows, (b, own), n)


@compiled
def above_tiny(x: float) -> float:
    """The number, or 0 where it is too small to matter."""
    return x if abs(x) > type(x)(rule.TINY) else type(x)(0)


@compiled
def learn(
    z: Sizes, m: Model, w: Array, feedback: Array, hidden: Propagators, output: Propagators, group: Group, b: int, last: int,
    work: Work,
) -> None:  # fmt: skip
    """Make the rows of one sample, whose errors are known; ``last`` is the step after the last of them."""
    window = work.f.shape[1]
    readout_rows(z, last, output, group, b, work)
    for layer in range(1, len(z.n) - 1):
        bounded = rate_errors(z.n[layer], m.rates, group.ptr[b, layer], group.ids, work.rate_error[layer - 1])
        first, end = first_step(group.ptr[b, layer - 1]) + 1, z.steps if bounded else max(last - 2, 0)
        if window < z.steps:
            rest(layer, work)
        for t0 in range(0, max(end, 1), window):
            t1 = min(t0 + window, end)
            if t1 > first and (window < z.steps or item(z.v_start, layer) < 0):  # a layer that stopped early goes on
                hidden_layer(z, m, layer, w, group, b, t0, t1, t1, work)
            gradient(z, m, layer, t0, t1, end, bounded, hidden, feedback, group, b, work)


@compiled
def share(width: int, lanes: int, part: int, parts: int) -> tuple[int, int]:
    """From where to where one of ``parts`` shares of a layer's neurons goes: whole vectors."""
    vectors = width // lanes
    return vectors * part // parts * lanes, vectors * (part + 1) // parts * lanes


@separate
def add_rows(
    first: int, stop: int, width: int, w_start: int, ptr: Array, beside: Array, ids: Array, n: int, rows: Array, row: int,
    drive: float, m: Array,
) -> None:  # fmt: skip
    """Add to the gradient of the synapses onto a layer's neurons from ``first`` to ``stop`` one sample's rows: one per spike.

    There is a row for each step with spikes of ``ptr`` or ``beside``; each of those of ``ptr`` counts ``drive``.
    """
    s = 0
    while n > 0:
        if item(ptr, s + 1) != item(ptr, s) or item(beside, s + 1) != item(beside, s):
            for a in range(item(ptr, s), item(ptr, s + 1)):
                at = w_start + item(ids, a) * width
                for i in range(first, stop, lanes(m)):
                    store(m, at + i, load(m, at + i) + load(rows, row + i) * drive)
            row += width
            n -= 1
        s += 1


@compiled
def add_sample(z: Sizes, model: Model, group: Group, b: int, part: int, parts: int, m: Array) -> None:
    """Add a sample's rows to the gradient: one of ``parts`` shares of the postsynaptic neurons."""
    one = type(model.drive)(1)
    for layer in range(1, len(z.n)):
        first, stop = share(item(z.width, layer), lanes(m), part, parts)
        width, v_start, before = item(z.width, layer), item(z.v_start, layer), group.ptr[b, layer - 1]
        own = group.ptr[b, layer] if v_start >= 0 else before
        n, row = item(group.n_rows, (b, layer - 1)), item(group.row_start, (b, layer - 1))
        drive = model.drive if layer == 1 else one
        add_rows(first, stop, width, item(z.w_start, layer - 1), before, own, group.ids, n, group.rows, row, drive, m)
        if v_start >= 0:
            add_rows(first, stop, width, v_start, own, before, group.ids, n, group.rows, row, one, m)


@kernel
def collect(z: Sizes, model: Model, group: Group, begin: int, end: int, part: int, parts: int, m: Array) -> None:
    """Add the rows of the samples from ``begin`` to ``end``, in order, to the gradient."""
    for b in range(begin, end):
        add_sample(z, model, group, b, part, parts, m)


@compiled
def update_rows(
    begin: int, end: int, start: int, width: int, size: int, w: Array, m: Array, memories: tuple[Array, ...], none: Array,
    method: Any, n: float, rate: float, samples: int, block: float, w_max: float,
) -> float:  # fmt: skip
    """Update the rows from ``begin`` to ``end`` of a projection; return what is finite if gradients and changes are."""
    zero = type(rate)(0)
    total = zero
    for row in range(begin, end):
        i = start + row * width
        j = i + size
        for shard in range(1, len(m)):
            for k in range(i, i + width, lanes(m)):
                g = load(m, (shard, k))
                store(m, (0, k), load(m, (0, k)) + g)
                store(m, (shard, k), g * zero)
        total += update_row(
            w[i:j], m[0, i:j], each(memories, slice(i, j)), none, method, n, rate, samples, block, zero, -w_max, w_max
        )
    return total


@kernel
def update(
    z: Sizes, part: int, parts: int, w: Array, m: Array, memories: tuple[Array, ...], none: Array, method: Any, n: float,
    rate: float, samples: int, block: float, w_max: float, totals: Array,
) -> None:  # fmt: skip
    """Update the weights by the mean gradient of ``samples`` samples, m[0] + m[1] + …, and clear it: a share of the rows."""
    for layer in range(1, len(z.n)):
        total = type(rate)(0)  # here, not in the array: threads that write to one cache line wait for each other
        for pre in (layer - 1, layer):
            start = z.w_start[layer - 1] if pre < layer else z.v_start[layer]
            rows = z.n[pre] if start >= 0 else 0
            total += update_rows(
                rows * part // parts, rows * (part + 1) // parts, start, z.width[layer], z.n[layer], w, m, memories, none, method,
                n, rate, samples, block, w_max,
            )  # fmt: skip
        totals[part, layer - 1] = total


@kernel
def run(
    z: Sizes, model: Model, loss: Any, steps: Array, units: Array, offsets: Array, w: Array, feedback: Array, hidden: Propagators,
    output: Propagators, group: Group, m: Array, begin: int, end: int, learning: bool, collecting: bool, work: Work,
) -> None:  # fmt: skip
    """Run the samples from ``begin`` to ``end`` of a group; where they learn, make their rows, and add them to the gradient m."""
    last, window = len(z.n) - 1, work.f.shape[1]
    for b in range(begin, end):
        first, stop = offsets[group.which[b]], offsets[group.which[b] + 1]
        read_spikes(
            group.ptr[b, 0], group.ids, group.room[b, 0], steps, units, first, stop, model.left_out, group.key, group.begin[b]
        )  # fmt: skip
        for t0 in range(0, z.steps, window):
            hidden_layers(z, model, w, group, b, t0, min(t0 + window, z.steps), work)
        readout_layer(z, model.readout, w, group.ptr[b, last - 1], group.ids, work.u)
        readout.logits(loss, read_only(work.u), z.n[last], model.dt, group.z[b])
        group.loss[b] = readout.errors(
            loss, read_only(work.u), read_only(group.z[b]), z.n[last], group.label[b], model.dt, model.temperature, work.e
        )
        end_step = list_errors(work.e, z.n[last], work.error_ptr, work.error_k, work.error)
        if learning:
            learn(z, model, w, feedback, hidden, output, group, b, end_step, work)
            if collecting:
                add_sample(z, model, group, b, 0, 1, m)


@kernel
def decided(loss: Any, u: Array, outputs: int, dt: float, z: Array) -> int:
    """The length, in steps, from which on a trial that ends has the answer of the whole; of long ones, to a 256th."""
    readout.logits(loss, read_only(u), outputs, dt, z)
    whole, pace = answer(z, outputs), -(-len(u) // 256)
    for steps in range(len(u) - pace, 0, -pace):
        readout.logits(loss, read_only(u[:steps]), outputs, dt, z)
        if answer(z, outputs) != whole:
            return steps + pace
    return 1 if whole >= 0 else len(u)


@compiled
def answer(z: Array, outputs: int) -> int:
    """Which output says most; -1 where several do."""
    k, several = 0, False
    for i in range(1, outputs):
        if z[i] > z[k]:
            k, several = i, False
        elif z[i] == z[k]:
            several = True
    return -1 if several else k

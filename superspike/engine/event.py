"""The event engine: same numbers, a synapse touched only when needed. The mathematics is in :mod:`superspike.engine.traces`.

A layer is taken through a window of steps at a time: first the neurons of every layer, then the errors, and the sums of
each learning layer, into whose synapses the presynaptic spikes enter on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..model import neuron, rule
from . import state as shared
from .calls import call, keep, kept, unpack
from .jit import compiled, inlined, kernel
from .state import LANES, WINDOW, Array, Constants, Layout, Log, State, keep_potentials, padded, staggered, zeros
from .traces import (
    IMPULSE,
    SQUARE,
    TAGS,
    Frames,
    Propagators,
    apply_map,
    begin_free,
    chain_free,
    chain_map,
    enter_spike,
    load_eight,
    new_frame,
    new_frames,
    next_readout_sums,
    next_sums,
    store_eight,
)
from .vectors import add, item, lanes, load, put, store

readout_step = inlined(neuron.readout_step)
neuron_step, add_rows, find_spikes = inlined(neuron.neuron_step), inlined(neuron.add_rows), compiled(neuron.find_spikes)
flush = inlined(rule.flush)
learns, asked = compiled(shared.learns), compiled(shared.asked)
own_rate_step, own_rate_spikes = inlined(rule.own_rate_step), inlined(rule.own_rate_spikes)


ROOM = 2**12  # synapses of as many rows as are taken at once: their traces stay in the first two caches


class Work(NamedTuple):
    """The engine's own arrays. ``begin`` and ``end`` tell whose errors and synapses are advanced."""

    begin: Array  # (layers,): of each layer's neurons from begin
    end: Array  # to end
    frames: Frames  # of both kinds of layers: see table_of
    zero: Array  # (rows of synapses,): whether h is zero, as far as known; this alone is kept between calls
    due: Array  # the next spikes that enter a layer's synapses: see first_synapse
    at: Array  # in which steps of the window they do so
    old: Array  # (2, rows of synapses): of their rows, those in older frames: as in due, and the frame's tag
    old_p: Array  # (2, rows of synapses): p̃ in that frame
    wrong: Array  # the outputs' errors in the step before a window and in it: which output's,
    size: Array  # how large,
    when: Array  # in which step of the window
    before: Array  # (WINDOW + 2,): how many of them come before each step, from the one before the window on
    arrivals: Array  # (WINDOW, neurons): their sum per step of the window and neuron
    squares: Array  # (padded outputs,): Σ e² of the current interval


def workspace(where: Layout, dtype: type, spikes: int, errors: int, part: int = 0, parts: int = 1) -> Work:
    """Arrays for one of ``parts`` equal shares of all neurons, and so many spikes and errors at most in a window; all zero."""
    neurons, rows = int(where.start[-1]), int(where.row_start[-1])
    outputs = int(where.start[where.output + 1] - where.start[where.output])
    start, units, frames = where.start[:-1], np.diff(where.start) // LANES, new_frames(neurons, rows, 2, dtype)
    last = start + [padded(n, lanes(frames.sums)) for n in where.stop - start]  # no vector is all padding
    return Work(
        begin=start + units * part // parts * LANES,
        end=np.minimum(start + units * (part + 1) // parts * LANES, last),
        frames=frames,
        zero=np.zeros(rows, np.bool_),
        due=np.zeros(spikes, np.int64),
        at=np.zeros(spikes + 1, np.int64),
        old=np.zeros((2, rows), np.int64),
        old_p=np.zeros((2, rows), dtype),
        wrong=np.zeros(errors, np.int64),
        size=np.zeros(errors, dtype),
        when=np.zeros(errors, np.int64),
        before=np.zeros(WINDOW + 2, np.int64),
        arrivals=zeros((WINDOW, staggered(neurons, dtype)), dtype, 2),
        squares=zeros(outputs, dtype, 3),
    )


@compiled
def kind_of(where: Layout, c: Constants, layer: int) -> int:
    """0 for layers of spiking neurons, 1 for a readout: which of the two tables, and free motions, are a layer's."""
    return c.readout if layer == where.output else 0


@compiled
def table_of(tables: Propagators, kind: int) -> Propagators:
    """One of the two tables that lie in these arrays."""
    return Propagators(tables.step[kind], tables.spike[kind], tables.end[kind], tables.error[kind])


@inlined
def is_zero(x: Array) -> bool:
    """Whether all of a row is zero."""
    largest = x.dtype.type(0)
    for i in range(x.shape[0]):
        largest = max(largest, abs(x[i]))
    return bool(largest == 0)


@compiled
def own_delay(where: Layout, layer: int) -> int:
    """For how many steps of a window a layer's spikes do not act on the layer itself."""
    steps = WINDOW
    for k in range(len(where.pre)):
        if where.pre[k] == where.post[k] == layer:
            steps = min(steps, where.delay[k])
    return steps


@compiled
def deliver(where: Layout, state: State, log: Log, layer: int, current: Array, u: int, one: float) -> None:
    """Deliver to a layer the spikes that arrive in local step u."""
    for k in range(len(where.pre)):
        if where.post[k] == layer:
            pre, s = where.pre[k], u - where.delay[k]
            add_rows(current, state.w, where.w_start[k], log.ids, log.ptr[pre, s], log.ptr[pre, s + 1], one)


@compiled
def neurons(
    where: Layout, c: Constants, state: State, log: Log, layer: int, t: int, u: int, window: int, cell: Any, surrogate: Any
) -> None:  # fmt: skip
    """Take the neurons of one layer through ``window`` steps from step t, local step u.

    Their spikes are found at the end, or step by step where they act on the layer itself within the window, or where a
    neuron may spike twice in it.
    """
    ptr, ids, r, n_ref = log.ptr, log.ids, len(state.f) - 1, c.n_ref[layer]
    at_once = window <= min(n_ref + 1, own_delay(where, layer))
    a, b = where.start[layer], where.stop[layer]
    one = type(c.impulse)(1)
    v, current, refractory = state.v[a:b], state.current[a : where.start[layer + 1]], state.refractory[a:b]
    counted = refractory[: where.size[layer]]  # a guest's neuron may spike without input, in the padding as well
    for s in range(window):
        f = state.f[(t + s + c.delay) & r, a:b]
        fired = neuron_step(v, current[: b - a], refractory, f, n_ref, cell, surrogate)
        if not at_once:
            ptr[layer, u + s + 1] = ptr[layer, u + s]
            if fired:
                find_spikes(counted, n_ref, 1, ptr[layer], u + s, ids)
        deliver(where, state, log, layer, current, u + s, one)
    if at_once:
        find_spikes(counted, n_ref, window, ptr[layer], u, ids)


@compiled
def potentials(
    where: Layout, c: Constants, state: State, log: Log, layer: int, t: int, u: int, window: int, cell: Any
) -> None:  # fmt: skip
    """Take a readout through a window: its potentials go where the surrogates of spiking neurons go."""
    a, b, one = where.start[layer], where.start[layer + 1], type(c.impulse)(1)
    for s in range(window):
        row = state.f[(t + s + c.delay) & (len(state.f) - 1), a:b]
        readout_step(state.v[a:b], state.current[a:b], row, cell)
        keep_potentials(log, u + s, row)
        log.ptr[layer, u + s + 1] = log.ptr[layer, u + s]
        deliver(where, state, log, layer, state.current[a:b], u + s, one)


def stepping(cell: Any, surrogate: Any) -> Callable[..., None]:
    """What takes a layer of such neurons through a window."""

    def step(place: Any, layer: int, t: int, u: int, window: int) -> None:
        where, c, state, log = kept(place)
        own, its = unpack(cell, c.cells[layer]), unpack(surrogate, c.surrogates[layer])
        neurons(where, c, state, log, layer, t, u, window, own, its)

    return step


def reading(cell: Any) -> Callable[..., None]:
    """What takes a readout through a window."""

    def step(place: Any, layer: int, t: int, u: int, window: int) -> None:
        where, c, state, log = kept(place)
        potentials(where, c, state, log, layer, t, u, window, unpack(cell, c.cells[layer]))

    return step


@compiled
def first_synapse(where: Layout, k: int, row: int) -> int:
    """In a row of projection k the synapse of neuron i is this number + i."""
    begin, end = item(where.start, item(where.post, k)), item(where.start, item(where.post, k) + 1)
    first: int = item(where.w_start, k) + (row - item(where.row_start, k)) * (end - begin) - begin
    return first


@compiled
def take_spikes(
    where: Layout, log: Log, plastic: Array, layer: int, u: int, begin: int, end: int, d: Array, q: int, work: Work,
    free: Array, now: int,
) -> tuple[int, int, int]:  # fmt: skip
    """List the next spikes that enter the layer's synapses, and those of their rows that are in older frames.

    In step s of a window, from ``begin`` to ``end``, spikes of local step u + s less their delay enter.
    Return the step before which the list stops, how many spikes it holds and how many rows are in older frames.
    """
    ptr, n, old = log.ptr, 0, 0
    most = ROOM // (item(where.start, layer + 1) - item(where.start, layer))
    for s in range(begin, end):
        for k in range(len(where.pre)):
            if item(where.post, k) == layer and item(plastic, k):
                pre, r = item(where.pre, k), u + s - item(where.delay, k)
                for i in range(item(ptr, (pre, r)), item(ptr, (pre, r + 1))):
                    row = item(where.row_start, k) + item(log.ids, i)
                    put(work.due, n, first_synapse(where, k, row))
                    put(work.at, n, s)
                    if item(work.frames.tag, row) != now:
                        put(work.old, (0, old), item(work.due, n))
                        put(work.old, (1, old), item(work.frames.tag, row))
                        put(work.old_p, (0, old), item(work.frames.p, (0, row)))
                        put(work.old_p, (1, old), item(work.frames.p, (1, row)))
                        new_frame(work.frames, free, row, now)
                        old += 1
                    add(work.frames.p, (0, row), item(d, (q + s, 0)))
                    add(work.frames.p, (1, row), item(d, (q + s, 1)))
                    n += 1
        if n > most:
            return s + 1, n, old
    return end, n, old


@compiled
def list_errors(where: Layout, log: Log, u: int, window: int, work: Work) -> None:
    """List the outputs' errors in the window from local step u on, and those of the step before."""
    last, n, sized = len(log.ptr) - 1, 0, asked(where, log)
    first, rows = item(log.ptr, (last, 0)), (last if sized else where.output, last)
    for s in range(window + 1):
        for k in range(1 if sized else 2):
            row = rows[k]
            for i in range(item(log.ptr, (row, u + s - 1)), item(log.ptr, (row, u + s))):
                put(work.wrong, n, item(log.ids, i))
                put(work.size, n, item(log.sizes, i - first) if sized else type(work.size[0])(2 * k - 1))
                put(work.when, n, s - 1)
                n += 1
        put(work.before, s + 1, n)


@compiled
def add_errors(where: Layout, work: Work, window: int, step: Array, q: int) -> None:
    """Add the listed errors to what arrives at the outputs in a window from step q of the interval on."""
    first = where.start[where.output]
    for n in range(work.before[1], work.before[window + 1]):
        s = item(work.when, n)
        add(work.arrivals, (s, first + item(work.wrong, n)), item(work.size, n) * item(step, (q + s, IMPULSE)))


@compiled
def remove_errors(where: Layout, work: Work, window: int) -> None:
    """Nothing arrives at the outputs any more."""
    first = where.start[where.output]
    for n in range(work.before[1], work.before[window + 1]):
        put(work.arrivals, (item(work.when, n), first + item(work.wrong, n)), 0)


@compiled
def add_feedback(
    where: Layout, feedback: Array, layer: int, window: int, ahead: int, step: Array, q: int, work: Work
) -> None:  # fmt: skip
    """Sum what arrives at a hidden layer: for each listed error, one step later, a row of its feedback matrix."""
    begin, end, arrivals = work.begin[layer], work.end[layer], work.arrivals
    width, first = where.start[layer + 1] - where.start[layer], where.b_start[layer] - where.start[layer]
    for s in range(window):
        n, stop = item(work.before, s + ahead), item(work.before, s + ahead + 1)
        for k in range(n, stop):
            row = first + item(work.wrong, k) * width
            factor = item(work.size, k) * item(step, (q + s, IMPULSE))
            for i in range(begin, end, lanes(arrivals)):
                impulse = factor * load(feedback, row + i)
                store(arrivals, (s, i), impulse if k == n else load(arrivals, (s, i)) + impulse)


@compiled
def remove_feedback(layer: int, window: int, ahead: int, work: Work) -> None:
    """Nothing arrives at a hidden layer any more."""
    for s in range(window):
        if item(work.before, s + ahead) < item(work.before, s + ahead + 1):
            work.arrivals[s, work.begin[layer] : work.end[layer]] = 0


@compiled
def next_error(e1: Any, g: Any, r: Array) -> Any:
    """The error as it is kept, one step later, before what arrives."""
    return item(r, 0) * e1, item(r, 1) * g + e1


@compiled
def output_error(e1: Any, g: Any, squares: Any, arrivals: Any, table: Propagators, q: int) -> Any:
    """An output's error as it is kept and its Σ e² after step q of the interval, in which impulses arrive."""
    e1, g = next_error(e1, g, table.error)
    return e1 + arrivals, g, squares + item(table.step, (q, SQUARE)) * (g * g)


@compiled
def errors(where: Layout, state: State, work: Work, window: int, table: Propagators, q: int) -> None:
    """Take the outputs' errors through a window, where no synapse of theirs learns."""
    first, begin, end = where.start[where.output], work.begin[where.output], work.end[where.output]
    for i in range(begin, end, lanes(state.e1)):
        e1, g, squares = load(state.e1, i), load(state.e2, i), load(work.squares, i - first)
        for s in range(window):
            e1, g, squares = output_error(e1, g, squares, load(work.arrivals, (s, i)), table, q + s)
        store(state.e1, i, e1)
        store(state.e2, i, g)
        store(work.squares, i - first, squares)


@compiled
def own_rates(where: Layout, c: Constants, state: State, log: Log, layer: int, u: int, window: int) -> None:
    """Take the rate traces of one layer, which the regulariser reads, through a window."""
    a, b = where.start[layer], where.start[layer + 1]
    zeta, zeta_a, zeta_sum = state.zeta[a:b], state.zeta_a[a:b], state.zeta_sum[a:b]
    decay_a = c.het_decay**c.exponent
    for s in range(u, u + window):
        own_rate_spikes(zeta, zeta_a, log.ids, log.ptr[layer, s], log.ptr[layer, s + 1], c.exponent)
        own_rate_step(zeta, zeta_a, zeta_sum, c.het_decay, decay_a)


@compiled
def next_step(
    sums: Any, e1: Any, g: Any, squares: Any, f: Array, output: bool, readout: bool, i: int, p: int, s: int,
    table: Propagators, q: int, work: Work,
) -> Any:  # fmt: skip
    """Sums, errors and squares of a vector of neurons from i on after step s of a window, whose surrogates are in row p of f."""
    if output:
        e1, g, squares = output_error(e1, g, squares, load(work.arrivals, (s, i)), table, q + s)
    else:
        e1, g = next_error(e1, g, table.error)
        e1 = e1 + load(work.arrivals, (s, i))
    if readout:
        return next_readout_sums(sums, g, table.step, q + s), e1, g, squares
    return next_sums(sums, load(f, (p, i)), g, table.step, q + s), e1, g, squares


@compiled
def vectors(
    where: Layout, state: State, layer: int, output: bool, readout: bool, t: int, begin: int, end: int, spikes: int,
    table: Propagators, q: int, work: Work,
) -> None:  # fmt: skip
    """Take errors, sums and synapses of one layer through steps: a vector of neurons stays in registers meanwhile."""
    f, r, start = state.f, len(state.f) - 1, where.start[layer]
    for i in range(work.begin[layer], work.end[layer], lanes(f)):
        sums, e1, g = load_eight(work.frames.sums, i), load(state.e1, i), load(state.e2, i)
        squares = load(work.squares, i - start if output else 0)
        now = begin
        for n in range(spikes + 1):
            stop = item(work.at, n) if n < spikes else end
            for s in range(now, stop):
                sums, e1, g, squares = next_step(sums, e1, g, squares, f, output, readout, i, (t + s) & r, s, table, q, work)
            now = stop
            if n < spikes:
                enter_spike(state.h1, state.h2, state.m, item(work.due, n) + i, sums, table.spike, q + now)
        store_eight(work.frames.sums, i, sums)
        store(state.e1, i, e1)
        store(state.e2, i, g)
        if output:
            store(work.squares, i - start, squares)


@compiled
def synapses(
    where: Layout, state: State, layer: int, kind: int, t: int, begin: int, end: int, spikes: int, old: int,
    table: Propagators, q: int, work: Work,
) -> None:  # fmt: skip
    """Take errors, sums and synapses of one layer through the steps from ``begin`` to ``end`` of a window that starts at t."""
    for n in range(old):
        tag, p1, p2 = item(work.old, (1, n)), item(work.old_p, (0, n)), item(work.old_p, (1, n))
        first, maps, free = item(work.old, (0, n)), work.frames.maps[tag], work.frames.free[kind, tag]
        apply_map(state.h1, state.h2, state.m, first, maps, work.begin[layer], work.end[layer], p1, p2, free)
    if kind == 1:  # constants in all calls: no vector keeps registers for what it does not need
        vectors(where, state, layer, True, True, t, begin, end, spikes, table, q, work)
    elif layer == where.output:
        vectors(where, state, layer, True, False, t, begin, end, spikes, table, q, work)
    else:
        vectors(where, state, layer, False, False, t, begin, end, spikes, table, q, work)


@compiled
def pre_spikes(where: Layout, state: State, log: Log, k: int, u: int, window: int, spike: Array, q: int) -> None:
    """Enter projection k's spikes of a window into its p̃, in the frame of the current interval: u as in take_spikes."""
    pre, r = item(where.pre, k), u - item(where.delay, k)
    for s in range(window):
        for n in range(item(log.ptr, (pre, r + s)), item(log.ptr, (pre, r + s + 1))):
            row = item(where.row_start, k) + item(log.ids, n)
            add(state.p1, row, item(spike, (q + s, 0)))
            add(state.p2, row, item(spike, (q + s, 1)))


@compiled
def end_interval(where: Layout, c: Constants, state: State, plastic: Array, ends: Array, q: int, work: Work, now: int) -> None:
    """Chain the sums of an interval of q steps to the maps and clear them; ``ends`` has both kinds' free motions."""
    x, g = work.frames.sums, work.frames.free
    for tag in range(now + 1):
        for layer in range(1, len(where.start) - 1):
            if learns(where, plastic, layer):
                kind = kind_of(where, c, layer)
                chain_map(work.frames.maps[tag], x, work.begin[layer], work.end[layer], g[kind, tag], ends[kind, q])
        for kind in range(c.readout + 1):
            chain_free(g[kind, tag], ends[kind, q])
    x[:] = 0
    for k in range(len(where.pre)):
        end = ends[kind_of(where, c, where.post[k]), q]
        for j in range(where.row_start[k], where.row_start[k + 1]):
            p1 = state.p1[j]
            state.p1[j] = end[0] * p1
            state.p2[j] = end[1] * p1 + end[2] * state.p2[j]
    for y in (state.v, state.current, state.zeta, state.zeta_a, state.p1, state.p2):
        flush(y)


@compiled
def begin_errors(where: Layout, state: State, work: Work, layer: int, first: Array) -> None:
    """Put one layer's errors into the form in which an interval keeps them, where g is e2 at first."""
    for i in range(work.begin[layer], work.end[layer]):
        state.e1[i] /= first[6]


@compiled
def end_errors(where: Layout, state: State, work: Work, layer: int, last: Array) -> None:
    """Put them back into the clock engine's form at the end of an interval."""
    begin, end = work.begin[layer], work.end[layer]
    for i in range(begin, end):
        state.e1[i] *= last[6]
        state.e2[i] *= last[7]
    flush(state.e1[begin:end])
    flush(state.e2[begin:end])
    if layer == where.output:
        for i in range(begin - where.start[layer], end - where.start[layer]):
            state.squares[i] += work.squares[i]
            work.squares[i] = 0


@compiled
def start_maps(state: State, work: Work) -> None:
    """Put every row into the frame of interval 0."""
    work.frames.tag[:] = 0
    for row in range(len(state.p1)):
        work.frames.p[0, row], work.frames.p[1, row] = state.p1[row], state.p2[row]


@compiled
def end_maps(where: Layout, c: Constants, state: State, plastic: Array, work: Work) -> None:
    """Bring every row up to date: the state becomes the clock engine's. Find the rows whose neuron has long been silent."""
    for k in range(len(where.pre)):
        begin, end, free = work.begin[where.post[k]], work.end[where.post[k]], work.frames.free[kind_of(where, c, where.post[k])]
        for row in range(where.row_start[k], where.row_start[k + 1]):
            tag, p1, p2 = work.frames.tag[row], work.frames.p[0, row], work.frames.p[1, row]
            silent = p1 == 0 and p2 == 0  # since the last touch: no spike either
            if plastic[k] and not (silent and work.zero[row]):
                first = first_synapse(where, k, row)
                apply_map(state.h1, state.h2, state.m, first, work.frames.maps[tag], begin, end, p1, p2, free[tag])
                if tag == 0:  # no spike since the first interval: the traces have decayed a while
                    h1, h2 = state.h1[first + begin : first + end], state.h2[first + begin : first + end]
                    flush(h1)
                    flush(h2)
                    work.zero[row] = silent and is_zero(h1) and is_zero(h2)
                else:
                    work.zero[row] = False


@kernel
def advance(
    where: Layout, c: Constants, state: State, log: Log, feedback: Array, plastic: Array, t: int, steps: int,
    tables: Propagators, work: Work,
) -> None:  # fmt: skip
    """Simulate ``steps`` steps from step ``t``. Arguments as in the clock engine.

    ``tables`` hold one interval's propagators, for spiking neurons and for a readout. A layer is taken through a window of
    steps at a time: first the neurons of every layer, then errors and synapses. Between calls the state is the clock engine's.
    """
    history, interval, layers, output = log.ptr.shape[1] - 1 - steps, tables.step.shape[1], len(where.start) - 1, where.output
    q, now, place = 0, -1, keep((where, c, state, log))
    u = history
    while u < history + steps:
        if q == 0:
            now += 1
            if now == 0:
                start_maps(state, work)
            work.frames.maps[now] = 0
            for kind in range(c.readout + 1):
                begin_free(work.frames.free[kind, now], tables.end[kind, 0])
            for layer in range(1, layers):
                if learns(where, plastic, layer) or layer == output:
                    begin_errors(where, state, work, layer, tables.end[kind_of(where, c, layer), 0])
        window = min(WINDOW, interval - q, history + steps - u)
        arrived = u - c.delay
        for layer in range(1, layers):
            call(c.step[layer], (place, layer, t + u - history, u, window))
        if asked(where, log):
            for s in range(window):
                call(c.ask, (place, t + u - history + s, u + s))
        list_errors(where, log, arrived + c.ahead, window, work)
        add_errors(where, work, window, tables.step[c.readout], q)
        for layer in range(1, layers):
            kind = kind_of(where, c, layer)
            table, free = table_of(tables, kind), work.frames.free[kind]
            if learns(where, plastic, layer):
                if layer != output and c.rho > 0:
                    own_rates(where, c, state, log, layer, u, window)
                if layer != output:
                    add_feedback(where, feedback, layer, window, c.ahead, table.step, q, work)
                s = 0
                while s < window:
                    stop, spikes, old = take_spikes(
                        where, log, plastic, layer, arrived, s, window, table.spike, q, work, free, now
                    )
                    synapses(where, state, layer, kind, t + u - history, s, stop, spikes, old, table, q, work)
                    s = stop
                if layer != output:
                    remove_feedback(layer, window, c.ahead, work)
            elif layer == output:
                errors(where, state, work, window, table, q)
        remove_errors(where, work, window)
        for k in range(len(where.pre)):
            pre_spikes(where, state, log, k, arrived, window, tables.spike[kind_of(where, c, where.post[k])], q)
        u += window
        q += window
        if q == interval or u == history + steps:
            end_interval(where, c, state, plastic, tables.end, q, work, now)
            for layer in range(1, layers):
                if learns(where, plastic, layer) or layer == output:
                    end_errors(where, state, work, layer, tables.end[kind_of(where, c, layer), q])
            q = 0
            if now == TAGS - 1 or u == history + steps:
                end_maps(where, c, state, plastic, work)
                now = -1

"""The event engine: eligibility traces in the interaction picture. Same numbers, a synapse touched only when needed.

Between the spikes of its presynaptic neuron j, a synapse (i ← j) obeys linear equations whose coefficients depend on i
and on time only. Let q count the steps since the start of an interval, and write the free motion of the pre trace as
p(q) = P(q) p̃ and of the eligibility trace as h(q) = G(q) h̃. Then p̃ is constant between spikes, and

    h1 = G11 (A1 + X1 p̃1 + X2 p̃2)                  X1 += f P21 / G11       X2 += f P22 / G11
    h2 = G22 (A2 + σ A1 + Z1 p̃1 + Z2 p̃2)           Z1 += δσ X1             Z2 += δσ X2            σ = G21 / G22
    m  = M + E1 A1 + E2 A2 + Y1 p̃1 + Y2 p̃2         E1 += e σ G22           E2 += e G22
                                                    Y1 += e G22 Z1          Y2 += e G22 Z2

(δσ is σ's change in this step, to whose end σ and G22 on the right belong)

with eight sums (X, Z, E, Y) per post **neuron**, and three numbers (A1, A2, M) per synapse that change only when j spikes:
p̃ then jumps by d = P⁻¹(1, 0), and A and M by what keeps h and m continuous,

    A1 −= X1 d1 + X2 d2      A2 −= Z1 d1 + Z2 d2 + σ δA1      M −= E1 δA1 + E2 δA2 + Y1 d1 + Y2 d2

The error filter is treated alike: with its free decays B1 and B2, e1 = B1 ẽ1 and e2 = B2 ẽ2, of which an impulse enters
ẽ1 as 1 / B1, and ẽ2 gains c ẽ1 B1 / B2 per step (B's at the step's end); e = B2 ẽ2 above.

1/G, 1/B and d grow as e^(q dt/τ_rise), so rounding bounds the interval's length. At its end the sums become a linear map from
(A, M, p̃) to (h, m, p), eight numbers per neuron again, and start anew. The synapses are **not** touched: maps are chained
forward in time, where nothing grows, and each row of synapses keeps the interval in which it was last touched (its
``tag``). When its neuron spikes next, or when the call ends, one application of the map since then brings it up to date; not
even that, if all its traces have died out.
A second of simulated time so costs (neurons × steps) + (spikes × fan-out) + (synapses × calls). No approximation is
involved.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from . import error, loss, neuron, rule, surrogate
from . import state as shared
from ._jit import choose_by_type, compiled, inlined, kernel
from .filters import Filter
from .state import LANES, WINDOW, Array, Constants, Layout, Log, State, staggered, zeros

choose_by_type(surrogate.derivative)
choose_by_type(loss.impulses)
lif_step, add_rows, find_spikes = inlined(neuron.lif_step), inlined(neuron.add_rows), compiled(neuron.find_spikes)
output_impulses = inlined(error.output_impulses)
flush, learns = inlined(rule.flush), compiled(shared.learns)
own_rate_step, own_rate_spikes = inlined(rule.own_rate_step), inlined(rule.own_rate_spikes)


class Propagators(NamedTuple):
    """The free motion, step by step in an interval: row q of ``step`` holds the coefficients of the sums' step q."""

    step: Array  # (q, 5): P21 / G11, P22 / G11 at q; δσ; σ, G22 B2 at q + 1
    spike: Array  # (q, 3): d = P⁻¹(1, 0), σ
    end: Array  # (q + 1, 6): P11, P21, P22, G11, G21, G22
    error: Array  # (q + 1, 5): B1, B2 at q; what ẽ1 adds to ẽ2 in step q; 1 / B1 and B2² at its end


@functools.cache
def propagators(pre: Filter, trace: Filter, error: Filter, interval: int, dtype: type) -> Propagators:
    """The tables for an interval of that many steps, from the double-precision coefficients of the three filters."""

    def free(filter: Filter) -> Array:
        x = np.empty((interval + 1, 3))  # x11, x21, x22 of the q-step propagator
        x[0] = 1, 0, 1
        for q in range(interval):
            x[q + 1] = filter.a1 * x[q, 0], filter.a2 * x[q, 1] + filter.c * x[q, 0], filter.a2 * x[q, 2]
        return x

    p, g = free(pre), free(trace)
    (p11, p21, p22), (g11, g21, g22) = p.T, g.T
    sigma = g21 / g22
    b1, b2 = (np.power(a, np.arange(interval + 2)) for a in error[:2])
    step = (p21 / g11)[:-1], (p22 / g11)[:-1], np.diff(sigma), sigma[1:], g22[1:] * b2[1:-1]
    spike = 1 / p11, -p21 / (p11 * p22), sigma
    return Propagators(
        step=np.stack(step, axis=1).astype(dtype),
        spike=np.stack(spike, axis=1)[:-1].astype(dtype),
        end=np.hstack([p, g]).astype(dtype),
        error=np.stack([b1[:-1], b2[:-1], error.c * b1[1:] / b2[1:], 1 / b1[1:], b2[1:] ** 2], axis=1).astype(dtype),
    )


TAGS = 32  # intervals after which all rows of synapses are brought up to date


class Work(NamedTuple):
    """The engine's own arrays. ``begin`` and ``end`` tell whose synapses are advanced."""

    begin: Array  # (layers,): of each layer's neurons from begin
    end: Array  # to end
    sums: Array  # (8, neurons): X1, X2, Z1, Z2, E1, E2, Y1, Y2 of the current interval
    maps: Array  # (TAGS, 8, neurons): U11, U12, U21, U22, E1, E2, Y1, Y2 from the start of an interval to that of the current
    free: Array  # (TAGS, 6): P11, P21, P22, G11, G21, G22 over the same time
    tag: Array  # (rows of synapses,): the interval whose frame the row is in
    p: Array  # (2, rows of synapses): its p̃ in that frame
    zero: Array  # (rows of synapses,): whether h is zero, as far as known; this alone is kept between calls
    e: Array  # (WINDOW, neurons): ẽ2 in each step of the window
    squares: Array  # (outputs, padded): Σ e² of the current interval


def workspace(where: Layout, dtype: type, part: int = 0, parts: int = 1) -> Work:
    """Arrays for the synapses of one of ``parts`` equal shares of all neurons; sums zero, as at the start of an interval."""
    neurons = staggered(int(where.start[-1]), dtype)
    rows = int(where.row_start[-1])
    lanes = np.diff(where.start) // LANES
    return Work(
        begin=where.start[:-1] + lanes * part // parts * LANES,
        end=where.start[:-1] + lanes * (part + 1) // parts * LANES,
        sums=zeros((8, neurons), dtype),
        maps=zeros((TAGS, 8, neurons), dtype, 1),
        free=zeros((TAGS, 6), dtype),
        tag=np.zeros(rows, np.int64),
        p=zeros((2, rows), dtype),
        zero=np.zeros(rows, np.bool_),
        e=zeros((WINDOW, neurons), dtype, 2),
        squares=zeros(int(where.start[-1] - where.start[-2]), dtype, 3),
    )


@inlined
def error_step(e1: Array, before: Array, after: Array, c: float) -> None:
    """What ẽ2 is after a step."""
    for i in range(e1.shape[0]):
        after[i] = before[i] + c * e1[i]


@inlined
def add_squares(e: Array, squares: Array, scale: float) -> None:
    """Add e² to the sums."""
    for i in range(e.shape[0]):
        squares[i] += scale * (e[i] * e[i])


@inlined
def copy(source: Array, target: Array) -> None:
    """Copy an array."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@inlined
def next_sums(
    f: Any, e: Any, k: Array, x1: Any, x2: Any, z1: Any, z2: Any, e1: Any, e2: Any, y1: Any, y2: Any
) -> tuple[Any, ...]:
    """The sums of one neuron after one more step, whose coefficients are ``k``."""
    x1 += k[0] * f
    x2 += k[1] * f
    z1 += k[2] * x1
    z2 += k[2] * x2
    g = k[4] * e
    return x1, x2, z1, z2, e1 + k[3] * g, e2 + g, y1 + g * z1, y2 + g * z2


@inlined
def sums_step(
    f: Array, e: Array, k: Array, x1: Array, x2: Array, z1: Array, z2: Array, e1: Array, e2: Array, y1: Array, y2: Array
) -> None:
    """Add one step to the sums of a layer."""
    for i in range(f.shape[0]):
        x1[i], x2[i], z1[i], z2[i], e1[i], e2[i], y1[i], y2[i] = next_sums(
            f[i], e[i], k, x1[i], x2[i], z1[i], z2[i], e1[i], e2[i], y1[i], y2[i]
        )


@inlined
def sums_two_steps(
    f: Array, e: Array, k: Array, f_: Array, e_: Array, k_: Array,
    x1: Array, x2: Array, z1: Array, z2: Array, e1: Array, e2: Array, y1: Array, y2: Array,
) -> None:  # fmt: skip
    """Add two steps to the sums of a layer, which stay in registers in between."""
    for i in range(f.shape[0]):
        sums = next_sums(f[i], e[i], k, x1[i], x2[i], z1[i], z2[i], e1[i], e2[i], y1[i], y2[i])
        x1[i], x2[i], z1[i], z2[i], e1[i], e2[i], y1[i], y2[i] = next_sums(f_[i], e_[i], k_, *sums)


@inlined
def sums_four_steps(
    fa: Array, ea: Array, ka: Array, fb: Array, eb: Array, kb: Array,
    fc: Array, ec: Array, kc: Array, fd: Array, ed: Array, kd: Array,
    x1: Array, x2: Array, z1: Array, z2: Array, e1: Array, e2: Array, y1: Array, y2: Array,
) -> None:  # fmt: skip
    """Add four steps to the sums of a layer, which stay in registers in between."""
    for i in range(fa.shape[0]):
        sums = next_sums(fa[i], ea[i], ka, x1[i], x2[i], z1[i], z2[i], e1[i], e2[i], y1[i], y2[i])
        sums = next_sums(fb[i], eb[i], kb, *sums)
        sums = next_sums(fc[i], ec[i], kc, *sums)
        x1[i], x2[i], z1[i], z2[i], e1[i], e2[i], y1[i], y2[i] = next_sums(fd[i], ed[i], kd, *sums)


@inlined
def enter_spike(
    h1: Array, h2: Array, m: Array,
    x1: Array, x2: Array, z1: Array, z2: Array, e1: Array, e2: Array, y1: Array, y2: Array,
    d1: float, d2: float, sigma: float,
) -> None:  # fmt: skip
    """Change (A1, A2, M) of one row of synapses, whose presynaptic neuron spikes now."""
    for i in range(h1.shape[0]):
        a1 = x1[i] * d1 + x2[i] * d2
        a2 = z1[i] * d1 + z2[i] * d2 - sigma * a1
        h1[i] -= a1
        h2[i] -= a2
        m[i] += e1[i] * a1 + e2[i] * a2 - y1[i] * d1 - y2[i] * d2


@inlined
def is_zero(x: Array) -> bool:
    """Whether all of a row is zero."""
    largest = x.dtype.type(0)
    for i in range(x.shape[0]):
        largest = max(largest, abs(x[i]))
    return bool(largest == 0)


@inlined
def apply_map(
    h1: Array, h2: Array, m: Array,
    u11: Array, u12: Array, u21: Array, u22: Array, e1: Array, e2: Array, y1: Array, y2: Array,
    p1: float, p2: float, g11: float, g21: float, g22: float,
) -> None:  # fmt: skip
    """Bring one row of synapses up to date."""
    for i in range(h1.shape[0]):
        m[i] += e1[i] * h1[i] + e2[i] * h2[i] + y1[i] * p1 + y2[i] * p2
        h2[i] = g21 * h1[i] + g22 * h2[i] + u21[i] * p1 + u22[i] * p2
        h1[i] = g11 * h1[i] + u11[i] * p1 + u12[i] * p2


@inlined
def chain_map(
    u11: Array, u12: Array, u21: Array, u22: Array, me1: Array, me2: Array, my1: Array, my2: Array,
    x1: Array, x2: Array, z1: Array, z2: Array, e1: Array, e2: Array, y1: Array, y2: Array,
    before: Array, end: Array,
) -> None:  # fmt: skip
    """Follow a map, over the free motion ``before``, by the interval that ends, whose own free motion is ``end``."""
    p11, p21, p22, f11, f21, f22 = before[0], before[1], before[2], before[3], before[4], before[5]
    g11, g21, g22 = end[3], end[4], end[5]
    for i in range(u11.shape[0]):
        my1[i] += e1[i] * u11[i] + e2[i] * u21[i] + y1[i] * p11 + y2[i] * p21
        my2[i] += e1[i] * u12[i] + e2[i] * u22[i] + y2[i] * p22
        me1[i] += e1[i] * f11 + e2[i] * f21
        me2[i] += e2[i] * f22
        u21[i] = g21 * u11[i] + g22 * (u21[i] + z1[i] * p11 + z2[i] * p21)
        u22[i] = g21 * u12[i] + g22 * (u22[i] + z2[i] * p22)
        u11[i] = g11 * (u11[i] + x1[i] * p11 + x2[i] * p21)
        u12[i] = g11 * (u12[i] + x2[i] * p22)


@compiled
def neurons(where: Layout, c: Constants, state: State, log: Log, layer: int, t: int, u: int, window: int) -> None:
    """Take the neurons of one layer through ``window`` steps from step t, local step u."""
    ptr, ids, r = log.ptr, log.ids, len(state.f) - 1
    a, b = where.start[layer], where.start[layer + 1]
    one = type(c.impulse)(1)
    v, current, refractory = state.v[a:b], state.current[a:b], state.refractory[a:b]
    for s in range(window):
        lif_step(v, current, refractory, state.f[(t + s + c.delay) & r, a:b], c.n_ref, c.lif, c.surrogate)
        arrived = u + s - c.delay
        for k in range(len(where.pre)):
            if where.post[k] == layer:
                begin, end = ptr[where.pre[k], arrived], ptr[where.pre[k], arrived + 1]
                add_rows(current, state.w, where.w_start[k], ids, begin, end, one)
    find_spikes(refractory, c.n_ref, window, ptr[layer], u, ids)
    if layer == len(where.start) - 2:
        for s in range(window):
            loss.impulses(c.loss, ptr, ids, layer, u + s, c.window, state.answers)


@compiled
def first_synapse(where: Layout, k: int, row: int, post: int) -> int:
    """The synapse of neuron ``post`` in a row of projection k."""
    begin, end = where.start[where.post[k]], where.start[where.post[k] + 1]
    first: int = where.w_start[k] + (row - where.row_start[k]) * (end - begin) + post - begin
    return first


@compiled
def bring_up_to_date(where: Layout, state: State, work: Work, k: int, row: int, now: int) -> None:
    """Express one row of synapses of projection k in the frame of interval ``now``."""
    a, b = work.begin[where.post[k]], work.end[where.post[k]]
    i = first_synapse(where, k, row, a)
    j = i + b - a
    u, free = work.maps[work.tag[row]], work.free[work.tag[row]]
    p1, p2 = work.p[0, row], work.p[1, row]
    apply_map(
        state.h1[i:j], state.h2[i:j], state.m[i:j],
        u[0, a:b], u[1, a:b], u[2, a:b], u[3, a:b], u[4, a:b], u[5, a:b], u[6, a:b], u[7, a:b],
        p1, p2, free[3], free[4], free[5],
    )  # fmt: skip
    work.p[0, row] = free[0] * p1
    work.p[1, row] = free[1] * p1 + free[2] * p2
    flush(work.p[:, row])
    work.tag[row] = now


@compiled
def enter_spikes(
    where: Layout, state: State, work: Work, k: int, ids: Array, begin: int, end: int, d: Array, now: int
) -> None:  # fmt: skip
    """Enter the spikes ``ids[begin:end]``, all of one step of interval ``now``, into the synapses of projection k."""
    a, b = work.begin[where.post[k]], work.end[where.post[k]]
    x = work.sums
    for s in range(begin, end):
        row = where.row_start[k] + ids[s]
        if work.tag[row] != now:
            bring_up_to_date(where, state, work, k, row, now)
        work.p[0, row] += d[0]
        work.p[1, row] += d[1]
        i = first_synapse(where, k, row, a)
        j = i + b - a
        enter_spike(
            state.h1[i:j], state.h2[i:j], state.m[i:j],
            x[0, a:b], x[1, a:b], x[2, a:b], x[3, a:b], x[4, a:b], x[5, a:b], x[6, a:b], x[7, a:b], d[0], d[1], d[2],
        )  # fmt: skip


@compiled
def errors(
    where: Layout, c: Constants, state: State, log: Log, feedback: Array, work: Work,
    layer: int, u: int, window: int, table: Array,
) -> None:  # fmt: skip
    """Take the errors of one layer through a window; row s of ``table`` holds the coefficients of its step s."""
    ptr, ids = log.ptr, log.ids
    a, b = where.start[layer], where.start[layer + 1]
    minus = len(ptr) - 2  # the rows of the error impulses
    plus = minus + 1
    e1, e2, e, first = state.e1[a:b], state.e2[a:b], work.e, where.b_start[layer]
    for s in range(window):
        arrived, impulse = u + s - c.delay, c.impulse * table[s, 3]
        error_step(e1, e2 if s == 0 else e[s - 1, a:b], e[s, a:b], table[s, 2])
        if layer == len(where.start) - 2:
            add_squares(e[s, a:b], work.squares, table[s, 4])
            output_impulses(e1, ids, ptr[minus, arrived], ptr[minus, arrived + 1], -impulse)
            output_impulses(e1, ids, ptr[plus, arrived], ptr[plus, arrived + 1], impulse)
        else:
            add_rows(e1, feedback, first, ids, ptr[minus, arrived - 1], ptr[minus, arrived], -impulse)
            add_rows(e1, feedback, first, ids, ptr[plus, arrived - 1], ptr[plus, arrived], impulse)
    copy(e[window - 1, a:b], e2)


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
def synapses(
    where: Layout, c: Constants, state: State, log: Log, plastic: Array,
    layer: int, t: int, u: int, window: int, q: int, table: Propagators, work: Work, now: int,
) -> None:  # fmt: skip
    """Take sums and synapses of one layer through a window: from one step with presynaptic spikes to the next."""
    ptr, ids, r = log.ptr, log.ids, len(state.f) - 1
    a, b = work.begin[layer], work.end[layer]
    f, e, x = state.f, work.e, work.sums
    x1, x2, z1, z2 = x[0, a:b], x[1, a:b], x[2, a:b], x[3, a:b]
    e1, e2, y1, y2 = x[4, a:b], x[5, a:b], x[6, a:b], x[7, a:b]
    s = 0
    while s < window:
        for k in range(len(where.pre)):
            if where.post[k] == layer and plastic[k]:
                pre, then = ptr[where.pre[k]], u + s - 2 * c.delay
                if pre[then] < pre[then + 1]:
                    enter_spikes(where, state, work, k, ids, pre[then], pre[then + 1], table.spike[q + s], now)
        stop = window
        for k in range(len(where.pre)):
            if where.post[k] == layer and plastic[k]:
                pre, then = ptr[where.pre[k]], u - 2 * c.delay
                end = s + 1
                while end < stop and pre[then + end] == pre[then + end + 1]:
                    end += 1
                stop = end
        while s < stop:
            p = t + s
            step = table.step[q + s :]
            if stop - s >= 4:
                sums_four_steps(
                    f[p & r, a:b], e[s, a:b], step[0], f[(p + 1) & r, a:b], e[s + 1, a:b], step[1],
                    f[(p + 2) & r, a:b], e[s + 2, a:b], step[2], f[(p + 3) & r, a:b], e[s + 3, a:b], step[3],
                    x1, x2, z1, z2, e1, e2, y1, y2,
                )  # fmt: skip
                s += 4
            elif stop - s >= 2:
                sums_two_steps(
                    f[p & r, a:b], e[s, a:b], step[0], f[(p + 1) & r, a:b], e[s + 1, a:b], step[1],
                    x1, x2, z1, z2, e1, e2, y1, y2,
                )  # fmt: skip
                s += 2
            else:
                sums_step(f[p & r, a:b], e[s, a:b], step[0], x1, x2, z1, z2, e1, e2, y1, y2)
                s += 1


@compiled
def pre_spikes(
    where: Layout, c: Constants, state: State, log: Log, layer: int, u: int, window: int, q: int, spike: Array
) -> None:
    """Enter the spikes of one layer into its own p̃, in the frame of the current interval."""
    for s in range(window):
        then = u + s - 2 * c.delay
        for n in range(log.ptr[layer, then], log.ptr[layer, then + 1]):
            j = where.start[layer] + log.ids[n]
            state.p1[j] += spike[q + s, 0]
            state.p2[j] += spike[q + s, 1]


@compiled
def end_interval(where: Layout, state: State, plastic: Array, end: Array, error: Array, work: Work, now: int) -> None:
    """Chain the interval's sums to the maps and clear them; the free motions of an interval of that length are given."""
    x, g = work.sums, work.free
    for tag in range(now + 1):
        u = work.maps[tag]
        for k in range(len(where.pre)):
            if plastic[k]:
                a, b = work.begin[where.post[k]], work.end[where.post[k]]
                chain_map(
                    u[0, a:b], u[1, a:b], u[2, a:b], u[3, a:b], u[4, a:b], u[5, a:b], u[6, a:b], u[7, a:b],
                    x[0, a:b], x[1, a:b], x[2, a:b], x[3, a:b], x[4, a:b], x[5, a:b], x[6, a:b], x[7, a:b],
                    g[tag], end,
                )  # fmt: skip
        for n in (0, 3):  # P, G
            g[tag, n + 1] = end[n + 1] * g[tag, n] + end[n + 2] * g[tag, n + 1]
            g[tag, n] *= end[n]
            g[tag, n + 2] *= end[n + 2]
        flush(g[tag])
    x[:] = 0
    for j in range(len(state.p1)):
        p1 = state.p1[j]
        state.p1[j] = end[0] * p1
        state.p2[j] = end[1] * p1 + end[2] * state.p2[j]
    for layer in range(1, len(where.start) - 1):
        if learns(where, plastic, layer) or layer == len(where.start) - 2:
            for i in range(where.start[layer], where.start[layer + 1]):
                state.e1[i] *= error[0]
                state.e2[i] *= error[1]
    for y in (state.v, state.current, state.e1, state.e2, state.zeta, state.zeta_a, state.p1, state.p2):
        flush(y)


@compiled
def sum_and_clear(squares: Array) -> float:
    """The outputs' Σ e²; they begin again with 0."""
    total = 0.0
    for i in range(len(squares)):
        total += squares[i]
    squares[:] = 0
    return total


@compiled
def begin_map(maps: Array, free: Array, now: int, identity: Array) -> None:
    """The map from the start of interval ``now`` to itself."""
    maps[now] = 0
    for n in range(len(identity)):
        free[now, n] = identity[n]


@compiled
def start_maps(where: Layout, state: State, work: Work) -> None:
    """Put every row into the frame of interval 0."""
    work.tag[:] = 0
    for k in range(len(where.pre)):
        pre = where.start[where.pre[k]] - where.row_start[k]
        for row in range(where.row_start[k], where.row_start[k + 1]):
            work.p[0, row], work.p[1, row] = state.p1[pre + row], state.p2[pre + row]


@compiled
def end_maps(where: Layout, state: State, plastic: Array, work: Work) -> None:
    """Bring every row up to date: the state becomes the clock engine's. Find the rows whose neuron has long been silent."""
    for k in range(len(where.pre)):
        if plastic[k]:
            for row in range(where.row_start[k], where.row_start[k + 1]):
                silent = work.p[0, row] == 0 and work.p[1, row] == 0  # since the last touch: no spike either
                if silent and work.zero[row]:
                    continue
                bring_up_to_date(where, state, work, k, row, 0)
                i = first_synapse(where, k, row, work.begin[where.post[k]])
                j = first_synapse(where, k, row, work.end[where.post[k]])
                flush(state.h1[i:j])
                flush(state.h2[i:j])
                work.zero[row] = silent and is_zero(state.h1[i:j]) and is_zero(state.h2[i:j])


@kernel
def advance(
    where: Layout, c: Constants, state: State, log: Log, feedback: Array, plastic: Array, t: int, steps: int,
    table: Propagators, work: Work,
) -> float:  # fmt: skip
    """Simulate ``steps`` steps from step ``t``; return Σ e² over the output layer. Arguments as in the clock engine.

    ``table`` holds one interval's propagators. A layer is taken through a window of steps at a time: first the neurons of
    every layer, then errors and synapses. Between calls the state is the clock engine's.
    """
    history = log.ptr.shape[1] - 1 - steps
    interval = len(table.step)
    squared = 0.0
    q, now = 0, -1
    u = history
    while u < history + steps:
        if q == 0:
            now += 1
            if now == 0:
                start_maps(where, state, work)
            begin_map(work.maps, work.free, now, table.end[0])
        window = min(WINDOW, c.n_ref + 1, interval - q, history + steps - u)
        for layer in range(1, len(where.start) - 1):
            neurons(where, c, state, log, layer, t + u - history, u, window)
        for layer in range(1, len(where.start) - 1):
            learning = learns(where, plastic, layer)
            if learning or layer == len(where.start) - 2:
                errors(where, c, state, log, feedback, work, layer, u, window, table.error[q:])
            if learning and layer < len(where.start) - 2 and c.rho > 0:
                own_rates(where, c, state, log, layer, u, window)
            if learning:
                synapses(where, c, state, log, plastic, layer, t + u - history, u, window, q, table, work, now)
        for layer in range(len(where.start) - 2):
            pre_spikes(where, c, state, log, layer, u, window, q, table.spike)
        u += window
        q += window
        if q == interval or u == history + steps:
            end_interval(where, state, plastic, table.end[q], table.error[q], work, now)
            squared += sum_and_clear(work.squares)
            q = 0
            if now == TAGS - 1 or u == history + steps:
                end_maps(where, state, plastic, work)
                now = -1
    return squared

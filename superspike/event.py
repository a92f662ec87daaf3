"""The event engine: eligibility traces in the interaction picture. Same numbers, a synapse touched only when needed.

Between the spikes of its presynaptic neuron j, a synapse (i ← j) obeys linear equations whose coefficients depend on i
and on time only. Let q count the steps since the start of an interval, and write the free motion of the pre trace as
p(q) = P(q) p̃ and of the eligibility trace as h(q) = G(q) h̃. Then p̃ is constant between spikes, and

    h̃1 = A1 + X11 p̃1 + X12 p̃2        X11 += f H11 P21    X12 += f H11 P22        H = G⁻¹
    h̃2 = A2 + X21 p̃1 + X22 p̃2        X21 += f H21 P21    X22 += f H21 P22
    m  = M + E1 A1 + E2 A2 + Y1 p̃1 + Y2 p̃2
         E1 += e G21    E2 += e G22    Y1 += e (G21 X11 + G22 X21)    Y2 += e (G21 X12 + G22 X22)

with eight sums (X, E, Y) per post **neuron**, and three numbers (A1, A2, M) per synapse that change only when j spikes:
p̃ then jumps by d = P⁻¹(1, 0), and A and M by what keeps h̃ and m continuous,

    A1 −= X11 d1 + X12 d2    A2 −= X21 d1 + X22 d2    M −= E1 δA1 + E2 δA2 + Y1 d1 + Y2 d2

At the end of an interval every synapse is re-based: (h1, h2, m) are computed from (A1, A2, M), and the sums start again
from zero. The intervals are bounded by rounding alone: H and d grow as e^(t/τ_rise). A, M and p̃ live where the clock
engine keeps h, m and p, and equal them at q = 0. No approximation is involved.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from . import error, neuron, rule, surrogate
from ._jit import choose_by_type, compiled, inlined, kernel
from .filters import Filter
from .state import WINDOW, Array, Constants, Layout, Log, State, zeros

choose_by_type(surrogate.derivative)
lif_step, add_rows = inlined(neuron.lif_step), inlined(neuron.add_rows)
error_step, output_impulses = inlined(error.error_step), inlined(error.output_impulses)
flush = inlined(rule.flush)
own_rate_step, own_rate_spikes = inlined(rule.own_rate_step), inlined(rule.own_rate_spikes)


class Propagators(NamedTuple):
    """The free motion, step by step in an interval: row q of ``step`` holds the coefficients of the sums' step q."""

    step: Array  # (q, 6): H11 P21, H11 P22, H21 P21, H21 P22 at q; G21, G22 at q + 1
    spike: Array  # (q, 2): d = P⁻¹(1, 0)
    end: Array  # (q + 1, 6): P11, P21, P22, G11, G21, G22


@functools.cache
def propagators(pre: Filter, trace: Filter, interval: int, dtype: type) -> Propagators:
    """The tables for an interval of that many steps, from the double-precision coefficients of the two filters."""

    def free(filter: Filter) -> Array:
        x = np.empty((interval + 1, 3))  # x11, x21, x22 of the q-step propagator
        x[0] = 1, 0, 1
        for q in range(interval):
            x[q + 1] = filter.a1 * x[q, 0], filter.a2 * x[q, 1] + filter.c * x[q, 0], filter.a2 * x[q, 2]
        return x

    p, g = free(pre), free(trace)
    p11, p21, p22 = p.T
    g11, g21, g22 = g.T
    h11, h21 = 1 / g11, -g21 / (g11 * g22)
    step = np.stack([h11 * p21, h11 * p22, h21 * p21, h21 * p22], axis=1)[:-1]
    return Propagators(
        step=np.hstack([step, g[1:, 1:]]).astype(dtype),
        spike=np.stack([1 / p11, -p21 / (p11 * p22)], axis=1)[:-1].astype(dtype),
        end=np.hstack([p, g]).astype(dtype),
    )


class Sums(NamedTuple):
    """The eight sums of each neuron, and room for the jumps of A1, A2 and M: (neurons,) each."""

    x11: Array
    x12: Array
    x21: Array
    x22: Array
    e1: Array
    e2: Array
    y1: Array
    y2: Array
    a1: Array
    a2: Array
    m: Array


def empty_sums(neurons: int, dtype: type) -> Sums:
    """All zero, as at the start of an interval."""
    return Sums(*(zeros(neurons, dtype) for _ in Sums._fields))


@inlined
def sums_step(
    f: Array, e: Array, x11: Array, x12: Array, x21: Array, x22: Array, e1: Array, e2: Array, y1: Array, y2: Array, k: Array
) -> None:
    """Add one step to the sums of a layer."""
    for i in range(f.shape[0]):
        x11[i] += k[0] * f[i]
        x12[i] += k[1] * f[i]
        x21[i] += k[2] * f[i]
        x22[i] += k[3] * f[i]
        e1[i] += k[4] * e[i]
        e2[i] += k[5] * e[i]
        y1[i] += e[i] * (k[4] * x11[i] + k[5] * x21[i])
        y2[i] += e[i] * (k[4] * x12[i] + k[5] * x22[i])


@inlined
def jumps(
    a1: Array, a2: Array, m: Array,
    x11: Array, x12: Array, x21: Array, x22: Array, e1: Array, e2: Array, y1: Array, y2: Array,
    d1: float, d2: float,
) -> None:  # fmt: skip
    """How (A1, A2, M) of a layer's synapses change when their presynaptic neuron spikes now."""
    for i in range(a1.shape[0]):
        a1[i] = -(x11[i] * d1 + x12[i] * d2)
        a2[i] = -(x21[i] * d1 + x22[i] * d2)
        m[i] = -(e1[i] * a1[i] + e2[i] * a2[i] + y1[i] * d1 + y2[i] * d2)


@inlined
def add_row(h1: Array, h2: Array, m: Array, a1: Array, a2: Array, dm: Array) -> None:
    """Enter a presynaptic spike into one row of synapses."""
    for i in range(h1.shape[0]):
        h1[i] += a1[i]
        h2[i] += a2[i]
        m[i] += dm[i]


@inlined
def rebase_row(
    h1: Array, h2: Array, m: Array,
    x11: Array, x12: Array, x21: Array, x22: Array, e1: Array, e2: Array, y1: Array, y2: Array,
    p1: float, p2: float, g11: float, g21: float, g22: float,
) -> None:  # fmt: skip
    """From (A1, A2, M) of one row of synapses to (h1, h2, m)."""
    tiny, zero = type(p1)(rule.TINY), type(p1)(0)
    for i in range(h1.shape[0]):
        m[i] += e1[i] * h1[i] + e2[i] * h2[i] + y1[i] * p1 + y2[i] * p2
        s1 = h1[i] + x11[i] * p1 + x12[i] * p2
        s2 = h2[i] + x21[i] * p1 + x22[i] * p2
        s2 = g21 * s1 + g22 * s2
        s1 *= g11
        h1[i] = s1 if abs(s1) > tiny else zero
        h2[i] = s2 if abs(s2) > tiny else zero


@compiled
def neurons(where: Layout, c: Constants, state: State, log: Log, layer: int, t: int, u: int, window: int) -> None:
    """Take the neurons of one layer through ``window`` steps from step t, local step u."""
    ptr, ids, ring = log.ptr, log.ids, state.f.shape[0]
    a, b = where.start[layer], where.start[layer + 1]
    one = type(c.impulse)(1)
    v, current, refractory = state.v[a:b], state.current[a:b], state.refractory[a:b]
    for s in range(window):
        f = state.f[(t + s) % ring, a:b]
        ptr[layer, u + s + 1] = lif_step(v, current, refractory, f, c.n_ref, c.lif, c.surrogate, ids, ptr[layer, u + s])
        arrived = u + s - c.delay
        for k in range(len(where.pre)):
            if where.post[k] == layer:
                begin, end = ptr[where.pre[k], arrived], ptr[where.pre[k], arrived + 1]
                add_rows(current, state.w, where.w_start[k], ids, begin, end, one)


@compiled
def enter_spikes(where: Layout, state: State, sums: Sums, k: int, ids: Array, begin: int, end: int, d: Array) -> None:
    """Enter the spikes ``ids[begin:end]``, all of one step, into the synapses of projection k."""
    a, b = where.start[where.post[k]], where.start[where.post[k] + 1]
    jumps(
        sums.a1[a:b], sums.a2[a:b], sums.m[a:b],
        sums.x11[a:b], sums.x12[a:b], sums.x21[a:b], sums.x22[a:b],
        sums.e1[a:b], sums.e2[a:b], sums.y1[a:b], sums.y2[a:b], d[0], d[1],
    )  # fmt: skip
    for s in range(begin, end):
        i = where.w_start[k] + ids[s] * (b - a)
        j = i + b - a
        add_row(state.h1[i:j], state.h2[i:j], state.m[i:j], sums.a1[a:b], sums.a2[a:b], sums.m[a:b])


@compiled
def errors_and_sums(
    where: Layout, c: Constants, state: State, log: Log, feedback: Array, plastic: Array,
    layer: int, t: int, u: int, window: int, q: int, table: Propagators, sums: Sums,
) -> float:  # fmt: skip
    """Take errors, sums and synapses of one layer through a window; return Σ e² if it is the output layer, else 0."""
    ptr, ids, ring, out = log.ptr, log.ids, state.f.shape[0], len(where.start) - 2
    a, b = where.start[layer], where.start[layer + 1]
    learns = False
    for k in range(len(where.pre)):
        learns |= where.post[k] == layer and plastic[k]
    if not learns and layer != out:
        return 0.0
    e1, e2, first = state.e1[a:b], state.e2[a:b], where.b_start[layer]
    zeta, zeta_a, zeta_sum = state.zeta[a:b], state.zeta_a[a:b], state.zeta_sum[a:b]
    decay_a = c.het_decay**c.exponent
    squared = 0.0
    for s in range(window):
        arrived = u + s - c.delay
        for k in range(len(where.pre)):
            begin, end = ptr[where.pre[k], arrived - c.delay], ptr[where.pre[k], arrived - c.delay + 1]
            if where.post[k] == layer and plastic[k] and begin < end:
                enter_spikes(where, state, sums, k, ids, begin, end, table.spike[q + s])
        layer_squared = error_step(e1, e2, c.error)
        if learns:
            sums_step(
                state.f[(t + s - c.delay) % ring, a:b], e2,
                sums.x11[a:b], sums.x12[a:b], sums.x21[a:b], sums.x22[a:b],
                sums.e1[a:b], sums.e2[a:b], sums.y1[a:b], sums.y2[a:b], table.step[q + s],
            )  # fmt: skip
        if layer == out:
            squared += layer_squared
            output_impulses(e1, ids, ptr[out, arrived], ptr[out, arrived + 1], -c.impulse)
            output_impulses(e1, ids, ptr[out + 1, arrived], ptr[out + 1, arrived + 1], c.impulse)
        else:
            add_rows(e1, feedback, first, ids, ptr[out, arrived - 1], ptr[out, arrived], -c.impulse)
            add_rows(e1, feedback, first, ids, ptr[out + 1, arrived - 1], ptr[out + 1, arrived], c.impulse)
            if c.rho > 0:
                own_rate_spikes(zeta, zeta_a, ids, ptr[layer, u + s], ptr[layer, u + s + 1], c.exponent)
                own_rate_step(zeta, zeta_a, zeta_sum, c.het_decay, decay_a)
    return squared


@compiled
def pre_spikes(
    where: Layout, c: Constants, state: State, log: Log, layer: int, u: int, window: int, q: int, spike: Array
) -> None:
    """Enter the spikes of one presynaptic layer into its p̃."""
    for s in range(window):
        then = u + s - 2 * c.delay
        for n in range(log.ptr[layer, then], log.ptr[layer, then + 1]):
            j = where.start[layer] + log.ids[n]
            state.p1[j] += spike[q + s, 0]
            state.p2[j] += spike[q + s, 1]


@compiled
def rebase(where: Layout, state: State, plastic: Array, end: Array, sums: Sums) -> None:
    """End an interval: the state becomes the clock engine's, the sums zero."""
    p11, p21, p22, g11, g21, g22 = end
    for k in range(len(where.pre)):
        if plastic[k]:
            pre, a, b = where.start[where.pre[k]], where.start[where.post[k]], where.start[where.post[k] + 1]
            for row in range((where.w_start[k + 1] - where.w_start[k]) // (b - a)):
                i = where.w_start[k] + row * (b - a)
                j = i + b - a
                rebase_row(
                    state.h1[i:j], state.h2[i:j], state.m[i:j],
                    sums.x11[a:b], sums.x12[a:b], sums.x21[a:b], sums.x22[a:b],
                    sums.e1[a:b], sums.e2[a:b], sums.y1[a:b], sums.y2[a:b],
                    state.p1[pre + row], state.p2[pre + row], g11, g21, g22,
                )  # fmt: skip
    for j in range(len(state.p1)):
        p1 = state.p1[j]
        state.p1[j] = p11 * p1
        state.p2[j] = p21 * p1 + p22 * state.p2[j]
    for x in (sums.x11, sums.x12, sums.x21, sums.x22, sums.e1, sums.e2, sums.y1, sums.y2):
        x[:] = 0
    for x in (state.v, state.current, state.e1, state.e2, state.zeta, state.zeta_a, state.p1, state.p2):
        flush(x)


@kernel
def advance(
    where: Layout, c: Constants, state: State, log: Log, feedback: Array, plastic: Array, t: int, steps: int,
    table: Propagators, sums: Sums,
) -> float:  # fmt: skip
    """Simulate ``steps`` steps from step ``t``; return Σ e² over the output layer. Arguments as in the clock engine.

    ``table`` holds one interval's propagators, ``sums`` is all zero. A layer is taken through a window of steps at a
    time: first the neurons of every layer, then errors and synapses. Between calls the state is the clock engine's.
    """
    history = log.ptr.shape[1] - 1 - steps
    interval = len(table.step)
    squared = 0.0
    q = 0
    u = history
    while u < history + steps:
        window = min(WINDOW, interval - q, history + steps - u)
        for layer in range(1, len(where.start) - 1):
            neurons(where, c, state, log, layer, t + u - history, u, window)
        for layer in range(1, len(where.start) - 1):
            squared += errors_and_sums(where, c, state, log, feedback, plastic, layer, t + u - history, u, window, q, table, sums)
        for layer in range(len(where.start) - 2):
            pre_spikes(where, c, state, log, layer, u, window, q, table.spike)
        u += window
        q += window
        if q == interval or u == history + steps:
            rebase(where, state, plastic, table.end[q], sums)
            q = 0
    return squared

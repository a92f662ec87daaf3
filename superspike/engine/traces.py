"""Eligibility traces in the interaction picture, of the event engine and of the array interface: no synapse touched in vain.

Between the spikes of its presynaptic neuron j, a synapse (i ← j) obeys linear equations whose coefficients depend on i
and on time only. Let q count the steps since the start of an interval, and write the free motion of the pre trace as
p(q) = P(q) p̃ and of the eligibility trace as h(q) = G(q) h̃. Then p̃ is constant between spikes, and

    h1 = G11 (A1 + X1 p̃1 + X2 p̃2)                  X1 += f P21 / G11       X2 += f P22 / G11
    h2 = G22 (A2 + σ A1 + Z1 p̃1 + Z2 p̃2)           Z1 += δσ X1             Z2 += δσ X2            σ = G21 / G22
    m  = M + E1 A1 + E2 A2 + Y1 p̃1 + Y2 p̃2         E1 += g σ               E2 += g                g = e G22
                                                    Y1 += g Z1              Y2 += g Z2

(δσ is σ's change in this step, to whose end σ and G22 on the right belong)

with eight sums (X, Z, E, Y) per post **neuron**, and three numbers (A1, A2, M) per synapse that change only when j spikes:
p̃ then jumps by d = P⁻¹(1, 0), and A and M by what keeps h and m continuous,

    A1 −= X1 d1 + X2 d2      A2 −= Z1 d1 + Z2 d2 + σ δA1      M −= E1 δA1 + E2 δA2 + Y1 d1 + Y2 d2

The errors are kept as the sums need them: g = G22 e2, and with it G22 e1 times such a number that g' = r2 g + e1 and
e1' = r1 e1 + impulses, without further coefficients.

1/G and d grow as e^(q dt/τ_rise), so rounding bounds the interval's length. At its end the sums become a linear map from
(A, M, p̃) to (h, m, p), eight numbers per neuron again, and start anew. The synapses are **not** touched: maps are chained
forward in time, where nothing grows, and each row of synapses keeps the interval in which it was last touched (its
``tag``). When its neuron spikes next, or when the call ends, one application of the map since then brings it up to date; not
even that, if all its traces have died out.
A second of simulated time so costs (neurons × steps) + (spikes × fan-out) + (synapses × calls). No approximation is
involved.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from ..model import rule
from ..model.filters import Filter
from .jit import compiled, inlined
from .state import Array, zeros
from .vectors import item, lanes, load, put, store

flush = inlined(rule.flush)


INTERVAL = 4.0  # units of the faster of the traces' two time constants: measured in docs/engines.md


def interval(block: int, *filters: Filter, growth: float = INTERVAL) -> int:
    """How many steps an interval takes: rounding bounds what grows with the fastest filter, and a block ends it anyway."""
    fastest = min(min(filter[:2]) for filter in filters)
    return min(max(1, round(growth / -math.log(fastest))), block)


class Propagators(NamedTuple):
    """The free motion, step by step in an interval: row q of ``step`` holds the coefficients of its step q."""

    step: Array  # (q, 7): P21 / G11, P22 / G11 at q; δσ; σ, G22, an impulse in the kept e1, (e2 / g)² at q + 1
    spike: Array  # (q, 3): d = P⁻¹(1, 0), σ
    end: Array  # (q + 1, 8): P11, P21, P22, G11, G21, G22; what makes e1 of the kept one, and e2 of g
    error: Array  # (2,): r1, r2


GAIN, IMPULSE, SQUARE = 4, 5, 6  # the last of a step's coefficients


@functools.cache
def propagators(
    pre: Filter, trace: Filter, error: Filter | None, impulse: float, interval: int, dtype: type
) -> Propagators:  # fmt: skip
    """The tables for an interval of that many steps, from the double-precision coefficients of the three filters.

    ``impulse`` is what an error of 1 adds to e1. Without an error filter e2 is what entered e1 in the last step.
    """

    def free(filter: Filter) -> Array:
        x = np.empty((interval + 2, 3))  # x11, x21, x22 of the q-step propagator
        x[0] = 1, 0, 1
        for q in range(interval + 1):
            x[q + 1] = filter.a1 * x[q, 0], filter.a2 * x[q, 1] + filter.c * x[q, 0], filter.a2 * x[q, 2]
        return x

    after = free(trace)[1:, 2]  # G22 one step later
    p, g = free(pre)[:-1], free(trace)[:-1]
    (p11, p21, p22), (g11, g21, g22) = p.T, g.T
    sigma = g21 / g22
    rates: Array = (np.array(error[:2] if error else (0, 0)) * trace.a2).astype(dtype)
    kept1, kept2 = after, g22  # what makes the kept numbers of e1 and e2
    if error:
        kept1, kept2 = (rates.astype(float)[:, None] / np.array(error[:2])[:, None]) ** np.arange(interval + 1)  # rounding undone
        kept1 *= error.c * error.a1 * trace.a2  # what e1 adds to g in the next step
    step = (p21 / g11)[:-1], (p22 / g11)[:-1], np.diff(sigma), sigma[1:], g22[1:], impulse * kept1[1:], kept2[1:] ** -2
    spike = 1 / p11, -p21 / (p11 * p22), sigma
    return Propagators(
        step=np.stack(step, axis=1).astype(dtype),
        spike=np.stack(spike, axis=1)[:-1].astype(dtype),
        end=np.column_stack([p, g, 1 / kept1, 1 / kept2]).astype(dtype),
        error=rates,
    )


TAGS = 32  # intervals after which all rows of synapses are brought up to date


class Frames(NamedTuple):
    """The sums of the current interval, and the maps from earlier ones to it, in whose frames rows of synapses still are."""

    sums: Array  # (8 neurons,): X1, X2, Z1, Z2, E1, E2, Y1, Y2: see place
    maps: Array  # (TAGS, 8 neurons): U11, U12, U21, U22, E1, E2, Y1, Y2 from the start of an interval to that of the current
    free: Array  # (kinds of neurons, TAGS, 6): P11, P21, P22, G11, G21, G22 over the same time
    tag: Array  # (rows of synapses,): the interval whose frame the row is in
    p: Array  # (2, rows of synapses): its p̃ in that frame


def new_frames(neurons: int, rows: int, kinds: int, dtype: type) -> Frames:
    """Frames of neurons of so many kinds, at rest."""
    sums, maps = zeros(8 * neurons, dtype), zeros((TAGS, 8 * neurons), dtype, 1)
    return Frames(sums, maps, zeros((kinds, TAGS, 6), dtype), np.zeros(rows, np.int64), zeros((2, rows), dtype))


@compiled
def place(x: Array, i: int) -> int:
    """Where the first of neuron i's eight numbers lies; the others follow ``lanes`` apart: vectors of all eight adjoin."""
    n = lanes(x)
    first: int = 8 * (i - i % n) + i % n
    return first


@compiled
def load_eight(x: Array, i: int) -> Any:
    """The eight vectors of the neurons from i on, a multiple of ``lanes``."""
    j, n = 8 * i, lanes(x)
    return (
        load(x, j), load(x, j + n), load(x, j + 2 * n), load(x, j + 3 * n),
        load(x, j + 4 * n), load(x, j + 5 * n), load(x, j + 6 * n), load(x, j + 7 * n),
    )  # fmt: skip


@compiled
def store_eight(x: Array, i: int, vectors: Any) -> None:
    """Replace them."""
    j, n = 8 * i, lanes(x)
    store(x, j, vectors[0])
    store(x, j + n, vectors[1])
    store(x, j + 2 * n, vectors[2])
    store(x, j + 3 * n, vectors[3])
    store(x, j + 4 * n, vectors[4])
    store(x, j + 5 * n, vectors[5])
    store(x, j + 6 * n, vectors[6])
    store(x, j + 7 * n, vectors[7])


@compiled
def next_sums(sums: Any, f: Any, g: Any, k: Array, q: int) -> Any:
    """The sums after one more step, whose coefficients are row q of ``k``."""
    x1, x2, z1, z2, e1, e2, y1, y2 = sums
    x1 = x1 + item(k, (q, 0)) * f
    x2 = x2 + item(k, (q, 1)) * f
    z1 = z1 + item(k, (q, 2)) * x1
    z2 = z2 + item(k, (q, 2)) * x2
    return x1, x2, z1, z2, e1 + item(k, (q, 3)) * g, e2 + g, y1 + g * z1, y2 + g * z2


@compiled
def next_readout_sums(sums: Any, g: Any, k: Array, q: int) -> Any:
    """The same for a readout, whose potential's derivative is p itself: Y1 += e P21, Y2 += e P22, and G is 1."""
    x1, x2, z1, z2, e1, e2, y1, y2 = sums
    return x1, x2, z1, z2, e1, e2, y1 + item(k, (q, 0)) * g, y2 + item(k, (q, 1)) * g


@compiled
def enter_spike(h1: Array, h2: Array, m: Array, j: int, sums: Any, d: Array, q: int) -> None:
    """Change (A1, A2, M) of a vector of synapses from j on, whose presynaptic neuron spikes in step q of the interval."""
    x1, x2, z1, z2, e1, e2, y1, y2 = sums
    d1, d2, sigma = item(d, (q, 0)), item(d, (q, 1)), item(d, (q, 2))
    a1 = x1 * d1 + x2 * d2
    a2 = z1 * d1 + z2 * d2 - sigma * a1
    store(h1, j, load(h1, j) - a1)
    store(h2, j, load(h2, j) - a2)
    store(m, j, load(m, j) + (e1 * a1 + e2 * a2) - (y1 * d1 + y2 * d2))


@compiled
def apply_map(
    h1: Array, h2: Array, m: Array, first: int, u: Array, begin: int, end: int, p1: float, p2: float, free: Array
) -> None:  # fmt: skip
    """Bring the synapses from ``first + begin`` on up to date by the map u of the neurons from ``begin`` to ``end``."""
    g11, g21, g22 = free[3], free[4], free[5]
    for i in range(begin, end, lanes(h1)):
        u11, u12, u21, u22, e1, e2, y1, y2 = load_eight(u, i)
        j = first + i
        a1, a2 = load(h1, j), load(h2, j)
        store(m, j, load(m, j) + (e1 * a1 + e2 * a2) + (y1 * p1 + y2 * p2))
        store(h2, j, g21 * a1 + g22 * a2 + (u21 * p1 + u22 * p2))
        store(h1, j, g11 * a1 + (u11 * p1 + u12 * p2))


@compiled
def chain_map(u: Array, sums: Array, begin: int, end: int, before: Array, after: Array) -> None:
    """Follow a map, over the free motion ``before``, by the interval that ends, whose own free motion is ``after``."""
    p11, p21, p22, f11, f21, f22 = before[0], before[1], before[2], before[3], before[4], before[5]
    g11, g21, g22 = after[3], after[4], after[5]
    for i in range(begin, end, lanes(u)):
        u11, u12, u21, u22, me1, me2, my1, my2 = load_eight(u, i)
        x1, x2, z1, z2, e1, e2, y1, y2 = load_eight(sums, i)
        chained = (
            g11 * (u11 + x1 * p11 + x2 * p21),
            g11 * (u12 + x2 * p22),
            g21 * u11 + g22 * (u21 + z1 * p11 + z2 * p21),
            g21 * u12 + g22 * (u22 + z2 * p22),
            me1 + e1 * f11 + e2 * f21,
            me2 + e2 * f22,
            my1 + e1 * u11 + e2 * u21 + y1 * p11 + y2 * p21,
            my2 + e1 * u12 + e2 * u22 + y2 * p22,
        )
        store_eight(u, i, chained)


@compiled
def chain_free(free: Array, after: Array) -> None:
    """Follow free motions by those of an interval, ``after``."""
    for n in (0, 3):  # P, G
        free[n + 1] = after[n + 1] * free[n] + after[n + 2] * free[n + 1]
        free[n] *= after[n]
        free[n + 2] *= after[n + 2]
    flush(free)


@compiled
def begin_free(free: Array, identity: Array) -> None:
    """The free motion from the start of an interval to itself."""
    for n in range(len(free)):
        free[n] = identity[n]


@compiled
def new_frame(frames: Frames, motions: Array, row: int, now: int) -> None:
    """Express the p̃ of one row of synapses in the frame of interval ``now``; ``motions`` are the free ones since all."""
    free, tiny, zero = motions[item(frames.tag, row)], motions.dtype.type(rule.TINY), motions.dtype.type(0)
    p1, p2 = item(frames.p, (0, row)), item(frames.p, (1, row))
    p1, p2 = free[0] * p1, free[1] * p1 + free[2] * p2
    put(frames.p, (0, row), zero if abs(p1) <= tiny else p1)
    put(frames.p, (1, row), zero if abs(p2) <= tiny else p2)
    put(frames.tag, row, now)

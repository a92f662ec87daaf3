"""The end of a block: gradients become weight changes (ZG18 Eq. 3.3 and RMaxProp, §3). Shared by both engines."""

from __future__ import annotations

from typing import Any

from ..model import optimizer
from .jit import choose_by_type, each, inlined, kernel, put_each
from .state import Array, Layout, Limits, State

choose_by_type(optimizer.step)


@inlined
def update_row(
    w: Array, m: Array, memories: tuple[Array, ...], zeta_sum: Array,
    method: Any, n: float, rate: float, steps: int, block: float, rho: float, w_min: float, w_max: float,
) -> float:  # fmt: skip
    """Update one presynaptic neuron's row of weights and clear its sums; return what is finite if gradients and changes are."""
    per_step, total, zero = type(rho)(1) / type(rho)(steps), type(rho)(0), type(rho)(0)
    for i in range(w.shape[0]):
        g = (m[i] - rho * w[i] * zeta_sum[i]) * per_step
        change, memory = optimizer.step(method, g, each(memories, i), n, block)
        put_each(memories, i, memory)
        w[i] = min(max(w[i] + rate * change, w_min), w_max)
        m[i] = 0
        total += g + zero * change  # clipped weights do not tell
    return total


@inlined
def prune(w: Array, mask: Array) -> None:
    """No synapse, no weight."""
    for i in range(w.shape[0]):
        w[i] *= w.dtype.type(mask[i])


@kernel
def update(
    where: Layout, part: int, parts: int, state: State, memories: tuple[Array, ...], plastic: Array, limits: Limits,
    method: Any, rate: float, steps: int, block: float, rho: float, totals: Array,
) -> None:  # fmt: skip
    """Update the plastic projections after a block of ``steps`` steps (``block`` ms): one of ``parts`` shares of their rows.

    ``memories`` are those of the state, one (synapses,) array each, so that their number is known when this is compiled.
    ``rate`` multiplies the optimiser's changes (1, or less after a drop); ``rho`` acts on hidden layers only. ``totals``
    (parts, projections) gains sums that are finite if all gradients and changes are. Weights of the padding stay 0,
    whatever the optimiser makes of no gradient.
    """
    n = type(rho)(state.updates[0])
    for k in range(len(where.pre)):
        if plastic[k]:
            a, b, size = where.start[where.post[k]], where.start[where.post[k] + 1], where.size[where.post[k]]
            hidden_rho = rho if where.post[k] != where.output else type(rho)(0)
            rows = where.row_start[k + 1] - where.row_start[k]
            for row in range(rows * part // parts, rows * (part + 1) // parts):
                r = where.row_start[k] + row
                i = where.w_start[k] + row * (b - a)
                j = i + size
                totals[part, k] += update_row(
                    state.w[i:j], state.m[i:j], each(memories, slice(i, j)), state.zeta_sum[a : a + size],
                    method, n, rate, steps, block, hidden_rho, limits.low[r], limits.high[r],
                )  # fmt: skip
                if len(limits.mask):
                    prune(state.w[i:j], limits.mask[i:j])

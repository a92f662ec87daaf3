"""Small things that several tests need."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from superspike.engine.simulation import Simulation

SHARED = Path(__file__).parents[2] / "shared" / "data" / "ssbm"


def spikes_of(simulation: Simulation, steps: int, *, learn: bool = True) -> dict[int, list[tuple[int, int]]]:
    """Advance block by block, with updates, and return each layer's spikes as (step, id)."""
    found: dict[int, list[tuple[int, int]]] = {row: [] for row in range(len(simulation.network.sizes) + 1)}
    end = simulation.step + steps
    simulation.learn(learn)
    while simulation.step < end:
        to_update = simulation.steps_to_update()
        n = min(to_update, end - simulation.step)
        _, log = simulation.advance(n)
        for row, spikes in found.items():
            spikes.extend(zip(*(x.tolist() for x in simulation.spikes(log, row)), strict=True))
        if n == to_update:
            simulation.update()
    return found


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, relative to the largest magnitude of ``b``."""
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300))


def at_least(passed: int, n: int, proportion: float) -> bool:
    """Whether ``passed`` seeds of ``n`` are not too few for ``proportion``: as few come by chance once in 1,000 times."""
    chances = (math.comb(n, k) * proportion**k * (1 - proportion) ** (n - k) for k in range(passed + 1))
    return sum(chances) > 1e-3


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    """An IDX file's bytes."""
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def surrogate_spike(torch: Any, beta: float) -> Any:
    """Θ forward, a fast sigmoid's slope backward."""

    class Spike(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x > 0).to(x)

        @staticmethod
        def backward(ctx, g):
            return g * beta / (1 + beta * ctx.saved_tensors[0].abs()) ** 2

    return Spike.apply

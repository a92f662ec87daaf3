"""How fast the engines are, measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from . import tasks
from .config import ENGINES
from .network import Network
from .simulation import Simulation

SIZES = (200, 256, 200)
RATES_HZ = (5.0, 27.4)  # inputs and targets of SSBM oxford


def compare(duration_ms: float, repeats: int, on_compile: Callable[[Simulation], None] = Simulation.compile) -> dict[str, Any]:
    """Time both engines on frozen Poisson inputs and targets, plasticity on, in interleaved repeats; medians are returned."""
    synapses = sum(a * b for a, b in pairwise(SIZES))
    simulations = {}
    for engine in ENGINES:
        task = tasks.poisson(
            n_inputs=SIZES[0], input_rate=RATES_HZ[0], outputs=SIZES[-1], target_rate=RATES_HZ[1], period_ms=1890.0
        )
        simulations[engine] = simulation = Simulation(Network(SIZES), task, engine)
        simulation.learn(True)
        on_compile(simulation)
    seconds: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    for _ in range(repeats):
        for engine, simulation in simulations.items():
            end = simulation.step + round(duration_ms / simulation.network.scheme.dt)
            began = time.perf_counter()
            while simulation.step < end:
                steps = min(simulation.steps_to_update(), end - simulation.step)
                ends_block = steps == simulation.steps_to_update()
                simulation.advance(steps)
                if ends_block:
                    simulation.update()
            seconds[engine].append(time.perf_counter() - began)
    results: dict[str, Any] = {"sizes": SIZES, "duration_ms": duration_ms, "repeats": repeats}
    for engine in ENGINES:
        factor = duration_ms / 1000 / statistics.median(seconds[engine])
        results[engine] = {
            "real_time_factor": factor,
            "synapse_steps_per_s": factor * synapses * 10_000,
            "seconds": seconds[engine],
        }
    results["ratio"] = results["event"]["real_time_factor"] / results["clock"]["real_time_factor"]
    return results

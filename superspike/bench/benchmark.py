"""How fast the engines are, measured side by side in one run: medians of interleaved repeats of a trained network."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import __version__, tasks
from ..engine.jit import cores, use_one_core
from ..engine.simulation import Simulation, threads_for
from ..engine.state import arrays
from ..model.network import Network
from ..model.scheme import ENGINES, PRECISIONS, Scheme

DT_S = 1e-4  # the default time step
WARM_UP = 100_000  # steps of learning before anything is timed, so that all engines run the same trained network


class Case(NamedTuple):
    """One network and task: layer sizes, firing rates (Hz) of frozen Poisson inputs and targets."""

    sizes: tuple[int, ...]
    input_rate: float = 5.0
    target_rate: float = 5.0

    @property
    def name(self) -> str:
        """``200-256-200``."""
        return "-".join(map(str, self.sizes))

    @property
    def synapses(self) -> int:
        """Number of synapses."""
        return sum(a * b for a, b in pairwise(self.sizes))


MAIN = Case((200, 256, 200), 5.0, 27.4)  # the sizes and rates of SSBM oxford
SUITE = (Case((100, 4, 1), 5.0, 10.0), MAIN, Case((1000, 1000, 1000)), Case((2000, 4000, 1000)))
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)  # hidden neurons of the scaling table
RATES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)  # Hz
DURATIONS = (1.0, 3.0, 10.0, 30.0, 100.0)  # s
LONGEST_S = 600.0  # that a process beside others may take


class Runner:
    """A simulation that can be timed again and again; time goes on from call to call. ``weights``: where it starts from."""

    def __init__(
        self, case: Case, engine: str, precision: str = "single", learn: bool = True, weights: Any = None, threads: int = 1
    ) -> None:
        task = tasks.poisson(
            n_inputs=case.sizes[0],
            input_rate=case.input_rate,
            outputs=case.sizes[-1],
            target_rate=case.target_rate,
            period_ms=1890.0,
        )
        network = Network(case.sizes, w0=50.0, weights=weights, scheme=Scheme(precision=precision))
        self.simulation = Simulation(network, task, engine, threads)
        self.case, self.learn = case, learn
        self.synapse_spikes = 0

    def seconds(self, steps: int) -> float:
        """Wall-clock time of the next ``steps`` steps."""
        simulation = self.simulation
        simulation.learn(self.learn)
        end, elapsed = simulation.step + steps, 0.0
        self.synapse_spikes = 0
        while simulation.step < end:
            to_update = simulation.steps_to_update()
            n = min(to_update, end - simulation.step)
            began = time.perf_counter()
            _, log = simulation.advance(n)
            if n == to_update:
                simulation.update()
            elapsed += time.perf_counter() - began
            self.synapse_spikes += int(simulation.counts(log)[:-2] @ self.case.sizes[1:])
        return elapsed


def mebibytes(simulation: Simulation) -> float:
    """Memory of the simulation's arrays, which does not grow with the simulated time."""
    parts = (simulation.state, *simulation._work[:1]) if simulation.engine == "event" else (simulation.state,)
    return float(sum(array.nbytes for part in parts for array in arrays(part).values())) / 2**20


def trained(case: Case) -> list[Any]:
    """The weights that the case's network has learned after WARM_UP steps."""
    runner = Runner(case, "event")
    runner.seconds(WARM_UP)
    return [w.copy() for w in runner.simulation.network.weights]


def compile_seconds(engine: str) -> float:
    """Time to compile an engine's kernels, measured in a new process with an empty cache."""
    code = (
        "import time; from superspike.bench.benchmark import MAIN, Runner; "
        f"runner = Runner(MAIN, {engine!r}); began = time.perf_counter(); runner.simulation.compile(); "
        "print(time.perf_counter() - began)"
    )
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        return float(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)


def peak_memory_mib() -> float:
    """The most memory that this process has held so far; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import platform

    import llvmlite.binding
    import numba

    return {
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "superspike": __version__,
    }


def steps_for(runner: Runner, target_s: float) -> int:
    """How many steps take about ``target_s`` of wall-clock time (at least 10, at most 20 s of simulated time)."""
    runner.seconds(1)
    steps, elapsed = 10, runner.seconds(10)
    while elapsed < target_s / 10 and steps < 200_000:
        steps = min(200_000, 5 * steps)
        elapsed = runner.seconds(steps)
    return int(np.clip(steps * target_s / elapsed, 10, 200_000))


def interleaved(timers: Sequence[Callable[[], float]], repeats: int) -> list[list[float]]:
    """What each of the timers says, called in turn, ``repeats`` times over."""
    rounds = [[timer() for timer in timers] for _ in range(repeats)]
    return [list(times) for times in zip(*rounds, strict=True)]


def spread_percent(values: Sequence[float]) -> float:
    """From the least to the most, in percent of the median."""
    return 100 * (max(values) - min(values)) / statistics.median(values)


def measure(runners: Sequence[Runner], repeats: int, target_s: float) -> list[dict[str, Any]]:
    """Time all runners in turn, ``repeats`` times over; one row of medians per runner."""
    steps = [steps_for(runner, target_s) for runner in runners]
    seconds = interleaved([partial(runner.seconds, n) for runner, n in zip(runners, steps, strict=True)], repeats)
    rows = []
    for times, runner, n in zip(seconds, runners, steps, strict=True):
        found = [n * DT_S / s for s in times]
        factor, neurons = statistics.median(found), sum(runner.case.sizes[1:])
        rows.append({
            "task": runner.case.name,
            "engine": runner.simulation.engine,
            "precision": runner.simulation.network.scheme.precision,
            "plasticity": runner.learn,
            "threads": runner.simulation.threads,
            "real_time_factor": factor,
            "best": max(found),
            "real_time_factors": found,
            "spread_percent": spread_percent(found),
            "ns_per_neuron_step": 1e9 * DT_S / factor / neurons,
            "synapse_steps_per_s": factor * runner.case.synapses / DT_S,
            "memory_mib": mebibytes(runner.simulation),
            "ns_per_synapse_spike": 1e9 * n * DT_S / factor / max(1, runner.synapse_spikes),
        })  # fmt: skip
    return rows


def compare(repeats: int, target_s: float, on_compile: Callable[[Simulation], None] = Simulation.compile) -> dict[str, Any]:
    """Both engines on the main task, plasticity on, single precision."""
    weights = trained(MAIN)
    runners = [Runner(MAIN, engine, weights=weights) for engine in ENGINES]
    for runner in runners:
        on_compile(runner.simulation)
    rows = measure(runners, repeats, target_s)
    return {"machine": machine(), "rows": rows, "ratio": rows[0]["real_time_factor"] / rows[1]["real_time_factor"]}


def suite(repeats: int, target_s: float, on_compile: Callable[[Simulation], None] = Simulation.compile) -> dict[str, Any]:
    """Four tasks × engines × precisions × plasticity, and how the event engine's cost scales."""
    rows = []
    for case in SUITE:
        weights = trained(case)
        runners = [
            Runner(case, engine, precision, learn, weights)
            for engine in ENGINES
            for precision in PRECISIONS
            for learn in (True, False)
        ]
        threads = threads_for(runners[0].simulation.where)
        if threads > 1:
            runners.append(Runner(case, "event", weights=weights, threads=threads))
        for runner in runners:
            on_compile(runner.simulation)
        rows += measure(runners, repeats, target_s)
    return {
        "machine": machine(),
        "rows": rows,
        "scaling": scaling(repeats, target_s),
        "seeds": seeds_in_parallel(repeats, target_s),
        "compile_s": {engine: compile_seconds(engine) for engine in ENGINES},
        "peak_memory_mib": peak_memory_mib(),
    }


def scaling(repeats: int, target_s: float) -> dict[str, Any]:
    """Wall-clock seconds per simulated second against width and rate, and seconds against duration, with fitted exponents."""
    found: dict[str, Any] = {}
    series = {
        "hidden neurons": [(float(n), Case((200, n, 200), 5.0, 27.4)) for n in WIDTHS],
        "spike rate (Hz)": [(rate, Case(MAIN.sizes, rate, rate)) for rate in RATES],
    }
    for name, points in series.items():
        rows = measure([Runner(case, "event") for _, case in points], repeats, target_s)
        found[name] = fitted([x for x, _ in points], [1 / row["real_time_factor"] for row in rows])
    runner = Runner(MAIN, "event")
    runner.seconds(10_000)
    found["duration (s)"] = fitted(list(DURATIONS), [runner.seconds(round(d / DT_S)) for d in DURATIONS])
    return found


def main_task(target_s: float) -> Callable[[], float]:
    """What learns the main task for about so long, and returns its simulated seconds per second."""
    runner = Runner(MAIN, "event")
    steps = steps_for(runner, target_s)
    return lambda: steps * DT_S / runner.seconds(steps)


def beside_others(prepare: Callable[[float], Callable[[], float]], target_s: float, others: Any, found: Any) -> None:
    """A process that does what is prepared at the same time as others; puts how fast it was into a queue."""
    use_one_core()
    work = prepare(target_s)
    others.wait()
    found.put(work())


def seeds_in_parallel(
    repeats: int, target_s: float, prepare: Callable[[float], Callable[[], float]] = main_task
) -> dict[str, Any]:  # fmt: skip
    """How fast one process is, and one process per core together, interleaved; medians and ratio."""
    context = multiprocessing.get_context("spawn")
    totals: dict[int, list[float]] = {1: [], cores(): []}
    for _ in range(repeats):
        for jobs, total in totals.items():
            found, others = context.Queue(), context.Barrier(jobs, timeout=LONGEST_S)
            processes = [context.Process(target=beside_others, args=(prepare, target_s, others, found)) for _ in range(jobs)]
            for process in processes:
                process.start()
            total.append(sum(found.get(timeout=LONGEST_S) for _ in processes))
            for process in processes:
                process.join()
    alone, together = statistics.median(totals[1]), statistics.median(totals[cores()])
    return {"processes": cores(), "alone": alone, "together": together, "ratio": together / alone}


def fitted(x: list[float], seconds: list[float]) -> dict[str, Any]:
    """The points and the exponent of the power law through them, on logarithmic axes."""
    return {"x": x, "seconds": seconds, "exponent": float(np.polyfit(np.log(x), np.log(seconds), 1)[0])}

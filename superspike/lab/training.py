"""Training and evaluation: a network on a task, block by block, recorded into a :class:`Run`."""

from __future__ import annotations

import copy
import time
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.simulation import Simulation
from ..model.network import Network
from ..model.parameters import Param, one_of
from ..model.scheme import ENGINES, whole_steps
from ..spikes.score import Matches, match
from ..spikes.trains import Spikes
from ..tasks import Task
from . import config
from .config import RECORDS, Training
from .run import Run, layer_names

Array = NDArray[Any]


PATIENCE = 10_000.0  # ms of training: a layer that has not spiked by then, or by the end of the run, gives a warning


class SilentNetworkWarning(UserWarning):
    """A layer that does not spike."""


class Progress(NamedTuple):
    """What a run reports after each block."""

    time_ms: float
    cost: float
    rates_hz: dict[str, float]
    real_time_factor: float


class Recorder:
    """Keeps the spikes of the first period and of the last whole one (or all), whatever the length of the run."""

    def __init__(self, simulation: Simulation, names: list[str], everything: bool) -> None:
        self.simulation, self.names, self.everything = simulation, names, everything
        self.period = simulation.task.period
        self.first: list[Any] = []
        self.recent: deque[Any] = deque()

    def add(self, log: Any) -> None:
        """Take in the spikes of the simulation's last call."""
        end = self.simulation.step
        block = self.read(end, log) if self.everything else log  # the log of a block is larger than its spikes
        if not self.everything and (not self.first or self.first[-1][0] < self.period):
            self.first.append((end, block))
        self.recent.append((end, block))
        while not self.everything and self.recent[0][0] <= end - 2 * self.period:
            self.recent.popleft()

    def read(self, end: int, log: Any) -> list[tuple[Array, Array]]:
        """Steps and ids of the spikes of each layer and of the targets."""
        return [self.simulation.spikes(log, row, end) for row in range(len(self.names))]

    def windows(self) -> list[tuple[int, int]]:
        """The recorded windows, in steps."""
        end = self.simulation.step
        if self.everything or end < 2 * self.period:
            return [(0, end)]
        last = end // self.period * self.period
        return [(0, self.period), (last - self.period, last)]

    def spikes(self, dt: float) -> dict[str, Spikes]:
        """The recorded spikes of each layer and of the targets, at the times (ms) of their steps of emission."""
        sizes = [*self.simulation.network.sizes, self.simulation.network.sizes[-1]]
        windows, kept = self.windows(), (self.first, self.recent)
        first, recent = ([block if self.everything else self.read(end, block) for end, block in blocks] for blocks in kept)
        found = {}
        for row, name in enumerate(self.names):
            parts = [(first if len(windows) == 2 else recent, windows[0]), *((recent, w) for w in windows[1:])]
            steps, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
            for blocks, (begin, end) in parts:
                for block in blocks:
                    inside = (block[row][0] >= begin) & (block[row][0] < end)
                    steps.append(block[row][0][inside])
                    ids.append(block[row][1][inside])
            found[name] = Spikes(np.round(np.concatenate(steps) * dt, 9), np.concatenate(ids), sizes[row])
        return found


def train(
    network: Network,
    task: Task,
    duration_ms: float = Training().duration_ms,
    *,
    on_block: Callable[[Progress], bool | None] | None = None,
    on_compile: Callable[[Simulation], None] = Simulation.compile,
    **options: Any,
) -> Run:
    """Train ``network`` on ``task`` with SuperSpike, online; the network's weights are changed in place.

    Parameters
    ----------
    duration_ms : simulated time after the burn-in (ms)
    on_block : called after every block; training ends there if it returns False
    on_compile : replaces ``Simulation.compile``, e.g. to say that compiling takes a while
    **options : the other fields of :class:`Training`: burn_in_ms, learning_rate_drop_ms, engine, record

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule, before anything is computed.
    """
    training = Training(duration_ms, **options)
    config.options()  # two classes that share an option could not be saved
    dt = network.scheme.dt
    one_of("Training.record", training.record, RECORDS)
    one_of("Training.engine", training.engine, ENGINES)
    burn_in = whole_steps("Training.burn_in_ms", training.burn_in_ms, dt)
    total = burn_in + whole_steps("Training.duration_ms", training.duration_ms, dt)
    drop = burn_in + whole_steps("Training.learning_rate_drop_ms", training.learning_rate_drop_ms, dt)
    simulation = Simulation(network, task, training.engine)
    names = layer_names(network.sizes)
    recorder = Recorder(simulation, [*names, "target"], training.record == "spikes")
    initial_weights = [w.copy() for w in network.weights]
    given, network.given = network.given, True
    on_compile(simulation)

    rows: list[list[float]] = []
    silent, patience = set(names[1:]), min(burn_in + round(PATIENCE / dt), total)
    block_cost, block_counts, block_steps = 0.0, np.zeros(len(names)), 0
    began = time.perf_counter()
    interrupted = False
    while simulation.step < total and not interrupted:
        simulation.learn(simulation.step > burn_in)  # a block includes the step that it ends with, the burn-in too
        to_update = simulation.steps_to_update()
        stop = total if simulation.step > burn_in else min(burn_in + 1, total)
        steps = min(to_update, stop - simulation.step)
        cost, log = simulation.advance(steps)
        recorder.add(log)
        block_cost += cost * steps
        block_counts += simulation.counts(log)[:-1]
        block_steps += steps
        if steps == to_update:
            simulation.update(0.1 if training.learning_rate_drop_ms and simulation.step > drop + 1 else 1.0)
        if simulation.step == total or (steps == to_update and simulation.step > 1):
            cost = block_cost / block_steps
            rates = dict(zip(names, (1000 / (block_steps * dt) * block_counts / network.sizes).tolist(), strict=True))
            now = (simulation.step - 1) * dt
            rows.append([now, cost, *rates.values()])
            block_cost, block_counts, block_steps = 0.0, np.zeros(len(names)), 0
            silent -= {name for name in silent if rates[name] > 0}
            if silent and simulation.step >= patience:
                warn_silent(silent)
                silent = set()
            if on_block:
                speed = now / 1000 / (time.perf_counter() - began)
                interrupted = on_block(Progress(now, cost, rates, speed)) is False
    elapsed = time.perf_counter() - began
    columns = ["time_ms", "cost", *(f"rate_{name}_hz" for name in names)]
    return Run(
        copy.deepcopy(network),
        task,
        training,
        metrics=dict(zip(columns, np.array(rows).T, strict=True)),
        spikes=recorder.spikes(dt),
        windows_ms=[(begin * dt, end * dt) for begin, end in recorder.windows()],
        real_time_factor=simulation.step * dt / 1000 / elapsed,
        interrupted=interrupted,
        initial_weights=initial_weights if given else None,
    )


def warn_silent(layers: set[str]) -> None:
    """Say which layers are silent, and what helps."""
    warnings.warn(
        f"no spike so far in: {', '.join(sorted(layers))}. Give larger initial weights (w0), a higher input rate or more time",
        SilentNetworkWarning,
        stacklevel=3,
    )


class Evaluation(NamedTuple):
    """What a network does with its plasticity off: mean cost (Hz), firing rates (Hz), and how its spikes meet the target's.

    ``spikes`` holds the :class:`Spikes` of each layer and of ``target``; times (ms) from the beginning of the measurement.
    """

    cost: float
    rates_hz: dict[str, float]
    matches: Matches
    duration_ms: float
    spikes: dict[str, Spikes]


def evaluate(
    network: Network,
    task: Task,
    duration_ms: float | None = None,
    *,
    engine: str = "event",
    tolerance_ms: float = 2.0,
    on_compile: Callable[[Simulation], None] = Simulation.compile,
) -> Evaluation:
    """Run ``network`` on ``task`` with its plasticity off, from rest, and measure after a first period that is left out.

    Parameters
    ----------
    duration_ms : measured time (ms), by default ten periods
    tolerance_ms : how far apart (ms) an output and a target spike may be to count as a hit
    """
    dt = network.scheme.dt
    duration = 10 * task.period_ms if duration_ms is None else duration_ms
    duration = Param("ms", "", gt=0).check("evaluate.duration_ms", duration)
    tolerance_ms = Param("ms", "", ge=0).check("evaluate.tolerance_ms", tolerance_ms)
    total = whole_steps("evaluate.duration_ms", duration, dt)
    simulation = Simulation(network, task, engine)
    on_compile(simulation)
    names = [*layer_names(network.sizes), "target"]
    found: list[list[tuple[Array, Array]]] = [[] for _ in names]
    squared, end = 0.0, simulation.task.period + total
    while simulation.step < end:
        boundary = simulation.task.period if simulation.step < simulation.task.period else end
        steps = min(simulation.block_steps, boundary - simulation.step)
        cost, log = simulation.advance(steps)
        if simulation.step > simulation.task.period:
            squared += cost * steps
            for row, parts in enumerate(found):
                parts.append(simulation.spikes(log, row))
    sizes = [*network.sizes, network.sizes[-1]]
    spikes = {
        name: Spikes(
            np.round((np.concatenate([s for s, _ in parts]) - simulation.task.period) * dt, 9),
            np.concatenate([i for _, i in parts]),
            n,
        )
        for name, parts, n in zip(names, found, sizes, strict=True)
    }
    return Evaluation(
        cost=squared / total,
        rates_hz={name: spikes[name].rate_hz(duration) for name in names[:-1]},
        matches=match(spikes["output"], spikes["target"], tolerance_ms),
        duration_ms=duration,
        spikes=spikes,
    )

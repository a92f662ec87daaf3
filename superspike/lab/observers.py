"""What looks on while a simulation runs, and keeps what a run reports.

An observer is called after every chunk, with the simulation, the chunk, and the cost and log that it gave. What it has kept
so far is a :meth:`snapshot`, a dictionary of arrays, from which another of its kind goes on after ``restore``.
"""

from __future__ import annotations

import math
import time
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.simulation import Simulation
from ..engine.state import Log
from ..model.network import Network
from ..model.parameters import ParameterError
from ..spikes.trains import Spikes
from .schedule import Chunk

Array = NDArray[Any]

Outcome = tuple[float, Log]  # mean cost (Hz) and log of a chunk
Observer = Callable[[Simulation, Chunk, Outcome], bool | None]  # False: the run ends here


class SilentNetworkWarning(UserWarning):
    """A layer has not spiked so far: in 10 s of training, a whole run that is shorter, or a tenth of an epoch."""


def ended(answer: Any) -> bool:
    """Whether who looks on at a run's reports has said that it is over: anything false but None."""
    return answer is not None and not answer


@contextmanager
def unharmed(network: Network) -> Iterator[None]:
    """Where training fails because weights cease to be finite, ``network`` has those again that it had before."""
    before = [w.copy() for w in network.weights]
    try:
        yield
    except ParameterError:
        if not all(np.isfinite(w).all() for w in network.weights):
            network.weights = before
            network.refresh_feedback()
        raise


class Progress(NamedTuple):
    """What a run reports after each block."""

    time_ms: float
    cost: float
    rates_hz: dict[str, float]
    real_time_factor: float


class Metrics:
    """A row a report: time (ms), cost (Hz) and the firing rate (Hz) of each layer, whose ``names`` these are.

    Warns, once, of layers that have not spiked by step ``patience``.
    """

    def __init__(self, network: Network, names: list[str], patience: float = math.inf) -> None:
        self.names, self.sizes, self.dt, self.patience = names, np.array(network.sizes), network.scheme.dt, patience
        self._rows = array("d")  # one after the other: a long run has many
        self.silent = np.arange(len(names)) > 0  # but the input
        self.silent[-1] &= network.readout is None
        self._begin_row()

    def _begin_row(self) -> None:
        self.cost, self.counts, self.steps = 0.0, np.zeros(len(self.names), np.int64), 0

    def __call__(self, simulation: Simulation, chunk: Chunk, outcome: Outcome) -> None:
        """Add a chunk to the row that is being made."""
        cost, log = outcome
        self.cost += cost * chunk.steps
        self.counts += simulation.counts(log)[:-1]
        self.steps += chunk.steps
        if chunk.reports:
            rates = 1000 / (self.steps * self.dt) * self.counts / self.sizes
            self._rows.extend([(simulation.step - 1) * self.dt, self.cost / self.steps, *rates.tolist()])
            self.silent &= self.counts == 0
            self._begin_row()
            if simulation.step >= self.patience and self.silent.any():
                warn_silent(name for name, silent in zip(self.names, self.silent, strict=True) if silent)
                self.silent[:] = False

    @property
    def rows(self) -> Array:
        """All rows so far: a copy."""
        return np.array(self._rows).reshape(-1, 2 + len(self.names))

    @property
    def last(self) -> list[float]:
        """The last row."""
        return self._rows[-2 - len(self.names) :].tolist()

    def columns(self) -> dict[str, Array]:
        """The rows as one array per quantity."""
        titles = ["time_ms", "cost", *(f"rate_{name}_hz" for name in self.names)]
        return dict(zip(titles, self.rows.T, strict=True))

    def snapshot(self) -> dict[str, Array]:
        """What it has kept so far."""
        return {
            "rows": self.rows,
            "cost": np.array(self.cost),
            "counts": self.counts.copy(),
            "steps": np.array(self.steps),
            "silent": self.silent.copy(),
        }

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go on from a :meth:`snapshot`."""
        if snapshot["rows"].shape[1:] != (2 + len(self.names),) or snapshot["counts"].shape != self.counts.shape:
            raise ParameterError(f"Metrics.restore: must be a snapshot of the same layers, {', '.join(self.names)}, got others")
        self._rows = array("d", snapshot["rows"].ravel())
        self.cost, self.steps = float(snapshot["cost"]), int(snapshot["steps"])
        self.counts, self.silent = snapshot["counts"].copy(), snapshot["silent"].copy()


def warn_silent(layers: Iterable[str], remedy: str = "a higher input rate or more time") -> None:
    """Say which layers are silent, and what helps."""
    warnings.warn(
        f"no spike so far in: {', '.join(sorted(layers))}. Give larger initial weights (w0), {remedy}",
        SilentNetworkWarning,
        stacklevel=5,  # who called train
    )


class Block(NamedTuple):
    """Spikes up to a step: steps and ids for each layer but the input."""

    end: int
    spikes: list[tuple[Array, Array]]


class Recorder:
    """Keeps the spikes of the first period and of the last whole one (or all), whatever the length of the run.

    What is to be the last period is known only in the end: there are spikes of one whole period and of the one that runs.
    The inputs' and the targets' are the task's, and are read from it.
    """

    def __init__(self, simulation: Simulation, names: list[str], everything: bool) -> None:
        self.simulation, self.names, self.everything = simulation, names, everything
        self.period = simulation.task.period
        self.first: list[Block] = []
        self.recent: deque[Block] = deque()

    def __call__(self, simulation: Simulation, chunk: Chunk, outcome: Outcome) -> None:
        """Keep a chunk's spikes, and drop those of periods that are neither the first nor the last."""
        end, log = simulation.step, outcome[1]
        block = Block(end, [simulation.spikes(log, row) for row in range(1, len(self.names))])
        self.recent.append(block)
        if not self.everything:
            if end - chunk.steps < self.period:
                self.first.append(block)
            while self.recent[0].end <= (end // self.period - 1) * self.period:
                self.recent.popleft()

    def windows(self) -> list[tuple[int, int]]:
        """The recorded windows, in steps."""
        end = self.simulation.step
        if self.everything or end < 2 * self.period:
            return [(0, end)]
        last = end // self.period * self.period
        return [(0, self.period), (last - self.period, last)]

    def spikes(self, windows: list[tuple[int, int]], origin: int = 0) -> dict[str, Spikes]:
        """The spikes of each layer and of the targets in recorded windows, at the times (ms) of their steps from ``origin``."""
        simulation, found = self.simulation, []
        for k, (begin, end) in enumerate(windows):
            inputs, targets = simulation.task.spikes(begin, end)
            kept = joined(self.recent if k == len(windows) - 1 else self.first, len(self.names) - 1)
            inside = [slice(*np.searchsorted(steps, [begin, end])) for steps, _ in kept]
            layers = [(steps[part], ids[part]) for (steps, ids), part in zip(kept, inside, strict=True)]
            found.append([inputs, *layers, targets])
        sizes, dt = [*simulation.network.sizes, simulation.network.sizes[-1]], simulation.network.scheme.dt
        return {
            name: Spikes(np.round((np.concatenate(steps) - origin) * dt, 9), np.concatenate(ids), n)
            for name, n, parts in zip([*self.names, "target"], sizes, zip(*found, strict=True), strict=True)
            for steps, ids in [zip(*parts, strict=True)]
        }

    def snapshot(self) -> dict[str, Array]:
        """What it has kept so far, and may still need: the same, wherever one run's blocks ended and another's went on."""
        end = self.recent[-1].end if self.recent else 0
        needed = 0 if self.everything else (end // self.period - 1) * self.period
        found = {"end": np.array(end)}
        for part, blocks, begin in (("first", self.first, 0), ("recent", self.recent, needed)):
            for name, (steps, ids) in zip(self.names[1:], joined(blocks, len(self.names) - 1), strict=True):
                kept = steps >= begin
                found |= {f"{part}_{name}_steps": steps[kept], f"{part}_{name}_ids": ids[kept]}
        return found

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go on from a :meth:`snapshot`."""
        self.first, self.recent = [], deque()
        for part, blocks in (("first", self.first), ("recent", self.recent)):
            spikes = [(snapshot[f"{part}_{name}_steps"], snapshot[f"{part}_{name}_ids"]) for name in self.names[1:]]
            for (steps, ids), n in zip(spikes, self.simulation.network.sizes[1:], strict=True):
                if len(steps) != len(ids) or np.any((ids < 0) | (ids >= n)) or np.any(np.diff(steps, prepend=0) < 0):
                    raise ParameterError(f"Recorder.restore: must be a snapshot of spikes in order, of {n} units, got others")
            blocks.append(Block(int(snapshot["end"]), spikes))


def joined(blocks: Iterable[Block], layers: int) -> list[tuple[Array, Array]]:
    """Steps and ids of all spikes in ``blocks``, for each layer but the input."""
    nothing = Block(0, [(np.zeros(0, np.int64), np.zeros(0, np.int32))] * layers)
    return [
        (np.concatenate(steps), np.concatenate(ids))
        for parts in zip(*(block.spikes for block in (nothing, *blocks)), strict=True)
        for steps, ids in [zip(*parts, strict=True)]
    ]


class Report:
    """Tells ``on_block`` the last row of ``metrics`` and the speed; the run ends where it returns False."""

    def __init__(self, metrics: Metrics, on_block: Callable[[Progress], bool | None], since_ms: float = 0.0) -> None:
        self.metrics, self.on_block, self.since_ms, self.began = metrics, on_block, since_ms, time.perf_counter()

    def __call__(self, simulation: Simulation, chunk: Chunk, outcome: Outcome) -> bool:
        """Report, if a row is complete."""
        if not chunk.reports:
            return True
        now, cost, *rates = self.metrics.last
        speed = (now - self.since_ms) / 1000 / (time.perf_counter() - self.began)
        return self.on_block(Progress(now, cost, dict(zip(self.metrics.names, rates, strict=True)), speed)) is not False

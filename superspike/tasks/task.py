"""A task: a frozen input pattern and the target spikes that answer it, repeated every period; on a time grid."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.parameters import Param, ParameterError, Registry, check_memory
from ..model.scheme import slack, to_steps, whole_steps
from ..spikes.trains import Spikes

Array = NDArray[Any]

Window = tuple[Array, Array]
INPUTS = Registry("inputs", methods=("spikes",))
TARGETS = Registry("targets", methods=("natural_period", "spikes or both"))
PERIOD_STEP = 10.0  # ms: a period that is not given is the patterns' end rounded up to this
IN_MS = 100.0  # periods: times that late were written in ms and read as s
PERIOD = Param("ms", "period of the pattern; by default the targets' own, or the files' end rounded up to 10 ms", gt=0)


class Task:
    """``inputs`` and ``targets``, repeated every ``period_ms`` (ms).

    Parameters
    ----------
    inputs, targets : one period's spikes, times in 0 … period_ms
    period_ms : by default the patterns' end, rounded up to the next 10 ms
    spec : the parameter classes that the task was made from, if it was

    Raises
    ------
    ParameterError : a spike beyond the period, a period that is not positive
    """

    def __init__(self, inputs: Spikes, targets: Spikes, period_ms: float | None = None, spec: Any = None) -> None:
        for name, spikes in (("inputs", inputs), ("targets", targets)):
            if not isinstance(spikes, Spikes):
                raise ParameterError(f"Task.{name}: must be Spikes, got {type(spikes).__name__}")
        if period_ms is None:
            end = max((spikes.times_ms[-1] for spikes in (inputs, targets) if len(spikes)), default=0.0)
            period_ms = (int(to_steps(end, PERIOD_STEP)) + 1) * PERIOD_STEP
        period_ms = PERIOD.check("Task.period_ms", period_ms)
        for name, spikes in (("inputs", inputs), ("targets", targets)):
            last = spikes.times_ms[-1] if len(spikes) else -np.inf
            if last >= period_ms - slack(period_ms):
                in_ms = "the times seem to be in ms; a .ras file holds s: divide them by 1000"
                remedy = in_ms if last >= IN_MS * period_ms else "give a longer period"
                raise ParameterError(
                    f"Task.{name}: must lie before the period's end ({period_ms:.10g} ms), "
                    f"got a spike at {last:.10g} ms; {remedy}"
                )
        self.inputs, self.targets, self.period_ms, self.spec = inputs, targets, period_ms, spec

    @property
    def n_inputs(self) -> int:
        """Number of input units."""
        return self.inputs.n

    @property
    def n_outputs(self) -> int:
        """Number of output units."""
        return self.targets.n

    def __repr__(self) -> str:
        return (
            f"<Task {self.n_inputs} inputs, {self.n_outputs} outputs, {len(self.targets)} target spikes in {self.period_ms:g} ms>"
        )

    def in_steps(self, dt: float) -> FrozenPattern:
        """The task on the grid of time steps of ``dt`` (ms)."""
        return FrozenPattern(self, dt)


class FrozenPattern:
    """A task on the time grid: which spikes fall into a window of steps."""

    def __init__(self, task: Task, dt: float) -> None:
        self.period = whole_steps("Task.period_ms", task.period_ms, dt)
        check_memory("Task.period_ms", f"{task.period_ms:g} ms", 16 * self.period)
        self._patterns = []
        for given in (task.inputs, task.targets):
            spikes = Spikes(given.times_ms, given.ids, given.n)  # its arrays may have been written to
            steps = np.minimum(to_steps(spikes.times_ms, dt), self.period - 1)  # before the end, and be it by a hair
            ends = np.zeros(self.period + 1, np.int32)
            np.cumsum(np.bincount(steps, minlength=self.period), out=ends[1:])
            self._patterns.append((ends, spikes.ids[np.lexsort((spikes.ids, steps))]))
        self.most_spikes = [int(np.diff(ends).max()) for ends, _ in self._patterns]  # of inputs and targets in one step

    def window(self, start: int, steps: int) -> list[Window]:
        """Inputs and targets in ``steps`` steps from step ``start``: how many spikes by each step's end, and all their ids."""
        period, end, found = self.period, start + steps, []
        edges = [start, *range((start // period + 1) * period, end, period), end]
        spans = [(a - start, b - start, a // period - start // period, a % period) for a, b in pairwise(edges)]
        for ends, ids in self._patterns:
            so_far, earlier, parts = np.empty(steps, np.int32), ends[start % period], []
            for a, b, whole, at in spans:
                np.add(ends[at + 1 : at + 1 + b - a], whole * len(ids) - earlier, out=so_far[a:b])
                parts.append(ids[ends[at] : ends[at + b - a]])
            found.append((so_far, np.concatenate(parts)))
        return found

    def spikes(self, start: int, stop: int) -> list[Window]:
        """Inputs and targets in the steps ``start`` … ``stop`` − 1: the steps and ids of all their spikes."""
        return [
            (start + np.searchsorted(ends, np.arange(len(ids), dtype=ends.dtype), "right"), ids)
            for ends, ids in self.window(start, stop - start)
        ]

"""The spiking XOR task (ZG18 Fig. 5): patterns in random intervals, whose response windows the outputs answer."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.parameters import Param, ParameterError, check_memory, parameters
from ..spikes.trains import Spikes
from .task import TARGETS

Array = NDArray[Any]

STIMULUS = 10.0  # ms: length of a pattern of the XOR task


@TARGETS.register("xor")
@parameters
class XOR(NamedTuple):
    """Spiking XOR (ZG18 Fig. 5), for the loss ``windowed``: output 0 answers patterns 00 and 11, output 1 answers 01 and 10.

    Three disjoint sets of ``set_size`` inputs fire once each, at fixed random times within 10 ms. One set is in every
    pattern, as a reference in time; the other two make the four patterns. A target spike marks a pattern's begin. Patterns
    come in random order after random intervals, in which the inputs fire at their own rate. The paper does not give sizes and
    intervals; these learn.
    """

    set_size: Annotated[int, Param("", "inputs per set, of three sets", ge=1)] = 15
    gap_min: Annotated[float, Param("ms", "shortest interval between two patterns", ge=30)] = 100.0
    gap_max: Annotated[float, Param("ms", "longest interval between two patterns", ge=30)] = 300.0

    def natural_period(self) -> float:
        """As long as a default training, so that no interval comes twice."""
        return 200_000.0

    def both(self, background: Spikes, period_ms: float, rng: np.random.Generator) -> tuple[Spikes, Spikes]:
        """Inputs and targets of one period, with ``background`` between the patterns; ParameterError for too few inputs."""
        n = self.set_size
        if background.n < 3 * n:
            raise ParameterError(f"XOR.set_size: must be at most a third of the {background.n} inputs, got {n}")
        if self.gap_max < self.gap_min:
            raise ParameterError(f"XOR.gap_max: must be at least gap_min ({self.gap_min:g} ms), got {self.gap_max:g}")
        check_memory("Task.period_ms", f"{period_ms:g} ms", 80 * 3 * n * period_ms / self.gap_min)
        phases = rng.uniform(0, STIMULUS, 3 * n)
        onsets = np.cumsum(STIMULUS + rng.uniform(self.gap_min, self.gap_max, int(period_ms / self.gap_min)))
        onsets = np.round(onsets[onsets < period_ms - self.gap_min], 1)
        bits = rng.integers(0, 2, (len(onsets), 2))
        sets = np.repeat(np.column_stack([np.ones(len(onsets), int), bits]), n, axis=1).astype(bool)
        trial, unit = np.nonzero(sets)
        since = background.times_ms - np.append(-np.inf, onsets)[np.searchsorted(onsets, background.times_ms, "right")]
        between = since >= STIMULUS
        inputs = Spikes(
            np.concatenate([background.times_ms[between], onsets[trial] + phases[unit]]),
            np.concatenate([background.ids[between], unit]),
            background.n,
        )
        return inputs, Spikes(onsets, bits.sum(1) == 1, 2)

"""Inputs and targets of frozen patterns: texts, pictures, files, regular and Poisson trains."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.parameters import Param, check_memory, parameters
from ..spikes.files import read_ras
from ..spikes.trains import Spikes
from .pictures import ink_spikes, read_picture, text_picture
from .task import INPUTS, PERIOD_STEP, TARGETS

Array = NDArray[Any]

Outputs = Annotated[int, Param("", "number of output units", ge=1)]
TargetRate = Annotated[float, Param("Hz", "firing rate of the targets", gt=0)]
InkRate = Annotated[float, Param("Hz", "firing rate of black pixels", gt=0, le=500)]


@INPUTS.register("poisson")
@parameters
class PoissonInputs(NamedTuple):
    """Frozen Poisson noise: every unit fires at ``input_rate``, the same pattern every period."""

    inputs: Annotated[int, Param("", "number of input units", ge=1)] = 200
    input_rate: Annotated[float, Param("Hz", "firing rate of generated inputs", gt=0)] = 5.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's inputs."""
        return poisson_spikes(self.inputs, self.input_rate, period_ms, rng)


@INPUTS.register("file")
@parameters
class FileInputs(NamedTuple):
    """Inputs from a .ras file. ``inputs`` 0: as many units as the file's largest id says."""

    input: Annotated[str, Param("", "a .ras file of input spikes: time in s, unit id")]
    inputs: Annotated[int, Param("", "number of input units", ge=0)] = 0
    input_ids_from: Annotated[int, Param("", "id of the first unit in the input file: 0 or 1", ge=0, le=1)] = 0

    def spikes(self, period_ms: float | None, rng: np.random.Generator) -> Spikes:
        """The file's spikes."""
        return read_ras(self.input, self.inputs or None, self.input_ids_from)


@TARGETS.register("text")
@parameters
class Text(NamedTuple):
    """A text, rendered into a picture: the top row of pixels is the last output, time runs from left to right."""

    text: Annotated[str, Param("", "a text to be written in spikes")] = "SPIKE"
    outputs: Outputs = 50
    target_rate: InkRate = 40.0
    font: Annotated[str, Param("", "a font file (TTF, OTF), for letters that the built-in font lacks")] = ""

    def natural_period(self) -> float:
        """300 ms for a square as high as the text."""
        width, height = text_picture(self.text, self.font).size
        return PERIOD_STEP * float(math.ceil(300 * width / height / PERIOD_STEP))

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        return ink_spikes(text_picture(self.text, self.font), self.outputs, self.target_rate, period_ms, rng)


@TARGETS.register("image")
@parameters
class Picture(NamedTuple):
    """A picture (PNG, JPEG, …): dark pixels spike, the top row is the last output, columns are time."""

    image: Annotated[str, Param("", "a picture file; dark pixels spike, columns are time")]
    outputs: Outputs = 100
    target_rate: InkRate = 40.0

    def natural_period(self) -> float:
        """1 s."""
        return 1000.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        return ink_spikes(read_picture(self.image), self.outputs, self.target_rate, period_ms, rng)


@TARGETS.register("file")
@parameters
class FileTargets(NamedTuple):
    """Targets from a .ras file. ``outputs`` 0: as many units as the file's largest id says."""

    target: Annotated[str, Param("", "a .ras file of target spikes: time in s, unit id")]
    outputs: Annotated[int, Param("", "number of output units", ge=0)] = 0
    target_ids_from: Annotated[int, Param("", "id of the first unit in the target file: 0 or 1", ge=0, le=1)] = 0

    def natural_period(self) -> None:
        """The file's end decides."""

    def spikes(self, period_ms: float | None, rng: np.random.Generator) -> Spikes:
        """The file's spikes."""
        return read_ras(self.target, self.outputs or None, self.target_ids_from)


@TARGETS.register("regular")
@parameters
class RegularTargets(NamedTuple):
    """Equidistant target spikes, the same for every output (ZG18 Fig. 2 has five in 500 ms)."""

    outputs: Outputs = 1
    target_rate: TargetRate = 10.0

    def natural_period(self) -> float:
        """500 ms."""
        return 500.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        n = max(1, round(self.target_rate * period_ms / 1000))
        check_memory("Task.period_ms", f"{period_ms:g} ms at {self.target_rate:g} Hz", 80 * n * self.outputs)
        times = period_ms / (n + 1) * np.arange(1, n + 1)
        return Spikes(np.tile(times, self.outputs), np.repeat(np.arange(self.outputs), n), self.outputs)


@TARGETS.register("poisson")
@parameters
class PoissonTargets(NamedTuple):
    """Frozen Poisson target trains, independent of each other."""

    outputs: Outputs = 1
    target_rate: TargetRate = 10.0

    def natural_period(self) -> float:
        """500 ms."""
        return 500.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        return poisson_spikes(self.outputs, self.target_rate, period_ms, rng)


def poisson_spikes(n: int, rate_hz: float, duration_ms: float, rng: np.random.Generator) -> Spikes:
    """Independent Poisson trains of ``n`` units over ``duration_ms``; times lie on a grid of 0.01 ms."""
    check_memory("Task.period_ms", f"{duration_ms:g} ms of {n} units at {rate_hz:g} Hz", 80 * n * rate_hz * duration_ms / 1000)
    count = rng.poisson(n * rate_hz * duration_ms / 1000)
    times = np.floor(rng.uniform(0, duration_ms, count) * 100) / 100
    return Spikes(times, rng.integers(0, n, count), n)

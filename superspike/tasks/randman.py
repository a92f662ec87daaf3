"""Random manifolds: a made classification task of any size and difficulty, which needs no file."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.parameters import Param, ParameterError, check_fits, check_seed, parameters
from .labelled import CLASSIFICATION, DATASETS
from .samples import BYTES, Samples, Split, in_order

Array = NDArray[Any]

SMALLEST = 1e-3  # terms of the series that are smaller, relative to the first, are left out …
MOST_TERMS = 1000  # … and so are later ones
CHUNK = 2**15  # numbers that are worked on at a time: they fit into a core's cache


@DATASETS.register("randman")
@parameters
class RandomManifolds(NamedTuple):
    """Classes are smooth random manifolds in the space of firing times: every input spikes once in a sample.

    A sample of a class is a point x, uniform in [0, 1)^D. Input i spikes at f(x) · ``window`` with a function of its own and
    its class's, f(x) = Π_d Σ_k k^−α θ_dk sin(2π (k χ_dk x_d + φ_dk)), θ, χ, φ uniform in [0, 1), then shifted and scaled so that
    the smallest of the class's samples is 0, the largest 1. The smaller α, the rougher the manifolds and the harder the task.

    Source: Zenke & Vogels (2021), The remarkable robustness of surrogate gradient learning, Neural Computation 33:899–925.
    """

    classes: Annotated[int, Param("", "number of classes", ge=2)] = 10
    inputs: Annotated[int, Param("", "number of input units", ge=1)] = 20
    dimension: Annotated[int, Param("", "dimension of the manifolds", ge=1)] = 1
    smoothness: Annotated[float, Param("", "exponent α of the manifolds' series", ge=0)] = 1.0
    samples: Annotated[int, Param("", "samples per class", ge=3)] = 1000
    train: Annotated[float, Param("", "part of the samples to learn from", gt=0, lt=1, option="train-part")] = 0.8
    validation: Annotated[float, Param("", "part of the samples to choose by", gt=0, lt=1)] = 0.1
    window: Annotated[float, Param("ms", "time in which the inputs spike", gt=0, option="spike-window")] = 50.0
    duration: Annotated[float, Param("ms", "length of a trial, longer than that time", gt=0, option="trial")] = 100.0

    @staticmethod
    def defaults() -> dict[str, Any]:
        """A hidden layer of the size that the source has."""
        return CLASSIFICATION | {"hidden": "100", "learning_rate": "0.3mV", "w0": "60mV", "epochs": 20}

    def make(self, seed: int = 1) -> Split:
        """Train, validation and test samples; the same for the same seed."""
        if self.window >= self.duration:
            raise ParameterError(f"RandomManifolds.window: must be < {self.duration:g} ms, the duration, got {self.window:g} ms")
        spikes = self.inputs * self.samples * self.classes
        drawn = 8 * self.dimension * (4 * self.inputs * MOST_TERMS + self.samples)
        remedy = "ask for fewer samples, classes, inputs or dimensions"
        check_fits("RandomManifolds.samples", 4 * BYTES * spikes + drawn, remedy)
        manifolds, split = np.random.default_rng(check_seed("RandomManifolds.seed", seed)).spawn(2)
        times = np.concatenate([self._times(rng) for rng in manifolds.spawn(self.classes)])
        offsets = self.inputs * np.arange(len(times) + 1)
        units = np.tile(np.arange(self.inputs, dtype=np.int32), len(times))
        ordered = in_order(times.astype(np.float32).ravel(), units, offsets)
        labels = np.repeat(np.arange(self.classes), self.samples)
        whole = Samples(*ordered, offsets, labels, self.inputs, self.duration)
        return whole.split(self.train, self.validation, int(split.integers(2**31)))

    def _times(self, rng: np.random.Generator) -> Array:
        """Firing times (ms) of one class, (samples, inputs)."""
        k = np.arange(1, MOST_TERMS + 1)
        k = k[k**-self.smoothness >= SMALLEST]
        theta, chi, phi = rng.random((3, self.inputs, self.dimension, len(k)))
        points = rng.random((self.samples, self.dimension))
        amplitudes = (k**-self.smoothness * theta).astype(np.float32)
        found: Array = np.ones((self.samples, self.inputs))
        rows = max(1, CHUNK // len(k))
        for unit in range(self.inputs):
            for d in range(self.dimension):
                for first in range(0, self.samples, rows):
                    turns = np.outer(points[first : first + rows, d], k * chi[unit, d])
                    turns += phi[unit, d]
                    turns -= np.rint(turns)  # whole turns go in double precision, then single is as good, and quick
                    angles = turns.astype(np.float32)
                    angles *= np.float32(2 * np.pi)
                    found[first : first + rows, unit] *= np.sin(angles, out=angles) @ amplitudes[unit, d]
        found -= found.min(axis=0)
        found *= self.window / found.max(axis=0)
        return found

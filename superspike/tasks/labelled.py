"""Data sets that the command line knows by name: a parameter class each, which makes or reads a :class:`Split`.

A class says by which options networks learn its data where nothing else is said, ``defaults``. It has a method ``make``,
or, where its samples are numbers that an encoder turns into spikes, ``encode``. Adding one is adding a class, here or in
a file of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ..model.parameters import Param, ParameterError, Registry, check_seed, parameters
from .datasets import FASHION_MNIST, load_heidelberg, load_images
from .encoders import ENCODERS
from .samples import Samples, Split

DATASETS = Registry("task", methods=("defaults", "make or encode"))

# How classification differs from the defaults of target learning (Zenke & Vogels 2021, in ms and mV: superspike.model.readout).
CLASSIFICATION: dict[str, Any] = {
    "loss": "max_over_time", "reset": "subtract", "tau_ref": "0ms", "beta": "2/mV", "optimizer": "adam", "w_max": "1000mV",
    "dt": "1ms", "delay": "1ms", "integration": "exact", "threads": 0,
}  # fmt: skip

PICTURES = CLASSIFICATION | {
    "learning_rate": "0.25mV", "w0": "50mV", "beta": "1/mV", "tau_mem": "20ms", "layers": "readout.tau_mem=80ms", "epochs": 20,
}  # fmt: skip

Data = Annotated[str, Param("", "folder of a data set's files")]
Held = Annotated[float, Param("", "samples to choose by: how many, or which part of them", ge=0)]
Trial = Annotated[float, Param("ms", "length of a trial, later spikes are left out", gt=0, option="trial")]


class Source(NamedTuple):
    """What samples are made from: an instance of a registered class, an encoder for those that take one, a seed."""

    dataset: Any
    encoder: Any = None
    seed: int = 1

    def make(self) -> Labelled:
        """Make or read them."""
        seed, name = check_seed("Source.seed", self.seed), DATASETS.name_of(self.dataset)
        if hasattr(self.dataset, "make"):
            split = self.dataset.make(seed)
        else:
            split = self.dataset.encode(ENCODERS.make("latency" if self.encoder is None else self.encoder), seed)
        if not len(split.train):
            raise ParameterError(f"{name}: must have samples to learn from, has none; hold out fewer for the validation")
        return Labelled(split, self, name)


class Labelled(NamedTuple):
    """Samples in three parts, and what they were made from."""

    split: Split
    source: Source
    name: str

    @property
    def n_inputs(self) -> int:
        """Number of input units."""
        return self.split.train.n_units

    @property
    def n_outputs(self) -> int:
        """Number of classes."""
        return len(self.split.train.classes)

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{len(part)} to {what}" for part, what in zip(self.split, ("learn from", "choose by", "test"), strict=True)
        )
        return f"<{self.name}: {parts}; {self.n_inputs} inputs, {self.n_outputs} classes>"


def amount(value: float) -> float:
    """A number of samples, or a part of them, as :meth:`Samples.split` takes it."""
    return int(value) if value >= 1 and value == int(value) else value


@DATASETS.register("mnist")
@parameters
class MNIST(NamedTuple):
    """Handwritten digits, 28 × 28 (LeCun et al. 1998): a folder of four IDX files, gzipped or not."""

    data: Data
    validation: Held = 5000.0
    trial: Trial = 100.0

    @staticmethod
    def defaults() -> dict[str, Any]:
        """Chosen on the validation set."""
        return PICTURES | {"dropout": 0.3, "rate_upper_strength": 3e-5}

    def encode(self, encoder: Any, seed: int) -> Split:
        """Read and encode."""
        return load_images(self.data, encoder, self.trial, amount(self.validation), seed=seed)


@DATASETS.register("fashion-mnist")
@parameters
class FashionMNIST(NamedTuple):
    """Pictures of clothes, 28 × 28 (Xiao, Rasul & Vollgraf 2017): a folder of four IDX files, gzipped or not."""

    data: Data
    validation: Held = 5000.0
    trial: Trial = 100.0

    @staticmethod
    def defaults() -> dict[str, Any]:
        """Chosen on the validation set."""
        return PICTURES | {"dropout": 0.1, "rate_upper_strength": 1e-5}

    def encode(self, encoder: Any, seed: int) -> Split:
        """Read and encode."""
        return load_images(self.data, encoder, self.trial, amount(self.validation), FASHION_MNIST, seed)


@DATASETS.register("heidelberg")
@parameters
class Heidelberg(NamedTuple):
    """Spoken digits or commands as spikes of a cochlea (Cramer et al. 2022): a folder of SHD's or SSC's HDF5 files."""

    data: Data
    trial: Trial = 1000.0
    speakers: Annotated[
        int, Param("", "speakers to choose by, where no file holds others", ge=1, option="validation-speakers")
    ] = 1
    units: Annotated[int, Param("", "number of input units", ge=1)] = 700

    @staticmethod
    def defaults() -> dict[str, Any]:
        """Long trials: a sum over time learns where a maximum does not."""
        return CLASSIFICATION | {
            "loss": "mean_over_time", "dt": "2ms", "delay": "2ms", "learning_rate": "0.5mV", "w0": "60mV", "epochs": 20,
        }  # fmt: skip

    def make(self, seed: int) -> Split:
        """Read."""
        return load_heidelberg(self.data, self.trial, self.speakers, seed, self.units)


@DATASETS.register("samples")
@parameters
class SampleFiles(NamedTuple):
    """Samples of one's own: a folder of train.npz, validation.npz and test.npz, which :meth:`Samples.save` wrote."""

    data: Data

    @staticmethod
    def defaults() -> dict[str, Any]:
        """Those of random manifolds."""
        return CLASSIFICATION | {"learning_rate": "0.3mV", "w0": "60mV", "epochs": 20}

    def make(self, seed: int) -> Split:
        """Read."""
        train, *others = (
            Samples.load(Path(self.data) / f"{name}.npz", complete=name == "train") for name in ("train", "validation", "test")
        )
        return Split(train, *others)

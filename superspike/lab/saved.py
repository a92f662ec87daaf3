"""What every kind of run shares: a folder, whose numbers appear whole or not at all, and whose pictures can be drawn again."""

from __future__ import annotations

import copy
import csv
import json
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..model.files import read_arrays
from ..model.network import Network, save_weights
from ..model.parameters import ParameterError, reading_file
from . import config, plotting
from .folder import CHECKPOINT, CONFIG, OWN, RECORDS, reserve, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

# All that a run's folder may hold: any run's, then those on streams, then those that learn labelled samples.
FILES = (
    CONFIG, CHECKPOINT, RECORDS, "report.html", "metrics.csv", "weights.npz", "summary.json", "learning.png",
    config.INITIAL_WEIGHTS,
    "spikes.npz", "raster.png", "input.ras", "target.*",
    "progress.csv", "samples.npz", "samples.png", "confusion.png",
)  # fmt: skip


class Saved(ABC):
    """A run: the network at its end, and what is written of it."""

    pictures: ClassVar[Mapping[str, Callable[[Any], Figure]]]
    overview: ClassVar[Callable[[Any], Figure]]  # what plot draws
    _network: Network
    initial_weights: list[Array] | None  # where they, masks or signs are not what the network's seed draws

    @property
    def network(self) -> Network:
        """The network at the end of the run, to be measured or trained on: a copy, each time."""
        return copy.deepcopy(self._network)

    @property
    def weights(self) -> list[Array]:
        """The network's weights: one (n_pre, n_post) array in mV per projection, in the order of ``network.projections``."""
        return self.network.weights

    @property
    @abstractmethod
    def reached(self) -> str:
        """How far it has come, in words."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """The numbers of the run."""

    @abstractmethod
    def options(self, new: Path) -> dict[str, Any]:
        """The options that repeat the run; files that they name are written into the folder ``new``."""

    @abstractmethod
    def write_tables(self, new: Path) -> None:
        """Write what else the run keeps."""

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw an overview into one picture."""
        plotting.draw(type(self).overview, self, path)

    def save(self, folder: str | os.PathLike[str], force: bool = False, *, pictures: bool = True) -> None:
        """Write the run's folder: config.toml, metrics.csv, weights.npz, summary.json, what else it keeps, and its pictures.

        The numbers appear whole or not at all; a picture that cannot be drawn is a warning. The files that the task was
        made from are kept in the folder as well. A folder that is not empty is replaced only if it is a run's, with ``force``.
        """
        with reserve(folder, force) as own:
            self.write(own)
            if pictures:
                self.draw(own)

    def write(self, own: Path) -> None:
        """Write all but the pictures into a folder that :func:`superspike.lab.folder.reserve` gave."""
        with whole(own, FILES) as new:
            write_config(new, self.options(new), self._network, self.initial_weights)
            save_weights(new / "weights.npz", self._network)
            self.write_tables(new)
            (new / "summary.json").write_text(json.dumps(self.summary(), indent=2) + "\n", encoding="utf-8")

    def draw(self, folder: Path) -> None:
        """Add the pictures to the run's folder; warn where that fails."""
        for name, picture in self.pictures.items():
            try:
                plotting.draw(picture, self, folder / name)
            except Exception as error:  # whatever it is, the numbers are safe
                warnings.warn(
                    f"{folder / name} could not be drawn ({error}). The numbers are saved; superspike plot {folder} draws it",
                    stacklevel=3,
                )


def write_config(new: Path, table: Mapping[str, Any], network: Network, initial_weights: list[Array] | None) -> None:
    """Write the options, and the initial weights where there are some."""
    (new / CONFIG).write_text(config.to_toml(table), encoding="utf-8")
    if initial_weights is not None:
        np.savez(new / config.INITIAL_WEIGHTS, **network.with_arrays(initial_weights))  # type: ignore[arg-type]


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The options of a run's folder. Raises ParameterError where it is none."""
    where = Path(folder)
    if not (where / CONFIG).is_file():
        if (where / OWN).is_dir():
            raise ParameterError(
                f"{where}: must be a run that has ended, goes on or was killed; superspike resume {where} ends it"
            )
        raise ParameterError(f"{where}: must be the folder of a run, has no {CONFIG}")
    return config.read(where / CONFIG)


def reading(path: Path) -> AbstractContextManager[Path]:
    """Whatever goes wrong while a file of a run is read is a ParameterError that names the file."""
    return reading_file(path, "what a run has saved")


def write_columns(path: Path, columns: Mapping[str, Array]) -> None:
    """A table with these columns, numbers in full precision."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[repr(float(value)) for value in row] for row in zip(*columns.values(), strict=True)])


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """The columns of a table, whose names these are."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    if header != [*names] or not rows or any(len(row) != len(names) for row in rows):
        raise ParameterError(f"must have rows of the columns {', '.join(names)}, got {len(rows)} of {', '.join(header)}")
    return dict(zip(names, np.array(rows, float).T, strict=True))


def load_network(path: Path, network: Network) -> None:
    """Give ``network`` the weights and, where it is fixed, the feedback that :func:`superspike.save_weights` wrote."""
    arrays = read_arrays(path)

    def like(name: str, own: Array) -> Array:
        found = arrays[name]
        if found.shape != own.shape or found.dtype.kind != "f":
            raise ParameterError(f"{name} must hold numbers of the shape {own.shape}, got {found.dtype} of {found.shape}")
        return found.astype(own.dtype)

    network.weights = [like(name, own) for name, own in network.named(network.weights).items()]
    if network.feedback.follows_weights:
        network.refresh_feedback()
    else:
        network.feedback_weights = [like(f"b{k}", own) for k, own in enumerate(network.feedback_weights, 1)]

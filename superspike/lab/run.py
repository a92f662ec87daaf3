"""A finished run, and the folder that holds it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import tasks
from ..model.files import read_arrays
from ..model.network import Network
from ..model.parameters import Param, ParameterError
from ..model.scheme import to_steps
from ..spikes.files import write_ras
from ..spikes.score import agreement
from ..spikes.trains import Spikes
from ..tasks import Task
from . import config, plotting
from .config import COST_WINDOW, Training
from .folder import CONFIG
from .saved import Saved, load_network, read_columns, read_config, reading, write_columns

Array = NDArray[Any]


@dataclass
class Run(Saved):
    """What :func:`superspike.train` returns: what happened, whatever is done with the network afterwards.

    Attributes
    ----------
    network : a copy, each time, of the network at the end of the run; training it leaves the run as it is
    metrics : one value a block of ``time_ms``, ``cost`` (Hz) and ``rate_LAYER_hz``; times from the start of the burn-in
    spikes : :class:`Spikes` of ``input``, ``hidden1``, …, ``output`` and ``target`` in the recorded ``windows_ms``
    real_time_factor : simulated time over wall-clock time, without compilation
    """

    _network: Network
    task: Task
    training: Training
    metrics: dict[str, Array]
    spikes: dict[str, Spikes]
    windows_ms: list[tuple[float, float]]
    real_time_factor: float
    interrupted: bool = False
    initial_weights: list[Array] | None = None

    pictures: ClassVar = {"learning.png": plotting.learning, "raster.png": plotting.raster}
    overview: ClassVar = plotting.overview

    @property
    def cost(self) -> float:
        """Mean cost (Hz) over the last 10 s, or over all of the training if it was shorter."""
        time, after = self.metrics["time_ms"], max(self.training.burn_in_ms, self.metrics["time_ms"][-1] - COST_WINDOW)
        chosen = time > after
        return float(self.metrics["cost"][chosen if chosen.any() else -1].mean())

    @property
    def cost_initial(self) -> float:
        """Mean cost (Hz) over the burn-in, or of the first block where there is none."""
        before = self.metrics["time_ms"] <= self.training.burn_in_ms
        return float(self.metrics["cost"][before if before.any() else 0].mean())

    @property
    def periods_ms(self) -> list[tuple[float, float]]:
        """Begin and end (ms) of the first and the last whole period recorded; of all there is, if that is less than two."""
        period, end = self.task.period_ms, self.windows_ms[-1][1]
        last = int(to_steps(end, period)) * period
        return [(0.0, period), (last - period, last)] if last >= 2 * period else [(0.0, end)]

    def answered(self) -> dict[str, Any]:
        """How the output meets its targets at the end: hits, misses and extra spikes within ±2 ms in the last period.

        With a loss of response windows: how many of the last 100 recorded, and the share of them, are answered rightly. A
        readout does not spike: nothing.
        """
        if self._network.readout:
            return {}
        output, target, window = self.spikes["output"], self.spikes["target"], self._network.loss.window_ms
        begin, end = self.periods_ms[-1]
        if window:
            last = np.unique(target.between(0, end - window).times_ms)[-100:]
            begin, end = float(last[0]) if len(last) else begin, end - window
        return agreement(output if window else output.between(begin, end), target.between(begin, end), window)

    @property
    def cost_unit(self) -> str:
        """The network's."""
        return self._network.cost_unit

    @property
    def reached(self) -> str:
        """Simulated time, with the burn-in."""
        return f"{self.metrics['time_ms'][-1] / 1000:g} s"

    def animate(self, path: str | os.PathLike[str], most: int = 60) -> None:
        """Draw a movie (.gif; .mp4 with the extra ``movie``) of the output over the training: a frame a period, ``most`` in all.

        Raises ParameterError unless the run has the spikes of all its periods (``record="spikes"``).
        """
        if self.training.record != "spikes":
            raise ParameterError(
                f"Run.animate: must have recorded all spikes, has {self.training.record}; train with record='spikes'"
            )
        plotting.animate(self, self.task.period_ms, path, Param("", "", ge=1).check("Run.animate.most", most, int))

    def summary(self) -> dict[str, Any]:
        """The numbers of the run: cost, rates, speed, and how the output meets its targets (:meth:`answered`)."""
        return {
            "cost": self.cost,
            "cost_initial": self.cost_initial,
            "real_time_factor": self.real_time_factor,
            "rates_hz": {name: float(self.metrics[f"rate_{name}_hz"][-1]) for name in layer_names(self._network.sizes)},
            **self.answered(),
            "sizes": list(self._network.sizes),
            "period_ms": self.task.period_ms,
            "burn_in_ms": self.training.burn_in_ms,
            "duration_ms": self.training.duration_ms,
            "interrupted": self.interrupted,
        }

    def options(self, new: Path) -> dict[str, Any]:
        """The options that repeat the run."""
        return options(self.task, self._network, self.training, self.initial_weights, new)

    def write_tables(self, new: Path) -> None:
        """Write metrics and spikes."""
        write_columns(new / "metrics.csv", self.metrics)
        save_spikes(new / "spikes.npz", self.spikes, self.windows_ms)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Run:
        """Read a run's folder. Raises ParameterError, which names the file, where something is missing or broken."""
        table, where = read_config(folder), Path(folder)
        if config.task_of(table) in tasks.DATASETS:
            raise ParameterError(f"{where}: must be a run on a stream, is one that learns samples; Fit.load reads it")
        with reading(where / CONFIG):
            task, network, training = config.build(table)
            assert isinstance(task, Task)
            assert isinstance(training, Training)
        initial_weights = [w.copy() for w in network.weights] if "weights" in table else None
        with reading(where / "weights.npz") as path:
            load_network(path, network)
        with reading(where / "spikes.npz") as path:
            spikes, windows = load_spikes(path, network.sizes)
        with reading(where / "metrics.csv") as path:
            metrics = read_columns(path, ["time_ms", "cost", *(f"rate_{name}_hz" for name in layer_names(network.sizes))])
        with reading(where / "summary.json") as path:
            summary = json.loads(path.read_text(encoding="utf-8"))
            factor, interrupted = summary["real_time_factor"], summary["interrupted"]
            if type(factor) is not float or type(interrupted) is not bool:
                raise ParameterError(f"must hold a number and true or false, got {factor!r} and {interrupted!r}")
        return cls(network, task, training, metrics, spikes, windows, factor, interrupted, initial_weights)


def layer_names(sizes: list[int]) -> list[str]:
    """``input``, ``hidden1``, …, ``output``."""
    return ["input", *(f"hidden{k}" for k in range(1, len(sizes) - 1)), "output"]


def options(task: Task, network: Network, training: Training, initial_weights: list[Array] | None, new: Path) -> dict[str, Any]:
    """The options that repeat a run, and the files that they name written into ``new``."""
    return with_own_files(config.table(task, network, training, initial_weights is not None), task, new)


def with_own_files(table: Mapping[str, Any], task: Task, new: Path) -> dict[str, Any]:
    """``table`` with files in ``new`` in the place of those that the task was made from, so that a run's folder can be moved.

    A picture is copied, if it still gives the task's targets; spikes are written as the run had them.
    """
    own = dict(table)
    if "image" in own:
        ending = Path(own["image"]).suffix
        picture = new / f"target{ending if ending[1:].isalnum() else '.img'}"
        try:
            shutil.copyfile(own["image"], picture)
            same = (
                tasks.make(**task.spec | {"targets": task.spec["targets"]._replace(image=str(picture))}).targets == task.targets
            )
        except (OSError, ParameterError):  # the file has gone or changed
            same = False
        if same:
            own["image"] = picture.name
        else:
            picture.unlink(missing_ok=True)
            own = {key: value for key, value in own.items() if key not in ("task", "image", "target_rate")} | {"target": ""}
    for name, units, spikes in (("input", "inputs", task.inputs), ("target", "outputs", task.targets)):
        if name in own:
            write_ras(new / f"{name}.ras", spikes)
            own |= {name: f"{name}.ras", units: spikes.n, f"{name}_ids_from": 0}
    return own


def save_spikes(path: Path, spikes: dict[str, Spikes], windows_ms: list[tuple[float, float]]) -> None:
    """``LAYER_times_ms``, ``LAYER_ids`` and ``LAYER_n`` of each layer and the target; ``windows_ms`` (windows, 2)."""
    arrays: dict[str, Any] = {"windows_ms": np.array(windows_ms)}
    for name, trains in spikes.items():
        arrays |= {f"{name}_times_ms": trains.times_ms, f"{name}_ids": trains.ids, f"{name}_n": trains.n}
    np.savez_compressed(path, **arrays)


def load_spikes(path: Path, sizes: list[int]) -> tuple[dict[str, Spikes], list[tuple[float, float]]]:
    """What :func:`save_spikes` wrote for layers of these ``sizes``."""
    arrays = read_arrays(path)
    spikes = {}
    for name, n in zip([*layer_names(sizes), "target"], [*sizes, sizes[-1]], strict=True):
        times, ids, units = (arrays[f"{name}_{what}"] for what in ("times_ms", "ids", "n"))
        if units != n:
            raise ParameterError(f"{name}_n must be {n} units, got {units}")
        spikes[name] = Spikes(times, ids, n)
    windows = arrays["windows_ms"]
    if windows.shape not in ((1, 2), (2, 2)):
        raise ParameterError(f"windows_ms must be the begin and end of one or two windows, got the shape {windows.shape}")
    return spikes, [(float(a), float(b)) for a, b in windows]

"""A finished run, and the folder that holds it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import config, plotting
from ._parameters import ParameterError
from .config import COST_WINDOW, Training
from .network import Network, load_weights, save_weights
from .scheme import to_steps
from .spikes import Spikes, agreement, write_ras
from .tasks import Task

Array = NDArray[Any]


@dataclass
class Run:
    """What :func:`superspike.train` returns.

    Attributes
    ----------
    metrics : one value a block of ``time_ms``, ``cost`` (Hz) and ``rate_LAYER_hz``; times from the start of the burn-in
    spikes : :class:`Spikes` of ``input``, ``hidden1``, …, ``output`` and ``target`` in the recorded ``windows_ms``
    real_time_factor : simulated time over wall-clock time, without compilation
    """

    network: Network
    task: Task
    training: Training
    metrics: dict[str, Array]
    spikes: dict[str, Spikes]
    windows_ms: list[tuple[float, float]]
    real_time_factor: float
    interrupted: bool = False
    initial_weights: list[Array] | None = None  # where they are not what the network's seed draws

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
    def weights(self) -> list[Array]:
        """The network's weights: one (n_pre, n_post) array in mV per projection."""
        return self.network.weights

    @property
    def periods_ms(self) -> list[tuple[float, float]]:
        """Begin and end (ms) of the first and the last whole period recorded; of all there is, if that is less than two."""
        period, end = self.task.period_ms, self.windows_ms[-1][1]
        last = int(to_steps(end, period)) * period
        return [(0.0, period), (last - period, last)] if last >= 2 * period else [(0.0, end)]

    def answered(self) -> dict[str, Any]:
        """How the output meets its targets at the end: hits, misses and extra spikes within ±2 ms in the last period.

        With a loss of response windows: how many of the last 100 recorded, and the share of them, are answered rightly.
        """
        output, target, window = self.spikes["output"], self.spikes["target"], self.network.loss.window_ms
        begin, end = self.periods_ms[-1]
        if window:
            last = np.unique(target.between(0, end - window).times_ms)[-100:]
            begin, end = float(last[0]) if len(last) else begin, end - window
        return agreement(output if window else output.between(begin, end), target.between(begin, end), window)

    def summary(self) -> dict[str, Any]:
        """The numbers of the run: cost, rates, speed, and how the output meets its targets (:meth:`answered`)."""
        return {
            "cost": self.cost,
            "cost_initial": self.cost_initial,
            "real_time_factor": self.real_time_factor,
            "rates_hz": {name[5:-3]: float(values[-1]) for name, values in self.metrics.items() if name.startswith("rate_")},
            **self.answered(),
            "sizes": self.network.sizes,
            "period_ms": self.task.period_ms,
            "burn_in_ms": self.training.burn_in_ms,
            "duration_ms": self.training.duration_ms,
            "interrupted": self.interrupted,
        }

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the learning curve and the rasters before and after into one picture."""
        plotting.save(plotting.overview(self), path)

    def save(self, folder: str | os.PathLike[str], force: bool = False, *, pictures: bool = True) -> None:
        """Write the run's folder: config.toml, metrics.csv, weights.npz, spikes.npz, summary.json, learning.png, raster.png.

        The folder appears whole or not at all; one that is not empty is replaced only with ``force``.
        """
        check_folder(folder, force)
        with whole_folder(folder) as new:
            table = config.table(self.task, self.network, self.training, self.initial_weights is not None)
            (new / "config.toml").write_text(config.to_toml(table), encoding="utf-8")
            if self.task.spec is None:
                write_ras(new / table["input"], self.task.inputs)
                write_ras(new / table["target"], self.task.targets)
            if self.initial_weights is not None:
                np.savez(new / config.INITIAL_WEIGHTS, **{f"w{k}": w for k, w in enumerate(self.initial_weights)})  # type: ignore[arg-type]
            write_metrics(new / "metrics.csv", self.metrics)
            save_weights(new / "weights.npz", self.network)
            save_spikes(new / "spikes.npz", self.spikes, self.windows_ms)
            (new / "summary.json").write_text(json.dumps(self.summary(), indent=2) + "\n", encoding="utf-8")
            if pictures:
                plotting.save(plotting.learning(self), new / "learning.png")
                plotting.save(plotting.raster(self), new / "raster.png")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Run:
        """Read a run's folder. Raises ParameterError where something is missing or broken."""
        where = Path(folder)
        if not (where / "config.toml").is_file():
            raise ParameterError(f"{where}: must be the folder of a run, has no config.toml")
        task, network, training = config.build(config.read(where / "config.toml"))
        for own, w in zip(network.weights, load_weights(where / "weights.npz"), strict=True):
            if own.shape != w.shape:
                raise ParameterError(f"{where / 'weights.npz'}: must hold the shapes of config.toml, {own.shape}, got {w.shape}")
            own[:] = w
        network.given = True
        network.refresh_feedback()
        try:
            spikes, windows = load_spikes(where / "spikes.npz")
            metrics = read_metrics(where / "metrics.csv")
            summary = json.loads((where / "summary.json").read_text(encoding="utf-8"))
            factor, interrupted = float(summary["real_time_factor"]), bool(summary["interrupted"])
        except (OSError, KeyError, ValueError) as error:
            raise ParameterError(f"{where}: must be the whole folder of a run, cannot be read ({error})") from None
        return cls(network, task, training, metrics, spikes, windows, factor, interrupted)


def check_folder(folder: str | os.PathLike[str], force: bool) -> None:
    """Raise ParameterError unless ``folder`` may be written: absent or empty, or to be replaced with ``force``."""
    where = Path(folder)
    if where.exists() and not where.is_dir():
        raise ParameterError(f"{where}: must be a folder, is a file")
    if where.is_dir() and any(where.iterdir()):
        if not force:
            raise ParameterError(
                f"{where}: must be empty or absent, holds files; choose another folder, or force (--force) to replace it"
            )
        if not (where / "config.toml").is_file():
            raise ParameterError(
                f"{where}: must be the folder of a run to be replaced, has no config.toml; choose another folder"
            )
    parent = where.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK):
        raise ParameterError(f"{where}: must be in a folder that may be written to, {parent} may not")
    if shutil.disk_usage(parent).free < 2**20:
        raise ParameterError(f"{where}: must be on a disk with room, {parent} is full")


@contextmanager
def whole_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder to write into, moved to its name when all is done; nothing is left behind if it fails."""
    where = Path(folder).absolute()
    where.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{where.name}-", dir=where.parent))
    old = new.with_name(new.name + "-old")
    try:
        yield new
        new.chmod(0o777 & ~current_umask())
        if where.exists():
            where.rename(old)
        new.rename(where)
    except BaseException:
        if old.exists() and not where.exists():
            old.rename(where)
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def current_umask() -> int:
    """The process's file-mode mask (there is no way to read it but to set it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_metrics(path: Path, metrics: dict[str, Array]) -> None:
    """One row a block, numbers in full precision."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(metrics)
        writer.writerows([[repr(float(value)) for value in row] for row in zip(*metrics.values(), strict=True)])


def read_metrics(path: Path) -> dict[str, Array]:
    """The columns of metrics.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, np.array(rows, float).T, strict=True))


def save_spikes(path: Path, spikes: dict[str, Spikes], windows_ms: list[tuple[float, float]]) -> None:
    """``LAYER_times_ms``, ``LAYER_ids`` and ``LAYER_n`` of each layer and the target; ``windows_ms`` (windows, 2)."""
    arrays: dict[str, Any] = {"windows_ms": np.array(windows_ms)}
    for name, trains in spikes.items():
        arrays |= {f"{name}_times_ms": trains.times_ms, f"{name}_ids": trains.ids, f"{name}_n": trains.n}
    np.savez_compressed(path, **arrays)


def load_spikes(path: Path) -> tuple[dict[str, Spikes], list[tuple[float, float]]]:
    """What :func:`save_spikes` wrote."""
    with np.load(path, allow_pickle=False) as file:
        names = [key[: -len("_times_ms")] for key in file.files if key.endswith("_times_ms")]
        spikes = {name: Spikes(file[f"{name}_times_ms"], file[f"{name}_ids"], int(file[f"{name}_n"])) for name in names}
        return spikes, [(float(a), float(b)) for a, b in file["windows_ms"]]

"""Spike trains: the container, its file formats (.ras, .npz) and distances between spike trains."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._parameters import Param, ParameterError

Array = NDArray[Any]


class SpikeFileError(ParameterError):
    """A spike file that cannot be read; the message names file and line."""


def to_steps(times_ms: ArrayLike, dt: float) -> Array:
    """Times (ms) as whole steps of ``dt`` (ms), rounded down: 0.3 ms is step 3 of 0.1 ms, whatever binary fractions say."""
    steps: Array = np.floor(np.round(np.asarray(times_ms, float) / dt, 6)).astype(np.int64)
    return steps


class Spikes:
    """Spikes of ``n`` units: ``times_ms`` (ms) and ``ids`` (0 … n − 1), both (spikes,), sorted by time, then unit.

    Raises ParameterError for arrays of different lengths, times that are negative or not finite, ids out of range.
    """

    def __init__(self, times_ms: ArrayLike, ids: ArrayLike, n: int) -> None:
        times, units = np.atleast_1d(np.asarray(times_ms, float)), np.atleast_1d(np.asarray(ids))
        if times.shape != units.shape or times.ndim != 1:
            raise ParameterError(f"Spikes: times_ms and ids must have one shape (spikes,), got {times.shape} and {units.shape}")
        if not np.all(np.isfinite(times)) or np.any(times < 0):
            raise ParameterError(
                f"Spikes.times_ms: must be finite and >= 0 ms, got {times[~(times >= 0) | ~np.isfinite(times)][0]}"
            )
        if n < 1 or n != int(n):
            raise ParameterError(f"Spikes.n: must be a whole number >= 1, got {n!r}")
        if units.size and (np.any(units != units.astype(np.int64)) or units.min() < 0 or units.max() >= n):
            wrong = units[(units < 0) | (units >= n) | (units != units.astype(np.int64))][0]
            raise ParameterError(f"Spikes.ids: must be whole numbers in 0 … {n - 1}, got {wrong}")
        order = np.lexsort((units, times))
        self.times_ms: Array = times[order]
        self.ids: Array = units[order].astype(np.int32)
        self.n = int(n)

    def __len__(self) -> int:
        return len(self.times_ms)

    def __repr__(self) -> str:
        end = f" up to {self.times_ms[-1]:g} ms" if len(self) else ""
        return f"<{len(self)} spikes of {self.n} units{end}>"

    def between(self, start_ms: float, stop_ms: float) -> Spikes:
        """The spikes with start_ms <= time < stop_ms, at the same times."""
        a, b = np.searchsorted(self.times_ms, [start_ms - 1e-6, stop_ms - 1e-6])
        return Spikes(self.times_ms[a:b], self.ids[a:b], self.n)

    def train(self, unit: int) -> Array:
        """The spike times (ms) of one unit."""
        train: Array = self.times_ms[self.ids == unit]
        return train

    def rate_hz(self, duration_ms: float) -> float:
        """Mean firing rate per unit (Hz) over ``duration_ms``."""
        return 1000 * len(self) / self.n / duration_ms


def read_ras(path: str | os.PathLike[str], n: int | None = None, ids_from: int = 0) -> Spikes:
    """Read a two-column text file: firing time in **seconds**, unit id. Lines that start with # and blank lines are skipped.

    Parameters
    ----------
    path : path of the file
    n : number of units; by default the largest id of the file decides
    ids_from : the id of the first unit in the file, 0 or 1

    Raises
    ------
    SpikeFileError : unreadable, binary, empty or malformed file, a time that is negative or not finite, an id out of range
    """
    name = os.fspath(path)
    if ids_from not in (0, 1):
        raise ParameterError(f"ids_from: must be 0 or 1, got {ids_from!r}")
    try:
        text = Path(name).read_bytes().decode("utf-8")
    except OSError as error:
        raise SpikeFileError(f"{name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SpikeFileError(f"{name}: must be a text file of two columns (time in s, unit id), is binary") from None
    times, ids = [], []
    last = ids_from + n - 1 if n is not None else None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            seconds, unit = float(words[0]), int(words[1])
            if len(words) != 2 or not 0 <= seconds < np.inf:
                raise ValueError
        except (ValueError, IndexError):
            raise SpikeFileError(f"{name}, line {number}: must be 'time in s >= 0, unit id', got {line.strip()[:60]!r}") from None
        if unit < ids_from or (last is not None and unit > last):
            remedy = "; if its ids count from 1, say so" if ids_from == 0 and last is not None and unit == last + 1 else ""
            upper = last if last is not None else "…"
            raise SpikeFileError(f"{name}, line {number}: id must be in {ids_from} … {upper}, got {unit}{remedy}")
        times.append(1000 * seconds)
        ids.append(unit - ids_from)
    if not times:
        raise SpikeFileError(f"{name}: must hold at least one spike, is empty")
    return Spikes(times, ids, n if n is not None else max(ids) + 1)


def write_ras(path: str | os.PathLike[str], spikes: Spikes) -> None:
    """Write a two-column text file: firing time in seconds, unit id from 0."""
    lines = (f"{round(t / 1000, 9)} {i}\n" for t, i in zip(spikes.times_ms, spikes.ids, strict=True))
    Path(path).write_text("".join(lines), encoding="utf-8")


class Matches(NamedTuple):
    """How an output answers its target: counts over all units."""

    hits: int
    misses: int
    extra: int


def match(output: Spikes, target: Spikes, tolerance_ms: float = 2.0) -> Matches:
    """Pair output with target spikes of the same unit no more than ``tolerance_ms`` apart, each spike at most once.

    Going forward in time and taking the first partner that is still free pairs as many as can be paired.
    """
    hits = 0
    for unit in np.intersect1d(output.ids, target.ids):
        ours, wanted = output.train(unit), target.train(unit)
        i = j = 0
        while i < len(ours) and j < len(wanted):
            if abs(ours[i] - wanted[j]) <= tolerance_ms + 1e-6:
                hits, i, j = hits + 1, i + 1, j + 1
            elif ours[i] < wanted[j]:
                i += 1
            else:
                j += 1
    return Matches(hits, len(target) - hits, len(output) - hits)


def van_rossum_distance(a: Spikes, b: Spikes, tau_ms: float = 10.0, tau_rise_ms: float | None = None) -> Array:
    """Squared van Rossum distance of each unit's two spike trains, (n,) (van Rossum 2001; ZG18 Eq. 2.1).

    The kernel is e^(−t/τ), or with ``tau_rise_ms`` the double exponential e^(−t/τ) − e^(−t/τ_rise); the integral of the
    squared difference is scaled so that one unmatched spike counts 1. (Elephant returns its root.)

    Parameters
    ----------
    a, b : spike trains of the same number of units
    tau_ms, tau_rise_ms : time constants (ms)
    """
    if a.n != b.n:
        raise ParameterError(f"van_rossum_distance: both must have the same number of units, got {a.n} and {b.n}")
    Param("ms", "", gt=0).check("van_rossum_distance.tau_ms", tau_ms)
    if tau_rise_ms is not None:
        Param("ms", "", gt=0, lt=tau_ms).check("van_rossum_distance.tau_rise_ms", tau_rise_ms)

    def overlap(x: Array, y: Array) -> float:  # ∫ κ(t − x) κ(t − y) dt, summed over all pairs, relative to x = y
        gap = np.abs(x[:, None] - y[None, :])
        if tau_rise_ms is None:
            return float(np.exp(-gap / tau_ms).sum())
        slow, fast = tau_ms * np.exp(-gap / tau_ms), tau_rise_ms * np.exp(-gap / tau_rise_ms)
        return float((slow - fast).sum() / (tau_ms - tau_rise_ms))

    trains = ((a.train(unit), b.train(unit)) for unit in range(a.n))
    return np.array([overlap(x, x) + overlap(y, y) - 2 * overlap(x, y) for x, y in trains])

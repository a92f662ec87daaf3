"""Spike trains: the container, and its exchange with rasters and Neo."""

from __future__ import annotations

import contextlib
import math
import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.parameters import Param, ParameterError, check_memory, check_plain, extra, number
from ..model.scheme import slack, to_steps

Array = NDArray[Any]

STEP = Param("ms", "length of a raster's time step", gt=0)
MOST_UNITS = 2**31 - 1


def checked_numbers(rule: str, values: Any, kinds: str = "iuf") -> Array:
    """``values`` as an array of real numbers; ParameterError for texts, complex numbers, dates, units and masked values."""
    check_plain(rule, values)
    try:
        found = np.asarray(values)
    except ValueError:
        raise ParameterError(f"{rule}, got lists of different lengths") from None
    if found.dtype == object:  # lists of numbers too large for numpy, other libraries' columns
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            found = found.astype(float)
    if found.size and found.dtype.kind not in kinds:
        raise ParameterError(f"{rule}, got {reprlib.repr(found.ravel()[:7].tolist())}")
    return np.atleast_1d(found)


def as_double(values: Array) -> Array:
    """A copy in double precision; of single precision, the shortest decimal fractions that it stands for."""
    exact = values.astype(float)
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        for decimals in range(9, -1, -1):
            short = np.round(values.astype(float), decimals)
            exact = np.where(short.astype(values.dtype) == values, short, exact)
    return exact


def number_of_units(address: str, n: Any) -> int:
    """``n`` as an int, if it is a whole number from 1 to 2³¹ − 1: ids are kept in 32 bits."""
    try:
        if not isinstance(n, (bool, np.bool_, str)) and 1 <= n <= MOST_UNITS and n == int(n):
            return int(n)
    except (TypeError, ValueError):
        pass
    raise ParameterError(f"{address}: must be a whole number >= 1 and <= {MOST_UNITS}, got {n!r}")


class Spikes:
    """Spikes of ``n`` units: ``times_ms`` (ms) and ``ids`` (0 … n − 1), both (spikes,), sorted by time, then unit.

    Times in single precision become the shortest decimal fractions that they stand for: 0.3, not 0.30000001192.

    Raises ParameterError for arrays of different lengths, times that are negative or not finite, ids out of range, and
    what is neither: texts, complex numbers, dates, masked values.
    """

    def __init__(self, times_ms: ArrayLike, ids: ArrayLike, n: int) -> None:
        self.n = number_of_units("Spikes.n", n)
        rule_ids = f"Spikes.ids: must be whole numbers in 0 … {self.n - 1}"
        times = checked_numbers("Spikes.times_ms: must be finite and >= 0 ms", times_ms)
        units = checked_numbers(rule_ids, ids, "biuf")
        if times.shape != units.shape or times.ndim != 1:
            raise ParameterError(f"Spikes: times_ms and ids must have one shape (spikes,), got {times.shape} and {units.shape}")
        times = as_double(times)
        wrong = ~np.isfinite(times) | (times < 0)
        if wrong.any():
            raise ParameterError(f"Spikes.times_ms: must be finite and >= 0 ms, got {times[wrong][0]}")
        wrong = ~((units >= 0) & (units < self.n) & (units == np.floor(units)))
        if wrong.any():
            raise ParameterError(f"{rule_ids}, got {units[wrong][0]}")
        order = np.argsort(times, kind="stable")  # unlike lexsort, quick where most of them are in order
        later = np.cumsum(np.diff(times[order], prepend=0) > 0)
        order = order[np.argsort(later * 2**31 + units[order].astype(np.int64), kind="stable")]
        self.times_ms: Array = times[order]
        self.ids: Array = units[order].astype(np.int32)

    def __len__(self) -> int:
        return len(self.times_ms)

    def __repr__(self) -> str:
        end = f" up to {self.times_ms[-1]:g} ms" if len(self) else ""
        return f"<{len(self)} spikes of {self.n} units{end}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spikes):
            return NotImplemented
        return self.n == other.n and np.array_equal(self.times_ms, other.times_ms) and np.array_equal(self.ids, other.ids)

    __hash__ = None  # type: ignore[assignment]

    def between(self, start_ms: float, stop_ms: float) -> Spikes:
        """The spikes with start_ms <= time < stop_ms, at the same times; rounding is forgiven (scheme.slack)."""
        a, b = np.searchsorted(self.times_ms, [edge - slack(edge) for edge in map(number, (start_ms, stop_ms))])
        return Spikes(self.times_ms[a:b], self.ids[a:b], self.n)

    def train(self, unit: int) -> Array:
        """The spike times (ms) of one unit."""
        train: Array = self.times_ms[self.ids == unit]
        return train

    def rate_hz(self, duration_ms: float) -> float:
        """Mean firing rate per unit (Hz) over ``duration_ms``."""
        duration: float = Param("ms", "", gt=0).check("Spikes.rate_hz.duration_ms", duration_ms)
        return 1000 * len(self) / self.n / duration

    @classmethod
    def from_raster(cls, raster: ArrayLike, dt_ms: float) -> Spikes:
        """The spikes of a boolean raster (steps, n): True in row s is a spike at s · ``dt_ms``, the start of the step."""
        dt_ms = STEP.check("Spikes.from_raster.dt_ms", dt_ms)
        check_plain("Spikes.from_raster.raster: must be booleans (or 0 and 1)", raster)
        table = np.asarray(raster)
        if table.ndim != 2 or table.shape[1] < 1 or not np.all((table == 0) | (table == 1)):
            raise ParameterError(
                f"Spikes.from_raster.raster: must be booleans (or 0 and 1) of the shape (steps, n), "
                f"got {table.dtype} of the shape {table.shape}"
            )
        steps, ids = np.nonzero(table)
        return cls(np.round(steps * dt_ms, 9), ids, table.shape[1])

    def to_raster(self, dt_ms: float, duration_ms: float | None = None, *, merge: bool = False) -> Array:
        """A boolean raster (steps, n), each spike in the step of ``dt_ms`` (ms) that it falls into.

        Parameters
        ----------
        dt_ms : length of a step (ms)
        duration_ms : length of the raster (ms); by default it ends with the last spike
        merge : let two spikes of a unit in one step become one, instead of refusing them

        Raises
        ------
        ParameterError : two spikes of a unit in one step, a spike beyond the duration
        """
        dt_ms = STEP.check("Spikes.to_raster.dt_ms", dt_ms)
        if duration_ms is not None:
            duration_ms = Param("ms", "", ge=0).check("Spikes.to_raster.duration_ms", duration_ms)
        end = max([duration_ms or 0.0, *self.times_ms[-1:]])
        check_memory("Spikes.to_raster", f"{end:g} ms in steps of {dt_ms:g} ms for {self.n} units", self.n * (end / dt_ms))
        steps = to_steps(self.times_ms, dt_ms)
        length = int(steps[-1]) + 1 if len(self) else 0
        if duration_ms is not None:
            length = math.ceil((duration_ms - slack(duration_ms, dt_ms)) / dt_ms)
            end = length * dt_ms
            if len(self) and self.times_ms[-1] >= end - slack(end, min(dt_ms, 0.1)):
                raise ParameterError(
                    f"Spikes.to_raster.duration_ms: must reach beyond the last spike ({self.times_ms[-1]:.10g} ms), "
                    f"got {duration_ms:.10g}; cut with between()"
                )
            steps = np.minimum(steps, length - 1)
        raster = np.zeros((length, self.n), bool)
        raster[steps, self.ids] = True
        if not merge and raster.sum() < len(self):
            cells, counts = np.unique(steps * self.n + self.ids, return_counts=True)
            step, unit = divmod(int(cells[counts > 1][0]), self.n)
            raise ParameterError(
                f"Spikes.to_raster.dt_ms: must part all spikes of a unit, but unit {unit} spikes {counts[counts > 1][0]} times "
                f"in the step from {step * dt_ms:g} ms, got {dt_ms:g}; lower dt_ms, or make one spike of them (merge=True)"
            )
        return raster

    @classmethod
    def from_neo(cls, trains: Iterable[Any], origin_ms: float = 0.0) -> Spikes:
        """The spikes of a list of ``neo.SpikeTrain``, one per unit, in any unit of time.

        Times count from ``origin_ms`` (ms, on the trains' own clock): with trains that start at 2 s, ``origin_ms=2000``
        makes them start at 0. The end, ``t_stop``, is the trains' own: spikes here have none. Raises ParameterError for
        a spike before the origin.
        """
        origin_ms = Param("ms", "").check("Spikes.from_neo.origin_ms", origin_ms)
        times = [as_double(np.asarray(train.magnitude)) * float(train.units.rescale("ms")) - origin_ms for train in trains]
        first = min((float(x.min()) for x in times if x.size), default=0.0)
        if first < 0:
            raise ParameterError(
                f"Spikes.from_neo.origin_ms: must not lie after the first spike, got {origin_ms:g} ms and a spike at "
                f"{origin_ms + first:g} ms; give the trains' t_start"
            )
        return cls(np.concatenate([[], *times]), np.repeat(np.arange(len(times)), [x.size for x in times]), len(times))

    def to_neo(self, t_stop_ms: float, t_start_ms: float = 0.0) -> list[Any]:
        """A list of ``neo.SpikeTrain`` in ms, one per unit, from ``t_start_ms`` to ``t_stop_ms`` (needs the extra ``neo``).

        Raises ParameterError for a spike outside these: cut with :meth:`between` first.
        """
        neo = extra("neo")
        if not t_start_ms < t_stop_ms or (len(self) and not t_start_ms <= self.times_ms[0] <= self.times_ms[-1] <= t_stop_ms):
            span = f"{self.times_ms[0]:g} … {self.times_ms[-1]:g} ms" if len(self) else "no spike"
            raise ParameterError(
                f"Spikes.to_neo: t_start_ms < t_stop_ms must enclose the spikes ({span}), "
                f"got {t_start_ms:g} and {t_stop_ms:g}; cut with between()"
            )
        window = {"units": "ms", "t_start": t_start_ms, "t_stop": t_stop_ms}
        return [neo.SpikeTrain(self.train(unit), unit=unit, **window) for unit in range(self.n)]

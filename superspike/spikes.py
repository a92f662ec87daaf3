"""Spike trains: the container, its exchange with .ras files, rasters and Neo, and distances between spike trains."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import re
import reprlib
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._parameters import Param, ParameterError, extra
from .scheme import slack, to_steps

Array = NDArray[Any]

STEP = Param("ms", "length of a raster's time step", gt=0)
MOST_UNITS = 2**31 - 1

CONTROL = bytes({*range(32)} - {*b"\t\n\v\f"})  # what makes a file binary
PLAIN = b"0123456789+-.eE \t\n"  # what the lines of a .ras file consist of
_NUMBER = rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
SWAPPED = "if the ids come first, as in NEST's .gdf files, swap the columns (and give times in s, not ms)"
LINE = re.compile(rb"[ \t]*(%s)[ \t]+(%s)[ \t]*" % (_NUMBER, _NUMBER))


class SpikeFileError(ParameterError):
    """A spike file that cannot be read; the message names file and line."""


def _numbers(rule: str, values: Any, kinds: str = "iuf") -> Array:
    """``values`` as an array of real numbers; ParameterError for texts, complex numbers, dates and masked values."""
    try:
        found = np.asanyarray(values)
    except ValueError:
        raise ParameterError(f"{rule}, got lists of different lengths") from None
    if np.ma.is_masked(found):
        raise ParameterError(f"{rule}, got masked values; leave them out")
    if found.dtype == object:  # lists of numbers too large for numpy, other libraries' columns
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            found = found.astype(float)
    if found.size and found.dtype.kind not in kinds:
        raise ParameterError(f"{rule}, got {reprlib.repr(found.ravel()[:7].tolist())}")
    return np.atleast_1d(np.asarray(found))


def _as_double(values: Array) -> Array:
    """A copy in double precision; of single precision, the shortest decimal fractions that it stands for."""
    exact = values.astype(float)
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        for decimals in range(9, -1, -1):
            short = np.round(values.astype(float), decimals)
            exact = np.where(short.astype(values.dtype) == values, short, exact)
    return exact


def _number_of_units(address: str, n: Any) -> int:
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
        self.n = _number_of_units("Spikes.n", n)
        rule_ids = f"Spikes.ids: must be whole numbers in 0 … {self.n - 1}"
        times, units = _numbers("Spikes.times_ms: must be finite and >= 0 ms", times_ms), _numbers(rule_ids, ids, "biuf")
        if times.shape != units.shape or times.ndim != 1:
            raise ParameterError(f"Spikes: times_ms and ids must have one shape (spikes,), got {times.shape} and {units.shape}")
        times = _as_double(times)
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
        a, b = np.searchsorted(self.times_ms, [edge - slack(edge) for edge in (start_ms, stop_ms)])
        return Spikes(self.times_ms[a:b], self.ids[a:b], self.n)

    def train(self, unit: int) -> Array:
        """The spike times (ms) of one unit."""
        train: Array = self.times_ms[self.ids == unit]
        return train

    def rate_hz(self, duration_ms: float) -> float:
        """Mean firing rate per unit (Hz) over ``duration_ms``."""
        return 1000 * len(self) / self.n / duration_ms

    @classmethod
    def from_raster(cls, raster: ArrayLike, dt_ms: float) -> Spikes:
        """The spikes of a boolean raster (steps, n): True in row s is a spike at s · ``dt_ms``, the start of the step."""
        dt_ms = STEP.check("Spikes.from_raster.dt_ms", dt_ms)
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
        steps = to_steps(self.times_ms, dt_ms)
        length = int(steps[-1]) + 1 if len(self) else 0
        if duration_ms is not None:
            duration_ms = Param("ms", "", ge=0).check("Spikes.to_raster.duration_ms", duration_ms)
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
        times = [_as_double(np.asarray(train.magnitude)) * float(train.units.rescale("ms")) - origin_ms for train in trains]
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


def read_ras(path: str | os.PathLike[str], n: int | None = None, ids_from: int = 0) -> Spikes:
    """Read a two-column text file, plain or gzip: firing time in **seconds**, unit id. ``#`` begins a comment.

    Ids may be written as floats (``1.0``). Times are rounded to 1e-9 ms.

    Parameters
    ----------
    path : path of the file
    n : number of units; by default the largest id of the file decides. A file without a spike is read only with it.
    ids_from : the id of the first unit in the file, 0 or 1

    Raises
    ------
    SpikeFileError : unreadable, binary, empty or malformed file, a time that is negative or not finite, an id out of range
    """
    name = os.fspath(path)
    if ids_from not in (0, 1):
        raise ParameterError(f"ids_from: must be 0 or 1, got {ids_from!r}")
    units = MOST_UNITS if n is None else _number_of_units("read_ras.n", n)
    text = _ras_text(name)
    if not text.strip():
        if n is None:
            raise SpikeFileError(f"{name}: must hold at least one spike, is empty; or say how many silent units it means")
        return Spikes([], [], n)
    rows = _table(text)
    whole = rows == np.floor(rows)
    if whole[:, 0].all() and not re.search(rb"(?m)^[ \t]*(?![0-9]+[ \t]+[0-9]*\.)\S", text):
        raise SpikeFileError(f"{name}: must be 'time in s, unit id', but times are whole and ids have a point; {SWAPPED}")
    times, ids = _ms(rows[:, 0]), rows[:, 1] - ids_from
    if not np.all((times >= 0) & (times < np.inf) & (ids >= 0) & (ids < units) & whole[:, 1]):
        faults = ((number, _fault(line, units, ids_from)) for number, line in enumerate(text.split(b"\n"), 1))
        number, fault = next((number, fault) for number, fault in faults if fault)
        raise SpikeFileError(f"{name}, line {number}: {fault}")
    return Spikes(times, ids, int(ids.max()) + 1 if n is None else n)


def _ms(seconds: ArrayLike) -> Array:
    """Seconds in ms, to the picosecond: 0.0003 s is 0.3 ms, whatever binary fractions say."""
    with np.errstate(over="ignore"):
        return np.round(1000 * np.asarray(seconds, float), 9)


def _ras_text(name: str) -> bytes:
    """A file's lines, without comments, each ended by a line feed."""
    try:
        data = Path(name).read_bytes()
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error) as error:
        raise SpikeFileError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpikeFileError(f"{name}: must be ASCII or UTF-8 text, is UTF-16; save it as UTF-8")
    lines = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = re.sub(rb"#[^\n]*", b"", lines)
    if text != text.translate(None, CONTROL):
        raise SpikeFileError(f"{name}: must be a text file of two columns (time in s, unit id), is binary")
    return text


def _table(text: bytes) -> Array:
    """The numbers of a text of two columns, (lines, 2); a row of nan if some line holds something else."""
    table = np.zeros((0, 0))
    if not text.translate(None, PLAIN):
        with contextlib.suppress(ValueError):
            table = np.loadtxt(io.BytesIO(text), comments=None, ndmin=2)
    return table if table.shape[1] == 2 else np.full((1, 2), np.nan)


def _fault(line: bytes, units: int, ids_from: int) -> str:
    """What is wrong with a line of a .ras file; nothing, if nothing is."""
    words = LINE.fullmatch(line)
    seconds, unit = map(float, words.groups()) if words else (-1.0, 0.0)
    if not line.strip(b" \t"):
        return ""
    if not 0 <= _ms(seconds) < np.inf or unit % 1 != 0:
        remedy = f"; {SWAPPED}" if words and seconds % 1 == 0 and unit % 1 else ""
        return f"must be 'time in s >= 0, unit id', got {line.decode('utf-8', 'replace').strip()[:60]!r}{remedy}"
    if not ids_from <= unit < ids_from + units:
        remedy = "; if its ids count from 1, say so" if ids_from == 0 and unit == units < MOST_UNITS else ""
        last = "…" if unit < ids_from and units == MOST_UNITS else ids_from + units - 1
        return f"id must be in {ids_from} … {last}, got {unit:.0f}{remedy}"
    return ""


def write_ras(path: str | os.PathLike[str], spikes: Spikes) -> None:
    """Write a two-column text file: firing time in seconds, to the picosecond (1e-9 ms), and unit id from 0."""
    lines = (f"{round(t / 1000, 12)} {i}\n" for t, i in zip(spikes.times_ms.tolist(), spikes.ids.tolist(), strict=True))
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
        reach = tolerance_ms + slack(wanted)
        i = j = 0
        while i < len(ours) and j < len(wanted):
            if abs(ours[i] - wanted[j]) <= reach[j]:
                hits, i, j = hits + 1, i + 1, j + 1
            elif ours[i] < wanted[j]:
                i += 1
            else:
                j += 1
    return Matches(hits, len(target) - hits, len(output) - hits)


def answers(output: Spikes, target: Spikes, window_ms: float = 25.0) -> Array:
    """Whether each response window of :class:`superspike.Windowed` is answered rightly, (windows,) in the order of time.

    A window opens with one or more target spikes; the answer is right if their units spike in it, and no others. Spikes
    outside the windows do not count here, whether or not they are errors in training.
    """
    window_ms = Param("ms", "", gt=0).check("answers.window_ms", window_ms)
    found = []
    for onset in np.unique(target.times_ms):
        expected = target.ids[target.times_ms == onset]
        found.append(np.array_equal(np.unique(output.between(onset, onset + window_ms).ids), np.unique(expected)))
    return np.array(found, bool)


def agreement(output: Spikes, target: Spikes, window_ms: float) -> dict[str, float]:
    """How an output answers its target: hits, misses, extra (:func:`match`), or windows and accuracy (:func:`answers`) if any."""
    if not window_ms:
        return dict(match(output, target)._asdict())
    right = answers(output, target, window_ms)
    return {"windows": len(right), "accuracy": float(right.mean()) if len(right) else float("nan")}


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
    kernel = _kernel("van_rossum_distance", tau_ms, tau_rise_ms)
    return np.array([_distances([a.train(unit), b.train(unit)], kernel)[0, 1] for unit in range(a.n)])


def van_rossum_matrix(
    a: Spikes | Sequence[ArrayLike],
    b: Spikes | Sequence[ArrayLike] | None = None,
    tau_ms: float = 10.0,
    tau_rise_ms: float | None = None,
) -> Array:
    """Squared van Rossum distances between all pairs of spike trains, (len(a), len(b)); kernel and scale as above.

    Exact, in (all spikes) × (all trains) operations: Houghton & Kreuz (2012).

    Parameters
    ----------
    a, b : the units of :class:`Spikes`, or lists of arrays of times (ms); ``b`` is by default ``a``
    tau_ms, tau_rise_ms : time constants (ms) of :func:`van_rossum_distance`
    """
    kernel = _kernel("van_rossum_matrix", tau_ms, tau_rise_ms)
    rows = _trains(a)
    if b is None:
        return _distances(rows, kernel)
    return _distances(rows + _trains(b), kernel)[: len(rows), len(rows) :]


def _trains(trains: Spikes | Sequence[ArrayLike]) -> list[Array]:
    """A list of arrays of times (ms)."""
    if isinstance(trains, Spikes):
        return [trains.train(unit) for unit in range(trains.n)]
    rules = [f"van_rossum_matrix: train {k} must be an array of finite times (ms)" for k in range(len(trains))]
    arrays = [_as_double(_numbers(rule, train)) for rule, train in zip(rules, trains, strict=True)]
    for rule, times in zip(rules, arrays, strict=True):
        if times.ndim != 1 or not np.all(np.isfinite(times)):
            raise ParameterError(f"{rule}, got {times!r}")
    return arrays


def _kernel(address: str, tau_ms: float, tau_rise_ms: float | None) -> tuple[Array, Array]:
    """Time constants c and weights w of the kernel's autocorrelation Σ w e^(−|t|/c), which is 1 at t = 0."""
    tau_ms = Param("ms", "", gt=0).check(f"{address}.tau_ms", tau_ms)
    if tau_rise_ms is None:
        return np.array([tau_ms]), np.array([1.0])
    tau_rise_ms = Param("ms", "", gt=0, lt=tau_ms).check(f"{address}.tau_rise_ms", tau_rise_ms)
    return np.array([tau_ms, tau_rise_ms]), np.array([tau_ms, -tau_rise_ms]) / (tau_ms - tau_rise_ms)


def _distances(trains: list[Array], kernel: tuple[Array, Array]) -> Array:
    """Squared distances between all pairs of trains.

    The overlap ∫ x y of two filtered trains is a sum of the kernel's autocorrelation over all pairs of their spikes.
    Going forward in time, a sum of exponentials per train holds all its earlier spikes: a spike meets them all at once.
    """
    taus, weights = kernel
    times = np.concatenate([[], *trains])
    owners = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    order = np.argsort(times, kind="stable")
    decays = np.exp(-np.diff(times[order], prepend=times[order][:1])[:, None] / taus)
    earlier = np.zeros((len(taus), len(trains)))
    pairs = np.zeros((len(trains), len(trains)))
    for owner, decay in zip(owners[order], decays, strict=True):
        earlier *= decay[:, None]
        pairs[owner] += weights @ earlier
        earlier[:, owner] += 1
    overlap = pairs + pairs.T + np.diag([float(len(train)) for train in trains])
    own = overlap.diagonal()
    distances: Array = np.maximum(own[:, None] + own[None, :] - 2 * overlap, 0)  # equal trains differ by rounding
    return distances

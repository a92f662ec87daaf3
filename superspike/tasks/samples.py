"""Labelled trials: the container, its parts, its order by epochs and its time grid."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.files import read_arrays
from ..model.parameters import Param, ParameterError, check_fits, check_seed, number, reading_file
from ..model.scheme import slack, to_steps, whole_steps
from ..spikes.trains import MOST_UNITS, Spikes, checked_numbers, number_of_units
from .task import Task

Array = NDArray[Any]

DURATION = Param("ms", "length of a trial", gt=0)
DURATION_STEP = 10.0  # ms: a duration that is not given is the last spike's time rounded up to this
SAVED = ("times", "units", "offsets", "labels", "n_units", "duration")  # and the classes' names
MOST_CLASSES = 2**20  # that are named by their numbers
MOST_STEPS = 2**17  # of a trial: what single precision tells apart, with scheme.slack
CHUNK = 2**20  # numbers that are worked on at a time
BYTES = 16  # per spike: 4 of its time, 4 of its unit, and as much again while parts are joined


class Sample(NamedTuple):
    """One labelled trial."""

    spikes: Spikes
    label: int


class Split(NamedTuple):
    """Three parts that share no sample: one to learn from, one to choose by, one to be read once."""

    train: Samples
    validation: Samples
    test: Samples


class Trials(NamedTuple):
    """Samples on a grid of ``n_steps`` steps each: spike s of sample i, offsets[i] <= s < offsets[i + 1], in order of steps."""

    steps: Array
    units: Array
    offsets: Array
    n_steps: int


class Samples:
    """Labelled trials of one duration: the spikes of all of them one after the other, and where each begins.

    A spike takes 8 bytes, 4 for its time and 4 for its unit: 70,000 pictures of 100 spikes are 56 MB. Times are kept in
    single precision, which tells 2¹⁷ steps apart (:func:`superspike.model.scheme.slack`): no trial may have more.

    Parameters
    ----------
    times : spike times (ms), (spikes,), sorted within each sample
    units : which input spikes, 0 … n_units − 1, (spikes,)
    offsets : sample i has the spikes offsets[i] … offsets[i + 1] − 1, (samples + 1,)
    labels : the class of each sample, 0 … classes − 1, (samples,)
    n_units : number of inputs
    duration : length of each trial (ms), which its spikes come before
    classes : their names; by default the numbers up to the largest label
    complete : every class must have a sample; False for a few trials that are only to be classified

    Raises
    ------
    ParameterError : anything else, naming sample and value

    Notes
    -----
    Float32 times, int32 units, int64 offsets and int32 labels are kept as they are, others converted to these. A
    contiguous slice shares the arrays of the whole, which cannot be written to; any other selection is a copy.
    """

    def __init__(
        self,
        times: ArrayLike,
        units: ArrayLike,
        offsets: ArrayLike,
        labels: ArrayLike,
        n_units: int,
        duration: float,
        classes: Sequence[str] | None = None,
        *,
        complete: bool = True,
    ) -> None:
        self.n_units = number_of_units("Samples.n_units", n_units)
        self.duration: float = DURATION.check("Samples.duration", duration)
        found, self.classes = checked_labels(labels, classes, complete)
        self.labels = _frozen(found, np.int32)
        self.offsets = _frozen(_checked_offsets(offsets, len(self.labels)), np.int64)
        given_units = _vector(f"Samples.units: must be whole numbers in 0 … {self.n_units - 1}", units)
        given_times = _vector("Samples.times: must be finite and >= 0 ms", times, "iuf")
        if not len(given_times) == len(given_units) == self.offsets[-1]:
            raise ParameterError(
                f"Samples: times and units must have one shape (spikes,), with as many spikes as the last offset says "
                f"({self.offsets[-1]}), got {len(given_times)} and {len(given_units)}"
            )
        self.units = _frozen(self._checked_units(given_units), np.int32)
        with np.errstate(over="ignore"):
            self.times = _frozen(self._checked_times(given_times, given_times.astype(np.float32, copy=False)), np.float32)

    def _sample_of(self, wrong: Array) -> tuple[int, int]:
        """The first spike that is wrong, and its sample."""
        spike = int(np.argmax(wrong))
        return spike, int(np.searchsorted(self.offsets, spike, "right")) - 1

    def _checked_units(self, units: Array) -> Array:
        wrong = (units < 0) | (units >= self.n_units)
        if wrong.any():
            spike, sample = self._sample_of(wrong)
            raise ParameterError(
                f"Samples.units: must be whole numbers in 0 … {self.n_units - 1}, got {units[spike]} in sample {sample}"
            )
        return units

    def _checked_times(self, given: Array, times: Array) -> Array:
        wrong = ~((times >= 0) & (times < np.inf))
        if wrong.any():
            spike, sample = self._sample_of(wrong)
            raise ParameterError(f"Samples.times: must be finite and >= 0 ms, got {given[spike]} in sample {sample}")
        wrong = ~before(times, self.duration)
        if wrong.any():
            spike, sample = self._sample_of(wrong)
            raise ParameterError(
                f"Samples.times: must lie before the trial's end ({self.duration:.10g} ms), got {given[spike]:.10g} ms in "
                f"sample {sample}; give a longer duration, or leave later spikes out"
            )
        wrong = np.zeros(len(times), bool)
        np.less(times[1:], times[:-1], out=wrong[1:])
        wrong[self.offsets[:-1][self.offsets[:-1] < len(times)]] = False  # a sample's first spike follows none
        if wrong.any():
            spike, sample = self._sample_of(wrong)
            raise ParameterError(
                f"Samples.times: must be sorted within each sample, got {given[spike]:.10g} ms after {given[spike - 1]:.10g} ms "
                f"in sample {sample}; sort them, or make the samples with Samples.from_trials"
            )
        return times

    @classmethod
    def from_trials(
        cls,
        trials: Iterable[Spikes | tuple[ArrayLike, ArrayLike]],
        labels: ArrayLike,
        n_units: int,
        duration: float,
        classes: Sequence[str] | None = None,
        *,
        complete: bool = True,
    ) -> Self:
        """Samples from one :class:`Spikes`, or one pair (times in ms, units), per trial, in any order of time."""
        pairs = [(trial.times_ms, trial.ids) if isinstance(trial, Spikes) else trial for trial in trials]
        all_times, all_units = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
        for sample, pair in enumerate(pairs):
            rule = f"Samples.from_trials.trials[{sample}]"
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise ParameterError(f"{rule}: must be Spikes or a pair (times, units), got {type(pair).__name__}")
            times = _vector(f"{rule}: times must be numbers (ms)", pair[0], "iuf")
            units = _vector(f"{rule}: units must be whole numbers", pair[1])
            if len(times) != len(units):
                raise ParameterError(f"{rule}: must have a unit for each time, got {len(times)} times and {len(units)} units")
            wrong = ~((units >= 0) & (units <= MOST_UNITS))
            if wrong.any():
                raise ParameterError(f"{rule}: units must be whole numbers in 0 … {MOST_UNITS}, got {units[wrong][0]}")
            with np.errstate(over="ignore"):
                all_times.append(times.astype(np.float32))
            all_units.append(units)
        offsets = np.cumsum([0, *map(len, all_times[1:])])
        ordered = in_order(np.concatenate(all_times), np.concatenate(all_units).astype(np.int32), offsets)
        return cls(*ordered, offsets, labels, n_units, duration, classes, complete=complete)

    @classmethod
    def from_raster(
        cls, raster: ArrayLike, labels: ArrayLike, dt: float, classes: Sequence[str] | None = None, *, complete: bool = True
    ) -> Self:
        """Samples from booleans (samples, steps, units): True is a spike at the start of its step of ``dt`` (ms)."""
        dt = Param("ms", "", gt=0).check("Samples.from_raster.dt", dt)
        cube = np.asarray(raster)
        if cube.ndim != 3 or min(cube.shape[1:]) < 1 or cube.dtype.kind not in "biuf" or not np.all((cube == 0) | (cube == 1)):
            raise ParameterError(
                f"Samples.from_raster.raster: must be booleans (or 0 and 1) of the shape (samples, steps, units), "
                f"got {cube.dtype} of the shape {cube.shape}"
            )
        samples, steps, units = np.nonzero(cube)
        offsets = np.searchsorted(samples, np.arange(len(cube) + 1))
        duration = round(cube.shape[1] * dt, 9)
        return cls(np.round(steps * dt, 9), units, offsets, labels, cube.shape[2], duration, classes, complete=complete)

    @classmethod
    def from_neo(
        cls,
        trials: Iterable[Iterable[Any]],
        labels: ArrayLike,
        duration: float | None = None,
        classes: Sequence[str] | None = None,
        *,
        complete: bool = True,
    ) -> Self:
        """Samples from a list of ``neo.SpikeTrain`` per trial, one train per unit, in any unit of time.

        Times count from the earliest ``t_start`` of a trial's trains; ``duration`` (ms): by default to the latest ``t_stop``.
        """
        found, lengths, n_units = [], [0.0], 1
        for trains in map(list, trials):
            start, stop = (
                [float(getattr(train, edge).rescale("ms").magnitude) for train in trains] for edge in ("t_start", "t_stop")
            )
            origin = min(start, default=0.0)
            spikes = Spikes.from_neo(trains, origin) if trains else Spikes([], [], 1)
            found.append(spikes)
            lengths.append(round(max(stop, default=0.0) - origin, 9))
            n_units = max(n_units, spikes.n)
        return cls.from_trials(found, labels, n_units, max(lengths) if duration is None else duration, classes, complete=complete)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return (
            f"<{len(self)} samples of {len(self.classes)} classes, {len(self.times)} spikes of {self.n_units} units "
            f"in {self.duration:g} ms each>"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Samples):
            return NotImplemented
        same = (self.n_units, self.duration, self.classes) == (other.n_units, other.duration, other.classes)
        arrays = ("times", "units", "offsets", "labels")
        return same and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays)

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Sample]:
        return (self[sample] for sample in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """A :class:`Sample` for a number; else the samples of a slice (shared), an array of indices or of booleans (copies)."""
        chosen = np.arange(len(self))[np.asarray(index, int) if isinstance(index, (list, tuple)) and not index else index]
        if chosen.ndim > 1:
            raise ParameterError(f"Samples[…]: must be a number, a slice or a vector of indices, got the shape {chosen.shape}")
        if chosen.ndim == 0:
            span = slice(*self.offsets[chosen : chosen + 2])
            return Sample(Spikes(self.times[span], self.units[span], self.n_units), int(self.labels[chosen]))
        if isinstance(index, slice) and index.step in (None, 1):
            first, last = (chosen[0], chosen[-1] + 1) if len(chosen) else (0, 0)
            offsets = self.offsets[first : last + 1]
            span = slice(offsets[0], offsets[-1])
            return self._with(self.times[span], self.units[span], offsets - offsets[0], self.labels[first:last])
        starts, lengths = self.offsets[chosen], np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        spikes = np.repeat(starts - offsets[:-1], lengths)
        spikes += np.arange(len(spikes))
        return self._with(self.times[spikes], self.units[spikes], offsets, self.labels[chosen])

    def _with(self, times: Array, units: Array, offsets: Array, labels: Array) -> Samples:
        """Other samples of the same kind, which need no check."""
        made = object.__new__(Samples)
        made.n_units, made.duration, made.classes = self.n_units, self.duration, self.classes
        made.times, made.units = _frozen(times, np.float32), _frozen(units, np.int32)
        made.offsets, made.labels = _frozen(offsets, np.int64), _frozen(labels, np.int32)
        return made

    def lasting(self, duration: float) -> Samples:
        """The same samples in longer trials (sharing the arrays); ParameterError if a spike lies beyond ``duration`` (ms)."""
        arrays = (self.times, self.units, self.offsets, self.labels)
        return Samples(*arrays, self.n_units, duration, self.classes, complete=False)

    def stream(self, epochs: int = 1, seed: int = 1) -> Task:
        """The samples one after the other, without rest between them, each epoch in an order of its own: a task for ``train``.

        A target spike of the class's output begins each sample: the loss ``cross_entropy`` takes it as the name of the class,
        ``windowed`` as the begin of a response window.
        """
        epochs = Param("", "", ge=1).check("Samples.stream.epochs", epochs, int)
        if not len(self):
            raise ParameterError("Samples.stream: must be some samples, got none")
        order = np.concatenate([which for epoch in range(epochs) for which in self.batches(len(self), seed, epoch)])
        chosen, begin = self[order], self.duration * np.arange(len(order))
        times = chosen.times + np.repeat(begin, np.diff(chosen.offsets))
        inputs, targets = Spikes(times, chosen.units, self.n_units), Spikes(begin, chosen.labels, len(self.classes))
        return Task(inputs, targets, self.duration * len(order))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz file, which :meth:`load` reads."""
        arrays = {name: getattr(self, name) for name in SAVED}
        with Path(path).open("wb") as file:  # NumPy would add an ending to a name
            np.savez_compressed(file, **arrays, classes=np.array(self.classes))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, complete: bool = False) -> Self:
        """Read what :meth:`save` wrote. Raises ParameterError, which names the file, for anything else."""
        with reading_file(path, "samples that Samples.save wrote") as where:
            arrays: dict[str, Any] = read_arrays(where)
            times, units, offsets, labels, n_units, duration = (arrays[key] for key in SAVED)
            return cls(times, units, offsets, labels, n_units, duration, arrays["classes"].tolist(), complete=complete)

    def split(self, train: float = 0.8, validation: float = 0.1, seed: int = 1, *, stratified: bool = True) -> Split:
        """Three parts (copies) without a common sample, drawn at random; what is left is the third.

        Parameters
        ----------
        train, validation : how many samples (a whole number), or which part of them (a fraction, 0.8)
        seed : of the draw
        stratified : every class has its share in each part, to within a sample; else by chance
        """
        n = len(self)
        wanted = [_amount(f"Samples.split.{name}", x, n) for name, x in (("train", train), ("validation", validation))]
        ends = [round(wanted[0]), round(sum(wanted))]
        for name, x, size in (("train", train, ends[0]), ("validation", validation, ends[1] - ends[0])):
            if x and not size:
                raise ParameterError(f"Samples.split.{name}: must come to at least one of {n} samples, got {x!r}")
        if ends[1] > n:
            raise ParameterError(
                f"Samples.split: train and validation must come to at most all {n} samples, got {train!r} and {validation!r}"
            )
        order = np.random.default_rng(check_seed("Samples.split.seed", seed)).permutation(n)
        if stratified:
            labels = self.labels[order]
            by_class = np.argsort(labels, kind="stable")
            counts = np.bincount(labels, minlength=len(self.classes))
            ranks = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
            quantiles = (ranks + 0.5) / np.repeat(counts, counts)
            order = order[by_class[np.lexsort((by_class, quantiles))]]
        return Split(*(self[part] for part in np.split(order, ends)))

    def batches(self, batch: int, seed: int = 1, epoch: int = 0) -> Iterator[Array]:
        """Indices of all samples in the random order of an epoch, ``batch`` at a time; the last batch may be smaller."""
        batch = Param("", "", ge=1).check("Samples.batches.batch", batch, int)
        seed, epoch = check_seed("Samples.batches.seed", seed), check_seed("Samples.batches.epoch", epoch)
        order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,))).permutation(len(self))
        return (order[first : first + batch] for first in range(0, len(order), batch))

    def in_steps(self, dt: float) -> Trials:
        """The samples on the grid of time steps of ``dt`` (ms): steps (int32) to go with the units and offsets that are here."""
        dt = Param("ms", "", gt=0).check("Samples.in_steps.dt", dt)
        n_steps = whole_steps("Samples.duration", self.duration, dt)
        if n_steps > MOST_STEPS:
            raise ParameterError(
                f"Samples.duration: must be at most {MOST_STEPS} steps of {dt:g} ms, got {self.duration:g} ms; raise dt"
            )
        steps = np.empty(len(self.times), np.int32)
        for first in range(0, len(steps), CHUNK):
            part = slice(first, first + CHUNK)
            steps[part] = np.minimum(to_steps(self.times[part], dt), n_steps - 1)  # before the end, and be it by a hair
        return Trials(_frozen(steps, np.int32), self.units, self.offsets, n_steps)


def checked_labels(labels: ArrayLike, classes: Sequence[str] | None, complete: bool) -> tuple[Array, tuple[str, ...]]:
    """The labels and the classes' names, by default 0 … the largest label; ParameterError for what :class:`Samples` refuses."""
    found = _vector("Samples.labels: must be whole numbers >= 0", labels)
    if classes is None:
        n = int(found.max(initial=0)) + 1
        if n > MOST_CLASSES:
            raise ParameterError(f"Samples.labels: must be below {MOST_CLASSES} where no classes are named, got {n - 1}")
        classes = [str(label) for label in range(n)]
    names = (classes,) if isinstance(classes, str) else tuple(classes)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ParameterError(f"Samples.classes: must be different names, one or more, got {classes!r}")
    wrong = (found < 0) | (found >= len(names))
    if wrong.any():
        sample = int(np.argmax(wrong))
        raise ParameterError(
            f"Samples.labels: must be whole numbers in 0 … {len(names) - 1} ({len(names)} classes), got {found[sample]} "
            f"of sample {sample}"
        )
    without = np.bincount(found.astype(np.int64), minlength=len(names)) == 0
    if complete and without.any():
        empty = int(np.argmax(without))
        raise ParameterError(
            f"Samples.labels: must give every class a sample, class {empty} ({names[empty]!r}) has none; number the "
            f"classes without it, or say complete=False if these trials are only to be classified"
        )
    return found, names


def before(times: Array, duration: float) -> Array:
    """Whether times (ms) in single precision come before the end of a trial, and do not mean the end itself (scheme.slack)."""
    found: Array = times < float(duration - slack(duration))
    return found


def in_order(times: Array, units: Array, offsets: Array) -> tuple[Array, Array]:
    """Float32 times and int32 units >= 0, each sample's sorted by time, then unit; times that are no times go anywhere."""
    keys = (times + np.float32(0)).view(np.uint32).astype(np.uint64)  # positive floats sort as their bits do; −0 is 0
    keys <<= np.uint64(32)
    keys |= units.astype(np.uint64)
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        keys[first:last].sort()
    return (keys >> np.uint64(32)).astype(np.uint32).view(np.float32), (keys & np.uint64(MOST_UNITS)).astype(np.int32)


class Parts:
    """Samples that come in parts, to be joined: more than fits into memory is an error of ``address``, before it is full."""

    def __init__(self, address: str, remedy: str) -> None:
        self._address, self._remedy, self._spikes = address, remedy, 0
        self._times, self._units, self._lengths = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]

    def add(self, times: Array, units: Array, offsets: Array, kept: Array) -> None:
        """Take the spikes that are ``kept`` of samples between the ``offsets``, in any order within each."""
        sums = np.concatenate([[0], np.cumsum(kept)])[offsets]
        times, units = in_order(times[kept], units[kept], sums)
        self._spikes += len(times)
        check_fits(self._address, BYTES * self._spikes, self._remedy)
        self._times.append(times)
        self._units.append(units)
        self._lengths.append(np.diff(sums))

    def joined(self) -> tuple[Array, Array, Array]:
        """Times, units and offsets of all samples."""
        return np.concatenate(self._times), np.concatenate(self._units), np.cumsum(np.concatenate(self._lengths))


def longest(times: Iterable[Array]) -> float:
    """The duration (ms) of trials with these times (ms): the last, rounded up to the next 10 ms."""
    last = max((float(x.max()) for x in times if len(x)), default=0.0)
    return (int(to_steps(last, DURATION_STEP)) + 1) * DURATION_STEP


def which_of(address: str, which: ArrayLike | None, n: int) -> Array:
    """The numbers ``which`` of some of ``n`` samples; of all of them where nothing is said."""
    if which is None:
        return np.arange(n)
    rule = f"{address}: must be some samples, with numbers between 0 and {n - 1}"
    chosen = _vector(rule, which)
    if not len(chosen) or chosen.min() < 0 or chosen.max() >= n:
        raise ParameterError(f"{rule}, got {reprlib.repr(chosen.tolist())}")
    return chosen.astype(np.int64, copy=False)


def _vector(rule: str, values: Any, kinds: str = "iu") -> Array:
    """``values`` as a vector of numbers."""
    found = checked_numbers(rule, values, kinds)
    if found.ndim != 1:
        raise ParameterError(f"{rule}, in one dimension, got the shape {found.shape}")
    return found if found.size or found.dtype.kind in kinds else found.astype(np.int64)


def _frozen(values: Array, dtype: type) -> Array:
    """``values`` as a contiguous array of ``dtype`` that cannot be written to; shared where it is one already."""
    found: Array = np.ascontiguousarray(values, dtype).view()
    found.flags.writeable = False
    return found


def _checked_offsets(offsets: ArrayLike, n: int) -> Array:
    """Offsets that begin with 0 and never fall, one more than there are labels."""
    rule = "Samples.offsets: must be whole numbers that begin with 0 and never fall"
    found = _vector(rule, offsets)
    if len(found) != n + 1:
        raise ParameterError(f"Samples.offsets: must be one more than the labels ({n}), got {len(found)}")
    if found[0] != 0:
        raise ParameterError(f"{rule}, got {found[0]} first")
    falls = found[1:] < found[:-1]
    if falls.any():
        sample = int(np.argmax(falls))
        raise ParameterError(f"{rule}, got {found[sample + 1]} after {found[sample]} at sample {sample}")
    return found


def _amount(address: str, value: float, n: int) -> float:
    """How many of ``n`` samples a whole number or a fraction of them means."""
    share = not isinstance(value, (int, np.integer))
    checked: float = Param("", "", ge=0, le=1 if share else n).check(address, value, float if share else int)
    return number(checked) * n if share else checked

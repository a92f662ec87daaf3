"""Encoders: how numbers in 0 … 1 become spikes.

Each is a parameter class with a method ``encode``, which turns many samples into spikes at once; adding one is adding a
class here. :func:`encode` hands them the samples a bounded number at a time, cuts what comes after the trial's end, sorts
by time and checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.parameters import Param, ParameterError, Registry, attempt, check_fits, check_seed, parameters
from ..spikes.trains import checked_numbers
from .samples import BYTES, CHUNK, DURATION, Parts, Samples, before, checked_labels

Array = NDArray[Any]

Encoded = tuple[Array, Array, Array]


def check_encode(encoder: Any) -> None:
    """Raise the error that says what is wrong with ``encode``, as far as a first call tells."""
    x = np.array([[0.0, 0.5, 1.0], [0.25, 0.0, 0.75]])
    _checked(encoder, attempt(encoder, "encode", {"x": x, "duration": 10.0, "rng": np.random.default_rng(1)}), *x.shape)


ENCODERS = Registry("encoder", methods=("encode",), check=check_encode)

Tau = Annotated[float, Param("ms", "membrane time constant of the encoding neurons", gt=0, option="encoder-tau")]


@ENCODERS.register("latency")
@parameters
class Latency(NamedTuple):
    """One spike per input, the sooner the larger x is: t = τ log(x / (x − θ)); none where x <= θ.

    The time at which a leaky integrator of time constant τ, driven by the constant current x from rest, reaches θ.
    Source: Zenke's spytorch tutorials to Neftci, Mostafa & Zenke (2019); τ 20 ms, θ 0.2.
    """

    tau: Tau = 20.0
    theta: Annotated[float, Param("", "inputs up to this never spike", gt=0, lt=1)] = 0.2

    def encode(self, x: Array, duration: float, rng: np.random.Generator) -> Encoded:
        """Times (ms), units and offsets of the samples ``x`` (samples, units)."""
        spikes = x > self.theta
        strong = x[spikes]
        return self.tau * np.log(strong / (strong - self.theta)), np.nonzero(spikes)[1], _offsets(spikes.sum(1))


@ENCODERS.register("poisson")
@parameters
class PoissonRate(NamedTuple):
    """A Poisson train per input, with the rate x · ``rate_max`` in continuous time.

    Every sample has a generator of its own, spawned from the seed in the order of the samples: its spikes depend on the
    seed, its place and itself, and on no other sample.
    """

    rate_max: Annotated[float, Param("Hz", "firing rate of an input of 1", gt=0, option="encoder-rate")] = 100.0

    def encode(self, x: Array, duration: float, rng: np.random.Generator) -> Encoded:
        """Times (ms), units and offsets of the samples ``x`` (samples, units)."""
        expected = np.cumsum(x, axis=1, dtype=float) * (self.rate_max * duration / 1000)
        check_fits("PoissonRate.rate_max", int(4 * BYTES * expected[:, -1].sum()), "lower it, or shorten the trials")
        times, units = [np.zeros(0)], [np.zeros(0, np.int64)]
        for own, up_to in zip(rng.spawn(len(x)), expected, strict=True):
            points = own.random((2, own.poisson(up_to[-1])))
            times.append(points[0] * duration)
            units.append(np.searchsorted(up_to, points[1] * up_to[-1], "right"))
        return np.concatenate(times), np.concatenate(units), _offsets([len(train) for train in times[1:]])


@ENCODERS.register("current")
@parameters
class Current(NamedTuple):
    """The regular train of a leaky integrate-and-fire neuron per input, driven by the constant current gain · x.

    In units of the threshold: τ V' = gain · x − V from rest at 0; a spike at V = 1, then ``tau_ref`` at rest. So with
    T = τ log(gain x / (gain x − 1)) the spikes come at T, 2 T + tau_ref, 3 T + 2 tau_ref, …; none where gain · x <= 1.
    The first is that of :class:`Latency` with θ = 1 / gain. Source: Gerstner, Kistler, Naud & Paninski (2014), Neuronal
    Dynamics, § 1.3 (constant input to the leaky integrate-and-fire neuron).
    """

    tau: Tau = 20.0
    gain: Annotated[float, Param("", "current of an input of 1, in units of the one that just spikes", gt=0, le=1000)] = 5.0
    refractory: Annotated[float, Param("ms", "time at rest after a spike of the encoding neurons", ge=0)] = 5.0

    def encode(self, x: Array, duration: float, rng: np.random.Generator) -> Encoded:
        """Times (ms), units and offsets of the samples ``x`` (samples, units)."""
        current = self.gain * x
        rises = np.full(x.shape, np.inf)
        drives = current > 1
        rises[drives] = self.tau * np.log(current[drives] / (current[drives] - 1))
        counts = np.zeros(x.shape, np.int64)
        within = rises < duration
        counts[within] = np.ceil((duration - rises[within]) / (rises[within] + self.refractory))
        rows, units = np.nonzero(counts)
        each = counts[rows, units]
        earlier = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        rise = np.repeat(rises[rows, units], each)
        return rise + earlier * (rise + self.refractory), np.repeat(units, each), _offsets(counts.sum(1))


def encode(
    x: ArrayLike,
    labels: ArrayLike,
    encoder: Any = "latency",
    duration: float = 100.0,
    classes: Sequence[str] | None = None,
    seed: int = 1,
    *,
    complete: bool = True,
) -> Samples:
    """Labelled trials from numbers.

    Parameters
    ----------
    x : (samples, …), numbers in 0 … 1, or whole numbers of 8 bits, of which 255 means 1; all but the first axis are units
    labels, classes, complete : as in :class:`Samples`
    encoder : a name, or an instance of a registered class
    duration : length of a trial (ms); later spikes are left out
    seed : of encoders that draw

    Raises
    ------
    ParameterError : a number that is not in 0 … 1, an unknown encoder, wrong labels, data larger than memory
    """
    rng = np.random.default_rng(check_seed("encode.seed", seed))
    return encode_with(rng, x, labels, encoder, duration, classes, complete)


def encode_with(
    rng: np.random.Generator, x: ArrayLike, labels: ArrayLike, encoder: Any, duration: float, classes: Any, complete: bool = True
) -> Samples:
    """:func:`encode` with a generator in place of the seed."""
    encoder = ENCODERS.make(encoder)
    duration = DURATION.check("encode.duration", duration)
    numbers = _checked_numbers(x)
    n, n_units = numbers.shape
    found, names = checked_labels(labels, classes, complete)
    if len(found) != n:
        raise ParameterError(f"encode.labels: must be one for each of {n} samples, got {len(found)}")
    parts, rows = Parts("encode.x", "encode fewer samples"), max(1, 2 * CHUNK // n_units)
    for first in range(0, n, rows):
        part = numbers[first : first + rows]
        part = part / 255 if part.dtype == np.uint8 else part.astype(float)
        made = encoder.encode(part, duration, rng)
        times, units, offsets = _checked(encoder, made, len(part), n_units)
        parts.add(times, units, offsets, before(times, duration) | np.isnan(times))  # what is no time is an error, not late
    return Samples(*parts.joined(), found, n_units, duration, names, complete=False)


def _checked_numbers(x: ArrayLike) -> Array:
    """``x`` as (samples, units), whole numbers of 8 bits or numbers in 0 … 1."""
    rule = "encode.x: must be numbers in 0 … 1, (samples, …), or whole numbers of 8 bits, of which 255 means 1"
    given = checked_numbers(rule, x, "biuf")
    if given.ndim < 2 or given.size == 0:
        raise ParameterError(f"{rule}, got the shape {given.shape}")
    numbers = given.reshape(len(given), -1)
    if numbers.dtype != np.uint8 and not (numbers.min() >= 0 and numbers.max() <= 1):
        sample, unit = np.argwhere(~((numbers >= 0) & (numbers <= 1)))[0]
        found = f"got {numbers[sample, unit]} at unit {unit} of sample {sample}"
        raise ParameterError(f"{rule}, {found}; divide by the largest that there can be")
    return numbers


def _checked(encoder: Any, made: Any, n: int, n_units: int) -> Encoded:
    """What ``encode`` returned, as float32, int32 and int64."""
    address = f"{type(encoder).__name__}.encode"
    try:
        times, units, offsets = map(np.asarray, made)
        right = times.shape == units.shape == (offsets[-1],) and offsets.shape == (n + 1,)
        right = right and units.dtype.kind in "iu" and offsets.dtype.kind in "iu" and times.dtype.kind in "iuf"
        right = right and offsets[0] == 0 and bool((offsets[1:] >= offsets[:-1]).all())
    except (TypeError, ValueError, IndexError):
        right = False
    if not right:
        raise ParameterError(
            f"{address}: must return times (spikes,), units (spikes,) and offsets (samples + 1,), of which the last are whole "
            f"numbers that begin with 0, never fall and end with the number of spikes, got {made!r:.200}"
        )
    wrong = (units < 0) | (units >= n_units)
    if wrong.any():
        raise ParameterError(f"{address}: must return units in 0 … {n_units - 1}, got {units[wrong][0]}")
    with np.errstate(over="ignore"):
        return times.astype(np.float32), units.astype(np.int32), offsets.astype(np.int64)


def _offsets(counts: ArrayLike) -> Array:
    """Where each sample's spikes begin, and the last one's end, from how many each has."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

"""Van Rossum distances between spike trains (van Rossum 2001; Houghton & Kreuz 2012)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.parameters import Param, ParameterError
from .trains import Spikes, as_double, checked_numbers

Array = NDArray[Any]


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
    arrays = [as_double(checked_numbers(rule, train)) for rule, train in zip(rules, trains, strict=True)]
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

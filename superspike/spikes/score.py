"""How an output answers its target: hits, misses and extra spikes, and response windows answered rightly."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.parameters import Param
from ..model.scheme import slack
from .trains import Spikes

Array = NDArray[Any]


class Matches(NamedTuple):
    """How an output answers its target: counts over all units."""

    hits: int
    misses: int
    extra: int


def match(output: Spikes, target: Spikes, tolerance_ms: float = 2.0) -> Matches:
    """Pair output with target spikes of the same unit no more than ``tolerance_ms`` apart, each spike at most once.

    Going forward in time and taking the first partner that is still free pairs as many as can be paired.
    """
    tolerance_ms = Param("ms", "", ge=0).check("match.tolerance_ms", tolerance_ms)
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

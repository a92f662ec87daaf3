"""Random manifolds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from superspike import ParameterError, RandomManifolds, Samples
from superspike.tasks import randman

SMALL = RandomManifolds(classes=3, inputs=6, samples=60)


def points(samples: Samples, inputs: int) -> np.ndarray:
    """Each sample's times in the order of the inputs."""
    return np.stack([sample.spikes.times_ms[np.argsort(sample.spikes.ids)] for sample in samples]).reshape(-1, inputs)


def test_every_input_spikes_once_in_the_window_which_each_class_fills() -> None:
    parts = SMALL.make(1)
    assert [len(part) for part in parts] == [144, 18, 18]
    assert [np.bincount(part.labels).tolist() for part in parts] == [[48] * 3, [6] * 3, [6] * 3]
    times, labels = np.concatenate([points(part, 6) for part in parts]), np.concatenate([part.labels for part in parts])
    for label in range(3):
        assert np.all(times[labels == label].min(axis=0) == 0)
        assert np.all(times[labels == label].max(axis=0) == 50)
    assert parts.train.duration == 100.0


def test_the_same_seed_makes_the_same_task() -> None:
    assert SMALL.make(1) == SMALL.make(1)
    assert SMALL.make(1).test != SMALL.make(2).test


def test_times_are_the_series_of_the_formula() -> None:
    task = RandomManifolds(classes=2, inputs=2, dimension=2, smoothness=1.5, samples=5, window=40.0)
    found = task._times(np.random.default_rng(7))
    rng = np.random.default_rng(7)
    theta, chi, phi = rng.random((3, 2, 2, 100))  # k^−1.5 >= 0.001 up to 100
    x = rng.random((5, 2))
    wanted = np.ones((5, 2))
    for sample in range(5):
        for unit in range(2):
            for d in range(2):
                wanted[sample, unit] *= sum(
                    k**-1.5 * theta[unit, d, k - 1] * math.sin(2 * math.pi * (k * chi[unit, d, k - 1] * x[sample, d] + phi[unit, d, k - 1]))
                    for k in range(1, 101)
                )  # fmt: skip
    wanted -= wanted.min(axis=0)
    np.testing.assert_allclose(found, 40 * wanted / wanted.max(axis=0), atol=1e-3)  # sines in single precision, and 0 … 40


def test_a_bounded_number_of_points_is_worked_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SMALL._times(np.random.default_rng(1))
    monkeypatch.setattr(randman, "CHUNK", 7_000)
    np.testing.assert_allclose(
        SMALL._times(np.random.default_rng(1)), whole, atol=1e-3
    )  # sums of single precision, in other orders


@pytest.mark.parametrize(("smoothness", "least", "most"), [(2.0, 0.95, 1.0), (1.0, 0.9, 1.0), (0.0, 0.3, 0.8)])
def test_smooth_manifolds_can_be_told_apart_and_rough_ones_less(smoothness: float, least: float, most: float) -> None:
    task = RandomManifolds(classes=3, inputs=8, smoothness=smoothness, samples=200).make(1)
    train, test = points(task.train, 8), points(task.test, 8)
    nearest = ((test[:, None] - train) ** 2).sum(axis=2).argmin(axis=1)
    assert least <= np.mean(task.train.labels[nearest] == task.test.labels) <= most


@pytest.mark.parametrize("smoothness", [1e-6, 1e3])
def test_any_smoothness_gives_times_in_the_window(smoothness: float) -> None:
    times = RandomManifolds(classes=2, inputs=2, samples=10, smoothness=smoothness)._times(np.random.default_rng(1))
    assert np.all((times >= 0) & (times <= 50.0))


def test_what_cannot_be_made_is_named() -> None:
    with pytest.raises(ParameterError, match=r"RandomManifolds\.window: must be < 50 ms, the duration, got 50 ms"):
        RandomManifolds(duration=50.0).make(1)
    with pytest.raises(ParameterError, match=r"RandomManifolds\.classes: must be a whole number >= 2, got 1"):
        RandomManifolds(classes=1)
    with pytest.raises(ParameterError, match=r"Samples\.split: train and validation must come to at most all 30"):
        RandomManifolds(classes=3, samples=10, validation=0.5).make(1)
    with pytest.raises(ParameterError, match=r"RandomManifolds\.seed"):
        SMALL.make(-1)

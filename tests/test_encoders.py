"""Encoders: numbers in 0 … 1 become spikes."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from superspike import Current, Latency, Param, ParameterError, PoissonRate, Spikes, encode
from superspike.tasks import ENCODERS, encoders

NUMBERS = arrays(float, (3, 4), elements=st.floats(0, 1))


def by_loop(encoder: Any, x: float, duration: float) -> list[float]:
    """The spike times of one input, from the formulas."""
    if isinstance(encoder, Latency):
        times = [encoder.tau * math.log(x / (x - encoder.theta))] if x > encoder.theta else []
    else:
        drive = encoder.gain * x
        times = [encoder.tau * math.log(drive / (drive - 1))] if drive > 1 else []
        while times and times[-1] < duration:
            times.append(times[-1] + encoder.refractory + times[0])
    return [time for time in times if time < duration]


@given(
    NUMBERS, st.sampled_from([Latency(), Latency(7.0, 0.5), Current(), Current(10.0, 2.0, 0.0)]), st.sampled_from([20.0, 100.0])
)
def test_times_are_those_of_a_plain_loop(x: np.ndarray, encoder: Any, duration: float) -> None:
    samples = encode(x, [0, 0, 0], encoder, duration)
    for sample, row in zip(samples, x, strict=True):
        for unit, number in enumerate(row):
            wanted = by_loop(encoder, float(number), duration - 1e-3)
            found = sample.spikes.train(unit)
            assert len(found) - len(wanted) in (0, 1)  # a spike in the last 0.001 ms may be left out
            np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=3e-7)  # times are in single precision


def test_latency_is_tau_log_of_x_over_x_less_theta() -> None:
    samples = encode([[0.0, 0.2, 0.4, 1.0]], [0])
    assert samples.units.tolist() == [3, 2]
    np.testing.assert_allclose(samples.times, [20 * math.log(1 / 0.8), 20 * math.log(2)], rtol=1e-6)  # single precision


def test_a_current_has_its_latency_first_and_is_regular_then() -> None:
    x = np.linspace(0.21, 1, 20)[None]
    latency, current = (encode(x, [0], encoder, 200.0)[0].spikes for encoder in (Latency(), Current()))
    for unit in range(20):
        train = current.train(unit)
        assert train[0] == pytest.approx(latency.train(unit)[0], rel=1e-6)  # single precision
        np.testing.assert_allclose(np.diff(train), train[0] + 5.0, rtol=1e-5)  # differences of single precision


def test_a_current_is_that_of_an_integrated_neuron() -> None:
    dt, v, held, times = 1e-4, 0.0, 0.0, []
    for step in range(500_000):  # forward Euler
        held -= dt
        if held <= 0:
            v += dt / 20.0 * (5.0 * 0.6 - v)
        if v >= 1:
            v, held = 0.0, 5.0
            times.append(step * dt)
    np.testing.assert_allclose(encode([[0.6]], [0], Current(), 50.0).times, times, atol=2e-3)  # a few steps of 0.0001 ms a spike


def test_poisson_trains_have_their_rate_and_scatter() -> None:
    x = np.tile([0.0, 0.2, 1.0, 0.0], (2000, 1))
    samples = encode(x, np.zeros(2000, int), PoissonRate(50.0), 200.0, seed=1)
    sample = np.repeat(np.arange(2000), np.diff(samples.offsets))
    for unit, mean in enumerate([0.0, 2.0, 10.0, 0.0]):
        counts = np.bincount(sample[samples.units == unit], minlength=2000)
        assert abs(counts.mean() - mean) <= 4 * math.sqrt(mean / 2000)  # four standard errors
        assert abs(counts.var() - mean) <= 4 * mean * math.sqrt(2 / 2000) + 0.03  # as many of a variance; its skew
    assert abs(samples.times.mean() - 100.0) < 4 * 200 / math.sqrt(12 * len(samples.times))  # four standard errors


def test_a_samples_poisson_spikes_do_not_depend_on_the_other_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).random((7, 5))
    whole = encode(x, np.zeros(7, int), "poisson", seed=3)
    other = x.copy()
    other[:4] = 0.5
    assert encode(other, np.zeros(7, int), "poisson", seed=3)[4:] == whole[4:]
    assert encode(x[:4], np.zeros(4, int), "poisson", seed=3) == whole[:4]
    assert encode(x, np.zeros(7, int), "poisson", seed=4) != whole
    monkeypatch.setattr(encoders, "CHUNK", 6)
    assert encode(x, np.zeros(7, int), "poisson", seed=3) == whole


@pytest.mark.parametrize("name", ENCODERS)
def test_samples_are_encoded_a_bounded_number_at_a_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, seen = np.random.default_rng(2).random((50, 8)), []
    whole = encode(x, np.zeros(50, int), name)
    plain = ENCODERS[name].encode
    monkeypatch.setattr(ENCODERS[name], "encode", lambda self, x, *rest: seen.append(x.size) or plain(self, x, *rest))
    monkeypatch.setattr(encoders, "CHUNK", 40)
    assert encode(x, np.zeros(50, int), name) == whole
    assert max(seen) <= 80


def test_bytes_mean_255ths() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (4, 3, 2)).astype(np.uint8)
    assert encode(pixels, [0, 0, 1, 1]) == encode(pixels.reshape(4, 6) / 255, [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("x", "labels", "options", "message"),
    [
        ([[0.5, 1.5]], [0], {}, r"encode\.x: .* got 1\.5 at unit 1 of sample 0; divide by the largest"),
        ([[0.5, 0.5], [np.nan, 0]], [0, 0], {}, r"encode\.x: .* got nan at unit 0 of sample 1"),
        ([0.5, 0.5], [0, 0], {}, r"encode\.x: .* got the shape \(2,\)"),
        (np.zeros((0, 3)), [], {}, r"encode\.x: .* got the shape \(0, 3\)"),
        ([["a"]], [0], {}, r"encode\.x: must be numbers"),
        ([[0.5]], [0, 0], {}, r"encode\.labels: must be one for each of 1 samples, got 2"),
        ([[0.5]], [2], {"classes": ["a"]}, r"Samples\.labels: must be whole numbers in 0 … 0 \(1 classes\), got 2 of sample 0"),
        ([[0.5]], [0], {"encoder": "nonsense"}, "encoder: must be one of latency, poisson, current, got 'nonsense'"),
        ([[0.5]], [0], {"encoder": 3}, "encoder: must be one of .* or an instance of a registered class, got 3"),
        ([[0.5]], [0], {"duration": -1.0}, r"encode\.duration: must be > 0 ms, got -1\.0"),
        ([[0.5]], [0], {"seed": -1}, r"encode\.seed: must be"),
    ],
)
def test_what_cannot_be_encoded_is_named(x: Any, labels: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        encode(x, labels, **options)


def test_labels_are_checked_before_anything_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superspike.tasks.samples.in_order", lambda *spikes: pytest.fail("encoded"))
    with pytest.raises(ParameterError, match=r"Samples\.labels: must give every class a sample"):
        encode([[0.5]], [1])


def test_more_spikes_than_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superspike.model.parameters.memory", lambda: 100)
    with pytest.raises(ParameterError, match=r"encode\.x: must fit into memory .* needs .* encode fewer samples"):
        encode(np.ones((10, 10)), np.zeros(10, int))


def test_an_encoder_of_ones_own_is_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "ENCODERS", type(ENCODERS)("encoder", ENCODERS.methods, ENCODERS.check))

    @encoders.ENCODERS.register("twice")
    class Twice(NamedTuple):
        """Every input spikes late and early; some never."""

        gap: Annotated[float, Param("ms", "time between", gt=0)] = 3.0

        def encode(self, x: Any, duration: float, rng: Any) -> Any:
            """Two spikes."""
            n, units = x.shape
            times = np.concatenate([np.stack([10 * x + self.gap, 10 * x], 1)], axis=None)
            return times, np.tile(np.arange(units), 2 * n), 2 * units * np.arange(n + 1)

    assert encode([[0.1, 1.0]], [0], "twice", 11.0)[0].spikes == Spikes([1.0, 4.0, 10.0], [0, 0, 1], 2)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda n: None, "Bad.encode: must return times"),
        (lambda n: (np.zeros(2), np.zeros(3, int), np.full(n + 1, 2)), "Bad.encode: must return times"),
        (lambda n: (np.zeros(1), np.zeros(1), np.arange(n + 1) > 0), "Bad.encode: must return times"),
        (lambda n: (np.zeros(1), np.zeros(1, int), np.zeros(n, int)), "Bad.encode: must return times"),
        (lambda n: (np.zeros(1), np.full(1, 9), (np.arange(n + 1) > 0) + 0), "Bad.encode: must return units in 0 … 2, got 9"),
        (lambda n: 1 / 0, r"Bad.encode: must be defined as encode\(self, x, duration, rng\), and run, got ZeroDivisionError"),
    ],
)
def test_an_encoder_that_returns_something_else_is_named(made: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = type(ENCODERS)("encoder", ENCODERS.methods, ENCODERS.check)
    monkeypatch.setattr(encoders, "ENCODERS", registry)

    @registry.register("bad")
    class Bad(NamedTuple):
        def encode(self, x: Any, duration: float, rng: Any) -> Any:
            return made(len(x))

    with pytest.raises(ParameterError, match=message):
        encode([[0.5, 0.5, 0.5]], [0], Bad())


@pytest.mark.parametrize("time", [np.nan, -1.0])
def test_an_encoders_times_are_checked_and_late_ones_left_out(time: float, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = type(ENCODERS)("encoder", ENCODERS.methods, ENCODERS.check)
    monkeypatch.setattr(encoders, "ENCODERS", registry)

    @registry.register("given")
    class Given(NamedTuple):
        def encode(self, x: Any, duration: float, rng: Any) -> Any:
            return [1.0, np.inf, 1e9, time], [0, 0, 0, 0], [0] * len(x) + [4]

    with pytest.raises(ParameterError, match=r"Samples\.times: must be finite and >= 0 ms, got .* in sample 0"):
        encode([[0.5]], [0], Given())

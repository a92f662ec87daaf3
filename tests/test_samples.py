"""Labelled trials: what is accepted, parts, order and time grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superspike import ParameterError, Samples, Spikes
from superspike.model.scheme import to_steps
from superspike.tasks import samples as module

GOOD: dict[str, Any] = {
    "times": [1.0, 2.0, 0.5, 99.0], "units": [0, 1, 2, 0], "offsets": [0, 2, 2, 4], "labels": [1, 0, 1], "n_units": 3, "duration": 100.0,
}  # fmt: skip


def made(n: int, classes: int = 3, seed: int = 1, n_units: int = 5) -> Samples:
    """``n`` samples of up to five spikes each."""
    rng = np.random.default_rng(seed)
    trials = [(rng.uniform(0, 50, k), rng.integers(0, n_units, k)) for k in rng.integers(0, 6, n)]
    return Samples.from_trials(trials, rng.integers(0, classes, n), n_units, 50.0, list("abcdefgh"[:classes]), complete=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [1, 0, 2], "classes": ["a", "b"]}, r"labels: must be whole numbers in 0 … 1 \(2 classes\), got 2 of sample 2"),
        ({"labels": [1, -1, 0]}, r"labels: .* got -1 of sample 1"),
        ({"labels": [1.0, 0.0, 1.0]}, "labels: must be whole numbers"),
        ({"labels": [[1, 0, 1]]}, r"labels: .* one dimension, got the shape \(1, 3\)"),
        ({"labels": [1, 0, 2**40]}, "labels: must be below 1048576 where no classes are named, got 1099511627776"),
        ({"labels": [3, 0, 1]}, r"labels: must give every class a sample, class 2 \('2'\) has none; number the classes without it"),
        ({"classes": ["a", "b", "c"]}, r"class 2 \('c'\) has none"),
        ({"classes": []}, "classes: must be different names, one or more"),
        ({"classes": ["a", "a"]}, "classes: must be different names"),
        ({"classes": [0, 1]}, "classes: must be different names"),
        ({"times": [1.0, 2.0, 0.5, np.nan]}, "times: must be finite and >= 0 ms, got nan in sample 2"),
        ({"times": [-1.0, 2.0, 0.5, 99.0]}, r"times: must be finite and >= 0 ms, got -1\.0 in sample 0"),
        ({"times": [1.0, 2.0, 0.5, 1e60]}, r"times: must be finite and >= 0 ms, got 1e\+60 in sample 2"),
        ({"times": [2.0, 1.0, 0.5, 99.0]}, "times: must be sorted within each sample, got 1 ms after 2 ms in sample 0; sort them"),
        ({"times": [1.0, 2.0, 0.5, 100.0]}, r"times: must lie before the trial's end \(100 ms\), got 100 ms in sample 2; give a longer"),
        ({"times": [1.0, 2.0, 0.5]}, "times and units must have one shape"),
        ({"times": ["1", "2", "3", "4"]}, "times: must be finite"),
        ({"units": [0, 1, 3, 0]}, "units: must be whole numbers in 0 … 2, got 3 in sample 2"),
        ({"units": [0, -1, 2, 0]}, "units: .* got -1 in sample 0"),
        ({"units": [0, 1, 2]}, "times and units must have one shape"),
        ({"offsets": [0, 2, 4]}, r"offsets: must be one more than the labels \(3\), got 3"),
        ({"offsets": [1, 2, 2, 4]}, "offsets: .* got 1 first"),
        ({"offsets": [0, 3, 2, 4]}, "offsets: .* got 2 after 3 at sample 1"),
        ({"offsets": [0, 2, 2, 5]}, r"as many spikes as the last offset says \(5\)"),
        ({"n_units": 0}, "n_units: must be a whole number >= 1"),
        ({"duration": 0.0}, r"Samples\.duration: must be > 0 ms, got 0\.0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_sample(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Samples(**GOOD | change)


def test_a_few_trials_need_not_have_every_class() -> None:
    assert Samples([1.0], [0], [0, 1], [1], 3, 100.0, ["a", "b"], complete=False).classes == ("a", "b")
    assert len(Samples([], [], [0], [], 3, 100.0, ["a"], complete=False)) == 0
    with pytest.raises(ParameterError, match=r"class 0 .* has none"):
        Samples([], [], [0], [], 3, 100.0)


def test_arrays_of_the_right_kind_are_shared_and_kept_from_being_written_to() -> None:
    times = np.array([1.0, 2.0], np.float32)
    samples = Samples(times, np.array([0, 1], np.int32), np.array([0, 1, 2]), [0, 1], 2, 10.0)
    assert np.shares_memory(samples.times, times)
    assert np.shares_memory(samples[1:].times, times)
    assert not np.shares_memory(samples[[1]].times, times)
    with pytest.raises(ValueError, match="read-only"):
        samples.times[0] = 3.0
    times[0] = 1.5  # one's own array can still be


def test_a_spike_takes_eight_bytes() -> None:
    samples = made(10)
    assert samples.times.itemsize + samples.units.itemsize == 8


def test_a_sample_is_its_spikes_and_its_label() -> None:
    samples = Samples(**GOOD)
    assert samples[0] == (Spikes([1.0, 2.0], [0, 1], 3), 1)
    assert samples[-1].spikes == Spikes([0.5, 99.0], [2, 0], 3)
    assert [sample.label for sample in samples] == [1, 0, 1]
    with pytest.raises(IndexError):
        samples[3]


@given(st.integers(1, 12), st.data())
def test_any_selection_holds_the_chosen_samples(n: int, data: st.DataObject) -> None:
    samples = made(n)
    bound = st.none() | st.integers(-n - 1, n + 1)
    index = data.draw(
        st.lists(st.integers(-n, n - 1))
        | st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)
        | st.builds(slice, bound, bound, st.none() | st.sampled_from([-2, -1, 1, 2]))
    )
    chosen = np.arange(n)[np.array(index, int) if isinstance(index, list) else index]
    part = samples[index]
    assert list(part) == [samples[i] for i in chosen]
    arrays = (part.times, part.units, part.offsets, part.labels)
    assert part == Samples(*arrays, samples.n_units, samples.duration, samples.classes, complete=False)


def test_an_index_of_two_dimensions_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"Samples\[…\]: must be a number, a slice or a vector of indices"):
        made(4)[np.zeros((2, 2), int)]


AMOUNT = st.floats(0, 1) | st.integers(0, 60)


@given(st.integers(1, 60), AMOUNT, AMOUNT, st.integers(0, 9), st.booleans())
def test_the_parts_of_a_split_are_disjoint_and_complete(
    n: int, train: float, validation: float, seed: int, stratified: bool
) -> None:
    samples = Samples(np.zeros(n), np.arange(n), np.arange(n + 1), np.arange(n) % 3, n, 1.0, list("abc"), complete=False)
    try:
        parts = samples.split(train, validation, seed, stratified=stratified)
    except ParameterError as error:
        assert "must" in str(error)
        return
    assert sorted(np.concatenate([part.units for part in parts]).tolist()) == list(range(n))  # unit i is sample i's own
    assert all((part.labels == part.units % 3).all() for part in parts)
    if isinstance(train, int):
        assert len(parts.train) == train
    if stratified and train:
        shares = len(parts.train) / n * np.bincount(samples.labels, minlength=3)
        assert np.all(np.abs(np.bincount(parts.train.labels, minlength=3) - shares) <= 1)


def test_a_split_is_that_of_its_seed() -> None:
    samples = made(50)
    assert samples.split(seed=3) == samples.split(seed=3)
    assert samples.split(seed=3) != samples.split(seed=4)
    assert [len(part) for part in samples.split(0.8, 0.1)] == [40, 5, 5]
    assert [len(part) for part in samples.split(30, 1.0 - 0.6)] == [30, 20, 0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0.8, 0.3), "train and validation must come to at most all 50 samples, got 0.8 and 0.3"),
        ((0.8, 0.001), r"split\.validation: must come to at least one of 50 samples, got 0\.001"),
        ((51, 0), r"split\.train: must be a whole number >= 0 and <= 50, got 51"),
        ((1.5, 0), r"split\.train: must be >= 0 and <= 1"),
        ((True, 0), r"split\.train: must be a whole number|split\.train: must be >= 0"),
        ((0.5, 0.1, -1), r"split\.seed"),
    ],
)
def test_a_split_that_cannot_be_is_refused(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        made(50).split(*given)


@given(st.integers(0, 40), st.integers(1, 50), st.integers(0, 5), st.integers(0, 5))
def test_the_batches_of_an_epoch_hold_every_sample_once(n: int, batch: int, seed: int, epoch: int) -> None:
    samples = made(n)
    batches = list(samples.batches(batch, seed, epoch))
    assert sorted(np.concatenate([np.zeros(0, int), *batches]).tolist()) == list(range(n))
    assert [len(part) for part in batches[:-1]] == [batch] * (len(batches) - 1)
    assert all(np.array_equal(a, b) for a, b in zip(batches, samples.batches(batch, seed, epoch), strict=True))


def test_epochs_and_seeds_have_orders_of_their_own_which_do_not_depend_on_the_batch() -> None:
    samples = made(40)
    orders = {tuple(np.concatenate(list(samples.batches(7, seed, epoch)))) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert np.array_equal(np.concatenate(list(samples.batches(7))), next(samples.batches(100)))
    with pytest.raises(ParameterError, match=r"Samples\.batches\.batch: must be a whole number >= 1, got 0"):
        samples.batches(0)


@given(st.lists(st.tuples(st.integers(0, 9999), st.floats(-1e-7, 1e-7)), max_size=30), st.sampled_from([0.1, 0.5, 1.0, 2.0]))
def test_steps_are_those_of_double_precision(given: list[tuple[int, float]], dt: float) -> None:
    times = np.sort([abs(round(tenth * 0.1, 9) + off) for tenth, off in given])
    samples = Samples(times, np.zeros(len(times), int), [0, len(times)], [0], 1, 1000.0)
    trials = samples.in_steps(dt)
    assert trials.steps.tolist() == to_steps(times, dt).tolist()
    assert trials.steps.dtype == np.int32
    assert trials.n_steps == round(1000 / dt)
    assert trials.units is samples.units
    assert trials.offsets is samples.offsets


def test_steps_of_many_spikes_are_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = made(50)
    whole = samples.in_steps(0.1).steps
    monkeypatch.setattr(module, "CHUNK", 7)
    assert np.array_equal(samples.in_steps(0.1).steps, whole)


def test_a_trial_lasts_whole_steps_and_no_more_than_single_precision_tells_apart() -> None:
    with pytest.raises(ParameterError, match=r"Samples\.duration: must be a whole number of steps of 0\.3 ms"):
        Samples(**GOOD).in_steps(0.3)
    with pytest.raises(ParameterError, match=r"at most 131072 steps of 0\.0001 ms, got 100 ms; raise dt"):
        Samples(**GOOD).in_steps(1e-4)
    steps = np.arange(module.MOST_STEPS)
    last = Samples(np.round(steps * 0.1, 9), np.zeros(len(steps), int), [0, len(steps)], [0], 1, 13107.2)
    assert np.array_equal(last.in_steps(0.1).steps, steps)


def test_trials_of_pairs_and_of_spikes_are_sorted() -> None:
    samples = Samples.from_trials([([3.0, -0.0, 3.0], [2, 1, 0]), Spikes([2.0, 1.0], [0, 1], 2)], [0, 1], 3, 10.0)
    assert samples == Samples([0.0, 3.0, 3.0, 1.0, 2.0], [1, 0, 2, 1, 0], [0, 3, 5], [0, 1], 3, 10.0)


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (([1.0], [0, 1]), r"from_trials\.trials\[1\]: must have a unit for each time, got 1 times and 2 units"),
        ([1.0], r"from_trials\.trials\[1\]: must be Spikes or a pair"),
        (([1.0], [0.5]), r"from_trials\.trials\[1\]: units must be whole numbers"),
        (([1.0], [2**33]), r"from_trials\.trials\[1\]: units must be whole numbers in"),
        (([1.0], [7]), r"Samples\.units: .* got 7 in sample 1"),
        (([np.nan], [0]), r"Samples\.times: .* got nan in sample 1"),
        (([-1.0], [0]), r"Samples\.times: .* got -1\.0 in sample 1"),
        (([1e300], [0]), r"Samples\.times: .* got inf in sample 1"),
    ],
)
def test_a_trial_that_is_none_is_named(trial: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Samples.from_trials([([1.0], [0]), trial], [0, 1], 3, 10.0)


@given(st.integers(1, 5), st.integers(1, 30), st.integers(1, 4), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 100))
def test_a_raster_becomes_the_steps_it_says(n: int, steps: int, units: int, dt: float, seed: int) -> None:
    raster = np.random.default_rng(seed).random((n, steps, units)) < 0.3
    trials = Samples.from_raster(raster, np.zeros(n, int), dt).in_steps(dt)
    found = np.zeros_like(raster)
    found[np.repeat(np.arange(n), np.diff(trials.offsets)), trials.steps, trials.units] = True
    assert trials.n_steps == steps
    assert np.array_equal(found, raster)


@pytest.mark.parametrize("raster", [np.zeros((3, 4)), np.full((1, 2, 2), 2), np.zeros((1, 0, 2)), np.array([[["a"]]])])
def test_what_is_no_raster_is_refused(raster: Any) -> None:
    with pytest.raises(ParameterError, match=r"Samples\.from_raster\.raster: must be booleans"):
        Samples.from_raster(raster, [0], 1.0)


def test_neos_trains_become_trials_that_begin_at_their_start() -> None:
    neo = pytest.importorskip("neo", reason="needs the extra neo")
    trials = [
        [
            neo.SpikeTrain([2.010, 2.005], units="s", t_start=2.0, t_stop=2.1),
            neo.SpikeTrain([], units="s", t_start=2.0, t_stop=2.1),
        ],
        [neo.SpikeTrain([7.0], units="ms", t_stop=100.0), neo.SpikeTrain([1.0], units="ms", t_stop=100.0)],
    ]
    samples = Samples.from_neo(trials, [0, 1])
    assert samples == Samples([5.0, 10.0, 1.0, 7.0], [0, 0, 1, 0], [0, 2, 4], [0, 1], 2, 100.0)
    with pytest.raises(ParameterError, match=r"before the trial's end \(8 ms\), got 10 ms in sample 0"):
        Samples.from_neo(trials, [0, 1], duration=8.0)


def test_longer_trials_share_the_spikes() -> None:
    samples = made(5)
    longer = samples.lasting(80.0)
    assert longer.duration == 80.0
    assert np.shares_memory(longer.times, samples.times)
    with pytest.raises(ParameterError, match="must lie before the trial's end"):
        samples.lasting(1.0)

"""Spike trains, their files and their distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from superspike import ParameterError, Spikes, match, read_ras, van_rossum_distance, van_rossum_matrix, write_ras
from superspike.scheme import to_steps


def test_ras_copes_with_comments_order_blank_lines_and_crlf(tmp_path: Path) -> None:
    path = tmp_path / "a.ras"
    path.write_bytes(b"# neurons 3\r\n0.0200 2\r\n\r\n0.0100 0\r\n  # note\r\n0.0100\t1\r\n")
    spikes = read_ras(path)
    assert spikes.n == 3
    np.testing.assert_allclose(spikes.times_ms, [10, 10, 20])
    assert spikes.ids.tolist() == [0, 1, 2]


def test_one_based_ids_are_read_by_option(tmp_path: Path) -> None:
    path = tmp_path / "a.ras"
    path.write_text("0.1 1\n0.2 4\n")
    assert read_ras(path, n=4, ids_from=1).ids.tolist() == [0, 3]
    with pytest.raises(ParameterError, match=r"a\.ras, line 2: id must be in 0 … 3, got 4; if its ids count from 1, say so"):
        read_ras(path, n=4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must hold at least one spike, is empty"),
        (b"# only a comment\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is binary"),
        (b"0.1 0\n0.2\n", "line 2"),
        (b"0.1 0 7\n", "line 1"),
        (b"0.1 x\n", "line 1"),
        (b"0.1 1.5\n", "line 1"),
        (b"-0.1 1\n", "line 1"),
        (b"nan 1\n", "line 1"),
        (b"inf 1\n", "line 1"),
        (b"0.1 -1\n", "line 1: id must be in 0"),
    ],
)
def test_broken_ras_files_are_refused_with_their_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.ras"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=message) as error:
        read_ras(path)
    assert str(path) in str(error.value)


def test_missing_ras_file_and_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ras", tmp_path):
        with pytest.raises(ParameterError, match="cannot be read"):
            read_ras(path)


@given(st.integers(0, 10**7))
def test_a_time_on_the_grid_is_its_step_whatever_binary_fractions_say(step: int) -> None:
    seconds = float(f"{step * 1e-4:.4f}")
    assert to_steps([seconds * 1000], 0.1)[0] == step


def test_a_time_between_steps_is_rounded_down() -> None:
    assert to_steps([0.35, 0.3, 0.39999], 0.1).tolist() == [3, 3, 3]


def test_ras_survives_a_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    spikes = Spikes(rng.uniform(0, 1e4, 500), rng.integers(0, 7, 500), 7)
    write_ras(tmp_path / "x.ras", spikes)
    again = read_ras(tmp_path / "x.ras", 7)
    np.testing.assert_allclose(again.times_ms, spikes.times_ms, atol=1e-6)  # the file counts nanoseconds
    np.testing.assert_array_equal(again.ids, spikes.ids)


@pytest.mark.parametrize(
    ("times", "ids", "n"),
    [([1, 2], [0], 3), ([-1], [0], 3), ([np.nan], [0], 3), ([1], [3], 3), ([1], [-1], 3), ([1], [0.5], 3), ([1], [0], 0)],
)
def test_impossible_spikes_are_refused(times: list[float], ids: list[int], n: int) -> None:
    with pytest.raises(ParameterError, match="Spikes"):
        Spikes(times, ids, n)


def test_spikes_are_equal_if_times_ids_and_units_are() -> None:
    assert Spikes([2, 1], [0, 1], 2) == Spikes([1, 2], [1, 0], 2)
    assert Spikes([1], [0], 2) not in (Spikes([1.1], [0], 2), Spikes([1], [1], 2), Spikes([1], [0], 3), [1.0])


def test_matching_counts_hits_misses_and_extra_spikes() -> None:
    target = Spikes([10, 20, 30, 40], [0, 0, 0, 1], 2)
    output = Spikes([11, 18, 33, 40, 41.5], [0, 0, 0, 1, 1], 2)
    assert match(output, target) == (3, 1, 2)
    assert match(output, target, tolerance_ms=0.5) == (1, 3, 4)


@given(st.lists(st.integers(0, 60), max_size=8), st.lists(st.integers(0, 60), max_size=8))
def test_matching_pairs_as_many_as_can_be_paired(a: list[int], b: list[int]) -> None:
    allowed = csr_matrix([[int(abs(x - y) <= 2) for y in b] for x in a] if a and b else np.zeros((1, 1), int))
    most = int((maximum_bipartite_matching(allowed) >= 0).sum())
    assert match(Spikes(a, [0] * len(a), 1), Spikes(b, [0] * len(b), 1)).hits == most


def test_van_rossum_distance_agrees_with_elephant() -> None:
    import neo
    import quantities as pq
    from elephant.spike_train_dissimilarity import van_rossum_distance as elephant_distance

    rng = np.random.default_rng(5)
    a, b = (Spikes(rng.uniform(0, 500, 40), rng.integers(0, 3, 40), 3) for _ in range(2))
    for unit, ours in enumerate(van_rossum_distance(a, b, tau_ms=12.0)):
        trains = [neo.SpikeTrain(x.train(unit), units="ms", t_stop=500.0) for x in (a, b)]
        theirs = elephant_distance(trains, time_constant=12.0 * pq.ms)[0, 1]
        assert ours == pytest.approx(theirs**2, rel=1e-9)  # Elephant returns the root


def test_van_rossum_distance_of_double_exponentials_is_the_integral() -> None:
    a, b = Spikes([10.0, 30.0], [0, 0], 1), Spikes([14.0], [0], 1)
    t = np.arange(0, 400, 1e-3)

    def filtered(spikes: Spikes) -> np.ndarray:
        return sum(np.where(t >= s, np.exp(-(t - s) / 10) - np.exp(-(t - s) / 5), 0) for s in spikes.times_ms)

    one = np.trapezoid(filtered(Spikes([10.0], [0], 1)) ** 2, t)
    integral = np.trapezoid((filtered(a) - filtered(b)) ** 2, t) / one
    assert van_rossum_distance(a, b, 10.0, 5.0)[0] == pytest.approx(integral, rel=1e-5)  # a grid of 1 µs


def test_van_rossum_distance_refuses_what_it_cannot_compare() -> None:
    a = Spikes([1.0], [0], 1)
    with pytest.raises(ParameterError, match="same number of units"):
        van_rossum_distance(a, Spikes([1.0], [0], 2))
    with pytest.raises(ParameterError, match="tau_ms"):
        van_rossum_distance(a, a, tau_ms=0.0)
    with pytest.raises(ParameterError, match="tau_rise_ms"):
        van_rossum_distance(a, a, tau_ms=10.0, tau_rise_ms=10.0)


def some_trains(seed: int, n: int, spikes: int = 60) -> Spikes:
    rng = np.random.default_rng(seed)
    return Spikes(np.round(rng.uniform(0, 500, spikes), 1), rng.integers(0, n, spikes), n)


def test_van_rossum_matrix_agrees_with_elephant() -> None:
    import quantities as pq
    from elephant.spike_train_dissimilarity import van_rossum_distance as elephant_distance

    spikes = Spikes([*some_trains(1, 5).times_ms, 77.7], [*some_trains(1, 5).ids, 5], 7)  # one spike, and none at all
    theirs = elephant_distance(spikes.to_neo(500.0), time_constant=12.0 * pq.ms)
    np.testing.assert_allclose(van_rossum_matrix(spikes, tau_ms=12.0), theirs**2, atol=1e-11)  # sums of 60 terms near 1


def test_van_rossum_matrix_of_double_exponentials_is_the_integral() -> None:
    a, b = some_trains(2, 3, 20), some_trains(3, 2, 20)
    t = np.arange(0, 800, 5e-3)

    def filtered(train: np.ndarray) -> np.ndarray:
        gaps = np.maximum(t[None, :] - train[:, None], 0)
        return (np.exp(-gaps / 10) - np.exp(-gaps / 4)).sum(0)

    one = np.trapezoid(filtered(np.zeros(1)) ** 2, t)
    integrals = [[np.trapezoid((filtered(a.train(i)) - filtered(b.train(j))) ** 2, t) / one for j in range(2)] for i in range(3)]
    np.testing.assert_allclose(van_rossum_matrix(a, b, 10.0, 4.0), integrals, rtol=1e-6)  # trapezoids of 5 µs


@pytest.mark.parametrize("rise", [None, 3.0])
def test_van_rossum_matrix_is_the_distance_of_every_pair(rise: float | None) -> None:
    a, b = some_trains(4, 4), some_trains(5, 4)
    matrix = van_rossum_matrix(a, b, 10.0, rise)
    np.testing.assert_allclose(matrix.diagonal(), van_rossum_distance(a, b, 10.0, rise), atol=1e-12)  # order of summation
    np.testing.assert_allclose(matrix, van_rossum_matrix(b, a, 10.0, rise).T, atol=1e-12)
    np.testing.assert_array_equal(matrix, van_rossum_matrix([a.train(i)[::-1] for i in range(4)], b, 10.0, rise))
    assert np.all(van_rossum_matrix(a, None, 10.0, rise).diagonal() == 0)
    assert van_rossum_matrix(a, a, 10.0, rise).diagonal().max() < 1e-11  # 30 terms near 1 in two orders
    assert van_rossum_matrix([[5.0]], [[]], 10.0, rise) == pytest.approx(1.0, rel=1e-15)


def test_van_rossum_matrix_refuses_what_is_no_train() -> None:
    with pytest.raises(ParameterError, match="train 1 must be an array of finite times"):
        van_rossum_matrix([[1.0], [np.nan]])
    with pytest.raises(ParameterError, match=r"van_rossum_matrix\.tau_rise_ms"):
        van_rossum_matrix([[1.0]], tau_ms=5.0, tau_rise_ms=6.0)

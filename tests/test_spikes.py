"""Spike trains, their files and their distances."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from superspike import ParameterError, Spikes, match, read_ras, van_rossum_distance, van_rossum_matrix, write_ras
from superspike.model.scheme import to_steps, whole_steps


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
        (b"0.1 0\n\n0.2 2147483647\n", "line 3: id must be in 0 … 2147483646, got 2147483647"),
        (b"0.1 100000000000000000000\n", "line 1: id must be in 0 … 2147483646, got 100000000000000000000"),
        (b"0.1 1e400\n", "line 1: must be 'time in s >= 0, unit id', got '0.1 1e400'$"),
        (b"1e400 0\n", "line 1: must be"),
        (b"0.1 0\n1_0.5 1\n", "line 2: must be 'time in s >= 0, unit id', got '1_0.5 1'"),
        ("# Zeiten\n0.1 ١\n".encode(), "line 2: must be 'time in s >= 0, unit id', got '0.1 ١'"),
        (b"0.1 0\n0.2 \xb5\n", "line 2: must be"),
        (b"0.1,0\n", "line 1: must be"),
        (b"0.1\x0c0\n", "line 1: must be"),
        (b"-1 0\n", "line 1: must be 'time in s >= 0, unit id', got '-1 0'$"),
        ("0.1 0\n".encode("utf-16"), "must be ASCII or UTF-8 text, is UTF-16; save it as UTF-8"),
        ("0.1 0\n".encode("utf-16-le"), "is binary"),
        (gzip.compress(b"0.1 0\n", mtime=0)[:-9], "cannot be read"),
        (b"\x1f\x8b0.1 0\n", "cannot be read"),
        (gzip.compress(b"0.1 0\n0.2\n", mtime=0), "line 2: must be"),
        (b"# id, time in ms\n12\t23.500\n3\t24.000\n", "if the ids come first, as in NEST's .gdf files, swap the columns"),
        (b"12\t23.000\n3\t24.000\n", "times are whole and ids have a point; if the ids come first"),
        (b"1.200000e+01 2.350000e+01\n", "line 1: must be .* if the ids come first"),
    ],
)
def test_broken_ras_files_are_refused_with_their_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.ras"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=message) as error:
        read_ras(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf0.0003 0\n0.25 3\n",
        b"3.000000000000000000e-04 0.000000000000000000e+00\n2.5e-1 3.0\n",
        gzip.compress(b"0.0003 0\n0.25 3\n", mtime=0),
        b"0.0003 0 # the first\n0.25 3# the last\n",
        "# Zürich, µs\n0.0003 0\n0.25 3 # größer\n".encode("latin-1"),
        b"0.0003 0\r0.25 3\r",
        b"  .00030\t +0\n0.25     3.  \n\n",
    ],
)
def test_ras_files_are_read_as_other_programs_write_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.ras").write_bytes(content)
    assert read_ras(tmp_path / "a.ras") == Spikes([0.3, 250.0], [0, 3], 4)


def test_ras_files_of_savetxt_are_read(tmp_path: Path) -> None:
    spikes = some_trains(6, 5)
    np.savetxt(tmp_path / "a.ras.gz", np.column_stack([spikes.times_ms / 1000, spikes.ids]))
    assert read_ras(tmp_path / "a.ras.gz", 5) == spikes


def test_times_in_whole_seconds_are_no_ids(tmp_path: Path) -> None:
    (tmp_path / "a.ras").write_text("7 0\n3 1\n5 1\n")
    assert read_ras(tmp_path / "a.ras") == Spikes([3000.0, 5000.0, 7000.0], [1, 1, 0], 2)


@given(st.text("01 .+-eE\t\n\r#_", max_size=12))
@example("1e400 1")
@example("1. 1.\n\n0 1")
def test_a_ras_file_is_read_or_one_line_is_named(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ras"
        path.write_bytes(text.encode())
        try:
            spikes = read_ras(path, 3)
        except ParameterError as error:
            assert str(error).startswith(str(path))
            return
        words = [line.split("#")[0].split() for line in text.replace("\r", "\n").split("\n")]
        wanted = [(float(x[0]), float(x[1])) for x in words if x]
        assert spikes == Spikes([round(1000 * t, 9) for t, _ in wanted], [i for _, i in wanted], 3)


def test_a_long_ras_file_is_read_to_the_step(tmp_path: Path) -> None:
    (tmp_path / "a.ras").write_text("".join(f"{0.0001 * k:.4f} {k % 100}\n" for k in range(100_000)))
    spikes = read_ras(tmp_path / "a.ras")
    np.testing.assert_array_equal(to_steps(spikes.times_ms, 0.1), np.arange(100_000))


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3", 2**31, float("nan"), [3]])
def test_impossible_numbers_of_units_are_refused(tmp_path: Path, n: Any) -> None:
    (tmp_path / "a.ras").write_text("0.1 0\n")
    for make in (lambda: Spikes([], [], n), lambda: read_ras(tmp_path / "a.ras", n)):
        with pytest.raises(ParameterError, match=r"n: must be a whole number >= 1 and <= 2147483647, got"):
            make()


def test_missing_ras_file_and_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ras", tmp_path):
        with pytest.raises(ParameterError, match="cannot be read"):
            read_ras(path)


@given(st.integers(0, 10**7))
def test_a_time_on_the_grid_is_its_step_whatever_binary_fractions_say(step: int) -> None:
    seconds = float(f"{step * 1e-4:.4f}")
    assert to_steps([seconds * 1000], 0.1)[0] == step


LENGTHS = st.sampled_from([0.01, 0.025, 0.05, 0.1, 0.125, 1 / 3, 0.5, 1.0, 4.0])
TIMES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "double precision": lambda k, dt: k * dt,
    "added up": lambda k, dt: np.cumsum(np.full(k[-1] + 1, dt))[k] - dt,
    "nanoseconds": lambda k, dt: np.round(k * dt, 6),
    "single precision": lambda k, dt: (k * dt).astype(np.float32),
    "single precision, read as double": lambda k, dt: (k * dt).astype(np.float32).astype(float),
    "single precision, in s": lambda k, dt: (k * dt / 1000).astype(np.float32) * np.float32(1000),
}


@pytest.mark.parametrize("how", TIMES)
@given(st.integers(1, 2**16), LENGTHS)
def test_a_step_is_found_however_its_time_was_kept(how: str, last: int, dt: float) -> None:
    steps = np.unique(np.linspace(0, last, 200).astype(int))
    times = Spikes(TIMES[how](steps, dt), np.zeros(len(steps), int), 1).times_ms
    np.testing.assert_array_equal(to_steps(times, dt), steps)
    inside = (steps + 0.99) * dt  # a 128th of a step is the most that is forgiven
    np.testing.assert_array_equal(to_steps(inside, dt), steps)


def test_single_precision_is_read_as_the_decimals_it_stands_for() -> None:
    steps = np.arange(0, 5_000_000, 7)  # 500 s of 0.1 ms, where single precision's spacing is a third of a step
    times = (steps * 0.1).astype(np.float32)
    spikes = Spikes(times, np.zeros(len(steps), int), 1)
    np.testing.assert_array_equal(to_steps(spikes.times_ms, 0.1), steps)
    np.testing.assert_array_equal(spikes.times_ms.astype(np.float32), times)
    assert Spikes(np.float32([0.3]), [0], 1).times_ms[0] == 0.3


def test_files_arrays_rasters_windows_and_matches_share_one_rule(tmp_path: Path) -> None:
    steps = np.arange(5000)
    kept = (steps * 0.1).astype(np.float32).astype(float)
    spikes = Spikes(kept, np.zeros(5000, int), 1)
    np.savetxt(tmp_path / "a.ras", np.column_stack([kept / 1000, spikes.ids]))
    for each in (spikes, read_ras(tmp_path / "a.ras")):
        assert each.to_raster(0.1, 500.0).all()
        assert [len(each.between(k * 0.1, 500.0)) for k in range(0, 5000, 100)] == list(range(5000, 0, -100))
        assert match(each, Spikes(steps[::50] * 0.1 + 2, np.zeros(100, int), 1)).hits == 100
        assert match(each, Spikes(steps[::50] * 0.1 + 2, np.zeros(100, int), 1), tolerance_ms=0.0).hits == 100
        assert len(Spikes([100.0], [0], 1).between(0, each.times_ms[1000])) == 0


@given(LENGTHS, st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1e-6))
@example(4.0, 10, 1.0, 1.5e-6)
@example(5.0, 40_000, 1.0, 0.01)
def test_a_spike_before_a_rasters_end_is_in_it(dt: float, steps: int, part: float, before: float) -> None:
    duration = steps * dt
    spikes = Spikes([max(0.0, part * duration - before)], [0], 1)
    if steps < 10**4 or part == 1.0:
        try:
            raster = spikes.to_raster(dt, duration)
        except ParameterError as error:
            assert "must reach beyond the last spike" in str(error)
            assert spikes.times_ms[0] > duration * (1 - 2**-21) - 2e-6  # the most that is forgiven
        else:
            assert raster.shape == (steps, 1)


@given(st.integers(0, 10**6), LENGTHS)
def test_whole_steps_are_whole_however_many(steps: int, dt: float) -> None:
    for time in (steps * dt, float(np.float32(steps * dt)) if steps < 2**16 else steps * dt):
        assert whole_steps("T", time, dt) == steps
    for part in (0.01, 0.5, 0.99):
        with pytest.raises(ParameterError, match="T: must be a whole number of steps"):
            whole_steps("T", (steps + part) * dt, dt)


def test_a_positive_time_is_not_rounded_to_no_step() -> None:
    for time in (1e-8, 1e-300):
        with pytest.raises(ParameterError, match=r"T: must be a whole number of steps of 0\.1 ms, .* nearest are 0 and 0\.1 ms"):
            whole_steps("T", time, 0.1)
    with pytest.raises(ParameterError, match=r"T: must be fewer than 2⁵³ steps of 0\.1 ms, got 1e\+308 ms"):
        whole_steps("T", 1e308, 0.1)
    with pytest.raises(ParameterError, match=r"got 100000\.05 ms; the nearest are 100000 and 100000\.1 ms"):
        whole_steps("T", 100_000.05, 0.1)


def test_a_time_between_steps_is_rounded_down() -> None:
    assert to_steps([0.35, 0.3, 0.39999], 0.1).tolist() == [3, 3, 3]


def test_ras_survives_a_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    spikes = Spikes(rng.uniform(0, 1e4, 500), rng.integers(0, 7, 500), 7)
    write_ras(tmp_path / "x.ras", spikes)
    again = read_ras(tmp_path / "x.ras", 7)
    np.testing.assert_allclose(again.times_ms, spikes.times_ms, atol=1e-6)  # the file counts nanoseconds
    np.testing.assert_array_equal(again.ids, spikes.ids)


@given(st.lists(st.floats(0, 1e6), max_size=20), LENGTHS)
def test_ras_keeps_picoseconds(times: list[float], dt: float) -> None:
    for kept in (np.round(times, 9), np.round(np.floor(np.array(times) / dt) * dt, 9)):
        spikes = Spikes(kept, np.zeros(len(kept), int), 1)
        with tempfile.TemporaryDirectory() as folder:
            write_ras(Path(folder) / "x.ras", spikes)
            assert read_ras(Path(folder) / "x.ras", 1) == spikes


@pytest.mark.parametrize(
    ("times", "ids", "n"),
    [([1, 2], [0], 3), ([-1], [0], 3), ([np.nan], [0], 3), ([1], [3], 3), ([1], [-1], 3), ([1], [0.5], 3), ([1], [0], 0)],
)
def test_impossible_spikes_are_refused(times: list[float], ids: list[int], n: int) -> None:
    with pytest.raises(ParameterError, match="Spikes"):
        Spikes(times, ids, n)


@pytest.mark.parametrize(
    "values",
    [["a"], [1j], [10**400], np.array(["2020-01-01"], "datetime64[s]"), np.array([1], "timedelta64[ms]"), [None], [[1], [1, 2]],
     np.ma.masked_array([1.0, 2.0], [True, False])],
)  # fmt: skip
def test_what_is_no_number_is_no_time_and_no_id(values: Any) -> None:
    with pytest.raises(ParameterError, match=r"Spikes\.times_ms: must be finite and >= 0 ms, got"):
        Spikes(values, [0] * len(values), 3)
    with pytest.raises(ParameterError, match=r"Spikes\.ids: must be whole numbers in 0 … 2, got"):
        Spikes([1.0] * len(values), values, 3)
    with pytest.raises(ParameterError, match=r"train 1 must be an array of finite times \(ms\), got"):
        van_rossum_matrix([[1.0], values])


class Quantities(np.ndarray):
    """Stands for the arrays with units of other packages."""


class Second(float):
    """Stands for their numbers."""

    dimensions = "time"


@pytest.mark.parametrize(
    "seconds",
    [np.array([1.0, 2.0]).view(Quantities), list(np.array([1.0, 2.0]).view(Quantities).reshape(2, 1)),
     [Second(1), Second(2)], (1.0, Second(2)), np.array([Second(1), Second(2)], object)],
)  # fmt: skip
def test_quantities_are_no_plain_numbers_whatever_their_unit(seconds: Any) -> None:
    for spikes in (lambda: Spikes(seconds, [0, 1], 2), lambda: van_rossum_matrix([[1.0], seconds])):
        with pytest.raises(ParameterError, match=r"\(?ms\)?, got (Quantities|Second); give plain numbers, without a unit"):
            spikes()


@pytest.mark.parametrize("package", ["brian2", "quantities"])
def test_lists_of_the_quantities_of_other_packages_are_refused(package: str) -> None:
    ms = pytest.importorskip(package).ms
    with pytest.raises(ParameterError, match=r"must be finite and >= 0 ms, got \w*Quantity; give plain numbers, without a unit"):
        Spikes([1 * ms, 2 * ms], [0, 1], 2)


@pytest.mark.parametrize(("dt", "duration"), [(1e-300, None), (1e-12, None), (0.1, 1e15), (0.1, 1e300)])
def test_a_raster_of_more_steps_than_memory_holds_is_refused_at_once(dt: float, duration: float | None) -> None:
    for spikes in (Spikes([1.0], [0], 2), Spikes([], [], 2)):
        if len(spikes) or duration:
            with pytest.raises(ParameterError, match=r"Spikes\.to_raster: must need at most 4 GiB of memory, got .* for 2 units"):
                spikes.to_raster(dt, duration)


def test_a_masked_raster_is_refused() -> None:
    raster = np.ma.masked_array(np.eye(3, dtype=bool), np.eye(3, dtype=bool))
    for table in (raster, list(raster)):
        with pytest.raises(ParameterError, match=r"Spikes.from_raster.raster: must be booleans.*, got masked values"):
            Spikes.from_raster(table, 0.1)


@pytest.mark.parametrize("kind", [Decimal, Fraction, np.float32, np.array])
def test_times_of_every_kind_are_compared_with_spikes(kind: Any) -> None:
    spikes = Spikes([1.0, 2.0], [0, 1], 2)
    assert spikes.between(kind(1), kind(2)) == Spikes([1.0], [0], 2)
    assert spikes.between(kind(0), np.inf) == spikes
    assert spikes.rate_hz(kind(10)) == 100
    assert match(spikes, spikes, kind(2)).hits == 2


@pytest.mark.parametrize("huge", [2**31, 2**32, 2**63, 2**64, 10**20, 1e300, np.inf, np.uint64(2**64 - 1)])
def test_huge_ids_are_refused(huge: Any) -> None:
    for ids in ([huge], [0, huge]):
        with pytest.raises(ParameterError, match=r"Spikes\.ids: must be whole numbers in 0 … 2147483646, got"):
            Spikes([1.0] * len(ids), ids, 2**31 - 1)


def test_numbers_of_every_kind_are_times_and_ids() -> None:
    wanted = Spikes([1.0, 2.0], [0, 1], 2)
    for times in ([1, 2], np.array([2, 1], np.uint8)[::-1], [Fraction(1), 2], np.ma.masked_array([1.0, 2.0])):
        for ids in ([0, 1], [0.0, 1.0], np.array([0, 1], np.uint64), np.array([False, True]), np.array([0, 1], object)):
            for n in (2, 2.0, np.int8(2), np.float32(2)):
                assert Spikes(times, ids, n) == wanted


def test_spikes_share_no_memory_with_what_they_are_made_from() -> None:
    times, ids = np.array([1.0, 2.0]), np.array([0, 1], np.int32)
    spikes = Spikes(times, ids, 2)
    times[:], ids[:] = 0, 0
    assert spikes == Spikes([1.0, 2.0], [0, 1], 2)


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

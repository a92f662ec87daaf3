"""Spike trains and networks survive the way to other programs and back."""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from superspike import ParameterError, Spikes, read_ras, write_ras

needs_neo = pytest.mark.skipif(find_spec("neo") is None, reason="needs the extra neo")
STEPS = st.sampled_from([0.05, 0.1, 0.125, 1 / 3, 1.0, 2.5])
TRAINS = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.tuples(st.floats(0, 1e4), st.integers(0, n - 1)), max_size=30).map(
        lambda spikes: Spikes([t for t, _ in spikes], [i for _, i in spikes], n)
    )
)


def assert_same(a: Spikes, b: Spikes, atol: float = 0.0) -> None:
    np.testing.assert_allclose(a.times_ms, b.times_ms, rtol=0, atol=atol)
    np.testing.assert_array_equal(a.ids, b.ids)
    assert a.n == b.n


@given(st.integers(1, 6).flatmap(lambda n: arrays(bool, st.tuples(st.integers(0, 40), st.just(n)))), STEPS)
def test_a_raster_survives_the_way_to_spikes_and_back(raster: np.ndarray, dt: float) -> None:
    spikes = Spikes.from_raster(raster, dt)
    assert len(spikes) == raster.sum()
    np.testing.assert_array_equal(spikes.to_raster(dt, len(raster) * dt), raster)
    assert_same(Spikes.from_raster(spikes.to_raster(dt), dt), spikes)


@given(TRAINS)
def test_arrays_of_times_and_ids_are_the_spikes(spikes: Spikes) -> None:
    assert_same(Spikes(spikes.times_ms[::-1], spikes.ids[::-1], spikes.n), spikes)


@needs_neo
@settings(deadline=None)  # the first case waits for the import of neo
@given(TRAINS)
def test_spikes_survive_the_way_to_neo_and_back(spikes: Spikes) -> None:
    assert_same(Spikes.from_neo(spikes.to_neo(1e4)), spikes)
    in_seconds = [train.rescale("s") for train in spikes.to_neo(1e4)]
    assert_same(Spikes.from_neo(in_seconds), spikes, atol=1e-11)  # a division and a multiplication of at most 1e4


@given(TRAINS.filter(len))
def test_spikes_survive_the_way_to_a_ras_file_and_back(spikes: Spikes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.ras"
        write_ras(path, spikes)
        again = read_ras(path, spikes.n)
    order = np.lexsort((spikes.ids, np.round(spikes.times_ms, 6)))  # spikes closer than the file's nanosecond fall together
    np.testing.assert_allclose(again.times_ms, spikes.times_ms, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(again.ids, spikes.ids[order])


def test_two_spikes_in_one_bin_are_refused_or_merged_on_demand() -> None:
    spikes = Spikes([3.1, 3.9, 3.2], [1, 1, 0], 2)
    with pytest.raises(
        ParameterError, match=r"to_raster\.dt_ms: .* unit 1 spikes 2 times in the step from 3 ms, got 1; lower dt_ms, or"
    ):
        spikes.to_raster(1.0)
    assert spikes.to_raster(1.0, merge=True).tolist() == [[False, False]] * 3 + [[True, True]]
    assert spikes.to_raster(0.5).sum() == 3


def test_impossible_rasters_are_refused() -> None:
    for raster in (np.zeros(3), np.zeros((3, 0)), [[2, 0]], [[np.nan]]):
        with pytest.raises(ParameterError, match=r"from_raster\.raster: must be booleans"):
            Spikes.from_raster(raster, 1.0)
    with pytest.raises(ParameterError, match=r"from_raster\.dt_ms"):
        Spikes.from_raster([[True]], 0.0)
    with pytest.raises(ParameterError, match=r"duration_ms: must reach beyond the last spike \(10 ms\), got 10"):
        Spikes([10.0], [0], 1).to_raster(1.0, 10.0)


@needs_neo
def test_neo_trains_keep_their_window_and_begin_where_one_says() -> None:
    import neo

    trains = [neo.SpikeTrain([2.5, 2.25], units="s", t_start=2.0, t_stop=4.0), neo.SpikeTrain([], units="ms", t_stop=1.0)]
    assert_same(Spikes.from_neo(trains), Spikes([2250.0, 2500.0], [0, 0], 2))
    assert_same(Spikes.from_neo(trains, origin_ms=2000.0), Spikes([250.0, 500.0], [0, 0], 2))
    with pytest.raises(
        ParameterError, match=r"origin_ms: must not lie after the first spike, got 2300 ms and a spike at 2250 ms"
    ):
        Spikes.from_neo(trains, origin_ms=2300.0)
    early = [neo.SpikeTrain([-20.0], units="ms", t_start=-100.0, t_stop=0.0)]
    assert Spikes.from_neo(early, origin_ms=-100.0).times_ms.tolist() == [80.0]
    written = Spikes([5.0, 7.0], [1, 1], 2).to_neo(9.0, 4.0)
    assert [float(x) for train in written for x in (train.t_start, train.t_stop)] == [4.0, 9.0] * 2
    assert [len(train) for train in written] == [0, 2]
    for window in ((6.0,), (9.0, 6.0), (4.0, 9.0)):
        with pytest.raises(ParameterError, match=r"to_neo: t_start_ms < t_stop_ms must enclose the spikes \(5 … 7 ms\)"):
            Spikes([5.0, 7.0], [1, 1], 2).to_neo(*window)


@pytest.mark.parametrize("package", ["neo"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from superspike._parameters import extra

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=rf"{package}: is not installed; pip install 'superspike\[{package}\]'"):
        extra(package)

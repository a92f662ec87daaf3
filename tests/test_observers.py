"""Schedule, observers, and that all which changes in a run lies in the simulation and in the observers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.lab.config import Training
from superspike.lab.observers import Metrics, Recorder
from superspike.lab.run import layer_names
from superspike.lab.schedule import measurement, schedule
from superspike.lab.training import follow
from superspike.model.feedback import FEEDBACKS

DEFAULT: dict[str, Any] = {"sizes": [10, 6, 2], "w0": 80.0, "seed": 2}
PLAN = {"duration_ms": 3399.0, "burn_in_ms": 700.0, "learning_rate_drop_ms": 1000.0}


class DrawnAnew(ss.Random):
    """Feedback through matrices that are drawn anew after each block."""

    @property
    def follows_weights(self) -> bool:
        return True


def begin(task: ss.Task, options: dict[str, Any], engine: str, threads: int, everything: bool = False) -> list[Any]:
    """A network, its simulation and observers; always new ones."""
    network = ss.Network(**DEFAULT | options)
    simulation, names = Simulation(network, task, engine, threads), layer_names(network.sizes)
    return [network, simulation, Metrics(network, names), Recorder(simulation, names, everything)]


def through_a_file(snapshot: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a checkpoint would do to it: nothing in it may need pickling."""
    np.savez(file := io.BytesIO(), **snapshot)
    with np.load(io.BytesIO(file.getvalue()), allow_pickle=False) as read:
        return dict(read)


def outcome(parts: list[Any]) -> dict[str, np.ndarray]:
    """All that a run leaves."""
    network, simulation, metrics, recorder = parts
    windows = recorder.windows()
    spikes = {name: np.array([x.times_ms, x.ids]) for name, x in recorder.spikes(windows).items()}
    weights = {f"network's w{k}": w for k, w in enumerate(network.weights)}
    return simulation.snapshot() | metrics.snapshot() | weights | spikes | {"windows": np.array(windows)}


XOR = {"sizes": [100, 6, 2], "loss": "windowed", "w0": 100.0}


@pytest.mark.parametrize(
    ("options", "engine", "threads", "everything"),
    [
        ({"scheme": ss.Scheme(delay=25.0)}, "event", 1, False),  # some spikes are under way at a block's end
        ({"feedback": "random", "rule": ss.Rule(rho=1.0)}, "event", 2, False),
        ({"feedback": "uniform", "scheme": ss.Scheme(precision="double")}, "event", 1, True),
        ({"recurrent": True, "scheme": ss.Scheme(delay=25.0)}, "event", 1, False),
        ({"feedback": "drawn anew", "scheme": ss.Scheme(precision="double"), "rule": ss.Rule(rho=1.0)}, "event", 2, True),
        ({"scheme": ss.Scheme(precision="double")}, "clock", 1, False),
        (XOR | {"scheme": ss.Scheme(delay=25.0)}, "event", 1, False),
        (XOR | {"scheme": ss.Scheme(precision="double")}, "clock", 1, False),
    ],
)
def test_a_run_goes_on_from_the_end_of_any_block_to_the_last_bit(
    options: dict[str, Any], engine: str, threads: int, everything: bool, small_task: ss.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FEEDBACKS, "drawn anew", DrawnAnew)
    task = ss.tasks.xor(seed=3, period_ms=900.0, gap_min=30.0, gap_max=40.0) if "loss" in options else small_task
    whole = begin(task, options, engine, threads, everything)
    plan = schedule(Training(**PLAN), whole[0])
    kept: list[tuple[int, list[dict[str, np.ndarray]]]] = []

    def keep(simulation: Simulation, chunk: Any, _: Any) -> None:
        if chunk.updates:
            kept.append((simulation.step, [part.snapshot() for part in whole[1:]]))

    assert follow(whole[1], plan.chunks(), [*whole[2:], keep])
    assert np.abs(whole[1].snapshot()["w"]).max() > 0
    expected = outcome(whole)
    assert [step for step, _ in kept] == [1, *range(5001, 40_002, 5000)]
    for step, snapshots in kept:
        again = begin(task, options, engine, threads, everything)
        for part, snapshot in zip(again[1:], snapshots, strict=True):
            part.restore(through_a_file(snapshot))
        assert follow(again[1], plan.chunks(step), again[2:])
        found = outcome(again)
        assert list(found) == list(expected)
        for name, x in expected.items():
            np.testing.assert_array_equal(found[name], x, f"{name}, from step {step}")


def test_a_simulation_that_has_run_goes_back_to_a_snapshot(small_network: ss.Network, small_task: ss.Task) -> None:
    simulation = Simulation(small_network, small_task)
    names = layer_names(small_network.sizes)
    found = []
    plan = schedule(Training(2000.0), small_network)
    follow(simulation, [*plan.chunks()][:2], [])
    then = simulation.snapshot()
    for _ in range(2):
        simulation.restore(then)
        metrics, recorder = Metrics(small_network, names), Recorder(simulation, names, everything=False)
        follow(simulation, plan.chunks(simulation.step), [metrics, recorder])
        found.append(outcome([small_network, simulation, metrics, recorder]))
    for name, x in found[0].items():
        np.testing.assert_array_equal(found[1][name], x, name)
    assert np.any(found[0]["w"] != then["w"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": None}, r"the same kind, v, current, .*, got v, current"),
        ({"w": np.zeros(3, np.float32)}, r"the same network, with w float32 \(\d+,\), got float32 \(3,\)"),
        ({"w": np.zeros(512)}, r"the same network, with w float32 \(512,\), got float64 \(512,\)"),
        ({"tail1_ids": np.array([99], np.int32)}, "the same network, with spikes of the last"),
        ({"tail1_ends": np.zeros(3, np.int32)}, "the same network, with spikes of the last"),
    ],
)
def test_a_snapshot_of_another_simulation_is_refused(
    change: dict[str, Any], message: str, small_network: ss.Network, small_task: ss.Task
) -> None:
    simulation = Simulation(small_network, small_task)
    own = simulation.snapshot()
    given = {name: x for name, x in (own | change).items() if x is not None}
    with pytest.raises(ss.ParameterError, match=rf"^Simulation\.restore: must be a snapshot of {message}"):
        simulation.restore(given)
    assert all(np.array_equal(x, own[name]) for name, x in simulation.snapshot().items())


@pytest.mark.parametrize("burn_in_ms", [0.0, 499.9, 500.0, 730.0])
def test_a_schedule_updates_and_reports_where_the_engines_blocks_end(
    burn_in_ms: float, small_network: ss.Network, small_task: ss.Task
) -> None:
    simulation = Simulation(small_network, small_task)
    plan = schedule(Training(1700.0, burn_in_ms), small_network)
    reports = []
    for chunk in plan.chunks():
        to_update = simulation.steps_to_update()
        assert chunk.steps <= to_update
        assert chunk.updates == (chunk.steps == to_update)
        assert chunk.learns == (simulation.step > plan.burn_in)
        simulation.step += chunk.steps
        reports += [simulation.step] if chunk.reports else []
    assert simulation.step == plan.total
    assert reports == [*range(5001, plan.total, 5000), plan.total]


def test_a_measurement_is_cut_where_it_begins() -> None:
    chunks = [(chunk.steps, chunk.reports) for chunk in measurement(block=50, before=70, total=100)]
    assert chunks == [(50, False), (20, True), (50, False), (50, True)]


def test_a_recorder_keeps_the_spikes_of_three_periods_at_most(small_task: ss.Task) -> None:
    network = ss.Network([10, 6, 2], w0=200.0, seed=2, rule=ss.Rule(block=50.0, w_max=500.0))
    names = layer_names(network.sizes)
    simulation = Simulation(network, small_task)
    recorder, everything = (Recorder(simulation, names, everything) for everything in (False, True))
    follow(simulation, schedule(Training(6390.0), network).chunks(), [recorder, everything])
    kept, all_kept = ({name: x for name, x in r.snapshot().items() if name.endswith("steps")} for r in (recorder, everything))
    first, recent = (np.concatenate([kept[f"{part}_{name}_steps"] for name in names[1:]]) for part in ("first", "recent"))
    assert min(len(first), len(recent)) > 0
    assert first.max() < 2000 + 501
    assert recent.min() >= 60_000 - 500
    assert sum(len(x) for x in all_kept.values()) > 8 * (len(first) + len(recent))

"""Training and evaluation through the library, and the folder that a run leaves."""

from __future__ import annotations

import json
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import SHARED, at_least

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.lab.config import ENGINES
from superspike.lab.observers import Progress
from superspike.lab.run import Run
from superspike.model.feedback import FEEDBACKS
from superspike.model.optimizer import OPTIMIZERS
from superspike.spikes.trains import to_steps

FILES = {"config.toml", "metrics.csv", "weights.npz", "spikes.npz", "summary.json", "learning.png", "raster.png"}


def five_spikes() -> ss.Task:
    """ZG18 Fig. 2: 100 frozen Poisson inputs, five equidistant target spikes in 500 ms."""
    return ss.tasks.regular(n_inputs=100, input_rate=5.0, seed=1)


def seven_seeds(task: ss.Task, learning_rate: float) -> tuple[list[float], int]:
    """After 250 s, the costs of seven seeds' neurons relative to the first; and how many hit ten periods' targets, and only these."""
    costs, all_hit = [], 0
    for seed in range(1, 8):
        net = ss.Network([100, 1], optimizer=ss.RMaxProp(learning_rate), seed=seed)
        run = ss.train(net, task, duration_ms=250_000, learning_rate_drop_ms=150_000)
        costs.append(run.cost / run.cost_initial)
        all_hit += ss.evaluate(net, task).matches == (50, 0, 0)
    return costs, all_hit


def test_one_neuron_learns_five_spikes_in_250_s() -> None:
    costs, all_hit = seven_seeds(five_spikes(), 1.0)
    assert at_least(sum(cost < 0.1 for cost in costs), 7, 0.97)  # of 60 seeds all
    assert at_least(all_hit, 7, 0.88)  # of 60 seeds 53


@pytest.mark.parametrize("feedback", ["symmetric", "random", "uniform"])
def test_hidden_layers_learn_with_every_feedback(feedback: str) -> None:
    task = five_spikes()
    costs = [ss.train(ss.Network([100, 8, 1], feedback=feedback, seed=seed), task, duration_ms=250_000).cost for seed in range(5)]
    assert at_least(sum(cost < 4.0 for cost in costs), 5, 0.97)  # a tenth of what a silent network costs: 119 of 120 seeds


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_lowers_the_cost_in_both_engines(optimizer: str, engine: str) -> None:
    run = ss.train(ss.Network([100, 1], optimizer=optimizer, seed=1), five_spikes(), duration_ms=60_000, engine=engine)
    assert run.cost < 0.6 * run.cost_initial  # of 120 seeds all, the worst 0.23


def test_two_hidden_layers_learn() -> None:
    networks = [ss.Network([100, 20, 20, 1], w0=80.0, seed=seed) for seed in range(1, 6)]
    runs = [ss.train(network, five_spikes(), duration_ms=200_000) for network in networks]
    assert at_least(sum(run.cost < 0.2 * run.cost_initial for run in runs), 5, 0.97)  # of 40 seeds all


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_both_engines_learn_the_same(feedback: str, small_task: ss.Task) -> None:
    runs = [
        ss.train(
            ss.Network([10, 6, 2], feedback=feedback, scheme=ss.Scheme(precision="double"), w0=80.0, seed=2),
            small_task,
            duration_ms=5000,
            engine=engine,
            record="spikes",
        )
        for engine in ENGINES
    ]
    for name in ("hidden1", "output", "target", "input"):
        np.testing.assert_array_equal(runs[0].spikes[name].times_ms, runs[1].spikes[name].times_ms)
        np.testing.assert_array_equal(runs[0].spikes[name].ids, runs[1].spikes[name].ids)
    np.testing.assert_allclose(runs[0].metrics["cost"], runs[1].metrics["cost"], rtol=1e-9)  # double precision


def test_burn_in_leaves_the_weights_alone_and_its_cost_is_the_initial_one(small_network: ss.Network, small_task: ss.Task) -> None:
    before = [w.copy() for w in small_network.weights]
    seen: list[bool] = []

    def look(progress: Progress) -> None:
        same = all(np.array_equal(a, b) for a, b in zip(before, small_network.weights, strict=True))
        seen.append(same == (progress.time_ms <= 2000))

    run = ss.train(small_network, small_task, duration_ms=2000, burn_in_ms=2000, on_block=look)
    assert len(seen) == 8
    assert all(seen)
    assert run.cost_initial == run.metrics["cost"][:4].mean()


def test_learning_rate_drops_once_to_a_tenth(small_network: ss.Network, small_task: ss.Task) -> None:
    largest: list[float] = []
    last = [[w.copy() for w in small_network.weights]]

    def look(progress: Progress) -> None:
        largest.append(max(float(np.abs(a - b).max()) for a, b in zip(last[0], small_network.weights, strict=True)))
        last[0] = [w.copy() for w in small_network.weights]

    ss.train(small_network, small_task, duration_ms=6000, learning_rate_drop_ms=3000, on_block=look)
    assert max(largest[:6]) == pytest.approx(1.0, rel=1e-4)  # single precision
    assert max(largest[6:]) <= 0.1 * (1 + 1e-4)


def test_metrics_have_a_row_a_block(small_network: ss.Network, small_task: ss.Task) -> None:
    run = ss.train(small_network, small_task, duration_ms=1700)
    np.testing.assert_allclose(run.metrics["time_ms"], [500, 1000, 1500, 1699.9])
    assert list(run.metrics) == ["time_ms", "cost", "rate_input_hz", "rate_hidden1_hz", "rate_output_hz"]


def test_the_first_and_last_periods_are_recorded_as_they_were(small_task: ss.Task) -> None:
    runs = {
        record: ss.train(ss.Network([10, 6, 2], w0=80.0, seed=2), small_task, duration_ms=3100, record=record)
        for record in ("periods", "spikes")
    }
    periods, everything = runs["periods"], runs["spikes"]
    assert periods.windows_ms == [(0.0, 200.0), (2800.0, 3000.0)]
    assert everything.windows_ms == [(0.0, 3100.0)]
    assert len(everything.spikes["output"])
    assert everything.periods_ms == periods.periods_ms == [(0.0, 200.0), (2800.0, 3000.0)]
    assert {key: everything.summary()[key] for key in ("hits", "misses", "extra")} == {
        key: periods.summary()[key] for key in ("hits", "misses", "extra")
    }
    for name, spikes in periods.spikes.items():
        wanted = [everything.spikes[name].between(*window) for window in periods.windows_ms]
        np.testing.assert_array_equal(spikes.times_ms, np.concatenate([w.times_ms for w in wanted]))
        np.testing.assert_array_equal(spikes.ids, np.concatenate([w.ids for w in wanted]))
    shown = everything.spikes["target"].between(0, 200)
    np.testing.assert_array_equal(to_steps(shown.times_ms, 0.1), to_steps(small_task.targets.times_ms, 0.1))


def test_memory_does_not_grow_with_the_simulated_time(small_network: ss.Network, small_task: ss.Task) -> None:
    sizes: list[int] = []
    tracemalloc.start()
    ss.train(small_network, small_task, duration_ms=60_000, on_block=lambda _: sizes.append(tracemalloc.get_traced_memory()[0]))
    tracemalloc.stop()
    assert sizes[-1] - sizes[40] < 100_000  # bytes: a few numbers a block for the metrics


def test_training_stops_where_on_block_says_so(small_network: ss.Network, small_task: ss.Task) -> None:
    run = ss.train(small_network, small_task, duration_ms=10_000, on_block=lambda progress: progress.time_ms < 1500)
    assert run.interrupted
    assert run.metrics["time_ms"][-1] == 1500


def test_a_silent_network_warns_once_with_the_remedy(small_task: ss.Task) -> None:
    network = ss.Network([10, 6, 2], w0=0.0)
    with pytest.warns(
        ss.SilentNetworkWarning, match=r"no spike so far in: hidden1, output\. Give larger initial weights \(w0\)"
    ) as caught:
        ss.train(network, small_task, duration_ms=400)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # where train was called


def test_a_lively_network_does_not_warn(small_task: ss.Task) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ss.train(ss.Network([10, 6, 2], w0=200.0, seed=2, rule=ss.Rule(w_max=500.0)), small_task, duration_ms=1000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration_ms": 0.0}, r"Training\.duration_ms: must be > 0 ms, got 0\.0"),
        ({"duration_ms": 0.05}, r"Training\.duration_ms: must be a whole number of steps"),
        ({"burn_in_ms": -1.0}, r"Training\.burn_in_ms: must be >= 0 ms"),
        ({"engine": "gpu"}, r"Training\.engine: must be one of event, clock, got 'gpu'"),
        ({"record": "all"}, r"Training\.record: must be one of periods, spikes, got 'all'"),
    ],
)
def test_impossible_training_is_refused(
    options: dict[str, object], message: str, small_network: ss.Network, small_task: ss.Task
) -> None:
    with pytest.raises(ss.ParameterError, match=message):
        ss.train(small_network, small_task, **options)


def test_a_network_that_does_not_fit_the_task_is_refused(small_task: ss.Task) -> None:
    with pytest.raises(
        ss.ParameterError, match=r"Network\.sizes: must begin and end with the task's 10 and 2 units, got \[10, 6, 3\]"
    ):
        ss.train(ss.Network([10, 6, 3]), small_task)


def test_a_run_survives_its_folder(small_network: ss.Network, small_task: ss.Task, tmp_path: Path) -> None:
    run = ss.train(small_network, small_task, duration_ms=2000, burn_in_ms=500)
    run.save(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # nothing temporary is left
    again = Run.load(tmp_path / "run")
    assert again.summary() == run.summary() == json.loads((tmp_path / "run" / "summary.json").read_text())
    for ours, theirs in zip(again.weights, run.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert ss.evaluate(again.network, again.task) == ss.evaluate(run.network, run.task)
    run.plot(tmp_path / "all.png")
    assert (tmp_path / "all.png").stat().st_size > 10_000


def test_a_run_without_a_target_spike_survives_its_folder(tmp_path: Path) -> None:
    task = ss.Task(ss.Spikes([1.0, 40.0], [0, 1], 3), ss.Spikes([], [], 2), 100.0)
    run = ss.train(ss.Network([3, 2], w0=300.0), task, 1000)
    run.save(tmp_path / "run")
    assert Run.load(tmp_path / "run").task.targets == task.targets


@pytest.mark.parametrize("made_by_hand", [False, True])
@pytest.mark.parametrize("given_weights", [False, True])
def test_config_reproduces_the_run_bit_for_bit(
    made_by_hand: bool, given_weights: bool, small_task: ss.Task, tmp_path: Path
) -> None:
    from superspike.lab import config

    rng = np.random.default_rng(8)
    task = ss.Task(small_task.inputs, small_task.targets, 200.0) if made_by_hand else small_task
    weights = [rng.normal(0, 30, (10, 6)), rng.normal(0, 30, (6, 2))] if given_weights else None
    network = ss.Network(
        [10, 6, 2], feedback="random", surrogate=ss.Gaussian(0.7), optimizer=ss.RMSprop(0.3, 20_000.0), weights=weights, seed=4, w0=80.0,
        neuron=ss.LIF(tau_mem=12.0), rule=ss.Rule(rho=1.0), scheme=ss.Scheme(integration="exact"),
    )  # fmt: skip
    run = ss.train(network, task, duration_ms=3000, burn_in_ms=100, learning_rate_drop_ms=1000)
    run.save(tmp_path / "run")
    again_task, again_network, training = config.build(config.read(tmp_path / "run" / "config.toml"))
    again = ss.train(again_network, again_task, **training._asdict())
    for ours, theirs in zip(again.weights, run.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name, spikes in run.spikes.items():
        np.testing.assert_array_equal(again.spikes[name].times_ms, spikes.times_ms)
    np.testing.assert_array_equal(again.metrics["cost"], run.metrics["cost"])


def test_a_second_training_goes_on_from_the_first(small_network: ss.Network, small_task: ss.Task, tmp_path: Path) -> None:
    first = ss.train(small_network, small_task, duration_ms=1000)
    second = ss.train(small_network, small_task, duration_ms=1000)
    second.save(tmp_path / "run")
    with np.load(tmp_path / "run" / "initial_weights.npz") as file:
        for k, (ours, theirs) in enumerate(zip(first.weights, second.weights, strict=True)):
            np.testing.assert_array_equal(file[f"w{k}"], ours)
            assert np.any(ours != theirs)
    given = ss.Network([10, 6, 2], w0=80.0, seed=2, weights=first.weights)
    for ours, theirs in zip(ss.train(given, small_task, duration_ms=1000).weights, second.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    Run.load(tmp_path / "run").save(tmp_path / "copy")
    for name in ("config.toml", "initial_weights.npz"):
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_weights_changed_by_hand_are_kept_as_initial_and_drawn_ones_are_not(
    small_network: ss.Network, small_task: ss.Task, tmp_path: Path
) -> None:
    from superspike.lab import config

    assert ss.train(ss.Network([10, 6, 2], w0=80.0, seed=2), small_task, duration_ms=500).initial_weights is None
    small_network.weights[1] *= 0.5
    run = ss.train(small_network, small_task, duration_ms=1000)
    run.save(tmp_path / "run", pictures=False)
    again_task, again_network, training = config.build(config.read(tmp_path / "run" / "config.toml"))
    for ours, theirs in zip(ss.train(again_network, again_task, **training._asdict()).weights, run.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_stays_what_happened_whatever_becomes_of_its_network(small_network: ss.Network, small_task: ss.Task) -> None:
    run = ss.train(small_network, small_task, duration_ms=1000)
    then, summary = [w.copy() for w in run.weights], run.summary()
    ss.train(small_network, small_task, duration_ms=1000)
    own = run.network
    more = ss.train(own, small_task, duration_ms=1000)
    ss.evaluate(run.network, small_task, 400.0)
    small_network.weights[0][:] = 0
    for now, before, trained, result in zip(run.weights, then, own.weights, more.weights, strict=True):
        np.testing.assert_array_equal(now, before)
        np.testing.assert_array_equal(trained, result)  # training changes the network that it is given
        assert np.any(now != trained)
    assert run.summary() == summary


def test_fixed_feedback_is_loaded_as_it_was_saved(small_task: ss.Task, tmp_path: Path) -> None:
    network = ss.Network([10, 6, 2], feedback="random", w0=80.0, seed=2)
    network.feedback_weights[0][:] = 5.0
    ss.train(network, small_task, duration_ms=500).save(tmp_path / "run", pictures=False)
    assert np.all(Run.load(tmp_path / "run").network.feedback_weights[0] == 5.0)
    with np.load(tmp_path / "run" / "weights.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "run" / "weights.npz", **{name: w for name, w in arrays.items() if name != "b1"})
    with pytest.raises(ss.ParameterError, match=r"weights\.npz: must hold the array b1, holds w0, w1"):
        Run.load(tmp_path / "run")
    np.savez(tmp_path / "run" / "weights.npz", **arrays | {"b1": arrays["b1"].T})
    with pytest.raises(
        ss.ParameterError, match=r"weights\.npz: b1 must hold numbers of the shape \(2, 6\), got float64 of \(6, 2\)"
    ):
        Run.load(tmp_path / "run")


@pytest.mark.parametrize("name", ["config.toml", "metrics.csv", "weights.npz", "spikes.npz", "summary.json"])
def test_a_broken_folder_is_refused_and_its_file_named(
    name: str, small_network: ss.Network, small_task: ss.Task, tmp_path: Path
) -> None:
    ss.train(small_network, small_task, duration_ms=500).save(tmp_path / "run", pictures=False)
    path = tmp_path / "run" / name
    whole = path.read_bytes()
    broken = {
        "empty": b"",
        "half": whole[: len(whole) // 2].rstrip()[:-1],
        "noise": bytes(range(256)),
        "list": b"[1, 2]",
        "NaN": b"NaN",
    }
    broken["columns"] = whole.replace(b",", b";")
    broken["words"] = whole.replace(b": false", b': "no"').replace(b"0", b"zero")
    for data in (*broken.values(), None):
        path.unlink() if data is None else path.write_bytes(data)
        if data in (whole, b"") and name == "config.toml":  # every option has a default: no broken file
            continue
        with pytest.raises(ss.ParameterError, match=name.replace(".", r"\.")):
            Run.load(tmp_path / "run")


@pytest.mark.parametrize("missing", ["hidden1_ids", "target_times_ms", "output_n", "windows_ms"])
def test_missing_and_wrong_spikes_are_named(missing: str, small_network: ss.Network, small_task: ss.Task, tmp_path: Path) -> None:
    ss.train(small_network, small_task, duration_ms=500).save(tmp_path / "run", pictures=False)
    with np.load(tmp_path / "run" / "spikes.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "run" / "spikes.npz", **{name: values for name, values in arrays.items() if name != missing})
    with pytest.raises(ss.ParameterError, match=rf"spikes\.npz: must hold the array {missing}"):
        Run.load(tmp_path / "run")
    np.savez(tmp_path / "run" / "spikes.npz", **arrays | {missing: np.array([-7.0, 1.5, 3.0])})
    with pytest.raises(ss.ParameterError, match=r"spikes\.npz: "):
        Run.load(tmp_path / "run")


@pytest.mark.parametrize("change", ["none", "gone", "other"])
@pytest.mark.parametrize("kind", ["ras", "picture"])
def test_a_run_can_be_moved_and_needs_no_file_but_its_own(
    kind: str, change: str, ras_files: tuple[str, str], tmp_path: Path
) -> None:
    from PIL import Image, ImageDraw

    picture = tmp_path / "photo.png"
    page = Image.new("L", (30, 10), "white")
    ImageDraw.Draw(page).line((0, 0, 29, 9), fill="black", width=3)
    page.save(picture)
    if kind == "ras":
        task = ss.tasks.files(*ras_files, period_ms=500.0)
    else:
        task = ss.tasks.picture(str(picture), n_inputs=20, outputs=3, period_ms=500.0, seed=4)
    run = ss.train(ss.Network([20, 4, 3], w0=80.0), task, duration_ms=1000)
    for path in (*map(Path, ras_files), picture):
        if change == "gone":
            path.unlink()
        elif change == "other":
            path.write_text("0.05 0\n") if path.suffix == ".ras" else page.transpose(Image.Transpose.ROTATE_180).crop(
                (0, 0, 9, 9)
            ).save(path)
    run.save(tmp_path / "run", pictures=False)
    elsewhere = (tmp_path / "run").rename(tmp_path / "moved")
    for path in (*map(Path, ras_files), picture):
        path.unlink(missing_ok=True)
    again = Run.load(elsewhere)
    assert (again.task.inputs, again.task.targets, again.task.period_ms) == (task.inputs, task.targets, 500.0)
    assert ss.evaluate(again.network, again.task, 500.0) == ss.evaluate(run.network, task, 500.0)
    assert (elsewhere / ("target.png" if (kind, change) == ("picture", "none") else "target.ras")).exists()
    again.save(elsewhere, force=True, pictures=False)  # its files are read before they are replaced
    assert Run.load(elsewhere).task.targets == task.targets


def test_a_picture_that_cannot_be_drawn_is_a_warning_and_the_numbers_are_saved(
    small_network: ss.Network, small_task: ss.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ss.train(small_network, small_task, duration_ms=500)

    def fail(*_: object) -> None:
        raise RuntimeError("no LaTeX")

    monkeypatch.setattr("superspike.lab.plotting.save", fail)
    with pytest.warns(UserWarning, match=r"could not be drawn \(no LaTeX\).*superspike plot") as caught:
        run.save(tmp_path / "run")
    assert len(caught) == 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == {name for name in FILES if not name.endswith(".png")}
    assert Run.load(tmp_path / "run").summary() == run.summary()


def test_a_folder_with_files_is_refused_unless_forced(small_network: ss.Network, small_task: ss.Task, tmp_path: Path) -> None:
    run = ss.train(small_network, small_task, duration_ms=500)
    run.save(tmp_path / "run")
    with pytest.raises(ss.ParameterError, match="must be empty or absent"):
        run.save(tmp_path / "run")
    run.save(tmp_path / "run", force=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    with pytest.raises(ss.ParameterError, match="must be the folder of a run to be replaced"):
        run.save(tmp_path / "other", force=True)


def test_nothing_half_written_is_left_behind(
    small_network: ss.Network, small_task: ss.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ss.train(small_network, small_task, duration_ms=500)
    run.save(tmp_path / "run")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("superspike.lab.run.save_spikes", full)
    for folder in ("new", "run"):
        with pytest.raises(OSError, match="No space left"):
            run.save(tmp_path / folder, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_evaluation_leaves_the_network_as_it_was(small_network: ss.Network, small_task: ss.Task) -> None:
    before = [w.copy() for w in small_network.weights]
    evaluation = ss.evaluate(small_network, small_task)
    assert all(np.array_equal(a, b) for a, b in zip(before, small_network.weights, strict=True))
    assert evaluation.duration_ms == 2000
    assert evaluation.rates_hz["input"] == pytest.approx(small_task.inputs.rate_hz(200.0))
    second = evaluation.spikes["input"].between(200.0, 400.0)  # times count from the beginning of the measurement
    np.testing.assert_allclose(second.times_ms - 200.0, np.floor(small_task.inputs.times_ms * 10 + 1e-6) / 10, atol=1e-9)


def silent_cost(task: ss.Task, integration: str) -> float:
    """Cost of a network with zero weights over one period, after a first one."""
    simulation = Simulation(ss.Network([task.n_inputs, task.n_outputs], w0=0.0, scheme=ss.Scheme(integration=integration)), task)
    steps = round(task.period_ms / 0.1)
    simulation.advance(steps)
    return simulation.advance(steps)[0]


def silent_cost_in_closed_form(task: ss.Task) -> float:
    """Four times the targets' rate, times the overlap of their filtered spikes, the pattern's repetitions included."""
    a, b, total = 10.0, 5.0, 0.0
    for unit in range(task.n_outputs):
        times = to_steps(task.targets.train(unit), 0.1) * 0.1
        for shift in (-task.period_ms, 0.0, task.period_ms):
            gap = np.abs(times[:, None] - times[None, :] + shift)
            total += float((a * np.exp(-gap / a) - b * np.exp(-gap / b)).sum() / (a - b))
    return 4 * 1000 * total / task.period_ms / task.n_outputs


def test_silent_network_costs_what_its_targets_overlap_implies() -> None:
    task = ss.tasks.poisson(n_inputs=1, outputs=20, target_rate=30.0, period_ms=1000.0, seed=6)
    assert silent_cost(task, "exact") == pytest.approx(silent_cost_in_closed_form(task), rel=1e-3)  # sampled at 0.1 ms
    assert silent_cost(task, "euler") == pytest.approx(
        silent_cost_in_closed_form(task), rel=0.01
    )  # Euler: 0.7 % for sparse spikes


@pytest.mark.skipif(not SHARED.is_dir(), reason="the SSBM files are not here; the claim above is the same on data of our own")
@pytest.mark.parametrize(
    ("name", "n_in", "n_out", "published"), [("poisson", 100, 1, 40.3), ("auryn", 100, 100, 19.4), ("oxford", 200, 200, 214.6)]
)
def test_silent_network_costs_what_the_paper_s_data_imply(name: str, n_in: int, n_out: int, published: float) -> None:
    task = ss.tasks.files(
        str(SHARED / name / "input.ras"), str(SHARED / name / "target.ras"),
        n_inputs=n_in, n_outputs=n_out, target_ids_from=int(name == "oxford"),
    )  # fmt: skip
    assert silent_cost(task, "exact") == pytest.approx(silent_cost_in_closed_form(task), rel=1e-3)
    # the published figures are readings of a 10 s moving average, which is no whole number of periods of 3.5 and 1.89 s
    assert silent_cost(task, "euler") == pytest.approx(published, rel=0.02)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the SSBM files are not here; the same claim is tested above on data of our own")
def test_one_neuron_hits_the_five_spikes_of_the_poisson_benchmark() -> None:
    task = ss.tasks.files(
        str(SHARED / "poisson" / "input.ras"), str(SHARED / "poisson" / "target.ras"), n_inputs=100, n_outputs=1
    )
    assert at_least(seven_seeds(task, 3.0)[1], 7, 0.9)  # of 60 seeds 54

"""Learning to classify samples: epochs, validation, and what a network then says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import at_least, relative

import superspike as ss
from superspike.cli import main
from superspike.engine.classifier import Classifier
from superspike.engine.simulation import Simulation
from superspike.lab import config, job
from superspike.lab.fitting import Report
from superspike.lab.observers import SilentNetworkWarning

Parts = tuple[ss.Samples, ss.Samples, ss.Samples]
TRAIN = ["train", "--task", "randman", "--samples", "50", "--classes", "4", "--hidden", "30"]
FILES = {
    "config.toml", "metrics.csv", "progress.csv", "weights.npz", "samples.npz", "summary.json", "learning.png", "samples.png",
    "confusion.png",
}  # fmt: skip


def network(feedback: str = "symmetric", seed: int = 1, classes: int = 4, **options: object) -> ss.Network:
    given: dict[str, object] = {
        "loss": "max_over_time", "feedback": feedback, "neuron": ss.LIF(tau_ref=0.0, reset="subtract"), "seed": seed,
        "surrogate": ss.FastSigmoid(2.0), "optimizer": ss.Adam(1.0), "scheme": ss.Scheme(dt=1.0, delay=1.0, integration="exact"),
        "rule": ss.Rule(w_max=1000.0), "w0": 60.0,
    }  # fmt: skip
    return ss.Network([20, 50, ss.Layer(classes, ss.Readout(tau_mem=20.0))], **given | options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def manifolds() -> Parts:
    return ss.RandomManifolds(classes=4, samples=300).make(seed=3)


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
def test_random_manifolds_are_told_apart(feedback: str, manifolds: Parts) -> None:
    train, validation, test = manifolds
    found = []
    for seed in range(1, 6):
        net = network(feedback, seed)
        run = ss.fit(net, train, epochs=8, validation=validation)
        assert run.network is not net
        np.testing.assert_array_equal(run.weights[0], net.weights[0])
        assert run.metrics["loss"][-1] < run.metrics["loss"][0]
        found.append(ss.classify(net, test).accuracy)
    assert at_least(sum(accuracy > 0.9 for accuracy in found), 5, 0.97)  # of 40 seeds all


def test_what_a_network_says_of_samples_adds_up(manifolds: Parts) -> None:
    train, validation, _ = manifolds
    net, seen = network(), []
    run = ss.fit(net, train, epochs=3, validation=validation, on_report=seen.append)
    assert run.metrics["epoch"].tolist() == [1, 2, 3]
    assert [report.epoch for report in seen] == run.progress["epoch"].tolist()
    assert len(seen) == 30
    assert [report.accuracy_validation for report in seen if report.accuracy_validation is not None] == (
        run.metrics["accuracy_validation"].tolist()
    )
    assert run.metrics["loss"][0] == pytest.approx(np.mean([x.loss for x in seen[:10]]), rel=0.2)  # parts differ in size
    found = ss.classify(net, validation)
    assert found.accuracy == run.metrics["accuracy_validation"][-1] == run.validation.accuracy
    assert found.confusion.sum(1).tolist() == np.bincount(validation.labels, minlength=4).tolist()
    assert np.trace(found.confusion) / len(validation) == pytest.approx(found.accuracy)
    low, high = found.interval
    assert low < found.accuracy < high
    assert found.spikes_per_decision > 1


def test_feedback_that_follows_weights_follows_them_to_the_end(manifolds: Parts) -> None:
    net = network()
    start = net.feedback_weights[0].copy()
    ss.fit(net, manifolds[0], epochs=1)
    found = net.feedback_weights[0].copy()
    net.refresh_feedback()
    np.testing.assert_array_equal(found, net.feedback_weights[0])
    assert np.any(found != start)


def test_the_interval_is_wilsons() -> None:
    right = np.arange(100) < 98
    found = ss.Classification(np.where(right, 0, 1), np.zeros(100, int), ("a", "b"), 0.0, 0.0)
    assert found.interval == pytest.approx((0.9300, 0.9945), abs=1e-4)  # published tables, to their digits


def test_the_same_seed_gives_the_same_bits_with_any_number_of_threads(
    manifolds: Parts,
) -> None:
    nets = [network("random", seed=7) for _ in range(2)]
    for threads, net in enumerate(nets, 1):
        ss.fit(net, manifolds[0], epochs=2, dropout=0.1, threads=threads)
    for ours, theirs in zip(nets[0].weights, nets[1].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_bound_of_rates_makes_spikes_fewer(manifolds: Parts) -> None:
    spikes = []
    for rates in (None, ss.Rates(mean=0.5, mean_strength=0.2)):
        run = ss.fit(network(rates=rates), manifolds[0], epochs=4)
        spikes.append(run.metrics["spikes_per_decision"][-1])
    assert spikes[1] < 0.7 * spikes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": [1, 2]}, r"fit\.samples: must be Samples, got list"),
        ({"network": network(classes=5)}, r"fit\.samples: must have the network's 20 inputs and 5 classes, got 20 and 4"),
        ({"network": ss.Network([20, 4])}, r"Network\.loss: must be one of trials, such as max_over_time, got VanRossum"),
        ({"epochs": 0}, r"Fitting\.epochs: must be a whole number >= 1, got 0"),
        ({"batch": 0}, r"Fitting\.batch: must be a whole number >= 1, got 0"),
        ({"dropout": 1.0}, r"Fitting\.dropout: must be >= 0 and < 1, got 1\.0"),
        ({"decay": 0.0}, r"Fitting\.decay: must be > 0 and <= 1, got 0\.0"),
        ({"choose": "first"}, r"Fitting\.choose: must be one of last, best, got 'first'"),
        ({"choose": "best"}, r"Fitting\.choose: must be last where there are no validation samples, got best"),
        ({"network": network(rule=ss.Rule(rho=1.0))}, r"Rule\.rho: must be 0 in trials, whose regularisers are Network\.rates"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    change: dict[str, object], message: str, manifolds: tuple[ss.Samples, ss.Samples, ss.Samples]
) -> None:
    given = {"network": network(), "samples": manifolds[0]} | change
    with pytest.raises(ss.ParameterError, match=message):
        ss.fit(**given)  # type: ignore[arg-type]


def test_a_loss_of_trials_is_not_for_streams() -> None:
    with pytest.raises(ss.ParameterError, match=r"Network\.loss: must be a stream's, .*, got MaxOverTime"):
        ss.train(network(), ss.tasks.poisson(n_inputs=20, outputs=4, seed=1), duration_ms=100)


def test_rates_are_not_for_streams() -> None:
    net = ss.Network([20, 10, 4], rates=ss.Rates(upper_strength=1.0))
    with pytest.raises(ss.ParameterError, match=r"Network\.rates: must be left out, spike counts are those of trials, got Rates"):
        ss.train(net, ss.tasks.poisson(n_inputs=20, outputs=4, seed=1), duration_ms=100)


def test_the_best_epoch_is_kept_where_that_is_wished(manifolds: Parts) -> None:
    train, validation, _ = manifolds
    net = network()

    def spoil(report: Report) -> None:
        if report.epoch == 3:
            net.weights[-1][:] = 0

    run = ss.fit(net, train, epochs=4, validation=validation, choose="best", on_report=spoil)
    accuracies = run.metrics["accuracy_validation"]
    assert run.validation.accuracy == accuracies[2] == accuracies.max() > accuracies[-1]
    assert ss.classify(net, validation).accuracy == run.validation.accuracy


def test_a_fit_ends_where_its_observer_says(manifolds: Parts) -> None:
    run = ss.fit(network(), manifolds[0], epochs=3, on_report=lambda report: report.epoch < 1.15)
    assert run.interrupted
    assert run.metrics["epoch"].tolist() == [1.0, pytest.approx(1.2)]


def test_a_fit_whose_numbers_cease_to_be_finite_names_the_epoch_and_leaves_the_network_as_it_was(manifolds: Parts) -> None:
    net = network()
    before = [w.copy() for w in net.weights]

    def spoil(report: Report) -> None:
        if report.epoch == 1:
            assert not np.array_equal(net.weights[1], before[1])
            net.weights[1][0] = np.nan

    with pytest.raises(ss.ParameterError, match=r"epoch 2: .* no longer finite; lower the learning rate"):
        ss.fit(net, manifolds[0], epochs=3, on_report=spoil)
    assert all(np.array_equal(a, b) for a, b in zip(before, net.weights, strict=True))


def test_a_network_that_stays_silent_gives_a_warning(manifolds: Parts) -> None:
    with pytest.warns(SilentNetworkWarning, match=r"no spike so far in: hidden\. Give larger initial weights"):
        ss.fit(network(w0=0.1, optimizer=ss.Adam(0.0)), manifolds[0], epochs=1)


def test_a_decision_is_settled_when_shorter_trials_have_the_same_answer(manifolds: Parts) -> None:
    net = network()
    ss.fit(net, manifolds[0], epochs=3)
    found = ss.classify(net, manifolds[2], latency=True)
    assert found.latency_ms is not None
    for k in range(10):
        spikes = manifolds[2][k].spikes
        answers = []
        for end in (found.latency_ms[k] - 1, found.latency_ms[k]):  # ms, and steps
            cut = ss.Samples.from_trials([spikes.between(0, end)], [0], 20, max(end, 1.0), manifolds[2].classes, complete=False)
            answers.append(int(ss.classify(net, cut).prediction[0]) if end else -1)
        assert answers[1] == found.prediction[k]
        assert answers[0] != found.prediction[k] or found.prediction[k] == 0  # which is said where no output says most


def test_compiling_learns_nothing_and_draws_nothing(manifolds: Parts) -> None:
    found = []
    for compiles in (False, True):
        classifier = Classifier(network("random"), dropout=0.3)
        before = [w.copy() for w in classifier.weights]
        if compiles:
            classifier.compile(manifolds[0])
            for ours, theirs in zip(classifier.weights, before, strict=True):
                np.testing.assert_array_equal(ours, theirs)
        found.append(classifier.train_batch(manifolds[0], np.arange(64)).z)
    np.testing.assert_array_equal(*found)


def test_compiling_for_samples_that_do_not_fit_changes_nothing(manifolds: Parts) -> None:
    classifier = Classifier(network(classes=3), dropout=0.2)
    before = classifier.snapshot()
    with pytest.raises(ss.ParameterError, match="labels"):
        classifier.compile(manifolds[0])
    for name, x in classifier.snapshot().items():
        assert np.array_equal(x, before[name])


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_saved_fit_is_the_same_when_it_is_loaded(recurrent: bool, manifolds: Parts, tmp_path: Path) -> None:
    train, validation, test = manifolds
    run = ss.fit(network("random", recurrent=recurrent), train, epochs=2, validation=validation, test=test)
    run.save(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    again = job.load(tmp_path / "run")
    assert isinstance(again, ss.Fit)
    assert again.summary() == run.summary()
    assert list(ss.load_weights(tmp_path / "run" / "weights.npz")) == ["w0", "w1", *(["v1"] if recurrent else [])]
    for name in ("weights.npz", "metrics.csv"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    np.testing.assert_array_equal(again.test.prediction, run.test.prediction)
    np.testing.assert_array_equal(again.decisions[1].potentials, run.decisions[1].potentials)
    assert again.decisions[2].spikes == run.decisions[2].spikes
    np.testing.assert_array_equal(ss.classify(again.network, test).prediction, run.test.prediction)
    for part, samples in zip(("train", "validation", "test"), manifolds, strict=True):
        samples.save(tmp_path / f"{part}.npz")
    assert job.samples_of(again, "test", str(tmp_path)) == test
    with pytest.raises(ss.ParameterError, match=r"data: must be given, the run's samples were made by hand"):
        job.samples_of(again, "test", None)


def run_cli(*arguments: str | Path, status: int = 0) -> str:
    found = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert found.exit_code == status, found.output
    return found.output if status else found.stdout


def test_the_command_line_learns_samples(tmp_path: Path) -> None:
    out = tmp_path / "run"
    found = json.loads(run_cli(*TRAIN, "--epochs", "3", "--feedback", "random", "--json", "--quiet", "--out", out))
    assert {path.name for path in out.iterdir()} == FILES | {"checkpoint.npz"}
    assert found["sizes"] == [20, 30, 4]
    assert found["epochs"] == 3
    assert {"accuracy_test", "accuracy_validation", "loss", "seconds_per_epoch", "us_per_sample", "spikes_per_decision"} <= set(
        found
    )
    said = json.loads(run_cli("evaluate", out, "--json"))
    assert said["accuracy"] == found["accuracy_test"]
    assert said["interval_95"] == found["interval_95"]
    assert np.sum(said["confusion"]) == said["samples"] == 20
    assert f"{100 * found['accuracy_validation']:.2f} % of 20 validation samples" in run_cli(
        "evaluate", out, "--part", "validation"
    )
    assert "samples.png" in run_cli("plot", out, "--out", tmp_path / "pictures")
    again = tmp_path / "again"
    run_cli("train", out / "config.toml", "--quiet", "--out", again)
    for ours, theirs in zip(ss.Fit.load(out).weights, ss.Fit.load(again).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "mnist"], "data: must be given, MNIST has no default for it"),
        (["--task", "mnist", "--data", "nowhere"], "nowhere: must be a folder of data, does not exist"),
        (["--task", "randman", "--duration", "1s"], "duration: has no effect on what the other options choose"),
        (["--task", "randman", "--encoder", "latency"], "encoder: has no effect on what the other options choose"),
        (["--task", "randman", "--tau-rise", "1ms"], "tau_rise: has no effect on what the other options choose"),
        (["--task", "randman", "--loss", "van_rossum"], "Network.loss: must fit the last layer, VanRossum reads spikes"),
        (["--task", "randman", "--reset", "rest"], 'LIF(reset="subtract", tau_ref=0)'),
        (["--task", "randman", "--skip", "0-2"], "Network: must have one hidden layer or more, no skips"),
        (["--task", "regular", "--epochs", "3"], "epochs: has no effect on what the other options choose"),
        (["--task", "randman", "--classes", "1"], "RandomManifolds.classes: must be a whole number >= 2"),
    ],
)
def test_what_the_command_line_cannot_learn_is_said(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in run_cli("train", *arguments, status=2).replace("\n", " ")
    assert not list(tmp_path.iterdir())


def test_evaluate_takes_the_options_of_the_run_s_kind(tmp_path: Path) -> None:
    run_cli(*TRAIN, "--epochs", "1", "--quiet", "--out", tmp_path / "run")
    for option in (["--duration", "1s"], ["--engine", "clock"], ["--data", tmp_path]):
        assert "must be left out" in run_cli("evaluate", tmp_path / "run", *option, status=2)


def test_a_sweep_learns_samples_too(tmp_path: Path) -> None:
    tables = [{"task": "randman", "samples": 20, "classes": 3, "hidden": "10", "epochs": 1, "seed": seed} for seed in (1, 2)]
    runs = ss.sweep(tables, tmp_path, jobs=1)
    assert [type(run) for run in runs] == [ss.Fit, ss.Fit]
    assert ss.sweep(tables, tmp_path, jobs=1)[1].summary() == runs[1].summary()


def streaming(seed: int = 1, **options: object) -> ss.Network:
    given: dict[str, object] = {
        "loss": ss.CrossEntropy(begin=20.0), "rule": ss.Rule(block=100.0, tau_decay=20.0, w_max=1000.0), "optimizer": ss.Adam(0.3),
    }  # fmt: skip
    return network(seed=seed, **given | options)


def test_a_stream_of_samples_is_learned_online_without_rest_between_them(manifolds: Parts) -> None:
    train, _, test = manifolds
    net = streaming()
    ss.train(
        net, train.stream(epochs=5), duration_ms=5 * 960 * 100.0 - 100
    )  # the first block is one step, and five epochs are whole
    stream = test.stream(seed=2)
    potentials = ss.evaluate(net, stream, stream.period_ms).potentials.reshape(len(test), 100, 4)
    labels = test.labels[next(test.batches(len(test), 2))]
    assert (potentials.mean(axis=1).argmax(axis=1) == labels).mean() > 0.9  # chance is a quarter


def test_a_stream_has_every_sample_once_an_epoch_behind_its_label() -> None:
    samples = ss.Samples.from_trials([([1.0, 3.0], [0, 1]), ([2.0], [1]), ([], [])], [2, 0, 1], 2, 5.0)
    task = samples.stream(epochs=2, seed=4)
    order = np.concatenate([next(samples.batches(3, 4, epoch)) for epoch in range(2)])
    assert task.period_ms == 30.0
    assert task.targets == ss.Spikes(5.0 * np.arange(6), samples.labels[order], 3)
    for k, sample in enumerate(order):
        own = task.inputs.between(5.0 * k, 5.0 * (k + 1))
        np.testing.assert_array_equal(own.times_ms - 5.0 * k, samples[int(sample)].spikes.times_ms)
        np.testing.assert_array_equal(own.ids, samples[int(sample)].spikes.ids)
    assert set(order[:3]) == set(order[3:]) == {0, 1, 2}


def test_engines_agree_on_a_stream_of_samples(manifolds: Parts) -> None:
    stream = manifolds[2][:40].stream()
    found = []
    for engine in ("clock", "event"):
        scheme = ss.Scheme(dt=1.0, delay=1.0, integration="exact", precision="double")
        simulation = Simulation(streaming(scheme=scheme), stream, engine)
        simulation.learn(True)
        for steps in (1, 999, 1500):
            simulation.advance(steps)
            found.append([x.copy() for x in simulation.traces["m"]])
            simulation.update()
        found.append([w.copy() for w in simulation.weights])
    for ours, theirs in zip(found[:4], found[4:], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert relative(a, b) < 1e-9 or np.abs(a - b).max() < 1e-15  # double precision; nothing in the first step


def test_the_errors_of_a_stream_are_those_of_softmax_in_each_step() -> None:
    loss, u = ss.CrossEntropy(temperature=5.0, begin=2.0), np.array([3.0, -2.0, 7.0])
    known, units, sizes = np.zeros(2), np.zeros(3, np.int64), np.zeros(3)
    nobody = np.zeros(0, np.int64)
    assert loss.impulses(nobody, nobody, u, 2, known, units, sizes) == 0  # no class has been named
    for step, targets in enumerate([np.array([1]), nobody, nobody, nobody]):
        assert loss.impulses(nobody, targets, u, 2, known, units, sizes) == (3 if step >= 2 else 0)
    p = np.exp(u / 5) / np.exp(u / 5).sum()
    np.testing.assert_allclose(sizes, (np.array([0, 1, 0]) - p) / 5, rtol=1e-12)  # rounding
    assert units.tolist() == [0, 1, 2]


def test_parts_must_have_the_same_classes_and_duration(manifolds: Parts) -> None:
    train, _, test = manifolds
    arrays = test.times, test.units, test.offsets, test.labels, test.n_units
    for other in (ss.Samples(*arrays, 100.0, ["3", "2", "1", "0"]), ss.Samples(*arrays, 200.0)):
        with pytest.raises(
            ss.ParameterError, match=r"fit\.test: must have the classes and the duration of the others, 0, 1, 2, 3 in"
        ):
            ss.fit(network(), train, epochs=1, test=other)


def test_names_of_classes_are_kept_without_other_parts(tmp_path: Path) -> None:
    samples = ss.Samples.from_trials(
        [([1.0], [0]), ([9.0], [1])] * 4, [0, 1] * 4, 20, 20.0, ["$x_", "a\nname that is much too long"]
    )
    run = ss.fit(network(classes=2), samples, epochs=1)
    assert run.classes == samples.classes
    run.save(tmp_path / "run")
    assert (tmp_path / "run" / "samples.png").stat().st_size > 10_000
    assert ss.Fit.load(tmp_path / "run").classes == samples.classes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: ss.fit(network(), s, source="mnist"), r"fit\.source: must be a Source\(dataset, encoder, seed\), .* got 'mnist'"),
        (lambda s: ss.fit(None, s), r"fit\.network: must be a Network, got NoneType"),
        (lambda s: ss.train(network(), s), r"train\.task: must be a Task, got Samples; give samples\.stream\(\), or learn them with fit"),
        (lambda s: network(rates=ss.Rates(upper=3.0)), r"Rates\.upper_strength: must be > 0 where there is a bound \(upper 3\), got 0"),
        (lambda s: ss.fit(network(loss=ss.EachStep(begin=100.0)), s), r"EachStep\.begin: must be < 100 ms, the length of a sample"),
        (lambda s: ss.fit(network(), s, threads=10**6), r"Classifier\.threads: must be a whole number >= 1 and <= 256, got 1000000"),
        (lambda s: s[:0].stream(), r"Samples\.stream: must be some samples, got none"),
        (lambda s: ss.RandomManifolds(samples=10**9).make(), r"RandomManifolds\.samples: must fit into memory"),
    ],
)  # fmt: skip
def test_slips_are_named(call: Any, message: str, manifolds: Parts) -> None:
    with pytest.raises(ss.ParameterError, match=message):
        call(manifolds[0])


def test_another_task_on_top_of_a_config_leaves_the_old_ones_ways_behind() -> None:
    samples = config.table(*parts(config.build({"task": "randman", "samples": 10, "hidden": "8", "epochs": 7})), False)
    streams = config.table(*parts(config.build({"task": "regular", "hidden": "8", "learning_rate": "3mV"})), False)
    _, net, training = config.build(config.merge(samples, {"task": "xor", "duration": "1s"}))
    assert isinstance(training, config.Training)
    assert isinstance(net.loss, ss.VanRossum)
    assert net.sizes[1:-1] == [256]
    _, net, training = config.build(config.merge(streams, {"task": "randman", "samples": 10}))
    assert training == config.Fitting(epochs=20, threads=0)
    assert net.optimizer == ss.Adam(0.3)
    assert net.seed == 1
    longer = config.merge(samples, {"hidden": "15,10"})
    assert config.build(longer)[1].sizes == [20, 15, 10, 10]
    assert config.build(longer)[2].epochs == 7
    with pytest.raises(ss.ParameterError, match=r"task: must be a name, got \['randman'\]"):
        config.build({"task": ["randman"]})


def parts(built: Any) -> tuple[Any, Any, Any]:
    """What a run's table is made from."""
    task, net, training = built
    return getattr(task, "source", task), net, training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": [1, 2, 3, 4]}, r"summary\.json: must hold true or false and 4 names of classes"),
        ({"classes": "abcd"}, r"summary\.json: must hold true or false and 4 names of classes"),
        ({"samples": -3}, r"summary\.json: samples: must be a whole number >= 1"),
        ({"sizes": [20, 4]}, r"config\.toml: must have the sizes of summary\.json"),
    ],
)
def test_a_summary_that_was_changed_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    run_cli(*TRAIN, "--epochs", "1", "--quiet", "--out", tmp_path / "run")
    path = tmp_path / "run" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ss.ParameterError, match=message):
        job.load(tmp_path / "run")


def test_a_run_of_the_other_kind_is_named(tmp_path: Path, manifolds: Parts) -> None:
    ss.fit(network(), manifolds[0], epochs=1).save(tmp_path / "fit", pictures=False)
    with pytest.raises(
        ss.ParameterError, match=r"fit: must be a run on a stream, is one that learns samples; Fit\.load reads it"
    ):
        ss.Run.load(tmp_path / "fit")
    ss.train(ss.Network([5, 2], w0=100.0), ss.tasks.regular(n_inputs=5, outputs=2), 1000).save(tmp_path / "run", pictures=False)
    with pytest.raises(
        ss.ParameterError, match=r"run: must be a run that learns samples, is one on a stream; Run\.load reads it"
    ):
        ss.Fit.load(tmp_path / "run")


def test_a_run_without_errors_can_be_drawn(tmp_path: Path) -> None:
    samples = ss.Samples.from_trials([([1.0], [0]), ([9.0], [1])] * 4, [0, 0] * 4, 20, 20.0, ["only"])
    run = ss.fit(network(classes=1), samples, epochs=1, validation=samples, test=samples)
    assert run.test.accuracy == 1
    for picture in (*run.pictures.values(), type(run).overview):
        assert picture(run).get_axes()

"""Learning by the exact gradient: the local rule's weights where the two are the same, a run like any other where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import relative
from test_classification import TRAIN, network, run_cli
from test_gradient import NOISE
from test_trial import classifier, samples

import superspike as ss
from superspike.engine import gradient
from superspike.engine.exact import ExactClassifier, ExactSimulation
from superspike.engine.gradient import bptt, rasters, rtrl, run, stream_cost
from superspike.engine.simulation import Simulation
from superspike.lab import config, job


@pytest.fixture(scope="module")
def manifolds() -> ss.Samples:
    return ss.RandomManifolds(classes=4, samples=60).make(seed=3).train


def test_with_one_hidden_layer_the_exact_gradient_is_the_local_rules_dropout_and_rates_included() -> None:
    data, rates = samples(20, 40, 5), ss.Rates(upper=3, upper_strength=0.02)
    own = classifier([40, 9, 5], rates=rates, dropout=0.3, w0=100.0)
    exact = ExactClassifier(classifier([40, 9, 5], rates=rates, w0=100.0).network, dropout=0.3)
    exact.compile(data)
    for which in (np.arange(12), np.arange(8, 20)):
        theirs, ours = own.train_batch(data, which), exact.train_batch(data, which)
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-6)  # Adam makes more of rounding
        for a, b in zip(exact.weights, own.weights, strict=True):
            assert relative(a, b) < 1e-6  # Adam makes more of rounding


@pytest.mark.parametrize("precision", ["double", "single"])
def test_through_layers_and_loops_it_is_the_reference(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("superspike.engine.exact.AT_ONCE", 3 * 100 * 40)  # three samples
    data, net = samples(8, 40, 5), classifier([40, 6, 7, 5], recurrent=True, precision=precision).network
    value, found = ExactClassifier(net).gradient(data, [7, 1, 2, 3, 4])
    loss, reference = ss.exact_gradient(net, data, [7, 1, 2, 3, 4], reset=False)
    assert value == pytest.approx(loss, rel=1e-5)  # single precision
    for ours, theirs in zip(found, reference, strict=True):
        assert np.abs(theirs).max() > 0
        assert relative(ours, theirs) < (1e-12 if precision == "double" else 1e-5)  # other orders of addition; single precision


def test_a_run_by_the_exact_gradient_learns_is_saved_and_goes_on(tmp_path: Path) -> None:
    half = tmp_path / "half"
    run_cli(*TRAIN, "--hidden", "20,20", "--rule", "bptt", "--dropout", "0.1", "--epochs", "1", "--quiet", "--out", half)
    table = config.read(half / "config.toml")
    assert table["rule"] == "bptt"
    whole = job.carry_out(*config.build(table | {"epochs": 2}))
    again = ss.resume(half, 1, pictures=False)
    assert whole.metrics["loss"][1] < whole.metrics["loss"][0]
    for ours, theirs in zip(again.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert ss.Fit.load(half).training.rule == "bptt"


def test_through_two_hidden_layers_it_learns_about_as_well(manifolds: ss.Samples) -> None:
    layers = [20, 25, 25, ss.Layer(4, ss.Readout(tau_mem=20.0))]
    found = {}
    for rule in ("superspike", "bptt"):
        like = network()
        net = ss.Network(
            layers, loss="max_over_time", neuron=like.neuron, surrogate=like.surrogate, scheme=like.scheme, rule=like.rule,
            optimizer=like.optimizer, w0=80.0, seed=2,
        )  # fmt: skip
        found[rule] = ss.fit(net, manifolds, epochs=4, batch=16, rule=rule).metrics["accuracy"][-1]
    assert min(found.values()) > 0.5  # chance is a quarter
    assert abs(found["bptt"] - found["superspike"]) < 0.2


# --- streams ------------------------------------------------------------------------------------------------------------


LOSSES = ["van_rossum", "squared_error", "cross_entropy"]


def graph(loss: object = "van_rossum", **options: object) -> ss.Network:
    """Two hidden layers with loops, skips, delays and a mask, and blocks of 20 ms."""
    joined = [ss.Projection(1, 1, delay=0.2), ss.Projection(0, 2, delay=2.0, mask=0.5), ss.Projection(1, 3, delay=0.3)]
    output = 3 if loss not in LOSSES[1:] else ss.Layer(3, ss.Readout(tau_mem=20.0))
    given: dict[str, object] = {"scheme": ss.Scheme(precision="double"), "recurrent": True, "projections": joined}
    given |= {"rule": ss.Rule(block=20.0), "surrogate": ss.FastSigmoid(0.02), "w0": 100.0, "seed": 3, "loss": loss}
    return ss.Network([12, 8, 5, output], **given | options)  # type: ignore[arg-type]


def cost_until(net: ss.Network, path: gradient.Path, targets: np.ndarray, stop: int) -> float:
    """What the errors before step ``stop`` cost, from rest."""
    outputs = path._replace(spikes=[x[:stop] for x in path.spikes], x=[x[:stop] for x in path.x])
    return float(stream_cost(net, outputs, targets[:stop]).loss.sum())


@pytest.mark.parametrize("loss", LOSSES)
def test_each_block_goes_on_where_the_last_one_ended_and_has_the_gradient_forward_in_time(loss: str) -> None:
    net = graph(loss)
    inputs, targets = rasters(net, NOISE)
    whole, simulation, begin, delay = run(net, inputs), ExactSimulation(net, NOISE), 0, 8  # 0.8 ms
    for steps in (1, 150, 50, 200, 200, 200):
        simulation.learn(True)
        simulation.advance(steps)
        if steps == 150:
            continue
        assert simulation._start is not None
        path, cost = simulation._path(simulation._start)
        for k in (1, 2, 3):
            assert relative(path.x[k][path.begin :], whole.x[k][begin : simulation.step]) < 1e-12  # double precision
            np.testing.assert_array_equal(path.spikes[k][path.begin :], whole.spikes[k][begin : simulation.step])
        back, forth = (way(net, path, cost, reset=False) for way in (bptt, rtrl))
        for ours, theirs in zip(back, forth, strict=True):
            assert relative(ours, theirs) < 1e-10 if begin else not ours.any()  # double precision
        unseen = 0 if loss == "van_rossum" else delay  # at the whole run's end, errors of potentials
        if begin:
            before, after = (cost_until(net, whole, targets, stop + unseen) for stop in (begin, simulation.step))
            assert cost.loss.sum() == pytest.approx(after - before, rel=1e-9)  # double precision, of a difference
        simulation.plastic[:] = False  # the same weights in all blocks
        simulation.update()
        begin = simulation.step


@pytest.mark.parametrize("loss", LOSSES)
def test_a_block_from_rest_changes_weights_by_the_exact_gradient_in_the_rules_units(loss: str) -> None:
    more = {"optimizer": ss.SGD(1.0, scale=1.0), "rule": ss.Rule(block=100.0, w_max=1e9), "recurrent": False, "projections": []}
    more |= {"neuron": ss.LIF(reset="subtract", tau_ref=0.0), "scheme": ss.Scheme(integration="exact", precision="double")}
    exact, local = ExactSimulation(graph(loss, **more), NOISE), Simulation(graph(loss, **more), NOISE)
    _, reference = ss.exact_gradient(exact.network, NOISE, reset=False)
    unit, changes = {"van_rossum": 0.1 / 5, "squared_error": 0.1, "cross_entropy": 1.0}[loss], []
    for simulation, late in ((exact, 8 * (loss != "van_rossum")), (local, 0)):  # it waits for no error of a potential
        before = [w.copy() for w in simulation.weights]
        simulation.learn(True)
        simulation.advance(1000 - late)
        simulation.update()
        changes.append([1000.0 * (w - old) for w, old in zip(simulation.weights, before, strict=True)])  # of a mean
    for ours, theirs in zip(changes[0], reference, strict=True):
        assert np.abs(theirs).max() > 0
        assert relative(ours, -theirs / unit) < 1e-9  # double precision, of a difference
    onto_output = exact.network.pairs.index((2, 3))
    ours, theirs = (own[onto_output] for own in changes)
    assert relative(ours, theirs) < (0.02 if loss == "van_rossum" else 1e-9)  # the rule's trace is a step ahead of its error


def test_a_streams_run_by_the_exact_gradient_learns_is_saved_and_goes_on(tmp_path: Path) -> None:
    half = tmp_path / "half"
    task = ("--task", "regular", "--period", "100ms", "--target-rate", "20Hz", "--hidden", "0")
    options = (*task, "--block", "100ms", "--rule", "bptt", "--learning-rate", "2mV", "--quiet")
    run_cli("train", *options, "--duration", "2s", "--out", half)
    table = config.read(half / "config.toml")
    assert table["rule"] == "bptt"
    whole = job.carry_out(*config.build(table | {"duration": "4s"}))
    again = ss.resume(half, 2000.0, pictures=False)
    assert whole.cost < 0.8 * whole.cost_initial
    for ours, theirs in zip(again.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert ss.Run.load(half).training.rule == "bptt"
    assert whole.cost != job.carry_out(*config.build(table | {"duration": "4s", "rule": "superspike"})).cost


def test_what_the_exact_gradient_needs_is_compiled_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    at = list[int]()
    monkeypatch.setattr(ExactSimulation, "compile", lambda simulation: at.append(simulation.step))
    ss.train(graph(), NOISE, 20.0, rule="bptt")
    assert at == [0]


def test_hidden_layers_need_no_feedback_for_the_exact_gradient() -> None:
    net = graph(feedback="none")
    simulation = ExactSimulation(net, NOISE)
    simulation.learn(True)
    assert simulation.plastic.all()


@pytest.mark.parametrize("loss", LOSSES)
def test_numbers_that_grow_beyond_all_bounds_end_a_run_by_one_error_and_leave_the_weights_of_its_beginning(loss: str) -> None:
    net = graph(loss, w0=1e308, feedback="none", rule=ss.Rule(block=10.0, w_max=1.7e308))
    before = [w.copy() for w in net.weights]
    with pytest.raises(ss.ParameterError, match=r"Simulation\.update: must find finite numbers, got NaN or infinity"):
        ss.train(net, NOISE, 100.0, rule="bptt")
    for w, old in zip(net.weights, before, strict=True):
        np.testing.assert_array_equal(w, old)


def test_what_is_frozen_keeps_the_sums_that_it_has_with_the_local_rule() -> None:
    simulation = ExactSimulation(graph(projections=[ss.Projection(0, 2, plastic=False)]), NOISE)
    simulation.learn(True)
    simulation.advance(200)
    simulation.update()
    assert simulation.plastic.sum() == len(simulation.plastic) - 1
    assert not any(m.any() for m in simulation.traces["m"])


@pytest.mark.parametrize(("loss", "shortest"), [("van_rossum", 1.1), ("squared_error", 0.2)])
def test_a_block_so_short_that_nothing_would_be_learned_is_refused(loss: str, shortest: float) -> None:
    net = graph(loss, rule=ss.Rule(block=shortest))
    before = [w.copy() for w in net.weights]
    ss.train(net, NOISE, 100.0, rule="bptt")
    assert any((w != old).any() for w, old in zip(net.weights, before, strict=True))
    words = rf"Rule\.block: must be >= {shortest:g} ms where .* errors .* ms late, got {shortest - 0.1:g} ms; give longer"
    with pytest.raises(ss.ParameterError, match=words):
        ss.train(graph(loss, rule=ss.Rule(block=shortest - 0.1)), NOISE, 100.0, rule="bptt")


def test_delays_whose_spikes_would_take_too_much_memory_are_refused_before_anything_is_allocated() -> None:
    net = graph(projections=[ss.Projection(0, 2, delay=300_000.0)])
    with pytest.raises(ss.ParameterError, match=r"Rule\.block: must need at most 4 GiB .*, got 20 ms and delays of 300001 ms"):
        ss.train(net, NOISE, 100.0, rule="bptt")


def test_what_the_rule_cannot_be_is_said(manifolds: ss.Samples) -> None:
    with pytest.raises(ss.ParameterError, match=r"Fitting\.rule: must be one of superspike, bptt, got 'rtrl'"):
        ss.fit(network(), manifolds, rule="rtrl")
    with pytest.raises(ss.ParameterError, match=r"Training\.rule: must be one of superspike, bptt, got 'rtrl'"):
        ss.train(graph(), NOISE, 100.0, rule="rtrl")
    words = r"Network\.loss: must be van_rossum, squared_error or cross_entropy .*, got Windowed"
    with pytest.raises(ss.ParameterError, match=words):
        ss.train(graph("windowed"), NOISE, 100.0, rule="bptt")

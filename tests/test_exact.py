"""Learning by the exact gradient: the local rule's weights where the two are the same, a run like any other where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import relative
from test_classification import TRAIN, network, run_cli
from test_trial import classifier, samples

import superspike as ss
from superspike.engine.exact import ExactClassifier
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


def test_what_the_rule_cannot_be_is_said(manifolds: ss.Samples) -> None:
    with pytest.raises(ss.ParameterError, match=r"Fitting\.rule: must be one of superspike, bptt, got 'rtrl'"):
        ss.fit(network(), manifolds, rule="rtrl")
    assert "rule: has no effect on what the other options choose" in run_cli(
        "train", "--task", "regular", "--rule", "bptt", status=2
    )

"""Learning to classify samples: epochs, validation, and what a network then says of them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import at_least

import superspike as ss


def network(feedback: str = "symmetric", seed: int = 1, classes: int = 4, **options: object) -> ss.Network:
    given: dict[str, object] = {
        "loss": "max_over_time", "feedback": feedback, "neuron": ss.LIF(tau_ref=0.0, reset="subtract"), "seed": seed,
        "surrogate": ss.FastSigmoid(2.0), "optimizer": ss.Adam(1.0), "scheme": ss.Scheme(dt=1.0, delay=1.0, integration="exact"),
        "rule": ss.Rule(w_max=1000.0), "w0": 60.0,
    }  # fmt: skip
    return ss.Network([20, 50, ss.Layer(classes, ss.Readout(tau_mem=20.0))], **given | options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def manifolds() -> tuple[ss.Samples, ss.Samples, ss.Samples]:
    return ss.RandomManifolds(classes=4, samples=300).make(seed=3)


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
def test_random_manifolds_are_told_apart(feedback: str, manifolds: tuple[ss.Samples, ss.Samples, ss.Samples]) -> None:
    train, validation, test = manifolds
    found = []
    for seed in range(1, 6):
        net = network(feedback, seed)
        run = ss.fit(net, train, epochs=8, validation=validation)
        assert run.network is net
        assert run.metrics["loss"][-1] < run.metrics["loss"][0]
        found.append(ss.classify(net, test).accuracy)
    assert at_least(sum(accuracy > 0.9 for accuracy in found), 5, 0.97)  # of 40 seeds all


def test_what_a_network_says_of_samples_adds_up(manifolds: tuple[ss.Samples, ss.Samples, ss.Samples]) -> None:
    train, validation, _ = manifolds
    net, seen = network(), []
    run = ss.fit(net, train, epochs=3, validation=validation, on_epoch=lambda epoch, metrics: seen.append((epoch, metrics)))
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert [metrics["loss"] for _, metrics in seen] == run.metrics["loss"].tolist()
    found = ss.classify(net, validation)
    assert found.accuracy == run.metrics["accuracy_validation"][-1]
    assert found.confusion.sum(1).tolist() == np.bincount(validation.labels, minlength=4).tolist()
    assert np.trace(found.confusion) / len(validation) == pytest.approx(found.accuracy)
    low, high = found.interval
    assert low < found.accuracy < high
    assert found.spikes_per_decision > 1


def test_feedback_that_follows_weights_follows_them_to_the_end(manifolds: tuple[ss.Samples, ss.Samples, ss.Samples]) -> None:
    net = network()
    start = net.feedback_weights[0].copy()
    ss.fit(net, manifolds[0], epochs=1)
    found = net.feedback_weights[0].copy()
    net.refresh_feedback()
    np.testing.assert_array_equal(found, net.feedback_weights[0])
    assert np.any(found != start)


def test_the_interval_is_wilsons() -> None:
    right = np.arange(100) < 98
    found = ss.Classification(np.where(right, 0, 1), np.zeros(100, int), 2, 0.0, 0.0)
    assert found.interval == pytest.approx((0.9300, 0.9945), abs=1e-4)  # published tables, to their digits


def test_the_same_seed_gives_the_same_bits_with_any_number_of_threads(
    manifolds: tuple[ss.Samples, ss.Samples, ss.Samples],
) -> None:
    nets = [network("random", seed=7) for _ in range(2)]
    for threads, net in enumerate(nets, 1):
        ss.fit(net, manifolds[0], epochs=2, dropout=0.1, threads=threads)
    for ours, theirs in zip(nets[0].weights, nets[1].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_bound_of_rates_makes_spikes_fewer(manifolds: tuple[ss.Samples, ss.Samples, ss.Samples]) -> None:
    spikes = []
    for rates in (None, ss.Rates(mean=0.5, mean_strength=0.2)):
        run = ss.fit(network(), manifolds[0], epochs=4, rates=rates)
        spikes.append(run.metrics["spikes_per_decision"][-1])
    assert spikes[1] < 0.7 * spikes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": [1, 2]}, r"fit\.samples: must be Samples, got list"),
        ({"network": network(classes=5)}, r"fit\.samples: must have the network's 20 inputs and 5 classes, got 20 and 4"),
        ({"network": ss.Network([20, 4])}, r"Network\.loss: must be one of trials, such as max_over_time, got VanRossum"),
        ({"epochs": 0}, r"fit\.epochs: must be a whole number >= 1, got 0"),
        ({"batch": 0}, r"Samples\.batches\.batch: must be a whole number >= 1, got 0"),
        ({"dropout": 1.0}, r"Classifier\.dropout: must be >= 0 and < 1, got 1\.0"),
        ({"decay": 0.0}, r"fit\.decay: must be > 0 and <= 1, got 0\.0"),
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

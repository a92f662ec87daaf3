"""The angle between what the local rule adds up and the exact gradient: nothing where theory says so, less as feedback aligns."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from test_classification import TRAIN, network, run_cli
from test_trial import NEURON

import superspike as ss
from superspike.lab.alignment import cosine


@pytest.fixture(scope="module")
def manifolds() -> ss.Samples:
    return ss.RandomManifolds(classes=4, samples=150).make(seed=3).train


@pytest.mark.parametrize("recurrent", [False, True])
def test_symmetric_feedback_is_the_gradient_but_for_what_theory_says(recurrent: bool, manifolds: ss.Samples) -> None:
    net = network(recurrent=recurrent, scheme=ss.Scheme(1.0, 1.0, "exact", "double"))
    given = ss.alignment(net, manifolds[:20], reset=False, recurrence=False)
    assert given.projections == ("w0", "w1", "v1")[: 2 + recurrent]
    assert max(given.degrees.values()) < 1e-4  # the arc cosine of 1 less rounding
    found = ss.alignment(net, manifolds[:20])
    assert found.degrees["w1"] < 1e-4  # as above: nothing comes between the loss and the readout's weights
    assert found.degrees["w0"] > 45, "through resets, gradients of a steep surrogate grow until they say nothing"
    assert ss.alignment(net, manifolds[:20], reset=False).degrees["w0"] < 1e-4 or recurrent


def test_below_the_last_hidden_layer_errors_lack_a_slope_and_a_filter(manifolds: ss.Samples) -> None:
    layers = [20, 30, 30, ss.Layer(4, ss.Readout(tau_mem=20.0))]
    given = {"loss": "max_over_time", "neuron": NEURON, "scheme": ss.Scheme(1.0, 1.0, "exact", "double"), "w0": 100.0}
    net = ss.Network(layers, rule=ss.Rule(w_max=1000.0), surrogate=ss.FastSigmoid(2.0), **given)  # type: ignore[arg-type]
    found = ss.alignment(net, manifolds[:100], reset=False).degrees
    assert found["w2"] < 1e-4 > found["w1"]  # the arc cosine of 1 less rounding
    assert 5 < found["w0"] < 89


def test_random_feedback_comes_to_align(manifolds: ss.Samples) -> None:
    """Lillicrap et al. 2016: the readout's weights learn to fit the feedback."""
    start, end = [], []
    for seed in (1, 2):
        net = network("random", seed)
        watch = ss.AlignmentOverTraining(net, manifolds[:50], every=16, reset=False)  # reports of 8 batches an epoch
        ss.fit(net, manifolds, epochs=4, on_report=watch)
        assert watch.at == [0, 2, 4]
        assert watch.found[-1] == ss.alignment(net, manifolds[:50], reset=False)
        start.append(watch.degrees["w0"][0])
        end.append(watch.degrees["w0"][-1])
    assert 70 < np.mean(start) < 110, "at first it knows nothing of the weights"
    assert np.mean(end) < np.mean(start) - 15


def test_measuring_changes_nothing(manifolds: ss.Samples) -> None:
    nets = [network("random"), network("random")]
    ss.fit(nets[0], manifolds, epochs=1)
    seen: list[float] = []
    ss.fit(
        nets[1], manifolds, epochs=1, on_report=ss.AlignmentOverTraining(nets[1], manifolds[:5], 3, lambda r: seen.append(r[0]))
    )  # type: ignore[arg-type]
    assert len(seen) == 8  # an epoch's batches are reported one by one
    for ours, theirs in zip(nets[0].weights, nets[1].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_stream_is_aligned_at_the_output_and_says_so_for_each_projection(small_task: ss.Task) -> None:
    """A reset by subtraction is not seen by the rule's pre trace, nor by the gradient that takes it as given."""
    net = ss.Network([10, 6, 2], w0=120.0, seed=2, neuron=ss.LIF(tau_ref=0.0, reset="subtract"), feedback="none")
    found = ss.alignment(net, small_task, reset=False)
    assert found.degrees["w1"] < 2  # the rule's trace is a step ahead, a 50th of its time constant
    assert math.isnan(found.cosines["w0"]), "no feedback, no gradient"
    assert "w0 nan°, w1 " in repr(found)


def test_the_cosine_is_one_of_directions() -> None:
    a = np.array([3.0, 4.0])
    assert cosine(a, 7 * a) == pytest.approx(1)
    assert cosine(a, -a * 1e300) == pytest.approx(-1)
    assert cosine(a, np.array([-4.0, 3.0])) == pytest.approx(0)
    assert math.isnan(cosine(a, 0 * a))
    assert math.isnan(cosine(a, np.array([np.inf, 0.0])))


def test_data_that_do_not_fit_are_refused(manifolds: ss.Samples) -> None:
    with pytest.raises(
        ss.ParameterError, match=r"alignment\.data: must have the network's 20 inputs and 3 classes, got 20 and 4"
    ):
        ss.alignment(network(classes=3), manifolds)
    with pytest.raises(ss.ParameterError, match=r"AlignmentOverTraining\.every: must be a whole number >= 1, got 0"):
        ss.AlignmentOverTraining(network(), manifolds, every=0)


def test_the_command_line_tells_before_during_and_after(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_cli(*TRAIN, "--epochs", "2", "--feedback", "random", "--quiet", "--out", out)
    found = json.loads(run_cli("align", out, "--samples", "50", "--json"))
    assert [(row["when"], row["gradient"]) for row in found] == [
        (when, name) for when in ("before", "after") for name in ("exact", "resets given")
    ]
    run = ss.Fit.load(out)
    data = run.source.make().split.train[:50]
    assert found[2]["degrees"] == ss.alignment(run.network, data).degrees
    text = run_cli("align", out, "--samples", "50")
    assert text.splitlines()[0].split() == ["when", "gradient", "w0", "w1"]
    assert text.splitlines()[3].startswith("after   exact")
    during = json.loads(run_cli("align", out, "--samples", "50", "--every", "3", "--json"))
    assert [row["when"] for row in during[::2]] == ["0", "1", "2"]
    assert [row["degrees"] for row in during[:2] + during[-2:]] == [row["degrees"] for row in found], "measuring changes nothing"


def test_the_command_line_measures_a_stream(tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = ["--task", "regular", "--inputs", "20", "--hidden", "4", "--duration", "2s", "--w0", "100mV", "--period", "100ms"]
    run_cli("train", *given, "--quiet", "--out", out)
    found = json.loads(run_cli("align", out, "--json"))
    assert [row["when"] for row in found] == ["before"] * 2 + ["after"] * 2
    assert list(found[0]["degrees"]) == ["w0", "w1"]
    during = json.loads(run_cli("align", out, "--every", "1", "--json"))
    assert [float(row["when"]) for row in during[::4]] == [0, 1000, 1999.9]  # every second block
    assert [row["degrees"] for row in during[:2] + during[-2:]] == [row["degrees"] for row in found], "measuring changes nothing"
    assert "samples: must be left out" in run_cli("align", out, "--samples", "3", status=2)

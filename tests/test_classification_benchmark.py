"""The benchmark of classification and its peers: what is reported, and that all learn the same, not how fast anything is."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from superspike.bench import classification, classification_peers, classification_task
from superspike.bench.classification import Own, Runner
from superspike.bench.classification_peers import Peer, bags, raster
from superspike.bench.classification_task import network, picture_task, poisson_pictures
from superspike.cli import main
from superspike.tasks.samples import Samples

REMEDY = "is not installed: pip install -e '.[peers]'"
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason=f"PyTorch {REMEDY}")
needs_snntorch = pytest.mark.skipif(importlib.util.find_spec("snntorch") is None, reason=f"snnTorch {REMEDY}")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TRAIN": 512, "VALIDATION": 256}.items():
        monkeypatch.setattr(classification_task, name, value)
    for name, value in {"WIDTHS": (8, 16), "SPIKES": (20, 40), "LENGTHS": (20, 40)}.items():
        monkeypatch.setattr(classification, name, value)


def bench(*options: str) -> Any:
    return CliRunner().invoke(main, ["bench", *options, "--repeats", "1", "--seconds", "0.05"])


def test_made_pictures_spike_as_mnists_do_and_can_be_learned() -> None:
    task = picture_task()
    assert len(task.train.times) / len(task.train) == pytest.approx(115, abs=5)  # MNIST's: 127, 69 of them in one step
    assert np.bincount(task.train.in_steps(1.0).steps).max() / len(task.train) == pytest.approx(57, abs=5)
    assert classification.learn(Own(network()), task)["accuracy"] > 0.85  # 0.92; by chance 0.1


def test_poisson_pictures_have_so_many_spikes_in_so_many_steps() -> None:
    samples = poisson_pictures(50.0, 40)
    assert len(samples.times) / len(samples) == pytest.approx(50, rel=0.03)  # 512 samples: ± 0.6 % by chance
    assert samples.in_steps(1.0).n_steps == 40


def test_medians_and_exponents_are_those_of_made_up_times(monkeypatch: pytest.MonkeyPatch, small: None) -> None:
    slowness = iter([1, 1, 3, 1, 2])  # of a first batch, of one that says how many take the time wanted, and of three

    def run(samples: Samples, which: np.ndarray) -> float:
        return 1e-3 * len(which) * next(slowness)

    (row,) = classification.measure([Runner(run, poisson_pictures(5.0, 10))], 3, 0.128)
    assert (row["us_per_sample"], row["best"]) == (pytest.approx(2000), pytest.approx(1000))
    assert row["times"] == pytest.approx([3000, 1000, 2000])
    assert row["spread_percent"] == pytest.approx(100)

    monkeypatch.setattr(classification, "measure", lambda *_: [{"us_per_sample": 3.0}, {"us_per_sample": 3.0 * 2**1.5}])
    found = classification.scaling(1, 0.1)
    assert found["hidden neurons"]["x"] == [8, 16]
    assert found["steps (an input spike in each)"]["seconds"] == pytest.approx([3e-6, 3e-6 * 2**1.5])
    assert [series["exponent"] for series in found.values()] == pytest.approx([1.5] * 3)


def test_the_classification_suite_reports_speed_scaling_memory_and_peers(monkeypatch: pytest.MonkeyPatch, small: None) -> None:
    monkeypatch.setattr(classification_peers, "PEERS", {"nothing": ("no_such_package", classification_peers.snntorch)})
    result = bench("--suite", "classification", "--peers", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["data"].startswith("made pictures")
    assert (found["network"], found["batch"], found["steps"]) == ("784-256-10", 128, 100)
    assert [(row["what"], row["threads"]) for row in found["rows"]] == [
        ("forward", 1),
        ("forward", 2),
        ("learn", 1),
        ("learn", 2),
    ]
    us = [row["us_per_sample"] for row in found["rows"]]
    assert found["learn_per_forward"] == pytest.approx(us[2] / us[0])
    assert found["two_threads"] == {"forward": pytest.approx(us[0] / us[1]), "learn": pytest.approx(us[2] / us[3])}
    assert found["in_parallel"]["ratio"] == found["in_parallel"]["together"] / found["in_parallel"]["alone"]
    assert set(found["scaling"]) == {"hidden neurons", "input spikes a sample", "steps (an input spike in each)"}
    assert 5 <= found["memory"]["per_synapse"] < 5.5  # weight, two gradients, Adam's two, and padding
    assert 0 < found["memory"]["per_neuron_and_step_with_input"] <= 1.1  # padding
    assert 2 < found["memory"]["per_thread_neuron_and_step"] < 4  # two of each step, eight of each interval's map
    ours, nothing = found["peers"]
    assert (ours["peer"], ours["ratio"]) == ("superspike", 1)
    assert 0.1 < ours["accuracy"] <= 1
    assert nothing == {"peer": "nothing", "install": "pip install no_such_package"}
    text = classification.report(found)
    assert all(word in text for word in ("made pictures", "exponent", "per synapse and step", "pip install no_such_package"))


def test_data_without_its_suite_and_a_folder_without_data_are_refused(tmp_path: Any) -> None:
    alone = bench("--data", str(tmp_path))
    assert alone.exit_code == 2
    assert "--data: must come with --suite classification" in alone.output
    empty = bench("--suite", "classification", "--data", str(tmp_path))
    assert empty.exit_code == 2
    assert "train-images-idx3-ubyte" in empty.output


def test_rasters_and_bags_hold_the_same_spikes() -> None:
    samples, which = poisson_pictures(300.0, 5), np.array([7, 3, 500])
    trials = samples.in_steps(1.0)
    dense = raster(trials, which, samples.n_units)
    units, begins = bags(trials, which)
    assert dense.shape == (5, 3, 784)
    assert dense.max() > 1  # spikes of one pixel in one step are counted
    assert len(units) == dense.sum() == sum(np.diff(trials.offsets)[which])
    for k, bag in enumerate(np.split(units, begins[1:])):
        assert np.array_equal(np.bincount(bag, minlength=784), dense[k // 3, k % 3])


@needs_torch
@pytest.mark.parametrize("sparse", [False, True])
def test_pytorch_has_our_gradient_and_learns_what_we_learn(small: None, sparse: bool) -> None:
    task, own = picture_task(), Own(network())
    peer = Peer(lambda net: classification_peers.pytorch(net, sparse), network())
    steepest = (20.0, 1.0)  # its surrogate is 1 at threshold, whatever β: Adam does not care
    for k, which in enumerate(task.train.batches(128)):
        _, gradients = own.classifier.gradient(task.train, which)
        own.learn(task.train, which)
        peer.learn(task.train, which)
        for ours, theirs, times in zip(gradients, peer.model.parameters, steepest, strict=True):
            wrong = ours * 10 / times - theirs.grad.numpy()  # 1 is 10 mV
            assert k or np.linalg.norm(wrong) < 1e-4 * np.linalg.norm(theirs.grad)  # rounding
    assert np.mean(own.answers(task.validation, 128) == peer.answers(task.validation, 128)) > 0.97  # rounding, enlarged by Adam


@needs_snntorch
def test_snntorch_says_what_we_say_and_learns(small: None) -> None:
    task, own, peer = picture_task(), Own(network()), Peer(classification_peers.snntorch, network())
    same = own.answers(task.validation, 128) == peer.answers(task.validation, 128)
    assert same.mean() > 0.98  # the maximum may lie in our last steps, which are its last but two
    assert classification.learn(peer, task)["accuracy"] > 0.3  # by chance 0.1

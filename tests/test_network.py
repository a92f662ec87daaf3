"""Networks as graphs: recurrent and skip projections, their names, weights, files, options and feedback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.lab import config
from superspike.model.network import Projection, load_weights
from superspike.model.neuron import NEURONS, LIFStep

SIZES = [10, 6, 5, 2]


def graph(**options: Any) -> ss.Network:
    return ss.Network(SIZES, recurrent=[True, False], skip=[(0, 2), (1, 3), (0, 3)], w0=80.0, seed=2, **options)


def test_projections_are_the_chains_then_recurrent_ones_then_skips() -> None:
    network = graph()
    names = ["w0", "w1", "w2", "v1", "w0_2", "w1_3", "w0_3"]
    assert [projection.name for projection in network.projections] == names
    assert network.projections[3:5] == [Projection(1, 1), Projection(0, 2)]
    assert [w.shape for w in network.weights] == [(10, 6), (6, 5), (5, 2), (6, 6), (10, 5), (6, 2), (10, 2)]
    assert repr(network) == "<Network 10-6-5-2 + v1 + w0_2 + w1_3 + w0_3, symmetric feedback>"


def test_a_chains_weights_and_feedback_are_those_of_the_same_seed_within_a_graph() -> None:
    chain, network = (ss.Network(SIZES, recurrent=loops, feedback="random", w0=80.0, seed=2) for loops in (False, True))
    for ours, theirs in zip(chain.weights, network.weights, strict=False):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(chain.feedback_weights, network.feedback_weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("recurrent", [[True], [True, True, False], "yes", 1, [1, 0], None])
def test_what_is_no_truth_value_per_hidden_layer_is_refused(recurrent: Any) -> None:
    with pytest.raises(
        ss.ParameterError, match=r"^Network\.recurrent: must be True, False or a list .* per hidden layer \(2\), got"
    ):
        ss.Network(SIZES, recurrent=recurrent)


def test_a_network_without_hidden_layers_has_no_recurrent_projections() -> None:
    assert ss.Network([3, 2], recurrent=False).recurrent == []
    with pytest.raises(ss.ParameterError, match=r"^Network\.recurrent: must be"):
        ss.Network([3, 2], recurrent=True)


@pytest.mark.parametrize(
    "skip", [[(0, 1)], [(2, 0)], [(1, 1)], [(0, 4)], [(0, 2), (0, 2)], [(0, 2, 3)], [(-1, 2)], 3, [0.5], "02"]
)
def test_what_skips_no_layer_is_refused(skip: Any) -> None:
    with pytest.raises(
        ss.ParameterError, match=r"^Network\.skip: must be different pairs of layers .* to 3, the output, .*, got"
    ):
        ss.Network(SIZES, skip=skip)


def test_weights_go_through_a_file_by_their_names(tmp_path: Path) -> None:
    network = graph(feedback="random")
    ss.save_weights(tmp_path / "w.npz", network)
    named = load_weights(tmp_path / "w.npz")
    assert list(named) == [projection.name for projection in network.projections]
    for given in (named, dict(reversed(named.items())), list(named.values())):
        for ours, theirs in zip(graph(weights=given).weights, network.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    del named["v1"]
    with pytest.raises(
        ss.ParameterError, match=r"must be 7 arrays \(w0, w1, w2, v1, w0_2, w1_3, w0_3\), got 6 \(w0, w1, w2, w0_2"
    ):
        graph(weights=named)
    with pytest.raises(
        ss.ParameterError, match=r"^Network\.weights: v1 must have the shape \(n_pre, n_post\) = \(6, 6\), got \(2, 2\)"
    ):
        graph(weights=named | {"v1": np.zeros((2, 2))})


def test_symmetric_feedback_sums_over_all_ways_up_and_leaves_recurrence_out() -> None:
    network = graph(scheme=ss.Scheme(precision="double"))
    w = {name: x / 1000 for name, x in network.named(network.weights).items()}
    above, below = w["w2"].T, w["w1_3"].T + w["w2"].T @ w["w1"].T
    for ours, theirs in zip(network.feedback_weights, (below, above), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-16)  # products of two numbers below 0.1 each


def test_a_run_of_a_graph_is_saved_read_and_measured(tmp_path: Path, small_task: ss.Task) -> None:
    run = ss.train(graph(feedback="random"), small_task, 1500.0)
    run.save(tmp_path / "run")
    again = ss.Run.load(tmp_path / "run")
    assert again.network.projections == run.network.projections
    for ours, theirs in zip(again.weights, run.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert ss.evaluate(again.network, small_task).cost == ss.evaluate(run.network, small_task).cost
    more = ss.train(again.network, small_task, 500.0)
    more.save(tmp_path / "more")
    for ours, theirs in zip(ss.Run.load(tmp_path / "more").initial_weights or [], run.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("table", "loops", "skip"),
    [
        ({"recurrent": "true", "hidden": "4,3"}, [True, True], []),
        ({"recurrent": True, "hidden": [4]}, [True], []),
        ({"recurrent": "false,true", "hidden": "4,3", "skip": "0-2,0-3"}, [False, True], [(0, 2), (0, 3)]),
        ({"recurrent": [False, True], "hidden": "4,3", "skip": [[1, 3]]}, [False, True], [(1, 3)]),
        ({"recurrent": "false", "hidden": "4", "skip": "0"}, [False], []),
    ],
)
def test_options_say_which_projections_there_are(table: dict[str, Any], loops: list[bool], skip: list[tuple[int, int]]) -> None:
    task, network, training = config.build({"task": "regular"} | table)
    assert (network.recurrent, network.skip) == (loops, skip)
    written = config.table(task, network, training, initial_weights=False)
    again = config.build(written)[1]
    assert again.projections == network.projections


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"recurrent": "yes"}, "recurrent: must be true or false, or one of them per hidden layer such as true,false, got 'yes'"),
        ({"recurrent": []}, "recurrent: must be true or false, or one of them per hidden layer such as true,false, got []"),
        ({"recurrent": "true,true"}, "Network.recurrent: must be True, False or a list of one of them per hidden layer (1), got"),
        ({"skip": "0"}, ""),
        ({"skip": "0-x"}, "skip: must be pairs of layers such as 0-2 or 0-2,1-3, or 0 for none, got '0-x'"),
        ({"skip": 2}, "skip: must be pairs of layers such as 0-2 or 0-2,1-3, or 0 for none, got 2"),
        ({"skip": "0-1"}, "Network.skip: must be different pairs of layers"),
    ],
)
def test_options_that_name_no_projections_are_refused(table: dict[str, Any], message: str) -> None:
    if not message:
        assert config.build({"task": "regular"} | table)[1].skip == []
        return
    with pytest.raises(ss.ParameterError, match="^" + re.escape(message)):
        config.build({"task": "regular"} | table)


def test_layers_have_neurons_surrogates_and_frozen_weights_of_their_own_and_are_saved(tmp_path: Path) -> None:
    task = ss.tasks.poisson(n_inputs=10, input_rate=40.0, outputs=3, target_rate=20.0, period_ms=200.0, seed=1)
    layers = [10, ss.Layer(8, ss.LIF(tau_mem=20.0, reset="subtract"), "sigmoid"), ss.Layer(6, plastic=False), 3]
    network = ss.Network(layers, neuron=ss.LIF(tau_ref=2.0), surrogate=ss.FastSigmoid(2.0), w0=60.0)
    assert network.sizes == [10, 8, 6, 3]
    assert network.layers[1].surrogate == ss.Sigmoid()
    assert network.layers[3] == ss.Layer(3, ss.LIF(tau_ref=2.0), ss.FastSigmoid(2.0))
    before = [w.copy() for w in network.weights]
    ss.train(network, task, duration_ms=2000).save(tmp_path / "run", pictures=False)
    assert [np.array_equal(w, old) for w, old in zip(network.weights, before, strict=True)] == [False, True, False]
    again = ss.Run.load(tmp_path / "run").network
    assert again.layers == network.layers


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("3.tau_mem=20ms", r"layers: must be of layers 1 … 2, the output, got 3"),
        ("1.tau_mem=20", r"layers: 1\.tau_mem: must be a number with its unit"),
        ("1.w_max=20mV", r"layers: must be options of layer 1's neuron or surrogate, or plastic, got 'w_max'"),
        ("1.plastic=perhaps", r"layers: 1\.plastic: must be one of true, false, got 'perhaps'"),
        ("1 tau_mem", r"layers: must be like 1\.tau_mem=20ms"),
    ],
)  # fmt: skip
def test_impossible_layers_are_refused(layers: str, message: str) -> None:
    with pytest.raises(ss.ParameterError, match=message):
        config.build({"task": "poisson", "hidden": "5", "layers": layers})


@pytest.mark.parametrize(
    ("cell", "tau_ref", "message"),
    [
        (lambda: LIFStep(0.9, 0.1, 0.8, float("nan")), 5.0, r"Odd\.cell: must return numbers, got nan"),
        (lambda: LIFStep(0.9, 0.1, 0.8, "x"), 5.0, r"Odd\.cell: must return numbers, got 'x'"),
        (lambda: (0.9, 0.1), 5.0, r"Odd\.cell: must return a NamedTuple with a_syn, threshold, potential"),
        (lambda: LIFStep(0.9, 0.1, 0.8, 10.0), -1.0, r"Odd\.tau_ref: must be >= 0 ms, got -1\.0"),
    ],
)  # fmt: skip
def test_neurons_of_ones_own_that_cannot_be_are_refused(
    cell: Any, tau_ref: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(NamedTuple):
        tau_mem: float = 10.0
        tau_syn: float = 5.0
        tau_ref: float = 5.0
        v_threshold: float = -50.0
        v_rest: float = -60.0

        def cell(self, dt: float, integration: str) -> Any:
            return cell()

    monkeypatch.setitem(NEURONS, "odd", Odd)
    with pytest.raises(ss.ParameterError, match=message):
        ss.Network([3, 2], neuron=Odd(tau_ref=tau_ref))


class TonicStep(NamedTuple):
    rate: float
    a_syn: float
    threshold: float
    bias: float

    def potential(self, v: float, current: float) -> float:
        return v + self.rate * (current + self.bias - v)

    def after_spike(self, v: float) -> float:
        return type(v)(0)

    def seen(self, before: float, after: float) -> float:
        return before


class Tonic(NamedTuple):
    """It spikes without input."""

    bias: float = 20.0
    tau_mem: float = 10.0
    tau_syn: float = 5.0
    tau_ref: float = 0.0
    v_threshold: float = -50.0
    v_rest: float = -60.0

    def cell(self, dt: float, integration: str) -> TonicStep:
        return TonicStep(dt / self.tau_mem, float(np.exp(-dt / self.tau_syn)), 10.0, self.bias)


@pytest.mark.parametrize("engine", ["clock", "event"])
@pytest.mark.parametrize("n", [1, 5, 30])
def test_a_neuron_that_spikes_without_input_does_so_in_its_layer_alone(
    engine: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEURONS, "tonic", Tonic)
    network = ss.Network([4, ss.Layer(n, Tonic()), ss.Layer(2, Tonic(tau_ref=5.0))], recurrent=True, w0=0.0)
    task = ss.tasks.poisson(n_inputs=4, outputs=2, seed=1)
    simulation = Simulation(network, task, engine)
    simulation.learn(True)
    _, log = simulation.advance(5000)
    for layer, size in ((1, n), (2, 2)):
        ids = simulation.spikes(log, layer)[1]
        assert set(ids) == set(range(size))
        assert len(set(np.bincount(ids))) == 1, "all alike"
        assert np.bincount(ids)[0] > 10
    simulation.update()


def test_a_snapshot_of_other_neurons_or_projections_is_refused() -> None:
    task = ss.tasks.poisson(n_inputs=4, input_rate=50.0, outputs=2, seed=1)

    def simulation(**options: Any) -> Simulation:
        found = Simulation(ss.Network([4, 10, 2], w0=150.0, **options), task)
        found.learn(True)
        found.advance(2000)
        return found

    with pytest.raises(ss.ParameterError, match=r"refractory periods of at most 50 steps in layer 1, got \d+ steps to go"):
        simulation().restore(simulation(neuron=ss.LIF(tau_ref=300.0)).snapshot())
    with pytest.raises(ss.ParameterError, match=r"the same frozen projections, got plastic ones"):
        simulation(projections=[ss.Projection(0, 1, plastic=False)]).restore(simulation().snapshot())
    with pytest.raises(ss.ParameterError, match=r"Network\.weights: w0"):
        simulation(projections=[ss.Projection(0, 1, mask=0.3)]).restore(simulation().snapshot())

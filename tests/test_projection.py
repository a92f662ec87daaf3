"""What is a projection's own: delay, mask, bounds, signs (Dale's law), plastic or frozen; in files and options, too."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import spikes_of

import superspike as ss
from superspike import Projection
from superspike.engine.simulation import Simulation
from superspike.lab import config
from superspike.model.network import load_weights
from superspike.model.optimizer import OPTIMIZERS
from superspike.model.scheme import ENGINES

SIZES = [10, 6, 5, 2]
MASK = np.random.default_rng(3).random((10, 6)) < 0.5
SIGNS = np.array([1, -1, 0, 1, 1, -1])
OWN = [
    Projection(0, 1, mask=MASK, signs=0.7, delay=2.0),
    Projection(1, 1, signs=SIGNS, mask=0.5, delay=0.3),
    Projection(1, 2, signs=SIGNS, w_min=-30.0, w_max=30.0),
    Projection(0, 2, w_min=-5.0, w_max=60.0, plastic=False),
]


def network(**options: Any) -> ss.Network:
    return ss.Network(SIZES, **{"projections": OWN, "w0": 80.0, "seed": 2} | options)


def check_limits(net: ss.Network) -> None:
    """Masks, signs and bounds hold for all of the network's weights."""
    for w, mask, signs, (low, high) in zip(net.weights, net.masks, net.signs, net.bounds, strict=True):
        assert mask is None or not w[~mask].any()
        assert signs is None or (w * signs[:, None] >= 0).all()
        inside = (w >= low[:, None].astype(w.dtype)) & (w <= high[:, None].astype(w.dtype))
        assert (inside if mask is None else inside | ~mask).all()


def test_given_projections_stand_in_the_place_of_the_short_forms_or_beside_them() -> None:
    net = ss.Network(SIZES, recurrent=[True, False], skip=[(1, 3)], projections=[*OWN, Projection(2, 2, mask=0.5)])
    assert [projection.name for projection in net.projections] == ["w0", "w1", "w2", "v1", "v2", "w1_3", "w0_2"]
    assert (net.recurrent, net.skip) == ([True, True], [(1, 3), (0, 2)])
    assert net.projections[0] == OWN[0]
    assert net.projections[2] == Projection(2, 3)
    assert net.delays == [2.0, 0.8, 0.8, 0.3, 0.8, 0.8, 0.8]
    again = ss.Network(SIZES, projections=net.projections)
    assert again.projections == net.projections


def test_projections_are_equal_if_all_of_them_is() -> None:
    for other in (copy.deepcopy(OWN[0]), pickle.loads(pickle.dumps(OWN[0]))):
        assert other == OWN[0]
        assert hash(other) == hash(OWN[0])
    for other in (
        Projection(0, 1),
        Projection(0, 1, mask=~MASK, signs=0.7, delay=2.0),
        Projection(0, 1, mask=MASK, signs=0.7),
        (0, 1),
    ):
        assert other != OWN[0]
    with pytest.raises(ValueError, match="read-only"):
        OWN[0].mask[0, 0] = True


def test_initial_weights_have_mask_signs_and_bounds_and_those_of_a_plain_projection_are_as_ever() -> None:
    net, plain = network(), ss.Network(SIZES, recurrent=[True, False], skip=[(0, 2)], w0=80.0, seed=2)
    check_limits(net)
    assert net.projections[2] == Projection(2, 3)
    np.testing.assert_array_equal(net.weights[2], plain.weights[2])
    np.testing.assert_array_equal(np.sign(net.weights[0])[:, 0] != 0, MASK[:, 0])
    np.testing.assert_allclose(np.abs(net.weights[1]), np.minimum(np.abs(plain.weights[1]), 30.0), rtol=1e-6)  # single precision


def test_the_spread_of_masked_weights_follows_the_mean_number_of_inputs() -> None:
    net = ss.Network([1000, 200], projections=[Projection(0, 1, mask=0.1)], w0=20.0)
    (w,), (mask,) = net.weights, net.masks
    assert mask is not None
    assert abs(mask.mean() - 0.1) < 5 * 0.3 / np.sqrt(mask.size)  # five standard errors
    assert abs(w[mask].std() / (20 / np.sqrt(100)) - 1) < 5 / np.sqrt(2 * mask.sum())  # likewise


def test_drawn_masks_and_signs_are_their_own_draws_and_a_layers_signs_are_one() -> None:
    dale = [Projection(0, 1, mask=0.3), Projection(1, 1, signs=0.8), Projection(1, 2, signs=0.8)]
    net, other = ss.Network([50, 40, 20], projections=dale, seed=1), ss.Network([50, 40, 20], projections=dale, seed=2)
    alone = ss.Network([50, 40, 20], projections=dale[:1], seed=1)
    np.testing.assert_array_equal(net.masks[0], alone.masks[0])
    np.testing.assert_array_equal(net.signs[1], net.signs[2])
    assert (net.signs[1] == 1).sum() == 32
    assert (net.signs[1] != other.signs[1]).any()
    assert (net.masks[0] != other.masks[0]).any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_masks_signs_and_bounds_hold_through_hundreds_of_updates(engine: str, optimizer: str, small_task: ss.Task) -> None:
    rates = {"sgd": ss.SGD(learning_rate=1e4), "adam": ss.Adam(learning_rate=3.0)}
    net = network(optimizer=rates.get(optimizer, optimizer), rule=ss.Rule(block=10.0, rho=1.0))
    frozen, before = net.pairs.index((0, 2)), [w.copy() for w in net.weights]
    spikes_of(Simulation(net, small_task, engine), 30_001)
    check_limits(net)
    for k, (w, mask) in enumerate(zip(net.weights, net.masks, strict=True)):
        assert np.array_equal(w, before[k]) == (k == frozen)
        changed = w != before[k]
        assert k == frozen or changed[slice(None) if mask is None else mask].mean() > 0.5
    at_zero = net.weights[1][SIGNS != 0] == 0
    assert at_zero.any()  # some weights would have changed their sign


@pytest.mark.parametrize("engine", ENGINES)
def test_a_late_projections_spikes_come_later_by_the_difference(engine: str) -> None:
    task = ss.Task(ss.Spikes([1.0], [0], 1), ss.Spikes([50.0], [0], 1), period_ms=100.0)
    first = []
    for delay in (0.0, 0.8, 20.0):
        net = ss.Network([1, 1], projections=[Projection(0, 1, delay=delay, w_max=500.0)], weights=[[[400.0]]])
        first.append(spikes_of(Simulation(net, task, engine), 900, learn=False)[1][0][0])
    assert np.diff(first).tolist() == [8, 192]


def test_a_network_whose_projections_are_all_frozen_keeps_its_weights(small_task: ss.Task) -> None:
    net = ss.Network([10, 6, 2], projections=[Projection(0, 1, plastic=False), Projection(1, 2, plastic=False)], w0=80.0)
    before = [w.copy() for w in net.weights]
    ss.train(net, small_task, 1500.0)
    for w, start in zip(net.weights, before, strict=True):
        np.testing.assert_array_equal(w, start)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Projection(-1, 1), "Projection.pre: must be a whole number >= 0, got -1"),
        (lambda: Projection(0, 1.5), "Projection.post: must be a whole number >= 0, got 1.5"),
        (lambda: Projection(0, 1, delay=-1.0), "Projection w0.delay: must be >= 0 ms, got -1.0"),
        (lambda: Projection(0, 1, delay=[1.0]), "Projection w0.delay: must be >= 0 ms, got [1.0]"),
        (lambda: Projection(1, 1, plastic=1), "Projection v1.plastic: must be True or False, got 1"),
        (lambda: Projection(0, 2, w_max=np.nan), "Projection w0_2.w_max: must be a finite number (mV), got nan"),
        (lambda: Projection(0, 1, signs=1.5), "Projection w0.signs: must be >= 0 and <= 1, got 1.5"),
        (lambda: Projection(0, 1, signs=[1, 2]), "Projection w0.signs: must be +1, −1 or 0 for each presynaptic neuron, or a fraction"),
        (lambda: Projection(0, 1, signs=MASK), "Projection w0.signs: must be +1, −1 or 0 for each presynaptic neuron, or a fraction"),
        (lambda: Projection(0, 1, mask=0.0), "Projection w0.mask: must be > 0 and <= 1, got 0.0"),
        (lambda: Projection(0, 1, mask=True), "Projection w0.mask: must be > 0 and <= 1, got True"),
        (lambda: Projection(0, 1, mask=np.ones((2, 2))), "Projection w0.mask: must be a boolean (n_pre, n_post) array, or a probability, got float64"),
        (lambda: Projection(0, 1, mask=[[1], [1, 2]]), "Projection w0.mask: must be"),
        (lambda: network(projections=[Projection(0, 1, delay=0.25)]), "Projection w0.delay: must be a whole number of steps of 0.1 ms"),
        (lambda: network(projections=[Projection(0, 1, mask=MASK.T)]), "Projection w0.mask: must have the shape (n_pre, n_post) = (10, 6), got (6, 10)"),
        (lambda: network(projections=[Projection(1, 1, signs=[1])]), "Projection v1.signs: must have the shape (n_pre,) = (6,), got (1,)"),
        (lambda: network(projections=[Projection(0, 1, w_max=-100.0)]), "Projection w0: must have w_min < w_max, got -100 and -100 mV; by default"),
        (lambda: network(projections=[Projection(1, 1, w_max=-1.0, signs=SIGNS)]), "Projection v1: must have w_min < w_max for presynaptic neuron 0, of sign +1, got 0 and -1"),
        (lambda: network(projections=[Projection(2, 1)]), "Network.projections: must lead up from 0, the input, to 3, the output, or from a hidden layer onto itself, got (2, 1)"),
        (lambda: network(projections=[Projection(3, 3)]), "Network.projections: must lead up from"),
        (lambda: network(projections=[Projection(0, 4)]), "Network.projections: must lead up from"),
        (lambda: network(projections=[Projection(0, 1), Projection(0, 1)]), "Network.projections: must be Projections of different pairs of layers, got"),
        (lambda: network(projections=[(0, 1)]), "Network.projections: must be Projections"),
        (lambda: network(projections=Projection(0, 1)), "Network.projections: must be Projections"),
    ],
)  # fmt: skip
def test_what_no_projection_can_have_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ss.ParameterError, match="^" + re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("name", "row", "value", "message"),
    [
        ("w0", 0, 1.0, "Network.weights: w0 must be 0 where its mask is false, got 1 mV from neuron 0 onto neuron"),
        ("w1", 0, -1.0, "Network.weights: w1 must lie between 0 and 30 mV, by bounds and sign of presynaptic neuron 0, got -1 mV"),
        ("w1", 1, 1.0, "Network.weights: w1 must lie between -30 and 0 mV, by bounds and sign of presynaptic neuron 1, got 1 mV"),
        ("w0_2", 3, 61.0, "Network.weights: w0_2 must lie between -5 and 60 mV, by bounds and sign of presynaptic neuron 3, got 61 mV"),
        ("w2", 1, 101.0, "Network.weights: w2 must lie within ±Rule.w_max (100 mV), got 101 mV; raise w_max"),
    ],
)  # fmt: skip
def test_given_weights_that_break_mask_sign_or_bounds_are_refused_by_name(
    name: str, row: int, value: float, message: str
) -> None:
    net = network()
    weights = net.named([w.copy() for w in net.weights])
    network(weights=weights)
    weights[name][row] = value
    with pytest.raises(ss.ParameterError, match="^" + re.escape(message)):
        network(weights=weights)


def test_masks_and_signs_go_through_a_weights_file(tmp_path: Path) -> None:
    net = network()
    ss.save_weights(tmp_path / "w.npz", net)
    found = load_weights(tmp_path / "w.npz")
    assert set(found) == {"w0", "w1", "w2", "v1", "w0_2", "w0_mask", "w0_signs", "w1_signs", "v1_mask", "v1_signs"}
    for options in ({"seed": 3}, {"projections": [], "recurrent": [True, False], "skip": [(0, 2)]}):
        again = network(weights=found, **options)  # the seed would draw others
        for ours, theirs in zip([*again.masks, *again.signs], [*net.masks, *net.signs], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ss.ParameterError, match=r"^Network\.weights: w0_mask must be the projection's own mask, got another"):
        network(weights=found | {"w0_mask": ~MASK})
    with pytest.raises(ss.ParameterError, match=r"^Projection v1\.mask: must have the shape"):
        network(weights=found | {"v1_mask": MASK})


@pytest.mark.parametrize("arrays", [True, False])
def test_a_run_is_saved_with_its_projections_and_goes_on_with_them(arrays: bool, tmp_path: Path, small_task: ss.Task) -> None:
    own = OWN if arrays else [Projection(0, 1, mask=0.5, signs=0.7, delay=2.0), Projection(0, 2, w_min=-5.0, plastic=False)]
    run = ss.train(network(projections=own), small_task, 1500.0)
    run.save(tmp_path / "run", pictures=False)
    assert (tmp_path / "run" / "initial_weights.npz").is_file() == arrays
    again = ss.Run.load(tmp_path / "run")
    check_limits(again.network)
    assert again.network.delays == run.network.delays
    assert [x.plastic for x in again.network.projections] == [x.plastic for x in run.network.projections]
    for ours, theirs in zip([*again.network.masks, *again.network.signs], [*run.network.masks, *run.network.signs], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert ss.evaluate(again.network, small_task).cost == ss.evaluate(run.network, small_task).cost
    _, repeated, training = config.build(config.read(tmp_path / "run" / "config.toml"))
    for ours, theirs in zip(ss.train(repeated, small_task, **training._asdict()).weights, run.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    more = ss.train(again.network, small_task, 500.0)
    more.save(tmp_path / "more", pictures=False)
    check_limits(ss.Run.load(tmp_path / "more").network)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("w0.delay=2ms, w0.mask=0.5,v1.signs=0.8,v1.plastic=false", [Projection(0, 1, delay=2.0, mask=0.5), Projection(1, 1, signs=0.8, plastic=False)]),
        ("w0_2.w_min=-5mV,w0_2.w_max=0.06V", [Projection(0, 2, w_min=-5.0, w_max=60.0)]),
        ({"w0": {"delay": "2ms", "plastic": False}, "w1": {"mask": 0.5}}, [Projection(0, 1, delay=2.0, plastic=False), Projection(1, 2, mask=0.5)]),
        ("0", []),
    ],
)  # fmt: skip
def test_options_say_what_is_a_projections_own(value: Any, found: list[Projection]) -> None:
    table = {"task": "regular", "hidden": "4"}
    task, net, training = config.build(table | {"projections": value})
    plain = {pair: Projection(*pair) for pair in net.pairs}
    assert net.projections == list((plain | {own.pair: own for own in found}).values())
    written = config.table(task, net, training, initial_weights=False)
    assert config.build(json.loads(json.dumps(written)))[1].projections == net.projections


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("w0", "projections: must be like w0.delay=2ms,v1.mask=0.1, or 0 for nothing, got 'w0'"),
        (3, "projections: must be like w0.delay=2ms,v1.mask=0.1, or 0 for nothing, got 3"),
        ("x0.mask=0.1", "projections: Projection: must be named like w0, v1 or w0_2, got 'x0'"),
        ("w0_1.mask=0.1", "projections: Projection: must be named like w0, v1 or w0_2, got 'w0_1'"),
        ("w0.gain=2", "projections: w0.gain: must be one of delay, plastic, w_min, w_max, signs, mask, got 'gain'"),
        ("w0.delay=2", "projections: w0.delay: must be a number with its unit (us, µs, ms, s, min, h), e.g. 10ms, got '2'"),
        ("w0.plastic=no", "projections: w0.plastic: must be one of true, false, got 'no'"),
        ("w0.mask=2", "projections: Projection w0.mask: must be > 0 and <= 1, got 2"),
        ("w5.mask=0.1", "Network.projections: must lead up from"),
    ],
)  # fmt: skip
def test_options_that_no_projection_can_have_are_refused(value: Any, message: str) -> None:
    with pytest.raises(ss.ParameterError, match="^" + re.escape(message)):
        config.build({"task": "regular", "hidden": "4", "projections": value})


def test_a_network_whose_projections_have_something_of_their_own_does_not_go_to_nir() -> None:
    pytest.importorskip("nir")
    with pytest.raises(ss.ParameterError, match=r"^to_nir\.network: must have projections without delays, .*, got w0$"):
        ss.to_nir(ss.Network([3, 2], projections=[Projection(0, 1, delay=2.0)]))

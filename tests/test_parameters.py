"""Every parameter that breaks a rule is refused with its name, the rule, the value and, where there is one, a remedy."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest

from superspike import (
    LIF,
    SGD,
    FastSigmoid,
    Network,
    Param,
    ParameterError,
    RMaxProp,
    Rule,
    Scheme,
    Task,
    Training,
    config,
    parameters,
    save_weights,
)
from superspike._parameters import cast, field_type, fields, quantity
from superspike.feedback import FEEDBACKS
from superspike.loss import LOSSES
from superspike.network import load_weights
from superspike.optimizer import OPTIMIZERS, step
from superspike.surrogate import SURROGATES, derivative

CLASSES = [LIF, Rule, Scheme, Training, *SURROGATES.values(), *OPTIMIZERS.values()]
FLOATS = [(cls, name) for cls in CLASSES for name in fields(cls) if field_type(cls, name) is float]


@pytest.mark.parametrize(("cls", "name"), FLOATS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "5", None, True])
def test_no_number_is_refused(cls: type, name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=rf"^{cls.__name__}\.{name}: must be "):
        cls(**{name: value})


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, name in FLOATS if fields(cls)[name].gt is not None])
def test_what_must_be_positive_is_refused_at_zero_and_below(cls: type, name: str) -> None:
    for value in (0.0, -5.0):
        with pytest.raises(ParameterError, match=rf"^{cls.__name__}\.{name}: must be > 0.*, got {value}"):
            cls(**{name: value})


def test_the_message_is_an_address_a_rule_and_a_value() -> None:
    with pytest.raises(ValueError, match=r"^LIF\.tau_mem: must be > 0 ms, got -5\.0$"):
        LIF(tau_mem=-5.0)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> type:
    """A loss with a truth value, of which the command line knows."""

    @parameters
    class Gate(NamedTuple):
        shut: Annotated[bool, Param("", "whether it is shut")] = True
        lit: Annotated[bool, Param("", "whether there is light")] = False

        @property
        def extra_rows(self) -> int:
            return 0

        @property
        def window_ms(self) -> float:
            return 0.0

        def impulses(self, ptr: Any, ids: Any, row: int, u: int, window: int, answers: Any) -> None:
            pass

    monkeypatch.setitem(LOSSES, "gate", Gate)
    return Gate


def test_a_truth_value_is_true_or_false_everywhere(gate: type, small_task: Task) -> None:
    made = gate(np.bool_(False), np.array(True))
    assert made == gate(shut=False, lit=True)
    assert [type(value) for value in made] == [bool, bool]
    assert cast(made, np.float32) == (0.0, 1.0)
    table = config.table(small_task, Network([10, 2], loss=made), Training(), initial_weights=False)
    text = config.to_toml(table)
    assert "\nshut = false\nlit = true\n" in text
    assert config.build(tomllib.loads(text))[1].loss == made
    assert config.build({"loss": "gate", "shut": "false", "lit": "true"})[1].loss == made  # as the command line gives it
    assert config.build({"loss": "gate", "shut": np.bool_(False), "lit": True})[1].loss == made
    options = config.options()
    assert [options[name].words for name in ("shut", "lit")] == [("true", "false")] * 2
    assert [options[name].default for name in ("shut", "lit")] == ["true", "false"]


def test_what_is_no_truth_value_is_refused(gate: type) -> None:
    for value in (1, 0.0, "true", None, np.int64(1), np.array([True])):
        with pytest.raises(ParameterError, match=r"^Gate\.shut: must be True or False, got "):
            gate(shut=value)
    for value in (1, "yes", "", [True], None):
        with pytest.raises(ParameterError, match=r"^shut: must be one of true, false, got "):
            config.build({"loss": "gate", "shut": value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": [5]}, r"Network\.sizes: must be two or more"),
        ({"sizes": [5, 0, 2]}, r"Network\.sizes"),
        ({"sizes": [5, 2.5]}, r"Network\.sizes"),
        ({"feedback": "symetric"}, r"feedback: must be one of symmetric, random, uniform, none, got 'symetric'"),
        ({"surrogate": "relu"}, r"surrogate: must be one of fast_sigmoid, .*, got 'relu'"),
        ({"optimizer": "adam"}, r"optimizer: must be one of rmaxprop, rmsprop, sgd, got 'adam'"),
        ({"optimizer": FastSigmoid()}, r"optimizer: must be one of"),
        ({"w0": -1.0}, r"Network\.w0: must be >= 0 mV, got -1\.0"),
        ({"seed": -1}, r"Network\.seed"),
        ({"seed": 1.5}, r"Network\.seed"),
        ({"neuron": LIF(tau_mem=0.1)}, r"LIF\.tau_mem: must be larger than the time step dt \(0\.1 ms\), got 0\.1; lower dt"),
        ({"rule": Rule(tau_rise=0.05)}, r"Rule\.tau_rise: must be larger than the time step"),
        ({"neuron": LIF(v_threshold=-60.0)}, r"LIF\.v_threshold: must be above LIF\.v_rest \(-60 mV\), got -60"),
        ({"scheme": Scheme(delay=0.85)}, r"Scheme\.delay: must be a whole number of steps of 0\.1 ms, got 0\.85 ms; the nearest are 0\.8 and 0\.9 ms"),
        ({"neuron": LIF(tau_ref=0.25)}, r"LIF\.tau_ref: must be a whole number of steps"),
        ({"rule": Rule(block=0.05)}, r"Rule\.block: must be a whole number of steps"),
        ({"scheme": Scheme(integration="rk4")}, r"Scheme\.integration: must be one of euler, exact, got 'rk4'"),
        ({"scheme": Scheme(precision="half")}, r"Scheme\.precision: must be one of single, double, got 'half'"),
        ({"weights": [np.zeros((5, 3))]}, r"Network\.weights: must be 2 arrays"),
        ({"weights": [np.zeros((5, 3)), np.zeros((2, 3))]}, r"Network\.weights: w1 must have the shape \(n_pre, n_post\) = \(3, 2\), got \(2, 3\)"),
        ({"weights": [np.full((5, 3), np.nan), np.zeros((3, 2))]}, r"Network\.weights: w0 must hold finite numbers"),
        ({"weights": [np.full((5, 3), 101.0), np.zeros((3, 2))]}, r"Network\.weights: w0 must lie within ±Rule\.w_max \(100 mV\), got 101 mV"),
    ],
)  # fmt: skip
def test_impossible_networks_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Network(arguments.pop("sizes", [5, 3, 2]), **arguments)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("20s", "ms", 20_000), ("500 ms", "ms", 500), ("1e3us", "ms", 1), ("2min", "ms", 120_000), ("0", "ms", 0), ("50mV", "mV", 50),
     ("-0.05V", "mV", -50), ("5Hz", "Hz", 5), ("2kHz", "Hz", 2000), ("5", "Hz", 5), ("1/mV", "1/mV", 1), ("1000 1/V", "1/mV", 1),
     ("2/mV", "1/mV", 2), (".5", "", 0.5)],
)  # fmt: skip
def test_quantities_are_read_with_their_unit(text: str, unit: str, value: float) -> None:
    assert quantity(text, unit) == pytest.approx(value, rel=1e-15)  # one multiplication


@pytest.mark.parametrize(
    ("text", "unit"), [("20", "ms"), ("20 mV", "ms"), ("s", "ms"), ("", "ms"), ("1,5s", "ms"), ("5 parsecs", "ms"), ("2mV", "")]
)
def test_quantities_without_or_with_a_wrong_unit_are_refused(text: str, unit: str) -> None:
    with pytest.raises(ParameterError, match="must be a number"):
        quantity(text, unit)


def test_weights_survive_a_file(tmp_path: Any) -> None:
    network = Network([5, 3, 2], feedback="random")
    save_weights(tmp_path / "w.npz", network)
    for ours, theirs in zip(load_weights(tmp_path / "w.npz"), network.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with np.load(tmp_path / "w.npz") as file:
        assert set(file.files) == {"w0", "w1", "b1"}


def test_broken_weight_files_are_refused(tmp_path: Any) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "objects.npz", w0=np.array([{}], object))
    for name, message in (
        ("gone.npz", "does not exist"),
        ("text.npz", "cannot be read"),
        ("other.npz", "holds a"),
        ("objects.npz", "cannot be read"),
    ):
        with pytest.raises(ParameterError, match=message):
            load_weights(tmp_path / name)


def test_initial_weights_have_the_spread_that_w0_says() -> None:
    w = Network([400, 300, 1], w0=20.0, seed=3).weights[0]
    assert w.std() == pytest.approx(20.0 / np.sqrt(400), rel=0.01)  # 120,000 draws
    assert np.abs(Network([1, 500, 1], w0=100.0).weights[0]).max() == 100.0  # clipped


@pytest.mark.parametrize("name", SURROGATES)
def test_every_surrogate_is_positive_finite_and_largest_at_threshold(name: str) -> None:
    surrogate = SURROGATES[name]()
    x = np.linspace(-60, 60, 241)
    f = np.array([derivative(surrogate, value) for value in x])
    assert np.all(np.isfinite(f))
    assert np.all(f >= 0)
    assert f.argmax() in (120, 0)  # at x = 0; or everywhere the same


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_moves_up_the_gradient_and_not_at_all_without_one(name: str) -> None:
    optimizer = OPTIMIZERS[name]()
    for g in (1e-3, -1e-3):
        change, scale = step(optimizer, np.float64(g), np.float64(0.0), 500.0)
        assert np.sign(change) == np.sign(g)
        assert scale >= 0
    assert step(optimizer, np.float64(0.0), np.float64(0.0), 500.0)[0] == 0


def test_rmaxprop_keeps_the_upper_envelope_and_rmsprop_the_mean() -> None:
    gamma = np.exp(-500.0 / 30_000.0)
    rmaxprop, rmsprop = RMaxProp(), OPTIMIZERS["rmsprop"]()
    assert step(rmaxprop, np.float64(0.1), np.float64(4.0), 500.0)[1] == pytest.approx(4 * gamma)
    assert step(rmaxprop, np.float64(3.0), np.float64(4.0), 500.0) == (pytest.approx(1.0), pytest.approx(9.0))
    assert step(rmsprop, np.float64(3.0), np.float64(4.0), 500.0)[1] == pytest.approx(4 * gamma + 9 * (1 - gamma))


def test_sgd_moves_by_the_learning_rate_at_its_scale() -> None:
    assert step(SGD(learning_rate=2.0, scale=1e-3), np.float64(1e-3), np.float64(0.0), 500.0)[0] == pytest.approx(2.0)


@pytest.mark.parametrize("name", FEEDBACKS)
def test_every_feedback_gives_a_matrix_per_hidden_layer(name: str) -> None:
    network = Network([3, 4, 5, 2], feedback=name)
    assert [b.shape for b in network.feedback_weights] == [(2, 4), (2, 5)]
    assert Network([3, 2], feedback=name).feedback_weights == []


class Ramp(NamedTuple):
    """What someone writes in a script: a class and a function, no declarations."""

    width: float = 2.0

    def derivative(self, x: float) -> float:
        return max(0.0, 1 - abs(x) / self.width)


def test_a_surrogate_of_ones_own_is_known_by_its_name_everywhere(monkeypatch: pytest.MonkeyPatch, small_task: Task) -> None:
    monkeypatch.setitem(SURROGATES, "ramp", Ramp)
    network = Network([10, 2], surrogate="ramp")
    assert network.surrogate == Ramp()
    table = config.table(small_task, Network([10, 2], surrogate=Ramp(3.0)), Training(), initial_weights=False)
    assert (table["surrogate"], table["width"]) == ("ramp", 3.0)
    assert config.build(table)[1].surrogate == Ramp(3.0)
    with pytest.raises(ParameterError, match=r"surrogate: must be one of .*, linear, ramp, got 'rump'"):
        Network([10, 2], surrogate="rump")

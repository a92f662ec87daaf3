"""Every parameter that breaks a rule is refused with its name, the rule, the value and, where there is one, a remedy."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superspike import (
    LIF,
    FastSigmoid,
    Network,
    Param,
    ParameterError,
    RMaxProp,
    Rule,
    Run,
    Scheme,
    Spikes,
    SuperSpike,
    Task,
    Training,
    VanRossumError,
    evaluate,
    parameters,
    save_weights,
    tasks,
    train,
)
from superspike.lab import config
from superspike.model.feedback import FEEDBACKS
from superspike.model.loss import LOSSES, VanRossum
from superspike.model.network import load_weights
from superspike.model.optimizer import OPTIMIZERS
from superspike.model.parameters import Registry, cast, declared, fields, quantity
from superspike.model.surrogate import SURROGATES, derivative
from superspike.tasks import DATASETS, ENCODERS, INPUTS, TARGETS, FileInputs

REGISTRIES = [SURROGATES, OPTIMIZERS, LOSSES, FEEDBACKS, INPUTS, TARGETS, DATASETS, ENCODERS]
SINGLE = [*config.SINGLE.values(), config.Training, config.Fitting]
EVERY = list(dict.fromkeys([*SINGLE, *(cls for registry in REGISTRIES for cls in registry.values())]))
CLASSES = [LIF, Rule, Scheme, Training, *SURROGATES.values(), *OPTIMIZERS.values()]
FLOATS = [(cls, name) for cls in CLASSES for name in fields(cls) if declared(cls)[name][1] is float]


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


def values_of(cls: type, name: str) -> st.SearchStrategy[Any]:
    """What a field takes, as Python, NumPy and the standard library offer it."""
    param, kind = fields(cls)[name], declared(cls)[name][1]
    if kind is str:
        letters = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/."))
        return (
            st.sampled_from(config.WORDS[name])
            if name in config.WORDS
            else letters.map(lambda x: f"/{x}") | letters.map(np.str_).map(lambda x: f"/{x}")
        )
    if kind is bool:
        return st.booleans() | st.booleans().map(np.bool_)
    low = -1e9 if param.gt is None and param.ge is None else max(x for x in (param.gt, param.ge) if x is not None)
    high = 1e9 if param.lt is None and param.le is None else min(x for x in (param.lt, param.le) if x is not None)
    if kind is int:
        kinds = [int, np.int64, np.uint32 if low >= 0 else np.int32, np.float64, np.array, Fraction, Decimal]
        numbers = st.integers(int(low), int(high))
    else:
        kinds = [float, np.float64, np.float32, np.array, np.longdouble, Fraction, Decimal]
        numbers = st.floats(low, high, width=32, exclude_min=param.gt is not None, exclude_max=param.lt is not None)
    return st.tuples(st.sampled_from(kinds), numbers).map(lambda drawn: drawn[0](drawn[1]))


@pytest.mark.parametrize("cls", EVERY)
@settings(max_examples=30, derandomize=True, deadline=None)
@given(data=st.data())
def test_every_parameter_becomes_plain_and_survives_a_config_file(cls: type, data: st.DataObject) -> None:
    made = cls(**{name: data.draw(values_of(cls, name)) for name in fields(cls)})
    assert [type(value) for value in made] == [declared(cls)[name][1] for name in fields(cls)]
    known = config.options()
    written = tomllib.loads(config.to_toml(config.to_options(made)))
    assert config.from_options(cls, {key: config.parse(known[key], value) for key, value in written.items()}) == made


def test_single_precision_means_the_decimal_that_it_prints() -> None:
    for value in (
        np.float32(0.1),
        np.float16(0.1),
        np.array(0.1, np.float32),
        np.longdouble("0.1"),
        Decimal("0.1"),
        Fraction(1, 10),
    ):
        assert RMaxProp(learning_rate=value).learning_rate == 0.1  # the same double, bit for bit


@pytest.mark.parametrize(
    "value",
    [np.bool_(True), np.array([0.1]), np.array([]), np.timedelta64(5, "ms"), 1j, np.complex64(1), 10**400, Decimal("sNaN"), Fraction(10**400)],
)  # fmt: skip
def test_what_is_no_plain_number_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match=r"^LIF\.tau_mem: must be > 0 ms, got "):
        LIF(tau_mem=value)
    with pytest.raises(ParameterError, match=r"^Network\.sizes: must be two or more whole numbers >= 1, input first, got "):
        Network([value, 2])
    with pytest.raises(ParameterError, match=r"^Network\.seed: must be a whole number >= 0, got "):
        Network([3, 2], seed=value)
    with pytest.raises(ParameterError, match=r"^Task\.period_ms: must be > 0 ms, got "):
        tasks.regular(period_ms=value)


def test_a_parameter_that_is_replaced_is_checked() -> None:
    with pytest.raises(ParameterError, match=r"^LIF\.tau_mem: must be > 0 ms, got -5"):
        LIF()._replace(tau_mem=-5)
    assert LIF()._replace(tau_mem=np.float32(0.3)) == LIF(tau_mem=0.3)


def test_a_run_made_of_numpy_numbers_is_saved_and_read_back(tmp_path: Any) -> None:
    ids = np.array([4, 9, 2])
    task = tasks.poisson(
        n_inputs=ids.max() + 1, input_rate=np.float32(20), outputs=np.int8(2), target_rate=np.float64(10), period_ms=np.int64(200), seed=ids[2]
    )  # fmt: skip
    network = Network(
        np.array([10, 6, 2]), w0=np.float32(80.1), seed=ids[0], optimizer=RMaxProp(np.logspace(-1, 0, 3)[0]),
        rule=Rule(block=np.int32(100)), scheme=Scheme(dt=np.float32(0.1), delay=Fraction(8, 10)),
    )  # fmt: skip
    run = train(network, task, np.float32(400), burn_in_ms=np.uint8(100), learning_rate_drop_ms=Decimal(200))
    run.save(tmp_path / "run", pictures=False)
    read = Run.load(tmp_path / "run")
    assert read.training == run.training == Training(400.0, 100.0, 200.0)
    assert (read.network.seed, read.network.w0, read.network.sizes) == (4, 80.1, [10, 6, 2])
    for name in ("neuron", "rule", "scheme", *config.CHOICES):
        assert getattr(read.network, name) == getattr(network, name)
    assert (read.task.inputs, read.task.targets, read.task.period_ms) == (task.inputs, task.targets, 200.0)
    result = evaluate(read.network, read.task, np.float32(200), tolerance_ms=Fraction(2))
    assert type(result.duration_ms) is float


def test_a_table_of_options_may_hold_numpy_numbers() -> None:
    table = {
        "task": np.str_("regular"), "hidden": np.array([4, np.int64(3)]), "seed": np.int64(3), "inputs": np.float64(10.0), "outputs": np.uint8(2),
        "input_rate": np.float32(5.1), "regularise": np.array(1), "learning_rate": f"{np.float64(0.5)}mV",
    }  # fmt: skip
    plain = {
        "task": "regular", "hidden": [4, 3], "seed": 3, "inputs": 10, "outputs": 2, "input_rate": 5.1, "regularise": 1, "learning_rate": "0.5mV",
    }  # fmt: skip
    assert config.table(*config.build(table), False) == config.table(*config.build(plain), False)
    for key, value in {"seed": np.bool_(True), "hidden": [True], "inputs": np.float64(2.5), "regularise": np.bool_(True)}.items():
        with pytest.raises(ParameterError, match=rf"^{key}: must be a "):
            config.build({"task": "regular", key: value})


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> type:
    """A loss with a truth value, of which the command line knows."""

    @parameters
    class Gate(NamedTuple):
        shut: Annotated[bool, Param("", "whether it is shut")] = True
        lit: Annotated[bool, Param("", "whether there is light")] = False

        follows_spikes = VanRossum.follows_spikes
        filtered = VanRossum.filtered
        reads_potentials = VanRossum.reads_potentials
        window_ms = VanRossum.window_ms
        memory = VanRossum.memory
        room = VanRossum.room
        impulses = VanRossum.impulses

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
        ({"feedback": "symetric"}, r"feedback: must be one of symmetric, random, uniform, sign, none, got 'symetric'"),
        ({"surrogate": "relu"}, r"surrogate: must be one of fast_sigmoid, .*, got 'relu'"),
        ({"optimizer": "adagrad"}, r"optimizer: must be one of rmaxprop, rmsprop, adam, sgd, got 'adagrad'"),
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
        ({"scheme": Scheme(integration="rk4")}, r"Scheme\.integration: must be one of euler, exact, nmz19, got 'rk4'"),
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
    for ours, theirs in zip(load_weights(tmp_path / "w.npz").values(), network.weights, strict=True):
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


class Faulty(NamedTuple):
    """A surrogate of somebody's own, once with each of the mistakes that one makes."""

    mistake: str = ""

    def derivative(self, x: Any, *more: Any) -> Any:
        match self.mistake:
            case "forgotten":
                return None
            case "another's":
                return x.relu()
        return [x][0]


class Bare(NamedTuple):
    """A derivative that takes nothing."""

    def derivative(self) -> float:
        return 1.0


def doubled(x: Any) -> Any:
    return 2 * x


class Helped(NamedTuple):
    """A derivative that runs in Python and does not compile: Numba does not know the function."""

    def derivative(self, x: Any) -> Any:
        return doubled(x)


@pytest.mark.parametrize(
    ("surrogate", "message"),
    [
        (Faulty("forgotten"), r"Faulty\.derivative: must return a number, got None"),
        (
            Faulty("another's"),
            r"Faulty\.derivative: must be defined as derivative\(self, x\), and run, got AttributeError: .*relu",
        ),
        (Bare(), r"Bare\.derivative: must be defined as derivative\(self, x\), and run, got TypeError: .*positional argument"),
    ],
)
def test_a_derivative_that_cannot_be_is_refused_in_a_line(surrogate: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SURROGATES, "mine", type(surrogate))
    for make in (lambda: Network([3, 2], surrogate=surrogate), lambda: SuperSpike(3, 2, surrogate=surrogate)):
        with pytest.raises(ParameterError, match=f"^{message}"):
            make()


def test_a_derivative_that_does_not_compile_is_named_in_a_line(monkeypatch: pytest.MonkeyPatch, small_task: Task) -> None:
    monkeypatch.setitem(SURROGATES, "helped", Helped)
    rule = r"^Helped\.derivative: must be made of what Numba compiles, numbers and functions of math, got: .*'doubled'.*\(.*test_parameters\.py \(\d+\)\)$"
    with pytest.raises(ParameterError, match=rule):
        train(Network([10, 2], surrogate="helped"), small_task, 100.0)
    with pytest.raises(ParameterError, match=rule):
        SuperSpike(3, 2, surrogate="helped")


class Plain:
    """No parameter class."""

    def derivative(self, x: float) -> float:
        return x


class Mute(NamedTuple):
    """No surrogate: it has no derivative."""

    beta: float = 1.0


class Listed(NamedTuple):
    """A field that no config file could hold."""

    values: list = []  # noqa: RUF012

    def derivative(self, x: float) -> float:
        return x


class Needy(NamedTuple):
    """A field without a default."""

    steepness: float

    def derivative(self, x: float) -> float:
        return x


@pytest.mark.parametrize(
    ("name", "cls", "message"),
    [
        (
            "plain",
            Plain,
            r"surrogate 'plain': must be a parameter class, got <class '.*Plain'>; derive it from typing\.NamedTuple",
        ),
        ("plain", 5, r"surrogate 'plain': must be a parameter class, got 5"),
        ("mute", Mute, r"surrogate 'mute': must have derivative, Mute has not"),
        ("fast_sigmoid", Ramp, r"surrogate 'fast_sigmoid': must be a new name, is that of FastSigmoid; give Ramp another"),
        ("listed", Listed, r"Listed\.values: must be declared as float, int, bool or str, got <class 'list'>"),
    ],
)
def test_what_is_no_alternative_cannot_be_registered(name: str, cls: Any, message: str) -> None:
    before = dict(SURROGATES)
    with pytest.raises(ParameterError, match=f"^{message}"):
        SURROGATES.register(name)(cls)
    assert dict(SURROGATES) == before


def test_a_kind_may_ask_for_one_of_two_methods() -> None:
    with pytest.raises(ParameterError, match=r"targets 'ramp': must have natural_period, Ramp has not"):
        TARGETS["ramp"] = Ramp
    with pytest.raises(ParameterError, match=r"one 'mute': must have step or derivative, Mute has not"):
        Registry("one", methods=("step or derivative",))["mute"] = Mute
    Registry("one", methods=("step or derivative",))["ramp"] = Ramp


def test_a_class_may_be_defined_again_as_notebooks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SURROGATES, "ramp", Ramp)
    again = type(Ramp.__name__, (Ramp,), {"__module__": Ramp.__module__, "__qualname__": Ramp.__qualname__})
    SURROGATES.register("ramp")(again)
    assert SURROGATES["ramp"] is again


def test_a_class_of_ones_own_is_registered_first_and_given_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for choice in (Plain(), Needy(1.0), FastSigmoid, None):
        with pytest.raises(
            ParameterError, match=r"^surrogate: must be one of .*, or an instance of a registered class, got .*; register a class"
        ):
            Network([3, 2], surrogate=choice)
    monkeypatch.setitem(SURROGATES, "needy", Needy)
    with pytest.raises(
        ParameterError, match=r"^surrogate: needy has no default for steepness; give an instance, Needy\(steepness=…\)"
    ):
        Network([3, 2], surrogate="needy")
    with pytest.raises(ParameterError, match=r"^steepness: must be given, Needy has no default for it"):
        config.build({"surrogate": "needy"})
    assert config.build({"surrogate": "needy", "steepness": "2"})[1].surrogate == Needy(2.0)
    with pytest.raises(ParameterError, match=r"^Needy\.steepness: must be a finite number, got 'steep'"):
        Needy("steep")


class Rated(NamedTuple):
    """Targets with a field of the surrogates' name."""

    beta: float = 1.0

    def natural_period(self) -> float:
        return 100.0

    def spikes(self, period_ms: float, rng: Any) -> Any:
        return None


class Seeded(NamedTuple):
    """A surrogate with a field of the command's own name."""

    seed: int = 1

    def derivative(self, x: float) -> float:
        return x


class Unitless(NamedTuple):
    """A surrogate whose steepness is not in 1/mV like its siblings'."""

    beta: float = 1.0

    def derivative(self, x: float) -> float:
        return x


class Twice(NamedTuple):
    """A surrogate with one option for two fields."""

    one: Annotated[float, Param("", "", option="wide")] = 1.0
    two: Annotated[float, Param("", "", option="wide")] = 1.0

    def derivative(self, x: float) -> float:
        return x


@pytest.mark.parametrize(
    ("registry", "cls", "message"),
    [
        (TARGETS, Rated, r"FastSigmoid\.beta and Rated\.beta: must have options of their own, both are --beta; give one of them another with option="),
        (SURROGATES, Seeded, r"Seeded\.seed and superspike train: must have options of their own, both are --seed"),
        (SURROGATES, Unitless, r"Unitless\.beta and FastSigmoid\.beta: must have options of their own, both are --beta"),
        (SURROGATES, Twice, r"Twice\.two and Twice\.one: must have options of their own, both are --wide"),
    ],
)  # fmt: skip
def test_two_fields_that_cannot_share_an_option_are_refused(
    registry: Registry, cls: type, message: str, monkeypatch: pytest.MonkeyPatch, small_task: Task
) -> None:
    monkeypatch.setitem(registry, "mine", cls)
    with pytest.raises(ParameterError, match=f"^{message}"):
        config.options()
    with pytest.raises(ParameterError, match=f"^{message}"):  # before it is trained, for it could not be saved
        train(Network([10, 2]), small_task, 100.0)


@pytest.mark.parametrize("sizes", [["a", 2], "12a", 5, None, [[3, 2]], [3, None], np.array(["3", "2"]), [3, np.nan]])
def test_sizes_that_are_none_are_refused(sizes: Any) -> None:
    with pytest.raises(ParameterError, match=r"^Network\.sizes: must be two or more whole numbers >= 1, input first, got "):
        Network(sizes)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (5.0, r"must be 1 arrays \(w0\), got float"),
        ([[[1.0], [1.0, 2.0]]], r"must be 1 arrays \(w0\), got list \(.*inhomogeneous"),
        ([np.ones((3, 2), complex)], "w0 must hold finite numbers"),
        ([np.ones((3, 2), bool)], "w0 must hold finite numbers"),
        ([np.full((3, 2), "a")], "w0 must hold finite numbers"),
        ([np.full((3, 2), None)], "w0 must hold finite numbers"),
        ([np.full((3, 2), -128, np.int8)], r"w0 must lie within ±Rule\.w_max \(100 mV\), got 128 mV"),
    ],
)  # fmt: skip
def test_weights_that_are_none_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=rf"^Network\.weights: {message}"):
        Network([3, 2], weights=weights)


@pytest.mark.parametrize("name", ["rule", "scheme"])
def test_parameters_of_another_class_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=rf"^Network\.{name}: must be an instance of \w+, got FastSigmoid\("):
        Network([3, 2], **{name: FastSigmoid()})


def test_the_array_interface_and_spikes_take_the_same_numbers() -> None:
    rule = SuperSpike(
        3,
        2,
        dt_ms=np.float32(0.1),
        delay_ms=Decimal("0.8"),
        block_ms=Fraction(10),
        w_max=np.float16(50),
        v_threshold=np.int8(-50),
    )
    plain = SuperSpike(3, 2, dt_ms=0.1, delay_ms=0.8, block_ms=10.0, w_max=50.0, v_threshold=-50.0)
    assert rule._made_with == plain._made_with
    assert VanRossumError(2, dt_ms=Fraction(1, 10)).n == 2
    spikes = Spikes([1.0, 2.5], [0, 1], 2)
    np.testing.assert_array_equal(spikes.to_raster(Decimal("0.5"), Fraction(3)), spikes.to_raster(0.5, 3.0))


def test_a_file_name_that_is_not_utf8_is_refused_for_that_reason() -> None:
    rule = r"FileInputs\.input: must be UTF-8, as config\.toml is \(rename the file, if it is one\), got 'caf\\udce9\.ras'"
    with pytest.raises(ParameterError, match=rule):
        FileInputs(input="caf\udce9.ras")
    with pytest.raises(ParameterError, match=r"FileInputs\.input: must be a text, got 3"):
        FileInputs(input=3)  # type: ignore[arg-type]

"""Optimisers: what they do with a gradient, and that Adam is Adam wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.model.optimizer import OPTIMIZERS, step
from superspike.model.scheme import ENGINES

ONE = np.float64(1.0)


def first(optimizer: Any, g: float, *memory: float) -> tuple[float, tuple[float, ...]]:
    """The first step of one synapse, with blocks of 500 ms."""
    return step(optimizer, np.float64(g), tuple(np.float64(x) for x in memory), ONE, 500.0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_moves_up_the_gradient_and_not_at_all_without_one(name: str) -> None:
    optimizer = OPTIMIZERS[name]()
    zeros = [0.0] * optimizer.memories
    for g in (1e-3, -1e-3):
        change, memory = first(optimizer, g, *zeros)
        assert np.sign(change) == np.sign(g)
        assert np.isfinite(memory).all()
        assert len(memory) == optimizer.memories
    assert first(optimizer, 0.0, *zeros) == (0.0, tuple(zeros))


def test_rmaxprop_keeps_the_upper_envelope_and_rmsprop_the_mean() -> None:
    gamma = np.exp(-500.0 / 30_000.0)
    assert first(ss.RMaxProp(), 0.1, 4.0)[1] == (pytest.approx(4 * gamma),)
    assert first(ss.RMaxProp(), 3.0, 4.0) == (pytest.approx(1.0), (pytest.approx(9.0),))
    assert first(ss.RMSprop(), 3.0, 4.0)[1] == (pytest.approx(4 * gamma + 9 * (1 - gamma)),)


def test_sgd_moves_by_the_learning_rate_at_its_scale() -> None:
    assert first(ss.SGD(learning_rate=2.0, scale=1e-3), 1e-3)[0] == pytest.approx(2.0)


@pytest.mark.parametrize("g", [1e-9, -2.0])
def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient(g: float) -> None:
    assert first(ss.Adam(learning_rate=0.3), g, 0.0, 0.0)[0] == pytest.approx(np.sign(g) * 0.3, rel=1e-5)  # ε/|g|: 1e-6


def plain_adam(rate: float, beta1: float, beta2: float, epsilon: float, shape: tuple[int, ...]) -> Iterator[Any]:
    """Kingma & Ba 2015, Algorithm 1, line by line: takes gradients, gives changes."""
    m, v, t = np.zeros(shape), np.zeros(shape), 0
    change = None
    while True:
        g = yield change
        t += 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        change = rate * m_hat / (np.sqrt(v_hat) + epsilon)


def begun(shape: tuple[int, ...]) -> tuple[ss.Adam, Any]:
    """An Adam all of whose parameters matter, and the plain one."""
    values = 0.3, 0.8, 0.99, 1e-5
    plain = plain_adam(*values, shape)
    next(plain)
    return ss.Adam(*values), plain


@pytest.mark.parametrize("engine", ENGINES)
def test_adam_in_the_engines_is_plain_adam(engine: str, small_task: ss.Task) -> None:
    optimizer, plain = begun((10, 2))
    rule, scheme = ss.Rule(block=20.0), ss.Scheme(precision="double")
    network = ss.Network([10, 2], optimizer=optimizer, rule=rule, scheme=scheme, w0=80.0, seed=2)
    simulation = Simulation(network, small_task, engine)
    w = network.weights[0].copy()
    simulation.learn(True)
    for _ in range(50):
        simulation.advance(simulation.steps_to_update())
        w += plain.send(simulation.traces["m"][0] / 200)  # steps a block
        simulation.update()
    assert np.abs(w).max() < 100  # no bound was met,
    assert np.abs(w - network.weights[0]).max() < 1e-12 * np.abs(w).max()  # and sums of 50 changes are rounded


def drive(rules: list[ss.SuperSpike], weights: list[Any], blocks: int, begin: int = 0) -> Iterator[None]:
    """Drive several rules with the same noise, one block after the other."""
    for block in range(begin, begin + blocks):
        rng = np.random.default_rng(block)
        while True:
            ids, v, e = np.flatnonzero(rng.random(9) < 0.05), rng.normal(-55, 3, 5), rng.normal(0, 1, 5)
            for rule in rules:
                rule.step(ids, v, e)
            if rules[0].block_complete:
                break
        for rule, w in zip(rules, weights, strict=True):
            rule.update(w)
        yield


@pytest.mark.parametrize("mask", [None, np.arange(45).reshape(9, 5) % 3 > 0], ids=["dense", "masked"])
def test_adam_in_the_array_interface_is_plain_adam_and_goes_on_from_a_state(mask: Any) -> None:
    optimizer, plain = begun((9, 5))
    options: dict[str, Any] = {"block_ms": 5.0, "mask": mask, "precision": "double"}
    probe = ss.SuperSpike(9, 5, optimizer=ss.SGD(1.0, scale=1.0), w_max=1e9, **options)  # its change is the gradient
    rule = ss.SuperSpike(9, 5, optimizer=optimizer, **options)
    g, w, expected = np.zeros((9, 5)), np.zeros((9, 5)), np.zeros((9, 5))
    for block, _ in enumerate(drive([probe, rule], [g, w], 50)):
        expected += plain.send(g)
        g[:] = 0
        assert np.abs(w - expected).max() <= 1e-12 * np.abs(expected).max()  # sums of 50 changes are rounded
        if block == 24:
            state, then = rule.state(), w.copy()
    assert np.abs(w[mask if mask is not None else ...]).min() > 0
    again = ss.SuperSpike(9, 5, optimizer=optimizer, **options)
    again.restore(state)
    for _ in drive([again], [then], 25, begin=25):
        pass
    np.testing.assert_array_equal(then, w)


class Momentum(NamedTuple):
    """An optimiser of somebody's own, once with each of the mistakes that one makes."""

    mistake: str = ""
    memories = 1

    def step(self, g: Any, memory: Any, n: Any, block: Any) -> Any:
        match self.mistake:
            case "one value":
                return g
            case "bare":
                return g, memory[0]
            case "too many":
                return g, (memory[0], g)
            case "forgotten":
                return None
            case "typing":
                return q * g, memory  # type: ignore[name-defined]  # noqa: F821
        return g, (memory[0] + g,)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("one value", r"must return the change and a tuple of as many numbers as it has memories, 1, got .*1\.0"),
        ("bare", r"must return the change and a tuple of as many numbers .*, 1, got \(.*1\.0.*, .*0\.0.*\)"),
        ("too many", r"must return the change and a tuple of as many numbers as it has memories, 1, got "),
        ("forgotten", r"must return the change and a tuple of as many numbers as it has memories, 1, got None"),
        ("typing", r"must be defined as step\(self, g, memory, n, block\), and run, got NameError: name 'q' is not defined"),
    ],
)
def test_a_step_that_cannot_be_is_refused_in_a_line(mistake: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "momentum", Momentum)
    assert ss.Network([3, 2], optimizer=Momentum()).optimizer == Momentum()
    for make in (lambda optimizer: ss.Network([3, 2], optimizer=optimizer), lambda x: ss.SuperSpike(3, 2, optimizer=x)):
        with pytest.raises(ss.ParameterError, match=rf"^Momentum\.step: {message}"):
            make(Momentum(mistake))


@pytest.mark.parametrize("memories", [-1, 1.5, "two", True])
def test_memories_are_counted(memories: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "momentum", Momentum)
    monkeypatch.setattr(Momentum, "memories", memories)
    with pytest.raises(ss.ParameterError, match=r"^Momentum\.memories: must be a whole number >= 0, got "):
        ss.Network([3, 2], optimizer="momentum")


class OldStep(NamedTuple):
    """A step with the parameters of another program."""

    memories = 1

    def step(self, gradient: float) -> float:
        return gradient


class Silent(NamedTuple):
    """An optimiser that does not say what it remembers."""

    def step(self, g: Any, memory: Any, n: Any, block: Any) -> Any:
        return g, memory


def test_a_step_with_other_parameters_and_no_memories_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "old", OldStep)
    with pytest.raises(
        ss.ParameterError, match=r"^OldStep\.step: must be defined as step\(self, g, memory, n, block\), and run, got TypeError"
    ):
        ss.Network([3, 2], optimizer="old")
    with pytest.raises(ss.ParameterError, match=r"^optimizer 'silent': must have memories, Silent has not"):
        OPTIMIZERS.register("silent")(Silent)


def half(x: float) -> float:
    return x / 2


class Helped(NamedTuple):
    """An optimiser that calls a function which Numba does not know."""

    memories = 0

    def step(self, g: Any, memory: Any, n: Any, block: Any) -> Any:
        return half(g), memory


def test_a_step_that_does_not_compile_is_named_in_a_line(monkeypatch: pytest.MonkeyPatch, small_task: ss.Task) -> None:
    monkeypatch.setitem(OPTIMIZERS, "helped", Helped)
    rule = r"^Helped\.step: must be made of what Numba compiles, .*, got: .*'half'.*test_optimizer\.py \(\d+\)\)$"
    with pytest.raises(ss.ParameterError, match=rule):
        ss.train(ss.Network([10, 6, 2], optimizer="helped"), small_task, 100.0, burn_in_ms=0.0)
    with pytest.raises(ss.ParameterError, match=rule):
        ss.SuperSpike(9, 5, precision="double", optimizer="helped")

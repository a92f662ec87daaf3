"""What drives the engines: whose the weights are, how long a call may be, and numbers that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import superspike as ss
from superspike.engine import simulation as simulation_module
from superspike.engine.simulation import Simulation
from superspike.engine.state import LANES
from superspike.model.optimizer import OPTIMIZERS


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
def test_a_second_simulation_in_the_middle_of_a_training_changes_nothing(feedback: str, small_task: ss.Task) -> None:
    found = []
    for guests in (False, True):
        network = ss.Network([10, 6, 2], feedback=feedback, w0=80.0, seed=2)

        def visit(progress: ss.Progress, network: ss.Network = network, guests: bool = guests) -> None:
            if guests:
                ss.evaluate(network, small_task, 100.0)
                guest = Simulation(network, small_task, "event")
                guest.learn(True)
                guest.advance(500)

        run = ss.train(network, small_task, 3000.0, on_block=visit)
        found.append([*network.weights, *network.feedback_weights, run.metrics["cost"]])
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def test_evaluating_in_the_middle_of_a_training_measures_the_weights_of_that_moment(small_task: ss.Task) -> None:
    network = ss.Network([10, 6, 2], w0=80.0, seed=2)
    costs, again = [], []

    def visit(progress: ss.Progress) -> None:
        costs.append(ss.evaluate(network, small_task, 100.0).cost)
        copy = ss.Network([10, 6, 2], weights=[w.copy() for w in network.weights])
        again.append(ss.evaluate(copy, small_task, 100.0).cost)

    ss.train(network, small_task, 3000.0, on_block=visit)
    assert costs == again
    assert len(set(costs)) > 3


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
def test_a_second_training_goes_on_from_the_weights_of_the_first(feedback: str, small_task: ss.Task) -> None:
    network = ss.Network([10, 6, 2], feedback=feedback, w0=80.0, seed=2)
    ss.train(network, small_task, 2000.0)
    copy = ss.Network([10, 6, 2], feedback=feedback, weights=[w.copy() for w in network.weights], seed=2)
    for net in (network, copy):
        ss.train(net, small_task, 2000.0)
    for ours, theirs in zip(network.weights, copy.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("loss", ["van_rossum", "windowed"])
def test_a_call_whose_log_would_be_too_large_is_made_in_parts(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ss.tasks.xor(seed=3, period_ms=2000.0)
    found = []
    for most in (simulation_module.MOST_IDS, 5_000):
        monkeypatch.setattr(simulation_module, "MOST_IDS", most)
        network = ss.Network([100, 6, 2], loss=loss, w0=100.0, seed=1, scheme=ss.Scheme(precision="double"))
        simulation = Simulation(network, task, "clock")
        simulation.learn(True)
        costs = []
        for steps in (1, 4000, 3000):
            cost, log = simulation.advance(steps)
            costs.append(cost)
        spikes = [x for row in range(4) for x in simulation.spikes(log, row)]
        found.append([costs, simulation.counts(log), *spikes, *simulation.traces["m"]])
    assert simulation._longest < 1000
    assert found[0][1].min() > 0
    for whole, parts in zip(*found, strict=True):
        np.testing.assert_array_equal(whole, parts)


def test_a_log_has_room_for_four_thousand_neurons_that_may_always_spike() -> None:
    task = ss.tasks.poisson(n_inputs=1, outputs=2000, period_ms=100.0)
    network = ss.Network([1, 2000, 2000], neuron=ss.LIF(tau_ref=0.0), rule=ss.Rule(block=60_000.0))
    log = (simulation := Simulation(network, task))._open_log(simulation._longest)
    assert simulation._longest < simulation.block_steps
    assert np.all(np.diff(log.ptr[:, 0]) > 0)
    assert log.ptr[-1, 0] < len(log.ids) < 2**29


@pytest.mark.parametrize("steps", [0, -1])
def test_a_call_has_at_least_one_step(steps: int, small_network: ss.Network, small_task: ss.Task) -> None:
    with pytest.raises(ss.ParameterError, match=rf"Simulation\.advance\.steps: must be a whole number >= 1, got {steps}"):
        Simulation(small_network, small_task).advance(steps)


def test_compiling_in_the_middle_of_a_block_changes_nothing(small_task: ss.Task) -> None:
    simulation = Simulation(ss.Network([10, 6, 2], rule=ss.Rule(rho=1.0), w0=120.0, seed=2), small_task, "clock")
    simulation.learn(True)
    simulation.advance(3000)
    before = {name: x.copy() for name, x in simulation.state._asdict().items()}
    assert before["zeta_sum"].any()
    simulation.compile()
    for name, x in simulation.state._asdict().items():
        np.testing.assert_array_equal(x, before[name], name)


def test_the_event_engines_tables_are_no_longer_than_a_block(small_task: ss.Task) -> None:
    network = ss.Network([10, 6, 2], rule=ss.Rule(tau_rise=20_000.0, tau_decay=20_000.0))
    assert Simulation(network, small_task)._tables.step.shape[1] == 5000


def test_a_refractory_period_that_its_counter_cannot_hold_is_refused(small_task: ss.Task) -> None:
    with pytest.raises(ss.ParameterError, match=r"LIF\.tau_ref: must be <= 2\.147e\+08 ms at dt = 0\.1 ms, got 2\.2e\+08"):
        ss.Network([10, 6, 2], neuron=ss.LIF(tau_ref=2.2e8))
    network = ss.Network([10, 6, 2], neuron=ss.LIF(tau_ref=2.1e8), w0=100.0, rule=ss.Rule(w_max=1000.0))
    counts = [Simulation(network, small_task, engine).advance(5000)[1] for engine in ("clock", "event")]
    simulation = Simulation(network, small_task, "clock")
    assert all(0 < simulation.counts(log)[1] <= 6 for log in counts)


@pytest.mark.parametrize("what", ["m", "w", "v"])
@pytest.mark.parametrize("engine", ["clock", "event"])
def test_a_number_that_is_none_ends_a_training(engine: str, what: str, small_network: ss.Network, small_task: ss.Task) -> None:
    simulation = Simulation(small_network, small_task, engine, 2)
    before = [w.copy() for w in small_network.weights]
    simulation.learn(True)
    simulation.advance(1)
    x = getattr(simulation.state, what)
    x[simulation.where.start[1] if what == "v" else -32] = np.nan  # the first onto the outputs' layer
    simulation.advance(4999)
    layer = 1 if what == "v" else 2
    rule = f"NaN or infinity in the gradients or changes of the weights onto layer {layer} (0: the input) at 499.9 ms"
    with pytest.raises(ss.ParameterError, match=re.escape(rule)):
        simulation.update()
    assert all(np.array_equal(a, b) for a, b in zip(before, small_network.weights, strict=True))


def test_a_number_that_is_none_after_the_last_update_is_found_at_the_end(small_network: ss.Network, small_task: ss.Task) -> None:
    made: list[Simulation] = []

    def spoil(progress: ss.Progress) -> None:
        made[0].state.m[-32] = np.nan

    with pytest.raises(ss.ParameterError, match=r"got NaN or infinity in the gradients .* onto layer 2 .* at 749\.9 ms"):
        ss.train(small_network, small_task, 750.0, on_block=spoil, on_compile=made.append)


def test_a_network_whose_training_fails_has_the_weights_that_it_began_with(
    small_network: ss.Network, small_task: ss.Task
) -> None:
    before, made = [w.copy() for w in small_network.weights], list[Simulation]()

    def spoil(progress: ss.Progress) -> None:
        if progress.time_ms > 1500:
            assert not np.array_equal(small_network.weights[1], before[1])
            made[0].state.w[-32] = np.nan

    with pytest.raises(ss.ParameterError, match=r"lower the learning rate"):
        ss.train(small_network, small_task, 5000.0, on_block=spoil, on_compile=made.append)
    assert all(np.array_equal(a, b) for a, b in zip(before, small_network.weights, strict=True))


TOO_LONG = "must need at most 4 GiB of memory, got "


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"delay": 1e7}, rf"Scheme\.delay: {TOO_LONG}1e\+07 ms, which would take 71\.5 GiB"),
        ({"duration": 1e14}, rf"Training\.duration_ms: {TOO_LONG}1e\+14 ms with the burn-in, which would take 2\.98e\+04 GiB"),
        ({"burn_in_ms": 1e14}, rf"Training\.duration_ms: {TOO_LONG}1e\+14 ms with the burn-in"),
        ({"record": "spikes", "duration": 1e11}, rf"Training\.duration_ms: {TOO_LONG}1e\+11 ms with the burn-in"),
        ({"block": 1e9, "duration": 1e9}, rf"Rule\.block: {TOO_LONG}1e\+09 ms, which would take"),
        ({"period": 1e9}, rf"Task\.period_ms: {TOO_LONG}1e\+09 ms, which would take 149 GiB"),
    ],
)
def test_times_that_would_take_more_memory_than_there_is_are_refused_at_once(what: dict[str, Any], message: str) -> None:
    given = {"delay": 0.8, "duration": 1000.0, "block": 500.0, "period": 200.0} | what
    delay, duration, block, period = (given.pop(name) for name in ("delay", "duration", "block", "period"))
    network = ss.Network([10, 6, 2], scheme=ss.Scheme(delay=delay), rule=ss.Rule(block=block))
    task = ss.Task(ss.Spikes([1.0], [0], 10), ss.Spikes([1.0], [0], 2), period)
    with pytest.raises(ss.ParameterError, match=message):
        ss.train(network, task, duration, **given)


def test_an_evaluation_too_long_to_keep_its_spikes_is_refused_at_once(small_network: ss.Network, small_task: ss.Task) -> None:
    with pytest.raises(ss.ParameterError, match=rf"evaluate\.duration_ms: {TOO_LONG}1e\+12 ms"):
        ss.evaluate(small_network, small_task, 1e12)


def test_a_block_longer_than_the_run_is_no_fault(small_task: ss.Task) -> None:
    network = ss.Network([10, 6, 2], rule=ss.Rule(block=1e12), w0=80.0, seed=2)
    assert len(ss.train(network, small_task, 1000.0).metrics["cost"]) == 1


def test_a_training_does_not_begin_with_a_number_that_is_none(small_network: ss.Network, small_task: ss.Task) -> None:
    small_network.weights[1][3, 1] = np.nan
    with pytest.raises(ss.ParameterError, match=r"Network\.weights: w1 must hold finite numbers"):
        ss.train(small_network, small_task, 1000.0)


class Growth(NamedTuple):
    """An optimiser of one's own that changes weights without a gradient."""

    memories = 0

    def step(self, g: float, memory: tuple[()], n: float, block: float) -> tuple[float, tuple[()]]:
        return type(g)(60), memory


@pytest.fixture
def growth() -> Iterator[Growth]:
    OPTIMIZERS["growth"] = Growth
    yield Growth()
    del OPTIMIZERS["growth"]


def test_an_optimiser_of_ones_own_cannot_make_the_padding_spike(growth: Growth, small_task: ss.Task) -> None:
    simulation = Simulation(ss.Network([10, 6, 2], optimizer=growth, w0=80.0, seed=2), small_task)
    for _ in range(3):
        simulation.learn(True)
        simulation.advance(simulation.steps_to_update())
        simulation.update()
    padding = simulation.state.w.reshape(-1, LANES).copy()
    padding[:10, :6] = padding[10:, :2] = 0
    assert not padding.any()
    assert all((w == 100).all() for w in simulation.weights)


class Nonsense(NamedTuple):
    """An optimiser of one's own whose change is no number."""

    memories = 0

    def step(self, g: float, memory: tuple[()], n: float, block: float) -> tuple[float, tuple[()]]:
        return type(g)(np.nan), memory


def test_a_change_that_is_no_number_ends_a_training_however_weights_are_clipped(small_task: ss.Task) -> None:
    OPTIMIZERS["nonsense"] = Nonsense
    try:
        network = ss.Network([10, 6, 2], feedback="random", optimizer=Nonsense())
        with pytest.raises(ss.ParameterError, match="in the gradients or changes of the weights onto layer 1"):
            ss.train(network, small_task, 600.0, burn_in_ms=0.0)
    finally:
        del OPTIMIZERS["nonsense"]

"""The event engine against the clock engine, on random graphs of layers."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numba
import numpy as np
import pytest
from helpers import relative, spikes_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from superspike import (
    LIF,
    SGD,
    FastSigmoid,
    Layer,
    Network,
    Projection,
    Readout,
    Rule,
    Scheme,
    Sigmoid,
    Spikes,
    SquaredError,
    Task,
    tasks,
)
from superspike.engine import jit, update
from superspike.engine import simulation as simulation_module
from superspike.engine.simulation import Simulation, threads_for
from superspike.engine.state import layout
from superspike.engine.traces import TAGS
from superspike.model.feedback import FEEDBACKS
from superspike.model.filters import INTEGRATIONS
from superspike.model.surrogate import SURROGATES

CANCELS = 1e-5  # 2⁻⁵³ e⁴ / 1e-9: where nothing is left of numbers of order 1, the event engine's sums leave their rounding
NEAR = 1e-9  # mV: a membrane this close to threshold may fall to either side of it by rounding


def pair(network: Network, task: Task, threads: int = 1) -> dict[str, Simulation]:
    """The same network in both engines."""
    copies = {engine: Network(network.layers, **options(network)) for engine in ("clock", "event")}
    return {engine: Simulation(copy, task, engine, threads) for engine, copy in copies.items()}


def options(network: Network) -> dict[str, object]:
    """What makes this network again."""
    return {
        name: getattr(network, name)
        for name in ("neuron", "rule", "scheme", "feedback", "surrogate", "optimizer", "loss", "w0", "projections", "seed")
    }


def agree(network: Network, task: Task, steps: int, threads: int = 1) -> None:
    """Spikes identical; sums, traces and weights to rounding; or the case is discarded, where a membrane grazes threshold."""
    simulations = pair(network, task, threads)
    spikes = {engine: spikes_of(simulation, steps) for engine, simulation in simulations.items()}
    if spikes["clock"] != spikes["event"]:
        assume(not grazes(network, task, spikes["clock"], spikes["event"]))
    assert spikes["clock"] == spikes["event"]
    clock, event = simulations["clock"], simulations["event"]
    summed = max(1.0, np.abs(clock.state.p2).max()) * max(1.0, clock.state.f.max())  # what λ sums: nmz19's p is some τ/dt large
    for trace in ("h1", "h2", "m"):
        for ours, theirs in zip(event.traces[trace], clock.traces[trace], strict=True):
            assert off(ours, theirs, summed) < 1e-9  # double precision, times the growth e^4 of an interval
    for name in ("v", "current", "e1", "e2", "zeta", "zeta_a", "zeta_sum", "p1", "p2"):
        ours, theirs = getattr(event.state, name), getattr(clock.state, name)
        assert off(ours, theirs) < 1e-9, name  # likewise
    for ours, theirs in zip(event.network.weights, clock.network.weights, strict=True):
        assert relative(ours, theirs) < 1e-9


def off(ours: np.ndarray, theirs: np.ndarray, summed: float = 1.0) -> float:
    """Largest difference relative to the largest number, or to CANCELS of what was summed where all are smaller."""
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), CANCELS * summed))


def grazes(network: Network, task: Task, a: dict[int, list[tuple[int, int]]], b: dict[int, list[tuple[int, int]]]) -> bool:
    """Whether the first spike that differs is one of a membrane within NEAR of threshold."""
    step, layer, unit = min((s, row, i) for row in a for s, i in set(a[row]) ^ set(b[row]))
    simulation = pair(network, task)["clock"]
    spikes_of(simulation, step)
    cell, k = (
        network.layers[layer].neuron.cell(network.scheme.dt, network.scheme.integration),
        simulation.where.start[layer] + unit,
    )
    v = cell.potential(simulation.state.v[k], simulation.state.current[k])
    return bool(abs(v - cell.threshold) < NEAR * max(1, abs(v)))


def drawn_projection(draw: Any, pre: int, post: int, sizes: list[int]) -> Projection:
    """A projection with a little of everything of its own."""
    shape = (sizes[pre], sizes[post])
    signs = st.lists(st.sampled_from([-1, 0, 1]), min_size=shape[0], max_size=shape[0])
    return Projection(
        pre, post,
        delay=draw(st.sampled_from([None, 0.1, 0.4, 2.5, 7.0]), "delay"),
        plastic=draw(st.sampled_from([True, True, False]), "plastic"),
        w_min=draw(st.sampled_from([None, -20.0]), "w_min"),
        w_max=draw(st.sampled_from([None, 150.0]), "w_max"),
        signs=draw(st.sampled_from([None, 0.8]) | signs, "signs"),
        mask=draw(st.sampled_from([None, 0.4]) | st.integers(0, 9).map(lambda seed: np.random.default_rng(seed).random(shape) < 0.7)),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_engines_agree_on_random_graphs(data: st.DataObject) -> None:
    draw = data.draw
    hidden = draw(st.lists(st.integers(1, 20), max_size=3), "hidden layers")
    pairs = [(pre, post) for pre, post in itertools.combinations(range(len(hidden) + 2), 2) if post > pre + 1]
    n_in, n_out = draw(st.integers(1, 25), "inputs"), draw(st.integers(1, 6), "outputs")
    sizes = [n_in, *hidden, n_out]
    loops = [(layer, layer) for layer in range(1, len(hidden) + 1)]
    chain = list(itertools.pairwise(range(len(sizes))))
    seed = draw(st.integers(0, 2**20), "seed")

    def neuron() -> LIF:
        reset = draw(st.sampled_from(["rest", "subtract"]))
        return LIF(tau_ref=draw(st.sampled_from([0.0, 0.1, 5.0])), tau_mem=draw(st.sampled_from([5.0, 20.0])), reset=reset)

    def layer(n: int) -> Layer:
        surrogate = draw(st.sampled_from([None, FastSigmoid(0.5), Sigmoid(2.0)]))
        return Layer(n, draw(st.sampled_from([None, neuron()])), surrogate, plastic=draw(st.sampled_from([True, True, False])))

    task = tasks.poisson(
        n_inputs=n_in, input_rate=draw(st.sampled_from([2.0, 20.0, 80.0])), outputs=n_out,
        target_rate=draw(st.sampled_from([5.0, 30.0])), period_ms=draw(st.sampled_from([50.0, 130.0, 400.0])), seed=seed,
    )  # fmt: skip
    integration = draw(st.sampled_from(INTEGRATIONS))
    size = 0.02 if integration == "nmz19" else 1.0  # of weights, whose effects and gradients are some τ/dt as large there
    readout = draw(st.sampled_from([None, None, Readout(5.0, 2.0), Readout(20.0, 20.0)]), "readout")
    size *= 0.1 if readout else 1.0  # whose errors come in every step
    network = Network(
        [n_in, *map(layer, hidden), Layer(n_out, readout) if readout else layer(n_out)],
        loss=draw(st.sampled_from([SquaredError(tau=10.0), SquaredError(2.0, 3.0)])) if readout else "van_rossum",
        feedback=draw(st.sampled_from(list(FEEDBACKS))),
        surrogate=FastSigmoid(draw(st.sampled_from([0.2, 1.0, 5.0]))),
        # linear in the gradient: RMaxProp turns the sign of a gradient of 1e-20 into 1 mV
        optimizer=SGD(learning_rate=draw(st.sampled_from([0.1, 3.0])) * size**2),
        neuron=neuron(),
        rule=Rule(
            tau_rise=draw(st.sampled_from([0.3, 2.0, 5.0, 10.0])), tau_decay=draw(st.sampled_from([0.2, 5.0, 10.0])),
            rho=draw(st.sampled_from([0.0, 1.0])), exponent=draw(st.sampled_from([0.0, 4.0])), block=50.0,
        ),
        scheme=Scheme(
            delay=draw(st.sampled_from([0.1 if readout else 0.0, 0.1, 0.8, 3.0])), integration=integration, precision="double",
        ),
        w0=draw(st.sampled_from([20.0, 80.0, 200.0])) * size,
        recurrent=[draw(st.booleans(), "recurrent") for _ in hidden],
        skip=[pair for pair in pairs if draw(st.booleans(), f"skip {pair}")],
        projections=[drawn_projection(draw, *pair, sizes) for pair in chain + loops + pairs if draw(st.integers(0, 2)) == 0],
        seed=seed,
    )  # fmt: skip
    agree(network, task, draw(st.integers(1, 2200), "steps"), draw(st.sampled_from([1, 1, 2, 3]), "threads"))


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_engines_agree_for_every_surrogate(surrogate: str, small_task: Task) -> None:
    network = Network([10, 6, 2], surrogate=surrogate, optimizer=SGD(), scheme=Scheme(precision="double"), w0=80.0, seed=2)
    agree(network, small_task, 7000)


def test_a_small_perturbation_of_one_engine_is_seen(small_task: Task) -> None:
    network = Network([10, 6, 2], optimizer=SGD(), scheme=Scheme(precision="double"), w0=80.0, seed=2)
    simulations = pair(network, small_task)
    simulations["event"].state.w[0] *= 1 + 1e-7
    for simulation in simulations.values():
        spikes_of(simulation, 4000)
    sums = [simulation.traces["m"][0] for simulation in simulations.values()]
    assert relative(*sums) > 1e-9


def test_single_precision_gives_the_same_sums_to_its_rounding() -> None:
    task = tasks.poisson(n_inputs=60, input_rate=10.0, outputs=20, target_rate=20.0, period_ms=500.0)
    sums = {}
    for engine in ("clock", "event"):
        simulation = Simulation(Network([60, 40, 20], w0=80.0), task, engine)
        simulation.learn(True)
        simulation.advance(1)
        simulation.advance(4999)
        sums[engine] = simulation.traces["m"]
    for ours, theirs in zip(sums["event"], sums["clock"], strict=True):
        assert relative(ours, theirs) < 1e-4  # 2⁻²⁴ times a few hundred terms


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="looks at machine code")  # type: ignore[attr-defined]
def test_an_update_in_single_precision_computes_in_single_precision(monkeypatch: pytest.MonkeyPatch, small_task: Task) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(simulation_module, "update", lambda *arguments: calls.append(arguments))
    simulation = Simulation(Network((10, 8, 2), scheme=Scheme(precision="single")), small_task)
    simulation.learn(True)
    simulation.update()
    signature = tuple(map(numba.typeof, calls[0]))
    compiled = jit.compiled(update.update.py_func)
    compiled.compile(signature)
    code = compiled.inspect_llvm(signature)
    assert re.search(r"= fdiv .*float", code)
    assert not re.findall(r"= f(?:add|sub|mul|div) .*double", code)


@pytest.mark.parametrize("engine", ["clock", "event"])
def test_the_length_of_calls_does_not_matter(engine: str, small_task: Task) -> None:
    found = []
    for lengths in ([3000], [1, 999, 7, 93, 1900]):
        network = Network([10, 6, 2], scheme=Scheme(precision="double"), w0=80.0, seed=2)
        simulation = Simulation(network, small_task, engine)
        simulation.learn(True)
        logs = [simulation.spikes(simulation.advance(n)[1], 2) for n in lengths]
        found.append((np.concatenate([steps for steps, _ in logs]), simulation.traces["m"][0].copy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert relative(found[0][1], found[1][1]) < 1e-9  # the intervals lie differently: rounding times e^4


def test_engines_agree_after_plasticity_was_off(small_task: Task) -> None:
    network = Network(
        [10, 6, 2], rule=Rule(rho=1.0), scheme=Scheme(precision="double"), optimizer=SGD(learning_rate=0.1), w0=120.0, seed=2
    )
    simulations = pair(network, small_task)
    for steps, learn in ((3000, False), (4000, True), (2500, False), (2600, True)):
        spikes = [spikes_of(simulation, steps, learn=learn) for simulation in simulations.values()]
        assert spikes[0] == spikes[1]
    for name in ("h2", "m"):
        for ours, theirs in zip(simulations["event"].traces[name], simulations["clock"].traces[name], strict=True):
            assert np.abs(theirs).max() > 0
            assert relative(ours, theirs) < 1e-9  # double precision, times the growth e^4 of an interval


def test_a_call_of_more_intervals_than_the_event_engine_keeps_maps_for() -> None:
    task = tasks.poisson(n_inputs=10, input_rate=5.0, outputs=2, target_rate=10.0, period_ms=700.0, seed=3)
    rule = Rule(tau_rise=2.0)  # intervals of 80 steps
    sums = {}
    for engine in ("clock", "event"):
        network = Network([10, 6, 2], rule=rule, scheme=Scheme(precision="double"), w0=80.0, seed=2)
        simulation = Simulation(network, task, engine)
        simulation.learn(True)
        simulation.advance(80 * (2 * TAGS + 3) + 7)
        sums[engine] = simulation.traces
    for trace in ("h1", "h2", "m"):
        for ours, theirs in zip(sums["event"][trace], sums["clock"][trace], strict=True):
            assert relative(ours, theirs) < 1e-9  # double precision, times the growth e^4 of an interval


OWN = [Projection(0, 1, mask=0.8, delay=2.0), Projection(1, 1, delay=0.3, signs=0.5)]


@pytest.mark.parametrize(("optimizer", "own"), [("rmaxprop", []), ("adam", OWN)])
def test_any_number_of_threads_gives_the_same_bits(optimizer: str, own: list[Projection]) -> None:
    task = tasks.poisson(n_inputs=40, input_rate=10.0, outputs=20, target_rate=10.0, period_ms=700.0, seed=3)
    found = []
    for threads in (1, 2, 3, 9):  # of which some have no neuron of a layer
        network = Network([40, 100, 50, 20], optimizer=optimizer, rule=Rule(rho=1.0), w0=150.0, projections=own, seed=2)
        simulation = Simulation(network, task, "event", threads)
        spikes = spikes_of(simulation, 12_300)
        found.append((spikes, [*network.weights, *simulation.state.memories, *simulation.traces["m"], *simulation.traces["h2"]]))
    assert all(len(found[0][0][layer]) > 20 for layer in range(4))
    for spikes, arrays in found[1:]:
        assert spikes == found[0][0]
        assert all(np.array_equal(x, y) for x, y in zip(arrays, found[0][1], strict=True))


def test_only_large_networks_are_split_over_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation_module, "cores", lambda: 2)
    assert threads_for(layout([200, 256, 200], [(0, 1), (1, 2)], [8, 8])) == 1
    assert threads_for(layout([1000, 1000, 1000], [(0, 1), (1, 2)], [8, 8])) == 2


@pytest.mark.parametrize("engine", ["clock", "event"])
def test_frozen_hidden_weights_stay_and_others_learn(engine: str, small_task: Task) -> None:
    network = Network([10, 6, 2], feedback="none", rule=Rule(rho=1.0), w0=80.0, seed=2)
    before = [w.copy() for w in network.weights]
    spikes_of(Simulation(network, small_task, engine), 10_100)
    np.testing.assert_array_equal(network.weights[0], before[0])
    assert np.any(network.weights[1] != before[1])


@pytest.mark.parametrize("engine", ["clock", "event"])
def test_the_regulariser_pulls_the_weights_of_active_hidden_neurons_to_zero(engine: str, small_task: Task) -> None:
    norms = []
    for rho in (0.0, 1000.0):
        network = Network([10, 6, 2], rule=Rule(rho=rho), w0=120.0, seed=2)
        spikes_of(Simulation(network, small_task, engine), 50_100)
        norms.append(np.abs(network.weights[0]).sum())
    assert norms[1] < 0.9 * norms[0]


def test_synapses_wake_up_after_a_long_silence() -> None:
    inputs = Spikes([5.0, 10.0, 3010.0, 4100.0, 4130.0], [0, 1, 0, 1, 0], 2)
    task = Task(inputs, Spikes(np.arange(50.0, 4990.0, 90.0), [0] * 55, 1), period_ms=5000.0)
    network = Network([2, 3, 1], scheme=Scheme(precision="double"), optimizer=SGD(learning_rate=0.1), w0=200.0, seed=2)
    simulations = pair(network, task)
    for steps, learn in ((25_000, True), (7_005, False), (10_000, True)):  # unit 0 spikes while nothing learns, too
        spikes = [spikes_of(simulation, steps, learn=learn) for simulation in simulations.values()]
        assert spikes[0] == spikes[1]
        if steps == 25_000:
            assert simulations["event"]._work[0].zero[:2].all()
    for name in ("h2", "m"):
        ours, theirs = (simulations[engine].traces[name][0] for engine in ("event", "clock"))
        assert np.abs(theirs).max(axis=1).min() > 0
        assert relative(ours, theirs) < 1e-9  # double precision, times the growth e^4 of an interval


def test_long_silence_leaves_no_denormal_numbers() -> None:
    task = Task(Spikes([1.0], [0], 3), Spikes([2.0], [0], 2), period_ms=5000.0)
    for engine, steps in itertools.product(("clock", "event"), (49_000, 9)):
        simulation = Simulation(Network([3, 4, 2], w0=100.0), task, engine)
        simulation.learn(True)
        while simulation.step < 49_000:
            simulation.advance(min(steps, simulation.steps_to_update()))
        for name in ("v", "current", "e1", "e2", "p1", "p2", "h1", "h2"):
            x = np.abs(getattr(simulation.state, name))
            assert not np.any((x > 0) & (x < np.finfo(np.float32).tiny)), (engine, name)


@pytest.mark.parametrize("engine", ["clock", "event"])
def test_a_number_that_is_none_stays_seen(engine: str, small_task: Task) -> None:
    simulation = Simulation(Network((10, 8, 2)), small_task, engine)
    simulation.state.v[simulation.where.start[1]] = np.nan
    simulation.advance(1000)  # many intervals of the event engine, each of which ends with a search for denormal numbers
    assert np.isnan(simulation.state.v).sum() == 1

"""The array interface: the rule alone, driven by arrays from anywhere."""

from __future__ import annotations

import copy
import io
import pickle
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import relative, spikes_of

from superspike import SGD, FastSigmoid, Feedback, Network, ParameterError, Rule, Scheme, SuperSpike, Task, VanRossumError, tasks
from superspike.engine.simulation import Simulation
from superspike.engine.state import arrays
from superspike.model.feedback import FEEDBACKS, Random
from superspike.model.scheme import error_filter

STEPS = 1203  # six blocks of 20 ms and two steps of the next, at 0.1 ms


def recorded(network: Network, task: Task, steps: int, engine: str = "clock") -> list[dict[str, Any]]:
    """What every layer of a network did in each step, and the weights' changes at the ends of blocks."""
    simulation = Simulation(network, task, engine)
    simulation.learn(True)
    start, sizes, lif = simulation.where.start, network.sizes, network.neuron
    record = []
    for _ in range(steps):
        ends = simulation.steps_to_update() == 1
        _, log = simulation.advance(1)
        layers = [slice(a, a + n) for a, n in zip(start, sizes, strict=False)]
        seen = {
            "spikes": [simulation.spikes(log, row)[1] for row in range(len(sizes) + 1)],
            "v": [simulation.state.v[layer].astype(float) + lif.v_rest for layer in layers],
            "e": [simulation.state.e2[layer].copy() for layer in layers],
            "h2": [h.copy() for h in simulation.traces["h2"]] if engine == "clock" else [],
        }
        if ends:
            simulation.update()
        record.append(seen | {"w": [w.copy() for w in network.weights] if ends else None})
    return record


def a_task(n_in: int = 12, n_out: int = 3) -> Task:
    return tasks.poisson(n_inputs=n_in, input_rate=40.0, outputs=n_out, target_rate=30.0, period_ms=70.0, seed=5)


def a_network(sizes: list[int], **options: Any) -> Network:
    scheme = options.pop("scheme", Scheme(precision="double"))
    rule = options.pop("rule", Rule(block=20.0))
    return Network(sizes, rule=rule, scheme=scheme, w0=100.0, seed=2, **options)


def rules_for(network: Network) -> list[SuperSpike]:
    """One SuperSpike per projection, with the network's parameters."""
    rule, scheme, lif, sizes = network.rule, network.scheme, network.neuron, network.sizes
    return [
        SuperSpike(
            n_pre, n_post, dt_ms=scheme.dt, delay_ms=scheme.delay, tau_rise_ms=rule.tau_rise, tau_decay_ms=rule.tau_decay,
            block_ms=rule.block, v_threshold=lif.v_threshold, surrogate=network.surrogate, optimizer=network.optimizer,
            w_max=rule.w_max, rho=rule.rho if k < len(sizes) - 2 else 0.0, exponent=rule.exponent, tau_het_ms=rule.tau_het,
            integration=scheme.integration, precision=scheme.precision,
        )
        for k, (n_pre, n_post) in enumerate(pairwise(sizes))
    ]  # fmt: skip


SCHEMES = {
    "double": Scheme(precision="double"),
    "exact, no delay": Scheme(precision="double", integration="exact", delay=0.0),
    "one step of delay": Scheme(precision="double", delay=0.1),
    "single": Scheme(),
}


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("sizes", [[12, 3], [12, 7, 3]], ids=["output layer", "hidden and output layer"])
@pytest.mark.parametrize("rho", [0.0, 1000.0])
def test_driven_by_our_engines_spikes_it_gives_our_engines_weights(name: str, sizes: list[int], rho: float) -> None:
    options = {"rule": Rule(block=20.0, rho=rho, exponent=2.0), "scheme": SCHEMES[name], "optimizer": SGD(1.0)}
    record = recorded(a_network(sizes, **options), a_task(), STEPS)
    engine = a_network(sizes, **options)
    initial = [w.copy() for w in engine.weights]
    spikes = spikes_of(Simulation(engine, a_task()), STEPS)
    assert len(spikes[len(sizes) - 1]) > 5  # the network is alive, and both engines have the same spikes:
    assert spikes[len(sizes) - 1] == [(t, i) for t, seen in enumerate(record) for i in seen["spikes"][len(sizes) - 1].tolist()]
    rules, weights = rules_for(engine), [w.copy() for w in initial]
    updates = 0
    for seen in record:
        for k, (rule, w) in enumerate(zip(rules, weights, strict=True)):
            rule.step(seen["spikes"][k], seen["v"][k + 1], seen["e"][k + 1], post_spikes=seen["spikes"][k + 1])
            if rule.block_complete:
                rule.update(w)
                updates += 1
    assert updates == 7 * len(rules)
    # the errors come from the clock engine, whose compiled code may round the last bit otherwise
    tolerance = 1e-12 if network_is_double(engine) else 1e-4
    for w, before, theirs in zip(weights, initial, engine.weights, strict=True):
        assert relative(w - before, theirs - before) < tolerance


def network_is_double(network: Network) -> bool:
    return network.dtype is np.float64


def test_the_paper_s_optimiser_gives_the_same_weights_over_full_blocks() -> None:
    """The defaults: single precision, RMaxProp, blocks of 500 ms."""
    make = lambda: Network([12, 7, 3], w0=100.0, seed=2)  # noqa: E731
    record, engine = recorded(make(), a_task(), 10_001), make()
    weights = [w.copy() for w in engine.weights]
    spikes_of(Simulation(engine, a_task()), 10_001)
    for k, (rule, w) in enumerate(zip(rules_for(engine), weights, strict=True)):
        before = w.copy()
        for seen in record:
            rule.step(pre_spikes=seen["spikes"][k], v_post=seen["v"][k + 1], error=seen["e"][k + 1])
            if rule.block_complete:
                rule.update(w)
        assert np.abs(w - before).max() > 0.5  # mV: two blocks of at most 1 mV
        assert np.abs(w - engine.weights[k]).max() < 1e-3  # mV: single precision's rounding in g/√v


@pytest.mark.parametrize("feedback", ["symmetric", "random", "uniform"])
@pytest.mark.parametrize("name", ["double", "exact, no delay"])
def test_the_error_objects_give_our_engines_errors(feedback: str, name: str) -> None:
    sizes, scheme = [12, 7, 5, 3], SCHEMES[name]
    network = a_network(sizes, feedback=feedback, scheme=scheme)
    weights = [w.copy() for w in network.weights]
    options = {"dt_ms": scheme.dt, "integration": scheme.integration, "precision": scheme.precision}
    output = VanRossumError(3, delay_ms=scheme.delay, **options)
    hidden = [Feedback(feedback, weights[k + 1 :], **options) for k in range(2)]
    for k, helper in enumerate(hidden):
        assert helper.matrix.shape == network.feedback_weights[k].shape
        if feedback == "random":
            helper.matrix[:] = network.feedback_weights[k]
    largest = 0.0
    for seen in recorded(network, a_task(), STEPS):
        errors = [output.step(output_spikes=seen["spikes"][3], target_spikes=seen["spikes"][4])]
        errors = [helper.step(output.impulses) for helper in hidden] + errors
        for e, theirs in zip(errors, seen["e"][1:], strict=True):
            assert np.abs(e - theirs).max() < 1e-14  # the order of additions: a few 1e-16 of errors below 10
            largest = max(largest, np.abs(e).max())
        if seen["w"] is not None:
            for w, now in zip(weights, seen["w"], strict=True):
                w[:] = now
            for helper in hidden:
                helper.refresh()
    assert largest > 0.01


def test_a_closed_loop_of_the_three_objects_learns_as_our_engine_does() -> None:
    network = a_network([12, 7, 3], optimizer=SGD(1.0))
    record, rules = recorded(network, a_task(), STEPS), rules_for(network)
    weights = a_network([12, 7, 3]).weights
    output, hidden = VanRossumError(3, precision="double"), Feedback("symmetric", weights[1], precision="double")
    for seen in record:
        e = output.step(seen["spikes"][2], seen["spikes"][3])
        for k, error in enumerate((hidden.step(output.impulses), e)):
            rules[k].step(seen["spikes"][k], seen["v"][k + 1], error)
        for rule, w in zip(rules, weights, strict=True):
            if rule.block_complete:
                rule.update(w)
        hidden.refresh()
    for w, theirs in zip(weights, network.weights, strict=True):
        np.testing.assert_allclose(w, theirs, rtol=1e-12)


def in_a_plain_loop(network: Network, task: Task, steps: int) -> tuple[dict[int, list[tuple[int, int]]], list[np.ndarray]]:
    """The network, recurrent projections and all, as somebody's own loop: neurons in NumPy, one SuperSpike per projection.

    Returns each layer's spikes (step, id), as the engines' :func:`helpers.spikes_of`, and the weights at the end.
    """
    sizes, scheme, lif, rule = network.sizes, network.scheme, network.neuron, network.rule
    delay, n_ref, last = round(scheme.delay / scheme.dt), round(lif.tau_ref / scheme.dt), len(sizes) - 1
    a_syn, c = np.exp(-scheme.dt / lif.tau_syn), scheme.dt / lif.tau_mem
    pairs, weights = [(own.pre, own.post) for own in network.projections], [w.copy() for w in network.weights]
    shared = {"dt_ms": scheme.dt, "precision": scheme.precision}
    rules = [
        SuperSpike(
            *w.shape, delay_ms=scheme.delay, block_ms=rule.block, optimizer=network.optimizer,
            rho=0.0 if post == last else rule.rho, exponent=rule.exponent, **shared,
        )
        for (_, post), w in zip(pairs, weights, strict=True)
    ]  # fmt: skip
    output = VanRossumError(sizes[-1], delay_ms=scheme.delay, **shared)
    hidden = [Feedback(network.feedback, weights[layer:last], **shared) for layer in range(1, last)]
    rasters = [x.to_raster(scheme.dt, task.period_ms) for x in (task.inputs, task.targets)]
    v, current = ([np.zeros(n) for n in sizes] for _ in range(2))
    free = [np.zeros(n, int) for n in sizes]  # the step from which on a neuron is not refractory
    spikes: dict[int, list[list[int]]] = {row: [] for row in range(len(sizes) + 1)}
    for step in range(steps):
        for row, raster in zip((0, last + 1), rasters, strict=True):
            spikes[row].append(np.flatnonzero(raster[step % len(raster)]).tolist())
        for layer in range(1, last + 1):
            v[layer] = np.where(step < free[layer], 0.0, (1 - c) * v[layer] + c * current[layer])
            fired = v[layer] > lif.v_threshold - lif.v_rest
            v[layer][fired], free[layer][fired] = 0.0, step + n_ref + 1
            current[layer] *= a_syn
            spikes[layer].append(np.flatnonzero(fired).tolist())
        for (pre, post), w in zip(pairs, weights, strict=True):
            for j in spikes[pre][step - delay] if step >= delay else []:
                current[post] += w[j]
        e = [output.step(spikes[last][-1], spikes[last + 1][-1])]
        e = [helper.step(output.impulses) for helper in hidden] + e
        for (pre, post), plasticity, w in zip(pairs, rules, weights, strict=True):
            plasticity.step(spikes[pre][-1], v[post] + lif.v_rest, e[post - 1], post_spikes=spikes[post][-1])
            if plasticity.block_complete:
                plasticity.update(w)
        if rules[0].block_complete:
            for helper in hidden:
                helper.refresh()
    return {row: [(t, i) for t, ids in enumerate(x) for i in ids] for row, x in spikes.items()}, weights


@pytest.mark.parametrize("delay", [0.8, 0.1, 0.0])
@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ([12, 7, 3], {"recurrent": True, "rule": Rule(block=20.0, rho=1000.0, exponent=2.0)}),
        ([12, 7, 5, 3], {"recurrent": [True, True], "skip": [(0, 3)]}),
    ],
    ids=["one layer", "two layers and a skip"],
)
def test_a_loop_of_one_s_own_with_recurrent_projections_learns_as_our_engine_does(
    sizes: list[int], options: dict[str, Any], delay: float
) -> None:
    network = a_network(sizes, scheme=Scheme(precision="double", delay=delay), optimizer=SGD(1.0), **options)
    task, initial = a_task(), [w.copy() for w in network.weights]
    spikes, weights = in_a_plain_loop(network, task, STEPS)
    assert spikes == spikes_of(Simulation(network, task, "clock"), STEPS)
    assert min(map(len, spikes.values())) > 5
    for w, before, theirs in zip(weights, initial, network.weights, strict=True):
        assert np.abs(theirs - before).max() > 1e-3  # mV: every projection learns
        assert relative(w - before, theirs - before) < 1e-12  # double precision: six blocks, an interval's growth e^4


class PlainRule:
    """The rule as its docstring says it (:mod:`superspike.model.scheme`, step 5), written once more, densely, in NumPy."""

    def __init__(self, n_pre: int, n_post: int, dt: float = 0.1, delay: int = 8, rise: float = 5.0, decay: float = 10.0) -> None:
        self.a, self.k, self.delay = np.exp(-dt / rise), dt / decay, delay
        self.spikes, self.f = [np.zeros(n_pre)] * (2 * delay), [np.zeros(n_post)] * delay
        self.p1, self.p2 = np.zeros((2, n_pre))
        self.h1, self.h2, self.m = np.zeros((3, n_pre, n_post))

    def step(self, ids: np.ndarray, v: np.ndarray, e: np.ndarray) -> None:
        today = np.zeros(len(self.p1))
        np.add.at(today, ids, 1.0)
        self.spikes.append(today)
        self.f.append(1 / (1 + np.abs(v + 50.0)) ** 2)
        self.p1 += self.spikes[-1 - 2 * self.delay]
        self.h1 += self.f[-1 - self.delay] * self.p2[:, None]
        self.h2 += self.k * (self.h1 - self.h2)
        self.h1 *= self.a
        self.m += e * self.h2
        self.p1 *= self.a
        self.p2 += self.k * (self.p1 - self.p2)


def izhikevich(rng: np.random.Generator, n_pre: int, w: np.ndarray, dt: float = 0.1):
    """Regular spiking neurons (Izhikevich 2003), driven by Poisson inputs through the weights (mV): yields inputs, v, spikes."""
    v, u, current = np.full(w.shape[1], -65.0), np.full(w.shape[1], -13.0), np.zeros(w.shape[1])
    while True:
        ids = np.flatnonzero(rng.random(n_pre) < 60.0 * dt / 1000)
        v += dt * (0.04 * v * v + 5 * v + 140 - u + current)
        u += dt * 0.02 * (0.2 * v - u)
        fired = v >= 30
        v[fired], u[fired] = -65, u[fired] + 8
        current += -dt / 5 * current + w[ids].sum(axis=0)
        yield ids, v, np.flatnonzero(fired)


def test_it_drives_a_foreign_neuron_model_as_a_plain_numpy_loop_does() -> None:
    rng = np.random.default_rng(4)
    n_pre, n_post, block = 15, 6, 500
    w = rng.normal(2.0, 3.0, (n_pre, n_post))
    plain_w = w.copy()
    rule = SuperSpike(n_pre, n_post, block_ms=50.0, optimizer=SGD(0.05, scale=1e-5), precision="double")
    plain = PlainRule(n_pre, n_post)
    error = VanRossumError(n_post, precision="double")
    spikes = 0
    for step, (ids, v, fired) in zip(range(3001), izhikevich(rng, n_pre, w), strict=False):
        spikes += len(fired)
        target = np.flatnonzero(rng.random(n_post) < 0.002)
        e = error.step(fired, target)
        rule.step(pre_spikes=ids, v_post=v, error=e)
        plain.step(ids, v, e)
        assert rule.block_complete == (step % block == 0)
        if rule.block_complete:
            rule.update(w)
            plain_w = np.clip(plain_w + 0.05 * plain.m / block / 1e-5, -100, 100)
            plain.m[:] = 0
        if step % 97 == 0:
            assert relative(rule.eligibility_matrix(), plain.h2) < 1e-12  # double precision times an interval's growth e^4
    assert spikes > 20
    assert np.abs(w - plain_w).max() < 1e-11  # mV, of changes of some mV
    assert np.abs(w - 2.0).max() > 1.0


def test_eligibility_is_the_clock_engines_trace_at_any_moment() -> None:
    network = a_network([12, 7, 3])
    rules, record = rules_for(network), recorded(network, a_task(), 1000)
    largest = [
        max(seen["h2"][k].max() for seen in record) for k in range(2)
    ]  # just after a first spike λ is small, rounding is not
    for step, seen in enumerate(record):
        for k, rule in enumerate(rules):
            rule.step(seen["spikes"][k], seen["v"][k + 1], seen["e"][k + 1])
            if step % 7 == 0 or step % 400 in (398, 399, 0, 1):  # 400: the length of an interval
                trace = rule.eligibility_matrix()
                assert np.abs(trace - seen["h2"][k]).max() < 1e-13 * largest[k]  # 2⁻⁵³ times an interval's growth e^4, some terms
                i, j = step % rule.n_post, step % rule.n_pre
                assert rule.eligibility(i, j) == trace[j, i]
    assert min(largest) > 0


def test_eligibility_survives_more_intervals_than_maps_are_kept_for() -> None:
    options = {"tau_rise_ms": 0.3, "precision": "double"}  # intervals of 12 steps
    rng = np.random.default_rng(1)
    rule, plain = SuperSpike(4, 3, **options), PlainRule(4, 3, rise=0.3)
    for step in range(3000):
        ids, v, e = np.flatnonzero(rng.random(4) < 0.004), rng.uniform(-60, -45, 3), rng.normal(size=3)
        rule.step(ids, v, e)
        plain.step(ids, v, e)
        if step % 31 == 0:
            assert relative(rule.eligibility_matrix(), plain.h2) < 1e-12  # double precision times an interval's growth e^4


def noise(n: int, n_pre: int = 9, n_post: int = 5, seed: int = 7) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Spikes, voltages and errors of ``n`` steps, all random."""
    rng = np.random.default_rng(seed)
    return [(np.flatnonzero(rng.random(n_pre) < 0.01), rng.uniform(-65, -45, n_post), rng.normal(size=n_post)) for _ in range(n)]


def drive(rule: SuperSpike, w: np.ndarray, steps: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    for ids, v, e in steps:
        rule.step(ids, v, e)
        if rule.block_complete:
            rule.update(w)
    return w


def hidden(values: Any, kind: Any = float) -> Any:
    """A masked array, the first element masked: its number is that of no measurement."""
    array = np.ma.masked_array(np.array(values, kind))
    array.mask = np.arange(array.size).reshape(array.shape) == 0
    return array


class Volt(float):
    """Stands for the quantities with units of other packages."""

    units = "V"


def small(**options: Any) -> SuperSpike:
    return SuperSpike(9, 5, **({"block_ms": 20.0, "precision": "double"} | options))


@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_restored_state_continues_exactly(precision: str) -> None:
    steps = noise(900)
    for cut in (1, 399, 400, 437):
        whole, w = small(precision=precision), np.zeros((9, 5))
        drive(whole, w, steps[:cut])
        state, then = whole.state(), w.copy()
        drive(whole, w, steps[cut:])
        other = small(precision=precision)
        other.restore({name: np.array(value.tolist(), value.dtype) for name, value in state.items()})
        np.testing.assert_array_equal(drive(other, then, steps[cut:]), w)
        np.testing.assert_array_equal(other.eligibility_matrix(), whole.eligibility_matrix())
    assert np.abs(w).max() > 1.0


def test_reset_forgets_everything() -> None:
    rule = small(rho=1000.0)
    for ids, v, e in noise(333):
        rule.step(ids, v, e, post_spikes=[0, 3])
    rule.reset()
    assert not rule.eligibility_matrix().any()
    for name, array in small(rho=1000.0).state().items():
        np.testing.assert_array_equal(rule.state()[name], array)


def test_outside_an_error_window_the_error_counts_as_zero_and_the_traces_go_on() -> None:
    windowed, zeroed, w, v = small(), small(), np.zeros((9, 5)), np.zeros((9, 5))
    for step, (ids, volts, e) in enumerate(noise(700)):
        inside = step % 150 > 90
        windowed.step(ids, volts, e if inside else np.full(5, np.nan), active=inside)
        zeroed.step(ids, volts, e * inside)
        for rule, weights in ((windowed, w), (zeroed, v)):
            if rule.block_complete:
                rule.update(weights)
    np.testing.assert_array_equal(w, v)
    np.testing.assert_array_equal(windowed.eligibility_matrix(), zeroed.eligibility_matrix())
    assert np.abs(w).max() > 1.0


def test_masked_weights_never_change_and_the_others_change_as_ever() -> None:
    rng = np.random.default_rng(3)
    mask = rng.random((9, 5)) < 0.5
    start = np.where(mask, rng.normal(size=(9, 5)), 1e3)  # beyond the bounds, and stays there
    dense, sparse = small(), small(mask=mask)
    ours, theirs = drive(sparse, start.copy(), noise(900)), drive(dense, start.copy(), noise(900))
    np.testing.assert_array_equal(ours[~mask], start[~mask])
    np.testing.assert_array_equal(ours[mask], theirs[mask])
    assert not sparse.eligibility_matrix()[~mask].any()
    j, i = np.argwhere(~mask)[0]
    assert sparse.eligibility(i, j) == 0
    assert np.all(ours[mask] != start[mask])


def test_weights_stay_within_their_bounds() -> None:
    w = drive(small(optimizer=SGD(10.0, scale=1e-6), w_min=0.0, w_max=3.0), np.ones((9, 5)), noise(900))
    assert w.min() == 0.0
    assert w.max() == 3.0
    w = drive(small(optimizer=SGD(10.0, scale=1e-6), w_max=3.0), np.ones((9, 5)), noise(900))
    assert (w.min(), w.max()) == (-3.0, 3.0)


def test_weights_of_either_precision_are_changed_in_place() -> None:
    wide = drive(small(precision="single"), np.ones((9, 5)), noise(300))
    narrow = drive(small(precision="single"), np.ones((9, 5), np.float32), noise(300))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, atol=1e-6)  # mV: the rounding of weights of up to 2 mV


def test_inputs_of_any_usual_kind_are_understood() -> None:
    rules, w = [small() for _ in range(2)], np.zeros((2, 9, 5))
    for ids, v, e in noise(300):
        rules[0].step(ids, v, e)
        rules[1].step(ids.astype(np.int32).tolist(), np.repeat(v, 2)[::2], list(e))
        for rule, weights in zip(rules, w, strict=True):
            if rule.block_complete:
                rule.update(weights)
    np.testing.assert_array_equal(w[0], w[1])


def test_a_step_allocates_nothing() -> None:
    rule, rng = SuperSpike(50, 4000), np.random.default_rng(1)
    v, e, ids = rng.uniform(-60, -50, 4000), rng.normal(size=4000), np.array([3, 7])
    rule.step(ids, v, e)
    tracemalloc.start()
    for _ in range(300):
        rule.step(ids, v, e)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8000  # bytes; one temporary array would take 16 kB


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt_ms": -1}, r"SuperSpike.dt_ms: must be > 0 ms, got -1"),
        ({"delay_ms": 0.25}, r"SuperSpike.delay_ms: must be a whole number of steps of 0.1 ms, got 0.25 ms; the nearest are 0.2 and 0.3 ms"),
        ({"tau_rise_ms": 0.1}, r"SuperSpike.tau_rise_ms: must be larger than dt_ms \(0.1 ms\), got 0.1; lower dt_ms"),
        ({"tau_het_ms": 0.05}, r"SuperSpike.tau_het_ms: must be larger than dt_ms"),
        ({"tau_decay_ms": np.nan}, r"SuperSpike.tau_decay_ms: must be > 0 ms, got nan"),
        ({"block_ms": 0.15}, r"SuperSpike.block_ms: must be a whole number of steps"),
        ({"v_threshold": "low"}, r"SuperSpike.v_threshold: must be a finite number \(mV\), got 'low'"),
        ({"w_max": 0}, r"SuperSpike.w_max: must be > 0 mV, got 0"),
        ({"w_min": 200.0}, r"SuperSpike.w_min: must be < 100 mV, got 200.0"),
        ({"surrogate": "step"}, r"surrogate: must be one of fast_sigmoid, .*, got 'step'"),
        ({"optimizer": "adagrad"}, r"optimizer: must be one of rmaxprop, .*, got 'adagrad'"),
        ({"precision": "half"}, r"SuperSpike.precision: must be one of single, double, got 'half'"),
        ({"integration": "rk4"}, r"SuperSpike.integration: must be one of euler, exact, nmz19, got 'rk4'"),
        ({"mask": np.ones((5, 9), bool)}, r"SuperSpike.mask: must be a boolean array of shape \(n_pre, n_post\) = \(9, 5\), got .*\(5, 9\)"),
        ({"mask": np.ones((9, 5))}, r"SuperSpike.mask: must be a boolean array .*got float64"),
        ({"n_pre": 0}, r"SuperSpike.n_pre: must be a whole number >= 1, got 0"),
        ({"n_post": 2.5}, r"SuperSpike.n_post: must be a whole number >= 1, got 2.5"),
        ({"rho": -1.0}, r"SuperSpike.rho: must be >= 0, got -1.0"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named_with_rule_and_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        SuperSpike(**({"n_pre": 9, "n_post": 5} | options))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pre_spikes": [3, 9]}, r"SuperSpike.step.pre_spikes: must be whole numbers in 0 … 8, got 9"),
        ({"pre_spikes": [-1]}, r"SuperSpike.step.pre_spikes: must be whole numbers in 0 … 8, got -1"),
        ({"pre_spikes": np.array([2**63 + 5], np.uint64)}, r"SuperSpike.step.pre_spikes: must be whole numbers in 0 … 8, got "),
        ({"pre_spikes": [1.0]}, r"SuperSpike.step.pre_spikes: must be ids, whole numbers \(k,\), got float64 \(1,\)"),
        ({"pre_spikes": np.zeros(9, bool)}, r"SuperSpike.step.pre_spikes: must be ids.*got bool \(9,\); np.flatnonzero turns"),
        ({"pre_spikes": [3, 8, 3]}, r"SuperSpike.step.pre_spikes: must be ids, each once, got 3 twice; np.flatnonzero turns"),
        ({"pre_spikes": np.eye(9, dtype=int)[4]}, r"SuperSpike.step.pre_spikes: must be ids, each once, got 0 twice"),
        ({"post_spikes": [0, 1, 1]}, r"SuperSpike.step.post_spikes: must be ids, each once, got 1 twice"),
        ({"pre_spikes": [0] * 10}, r"SuperSpike.step.pre_spikes: must be at most 9 ids, got 10"),
        ({"pre_spikes": 3}, r"SuperSpike.step.pre_spikes: must be ids, whole numbers \(k,\), got 3"),
        ({"v_post": np.zeros(4)}, r"SuperSpike.step.v_post: must be numbers of shape \(5,\), got \(4,\)"),
        ({"v_post": -60.0}, r"SuperSpike.step.v_post: must be numbers of shape \(5,\), got \(\)"),
        ({"v_post": [None] * 5}, r"SuperSpike.step.v_post: must be numbers of shape \(5,\), got object"),
        ({"error": np.zeros(1)}, r"SuperSpike.step.error: must be numbers of shape \(5,\), got \(1,\)"),
        ({"v_post": [-60, np.nan, 0, 0, 0]}, r"SuperSpike.step.v_post: must be finite numbers, got nan at 1"),
        ({"v_post": [-60, 0, 0, 0, np.inf]}, r"SuperSpike.step.v_post: must be finite numbers, got inf at 4"),
        ({"pre_spikes": hidden([1, 2], int)}, r"SuperSpike.step.pre_spikes: must be ids.*got masked values; leave them out"),
        ({"post_spikes": hidden([1, 2], int)}, r"SuperSpike.step.post_spikes: must be ids.*got masked values"),
        ({"v_post": hidden(range(5))}, r"SuperSpike.step.v_post: must be numbers \(mV\), got masked values; leave them out"),
        ({"v_post": [Volt(-0.06)] * 5}, r"SuperSpike.step.v_post: must be numbers \(mV\), got Volt; give plain numbers, without"),
        ({"error": hidden(range(5))}, r"SuperSpike.step.error: must be numbers, got masked values"),
        ({"error": (Volt(1.0),) * 5}, r"SuperSpike.step.error: must be numbers, got Volt; give plain numbers"),
        ({"error": [0, np.nan, 0, 0, 0]}, r"SuperSpike.step.error: must be finite numbers, got nan at 1"),
        ({"error": [0, 0, -np.inf, 0, 0]}, r"SuperSpike.step.error: must be finite numbers, got -inf at 2"),
        ({"post_spikes": [5]}, r"SuperSpike.step.post_spikes: must be whole numbers in 0 … 4, got 5"),
    ],
)  # fmt: skip
def test_wrong_inputs_raise_and_leave_the_traces_as_they_were(given: dict[str, Any], message: str) -> None:
    rule = small(rho=1.0)
    for ids, v, e in noise(50):
        rule.step(ids, v, e, post_spikes=[1])
    before = rule.state()
    with pytest.raises(ParameterError, match=message):
        rule.step(**({"pre_spikes": [], "v_post": np.full(5, -60.0), "error": np.zeros(5), "post_spikes": []} | given))
    for name, array in rule.state().items():
        np.testing.assert_array_equal(array, before[name])
    rule.step([8, 0, 4], np.full(5, -60.0), post_spikes=[4, 0])  # a refused step leaves nothing behind


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(mask=hidden(np.ones((9, 5)), bool)), "SuperSpike.mask: must be a boolean array"),
        (lambda: Feedback("symmetric", hidden(np.ones((4, 3)))), r"Feedback.weights: must be numbers \(mV\)"),
        (lambda: Feedback("symmetric", [np.ones((5, 4)), hidden(np.ones((4, 3)))]), r"Feedback.weights: must be numbers \(mV\)"),
        (lambda: Feedback("random", np.ones((4, 3))).step(hidden([1, 0, 0])), "Feedback.step.impulses: must be numbers"),
        (lambda: Network([4, 3], weights=[hidden(np.ones((4, 3)))]), r"Network.weights: must be numbers \(mV\)"),
        (lambda: Network([4, 3], weights={"w0": hidden(np.ones((4, 3)))}), r"Network.weights: must be numbers \(mV\)"),
    ],
)
def test_masked_values_are_no_numbers(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{message}, got masked values; leave them out$"):
        make()


@pytest.mark.parametrize("delay", [1e7, 1e14])
def test_delays_that_would_take_more_memory_than_there_is_are_refused_at_once(delay: float) -> None:
    for owner, make in (
        ("SuperSpike", lambda **options: small(**options)),
        ("VanRossumError", lambda **o: VanRossumError(9, **o)),
    ):
        with pytest.raises(ParameterError, match=rf"{owner}\.delay_ms: must need at most 4 GiB of memory, got 1e\+\d+ ms, which"):
            make(delay_ms=delay)


def test_numbers_beyond_single_precision_are_refused_in_single_precision() -> None:
    rule = small(precision="single")
    with pytest.raises(ParameterError, match=r"SuperSpike.step.v_post: must be finite numbers, got 1e\+39 at 0"):
        rule.step([], [1e39, 0, 0, 0, 0])
    with pytest.raises(ParameterError, match=r"SuperSpike.step.error: must be finite numbers, got -1e\+39 at 4"):
        rule.step([], np.zeros(5), [0, 0, 0, 0, -1e39])


def test_the_regulariser_asks_for_the_spikes_it_needs() -> None:
    with pytest.raises(ParameterError, match=r"SuperSpike.step.post_spikes: must be given where rho > 0, got None"):
        small(rho=1.0).step([], np.zeros(5), np.zeros(5))


@pytest.mark.parametrize(
    ("w", "message"),
    [
        (np.zeros((5, 9)), r"SuperSpike.update.w: must be .* \(n_pre, n_post\) = \(9, 5\), got float64 \(5, 9\)"),
        (np.zeros((5, 9)).T, r"SuperSpike.update.w: must be a C-contiguous.*np.ascontiguousarray"),
        (np.zeros((9, 5), int), r"SuperSpike.update.w: must be .* float32 or float64 .*got int64 \(9, 5\)"),
        ([[0.0] * 5] * 9, r"SuperSpike.update.w: must be .*got list"),
        (np.zeros((9, 5), ">f8"), r"SuperSpike.update.w: must be .*got >f8 \(9, 5\)"),
        (np.zeros((9, 10))[:, ::2], r"SuperSpike.update.w: must be a C-contiguous.*np.ascontiguousarray"),
        (hidden(np.zeros((9, 5))), r"SuperSpike.update.w: must be numbers \(mV\), got masked values"),
        (np.full((9, 5), np.nan), r"SuperSpike.update.w: must be finite numbers, got nan at \(0, 0\)"),
    ],
)
def test_wrong_weights_are_named(w: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        small().update(w)


def test_weights_that_are_no_synapses_may_be_anything() -> None:
    mask = np.arange(45).reshape(9, 5) % 3 > 0
    w = drive(small(mask=mask), np.where(mask, 0.0, np.nan), noise(300))
    np.testing.assert_array_equal(np.isnan(w), ~mask)


def test_a_rate_that_is_no_number_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"SuperSpike.update.rate: must be a finite number, got nan"):
        small().update(np.zeros((9, 5)), rate=np.nan)
    with pytest.raises(ParameterError, match=r"SuperSpike.update.rate: must be finite numbers, got 1e\+300"):
        small(precision="single").update(np.zeros((9, 5)), rate=1e300)


def test_tables_are_no_longer_than_a_block() -> None:
    assert len(small(tau_rise_ms=20_000.0, tau_decay_ms=20_000.0)._table.step) == len(small(block_ms=20.0)._table.step)


def test_read_only_weights_are_refused() -> None:
    w = np.zeros((9, 5))
    w.flags.writeable = False
    with pytest.raises(ParameterError, match=r"SuperSpike.update.w: must be .*writeable"):
        small().update(w)


@pytest.mark.parametrize(("i", "j", "name"), [(5, 0, "i"), (0, 9, "j"), (-1, 0, "i")])
def test_eligibility_of_no_synapse_is_refused(i: int, j: int, name: str) -> None:
    with pytest.raises(ParameterError, match=rf"SuperSpike.eligibility.{name}: must be a whole number in 0 … "):
        small().eligibility(i, j)


MASK = np.arange(45).reshape(9, 5) % 3 > 0


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (SuperSpike(8, 5, precision="double"), r"n_pre=9; block_ms=20, got n_pre=8; block_ms=500"),
        (small(tau_rise_ms=2.0), r"tau_rise_ms=5, got tau_rise_ms=2"),
        (small(optimizer=SGD(2)), r"optimizer=RMaxProp\(learning_rate=1, .*\), got optimizer=SGD\(learning_rate=2, scale=0.0001\)"),
        (small(mask=MASK), r"mask=None, got mask=30 of 45 synapses, "),
        (small(w_min=-99.0), r"w_min=-100, got w_min=-99"),
    ],
)  # fmt: skip
def test_a_state_of_other_parameters_is_refused_and_both_are_named(other: SuperSpike, message: str) -> None:
    with pytest.raises(ParameterError, match=r"SuperSpike.restore: must be a state of the same parameters, " + message):
        small().restore(other.state())


def test_masks_that_differ_are_different_parameters() -> None:
    small(mask=MASK).restore(small(mask=MASK.tolist()).state())
    small().restore(small(mask=np.ones((9, 5), bool)).state())  # all synapses are there
    with pytest.raises(
        ParameterError, match=r"SuperSpike.restore: must be .* mask=30 of 45 synapses, .*got mask=30 of 45 synapses"
    ):
        small(mask=MASK).restore(small(mask=MASK[::-1]).state())


@pytest.mark.parametrize("number", [int, np.float32, np.float64, np.int64, Fraction], ids=lambda cls: cls.__name__)
def test_equal_parameters_are_equal_whatever_their_type(number: Callable[[int], Any]) -> None:
    options = {"tau_rise_ms": 4, "tau_decay_ms": 8, "dt_ms": 1, "delay_ms": 2, "precision": "double"}
    more = {"block_ms": 20, "v_threshold": -50, "w_max": 60, "w_min": 0, "rho": 1, "exponent": 2, "tau_het_ms": 50}
    cast = lambda values: {name: x if isinstance(x, str) else number(x) for name, x in values.items()}  # noqa: E731
    plain = SuperSpike(9, 5, optimizer=SGD(1.0, 1.0), surrogate=FastSigmoid(2.0), **options, **more)
    other = SuperSpike(
        np.int32(9), np.uint8(5), optimizer=SGD(number(1), number(1)), surrogate=FastSigmoid(number(2)), **cast(options | more)
    )
    for ids, v, e in noise(60):
        other.step(ids, v, e, post_spikes=[1])
        plain.step(ids, v, e, post_spikes=[1])
    for name, array in plain.state().items():
        np.testing.assert_array_equal(array, other.state()[name])
    plain.restore(other.state())
    VanRossumError(3, **options).restore(VanRossumError(np.int16(3), **cast(options)).state())
    del options["delay_ms"]
    made = [Feedback("random", np.ones((4, 3)), seed=seed, **cast(options)) for seed in (2, np.int64(2))]
    made[0].restore(made[1].state())


class Pair(NamedTuple):
    """An object and what a step of it needs."""

    made: Any
    step: Callable[[Any, np.random.Generator], Any]


def objects() -> dict[str, Pair]:
    """One of each kind."""
    ids = lambda rng, n: np.flatnonzero(rng.random(n) < 0.05)  # noqa: E731
    rule = Pair(
        small(mask=MASK, rho=1.0),
        lambda x, rng: x.step(ids(rng, 9), rng.uniform(-60, -50, 5), rng.normal(size=5), post_spikes=ids(rng, 5)),
    )
    error = Pair(VanRossumError(3), lambda x, rng: x.step(ids(rng, 3), ids(rng, 3)))
    weights = np.random.default_rng(8).normal(size=(4, 3))
    assigned = Feedback("uniform", weights)
    assigned.matrix = [[1, 2, 3, 4]] * 3
    feedbacks = {"assigned": assigned, **{name: Feedback(name, weights) for name in ("random", "symmetric")}}
    step = lambda x, rng: x.step(rng.normal(size=3))  # noqa: E731
    return {"rule": rule, "error": error, **{name: Pair(feedback, step) for name, feedback in feedbacks.items()}}


def through_a_file(x: Any) -> Any:
    file = io.BytesIO()
    np.savez(file, **x.state())
    file.seek(0)
    other = copy.deepcopy(x)
    other.reset()
    if isinstance(x, Feedback):
        other.matrix = np.zeros_like(x.matrix)
    with np.load(file, allow_pickle=False) as state:
        other.restore(state)
    return other


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x)), "npz": through_a_file}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", objects())
def test_copies_go_on_exactly_and_are_independent(kind: str, how: str) -> None:
    made, step = objects()[kind]
    rng = np.random.default_rng(1)
    for _ in range(433):
        step(made, rng)
    before, again = made.state(), COPIES[how](made)
    assert not any(np.shares_memory(x, y) for x in arrays(made._state).values() for y in arrays(again._state).values())
    seed = rng.integers(1000)
    rng = np.random.default_rng(seed)
    for _ in range(433):
        step(again, rng)
    for name, array in made.state().items():
        np.testing.assert_array_equal(array, before[name])
    rng = np.random.default_rng(seed)
    for _ in range(433):
        step(made, rng)
    for name, array in made.state().items():
        np.testing.assert_array_equal(array, again.state()[name])
    assert made.state()["m" if kind == "rule" else "e"].any()
    if kind == "error":
        assert again.impulses is again._state.impulses


def test_a_copied_rule_changes_weights_as_the_first_does() -> None:
    rule, w = small(mask=MASK), np.zeros((9, 5))
    drive(rule, w, noise(300))
    again, v = copy.deepcopy((rule, w))
    np.testing.assert_array_equal(drive(rule, w, noise(300, seed=8)), drive(again, v, noise(300, seed=8)))
    assert np.abs(w).max() > 0


def test_symmetric_feedback_follows_the_weights_that_were_copied_with_it() -> None:
    w = np.ones((4, 3))
    feedback = Feedback("symmetric", w)
    v, deep = copy.deepcopy((w, feedback))
    shallow = copy.copy(feedback)
    v[:] = 5000
    for x in (feedback, deep, shallow):
        x.refresh()
    assert (feedback.matrix.max(), deep.matrix.max(), shallow.matrix.max()) == (np.float32(0.001), 5, np.float32(0.001))


@pytest.mark.parametrize("kind", objects())
def test_damaged_states_are_refused_and_nothing_is_changed(kind: str) -> None:
    made, step = objects()[kind]
    rng = np.random.default_rng(1)
    for _ in range(50):
        step(made, rng)
    state = made.state()
    with pytest.raises(ParameterError, match=r"restore: must be a state of the same kind of object, .*got nothing"):
        made.restore({})
    with pytest.raises(ParameterError, match=r"restore: must be a state of the same kind of object, .*got int"):
        made.restore(3)
    damaged = []
    for name, array in state.items():
        if name == "parameters":
            continue
        damaged += [(name, np.zeros((1, *array.shape), array.dtype)), (name, array.astype(np.float16))]
        damaged += [(name, array.ravel()[:1])] if array.size > 1 else []
        if array.dtype.kind == "i":
            damaged += [(name, array - 10**6), (name, array + 2**62)]
            damaged += [(name, array + 10**6)] if name != "step" else []  # any number of steps may have gone by
        else:
            damaged.append((name, np.full_like(array, np.nan)))
    for name, array in damaged:
        with pytest.raises(ParameterError, match=rf"{type(made).__name__}.restore.{name}: must be "):
            made.restore({k: x + (x.dtype.kind == "f") for k, x in state.items()} | {name: array})
        for k, x in made.state().items():
            np.testing.assert_array_equal(x, state[k])


def test_the_error_objects_check_what_they_are_given() -> None:
    with pytest.raises(ParameterError, match=r"VanRossumError.n: must be a whole number >= 1, got 0"):
        VanRossumError(0)
    with pytest.raises(ParameterError, match=r"VanRossumError.tau_rise_ms: must be > 0 ms, got -5"):
        VanRossumError(3, tau_rise_ms=-5)
    with pytest.raises(ParameterError, match=r"VanRossumError.step.target_spikes: must be whole numbers in 0 … 2, got 3"):
        VanRossumError(3).step([], [3])
    with pytest.raises(ParameterError, match=r"Feedback.weights: must be .*\(n_pre, n_post\)"):
        Feedback("random", np.zeros(3))
    with pytest.raises(ParameterError, match=r"Feedback.weights: must be .*follow"):
        Feedback("symmetric", [np.zeros((4, 3)), np.zeros((4, 2))])
    with pytest.raises(ParameterError, match=r"Feedback.step.impulses: must be numbers of shape \(3,\), got \(4,\)"):
        Feedback("random", np.zeros((4, 3))).step(np.zeros(4))
    with pytest.raises(ParameterError, match=r"feedback: must be one of"):
        Feedback("nonsense", np.zeros((4, 3)))
    with pytest.raises(ParameterError, match=r"Feedback.seed: must be a whole number >= 0, got 1.5"):
        Feedback("random", np.zeros((4, 3)), seed=1.5)
    with pytest.raises(
        ParameterError, match=r"VanRossumError.step.target_spikes: must be ids, each once, got 0 twice; np.flatnonzero"
    ):
        VanRossumError(3).step([], np.array([0, 1, 0]))
    with pytest.raises(
        ParameterError, match=r"VanRossumError.step.output_spikes: must be ids, each once, got 1 twice; np.flatnonzero"
    ):
        VanRossumError(3).step([1, 1], [])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_impulses_that_are_no_numbers_are_refused(bad: float) -> None:
    feedback = Feedback("random", np.zeros((4, 3)))
    feedback.step([1, 0, -1])
    before = feedback.state()
    with pytest.raises(ParameterError, match=rf"Feedback.step.impulses: must be finite numbers, got {bad} at 1"):
        feedback.step([0, bad, 0])
    for name, array in feedback.state().items():
        np.testing.assert_array_equal(array, before[name])


B = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "given", [np.asfortranarray(B), B.tolist(), B.astype(int), B.astype(np.float32), np.repeat(B, 2, axis=1)[:, ::2]]
)
def test_an_assigned_feedback_matrix_is_copied_whatever_its_layout(given: Any) -> None:
    feedback = Feedback("random", np.zeros((4, 3)), precision="double")
    feedback.matrix = given
    if isinstance(given, np.ndarray):
        given[:] = 7
    np.testing.assert_array_equal(feedback.matrix, np.arange(12).reshape(3, 4))
    feedback.step([0, 0, 1])
    e = feedback.step([0, 0, 0]), feedback.step([0, 0, 0])
    np.testing.assert_allclose(e[1] / e[1][1], [8 / 9, 1, 10 / 9, 11 / 9], rtol=1e-14)  # row 2; some roundings of doubles


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (B.T, r"must be numbers of shape \(n_out, n_hidden\) = \(3, 4\), got float64 of shape \(4, 3\)"),
        (1.0, r"must be numbers of shape .*got float64 of shape \(\)"),
        (B[:1], r"must be numbers of shape .*got float64 of shape \(1, 4\)"),
        (B.astype(complex), r"must be numbers of shape .*got complex128"),
        (B.astype(str), r"must be numbers of shape .*got <U"),
        ([[1, 2], [3]], r"must be numbers of shape .*got object of shape \(2,\)"),
        (hidden(B), r"must be numbers, got masked values; leave them out"),
        ([hidden(row) for row in B], r"must be numbers, got masked values; leave them out"),
        (np.array([Volt(1.0)] * 12, object).reshape(3, 4), r"must be numbers, got Volt; give plain numbers"),
        (np.where(B == 6, np.nan, B), r"must be finite numbers, got nan at \(1, 2\)"),
        (np.where(B == 6, 1e39, B), r"must be finite numbers, got 1e\+39 at \(1, 2\)"),
    ],
)
def test_a_wrong_feedback_matrix_is_refused_and_the_old_one_stays(given: Any, message: str) -> None:
    feedback = Feedback("random", np.zeros((4, 3)))
    before = feedback.matrix.copy()
    with pytest.raises(ParameterError, match=r"Feedback.matrix: " + message):
        feedback.matrix = given
    np.testing.assert_array_equal(feedback.matrix, before)


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ([], r"of the shapes \[\(3, 4\), \(3, 5\)\], got \[\]"),
        ([B], r"of the shapes \[\(3, 4\), \(3, 5\)\], got \[\(3, 4\)\]"),
        (B, r"of the shapes \[\(3, 4\), \(3, 5\)\], got ndarray"),
        ([hidden(B), np.ones((3, 5))], r"must return numbers, got masked values; leave them out"),
        ([B[:1], np.ones((3, 5))], r"of the shapes \[\(3, 4\), \(3, 5\)\], got \[\(1, 4\), \(3, 5\)\]"),
        ([B * np.nan, np.ones((3, 5))], r"must return finite numbers, got NaN, infinity or no numbers for hidden layer 1"),
    ],
)
def test_a_scheme_s_wrong_matrices_are_named(drawn: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(NamedTuple):
        follows_weights: bool = False

        def matrices(self, sizes: list[int], weights: Any, rng: np.random.Generator) -> Any:
            return drawn

    monkeypatch.setitem(FEEDBACKS, "odd", Odd)
    with pytest.raises(ParameterError, match=rf"^Odd\.matrices: .*{message}"):
        Feedback("odd", [np.zeros((4, 5)), np.zeros((5, 3))])


@pytest.mark.parametrize("precision", ["single", "double"])
def test_long_silence_leaves_no_denormal_numbers_in_the_errors(precision: str) -> None:
    options = {"tau_rise_ms": 0.4, "tau_decay_ms": 0.8, "precision": precision}
    output, hidden = VanRossumError(2, delay_ms=0.0, **options), Feedback("uniform", np.zeros((3, 2)), **options)
    filter, e1 = error_filter(Rule(tau_rise=0.4, tau_decay=0.8), Scheme())
    e2, largest = 0.0, 0.0
    rounding = 1e-4 if precision == "single" else 1e-12  # 2⁻²⁴ or 2⁻⁵³, some times in each of the 300 steps down to 1e-20
    for step in range(6001):  # 0.875 per step: 1e-348 at the end, which rounds to a denormal number that stays
        e = output.step([], [0] if step == 0 else [])
        below = hidden.step(output.impulses)
        if step > 0:
            e1 *= filter.a1
            e2 = filter.a2 * e2 + filter.c * e1
            assert abs(e[0] - e2) <= rounding * e2 + 2e-20  # what a flush takes away
            largest = max(largest, below[0])
    assert largest > 0.05
    assert not any(x.any() for helper in (output, hidden) for x in (helper._state.e1, helper._state.e2))


@pytest.mark.parametrize("kind", ["uniform", "random", "symmetric", "assigned", "of older weights"])
def test_the_error_objects_reset_and_restore(kind: str) -> None:
    rng = np.random.default_rng(2)
    steps = [(np.flatnonzero(rng.random(3) < 0.05), np.flatnonzero(rng.random(3) < 0.05)) for _ in range(60)]
    weights = rng.normal(size=(4, 3))

    def run(output: VanRossumError, hidden: Feedback, steps: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        found = []
        for own, wanted in steps:
            e = output.step(own, wanted)
            found.append(np.concatenate([e, hidden.step(output.impulses)]))
        return np.array(found)

    scheme = {"assigned": Random(), "of older weights": "symmetric"}.get(kind, kind)
    output, hidden = VanRossumError(3), Feedback(scheme, weights)
    if kind == "assigned":
        hidden.matrix = rng.normal(size=(3, 4))
    elif kind == "of older weights":
        weights += 1
    first = run(output, hidden, steps)
    assert np.abs(first).max(axis=0).min() > 0
    output.reset()
    hidden.reset()
    np.testing.assert_array_equal(run(output, hidden, steps[:30]), first[:30])
    again = VanRossumError(3), Feedback(scheme, weights)
    for new, old in zip(again, (output, hidden), strict=True):
        new.restore(old.state())
    np.testing.assert_array_equal(run(*again, steps[30:]), first[30:])


@pytest.mark.parametrize("name", FEEDBACKS)
def test_every_feedback_scheme_can_be_used(name: str) -> None:
    helper = Feedback(name, np.full((4, 3), 500.0), seed=3)
    assert helper.matrix.shape == (3, 4)
    if name == "symmetric":
        np.testing.assert_array_equal(helper.matrix, 0.5)  # weights in V

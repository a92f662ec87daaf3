"""The scheme against closed forms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from superspike import LIF, Network, Rule, Scheme, Spikes, Task, tasks
from superspike.engine.simulation import Simulation
from superspike.engine.state import LANES
from superspike.model.filters import double_exponential
from superspike.model.scheme import cost_per_squared_error
from superspike.model.surrogate import SURROGATES

Array = NDArray[np.float64]

FAR = 1e6  # ms

PRIMITIVES: dict[str, Callable[[float], float]] = {
    "fast_sigmoid": lambda h: h / (1 + abs(h)),
    "scaled_fast_sigmoid": lambda h: h / (1 + abs(h)),
    "exponential": lambda h: math.copysign(1 - math.exp(-abs(h)), h),
    "sigmoid": lambda h: 1 / (1 + math.exp(-h)),
    "gaussian": lambda h: (1 + math.erf(h / math.sqrt(2))) / 2,
    "piecewise_linear": lambda h: h * (1 - abs(h) / 2) if abs(h) < 1 else math.copysign(0.5, h),
    "linear": lambda h: h,
}


def one_synapse(w: float, spike_times: list[float], integration: str = "euler", lif: LIF | None = None) -> Simulation:
    """One input, one output, in double precision, 50 s period."""
    task = Task(Spikes(spike_times, [0] * len(spike_times), 1), Spikes([], [], 1), period_ms=50_000.0)
    scheme = Scheme(precision="double", integration=integration)
    return Simulation(Network([1, 1], weights=[[[w]]], neuron=lif, scheme=scheme, rule=Rule(w_max=1e4)), task, "clock")


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_surrogate_is_the_derivative_of_its_documented_primitive(name: str, beta: float) -> None:
    surrogate, primitive = SURROGATES[name](beta), PRIMITIVES[name]
    scale = getattr(surrogate, "peak", beta) / beta
    for x in np.linspace(-5.03, 5.07, 200):
        step = 1e-6
        numerical = (primitive(beta * (x + step)) - primitive(beta * (x - step))) / (2 * step)
        assert surrogate.derivative(np.float64(x)) == pytest.approx(
            scale * numerical, rel=1e-6, abs=1e-8
        )  # central difference at 1e-6


@pytest.mark.parametrize("integration", ["euler", "exact"])
def test_free_membrane_decays_with_tau_mem(integration: str) -> None:
    simulation = one_synapse(0.0, [], integration)
    simulation.state.v[LANES] = 5.0  # layer 1 starts after one padded input
    simulation.advance(100)
    exact = 5.0 * math.exp(-1)
    tolerance = 1e-12 if integration == "exact" else 0.006  # Euler: (1 − 0.01)^100 is 0.5 % below e^−1
    assert simulation.state.v[LANES] == pytest.approx(exact, rel=tolerance)


def test_psp_peaks_at_a_quarter_of_the_weight() -> None:
    simulation = one_synapse(20.0, [1.0], "exact")
    peak = 0.0
    for _ in range(300):
        simulation.advance(1)
        peak = max(peak, simulation.state.v[LANES])
    assert peak == pytest.approx(0.25 * 20.0, rel=1e-4)  # the peak lies between two steps, 0.05 ms from one


def test_constant_current_gives_the_firing_rate_of_the_closed_form() -> None:
    lif = LIF(tau_syn=FAR)
    simulation = one_synapse(20.0, [0.0], "exact", lif)
    _, log = simulation.advance(20_000)
    steps, _ = simulation.spikes(log, 1)
    interval = lif.tau_ref + lif.tau_mem * math.log(20.0 / (20.0 - 10.0))
    assert np.diff(steps)[5:].mean() * 0.1 == pytest.approx(interval, abs=0.1)  # one time step


@pytest.mark.parametrize("integration", ["euler", "exact"])
@pytest.mark.parametrize(("tau1", "tau2"), [(5.0, 10.0), (10.0, 5.0), (7.0, 7.0)])
def test_filter_follows_its_closed_form(integration: str, tau1: float, tau2: float) -> None:
    errors = []
    for dt in (0.1, 0.05):
        a1, a2, c = double_exponential(tau1, tau2, dt, integration)
        x1, x2, largest = 1.0, 0.0, 0.0
        for n in range(1, round(50 / dt)):
            x1, x2 = a1 * x1, a2 * x2 + c * x1
            t = n * dt
            exact = (
                t / tau2 * math.exp(-t / tau2)
                if tau1 == tau2
                else tau1 / (tau1 - tau2) * (math.exp(-t / tau1) - math.exp(-t / tau2))
            )
            largest = max(largest, abs(x2 - exact))
        errors.append(largest)
    if integration == "exact":
        assert max(errors) < 1e-12
    else:  # forward Euler is of first order: half the step, half the error
        assert errors[0] < 0.01
        assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


def test_a_spike_acts_after_the_delay() -> None:
    simulation = one_synapse(20.0, [0.0])
    currents = []
    for _ in range(12):
        simulation.advance(1)
        currents.append(float(simulation.state.current[LANES]))
    assert currents.index(20.0) == 8  # 0.8 ms
    assert currents[:8] == [0.0] * 8


def test_refractory_neuron_stays_at_rest_for_50_steps() -> None:
    simulation = one_synapse(2000.0, [0.0])
    v = []
    for _ in range(200):
        _, log = simulation.advance(1)
        v.append((float(simulation.state.v[LANES]), len(simulation.spikes(log, 1)[0])))
    spikes = [step for step, (_, n) in enumerate(v) if n]
    assert all(v[step][0] == 0.0 for step in range(spikes[0], spikes[0] + 51))
    assert spikes[1] >= spikes[0] + 51


def silent_cost(task: Task) -> float:
    """Cost of a network whose weights are zero, over the second period (the first has no past)."""
    simulation = Simulation(Network([task.n_inputs, task.n_outputs], w0=0.0), task)
    steps = round(task.period_ms / 0.1)
    simulation.advance(steps)
    return simulation.advance(steps)[0]


def test_silent_network_costs_four_times_the_rate_of_sparse_targets() -> None:
    task = tasks.regular(n_inputs=1, outputs=3, target_rate=2.0, period_ms=2000.0)
    assert silent_cost(task) == pytest.approx(4 * 2.0, rel=0.01)  # Euler filters: 0.7 % above the closed form


@pytest.mark.parametrize(("apart", "published"), [(1.0, 0.072), (2.0, 0.26), (5.0, 1.24), (10.0, 3.2)])
def test_a_spike_that_comes_late_costs_what_the_closed_form_says(apart: float, published: float) -> None:
    a, b = 10.0, 5.0  # the error filter's time constants; its autocorrelation is (a e^(−t/a) − b e^(−t/b)) / (a − b)
    closed = 8 * (1 - (a * math.exp(-apart / a) - b * math.exp(-apart / b)) / (a - b))
    assert closed == pytest.approx(published, rel=0.02)  # published with two or three digits

    def cost(target: float) -> tuple[float, Array]:
        """Mean cost over a second in which the output fires once, and when."""
        task = Task(Spikes([100.0], [0], 1), Spikes([target], [0], 1), period_ms=1000.0)
        simulation = Simulation(Network([1, 1], weights=[[[80.0]]], scheme=Scheme(precision="double", integration="exact")), task)
        simulation.advance(10_000)
        mean, log = simulation.advance(10_000)
        return mean, simulation.spikes(log, 1)[0] * 0.1 - 1000.0

    _, fired = cost(500.0)
    assert len(fired) == 1
    assert cost(round(fired[0], 6))[0] < 1e-10
    assert cost(round(fired[0] - apart, 6))[0] == pytest.approx(closed, rel=1e-3)  # sampled at 0.1 ms


def test_cost_scale_is_the_integral_of_the_squared_kernel() -> None:
    rule, scheme = Rule(), Scheme()
    t = np.arange(0, 200, 1e-3)
    kernel = scheme.dt / (rule.tau_decay - rule.tau_rise) * (np.exp(-t / rule.tau_decay) - np.exp(-t / rule.tau_rise))
    assert cost_per_squared_error(rule, scheme) * np.trapezoid(kernel**2, t) == pytest.approx(4 * 1000, rel=1e-6)


def test_symmetric_feedback_of_deep_chains_multiplies_the_weights() -> None:
    network = Network([3, 4, 5, 2], seed=5)
    first, second = network.feedback_weights
    _, w1, w2 = network.weights
    np.testing.assert_allclose(second, w2.T / 1000, rtol=1e-6)
    np.testing.assert_allclose(first, (w1 @ w2).T / 1e6, rtol=1e-5)  # single precision


def test_uniform_and_random_feedback_are_fixed_and_reach_every_hidden_layer() -> None:
    for name, check in (
        ("uniform", lambda b: np.all(b == 1)),
        ("random", lambda b: abs(b.mean()) < 0.2 and abs(b.std() - 1) < 0.2),
    ):
        network = Network([3, 20, 30, 20], feedback=name, seed=5)
        before = network.feedback_weights
        assert [b.shape for b in before] == [(20, 20), (20, 30)]
        assert all(check(b) for b in before)
        network.weights[1][:] = 0
        network.refresh_feedback()
        assert all(a is b for a, b in itertools.zip_longest(before, network.feedback_weights))

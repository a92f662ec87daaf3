"""For one layer that does not spike, the block's sum is the exact gradient of the surrogate loss."""

from __future__ import annotations

import numpy as np
import pytest

from superspike import LIF, FastSigmoid, Network, Rule, Scheme, Spikes, tasks
from superspike.engine.simulation import Simulation
from superspike.lab.config import ENGINES

STEPS, DELAY, N_IN, N_OUT = 3000, 8, 12, 3
TASK = tasks.poisson(n_inputs=N_IN, input_rate=20.0, outputs=N_OUT, target_rate=15.0, period_ms=300.0, seed=4)
LIF_SILENT = LIF(v_threshold=-40.0)  # 20 mV above rest: never reached with the weights below


def network(integration: str) -> Network:
    return Network(
        [N_IN, N_OUT], neuron=LIF_SILENT, surrogate=FastSigmoid(0.3), w0=30.0, seed=4,
        scheme=Scheme(integration=integration, precision="double"),
    )  # fmt: skip


def counts(spikes: Spikes) -> np.ndarray:
    found = np.zeros((STEPS, spikes.n))
    np.add.at(found, (np.floor(spikes.times_ms / 0.1 + 1e-6).astype(int), spikes.ids), 1)
    return found


def coefficients(integration: str) -> tuple[float, float, float]:
    """Of a filter of 5 and 10 ms, worked out here."""
    a1, a2 = np.exp(-0.1 / 5), np.exp(-0.1 / 10)
    return (a1, 0.99, 0.01) if integration == "euler" else (a1, a2, (a2 - a1) * 5 / (10 - 5))


def third_factor(integration: str) -> np.ndarray:
    """e2(t) of silent outputs, (steps, n_out)."""
    k = 0.1 / 5
    a1, a2, c = coefficients(integration)
    target = counts(TASK.targets)
    e1, e2, found = np.zeros(N_OUT), np.zeros(N_OUT), np.zeros((STEPS, N_OUT))
    for t in range(STEPS):
        raw = target[t - 1 - DELAY] if t > DELAY else np.zeros(N_OUT)
        if integration == "euler":
            e1 = e1 + k * (raw - e1)
            e2 = e2 + 0.01 * (e1 - e2)
        else:
            e1 = e1 + k * raw
            e2 = a2 * e2 + c * e1
            e1 = a1 * e1
        found[t] = e2
    return found


def membrane(w: np.ndarray, integration: str) -> np.ndarray:
    """v(t) above rest without spikes, (steps, n_out)."""
    a1, a2, c = coefficients(integration)
    spikes = counts(TASK.inputs)
    v, current, found = np.zeros(N_OUT), np.zeros(N_OUT), np.zeros((STEPS, N_OUT))
    for t in range(STEPS):
        v, current = a2 * v + c * current, a1 * current
        if t >= DELAY:
            current = current + spikes[t - DELAY] @ w
        found[t] = v
    return found


def objective(w: np.ndarray, integration: str, error: np.ndarray) -> float:
    """Σ_t e(t) · (α ∗ σ(U))(t): what a small change of the smooth output σ(U) takes off the van Rossum loss."""
    a1, a2, c = coefficients(integration)
    h = 0.3 * (membrane(w, integration) - 20.0)
    smooth = h / (1 + np.abs(h))
    x1, x2, total = np.zeros(N_OUT), np.zeros(N_OUT), 0.0
    for t in range(STEPS):
        x1 = x1 + (smooth[t - DELAY] if t >= DELAY else 0.0)
        x2 = a2 * x2 + c * x1
        x1 = a1 * x1
        total += float(error[t] @ x2)
    return total


def forward_mode(w: np.ndarray, integration: str, error: np.ndarray) -> np.ndarray:
    """The same gradient, carried forward in time for every weight, (n_in, n_out)."""
    a1, a2, c = coefficients(integration)
    spikes, v = counts(TASK.inputs), membrane(w, integration)
    slope = 0.3 / (1 + 0.3 * np.abs(v - 20.0)) ** 2
    dv, di = np.zeros(N_IN), np.zeros(N_IN)
    dv_at = np.zeros((STEPS, N_IN))
    for t in range(STEPS):
        dv, di = a2 * dv + c * di, a1 * di
        if t >= DELAY:
            di = di + spikes[t - DELAY]
        dv_at[t] = dv
    x1, x2, total = np.zeros((N_IN, N_OUT)), np.zeros((N_IN, N_OUT)), np.zeros((N_IN, N_OUT))
    for t in range(DELAY, STEPS):
        x1 = x1 + np.outer(dv_at[t - DELAY], slope[t - DELAY])
        x2 = a2 * x2 + c * x1
        x1 = a1 * x1
        total += x2 * error[t]
    return total


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("integration", ["euler", "exact"])
def test_block_sum_is_the_exact_surrogate_gradient(engine: str, integration: str) -> None:
    net = network(integration)
    simulation = Simulation(net, TASK, engine)
    simulation.learn(True)
    _, log = simulation.advance(STEPS)
    assert len(simulation.spikes(log, 1)[0]) == 0
    # the Euler pre trace reads p1 after its decay, the membrane reads I before it: one factor a1 = e^(−dt/τ) between them
    ours = simulation.traces["m"][0] / (np.exp(-0.1 / 5) if integration == "euler" else 1.0)

    w, error = net.weights[0].copy(), third_factor(integration)
    exact = forward_mode(w, integration, error)
    np.testing.assert_allclose(ours, exact, atol=1e-11 * np.abs(exact).max())  # double precision, 3000 terms

    step = 1e-4
    for i, j in ((0, 0), (5, 1), (11, 2)):
        up, down = w.copy(), w.copy()
        up[i, j] += step
        down[i, j] -= step
        numerical = (objective(up, integration, error) - objective(down, integration, error)) / (2 * step)
        assert ours[i, j] == pytest.approx(numerical, rel=1e-6)  # central differences at 1e-4 mV


def test_learning_goes_down_the_gradient() -> None:
    net = Network([N_IN, N_OUT], neuron=LIF_SILENT, w0=30.0, seed=4, rule=Rule(block=300.0))
    before = net.weights[0].copy()
    simulation = Simulation(net, TASK)
    simulation.learn(True)
    simulation.advance(3001)
    gradient = simulation.traces["m"][0].copy()
    simulation.update()
    change = net.weights[0] - before
    assert np.all(np.sign(change[gradient != 0]) == np.sign(gradient[gradient != 0]))
    np.testing.assert_allclose(
        np.abs(change[gradient != 0]), 1.0, rtol=1e-4
    )  # RMaxProp's first step is r0 = 1 mV; single precision

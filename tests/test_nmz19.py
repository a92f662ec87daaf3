"""The spiking network as a binary recurrent one, by its published equations and without any unit, gives our spikes and sums."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import relative

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.model.scheme import ENGINES

STEPS, DT, N_IN, N, N_OUT = 600, 1.0, 15, 10, 4
HEIGHT = 12.5  # mV, from rest to threshold: the unit of the published equations
TAU_SYN, TAU_MEM = 4.0, 9.0
ALPHA, BETA = np.exp(-DT / TAU_SYN), np.exp(-DT / TAU_MEM)


def binary_network(inputs: np.ndarray, targets: np.ndarray, w: np.ndarray, v: np.ndarray, w_out: np.ndarray) -> tuple:
    """U and S of the recurrent layer and of the outputs (NMZ19), and the sums of e times what each weight does to U.

    dU/dw by forward-mode differentiation; the ways through resets and through other spikes are left out.
    """
    s, s_out, u_all = np.zeros((STEPS, N)), np.zeros((STEPS, N_OUT)), np.zeros((STEPS, N))
    u, i, u_out, i_out = np.zeros(N), np.zeros(N), np.zeros(N_OUT), np.zeros(N_OUT)
    du, di = {"w0": np.zeros((N_IN, N)), "v1": np.zeros((N, N))}, {"w0": np.zeros((N_IN, N)), "v1": np.zeros((N, N))}
    h1, h2, m = ({name: np.zeros_like(x) for name, x in du.items()} for _ in range(3))
    c = (BETA - ALPHA) * TAU_SYN / (TAU_MEM - TAU_SYN)  # of the rule's α, whose time constants are the neurons'
    e1, e2 = np.zeros(N), np.zeros(N)
    products = []
    for n in range(STEPS):
        if n:  # from n − 1 to n
            du = {name: BETA * du[name] + di[name] for name in du}
            di = {"w0": ALPHA * di["w0"] + inputs[n - 1][:, None], "v1": ALPHA * di["v1"] + s[n - 1][:, None]}
            u, i = BETA * u + i - s[n - 1], ALPHA * i + inputs[n - 1] @ w + s[n - 1] @ v
            u_out, i_out = BETA * u_out + i_out - s_out[n - 1], ALPHA * i_out + s[n - 1] @ w_out
        s[n], s_out[n], u_all[n] = u > 1, u_out > 1, u
        f = 1 / (1 + HEIGHT * np.abs(u - 1)) ** 2
        products.append({name: f * du[name] for name in du})
        e1 *= ALPHA
        e2 = BETA * e2 + c / ALPHA * e1
        if n > 1:  # a spike reaches the outputs' errors one step later, the hidden ones' after another
            e1 += DT / TAU_SYN * (targets[n - 2] - s_out[n - 2]) @ w_out.T * HEIGHT / 1000
        for name in h1:
            h1[name] += products[n - 1][name] if n else 0
            h2[name] = BETA * h2[name] + c * h1[name]
            h1[name] *= ALPHA
            m[name] += e2 * h2[name]
    return u_all, s, s_out, m


@pytest.mark.parametrize("engine", ENGINES)
def test_nmz19_is_the_binary_recurrent_network(engine: str) -> None:
    rng = np.random.default_rng(3)
    shapes = {"w0": (N_IN, N), "v1": (N, N), "w1": (N, N_OUT)}
    w = {name: rng.normal(0.1 if name != "v1" else 0.0, 0.25, shape) for name, shape in shapes.items()}
    task = ss.tasks.poisson(n_inputs=N_IN, input_rate=30.0, outputs=N_OUT, target_rate=20.0, period_ms=STEPS * DT, seed=4)
    inputs, targets = (
        np.histogram2d(x.times_ms + 1e-6, x.ids, (np.arange(STEPS + 1) * DT, np.arange(x.n + 1)))[0]
        for x in (task.inputs, task.targets)
    )
    u, s, s_out, m = binary_network(inputs, targets, w["w0"], w["v1"], w["w1"])
    assert s.sum() > 100 and s_out.sum() > 20 and (s[1:] * s[:-1]).sum() > 5, "spikes in consecutive steps are among the cases"
    network = ss.Network(
        [N_IN, N, N_OUT], recurrent=True, weights={name: x * HEIGHT for name, x in w.items()},
        neuron=ss.LIF(TAU_MEM, TAU_SYN, 0.0, v_threshold=HEIGHT, v_rest=0.0, reset="subtract"),
        scheme=ss.Scheme(dt=DT, delay=DT, integration="nmz19", precision="double"),
        rule=ss.Rule(tau_rise=TAU_SYN, tau_decay=TAU_MEM),
    )  # fmt: skip
    simulation = Simulation(network, task, engine)
    simulation.learn(True)
    _, log = simulation.advance(STEPS)
    for layer, spikes in ((1, s), (2, s_out)):
        np.testing.assert_array_equal(np.argwhere(spikes), np.stack(simulation.spikes(log, layer), axis=1))
    v = simulation.state.v[simulation.where.start[1] :][:N]
    np.testing.assert_allclose(v, HEIGHT * (u[-1] - s[-1] / BETA), rtol=1e-9)  # double precision
    ours = dict(zip((projection.name for projection in network.projections), simulation.traces["m"], strict=True))
    for name in ("w0", "v1"):
        assert relative(ours[name], m[name]) < 1e-9  # double precision, times the growth e^4 of an interval


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reset_by_subtraction_keeps_what_was_beyond_the_threshold_and_holds_it(engine: str) -> None:
    network = ss.Network(
        [1, 1], weights=[[[100.0]]], neuron=ss.LIF(tau_ref=2.0, reset="subtract"), scheme=ss.Scheme(delay=0.1, precision="double"),
    )  # fmt: skip
    task = ss.tasks.Task(ss.Spikes([0.0, 0.1, 0.2], [0, 0, 0], 1), ss.Spikes([], [], 1), 100.0)
    simulation, v, spikes = Simulation(network, task, engine), [], []
    for step in range(100):
        _, log = simulation.advance(1)
        v.append(float(simulation.state.v[simulation.where.start[1]]))
        spikes += [step] * len(simulation.spikes(log, 1)[0])
    first = spikes[0]
    a, c = 0.99, 0.01
    current = 100 * (1 + np.exp(-0.02) + np.exp(-0.04)) * np.exp(-0.02) ** (first - 4)  # as the step of the spike reads it
    assert v[first] == pytest.approx(a * v[first - 1] + c * current - 10, rel=1e-9)  # rounding
    assert v[first : first + 21] == [v[first]] * 21, "held for 2 ms"
    assert v[first + 21] != v[first]

"""Readouts in a stream: potentials without spikes, the losses that read them, and the rule for their synapses."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import relative

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.model.scheme import ENGINES

N, STEPS, DELAY = (12, 9, 3), 1500, 4
READOUT = ss.Readout(tau_mem=15.0, tau_syn=3.0)


def network(integration: str = "exact", recurrent: bool = False, **options: object) -> ss.Network:
    scheme = ss.Scheme(delay=DELAY / 10, integration=integration, precision="double")
    return ss.Network(
        [N[0], N[1], ss.Layer(N[2], READOUT)], loss=ss.SquaredError(height=2.0, tau=10.0), scheme=scheme, w0=120.0, seed=2,
        recurrent=recurrent, neuron=ss.LIF(tau_ref=1.0, reset="subtract"), **options,
    )  # fmt: skip


@pytest.fixture
def task() -> ss.Task:
    return ss.tasks.poisson(n_inputs=N[0], input_rate=30.0, outputs=N[2], target_rate=20.0, period_ms=STEPS / 10, seed=4)


def read(simulation: Simulation, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Potentials of the readout and spikes of the hidden layer, step by step."""
    potentials, spikes, start = [], np.zeros((steps, N[1])), simulation.where.start
    for _ in range(steps):
        _, log = simulation.advance(1)
        potentials.append(simulation.state.v[start[2] : start[2] + N[2]].copy())
        spikes[simulation.spikes(log, 1)] = 1
    return np.array(potentials), spikes


@pytest.mark.parametrize("engine", ENGINES)
def test_a_readouts_potentials_are_filtered_spikes_and_its_gradient_is_the_losss(engine: str, task: ss.Task) -> None:
    potentials, spikes = read(Simulation(network(), task, "clock"), STEPS)
    a, b = np.exp(-0.1 / READOUT.tau_syn), np.exp(-0.1 / READOUT.tau_mem)
    lags = np.arange(STEPS)
    response = (b**lags - a**lags) * READOUT.tau_syn / (READOUT.tau_mem - READOUT.tau_syn)  # of U to a spike that has arrived
    kernel = np.concatenate([np.zeros(DELAY), response])[:STEPS]
    filtered = np.array([np.convolve(s, kernel)[:STEPS] for s in spikes.T]).T  # dU/dw, whatever w is
    w = network().weights[1]
    np.testing.assert_allclose(potentials, filtered @ w, rtol=1e-9, atol=1e-12)  # double precision
    shown = np.zeros((STEPS, N[2]))
    np.add.at(shown, (np.floor(task.targets.times_ms / 0.1 + 1e-6).astype(int), task.targets.ids), 2.0)
    target = np.array([np.convolve(s, np.exp(-lags * 0.1 / 10.0))[:STEPS] for s in shown.T]).T
    e = (target - potentials) / 2.0
    gradient = filtered[: STEPS - DELAY].T @ e[: STEPS - DELAY]  # of −½ Σ (Û − U)² / h; the last steps' errors are on their way
    simulation = Simulation(network(), task, engine)
    simulation.learn(True)
    cost, log = simulation.advance(STEPS)
    assert len(simulation.spikes(log, 1)[0]) > 20
    assert len(simulation.spikes(log, 2)[0]) == 0
    np.testing.assert_allclose(log.potentials, potentials, rtol=1e-9, atol=1e-12)  # as above
    assert cost == pytest.approx((e[: STEPS - DELAY] ** 2).sum() / STEPS / N[2], rel=1e-9)
    assert relative(simulation.traces["m"][1], gradient) < 1e-9  # double precision, times the growth e^4 of an interval


@pytest.mark.parametrize("integration", ["euler", "exact", "nmz19"])
@pytest.mark.parametrize("threads", [1, 2])
def test_engines_agree_on_networks_with_a_readout(integration: str, threads: int, task: ss.Task) -> None:
    found = {}
    for engine in ENGINES:
        simulation = Simulation(network(integration, recurrent=True, optimizer=ss.SGD(0.01)), task, engine, threads)
        simulation.learn(True)
        for steps in (1, 700, 4300, 5000):
            simulation.advance(steps)
        sums = [x.copy() for name in ("m", "h2") for x in simulation.traces[name]]
        simulation.update()
        simulation.advance(3000)
        found[engine] = [
            *sums,
            *simulation.weights,
            simulation.state.v.copy(),
            simulation.state.e2.copy(),
            simulation.state.p2.copy(),
        ]
    assert all(np.abs(x).max() > 0 for x in found["clock"][:3])
    for ours, theirs in zip(found["event"], found["clock"], strict=True):
        assert relative(ours, theirs) < 1e-9 or np.abs(ours - theirs).max() < 1e-12  # the same; nothing where h of a readout is 0


def test_a_readout_learns_the_course_of_its_targets_and_is_saved(task: ss.Task, tmp_path) -> None:  # type: ignore[no-untyped-def]
    net = ss.Network([N[0], 40, ss.Layer(N[2], READOUT)], loss=ss.SquaredError(), w0=60.0, optimizer=ss.Adam(1.0))
    run = ss.train(net, task, duration_ms=20_000)
    cost = run.metrics["cost"]
    assert np.mean(cost[-5:]) < 0.7 * np.mean(cost[:5])
    found = ss.evaluate(net, task, duration_ms=300.0)
    assert found.potentials.shape == (3000, N[2])
    assert found.potentials.std() > 1
    run.save(tmp_path / "run")
    again = ss.Run.load(tmp_path / "run").network
    assert again.readout == READOUT
    assert again.loss == ss.SquaredError()
    for ours, theirs in zip(again.weights, net.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([3, ss.Layer(2, READOUT), 2], {}, "Network.sizes: must have a readout as the last layer only, got one as layer 1"),
        ([3, ss.Layer(2, READOUT)], {}, "Network.loss: must fit the last layer, VanRossum reads spikes, got Readout"),
        ([3, 2], {"loss": "squared_error"}, "Network.loss: must fit the last layer, SquaredError reads potentials, .*, got LIF"),
        ([3, ss.Layer(2, READOUT)], {"loss": "squared_error", "scheme": ss.Scheme(delay=0.0)}, "Scheme.delay: must be a step"),
    ],
)
def test_readouts_that_cannot_be_are_refused(layers: list[object], options: dict[str, object], message: str) -> None:
    with pytest.raises(ss.ParameterError, match=message):
        ss.Network(layers, **options)  # type: ignore[arg-type]

"""Both engines against a plain program: recurrent and skip projections, every synapse in every step, nothing shared with them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import relative

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.model.scheme import ENGINES

SIZES, STEPS = (12, 8, 5, 3), 2000
JOINED = {"w0": (0, 1), "w1": (1, 2), "w2": (2, 3), "v1": (1, 1), "v2": (2, 2), "w0_2": (0, 2), "w1_3": (1, 3), "w0_3": (0, 3)}


def raster(trains: ss.Spikes) -> np.ndarray:
    """Counts of spikes (steps, n)."""
    found = np.zeros((STEPS, trains.n))
    np.add.at(found, (np.floor(trains.times_ms / 0.1 + 1e-6).astype(int), trains.ids), 1)
    return found


def plain(
    w: dict[str, np.ndarray], inputs: np.ndarray, targets: np.ndarray, delay: int, delays: dict[str, int], n_ref: int
) -> tuple[list, dict]:
    """Spikes of each layer, and the block's sum of each projection, by the equations of ``superspike.model.scheme``."""
    fast, k = np.exp(-0.1 / 5), 0.1 / 5
    v, current, e1, e2 = ([np.zeros(n) for n in SIZES] for _ in range(4))
    p1, p2 = ({name: np.zeros(SIZES[pre]) for name, (pre, _) in JOINED.items()} for _ in range(2))
    left = [np.zeros(n, int) for n in SIZES]
    spikes, f = ([np.zeros((STEPS, n)) for n in SIZES] for _ in range(2))
    spikes[0] = inputs
    h1, h2, m = ({name: np.zeros_like(x) for name, x in w.items()} for _ in range(3))
    ways = {2: w["w2"].T / 1000, 1: w["w1_3"].T / 1000 + w["w2"].T @ w["w1"].T / 1e6}

    def past(x: np.ndarray, t: int) -> np.ndarray:
        return x[t] if t >= 0 else np.zeros(x.shape[1])

    for t in range(STEPS):
        for layer in (1, 2, 3):
            left[layer] = np.maximum(left[layer] - 1, 0)
            v[layer] = np.where(left[layer] > 0, 0.0, 0.99 * v[layer] + 0.01 * current[layer])
            fires = v[layer] > 10.0
            v[layer][fires], left[layer][fires] = 0.0, n_ref + 1
            spikes[layer][t] = fires
            f[layer][t] = 1 / (1 + np.abs(v[layer] - 10.0)) ** 2
            current[layer] *= fast
        for name, (pre, post) in JOINED.items():
            current[post] += past(spikes[pre], t - delays.get(name, delay)) @ w[name]
        for layer in (1, 2, 3):
            e1[layer] *= 1 - k
            e2[layer] = 0.99 * e2[layer] + 0.01 * e1[layer]
            late = t - delay if layer == 3 else t - delay - 1
            wrong = past(targets, late) - past(spikes[3], late)
            e1[layer] += k / (1 - k) * (wrong if layer == 3 else wrong @ ways[layer])
        for name, (pre, post) in JOINED.items():
            p1[name] += past(spikes[pre], t - delays.get(name, delay) - delay)
            h1[name] += np.outer(p2[name], past(f[post], t - delay))
            h2[name] = 0.99 * h2[name] + 0.01 * h1[name]
            h1[name] *= fast
            m[name] += e2[post] * h2[name]
            p2[name] = 0.99 * p2[name] + 0.01 * fast * p1[name]
            p1[name] *= fast
    return spikes, m


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("delay", "delays", "n_ref"),
    [(8, {}, 50), (1, {}, 0), (0, {}, 0), (8, {"w0": 1, "w1": 30, "v1": 3, "v2": 70, "w0_2": 0, "w0_3": 120}, 50)],
)
def test_a_graphs_spikes_and_sums_are_those_of_a_plain_program(
    engine: str, delay: int, delays: dict[str, int], n_ref: int
) -> None:
    rng = np.random.default_rng(5)
    w = {name: rng.normal(0, 80 / np.sqrt(SIZES[pre]), (SIZES[pre], SIZES[post])) for name, (pre, post) in JOINED.items()}
    w = {name: np.clip(x, -100, 100) for name, x in w.items()}
    task = ss.tasks.poisson(n_inputs=12, input_rate=30.0, outputs=3, target_rate=20.0, period_ms=STEPS / 10, seed=4)
    spikes, m = plain(w, raster(task.inputs), raster(task.targets), delay, delays, n_ref)
    assert all(x.sum() > 5 for x in spikes)
    network = ss.Network(
        SIZES, recurrent=True, skip=[(0, 2), (1, 3), (0, 3)], weights=w,
        projections=[ss.Projection(*JOINED[name], delay=steps / 10) for name, steps in delays.items()],
        neuron=ss.LIF(tau_ref=n_ref / 10), scheme=ss.Scheme(delay=delay / 10, precision="double"),
    )  # fmt: skip
    simulation = Simulation(network, task, engine)
    simulation.learn(True)
    _, log = simulation.advance(STEPS)
    for layer in (1, 2, 3):
        np.testing.assert_array_equal(np.argwhere(spikes[layer]), np.stack(simulation.spikes(log, layer), axis=1))
    for projection, ours in zip(network.projections, simulation.traces["m"], strict=True):
        assert np.abs(m[projection.name]).max() > 0
        assert relative(ours, m[projection.name]) < 1e-9  # double precision, times the growth e^4 of an interval

"""Both engines against a step-by-step record of the original simulator (single precision, 40,000 steps of 0.1 ms)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import relative

from superspike import Network, Scheme, Spikes, Task
from superspike.engine.simulation import Simulation
from superspike.model.scheme import ENGINES

STEPS, BLOCK = 40_000, 5_000
RECORDS = {"single": ["out"], "symmetric": ["hid", "out"]}


def replay(name: str, engine: str) -> tuple[Any, dict[str, Any]]:
    """The record, and what an engine makes of the same inputs, targets and weights."""
    record = np.load(Path(__file__).parent / "data" / f"oracle_{name}.npz")
    layers = RECORDS[name]
    weights = [record["w0_in_out_V"]] if name == "single" else [record["w0_in_hid_V"], record["w0_hid_out_V"]]
    task = Task(
        Spikes(1000 * record["input_times_s"], record["input_ids"], 20),
        Spikes(1000 * record["target_times_s"], record["target_ids"], 3),
        period_ms=500.0,
    )
    sizes = [20, *(w.shape[1] for w in weights)]
    network = Network(sizes, weights=[1000 * w for w in weights], scheme=Scheme(precision="double"))
    simulation = Simulation(network, task, engine)
    simulation.learn(True)
    found: dict[str, Any] = {
        f"{layer}_{what}": [] for layer in layers for what in ("steps", "ids", "w", "U", "h1", "h2", "m", "error")
    }
    samples, traces = record["out_sample_step"].tolist(), record["out_trace_step"].tolist()
    stops = sorted({*(t + 1 for t in samples), *(t + 1 for t in traces), *range(1, STEPS, BLOCK), STEPS})
    for stop in stops:  # the state is looked at between calls, so that calls of odd lengths are tried too
        _, log = simulation.advance(stop - simulation.step)
        for row, layer in enumerate(layers, 1):
            steps, ids = simulation.spikes(log, row)
            found[f"{layer}_steps"].append(steps)
            found[f"{layer}_ids"].append(ids)
        if (stop - 1) % BLOCK == 0:
            simulation.update()
            for layer, w in zip(layers, network.weights, strict=True):
                found[f"{layer}_w"].append(w.copy())
        for row, layer in enumerate(layers, 1):
            where, n = simulation.where.start[row], sizes[row]
            if stop - 1 in samples:
                found[f"{layer}_U"].append(simulation.state.v[where : where + n] - 60.0)
                found[f"{layer}_error"].append(simulation.state.e2[where : where + n].copy())
            if stop - 1 in traces:
                for trace, matrices in simulation.traces.items():
                    found[f"{layer}_{trace}"].append(matrices[row - 1].copy())
    return record, found


@pytest.fixture(scope="module", params=[(name, engine) for name in RECORDS for engine in ENGINES], ids="-".join)
def replayed(request: pytest.FixtureRequest) -> tuple[str, Any, dict[str, Any]]:
    name, engine = request.param
    return name, *replay(name, engine)


def test_every_spike_is_the_originals(replayed: tuple[str, Any, dict[str, Any]]) -> None:
    name, record, found = replayed
    for layer in RECORDS[name]:
        order = np.lexsort((record[f"{layer}_spike_ids"], record[f"{layer}_spike_steps"]))
        assert len(order) > 200
        np.testing.assert_array_equal(np.concatenate(found[f"{layer}_steps"]), record[f"{layer}_spike_steps"][order])
        np.testing.assert_array_equal(np.concatenate(found[f"{layer}_ids"]), record[f"{layer}_spike_ids"][order])


def test_weights_after_each_update_are_the_originals(replayed: tuple[str, Any, dict[str, Any]]) -> None:
    name, record, found = replayed
    for layer in RECORDS[name]:
        wanted = 1000 * record[f"{layer}_w_V"][1:]
        assert len(found[f"{layer}_w"]) == len(wanted) == 8
        for ours, theirs in zip(found[f"{layer}_w"], wanted, strict=True):
            assert np.abs(ours - theirs).max() < 1e-5 * np.ptp(theirs)  # the record's single precision, eight updates long


def test_membranes_errors_and_traces_are_the_originals(replayed: tuple[str, Any, dict[str, Any]]) -> None:
    name, record, found = replayed
    for layer in RECORDS[name]:
        # the record's rounding in single precision: of the membrane 60 mV · 2⁻²⁴, gathered over some 100 steps
        assert np.abs(np.array(found[f"{layer}_U"]) - 1000 * record[f"{layer}_U_V"]).max() < 2e-3
        assert relative(np.array(found[f"{layer}_error"]), record[f"{layer}_error"]) < 1e-4
        for trace in ("h1", "h2", "m"):  # per V there, per mV here; f changes by 2 parts in 1e3 per 1 µV at threshold
            assert relative(1000 * np.array(found[f"{layer}_{trace}"]), record[f"{layer}_{trace}"]) < 1e-3

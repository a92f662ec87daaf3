"""NEST, an independent simulator, as the judge of our neurons, delays and order of steps."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from helpers import spikes_of

import superspike as ss
from superspike.engine.simulation import Simulation

if importlib.util.find_spec("nest") is None:
    pytest.skip("NEST is not installed: pip install nest-simulator", allow_module_level=True)

DT, STEPS = 0.1, 50_000


def in_nest(network: ss.Network, inputs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The spikes of each layer as NEST finds them, as (step, id).

    Its ``iaf_psc_exp`` integrates our equations exactly, in double precision:

    - C_m dV/dt = −C_m/τ_m (V − E_L) + I is our τ_mem dU/dt = −U + I for currents in units of C_m/τ_m: with C_m = τ_m as
      numbers (pF, ms), a weight of 1 mV is one of 1 pA.
    - In a step, V reads I as the step before left it; then I decays; then spikes that arrive are added to I. The threshold is
      looked at last there (V ≥ V_th; ours is U > ϑ) and first here: all the same, as no spike arrives in its own step.
    - A neuron that spikes in our step t, the interval from t·dt to (t+1)·dt, has the time (t+1)·dt there. It reaches I in
      step t + D, as with us. Inputs are shifted alike: a spike of our step t is given as (t+1)·dt.
    - V is held at rest in the n_ref steps that follow the step of a spike, in both.
    """
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = DT
    neuron, delay = network.neuron, network.scheme.delay
    parameters = {
        "C_m": neuron.tau_mem, "tau_m": neuron.tau_mem, "tau_syn_ex": neuron.tau_syn, "tau_syn_in": neuron.tau_syn,
        "t_ref": neuron.tau_ref, "V_th": neuron.v_threshold, "V_reset": neuron.v_rest, "E_L": neuron.v_rest, "V_m": neuron.v_rest,
    }  # fmt: skip
    times = [[round((step + 1) * DT, 6) for step, k in inputs if k == i] for i in range(network.sizes[0])]
    layers = [nest.Create("spike_generator", len(times), [{"spike_times": given} for given in times])]
    recorders: list[Any] = []
    for w in network.weights:
        layers.append(nest.Create("iaf_psc_exp", w.shape[1], parameters))
        nest.Connect(layers[-2], layers[-1], "all_to_all", {"weight": w.T.astype(float), "delay": delay})  # rows: targets
        recorders.append(nest.Create("spike_recorder"))
        nest.Connect(layers[-1], recorders[-1])
    nest.Simulate(STEPS * DT)
    found = []
    for recorder, layer in zip(recorders, layers[1:], strict=True):
        steps = np.round(recorder.events["times"] / DT).astype(int) - 1
        ids = recorder.events["senders"] - layer.tolist()[0]
        found.append(sorted(zip(steps.tolist(), ids.tolist(), strict=True)))
    return found


@pytest.mark.parametrize("sizes", [[60, 20], [60, 40, 20]])
def test_every_spike_is_nests_and_a_weight_of_a_hundredth_more_is_noticed(sizes: list[int]) -> None:
    task = ss.tasks.poisson(n_inputs=sizes[0], input_rate=20.0, outputs=sizes[-1], target_rate=10.0, period_ms=STEPS * DT, seed=4)
    scheme = ss.Scheme(dt=DT, integration="exact", precision="double")
    network = ss.Network(sizes, scheme=scheme, w0=100.0, seed=3)
    inputs, *ours, _ = spikes_of(Simulation(network, task), STEPS, learn=False).values()
    assert all(len(spikes) > 300 for spikes in ours)
    assert in_nest(network, inputs) == ours
    w = network.weights[0]
    w[np.unravel_index(np.abs(w).argmax(), w.shape)] *= 1.01
    assert in_nest(network, inputs) != ours

"""The rule in Brian2: SuperSpikeSynapses against the rule written as Brian2 equations, in one run: ``python brian2_rule.py``.

One projection of 200 Poisson inputs (5 Hz) onto 100 leaky integrate-and-fire neurons with targets, 0.1 ms steps, one core.
The equations advance every synapse in every step, as Brian2 scripts do; everything per neuron is kept per neuron there too.
"""

import statistics
import time

import brian2 as b2
from brian2 import Hz, ms, mV

from superspike.bench.peers import NEURONS, PRE, SYNAPSES, UPDATE
from superspike.brian2 import SuperSpikeSynapses

N_PRE, N_POST, REPEATS = 200, 100, 5
SECONDS = 0.5  # simulated, per repeat


def network(plasticity):
    """Inputs, neurons and targets, and synapses of the kind named."""
    inputs = b2.NeuronGroup(N_PRE, PRE, threshold="rand() < 5*Hz*dt", reset="z1 += 1", method="euler")
    neurons = b2.NeuronGroup(
        N_POST, NEURONS, threshold="v > -50*mV", reset="v = -60*mV; e1 -= 0.02", refractory=5 * ms, method="euler"
    )
    neurons.v = -60 * mV
    targets = b2.PoissonGroup(N_POST, 10 * Hz)
    if plasticity == "superspike":
        synapses = SuperSpikeSynapses(inputs, neurons, targets=targets)
        others = []
    else:
        model = SYNAPSES if plasticity == "equations" else "w : volt"
        synapses = b2.Synapses(inputs, neurons, model, on_pre="I_post += w", delay=0.8 * ms, method="euler")
        others = [b2.Synapses(targets, neurons, on_pre="e1_post += 0.02")] if plasticity == "equations" else []
        for other in others:
            other.connect("i == j")
        if plasticity == "equations":
            synapses.run_regularly(UPDATE, dt=500 * ms)
    synapses.connect()
    synapses.w = "2*mV*randn()"
    return b2.Network(inputs, neurons, targets, synapses, *others)


def main(targets=("numpy", "cython")):
    """Interleaved repeats; medians."""
    b2.seed(1)
    for target in targets:
        b2.prefs.codegen.target = target
        found = {}
        for plasticity in ("none", "superspike", "equations"):
            found[plasticity] = (network(plasticity), [])
            found[plasticity][0].run(0.01 * b2.second)  # compiles
        for _ in range(REPEATS):
            for net, times in found.values():
                began = time.perf_counter()
                net.run(SECONDS * b2.second)
                times.append((time.perf_counter() - began) / SECONDS)
        none, ours, equations = (statistics.median(times) for _, times in found.values())
        print(
            f"{target}: wall-clock s per simulated s: network alone {none:.2f}, with SuperSpikeSynapses {ours:.2f}, "
            f"with equations {equations:.2f}; ratio {equations / ours:.1f}, of the plasticity alone {(equations - none) / (ours - none):.1f}"
        )


if __name__ == "__main__":
    main()

"""What recurrence and short windows cost the event engine, in one run: ``python graphs.py``.

A step of 200-256-200 without plasticity, and with it, in ns per neuron and step: as a chain and with a recurrent hidden
layer; with the paper's delay and refractory period, and with a delay of one step and no refractory period, where a neuron's
spikes act on its layer, or on itself, within the window that the engine takes at a time. In brackets the hidden rate. Single
precision, one core, interleaved repeats, medians.
"""

import statistics
import time

import superspike as ss
from superspike.engine.simulation import Simulation

SIZES, STEPS, REPEATS = [200, 256, 200], 5000, 9
CASES = {
    "delay 0.8 ms, refractory 5 ms": (0.8, 5.0),
    "delay 0.1 ms, refractory 5 ms": (0.1, 5.0),
    "delay 0.1 ms, no refractory period": (0.1, 0.0),
}


def running(delay: float, tau_ref: float, recurrent: bool) -> Simulation:
    """A simulation whose kernels are compiled."""
    task = ss.tasks.poisson(n_inputs=SIZES[0], outputs=SIZES[-1], input_rate=20.0, target_rate=20.0, period_ms=1000.0, seed=1)
    net = ss.Network(SIZES, recurrent=recurrent, w0=60.0, scheme=ss.Scheme(delay=delay), neuron=ss.LIF(tau_ref=tau_ref), seed=1)
    for v in net.weights[len(SIZES) - 1 :]:
        v *= 0.1  # else the layer runs away without a refractory period: activity, not cost per step
    simulation = Simulation(net, task, threads=1)
    simulation.compile()
    return simulation


def block(simulation: Simulation, learns: bool) -> tuple[float, float]:
    """What a neuron's step takes (ns) in a block, and the hidden neurons' rate (Hz)."""
    simulation.learn(learns)
    began = time.perf_counter()
    _, log = simulation.advance(STEPS)
    elapsed = time.perf_counter() - began
    return elapsed / STEPS / sum(SIZES[1:]) * 1e9, simulation.counts(log)[1] / SIZES[1] / (STEPS * 1e-4)


if __name__ == "__main__":
    found = {(case, recurrent): running(*CASES[case], recurrent) for case in CASES for recurrent in (False, True)}
    for learns in (False, True):
        times = {key: [] for key in found}
        for _ in range(REPEATS):
            for key, simulation in found.items():
                times[key].append(block(simulation, learns))
        print("with plasticity" if learns else "without plasticity")
        for case in CASES:
            (chain, rate), (recurrent, recurrent_rate) = (
                map(statistics.median, zip(*times[case, r], strict=True)) for r in (False, True)
            )
            print(f"  {case:<36}chain {chain:.2f} ns ({rate:.0f} Hz), recurrent {recurrent:.2f} ns ({recurrent_rate:.0f} Hz)")

"""SuperSpike in a Brian2 script: neurons with a moving threshold learn when to spike.

What one learns from it: equations, units, groups and monitors stay Brian2's. Three lines make it learn: the import, and
``SuperSpikeSynapses(…, targets=…)`` in the place of ``Synapses``, with targets that are any source of spikes. Needs the
extra ``brian2``. ``python brian2_script.py [FILE]``
"""

import sys

import brian2 as b2
import numpy as np
from brian2 import Hz, ms, mV

import superspike as ss
from superspike.brian2 import SuperSpikeSynapses
from superspike.lab.plotting import COLORS, new_figure, save

PERIOD = 200 * ms
TARGETS = {0: [60, 140], 1: [100], 2: [80, 160], 3: [120], 4: [50, 150]}  # ms


def main(out="brian2_script.png", quick=False):
    """Learn, draw, return how many of the target spikes were met within 2 ms in the first and in the last trial."""
    b2.start_scope()
    b2.prefs.codegen.target = "numpy"  # so that nobody waits for a compiler; cython is faster in long runs
    b2.seed(1)
    rng = np.random.default_rng(1)
    n_in, n_out, trials = 200, len(TARGETS), 50 if quick else 150

    raster = rng.random((round(PERIOD / (0.1 * ms)), n_in)) < 10 * Hz * 0.1 * ms  # the same in every trial
    steps, ids = np.nonzero(raster)
    inputs = b2.SpikeGeneratorGroup(n_in, ids, steps * 0.1 * ms, period=PERIOD)
    times, wanted = zip(*((t, i) for i, row in TARGETS.items() for t in row), strict=True)
    targets = b2.SpikeGeneratorGroup(n_out, wanted, times * ms, period=PERIOD)
    neurons = b2.NeuronGroup(
        n_out,
        """dv/dt = (-60*mV - v + I) / (10*ms) : volt (unless refractory)
           dI/dt = -I / (5*ms) : volt
           dtheta/dt = -theta / (30*ms) : volt""",
        threshold="v > -50*mV + theta",
        reset="v = -60*mV; theta += 1*mV",
        refractory=2 * ms,
        method="exact",
    )
    neurons.v = -60 * mV

    synapses = SuperSpikeSynapses(
        inputs, neurons, on_pre="I_post += w", targets=targets, block=PERIOD, optimizer=ss.RMaxProp(1.0)
    )
    synapses.connect()
    synapses.w = "2*mV*randn()"

    spikes, weights = b2.SpikeMonitor(neurons), b2.StateMonitor(synapses, "w", record=range(0, 1000, 49), dt=PERIOD)
    b2.Network(inputs, targets, neurons, synapses, spikes, weights).run(trials * PERIOD)

    output = ss.Spikes(spikes.t / ms, spikes.i[:], n_out)
    met = [hits(output, trial) for trial in range(trials)]
    draw(out, output, weights, met)
    return met[0], met[-1]


def hits(output, trial):
    """How many target spikes of a trial have an output spike within 2 ms."""
    start = trial * float(PERIOD / ms)
    times, ids = zip(*((start + t, i) for i, row in TARGETS.items() for t in row), strict=True)
    return ss.match(output.between(start, start + float(PERIOD / ms)), ss.Spikes(times, ids, len(TARGETS))).hits


def draw(out, output, weights, met):
    """First and last trial over the targets; the targets met; some of the weights."""
    figure = new_figure(6.5, 5.0)
    (first, last), (learning, paths) = figure.subplots(2, 2)
    period = float(PERIOD / ms)
    for axes, trial in ((first, 0), (last, len(met) - 1)):
        for i, row in TARGETS.items():
            axes.plot(row, [i] * len(row), "|", color=COLORS["target"], ms=20, mew=5, alpha=0.5)
        seen = output.between(trial * period, (trial + 1) * period)
        axes.plot(seen.times_ms - trial * period, seen.ids, "|", color=COLORS["output"], ms=16, mew=1.5)
        axes.set(xlim=(0, period), ylim=(-0.6, len(TARGETS) - 0.4), xlabel="time (ms)", ylabel="neuron")
        axes.set_title(f"trial {trial + 1} (orange: targets)", fontsize=9)
    learning.plot(np.arange(1, len(met) + 1), met, color=COLORS["output"])
    learning.axhline(sum(map(len, TARGETS.values())), color=COLORS["target"])
    learning.set(xlabel="trial", ylabel="targets met within 2 ms", ylim=(0, None))
    paths.plot(weights.t / PERIOD, (weights.w / mV).T, color=COLORS["input"], lw=0.7, alpha=0.6)
    paths.set(xlabel="trial", ylabel="weights of some synapses (mV)")
    save(figure, out)


if __name__ == "__main__":
    print("targets met in the first and in the last trial: {} and {}".format(*main(*sys.argv[1:2])))

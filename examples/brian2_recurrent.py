"""A recurrent layer in a Brian2 script: a wave of spikes that outlasts its input, and outputs that learn when to spike.

What one learns from it: ``SuperSpikeSynapses(hidden, hidden, …)`` are recurrent. They are connected as any ``Synapses``, here
each neuron to the next twelve, and have the feedback of their layer. Needs the extra ``brian2``.
``python brian2_recurrent.py [FILE]``
"""

import sys

import brian2 as b2
import numpy as np
from brian2 import ms, mV

import superspike as ss
from superspike.brian2 import SuperSpikeSynapses
from superspike.lab.plotting import COLORS, new_figure, save

PERIOD = 200 * ms
TARGETS = {0: [40, 100], 1: [60, 120], 2: [80]}  # ms


def main(out="brian2_recurrent.png", quick=False):
    """Learn, draw, return how many of the target spikes were met within 2 ms in the first and in the last trial."""
    b2.start_scope()
    b2.prefs.codegen.target = "numpy"  # so that nobody waits for a compiler; cython is faster in long runs
    b2.defaultclock.dt = 0.5 * ms
    b2.seed(1)
    rng = np.random.default_rng(1)
    n_in, n_hidden, n_out, trials = 40, 240, len(TARGETS), 20 if quick else 60

    inputs = b2.SpikeGeneratorGroup(n_in, range(n_in), rng.integers(0, 10, n_in) * 0.5 * ms, period=PERIOD)  # for 5 ms
    times, wanted = zip(*((t, i) for i, row in TARGETS.items() for t in row), strict=True)
    targets = b2.SpikeGeneratorGroup(n_out, wanted, times * ms, period=PERIOD)
    equations = """dv/dt = (-60*mV - v + I) / (10*ms) : volt (unless refractory)
                   dI/dt = -I / (5*ms) : volt"""
    lif = {"threshold": "v > -50*mV", "reset": "v = -60*mV", "refractory": 5 * ms, "method": "exact"}
    hidden, outputs = (b2.NeuronGroup(n, equations, **lif) for n in (n_hidden, n_out))
    hidden.v = outputs.v = -60 * mV

    learning = {"delay": 1 * ms, "block": PERIOD, "optimizer": ss.RMaxProp(0.2)}
    upper = SuperSpikeSynapses(hidden, outputs, targets=targets, **learning)
    upper.connect()
    upper.w = "2*mV*randn()"
    loop = SuperSpikeSynapses(hidden, hidden, feedback="symmetric", above=upper, **learning)
    loop.connect("j > i and j <= i + 12")
    loop.w = "6*mV + 0.5*mV*randn()"
    lower = SuperSpikeSynapses(inputs, hidden, feedback="symmetric", above=upper, **learning)
    lower.connect("j < 12")
    lower.w = "2*mV + mV*randn()"

    wave, spikes = b2.SpikeMonitor(hidden), b2.SpikeMonitor(outputs)
    b2.Network(inputs, hidden, outputs, targets, upper, loop, lower, wave, spikes).run(trials * PERIOD)

    output = ss.Spikes(spikes.t / ms, spikes.i[:], n_out)
    met = [hits(output, trial) for trial in range(trials)]
    draw(out, wave, output, met)
    return met[0], met[-1]


def hits(output, trial):
    """How many target spikes of a trial have an output spike within 2 ms."""
    start = trial * float(PERIOD / ms)
    times, ids = zip(*((start + t, i) for i, row in TARGETS.items() for t in row), strict=True)
    return ss.match(output.between(start, start + float(PERIOD / ms)), ss.Spikes(times, ids, len(TARGETS))).hits


def draw(out, wave, output, met):
    """The hidden neurons in the first and in the last trial, the outputs in all of them over the targets, the targets met."""
    figure = new_figure(6.5, 5.5)
    (first, last), (outputs, learning) = figure.subplots(2, 2)
    period = float(PERIOD / ms)
    times, ids = np.asarray(wave.t / ms), wave.i[:]
    for axes, trial in ((first, 0), (last, len(met) - 1)):
        seen = (times >= trial * period) & (times < (trial + 1) * period)
        axes.plot(times[seen] - trial * period, ids[seen], "|", color=COLORS["hidden"], ms=3)
        axes.set(xlim=(0, period), xlabel="time (ms)", ylabel="hidden neuron")
        axes.set_title(f"trial {trial + 1}", fontsize=9)
    for i, row in TARGETS.items():
        for time in row:
            outputs.axvline(time, ymin=i / len(TARGETS), ymax=(i + 1) / len(TARGETS), color=COLORS["target"], lw=4, alpha=0.5)
    trial = output.times_ms // period
    outputs.plot(output.times_ms % period, output.ids + trial / len(met), "|", color=COLORS["output"], ms=2)
    outputs.set(xlim=(0, period), ylim=(0, len(TARGETS)), xlabel="time (ms); orange: targets", ylabel="output; trials upwards")
    outputs.set(yticks=np.arange(len(TARGETS)) + 0.5, yticklabels=TARGETS)
    learning.plot(np.arange(1, len(met) + 1), met, color=COLORS["output"])
    learning.axhline(sum(map(len, TARGETS.values())), color=COLORS["target"])
    learning.set(xlabel="trial", ylabel="targets met within 2 ms", ylim=(0, None))
    save(figure, out)


if __name__ == "__main__":
    print("targets met in the first and in the last trial: {} and {}".format(*main(*sys.argv[1:2])))

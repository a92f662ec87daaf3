"""A task of your own: answer one input pattern with a rising ramp of spikes, another with a falling one.

What one learns: a task is two sets of spike trains, inputs and targets, that are repeated every period. Here they are put
together from arrays of times and ids. Afterwards the patterns come in the other order, which the network has never seen:
it answers the patterns, not the clock.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import superspike as ss

N_INPUTS, N_OUTPUTS, LENGTH, PERIOD = 100, 20, 250.0, 600.0  # ms
COLORS = {"rise": "#D55E00", "fall": "#009E73"}


def task(order, patterns, ramps):
    """The patterns in ``order``, one from 0 and one from 300 ms, each with its ramp as the target."""
    joined = []
    for trains in (patterns, ramps):
        times = np.concatenate([trains[name].times_ms + begin for name, begin in zip(order, (0.0, 300.0), strict=True)])
        ids = np.concatenate([trains[name].ids for name in order])
        joined.append(ss.Spikes(times, ids, trains[order[0]].n))
    return ss.Task(*joined, period_ms=PERIOD)


def main(out="own_task.png", quick=False):
    """Learn both patterns in one order, then draw the answers to both orders."""
    rng = np.random.default_rng(1)
    patterns = {name: ss.tasks.poisson_spikes(N_INPUTS, 8.0, LENGTH, rng) for name in COLORS}
    unit = np.arange(N_OUTPUTS)
    ramps = {
        "rise": ss.Spikes(50 + 9 * unit, unit, N_OUTPUTS),
        "fall": ss.Spikes(50 + 9 * unit[::-1], unit, N_OUTPUTS),
    }
    net = ss.Network([N_INPUTS, 100, N_OUTPUTS], seed=1)
    ss.train(net, task(["rise", "fall"], patterns, ramps), duration_ms=5_000 if quick else 120_000)

    figure, axes = plt.subplots(2, 2, figsize=(7, 4.2), layout="constrained", sharex=True, sharey="row")
    for column, order in enumerate((["rise", "fall"], ["fall", "rise"])):
        shown = task(order, patterns, ramps)
        answer = ss.evaluate(net, shown, duration_ms=PERIOD, tolerance_ms=3.0)
        hits, misses, extra = answer.matches
        title = f"{'learned' if column == 0 else 'never seen'}: {hits} of {hits + misses} hit, {extra} extra"
        top, bottom = axes[:, column]
        top.set_title(title, fontsize=10)
        top.plot(shown.targets.times_ms, shown.targets.ids, ".", ms=9, color="#E69F00", alpha=0.55, mew=0, label="target")
        top.plot(answer.spikes["output"].times_ms, answer.spikes["output"].ids, ".", ms=4, color="#0072B2", label="output")
        for name, begin in zip(order, (0.0, 300.0), strict=True):
            bottom.plot(patterns[name].times_ms + begin, patterns[name].ids, ".", ms=2.5, color=COLORS[name])
        bottom.set_xlabel("time (ms)")
        print(title)
    axes[0, 0].set_ylabel("output unit")
    axes[1, 0].set_ylabel("input unit")
    axes[0, 1].legend(frameon=False, fontsize=9, loc="upper center")
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])

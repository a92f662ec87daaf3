"""The rule in a simulation loop of your own: adaptive exponential neurons in NumPy learn when to spike.

What one learns from it: SuperSpike needs three arrays per step (who spiked before the synapse, the voltage behind it, the
error) and nothing else of ours. Neurons, input and time stepping are below, in plain NumPy. ``python own_loop.py [FILE]``
"""

import sys

import numpy as np

import superspike as ss
from superspike.lab.plotting import COLORS, new_figure, save

DT, PERIOD = 0.1, 400.0  # ms
N_IN, N_OUT = 100, 3
DELAY = 8  # steps: the axons' 0.8 ms


def main(out="own_loop.png", quick=False):
    """Learn, draw, return the error (mean e² per step, relative to the first trial's) of every trial."""
    rng = np.random.default_rng(3)
    steps, trials = round(PERIOD / DT), 40 if quick else 150
    pattern = [np.flatnonzero(x) for x in rng.random((steps, N_IN)) < 10.0 * DT / 1000]  # 10 Hz, the same in every trial
    target = [np.zeros(0, int)] * steps
    for i, times in enumerate(([80, 160, 240, 320], [120, 280], [60, 200, 340])):
        for time in times:
            target[round(time / DT)] = np.append(target[round(time / DT)], i)

    w = rng.normal(0.0, 4.0, (N_IN, N_OUT))  # mV
    error = ss.VanRossumError(N_OUT, dt_ms=DT, delay_ms=DELAY * DT)
    rule = ss.SuperSpike(N_IN, N_OUT, dt_ms=DT, delay_ms=DELAY * DT, block_ms=PERIOD, optimizer=ss.RMaxProp(0.5))

    v, adaptation, current = np.full(N_OUT, -65.0), np.zeros(N_OUT), np.zeros(N_OUT)
    travelling = [pattern[0][:0]] * DELAY  # spikes on their way along the axons
    history, errors = [], []
    for trial in range(trials):
        squared = 0.0
        for step in range(steps):
            # adaptive exponential integrate-and-fire neurons (Brette & Gerstner 2005): yours go here
            v += DT / 10 * (-65 - v + 2 * np.exp((v + 50) / 2) - adaptation + current)
            adaptation += DT / 100 * -adaptation
            current *= 1 - DT / 5
            fired = np.flatnonzero(v > -40)
            v[fired] = -65
            adaptation[fired] += 4
            travelling.append(pattern[step])
            for j in travelling.pop(0):
                current += w[j]

            # the rule
            e = error.step(output_spikes=fired, target_spikes=target[step])
            rule.step(pre_spikes=pattern[step], v_post=v, error=e)
            if rule.block_complete:
                rule.update(w)

            squared += float(e @ e)
            history += [(trial, step * DT, i) for i in fired]
        errors.append(squared)

    draw(out, np.array(history).reshape(-1, 3), target, np.array(errors) / errors[0])
    return np.array(errors) / errors[0]


def draw(out, history, target, errors):
    """One panel per neuron: a row of spikes per trial, targets behind; and the error."""
    figure = new_figure(6.0, 5.5)
    panels = figure.subplots(N_OUT + 1, 1, height_ratios=[1] * N_OUT + [1.2])
    for i, axes in enumerate(panels[:-1]):
        for step, ids in enumerate(target):
            if i in ids:
                axes.axvline(step * DT, color=COLORS["target"], lw=4, alpha=0.5)
        trial, time, _ = history[history[:, 2] == i].T
        axes.plot(time, trial, "|", color=COLORS["output"], ms=2)
        axes.set(xlim=(0, PERIOD), ylim=(len(errors), 0), ylabel=f"neuron {i}\ntrial")
        axes.tick_params(labelbottom=i == N_OUT - 1)
    axes.set_xlabel("time in the trial (ms); orange: targets")
    panels[-1].plot(errors, color=COLORS["cost"])
    panels[-1].set(xlabel="trial", ylabel="squared error\n(first trial: 1)", ylim=(0, None), xlim=(0, len(errors) - 1))
    save(figure, out)


if __name__ == "__main__":
    print(f"squared error, last ten trials: {main(*sys.argv[1:2])[-10:].mean():.2f} of the first trial's")

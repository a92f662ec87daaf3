"""A recurrent layer in a loop of your own: activity that outlasts the input, and outputs that learn when to spike.

What one learns from it: a recurrent projection is one more ``SuperSpike(n, n)``, whose presynaptic spikes are the layer's own.
The input flashes for 5 ms; the hidden neurons pass it on, each to the next few. Without the recurrent projection nothing is
left when the targets come, and nothing can be learned. ``python recurrent_loop.py [FILE]``
"""

import sys

import numpy as np

import superspike as ss
from superspike.lab.plotting import COLORS, new_figure, save

DT, PERIOD = 0.5, 150.0  # ms
DELAY = 2  # steps: the axons' 1 ms
N_IN, N_HIDDEN, N_OUT = 40, 240, 3
TARGETS = {0: [40, 100], 1: [60, 120], 2: [80]}  # ms


def main(out="recurrent_loop.png", quick=False):
    """Learn with the recurrent projection and without, draw, return both learning curves (error, first trial: 1)."""
    trials = 25 if quick else 150
    found = {recurrent: learn(recurrent, trials) for recurrent in (True, False)}
    draw(out, found)
    return found[True][0], found[False][0]


def first_weights(rng, recurrent):
    """The weights (mV) by the layers that they join: 0, the input, 1 and 2."""
    w = {
        (0, 1): rng.normal(0.0, 1.0, (N_IN, N_HIDDEN)),
        (1, 1): rng.normal(0.0, 0.5, (N_HIDDEN, N_HIDDEN)),
        (1, 2): rng.normal(0.0, 2.0, (N_HIDDEN, N_OUT)),
    }
    further = np.arange(N_HIDDEN) - np.arange(N_HIDDEN)[:, None]
    w[0, 1][:, :12] += 2.0  # the first neurons are excited by the input,
    w[1, 1][(further > 0) & (further <= 12)] += 6.0  # and each excites the next
    return w if recurrent else {pair: w[pair] for pair in ((0, 1), (1, 2))}


def learn(recurrent, trials):
    """The error of every trial, and the last trial's spikes of hidden and output neurons as (ms, neuron)."""
    rng, steps = np.random.default_rng(1), round(PERIOD / DT)
    flash, target = ([np.zeros(0, int)] * steps for _ in range(2))
    for j, time in enumerate(rng.uniform(0, 5, N_IN)):
        flash[int(time / DT)] = np.append(flash[int(time / DT)], j)
    for i, times in TARGETS.items():
        for time in times:
            target[round(time / DT)] = np.append(target[round(time / DT)], i)

    w = first_weights(rng, recurrent)
    options = {"delay_ms": DELAY * DT, "block_ms": PERIOD, "optimizer": ss.RMaxProp(0.3)}
    rules = {pair: ss.SuperSpike(*x.shape, dt_ms=DT, **options) for pair, x in w.items()}
    output = ss.VanRossumError(N_OUT, dt_ms=DT, delay_ms=DELAY * DT)
    feedback = ss.Feedback("symmetric", w[1, 2], dt_ms=DT)

    errors = []
    for trial in range(trials):
        sizes = (N_IN, N_HIDDEN, N_OUT)
        v, current, free = (dict(enumerate(map(np.zeros, sizes))) for _ in range(3))  # a trial begins at rest
        travelling = [[flash[0][:0]] * 3] * DELAY  # spikes of all layers on their way along the axons
        squared, seen = 0.0, {1: [], 2: []}
        for step in range(steps):
            spikes = [flash[step]]
            for layer in (1, 2):
                v[layer] += DT / 10 * (current[layer] - v[layer])
                v[layer][step < free[layer]] = 0
                fired = np.flatnonzero(v[layer] > 10)
                v[layer][fired], free[layer][fired] = 0, step + 10  # refractory for 5 ms
                current[layer] *= 1 - DT / 5
                spikes.append(fired)
                seen[layer] += [(step * DT, i) for i in fired]
            travelling.append(spikes)
            arrived = travelling.pop(0)
            for pre, post in w:
                current[post] += w[pre, post][arrived[pre]].sum(axis=0)

            # the rule: one per projection; layer 1 is before and behind the synapses of (1, 1)
            e = {2: output.step(output_spikes=spikes[2], target_spikes=target[step])}
            e[1] = feedback.step(output.impulses)
            for (pre, post), rule in rules.items():
                rule.step(pre_spikes=spikes[pre], v_post=v[post] - 60, error=e[post])
                if rule.block_complete:  # smaller and smaller steps, and smaller ones onto the hidden layer
                    rule.update(w[pre, post], rate=(1.0 if post == 2 else 0.3) / (1 + trial / 50))
            if rules[1, 2].block_complete:
                feedback.refresh()
            squared += float(e[2] @ e[2])
        errors.append(squared)
    return np.array(errors) / errors[0], seen


def draw(out, found):
    """Above, the last trial with recurrence: hidden neurons, and outputs over their targets; below, both learning curves."""
    figure = new_figure(6.0, 6.0)
    hidden, output, learning = figure.subplots(3, 1, height_ratios=[2, 1, 1.2])
    errors, seen = found[True]
    for axes, layer, color in ((hidden, 1, COLORS["hidden"]), (output, 2, COLORS["output"])):
        axes.plot(*np.array(seen[layer]).reshape(-1, 2).T, "|", color=color, ms=3 if layer == 1 else 14)
        axes.set(xlim=(0, PERIOD))
    for i, times in TARGETS.items():
        output.plot(times, [i] * len(times), "|", color=COLORS["target"], ms=20, mew=5, alpha=0.5)
    hidden.axvspan(0, 5, color=COLORS["input"], alpha=0.3)
    hidden.set(ylabel="hidden neuron", xticklabels=[])
    output.set(ylim=(-0.6, N_OUT - 0.4), ylabel="output", xlabel="time in the last trial (ms); grey: input, orange: targets")
    learning.plot(errors, color=COLORS["cost"], label="recurrent")
    learning.plot(found[False][0], color=COLORS["cost"], ls=":", label="without")
    learning.set(xlabel="trial", ylabel="squared error\n(first trial: 1)", yscale="log", xlim=(0, len(errors) - 1))
    learning.legend(frameon=False)
    save(figure, out)


if __name__ == "__main__":
    with_loop, without = main(*sys.argv[1:2])
    print(f"squared error, last ten trials: {with_loop[-10:].mean():.2f} with recurrence, {without[-10:].mean():.2f} without")

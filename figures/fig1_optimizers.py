"""Figure 1: a fixed learning rate works in a narrow range of r0; RMSprop and RMaxProp are far less sensitive.

A 100-4-1 network with symmetric feedback learns five target spikes, from the same initial weights with every optimiser.
The fixed rate's unit is arbitrary: it moves a weight by r0 where the gradient is ``SGD.scale``.
"""

import numpy as np
from common import WIDTH, at_least, command_line, draw_curves, new_figure, panel, run_script

OPTIMIZERS = {"sgd": ("fixed rate", "#DDCC77"), "rmsprop": ("RMSprop", "#88CCEE"), "rmaxprop": ("RMaxProp", "#AA4499")}
RATES = [10.0, 5.0, 1.0, 0.5, 0.1]  # mV, ZG18's grid
WIDE = [100.0, 30.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.03, 0.01]  # mV, for the fixed rate
LEARN = {"sgd": 0.55, "rmsprop": 0.8, "rmaxprop": 0.85}  # of the seeds at the best r0: of 40 seeds 23, 34 and 35
LEARNED = 4.0  # Hz: what one target spike of ten that is missed costs


def draw(figure):
    """Final cost over r0, and learning curves at the best r0 of each optimiser."""
    seeds, seconds, wide = figure.size(20, 6), 250, figure.size(WIDE, RATES)
    keys = [(name, rate) for name in OPTIMIZERS for rate in (wide if name == "sgd" else RATES)]
    base = figure.poisson() | {"hidden": [4], "duration": f"{seconds}s"}
    tables = [
        base | {"optimizer": name, "learning_rate": f"{rate}mV", "seed": seed}
        for name, rate in keys
        for seed in range(1, seeds + 1)
    ]
    runs = figure.runs(tables)
    found = {key: runs[k * seeds : (k + 1) * seeds] for k, key in enumerate(keys)}
    costs = {key: np.array([run.cost for run in of_key]) for key, of_key in found.items()}

    picture = new_figure(WIDTH, 2.7)
    left, right = picture.subplots(1, 2)
    best = {}
    for name, (label, color) in OPTIMIZERS.items():
        rates = sorted(rate for key, rate in keys if key == name)
        quartiles = np.array([np.percentile(costs[name, rate], [25, 50, 75]) for rate in rates]).clip(0.02)
        left.plot(rates, quartiles[:, 1], "o-", ms=4, color=color, label=label)
        left.fill_between(rates, quartiles[:, 0], quartiles[:, 2], color=color, alpha=0.2, lw=0)
        best[name] = min(rates, key=lambda rate, name=name: np.median(costs[name, rate]))
        draw_curves(right, found[name, best[name]], f"{label}, {best[name]:g} mV", color)
    left.axhline(LEARNED, color="0.6", lw=0.8, ls=":")
    left.set(xscale="log", yscale="log", xlabel="r$_0$ (mV per block)", ylabel="final cost (Hz)")
    left.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, 1.17), columnspacing=0.8, handlelength=1.2)
    right.legend(loc="lower left")
    panel(left, "a")
    panel(right, "b")

    learned = {name: {rate: int(np.sum(costs[key, rate] < LEARNED)) for key, rate in keys if key == name} for name in OPTIMIZERS}
    most = {name: max(of_rate.values()) for name, of_rate in learned.items()}
    figure.claim(
        "every optimiser learns at some r0 (below 4 Hz)",
        "all can work",
        "; ".join(
            f"{OPTIMIZERS[n][0]} {np.median(costs[n, best[n]]):.2f} Hz at {best[n]:g} mV, {most[n]} of {seeds} seeds"
            for n in OPTIMIZERS
        ),
        all(at_least(most[name], seeds, LEARN[name]) for name in OPTIMIZERS),
    )
    per_seed = {name: sum(of_rate.values()) / seeds for name, of_rate in learned.items()}
    figure.claim(
        "RMSprop and RMaxProp learn at more values of r0 than a fixed rate",
        "a fixed rate only in a narrow range; the others far less sensitive",
        ", ".join(f"{OPTIMIZERS[n][0]} at {per_seed[n]:.1f} of {len(learned[n])}" for n in OPTIMIZERS) + " (mean over seeds)",
        min(per_seed["rmsprop"], per_seed["rmaxprop"]) > per_seed["sgd"],
    )
    figure.finish(picture)


main = run_script(draw, "fig1_optimizers")
if __name__ == "__main__":
    command_line(main)

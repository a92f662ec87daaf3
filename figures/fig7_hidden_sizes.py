"""Figure 7: what a hidden layer buys, by feedback and width, on the 100-output pattern of figure 6.

Symmetric feedback reaches the level of no hidden layer, and passes it, with 128 hidden units on the stand-in and with 64 on SSBM's
`auryn`; random feedback does not at any width. The regulariser helps random feedback; wider is better; f = 1 (linear) degrades.
r0 falls to a tenth after 400 s, as in the paper's release. Three seeds a point (the paper does not say how many).
"""

import math

import numpy as np
from common import COLORS, CONDITIONS, WIDTH, command_line, draw_curves, new_figure, panel, run_script

HIDDEN = ("symmetric", "random", "random + regulariser", "symmetric, linear")


def draw(figure):
    """Final cost over the number of hidden units, and learning curves at the largest."""
    seeds, seconds = figure.size(3, 1), figure.size(1000, 300)
    widths = figure.size([8, 16, 32, 64, 128, 256], [32, 256])
    base = figure.auryn() | {"duration": f"{seconds}s", "learning_rate_drop": figure.size("400s", "150s")}
    keys = [("no hidden layer", 0)] + [(name, n) for name in HIDDEN for n in widths]
    tables = [base | {"hidden": [n]} | CONDITIONS[name][0] | {"seed": seed} for name, n in keys for seed in range(1, seeds + 1)]
    runs = figure.runs(tables)
    found = {key: runs[k * seeds : (k + 1) * seeds] for k, key in enumerate(keys)}
    cost = {key: np.array([run.cost for run in of_key]) for key, of_key in found.items()}

    picture = new_figure(WIDTH, 2.9)
    left, right = picture.subplots(1, 2)
    flat = cost["no hidden layer", 0]
    left.axhline(flat.mean(), color=COLORS["no hidden layer"], ls="--", label="no hidden layer")
    for name in HIDDEN:
        values = [cost[name, n] for n in widths]
        left.plot(widths, [v.mean() for v in values], "o-", ms=4, color=COLORS[name], label=name)
        for n, v in zip(widths, values, strict=True):
            left.plot([n] * len(v), v, ".", ms=2, color=COLORS[name])
        draw_curves(right, found[name, widths[-1]], name, COLORS[name])
    draw_curves(right, found["no hidden layer", 0], "no hidden layer", COLORS["no hidden layer"], ls="--")
    left.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="final cost (Hz)")
    left.set_xticks(widths, [str(n) for n in widths])
    left.minorticks_off()
    left.set_yticks([3, 4, 6, 10, 20], ["3", "4", "6", "10", "20"])
    right.set_title(f"{widths[-1]} hidden units", fontsize=8)
    picture.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5, columnspacing=1, handlelength=1.5)
    panel(left, "a")
    panel(right, "b")

    def means(name):
        return {n: cost[name, n].mean() for n in widths}

    def words(values):
        return ", ".join(f"{n}: {v:.1f}" for n, v in values.items())

    symmetric, random, helped, linear = (means(name) for name in HIDDEN)
    wide = [n for n in widths if n >= 128]
    enough = min((n for n in widths if all(symmetric[m] < flat.mean() for m in widths if m >= n)), default=math.inf)
    figure.claim(
        f"symmetric feedback reaches the level of no hidden layer, from {enough} units on",
        "symmetric reaches it",
        f"none {flat.mean():.1f} Hz; symmetric {words(symmetric)}",
        enough <= widths[-1],
    )
    figure.claim(
        "random feedback does not reach it, at any size",
        "random does not",
        f"none {flat.mean():.1f} Hz; random {words(random)}",
        all(random[n] > flat.mean() for n in widths),
    )
    figure.claim(
        "symmetric feedback beats random at every size",
        "yes",
        words(symmetric),
        all(symmetric[n] < random[n] for n in widths),
    )
    figure.claim(
        "the regulariser (ρ = 1, a = 4) helps random feedback from 128 units on",
        "helps",
        words(helped),
        all(helped[n] < random[n] for n in wide),
    )
    figure.claim(
        "it does not close the gap to symmetric feedback",
        "does not close the gap",
        words({n: helped[n] - symmetric[n] for n in widths}),
        all(symmetric[n] < helped[n] for n in widths),
    )
    figure.claim(
        "wider is better with symmetric feedback",
        "wider is better",
        words(symmetric),
        symmetric[widths[-1]] < symmetric[widths[0]],
    )
    figure.claim(
        "f = 1 degrades learning, from 16 units on",  # eight learn next to nothing, either way
        "linear degrades",
        words(linear),
        all(linear[n] > symmetric[n] for n in widths if n >= 16),
    )
    figure.finish(picture)


main = run_script(draw, "fig7_hidden_sizes")
if __name__ == "__main__":
    command_line(main)

"""The talk: learning is robust to the shape of the surrogate f(U), and to its scale β within wide limits.

Random manifolds (Zenke & Vogels 2021), one and two hidden layers of 100, five shapes × five β, and f = 1. β is the talk's, whose
threshold is 1: a tenth of it in 1/mV, as the threshold lies 10 mV above rest. What the readout learns where hidden layers do not
(feedback none) says what failing is.
"""

import numpy as np
from shared import WIDTH, command_line, in_words, made_once, new_figure, panel, percent, run_script

import superspike as ss
from superspike.model.surrogate import SURROGATES

SHAPES = ("fast_sigmoid", "exponential", "sigmoid", "gaussian", "piecewise_linear")
BETAS = (0.1, 1, 10, 100, 1000)  # where the threshold is 1
MIDDLE = (1, 10, 100)
LINEAR, FIXED = {"surrogate": "linear"}, {"feedback": "none"}
RATES = ("0.03mV", "0.1mV", "0.3mV", "1mV", "3mV")  # at which f = 1 is tried as well; the data set's is 0.3 mV
DEPTHS = {"100": "one hidden layer", "100,100": "two hidden layers"}


def draw(figure):
    """The shapes, and a heat map for each depth."""
    shapes, betas = figure.size(SHAPES, ("fast_sigmoid",)), figure.size(BETAS, (0.1, 10))
    depths = figure.size(tuple(DEPTHS), ("100",))
    cells = [{"surrogate": shape, "beta": f"{beta / 10:g}/mV"} for shape in shapes for beta in betas]
    seeds = figure.size(5, 1)
    of_seed = {seed: made_once(figure, ss.RandomManifolds(), seed) | {"seed": seed} for seed in range(1, seeds + 1)}
    base = {"epochs": figure.size(5, 2)}
    tables = [
        of_seed[k] | base | {"hidden": hidden} | cell for hidden in depths for cell in [*cells, LINEAR, FIXED] for k in of_seed
    ]
    accuracy = percent(figure.runs(tables)).reshape(len(depths), len(cells) + 2, seeds)
    grids = accuracy[:, :-2].reshape(len(depths), len(shapes), len(betas), seeds)

    picture = new_figure(WIDTH, 3.2)
    own, *maps = picture.subplots(1, 1 + len(depths), width_ratios=[0.8, *[1] * len(depths)])
    draw_shapes(own)
    panel(own, "a")
    for axes, hidden, grid, rest, letter in zip(maps, depths, grids, accuracy[:, -2:], "bc", strict=False):
        shown = draw_map(axes, grid.mean(-1), rest.mean(-1), shapes, betas)
        axes.set_title(DEPTHS[hidden])
        panel(axes, letter)
        if hidden != depths[0]:
            axes.set_yticklabels([])
    picture.colorbar(shown, ax=maps, label="test accuracy (%)", shrink=0.8)
    for hidden, grid, (linear, fixed) in zip(depths, grids, accuracy[:, -2:], strict=True):
        say(figure, hidden, dict(zip(betas, grid.mean(-1).T, strict=True)), linear, fixed)
    if not figure.quick:
        tables = [of_seed[1] | base | LINEAR | {"hidden": hidden, "learning_rate": rate} for hidden in depths for rate in RATES]
        found = np.array([100 * fit.validation.accuracy for fit in figure.runs(tables)]).reshape(len(depths), len(RATES))
        for hidden, values in zip(depths, found, strict=True):
            ours = ", ".join(f"{rate}: {value:.1f}" for rate, value in zip(RATES, values, strict=True))
            figure.note(f"{DEPTHS[hidden]}: f = 1 by the learning rate, validation (%)", "–", ours)
    figure.finish(picture)


def draw_shapes(axes):
    """Each f, relative to its value at threshold."""
    h = np.linspace(-4, 4, 401)
    colors = ("#440154", "#3B528B", "#21918C", "#5EC962", "#C9B500", "#777777")
    for name, color in zip((*SHAPES, "linear"), colors, strict=True):
        f = SURROGATES[name]()
        axes.plot(h, [f.derivative(np.float64(x)) / f.derivative(np.float64(0)) for x in h], color=color, label=words(name))
    axes.set(xlabel="β (U − ϑ)", ylabel="f(U) / f(ϑ)", ylim=(0, 1.75), yticks=(0, 0.5, 1))
    axes.legend(loc="upper center", fontsize=6.5, ncols=1, labelspacing=0.2)


def words(shape):
    """A surrogate's name as it is drawn."""
    return "f = 1" if shape == "linear" else shape.replace("_", " ")


def draw_map(axes, grid, rest, shapes, betas):
    """Shapes × β, and below them what has no β."""
    values = np.vstack([grid, np.tile(rest[:, None], len(betas))])
    shown = axes.imshow(values, cmap="cividis", vmin=40, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if row < len(shapes) or column == len(betas) // 2:
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", color="black" if value > 75 else "white", fontsize=7)
    for row in range(len(shapes), len(values)):
        axes.axhline(row - 0.5, color="white", lw=3)
    axes.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
    axes.set_yticks(range(len(values)), [*map(words, shapes), "f = 1 (no β)", "hidden fixed"])
    axes.tick_params(length=0)
    axes.set_xlabel("β (threshold 1)")
    axes.spines[:].set_visible(False)
    return shown


def say(figure, hidden, grid, linear, fixed):
    """The claims for one depth; ``grid``: the mean accuracies of all shapes by β."""
    where = DEPTHS[hidden]
    best = max(values.max() for values in grid.values())
    if not figure.quick:
        apart = [np.ptp(grid[beta]) for beta in MIDDLE]
        figure.claim(
            f"{where}: the shape matters little", "little", f"five shapes lie {max(apart):.1f} points apart at most, β from 1 to 100",
            max(apart) < 3,
        )  # fmt: skip
        middle = np.array([grid[beta] for beta in MIDDLE])
        apart = np.ptp(middle, axis=0)
        figure.claim(
            f"{where}: the scale matters little within wide limits", "a wide range of β works",
            f"β from 1 to 100 changes a shape's accuracy by {apart.max():.1f} points at most; least at 0.1 and 1000 "
            f"{grid[0.1].min():.1f} and {grid[1000].min():.1f} %", apart.max() < 3,
        )  # fmt: skip
    figure.claim(
        f"{where}: surrogates teach hidden neurons", "yes", f"best {best:.1f} %, the readout alone {fixed.mean():.1f} %",
        best > fixed.mean() + 10,
    )  # fmt: skip
    gained = (linear.mean() - fixed.mean()) / (best - fixed.mean())
    ours = f"{in_words(linear)} %: {100 * gained:.0f} % of what a surrogate gains over the readout alone, {in_words(fixed)} %"
    if hidden == "100":
        figure.claim(f"{where}: f = 1 fails", "fails with a hidden layer", ours, gained < 0.25, quick=False)
    else:
        figure.claim(
            f"{where}: f = 1 falls behind, but does not fail", "fails with a hidden layer", ours, gained < 0.9, quick=False
        )


main = run_script(draw, "talk4_surrogates")
if __name__ == "__main__":
    command_line(main)

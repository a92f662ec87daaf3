"""The talk: MNIST is solved with a handful of spikes.

Accuracy against hidden spikes per decision, along a curve of the regulariser's strength, with symmetric and random feedback; and how
one network with few spikes decides, a test picture of each digit. The same curve on random manifolds needs no file.
"""

import numpy as np
from shared import COLORS, FEEDBACKS, WIDTH, command_line, in_words, new_figure, panel, percent, run_script

from superspike.engine.classifier import Classifier
from superspike.lab.classification import decisions

STRENGTHS = (0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FEW = 1e-2  # the strength at which a handful of spikes is left, also of the network whose decisions are drawn


def draw(figure):
    """Both curves, and ten decisions."""
    picture = new_figure(WIDTH, 5.6)
    top, bottom = picture.subfigures(2, 1, height_ratios=[2.6, 3.0])
    mnist, manifolds = top.subplots(1, 2)
    panel(mnist, "a")
    panel(manifolds, "b")

    data = figure.folder("mnist")
    if data is None:
        figure.skip("MNIST, 784-256-10", "“solved with a handful of spikes”", "mnist", mnist, bottom.subplots())
    else:
        table = {"task": "mnist", "data": str(data), "validation": 0, "epochs": figure.size(10, 1)}
        found = learned(figure, table, figure.size(STRENGTHS, (0, FEW)), 1)
        draw_curves(mnist, found, "MNIST, 784-256-10")
        say(figure, found, "MNIST, 784-256-10", 1.5, quick=False)
        draw_decisions(bottom, found["symmetric", FEW][0])
    table = {"task": "randman", "task_seed": 1} | figure.size({}, {"samples": 500, "epochs": 10})
    found = learned(figure, table, figure.size(STRENGTHS, (0, FEW)), figure.size(3, 1))
    draw_curves(manifolds, found, "random manifolds, 20-100-10")
    say(figure, found, "random manifolds, 20-100-10", 0.5)
    manifolds.legend(loc="upper right")
    figure.finish(picture)


def learned(figure, table, strengths, seeds):
    """The fits by feedback and strength."""
    keys = [(feedback, strength) for feedback in FEEDBACKS for strength in strengths]
    own = [{"feedback": feedback, "rate_upper_strength": strength} for feedback, strength in keys]
    fits = figure.runs([table | options | {"seed": seed} for options in own for seed in range(1, seeds + 1)])
    return {key: fits[k * seeds : (k + 1) * seeds] for k, key in enumerate(keys)}


def spikes(fits):
    """Hidden spikes per decision."""
    return np.array([fit.test.spikes_per_decision for fit in fits])


def draw_curves(axes, found, title):
    """Test errors against hidden spikes per decision, along the strengths; dots are seeds."""
    for feedback in FEEDBACKS:
        rows = [fits for (own, _), fits in found.items() if own == feedback and spikes(fits).mean() > 0.2]
        x, errors = [spikes(fits).mean() for fits in rows], [100 - percent(fits).mean() for fits in rows]
        axes.plot(x, errors, "o-", ms=3.5, color=COLORS[feedback], label=f"{feedback} feedback")
        for fits in rows:
            axes.plot(spikes(fits), (100 - percent(fits)).clip(0.03), ".", ms=2, color=COLORS[feedback])
    few = found["symmetric", FEW]
    x, y = spikes(few).mean(), 100 - percent(few).mean()
    axes.annotate(
        f"{x:.0f} spikes: {100 - y:.1f} %", (x, y), (0.02, 0.06), textcoords="axes fraction", color=COLORS["symmetric"],
        arrowprops={"arrowstyle": "-", "lw": 0.6, "color": COLORS["symmetric"]},
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="hidden spikes per decision", ylabel="test errors (%)", title=title)
    ticks = (0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
    axes.set_ylim(max(0.03, axes.get_ylim()[0] / 1.5), 100)
    axes.set_yticks(
        [tick for tick in ticks if tick >= axes.get_ylim()[0]], [f"{tick:g}" for tick in ticks if tick >= axes.get_ylim()[0]]
    )
    axes.minorticks_off()


def say(figure, found, title, points, quick=True):
    """The claims for one data set: a handful of spikes costs fewer ``points`` (%) of accuracy."""
    free, few = found["symmetric", 0], found["symmetric", FEW]

    def words(fits):
        return f"{in_words(percent(fits), 2)} % with {in_words(spikes(fits))} spikes"

    figure.claim(
        f"{title}: a handful of spikes will do, a tenth of the free ones or fewer for {points:g} points of accuracy at most",
        "“solved with a handful of spikes”", f"{words(few)}; unbounded {words(free)}",
        percent(few).mean() > percent(free).mean() - points and spikes(few).mean() < spikes(free).mean() / 10, quick,
    )  # fmt: skip
    for feedback in FEEDBACKS:
        ours = "; ".join(f"{strength:g}: {words(fits)}" for (own, strength), fits in found.items() if own == feedback)
        figure.note(f"{title}: {feedback} feedback, by the regulariser's strength", "–", ours)


def draw_decisions(picture, fit):
    """The first test picture of each digit: what the readout says, the hidden layer's spikes, the input's."""
    test = fit.source.make().split.test
    chosen = np.unique(test.labels, return_index=True)[1].tolist()
    rows = picture.subplots(3, len(chosen), sharex=True, sharey="row", height_ratios=[1.2, 1, 1], squeeze=False)
    for column, decision in zip(rows.T, decisions(Classifier(fit.network), test, chosen), strict=True):
        readout, hidden, pixels = column
        right = decision.prediction == decision.label
        said = "" if right else f" ({decision.prediction}?)"
        readout.set_title(f"{decision.label}{said}\n{len(decision.spikes[1])} spikes", fontsize=7.5)
        time = np.arange(len(decision.potentials)) * fit.dt
        for k, u in enumerate(decision.potentials.T):
            if k != decision.prediction:
                readout.plot(time, u, color="0.8", lw=0.6)
        readout.plot(time, decision.potentials[:, decision.prediction], color=COLORS["output"], lw=1.3)
        hidden.plot(decision.spikes[1].times_ms, decision.spikes[1].ids, "o", ms=2.2, mew=0, color=COLORS["hidden"])
        pixels.plot(decision.spikes[0].times_ms, decision.spikes[0].ids, ".", ms=0.8, color=COLORS["input"])
    for axes, name in zip(rows[:, 0], ("readout (mV)", "hidden unit", "input unit"), strict=True):
        axes.set_ylabel(name)
    rows[-1, 0].set(xlim=(0, 100), xticks=(0, 50))
    picture.supxlabel("time (ms)", fontsize=8)
    picture.align_ylabels(rows[:, 0])
    panel(rows[0, 0], "c")


main = run_script(draw, "talk2_mnist")
if __name__ == "__main__":
    command_line(main)

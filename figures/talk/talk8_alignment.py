"""The theory behind the talk: how far the local rule points from the exact gradient of the network, while it learns.

The angle between what the rule adds up and the surrogate gradient, the ways through resets, recurrence and all layers included
(backpropagation through time), for symmetric, random and uniform feedback, without and with hidden layers and recurrence: of random
manifolds, and in target learning. 0° is the gradient, 90° is chance. The surrogate's peak is 1 for a threshold of 1 (Zenke & Vogels 2021):
through a higher one the exact gradient grows in each step, until it says nothing. Each point is a run of its own; the runs of one seed
differ in length only, so that they are the states of one run.
"""

import numpy as np
from shared import COLORS, WIDTH, command_line, new_figure, panel, run_script
from talk6_random_feedback import along

import superspike as ss
from superspike.lab import config

FEEDBACKS = ("symmetric", "random", "uniform")
LOW = {"surrogate": "scaled_fast_sigmoid"}
MANIFOLDS = {"task": "randman", "classes": 4, "samples": 250} | LOW
STREAM = {"task": "poisson", "inputs": 100, "outputs": 10, "target_rate": "10Hz", "period": "500ms"} | LOW
MEASURED = 64  # samples
# Title, options, and the line of each projection whose angle is drawn.
TRIALS = [
    ("one hidden layer", {"hidden": "50"}, {"w0": "-"}),
    ("two hidden layers", {"hidden": "50,50"}, {"w0": "-", "w1": ":"}),
    ("recurrent", {"hidden": "50", "recurrent": "true", "w0": "20mV"}, {"w0": "-", "v1": "--"}),
]
STREAMS = [
    ("no hidden layer", {"hidden": "0"}, {"w0": "-"}),
    ("one hidden layer", {"hidden": "16"}, {"w0": "-"}),
    ("recurrent", {"hidden": "16", "recurrent": "true"}, {"w0": "-", "v1": "--"}),
]
LINES = {"w0": "inputs' synapses", "w1": "first onto second layer", "v1": "recurrent synapses"}


def draw(figure):
    """Angles over training, in six kinds of networks."""
    seeds = figure.size(5, 1)
    epochs, seconds = figure.size((1, 2, 4, 8, 16), (8,)), figure.size((1, 3, 10, 30, 100), (10,))
    picture = new_figure(WIDTH, 5.4)
    above, below = picture.subplots(2, 3, sharey=True)
    found, given = {}, []
    for axes, (title, options, lines) in zip(above, TRIALS, strict=True):
        for feedback in FEEDBACKS:
            runs = along(figure, MANIFOLDS | options | {"feedback": feedback}, "epochs", epochs, seeds)
            found[title, feedback] = angles(MANIFOLDS | options | {"feedback": feedback}, runs)
            draw_angles(axes, (0, *epochs), found[title, feedback], lines, feedback)
            if feedback == "symmetric" and title != "two hidden layers":
                given.append(angles(MANIFOLDS | options | {"feedback": feedback}, runs, reset=False, recurrence=False))
        axes.set(title=f"random manifolds,\n{title}", xlabel="epochs", xscale="symlog")
        ticks(axes, (0, 1, 2, 4, 8, 16))
    for axes, (title, options, lines) in zip(below, STREAMS, strict=True):
        for feedback in FEEDBACKS if options["hidden"] != "0" else FEEDBACKS[:1]:
            runs = along(figure, STREAM | options | {"feedback": feedback}, "duration", [f"{s}s" for s in seconds], seeds)
            found[f"target learning, {title}", feedback] = angles(STREAM | options | {"feedback": feedback}, runs)
            draw_angles(axes, (0, *seconds), found[f"target learning, {title}", feedback], lines, feedback)
        axes.set(title=f"target learning,\n{title}", xlabel="simulated time (s)", xscale="symlog")
        ticks(axes, (0, 1, 10, 100))
    for axes, letter in zip((*above, *below), "abcdef", strict=True):
        axes.axhline(90, color="0.6", lw=0.8, ls=":")
        axes.set(ylim=(0, 155), yticks=range(0, 121, 30))
        panel(axes, letter)
    for axes in (above[0], below[0]):
        axes.set_ylabel("rule and exact gradient (°)")
    draw_legend(above)
    say(figure, found, max(np.nanmax(x) for own in given for x in own.values()))
    figure.finish(picture)


def angles(table, runs, **switches):
    """By projection the angles (lengths, seeds), the first before any learning."""
    rows = []
    for k, first in enumerate(runs[0]):
        task, network, _ = config.build(table | {"seed": first.network.seed})
        data = task if isinstance(task, ss.Task) else task.split.train[:MEASURED]
        networks = [network, *(row[k].network for row in runs)]
        rows.append([ss.alignment(net, data, **switches).degrees for net in networks])
    return {name: np.array([[x[name] for x in row] for row in rows]).T for name in rows[0][0]}


def draw_angles(axes, lengths, found, lines, feedback):
    """Mean angle over the seeds, and a dot for each seed of the first projection."""
    for name, style in lines.items():
        axes.plot(lengths, mean(found[name]), ls=style, color=COLORS[feedback])
    axes.plot(lengths, found[next(iter(lines))], ".", ms=3, color=COLORS[feedback])


def mean(values):
    """Over the seeds that have an angle: where nothing is wrong any more, there is no gradient."""
    there = np.isfinite(values)
    return np.where(there.any(-1), np.where(there, values, 0).sum(-1) / np.maximum(there.sum(-1), 1), np.nan)


def ticks(axes, at):
    """These, and no others."""
    axes.set_xticks(at, [str(x) for x in at])
    axes.minorticks_off()


def draw_legend(above):
    """Colours of feedback in one panel, lines of projections in the others."""
    for feedback in FEEDBACKS:
        above[0].plot([], [], color=COLORS[feedback], label=f"{feedback} feedback")
    for axes, (_, _, lines) in zip(above[1:], TRIALS[1:], strict=True):
        for name, style in lines.items():
            axes.plot([], [], color="0.3", ls=style, label=LINES[name])
    for axes in above:
        axes.legend(loc="upper right", fontsize=6.5)


def say(figure, found, given):
    """The claims; ``given`` is the largest angle with spikes taken as given."""

    def course(title, feedback, name="w0"):
        return mean(found[title, feedback][name])

    def words(title, feedback, name="w0"):
        before, after = ("–" if np.isnan(angle) else f"{angle:.0f}°" for angle in course(title, feedback, name)[[0, -1]])
        return f"{before} before, {after} after"

    figure.claim(
        "one hidden layer, recurrent or not, symmetric feedback: with spikes taken as given where they reset a neuron or reach their own layer, "
        "the rule is the gradient", "the local rule is the surrogate gradient without these ways (NMZ19; Bellec et al. 2020)",
        f"largest angle {given:.2g}°", given < 0.5,
    )  # fmt: skip
    readout = max(x[f"w{1 + (title == 'two hidden layers')}"].max() for (title, _), x in found.items() if "target" not in title)
    figure.claim(
        "the readout's synapses have their exact gradient with every feedback",
        "–",
        f"largest angle {readout:.2g}°",
        readout < 0.5,
    )
    one = found["one hidden layer", "symmetric"]["w0"]
    figure.claim(
        "one hidden layer, symmetric feedback: what resets would add turns the gradient little",
        "–",
        f"{one.min():.0f} to {one.max():.0f}°",
        one.max() < 35,
    )
    lower = course("two hidden layers", "symmetric")
    figure.claim(
        "two hidden layers, symmetric feedback: the lower layer's errors, which lack a σ' and a filter, come to point the gradient's way",
        "–", words("two hidden layers", "symmetric"), lower[-1] < min(45, lower[0]),
    )  # fmt: skip
    for title in ("one hidden layer", "two hidden layers"):
        row = course(title, "random")
        figure.claim(
            f"manifolds, {title}: random feedback comes to point the gradient's way",
            "they align (Lillicrap et al. 2016)", words(title, "random"), row[-1] < min(75, row[0] - 10),
        )  # fmt: skip
    for title in ("one hidden layer", "two hidden layers"):
        figure.note(f"manifolds, {title}: uniform feedback", "–", words(title, "uniform"))
    for feedback in FEEDBACKS:
        figure.note(f"manifolds, recurrent synapses, {feedback} feedback", "–", words("recurrent", feedback, "v1"))
    for title, _, lines in STREAMS:
        for feedback in FEEDBACKS if title != "no hidden layer" else FEEDBACKS[:1]:
            own = "; recurrent " + words(f"target learning, {title}", feedback, "v1") if "v1" in lines else ""
            name = f", {feedback} feedback" if title != "no hidden layer" else ""
            figure.note(f"target learning, {title}{name}", "–", words(f"target learning, {title}", feedback) + own)


main = run_script(draw, "talk8_alignment")
if __name__ == "__main__":
    command_line(main)

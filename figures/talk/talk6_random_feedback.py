"""The talk: forward weights align with random feedback (Lillicrap et al. 2016).

The angle between the matrix through which errors reach a hidden layer and the one that symmetric feedback would have there, Wᵀ, over
learning: in target learning (100-32-100, a 3.5 s pattern), and in classification (random manifolds; MNIST with --data). 90° is chance.
Each point is a run of its own; the runs of one seed differ in length only, so that they are the states of one run.
"""

import numpy as np
from shared import COLORS, WIDTH, command_line, in_words, new_figure, panel, percent, run_script

import superspike as ss
from superspike.lab.alignment import cosine

MANIFOLDS, MNIST = "#117733", "#88CCEE"  # colours


def draw(figure):
    """Angles over time and epochs, and the weights at the end."""
    seeds = figure.size(5, 1)
    seconds, epochs = figure.size((3, 10, 30, 100, 300, 1000), (3, 30)), figure.size((1, 2, 4, 8, 16), (2, 8))
    picture = new_figure(WIDTH, 3.0)
    stream, trials, scatter = picture.subplots(1, 3, width_ratios=[1, 1, 0.9])
    for axes, letter in zip((stream, trials, scatter), "abc", strict=True):
        panel(axes, letter)

    targets = figure.auryn() | {"hidden": [32], "feedback": "random"}
    for name, options in {"random": {}, "random + regulariser": {"regularise": 1}}.items():
        runs = along(figure, targets | options, "duration", [f"{s}s" for s in seconds], seeds)
        angles = draw_angles(stream, seconds, runs, name, COLORS[name])
        first, last = (np.mean([run.cost for run in row]) for row in (runs[0], runs[-1]))
        say(
            figure,
            f"target learning, {name} feedback",
            angles,
            f"cost {first:.1f} Hz after {seconds[0]} s, {last:.1f} in the end",
        )

    manifolds = {"task": "randman", "feedback": "random"} | figure.size({}, {"samples": 300})
    runs = along(figure, manifolds | {"hidden": "100"}, "epochs", epochs, seeds)
    angles = draw_angles(trials, epochs, runs, "manifolds", MANIFOLDS)
    say(figure, "random manifolds, one hidden layer", angles, reached(runs))
    draw_weights(scatter, runs[-1][0].network)
    runs = along(figure, manifolds | {"hidden": "100,100"}, "epochs", epochs, seeds)
    for layer, (name, style) in enumerate({"lower": ":", "upper": "--"}.items()):
        angles = draw_angles(trials, epochs, runs, f"two layers, {name}", MANIFOLDS, layer, ls=style)
        say(figure, f"random manifolds, two hidden layers, the {name}", angles, reached(runs))
    data, epochs = figure.folder("mnist"), figure.size((1, 2, 4, 8), (1,))
    if data is None:
        figure.skip("MNIST, one hidden layer", "–", "mnist")
    else:
        table = {"task": "mnist", "data": str(data), "validation": 0, "feedback": "random", "rate_upper_strength": 1e-5}
        runs = along(figure, table, "epochs", epochs, 1)
        say(figure, "MNIST, one hidden layer", draw_angles(trials, epochs, runs, "MNIST", MNIST), reached(runs), quick=False)

    for axes in (stream, trials):
        axes.axhline(90, color="0.6", lw=0.8, ls=":")
        axes.set(xscale="log", ylim=(0, 95), yticks=range(0, 91, 15), ylabel="angle of Wᵀ and feedback (°)")
        axes.legend(loc="lower left", fontsize=7)
    stream.set(xlabel="simulated time (s)", title="target learning")
    stream.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    trials.set(xlabel="epochs", title="classification")
    trials.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    trials.minorticks_off()
    figure.finish(picture)


def say(figure, name, angles, what, quick=True):
    """The claim of one condition: of every seed, the angle falls below chance's 90°, and goes on to fall."""
    begin, end = (f"{row.mean():.0f}°" for row in (angles[0], angles[-1]))
    text = f"{name}: forward weights turn towards the feedback"
    holds = np.all(angles[-1] < 88) and (len(angles) == 1 or angles[-1].mean() < angles[0].mean())  # chance: 90° ± 2°
    figure.claim(text, "they align (Lillicrap et al. 2016)", f"{begin}, in the end {end}; {what}", holds, quick)


def reached(runs):
    """In words, accuracies at the first and the last length."""
    first, last = (percent(row) for row in (runs[0], runs[-1]))
    return f"accuracy {in_words(first)} %, in the end {in_words(last)} %"


def along(figure, table, option, lengths, seeds):
    """Runs of several lengths (rows) and seeds (columns)."""
    tables = [table | {option: length, "seed": seed} for length in lengths for seed in range(1, seeds + 1)]
    runs = figure.runs(tables)
    return [runs[k * seeds : (k + 1) * seeds] for k in range(len(lengths))]


def angle(network, layer=0):
    """Between the feedback onto a hidden layer and what symmetric feedback would be (°)."""
    weights = dict(zip(network.pairs, network.weights, strict=True))
    own, symmetric = network.feedback_weights[layer], ss.Symmetric().matrices(network.sizes, weights, None)[layer]
    return np.degrees(np.arccos(cosine(own, symmetric)))


def draw_angles(axes, lengths, runs, label, color, layer=0, **style):
    """Mean angle over the lengths of runs, and dots for the seeds; return the angles (lengths, seeds)."""
    angles = np.array([[angle(run.network, layer) for run in row] for row in runs])
    axes.plot(lengths, angles.mean(-1), color=color, label=label, **style)
    axes.plot(lengths, angles, ".", ms=3, color=color)
    return angles


def draw_weights(axes, network):
    """Each forward weight over the feedback weight of the same two neurons."""
    forward, feedback = network.weights[-1].ravel(), network.feedback_weights[-1].T.ravel()
    axes.axhline(0, color="0.6", lw=0.8)
    axes.axvline(0, color="0.6", lw=0.8)
    axes.plot(feedback, forward, ".", ms=2.5, mew=0, color=MANIFOLDS, alpha=0.6)
    axes.set(
        xlabel="feedback weight", ylabel="forward weight (mV)", title=f"manifolds, r = {np.corrcoef(feedback, forward)[0, 1]:.2f}"
    )


main = run_script(draw, "talk6_random_feedback")
if __name__ == "__main__":
    command_line(main)

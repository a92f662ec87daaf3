"""The talk: spoken digits, and what recurrence buys.

Synthetic speech, 20 words, feed-forward and recurrent, learned by the local rule, and, at small size, by the exact gradient as well (BPTT);
SHD with --data DIR/shd. The test speakers are in no
other part, and the test set is read once, after the last epoch. No result on synthetic speech is one on SHD.
"""

import numpy as np
from shared import COLORS, WIDTH, command_line, in_words, made_once, new_figure, panel, percent, run_script

import superspike as ss

EXACT = "#DDAA33"  # colour
# Conditions: options, colour, line.
NETWORKS = {
    "recurrent": ({"recurrent": "true"}, COLORS["symmetric"], "-"),
    "feed-forward": ({}, COLORS["symmetric"], "--"),
    "recurrent, random feedback": ({"recurrent": "true", "feedback": "random"}, COLORS["random"], "-"),
    "feed-forward, random feedback": ({"feedback": "random"}, COLORS["random"], "--"),
}
# At small size, by the local rule and by the exact gradient, whose surrogate must not be steep and high (Zenke & Vogels 2021).
SMALL = ss.SyntheticSpeech(speakers=10, validation=2, test=3, repetitions=4, units=60, duration=500.0)
RULES = {
    f"{network}, {words}": (options | {"rule": rule, "surrogate": "scaled_fast_sigmoid"}, color, style)
    for network, options, style in (("recurrent", {"recurrent": "true"}, "-"), ("feed-forward", {}, "--"))
    for rule, words, color in (("superspike", "local rule", COLORS["symmetric"]), ("bptt", "exact gradient", EXACT))
}
# What is published of SHD (test, %), by network and rule.
REFERENCES = {
    "feed-forward, BPTT": "48.1 ± 1.6 (Cramer et al. 2022); 74.0 ± 1.7 (Zenke & Vogels 2021)",
    "recurrent, BPTT": "71.4 (Cramer et al. 2022); 80.0 ± 2.0 (Zenke & Vogels 2021)",
    "450 units, fully local rule, final epoch (best epoch)": "feed-forward 61.6 (65.4); recurrent 76.4 (80.8)",
    "BPTT by the same code": "73.0 / 80.8",
    "online rules, feed-forward": "e-prop 70.3 ± 1.5; OTTT, OSTL 70.5; OTPE 75.2",
    "online rules, recurrent": "e-prop, 256 adaptive units 78.8 ± 1.2",
}


def draw(figure):
    """Learning curves, accuracies, and one word as the network hears it."""
    least = ss.SyntheticSpeech(speakers=6, validation=1, test=2, repetitions=2, units=60, duration=500.0)
    speech, seeds = figure.size(ss.SyntheticSpeech(), least), figure.size(2, 1)
    base = made_once(figure, speech) | figure.size({"epochs": 8}, {"epochs": 12, "hidden": "64"})
    found = learned(figure, base, NETWORKS, seeds)
    base = made_once(figure, figure.size(SMALL, least)) | figure.size(
        {"epochs": 20, "hidden": "64"}, {"epochs": 1, "hidden": "16"}
    )
    compared = learned(figure, base, RULES, figure.size(3, 1))
    chance = 100 / len(next(iter(found.values()))[0].classes)

    data = figure.folder("shd")
    picture = new_figure(WIDTH, 5.6 if data is None else 7.6)
    left, right = picture.subfigures(1, 2)
    curves = left.subplots(2 if data is None else 3, 1)
    draw_curves(curves[0], found, NETWORKS, "synthetic speech", chance)
    draw_curves(curves[1], compared, RULES, "small network", chance)
    panel(draw_word(right, found["recurrent"][0]), "c" if data is None else "d")
    for axes, letter in zip(curves, "abc", strict=False):
        panel(axes, letter)

    accuracy = {name: percent(fits) for name, fits in found.items()}
    words = {name: f"{in_words(values)} %" for name, values in accuracy.items()}
    figure.claim(
        "synthetic speech: recurrence buys accuracy (local rule, symmetric feedback, final epoch, speakers held out)",
        "recurrent networks do better on spoken digits", f"recurrent {words['recurrent']}, feed-forward {words['feed-forward']}",
        accuracy["recurrent"].min() > accuracy["feed-forward"].max(), quick=False,
    )  # fmt: skip
    figure.claim(
        "synthetic speech: every network learns from some speakers what others say", "–", f"worst {min(v.min() for v in accuracy.values()):.1f} %",
        min(values.min() for values in accuracy.values()) > 2 * chance,
    )  # fmt: skip
    _, _, recurrent, feed_forward = words.values()
    figure.note("synthetic speech: recurrence with random feedback", "–", f"recurrent {recurrent}, feed-forward {feed_forward}")
    small = {name: percent(fits) for name, fits in compared.items()}
    of = {name: f"{in_words(values)} %" for name, values in small.items()}
    apart = np.abs(small["feed-forward, exact gradient"] - small["feed-forward, local rule"]).max()
    figure.claim(
        "synthetic speech, small feed-forward network: the local rule learns what the exact gradient learns",
        "with one hidden layer the rule is the gradient but for resets",
        f"local rule {of['feed-forward, local rule']}, exact gradient {of['feed-forward, exact gradient']}", apart < 2.5,
    )  # fmt: skip
    figure.note(
        "synthetic speech, small recurrent network: what the way through the recurrence adds", "BPTT reaches more (see below)",
        f"local rule {of['recurrent, local rule']}, exact gradient {of['recurrent, exact gradient']}",
    )  # fmt: skip
    if data is None:
        figure.skip("SHD, local rule: final epoch, speakers 4 and 5 heard in the test only", "see below", "shd")
    else:
        base = {"task": "heidelberg", "data": str(data)} | figure.size({}, {"epochs": 1, "hidden": "16", "trial": "200ms"})
        heard = learned(figure, base, NETWORKS, 1)
        draw_curves(curves[2], heard, NETWORKS, "SHD", 5)
        for name, fits in heard.items():
            text = f"SHD, {name}, local rule: final epoch, speakers 4 and 5 heard in the test only"
            figure.note(text, "see below", f"{in_words(percent(fits))} %")
    for name, values in REFERENCES.items():
        figure.note(f"published on SHD: {name}", f"{values} %", "–")
    figure.finish(picture)


def learned(figure, base, conditions, seeds):
    """The fits of each condition."""
    tables = [base | options | {"seed": seed} for options, _, _ in conditions.values() for seed in range(1, seeds + 1)]
    fits = figure.runs(tables)
    return {name: fits[k * seeds : (k + 1) * seeds] for k, name in enumerate(conditions)}


def draw_curves(axes, found, conditions, title, chance):
    """Validation accuracies over the epochs, and those of the test after the last."""
    for name, fits in found.items():
        _, color, style = conditions[name]
        epochs = fits[0].metrics["epoch"]
        curves = 100 * np.array([fit.metrics["accuracy_validation"] for fit in fits])
        axes.plot(epochs, curves.mean(0), color=color, ls=style, label=name)
        axes.plot(
            [epochs[-1]] * len(fits),
            percent(fits),
            "D",
            ms=3.5,
            color=color,
            mfc=color if style == "-" else "white",
            clip_on=False,
        )
    axes.axhline(chance, color="0.6", lw=0.8, ls=":")
    axes.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(0, 100), title=f"{title}: validation, ◆ test")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.06), fontsize=7)


def draw_word(picture, fit):
    """One test word: what the outputs say, the hidden layer's spikes, the ear's."""
    decision = fit.decisions[0]
    readout, hidden, ear = picture.subplots(3, 1, sharex=True)
    time = np.arange(len(decision.potentials)) * fit.dt
    for k, u in enumerate(decision.potentials.T):
        if k != decision.prediction:
            readout.plot(time, u, color="0.8", lw=0.7)
    answer, word = fit.classes[decision.prediction], fit.classes[decision.label]
    readout.plot(time, decision.potentials[:, decision.prediction], color=COLORS["output"], label=f"answer: {answer}")
    readout.legend(loc="upper left")
    readout.set(ylabel="readout (mV)", title=f"a speaker not heard before says “{word}”")
    for axes, spikes, name in zip((ear, hidden), decision.spikes, ("input", "hidden"), strict=True):
        axes.plot(spikes.times_ms, spikes.ids, ".", ms=1.2, color=COLORS[name])
        axes.set(ylabel=f"{name} unit", ylim=(-1, spikes.n))
    ear.set(xlabel="time (ms)", xlim=(0, time[-1]))
    return readout


main = run_script(draw, "talk5_spoken_digits")
if __name__ == "__main__":
    command_line(main)

"""The talk's outlook: costs without a teacher. A network learns to predict its own input's next spikes, by the same rule.

Four motifs of 100 ms, in which each of 40 inputs spikes once, follow each other in random order. Output i is to spike 10 ms before input
i does: the targets are the inputs, shifted. It is tried on an order that it has never heard, against a network that learned the targets
of another order (chance), one that has not learned, and silence.
"""

import numpy as np
from shared import COLORS, WIDTH, command_line, draw_curves, in_words, new_figure, panel, run_script

import superspike as ss

UNITS, MOTIFS, LENGTH, AHEAD = 40, 4, 100.0, 10.0  # ms
HEARD = 40  # motifs in a period
CONDITIONS = {"its next spikes": "#AA4499", "those of another order": "#888888"}
SILENT = 4 * 1000 / LENGTH  # Hz: what targets of one spike a motif cost a silent output
NEAR = 2.0  # ms: a spike so close to its target is a hit
SHOWN = 500.0  # ms of the raster


def draw(figure):
    """What is predicted of an order never heard, learning curves, and when in a motif there is something to predict."""
    seeds, seconds = figure.size(5, 1), figure.size(400, 60)
    tasks = {seed: sequences(seed) for seed in range(1, seeds + 1)}
    base = {"hidden": "128", "duration": f"{seconds}s", "inputs": UNITS, "outputs": UNITS, "period": f"{HEARD * LENGTH}ms"}
    tables = [base | files(figure, name, seed, *tasks[seed][name]) for name in CONDITIONS for seed in tasks]
    runs = figure.runs(tables)
    found = {name: runs[k * seeds : (k + 1) * seeds] for k, name in enumerate(CONDITIONS)}
    new = {seed: ss.Task(*tasks[seed]["never heard"], HEARD * LENGTH) for seed in tasks}
    tried = {
        name: [ss.evaluate(run.network, new[seed], tolerance_ms=NEAR) for run, seed in zip(own, new, strict=True)]
        for name, own in found.items()
    }

    picture = new_figure(WIDTH, 5.2)
    top, bottom = picture.subfigures(2, 1, height_ratios=[1.1, 1])
    raster, (curves, hits) = top.subplots(), bottom.subplots(1, 2)
    draw_raster(raster, tried["its next spikes"][0])
    for name, color in CONDITIONS.items():
        draw_curves(curves, found[name], name, color)
        end = found[name][0].metrics["time_ms"][-1] / 1000
        curves.plot([end] * seeds, [x.cost for x in tried[name]], "D", ms=3.5, color=color, mew=0, clip_on=False)
        edges = np.arange(0, LENGTH + 1, 5)
        shares = np.mean([found_shares(x, edges) for x in tried[name]], axis=0)
        hits.stairs(100 * shares, edges, color=color, label=name, lw=1.3)
    curves.axhline(SILENT, color="0.6", lw=0.8, ls=":")
    curves.set(yscale="linear", ylim=(0, 90), title="◆: on an order never heard; dotted: silence")
    curves.legend(title="what was to be predicted", loc="upper right")
    hits.axvline(AHEAD, color="0.6", lw=0.8, ls=":")
    hits.text(AHEAD + 1.5, 97, "← nothing of the motif was heard before", fontsize=7, va="top")
    hits.set(
        xlabel="time in the motif of the spike to come (ms)",
        ylabel=f"predicted to {NEAR:g} ms (%)",
        ylim=(0, 100),
        xlim=(0, LENGTH),
    )
    for axes, letter in zip((raster, curves, hits), "abc", strict=True):
        panel(axes, letter)

    def costs(name):
        return np.array([x.cost for x in tried[name]])

    learned, control = (costs(name) for name in CONDITIONS)
    before = np.array([run.metrics["cost"][0] for run in found["its next spikes"]])
    heard = np.array([run.cost for run in found["its next spikes"]])
    figure.claim(
        "a network learns to predict its input's next spikes, also in an order never heard", "outlook: unsupervised, predictive costs",
        f"cost {in_words(learned)} Hz ({in_words(heard)} on what it learned); before learning {in_words(before)}, silent {SILENT:g}",
        np.all(learned < 0.75 * np.minimum(before, SILENT)),
    )  # fmt: skip
    figure.claim(
        "this is prediction: where targets belong to another order, nothing is learned that helps", "chance",
        f"cost {in_words(control)} Hz", np.all(control > 0.9 * SILENT),
    )  # fmt: skip
    edges = np.array([0.0, AHEAD, 4 * AHEAD, LENGTH])
    first, _, later = 100 * np.mean([found_shares(x, edges) for x in tried["its next spikes"]], axis=0)
    figure.claim(
        "what comes first in a motif cannot be known beforehand, what comes later can", "–",
        f"{first:.0f} % of the first {AHEAD:g} ms's spikes predicted to {NEAR:g} ms, {later:.0f} % of those after {4 * AHEAD:g} ms",
        later > 2 * first, quick=False,
    )  # fmt: skip
    figure.finish(picture)


def draw_raster(axes, tried):
    """Targets and outputs; units in the order in which the first motif that is shown has them."""
    target, output = tried.spikes["target"], tried.spikes["output"]
    first = LENGTH - AHEAD  # when the first target of the second motif may come
    place = np.argsort(np.argsort([next(t for t in target.train(unit) if t >= first) for unit in range(UNITS)]))
    for spikes, label, style in (
        (target, "target: the input\n10 ms later", {"ms": 6, "alpha": 0.55}),
        (output, "output", {"ms": 3.2}),
    ):
        shown = (spikes.times_ms >= first) & (spikes.times_ms < first + SHOWN)
        color = COLORS["output" if label == "output" else "target"]
        axes.plot(spikes.times_ms[shown] - LENGTH, place[spikes.ids[shown]], ".", color=color, mew=0, label=label, **style)
    for k in range(int(SHOWN / LENGTH)):
        axes.axvline(k * LENGTH, color="0.8", lw=0.8)
    axes.set(
        xlabel="time (ms)",
        ylabel="unit (sorted)",
        xlim=(-AHEAD, SHOWN - AHEAD),
        title="an order never heard; lines: a motif begins",
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def found_shares(tried, edges):
    """The share of targets that are hit, by the time in the motif of the input's spike that they stand for."""
    hit, phase = [], []
    for unit in range(UNITS):
        target, output = tried.spikes["target"].train(unit), tried.spikes["output"].train(unit)
        hit.append([len(output) > 0 and np.abs(output - t).min() <= NEAR for t in target])
        phase.append((target + AHEAD) % LENGTH)
    phase, hit = np.concatenate(phase), np.concatenate(hit)
    return np.histogram(phase[hit], edges)[0] / np.histogram(phase, edges)[0]


def sequences(seed):
    """Inputs and targets: of the order that is learned, of one never heard, and inputs with the targets of another order."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0, LENGTH, (MOTIFS, UNITS))
    heard, other, new = (
        np.concatenate(times[rng.integers(MOTIFS, size=HEARD)] + LENGTH * np.arange(HEARD)[:, None]) for _ in range(3)
    )
    return {
        "its next spikes": (spikes(heard), spikes(heard, AHEAD)),
        "those of another order": (spikes(heard), spikes(other, AHEAD)),
        "never heard": (spikes(new), spikes(new, AHEAD)),
    }


def spikes(times, ahead=0.0):
    """Spikes of all units at these times (motifs × units), so much earlier; what comes before 0 comes at the period's end."""
    return ss.Spikes((times - ahead) % (HEARD * LENGTH), np.tile(np.arange(UNITS), HEARD), UNITS)


def files(figure, name, seed, inputs, targets):
    """The options that name the spikes, written to files."""
    folder = figure.out / "runs" / f"prediction-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"input": folder / "input.ras", "target": folder / f"{'next' if name == 'its next spikes' else 'other'}.ras"}
    for path, own in zip(paths.values(), (inputs, targets), strict=True):
        ss.write_ras(path, own)
    return {key: str(path) for key, path in paths.items()} | {"seed": seed}


main = run_script(draw, "talk7_prediction")
if __name__ == "__main__":
    command_line(main)

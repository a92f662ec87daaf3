"""Figure 6: a 100-32-100 network learns a 3.5 s pattern; hidden units fire at 10 to 20 Hz, intervals are nearly exponential.

One of five networks is drawn; claims are about the median of the five, which differ in their seeds.
"""

import numpy as np
from common import COLORS, WIDTH, command_line, draw_curves, new_figure, panel, run_script, smooth

import superspike as ss

DEAD = 20.0  # ms: shorter intervals feel the refractory period and the membrane


def draw(figure):
    """Output over target, hidden raster, learning curve, and the hidden layer's rates, intervals and CVs."""
    seeds, seconds = figure.size(5, 1), figure.size(1000, 100)
    base = figure.auryn() | {"hidden": [32], "duration": f"{seconds}s"}
    runs = figure.runs([base | {"seed": seed} for seed in range(1, seeds + 1)])
    period = runs[0].task.period_ms
    evaluations = [ss.evaluate(one.network, one.task, 10 * period) for one in runs]
    measured = evaluations[0]
    hidden = measured.spikes["hidden1"]
    found = [statistics(evaluation) for evaluation in evaluations]
    rates, intervals, cvs = found[0]
    pooled = np.concatenate(intervals)

    picture = new_figure(WIDTH, 6.2)
    grid = picture.add_gridspec(3, 3, height_ratios=[2.2, 1.3, 1.4])
    output, units = picture.add_subplot(grid[0, :]), picture.add_subplot(grid[1, :2])
    curve, rate, isi, cv = (picture.add_subplot(place) for place in (grid[1, 2], grid[2, 0], grid[2, 1], grid[2, 2]))
    for name, size, alpha in (("target", 5, 0.5), ("output", 2.2, 1)):
        spikes = measured.spikes[name].between(0, period)
        output.plot(spikes.times_ms, spikes.ids, ".", ms=size, mew=0, color=COLORS[name], alpha=alpha, label=name)
    output.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, markerscale=2)
    output.set(ylabel="output unit", xlim=(0, period))
    one = hidden.between(0, period)
    units.plot(one.times_ms, one.ids, ".", ms=2.5, mew=0, color=COLORS["hidden"])
    units.set(xlabel="time (ms)", ylabel="hidden unit", xlim=(0, period))
    draw_curves(curve, runs, "", COLORS["cost"])
    curve.minorticks_off()
    curve.set_yticks([12, 16, 20, 25], ["12", "16", "20", "25"])
    rate.hist(rates, bins=12, color=COLORS["hidden"])
    rate.set(xlabel="rate of a hidden unit (Hz)", ylabel="units")
    bins = np.linspace(0, 300, 31)
    isi.hist(pooled, bins=bins, density=True, color=COLORS["hidden"])
    after = pooled[pooled > DEAD] - DEAD
    density = len(after) / len(pooled) * np.exp(-(bins - DEAD) / after.mean()) / after.mean()
    isi.plot(bins[bins > DEAD], density[bins > DEAD], color="k", lw=1, label="exponential")
    isi.legend(loc="upper right")
    isi.set(xlabel="interval (ms)", ylabel="density (1/ms)")
    cv.hist(cvs, bins=12, color=COLORS["hidden"])
    cv.set(xlabel="CV of intervals", ylabel="units")
    for axes, letter in zip((output, units, curve, rate, isi, cv), "abcdef", strict=True):
        panel(axes, letter)

    start, end = (np.median(x) for x in ([smooth(one)[1].max() for one in runs], [one.cost for one in runs]))
    figure.claim(
        "the network learns the pattern",
        "yes",
        f"cost (mean of 10 s) {start:.1f} at its worst, {end:.1f} Hz at the end",
        end < figure.size(0.6, 0.9) * start,
    )
    tight, loose, chance = (
        [share(one, tolerance, shift) for one in evaluations] for tolerance, shift in ((2.0, 0), (10.0, 0), (10.0, period / 2))
    )
    figure.claim(
        "32 hidden units visually match the pattern: 2 of 3 target spikes within 10 ms, and twice as many as by chance",
        "n_hidden ≥ 32 visually matches",
        f"{spread(loose)} within 10 ms, {spread(tight)} within 2 ms; {spread(chance)} within 10 ms of targets half a trial off",
        np.median(loose) > 2 / 3 and np.median(loose) > 2 * np.median(chance),
        quick=False,
    )
    means, medians = np.array([r.mean() for r, _, _ in found]), np.array([np.median(its) for _, _, its in found])
    figure.claim(
        "hidden units fire at 10 to 20 Hz",
        "10–20 Hz",
        f"mean over units {np.median(means):.1f} Hz ({means.min():.1f} to {means.max():.1f})",
        10 <= np.median(means) <= 20,
        quick=False,
    )
    figure.claim(
        "intervals between hidden spikes are near exponential: CV between 0.75 and 1.25",
        "near exponential",
        f"CV (median over units) {np.median(medians):.2f} ({medians.min():.2f} to {medians.max():.2f})",
        0.75 < np.median(medians) < 1.25,
        quick=False,
    )
    figure.finish(picture)


def statistics(evaluation):
    """Rates (Hz) of hidden units, the intervals (ms) of each, and the CVs of those that have 20 or more."""
    hidden = evaluation.spikes["hidden1"]
    trains = [hidden.train(unit) for unit in range(hidden.n)]
    intervals = [np.diff(train) for train in trains]
    rates = np.array([len(train) for train in trains]) / (evaluation.duration_ms / 1000)
    return rates, intervals, np.array([x.std() / x.mean() for x in intervals if len(x) >= 20])


def share(evaluation, tolerance_ms, shift_ms):
    """Share of the target spikes that have a partner, where targets come so much later."""
    target = evaluation.spikes["target"]
    late = ss.Spikes((target.times_ms + shift_ms) % evaluation.duration_ms, target.ids, target.n)
    found = ss.match(evaluation.spikes["output"], late, tolerance_ms)
    return found.hits / (found.hits + found.misses)


def spread(shares):
    """Median and range, in words."""
    return f"{100 * np.median(shares):.0f} % ({100 * min(shares):.0f} to {100 * max(shares):.0f})"


main = run_script(draw, "fig6_firing_statistics")
if __name__ == "__main__":
    command_line(main)

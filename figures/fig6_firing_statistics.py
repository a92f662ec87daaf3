"""Figure 6: a 100-32-100 network learns a 3.5 s pattern; hidden units fire at 10 to 20 Hz, intervals are nearly exponential."""

import numpy as np
from common import COLORS, WIDTH, command_line, draw_curves, new_figure, panel, run_script, smooth

import superspike as ss

DEAD = 20.0  # ms: shorter intervals feel the refractory period and the membrane


def draw(figure):
    """Output over target, hidden raster, learning curve, and the hidden layer's rates, intervals and CVs."""
    seconds = figure.size(1000, 100)
    (run,) = figure.runs([figure.auryn() | {"hidden": [32], "duration": f"{seconds}s"}])
    period = run.task.period_ms
    measured = ss.evaluate(run.network, run.task, 10 * period)
    hidden = measured.spikes["hidden1"]
    rates = np.array([len(hidden.train(unit)) for unit in range(hidden.n)]) / (measured.duration_ms / 1000)
    intervals = [np.diff(hidden.train(unit)) for unit in range(hidden.n)]
    pooled = np.concatenate(intervals)
    cvs = np.array([x.std() / x.mean() for x in intervals if len(x) >= 20])

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
    draw_curves(curve, [run], "", COLORS["cost"])
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

    tight = share(measured.matches)
    loose = share(ss.match(measured.spikes["output"], measured.spikes["target"], 10.0))
    start, end = smooth(run)[1].max(), run.cost
    figure.claim(
        "the network learns the pattern",
        "yes",
        f"cost (mean of 10 s) {start:.1f} at its worst, {end:.1f} Hz at the end",
        end < figure.size(0.6, 0.9) * start,
    )
    figure.claim(
        "32 hidden units visually match the pattern: 3 of 4 target spikes within 10 ms",
        "n_hidden ≥ 32 visually matches",
        f"{100 * loose:.0f} % within 10 ms, {100 * tight:.0f} % within 2 ms",
        loose > 0.75,
        quick=False,
    )
    figure.claim(
        "hidden units fire at 10 to 20 Hz", "10–20 Hz", f"mean {rates.mean():.1f} Hz", 10 <= rates.mean() <= 20, quick=False
    )
    figure.claim(
        "intervals between hidden spikes are near exponential: CV between 0.75 and 1.25",
        "near exponential",
        f"CV {np.median(cvs):.2f} (median over units)",
        0.75 < np.median(cvs) < 1.25,
        quick=False,
    )
    figure.finish(picture)


def share(matches):
    """Share of the target spikes that have a partner."""
    return matches.hits / (matches.hits + matches.misses)


main = run_script(draw, "fig6_firing_statistics")
if __name__ == "__main__":
    command_line(main)

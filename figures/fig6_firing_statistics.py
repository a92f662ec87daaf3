"""Figure 6: a 100-32-100 network learns a 3.5 s pattern; its hidden units fire at 10 to 20 Hz with nearly exponential intervals."""

import numpy as np
from common import COLORS, WIDTH, command_line, draw_curves, new_figure, panel, run_script

import superspike as ss


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
    beyond = pooled[pooled > 15]
    isi.plot(bins, np.mean(pooled > 15) * np.exp(-(bins - 15).clip(0) / (beyond.mean() - 15)) / (beyond.mean() - 15), color="k", lw=1)
    isi.set(xlabel="interval (ms)", ylabel="density (1/ms)")
    cv.hist(cvs, bins=12, color=COLORS["hidden"])
    cv.set(xlabel="CV of intervals", ylabel="units")
    for axes, letter in zip((output, units, curve, rate, isi, cv), "abcdef", strict=True):
        panel(axes, letter)

    matches = measured.matches
    share = matches.hits / (matches.hits + matches.misses)
    start = run.cost_initial
    figure.claim(
        "32 hidden units visually match the pattern",
        "n_hidden ≥ 32 visually matches",
        f"{100 * share:.0f} % of target spikes within 2 ms; cost {start:.1f} → {run.cost:.1f} Hz",
        (share > 0.7) if not figure.quick else run.cost < 0.7 * start,
    )
    figure.claim(
        "hidden units fire at 10 to 20 Hz", "10–20 Hz", f"mean {rates.mean():.1f} Hz", 10 <= rates.mean() <= 20 if not figure.quick else rates.mean() > 1
    )
    figure.claim(
        "intervals between their spikes are near exponential",
        "near exponential",
        f"CV {np.median(cvs):.2f} (median over units; exponential 1); of intervals over 15 ms {beyond.std() / (beyond.mean() - 15):.2f}",
        0.6 < np.median(cvs) < 1.4,
    )
    figure.finish(picture)


main = run_script(draw, "fig6_firing_statistics")
if __name__ == "__main__":
    command_line(main)

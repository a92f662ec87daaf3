"""The code release's demo: a 200-256-200 network learns to draw a building in spikes. Before, during, after; an animation.

20 s of burn-in, 20 blocks of 20 s at r0 = 1 mV, 30 more at 0.1 mV.
"""

from common import COLORS, WIDTH, command_line, draw_curves, new_figure, panel, run_script, smooth


def draw(figure):
    """The output's spikes in three periods over the target, and the learning curve; the animation has twenty periods."""
    seconds, drop = figure.size(1000, 60), figure.size(400, 0)
    table = figure.oxford() | {"hidden": [256], "burn_in": "20s", "duration": f"{seconds}s", "record": "spikes"}
    (run,) = figure.runs([table | ({"learning_rate_drop": f"{drop}s"} if drop else {})])
    period = run.task.period_ms
    total = int((20_000 + seconds * 1000) / period)
    shown = [5, 5 + round((20_000 + figure.size(40_000, 15_000)) / period), total - 1]

    picture = new_figure(WIDTH, 4.9)
    rasters, curve = picture.subfigures(2, 1, height_ratios=[1.5, 1])
    for k, (axes, n) in enumerate(zip(rasters.subplots(1, 3, sharey=True), shown, strict=True)):
        draw_period(axes, run, n)
        axes.set(xlabel="time (ms)", title=f"after {n * period / 1000:.0f} s")
        if k == 0:
            axes.set_ylabel("output unit")
        panel(axes, "abc"[k])
    axes = curve.subplots()
    draw_curves(axes, [run], "", COLORS["cost"])
    axes.axvspan(0, 20, color="0.92", lw=0)
    panel(axes, "d")

    time, cost = smooth(run)
    burn_in, end = cost[time <= 20].mean(), run.cost
    figure.claim(
        "the network learns to draw the picture",
        "cost 214 → 20",
        f"cost {burn_in:.0f} → {end:.1f} Hz, {run.real_time_factor:.0f} × real time",
        end < figure.size(0.15, 0.5) * burn_in,
    )
    run.animate(figure.out / "demo_picture.gif", most=20)
    figure.finish(picture)


def draw_period(axes, run, n):
    """Period n of the output, as dots."""
    period = run.task.period_ms
    spikes = run.spikes["output"].between(n * period, (n + 1) * period)
    (dots,) = axes.plot(spikes.times_ms - n * period, spikes.ids, ".", ms=1.4, mew=0, color=COLORS["output"])
    axes.set(xlim=(0, period), ylim=(-1, run.task.n_outputs))
    return dots


main = run_script(draw, "demo_picture")
if __name__ == "__main__":
    command_line(main)

"""Figure 2: one neuron without a hidden layer learns five equidistant spikes in a frozen 500 ms Poisson pattern.

Silent at the start, on target after 500 trials (250 s).
"""

import numpy as np
from common import COLORS, WIDTH, at_least, command_line, draw_curves, new_figure, panel, run_script, smooth, traces

import superspike as ss
from superspike.lab import config

V_REST = ss.LIF().v_rest


def snapshot(run, weights, begin_ms):
    """Membrane potential (mV) and error of the output over one trial, with the given weights."""
    network = ss.Network(run.network.sizes, weights=weights)

    def read(simulation, log):
        unit = simulation.where.start[-2]
        return {"v": simulation.state.v[unit] + V_REST, "e": simulation.state.e2[unit]}

    return traces(network, run.task, begin_ms, round(run.task.period_ms / network.scheme.dt), read)


def draw(figure):
    """Raster, membrane and error before and after; spike times per trial; learning curves."""
    seeds, seconds = figure.size(20, 15), figure.size(800, 250)
    base = figure.poisson() | {"hidden": [0], "duration": f"{seconds}s"}
    runs = figure.runs([base | {"seed": seed, "record": "spikes" if seed == 1 else "periods"} for seed in range(1, seeds + 1)])
    shown = runs[0]
    period, dt = shown.task.period_ms, shown.network.scheme.dt
    targets = shown.task.targets.times_ms
    _, initial, _ = config.build(base | {"seed": 1})
    before = snapshot(shown, [w.copy() for w in initial.weights], 2 * period)
    after = snapshot(shown, [w.copy() for w in shown.network.weights], 2 * period)

    picture = new_figure(WIDTH, 5.6)
    grid = picture.add_gridspec(4, 2, height_ratios=[1.3, 1.2, 0.9, 1.9])
    time = np.arange(len(before["v"])) * dt
    for column, (found, title) in enumerate(((before, "before"), (after, f"after {seconds} s"))):
        inputs, voltage, error = (picture.add_subplot(grid[row, column]) for row in range(3))
        inputs.plot(shown.task.inputs.times_ms, shown.task.inputs.ids, ".", ms=2, color=COLORS["input"])
        inputs.set(title=title, ylabel="input unit")
        voltage.plot(time, found["v"], color=COLORS["output"])
        voltage.axhline(-50, color="0.6", lw=0.8, ls=":")
        for t in targets:
            voltage.axvline(t, ymin=0.9, color=COLORS["target"], lw=2)
        voltage.set(ylabel="U (mV)", ylim=(-67, -46))
        error.plot(time, found["e"], color=COLORS["cost"])
        error.set(xlabel="time (ms)", ylabel="error e", ylim=(-0.001, 0.006))
        for axes in (inputs, voltage, error):
            axes.set_xlim(0, period)
        if column == 0:
            panel(inputs, "a")
        else:
            panel(inputs, "b")
    trials, curves = picture.add_subplot(grid[3, 0]), picture.add_subplot(grid[3, 1])
    spikes = shown.spikes["output"]
    trial, phase = np.divmod(spikes.times_ms, period)
    for t in targets:
        trials.axvline(t, color=COLORS["target"], lw=3, alpha=0.6)
    trials.plot(phase, trial, ".", ms=1, color=COLORS["output"])
    trials.set(xlabel="time in trial (ms)", ylabel="trial", xlim=(0, period), ylim=(seconds * 1000 / period, 0))
    for run in runs:
        curves.plot(*smooth(run), color="0.75", lw=0.6)
    draw_curves(curves, runs, f"median of {seeds}", COLORS["cost"])
    curves.set_ylim(0.02, 100)
    curves.legend(loc="upper right")
    panel(trials, "c")
    panel(curves, "d")

    figure.claim(
        "the neuron is silent at the start",
        "silent",
        f"{sum(run.spikes['output'].between(0, period).times_ms.size for run in runs)} spikes in {seeds} first trials",
        all(len(run.spikes["output"].between(0, period)) == 0 for run in runs),
    )
    at_250 = np.array([smooth(run)[1][np.searchsorted(smooth(run)[0], 250) - 1] for run in runs])
    start = np.array([run.metrics["cost"][0] for run in runs])
    learned = int(np.sum(at_250 < 4))
    figure.claim(
        "learned after 500 trials (250 s)",
        "on target",
        f"cost {np.median(start):.0f} → {np.median(at_250):.2f} Hz (median); {learned} of {seeds} below 4 Hz",
        at_least(learned, seeds, 0.81),  # of 60 seeds 49
    )
    met = [(last["hits"], last["extra"]) == (len(targets), 0) for last in (run.summary() for run in runs)]
    figure.claim(
        "the last trial's spikes meet their targets within 2 ms",
        "yes, at 800 s",
        f"all {len(targets)}, and no other spike, in {sum(met)} of {seeds} neurons",
        at_least(sum(met), seeds, figure.size(0.83, 0.65)),  # of 30 seeds 25, at 250 s of 60 seeds 39
    )
    figure.finish(picture)


main = run_script(draw, "fig2_one_neuron")
if __name__ == "__main__":
    command_line(main)

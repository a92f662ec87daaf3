"""Analysing a run: learning curve, interval statistics and distances between spike trains, from the folder of a run.

What one learns: ``ss.Run.load`` reads what ``run.save`` or ``superspike train`` has written; its metrics are arrays over
time, its spikes are arrays of times and ids per layer. ``ss.van_rossum_matrix`` compares every output with every target:
after learning each output is closest to its own target. Spike trains go on to Elephant as lists of ``neo.SpikeTrain``.
"""

import sys
import tempfile
from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np

import superspike as ss


def intervals(spikes):
    """The inter-spike intervals (ms) of each unit that has at least three."""
    found = [np.diff(spikes.train(unit)) for unit in range(spikes.n)]
    return [isi for isi in found if len(isi) >= 3]


def main(out="analyse_run.png", quick=False):
    """Make a run, read its folder and draw what it holds."""
    task = ss.tasks.poisson(n_inputs=100, input_rate=8.0, outputs=12, target_rate=8.0, period_ms=1000.0, seed=2)
    net = ss.Network([100, 100, 12], seed=1)
    with tempfile.TemporaryDirectory() as folder:
        ss.train(net, task, duration_ms=10_000 if quick else 100_000, record="spikes").save(folder)
        run = ss.Run.load(folder)

    figure, axes = plt.subplots(2, 2, figsize=(7, 5.6), layout="constrained")
    top, bottom = axes
    top[0].plot(run.metrics["time_ms"] / 1000, run.metrics["cost"], color="#D55E00", lw=1)
    top[0].set(xlabel="simulated time (s)", ylabel="cost (Hz)", yscale="log", title="learning")

    end = run.windows_ms[-1][1]
    hidden = run.spikes["hidden1"].between(end / 2, end)  # of the second half, when the weights have settled
    isis = intervals(hidden)
    together = np.concatenate(isis)
    cv = np.median([isi.std() / isi.mean() for isi in isis])
    top[1].hist(together, np.arange(0, 505, 10), weights=np.full(together.size, 0.1 / together.size), color="#009E73")
    t = np.array([run.network.neuron.tau_ref, 500.0])
    mean = together.mean() - t[0]
    top[1].plot(t, np.exp(-(t - t[0]) / mean) / mean, color="black", lw=1.5, label="exponential of the same mean")
    top[1].set(xlabel="interval (ms)", ylabel="density (1/ms)", yscale="log", title=f"hidden units, median CV {cv:.2f}")
    top[1].legend(frameon=False, fontsize=8)

    worst = 0.0
    for panel, (begin, stop), title in zip(bottom, run.periods_ms, ("first period", "last period"), strict=True):
        output, target = (run.spikes[name].between(begin, stop) for name in ("output", "target"))
        distances = ss.van_rossum_matrix(output, target, tau_ms=10.0, tau_rise_ms=5.0)
        worst = max(worst, distances.max())
        image = panel.imshow(distances, cmap="viridis", origin="lower")
        panel.set(xlabel="target unit", ylabel="output unit", title=title)
        closest = int((distances.argmin(axis=1) == np.arange(12)).sum())
        print(f"{title}: {closest} of 12 outputs are closest to their own target")
    for panel in bottom:
        panel.images[0].set_clim(0, worst)
    figure.colorbar(image, ax=bottom, label="squared distance (spikes)")
    print(f"hidden layer: {hidden.rate_hz(end / 2):.1f} Hz, median CV {cv:.2f}")

    if find_spec("neo"):
        trains = hidden.to_neo(t_stop_ms=end, t_start_ms=end / 2)
        print(f"{len(trains)} neo.SpikeTrain from {trains[0].t_start} to {trains[0].t_stop}")
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])

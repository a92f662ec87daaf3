"""MNIST and its like: accuracy on the test set after the last epoch, hidden spikes per decision, time per sample.

    python benchmarks/classification.py --data DIR  # the four IDX files, gzipped or not

A network of 784-256-10 by default, trained on all training pictures; the test set is read once, at the end.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np

import superspike as ss


def network(hidden: int, feedback: str, seed: int) -> ss.Network:
    """Latency-coded pictures, a hidden layer, a readout with a unit per class; Neftci, Mostafa & Zenke (2019) in mV."""
    return ss.Network(
        [784, hidden, ss.Layer(10, ss.Readout(tau_mem=20.0))], feedback=feedback, seed=seed, loss="max_over_time",
        neuron=ss.LIF(tau_ref=0.0, reset="subtract"), surrogate=ss.FastSigmoid(beta=2.0), optimizer=ss.Adam(0.15),
        scheme=ss.Scheme(dt=1.0, delay=1.0, integration="exact"), rule=ss.Rule(w_max=1000.0), w0=100.0,
    )  # fmt: skip


def main() -> None:
    """Train and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of train-images-idx3-ubyte, … (.gz)")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--feedback", default="symmetric", choices=["symmetric", "random", "sign", "uniform"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--rates", type=float, default=0.0, help="strength of the bound of the mean spike count (0 spikes)")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    parts = ss.load_images(given.data, validation=0)
    rates, accuracies = ss.Rates(mean_strength=given.rates), []
    for seed in range(1, given.seeds + 1):
        net = network(given.hidden, given.feedback, seed)
        run = ss.fit(net, parts.train, given.epochs, given.batch, rates=rates, dropout=given.dropout)
        found = ss.classify(net, parts.test)
        low, high = found.interval
        accuracies.append(found.accuracy)
        print(
            f"seed {seed}: {100 * found.accuracy:.2f} % ({100 * low:.2f} … {100 * high:.2f}) of the test set, "
            f"{found.spikes_per_decision:.0f} hidden spikes a decision, {np.median(run.metrics['us_per_sample']):.1f} µs a sample",
            flush=True,
        )
    print(f"median of {given.seeds} seeds: {100 * statistics.median(accuracies):.2f} %")


if __name__ == "__main__":
    main()

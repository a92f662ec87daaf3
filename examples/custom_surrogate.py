"""A custom surrogate: the derivative of the arctangent in place of the fast sigmoid's.

What one learns: a surrogate is one registered class with one function, ``derivative``: plain Python that is compiled into
the simulation's kernels. From then on networks, saved runs and error messages know it by its name. A class of your own is
compiled anew in every process, which takes about as long as the first run after an installation.
"""

import sys
from typing import Annotated, NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import superspike as ss
from superspike.model.surrogate import SURROGATES

COLORS = {"fast_sigmoid": "#000000", "arctan": "#D55E00"}


@SURROGATES.register("arctan")
@ss.parameters
class Arctan(NamedTuple):
    """σ = arctan(h), h = β(U − ϑ)."""

    beta: Annotated[float, ss.Param("1/mV", "steepness of the surrogate at threshold", gt=0)] = 1.0

    def derivative(self, x):
        """β / (1 + h²) at x = U − ϑ; the 1 in the type of x keeps single precision single, and fast."""
        h = self.beta * x
        return self.beta / (type(x)(1) + h * h)


def main(out="custom_surrogate.png", quick=False):
    """Draw both surrogates and the learning curves they give, from the same initial weights."""
    task = ss.tasks.text("ATAN", n_inputs=100, outputs=30, seed=1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained", width_ratios=[2, 3])
    x = np.linspace(-10, 5, 301)
    for name, color in COLORS.items():
        net = ss.Network([100, 100, 30], surrogate=name, seed=1)
        left.plot(x, [net.surrogate.derivative(value) for value in x], color=color)
        duration, engine = (5_000, "clock") if quick else (100_000, "event")  # the clock engine compiles faster
        run = ss.train(net, task, duration_ms=duration, engine=engine)
        time, cost = run.metrics["time_ms"] / 1000, run.metrics["cost"]
        width = max(1, len(cost) // 10)
        mean = np.convolve(cost, np.ones(width) / width, "valid")
        right.plot(time[width - 1 :], mean, color=color, label=name.replace("_", " "))
        print(f"{name}: {run.cost_initial:.1f} → {run.cost:.1f} Hz")
    left.set(xlabel="membrane potential − threshold (mV)", ylabel="surrogate (1/mV)", ylim=(0, None))
    right.set(xlabel="simulated time (s)", ylabel=f"cost, mean of {0.5 * width:g} s (Hz)", ylim=(0, None))
    right.legend(frameon=False, fontsize=9, loc="lower left")
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Custom feedback: the errors need not travel back through the weights themselves; the weights' signs are enough.

What one learns: a feedback scheme is one registered class whose method ``matrices`` gives one matrix (outputs, hidden
units) per hidden layer. This one is sign-concordant: random, fixed magnitudes with the signs of today's weights
(Liao, Leibo & Poggio 2016). A network takes it by name or as an instance, like the built-in schemes.
"""

import sys
from typing import Annotated, NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import superspike as ss
from superspike.model.feedback import FEEDBACKS

COLORS = {"uniform": "#CC79A7", "random": "#56B4E9", "symmetric": "#000000", "sign_concordant": "#D55E00"}


@FEEDBACKS.register("sign_concordant")
@ss.parameters
class SignConcordant(NamedTuple):
    """e_i = Σ_k |b_ki| sign(w_ki) e_k with fixed b ~ N(0, 1)."""

    magnitude_seed: Annotated[int, ss.Param("", "of the fixed magnitudes", ge=0)] = 1

    @property
    def follows_weights(self):
        """Whether the matrices are asked for again when the weights have changed: the signs may have."""
        return True

    def matrices(self, sizes, weights, rng):
        """The signs of symmetric feedback, with the same magnitudes each time."""
        magnitudes = np.random.default_rng(self.magnitude_seed)
        return [np.sign(b) * abs(magnitudes.standard_normal(b.shape)) for b in ss.Symmetric().matrices(sizes, weights, rng)]


def main(out="custom_feedback.png", quick=False):
    """Draw the learning curves of four schemes on one task, from the same initial weights."""
    task = ss.tasks.text("SIGN", n_inputs=100, outputs=30, seed=1)
    figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
    for name, color in COLORS.items():
        net = ss.Network([100, 100, 30], feedback=name, seed=1)
        run = ss.train(net, task, duration_ms=5_000 if quick else 100_000)
        time, cost = run.metrics["time_ms"] / 1000, run.metrics["cost"]
        width = max(1, len(cost) // 10)
        mean = np.convolve(cost, np.ones(width) / width, "valid")
        axes.plot(time[width - 1 :], mean, color=color, label=name.replace("_", "-"))
        print(f"{name}: {run.cost_initial:.1f} → {run.cost:.1f} Hz")
    axes.set(xlabel="simulated time (s)", ylabel=f"cost, mean of {0.5 * width:g} s (Hz)", ylim=(0, None))
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])

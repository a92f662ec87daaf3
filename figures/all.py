"""All figures, one after the other. Finished runs are kept: started again, it goes on from them."""

import importlib
import time

from common import HERE, command_line

SCRIPTS = [
    "fig1_optimizers", "fig2_one_neuron", "fig3_quantities", "fig4_feedback", "fig5_xor", "fig6_firing_statistics", "fig7_hidden_sizes",
    "fig8_regulariser", "demo_picture",
]  # fmt: skip


def main(out=HERE, quick=False, jobs=None, data=None):
    """Draw them all; print how long each took."""
    for name in SCRIPTS:
        began = time.perf_counter()
        importlib.import_module(name).main(out, quick, jobs, data)
        print(f"{name}: {time.perf_counter() - began:.0f} s\n", flush=True)


if __name__ == "__main__":
    command_line(main)

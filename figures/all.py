"""All figures, the paper's and the talk's, one after the other. Finished runs are kept: started again, it goes on from them."""

import importlib
import sys
import time

from common import HERE, ClaimError, command_line

sys.path.append(str(HERE / "talk"))

SCRIPTS = [
    "fig1_optimizers", "fig2_one_neuron", "fig3_quantities", "fig4_feedback", "fig5_xor", "fig6_firing_statistics", "fig7_hidden_sizes",
    "fig8_regulariser", "demo_picture",
    "talk1_binary_network", "talk2_mnist", "talk3_fashion_mnist", "talk4_surrogates", "talk5_spoken_digits", "talk6_random_feedback",
    "talk7_prediction", "talk8_alignment",
]  # fmt: skip


def main(out=None, quick=False, jobs=None, data=None):
    """Draw them all, print how long each took, and exit with what does not hold: one claim keeps no other figure back."""
    failed, start = [], time.perf_counter()
    for name in SCRIPTS:
        began = time.perf_counter()
        try:
            importlib.import_module(name).main(out, quick, jobs, data)
        except ClaimError as error:
            failed.append(str(error))
        print(f"{name}: {time.perf_counter() - began:.0f} s\n", flush=True)
    print(f"all: {time.perf_counter() - start:.0f} s", flush=True)
    if failed:
        sys.exit("does not hold: " + "\n".join(failed))


if __name__ == "__main__":
    command_line(main)

"""What the figures of the talk share with each other; the rest is the paper's (figures/common.py)."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from common import COLORS, WIDTH, command_line, draw_curves, new_figure, panel, run_script, traces

from superspike.engine.jit import source_key

FEEDBACKS = ("symmetric", "random")


def made_once(figure, dataset, seed: int = 1) -> dict:
    """The options that learn a made data set, as by its name; its samples are made once, not for every run, and kept with the runs."""
    which = hashlib.sha256(f"{dataset!r} {seed} {source_key()}".encode()).hexdigest()[:12]
    folder = figure.out / "runs" / f"{type(dataset).__name__}-{which}"
    if not folder.is_dir():
        new = folder.with_suffix(".new")
        new.mkdir(parents=True, exist_ok=True)
        for part, samples in dataset.make(seed)._asdict().items():
            samples.save(new / f"{part}.npz")
        new.rename(folder)
    return dataset.defaults() | {"task": "samples", "data": str(folder)}


def percent(fits) -> np.ndarray:
    """Test accuracies (%), after the last epoch."""
    return np.array([100 * fit.test.accuracy for fit in fits])


def in_words(values, digits: int = 1) -> str:
    """Mean ± standard deviation over the seeds, or the only value."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


__all__ = [
    "COLORS", "FEEDBACKS", "WIDTH", "command_line", "draw_curves", "in_words", "made_once", "new_figure", "panel", "percent", "run_script", "traces",
]  # fmt: skip

"""Pictures of a run."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import superspike as ss
from superspike.lab import plotting


@pytest.fixture(scope="module")
def run(small_task: ss.Task) -> ss.Run:
    """A short one."""
    return ss.train(ss.Network([10, 6, 2], w0=80.0, seed=2), small_task, duration_ms=10_000)


@pytest.mark.parametrize(
    ("decades", "shown"), [(3.0, ["0.1", "1", "10"]), (0.5, ["20", "30", "40"]), (-3.0, ["100", "1000", "10000"])]
)
def test_logarithmic_axes_have_plain_numbers(run: ss.Run, decades: float, shown: list[str]) -> None:
    run.metrics["cost"] = 40 * 10 ** (-decades * np.linspace(0, 1, len(run.metrics["time_ms"])))
    figure = plotting.learning(run)
    figure.canvas.draw()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels(which="both") if label.get_text()]
    assert set(shown) <= set(labels)
    assert not [label for label in labels if "e" in label or "$" in label]


def test_a_user_s_matplotlib_settings_change_no_picture(run: ss.Run, tmp_path: Path) -> None:
    run.plot(tmp_path / "a.png")
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "axes.facecolor": "red", "savefig.format": "pdf"}):
        run.plot(tmp_path / "b.png")
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

"""What the figures share: their tasks, their runs, their style, and the table of claims."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from matplotlib import rc_context

import superspike as ss
from superspike.lab.plotting import COLORS, new_figure, save

HERE = Path(__file__).parent
WIDTH = 6.9  # inches: two columns of a journal
STYLE = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "lines.linewidth": 1.3}
STYLE |= {"axes.formatter.min_exponent": 5}  # logarithmic axes say 0.1, 1, 10

# Conditions by name: options of the network, and a colour (Paul Tol's muted ones, for colour-blind readers too).
CONDITIONS = {
    "symmetric": ({"feedback": "symmetric"}, "#332288"),
    "random": ({"feedback": "random"}, "#CC6677"),
    "random + regulariser": ({"feedback": "random", "regularise": 1}, "#882255"),
    "uniform": ({"feedback": "uniform"}, "#999933"),
    "no hidden layer": ({"hidden": [0]}, "#777777"),
    "symmetric, linear": ({"feedback": "symmetric", "surrogate": "linear"}, "#44AA99"),
}
ONE_NEURON = {"task": "regular", "inputs": 100, "outputs": 1, "target_rate": "10Hz", "period": "500ms"}  # 5 targets in 500 ms
COLORS = COLORS | {name: color for name, (_, color) in CONDITIONS.items()}


class ClaimError(AssertionError):
    """A claim of a figure does not hold."""


class Figure:
    """One figure in the making: where it goes, how big its runs are, and what it claims."""

    def __init__(self, name: str, out: str | Path, quick: bool, jobs: int | None, data: str | Path | None) -> None:
        self.name, self.out, self.quick, self.jobs = name, Path(out), quick, jobs
        self.data = Path(data) if data else None
        assert self.data is None or self.data.is_dir(), f"--data: must be a folder, got {data}"
        self.claims: list[tuple[str, str, str, bool | None]] = []
        self.asserted: list[tuple[str, bool]] = []
        self.out.mkdir(parents=True, exist_ok=True)

    def size(self, full, quick):
        """The first value, or the second with --quick."""
        return quick if self.quick else full

    def runs(self, tables: list[dict]) -> list[ss.Run]:
        """Train one network per table of options, in parallel; finished runs are kept beside the pictures."""
        return ss.sweep(tables, self.out / "runs", self.jobs, progress=sys.stderr.isatty())

    def poisson(self) -> dict:
        """100 inputs, one output, five equidistant targets in 500 ms: SSBM's files, or the same drawn here."""
        return self.files("poisson", 0) or ONE_NEURON

    def auryn(self) -> dict:
        """100 inputs, 100 outputs, 3.5 s, about 1,600 target spikes: SSBM's files, or a word."""
        word = {"text": "SuperSpike", "outputs": 100, "period": "3500ms", "inputs": 100, "target_rate": "21Hz"}
        return self.files("auryn", 0) or word

    def oxford(self) -> dict:
        """200 inputs, 200 outputs, 1.89 s, about 10,000 target spikes: SSBM's files, or a picture drawn here."""
        picture = {"image": str(draw_building(self.out / "building.png")), "outputs": 200, "period": "1890ms", "inputs": 200}
        return self.files("oxford", 1) or picture | {"target_rate": "100Hz"}

    def files(self, task: str, ids_from: int) -> dict | None:
        """The options that name SSBM's files, if there is a folder of them."""
        folder = self.folder(task)
        if folder is None:
            return None
        return {
            "input": str(folder / "input.ras"),
            "target": str(folder / "target.ras"),
            "target_ids_from": ids_from,
            **{"poisson": {"period": "500ms"}, "auryn": {"period": "3500ms"}, "oxford": {"period": "1890ms"}}[task],
        }

    def folder(self, name: str) -> Path | None:
        """The folder of a task's or data set's files in that of --data, if it is there."""
        return self.data / name if self.data is not None and (self.data / name).is_dir() else None

    def skip(self, text: str, paper: str, name: str, *panels) -> None:
        """Say in the table, and in its panels, that a data set is not there."""
        self.note(text, paper, f"skipped: needs --data DIR with a folder {name}")
        for axes in panels:
            axes.set_axis_off()
            axes.text(0.5, 0.5, f"needs --data DIR/{name}", ha="center", va="center", color="0.5", transform=axes.transAxes)

    def claim(self, text: str, paper: str, ours: str, holds: bool, quick: bool = True) -> None:
        """Put a claim of the paper into the table, and whether it holds here; ``quick`` if runs of --quick can show it."""
        self.claims.append((text, paper, ours, bool(holds)))
        if quick or not self.quick:
            self.asserted.append((text, bool(holds)))

    def note(self, text: str, paper: str, ours: str) -> None:
        """Put into the table what the paper does not claim."""
        self.claims.append((text, paper, ours, None))

    def finish(self, figure) -> None:
        """Save picture and table; a claim that does not hold, and that runs of this size can show, is an error."""
        save(figure, self.out / f"{self.name}.png")
        lines = ["| claim | paper | ours | holds |", "| --- | --- | --- | --- |"]
        words = {True: "yes", False: "no", None: "–"}
        lines += [f"| {text} | {paper} | {ours} | {words[holds]} |" for text, paper, ours, holds in self.claims]
        (self.out / f"{self.name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{self.name}\n" + "\n".join(lines), flush=True)
        failed = [text for text, holds in self.asserted if not holds]
        if failed:
            raise ClaimError(f"{self.name}: {'; '.join(failed)}")


def run_script(draw, name: str):
    """``main(out, quick, jobs, data)`` of a figure's script, from the function that draws it; it goes beside the script."""

    def main(out=None, quick=False, jobs=None, data=None) -> Figure:
        figure = Figure(name, out or Path(draw.__code__.co_filename).parent, quick, jobs, data)
        with rc_context(STYLE):
            draw(figure)
        return figure

    main.__doc__ = draw.__doc__
    return main


def command_line(main) -> None:
    """``python figures/NAME.py [--quick] [--out DIR] [--jobs N] [--data DIR]``."""
    parser = argparse.ArgumentParser(description=sys.modules[main.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--out", help="folder of the pictures and of the kept runs, by default the script's")
    parser.add_argument("--jobs", type=int, help="processes, by default one per core")
    parser.add_argument("--data", help="folder of folders: the SSBM tasks', and mnist, fashion-mnist, shd")
    main(**vars(parser.parse_args()))


def at_least(passed: int, n: int, proportion: float) -> bool:
    """Whether ``passed`` seeds of ``n`` are not too few for ``proportion``: as few come by chance once in 1,000 times."""
    chances = (math.comb(n, k) * proportion**k * (1 - proportion) ** (n - k) for k in range(passed + 1))
    return sum(chances) > 1e-3


def panel(axes, letter: str) -> None:
    """A panel's letter, outside its upper left corner."""
    axes.annotate(letter, (0, 1), (-26, 8), xycoords="axes fraction", textcoords="offset points", fontweight="bold", fontsize=10)


def smooth(run: ss.Run) -> tuple[np.ndarray, np.ndarray]:
    """Time (s) and the cost's moving average over 10 s."""
    n = round(10_000 / run.network.rule.block)
    cost = run.metrics["cost"]
    mean = np.convolve(cost, np.ones(n))[: len(cost)] / np.minimum(np.arange(len(cost)) + 1, n)
    return run.metrics["time_ms"] / 1000, mean


def draw_curves(axes, runs: list[ss.Run], label: str, color: str, **style) -> None:
    """Median learning curve of several runs, and the band that holds the middle half."""
    time, curves = smooth(runs[0])[0], np.array([smooth(run)[1] for run in runs])
    floor = 0.02
    axes.plot(time, np.maximum(np.median(curves, 0), floor), color=color, label=label, **style)
    low, high = np.maximum(np.percentile(curves, [25, 75], axis=0), floor)
    axes.fill_between(time, low, high, color=color, alpha=0.15, lw=0)
    axes.set(xlabel="simulated time (s)", ylabel="cost (Hz)", yscale="log")


def traces(network: ss.Network, task: ss.Task, begin_ms: float, steps: int, read) -> dict[str, np.ndarray]:
    """What ``read(simulation)`` gives after each of ``steps`` steps from ``begin_ms`` on, plasticity on but no update."""
    from superspike.engine.simulation import Simulation

    simulation = Simulation(network, task, "clock")
    simulation.learn(True)
    if begin_ms:
        simulation.advance(round(begin_ms / network.scheme.dt))
    found = []
    for _ in range(steps):
        _, log = simulation.advance(1)
        found.append(read(simulation, log))
    return {key: np.array([row[key] for row in found]) for key in found[0]}


def draw_building(path: Path) -> Path:
    """A domed building with columns, as the picture that the demo learns; drawn here, black on white."""
    from PIL import Image, ImageDraw

    page = Image.new("L", (945, 600), 255)
    draw = ImageDraw.Draw(page)
    ink, stone = {"fill": 0}, {"fill": 200}
    draw.pieslice((262, 40, 683, 380), 180, 360, **stone)
    draw.rectangle((262, 212, 683, 316), **stone)
    draw.rectangle((150, 340, 795, 536), **stone)
    draw.rectangle((90, 560, 855, 584), **ink)  # steps
    draw.rectangle((130, 536, 815, 554), **ink)
    for x in range(165, 790, 72):  # columns
        draw.rectangle((x, 360, x + 26, 530), **ink)
        draw.rectangle((x - 8, 346, x + 34, 356), **ink)
    draw.rectangle((140, 322, 805, 340), **ink)  # entablature
    draw.line((140, 316, 805, 316), fill=0, width=4)
    for x in range(260, 680, 56):  # drum, with windows
        draw.rounded_rectangle((x, 217, x + 31, 306), 14, outline=0, fill=255, width=7, corners=(True, True, False, False))
    draw.rectangle((235, 200, 710, 212), **ink)
    draw.arc((262, 40, 683, 380), 180, 360, fill=0, width=12)  # dome and its ribs
    for k in (110, 60, 18):
        draw.arc((472 - k * 1.5, 44, 472 + k * 1.5, 380), 180, 360, fill=0, width=6)
    draw.rectangle((446, 6, 498, 40), outline=0, fill=255, width=8)  # lantern
    draw.line((472, 0, 472, 10), fill=0, width=6)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)
    return path


__all__ = [
    "COLORS",
    "CONDITIONS",
    "WIDTH",
    "command_line",
    "draw_curves",
    "new_figure",
    "panel",
    "run_script",
    "smooth",
    "traces",
]

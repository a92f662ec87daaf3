"""Pictures of a run. Matplotlib is imported only when one is asked for."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..model.parameters import ParameterError, extra, one_of
from ..spikes.trains import Spikes
from .config import COST_WINDOW, Training

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; one meaning each in every picture.
COLORS = {"input": "#000000", "hidden": "#009E73", "output": "#0072B2", "target": "#E69F00", "cost": "#D55E00"}
BANDS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # of combinations of options, in a sweep
MOST_DOTS = 20_000  # spikes drawn per panel
LONGEST = 10_000.0  # ms: of longer periods, two excerpts are drawn
EXCERPT = 2_000.0  # ms: their length
FRAMES_PER_S = 6  # of an animation
FEW = 10  # units: up to here, spikes are drawn as ticks and each unit has its number


class Tables(Protocol):
    """What pictures are drawn from: a :class:`superspike.Run`'s metrics (a value a block) and recorded spikes of each layer."""

    metrics: dict[str, Any]
    spikes: dict[str, Spikes]
    training: Training

    @property
    def periods_ms(self) -> list[tuple[float, float]]:
        """Begin and end (ms) of the periods whose spikes are drawn."""

    @property
    def cost_unit(self) -> str:
        """Of the metrics' cost."""


def new_figure(width: float, height: float) -> Figure:
    """A figure (inches) that is drawn straight into a file, whatever display there is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def defaults() -> Iterator[None]:
    """Matplotlib's own settings: a user's matplotlibrc is for the user's own pictures."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        yield


def draw(picture: Callable[[Any], Figure], run: Any, path: str | os.PathLike[str]) -> None:
    """Draw a picture of a run into a file."""
    with defaults():
        save(picture(run), path)


def draw_into(picture: Callable[[Any], Figure], run: Any, file: Any, ending: str) -> None:
    """The same into an open file, in the format that this ending says."""
    with defaults():
        picture(run).savefig(file, format=ending)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file whose ending says the format; there is no file if that fails."""
    formats = figure.canvas.get_supported_filetypes()
    ending = Path(path).suffix.lstrip(".").lower()
    if ending not in formats:
        raise ParameterError(f"{os.fspath(path)}: must end in one of {', '.join('.' + name for name in sorted(formats))}")
    drawn = io.BytesIO()
    figure.savefig(drawn, format=ending)
    Path(path).write_bytes(drawn.getvalue())


def label_log(axes: Axes) -> None:
    """Label a logarithmic y axis 0.1, 1, 10, and between them where it spans less than a decade or two."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        """Which ticks have a label is Matplotlib's choice."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axes.yaxis.set_major_formatter(Plain())
    axes.yaxis.set_minor_formatter(Plain(minor_thresholds=(1, 0.4)))


def learning(run: Tables) -> Figure:
    """Cost and firing rates over time."""
    figure = new_figure(6.0, 5.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    draw_cost(top, run)
    top.set_xlabel("")
    time = run.metrics["time_ms"] / 1000
    for layer in layers(run):
        draw_rate(bottom, time, run.metrics[f"rate_{layer}_hz"], layer, hidden_layers(run))
    shade_burn_in(bottom, run)
    bottom.set(xlabel="simulated time (s)", ylabel="firing rate (Hz)", ylim=(0, None))
    bottom.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def layers(run: Tables) -> list[str]:
    """The layers' names, from the input up."""
    return [name for name in run.spikes if name != "target"]


def hidden_layers(run: Tables) -> int:
    """How many hidden layers there are between input and output."""
    return len(layers(run)) - 2


def draw_rate(axes: Axes, time: Any, values: Any, layer: str, n_hidden: int) -> None:
    """One layer's rate; deeper hidden layers are drawn paler."""
    depth = int(layer.removeprefix("hidden")) if layer.startswith("hidden") else 1
    alpha = 1 - 0.6 * (depth - 1) / max(1, n_hidden - 1) if n_hidden > 1 else 1
    axes.plot(
        time, smooth(values), color=COLORS[layer.rstrip("0123456789")], alpha=alpha, lw=1.5, label=layer_title(layer, n_hidden)
    )


def layer_title(layer: str, n_hidden: int) -> str:
    """``hidden 2`` for ``hidden2``; plain ``hidden`` where there is only one."""
    return layer if not layer.startswith("hidden") else "hidden" if n_hidden == 1 else f"hidden {layer[6:]}"


def smooth(values: Any) -> Any:
    """Mean over the last 2 s or so of blocks, so that a period that is no whole number of blocks does not flicker."""
    width = max(1, min(4, len(values) // 10))
    sums = np.cumsum(np.concatenate([np.repeat(values[:1], width - 1), values]))
    return np.concatenate([sums[width - 1 : width], sums[width:] - sums[:-width]]) / width


def draw_cost(axes: Axes, run: Tables) -> None:
    """Cost of each block, and its mean over the last 10 s, on a logarithmic axis."""
    time_ms, cost = run.metrics["time_ms"], run.metrics["cost"]
    time = time_ms / 1000
    floor = max(float(cost.max()) * 1e-4, 1e-3)
    axes.plot(time, np.maximum(cost, floor), color=COLORS["cost"], lw=0.6, alpha=0.4, label="per block")
    blocks = np.count_nonzero(time_ms > time_ms[-1] - COST_WINDOW)
    means = np.convolve(cost, np.ones(blocks))[: len(cost)] / np.minimum(np.arange(len(cost)) + 1, blocks)
    axes.plot(time, np.maximum(means, floor), color=COLORS["cost"], lw=1.8, label="mean of 10 s")
    shade_burn_in(axes, run)
    drop = run.training.learning_rate_drop_ms
    if 0 < drop < run.training.duration_ms:
        axes.axvline((run.training.burn_in_ms + drop) / 1000, color="0.5", lw=1, ls=":", label="learning rate ÷ 10")
    axes.set(yscale="log", xlabel="simulated time (s)", ylabel=f"cost ({run.cost_unit})" if run.cost_unit else "cost")
    label_log(axes)
    axes.legend(frameon=False, fontsize=8, loc="upper right")


def shade_burn_in(axes: Axes, run: Tables) -> None:
    """Grey where no weight changes."""
    if run.training.burn_in_ms:
        axes.axvspan(0, run.training.burn_in_ms / 1000, color="0.92", lw=0)


def raster(run: Tables) -> Figure:
    """Spikes of the first and the last period: output over target, hidden layers, input."""
    figure = new_figure(9.0, 2.2 + 1.6 * (hidden_layers(run) + 1))
    draw_rasters(figure, run)
    return figure


def draw_rasters(figure: Any, run: Tables) -> None:
    """A column per window, a row per layer from the output down."""
    windows, end = run.periods_ms, run.periods_ms[-1][1]
    titles = ["first period", "last period"] if len(windows) > 1 else ["whole run"]
    if end - windows[-1][0] > LONGEST:
        windows, titles = [(0.0, EXCERPT), (end - EXCERPT, end)], ["first 2 s", "last 2 s"]
    columns = list(zip(windows, titles, strict=True))
    rows = layers(run)[::-1]
    heights = [3 if name == "output" else 2 for name in rows]
    axes = figure.subplots(len(rows), len(columns), sharex="col", sharey="row", height_ratios=heights, squeeze=False)
    n_hidden = hidden_layers(run)
    for column, ((begin, end), title) in enumerate(columns):
        for row, name in enumerate(rows):
            ax = axes[row, column]
            draw_layer(ax, run, name, begin, end)
            if name == "output":
                ax.set_title(f"{title}, from {begin / 1000:g} s" if begin else title, fontsize=10)
            if run.spikes[name].n <= FEW:
                ax.set_yticks(range(run.spikes[name].n))
            if column == 0:
                ax.set_ylabel(f"{layer_title(name, n_hidden)} unit")
        axes[-1, column].set_xlabel("time (ms)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    for handle, size in zip(legend.legend_handles, (11, 7), strict=True):
        handle.set_markersize(size)


def draw_layer(axes: Axes, run: Tables, name: str, begin: float, end: float) -> None:
    """A layer's spikes in a window, the output's over its target's, and its limits."""
    n = run.spikes[name].n
    margin, dot = 0.02 * n, 2.5
    if name == "output":
        dot = float(np.clip(330 / n, 1.8, 4.0))  # points; many units, small dots
        draw_spikes(axes, run, "target", begin, end, size=1.9 * dot)
    draw_spikes(axes, run, name, begin, end, size=dot)
    axes.set(xlim=(0, end - begin), ylim=(-0.5 - margin, n - 0.5 + margin))


def draw_spikes(axes: Axes, run: Tables, name: str, begin: float, end: float, size: float) -> None:
    """One layer's spikes in a window, as dots; few units get ticks that can be seen."""
    spikes = run.spikes[name].between(begin, end)
    chosen = slice(None, None, max(1, -(-len(spikes) // MOST_DOTS)))
    few = spikes.n <= FEW
    axes.plot(
        spikes.times_ms[chosen] - begin,
        spikes.ids[chosen],
        ls="",
        marker="|" if few else ".",
        ms=(16 if name == "target" else 9) if few else size,
        mew=(4 if name == "target" else 1.2) if few else 0,
        color=COLORS[name.rstrip("0123456789")],
        alpha=0.55 if name == "target" else 1,
        label=name,
    )


def animate(run: Tables, period_ms: float, path: str | os.PathLike[str], most: int) -> None:
    """Draw a movie of the output over the target: a frame a period, ``most`` in all, denser at the beginning.

    ``run`` has the spikes of all periods.
    """
    from matplotlib.animation import FuncAnimation

    periods = max(1, int((run.periods_ms[-1][1] + 1e-6) / period_ms))
    frames = np.unique(np.geomspace(1, periods, most).round().astype(int)) - 1
    shown = period_ms if period_ms <= LONGEST else EXCERPT
    with defaults(), tempfile.TemporaryDirectory(dir=Path(path).resolve().parent) as folder:
        figure = new_figure(6.0, 3.4)
        axes = figure.subplots()

        def show(frame: int) -> list[Artist]:
            axes.clear()
            begin = frame * period_ms
            draw_layer(axes, run, "output", begin, begin + shown)
            axes.set(xlabel="time (ms)", ylabel="output unit", title=f"after {begin / 1000:.1f} s")
            return []

        new = Path(folder) / Path(path).name
        FuncAnimation(figure, show, frames=frames.tolist()).save(os.fspath(new), movie_writer(path), dpi=100)
        new.replace(path)


def check_movie(path: str | os.PathLike[str]) -> None:
    """Raise what would come of writing a movie into this file, which stays as it is."""
    where = Path(path).resolve()
    with defaults():
        movie_writer(path)
    if where.is_dir() or not os.access(where.parent, os.W_OK):
        raise ParameterError(f"{path}: must be a file in a folder that may be written to, is not")


def movie_writer(path: str | os.PathLike[str]) -> Any:
    """What writes a movie into a file of this ending."""
    import matplotlib as mpl
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if one_of(f"{os.fspath(path)}: the ending", Path(path).suffix.lower(), (".gif", ".mp4")) == ".gif":
        return PillowWriter(fps=FRAMES_PER_S)
    mpl.rcParams["animation.ffmpeg_path"] = extra("imageio_ffmpeg", "movie").get_ffmpeg_exe()
    return FFMpegWriter(fps=FRAMES_PER_S)


def overview(run: Tables) -> Figure:
    """Rasters above, the learning curve below, in one picture."""
    height = 2.2 + 1.6 * (hidden_layers(run) + 1)
    figure = new_figure(9.0, height + 2.6)
    top, bottom = figure.subfigures(2, 1, height_ratios=[height, 2.6])  # type: ignore[misc]
    draw_rasters(top, run)
    draw_cost(bottom.subplots(), run)
    return figure


def draw_bands(axes: Axes, bands: dict[str, tuple[Any, Any]], xlabel: str, ylabel: str) -> None:
    """Means and standard deviations of several (curves, points) each, over x, on a logarithmic axis."""
    for k, (name, (x, curves)) in enumerate(bands.items()):
        color = BANDS[k % len(BANDS)]
        middle, width = curves.mean(axis=0), curves.std(axis=0)
        axes.plot(
            x, middle, color=color, lw=1.5, ls="-" if k < len(BANDS) else "--", marker="." if len(x) < 2 else "", label=name
        )
        axes.fill_between(x, np.maximum(middle - width, middle / 10), middle + width, color=color, alpha=0.2, lw=0)
    axes.set(yscale="log", xlabel=xlabel, ylabel=ylabel)
    label_log(axes)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))


def draw_heat(figure: Figure, values: Any, x: tuple[str, list[str]], y: tuple[str, list[str]], label: str) -> None:
    """A number for each pair of values of two options, with its digits; grey where there is none."""
    axes = figure.subplots()
    axes.set_facecolor("0.9")
    shown = axes.imshow(values, cmap="viridis_r", aspect="auto", origin="lower")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.text(j, i, f"{value:.3g}", ha="center", va="center", color="white" if value > middle else "black")
    for axis, (name, ticks) in ((axes.xaxis, x), (axes.yaxis, y)):
        axis.set_ticks(range(len(ticks)), ticks)
        axis.set_label_text(name)
    figure.colorbar(shown, label=label)


def weights(run: Any) -> Figure:
    """The weights of each projection: a histogram, and the matrix, blue where they inhibit, red where they excite."""
    named = run.network.named(run.weights)
    figure = new_figure(8.0, 2.6 * len(named))
    rows = figure.subplots(len(named), 2, squeeze=False, width_ratios=[2, 3])
    for (left, right), (name, w) in zip(rows, named.items(), strict=True):
        left.hist(w.ravel(), bins=60, color=COLORS["hidden"], log=True)
        left.set(xlabel=f"{name} (mV)", ylabel="synapses")
        most = float(np.abs(w).max()) or 1.0
        shown = right.imshow(w.T, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", origin="lower", interpolation="nearest")
        right.set(xlabel="presynaptic unit", ylabel="postsynaptic unit")
        figure.colorbar(shown, ax=right, label="mV")
    return figure

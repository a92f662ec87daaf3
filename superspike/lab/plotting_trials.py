"""Pictures of a run that learns labelled samples: learning curves, how decisions are made, which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .plotting import COLORS, FEW, label_log, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..spikes.trains import Spikes

MOST_NUMBERS = 20  # classes up to which a confusion matrix has its numbers written in
LONGEST = 14  # letters of a class's name that are shown


class Decided(Protocol):
    """One sample, and how a network comes to its answer: :class:`superspike.lab.classification.Decision`."""

    spikes: list[Spikes]
    potentials: Any
    label: int
    prediction: int
    latency_ms: float


class Fitted(Protocol):
    """What pictures are drawn from: a :class:`superspike.Fit`."""

    metrics: dict[str, Any]
    progress: dict[str, Any]
    decisions: list[Any]
    validation: Any
    test: Any

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def dt(self) -> float:
        """Length of a step (ms)."""


def named(name: str) -> str:
    """A class's name as it is drawn: short, and nothing in it is mathematics."""
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return "".join(letter if letter.isprintable() else " " for letter in short).replace("$", r"\$")


def learning(run: Fitted) -> Figure:
    """Loss and accuracy over the epochs."""
    figure = new_figure(6.0, 5.0)
    draw_learning(figure, run)
    return figure


def draw_learning(figure: Any, run: Fitted) -> None:
    """The loss above, the share of errors below, where the last tenths of a percent can be seen."""
    top, bottom = figure.subplots(2, 1, sharex=True)
    parts, epochs = run.progress, run.metrics
    top.plot(parts["epoch"], parts["loss"], color=COLORS["cost"], lw=0.8, marker=".", ms=2, alpha=0.5, label="tenths of an epoch")
    top.plot(epochs["epoch"] - 0.5, epochs["loss"], color=COLORS["cost"], lw=1.8, marker=".", label="means of epochs")
    top.set(ylabel="loss (training)")
    if np.any(parts["loss"] > 0):  # one class costs nothing
        top.set_yscale("log")
        label_log(top)
    top.legend(frameon=False, fontsize=8)
    errors = {"training": (COLORS["hidden"], epochs["accuracy"])}
    if "accuracy_validation" in epochs:
        errors["validation"] = (COLORS["output"], epochs["accuracy_validation"])
    shares = [100 * (1 - accuracy[accuracy < 1]) for _, accuracy in errors.values()]
    least = min((float(share.min()) for share in shares if len(share)), default=1.0) / 2  # stands for none
    for name, (color, accuracy) in errors.items():
        bottom.plot(epochs["epoch"], np.maximum(100 * (1 - accuracy), least), color=color, lw=1.5, marker=".", label=name)
    most = min(100.0, 2 * max([least, *(float(share.max()) for share in shares if len(share))]))
    none = [name for name, (_, accuracy) in errors.items() if np.any(accuracy == 1)]
    if none:
        bottom.axhline(least, color="0.5", lw=0.8, ls=":", label="no errors")
    if run.test is not None and run.test.accuracy < 1:
        x, share = epochs["epoch"][-1], 100 * (1 - run.test.accuracy)
        low, high = (100 * (1 - edge) for edge in run.test.interval)
        bar = [[share - high], [low - share]]
        bottom.errorbar([x], [share], bar, color=COLORS["target"], marker="D", capsize=3, zorder=3, label=f"test {share:.2f} %")
    bottom.set(
        yscale="log", xlabel="epoch", ylabel="errors (%)", xlim=(0, max(1.0, epochs["epoch"][-1] * 1.03)), ylim=(None, most)
    )
    label_log(bottom)
    bottom.xaxis.get_major_locator().set_params(integer=True)
    bottom.legend(frameon=False, fontsize=8)


def samples(run: Fitted) -> Figure:
    """A few samples: input, hidden layers, readout, and when the decision was settled."""
    figure = new_figure(2.5 * len(run.decisions) + 1.0, 3.2 + 1.6 * len(run.decisions[0].spikes))
    draw_samples(figure, run)
    return figure


def draw_samples(figure: Any, run: Fitted) -> None:
    """A column per sample, a row per layer from the readout down."""
    layers = len(run.decisions[0].spikes)
    names = ["readout (mV)", *(f"hidden {k}" if layers > 2 else "hidden" for k in range(layers - 1, 0, -1)), "input"]
    heights = [3, *[2] * layers]
    axes = figure.subplots(len(names), len(run.decisions), sharex=True, sharey="row", height_ratios=heights, squeeze=False)
    for column, decision in enumerate(run.decisions):
        said, meant = named(run.classes[decision.prediction]), named(run.classes[decision.label])
        right = decision.prediction == decision.label
        axes[0, column].set_title(f"{meant}: right" if right else f"{meant}: taken for\n{said}", fontsize=10)
        draw_readout(axes[0, column], decision, run.dt)
        for row, (spikes, name) in enumerate(zip(decision.spikes[::-1], names[1:], strict=True), 1):
            ax = axes[row, column]
            few = spikes.n <= FEW
            size = float(np.clip(75 / np.sqrt(len(spikes) + 1), 1, 2.5))  # points; many spikes, small dots
            color = COLORS["input" if name == "input" else "hidden"]
            ax.plot(spikes.times_ms, spikes.ids, ls="", marker="|" if few else ".", ms=9 if few else size, color=color)
            ax.set_ylim(-0.02 * spikes.n - 0.5, 1.02 * spikes.n - 0.5)
            ax.yaxis.get_major_locator().set_params(integer=True)
        axes[-1, column].set_xlabel("time (ms)")
    handles = {label: handle for ax in axes[0] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    order = [label for label in ("answer", "right class", "others", "settled") if label in handles]
    axes[0, -1].legend(
        [handles[label] for label in order], order, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1)
    )
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(name if row == 0 else f"{name} unit")
    axes[-1, 0].set_xlim(0, len(run.decisions[0].potentials) * run.dt)


def draw_readout(ax: Axes, decision: Decided, dt: float) -> None:
    """All outputs' potentials, the answer's and the right one's in colour, and a line where the answer was settled."""
    time = np.arange(len(decision.potentials)) * dt
    for k, u in enumerate(decision.potentials.T):
        if k not in (decision.prediction, decision.label):
            ax.plot(time, u, color="0.75", lw=0.8, label="others")
    if decision.prediction != decision.label:
        ax.plot(time, decision.potentials[:, decision.label], color=COLORS["target"], lw=1.5, label="right class")
    ax.plot(time, decision.potentials[:, decision.prediction], color=COLORS["output"], lw=1.8, label="answer")
    ax.axvline(decision.latency_ms, color=COLORS["cost"], lw=1, ls=":", label="settled", clip_on=False)


def confusion(run: Fitted) -> Figure:
    """Which classes (rows) are taken for which (columns), of the test samples, or the validation's; white: never."""
    said, names = (run.test, "test") if run.test is not None else (run.validation, "validation")
    figure = new_figure(6.4, 5.6)
    ax = figure.subplots()
    if said is None:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no test or validation samples", ha="center")
        return figure
    counts, n = said.confusion, len(run.classes)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    shown = ax.imshow(np.where(counts > 0, shares, np.nan) ** 0.5, cmap="Blues", vmin=0, vmax=1)  # so that few errors show
    if n <= MOST_NUMBERS:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                ax.text(j, i, count, ha="center", va="center", fontsize=7, color="white" if shares[i, j] > 0.4 else "black")
        classes = [named(name) for name in run.classes]
        long = max(map(len, classes)) > 2
        ax.set_xticks(range(n), classes, rotation=45 if long else 0, ha="right" if long else "center")
        ax.set_yticks(range(n), classes)
    bar = figure.colorbar(shown, label="share of the class (%)")
    bar.set_ticks([0.1, 0.316, 0.5, 0.707, 1.0], labels=["1", "10", "25", "50", "100"])
    low, high = said.interval
    ax.set(xlabel="answer", ylabel="class")
    ax.set_title(f"{names}: {100 * said.accuracy:.2f} % right ({100 * low:.2f} … {100 * high:.2f})", fontsize=10)
    return figure


def overview(run: Fitted) -> Figure:
    """Decisions above, learning curves below, in one picture."""
    height = 3.2 + 1.6 * len(run.decisions[0].spikes)
    figure = new_figure(2.5 * len(run.decisions) + 1.0, height + 4.6)
    top, bottom = figure.subfigures(2, 1, height_ratios=[height, 4.6])  # type: ignore[misc]
    draw_samples(top, run)
    draw_learning(bottom, run)
    return figure

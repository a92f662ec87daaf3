"""The talk: Fashion-MNIST. Learning curves, which clothes are taken for which, and what hidden neurons look for.

Latency code, one hidden layer, the data set's defaults but for ten epochs; 5,000 pictures are held out for the learning curves, and the
test set is read once, after the last epoch.
"""

import numpy as np
from shared import COLORS, WIDTH, command_line, new_figure, panel, percent, run_script

NETWORKS = {
    "784-256-10, symmetric": ({"hidden": "256", "feedback": "symmetric"}, COLORS["symmetric"], "-"),
    "784-256-10, random": ({"hidden": "256", "feedback": "random"}, COLORS["random"], "-"),
    "784-100-10, symmetric": ({"hidden": "100", "feedback": "symmetric"}, COLORS["symmetric"], "--"),
}
BPTT = 86.3  # %, 784-100-10: Neftci, Mostafa & Zenke's tutorial (spytorch), 30 epochs
SHOWN = (3, 8)  # rows and columns of hidden neurons


def draw(figure):
    """Learning curves and confusions above, weights below."""
    picture = new_figure(WIDTH, 5.6)
    top, bottom = picture.subfigures(2, 1, height_ratios=[3.0, 2.6])
    curves, confusion = top.subplots(1, 2, width_ratios=[1, 1.1])
    panel(curves, "a")
    panel(confusion, "b")
    data = figure.folder("fashion-mnist")
    if data is None:
        text, paper = "784-100-10 reaches what backpropagation through time reaches", f"{BPTT} %"
        figure.skip(text, paper, "fashion-mnist", curves, confusion, bottom.subplots())
    else:
        draw_fits(figure, data, curves, confusion, bottom)
    figure.finish(picture)


def draw_fits(figure, data, curves, confusion, bottom):
    """All panels, and the claims."""
    base = {"task": "fashion-mnist", "data": str(data), "epochs": figure.size(10, 2)}
    fits = dict(zip(NETWORKS, figure.runs([base | options | {"seed": 1} for options, _, _ in NETWORKS.values()]), strict=True))
    accuracy = dict(zip(fits, percent(fits.values()), strict=True))
    for name, fit in fits.items():
        _, color, style = NETWORKS[name]
        draw_curve(curves, fit, name, color, style)
    curves.axhline(100 - BPTT, color="0.5", lw=0.8, ls=":", label="BPTT, test, 784-100-10")
    curves.set(xlabel="epoch", ylabel="errors (%)", title="thick: validation, thin: training, ◆: test")
    curves.legend(loc="upper right")
    draw_confusion(confusion, fits["784-256-10, symmetric"].test)
    draw_weights(bottom, fits["784-256-10, symmetric"].network)

    def words(name):
        low, high = (100 * edge for edge in fits[name].test.interval)
        return f"{accuracy[name]:.2f} % ({low:.1f} … {high:.1f})"

    symmetric, random, small = NETWORKS
    figure.claim(
        f"{small}: what backpropagation through time reaches (latency code, final epoch, test)", f"{BPTT} % after 30 epochs",
        f"{words(small)} after {base['epochs']}", accuracy[small] > BPTT, quick=False,
    )  # fmt: skip
    figure.claim(
        "more hidden neurons help", "–", f"{words(symmetric)} with 256", accuracy[symmetric] > accuracy[small], quick=False
    )
    figure.claim(
        "random feedback stays within 1.5 points of symmetric feedback", "–", words(random),
        accuracy[random] > accuracy[symmetric] - 1.5, quick=False,
    )  # fmt: skip
    shirt = int(np.argmin(np.diag(fits[symmetric].test.confusion)))
    name, counts = fits[symmetric].classes[shirt], fits[symmetric].test.confusion[shirt]
    figure.note("the class that is mistaken most often", "–", f"{name}: {counts[shirt]} of {counts.sum()} right")


def draw_curve(axes, fit, label, color, style):
    """Errors on the validation and training samples, and on the test samples in the end."""
    epochs, metrics = fit.metrics["epoch"], fit.metrics
    axes.plot(epochs, 100 * (1 - metrics["accuracy_validation"]), color=color, ls=style, lw=1.8, label=label)
    axes.plot(epochs, 100 * (1 - metrics["accuracy"]), color=color, ls=style, lw=0.7)
    axes.plot(
        epochs[-1], 100 * (1 - fit.test.accuracy), "D", ms=4, color=color, mfc=color if style == "-" else "white", clip_on=False
    )


def draw_confusion(axes, test):
    """Shares of each class (rows) that are taken for each (columns), in %."""
    shares = 100 * test.confusion / np.maximum(test.confusion.sum(1, keepdims=True), 1)
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=10)  # roots, so that few errors show
    for (row, column), share in np.ndenumerate(shares):
        if share > 0.5:
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=6, color="white" if share > 40 else "black")
    names = range(len(test.classes)), test.classes
    axes.set_xticks(*names, rotation=45, ha="right", fontsize=6.5)
    axes.set_yticks(*names, fontsize=6.5)
    axes.set(xlabel="answer", ylabel="class", title="share of the class (%)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw_weights(picture, network):
    """First-layer weights as images: of the neurons on which the readout relies most, in its order of them."""
    w_in, w_out = network.weights
    chosen = np.argsort(np.linalg.norm(w_out, axis=1))[::-1][: SHOWN[0] * SHOWN[1]]
    side = round(np.sqrt(len(w_in)))
    rows = picture.subplots(*SHOWN)
    bound = float(np.percentile(np.abs(w_in[:, chosen]), 99))
    for axes, unit in zip(rows.flat, chosen, strict=True):
        shown = axes.imshow(w_in[:, unit].reshape(side, side), cmap="PuOr_r", vmin=-bound, vmax=bound)
        axes.set_axis_off()
    picture.colorbar(shown, ax=rows, label="weight (mV)", shrink=0.8)
    panel(rows[0, 0], "c")


main = run_script(draw, "talk3_fashion_mnist")
if __name__ == "__main__":
    command_line(main)

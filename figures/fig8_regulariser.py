"""Figure 8: the heterosynaptic regulariser with random feedback: a sweep of its strength ρ for several exponents a.

For a > 0 there is a best ρ; a = 0, plain weight decay, is always worse. r0 = 1 mV, 100-128-100.
"""

import numpy as np
from common import WIDTH, command_line, new_figure, panel, run_script

COLORS_BY_EXPONENT = {0: "#777777", 1: "#88CCEE", 2: "#44AA99", 4: "#882255"}


def draw(figure):
    """Final cost and the hidden layer's rate over ρ, a line for each exponent."""
    seeds, seconds, width = (
        figure.size(2, 4),
        figure.size(1000, 500),
        128,
    )  # seeds differ by 0.5 Hz, the costs compared by 1 and more
    strengths = figure.size([0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1e3, 1e4], [0.1, 1.0, 100.0, 1e6])
    exponents = figure.size([0, 1, 2, 4], [0, 4])
    base = figure.auryn() | {"hidden": [width], "feedback": "random", "learning_rate": "1mV", "duration": f"{seconds}s"}
    keys = [(None, 0.0)] + [(a, rho) for a in exponents for rho in strengths]
    tables = [
        base | ({} if a is None else {"regularise": rho, "regularise_exponent": a}) | {"seed": seed}
        for a, rho in keys
        for seed in range(1, seeds + 1)
    ]
    runs = figure.runs(tables)
    found = {key: runs[k * seeds : (k + 1) * seeds] for k, key in enumerate(keys)}
    cost = {key: np.mean([run.cost for run in of_key]) for key, of_key in found.items()}
    rate = {key: np.mean([run.metrics["rate_hidden1_hz"][-20:].mean() for run in of_key]) for key, of_key in found.items()}

    picture = new_figure(WIDTH, 2.8)
    left, right = picture.subplots(1, 2)
    for axes, values in ((left, cost), (right, rate)):
        axes.axhline(values[None, 0.0], color="k", ls="--", lw=1, label="ρ = 0")
        for a in exponents:
            axes.plot(strengths, [values[a, rho] for rho in strengths], "o-", ms=4, color=COLORS_BY_EXPONENT[a], label=f"a = {a}")
        axes.set(xscale="log", xlabel="strength ρ")
    left.set(ylabel="final cost (Hz)")
    right.set(ylabel="hidden rate (Hz)")
    right.legend(loc="upper left", bbox_to_anchor=(1, 1))
    panel(left, "a")
    panel(right, "b")

    none = cost[None, 0.0]
    best = {a: min(strengths, key=lambda rho, a=a: cost[a, rho]) for a in exponents}
    positive = [a for a in exponents if a > 0]
    at_best = ", ".join(f"a = {a}: {cost[a, best[a]]:.1f} at ρ = {best[a]:g}" for a in exponents)
    figure.claim(
        "for a > 0 the regulariser helps at its best ρ",
        "a > 0 has a best ρ",
        f"ρ = 0: {none:.1f} Hz; {at_best}",
        all(cost[a, best[a]] < none for a in positive),
    )
    figure.claim(
        "for a > 0 the best ρ lies inside the sweep",
        "a > 0 has a best ρ",
        at_best,
        all(best[a] < strengths[-1] for a in positive),
    )
    figure.claim(
        "a = 0 is worse than a > 0, each at its best ρ",
        "a = 0 is always worse",
        at_best,
        all(cost[0, best[0]] > cost[a, best[a]] for a in positive),
    )
    figure.claim(
        "the regulariser lowers the hidden layer's rate (a = 4, ρ = 1)",
        "regularised networks fire less",
        f"{rate[None, 0.0]:.1f} → {rate[4, 1.0]:.1f} Hz",
        rate[4, 1.0] < rate[None, 0.0],
    )
    figure.finish(picture)


main = run_script(draw, "fig8_regulariser")
if __name__ == "__main__":
    command_line(main)

"""Figure 3: the quantities of the rule at one synapse, over one trial early in learning.

Presynaptic trace × surrogate of the membrane potential, low-passed into the eligibility trace, times the error.
"""

import numpy as np
from common import COLORS, WIDTH, command_line, new_figure, run_script, traces

from superspike.lab import config
from superspike.model.scheme import trace_filter


def draw(figure):
    """Pre trace, membrane potential, surrogate, eligibility trace, error, and their running product."""
    task, network, _ = config.build(figure.poisson() | {"hidden": [0], "w0": "60mV", "precision": "double"})
    counts = np.bincount(task.inputs.ids, minlength=task.n_inputs)
    pre = int(np.argmax(np.where(counts <= 4, counts, 0)))  # a unit with a few spikes that can be told apart
    begin, period = 2 * task.period_ms, task.period_ms

    def read(simulation, log):
        state, unit = simulation.state, simulation.where.start[-2]
        then, ring = simulation.step - 1, state.f.shape[0]  # f(U) of a step lies where it is read, D steps later
        return {
            "pre trace": state.p2[pre],
            "U (mV)": state.v[unit] + network.neuron.v_rest,
            "f(U) (1/mV)": state.f[(then + simulation.constants.delay) % ring, unit],
            "λ (1/mV)": simulation.traces["h2"][0][pre, 0],
            "error e": state.e2[unit],
            "Σ e λ (1/mV)": simulation.traces["m"][0][pre, 0],
            "_f_then": state.f[then % ring, unit],
        }

    found = traces(network, task, begin, round(period / network.scheme.dt), read)
    time = np.arange(len(found["error e"])) * network.scheme.dt
    colors = {"pre trace": "input", "U (mV)": "output", "f(U) (1/mV)": "hidden", "error e": "cost"}
    names = [name for name in found if not name.startswith("_")]
    picture = new_figure(WIDTH, 6.0)
    rows = picture.subplots(len(names), 1, sharex=True)
    for axes, name in zip(rows, names, strict=True):
        axes.plot(time, found[name], color=COLORS[colors[name]] if name in colors else "#117733")
        axes.set_ylabel(name)
        if name == "U (mV)":
            axes.axhline(-50, color="0.6", lw=0.8, ls=":")
            for t in task.targets.times_ms:
                axes.axvline(t, ymin=0.85, color=COLORS["target"], lw=2)
        if name == "pre trace":
            for t in task.inputs.train(pre):
                axes.axvline(t, color="0.7", lw=0.8)
    rows[-1].set(xlabel="time (ms)", xlim=(0, period))
    picture.align_ylabels(rows)

    # The rule read off the picture: λ is the low-passed product of pre trace and surrogate, Σ e λ its product with the error.
    alpha = trace_filter(network.rule, network.scheme)
    p, f = found["pre trace"], found["_f_then"]
    h1 = h2 = 0.0
    lam = np.zeros(len(p))
    begin_p = np.concatenate([[p[0]], p[:-1]])
    for n in range(len(p)):
        x = h1 + f[n] * begin_p[n]
        h2 = alpha.a2 * h2 + alpha.c * x
        h1 = alpha.a1 * x
        lam[n] = h2
    tail = time > 200  # the filter has forgotten what was before the picture
    close = np.abs(lam - found["λ (1/mV)"])[tail].max() / np.abs(found["λ (1/mV)"]).max()
    figure.claim(
        "the eligibility trace is α ∗ [f(U) (ε ∗ S)]", "Eq. 3.3", f"largest difference {close:.0e} of its range", close < 1e-6
    )
    product = found["error e"] * found["λ (1/mV)"]
    steps = np.diff(found["Σ e λ (1/mV)"])
    same = np.abs(steps - product[1:])
    same = same[found["Σ e λ (1/mV)"][1:] != 0].max() / np.abs(product).max()
    figure.claim(
        "the weight change accumulates error × eligibility", "Eq. 3.3", f"largest difference {same:.0e} of its range", same < 1e-9
    )
    figure.finish(picture)


main = run_script(draw, "fig3_quantities")
if __name__ == "__main__":
    command_line(main)

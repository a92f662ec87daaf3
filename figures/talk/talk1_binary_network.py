"""The talk: a spiking network is a binary recurrent network (Neftci, Mostafa & Zenke 2019).

One neuron of a recurrent layer, step by step: I, U and S of the unrolled equations,

    I[n+1] = α I[n] + Σ W S⁰[n] + Σ V S[n]     U[n+1] = β U[n] + I[n] − S[n]     S[n] = Θ(U[n] − 1)

and the way of the gradient of one weight forward in time: ∂U/∂W, times the surrogate f = σ'(U) in the place of Θ', low-passed into λ, times
the error e. All of it is the engine's; the same equations, replayed in NumPy, give the same numbers.
"""

import numpy as np
from shared import COLORS, WIDTH, command_line, new_figure, run_script, traces

import superspike as ss

STEPS, N_IN, N, N_OUT = 200, 20, 8, 2
HEIGHT = 10.0  # mV from rest to threshold, 1 in the equations
TAU_SYN, TAU_MEM, DT = 5.0, 10.0, 1.0
ALPHA, BETA = np.exp(-DT / TAU_SYN), np.exp(-DT / TAU_MEM)
SLOWNESS = (BETA - ALPHA) * TAU_SYN / (TAU_MEM - TAU_SYN)  # of the low-pass α ∗: its gain in a step


def draw(figure):
    """The engine's traces of a neuron and of a synapse, row by row."""
    rng = np.random.default_rng(1)
    weights = {"w0": rng.normal(0.03, 0.1, (N_IN, N)), "v1": rng.normal(0, 0.1, (N, N)), "w1": rng.normal(0.15, 0.3, (N, N_OUT))}
    task = ss.tasks.poisson(n_inputs=N_IN, input_rate=25.0, outputs=N_OUT, target_rate=20.0, period_ms=STEPS * DT, seed=1)
    network = ss.Network(
        [N_IN, N, N_OUT], recurrent=True, weights={name: w * HEIGHT for name, w in weights.items()},
        neuron=ss.LIF(TAU_MEM, TAU_SYN, 0.0, reset="subtract"), rule=ss.Rule(tau_rise=TAU_SYN, tau_decay=TAU_MEM),
        scheme=ss.Scheme(dt=DT, delay=DT, integration="nmz19", precision="double"),
    )  # fmt: skip

    def read(simulation, log):
        spikes = np.zeros(N)
        spikes[simulation.spikes(log, 1)[1]] = 1
        state, hidden = simulation.state, slice(simulation.where.start[1], simulation.where.start[1] + N)
        names = [projection.name for projection in network.projections]
        h2, m = (dict(zip(names, simulation.traces[name], strict=True)) for name in ("h2", "m"))
        u = state.v[hidden] / HEIGHT + spikes / BETA  # what is kept after a spike is U − 1/β
        own = {"I": state.current[hidden] / HEIGHT, "U": u, "S": spikes, "e": state.e2[hidden].copy()}
        return own | {"λ": h2["w0"].copy(), "Σ e λ": m["w0"].copy()}

    found = traces(network, task, 0.0, STEPS, read)
    edges = np.arange(STEPS + 1) * DT, np.arange(N_IN + 1)
    inputs = np.histogram2d(task.inputs.times_ms + 1e-6, task.inputs.ids, edges)[0]
    ours = replayed(inputs, weights)
    draw_rows(figure, found, ours, inputs)


def replayed(inputs, weights):
    """I, U, S of the hidden layer by the equations, and ∂U/∂W of the input weights, f and λ, forward in time."""
    found = {name: np.zeros((STEPS, N)) for name in ("I", "U", "S", "f")} | {
        name: np.zeros((STEPS, N_IN, N)) for name in ("∂U", "λ")
    }
    i, u, s = np.zeros((3, N))
    di, du, h1, h2 = np.zeros((4, N_IN, N))
    for n in range(STEPS):
        before = inputs[n - 1] if n else np.zeros(N_IN)
        u, i = BETA * u + i - s, ALPHA * i + before @ weights["w0"] + s @ weights["v1"]
        du, di = BETA * du + di, ALPHA * di + before[:, None]
        if n:  # the product reaches the trace a step later, with the delay of the error
            h1 = h1 + found["f"][n - 1] * found["∂U"][n - 1]
        h2 = BETA * h2 + SLOWNESS * h1
        h1 = ALPHA * h1
        s = (u > 1).astype(float)
        f = 1 / (1 + HEIGHT * np.abs(u - 1)) ** 2
        for name, value in {"I": i, "U": u, "S": s, "f": f, "∂U": du, "λ": h2}.items():
            found[name][n] = value
    return found


def draw_rows(figure, found, ours, inputs):
    """The picture, and the claims."""
    unit = int(np.argmin(np.abs(ours["S"].sum(0) - 10)))  # one with some ten spikes
    pre = int(np.argmin(np.abs(inputs.sum(0) - 5)))  # whose spikes can be told apart
    time = np.arange(STEPS) * DT
    fired = time[found["S"][:, unit] > 0]
    sums = np.cumsum(found["e"] * ours["λ"][:, pre], axis=0)
    rows = {
        "I": ([(found["I"][:, unit], COLORS["input"])], "I[n+1] = αI[n] + ΣWS⁰[n] + ΣVS[n]"),
        "U": ([(found["U"][:, unit], COLORS["output"])], "U[n+1] = βU[n] + I[n] − S[n],  S[n] = Θ(U[n] − 1)"),
        "f (1/mV)": ([(ours["f"][:, unit], COLORS["hidden"])], "σ'(U[n]) in the place of Θ'"),
        "∂U/∂W": ([(ours["∂U"][:, pre, unit], "#117733")], "of one input weight: its spikes, filtered as in I and U"),
        "λ (1/mV)": ([(found["λ"][:, pre, unit], "#117733")], "λ = α ∗ (f ∂U/∂W)"),
        "e": ([(found["e"][:, unit], COLORS["cost"])], "error, through the feedback of the outputs'"),
        "Σ e λ (1/mV)": ([(found["Σ e λ"][:, pre, unit], "#117733")], "what the weight is changed by"),
    }
    picture = new_figure(WIDTH, 6.6)
    axes = picture.subplots(len(rows), 1, sharex=True)
    for ax, (name, (curves, text)) in zip(axes, rows.items(), strict=True):
        for curve, color in curves:
            ax.step(time, curve, color=color, where="post")
        ax.set_ylabel(name)
        ax.set_title(text, loc="left", fontsize=7.5, color="0.3", pad=2)
    axes[1].axhline(1, color="0.6", lw=0.8, ls=":")
    axes[1].vlines(fired, 1.25, 1.55, color=COLORS["output"], lw=1.5)
    axes[1].annotate("S", (1.005, 0.8), xycoords="axes fraction", color=COLORS["output"])
    axes[3].vlines(np.flatnonzero(inputs[:, pre]) * DT, 0, ours["∂U"][:, pre].max(), color="0.7", lw=0.8)
    axes[-1].set(xlabel="time (ms), a step each", xlim=(0, STEPS * DT))
    picture.align_ylabels(axes)

    spikes = int(found["S"].sum())
    figure.claim(
        "the engine's I and U are those of the binary recurrent network, replayed in NumPy", "SNNs are binary RNNs",
        f"largest difference {np.abs(found['I'] - ours['I']).max():.0e} and {np.abs(found['U'] - ours['U']).max():.0e} of a threshold",
        max(np.abs(found[x] - ours[x]).max() for x in "IU") < 1e-9,  # double precision
    )  # fmt: skip
    figure.claim(
        "and so is every spike S", "S = Θ(U − 1)", f"{spikes} spikes of {N} neurons in {STEPS} steps, the same",
        spikes > STEPS / 10 and np.array_equal(found["S"], ours["S"]),
    )  # fmt: skip
    close = np.abs(found["λ"] - ours["λ"]).max() / np.abs(ours["λ"]).max()
    figure.claim(
        "the eligibility trace is the surrogate gradient ∂S/∂W ≈ f ∂U/∂W, differentiated forward in time and low-passed",
        "RTRL, without the ways through reset and recurrence", f"largest difference {close:.0e} of its range", close < 1e-9,
    )  # fmt: skip
    close = np.abs(found["Σ e λ"][:, pre] - sums).max() / np.abs(sums).max()
    figure.claim("the weight change accumulates e λ", "–", f"largest difference {close:.0e} of its range", close < 1e-9)
    figure.finish(picture)


main = run_script(draw, "talk1_binary_network")
if __name__ == "__main__":
    command_line(main)

"""What a user would pick instead, on the benchmark's main task: surrogate gradients in PyTorch, equations in Brian2.

Both have the engines' neurons, filters, step and weights, Poisson spike trains of the task's rates, no axonal delay, and
run on one core. Each is written as its users write it: PyTorch stores every step of a trial and differentiates through
time (BPTT, one update per call); Brian2 advances equations per synapse in every step, compiled by Cython where there is
a C++ compiler.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.neuron import LIF
from ..model.rule import Rule
from ..model.scheme import Scheme, error_filter, whole_steps
from .benchmark import DT_S, MAIN, Case, Runner, interleaved, trained

Peer = Callable[[float], float]  # simulates and learns for so many seconds; returns the wall-clock seconds

NEURONS = """
dv/dt = (-60*mV - v + I) / (10*ms) : volt (unless refractory)
dI/dt = -I / (5*ms) : volt
de1/dt = -e1 / (5*ms) : 1
de2/dt = (e1 - e2) / (10*ms) : 1
f = 1 / (1 + abs(v + 50*mV) / mV)**2 : 1
"""
PRE = """
dz1/dt = -z1 / (5*ms) : 1
dz2/dt = (z1 - z2) / (10*ms) : 1
"""
SYNAPSES = """
dh1/dt = -h1 / (5*ms) + f_post * z2_pre / ms : 1 (clock-driven)
dh2/dt = (h1 - h2) / (10*ms) : 1 (clock-driven)
dm/dt = e2_post * h2 / ms : 1 (clock-driven)
w : volt
scale : 1
"""
UPDATE = """
scale = clip(0.98 * scale, m**2, inf)
w = clip(w + 1*mV * m / (sqrt(scale) + 1e-15), -100*mV, 100*mV)
m = 0
"""


def brian2(case: Case, weights: list[NDArray[Any]]) -> Peer:
    """The rule as Brian2 equations."""
    b2 = importlib.import_module("brian2")
    ms, mv = b2.ms, b2.mV
    b2.defaultclock.dt = DT_S * b2.second
    n_in, n_hidden, n_out = case.sizes

    def layer(n: int, impulse: float) -> Any:
        reset = f"v = -60*mV; z1 += 1; e1 -= {impulse}"
        group = b2.NeuronGroup(n, NEURONS + PRE, threshold="v > -50*mV", reset=reset, refractory=5 * ms, method="euler")
        group.v = -60 * mv
        return group

    def project(pre: Any, post: Any, w: NDArray[Any]) -> Any:
        synapses = b2.Synapses(pre, post, SYNAPSES, on_pre="I_post += w", method="euler")
        synapses.connect()
        synapses.w = w.ravel() * mv
        synapses.run_regularly(UPDATE, dt=500 * ms)
        return synapses

    def feed_back(pre: Any, impulse: float) -> Any:
        synapses = b2.Synapses(pre, hidden, "b : 1", on_pre=f"e1_post += {impulse} * b")
        synapses.connect()
        return synapses

    hidden, out, targets = layer(n_hidden, 0), layer(n_out, 0.02), b2.PoissonGroup(n_out, case.target_rate * b2.Hz)
    inputs = b2.NeuronGroup(n_in, PRE, threshold=f"rand() < {case.input_rate}*Hz*dt", reset="z1 += 1", method="euler")
    want = b2.Synapses(targets, out, on_pre="e1_post += 0.02")
    want.connect("i == j")
    below, above = project(inputs, hidden, weights[0]), project(hidden, out, weights[1])
    errors = feed_back(targets, 0.02), feed_back(out, -0.02)

    @b2.network_operation(dt=500 * ms)  # type: ignore[untyped-decorator]
    def symmetric() -> None:
        for synapses in errors:
            synapses.b = np.asarray(above.w / mv).reshape(n_hidden, n_out).T.ravel()

    network = b2.Network(inputs, hidden, out, targets, want, below, above, *errors, symmetric)

    def run(seconds: float) -> float:
        began = time.perf_counter()
        network.run(seconds * b2.second)
        return time.perf_counter() - began

    return run


def step_with_surrogate(slope: float) -> Callable[[Any], Any]:
    """PyTorch's step function of x, whose derivative is said to be 1 / (1 + slope |x|)² (ZG18 Eq. 3.3)."""
    torch: Any = importlib.import_module("torch")

    class Spike(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return (x > 0).float()

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient / (1 + slope * ctx.saved_tensors[0].abs()) ** 2

    return Spike.apply  # type: ignore[no-any-return]


def pytorch(case: Case, weights: list[NDArray[Any]]) -> Peer:
    """Backpropagation through time with the same surrogate and loss."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    membrane, (error, impulse) = LIF().cell(Scheme().dt, Scheme().integration), error_filter(Rule(), Scheme())
    parameters = [torch.tensor(w, dtype=torch.float32, requires_grad=True) for w in weights]
    optimizer = torch.optim.RMSprop(parameters, lr=0.1)
    spikes_where = step_with_surrogate(1.0)
    n_ref = whole_steps("LIF.tau_ref", LIF().tau_ref, Scheme().dt)

    def run(seconds: float) -> float:
        steps, n_in, n_out = round(seconds / DT_S), case.sizes[0], case.sizes[-1]
        inputs = (torch.rand(steps, n_in) < case.input_rate * DT_S).float()
        targets = (torch.rand(steps, n_out) < case.target_rate * DT_S).float()
        state = [[torch.zeros(n), torch.zeros(n), torch.zeros(n)] for n in case.sizes[1:]]
        e1, e2 = torch.zeros(2, n_out)
        loss = torch.zeros(())
        began = time.perf_counter()
        for u in range(steps):
            spikes = inputs[u]
            for layer, w in zip(state, parameters, strict=True):
                v, current, left = layer
                v = torch.where(left > 0, 0.0, membrane.a_mem * v + membrane.c_mem * current)
                fired = spikes_where(v - membrane.threshold)
                layer[:] = (
                    v * (1 - fired),
                    membrane.a_syn * current + spikes @ w,
                    torch.where(fired > 0, n_ref, left - 1).detach(),
                )
                spikes = fired
            e1 = error.a1 * e1
            e2 = error.a2 * e2 + error.c * e1
            e1 = e1 + impulse * (targets[u] - spikes)
            loss = loss + (e2 * e2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return time.perf_counter() - began

    return run


PEERS: dict[str, tuple[str, Callable[[Case, list[NDArray[Any]]], Peer]]] = {
    "torch": ("PyTorch, BPTT", pytorch),
    "brian2": ("Brian2", brian2),
}


def compare(repeats: int, seconds: float = 0.5, case: Case = MAIN) -> list[dict[str, Any]]:
    """Wall-clock seconds per simulated second of the event engine and of each peer that is installed, interleaved.

    Parameters
    ----------
    repeats, seconds
        How often, and how long in simulated time (default: one block of the rule), each is timed.
    case
        The network and its rates.

    Returns
    -------
    list of dict
        Name, version, median, all repeats and the ratio to the event engine; or name and what to install.
    """
    weights = trained(case)
    own = Runner(case, "event", weights=weights)
    own.seconds(10_000)
    timed: dict[str, Peer] = {"superspike": lambda seconds: own.seconds(round(seconds / DT_S))}
    rows: list[dict[str, Any]] = []
    for package, (name, make) in PEERS.items():
        if find_spec(package) is None:
            rows.append({"peer": name, "install": f"pip install {package}"})
            continue
        timed[package] = make(case, weights)
        timed[package](100 * DT_S)  # compiles
    walls = interleaved([partial(peer, seconds) for peer in timed.values()], repeats)
    found = {package: [wall / seconds for wall in own] for package, own in zip(timed, walls, strict=True)}
    ours = statistics.median(found["superspike"])
    names = {"superspike": "superspike, event engine"} | {package: name for package, (name, _) in PEERS.items()}
    return [
        {
            "peer": names[package],
            "version": version(package),
            "s_per_simulated_s": statistics.median(times),
            "times": times,
            "ratio": statistics.median(times) / ours,
        }
        for package, times in found.items()
    ] + rows


def peer_lines(rows: Sequence[Mapping[str, Any]], width: int, words: Callable[[Any], str]) -> list[str]:
    """A line of each peer: its name, ``width`` characters wide, and its version and ``words`` of its row; or what to install."""
    return [
        f"{row['peer']:<{width}}"
        + (f"not installed: {row['install']}" if "install" in row else f"{row['version']:<14}{words(row)}")
        for row in rows
    ]

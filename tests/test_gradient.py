"""Exact gradients: backward and forward in time, against finite differences, PyTorch and what the local rule adds up."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import test_trial
from helpers import relative, surrogate_spike
from test_trial import classifier, dense, samples

from superspike import (
    LIF,
    CrossEntropy,
    FastSigmoid,
    Layer,
    Network,
    ParameterError,
    Projection,
    Rates,
    Readout,
    Rule,
    Scheme,
    Spikes,
    tasks,
)
from superspike.engine.classifier import Classifier
from superspike.engine.gradient import Path, bptt, exact_gradient, rasters, run, trial_cost
from superspike.engine.simulation import Simulation
from superspike.lab.config import ENGINES

STEPS, DELAY, N_IN, N_OUT = 3000, 8, 12, 3
TASK = tasks.poisson(n_inputs=N_IN, input_rate=20.0, outputs=N_OUT, target_rate=15.0, period_ms=300.0, seed=4)
LIF_SILENT = LIF(v_threshold=-40.0)  # 20 mV above rest: never reached with the weights below


def network(integration: str) -> Network:
    return Network(
        [N_IN, N_OUT], neuron=LIF_SILENT, surrogate=FastSigmoid(0.3), w0=30.0, seed=4,
        scheme=Scheme(integration=integration, precision="double"),
    )  # fmt: skip


def counts(spikes: Spikes) -> np.ndarray:
    found = np.zeros((STEPS, spikes.n))
    np.add.at(found, (np.floor(spikes.times_ms / 0.1 + 1e-6).astype(int), spikes.ids), 1)
    return found


def coefficients(integration: str) -> tuple[float, float, float]:
    """Of a filter of 5 and 10 ms, worked out here."""
    a1, a2 = np.exp(-0.1 / 5), np.exp(-0.1 / 10)
    return (a1, 0.99, 0.01) if integration == "euler" else (a1, a2, (a2 - a1) * 5 / (10 - 5))


def third_factor(integration: str) -> np.ndarray:
    """e2(t) of silent outputs, (steps, n_out)."""
    k = 0.1 / 5
    a1, a2, c = coefficients(integration)
    target = counts(TASK.targets)
    e1, e2, found = np.zeros(N_OUT), np.zeros(N_OUT), np.zeros((STEPS, N_OUT))
    for t in range(STEPS):
        raw = target[t - 1 - DELAY] if t > DELAY else np.zeros(N_OUT)
        if integration == "euler":
            e1 = e1 + k * (raw - e1)
            e2 = e2 + 0.01 * (e1 - e2)
        else:
            e1 = e1 + k * raw
            e2 = a2 * e2 + c * e1
            e1 = a1 * e1
        found[t] = e2
    return found


def membrane(w: np.ndarray, integration: str) -> np.ndarray:
    """v(t) above rest without spikes, (steps, n_out)."""
    a1, a2, c = coefficients(integration)
    spikes = counts(TASK.inputs)
    v, current, found = np.zeros(N_OUT), np.zeros(N_OUT), np.zeros((STEPS, N_OUT))
    for t in range(STEPS):
        v, current = a2 * v + c * current, a1 * current
        if t >= DELAY:
            current = current + spikes[t - DELAY] @ w
        found[t] = v
    return found


def objective(w: np.ndarray, integration: str, error: np.ndarray) -> float:
    """Σ_t e(t) · (α ∗ σ(U))(t): what a small change of the smooth output σ(U) takes off the van Rossum loss."""
    a1, a2, c = coefficients(integration)
    h = 0.3 * (membrane(w, integration) - 20.0)
    smooth = h / (1 + np.abs(h))
    x1, x2, total = np.zeros(N_OUT), np.zeros(N_OUT), 0.0
    for t in range(STEPS):
        x1 = x1 + (smooth[t - DELAY] if t >= DELAY else 0.0)
        x2 = a2 * x2 + c * x1
        x1 = a1 * x1
        total += float(error[t] @ x2)
    return total


def forward_mode(w: np.ndarray, integration: str, error: np.ndarray) -> np.ndarray:
    """The same gradient, carried forward in time for every weight, (n_in, n_out)."""
    a1, a2, c = coefficients(integration)
    spikes, v = counts(TASK.inputs), membrane(w, integration)
    slope = 0.3 / (1 + 0.3 * np.abs(v - 20.0)) ** 2
    dv, di = np.zeros(N_IN), np.zeros(N_IN)
    dv_at = np.zeros((STEPS, N_IN))
    for t in range(STEPS):
        dv, di = a2 * dv + c * di, a1 * di
        if t >= DELAY:
            di = di + spikes[t - DELAY]
        dv_at[t] = dv
    x1, x2, total = np.zeros((N_IN, N_OUT)), np.zeros((N_IN, N_OUT)), np.zeros((N_IN, N_OUT))
    for t in range(DELAY, STEPS):
        x1 = x1 + np.outer(dv_at[t - DELAY], slope[t - DELAY])
        x2 = a2 * x2 + c * x1
        x1 = a1 * x1
        total += x2 * error[t]
    return total


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("integration", ["euler", "exact"])
def test_block_sum_is_the_exact_surrogate_gradient(engine: str, integration: str) -> None:
    net = network(integration)
    simulation = Simulation(net, TASK, engine)
    simulation.learn(True)
    _, log = simulation.advance(STEPS)
    assert len(simulation.spikes(log, 1)[0]) == 0
    # the Euler pre trace reads p1 after its decay, the membrane reads I before it: one factor a1 = e^(−dt/τ) between them
    ours = simulation.traces["m"][0] / (np.exp(-0.1 / 5) if integration == "euler" else 1.0)

    w, error = net.weights[0].copy(), third_factor(integration)
    exact = forward_mode(w, integration, error)
    np.testing.assert_allclose(ours, exact, atol=1e-11 * np.abs(exact).max())  # double precision, 3000 terms

    step = 1e-4
    for i, j in ((0, 0), (5, 1), (11, 2)):
        up, down = w.copy(), w.copy()
        up[i, j] += step
        down[i, j] -= step
        numerical = (objective(up, integration, error) - objective(down, integration, error)) / (2 * step)
        assert ours[i, j] == pytest.approx(numerical, rel=1e-6)  # central differences at 1e-4 mV


def test_learning_goes_down_the_gradient() -> None:
    net = Network([N_IN, N_OUT], neuron=LIF_SILENT, w0=30.0, seed=4, rule=Rule(block=300.0))
    before = net.weights[0].copy()
    simulation = Simulation(net, TASK)
    simulation.learn(True)
    simulation.advance(3001)
    gradient = simulation.traces["m"][0].copy()
    simulation.update()
    change = net.weights[0] - before
    assert np.all(np.sign(change[gradient != 0]) == np.sign(gradient[gradient != 0]))
    np.testing.assert_allclose(
        np.abs(change[gradient != 0]), 1.0, rtol=1e-4
    )  # RMaxProp's first step is r0 = 1 mV; single precision


# --- trials -------------------------------------------------------------------------------------------------------------

SWITCHES = [{"reset": reset, "recurrence": recurrence} for reset, recurrence in itertools.product((True, False), repeat=2)]


def small(hidden: list[int], recurrent: bool = False, **options: object) -> tuple[Classifier, test_trial.Samples]:
    """A classifier whose neurons spike several times a sample, and three samples."""
    return classifier([40, *hidden, 5], recurrent=recurrent, **options), samples(3, 40, 5)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize(("hidden", "recurrent", "loss"), [([9], True, "each_step"), ([6, 7], False, "max_over_time"), ([6, 7], True, "max_over_time")])  # fmt: skip
def test_backward_and_forward_in_time_agree(hidden: list[int], recurrent: bool, loss: str, switches: dict[str, bool]) -> None:
    net, data = small(hidden, recurrent, loss=loss, rates=Rates(upper=3, upper_strength=0.02, mean=2, mean_strength=0.1))
    value, back = exact_gradient(net.network, data, **switches)
    same, forth = exact_gradient(net.network, data, method="rtrl", **switches)
    assert value == same == pytest.approx(net.gradient(data)[0], rel=1e-12)  # other orders of addition
    for ours, theirs in zip(back, forth, strict=True):
        assert np.abs(theirs).max() > 0
        assert relative(ours, theirs) < 1e-10  # double precision, which resets make some digits less of


@pytest.mark.parametrize("recurrent", [False, True])
def test_without_reset_and_recurrence_the_last_hidden_layers_gradient_is_the_local_rules(recurrent: bool) -> None:
    rates = Rates(upper=3, upper_strength=0.02)
    for hidden in ([9], [6, 7]):
        net, data = small(hidden, recurrent, rates=rates)
        names = [projection.name for projection in net.network.projections]
        _, exact = exact_gradient(net.network, data, reset=False, recurrence=False)
        same = [
            name for name, a, b in zip(names, net.gradient(data)[1], exact, strict=True) if relative(a, b) < 1e-9
        ]  # intervals
        last = len(hidden)
        assert same == [name for name in names if name in (f"w{last - 1}", f"w{last}", f"v{last}")]


def smooth(network: Network, x: np.ndarray) -> Path:
    """The scheme with σ of a fast sigmoid in the place of Θ: (steps, 1, n) of each layer."""
    found = Path([x], [x[:0]], [x[:0]])
    for n in network.sizes[1:]:
        for own in found[:3]:
            own.append(np.ones((len(x), 1, n)))
    weights = dict(zip(network.pairs, network.weights, strict=True))
    u, i = ([np.zeros((1, n)) for n in network.sizes] for _ in range(2))
    for t in range(len(x)):
        for k in range(1, len(u)):
            a, b, c = test_trial.OUTPUT if k == len(u) - 1 else test_trial.HIDDEN
            h = network.surrogate.beta * (u[k] - 10.0)
            found.x[k][t], found.spikes[k][t] = u[k], (k < len(u) - 1) * h / (1 + np.abs(h))
            u[k], i[k] = b * (u[k] - 10.0 * found.spikes[k][t]) + c * i[k], a * i[k]
        for (pre, post), w in weights.items():
            i[post] += found.spikes[pre][t] @ w
    return found


def test_the_gradient_of_a_smooth_network_is_its_finite_difference() -> None:
    """Where spikes are σ and not Θ, the surrogate gradient is the gradient: through layers, recurrence and reset."""
    net, data = small([6, 7], True, loss="mean_over_time", surrogate=FastSigmoid(0.1))
    network, x = net.network, dense(data, 0, 40)[:40, None]

    def loss() -> float:
        return float(trial_cost(network, smooth(network, x), data.labels[:1]).loss[0])

    path = smooth(network, x)
    found = bptt(network, path, trial_cost(network, path, data.labels[:1]))
    for w, g in zip(network.weights, found, strict=True):
        for at in ((0, 0), (3, 2), (5, 4)):
            here, values = w[at], []
            for step in (1e-3, -1e-3):
                w[at] = here + step
                values.append(loss())
            w[at] = here
            assert g[at] == pytest.approx(
                (values[0] - values[1]) / 2e-3, rel=1e-5, abs=1e-9 * np.abs(g).max()
            )  # central differences


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_gradients_are_those_of_pytorch(switches: dict[str, bool]) -> None:
    torch = pytest.importorskip("torch")
    spike = surrogate_spike(torch, 2.0)
    net, data = small([6, 7], True, loss="mean_over_time")
    w0, w1, w2, v1, v2 = weights = [torch.tensor(w, requires_grad=True) for w in net.weights]
    x, y = torch.tensor(np.array([dense(data, k, 40) for k in range(3)])), torch.tensor(data.labels)
    u, i = ([torch.zeros(3, n, dtype=x.dtype) for n in (6, 7, 5)] for _ in range(2))
    total = 0.0
    for t in range(test_trial.STEPS):
        total = total + u[2] / test_trial.TEMPERATURE / test_trial.STEPS
        s = [spike(u[k] - 10.0) for k in range(2)]
        resets = [own if switches["reset"] else own.detach() for own in s]
        loops = [own if switches["recurrence"] else own.detach() for own in s]
        (a, b, c), (ao, bo, co) = test_trial.HIDDEN, test_trial.OUTPUT
        u = [*(b * (u[k] - 10.0 * resets[k]) + c * i[k] for k in range(2)), bo * u[2] + co * i[2]]
        i = [a * i[0] + x[:, t] @ w0 + loops[0] @ v1, a * i[1] + s[0] @ w1 + loops[1] @ v2, ao * i[2] + s[1] @ w2]
    torch.nn.functional.cross_entropy(total, y).backward()
    _, found = exact_gradient(net.network, data, **switches)
    for ours, theirs in zip(found, weights, strict=True):
        assert relative(ours, theirs.grad.numpy()) < 1e-10  # double precision, which resets make some digits less of


# --- streams ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("integration", "tolerance"), [("exact", 1e-10), ("euler", 0.02)])
def test_the_gradient_of_a_silent_stream_is_the_rules_but_for_a_step(integration: str, tolerance: float) -> None:
    """The rule's trace is a step ahead of its error, and Euler's filters of the two decay by e^(−dt/τ) and 1 − dt/τ."""
    net, error = network(integration), third_factor(integration)
    value, (found,) = exact_gradient(net, TASK, reset=False)
    assert value == pytest.approx(0.5 * (error**2).sum(), rel=1e-12)  # other orders of addition
    ahead = np.vstack([error[1:], np.zeros(N_OUT)])
    rule = forward_mode(net.weights[0], integration, ahead) * 0.1 / 5  # an error's impulse counts dt/τ
    assert relative(-found, rule) < tolerance  # double precision; dt/τ


GRAPH = [Projection(1, 1, delay=0.0), Projection(0, 2, delay=2.0, mask=0.5), Projection(1, 2, delay=0.3)]


def stream(**options: object) -> Network:
    """Two hidden layers with loops, a skip, delays and a mask, whose neurons are refractory; a flat surrogate tames resets."""
    given: dict[str, object] = {"neuron": LIF(), "surrogate": FastSigmoid(0.02), "recurrent": True, "projections": GRAPH}
    return Network([12, 8, 5, 3], w0=100.0, seed=3, scheme=Scheme(precision="double"), **given | options)  # type: ignore[arg-type]


NOISE = tasks.poisson(n_inputs=12, input_rate=60.0, outputs=3, target_rate=15.0, period_ms=100.0, seed=4)


def test_a_streams_spikes_are_the_engines() -> None:
    for neuron in (LIF(), LIF(tau_ref=0.0, reset="subtract")):
        net = stream(neuron=neuron)
        simulation, found = Simulation(net, NOISE, "clock"), run(net, rasters(net, NOISE)[0])
        _, log = simulation.advance(1000)
        for layer in (1, 2, 3):
            assert found.spikes[layer].sum() > 3
            np.testing.assert_array_equal(np.argwhere(found.spikes[layer][:, 0]), np.stack(simulation.spikes(log, layer), axis=1))


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("neuron", [LIF(), LIF(tau_ref=0.5, reset="subtract")], ids=str)
def test_backward_and_forward_in_time_agree_on_a_stream(neuron: LIF, switches: dict[str, bool]) -> None:
    net = stream(neuron=neuron)
    _, back = exact_gradient(net, NOISE, **switches)
    _, forth = exact_gradient(net, NOISE, method="rtrl", **switches)
    for ours, theirs in zip(back, forth, strict=True):
        assert np.abs(theirs).max() > 0
        assert relative(ours, theirs) < 1e-10  # double precision
    assert not np.any(back[net.projections.index(GRAPH[1])][~net.masks[net.projections.index(GRAPH[1])]])


@pytest.mark.parametrize("reset", [True, False])
def test_a_streams_gradients_are_those_of_pytorch(reset: bool) -> None:
    """The original's scheme, refractory neurons that rest at 0, and van Rossum's loss, whose filter is in the graph as well."""
    torch = pytest.importorskip("torch")
    spike = surrogate_spike(torch, 0.02)
    net = stream(recurrent=False, projections=())
    weights = [torch.tensor(w, requires_grad=True) for w in net.weights]
    inputs, targets = (torch.tensor(x[:, 0]) for x in rasters(net, NOISE))
    v, i, left = ([torch.zeros(n, dtype=inputs.dtype) for n in net.sizes[1:]] for _ in range(3))
    e1, e2, loss, spikes = torch.zeros(3, dtype=inputs.dtype), torch.zeros(3, dtype=inputs.dtype), 0.0, []
    for t in range(len(inputs)):
        now = [inputs[t]]
        for k in range(3):
            left[k] = (left[k] - 1).clamp(min=0)
            free = (left[k] == 0).to(inputs)
            x = free * (0.99 * v[k] + 0.01 * i[k]) + (1 - free) * v[k]
            s = free * spike(x - 10.0)
            v[k], left[k] = x * (1 - (s if reset else s.detach())), torch.where(s > 0, 51.0, left[k])
            i[k] = np.exp(-0.1 / 5) * i[k]
            now.append(s)
        spikes.append(now)
        e1 = (1 - 0.02) * e1
        e2 = 0.99 * e2 + 0.01 * e1
        loss = loss + 0.5 * (e2**2).sum()
        if t >= DELAY:
            late = spikes[t - DELAY]
            i = [i[k] + late[k] @ weights[k] for k in range(3)]
            e1 = e1 + 0.02 / (1 - 0.02) * (targets[t - DELAY] - late[3])
    loss.backward()
    value, found = exact_gradient(net, NOISE, reset=reset)
    assert value == pytest.approx(loss.item(), rel=1e-12)  # other orders of addition
    for ours, theirs in zip(found, weights, strict=True):
        assert relative(ours, theirs.grad.numpy()) < 1e-10  # double precision


def test_the_gradient_of_a_readouts_stream_is_the_rules_but_for_two_steps() -> None:
    """Errors of potentials are not filtered; a hidden synapse's trace is ahead of them by the delay and a step."""
    layers = [12, 8, Layer(3, Readout(tau_mem=20.0))]
    net = Network(
        layers, loss="squared_error", neuron=test_trial.NEURON, surrogate=FastSigmoid(2.0), w0=200.0, seed=3,
        scheme=Scheme(1.0, 1.0, "exact", "double"),
    )  # fmt: skip
    _, exact = exact_gradient(net, NOISE, reset=False)
    simulation = Simulation(net, NOISE, "clock")
    simulation.learn(True)
    simulation.advance(100)
    hidden, output = simulation.traces["m"]
    assert relative(-exact[1], output / 10.0) < 1e-12  # errors are in units of 1/h; double precision
    assert relative(-exact[0], hidden * 1000.0 / 10.0) < 0.2  # feedback is in V; 2 ms of 5
    assert relative(-exact[0], hidden * 1000.0 / 10.0) > 1e-3


def test_a_streams_cross_entropy_has_the_rules_gradient_at_a_readout() -> None:
    net = Network(
        [12, 8, Layer(3, Readout(tau_mem=20.0))], loss=CrossEntropy(begin=7.0), w0=200.0, seed=3,
        scheme=Scheme(1.0, 3.0, "exact", "double"),
    )  # fmt: skip
    value, exact = exact_gradient(net, NOISE)
    simulation = Simulation(net, NOISE, "clock")
    simulation.learn(True)
    _, log = simulation.advance(100)
    assert relative(-exact[1], simulation.traces["m"][1]) < 1e-12  # double precision
    steps, ids = simulation.spikes(log, 3)  # the targets
    surprise = 0.0
    for t in range(steps[0], 100 - 3):
        last = np.flatnonzero(steps <= t)[-1]
        p = np.exp(log.potentials[t] / 20.0)
        surprise -= np.log(p[ids[last]] / p.sum()) * (t - steps[last] >= 7)
    assert value == pytest.approx(surprise, rel=1e-12)  # double precision
    _, forth = exact_gradient(net, NOISE, method="rtrl")
    assert relative(exact[0], forth[0]) < 1e-10  # double precision


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_of_a_period_shorter_than_the_delay_no_error_is_known(loss: str) -> None:
    net = Network([12, Layer(3, Readout(tau_mem=20.0))], loss=loss, scheme=Scheme(1.0, 8.0))
    value, (gradient,) = exact_gradient(net, tasks.Task(Spikes([0.0], [1], 12), Spikes([0.0], [2], 3), 5.0))
    assert value == 0
    assert not gradient.any()


def test_what_has_no_exact_gradient_here_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"Network\.loss: must be van_rossum, squared_error or cross_entropy .*, got Windowed"
    ):
        exact_gradient(stream(loss="windowed"), NOISE)
    with pytest.raises(ParameterError, match=r"Network\.loss: must be one of trials, such as max_over_time, got VanRossum"):
        exact_gradient(stream(), samples(3, 12, 3))
    with pytest.raises(ParameterError, match=r"exact_gradient\.method: must be one of bptt, rtrl, got 'forward'"):
        exact_gradient(stream(), NOISE, method="forward")
    with pytest.raises(ParameterError, match=r"exact_gradient\.which: must be left out, a stream has no samples, got \[0\]"):
        exact_gradient(stream(), NOISE, [0])
    with pytest.raises(
        ParameterError, match=r"exact_gradient\.data: must have the network's 12 inputs and 3 outputs, got <Task 12"
    ):
        exact_gradient(stream(), tasks.regular(n_inputs=12, outputs=1))
    net, data = small([6])
    for which in ([], [3], [-1], [0.5], [True, False, True], ["a"], 1e300, float("nan")):
        with pytest.raises(ParameterError, match=r"exact_gradient\.which: must be some samples, with numbers between 0 and 2"):
            exact_gradient(net.network, data, which)
        with pytest.raises(ParameterError, match=r"Classifier\.which: must be some samples, with numbers between 0 and 2"):
            net.gradient(data, which)
    for which in ([[0, 1]], np.ones((1, 1), int)):
        with pytest.raises(ParameterError, match=r"which: must be some samples, .* in one dimension, got the shape \(1, .\)"):
            exact_gradient(net.network, data, which)
    for name in ("reset", "recurrence"):
        with pytest.raises(ParameterError, match=rf"exact_gradient\.{name}: must be True or False, got 2"):
            exact_gradient(net.network, data, **{name: 2})
    for wrong in (None, 3, data._replace(labels=data.labels[:0])):
        with pytest.raises(ParameterError, match=r"exact_gradient\.data: must be some Samples, or a Task, got"):
            exact_gradient(net.network, wrong)
    with pytest.raises(ParameterError, match=r"exact_gradient\.network: must be a Network, got NoneType"):
        exact_gradient(None, data)
    for other in (samples(3, 41, 5, rate=0.5), samples(3, 40, 9)):
        with pytest.raises(
            ParameterError, match=r"exact_gradient\.data: must have the network's 40 inputs and 5 classes, has more"
        ):
            exact_gradient(net.network, other)


class Foreign(NamedTuple):
    """A neuron of somebody's own: its cell has equations that are not known here."""

    tau_ref: float = 0.0

    def cell(self, dt: float, integration: str) -> tuple[float]:
        return (dt,)


def test_neurons_with_equations_of_their_own_are_refused() -> None:
    net = stream()
    net.layers[1] = net.layers[1]._replace(neuron=Foreign())
    with pytest.raises(ParameterError, match=r"Network\.neuron: must be LIF or a readout where gradients are exact, got Foreign"):
        exact_gradient(net, NOISE)

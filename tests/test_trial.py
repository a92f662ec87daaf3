"""Trials: the same spikes and the same gradients as a plain program that advances every synapse in every step."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from helpers import relative, surrogate_spike

import superspike as ss
from superspike import FastSigmoid, ParameterError
from superspike.engine.classifier import Classifier
from superspike.engine.simulation import Simulation
from superspike.engine.trial import Work
from superspike.model.loss import LOSSES as ALL_LOSSES
from superspike.model.readout import Rates, of_trials

SURROGATE = FastSigmoid(beta=2.0)  # 1/mV: NMZ19's 20 for a threshold of 1
STEPS = 100
LOSSES = [name for name, loss in ALL_LOSSES.items() if of_trials(loss)]
NEURON = ss.LIF(tau_ref=0.0, reset="subtract")


class Samples(NamedTuple):
    """What a classifier reads of labelled samples."""

    steps: np.ndarray
    units: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    n_steps: int = STEPS

    def in_steps(self, dt: float) -> Samples:
        return self


def samples(
    n: int, inputs: int, classes: int, seed: int = 0, rate: float = 0.03, n_steps: int = STEPS, until: float = math.inf
) -> Samples:
    """Poisson input: every unit spikes several times in most samples."""
    rng = np.random.default_rng(seed)
    steps, units, offsets = [], [], [0]
    for _ in range(n):
        at, unit = np.nonzero(rng.random((int(min(n_steps, until)), inputs)) < rate)
        steps.append(at)
        units.append(unit)
        offsets.append(offsets[-1] + len(at))
    return Samples(
        np.concatenate(steps).astype(np.int32), np.concatenate(units).astype(np.int32), np.array(offsets),
        rng.integers(0, classes, n), n_steps,
    )  # fmt: skip


def dense(data: Samples, sample: int, inputs: int) -> np.ndarray:
    """The input of one sample as (steps, inputs)."""
    x = np.zeros((data.n_steps, inputs))
    own = slice(data.offsets[sample], data.offsets[sample + 1])
    np.add.at(x, (data.steps[own], data.units[own]), 1.0)
    return x


# --- the plain program: NMZ19's scheme in mV ----------------------------------------------------------------------------


def coefficients(tau_syn: float, tau_mem: float) -> tuple[float, float, float]:
    """α, β and c of exact integration in steps of 1 ms."""
    a, b = math.exp(-1 / tau_syn), math.exp(-1 / tau_mem)
    return a, b, (a - b) * tau_syn / (tau_syn - tau_mem)


HIDDEN, OUTPUT = coefficients(5.0, 10.0), coefficients(5.0, 20.0)
THRESHOLD, TEMPERATURE = 10.0, 20.0


def split(weights: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights from layer to layer, and of each hidden layer onto itself (0 where there are none; all or none are recurrent)."""
    chain = next(k for k in range(1, len(weights) + 1) if k == len(weights) or len(weights[k]) != weights[k - 1].shape[1])
    loops = weights[chain:]
    return weights[:chain], loops or [np.zeros((w.shape[1], w.shape[1])) for w in weights[: chain - 1]]


def forward(
    x: np.ndarray, weights: list[np.ndarray], *, after: bool = False
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Spikes of all layers but the readout, the hidden layers' surrogates (``after`` the reset: wrong), the readout's potentials."""
    spikes, surrogates, (weights, loops) = [x], [], split(weights)
    for w, v in zip(weights[:-1], loops, strict=True):
        a, b, c = HIDDEN
        u, current = np.zeros((2, w.shape[1]))
        s, f = np.zeros((2, len(x), w.shape[1]))
        for n in range(len(x)):
            s[n] = u > THRESHOLD
            f[n] = SURROGATE.beta / (1 + SURROGATE.beta * np.abs(u - THRESHOLD * s[n] * after - THRESHOLD)) ** 2
            u, current = b * (u - THRESHOLD * s[n]) + c * current, a * current + spikes[-1][n] @ w + s[n] @ v
        spikes.append(s)
        surrogates.append(f)
    a, b, c = OUTPUT
    u, current = np.zeros((2, weights[-1].shape[1]))
    potentials = np.zeros((len(x), weights[-1].shape[1]))
    for n in range(len(x)):
        potentials[n] = u
        u, current = b * u + c * current, a * current + spikes[-1][n] @ weights[-1]
    return spikes, surrogates, potentials


def softmax(z: np.ndarray) -> np.ndarray:
    p = np.exp((z - z.max(-1, keepdims=True)) / TEMPERATURE)
    return p / p.sum(-1, keepdims=True)


def loss_and_error(name: str, u: np.ndarray, label: int) -> tuple[float, np.ndarray]:
    """L and ∂L/∂U."""
    steps, outputs = u.shape
    y = np.arange(outputs) == label
    weights = {
        "mean_over_time": np.full(steps, 1 / steps),
        "last_step": np.arange(steps) == steps - 1,
        "weighted_sum": np.exp(-np.arange(steps) / 100) / np.exp(-np.arange(steps) / 100).sum(),
    }
    if name == "each_step":
        p = softmax(u)
        return float(-np.log(p[:, label]).mean()), (p - y) / steps / TEMPERATURE
    if name == "max_over_time":
        p = softmax(u.max(0))
        e = np.zeros_like(u)
        e[u.argmax(0), np.arange(outputs)] = (p - y) / TEMPERATURE
        return float(-np.log(p[label])), e
    p = softmax(weights[name] @ u)
    return float(-np.log(p[label])), np.outer(weights[name], p - y) / TEMPERATURE


def gradients(
    name: str, x: np.ndarray, weights: list[np.ndarray], label: int, feedback: list[np.ndarray], rates: Rates | None = None,
    *, after: bool = False,
) -> tuple[float, list[np.ndarray]]:  # fmt: skip
    """L and its gradients, all eligibility traces forward in time; reset and recurrence are outside the gradient."""
    rates, recurrent = rates or Rates(), len(weights) > len(feedback) + 1
    spikes, surrogates, u = forward(x, weights, after=after)
    loss, e = loss_and_error(name, u, label)
    found = []
    (a, b, c), (ao, bo, co) = HIDDEN, OUTPUT
    ways = [*zip(spikes[:-1], spikes[1:], surrogates, feedback, strict=True)]
    ways += [*zip(spikes[1:], spikes[1:], surrogates, feedback, strict=True)] if recurrent else []
    for pre, post, f, back in ways:
        p1, p2 = np.zeros((2, pre.shape[1]))
        q1, q2, g = np.zeros((3, pre.shape[1], f.shape[1]))
        n = post.sum(0)
        cost = rates.upper_strength * np.maximum(0, n - rates.upper) - rates.lower_strength * np.maximum(0, rates.lower - n)
        cost = cost + rates.mean_strength * (n.mean() > rates.mean)
        for t in range(len(x)):
            g += (e[t] @ back) * q2 + cost * f[t] * p2[:, None]
            q2, q1 = bo * q2 + co * q1, ao * q1 + f[t] * p2[:, None]
            p2, p1 = b * p2 + c * p1, a * p1 + pre[t]
        found.append(g)
    p1, p2 = np.zeros((2, spikes[-1].shape[1]))
    g = np.zeros((spikes[-1].shape[1], u.shape[1]))
    for t in range(len(x)):
        g += np.outer(p2, e[t])
        p2, p1 = bo * p2 + co * p1, ao * p1 + spikes[-1][t]
    return loss, [*found[: len(feedback)], g, *found[len(feedback) :]]


def classifier(sizes: list[int], **more: object) -> Classifier:
    """With weights that make every hidden neuron spike several times in a sample."""
    own = {name: more.pop(name) for name in ("dropout", "threads") if name in more}
    scheme = ss.Scheme(1.0, 1.0, "exact", str(more.pop("precision", "double")))
    options: dict[str, object] = {
        "surrogate": SURROGATE, "seed": 3, "w0": 300.0, "loss": "max_over_time", "neuron": NEURON, "scheme": scheme,
        "rule": ss.Rule(w_max=10_000.0), "optimizer": ss.Adam(0.15),
    }  # fmt: skip
    readout = more.pop("readout", ss.Readout(tau_mem=20.0))
    network = ss.Network([*sizes[:-1], ss.Layer(sizes[-1], readout)], **options | more)  # type: ignore[arg-type]
    return Classifier(network, **own)  # type: ignore[arg-type]


SHAPES = [[40, 30, 5], [40, 20, 35, 5]]


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
@pytest.mark.parametrize("recurrent", [False, True])
def test_spikes_and_potentials_are_those_of_a_plain_program(sizes: list[int], recurrent: bool) -> None:
    net, data = classifier(sizes, recurrent=recurrent), samples(6, 40, 5)
    found = net.forward(data)
    for k in range(6):
        spikes, _, u = forward(dense(data, k, 40), net.weights)
        assert found.spikes[k].tolist() == [int(s.sum()) for s in spikes[1:]]
        assert found.spikes[k].min() > 2 * max(sizes[1:-1])  # there are resets
        assert relative(found.z[k], u.max(0)) < 1e-12  # other orders of addition
        assert found.prediction[k] == u.max(0).argmax()


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("feedback", "recurrent"), [("symmetric", False), ("random", False), ("symmetric", True)])
def test_gradients_are_those_of_a_plain_program(sizes: list[int], loss: str, feedback: str, recurrent: bool) -> None:
    net, data = classifier(sizes, loss=loss, feedback=feedback, recurrent=recurrent), samples(3, 40, 5)
    value, found = net.gradient(data)
    assert len(found) == len(sizes) - 1 + recurrent * (len(sizes) - 2)
    each = [gradients(loss, dense(data, k, 40), net.weights, data.labels[k], net.feedback_weights) for k in range(3)]
    assert value == pytest.approx(np.mean([v for v, _ in each]), rel=1e-12)
    for k, g in enumerate(found):
        assert relative(g, np.mean([gs[k] for _, gs in each], axis=0)) < 1e-9  # intervals lose some digits: they are bounded so


def test_gradients_in_single_precision_are_those_of_a_plain_program() -> None:
    net, data = classifier([40, 30, 5], precision="single"), samples(3, 40, 5)
    _, found = net.gradient(data)
    each = [gradients("max_over_time", dense(data, k, 40), net.weights, data.labels[k], net.feedback_weights) for k in range(3)]
    for k, g in enumerate(found):
        assert relative(g, np.mean([gs[k] for _, gs in each], axis=0)) < 2e-3  # the project's bar; intervals are bounded so


def test_long_samples_are_gone_through_in_windows() -> None:
    data = samples(2, 20, 5, n_steps=700)
    for loss, recurrent in (("max_over_time", False), ("each_step", False), ("each_step", True)):
        net = classifier([20, 30, 25, 5], w0=200.0, loss=loss, recurrent=recurrent)
        _, found = net.gradient(data)
        each = [gradients(loss, dense(data, k, 20), net.weights, data.labels[k], net.feedback_weights) for k in range(2)]
        for k, g in enumerate(found):
            assert relative(g, np.mean([gs[k] for _, gs in each], axis=0)) < 1e-9  # as in short ones


def test_the_surrogate_is_read_before_the_reset() -> None:
    net, data = classifier([40, 30, 5]), samples(1, 40, 5)
    x = dense(data, 0, 40)
    _, found = net.gradient(data)
    _, wrong = gradients("max_over_time", x, net.weights, data.labels[0], net.feedback_weights, after=True)
    assert relative(found[0], wrong[0]) > 0.1


def test_readout_gradients_are_finite_differences() -> None:
    data = samples(2, 40, 5)
    for loss in LOSSES:
        net = classifier([40, 30, 5], loss=loss)
        _, found = net.gradient(data)
        for i, k in ((0, 0), (3, 2), (7, 4)):
            values = []
            for step in (1e-4, -1e-4):
                w = [x.copy() for x in net.weights]
                w[1][i, k] += step
                values.append(classifier([40, 30, 5], loss=loss, weights=w).gradient(data)[0])
            assert found[1][i, k] == pytest.approx((values[0] - values[1]) / 2e-4, abs=1e-8)  # central differences


@pytest.mark.parametrize(
    "rates", [Rates(upper=3, upper_strength=0.02), Rates(lower=30, lower_strength=0.01), Rates(mean=2, mean_strength=0.1)]
)
def test_rates_cost_what_they_say(rates: Rates) -> None:
    net, data = classifier([40, 30, 5], rates=rates), samples(2, 40, 5)
    _, found = net.gradient(data)
    each = [
        gradients("max_over_time", dense(data, k, 40), net.weights, data.labels[k], net.feedback_weights, rates) for k in range(2)
    ]
    for k, g in enumerate(found):
        assert relative(g, np.mean([gs[k] for _, gs in each], axis=0)) < 1e-9  # as without
    _, without = classifier([40, 30, 5]).gradient(data)
    assert relative(found[0], without[0]) > 1e-3


def test_any_number_of_threads_gives_the_same_bits() -> None:
    data = samples(40, 60, 5)
    nets = [classifier([60, 70, 5], precision="single", threads=threads, dropout=0.2) for threads in (1, 2, 3)]
    for net in nets:
        for _ in range(3):
            net.train_batch(data)
    for net in nets[1:]:
        for w, reference in zip(net.weights, nets[0].weights, strict=True):
            assert np.array_equal(w, reference)


def test_the_size_of_groups_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    data, nets = samples(20, 40, 5), []
    for budget in (1, 2**28):
        monkeypatch.setattr("superspike.engine.classifier.BUDGET", budget)
        nets.append(classifier([40, 30, 5], precision="single", dropout=0.2, w0=100.0))
        for _ in range(2):
            nets[-1].train_batch(data)
    for w, reference in zip(nets[0].weights, nets[1].weights, strict=True):
        assert np.array_equal(w, reference)


def test_work_knows_no_synapse_and_keeps_surrogates_of_one_window_only() -> None:
    def work(inputs: int, n_steps: int) -> Work:
        net = classifier([inputs, 200, 5], precision="single")
        net.forward(samples(1, inputs, 5, n_steps=n_steps))
        return net.works[0]

    def size(arrays: Work) -> int:
        return sum(x.nbytes for x in arrays)

    short, long = work(10, 1000), work(10, 2000)
    assert size(work(300, 1000)) == size(short)
    assert long.f.nbytes == short.f.nbytes
    assert (
        size(long) - size(short) < 1000 * 4 * 3.5 * 256
    )  # a row's A1 and A2, intervals' maps, the readout: 3 for each of 256 neurons


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([0, 5])}, r"samples\.labels: must lie between 0 and 4, got 0 to 5"),
        ({"units": np.array([0, 40, 1], np.int32)}, r"samples\.units: must lie between 0 and 39, got 0 to 40"),
        ({"steps": np.array([0, -1, 1], np.int32)}, r"samples\.steps: must lie between 0 and 99, got -1 to 1"),
        ({"offsets": np.array([0, 2, 1])}, r"samples\.offsets: must be 3 numbers that rise"),
        ({"offsets": np.array([0, 2, 4])}, r"samples\.offsets: must be 3 numbers that rise"),
        ({"n_steps": 0}, r"samples\.n_steps: must be a whole number >= 1, got 0"),
    ],
)
def test_samples_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    data = Samples(np.array([0, 1, 2], np.int32), np.array([0, 1, 2], np.int32), np.array([0, 2, 3]), np.array([0, 4]))
    with pytest.raises(ParameterError, match=message):
        classifier([40, 30, 5]).forward(data._replace(**change))


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([4, 2], {}, r"Network: must have one hidden layer or more, no skips .*, got \[4, 2\]"),
        ([4, 3, 2], {"skip": [(0, 2)]}, r"Network: must have .* in trials, got \[4, 3, 2\], w0_2"),
        (
            [4, 3, 2],
            {"projections": [ss.Projection(1, 1, mask=0.5)]},
            r"no projections with parameters of their own in trials, got \[4, 3, 2\], v1",
        ),
        (
            [4, 3, 2],
            {"neuron": ss.LIF()},
            r"Network\.sizes: must have hidden layers of the same LIF\(reset=.subtract., tau_ref=0\)",
        ),
        (
            [4, 3, 2],
            {"readout": ss.Readout(tau_syn=0.5)},
            r"Readout\.tau_syn: must be larger than the time step dt \(1 ms\), got 0\.5",
        ),
        ([4, 3, 2], {"loss": "squared_error"}, r"Network\.loss: must be one of trials, such as max_over_time, got SquaredError"),
        ([4, 3, 2], {"scheme": ss.Scheme(1.0, 2.0)}, r"Scheme\.delay: must be one step \(1 ms\) in trials, got 2 ms"),
        ([4, 3, 2], {"dropout": 1}, r"Classifier\.dropout: must be >= 0 and < 1, got 1"),
    ],
)
def test_impossible_classifiers_are_refused(sizes: list[int], options: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        classifier(sizes, **options)


@pytest.mark.parametrize("loss", ["max_over_time", "mean_over_time", "last_step", "each_step"])
def test_gradients_are_those_of_pytorch_with_the_reset_detached(loss: str) -> None:
    torch = pytest.importorskip("torch")
    spike = surrogate_spike(torch, SURROGATE.beta)
    net, data = classifier([40, 30, 5], loss=loss), samples(3, 40, 5)
    w, v = (torch.tensor(x, requires_grad=True) for x in net.weights)
    x, y = torch.tensor(np.array([dense(data, k, 40) for k in range(3)])), torch.tensor(data.labels)
    u, i, r, j, seen = *torch.zeros(2, 3, 30, dtype=x.dtype), *torch.zeros(2, 3, 5, dtype=x.dtype), []
    for t in range(STEPS):
        spikes = spike(u - THRESHOLD)
        seen.append(r / TEMPERATURE)
        u, i = HIDDEN[1] * (u - THRESHOLD * spikes.detach()) + HIDDEN[2] * i, HIDDEN[0] * i + x[:, t] @ w
        r, j = OUTPUT[1] * r + OUTPUT[2] * j, OUTPUT[0] * j + spikes @ v
    entropy = torch.nn.functional.cross_entropy
    if loss == "each_step":
        value = sum(entropy(z, y) for z in seen) / STEPS
    else:
        z = torch.stack(seen)
        value = entropy({"max_over_time": z.max(0)[0], "mean_over_time": z.mean(0), "last_step": z[-1]}[loss], y)
    value.backward()
    found, gradient = net.gradient(data)
    assert found == pytest.approx(value.item(), rel=1e-12)
    assert relative(gradient[0], w.grad.numpy()) < 1e-9  # as a plain program's
    assert relative(gradient[1], v.grad.numpy()) < 1e-9  # as a plain program's


def test_uniform_feedback_passes_nothing_of_a_softmax() -> None:
    """Its errors add up to zero: a sum of them tells a hidden layer nothing."""
    _, found = classifier([40, 30, 5], feedback="uniform", loss="mean_over_time").gradient(samples(3, 40, 5))
    assert np.abs(found[0]).max() < 1e-12 * np.abs(found[1]).max()  # what rounding leaves of the sum


def split_mix(key: int, k: int) -> int:
    """The k-th 32 bits of SplitMix64 (Steele, Lea & Flood 2014)."""
    x = (key + k * 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return (x ^ x >> 31) >> 32


def test_a_layer_that_has_no_more_input_spikes_until_it_cannot() -> None:
    """Two spikes together are enough, the second of which comes last; dropout makes the currents of those that are left larger."""
    weights = [np.array([[11.5], [18.0]]), np.ones((1, 2))]
    data = Samples(np.tile([0, 12], 40), np.tile([0, 1], 40), np.arange(0, 81, 2), np.tile([0, 1], 20))
    net = classifier([2, 1, 2], dropout=0.5, weights=weights)
    key = int(np.random.default_rng(3).spawn(3)[2].integers(2**63))
    kept = np.array([split_mix(key, k) >= 2**31 for k in range(80)])
    assert 20 < kept.sum() < 60
    found = net.train_batch(data)
    for k in range(40):
        x, own = np.zeros((STEPS, 2)), slice(data.offsets[k], data.offsets[k + 1])
        x[data.steps[own], data.units[own]] = 2.0 * kept[own]
        assert found.spikes[k] == forward(x, weights)[0][1].sum() == kept[own].all()


@pytest.mark.parametrize("until", [5, 30, 60])
def test_layers_without_input_go_on_as_a_plain_program_does(until: int) -> None:
    data, net = samples(20, 40, 5, until=until, rate=0.1), classifier([40, 30, 20, 5], w0=150.0)
    found = net.forward(data)
    for k in range(20):
        spikes, _, u = forward(dense(data, k, 40), net.weights)
        assert found.spikes[k].tolist() == [s.sum() for s in spikes[1:]]
        assert relative(found.z[k], u.max(0)) < 1e-12  # other orders of addition


class Far(NamedTuple):
    """From 50 steps on, one of the faults that would write where it must not."""

    fault: float = 1.0
    temperature: float = 10.0

    def logits(self, u, outputs, dt, z):  # type: ignore[no-untyped-def]
        for k in range(outputs):
            z[k] = u[0, k]
        if self.fault == 1 and u.shape[0] > 50:
            z[10**6] = 1

    def errors(self, u, z, outputs, label, dt, temperature, e):  # type: ignore[no-untyped-def]
        if self.fault == 2 and u.shape[0] > 50:
            e[10**6, 0] = 1
        return z[0]


@pytest.mark.parametrize("fault", [1.0, 2.0])
def test_a_loss_of_ones_own_that_leaves_its_arrays_is_stopped(fault: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALL_LOSSES, "far", Far)
    net = classifier([40, 30, 5], loss=Far(fault))
    with pytest.raises(ParameterError, match=r"^Far: must keep to its arrays in logits and errors, got an index beyond them"):
        net.gradient(samples(1, 40, 5))


class Padded(NamedTuple):
    """It errs in every number of its array, of which some are no output's."""

    temperature: float = 10.0

    def logits(self, u, outputs, dt, z):  # type: ignore[no-untyped-def]
        for k in range(outputs):
            z[k] = u[-1, k]

    def errors(self, u, z, outputs, label, dt, temperature, e):  # type: ignore[no-untyped-def]
        for t in range(e.shape[0]):
            for k in range(e.shape[1]):
                e[t, k] = 1
        return z[0]


class Unpadded(Padded):
    """It errs in those of the outputs."""

    def errors(self, u, z, outputs, label, dt, temperature, e):  # type: ignore[no-untyped-def]
        for t in range(e.shape[0]):
            for k in range(outputs):
                e[t, k] = 1
        return z[0]


def test_errors_of_no_output_are_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for cls in (Padded, Unpadded):
        monkeypatch.setitem(ALL_LOSSES, "padded", cls)
        found.append(classifier([40, 30, 5], loss=cls()).gradient(samples(2, 40, 5))[1])
        monkeypatch.delitem(ALL_LOSSES, "padded")
    for ours, theirs in zip(*found, strict=True):
        assert np.abs(theirs).max() > 0
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_no_numbers_are_told() -> None:
    net = classifier([40, 30, 5])
    net.weights[1][0] = np.nan
    with pytest.raises(ParameterError, match="no longer finite; lower the learning rate"):
        net.train_batch(samples(3, 40, 5))


def test_dropout_leaves_out_inputs_and_scales_the_others() -> None:
    data = samples(200, 60, 5)
    net = classifier([60, 30, 5], dropout=0.5, w0=30.0)
    whole, dropped = net.forward(data), net.train_batch(data)
    assert dropped.loss.mean() == pytest.approx(whole.loss.mean(), rel=0.1)
    assert not np.array_equal(dropped.z, whole.z)


@pytest.mark.parametrize("integration", ["exact", "nmz19"])
def test_a_trial_is_a_stream_from_rest(integration: str) -> None:
    """The clock engine, given a sample's spikes as its input, has the same spikes and potentials, a step later."""
    small = 0.05 if integration == "nmz19" else 1.0  # whose weights act with their full size
    scheme = ss.Scheme(1.0, 1.0, integration, "double")
    net, data = classifier([40, 30, 5], scheme=scheme, w0=300.0 * small, loss="last_step"), samples(3, 40, 5)
    found = net.forward(data)
    for k in range(3):
        own = slice(data.offsets[k], data.offsets[k + 1])
        inputs = ss.Spikes(data.steps[own].astype(float), data.units[own], 40)
        task = ss.Task(inputs, ss.Spikes([], [], 5), float(STEPS))
        network = ss.Network(net.network.layers, loss="squared_error", scheme=scheme, weights=net.weights, rule=net.network.rule)
        simulation = Simulation(network, task, "clock")
        _, log = simulation.advance(STEPS)
        assert simulation.counts(log)[1] > 60
        u = simulation.state.v[simulation.where.start[2] :][:5]
        assert len(simulation.spikes(log, 1)[0]) == found.spikes[k, 0]
        assert relative(found.z[k], u) < 1e-12  # other orders of addition


def test_training_learns_labels_that_the_input_tells() -> None:
    """Two classes, told apart by which half of the inputs spikes."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 200)
    steps = rng.integers(0, 30, (200, 10))
    units = rng.integers(0, 10, (200, 10)) + 10 * labels[:, None]
    data = Samples(np.sort(steps, axis=1).ravel(), units.ravel(), np.arange(0, 2001, 10), labels, 60)
    for feedback in ("symmetric", "random", "uniform", "sign"):
        net = classifier([20, 16, 2], feedback=feedback, seed=1, w0=100.0, precision="single", optimizer=ss.Adam(1.0))
        for _ in range(10):
            for first in range(0, 200, 20):
                net.train_batch(data, np.arange(first, first + 20))
        found = net.forward(data)
        right = float((found.prediction == labels).mean())
        assert right > 0.95, feedback

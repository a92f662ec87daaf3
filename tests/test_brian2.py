"""SuperSpikeSynapses in real Brian2 networks, against our own engine."""

from __future__ import annotations

import importlib.util
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import relative, spikes_of

import superspike as ss
from superspike.simulation import Simulation

if importlib.util.find_spec("brian2") is None:
    pytest.skip("Brian2 is not installed: pip install -e '.[brian2]'", allow_module_level=True)

with warnings.catch_warnings():  # Brian2 2.9 calls pyparsing by its old names
    warnings.simplefilter("ignore")
    import brian2 as b2

    from superspike.brian2 import SuperSpikeSynapses

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NEEDS_COMPILER = pytest.mark.skipif(shutil.which("gcc") is None, reason="Brian2's cython target needs a C compiler")
SCHEME, BLOCK = ss.Scheme(precision="double"), 20.0  # ms

# Our default scheme in Brian2's words: its euler method for both, with the τ of I that makes Euler's factor e^(−dt/τ_syn).
NEURONS = """
dv/dt = (v_rest - v + I) / tau_mem : volt (unless refractory)
dI/dt = -I / tau_euler : volt
"""


@pytest.fixture(autouse=True)
def fresh_brian2(tmp_path: Path) -> Any:
    b2.start_scope()
    b2.defaultclock.dt = 0.1 * b2.ms
    target = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    yield
    b2.prefs.codegen.target = target


def lif_group(n: int) -> Any:
    """Our LIF neurons; a Brian2 neuron is free again refractory/dt steps after its spike, one sooner than ours."""
    group = b2.NeuronGroup(
        n, NEURONS, threshold="v > v_threshold", reset="v = v_rest", refractory=5.1 * b2.ms, method="euler",
        namespace={
            "v_rest": -60 * b2.mV, "v_threshold": -50 * b2.mV, "tau_mem": 10 * b2.ms,
            "tau_euler": 0.1 / (1 - np.exp(-0.1 / 5.0)) * b2.ms,
        },
    )  # fmt: skip
    group.v = -60 * b2.mV
    return group


def source_of(spikes: ss.Spikes, period: float) -> Any:
    return b2.SpikeGeneratorGroup(spikes.n, spikes.ids, spikes.times_ms * b2.ms, period=period * b2.ms)


def in_brian2(net: ss.Network, task: ss.Task, **options: Any) -> tuple[Any, list[Any], list[Any]]:
    """The same network, all its layers and synapses, as a Brian2 network."""
    layers = [source_of(task.inputs, task.period_ms), *(lif_group(n) for n in net.sizes[1:])]
    targets = source_of(task.targets, task.period_ms)
    synapses: list[Any] = []
    for k in reversed(range(len(net.sizes) - 1)):
        role = {"targets": targets} if not synapses else {"feedback": net.feedback, "above": synapses[0], "seed": 5}
        made = SuperSpikeSynapses(
            layers[k], layers[k + 1], block=BLOCK * b2.ms, optimizer=net.optimizer, precision="double", **role, **options
        )
        made.connect()
        made.w = net.weights[k].ravel() * b2.mV
        synapses.insert(0, made)
    return b2.Network(*layers, targets, *synapses), layers, synapses


def weights_of(synapses: Any) -> np.ndarray:
    w = np.zeros((len(synapses.source), len(synapses.target)))
    w[synapses.i[:], synapses.j[:]] = synapses.w / b2.mV
    return w


def a_task(n_in: int = 12, n_out: int = 3) -> ss.Task:
    return ss.tasks.poisson(n_inputs=n_in, input_rate=40.0, outputs=n_out, target_rate=30.0, period_ms=70.0, seed=5)


def a_network(sizes: list[int], **options: Any) -> ss.Network:
    return ss.Network(sizes, rule=ss.Rule(block=BLOCK), scheme=SCHEME, optimizer=ss.SGD(1.0), w0=100.0, seed=2, **options)


@pytest.mark.parametrize(
    ("target", "sizes"),
    [("numpy", [12, 3]), ("numpy", [12, 7, 3]), pytest.param("cython", [12, 7, 3], marks=NEEDS_COMPILER)],
)
def test_a_brian2_network_learns_our_engines_weights(target: str, sizes: list[int]) -> None:
    b2.prefs.codegen.target = target
    net, task, steps = a_network(sizes), a_task(), 1203
    initial = [w.copy() for w in net.weights]
    network, layers, synapses = in_brian2(net, task)
    monitor = b2.SpikeMonitor(layers[-1])
    network.add(monitor)
    network.run(steps * 0.1 * b2.ms)
    spikes = spikes_of(Simulation(net, task), steps)[len(sizes) - 1]
    assert sorted(zip(np.round(monitor.t / (0.1 * b2.ms)).astype(int).tolist(), monitor.i[:].tolist(), strict=True)) == spikes
    assert len(spikes) > 5
    for ours, before, brian in zip(net.weights, initial, synapses, strict=True):
        # double precision: voltages in V and mV differ by 2⁻⁵³ of 60 mV, which the rule's growth e^4 and six blocks multiply
        assert relative(weights_of(brian) - before, ours - before) < 1e-10


def test_several_runs_are_one(tmp_path: Path) -> None:
    found = []
    for durations in ([60.0], [0.1, 33.3, 26.6]):
        network, _, synapses = in_brian2(a_network([12, 7, 3]), a_task())
        for duration in durations:
            network.run(duration * b2.ms)
        found.append([weights_of(s) for s in synapses])
    for once, often in zip(*found, strict=True):
        np.testing.assert_array_equal(once, often)


def test_store_and_restore_continue_exactly() -> None:
    network, _, synapses = in_brian2(a_network([12, 7, 3]), a_task())
    network.store("start")
    network.run(33.3 * b2.ms)
    network.store()
    found = []
    for _ in range(2):
        network.run(33.3 * b2.ms)
        found.append([weights_of(s) for s in synapses])
        network.restore()
    network.restore("start")
    network.run(66.6 * b2.ms)
    found.append([weights_of(s) for s in synapses])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_sparse_synapses_learn_as_a_mask_does_and_a_rate_of_zero_stops_them() -> None:
    net, task = a_network([12, 3]), a_task()
    mask = np.random.default_rng(1).random((12, 3)) < 0.5
    layers, targets = [source_of(task.inputs, 70.0), lif_group(3)], source_of(task.targets, 70.0)
    synapses = SuperSpikeSynapses(*layers, targets=targets, block=BLOCK * b2.ms, optimizer=net.optimizer)
    synapses.connect(i=np.nonzero(mask)[0], j=np.nonzero(mask)[1])
    synapses.w = net.weights[0][mask] * b2.mV
    network = b2.Network(*layers, targets, synapses)
    synapses.rate = 0.0
    network.run(50 * b2.ms)
    np.testing.assert_allclose(weights_of(synapses)[mask], net.weights[0][mask], rtol=1e-15)  # V and back
    synapses.rate = 1.0
    network.run(50 * b2.ms)
    assert np.abs(weights_of(synapses)[mask] - net.weights[0][mask]).max() > 0.1
    assert not synapses.rule.eligibility_matrix()[~mask].any()


def test_parts_of_groups_learn_as_whole_groups_do() -> None:
    task, net, found = a_task(), a_network([12, 3]), []
    raster = np.zeros((700, 16))
    raster[np.round(task.inputs.times_ms / 0.1).astype(int), task.inputs.ids + 4] = 1
    raster[:, :4] = 1  # the others spike all the time
    for extra in (0, 4):
        spiking = b2.TimedArray(raster[:, 4 - extra :], dt=0.1 * b2.ms)
        inputs = b2.NeuronGroup(12 + extra, "", threshold="spiking(t, i) > 0", namespace={"spiking": spiking})
        outputs, targets = lif_group(3 + extra), source_of(task.targets, 70.0)
        outputs.v[:extra] = -10 * b2.mV  # these spike at once
        synapses = SuperSpikeSynapses(
            inputs[extra:], outputs[extra:], targets=targets, block=BLOCK * b2.ms, optimizer=net.optimizer, precision="double"
        )
        synapses.connect()
        synapses.w = net.weights[0].ravel() * b2.mV
        b2.Network(inputs, outputs, targets, synapses).run(70 * b2.ms)
        found.append(weights_of(synapses))
    np.testing.assert_array_equal(*found)
    assert np.abs(found[0] - net.weights[0]).max() > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"SuperSpikeSynapses: must have targets \(an output layer\), or feedback and above"),
        ({"feedback": "random"}, r"SuperSpikeSynapses: must have targets"),
        ({"targets": 2}, r"SuperSpikeSynapses.targets: must be 3 spike trains, got 2"),
        ({"targets": 3, "block": 20.0}, r"SuperSpikeSynapses.block: must be a quantity in s, e.g. .*got 20.0"),
        ({"targets": 3, "v_threshold": 50 * b2.ms}, r"SuperSpikeSynapses.v_threshold: must be a quantity in"),
        ({"targets": 3, "model": "g : volt", "on_pre": "I_post += g"}, r"SuperSpikeSynapses.model: must have a weight w"),
        ({"targets": 3, "model": "w : 1", "on_pre": "I_post += w*mV"}, r"SuperSpikeSynapses.model: must have a weight w"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], message: str) -> None:
    if isinstance(options.get("targets"), int):
        options = options | {"targets": b2.SpikeGeneratorGroup(options["targets"], [], [] * b2.ms)}
    with pytest.raises(ss.ParameterError, match=message):
        SuperSpikeSynapses(b2.SpikeGeneratorGroup(4, [], [] * b2.ms), lif_group(3), **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.connect(n=2), r"must have one synapse for each pair of neurons or none, got 24 synapses for 12 pairs"),
        (lambda s: (s.connect(), setattr(s, "_voltage", "u")), r"SuperSpikeSynapses.voltage: must be a variable of the target neurons, got 'u'"),
    ],
)  # fmt: skip
def test_wrong_synapses_are_refused_when_the_network_runs(change: Any, message: str) -> None:
    layers, targets = [b2.SpikeGeneratorGroup(4, [], [] * b2.ms), lif_group(3)], b2.SpikeGeneratorGroup(3, [], [] * b2.ms)
    synapses = SuperSpikeSynapses(*layers, targets=targets)
    change(synapses)
    with pytest.raises(Exception, match=r"encountered|preparing") as caught:  # Brian2 wraps what an object's before_run raises
        b2.Network(*layers, targets, synapses).run(1 * b2.ms)
    assert isinstance(caught.value.__cause__, ss.ParameterError)
    assert re.search(message, str(caught.value.__cause__))

"""SuperSpikeSynapses in real Brian2 networks, against our own engine."""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import relative, spikes_of

import superspike as ss
from superspike.engine.simulation import Simulation

if importlib.util.find_spec("brian2") is None:
    pytest.skip("Brian2 is not installed: pip install -e '.[brian2]'", allow_module_level=True)

with warnings.catch_warnings():  # Brian2 2.9 calls pyparsing by its old names
    warnings.simplefilter("ignore")
    import brian2 as b2

    from superspike.brian2 import SuperSpikeSynapses

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NEEDS_COMPILER = pytest.mark.skipif(shutil.which("gcc") is None, reason="Brian2's cython target needs a C compiler")
SCHEME, BLOCK = ss.Scheme(precision="double"), 20.0  # ms
MIDDLE = 24.5  # ms: amid a block, targets to come, and spikes under way

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


def lif_group(n: int, **options: Any) -> Any:
    """Our LIF neurons; a Brian2 neuron is free again refractory/dt steps after its spike, one sooner than ours."""
    group = b2.NeuronGroup(
        n, NEURONS, threshold="v > v_threshold", reset="v = v_rest", refractory=5.1 * b2.ms, method="euler",
        namespace={
            "v_rest": -60 * b2.mV, "v_threshold": -50 * b2.mV, "tau_mem": 10 * b2.ms,
            "tau_euler": 0.1 / (1 - np.exp(-0.1 / 5.0)) * b2.ms,
        },
        **options,
    )  # fmt: skip
    group.v = -60 * b2.mV
    return group


def source_of(spikes: ss.Spikes, period: float, **options: Any) -> Any:
    return b2.SpikeGeneratorGroup(spikes.n, spikes.ids, spikes.times_ms * b2.ms, period=period * b2.ms, **options)


def in_brian2(net: ss.Network, task: ss.Task, *, parts: bool = False, **options: Any) -> tuple[Any, list[Any], list[Any]]:
    """The same network, all its layers and synapses, as a Brian2 network; its layers may be parts of one group."""
    layers = [source_of(task.inputs, task.period_ms, name="layer0")]
    if parts:
        ends = np.cumsum(net.sizes[1:]).tolist()
        whole = lif_group(ends[-1], name="neurons")
        layers += [whole[a:b] for a, b in itertools.pairwise([0, *ends])]
        groups = [layers[0], whole]
    else:
        groups = layers = layers + [lif_group(n, name=f"layer{k + 1}") for k, n in enumerate(net.sizes[1:])]
    targets = source_of(task.targets, task.period_ms, name="targets")
    last, made = len(layers) - 1, dict[tuple[int, int], Any]()
    pairs = [(projection.pre, projection.post) for projection in net.projections]
    for pre, post in [*pairs[last - 1 :: -1], *pairs[last:]]:  # the chain from the outputs down, then the others
        role = {"targets": targets}
        if post < last:
            role = {"feedback": net.feedback, "above": made[post, post + 1], "seed": 5}
        made[pre, post] = SuperSpikeSynapses(
            layers[pre], layers[post], block=BLOCK * b2.ms, optimizer=net.optimizer, precision="double",
            delay=net.scheme.delay * b2.ms, name=f"synapses{pre}_{post}", **role, **options,
        )  # fmt: skip
        made[pre, post].connect()
    synapses = [made[pair] for pair in pairs]
    for brian, w in zip(synapses, net.weights, strict=True):
        brian.w = w.ravel() * b2.mV
    return b2.Network(*groups, targets, *synapses), layers, synapses


def weights_of(synapses: Any) -> np.ndarray:
    w = np.zeros((len(synapses.source), len(synapses.target)))
    w[synapses.i[:], synapses.j[:]] = synapses.w / b2.mV
    return w


def a_task(n_in: int = 12, n_out: int = 3) -> ss.Task:
    return ss.tasks.poisson(n_inputs=n_in, input_rate=40.0, outputs=n_out, target_rate=30.0, period_ms=70.0, seed=5)


def a_network(sizes: list[int], **options: Any) -> ss.Network:
    shared = {"rule": ss.Rule(block=BLOCK), "scheme": SCHEME, "optimizer": ss.SGD(1.0), "w0": 100.0, "seed": 2}
    return ss.Network(sizes, **shared | options)


@pytest.mark.parametrize(
    ("target", "sizes", "more"),
    [
        ("numpy", [12, 3], {}),
        ("numpy", [12, 7, 3], {}),
        ("numpy", [12, 7, 3], {"recurrent": True}),
        ("numpy", [12, 7, 3], {"recurrent": True, "scheme": ss.Scheme(precision="double", delay=0.0)}),
        ("numpy", [12, 7, 5, 3], {"recurrent": [True, True], "skip": [(0, 2), (0, 3)]}),
        ("parts", [12, 7, 5, 3], {"recurrent": [True, True]}),
        pytest.param("cython", [12, 7, 3], {"recurrent": True}, marks=NEEDS_COMPILER),
    ],
)
def test_a_brian2_network_learns_our_engines_weights(target: str, sizes: list[int], more: dict[str, Any]) -> None:
    b2.prefs.codegen.target = "cython" if target == "cython" else "numpy"
    net, task, steps = a_network(sizes, **more), a_task(), 1203
    initial = [w.copy() for w in net.weights]
    network, layers, synapses = in_brian2(net, task, parts=target == "parts")
    monitor = b2.SpikeMonitor(layers[-1])
    network.add(monitor)
    network.run(steps * 0.1 * b2.ms)
    spikes = spikes_of(Simulation(net, task), steps)[len(sizes) - 1]
    assert sorted(zip(np.round(monitor.t / (0.1 * b2.ms)).astype(int).tolist(), monitor.i[:].tolist(), strict=True)) == spikes
    assert len(spikes) > 5
    for ours, before, brian in zip(net.weights, initial, synapses, strict=True):
        assert np.abs(ours - before).max() > 1e-3  # mV: every projection learns
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


def weights_to_come(network: Any, duration: float) -> list[np.ndarray]:
    network.run(duration * b2.ms)
    return [weights_of(network[name]) for name in sorted(x.name for x in network if isinstance(x, SuperSpikeSynapses))]


def a_chain() -> Any:
    """Symmetric feedback, the lower weights at another rate; the script's own plasticity shifts the upper ones."""
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", 0.1 * b2.ms
    network, _, (lower, upper) = in_brian2(a_network([12, 7, 3]), a_task())
    lower.rate = 0.7
    upper.run_regularly("w *= 0.99", clock=b2.Clock(3 * b2.ms, name="slow"), name="decay")
    return network


def random_parts() -> Any:
    """Random inputs, parts of groups, random feedback of an unknown seed, and sparse synapses."""
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", 0.1 * b2.ms
    b2.seed(3)
    inputs = b2.PoissonGroup(14, 100 * b2.Hz, name="inputs")
    hidden, outputs, targets = (
        lif_group(9, name="hidden"),
        lif_group(5, name="outputs"),
        b2.PoissonGroup(6, 30 * b2.Hz, name="targets"),
    )
    shared: dict[str, Any] = {"block": BLOCK * b2.ms, "optimizer": ss.RMaxProp(1.0)}
    upper = SuperSpikeSynapses(hidden[2:], outputs[1:4], targets=targets[3:], name="upper", **shared)
    lower = SuperSpikeSynapses(inputs[1:13], hidden[2:], feedback="random", seed=7, above=upper, name="lower", **shared)
    for synapses in (upper, lower):
        synapses.connect("(i + j) % 3 > 0")
        synapses.w = "10*mV + 2*mV*j"
    return b2.Network(inputs, hidden, outputs, targets, upper, lower)


def in_a_new_process(make: Callable[[], Any], filename: str) -> list[np.ndarray]:
    network = make()
    network.restore("middle", filename, restore_random_state=True)
    return weights_to_come(network, 30.0)


def a_recurrent_layer_with_adam() -> Any:
    """Adam, with memories and a count of updates, and a layer that projects onto itself."""
    b2.prefs.codegen.target, b2.defaultclock.dt = "numpy", 0.1 * b2.ms
    return in_brian2(a_network([12, 7, 3], recurrent=True, optimizer=ss.Adam(0.5)), a_task())[0]


@pytest.mark.parametrize("make", [a_chain, random_parts, a_recurrent_layer_with_adam])
def test_store_and_restore_continue_exactly_here_and_in_a_new_process(make: Callable[[], Any], tmp_path: Path) -> None:
    filename, network = str(tmp_path / "stored"), make()
    network.store("start")
    network.run(MIDDLE * b2.ms)
    network.store("middle")
    network.store("middle", filename)
    expected = weights_to_come(network, 30.0)
    found = []
    for name, where, duration in (("middle", None, 30.0), ("start", None, MIDDLE + 30.0), ("middle", filename, 30.0)):
        network.restore(name, where, restore_random_state=True)
        network.store("again")  # before anything has run
        network.restore("again", restore_random_state=True)
        found.append(weights_to_come(network, duration))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found.append(pool.apply(in_a_new_process, (make, filename)))
    for other in found:
        for a, b in zip(expected, other, strict=True):
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
        ({"targets": 3, "block": [20, 20] * b2.ms}, r"SuperSpikeSynapses.block: must be a quantity in s, e.g. .*got array"),
        ({"targets": 3, "tau_rise": "5*ms"}, r"SuperSpikeSynapses.tau_rise: must be a quantity in s, e.g. .*got '5\*ms'"),
        ({"targets": 3, "on_event": "firing"}, r"SuperSpikeSynapses.on_event: must be 'spike' of source, got 'firing'"),
        ({"targets": 3, "unit": 0 * b2.mV}, r"SuperSpikeSynapses.unit: must be > 0, got"),
        ({"targets": 3, "model": "w : volt (shared)"}, r"SuperSpikeSynapses.model: must have a weight w"),
        ({"targets": 3, "model": "g : volt", "on_pre": "I_post += g"}, r"SuperSpikeSynapses.model: must have a weight w"),
        ({"targets": 3, "model": "w : 1", "on_pre": "I_post += w*mV"}, r"SuperSpikeSynapses.model: must have a weight w"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], message: str) -> None:
    if isinstance(options.get("targets"), int):
        options = options | {"targets": b2.SpikeGeneratorGroup(options["targets"], [], [] * b2.ms)}
    inputs = b2.NeuronGroup(4, "", threshold="False", events={"firing": "False"})
    with pytest.raises(ss.ParameterError, match=message):
        SuperSpikeSynapses(inputs, lif_group(3), **options)


def an_output_layer(**options: Any) -> tuple[Any, Any]:
    """Four inputs, three outputs."""
    task = a_task(4)
    layers, targets = (
        [source_of(task.inputs, 70.0, name="inputs"), lif_group(3, name="outputs")],
        source_of(task.targets, 70.0, name="targets"),
    )
    synapses = SuperSpikeSynapses(*layers, targets=targets, block=BLOCK * b2.ms, **options)
    return b2.Network(*layers, targets, synapses), synapses


def refusal(network: Any) -> str:
    """What a network's run is refused with, before it begins."""
    before = network.t
    with pytest.raises(Exception, match=r"encountered|preparing") as caught:  # Brian2 wraps what an object's before_run raises
        network.run(1 * b2.ms)
    assert isinstance(caught.value.__cause__, ss.ParameterError)
    assert network.t == before
    return str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.connect(n=2), r"must have one synapse for each pair of neurons or none, got 24 synapses for 12 pairs"),
        (lambda s: (s.connect(), setattr(s, "_voltage", "u")), r"SuperSpikeSynapses.voltage: must be a variable of the target neurons, got 'u'"),
    ],
)  # fmt: skip
def test_wrong_synapses_are_refused_when_the_network_runs(change: Any, message: str) -> None:
    network, synapses = an_output_layer()
    change(synapses)
    assert re.search(message, refusal(network))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, s: s.connect(), r"SuperSpikeSynapses s: must have one synapse for each pair .* got 24 synapses for 12 pairs"),
        (lambda n, s: setattr(s, "delay", 2 * b2.ms), r"SuperSpikeSynapses s: must keep the delay .* 0.8 ms, got 2 ms; make it"),
        (lambda n, s: setattr(b2.defaultclock, "dt", 0.05 * b2.ms), r"SuperSpikeSynapses s: must keep its dt .* got 0.05 ms after 0.1 ms"),
        (lambda n, s: setattr(s, "rate", np.nan), r"SuperSpikeSynapses s.rate: must be a finite number, got nan"),
        (lambda n, s: setattr(n["targets"], "active", False), r"SuperSpikeSynapses s: its targets must be active, got targets; rate = 0"),
        (lambda n, s: setattr(n["outputs"], "active", False), r"SuperSpikeSynapses s: its target must be active, got outputs"),
    ],
)  # fmt: skip
def test_what_a_script_must_not_change_between_runs_is_refused(change: Any, message: str) -> None:
    network, synapses = an_output_layer(name="s")
    synapses.connect()
    network.run(1 * b2.ms)
    change(network, synapses)
    assert re.search(message, refusal(network))


@pytest.mark.parametrize("role", ["source", "target", "targets"])
def test_groups_of_another_time_step_are_refused(role: str) -> None:
    other = {role: {"dt": 1 * b2.ms}}
    layers = [b2.SpikeGeneratorGroup(4, [], [] * b2.ms, **other.get("source", {})), lif_group(3, **other.get("target", {}))]
    targets = b2.SpikeGeneratorGroup(3, [0], [3] * b2.ms, **other.get("targets", {}))
    synapses = SuperSpikeSynapses(*layers, targets=targets, name="s")
    synapses.connect()
    message = refusal(b2.Network(*layers, targets, synapses))
    assert re.search(rf"SuperSpikeSynapses s: its groups must have the same dt, got .*\b{role} 1 ms.*; make them", message)


@pytest.mark.parametrize("missing", ["targets", "synapses1_2"])
def test_targets_and_synapses_above_must_be_in_the_network(missing: str) -> None:
    network = in_brian2(a_network([12, 7, 3]), a_task())[0]
    del network[missing]
    with pytest.raises(ValueError, match="not the object on which it depends"):
        network.run(1 * b2.ms)
    assert network.t == 0 * b2.ms


def test_synapses_above_must_begin_where_the_layer_ends() -> None:
    hidden, outputs, targets = lif_group(6), lif_group(3), b2.SpikeGeneratorGroup(3, [], [] * b2.ms)
    above = SuperSpikeSynapses(hidden[:3], outputs, targets=targets)
    SuperSpikeSynapses(targets, hidden[:3], feedback="random", above=above)
    with pytest.raises(ss.ParameterError, match=r"SuperSpikeSynapses.above: must lead from the 3 target neurons upwards"):
        SuperSpikeSynapses(targets, hidden[3:], feedback="random", above=above)


@pytest.mark.parametrize("part", [slice(None), slice(1, 4)])
def test_recurrent_synapses_are_above_nothing(part: slice) -> None:
    hidden, outputs, targets = lif_group(6, name="h"), lif_group(3), b2.SpikeGeneratorGroup(3, [], [] * b2.ms)
    layer = hidden[part] if part.start else hidden
    above = SuperSpikeSynapses(layer, outputs, targets=targets)
    recurrent = SuperSpikeSynapses(layer, layer, feedback="symmetric", above=above, name="loop")
    with pytest.raises(
        ss.ParameterError, match=r"SuperSpikeSynapses.above: must lead .* neurons upwards, got recurrent .*, loop"
    ):
        SuperSpikeSynapses(targets, layer, feedback="symmetric", above=recurrent)


def test_a_voltage_without_unit_is_refused() -> None:
    inputs, targets = b2.SpikeGeneratorGroup(4, [], [] * b2.ms), b2.SpikeGeneratorGroup(3, [], [] * b2.ms)
    outputs = b2.NeuronGroup(3, "v : 1\nI : volt\nu = v*volt : volt\nshared : volt (shared)", threshold="v > 1", reset="v = 0")
    for voltage in ("v", "u", "shared"):
        synapses = SuperSpikeSynapses(inputs, outputs, targets=targets, voltage=voltage)
        synapses.connect()
        message = refusal(b2.Network(inputs, outputs, targets, synapses))
        assert re.search(rf"voltage: must be a variable of the target neurons, got '{voltage}'; .* in volts", message)


def test_a_new_time_step_is_taken_after_a_restore_to_the_start() -> None:
    found = []
    for first in (0.1, 0.2):
        b2.defaultclock.dt = first * b2.ms
        network, synapses = an_output_layer()
        synapses.connect()
        synapses.w = "(20 + 5*i)*mV"
        network.store()
        if first == 0.1:
            network.run(30 * b2.ms)
            network.restore()
            b2.defaultclock.dt = 0.2 * b2.ms
        found.append(weights_to_come(network, 60.0)[0])
    np.testing.assert_array_equal(*found)
    assert np.ptp(found[0] - 5 * np.arange(4)[:, None]) > 0.1


def test_a_restore_to_other_parameters_is_refused(tmp_path: Path) -> None:
    for optimizer in (ss.SGD(1.0), ss.SGD(2.0)):
        network, synapses = an_output_layer(name="s", optimizer=optimizer)
        synapses.connect()
        if optimizer == ss.SGD(1.0):
            network.run(1 * b2.ms)
            network.store(filename=str(tmp_path / "stored"))
    network.restore(filename=str(tmp_path / "stored"))
    for _ in range(2):  # nothing is forgotten
        assert re.search(r"SuperSpikeSynapses s: must be restored as it was stored; SuperSpike.restore", refusal(network))


def test_a_rate_is_restored_with_the_weights() -> None:
    network, synapses = an_output_layer()
    synapses.connect()
    synapses.rate = 0.25
    network.store()
    synapses.rate = 0.0
    network.restore()
    assert synapses.rate == 0.25


def test_synapses_connected_between_runs_learn_as_those_that_were_silent_before() -> None:
    found = []
    for late in (False, True):
        task, net = a_task(), a_network([12, 3])
        layers, targets = [source_of(task.inputs, 70.0), lif_group(3)], source_of(task.targets, 70.0)
        synapses = SuperSpikeSynapses(
            *layers, targets=targets, delay=0 * b2.ms, block=BLOCK * b2.ms, optimizer=net.optimizer, precision="double"
        )
        network = b2.Network(*layers, targets, synapses)
        synapses.connect("i < 6" if late else True)
        first = np.repeat(np.arange(12) < 6, 3)[:, None]
        before, after = (first * net.weights[0].reshape(-1, 1)).ravel(), net.weights[0].ravel()
        synapses.w = before[: len(synapses)] * b2.mV
        network.run(15 * b2.ms)  # no block is complete
        if late:
            network.store()
            network.restore()
            synapses.connect("i >= 6")
        synapses.w = after * b2.mV
        network.run(55 * b2.ms)
        found.append(weights_of(synapses))
        assert np.abs(found[-1] - net.weights[0])[6:].max() > 0.1
    np.testing.assert_array_equal(*found)


def test_symmetric_feedback_takes_up_weights_set_between_runs() -> None:
    found = []
    for late in (False, True):
        network, _, synapses = in_brian2(a_network([12, 7, 3]), a_task())
        if late:
            synapses[1].w *= -3
            network.run(0 * b2.ms)
            synapses[1].w = a_network([12, 7, 3]).weights[1].ravel() * b2.mV
        found.append(weights_to_come(network, 60.0))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rules_do_not_disturb_each_other_in_one_network_or_another() -> None:
    def members(name: str, seed: int) -> list[Any]:
        task = ss.tasks.poisson(n_inputs=8, input_rate=40.0, outputs=3, target_rate=30.0, period_ms=70.0, seed=seed)
        layers, targets = [source_of(task.inputs, 70.0), lif_group(3)], source_of(task.targets, 70.0, dt=0.1 * b2.ms)
        synapses = SuperSpikeSynapses(*layers, targets=targets, block=BLOCK * b2.ms, name=name)
        synapses.connect()
        synapses.w = "(20 + 5*i)*mV"
        return [*layers, targets, synapses]

    alone: dict[str, Any] = {}
    networks = {name: b2.Network(*members(name, seed)) for seed, name in enumerate("ab")}
    for duration in (30.0, 35.0):  # in turns
        alone |= {name: weights_to_come(network, duration)[0] for name, network in networks.items()}
    both = b2.Network(members("a", 0), members("b", 1))
    np.testing.assert_array_equal(weights_to_come(both, 65.0), [alone["a"], alone["b"]])
    _inputs, _outputs, _targets, synapses = members("a", 0)
    b2.run(65 * b2.ms)  # the magic network: what is in sight
    np.testing.assert_array_equal(weights_of(synapses), alone["a"])


def test_a_weights_unit_may_be_a_number() -> None:
    options: dict[str, Any] = {"model": "w : 1", "on_pre": "I_post += w*mV", "unit": 1}
    inputs, targets = b2.SpikeGeneratorGroup(4, [], [] * b2.ms), b2.SpikeGeneratorGroup(3, [], [] * b2.ms)
    SuperSpikeSynapses(inputs, lif_group(3), targets=targets, w_max=100, **options)
    with pytest.raises(ss.ParameterError, match=r"SuperSpikeSynapses.w_max: must be a quantity in 1, e.g. 1, got"):
        SuperSpikeSynapses(inputs, lif_group(3), targets=targets, **options)

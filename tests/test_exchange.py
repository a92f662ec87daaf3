"""Spike trains and networks survive the way to other programs and back."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from superspike import LIF, Network, ParameterError, RMaxProp, Rule, Scheme, Spikes, Task, from_nir, read_ras, to_nir, write_ras
from superspike.engine.simulation import Simulation
from superspike.engine.state import padded
from superspike.model.feedback import FEEDBACKS
from superspike.model.optimizer import OPTIMIZERS
from superspike.model.scheme import to_steps
from superspike.model.surrogate import SURROGATES

needs_neo = pytest.mark.skipif(find_spec("neo") is None, reason="needs the extra neo")
needs_nir = pytest.mark.skipif(find_spec("nir") is None, reason="needs the extra nir")
STEPS = st.sampled_from([0.05, 0.1, 0.125, 1 / 3, 1.0, 2.5])
TRAINS = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.tuples(st.floats(0, 1e4), st.integers(0, n - 1)), max_size=30).map(
        lambda spikes: Spikes([t for t, _ in spikes], [i for _, i in spikes], n)
    )
)


def assert_same(a: Spikes, b: Spikes, atol: float = 0.0) -> None:
    assert (a.n, len(a)) == (b.n, len(b))
    for unit in range(a.n):  # spikes closer than ``atol`` may change places between units
        np.testing.assert_allclose(a.train(unit), b.train(unit), rtol=0, atol=atol)


@given(st.integers(1, 6).flatmap(lambda n: arrays(bool, st.tuples(st.integers(0, 40), st.just(n)))), STEPS)
def test_a_raster_survives_the_way_to_spikes_and_back(raster: np.ndarray, dt: float) -> None:
    spikes = Spikes.from_raster(raster, dt)
    assert len(spikes) == raster.sum()
    np.testing.assert_array_equal(spikes.to_raster(dt, len(raster) * dt), raster)
    assert_same(Spikes.from_raster(spikes.to_raster(dt), dt), spikes)


@given(TRAINS)
def test_arrays_of_times_and_ids_are_the_spikes(spikes: Spikes) -> None:
    assert_same(Spikes(spikes.times_ms[::-1], spikes.ids[::-1], spikes.n), spikes)


@needs_neo
@settings(deadline=None)  # the first case waits for the import of neo
@given(TRAINS)
def test_spikes_survive_the_way_to_neo_and_back(spikes: Spikes) -> None:
    assert_same(Spikes.from_neo(spikes.to_neo(1e4)), spikes)
    in_seconds = [train.rescale("s") for train in spikes.to_neo(1e4)]
    assert_same(Spikes.from_neo(in_seconds), spikes, atol=1e-11)  # a division and a multiplication of at most 1e4


@given(TRAINS)
def test_spikes_survive_the_way_to_a_ras_file_and_back(spikes: Spikes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.ras"
        write_ras(path, spikes)
        again = read_ras(path, spikes.n)
    assert_same(again, spikes, atol=1e-6)  # the file counts nanoseconds


def test_two_spikes_in_one_bin_are_refused_or_merged_on_demand() -> None:
    spikes = Spikes([3.1, 3.9, 3.2], [1, 1, 0], 2)
    with pytest.raises(
        ParameterError, match=r"to_raster\.dt_ms: .* unit 1 spikes 2 times in the step from 3 ms, got 1; lower dt_ms, or"
    ):
        spikes.to_raster(1.0)
    assert spikes.to_raster(1.0, merge=True).tolist() == [[False, False]] * 3 + [[True, True]]
    assert spikes.to_raster(0.5).sum() == 3


def test_impossible_rasters_are_refused() -> None:
    for raster in (np.zeros(3), np.zeros((3, 0)), [[2, 0]], [[np.nan]]):
        with pytest.raises(ParameterError, match=r"from_raster\.raster: must be booleans"):
            Spikes.from_raster(raster, 1.0)
    with pytest.raises(ParameterError, match=r"from_raster\.dt_ms"):
        Spikes.from_raster([[True]], 0.0)
    with pytest.raises(ParameterError, match=r"duration_ms: must reach beyond the last spike \(10 ms\), got 10"):
        Spikes([10.0], [0], 1).to_raster(1.0, 10.0)


@needs_neo
def test_neo_trains_keep_their_window_and_begin_where_one_says() -> None:
    import neo

    trains = [neo.SpikeTrain([2.5, 2.25], units="s", t_start=2.0, t_stop=4.0), neo.SpikeTrain([], units="ms", t_stop=1.0)]
    assert_same(Spikes.from_neo(trains), Spikes([2250.0, 2500.0], [0, 0], 2))
    assert_same(Spikes.from_neo(trains, origin_ms=2000.0), Spikes([250.0, 500.0], [0, 0], 2))
    with pytest.raises(
        ParameterError, match=r"origin_ms: must not lie after the first spike, got 2300 ms and a spike at 2250 ms"
    ):
        Spikes.from_neo(trains, origin_ms=2300.0)
    early = [neo.SpikeTrain([-20.0], units="ms", t_start=-100.0, t_stop=0.0)]
    assert Spikes.from_neo(early, origin_ms=-100.0).times_ms.tolist() == [80.0]
    written = Spikes([5.0, 7.0], [1, 1], 2).to_neo(9.0, 4.0)
    assert [float(x) for train in written for x in (train.t_start, train.t_stop)] == [4.0, 9.0] * 2
    assert [len(train) for train in written] == [0, 2]
    for window in ((6.0,), (9.0, 6.0), (4.0, 9.0)):
        with pytest.raises(ParameterError, match=r"to_neo: t_start_ms < t_stop_ms must enclose the spikes \(5 … 7 ms\)"):
            Spikes([5.0, 7.0], [1, 1], 2).to_neo(*window)


@needs_neo
def test_neo_trains_in_single_precision_keep_their_steps() -> None:
    import neo

    steps = np.arange(0, 5_000_000, 997)  # 500 s of 0.1 ms, where single precision's spacing is a third of a step
    train = neo.SpikeTrain((steps * 1e-4).astype(np.float32), units="s", t_stop=501.0, dtype=np.float32)
    np.testing.assert_array_equal(to_steps(Spikes.from_neo([train]).times_ms, 0.1), steps)


@pytest.mark.parametrize("package", ["neo", "nir"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from superspike.model.parameters import extra

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=rf"{package}: is not installed; pip install 'superspike\[{package}\]'"):
        extra(package)


def quiet_nir(network: Network, **options: Any) -> Any:
    """The network's graph, without the warning of its refractory period."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LIF.tau_ref: NIR has no refractory period")
        return to_nir(network, **options)


LIFS = st.builds(
    lambda tau_mem, tau_syn, tau_ref, rest, gap: LIF(tau_mem / 8, tau_syn / 8, tau_ref / 10, rest / 4 + gap / 4, rest / 4),
    st.integers(8, 400), st.integers(8, 400), st.integers(0, 100), st.integers(-400, 400), st.integers(1, 100),
)  # fmt: skip


@st.composite
def networks(draw: Any) -> Network:
    """Chains with any recurrent and skip projections."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    pairs = [(pre, post) for pre, post in itertools.combinations(range(len(sizes)), 2) if post > pre + 1]
    words = st.sampled_from(["euler", "exact"]), st.sampled_from(["single", "double"])
    return Network(
        sizes,
        neuron=draw(LIFS),
        scheme=Scheme(0.1, draw(st.integers(0, 30)) / 10, *map(draw, words)),
        rule=Rule(draw(st.floats(1, 20)), rho=draw(st.floats(0, 2)), w_max=draw(st.floats(1, 200))),
        feedback=draw(st.sampled_from(list(FEEDBACKS))),
        surrogate=draw(st.sampled_from([*SURROGATES, *(cls(0.3) for cls in SURROGATES.values())])),
        optimizer=draw(st.sampled_from([*OPTIMIZERS, RMaxProp(learning_rate=0.7)])),
        recurrent=[draw(st.booleans()) for _ in sizes[1:-1]],
        skip=[pair for pair in draw(st.permutations(pairs)) if draw(st.booleans())],
        w0=draw(st.floats(0, 300)),
        seed=draw(st.integers(0, 1000)),
    )


@needs_nir
def test_a_pulse_of_numpys_single_precision_is_kept_as_its_decimal() -> None:
    graph = quiet_nir(Network([3, 2]), pulse_ms=np.float32(0.1))
    assert json.loads(graph.metadata["superspike"])["pulse_ms"] == 0.1


@needs_nir
@settings(deadline=None, max_examples=40)  # 0.1 s each
@given(networks(), st.sampled_from([None, 0.1]))
def test_a_network_survives_the_way_to_a_nir_file_and_back(network: Network, pulse: float | None) -> None:
    import nir

    with tempfile.TemporaryDirectory() as folder:
        nir.write(f"{folder}/net.nir", quiet_nir(network, pulse_ms=pulse))
        again = from_nir(nir.read(f"{folder}/net.nir"))
    for ours, theirs in zip(
        [*network.weights, *network.feedback_weights], [*again.weights, *again.feedback_weights], strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0 if pulse is None else 1e-6)  # w_in rounds; single precision
        assert ours.dtype == theirs.dtype
    same = ("projections", "sizes", "neuron", "rule", "scheme", "feedback", "surrogate", "optimizer", "w0", "seed")
    for name in same:
        assert getattr(again, name) == getattr(network, name)


def in_other_words(graph: Any, rng: np.random.Generator) -> Any:
    """The same graph, its nodes and edges in another order and by other names."""
    import nir

    names = {name: f"node {k}" for k, name in enumerate(rng.permutation(list(graph.nodes)))}
    edges = [(names[a], names[b]) for a, b in graph.edges]
    return nir.NIRGraph(
        {new: graph.nodes[old] for old, new in names.items()},
        [edges[k] for k in rng.permutation(len(edges))],
        metadata=graph.metadata,
    )


@needs_nir
@settings(deadline=None, max_examples=20)
@given(networks(), st.integers(0, 1000))
def test_names_and_order_of_nodes_and_edges_do_not_matter(network: Network, seed: int) -> None:
    again = from_nir(in_other_words(quiet_nir(network), np.random.default_rng(seed)))
    assert again.projections == network.projections
    for ours, theirs in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def nir_simulation(graph: Any, inputs: np.ndarray, dt: float, pulses: bool = False) -> tuple[Any, Any]:
    """Integrate a graph as NIR defines it (fourth-order Runge-Kutta, steps of ``dt`` in s); spikes and voltages by node.

    ``inputs`` (steps, n). A node's inputs add. A spike is a Dirac pulse at the end of its step, or lasts all of the next step
    with height 1.
    """
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    before = {name: [a for a, b in graph.edges if b == name] for name in kinds}
    layers = {name: node for name, node in graph.nodes.items() if kinds[name] == "CubaLIF"}
    v = {name: node.v_leak.copy() for name, node in layers.items()}
    current = {name: np.zeros_like(x) for name, x in v.items()}
    spikes, voltages = ({name: np.zeros((len(inputs), len(x))) for name, x in v.items()} for _ in range(2))

    def sum_into(name: str, t: int) -> Any:
        return sum(out_of(other, t) for other in before[name])

    def out_of(name: str, t: int) -> Any:
        node, kind = graph.nodes[name], kinds[name]
        if kind == "Delay":
            return sum_into(name, t - round(node.delay[0] / dt))
        if kind == "Linear":
            return node.weight @ sum_into(name, t)
        x = inputs if kind == "Input" else spikes[name]
        return x[t] * 1.0 if t >= 0 else np.zeros(x.shape[1])

    for t in range(len(inputs)):
        arrived = {name: sum_into(name, t - 1) if pulses else 0.0 for name in layers}
        for name, node in layers.items():

            def slope(v: Any, i: Any, s: Any = arrived[name], node: Any = node) -> tuple[Any, Any]:
                return (node.v_leak - v + node.r * i) / node.tau_mem, (-i + node.w_in * s) / node.tau_syn

            x, i = v[name], current[name]
            a = slope(x, i)
            b = slope(x + dt / 2 * a[0], i + dt / 2 * a[1])
            c = slope(x + dt / 2 * b[0], i + dt / 2 * b[1])
            d = slope(x + dt * c[0], i + dt * c[1])
            x = x + dt / 6 * (a[0] + 2 * b[0] + 2 * c[0] + d[0])
            current[name] = i + dt / 6 * (a[1] + 2 * b[1] + 2 * c[1] + d[1])
            spikes[name][t] = x > node.v_threshold
            v[name] = voltages[name][t] = np.where(spikes[name][t], node.v_reset, x)
        if not pulses:
            for name, node in layers.items():
                current[name] = current[name] + node.w_in * sum_into(name, t) / node.tau_syn  # ∫ δ = 1
    return spikes, voltages


def assert_integrated_alike(network: Network, graph: Any, layers: list[str]) -> None:
    """The network's spikes and voltages are those of the graph, whose nodes ``layers`` are the network's from the first up."""
    raster = np.random.default_rng(4).random((3000, network.sizes[0])) < 0.006
    task = Task(Spikes.from_raster(raster, 0.1), Spikes([], [], network.sizes[-1]), 300.0)
    spikes, voltages = nir_simulation(graph, raster, 1e-4)
    simulation = Simulation(network, task, "clock")
    v = []
    for _ in range(3000):
        _, log = simulation.advance(1)
        v.append(simulation.state.v.copy())
        for layer, name in enumerate(layers, 1):
            assert simulation.spikes(log, layer)[1].tolist() == np.flatnonzero(spikes[name][simulation.step - 1]).tolist()
    begin = padded(network.sizes[0])
    for n, name in zip(network.sizes[1:], layers, strict=True):
        # Runge-Kutta: (dt/τ)^4 of 10 mV
        np.testing.assert_allclose(np.array(v)[:, begin : begin + n], voltages[name], atol=1e-6)
        begin += padded(n)
    assert min(fired.sum() for fired in spikes.values()) > 5


@needs_nir
@pytest.mark.parametrize("delay", [0.0, 0.8])
@pytest.mark.parametrize("more", [{}, {"recurrent": True, "skip": [(1, 3), (0, 2)]}], ids=["chain", "graph"])
def test_the_graph_integrated_as_nir_says_gives_our_psps_and_spikes(delay: float, more: dict[str, Any]) -> None:
    lif = LIF(tau_mem=12.0, tau_syn=4.0, tau_ref=0.0, v_threshold=-52.0, v_rest=-61.0)
    scheme = Scheme(delay=delay, integration="exact", precision="double")
    network = Network([8, 6, 4, 3], neuron=lif, w0=60.0, seed=3, scheme=scheme, **more)
    graph = to_nir(network)  # no warning without refractoriness
    assert_integrated_alike(network, graph, ["hidden1_lif", "hidden2_lif", "output_lif"])


@needs_nir
def test_spikes_that_fill_a_step_bring_as_much_charge_as_dirac_pulses() -> None:
    network = Network([1, 1], weights=[[[20.0]]], neuron=LIF(tau_ref=0.0), scheme=Scheme(delay=0.0))
    inputs = np.zeros((2000, 1))
    inputs[0] = 1
    dirac, pulse = (
        nir_simulation(to_nir(network, pulse_ms=ms), inputs, 1e-4, pulses=ms is not None)[1]["output_lif"] for ms in (None, 0.1)
    )
    assert pulse.sum() * 0.1 == pytest.approx(20.0 * 5.0, rel=1e-6)  # ∫ v dt = w τ_syn; 200 ms leave e^−20
    assert np.abs(pulse - dirac).max() == pytest.approx(0, abs=0.1)  # half a step late: at most 0.05 ms of 20 mV / 10 ms


@needs_nir
def test_a_refractory_period_is_warned_of_and_kept() -> None:
    network = Network([3, 2], neuron=LIF(tau_ref=2.0))
    with pytest.warns(UserWarning, match=r"LIF\.tau_ref: NIR has no refractory period; 2 ms are kept as metadata"):
        graph = to_nir(network)
    assert from_nir(graph).neuron.tau_ref == 2.0
    graph.metadata.clear()
    assert from_nir(graph).neuron == LIF(tau_ref=0.0, v_threshold=10.0, v_rest=0.0)  # what the graph itself says


@needs_nir
def test_a_graph_of_another_program_becomes_a_network() -> None:
    import nir

    graph = nir.NIRGraph.from_list(
        nir.Affine(weight=np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], np.float32), bias=np.zeros(2)),
        nir.CubaLIF(
            tau_mem=np.full(2, 0.02), tau_syn=np.full(2, 0.01), r=np.array([2.0, 4.0]),
            v_leak=np.zeros(2), v_threshold=np.ones(2), w_in=np.full(2, 10.0),
        ),
    )  # fmt: skip
    network = from_nir(graph, pulse_ms=1.0, rule=Rule(w_max=50.0), scheme=Scheme(dt=0.5, delay=1.0), feedback="random")
    np.testing.assert_allclose(network.weights[0], np.array([[2.0, 0.0], [-4.0, 12.0], [1.0, 4.0]]), rtol=1e-6)  # single
    assert network.neuron == LIF(20.0, 10.0, 0.0, 1.0, 0.0)
    assert network.scheme == Scheme(dt=0.5, delay=1.0)
    with pytest.raises(ParameterError, match=r"w0 must lie within ±Rule\.w_max \(100 mV\), got 12000 mV; raise w_max"):
        from_nir(graph)


@needs_nir
@pytest.mark.parametrize("number", [float, np.array, np.float32, lambda x: np.full(1, x), lambda x: np.full(2, x)])
@pytest.mark.parametrize("reset", [{}, {"v_reset": None}, {"v_reset": 0.0}])
def test_parameters_may_be_numbers_instead_of_arrays_over_neurons(number: Any, reset: dict[str, Any]) -> None:
    import nir

    def bare(cls: type, **values: Any) -> Any:
        """A node as a program fills it that knows nothing of nir's checks."""
        node = object.__new__(cls)
        node.__dict__ = {name: None if x is None else number(x) for name, x in values.items()}
        return node

    lif = bare(nir.CubaLIF, tau_mem=0.02, tau_syn=0.01, r=2.0, v_leak=0.0, v_threshold=1.0, w_in=10.0, **reset)
    nodes = {"input": nir.Input(np.array([3])), "w": nir.Linear(np.ones((2, 3))), "output": nir.Output(np.array([2]))}
    edges = list(itertools.pairwise(("input", "delay", "w", "lif", "output")))
    graph = nir.NIRGraph(nodes | {"delay": nodes["input"], "lif": nodes["output"]}, edges, type_check=False)
    graph.nodes |= {"delay": bare(nir.Delay, delay=0.001), "lif": lif}
    network = from_nir(graph, pulse_ms=1.0)
    np.testing.assert_allclose(network.weights[0], np.full((3, 2), 2.0), rtol=1e-6)  # single precision
    np.testing.assert_allclose(network.neuron[:5], LIF(20.0, 10.0, 0.0, 1.0, 0.0)[:5], rtol=1e-7)  # single precision, in one case
    assert network.scheme.delay == pytest.approx(1.0, rel=1e-7)
    lif.w_in = np.full(4, 10.0)
    with pytest.raises(ParameterError, match=r"'lif': w_in must be one number, or one for each of the 2 neurons, got 4"):
        from_nir(graph)
    lif.v_leak = -1.0
    with pytest.raises(ParameterError, match=r"'lif': v_reset must be v_leak, .*; got 0"):
        from_nir(graph)


def cuba(n: int, **other: Any) -> Any:
    import nir

    values = dict.fromkeys(("tau_mem", "tau_syn", "r", "v_threshold"), 0.01) | {"v_leak": 0.0, "v_reset": 0.0} | other
    return nir.CubaLIF(**{name: np.broadcast_to(value, n).astype(float) for name, value in values.items()})


def linear(n_pre: int, n_post: int, weight: float = 1.0) -> Any:
    import nir

    return nir.Linear(weight=np.full((n_post, n_pre), weight))


@needs_nir
def test_chains_that_are_no_such_network_are_refused() -> None:
    import nir

    for nodes, message in (
        (
            [linear(2, 2), cuba(2, tau_mem=[0.01, 0.02])],
            r"'cubalif': tau_mem must be the same for all neurons, got 0\.01 … 0\.02",
        ),
        ([linear(2, 2), cuba(2, v_reset=-1.0)], r"'cubalif': v_reset must be v_leak, .*; got -1"),
        ([nir.Affine(weight=np.ones((2, 2)), bias=np.ones(2)), cuba(2)], "must have no bias"),
        (
            [linear(2, 2), cuba(2), linear(2, 2), cuba(2, tau_syn=0.02)],
            r"'cubalif_1': all layers must have the same parameters, those of 'cubalif' \(tau_syn 0\.01\), got 0\.02",
        ),
        (
            [nir.Delay(np.full(2, 0.001)), linear(2, 2), cuba(2), linear(2, 2), cuba(2)],
            r"'linear_1': all projections must have the same delay, that of 'linear' \(0\.001 s\), got 0 s; .*Delay",
        ),
        (
            [linear(2, 2), nir.LIF(*(np.ones(2),) * 4)],
            r"'lif': must be Delay, Linear or Affine, or CubaLIF, in this order, got LIF",
        ),
        (
            [linear(2, 2), cuba(2), linear(2, 2), nir.CubaLI(*(np.ones(2),) * 4)],
            r"'cubali': must be .* CubaLIF, in this order, got CubaLI; a readout has no spikes to be learned, make it a CubaLIF",
        ),
        ([linear(2, 2), cuba(2), linear(2, 2), nir.LI(*(np.ones(2),) * 3)], r"'li': must be .* got LI; a readout has no spikes"),
        ([linear(2, 2), linear(2, 2), cuba(2)], r"'linear_1': must be .* in this order, got Linear after Linear 'linear'"),
        ([linear(2, 2)], "must end with a CubaLIF layer"),
        ([linear(2, 2), cuba(2), nir.Delay(np.full(2, 0.001))], "must end with a CubaLIF layer"),
    ):
        with pytest.raises(ParameterError, match=message):
            from_nir(nir.NIRGraph.from_list(*nodes))


@needs_nir
@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ("xo", r"'output': the graph must end with a CubaLIF layer before it, got Linear 'x'"),
        ("bo", r"^NIR graph: its Output must follow the last layer, 'a', and no other, got 'a', 'b'"),
        ("ax xb", r"^NIR nodes 'w', 'x': must lead upwards, or from a layer to itself, got a circle through the layers 'a', 'b'"),
        ("ax xa", r"'x': must not be recurrent, 'a' is the output layer; only hidden layers"),
        ("ix xc", r"'c': must lead to another node, got none"),
        ("xb", r"'x': must follow another node, got none"),
        ("ix", r"'x': must lead to another node, got none"),
        ("ix xc cy ya", r"'b' and 'c': must be joined, .*; a Linear node of weights 0 joins them"),
        ("bx xi", r"'input': must follow no other node, got Linear 'x'"),
    ],
)
def test_graphs_that_are_no_such_network_are_refused(edges: str, message: str) -> None:
    import nir

    names = {"i": "input", "o": "output"}
    nodes = {
        "input": nir.Input(np.array([2])), "output": nir.Output(np.array([2])),
        "a": cuba(2), "b": cuba(2), "u": linear(2, 2), "w": linear(2, 2),
    }  # fmt: skip
    whole = [*("iu", "ub", "bw", "wa", "ao"), *edges.split()]
    nodes |= {name: cuba(2) if name == "c" else linear(2, 2) for pair in whole for name in pair if name in "xyc"}
    graph = nir.NIRGraph(nodes, [(names.get(a, a), names.get(b, b)) for a, b in whole], type_check=False)
    with pytest.raises(ParameterError, match=message):
        from_nir(graph)
    with pytest.raises(ParameterError, match=r"from_nir\.pulse_ms: must be > 0 ms, got 0"):
        from_nir(graph, pulse_ms=0)


@needs_nir
def test_a_graph_within_a_graph_and_graphs_without_ends_are_refused() -> None:
    import nir

    whole = nir.NIRGraph.from_list(linear(2, 2), cuba(2))
    for end in ("input", "output"):
        rest = {name: node for name, node in whole.nodes.items() if name != end}
        edges = [edge for edge in whole.edges if end not in edge]
        with pytest.raises(ParameterError, match=rf"^NIR graph: must have one {end.title()}, got nodes of the kinds .*CubaLIF"):
            from_nir(nir.NIRGraph(rest, edges, type_check=False))
    nodes = {"input": nir.Input(np.array([2])), "inner": whole, "output": nir.Output(np.array([2]))}
    with pytest.raises(ParameterError, match=r"'inner': must be .*, got NIRGraph; put its nodes into the graph itself"):
        from_nir(nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), type_check=False))


@needs_nir
def test_inputs_of_a_node_add_and_its_outputs_are_the_same() -> None:
    import nir

    rng, lif = np.random.default_rng(3), {"tau_mem": 0.02, "tau_syn": 0.005, "r": 1.0, "v_threshold": 10.0}
    weights = {"w": (4, 3), "more": (4, 3), "both": (4, 4), "up": (2, 4), "back": (4, 4)}
    nodes = {
        "input": nir.Input(np.array([3])), "a": cuba(4, **lif), "b": cuba(4, **lif), "c": cuba(2, **lif), "output": nir.Output(np.array([2])),
        **{name: nir.Linear(rng.normal(6, 12, shape) * 5e-3) for name, shape in weights.items()},
        **{name: nir.Delay(np.full(n, 0.0008)) for name, n in (("d", 3), ("da", 4), ("db", 4))},
    }  # fmt: skip
    ways = ["input d w a", "d more a", "more b", "a da both b", "b db both", "db up c output", "da back a", "back b"]
    edges = [pair for way in ways for pair in itertools.pairwise(way.split())]
    graph = nir.NIRGraph(nodes, edges)
    network = from_nir(graph, scheme=Scheme(integration="exact", precision="double"), rule=Rule(w_max=1e3))
    assert [projection.name for projection in network.projections] == ["w0", "w1", "w2", "v1", "v2", "w0_2"]
    w = {name: nodes[name].weight.T / 5e-3 for name in weights}
    expected = [w["w"] + w["more"], w["both"] + w["back"], w["up"], w["back"], w["both"], w["more"]]
    for ours, theirs in zip(network.weights, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)  # w_in τ_syn and sums of two round
    assert_integrated_alike(network, graph, ["a", "b", "c"])
    nodes["back"].weight = np.ones((4, 1))
    with pytest.raises(ParameterError, match=r"'back': weight must have the shape \(n_post, n_pre\) = \(4, 4\), got \(4, 1\)"):
        from_nir(graph)


@needs_nir
def test_feedback_that_the_graph_does_not_determine_is_refused() -> None:
    network = Network([4, 3, 2], feedback="random", neuron=LIF(tau_ref=0.0))
    to_nir(network)
    network.feedback_weights[0] = network.feedback_weights[0] + 1
    with pytest.raises(
        ParameterError, match=r"to_nir\.network: its feedback must be what its weights and seed determine, .* got another b1; "
    ):
        to_nir(network)
    network.feedback = FEEDBACKS.make("symmetric")  # follows the weights
    to_nir(network)

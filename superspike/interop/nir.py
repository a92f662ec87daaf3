"""Networks to and from NIR, the Neuromorphic Intermediate Representation (Pedersen et al. 2024), as graphs of CubaLIF layers.

Layers become CubaLIF nodes (``hidden1_lif``, …, ``output_lif``) and projections Linear nodes, by the names of their weights:
``w0``, ``v1``, ``w0_2``. The spikes of layer k pass a Delay, ``delay_k``, on their way to all of them. What arrives at a node
adds up. A graph of another program may have any names, and say the same in other nodes: several Linear nodes between two
layers add to one projection, and one that gets or feeds several layers is as many projections. NIR's CubaLIF obeys

    τ_syn dI/dt = −I + w_in S        τ_mem dv/dt = (v_leak − v) + R I        S_i(t) = Σ_j W_ij Σ_spikes a δ(t − t_spike)

with W of the shape (n_post, n_pre) and the area a of a spike. Integrated over a spike, the first equation gives a jump of
I by w_in W a / τ_syn; ours jumps by w (LIF), and I enters the membrane's equation as R I. Both agree if

    w_ji = R_i w_in,i W_ij a / τ_syn

so a network is written with R = 1, W = wᵀ and w_in = τ_syn / a. NIR's spikes are Dirac pulses: a = 1, with τ_syn in s.
Programs that step through time often take a spike to be 1 throughout one step instead: a is then the step's length.

Times are in s on NIR's side, voltages and currents in mV. Voltages are written relative to rest (v_leak = v_reset = 0),
because most programs start at v = 0. NIR has no refractory period, and nothing of learning: the graph's metadata hold
these (and v_rest), and they are read back; other programs ignore them. Matrices of feedback are no part of it: they are made
from the weights and the seed again.
"""

from __future__ import annotations

import itertools
import json
import warnings
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.feedback import FEEDBACKS
from ..model.loss import LOSSES
from ..model.network import Network
from ..model.neuron import LIF
from ..model.optimizer import OPTIMIZERS
from ..model.parameters import Param, ParameterError, extra, number
from ..model.projection import Projection
from ..model.rule import Rule
from ..model.scheme import Scheme
from ..model.surrogate import SURROGATES

Array = NDArray[Any]

KEY = "superspike"  # of the graph's metadata: JSON
CHOICES = {"feedback": FEEDBACKS, "surrogate": SURROGATES, "optimizer": OPTIMIZERS, "loss": LOSSES}
PULSE = Param("ms", "how long a spike of height 1 lasts", gt=0)

LINEAR = ("Linear", "Affine")
FOLLOWS = {  # kinds of nodes, and what may stand before them
    "Input": (),
    "Delay": ("Input", "CubaLIF"),
    **dict.fromkeys(LINEAR, ("Input", "CubaLIF", "Delay")),
    "CubaLIF": LINEAR,
    "Output": ("CubaLIF",),
}
REMEDIES = {
    **dict.fromkeys(("CubaLI", "LI", "I"), "; a readout has no spikes to be learned, make it a CubaLIF"),
    "NIRGraph": "; put its nodes into the graph itself",
}


class Way(NamedTuple):
    """How spikes go from one layer to another: the names of its nodes."""

    pre: str
    delay: str | None
    linear: str
    post: str


def to_nir(network: Network, pulse_ms: float | None = None) -> Any:
    """The network as a ``nir.NIRGraph``, for ``nir.write(path, graph)`` (needs the extra ``nir``).

    Warns of a refractory period, which NIR cannot express; it is kept as metadata. Raises ParameterError where matrices of
    feedback are not those that weights and seed give: the graph has no place for them.

    Parameters
    ----------
    pulse_ms : length (ms) of a spike of height 1, in programs that take it to fill a time step; by default a Dirac pulse
    """
    nir = extra("nir")
    lif, scheme = network.neuron, network.scheme
    own = [projection.name for projection in network.projections if projection != Projection(*projection.pair)]
    if own:
        raise ParameterError(
            f"to_nir.network: must have projections without delays, masks, signs or bounds of their own, none of them frozen, "
            f"got {', '.join(own)}"
        )
    if scheme.integration == "nmz19":
        raise ParameterError("to_nir.network: must be integrated as euler or exact, NIR's currents are others, got nmz19")
    for k, layer in enumerate(network.layers[1:], 1):
        if layer != (layer.n, lif, network.surrogate, True) or not isinstance(lif, LIF) or lif.reset != "rest":
            raise ParameterError(
                f"to_nir.network: must have plastic layers of the same LIF neurons, with a reset to rest, and of one surrogate, "
                f"got for layer {k} {layer}"
            )
    area = _area("to_nir", pulse_ms)
    _check_feedback(network)
    if lif.tau_ref:
        warnings.warn(
            f"LIF.tau_ref: NIR has no refractory period; {lif.tau_ref:g} ms are kept as metadata, which other programs ignore. "
            f"Networks with LIF(tau_ref=0) mean the same everywhere",
            stacklevel=2,
        )
    last = len(network.sizes) - 1
    layers = ["input", *(f"hidden{k}_lif" for k in range(1, last)), "output_lif"]
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array([network.sizes[0]]))}
    for name, n in zip(layers[1:], network.sizes[1:], strict=True):
        nodes[name] = nir.CubaLIF(
            tau_mem=np.full(n, lif.tau_mem / 1000),
            tau_syn=np.full(n, lif.tau_syn / 1000),
            r=np.ones(n),
            v_leak=np.zeros(n),
            v_reset=np.zeros(n),
            v_threshold=np.full(n, lif.v_threshold - lif.v_rest),
            w_in=np.full(n, lif.tau_syn / 1000 / area),
        )
    nodes["output"] = nir.Output(output_type=np.array([network.sizes[-1]]))
    edges = [(layers[-1], "output")]
    sources = layers[:-1]
    if scheme.delay:
        sources = [f"delay_{layer}" for layer in range(last)]
        edges += zip(layers, sources, strict=False)
        nodes |= {name: nir.Delay(np.full(n, scheme.delay / 1000)) for name, n in zip(sources, network.sizes, strict=False)}
    for projection, w in zip(network.projections, network.weights, strict=True):
        nodes[projection.name] = nir.Linear(weight=np.ascontiguousarray(w.T))
        edges += [(sources[projection.pre], projection.name), (projection.name, layers[projection.post])]
    kept = {
        "tau_ref": lif.tau_ref,
        "v_rest": lif.v_rest,
        "pulse_ms": pulse_ms,
        "rule": network.rule._asdict(),
        "scheme": {name: value for name, value in scheme._asdict().items() if name != "delay"},
        "skip": network.skip,  # in this order
        "w0": network.w0,
        "seed": network.seed,
    }
    for kind, registry in CHOICES.items():
        values = getattr(network, kind)
        kept[kind] = {"name": registry.name_of(values), **values._asdict()}
    return nir.NIRGraph(nodes, edges, metadata={KEY: json.dumps(kept, default=number)})


def from_nir(graph: Any, pulse_ms: float | None = None, **options: Any) -> Network:
    """The network that a ``nir.NIRGraph`` describes: layers of CubaLIF, joined by Linear or Affine nodes, with or without Delays.

    Parameters
    ----------
    graph : from ``nir.read(path)`` or another program's exporter; a node's parameters are numbers, or arrays over its neurons
    pulse_ms : length (ms) of a spike of height 1; by default what :func:`to_nir` noted in the graph, else a Dirac pulse
    **options : keywords of :class:`Network` that replace what the graph says, or says nothing about (rule, scheme, …)

    Raises
    ------
    ParameterError : a graph that is no chain of layers with recurrent and skip projections, a readout, neurons with different
        parameters, delays that differ, a bias, a reset that is not to rest, and whatever :class:`Network` refuses
    """
    kept = json.loads(graph.metadata.get(KEY, "{}"))
    area = _area("from_nir", kept.get("pulse_ms") if pulse_ms is None else pulse_ms)
    ways = _ways(graph)
    layers = _in_order(ways, graph)
    neurons = {name: _neuron(name, graph.nodes[name]) for name in layers[1:]}
    lif, rest = neurons[layers[1]], kept.get("v_rest", 0.0)
    for name, values in neurons.items():
        for field, value in values.items():
            if value != lif[field]:
                raise ParameterError(
                    f"NIR node {name!r}: all layers must have the same parameters, those of {layers[1]!r} "
                    f"({field} {lif[field]:g}), got {value:g}"
                )
    delays = [0.0 if way.delay is None else _common(way.delay, "delay", graph.nodes[way.delay].delay) for way in ways]
    for way, delay in zip(ways, delays, strict=True):
        if delay != delays[0]:
            raise ParameterError(
                f"NIR node {way.linear!r}: all projections must have the same delay, that of {ways[0].linear!r} "
                f"({delays[0]:g} s), got {delay:g} s; put equal Delay nodes before all Linear nodes, or none"
            )
    weights: dict[tuple[int, int], Array] = {}
    sizes: dict[str, int] = {}
    for way in ways:
        linear, cuba = graph.nodes[way.linear], graph.nodes[way.post]
        if np.any(getattr(linear, "bias", 0)):
            raise ParameterError(f"NIR node {way.linear!r}: must have no bias, neurons get no constant current")
        shape = tuple(sizes.setdefault(name, n) for name, n in zip((way.post, way.pre), linear.weight.shape, strict=True))
        if linear.weight.shape != shape:
            raise ParameterError(
                f"NIR node {way.linear!r}: weight must have the shape (n_post, n_pre) = {shape}, got {linear.weight.shape}"
            )
        r, w_in = (_per_neuron(way.post, field, getattr(cuba, field), shape[0]) for field in ("r", "w_in"))
        w = (linear.weight * (r * w_in * area / lif["tau_syn"])[:, None]).T
        pair = layers.index(way.pre), layers.index(way.post)
        weights[pair] = weights[pair] + w if pair in weights else w
    skip = sorted((pre, post) for pre, post in weights if post > pre + 1)
    order = [(pre, post) for pre, post in kept.get("skip", [])]
    described: dict[str, Any] = {
        "neuron": LIF(
            tau_mem=_ms(lif["tau_mem"]),
            tau_syn=_ms(lif["tau_syn"]),
            tau_ref=kept.get("tau_ref", 0.0),
            v_threshold=lif["v_threshold"] + rest,
            v_rest=lif["v_leak"] + rest,
        ),
        "scheme": Scheme(**kept.get("scheme", {}), delay=_ms(delays[0])),
        "rule": Rule(**kept.get("rule", {})),
        **{name: kept[name] for name in ("w0", "seed") if name in kept},
    }
    for kind, registry in CHOICES.items():
        if kind in kept:
            chosen = dict(kept[kind])
            described[kind] = registry.find(chosen.pop("name"))(**chosen)
    return Network(
        [sizes[name] for name in layers],
        weights={Projection(*pair).name: w for pair, w in weights.items()},
        recurrent=[(layer, layer) in weights for layer in range(1, len(layers) - 1)],
        skip=order if sorted(order) == skip else skip,
        **described | options,
    )


def _check_feedback(network: Network) -> None:
    """Raise ParameterError unless weights and seed give the feedback matrices again."""
    if network.feedback.follows_weights:
        return
    weights = {(own.pre, own.post): w for own, w in zip(network.projections, network.weights, strict=True)}
    again = network.feedback.matrices(network.sizes, weights, np.random.default_rng(network.seed).spawn(2)[1])  # as Network
    for k, (b, ours) in enumerate(zip(again, network.feedback_weights, strict=True), 1):
        if not np.array_equal(b, ours):
            raise ParameterError(
                f"to_nir.network: its feedback must be what its weights and seed determine, NIR has none, got another b{k}; "
                "save_weights keeps it, and a Network of the same weights without it can be written"
            )


def _area(address: str, pulse_ms: float | None) -> float:
    """The area of a spike: 1 for a Dirac pulse, else its length in s."""
    if pulse_ms is None:
        return 1.0
    return float(PULSE.check(f"{address}.pulse_ms", pulse_ms)) / 1000


def _ms(seconds: float) -> float:
    """Milliseconds, to a picosecond: 0.0008 s is 0.8 ms, whatever binary fractions say."""
    return round(1000 * seconds, 9)


def _common(name: str, field: str, values: Any) -> float:
    """The one value that all neurons of a node have."""
    found = np.unique(values)
    if len(found) != 1:
        raise ParameterError(f"NIR node {name!r}: {field} must be the same for all neurons, got {found[0]:g} … {found[-1]:g}")
    return float(found[0])


def _per_neuron(name: str, field: str, values: Any, n: int) -> Array:
    """The values of all ``n`` neurons of a node."""
    found = np.ravel(values)
    if len(found) not in (1, n):
        raise ParameterError(
            f"NIR node {name!r}: {field} must be one number, or one for each of the {n} neurons, got {len(found)}"
        )
    return np.broadcast_to(found, n)


def _neuron(name: str, cuba: Any) -> dict[str, float]:
    """The parameters that all neurons of a layer have."""
    values = {field: _common(name, field, getattr(cuba, field)) for field in ("tau_mem", "tau_syn", "v_leak", "v_threshold")}
    reset = np.asarray(0.0 if cuba.v_reset is None else cuba.v_reset)  # NIR's default
    if np.any(reset != values["v_leak"]):
        wrong = reset[reset != values["v_leak"]][0]
        raise ParameterError(f"NIR node {name!r}: v_reset must be v_leak, neurons are reset to rest; got {wrong:g}")
    return values


def _ways(graph: Any) -> list[Way]:
    """All ways from layer to layer, if every node is of a kind, and in a place, that a network can have."""
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    edges = sorted({(str(a), str(b)) for a, b in graph.edges})
    before: dict[str, list[str]] = {name: [a for a, b in edges if b == name] for name in kinds}
    after: dict[str, list[str]] = {name: [b for a, b in edges if a == name] for name in kinds}
    for kind in ("Input", "Output"):
        if list(kinds.values()).count(kind) != 1:
            raise ParameterError(f"NIR graph: must have one {kind}, got nodes of the kinds {', '.join(kinds.values())}")
    rules = {
        name: f"NIR node {name!r}: must be Delay, Linear or Affine, or CubaLIF, in this order, got {kind}"
        for name, kind in kinds.items()
    }
    for name, kind in kinds.items():
        if kind not in FOLLOWS:
            raise ParameterError(f"{rules[name]}{REMEDIES.get(kind, '')}")
    for a, b in edges:
        if kinds[a] not in FOLLOWS[kinds[b]]:
            ends = {
                "Input": f"NIR node {b!r}: must follow no other node, got",
                "Output": f"NIR node {b!r}: the graph must end with a CubaLIF layer before it, got",
            }
            raise ParameterError(f"{ends.get(kinds[b], f'{rules[b]} after')} {kinds[a]} {a!r}")
    for name, kind in kinds.items():
        if kind in LINEAR and graph.nodes[name].weight.ndim != 2:
            raise ParameterError(f"NIR node {name!r}: weight must be (n_post, n_pre), got {graph.nodes[name].weight.shape}")
        for others, wish, without in ((before, "follow", "Input"), (after, "lead to", "Output")):
            if not others[name] and kind != without:
                raise ParameterError(f"NIR node {name!r}: must {wish} another node, got none")
    return [
        Way(pre, source if kinds[source] == "Delay" else None, name, post)
        for name in kinds
        if kinds[name] in LINEAR
        for source in before[name]
        for pre in (before[source] if kinds[source] == "Delay" else [source])
        for post in after[name]
    ]


def _in_order(ways: list[Way], graph: Any) -> list[str]:
    """The layers from the input up, if they are a chain with recurrent and skip projections."""
    below: dict[str, list[str]] = {}
    for way in ways:
        below.setdefault(way.post, []).extend([way.pre] if way.pre != way.post else [])
    try:
        layers = list(TopologicalSorter(below).static_order())
    except CycleError as error:
        circle = error.args[1]  # each before the next, the first and the last the same
        joins = [next(way.linear for way in ways if (way.pre, way.post) == pair) for pair in itertools.pairwise(circle)]
        raise ParameterError(
            f"NIR nodes {', '.join(map(repr, joins))}: must lead upwards, or from a layer to itself, got a circle through the "
            f"layers {', '.join(map(repr, circle[1:]))}"
        ) from None
    for lower, upper in itertools.pairwise(layers):
        if lower not in below.get(upper, ()):
            raise ParameterError(
                f"NIR nodes {lower!r} and {upper!r}: must be joined, layers are a chain with recurrent and skip projections; "
                "a Linear node of weights 0 joins them"
            )
    ends = sorted({name for name, other in graph.edges if type(graph.nodes[other]).__name__ == "Output"})
    if ends != layers[-1:]:
        raise ParameterError(
            f"NIR graph: its Output must follow the last layer, {layers[-1]!r}, and no other, got {', '.join(map(repr, ends))}"
        )
    for way in ways:
        if way.pre == way.post == layers[-1]:
            raise ParameterError(
                f"NIR node {way.linear!r}: must not be recurrent, {way.post!r} is the output layer; only hidden layers can be"
            )
    return layers

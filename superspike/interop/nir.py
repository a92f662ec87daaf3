"""Networks to and from NIR, the Neuromorphic Intermediate Representation (Pedersen et al. 2024), as graphs of CubaLIF layers.

A network becomes the chain Input → (Delay → Linear → CubaLIF) per projection → Output; one with recurrent or skip projections
is refused. NIR's CubaLIF obeys

    τ_syn dI/dt = −I + w_in S        τ_mem dv/dt = (v_leak − v) + R I        S_i(t) = Σ_j W_ij Σ_spikes a δ(t − t_spike)

with W of the shape (n_post, n_pre) and the area a of a spike. Integrated over a spike, the first equation gives a jump of
I by w_in W a / τ_syn; ours jumps by w (LIF), and I enters the membrane's equation as R I. Both agree if

    w_ji = R_i w_in,i W_ij a / τ_syn

so a network is written with R = 1, W = wᵀ and w_in = τ_syn / a. NIR's spikes are Dirac pulses: a = 1, with τ_syn in s.
Programs that step through time often take a spike to be 1 throughout one step instead: a is then the step's length.

Times are in s on NIR's side, voltages and currents in mV. Voltages are written relative to rest (v_leak = v_reset = 0),
because most programs start at v = 0. NIR has no refractory period, and nothing of learning: the graph's metadata hold
these (and v_rest), and they are read back; other programs ignore them.
"""

from __future__ import annotations

import itertools
import json
import warnings
from typing import Any

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


def to_nir(network: Network, pulse_ms: float | None = None) -> Any:
    """The network as a ``nir.NIRGraph``, for ``nir.write(path, graph)`` (needs the extra ``nir``).

    Warns of a refractory period, which NIR cannot express; it is kept as metadata. Raises ParameterError unless the network
    is a chain.

    Parameters
    ----------
    pulse_ms : length (ms) of a spike of height 1, in programs that take it to fill a time step; by default a Dirac pulse
    """
    nir = extra("nir")
    lif, scheme = network.neuron, network.scheme
    more = [projection.name for projection in network.projections[len(network.sizes) - 1 :]]
    if more:
        raise ParameterError(f"to_nir.network: must be a chain, without recurrent and skip projections, got {', '.join(more)}")
    own = [projection.name for projection in network.projections if projection != Projection(*projection.pair)]
    if own:
        raise ParameterError(
            f"to_nir.network: must have projections without delays, masks, signs or bounds of their own, none of them frozen, "
            f"got {', '.join(own)}"
        )
    area = _area("to_nir", pulse_ms)
    if lif.tau_ref:
        warnings.warn(
            f"LIF.tau_ref: NIR has no refractory period; {lif.tau_ref:g} ms are kept as metadata, which other programs ignore. "
            f"Networks with LIF(tau_ref=0) mean the same everywhere",
            stacklevel=2,
        )
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array([network.sizes[0]]))}
    for k, w in enumerate(network.weights):
        n_pre, n_post = w.shape
        if scheme.delay:
            nodes[f"delay_{k}"] = nir.Delay(delay=np.full(n_pre, scheme.delay / 1000))
        nodes[f"w{k}"] = nir.Linear(weight=np.ascontiguousarray(w.T))
        nodes["output_lif" if k == len(network.weights) - 1 else f"hidden{k + 1}_lif"] = nir.CubaLIF(
            tau_mem=np.full(n_post, lif.tau_mem / 1000),
            tau_syn=np.full(n_post, lif.tau_syn / 1000),
            r=np.ones(n_post),
            v_leak=np.zeros(n_post),
            v_reset=np.zeros(n_post),
            v_threshold=np.full(n_post, lif.v_threshold - lif.v_rest),
            w_in=np.full(n_post, lif.tau_syn / 1000 / area),
        )
    nodes["output"] = nir.Output(output_type=np.array([network.sizes[-1]]))
    names = list(nodes)
    kept = {
        "tau_ref": lif.tau_ref,
        "v_rest": lif.v_rest,
        "pulse_ms": pulse_ms,
        "rule": network.rule._asdict(),
        "scheme": {name: value for name, value in scheme._asdict().items() if name != "delay"},
        "w0": network.w0,
        "seed": network.seed,
    }
    for kind, registry in CHOICES.items():
        values = getattr(network, kind)
        kept[kind] = {"name": registry.name_of(values), **values._asdict()}
    return nir.NIRGraph(nodes, list(itertools.pairwise(names)), metadata={KEY: json.dumps(kept, default=number)})


def from_nir(graph: Any, pulse_ms: float | None = None, **options: Any) -> Network:
    """The network that a ``nir.NIRGraph`` describes: a chain of Linear or Affine and CubaLIF nodes, with or without Delays.

    Parameters
    ----------
    graph : from ``nir.read(path)`` or another program's exporter; a node's parameters are numbers, or arrays over its neurons
    pulse_ms : length (ms) of a spike of height 1; by default what :func:`to_nir` noted in the graph, else a Dirac pulse
    **options : keywords of :class:`Network` that replace what the graph says, or says nothing about (rule, scheme, …)

    Raises
    ------
    ParameterError : a graph that is no such chain, neurons with different parameters, a bias, a reset that is not to rest,
        and whatever :class:`Network` refuses
    """
    kept = json.loads(graph.metadata.get(KEY, "{}"))
    area = _area("from_nir", kept.get("pulse_ms") if pulse_ms is None else pulse_ms)
    weights: list[Array] = []
    neurons, delays = [], []
    for name, delay, linear, cuba in _projections(graph):
        values = {field: _common(name, field, getattr(cuba, field)) for field in ("tau_mem", "tau_syn", "v_leak", "v_threshold")}
        reset = np.asarray(0.0 if cuba.v_reset is None else cuba.v_reset)  # NIR's default
        if np.any(reset != values["v_leak"]):
            wrong = reset[reset != values["v_leak"]][0]
            raise ParameterError(f"NIR node {name!r}: v_reset must be v_leak, neurons are reset to rest; got {wrong:g}")
        if np.any(getattr(linear, "bias", 0)):
            raise ParameterError(f"NIR node {name!r}: must have no bias, neurons get no constant current")
        r, w_in = (_per_neuron(name, field, getattr(cuba, field), len(linear.weight)) for field in ("r", "w_in"))
        scale = r * w_in * area / values["tau_syn"]
        weights.append((linear.weight * scale[:, None]).T)
        neurons.append(values)
        delays.append(0.0 if delay is None else _common(name, "delay", delay.delay))
    for what, found in (("the same parameters", neurons), ("the same delay", delays)):
        if any(x != found[0] for x in found):
            raise ParameterError(f"NIR graph: all layers must have {what}, got {', '.join(map(str, found))}")
    lif, rest = neurons[0], kept.get("v_rest", 0.0)
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
    sizes = [weights[0].shape[0], *(w.shape[1] for w in weights)]
    return Network(sizes, weights=weights, **described | options)


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


def _projections(graph: Any) -> list[tuple[str, Any, Any, Any]]:
    """The name of each CubaLIF node of a chain, with its Delay (or None), its Linear or Affine node, and itself."""
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    following = dict(graph.edges)
    here = next((name for name, kind in kinds.items() if kind == "Input"), "")
    chain = [here]
    while here in following and len(chain) <= len(kinds):
        here = following[here]
        chain.append(here)
    if len(chain) != len(kinds) or len(graph.edges) != len(kinds) - 1 or kinds.get(here) != "Output":
        raise ParameterError(
            f"NIR graph: must be one chain from Input to Output, got {len(kinds)} nodes ({', '.join(kinds.values())}) "
            f"and {len(graph.edges)} edges"
        )
    found: list[tuple[str, Any, Any, Any]] = []
    delay = linear = None
    for name in chain[1:-1]:
        node, kind = graph.nodes[name], kinds[name]
        if kind == "Delay" and delay is linear is None:
            delay = node
        elif kind in ("Linear", "Affine") and linear is None and node.weight.ndim == 2:
            linear = node
        elif kind == "CubaLIF" and linear is not None:
            found.append((name, delay, linear, node))
            delay = linear = None
        else:
            raise ParameterError(f"NIR node {name!r}: must be Delay, Linear or Affine, or CubaLIF, in this order, got {kind}")
    if not found or delay is not None or linear is not None:
        raise ParameterError("NIR graph: must end with a CubaLIF layer before its Output")
    return found

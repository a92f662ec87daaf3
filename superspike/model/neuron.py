"""Leaky integrate-and-fire neurons with exponential synaptic currents (ZG18 §2, Table 1)."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parameters import Param, ParameterError, parameters
from .surrogate import derivative

Array = NDArray[Any]


@parameters
class LIF(NamedTuple):
    """The neuron: τ_mem dU/dt = (U_rest − U) + I, dI/dt = −I/τ_syn + Σ_j w_ij S_j (ZG18 Eq. 3.1, 3.2).

    A spike is emitted when U > ϑ; U is then held at U_rest for τ_ref. I jumps by w (mV) at each presynaptic spike.
    """

    tau_mem: Annotated[float, Param("ms", "membrane time constant", gt=0)] = 10.0
    tau_syn: Annotated[float, Param("ms", "synaptic time constant", gt=0)] = 5.0
    tau_ref: Annotated[float, Param("ms", "refractory period: U stays at rest", ge=0)] = 5.0
    v_threshold: Annotated[float, Param("mV", "firing threshold ϑ")] = -50.0
    v_rest: Annotated[float, Param("mV", "resting and reset potential")] = -60.0


def check_lif(lif: LIF) -> None:
    """Raise ParameterError unless the threshold lies above rest."""
    if lif.v_threshold <= lif.v_rest:
        raise ParameterError(f"LIF.v_threshold: must be above LIF.v_rest ({lif.v_rest:g} mV), got {lif.v_threshold:g}")


class LIFStep(NamedTuple):
    """One step's coefficients: v' = a_mem v + c_mem I, I' = a_syn I, with v and the threshold relative to rest (mV)."""

    a_mem: float
    c_mem: float
    a_syn: float
    threshold: float


def lif_step(v: Array, current: Array, refractory: Array, f: Array, n_ref: int, lif: LIFStep, surrogate: Any) -> bool:
    """Advance one layer by a step and renew the surrogate ``f``; return whether any neuron spiked.

    ``refractory`` counts the steps down: n_ref + 1 in the step of a spike, and U is free again where it reaches 0.
    """
    latest, free, spike = np.int32(0), np.int32(0), np.int32(n_ref + 1)  # 32 bits throughout: twice the lanes
    zero = type(lif.threshold)(0)
    for i in range(v.shape[0]):
        x = lif.a_mem * v[i] + lif.c_mem * current[i]  # ZG18 Eq. 3.1
        current[i] *= lif.a_syn  # ZG18 Eq. 3.2
        left = max(np.int32(refractory[i] - 1), free)
        x = zero if left > free else x
        fires = x > lif.threshold
        x = zero if fires else x
        v[i] = x
        left = spike if fires else left
        refractory[i] = left
        latest = max(latest, left)  # vectorises, where counting the spikes does not
        f[i] = derivative(surrogate, x - lif.threshold)  # σ'(U_i) of ZG18 Eq. 3.3
    return bool(latest == spike)


def find_spikes(refractory: Array, n_ref: int, window: int, ptr: Array, u: int, ids: Array) -> None:
    """Write the spikes of the last ``window`` ≤ n_ref + 1 steps into the log, step by step from ``ptr[u]``, in order of neurons.

    A neuron's refractory counter tells how long ago it spiked, and it has not spiked twice. The log has room for two
    ids more per neuron, where those that are found stand in order of neurons first.
    """
    oldest = n_ref + 2 - window  # the counter of a neuron that spiked in the first of these steps
    first = ptr[u] + len(refractory)
    n = first
    for i in range(len(refractory)):
        if refractory[i] >= oldest:
            ids[n] = i
            n += 1
    ptr[u + 1 : u + window + 1] = 0
    for k in range(first, n):
        s = refractory[ids[k]] - oldest
        if s + 1 < window:
            ptr[u + s + 2] += 1
    for s in range(window):
        ptr[u + s + 1] += ptr[u + s]  # where the spikes of step s begin
    for k in range(first, n):
        s = refractory[ids[k]] - oldest
        ids[ptr[u + s + 1]] = ids[k]
        ptr[u + s + 1] += 1  # in the end: where they end


def add_rows(x: Array, rows: Array, first: int, ids: Array, begin: int, end: int, factor: float) -> None:
    """Add to ``x`` (n,) ``factor`` times the row of each spike in ``ids[begin:end]``; row 0 starts at ``rows[first]``.

    With the weights it delivers spikes to the current (ZG18 Eq. 3.2), with feedback errors to a hidden layer.
    """
    n = x.shape[0]
    for s in range(begin, end):
        row = rows[first + ids[s] * n : first + (ids[s] + 1) * n]
        for i in range(n):
            x[i] += factor * row[i]

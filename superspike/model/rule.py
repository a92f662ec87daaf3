"""The plasticity rule's parameters (ZG18 §3): traces, block updates, weight bounds, heterosynaptic regulariser."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from numpy.typing import NDArray

from .filters import Filter
from .parameters import Param, parameters

Array = NDArray[Any]

TINY = 1e-20  # relative to what it is added to, far below rounding; its products are no denormal numbers in single precision


@parameters
class Rule(NamedTuple):
    """SuperSpike: ∂w_ij/∂t = r_ij e_i(t) λ_ij(t), λ_ij = α ∗ [f(U_i) (ε ∗ S_j)] (ZG18 Eq. 3.3).

    ε and α are double exponentials of ``tau_rise`` and ``tau_decay``, and so is the filter of the output error
    e_i = α ∗ (Ŝ_i − S_i) (the gradient of the van Rossum distance, ZG18 Eq. 2.1). Weights change once per ``block``.
    Hidden layers' integrand also gains −ρ w_ij z_i^a, z_i the neuron's own spikes filtered with ``tau_het``.
    """

    tau_rise: Annotated[float, Param("ms", "rise time of pre trace, eligibility trace and error filter", gt=0)] = 5.0
    tau_decay: Annotated[float, Param("ms", "decay time of the same three", gt=0)] = 10.0
    block: Annotated[float, Param("ms", "time between weight updates", gt=0)] = 500.0
    w_max: Annotated[float, Param("mV", "bound of the weights' magnitude", gt=0)] = 100.0
    rho: Annotated[float, Param("", "strength ρ of the heterosynaptic regulariser (1 in ZG18)", ge=0, option="regularise")] = 0.0
    exponent: Annotated[float, Param("", "exponent a of the regulariser", ge=0, option="regularise-exponent")] = 4.0
    tau_het: Annotated[float, Param("ms", "time constant of the regulariser's rate trace", gt=0)] = 100.0


IN_TRIALS = ("w_max",)  # a trial's eligibility has the readout's filter, and its updates are minibatches

# ρ in the unit of the paper's release, which counts weights and eligibility in V and 1/V; here they are mV and 1/mV.
RHO_PER_MV2 = 1e-6


def pre_step(p1: Array, p2: Array, pre: Filter) -> None:
    """Advance the pre traces ε ∗ S_j of one layer by a step."""
    for j in range(p1.shape[0]):
        p2[j] = pre.a2 * p2[j] + pre.c * p1[j]
        p1[j] *= pre.a1


def synapse_step(p2: float, f: Array, e2: Array, h1: Array, h2: Array, m: Array, trace: Filter) -> None:
    """Advance one presynaptic neuron's row of synapses by a step (ZG18 Eq. 3.3)."""
    for i in range(f.shape[0]):
        x = h1[i] + f[i] * p2  # the Hebbian product σ'(U_i) (ε ∗ S_j)
        h1[i] = trace.a1 * x
        h2[i] = trace.a2 * h2[i] + trace.c * x  # its filter α
        m[i] += e2[i] * h2[i]  # times the error, summed over the block


def readout_row_step(p2: float, e2: Array, m: Array) -> None:
    """The same of a row of synapses onto a readout: p is what the weight does to U."""
    for i in range(e2.shape[0]):
        m[i] += e2[i] * p2


def own_rate_step(zeta: Array, zeta_a: Array, zeta_sum: Array, decay: float, decay_a: float) -> None:
    """Advance the regulariser's rate traces ζ_i, their powers ζ_i^a and the block's sum of these by a step."""
    for i in range(zeta.shape[0]):
        zeta[i] *= decay
        zeta_a[i] *= decay_a
        zeta_sum[i] += zeta_a[i]


def own_rate_spikes(zeta: Array, zeta_a: Array, ids: Array, begin: int, end: int, exponent: float) -> None:
    """Enter this step's own spikes into the rate traces."""
    for s in range(begin, end):
        zeta[ids[s]] += 1
        zeta_a[ids[s]] = zeta[ids[s]] ** exponent


def flush(x: Array) -> None:
    """Set what is too small to matter to zero: arithmetic on denormal numbers is a hundred times slower."""
    tiny, zero = x.dtype.type(TINY), x.dtype.type(0)
    for i in range(x.shape[0]):
        x[i] = zero if abs(x[i]) <= tiny else x[i]

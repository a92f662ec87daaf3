"""The numerical scheme: what happens in one time step, in which order, and with which coefficients.

Both engines follow this page. A step t of length dt, with D the scheme's delay in steps, by which errors come late, and D_k
that of projection k, the same unless it has one of its own (a spike emitted in step s acts through it in step s + D_k):

1. **Neurons**, layer by layer: v' = a2 v + c I; a neuron that is not refractory and has v > ϑ spikes, is reset to rest
   (or by subtraction) and held there for the next n_ref steps; then I' = a1 I. f is the surrogate of today's v, after the
   reset to rest, before one by subtraction.
2. **Delivery**: in each projection, each spike of step t − D_k adds its row of weights to I of the layer above, or of its
   own where the projection is recurrent.
3. **Errors**: e1' = a1 e1, e2' = a2 e2 + c e1'. e2 is the third factor, and the running cost takes e2².
4. **Error impulses** enter e1: at an output, −1 for its own spike and +1 for its target's spike of step t − D (or the
   impulses of another loss, :mod:`superspike.model.loss`, of that step); at a hidden layer, row k of its feedback matrix for
   the impulses of output k of step t − 1. Errors of a loss without filter are e2 themselves, in all layers those of the
   outputs' step t − D.
5. **Synapses** (i ← j), the Hebbian product with both factors D steps ago, so that it lines up with the potential that
   the spike caused. p is j's pre trace in this projection, D steps late: a spike of step s enters p1 in step s + D_k + D.

       p1 += spikes;  h1 += f_i(t − D) p2;  h2' = a2 h2 + c h1;  h1' = a1 h1;  m += e2 h2';  p2' = a2 p2 + c_p p1;  p1' = a1 p1

   Onto a readout, whose potential is U = κ ∗ Σ w S: m += e2 p2, with p of the readout's κ. The hidden layers' α is κ then.

6. **Update**, if t is a multiple of the block: g = m/block, less the regulariser; the optimiser turns g into Δw; weights
   are clipped to their projection's bounds and signs, and are 0 where it has no synapse; m = 0. Blocks therefore end with,
   and include, their multiple; step 0 is a block of its own.

The four double-exponential filters are one linear system (:mod:`superspike.model.filters`); in the error filter both stages are
forward Euler, and the Euler followers of pre trace and error read x1 after its decay, as the original does.

``integration="nmz19"`` with ``LIF(reset="subtract", tau_ref=0)`` and a delay of one step is the spiking network as a binary
recurrent network of Neftci, Mostafa & Zenke (2019):

    I[n+1] = α I[n] + Σ W S⁰[n] + Σ V S[n],   U[n+1] = β U[n] + I[n] − S[n],   S[n] = Θ(U[n] − 1)

with α = e^(−dt/τ_syn) and β = e^(−dt/τ_mem), whose unit of U, I and weights is ϑ − U_rest: w = (ϑ − U_rest) W in mV. I acts
with its full size in every step, so that a weight of 1 mV makes a potential of some τ/dt as many mV as in the other two
schemes; the pre trace, dU/dw, has the same size, and trace and error filters are those of ``exact``. What is kept as v after
a spike is U − 1/β.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .filters import INTEGRATIONS, Filter, double_exponential
from .neuron import Readout
from .parameters import Param, ParameterError, fields, one_of, parameters
from .rule import Rule

Array = NDArray[Any]

PRECISIONS = ("single", "double")
ENGINES = ("event", "clock")  # what carries a scheme out
MOST_REFRACTORY = 2**31 - 2  # steps: the neurons count them with 32 bits


@parameters
class Scheme(NamedTuple):
    """Time step, axonal delay, integration of the filters (euler, exact) and floating-point precision (single, double)."""

    dt: Annotated[float, Param("ms", "time step", gt=0)] = 0.1
    delay: Annotated[float, Param("ms", "axonal delay, a whole number of steps", ge=0)] = 0.8
    integration: Annotated[str, Param("", "integration of the filters")] = "euler"
    precision: Annotated[str, Param("", "floating-point precision of the simulation")] = "single"


def check_scheme(scheme: Scheme, neuron: Any, rule: Rule) -> None:
    """Raise ParameterError for an unknown word, a time that is no whole number of steps, or a τ not larger than dt."""
    one_of("Scheme.integration", scheme.integration, INTEGRATIONS)
    one_of("Scheme.precision", scheme.precision, PRECISIONS)
    for owner, name in ((neuron, "tau_mem"), (neuron, "tau_syn"), (rule, "tau_rise"), (rule, "tau_decay"), (rule, "tau_het")):
        tau = getattr(owner, name)
        if tau <= scheme.dt:
            raise ParameterError(
                f"{type(owner).__name__}.{name}: must be larger than the time step dt ({scheme.dt:g} ms), got {tau:g}; lower dt"
            )
    whole_steps("Scheme.delay", scheme.delay, scheme.dt)
    address = f"{type(neuron).__name__}.tau_ref"
    if not neuron.tau_ref >= 0:
        raise ParameterError(f"{address}: must be >= 0 ms, got {neuron.tau_ref!r}")
    if whole_steps(address, neuron.tau_ref, scheme.dt) > MOST_REFRACTORY:
        longest = MOST_REFRACTORY * scheme.dt
        raise ParameterError(f"{address}: must be <= {longest:.4g} ms at dt = {scheme.dt:g} ms, got {neuron.tau_ref:g}")
    whole_steps("Rule.block", rule.block, scheme.dt)


def slack(times_ms: ArrayLike, dt: float = 0.1) -> Array:
    """How far (ms) beside a boundary of steps of ``dt`` (ms; by default Scheme's) a time still means the boundary.

    Twice as far as single precision's numbers lie apart there, 2⁻²² of the time: more than is lost by storing it so and by
    a change of unit on top, or by adding up steps in double precision. At least 1 ns, which text files may count; at most a
    128th of a step. Single precision is so covered for 2¹⁷ steps (13 s of 0.1 ms), with a change of unit for half of that.
    """
    margin: Array = np.minimum(np.maximum(np.asarray(times_ms, float) * 2.0**-22, 1e-6), dt / 128)
    return margin


def to_steps(times_ms: ArrayLike, dt: float) -> Array:
    """The steps of ``dt`` (ms) that times (ms) fall into: 0.3 ms is step 3 of 0.1 ms, whatever binary fractions say (slack)."""
    times = np.asarray(times_ms, float)
    steps: Array = np.floor((times + slack(times, dt)) / dt).astype(np.int64)
    return steps


def whole_steps(address: str, time: float, dt: float) -> int:
    """``time`` (ms) as a number of steps, 0 only if it is 0; ParameterError, naming the nearest, where it is not whole."""
    if not time / dt < 2**53:
        raise ParameterError(f"{address}: must be fewer than 2⁵³ steps of {dt:g} ms, got {time:.10g} ms")
    steps = round(time / dt)
    if abs(time - steps * dt) > slack(time, dt) or (steps == 0 and time != 0):
        below = math.floor(time / dt)
        raise ParameterError(
            f"{address}: must be a whole number of steps of {dt:g} ms, got {time:.10g} ms; "
            f"the nearest are {below * dt:.10g} and {(below + 1) * dt:.10g} ms"
        )
    return steps


def keywords(
    owner: str, *, dt_ms: float, delay_ms: float, tau_rise_ms: float, tau_decay_ms: float, integration: str, precision: str
) -> tuple[Scheme, Rule]:
    """Scheme and rule from the keywords that the objects of the array interface share; errors name keyword and owner."""
    given = {"dt_ms": dt_ms, "delay_ms": delay_ms, "tau_rise_ms": tau_rise_ms, "tau_decay_ms": tau_decay_ms}
    declared = fields(Scheme) | fields(Rule)
    dt_ms, delay_ms, tau_rise_ms, tau_decay_ms = (
        declared[name.removesuffix("_ms")].check(f"{owner}.{name}", value) for name, value in given.items()
    )
    for name, tau in (("tau_rise_ms", tau_rise_ms), ("tau_decay_ms", tau_decay_ms)):
        if tau <= dt_ms:
            raise ParameterError(f"{owner}.{name}: must be larger than dt_ms ({dt_ms:g} ms), got {tau:g}; lower dt_ms")
    one_of(f"{owner}.integration", integration, INTEGRATIONS)
    one_of(f"{owner}.precision", precision, PRECISIONS)
    whole_steps(f"{owner}.delay_ms", delay_ms, dt_ms)
    return Scheme(dt_ms, delay_ms, integration, precision), Rule(tau_rise=tau_rise_ms, tau_decay=tau_decay_ms)


def readout_filter(readout: Readout, scheme: Scheme) -> Filter:
    """The readout's κ, of its potentials, of the pre traces of its synapses, and of the hidden layers' eligibility traces."""
    return double_exponential(readout.tau_syn, readout.tau_mem, scheme.dt, scheme.integration)


def trace_filter(rule: Rule, scheme: Scheme) -> Filter:
    """The eligibility trace's α (ZG18 Eq. 3.3)."""
    integration = "euler" if scheme.integration == "euler" else "exact"
    return double_exponential(rule.tau_rise, rule.tau_decay, scheme.dt, integration)


def pre_filter(rule: Rule, scheme: Scheme) -> Filter:
    """The pre trace's ε; the Euler follower reads p1 after its decay, as the original does."""
    a1, a2, c = double_exponential(rule.tau_rise, rule.tau_decay, scheme.dt, scheme.integration)
    return Filter(a1, a2, c * a1 if scheme.integration == "euler" else c)


def error_filter(rule: Rule, scheme: Scheme) -> tuple[Filter, float]:
    """The error's α (ZG18 Eq. 2.1), x2 reading x1 after its decay, and the size of an impulse of 1 in e1."""
    k = scheme.dt / rule.tau_rise
    if scheme.integration == "euler":
        return Filter(1 - k, 1 - scheme.dt / rule.tau_decay, scheme.dt / rule.tau_decay), k / (1 - k)
    a1, a2, c = trace_filter(rule, scheme)
    return Filter(a1, a2, c / a1), k


def cost_per_squared_error(rule: Rule, scheme: Scheme) -> float:
    """What turns the mean of e2² into the published cost, in Hz: four times the rate of sparse unmatched spikes.

    The filter's response to one spike is dt/(b − a) (e^−t/b − e^−t/a), whose square has the integral dt²/(2(a + b)).
    """
    return 4 * 1000 * 2 * (rule.tau_rise + rule.tau_decay) / scheme.dt**2

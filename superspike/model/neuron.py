"""Leaky integrate-and-fire neurons with exponential synaptic currents (ZG18 §2, Table 1).

A neuron is a parameter class. Its ``cell`` turns the parameters into one step's coefficients, a NamedTuple of numbers with the
equations that kernels call: ``potential``, v one step later; ``after_spike``, where a spike leaves it; and ``seen``, which of
the two the surrogate reads, v before or after a spike. All voltages are relative to rest. Adding a neuron is adding a class
here, and one of its coefficients.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .filters import double_exponential
from .parameters import Param, ParameterError, Registry, attempt, one_of, parameters
from .surrogate import derivative

Array = NDArray[Any]

RESETS = ("rest", "subtract")


class LIFStep(NamedTuple):
    """One step's coefficients: v' = a_mem v + c_mem I, I' = a_syn I, with v and the threshold relative to rest (mV)."""

    a_mem: float
    c_mem: float
    a_syn: float
    threshold: float

    def potential(self, v: float, current: float) -> float:
        """The potential one step later."""
        return self.a_mem * v + self.c_mem * current  # ZG18 Eq. 3.1

    def after_spike(self, v: float) -> float:
        """At rest."""
        return type(v)(0)

    def seen(self, before: float, after: float) -> float:
        """After it, as in the paper's release."""
        return after


class SubtractStep(NamedTuple):
    """The same with a reset by subtraction."""

    a_mem: float
    c_mem: float
    a_syn: float
    threshold: float
    drop: float

    def potential(self, v: float, current: float) -> float:
        """The potential one step later."""
        return self.a_mem * v + self.c_mem * current  # ZG18 Eq. 3.1

    def after_spike(self, v: float) -> float:
        """A threshold's height lower."""
        return v - self.drop

    def seen(self, before: float, after: float) -> float:
        """Before it, as in the gradient (NMZ19)."""
        return before


def check_cell(neuron: Any) -> None:
    """Raise the error that says what is wrong with a neuron, as far as a first step tells."""
    name = type(neuron).__name__
    if neuron.v_threshold <= neuron.v_rest:
        rule = f"must be above {name}.v_rest ({neuron.v_rest:g} mV)"
        raise ParameterError(f"{name}.v_threshold: {rule}, got {neuron.v_threshold:g}")
    one_of(f"{name}.reset", getattr(neuron, "reset", RESETS[0]), RESETS)
    cell = attempt(neuron, "cell", {"dt": 1e-3, "integration": "exact"})
    fields = getattr(cell, "_fields", ())
    missing = [x for x in ("a_syn", "threshold") if x not in fields] + [x for x in CELL if not hasattr(cell, x)]
    if not isinstance(cell, tuple) or missing:
        raise ParameterError(f"{name}.cell: must return a NamedTuple with {', '.join(missing) or 'numbers'}, got {cell!r}")
    odd = [x for x in cell if isinstance(x, bool) or not isinstance(x, Real) or math.isnan(x)]
    if odd:
        raise ParameterError(f"{name}.cell: must return numbers, got {odd[0]!r} in {cell!r}")
    for method, arguments in CELL.items():
        found = attempt(cell, method, arguments)
        if not isinstance(found, Real):
            raise ParameterError(f"{type(cell).__name__}.{method}: must return a number, got {found!r}")


CELL = {"potential": {"v": 0.0, "current": 0.0}, "after_spike": {"v": 0.0}, "seen": {"before": 0.0, "after": 0.0}}

NEURONS = Registry("neuron", methods=("tau_mem", "tau_syn", "tau_ref", "v_threshold", "v_rest", "cell"), check=check_cell)


# What every neuron has.
TauMem = Annotated[float, Param("ms", "membrane time constant", gt=0)]
TauSyn = Annotated[float, Param("ms", "synaptic time constant", gt=0)]
TauRef = Annotated[float, Param("ms", "refractory period: U stays where a spike left it", ge=0)]
Threshold = Annotated[float, Param("mV", "firing threshold ϑ")]
Rest = Annotated[float, Param("mV", "resting potential, to which U decays")]


@NEURONS.register("lif")
@parameters
class LIF(NamedTuple):
    """The neuron: τ_mem dU/dt = (U_rest − U) + I, dI/dt = −I/τ_syn + Σ_j w_ij S_j (ZG18 Eq. 3.1, 3.2).

    A spike is emitted when U > ϑ, and U is reset: to U_rest, or (``subtract``) by ϑ − U_rest less, so that what was beyond the
    threshold stays. There it is held for τ_ref. I jumps by w (mV) at each presynaptic spike. The surrogate reads U after a
    reset to rest, as the paper's release does, and before one by subtraction, as the gradient wants it (NMZ19).
    """

    tau_mem: TauMem = 10.0
    tau_syn: TauSyn = 5.0
    tau_ref: TauRef = 5.0
    v_threshold: Threshold = -50.0
    v_rest: Rest = -60.0
    reset: Annotated[str, Param("", "where a spike leaves U: at rest, or a threshold's height lower than it was")] = "rest"

    def cell(self, dt: float, integration: str) -> LIFStep | SubtractStep:
        """A step of ``dt`` (ms): I drives v, relative to rest (ZG18 Eq. 3.1 and 3.2)."""
        a1, a2, c = double_exponential(self.tau_syn, self.tau_mem, dt, integration)
        threshold = self.v_threshold - self.v_rest
        if self.reset == "rest":
            return LIFStep(a2, c, a1, threshold)
        return SubtractStep(a2, c, a1, threshold, threshold / a2 if integration == "nmz19" else threshold)  # U' loses ϑ


@NEURONS.register("readout")
@parameters
class Readout(NamedTuple):
    """Leaky units without a threshold, for the last layer: τ_mem dU/dt = −U + I, dI/dt = −I/τ_syn + Σ_i w_ki S_i.

    They do not spike; a loss reads their U (mV above rest). dU/dw is the presynaptic spikes filtered with the readout's own
    time constants, which are those of the hidden layers' eligibility traces, too (NMZ19).
    """

    tau_mem: TauMem = 10.0
    tau_syn: TauSyn = 5.0

    @property
    def tau_ref(self) -> float:
        """None."""
        return 0.0

    @property
    def v_threshold(self) -> float:
        """Out of reach."""
        return math.inf

    @property
    def v_rest(self) -> float:
        """U is relative to it."""
        return 0.0

    def cell(self, dt: float, integration: str) -> LIFStep:
        """A step of ``dt`` (ms)."""
        a1, a2, c = double_exponential(self.tau_syn, self.tau_mem, dt, integration)
        return LIFStep(a2, c, a1, self.v_threshold)


def potential(self: Any, v: float, current: float) -> float:
    """The potential one step later, by the neuron's own equation."""
    return self.potential(v, current)  # type: ignore[no-any-return]


def after_spike(self: Any, v: float) -> float:
    """Where a spike leaves v, by the neuron's own equation."""
    return self.after_spike(v)  # type: ignore[no-any-return]


def seen(self: Any, before: float, after: float) -> float:
    """Which v the surrogate reads in the step of a spike, by the neuron's own equation."""
    return self.seen(before, after)  # type: ignore[no-any-return]


def neuron_step(v: Array, current: Array, refractory: Array, f: Array, n_ref: int, cell: Any, surrogate: Any) -> bool:
    """Advance one layer by a step and renew the surrogate ``f``; return whether any neuron spiked.

    ``refractory`` counts the steps down: n_ref + 1 in the step of a spike, and U is free again where it reaches 0.
    """
    latest, free, spike = np.int32(0), np.int32(0), np.int32(n_ref + 1)  # 32 bits throughout: twice the lanes
    for i in range(v.shape[0]):
        x, held = potential(cell, v[i], current[i]), v[i]
        current[i] *= cell.a_syn  # ZG18 Eq. 3.2
        left = max(np.int32(refractory[i] - 1), free)
        x = held if left > free else x
        fires = (x > cell.threshold) & (left == free)
        reset = after_spike(cell, x)
        after = reset if fires else x
        v[i] = after
        left = spike if fires else left
        refractory[i] = left
        latest = max(latest, left)  # vectorises, where counting the spikes does not
        f[i] = derivative(surrogate, seen(cell, x, after) - cell.threshold)  # σ'(U_i) of ZG18 Eq. 3.3
    return bool(latest == spike)


def readout_step(v: Array, current: Array, u: Array, cell: Any) -> None:
    """Advance a readout by a step: nothing spikes, and ``u`` are the potentials."""
    for i in range(v.shape[0]):
        v[i] = potential(cell, v[i], current[i])
        current[i] *= cell.a_syn
        u[i] = v[i]


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

"""SuperSpike in Brian2 scripts: a ``Synapses`` whose plasticity runs in our compiled kernels.

Brian2 keeps what it is good at: neurons, delivery of spikes, units, monitors. At the end of each of its time steps a
network operation hands spikes and voltages to a :class:`~superspike.SuperSpike`; at the end of a block it takes the
weights from the synapses, changes them, and puts them back. Needs the extra ``brian2`` (``pip install
"superspike[brian2]"``); for Brian2's numpy and cython targets (its standalone mode has no network operations).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import NetworkOperation, Synapses, get_dimensions, have_same_dimensions, ms, mV, volt
from brian2.core.variables import ArrayVariable
from brian2.groups.subgroup import Subgroup
from numpy.typing import NDArray

from .interop.plasticity import RULE, SCHEME, SuperSpike
from .interop.third_factor import Feedback, VanRossumError
from .model.parameters import Param, ParameterError

Array = NDArray[Any]

CLOCKS = 1e-12  # of a time step: clocks this close keep step, as Brian2 takes them, for 10⁸ steps


def in_unit(name: str, value: Any, unit: Any) -> float:
    """A Brian2 quantity as a number of ``unit``."""
    try:
        if have_same_dimensions(value, unit):
            return float(value / unit)
    except TypeError:
        pass  # no number, or more than one
    raise ParameterError(f"SuperSpikeSynapses.{name}: must be a quantity in {get_dimensions(unit)}, e.g. {unit!r}, got {value!r}")


def is_array(variables: Any, name: str, unit: Any) -> bool:
    """Whether a group has a variable ``name`` in the dimensions of ``unit``, with a value of its own for each member."""
    variable = variables.get(name)
    return isinstance(variable, ArrayVariable) and not variable.scalar and have_same_dimensions(variable.dim, unit)


class Spiking:
    """A group's spikes and voltages in this time step, as plain arrays."""

    def __init__(self, role: str, group: Any) -> None:
        self.start, self.n = (group.start if isinstance(group, Subgroup) else 0), len(group)
        self.whole = group.source if isinstance(group, Subgroup) else group
        self.all = self.n == len(self.whole)
        if "_spikespace" not in self.whole.variables:
            raise ParameterError(f"SuperSpikeSynapses.{role}: must spike, got {group.name}; a NeuronGroup needs a threshold")

    def same(self, other: Spiking) -> bool:
        """Whether these are the same neurons."""
        return (self.whole.id, self.start, self.n) == (other.whole.id, other.start, other.n)

    def spikes(self) -> Array:
        """Ids of those that spike."""
        space = self.whole.variables["_spikespace"].get_value()
        ids: Array = space[: space[-1]]
        if self.all:
            return ids
        return ids[(ids >= self.start) & (ids < self.start + self.n)] - self.start

    def values(self, name: str) -> Array:
        """The variable ``name``, in its base unit."""
        values: Array = self.whole.variables[name].get_value()[self.start : self.start + self.n]
        return values


class SuperSpikeSynapses(Synapses):  # type: ignore[misc]
    """Synapses that learn by SuperSpike; made, connected, set and monitored as any other ``Synapses``.

    An output layer has ``targets``, spike trains to be learned; a hidden layer has ``feedback`` from the synapses ``above``
    it. Where ``source`` and ``target`` are the same neurons the synapses are recurrent, and get the errors of their layer as
    those from below do. Neurons need a voltage; everything else about them is the script's. Each pair of neurons has one
    synapse or none. ``targets`` and ``above`` must be in the network as well, and all groups have the same, lasting time step.

    ``store`` and ``restore`` continue exactly, also in a new process. Between runs a script may connect further synapses and
    change weights: symmetric feedback follows these when the network is run, and all others at the end of a block.

    Parameters
    ----------
    source, target : groups of neurons, or other sources of spikes for ``source``; they may be the same, or parts of one
    model, on_pre : as of ``Synapses``; the weight is ``w``
    targets : a source of as many spike trains as ``target`` has neurons, e.g. a ``SpikeGeneratorGroup``
    feedback : symmetric, random or uniform, or an instance such as ``ss.Random()``
    above : the ``SuperSpikeSynapses`` from ``target`` upwards
    delay : the axonal delay, the same for all synapses
    voltage : name of the variable of ``target`` that the surrogate reads, in volts
    v_threshold, tau_rise, tau_decay, block, w_max, w_min : as of :class:`~superspike.SuperSpike`, with units
    unit : what the rule counts as 1 in the weights, so that a learning rate of 0.5 means half of it per block
    surrogate, optimizer, integration, precision : as of :class:`~superspike.SuperSpike`
    seed : of random feedback
    **options : any other option of ``Synapses``

    Attributes
    ----------
    rate : multiplies the changes of the weights; 0 switches learning off; ``restore`` takes it back as well
    rule : the :class:`~superspike.SuperSpike`, for its eligibility traces; None until the network is run, first or restored

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule, some of them when the network is run.
    """

    def __init__(
        self,
        source: Any,
        target: Any,
        model: Any = "w : volt",
        on_pre: Any = "I_post += w",
        *,
        targets: Any = None,
        feedback: Any = None,
        above: SuperSpikeSynapses | None = None,
        delay: Any = SCHEME.delay * ms,
        voltage: str = "v",
        v_threshold: Any = -50 * mV,
        tau_rise: Any = RULE.tau_rise * ms,
        tau_decay: Any = RULE.tau_decay * ms,
        block: Any = RULE.block * ms,
        w_max: Any = RULE.w_max * mV,
        w_min: Any = None,
        unit: Any = mV,
        surrogate: Any = "fast_sigmoid",
        optimizer: Any = "rmaxprop",
        integration: str = SCHEME.integration,
        precision: str = SCHEME.precision,
        seed: int = 1,
        **options: Any,
    ) -> None:
        if (targets is None) == (above is None) or (above is None) != (feedback is None):
            raise ParameterError(
                "SuperSpikeSynapses: must have targets (an output layer), or feedback and above (a hidden layer), got "
                f"targets {targets!r}, feedback {feedback!r}, above {above!r}"
            )
        if targets is not None and len(targets) != len(target):
            raise ParameterError(f"SuperSpikeSynapses.targets: must be {len(target)} spike trains, got {len(targets)}")
        self._pre, self._post = Spiking("source", source), Spiking("target", target)
        self._wanted = None if targets is None else Spiking("targets", targets)
        if above is not None and not above._pre.same(self._post):
            raise ParameterError(
                f"SuperSpikeSynapses.above: must lead from the {len(target)} target neurons upwards, got from {len(above.source)}"
            )
        if above is not None and above._pre.same(above._post):
            raise ParameterError(
                f"SuperSpikeSynapses.above: must lead from the {len(target)} target neurons upwards, got recurrent synapses, "
                f"{above.name}; give those that they have above them"
            )
        Param("", "", gt=0).check("SuperSpikeSynapses.unit", np.asarray(unit))
        self._filters: dict[str, Any] = {
            "tau_rise_ms": in_unit("tau_rise", tau_rise, ms),
            "tau_decay_ms": in_unit("tau_decay", tau_decay, ms),
            "integration": integration,
            "precision": precision,
        }
        self._delay_ms = in_unit("delay", delay, ms)
        self._options: dict[str, Any] = {
            "block_ms": in_unit("block", block, ms),
            "v_threshold": in_unit("v_threshold", v_threshold, mV),
            "w_max": in_unit("w_max", w_max, unit),
            "w_min": None if w_min is None else in_unit("w_min", w_min, unit),
            "surrogate": surrogate,
            "optimizer": optimizer,
        }
        self.rate: float = 1.0
        self.rule: Any = None  # a SuperSpike, made when the network is run
        self._error: Any = None  # and what drives it
        self._saved: Any = None  # the states from which these two will continue
        self._left: Any = None  # the weights at the end of the last run, in base units
        self._feedback, self._above, self._seed = feedback, above, seed
        self._voltage, self._unit = voltage, float(unit)
        self._groups: dict[str, Any] = {"source": self._pre.whole, "target": self._post.whole}
        self._groups |= {"above": above} if self._wanted is None else {"targets": self._wanted.whole}
        self._layers: list[Any] = [self] if above is None else [self, *above._layers]  # up to the outputs
        self._dense = np.zeros((self._pre.n, self._post.n))  # the weights in ``unit``
        self._present = np.zeros(self._dense.shape, np.bool_)  # where there is a synapse
        self._where: Any = None  # the synapses' ids, pre and post
        self._dt_ms = 0.0
        super().__init__(source, target, model=model, on_pre=on_pre, delay=delay, **options)  # afterwards, attributes are fixed
        if not is_array(self.variables, "w", unit):
            raise ParameterError(
                f"SuperSpikeSynapses.model: must have a weight w in the dimensions of unit, {get_dimensions(unit)}, got {model!r}"
            )
        if self.pre.event != "spike":
            raise ParameterError(f"SuperSpikeSynapses.on_event: must be 'spike' of source, got {self.pre.event!r}")
        self.add_dependency(targets if above is None else above)
        # at the end of a step: spikes and voltages after the reset; outputs first, then down
        order = len(self._layers)
        name = f"{self.name}_superspike"
        self.contained_objects.append(NetworkOperation(self._step, clock=target.clock, when="end", order=order, name=name))

    def before_run(self, run_namespace: Any) -> None:
        """Check the network; make the rule, or take up what the script has changed since the last run."""
        super().before_run(run_namespace)
        for synapses in reversed(self._layers):
            synapses._prepare()

    def after_run(self) -> None:
        """Remember the weights, to know those that the script changes before the next run."""
        super().after_run()
        self._left = self.variables["w"].get_value().copy()

    def _prepare(self) -> None:
        """What comes before a run: check everything, then take up the weights."""
        dt_ms, where = self._checked_dt(), (self.i[:], self.j[:])
        delay_ms = 1000 * float(self.pre.variables["delay"].get_value()[0])
        if not np.isclose(delay_ms, self._delay_ms):
            raise ParameterError(
                f"SuperSpikeSynapses {self.name}: must keep the delay that it was made with, {self._delay_ms:g} ms, "
                f"got {delay_ms:g} ms; make it with another"
            )
        if not is_array(self._post.whole.variables, self._voltage, volt):
            raise ParameterError(
                f"SuperSpikeSynapses.voltage: must be a variable of the target neurons, got {self._voltage!r}; "
                "each of them needs one of its own, in volts"
            )
        Param("", "").check(f"SuperSpikeSynapses {self.name}.rate", self.rate)
        present = np.zeros(self._dense.shape, np.bool_)
        present[where] = True
        if present.sum() != len(self):
            raise ParameterError(
                f"SuperSpikeSynapses {self.name}: must have one synapse for each pair of neurons or none, "
                f"got {len(self)} synapses for {present.sum()} pairs"
            )
        self._where = where
        self._dense[~present] = 0
        self._gather()
        if self.rule is None:
            self._make(dt_ms, present if self._saved is None else self._present)
        if not np.array_equal(present, self._present):
            self._connect(present)
        if self._above is not None and any(synapses._changed() for synapses in self._layers[1:]):
            self._error.refresh()

    def _checked_dt(self) -> float:
        """The time step (ms), once it is found to be that of all groups, and all of them to run."""
        for role, group in self._groups.items():
            if not group.active:
                raise ParameterError(
                    f"SuperSpikeSynapses {self.name}: its {role} must be active, got {group.name}; rate = 0 stops learning"
                )
        steps = {role: 1000 * float(group.clock.dt_) for role, group in self._groups.items() if group is not self._above}
        dt_ms = steps["target"]
        if not np.allclose(list(steps.values()), dt_ms, rtol=CLOCKS, atol=0):
            got = ", ".join(f"{role} {step:g} ms" for role, step in steps.items())
            raise ParameterError(
                f"SuperSpikeSynapses {self.name}: its groups must have the same dt, got {got}; make them without dt"
            )
        if self.rule is not None and not np.isclose(dt_ms, self._dt_ms, rtol=CLOCKS, atol=0):
            raise ParameterError(
                f"SuperSpikeSynapses {self.name}: must keep its dt between runs, got {dt_ms:g} ms after {self._dt_ms:g} ms; "
                "make the network anew"
            )
        return dt_ms

    def _shared(self, dt_ms: float) -> dict[str, Any]:
        return {"dt_ms": dt_ms, **self._filters}

    def _new_rule(self, dt_ms: float, present: Array) -> SuperSpike:
        n_pre, n_post = present.shape
        mask = None if present.all() else present
        return SuperSpike(n_pre, n_post, delay_ms=self._delay_ms, mask=mask, **self._shared(dt_ms), **self._options)

    def _make(self, dt_ms: float, present: Array) -> None:
        """Make the rule and what drives it, and continue from where they were stored."""
        rule, shared = self._new_rule(dt_ms, present), self._shared(dt_ms)
        error: Any
        if self._above is None:
            error = VanRossumError(self._post.n, delay_ms=self._delay_ms, **shared)
        else:
            weights = [synapses._dense for synapses in self._layers[1:]]
            error = Feedback(self._feedback, weights, seed=self._seed, **shared)
        if self._saved is not None:
            try:
                rule.restore(self._saved[0])
                error.restore(self._saved[1])
            except ParameterError as wrong:
                raise ParameterError(f"SuperSpikeSynapses {self.name}: must be restored as it was stored; {wrong}") from None
        self.rule, self._error, self._saved, self._dt_ms, self._present = rule, error, None, dt_ms, present

    def _connect(self, present: Array) -> None:
        """Continue with other synapses. Traces are those of all pairs of neurons, so that those of new synapses are there."""
        rule = self._new_rule(self._dt_ms, present)
        rule.restore(self.rule.state() | {"parameters": rule.state()["parameters"]})
        self.rule, self._present = rule, present

    def _traces(self) -> Any:
        """The states of the rule and of what drives it; None before the first run."""
        return self._saved if self.rule is None else (self.rule.state(), self._error.state())

    def _changed(self) -> bool:
        """Whether the script has changed the weights since the last run."""
        return not np.array_equal(self._left, self.variables["w"].get_value())

    def _gather(self) -> None:
        """Take the weights from Brian2's synapses."""
        self._dense[self._where] = self.variables["w"].get_value() / self._unit

    def _step(self) -> None:
        """What the network operation does in each time step."""
        if self._wanted is not None:
            e = self._error.step(self._post.spikes(), self._wanted.spikes())
        else:
            e = self._error.step(self._layers[-1]._error.impulses)
        self.rule.step(self._pre.spikes(), 1000 * self._post.values(self._voltage), e)
        if self.rule.block_complete:
            self._gather()  # the script may have changed them
            self.rule.update(self._dense, self.rate)
            self.variables["w"].set_value(self._dense[self._where] * self._unit)
            self._gather()  # as Brian2 has rounded them
        if any(synapses.rule.block_complete for synapses in self._layers[1:]):
            self._error.refresh()

    def _full_state(self) -> dict[str, Any]:
        """For Brian2's ``store``."""
        state: dict[str, Any] = super()._full_state()
        return state | {"_superspike": (self.rate, self._left, self._present, self._traces())}

    def _restore_from_full_state(self, state: dict[str, Any]) -> None:
        """For Brian2's ``restore``, which may come before the rule can be made: the next run makes it, and continues."""
        state = dict(state)
        self.rate, self._left, self._present, self._saved = state.pop("_superspike")
        self.rule = self._error = None
        super()._restore_from_full_state(state)

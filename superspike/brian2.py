"""SuperSpike in Brian2 scripts: a ``Synapses`` whose plasticity runs in our compiled kernels.

Brian2 keeps what it is good at: neurons, delivery of spikes, units, monitors. At the end of each of its time steps a
network operation hands spikes and voltages to a :class:`~superspike.SuperSpike`; at the end of a block it takes the
weights from the synapses, changes them, and puts them back. Needs the extra ``brian2`` (``pip install
"superspike[brian2]"``); for Brian2's numpy and cython targets (its standalone mode has no network operations).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import NetworkOperation, Synapses, have_same_dimensions, ms, mV
from brian2.groups.subgroup import Subgroup
from numpy.typing import NDArray

from ._parameters import ParameterError
from .plasticity import RULE, SCHEME, SuperSpike
from .third_factor import Feedback, VanRossumError

Array = NDArray[Any]


def in_unit(name: str, value: Any, unit: Any) -> float:
    """A Brian2 quantity as a number of ``unit``."""
    if not have_same_dimensions(value, unit):
        raise ParameterError(f"SuperSpikeSynapses.{name}: must be a quantity in {unit.dim}, e.g. {unit!r}, got {value!r}")
    return float(value / unit)


class Spiking:
    """A group's spikes and voltages in this time step, as plain arrays."""

    def __init__(self, group: Any) -> None:
        self.start, self.n = (group.start if isinstance(group, Subgroup) else 0), len(group)
        self.whole = group.source if isinstance(group, Subgroup) else group
        self.all = self.n == len(self.whole)

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
    it. Neurons need a voltage; everything else about them is the script's. Each pair of neurons has one synapse or none.

    Parameters
    ----------
    source, target : groups of neurons, or other sources of spikes for ``source``
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
    rate : multiplies the changes of the weights; 0 switches learning off
    rule : the :class:`~superspike.SuperSpike`, for its eligibility traces; from the first run on

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
        if above is not None and len(above.source) != len(target):
            raise ParameterError(
                f"SuperSpikeSynapses.above: must lead from the {len(target)} target neurons upwards, got from {len(above.source)}"
            )
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
        self.rule: Any = None  # a SuperSpike, made when the network is first run
        self._targets, self._feedback, self._above, self._seed = targets, feedback, above, seed
        self._voltage, self._unit = voltage, float(unit)
        self._layers: list[Any] = [self] if above is None else [self, *above._layers]  # up to the outputs
        self._pre, self._post = Spiking(source), Spiking(target)
        self._dense = np.zeros((self._pre.n, self._post.n))  # the weights in ``unit``
        self._error: Any = None
        super().__init__(source, target, model=model, on_pre=on_pre, delay=delay, **options)  # afterwards, attributes are fixed
        if "w" not in self.variables or not have_same_dimensions(self.variables["w"].dim, unit):
            raise ParameterError(
                f"SuperSpikeSynapses.model: must have a weight w in the dimensions of unit, {unit.dim}, got {model!r}"
            )
        # at the end of a step: spikes and voltages after the reset; outputs first, then down
        order = len(self._layers)
        name = f"{self.name}_superspike"
        self.contained_objects.append(NetworkOperation(self._step, clock=target.clock, when="end", order=order, name=name))

    def before_run(self, run_namespace: Any) -> None:
        """Make the rule before the first run; take up the weights before each."""
        super().before_run(run_namespace)
        for synapses in reversed(self._layers):
            if synapses.rule is None:
                synapses._make()
            synapses._gather()
        if self._above is not None:
            self._error.refresh()

    def _make(self) -> None:
        clocks = {group.clock.dt_ for group in (self.source, self.target, self._layers[-1].target)}
        if len(clocks) != 1:
            raise ParameterError(f"SuperSpikeSynapses {self.name}: its groups must have the same dt, got {sorted(clocks)} s")
        if not np.allclose(self.pre.variables["delay"].get_value(), self._delay_ms / 1000):
            raise ParameterError(f"SuperSpikeSynapses.delay: must be the same for all synapses; set it when {self.name} is made")
        present = np.zeros(self._dense.shape, np.bool_)
        present[self.i[:], self.j[:]] = True
        if present.sum() != len(self):
            raise ParameterError(
                f"SuperSpikeSynapses {self.name}: must have one synapse for each pair of neurons or none, "
                f"got {len(self)} synapses for {present.sum()} pairs"
            )
        if self._voltage not in self._post.whole.variables:
            raise ParameterError(f"SuperSpikeSynapses.voltage: must be a variable of the target neurons, got {self._voltage!r}")
        shared: dict[str, Any] = {"dt_ms": 1000 * clocks.pop(), **self._filters}
        n_pre, n_post = self._dense.shape
        self.rule = SuperSpike(
            n_pre, n_post, delay_ms=self._delay_ms, mask=None if present.all() else present, **shared, **self._options
        )
        if self._above is None:
            self._error = VanRossumError(self._post.n, delay_ms=self._delay_ms, **shared)
        else:
            weights = [synapses._dense for synapses in self._layers[1:]]
            self._error = Feedback(self._feedback, weights, seed=self._seed, **shared)

    def _gather(self) -> None:
        """Take the weights from Brian2's synapses."""
        self._dense[self.i[:], self.j[:]] = self.variables["w"].get_value() / self._unit

    def _step(self) -> None:
        """What the network operation does in each time step."""
        spikes = self._post.spikes()
        if self._above is None:
            e = self._error.step(spikes, Spiking(self._targets).spikes())
        else:
            e = self._error.step(self._layers[-1]._error.impulses)
        self.rule.step(self._pre.spikes(), 1000 * self._post.values(self._voltage), e)
        if self.rule.block_complete:
            self._gather()  # the script may have changed them
            self.rule.update(self._dense, self.rate)
            self.variables["w"].set_value(self._dense[self.i[:], self.j[:]] * self._unit)
        if self._above is not None and self._above.rule.block_complete:
            self._error.refresh()

    def _full_state(self) -> dict[str, Any]:
        """For Brian2's ``store``."""
        state: dict[str, Any] = super()._full_state()
        return state | {"_superspike": None if self.rule is None else (self.rule.state(), self._error.state())}

    def _restore_from_full_state(self, state: dict[str, Any]) -> None:
        """For Brian2's ``restore``."""
        state = dict(state)
        saved = state.pop("_superspike")
        super()._restore_from_full_state(state)
        if self.rule is not None:
            if saved is None:
                self.rule.reset()
                self._error.reset()
            else:
                self.rule.restore(saved[0])
                self._error.restore(saved[1])

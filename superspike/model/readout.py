"""Readouts: leaky units without a threshold, and the losses that read labels off their potentials.

A readout unit is U' = a U + c J, J' = α J + Σ w S over the last hidden layer's spikes. A loss turns one sample's potentials
into what each output says for its class, ``z`` (mV), and into errors e = −∂L/∂U (1/mV): p = softmax(z / temperature),
L = −log p_label. Errors enter the rule unfiltered, because the loss is a function of U itself. Adding a loss is adding a class
here; arrays are (steps, outputs or more).

NMZ19 has no units: it measures the hidden layers' potentials by threshold − rest and lets a current of 1 add 1 to U in a step,
where ours adds c, which is (a_syn − a_mem) τ_syn/(τ_syn − τ_mem) with exact integration and dt/τ_mem with Euler's. So its hidden
weights are ours times c/(threshold − rest), those of its readout ours times the readout's c/temperature, its β ours times
threshold − rest; Adam's learning rate goes with the weights. With a threshold of 10 mV, τ of 5, 10 and 20 ms, and steps of 1 ms,
1 of its units is 116 mV (hidden) and 453 mV (readout), and β = 20 is 2 /mV.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

from numpy.typing import NDArray

from .loss import LOSSES
from .parameters import Param, parameters

Array = NDArray[Any]


@parameters
class Rates(NamedTuple):
    """Bounds of the hidden layers' spike counts n_i per sample, and what missing them costs (after Zenke & Vogels 2021).

    Of each hidden layer ½ upper_strength Σ_i max(0, n_i − upper)² + ½ lower_strength Σ_i max(0, lower − n_i)² + mean_strength
    M max(0, n̄ − mean), with n̄ the mean of its M neurons' counts, is added to the loss of a sample.
    """

    upper: Annotated[
        float, Param("", "spikes per sample of a hidden neuron from which on they cost", ge=0, option="rate-upper")
    ] = 0.0
    upper_strength: Annotated[float, Param("", "cost of too many spikes of one neuron", ge=0, option="rate-upper-strength")] = 0.0
    lower: Annotated[float, Param("", "spikes per sample of a hidden neuron that cost nothing", ge=0, option="rate-lower")] = 0.0
    lower_strength: Annotated[float, Param("", "cost of too few spikes of one neuron", ge=0, option="rate-lower-strength")] = 0.0
    mean: Annotated[
        float, Param("", "mean spikes per sample and neuron of a layer from which on they cost", ge=0, option="rate-mean")
    ] = 0.0
    mean_strength: Annotated[
        float, Param("", "cost of each spike of a layer above its mean's bound", ge=0, option="rate-mean-strength")
    ] = 0.0


def rate_error(count: float, mean: float, rates: Rates) -> float:
    """−∂/∂n_i of the cost of a neuron's spike count, in a layer of this mean."""
    zero = type(count)(0)
    too_few, too_many = max(zero, rates.lower - count), max(zero, count - rates.upper)
    above_mean = rates.mean_strength if mean > rates.mean else zero
    error: float = rates.lower_strength * too_few - rates.upper_strength * too_many - above_mean
    return error


def cross_entropy(z: Array, outputs: int, label: int, temperature: float, factor: float, error: Array) -> float:
    """−log p_label, p = softmax(z / temperature); write ``factor`` times −∂/∂z of it."""
    largest, total = z[0], type(temperature)(0)
    for k in range(1, outputs):
        largest = max(largest, z[k])
    for k in range(outputs):
        error[k] = math.exp((z[k] - largest) / temperature)
        total += error[k]
    loss: float = math.log(total) - (z[label] - largest) / temperature
    for k in range(outputs):
        error[k] *= -factor / (temperature * total)
    error[label] += factor / temperature
    return loss


def logits(self: Any, u: Array, outputs: int, dt: float, z: Array) -> None:
    """Write what each output says for its class (mV), from the potentials u (mV) of one sample."""
    self.logits(u, outputs, dt, z)


def errors(self: Any, u: Array, z: Array, outputs: int, label: int, dt: float, temperature: float, e: Array) -> float:
    """Write e = −∂L/∂u (1/mV), where it is not 0, into ``e``, all 0 at first; return L."""
    return self.errors(u, z, outputs, label, dt, temperature, e)  # type: ignore[no-any-return]


def of_trials(loss: Any) -> bool:
    """Whether a loss reads the potentials of whole trials, and is not asked in every step of a stream."""
    return hasattr(loss, "logits")


Temperature = Annotated[float, Param("mV", "potential that counts as 1 in the softmax", gt=0)]


@LOSSES.register("max_over_time")
@parameters
class MaxOverTime(NamedTuple):
    """z = max_t U: the error enters where the maximum was, first (Gütig & Sompolinsky 2006; NMZ19)."""

    temperature: Temperature = 20.0

    def logits(self, u: Array, outputs: int, dt: float, z: Array) -> None:
        """The largest of each output's potentials."""
        for k in range(u.shape[1]):
            z[k] = u[0, k]
        for t in range(1, u.shape[0]):
            for k in range(u.shape[1]):
                z[k] = max(z[k], u[t, k])

    def errors(self, u: Array, z: Array, outputs: int, label: int, dt: float, temperature: float, e: Array) -> float:
        """One impulse per output."""
        loss = cross_entropy(z, outputs, label, temperature, type(temperature)(1), e[0])
        for k in range(outputs):
            t = 0
            while t < u.shape[0] - 1 and u[t, k] != z[k]:
                t += 1
            impulse = e[0, k]
            e[0, k] = 0
            e[t, k] = impulse
        return loss


@LOSSES.register("mean_over_time")
@parameters
class MeanOverTime(NamedTuple):
    """z = mean_t U."""

    temperature: Temperature = 20.0

    def logits(self, u: Array, outputs: int, dt: float, z: Array) -> None:
        """The mean of each output's potentials."""
        for k in range(outputs):
            z[k] = 0
        for t in range(u.shape[0]):
            for k in range(outputs):
                z[k] += u[t, k]
        for k in range(outputs):
            z[k] /= type(dt)(u.shape[0])

    def errors(self, u: Array, z: Array, outputs: int, label: int, dt: float, temperature: float, e: Array) -> float:
        """The same in every step."""
        loss = cross_entropy(z, outputs, label, temperature, type(temperature)(1) / type(dt)(u.shape[0]), e[0])
        for t in range(1, u.shape[0]):
            for k in range(outputs):
                e[t, k] = e[0, k]
        return loss


@LOSSES.register("weighted_sum")
@parameters
class WeightedSum(NamedTuple):
    """z = Σ_t c(t) U, c ∝ e^(−t/τ) with sum 1: early potentials count most (after Nowotny et al. 2025)."""

    tau: Annotated[float, Param("ms", "time constant of the weights of potentials", gt=0, option="tau-loss")] = 100.0
    temperature: Temperature = 20.0

    def logits(self, u: Array, outputs: int, dt: float, z: Array) -> None:
        """The weighted sums."""
        decay, weight, total = math.exp(-dt / self.tau), type(dt)(1), type(dt)(0)
        for k in range(outputs):
            z[k] = 0
        for t in range(u.shape[0]):
            total += weight
            for k in range(outputs):
                z[k] += weight * u[t, k]
            weight *= decay
        for k in range(outputs):
            z[k] /= total

    def errors(self, u: Array, z: Array, outputs: int, label: int, dt: float, temperature: float, e: Array) -> float:
        """In proportion to the weights."""
        decay, total, weight = math.exp(-dt / self.tau), type(dt)(0), type(dt)(1)
        for _ in range(u.shape[0]):
            total += weight
            weight *= decay
        loss = cross_entropy(z, outputs, label, temperature, type(temperature)(1) / total, e[0])
        for t in range(1, u.shape[0]):
            for k in range(outputs):
                e[t, k] = e[t - 1, k] * decay
        return loss


@LOSSES.register("last_step")
@parameters
class LastStep(NamedTuple):
    """z = U in the last step."""

    temperature: Temperature = 20.0

    def logits(self, u: Array, outputs: int, dt: float, z: Array) -> None:
        """The last potentials."""
        for k in range(outputs):
            z[k] = u[-1, k]

    def errors(self, u: Array, z: Array, outputs: int, label: int, dt: float, temperature: float, e: Array) -> float:
        """In the last step."""
        return cross_entropy(z, outputs, label, temperature, type(temperature)(1), e[u.shape[0] - 1])


@LOSSES.register("each_step")
@parameters
class EachStep(NamedTuple):
    """The mean over time, from ``begin`` on, of the cross-entropy of each step: causal, errors are known as they occur.

    z is the mean of U over the same time, whose largest belongs to the largest product of the steps' p.
    """

    begin: Annotated[float, Param("ms", "time from which on potentials count", ge=0)] = 0.0
    temperature: Temperature = 20.0

    def logits(self, u: Array, outputs: int, dt: float, z: Array) -> None:
        """The mean potentials."""
        begin = min(int(self.begin / dt + type(dt)(0.5)), u.shape[0] - 1)
        for k in range(outputs):
            z[k] = 0
        for t in range(begin, u.shape[0]):
            for k in range(outputs):
                z[k] += u[t, k]
        for k in range(outputs):
            z[k] /= type(dt)(u.shape[0] - begin)

    def errors(self, u: Array, z: Array, outputs: int, label: int, dt: float, temperature: float, e: Array) -> float:
        """Each step's own."""
        begin = min(int(self.begin / dt + type(dt)(0.5)), u.shape[0] - 1)
        factor, loss = type(temperature)(1) / type(dt)(u.shape[0] - begin), type(temperature)(0)
        for t in range(begin, u.shape[0]):
            loss += factor * cross_entropy(u[t], outputs, label, temperature, factor, e[t])
        return loss

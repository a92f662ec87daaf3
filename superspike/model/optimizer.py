"""Optimisers: from the block's mean gradient g (1/mV) and a running scale v to a weight change (mV).

The kernels call :func:`step`, which picks the method by the type of the parameters when they are compiled. Adding an
optimiser is adding a class here.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

from .parameters import Param, Registry, parameters

OPTIMIZERS = Registry("optimizer", methods=("step",))

Rate = Annotated[float, Param("mV", "learning rate r0: the largest weight change per block", ge=0)]
TauRms = Annotated[float, Param("ms", "time constant of the gradient's running scale", gt=0)]


def step(self: Any, g: float, v: float, block: float) -> tuple[float, float]:
    """Weight change (mV) and new scale (1/mV²) from the gradient ``g`` (1/mV) and the scale ``v``; ``block`` in ms."""
    return self.step(g, v, block)  # type: ignore[no-any-return]


@OPTIMIZERS.register("rmaxprop")
@parameters
class RMaxProp(NamedTuple):
    """v = max(γ v, g²), Δw = r0 g/√v, γ = exp(−t_b/τ_rms): no weight moves by more than r0 per block (ZG18 §3, RMaxProp)."""

    learning_rate: Rate = 1.0
    tau_rms: TauRms = 30_000.0

    def step(self, g: float, v: float, block: float) -> tuple[float, float]:
        """ZG18 §3; 1e-15 per mV is the release's 1e-12 per V."""
        v = max(math.exp(-block / self.tau_rms) * v, g * g)
        return self.learning_rate * g / (math.sqrt(v) + type(g)(1e-15)), v


@OPTIMIZERS.register("rmsprop")
@parameters
class RMSprop(NamedTuple):
    """v = γ v + (1 − γ) g², Δw = r0 g/√v, γ = exp(−t_b/τ_rms) (Hinton 2012)."""

    learning_rate: Rate = 1.0
    tau_rms: TauRms = 30_000.0

    def step(self, g: float, v: float, block: float) -> tuple[float, float]:
        """The running mean of the squared gradient, where RMaxProp keeps its upper envelope."""
        gamma = math.exp(-block / self.tau_rms)
        v = gamma * v + (type(g)(1) - gamma) * g * g
        return self.learning_rate * g / (math.sqrt(v) + type(g)(1e-15)), v


@OPTIMIZERS.register("sgd")
@parameters
class SGD(NamedTuple):
    """Δw = r0 g / scale: a fixed rate (ZG18 Fig. 1). ``scale`` is the gradient that moves a weight by r0 per block."""

    learning_rate: Rate = 1.0
    scale: Annotated[float, Param("1/mV", "the gradient that sgd turns into a change of r0", gt=0, option="sgd-scale")] = 1e-4

    def step(self, g: float, v: float, block: float) -> tuple[float, float]:
        """Plain gradient descent; ``v`` is not used."""
        return self.learning_rate * g / self.scale, v

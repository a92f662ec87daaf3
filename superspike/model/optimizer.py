"""Optimisers: from the block's mean gradient g (1/mV) to a weight change (mV), with a memory of earlier blocks.

An optimiser says how many numbers it remembers of each synapse, ``memories``. Its ``step`` gets them by value, all 0 at
first, and returns them anew with the change: it has nothing that it could write into. The kernels call :func:`step`, which
picks the method by the type of the parameters when they are compiled. Adding an optimiser is adding a class here.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Annotated, Any, NamedTuple

import numpy as np

from .parameters import Param, ParameterError, Registry, attempt, parameters

Memory = tuple[Any, ...]


def step(self: Any, g: float, memory: Memory, n: float, block: float) -> tuple[float, Memory]:
    """Weight change (mV) and new memory of one synapse.

    ``g`` is the block's mean gradient (1/mV), ``memory`` a tuple of ``memories`` numbers, ``n`` counts the updates from 1 on,
    and ``block`` is the time between them (ms).
    """
    return self.step(g, memory, n, block)  # type: ignore[no-any-return]


def check_step(optimizer: Any) -> None:
    """Raise the error that says what is wrong with ``memories`` and ``step``, as far as a first step tells."""
    name, k = type(optimizer).__name__, optimizer.memories
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise ParameterError(f"{name}.memories: must be a whole number >= 0, got {k!r}")
    zero, one = np.float64(0), np.float64(1)
    found = attempt(optimizer, "step", {"g": one, "memory": (zero,) * k, "n": one, "block": one})
    pair = found if isinstance(found, tuple) and len(found) == 2 else (None, None)
    change, memory = pair
    if not isinstance(change, Real) or not isinstance(memory, tuple) or [isinstance(x, Real) for x in memory] != [True] * k:
        raise ParameterError(
            f"{name}.step: must return the change and a tuple of as many numbers as it has memories, {k}, got {found!r}"
        )


OPTIMIZERS = Registry("optimizer", methods=("memories", "step"), check=check_step)

Rate = Annotated[float, Param("mV", "learning rate r0; no weight moves by more per block with rmaxprop", ge=0)]
TauRms = Annotated[float, Param("ms", "time constant of the gradient's running scale", gt=0)]


@OPTIMIZERS.register("rmaxprop")
@parameters
class RMaxProp(NamedTuple):
    """v = max(γ v, g²), Δw = r0 g/√v, γ = exp(−t_b/τ_rms): no weight moves by more than r0 per block (ZG18 §3, RMaxProp)."""

    learning_rate: Rate = 1.0
    tau_rms: TauRms = 30_000.0

    @property
    def memories(self) -> int:
        """The running scale v (1/mV²)."""
        return 1

    def step(self, g: float, memory: Memory, n: float, block: float) -> tuple[float, Memory]:
        """ZG18 §3; 1e-15 per mV is the release's 1e-12 per V."""
        v = max(math.exp(-block / self.tau_rms) * memory[0], g * g)
        return self.learning_rate * g / (math.sqrt(v) + type(g)(1e-15)), (v,)


@OPTIMIZERS.register("rmsprop")
@parameters
class RMSprop(NamedTuple):
    """v = γ v + (1 − γ) g², Δw = r0 g/√v, γ = exp(−t_b/τ_rms) (Hinton 2012)."""

    learning_rate: Rate = 1.0
    tau_rms: TauRms = 30_000.0

    @property
    def memories(self) -> int:
        """The running scale v (1/mV²)."""
        return 1

    def step(self, g: float, memory: Memory, n: float, block: float) -> tuple[float, Memory]:
        """The running mean of the squared gradient, where RMaxProp keeps its upper envelope."""
        gamma = math.exp(-block / self.tau_rms)
        v = gamma * memory[0] + (type(g)(1) - gamma) * g * g
        return self.learning_rate * g / (math.sqrt(v) + type(g)(1e-15)), (v,)


@OPTIMIZERS.register("adam")
@parameters
class Adam(NamedTuple):
    """m = β1 m + (1 − β1) g, v = β2 v + (1 − β2) g², Δw = r0 m̂/(√v̂ + ε); m̂ = m/(1 − β1ⁿ), v̂ = v/(1 − β2ⁿ) (Kingma & Ba 2015).

    The betas are per block. ε is small beside any gradient: it only keeps 0/0 away. A step may be several times r0.
    """

    learning_rate: Rate = 0.5
    beta1: Annotated[float, Param("", "decay per block of the gradient's running mean", ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Param("", "decay per block of the squared gradient's running mean", ge=0, lt=1)] = 0.999
    epsilon: Annotated[float, Param("1/mV", "added to the gradient's running scale", gt=0)] = 1e-15

    @property
    def memories(self) -> int:
        """The running means m (1/mV) and v (1/mV²)."""
        return 2

    def step(self, g: float, memory: Memory, n: float, block: float) -> tuple[float, Memory]:
        """Kingma & Ba 2015, Algorithm 1."""
        one = type(g)(1)
        m = self.beta1 * memory[0] + (one - self.beta1) * g
        v = self.beta2 * memory[1] + (one - self.beta2) * g * g
        scale = math.sqrt(v / (one - self.beta2**n)) + self.epsilon
        return self.learning_rate * m / (one - self.beta1**n) / scale, (m, v)


@OPTIMIZERS.register("sgd")
@parameters
class SGD(NamedTuple):
    """Δw = r0 g / scale: a fixed rate (ZG18 Fig. 1). ``scale`` is the gradient that moves a weight by r0 per block."""

    learning_rate: Rate = 1.0
    scale: Annotated[float, Param("1/mV", "the gradient that sgd turns into a change of r0", gt=0, option="sgd-scale")] = 1e-4

    @property
    def memories(self) -> int:
        """None."""
        return 0

    def step(self, g: float, memory: Memory, n: float, block: float) -> tuple[float, Memory]:
        """Plain gradient descent."""
        return self.learning_rate * g / self.scale, memory

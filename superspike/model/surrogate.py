"""Surrogate derivatives f(U) = σ'(U): the nonlinear function of the postsynaptic voltage of ZG18 Eq. 3.3.

Each class documents its primitive σ, a smooth stand-in for the spike's step function; ``derivative`` is σ' in 1/mV at
``x`` = U − ϑ in mV. The kernels call :func:`derivative`, which picks the method by the type of the parameters when they
are compiled. Adding a surrogate is adding a class here.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Annotated, Any, NamedTuple

import numpy as np

from .parameters import Param, ParameterError, Registry, attempt, parameters


def derivative(self: Any, x: float) -> float:
    """σ'(U) in 1/mV of the surrogate ``self`` at ``x`` = U − ϑ in mV."""
    return self.derivative(x)  # type: ignore[no-any-return]


def check_derivative(surrogate: Any) -> None:
    """Raise the error that says what is wrong with ``derivative``, as far as a first call tells."""
    found = attempt(surrogate, "derivative", {"x": np.float64(-1)})
    if not isinstance(found, Real):
        raise ParameterError(f"{type(surrogate).__name__}.derivative: must return a number, got {found!r}")


SURROGATES = Registry("surrogate", methods=("derivative",), check=check_derivative)

Beta = Annotated[float, Param("1/mV", "steepness of the surrogate at threshold", gt=0)]


@SURROGATES.register("fast_sigmoid")
@parameters
class FastSigmoid(NamedTuple):
    """σ = h / (1 + |h|), h = β(U − ϑ): the paper's choice (ZG18 §3, Table 1)."""

    beta: Beta = 1.0

    def derivative(self, x: float) -> float:
        """β / (1 + |h|)²."""
        h = type(x)(1) + self.beta * abs(x)
        return self.beta / (h * h)


@SURROGATES.register("scaled_fast_sigmoid")
@parameters
class ScaledFastSigmoid(NamedTuple):
    """σ = (peak / β) h / (1 + |h|), h = β(U − ϑ): as high at threshold whatever its steepness (Zenke & Vogels 2021).

    A gradient that goes from step to step through spikes grows where the peak is above 1 / (ϑ − U_rest); theirs is that, with a β
    of 100 times that.
    """

    beta: Beta = 1.0
    peak: Annotated[float, Param("1/mV", "height of the surrogate at threshold", gt=0)] = 0.1

    def derivative(self, x: float) -> float:
        """The peak / (1 + |h|)²."""
        h = type(x)(1) + self.beta * abs(x)
        return self.peak / (h * h)


@SURROGATES.register("exponential")
@parameters
class Exponential(NamedTuple):
    """σ = sign(h)(1 − e^−|h|), h = β(U − ϑ)."""

    beta: Beta = 1.0

    def derivative(self, x: float) -> float:
        """β e^−|h|."""
        return self.beta * math.exp(-self.beta * abs(x))


@SURROGATES.register("sigmoid")
@parameters
class Sigmoid(NamedTuple):
    """σ = 1 / (1 + e^−h), h = β(U − ϑ): the logistic function."""

    beta: Beta = 1.0

    def derivative(self, x: float) -> float:
        """β s(1 − s), written with e^−|h| so that nothing overflows."""
        decay = math.exp(-self.beta * abs(x))
        h = type(x)(1) + decay
        return self.beta * decay / (h * h)


@SURROGATES.register("gaussian")
@parameters
class Gaussian(NamedTuple):
    """σ = ½(1 + erf(h/√2)), h = β(U − ϑ): the normal distribution function."""

    beta: Beta = 1.0

    def derivative(self, x: float) -> float:
        """β e^(−h²/2) / √(2π)."""
        h = self.beta * x
        return self.beta * type(x)(1 / math.sqrt(2 * math.pi)) * math.exp(type(x)(-0.5) * h * h)


@SURROGATES.register("piecewise_linear")
@parameters
class PiecewiseLinear(NamedTuple):
    """σ = h(1 − |h|/2) for |h| < 1, else ±½, h = β(U − ϑ): its derivative is a triangle."""

    beta: Beta = 1.0

    def derivative(self, x: float) -> float:
        """β max(0, 1 − |h|)."""
        return self.beta * max(type(x)(0), type(x)(1) - self.beta * abs(x))


@SURROGATES.register("linear")
@parameters
class Linear(NamedTuple):
    """σ = β(U − ϑ): no dependence on the voltage (ZG18 Fig. 7 takes f = 1)."""

    beta: Beta = 1.0

    def derivative(self, x: float) -> float:
        """β."""
        return self.beta

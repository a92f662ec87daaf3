"""The double-exponential filter of the membrane, the pre trace, the eligibility trace and the error.

τ1 dx1/dt = −x1 (input adds to x1), τ2 dx2/dt = −x2 + x1; in steps of dt, x1' = a1 x1, x2' = a2 x2 + c x1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

INTEGRATIONS = ("euler", "exact", "nmz19")


class Filter(NamedTuple):
    """x1' = a1 x1, x2' = a2 x2 + c x1."""

    a1: float
    a2: float
    c: float


NO_FILTER, HOLD = Filter(0.0, 0.0, 0.0), Filter(1.0, 1.0, 0.0)


def double_exponential(tau1: float, tau2: float, dt: float, integration: str) -> Filter:
    """Coefficients for time constants and step in ms, x2 reading x1 before it decays.

    ``euler`` (the default: what the paper and its release did) decays x1 exactly and lets x2 follow by forward Euler;
    ``exact`` integrates both stages exactly; ``nmz19`` decays both exactly and lets x2 gain the whole of x1 in each step.
    """
    a1 = math.exp(-dt / tau1)
    if integration == "euler":
        return Filter(a1, 1 - dt / tau2, dt / tau2)
    a2 = math.exp(-dt / tau2)
    if integration == "nmz19":
        return Filter(a1, a2, 1.0)
    if math.isclose(tau1, tau2, rel_tol=1e-6):  # the limit τ1 → τ2 of the line below
        return Filter(a1, a2, dt / tau2 * a2)
    return Filter(a1, a2, (a1 - a2) * tau1 / (tau1 - tau2))

"""The third factor: the van Rossum error of the outputs and its way to the hidden layers (ZG18 Eq. 2.1, §3).

The filter e1' = a1 e1, e2' = a2 e2 + c e1' is linear, so an error is an impulse into e1: at an output (±1 when it or its
target spikes), at a hidden layer (``add_rows`` of :mod:`superspike.model.neuron`) a row of its feedback matrix one step later.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .filters import Filter

Array = NDArray[Any]


def error_step(e1: Array, e2: Array, error: Filter) -> None:
    """Advance the error filter of one layer by a step: e2 is the third factor."""
    for i in range(e1.shape[0]):
        e1[i] *= error.a1
        e2[i] = error.a2 * e2[i] + error.c * e1[i]


def add_squares(e: Array, squares: Array) -> None:
    """Add each e_i² to its sum."""
    for i in range(e.shape[0]):
        squares[i] += e[i] * e[i]


def hold_errors(e1: Array, e2: Array) -> None:
    """The same without a filter: what entered e1 in the last step is the third factor in this one."""
    for i in range(e1.shape[0]):
        e2[i] = e1[i]
        e1[i] = 0

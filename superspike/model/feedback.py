"""Feedback schemes: how the errors of the outputs reach the hidden layers (ZG18 §3.3; feedback alignment).

``matrices`` of a scheme gets the layers' sizes and the weights (n_pre, n_post) of each projection, found by the layers that
it joins: ``weights[1, 2]``, the input being layer 0. It gives one matrix (n_out, n_hidden) per hidden layer; an error impulse
of output k adds row k to the layer's error, one step later. No σ' enters on the way down. Adding a scheme is adding a class
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parameters import ParameterError, Registry, check_plain

Matrices = list[NDArray[Any]]
Weights = Mapping[tuple[int, int], NDArray[Any]]

MV_PER_V = 1000

FEEDBACKS = Registry("feedback", methods=("follows_weights", "matrices"))


@FEEDBACKS.register("symmetric")
class Symmetric(NamedTuple):
    """e_i = Σ_k w_ki e_k, through today's weights in V; deeper layers through the products of the weights above them.

    The products are summed over all ways that lead up to the outputs. Recurrent weights are none of them: the errors that
    a neuron causes later, through its own layer, are left out.
    The unit is that of the paper's release. It matters where an error meets the regulariser's ρ.
    """

    @property
    def follows_weights(self) -> bool:
        """Whether the matrices change with the weights."""
        return True

    def matrices(self, sizes: list[int], weights: Weights, rng: np.random.Generator) -> Matrices:
        """Transposed weights, multiplied down from layer to layer."""
        output, down = len(sizes) - 1, dict[int, Any]()
        for layer in range(output - 1, 0, -1):
            above = [(post, w.T) for (pre, post), w in weights.items() if pre == layer < post]
            down[layer] = sum((w if post == output else down[post] @ w) / MV_PER_V for post, w in above)
        return [down[layer] for layer in range(1, output)]


@FEEDBACKS.register("random")
class Random(NamedTuple):
    """e_i = Σ_k b_ki e_k with fixed b ~ N(0, 1): feedback alignment, broadcast to every hidden layer."""

    @property
    def follows_weights(self) -> bool:
        """Whether the matrices change with the weights."""
        return False

    def matrices(self, sizes: list[int], weights: Weights, rng: np.random.Generator) -> Matrices:
        """Drawn once."""
        return [rng.standard_normal((sizes[-1], n)) for n in sizes[1:-1]]


@FEEDBACKS.register("uniform")
class Uniform(NamedTuple):
    """e_i = Σ_k e_k: every hidden neuron gets the sum of the output errors."""

    @property
    def follows_weights(self) -> bool:
        """Whether the matrices change with the weights."""
        return False

    def matrices(self, sizes: list[int], weights: Weights, rng: np.random.Generator) -> Matrices:
        """All ones."""
        return [np.ones((sizes[-1], n)) for n in sizes[1:-1]]


@FEEDBACKS.register("sign")
class Sign(NamedTuple):
    """e_i = Σ_k sign(w_ki) e_k: the signs of symmetric feedback without its sizes (Liao, Leibo & Poggio 2016)."""

    @property
    def follows_weights(self) -> bool:
        """Whether the matrices change with the weights."""
        return True

    def matrices(self, sizes: list[int], weights: Weights, rng: np.random.Generator) -> Matrices:
        """−1, 0 and 1."""
        return [np.sign(b) for b in Symmetric().matrices(sizes, weights, rng)]


@FEEDBACKS.register("none")
class NoFeedback(NamedTuple):
    """No error reaches the hidden layers: their weights stay frozen."""

    @property
    def follows_weights(self) -> bool:
        """Whether the matrices change with the weights."""
        return False

    def matrices(self, sizes: list[int], weights: Weights, rng: np.random.Generator) -> Matrices:
        """All zeros."""
        return [np.zeros((sizes[-1], n)) for n in sizes[1:-1]]


def checked_matrices(name: str, given: Any, sizes: list[int]) -> Matrices:
    """What ``matrices`` of the scheme called ``name`` returned, if it is a finite (n_out, n_hidden) array per hidden layer."""
    check_plain(f"{name}.matrices: must return numbers", given)
    shapes = [(sizes[-1], n) for n in sizes[1:-1]]
    matrices = [np.asarray(b) for b in given] if isinstance(given, (list, tuple)) else None
    if matrices is None or [b.shape for b in matrices] != shapes:
        got = type(given).__name__ if matrices is None else [b.shape for b in matrices]
        raise ParameterError(f"{name}.matrices: must return a list of arrays (n_out, n_hidden) of the shapes {shapes}, got {got}")
    for layer, b in enumerate(matrices, 1):
        if b.dtype.kind not in "fiub" or not np.isfinite(b).all():
            raise ParameterError(
                f"{name}.matrices: must return finite numbers, got NaN, infinity or no numbers for hidden layer {layer}"
            )
    return matrices

"""The network: layers, projections, weights and the parameters that they share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .feedback import FEEDBACKS, checked_matrices
from .loss import LOSSES
from .neuron import LIF, check_lif
from .optimizer import OPTIMIZERS
from .parameters import Param, ParameterError, check_seed
from .rule import Rule
from .scheme import Scheme, check_scheme
from .surrogate import SURROGATES

Array = NDArray[Any]

W0 = 20.0  # mV, the default spread of the initial weights; the demo of ZG18's release takes 50 mV


class Network:
    """A chain of layers of leaky integrate-and-fire neurons joined by dense projections.

    Parameters
    ----------
    sizes : neurons per layer from the input up, e.g. ``[200, 256, 100]``; two entries mean no hidden layer
    feedback : how errors reach hidden layers: a name (symmetric, random, uniform, none) or an instance
    surrogate : f(U) = σ'(U): a name (fast_sigmoid, …) or an instance such as ``FastSigmoid(beta=2.0)``
    optimizer : a name (rmaxprop, rmsprop, adam, sgd) or an instance such as ``RMaxProp(learning_rate=0.5)``
    loss : which errors the outputs get: a name (van_rossum, windowed) or an instance such as ``Windowed(window=25.0)``
    neuron, rule, scheme : the parameters of neurons, plasticity and time stepping
    w0 : initial weights are drawn from N(0, (w0/√n_pre)²), in mV, and clipped to the rule's bounds
    weights : initial weights instead, one (n_pre, n_post) array in mV per projection from the input up
    seed : of the random numbers for weights and feedback

    Attributes
    ----------
    weights : list of (n_pre, n_post) arrays in mV; training changes them
    feedback_weights : list of (n_out, n_hidden) arrays, one per hidden layer

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule, before anything is computed.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        feedback: Any = "symmetric",
        surrogate: Any = "fast_sigmoid",
        optimizer: Any = "rmaxprop",
        loss: Any = "van_rossum",
        neuron: LIF | None = None,
        rule: Rule | None = None,
        scheme: Scheme | None = None,
        w0: float = W0,
        weights: Sequence[ArrayLike] | None = None,
        seed: int = 1,
    ) -> None:
        try:
            self.sizes = [Param("", "", ge=1).check("", n, int) for n in sizes]
        except (TypeError, ParameterError):
            self.sizes = []
        if len(self.sizes) < 2:
            raise ParameterError(f"Network.sizes: must be two or more whole numbers >= 1, input first, got {sizes!r}")
        for name, given, cls in (("neuron", neuron, LIF), ("rule", rule, Rule), ("scheme", scheme, Scheme)):
            if not isinstance(given, (cls, type(None))):
                raise ParameterError(f"Network.{name}: must be an instance of {cls.__name__}, got {given!r}")
        self.neuron, self.rule, self.scheme = neuron or LIF(), rule or Rule(), scheme or Scheme()
        self.feedback, self.surrogate = FEEDBACKS.make(feedback), SURROGATES.make(surrogate)
        self.optimizer, self.loss = OPTIMIZERS.make(optimizer), LOSSES.make(loss)
        check_lif(self.neuron)
        check_scheme(self.scheme, self.neuron, self.rule)
        self.w0, self.seed = Param("mV", "", ge=0).check("Network.w0", w0), check_seed("Network.seed", seed)
        self.dtype: type = np.float32 if self.scheme.precision == "single" else np.float64
        self.feedback_rng = np.random.default_rng(self.seed).spawn(2)[1]
        start = self.drawn_weights() if weights is None else self.checked(weights)
        self.weights: list[Array] = [np.ascontiguousarray(w, self.dtype) for w in start]
        self.feedback_weights: list[Array] = self._draw_feedback()

    def __repr__(self) -> str:
        return f"<Network {'-'.join(map(str, self.sizes))}, {FEEDBACKS.name_of(self.feedback)} feedback>"

    def drawn_weights(self) -> list[Array]:
        """The weights that the seed draws: those of a network that is given none, before any training."""
        rng, shapes = np.random.default_rng(self.seed).spawn(1)[0], zip(self.sizes[:-1], self.sizes[1:], strict=True)
        drawn = [rng.normal(0.0, self.w0 / np.sqrt(n_pre), (n_pre, n_post)) for n_pre, n_post in shapes]
        return [np.clip(w, -self.rule.w_max, self.rule.w_max).astype(self.dtype) for w in drawn]

    def checked(self, weights: Sequence[ArrayLike]) -> list[Array]:
        """``weights`` as arrays, if they fit the network. Raises ParameterError."""
        n = len(self.sizes) - 1
        try:
            arrays = [np.asarray(w) for w in weights]
        except (TypeError, ValueError) as error:
            raise ParameterError(
                f"Network.weights: must be {n} arrays (w0, w1, …), got {type(weights).__name__} ({error})"
            ) from None
        if len(arrays) != n:
            raise ParameterError(f"Network.weights: must be {n} arrays (w0, w1, …), got {len(arrays)}")
        for k, w in enumerate(arrays):
            shape = (self.sizes[k], self.sizes[k + 1])
            if w.shape != shape:
                raise ParameterError(f"Network.weights: w{k} must have the shape (n_pre, n_post) = {shape}, got {w.shape}")
            if w.dtype.kind not in "iuf" or not np.all(np.isfinite(w)):
                raise ParameterError(f"Network.weights: w{k} must hold finite numbers (mV), got NaN, infinity or no numbers")
            largest = np.abs(w.astype(float)).max()  # as floats: -128 has no abs among 8-bit integers
            if largest > self.rule.w_max * (1 + 1e-6):
                raise ParameterError(
                    f"Network.weights: w{k} must lie within ±Rule.w_max ({self.rule.w_max:g} mV), got {largest:g} mV; raise w_max"
                )
        return arrays

    def refresh_feedback(self) -> None:
        """Renew the feedback matrices after the weights have changed."""
        if self.feedback.follows_weights:
            self.feedback_weights = self._draw_feedback()

    def _draw_feedback(self) -> list[Array]:
        given = self.feedback.matrices(self.weights, self.feedback_rng)
        return checked_matrices(type(self.feedback).__name__, given, self.sizes)


def save_weights(path: str | os.PathLike[str], network: Network) -> None:
    """Write ``w0``, ``w1``, … (n_pre, n_post; mV) from the input up, and fixed feedback as ``b1``, … (n_out, n_hidden)."""
    arrays = {f"w{k}": w for k, w in enumerate(network.weights)}
    if not network.feedback.follows_weights:
        arrays |= {f"b{k}": b for k, b in enumerate(network.feedback_weights, 1)}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load_weights(path: str | os.PathLike[str]) -> list[Array]:
    """Read the arrays ``w0``, ``w1``, … of a ``weights.npz``. Raises ParameterError for a file that has none."""
    name = os.fspath(path)
    if not Path(name).is_file():
        raise ParameterError(f"{name}: must be an .npz file of weights, does not exist")
    try:
        with np.load(name, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # numpy and zipfile raise a dozen types for broken files
        raise ParameterError(f"{name}: must be an .npz file of weights, cannot be read ({error})") from None
    weights: list[Array] = []
    while f"w{len(weights)}" in arrays:
        weights.append(arrays[f"w{len(weights)}"])
    if not weights:
        raise ParameterError(f"{name}: must hold w0, w1, … from the input up, holds {', '.join(arrays) or 'nothing'}")
    return weights

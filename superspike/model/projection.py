"""A projection: which layers its synapses join, and what is its own: delay, mask, bounds, signs, plastic or frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .parameters import Param, ParameterError, without_dimensions

Array = NDArray[Any]

NAME = re.compile(r"([wv])(\d+)(?:_(\d+))?")
LAYER = Param("", "", ge=0)
OWN = {  # what can be said about a projection in one number or word
    "delay": Param("ms", "axonal delay, a whole number of steps", ge=0),
    "plastic": Param("", "whether it learns"),
    "w_min": Param("mV", "lower bound of the weights"),
    "w_max": Param("mV", "upper bound"),
    "signs": Param("", "the fraction of its presynaptic neurons that are excitatory, the others being inhibitory", ge=0, le=1),
    "mask": Param("", "the probability that two neurons are joined", gt=0, le=1),
}


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from the spikes of layer ``pre`` onto the neurons of layer ``post``; layers count from the input, 0.

    Parameters
    ----------
    delay : ms from a spike until it acts, a whole number of steps; by default the scheme's
    plastic : whether its weights change
    w_min, w_max : bounds of the weights (mV); by default ∓ the rule's ``w_max``
    signs : of each presynaptic neuron's weights, held through learning (Dale's law): an array of +1, −1 and 0 (of either
        sign), or the fraction of excitatory neurons. The network's seed draws which; they are the same ones in every
        projection of a layer, as far as fractions are alike
    mask : where there is a synapse: a boolean (n_pre, n_post) array, or the probability of one, drawn with the network's seed
    """

    pre: int
    post: int
    delay: float | None = None
    plastic: bool = True
    w_min: float | None = None
    w_max: float | None = None
    signs: Any = None
    mask: Any = None

    def __post_init__(self) -> None:
        """Keep plain numbers, and arrays that nobody changes."""
        ends = {end: LAYER.check(f"Projection.{end}", getattr(self, end), int) for end in ("pre", "post")}
        self.__dict__.update(ends)
        for field, param in OWN.items():
            value, address = without_dimensions(getattr(self, field)), f"Projection {self.name}.{field}"
            if field in ("signs", "mask") and hasattr(value, "__len__"):
                self.__dict__[field] = own_array(address, field, value)
            elif value is not None:
                self.__dict__[field] = param.check(address, value, bool if field == "plastic" else float)

    def __eq__(self, other: object) -> bool:
        """Whether all is the same."""
        return isinstance(other, Projection) and all(
            np.array_equal(x, y) for x, y in zip(self.__dict__.values(), other.__dict__.values(), strict=True)
        )

    def __hash__(self) -> int:
        """Of its layers."""
        return hash(self.pair)

    @classmethod
    def named(cls, name: str, **own: Any) -> Self:
        """The projection whose weights are called so: ``w1``, ``v1``, ``w0_2``."""
        match = NAME.fullmatch(name)
        if match:
            pre = int(match[2])
            found = cls(pre, int(match[3]) if match[3] else pre + (match[1] == "w"), **own)
        if not match or found.name != name:
            raise ParameterError(f"Projection: must be named like w0, v1 or w0_2, got {name!r}")
        return found

    @property
    def pair(self) -> tuple[int, int]:
        """The layers that it joins."""
        return self.pre, self.post

    @property
    def name(self) -> str:
        """Of its weights: ``w0``, ``w1``, … onto the next layer, ``v1``, … onto the layer itself, ``w0_2``, … past others."""
        if self.pre == self.post:
            return f"v{self.pre}"
        return f"w{self.pre}" if self.post == self.pre + 1 else f"w{self.pre}_{self.post}"

    @property
    def arrays(self) -> dict[str, Array]:
        """The signs and the mask that were given as arrays."""
        return {field: value for field in ("signs", "mask") if isinstance(value := getattr(self, field), np.ndarray)}

    def drawn_mask(self, n_pre: int, n_post: int, seed: int) -> Array | None:
        """Where there are synapses, the drawn ones by a generator of the projection's own; None for everywhere."""
        if self.mask is None:
            return None
        if isinstance(self.mask, float):
            drawn: Array = generator(seed, 2, self.pre, self.post).random((n_pre, n_post)) < self.mask
            return drawn
        return self.fitting("mask", (n_pre, n_post), "(n_pre, n_post)")

    def drawn_signs(self, n_pre: int, seed: int) -> Array | None:
        """The sign of each presynaptic neuron, the drawn ones by a generator of the layer's own; None for free weights."""
        if self.signs is None:
            return None
        if isinstance(self.signs, float):
            ranks = generator(seed, 3, self.pre).permutation(n_pre)
            return np.where(ranks < round(self.signs * n_pre), 1, -1).astype(np.int8)
        return self.fitting("signs", (n_pre,), "(n_pre,)")

    def fitting(self, field: str, shape: tuple[int, ...], words: str) -> Array:
        """A given array, if it has the shape."""
        array: Array = getattr(self, field)
        if array.shape != shape:
            raise ParameterError(f"Projection {self.name}.{field}: must have the shape {words} = {shape}, got {array.shape}")
        return array

    def bounds(self, n_pre: int, signs: Array | None, w_max: float) -> tuple[Array, Array]:
        """Lower and upper bounds of each presynaptic neuron's weights (mV); ``w_max`` is the rule's."""
        low = np.full(n_pre, -w_max if self.w_min is None else self.w_min)
        high = np.full(n_pre, w_max if self.w_max is None else self.w_max)
        if signs is not None:
            low[signs > 0], high[signs < 0] = np.maximum(low[signs > 0], 0), np.minimum(high[signs < 0], 0)
        if np.any(low >= high):
            j = int(np.argmax(low >= high))
            signed = "" if signs is None else f" for presynaptic neuron {j}, of sign {signs[j]:+d}"
            raise ParameterError(
                f"Projection {self.name}: must have w_min < w_max{signed}, got {low[j]:g} and {high[j]:g} mV; by default "
                f"they are ∓Rule.w_max"
            )
        return low, high


def own_array(address: str, field: str, value: Any) -> Array:
    """A read-only copy of signs (int8) or of a mask."""
    try:
        array: Array = np.array(value, order="C")
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if field == "signs":
        if array.ndim != 1 or array.dtype.kind not in "iuf" or not np.isin(array, (-1, 0, 1)).all():
            raise ParameterError(f"{address}: must be +1, −1 or 0 for each presynaptic neuron, or a fraction, got {value!r}")
        array = array.astype(np.int8)
    elif array.ndim != 2 or array.dtype.kind != "b":
        raise ParameterError(
            f"{address}: must be a boolean (n_pre, n_post) array, or a probability, got {array.dtype} {array.shape}"
        )
    array.setflags(write=False)
    return array


def generator(seed: int, *key: int) -> np.random.Generator:
    """One of its own for each purpose; the network's own two have the keys 0 and 1."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

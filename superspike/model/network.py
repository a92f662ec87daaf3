"""The network: layers, projections, weights and the parameters that they share."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .feedback import FEEDBACKS, checked_matrices
from .files import read_arrays
from .loss import LOSSES
from .neuron import NEURONS, Readout
from .optimizer import OPTIMIZERS
from .parameters import Param, ParameterError, check_fits, check_plain, check_seed, reading_file
from .projection import Projection
from .readout import Rates, of_trials
from .rule import Rule
from .scheme import Scheme, check_scheme, whole_steps
from .surrogate import SURROGATES

Array = NDArray[Any]

W0 = 20.0  # mV, the default spread of the initial weights; the demo of ZG18's release takes 50 mV


BYTES = 20  # per synapse, in single precision: its weight, traces, the block's sum, what the optimiser remembers
WEIGHTS = re.compile(r"(w\d+(_\d+)?|v\d+)(_mask|_signs)?")  # what projections, and arrays of theirs, may be named


class Layer(NamedTuple):
    """So many neurons of a kind: ``neuron`` and ``surrogate`` are instances or names, None where they are the network's.

    The synapses onto a layer that is not ``plastic`` keep their weights. Of the input layer only the number counts.
    """

    n: int
    neuron: Any = None
    surrogate: Any = None
    plastic: bool = True


class Network:
    """Layers of leaky integrate-and-fire neurons joined by projections: a chain, and what is added to it.

    Parameters
    ----------
    sizes : neurons per layer from the input up, e.g. ``[200, 256, 100]``; two entries mean no hidden layer. A :class:`Layer`
        in place of a number has neurons and a surrogate of its own, or keeps its weights
    feedback : how errors reach hidden layers: a name (symmetric, random, uniform, sign, none) or an instance
    surrogate : f(U) = σ'(U): a name (fast_sigmoid, …) or an instance such as ``FastSigmoid(beta=2.0)``
    optimizer : a name (rmaxprop, rmsprop, adam, sgd) or an instance such as ``RMaxProp(learning_rate=0.5)``
    loss : which errors the outputs get: a name (van_rossum, windowed; squared_error of a readout; max_over_time, … of trials)
        or an instance such as ``Windowed(window=25.0)``
    neuron : a name (by default lif) or an instance such as ``LIF(tau_mem=20.0)``
    rule, scheme : the parameters of plasticity and time stepping
    rates : bounds of the hidden neurons' spike counts in trials, and what missing them costs
    w0 : initial weights are drawn from N(0, (w0/√n)²), in mV, and clipped to their bounds; n is the number of synapses that a
        postsynaptic neuron has in the projection: n_pre, or with a mask their mean number. Signs replace those drawn
    weights : initial weights instead, one (n_pre, n_post) array in mV per projection: a list in the order of ``projections``,
        or a mapping of their names such as :func:`load_weights` returns. Masks and signs in it are the projections'
    recurrent : whether hidden layers have a projection onto themselves (a neuron's own synapse included): all of them, or
        a truth value for each
    skip : pairs of layers (pre, post), the input being layer 0, that are joined past the layers between them
    projections : list of :class:`Projection` that have something of their own (delay, mask, bounds, signs, frozen), in the
        place of the chain's, or beside them: recurrent ones and skips
    seed : of the random numbers for weights and feedback

    Attributes
    ----------
    sizes, layers : list of the layers' sizes, and of the :class:`Layer` with its neuron and surrogate that each is
    projections : list of :class:`Projection`: the chain's from the input up, then recurrent ones, then skips
    delays, masks, signs, bounds : of each projection: ms; boolean array or None; signs of the presynaptic neurons or None; lower
        and upper bounds of the presynaptic neurons' weights (mV)
    weights : list of (n_pre, n_post) arrays in mV, one per projection; training changes them
    feedback_weights : list of (n_out, n_hidden) arrays, one per hidden layer

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule, before anything is computed.
    """

    def __init__(
        self,
        sizes: Sequence[int | Layer],
        *,
        feedback: Any = "symmetric",
        surrogate: Any = "fast_sigmoid",
        optimizer: Any = "rmaxprop",
        loss: Any = "van_rossum",
        neuron: Any = None,
        rule: Rule | None = None,
        scheme: Scheme | None = None,
        rates: Rates | None = None,
        w0: float = W0,
        weights: Sequence[ArrayLike] | Mapping[str, ArrayLike] | None = None,
        recurrent: bool | Sequence[bool] = False,
        skip: Sequence[tuple[int, int]] = (),
        projections: Sequence[Projection] = (),
        seed: int = 1,
    ) -> None:
        try:
            given_layers = [layer if isinstance(layer, Layer) else Layer(layer) for layer in sizes]
            self.sizes = [Param("", "", ge=1).check("", layer.n, int) for layer in given_layers]
        except (TypeError, ParameterError):
            self.sizes = []
        if len(self.sizes) < 2:
            raise ParameterError(f"Network.sizes: must be two or more whole numbers >= 1, input first, got {sizes!r}")
        self.recurrent, self.skip = self._loops(recurrent), self._skips(skip)
        own = self._given(projections)
        self.recurrent = [loop or (layer, layer) in own for layer, loop in enumerate(self.recurrent, 1)]
        self.skip += [(pre, post) for pre, post in own if post > pre + 1 and (pre, post) not in self.skip]
        self.pairs = [(layer, layer + 1) for layer in range(len(self.sizes) - 1)]
        self.pairs += [(layer, layer) for layer, loop in enumerate(self.recurrent, 1) if loop] + self.skip
        self.projections = [own.get(pair, Projection(*pair)) for pair in self.pairs]
        synapses = sum(self.sizes[pre] * self.sizes[post] for pre, post in self.pairs)
        check_fits("Network.sizes", BYTES * synapses, "ask for fewer neurons")
        for name, given, cls in (("rule", rule, Rule), ("scheme", scheme, Scheme), ("rates", rates, Rates)):
            if not isinstance(given, (cls, type(None))):
                raise ParameterError(f"Network.{name}: must be an instance of {cls.__name__}, got {given!r}")
        self.rule, self.scheme, self.rates = rule or Rule(), scheme or Scheme(), rates or Rates()
        for bound in ("upper", "lower", "mean"):
            if getattr(self.rates, bound) and not getattr(self.rates, f"{bound}_strength"):
                raise ParameterError(
                    f"Rates.{bound}_strength: must be > 0 where there is a bound ({bound} {getattr(self.rates, bound):g}), got 0"
                )
        self.neuron, self.surrogate = NEURONS.make("lif" if neuron is None else neuron), SURROGATES.make(surrogate)
        self.feedback = FEEDBACKS.make(feedback)
        self.optimizer, self.loss = OPTIMIZERS.make(optimizer), LOSSES.make(loss)
        if not of_trials(self.loss) and not self.loss.filtered and self.scheme.delay < self.scheme.dt:
            raise ParameterError(
                f"Scheme.delay: must be a step ({self.scheme.dt:g} ms) or more where {type(self.loss).__name__} gives errors "
                f"that are not filtered, got {self.scheme.delay:g}"
            )
        self.layers = [self._made(n, layer) for n, layer in zip(self.sizes, given_layers, strict=True)]
        self._check_readout()
        for layer in self.layers[1:]:
            check_scheme(self.scheme, layer.neuron, self.rule)
        self.w0, self.seed = Param("mV", "", ge=0).check("Network.w0", w0), check_seed("Network.seed", seed)
        self.dtype: type = np.float32 if self.scheme.precision == "single" else np.float64
        self.feedback_rng = np.random.default_rng(self.seed).spawn(2)[1]
        if isinstance(weights, Mapping):
            weights = self._take_arrays(weights)
        self._settle()
        start = self.drawn_weights() if weights is None else self.checked(weights)
        self.weights: list[Array] = [np.ascontiguousarray(w, self.dtype) for w in start]
        self.feedback_weights: list[Array] = self._draw_feedback()

    def __repr__(self) -> str:
        more = "".join(f" + {projection.name}" for projection in self.projections[len(self.sizes) - 1 :])
        return f"<Network {'-'.join(map(str, self.sizes))}{more}, {FEEDBACKS.name_of(self.feedback)} feedback>"

    def _made(self, n: int, layer: Layer) -> Layer:
        """A layer with what it takes from the network."""
        neuron = self.neuron if layer.neuron is None else NEURONS.make(layer.neuron)
        surrogate = self.surrogate if layer.surrogate is None else SURROGATES.make(layer.surrogate)
        return Layer(n, neuron, surrogate, Param("", "").check("Layer.plastic", layer.plastic, bool))

    @property
    def readout(self) -> Readout | None:
        """The readout that the last layer is, if it is one."""
        last = self.layers[-1].neuron
        return last if isinstance(last, Readout) else None

    @property
    def cost_unit(self) -> str:
        """Hz, as if the filtered errors were those of sparse spikes; or none, the mean square of errors that are not filtered."""
        return "" if of_trials(self.loss) or not self.loss.filtered else "Hz"

    def _check_readout(self) -> None:
        """Raise ParameterError unless a readout is the last layer, and its loss reads potentials."""
        for k, layer in enumerate(self.layers[1:-1], 1):
            if isinstance(layer.neuron, Readout):
                raise ParameterError(f"Network.sizes: must have a readout as the last layer only, got one as layer {k}")
        reads = of_trials(self.loss) or self.loss.reads_potentials
        if reads != (self.readout is not None):
            needed = "potentials, those of a Readout as the last layer" if reads else "spikes"
            last = type(self.layers[-1].neuron).__name__
            raise ParameterError(f"Network.loss: must fit the last layer, {type(self.loss).__name__} reads {needed}, got {last}")

    def _loops(self, recurrent: Any) -> list[bool]:
        """Whether each hidden layer has a recurrent projection."""
        n, truth = len(self.sizes) - 2, (bool, np.bool_)
        try:
            each = [recurrent] * n if isinstance(recurrent, truth) else list(recurrent)
        except TypeError:
            each = [recurrent]
        if len(each) != n or not all(isinstance(x, truth) for x in each) or (recurrent is True and n == 0):
            raise ParameterError(
                f"Network.recurrent: must be True, False or a list of one of them per hidden layer ({n}), got {recurrent!r}"
            )
        return [bool(x) for x in each]

    def _skips(self, skip: Any) -> list[tuple[int, int]]:
        """The pairs of layers that skip projections join."""
        whole, last = Param("", "", ge=0, le=len(self.sizes) - 1), len(self.sizes) - 1
        try:
            pairs = [(whole.check("", pre, int), whole.check("", post, int)) for pre, post in skip]
        except (TypeError, ValueError):
            pairs = [(0, 0)]
        if len(set(pairs)) != len(pairs) or any(post - pre < 2 for pre, post in pairs):
            raise ParameterError(
                f"Network.skip: must be different pairs of layers (pre, post) from 0, the input, to {last}, the output, with "
                f"layers between them, got {skip!r}"
            )
        return pairs

    def _given(self, projections: Sequence[Projection]) -> dict[tuple[int, int], Projection]:
        """The given projections by the layers that they join, if the network can have them."""
        try:
            found = {given.pair: given for given in projections}
            number = len(projections)
        except (TypeError, AttributeError):
            found, number = {}, -1
        if not all(isinstance(given, Projection) for given in found.values()):
            number = -1
        last = len(self.sizes) - 1
        for pre, post in found:
            if post > last or pre > post or (pre == post and pre in (0, last)):
                raise ParameterError(
                    f"Network.projections: must lead up from 0, the input, to {last}, the output, or from a hidden layer onto "
                    f"itself, got ({pre}, {post})"
                )
        if number != len(found):
            raise ParameterError(f"Network.projections: must be Projections of different pairs of layers, got {projections!r}")
        return found

    def _take_arrays(self, weights: Mapping[str, ArrayLike]) -> dict[str, ArrayLike]:
        """Give projections the masks and signs that stand among weights; return the weights."""
        rest = dict(weights)
        for k, projection in enumerate(self.projections):
            arrays: dict[str, Any] = {}
            for field in ("signs", "mask"):
                if (name := f"{projection.name}_{field}") in rest:
                    arrays[field], own = rest.pop(name), projection.arrays.get(field)
                    if own is not None and not np.array_equal(own, arrays[field]):
                        raise ParameterError(f"Network.weights: {name} must be the projection's own {field}, got another")
            self.projections[k] = replace(projection, **arrays)
        return rest

    def _settle(self) -> None:
        """Draw and check what is the projections' own."""
        self.delays = [self.scheme.delay if own.delay is None else own.delay for own in self.projections]
        self.masks: list[Array | None] = []
        self.signs: list[Array | None] = []
        self.bounds: list[tuple[Array, Array]] = []
        for own, delay in zip(self.projections, self.delays, strict=True):
            n_pre, n_post = self.sizes[own.pre], self.sizes[own.post]
            whole_steps(f"Projection {own.name}.delay", delay, self.scheme.dt)
            self.masks.append(own.drawn_mask(n_pre, n_post, self.seed))
            self.signs.append(own.drawn_signs(n_pre, self.seed))
            self.bounds.append(own.bounds(n_pre, self.signs[-1], self.rule.w_max))

    def drawn_weights(self) -> list[Array]:
        """The weights that the seed draws: those of a network that is given none, before any training."""
        rng, found = np.random.default_rng(self.seed).spawn(1)[0], list[Array]()
        for (pre, post), mask, signs, (low, high) in zip(self.pairs, self.masks, self.signs, self.bounds, strict=True):
            n = self.sizes[pre] if mask is None else max(1.0, mask.sum() / self.sizes[post])
            w = rng.normal(0.0, self.w0 / np.sqrt(n), (self.sizes[pre], self.sizes[post]))
            if signs is not None:
                w = np.where(signs[:, None], np.abs(w) * signs[:, None], w)
            w = np.clip(w, low[:, None], high[:, None])
            found.append((w if mask is None else np.where(mask, w, 0)).astype(self.dtype))
        return found

    def is_drawn(self) -> bool:
        """Whether the seed draws all that numbers do not say: weights, masks and signs."""
        same = zip(self.drawn_weights(), self.weights, strict=True)
        return not any(own.arrays for own in self.projections) and all(np.array_equal(drawn, w) for drawn, w in same)

    def checked(self, weights: Sequence[ArrayLike] | Mapping[str, ArrayLike]) -> list[Array]:
        """``weights`` as arrays in the order of ``projections``, if they fit the network. Raises ParameterError."""
        names = [projection.name for projection in self.projections]
        rule = f"Network.weights: must be {len(names)} arrays ({', '.join(names)})"
        if isinstance(weights, Mapping):
            if set(weights) != set(names):
                raise ParameterError(f"{rule}, got {len(weights)} ({', '.join(map(str, weights))})")
            weights = [weights[name] for name in names]
        check_plain("Network.weights: must be numbers (mV)", weights)
        try:
            arrays = [np.asarray(w) for w in weights]
        except (TypeError, ValueError) as error:
            raise ParameterError(f"{rule}, got {type(weights).__name__} ({error})") from None
        if len(arrays) != len(names):
            raise ParameterError(f"{rule}, got {len(arrays)}")
        for k, (name, w) in enumerate(zip(names, arrays, strict=True)):
            shape = tuple(self.sizes[layer] for layer in self.pairs[k])
            if w.shape != shape:
                raise ParameterError(f"Network.weights: {name} must have the shape (n_pre, n_post) = {shape}, got {w.shape}")
            if w.dtype.kind not in "iuf" or not np.all(np.isfinite(w)):
                raise ParameterError(f"Network.weights: {name} must hold finite numbers (mV), got NaN, infinity or no numbers")
            self._check_limits(k, name, w.astype(float))  # as floats: -128 has no abs among 8-bit integers
        return arrays

    def _check_limits(self, k: int, name: str, w: Array) -> None:
        """Raise ParameterError for weights of projection k beyond its bounds, of the wrong sign or where it has no synapse."""
        (low, high), mask = self.bounds[k], self.masks[k]
        if mask is not None and np.any(w[~mask]):
            j, i = np.argwhere((w != 0) & ~mask)[0]
            raise ParameterError(
                f"Network.weights: {name} must be 0 where its mask is false, got {w[j, i]:g} mV from neuron {j} onto neuron {i}"
            )
        beyond = (w < (low - 1e-6 * np.abs(low))[:, None]) | (w > (high + 1e-6 * np.abs(high))[:, None])
        beyond &= True if mask is None else mask
        if not beyond.any():
            return
        j, i = np.argwhere(beyond)[0]
        if -low[j] == high[j] == self.rule.w_max:
            raise ParameterError(
                f"Network.weights: {name} must lie within ±Rule.w_max ({self.rule.w_max:g} mV), got {np.abs(w).max():g} mV; "
                "raise w_max"
            )
        raise ParameterError(
            f"Network.weights: {name} must lie between {low[j]:g} and {high[j]:g} mV, by bounds and sign of presynaptic neuron "
            f"{j}, got {w[j, i]:g} mV"
        )

    @property
    def plastic(self) -> list[bool]:
        """Which projections learn: those that are plastic and end in a layer that is."""
        return [own.plastic and self.layers[own.post].plastic for own in self.projections]

    def refresh_feedback(self) -> None:
        """Renew the feedback matrices after the weights have changed."""
        if self.feedback.follows_weights:
            self.feedback_weights = self._draw_feedback()

    def _draw_feedback(self) -> list[Array]:
        weights = dict(zip(self.pairs, self.weights, strict=True))
        given = self.feedback.matrices(self.sizes, weights, self.feedback_rng)
        return checked_matrices(type(self.feedback).__name__, given, self.sizes)

    def named(self, weights: Sequence[Array]) -> dict[str, Array]:
        """Weights in the order of ``projections``, by their names."""
        return {projection.name: w for projection, w in zip(self.projections, weights, strict=True)}

    def with_arrays(self, weights: Sequence[Array]) -> dict[str, Array]:
        """The same with masks and signs, as weights files hold them."""
        found = self.named(weights)
        for field, arrays in (("mask", self.masks), ("signs", self.signs)):
            found |= {f"{own.name}_{field}": x for own, x in zip(self.projections, arrays, strict=True) if x is not None}
        return found


def save_weights(path: str | os.PathLike[str], network: Network) -> None:
    """Write the weights by the names of the projections (n_pre, n_post; mV), and fixed feedback as ``b1``, … (n_out, n_hidden).

    ``w0``, ``w1``, … from the input up, ``v1``, ``v2``, … of recurrent hidden layers, ``w0_2`` of a skip from layer 0 to 2;
    ``w0_mask`` (n_pre, n_post) and ``w0_signs`` (n_pre,) where a projection has them.
    """
    arrays = network.with_arrays(network.weights)
    if not network.feedback.follows_weights:
        arrays |= {f"b{k}": b for k, b in enumerate(network.feedback_weights, 1)}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load_weights(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read weights, masks and signs of a ``weights.npz`` by their names. Raises ParameterError for a file without w0.

    ``Network`` takes them as its ``weights``.
    """
    name = os.fspath(path)
    with reading_file(name, "an .npz file of weights") as where:
        if not where.is_file():
            raise ParameterError("must be an .npz file of weights, does not exist")
        arrays = read_arrays(where)
    weights = {name: w for name, w in arrays.items() if WEIGHTS.fullmatch(name)}
    if "w0" not in weights:
        raise ParameterError(f"{name}: must hold w0, w1, … from the input up, holds {', '.join(arrays) or 'nothing'}")
    return weights

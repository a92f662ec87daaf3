"""The third factor e_i for other people's simulation loops: of outputs with target spikes, and of the layers below them.

Both objects are the filter of :mod:`superspike.model.error`, with the order of a step and the axonal delay of
:mod:`superspike.model.scheme`. (The schemes are in
``superspike.model.feedback``; :class:`Feedback` puts one to use.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine.clock import FLUSH
from ..engine.jit import bound, compiled, inlined, kernel
from ..model import error, rule
from ..model.feedback import FEEDBACKS, checked_matrices
from ..model.filters import Filter
from ..model.parameters import ParameterError, cast, check_memory, check_plain, check_seed
from ..model.scheme import error_filter, keywords, whole_steps
from .plasticity import (
    RULE,
    SCHEME,
    Stateful,
    are_finite,
    are_ids,
    check_finite,
    check_ids,
    count,
    shared_keywords,
    take_ids,
    wrong_numbers,
)

Array = NDArray[Any]

error_step, flush = inlined(error.error_step), inlined(rule.flush)


class OutputErrors(NamedTuple):
    """The error filter of n outputs."""

    step: Array  # (1,): steps so far
    waiting: Array  # (D + 1, n): the impulses of step t in row t mod (D + 1)
    impulses: Array  # (n,): those that entered e1 in the last step
    e1: Array  # (n,): first and
    e2: Array  # second stage
    e: Array  # (n,): the third factor


class HiddenErrors(NamedTuple):
    """The error filter of n hidden neurons, and their feedback."""

    step: Array  # (1,): steps so far
    impulses: Array  # (n_out,): the outputs' impulses of the last step, which enter in the next
    e1: Array  # (n,): first and
    e2: Array  # second stage
    e: Array  # (n,): the third factor
    matrix: Array  # (n_out, n)


@compiled
def filter_step(x: Any, filter: Filter) -> None:
    """One step of the filter, before its impulses."""
    error_step(x.e1, x.e2, filter)
    x.step[0] += 1
    if x.step[0] % FLUSH == 0:
        flush(x.e1)
        flush(x.e2)
    for i in range(x.e.shape[0]):
        x.e[i] = x.e2[i]


@kernel
def output_step(
    x: OutputErrors, filter: Filter, size: float, own: Array, wanted: Array, seen: Array, n_own: int, n_wanted: int
) -> bool:
    """One step of the outputs' error; false, and nothing is changed, if ids are wrong."""
    n, ring = x.e1.shape[0], x.waiting.shape[0]
    if not (are_ids(own, n_own, n, seen) and are_ids(wanted, n_wanted, n, seen)):
        return False
    today, arriving = x.waiting[x.step[0] % ring], x.waiting[(x.step[0] + 1) % ring]
    today[:] = 0
    for s in range(n_own):
        today[own[s]] -= 1
    for s in range(n_wanted):
        today[wanted[s]] += 1
    filter_step(x, filter)
    for i in range(n):
        x.impulses[i] = arriving[i]
        x.e1[i] += size * arriving[i]
    return True


@kernel
def hidden_step(x: HiddenErrors, filter: Filter, size: float, given: Array) -> bool:
    """One step of a hidden layer's error: yesterday's impulses of the outputs enter through the feedback matrix.

    False, and nothing is changed, if today's, ``given``, are not finite.
    """
    if not are_finite(given, given.dtype.type):
        return False
    filter_step(x, filter)
    for k in range(x.matrix.shape[0]):
        if x.impulses[k] != 0:
            for i in range(x.e1.shape[0]):
                x.e1[i] += size * x.impulses[k] * x.matrix[k, i]
        x.impulses[k] = given[k]
    return True


class VanRossumError(Stateful):
    """The outputs' error e_i = α ∗ (Ŝ_i − S_i): the gradient of the van Rossum distance (ZG18 Eq. 2.1).

    Parameters
    ----------
    n : number of outputs
    dt_ms, delay_ms, tau_rise_ms, tau_decay_ms, integration, precision : as of the :class:`SuperSpike` that it drives

    Attributes
    ----------
    impulses : (n,), the errors (+1: a target's spike, −1: an own one) that entered the filter in the last step, ``delay_ms``
        after the spikes; what :meth:`Feedback.step` asks for

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule.
    """

    def __init__(
        self,
        n: int,
        *,
        dt_ms: float = SCHEME.dt,
        delay_ms: float = SCHEME.delay,
        tau_rise_ms: float = RULE.tau_rise,
        tau_decay_ms: float = RULE.tau_decay,
        integration: str = SCHEME.integration,
        precision: str = SCHEME.precision,
    ) -> None:
        self.n = count("VanRossumError.n", n)
        scheme, rule = keywords(
            "VanRossumError", dt_ms=dt_ms, delay_ms=delay_ms, tau_rise_ms=tau_rise_ms, tau_decay_ms=tau_decay_ms,
            integration=integration, precision=precision,
        )  # fmt: skip
        dtype: Any = np.float32 if precision == "single" else np.float64
        delay = whole_steps("VanRossumError.delay_ms", scheme.delay, scheme.dt)
        check_memory("VanRossumError.delay_ms", f"{scheme.delay:g} ms", 8 * delay * self.n)
        filter, size = error_filter(rule, scheme)
        self._made_with = {"n": self.n, **shared_keywords(scheme, rule), "delay_ms": scheme.delay}
        self._state = OutputErrors(np.zeros(1, np.int64), np.zeros((delay + 1, self.n), dtype), *np.zeros((4, self.n), dtype))
        self.impulses = self._state.impulses
        self._own, self._wanted = np.zeros((2, self.n), np.int64)
        self._fixed = self._state, cast(filter, dtype), dtype(size), self._own, self._wanted, np.zeros(self.n, np.bool_)
        self._step = bound(output_step, *self._fixed, 0, 0)

    def _bounds(self, state: dict[str, Array]) -> dict[str, Any]:
        return {"step": 2**62}

    def step(self, output_spikes: Sequence[int] | Array, target_spikes: Sequence[int] | Array) -> Array:
        """Take one time step; return e_i (n,) in it, the array that the next step overwrites.

        Parameters
        ----------
        output_spikes, target_spikes : ids of the outputs that spike in this step, and of those that should; each at most once,
            as a neuron spikes at most once in a step

        Raises
        ------
        ParameterError for ids out of range or repeated; the error is then as it was.
        """
        n_own = take_ids("VanRossumError.step.output_spikes", output_spikes, self._own)
        n_wanted = take_ids("VanRossumError.step.target_spikes", target_spikes, self._wanted)
        if not self._step(*self._fixed, n_own, n_wanted):
            check_ids("VanRossumError.step.output_spikes", self._own[:n_own], self.n)
            check_ids("VanRossumError.step.target_spikes", self._wanted[:n_wanted], self.n)
        return self._state.e  # type: ignore[no-any-return]


class Feedback(Stateful):
    """A hidden layer's error e_i = Σ_k b_ki e_k, from the impulses of the outputs' errors, one step later (ZG18 §3.3).

    (For an output error of your own that is no spike train, ``e @ feedback.matrix`` is the hidden layer's.)

    Parameters
    ----------
    scheme : symmetric, random, uniform or none, or an instance such as ``ss.Symmetric()``
    weights : the weights above the layer (n_hidden, n_out), mV; a list, from the layer up, if there are more layers between
    seed : of random feedback
    dt_ms, tau_rise_ms, tau_decay_ms, integration, precision : as of the :class:`VanRossumError` that it reads

    Attributes
    ----------
    matrix : b (n_out, n_hidden); assign to it, or to its elements, for feedback of your own. What is assigned is copied

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule.
    """

    def __init__(
        self,
        scheme: Any,
        weights: Array | Sequence[Array],
        *,
        seed: int = 1,
        dt_ms: float = SCHEME.dt,
        tau_rise_ms: float = RULE.tau_rise,
        tau_decay_ms: float = RULE.tau_decay,
        integration: str = SCHEME.integration,
        precision: str = SCHEME.precision,
    ) -> None:
        kept, rule = keywords(
            "Feedback", dt_ms=dt_ms, delay_ms=0.0, tau_rise_ms=tau_rise_ms, tau_decay_ms=tau_decay_ms,
            integration=integration, precision=precision,
        )  # fmt: skip
        self._scheme, self._seed = FEEDBACKS.make(scheme), check_seed("Feedback.seed", seed)
        check_plain("Feedback.weights: must be numbers (mV)", weights)
        self._weights = [weights] if isinstance(weights, np.ndarray) else [np.asarray(w) for w in weights]
        shapes = [w.shape for w in self._weights]
        if not shapes or any(len(shape) != 2 or 0 in shape for shape in shapes):
            raise ParameterError(f"Feedback.weights: must be one or more arrays (n_pre, n_post), got shapes {shapes}")
        if any(below[1] != above[0] for below, above in pairwise(shapes)):
            raise ParameterError(f"Feedback.weights: must be arrays (n_pre, n_post) that follow each other, got shapes {shapes}")
        self._made_with = {
            "scheme": self._scheme, "weights": self._weights, "seed": self._seed, **shared_keywords(kept, rule)
        }  # fmt: skip
        dtype: Any = np.float32 if precision == "single" else np.float64
        filter, size = error_filter(rule, kept)
        n_hidden, n_out = shapes[0][0], shapes[-1][1]
        e1, e2, e = np.zeros((3, n_hidden), dtype)
        self._state = HiddenErrors(np.zeros(1, np.int64), np.zeros(n_out, dtype), e1, e2, e, np.zeros((n_out, n_hidden), dtype))
        self._given = np.zeros(n_out, dtype)
        self._fixed = self._state, cast(filter, dtype), dtype(size), self._given
        self._step = bound(hidden_step, *self._fixed)
        self._draw()

    def _bounds(self, state: dict[str, Array]) -> dict[str, Any]:
        return {"step": 2**62}

    @property
    def matrix(self) -> Array:
        """The feedback matrix b (n_out, n_hidden)."""
        return self._state.matrix  # type: ignore[no-any-return]

    @matrix.setter
    def matrix(self, matrix: ArrayLike) -> None:
        self._take("Feedback.matrix", matrix)

    def _take(self, address: str, matrix: Any) -> None:
        """Copy a matrix, once it is found to be one."""
        own = self._state.matrix
        check_plain(f"{address}: must be numbers", matrix)
        try:
            given = np.asarray(matrix)
        except ValueError:  # rows of different lengths
            given = np.asarray(matrix, object)
        if given.shape != own.shape or given.dtype.kind not in "biuf":
            raise ParameterError(
                f"{address}: must be numbers of shape (n_out, n_hidden) = {own.shape}, got {given.dtype} of shape {given.shape}"
            )
        check_finite(address, given, own.dtype)
        own[:] = given

    def _draw(self) -> None:
        name, sizes = type(self._scheme).__name__, [1, *map(len, self._weights), self._weights[-1].shape[1]]
        above = {(layer, layer + 1): w for layer, w in enumerate(self._weights, 1)}
        drawn = self._scheme.matrices(sizes, above, np.random.default_rng(self._seed))
        self._take(f"{name}.matrices", checked_matrices(name, drawn, sizes)[0])

    def refresh(self) -> None:
        """Renew the matrix after the weights have changed in place: symmetric feedback follows them, the others stay."""
        if self._scheme.follows_weights:
            self._draw()

    def step(self, impulses: Sequence[float] | Array) -> Array:
        """Take one time step; return e_i (n_hidden,) in it, the array that the next step overwrites.

        Parameters
        ----------
        impulses : (n_out,), :attr:`VanRossumError.impulses` after its step

        Raises
        ------
        ParameterError for an array of another shape or numbers that are not finite; the error is then as it was.
        """
        if type(impulses) is not np.ndarray:
            check_plain("Feedback.step.impulses: must be numbers", impulses)
        try:
            if len(impulses) != len(self._given):
                raise ValueError
            np.copyto(self._given, impulses)
        except (ValueError, TypeError):
            raise wrong_numbers("Feedback.step.impulses", impulses, len(self._given)) from None
        if not self._step(*self._fixed):
            check_finite("Feedback.step.impulses", self._given, self._given.dtype)
        return self._state.e  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Forget all errors; the matrix stays."""
        for array in self._state[:-1]:
            array[:] = 0

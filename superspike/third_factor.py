"""The third factor e_i for other people's simulation loops: of outputs with target spikes, and of the layers below them.

Both objects are the filter of :mod:`superspike.error`, with the order of a step and the axonal delay of
:mod:`superspike.scheme`. (``superspike.feedback`` is the module of the feedback schemes; :class:`Feedback` puts one to use.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import error
from ._jit import bound, inlined, kernel
from ._parameters import ParameterError, cast
from .feedback import FEEDBACKS
from .filters import Filter
from .plasticity import RULE, SCHEME, Stateful, count, first_outside, take_ids, wrong_id, wrong_numbers
from .scheme import error_filter, keywords, whole_steps

Array = NDArray[Any]

error_step = inlined(error.error_step)


class Errors(NamedTuple):
    """The error filter of n neurons."""

    step: Array  # (1,): steps so far
    waiting: Array  # (D + 1, n): the impulses of step t in row t mod (D + 1)
    impulses: Array  # (n,): those that entered e1 in the last step
    e1: Array  # (n,): first and
    e2: Array  # second stage
    e: Array  # (n,): the third factor


@kernel
def output_step(x: Errors, filter: Filter, size: float, own: Array, wanted: Array, n_own: int, n_wanted: int) -> int:
    """One step of the outputs' error; return 0, or, with nothing changed, the place of a wrong id: own 1, …, wanted −1, …."""
    n, ring = x.e1.shape[0], x.waiting.shape[0]
    outside: int = first_outside(own, n_own, n)
    if outside >= 0:
        return outside + 1
    outside = first_outside(wanted, n_wanted, n)
    if outside >= 0:
        return -1 - outside
    today, arriving = x.waiting[x.step[0] % ring], x.waiting[(x.step[0] + 1) % ring]
    today[:] = 0
    for s in range(n_own):
        today[own[s]] -= 1
    for s in range(n_wanted):
        today[wanted[s]] += 1
    error_step(x.e1, x.e2, filter)
    for i in range(n):
        x.e[i] = x.e2[i]
        x.impulses[i] = arriving[i]
        x.e1[i] += size * arriving[i]
    x.step[0] += 1
    return 0


@kernel
def hidden_step(x: Errors, filter: Filter, size: float, matrix: Array, given: Array) -> None:
    """One step of a hidden layer's error: yesterday's impulses of the outputs enter through the feedback matrix."""
    error_step(x.e1, x.e2, filter)
    for i in range(x.e1.shape[0]):
        x.e[i] = x.e2[i]
    for k in range(matrix.shape[0]):
        if x.impulses[k] != 0:
            for i in range(x.e1.shape[0]):
                x.e1[i] += size * x.impulses[k] * matrix[k, i]
        x.impulses[k] = given[k]


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
        delay = whole_steps("VanRossumError.delay_ms", delay_ms, dt_ms)
        filter, size = error_filter(rule, scheme)
        self._made_with = (self.n, scheme, rule)
        self._constants = cast(filter, dtype), dtype(size)
        self._state = Errors(np.zeros(1, np.int64), np.zeros((delay + 1, self.n), dtype), *np.zeros((4, self.n), dtype))
        self.impulses = self._state.impulses
        self._own, self._wanted = np.zeros((2, max(self.n, 1)), np.int64)
        self._step = bound(output_step, self._state, *self._constants, self._own, self._wanted, 0, 0)

    def step(self, output_spikes: Sequence[int] | Array, target_spikes: Sequence[int] | Array) -> Array:
        """Take one time step; return e_i (n,) in it, the array that the next step overwrites.

        Parameters
        ----------
        output_spikes, target_spikes : ids of the outputs that spike in this step, and of those that should

        Raises
        ------
        ParameterError for ids out of range; the error is then as it was.
        """
        n_own = take_ids("VanRossumError.step.output_spikes", output_spikes, self._own)
        n_wanted = take_ids("VanRossumError.step.target_spikes", target_spikes, self._wanted)
        wrong = self._step(self._state, *self._constants, self._own, self._wanted, n_own, n_wanted)
        if wrong > 0:
            raise wrong_id("VanRossumError.step.output_spikes", self._own, wrong - 1)
        if wrong < 0:
            raise wrong_id("VanRossumError.step.target_spikes", self._wanted, -1 - wrong)
        return self._state.e  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Forget all errors."""
        for array in self._state:
            array[:] = 0


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
    matrix : b (n_out, n_hidden); assign to its elements for feedback of your own

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
        self._scheme, self._seed = FEEDBACKS.make(scheme), seed
        self._weights = [weights] if isinstance(weights, np.ndarray) else [np.asarray(w) for w in weights]
        shapes = [w.shape for w in self._weights]
        if not shapes or any(len(shape) != 2 for shape in shapes):
            raise ParameterError(f"Feedback.weights: must be one or more arrays (n_pre, n_post), got shapes {shapes}")
        if any(below[1] != above[0] for below, above in pairwise(shapes)):
            raise ParameterError(f"Feedback.weights: must be arrays (n_pre, n_post) that follow each other, got shapes {shapes}")
        dtype: Any = np.float32 if precision == "single" else np.float64
        filter, size = error_filter(rule, kept)
        self._made_with = (self._scheme, shapes, seed, kept, rule)
        self._constants = cast(filter, dtype), dtype(size)
        n_hidden, n_out = shapes[0][0], shapes[-1][1]
        self.matrix: Array = np.zeros((n_out, n_hidden), dtype)
        self._state = Errors(
            np.zeros(1, np.int64), np.zeros((0, 0), dtype), np.zeros(n_out, dtype), *np.zeros((3, n_hidden), dtype)
        )
        self._given = np.zeros(n_out, dtype)
        self._step = bound(hidden_step, self._state, *self._constants, self.matrix, self._given)
        self._draw()

    def _draw(self) -> None:
        layer = np.zeros((1, len(self._weights[0])))  # the schemes read the weights below a hidden layer for its size
        self.matrix[:] = self._scheme.matrices([layer, *self._weights], np.random.default_rng(self._seed))[0]

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
        ParameterError for an array of another shape.
        """
        try:
            if len(impulses) != len(self._given):
                raise ValueError
            np.copyto(self._given, impulses)
        except (ValueError, TypeError):
            raise wrong_numbers("Feedback.step.impulses", impulses, len(self._given)) from None
        self._step(self._state, *self._constants, self.matrix, self._given)
        return self._state.e  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Forget all errors."""
        for array in self._state:
            array[:] = 0

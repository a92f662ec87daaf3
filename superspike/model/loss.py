"""The losses: which error impulses an output gets, from its own spikes and its targets'. The filters are error.py's.

A loss is a parameter class. Its ``impulses`` is asked once a step, after the outputs' neurons, and both engines deliver
what it writes D steps later to the outputs, and one step after that to the hidden layers. It writes into lists of its own,
as long as its ``room`` says; whether it keeps to them is checked. Adding a loss is adding a class here.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parameters import Param, ParameterError, Registry, attempt, parameters

Array = NDArray[Any]

CLOSED, WAITING, ANSWERED = 0, 1, 2  # what a window knows of an output: not expected, expected, has spiked


def impulses(
    self: Any, spikes: Array, targets: Array, window: int, memory: Array, minus: Array, plus: Array
) -> tuple[int, int]:  # fmt: skip
    """Write one step's error impulses; return how many are negative and how many positive.

    ``spikes`` and ``targets`` are the ids of the outputs that spike in this step, and that should; the units of negative and
    positive impulses go to the beginning of ``minus`` and ``plus``. ``memory`` is the loss's own from step to step.
    """
    return self.impulses(spikes, targets, window, memory, minus, plus)  # type: ignore[no-any-return]


def needs(loss: Any, method: str, *arguments: int) -> int:
    """How much a loss needs: what its ``memory`` or ``room`` returns, if that is a whole number."""
    n = getattr(loss, method)(*arguments)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ParameterError(f"{type(loss).__name__}.{method}: must return a whole number >= 0, got {n!r}")
    return int(n)


def check_impulses(loss: Any) -> None:
    """Raise the error that says what is wrong with a loss, as far as a first step with one of two outputs tells."""
    room, memory = needs(loss, "room", 2, 1, 1, 1), needs(loss, "memory", 2)
    ids = np.zeros(1, np.int32)
    ids.flags.writeable = False
    minus, plus = np.zeros((2, room), np.int32)
    arguments = {"spikes": ids, "targets": ids, "window": 1, "memory": np.zeros(memory, np.int32), "minus": minus, "plus": plus}
    found = attempt(loss, "impulses", arguments)
    if not isinstance(found, tuple) or [isinstance(n, (int, np.integer)) for n in found] != [True, True]:
        raise ParameterError(
            f"{type(loss).__name__}.impulses: must return how many impulses are negative and how many positive, got {found!r}"
        )


LOSSES = Registry("loss", methods=("follows_spikes", "window_ms", "memory", "room", "impulses"), check=check_impulses)


@LOSSES.register("van_rossum")
@parameters
class VanRossum(NamedTuple):
    """e_i = α ∗ (Ŝ_i − S_i): a target spike is an impulse of +1, an output spike one of −1 (ZG18 Eq. 2.1)."""

    @property
    def follows_spikes(self) -> bool:
        """Whether target and output spikes are the impulses, and nothing else has to be asked."""
        return True

    @property
    def window_ms(self) -> float:
        """None."""
        return 0.0

    def memory(self, outputs: int) -> int:
        """None."""
        return 0

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        """None."""
        return 0

    def impulses(
        self, spikes: Array, targets: Array, window: int, memory: Array, minus: Array, plus: Array
    ) -> tuple[int, int]:  # fmt: skip
        """Nothing to write."""
        return 0, 0


@LOSSES.register("windowed")
@parameters
class Windowed(NamedTuple):
    """Classification errors (ZG18 §4): a wrong spike is an impulse of −1 at once, a missing one +1 at the window's end.

    A target spike of unit k opens a response window, in which k is expected to spike, once or more. Any other output spike
    is wrong, "at any time" in the paper's words; without ``punish_outside``, only in a window.
    """

    window: Annotated[float, Param("ms", "length of the response window that a target spike opens", gt=0)] = 25.0
    punish_outside: Annotated[bool, Param("", "whether an output spike outside all windows is an error, too")] = True

    @property
    def follows_spikes(self) -> bool:
        """Whether target and output spikes are the impulses: no, ``impulses`` is asked in every step."""
        return False

    @property
    def window_ms(self) -> float:
        """The window's length (ms)."""
        return self.window

    def memory(self, outputs: int) -> int:
        """How many numbers it remembers, 0 at first: the window's steps that are left, and what it knows of each output."""
        return 1 + outputs

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        """The most impulses of one sign in any so many ``steps`` with so many ``spikes`` and ``targets`` of all ``outputs``."""
        return max(spikes, targets + outputs)

    def impulses(
        self, spikes: Array, targets: Array, window: int, answers: Array, minus: Array, plus: Array
    ) -> tuple[int, int]:  # fmt: skip
        """``answers[0]`` counts the window's steps down; ``answers[1:]`` is what it knows of each output."""
        n_minus, n_plus = 0, 0
        for k in targets:
            answers[0] = window
            answers[1 + k] = WAITING
        if answers[0] > 0 or self.punish_outside:
            for k in spikes:
                if answers[1 + k] == CLOSED:
                    minus[n_minus] = k
                    n_minus += 1
                else:
                    answers[1 + k] = ANSWERED
        if answers[0] > 0:
            answers[0] -= 1
            if answers[0] == 0:
                for k in range(len(answers) - 1):
                    if answers[1 + k] == WAITING:
                        plus[n_plus] = k
                        n_plus += 1
                    answers[1 + k] = CLOSED
        return n_minus, n_plus

"""The losses: which error impulses an output gets, from its own spikes and its targets'. The filters are error.py's.

A loss is a parameter class. Its ``impulses`` is called once a step, after the outputs' neurons, and both engines deliver
what it writes D steps later to the outputs, and one step after that to the hidden layers.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from numpy.typing import NDArray

from ._parameters import Param, Registry, parameters

Array = NDArray[Any]

LOSSES = Registry("loss", methods=("extra_rows", "window_ms", "impulses"))

CLOSED, WAITING, ANSWERED = 0, 1, 2  # what a window knows of an output: not expected, expected, has spiked


def impulses(self: Any, ptr: Array, ids: Array, row: int, u: int, window: int, answers: Array) -> None:
    """Write the outputs' error impulses of local step ``u`` into the log; its rows ``row`` and the next are output and target."""
    self.impulses(ptr, ids, row, u, window, answers)


@LOSSES.register("van_rossum")
@parameters
class VanRossum(NamedTuple):
    """e_i = α ∗ (Ŝ_i − S_i): a target spike is an impulse of +1, an output spike one of −1 (ZG18 Eq. 2.1)."""

    @property
    def extra_rows(self) -> int:
        """None: the log's rows of target and output spikes are the impulses."""
        return 0

    @property
    def window_ms(self) -> float:
        """None."""
        return 0.0

    def impulses(self, ptr: Array, ids: Array, row: int, u: int, window: int, answers: Array) -> None:
        """Nothing to write."""


@LOSSES.register("windowed")
@parameters
class Windowed(NamedTuple):
    """Classification errors (ZG18 §4): a wrong spike is an impulse of −1 at once, a missing one +1 at the window's end.

    A target spike of unit k opens a response window, in which k is expected to spike, once or more, and the outputs that
    are not expected are wrong if they do. Spikes outside the windows are neither.
    """

    window: Annotated[float, Param("ms", "length of the response window that a target spike opens", gt=0)] = 25.0

    @property
    def extra_rows(self) -> int:
        """Two rows of the log, after the targets': negative and positive impulses."""
        return 2

    @property
    def window_ms(self) -> float:
        """The window's length (ms)."""
        return self.window

    def impulses(self, ptr: Array, ids: Array, row: int, u: int, window: int, answers: Array) -> None:
        """``answers[0]`` counts the window's steps down; ``answers[1:]`` is what it knows of each output."""
        minus, plus = ptr[row + 2, u], ptr[row + 3, u]
        for s in range(ptr[row + 1, u], ptr[row + 1, u + 1]):
            answers[0] = window
            answers[1 + ids[s]] = WAITING
        if answers[0] > 0:
            for s in range(ptr[row, u], ptr[row, u + 1]):
                if answers[1 + ids[s]] == CLOSED:
                    ids[minus] = ids[s]
                    minus += 1
                else:
                    answers[1 + ids[s]] = ANSWERED
            answers[0] -= 1
            if answers[0] == 0:
                for k in range(len(answers) - 1):
                    if answers[1 + k] == WAITING:
                        ids[plus] = k
                        plus += 1
                    answers[1 + k] = CLOSED
        ptr[row + 2, u + 1], ptr[row + 3, u + 1] = minus, plus

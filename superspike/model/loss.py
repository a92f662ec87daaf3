"""The losses: which error impulses an output gets, from its own spikes and its targets'. The filters are error.py's.

A loss is a parameter class. Its ``impulses`` is asked once a step, after the outputs' neurons: which outputs err, and by how
much; a target's spike is an error of +1. Where the loss is ``filtered``, an error is an impulse into the filter α, which both
engines deliver D steps later to the outputs, and one step after that to the hidden layers. Where it is not, the error itself is
the third factor of that step, of outputs and hidden layers. A loss writes into lists of its own, as long as its ``room``
says; whether it keeps to them is checked. A function that it gives arrays to needs checks of its own,
``numba.njit(boundscheck=True)``, and is refused without. Adding a loss is adding a class here.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parameters import Param, ParameterError, Registry, attempt, parameters

Array = NDArray[Any]

CLOSED, WAITING, ANSWERED = 0, 1, 2  # what a window knows of an output: not expected, expected, has spiked
SWAPPED = np.dtype(np.int32).newbyteorder()


def impulses(
    self: Any, spikes: Array, targets: Array, u: Array, window: int, memory: Array, units: Array, sizes: Array
) -> int:  # fmt: skip
    """Write one step's errors; return how many.

    ``spikes`` and ``targets`` are the ids of the outputs that spike in this step, and that should; ``u`` are a readout's
    potentials (mV above rest), of which there are none where the outputs spike. The outputs that err go to the beginning of
    ``units``, one of them as often as it likes, and by how much to that of ``sizes``. ``memory`` is the loss's own from
    step to step.
    """
    return self.impulses(spikes, targets, u, window, memory, units, sizes)  # type: ignore[no-any-return]


def needs(loss: Any, method: str, *arguments: int) -> int:
    """How much a loss needs: what its ``memory`` or ``room`` returns, if that is a whole number."""
    n = getattr(loss, method)(*arguments)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ParameterError(f"{type(loss).__name__}.{method}: must return a whole number >= 0, got {n!r}")
    return int(n)


def check_impulses(loss: Any) -> None:
    """Raise the error that says what is wrong with a loss, as far as a first step with one of two outputs tells.

    Its arrays are of the other byte order, which compiled functions refuse: one that the loss calls could write beyond them.
    """
    room, memory = needs(loss, "room", 2, 1, 1, 1), needs(loss, "memory", 2)
    ids = np.zeros(1, SWAPPED)
    ids.flags.writeable = False
    units, sizes = np.zeros(room, SWAPPED), np.zeros(room, np.dtype(float).newbyteorder())
    u = np.zeros(2 * loss.reads_potentials, np.dtype(float).newbyteorder())
    u.flags.writeable = False
    memories = np.zeros(memory, np.dtype(float).newbyteorder())
    arguments = {"spikes": ids, "targets": ids, "u": u, "window": 1, "memory": memories, "units": units, "sizes": sizes}
    try:
        found = attempt(loss, "impulses", arguments)
    except ParameterError as error:
        cause = error.__cause__
        if type(cause).__module__.startswith("numba.") or "No matching definition" in str(cause):
            return  # the engine looks at what it calls
        raise
    Param("ms", "", ge=0).check(f"{type(loss).__name__}.window_ms", loss.window_ms)
    flags = [Param("", "").check(f"{type(loss).__name__}.{x}", getattr(loss, x), bool) for x in STREAM[:3]]
    if flags[0] and flags[1]:
        raise ParameterError(f"{type(loss).__name__}.follows_spikes: must be False where it reads potentials, got True")
    if isinstance(found, bool) or not isinstance(found, (int, np.integer)):
        raise ParameterError(f"{type(loss).__name__}.impulses: must return how many errors it wrote, got {found!r}")


def check_errors(loss: Any) -> None:
    """The same of a loss of trials, as far as one sample of two outputs tells."""
    u, z, e, one = np.zeros((3, 2)), np.zeros(2), np.zeros((3, 2)), np.float64(1)
    attempt(loss, "logits", {"u": u, "outputs": 2, "dt": one, "z": z})
    Param("mV", "", gt=0).check(f"{type(loss).__name__}.temperature", getattr(loss, "temperature", None))
    found = attempt(loss, "errors", {"u": u, "z": z, "outputs": 2, "label": 0, "dt": one, "temperature": one, "e": e})
    if isinstance(found, bool) or not isinstance(found, (int, float, np.number)):
        raise ParameterError(f"{type(loss).__name__}.errors: must return the loss, a number, got {found!r}")


def check_loss(loss: Any) -> None:
    """Raise the error that says what is wrong with a loss, one of streams or one of trials (superspike.model.readout)."""
    if hasattr(loss, "impulses"):
        check_impulses(loss)
    else:
        check_errors(loss)


STREAM = ("follows_spikes", "reads_potentials", "filtered", "window_ms", "memory", "room", "impulses")
LOSSES = Registry("loss", methods=(*(f"{method} or errors" for method in STREAM), "impulses or logits"), check=check_loss)


@LOSSES.register("van_rossum")
@parameters
class VanRossum(NamedTuple):
    """e_i = α ∗ (Ŝ_i − S_i): a target spike is an impulse of +1, an output spike one of −1 (ZG18 Eq. 2.1)."""

    @property
    def follows_spikes(self) -> bool:
        """Whether target and output spikes are the impulses, and nothing else has to be asked."""
        return True

    @property
    def reads_potentials(self) -> bool:
        """Whether the outputs are a readout."""
        return False

    @property
    def filtered(self) -> bool:
        """Whether errors pass through α."""
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
        self, spikes: Array, targets: Array, u: Array, window: int, memory: Array, units: Array, sizes: Array
    ) -> int:  # fmt: skip
        """Nothing to write."""
        return 0


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
    def reads_potentials(self) -> bool:
        """Whether the outputs are a readout."""
        return False

    @property
    def filtered(self) -> bool:
        """Whether errors pass through α."""
        return True

    @property
    def window_ms(self) -> float:
        """The window's length (ms)."""
        return self.window

    def memory(self, outputs: int) -> int:
        """How many numbers it remembers, 0 at first: the window's steps that are left, and what it knows of each output."""
        return 1 + outputs

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        """The most errors in any so many ``steps`` with so many ``spikes`` and ``targets`` of all ``outputs``."""
        return spikes + targets + outputs

    def impulses(
        self, spikes: Array, targets: Array, u: Array, window: int, answers: Array, units: Array, sizes: Array
    ) -> int:  # fmt: skip
        """``answers[0]`` counts the window's steps down; ``answers[1:]`` is what it knows of each output."""
        n = 0
        for k in targets:
            answers[0] = window
            answers[1 + k] = WAITING
        if answers[0] > 0 or self.punish_outside:
            for k in spikes:
                if answers[1 + k] == CLOSED:
                    units[n], sizes[n] = k, -1
                    n += 1
                else:
                    answers[1 + k] = ANSWERED
        if answers[0] > 0:
            answers[0] -= 1
            if answers[0] == 0:
                for k in range(len(answers) - 1):
                    if answers[1 + k] == WAITING:
                        units[n], sizes[n] = k, 1
                        n += 1
                    answers[1 + k] = CLOSED
        return n


@LOSSES.register("squared_error")
@parameters
class SquaredError(NamedTuple):
    """L = ½ Σ_k ∫ ((Û_k − U_k) / h)² dt of a readout's potentials; Û_k jumps by h at each target spike and decays with ``tau``.

    Its errors are e_k = (Û_k − U_k) / h, −∂L/∂U_k in units of 1/h, in every step; the cost is the mean of their squares.
    """

    height: Annotated[float, Param("mV", "what a target spike adds to a readout's target", gt=0)] = 10.0
    tau: Annotated[float, Param("ms", "time constant with which it decays", gt=0, option="tau-target")] = 20.0

    @property
    def follows_spikes(self) -> bool:
        """Whether target and output spikes are the errors: no, ``impulses`` is asked in every step."""
        return False

    @property
    def reads_potentials(self) -> bool:
        """Whether the outputs are a readout."""
        return True

    @property
    def filtered(self) -> bool:
        """Whether errors pass through α: no, the loss is a function of U itself."""
        return False

    @property
    def window_ms(self) -> float:
        """The time constant, which is counted in steps."""
        return self.tau

    def memory(self, outputs: int) -> int:
        """The targets Û_k."""
        return outputs

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        """An error of each output in each step."""
        return outputs * steps

    def impulses(
        self, spikes: Array, targets: Array, u: Array, window: int, target: Array, units: Array, sizes: Array
    ) -> int:  # fmt: skip
        """A target spike counts from its own step on."""
        decay = math.exp(-1 / window)
        for k in range(len(target)):
            target[k] *= decay
        for k in targets:
            target[k] += self.height
        for k in range(len(target)):
            units[k], sizes[k] = k, (target[k] - u[k]) / self.height
        return len(target)


@LOSSES.register("cross_entropy")
@parameters
class CrossEntropy(NamedTuple):
    """−log p_label in each step of a stream, p = softmax(U / temperature) of a readout; a target spike names the class.

    Its errors are (y_k − p_k) / temperature, −∂L/∂U_k (1/mV), from ``begin`` after the target spike on, when there is evidence;
    the cost is the mean of their squares. Of trials, each from rest, :class:`superspike.EachStep` is the mean of the same.
    """

    temperature: Annotated[float, Param("mV", "potential that counts as 1 in the softmax", gt=0)] = 20.0
    begin: Annotated[float, Param("ms", "time from which on potentials count", ge=0)] = 0.0

    @property
    def follows_spikes(self) -> bool:
        """Whether target and output spikes are the errors: no, ``impulses`` is asked in every step."""
        return False

    @property
    def reads_potentials(self) -> bool:
        """Whether the outputs are a readout."""
        return True

    @property
    def filtered(self) -> bool:
        """Whether errors pass through α: no, the loss is a function of U itself."""
        return False

    @property
    def window_ms(self) -> float:
        """The time without errors, which is counted in steps."""
        return self.begin

    def memory(self, outputs: int) -> int:
        """The class, from 1 on, and how many steps ago it was named."""
        return 2

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        """An error of each output in each step."""
        return outputs * steps

    def impulses(
        self, spikes: Array, targets: Array, u: Array, window: int, known: Array, units: Array, sizes: Array
    ) -> int:  # fmt: skip
        """None before the first target spike."""
        known[1] += 1
        for k in targets:
            known[0], known[1] = k + 1, 0
        if known[0] == 0 or known[1] < window:
            return 0
        largest, total = u[0], 0.0
        for k in range(1, len(u)):
            largest = max(largest, u[k])
        for k in range(len(u)):
            sizes[k] = math.exp((u[k] - largest) / self.temperature)
            total += sizes[k]
        for k in range(len(u)):
            units[k], sizes[k] = k, ((1.0 if k == known[0] - 1 else 0.0) - sizes[k] / total) / self.temperature
        return len(u)

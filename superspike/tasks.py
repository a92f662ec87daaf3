"""Tasks: a frozen input pattern and the target spikes that the outputs shall answer it with, repeated every period.

Inputs and targets are parameter classes with a method ``spikes``; adding one is adding a class here, and the command
line picks up its fields as options. Targets that belong to inputs of their own have a method ``both`` instead.
:func:`make` joins one of each to a :class:`Task`; ``text("HELLO")`` and its siblings are the same in one call.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._parameters import Param, ParameterError, Registry, parameters
from .network import check_seed
from .scheme import slack, to_steps, whole_steps
from .spikes import Spikes, read_ras

Array = NDArray[Any]
Window = tuple[Array, Array]

INPUTS = Registry("inputs", methods=("spikes",))
TARGETS = Registry("targets", methods=("natural_period", "spikes or both"))

PERIOD_STEP = 10.0  # ms: a period that is not given is the patterns' end rounded up to this
IN_MS = 100.0  # periods: times that late were written in ms and read as s
STIMULUS = 10.0  # ms: length of a pattern of the XOR task
MAX_PIXELS = 50_000_000  # a picture beyond this is refused before it is decoded

PERIOD = Param("ms", "period of the pattern; by default the targets' own, or the files' end rounded up to 10 ms", gt=0)
Outputs = Annotated[int, Param("", "number of output units", ge=1)]
TargetRate = Annotated[float, Param("Hz", "firing rate of the targets", gt=0)]
InkRate = Annotated[float, Param("Hz", "firing rate of black pixels", gt=0, le=500)]


class Task:
    """``inputs`` and ``targets``, repeated every ``period_ms`` (ms).

    Parameters
    ----------
    inputs, targets : one period's spikes, times in 0 … period_ms
    period_ms : by default the patterns' end, rounded up to the next 10 ms
    spec : the parameter classes that the task was made from, if it was

    Raises
    ------
    ParameterError : a spike beyond the period, a period that is not positive
    """

    def __init__(self, inputs: Spikes, targets: Spikes, period_ms: float | None = None, spec: Any = None) -> None:
        for name, spikes in (("inputs", inputs), ("targets", targets)):
            if not isinstance(spikes, Spikes):
                raise ParameterError(f"Task.{name}: must be Spikes, got {type(spikes).__name__}")
        if period_ms is None:
            end = max((spikes.times_ms[-1] for spikes in (inputs, targets) if len(spikes)), default=0.0)
            period_ms = (int(to_steps(end, PERIOD_STEP)) + 1) * PERIOD_STEP
        period_ms = PERIOD.check("Task.period_ms", period_ms)
        for name, spikes in (("inputs", inputs), ("targets", targets)):
            last = spikes.times_ms[-1] if len(spikes) else -np.inf
            if last >= period_ms - slack(period_ms):
                in_ms = "the times seem to be in ms; a .ras file holds s: divide them by 1000"
                remedy = in_ms if last >= IN_MS * period_ms else "give a longer period"
                raise ParameterError(
                    f"Task.{name}: must lie before the period's end ({period_ms:.10g} ms), "
                    f"got a spike at {last:.10g} ms; {remedy}"
                )
        self.inputs, self.targets, self.period_ms, self.spec = inputs, targets, period_ms, spec

    @property
    def n_inputs(self) -> int:
        """Number of input units."""
        return self.inputs.n

    @property
    def n_outputs(self) -> int:
        """Number of output units."""
        return self.targets.n

    def __repr__(self) -> str:
        return (
            f"<Task {self.n_inputs} inputs, {self.n_outputs} outputs, {len(self.targets)} target spikes in {self.period_ms:g} ms>"
        )

    def in_steps(self, dt: float) -> FrozenPattern:
        """The task on the grid of time steps of ``dt`` (ms)."""
        return FrozenPattern(self, dt)


class FrozenPattern:
    """A task on the time grid: which spikes fall into a window of steps."""

    def __init__(self, task: Task, dt: float) -> None:
        self.period = whole_steps("Task.period_ms", task.period_ms, dt)
        self._patterns = []
        for given in (task.inputs, task.targets):
            spikes = Spikes(given.times_ms, given.ids, given.n)  # its arrays may have been written to
            steps = np.minimum(to_steps(spikes.times_ms, dt), self.period - 1)  # before the end, and be it by a hair
            ends = np.zeros(self.period + 1, np.int32)
            np.cumsum(np.bincount(steps, minlength=self.period), out=ends[1:])
            self._patterns.append((ends, spikes.ids[np.lexsort((spikes.ids, steps))]))
        self.most_spikes = [int(np.diff(ends).max()) for ends, _ in self._patterns]  # of inputs and targets in one step

    def window(self, start: int, steps: int) -> list[Window]:
        """Inputs and targets in ``steps`` steps from step ``start``: how many spikes by each step's end, and all their ids."""
        period, end, found = self.period, start + steps, []
        edges = [start, *range((start // period + 1) * period, end, period), end]
        spans = [(a // period - start // period, a % period, a % period + b - a) for a, b in pairwise(edges)]
        for ends, ids in self._patterns:
            earlier = ends[start % period]
            so_far = [ends[a + 1 : b + 1] + (k * len(ids) - earlier) for k, a, b in spans]
            found.append((np.concatenate(so_far), np.concatenate([ids[ends[a] : ends[b]] for _, a, b in spans])))
        return found


@INPUTS.register("poisson")
@parameters
class PoissonInputs(NamedTuple):
    """Frozen Poisson noise: every unit fires at ``input_rate``, the same pattern every period."""

    inputs: Annotated[int, Param("", "number of input units", ge=1)] = 200
    input_rate: Annotated[float, Param("Hz", "firing rate of generated inputs", gt=0)] = 5.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's inputs."""
        return poisson_spikes(self.inputs, self.input_rate, period_ms, rng)


@INPUTS.register("file")
@parameters
class FileInputs(NamedTuple):
    """Inputs from a .ras file. ``inputs`` 0: as many units as the file's largest id says."""

    input: Annotated[str, Param("", "a .ras file of input spikes: time in s, unit id")]
    inputs: Annotated[int, Param("", "number of input units", ge=0)] = 0
    input_ids_from: Annotated[int, Param("", "id of the first unit in the input file: 0 or 1", ge=0, le=1)] = 0

    def spikes(self, period_ms: float | None, rng: np.random.Generator) -> Spikes:
        """The file's spikes."""
        return read_ras(self.input, self.inputs or None, self.input_ids_from)


@TARGETS.register("text")
@parameters
class Text(NamedTuple):
    """A text, rendered into a picture: the top row of pixels is the last output, time runs from left to right."""

    text: Annotated[str, Param("", "a text to be written in spikes")] = "SPIKE"
    outputs: Outputs = 50
    target_rate: InkRate = 40.0
    font: Annotated[str, Param("", "a font file (TTF, OTF), for letters that the built-in font lacks")] = ""

    def natural_period(self) -> float:
        """300 ms for a square as high as the text."""
        width, height = text_picture(self.text, self.font).size
        return PERIOD_STEP * float(math.ceil(300 * width / height / PERIOD_STEP))

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        return ink_spikes(text_picture(self.text, self.font), self.outputs, self.target_rate, period_ms, rng)


@TARGETS.register("image")
@parameters
class Picture(NamedTuple):
    """A picture (PNG, JPEG, …): dark pixels spike, the top row is the last output, columns are time."""

    image: Annotated[str, Param("", "a picture file; dark pixels spike, columns are time")]
    outputs: Outputs = 100
    target_rate: InkRate = 40.0

    def natural_period(self) -> float:
        """1 s."""
        return 1000.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        return ink_spikes(read_picture(self.image), self.outputs, self.target_rate, period_ms, rng)


@TARGETS.register("file")
@parameters
class FileTargets(NamedTuple):
    """Targets from a .ras file. ``outputs`` 0: as many units as the file's largest id says."""

    target: Annotated[str, Param("", "a .ras file of target spikes: time in s, unit id")]
    outputs: Annotated[int, Param("", "number of output units", ge=0)] = 0
    target_ids_from: Annotated[int, Param("", "id of the first unit in the target file: 0 or 1", ge=0, le=1)] = 0

    def natural_period(self) -> None:
        """The file's end decides."""

    def spikes(self, period_ms: float | None, rng: np.random.Generator) -> Spikes:
        """The file's spikes."""
        return read_ras(self.target, self.outputs or None, self.target_ids_from)


@TARGETS.register("regular")
@parameters
class RegularTargets(NamedTuple):
    """Equidistant target spikes, the same for every output (ZG18 Fig. 2 has five in 500 ms)."""

    outputs: Outputs = 1
    target_rate: TargetRate = 10.0

    def natural_period(self) -> float:
        """500 ms."""
        return 500.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        n = max(1, round(self.target_rate * period_ms / 1000))
        times = period_ms / (n + 1) * np.arange(1, n + 1)
        return Spikes(np.tile(times, self.outputs), np.repeat(np.arange(self.outputs), n), self.outputs)


@TARGETS.register("poisson")
@parameters
class PoissonTargets(NamedTuple):
    """Frozen Poisson target trains, independent of each other."""

    outputs: Outputs = 1
    target_rate: TargetRate = 10.0

    def natural_period(self) -> float:
        """500 ms."""
        return 500.0

    def spikes(self, period_ms: float, rng: np.random.Generator) -> Spikes:
        """One period's targets."""
        return poisson_spikes(self.outputs, self.target_rate, period_ms, rng)


@TARGETS.register("xor")
@parameters
class XOR(NamedTuple):
    """Spiking XOR (ZG18 Fig. 5), for the loss ``windowed``: output 0 answers patterns 00 and 11, output 1 answers 01 and 10.

    Three disjoint sets of ``set_size`` inputs fire once each, at fixed random times within 10 ms. One set is in every
    pattern, as a reference in time; the other two make the four patterns. A target spike marks a pattern's begin. Patterns
    come in random order after random intervals, in which the inputs fire at their own rate. The paper does not give sizes and
    intervals; these learn.
    """

    set_size: Annotated[int, Param("", "inputs per set, of three sets", ge=1)] = 15
    gap_min: Annotated[float, Param("ms", "shortest interval between two patterns", ge=30)] = 100.0
    gap_max: Annotated[float, Param("ms", "longest interval between two patterns", ge=30)] = 300.0

    def natural_period(self) -> float:
        """As long as a default training, so that no interval comes twice."""
        return 200_000.0

    def both(self, background: Spikes, period_ms: float, rng: np.random.Generator) -> tuple[Spikes, Spikes]:
        """Inputs and targets of one period, with ``background`` between the patterns; ParameterError for too few inputs."""
        n = self.set_size
        if background.n < 3 * n:
            raise ParameterError(f"XOR.set_size: must be at most a third of the {background.n} inputs, got {n}")
        if self.gap_max < self.gap_min:
            raise ParameterError(f"XOR.gap_max: must be at least gap_min ({self.gap_min:g} ms), got {self.gap_max:g}")
        phases = rng.uniform(0, STIMULUS, 3 * n)
        onsets = np.cumsum(STIMULUS + rng.uniform(self.gap_min, self.gap_max, int(period_ms / self.gap_min)))
        onsets = np.round(onsets[onsets < period_ms - self.gap_min], 1)
        bits = rng.integers(0, 2, (len(onsets), 2))
        sets = np.repeat(np.column_stack([np.ones(len(onsets), int), bits]), n, axis=1).astype(bool)
        trial, unit = np.nonzero(sets)
        since = background.times_ms - np.append(-np.inf, onsets)[np.searchsorted(onsets, background.times_ms, "right")]
        between = since >= STIMULUS
        inputs = Spikes(
            np.concatenate([background.times_ms[between], onsets[trial] + phases[unit]]),
            np.concatenate([background.ids[between], unit]),
            background.n,
        )
        return inputs, Spikes(onsets, bits.sum(1) == 1, 2)


def make(inputs: Any = None, targets: Any = None, period_ms: float | None = None, seed: int = 1) -> Task:
    """Join an inputs class and a targets class (by default frozen Poisson noise and a text) to a :class:`Task`.

    ``period_ms``: by default the targets' own, or the files' end rounded up to the next 10 ms.
    """
    inputs = PoissonInputs() if inputs is None else inputs
    targets = Text() if targets is None else targets
    INPUTS.name_of(inputs)
    TARGETS.name_of(targets)
    if period_ms is not None:
        period_ms = PERIOD.check("Task.period_ms", period_ms)
    seed = check_seed("Task.seed", seed)
    inputs_rng, targets_rng = np.random.default_rng(seed).spawn(2)
    generated = isinstance(inputs, PoissonInputs)
    period = targets.natural_period() if period_ms is None else period_ms
    if hasattr(targets, "both"):
        input_spikes, target_spikes = targets.both(inputs.spikes(period, inputs_rng), period, targets_rng)
    else:
        target_spikes = targets.spikes(period, targets_rng)
        if generated and period is None:
            period = Task(target_spikes, target_spikes).period_ms
        input_spikes = inputs.spikes(period, inputs_rng)
    return Task(
        input_spikes, target_spikes, period, spec={"inputs": inputs, "targets": targets, "period_ms": period, "seed": seed}
    )


def text(
    text: str, *, n_inputs: int = 200, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Write ``text`` in spikes; ``options`` are those of :class:`Text` (outputs, target_rate, font)."""
    return make(PoissonInputs(n_inputs, input_rate), Text(text, **options), period_ms, seed)


def picture(
    image: str, *, n_inputs: int = 200, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Draw the picture in the file ``image`` in spikes; ``options`` are those of :class:`Picture` (outputs, target_rate)."""
    return make(PoissonInputs(n_inputs, input_rate), Picture(image, **options), period_ms, seed)


def files(
    input: str, target: str, *, n_inputs: int = 0, n_outputs: int = 0, period_ms: float | None = None,
    input_ids_from: int = 0, target_ids_from: int = 0,
) -> Task:  # fmt: skip
    """Inputs and targets from two .ras files; numbers of units by default from the largest ids."""
    return make(FileInputs(input, n_inputs, input_ids_from), FileTargets(target, n_outputs, target_ids_from), period_ms)


def regular(
    *, n_inputs: int = 100, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Equidistant target spikes; ``options`` are those of :class:`RegularTargets` (outputs, target_rate)."""
    return make(PoissonInputs(n_inputs, input_rate), RegularTargets(**options), period_ms, seed)


def poisson(
    *, n_inputs: int = 100, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Frozen Poisson target trains; ``options`` are those of :class:`PoissonTargets` (outputs, target_rate)."""
    return make(PoissonInputs(n_inputs, input_rate), PoissonTargets(**options), period_ms, seed)


def xor(
    *, n_inputs: int = 100, input_rate: float = 4.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:  # fmt: skip
    """Spiking XOR; ``options`` are those of :class:`XOR` (set_size, gap_min, gap_max). For ``Network(loss="windowed")``."""
    return make(PoissonInputs(n_inputs, input_rate), XOR(**options), period_ms, seed)


def poisson_spikes(n: int, rate_hz: float, duration_ms: float, rng: np.random.Generator) -> Spikes:
    """Independent Poisson trains of ``n`` units over ``duration_ms``; times lie on a grid of 0.01 ms."""
    count = rng.poisson(n * rate_hz * duration_ms / 1000)
    times = np.floor(rng.uniform(0, duration_ms, count) * 100) / 100
    return Spikes(times, rng.integers(0, n, count), n)


def read_picture(path: str) -> Any:
    """The picture in a file as a greyscale PIL image, upright, transparent parts white; ParameterError for anything else.

    Greys of more than 8 bits: 65535 is white in whole numbers, 1 in floating-point numbers.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ParameterError(f"{path}: must have at most {MAX_PIXELS:,} pixels, has {width} × {height}; make it smaller")
            upright: Any = ImageOps.exif_transpose(picture)
            if upright.mode == "F" or upright.mode.startswith("I"):
                grey, white = np.asarray(upright, float), 1 if upright.mode == "F" else 65535
                if not (grey.min() >= 0 and grey.max() <= white):
                    found = f"{grey.min():g} … {grey.max():g}"
                    raise ParameterError(f"{path}: must have greys in 0 … {white} (white), has {found}; save it with 8 bits")
                upright = Image.fromarray(np.round(255 / white * grey).astype(np.uint8))
            rgba = upright.convert("RGBA")
    except ParameterError:
        raise
    except FileNotFoundError:
        raise ParameterError(f"{path}: must be a picture, does not exist") from None
    except Exception as error:  # Pillow raises a dozen types for broken files
        raise ParameterError(f"{path}: must be a picture (PNG, JPEG, …), cannot be read ({error})") from None
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")


def read_font(path: str) -> Any:
    """The font in a file, or the built-in one for no file. Raises ParameterError for anything else."""
    from PIL import ImageFont

    if not path:
        return ImageFont.load_default(size=96)
    if not Path(path).is_file():
        raise ParameterError(f"{path}: must be a font file (TTF, OTF), does not exist")
    try:
        return ImageFont.truetype(path, size=96)
    except OSError as error:
        raise ParameterError(f"{path}: must be a font file (TTF, OTF), cannot be read ({error})") from None


def lacking(font: Any, text: str) -> str:
    """The letters of a text that a font lacks: they look like one that no font has."""

    def look(letter: str) -> tuple[Any, ...]:
        mask = font.getmask(letter)
        return font.getlength(letter), mask.size, bytes(mask)

    missing = look("\uffff")  # no character, by Unicode's definition
    return "".join(letter for letter in dict.fromkeys(text) if not letter.isspace() and look(letter) == missing)


def text_picture(text: str, font_file: str = "") -> Any:
    """The text in black on white, cropped to its ink and given a margin, as a greyscale PIL image.

    Raises ParameterError for a text that cannot be printed, letters that the font lacks, and a font that cannot be read.
    """
    from PIL import Image, ImageDraw, ImageOps

    if not text.strip() or not text.isprintable() or len(text) > 200:
        raise ParameterError(f"Text.text: must be 1 to 200 printable characters, got {text!r}")
    font = read_font(font_file)
    if letters := lacking(font, text):
        where, other = (font_file, "another font") if font_file else ("the built-in font", "a font (--font FILE)")
        raise ParameterError(f"Text.text: must have letters of {where} only, which lacks {letters!r}; give {other} that has them")
    left, top, right, bottom = font.getbbox(text)
    if right <= left or bottom <= top:
        raise ParameterError(f"Text.text: must leave ink on the page, got {text!r}")
    page = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)), "white")
    ImageDraw.Draw(page).text((-left, -top), text, fill="black", font=font, stroke_width=1)
    return ImageOps.expand(page, border=14, fill="white")


def ink_spikes(picture: Any, n: int, rate_hz: float, period_ms: float, rng: np.random.Generator) -> Spikes:
    """A spike train per row of pixels: black fires at ``rate_hz``, grey in proportion to its darkness, white not at all."""
    from PIL import Image

    columns = max(1, round(period_ms))  # of 1 ms
    grey = np.asarray(picture.resize((columns, n), Image.Resampling.BOX), float)
    darkness = (np.clip(255.0 - grey, 0, None) / 255.0)[::-1]  # the top row is the last output
    if darkness.max() < 0.05:
        raise ParameterError("image: must have dark pixels on a lighter ground, is white all over")
    phase = rng.uniform(0, 1, (n, 1))
    passed = np.floor(np.cumsum(darkness * rate_hz / 1000, axis=1) + phase)
    ids, column = np.nonzero(np.diff(passed, axis=1, prepend=0) > 0)
    return Spikes(column * (period_ms / columns), ids, n)

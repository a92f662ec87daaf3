"""Synthetic spoken digits as spikes: a task in the shape of the Heidelberg digits that needs no file and no download.

No person speaks here. A built-in formant synthesiser or the program espeak-ng says the words, and a model of the inner ear hears
them. Results on these samples are no results on SHD (:func:`superspike.tasks.load_heidelberg`) and cannot stand for them.
"""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import wave
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..model.parameters import Param, ParameterError, check_fits, check_seed, one_of, parameters
from .labelled import CLASSIFICATION, DATASETS, Trial
from .samples import Parts, Samples, Split, before

Array = NDArray[Any]

RATE = 16_000  # samples per second of every sound
HOP = RATE // 100  # samples from one frame of the synthesiser to the next: 10 ms
RINGING = 5  # hops that a frame sounds: two of its own, three in which the formants die away
CHUNK = 2**24  # numbers that are worked on at a time
TIMEOUT = 60  # s: espeak-ng says a word in a 50th of a second

# Formants (Hz), voicing, hiss, centre of the hiss (Hz) and length (ms) of each sound, a man's. Capitals are lax vowels; A is that
# of one, @ that of the second syllable of seven, T English th, X German ach, - the silence before t and k. Vowels' frequencies
# after Peterson & Barney (1952), Control methods used in a study of the vowels, J. Acoust. Soc. Am. 24:175–184, consonants'
# after Klatt (1980), Software for a cascade/parallel formant synthesizer, J. Acoust. Soc. Am. 67:971–995; the rest is our own.
SOUNDS = {
    "i": (270, 2290, 3010, 1.0, 0.0, 4000, 150), "I": (390, 1990, 2550, 1.0, 0.0, 4000, 80),
    "e": (480, 1990, 2550, 1.0, 0.0, 4000, 100), "E": (530, 1840, 2480, 1.0, 0.0, 4000, 110),
    "@": (500, 1400, 2400, 0.7, 0.0, 4000, 60),  "a": (730, 1250, 2440, 1.0, 0.0, 4000, 120),
    "A": (640, 1190, 2390, 1.0, 0.0, 4000, 120), "o": (570, 840, 2410, 1.0, 0.0, 4000, 120),
    "U": (440, 1020, 2240, 1.0, 0.0, 4000, 80),  "u": (300, 870, 2240, 1.0, 0.0, 4000, 160),
    "Y": (400, 1500, 2200, 1.0, 0.0, 4000, 90),  "w": (290, 610, 2150, 0.6, 0.0, 4000, 70),
    "r": (310, 1060, 1380, 0.6, 0.0, 4000, 70),  "l": (310, 1050, 2880, 0.6, 0.0, 4000, 90),
    "n": (280, 1340, 2470, 0.4, 0.0, 4000, 80),  "b": (200, 1100, 2150, 0.15, 0.0, 4000, 60),
    "v": (220, 1100, 2080, 0.4, 0.1, 5000, 60),  "z": (240, 1390, 2530, 0.3, 0.6, 6000, 80),
    "f": (340, 1100, 2080, 0.0, 0.2, 5000, 100), "T": (320, 1290, 2540, 0.0, 0.15, 5500, 90),
    "s": (320, 1390, 2530, 0.0, 1.0, 6000, 110), "X": (600, 1200, 2400, 0.0, 0.5, 1500, 90),
    "d": (200, 1600, 2600, 0.0, 0.6, 4000, 15),  "t": (400, 1600, 2600, 0.0, 0.8, 4000, 30),
    "k": (300, 1990, 2850, 0.0, 0.8, 2000, 30),  "-": (400, 1600, 2600, 0.0, 0.0, 4000, 60),
}  # fmt: skip
ENGLISH = {
    "zero": "zIroU", "one": "wAn", "two": "tu", "three": "Tri", "four": "for",
    "five": "faIv", "six": "sI-ks", "seven": "sEv@n", "eight": "eI-t", "nine": "naIn",
}  # fmt: skip
GERMAN = {
    "null": "nUl", "eins": "aIns", "zwei": "tsvaI", "drei": "draI", "vier": "fi@",
    "fünf": "fYnf", "sechs": "zE-ks", "sieben": "zib@n", "acht": "aX-t", "neun": "noYn",
}  # fmt: skip
WORDS = ENGLISH | GERMAN


@DATASETS.register("synthetic-speech")
@parameters
class SyntheticSpeech(NamedTuple):
    """Synthetic digits, zero to nine in English and null to neun in German, as spikes of an inner ear.

    Validation and test have speakers of their own, whom no other part knows. A speaker has a vocal tract, a pitch, a pace and
    an accent, and says every word ``repetitions`` times, a little different each time in these, in loudness and in onset. Samples
    come in the order of speakers, words, repetitions. What is heard after a trial's end is left out.

    ``voice`` is who speaks. ``formants``, a built-in synthesiser, gives the same samples on every machine (but for rounding,
    which may move a spike). ``espeak`` is the program espeak-ng; the samples depend on its version, and its 52 pairs of an accent
    and a voice may recur in another part with another pitch and pace. ``auto`` is espeak-ng where it is installed, else the
    synthesiser: the samples depend on the machine.

    The ear: sounds of equal power pass gammatone filters of order 4, one per unit, from 80 Hz (unit 0) to 7 kHz, equally far
    apart on the scale of equivalent rectangular bandwidths, and weaker below 1 kHz, as the middle ear is. A hair cell takes the
    half-wave rectified motion, smoothed over 1 ms, and releases transmitter from a pool that is refilled (permeability and pool
    are Meddis's, without reuptake), so that onsets are strong. A leaky integrate-and-fire neuron sums it, on a grid of 1 ms.

    Sources: Cramer, Stradmann, Schemmel & Zenke (2022), The Heidelberg spiking data sets for the systematic evaluation of spiking
    neural networks, IEEE Trans. Neural Netw. Learn. Syst. 33:2744–2757 (the task); Glasberg & Moore (1990), Derivation of
    auditory filter shapes from notched-noise data, Hear. Res. 47:103–138 (bandwidths); Patterson, Nimmo-Smith, Holdsworth & Rice
    (1987), An efficient auditory filterbank based on the gammatone function; Meddis (1986), Simulation of mechanical to neural
    transduction in the auditory receptor, J. Acoust. Soc. Am. 79:702–711.
    """

    speakers: Annotated[int, Param("", "number of speakers", ge=3)] = 24
    validation: Annotated[int, Param("", "speakers whom only the validation knows", ge=1, option="validation-speakers")] = 3
    test: Annotated[int, Param("", "speakers whom only the test knows", ge=1, option="test-speakers")] = 5
    repetitions: Annotated[int, Param("", "how often a speaker says a word", ge=1)] = 8
    units: Annotated[int, Param("", "number of input units", ge=1)] = 140
    duration: Trial = 800.0
    voice: Annotated[str, Param("", "who speaks (formants, espeak, auto)")] = "formants"

    @staticmethod
    def defaults() -> dict[str, Any]:
        """A mean over time: long trials have late evidence."""
        return CLASSIFICATION | {
            "hidden": "128", "loss": "mean_over_time", "dt": "2ms", "delay": "2ms", "learning_rate": "0.3mV", "w0": "10mV",
            "epochs": 15,
        }  # fmt: skip

    def make(self, seed: int = 1) -> Split:
        """Train, validation and test samples; the same for the same seed."""
        first_test = self.speakers - self.test
        learners = first_test - self.validation
        if learners < 1:
            raise ParameterError(
                f"SyntheticSpeech.speakers: must be > {self.validation + self.test}, those of validation and test together, "
                f"got {self.speakers}; hold out fewer"
            )
        speaker = _speaker(self.voice)
        ear = Ear(self.units, self.duration)
        rngs = np.random.default_rng(check_seed("SyntheticSpeech.seed", seed)).spawn(self.speakers)
        parts = (rngs[:learners], rngs[learners:first_test], rngs[first_test:])
        return Split(*(self._heard(ear, [speaker(rng) for rng in part], part) for part in parts))

    def _heard(self, ear: Ear, speakers: list[Speaker], rngs: list[np.random.Generator]) -> Samples:
        """What the ear hears of some speakers, each with a generator of its own."""
        names, words = tuple(WORDS), np.repeat(np.arange(len(WORDS)), self.repetitions)
        rows = max(1, CHUNK // ear.size)
        parts = Parts("SyntheticSpeech.speakers", "ask for fewer, for fewer repetitions or for fewer units")
        for speaker, rng in zip(speakers, rngs, strict=True):
            for first in range(0, len(words), rows):
                sounds = [_in_time(speaker.say(names[word]), rng) for word in words[first : first + rows]]
                samples, steps, units = np.nonzero(ear.hear(sounds))
                offsets, times = np.searchsorted(samples, np.arange(len(sounds) + 1)), steps.astype(np.float32)
                parts.add(times, units, offsets, before(times, self.duration))
        return Samples(*parts.joined(), np.tile(words, len(speakers)), self.units, self.duration, names)


class Speaker(Protocol):
    """A voice: what sets it apart from others is drawn when it is made."""

    def say(self, word: str) -> Array:
        """The sound of a word (RATE samples per second), a little different each time."""


class Formants:
    """A source-filter synthesiser: the glottis's pulses and a hiss pass resonances, in overlapping frames of 20 ms."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        size = rng.random()  # from a long vocal tract with a low voice to a short one with a high voice
        self._tract = (0.92 + 0.3 * size) * rng.lognormal(0, 0.03)  # all formants, relative to a man's
        self._pitch = 95 * 2.3**size * rng.lognormal(0, 0.1)  # Hz
        self._pace = rng.uniform(0.8, 1.3)  # lengths, relative to SOUNDS
        self._tilt = rng.uniform(400, 1200)  # Hz: where the voice's spectrum begins to fall
        self._accent = {sound: rng.lognormal(0, 0.12, 3) for sound in SOUNDS}

    def say(self, word: str) -> Array:
        """The sound of a word (RATE samples per second), a little different each time."""
        *formants, voicing, hiss, centre = self._course(WORDS[word])
        n = (len(voicing) + 1) * HOP
        turns = np.cumsum(self._pitch * self._rng.lognormal(0, 0.05) * np.linspace(1.1, 0.85, n) / RATE)  # the pitch falls
        pulses, noise = np.diff(np.floor(turns), prepend=0.0), 0.01 * self._rng.normal(0, 1, n)
        f = np.fft.rfftfreq(RINGING * HOP, 1 / RATE)
        upper = np.outer([3500.0, 4500.0], np.full(len(voicing), self._tract))
        tract = math.prod(_resonance(f, formant, 50 + 0.06 * formant) for formant in (*formants, *upper))
        voice = voicing[:, None] * _spectra(pulses) * tract / (1 + 1j * f / self._tilt)
        breath = hiss[:, None] * _spectra(noise) * _resonance(f, centre, 0.4 * centre) * f / centre[:, None]
        frames = np.fft.irfft(voice + breath).reshape(len(voicing), RINGING, HOP)
        sound = np.zeros((len(frames) + RINGING, HOP))
        for hop in range(RINGING):
            sound[hop : hop + len(frames)] += frames[:, hop]
        return sound.ravel()

    def _course(self, sounds: str) -> Array:
        """Three formants, voicing, hiss and its centre over a word's frames, (6, frames): held in each sound, then gliding."""
        rows = np.array([SOUNDS[sound] for sound in sounds], float)
        rows[:, :3] *= [self._accent[sound] for sound in sounds] * self._rng.lognormal(0, 0.06, (len(rows), 3))
        rows[:, [0, 1, 2, 5]] *= self._tract
        ms = rows[:, 6] * self._pace * self._rng.lognormal(0, 0.06) * self._rng.lognormal(0, 0.15, len(rows))
        ends = np.cumsum(ms)
        held = np.stack([ends - 0.75 * ms, ends - 0.25 * ms], axis=1).ravel()
        frames = np.arange(0, ends[-1], 1000 * HOP / RATE)
        course = np.array([np.interp(frames, held, np.repeat(row, 2)) for row in rows.T[:6]])
        course[3:5] *= np.clip(np.minimum(frames + 10, ends[-1] - frames) / 30, 0, 1)  # the word fades in and out, in 30 ms
        return course


class Espeak:
    """The program espeak-ng, with one of its accents and voices, a pitch and a pace."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._accent = rng.choice(["en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp"])
        self._variant = rng.choice(["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"])
        self._pitch = rng.uniform(25, 75)  # of 0 … 99
        self._pace = rng.uniform(150, 220)  # words per minute

    def say(self, word: str) -> Array:
        """The sound of a word (RATE samples per second), a little different each time."""
        voice = f"{self._accent if word in ENGLISH else 'de'}+{self._variant}"
        pace, pitch = round(self._pace * self._rng.lognormal(0, 0.06)), round(self._pitch + self._rng.normal(0, 4))
        command = ["espeak-ng", "--stdout", "-v", voice, "-s", str(pace), "-p", str(pitch), word]
        try:
            said = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=True).stdout
            with wave.open(io.BytesIO(said)) as file:
                data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                n = len(data) * RATE // file.getframerate()
            found: Array = np.fft.irfft(np.fft.rfft(data)[: n // 2 + 1], n)
        except (OSError, subprocess.SubprocessError, wave.Error, EOFError, ValueError) as error:
            told = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip() or repr(error)
            raise ParameterError(
                f"SyntheticSpeech.voice: must be able to speak, {' '.join(command)} could not, got {told}; say voice='formants'"
            ) from None
        return found


class Ear:
    """Cochlea, hair cells and nerve cells of ``units`` channels, for trials of ``duration`` ms."""

    LOWEST, HIGHEST = 80.0, 7000.0  # Hz: centres of the channels
    MIDDLE = 1000.0  # Hz: the middle ear passes less below
    HALF = 0.06  # motion that opens half of a hair cell's channels; a sound's mean square is 1
    RELEASE = 0.1  # 1/ms: how fast the pool empties when all are open
    REFILL = 1 / 50  # 1/ms
    LEAK = math.exp(-1 / 10)  # of a nerve cell's potential in a step, time constant 10 ms
    WEIGHT = 20.0  # potential that a whole pool would give, in units of the threshold
    REFRACTORY = 2  # steps
    STEP = RATE // 1000  # samples in 1 ms
    QUIET = 64  # ms in which the lowest channel has rung out

    def __init__(self, units: int, duration: float) -> None:
        self._n_steps = math.ceil(duration)
        length, self._n = 2 * (self._n_steps + self.QUIET), self.STEP * (self._n_steps + self.QUIET)  # two envelopes per ms
        self.size = units * length
        check_fits("SyntheticSpeech.duration", 64 * self.size, "shorten it, or ask for fewer units")
        lowest, highest = np.log10(1 + 0.00437 * np.array([self.LOWEST, self.HIGHEST]))
        centres = (10 ** np.linspace(lowest, highest, units) - 1) / 0.00437
        widths = 1.019 * 24.7 * (1 + 0.00437 * centres)  # Glasberg & Moore 1990; Patterson et al. 1987
        bins = np.rint(centres * self._n / RATE).astype(int)[:, None] + np.arange(-length // 2, length // 2)
        inside = (bins > 0) & (bins < self._n // 2)
        self._bins = np.where(inside, bins, 0)
        responses = inside * (1 + 1j * (bins * RATE / self._n - centres[:, None]) / widths[:, None]) ** -4
        gains = 2 * length / self._n / np.hypot(1, self.MIDDLE / centres)
        self._filters = (gains[:, None] * responses).astype(np.complex64)

    def hear(self, sounds: list[Array]) -> Array:
        """Whether each nerve cell fires, (sounds, steps of 1 ms, units)."""
        motion = np.stack([self._motion(sound) for sound in sounds], axis=1)
        released = 1 - np.exp(-self.RELEASE * motion / (motion + self.HALF))
        fired = np.zeros(motion.shape, bool)
        pool, potential = np.ones_like(motion[0]), np.zeros_like(motion[0])
        for step in range(self._n_steps):
            flow = pool * released[step]
            pool += self.REFILL * (1 - pool) - flow
            potential *= self.LEAK
            potential += self.WEIGHT * flow
            potential[fired[max(0, step - self.REFRACTORY) : step].any(axis=0)] = 0
            np.greater_equal(potential, 1, out=fired[step])
        return fired.swapaxes(0, 1)

    def _motion(self, sound: Array) -> Array:
        """Half-wave rectified and smoothed: the envelope's mean over 1 ms, divided by π, (steps, units).

        A channel's band, 1 kHz to either side of its centre, moved to 0 Hz is its envelope (times a phase), twice per ms.
        """
        spectrum = np.fft.rfft(sound[: self._n_steps * self.STEP], self._n).astype(np.complex64)
        envelope = np.abs(np.fft.ifft(spectrum[self._bins] * self._filters))[:, : 2 * self._n_steps]
        found: Array = (envelope[:, ::2] + envelope[:, 1::2]).T / (2 * np.pi)
        return found


SPEAKERS: dict[str, Callable[[np.random.Generator], Speaker]] = {"formants": Formants, "espeak": Espeak}


def _speaker(voice: str) -> Callable[[np.random.Generator], Speaker]:
    """What makes speakers of this voice."""
    one_of("SyntheticSpeech.voice", voice, [*SPEAKERS, "auto"])
    installed = shutil.which("espeak-ng") is not None
    if voice == "espeak" and not installed:
        raise ParameterError(
            "SyntheticSpeech.voice: must be formants where the program espeak-ng is not installed, got 'espeak'; install it "
            "(apt install espeak-ng, brew install espeak-ng)"
        )
    return SPEAKERS[("espeak" if installed else "formants") if voice == "auto" else voice]


def _in_time(sound: Array, rng: np.random.Generator) -> Array:
    """The sound, 20 to 100 ms after the start, its mean square (weighted by itself: pauses do not count) 1 within 3 dB."""
    power = sound * sound
    gain = 10 ** (rng.uniform(-3, 3) / 20) * math.sqrt(power.sum() / (power @ power))
    return np.concatenate([np.zeros(round(rng.uniform(20, 100) * RATE / 1000)), gain * sound])


def _spectra(sound: Array) -> Array:
    """Of a sound's frames, each two hops long, which sum to the sound, (frames, frequencies)."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 2 * HOP)[::HOP]
    found: Array = np.fft.rfft(frames * np.hanning(2 * HOP + 1)[:-1], RINGING * HOP)
    return found


def _resonance(f: Array, centre: Array, width: Array) -> Array:
    """Response of each frame's resonator (Hz) at the frequencies f, (frames, frequencies); 1 at 0 Hz."""
    found: Array = centre[:, None] ** 2 / (centre[:, None] ** 2 - f**2 + 1j * f * width[:, None])
    return found

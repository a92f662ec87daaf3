"""Synthetic spoken digits."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

import numpy as np
import pytest

from superspike import ParameterError, Samples
from superspike.tasks import Split, speech
from superspike.tasks.speech import RATE, Ear, Espeak, Formants, SyntheticSpeech

SMALL = SyntheticSpeech(speakers=4, validation=1, test=1, repetitions=2, units=40)
ESPEAK = shutil.which("espeak-ng")
needs_espeak = pytest.mark.skipif(ESPEAK is None, reason="the program espeak-ng is not installed")


@cache
def small() -> Split:
    """What several tests look at."""
    return SMALL.make(1)


def tone(hz: float, ms: float = 300) -> np.ndarray:
    """A tone with a mean square of 1."""
    return np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(ms * RATE / 1000) / RATE)


def counts(samples: Samples, bins: int) -> np.ndarray:
    """Roots of each sample's spike counts per window of time and unit: features of even variance."""
    sample = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
    window = (samples.times / samples.duration * bins).astype(int)
    cells = (sample * bins + window) * samples.n_units + samples.units
    size = bins * samples.n_units
    return np.sqrt(np.bincount(cells, minlength=len(samples) * size).reshape(-1, size))


def linear_readout(train: Samples, test: Samples, bins: int) -> float:
    """Accuracy on ``test`` of a ridge regression onto the classes."""
    x, unknown = counts(train, bins), counts(test, bins)
    mean, scale = x.mean(axis=0), x.std()
    x, unknown = (x - mean) / scale, (unknown - mean) / scale
    weights = x.T @ np.linalg.solve(x @ x.T + 300 * np.eye(len(x)), np.eye(20)[train.labels] - 1 / 20)
    return float(np.mean((unknown @ weights).argmax(axis=1) == test.labels))


def test_every_speaker_says_every_word_and_no_part_shares_a_speaker() -> None:
    parts = small()
    assert [len(part) for part in parts] == [80, 40, 40]
    for part in parts:
        assert part.classes[:3] == ("zero", "one", "two") and part.classes[17:] == ("sieben", "acht", "neun")
        assert part.labels.tolist() == np.repeat(np.arange(20), 2).tolist() * (len(part) // 40)
        assert (part.n_units, part.duration) == (40, 800.0)
    alone = SMALL._replace(speakers=3).make(1)
    assert alone.train == parts.train[:40] and alone.validation == parts.train[40:]  # a speaker's samples are his own


def test_the_same_seed_makes_the_same_task() -> None:
    assert SMALL.make(1) == small()
    assert small().test != SMALL.make(2).test


def test_repetitions_differ() -> None:
    train = small().train
    assert all(
        not np.array_equal(first.spikes.times_ms, again.spikes.times_ms)
        for first, again in zip(train[::2], train[1::2], strict=True)
    )


def test_words_begin_after_a_silence_and_end_before_the_trial() -> None:
    for sample in small().train:
        times = sample.spikes.times_ms
        assert times[0] >= 15  # the silence is 20 ms; a window of the synthesiser and a filter smear what follows
        assert 100 < times[-1] - times[0] < 650
        assert 2 < len(times) / 40 < 40


def test_six_begins_and_ends_with_high_channels_and_has_low_ones_between() -> None:
    train = small().train
    for sample in train[train.labels == train.classes.index("six")]:
        third = np.quantile(sample.spikes.times_ms, [0.2, 0.8])
        parts = np.split(sample.spikes.ids, np.searchsorted(sample.spikes.times_ms, third))
        middle = np.median(parts[1])
        assert np.median(parts[0]) > middle < np.median(parts[2])


def test_a_tone_excites_the_channel_of_its_frequency_most() -> None:
    ear = Ear(100, 400)
    for hz in (200, 500, 1000, 3000, 6000):
        unit = int(ear._motion(tone(hz))[100:250].mean(axis=0).argmax())
        lowest, highest = np.log10(1 + 0.00437 * np.array([80, 7000]))  # the scale of Glasberg & Moore (1990)
        assert unit == pytest.approx(
            99 * (np.log10(1 + 0.00437 * hz) - lowest) / (highest - lowest), abs=1.5
        )  # a step and a half


def test_a_channel_is_the_gammatone_of_its_centre() -> None:
    ear, unit = Ear(50, 300), 20
    centre = (10 ** np.linspace(*np.log10(1 + 0.00437 * np.array([80, 7000])), 50)[unit] - 1) / 0.00437
    t = np.arange(0.2 * RATE) / RATE
    width = 1.019 * 24.7 * (1 + 0.00437 * centre)
    response = t**3 * np.exp(-2 * np.pi * width * t) * np.exp(2j * np.pi * centre * t)  # analytic, of a click at 0
    response *= 2 * (2 * np.pi * width) ** 4 / 6 / np.hypot(1, 1000 / centre) / RATE  # 1 at its centre, 2 for one side
    wanted = np.abs(response).reshape(-1, RATE // 1000)[:, :: RATE // 2000].mean(axis=1) / np.pi
    found = ear._motion(np.eye(1, RATE)[0])[: len(wanted), unit]
    np.testing.assert_allclose(found, wanted, atol=0.02 * wanted.max())  # a band of 2 kHz, single precision


def test_silence_is_silent_onsets_are_strong_and_neurons_refractory() -> None:
    ear = Ear(50, 400)
    fired = ear.hear([np.zeros(10), np.concatenate([np.zeros(100 * RATE // 1000), tone(1000)])])
    assert not fired[0].any() and not fired[1, :95].any()
    assert fired[1, 100:120].sum() > 1.3 * fired[1, 300:320].sum() > 0  # 1.3: an onset that an eye sees
    steps, units = np.nonzero(fired[1])
    assert min(np.diff(steps[units == unit]).min(initial=400) for unit in range(50)) > Ear.REFRACTORY


def test_the_pitch_of_a_voice_is_the_speakers() -> None:
    speaker = Formants(np.random.default_rng(3))
    sound = speaker.say("two")[int(0.08 * RATE) :][: int(0.1 * RATE)]  # in its vowel
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**16))
    f = np.fft.rfftfreq(2**16, 1 / RATE)
    candidates = np.arange(60, 400)
    heard = candidates[np.argmax([np.interp(np.arange(1, 6) * hz, f, spectrum).sum() for hz in candidates])]
    assert heard == pytest.approx(speaker._pitch, rel=0.2)  # which falls from 110 to 85 % in a word, and varies by 5 %


def test_words_are_told_apart_for_strangers_and_time_tells_more_than_counts() -> None:
    parts = SyntheticSpeech(speakers=14, validation=1, test=3, repetitions=3, units=40).make(1)
    by_counts, in_time = (linear_readout(parts.train, parts.test, bins) for bins in (1, 16))
    assert 0.25 < by_counts < 0.75  # of 180 samples; chance is 0.05
    assert by_counts + 0.1 < in_time < 1.0


def test_a_bounded_number_of_sounds_is_heard_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = small()
    monkeypatch.setattr(speech, "CHUNK", 7 * Ear(40, 800.0).size)
    assert SMALL.make(1) == whole


def test_what_comes_after_the_trial_is_left_out() -> None:
    whole, short = small().test, SMALL._replace(duration=199.5).make(1).test
    for sample, cut in zip(whole, short, strict=True):
        assert abs(len(cut.spikes.ids) - (sample.spikes.times_ms < 199.5).sum()) <= 20  # the filters feel the cut just before it
    assert short.times.max() < 199.5


@needs_espeak
def test_espeak_speaks_the_same_for_the_same_seed_and_is_what_auto_means() -> None:
    made, again = (SMALL._replace(speakers=3, repetitions=1, voice=voice).make(1) for voice in ("espeak", "auto"))
    assert made == again
    assert min(np.diff(made.train.offsets)) > 80  # two spikes per unit and word
    assert speech._speaker("auto") is Espeak


@needs_espeak
def test_a_voice_that_espeak_does_not_have_is_named() -> None:
    speaker = Espeak(np.random.default_rng(1))
    speaker._accent = "nonsense"
    with pytest.raises(
        ParameterError, match=r"-v nonsense\+.* one could not, got .*voice does not exist.*; say voice='formants'"
    ):
        speaker.say("one")


def test_where_espeak_is_missing_the_error_says_so_and_auto_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ParameterError, match=r"SyntheticSpeech\.voice: must be formants where .* got 'espeak'; install it"):
        SMALL._replace(voice="espeak").make(1)
    assert SMALL._replace(voice="auto").make(1) == small()


@pytest.mark.parametrize("said", [b"", b"no sound", None])
def test_an_espeak_that_gives_no_sound_is_named(monkeypatch: pytest.MonkeyPatch, said: bytes | None) -> None:
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        if said is None:
            raise subprocess.TimeoutExpired(command, 60)
        return subprocess.CompletedProcess(command, 0, said, b"")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ParameterError, match=r"SyntheticSpeech\.voice: must be able to speak, espeak-ng .* one could not, got "):
        Espeak(np.random.default_rng(1)).say("one")


def test_what_cannot_be_made_is_named() -> None:
    with pytest.raises(ParameterError, match=r"SyntheticSpeech\.speakers: must be > 3, those of .*, got 3; hold out fewer"):
        SyntheticSpeech(speakers=3, test=2, validation=1).make(1)
    with pytest.raises(ParameterError, match=r"SyntheticSpeech\.voice: must be one of formants, espeak, auto, got 'human'"):
        SyntheticSpeech(voice="human").make(1)
    with pytest.raises(ParameterError, match=r"SyntheticSpeech\.duration: must fit into memory"):
        SyntheticSpeech(duration=1e10).make(1)
    with pytest.raises(ParameterError, match=r"SyntheticSpeech\.seed"):
        SMALL.make(-1)

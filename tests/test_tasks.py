"""Inputs, targets and their windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib import get_data_path
from PIL import Image

from superspike import Network, ParameterError, Spikes, Task, tasks
from superspike.engine.simulation import Simulation
from superspike.lab import config
from superspike.tasks import INPUTS, TARGETS, pictures


@pytest.mark.parametrize("start", [0, 1, 37, 499, 500, 12_345])
@pytest.mark.parametrize("steps", [0, 1, 20, 500, 1301])
def test_a_window_holds_the_pattern_repeated(start: int, steps: int) -> None:
    rng = np.random.default_rng(1)
    task = Task(Spikes(rng.uniform(0, 49, 60), rng.integers(0, 5, 60), 5), Spikes([3.0], [1], 2), period_ms=50.0)
    pattern = task.in_steps(0.1)
    ends, ids = pattern.window(start, steps)[0]
    wanted = [
        (step, unit)
        for step in range(start, start + steps)
        for unit in sorted(task.inputs.ids[np.floor(task.inputs.times_ms * 10 + 1e-6).astype(int) == step % 500].tolist())
    ]
    at = np.repeat(np.arange(start, start + steps), np.diff(ends, prepend=0))
    assert list(zip(at.tolist(), ids.tolist(), strict=True)) == wanted


def test_the_period_is_the_end_rounded_up_to_10_ms() -> None:
    for last, period in ((497.7, 500.0), (1889.667, 1890.0), (990.0, 1000.0)):
        assert Task(Spikes([1.0], [0], 1), Spikes([last], [0], 1)).period_ms == period


def test_a_spike_beyond_the_period_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"Task\.targets: must lie before the period's end \(100 ms\), got a spike at 100 ms"
    ):
        Task(Spikes([1.0], [0], 1), Spikes([100.0], [0], 1), period_ms=100.0)


@given(
    st.sampled_from([0.01, 0.1, 1 / 3, 1.0, 4.0, 5.0]),
    st.integers(1, 5000),
    st.lists(st.floats(0, 1), max_size=5),
    st.sampled_from([0.0, 1e-6, 1.5e-6, 1e-4, 0.01]),
)
@example(4.0, 10, [1.0], 1.5e-6)
@example(5.0, 4000, [1.0], 0.01)
def test_what_a_task_takes_lies_within_its_period(dt: float, steps: int, parts: list[float], before: float) -> None:
    spikes = Spikes([max(0.0, part * steps * dt - before) for part in parts], [0] * len(parts), 1)
    try:
        task = Task(spikes, spikes, steps * dt)
    except ParameterError:
        return
    pattern = task.in_steps(dt)
    assert pattern.period == steps
    ends, ids = pattern.window(0, steps)[0]
    assert (len(ends), ends[-1], len(ids)) == (steps, len(spikes), len(spikes))
    early = task.in_steps(steps * dt)  # one step
    assert early.window(0, 1)[0][0].tolist() == [len(spikes)]


@pytest.mark.parametrize(("period", "dt"), [(100_000.05, 0.1), (1e-8, 0.1), (10.05, 0.1), (10.0, 4.0)])
def test_a_period_that_is_no_whole_number_of_steps_is_refused(period: float, dt: float) -> None:
    with pytest.raises(ParameterError, match=r"Task\.period_ms: must be a whole number of steps of .*; the nearest are"):
        Task(Spikes([], [], 1), Spikes([], [], 1), period).in_steps(dt)


def test_times_in_ms_are_not_taken_for_seconds(tmp_path: Path) -> None:
    (tmp_path / "in.ras").write_text("100.5 0\n2900 1\n")
    (tmp_path / "out.ras").write_text("0.5 0\n")
    with pytest.raises(
        ParameterError, match=r"Task\.inputs: .* period's end \(1000 ms\), got a spike at 2900000 ms; the times seem to be in ms"
    ):
        tasks.files(str(tmp_path / "in.ras"), str(tmp_path / "out.ras"), period_ms=1000.0)


def test_the_same_seed_gives_the_same_task() -> None:
    one, two, other = (tasks.poisson(n_inputs=20, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.inputs.times_ms, two.inputs.times_ms)
    assert not np.array_equal(one.inputs.times_ms, other.inputs.times_ms)


def test_poisson_noise_has_its_rate() -> None:
    spikes = tasks.poisson_spikes(200, 10.0, 10_000.0, np.random.default_rng(3))
    assert spikes.rate_hz(10_000.0) == pytest.approx(10.0, rel=0.03)  # 20,000 spikes: 0.7 % standard deviation


def test_regular_targets_are_those_of_figure_2() -> None:
    task = tasks.regular(n_inputs=100)
    np.testing.assert_allclose(task.targets.times_ms, 500 / 6 * np.arange(1, 6))


def test_a_text_is_read_from_left_to_right_and_upright() -> None:
    left, right = tasks.text("I ", outputs=30).targets, tasks.text("L", outputs=30).targets
    assert len(left)
    assert len(right)
    ink = tasks.text("L", outputs=30)
    early = ink.targets.times_ms < ink.period_ms / 2
    assert np.median(ink.targets.ids[~early]) < np.median(ink.targets.ids[early])  # the foot of the L is at the bottom right


def test_dark_pixels_spike_and_white_ones_do_not(tmp_path: Path) -> None:
    pixels = np.full((4, 10), 255, np.uint8)
    pixels[0, 5:] = 0  # the top row, right half
    pixels[3, :] = 128  # the bottom row, grey
    Image.fromarray(pixels).save(tmp_path / "p.png")
    task = tasks.picture(str(tmp_path / "p.png"), outputs=4, target_rate=50.0, period_ms=1000.0)
    counts = np.bincount(task.targets.ids, minlength=4)
    assert counts.tolist()[1:3] == [0, 0]
    assert counts[3] == pytest.approx(25, abs=1)  # 0.5 s at 50 Hz
    assert counts[0] == pytest.approx(25, abs=1)  # 1 s at half of that
    assert task.targets.train(3).min() >= 499


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK"])
def test_every_kind_of_picture_is_read(tmp_path: Path, mode: str) -> None:
    picture = Image.new("L", (20, 20), 255)
    picture.paste(0, (5, 5, 15, 15))
    ending = "jpg" if mode == "CMYK" else "png"
    picture.convert("RGB").convert(mode).save(tmp_path / f"p.{ending}")
    assert len(tasks.picture(str(tmp_path / f"p.{ending}"), outputs=20).targets) > 100


def test_transparent_ground_is_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 5, 10))
    picture.save(tmp_path / "p.png")
    task = tasks.picture(str(tmp_path / "p.png"), outputs=5)
    assert task.targets.times_ms.max() <= 501


def test_pictures_that_cannot_be_used_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no.png").write_bytes(b"not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("L", (10, 10), 255).save(tmp_path / "white.png")
    for name, message in (
        ("no.png", "cannot be read"),
        ("empty.png", "cannot be read"),
        ("white.png", "dark pixels"),
        ("gone.png", "does not exist"),
    ):
        with pytest.raises(ParameterError, match=message):
            tasks.picture(str(tmp_path / name))
    monkeypatch.setattr(pictures, "MAX_PIXELS", 50)
    with pytest.raises(ParameterError, match=r"at most 50 pixels, has 10 × 10; make it smaller"):
        tasks.picture(str(tmp_path / "white.png"))


@pytest.mark.parametrize("text", ["", "   ", "a\nb", "x" * 201])
def test_texts_that_cannot_be_written_are_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=r"Text\.text"):
        tasks.text(text)


def test_every_registered_target_and_input_makes_a_task(ras_files: tuple[str, str], tmp_path: Path) -> None:
    picture = Image.new("L", (10, 10), 0)
    picture.save(tmp_path / "black.png")
    needed = {"image": str(tmp_path / "black.png"), "target": ras_files[1], "input": ras_files[0], "set_size": 5}
    for targets in TARGETS.values():
        for inputs in INPUTS.values():
            made = [cls(**{name: needed[name] for name in cls._fields if name in needed}) for cls in (inputs, targets)]
            task = tasks.make(*made, period_ms=500.0)
            assert len(task.targets)
            assert len(task.inputs)


@pytest.mark.parametrize("period", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_periods_are_refused(period: float) -> None:
    with pytest.raises(ParameterError, match=r"Task\.period_ms: must be > 0 ms"):
        tasks.regular(period_ms=period)


DEJAVU = str(Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf"))  # Matplotlib brings it along


@pytest.mark.parametrize("text", ["中文", "HI €", "1½"])
def test_letters_that_the_font_lacks_are_refused_by_name(text: str) -> None:
    letters = "".join(letter for letter in text if ord(letter) > 127)
    with pytest.raises(ParameterError, match=rf"^Text\.text: .* lacks '{letters}'; give a font \(--font FILE\) that has them"):
        tasks.text(text)


def test_a_font_of_ones_own_writes_what_the_built_in_one_lacks() -> None:
    one, two = (tasks.text(text, font=DEJAVU).targets for text in ("½", "€"))
    assert len(one) > 100
    assert one != two
    with pytest.raises(ParameterError, match=r"DejaVuSans\.ttf only, which lacks '中文'; give another font that has them"):
        tasks.text("A 中文", font=DEJAVU)


def test_fonts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.ttf").write_bytes(b"not a font")
    (tmp_path / "half.ttf").write_bytes(Path(DEJAVU).read_bytes()[:1000])
    (tmp_path / "folder.ttf").mkdir()
    unread = {"no.ttf": "cannot be read", "half.ttf": "cannot be read"}
    for name, message in (unread | {"gone.ttf": "does not exist", "folder.ttf": "is no file"}).items():
        with pytest.raises(ParameterError, match=rf"{name}: must be a font file \(TTF, OTF\), {message}"):
            tasks.text("A", font=str(tmp_path / name))


def test_a_config_file_names_its_font_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.ttf").write_bytes(Path(DEJAVU).read_bytes())
    (tmp_path / "c.toml").write_text('text = "€"\nfont = "mine.ttf"\n', encoding="utf-8-sig")  # with a byte-order mark
    task, network, training = config.build(config.read(tmp_path / "c.toml"))
    table = config.table(task, network, training, initial_weights=False)
    assert table["font"] == str(tmp_path / "mine.ttf")
    assert config.build(table)[0].targets == task.targets
    plain = config.build({"text": "A"})
    assert "font" not in config.table(*plain, initial_weights=False)
    assert config.merge(table, {"text": "½"})["font"] == table["font"]
    for other in ({"task": "regular"}, {"image": "p.png"}):
        assert "font" not in config.merge(table, other)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_greys_of_more_than_8_bits_are_scaled(tmp_path: Path, mode: str) -> None:
    ramp = np.tile(np.arange(256), (20, 1))
    wide = {"I;16": (257 * ramp).astype(np.uint16), "I": (257 * ramp).astype(np.int32), "F": (ramp / 255).astype(np.float32)}[
        mode
    ]
    ending = "png" if mode == "I;16" else "tif"
    Image.fromarray(wide).save(tmp_path / f"wide.{ending}")
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "ramp.png")
    with Image.open(tmp_path / f"wide.{ending}") as picture:
        assert picture.mode == mode
    wide_task, task = (tasks.picture(str(tmp_path / name), outputs=20) for name in (f"wide.{ending}", "ramp.png"))
    assert wide_task.targets == task.targets


@pytest.mark.parametrize(("value", "found"), [(1.5, r"0 … 1\.5"), (-1.0, "-1 … 0"), (np.nan, "nan … nan")])
def test_greys_without_a_known_white_are_refused(tmp_path: Path, value: float, found: str) -> None:
    grey = np.zeros((5, 5), np.float32)
    grey[0, 0] = value
    Image.fromarray(grey).save(tmp_path / "p.tif")
    with pytest.raises(ParameterError, match=rf"p\.tif: must have greys in 0 … 1 \(white\), has {found}; save it with 8 bits"):
        tasks.picture(str(tmp_path / "p.tif"))


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    pixels = np.full((10, 20), 255, np.uint8)
    pixels[:5] = 0
    exif = Image.Exif()
    exif[0x0112] = 3  # orientation: upside down
    Image.fromarray(pixels).save(tmp_path / "p.png", exif=exif)
    assert tasks.picture(str(tmp_path / "p.png"), outputs=10).targets.ids.max() == 4  # the lower half is dark


@pytest.mark.parametrize("nonsense", [None, [1.0, 2.0], np.zeros((2, 3))])
def test_inputs_and_targets_that_are_no_spikes_are_refused(nonsense: Any) -> None:
    spikes = Spikes([1.0], [0], 1)
    for name, arguments in (("inputs", (nonsense, spikes)), ("targets", (spikes, nonsense))):
        with pytest.raises(ParameterError, match=rf"Task\.{name}: must be Spikes, got {type(nonsense).__name__}"):
            Task(*arguments)


def test_ids_that_were_written_over_never_reach_an_engine() -> None:
    task = Task(Spikes([1.0, 2.0], [0, 1], 2), Spikes([1.0], [0], 1))
    task.inputs.ids[0] = 2_000_000_000
    with pytest.raises(ParameterError, match=r"Spikes\.ids: must be whole numbers in 0 … 1, got 2000000000"):
        Simulation(Network([2, 1]), task)


@pytest.mark.parametrize(
    "make",
    [tasks.regular, tasks.poisson, tasks.xor, lambda period_ms: tasks.text("HI", period_ms=period_ms),
     lambda period_ms: tasks.regular(n_inputs=1, input_rate=1e-9, period_ms=period_ms)],
)  # fmt: skip
def test_a_period_of_more_spikes_than_memory_holds_is_refused_at_once(make: Any) -> None:
    with pytest.raises(ParameterError, match=r"^Task\.period_ms: must need at most 4 GiB of memory, got 1e\+12 ms"):
        make(period_ms=1e12)

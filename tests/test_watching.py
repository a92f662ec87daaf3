"""Looking at runs: while they go on, after they were killed, and over their whole course."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from test_checkpoint import FIT, SMALL, STREAMS, assert_same, interrupted

import superspike as ss
from superspike.cli import main
from superspike.lab import config, job, watching
from superspike.lab.checkpoint import WISH, Keeper
from superspike.lab.folder import CHECKPOINT, OWN, is_reserved, reserve

LONG = [
    "--text",
    "HI",
    "--inputs",
    "60",
    "--outputs",
    "20",
    "--hidden",
    "40",
    "--duration",
    "20000s",
    "--quiet",
    "--burn-in",
    "0",
]


def plot(*arguments: str) -> list[str]:
    """What the command prints."""
    result = CliRunner().invoke(main, ["plot", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
@pytest.mark.parametrize("table", [STREAMS[1], FIT], ids=["stream", "samples"])
def test_a_run_that_has_not_ended_is_seen_as_it_stands_and_left_as_it_is(table: dict, tmp_path: Path) -> None:
    whole = job.carry_out(*config.build(table))
    interrupted(table, tmp_path / "run", 5)
    before = (tmp_path / "run" / OWN / CHECKPOINT).read_bytes()
    seen = watching.as_it_stands(tmp_path / "run")
    assert seen.interrupted
    assert (tmp_path / "run" / OWN / CHECKPOINT).read_bytes() == before
    if isinstance(seen, ss.Run):
        for name, values in seen.metrics.items():
            np.testing.assert_array_equal(values, whole.metrics[name][:5])
        assert seen.spikes["output"] == whole.spikes["output"].between(0, seen.windows_ms[-1][1])
    else:
        assert seen.test is None
        np.testing.assert_array_equal(seen.progress["loss"], whole.progress["loss"][:5])
    assert len(plot(str(tmp_path / "run"))) == len(seen.pictures)
    assert_same(ss.resume(tmp_path / "run"), whole)


def test_pictures_are_redrawn_while_a_run_goes_on_and_end_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "REDRAW_S", 0.0)
    run = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-m", "superspike", "train", *LONG, "--out", str(run)])
    while not is_reserved(run):
        time.sleep(0.05)
    seen, drawn = [], watching.live(run)
    for state in drawn:
        seen.append(state.metrics["time_ms"][-1])
        if len(seen) == 2:
            process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert seen == sorted(set(seen))  # each is newer
    assert len(seen) >= 3
    assert not (run / OWN).exists()
    (line,) = plot(str(run), "--live")  # a run that has ended is drawn once
    assert line == f"{seen[-1] / 1000:g} s: {run / 'learning.png'}, {run / 'raster.png'}"


def test_a_run_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    said = "must have written a checkpoint, goes on without one; try again, or wait for its end"
    with reserve(tmp_path / "run"), pytest.raises(ss.ParameterError, match=said):
        watching.as_it_stands(tmp_path / "run")


def test_a_run_that_was_killed_is_drawn_once_more_and_can_still_be_replaced(tmp_path: Path) -> None:
    interrupted(SMALL, tmp_path / "run", 5)
    (line,) = plot(str(tmp_path / "run"), "--live")
    assert line.startswith("2.5 s: ")
    train = ["train", "--out", str(tmp_path / "run"), "--text", "I", "--duration", "1s", "--quiet"]
    refused = CliRunner().invoke(main, train)
    assert refused.exit_code == 2
    assert "goes on with it, force (--force) replaces it" in refused.output
    assert CliRunner().invoke(main, [*train, "--force"]).exit_code == 0


def test_wishes_for_checkpoints_cost_a_run_a_hundredth_of_its_time_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("superspike.lab.checkpoint.time.perf_counter", lambda: now[0])
    monkeypatch.setattr("superspike.lab.checkpoint.os.fsync", lambda file: now.__setitem__(0, now[0] + 0.5))  # a slow disk
    with reserve(tmp_path / "run") as own:
        keeper = Keeper(own, 1e6)
        keeper.begin("stream", lambda new: (new / "config.toml").write_text(""))
        written = []
        for _ in range(2000):
            now[0] += 0.1
            (own / OWN / WISH).touch()
            if keeper.due(ends=False):
                keeper.write({})
                written.append(now[0])
    assert len(written) > 3
    assert np.diff(written).min() >= 50


def test_a_run_s_course_is_animated_whether_or_not_it_has_kept_its_spikes(tmp_path: Path) -> None:
    table = SMALL | {"text": "I", "period": "500ms", "duration": "6s"}
    whole = job.carry_out(*config.build(table | {"record": "spikes"}))
    whole.save(tmp_path / "whole", pictures=False)
    job.carry_out(*config.build(table)).save(tmp_path / "short", pictures=False)
    movies = []
    for name in ("whole", "short"):
        assert watching.repeated(tmp_path / name).spikes == whole.spikes
        movies.append(tmp_path / f"{name}.gif")
        assert plot(str(tmp_path / name), "--animate", str(movies[-1])) == [str(movies[-1])]
    assert movies[0].read_bytes() == movies[1].read_bytes()
    with Image.open(movies[0]) as movie:
        assert movie.n_frames == 12 + 1  # 0.9 s of burn-in and 6 s, in periods of 500 ms
        first = np.asarray(movie.convert("RGB"))
        movie.seek(movie.n_frames - 1)
        assert (first != np.asarray(movie.convert("RGB"))).any()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short", "short.gif", "whole", "whole.gif"]


def test_an_interrupted_run_is_repeated_as_far_as_it_came(tmp_path: Path) -> None:
    with reserve(tmp_path / "run") as own:
        run = job.carry_out(*config.build(SMALL), keeper=Keeper(own), on_block=lambda progress: progress.time_ms < 3000)
        run.write(own)
    assert run.interrupted
    assert watching.repeated(tmp_path / "run").metrics["time_ms"].tolist() == run.metrics["time_ms"].tolist()


def test_a_movie_is_written_by_ffmpeg(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    job.carry_out(*config.build(SMALL | {"duration": "1s"})).save(tmp_path / "run", pictures=False)
    plot(str(tmp_path / "run"), "--animate", str(tmp_path / "movie.mp4"))
    assert (tmp_path / "movie.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
@pytest.mark.parametrize(
    ("table", "name", "said"),
    [
        (SMALL, "movie.avi", "movie.avi: the ending: must be one of .gif, .mp4, got '.avi'"),
        (FIT, "movie.gif", "must be a run on a stream, learns samples"),
        (SMALL | {"layers": "2.neuron=readout", "loss": "squared_error"}, "movie.gif", "must be a run whose outputs spike"),
        (SMALL, "nowhere/movie.gif", "movie.gif: must be a file in a folder that may be written to, is not"),
    ],
    ids=["ending", "samples", "readout", "folder"],
)
def test_what_cannot_be_animated_is_refused_before_anything_is_repeated(
    table: dict, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.carry_out(*config.build(table)).save(tmp_path / "run", pictures=False)
    monkeypatch.setattr(watching, "train", None)
    result = CliRunner().invoke(main, ["plot", str(tmp_path / "run"), "--animate", str(tmp_path / name)])
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("other", [[], ["--live"], ["--out", "pictures"]])
def test_no_folder_is_made_for_the_pictures_of_no_run(other: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["plot", "nothing", *other]).exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", [["--live"], ["--out", "pictures"]])
def test_a_movie_comes_alone(other: list[str]) -> None:
    result = CliRunner().invoke(main, ["plot", "run", "--animate", "movie.gif", *other])
    assert result.exit_code == 2
    assert f"{other[0].removeprefix('--')}: must be left out, animate draws one movie into a file" in result.output

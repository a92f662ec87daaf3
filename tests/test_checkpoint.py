"""Checkpoints: a run that was interrupted or killed goes on to the last bit, and nothing that is broken is gone on with."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import superspike as ss
from superspike.cli import main
from superspike.lab import config, job
from superspike.lab.checkpoint import SCHEMA, Keeper, read_checkpoint
from superspike.lab.folder import CHECKPOINT, OWN, reserve
from superspike.model.feedback import FEEDBACKS

SMALL = {"text": "HI", "inputs": 30, "outputs": 10, "hidden": "12", "duration": "7300ms", "burn_in": "900ms"}
STREAMS: list[dict[str, Any]] = [
    SMALL,
    SMALL | {"learning_rate_drop": "2s", "feedback": "random", "regularise": 1.0, "record": "spikes", "engine": "clock"},
    SMALL | {"recurrent": "true", "projections": "v1.mask=0.5,w0.signs=0.8,w1.delay=3ms", "precision": "double"},
    {"task": "xor", "inputs": 30, "hidden": "12", "loss": "windowed", "duration": "7s", "period": "2s", "gap_min": "50ms", "gap_max": "60ms", "set_size": 10},
    SMALL | {"layers": "2.neuron=readout,2.tau_mem=20ms", "loss": "squared_error", "optimizer": "adam"},
]  # fmt: skip
FIT = {"task": "randman", "samples": "30", "classes": "3", "hidden": "10", "epochs": 3, "dropout": 0.2, "feedback": "random"}


def until(n: int) -> Any:
    """What ends a run at its n-th report."""
    seen: list[Any] = []

    def report(progress: Any) -> bool:
        seen.append(progress)
        return len(seen) < n

    return report


def interrupted(table: dict[str, Any], folder: Path, reports: int) -> None:
    """A run that has been killed behind a report: its checkpoint is all that there is."""
    name = "on_report" if job.learns_samples(table) else "on_block"
    with reserve(folder) as own:
        job.carry_out(*config.build(table), keeper=Keeper(own), **{name: until(reports)})
    assert [path.name for path in folder.iterdir()] == [OWN]
    assert [path.name for path in (folder / OWN).iterdir()] == [CHECKPOINT]


def assert_same(found: Any, whole: Any) -> None:
    """All but the time that it took."""
    for ours, theirs in zip(found.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name in whole.metrics:
        if name != "us_per_sample":
            np.testing.assert_array_equal(found.metrics[name], whole.metrics[name])
    assert getattr(found, "spikes", None) == getattr(whole, "spikes", None)
    times = ("real_time_factor", "us_per_sample", "seconds_per_epoch")
    ours, theirs = ({name: x for name, x in run.summary().items() if name not in times} for run in (found, whole))
    assert ours == theirs


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
@pytest.mark.parametrize("table", [*STREAMS, FIT], ids=str)
def test_an_interrupted_run_goes_on_to_the_last_bit(table: dict[str, Any], tmp_path: Path) -> None:
    whole = job.carry_out(*config.build(table))
    interrupted(table, tmp_path / "run", 5)
    assert_same(ss.resume(tmp_path / "run"), whole)
    assert_same(job.load(tmp_path / "run"), whole)
    assert not (tmp_path / "run" / OWN).exists()


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
@pytest.mark.parametrize(
    ("table", "more", "longer"), [(SMALL, 1500, {"duration": "8800ms"}), (FIT, 2, {"epochs": 5})], ids=["stream", "samples"]
)
def test_a_run_that_has_ended_goes_on_for_longer(
    table: dict[str, Any], more: float, longer: dict[str, Any], tmp_path: Path
) -> None:
    """The stream ends within a block, and goes on from that block's beginning."""
    with reserve(tmp_path / "run") as own:
        job.carry_out(*config.build(table), keeper=Keeper(own)).write(own)
    with pytest.raises(
        ss.ParameterError, match=r"run: must be a run that has not ended, has; say how much longer it shall go on"
    ):
        ss.resume(tmp_path / "run")
    assert_same(ss.resume(tmp_path / "run", more), job.carry_out(*config.build(table | longer)))
    assert config.read(tmp_path / "run" / "config.toml") | longer == config.read(tmp_path / "run" / "config.toml")


def test_a_checkpoint_holds_the_files_of_its_task(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 2, (8, 40)).astype(np.uint8) * 255
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    np.savez(tmp_path / "weights.npz", w0=np.full((20, 8), 5.0))
    table = {
        "image": str(tmp_path / "picture.png"), "weights": str(tmp_path / "weights.npz"), "inputs": 20, "outputs": 8, "hidden": "0",
        "duration": "5s",
    }  # fmt: skip
    whole = job.carry_out(*config.build(table))
    interrupted(table, tmp_path / "run", 3)
    (tmp_path / "picture.png").unlink()
    (tmp_path / "weights.npz").unlink()
    (tmp_path / "run").rename(tmp_path / "moved")
    found = ss.resume(tmp_path / "moved")
    assert_same(found, whole)
    np.testing.assert_array_equal(found.initial_weights[0], np.full((20, 8), 5.0, np.float32))
    assert_same(ss.train(ss.Network([20, 8], weights=found.initial_weights), found.task, 5000.0), whole)


def assert_same_files(run: Path, whole: Path) -> None:
    """All files of two runs' folders, bit for bit, but for the time that they took."""
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in whole.iterdir())
    for ours, theirs in ((path, whole / path.name) for path in run.iterdir()):
        if ours.name == CHECKPOINT:
            found, expected = read_checkpoint(run), read_checkpoint(whole)
            assert found.header._replace(elapsed_s=0.0) == expected.header._replace(elapsed_s=0.0)
            assert found.files == expected.files
            for name in expected.arrays:
                rows = slice(None, -2) if name == "learner/rows" else slice(None)  # the last two: time, and nan for no validation
                x, y = (np.atleast_1d(arrays[name])[..., rows] for arrays in (found.arrays, expected.arrays))
                np.testing.assert_array_equal(x, y, err_msg=name)
        elif ours.suffix == ".json":
            times = ("real_time_factor", "us_per_sample", "seconds_per_epoch")
            assert [without(json.loads(path.read_text()), times) for path in (ours, theirs)] == 2 * [
                without(json.loads(theirs.read_text()), times)
            ]
        elif ours.suffix == ".csv":
            columns = [np.genfromtxt(path, delimiter=",", names=True) for path in (ours, theirs)]
            for name in columns[1].dtype.names:
                assert name == "us_per_sample" or columns[0][name].tobytes() == columns[1][name].tobytes(), name
        else:
            assert ours.read_bytes() == theirs.read_bytes(), ours.name


def without(table: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A table without these."""
    return {name: x for name, x in table.items() if name not in names}


LAST = {"layers": "2.neuron=readout,2.tau_mem=20ms"}
LOSSES = [("van_rossum", {}), ("windowed", {}), ("squared_error", LAST), ("cross_entropy", LAST)]


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
@pytest.mark.parametrize("engine", ["event", "clock"])
def test_every_loss_and_feedback_goes_on_in_both_engines_and_with_two_threads(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engines share the pairs of a loss and a feedback; the event engine has each feedback with one and with two threads."""
    rng = np.random.default_rng(4)
    for k in range(10) if engine == "event" else range(10, 20):
        (loss, more), feedback, threads = LOSSES[k % 4], [*FEEDBACKS][k % 5], 1 + k // 5 % 2
        table = SMALL | more | {"loss": loss, "feedback": feedback, "engine": engine, "duration": "3s", "w0": "60mV"}
        monkeypatch.setattr("superspike.engine.simulation.threads_for", lambda where, threads=threads: threads)
        run, whole = tmp_path / f"run-{k}", tmp_path / f"whole-{k}"
        with reserve(whole) as own:
            job.complete(own, config.build(table), Keeper(own))
        interrupted(table, run, int(rng.integers(1, 7)))
        ss.resume(run, pictures=False)
        assert_same_files(run, whole)


@pytest.mark.parametrize("k", range(5))
def test_every_loss_of_trials_goes_on_with_any_feedback_and_two_threads(k: int, tmp_path: Path) -> None:
    loss = ("max_over_time", "mean_over_time", "weighted_sum", "last_step", "each_step")[k]
    table = FIT | {"loss": loss, "feedback": [*FEEDBACKS][k], "threads": 1 + k % 2, "epochs": 2}
    with reserve(tmp_path / "whole") as own:
        job.complete(own, config.build(table), Keeper(own))
    interrupted(table, tmp_path / "run", 3 * k + 2)
    ss.resume(tmp_path / "run", pictures=False)
    assert_same_files(tmp_path / "run", tmp_path / "whole")


KILLED = """
import json, os, signal, sys, time, traceback, warnings
from pathlib import Path
import numpy as np
import superspike as ss
from superspike.engine import simulation
from superspike.lab import config, job
from superspike.lab.checkpoint import Keeper, read_checkpoint
from superspike.lab.folder import CHECKPOINT, OWN, reserve
from superspike.model.feedback import FEEDBACKS

warnings.simplefilter("ignore", ss.SilentNetworkWarning)
table, threads, kills, seed = json.loads(sys.argv[1])
simulation.threads_for = lambda where: threads
checkpoint, rng = Path("run", OWN, CHECKPOINT), np.random.default_rng(seed)


def go(folder, every_s):
    if Path(folder, OWN, CHECKPOINT).exists():
        ss.resume(folder, checkpoint_s=every_s, pictures=False)
    else:
        with reserve(folder) as own:
            job.complete(own, config.build(table), Keeper(own, every_s))


go("whole", 60.0)  # which compiles as well
for kill in range(kills):
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    child = os.fork()
    if not child:
        try:
            go("run", 0.005)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    while kill % 3 and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before):
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    if checkpoint.exists():
        print(read_checkpoint("run").header.elapsed_s, flush=True)  # there is always a whole one
go("run", 60.0)
"""


@pytest.mark.parametrize(
    ("table", "threads"),
    [
        (SMALL | {"duration": "900s", "feedback": "random"}, 1),
        (SMALL | {"duration": "900s", "recurrent": "true"}, 2),
        (SMALL | {"duration": "200s", "engine": "clock"}, 1),
        (FIT | {"samples": "300", "epochs": 150, "hidden": "40", "threads": 2}, 1),
    ],
    ids=["event", "two threads", "clock", "samples"],
)
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_never_had_been(
    table: dict[str, Any], threads: int, tmp_path: Path
) -> None:
    """Twenty times in all, at random moments, the first of them before there can be a checkpoint."""
    arguments = [sys.executable, "-c", KILLED, json.dumps([table, threads, 5, len(table)])]
    ended = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    elapsed = [float(line) for line in ended.stdout.split()]
    assert len(elapsed) >= 3
    assert elapsed == sorted(elapsed)  # nothing that a checkpoint holds is lost
    assert_same_files(tmp_path / "run", tmp_path / "whole")


COMMAND = [sys.executable, "-m", "superspike"]
LONG = ["--text", "HI", "--inputs", "60", "--outputs", "20", "--hidden", "40", "--duration", "400s", "--quiet"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_with_all_that_it_has(number: int, status: int, tmp_path: Path) -> None:
    command = ["train", *LONG[:-3], "--duration", "3000s", "--checkpoint", "20ms", "--out", "run"]
    process = subprocess.Popen([*COMMAND, *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "run" / OWN / CHECKPOINT).exists():
        time.sleep(0.01)
    process.send_signal(number)
    _, error = process.communicate()
    assert process.returncode == status, error
    assert "stopping at the end of this block" in error
    run = ss.Run.load(tmp_path / "run")
    assert run.interrupted
    assert run.metrics["time_ms"][-1] < 3_000_000
    step = int(read_checkpoint(tmp_path / "run").arrays["simulation/step"])
    assert (step - 1) * 0.1 == pytest.approx(run.metrics["time_ms"][-1])  # nothing is lost


def command(*arguments: str | Path, status: int = 0) -> str:
    found = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert found.exit_code == status, found.output
    return str(found.output)


def test_a_folder_with_a_run_that_has_not_ended_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    interrupted(SMALL, tmp_path / "run-1", 3)
    assert "superspike resume run-1 goes on with it, force (--force) replaces it" in command(
        "train", "--task", "regular", "--out", "run-1", status=2
    ).replace("\n", " ")
    short = ["train", "--task", "regular", "--inputs", "5", "--outputs", "2", "--hidden", "0", "--duration", "1s", "--quiet"]
    command(*short)
    assert (tmp_path / "run-2" / "config.toml").is_file()  # the next name that is free
    command(*short, "--out", "run-1", "--force", "--checkpoint", "0")
    assert ss.Run.load("run-1").network.sizes == [5, 2]
    assert not (tmp_path / "run-1" / CHECKPOINT).exists()
    assert "run-1: must hold checkpoint.npz, from which a run goes on, has none" in command("resume", "run-1", status=2)


def test_two_processes_do_not_go_on_with_one_run(tmp_path: Path) -> None:
    interrupted(SMALL, tmp_path / "run", 3)
    with (
        reserve(tmp_path / "run", resume=True),
        pytest.raises(ss.ParameterError, match=r"run: must be free, is reserved for a run that goes on"),
    ):
        ss.resume(tmp_path / "run")


def rewritten(path: Path, **arrays: Any) -> None:
    """A checkpoint with other arrays; None: without one."""
    with np.load(path) as file:
        held = dict(file) | arrays
    np.savez(path, **{name: x for name, x in held.items() if x is not None})


def header(path: Path, **fields: Any) -> np.ndarray:
    with np.load(path) as file:
        words = json.loads(file["header"].tobytes()) | fields
    return np.frombuffer(json.dumps(words).encode(), np.uint8)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), r"checkpoint\.npz: must be a checkpoint, cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), r"checkpoint\.npz: must be a checkpoint, cannot be read"),
        (lambda path: path.write_bytes(b"nothing of the kind"), r"checkpoint\.npz: must be a checkpoint, cannot be read"),
        (lambda path: np.savez(path, a=np.zeros(3)), r"checkpoint\.npz: must be a checkpoint, cannot be read"),
        (
            lambda path: path.write_bytes(path.read_bytes().replace(b"simulation/w", b"simulation/x", 1)),
            r"checkpoint\.npz: must be a checkpoint, cannot be read",
        ),
        (
            lambda path: rewritten(path, header=header(path, schema=SCHEMA + 1, version="9.9")),
            r"must be a checkpoint of schema \d, is of \d, written by superspike 9\.9; go on with that version, or train anew",
        ),
        (lambda path: rewritten(path, **{"simulation/m": None}), r"must be a checkpoint of this run, does not fit it"),
        (lambda path: rewritten(path, **{"simulation/w": np.zeros(3, np.float32)}), r"must be a checkpoint of this run, .* with w"),
        (lambda path: rewritten(path, **{"metrics/rows": np.zeros((2, 3, 4))}), r"must be a checkpoint of this run, does not fit it"),
        (lambda path: rewritten(path, **{"file/config.toml": None}), r"must be a checkpoint of a run, with its config\.toml, is not"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_damaged_or_anothers_is_refused(damage: Any, message: str, tmp_path: Path) -> None:
    interrupted(SMALL, tmp_path / "run", 3)
    path = tmp_path / "run" / OWN / CHECKPOINT
    damage(path)
    before = path.read_bytes()
    with pytest.raises(ss.ParameterError, match=message):
        ss.resume(tmp_path / "run")
    assert path.read_bytes() == before
    assert "Error" in command("resume", tmp_path / "run", status=2)


def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    tables = {"run": SMALL, "other": SMALL | {"learning_rate": "0.5mV"}}
    for name, table in tables.items():
        with reserve(tmp_path / name) as own:
            job.carry_out(*config.build(table), keeper=Keeper(own)).write(own)
    (tmp_path / "other" / CHECKPOINT).replace(tmp_path / "run" / CHECKPOINT)
    with pytest.raises(
        ss.ParameterError, match=r"must be of the run in .*, is of one with another learning_rate, '0\.5mV' instead of '1mV'"
    ):
        ss.resume(tmp_path / "run", 1000)


def test_what_cannot_be_written_is_said_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    """The system refuses what is larger than it allows a file to be, in the middle of the file."""
    interrupted(SMALL, tmp_path / "run", 3)
    path = tmp_path / "run" / OWN / CHECKPOINT
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        found = command("resume", tmp_path / "run", "--checkpoint", "1ms", status=2).replace("\n", " ")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "must be written, cannot (File too large). The one before is whole: make room, and superspike resume" in found
    assert path.read_bytes() == before
    assert [entry.name for entry in (tmp_path / "run" / OWN).iterdir()] == [CHECKPOINT]


ON_A_DISK = """
import json, shutil, subprocess, sys
from pathlib import Path
from click.testing import CliRunner
from superspike.cli import main
from superspike.lab import config, job
from superspike.lab.checkpoint import Keeper
from superspike.lab.folder import CHECKPOINT, OWN, reserve


def said(*arguments):
    found = CliRunner().invoke(main, arguments)
    return found.exit_code, found.output.replace("\\n", " "), checkpoint.exists() and checkpoint.read_bytes() == before


checkpoint, before = Path("run", OWN, CHECKPOINT), b""
with reserve("run") as own:
    job.carry_out(*config.build(json.loads(sys.argv[1])), keeper=Keeper(own), on_block=lambda progress: progress.time_ms < 1500)
before = checkpoint.read_bytes()
assert len(before) > 2**20
filler = Path("filler")
filler.write_bytes(bytes(shutil.disk_usage(".").free - 2**20 - 2**15))
full = said("resume", "run", "--checkpoint", "1ms", "--quiet")
filler.write_bytes(bytes(filler.stat().st_size + 2**16))
fuller = said("resume", "run", "--quiet")
filler.unlink()
subprocess.run(["mount", "-o", "remount,ro", "."], check=True)
read_only = [said("resume", "run", "--quiet"), said("train", "--quiet", "--out", "new"), said("report", "run")]
subprocess.run(["mount", "-o", "remount,rw", "."], check=True)
print(json.dumps([full, fuller, *read_only, said("resume", "run", "--quiet")]))
"""


def test_a_full_disk_and_a_read_only_one_are_said_and_leave_the_checkpoint_before(tmp_path: Path) -> None:
    """Real ones: a small file system in memory, which this process alone sees."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = [*alone, "sh", "-c", 'mount -t tmpfs -o size=5m none "$1" && cd "$1" && shift && exec "$@"', "sh", str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a file system of his own")
    table = SMALL | {"inputs": "250", "hidden": "250", "outputs": "30"}
    ended = subprocess.run(
        [*mount, sys.executable, "-c", ON_A_DISK, json.dumps(table)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    full, fuller, read_only, new, report, at_last = json.loads(ended.stdout)
    assert (full[0], full[2]) == (2, True)
    assert (
        "must be written, cannot (No space left on device). The one before is whole: make room, and superspike resume" in full[1]
    )
    assert (fuller[0], fuller[2]) == (2, True)
    assert "run: must be on a disk with room" in fuller[1]
    for found in (read_only, new):
        assert (found[0], found[2]) == (2, True)
        assert "must be in a folder that may be written to" in found[1]
    assert report[0] == 2
    assert at_last[0] == 0


def test_other_sources_are_a_warning(tmp_path: Path) -> None:
    interrupted(SMALL, tmp_path / "run", 3)
    path = tmp_path / "run" / OWN / CHECKPOINT
    rewritten(path, header=header(path, sources="others"))
    with pytest.warns(
        UserWarning, match=r"was written by other sources \(superspike .*\): the run goes on, maybe not bit for bit"
    ):
        ss.resume(tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "1"], "epochs: must be left out, the run in"),
        (["--duration", "5"], "duration: must be a number with its unit"),
        (["--checkpoint", "5"], "checkpoint: must be a number with its unit"),
        (["--checkpoint=-5s"], "checkpoint_s: must be >= 0 s, got -5.0"),
    ],
)
def test_what_a_run_cannot_go_on_with_is_said(options: list[str], message: str, tmp_path: Path) -> None:
    interrupted(SMALL, tmp_path / "run", 3)
    assert message in command("resume", tmp_path / "run", *options, status=2).replace("\n", " ")
    assert (tmp_path / "run" / OWN / CHECKPOINT).is_file()

"""The command line, through real processes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import superspike as ss
from superspike.cli import main
from superspike.lab import config

NUMBERS = {"config.toml", "metrics.csv", "weights.npz", "spikes.npz", "summary.json", "checkpoint.npz"}
FILES = NUMBERS | {"learning.png", "raster.png"}
SHORT = ["--duration", "2s", "--hidden", "20", "--text", "HI"]


def superspike(*arguments: str, cwd: Path, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``superspike`` and check its exit status."""
    found = subprocess.run(
        [sys.executable, "-m", "superspike", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )
    assert found.returncode == code, found.stdout + found.stderr
    assert "Traceback" not in found.stderr
    return found


def test_train_evaluate_and_plot(tmp_path: Path) -> None:
    found = superspike("train", *SHORT, "--out", "a", "--json", cwd=tmp_path)
    summary = json.loads(found.stdout)
    assert {"cost", "cost_initial", "real_time_factor", "rates_hz"} <= set(summary)
    assert set(summary["rates_hz"]) == {"input", "hidden1", "output"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == FILES
    with np.load(tmp_path / "a" / "weights.npz") as weights:
        assert weights["w0"].shape == (200, 20)
        assert weights["w1"].shape == (20, 50)
    with np.load(tmp_path / "a" / "spikes.npz") as spikes:
        assert {f"{layer}_{what}" for layer in ("input", "hidden1", "output", "target") for what in ("times_ms", "ids")} <= set(
            spikes.files
        )

    evaluation = json.loads(superspike("evaluate", "a", "--json", cwd=tmp_path).stdout)
    assert {"cost", "rates_hz", "hits", "misses", "extra"} <= set(evaluation)
    assert "target spikes" in superspike("evaluate", "a", "--duration", "1s", "--engine", "clock", cwd=tmp_path).stdout

    (tmp_path / "a" / "raster.png").unlink()
    superspike("plot", "a", cwd=tmp_path)
    assert (tmp_path / "a" / "raster.png").stat().st_size > 10_000


def test_a_config_file_repeats_its_run_and_options_override_it(tmp_path: Path) -> None:
    superspike("train", *SHORT, "--out", "a", "--quiet", "--feedback", "random", cwd=tmp_path)
    superspike("train", "a/config.toml", "--out", "b", "--quiet", cwd=tmp_path)
    superspike("train", "a/config.toml", "--out", "c", "--quiet", "--seed", "9", "--learning-rate", "0.5mV", cwd=tmp_path)
    loaded = {}
    for name in "abc":
        with np.load(tmp_path / name / "weights.npz") as file:
            loaded[name] = file["w0"]
    np.testing.assert_array_equal(loaded["a"], loaded["b"])
    assert np.any(loaded["a"] != loaded["c"])
    assert (tmp_path / "a" / "config.toml").read_text() == (tmp_path / "b" / "config.toml").read_text()
    assert 'learning_rate = "0.5mV"' in (tmp_path / "c" / "config.toml").read_text()


def test_files_weights_and_recorded_spikes(ras_files: tuple[str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    np.savez(tmp_path / "w.npz", w0=rng.normal(0, 20, (20, 4)), w1=rng.normal(0, 20, (4, 5)), w2=rng.normal(0, 20, (5, 3)))
    options = [
        "--input",
        ras_files[0],
        "--target",
        ras_files[1],
        "--inputs",
        "20",
        "--outputs",
        "3",
        "--period",
        "500ms",
        "--hidden",
        "4,5",
    ]
    options += [
        "--weights",
        "w.npz",
        "--duration",
        "3s",
        "--burn-in",
        "1s",
        "--record",
        "spikes",
        "--precision",
        "double",
        "--quiet",
    ]
    superspike("train", *options, "--out", "event", cwd=tmp_path)
    superspike("train", *options, "--out", "clock", "--engine", "clock", cwd=tmp_path)
    with np.load(tmp_path / "event" / "spikes.npz") as event, np.load(tmp_path / "clock" / "spikes.npz") as clock:
        assert event["windows_ms"].tolist() == [[0, 4000]]
        assert event["input_times_ms"].max() > 3400
        for key in event.files:
            np.testing.assert_array_equal(event[key], clock[key])


def test_without_options_a_word_is_learned_and_the_folder_named(tmp_path: Path) -> None:
    found = superspike("train", cwd=tmp_path)
    assert "wrote     run-1" in found.stdout
    summary = json.loads((tmp_path / "run-1" / "summary.json").read_text())
    assert summary["cost"] < 0.2 * summary["cost_initial"]


def test_ctrl_c_writes_everything_and_exits_130(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "superspike", "train", "--duration", "10h", "--out", "a"], cwd=tmp_path, stderr=subprocess.PIPE
    )
    assert process.stderr
    assert b"Network 200-256-50" in process.stderr.readline()  # from here on it listens
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith(b"interrupted: superspike resume a goes on\n")
    assert {path.name for path in (tmp_path / "a").iterdir()} == FILES
    assert json.loads((tmp_path / "a" / "summary.json").read_text())["interrupted"]
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208


def test_no_environment_loses_a_run(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    environment = os.environ | {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "PYTHONIOENCODING": "cp1252",
        "PYTHONUTF8": "0",
    }
    found = superspike("train", *SHORT, "--out", "link", cwd=tmp_path, env=environment, encoding="cp1252")
    assert " -> " in found.stdout
    assert "±2 ms" in found.stdout
    assert "Warning" not in found.stderr
    assert (tmp_path / "link").is_symlink()
    assert {path.name for path in (tmp_path / "far").iterdir()} == FILES
    superspike("train", "--help", cwd=tmp_path, env=environment, encoding="cp1252")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_errors_after_the_run_is_written_say_where_it_is(tmp_path: Path) -> None:
    name = "a\udcff"  # not UTF-8
    command = [sys.executable, "-m", "superspike", "train", *SHORT, "--out", name]
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1] == "Error: stdout: No space left on device. The run is written, in a?"
    (tmp_path / name / "learning.png").unlink()
    (tmp_path / name / "raster.png").unlink()
    command = [sys.executable, "-m", "superspike", "plot", name]
    reader, writer = os.pipe()
    os.close(reader)  # as after `| head -1`; and stderr is closed
    plotted = subprocess.run(command, cwd=tmp_path, stdout=writer, check=False, preexec_fn=lambda: os.close(2))
    os.close(writer)
    assert plotted.returncode == 1
    assert (tmp_path / name / "learning.png").exists()


def test_ctrl_c_while_a_run_is_saved_leaves_it_whole(tmp_path: Path) -> None:
    code = (
        "import os, signal, superspike.lab.saved as saved, superspike.lab.plotting as plotting\n"
        "def stop(function):\n"
        "    def stopped(*arguments):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        return function(*arguments)\n"
        "    return stopped\n"
        "saved.save_weights, plotting.save = stop(saved.save_weights), stop(plotting.save)\n"
        "from superspike.cli import main\n"
        f"main({['train', *SHORT, '--out', 'a']!r})"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 130
    assert "superspike plot a" in found.stderr  # the third one: the first is ignored, the second asks, this one interrupts
    assert "the numbers are saved; stopping when the pictures are drawn" in found.stderr
    assert "wrote     a" in found.stdout
    assert {"config.toml", "weights.npz", "summary.json", "learning.png"} <= {path.name for path in (tmp_path / "a").iterdir()}


def test_a_folder_that_another_run_will_fill_is_refused(tmp_path: Path) -> None:
    from superspike.lab.folder import reserve

    with reserve(tmp_path / "a"):
        found = superspike("train", *SHORT, "--out", "a", "--force", cwd=tmp_path, code=2)
    assert "a: must be free, is reserved for a run that goes on; choose another folder" in found.stderr


def test_the_progress_bar_is_for_terminals_only(tmp_path: Path) -> None:
    assert "real time" not in superspike("train", *SHORT, "--out", "a", cwd=tmp_path).stderr
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))  # a new terminal is 0 characters wide
    command = [sys.executable, "-m", "superspike", "train", *SHORT, "--out", "b"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=writer, stdout=subprocess.DEVNULL)
    os.close(writer)
    shown = b""
    try:
        while chunk := os.read(reader, 4096):
            shown += chunk
    except OSError:  # the terminal is gone when the process is
        pass
    assert process.wait(timeout=60) == 0
    assert "× real time, cost".encode() in shown


def test_bench_and_info_report(tmp_path: Path) -> None:
    results = json.loads(superspike("bench", "--seconds", "0.1", "--repeats", "3", "--json", cwd=tmp_path).stdout)
    assert results["ratio"] > 10  # 25 and more on the machines we know
    assert "event / clock" in superspike("bench", "--seconds", "0.02", "--repeats", "1", cwd=tmp_path).stdout
    assert "numba" in superspike("info", cwd=tmp_path).stdout


def test_help_lists_every_option_with_its_default(tmp_path: Path) -> None:
    from superspike.lab import config

    text = superspike("train", "--help", cwd=tmp_path).stdout
    for name in config.options():
        assert f"--{name.replace('_', '-')} " in text
    assert "[default: 10ms]" in text


def test_the_first_example_runs(tmp_path: Path) -> None:
    example = Path(__file__).parents[1] / "examples" / "first_steps.py"
    found = subprocess.run([sys.executable, example], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "× real time" in found.stdout
    assert (tmp_path / "hello.png").stat().st_size > 10_000


BAD: list[tuple[list[str], str]] = [
    (["--tau-mem", "-5ms"], "LIF.tau_mem: must be > 0 ms, got -5.0"),
    (["--tau-mem", "nan ms"], "LIF.tau_mem: must be > 0 ms, got nan"),
    (["--tau-mem", "0.1ms"], "larger than the time step"),
    (["--duration", "20"], "duration: must be a number with its unit (us, µs, ms, s, min, h), e.g. 10ms, got '20'"),
    (["--duration", "0s"], "Training.duration_ms: must be > 0 ms"),
    (["--delay", "0.85ms"], "the nearest are 0.8 and 0.9 ms"),
    (["--feedback", "foo"], "'symmetric', 'random', 'uniform', 'sign', 'none'"),
    (["--hidden", "4,x"], "hidden: must be a whole number, got 'x'"),
    (["--hidden", "-4"], "hidden: must be numbers of neurons"),
    (["--inputs", "0"], "PoissonInputs.inputs: must be a whole number >= 1, got 0"),
    (["--w0", "-1mV"], "Network.w0: must be >= 0 mV, got -1.0"),
    (["--seed", "-1"], "Task.seed: must be a whole number >= 0, got -1"),
    (["--text", "  "], "Text.text: must be 1 to 200 printable characters"),
    (["--image", "gone.png"], "gone.png: must be a picture, does not exist"),
    (["--image", "binary"], "cannot be read"),
    (["--target", "gone.ras"], "gone.ras: cannot be read (No such file or directory)"),
    (["--target", "binary"], "is binary"),
    (["--target", "empty.ras"], "must hold at least one spike, is empty"),
    (["--target", "bad.ras"], "bad.ras, line 2: must be 'time in s >= 0, unit id', got '0.2'"),
    (["--target", "good.ras", "--outputs", "2"], "good.ras, line 3: id must be in 0 … 1, got 2; if its ids count from 1, say so"),
    (["--target", "good.ras", "--target-ids-from", "1"], "line 1: id must be in 1 … …, got 0"),
    (["--target", "good.ras", "--period", "250ms"], "Task.targets: must lie before the period's end (250 ms), got a spike at 300 ms"),
    (["--target", "good.ras", "--period", "500.05ms"], "Task.period_ms: must be a whole number of steps"),
    (["--target", "good.ras", "--text", "A"], "task: must be one of text, image, target or another task, got text and target"),
    (["--task", "file"], "task: file needs a file; give --target FILE"),
    (["--input", "good.ras", "--input-rate", "5Hz"], "input_rate: has no effect"),
    (["--sgd-scale", "1/mV"], "sgd_scale: has no effect"),
    (["--weights", "gone.npz"], "gone.npz: must be an .npz file of weights, does not exist"),
    (["--weights", "nan.npz"], "Network.weights: must be 2 arrays (w0, w1), got 1 (w0)"),
    (["--weights", "nan.npz", "--hidden", "0", "--inputs", "3", "--task", "regular"], "w0 must hold finite numbers"),
    (["--weights", "nan.npz", "--hidden", "0"], "w0 must have the shape (n_pre, n_post) = (200, 50), got (3, 1)"),
    (["gone.toml"], "gone.toml: cannot be read"),
    (["bad.toml"], "must be a TOML file of options"),
    (["powershell.toml"], "powershell.toml: must be a TOML file of options, in UTF-8, is not; save it as UTF-8"),
    (["unknown.toml"], "unknown option 'tau_mom' (did you mean tau_mem?); known: text, task"),
    (["wrong.toml"], "tau_mem: must be a number with its unit"),
    (["--out", "full"], "full: must be empty or absent, holds files; choose another folder, or force (--force) to replace it"),
    (["--out", "good.ras"], "good.ras: must be a folder, is a file"),
    (["--regularise", "-1"], "Rule.rho: must be >= 0, got -1.0"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_bad_input_is_refused_with_status_2_before_anything_is_written(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\x00\xff\xfe\x89")
    (tmp_path / "empty.ras").write_text("# nothing\n")
    (tmp_path / "bad.ras").write_text("0.1 0\n0.2\n")
    (tmp_path / "good.ras").write_text("0.1 0\n0.2 1\n0.3 2\n")
    (tmp_path / "bad.toml").write_text("tau_mem = = 3")
    (tmp_path / "powershell.toml").write_text("seed = 3", encoding="utf-16")
    (tmp_path / "unknown.toml").write_text('tau_mom = "3ms"')
    (tmp_path / "wrong.toml").write_text("tau_mem = 3.0")
    np.savez(tmp_path / "nan.npz", w0=np.full((3, 1), np.nan))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    before = sorted(tmp_path.rglob("*"))
    found = superspike("train", *arguments, cwd=tmp_path, code=2)
    assert message in found.stderr
    assert found.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", [["evaluate", "gone"], ["plot", "gone"], ["evaluate", "."]])
def test_other_commands_refuse_bad_input_too(command: list[str], tmp_path: Path) -> None:
    assert "must be" in superspike(*command, cwd=tmp_path, code=2).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are a POSIX thing")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    import resource

    superspike("train", *SHORT, "--out", "warm", "--quiet", cwd=tmp_path)  # so that the limit does not meet the kernels' cache
    limit = 4096  # bytes a file
    found = superspike(
        "train", *SHORT, "--out", "a", cwd=tmp_path, code=2,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert "Nothing was written" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["warm"]


def test_response_windows_are_trained_and_reported(tmp_path: Path) -> None:
    words = ["--task", "xor", "--loss", "windowed", "--window", "20ms", "--inputs", "60", "--hidden", "4", "--duration", "15s"]
    summary = json.loads(superspike("train", *words, "--json", "--out", "xor", cwd=tmp_path).stdout)
    assert summary["windows"] > 20
    assert 0 <= summary["accuracy"] <= 1
    assert 'loss = "windowed"' in (tmp_path / "xor" / "config.toml").read_text()
    report = superspike("evaluate", "xor", "--duration", "10s", cwd=tmp_path).stdout
    assert "response windows answered rightly" in report


@pytest.mark.parametrize("task", ["text", "regular", "xor", "randman", "mnist", "synthetic-speech"])
def test_config_prints_all_options_of_a_task_which_train_takes(task: str) -> None:
    found = CliRunner().invoke(main, ["config", "--task", task])
    assert found.exit_code == 0
    table, lines = tomllib.loads(found.output), found.output.splitlines()
    assert table["task"] == task
    for number, line in enumerate(lines):
        if line and not line.startswith("#"):
            assert lines[number - 1].startswith("# ")  # what it means
    if task == "mnist":
        assert table["data"] == "DIR"
        chosen = config.Chosen(table)
        assert chosen.network(784, 10).layers[-1].neuron == ss.Readout(tau_mem=80.0)
    elif task != "synthetic-speech":
        short = {"samples": 10} if task == "randman" else {}
        ours, usual = (config.build(options | short)[1:] for options in (table, {"task": task}))
        assert ours[1] == usual[1]
        assert ours[0].rule == usual[0].rule
        for a, b in zip(ours[0].weights, usual[0].weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_help_of_a_sweep_shows_its_file_line_by_line() -> None:
    lines = [line.strip() for line in CliRunner().invoke(main, ["sweep", "--help"]).output.splitlines()]
    assert "[grid]" in lines
    assert 'feedback = ["symmetric", "random"]' in lines


def test_help_has_sections_with_what_most_people_need_first() -> None:
    found = CliRunner().invoke(main, ["train", "--help"]).output
    places = [found.index(f"\n{group}:\n") for group in config.GROUPS]
    assert places == sorted(places)
    assert found.index("--hidden") < places[1] < found.index("--tau-mem")
    assert all(option.group in config.GROUPS for option in config.options().values())

"""Many runs in parallel."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import superspike as ss
from superspike.engine.jit import cores, use_one_core
from superspike.lab import sweep

TABLES = [
    {"task": "poisson", "inputs": 20, "outputs": 2, "hidden": [3], "w0": "100mV", "duration": "2s", "seed": seed}
    for seed in (1, 2, 3)
]


def test_any_number_of_processes_gives_the_same_runs(tmp_path: Path) -> None:
    alone, together = (ss.sweep(TABLES, tmp_path / str(jobs), jobs) for jobs in (1, 2))
    assert [run.network.seed for run in alone] == [1, 2, 3]
    for a, b in zip(alone, together, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))
        assert a.metrics["cost"].tolist() == b.metrics["cost"].tolist()
        assert a.spikes == b.spikes


def test_two_processes_that_find_no_kernels_compile_them_once_and_agree(tmp_path: Path) -> None:
    code = (
        "import superspike as ss\n"
        "task = ss.tasks.poisson(n_inputs=20, outputs=2, target_rate=10.0, period_ms=200.0)\n"
        "run = ss.train(ss.Network([20, 3, 2], w0=100.0), task, duration_ms=1000)\n"
        "from superspike.engine.event import advance\n"
        "print(sum(advance.stats.cache_misses.values()), run.weights[0].tobytes().hex())"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    together = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    (first, errors), (second, others) = (process.communicate() for process in together)
    assert (errors, others) == ("", "")
    compiled, weights = zip(first.split(), second.split(), strict=True)
    assert sorted(compiled) == ["0", "1"]
    assert weights[0] == weights[1]


def test_workers_leave_the_other_cores_to_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 8)
    assert cores() == 8
    use_one_core()
    assert cores() == 1


def test_workers_are_as_many_as_the_cores_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 5}, raising=False)
    asked = []
    monkeypatch.setattr(sweep, "train_together", lambda missing, processes, _: asked.append((len(missing), processes)))
    monkeypatch.setattr(sweep, "load", lambda where: where)
    found = ss.sweep([*(TABLES[0] | {"seed": seed} for seed in range(5)), TABLES[0] | {"seed": "0"}], "nowhere")
    assert asked == [(5, 3)]  # and equal tables are one run
    assert found[0] == found[-1]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinities")
def test_threads_are_as_many_as_the_cores_that_the_process_may_use() -> None:
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{core}}}); from superspike.engine.jit import cores; print(cores())"
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == "1\n"


def test_finished_runs_are_kept_and_changed_options_are_new_runs(tmp_path: Path) -> None:
    ss.sweep(TABLES[:2], tmp_path)
    kept = {folder: (folder / "metrics.csv").stat().st_mtime_ns for folder in tmp_path.iterdir()}
    ss.sweep([*TABLES, TABLES[0] | {"learning_rate": "2mV"}], tmp_path, jobs=1)
    assert len(list(tmp_path.iterdir())) == 4
    assert {folder: (folder / "metrics.csv").stat().st_mtime_ns for folder in kept} == kept


def test_a_wrong_option_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ss.ParameterError, match="hidden"):
        ss.sweep([*TABLES, {"hidden": "four"}], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("jobs", [0, 1.5, "2", True])
def test_a_number_of_processes_that_is_none_is_refused(tmp_path: Path, jobs: Any) -> None:
    with pytest.raises(ss.ParameterError, match=r"sweep\.jobs: must be a whole number >= 1, got"):
        ss.sweep(TABLES, tmp_path, jobs)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_fails_names_itself(tmp_path: Path, jobs: int) -> None:
    bad = [TABLES[0] | {"duration": "2.05ms", "seed": seed} for seed in (7, 8)]  # not a whole number of steps
    with pytest.raises(ss.ParameterError, match=r"duration_ms: must be a whole number of steps") as caught:
        ss.sweep(bad, tmp_path, jobs)
    assert "'duration': '2.05ms'" in caught.value.__notes__[0]


@pytest.fixture
def long_sweep(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that sweeps over four runs in two processes: one short, the others for hours."""
    (tmp_path / "script.py").write_text(
        "import superspike as ss\n"
        f"tables = [{TABLES[0]!r} | {{'seed': seed, 'duration': '2s' if seed == 1 else '1000h'}} for seed in (1, 2, 3, 4)]\n"
        "if __name__ == '__main__':\n"
        "    ss.sweep(tables, 'runs', 2)\n"
    )
    with subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as started:
        try:
            assert until(
                lambda: list(tmp_path.glob("runs/seed-*/config.toml")), 300.0
            )  # may compile first; the short one is there: the next has begun
            assert len([command for command in processes_of(started.pid).values() if "spawn_main" in command]) == 2
            yield started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def until(condition: Callable[[], Any], seconds: float) -> Any:
    """Wait until ``condition`` holds; return what it found, or what it found last."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def processes_of(group: int) -> dict[int, str]:
    """The command lines of a process group's living processes."""
    found = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=3) for line in found.splitlines()]
    return {int(pid): command for pid, number, state, command in rows if int(number) == group and state[0] != "Z"}


@pytest.mark.skipif(os.name != "posix", reason="looks for processes with ps")
@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGKILL"])
def test_a_sweep_that_is_ended_ends_its_processes_and_keeps_what_is_finished(
    long_sweep: subprocess.Popen[str], tmp_path: Path, signal_name: str
) -> None:
    number = getattr(signal, signal_name)
    if signal_name == "SIGINT":
        os.killpg(long_sweep.pid, number)  # as a terminal does
    else:
        long_sweep.send_signal(number)
    begin = time.monotonic()
    _, errors = long_sweep.communicate(timeout=10)  # ends, and nobody holds its pipes any more
    assert time.monotonic() - begin < 5
    assert long_sweep.returncode == -number
    assert ("KeyboardInterrupt" in errors) == (signal_name == "SIGINT")
    assert until(lambda: not processes_of(long_sweep.pid), 5)
    assert len(list(tmp_path.glob("runs/seed-1-*/config.toml"))) == len(list(tmp_path.glob("runs/seed-*/config.toml"))) == 1


@pytest.mark.skipif(os.name != "posix", reason="looks for processes with ps")
def test_a_worker_that_is_killed_ends_the_sweep_which_names_its_run(long_sweep: subprocess.Popen[str]) -> None:
    workers = [pid for pid, command in processes_of(long_sweep.pid).items() if "spawn_main" in command]
    os.kill(workers[1], signal.SIGKILL)
    _, errors = long_sweep.communicate(timeout=10)
    assert long_sweep.returncode == 1
    assert "RuntimeError: sweep: the process of the run with the options {'task': 'poisson'" in errors
    assert "'seed': 2" in errors.splitlines()[-1] or "'seed': 3" in errors.splitlines()[-1]
    assert "ended early, with exit code -9" in errors
    assert until(lambda: not processes_of(long_sweep.pid), 5)


def test_a_runs_name_follows_the_sources_that_numbers_come_from(tmp_path: Path) -> None:
    code = (
        "import sys; import superspike as ss; from superspike.lab.sweep import NO_NUMBERS, train_into\n"
        f"from pathlib import Path; train_into({TABLES[0]!r}, Path(sys.argv[1]))\n"
        "print([name for name in sys.modules for no in NO_NUMBERS if name.startswith('superspike.' + no.replace('/', '.'))])\n"
        "from superspike.engine.jit import source_key; print(source_key() != source_key(NO_NUMBERS))"
    )
    found = subprocess.run([sys.executable, "-c", code, tmp_path / "run"], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        "['superspike.lab.plotting', 'superspike.lab.plotting_trials']",
        "True",
    ]  # which a run imports for its pictures

"""Many runs in parallel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import superspike as ss
from superspike._jit import cores, use_one_core

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
        "from superspike.event import advance\n"
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


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_fails_names_itself(tmp_path: Path, jobs: int) -> None:
    bad = [TABLES[0] | {"duration": "2.05ms", "seed": seed} for seed in (7, 8)]  # not a whole number of steps
    with pytest.raises(ss.ParameterError, match=r"duration_ms: must be a whole number of steps") as caught:
        ss.sweep(bad, tmp_path, jobs)
    assert "'duration': '2.05ms'" in caught.value.__notes__[0]

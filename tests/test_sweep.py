"""Sweeps from a file: what they run over, what they leave, and what becomes of runs that fail, here and on a cluster."""

from __future__ import annotations

import csv
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import superspike as ss
from superspike.cli import main
from superspike.lab import config, sweep, sweepfile
from superspike.lab.folder import CHECKPOINT, OWN
from superspike.lab.job import options_of

BASE = {"task": "poisson", "inputs": 20, "outputs": 2, "hidden": [3], "w0": "100mV", "duration": "2s"}
FILE = """
seeds = 2
[base]
task = "poisson"
inputs = 20
outputs = 2
hidden = [3]
w0 = "100mV"
duration = "2s"
[grid]
feedback = ["symmetric", "random"]
learning_rate = {from = "0.1mV", to = "10mV", steps = 3, scale = "log"}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rates.toml"
    path.write_text(FILE)
    return path


def command(*arguments: Any, status: int = 0) -> str:
    found = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert found.exit_code == status, found.output
    return str(found.output)


def test_a_file_is_every_combination_of_what_varies(file: Path) -> None:
    plan = sweepfile.read_sweep(file)
    assert plan.varied == ["feedback", "learning_rate", "seed"]
    assert len(plan.tables) == 12
    assert plan.tables[3] == BASE | {"feedback": "symmetric", "learning_rate": "1mV", "seed": 2}
    rates = [table["learning_rate"] for table in plan.tables]
    assert list(dict.fromkeys(rates)) == ["0.1mV", "1mV", "10mV"]


def test_runs_ranges_and_files_of_a_sweep(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        'seeds = [3, 7]\n[base]\ninput = "in.ras"\n[grid]\nperiod = {from = "1s", to = "2s", steps = 2}\n'
        "[[runs]]\nhidden = [4]\n[[runs]]\nhidden = [4, 4]\nw0 = 0\n"
    )
    plan = sweepfile.read_sweep(path)
    assert plan.varied == ["hidden", "period", "seed", "w0"]
    assert [table["seed"] for table in plan.tables] == [3, 7] * 4
    assert {table["input"] for table in plan.tables} == {str(tmp_path / "in.ras")}
    assert [table["period"] for table in plan.tables[::2]] == ["1000ms", "2000ms"] * 2
    assert sweepfile.values_of("a", config.options()["inputs"], {"from": 1, "to": 9, "steps": 3}) == [1, 5, 9]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = 0", r"a\.toml: seeds: must be a whole number >= 1, got 0"),
        ("seeds = [3, 1, 3]", r"a\.toml: must ask for each run once, asks 2 times for the one with \{'seed': 3\}"),
        (
            '[grid]\nfeedback = ["sign", "sign"]',
            r"a\.toml: must ask for each run once, asks 2 times for the one with \{'feedback'",
        ),
        ("[grids]\na = [1]", r"a\.toml: must be one of seeds, base, grid, runs, got 'grids'"),
        ("[grid]\nnonsense = [1]", r"a\.toml: unknown option 'nonsense'; known: text"),
        ("[grid]\nw0 = 5", r"a\.toml: grid\.w0: must be a list of values, or a range such as"),
        (
            '[grid]\nw0 = {from = "0mV", to = "1mV", steps = 3, scale = "log"}',
            r"grid\.w0: must go from and to numbers > 0 on a log",
        ),
        ('[grid]\nw0 = {from = "0mV", to = "1mV", steps = 1}', r"grid\.w0\.steps: must be a whole number >= 2, got 1"),
        ("seeds = ", r"a\.toml: must be a TOML file of a sweep"),
        ("base = 3", r"a\.toml: must have tables \[base\], \[grid\] and \[\[runs\]\] of options"),
        ("runs = 3", r"a\.toml: must have tables \[base\], \[grid\] and \[\[runs\]\] of options"),
        ("[grid]\nw0 = {from = [1], to = 2, steps = 3}", r"a\.toml: grid\.w0\.from: must be a finite number \(mV\), got \[1\]"),
        ('[grid]\nw0 = {from = 1, to = "2ms", steps = 3}', r"a\.toml: grid\.w0\.to: must be a number with its unit .*got '2ms'"),
        ("[grid]\nfeedback = {from = 1, to = 2, steps = 3}", r"a\.toml: grid\.feedback: must be a list of values, got \{"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ss.ParameterError, match=message):
        sweepfile.read_sweep(tmp_path / "a.toml")


def test_a_list_of_no_runs_is_one_run(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('runs = []\nseeds = 2\n[base]\ntask = "regular"')
    assert [table["seed"] for table in sweepfile.read_sweep(tmp_path / "a.toml").tables] == [1, 2]


def test_a_number_named_as_an_option_that_varies_has_a_column_of_its_own(tmp_path: Path) -> None:
    table = {"task": "randman", "samples": 10, "classes": 3, "hidden": "5", "epochs": 1}
    tables = [table | {"loss": loss} for loss in ("last_step", "mean_over_time")]
    runs = ss.sweep(tables, tmp_path / "runs", 1)
    rows = sweepfile.rows_of(sweepfile.Plan(tables, ["loss"]), runs)
    sweepfile.write_csv(tmp_path / "sweep.csv", rows)
    with (tmp_path / "sweep.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["loss"] for row in found] == ["last_step", "mean_over_time"]
    assert [float(row["loss_found"]) for row in found] == [run.summary()["loss"] for run in runs]


def test_samples_are_not_made_to_name_their_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"task": "randman", "hidden": "5,4", "recurrent": "true,false", "projections": "v1.mask=0.3,w0.signs=0.8", "seed": 3}
    made = sweep.run_name(table)
    options, seed = options_of(table)
    task, network, training = config.build(table)
    assert (options, seed) == (config.table(task.source, network, training, False), 3)
    monkeypatch.setattr(ss.RandomManifolds, "make", None)
    assert sweep.run_name(table) == made
    assert sweep.run_name(table | {"classes": 4}) != made


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
def test_a_sweep_leaves_a_table_and_pictures_and_is_not_done_twice(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    listed = command("sweep", file, "--dry-run")
    assert len([line for line in listed.splitlines() if line.startswith("feedback")]) == 12
    assert "runs: 12, about" in listed
    assert not (file.parent / "rates").exists()
    said = command("sweep", file, "--jobs", 1)
    assert "±" in said
    out = file.parent / "rates"
    assert {path.name for path in out.iterdir()} == {"runs", "sweep.csv", "curves.png", "heat.png"}
    with (out / "sweep.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 12
    assert {row["feedback"] for row in rows} == {"symmetric", "random"}
    run = ss.train(ss.Network([20, 3, 2], w0=100.0, feedback="random", seed=2, optimizer=ss.RMaxProp(0.1)),
                   ss.tasks.poisson(n_inputs=20, outputs=2, seed=2), 2000.0)  # fmt: skip
    own = next(row for row in rows if (row["feedback"], row["learning_rate"], row["seed"]) == ("random", "0.1mV", "2"))
    assert float(own["cost"]) == run.cost
    kept = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/config.toml")}
    assert command("sweep", file, "--jobs", 1) == said
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/config.toml")} == kept
    assert not list(out.glob(f"runs/*/{CHECKPOINT}"))


def test_a_run_that_fails_is_reported_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text(
        '[base]\ntask = "poisson"\ninputs = 20\noutputs = 2\nhidden = [3]\nw0 = "100mV"\n'
        '[grid]\nduration = ["1s", "2.05ms", "2s"]\n'  # the second is not a whole number of steps
    )
    for jobs in (1, 2):
        said = command("sweep", "a.toml", "--jobs", jobs, "--out", f"out{jobs}", status=1)
        assert "Error: duration 2.05ms failed: ParameterError: Training.duration_ms: must be a whole number of steps" in said
        assert "1 of 3 runs failed" in said
        assert "Traceback" in (Path(f"out{jobs}") / "failed.txt").read_text() or jobs == 1
        assert len(list(Path(f"out{jobs}").glob("runs/*/config.toml"))) == 2


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
def test_a_run_whose_process_is_killed_does_not_end_a_sweep_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "train_together", killing(sweep.train_together))
    tables = [BASE | {"seed": seed, "duration": "2000s" if seed == 1 else "1s"} for seed in (1, 2, 3)]
    found = ss.sweep(tables, tmp_path, 2, keep_going=True)
    assert isinstance(found[0], sweep.Failure)
    assert "ended early, with exit code -9" in found[0].error
    assert [run.network.seed for run in found[1:]] == [2, 3]


def killing(train_together: Any) -> Any:
    """The same, but the process of the first run is killed when the others have ended."""

    def watched(missing: Any, processes: int, settle: Any) -> None:
        ended: list[Path] = []

        def settled(where: Path, error: Any, text: str) -> None:
            ended.append(where)
            settle(where, error, text)
            if len(ended) == 2:
                for child in children(os.getpid()):
                    os.kill(child, signal.SIGKILL)

        train_together(missing, processes, settled)

    return watched


def children(parent: int) -> list[int]:
    """The processes of multiprocessing that train."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields, words = path.read_text().rpartition(")")[2].split(), (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"spawn_main" in words:
            found.append(int(path.parent.name))
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="needs the extra cluster")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", host="127.0.0.1", memory_limit=0
    ) as found:
        yield found


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
def test_a_cluster_gives_the_same_runs_as_this_machine(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    tables = [BASE | {"seed": seed} for seed in (1, 2, 3)] + [BASE | {"duration": "2.05ms"}]
    here = ss.sweep(tables[:3], tmp_path / "here", 1)
    with distributed.Client(cluster.scheduler_address) as client:
        there = ss.sweep(tables, tmp_path / "there", client=client, keep_going=True)
        monkeypatch.setattr(sweep, "train_there", lambda table, where, _: TRAIN_THERE(table, where, "/nowhere"))
        apart = ss.sweep(tables[:2], tmp_path / "apart", client=client)  # workers that do not see the folder send the files
    assert isinstance(there[3], sweep.Failure)
    assert "must be a whole number of steps" in there[3].error
    for ours, theirs in [*zip(here, there[:3], strict=True), *zip(here[:2], apart, strict=True)]:
        for a, b in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        assert ours.spikes == theirs.spikes


TRAIN_THERE = sweep.train_there


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
def test_a_worker_that_is_killed_has_its_runs_done_again_from_their_checkpoints(cluster: Any, tmp_path: Path) -> None:
    import distributed

    tables = [BASE | {"seed": seed, "duration": "600s"} for seed in (1, 2)]
    here = ss.sweep(tables, tmp_path / "here", 1)
    with distributed.Client(cluster.scheduler_address) as client:
        futures = []
        submit = client.submit

        def often(function: Any, *arguments: Any, **options: Any) -> Any:
            futures.append(submit(train_often, *arguments, **options))
            return futures[-1]

        client.submit = often

        def kill() -> None:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                if list((tmp_path / "there").glob(f"*/{OWN}/{CHECKPOINT}")):
                    worker = next(iter(cluster.workers.values()))
                    os.kill(worker.pid, signal.SIGKILL)
                    return
                time.sleep(0.002)

        thread = threading.Thread(target=kill)
        thread.start()
        there = ss.sweep(tables, tmp_path / "there", client=client)
        thread.join()
    for ours, theirs in zip(here, there, strict=True):
        for a, b in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        assert ours.metrics["cost"].tolist() == theirs.metrics["cost"].tolist()


def train_often(table: dict[str, Any], where: str, here: str) -> Any:
    """As train_there, with checkpoints every few milliseconds."""
    from superspike.lab import checkpoint

    checkpoint.Keeper.due = lambda self, ends: True  # type: ignore[method-assign]
    return TRAIN_THERE(table, where, here)


def test_data_that_are_not_there_are_found_before_anything_is_run(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    tables = [BASE, {"task": "mnist", "data": nowhere}]
    with pytest.raises(ss.ParameterError, match="nowhere: must be a file, or a folder of data, cannot be read"):
        ss.sweep(tables, tmp_path / "sweep", jobs=1)
    assert not (tmp_path / "sweep").exists()


def test_a_place_where_no_folder_can_be_is_found_before_anything_is_run(file: Path) -> None:
    (file.parent / "taken").write_text("")
    said = command("sweep", file, "--out", file.parent / "taken", status=2)
    assert re.search(r"taken.runs: must be a folder that can be made, cannot \(.*taken is a file\)", said)


def test_what_is_no_address_of_a_scheduler_is_refused(file: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra cluster")
    for address in ("10.0.0.1", "tcp://10.0.0.1", "nonsense://10.0.0.1:8786"):
        said = command("sweep", file, "--scheduler", address, status=2)
        assert f"--scheduler: must be the address of a Dask scheduler, such as tcp://10.0.0.1:8786, got {address!r}" in said

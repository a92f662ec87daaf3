"""Probes: what they record, where it goes, and that it is complete whatever happens to the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import superspike as ss
from superspike.cli import main
from superspike.engine.simulation import Simulation
from superspike.lab import config, job
from superspike.lab.checkpoint import Keeper
from superspike.lab.folder import OWN, RECORDS, reserve
from superspike.lab.recording import QUANTITIES, Probes
from superspike.lab.schedule import Chunk

zarr = pytest.importorskip("zarr", reason="needs the extra record")

TABLE = {"text": "HI", "inputs": 30, "outputs": 10, "hidden": "12", "w0": "60mV", "duration": "4s"}
TEXTS = ["v:hidden1:0-3,7@1ms=1s..2s", "w:w0:0-4x3@500ms", "error:output@10ms", "eligibility:w1:0x0@250ms", "trace:w1@50ms"]


def parts() -> tuple[Any, ss.Network]:
    task, network, _ = config.build(TABLE)
    return task, network


def test_probes_hold_what_a_simulation_holds_step_by_step() -> None:
    task, network = parts()
    probes = Probes(["v:hidden1:2@0.1ms=0ms..30ms", "current:output:0-1@10ms", "w:w1:0x0-9@500ms"])
    ss.train(network, task, 1000.0, probes=probes)
    task, network = parts()
    simulation = Simulation(network, task, "event")
    simulation.learn(True)  # from the second step on: nothing is learned in the first, which ends a block
    expected = []
    for _ in range(301):
        simulation.advance(1)
        expected.append(simulation.state.v[simulation.where.start[1] + 2])
    times, values = probes["v:hidden1:2@0.1ms=0ms..30ms"]
    np.testing.assert_allclose(times, np.arange(301) * 0.1)
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-5, atol=1e-5)  # single precision, in pieces of other lengths
    assert np.ptp(values) > 1
    times, values = probes["w:w1:0x0-9@500ms"]
    assert times.tolist() == [0.0, 500.0]
    assert values.shape == (2, 1, 10)
    assert probes["current:output:0-1@10ms"][1].shape == (100, 2)


def test_what_nobody_records_is_cut_nowhere() -> None:
    chunks = [Chunk(1, updates=True), Chunk(500, True, True, 0.5, True), Chunk(20, True)]
    assert list(Probes([]).cut(chunks, 0)) == chunks


def test_pieces_are_the_same_steps_with_the_same_ends() -> None:
    task, network = parts()
    probes = Probes(["v:output:0@0.7ms", "v:output:1@1ms=20ms..40ms"])
    probes.begin(Simulation(network, task, "event"), ["input", "hidden1", "output"], 600)
    pieces = list(probes.cut([Chunk(1, updates=True), Chunk(500, True, True, 0.5, True), Chunk(99, True)], 0))
    ends = np.cumsum([piece.steps for piece in pieces])
    assert ends[-1] == 600
    assert [(int(end), piece.updates, piece.reports) for end, piece in zip(ends, pieces, strict=True) if piece.updates] == [
        (1, True, False), (501, True, True),
    ]  # fmt: skip
    assert {int(end) - 1 for end in ends} >= {*range(0, 600, 7), *range(200, 401, 10)}


def test_a_store_grows_while_the_run_goes_on(tmp_path: Path) -> None:
    grown = []

    def look(progress: Any) -> None:
        store = tmp_path / "run" / OWN / RECORDS
        grown.append(zarr.open_group(store, mode="r")["v.output.0@0.1ms/values"].shape[0])

    task, network = parts()
    with reserve(tmp_path / "run") as own:
        run = ss.train(network, task, 2000.0, probes=["v:output:0@0.1ms"], on_block=look, keeper=Keeper(own))
        run.write(own)
    assert grown == sorted(grown)
    assert grown[0] > 1000
    group = zarr.open_group(tmp_path / "run" / RECORDS, mode="r")["v.output.0@0.1ms"]
    assert group.attrs["unit"] == "mV above rest"
    assert group["values"].shape == (20_000, 1)
    np.testing.assert_allclose(group["time_ms"][:], np.arange(20_000) * 0.1)


@pytest.mark.filterwarnings("ignore::superspike.SilentNetworkWarning")
def test_records_of_an_interrupted_run_are_those_of_a_whole_one(tmp_path: Path) -> None:
    for name, stops in (("whole", False), ("broken", True)):
        seen: list[Any] = []

        def ends(progress: Any, seen: list[Any] = seen, stops: bool = stops) -> bool:
            seen.append(progress)
            return not (stops and len(seen) == 4)

        with reserve(tmp_path / name) as own:
            run = job.carry_out(*config.build(TABLE), TEXTS, keeper=Keeper(own), on_block=ends)
            if not stops:
                run.write(own)
            else:  # what came after the checkpoint goes
                store = zarr.open_group(own / OWN / RECORDS, mode="r+")["error.output@10ms"]
                store["values"].resize((store["values"].shape[0] + 5, 10))
    ss.resume(tmp_path / "broken")
    ours, theirs = (zarr.open_group(tmp_path / name / RECORDS, mode="r") for name in ("broken", "whole"))
    assert {name for name, _ in ours.groups()} == {text.replace(":", ".") for text in TEXTS}
    for name, group in theirs.groups():
        for what in ("time_ms", "values"):
            np.testing.assert_array_equal(ours[name][what][:], group[what][:])
    ss.resume(tmp_path / "broken", 1000)
    assert zarr.open_group(tmp_path / "broken" / RECORDS, mode="r")["error.output@10ms/time_ms"][-1] == 4990.0


def test_the_command_line_records(tmp_path: Path) -> None:
    options = [x for name, value in TABLE.items() for x in (f"--{name}", value)]
    probes = [x for text in TEXTS for x in ("--probe", text)]
    command = [str(x) for x in ("train", *options, *probes, "--checkpoint", "0", "--quiet", "--out", tmp_path / "run")]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 0, found.output
    assert len(list(zarr.open_group(tmp_path / "run" / RECORDS, mode="r").groups())) == len(TEXTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v:hidden1:0-9", r"probe: must be QUANTITY:WHERE:UNITS@EVERY=BEGIN\.\.END"),
        ("u:hidden1@1ms", rf"probe: must be one of {', '.join(QUANTITIES)}, got 'u'"),
        ("v:hidden2@1ms", r"probe v:hidden2@1ms: must be one of hidden1, output, got 'hidden2'"),
        ("w:v1@1ms", r"must be one of w0, w1, got 'v1'"),
        ("v:hidden1:12@1ms", r"must name units in 0 … 11, such as 0-9,12, got '12'"),
        ("v:hidden1:5-3@1ms", r"must name units in 0 … 11"),
        ("v:hidden1:0@1", r"probe: must be QUANTITY:WHERE:UNITS@EVERY"),
        ("v:hidden1:0@0.25ms", r"must be a whole number of steps"),
        ("v:hidden1:0@0ms", r"probe v:hidden1:0@0ms: must be > 0 ms, got 0"),
    ],
)
def test_probes_that_cannot_be_are_refused(text: str, message: str) -> None:
    task, network = parts()
    with pytest.raises(ss.ParameterError, match=message):
        ss.train(network, task, 1000.0, probes=[text])


def test_samples_have_no_probes() -> None:
    with pytest.raises(ss.ParameterError, match=r"probe: must be left out, it records streams"):
        job.carry_out(*config.build({"task": "randman", "samples": 10}), ["v:hidden1@1ms"])

"""The benchmark and what it compares the engines with: what is reported, not how fast anything is."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from superspike.bench import benchmark, peers
from superspike.bench.benchmark import Case
from superspike.cli import main
from superspike.engine import simulation
from superspike.engine.jit import cores

SMALL = Case((20, 10, 5), 10.0, 10.0)
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_the_event_engine_is_ten_times_faster_than_the_clock_engine_in_the_same_run() -> None:
    found = benchmark.compare(3, 0.1)
    assert found["ratio"] > 10  # 25 to 40 on quiet machines; a loop that no longer vectorises costs a factor of 4 and more


def test_the_event_engine_is_faster_than_its_plain_version_in_the_same_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    prototype = importlib.import_module("prototype")
    prototype.main((benchmark.MAIN,), 3)  # which also checks the plain version against a loop over synapses
    printed = capsys.readouterr().out
    assert float(printed.split("ratio ")[1].split(";")[0]) > 1.5  # 2.5 to 3.5 on quiet machines


def test_a_peer_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "WARM_UP", 100)
    monkeypatch.setattr(
        peers, "PEERS", {"no_such_package": ("nothing", peers.pytorch), "numpy": ("slow", lambda *_: lambda s: 100 * s)}
    )
    ours, slow, nothing = peers.compare(3, 0.01, SMALL)
    assert nothing == {"peer": "nothing", "install": "pip install no_such_package"}
    assert (slow["s_per_simulated_s"], slow["times"]) == (pytest.approx(100), pytest.approx([100] * 3))
    assert ours["ratio"] == 1
    assert slow["ratio"] == pytest.approx(100 / ours["s_per_simulated_s"])


def test_the_suite_reports_every_combination_and_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"WARM_UP": 100, "SUITE": (SMALL,), "WIDTHS": (8, 64), "RATES": (5.0, 10.0), "DURATIONS": (1.0, 3.0)}
    for name, value in small.items():
        monkeypatch.setattr(benchmark, name, value)
    monkeypatch.setattr(simulation, "THREADED", 1)
    monkeypatch.setattr(simulation, "cores", lambda: 2)
    monkeypatch.setattr(benchmark, "compile_seconds", lambda engine: 0.0)  # half a minute
    monkeypatch.setattr(peers, "PEERS", {"no_such_package": ("nothing", peers.pytorch)})
    printed = CliRunner().invoke(main, ["bench", "--suite", "--peers", "--repeats", "1", "--seconds", "0.02"]).output
    assert all(f" {engine} " in printed for engine in ("event", "clock"))
    assert "pip install no_such_package" in printed
    results = benchmark.suite(2, 0.02)
    rows = {(row["engine"], row["precision"], row["plasticity"], row["threads"]) for row in results["rows"]}
    assert len(rows) == len(results["rows"]) == 9
    assert ("event", "single", True, 2) in rows
    assert results["seeds"]["processes"] == cores()
    assert set(results["scaling"]) == {"hidden neurons", "spike rate (Hz)", "duration (s)"}
    assert all(np.isfinite(found["exponent"]) for found in results["scaling"].values())  # of what value is a matter of the load


def test_the_exponent_is_that_of_the_power_law_through_the_points() -> None:
    assert benchmark.fitted([1.0, 3.0, 10.0], [0.2 * x**1.5 for x in (1.0, 3.0, 10.0)])["exponent"] == pytest.approx(1.5)


def weights() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(0, 25, shape) for shape in zip(SMALL.sizes, SMALL.sizes[1:], strict=False)]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed: pip install -e '.[peers]'")
def test_pytorch_learns_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    made: list[Any] = []
    optimizer = torch.optim.RMSprop
    monkeypatch.setattr(torch.optim, "RMSprop", lambda parameters, lr: made.extend(parameters) or optimizer(parameters, lr))
    peers.pytorch(SMALL, weights())(0.2)
    for parameter, before in zip(made, weights(), strict=True):
        moved = np.abs(parameter.detach().numpy() - before)
        assert moved.max() == pytest.approx(1.0, rel=1e-3)  # mV: RMSprop's first step is lr g / √(0.01 g²)


@pytest.mark.skipif(importlib.util.find_spec("brian2") is None, reason="Brian2 is not installed: pip install -e '.[brian2]'")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_brian2_learns_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    import brian2 as b2

    made: dict[str, Any] = {}
    network = b2.Network
    monkeypatch.setattr(b2, "Network", lambda *objects: made.setdefault("network", network(*objects)))
    target = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    try:
        peers.brian2(SMALL, weights())(0.51)
    finally:
        b2.prefs.codegen.target = target
    below, above = (x for x in made["network"].sorted_objects if isinstance(x, b2.Synapses) and "h2" in x.variables)
    for synapses, before in zip((below, above), weights(), strict=True):
        moved = np.abs(np.asarray(synapses.w / b2.mV) - before.ravel())
        assert moved.max() == pytest.approx(1.0, rel=1e-3)  # mV: RMaxProp's first step, at 0.5 s

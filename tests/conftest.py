"""Shared fixtures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from superspike import Network, Task, tasks
from superspike.spikes.files import write_ras
from superspike.spikes.trains import Spikes

mpl.use("agg")


@pytest.fixture
def ras_files(tmp_path: Path) -> tuple[str, str]:
    """A small task of this project's own as two .ras files: 20 inputs, 3 outputs, 0.5 s."""
    rng = np.random.default_rng(11)
    write_ras(tmp_path / "in.ras", tasks.poisson_spikes(20, 10.0, 490.0, rng))
    write_ras(tmp_path / "out.ras", Spikes([100.0, 200.0, 300.0], [0, 1, 2], 3))
    return str(tmp_path / "in.ras"), str(tmp_path / "out.ras")


@pytest.fixture(scope="session")
def small_task() -> Task:
    """10 inputs, 2 outputs, 200 ms."""
    return tasks.poisson(n_inputs=10, input_rate=20.0, outputs=2, target_rate=10.0, period_ms=200.0, seed=3)


@pytest.fixture
def small_network() -> Network:
    """Fits ``small_task``; one hidden layer."""
    return Network([10, 6, 2], w0=80.0, seed=2)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The address of a server on this machine, and the folder that it serves."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()
        thread.join()

"""Many runs in parallel, one process per core. Finished runs are kept, and a sweep that is started again goes on from them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from ..engine.jit import source_key, usable_cores, use_one_core
from ..model.parameters import Param
from . import config
from .checkpoint import NO_NUMBERS
from .fitting import Fit
from .job import carry_out, load, options_of
from .observers import SilentNetworkWarning
from .run import Run


def sweep(
    tables: Iterable[Mapping[str, Any]], folder: str | os.PathLike[str], jobs: int | None = None, *, progress: bool = False
) -> list[Run | Fit]:
    """Train one network per table of options; return the runs in the same order, whatever the number of processes.

    Ctrl-C, and an error in any of the runs, ends those that are being trained; finished runs stay.

    Parameters
    ----------
    tables : options as on the command line, e.g. ``{"task": "regular", "hidden": [4], "seed": 3}``
    folder : where each run is kept as a folder of its own, found again by its options and by the package's sources: a
        new version, or an edit of a module that numbers come from, makes new runs
    jobs : number of processes, by default one per core that this process may use. Scripts need
        ``if __name__ == "__main__":`` for more than one.
    progress : whether to show a progress bar

    Raises
    ------
    ParameterError for a wrong option, before anything is run. RuntimeError, naming the run, if its process was killed.
    """
    if jobs is not None:
        jobs = Param("", "", ge=1).check("sweep.jobs", jobs, int)
    todo = [(dict(table), Path(folder) / run_name(table)) for table in tables]
    missing = {where: table for table, where in todo if not (where / "config.toml").is_file()}
    processes = min(jobs or usable_cores(), len(missing))
    with bar(len(missing), progress) as done:
        if processes > 1:
            train_together(missing, processes, done.update)
        else:
            for where, table in missing.items():
                train_into(table, where)
                done.update()
    return [load(where) for _, where in todo]


def run_name(table: Mapping[str, Any]) -> str:
    """The name of a run's folder: its seed, and a hash of all its options and of the sources that its numbers come from."""
    options, seed = options_of(table)
    files = {name: contents(Path(table[name])) for name in config.PATHS if name in table}
    text = json.dumps([options, files, source_key(besides=NO_NUMBERS)], sort_keys=True)
    return f"seed-{seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def contents(path: Path) -> str:
    """What is in a file; of a folder of data, which files there are, and how large."""
    if path.is_dir():
        return str(sorted((file.name, file.stat().st_size) for file in path.iterdir() if file.is_file()))
    return path.read_bytes().hex()


def train_into(table: Mapping[str, Any], where: Path) -> None:
    """Train by the options in ``table`` and save the run, without its pictures, in ``where``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SilentNetworkWarning)  # of many runs, some may; their metrics tell
            run = carry_out(*config.build(table))
        run.save(where, force=True, pictures=False)
    except Exception as error:
        error.add_note(f"in the run with the options {dict(table)}")
        raise


def train_together(missing: Mapping[Path, Mapping[str, Any]], processes: int, done: Callable[[], object]) -> None:
    """Train all runs in so many processes, which end with this call, however it ends. ``done`` is called after each run."""
    context = multiprocessing.get_context("spawn")
    waiting = iter(missing.items())
    workers: dict[Any, Any] = {}  # the process at the other end of each pipe
    running: dict[Any, Path] = {}  # what it is training
    try:
        for _ in range(processes):
            pipe, other_end = context.Pipe()
            workers[pipe] = context.Process(target=work, args=(other_end,), daemon=True)
            workers[pipe].start()
            other_end.close()  # the worker's alone, so that the pipe ends with it
        free: Any = workers
        while True:
            for pipe, (where, table) in zip(free, waiting, strict=False):
                running[pipe] = where
                with contextlib.suppress(OSError):  # a worker that is gone shows below
                    pipe.send((table, where))
            if not running:
                return
            free = wait(running)
            for pipe in free:
                receive(pipe, workers[pipe], missing[running.pop(pipe)])
                done()
    finally:
        for process in workers.values():
            process.kill()
            process.join()


def receive(pipe: Any, process: Any, table: Mapping[str, Any]) -> None:
    """Take a worker's word that it has trained and saved its run, or raise what it or its end came to."""
    try:
        error, text = pipe.recv()
    except (EOFError, OSError):
        process.join()
        raise RuntimeError(
            f"sweep: the process of the run with the options {dict(table)} ended early, with exit code {process.exitcode}; "
            "-9 is a kill, as for want of memory"
        ) from None
    if error:
        raise error from RuntimeError(f"in a process of the sweep:\n{text}")


def work(pipe: Any) -> None:
    """A worker: train the runs that come through ``pipe`` until it is killed, or its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all processes; the parent ends its workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    use_one_core()
    while True:
        table, where = pipe.recv()
        error, text = None, ""
        try:
            train_into(table, where)
        except Exception as caught:
            error, text = caught, traceback.format_exc()
        pipe.send((error, text))


def end_with_parent() -> None:
    """Wait until the parent process is gone, in whatever way, and end this one, in whatever it does."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def bar(total: int, shown: bool) -> Any:
    """A progress bar over the runs."""
    from tqdm import tqdm

    return tqdm(total=total, unit="run", disable=not shown or total == 0)

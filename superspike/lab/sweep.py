"""Many runs in parallel, one process per core. Finished runs are kept, and a sweep that is started again goes on from them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

from ..engine.jit import source_key, usable_cores, use_one_core
from ..model.parameters import Param, extra, reading_file
from . import config
from .checkpoint import NO_NUMBERS, Keeper
from .folder import CHECKPOINT, CONFIG, OWN, check_place, reserve, whole
from .job import carry_out, complete, load, options_of, resume
from .observers import SilentNetworkWarning

SAMPLE_S = 2.0  # of a run that is measured

Settle = Callable[[Path, "Exception | None", str], None]


class Failure(NamedTuple):
    """A run that did not come to its end: its options, and why."""

    table: dict[str, Any]
    error: str  # in words
    text: str  # of the traceback


def sweep(
    tables: Iterable[Mapping[str, Any]],
    folder: str | os.PathLike[str],
    jobs: int | None = None,
    *,
    progress: bool = False,
    keep_going: bool = False,
    client: Any = None,
) -> list[Any]:
    """Train one network per table of options; return the runs in the same order, whatever the number of processes.

    Finished runs stay, whatever ends the sweep; runs that a minute's checkpoint was written of go on from there.

    Parameters
    ----------
    tables : options as on the command line, e.g. ``{"task": "regular", "hidden": [4], "seed": 3}``
    folder : where each run is kept as a folder of its own, found again by its options and by the package's sources: a
        new version, or an edit of a module that numbers come from, makes new runs
    jobs : number of processes, by default one per core that this process may use. Scripts need
        ``if __name__ == "__main__":`` for more than one.
    progress : whether to show a progress bar
    keep_going : whether a run that fails is a :class:`Failure` in the list, and the others go on; else it ends the sweep
    client : a ``dask.distributed.Client`` whose workers train, in the place of processes here (the extra ``cluster``)

    Raises
    ------
    ParameterError for a wrong option, before anything is run; for files that hold no such samples, when a run reads them.
    RuntimeError, naming the run, if its process was killed.
    """
    if jobs is not None:
        jobs = Param("", "", ge=1).check("sweep.jobs", jobs, int)
    todo = [(dict(table), Path(folder) / run_name(table)) for table in tables]
    missing = {where: table for table, where in todo if not (where / CONFIG).is_file()}
    if missing:
        check_place(Path(folder))
    processes = min(jobs or usable_cores(), len(missing))
    found: dict[Path, Any] = {}

    def settle(where: Path, error: Exception | None, text: str) -> None:
        done.update()
        if error is not None and not keep_going:
            raise error from (RuntimeError(f"in a process of the sweep:\n{text}") if text else None)
        if error is not None:
            found[where] = Failure(dict(missing[where]), f"{type(error).__name__}: {error}", text or str(error))
        else:
            found[where] = load(where)  # while others train

    with bar(len(missing), progress) as done:
        if client is not None:
            train_on_cluster(missing, client, settle)
        elif processes > 1:
            train_together(missing, processes, settle)
        else:
            for where, table in missing.items():
                settle(where, attempt(table, where)[0], "")
    return [found[where] if where in found else load(where) for _, where in todo]


def estimate(tables: Sequence[Mapping[str, Any]], jobs: int | None = None) -> tuple[float, int]:
    """About how many seconds the runs take, in how many processes: by the speed of the first, for two seconds."""
    built = config.build(tables[0])
    began = time.perf_counter()
    lasts: Any = lambda _: time.perf_counter() - began < SAMPLE_S  # noqa: E731
    name = "on_report" if isinstance(built[2], config.Fitting) else "on_block"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SilentNetworkWarning)
        run = carry_out(*built, **{name: lasts})
    speed, seconds, processes = run.summary(), 0.0, min(jobs or usable_cores(), len(tables))
    for table in tables:
        training = config.Chosen(table).training()
        if isinstance(training, config.Fitting):
            seconds += training.epochs * speed["seconds_per_epoch"]
        else:
            seconds += (training.burn_in_ms + training.duration_ms) / 1000 / speed["real_time_factor"]
    return seconds / processes, processes


def run_name(table: Mapping[str, Any]) -> str:
    """The name of a run's folder: its seed, and a hash of all its options and of the sources that its numbers come from."""
    options, seed = options_of(table)
    files = {name: contents(Path(table[name])) for name in config.PATHS if name in table}
    text = json.dumps([options, files, source_key(besides=NO_NUMBERS)], sort_keys=True)
    return f"seed-{seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def contents(path: Path) -> str:
    """What is in a file; of a folder of data, which files there are, and how large."""
    with reading_file(path, "a file, or a folder of data"):
        if path.is_dir():
            return str(sorted((file.name, file.stat().st_size) for file in path.iterdir() if file.is_file()))
        return path.read_bytes().hex()


def train_into(table: Mapping[str, Any], where: Path) -> None:
    """Train by the options in ``table``, or go on from a checkpoint, and save the run, without its pictures, in ``where``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SilentNetworkWarning)  # of many runs, some may; their metrics tell
            if (where / OWN / CHECKPOINT).is_file():
                resume(where, at_end=False, pictures=False)
                return
            with reserve(where, force=True) as own:
                complete(own, config.build(table), Keeper(own, at_end=False))
    except Exception as error:
        error.add_note(f"in the run with the options {dict(table)}")
        raise


def attempt(table: Mapping[str, Any], where: Path) -> tuple[Exception | None, str]:
    """Train into a folder; what went wrong, if anything did, and the text of its traceback."""
    try:
        train_into(table, where)
    except Exception as error:
        return error, traceback.format_exc()
    return None, ""


def train_together(missing: Mapping[Path, Mapping[str, Any]], processes: int, settle: Settle) -> None:
    """Train all runs in so many processes, which end with this call, however it ends. ``settle`` is called after each run."""
    context = multiprocessing.get_context("spawn")
    waiting = iter(missing.items())
    workers: dict[Any, Any] = {}  # the process at the other end of each pipe
    running: dict[Any, Path] = {}  # what it is training

    def start() -> Any:
        pipe, other_end = context.Pipe()
        workers[pipe] = context.Process(target=work, args=(other_end,), daemon=True)
        workers[pipe].start()
        other_end.close()  # the worker's alone, so that the pipe ends with it
        return pipe

    try:
        free: Any = [start() for _ in range(processes)]
        while True:
            for pipe, (where, table) in zip(free, waiting, strict=False):
                running[pipe] = where
                with contextlib.suppress(OSError):  # a worker that is gone shows below
                    pipe.send((table, where))
            if not running:
                return
            free = []
            for pipe in wait(running):
                where = running.pop(pipe)
                error, text = received(pipe, workers[pipe], missing[where])
                settle(where, error, text)
                alive = workers[pipe].is_alive()
                if not alive:
                    del workers[pipe]
                free.append(pipe if alive else start())
    finally:
        for process in workers.values():
            process.kill()
            process.join()


def received(pipe: Any, process: Any, table: Mapping[str, Any]) -> tuple[Exception | None, str]:
    """A worker's word of how its run has ended, or what its own end came to."""
    try:
        error, text = pipe.recv()
    except (EOFError, OSError):
        process.join()
        return RuntimeError(
            f"sweep: the process of the run with the options {dict(table)} ended early, with exit code {process.exitcode}; "
            "-9 is a kill, as for want of memory"
        ), ""
    return error, text


def train_on_cluster(missing: Mapping[Path, Mapping[str, Any]], client: Any, settle: Settle) -> None:
    """Train all runs on the workers of a Dask cluster. A worker that dies has its runs done again elsewhere.

    Where the workers see the sweep's folder, they write there, and go on from the checkpoints that they find; else they send what
    they have written.
    """
    if not missing:
        return
    distributed = extra("distributed", "cluster")
    runs = next(iter(missing)).parent
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=runs, prefix=".here-") as here:
        futures = {}
        for where, table in missing.items():
            future = client.submit(
                train_there, dict(table), str(where.absolute()), here.name, key=f"{where.name}", pure=False, retries=0
            )
            futures[future] = where
        try:
            for future in distributed.as_completed(futures):
                where = futures[future]
                try:
                    error, text, files = future.result()
                except Exception as caught:  # the cluster's own: workers that died too often
                    error, text, files = RuntimeError(f"sweep: {where.name} was lost by the cluster ({caught})"), "", {}
                if files:
                    with reserve(where, force=True) as own, whole(own, files) as new:
                        for name, data in files.items():
                            (new / name).write_bytes(data)
                future.release()  # else it would be done again where its worker dies
                settle(where, error, text)
        finally:
            client.cancel(list(futures))


def train_there(table: dict[str, Any], where: str, here: str) -> tuple[Exception | None, str, dict[str, bytes]]:
    """On a worker of a cluster: train; the run's files, unless they were written where they belong."""
    use_one_core()
    if Path(here).exists():
        done = (Path(where) / CONFIG).is_file()  # by a worker that has died since, with its word of it
        return (None, "", {}) if done else (*attempt(table, Path(where)), {})
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "run"
        error, text = attempt(table, at)
        return error, text, {} if error else {path.name: path.read_bytes() for path in at.iterdir()}


def work(pipe: Any) -> None:
    """A worker: train the runs that come through ``pipe`` until it is killed, or its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all processes; the parent ends its workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    use_one_core()
    while True:
        table, where = pipe.recv()
        pipe.send(attempt(table, where))


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

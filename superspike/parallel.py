"""Many runs in parallel, one process per core. Finished runs are kept, and a sweep that is started again goes on from them."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from . import config
from ._jit import source_key, use_one_core
from ._parameters import ParameterError
from .run import Run
from .training import SilentNetworkWarning, train


def sweep(
    tables: Iterable[Mapping[str, Any]], folder: str | os.PathLike[str], jobs: int | None = None, *, progress: bool = False
) -> list[Run]:
    """Train one network per table of options; return the runs in the same order, whatever the number of processes.

    Parameters
    ----------
    tables : options as on the command line, e.g. ``{"task": "regular", "hidden": [4], "seed": 3}``
    folder : where each run is kept as a folder of its own, found again by its options and the package's version
    jobs : number of processes, by default one per core. Scripts need ``if __name__ == "__main__":`` for more than one.
    progress : whether to show a progress bar

    Raises
    ------
    ParameterError for a wrong option, before anything is run.
    """
    if jobs is not None and jobs < 1:
        raise ParameterError(f"sweep.jobs: must be a whole number >= 1, got {jobs!r}")
    todo = [(dict(table), Path(folder) / run_name(table)) for table in tables]
    missing = {where: table for table, where in todo if not (where / "config.toml").is_file()}
    processes = min(jobs or os.cpu_count() or 1, len(missing))
    if processes > 1:
        context = multiprocessing.get_context("spawn")
        with (
            ProcessPoolExecutor(processes, mp_context=context, initializer=use_one_core) as pool,
            bar(len(missing), progress) as done,
        ):
            futures = [pool.submit(train_into, table, where) for where, table in missing.items()]
            try:
                for future in as_completed(futures):
                    future.result()
                    done.update()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    else:
        with bar(len(missing), progress) as done:
            for where, table in missing.items():
                train_into(table, where)
                done.update()
    return [Run.load(where) for _, where in todo]


def run_name(table: Mapping[str, Any]) -> str:
    """The name of a run's folder: its seed, and a hash of all its options and of the package's sources."""
    task, network, training = config.build(table)
    options = config.table(task, network, training, initial_weights=False)
    files = {name: Path(table[name]).read_bytes().hex() for name in config.PATHS if name in table}
    text = json.dumps([options, files, source_key()], sort_keys=True)
    return f"seed-{network.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def train_into(table: Mapping[str, Any], where: Path) -> None:
    """Train by the options in ``table`` and save the run, without its pictures, in ``where``."""
    try:
        task, network, training = config.build(table)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SilentNetworkWarning)  # of many runs, some may; their metrics tell
            run = train(network, task, **training._asdict())
        run.save(where, force=True, pictures=False)
    except Exception as error:
        error.add_note(f"in the run with the options {dict(table)}")
        raise


def bar(total: int, shown: bool) -> Any:
    """A progress bar over the runs."""
    from tqdm import tqdm

    return tqdm(total=total, unit="run", disable=not shown or total == 0)

"""Looking at a run while it goes on, from its checkpoints, and at its whole course, which is repeated."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from ..model.parameters import ParameterError
from ..tasks import Labelled, Task
from . import config
from .checkpoint import Keeper, read_checkpoint, wish
from .config import Training
from .fitting import Fit
from .folder import CHECKPOINT, CONFIG, OWN, is_reserved
from .job import carry_out, load
from .run import Run
from .saved import read_config
from .training import train

LOOK_S = 0.2  # between looks for a newer checkpoint
REDRAW_S = 5.0  # at least, from one picture to the next


def as_it_stands(folder: str | os.PathLike[str]) -> Run | Fit:
    """The run in a folder, or, of one that has not ended, what it was at its newest checkpoint.

    The test samples are left alone until the run ends.
    """
    where = Path(folder)
    if not (where / OWN / CHECKPOINT).is_file():
        if not (where / CONFIG).is_file() and is_reserved(where):
            raise ParameterError(f"{where}: must have written a checkpoint, goes on without one; try again, or wait for its end")
        return load(where)
    start = read_checkpoint(where)
    rows = start.part("metrics").get("rows")
    if rows is not None and not rows.size:  # samples report before they are kept
        raise ParameterError(f"{where}: must have come to the end of its first block, has not; try again")
    with start.unpacked() as path:
        task, network, training = config.build(config.read(path))
    if isinstance(task, Labelled):
        task = task._replace(split=task.split._replace(test=task.split.test[:0]))
    return carry_out(task, network, training, keeper=Keeper(None, 0, start, asked=True), on_compile=lambda _: None)


def live(folder: str | os.PathLike[str]) -> Iterator[Run | Fit]:
    """What a run that goes on in a folder is, again and again, until it has ended or stopped; at least once.

    It is asked for a checkpoint each time, if it writes any.
    """
    where, seen, going = Path(folder), 0, True
    while going:
        began, going = time.monotonic(), is_reserved(where)
        while going and newest(where) in (seen, 0):
            wish(where)
            time.sleep(LOOK_S)
            going = is_reserved(where)
        seen = newest(where)
        try:
            yield as_it_stands(where)
        except ParameterError:
            if not going:
                raise
            continue  # it has ended meanwhile, or was at its very beginning
        if going:
            time.sleep(max(0.0, began + REDRAW_S - time.monotonic()))


def newest(where: Path) -> int:
    """When the checkpoint of a run that goes on was written; 0: never, or it has ended."""
    try:
        return (where / OWN / CHECKPOINT).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def repeated(folder: str | os.PathLike[str]) -> Run:
    """A run on a stream with the spikes of all its periods: what a folder holds, or it is trained once more, bit for bit."""
    run = load(folder)
    if not isinstance(run, Run):
        raise ParameterError(f"{folder}: must be a run on a stream, learns samples, which have no course of spikes")
    if run.network.readout:
        raise ParameterError(f"{folder}: must be a run whose outputs spike, has a readout")
    if run.training.record == "spikes":
        return run
    task, network, training = config.build(read_config(folder))
    assert isinstance(task, Task)
    assert isinstance(training, Training)
    end = run.metrics["time_ms"][-1]
    return train(network, task, on_block=lambda progress: progress.time_ms < end, **training._replace(record="spikes")._asdict())

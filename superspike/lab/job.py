"""From a table of options to a run of either kind, on a stream or on labelled samples, and back from its folder."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import tasks
from ..engine.jit import source_key
from ..model.network import Network
from ..model.parameters import Param, ParameterError
from . import config
from .checkpoint import NO_NUMBERS, Checkpoint, Keeper, read_checkpoint
from .config import EVERY_S
from .fitting import Fit, fit
from .folder import CONFIG, OWN, RECORDS, reserve
from .recording import texts_of
from .run import Run
from .saved import read_config, reading
from .training import train


def carry_out(task: Any, network: Network, training: Any, probes: Sequence[str] = (), **more: Any) -> Run | Fit:
    """Train as :func:`superspike.lab.config.build` says; ``more`` are other arguments of :func:`train`, or of :func:`fit`."""
    if isinstance(task, tasks.Labelled):
        if probes:
            raise ParameterError("probe: must be left out, it records streams; samples.npz holds some decisions, step by step")
        parts = task.split
        held: dict[str, Any] = {
            name: part for name, part in (("validation", parts.validation), ("test", parts.test)) if len(part)
        }
        return fit(network, parts.train, source=task.source, **held, **training._asdict(), **more)
    start = more["keeper"].start if "keeper" in more else None
    probes = probes or (texts_of(start.part("probes")) if start else ())
    return train(network, task, probes=probes, **training._asdict(), **more)


def resume(
    folder: str | os.PathLike[str],
    more: float | None = None,
    *,
    checkpoint_s: float = EVERY_S,
    at_end: bool = True,
    pictures: bool = True,
    data: str | None = None,
    **observers: Any,
) -> Run | Fit:
    """Go on with the run in a folder from its newest checkpoint, to its planned end or beyond, and write it there.

    Weights, spikes and metrics are those, bit for bit, of a run that was never interrupted.

    Parameters
    ----------
    more : how much longer than planned: simulated time (ms) of a stream, epochs of samples. A run that has ended needs it
    checkpoint_s : wall-clock time (s) between checkpoints; 0: none
    at_end : whether there is to be one at the end, to go on from for longer
    pictures : whether they are drawn
    data : the folder of the samples, where it is another by now
    **observers : ``on_block`` or ``on_report``, and ``on_compile``, as of :func:`train` and :func:`fit`

    Raises
    ------
    ParameterError : a folder without a checkpoint, one that another process works on, a checkpoint that cannot be read, or of
        another run than the folder's
    """
    with resumed(folder, {"duration": more, "epochs": more}, data) as (own, start, built):
        run = complete(own, built, Keeper(own, checkpoint_s, start, at_end=at_end), **observers)
        if pictures:
            run.draw(own)
    return run


def complete(own: Path, built: tuple[Any, Network, Any], keeper: Keeper, **observers: Any) -> Run | Fit:
    """Carry out a run and write it, but for its pictures, into its reserved folder."""
    run = carry_out(*built, keeper=keeper, **observers)
    keeper.end()
    run.write(own)
    return run


@contextmanager
def resumed(
    folder: str | os.PathLike[str], more: Mapping[str, Any], data: str | None
) -> Iterator[tuple[Path, Checkpoint, tuple[Any, Network, Any]]]:
    """The folder, reserved, its checkpoint, and task, network and training of the run that goes on."""
    with reserve(folder, resume=True) as own:
        start = read_checkpoint(own)
        with start.unpacked() as path:
            table = config.read(path)
            check_same(own, start, table)
            if data is not None:
                table["data"] = data
            task, network, training = config.build(table)
            if start.header.sources != source_key(NO_NUMBERS):
                warnings.warn(
                    f"{start.path} was written by other sources (superspike {start.header.version}): the run goes on, maybe not "
                    f"bit for bit",
                    stacklevel=3,
                )
            if (own / RECORDS).is_dir() and not (own / OWN / RECORDS).exists():
                shutil.copytree(own / RECORDS, own / OWN / RECORDS)
            yield own, start, (task, network, prolonged(own, training, more))


def check_same(own: Path, start: Checkpoint, table: Mapping[str, Any]) -> None:
    """Raise ParameterError if a run that has ended lies beside the checkpoint of another."""
    if (own / CONFIG).is_file():
        ended = config.read(own / CONFIG)
        longer = {*config.PATHS, "duration", "epochs"}
        for name in sorted((ended.keys() | table.keys()) - longer):
            if ended.get(name) != table.get(name):
                raise ParameterError(
                    f"{start.path}: must be of the run in {own}, is of one with another {name}, {table.get(name)!r} instead of "
                    f"{ended.get(name)!r}"
                )


def prolonged(own: Path, training: Any, more: Mapping[str, Any]) -> Any:
    """How to train, for longer."""
    fits = isinstance(training, config.Fitting)
    option, field, kind = ("epochs", "epochs", int) if fits else ("duration", "duration_ms", float)
    for name, value in more.items():
        if name != option and value is not None and more[option] is None:
            raise ParameterError(
                f"{name}: must be left out, the run in {own} goes on for {'epochs' if fits else 'a time'}; say --{option}"
            )
    if more[option] is None:
        ended = False
        if (own / CONFIG).is_file():
            with reading(own / "summary.json") as path:
                ended = not json.loads(path.read_text(encoding="utf-8"))["interrupted"]
        if ended:
            raise ParameterError(f"{own}: must be a run that has not ended, has; say how much longer it shall go on (--{option})")
        return training
    longer = Param("", "", gt=0).check(f"resume.{option}", more[option], kind)
    return training._replace(**{field: getattr(training, field) + longer})


def options_of(table: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """All the options that ``table`` chooses, said or not, and the network's seed."""
    if learns_samples(table) and "weights" not in table:
        source, network, training = config.unmade(table)
        return config.table(source, network, training, initial_weights=False), network.seed
    task, network, training = config.build(table)
    made = task.source if isinstance(task, tasks.Labelled) else task
    return config.table(made, network, training, initial_weights=False), network.seed


def learns_samples(table: Mapping[str, Any]) -> bool:
    """Whether the options choose labelled samples."""
    return config.task_of(table) in tasks.DATASETS


def load(folder: str | os.PathLike[str]) -> Run | Fit:
    """The run that a folder holds."""
    return (Fit if learns_samples(read_config(folder)) else Run).load(folder)


def samples_of(run: Fit, part: str, data: str | None) -> tasks.Samples:
    """The ``part`` (train, validation, test) of the samples that a run learned from; ``data``: the folder where they are now."""
    source = run.source
    if source is None and data is None:
        raise ParameterError("data: must be given, the run's samples were made by hand; give the folder that holds them (--data)")
    if source is None:
        source = tasks.Source(tasks.DATASETS["samples"](data))
    elif data is not None:
        if "data" not in source.dataset._fields:
            raise ParameterError(
                f"data: must be left out, {tasks.DATASETS.name_of(source.dataset)} is made, not read, got {data!r}"
            )
        source = source._replace(dataset=source.dataset._replace(data=data))
    found: tasks.Samples = getattr(source.make().split, part)
    if found.classes != run.classes:
        raise ParameterError(
            f"data: must have the run's classes, {', '.join(run.classes)}, got {', '.join(found.classes)}; give another folder"
        )
    if not len(found):
        raise ParameterError(f"part: must hold samples, {part} holds none")
    return found

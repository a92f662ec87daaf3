"""From a table of options to a run of either kind, on a stream or on labelled samples, and back from its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .. import tasks
from ..model.network import Network
from ..model.parameters import ParameterError
from . import config
from .fitting import Fit, fit
from .run import Run
from .saved import read_config
from .training import train


def carry_out(task: Any, network: Network, training: Any, **more: Any) -> Run | Fit:
    """Train as :func:`superspike.lab.config.build` says; ``more`` are other arguments of :func:`train`, or of :func:`fit`."""
    if isinstance(task, tasks.Labelled):
        parts = task.split
        held: dict[str, Any] = {
            name: part for name, part in (("validation", parts.validation), ("test", parts.test)) if len(part)
        }
        return fit(network, parts.train, source=task.source, **held, **training._asdict(), **more)
    return train(network, task, **training._asdict(), **more)


def options_of(table: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """All the options that ``table`` chooses, said or not, and the network's seed."""
    task, network, training = config.build(table)
    source = task.source if isinstance(task, tasks.Labelled) else task
    return config.table(source, network, training, initial_weights=False), network.seed


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
    if not len(found):
        raise ParameterError(f"part: must hold samples, {part} holds none")
    return found

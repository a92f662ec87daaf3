"""Options: one flat table of everything that can be chosen, for the command line and for config.toml.

The options are the fields of the parameter classes and a few of the network's own. A config file holds the same names
and the same words as the command line (``tau_mem = "10ms"``), so that a run's config.toml is its command line written
down. :func:`build` turns such a table into task, network and training; :func:`table` does the reverse.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from . import tasks
from ._parameters import Param, ParameterError, Registry, field_type, fields, parameters, quantity, without_dimensions
from .feedback import FEEDBACKS
from .filters import INTEGRATIONS
from .loss import LOSSES
from .network import W0, Network, load_weights
from .neuron import LIF
from .optimizer import OPTIMIZERS
from .rule import Rule
from .scheme import PRECISIONS, Scheme
from .surrogate import SURROGATES

ENGINES = ("event", "clock")
RECORDS = ("periods", "spikes")

HIDDEN = [256]
SEED = 1
COST_WINDOW = 10_000.0  # ms: a run's cost is the mean over this much time at its end (ZG18 averages over 10 s)


@parameters
class Training(NamedTuple):
    """How long and how to train. ``duration_ms`` and ``learning_rate_drop_ms`` count from the end of the burn-in."""

    duration_ms: Annotated[float, Param("ms", "simulated time of training, after the burn-in", gt=0, option="duration")] = (
        200_000.0
    )
    burn_in_ms: Annotated[float, Param("ms", "time before it, without weight updates", ge=0, option="burn-in")] = 0.0
    learning_rate_drop_ms: Annotated[
        float, Param("ms", "from then on the learning rate is a tenth; 0: never", ge=0, option="learning-rate-drop")
    ] = 0.0
    engine: Annotated[str, Param("", "same numbers, very different speed")] = "event"
    record: Annotated[str, Param("", "which spikes to keep: the first and last period's, or all")] = "periods"


class Option(NamedTuple):
    """One thing that can be chosen: its unit and meaning, its type, its words if it is one of a few, its default in words."""

    param: Param
    type: type
    words: tuple[str, ...] = ()
    default: str = ""


# The kinds of things of which one class is chosen by name. Inputs and targets are chosen by the files or texts given.
CHOICES: dict[str, Registry[type]] = {"feedback": FEEDBACKS, "surrogate": SURROGATES, "optimizer": OPTIMIZERS, "loss": LOSSES}
CHOSEN = {"feedback": "symmetric", "surrogate": "fast_sigmoid", "optimizer": "rmaxprop", "loss": "van_rossum"}
SINGLE = (LIF, Rule, Scheme, Training)
WORDS = {"integration": INTEGRATIONS, "precision": PRECISIONS, "engine": ENGINES, "record": RECORDS}
TRUTH = ("true", "false")
PATHS = ("input", "target", "image", "weights")  # relative to the config file that names them
TASK_KEYS = {"text": "text", "image": "image", "target": "file"}  # an option that says which targets are meant


def option_name(cls: type, field: str) -> str:
    """The option that sets a field of a parameter class."""
    return fields(cls)[field].option.replace("-", "_") or field


def in_words(value: Any, unit: str) -> str:
    """A value as it is typed: ``10ms``."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{repr(value).removesuffix('.0')}{unit.removeprefix('1')}" if isinstance(value, (int, float)) else str(value)


def options() -> dict[str, Option]:
    """Every option by name, in the order of ``superspike train --help``."""
    found: dict[str, Option] = {
        "task": Option(Param("", "the targets, if no --text, --image or --target says it"), str, tuple(tasks.TARGETS))
    }

    def add(cls: type) -> None:
        for field, param in fields(cls).items():
            name = option_name(cls, field)
            defaults = cls._field_defaults  # type: ignore[attr-defined]
            shown = field in defaults and (defaults[field] not in ("", 0) or defaults[field] is False)
            default = in_words(defaults[field], param.unit) if shown else ""
            known = found.get(name)
            default = default if known is None or known.default == default else "depends on the task"
            kind = field_type(cls, field)
            found[name] = Option(param, kind, TRUTH if kind is bool else WORDS.get(field, ()), default)

    for cls in (*tasks.TARGETS.values(), *tasks.INPUTS.values()):
        add(cls)
    found["period"] = Option(tasks.PERIOD, float)
    found["hidden"] = Option(Param("", "hidden neurons; 4,4: two layers, 0: none"), list, default=",".join(map(str, HIDDEN)))
    for kind, registry in CHOICES.items():
        found[kind] = Option(Param("", f"the {kind}"), str, tuple(registry), CHOSEN[kind])
        for cls in registry.values():
            add(cls)
    found["w0"] = Option(Param("mV", "spread of the initial weights, divided by √n_pre", ge=0), float, default=in_words(W0, "mV"))
    found["weights"] = Option(Param("", "start from the weights in this .npz file (w0, w1, …)"), str)
    found["seed"] = Option(Param("", "of all random numbers", ge=0), int, default=str(SEED))
    found["task_seed"] = Option(Param("", "of the task's random numbers, by default the seed", ge=0), int)
    for cls in (Training, LIF, Rule, Scheme):
        add(cls)
    return found


def parse(name: str, value: Any) -> Any:
    """The value of an option from what a person typed or a config file holds. Raises ParameterError."""
    option, value = options()[name], without_dimensions(value)
    try:
        if option.type is bool and isinstance(value, (bool, np.bool_)):
            return bool(value)
        if option.words and value not in option.words:
            raise ParameterError(f"must be one of {', '.join(option.words)}, got {value!r}")
        if option.type is list:
            words = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
            sizes = [_whole(word) for word in words]
            if sizes != [0] and any(n < 1 for n in sizes):
                raise ParameterError(f"must be numbers of neurons such as 256 or 4,4, or 0 for no hidden layer, got {value!r}")
            return [n for n in sizes if n]
        if option.type is int:
            return _whole(value)
        if option.type is float:
            return quantity(value if isinstance(value, str) else repr(value), option.param.unit)
        if option.type is bool:
            return value == "true"
        if not isinstance(value, str):
            raise ParameterError(f"must be a text, got {value!r}")
        return value
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}") from None


def _whole(word: Any) -> int:
    try:
        if isinstance(word, (bool, float)):
            raise ValueError
        return int(word)
    except (TypeError, ValueError):
        raise ParameterError(f"must be a whole number, got {word!r}") from None


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a config file; file names in it are relative to it. Raises ParameterError."""
    name = os.fspath(path)
    try:
        table = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"{name}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ParameterError(f"{name}: must be a TOML file of options ({error})") from None
    known = options()
    for key in table:
        if key not in known:
            raise ParameterError(f"{name}: unknown option {key!r}; known: {', '.join(known)}")
    folder = Path(name).absolute().parent
    return {key: str(folder / value) if key in PATHS and isinstance(value, str) else value for key, value in table.items()}


def merge(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the options in ``given`` on top; another kind of task replaces the base's."""
    kept = dict(base)
    if any(key in given for key in (*TASK_KEYS, "task")):
        kept = {key: value for key, value in kept.items() if key not in TASK_KEYS and key != "task"}
        kept.pop("period", None)
    if "seed" in given:
        kept.pop("task_seed", None)
    for kind, registry in CHOICES.items():
        if given.get(kind, kept.get(kind)) != kept.get(kind):  # the old choice's own options go with it
            old = registry.get(str(kept.get(kind, CHOSEN[kind])))
            new = registry.get(str(given[kind]))
            if old and new:
                gone = {option_name(old, f) for f in fields(old)} - {option_name(new, f) for f in fields(new)}
                kept = {key: value for key, value in kept.items() if key not in gone}
    return kept | dict(given)


def build(table: Mapping[str, Any]) -> tuple[tasks.Task, Network, Training]:
    """Task, network and training from a table of options. Raises ParameterError for whatever cannot be."""
    known = options()
    for key in table:
        if key not in known:
            raise ParameterError(f"unknown option {key!r}; known: {', '.join(known)}")
    values = {key: parse(key, value) for key, value in table.items()}
    used = {"task", "period", "hidden", "w0", "weights", "seed", "task_seed", *CHOICES}

    def make(cls: type) -> Any:
        names = {option_name(cls, field): field for field in fields(cls)}
        used.update(names)
        return cls(**{names[key]: value for key, value in values.items() if key in names})

    named = [TASK_KEYS[key] for key in TASK_KEYS if key in values]
    if len(named) > 1 or (named and values.get("task", named[0]) != named[0]):
        given = " and ".join(key for key in (*TASK_KEYS, "task") if key in values)
        raise ParameterError(f"task: must be one of text, image, target or another task, got {given}")
    kind = named[0] if named else values.get("task", "text")
    needed = {"image": "image", "file": "target"}.get(kind)
    if needed and needed not in values:
        raise ParameterError(f"task: {kind} needs a file; give --{needed} FILE")
    targets = make(tasks.TARGETS.find(kind))
    inputs = make(tasks.FileInputs if "input" in values else tasks.PoissonInputs)
    chosen = {key: make(registry.find(values.get(key, CHOSEN[key]))) for key, registry in CHOICES.items()}
    lif, rule, scheme, training = (make(cls) for cls in SINGLE)
    unused = [key for key in values if key not in used]
    if unused:
        raise ParameterError(f"{unused[0]}: has no effect on what the other options choose; leave it out")
    seed = values.get("seed", SEED)
    weights = load_weights(values["weights"]) if "weights" in values else None
    task = tasks.make(inputs, targets, values.get("period"), values.get("task_seed", seed))
    network = Network(
        [task.n_inputs, *values.get("hidden", HIDDEN), task.n_outputs],
        neuron=lif, rule=rule, scheme=scheme, w0=values.get("w0", W0), weights=weights, seed=seed, **chosen,
    )  # fmt: skip
    return task, network, training


def table(task: tasks.Task, network: Network, training: Training, initial_weights: bool) -> dict[str, Any]:
    """The options that make these again. A task made by hand is named by the files that the run's folder holds."""
    found: dict[str, Any] = {}

    def add(values: Any) -> None:
        for field, param in fields(type(values)).items():
            value = getattr(values, field)
            if option_name(type(values), field) in PATHS:
                value = str(Path(value).absolute())
            found[option_name(type(values), field)] = in_words(value, param.unit) if param.unit else value

    if task.spec:
        targets, seed = task.spec["targets"], task.spec["seed"]
        found["task"] = tasks.TARGETS.name_of(targets)
        add(targets)
        add(task.spec["inputs"])
        found["task_seed"] = seed
    else:
        found |= {"input": "input.ras", "inputs": task.n_inputs, "target": "target.ras", "outputs": task.n_outputs}
    found["period"] = in_words(task.period_ms, "ms")
    found["hidden"] = network.sizes[1:-1] or [0]
    for kind, registry in CHOICES.items():
        values = getattr(network, kind)
        found[kind] = registry.name_of(values)
        add(values)
    found["w0"] = in_words(network.w0, "mV")
    if initial_weights:
        found["weights"] = INITIAL_WEIGHTS
    found["seed"] = network.seed
    for values in (training, network.neuron, network.rule, network.scheme):
        add(values)
    return found


INITIAL_WEIGHTS = "initial_weights.npz"


def to_toml(table: Mapping[str, Any]) -> str:
    """A config file; a JSON string, number or list of numbers is TOML too."""
    head = "# superspike train CONFIG.toml repeats this run\n"
    return head + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())

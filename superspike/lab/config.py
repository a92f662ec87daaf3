"""Options: one flat table of everything that can be chosen, for the command line and for config.toml.

The options are the fields of the parameter classes and a few of the network's own. A config file holds the same names
and the same words as the command line (``tau_mem = "10ms"``), so that a run's config.toml is its command line written
down. :func:`build` turns such a table into task, network and training; :func:`table` does the reverse.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from .. import tasks
from ..model.feedback import FEEDBACKS
from ..model.filters import INTEGRATIONS
from ..model.loss import LOSSES
from ..model.network import W0, Layer, Network, load_weights
from ..model.neuron import NEURONS, RESETS
from ..model.optimizer import OPTIMIZERS
from ..model.parameters import (
    Param,
    ParameterError,
    Registry,
    declared,
    fields,
    number,
    parameters,
    quantity,
    without_default,
    without_dimensions,
)
from ..model.projection import OWN as PROJECTION
from ..model.projection import Projection
from ..model.readout import Rates
from ..model.rule import IN_TRIALS, Rule
from ..model.scheme import ENGINES, PRECISIONS, Scheme
from ..model.surrogate import SURROGATES

RECORDS = ("periods", "spikes")
RULES = ("superspike", "bptt")
WHICH_RULE = Param("", "what weights follow: the local rule, or the exact gradient, for comparison")

HIDDEN = [256]
SEED = 1
EVERY_S = 60.0  # s of wall-clock time between a run's checkpoints
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
    rule: Annotated[str, WHICH_RULE] = "superspike"


@parameters
class Fitting(NamedTuple):
    """How long and how to learn labelled samples, by :func:`superspike.fit`."""

    epochs: Annotated[int, Param("", "how often all samples are learned from", ge=1)] = 10
    batch: Annotated[int, Param("", "samples per update of the weights", ge=1)] = 64
    dropout: Annotated[float, Param("", "probability that an input spike is left out in training", ge=0, lt=1)] = 0.0
    decay: Annotated[float, Param("", "what the learning rate is multiplied by after each epoch", gt=0, le=1)] = 0.85
    choose: Annotated[str, Param("", "which epoch's weights are kept: the last, or those best on the validation samples")] = (
        "last"
    )
    threads: Annotated[int, Param("", "cores that share a batch, with the same numbers; 0: all", ge=0)] = 1
    rule: Annotated[str, WHICH_RULE] = "superspike"


class Option(NamedTuple):
    """One thing that can be chosen: its unit and meaning, its type, its words if it is one of a few, its default in words."""

    param: Param
    type: Any
    words: tuple[str, ...] = ()
    default: str = ""
    group: str = ""  # of the help page


GROUPS = ("First of all", "Task", "Network", "Neurons", "Learning", "Numerics", "Run")
FIRST = ("text", "task", "data", "hidden", "feedback", "learning_rate", "duration", "epochs", "seed")
IN_GROUP = {"feedback": "Learning", "optimizer": "Learning", "loss": "Learning", "neuron": "Neurons", "surrogate": "Neurons"}

# The kinds of things of which one class is chosen by name. Inputs and targets are chosen by the files or texts given.
CHOICES: dict[str, Registry] = {
    "feedback": FEEDBACKS, "surrogate": SURROGATES, "optimizer": OPTIMIZERS, "loss": LOSSES, "neuron": NEURONS,
}  # fmt: skip
CHOSEN = {
    "feedback": "symmetric", "surrogate": "fast_sigmoid", "optimizer": "rmaxprop", "loss": "van_rossum", "neuron": "lif",
    "encoder": "latency",
}  # fmt: skip
SINGLE: dict[str, type] = {"rule": Rule, "scheme": Scheme, "rates": Rates}  # the network's others
OUTPUT = "readout"  # what the option layers calls the last layer, where samples are classified: it is
READOUT = {"neuron": "readout", "tau_mem": "20ms"}
WORDS = {
    "reset": RESETS, "integration": INTEGRATIONS, "precision": PRECISIONS, "engine": ENGINES, "record": RECORDS,
    "choose": ("last", "best"), "rule": RULES, "voice": ("formants", "espeak", "auto"),
}  # fmt: skip
TRUTH = ("true", "false")
LOOPS, PAIRS = list[bool], list[tuple[int, int]]  # types of options
LAYERS, PROJECTIONS = dict[str, dict[str, str]], list[Projection]
PLASTIC = "plastic"  # beside the options of neurons and surrogates, what a layer may have of its own
PATHS = ("input", "target", "image", "font", "weights", "data")  # relative to the config file that names them
TASK_KEYS = {"text": "text", "image": "image", "target": "file"}  # an option that says which targets are meant
NETWORK = ("hidden", "recurrent", "skip", "layers", "projections", "w0", "weights", "seed")
OWN = ("task", "period", *CHOICES, "encoder", *NETWORK, "task_seed")  # no class's fields
COMMAND = ("out", "force", "probe", "checkpoint", "json", "quiet", "help")  # what else superspike train takes


# Options that are no class's field, or are better looked for elsewhere than those beside them.
OTHERS = {"encoder": "Task", "period": "Task", "task_seed": "Task", "engine": "Numerics", "threads": "Numerics"}
OTHERS |= dict.fromkeys(("learning_rate_drop", "choose"), "Learning") | dict.fromkeys(("epochs",), "Run")
OTHERS |= dict.fromkeys(("recurrent", "skip", "layers", "projections", "w0", "weights"), "Network") | IN_GROUP


def option_name(cls: type, field: str) -> str:
    """The option that sets a field of a parameter class."""
    return fields(cls)[field].option.replace("-", "_") or field


def in_words(value: Any, unit: str) -> str:
    """A value as it is typed: ``10ms``."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{repr(value).removesuffix('.0')}{unit.removeprefix('1')}" if isinstance(value, (int, float)) else str(value)


def options() -> dict[str, Option]:
    """Every option by name, in the order of ``superspike train --help``, of the classes that are registered now."""
    registries = (tasks.TARGETS, tasks.INPUTS, tasks.DATASETS, tasks.ENCODERS, *CHOICES.values())
    return _options(tuple(tuple(registry.items()) for registry in registries))


@lru_cache(4)
def _options(registered: Any) -> dict[str, Option]:
    """The options, found once for what is ``registered``.

    Classes of one kind share the options of one name. Raises ParameterError for two fields that cannot: of different
    kinds, of one class, or with different units.
    """
    found: dict[str, Option] = {
        "task": Option(
            Param("", "targets of a stream, if no --text, --image or --target says it, or labelled samples"),
            str,
            (*tasks.TARGETS, *tasks.DATASETS),
        )
    }
    owners = dict.fromkeys((*OWN, *COMMAND), ("", "superspike train"))

    def add(kind: str, cls: type, group: str) -> None:
        own = set()
        for field, (param, plain) in declared(cls).items():
            name, address = option_name(cls, field), f"{cls.__name__}.{field}"
            known = found.get(name)
            of_kind, owner = owners.setdefault(name, (kind, address))
            if of_kind != kind or name in own or (known and (known.param.unit, known.type) != (param.unit, plain)):
                raise ParameterError(
                    f"{address} and {owner}: must have options of their own, both are --{name.replace('_', '-')}; "
                    f"give one of them another with option= in its Param"
                )
            own.add(name)
            defaults = cls._field_defaults  # type: ignore[attr-defined]
            shown = field in defaults and (defaults[field] not in ("", 0) or defaults[field] is False)
            default = in_words(defaults[field], param.unit) if shown else ""
            if known and known.default != default:
                default = f"depends on the {'task' if kind == tasks.INPUTS.kind else kind}"
            found[name] = Option(param, plain, TRUTH if plain is bool else WORDS.get(field, ()), default, group)

    for registry in (tasks.TARGETS, tasks.INPUTS):
        for cls in registry.values():
            add(registry.kind, cls, "Task")
    for cls in tasks.DATASETS.values():
        add(tasks.INPUTS.kind, cls, "Task")  # no task has both
    found["encoder"] = Option(Param("", "how pictures become spikes"), str, tuple(tasks.ENCODERS), CHOSEN["encoder"])
    for cls in tasks.ENCODERS.values():
        add("encoder", cls, "Task")
    found["period"] = Option(tasks.PERIOD, float)
    found["hidden"] = Option(Param("", "hidden neurons; 4,4: two layers, 0: none"), list, default=",".join(map(str, HIDDEN)))
    found["recurrent"] = Option(
        Param("", "synapses of hidden layers onto themselves; true,false: of the first of two"), LOOPS, default="false"
    )
    found["skip"] = Option(Param("", "layers joined past others; 0-2,1-3: input onto layer 2, layer 1 onto 3; 0: none"), PAIRS)
    own = "a layer's own neuron, surrogate, what these take, or plastic; 1.tau_mem=20ms,readout.tau_mem=40ms; 0: nothing"
    found["layers"] = Option(Param("", own), LAYERS)
    own = "a projection's own delay, mask, signs, w_min, w_max, plastic; w0.delay=2ms,v1.mask=0.1 (a probability); 0: nothing"
    found["projections"] = Option(Param("", own), PROJECTIONS)
    for kind, registry in CHOICES.items():
        found[kind] = Option(Param("", f"the {kind}"), str, tuple(registry), CHOSEN[kind])
        for cls in registry.values():
            add(kind, cls, IN_GROUP[kind])
    found["w0"] = Option(Param("mV", "spread of the initial weights, divided by √n_pre", ge=0), float, default=in_words(W0, "mV"))
    found["weights"] = Option(Param("", "start from the weights in this .npz file (w0, w1, …)"), str)
    found["seed"] = Option(Param("", "of all random numbers", ge=0), int, default=str(SEED))
    found["task_seed"] = Option(Param("", "of the task's random numbers, by default the seed", ge=0), int)
    for cls, group in ((Training, "Run"), (Fitting, "Learning")):
        add("training", cls, group)  # no run is both
    for cls, group in ((Rule, "Learning"), (Rates, "Learning"), (Scheme, "Numerics")):
        add(cls.__name__, cls, group)
    placed = {
        name: option._replace(group=GROUPS[0] if name in FIRST else OTHERS.get(name, option.group))
        for name, option in found.items()
    }
    return dict(
        sorted(placed.items(), key=lambda item: (GROUPS.index(item[1].group), FIRST.index(item[0]) if item[0] in FIRST else 0))
    )


def parse(option: Option, value: Any) -> Any:
    """The value of an option from what a person typed, a config file or a table holds. Raises ParameterError."""
    value = without_dimensions(value)
    if option.type is bool and isinstance(value, (bool, np.bool_)):
        return bool(value)
    if option.words and value not in option.words:
        raise ParameterError(f"must be one of {', '.join(option.words)}, got {value!r}")
    if option.type == PROJECTIONS:
        return _projections(assigned(value, "w0.delay=2ms,v1.mask=0.1"))
    if option.type == LAYERS:
        return assigned(value, "1.tau_mem=20ms,2.plastic=false")
    words = value.split(",") if isinstance(value, str) else value if isinstance(value, Iterable) else [value]
    if option.type == LOOPS:
        found = [{"true": True, "false": False}.get(str(word).lower()) for word in words]
        if None in found or not found:
            raise ParameterError(f"must be true or false, or one of them per hidden layer such as true,false, got {value!r}")
        return found if len(found) > 1 else found[0]
    if option.type == PAIRS:
        try:
            pairs = [word.split("-") if isinstance(word, str) else word for word in words if str(word) != "0"]
            return [(_whole(pre), _whole(post)) for pre, post in pairs]
        except (TypeError, ValueError):
            raise ParameterError(f"must be pairs of layers such as 0-2 or 0-2,1-3, or 0 for none, got {value!r}") from None
    if option.type is list:
        sizes = [_whole(word) for word in words]
        if sizes != [0] and any(n < 1 for n in sizes):
            raise ParameterError(f"must be numbers of neurons such as 256 or 4,4, or 0 for no hidden layer, got {value!r}")
        return [n for n in sizes if n]
    if option.type is int:
        return _whole(value)
    if option.type is float:
        with suppress(TypeError, OverflowError):
            value = value if isinstance(value, str) else number(value)
        return quantity(value if isinstance(value, str) else repr(value), option.param.unit)
    if option.type is bool:
        return value == "true"
    if not isinstance(value, (str, os.PathLike)):
        raise ParameterError(f"must be a text, got {value!r}")
    return str(os.fspath(value))


def parsed(address: str, option: Option, value: Any) -> Any:
    """:func:`parse`, with the option's ``address`` in the error."""
    try:
        return parse(option, value)
    except ParameterError as error:
        raise ParameterError(f"{address}: {error}") from None


def assigned(value: Any, example: str) -> dict[str, dict[str, Any]]:
    """What is said of each thing by its name, from a text like the ``example`` or from a table of tables."""
    own = value if isinstance(value, Mapping) and all(isinstance(x, Mapping) for x in value.values()) else {}
    table: dict[str, dict[str, Any]] = {name: dict(fields) for name, fields in own.items()}
    words = value.split(",") if isinstance(value, str) else []
    matches = [re.fullmatch(r"\s*(\w+)\.([\w-]+)\s*=(.+)", word) for word in words if value.strip() != "0"]
    for match in matches:
        if match:
            table.setdefault(match[1], {})[match[2].replace("-", "_")] = match[3].strip()
    if None in matches or not (isinstance(value, str) or own is value):
        raise ParameterError(f"must be like {example}, or 0 for nothing, got {value!r}")
    return table


def _with_own(usual: Any, given: Any) -> dict[str, dict[str, Any]]:
    """What is said of each layer, over what is usual."""
    layers, own = assigned(usual, "1.tau_mem=20ms"), parsed("layers", Option(Param("", ""), LAYERS), given)
    return {name: layers.get(name, {}) | own.get(name, {}) for name in (*layers, *own)}


def _projections(table: dict[str, dict[str, Any]]) -> list[Projection]:
    """Projections from what is said of them."""
    found = []
    for name, own in table.items():
        for field, given in own.items():
            if field not in PROJECTION:
                raise ParameterError(f"{name}.{field}: must be one of {', '.join(PROJECTION)}, got {field!r}")
            kind = Option(PROJECTION[field], bool, TRUTH) if field == "plastic" else Option(PROJECTION[field], float)
            own[field] = parsed(f"{name}.{field}", kind, given)
        found.append(Projection.named(name, **own))
    return found


def _whole(word: Any) -> int:
    try:
        found = number(int(word) if isinstance(word, str) else word)
        if found == int(found):
            return int(found)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ParameterError(f"must be a whole number, got {word!r}")


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a config file; file names in it are relative to it. Raises ParameterError."""
    return of_file(path, read_toml(path, "options"))


def read_toml(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """What a TOML file says. Raises ParameterError for a file that is none."""
    name = os.fspath(path)
    try:
        found = tomllib.loads(Path(name).read_text(encoding="utf-8-sig"))  # editors on Windows mark the order of bytes
        repr(found)  # a number of more digits than Python prints could not be said in an error
    except OSError as error:
        raise ParameterError(f"{name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:  # Windows PowerShell's > writes UTF-16
        raise ParameterError(f"{name}: must be a TOML file of {what}, in UTF-8, is not; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{name}: must be a TOML file of {what} ({error})") from None
    return found


def of_file(path: str | os.PathLike[str], table: Mapping[str, Any]) -> dict[str, Any]:
    """Options that a file says, with the files that they name. Raises ParameterError for one that there is not."""
    check_known(table, f"{os.fspath(path)}: ")
    folder = Path(path).absolute().parent
    return {key: str(folder / value) if key in PATHS and isinstance(value, str) else value for key, value in table.items()}


def check_known(names: Iterable[str], address: str = "") -> None:
    """Raise the error for an option that there is not."""
    known = options()
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            meant = f" (did you mean {close[0]}?)" if close else ""
            raise ParameterError(f"{address}unknown option {name!r}{meant}; known: {', '.join(known)}")


def task_of(values: Mapping[str, Any]) -> Any:
    """The name of the task that options choose."""
    return next((name for key, name in TASK_KEYS.items() if key in values), values.get("task", "text"))


def names_of(*classes: type) -> set[str]:
    """The options of parameter classes."""
    return {option_name(cls, field) for cls in classes for field in fields(cls)}


def left_behind(old: str, new: str) -> set[str]:
    """The options of one task that say nothing of another."""
    known, sets = tasks.TARGETS | tasks.DATASETS, [tasks.DATASETS.get(name) for name in (old, new)]
    gone = names_of(*(known[old],) if old in known else ()) - names_of(*(known[new],) if new in known else ())
    gone |= {"period"}
    if sets != [None, None] and old != new:  # data sets have ways of their own to be learned
        own = {option for cls in sets if cls for option in cls.defaults()}  # type: ignore[attr-defined]
        gone |= own | {"layers", "projections"} | names_of(*(cls for cls in sets[:1] if cls), Fitting, Rates)
        kinds = [registry for kind, registry in CHOICES.items() if kind in own]
        gone |= names_of(*(cls for registry in kinds for cls in registry.values()))
    if None in sets and sets != [None, None]:
        gone |= {"encoder", "recurrent", "skip"} | names_of(Training, Rule, *tasks.ENCODERS.values(), *tasks.INPUTS.values())
    return gone


def merge(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the options in ``given`` on top; another kind of task replaces the base's."""
    kept = dict(base)
    if any(key in given for key in (*TASK_KEYS, "task")):
        gone = left_behind(str(task_of(kept)), str(task_of(given)))
        kept = {key: value for key, value in kept.items() if key not in {*TASK_KEYS, "task"} | gone}
    if "seed" in given:
        kept.pop("task_seed", None)
    for kind, registry in (CHOICES | {"encoder": tasks.ENCODERS}).items():
        old, new = registry.get(str(kept.get(kind, CHOSEN[kind]))), registry.get(str(given.get(kind)))
        if old and new:  # the old choice's own options go with it
            kept = {key: value for key, value in kept.items() if key not in names_of(old) - names_of(new)}
    return kept | dict(given)


def from_options(cls: type, values: Mapping[str, Any]) -> Any:
    """An instance of a parameter class, from those of the parsed options that are its fields'."""
    names = {option_name(cls, field): field for field in fields(cls)}
    for option, field in names.items():
        if option not in values and field in without_default(cls):
            raise ParameterError(f"{option}: must be given, {cls.__name__} has no default for it")
    return cls(**{field: values[option] for option, field in names.items() if option in values})


def to_options(values: Any) -> dict[str, Any]:
    """The options that make an instance of a parameter class again, file names absolute."""
    found = {}
    for field, param in fields(type(values)).items():
        option, value = option_name(type(values), field), getattr(values, field)
        if option in PATHS:
            if not value:
                continue  # the built-in font
            value = str(Path(value).absolute())
        found[option] = in_words(value, param.unit) if param.unit else value
    return found


class Chosen:
    """What a table of options chooses, and which of its options have been used. Raises ParameterError for what cannot be."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.known = options()
        named = [TASK_KEYS[key] for key in TASK_KEYS if key in table]
        self.task: str = named[0] if named else table.get("task", "text")
        if len(named) > 1 or table.get("task", self.task) != self.task:
            given = " and ".join(key for key in (*TASK_KEYS, "task") if key in table)
            raise ParameterError(f"task: must be one of text, image, target or another task, got {given}")
        if not isinstance(self.task, str):
            raise ParameterError(f"task: must be a name, got {self.task!r}")
        self.trials = self.task in tasks.DATASETS
        if self.trials:
            ways = tasks.DATASETS.find(self.task).defaults() | {"task": self.task}  # type: ignore[attr-defined]
            table = merge(ways, table) | {"layers": _with_own(ways.get("layers", "0"), table.get("layers", "0"))}
        check_known(table)
        self.values = {key: parsed(key, self.known[key], value) for key, value in table.items()}
        self.used = {*OWN} - {"encoder", *(["period"] if self.trials else [])}
        self.seed = self.values.get("seed", SEED)
        self.parts = {key: self.choose(key, registry) for key, registry in CHOICES.items()}
        self.single = {name: self.make(cls) for name, cls in SINGLE.items() if self.trials or cls is not Rates}

    def make(self, cls: type) -> Any:
        """An instance of a parameter class."""
        self.used.update(
            option_name(cls, field) for field in fields(cls) if not self.trials or cls is not Rule or field in IN_TRIALS
        )
        return from_options(cls, self.values)

    def choose(self, kind: str, registry: Registry) -> Any:
        """An instance of the class of a kind that is chosen."""
        return self.make(registry.find(self.values.get(kind, CHOSEN[kind])))

    def check_used(self) -> None:
        """Raise the error for an option that nothing has asked for."""
        unused = [key for key in self.values if key not in self.used]
        if unused:
            raise ParameterError(f"{unused[0]}: has no effect on what the other options choose; leave it out")

    def training(self) -> Training | Fitting:
        """How to train."""
        return self.make(Fitting if self.trials else Training)  # type: ignore[no-any-return]

    def samples(self) -> tasks.Source:
        """What makes the samples."""
        dataset, encoder = self.make(tasks.DATASETS.find(self.task)), None
        if hasattr(dataset, "encode"):
            encoder, self.used = self.choose("encoder", tasks.ENCODERS), self.used | {"encoder"}
        return tasks.Source(dataset, encoder, self.values.get("task_seed", self.seed))

    def pattern(self) -> Callable[[], tasks.Task]:
        """What makes the task of a stream."""
        needed = {"image": "image", "file": "target"}.get(self.task)
        if needed and needed not in self.values:
            raise ParameterError(f"task: {self.task} needs a file; give --{needed} FILE")
        targets = self.make(tasks.TARGETS.find(self.task))
        inputs = self.make(tasks.FileInputs if "input" in self.values else tasks.PoissonInputs)
        return lambda: tasks.make(inputs, targets, self.values.get("period"), self.values.get("task_seed", self.seed))

    def network(self, n_inputs: int, n_outputs: int) -> Network:
        """The network, between so many inputs and outputs."""
        values, sizes = self.values, [n_inputs, *self.values.get("hidden", HIDDEN), n_outputs]
        layers, last = values.get("layers", {}), str(len(sizes) - 1)
        if self.trials:
            layers = {last if name == OUTPUT else name: own for name, own in layers.items()}
            layers[last] = READOUT | layers.get(last, {})
        return Network(
            made_layers(sizes, layers, self.parts, self.known), w0=values.get("w0", W0),
            weights=load_weights(values["weights"]) if "weights" in values else None, seed=self.seed,
            recurrent=values.get("recurrent", False), skip=values.get("skip", ()), projections=values.get("projections", ()),
            **self.single, **self.parts,
        )  # fmt: skip


def build(table: Mapping[str, Any]) -> tuple[tasks.Task | tasks.Labelled, Network, Training | Fitting]:
    """Task (or labelled samples), network and training from a table of options. Raises ParameterError for what cannot be."""
    chosen = Chosen(table)
    make: Callable[[], tasks.Task | tasks.Labelled] = chosen.samples().make if chosen.trials else chosen.pattern()
    training = chosen.training()
    chosen.check_used()
    task = make()
    return task, chosen.network(task.n_inputs, task.n_outputs), training


def unmade(table: Mapping[str, Any]) -> tuple[tasks.Source, Network, Training | Fitting]:
    """The same of labelled samples, which are not made: what they would be made from, and a network between 1 unit and 2."""
    chosen = Chosen(table)
    source, training = chosen.samples(), chosen.training()
    chosen.check_used()
    return source, chosen.network(1, 2), training


def build_network(table: Mapping[str, Any], n_inputs: int, n_outputs: int) -> tuple[Network, Training | Fitting]:
    """Network and training alone, for so many inputs and outputs."""
    chosen = Chosen(table)
    return chosen.network(n_inputs, n_outputs), chosen.training()


def made_layers(
    sizes: list[int], table: Mapping[str, Any], chosen: Mapping[str, Any], known: Mapping[str, Option]
) -> list[Layer]:
    """Layers of these sizes with what the option ``layers`` says of them; what it does not say is as in the whole network."""
    layers = [Layer(n) for n in sizes]
    for name, given in table.items():
        if name not in map(str, range(1, len(sizes))):
            raise ParameterError(f"layers: must be of layers 1 … {len(sizes) - 1}, the output, got {name}")
        k = int(name)
        own, made, used = {}, dict[str, Any](), {PLASTIC}
        for key, text in given.items():
            option = Option(Param("", ""), bool, TRUTH) if key == PLASTIC else known.get(key, Option(Param("", ""), str))
            own[key] = parsed(f"layers: {name}.{key}", option, text)
        for kind in ("neuron", "surrogate"):
            general = chosen[kind]
            cls = CHOICES[kind].find(own.get(kind, CHOICES[kind].name_of(general)))
            names = {option_name(cls, field): field for field in fields(cls)}
            used |= {kind, *names}
            as_in_general = {name: getattr(general, field) for name, field in names.items()} if type(general) is cls else {}
            made[kind] = from_options(cls, as_in_general | own)
        if unknown := set(given) - used:
            rule = f"must be options of layer {k}'s neuron or surrogate, or {PLASTIC}"
            raise ParameterError(f"layers: {rule}, got {unknown.pop()!r}")
        layers[k] = Layer(sizes[k], made["neuron"], made["surrogate"], own.get(PLASTIC, True))
    return layers


def layers_in_words(network: Network, trials: bool = False) -> str:
    """The option that gives a network's layers what they have of their own; in ``trials`` the last is a readout."""
    words = []
    for k, layer in enumerate(network.layers[1:], 1):
        if trials and k == len(network.layers) - 1:
            words += [f"{OUTPUT}.{name}={in_words(x, '')}" for name, x in to_options(layer.neuron).items()]
        elif (layer.neuron, layer.surrogate, layer.plastic) != (network.neuron, network.surrogate, True):
            own: dict[str, Any] = {PLASTIC: layer.plastic}
            for kind in ("neuron", "surrogate"):
                own |= {kind: CHOICES[kind].name_of(getattr(layer, kind))} | to_options(getattr(layer, kind))
            words += [f"{k}.{name}={in_words(x, '')}" for name, x in own.items()]
    return ",".join(words)


def projections_in_words(network: Network) -> str:
    """The option that gives a network's projections what they have of their own; matrices are in its file."""
    words = [
        f"{projection.name}.{field}={in_words(value, param.unit)}"
        for projection in network.projections
        for field, param in PROJECTION.items()
        if (value := getattr(projection, field)) is not None
        and field not in projection.arrays
        and (field, value) != ("plastic", True)
    ]
    return ",".join(words)


def table(
    task: tasks.Task | tasks.Source | None, network: Network, training: Training | Fitting, initial_weights: bool
) -> dict[str, Any]:
    """The options that make these again. A task made by hand is named by the files that the run's folder holds."""
    trials = isinstance(training, Fitting)
    found = task_in_words(task)
    found["hidden"] = network.sizes[1:-1] or [0]
    if not trials or any(network.recurrent):
        found["recurrent"] = network.recurrent if len(set(network.recurrent)) > 1 else any(network.recurrent)
    if network.skip:
        found["skip"] = ",".join(f"{pre}-{post}" for pre, post in network.skip)
    if words := layers_in_words(network, trials):
        found["layers"] = words
    if words := projections_in_words(network):
        found["projections"] = words
    for kind, registry in CHOICES.items():
        values = getattr(network, kind)
        found[kind] = registry.name_of(values)
        found |= to_options(values)
    found["w0"] = in_words(network.w0, "mV")
    if initial_weights:
        found["weights"] = INITIAL_WEIGHTS
    found["seed"] = network.seed
    for values in (training, network.rule, network.scheme, *([network.rates] if trials else [])):
        found |= to_options(values)
    for field in fields(Rule):
        if trials and field not in IN_TRIALS:
            found.pop(option_name(Rule, field))
    return found


def task_in_words(task: tasks.Task | tasks.Source | None) -> dict[str, Any]:
    """The options that make a task again; None are samples made by hand."""
    if task is None:
        return {"task": "samples"}
    if isinstance(task, tasks.Source):
        found = {"task": tasks.DATASETS.name_of(task.dataset)} | to_options(task.dataset)
        if task.encoder is not None:
            found |= {"encoder": tasks.ENCODERS.name_of(task.encoder)} | to_options(task.encoder)
        return found | {"task_seed": task.seed}
    if task.spec:
        targets = task.spec["targets"]
        found = {"task": tasks.TARGETS.name_of(targets)} | to_options(targets) | to_options(task.spec["inputs"])
        found["task_seed"] = task.spec["seed"]
    else:
        found = {"input": "input.ras", "inputs": task.n_inputs, "target": "target.ras", "outputs": task.n_outputs}
    return found | {"period": in_words(task.period_ms, "ms")}


INITIAL_WEIGHTS = "initial_weights.npz"


def explained(task: str) -> str:
    """A config file of all options of a task, each with its meaning and its default."""
    if task in tasks.DATASETS:
        data = {"data": "DIR"} if "data" in fields(tasks.DATASETS[task]) else {}
        found = table(*unmade({"task": task} | data), False) | data
    else:
        stream, network, training = build({"task": task})
        assert isinstance(stream, tasks.Task)
        found = table(stream, network, training, False)
    lines, known = (
        [f"# All options of --task {task}. superspike train THIS.toml reads them; leave out what shall be as usual.\n"],
        options(),
    )
    for group in GROUPS:
        lines += [f"\n# {group}\n"] if any(known[name].group == group for name in found) else []
        for name in (name for name, option in known.items() if option.group == group and name in found):
            words = f"; one of {', '.join(known[name].words)}" if known[name].words else ""
            lines += [f"# {known[name].param.help}{words}\n", f"{name} = {json.dumps(found[name], ensure_ascii=False)}\n"]
    return "".join(lines)


def to_toml(table: Mapping[str, Any]) -> str:
    """A config file; a JSON string, number or list of numbers is TOML too."""
    head = "# superspike train CONFIG.toml repeats this run\n"
    lines = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
    return head + lines.replace("\x7f", "\\u007f")  # but for this character, which TOML wants escaped

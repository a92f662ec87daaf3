"""Parameter classes: one declaration gives a default, a unit, a rule, an error message, an option and its help.

A parameter class is a ``NamedTuple`` whose fields are annotated with :class:`Param`; the decorator :func:`parameters`
checks every value when an instance is made. Kernels receive the same tuples, cast to the precision of the run.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints

C = TypeVar("C", bound=type)
T = TypeVar("T")


class ParameterError(ValueError):
    """A value that breaks a rule. The message is an address, a rule, a value and, where there is one, a remedy."""


class Param(NamedTuple):
    """What a field means and which values it takes: ``gt`` (>), ``ge`` (>=), ``lt`` (<) and ``le`` (<=) are its bounds."""

    unit: str
    help: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    option: str = ""  # the option's name on the command line, where it is not the field's

    def check(self, address: str, value: Any) -> None:
        """Raise ParameterError unless ``value`` is a finite number within the bounds."""
        unit = f" {self.unit}" if self.unit else ""
        rules = [
            f"{sign} {bound:g}"
            for sign, bound in ((">", self.gt), (">=", self.ge), ("<", self.lt), ("<=", self.le))
            if bound is not None
        ]
        rule = f"must be {' and '.join(rules)}{unit}" if rules else f"must be a finite number{unit and f' ({self.unit})'}"
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ParameterError(f"{address}: {rule}, got {value!r}") from None
        broken = (
            not math.isfinite(number)
            or (self.gt is not None and not number > self.gt)
            or (self.ge is not None and not number >= self.ge)
            or (self.lt is not None and not number < self.lt)
            or (self.le is not None and not number <= self.le)
        )
        if isinstance(value, (bool, str)) or broken:
            raise ParameterError(f"{address}: {rule}, got {value!r}")


def fields(cls: type) -> dict[str, Param]:
    """The :class:`Param` of each field of a parameter class, in order; a plain number where a class declares none."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: getattr(hints[name], "__metadata__", [Param("", "")])[0] for name in cls._fields}  # type: ignore[attr-defined]


def field_type(cls: type, name: str) -> type:
    """The plain type (float, int or str) of a field of a parameter class."""
    return get_type_hints(cls)[name]  # type: ignore[no-any-return]


def parameters(cls: C) -> C:
    """Class decorator: check every field of a NamedTuple against its :class:`Param` when an instance is made."""
    make = cls.__new__
    declared: dict[str, Param] = {}

    def checked(klass: type, *args: Any, **kwargs: Any) -> Any:
        values = make(klass, *args, **kwargs)
        declared.update(declared or fields(klass))
        for name, param in declared.items():
            if field_type(klass, name) is str:
                continue
            param.check(f"{klass.__name__}.{name}", getattr(values, name))
            if field_type(klass, name) is int and int(getattr(values, name)) != getattr(values, name):
                raise ParameterError(f"{klass.__name__}.{name}: must be a whole number, got {getattr(values, name)!r}")
        return values

    cls.__new__ = checked  # type: ignore[assignment, method-assign]
    return cls


def cast(values: Any, dtype: type) -> Any:
    """A parameter tuple with every number in the precision of the run, for the kernels."""
    return tuple.__new__(type(values), [dtype(value) for value in values])


class Registry(dict[str, T], Generic[T]):
    """Named alternatives of one kind. Command line, errors and tests read it; an unknown name lists the known ones."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters a class under ``name``."""

        def enter(item: T) -> T:
            self[name] = item
            return item

        return enter

    def find(self, name: str) -> T:
        """The alternative called ``name``."""
        if name not in self:
            raise ParameterError(f"{self.kind}: must be one of {', '.join(self)}, got {name!r}")
        return self[name]

    def name_of(self, values: Any) -> str:
        """The name under which the class of ``values`` is registered."""
        for name, cls in self.items():
            if type(values) is cls:
                return name
        raise ParameterError(f"{self.kind}: must be one of {', '.join(self)}, got {values!r}")

    def make(self, choice: Any) -> Any:
        """An instance from a name (with its defaults), or the instance itself when it already is one."""
        if isinstance(choice, str):
            return self.find(choice)()  # type: ignore[operator]
        self.name_of(choice)
        return choice


def one_of(address: str, value: str, known: Iterable[str]) -> str:
    """``value`` if it is one of the ``known`` words, else an error that lists them."""
    known = list(known)
    if value not in known:
        raise ParameterError(f"{address}: must be one of {', '.join(known)}, got {value!r}")
    return value


def extra(package: str) -> Any:
    """The optional package ``package``, which the extra of that name installs."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ModuleNotFoundError(f"{package}: is not installed; pip install 'superspike[{package}]'", name=package) from None


# How many of the unit on the left make one of the API's units: ms, mV, Hz, 1/mV.
_SCALES = {
    "": {"": 1.0},
    "ms": {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6},
    "mV": {"uV": 1e-3, "µV": 1e-3, "mV": 1.0, "V": 1e3},
    "Hz": {"": 1.0, "Hz": 1.0, "kHz": 1e3, "/s": 1.0},
    "1/mV": {"": 1.0, "1/mV": 1.0, "/mV": 1.0, "1/V": 1e-3, "/V": 1e-3},
}


def quantity(text: str, unit: str) -> float:
    """A number with its unit, as typed by a person (``20s``, ``0.5 mV``), in the API's unit ``unit``.

    Times and voltages need a unit, unless they are zero: nobody can tell 20 ms from 20 s otherwise. Raises
    ParameterError, naming the units it knows.
    """
    match = re.fullmatch(r"\s*([-+]?(?:\d+\.?\d*|\.\d+|inf|nan)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", text)
    scales = _SCALES[unit]
    if not match or not (match[2] in scales or (not match[2] and float(match[1]) == 0.0)):
        known = ", ".join(filter(None, scales))
        rule = f"a number with its unit ({known}), e.g. 10{unit.removeprefix('1')}" if unit else "a number"
        raise ParameterError(f"must be {rule}, got {text!r}")
    number = float(match[1])
    return number * scales[match[2]] if number else 0.0

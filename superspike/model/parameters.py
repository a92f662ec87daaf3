"""Parameter classes: one declaration gives a default, a unit, a rule, an error message, an option and its help.

A parameter class is a ``NamedTuple`` whose fields are annotated with :class:`Param`; the decorator :func:`parameters`
checks every value when an instance is made, and keeps it as a plain number, text or truth value. Kernels receive the same
tuples, cast to the precision of the run.
"""

from __future__ import annotations

import importlib
import math
import numbers
import operator
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

import numpy as np

C = TypeVar("C", bound=type)


BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "gt": (">", operator.gt), "ge": (">=", operator.ge), "lt": ("<", operator.lt), "le": ("<=", operator.le),
}  # fmt: skip


UNIT = ("unit", "units", "dimensions")  # what classes of quantities have, Brian2's, Astropy's, Pint's, those of neo
MOST_MEMORY = 2**32  # bytes, for what grows with a time that was given: more is a slip, a wrong unit as a rule
PLAIN = {bool, int, float, str, np.bool_, np.int64, np.float64}


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

    def check(self, address: str, value: Any, kind: type = float) -> Any:
        """``value`` as a plain ``kind`` (float, int, bool or str), if it is a finite number within the bounds, else an error."""
        value = without_dimensions(value)
        bounds = [(*BOUNDS[name], getattr(self, name)) for name in BOUNDS if getattr(self, name) is not None]
        try:
            if kind is bool and isinstance(value, (bool, np.bool_)):
                return bool(value)
            if kind is str and isinstance(value, (str, os.PathLike)):
                return str(os.fspath(value)).encode().decode()  # a file name that is no text cannot be saved
            if kind in (int, float):
                found = number(value)
                if math.isfinite(found) and (kind is float or found == int(found)):
                    found = kind(found)
                    if all(holds(found, bound) for _, holds, bound in bounds):
                        return found
        except (TypeError, ValueError, OverflowError):
            pass
        limits = " and ".join(f"{sign} {bound:g}" for sign, _, bound in bounds)
        unit = f" {self.unit}" if self.unit else ""
        rule = {
            str: "a text"
            if not isinstance(value, (str, os.PathLike))
            else "UTF-8, as config.toml is (rename the file, if it is one)",
            bool: "True or False",
            int: f"a whole number {limits}{unit}".rstrip(),
            float: f"{limits}{unit}" if limits else f"a finite number{unit and f' ({self.unit})'}",
        }[kind]
        raise ParameterError(f"{address}: must be {rule}, got {value!r}")


def without_dimensions(value: Any) -> Any:
    """The scalar in an array without dimensions; anything else as it is."""
    return value[()] if type(value) is np.ndarray and value.ndim == 0 else value


def number(value: Any) -> int | float:
    """``value`` as a Python number: exactly, but NumPy's single and half precision mean the decimal that they print.

    ``np.float32(0.1)`` is 0.1, and not 0.10000000149. Takes what Python, NumPy (scalars and arrays without dimensions),
    ``Fraction`` and ``Decimal`` offer; TypeError for anything else: truth values, times and quantities with units.
    """
    value = without_dimensions(value)
    if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(value, (numbers.Real, Decimal)):
        raise TypeError
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, np.floating) and not isinstance(value, float):
        return float(np.format_float_scientific(value))
    return float(value)


def check_plain(rule: str, values: Any) -> None:
    """Raise the error for masked values and quantities with units, in lists as well: NumPy would take their bare numbers."""
    kind = type(values)
    if kind in (list, tuple) or (kind is np.ndarray and values.dtype == object and values.ndim):
        for value in values if set(map(type, values)) - PLAIN else ():
            check_plain(rule, value)
    elif (issubclass(kind, np.ndarray) and not kind.__module__.startswith("numpy")) or any(hasattr(kind, x) for x in UNIT):
        raise ParameterError(f"{rule}, got {kind.__name__}; give plain numbers, without a unit")
    elif np.ma.is_masked(values):
        raise ParameterError(f"{rule}, got masked values; leave them out")


@cache
def declared(cls: type) -> dict[str, tuple[Param, type]]:
    """The :class:`Param` and the plain type (float, int, bool or str) of each field of a parameter class, in order."""
    hints = get_type_hints(cls, include_extras=True)
    plain = get_type_hints(cls)
    return {name: (getattr(hints[name], "__metadata__", [Param("", "")])[0], plain[name]) for name in cls._fields}  # type: ignore[attr-defined]


def fields(cls: type) -> dict[str, Param]:
    """The :class:`Param` of each field of a parameter class, in order; a plain number where a class declares none."""
    return {name: param for name, (param, _) in declared(cls).items()}


def parameters(cls: C) -> C:
    """Class decorator: check every field of a NamedTuple against its :class:`Param` when an instance is made."""
    if "_checked" in vars(cls):
        return cls
    make = cls.__new__

    def checked(klass: type, *args: Any, **kwargs: Any) -> Any:
        given = zip(declared(klass).items(), make(klass, *args, **kwargs), strict=True)
        return tuple.__new__(
            klass, [param.check(f"{klass.__name__}.{name}", value, kind) for (name, (param, kind)), value in given]
        )

    cls._checked = True  # type: ignore[attr-defined]
    cls.__new__ = checked  # type: ignore[assignment, method-assign]
    cls._make = classmethod(lambda klass, values: klass(*values))  # type: ignore[attr-defined]  # _replace calls it
    return cls


def cast(values: Any, dtype: type) -> Any:
    """A parameter tuple with every number in the precision of the run, for the kernels."""
    return tuple.__new__(type(values), [dtype(value) for value in values])


class Registry(dict[str, type]):
    """Named alternatives of one kind. Command line, errors and tests read it; an unknown name lists the known ones.

    Each is a parameter class (:func:`parameters` is applied where it was not) that has the kind's ``methods``; ``a or b``
    asks for one of the two. ``check`` raises a ParameterError for an instance that the kernels could not work with.
    """

    def __init__(self, kind: str, methods: tuple[str, ...] = (), check: Callable[[Any], None] = lambda values: None) -> None:
        super().__init__()
        self.kind, self.methods, self.check = kind, methods, check

    def __setitem__(self, name: str, cls: type) -> None:
        address = f"{self.kind} {name!r}"
        if not (isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")):
            raise ParameterError(f"{address}: must be a parameter class, got {cls!r}; derive it from typing.NamedTuple")
        known = self.get(name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):  # a class may be defined again
            raise ParameterError(f"{address}: must be a new name, is that of {known.__name__}; give {cls.__name__} another")
        for method in self.methods:
            if not any(hasattr(cls, either) for either in method.split(" or ")):
                raise ParameterError(f"{address}: must have {method}, {cls.__name__} has not; define it as its siblings do")
        for field, (_, kind) in declared(cls).items():
            if kind not in (float, int, bool, str):
                raise ParameterError(f"{cls.__name__}.{field}: must be declared as float, int, bool or str, got {kind!r}")
        super().__setitem__(name, parameters(cls))

    def register(self, name: str) -> Callable[[C], C]:
        """Decorator that enters a class under ``name``."""

        def enter(cls: C) -> C:
            self[name] = cls
            return cls

        return enter

    def find(self, name: str) -> type:
        """The alternative called ``name``."""
        if name not in self:
            raise ParameterError(f"{self.kind}: must be one of {', '.join(self)}, got {name!r}")
        return self[name]

    def name_of(self, values: Any) -> str:
        """The name under which the class of ``values`` is registered."""
        for name, cls in self.items():
            if type(values) is cls:
                return name
        raise ParameterError(
            f"{self.kind}: must be one of {', '.join(self)}, or an instance of a registered class, got {values!r}; "
            f"register a class of your own with the decorator register(NAME)"
        )

    def make(self, choice: Any) -> Any:
        """An instance from a name (with its defaults), or the instance itself when it already is one."""
        if not isinstance(choice, str):
            self.name_of(choice)
            self.check(choice)
            return choice
        cls = self.find(choice)
        for field in without_default(cls):
            raise ParameterError(f"{self.kind}: {choice} has no default for {field}; give an instance, {cls.__name__}({field}=…)")
        return self.make(cls())


def attempt(values: Any, method: str, arguments: dict[str, Any]) -> Any:
    """What a method of a parameter class returns. Raises a ParameterError that names it for whatever goes wrong in it.

    Kernels call it later with numbers of the run's precision: what is wrong there is a page of the compiler's.
    """
    address = f"{type(values).__name__}.{method}"
    expected = f"{method}(self, {', '.join(arguments)})"
    try:
        with np.errstate(all="ignore"):
            return getattr(values, method)(*arguments.values())
    except Exception as error:
        raise ParameterError(f"{address}: must be defined as {expected}, and run, got {type(error).__name__}: {error}") from error


def without_default(cls: type) -> list[str]:
    """The fields of a parameter class that have to be given."""
    return [field for field in declared(cls) if field not in cls._field_defaults]  # type: ignore[attr-defined]


def check_memory(address: str, got: str, size: float) -> None:
    """Raise the error for a time so long that an array would take ``size`` bytes, more than MOST_MEMORY."""
    if size > MOST_MEMORY:
        raise ParameterError(
            f"{address}: must need at most {MOST_MEMORY / 2**30:g} GiB of memory, got {got}, which would take "
            f"{size / 2**30:.3g} GiB"
        )


def check_fits(address: str, n_bytes: float, remedy: str) -> None:
    """Raise the error that says so where data are larger than this machine's memory."""
    if n_bytes > memory():
        raise ParameterError(
            f"{address}: must fit into memory ({memory() / 1e9:.3g} GB), needs {n_bytes / 1e9:.3g} GB and more; {remedy}"
        )


def memory() -> int:
    """Bytes of memory that this machine has; as good as infinite where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63


@contextmanager
def reading_file(path: str | os.PathLike[str], what: str) -> Iterator[Path]:
    """Whatever goes wrong while a file is read is a ParameterError that names it, and ``what`` it must be."""
    name = os.fspath(path)
    try:
        yield Path(path)
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}") from None
    except Exception as error:  # a broken file raises a dozen types
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
        raise ParameterError(f"{name}: must be {what}, cannot be read ({reason})") from None


def check_seed(address: str, seed: int) -> int:
    """``seed`` as an int, if it is a whole number >= 0."""
    return int(Param("", "", ge=0).check(address, seed, int))


def one_of(address: str, value: str, known: Iterable[str]) -> str:
    """``value`` if it is one of the ``known`` words, else an error that lists them."""
    known = list(known)
    if value not in known:
        raise ParameterError(f"{address}: must be one of {', '.join(known)}, got {value!r}")
    return value


def extra(package: str, name: str = "") -> Any:
    """The optional package ``package``, which the extra ``name`` installs, by default that of the package's name."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        remedy = f"pip install 'superspike[{name or package}]'"
        raise ModuleNotFoundError(f"{package}: is not installed; {remedy}", name=package) from None


# How many of the unit on the left make one of the API's units: ms, mV, Hz, 1/mV.
_SCALES = {
    "": {"": 1.0},
    "ms": {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6},
    "mV": {"uV": 1e-3, "µV": 1e-3, "mV": 1.0, "V": 1e3},
    "Hz": {"": 1.0, "Hz": 1.0, "kHz": 1e3, "/s": 1.0},
    "1/mV": {"": 1.0, "1/mV": 1.0, "/mV": 1.0, "1/V": 1e-3, "/V": 1e-3},
}


def quantity(text: str, unit: str, address: str = "") -> float:
    """A number with its unit, as typed by a person (``20s``, ``0.5 mV``), in the API's unit ``unit``.

    Times and voltages need a unit, unless they are zero: nobody can tell 20 ms from 20 s otherwise. Raises
    ParameterError, naming the units it knows and the ``address`` of what was typed.
    """
    match = re.fullmatch(r"\s*([-+]?(?:\d+\.?\d*|\.\d+|inf|nan)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", text)
    scales = _SCALES[unit]
    if not match or not (match[2] in scales or (not match[2] and float(match[1]) == 0.0)):
        known = ", ".join(filter(None, scales))
        rule = f"a number with its unit ({known}), e.g. 10{unit.removeprefix('1')}" if unit else "a number"
        raise ParameterError(f"{address and f'{address}: '}must be {rule}, got {text!r}")
    number = float(match[1])
    return number * scales[match[2]] if number else 0.0

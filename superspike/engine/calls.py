"""What kernels call by its address: the parts that depend on somebody's class of neuron, surrogate or loss.

A kernel that called them by name would be compiled anew for each combination of classes. Here the kernel is compiled once; a
new class takes no longer than the function that calls its methods. Parameters lie in arrays, and become a parameter tuple
again, whose class is known where the function is compiled: :func:`unpack`. What a kernel and its functions share lies in one
place, whose address is handed on: :func:`keep`, :func:`kept`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import lower_builtin, type_callable
from numpy.typing import NDArray

from .jit import WITHIN, cached

Array = NDArray[Any]

functions: list[Callable[..., None]] = []  # by their addresses, where nothing is compiled


def numbers(tuples: Sequence[tuple[float, ...]], dtype: type) -> Array:
    """Parameter tuples as rows of an array in the precision of the run."""
    table: Array = np.zeros((len(tuples), max(map(len, tuples))), dtype)
    for row, values in zip(table, tuples, strict=True):
        row[: len(values)] = values
    return table


def unpack(prototype: Any, values: Array) -> Any:
    """The parameter tuple of the prototype's class whose numbers are ``values``: a row of :func:`numbers`."""
    return tuple.__new__(type(prototype), list(values[: len(prototype)]))


@type_callable(unpack)
def unpack_type(context: Any) -> Any:
    """The same in a kernel."""
    return lambda prototype, values: prototype


@lower_builtin(unpack, types.BaseTuple, types.Array)  # type: ignore[no-untyped-call, untyped-decorator]
def unpack_value(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Number by number."""
    prototype, values = signature.args
    data, dtype = context.make_array(values)(context, builder, arguments[1]).data, values.dtype
    places = [builder.gep(data, [context.get_constant(types.intp, k)]) for k in range(len(prototype))]
    return context.make_tuple(builder, prototype, [context.unpack_value(builder, dtype, place) for place in places])


def keep(values: tuple[Any, ...]) -> Any:
    """A place that holds ``values`` as long as the kernel runs."""
    return values


@type_callable(keep)
def keep_type(context: Any) -> Any:
    """The same in a kernel: a pointer."""
    return lambda values: types.CPointer(values)  # type: ignore[no-untyped-call]


@lower_builtin(keep, types.BaseTuple)  # type: ignore[no-untyped-call, untyped-decorator]
def keep_value(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """On the kernel's own stack."""
    place = cgutils.alloca_once(builder, arguments[0].type)  # type: ignore[no-untyped-call]
    builder.store(arguments[0], place)
    return place


def kept(place: Any) -> Any:
    """What a place holds."""
    return place


@type_callable(kept)
def kept_type(context: Any) -> Any:
    """The same in a kernel."""
    return lambda place: place.dtype


@lower_builtin(kept, types.CPointer)  # type: ignore[no-untyped-call, untyped-decorator]
def kept_value(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Its parts are read when they are needed."""
    return builder.load(arguments[0])


def call(address: int, arguments: tuple[Any, ...]) -> None:
    """Call a function by its :func:`address`, with arguments of just the types that it was compiled for."""
    functions[address](*arguments)


@type_callable(call)
def call_type(context: Any) -> Any:
    """The same in a kernel."""
    return lambda address, arguments: types.none


@lower_builtin(call, types.Integer, types.BaseTuple)  # type: ignore[no-untyped-call, untyped-decorator]
def call_value(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """By Numba's own convention, so that errors come through."""
    given = [types.unliteral(x) for x in signature.args[1]]  # type: ignore[no-untyped-call]
    convention = context.call_conv
    function = builder.inttoptr(arguments[0], convention.get_function_type(types.none, given).as_pointer())
    values = cgutils.unpack_tuple(builder, arguments[1], len(given))  # type: ignore[no-untyped-call]
    status, _ = convention.call_function(builder, function, types.none, given, values)
    with cgutils.if_unlikely(builder, status.is_error):  # type: ignore[no-untyped-call]
        convention.return_status_propagate(builder, status)
    return context.get_dummy_value()


@functools.cache
def entry(factory: Callable[..., Any], classes: tuple[type, ...], dtype: type, signature: tuple[Any, ...]) -> Any:
    """What ``factory`` makes of prototypes of the classes, compiled for these types of arguments, and its address."""
    made = factory(*(tuple.__new__(cls, [dtype(0)] * len(cls._fields)) for cls in classes))  # type: ignore[attr-defined]
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        functions.append(made)
        return made, len(functions) - 1
    dispatcher = cached(made, classes, **WITHIN)
    dispatcher.compile(signature)
    found = dispatcher.overloads[signature]
    return dispatcher, found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


def address(factory: Callable[..., Any], prototypes: tuple[Any, ...], dtype: type, held: tuple[Any, ...], *more: int) -> int:
    """Where the machine code is of the function that ``factory`` makes for parameters of the prototypes' classes.

    Kernels :func:`call` it with a place that holds ``held``, and ``more`` whole numbers.
    """
    place, *integers = (numba.typeof(argument) for argument in (held, *more))  # type: ignore[no-untyped-call]
    signature = types.CPointer(place), *integers  # type: ignore[no-untyped-call]
    found: int = entry(factory, tuple(map(type, prototypes)), dtype, signature)[1]
    return found

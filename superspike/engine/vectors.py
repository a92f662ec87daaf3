"""Vectors: in kernels, as many numbers as fill a register or two and stay there while a loop goes through many steps.

Numba's loops over arrays load what they read and store what they change in every pass. Where one loop goes through the
steps of a window, and another, outside it, through a layer by ``lanes`` neurons at a time, the numbers that a step hands to
the next need neither. In plain Python a vector is a NumPy array, and the functions here do what they do in a kernel.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import config
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic, models, overload, register_model
from numpy.typing import NDArray

from .jit import FLAGS, compiled

Array = NDArray[Any]
Index = int | tuple[int, ...]

# Of a vector: with AVX-512 two of 32 registers, else one of 16 with AVX2; LLVM splits it where registers are shorter.
WIDE = "+avx512f" in (config.CPU_FEATURES or get_host_cpu_features().flatten())  # type: ignore[attr-defined]
BYTES = 128 if WIDE else 32


def lanes(x: Array) -> int:
    """How many numbers of an array make a vector."""
    return BYTES // x.itemsize


def where(x: Array, index: Index) -> Any:
    """The vector's place, as an index of NumPy's."""
    *row, i = index if isinstance(index, tuple) else (index,)
    return (*row, slice(i, i + lanes(x)))


def load(x: Array, index: Index) -> Any:
    """The vector that begins at ``index``, a number, or one per axis. No index counts from the end."""
    return x[where(x, index)].copy()


def store(x: Array, index: Index, vector: Any) -> None:
    """Replace the vector that begins at ``index``."""
    x[where(x, index)] = vector


def item(x: Array, index: Any) -> Any:
    """The number at ``index``, likewise: in kernels ``x[index]`` takes the time to see whether it counts from the end."""
    return x[index]


def put(x: Array, index: Any, value: Any) -> None:
    """Replace the number at ``index``, likewise."""
    x[index] = value


@compiled
def add(x: Array, index: Any, value: Any) -> None:
    """Add to the number at ``index``, likewise."""
    put(x, index, item(x, index) + value)


def above(x: Any, threshold: Any, value: Any) -> Any:
    """``value`` where a vector is larger than ``threshold``, else 0."""
    return np.where(x > threshold, value, x.dtype.type(0))


def bits_above(x: Any, threshold: Any) -> int:
    """Where a vector is larger than ``threshold``: bit k of the number for its k-th lane."""
    return sum(1 << k for k in np.flatnonzero(x > threshold).tolist())


def lowest(bits: int) -> int:
    """The number of the lowest bit that is set."""
    return int(bits & -bits).bit_length() - 1


class Vector(types.Type):
    """The type of a vector in a kernel."""

    def __init__(self, dtype: Any) -> None:
        self.dtype, self.lanes = dtype, BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """How LLVM holds it."""

    def __init__(self, manager: Any, vector: Any) -> None:
        number = manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(number, vector.lanes))  # type: ignore[no-untyped-call]


def address(context: Any, builder: Any, array_type: Any, array: Any, index_type: Any, index: Any, n: int = 1) -> Any:
    """Where the number at ``index`` of an array lies; with ``NUMBA_BOUNDSCHECK``, n numbers from there on must be in its row."""
    if array_type.layout != "C":
        raise TypingError(f"vectors need a contiguous array, got {array_type}")
    fields = context.make_array(array_type)(context, builder, array)
    if isinstance(index_type, types.BaseTuple):
        kinds: Any = index_type.types  # type: ignore[attr-defined]
        place = [context.cast(builder, builder.extract_value(index, k), kind, types.intp) for k, kind in enumerate(kinds)]
    else:
        place = [context.cast(builder, index, index_type, types.intp)]
    shape = [builder.extract_value(fields.shape, k) for k in range(len(place))]
    if context.enable_boundscheck:
        for axis in range(len(place)):
            cgutils.do_boundscheck(context, builder, place[axis], shape[axis], axis)  # type: ignore[no-untyped-call]
        last = builder.add(place[-1], ir.Constant(place[-1].type, n - 1))
        cgutils.do_boundscheck(context, builder, last, shape[-1], axis)  # type: ignore[no-untyped-call]
    flags, flat = ("nsw", "nuw"), place[0]
    for axis in range(1, len(place)):
        flat = builder.add(builder.mul(flat, shape[axis], flags=flags), place[axis], flags=flags)
    return builder.gep(fields.data, [flat], inbounds=True)


@intrinsic
def load_vector(typing: Any, x: Any, index: Any) -> Any:
    """``load`` in a kernel."""
    vector = Vector(x.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = address(context, builder, x, arguments[0], index, arguments[1], vector.lanes)
        place = builder.bitcast(place, context.get_value_type(vector).as_pointer())
        return builder.load(place, align=x.dtype.bitwidth // 8)

    return vector(x, index), generate


@intrinsic
def store_vector(typing: Any, x: Any, index: Any, vector: Any) -> Any:
    """``store`` in a kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = address(context, builder, x, arguments[0], index, arguments[1], vector.lanes)
        place = builder.bitcast(place, arguments[2].type.as_pointer())
        builder.store(arguments[2], place, align=x.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(x, index, vector), generate


@intrinsic
def load_item(typing: Any, x: Any, index: Any) -> Any:
    """``item`` in a kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.unpack_value(builder, x.dtype, address(context, builder, x, arguments[0], index, arguments[1]))

    return x.dtype(x, index), generate


@intrinsic
def store_item(typing: Any, x: Any, index: Any, value: Any) -> Any:
    """``put`` in a kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = context.cast(builder, arguments[2], value, x.dtype)
        context.pack_value(builder, x.dtype, number, address(context, builder, x, arguments[0], index, arguments[1]))
        return context.get_dummy_value()

    return types.void(x, index, value), generate


def broadcast(context: Any, builder: Any, vector: Vector, number: Any) -> Any:
    """A vector of equal numbers."""
    whole = context.get_value_type(vector)
    one = builder.insert_element(ir.Constant(whole, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), [0] * vector.lanes)
    return builder.shuffle_vector(one, one, zeros)


@intrinsic
def select_above(typing: Any, x: Any, threshold: Any, value: Any) -> Any:
    """``above`` in a kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bound, chosen = (broadcast(context, builder, x, number) for number in arguments[1:])
        larger = builder.fcmp_ordered(">", arguments[0], bound)
        return builder.select(larger, chosen, ir.Constant(chosen.type, None))

    return x(x, x.dtype, x.dtype), generate


@intrinsic
def mask_above(typing: Any, x: Any, threshold: Any) -> Any:
    """``bits_above`` in a kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        larger = builder.fcmp_ordered(">", arguments[0], broadcast(context, builder, x, arguments[1]))
        return builder.zext(builder.bitcast(larger, ir.IntType(x.lanes)), ir.IntType(64))

    return types.int64(x, x.dtype), generate


@intrinsic
def lowest_bit(typing: Any, bits: Any) -> Any:
    """``lowest`` in a kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


def arithmetic(instruction: str) -> Any:
    """An operator between two vectors, or a vector and a number."""

    @intrinsic
    def operate(typing: Any, x: Any, y: Any) -> Any:
        vector = x if isinstance(x, Vector) else y

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def as_vector(operand: Any, its_type: Any) -> Any:
                return operand if isinstance(its_type, Vector) else broadcast(context, builder, vector, operand)

            operands = map(as_vector, arguments, signature.args)
            return getattr(builder, instruction)(*operands, flags=tuple(sorted(FLAGS["fastmath"])))

        return vector(*(t if isinstance(t, Vector) else vector.dtype for t in (x, y))), generate

    return operate


def provide(function: Callable[..., Any], choose: Callable[..., Any]) -> None:
    """Let kernels call ``function``: ``choose`` returns what it becomes for arguments of given types, or None."""
    options: Any = FLAGS | {"forceinline": True}
    overload(function, jit_options=options, strict=False)(choose)


def choose_operator(instruction: str) -> Callable[..., Any]:
    """What provides an operator."""
    operate = arithmetic(instruction)

    def choose(x: Any, y: Any) -> Any:
        return (lambda x, y: operate(x, y)) if isinstance(x, Vector) or isinstance(y, Vector) else None

    return choose


def choose_lanes(x: Any) -> Any:
    """A constant in kernels."""
    n = BYTES * 8 // x.dtype.bitwidth
    return lambda x: n


provide(lanes, choose_lanes)
provide(load, lambda x, index: lambda x, index: load_vector(x, index))  # type: ignore[call-arg]
provide(store, lambda x, index, vector: lambda x, index, vector: store_vector(x, index, vector))  # type: ignore[call-arg]
provide(item, lambda x, index: lambda x, index: load_item(x, index))  # type: ignore[call-arg]
provide(above, lambda x, threshold, value: lambda x, threshold, value: select_above(x, threshold, value))  # type: ignore[call-arg]
provide(bits_above, lambda x, threshold: lambda x, threshold: mask_above(x, threshold))  # type: ignore[call-arg]
provide(lowest, lambda bits: lambda bits: lowest_bit(bits))  # type: ignore[call-arg]
provide(put, lambda x, index, value: lambda x, index, value: store_item(x, index, value))  # type: ignore[call-arg]
for symbol, instruction in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    provide(symbol, choose_operator(instruction))

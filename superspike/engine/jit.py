"""The one place that configures Numba: flags, the compile cache and its key.

``kernel`` compiles an entry point and keeps the machine code on disk. ``inlined`` compiles a short loop that is pasted
into its caller, with the promise that its array arguments do not overlap: LLVM then vectorises it without run-time
checks, which it gives up on beyond a handful of arrays.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import inspect
import os
import pickle
import shutil
import stat
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
from numba.core import types
from numba.core.caching import NullCache
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps
from numba.core.typed_passes import BaseNativeLowering, NativeLowering
from numba.extending import lower_builtin, overload, type_callable
from numpy.typing import NDArray

from ..model.parameters import ParameterError, cast

Array = NDArray[Any]

# Kernels allocate nothing: without Numba's run-time memory manager one that would does not compile, and no time goes into
# counting references to slices of arrays. The rest lets loops vectorise and keeps NaN and infinity what they are (plain
# fastmath makes isnan false).
FLAGS: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"}}
INLINE: Any = FLAGS | {"forceinline": True}
WITHIN: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # nobody calls it but kernels
PART: Any = INLINE | WITHIN


class WideLower(Lower):
    """Numba's code generator, asking LLVM for the machine's full vector width: by default it takes half of AVX-512's."""

    def setup_function(self, fndesc: Any) -> None:
        """Begin a function."""
        super().setup_function(fndesc)  # type: ignore[no-untyped-call]
        function: Any = self.function
        set.add(function.attributes, '"prefer-vector-width"="512"')  # llvmlite's own add() knows no such attribute


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class WideLowering(BaseNativeLowering):
    """The compiler pass that uses it."""

    _name: Any = "superspike_wide_lowering"

    @property
    def lowering_class(self) -> type:
        """The code generator."""
        return WideLower


class Wide(CompilerBase):
    """Numba's compiler with full-width vectors."""

    def define_pipelines(self) -> list[Any]:
        """One pipeline: Numba's own, with the one pass replaced."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        pipeline.passes = [(WideLowering if step is NativeLowering else step, name) for step, name in pipeline.passes]
        pipeline.finalize()
        return [pipeline]


class NoAlias(Wide):
    """The same, told that no two array arguments of the function overlap."""

    def define_pipelines(self) -> list[Any]:
        """The same pipeline."""
        self.state.flags.noalias = True
        return super().define_pipelines()


def source_key(besides: tuple[str, ...] = ()) -> str:
    """A hash of the package's sources, all ``besides`` some rooms and modules (``lab/plotting``), and of Numba's version.

    With it in the cache's path an edit or an upgrade of the package, of a function that a kernel calls as well, can never run
    old machine code.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    package = Path(__file__).parents[1]
    for source in sorted(package.rglob("*.py")):
        name = source.relative_to(package).with_suffix("").as_posix()
        if not name.startswith(besides):
            digest.update(name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> Path:
    """Where compiled kernels are kept: ``$XDG_CACHE_HOME/superspike/<key>``, by default below ``~/.cache``.

    What is read from there is run. If that folder cannot be written to, or others could have, a temporary one takes its place
    that the user's processes share; and if that is somebody else's, one of this process alone.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    with contextlib.suppress(RuntimeError):  # a user without a home, as in a container
        base = base if base.is_absolute() else Path("~/.cache").expanduser()
    if base.is_absolute() and is_private(folder := base / "superspike" / source_key()):
        return folder
    user = os.getuid() if hasattr(os, "getuid") else 0
    if is_private(folder := Path(tempfile.gettempdir()) / f"superspike-{user}-{source_key()}"):
        return folder
    folder = Path(tempfile.mkdtemp(prefix="superspike-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def is_private(folder: Path) -> bool:
    """Whether this is, or has just become, a folder of ours (no link to one) that only we can write to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not (stat.S_ISDIR(found.st_mode) and is_ours(found)) or (os.name == "posix" and found.st_mode & 0o022):
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def is_ours(found: os.stat_result) -> bool:
    """Whether a file or folder belongs to the user of this process."""
    return not hasattr(os, "getuid") or found.st_uid == os.getuid()


@contextlib.contextmanager
def compile_lock() -> Iterator[None]:
    """Keeps processes that share the cache from compiling the same kernels at once, where the system knows locks."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ImportError, OSError):  # not a POSIX system; a file system without locks
            import fcntl

            lock = held.enter_context((cache_folder() / "lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_own(cls: type) -> bool:
    """Whether a class is the package's."""
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def is_foreign(argument: Any) -> bool:
    """Whether a kernel's argument type is, or holds, a parameter class from outside the package."""
    if isinstance(argument, types.BaseNamedTuple) and not is_own(argument.instance_class):  # type: ignore[attr-defined]
        return True
    return isinstance(argument, types.BaseTuple) and any(is_foreign(part) for part in argument.types)  # type: ignore[attr-defined]


class OwnCache(NullCache):
    """Compiled kernels on disk: a file for each function and types of arguments, a checksum in front.

    A file that is cut short or damaged is removed, and the kernel compiled again: its machine code could do anything, and
    Numba's own cache ends in the same error each time. A cache that cannot be read or written is none.

    Only the package's own parameter classes are kept. Someone else's surrogate is compiled once per process: its sources are
    not in the cache's key, so that an edit would go unnoticed, and its module need not be there when the file is read.
    """

    def __init__(self, function: Callable[..., Any], classes: tuple[type, ...] = ()) -> None:
        self._function, self._classes = function, classes

    def _path(self, sig: Any, codegen: Any) -> Path:
        file, name = Path(inspect.getfile(self._function)), self._function.__qualname__
        key = repr((file, name, self._classes, sig, codegen.magic_tuple(), sys.version)).encode()  # the machine's abilities, too
        return cache_folder() / f"{name}-{hashlib.sha256(key + file.read_bytes()).hexdigest()[:32]}.nbc"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What the cache holds for these argument types, or None.

        What can be compiled, a third of a second of imports, need not be known for what has been; a compiler asks for it itself.
        """
        if any(map(is_foreign, sig)):
            return None
        rtsys.initialize(target_context)
        try:
            path = self._path(sig, target_context.codegen())
            with path.open("rb") as file:
                checksum, content = file.read(32), file.read()
                if not is_ours(os.fstat(file.fileno())):  # somebody moved the folder away
                    return None
        except OSError:
            return None
        try:
            if checksum != hashlib.sha256(content).digest():
                raise pickle.UnpicklingError("damaged")
            found = CompileResult._rebuild(target_context, *pickle.loads(content))  # type: ignore[no-untyped-call]
            if found.signature.args != tuple(sig):
                raise pickle.UnpicklingError("of other types that go by the same names")
            return found
        except Exception:
            with contextlib.suppress(OSError):
                path.unlink()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for these argument types."""
        if any(map(is_foreign, sig)) or data.library.has_dynamic_globals:
            return
        content = dumps(data._reduce())  # type: ignore[no-untyped-call]
        with contextlib.suppress(OSError):  # a full disk: it is compiled again the next time
            path = self._path(sig, data.codegen)
            new = path.with_name(f"{uuid.uuid4().hex}.tmp")
            try:
                new.write_bytes(hashlib.sha256(content).digest() + content)
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)


def cached(function: Callable[..., Any], classes: tuple[type, ...] = (), **options: bool) -> Any:
    """Compile a function on its own, made for parameters of ``classes``; kept in the package's folder if these are its own."""
    entry: Any = numba.njit(pipeline_class=Wide, **FLAGS | options)(function)
    if all(map(is_own, classes)):
        entry._cache = OwnCache(function, classes)
    return entry


def kernel(function: Callable[..., Any]) -> Any:
    """Compile an entry point: called from Python, which may run other threads meanwhile."""
    return cached(function, nogil=True)


def bound(function: Any, *arguments: Any) -> Callable[..., Any]:
    """The kernel for arguments of exactly these types; calling it skips Numba's look-up of the types of its arguments.

    That look-up takes longer than a step of a small projection where arguments are NamedTuples. Nothing checks the types
    any more: for callers whose arguments are always the same arrays.
    """
    if not hasattr(function, "get_overload"):  # NUMBA_DISABLE_JIT
        return function  # type: ignore[no-any-return]
    signature = tuple(numba.typeof(argument) for argument in arguments)  # type: ignore[no-untyped-call]
    with compile_lock():
        function.compile(signature)
    return function.get_overload(signature)  # type: ignore[no-any-return]


def check_method(method: str, *arguments: Any) -> None:
    """Raise the error that says why a method of a class from outside the package does not compile, or is not safe.

    A kernel that calls it would say so on a page, and late, or write to memory that is not the method's. ``arguments`` are
    of the types of its calls, ``self`` first.
    """
    signature = tuple(numba.typeof(x) for x in arguments)  # type: ignore[no-untyped-call]
    if not is_foreign(signature[0]) or numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return
    cls = type(arguments[0])
    fault = why_not(getattr(cls, method), signature)
    if fault:
        raise ParameterError(
            f"{cls.__name__}.{method}: must be made of what Numba compiles, numbers and functions of math, got: {fault}"
        )
    helper = unchecked_helper(getattr(cls, method), signature)
    if helper:
        raise ParameterError(
            f"{cls.__name__}.{method}: must pass arrays only to functions that keep to their bounds, passes some to "
            f"{helper}; compile it with numba.njit(boundscheck=True)"
        )


def check_learning(surrogate: Any, optimizer: Any, dtype: type) -> None:
    """:func:`check_method` of what every rule calls of a surrogate and an optimiser, in the precision of the run."""
    one = dtype(1)
    check_method("derivative", cast(surrogate, dtype), one)
    check_method("step", cast(optimizer, dtype), one, (one,) * optimizer.memories, one, one)


@functools.cache
def why_not(function: Callable[..., Any], signature: tuple[Any, ...]) -> str:
    """The compiler's reason against a function, and where; nothing if it compiles."""
    try:
        numba.njit(**FLAGS)(function).compile(signature)
    except Exception as error:  # Numba's own, and whatever its compiler stumbles over
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines[1:2] if lines[0].startswith("Failed in") else lines[:1])
        return f"{reason} ({getattr(error, 'loc', function.__code__.co_filename)})"
    return ""


@functools.cache
def unchecked_helper(function: Callable[..., Any], signature: tuple[Any, ...]) -> str:
    """A function that gets arrays from this one, or from its helpers, and might leave their bounds; nothing if none does.

    Bounds are checked where a function was compiled so: its caller's flags do not reach it. One that gets numbers has
    nothing to write to, for arrays that are global variables are constants to Numba.
    """
    todo: list[Any] = [(function, FLAGS, signature)]
    for caller, options, known in todo:
        trial = numba.jit(**options)(caller)
        trial.compile(known)
        typed = trial.overloads[known].type_annotation
        for call, types_of in typed.calltypes.items():
            if getattr(call, "op", "") == "call" and not all(map(is_number, (types_of.recvr, *types_of.args))):
                for callee in (typed.typemap[call.func.name], *types_of.args):
                    for helper in called(callee, types_of.args):
                        flags = getattr(helper, "targetoptions", {})
                        if not flags.get("boundscheck") or flags.get("parallel"):
                            return str(getattr(getattr(helper, "py_func", helper), "__qualname__", helper))
                        new = [(helper.py_func, flags, arguments) for arguments in helper.overloads]
                        todo += [way for way in new if way not in todo]
    return ""


def is_number(kind: Any) -> bool:
    """Whether a type is of numbers, alone or in tuples, or of nothing."""
    if isinstance(kind, types.BaseTuple):
        return all(map(is_number, kind.types))  # type: ignore[attr-defined]
    return kind is None or isinstance(kind, (types.Number, types.Boolean, types.NoneType, types.StringLiteral))


def called(kind: Any, arguments: tuple[Any, ...]) -> list[Any]:
    """What a call of a value of this type runs, as far as it is not Numba's own: dispatchers, and whatever else there is."""
    if isinstance(kind, types.Dispatcher):
        return [kind.dispatcher]
    if not isinstance(kind, (types.Callable, types.FunctionType)) or isinstance(kind, (types.NumberClass, types.NamedTupleClass)):
        return []
    if isinstance(kind, types.ExternalFunction) or not isinstance(kind, (types.Function, types.BoundFunction)):
        return [kind]
    found: list[Any] = []
    templates: Any = kind.templates if isinstance(kind, types.Function) else [kind.template]
    for template in templates:
        if is_numbas(type(template.key)) or isinstance(getattr(kind, "this", None), types.Callable):
            return [template.key]  # an intrinsic, a ufunc, a stencil
        if arguments in getattr(template, "_compiled_overloads", ()):
            found += [way for way, _ in template._impl_cache.values() if way is not None] or [template._overload_func]
        elif isinstance(kind, types.BoundFunction) and hasattr(template, "_overload_func"):
            found.append(template._overload_func)
    return [way for way in found if not is_numbas(getattr(way, "py_func", way))]


def is_numbas(thing: Any) -> bool:
    """Whether a function or a class is part of Numba."""
    return str(thing.__module__).partition(".")[0] == "numba"


@functools.cache
def compiled(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel: called from kernels only."""
    return numba.njit(pipeline_class=Wide, **PART)(function)


@functools.cache
def inlined(function: Callable[..., Any]) -> Any:
    """Compile a short loop that is pasted into the kernels that call it; its array arguments must not overlap."""
    return numba.njit(pipeline_class=NoAlias, **PART)(function)


@functools.cache
def separate(function: Callable[..., Any]) -> Any:
    """Compile a long part once for all kernels that call it; its array arguments must not overlap."""
    return numba.njit(pipeline_class=NoAlias, **FLAGS | WITHIN)(function)


def call_in_kernels(helper: Callable[..., Any]) -> None:
    """Let kernels call a function of the model that is no method, a guest's method as well: it checks its bounds."""
    overload(helper, jit_options=INLINE | {"boundscheck": True}, strict=False)(lambda *arguments: helper)


def choose_by_type(stub: Callable[..., Any], writes: bool = False) -> None:
    """Let kernels call ``stub(self, …)``: it becomes the method of that name of the class of ``self``, at compile time.

    Where it ``writes`` to arrays, a guest's method, of a class from outside the package, checks every index.
    """

    def choose(self: Any, *args: Any) -> Any:
        if not isinstance(self, types.BaseNamedTuple):  # a NamedTuple of floats is a NamedUniTuple, its own type
            return None
        cls: type = self.instance_class  # type: ignore[attr-defined]
        method = getattr(cls, stub.__name__)
        if not writes or is_own(cls):
            return method
        guarded: Any = numba.njit(boundscheck=True, **INLINE)(method)
        return lambda self, *arguments: guarded(self, *arguments)

    overload(stub, jit_options=INLINE, strict=False)(choose)


def each(arrays: tuple[Array, ...], index: Any) -> tuple[Any, ...]:
    """What lies at ``index`` (a number, a slice, …) in each of a tuple of arrays; how many there are is known to the compiler."""
    return tuple(array[index] for array in arrays)


def put_each(arrays: tuple[Array, ...], index: Any, values: tuple[Any, ...]) -> None:
    """Write the values, one for each of the arrays, to ``index``."""
    for array, value in zip(arrays, values, strict=True):
        array[index] = value


@overload(each, jit_options=INLINE, strict=False)
def each_typed(arrays: Any, index: Any) -> Any:
    """The same in a kernel: the first array's, then the others'."""
    if arrays.count == 0:
        return lambda arrays, index: ()
    return lambda arrays, index: (arrays[0][index], *each(arrays[1:], index))


@overload(put_each, jit_options=INLINE, strict=False)
def put_each_typed(arrays: Any, index: Any, values: Any) -> Any:
    """The same in a kernel."""
    if arrays.count == 0:
        return lambda arrays, index, values: None

    def put(arrays: Any, index: Any, values: Any) -> None:
        arrays[0][index] = values[0]
        put_each(arrays[1:], index, values[1:])

    return put


def usable_cores() -> int:
    """How many of the machine's cores this process may run on: on a cluster, those it was given."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_only(x: Array) -> Array:
    """A view of ``x`` that nobody can write to: a function that tries does not compile."""
    view = x.view()
    view.flags.writeable = False
    return view


@type_callable(read_only)
def read_only_type(context: Any) -> Any:
    """The same in a kernel: another type."""
    return lambda x: x.copy(readonly=True)


@lower_builtin(read_only, types.Array)  # type: ignore[no-untyped-call, untyped-decorator]
def read_only_value(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """It is the same array."""
    return arguments[0]


def together(pool: ThreadPoolExecutor | None, function: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
    """Make several calls at once: the first in this thread, the others in the pool's; one after the other without one."""
    others = [pool.submit(function, *call) for call in calls[1:]] if pool else []
    for call in calls[:1] if pool else calls:
        function(*call)
    for other in others:
        other.result()


def cores() -> int:
    """How many threads may run at once: the usable cores, or what the environment's NUMBA_NUM_THREADS says."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def use_one_core() -> None:
    """Leave the other cores to other processes."""
    numba.config.NUMBA_NUM_THREADS = 1  # type: ignore[attr-defined]

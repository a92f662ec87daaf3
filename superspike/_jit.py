"""The one place that configures Numba: flags, the compile cache and its key.

``kernel`` compiles an entry point and keeps the machine code on disk. ``inlined`` compiles a short loop that is pasted
into its caller, with the promise that its array arguments do not overlap: LLVM then vectorises it without run-time
checks, which it gives up on beyond a handful of arrays.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import BaseNativeLowering, NativeLowering
from numba.extending import overload

# Kernels allocate nothing: without Numba's run-time memory manager one that would does not compile, and no time goes into
# counting references to slices of arrays. The rest lets loops vectorise and keeps NaN and infinity what they are (plain
# fastmath makes isnan false).
FLAGS: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"}}


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


def source_key() -> str:
    """A hash of the package's sources and of Numba's version.

    Numba recompiles a cached kernel when its own file changes, not when a function it calls does; with this key in the
    cache's path an edit or an upgrade of the package can never run old machine code.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> Path:
    """Where compiled kernels are kept: ``$XDG_CACHE_HOME/superspike/<key>``, or a temporary folder if that is read-only."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "superspike"
    folder = root / source_key()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"superspike-{os.getuid() if hasattr(os, 'getuid') else 0}" / source_key()
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def compile_lock() -> Iterator[None]:
    """Keeps processes that share the cache from compiling at once: Numba's index can mix up their files."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system; a race costs a second compilation there
        yield
        return
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_foreign(argument: Any) -> bool:
    """Whether a kernel's argument type is, or holds, a parameter class from outside the package."""
    if isinstance(argument, types.BaseNamedTuple):
        home: str = argument.instance_class.__module__  # type: ignore[attr-defined]
        if home.partition(".")[0] != __package__:
            return True
    return isinstance(argument, types.BaseTuple) and any(is_foreign(part) for part in argument.types)  # type: ignore[attr-defined]


class OwnCache(FunctionCache):
    """Numba's cache on disk, for the package's own parameter classes only.

    Someone else's surrogate is compiled once per process. Its sources are not in the cache's key, so that an edit would go
    unnoticed; and the cache's index names its class, so that no process could read the index without its module.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What the cache holds for these argument types, or None."""
        return None if any(map(is_foreign, sig)) else super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for these argument types."""
        if not any(map(is_foreign, sig)):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile an entry point: called from Python, which may run other threads meanwhile; cached in the package's own folder."""
    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(cache_folder())  # read while the cache is set up, just below
    try:
        entry: Any = numba.njit(pipeline_class=Wide, nogil=True, **FLAGS)(function)
        entry._cache = OwnCache(function)  # type: ignore[no-untyped-call]
        return entry
    finally:
        settings.CACHE_DIR = before


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


@functools.cache
def compiled(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel: called from kernels only."""
    return numba.njit(pipeline_class=Wide, forceinline=True, **FLAGS)(function)


@functools.cache
def inlined(function: Callable[..., Any]) -> Any:
    """Compile a short loop that is pasted into the kernels that call it; its array arguments must not overlap."""
    return numba.njit(forceinline=True, pipeline_class=NoAlias, **FLAGS)(function)


def choose_by_type(stub: Callable[..., Any]) -> None:
    """Let kernels call ``stub(self, …)``: it becomes the method of that name of the class of ``self``, at compile time."""

    def choose(self: Any, *args: Any) -> Any:
        if isinstance(self, types.BaseNamedTuple):  # a NamedTuple of floats is a NamedUniTuple, its own type
            return getattr(self.instance_class, stub.__name__)  # type: ignore[attr-defined]
        return None

    options: Any = FLAGS | {"forceinline": True}
    overload(stub, jit_options=options, strict=False)(choose)


def cores() -> int:
    """How many threads may run at once: the cores, or what the environment's NUMBA_NUM_THREADS says."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def use_one_core() -> None:
    """Leave the other cores to other processes."""
    numba.config.NUMBA_NUM_THREADS = 1  # type: ignore[attr-defined]

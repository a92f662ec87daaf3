"""The cache of compiled kernels."""

from __future__ import annotations

import errno
import math
import os
import pwd
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import types
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.extending import overload

from superspike.engine import jit


def plus_one(x: float) -> float:
    return x + 1


def compiled_and_kept() -> tuple[bool, bool]:
    """Call a new kernel; return whether it was compiled, and whether the cache holds it now."""
    kernels = [jit.kernel(plus_one) for _ in range(2)]
    for k in kernels:
        assert k(2.0) == 3.0
    compiled, again = (bool(k.stats.cache_misses) for k in kernels)
    return compiled, not again


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A home and a folder of temporary files, both empty."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    jit.cache_folder.cache_clear()
    yield tmp_path
    jit.cache_folder.cache_clear()


def temporary(folders: Path) -> Path:
    """The temporary folder that the user's processes share."""
    return folders / "tmp" / f"superspike-{os.getuid()}-{jit.source_key()}"


def no_home(folders: Path) -> None:
    """No folder can be made in the home: it is a file."""
    (folders / "home").rmdir()
    (folders / "home").write_text("")


def test_the_cache_is_keyed_by_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = Path(jit.__file__).parents[1]
    shutil.copytree(package, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    own, others = jit.source_key(), jit.source_key(besides=("model/neuron",))
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "copy" / "engine" / "jit.py"))
    assert jit.source_key() == own
    with (tmp_path / "copy" / "model" / "neuron.py").open("a") as neuron:
        neuron.write("# an edit of a function that a kernel of another room calls\n")
    assert jit.source_key() != own
    assert jit.source_key(besides=("model/neuron",)) == others != own


def test_a_read_only_home_gets_a_temporary_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be made below a file")
    code = "from superspike.engine.jit import cache_folder; print(cache_folder())"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(tmp_path / "superspike-"))


def test_a_surrogate_from_outside_is_never_run_from_the_cache_nor_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "import superspike.engine.clock\n"
        "from superspike.engine.jit import kernel\n"
        "from superspike.model.surrogate import FastSigmoid, derivative\n"
        "@kernel\n"
        "def f(surrogate, x):\n"
        "    return derivative(surrogate, x)\n"
        "assert f(FastSigmoid(), 1.0) == 0.25\n"
    )
    mine = "from typing import NamedTuple\nclass Mine(NamedTuple):\n    a: float\n    def derivative(self, x):\n        return {} * self.a"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(code: str) -> None:
        found = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr

    for factor in (2, 3):  # the second time its source has changed
        (tmp_path / "mine.py").write_text(mine.format(factor))
        run(f"from mine import Mine; from probe import f; assert f(Mine(5.0), 1.0) == {5 * factor}")
        run(f"{mine.format(factor)}\nfrom probe import f; assert f(Mine(5.0), 1.0) == {5 * factor}")  # in a script or a notebook
    (tmp_path / "mine.py").unlink()
    run("from probe import f; assert f.stats.cache_hits and not f.stats.cache_misses")


WARM = """
import sys
import numpy as np
import superspike as ss
task = ss.tasks.poisson(n_inputs=6, input_rate=50.0, outputs=2, target_rate=20.0, period_ms=100.0, seed=1)
for engine in ("clock", "event"):
    ss.train(ss.Network([6, 4, 2], w0=80.0), task, 600.0, engine=engine)
rule, error = ss.SuperSpike(6, 4, dt_ms=0.1), ss.VanRossumError(4, dt_ms=0.1)
for step in range(50):
    rule.step(pre_spikes=[step % 6], v_post=np.zeros(4), error=error.step([], [step % 4]))
train, _, test = ss.RandomManifolds(classes=2, samples=20).make(seed=1)
net = ss.Network([20, 8, ss.Layer(2, ss.Readout())], loss="max_over_time", neuron=ss.LIF(tau_ref=0.0, reset="subtract"), surrogate=ss.FastSigmoid(2.0), optimizer="adam", scheme=ss.Scheme(dt=1.0, delay=1.0, integration="exact"), w0=60.0)
print(ss.fit(net, train, epochs=1).metrics["loss"], ss.fit(net, train, epochs=1, rule="bptt").metrics["loss"])
print("numba.np.linalg" in sys.modules)
"""


def test_kernels_that_are_kept_need_nothing_that_compiles() -> None:
    """Numba's implementations of what can be compiled, and SciPy's with them, take a third of a second to import."""
    cold, warm = (
        subprocess.run([sys.executable, "-W", "ignore", "-c", WARM], capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
        for _ in range(2)
    )
    assert warm[0] == cold[0]
    assert warm[1] == "False"


def test_the_cache_is_a_folder_that_only_its_owner_can_enter(folders: Path) -> None:
    folder = jit.cache_folder()
    assert folder == folders / "home" / ".cache" / "superspike" / jit.source_key()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def writable_by_others(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)


def a_link(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize("made", [writable_by_others, a_link])
def test_a_folder_that_others_may_have_written_to_is_never_used(folders: Path, made: Callable[[Path], None]) -> None:
    made(folders / "home" / ".cache" / "superspike" / jit.source_key())
    assert jit.cache_folder() == temporary(folders)
    jit.cache_folder.cache_clear()
    (folders / "tmp" / temporary(folders).name).rmdir()
    made(temporary(folders))
    own = jit.cache_folder()
    assert own.parent == folders / "tmp"
    assert own.name not in (temporary(folders).name, "elsewhere")
    assert stat.S_IMODE(own.lstat().st_mode) == 0o700


def test_a_folder_that_somebody_else_owns_is_never_used_nor_a_file(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled_and_kept() == (True, True)
    assert compiled_and_kept() == (False, True)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert compiled_and_kept() == (True, False)  # of the files: the folder was found before
    jit.cache_folder.cache_clear()
    temporary(folders).mkdir(mode=0o700)
    assert jit.cache_folder().parent == folders / "tmp"
    assert jit.cache_folder() != temporary(folders)


def test_a_process_that_has_a_cache_alone_removes_it_at_its_end(folders: Path) -> None:
    writable_by_others(temporary(folders))
    no_home(folders)
    code = "from superspike.engine.jit import cache_folder; print(cache_folder())"
    environment = os.environ | {"TMPDIR": str(folders / "tmp")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(folders / "tmp" / "superspike-"))
    assert list((folders / "tmp").iterdir()) == [temporary(folders)]


def test_a_damaged_file_is_compiled_again(folders: Path) -> None:
    assert compiled_and_kept() == (True, True)
    [path] = jit.cache_folder().glob("*.nbc")
    whole, rng = path.read_bytes(), random.Random(1)
    flips = [(k, whole[k] ^ 1 << rng.randrange(8)) for k in (0, 31, 32, *(rng.randrange(len(whole)) for _ in range(5)))]
    damaged = [whole[:k] + bytes([byte]) + whole[k + 1 :] for k, byte in flips]
    damaged += [b"", whole[:20], whole[:32], whole[: len(whole) // 2], whole[:-1], whole + b"x", b"x" * len(whole)]
    for content in damaged:
        path.write_bytes(content)
        assert compiled_and_kept() == (True, True)
        assert [file.name for file in sorted(jit.cache_folder().iterdir())] == sorted({path.name})


def difference(pair: Any) -> float:
    return pair.x - pair.y  # type: ignore[no-any-return]


def test_argument_types_of_the_same_name_have_kernels_of_their_own(folders: Path) -> None:
    for fields in (["x", "y"], ["y", "x"]):
        made = namedtuple("Pair", fields)  # type: ignore[misc]
        made.__module__ = "superspike.pairs"  # else it is foreign, and not kept at all
        assert jit.kernel(difference)(made(x=3.0, y=1.0)) == 2.0
    assert list(jit.cache_folder().glob("*.nbc"))


def test_a_full_disk_is_no_error(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert compiled_and_kept() == (True, False)
    assert not list(jit.cache_folder().iterdir())


def test_nowhere_to_write_is_no_error(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_home(folders)
    monkeypatch.setattr(tempfile, "tempdir", str(folders / "home"))
    with jit.compile_lock():
        assert compiled_and_kept() == (True, False)


def test_a_user_without_a_home_gets_a_temporary_cache(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_entry(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    assert jit.cache_folder() == temporary(folders)
    assert compiled_and_kept() == (True, True)


def test_a_cache_home_that_is_not_absolute_is_ignored(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert jit.cache_folder().is_relative_to(folders / "home" / ".cache")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_does_without(folders: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    import fcntl

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with jit.compile_lock():
        assert compiled_and_kept() == (True, True)


def write_far(a: Any) -> None:
    a[10**9] = 1


def untyped(a: Any) -> None: ...


@overload(untyped)
def write(a: Any) -> Callable[[Any], None]:
    def implementation(a: Any) -> None:
        a[10**9] = 1

    return implementation


def checked_untyped(a: Any) -> None: ...


@overload(checked_untyped, jit_options={"boundscheck": True})
def checked_write(a: Any) -> Callable[[Any], None]:
    def implementation(a: Any) -> None:
        a[10**9] = 1

    return implementation


@numba.guvectorize("(n)->(n)")
def gufunc(x: Any, y: Any) -> None:
    for i in range(10**6):
        y[i] = 0


@numba.njit(boundscheck=True, parallel=True)
def parallel(a: Any) -> None:
    for i in numba.prange(10**9):
        a[i] = 1


unchecked, checked = numba.njit(write_far), numba.njit(boundscheck=True)(write_far)
through, through_checked = (numba.njit(boundscheck=True)(f) for f in (lambda a: unchecked(a), lambda a: checked(a)))
pair, namespace, increment = (unchecked, checked), types.ModuleType("namespace"), numba.njit(lambda x: x + 1)
namespace.unchecked, namespace.checked = unchecked, checked  # type: ignore[attr-defined]
in_place = numba.njit(inline="always")(write_far)  # compiled with the flags of its caller
registered = numba.extending.register_jitable(lambda a: write_far(a))
registered_far = numba.extending.register_jitable(write_far)


def enclosed() -> Callable[[Any], Any]:
    helper = unchecked
    return lambda a: helper(a)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="without compiled functions there are none to find")  # type: ignore[attr-defined]
@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda a: unchecked(a), "write_far"),
        (lambda a: checked(a), ""),
        (lambda a: through(a), "write_far"),
        (lambda a: through_checked(a), ""),
        (lambda a: parallel(a), "parallel"),  # whose threads report no error
        (lambda a: pair[0](a), "write_far"),
        (lambda a: pair[1](a), ""),
        (lambda a: namespace.unchecked(a), "write_far"),
        (lambda a: namespace.checked(a), ""),
        (enclosed(), "write_far"),
        (lambda a: in_place(a), ""),
        (lambda a: write_far(a), "write_far"),
        (lambda a: registered(a), "<lambda>"),
        (lambda a: untyped(a), "write.<locals>.implementation"),
        (lambda a: checked_untyped(a), ""),
        (lambda a: gufunc(a, a), "gufunc"),
        (lambda a: (unchecked if a[0] else checked)(a), "FunctionType or write_far"),  # Python 3.13 calls in each branch
        (lambda a: increment(a[0]), ""),
        (lambda a: len(a) + a.sum() + min(a[0], abs(a[1])) + np.sum(a[1:]) + math.sqrt(a[2]), ""),
    ],
)
@pytest.mark.filterwarnings("ignore:First-class function type feature")
def test_a_function_that_gets_arrays_and_might_leave_their_bounds_is_found(function: Any, found: str) -> None:
    signature = (numba.int32[::1],)
    assert jit.why_not(function, signature) == ""
    assert jit.unchecked_helper(function, signature).partition("[")[0] in found.split(" or ")


TABLE = np.arange(5)


def test_arrays_that_are_global_variables_cannot_be_written_to() -> None:
    def write_to_table(x: Any) -> Any:
        TABLE[int(x)] = 0
        return x

    assert "setitem" in jit.why_not(write_to_table, (numba.float32,))

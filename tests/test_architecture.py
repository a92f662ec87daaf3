"""What may import what, and what may not be imported at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import superspike
from superspike import _jit, config

ROOT = Path(__file__).parents[1]


def test_arrows_point_down() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "code", ["import superspike.cli; superspike.cli.config.options()", "import superspike; superspike.Network([2, 1])"]
)
def test_options_and_networks_do_not_wait_for_numba(code: str) -> None:
    check = f"{code}; import sys; assert not {{'numba', 'matplotlib', 'scipy'}} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_every_public_name_exists_and_is_documented() -> None:
    for name in superspike.__all__:
        assert getattr(superspike, name).__doc__
    with pytest.raises(AttributeError, match="nonsense"):
        _ = superspike.nonsense


def test_every_option_has_a_meaning() -> None:
    for name, option in config.options().items():
        assert option.param.help, name


def test_the_cache_is_keyed_by_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for source in (ROOT / "superspike").glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    keys = []
    for edit in ("", "# an edit of a function that a kernel calls\n"):
        (tmp_path / "neuron.py").write_text((ROOT / "superspike" / "neuron.py").read_text() + edit)
        monkeypatch.setattr(_jit, "__file__", str(tmp_path / "_jit.py"))
        keys.append(_jit.source_key())
    assert keys[0] != keys[1]


def test_a_read_only_home_gets_a_temporary_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be made below a file")
    code = "from superspike._jit import cache_folder; print(cache_folder())"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(tmp_path / "superspike-"))


def test_a_surrogate_from_outside_is_never_run_from_the_cache_nor_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "import superspike.clock\n"
        "from superspike._jit import kernel\n"
        "from superspike.surrogate import FastSigmoid, derivative\n"
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

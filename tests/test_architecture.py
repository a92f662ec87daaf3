"""What may import what, and what may not be imported at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import superspike
from superspike.lab import config

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

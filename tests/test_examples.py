"""Every example runs, quickly, without a warning, and draws its picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
NEEDS = dict.fromkeys(("brian2_script", "brian2_recurrent"), "brian2")
NEEDED = {"brian2": ("-W", "ignore::DeprecationWarning")}  # Brian2 2.9 calls pyparsing by its old names


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_draws_its_picture(example: Path, tmp_path: Path) -> None:
    if example.stem in NEEDS:
        pytest.importorskip(NEEDS[example.stem], reason=f"needs the extra {NEEDS[example.stem]}")
    picture = tmp_path / "picture.png"
    code = f"import {example.stem}; {example.stem}.main({str(picture)!r}, quick=True)"
    found = subprocess.run(
        [sys.executable, "-W", "error", *NEEDED.get(NEEDS.get(example.stem), ()), "-c", code],
        cwd=example.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert picture.stat().st_size > 10_000

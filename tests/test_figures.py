"""Every figure's script draws, and what the paper claims of it holds in its quick runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

FIGURES = Path(__file__).parents[1] / "figures"
SCRIPTS = sorted(path.stem for path in [*FIGURES.glob("fig*.py"), *FIGURES.glob("demo*.py")])


@pytest.fixture(autouse=True)
def figures_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FIGURES))


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_claims_of_a_figure_hold_in_quick_mode(script: str, tmp_path: Path) -> None:
    figure = importlib.import_module(script).main(tmp_path, quick=True, jobs=1)  # which asserts them
    assert figure.asserted
    assert (tmp_path / f"{script}.png").stat().st_size > 10_000
    assert len((tmp_path / f"{script}.md").read_text().splitlines()) == 2 + len(figure.claims)


def test_all_scripts_are_drawn_by_all() -> None:
    assert sorted(importlib.import_module("all").SCRIPTS) == SCRIPTS
    sys.modules.pop("all")

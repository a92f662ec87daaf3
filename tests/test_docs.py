"""The code in README.md and docs/extending.md runs as it is printed."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import superspike as ss
from superspike.cli import main
from superspike.lab import config
from superspike.model.parameters import Registry
from superspike.tasks import DATASETS, ENCODERS, INPUTS, TARGETS

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> list[str]:
    """The Python code on a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def executed(code: str, page: str, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
    """The names that the code leaves behind; it runs as a module of the reader's own."""
    found = {"__name__": "extending"} | (namespace or {})
    exec(compile(code, page, "exec", dont_inherit=True), found)
    return found


@pytest.fixture
def registries() -> Iterator[dict[str, Registry]]:
    """All registries by kind; they forget what was registered meanwhile."""
    found = {registry.kind: registry for registry in (*config.CHOICES.values(), INPUTS, TARGETS, DATASETS, ENCODERS)}
    before = {kind: dict(registry) for kind, registry in found.items()}
    yield found
    for kind, registry in found.items():
        registry.clear()
        dict.update(registry, before[kind])


PREAMBLE, *EXTENSIONS = blocks("docs/extending.md")
ADDED = [{"surrogate": "cauchy"}, {"neuron": "eif"}, {"feedback": "sparse"}, {"optimizer": "nadam"}, {"loss": "eager"}, {"inputs": "theta", "targets": "sequence"}, {"task": "volleys"}, {"encoder": "pairs"}]  # fmt: skip


@pytest.mark.parametrize(("code", "added"), list(zip(EXTENSIONS, ADDED, strict=True)), ids=[" ".join(a.values()) for a in ADDED])
def test_an_extension_on_the_page_trains_and_is_found_by_its_name(
    code: str, added: dict[str, str], registries: dict[str, Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ss.SilentNetworkWarning)  # two seconds are short
        found = executed(PREAMBLE + code, "docs/extending.md")
    if "encoder" in added:
        assert found["samples"].classes == ("0", "1")
    else:
        metrics = found["run"].metrics
        assert len(metrics.get("cost", metrics.get("loss"))) == 4  # blocks, or epochs
    options, classes = config.options(), [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
    for kind, name in added.items():
        cls = registries[kind][name]
        assert cls is found[cls.__name__]
        if kind != "inputs":
            assert name in options["task" if kind == "targets" else kind].words
        assert {config.option_name(cls, field) for field in cls._fields} <= set(options)
    for node in classes:
        lines = ast.unparse(node).splitlines()
        assert len([line for line in lines if line.strip()]) < 15


def test_the_readme_trains_as_it_says_and_calls_nothing_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = [block for block in blocks("README.md") if "ss." in block or "import" in block]
    names = {name for block in code for name in re.findall(r"\bss\.(\w+)", block)}
    assert len(names) > 10
    assert [name for name in names if not hasattr(ss, name)] == []
    records, first, own, layers, second, sweep, classes = code[:7]
    probe = ["--probe", "v:hidden1:0-9@1ms", "--text", "I", "--duration", "1s", "--quiet", "--out", "run-1"]
    if find_spec("zarr"):
        assert CliRunner().invoke(main, ["train", *probe]).exit_code == 0
        assert executed(records, "README.md")["values"].shape == (1000, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.SilentNetworkWarning)
        found = executed(first.replace("100_000", "1_000"), "README.md")
    assert (tmp_path / "hello.png").stat().st_size > 10_000
    assert len(executed(own, "README.md", found)["net"].projections) == 3
    assert executed(layers, "README.md", found)["net"].readout == ss.Readout(tau_mem=20.0)
    assert executed(second, "README.md", found)["net"].sizes == [100, 4, 1]
    short = sweep.replace('"seed": seed', '"seed": seed, "duration": "500ms"').replace("range(20)", "range(2)")
    assert len(executed(short, "README.md", found | {"__name__": "__main__"})["costs"]) == 2
    found = executed(classes.replace("epochs=20", "epochs=2"), "README.md", found)
    assert found["run"].metrics["accuracy_validation"][-1] > 0.5
    for block in code[7:]:
        ast.parse(block)

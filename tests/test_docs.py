"""The code in README.md and docs/ runs as it is printed, links lead somewhere, and the site builds."""

from __future__ import annotations

import ast
import configparser
import html
import os
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import pytest
from click.testing import CliRunner

import superspike as ss
from superspike.cli import main
from superspike.lab import config
from superspike.model.parameters import Registry
from superspike.tasks import DATASETS, ENCODERS, INPUTS, TARGETS

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "figures" / "README.md", *(ROOT / "docs").rglob("*.md"))
    if path.name != "extending.md"
)
NEEDED = {
    "docs/tutorials/brian2.md": ("brian2",),
    "docs/tutorials/sweeps.md": ("distributed",),
    "docs/how-to/record.md": ("zarr",),
    "docs/how-to/exchange.md": ("neo", "nir"),
}
BLOCK = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\S+)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def extras() -> set[str]:
    """The extras that setup.cfg declares."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(setup["options.extras_require"])


EXTRAS = extras()


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


def parsed(words: list[str]) -> None:
    """Whether the command line knows these words; files may be missing."""
    command: Any = main
    while isinstance(command, click.Group):
        name, command, words = command.resolve_command(click.Context(command), words)
    command.make_context(name, words)


def typed(line: str, run: bool) -> None:
    """A line of a shell: commands of superspike are run, of other programs the files and extras that they name exist."""
    for program, *words in filter(None, (shlex.split(part, comments=True) for part in line.split("&&"))):
        if Path(program).name != "superspike":
            assert [word for word in (program, *words) if word.endswith((".py", "/run")) and not (ROOT / word).is_file()] == []
            assert {
                name for word in words for names in re.findall(r"\[(\w[\w,]*)\]$", word) for name in names.split(",")
            } <= EXTRAS
        elif run:
            found = CliRunner().invoke(main, words)
            assert found.exit_code == 0, f"{line}\n{found.output}"
        else:
            parsed(words)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_as_it_says(
    page: str, registries: dict[str, Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks are a session in one folder, in order: Python, lines of a shell, and files, named in their first line.

    After a comment that begins with "only read", commands are parsed, and Python compiled: they need time, a data set or a cluster.
    """
    for package in NEEDED.get(page, ()):
        pytest.importorskip(package)
    if "brian2" in NEEDED.get(page, ()):
        warnings.simplefilter("ignore", DeprecationWarning)  # of the packages that it stands on; pytest restores the filters
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert 2 * len(blocks) == len(re.findall("^ *```", text, re.MULTILINE))  # no other fences
    for remark, language, code in blocks:
        run = not remark.startswith("only read")
        if language == "python" and run:
            names = executed(code, page, names)
        elif language == "python":
            compile(code, page, "exec")
            assert [name for name in re.findall(r"\bss\.(\w+)", code) if not hasattr(ss, name)] == []
        elif language == "sh":
            for line in code.replace("\\\n", " ").splitlines():
                typed(line, run)
        elif language == "toml":
            tomllib.loads(code)
            (tmp_path / code.split()[1]).write_text(code, encoding="utf-8")
        else:
            assert language in ("text", "{eval-rst}", "{toctree}", "{include}", "{help}")


@pytest.mark.parametrize("page", [*PAGES, "docs/extending.md"])
def test_links_lead_to_files_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", text)]
    assert [link for link in links if link and not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_site_builds_without_network_or_warning_and_names_everything(tmp_path: Path) -> None:
    for package in ("sphinx", "brian2"):
        pytest.importorskip(package, reason="needs the extra docs")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        tmp_path / "doctrees",
        ROOT / "docs",
        tmp_path / "site",
    ]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    built = subprocess.run(command, capture_output=True, text=True, env=os.environ | nowhere, timeout=300)
    assert (built.returncode, built.stderr) == (0, "")
    pages = {path: path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")}
    assert [path for path, text in pages.items() if re.search(r"<(script|img|link)[^>]* (src|href)=\"(https?:)?//", text)] == []
    dead = []
    for path, text in pages.items():
        for link in map(html.unescape, re.findall(r'<a [^>]*href="(?!\w+:)([^"]+)"', text)):
            name, _, anchor = link.partition("#")
            target = path.parent.joinpath(unquote(name)).resolve() if name else path
            if not target.is_file() or (anchor and f'id="{unquote(anchor)}"' not in pages[target]):
                dead.append((path.name, link))
    assert dead == []
    reference = html.unescape("".join(text for path, text in pages.items() if path.parent.name == "reference"))
    classes = [f"superspike.{name}" for name in ss.__all__ if name not in ("tasks", "__version__")]
    assert [name for name in (*classes, "superspike.brian2.SuperSpikeSynapses") if f'id="{name}"' not in reference] == []
    shown = re.sub("<[^>]+>", "", reference)
    assert [name for name in main.commands if f"Usage: superspike {name} " not in shown] == []
    assert [name for name in config.options() if f"--{name.replace('_', '-')} " not in shown] == []

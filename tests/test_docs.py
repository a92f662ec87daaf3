"""The code in README.md and docs/ runs as it is printed, links lead somewhere, and the site builds."""

from __future__ import annotations

import ast
import configparser
import hashlib
import html
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import matplotlib as mpl
import numpy as np
import pytest
from click.testing import CliRunner
from helpers import idx
from PIL import Image

import superspike as ss
from superspike.cli import main
from superspike.lab import config
from superspike.model.parameters import Registry
from superspike.spikes.files import write_ras
from superspike.tasks import DATASETS, ENCODERS, INPUTS, TARGETS, datasets

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "figures" / "README.md", *(ROOT / "docs").rglob("*.md"))
    if path.name != "extending.md"
)
NEEDED = {
    "docs/tutorials/brian2.md": ("brian2",),
    "docs/tutorials/sweeps.md": ("distributed", "dask_jobqueue"),
    "docs/tutorials/classification.md": ("pooch",),
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


SHORTER = {"train": ("--duration", "1s"), "resume": ("--duration", "1s"), "bench": ("--repeats", "1", "--seconds", "0.02")}
SAMPLES = ("--epochs", "1")
SPEECH = ("--speakers", "3", "--repetitions", "1", "--validation-speakers", "1", "--test-speakers", "1")


def shorter(words: list[str]) -> list[str]:
    """A command that would take minutes, or longer than a test may take, in seconds: the last of two equal options counts."""
    if words[0] == "train" and (task := dict(pairwise(words)).get("--task")) in DATASETS:
        return [*words, *SAMPLES, *(SPEECH if task == "synthetic-speech" else ())]
    return [*words, *SHORTER.get(words[0], ())]


def typed(line: str, short: bool, started: ExitStack, port: int) -> None:
    """A line of a shell: those of superspike and Dask are run, of other programs the files and extras that they name exist."""
    for program, *words in filter(None, (shlex.split(part, comments=True) for part in line.split("&&"))):
        if program == "dask":
            started.enter_context(running_dask(words, port))
        elif Path(program).name != "superspike":
            assert [word for word in (program, *words) if word.endswith((".py", "/run")) and not (ROOT / word).is_file()] == []
            assert {
                name for word in words for names in re.findall(r"\[(\w[\w,]*)\]$", word) for name in names.split(",")
            } <= EXTRAS
        else:
            parsed(words)
            found = CliRunner().invoke(main, shorter(words) if short else words)
            assert found.exit_code == 0, f"{line}\n{found.output}"


@contextmanager
def running_dask(words: list[str], port: int) -> Iterator[None]:
    """A scheduler or a worker, as long as the page is read."""
    more = ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", ":0"] if words[0] == "scheduler" else []
    process = subprocess.Popen([Path(sys.executable).parent / "dask", *words, *more], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def reader(tmp_path: Path, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder, with files of their own; where they are fetched from; and SLURM, as far as a page needs it."""
    folder, (url, there) = tmp_path / "reader", served
    images = np.random.default_rng(1).integers(0, 256, (5020, 4, 4), np.uint8)  # 5,000 of which are for validation
    labels = (np.arange(5020) % 10).astype(np.uint8)
    for name in ("train", "t10k"):
        (there / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (there / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    sources = {f"{url}{path.name}": f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}" for path in there.iterdir()}
    monkeypatch.setitem(datasets.SOURCES, "mnist", sources)
    folder.mkdir()
    shutil.copytree(there, folder / "DIR")
    shutil.copyfile(mpl.get_data_path() + "/fonts/ttf/DejaVuSans.ttf", folder / "FreeSerif.ttf")
    Image.fromarray(np.eye(60, dtype=np.uint8) * 255).save(folder / "photo.png")
    rng = np.random.default_rng(2)
    write_ras(folder / "in.ras", ss.tasks.poisson_spikes(100, 10.0, 500.0, rng))
    write_ras(folder / "out.ras", ss.Spikes([100.0, 300.0], [0, 0], 1))
    (folder / "SWEEP.toml").write_text("seeds = 2\n[base]\ntask = 'regular'\nduration = '1s'\n", encoding="utf-8")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sbatch").write_text(
        '#!/bin/sh\nscript=$(cat "$1")\nsh -c "$script" > /dev/null 2>&1 &\necho "Submitted batch job $!"\n'
    )
    (programs / "scancel").write_text('#!/bin/sh\npkill -P "$1"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_as_it_says(
    page: str, registries: dict[str, Registry], reader: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its blocks are a session in one folder, in order: Python, lines of a shell, and files, named in their first line.

    After a comment that begins with "short", commands take as few seconds as they can. Python that prints False, of a comparison,
    is wrong.
    """
    for package in NEEDED.get(page, ()):
        pytest.importorskip(package)
    if "brian2" in NEEDED.get(page, ()):
        warnings.simplefilter("ignore", DeprecationWarning)  # of the packages that it stands on; pytest restores the filters
    if "distributed" in NEEDED.get(page, ()):
        warnings.filterwarnings("ignore", "Couldn't detect a suitable IP address", RuntimeWarning)  # without a network
    names: dict[str, Any] = {"__name__": "__main__"}
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert 2 * len(blocks) == len(re.findall("^ *```", text, re.MULTILINE))  # no other fences
    if "data fetch mnist DIR" in text:
        shutil.rmtree("DIR")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ExitStack() as started:
        for remark, language, code in blocks:
            code = code.replace("10.0.0.1:8786", f"127.0.0.1:{port}").replace("jobs=40", "jobs=2")
            if language == "python":
                names = executed(code, page, names)
            elif language == "sh":
                for line in code.replace("\\\n", " ").splitlines():
                    typed(line, remark.startswith("short"), started, port)
            elif language == "toml":
                tomllib.loads(code)
                (reader / code.split()[1]).write_text(code, encoding="utf-8")
            else:
                assert language in ("text", "{eval-rst}", "{toctree}", "{include}", "{help}")
    assert "False" not in capsys.readouterr().out.split()


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

"""The HTML page of a run: all in one file, and drawn by a browser where there is one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

import superspike as ss
from superspike.cli import main
from superspike.lab.reporting import report

STREAM = ["--text", "HI", "--inputs", "30", "--outputs", "10", "--hidden", "12", "--duration", "2s"]
SAMPLES = ["--task", "randman", "--samples", "20", "--classes", "3", "--hidden", "10", "--epochs", "1"]


@pytest.mark.parametrize("options", [STREAM, SAMPLES], ids=["stream", "samples"])
def test_a_page_holds_all_that_it_shows(options: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert CliRunner().invoke(main, ["train", *options, "--quiet", "--out", str(run)]).exit_code == 0
    found = CliRunner().invoke(main, ["report", str(run)])
    assert found.stdout.strip() == str(run / "report.html")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "http" not in page
    assert "$" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)  # nothing was left to fill in
    assert page.count("data:image/png;base64,") == (2 if options is STREAM else 4)
    assert f"superspike</td><td>{ss.__version__}" in page
    if options is STREAM:
        layers = json.loads(re.search(r"const layers = (\[.*\]), canvas", page)[1])  # type: ignore[index]
        assert [layer["name"] for layer in layers] == ["target", "output", "hidden1", "input"]
        assert layers[0]["i"] == ss.Run.load(run).spikes["target"].between(*ss.Run.load(run).periods_ms[-1]).ids.tolist()
    assert CliRunner().invoke(main, ["train", *options, "--quiet", "--force", "--out", str(run)]).exit_code == 0
    assert not (run / "report.html").exists()  # it was the other run's


def test_a_folder_whose_name_is_no_text_has_a_page(tmp_path: Path) -> None:
    named = tmp_path / "bör"
    assert CliRunner().invoke(main, ["train", *STREAM, "--quiet", "--out", str(named)]).exit_code == 0
    try:
        run = named.rename(tmp_path / os.fsdecode(b"b\xf6r"))  # as Latin-1 has it
    except OSError:
        pytest.skip("this system's names of files are text")
    assert "<title>b?r: " in report(ss.Run.load(run), run)


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium")
def test_a_browser_draws_the_raster(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["train", *STREAM, "--quiet", "--out", str(tmp_path / "run")]).exit_code == 0
    page = tmp_path / "page.html"
    assert CliRunner().invoke(main, ["report", str(tmp_path / "run"), "--out", str(page)]).exit_code == 0
    check = '<script>document.title = canvas.toDataURL().length > 5000 && to > from ? "drawn" : "empty";</script></body>'
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", check), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    found = subprocess.run(
        ["chromium", *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "<title>drawn</title>" in found.stdout

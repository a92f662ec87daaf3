"""One self-contained HTML page of a run: its numbers, pictures, a raster to zoom into, weights, options and versions.

Nothing is loaded from anywhere: pictures are in the page, and so is the little program that draws the raster.
"""

from __future__ import annotations

import base64
import html
import io
import json
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from .. import __version__
from ..spikes.trains import Spikes
from . import plotting
from .fitting import Fit
from .folder import CONFIG
from .run import Run

MOST_SPIKES = 50_000  # in a page, of each layer
PACKAGES = ("numpy", "numba", "scipy", "matplotlib")


def report(run: Run | Fit, folder: Path) -> str:
    """The page of a run that lies in a folder."""
    name = folder.resolve().name.encode(errors="replace").decode()  # a file's name need not be text
    title = f"{name}: {run.network!r}"[:200]
    parts = [table({name: words(value) for name, value in run.summary().items() if not isinstance(value, dict)})]
    parts += [
        section(name.removesuffix(".png"), image(picture, run)) for name, picture in run.pictures.items() if name != "raster.png"
    ]
    if isinstance(run, Run):
        parts.append(section("raster", raster(run)))
    parts.append(section("weights", image(plotting.weights, run)))
    parts.append(section("options", f"<pre>{html.escape((folder / CONFIG).read_text(encoding='utf-8'))}</pre>"))
    versions = {"superspike": __version__, "Python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    parts.append(section("versions", table(versions)))
    return template("report.html").substitute(title=html.escape(title), body="\n".join(parts))


def template(name: str) -> Template:
    """A file beside this one."""
    return Template((Path(__file__).parent / name).read_text(encoding="utf-8"))


def section(name: str, body: str) -> str:
    """A heading, and what comes below."""
    return f"<h2>{html.escape(name)}</h2>\n{body}"


def table(rows: Mapping[str, str]) -> str:
    """Names and values."""
    cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"


def words(value: Any) -> str:
    """A number with four digits, a list of such."""
    if isinstance(value, list):
        return ", ".join(map(words, value))
    return f"{value:.4g}" if isinstance(value, float) else "–" if value is None else str(value)


def image(picture: Callable[[Any], Any], run: Any) -> str:
    """A picture, in the page."""
    drawn = io.BytesIO()
    plotting.draw_into(picture, run, drawn, "png")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}">'


def raster(run: Run) -> str:
    """The spikes of the last period, output and target first, as numbers that the page draws."""
    begin, end = run.periods_ms[-1]
    layers = []
    for name, spikes in [*reversed(run.spikes.items())]:
        own: Spikes = spikes.between(begin, end)
        chosen = slice(None, None, max(1, -(-len(own) // MOST_SPIKES)))
        times = np.round(own.times_ms[chosen] - begin, 2).tolist()
        color = plotting.COLORS[name.rstrip("0123456789")]
        height = 140 if name in ("target", "output") else 90
        layers.append({"name": name, "n": spikes.n, "color": color, "height": height, "t": times, "i": own.ids[chosen].tolist()})
    height = sum(layer["height"] + 8 for layer in layers) + 20
    return template("raster.html").substitute(layers=json.dumps(layers), window=json.dumps([0, end - begin]), height=height)

"""Spike trains in two-column text files (.ras): firing time in seconds, unit id."""

from __future__ import annotations

import contextlib
import io
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.files import CHUNK, unzipped
from ..model.parameters import ParameterError
from .trains import MOST_UNITS, Spikes, number_of_units

Array = NDArray[Any]

CONTROL = bytes({*range(32)} - {*b"\t\n\v\f"})  # what makes a file binary
PLAIN = b"0123456789+-.eE \t\n"  # what the lines of a .ras file consist of
_NUMBER = rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
SWAPPED = "if the ids come first, as in NEST's .gdf files, swap the columns (and give times in s, not ms)"
LINE = re.compile(rb"[ \t]*(%s)[ \t]+(%s)[ \t]*" % (_NUMBER, _NUMBER))


class SpikeFileError(ParameterError):
    """A spike file that cannot be read; the message names file and line."""


def read_ras(path: str | os.PathLike[str], n: int | None = None, ids_from: int = 0) -> Spikes:
    """Read a two-column text file, plain or gzip: firing time in **seconds**, unit id. ``#`` begins a comment.

    Ids may be written as floats (``1.0``). Times are rounded to 1e-9 ms.

    Parameters
    ----------
    path : path of the file
    n : number of units; by default the largest id of the file decides. A file without a spike is read only with it.
    ids_from : the id of the first unit in the file, 0 or 1

    Raises
    ------
    SpikeFileError : unreadable, binary, empty or malformed file, a time that is negative or not finite, an id out of range
    """
    name = os.fspath(path)
    if ids_from not in (0, 1):
        raise ParameterError(f"ids_from: must be 0 or 1, got {ids_from!r}")
    units = MOST_UNITS if n is None else number_of_units("read_ras.n", n)
    text = _ras_text(name)
    if not text.strip():
        if n is None:
            raise SpikeFileError(f"{name}: must hold at least one spike, is empty; or say how many silent units it means")
        return Spikes([], [], n)
    rows = _table(text)
    whole = rows == np.floor(rows)
    if whole[:, 0].all() and not re.search(rb"(?m)^[ \t]*(?![0-9]+[ \t]+[0-9]*\.)\S", text):
        raise SpikeFileError(f"{name}: must be 'time in s, unit id', but times are whole and ids have a point; {SWAPPED}")
    times, ids = _ms(rows[:, 0]), rows[:, 1] - ids_from
    if not np.all((times >= 0) & (times < np.inf) & (ids >= 0) & (ids < units) & whole[:, 1]):
        faults = ((number, _fault(line, units, ids_from)) for number, line in enumerate(text.split(b"\n"), 1))
        number, fault = next((number, fault) for number, fault in faults if fault)
        raise SpikeFileError(f"{name}, line {number}: {fault}")
    return Spikes(times, ids, int(ids.max()) + 1 if n is None else n)


def _ms(seconds: ArrayLike) -> Array:
    """Seconds in ms, to the picosecond: 0.0003 s is 0.3 ms, whatever binary fractions say."""
    with np.errstate(over="ignore"):
        return np.round(1000 * np.asarray(seconds, float), 9)


def _ras_text(name: str) -> bytes:
    """A file's lines, without comments, each ended by a line feed."""
    try:
        with Path(name).open("rb") as file:
            endless = Path(name).is_char_device() or Path(name).is_block_device()
            data = file.read(CHUNK if endless else -1)
        data = unzipped(data) if data.startswith(b"\x1f\x8b") else data
    except ParameterError as error:
        raise SpikeFileError(f"{name}: {error}") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:  # ValueError: a name with a zero byte
        raise SpikeFileError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpikeFileError(f"{name}: must be ASCII or UTF-8 text, is UTF-16; save it as UTF-8")
    lines = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = re.sub(rb"#[^\n]*", b"", lines)
    if text != text.translate(None, CONTROL):
        raise SpikeFileError(f"{name}: must be a text file of two columns (time in s, unit id), is binary")
    return text


def _table(text: bytes) -> Array:
    """The numbers of a text of two columns, (lines, 2); a row of nan if some line holds something else."""
    table = np.zeros((0, 0))
    if not text.translate(None, PLAIN):
        with contextlib.suppress(ValueError):
            table = np.loadtxt(io.BytesIO(text), comments=None, ndmin=2)
    return table if table.shape[1] == 2 else np.full((1, 2), np.nan)


def _fault(line: bytes, units: int, ids_from: int) -> str:
    """What is wrong with a line of a .ras file; nothing, if nothing is."""
    words = LINE.fullmatch(line)
    seconds, unit = map(float, words.groups()) if words else (-1.0, 0.0)
    if not line.strip(b" \t"):
        return ""
    if not 0 <= _ms(seconds) < np.inf or unit % 1 != 0:
        remedy = f"; {SWAPPED}" if words and seconds % 1 == 0 and unit % 1 else ""
        return f"must be 'time in s >= 0, unit id', got {line.decode('utf-8', 'replace').strip()[:60]!r}{remedy}"
    if not ids_from <= unit < ids_from + units:
        remedy = "; if its ids count from 1, say so" if ids_from == 0 and unit == units < MOST_UNITS else ""
        last = "…" if unit < ids_from and units == MOST_UNITS else ids_from + units - 1
        return f"id must be in {ids_from} … {last}, got {unit:.0f}{remedy}"
    return ""


def write_ras(path: str | os.PathLike[str], spikes: Spikes) -> None:
    """Write a two-column text file: firing time in seconds, to the picosecond (1e-9 ms), and unit id from 0."""
    lines = (f"{round(t / 1000, 12)} {i}\n" for t, i in zip(spikes.times_ms.tolist(), spikes.ids.tolist(), strict=True))
    Path(path).write_text("".join(lines), encoding="utf-8")

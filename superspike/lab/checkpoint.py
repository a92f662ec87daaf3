"""Checkpoints: all that changes in a run, and the options that began it, in one file, from which it goes on to the last bit.

The file, an .npz, holds ``header``, a JSON text (see :class:`Header`); ``file/NAME``, the bytes of each file that repeats the
run (config.toml, and what that names); and ``PART/NAME``, the arrays that each part of a run gives as its snapshot: simulation,
metrics and recorder of a stream; the learner of samples. SCHEMA counts the changes of this.

While a run goes on, the file lies in its folder's ``.superspike``; a run that has ended takes it into the folder. It is written
beside the one before and then takes its place, so that there is always a whole one.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..engine.jit import source_key
from ..model.files import read_arrays
from ..model.parameters import Param, ParameterError, reading_file
from .config import EVERY_S
from .folder import CHECKPOINT, CONFIG, OWN, checkpoints

Array = NDArray[Any]
Parts = Mapping[str, Mapping[str, Array]]

SCHEMA = 1
HEADER = "header"
WISH = "wish"  # a file: somebody waits for a checkpoint
LOOK_S = 1.0
# A run's numbers come from none of these rooms and modules: an edit there leaves finished runs as they are.
NO_NUMBERS = (
    "__main__", "bench/", "brian2", "cli", "interop/", "lab/alignment", "lab/plotting", "lab/reporting", "lab/sweepfile",
    "lab/watching",
)  # fmt: skip


class Header(NamedTuple):
    """What a checkpoint says of itself."""

    schema: int
    version: str  # the package's
    sources: str  # of those modules that numbers come from
    kind: str  # of the run: stream or samples
    elapsed_s: float  # wall-clock time of the run so far, without compilation


class Checkpoint(NamedTuple):
    """What was read."""

    path: Path
    header: Header
    files: dict[str, bytes]
    arrays: dict[str, Array]

    def part(self, name: str) -> dict[str, Array]:
        """The snapshot of one part."""
        return {key.removeprefix(f"{name}/"): x for key, x in self.arrays.items() if key.startswith(f"{name}/")}

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Let each of a run's parts go on from its snapshot. Whatever does not fit is an error that names the file."""
        try:
            for name, part in parts.items():
                found = self.part(name)
                for key, own in part.snapshot().items():
                    x = found[key]
                    if (x.dtype.kind, x.ndim) != (own.dtype.kind, own.ndim):
                        raise ParameterError(f"{name}/{key} must be like {own.dtype} {own.shape}, is {x.dtype} {x.shape}")
                part.restore(found)
        except Exception as error:  # a file that somebody else has written may raise anything
            raise ParameterError(f"{self.path}: must be a checkpoint of this run, does not fit it ({error})") from None

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """A folder with the files, while it is needed; the path of config.toml in it."""
        with tempfile.TemporaryDirectory() as folder:
            for name, data in self.files.items():
                (Path(folder) / name).write_bytes(data)
            yield Path(folder) / CONFIG


class Keeper:
    """Writes checkpoints of a run into its reserved folder ``own``, every so many seconds of wall-clock time (0: never).

    ``start`` is the checkpoint from which the run goes on, if it does; ``at_end``: whether one is kept of a run that has ended;
    ``asked``: whether the run is to end before its time, which may be before its next step. Somebody who watches a run wishes for
    a checkpoint by a file (:func:`wish`): as many are written as cost a hundredth of the time.
    """

    def __init__(
        self,
        own: Path | None,
        every_s: float = EVERY_S,
        start: Checkpoint | None = None,
        *,
        at_end: bool = True,
        asked: bool = False,
    ) -> None:
        self.own, self.start, self.at_end, self.asked = own, start, at_end, asked
        self.every_s = Param("s", "", ge=0).check("checkpoint_s", every_s)
        self.files: dict[str, bytes] = {}
        self.pause = LOOK_S  # from a checkpoint, or a look for wishes in vain, to the next look
        self.header = Header(SCHEMA, __version__, "", "", start.header.elapsed_s if start else 0.0)
        self.began = self.last = self.looked = time.perf_counter()

    def begin(self, kind: str, write_options: Callable[[Path], object]) -> None:
        """Take the files that repeat the run, and start the clock."""
        if self.every_s:
            with tempfile.TemporaryDirectory() as folder:
                write_options(Path(folder))
                self.files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
            self.header = self.header._replace(kind=kind, sources=source_key(NO_NUMBERS))
        self.began = self.last = self.looked = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Wall-clock time of the run so far, that before it went on included."""
        return self.header.elapsed_s + time.perf_counter() - self.began

    def due(self, ends: bool) -> bool:
        """Whether it is time to write; ``ends``: whether the run has just come to its end."""
        if not self.every_s:
            return False
        now = time.perf_counter()
        if self.asked or (ends and self.at_end) or now - self.last >= self.every_s:
            return True
        if now - self.looked < self.pause:
            return False
        self.looked, self.pause = now, LOOK_S
        assert self.own
        return (self.own / OWN / WISH).exists()

    def end(self) -> None:
        """The run has ended: its checkpoint goes, if none is to be kept."""
        if self.own and not self.at_end and not self.asked:
            (self.own / OWN / CHECKPOINT).unlink(missing_ok=True)

    def write(self, parts: Parts) -> None:
        """Write a checkpoint, in the place of the one before."""
        assert self.own
        header = json.dumps(self.header._replace(elapsed_s=self.elapsed_s)._asdict())
        arrays = {f"{part}/{name}": x for part, snapshot in parts.items() for name, x in snapshot.items()}
        texts = {HEADER: header.encode()} | {f"file/{name}": data for name, data in self.files.items()}
        arrays |= {name: np.frombuffer(data, np.uint8) for name, data in texts.items()}
        new, began = self.own / OWN / f"new-{CHECKPOINT}", time.perf_counter()
        (self.own / OWN / WISH).unlink(missing_ok=True)
        try:
            with new.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.own / OWN / CHECKPOINT)
        except OSError as error:
            new.unlink(missing_ok=True)
            kept = (self.own / OWN / CHECKPOINT).exists()
            remedy = f"The one before is whole: make room, and superspike resume {self.own} goes on with it"
            raise ParameterError(
                f"{self.own / OWN / CHECKPOINT}: must be written, cannot ({error.strerror}). "
                f"{remedy if kept else 'Nothing was written; make room, or train with --checkpoint 0'}"
            ) from None
        self.last = self.looked = time.perf_counter()
        self.pause = max(LOOK_S, 100 * (self.last - began))


def wish(folder: Path) -> None:
    """Let the run that goes on in a folder write a checkpoint soon, if it writes any."""
    with suppress(OSError):  # it has just ended
        (folder / OWN / WISH).touch()


def read_checkpoint(folder: str | os.PathLike[str]) -> Checkpoint:
    """The newest checkpoint of a run's folder. Raises ParameterError where there is none, or none that can be read."""
    where = Path(folder)
    paths = checkpoints(where)
    if not paths:
        raise ParameterError(
            f"{where}: must hold {CHECKPOINT}, from which a run goes on, has none; train (--checkpoint 1min) writes it"
        )
    with reading_file(paths[0], "a checkpoint") as path:
        arrays = read_arrays(path)
        header = json.loads(arrays.pop(HEADER).tobytes())
        schema = header["schema"]
        if schema == SCHEMA:
            header = Header(**header)
            Param("s", "", ge=0).check("elapsed_s", header.elapsed_s)
    if schema != SCHEMA:
        raise ParameterError(
            f"{path}: must be a checkpoint of schema {SCHEMA}, is of {schema!r}, written by superspike {header.get('version')}; "
            f"go on with that version, or train anew"
        )
    files = {name.removeprefix("file/"): x.tobytes() for name, x in arrays.items() if name.startswith("file/")}
    plain = all(name == Path(name).name not in ("", "..") for name in files)  # none leads out of the folder it is written to
    if CONFIG not in files or header.kind not in ("stream", "samples") or not plain:
        raise ParameterError(f"{path}: must be a checkpoint of a run, with its {CONFIG}, is not")
    return Checkpoint(path, header, files, {name: x for name, x in arrays.items() if not name.startswith("file/")})

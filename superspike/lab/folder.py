"""The folder of a run: one process's own while it is reserved, and filled whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from ..model.parameters import ParameterError

PathLike = str | os.PathLike[str]

CONFIG = "config.toml"  # the last file to arrive: a folder that has it is a whole run
OWN = ".superspike"  # what a reserved folder holds besides: a lock, files that are still being written, and
CHECKPOINT = "checkpoint.npz"  # that of a run that has not ended, and
RECORDS = "records.zarr"  # what it has recorded; of a run that has ended, they lie in the folder


class FolderTakenError(ParameterError):
    """A folder that holds something, or will."""


@contextmanager
def reserve(folder: PathLike, force: bool = False, resume: bool = False) -> Iterator[Path]:
    """Keep other processes from ``folder``; make it, and take it away again if nothing has come into it at the end.

    The lock dies with its process: what a killed one leaves behind keeps nobody out. Raises ParameterError unless the
    folder may be written: absent or empty, or a run to be replaced with ``force``, or to ``resume``. The checkpoint of a run that
    has not ended stays.
    """
    made: list[Path] = []
    try:
        try:
            check_folder(folder, force, resume)
            where = Path(folder).resolve()  # a link stays a link
            made += [path for path in (where, *where.parents) if not path.exists()]
            lock = take_lock(where, folder)
        except OSError as error:
            raise ParameterError(f"{folder}: must be a folder that can be made, cannot ({error.strerror})") from None
        try:
            check_folder(folder, force, resume)  # another process may have filled it meanwhile
            if not resume:
                (where / OWN / CHECKPOINT).unlink(missing_ok=True)
                shutil.rmtree(where / OWN / RECORDS, ignore_errors=True)
            yield where
        finally:
            left = where / OWN / CHECKPOINT
            if left.is_file():
                shutil.rmtree(where / OWN / "new", ignore_errors=True)
                (where / OWN / "lock").unlink(missing_ok=True)
            else:
                shutil.rmtree(where / OWN, ignore_errors=True)
            os.close(lock)
    finally:
        for path in made:
            with suppress(OSError):  # it holds files
                path.rmdir()


@contextmanager
def reserve_next(prefix: str) -> Iterator[Path]:
    """Reserve the first of prefix1, prefix2, … that is free."""
    with ExitStack() as stack:
        for number in count(1):
            with suppress(FolderTakenError):
                where = stack.enter_context(reserve(f"{prefix}{number}"))
                break
        yield where


@contextmanager
def whole(where: Path, known: Iterable[str]) -> Iterator[Path]:
    """A folder to write into; at the end its files replace those of ``where`` that match ``known``, config.toml last.

    If anything fails before, nothing in ``where`` has changed. The run's checkpoint, if there is one, comes into the folder.
    """
    new = where / OWN / "new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    yield new
    for name in (CHECKPOINT, RECORDS):
        if (where / OWN / name).exists():
            (where / OWN / name).replace(new / name)
    (where / CONFIG).unlink(missing_ok=True)
    for pattern in known:
        for path in where.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in sorted(new.iterdir(), key=lambda path: path.name == CONFIG):
        path.replace(where / path.name)


def check_folder(folder: PathLike, force: bool, resume: bool = False) -> None:
    """Raise ParameterError unless ``folder`` may be written: absent or empty, or a run's, with ``force`` or to ``resume`` it."""
    where = Path(folder)
    if where.exists() and not where.is_dir():
        raise FolderTakenError(f"{where}: must be a folder, is a file")
    if resume and not where.is_dir():
        raise ParameterError(f"{where}: must be the folder of a run, does not exist")
    if not force and not resume and (where / OWN / CHECKPOINT).is_file():
        raise FolderTakenError(
            f"{where}: must be empty or absent, holds a run that has not ended; superspike resume {where} goes on with it, "
            f"force (--force) replaces it"
        )
    if not resume and where.is_dir() and any(path.name != OWN for path in where.iterdir()):
        if not force:
            raise FolderTakenError(
                f"{where}: must be empty or absent, holds files; choose another folder, or force (--force) to replace it"
            )
        own = ("new", CHECKPOINT)  # of a process that was killed, while it replaced or before; somebody may have watched it
        if not (where / CONFIG).is_file() and not any((where / OWN / name).exists() for name in own):
            raise FolderTakenError(
                f"{where}: must be the folder of a run to be replaced, has no config.toml; choose another folder"
            )
    check_place(where)


def checkpoints(where: Path) -> list[Path]:
    """The checkpoints in a run's folder, the newest first: of a run that goes on or was killed, and of one that has ended."""
    return [path for path in (where / OWN / CHECKPOINT, where / CHECKPOINT) if path.is_file()]


def check_place(where: Path) -> None:
    """Raise ParameterError unless a folder may be made or written where ``where`` is."""
    above = where.resolve()
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise ParameterError(f"{where}: must be a folder that can be made, cannot ({above} is a file)")
    if not os.access(above, os.W_OK):
        raise ParameterError(f"{where}: must be in a folder that may be written to, {above} may not")
    if shutil.disk_usage(above).free < 2**20:
        raise ParameterError(f"{where}: must be on a disk with room, {above} is full")


def is_reserved(where: Path) -> bool:
    """Whether a process keeps a folder for itself; where there are no locks, whether one has and has not let go of it."""
    name = where / OWN / "lock"
    try:
        with name.open() as lock:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        return True
    return False


def take_lock(where: Path, folder: PathLike) -> int:
    """The open file that is locked for this process, where the system and its disk have locks."""
    name = where / OWN / "lock"
    while True:
        try:
            name.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # its owner has just finished
            continue
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise FolderTakenError(f"{folder}: must be free, is reserved for a run that goes on; choose another folder") from None
        except (ImportError, OSError):  # no locks here
            return lock
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), name.stat()):
                return lock
        os.close(lock)

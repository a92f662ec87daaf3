"""Files that anybody may have made: nothing in them is executed, and what they make us allocate is bounded before it is.

A file of n bytes may unfold to LITTLE + INFLATION n bytes: far more than spikes and weights do, far less than what is made to
fill a memory.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parameters import ParameterError

Array = NDArray[Any]

LITTLE = 2**26  # bytes that any file may unfold to
INFLATION = 100  # and so often its size
CHUNK = 2**20  # bytes that are read at a time
NPY: Any = np.lib.format
HEADS = {(1, 0): NPY.read_array_header_1_0, (2, 0): NPY.read_array_header_2_0}  # by version; the third is for records
KINDS = "biufU"  # truth values, numbers and texts


def unfolded(size: int) -> int:
    """How many bytes a file of ``size`` bytes may unfold to."""
    return LITTLE + INFLATION * size


def check_unfolded(promised: int, size: int, address: str = "") -> None:
    """Raise ParameterError for more bytes than a file of ``size`` bytes may unfold to; ``address`` begins its message."""
    if promised > unfolded(size):
        raise ParameterError(
            f"{address}must unfold to at most {LITTLE >> 20} MiB and {INFLATION} times its {size:,} bytes, promises "
            f"{promised / 2**20:,.0f} MiB or more; it is damaged, or made to fill the memory"
        )


def unzipped(data: bytes) -> bytes:
    """What the ``data`` of a gzip file hold. Raises ParameterError, OSError, EOFError or zlib.error."""
    found = bytearray()
    with gzip.open(io.BytesIO(data)) as file:
        while part := file.read(CHUNK):
            found += part
            check_unfolded(len(found), len(data))
    return bytes(found)


class Arrays(dict[str, Array]):
    """Arrays by name; one that is asked for and not there is an error that says so."""

    def __missing__(self, name: str) -> Array:
        raise ParameterError(f"must hold the array {name}, holds {', '.join(self) or 'nothing'}")


def read_arrays(path: str | os.PathLike[str]) -> Arrays:
    """The arrays of an .npz file: truth values, numbers and texts.

    Raises ParameterError for a file that would unfold to more than it may, and a dozen other types for a broken one:
    :func:`superspike.model.parameters.reading_file` makes one of them.
    """
    with Path(path).open("rb") as raw, zipfile.ZipFile(raw) as archive:
        check_unfolded(sum(member.file_size for member in archive.infolist()), os.fstat(raw.fileno()).st_size)
        return Arrays({member.filename.removesuffix(".npy"): _array(archive, member) for member in archive.infolist()})


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """One of them, if it is as large as its head says."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others take memory of their own
        raise ValueError(f"{member.filename} must be stored or deflated, as NumPy does, is not")
    with archive.open(member) as file:
        version = NPY.read_magic(file)
        if version not in HEADS:
            raise ValueError(f"{member.filename} must be an array of numbers or texts, is not")
        shape, _, dtype = HEADS[version](file)
        promised, held = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
    if dtype.kind not in KINDS or not dtype.itemsize or promised != held:
        raise ValueError(f"{member.filename} must be an array of numbers or texts, promises {dtype} of {shape} in {held:,} bytes")
    with archive.open(member) as file:
        found: Array = NPY.read_array(file, allow_pickle=False)
    return found

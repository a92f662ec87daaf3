"""Data sets in files: pictures (IDX, as MNIST and Fashion-MNIST), spoken digits and commands (HDF5, as SHD and SSC).

What a header promises is held against the file's size and this machine's memory before anything is read.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..model.files import check_unfolded, unfolded
from ..model.parameters import ParameterError, check_fits, check_seed, extra, one_of
from ..spikes.trains import number_of_units
from .encoders import encode_with
from .samples import DURATION, Parts, Samples, Split, before, longest

Array = NDArray[Any]

FASHION_MNIST = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
MOST_DIMENSIONS = 32  # of an array
AT_ONCE = 32  # samples that are read at a time
PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_CVDF = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_ZALANDO = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
_ZENKE = "https://zenkelab.org/datasets/"
SOURCES = {
    "mnist": {
        _CVDF + "train-images-idx3-ubyte.gz": "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        _CVDF + "train-labels-idx1-ubyte.gz": "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        _CVDF + "t10k-images-idx3-ubyte.gz": "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        _CVDF + "t10k-labels-idx1-ubyte.gz": "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion-mnist": {
        _ZALANDO + "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        _ZALANDO + "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        _ZALANDO + "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        _ZALANDO + "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
    "shd": {
        _ZENKE + "shd_train.h5.zip": "md5:f3252aeb598ac776c1b526422d90eecb",
        _ZENKE + "shd_test.h5.zip": "md5:1503a5064faa34311c398fb0a1ed0a6f",
    },
    "ssc": {
        _ZENKE + "ssc_train.h5.zip": "md5:d102be95e7144fcc0553d1f45ba94170",
        _ZENKE + "ssc_valid.h5.zip": "md5:b4eee3516a4a90dd0c71a6ac23a8ae43",
        _ZENKE + "ssc_test.h5.zip": "md5:a35ff1e9cffdd02a20eb850c17c37748",
    },
}


class DataFileError(ParameterError):
    """A file of data that cannot be read; the message names it."""


def read_idx(path: str | os.PathLike[str]) -> Array:
    """The array of unsigned bytes in an IDX file, gzipped or not. Raises DataFileError for anything else."""
    name = os.fspath(path)
    try:
        with Path(name).open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            size = os.fstat(file.fileno()).st_size
        with gzip.open(name) if zipped else Path(name).open("rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= MOST_DIMENSIONS:
                raise DataFileError(f"{name}: must be an IDX file (0, 0, type, dimensions), begins with {magic!r}")
            if magic[2] != 8:
                raise DataFileError(f"{name}: must hold unsigned bytes (IDX type 0x08), holds type {magic[2]:#04x}")
            head = file.read(4 * magic[3])
            if len(head) < 4 * magic[3]:
                raise DataFileError(f"{name}: must say how long its {magic[3]} dimensions are, ends before; it is truncated")
            shape = np.frombuffer(head, ">u4").tolist()
            promised = math.prod(shape)
            if not 0 < promised <= (unfolded(size) if zipped else size):
                _mismatch(name, shape, f"cannot be in a file of {size:,} bytes")
            check_fits(name, promised, "read another file")
            data = file.read(promised + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) != promised:
        _mismatch(name, shape, f"holds {'more' if len(data) > promised else f'{len(data):,}'}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _mismatch(name: str, shape: Sequence[int], found: str) -> NoReturn:
    promise = " × ".join(map(str, shape))
    raise DataFileError(f"{name}: must hold the {promise} bytes that its header promises, {found}; it is truncated or damaged")


def load_idx(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    encoder: Any = "latency",
    duration: float = 100.0,
    classes: Sequence[str] | None = None,
    seed: int = 1,
    *,
    complete: bool = True,
) -> Samples:
    """Trials from two IDX files, pictures (of bytes, 255 is 1) and labels; the rest is :func:`superspike.encode`'s.

    Raises DataFileError for files that are truncated, of another kind, or do not belong together.
    """
    rng = np.random.default_rng(check_seed("load_idx.seed", seed))
    return encode_with(rng, *_pictures(images, labels), encoder, duration, classes, complete)


def _pictures(images: str | os.PathLike[str], labels: str | os.PathLike[str]) -> tuple[Array, Array]:
    """Pictures and their labels."""
    pictures, numbers = read_idx(images), read_idx(labels)
    for path, right, rule in (
        (images, pictures.ndim >= 2, f"pictures (two dimensions or more), has {pictures.ndim}; are pictures and labels swapped?"),
        (labels, numbers.ndim == 1, f"labels (one dimension), has {numbers.ndim}; are pictures and labels swapped?"),
        (labels, len(numbers) == len(pictures), f"a label for each of the {len(pictures)} pictures, has {len(numbers)}"),
    ):
        if not right:
            raise DataFileError(f"{os.fspath(path)}: must hold {rule}")
    return pictures, numbers


def load_images(
    folder: str | os.PathLike[str],
    encoder: Any = "latency",
    duration: float = 100.0,
    validation: float = 1 / 12,
    classes: Sequence[str] | None = None,
    seed: int = 1,
) -> Split:
    """Train, validation and test trials from a folder of four IDX files, as MNIST's and Fashion-MNIST's.

    Parameters
    ----------
    folder : with train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k, gzipped (.gz) or not
    encoder, duration, classes : as in :func:`superspike.encode`; ``FASHION_MNIST`` has the names of that set's classes
    validation : how many samples of the training files (a whole number, or a fraction), drawn by ``seed``, class by class
    seed : of that draw, and of encoders that draw

    Raises
    ------
    DataFileError : files that are missing, truncated or of another kind, or do not belong together
    """
    paths = [_find(folder, part) for part in PARTS]
    (pictures, labels), (others, test_labels) = _pictures(*paths[:2]), _pictures(*paths[2:])
    if others.shape[1:] != pictures.shape[1:]:
        raise DataFileError(
            f"{paths[2]}: must have pictures as large as {paths[0]} ({pictures.shape[1:]}), has {others.shape[1:]}"
        )
    rng, test_rng = np.random.default_rng(check_seed("load_images.seed", seed)).spawn(2)
    given = encode_with(rng, pictures, labels, encoder, duration, classes)
    test = encode_with(test_rng, others, test_labels, encoder, duration, given.classes, complete=False)
    _, held, rest = given.split(0, validation, seed)
    return Split(rest, held, test)


def _find(folder: str | os.PathLike[str], part: str) -> Path:
    """The file of a folder that is this part of a data set, gzipped or not."""
    at = Path(folder)
    if not at.is_dir():
        raise DataFileError(f"{at}: must be a folder of data, does not exist")
    names = [part, f"{part}.gz", *(name.replace("-idx", ".idx") for name in (part, f"{part}.gz"))]
    for name in names:
        if (at / name).is_file():
            return at / name
    raise DataFileError(f"{at}: must hold {part} or {part}.gz, does not; fetch(NAME, FOLDER) gets {', '.join(SOURCES)}")


def load_hdf5(
    path: str | os.PathLike[str],
    duration: float | None = None,
    n_units: int = 700,
    classes: Sequence[str] | None = None,
    *,
    complete: bool = True,
) -> Samples:
    """Trials from an HDF5 file of spikes, as SHD's and SSC's (needs h5py: the extra ``data``).

    Parameters
    ----------
    path : of a file with ``spikes/times`` (s) and ``spikes/units``, an array per sample, and ``labels``
    duration : length of a trial (ms), spikes after which are left out; by default the last spike's time rounded up to 10 ms
    n_units : number of inputs
    classes : their names; by default those of the file (``extra/keys``), else numbers
    complete : as in :class:`Samples`

    Raises
    ------
    DataFileError : a file that is truncated, of another kind, or does not fit into memory
    """
    return _read_hdf5(path, duration, n_units, classes, complete)[0]


def _read_hdf5(
    path: Any, duration: float | None, n_units: int, classes: Sequence[str] | None, complete: bool
) -> tuple[Samples, Array | None]:
    """The samples of an HDF5 file, and who speaks in each, if it says so."""
    name, n_units = os.fspath(path), number_of_units("load_hdf5.n_units", n_units)
    duration = None if duration is None else DURATION.check("load_hdf5.duration", duration)
    h5py = extra("h5py", "data")
    try:
        with h5py.File(name, "r") as file:
            labels = _dataset(h5py, name, file, "labels", "iu", ragged=False)
            times = _dataset(h5py, name, file, "spikes/times", "f")
            units = _dataset(h5py, name, file, "spikes/units", "iu")
            speakers = _dataset(h5py, name, file, "extra/speaker", "iu", ragged=False) if "extra/speaker" in file else None
            n, size = len(labels), Path(name).stat().st_size
            vectors = {"spikes/times": times, "spikes/units": units, "extra/speaker": labels if speakers is None else speakers}
            for key, vector in vectors.items():
                if len(vector) != n:
                    raise DataFileError(f"{name}: must hold {key} for each of {n} labels, has {len(vector)}")
            if n > size:
                raise DataFileError(f"{name}: must hold a spike train for each of {n} labels, has {size:,} bytes; it is damaged")
            who = None if speakers is None else speakers[:]
            if classes is None and "extra/keys" in file:
                classes = _names(h5py, name, file["extra/keys"], size)
            spikes = _read_trains(name, times, units, n_units, duration, size)
            labels = labels[:]
    except ParameterError:
        raise
    except Exception as error:  # h5py raises half a dozen types for broken files
        raise DataFileError(f"{name}: must be an HDF5 file of spikes, cannot be read ({error})") from None
    all_times, all_units, offsets = spikes
    length = longest([all_times]) if duration is None else duration
    return Samples(all_times, all_units, offsets, labels, n_units, length, classes, complete=complete), who


def _dataset(h5py: Any, name: str, file: Any, key: str, kinds: str, ragged: bool = True) -> Any:
    """A vector of numbers of an HDF5 file, or of arrays of numbers."""
    found = file.get(key)
    kind = None
    if isinstance(found, h5py.Dataset) and found.ndim == 1:
        kind = h5py.check_vlen_dtype(found.dtype) if ragged else found.dtype
    if kind is None or np.dtype(kind).kind not in kinds:
        what = f"an array of {'times (floating-point numbers)' if kinds == 'f' else 'whole numbers'}"
        raise DataFileError(f"{name}: must hold {key}, {f'{what} per sample' if ragged else what}, does not")
    return found


def _names(h5py: Any, name: str, keys: Any, size: int) -> list[str]:
    """The names of the classes in a file of ``size`` bytes."""
    check_unfolded(keys.size * keys.dtype.itemsize, size, f"{name}: ")
    names: list[str] = []
    for key in map(keys.__getitem__, range(len(keys))):  # one by one: all may be the same long text
        names.append(key.decode())
        check_unfolded(sum(map(len, names)), size, f"{name}: ")
    return names


def _read_trains(
    name: str, times: Any, units: Any, n_units: int, duration: float | None, size: int
) -> tuple[Array, Array, Array]:
    """All spikes of all samples in a file of ``size`` bytes, in ms, in order, and their offsets."""
    parts, read = Parts(name, "give a shorter duration"), 0
    for first in range(0, len(times), AT_ONCE):
        at, who = times[first : first + AT_ONCE], units[first : first + AT_ONCE]
        counts = np.array([len(train) for train in at])
        read += sum(train.nbytes for train in (*at, *who))  # many samples may be the same long train
        check_unfolded(read, size, f"{name}: ")
        for sample, (count, ids) in enumerate(zip(counts, who, strict=True), first):
            if count != len(ids):
                raise DataFileError(f"{name}: must hold a unit for each time, has {count} and {len(ids)} in sample {sample}")
        ms, ids = np.concatenate(at).astype(float) * 1000, np.concatenate(who)
        wrong = ~((ms >= 0) & (ms < np.inf) & (ids >= 0) & (ids < n_units))
        if wrong.any():
            spike = int(np.argmax(wrong))
            sample = first + int(np.searchsorted(np.cumsum(counts), spike, "right"))
            raise DataFileError(
                f"{name}: must hold times >= 0 s and units in 0 … {n_units - 1}, got {ms[spike] / 1000:g} s of unit {ids[spike]} "
                f"in sample {sample}"
            )
        ms, ids = ms.astype(np.float32), ids.astype(np.int32)
        kept = np.ones(len(ms), bool) if duration is None else before(ms, duration)
        parts.add(ms, ids, np.concatenate([[0], np.cumsum(counts)]), kept)
    return parts.joined()


def load_heidelberg(
    folder: str | os.PathLike[str], duration: float | None = None, validation: int = 1, seed: int = 1, n_units: int = 700
) -> Split:
    """Train, validation and test trials of the Heidelberg spiking data sets (SHD, SSC; needs h5py: the extra ``data``).

    Two of SHD's speakers (4 and 5) occur only in the test file: its accuracy is that for strangers, too, and so is the
    validation's here, which takes whole speakers from the training file. SSC brings a file for the validation.

    Parameters
    ----------
    folder : with NAME_train.h5 and NAME_test.h5 (unpacked), where NAME is shd or ssc, and NAME_valid.h5, if any
    duration : length of a trial (ms), spikes after which are left out; by default the last spike's time rounded up to 10 ms
    validation : how many speakers of the training file, drawn by ``seed``, where there is no file of its own
    seed : of that draw
    n_units : number of inputs
    """
    at = Path(folder)
    names = [name for name in ("shd", "ssc") if (at / f"{name}_train.h5").is_file() and (at / f"{name}_test.h5").is_file()]
    if len(names) != 1:
        holds = f"holds {' and '.join(names)}" if names else "does not"
        raise DataFileError(
            f"{at}: must hold NAME_train.h5 and NAME_test.h5 of one NAME, shd or ssc, {holds}; unpack what ends in .gz or .zip; "
            f"fetch(NAME, FOLDER) gets {', '.join(SOURCES)}"
        )
    paths = [at / f"{names[0]}_{part}.h5" for part in ("train", "test", "valid")]
    train, who = _read_hdf5(paths[0], duration, n_units, None, True)
    others = [_read_hdf5(path, duration, n_units, train.classes, False)[0] for path in paths[1:] if path.is_file()]
    if duration is None:
        length = max(samples.duration for samples in (train, *others))
        train, *others = (samples.lasting(length) for samples in (train, *others))
    if len(others) == 2:
        return Split(train, others[1], others[0])
    if who is None:
        raise DataFileError(f"{paths[0]}: must hold extra/speaker, by which the validation is chosen, does not")
    speakers = np.random.default_rng(check_seed("load_heidelberg.seed", seed)).permutation(np.unique(who))
    if not (isinstance(validation, (int, np.integer)) and 1 <= validation < len(speakers)):
        raise ParameterError(
            f"load_heidelberg.validation: must be a number of speakers in 1 … {len(speakers) - 1}, got {validation!r}"
        )
    held = np.isin(who, speakers[:validation])
    return Split(train[~held], train[held], others[0])


def fetch(name: str, folder: str | os.PathLike[str]) -> list[Path]:
    """Download a data set (mnist, fashion-mnist, shd, ssc) into a folder, unless it is there (needs pooch: the extra ``data``).

    Checksums are checked, archives unpacked. Returns the files' paths.

    Raises
    ------
    ParameterError : an unknown name, files that cannot be had or are not the ones that were meant
    """
    sources = SOURCES[one_of("fetch.name", name, SOURCES)]
    found = [Path(folder) / url.rpartition("/")[2].removesuffix(".zip") for url in sources]
    if all(path.is_file() for path in found) and not find_spec("pooch"):
        return found
    pooch = extra("pooch", "data")
    for url, checksum in sources.items():
        base, _, file = url.rpartition("/")
        held = file.removesuffix(".zip")
        try:
            unpack = pooch.Unzip([held], extract_dir=".") if held != file else None
            pooch.retrieve(url, checksum, fname=file, path=os.fspath(folder), processor=unpack)
        except (OSError, ValueError, KeyError) as error:
            raise ParameterError(
                f"fetch.{name}: must get {file} with the checksum {checksum} from {base}, could not ({error}); "
                f"put {held} into {os.fspath(folder)} by other means"
            ) from None
    return found

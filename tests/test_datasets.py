"""Data sets in files: what is read, and what is refused before it is."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import idx
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from superspike import ParameterError, Samples, encode, fetch, load_hdf5, load_heidelberg, load_idx, load_images
from superspike.cli import main
from superspike.tasks import datasets

h5py = pytest.importorskip("h5py", reason="needs the extra data")


def pictures(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Small pictures of three classes."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 3, 2)).astype(np.uint8), (np.arange(n) % 3).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of four IDX files, two of them gzipped: 24 pictures to train, 6 to test."""
    for part, n, zipped in (("train", 24, True), ("t10k", 6, False)):
        for what, array in zip(("images-idx3", "labels-idx1"), pictures(n, n), strict=True):
            path = tmp_path / f"{part}-{what}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    return tmp_path


def write_hdf5(path: Path, n: int = 12, speakers: int | None = 3, **instead: Any) -> Path:
    """A file as SHD's: sample s has s spikes, of unit s, at 1/8 s, 2/8 s, …, written backwards."""
    held = {
        "spikes/times": [(np.arange(s) + 1)[::-1].astype(np.float16) / 8 for s in range(n)],
        "spikes/units": [np.full(s, s, np.uint16) for s in range(n)],
        "labels": np.arange(n) % 2,
        "extra/keys": np.array([b"eins", "zw\u00f6lf".encode()]),
        "extra/speaker": None if speakers is None else np.arange(n) // 2 % speakers,
    } | instead
    with h5py.File(path, "w") as file:
        for key, value in held.items():
            if isinstance(value, list):
                rows = file.create_dataset(key, (len(value),), h5py.vlen_dtype(value[0].dtype))
                for row, train in enumerate(value):
                    rows[row] = train
            elif value is not None:
                file[key] = value
    return path


def test_an_idx_file_is_read_gzipped_or_not(tmp_path: Path) -> None:
    array = pictures(5)[0]
    for name, data in (("plain", idx(array)), ("zipped", gzip.compress(idx(array)))):
        (tmp_path / name).write_bytes(data)
        assert np.array_equal(datasets.read_idx(tmp_path / name), array)


def test_pictures_and_labels_become_trials(tmp_path: Path) -> None:
    x, labels = pictures(6)
    (tmp_path / "x").write_bytes(idx(x))
    (tmp_path / "y").write_bytes(idx(labels))
    for encoder in ("latency", "poisson"):
        found = load_idx(tmp_path / "x", tmp_path / "y", encoder, 50.0, ["a", "b", "c"], seed=4)
        assert found == encode(x, labels, encoder, 50.0, ["a", "b", "c"], seed=4)


GOOD = idx(np.zeros((4, 3, 2), np.uint8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"x: must be an IDX file \(0, 0, type, dimensions\), begins with b''"),
        (b"\x89PNG\r\n", "must be an IDX file"),
        (b"\0\0\x08\0", "must be an IDX file"),
        (idx(np.zeros((4, 3), np.float32), 0x0D), r"must hold unsigned bytes \(IDX type 0x08\), holds type 0x0d"),
        (GOOD[:9], "must say how long its 3 dimensions are, ends before; it is truncated"),
        (GOOD[:-1], "must hold the 4 × 3 × 2 bytes that its header promises, holds 23; it is truncated or damaged"),
        (GOOD + b"\0", "must hold the 4 × 3 × 2 bytes that its header promises, holds more"),
        (idx(np.zeros((0, 3), np.uint8)), "must hold the 0 × 3 bytes .* cannot be in a file of 12 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "4294967295 × 4294967295 .* cannot be in a file of 16 bytes"),
        (gzip.compress(b"\0\0\x08\x02" + struct.pack(">2I", 10**6, 10**6), mtime=0), "cannot be in a file of"),
        (gzip.compress(GOOD[:-1], mtime=0), "holds 23"),
        (gzip.compress(GOOD, mtime=0)[:-9], "cannot be read"),
        (gzip.compress(GOOD, mtime=0)[:-12] + b"123456789012", "cannot be read"),
        (b"\x1f\x8bnonsense", "cannot be read"),
    ],
)
def test_what_is_no_idx_file_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(datasets.DataFileError, match=message):
        datasets.read_idx(tmp_path / "x")


def test_files_that_are_missing_folders_or_larger_than_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(datasets.DataFileError, match=f"{path}: cannot be read"):
            datasets.read_idx(path)
    monkeypatch.setattr("superspike.model.parameters.memory", lambda: 20)
    (tmp_path / "x").write_bytes(GOOD)
    with pytest.raises(ParameterError, match="x: must fit into memory"):
        datasets.read_idx(tmp_path / "x")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=40)
    | st.binary(max_size=40).map(lambda tail: b"\0\0\x08" + tail)
    | st.binary(max_size=40).map(lambda tail: gzip.compress(b"\0\0\x08" + tail, mtime=0))
    | st.builds(lambda at, new: gzip.compress(GOOD, mtime=0)[:at] + new, st.integers(2, 60), st.binary(max_size=8))
)
@example(data=b"\0\0\x08\x01\0\0\0\x01a")
@example(data=b"\0\0\x08\x41" + b"\0\0\0\x01" * 0x41 + b"a")
def test_any_bytes_are_an_array_or_an_error_that_says_what_is_wrong(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with contextlib.suppress(ParameterError):
        assert datasets.read_idx(tmp_path / "x").dtype == np.uint8


def test_pictures_without_their_labels_are_refused(tmp_path: Path) -> None:
    x, labels = pictures(6)
    for name, array in (("x", x), ("y", labels), ("few", labels[:4])):
        (tmp_path / name).write_bytes(idx(array))
    with pytest.raises(ParameterError, match="few: must hold a label for each of the 6 pictures, has 4"):
        load_idx(tmp_path / "x", tmp_path / "few")
    with pytest.raises(ParameterError, match=r"y: must hold pictures .* are pictures and labels swapped\?"):
        load_idx(tmp_path / "y", tmp_path / "x")
    with pytest.raises(ParameterError, match=r"x: must hold labels .* are pictures and labels swapped\?"):
        load_idx(tmp_path / "x", tmp_path / "x")
    with pytest.raises(ParameterError, match=r"Samples\.labels: must be whole numbers in 0 … 1 \(2 classes\), got 2 of sample 2"):
        load_idx(tmp_path / "x", tmp_path / "y", classes=["a", "b"])


def test_a_folders_validation_is_drawn_from_its_training_files(folder: Path) -> None:
    train, validation, test = load_images(folder, validation=0.25)
    assert [np.bincount(part.labels).tolist() for part in (train, validation, test)] == [[6] * 3, [2] * 3, [2] * 3]
    whole = encode(*pictures(24, 24))
    keys = sorted((sample.label, *sample.spikes.times_ms) for sample in (*train, *validation))
    assert keys == sorted((sample.label, *sample.spikes.times_ms) for sample in whole)
    assert test == encode(*pictures(6, 6))
    assert load_images(folder, validation=0.25, seed=2).validation != validation
    assert [len(part) for part in load_images(folder, validation=3)] == [21, 3, 6]


def test_train_and_test_of_one_seed_have_poisson_spikes_of_their_own(folder: Path) -> None:
    for what in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        (folder / f"t10k-{what}").write_bytes(gzip.decompress((folder / f"train-{what}.gz").read_bytes()))
    train, _, test = load_images(folder, "poisson", validation=0)
    assert sorted(train.times.tolist()) != sorted(test.times.tolist())


def test_a_folder_that_lacks_a_file_or_mixes_data_sets_is_refused(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((6, 5, 2), np.uint8)))
    with pytest.raises(ParameterError, match=r"must have pictures as large as .* \(\(3, 2\)\), has \(5, 2\)"):
        load_images(folder)
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((6, 3, 2), np.uint8)))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.full(6, 3, np.uint8)))
    with pytest.raises(ParameterError, match=r"Samples\.labels: .* got 3 of sample 0"):
        load_images(folder)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(
        ParameterError, match=r"must hold t10k-labels-idx1-ubyte or .*\.gz, does not; fetch\(NAME, FOLDER\) gets mnist"
    ):
        load_images(folder)
    with pytest.raises(ParameterError, match="must be a folder of data, does not exist"):
        load_images(folder / "none")


def test_an_hdf5_file_of_spikes_is_read_in_ms_and_in_order(tmp_path: Path) -> None:
    samples = load_hdf5(write_hdf5(tmp_path / "x.h5", 9), n_units=10)
    assert samples.classes == ("eins", "zw\u00f6lf")
    assert samples.labels.tolist() == [0, 1] * 4 + [0]
    assert samples.duration == 1010.0  # the last spike's 1000 ms, which the trial ends after
    for s, sample in enumerate(samples):
        assert sample.spikes.ids.tolist() == [s] * s
        assert sample.spikes.times_ms.tolist() == [125.0 * (i + 1) for i in range(s)]
    cut = load_hdf5(tmp_path / "x.h5", duration=400.0, n_units=10, classes=["a", "b"])
    assert np.diff(cut.offsets).tolist() == [0, 1, 2, 3, 3, 3, 3, 3, 3]
    assert (cut.duration, cut.classes) == (400.0, ("a", "b"))


def test_many_samples_of_an_hdf5_file_are_read_in_parts(tmp_path: Path) -> None:
    n = 600
    times = [np.array([s / 1000]) for s in range(n)]
    units = [np.array([s % 7], np.uint16) for s in range(n)]
    path = write_hdf5(tmp_path / "x.h5", n, **{"spikes/times": times, "spikes/units": units})
    assert load_hdf5(path) == Samples(np.arange(n), np.arange(n) % 7, np.arange(n + 1), np.arange(n) % 2, 700, 600.0, ["eins", "zw\u00f6lf"])  # fmt: skip


HALF = np.array([0.5], np.float16)


@pytest.mark.parametrize(
    ("instead", "message"),
    [
        ({"spikes/times": None}, "must hold spikes/times, an array of times .* per sample, does not"),
        ({"spikes/units": np.zeros(12)}, "must hold spikes/units, an array of whole numbers per sample, does not"),
        ({"labels": np.zeros(12)}, "must hold labels, an array of whole numbers, does not"),
        ({"labels": np.zeros((12, 2), int)}, "must hold labels"),
        ({"labels": np.zeros(11, int)}, "must hold spikes/times for each of 11 labels, has 12"),
        ({"extra/speaker": np.zeros(11, int)}, "must hold extra/speaker for each of 12 labels, has 11"),
        ({"spikes/units": [np.zeros(2, int)] * 12}, "must hold a unit for each time, has 0 and 2 in sample 0"),
        ({"spikes/times": [HALF] * 12, "spikes/units": [np.full(1, 700)] * 12}, "units in 0 … 699, got 0.5 s of unit 700 in sample 0"),
        ({"spikes/times": [HALF] * 11 + [-HALF], "spikes/units": [np.ones(1, int)] * 12}, "got -0.5 s of unit 1 in sample 11"),
        ({"spikes/times": [HALF * np.inf] * 12, "spikes/units": [np.ones(1, int)] * 12}, "got inf s of unit 1 in sample 0"),
        ({"labels": np.arange(12) % 3}, r"labels: must be whole numbers in 0 … 1 \(2 classes\), got 2 of sample 2"),
    ],
)  # fmt: skip
def test_an_hdf5_file_of_something_else_is_refused(instead: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=message):
        load_hdf5(write_hdf5(tmp_path / "x.h5", **instead))


def test_an_hdf5_file_that_is_truncated_another_or_a_promise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_hdf5(tmp_path / "x.h5")
    whole = path.read_bytes()
    for data in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(datasets.DataFileError, match=r"x\.h5: must be an HDF5 file of spikes, cannot be read"):
            load_hdf5(path)
    with pytest.raises(datasets.DataFileError, match="cannot be read"):
        load_hdf5(tmp_path / "none.h5")
    with h5py.File(path, "w") as file:
        for key, kind in (("labels", "u1"), ("spikes/times", h5py.vlen_dtype("f2")), ("spikes/units", h5py.vlen_dtype("u2"))):
            file.create_dataset(key, (10**12,), kind, chunks=(1000,))
    with pytest.raises(
        datasets.DataFileError, match=r"a spike train for each of 1000000000000 labels, has .* bytes; it is damaged"
    ):
        load_hdf5(path)
    path.write_bytes(whole)
    monkeypatch.setattr("superspike.model.parameters.memory", lambda: 100)
    with pytest.raises(ParameterError, match=r"x\.h5: must fit into memory .* give a shorter duration"):
        load_hdf5(path)


def test_whole_speakers_are_held_out_for_the_validation(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "shd_train.h5", 12)
    write_hdf5(tmp_path / "shd_test.h5", 15)
    train, validation, test = load_heidelberg(tmp_path)
    assert [len(part) for part in (train, validation, test)] == [8, 4, 15]
    assert train.duration == validation.duration == test.duration == 1760.0  # the longest file's
    speakers = [{s // 2 % 3 for s in np.diff(part.offsets)} for part in (train, validation)]  # sample s has s spikes
    assert not speakers[0] & speakers[1]
    assert len(load_heidelberg(tmp_path, 350.0, 2, seed=2).train) == 4
    with pytest.raises(ParameterError, match=r"load_heidelberg\.validation: must be a number of speakers in 1 … 2, got 3"):
        load_heidelberg(tmp_path, validation=3)
    write_hdf5(tmp_path / "shd_train.h5", 12, None)
    with pytest.raises(ParameterError, match=r"must hold extra/speaker, by which the validation is chosen"):
        load_heidelberg(tmp_path)


def test_a_validation_file_is_the_validation(tmp_path: Path) -> None:
    for part, n in (("train", 6), ("valid", 4), ("test", 5)):
        write_hdf5(tmp_path / f"ssc_{part}.h5", n, None)
    assert [len(part) for part in load_heidelberg(tmp_path)] == [6, 4, 5]
    (tmp_path / "ssc_test.h5").unlink()
    with pytest.raises(ParameterError, match=r"must hold NAME_train\.h5 and NAME_test\.h5 .* does not; unpack"):
        load_heidelberg(tmp_path)


def test_files_are_fetched_checked_and_unpacked(
    served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pooch", reason="needs the extra data")
    url, folder = served
    write_hdf5(folder / "shd_train.h5")
    with zipfile.ZipFile(folder / "shd_train.h5.zip", "w") as archive:
        archive.write(folder / "shd_train.h5", "shd_train.h5")
    (folder / "labels.gz").write_bytes(gzip.compress(idx(pictures(3)[1]), mtime=0))
    sources = {
        f"{url}{name}": f"md5:{hashlib.md5((folder / name).read_bytes()).hexdigest()}" for name in ("shd_train.h5.zip", "labels.gz")
    }  # fmt: skip
    monkeypatch.setitem(datasets.SOURCES, "shd", sources)
    found = fetch("shd", tmp_path / "got")
    assert found == [tmp_path / "got" / "shd_train.h5", tmp_path / "got" / "labels.gz"]
    assert len(load_hdf5(found[0])) == 12
    assert datasets.read_idx(found[1]).tolist() == [0, 1, 2]
    for name in ("shd_train.h5.zip", "labels.gz"):
        (folder / name).unlink()
    assert fetch("shd", tmp_path / "got") == found  # it is there
    with pytest.raises(ParameterError, match=r"fetch\.shd: must get shd_train\.h5\.zip .* could not .*; put shd_train\.h5 into"):
        fetch("shd", tmp_path / "other")
    (folder / "shd_train.h5.zip").write_bytes(b"another")
    with pytest.raises(ParameterError, match=r"fetch\.shd: must get shd_train\.h5\.zip .* could not .*hash"):
        fetch("shd", tmp_path / "other")
    with pytest.raises(ParameterError, match=r"fetch\.name: must be one of mnist, fashion-mnist, shd, ssc, got 'imagenet'"):
        fetch("imagenet", tmp_path)


def test_a_package_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ModuleNotFoundError, match=r"h5py: is not installed; pip install 'superspike\[data\]'"):
        load_hdf5("x.h5")


def command(*arguments: str | Path, status: int = 0) -> str:
    found = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert found.exit_code == status, found.output
    return found.output if status else found.stdout


@pytest.mark.parametrize("task", ["mnist", "fashion-mnist"])
def test_pictures_in_a_folder_are_a_task_of_the_command_line(
    task: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if task == "fashion-mnist":  # which has ten classes
        for part, n in (("train", 24), ("t10k", 6)):
            labels = idx((np.arange(n) % 10).astype(np.uint8))
            path = next(folder.glob(f"{part}-labels*"))
            path.write_bytes(gzip.compress(labels) if path.suffix == ".gz" else labels)
    out = tmp_path_factory.mktemp("runs") / "run"
    options = ["--hidden", "8", "--epochs", "2", "--validation", "6", "--encoder", "poisson", "--encoder-rate", "50Hz"]
    found = json.loads(command("train", "--task", task, "--data", folder, *options, "--quiet", "--json", "--out", out))
    assert found["sizes"] == [6, 8, 3 if task == "mnist" else 10]
    assert found["samples"] == 18
    words = (out / "config.toml").read_text(encoding="utf-8")
    assert f'data = "{folder}"' in words
    assert 'encoder = "poisson"' in words
    said = json.loads(command("evaluate", out, "--json"))
    assert said["accuracy"] == found["accuracy_test"]
    moved = folder.rename(out.parent / "moved")
    assert "must be a folder of data, does not exist" in command("evaluate", out, status=2)
    assert json.loads(command("evaluate", out, "--data", moved, "--json")) == said
    command("plot", out)  # needs no data


def test_digits_in_a_folder_are_a_task_of_the_command_line(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "shd_train.h5", 12)
    write_hdf5(tmp_path / "shd_test.h5", 15)
    options = ["--trial", "1760ms", "--hidden", "8", "--epochs", "1", "--quiet", "--json", "--out", tmp_path / "run"]
    found = json.loads(command("train", "--task", "heidelberg", "--data", tmp_path, *options))
    assert found["sizes"] == [700, 8, 2]
    assert found["samples"] == 8


def test_samples_of_ones_own_are_a_task_of_the_command_line(tmp_path: Path, folder: Path) -> None:
    parts = datasets.load_images(folder, validation=6)
    for name, part in zip(parts._fields, parts, strict=True):
        part.save(tmp_path / f"{name}.npz")
    again = [Samples.load(tmp_path / f"{name}.npz") for name in parts._fields]
    assert again == list(parts)
    found = json.loads(
        command("train", "--task", "samples", "--data", tmp_path, "--epochs", "1", "--quiet", "--json", "--out", tmp_path / "run")
    )
    assert found["samples"] == 18
    (tmp_path / "test.npz").write_bytes(b"PK nothing")
    assert "test.npz: must be samples that Samples.save wrote, cannot be read" in command(
        "train", "--task", "samples", "--data", tmp_path, status=2
    )
    (tmp_path / "test.npz").unlink()
    assert "test.npz: must be samples that Samples.save wrote, cannot be read (No such file" in command(
        "train", "--task", "samples", "--data", tmp_path, status=2
    )


def test_a_missing_extra_is_a_message_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    assert "pooch: is not installed; pip install 'superspike[data]'" in command("data", "fetch", "mnist", tmp_path, status=2)


def test_the_command_line_fetches(served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pooch", reason="needs the extra data")
    url, at = served
    (at / "labels.gz").write_bytes(gzip.compress(idx(pictures(3)[1]), mtime=0))
    checksum = hashlib.md5((at / "labels.gz").read_bytes()).hexdigest()
    monkeypatch.setitem(datasets.SOURCES, "mnist", {f"{url}labels.gz": f"md5:{checksum}"})
    assert command("data", "fetch", "mnist", tmp_path / "got").strip() == str(tmp_path / "got" / "labels.gz")

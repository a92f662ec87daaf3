"""Files that somebody made to harm: any bytes give a result or a clean error, in little memory, and nothing in them is executed."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import superspike as ss
from superspike.cli import main
from superspike.lab import config, job
from superspike.lab.checkpoint import Keeper, read_checkpoint
from superspike.lab.folder import CHECKPOINT, OWN, reserve
from superspike.lab.sweepfile import read_sweep
from superspike.lab.watching import as_it_stands
from superspike.model.files import INFLATION, LITTLE, read_arrays
from superspike.spikes.files import read_ras
from superspike.tasks.pictures import read_picture, text_picture

STREAM = {"task": "regular", "inputs": 8, "outputs": 3, "hidden": "5", "duration": "3s", "burn_in": "500ms", "period": "500ms"}
FIT = {"task": "randman", "samples": "6", "classes": "3", "hidden": "10", "epochs": 2, "feedback": "random"}
SWEEP = b'seeds = 2\n[base]\ntask = "regular"\n[grid]\ninputs = {from = 2, to = 9, steps = 3}\nfeedback = ["random", "sign"]\n'
RAS = b"# s id\n0.0015 3\n0.2 0\n0.4 2.0\n"
COPIES = 4  # of what a file unfolds to, while its bytes become text and numbers
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEW = settings(MANY, max_examples=40)


@pytest.fixture(scope="module", params=[STREAM, FIT], ids=["stream", "samples"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, with its checkpoint."""
    where: Path = tmp_path_factory.mktemp("hostile") / "run"
    with warnings.catch_warnings(action="ignore", category=ss.SilentNetworkWarning), reserve(where) as own:
        job.carry_out(*config.build(request.param), keeper=Keeper(own)).write(own)
    return where


EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "drop"]), st.floats(0, 1), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4
)  # fmt: skip


def edited(data: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    """``data``, with bytes that are others, cut off, put in or left out."""
    for kind, where, new in edits:
        at = int(where * len(data))
        rest = {"flip": new + data[at + len(new) :], "cut": b"", "insert": new + data[at:], "drop": data[at + len(new) :]}
        data = data[:at] + rest[kind]
    return data


ARRAYS = st.sampled_from([
    np.zeros(0), np.zeros((0, 3)), np.array(np.nan), np.array([np.inf, -1.0]), np.array([-5, 2**62]), np.array(["a", "ä"]),
    np.array([True]), np.zeros((3, 1, 2), np.float16), np.array(2**31 - 1), np.array(-1), np.frombuffer(b"[[{}", np.uint8),
])  # fmt: skip


@st.composite
def archives(draw: st.DrawFn, whole: bytes) -> bytes:
    """An .npz file, edited: its bytes, or what it packs, so that all checksums are right; or with other arrays in it."""
    how = draw(st.sampled_from(["file", "member", "array", "left out"]))
    if how == "file":
        return edited(whole, draw(EDITS))
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    if how == "left out":
        del members[name]
    else:
        members[name] = edited(members[name], draw(EDITS)) if how == "member" else npy(draw(ARRAYS))
    return zipped(members)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def survives(read: Callable[[Path], Any], path: Path, data: bytes) -> str:
    """What a reader says of a file of these ``data``; nothing, if it gives a result. It takes no more memory than it may."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        read(path)
        said = ""
    except ss.ParameterError as error:
        said = str(error)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < COPIES * (LITTLE + INFLATION * len(data))
    return said


def load_back(path: Path) -> None:
    """The run, from a folder of which ``path`` is a file."""
    job.load(path.parent)


@MANY
@given(data=st.data())
def test_any_file_of_a_runs_folder_is_read_or_named(data: st.DataObject, folder: Path) -> None:
    name = data.draw(
        st.sampled_from(sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != CHECKPOINT))
    )
    whole = (folder / name).read_bytes()
    new = data.draw(archives(whole) if name.endswith(".npz") else EDITS.map(lambda edits: edited(whole, edits)))
    try:
        assert not (said := survives(load_back, folder / name, new)) or str(folder) in said
    finally:
        (folder / name).write_bytes(whole)


def resume(path: Path) -> None:
    """Go on from a checkpoint, for a little."""
    own = path.parent / path.stem
    shutil.rmtree(own, ignore_errors=True)
    (own / OWN).mkdir(parents=True)
    shutil.copy(path, own / OWN / CHECKPOINT)
    with warnings.catch_warnings(action="ignore"):
        ss.resume(own, pictures=False)


@FEW
@given(data=st.data())
def test_any_checkpoint_is_gone_on_with_or_refused(data: st.DataObject, folder: Path, tmp_path: Path) -> None:
    new = data.draw(archives((folder / CHECKPOINT).read_bytes()))
    survives(resume, tmp_path / "new.npz", new)


@cache
def picture(kind: str) -> bytes:
    """A small picture as a file."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 7)).astype(np.uint8)).save(file, kind)
    return file.getvalue()


@cache
def saved(what: str) -> bytes:
    """A valid file."""
    file = io.BytesIO()
    if what == "weights":
        np.savez(file, w0=np.ones((4, 3)), w0_mask=np.ones((4, 3), bool), w1=np.ones((3, 2), np.float32))
    else:
        np.savez_compressed(
            file, times=np.arange(6.0), units=np.zeros(6, int), offsets=np.array([0, 3, 6]), labels=np.array([0, 1]),
            n_units=np.array(2), duration=np.array(10.0), classes=np.array(["a", "b"]),
        )  # fmt: skip
    return file.getvalue()


def spoken(trains: int, spikes: int, alike: int = 1) -> bytes:
    """A file of spikes as the Heidelberg digits': trains of so many spikes, each of which is said to be ``alike`` ones."""
    h5py, file = pytest.importorskip("h5py", reason="needs the extra data"), io.BytesIO()
    with h5py.File(file, "w") as store:
        store["labels"] = np.arange(trains * alike, dtype=np.uint8) % 2
        for key, kind in (("times", "f4"), ("units", "u2")):
            found = store.create_dataset(f"spikes/{key}", (trains * alike,), h5py.vlen_dtype(kind), chunks=(trains * alike,))
            for train in range(trains):
                found[train] = np.zeros(spikes, kind)
            store.flush()
            _, places = found.id.read_direct_chunk((0,))  # where the trains are in the file
            found.id.write_direct_chunk((0,), places[: len(places) // alike] * alike)
    return file.getvalue()


def load_spoken(path: Path) -> ss.Samples:
    """The samples of such a file."""
    return ss.load_hdf5(path, n_units=3)


def test_trains_that_are_all_the_same_bytes_are_counted_before_they_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "fine.h5").write_bytes(spoken(3, 4, alike=2))
    assert len(load_spoken(tmp_path / "fine.h5").times) == 24
    assert "fine.h5: must unfold to at most 64 MiB" in survives(load_spoken, tmp_path / "fine.h5", spoken(1, 200_000, alike=500))


TEXTS = st.text("0123456789.-+eE \t\n#[]{}=,\"'xn", max_size=60).map(str.encode)
READERS: dict[str, tuple[Callable[[Path], Any], st.SearchStrategy[bytes]]] = {
    "weights": (ss.load_weights, archives(saved("weights"))),
    "samples": (ss.Samples.load, archives(saved("samples"))),
    "arrays": (lambda path: ss.Samples.load(path), st.binary(max_size=200)),
    "picture": (
        lambda path: read_picture(str(path)),
        st.builds(lambda kind, edits: edited(picture(kind), edits), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]), EDITS),
    ),
    "ras": (read_ras, st.builds(edited, st.just(RAS), EDITS)),
    "packed ras": (read_ras, st.builds(edited, st.just(gzip.compress(RAS, mtime=0)), EDITS)),
    "sweep": (read_sweep, TEXTS | st.builds(edited, st.just(SWEEP), EDITS)),
    "config": (config.read, TEXTS | st.builds(edited, st.just(config.to_toml(STREAM).encode()), EDITS)),
}  # fmt: skip


@FEW
@given(edits=EDITS)
def test_any_file_of_spoken_digits_is_read_or_refused(edits: list[tuple[str, float, bytes]], tmp_path: Path) -> None:
    survives(load_spoken, tmp_path / "file", edited(spoken(3, 4), edits))


@pytest.mark.parametrize("what", READERS)
@MANY
@given(data=st.data())
def test_any_bytes_are_read_or_refused(what: str, data: st.DataObject, tmp_path: Path) -> None:
    read, files = READERS[what]
    with warnings.catch_warnings(action="ignore"):  # Pillow's, of broken metadata
        said = survives(read, tmp_path / "file", data.draw(files))
    assert not said or str(tmp_path / "file") in said


@settings(FEW, max_examples=25)
@given(edits=EDITS)
def test_any_font_draws_or_is_refused(edits: list[tuple[str, float, bytes]], tmp_path: Path) -> None:
    whole = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf").read_bytes()
    survives(lambda path: text_picture("Hi", str(path)), tmp_path / "font.ttf", edited(whole, edits))


class Evil:
    """What executes code when it is unpickled."""

    ran = False

    def __reduce__(self) -> Any:
        return setattr, (Evil, "ran", True)


def head(shape: tuple[int, ...], kind: str) -> bytes:
    """The head of an array that promises to be so large."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def lying(members: dict[str, bytes]) -> bytes:
    """A zip file whose directory says of each member that it unfolds to 4 GB."""
    data = bytearray(zipped(members))
    at = data.find(b"PK\1\2")
    while at >= 0:
        struct.pack_into("<I", data, at + 24, 2**32 - 2)
        at = data.find(b"PK\1\2", at + 4)
    return bytes(data)


def bombs() -> dict[str, bytes]:
    """Files .npz in the place of one with an array w0."""
    pickled = npy(np.array([Evil()], object))
    return {
        "a header that promises 10¹² spikes": zipped({"w0.npy": head((10**12,), "<f8")}),
        "texts of no length": zipped({"w0.npy": head((10**12,), "<U0")}),
        "negative lengths": zipped({"w0.npy": head((-1, -8), "|u1") + bytes(8)}),
        "a decompression bomb": zipped({"w0.npy": head((100 * 2**20,), "|u1") + bytes(100 * 2**20)}),
        "a lie about its size": lying({"w0.npy": npy(np.ones((2, 2)))}),
        "another way to pack": zipped({"w0.npy": npy(np.ones((2, 2)))}, zipfile.ZIP_LZMA),
        "pickled code": zipped({"w0.npy": pickled}),
        "no arrays": zipped({"w0.npy": b"import os", "w0": b""}),
        "a pickle": pickled[128:],
    }


@pytest.mark.parametrize("read", [ss.load_weights, ss.Samples.load, lambda path: read_checkpoint(path.parent)], ids=["weights", "samples", "checkpoint"])  # fmt: skip
def test_what_arrays_promise_is_refused_before_it_is_allocated_or_executed(read: Callable[[Path], Any], tmp_path: Path) -> None:
    for what, data in bombs().items():
        said = survives(read, tmp_path / CHECKPOINT, data)
        assert str(tmp_path / CHECKPOINT) in said, what
        assert tracemalloc.get_traced_memory() == (0, 0)
    assert not Evil.ran


def test_what_numpy_packs_is_read_however_well_it_packs(tmp_path: Path) -> None:
    arrays = {
        "a": np.zeros(2**22),
        "b": np.arange(6).reshape(2, 3).T,
        "c": np.array(["x", "yy"]),
        "d": np.array(2.5),
        "e": np.zeros((0, 3)),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    for name, found in read_arrays(tmp_path / "a.npz").items():
        np.testing.assert_array_equal(found, arrays[name])
        assert found.dtype == arrays[name].dtype


def png(width: int, height: int) -> bytes:
    """A PNG file that promises to be so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")


HOSTILE: dict[str, tuple[Callable[[Path], Any], bytes, str]] = {
    "a .ras bomb": (read_ras, gzip.compress(b"\n" * 2**27, 1, mtime=0), "must unfold to at most 64 MiB and 100 times its"),
    "a unit that there cannot be": (read_ras, b"0.1 99999999999\n", "line 1: id must be in 0"),
    "a picture for another program": (
        lambda path: read_picture(str(path)), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", r"must be a picture \(PNG",
    ),
    "a large picture": (lambda path: read_picture(str(path)), png(8000, 8000), "must have at most 50,000,000 pixels, has 8000 × 8000"),
    "a huge picture": (lambda path: read_picture(str(path)), png(2**31 - 1, 2**31 - 1), "must be a picture"),
    "deep TOML": (config.read, b"hidden = " + b"[" * 100_000, "must be a TOML file of options"),
    "many digits": (config.read, b"inputs = " + b"9" * 5000, "must be a TOML file of options"),
    "more digits than Python prints": (config.read, b"inputs = 0x" + b"f" * 5000, "must be a TOML file of options"),
    "10¹² seeds": (read_sweep, b"seeds = 1_000_000_000_000", "seeds: must ask for at most 100,000 runs, asks for"),
    "10¹² values": (read_sweep, b"[grid]\nw0 = {from = 1, to = 2, steps = 1_000_000_000_000}", "steps: must ask for at most 100,000 runs"),
    "10¹² runs": (
        read_sweep, "\n".join(["[grid]", *(f"{name} = {[*range(1, 100)]}" for name in ("w0", "inputs", "outputs", "tau_mem", "tau_syn", "duration"))]).encode(),
        r"must ask for at most 100,000 runs, asks for",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_would_fill_the_memory_is_refused(what: str, tmp_path: Path) -> None:
    read, data, message = HOSTILE[what]
    said = survives(read, tmp_path / "file", data)
    assert said.startswith(str(tmp_path / "file"))
    with pytest.raises(ss.ParameterError, match=message):
        read(tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": [10**9]}, r"Network\.sizes: must fit into memory"),
        ({"hidden": 1e300}, r"Network\.sizes: must fit into memory"),
        ({"task": "randman", "dimension": 10**9}, r"RandomManifolds\.samples: must fit into memory"),
        ({"layers": {"a": 1}}, "layers: must be like"),
        ({"projections": {"w0": [["mask", 1]]}}, "projections: must be like"),
    ],
)  # fmt: skip
def test_options_that_would_fill_the_memory_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ss.ParameterError, match=message):
        config.build(options)


def test_a_device_without_an_end_is_no_file_of_spikes() -> None:
    with pytest.raises(ss.ParameterError, match="/dev/zero: must be a text file of two columns"):
        read_ras("/dev/zero")


def rewritten(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **(dict(read_arrays(path)) | arrays))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("file/..", np.zeros(3, np.uint8), "must be a checkpoint of a run"),
        ("file/../../config.toml", np.zeros(3, np.uint8), "must be a checkpoint of a run"),
        ("simulation/step", np.array(-7), "with a step >= 0"),
        ("simulation/refractory", np.full(96, -1, np.int32), "with refractory periods of at most"),
        ("simulation/tail0_ids", np.full(5, 10**6, np.int32), "with spikes of the last"),
        ("recorder/recent_output_ids", np.array([99], np.int32), "a snapshot of spikes in order, of 3 units"),
        ("metrics/rows", np.array([["a"] * 5]), "metrics/rows must be like"),
    ],
)
def test_a_checkpoint_leads_neither_out_of_its_folder_nor_out_of_an_array(
    name: str, array: np.ndarray, message: str, tmp_path: Path
) -> None:
    with warnings.catch_warnings(action="ignore", category=ss.SilentNetworkWarning), reserve(tmp_path / "run") as own:
        job.carry_out(*config.build(STREAM), keeper=Keeper(own)).write(own)
    rewritten(tmp_path / "run" / CHECKPOINT, {name: array})
    with pytest.raises(ss.ParameterError, match=message):
        ss.resume(tmp_path / "run", 1000)


def test_a_run_that_is_watched_may_be_a_strangers_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / OWN).mkdir(parents=True)
    checkpoint = Path(shutil.copy(folder / CHECKPOINT, tmp_path / "run" / OWN))
    as_it_stands(tmp_path / "run")
    for part in ("metrics/rows", "learner/rows"):
        rewritten(checkpoint, {part: np.array(5.0)})
    with pytest.raises(ss.ParameterError, match=r"must be a checkpoint of this run, .*(metrics|learner)/rows must be like"):
        as_it_stands(tmp_path / "run")


def test_records_are_unpacked_by_nothing_but_what_packed_them(tmp_path: Path) -> None:
    zarr, pickles = pytest.importorskip("zarr", reason="needs the extra record"), pytest.importorskip("numcodecs").Pickle()
    with warnings.catch_warnings(action="ignore"):
        with reserve(tmp_path / "run") as own:
            job.carry_out(
                *config.build(STREAM), ["v:output@10ms"], keeper=Keeper(own), on_block=lambda progress: progress.time_ms < 1500
            )
        records = tmp_path / "run" / OWN / "records.zarr"
        for version, codec, message in (
            (3, None, "must be what this run has recorded"),
            (2, pickles.get_config(), "does not fit it"),
        ):
            shutil.rmtree(records)
            group = zarr.open_group(records, mode="w", zarr_format=version).create_group("v.output@10ms")
            for name, shape in (("time_ms", (151,)), ("values", (151, 3))):
                group.create_array(name, shape=shape, chunks=(1024, *shape[1:]), dtype="float64", compressors=None)
                if codec:
                    described = records / "v.output@10ms" / name / ".zarray"
                    described.write_text(json.dumps(json.loads(described.read_text()) | {"compressor": codec}))
                    (described.parent / ".".join("0" * len(shape))).write_bytes(pickles.encode(np.array([Evil()], object)))
            with pytest.raises(ss.ParameterError, match=message):
                ss.resume(tmp_path / "run", pictures=False)
    assert not Evil.ran


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "bytes": lambda data: zlib.compress(data),
    "deep JSON": lambda data: b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_command_line_ends_with_status_2_where_a_file_is_broken(damage: str, folder: Path, tmp_path: Path) -> None:
    run = shutil.copytree(folder, tmp_path / "run")
    for path in sorted(path for path in run.iterdir() if path.suffix in (".npz", ".toml", ".json", ".csv")):
        whole = path.read_bytes()
        path.write_bytes(DAMAGES[damage](whole))
        for command in ("plot", "report", "evaluate") if path.name != CHECKPOINT else ("resume",):
            found = CliRunner().invoke(main, [command, str(run)])
            assert (found.exit_code, type(found.exception)) == (2, SystemExit), (path.name, command, found.output)
            assert "Error: " in found.output
            assert path.name in found.output.replace("\n", "") or path.name == "config.toml"  # half of one may be one
        path.write_bytes(whole)


def test_numbers_of_a_run_that_cannot_be_read_are_named_where_it_goes_on(folder: Path, tmp_path: Path) -> None:
    run = shutil.copytree(folder, tmp_path / "run")
    (run / "summary.json").write_text('{"interrupted": ')
    with pytest.raises(ss.ParameterError, match=r"summary\.json: must be what a run has saved, cannot be read"):
        ss.resume(run)

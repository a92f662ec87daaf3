"""The folder of a run: reserved for one process, filled whole or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from superspike import ParameterError
from superspike.lab.folder import CONFIG, OWN, reserve, reserve_next, whole
from superspike.lab.saved import read_config


def test_a_reserved_folder_is_refused_to_others_until_its_owner_ends(tmp_path: Path) -> None:
    with reserve(tmp_path / "a"):
        with pytest.raises(ParameterError, match="a: must be free, is reserved for a run that goes on; choose another folder"):
            reserve(tmp_path / "a", force=True).__enter__()
        assert (tmp_path / "a" / OWN).is_dir()  # a refusal leaves the owner's reservation alone
    with reserve(tmp_path / "a"):
        pass


def test_what_a_killed_process_leaves_keeps_nobody_out(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom superspike.lab.folder import reserve\n"
        "with reserve(sys.argv[1]):\n    print('reserved', flush=True)\n    time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run-1")], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert owner.stdout.readline() == "reserved\n"
    with pytest.raises(ParameterError, match="reserved"):
        reserve(tmp_path / "run-1").__enter__()
    with reserve_next(f"{tmp_path}/run-") as where:
        assert where.name == "run-2"
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    assert (tmp_path / "run-1" / OWN).is_dir()
    with reserve_next(f"{tmp_path}/run-") as where:
        assert where.name == "run-1"
    assert not list((tmp_path / "run-1").iterdir())


def test_a_folder_into_which_nothing_came_goes_again_with_those_above_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), reserve(tmp_path / "a" / "b"), reserve(tmp_path / "a" / "c"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_run_that_has_not_ended_is_not_taken_for_a_folder_of_something_else(tmp_path: Path) -> None:
    with reserve(tmp_path / "run") as where, pytest.raises(ParameterError, match="must be a run that has ended, goes on or was"):
        read_config(where)
    (tmp_path / "other").mkdir()
    with pytest.raises(ParameterError, match=r"other: must be the folder of a run, has no config\.toml"):
        read_config(tmp_path / "other")


def test_automatic_names_are_each_taken_once(tmp_path: Path) -> None:
    (tmp_path / "run-2").mkdir()
    (tmp_path / "run-2" / "notes.txt").write_text("mine")
    with reserve_next(f"{tmp_path}/run-") as first, reserve_next(f"{tmp_path}/run-") as second:
        assert (first.name, second.name) == ("run-1", "run-3")


def test_links_and_the_folder_one_is_in_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    (tmp_path / "to-nothing").symlink_to("new")
    for name in ("link", "to-nothing"):
        with reserve(tmp_path / name) as where, whole(where, []) as new:
            (new / CONFIG).write_text(name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name / CONFIG).read_text() == name
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with reserve(".") as where, whole(where, []) as new:
        (new / CONFIG).write_text("here")
    assert [path.name for path in Path().iterdir()] == [CONFIG]


@pytest.mark.parametrize("name", ["n" * 250, "a\x01\nb", "a\udcffb", "ä", "-x", "a'\"%s{0}"])
def test_any_name_that_the_system_takes_will_do(name: str, tmp_path: Path) -> None:
    with reserve(tmp_path / name) as where, whole(where, []) as new:
        (new / CONFIG).write_text("")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["n" * 256, "file/run"])
def test_what_cannot_be_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="must be a folder that can be made, cannot"):
        reserve(tmp_path / name).__enter__()


def test_a_replaced_run_keeps_files_that_are_not_the_run_s(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with reserve(tmp_path / "a", force=True) as where, whole(where, ["*.png", "w.npz"]) as new:
            for name in (CONFIG, "w.npz", f"{text}.png"):
                (new / name).write_text(text)
        (tmp_path / "a" / "notes.txt").write_text("mine")
    assert {path.name: path.read_text() for path in (tmp_path / "a").iterdir()} == {
        CONFIG: "new", "w.npz": "new", "new.png": "new", "notes.txt": "mine",
    }  # fmt: skip

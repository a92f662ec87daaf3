"""Every figure's script draws, and what the paper claims of it holds in its quick runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

FIGURES = Path(__file__).parents[1] / "figures"
SCRIPTS = sorted(path.stem for pattern in ("fig*.py", "demo*.py", "talk/talk*.py") for path in FIGURES.glob(pattern))
OF_FILES = {"talk2_mnist": "mnist", "talk3_fashion_mnist": "fashion-mnist", "talk6_random_feedback": "mnist"}


@pytest.fixture(autouse=True)
def figures_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FIGURES))
    monkeypatch.syspath_prepend(str(FIGURES / "talk"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_claims_of_a_figure_hold_in_quick_mode(script: str, tmp_path: Path) -> None:
    figure = importlib.import_module(script).main(tmp_path, quick=True, jobs=1)  # which asserts them
    assert figure.asserted or script == "talk3_fashion_mnist", "which is of its files alone"
    assert (tmp_path / f"{script}.png").stat().st_size > 10_000
    assert len((tmp_path / f"{script}.md").read_text().splitlines()) == 2 + len(figure.claims)


def write_pictures(folder: Path, counts: dict[str, int]) -> None:
    """A data set of pictures in MNIST's format: a bright patch, whose place is the class, in noise."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    for name, n in counts.items():
        labels = np.arange(n, dtype=np.uint8) % 10
        pictures = rng.integers(0, 40, (n, 28, 28), dtype=np.uint8)
        for picture, label in zip(pictures, labels, strict=True):
            row, column = 4 + 12 * (label // 5), 2 + 5 * (label % 5)
            picture[row : row + 8, column : column + 4] = 220
        for kind, data in (("images-idx3", pictures), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, data.ndim]) + b"".join(size.to_bytes(4, "big") for size in data.shape)
            (folder / f"{name}-{kind}-ubyte").write_bytes(header + data.tobytes())


@pytest.mark.parametrize("script", OF_FILES)
def test_the_talk_draws_from_the_files_of_a_data_set(script: str, tmp_path: Path) -> None:
    write_pictures(tmp_path / "data" / OF_FILES[script], {"train": 5600, "t10k": 100})
    figure = importlib.import_module(script).main(tmp_path, quick=True, jobs=1, data=tmp_path / "data")
    assert "skipped" not in (tmp_path / f"{script}.md").read_text()
    assert any("MNIST" in text or "784" in text for text, *_ in figure.claims)


def test_the_talk_draws_spoken_digits_from_files_of_their_format(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra data")
    rng, n = np.random.default_rng(1), 40
    (tmp_path / "data" / "shd").mkdir(parents=True)
    for name, speakers in (("train", (0, 1)), ("test", (4, 5))):
        with h5py.File(tmp_path / "data" / "shd" / f"shd_{name}.h5", "w") as file:
            file["labels"], file["extra/speaker"] = np.arange(n) % 20, np.repeat(speakers, n // 2)
            for key, highest, kind in (("spikes/times", 0.2, np.float32), ("spikes/units", 700, np.int64)):
                rows = file.create_dataset(key, (n,), h5py.vlen_dtype(kind))
                for k in range(n):
                    drawn = (highest * rng.random(30)).astype(kind)
                    rows[k] = np.sort(drawn) if kind is np.float32 else drawn
    figure = importlib.import_module("talk5_spoken_digits").main(tmp_path, quick=True, jobs=1, data=tmp_path / "data")
    assert sum(text.startswith("SHD, ") for text, *_ in figure.claims) == 4
    assert "skipped" not in (tmp_path / "talk5_spoken_digits.md").read_text()


def test_a_data_set_that_is_not_there_is_named_in_the_table(tmp_path: Path) -> None:
    importlib.import_module("talk3_fashion_mnist").main(tmp_path, quick=True, jobs=1)
    assert "needs --data DIR with a folder fashion-mnist" in (tmp_path / "talk3_fashion_mnist.md").read_text()


def test_all_scripts_are_drawn_by_all() -> None:
    assert sorted(importlib.import_module("all").SCRIPTS) == SCRIPTS
    sys.modules.pop("all")

"""Every example runs, quickly, does what it says, and draws."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"

# name: what it needs besides the package, and what its main(out, quick=True) must have reached
CASES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "own_loop": ("", lambda errors: errors[-5:].mean() < 0.3),  # of the first trial's squared error
    "brian2_script": ("brian2", lambda met: met[0] < 6 and met[1] >= 8),  # of 12 target spikes
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Brian2 2.9 calls pyparsing by its old names
@pytest.mark.parametrize("name", CASES)
def test_example_learns_and_draws(name: str, tmp_path: Path) -> None:
    needs, learned = CASES[name]
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed: pip install -e '.[{needs}]'")
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    example = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        spec.loader.exec_module(example)
    result = example.main(str(tmp_path / "out.png"), quick=True)
    assert learned(result), result
    with Image.open(tmp_path / "out.png") as picture:
        assert len(set(picture.convert("RGB").resize((200, 200)).getdata())) > 50  # something is drawn

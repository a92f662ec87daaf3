"""Feedback schemes of one's own: what they return is checked before an engine reads it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import superspike as ss
from superspike.model.feedback import FEEDBACKS


class Given(NamedTuple):
    """Returns what it was told to, once the weights have changed."""

    @property
    def follows_weights(self) -> bool:
        return True

    def matrices(self, sizes: Any, weights: Any, rng: np.random.Generator) -> Any:
        return self.given

    @classmethod
    def returns(cls, given: Any) -> None:
        cls.given = given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"of the shapes \[\(2, 6\), \(2, 5\)\], got \[\]"),
        ([np.ones((2, 6))], r"got \[\(2, 6\)\]"),
        ([np.ones((2, 6)), np.ones((1, 5))], r"got \[\(2, 6\), \(1, 5\)\]"),
        ([np.ones((6, 2)), np.ones((5, 2))], r"got \[\(6, 2\), \(5, 2\)\]"),
        ([np.ones((2, 6)), np.ones((2, 5)), np.ones((2, 2))], "got"),
        (None, "got NoneType"),
        (np.ones((2, 2, 6)), "got ndarray"),
        ([np.ones((2, 6)), np.full((2, 5), np.nan)], "finite numbers, got NaN, infinity or no numbers for hidden layer 2"),
        ([np.full((2, 6), np.inf), np.ones((2, 5))], "for hidden layer 1"),
        ([np.full((2, 6), "1"), np.ones((2, 5))], "for hidden layer 1"),
        ([np.full((2, 6), 1j), np.ones((2, 5))], "for hidden layer 1"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(given: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FEEDBACKS, "given", Given)
    with pytest.raises(ss.ParameterError, match=rf"^Given\.matrices: must return .*{message}"):
        Given.returns(given)
        ss.Network([10, 6, 5, 2], feedback="given")
    matrices = [np.ones((2, 6)), np.ones((2, 5))]
    Given.returns(matrices)
    network = ss.Network([10, 6, 5, 2], feedback="given")
    Given.returns(given)
    with pytest.raises(ss.ParameterError, match=r"^Given\.matrices"):
        network.refresh_feedback()
    assert all(a is b for a, b in zip(network.feedback_weights, matrices, strict=True))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.bool_])
def test_matrices_may_be_of_any_real_numbers(dtype: type, monkeypatch: pytest.MonkeyPatch, small_task: ss.Task) -> None:
    monkeypatch.setitem(FEEDBACKS, "given", Given)
    Given.returns([np.ones((2, 6), dtype)])
    nets = [ss.Network([10, 6, 2], feedback=f, w0=80.0, seed=2) for f in ("uniform", "given")]
    runs = [ss.train(net, small_task, 1000.0) for net in nets]
    np.testing.assert_array_equal(runs[0].weights[0], runs[1].weights[0])

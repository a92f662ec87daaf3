"""Vectors in kernels do what NumPy does."""

from typing import Any

import numpy as np
import pytest

from superspike.engine.jit import compiled, kernel
from superspike.engine.vectors import BYTES, item, lanes, load, store

Array = np.ndarray[Any, Any]


@compiled
def mixed(x: Any, y: Any, a: float) -> Any:
    """Every operator, between vectors and with a number on either side."""
    return (x + y) * (x - y) + a * x - y * a + (a + x) - (a - y)


@kernel
def in_kernel(x: Array, y: Array, rows: Array, out: Array, n: int) -> int:
    """Rows of ``rows`` and parts of x and y, vector by vector; return the vectors' length."""
    for i in range(0, n, lanes(x)):
        result = load(x, i)
        for row in range(rows.shape[0]):
            result = mixed(result, load(rows, (row, i)), item(rows, (row, 0)))
        store(y, i, result)
        store(out, (1, i), result + load(y, i) * item(x, 3))
    return lanes(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_computes_with_vectors_what_numpy_computes_with_arrays(dtype: type) -> None:
    rng, n = np.random.default_rng(1), 96
    x, y = rng.standard_normal((2, n)).astype(dtype)
    rows, out = rng.standard_normal((2, n)).astype(dtype), np.zeros((2, n), dtype)
    expected = x.copy()
    for row in rows:
        a = row[0]
        expected = (expected + row) * (expected - row) + a * expected - row * a + (a + expected) - (a - row)
    assert in_kernel(x, y, rows, out, n) == BYTES // np.dtype(dtype).itemsize
    tolerance = 1e-5 if dtype is np.float32 else 1e-13  # kernels fuse and reorder multiplications and additions
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(out[1], expected * (1 + x[3]), rtol=tolerance, atol=tolerance)
    assert not out[0].any()


def test_plain_python_computes_the_same() -> None:
    rng = np.random.default_rng(2)
    x, rows = rng.standard_normal(32), rng.standard_normal((2, 32))
    n = lanes(x)
    assert n == BYTES // 8
    np.testing.assert_array_equal(load(x, 16), x[16 : 16 + n])
    np.testing.assert_array_equal(load(rows, (1, 3)), rows[1, 3 : 3 + n])
    store(rows, (0, 16), load(x, 0))
    np.testing.assert_array_equal(rows[0, 16 : 16 + n], x[:n])
    assert item(rows, (0, 16)) == x[0]

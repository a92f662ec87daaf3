"""How far the event engine's loops are from the machine's limits, in single precision on one core: ``python limits.py``.

Each loop is timed alone, on arrays as large as the engine's. Loops over neurons run in the first-level cache; their limit is
arithmetic, at the rates of multiply-adds and of divisions that a kernel reaches in registers, or stores, at the rate of a
pass over one short array, whichever takes longer. Loops over rows of synapses are timed on more rows than any cache holds;
their limit is the memory, at the rate of a pass that reads and writes one long array. The last lines say how much of the
engine's time on 200-256-200 these loops explain; the rest are calls, lists of spikes and Python.
"""

import statistics
import time

import numpy as np

from superspike import LIF, FastSigmoid, RMaxProp, Scheme
from superspike.bench.benchmark import DT_S, MAIN, Runner, machine, trained
from superspike.engine import event, update
from superspike.engine.jit import inlined, kernel
from superspike.engine.state import WINDOW, padded, zeros
from superspike.engine.vectors import lanes, load, store
from superspike.model.parameters import cast

REPEATS, N, ROWS = 15, 256, 20_000  # of a synapse's arrays, 20,000 rows of 256 are 20 MB each
SINGLE = np.float32
LIF_STEP, SURROGATE, METHOD = (
    cast(LIF().cell(Scheme().dt, "euler"), SINGLE),
    cast(FastSigmoid(), SINGLE),
    cast(RMaxProp(), SINGLE),
)
N_REF = 50


@inlined
def multiply_add(x, y, z, w, a, b):
    """Sixty-four fused multiply-adds per element, in four chains: enough to hide the time until a result is there."""
    for i in range(x.shape[0]):
        p, q, r, s = x[i], y[i], z[i], w[i]
        for _ in range(16):
            p = p * a + b
            q = q * a + b
            r = r * a + b
            s = s * a + b
        x[i], y[i], z[i], w[i] = p, q, r, s


@inlined
def divide(x, y, a, b):
    """Eight divisions per element, in two chains."""
    for i in range(x.shape[0]):
        p, q = x[i], y[i]
        for _ in range(4):
            p = a / (p + b)
            q = a / (q + b)
        x[i], y[i] = p, q


@inlined
def scale(x, a):
    """Read and write an array."""
    for i in range(x.shape[0]):
        x[i] *= a


@kernel
def peak(x, y, z, w, a, b, times):
    """As many as ``times``."""
    for _ in range(times):
        multiply_add(x, y, z, w, a, b)


@kernel
def divisions(x, y, a, b, times):
    """As many as ``times``."""
    for _ in range(times):
        divide(x, y, a, b)


@kernel
def passes(x, a, times):
    """Passes over an array."""
    for _ in range(times):
        scale(x, a)


@kernel
def lif(v, current, left, f, n_ref, step, surrogate, times):
    """Steps of the neurons."""
    for _ in range(times):
        event.neuron_step(v, current, left, f, n_ref, step, surrogate)


@kernel
def sums(x, f, arrivals, e, k, r, times):
    """Steps of errors and sums, a window at a time."""
    for _ in range(times // WINDOW):
        for i in range(0, e.shape[1], lanes(x)):
            values, e1, g = event.load_eight(x, i), load(e, (0, i)), load(e, (1, i))
            for s in range(WINDOW):
                e1, g = event.next_error(e1, g, r)
                e1 = e1 + load(arrivals, (s, i))
                values = event.next_sums(values, load(f, (s, i)), g, k, s)
            event.store_eight(x, i, values)
            store(e, (0, i), e1)
            store(e, (1, i), g)


@kernel
def apply_maps(h1, h2, m, x, p, free, times):
    """Rows brought up to date."""
    for row in range(times):
        event.apply_map(h1[row], h2[row], m[row], 0, x, 0, h1.shape[1], p, p, free)


@kernel
def enter_spikes(h1, h2, m, x, d, times):
    """Rows of which a presynaptic neuron spikes."""
    for row in range(times):
        for i in range(0, h1.shape[1], lanes(x)):
            event.enter_spike(h1[row], h2[row], m[row], i, event.load_eight(x, i), d, 0)


@kernel
def updates(w, m, scales, zeta, method, p, steps, times):
    """Rows of weights at the end of a block."""
    for row in range(times):
        update.update_row(w[row], m[row], (scales[row],), zeta, method, p, p, steps, p, p, -p, p)


def nanoseconds(function, *arguments):
    """Median time of a call, whose last argument is how often it does something, per time and element of a row."""
    function(*arguments)
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - began)
    return 1e9 * statistics.median(times) / arguments[-1] / N


def main():
    """Print the tables."""
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    x, rows, big = (
        [zeros((8, N), SINGLE, k) for k in range(3)],
        [np.zeros((ROWS, N), SINGLE) for _ in range(3)],
        np.ones((1 << 17, N), SINGLE),
    )
    one, tiny = SINGLE(1), SINGLE(1e-3)
    fma = nanoseconds(peak, *x[0][:4], one / 2, one, 2000) / 64
    division = nanoseconds(divisions, *x[0][:2], one, one, 2000) / 8
    store = nanoseconds(passes, x[0][0], one, 20_000)
    byte = nanoseconds(passes, big.ravel(), one, 2) / big.size * N / 8
    print(
        f"\nper ns: {1 / fma:.1f} multiply-adds, {1 / division:.1f} divisions, {1 / store:.1f} stores of a number; "
        f"{1 / byte:.1f} bytes of memory\n"
    )

    left, k, row = zeros(N, np.int32), np.full((WINDOW, 7), 1e-3, SINGLE), np.full(6, 1e-3, SINGLE)
    f, arrivals = zeros((WINDOW, N), SINGLE, 3), zeros((WINDOW, N), SINGLE, 4)
    loops = {  # multiplications and additions, divisions, stores, bytes of memory; time
        "neurons": (5, 1, 4, 0, nanoseconds(lif, *x[1][:2], left, x[1][2], N_REF, LIF_STEP, SURROGATE, 20_000)),
        "errors and sums": (10, 0, 0, 0, nanoseconds(sums, x[0].ravel(), f, arrivals, x[2], k, row, 20_000)),
        "bring a row up to date": (11, 0, 3, 24, nanoseconds(apply_maps, *rows, x[1].ravel(), tiny, row, ROWS)),
        "enter a spike": (11, 0, 3, 24, nanoseconds(enter_spikes, *rows, x[1].ravel(), k, ROWS)),
        "update a row": (6, 2, 3, 24, nanoseconds(updates, *rows, x[1][0], METHOD, one, 5000, ROWS)),
    }
    print("| loop | arithmetic | divisions | stores | bytes | ns per element | limit (ns) | share |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (arithmetic, divided, stored, moved, took) in loops.items():
        limit = max(arithmetic * fma + divided * division, stored * store, moved * byte)
        print(
            f"| {name} | {arithmetic} | {divided} | {stored} | {moved} | {took:.3f} | {limit:.3f} | {100 * limit / took:.0f} % |"
        )

    weights, steps = trained(MAIN), round(1 / DT_S)
    found = {}
    for learn in (True, False):
        runner = Runner(MAIN, "event", learn=learn, weights=weights)
        runner.seconds(steps)
        found[learn] = 1e3 * statistics.median(runner.seconds(steps) for _ in range(REPEATS))
    neurons, synapses = sum(map(padded, MAIN.sizes[1:])), MAIN.synapses
    print(
        f"\n200-256-200: {found[False]:.2f} ms per simulated second without plasticity, {found[True] - found[False]:.2f} ms more with it, of which"
    )
    took = {name: ns for name, (*_, ns) in loops.items()}
    for name, ms in {
        "neurons": neurons * steps * took["neurons"] * 1e-6,
        "errors and sums": neurons * steps * took["errors and sums"] * 1e-6,
        "rows, at most": runner.synapse_spikes * 1e-6 * (took["bring a row up to date"] + took["enter a spike"])
        + 2 * synapses * 1e-6 * (took["bring a row up to date"] + took["update a row"]),
    }.items():
        print(f"  {name}: {ms:.2f} ms")


if __name__ == "__main__":
    main()

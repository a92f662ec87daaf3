"""The event engine against its plain version, in one run: ``python prototype.py``.

The plain version keeps to the mathematics: synapses in the frame of the current interval are touched when their presynaptic
neuron spikes, and all of them, in every interval of 100 steps, are brought back to the present. It has no axonal delays;
all else (neurons, rule, symmetric feedback, RMaxProp every 500 ms, single precision, one core) is that of the package.
``check()`` compares it with a loop over synapses.
"""

import statistics
import time

import numba
import numpy as np

from superspike import LIF, Rule, Scheme
from superspike.bench.benchmark import DT_S, MAIN, SUITE, Runner, trained
from superspike.model.scheme import error_filter, pre_filter, trace_filter

CASES, REPEATS, SECONDS, WARM_UP_S = (MAIN, SUITE[2]), 7, 1.0, 1.0
INTERVAL, BLOCK, BLOCK_MS, N_REF = 100, 5000, 500.0, 50
MEMBRANE, PRE, TRACE = LIF().cell(Scheme().dt, "euler"), pre_filter(Rule(), Scheme()), trace_filter(Rule(), Scheme())
ERROR, IMPULSE = error_filter(Rule(), Scheme())


def inverse(filter):
    """What undoes a step of a filter."""
    return 1 / filter.a1, 1 / filter.a2, filter.c


compiled = numba.njit(fastmath={"nsz", "arcp", "contract", "afn", "reassoc"}, error_model="numpy", nogil=True)


@compiled
def neurons(v, current, left, f, spikes, c):
    """One step of a layer of LIF neurons; their number of spikes, with ids in ``spikes``, and the surrogate ``f``."""
    a_mem, c_mem, a_syn, threshold = c
    zero, spike, latest = np.int32(0), np.int32(N_REF + 1), np.int32(0)
    for i in range(len(v)):
        x = a_mem * v[i] + c_mem * current[i]
        current[i] *= a_syn
        wait = max(np.int32(left[i] - 1), zero)
        x = a_mem * 0 if wait > zero else x
        fires = x > threshold
        x = a_mem * 0 if fires else x
        v[i] = x
        left[i] = wait = spike if fires else wait
        latest = max(latest, wait)
        y = abs(x - threshold) + np.float32(1)
        f[i] = np.float32(1) / (y * y)
    n = 0
    if latest == spike:
        for i in range(len(v)):
            if left[i] == spike:
                spikes[n] = i
                n += 1
    return n


@compiled
def errors(e1, e2, c):
    """One step of a layer's error filter."""
    a1, a2, follow = c
    for i in range(len(e1)):
        e1[i] *= a1
        e2[i] = a2 * e2[i] + follow * e1[i]


@compiled
def columns(x1, x2, f, h, back):
    """One step of what p1 and p2 add to h1 or h2 of a layer's synapses; of few arrays at a time, or it does not vectorise."""
    a1, a2, follow = back
    for i in range(len(f)):
        u = a2 * (x2[i] - f[i] * h)
        x1[i] = a1 * (x1[i] - follow * u)
        x2[i] = u


@compiled
def sum_columns(x1, x2, y1, y2, f, e, back, trace_back):
    """One step of what p1 and p2, and h1 and h2, add to m."""
    a1, a2, follow = back
    for i in range(len(f)):
        u = a2 * (x2[i] - f[i] * y1[i])
        x1[i] = a1 * (x1[i] - follow * u)
        x2[i] = u
    a1, a2, follow = trace_back
    for i in range(len(e)):
        u = a2 * y2[i]
        y1[i] = a1 * (y1[i] - follow * u)
        y2[i] = u - e[i]


@compiled
def all_columns(x, common, f, e, back, trace_back):
    """One step of the columns of the inverse of a layer's propagator; ``common`` to its neurons are (h1, h2) of h1, h2 of h2."""
    columns(x[0], x[3], f, common[0], back)
    columns(x[1], x[4], f, common[1], back)
    sum_columns(x[2], x[5], x[6], x[7], f, e, back, trace_back)
    a1, a2, follow = trace_back
    common[2] *= a2
    common[1] = a1 * (common[1] - follow * common[2])
    common[0] *= a1


@compiled
def enter(h1, h2, m, p1, ids, n, x):
    """Presynaptic spikes: each adds the column of p1 to its row of synapses."""
    for s in range(n):
        j = ids[s]
        p1[j] += 1
        h1[j] += x[0]
        h2[j] += x[1]
        m[j] += x[2]


@compiled
def follow(p1, p2, pre):
    """One step of a layer's pre traces."""
    for j in range(len(p1)):
        p2[j] = pre[1] * p2[j] + pre[2] * p1[j]
        p1[j] *= pre[0]


@compiled
def flush(x):
    """Arithmetic on denormal numbers is a hundred times slower."""
    tiny, zero = x.dtype.type(1e-20), x.dtype.type(0)
    for i in range(len(x)):
        x[i] = x[i] if abs(x[i]) > tiny else zero


@compiled
def rebase(h1, h2, m, p1, p2, x, common):
    """Bring all synapses of a projection back to the present, and start a new interval."""
    one, zero, tiny = x.dtype.type(1), x.dtype.type(0), x.dtype.type(1e-20)  # an integer would make it double precision
    g11, h12, g22 = one / common[0], common[1], one / common[2]
    p11, p12, p13, p21, p22, p23, m1, m2 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    for j in range(len(p1)):
        a, b, c, q1, q2 = h1[j], h2[j], m[j], p1[j], p2[j]
        for i in range(len(a)):
            y = (a[i] - p11[i] * q1 - p21[i] * q2) * g11
            a[i] = y if abs(y) > tiny else zero
        for i in range(len(a)):
            y = (b[i] - p12[i] * q1 - p22[i] * q2 - h12 * a[i]) * g22
            b[i] = y if abs(y) > tiny else zero
        for i in range(len(a)):
            c[i] -= p13[i] * q1 + p23[i] * q2 + m1[i] * a[i] + m2[i] * b[i]
    x[:] = 0
    common[:] = 1, 0, 1


@compiled
def update(w, m, scale):
    """RMaxProp at the end of a block."""
    decay, one = np.float32(np.exp(-BLOCK_MS / 30_000)), np.float32(1)
    for j in range(len(w)):
        a, b, c = w[j], m[j], scale[j]
        for i in range(len(a)):
            g = b[i] / np.float32(BLOCK)
            c[i] = max(decay * c[i], g * g)
            a[i] = min(max(a[i] + one * g / (np.sqrt(c[i]) + np.float32(1e-15)), -100 * one), 100 * one)
            b[i] = 0


@compiled
def advance(t, steps, inputs, targets, hidden, out, pre, synapses, columns_, common, spikes, constants, learn):
    """Simulate; the number of hidden spikes. ``inputs``, ``targets``: (ptr, ids) of these steps."""
    membrane, pre_filter, back, trace_back, error_filter, impulse = constants
    (v, current, left, f, e1, e2), (v_, current_, left_, f_, e1_, e2_) = hidden, out
    (p1, p2, q1, q2), (w, h1, h2, m, scale, w_, h1_, h2_, m_, scale_) = pre, synapses
    w_back, total, asked = w_.T.copy(), 0, np.zeros(len(v_), w.dtype)
    for u in range(steps):
        n = neurons(v, current, left, f, spikes[0], membrane)
        n_ = neurons(v_, current_, left_, f_, spikes[1], membrane)
        total += n
        given = inputs[1][inputs[0][u] : inputs[0][u + 1]]
        for s in range(len(given)):
            current += w[given[s]]
        for s in range(n):
            current_ += w_[spikes[0, s]]
        if not learn:
            continue
        errors(e1, e2, error_filter)
        errors(e1_, e2_, error_filter)
        wanted = targets[1][targets[0][u] : targets[0][u + 1]]
        for s in range(n_):
            asked[spikes[1, s]] -= impulse
        for s in range(len(wanted)):
            asked[wanted[s]] += impulse
        for s in range(n_ + len(wanted)):
            k = spikes[1, s] if s < n_ else wanted[s - n_]
            e1_[k] += asked[k]
            e1 += w_back[k] * asked[k]
            asked[k] = 0
        enter(h1, h2, m, p1, given, len(given), columns_[0])
        enter(h1_, h2_, m_, q1, spikes[0], n, columns_[1])
        all_columns(columns_[0], common[0], f, e2, back, trace_back)
        all_columns(columns_[1], common[1], f_, e2_, back, trace_back)
        follow(p1, p2, pre_filter)
        follow(q1, q2, pre_filter)
        if (t + u) % INTERVAL == 0:
            rebase(h1, h2, m, p1, p2, columns_[0], common[0])
            rebase(h1_, h2_, m_, q1, q2, columns_[1], common[1])
            for x in (current, v, e1, e2, current_, v_, e1_, e2_, p1, p2, q1, q2):
                flush(x)
        if (t + u) % BLOCK == 0:
            update(w, m, scale)
            update(w_, m_, scale_)
            w_back = w_.T.copy()
    return total


class Prototype:
    """The arrays of a network with one hidden layer, and what drives it on a task."""

    def __init__(self, task, weights, learn=True, dtype=np.float32):
        (n_in, n_hidden), n_out = weights[0].shape, weights[1].shape[1]

        def layer(n):
            return *np.zeros((2, n), dtype), np.zeros(n, np.int32), *np.zeros((3, n), dtype)

        self.task, self.learn, self.step, self.hidden_spikes = task, learn, 0, 0
        self.synapses = sum(((w.astype(dtype), *np.zeros((4, *w.shape), dtype)) for w in weights), ())
        self.columns = np.zeros((8, n_hidden), dtype), np.zeros((8, n_out), dtype)
        self.arguments = (
            layer(n_hidden), layer(n_out), (*np.zeros((2, n_in), dtype), *np.zeros((2, n_hidden), dtype)), self.synapses,
            self.columns, np.array([[1, 0, 1]] * 2, dtype), np.zeros((2, max(n_hidden, n_out)), np.int32),
            (*(tuple(map(dtype, x)) for x in (MEMBRANE, PRE, inverse(PRE), inverse(TRACE), ERROR)), dtype(IMPULSE)), learn,
        )  # fmt: skip

    def seconds(self, steps):
        """Wall-clock time of the next steps."""
        given = [(np.append(0, ends), ids) for ends, ids in self.task.window(self.step, steps)]
        began = time.perf_counter()
        self.hidden_spikes = advance(self.step, steps, *given, *self.arguments)
        elapsed = time.perf_counter() - began
        self.step += steps
        return elapsed


def check(steps=4321):
    """The sums of a block in double precision agree with a loop that advances every synapse in every step."""
    rng = np.random.default_rng(1)
    n_in, n, n_out = 20, 8, 3
    weights = rng.normal(0, 15, (n_in, n)), rng.normal(0, 15, (n, n_out))
    spikes = [np.nonzero(rng.random((steps, k)) < p) for k, p in ((n_in, 0.005), (n_out, 0.002))]
    given = [(np.searchsorted(t, np.arange(steps + 1)), i.astype(np.int32)) for t, i in spikes]
    prototype = Prototype(None, weights, dtype=np.float64)
    fired = advance(1, steps, *given, *prototype.arguments)
    prototype_m = [prototype.synapses[3], prototype.synapses[8]]
    last = [prototype.synapses[1:4], prototype.synapses[6:9]]  # in the frame of the interval that has not ended
    p = prototype.arguments[2]
    for k in range(2):
        rebase(*last[k], p[2 * k], p[2 * k + 1], prototype.columns[k], prototype.arguments[5][k])

    v, current, left, e1, e2 = ([np.zeros(k) for k in (n, n_out)] for _ in range(5))
    p1, p2 = ([np.zeros(k) for k in (n_in, n)] for _ in range(2))
    h1, h2, m = ([np.zeros_like(w) for w in weights] for _ in range(3))
    total = 0
    for u in range(steps):
        shown = [ids[ptr[u] : ptr[u + 1]] for ptr, ids in given]
        fires, f = [], []
        for k in range(2):
            v[k] = MEMBRANE.a_mem * v[k] + MEMBRANE.c_mem * current[k]
            current[k] *= MEMBRANE.a_syn
            left[k] = np.maximum(left[k] - 1, 0)
            v[k][left[k] > 0] = 0
            fires.append(v[k] > MEMBRANE.threshold)
            v[k][fires[k]] = 0
            left[k][fires[k]] = N_REF + 1
            f.append(1 / (1 + abs(v[k] - MEMBRANE.threshold)) ** 2)
        pre = [np.bincount(shown[0], minlength=n_in), fires[0] * 1]
        total += pre[1].sum()
        impulses = IMPULSE * (np.bincount(shown[1], minlength=n_out) - fires[1])
        for k, entering in enumerate((weights[1] @ impulses, impulses)):
            current[k] += pre[k] @ weights[k]
            e1[k] *= ERROR.a1
            e2[k] = ERROR.a2 * e2[k] + ERROR.c * e1[k]
            e1[k] += entering
            p1[k] += pre[k]
            x = h1[k] + np.outer(p2[k], f[k])
            h2[k] = TRACE.a2 * h2[k] + TRACE.c * x
            h1[k] = TRACE.a1 * x
            m[k] += e2[k] * h2[k]
            p2[k] = PRE.a2 * p2[k] + PRE.c * p1[k]
            p1[k] *= PRE.a1
    assert total == fired > 20
    for ours, plain in zip(prototype_m, m, strict=True):
        assert abs(ours - plain).max() < 1e-9 * abs(plain).max()


def main(cases=CASES, repeats=REPEATS):
    """Interleaved repeats; medians."""
    check()
    for case in cases:
        weights = trained(case)
        runners = {}
        for learn in (True, False):
            runners["package", learn] = Runner(case, "event", learn=learn, weights=weights)
            runners["prototype", learn] = Prototype(runners["package", learn].simulation.task, weights, learn)
        steps, times = round(SECONDS / DT_S), {key: [] for key in runners}
        for runner in runners.values():
            runner.seconds(round(WARM_UP_S / DT_S))  # compiles, too
        for _ in range(repeats):
            for key, runner in runners.items():
                times[key].append(1e3 * runner.seconds(steps) / SECONDS)
        found = {key: statistics.median(x) for key, x in times.items()}
        rate = runners["prototype", True].hidden_spikes / SECONDS / case.sizes[1]
        print(
            f"{case.name}: ms per simulated s with plasticity: prototype {found['prototype', True]:.2f}, "
            f"package {found['package', True]:.2f}, ratio {found['prototype', True] / found['package', True]:.2f}; "
            f"without: {found['prototype', False]:.2f} and {found['package', False]:.2f}; "
            f"hidden rate of the prototype {rate:.1f} Hz"
        )


if __name__ == "__main__":
    main()

"""What a step of the array interface costs, by size of the projection: the table in docs/interface.md."""

import timeit

import numpy as np

import superspike as ss
from superspike.interop.plasticity import advance

print("| n_pre × n_post | step (µs) | with 2 spikes (µs) | of it compiled (µs) | compiled, by Numba's dispatcher (µs) |")
print("| --- | --- | --- | --- | --- |")
for n_pre, n_post in ((20, 16), (200, 256), (1000, 1000)):
    rule, rng = ss.SuperSpike(n_pre, n_post), np.random.default_rng(1)
    v, e = rng.uniform(-60, -50, n_post), rng.normal(size=n_post)
    none, two = np.zeros(0, int), np.array([3, 7])

    def microseconds(call, n=5000):
        """The shortest of seven runs, per call."""
        call()
        return 1e6 * min(timeit.repeat(call, number=n, repeat=7)) / n

    times = [
        microseconds(lambda: rule.step(pre_spikes=none, v_post=v, error=e)),  # noqa: B023
        microseconds(lambda: rule.step(pre_spikes=two, v_post=v, error=e)),  # noqa: B023
        microseconds(lambda: rule._advance(*rule._arguments(rule._error, 0, 0))),  # noqa: B023
        microseconds(lambda: advance(*rule._arguments(rule._error, 0, 0))),  # noqa: B023
    ]
    print(f"| {n_pre} × {n_post} | " + " | ".join(f"{t:.1f}" for t in times) + " |")

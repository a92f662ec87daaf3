"""What many small networks cost beside the engine's own time: 40 seeds of 100-4-1, 250 s each, in one process and in two: ``python seeds.py``."""

import statistics
import tempfile
import time

import superspike as ss

TABLES = [
    {
        "task": "regular",
        "inputs": 100,
        "hidden": "4",
        "outputs": 1,
        "target_rate": "10Hz",
        "period": "500ms",
        "duration": "250s",
        "seed": seed,
    }
    for seed in range(40)
]


def measure(jobs: int) -> tuple[float, float]:
    """Seconds that a sweep takes, with start and loading, and what its share of the engine's own would be."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        runs = ss.sweep(TABLES, folder, jobs)
        took = time.perf_counter() - began
    own = sum((run.training.burn_in_ms + run.training.duration_ms) / 1000 / run.real_time_factor for run in runs)
    return took, own / jobs


if __name__ == "__main__":
    measure(2)  # compiles
    found = [{jobs: measure(jobs) for jobs in (1, 2)} for _ in range(5)]
    for jobs in (1, 2):
        took, own = (statistics.median(row[jobs][k] for row in found) for k in (0, 1))
        ratio = statistics.median(row[jobs][0] / row[jobs][1] for row in found)
        print(f"{jobs} process{'es' * (jobs > 1)}: {took:.2f} s, engine {own:.2f} s, ratio {ratio:.2f}")

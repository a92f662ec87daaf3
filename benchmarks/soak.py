"""Long runs and many runs in one process, whose memory and open files stay what they are: ``python soak.py``.

10,000 simulated seconds of 100-4-1; 200 short runs, each written into a folder of its own with its pictures; 200 times a run
that goes on from its checkpoint. Of each: what the process holds after the first hundredth, at a quarter, half and the end.
And how long a .ras file of 10⁷ lines takes to be read, and a checkpoint to be written.
"""

import gc
import resource
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import superspike as ss
from superspike.lab import config, job
from superspike.lab.checkpoint import Keeper
from superspike.lab.folder import reserve
from superspike.spikes.files import read_ras

MARKS = (0.01, 0.25, 0.5, 1.0)
SHORT = {"task": "regular", "inputs": 100, "hidden": "4", "outputs": 1, "period": "500ms", "burn_in": "1s"}


class Meter:
    """A row of the table: resident memory (MiB) and open files of this process at some parts of the work."""

    def __init__(self, name: str) -> None:
        self.name, self.found, self.began = name, [], time.perf_counter()

    def __call__(self, part: float) -> None:
        """So much of the work is done."""
        if len(self.found) < len(MARKS) and part >= MARKS[len(self.found)] - 1e-6:
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.found.append((pages * resource.getpagesize() / 2**20, sum(1 for _ in Path("/proc/self/fd").iterdir())))

    def row(self) -> str:
        """What was found."""
        memory = "".join(f"{mib:9.1f}" for mib, _ in self.found)
        files = "".join(f"{n:5d}" for _, n in self.found)
        return f"{self.name:<36}{memory}  {files}{time.perf_counter() - self.began:9.1f}"


def long_run(folder: Path) -> Meter:
    """10,000 simulated seconds, with checkpoints."""
    meter, total = Meter("10,000 s of 100-4-1, with checkpoints"), 10_000
    with reserve(folder / "long") as own:
        built = config.build(SHORT | {"duration": f"{total - 1}s"})
        job.carry_out(*built, keeper=Keeper(own, 1.0), on_block=lambda progress: meter(progress.time_ms / 1000 / total)).write(
            own
        )
    return meter


def short_runs(folder: Path) -> Meter:
    """200 runs of a simulated second, with all their files and pictures."""
    meter, n = Meter("200 runs of 2 s, with pictures"), 200
    for k in range(n):
        job.carry_out(*config.build(SHORT | {"duration": "1s", "seed": k})).save(folder / f"short-{k}")
        meter((k + 1) / n)
    return meter


def resumes(folder: Path) -> Meter:
    """A run that goes on 200 times, for half a simulated second."""
    meter, n = Meter("200 resumes of 0.5 s"), 200
    with reserve(folder / "again") as own:
        job.carry_out(*config.build(SHORT | {"duration": "1s"}), keeper=Keeper(own)).write(own)
    for k in range(n):
        ss.resume(folder / "again", 500.0, pictures=False)
        meter((k + 1) / n)
    return meter


def checkpoint_s(folder: Path) -> float:
    """What a checkpoint of 200-256-200 takes (s): a run that writes one after every block against one that writes none."""
    table, more = {"task": "poisson", "inputs": 200, "hidden": "256", "outputs": 200, "duration": "30s"}, []
    for repeat in range(6):
        taken, written = [], []
        for every_s in (0.0, 1e-9):
            with reserve(folder / f"kept-{repeat}-{every_s}") as own:
                built = config.build(table)
                began = time.perf_counter()
                job.carry_out(*built, keeper=Keeper(own, every_s), on_block=written.append if every_s else None)
                taken.append(time.perf_counter() - began)
        more.append((taken[1] - taken[0]) / len(written))
    return statistics.median(more[1:])


if __name__ == "__main__":
    warnings.simplefilter("ignore", ss.SilentNetworkWarning)
    memory, files = (" ".join(f"{f'{100 * mark:g} %':>{width - 1}}" for mark in MARKS) for width in (9, 5))
    print(f"{'':<36} {memory}   {files} {'wall s':>8}\n{'':<36}{'resident memory (MiB)':>36}  {'open files':>20}")
    with tempfile.TemporaryDirectory() as name:
        for work in (long_run, short_runs, resumes):
            print(work(Path(name)).row(), flush=True)
        lines = Path(name, "long.ras")
        with lines.open("w") as file:
            for first in range(0, 10**7, 10**5):
                file.write("".join(f"{1e-4 * k:.4f} {k % 1000}\n" for k in range(first, first + 10**5)))
        before = time.process_time()
        spikes = read_ras(lines)
        took = time.process_time() - before
        print(f"a .ras file of {len(spikes):,} lines, {lines.stat().st_size / 1e6:.0f} MB, takes {took:.1f} s of a core")
        kept = checkpoint_s(Path(name))
        print(
            f"a checkpoint of 200-256-200 takes {1000 * kept:.1f} ms, {kept / config.EVERY_S:.3%} of the {config.EVERY_S:g} s to the next"
        )

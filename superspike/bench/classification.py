"""How fast samples are learned and classified: medians of interleaved repeats of 784-256-10 in batches of 128, in one run."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..engine.classifier import Classifier, Outcome
from ..model.network import Network
from ..tasks.samples import Samples
from . import classification_peers
from .benchmark import fitted, interleaved, machine, peak_memory_mib, seeds_in_parallel, spread_percent
from .classification_peers import Peer
from .classification_task import BATCH, HIDDEN, STEPS, PictureTask, network, picture_task, poisson_pictures
from .peers import peer_lines

Array = NDArray[Any]

EPOCHS = 2  # of learning, after which accuracies are compared
THREADS = (1, 2)
STARTS = 3  # repeats, at most, of processes side by side: each starts anew
WIDTHS = (64, 256, 1024, 4096)  # hidden neurons of the scaling table
SPIKES = (25, 50, 100, 200, 400)  # of a sample
LENGTHS = (50, 100, 200, 400, 800)  # steps of 1 ms, with an input spike in each on average


class Own:
    """Our network in motion: it learns or answers batch by batch."""

    engine = "classification"  # its name in messages

    def __init__(self, network: Network, threads: int = 1) -> None:
        self.classifier = Classifier(network, threads=threads)

    def learn(self, samples: Samples, which: Array) -> float:
        """Learn from a batch; return the wall-clock seconds."""
        return self._seconds(self.classifier.train_batch, samples, which)

    def forward(self, samples: Samples, which: Array) -> float:
        """Classify a batch; return the wall-clock seconds."""
        return self._seconds(self.classifier.forward, samples, which)

    def answers(self, samples: Samples, batch: int) -> Array:
        """The class that is said of each sample; ``batch`` at a time, as peers need it."""
        return self.classifier.forward(samples).prediction

    def compile(self) -> None:
        """Compile the kernels, or load them from the cache; the network learns a little by it."""
        samples, which = poisson_pictures(10.0, 10), np.arange(2)
        self.classifier.gradient(samples, which)
        self.learn(samples, which)

    @staticmethod
    def _seconds(run: Callable[[Samples, Array], Outcome], samples: Samples, which: Array) -> float:
        began = time.perf_counter()
        run(samples, which)
        return time.perf_counter() - began


class Runner:
    """Batch after batch of samples through a network; can be timed again and again."""

    def __init__(self, run: Callable[[Samples, Array], float], samples: Samples) -> None:
        epochs = (samples.batches(BATCH, 1, epoch) for epoch in itertools.count())
        self.batches = (which for epoch in epochs for which in epoch if len(which) == min(BATCH, len(samples)))
        self.run, self.samples = run, samples

    def us_per_sample(self, batches: int) -> float:
        """Wall-clock microseconds per sample of the next ``batches`` batches."""
        chosen = list(itertools.islice(self.batches, batches))
        return 1e6 * sum(self.run(self.samples, which) for which in chosen) / sum(map(len, chosen))

    def batches_for(self, target_s: float) -> int:
        """How many batches take about ``target_s`` of wall-clock time, at least one."""
        self.us_per_sample(1)  # allocates
        batches, us = 1, self.us_per_sample(1)
        while us * BATCH * batches < 1e5 * target_s:
            batches *= 4
            us = self.us_per_sample(batches)
        return max(1, round(1e6 * target_s / (us * BATCH)))


def measure(runners: Sequence[Runner], repeats: int, target_s: float) -> list[dict[str, Any]]:
    """Time all runners in turn, ``repeats`` times over; medians (µs per sample) and all."""
    batches = [runner.batches_for(target_s) for runner in runners]
    found = interleaved([partial(runner.us_per_sample, n) for runner, n in zip(runners, batches, strict=True)], repeats)
    return [
        {
            "us_per_sample": statistics.median(times),
            "best": min(times),
            "times": times,
            "spread_percent": spread_percent(times),
        }
        for times in found
    ]


def learn(learner: Own | Peer, task: PictureTask) -> dict[str, Any]:
    """Learn for EPOCHS; the seconds that this took, and the accuracy on the validation samples."""
    batches = (which for epoch in range(EPOCHS) for which in task.train.batches(BATCH, 1, epoch))
    seconds = sum(learner.learn(task.train, which) for which in batches)
    right = learner.answers(task.validation, BATCH) == task.validation.labels
    return {"accuracy": float(right.mean()), "learning_s": seconds}


def suite(
    data: str | os.PathLike[str] | None,
    repeats: int,
    target_s: float,
    peers: bool = False,
    on_compile: Callable[[Any], None] = Own.compile,
) -> dict[str, Any]:
    """Forward pass and learning of a trained network on one thread and on two, scaling, memory, and peers if wanted.

    ``data`` is a folder of MNIST's four IDX files; without, pictures are made.
    """
    task = picture_task(data)
    on_compile(Own(network()))
    first = Own(network())
    learn(first, task)
    weights = [w.copy() for w in first.classifier.weights]
    kinds = [(what, threads) for what in ("forward", "learn") for threads in THREADS]
    runs = [getattr(Own(network(weights=weights), threads), what) for what, threads in kinds]
    timed = measure([Runner(run, task.train) for run in runs], repeats, target_s)
    rows = [{"what": what, "threads": threads} | row for (what, threads), row in zip(kinds, timed, strict=True)]
    us = {kind: row["us_per_sample"] for kind, row in zip(kinds, timed, strict=True)}
    found = {
        "machine": machine(),
        "data": task.data,
        "network": "-".join(map(str, first.classifier.sizes)),
        "batch": BATCH,
        "steps": STEPS,
        "epochs": EPOCHS,
        "input_spikes": len(task.train.times) / len(task.train),
        "hidden_spikes": float(first.classifier.forward(task.validation).spikes.sum(1).mean()),
        "rows": rows,
        "learn_per_forward": us["learn", 1] / us["forward", 1],
        "two_threads": {what: us[what, 1] / us[what, 2] for what in ("forward", "learn")},
        "in_parallel": seeds_in_parallel(min(repeats, STARTS), target_s, partial(learning, data=data)),
        "scaling": scaling(repeats, target_s),
        "memory": memory(first.classifier, task.train),
        "peak_memory_mib": peak_memory_mib(),
    }
    return found | ({"peers": compare(task, repeats, target_s)} if peers else {})


def learning(target_s: float, data: str | os.PathLike[str] | None) -> Callable[[], float]:
    """What learns for about so long, and returns its samples per second."""
    runner = Runner(Own(network()).learn, picture_task(data).train)
    batches = runner.batches_for(target_s)
    return lambda: 1e6 / runner.us_per_sample(batches)


def scaling(repeats: int, target_s: float) -> dict[str, Any]:
    """Seconds of learning per sample against width, input and length of trials, whose input spikes from beginning to end."""
    series = {  # hidden neurons, input spikes and steps
        "hidden neurons": [(n, (n, STEPS, STEPS)) for n in WIDTHS],
        "input spikes a sample": [(n, (HIDDEN, n, STEPS)) for n in SPIKES],
        "steps (an input spike in each)": [(n, (HIDDEN, n, n)) for n in LENGTHS],
    }
    found = {}
    for name, points in series.items():
        runners = [Runner(Own(network(hidden)).learn, poisson_pictures(n, steps)) for _, (hidden, n, steps) in points]
        rows = measure(runners, repeats, target_s)
        found[name] = fitted([float(x) for x, _ in points], [1e-6 * row["us_per_sample"] for row in rows])
    return found


def memory(classifier: Classifier, samples: Samples) -> dict[str, float]:
    """How many numbers learning from a batch keeps: what memory depends on. None is kept of a synapse and step.

    They are kept of each synapse; by each thread of each neuron and step with input to it, of one sample (with more threads than
    two, of all samples of a batch); and by each thread of each neuron and step, which is what its arrays grow by with the
    length of trials.
    """
    n = min(BATCH, len(samples))
    classifier.gradient(samples, np.arange(n))
    sizes, group = classifier._sizes, classifier._group
    assert group is not None
    arrays = (classifier._w, classifier._m, *classifier._memories)
    with_input = (np.diff(group.ptr[:n, :, :-1]) > 0).sum(axis=(0, 2))  # steps with spikes of each layer below
    rows = group.n_rows[:n].sum(axis=0) @ sizes.width[1:]
    work = []
    for steps in (10 * STEPS, 20 * STEPS):
        classifier.forward(samples[:1].lasting(steps * classifier.dt))
        work.append(sum(x.size for x in classifier.works[0]))
    return {
        "per_synapse": sum(x.size for x in arrays) / sum(w.size for w in classifier.weights),
        "per_neuron_and_step_with_input": float(rows / (with_input @ sizes.n[1:])),
        "per_thread_neuron_and_step": float((work[1] - work[0]) / (10 * STEPS * sizes.n[1:].sum())),
    }


def compare(task: PictureTask, repeats: int, target_s: float) -> list[dict[str, Any]]:
    """Ours and each peer that is installed, from the same weights: accuracy after the same batches, and then time, interleaved.

    A row of each: name, version, accuracy, the seconds of learning for it, µs per sample, the ratio to ours; or what to install.
    """
    learners: dict[str, Own | Peer] = {"superspike": Own(network())}
    versions, missing = [__version__], []
    for name, (package, make) in classification_peers.PEERS.items():
        if find_spec(package) is None:
            missing.append({"peer": name, "install": f"pip install {package}"})
        else:
            learners[name] = Peer(make, network())
            versions.append(version(package))
    learned = [learn(learner, task) for learner in learners.values()]
    timed = measure([Runner(learner.learn, task.train) for learner in learners.values()], repeats, target_s)
    ours = timed[0]["us_per_sample"]
    return [
        {"peer": name, "version": number} | outcome | row | {"ratio": row["us_per_sample"] / ours}
        for name, number, outcome, row in zip(learners, versions, learned, timed, strict=True)
    ] + missing


def report(found: dict[str, Any]) -> str:
    """The results of :func:`suite`, to be read."""
    lines = [
        ", ".join(f"{name} {value}" for name, value in found["machine"].items()),
        f"{found['data']}: {found['input_spikes']:.0f} input and {found['hidden_spikes']:.0f} hidden spikes a sample, "
        f"{found['steps']} steps; {found['network']}, batches of {found['batch']}, single precision",
        f"{'':<10}threads{'µs per sample':>16}{'best':>8}{'min to max (%)':>17}",
    ]
    lines += [
        f"{row['what']:<10}{row['threads']:<7}{row['us_per_sample']:>16.3g}{row['best']:>8.3g}{row['spread_percent']:>17.3g}"
        for row in found["rows"]
    ]
    two, beside = found["two_threads"], found["in_parallel"]
    lines.append(
        f"learning / forward: {found['learn_per_forward']:.2f}; two threads learn {two['learn']:.2f} × as fast as one, and are "
        f"{two['forward']:.2f} × as fast forward; {beside['processes']} processes with a network each learn "
        f"{beside['ratio']:.2f} × as fast as one"
    )
    for name, series in found["scaling"].items():
        points = ", ".join(f"{x:g}: {1e6 * y:.3g} µs" for x, y in zip(series["x"], series["seconds"], strict=True))
        lines.append(f"learning a sample against {name}: {points}; exponent {series['exponent']:.2f}")
    kept = found["memory"]
    lines.append(
        f"memory: {kept['per_synapse']:.2f} numbers per synapse; {kept['per_neuron_and_step_with_input']:.2f} per "
        f"neuron and step with input; {kept['per_thread_neuron_and_step']:.2f} per thread, neuron and step; "
        f"none per synapse and step; peak of this process {found['peak_memory_mib']:.0f} MiB"
    )

    def words(row: dict[str, Any]) -> str:
        return (
            f"{row['us_per_sample']:>8.4g} µs per sample, {row['ratio']:>5.3g} × ours; "
            f"{100 * row['accuracy']:.1f} % after the same {found['epochs']} epochs, in {row['learning_s']:.3g} s"
        )

    return "\n".join(lines + peer_lines(found.get("peers", []), 30, words))

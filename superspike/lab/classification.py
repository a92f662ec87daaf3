"""What a network says of labelled samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.classifier import Classifier
from ..model.network import Network
from ..model.parameters import ParameterError
from ..spikes.trains import Spikes
from ..tasks.samples import Samples

Array = NDArray[Any]


class Classification(NamedTuple):
    """What a network says of samples."""

    prediction: Array  # (samples,): the class whose output says most
    labels: Array  # (samples,)
    classes: tuple[str, ...]
    loss: float  # the mean
    spikes_per_decision: float  # of all hidden neurons
    latency_ms: Array | None = None  # (samples,): from when on a trial that ends has this answer, where it was asked for

    @property
    def accuracy(self) -> float:
        """The share of samples that are classified rightly."""
        return float((self.prediction == self.labels).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The accuracies that 95 % confidence leaves (Wilson 1927)."""
        from scipy.stats import binomtest  # type: ignore[import-untyped]

        right = int((self.prediction == self.labels).sum())
        low, high = binomtest(right, len(self.labels)).proportion_ci(0.95, "wilson")
        return float(low), float(high)

    @property
    def confusion(self) -> Array:
        """How many samples of each class (rows) were taken for each (columns)."""
        found = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(found, (self.labels, self.prediction), 1)
        return found

    def summary(self) -> dict[str, Any]:
        """The numbers."""
        found: dict[str, Any] = {
            "accuracy": self.accuracy,
            "interval_95": list(self.interval),
            "samples": len(self.labels),
            "loss": self.loss,
            "spikes_per_decision": self.spikes_per_decision,
        }
        if self.latency_ms is not None:
            found["latency_ms"] = np.percentile(self.latency_ms, [5, 50, 95]).tolist()
        return found | {"classes": list(self.classes), "confusion": self.confusion.tolist()}


class Decision(NamedTuple):
    """One sample, and how a network comes to its answer."""

    spikes: list[Spikes]  # of the input and each hidden layer
    potentials: Array  # (steps, classes): the readout's, mV
    label: int
    prediction: int
    latency_ms: float  # from when on a trial that ends has this answer


def classify(network: Network, samples: Samples, *, threads: int = 1, latency: bool = False) -> Classification:
    """What ``network``, whose last layer is a readout and whose loss is one of trials, says of ``samples``; nothing is learned.

    ``latency``: whether to find when each decision was made as well, which takes several times as long. Read a test set
    once, when everything has been chosen: by the last epoch, or by validation samples.
    """
    check_samples("classify", network, samples)
    classifier = Classifier(network, threads=threads)
    found = classifier.forward(samples)
    times = np.array([x.latency_ms for x in decisions(classifier, samples, range(len(samples)))]) if latency else None
    return Classification(
        found.prediction, np.asarray(samples.labels, np.int64), samples.classes, float(found.loss.mean()),
        float(found.spikes.sum(1).mean()), times,
    )  # fmt: skip


def decisions(classifier: Classifier, samples: Samples, which: Iterable[int]) -> Iterator[Decision]:
    """How the network comes to its answers, sample by sample."""
    dt, sizes = classifier.dt, classifier.sizes
    for k in which:
        trace = classifier.trace(samples, k)
        spikes = [samples[k].spikes]
        spikes += [Spikes(steps * dt, ids, n) for (steps, ids), n in zip(trace.spikes, sizes[1:-1], strict=True)]
        yield Decision(spikes, trace.potentials, int(samples.labels[k]), trace.prediction, trace.decided * dt)


def check_samples(function: str, network: Network, samples: Any, name: str = "samples") -> None:
    """Raise ParameterError unless samples have as many inputs and classes as the network."""
    if not isinstance(network, Network):
        raise ParameterError(f"{function}.network: must be a Network, got {type(network).__name__}")
    if not isinstance(samples, Samples):
        raise ParameterError(f"{function}.{name}: must be Samples, got {type(samples).__name__}")
    if not len(samples):
        raise ParameterError(f"{function}.{name}: must be some samples, got none")
    found, ends = (samples.n_units, len(samples.classes)), (network.sizes[0], network.sizes[-1])
    if found != ends:
        raise ParameterError(
            f"{function}.{name}: must have the network's {ends[0]} inputs and {ends[1]} classes, got {found[0]} and {found[1]}"
        )

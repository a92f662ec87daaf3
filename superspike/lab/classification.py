"""Learning to classify labelled samples, epoch by epoch, and what a network then says of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.classifier import Classifier
from ..model.network import Network
from ..model.parameters import Param, ParameterError
from ..model.readout import Rates
from ..tasks.samples import Samples

Array = NDArray[Any]

Z95 = 1.959963984540054  # of a normal distribution, 95 % lie within so many standard deviations


class Classification(NamedTuple):
    """What a network says of samples."""

    prediction: Array  # (samples,): the class whose output says most
    labels: Array  # (samples,)
    classes: int
    loss: float  # the mean
    spikes_per_decision: float  # of all hidden neurons

    @property
    def accuracy(self) -> float:
        """The share of samples that are classified rightly."""
        return float((self.prediction == self.labels).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The accuracies that 95 % confidence leaves (Wilson 1927)."""
        n, p = len(self.labels), self.accuracy
        middle, half = p + Z95**2 / (2 * n), Z95 * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n * n))
        return (middle - half) / (1 + Z95**2 / n), (middle + half) / (1 + Z95**2 / n)

    @property
    def confusion(self) -> Array:
        """How many samples of each class (rows) were taken for each (columns)."""
        found = np.zeros((self.classes, self.classes), np.int64)
        np.add.at(found, (self.labels, self.prediction), 1)
        return found


class Fit(NamedTuple):
    """What came out of :func:`fit`: the trained network, and a value an epoch of each of the metrics.

    ``loss``, ``accuracy`` and ``spikes_per_decision`` are those of the samples as they were learned from, dropout included;
    ``accuracy_validation``, where there are validation samples, is measured after the epoch; ``us_per_sample`` is the time
    that learning took.
    """

    network: Network
    metrics: dict[str, Array]


def classify(network: Network, samples: Samples, *, threads: int = 1) -> Classification:
    """What ``network``, whose last layer is a readout and whose loss is one of trials, says of ``samples``; nothing is learned.

    Read a test set once, when everything has been chosen: by the last epoch, or by validation samples.
    """
    check_fit("classify", network, samples)
    found = Classifier(network, threads=threads).forward(samples)
    labels, classes = np.asarray(samples.labels, np.int64), network.sizes[-1]
    return Classification(found.prediction, labels, classes, float(found.loss.mean()), float(found.spikes.sum(1).mean()))


def fit(
    network: Network,
    samples: Samples,
    epochs: int = 10,
    batch: int = 64,
    *,
    validation: Samples | None = None,
    rates: Rates | None = None,
    dropout: float = 0.0,
    decay: float = 0.85,
    threads: int = 1,
    on_epoch: Callable[[int, dict[str, float]], None] = lambda epoch, metrics: None,
) -> Fit:
    """Train ``network`` to classify ``samples``, by their gradient forward in time (docs/engines.md), and change its weights.

    Parameters
    ----------
    network : its last layer is a :class:`superspike.Readout` with a unit per class, its hidden layers are
        ``LIF(reset="subtract", tau_ref=0)``, its loss is one of trials and its delay one step
    epochs : how often all samples are learned from, in an order that the network's seed draws
    batch : samples per update of the weights, which follows their mean gradient
    validation : other samples, on which the accuracy is measured after each epoch
    rates : bounds of the hidden neurons' spike counts, and what missing them costs
    dropout : probability that an input spike is left out
    decay : what the learning rate is multiplied by after each epoch
    threads : how many share a batch; the numbers do not depend on it
    on_epoch : called after each epoch with its number, from 1 on, and its metrics

    Raises
    ------
    ParameterError for networks and samples that do not fit.
    """
    check_fit("fit", network, samples)
    if validation is not None:
        check_fit("fit", network, validation)
    epochs, decay = Param("", "", ge=1).check("fit.epochs", epochs, int), Param("", "", gt=0, le=1).check("fit.decay", decay)
    classifier, rows = Classifier(network, rates=rates, dropout=dropout, threads=threads), []
    for epoch in range(epochs):
        classifier.learning_rate = decay**epoch
        begin, loss, right, spikes = time.perf_counter(), 0.0, 0, 0
        for which in samples.batches(batch, network.seed, epoch):
            found = classifier.train_batch(samples, which)
            loss += float(found.loss.sum())
            right += int((found.prediction == samples.labels[which]).sum())
            spikes += int(found.spikes.sum())
        seconds, n = time.perf_counter() - begin, len(samples)
        row = {"loss": loss / n, "accuracy": right / n, "spikes_per_decision": spikes / n, "us_per_sample": 1e6 * seconds / n}
        if validation is not None:
            said = classifier.forward(validation)
            row["accuracy_validation"] = float((said.prediction == validation.labels).mean())
        rows.append(row)
        on_epoch(epoch + 1, row)
    return Fit(network, {name: np.array([row[name] for row in rows]) for name in rows[0]})


def check_fit(function: str, network: Network, samples: Samples) -> None:
    """Raise ParameterError unless samples have as many inputs and classes as the network."""
    if not isinstance(samples, Samples):
        raise ParameterError(f"{function}.samples: must be Samples, got {type(samples).__name__}")
    if not len(samples):
        raise ParameterError(f"{function}.samples: must be some samples, got none")
    found, ends = (samples.n_units, len(samples.classes)), (network.sizes[0], network.sizes[-1])
    if found != ends:
        raise ParameterError(
            f"{function}.samples: must have the network's {ends[0]} inputs and {ends[1]} classes, got {found[0]} and {found[1]}"
        )

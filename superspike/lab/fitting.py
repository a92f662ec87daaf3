"""Learning to classify labelled samples, epoch by epoch, and the folder that holds what came out."""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import tasks
from ..engine.classifier import Classifier
from ..engine.exact import ExactClassifier
from ..engine.jit import cores
from ..model.files import read_arrays
from ..model.network import Network
from ..model.parameters import Param, ParameterError, one_of
from ..spikes.trains import Spikes
from ..tasks import Samples, Source
from . import config
from . import plotting_trials as plots
from .checkpoint import Keeper
from .classification import Classification, Decision, check_samples, classify, decisions
from .config import Fitting
from .folder import CONFIG
from .observers import ended, unharmed, warn_silent
from .saved import Saved, load_network, read_columns, read_config, reading, write_columns, write_config

Array = NDArray[Any]

PARTS = 10  # of an epoch, after each of which there is a report
SHOWN = 4  # samples whose decisions are kept
METRICS = ("epoch", "loss", "accuracy", "spikes_per_decision", "us_per_sample")


class Report(NamedTuple):
    """How learning goes: of the samples since the last report, as they were learned from."""

    epoch: float  # 0.1 is a tenth of the first
    loss: float
    accuracy: float
    spikes_per_decision: float
    us_per_sample: float
    accuracy_validation: float | None = None  # at an epoch's end


@dataclass
class Fit(Saved):
    """What :func:`superspike.fit` returns: what happened, whatever is done with the network afterwards.

    Attributes
    ----------
    network : a copy, each time, of the network at the end of the run
    metrics : one value an epoch of ``epoch``, ``loss``, ``accuracy``, ``spikes_per_decision`` (hidden spikes) and
        ``us_per_sample`` of the samples as they were learned from, dropout included, and, where there are validation samples,
        ``accuracy_validation`` after it
    progress : the same, but for the validation, of each tenth of an epoch
    test, validation : what the network says in the end of these samples, where there were some
    decisions : how it comes to its answers, of a few of them
    """

    _network: Network
    training: Fitting
    metrics: dict[str, Array]
    progress: dict[str, Array]
    validation: Classification | None
    test: Classification | None
    decisions: list[Decision]
    classes: tuple[str, ...]  # their names
    samples: int  # that were learned from in an epoch
    source: Source | None = None
    interrupted: bool = False
    initial_weights: list[Array] | None = None

    pictures: ClassVar = {
        "learning.png": plots.learning, "samples.png": plots.samples, "confusion.png": plots.confusion,
    }  # fmt: skip
    overview: ClassVar = plots.overview

    @property
    def dt(self) -> float:
        """Length of a step (ms)."""
        return self._network.scheme.dt

    @property
    def reached(self) -> str:
        """Epochs."""
        return f"{self.progress['epoch'][-1]:.1f} epochs"

    def summary(self) -> dict[str, Any]:
        """The numbers of the run: of the test samples, of the validation's, of the last epoch, and the median time of epochs."""
        said = self.test or self.validation
        us = float(np.median(self.metrics["us_per_sample"]))
        found: dict[str, Any] = {
            "accuracy_test": self.test.accuracy if self.test else None,
            "interval_95": list(self.test.interval) if self.test else None,
            "accuracy_validation": self.validation.accuracy if self.validation else None,
            "loss": said.loss if said else float(self.metrics["loss"][-1]),
            "spikes_per_decision": said.spikes_per_decision if said else float(self.metrics["spikes_per_decision"][-1]),
            "epochs": len(self.metrics["epoch"]),
            "seconds_per_epoch": 1e-6 * us * self.samples,
            "us_per_sample": us,
        }
        return found | {
            "samples": self.samples,
            "sizes": list(self._network.sizes),
            "classes": list(self.classes),
            "interrupted": self.interrupted,
        }

    def options(self, new: Path) -> dict[str, Any]:
        """The options that repeat the run, but for the samples if they were made by hand."""
        return config.table(self.source, self._network, self.training, self.initial_weights is not None)

    def write_tables(self, new: Path) -> None:
        """Write metrics, answers and decisions."""
        write_columns(new / "metrics.csv", self.metrics)
        write_columns(new / "progress.csv", self.progress)
        arrays: dict[str, Any] = {}
        for name, said in (("validation", self.validation), ("test", self.test)):
            if said:
                arrays |= {f"{name}_prediction": said.prediction, f"{name}_labels": said.labels}
                arrays |= {f"{name}_numbers": np.array([said.loss, said.spikes_per_decision])}
        for k, decision in enumerate(self.decisions):
            for layer, spikes in enumerate(decision.spikes):
                arrays |= {f"decision{k}_times_ms{layer}": spikes.times_ms, f"decision{k}_ids{layer}": spikes.ids}
            arrays[f"decision{k}_potentials"] = decision.potentials
            arrays[f"decision{k}_answer"] = np.array([decision.label, decision.prediction, decision.latency_ms])
        np.savez_compressed(new / "samples.npz", **arrays)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Fit:
        """Read a run's folder. Raises ParameterError, which names the file, where something is missing or broken."""
        table, where = read_config(folder), Path(folder)
        if config.task_of(table) not in tasks.DATASETS:
            raise ParameterError(f"{where}: must be a run that learns samples, is one on a stream; Run.load reads it")
        with reading(where / "summary.json") as path:
            summary = json.loads(path.read_text(encoding="utf-8"))
            sizes, classes, interrupted = summary["sizes"], tuple(summary["classes"]), summary["interrupted"]
            samples = Param("", "", ge=1).check("samples", summary["samples"], int)
            names = all(isinstance(name, str) for name in classes) and len(set(classes)) == len(classes) == sizes[-1]
            if type(interrupted) is not bool or not names or isinstance(summary["classes"], str):
                raise ParameterError(
                    f"must hold true or false and {sizes[-1]} names of classes, got {interrupted!r} and {classes}"
                )
        with reading(where / CONFIG):
            network, training = config.build_network(table, sizes[0], sizes[-1])
            assert isinstance(training, Fitting)
            source = config.Chosen(table).samples() if "data" in table or table["task"] != "samples" else None
            if network.sizes != sizes:
                raise ParameterError(f"must have the sizes of summary.json, {sizes}, got {network.sizes}")
        initial_weights = [w.copy() for w in network.weights] if "weights" in table else None
        with reading(where / "weights.npz") as path:
            load_network(path, network)
        with reading(where / "metrics.csv") as path:
            validated = "accuracy_validation" in path.read_text(encoding="utf-8").partition("\n")[0]
            metrics = read_columns(path, [*METRICS, "accuracy_validation"] if validated else METRICS)
        with reading(where / "progress.csv") as path:
            progress = read_columns(path, METRICS)
        with reading(where / "samples.npz") as path:
            arrays = read_arrays(path)
            said = {name: _said(arrays, name, classes) for name in ("validation", "test") if f"{name}_labels" in arrays}
            shown = [_decision(arrays, f"decision{k}", network.sizes) for k in range(SHOWN) if f"decision{k}_answer" in arrays]
        return cls(
            network, training, metrics, progress, said.get("validation"), said.get("test"), shown, classes, samples, source,
            interrupted, initial_weights,
        )  # fmt: skip


def _said(arrays: dict[str, Array], name: str, classes: tuple[str, ...]) -> Classification:
    """What :meth:`Fit.write_tables` wrote of the answers to some samples."""
    prediction, labels = arrays[f"{name}_prediction"], arrays[f"{name}_labels"]
    for x in (prediction, labels):
        if x.shape != labels.shape or x.dtype.kind not in "iu" or x.min() < 0 or x.max() >= len(classes):
            raise ParameterError(f"{name}_labels and {name}_prediction must be numbers of {len(classes)} classes, got others")
    return Classification(prediction, labels, classes, *arrays[f"{name}_numbers"].tolist())


def _decision(arrays: dict[str, Array], name: str, sizes: list[int]) -> Decision:
    """What :meth:`Fit.write_tables` wrote of one decision."""
    spikes = [Spikes(arrays[f"{name}_times_ms{k}"], arrays[f"{name}_ids{k}"], n) for k, n in enumerate(sizes[:-1])]
    label, prediction, latency = arrays[f"{name}_answer"].tolist()
    if not (0 <= label < sizes[-1] and 0 <= prediction < sizes[-1]) or arrays[f"{name}_potentials"].shape[1:] != (sizes[-1],):
        raise ParameterError(f"{name} must be of {sizes[-1]} classes, is of others")
    return Decision(spikes, arrays[f"{name}_potentials"], int(label), int(prediction), latency)


def fit(
    network: Network,
    samples: Samples,
    epochs: int = Fitting().epochs,
    batch: int = Fitting().batch,
    *,
    validation: Samples | None = None,
    test: Samples | None = None,
    on_report: Callable[[Report], bool | None] | None = None,
    on_compile: Callable[[Callable[[], None]], None] | None = None,
    source: Source | None = None,
    keeper: Keeper | None = None,
    **options: Any,
) -> Fit:
    """Train ``network`` to classify ``samples``, by their gradient forward in time (docs/engines.md), and change its weights.

    Parameters
    ----------
    network : its last layer is a :class:`superspike.Readout` with a unit per class, its hidden layers are
        ``LIF(reset="subtract", tau_ref=0)``, its loss is one of trials and its delay one step
    epochs : how often all samples are learned from, in an order that the network's seed draws
    batch : samples per update of the weights, which follows their mean gradient
    validation : other samples, on which the accuracy is measured after each epoch
    test : yet others, which are read once, after everything has been chosen
    on_report : called after each tenth of an epoch; training ends there if it returns False
    on_compile : is given what compiles the kernels, e.g. to say that it takes a while
    source : what the samples were made from, to be written into the run's folder
    keeper : writes checkpoints, and knows the one from which the run goes on, if it does: :func:`superspike.resume`
    **options : the other fields of :class:`superspike.Fitting`: dropout, decay, choose, threads, rule
        (``bptt``: the exact surrogate gradient in the place of the local rule, for comparison)

    Raises
    ------
    ParameterError for networks and samples that do not fit, before anything is computed; and for numbers that cease to be finite,
    naming the epoch: the network then has the weights that it began with.
    """
    training = Fitting(epochs, batch, **options)
    for field in ("choose", "rule"):
        one_of(f"Fitting.{field}", getattr(training, field), config.WORDS[field])
    for name, given in (("samples", samples), ("validation", validation), ("test", test)):
        if given is not None:
            check_samples("fit", network, given, name)
            if (given.classes, given.duration) != (samples.classes, samples.duration):
                raise ParameterError(
                    f"fit.{name}: must have the classes and the duration of the others, {', '.join(samples.classes)} in "
                    f"{samples.duration:g} ms, got {', '.join(given.classes)} in {given.duration:g} ms"
                )
    if not isinstance(source, (Source, type(None))):
        raise ParameterError(f"fit.source: must be a Source(dataset, encoder, seed), or left out, got {source!r}")
    if training.choose == "best" and validation is None:
        raise ParameterError("Fitting.choose: must be last where there are no validation samples, got best")
    threads = training.threads or cores()
    config.options()  # two classes that share an option could not be saved
    initial_weights = None if network.is_drawn() else [w.copy() for w in network.weights]
    classifier = (ExactClassifier if training.rule == "bptt" else Classifier)(network, dropout=training.dropout, threads=threads)
    if on_compile:
        on_compile(lambda: classifier.compile(samples))
    else:
        classifier.compile(samples)
    learner = Learner(classifier, samples, validation, training)
    keeper = keeper or Keeper(None, 0)
    if keeper.start:
        keeper.start.restore({"learner": learner})
    table = config.table(source, network, training, initial_weights is not None)
    keeper.begin("samples", lambda new: write_config(new, table, network, initial_weights))
    with unharmed(network):
        for report in () if keeper.asked else learner.reports():
            keeper.asked = on_report is not None and ended(on_report(report))
            if keeper.due(learner.done):
                keeper.write({"learner": learner.snapshot()})
            if keeper.asked:
                break
    learner.choose()
    validated, tested = (None if given is None else classify(network, given, threads=threads) for given in (validation, test))
    shown = next(part for part in (test, validation, samples) if part is not None)
    return Fit(
        copy.deepcopy(network), training, *learner.tables(), validated, tested,
        list(decisions(Classifier(network), shown, one_of_each(shown.labels))), samples.classes, len(samples), source,
        keeper.asked and not learner.done,
        initial_weights,
    )  # fmt: skip


class Learner:
    """A classifier that goes through epochs of samples, and what is remembered of them."""

    def __init__(self, classifier: Classifier, samples: Samples, validation: Samples | None, training: Fitting) -> None:
        self.classifier, self.samples, self.validation, self.training = classifier, samples, validation, training
        self.rows: list[Report] = []
        self.counts: list[int] = []  # of samples, for each row
        self.best, self.best_weights = -1.0, [w.copy() for w in classifier.weights]
        n = -(-len(samples) // training.batch)
        self.edges = [0, *dict.fromkeys(n * k // PARTS for k in range(1, PARTS + 1) if n * k >= PARTS)]  # of parts, in batches
        self.parts = len(self.edges) - 1

    @property
    def done(self) -> bool:
        """Whether all epochs are over."""
        return len(self.rows) == self.training.epochs * self.parts

    def reports(self) -> Iterator[Report]:
        """Learn what is left, part by part of an epoch."""
        first_epoch, before = divmod(len(self.rows), self.parts)
        for epoch in range(first_epoch, self.training.epochs):
            self.classifier.learning_rate = self.training.decay**epoch
            batches = list(self.samples.batches(self.training.batch, self.classifier.network.seed, epoch))
            for first, end in list(itertools.pairwise(self.edges))[before if epoch == first_epoch else 0 :]:
                row = self._learn(epoch + end / len(batches), batches[first:end])
                if end == len(batches) and self.validation is not None:
                    row = row._replace(accuracy_validation=self._validate(self.validation))
                self.rows.append(row)
                yield row

    def _learn(self, epoch: float, batches: list[Array]) -> Report:
        begin, loss, right, spikes, n = time.perf_counter(), 0.0, 0, 0, sum(map(len, batches))
        for which in batches:
            try:
                found = self.classifier.train_batch(self.samples, which)
            except ParameterError as error:
                raise ParameterError(f"epoch {math.ceil(epoch - 1e-9)}: {error}") from None
            loss += float(found.loss.sum())
            right += int((found.prediction == self.samples.labels[which]).sum())
            spikes += int(found.spikes.sum())
        if not spikes and not self.counts:
            warn_silent(["hidden"], "a least number of spikes (rate_lower, rate_lower_strength) or the loss mean_over_time")
        self.counts.append(n)
        return Report(epoch, loss / n, right / n, spikes / n, 1e6 * (time.perf_counter() - begin) / n)

    def _validate(self, samples: Samples) -> float:
        accuracy = float((self.classifier.forward(samples).prediction == samples.labels).mean())
        if self.training.choose == "best" and accuracy > self.best:
            self.best, self.best_weights = accuracy, [w.copy() for w in self.classifier.weights]
        return accuracy

    def choose(self) -> None:
        """Go back to the epoch that was best on the validation samples, where that was wished."""
        if self.best >= 0:
            for own, best in zip(self.classifier.weights, self.best_weights, strict=True):
                own[...] = best
            self.classifier.network.refresh_feedback()

    def snapshot(self) -> dict[str, Array]:
        """All that changes."""
        rows = np.array([[np.nan if x is None else x for x in row] for row in self.rows]).reshape(-1, len(Report._fields))
        best = {f"best{k}": w for k, w in enumerate(self.best_weights)}
        return (
            self.classifier.snapshot() | best | {"rows": rows, "counts": np.array(self.counts, int), "best": np.array(self.best)}
        )

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go on from a :meth:`snapshot`."""
        if len(snapshot["rows"]) != len(snapshot["counts"]) or snapshot["rows"].shape[1:] != (len(Report._fields),):
            raise ParameterError(f"must hold a row for each report, got the shape {snapshot['rows'].shape}")
        best = [snapshot[f"best{k}"] for k in range(len(self.best_weights))]
        if [w.shape for w in best] != [w.shape for w in self.best_weights]:
            raise ParameterError("must hold the weights of the best epoch, of this network's shapes")
        self.classifier.restore(snapshot)
        self.rows = [Report(*row) for row in snapshot["rows"].tolist()]
        self.rows = [row._replace(accuracy_validation=None) if math.isnan(row[-1] or 0) else row for row in self.rows]
        self.counts, self.best, self.best_weights = snapshot["counts"].tolist(), float(snapshot["best"]), best

    def tables(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """A row an epoch, and a row a report."""
        rows, counts = np.array([row[:-1] for row in self.rows]), np.array(self.counts)
        epochs = np.ceil(rows[:, 0] - 1e-9)  # the epoch that a row belongs to, from 1 on
        means = [np.average(rows[epochs == k], axis=0, weights=counts[epochs == k]) for k in np.unique(epochs)]
        metrics = dict(zip(METRICS, np.array(means).T, strict=True))
        last = [self.rows[int(np.flatnonzero(epochs == k)[-1])] for k in np.unique(epochs)]
        metrics["epoch"] = np.array([row.epoch for row in last])
        if self.validation is not None:
            metrics["accuracy_validation"] = np.array([row.accuracy_validation for row in last], float)
        return metrics, dict(zip(METRICS, rows.T, strict=True))


def one_of_each(labels: Array) -> list[int]:
    """The first sample of each of the first few classes that there are."""
    return sorted(np.unique(labels, return_index=True)[1].tolist())[:SHOWN]

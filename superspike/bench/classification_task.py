"""What is timed: a network of 784-256-10, and pictures for it, MNIST's or made ones, which need no file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.network import Layer, Network
from ..model.neuron import LIF, Readout
from ..model.optimizer import Adam
from ..model.readout import MaxOverTime
from ..model.rule import Rule
from ..model.scheme import Scheme
from ..model.surrogate import FastSigmoid
from ..tasks.datasets import load_images
from ..tasks.encoders import PoissonRate, encode
from ..tasks.samples import Samples

Array = NDArray[Any]

SIDE, CLASSES = 28, 10
HIDDEN, BATCH, STEPS = 256, 128, 100
TRAIN, VALIDATION = 8192, 2048  # samples
POINTS, PEN = 60, 0.6  # of a stroke, and its width in pixels
UNIT = 10.0  # mV: the threshold above rest, and the potential that counts as 1 in the softmax


class PictureTask(NamedTuple):
    """Pictures to learn from and others to validate by, as latencies of spikes, and where they come from."""

    data: str
    train: Samples
    validation: Samples


def network(hidden: int = HIDDEN, weights: Sequence[Array] | None = None) -> Network:
    """One hidden layer and a readout, by the equations that users of PyTorch write (NMZ19), their 1 being 10 mV."""
    return Network(
        [SIDE * SIDE, hidden, Layer(CLASSES, Readout(tau_mem=20.0, tau_syn=5.0))], feedback="symmetric", weights=weights,
        neuron=LIF(tau_mem=10.0, tau_syn=5.0, tau_ref=0.0, reset="subtract"), surrogate=FastSigmoid(beta=20.0 / UNIT),
        loss=MaxOverTime(UNIT), optimizer=Adam(0.001 * UNIT), rule=Rule(w_max=100.0 * UNIT), w0=0.7 * UNIT,
        scheme=Scheme(dt=1.0, delay=1.0, integration="nmz19", precision="single"),
    )  # fmt: skip


def pictures(n: int, seed: int = 1) -> tuple[Array, Array]:
    """``n`` made pictures (n, 784), numbers in 0 … 1, and their classes: each class a stroke, shifted, turned and scaled."""
    strokes, drawn = np.random.default_rng(seed).spawn(2)
    labels = np.arange(n) % CLASSES
    waves = np.exp(1j * np.pi * np.arange(1, 4)[:, None] * np.linspace(0, 1, POINTS))
    sizes = strokes.normal(0, 1, (CLASSES, 2, 3)) + 1j * strokes.normal(0, 1, (CLASSES, 2, 3))
    paths = np.real(sizes @ waves)  # (classes, 2, points)
    paths -= paths.mean(axis=2, keepdims=True)
    paths *= 5.0 / paths.std(axis=2, keepdims=True)
    change = np.eye(2) + drawn.normal(0, 0.2, (n, 2, 2))
    path = change @ paths[labels] + (SIDE - 1) / 2 + drawn.normal(0, 2.0, (n, 2, 1))
    found = np.empty((n, SIDE * SIDE), np.float32)
    for i, (x, y) in enumerate(path):
        across, down = (np.exp(-((np.arange(SIDE) - at[:, None]) ** 2) / (2 * PEN**2)) for at in (x, y))
        found[i] = np.minimum(down.T @ across, 1.0).ravel()
    return found, labels


def picture_task(data: str | os.PathLike[str] | None = None) -> PictureTask:
    """Pictures of the four IDX files in the folder ``data``, or made ones. Raises DataFileError for files that are none."""
    if data is not None:
        parts = load_images(data)
        return PictureTask(os.fspath(data), parts.train[:TRAIN], parts.validation[:VALIDATION])
    samples = encode(*pictures(TRAIN + VALIDATION), duration=STEPS)
    return PictureTask("made pictures (MNIST's: --data DIR)", samples[:TRAIN], samples[TRAIN:])


def poisson_pictures(spikes: float, steps: int) -> Samples:
    """Made pictures whose pixels fire from the trial's beginning to its end, so many ``spikes`` a sample on average."""
    x, labels = pictures(4 * BATCH)
    return encode(x, labels, PoissonRate(1000 * spikes / steps / float(x.sum(1).mean())), duration=steps)

"""SuperSpike: online, local learning in networks of spiking neurons (Zenke & Ganguli 2018).

>>> import superspike as ss
>>> task = ss.tasks.text("HELLO", n_inputs=200, seed=1)
>>> net = ss.Network([200, 256, task.n_outputs], feedback="symmetric", seed=1)
>>> run = ss.train(net, task, duration_ms=100_000)  # doctest: +SKIP
>>> run.plot("hello.png"); print(run.cost)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import tasks as tasks
    from .engine.gradient import exact_gradient as exact_gradient
    from .interop.nir import from_nir as from_nir
    from .interop.nir import to_nir as to_nir
    from .interop.plasticity import SuperSpike as SuperSpike
    from .interop.third_factor import Feedback as Feedback
    from .interop.third_factor import VanRossumError as VanRossumError
    from .lab.alignment import Alignment as Alignment
    from .lab.alignment import AlignmentOverTraining as AlignmentOverTraining
    from .lab.alignment import alignment as alignment
    from .lab.classification import Classification as Classification
    from .lab.classification import classify as classify
    from .lab.config import Fitting as Fitting
    from .lab.config import Training as Training
    from .lab.fitting import Fit as Fit
    from .lab.fitting import fit as fit
    from .lab.job import resume as resume
    from .lab.observers import SilentNetworkWarning as SilentNetworkWarning
    from .lab.recording import Probes as Probes
    from .lab.run import Run as Run
    from .lab.sweep import sweep as sweep
    from .lab.training import Evaluation as Evaluation
    from .lab.training import evaluate as evaluate
    from .lab.training import train as train
    from .model.feedback import NoFeedback as NoFeedback
    from .model.feedback import Random as Random
    from .model.feedback import Sign as Sign
    from .model.feedback import Symmetric as Symmetric
    from .model.feedback import Uniform as Uniform
    from .model.loss import CrossEntropy as CrossEntropy
    from .model.loss import SquaredError as SquaredError
    from .model.loss import VanRossum as VanRossum
    from .model.loss import Windowed as Windowed
    from .model.network import Layer as Layer
    from .model.network import Network as Network
    from .model.network import load_weights as load_weights
    from .model.network import save_weights as save_weights
    from .model.neuron import LIF as LIF
    from .model.neuron import Readout as Readout
    from .model.optimizer import SGD as SGD
    from .model.optimizer import Adam as Adam
    from .model.optimizer import RMaxProp as RMaxProp
    from .model.optimizer import RMSprop as RMSprop
    from .model.parameters import Param as Param
    from .model.parameters import ParameterError as ParameterError
    from .model.parameters import parameters as parameters
    from .model.projection import Projection as Projection
    from .model.readout import EachStep as EachStep
    from .model.readout import LastStep as LastStep
    from .model.readout import MaxOverTime as MaxOverTime
    from .model.readout import MeanOverTime as MeanOverTime
    from .model.readout import Rates as Rates
    from .model.readout import WeightedSum as WeightedSum
    from .model.rule import Rule as Rule
    from .model.scheme import Scheme as Scheme
    from .model.surrogate import Exponential as Exponential
    from .model.surrogate import FastSigmoid as FastSigmoid
    from .model.surrogate import Gaussian as Gaussian
    from .model.surrogate import Linear as Linear
    from .model.surrogate import PiecewiseLinear as PiecewiseLinear
    from .model.surrogate import ScaledFastSigmoid as ScaledFastSigmoid
    from .model.surrogate import Sigmoid as Sigmoid
    from .spikes.distance import van_rossum_distance as van_rossum_distance
    from .spikes.distance import van_rossum_matrix as van_rossum_matrix
    from .spikes.files import read_ras as read_ras
    from .spikes.files import write_ras as write_ras
    from .spikes.score import answers as answers
    from .spikes.score import match as match
    from .spikes.trains import Spikes as Spikes
    from .tasks import Current as Current
    from .tasks import Latency as Latency
    from .tasks import PoissonRate as PoissonRate
    from .tasks import RandomManifolds as RandomManifolds
    from .tasks import Samples as Samples
    from .tasks import SyntheticSpeech as SyntheticSpeech
    from .tasks import Task as Task
    from .tasks import encode as encode
    from .tasks import fetch as fetch
    from .tasks import load_hdf5 as load_hdf5
    from .tasks import load_heidelberg as load_heidelberg
    from .tasks import load_idx as load_idx
    from .tasks import load_images as load_images

# Imported when they are first used: the command line answers --help without waiting for Numba.
_HOMES = {
    "engine.gradient": ("exact_gradient",),
    "model.parameters": ("Param", "ParameterError", "parameters"),
    "lab.alignment": ("Alignment", "AlignmentOverTraining", "alignment"),
    "lab.classification": ("Classification", "classify"),
    "lab.config": ("Fitting", "Training"),
    "lab.fitting": ("Fit", "fit"),
    "lab.job": ("resume",),
    "lab.recording": ("Probes",),
    "interop.nir": ("from_nir", "to_nir"),
    "model.feedback": ("NoFeedback", "Random", "Sign", "Symmetric", "Uniform"),
    "model.loss": ("CrossEntropy", "SquaredError", "VanRossum", "Windowed"),
    "model.network": ("Layer", "Network", "load_weights", "save_weights"),
    "model.neuron": ("LIF", "Readout"),
    "model.optimizer": ("SGD", "Adam", "RMSprop", "RMaxProp"),
    "model.projection": ("Projection",),
    "interop.plasticity": ("SuperSpike",),
    "model.readout": ("EachStep", "LastStep", "MaxOverTime", "MeanOverTime", "Rates", "WeightedSum"),
    "model.rule": ("Rule",),
    "lab.observers": ("SilentNetworkWarning",),
    "lab.run": ("Run",),
    "model.scheme": ("Scheme",),
    "spikes.trains": ("Spikes",),
    "spikes.files": ("read_ras", "write_ras"),
    "spikes.score": ("answers", "match"),
    "spikes.distance": ("van_rossum_distance", "van_rossum_matrix"),
    "model.surrogate": ("Exponential", "FastSigmoid", "Gaussian", "Linear", "PiecewiseLinear", "ScaledFastSigmoid", "Sigmoid"),
    "lab.sweep": ("sweep",),
    "tasks": (
        "Task",
        "Samples",
        "Latency",
        "PoissonRate",
        "Current",
        "RandomManifolds",
        "SyntheticSpeech",
        "encode",
        "load_idx",
        "load_images",
        "load_hdf5",
        "load_heidelberg",
        "fetch",
    ),
    "interop.third_factor": ("Feedback", "VanRossumError"),
    "lab.training": ("Evaluation", "evaluate", "train"),
}
_NAMES = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", "tasks", *_NAMES]


def __getattr__(name: str) -> Any:
    if name == "tasks":
        return importlib.import_module(".tasks", __name__)
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

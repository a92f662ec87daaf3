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
    from ._parameters import Param as Param
    from ._parameters import ParameterError as ParameterError
    from ._parameters import parameters as parameters
    from .config import Training as Training
    from .exchange import from_nir as from_nir
    from .exchange import to_nir as to_nir
    from .feedback import NoFeedback as NoFeedback
    from .feedback import Random as Random
    from .feedback import Symmetric as Symmetric
    from .feedback import Uniform as Uniform
    from .loss import VanRossum as VanRossum
    from .loss import Windowed as Windowed
    from .network import Network as Network
    from .network import load_weights as load_weights
    from .network import save_weights as save_weights
    from .neuron import LIF as LIF
    from .optimizer import SGD as SGD
    from .optimizer import RMaxProp as RMaxProp
    from .optimizer import RMSprop as RMSprop
    from .parallel import sweep as sweep
    from .plasticity import SuperSpike as SuperSpike
    from .rule import Rule as Rule
    from .run import Run as Run
    from .scheme import Scheme as Scheme
    from .spikes import Spikes as Spikes
    from .spikes import answers as answers
    from .spikes import match as match
    from .spikes import read_ras as read_ras
    from .spikes import van_rossum_distance as van_rossum_distance
    from .spikes import van_rossum_matrix as van_rossum_matrix
    from .spikes import write_ras as write_ras
    from .surrogate import Exponential as Exponential
    from .surrogate import FastSigmoid as FastSigmoid
    from .surrogate import Gaussian as Gaussian
    from .surrogate import Linear as Linear
    from .surrogate import PiecewiseLinear as PiecewiseLinear
    from .surrogate import Sigmoid as Sigmoid
    from .tasks import Task as Task
    from .third_factor import Feedback as Feedback
    from .third_factor import VanRossumError as VanRossumError
    from .training import Evaluation as Evaluation
    from .training import SilentNetworkWarning as SilentNetworkWarning
    from .training import evaluate as evaluate
    from .training import train as train

# Imported when they are first used: the command line answers --help without waiting for Numba.
_HOMES = {
    "_parameters": ("Param", "ParameterError", "parameters"),
    "config": ("Training",),
    "exchange": ("from_nir", "to_nir"),
    "feedback": ("NoFeedback", "Random", "Symmetric", "Uniform"),
    "loss": ("VanRossum", "Windowed"),
    "network": ("Network", "load_weights", "save_weights"),
    "neuron": ("LIF",),
    "optimizer": ("SGD", "RMSprop", "RMaxProp"),
    "plasticity": ("SuperSpike",),
    "rule": ("Rule",),
    "run": ("Run",),
    "scheme": ("Scheme",),
    "spikes": ("Spikes", "answers", "match", "read_ras", "van_rossum_distance", "van_rossum_matrix", "write_ras"),
    "surrogate": ("Exponential", "FastSigmoid", "Gaussian", "Linear", "PiecewiseLinear", "Sigmoid"),
    "parallel": ("sweep",),
    "tasks": ("Task",),
    "third_factor": ("Feedback", "VanRossumError"),
    "training": ("Evaluation", "SilentNetworkWarning", "evaluate", "train"),
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

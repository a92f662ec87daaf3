"""Tasks: a frozen input pattern and the target spikes that the outputs shall answer it with, repeated every period; trials.

Inputs and targets are parameter classes with a method ``spikes``; adding one is adding a class to ``patterns``, and the
command line picks up its fields as options. Targets that belong to inputs of their own have a method ``both`` instead.
:func:`make` joins one of each to a :class:`Task`; ``text("HELLO")`` and its siblings are the same in one call.

Labelled trials are :class:`Samples`: from arrays, from numbers through an encoder (:mod:`superspike.tasks.encoders`, a class
each), from files (:mod:`superspike.tasks.datasets`), or made (:class:`RandomManifolds`). Those that the command line knows
by name are classes of :mod:`superspike.tasks.labelled`. Imports ``model`` and ``spikes``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.parameters import check_seed
from .datasets import FASHION_MNIST as FASHION_MNIST
from .datasets import fetch as fetch
from .datasets import load_hdf5 as load_hdf5
from .datasets import load_heidelberg as load_heidelberg
from .datasets import load_idx as load_idx
from .datasets import load_images as load_images
from .encoders import ENCODERS as ENCODERS
from .encoders import Current as Current
from .encoders import Latency as Latency
from .encoders import PoissonRate as PoissonRate
from .encoders import encode as encode
from .labelled import CLASSIFICATION as CLASSIFICATION
from .labelled import DATASETS as DATASETS
from .labelled import Labelled as Labelled
from .labelled import Source as Source
from .patterns import FileInputs as FileInputs
from .patterns import FileTargets as FileTargets
from .patterns import Picture as Picture
from .patterns import PoissonInputs as PoissonInputs
from .patterns import PoissonTargets as PoissonTargets
from .patterns import RegularTargets as RegularTargets
from .patterns import Text as Text
from .patterns import poisson_spikes as poisson_spikes
from .randman import RandomManifolds as RandomManifolds
from .samples import Samples as Samples
from .samples import Split as Split
from .speech import SyntheticSpeech as SyntheticSpeech
from .task import INPUTS as INPUTS
from .task import PERIOD as PERIOD
from .task import TARGETS as TARGETS
from .task import FrozenPattern as FrozenPattern
from .task import Task as Task
from .xor import XOR as XOR


def make(inputs: Any = None, targets: Any = None, period_ms: float | None = None, seed: int = 1) -> Task:
    """Join an inputs class and a targets class (by default frozen Poisson noise and a text) to a :class:`Task`.

    ``period_ms``: by default the targets' own, or the files' end rounded up to the next 10 ms.
    """
    inputs = PoissonInputs() if inputs is None else inputs
    targets = Text() if targets is None else targets
    INPUTS.name_of(inputs)
    TARGETS.name_of(targets)
    if period_ms is not None:
        period_ms = PERIOD.check("Task.period_ms", period_ms)
    seed = check_seed("Task.seed", seed)
    inputs_rng, targets_rng = np.random.default_rng(seed).spawn(2)
    generated = isinstance(inputs, PoissonInputs)
    period = targets.natural_period() if period_ms is None else period_ms
    if hasattr(targets, "both"):
        input_spikes, target_spikes = targets.both(inputs.spikes(period, inputs_rng), period, targets_rng)
    else:
        target_spikes = targets.spikes(period, targets_rng)
        if generated and period is None:
            period = Task(target_spikes, target_spikes).period_ms
        input_spikes = inputs.spikes(period, inputs_rng)
    return Task(
        input_spikes, target_spikes, period, spec={"inputs": inputs, "targets": targets, "period_ms": period, "seed": seed}
    )


def text(
    text: str, *, n_inputs: int = 200, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Write ``text`` in spikes; ``options`` are those of :class:`Text` (outputs, target_rate, font)."""
    return make(PoissonInputs(n_inputs, input_rate), Text(text, **options), period_ms, seed)


def picture(
    image: str, *, n_inputs: int = 200, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Draw the picture in the file ``image`` in spikes; ``options`` are those of :class:`Picture` (outputs, target_rate)."""
    return make(PoissonInputs(n_inputs, input_rate), Picture(image, **options), period_ms, seed)


def files(
    input: str, target: str, *, n_inputs: int = 0, n_outputs: int = 0, period_ms: float | None = None,
    input_ids_from: int = 0, target_ids_from: int = 0,
) -> Task:  # fmt: skip
    """Inputs and targets from two .ras files; numbers of units by default from the largest ids."""
    return make(FileInputs(input, n_inputs, input_ids_from), FileTargets(target, n_outputs, target_ids_from), period_ms)


def regular(
    *, n_inputs: int = 100, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Equidistant target spikes; ``options`` are those of :class:`RegularTargets` (outputs, target_rate)."""
    return make(PoissonInputs(n_inputs, input_rate), RegularTargets(**options), period_ms, seed)


def poisson(
    *, n_inputs: int = 100, input_rate: float = 5.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:
    """Frozen Poisson target trains; ``options`` are those of :class:`PoissonTargets` (outputs, target_rate)."""
    return make(PoissonInputs(n_inputs, input_rate), PoissonTargets(**options), period_ms, seed)


def xor(
    *, n_inputs: int = 100, input_rate: float = 4.0, period_ms: float | None = None, seed: int = 1, **options: Any
) -> Task:  # fmt: skip
    """Spiking XOR; ``options`` are those of :class:`XOR` (set_size, gap_min, gap_max). For ``Network(loss="windowed")``."""
    return make(PoissonInputs(n_inputs, input_rate), XOR(**options), period_ms, seed)

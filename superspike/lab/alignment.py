"""How far what the local rule adds up points from the exact surrogate gradient: an angle for each projection.

The rule is the gradient of :mod:`superspike.engine.gradient` with something left out. It takes spikes as given where they reset a
neuron and where they reach their own layer, and errors reach a hidden layer at once: through matrices, with no σ' of the
layers above, and of their filters the readout's κ alone (or the van Rossum loss's α). So, in trials with symmetric feedback, the
readout's synapses have their exact gradient, and so do those of the last hidden layer but for reset and recurrence, as NMZ19 and
e-prop say (Bellec et al. 2020); below, errors lack a σ' and a filter for each layer passed. In streams the outputs spike: their
σ' and their filter are missing on the way to any hidden layer. Feedback that is not symmetric may still come to point the
gradient's way, as the weights above learn to fit it (Lillicrap et al. 2016): to be measured, not to be assumed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine.classifier import Classifier
from ..engine.gradient import exact_gradient
from ..engine.simulation import Simulation
from ..model.network import Network
from ..model.parameters import Param
from ..tasks import Labelled, Samples, Task
from . import config
from .classification import check_samples
from .fitting import Fit
from .job import carry_out
from .run import Run
from .saved import read_config

Array = NDArray[Any]


GRADIENTS: dict[str, dict[str, bool]] = {  # how much of it is taken: the switches
    "exact": {},
    "resets given": {"reset": False},
    "spikes given": {"reset": False, "recurrence": False},
}


class Alignment(NamedTuple):
    """The cosine of the angle between the local rule's sum and the exact gradient, at each projection's weights.

    NaN where one of the two is nothing: without feedback, or where nothing reaches a layer.
    """

    projections: tuple[str, ...]
    cosine: tuple[float, ...]

    @property
    def cosines(self) -> dict[str, float]:
        """The cosines by projection."""
        return dict(zip(self.projections, self.cosine, strict=True))

    @property
    def degrees(self) -> dict[str, float]:
        """The angles by projection: 0 to 180, 90 where the two have nothing to do with each other."""
        angles = np.degrees(np.arccos(np.clip(self.cosine, -1, 1)))
        return dict(zip(self.projections, angles.tolist(), strict=True))

    def summary(self) -> dict[str, float | None]:
        """The same with None for NaN."""
        return {name: None if np.isnan(angle) else angle for name, angle in self.degrees.items()}

    def __repr__(self) -> str:
        return f"<Alignment {', '.join(f'{name} {angle:.1f}°' for name, angle in self.degrees.items())}>"


def alignment(
    network: Network,
    data: Samples | Task,
    which: ArrayLike | None = None,
    *,
    reset: bool = True,
    recurrence: bool = True,
) -> Alignment:
    """The angle between what the local rule adds up, with today's weights, and the exact surrogate gradient.

    Parameters
    ----------
    data : labelled samples, over which both are summed, or a stream's task, of which they are over the first period, from rest
        and without updates
    which : the numbers of some of the samples
    reset, recurrence : whether the exact gradient goes through resets, and through the spikes that a layer sends to itself. A
        reset passes on the drop times f, more than 1 as a rule, in each step: the steeper the surrogate and the finer the
        steps, the more does the gradient grow on its way, until it says nothing (Zenke & Vogels 2021 leave it out)

    Raises
    ------
    ParameterError for data that do not fit, and for what has no exact gradient (:func:`superspike.exact_gradient`).
    """
    if isinstance(data, Task):
        simulation = Simulation(network, data)
        simulation.learn(True)
        simulation.advance(simulation.task.period)
        local = [-m for m in simulation.traces["m"]]
    else:
        check_samples("alignment", network, data, "data")
        _, local = Classifier(network).gradient(data, which)
    _, exact = exact_gradient(network, data, which, reset=reset, recurrence=recurrence)
    masks = [True if mask is None else mask for mask in network.masks]
    cosines = [cosine(mine * mask, g) for mine, mask, g in zip(local, masks, exact, strict=True)]
    return Alignment(tuple(projection.name for projection in network.projections), tuple(cosines))


def cosine(a: Array, b: Array) -> float:
    """Of the angle between two arrays, NaN where one is 0; their sizes may be those of gradients that grew or faded."""
    sizes = [float(np.abs(x).max()) for x in (a, b)]
    if not all(0 < size < np.inf for size in sizes):
        return float("nan")
    a, b = (x.astype(float) / size for x, size in zip((a, b), sizes, strict=True))
    return float(np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def variants(network: Network, data: Samples | Task) -> list[tuple[str, Alignment]]:
    """The alignment with each of GRADIENTS that differ in this network."""
    names = [*GRADIENTS] if any(network.recurrent) else [*GRADIENTS][:2]
    return [(name, alignment(network, data, **GRADIENTS[name])) for name in names]


class AlignmentOverTraining:
    """Measures alignment while a network learns, for who gives it to ``fit`` as ``on_report``, or to ``train`` as ``on_block``.

    >>> watch = AlignmentOverTraining(net, train[:200], every=5)  # doctest: +SKIP
    >>> fit(net, train, on_report=watch)  # doctest: +SKIP
    >>> print(watch)  # doctest: +SKIP

    Parameters
    ----------
    network, data : as of :func:`alignment`; the network is the one that learns
    every : how many reports, or blocks, lie between two measurements; the first is made at once
    then : what is to see the reports as well; training ends where it returns False
    **switches : reset and recurrence, of :func:`alignment`

    Attributes
    ----------
    at : when each measurement was made: epochs, or ms
    found : the :class:`Alignment` of each
    """

    def __init__(
        self,
        network: Network,
        data: Samples | Task,
        every: int = 1,
        then: Callable[[Any], bool | None] | None = None,
        **switches: bool,
    ) -> None:
        self.network, self.data, self.then, self.switches = network, data, then, switches
        self.every = Param("", "", ge=1).check("AlignmentOverTraining.every", every, int)
        self.at, self.found, self.reports = [0.0], [alignment(network, data, **switches)], 0

    def __call__(self, report: Any) -> bool | None:
        """Measure, if it is time."""
        self.reports += 1
        if self.reports % self.every == 0:
            self.at.append(report[0])
            self.found.append(alignment(self.network, self.data, **self.switches))
        return self.then(report) if self.then else None

    @property
    def degrees(self) -> dict[str, Array]:
        """The angles over training, by projection."""
        return {name: np.array([one.degrees[name] for one in self.found]) for name in self.found[0].projections}

    def __repr__(self) -> str:
        return "\n".join(f"{at:g}: {one!r}" for at, one in zip(self.at, self.found, strict=True))


def network_at_first(folder: str | os.PathLike[str], run: Run | Fit) -> Network:
    """The network of the run in a folder, before any training."""
    sizes = run.network.sizes
    return config.build_network(read_config(folder), sizes[0], sizes[-1])[0]


def over_training(
    task: Any, network: Network, training: Any, data: Samples | Task, every: int
) -> list[tuple[str, str, Alignment]]:
    """Train, and measure every so many reports (or blocks): when, which gradient, and the :class:`Alignment` with it."""
    watches = dict[str, AlignmentOverTraining]()
    last: Callable[[Any], bool | None] | None = None
    for name, _ in variants(network, data):
        last = watches[name] = AlignmentOverTraining(network, data, every, last, **GRADIENTS[name])
    observers: dict[str, Any] = {"on_report" if isinstance(task, Labelled) else "on_block": last}
    carry_out(task, network, training, **observers)
    rows = zip(*(zip(watch.at, watch.found, strict=True) for watch in watches.values()), strict=True)
    return [(f"{at:g}", name, found) for row in rows for name, (at, found) in zip(watches, row, strict=True)]

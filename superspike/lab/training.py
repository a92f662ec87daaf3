"""Training and evaluation: a loop over chunks, with observers that keep what becomes a :class:`Run`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.exact import ExactSimulation
from ..engine.simulation import Simulation
from ..model.network import Network
from ..model.parameters import Param, ParameterError, check_memory
from ..model.scheme import whole_steps
from ..spikes.score import Matches, match
from ..spikes.trains import Spikes
from ..tasks import Samples, Task
from . import config
from .checkpoint import Keeper
from .config import Training
from .folder import OWN, RECORDS
from .observers import Metrics, Observer, Outcome, Progress, Recorder, Report, ended, unharmed
from .recording import Probes
from .run import Run, layer_names
from .run import options as run_options
from .saved import write_config
from .schedule import Chunk, kept_bytes, measurement, schedule

Array = NDArray[Any]

PATIENCE = 10_000.0  # ms of training: a layer that has not spiked by then, or by the end of the run, gives a warning


def follow(simulation: Simulation, chunks: Iterable[Chunk], observers: Iterable[Observer]) -> bool:
    """Take the simulation through ``chunks``, before the eyes of ``observers``; whether none of them ended it by False.

    All that changes lies in the simulation and in the observers.
    """
    goes_on = True
    for chunk in chunks:
        simulation.learn(chunk.learns)
        outcome = simulation.advance(chunk.steps)
        if chunk.updates:
            simulation.update(chunk.rate)
        for observe in observers:
            goes_on &= observe(simulation, chunk, outcome) is not False
        if not goes_on:
            break
    return goes_on


def train(
    network: Network,
    task: Task,
    duration_ms: float = Training().duration_ms,
    *,
    on_block: Callable[[Progress], bool | None] | None = None,
    on_compile: Callable[[Simulation], None] | None = None,
    keeper: Keeper | None = None,
    probes: Probes | Sequence[str] = (),
    **options: Any,
) -> Run:
    """Train ``network`` on ``task`` with SuperSpike, online; the network's weights are changed in place.

    Parameters
    ----------
    duration_ms : simulated time after the burn-in (ms)
    on_block : called after every block; training ends there if it returns False
    on_compile : replaces ``Simulation.compile``, e.g. to say that compiling takes a while
    keeper : writes checkpoints, and knows the one from which the run goes on, if it does: :func:`superspike.resume`
    probes : what else to record (:mod:`superspike.lab.recording`): texts, or a :class:`superspike.Probes`, which holds it
    **options : the other fields of :class:`Training`: burn_in_ms, learning_rate_drop_ms, engine, record, rule
        (``bptt``: the exact surrogate gradient in the place of the local rule, for comparison)

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule, before anything is computed; and for numbers that cease to be
    finite, in whose first block training ends: the network then has the weights that it began with.
    """
    if not isinstance(task, Task):
        remedy = "; give samples.stream(), or learn them with fit" if isinstance(task, Samples) else ""
        raise ParameterError(f"train.task: must be a Task, got {type(task).__name__}{remedy}")
    training = Training(duration_ms, **options)
    config.options()  # two classes that share an option could not be saved
    dt, names, plan = network.scheme.dt, layer_names(network.sizes), schedule(training, network)
    network.checked(network.weights)  # they may have been changed by hand,
    network.refresh_feedback()  # and so is what follows them
    simulation = (ExactSimulation if training.rule == "bptt" else Simulation)(network, task, training.engine)
    initial_weights = None if network.is_drawn() else [w.copy() for w in network.weights]
    (on_compile or type(simulation).compile)(simulation)

    metrics = Metrics(network, names, min(plan.burn_in + round(PATIENCE / dt), plan.total))
    recorder = Recorder(simulation, names, training.record == "spikes")
    keeper = keeper or Keeper(None, 0)
    parts: dict[str, Any] = {"simulation": simulation, "metrics": metrics, "recorder": recorder}
    probes = probes if isinstance(probes, Probes) else Probes(probes, keeper.own / OWN / RECORDS if keeper.own else None)
    probes.begin(simulation, names, plan.total)
    parts |= {"probes": probes} if probes.probes else {}
    if keeper.start:
        keeper.start.restore(parts)
    keeper.begin(
        "stream",
        lambda new: write_config(new, run_options(task, network, training, initial_weights, new), network, initial_weights),
    )

    def keep(simulation: Simulation, chunk: Chunk, outcome: Outcome) -> None:
        if chunk.updates and keeper.due(simulation.step == plan.last_block):
            keeper.write({name: part.snapshot() for name, part in parts.items()})

    def report(progress: Progress) -> bool:
        keeper.asked |= on_block is not None and ended(on_block(progress))
        return not keeper.asked

    reports = [Report(metrics, report, simulation.step * dt)] if on_block else []
    chunks = () if keeper.asked else probes.cut(plan.chunks(simulation.step), simulation.step)
    with unharmed(network):
        finished = follow(simulation, chunks, [metrics, recorder, probes, *reports, keep])
        probes.flush()
        elapsed = keeper.elapsed_s
        simulation.check_sums()
    windows = recorder.windows()
    return Run(
        copy.deepcopy(network),
        task,
        training,
        metrics=metrics.columns(),
        spikes=recorder.spikes(windows),
        windows_ms=[(begin * dt, end * dt) for begin, end in windows],
        real_time_factor=simulation.step * dt / 1000 / elapsed,
        interrupted=(keeper.asked or not finished) and simulation.step < plan.total,
        initial_weights=initial_weights,
    )


class Evaluation(NamedTuple):
    """What a network does with its plasticity off: mean cost (Hz), firing rates (Hz), and how its spikes meet the target's.

    ``spikes`` holds the :class:`Spikes` of each layer and of ``target``; times (ms) from the beginning of the measurement.
    ``potentials`` (steps, outputs) are a readout's, in mV above rest, step by step; None where the outputs spike.
    """

    cost: float
    rates_hz: dict[str, float]
    matches: Matches
    duration_ms: float
    spikes: dict[str, Spikes]
    potentials: Array | None


def evaluate(
    network: Network,
    task: Task,
    duration_ms: float | None = None,
    *,
    engine: str = "event",
    tolerance_ms: float = 2.0,
    on_compile: Callable[[Simulation], None] | None = None,
) -> Evaluation:
    """Run ``network`` on ``task`` with its plasticity off, from rest, and measure after a first period that is left out.

    Parameters
    ----------
    duration_ms : measured time (ms), by default ten periods
    tolerance_ms : how far apart (ms) an output and a target spike may be to count as a hit
    """
    dt = network.scheme.dt
    duration = 10 * task.period_ms if duration_ms is None else duration_ms
    duration = Param("ms", "", gt=0).check("evaluate.duration_ms", duration)
    tolerance_ms = Param("ms", "", ge=0).check("evaluate.tolerance_ms", tolerance_ms)
    total = whole_steps("evaluate.duration_ms", duration, dt)
    all_spikes = (len(task.inputs) + len(task.targets)) / task.period_ms * duration
    check_memory("evaluate.duration_ms", f"{duration:g} ms", 16 * all_spikes + kept_bytes(network, total, everything=True))
    simulation = Simulation(network, task, engine)
    (on_compile or type(simulation).compile)(simulation)
    names, begin = layer_names(network.sizes), simulation.task.period
    metrics, recorder = Metrics(network, names), Recorder(simulation, names, everything=True)
    potentials: list[Array] = []

    def keep(simulation: Simulation, chunk: Chunk, outcome: Outcome) -> None:
        potentials.append(outcome[1].potentials)

    follow(simulation, measurement(simulation.block_steps, begin, total), [metrics, recorder, keep])
    spikes = recorder.spikes([(begin, begin + total)], origin=begin)
    return Evaluation(
        cost=metrics.last[1],
        rates_hz={name: spikes[name].rate_hz(duration) for name in names},
        matches=match(spikes["output"], spikes["target"], tolerance_ms),
        duration_ms=duration,
        spikes=spikes,
        potentials=np.concatenate(potentials)[-total:] if network.readout else None,
    )

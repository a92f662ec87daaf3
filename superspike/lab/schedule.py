"""What happens when: a run as chunks of steps, none of which reaches beyond the end of a block or of the burn-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..model.network import Network
from ..model.parameters import check_memory, one_of
from ..model.scheme import ENGINES, whole_steps
from .config import RECORDS, RULES, Training

LATE_RATE = 0.1  # of the learning rate, after its drop


class Chunk(NamedTuple):
    """Some steps of a run."""

    steps: int
    learns: bool = False  # whether the plasticity is on
    updates: bool = False  # whether a block ends with it, and the weights change
    rate: float = 1.0  # times which they change by the optimiser's steps
    reports: bool = False  # whether observers make a row of what happened since the last one


class Schedule(NamedTuple):
    """A training, in steps. It holds nothing that changes: what is left of it depends on the step alone."""

    block: int
    burn_in: int
    total: int  # with the burn-in
    drop: int  # of the learning rate; the total: never

    @property
    def last_block(self) -> int:
        """The step at which the last whole block ends: what goes on later goes on from there."""
        return (self.total - 1) // self.block * self.block + 1

    def chunks(self, step: int = 0) -> Iterator[Chunk]:
        """What is left from ``step`` on.

        A block, and the burn-in too, includes the step that is its multiple. So step 0 is a block of its own, too short to
        report.
        """
        while step < self.total:
            learns = step > self.burn_in
            to_end = -step % self.block + 1  # of the block
            stop = self.total if learns else min(self.burn_in + 1, self.total)
            steps = min(to_end, stop - step)
            step += steps
            ends = steps == to_end
            yield Chunk(
                steps,
                learns,
                updates=ends,
                rate=LATE_RATE if step > self.drop + 1 else 1.0,
                reports=step == self.total or (ends and step > 1),
            )


def schedule(training: Training, network: Network) -> Schedule:
    """The schedule of ``training``. Raises ParameterError for what no training can be."""
    dt = network.scheme.dt
    one_of("Training.record", training.record, RECORDS)
    one_of("Training.engine", training.engine, ENGINES)
    one_of("Training.rule", training.rule, RULES)
    burn_in = whole_steps("Training.burn_in_ms", training.burn_in_ms, dt)
    total = burn_in + whole_steps("Training.duration_ms", training.duration_ms, dt)
    drop = whole_steps("Training.learning_rate_drop_ms", training.learning_rate_drop_ms, dt)
    block, kept = whole_steps("Rule.block", network.rule.block, dt), kept_bytes(network, total, training.record == "spikes")
    check_memory("Rule.block", f"{network.rule.block:g} ms", 12 * min(block, total) * (len(network.sizes) + 1))  # its log
    check_memory("Training.duration_ms", f"{total * dt:g} ms with the burn-in", kept)
    return Schedule(block, burn_in, total, burn_in + drop if drop else total)


def kept_bytes(network: Network, total: int, everything: bool) -> float:
    """About how much is kept of ``total`` steps: a row of metrics per block, and of ``everything`` the spikes' arrays as well."""
    return (250 if everything else 32) * (len(network.sizes) + 2) * total * network.scheme.dt / network.rule.block


def measurement(block: int, before: int, total: int) -> Iterator[Chunk]:
    """``before`` steps that settle and ``total`` steps that are measured, in pieces of a ``block``, without plasticity."""
    for part in (before, total):
        for step in range(0, part, block):
            steps = min(block, part - step)
            yield Chunk(steps, reports=step + steps == part)

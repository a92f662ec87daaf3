"""A network in motion: flat arrays, spike log and engine, driven block by block."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.filters import HOLD, NO_FILTER
from ..model.loss import needs
from ..model.network import Network
from ..model.neuron import CELL, Readout
from ..model.parameters import Param, ParameterError, cast, check_memory, one_of
from ..model.readout import of_trials
from ..model.rule import RHO_PER_MV2
from ..model.scheme import ENGINES, cost_per_squared_error, error_filter, pre_filter, readout_filter, trace_filter, whole_steps
from ..tasks import Task
from . import clock, event, traces
from .calls import address, numbers
from .jit import check_learning, check_method, compile_lock, cores, read_only, together
from .state import (
    WINDOW,
    Constants,
    Layout,
    Limits,
    Log,
    State,
    asking,
    copy_neurons,
    initial_state,
    layout,
    matrix,
    padded,
    random_state,
    set_random_state,
    with_own_neurons,
    zeros,
)
from .update import update

Array = NDArray[Any]


STRIP = 128  # columns of a feedback matrix
THREADED = 2**18  # synapses from which on a second thread pays
MOST_IDS = 2**28  # in a log: 1 GiB


def threads_for(where: Layout) -> int:
    """One thread per core for a large network, one for a small one."""
    return cores() if where.w_start[-1] >= THREADED else 1


class Simulation:
    """Runs ``network`` on ``task``; time goes on from call to call, and ``step`` counts the steps so far.

    It begins with a copy of the network's weights, ``weights``; from the first update on the network holds views of them.
    ``threads`` share the event engine's synapses (default: one per core for a large network, else one); their number does
    not change a bit.
    """

    def __init__(self, network: Network, task: Task, engine: str = "event", threads: int | None = None) -> None:
        one_of("engine", engine, ENGINES)
        threads = None if threads is None else Param("", "", ge=1).check("Simulation.threads", threads, int)
        sizes, ends = network.sizes, (task.n_inputs, task.n_outputs)
        if (sizes[0], sizes[-1]) != ends:
            raise ParameterError(f"Network.sizes: must begin and end with the task's {ends[0]} and {ends[1]} units, got {sizes}")
        if of_trials(network.loss):
            raise ParameterError(f"Network.loss: must be a stream's, asked in every step, got {network.loss!r}, one of trials")
        if any(network.rates):
            raise ParameterError(f"Network.rates: must be left out, spike counts are those of trials, got {network.rates!r}")
        scheme, rule, dtype = network.scheme, network.rule, network.dtype
        self.network, self.task, self.engine, self.step = network, task.in_steps(scheme.dt), engine, 0
        self.block_steps = whole_steps("Rule.block", rule.block, scheme.dt)
        delay = whole_steps("Scheme.delay", scheme.delay, scheme.dt)
        check_memory("Scheme.delay", f"{scheme.delay:g} ms", 2 * delay * sum(map(padded, sizes)) * dtype().itemsize)
        delays = [whole_steps("Projection.delay", time, scheme.dt) for time in network.delays]
        check_memory("Projection.delay", f"{max(network.delays):g} ms", 16 * max(delays) * (len(sizes) + 2))  # of the log
        spiking = network.layers[1:]
        self._cells = [layer.neuron.cell(scheme.dt, scheme.integration) for layer in spiking]
        self.n_ref = np.array([0, *(whole_steps("tau_ref", layer.neuron.tau_ref, scheme.dt) for layer in spiking)])
        most_inputs, most_targets = self.task.most_spikes
        self._room = self._declared("room", sizes[-1], sizes[-1], most_targets, 1)
        error, impulse = error_filter(rule, scheme) if network.loss.filtered else (None, 1.0)
        self.where = layout(sizes, network.pairs, delays)
        pre, trace = pre_filter(rule, scheme), trace_filter(rule, scheme)
        read = pre
        if network.readout:
            read = trace = readout_filter(network.readout, scheme)
        self.constants = Constants(
            step=np.zeros(len(sizes), np.int64),
            cells=numbers([(), *self._cells], dtype),
            surrogates=numbers([(), *(layer.surrogate for layer in spiking)], dtype),
            n_ref=self.n_ref,
            ask=0,
            loss=numbers([network.loss], dtype)[0],
            readout=int(network.readout is not None),
            pre=cast(pre, dtype),
            read=cast(read, dtype),
            trace=cast(trace, dtype),
            error=cast(error or NO_FILTER, dtype),
            impulse=dtype(impulse),
            ahead=int(not network.loss.filtered),
            het_decay=dtype(math.exp(-scheme.dt / rule.tau_het)),
            exponent=dtype(rule.exponent),
            rho=dtype(rule.rho * RHO_PER_MV2),
            outputs=sizes[-1],
            room=self._room,
            window=whole_steps(f"{type(network.loss).__name__}.window", network.loss.window_ms, scheme.dt),
            delay=delay,
        )
        ring = 1 << (delay + WINDOW - 1).bit_length()
        self.state = initial_state(
            self.where, sizes[-1], self._declared("memory", sizes[-1]), network.optimizer.memories, ring, rule.exponent, dtype
        )
        self.weights = self._matrices(self.state.w)
        for own, w in zip(self.weights, network.checked(network.weights), strict=True):
            own[:] = w
        self.plastic = np.zeros(len(network.projections), np.bool_)
        low, high = (np.concatenate(ends).astype(dtype) for ends in zip(*network.bounds, strict=True))
        self._limits = Limits(low, high, self._mask())
        self.cost_scale = (cost_per_squared_error(rule, scheme) if network.loss.filtered else 1.0) / sizes[-1]
        self._method = cast(network.optimizer, dtype)
        interval = traces.interval(self.block_steps, pre, trace, read)
        both = (pre, trace), (read, HOLD)
        tables = [traces.propagators(p, g, error, impulse, interval, dtype) for p, g in both]
        self._tables = traces.Propagators(*map(np.stack, zip(*tables, strict=True)))
        self.threads = 1 if engine == "clock" else threads or threads_for(self.where)
        most_spikes = WINDOW * most_inputs + sum(sizes[1:] * (WINDOW // (self.n_ref[1:] + 1) + 1))
        most_errors = (WINDOW + 1) * (most_targets + sizes[-1] if network.loss.follows_spikes else self._room)
        self._work = [
            event.workspace(self.where, dtype, most_spikes, most_errors, part, self.threads) for part in range(self.threads)
        ]
        self._states = [self.state, *(with_own_neurons(self.state) for _ in self._work[1:])]
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        per_step = most_inputs + most_targets + sum(sizes[1:] / (self.n_ref[1:] + 1)) + self._room + len(sizes) + sizes[-1]
        self._longest = max(1, int(MOST_IDS / per_step))
        self._totals: Array = np.zeros((self.threads, len(self.plastic)), dtype)
        self._history = delay + max(delay, *self.where.delay) + 2
        nothing = np.zeros(self._history + 1, np.int64), np.zeros(0, np.int32)
        self._tails = [nothing] * (len(sizes) + (1 if network.loss.follows_spikes else 2))
        self._tail_sizes: Array = np.zeros(0, dtype)  # of the last one's errors
        self._feedback = zeros(int(self.where.b_start[-1]), dtype, 6)
        self._copy_feedback()
        self._check_methods()

    def _declared(self, method: str, *arguments: int) -> int:
        """What a method of the loss says that it needs."""
        return needs(self.network.loss, method, *arguments)

    def _matrices(self, flat: Array) -> list[Array]:
        """Views of a flat array over synapses as one (n_pre, n_post) matrix per projection."""
        ends, sizes = self.where.w_start, self.network.sizes
        widths = [sizes[post] for _, post in self.network.pairs]
        return [matrix(flat, ends[k], ends[k + 1], padded(n), n) for k, n in enumerate(widths)]

    def _mask(self) -> Array:
        """Where synapses are, over all of them; nothing where no projection has a mask."""
        masks = self.network.masks
        flat = np.ones(int(self.where.w_start[-1]) if any(mask is not None for mask in masks) else 0, np.bool_)
        if len(flat):
            for own, mask in zip(self._matrices(flat), masks, strict=True):
                own[:] = True if mask is None else mask
        return flat

    @property
    def traces(self) -> dict[str, list[Array]]:
        """Views of the synapses' eligibility traces and sums, as ``h1``, ``h2``, ``m``: (n_pre, n_post) per projection.

        Where a mask leaves out a synapse they are those that one would have.
        """
        return {name: self._matrices(getattr(self.state, name)) for name in ("h1", "h2", "m")}

    def _copy_feedback(self) -> None:
        for layer, b in enumerate(self.network.feedback_weights, 1):
            begin, end = self.where.b_start[layer], self.where.b_start[layer + 1]
            target = matrix(self._feedback, begin, end, padded(b.shape[1]), b.shape[1])
            for j in range(0, b.shape[1], STRIP):  # symmetric feedback is transposed: the cache holds a strip of it
                target[:, j : j + STRIP] = b[:, j : j + STRIP]

    def learn(self, on: bool) -> None:
        """Switch plasticity on (what is not plastic, and hidden layers without feedback, stays frozen) or off.

        What is off rests: the synapses' traces, and the errors of hidden layers of which no synapse learns.
        """
        self.plastic[:] = np.array(self.network.plastic) & on
        if not self.network.feedback.follows_weights and not any(np.any(b) for b in self.network.feedback_weights):
            self.plastic[self.where.post != self.where.output] = False

    def steps_to_update(self) -> int:
        """Steps until the current block ends with an update: blocks end with, and include, their multiple."""
        return (-self.step) % self.block_steps + 1

    def _check_methods(self) -> None:
        """Raise the error that says what is wrong with somebody's own class, for the compiler or for memory."""
        network, dtype, ids = self.network, self.network.dtype, np.zeros(1, np.int32)
        u: Array = np.zeros(1, dtype)
        check_method("impulses", cast(network.loss, dtype), read_only(ids), read_only(ids), read_only(u), 1, np.zeros(1), ids, u)
        for layer, cell in zip(network.layers[1:], self._cells, strict=True):
            check_learning(layer.surrogate, network.optimizer, dtype)
            for method, arguments in CELL.items():
                check_method(method, cast(cell, dtype), *[dtype(1)] * len(arguments))

    def _link(self) -> None:
        """Compile the code of neurons, surrogates and loss, which kernels call, or load it from the cache."""
        network, held = self.network, (self.where, self.constants, self.state, self._open_log(0))
        engine, more = (event, (1, 1, 1, 1)) if self.engine == "event" else (clock, (1, 1, 1))
        with compile_lock():
            for k, (layer, cell) in enumerate(zip(network.layers[1:], self._cells, strict=True), 1):
                if isinstance(layer.neuron, Readout):
                    self.constants.step[k] = address(engine.reading, (cell,), network.dtype, held, *more)
                else:
                    self.constants.step[k] = address(engine.stepping, (cell, layer.surrogate), network.dtype, held, *more)
            self.constants = self.constants._replace(ask=address(asking, (network.loss,), network.dtype, held, 1, 1))

    def compile(self) -> None:
        """Compile the kernels, or load them from the cache, so that no later call has to."""
        self._link()
        with compile_lock():
            self._run_engine(self._open_log(0), 0)
            self._run_update(np.zeros_like(self.plastic), 1.0)

    def _run_engine(self, log: Log, steps: int) -> None:
        """Each thread simulates all neurons, on arrays of its own, and its share of the synapses: none waits for another."""
        if not self.constants.ask:
            self._link()
        arguments = (log, self._feedback, self.plastic, self.step, steps)
        if self.engine == "clock":
            clock.advance(self.where, self.constants, self.state, *arguments)
        elif not self.plastic.any():
            whole = self._work[0]._replace(end=self._work[-1].end)
            event.advance(self.where, self.constants, self.state, *arguments, self._tables, whole)
        else:
            logs = [log, *(Log(*(x.copy() for x in log)) for _ in self._work[1:])]
            for state in self._states[1:]:
                copy_neurons(self.state, state)

            def advance(work: event.Work, state: State, log: Log) -> None:
                event.advance(self.where, self.constants, state, log, *arguments[1:], self._tables, work)

            together(self._pool, advance, list(zip(self._work, self._states, logs, strict=True)))

    def _run_update(self, plastic: Array, rate: float) -> None:
        rule, dtype, memories = self.network.rule, self.network.dtype, tuple(self.state.memories)

        def share(part: int) -> None:
            update(
                self.where, part, self.threads, self.state, memories, plastic, self._limits, self._method, dtype(rate),
                self.block_steps, dtype(rule.block), self.constants.rho, self._totals,
            )  # fmt: skip

        together(self._pool, share, [(part,) for part in range(self.threads)])

    def advance(self, steps: int) -> tuple[float, Log]:
        """Simulate ``steps`` ≥ 1 steps; return their mean cost (Hz) and the log of spikes in these steps."""
        if steps < 1:
            raise ParameterError(f"Simulation.advance.steps: must be a whole number >= 1, got {steps!r}")
        self.state.squares[:] = 0
        logs = [self._advance(min(self._longest, steps - done)) for done in range(0, steps, self._longest)]
        log = logs[0] if len(logs) == 1 else joined(logs, self._history)
        return float(self.state.squares.sum()) / steps * self.cost_scale, log

    def _advance(self, steps: int) -> Log:
        """Simulate so few steps that their log has room."""
        log = self._open_log(steps)
        try:
            self._run_engine(log, steps)
        except IndexError as error:  # of the loss, whose arrays alone are checked
            name, step = type(self.network.loss).__name__, int(self.state.asked[0])
            raise ParameterError(
                f"{name}.impulses: must keep to its arrays and return how many errors it wrote, at most "
                f"{self._room} a step (its room) and only of outputs 0 … {self.constants.outputs - 1}, "
                f"got something else in step {step} ({step * self.network.scheme.dt:g} ms)"
            ) from error
        self.step += steps
        self._keep_tails(log)
        return log

    def update(self, rate: float = 1.0) -> None:
        """End the block: change the weights, ``rate`` times the optimiser's step, and renew the feedback."""
        if not self.plastic.any():
            return
        self._totals[:] = 0
        self.state.updates[0] += 1
        self._run_update(self.plastic, rate)
        self.state.zeta_sum[:] = 0
        self._refuse_infinity(self._totals.sum(0))
        self.network.weights = self.weights
        if self.network.feedback.follows_weights:
            self.network.refresh_feedback()
            self._copy_feedback()

    def check_sums(self) -> None:
        """Raise the error of :meth:`update` for what the gradients of a block that is not over hold already."""
        self._refuse_infinity(np.array([m.sum() for m in self.traces["m"]]))

    def _refuse_infinity(self, totals: Array) -> None:
        """Raise the error for the first projection of which not even a total is finite."""
        if not math.isfinite(totals.sum()):
            layer, time = self.where.post[~np.isfinite(totals)][0], (self.step - 1) * self.network.scheme.dt
            raise ParameterError(
                "Simulation.update: must find finite numbers, got NaN or infinity in the gradients or changes of the weights "
                f"onto layer {layer} (0: the input) at {time:g} ms; look at surrogate and optimizer, if they are your own, "
                "or lower the learning rate"
            )

    def _open_log(self, steps: int) -> Log:
        """A log with room for the spikes of ``steps`` steps; history, inputs and targets filled in."""
        spiking = zip(self.network.sizes[1:], self.n_ref[1:], strict=True)
        most = [n * (steps // int(n_ref + 1) + 1) + 2 * padded(n) for n, n_ref in spiking]  # 2: for find_spikes
        inputs, targets = self.task.window(self.step, steps)
        n, shown = len(self.network.sizes), len(targets[1])
        room = [len(inputs[1]), *most, shown]
        if not self.network.loss.follows_spikes:
            room.append(min(self._declared("room", self.network.sizes[-1], most[-1], shown, steps), self._room * steps))
        begins = [0, *accumulate(len(tail) + n for (_, tail), n in zip(self._tails, room, strict=True))]
        ids = np.empty(begins[-1], np.int32)
        ptr = np.empty((len(room), self._history + steps + 1), np.int32)
        for row, (ends, tail) in enumerate(self._tails):
            ptr[row, : self._history + 1] = begins[row] + ends
            ids[begins[row] : begins[row] + len(tail)] = tail
        for row, (ends, given) in ((0, inputs), (n, targets)):
            first = ptr[row, self._history]
            np.add(ends, first, out=ptr[row, self._history + 1 :])
            ids[first : first + len(given)] = given
        sizes = np.empty(0 if self.network.loss.follows_spikes else begins[-1] - begins[-2], self.network.dtype)
        sizes[: len(self._tail_sizes)] = self._tail_sizes
        outputs = self.network.sizes[-1]
        return Log(ptr, ids, sizes, np.empty((steps if self.network.readout else 0, outputs), self.network.dtype))

    def _keep_tails(self, log: Log) -> None:
        """Keep the last steps' spikes, which the next call still delivers."""
        last = log.ptr[:, -self._history - 1 :]
        self._tails = [(row - row[0], log.ids[row[0] : row[-1]].copy()) for row in last]
        self._tail_sizes = log.sizes[last[-1, 0] - log.ptr[-1, 0] : last[-1, -1] - log.ptr[-1, 0]].copy()

    def snapshot(self) -> dict[str, Array]:
        """Everything that changes, the weights too, as a dictionary of arrays: see :meth:`restore`."""
        found = self.state._asdict() | {"plastic": self.plastic, "step": np.array(self.step)}
        found |= {f"b{k}": b for k, b in enumerate(self.network.feedback_weights, 1)}
        for row, (ends, ids) in enumerate(self._tails):
            found |= {f"tail{row}_ends": ends, f"tail{row}_ids": ids}
        found["tail_sizes"] = self._tail_sizes
        return {name: x.copy() for name, x in found.items()} | {"random": random_state(self.network.feedback_rng)}

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go on from a :meth:`snapshot` of a simulation of the same network, task and engine, with any number of threads.

        Where a block had just ended, all goes on to the last bit. Within a block, the event engine's intervals lie
        differently afterwards: its sums are rounded otherwise.

        Raises
        ------
        ParameterError for a snapshot of another kind of simulation; this one is then as it was.
        """
        network = self.network
        address, own = "Simulation.restore: must be a snapshot of", self.snapshot()
        if set(snapshot) != set(own):
            raise ParameterError(f"{address} the same kind, {', '.join(own)}, got {', '.join(snapshot) or 'nothing'}")
        tails = [(snapshot[f"tail{row}_ends"].copy(), snapshot[f"tail{row}_ids"].copy()) for row in range(len(self._tails))]
        for name, x in own.items():
            ours, theirs = ((y.dtype, y.shape) for y in (x, snapshot[name]))
            if ours != theirs and name != "random" and not name.startswith("tail"):
                raise ParameterError(f"{address} the same network, with {name} {ours[0]} {ours[1]}, got {theirs[0]} {theirs[1]}")
        sizes = network.sizes
        tail_sizes = snapshot["tail_sizes"].copy()
        if len(tail_sizes) != (0 if network.loss.follows_spikes else len(tails[-1][1])):
            raise ParameterError(f"{address} the same network, with a size of each error, got {len(tail_sizes)}")
        for (ends, ids), n in zip(tails, [*sizes, sizes[-1], sizes[-1]], strict=False):
            own_length = ends.shape == (self._history + 1,) and ends[0] == 0 and ends[-1] == len(ids)
            if not own_length or np.any(np.diff(ends) < 0) or np.any((ids < 0) | (ids >= n)):
                raise ParameterError(f"{address} the same network, with spikes of the last {self._history} steps, got others")
        self._check_snapshot(address, snapshot)
        for name, x in [*self.state._asdict().items(), ("plastic", self.plastic)]:
            x[...] = snapshot[name]
        self.step = int(snapshot["step"])
        self._tails, self._tail_sizes = tails, tail_sizes
        for work in self._work:
            work.zero[:] = False  # as far as known
        network.weights, count = self.weights, len(network.feedback_weights)
        network.feedback_weights = [snapshot[f"b{k}"].copy() for k in range(1, count + 1)]
        set_random_state(network.feedback_rng, snapshot["random"])
        self._copy_feedback()

    def _check_snapshot(self, address: str, snapshot: Mapping[str, Array]) -> None:
        """Raise ParameterError for numbers that this network's neurons and projections cannot have."""
        if not 0 <= snapshot["step"] < 2**53:
            raise ParameterError(f"{address} a run, with a step >= 0 and < 2⁵³, got {snapshot['step']}")
        start, longest = self.where.start, self.n_ref + 1
        for layer, (a, b) in enumerate(pairwise(start)):
            left = snapshot["refractory"][a:b]
            if np.any((left < 0) | (left > longest[layer])):
                raise ParameterError(
                    f"{address} the same network, with refractory periods of at most {self.n_ref[layer]} steps in layer {layer}, "
                    f"got {left.max()} steps to go"
                )
        if np.any(snapshot["plastic"] & ~np.array(self.network.plastic)):
            raise ParameterError(f"{address} the same network, with the same frozen projections, got plastic ones")
        self.network.checked(self._matrices(snapshot["w"]))

    def counts(self, log: Log) -> Array:
        """How many spikes each layer and, in the end, the targets had in a call's steps."""
        n = len(self.network.sizes) + 1
        return log.ptr[:n, -1] - log.ptr[:n, self._history]

    def spikes(self, log: Log, row: int) -> tuple[Array, Array]:
        """Steps and ids of the spikes of layer ``row`` (the layers' number: the targets) in the last call's steps."""
        ptr = log.ptr[row, self._history :]
        begin, end = int(ptr[0]), int(ptr[-1])
        steps = np.searchsorted(ptr, np.arange(begin, end, dtype=ptr.dtype), "right")  # of one type: else all of ptr is cast
        steps += self.step - len(ptr)
        return steps, log.ids[begin:end].copy()


def joined(logs: list[Log], history: int) -> Log:
    """One log of the calls that followed each other."""
    rows, ids, begin = [], [], 0
    for row in range(len(logs[0].ptr)):
        pieces = [log.ptr[row, history if k else 0 :] for k, log in enumerate(logs)]
        ids += [log.ids[ends[0] : ends[-1]] for log, ends in zip(logs, pieces, strict=True)]
        rows.append(begin + np.cumsum([0, *np.concatenate([np.diff(ends) for ends in pieces])]))
        begin = rows[-1][-1]
    potentials = np.concatenate([log.potentials for log in logs])
    return Log(np.stack(rows), np.concatenate(ids), logs[0].sizes[:0], potentials)  # the engine has read the errors

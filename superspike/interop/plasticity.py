"""The rule alone, for other people's simulation loops: one projection's traces, driven step by step by the caller's arrays.

The mathematics is the event engine's (:mod:`superspike.engine.traces`), and so are its loops: eight sums per post neuron in every
step, a row of synapses only when its presynaptic neuron spikes. The order of a step and the axonal delay D are those of
:mod:`superspike.model.scheme`. The delay lives in here: the caller passes what happens today, and rings of the last D steps'
surrogates and the last 2 D steps' spikes line them up.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine import traces, update
from ..engine.jit import bound, check_learning, compiled, each, inlined, kernel
from ..engine.state import arrays, padded, zeros
from ..engine.traces import (
    GAIN,
    TAGS,
    Frames,
    Propagators,
    apply_map,
    begin_free,
    chain_free,
    chain_map,
    enter_spike,
    load_eight,
    new_frame,
    next_sums,
    place,
    store_eight,
)
from ..engine.vectors import item, lanes, load
from ..model import rule, surrogate
from ..model.filters import Filter
from ..model.neuron import LIF
from ..model.optimizer import OPTIMIZERS
from ..model.parameters import Param, ParameterError, cast, check_memory, check_plain, fields
from ..model.rule import RHO_PER_MV2, Rule
from ..model.scheme import Scheme, keywords, pre_filter, trace_filter, whole_steps
from ..model.surrogate import SURROGATES

Array = NDArray[Any]

RULE, SCHEME, NEURON = Rule(), Scheme(), LIF()  # the defaults
GIVEN = Filter(1.0, 1.0, 1.0)  # of the error: the caller filters it

derivative, update_row, flush = surrogate.derivative, update.update_row, inlined(rule.flush)
own_rate_step, own_rate_spikes = inlined(rule.own_rate_step), inlined(rule.own_rate_spikes)

STEP, Q, NOW, UPDATES = 0, 1, 2, 3  # of the counters


class Traces(NamedTuple):
    """Everything that changes. ``width`` is n_post, padded; q counts the steps of an interval, D those of the delay."""

    counters: Array  # (4,): steps so far, steps so far in this interval, this interval's tag, updates so far
    n_spikes: Array  # (2 D + 1,): how many presynaptic spikes step t had, in row t mod (2 D + 1),
    spikes: Array  # (2 D + 1, n_pre): and their ids
    f: Array  # (D + 1, width): the surrogate of step t in row t mod (D + 1), 1/mV
    zeta: Array  # (3, width): ζ, ζ^a and Σ ζ^a of the regulariser
    frames: Frames  # of one kind of ``width`` neurons, and n_pre rows
    h1: Array  # (n_pre, width): the eligibility trace in the frame of the row's tag,
    h2: Array
    m: Array  # Σ e λ over the block, likewise
    memories: Array  # (memories, n_pre, width): what the optimiser remembers


class Given(NamedTuple):
    """Today's inputs, copied from the caller's arrays of whatever type; ``seen`` is for the check of ids."""

    pre: Array  # (n_pre,): ids of presynaptic spikes, the first few
    post: Array  # (n_post,): ids of postsynaptic spikes, the first few
    v: Array  # (n_post,): voltage relative to threshold (mV)
    e: Array  # (width,): error, in the precision of the traces
    seen: Array  # (n_pre or n_post,): all false between calls


class OwnRate(NamedTuple):
    """The regulariser's constants."""

    rho: Any
    exponent: Any
    decay: Any
    decay_a: Any


@compiled
def are_ids(ids: Array, n: int, size: int, seen: Array) -> bool:
    """Whether the first ``n`` ids are different ones of 0 … size − 1. ``seen`` is all false, before and after."""
    s = 0
    while s < n and 0 <= ids[s] < size and not seen[ids[s]]:
        seen[ids[s]] = True
        s += 1
    for k in range(s):
        seen[ids[k]] = False
    return s == n


@compiled
def are_finite(x: Array, dtype: Any) -> bool:
    """Whether all numbers are finite in the precision ``dtype``."""
    finite = True
    for i in range(len(x)):
        finite &= abs(dtype(x[i])) < np.inf
    return finite


@compiled
def start_interval(t: Traces, table: Propagators, now: int) -> None:
    """Begin an interval: no sums, no map to its own start."""
    t.frames.sums[:] = 0
    t.frames.maps[now] = 0
    begin_free(t.frames.free[0, now], table.end[0])
    t.counters[Q] = 0
    t.counters[NOW] = now


@compiled
def bring_up_to_date(t: Traces, j: int, now: int) -> None:
    """Express row j of the synapses in the frame of interval ``now``."""
    u, free, p1, p2 = t.frames.maps[t.frames.tag[j]], t.frames.free[0, t.frames.tag[j]], t.frames.p[0, j], t.frames.p[1, j]
    apply_map(t.h1[j], t.h2[j], t.m[j], 0, u, 0, t.f.shape[1], p1, p2, free)
    new_frame(t.frames, t.frames.free[0], j, now)


@compiled
def enter_spikes(t: Traces, slot: int, d: Array, q: int) -> None:
    """Enter the spikes in row ``slot`` of the ring into their rows of synapses."""
    x, now = t.frames.sums, t.counters[NOW]
    for s in range(t.n_spikes[slot]):
        j = t.spikes[slot, s]
        if t.frames.tag[j] != now:
            bring_up_to_date(t, j, now)
        t.frames.p[0, j] += d[q, 0]
        t.frames.p[1, j] += d[q, 1]
        for i in range(0, t.f.shape[1], lanes(x)):
            enter_spike(t.h1[j], t.h2[j], t.m[j], i, load_eight(x, i), d, q)


@compiled
def end_interval(t: Traces, table: Propagators) -> None:
    """Chain the interval's sums to the maps."""
    x, g, end = t.frames.sums, t.frames.free[0], table.end[t.counters[Q]]
    for tag in range(t.counters[NOW] + 1):
        chain_map(t.frames.maps[tag], x, 0, t.f.shape[1], g[tag], end)
        chain_free(g[tag], end)
    flush(t.zeta[0])
    flush(t.zeta[1])


@compiled
def end_maps(t: Traces, table: Propagators) -> None:
    """Bring every row up to date and begin interval 0."""
    for j in range(t.h1.shape[0]):
        bring_up_to_date(t, j, 0)
        flush(t.h1[j])
        flush(t.h2[j])
    start_interval(t, table, 0)


@kernel
def advance(t: Traces, table: Propagators, given: Given, error: Array, f: Any, own: OwnRate, n_pre: int, n_post: int) -> bool:
    """One step, with ``n_pre`` and ``n_post`` spikes; false, and nothing is changed, if ids or numbers are wrong."""
    step, q, x = t.counters[STEP], t.counters[Q], t.frames.sums
    delay, width, dtype = t.f.shape[0] - 1, t.f.shape[1], t.f.dtype.type
    if not (are_ids(given.pre, n_pre, len(given.pre), given.seen) and are_ids(given.post, n_post, len(given.post), given.seen)):
        return False
    finite, now = True, t.f[step % (delay + 1)]
    for i in range(len(given.v)):  # this row's surrogates are over
        now[i] = derivative(f, dtype(given.v[i]))
        given.e[i] = dtype(error[i])
        finite &= (abs(dtype(given.v[i])) < np.inf) & (abs(given.e[i]) < np.inf)
    if not finite:
        return False
    then, today, arriving = t.f[(step + 1) % (delay + 1)], step % t.n_spikes.shape[0], (step + 1) % t.n_spikes.shape[0]
    t.n_spikes[today] = n_pre
    for s in range(n_pre):
        t.spikes[today, s] = given.pre[s]
    if t.n_spikes[arriving] > 0:
        enter_spikes(t, arriving, table.spike, q)
    for i in range(0, width, lanes(x)):
        e = item(table.step, (q, GAIN)) * load(given.e, i)
        store_eight(x, i, next_sums(load_eight(x, i), load(then, i), e, table.step, q))
    if own.rho > 0:
        own_rate_spikes(t.zeta[0], t.zeta[1], given.post, 0, n_post, own.exponent)
        own_rate_step(t.zeta[0], t.zeta[1], t.zeta[2], own.decay, own.decay_a)
    t.counters[STEP] = step + 1
    t.counters[Q] = q + 1
    if q + 1 == table.step.shape[0]:
        end_interval(t, table)
        if t.counters[NOW] == TAGS - 1:
            end_maps(t, table)
        else:
            start_interval(t, table, t.counters[NOW] + 1)
    return True


@kernel
def end_block(
    t: Traces, table: Propagators, memories: tuple[Array, ...], w: Array, mask: Array, method: Any, rate: float, steps: int,
    block: float, rho: float, w_min: float, w_max: float,
) -> None:  # fmt: skip
    """Update the weights (n_pre, n_post) where ``mask`` is true, everywhere if it is empty, and clear the sums."""
    end_interval(t, table)
    end_maps(t, table)
    t.counters[UPDATES] += 1
    n, update = w.shape[1], type(rho)(t.counters[UPDATES])
    for j in range(w.shape[0]):
        if mask.size == 0:
            update_row(
                w[j], t.m[j, :n], each(memories, (j, slice(n))), t.zeta[2, :n],
                method, update, rate, steps, block, rho, w_min, w_max,
            )  # fmt: skip
        else:
            for i in range(n):
                if mask[j, i]:
                    update_row(
                        w[j, i : i + 1], t.m[j, i : i + 1], each(memories, (j, slice(i, i + 1))), t.zeta[2, i : i + 1],
                        method, update, rate, steps, block, rho, w_min, w_max,
                    )  # fmt: skip
        t.m[j] = 0
    t.zeta[2] = 0


@kernel
def eligibilities(t: Traces, table: Propagators, j0: int, i0: int, found: Array) -> None:
    """Write the traces λ of the synapses from (j0, i0) on into ``found`` (rows, columns); nothing else changes."""
    end, x, n = table.end[t.counters[Q]], t.frames.sums, lanes(t.frames.sums)
    for row in range(found.shape[0]):
        j = j0 + row
        u, free, p1, p2 = t.frames.maps[t.frames.tag[j]], t.frames.free[0, t.frames.tag[j]], t.frames.p[0, j], t.frames.p[1, j]
        q1, q2 = free[0] * p1, free[1] * p1 + free[2] * p2  # at the start of this interval
        for column in range(found.shape[1]):
            i = i0 + column
            k = place(u, i)
            h2 = free[4] * t.h1[j, i] + free[5] * t.h2[j, i] + u[k + 2 * n] * p1 + u[k + 3 * n] * p2
            h1 = free[3] * t.h1[j, i] + u[k] * p1 + u[k + n] * p2
            found[row, column] = end[4] * h1 + end[5] * (h2 + x[k + 2 * n] * q1 + x[k + 3 * n] * q2)  # and now


def count(address: str, value: Any) -> int:
    """``value`` as an int, if it is a whole number >= 1."""
    return int(Param("", "", ge=1).check(address, value, int))


def take_ids(address: str, ids: Any, buffer: Array) -> int:
    """Copy ids to the front of ``buffer``; return how many. Whether they are in range is the kernel's to see."""
    try:
        n = len(ids)
    except TypeError:
        raise ParameterError(f"{address}: must be ids, whole numbers (k,), got {ids!r}") from None
    if n:
        if type(ids) is not np.ndarray:
            check_plain(f"{address}: must be ids, whole numbers (k,)", ids)
            ids = np.asarray(ids)
        if ids.dtype.kind not in "iu" or ids.ndim != 1:
            remedy = "; np.flatnonzero turns a mask into ids" if ids.dtype.kind == "b" else ""
            raise ParameterError(f"{address}: must be ids, whole numbers (k,), got {ids.dtype} {ids.shape}{remedy}")
        if n > len(buffer):
            raise ParameterError(f"{address}: must be at most {len(buffer)} ids, got {n}")
        buffer[:n] = ids
    return n


def check_ids(address: str, ids: Array, size: int) -> None:
    """Raise the error that names the first id that is out of range, or there for the second time, if there is one."""
    before: set[int] = set()
    for id in ids.tolist():
        if not 0 <= id < size:
            raise ParameterError(f"{address}: must be whole numbers in 0 … {size - 1}, got {id}")
        if id in before:
            raise ParameterError(
                f"{address}: must be ids, each once, got {id} twice; np.flatnonzero turns a row of 0 and 1 into ids"
            )
        before.add(id)


def check_finite(address: str, values: Any, dtype: Any) -> None:
    """Raise the error that names the first number that is NaN or infinite in the precision ``dtype``, if there is one."""
    array = np.asarray(values)
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(dtype, copy=False))
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0].tolist())
        raise ParameterError(f"{address}: must be finite numbers, got {array[place]} at {place if len(place) > 1 else place[0]}")


def wrong_numbers(address: str, value: Any, n: int) -> ParameterError:
    """The error that names an array that is not (n,) numbers."""
    array = np.asarray(value)
    got = array.shape if array.shape != (n,) else array.dtype
    return ParameterError(f"{address}: must be numbers of shape ({n},), got {got}")


def spelled(value: Any) -> str:
    """A parameter as text: the same for equal numbers of any type; a mask with its digest, weights by their shapes."""
    if isinstance(value, Real):
        number = int(value) if isinstance(value, Integral) else float(value)
        return str(int(number) if number == number // 1 else number)
    if hasattr(value, "_asdict"):
        return f"{type(value).__name__}({', '.join(f'{name}={spelled(x)}' for name, x in value._asdict().items())})"
    if isinstance(value, np.ndarray):
        return f"{value.sum()} of {value.size} synapses, {hashlib.sha256(np.packbits(value).tobytes()).hexdigest()[:16]}"
    if isinstance(value, list):
        return str([w.shape for w in value])
    return str(value) if value is None or isinstance(value, str) else type(value).__name__


def remake(cls: type, made_with: dict[str, Any]) -> Any:
    """A new object of the same parameters."""
    return cls(**made_with)


def shared_keywords(scheme: Scheme, rule: Rule) -> dict[str, Any]:
    """The keywords that the array interface's objects share, from what :func:`superspike.model.scheme.keywords` made of them."""
    return {
        "dt_ms": scheme.dt, "tau_rise_ms": rule.tau_rise, "tau_decay_ms": rule.tau_decay,
        "integration": scheme.integration, "precision": scheme.precision,
    }  # fmt: skip


class Stateful:
    """Something whose whole state is a NamedTuple of arrays, ``_state``; ``_made_with`` are the keywords that make it.

    It can be copied and pickled. Copies share nothing, but for the caller's weights in a shallow copy of a ``Feedback``.
    """

    _state: Any
    _made_with: dict[str, Any]

    def _bounds(self, state: dict[str, Array]) -> dict[str, Any]:
        """What each array of whole numbers in ``state`` must be below; all are >= 0."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        return remake, (type(self), self._made_with), self.state()

    def state(self) -> dict[str, Array]:
        """Everything that changes, as a dictionary of arrays: :meth:`restore` continues from it exactly."""
        text = "\n".join(f"{name}={spelled(value)}" for name, value in self._made_with.items())
        parameters = np.frombuffer(text.encode(), np.uint8).copy()
        return {name: array.copy() for name, array in arrays(self._state).items()} | {"parameters": parameters}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from a :meth:`state` of an object made with the same parameters.

        Raises
        ------
        ParameterError for a state of other parameters, or one that is none; the object is then as it was.
        """
        address, own = f"{type(self).__name__}.restore", self.state()
        if not isinstance(state, Mapping) or set(state) != set(own):
            got = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ParameterError(
                f"{address}: must be a state of the same kind of object, {', '.join(own)}, got {got or 'nothing'}"
            )
        given = {name: np.asarray(state[name]) for name in own}
        ours, theirs = (bytes(x["parameters"].tolist()).decode(errors="replace").split("\n") for x in (own, given))
        if ours != theirs:
            raise ParameterError(
                f"{address}: must be a state of the same parameters, {'; '.join(x for x in ours if x not in theirs)}, "
                f"got {'; '.join(x for x in theirs if x not in ours)}"
            )
        for name, array in arrays(self._state).items():
            new = given[name]
            if (new.dtype, new.shape) != (array.dtype, array.shape):
                raise ParameterError(
                    f"{address}.{name}: must be {array.dtype} of shape {array.shape}, got {new.dtype} of shape {new.shape}"
                )
            check_finite(f"{address}.{name}", new, new.dtype)
        for name, above in self._bounds(given).items():
            wrong = given[name][(given[name] < 0) | (given[name] >= above)]
            if len(wrong):
                raise ParameterError(f"{address}.{name}: must be >= 0 and < {above}, got {wrong[0]}")
        for name, array in arrays(self._state).items():
            array[:] = given[name]

    __setstate__ = restore

    def reset(self) -> None:
        """Forget everything."""
        for array in arrays(self._state).values():
            array[:] = 0


class SuperSpike(Stateful):
    """The plasticity of one projection (i ← j), driven by the caller's arrays (ZG18 Eq. 3.3; RMaxProp at block ends).

    In every step of the caller's simulation, :meth:`step` takes what happened in it; at the end of a block,
    :meth:`update` changes the caller's weights. A step costs O(n_post) plus presynaptic spikes × n_post. Of a recurrent
    projection both sides are one layer: its spikes of this step are the presynaptic ones, and the delay is as ever.

    Parameters
    ----------
    n_pre, n_post : number of presynaptic and postsynaptic neurons
    dt_ms : the caller's time step (ms)
    delay_ms : axonal delay of the projection (ms): a spike passed in step s acts on the postsynaptic neurons in
        step s + D. It lines the Hebbian product up with the potential that the spike caused; 0 where spikes act at once
    tau_rise_ms, tau_decay_ms : time constants (ms) of the pre trace ε and of the eligibility trace's filter α
    block_ms : time between weight updates (ms)
    v_threshold : the postsynaptic neurons' threshold ϑ (mV); voltages are absolute, and the surrogate reads v − ϑ
    surrogate : σ'(U): a name (fast_sigmoid, …) or an instance such as ``FastSigmoid(beta=2.0)``
    optimizer : a name (rmaxprop, rmsprop, adam, sgd) or an instance such as ``RMaxProp(learning_rate=0.5)``
    w_max, w_min : bounds of the weights, in the weights' unit (mV); w_min is −w_max unless given
    mask : boolean (n_pre, n_post); where it is false there is no synapse: its weight never changes, its eligibility is 0
    rho, exponent, tau_het_ms : heterosynaptic regulariser as in ``Rule``; with rho > 0 steps need ``post_spikes``
    integration : of the filters: euler or exact
    precision : of the traces: single or double

    Attributes
    ----------
    block_complete : whether a block ended with the last step

    Raises
    ------
    ParameterError (a ValueError) for any value that breaks a rule.
    """

    def __init__(
        self,
        n_pre: int,
        n_post: int,
        *,
        dt_ms: float = SCHEME.dt,
        delay_ms: float = SCHEME.delay,
        tau_rise_ms: float = RULE.tau_rise,
        tau_decay_ms: float = RULE.tau_decay,
        block_ms: float = RULE.block,
        v_threshold: float = NEURON.v_threshold,
        surrogate: Any = "fast_sigmoid",
        optimizer: Any = "rmaxprop",
        w_max: float = RULE.w_max,
        w_min: float | None = None,
        mask: ArrayLike | None = None,
        rho: float = RULE.rho,
        exponent: float = RULE.exponent,
        tau_het_ms: float = RULE.tau_het,
        integration: str = SCHEME.integration,
        precision: str = SCHEME.precision,
    ) -> None:
        self.n_pre, self.n_post = count("SuperSpike.n_pre", n_pre), count("SuperSpike.n_post", n_post)
        scheme, rule = keywords(
            "SuperSpike", dt_ms=dt_ms, delay_ms=delay_ms, tau_rise_ms=tau_rise_ms, tau_decay_ms=tau_decay_ms,
            integration=integration, precision=precision,
        )  # fmt: skip
        given = {"block_ms": block_ms, "w_max": w_max, "rho": rho, "exponent": exponent, "tau_het_ms": tau_het_ms}
        block_ms, w_max, rho, exponent, tau_het_ms = (
            fields(Rule)[name.removesuffix("_ms")].check(f"SuperSpike.{name}", value) for name, value in given.items()
        )
        dt_ms = scheme.dt
        if tau_het_ms <= dt_ms:
            raise ParameterError(f"SuperSpike.tau_het_ms: must be larger than dt_ms ({dt_ms:g} ms), got {tau_het_ms:g}")
        v_threshold = fields(LIF)["v_threshold"].check("SuperSpike.v_threshold", v_threshold)
        w_min = Param("mV", "", lt=w_max).check("SuperSpike.w_min", -w_max if w_min is None else w_min)
        self._block_steps = whole_steps("SuperSpike.block_ms", block_ms, dt_ms)
        self._mask = self._checked_mask(mask)
        surrogate, optimizer = SURROGATES.make(surrogate), OPTIMIZERS.make(optimizer)
        self._made_with = {
            "n_pre": self.n_pre, "n_post": self.n_post, **shared_keywords(scheme, rule), "delay_ms": scheme.delay,
            "block_ms": block_ms, "v_threshold": v_threshold, "surrogate": surrogate, "optimizer": optimizer, "w_max": w_max,
            "w_min": w_min, "mask": self._mask if self._mask.size else None,
            "rho": rho, "exponent": exponent, "tau_het_ms": tau_het_ms,
        }  # fmt: skip
        dtype: Any = np.float32 if precision == "single" else np.float64
        delay, width = whole_steps("SuperSpike.delay_ms", scheme.delay, dt_ms), padded(self.n_post)
        check_memory("SuperSpike.delay_ms", f"{scheme.delay:g} ms", delay * (16 * self.n_pre + 8 * width))
        trace = trace_filter(rule, scheme)
        interval = traces.interval(self._block_steps, trace)
        self._table = traces.propagators(pre_filter(rule, scheme), trace, GIVEN, 0.0, interval, dtype)
        self._state = Traces(
            counters=np.zeros(4, np.int64),
            n_spikes=np.zeros(2 * delay + 1, np.int64),
            spikes=np.zeros((2 * delay + 1, self.n_pre), np.int64),
            frames=traces.new_frames(width, self.n_pre, 1, dtype),
            f=zeros((delay + 1, width), dtype),
            zeta=zeros((3, width), dtype),
            **{name: zeros((self.n_pre, width), dtype) for name in ("h1", "h2", "m")},
            memories=zeros((optimizer.memories, self.n_pre, width), dtype),
        )
        self._given = Given(
            pre=np.zeros(self.n_pre, np.int64),
            post=np.zeros(self.n_post, np.int64),
            v=np.zeros(self.n_post),
            e=zeros(width, dtype),
            seen=np.zeros(max(self.n_pre, self.n_post), np.bool_),
        )
        self._error, self._no_error = np.zeros(self.n_post), np.zeros(self.n_post)
        self._threshold, self._rho, self._exponent = (
            np.array(v_threshold),
            rho,
            exponent,
        )  # a float would be converted in every step
        decay = math.exp(-dt_ms / tau_het_ms)
        own = cast(OwnRate(rho * RHO_PER_MV2, exponent, decay, decay**exponent), dtype)
        self._surrogate, self._own = cast(surrogate, dtype), own
        check_learning(surrogate, optimizer, dtype)
        self._advance = bound(advance, *self._arguments(self._error, 0, 0))
        self._end_block = (
            cast(optimizer, dtype), dtype, self._block_steps, dtype(block_ms), own.rho, dtype(w_min), dtype(w_max),
        )  # fmt: skip
        self.reset()

    def __repr__(self) -> str:
        return f"<SuperSpike of {self.n_pre} → {self.n_post} neurons, step {self._state.counters[STEP]}>"

    def _checked_mask(self, mask: ArrayLike | None) -> Array:
        if mask is None:
            return np.zeros((0, 0), np.bool_)
        check_plain("SuperSpike.mask: must be a boolean array", mask)
        array, shape = np.array(mask, order="C"), (self.n_pre, self.n_post)
        if array.dtype != np.bool_ or array.shape != shape:
            raise ParameterError(
                f"SuperSpike.mask: must be a boolean array of shape (n_pre, n_post) = {shape}, got {array.dtype} {array.shape}"
            )
        return array if not array.all() else np.zeros((0, 0), np.bool_)

    def _bounds(self, state: dict[str, Array]) -> dict[str, Any]:
        now = state["counters"][NOW]
        return {
            "counters": [2**62, len(self._table.step), TAGS, 2**62],
            "n_spikes": self.n_pre + 1,
            "spikes": self.n_pre,
            "tag": now + 1,
        }

    def state(self) -> dict[str, Array]:
        """Everything that changes, as a dictionary of arrays: :meth:`restore` continues from it exactly."""
        found = super().state()
        found["f"][found["counters"][STEP] % len(found["f"])] = 0  # what the next step, or one that was refused, writes over
        return found

    def _arguments(self, error: Array, n_pre: int, n_post: int) -> tuple[Any, ...]:
        return self._state, self._table, self._given, error, self._surrogate, self._own, n_pre, n_post

    def step(
        self,
        pre_spikes: Sequence[int] | Array,
        v_post: Sequence[float] | Array,
        error: Sequence[float] | Array | None = None,
        *,
        active: bool = True,
        post_spikes: Sequence[int] | Array | None = None,
    ) -> None:
        """Take one time step.

        Parameters
        ----------
        pre_spikes : ids of the presynaptic neurons that spike in this step, each once, before any delay
        v_post : (n_post,), the postsynaptic neurons' voltage (mV, absolute) in this step, after a reset if they spike
        error : (n_post,), the third factor e_i in this step; None counts as zero
        active : False outside an error window: the error counts as zero, whatever it is, and the traces go on
        post_spikes : ids of the postsynaptic neurons that spike in this step, each once; only the regulariser reads them

        Raises
        ------
        ParameterError for ids out of range or repeated, arrays of a wrong shape and numbers that are not finite; the traces
        are then as they were.
        """
        given, e = self._given, self._no_error
        n_pre = take_ids("SuperSpike.step.pre_spikes", pre_spikes, given.pre)
        n_post = 0
        if self._rho > 0:
            if post_spikes is None:
                raise ParameterError("SuperSpike.step.post_spikes: must be given where rho > 0, got None")
            n_post = take_ids("SuperSpike.step.post_spikes", post_spikes, given.post)
        if type(v_post) is not np.ndarray:
            check_plain("SuperSpike.step.v_post: must be numbers (mV)", v_post)
        try:
            if len(v_post) != self.n_post:
                raise ValueError
            np.subtract(v_post, self._threshold, out=given.v)
        except (ValueError, TypeError):
            raise wrong_numbers("SuperSpike.step.v_post", v_post, self.n_post) from None
        if active and error is not None:
            e = self._error
            if type(error) is not np.ndarray:
                check_plain("SuperSpike.step.error: must be numbers", error)
            try:
                if len(error) != self.n_post:
                    raise ValueError
                np.copyto(e, error)
            except (ValueError, TypeError):
                raise wrong_numbers("SuperSpike.step.error", error, self.n_post) from None
        if not self._advance(self._state, self._table, given, e, self._surrogate, self._own, n_pre, n_post):
            check_ids("SuperSpike.step.pre_spikes", given.pre[:n_pre], self.n_pre)
            check_ids("SuperSpike.step.post_spikes", given.post[:n_post], self.n_post)
            check_finite("SuperSpike.step.v_post", given.v, self._state.f.dtype)
            check_finite("SuperSpike.step.error", e, self._state.f.dtype)

    @property
    def block_complete(self) -> bool:
        """Whether a block ended with the last step: with the first, and then every ``block_ms``, as in the engines."""
        return bool(self._state.counters[STEP] % self._block_steps == 1 % self._block_steps) and self._state.counters[STEP] > 0

    def update(self, w: Array, rate: float = 1.0) -> None:
        """End the block: change the weights ``w`` in place and begin the next block's sums.

        Parameters
        ----------
        w : (n_pre, n_post), float32 or float64, C-contiguous, in mV
        rate : multiplies the optimiser's change

        Raises
        ------
        ParameterError for weights of another kind, or not finite; nothing is then changed.
        """
        check_plain("SuperSpike.update.w: must be numbers (mV)", w)
        fits = isinstance(w, np.ndarray) and w.dtype in (np.float32, np.float64) and w.shape == (self.n_pre, self.n_post)
        if not fits or not w.flags.c_contiguous or not w.flags.writeable:
            got = f"{w.dtype} {w.shape}" if isinstance(w, np.ndarray) else type(w).__name__
            remedy = "; np.ascontiguousarray makes one" if fits and not w.flags.c_contiguous else ""
            raise ParameterError(
                "SuperSpike.update.w: must be a C-contiguous, writeable float32 or float64 array of shape "
                f"(n_pre, n_post) = {(self.n_pre, self.n_post)}, got {got}{remedy}"
            )
        check_finite("SuperSpike.update.w", w[self._mask] if self._mask.size else w, w.dtype)
        method, dtype, *constants = self._end_block
        check_finite("SuperSpike.update.rate", [Param("", "").check("SuperSpike.update.rate", rate)], dtype)
        end_block(self._state, self._table, tuple(self._state.memories), w, self._mask, method, dtype(rate), *constants)

    def eligibility(self, i: int, j: int) -> float:
        """λ_ij (1/mV) of the synapse from j (pre) to i (post), as it met the error in the last step. O(1)."""
        for name, value, n in (("i", i, self.n_post), ("j", j, self.n_pre)):
            if not 0 <= operator.index(value) < n:
                raise ParameterError(f"SuperSpike.eligibility.{name}: must be a whole number in 0 … {n - 1}, got {value}")
        if self._mask.size and not self._mask[j, i]:
            return 0.0
        found = np.empty((1, 1), self._state.h2.dtype)
        eligibilities(self._state, self._table, int(j), int(i), found)
        return float(found[0, 0])

    def eligibility_matrix(self) -> Array:
        """λ (1/mV) of all synapses as they met the error in the last step: (n_pre, n_post), as the weights, so λ_ij is [j, i]."""
        found = np.empty((self.n_pre, self.n_post), self._state.h2.dtype)
        eligibilities(self._state, self._table, 0, 0, found)
        if self._mask.size:
            found[~self._mask] = 0
        return found

    def reset(self) -> None:
        """Forget everything: traces, sums, the optimiser's memories and the time. The weights are the caller's."""
        super().reset()
        self._state.frames.free[0, 0] = self._table.end[0, :6]
        self._state.zeta[1] = 0.0**self._exponent

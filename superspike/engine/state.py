"""What both engines read and write: the network flattened into arrays, so that one kernel serves any graph of layers.

Layers stand one after the other in arrays over neurons (the input first), projections in arrays over synapses. Layer l
is ``start[l]:start[l + 1]``; projection k leads from layer ``pre[k]`` to ``post[k]`` and its synapses are
``w_start[k]:w_start[k + 1]``, row by row, one row per presynaptic neuron. Layers are padded to a multiple of ``LANES``
neurons that get no input and never spike, so that no loop ends with single neurons. No layer has two projections onto one
other, and none leads from a higher onto a lower layer: the engines take the layers of a step one by one, from the input up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model import loss, neuron, surrogate
from ..model.filters import Filter
from .calls import kept, unpack
from .jit import choose_by_type, compiled, read_only
from .vectors import item, put

Array = NDArray[Any]

choose_by_type(surrogate.derivative)
choose_by_type(neuron.potential)
choose_by_type(neuron.after_spike)
choose_by_type(neuron.seen)
choose_by_type(loss.impulses, writes=True)  # a guest may write into its arrays, and nowhere else

LANES = 32  # neurons per padding unit: in single precision two cache lines and one of the event engine's vectors
REGISTER = 16  # of them fill a 512-bit register
PAGE, LINE = 4096, 64  # bytes; addresses a page apart share the first-level cache's few places for them
HUGE_PAGE, LARGE = 2**21, 2**20  # bytes; a large array lies on more small pages than the processor remembers
STAGGER = 9  # lines between arrays that are read together
WINDOW = 50  # steps that the event engine takes with one layer before it turns to the next


class Layout(NamedTuple):
    """Where layers and projections lie in the flat arrays (int64), and which layer does what: layer 0 is the input."""

    output: int  # the layer whose spikes meet the targets; the others are hidden
    size: Array  # (layers,): how many neurons a layer has, without padding
    start: Array  # (layers + 1,)
    stop: Array  # (layers,): where a layer's neurons, filled up to a whole register, end before the rest of the padding
    pre: Array  # (projections,)
    post: Array  # (projections,)
    w_start: Array  # (projections + 1,)
    row_start: Array  # (projections + 1,): rows of synapses, one per presynaptic neuron of each projection
    delay: Array  # (projections,): steps until a spike acts
    b_start: Array  # (layers + 1,): feedback matrices (n_out, padded n_l); empty but for hidden layers


class Constants(NamedTuple):
    """Everything that stays fixed during a run, in the precision of the run."""

    step: Array  # (layers,): where the code of each layer's neurons is: see calls.call
    cells: Array  # (layers, …): the numbers of its neurons' coefficients,
    surrogates: Array  # (layers, …): and of its surrogate
    n_ref: Array  # (layers,): steps
    ask: int  # where the code of the loss is
    loss: Array  # its numbers
    readout: int  # 1: the outputs are no spiking neurons
    pre: Filter
    read: Filter  # the pre traces of a readout
    trace: Filter
    error: Filter
    impulse: Any  # what an error of 1 adds to e1
    ahead: int  # 1: errors are not filtered and enter e1 a step early, so that e2 is theirs in their own step
    het_decay: Any  # per step, of the own-rate trace ζ
    exponent: Any
    rho: Any  # 1/mV²
    outputs: int
    room: int  # of the loss: errors in a step, at most
    window: int  # steps
    delay: int  # steps that errors, and f beside the pre traces, come late


class Limits(NamedTuple):
    """Where weights may be: between ``low`` and ``high`` (rows of synapses,), and 0 where ``mask`` is false."""

    low: Array  # mV
    high: Array  # mV
    mask: Array  # (synapses,) or, where no projection has one, (0,)


class State(NamedTuple):
    """Everything that changes. (neurons,): all layers, input first; (rows,) and (synapses,): all projections."""

    v: Array  # membrane potential above rest (mV)
    current: Array  # synaptic current (mV)
    refractory: Array  # steps left (int32)
    asked: Array  # (1,): the step of which the loss was asked last (int64)
    memory: Array  # what the loss remembers, in double precision
    e1: Array  # error filter, first and
    e2: Array  # second stage: the third factor
    zeta: Array  # own-rate trace of the regulariser
    zeta_a: Array  # its power ζ^a
    zeta_sum: Array  # Σ ζ^a over the block
    p1: Array  # (rows,): pre trace, first and
    p2: Array  # second stage, its projection's delay and D steps late
    f: Array  # (ring, neurons or more): surrogate (1/mV) of step t − D in row t mod ring, a power of 2
    w: Array  # weights (mV)
    h1: Array  # eligibility trace, first and
    h2: Array  # second stage: λ (1/mV)
    m: Array  # Σ e λ over the block
    memories: Array  # (memories, synapses): what the optimiser remembers
    updates: Array  # (1,): how many there were (int64)
    squares: Array  # (padded outputs,): Σ e² of a call, in double precision


SYNAPTIC = ("w", "h1", "h2", "m")  # the state's arrays over synapses
SHARED = (
    *SYNAPTIC,
    "memories",
    "updates",
    "e1",
    "e2",
    "squares",
)  # of these each thread changes a share; of the others it has its own


class Log(NamedTuple):
    """Spikes by layer and step: those of layer l in local step u are ``ids[ptr[l, u]:ptr[l, u + 1]]``.

    Local step 0 is ``history`` steps before the call's first step. The row after the layers holds the targets; one more
    holds the loss's errors, unless these are the output's (−1) and the targets' (+1) spikes.
    """

    ptr: Array  # (layers + 1 or + 2, history + steps + 1), int32
    ids: Array  # int32
    sizes: Array  # of the last row's errors, the first of which is ``ids[ptr[-1, 0]]``
    potentials: Array  # (steps, outputs): a readout's U (mV above rest); no rows where the outputs spike


def padded(n: int, unit: int = LANES) -> int:
    """``n`` rounded up to a multiple of ``unit``."""
    return -(-n // unit) * unit


def zeros(shape: int | tuple[int, ...], dtype: type, k: int = 0) -> Array:
    """Zeros that begin on a cache line, another one within the page for each ``k``: see :func:`staggered`.

    A large array lies on huge pages, for which NumPy asks Linux in blocks of 4 MiB and more.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    page = PAGE if size < LARGE else HUGE_PAGE
    raw = np.zeros(size + page if size < LARGE else size + 2 * HUGE_PAGE, np.uint8)
    offset = (STAGGER * LINE * k - raw.ctypes.data) % page
    return raw[offset : offset + size].view(dtype).reshape(shape)


def staggered(n: int, dtype: type) -> int:
    """``n`` or a little more, for rows that are read together: rows a page apart would all want the same few cache lines."""
    lines = -(-n * np.dtype(dtype).itemsize // LINE)
    return (lines + (STAGGER - lines) % 16) * LINE // np.dtype(dtype).itemsize


def layout(sizes: list[int], projections: Sequence[tuple[int, int]], delays: Sequence[int]) -> Layout:
    """The flat layout of layers of these sizes, joined by projections (pre, post) with delays of so many steps."""
    widths = [padded(n) for n in sizes]
    output = len(sizes) - 1
    hidden = range(1, output)
    pre, post = np.array(projections, np.int64).T.copy()
    return Layout(
        output=output,
        size=np.array(sizes, np.int64),
        start=np.cumsum([0, *widths]),
        stop=np.cumsum([0, *widths[:-1]]) + [padded(n, REGISTER) for n in sizes],
        pre=pre,
        post=post,
        w_start=np.cumsum([0, *(sizes[j] * widths[i] for j, i in projections)]),
        row_start=np.cumsum([0, *(sizes[j] for j, _ in projections)]),
        delay=np.array(delays, np.int64),
        b_start=np.cumsum([0, *(sizes[output] * widths[k] if k in hidden else 0 for k in range(len(sizes)))]),
    )


def learns(where: Layout, plastic: Array, layer: int) -> bool:
    """Whether any projection onto the layer is plastic."""
    found = False
    for k in range(len(where.pre)):
        found |= where.post[k] == layer and plastic[k]
    return found


def asked(where: Layout, log: Log) -> bool:
    """Whether the loss is asked for its errors: else they are the output's and the targets' spikes."""
    return len(log.ptr) > len(where.start)


@compiled
def keep_potentials(log: Log, u: int, potentials: Array) -> None:
    """Write a readout's potentials of local step u into the log."""
    row = log.potentials[u - (log.ptr.shape[1] - 1 - len(log.potentials))]
    for k in range(len(row)):
        row[k] = potentials[k]


@compiled
def checked(units: Array, n: int, outputs: int) -> int:
    """``n``, or an error, unless that many ``units`` are there, and all of them outputs: whoever wrote them was a guest."""
    if n < 0 or n > len(units):
        raise IndexError("no such number of errors")
    for k in range(n):
        if units[k] < 0 or units[k] >= outputs:
            raise IndexError("an error of no output")
    return n


@compiled
def ask_loss(where: Layout, c: Constants, state: State, log: Log, t: int, u: int, of: Any) -> None:
    """Ask a loss for the outputs' errors of step t, local step u, and take those that it wrote."""
    ptr, ids, output, target, wrong = log.ptr, log.ids, where.output, len(log.ptr) - 2, len(log.ptr) - 1
    spikes = ids[item(ptr, (output, u)) : item(ptr, (output, u + 1))]
    targets = ids[item(ptr, (target, u)) : item(ptr, (target, u + 1))]
    a, b = item(ptr, (wrong, u)), item(ptr, (wrong, u)) - item(ptr, (wrong, 0))
    units, sizes = ids[a : min(a + c.room, len(ids))], log.sizes[b : min(b + c.room, len(log.sizes))]
    put(state.asked, 0, t)
    first = item(where.start, output)
    read = state.f[(t + c.delay) & (len(state.f) - 1), first : first + c.readout * c.outputs]
    n = loss.impulses(of, read_only(spikes), read_only(targets), read_only(read), c.window, state.memory, units, sizes)
    put(ptr, (wrong, u + 1), a + checked(units, n, c.outputs))


def asking(prototype: Any) -> Callable[..., None]:
    """What asks losses of the prototype's class."""

    def ask(place: Any, t: int, u: int) -> None:
        where, c, state, log = kept(place)
        ask_loss(where, c, state, log, t, u, unpack(prototype, c.loss))

    return ask


def initial_state(where: Layout, n_out: int, memory: int, memories: int, ring: int, exponent: float, dtype: type) -> State:
    """Everything at rest, all traces and weights zero."""
    n, s = int(where.start[-1]), int(where.w_start[-1])
    shapes: dict[str, Any] = {"asked": 1, "memory": memory, "f": (ring, staggered(n, dtype)), "squares": padded(n_out)}
    shapes |= dict.fromkeys(SYNAPTIC, s) | {"memories": (memories, s), "updates": 1}
    shapes |= dict.fromkeys(("p1", "p2"), int(where.row_start[-1]))
    types: dict[str, type] = {"refractory": np.int32, "memory": np.float64, "squares": np.float64}
    types |= {"asked": np.int64, "updates": np.int64}
    state = State(**{name: zeros(shapes.get(name, n), types.get(name, dtype), k) for k, name in enumerate(State._fields)})
    state.zeta_a[:] = 0.0**exponent
    return state


def with_own_neurons(state: State) -> State:
    """A state for one more thread: see :func:`copy_neurons`."""
    own = {name: x for name, x in state._asdict().items() if name not in SHARED}
    return state._replace(**{name: zeros(x.shape, x.dtype.type, k) for k, (name, x) in enumerate(own.items())})


def copy_neurons(source: State, target: State) -> None:
    """Copy the arrays that threads do not share."""
    for name, x, y in zip(State._fields, source, target, strict=True):
        if name not in SHARED:
            y[...] = x


def arrays(state: Any) -> dict[str, Array]:
    """The arrays of a NamedTuple, and of the NamedTuples in it."""
    found = dict[str, Array]()
    for name, x in state._asdict().items():
        found |= arrays(x) if hasattr(x, "_asdict") else {name: x}
    return found


def random_state(rng: np.random.Generator) -> Array:
    """What a generator draws next, as an array of bytes for a snapshot."""
    return np.frombuffer(json.dumps(rng.bit_generator.state).encode(), np.uint8)


def set_random_state(rng: np.random.Generator, saved: Array) -> None:
    """Go on where :func:`random_state` was taken."""
    rng.bit_generator.state = json.loads(saved.tobytes())


def matrix(flat: Array, begin: int, end: int, width: int, n: int) -> Array:
    """A view of rows of a flat array as (rows, n), without the padding."""
    return flat[begin:end].reshape(-1, width)[:, :n]

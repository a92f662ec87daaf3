"""The clock engine: the plain reading of the scheme. Every synapse is advanced in every step. It is the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model import error, neuron, rule
from . import state as shared
from .calls import call, keep, kept, unpack
from .jit import compiled, inlined, kernel
from .state import Array, Constants, Layout, Log, State, keep_potentials

readout_step, readout_row_step = inlined(neuron.readout_step), inlined(rule.readout_row_step)
neuron_step, add_rows, find_spikes = inlined(neuron.neuron_step), inlined(neuron.add_rows), compiled(neuron.find_spikes)
error_step, add_squares = inlined(error.error_step), inlined(error.add_squares)
hold_errors = inlined(error.hold_errors)
pre_step, synapse_step, flush = inlined(rule.pre_step), inlined(rule.synapse_step), inlined(rule.flush)
own_rate_step, own_rate_spikes = inlined(rule.own_rate_step), inlined(rule.own_rate_spikes)
learns, asked = compiled(shared.learns), compiled(shared.asked)

FLUSH = 1000  # steps between two flushes of denormals


def stepping(cell: Any, surrogate: Any) -> Callable[..., None]:
    """What takes a layer of such neurons through step 1, local step u: f goes to row ``late`` of its ring."""

    def step(place: Any, layer: int, late: int, u: int) -> None:
        where, c, state, log = kept(place)
        a, b, n_ref = where.start[layer], where.start[layer + 1], c.n_ref[layer]
        v, current, refractory, f = state.v[a:b], state.current[a:b], state.refractory[a:b], state.f[late, a:b]
        own, its = unpack(cell, c.cells[layer]), unpack(surrogate, c.surrogates[layer])
        fired = neuron_step(v, current, refractory, f, n_ref, own, its)
        log.ptr[layer, u + 1] = log.ptr[layer, u]
        if fired:
            find_spikes(refractory[: where.size[layer]], n_ref, 1, log.ptr[layer], u, log.ids)  # not the padding, whoever spikes

    return step


def reading(cell: Any) -> Callable[..., None]:
    """What takes a readout through step 1: its potentials go to row ``late`` of the ring."""

    def step(place: Any, layer: int, late: int, u: int) -> None:
        where, c, state, log = kept(place)
        a, b = where.start[layer], where.start[layer + 1]
        readout_step(state.v[a:b], state.current[a:b], state.f[late, a:b], unpack(cell, c.cells[layer]))
        keep_potentials(log, u, state.f[late, a:b])
        log.ptr[layer, u + 1] = log.ptr[layer, u]

    return step


@compiled
def enter_error(where: Layout, e1: Array, feedback: Array, layer: int, ids: Array, k: int, size: float) -> None:
    """Enter the error of output ``ids[k]`` into e1 of one layer: the outputs, or a hidden layer with a row of its feedback."""
    if layer == where.output:
        e1[ids[k]] += size
    else:
        add_rows(e1, feedback, where.b_start[layer], ids, k, k + 1, size)


@compiled
def enter_errors(where: Layout, c: Constants, log: Log, e1: Array, feedback: Array, layer: int, u: int) -> None:
    """Enter the errors of local step u into e1 of one layer."""
    ptr, ids = log.ptr, log.ids
    if asked(where, log):
        wrong = len(ptr) - 1
        for k in range(ptr[wrong, u], ptr[wrong, u + 1]):
            enter_error(where, e1, feedback, layer, ids, k, c.impulse * log.sizes[k - ptr[wrong, 0]])
    else:
        target = len(ptr) - 1
        for k in range(ptr[where.output, u], ptr[where.output, u + 1]):
            enter_error(where, e1, feedback, layer, ids, k, -c.impulse)
        for k in range(ptr[target, u], ptr[target, u + 1]):
            enter_error(where, e1, feedback, layer, ids, k, c.impulse)


@kernel
def advance(where: Layout, c: Constants, state: State, log: Log, feedback: Array, plastic: Array, t: int, steps: int) -> None:
    """Simulate ``steps`` steps from step ``t``.

    ``feedback`` holds the hidden layers' matrices, flat; ``plastic`` says which projections learn. The log's history
    and the rows of inputs and targets are filled in; the rows of the other layers are filled here.
    """
    start, ptr, ids = where.start, log.ptr, log.ids
    layers, output = len(start) - 1, where.output
    history = ptr.shape[1] - 1 - steps
    decay_a = c.het_decay**c.exponent
    one, place = type(c.impulse)(1), keep((where, c, state, log))
    for u in range(history, history + steps):
        now = (t + u - history) % len(state.f)
        late = (t + u - history + c.delay) % len(state.f)
        arrived = u - c.delay
        for layer in range(1, layers):  # 1. neurons
            call(c.step[layer], (place, layer, late, u))
        if asked(where, log):
            call(c.ask, (place, t + u - history, u))
        for k in range(len(where.pre)):  # 2. delivery
            pre, a, b, s = where.pre[k], start[where.post[k]], start[where.post[k] + 1], u - where.delay[k]
            add_rows(state.current[a:b], state.w, where.w_start[k], ids, ptr[pre, s], ptr[pre, s + 1], one)
        for layer in range(1, layers):  # 3. errors, 4. error impulses
            if layer != output and not learns(where, plastic, layer):
                continue
            a, b = start[layer], start[layer + 1]
            e1 = state.e1[a:b]
            if c.ahead:
                hold_errors(e1, state.e2[a:b])
            else:
                error_step(e1, state.e2[a:b], c.error)
            enter_errors(where, c, log, e1, feedback, layer, arrived + c.ahead if layer == output else arrived - 1 + 2 * c.ahead)
            if layer == output:
                add_squares(state.e2[a:b], state.squares)
            elif c.rho > 0:
                zeta, zeta_a = state.zeta[a:b], state.zeta_a[a:b]
                own_rate_spikes(zeta, zeta_a, ids, ptr[layer, u], ptr[layer, u + 1], c.exponent)
                own_rate_step(zeta, zeta_a, state.zeta_sum[a:b], c.het_decay, decay_a)
        for k in range(len(where.pre)):  # 5. synapses
            pre, first, s = where.pre[k], where.row_start[k], arrived - where.delay[k]
            for n in range(ptr[pre, s], ptr[pre, s + 1]):
                state.p1[first + ids[n]] += 1
            readout, end = c.readout == 1 and where.post[k] == output, where.row_start[k + 1]
            if plastic[k]:
                a, b = start[where.post[k]], start[where.post[k] + 1]
                for row in range(end - first):
                    i = where.w_start[k] + row * (b - a)
                    j = i + b - a
                    if readout:
                        readout_row_step(state.p2[first + row], state.e2[a:b], state.m[i:j])
                    else:
                        synapse_step(
                            state.p2[first + row], state.f[now, a:b], state.e2[a:b],
                            state.h1[i:j], state.h2[i:j], state.m[i:j], c.trace,
                        )  # fmt: skip
            pre_step(state.p1[first:end], state.p2[first:end], c.read if readout else c.pre)
        if (t + u) % FLUSH == 1:
            for x in (
                state.v,
                state.current,
                state.e1,
                state.e2,
                state.zeta,
                state.zeta_a,
                state.p1,
                state.p2,
                state.h1,
                state.h2,
            ):
                flush(x)

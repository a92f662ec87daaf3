"""Losses: which error impulses the outputs get."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import at_least, relative, spikes_of
from hypothesis import given, settings
from hypothesis import strategies as st

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.model.loss import LOSSES, Windowed, impulses
from superspike.model.readout import of_trials


def written(
    outputs: list[list[int]], targets: list[list[int]], n: int, window: int, punish_outside: bool = True
) -> list[tuple[list[int], list[int]]]:
    """The negative and positive impulses of each step, from the spikes of each step."""
    loss, found = Windowed(punish_outside=punish_outside), []
    memory = np.zeros(loss.memory(n), int)
    for spikes, shown in zip(outputs, targets, strict=True):
        units, sizes = np.zeros((2, loss.room(n, len(spikes), len(shown), 1)), int)
        count = impulses(loss, np.array(spikes, int), np.array(shown, int), np.zeros(0), window, memory, units, sizes)
        units, sizes = units[:count], sizes[:count]
        assert set(sizes) <= {-1, 1}
        found.append((units[sizes == -1].tolist(), units[sizes == 1].tolist()))
    return found


def test_a_wrong_spike_is_punished_at_once_and_a_missing_one_when_the_window_closes() -> None:
    outputs = [[0], [], [1], [1], [], [1], []]
    targets = [[], [0], [], [], [], [], []]
    nothing: tuple[list[int], list[int]] = ([], [])
    inside = [nothing, ([1], []), ([1], []), ([], [0])]
    assert written(outputs, targets, 2, window=4) == [([0], []), *inside, ([1], []), nothing]


def test_an_expected_spike_gives_no_error_however_often_it_comes() -> None:
    assert written([[], [0], [0], []], [[0], [], [], []], 2, window=3) == [([], [])] * 4


def test_spikes_outside_the_windows_are_punished_at_once_unless_they_shall_not_be() -> None:
    outputs = [[0], [1], [0], [1], [0, 1]]
    targets: list[list[int]] = [[], [], [0], [], []]  # a window of two steps: in the first 0 answers, in the second 1 is wrong
    assert written(outputs, targets, 2, window=2) == [([0], []), ([1], []), ([], []), ([1], []), ([0, 1], [])]
    assert written(outputs, targets, 2, 2, punish_outside=False) == [*[([], [])] * 3, ([1], []), ([], [])]


def test_a_window_can_expect_several_outputs() -> None:
    assert written([[], [2], [0]], [[0, 1], [], []], 3, window=3) == [([], []), ([2], []), ([], [1])]


class Twice(NamedTuple):
    """Each spike is two errors, each target one of 2; or, from step 40 on, a fault that would write where it must not."""

    fault: float = 0.0

    @property
    def follows_spikes(self) -> bool:
        return False

    @property
    def reads_potentials(self) -> bool:
        return False

    @property
    def filtered(self) -> bool:
        return True

    @property
    def window_ms(self) -> float:
        return 0.0

    def memory(self, outputs: int) -> int:
        return 1

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        return 2 * spikes + targets

    def impulses(self, spikes, targets, u, window, memory, units, sizes):  # type: ignore[no-untyped-def]
        n = 2 * len(spikes)
        for s in range(n):
            units[s], sizes[s] = spikes[s // 2], -1
        for s in range(len(targets)):
            units[n + s], sizes[n + s] = targets[s], 2
        n += len(targets)
        memory[0] += 1
        if memory[0] > 40 and self.fault > 0:
            if self.fault == 1:
                units[len(units)] = 0
            elif self.fault == 2:
                sizes[-len(sizes) - 1] = 0
            elif self.fault == 3:
                memory[1000] = 1
            elif self.fault == 4:
                n = len(units) + 1
            elif self.fault == 5:
                n = -1
            else:
                units[0], n = (-1, 1) if self.fault == 6 else (2, 1)
        return n


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch) -> type:
    monkeypatch.setitem(LOSSES, "twice", Twice)
    return Twice


def test_a_loss_of_ones_own_may_write_more_impulses_than_there_are_spikes(twice: type, small_task: ss.Task) -> None:
    errors = {}
    for loss, engine in ((twice(), "clock"), (twice(), "event"), ("van_rossum", "clock")):
        net = ss.Network([10, 6, 2], loss=loss, w0=150.0, seed=2, scheme=ss.Scheme(precision="double"))
        simulation = Simulation(net, small_task, engine)
        simulation.learn(True)
        simulation.advance(1)
        log = simulation.advance(4999)[1]
        assert simulation.counts(log)[2] > 5
        errors[loss, engine] = simulation.state.e2.copy(), simulation.traces["m"][0]
    plain = errors.pop(("van_rossum", "clock"))
    for twofold in errors.values():
        for ours, theirs in zip(twofold, plain, strict=True):
            assert relative(ours, 2 * theirs) < 1e-9  # double precision, times the growth e^4 of an interval


@pytest.mark.parametrize("engine", ["clock", "event"])
@pytest.mark.parametrize("fault", range(1, 8))
def test_a_loss_that_does_not_keep_to_its_room_is_stopped(fault: int, engine: str, twice: type, small_task: ss.Task) -> None:
    net = ss.Network([10, 6, 2], loss=twice(float(fault)), w0=150.0, seed=2, scheme=ss.Scheme(precision="double"))
    simulation = Simulation(net, small_task, engine)
    rule = r"Twice\.impulses: must keep to its arrays .* at most 5 a step .* only of outputs 0 … 1, got .* in step 40 \(4 ms\)"
    with pytest.raises(ss.ParameterError, match=rule):
        simulation.advance(100)


class Raw(NamedTuple):
    """Each spike is an error of −0.5, each target one of 1.5, in its own step alone."""

    follows_spikes = False
    filtered = False
    reads_potentials = False
    window_ms = 0.0

    def memory(self, outputs: int) -> int:
        return 0

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        return spikes + targets

    def impulses(self, spikes, targets, u, window, memory, units, sizes):  # type: ignore[no-untyped-def]
        n = len(spikes)
        for s in range(n):
            units[s], sizes[s] = spikes[s], -0.5
        for s in range(len(targets)):
            units[n + s], sizes[n + s] = targets[s], 1.5
        return n + len(targets)


@pytest.mark.parametrize(("engine", "delay"), [("clock", 8), ("clock", 1), ("event", 8), ("event", 1)])
def test_errors_without_a_filter_act_in_their_own_step(
    engine: str, delay: int, small_task: ss.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOSSES, "raw", Raw)
    steps, n = 1900, (10, 6, 2)
    net = ss.Network(n, loss="raw", w0=150.0, seed=2, scheme=ss.Scheme(delay=delay / 10, precision="double"))
    simulation = Simulation(net, small_task, engine)
    simulation.learn(True)
    cost, m = 0.0, [np.zeros_like(w) for w in net.weights]
    logs = [simulation.advance(k) for k in (1, 999, 7, steps - 1007)]  # whatever the calls' lengths
    spikes = [np.zeros((steps, k)) for k in n]
    twin = Simulation(ss.Network(n, w0=150.0, seed=2, scheme=net.scheme), small_task, "clock")
    log = twin.advance(steps)[1]
    for layer, x in enumerate(spikes):
        x[twin.spikes(log, layer)] = 1
    targets = np.zeros((steps, 2))
    targets[twin.spikes(log, 3)] = 1
    e = [-0.5 * spikes[2] + 1.5 * targets] * 2
    e[0] = e[0] @ net.weights[1].T / 1000
    f = potentials(net, small_task, steps)
    for k in (0, 1):  # plain sums over time of e λ, λ = α ∗ [f ε ∗ S], all in the time of the outputs
        p1, p2, h1, h2 = np.zeros(n[k]), np.zeros(n[k]), np.zeros_like(m[k]), np.zeros_like(m[k])
        for t in range(steps - delay):  # what the engines do in step t + delay
            p1 += spikes[k][t - delay] if t >= delay else 0
            h1 += np.outer(p2, f[k + 1][t])
            h2 = 0.99 * h2 + 0.01 * h1
            h1 *= np.exp(-0.02)
            m[k] += e[k][t] * h2
            p2 = 0.99 * p2 + 0.01 * np.exp(-0.02) * p1
            p1 *= np.exp(-0.02)
        assert np.abs(m[k]).max() > 0
        assert relative(simulation.traces["m"][k], m[k]) < 1e-9  # double precision, times the growth e^4 of an interval
    cost = sum(c * k for (c, _), k in zip(logs, (1, 999, 7, steps - 1007), strict=True)) / steps
    assert cost == pytest.approx((e[1][: steps - delay] ** 2).sum() / steps / 2, rel=1e-9)  # the mean squared error


def potentials(net: ss.Network, task: ss.Task, steps: int) -> list[np.ndarray]:
    """f of each layer and step, as the clock engine has them, step by step."""
    twin, found = Simulation(ss.Network(net.sizes, w0=150.0, seed=2, scheme=net.scheme), task, "clock"), []
    late, start = round(net.scheme.delay / net.scheme.dt), twin.where.start
    for t in range(steps):
        twin.advance(1)
        found.append(twin.state.f[(t + late) % len(twin.state.f)].copy())
    return [np.array(found)[:, start[k] : start[k] + n] for k, n in enumerate(net.sizes)]


def test_errors_without_a_filter_need_a_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "raw", Raw)
    with pytest.raises(ss.ParameterError, match=r"Scheme\.delay: must be a step \(0\.1 ms\) or more where Raw gives errors"):
        ss.Network([3, 2], loss="raw", scheme=ss.Scheme(delay=0.0))


FAR = """
import sys, numba, superspike as ss
from numba.extending import register_jitable
from typing import NamedTuple
from superspike.model.loss import LOSSES
from superspike.engine.simulation import Simulation

def far(memory):
    memory[2**30] = 1

helper = {compiled}(far)

@LOSSES.register("far")
class Far(NamedTuple):
    follows_spikes, reads_potentials, filtered, window_ms = False, False, True, 0.0

    def memory(self, outputs):
        return 1

    def room(self, outputs, spikes, targets, steps):
        return spikes

    def impulses(self, spikes, targets, u, window, memory, units, sizes):
        if len(targets) > 0:
            helper(memory)
        return 0

try:
    net = ss.Network([10, 1], loss="far")
    ss.train(net, ss.tasks.regular(n_inputs=10, seed=1), 100, engine="clock", on_compile=lambda simulation: None)
except ss.ParameterError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ("numba.njit", "must pass arrays only to functions that keep to their bounds, passes some to far; compile it with numba"),
        ("numba.njit(boundscheck=True)", "must keep to its arrays"),
    ],
)
def test_a_helper_of_a_loss_that_would_overrun_its_arrays_is_refused_or_stopped(compiled: str, message: str) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FAR.format(compiled=compiled)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(f"Far.impulses: {message}")


@pytest.mark.parametrize("value", [-1.0, "long", None])
def test_a_window_that_is_no_time_is_refused(value: object, twice: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Twice, "window_ms", value)
    with pytest.raises(ss.ParameterError, match=rf"Twice\.window_ms: must be >= 0 ms, got {value!r}"):
        ss.Network([10, 6, 2], loss=twice())


@pytest.mark.parametrize(("method", "value"), [("room", -1), ("room", 2.5), ("memory", None)])
def test_what_a_loss_declares_is_checked(
    method: str, value: object, twice: type, small_task: ss.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Twice, method, lambda self, *arguments: value)
    with pytest.raises(ss.ParameterError, match=rf"Twice\.{method}: must return a whole number >= 0, got {value}"):
        Simulation(ss.Network([10, 6, 2], loss=twice()), small_task)


@pytest.mark.parametrize(
    ("impulses", "message"),
    [
        (lambda self, spikes, targets, u, window, memory, units, sizes: None, "must return how many errors it wrote, got None"),
        (lambda self, spikes, targets, u, window, memory, units, sizes: (1, 0), r"must return how many .*, got \(1, 0\)"),
        (lambda self, spikes, targets, u, window, memory, units, sizes: 1.0, r"must return how many errors it wrote, got 1\.0"),
        (lambda self, spikes, targets: 0, r"must be defined as impulses\(self, spikes, .*, sizes\), and run, got TypeError"),
        (lambda self, spikes, *others: spikes.fill(1), "must be defined as .*, and run, got ValueError: .*read-only"),
    ],
)
def test_impulses_that_cannot_be_are_refused_in_a_line(
    impulses: Any, message: str, twice: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Twice, "impulses", impulses)
    with pytest.raises(ss.ParameterError, match=rf"^Twice\.impulses: {message}"):
        ss.Network([10, 6, 2], loss=twice())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_as_many_positive_impulses_as_windows_unanswered(data: st.DataObject) -> None:
    n, window = 3, data.draw(st.integers(1, 6))
    trials = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5))
    steps = [[k] if phase == 0 else [] for k in trials for phase in range(window)]
    outputs = [sorted(data.draw(st.sets(st.integers(0, n - 1)))) for _ in steps]
    found = written(outputs, steps, n, window)
    for trial, k in enumerate(trials):
        inside = slice(trial * window, (trial + 1) * window)
        spiked = [i for step in outputs[inside] for i in step]
        assert sum(len(plus) for _, plus in found[inside]) == (k not in spiked)
        assert sum(len(minus) for minus, _ in found[inside]) == sum(i != k for i in spiked)


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
@pytest.mark.parametrize("loss", [name for name, loss in LOSSES.items() if not of_trials(loss)])
def test_engines_agree_for_every_loss_and_learn_in_blocks_that_cut_windows(loss: str, feedback: str) -> None:
    task, reads = ss.tasks.xor(seed=3, period_ms=2000.0), LOSSES[loss]().reads_potentials
    found = {}
    for engine in ("clock", "event"):
        net = ss.Network(
            [100, 6, ss.Layer(2, "readout") if reads else 2], feedback=feedback, loss=loss, w0=100.0, seed=1,
            optimizer=ss.SGD(1e-4 if reads else 0.1),  # sums of errors in every step are large, and weights run to their bounds
            rule=ss.Rule(block=20.0, w_max=200.0), scheme=ss.Scheme(precision="double"),
        )  # fmt: skip
        simulation = Simulation(net, task, engine)
        found[engine] = spikes_of(simulation, 20_000), [w.copy() for w in net.weights], simulation.state.e2.copy()
    assert found["clock"][0] == found["event"][0]
    assert len(found["clock"][0][1 if reads else 2]) > 5  # the outputs spike
    assert np.abs(found["clock"][2]).max() > 0  # and err
    for ours, theirs in zip(found["event"][1], found["clock"][1], strict=True):
        assert relative(ours, theirs) < 1e-9  # double precision, times the growth e^4 of an interval


@pytest.mark.parametrize("engine", ["clock", "event"])
def test_windows_do_not_notice_where_a_call_ends(engine: str) -> None:
    task, errors = ss.tasks.xor(seed=3, period_ms=1000.0), []
    for steps in (10_000, 37):
        net = ss.Network([100, 2], loss="windowed", w0=60.0, seed=1, scheme=ss.Scheme(precision="double"))
        simulation, squared = Simulation(net, task, engine), 0.0
        while simulation.step < 10_000:
            n = min(steps, 10_000 - simulation.step)
            squared += n * simulation.advance(n)[0]
        errors.append(squared)
    assert errors[0] > 0
    assert errors[1] == pytest.approx(errors[0], rel=1e-9)  # the order of a sum


def test_answers_are_right_if_the_expected_spike_and_no_others() -> None:
    target = ss.Spikes([10.0, 50.0, 100.0, 150.0], [0, 1, 0, 1], 2)
    output = ss.Spikes([20.0, 55.0, 60.0, 135.0, 151.0, 152.0], [0, 1, 0, 0, 1, 1], 2)
    assert ss.answers(output, target, 25.0).tolist() == [True, False, False, True]


def test_xor_trials_show_their_patterns_and_expect_their_answers() -> None:
    task = ss.tasks.xor(seed=2, period_ms=60_000.0)
    n, onsets = task.spec["targets"].set_size, task.targets.times_ms
    assert np.diff(onsets).min() >= 100
    assert task.targets.n == 2
    for onset, expected in zip(onsets, task.targets.ids, strict=True):
        ids = np.bincount(task.inputs.between(onset, onset + 10).ids, minlength=100)
        assert np.all(ids[:n] == 1)  # the reference
        first, second = (set(ids[k * n : (k + 1) * n]) for k in (1, 2))
        assert first | second <= {0, 1}
        assert len(first) == len(second) == 1
        assert (first != second) == expected
    rate = (len(task.inputs) - 2 * n * len(onsets)) / 100 / 60
    assert rate == pytest.approx(4.0 * (1 - 10 / np.diff(onsets).mean()), rel=0.1)  # Poisson: 24,000 spikes, and random bits


def test_xor_refuses_sets_that_do_not_fit() -> None:
    with pytest.raises(ss.ParameterError, match=r"XOR.set_size: must be at most a third of the 30 inputs, got 15"):
        ss.tasks.xor(n_inputs=30)


def test_hidden_layers_learn_xor_and_a_run_says_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    task, runs = ss.tasks.xor(seed=1), []
    for seed in range(1, 9):
        net = ss.Network([100, 16, 2], loss="windowed", optimizer=ss.RMaxProp(0.5), seed=seed)
        runs.append(ss.train(net, task, 250_000, record="spikes"))
    assert all(run.summary()["windows"] == 100 for run in runs)
    accuracy = [run.summary()["accuracy"] for run in runs]
    assert at_least(sum(a > 0.75 for a in accuracy), 8, 0.97)  # of 40 seeds all
    runs[0].save(tmp_path / "run")
    again = ss.Run.load(tmp_path / "run")
    assert again.network.loss == ss.Windowed()
    assert again.summary()["accuracy"] == accuracy[0]

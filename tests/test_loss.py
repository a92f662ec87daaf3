"""Losses: which error impulses the outputs get."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import at_least, relative, spikes_of
from hypothesis import given, settings
from hypothesis import strategies as st

import superspike as ss
from superspike.engine.simulation import Simulation
from superspike.model.loss import LOSSES, Windowed, impulses


def written(
    outputs: list[list[int]], targets: list[list[int]], n: int, window: int, punish_outside: bool = True
) -> list[tuple[list[int], list[int]]]:
    """The negative and positive impulses of each step, from the spikes of each step."""
    loss, found = Windowed(punish_outside=punish_outside), []
    memory = np.zeros(loss.memory(n), int)
    for spikes, shown in zip(outputs, targets, strict=True):
        minus, plus = np.zeros((2, loss.room(n, len(spikes), len(shown), 1)), int)
        n_minus, n_plus = impulses(loss, np.array(spikes, int), np.array(shown, int), window, memory, minus, plus)
        found.append((minus[:n_minus].tolist(), plus[:n_plus].tolist()))
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
    """Each spike is two impulses; or, from step 40 on, one of the faults that would write where it must not."""

    fault: float = 0.0

    @property
    def follows_spikes(self) -> bool:
        return False

    @property
    def window_ms(self) -> float:
        return 0.0

    def memory(self, outputs: int) -> int:
        return 1

    def room(self, outputs: int, spikes: int, targets: int, steps: int) -> int:
        return 2 * max(spikes, targets)

    def impulses(self, spikes, targets, window, memory, minus, plus):  # type: ignore[no-untyped-def]
        for s in range(2 * len(spikes)):
            minus[s] = spikes[s // 2]
        for s in range(2 * len(targets)):
            plus[s] = targets[s // 2]
        n_minus, n_plus = 2 * len(spikes), 2 * len(targets)
        memory[0] += 1
        if memory[0] > 40 and self.fault > 0:
            if self.fault == 1:
                minus[len(minus)] = 0
            elif self.fault == 2:
                plus[-len(plus) - 1] = 0
            elif self.fault == 3:
                memory[1000] = 1
            elif self.fault == 4:
                n_plus = len(plus) + 1
            elif self.fault == 5:
                n_minus = -1
            else:
                plus[0], n_plus = (-1, 1) if self.fault == 6 else (2, 1)
        return n_minus, n_plus


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
    rule = r"Twice\.impulses: must keep to its arrays .* at most 4 a step .* only to outputs 0 … 1, got .* in step 40 \(4 ms\)"
    with pytest.raises(ss.ParameterError, match=rule):
        simulation.advance(100)


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
        (lambda self, spikes, targets, window, memory, minus, plus: None, "must return how many impulses are .*, got None"),
        (lambda self, spikes, targets, window, memory, minus, plus: 1, "must return how many impulses are .*, got 1"),
        (lambda self, spikes, targets, window, memory, minus, plus: (1.0, 0), r"must return how many .*, got \(1\.0, 0\)"),
        (lambda self, spikes, targets: (0, 0), r"must be defined as impulses\(self, spikes, .*, plus\), and run, got TypeError"),
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
@pytest.mark.parametrize("loss", LOSSES)
def test_engines_agree_for_every_loss_and_learn_in_blocks_that_cut_windows(loss: str, feedback: str) -> None:
    task = ss.tasks.xor(seed=3, period_ms=2000.0)
    found = {}
    for engine in ("clock", "event"):
        net = ss.Network(
            [100, 6, 2], feedback=feedback, loss=loss, w0=100.0, seed=1, optimizer=ss.SGD(0.1),
            rule=ss.Rule(block=20.0, w_max=200.0), scheme=ss.Scheme(precision="double"),
        )  # fmt: skip
        simulation = Simulation(net, task, engine)
        found[engine] = spikes_of(simulation, 20_000), [w.copy() for w in net.weights], simulation.state.e2.copy()
    assert found["clock"][0] == found["event"][0]
    assert len(found["clock"][0][2]) > 5  # the outputs spike
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

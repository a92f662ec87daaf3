"""How precise the engines' sums are, and how long the event engine's intervals may be: the table in docs/engines.md."""

import numpy as np

import superspike as ss
from superspike.engine import traces
from superspike.engine.simulation import Simulation
from superspike.model.scheme import error_filter, pre_filter, trace_filter

TASK = ss.tasks.poisson(n_inputs=200, input_rate=5.0, outputs=200, target_rate=27.4, period_ms=1890.0)
WEIGHTS = ss.Network([200, 256, 200], w0=60.0, seed=1)
ss.train(WEIGHTS, TASK, duration_ms=40_000)  # so that every layer is alive


def block(engine: str, precision: str, interval: int = 0) -> tuple[list[list[int]], list[np.ndarray]]:
    """Each layer's spikes in a block of 500 ms, and the block's sums Σ e λ."""
    network = ss.Network([200, 256, 200], weights=WEIGHTS.weights, scheme=ss.Scheme(precision=precision))
    simulation = Simulation(network, TASK, engine)
    if interval:
        pre, trace, (error, impulse) = (f(network.rule, network.scheme) for f in (pre_filter, trace_filter, error_filter))
        table = traces.propagators(pre, trace, error, impulse, interval, network.dtype)
        simulation._tables = traces.Propagators(*(np.stack([x, x]) for x in table))
    simulation.learn(True)
    _, log = simulation.advance(5001)
    spikes = [np.stack(simulation.spikes(log, row)).tolist() for row in (1, 2)]
    return spikes, [m.astype(float) for m in simulation.traces["m"]]


for _ in range(20):
    spikes, reference = block("clock", "double")
    if block("clock", "single")[0] == spikes:
        break
    ss.train(WEIGHTS, TASK, duration_ms=2_000)  # a membrane grazed its threshold: other spikes, other sums
print("| engine | precision | interval (ms) | rms error, w0 | rms error, w1 |\n| --- | --- | --- | --- | --- |")
for engine, precision, interval in [
    ("clock", "single", 0),
    *(("event", "single", n) for n in (50, 100, 150, 200, 300)),
    *(("event", "double", n) for n in (100, 200, 400, 800)),
]:
    found, sums = block(engine, precision, interval)
    assert found == spikes
    errors = [np.sqrt(np.mean((a - b) ** 2) / np.mean(b**2)) for a, b in zip(sums, reference, strict=True)]
    print(f"| {engine} | {precision} | {interval / 10 or '':g} | " if interval else f"| {engine} | {precision} | – | ", end="")
    print(" | ".join(f"{error:.1e}" for error in errors), "|")

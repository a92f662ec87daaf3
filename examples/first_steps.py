"""First steps: a network learns to write HELLO in spikes.

What one learns: a task, a network, training and a picture are one line each.
"""

import sys

import superspike as ss


def main(out: str = "hello.png", quick: bool = False) -> None:
    """Train for 100 s of simulated time (quick: 5 s) and draw the spikes before and after."""
    task = ss.tasks.text("HELLO", n_inputs=200, seed=1)
    net = ss.Network([200, 256, task.n_outputs], feedback="symmetric", seed=1)
    run = ss.train(net, task, duration_ms=5_000 if quick else 100_000)
    run.plot(out)
    print(f"cost {run.cost_initial:.1f} → {run.cost:.1f} Hz, {run.real_time_factor:.0f} × real time")


if __name__ == "__main__":
    main(*sys.argv[1:])

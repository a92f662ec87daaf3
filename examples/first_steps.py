"""First steps: a network learns to write HELLO in spikes, in five lines."""

import sys

import superspike as ss

task = ss.tasks.text("HELLO", n_inputs=200, seed=1)
net = ss.Network([200, 256, task.n_outputs], feedback="symmetric", seed=1)
run = ss.train(net, task, duration_ms=100_000)
run.plot(sys.argv[1] if len(sys.argv) > 1 else "hello.png")
print(f"cost {run.cost_initial:.1f} → {run.cost:.1f} Hz, {run.real_time_factor:.0f} × real time")

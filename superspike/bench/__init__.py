"""How fast it is: the benchmark of both engines, and other simulators on the same network.

Imports everything below but ``lab``'s runs; PyTorch and Brian2 only where they are timed.
"""

"""What is simulated: parameters and equations, each beside the function that kernels compile.

Neurons, surrogates f(U), the rule, errors, losses, feedback, optimisers, the numerical scheme, and the network that joins
them. Imports nothing of the package but itself, and no Numba: an equation is plain Python on arrays. A new neuron
parameter, surrogate, feedback scheme, optimiser or loss is one class in the file of its kind.
"""

"""What a user would pick instead to classify samples: surrogate gradients in PyTorch, plain or with snnTorch's neurons.

Each has the same network, weights, loss and optimiser, and is written as its users write it, in units of the threshold: the
states of all steps are kept, and differentiated through time (BPTT), on one thread. PyTorch gets its input as rasters or, the
honest rival, as lists of spikes, whose rows of weights it adds up (``embedding_bag``). Its network is ours exactly, so that it
learns the same; snnTorch's currents come one step earlier in each layer. Resets are left out of the gradient.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.network import Network
from ..tasks.samples import Samples, Trials
from .peers import step_with_surrogate

Array = NDArray[Any]


class Model(NamedTuple):
    """What a simulator makes of a batch of samples: its input, and from it what each output says, (samples, outputs)."""

    read: Callable[[Trials, Array], Any]  # not timed
    logits: Callable[[Any], Any]
    parameters: list[Any]


class Peer:
    """A model of PyTorch in motion: it learns batch by batch."""

    def __init__(self, make: Callable[[Network], Model], network: Network) -> None:
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(1)
        self.model, self.dt = make(network), network.scheme.dt
        self.optimizer = self.torch.optim.Adam(self.model.parameters, lr=network.optimizer.learning_rate / unit(network))

    def learn(self, samples: Samples, which: Array) -> float:
        """Learn from a batch; return the wall-clock seconds, without those of making its input."""
        inputs = self.model.read(samples.in_steps(self.dt), which)
        labels = self.torch.from_numpy(samples.labels[which].astype(np.int64))
        began = time.perf_counter()
        self.optimizer.zero_grad()
        self.torch.nn.functional.cross_entropy(self.model.logits(inputs), labels).backward()
        self.optimizer.step()
        return time.perf_counter() - began

    def answers(self, samples: Samples, batch: int) -> Array:
        """The class that is said of each sample."""
        found, trials = [], samples.in_steps(self.dt)
        with self.torch.no_grad():
            for first in range(0, len(samples), batch):
                which = np.arange(first, min(first + batch, len(samples)))
                found.append(self.model.logits(self.model.read(trials, which)).argmax(1).numpy())
        return np.concatenate(found)


def unit(network: Network) -> float:
    """What is 1 in the peers' units: the threshold above rest, which is the softmax's temperature as well (mV)."""
    return float(network.loss.temperature)


def spikes_of(trials: Trials, which: Array) -> tuple[Array, Array, Array]:
    """Step, place in the batch and unit of each spike of a batch."""
    first, counts = trials.offsets[which], np.diff(trials.offsets)[which]
    spikes = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
    return trials.steps[spikes], np.repeat(np.arange(len(which)), counts), trials.units[spikes]


def raster(trials: Trials, which: Array, n_units: int) -> Array:
    """How often each unit spikes in each step, (steps, samples, units)."""
    counts = np.zeros((trials.n_steps, len(which), n_units), np.float32)
    np.add.at(counts, spikes_of(trials, which), 1)
    return counts


def bags(trials: Trials, which: Array) -> tuple[Array, Array]:
    """The units that spike, step by step and sample by sample, and where each of these lists begins."""
    step, sample, units = spikes_of(trials, which)
    bag = step.astype(np.int64) * len(which) + sample
    order = np.argsort(bag, kind="stable")
    begins = np.searchsorted(bag[order], np.arange(trials.n_steps * len(which)))
    return units[order].astype(np.int64), begins


def pytorch(network: Network, sparse: bool) -> Model:
    """The equations of NMZ19: U' = β U + I − S, I' = α I + W S."""
    torch: Any = importlib.import_module("torch")
    lif, readout = (network.layers[k].neuron.cell(network.scheme.dt, network.scheme.integration) for k in (1, 2))
    w1, w2 = (torch.tensor(w / unit(network), dtype=torch.float32, requires_grad=True) for w in network.weights)
    spikes_where = step_with_surrogate(unit(network) * network.layers[1].surrogate.beta)

    def read(trials: Trials, which: Array) -> Any:
        if not sparse:
            return torch.from_numpy(raster(trials, which, network.sizes[0]))
        return (*map(torch.from_numpy, bags(trials, which)), (trials.n_steps, len(which), network.sizes[1]))

    def logits(inputs: Any) -> Any:
        if sparse:
            units, begins, shape = inputs
            currents = torch.nn.functional.embedding_bag(units, w1, begins, mode="sum").view(shape)
        else:
            currents = inputs @ w1
        u = current = torch.zeros(currents.shape[1:])
        hidden, said = [], []
        for arriving in currents:
            spikes = spikes_where(u - 1)
            hidden.append(spikes)
            u, current = lif.a_mem * u + current - spikes.detach(), lif.a_syn * current + arriving
        currents = torch.stack(hidden) @ w2
        u = current = torch.zeros(currents.shape[1:])
        for arriving in currents:
            said.append(u)
            u, current = readout.a_mem * u + current, readout.a_syn * current + arriving
        return torch.stack(said).max(0).values

    return Model(read, logits, [w1, w2])


def snntorch(network: Network) -> Model:
    """The same of ``snntorch.Synaptic`` neurons, whose currents act in the step in which they come."""
    torch: Any = importlib.import_module("torch")
    snn: Any = importlib.import_module("snntorch")
    surrogate: Any = importlib.import_module("snntorch.surrogate")
    lif, readout = (network.layers[k].neuron.cell(network.scheme.dt, network.scheme.integration) for k in (1, 2))
    fast_sigmoid = surrogate.fast_sigmoid(slope=unit(network) * network.layers[1].surrogate.beta)
    below, above = (torch.nn.Linear(a, b, bias=False) for a, b in zip(network.sizes, network.sizes[1:], strict=False))
    hidden = snn.Synaptic(alpha=lif.a_syn, beta=lif.a_mem, spike_grad=fast_sigmoid)
    output = snn.Synaptic(alpha=readout.a_syn, beta=readout.a_mem, reset_mechanism="none")
    with torch.no_grad():
        for layer, w in zip((below, above), network.weights, strict=True):
            layer.weight.copy_(torch.from_numpy(w.T / unit(network)))

    def read(trials: Trials, which: Array) -> Any:
        return torch.from_numpy(raster(trials, which, network.sizes[0]))

    def logits(inputs: Any) -> Any:
        (syn1, mem1), (syn2, mem2) = hidden.reset_mem(), output.reset_mem()
        said = []
        for x in inputs:
            spikes, syn1, mem1 = hidden(below(x), syn1, mem1)
            _, syn2, mem2 = output(above(spikes), syn2, mem2)
            said.append(mem2)
        return torch.stack(said).max(0).values

    return Model(read, logits, [below.weight, above.weight])


PEERS: dict[str, tuple[str, Callable[[Network], Model]]] = {
    "PyTorch, BPTT, sparse input": ("torch", lambda network: pytorch(network, sparse=True)),
    "PyTorch, BPTT, dense input": ("torch", lambda network: pytorch(network, sparse=False)),
    "snnTorch, BPTT, dense input": ("snntorch", snntorch),
}

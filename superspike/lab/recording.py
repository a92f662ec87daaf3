"""Recording: what chosen neurons and synapses do, every so often, streamed into a store that can be read meanwhile.

A probe is a text, QUANTITY:WHERE:UNITS@EVERY=BEGIN..END, e.g. ``v:hidden1:0-9@1ms`` (the potentials of ten neurons, every
millisecond), ``w:w0:0-99x3@500ms`` (weights of 100 inputs onto neuron 3), ``error:output:0@0.1ms=10s..11s`` (one second of
an error). UNITS may be left out: all of them; and so may the window. Quantities are in QUANTITIES.

A run's folder holds them as ``records.zarr``, a Zarr group per probe with ``time_ms`` (samples,) and ``values`` (samples, units)
or (samples, pre, post). While the run goes on it lies in the folder's ``.superspike``, and grows. Times are those of the run's
metrics; a sample is what is there at the end of its step, and at a block's end after the update. A run is cut into pieces where
samples are taken, which rounds the event engine's sums otherwise, as the length of any call does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.simulation import Simulation
from ..model.parameters import Param, ParameterError, extra, one_of, quantity
from ..model.scheme import whole_steps
from .schedule import Chunk

Array = NDArray[Any]

# Of what, the state's array, and its unit.
QUANTITIES = {
    "v": ("layer", "v", "mV above rest"),
    "current": ("layer", "current", "mV"),
    "error": ("layer", "e2", "third factor"),
    "trace": ("rows", "p2", "pre trace, with its delays"),
    "w": ("synapses", "w", "mV"),
    "eligibility": ("synapses", "h2", "1/mV"),
    "gradient": ("synapses", "m", "sum over the block"),
}
TEXT = re.compile(r"(\w+):(\w+)(?::([\d,-]+)(?:x([\d,-]+))?)?@([\d.]+\s*\w+)(?:=([\d.]+\s*\w*)\.\.([\d.]+\s*\w+))?")
ROWS = 1024  # samples that are kept in memory before they are written


class Probe(NamedTuple):
    """One of them, in steps."""

    text: str
    quantity: str
    where: str
    units: tuple[str, str]  # as they were given
    every: str
    window: tuple[str, str]


class Probes:
    """Probes of a run, in memory (``probes[text]`` is a pair, times and values) or in a store at ``path`` (extra ``record``)."""

    def __init__(self, probes: Sequence[str], path: str | os.PathLike[str] | None = None) -> None:
        self.probes = [parse(text) for text in probes]
        self.path = None if path is None else Path(path)
        self._zarr: Any = extra("zarr", "record") if self.path and probes else None
        self._views: list[Any] = []
        self._steps: list[range] = []
        self._kept: list[list[tuple[float, Array]]] = [[] for _ in probes]
        self._written = [0] * len(self.probes)

    def __getitem__(self, text: str) -> tuple[Array, Array]:
        """Times (ms) and values of a probe that is kept in memory."""
        kept = self._kept[[probe.text for probe in self.probes].index(text)]
        return np.array([time for time, _ in kept]), np.array([values for _, values in kept])

    def begin(self, simulation: Simulation, names: list[str], total: int) -> None:
        """Find what is to be recorded in a simulation of so many steps, whose layers have these names."""
        self._views = [view(simulation, names, probe) for probe in self.probes]
        self._steps = [steps(probe, simulation.network.scheme.dt, total) for probe in self.probes]
        if self.path and self._zarr and not self.path.exists():
            self._create(self.path)

    def _create(self, where: Path | dict[str, Any]) -> Any:
        """A store without samples, in a folder or in a dictionary."""
        store = self._zarr.open_group(where, mode="w")
        for probe, own in zip(self.probes, self._views, strict=True):
            group = store.create_group(key(probe))
            group.attrs.update({"probe": probe.text, "unit": QUANTITIES[probe.quantity][2]})
            group.create_array("time_ms", shape=(0,), chunks=(ROWS,), dtype="float64")
            group.create_array("values", shape=(0, *own.shape), chunks=(ROWS, *own.shape), dtype=own.dtype.str)
        return store

    def cut(self, chunks: Iterable[Chunk], step: int) -> Iterator[Chunk]:
        """The same steps, in pieces that end where samples are taken; ``step`` is where the first begins."""
        for chunk in chunks:
            end = step + chunk.steps
            while True:
                next_step = min((now + 1 for own in self._steps for now in after(own, step)[:1]), default=end)
                if next_step >= end:
                    break
                yield Chunk(next_step - step, chunk.learns)
                step = next_step
            yield chunk._replace(steps=end - step)
            step = end

    def __call__(self, simulation: Simulation, chunk: Chunk, outcome: Any) -> None:
        """Take samples, where it is time."""
        now = simulation.step - 1
        for own, kept, values in zip(self._steps, self._kept, self._views, strict=True):
            if now in own:
                kept.append((now * simulation.network.scheme.dt, values.copy()))
        if self._zarr and any(len(kept) >= ROWS for kept in self._kept):
            self.flush()

    def flush(self) -> None:
        """Write what is in memory to the store."""
        if not self._zarr:
            return
        store = self._zarr.open_group(self.path, mode="r+")
        for k, (probe, kept) in enumerate(zip(self.probes, self._kept, strict=True)):
            if kept:
                times, values = self[probe.text]
                for name, data in (("values", values), ("time_ms", times)):
                    array = store[f"{key(probe)}/{name}"]
                    array.resize((self._written[k] + len(kept), *array.shape[1:]))
                    array[self._written[k] :] = data
                self._written[k] += len(kept)
                kept.clear()

    def snapshot(self) -> dict[str, Array]:
        """How much has been written; what follows is taken again."""
        self.flush()
        texts = "\n".join(probe.text for probe in self.probes)
        return {"written": np.array(self._written), "texts": np.frombuffer(texts.encode(), np.uint8)}

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go on from a :meth:`snapshot`: what the store holds beyond it goes."""
        self._written = snapshot["written"].tolist()
        if self._zarr:
            store, empty = self._zarr.open_group(self.path, mode="r+"), self._create({})
            for probe, n in zip(self.probes, self._written, strict=True):
                for name in ("values", "time_ms"):
                    array, own = (group[f"{key(probe)}/{name}"] for group in (store, empty))
                    found, ours = ({**x.metadata.to_dict(), "shape": x.shape[1:]} for x in (array, own))
                    if found != ours or not 0 <= n <= array.shape[0]:  # Zarr would run what other metadata name to unpack a chunk
                        raise ParameterError(f"{self.path}: must be what this run has recorded, {key(probe)}/{name} is not")
                    array.resize((n, *array.shape[1:]))


def texts_of(snapshot: Mapping[str, Array]) -> list[str]:
    """The probes that made a snapshot."""
    return snapshot["texts"].tobytes().decode().splitlines() if snapshot else []


def parse(text: str) -> Probe:
    """A probe from its text."""
    found = TEXT.fullmatch(text.strip())
    if not found:
        raise ParameterError(
            f"probe: must be QUANTITY:WHERE:UNITS@EVERY=BEGIN..END, such as v:hidden1:0-9@1ms or w:w0:0-9x3@500ms=10s..20s, "
            f"got {text!r}"
        )
    kind, where, pre, post, every, begin, end = found.groups()
    one_of("probe", kind, QUANTITIES)
    return Probe(text, kind, where, (pre or "", post or ""), every, (begin or "0ms", end or ""))


def key(probe: Probe) -> str:
    """The name of a probe's group in the store."""
    return probe.text.strip().replace(":", ".").replace(" ", "")


def steps(probe: Probe, dt: float, total: int) -> range:
    """The steps in which samples are taken."""
    address = f"probe {probe.text}"
    every, begin = (quantity(text, "ms", address) for text in (probe.every, probe.window[0]))
    end = quantity(probe.window[1], "ms", address) if probe.window[1] else (total - 1) * dt
    every = Param("ms", "", gt=0).check(address, every)
    return range(
        whole_steps(address, begin, dt) if begin else 0, min(round(end / dt), total - 1) + 1, whole_steps(address, every, dt)
    )


def after(own: range, step: int) -> range:
    """Those of the steps that do not lie before ``step``."""
    return own[max(0, -(-(step - own.start) // own.step)) :]


def view(simulation: Simulation, names: list[str], probe: Probe) -> Any:
    """What is recorded: an array that changes as the simulation does, and how it is read."""
    of, name, _ = QUANTITIES[probe.quantity]
    array = getattr(simulation.state, name)
    address = f"probe {probe.text}"
    if of == "layer":
        layer = names.index(one_of(address, probe.where, names[1:]))
        begin, n = simulation.where.start[layer], simulation.network.sizes[layer]
        return View(array[begin : begin + n], (chosen(address, probe.units[0], n),))
    projections = [projection.name for projection in simulation.network.projections]
    k = projections.index(one_of(address, probe.where, projections))
    pre = simulation.network.sizes[simulation.network.projections[k].pre]
    if of == "rows":
        begin = simulation.where.row_start[k]
        return View(array[begin : begin + pre], (chosen(address, probe.units[0], pre),))
    whole = simulation.traces[name][k] if name != "w" else simulation.weights[k]
    return View(whole, tuple(chosen(address, own, n) for own, n in zip(probe.units, whole.shape, strict=True)))


class View:
    """Some entries of an array."""

    def __init__(self, array: Array, index: tuple[Array, ...]) -> None:
        self._array, self._index = array, np.ix_(*index)
        self.shape, self.dtype = tuple(len(own) for own in index), array.dtype

    def copy(self) -> Array:
        """What they are now."""
        found: Array = self._array[self._index].copy()
        return found


def chosen(address: str, text: str, n: int) -> Array:
    """The units of n that a text such as 0-9,12 means; all, if it is empty."""
    found: list[int] = []
    for part in text.split(",") if text else [f"0-{n - 1}"]:
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit() or not int(first) <= int(last or first) < n:
            raise ParameterError(f"{address}: must name units in 0 … {n - 1}, such as 0-9,12, got {part!r}")
        found += range(int(first), int(last or first) + 1)
    return np.array(found)

"""What a sweep runs over: a file of a base configuration, and of what varies; and what came out, as a table, a file and pictures.

seeds = 5                                    # 1 … 5, or a list of them
[base]                                       # options as in config.toml
task = "randman"
[grid]                                       # every combination of these
feedback = ["symmetric", "random"]
learning_rate = {from = "0.1mV", to = "1mV", steps = 3, scale = "log"}
[[runs]]                                     # each with every combination, where there are some
hidden = [50]
"""

from __future__ import annotations

import csv
import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..model.parameters import Param, ParameterError, one_of, quantity
from . import config
from .fitting import Fit
from .plotting import draw_bands, draw_heat, new_figure
from .run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = ("seeds", "base", "grid", "runs")
RANGE = ("from", "to", "steps", "scale")
STREAM, SAMPLES = ("cost", "cost_initial", "hits", "misses", "extra", "accuracy"), (
    "accuracy_test", "accuracy_validation", "loss", "spikes_per_decision", "us_per_sample",
)  # fmt: skip
MOST_CURVES = 8
MOST_RUNS = 100_000


class Plan(NamedTuple):
    """The runs of a sweep: tables of options, and the options in which they differ."""

    tables: list[dict[str, Any]]
    varied: list[str]


def read_sweep(path: str | os.PathLike[str], more: Mapping[str, Any] | None = None) -> Plan:
    """Read a sweep's file, with ``more`` options in all its runs. Raises ParameterError for what is none.

    What the options are is seen when they are built.
    """
    name, found = os.fspath(path), config.read_toml(path, "a sweep")
    for part in found:
        one_of(name, part, PARTS)
    base, grid, runs = found.get("base", {}), found.get("grid", {}), found.get("runs") or [{}]
    if not isinstance(runs, list) or not all(isinstance(part, dict) for part in (base, grid, *runs)):
        raise ParameterError(f"{name}: must have tables [base], [grid] and [[runs]] of options, got others")
    config.check_known(grid, f"{name}: ")
    known = config.options()
    axes = {option: values_of(f"{name}: grid.{option}", known[option], given) for option, given in grid.items()}
    if "seeds" in found:
        axes["seed"] = seeds_of(f"{name}: seeds", found["seeds"])
    check_number(name, len(runs) * math.prod(map(len, axes.values())))
    tables = []
    for run in runs:
        for values in itertools.product(*axes.values()):
            table = base | run | dict(zip(axes, values, strict=True))
            tables.append(config.of_file(path, table) | dict(more or {}))
    for options, times in Counter(map(repr, tables)).items():
        if times > 1:  # it would count as several runs, with too small an s.d.
            raise ParameterError(f"{name}: must ask for each run once, asks {times} times for the one with {options}")
    shown = list(dict.fromkeys(option for table in tables for option in table))
    varied = [option for option in shown if len({repr(table.get(option)) for table in tables}) > 1]
    return Plan(tables, varied)


def values_of(address: str, option: config.Option, given: Any) -> list[Any]:
    """The values that an option takes: a list, or a range from one to another."""
    if isinstance(given, list) and given:
        return given
    if option.type not in (int, float, list):
        raise ParameterError(f"{address}: must be a list of values, got {given!r}")
    if not isinstance(given, dict) or set(given) - {*RANGE} or not {"from", "to", "steps"} <= set(given):
        example = '{from = 1, to = 9, steps = 3, scale = "log"}'
        raise ParameterError(f"{address}: must be a list of values, or a range such as {example}, got {given!r}")
    scale = one_of(f"{address}.scale", given.get("scale", "linear"), ("linear", "log"))
    steps = Param("", "", ge=2).check(f"{address}.steps", given["steps"], int)
    check_number(f"{address}.steps", steps)
    low, high = (end_of(f"{address}.{end}", option.param.unit, given[end]) for end in ("from", "to"))
    if scale == "log" and min(low, high) <= 0:
        raise ParameterError(f"{address}: must go from and to numbers > 0 on a logarithmic scale, got {low:g} and {high:g}")
    points = np.geomspace(low, high, steps) if scale == "log" else np.linspace(low, high, steps)
    if option.type is int:
        return [int(x) for x in np.unique(np.rint(points))]
    return [config.in_words(float(f"{x:.6g}"), option.param.unit) for x in points]


def end_of(address: str, unit: str, given: Any) -> float:
    """One end of a range: a number with its unit, or without."""
    return quantity(given, unit, address) if isinstance(given, str) else float(Param(unit, "").check(address, given))


def seeds_of(address: str, given: Any) -> list[int]:
    """Seeds 1 … n, or a list of them."""
    check = Param("", "", ge=0).check
    if isinstance(given, list) and given:
        return [check(address, seed, int) for seed in given]
    n = Param("", "", ge=1).check(address, given, int)
    check_number(address, n)
    return list(range(1, n + 1))


def check_number(address: str, runs: int) -> None:
    """Raise ParameterError for more runs than one sweep may have."""
    if runs > MOST_RUNS:
        raise ParameterError(f"{address}: must ask for at most {MOST_RUNS:,} runs, asks for {runs:,}; make several sweeps of it")


class Row(NamedTuple):
    """One run: the options in which it differs from others, and its numbers.

    Those of its summary, but for lists; one whose name is that of an option which varies is called ``NAME_found``.
    """

    options: dict[str, Any]
    run: Run | Fit
    numbers: dict[str, Any]


def rows_of(plan: Plan, runs: Sequence[Any]) -> list[Row]:
    """The runs that came to an end."""
    rows = []
    for table, run in zip(plan.tables, runs, strict=True):
        if isinstance(run, (Run, Fit)):
            found = {name: x for name, x in run.summary().items() if not isinstance(x, (list, dict))}
            numbers = {f"{name}_found" if name in plan.varied else name: x for name, x in found.items()}
            rows.append(Row({name: table.get(name, "") for name in plan.varied}, run, numbers))
    return rows


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """A line a run: the options that vary, and the numbers."""
    names = list(dict.fromkeys(name for row in rows for name in row.numbers))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*rows[0].options, *names])
        writer.writerows([[*row.options.values(), *(row.numbers.get(name, "") for name in names)] for row in rows])


def by_combination(rows: Iterable[Row]) -> dict[tuple[tuple[str, str], ...], list[Row]]:
    """Rows that differ in their seeds alone, together."""
    found: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        key = tuple((name, words(x)) for name, x in row.options.items() if name != "seed")
        found.setdefault(key, []).append(row)
    return found


def words(value: Any) -> str:
    """An option's value in a table or a picture."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def report(rows: Sequence[Row]) -> str:
    """A table with mean ± standard deviation over the seeds."""
    groups = by_combination(rows)
    names = [name for name in (*SAMPLES, *STREAM) if any(isinstance(row.numbers.get(name), (int, float)) for row in rows)]
    lines = [[*(name for name, _ in next(iter(groups))), "runs", *names]]
    for key, group in groups.items():
        cells = [spread([row.numbers[name] for row in group if row.numbers.get(name) is not None]) for name in names]
        lines.append([*(value for _, value in key), str(len(group)), *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def spread(values: list[float]) -> str:
    """``0.982 ± 0.001``."""
    if not values:
        return ""
    return f"{np.mean(values):.4g}" + (f" ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else "")


def main_number(row: Row) -> tuple[str, float]:
    """What a run is judged by: the share of errors in samples held out, or the cost."""
    for name in ("accuracy_test", "accuracy_validation"):
        if row.numbers.get(name) is not None:
            return f"errors ({name.removeprefix('accuracy_')}, %)", 100 * (1 - row.numbers[name])
    return ("cost", float(row.numbers["cost"])) if "cost" in row.numbers else ("loss", float(row.numbers["loss"]))


def curve(row: Row) -> tuple[Any, Any]:
    """How a run learned: cost over time (s), or loss over epochs."""
    metrics = row.run.metrics
    return (metrics["epoch"], metrics["loss"]) if isinstance(row.run, Fit) else (metrics["time_ms"] / 1000, metrics["cost"])


def curves(rows: Sequence[Row]) -> Figure:
    """Learning curves, mean and standard deviation over the seeds, of the first few combinations."""
    figure = new_figure(8.4, 4.0)
    bands = {}
    for key, group in list(by_combination(rows).items())[:MOST_CURVES]:
        both = [curve(row) for row in group]
        n = min(len(x) for x, _ in both)
        bands[", ".join(f"{name} {value}" for name, value in key) or "all"] = both[0][0][:n], np.array([y[:n] for _, y in both])
    axes = figure.subplots()
    if isinstance(rows[0].run, Fit):
        axes.locator_params(axis="x", integer=True)
        draw_bands(axes, bands, "epoch", "loss (training)")
    else:
        draw_bands(axes, bands, "simulated time (s)", "cost")
    return figure


def two_vary(rows: Sequence[Row]) -> bool:
    """Whether two options vary beside the seed."""
    return len([name for name in rows[0].options if name != "seed"]) == 2


def heat(rows: Sequence[Row]) -> Figure:
    """What two options do, mean over the seeds."""
    groups = by_combination(rows)
    names = [name for name, _ in next(iter(groups))]
    x, y = (list(dict.fromkeys(key[k][1] for key in groups)) for k in (0, 1))
    values = np.full((len(y), len(x)), np.nan)
    for key, group in groups.items():
        values[y.index(key[1][1]), x.index(key[0][1])] = np.mean([main_number(row)[1] for row in group])
    figure = new_figure(1.6 + 0.9 * max(4, len(x)), 1.4 + 0.6 * max(4, len(y)))
    draw_heat(figure, values, (names[0], x), (names[1], y), main_number(rows[0])[0])
    return figure

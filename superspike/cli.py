"""The command line: parse, one call of the library, report."""

from __future__ import annotations

import codecs
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__, tasks
from .lab import config
from .lab.folder import CHECKPOINT, OWN, checkpoints
from .model.parameters import ParameterError, quantity
from .model.scheme import ENGINES
from .tasks.datasets import SOURCES

if TYPE_CHECKING:
    from .engine.simulation import Simulation
    from .lab.fitting import Fit, Report
    from .lab.observers import Progress
    from .lab.run import Run

BENCH_COLUMNS = {
    "real_time_factor": "sim. s per wall s",
    "best": "best",
    "spread_percent": "min to max (%)",
    "ns_per_neuron_step": "ns per neuron-step",
    "ns_per_synapse_spike": "ns per synapse-spike",
    "synapse_steps_per_s": "synapse-steps per s",
    "memory_mib": "memory (MiB)",
}
SUITES = ("streams", "classification")
QUANTITIES = {"ms": "TIME", "mV": "VOLTAGE", "Hz": "RATE", "1/mV": "1/VOLTAGE", "": "NUMBER"}
PLAIN = {"→": "->", "×": "x", "±": "+-", "…": "...", "√": "sqrt ", "µ": "u", "–": "-", "−": "-"}


def plainly(error: UnicodeError) -> tuple[str, int]:
    """What a terminal shows for characters that it does not have."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error("superspike.plainly", plainly)


class Commands(click.Group):
    """A group whose commands end with a clear message and status 2 on bad input, whoever finds it."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program, whatever the terminal's characters, and whichever back end of Matplotlib a notebook exports."""
        os.environ["MPLBACKEND"] = "agg"
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by who started this
                setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
            getattr(sys, name).reconfigure(errors="superspike.plainly")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn the library's errors and warnings into messages."""
        warnings.showwarning = lambda message, *_, **__: say(f"Warning: {message}")
        try:
            return super().invoke(ctx)
        except (ParameterError, ModuleNotFoundError) as error:  # a package of an extra that is not installed
            raise click.UsageError(str(error), ctx=None) from None
        except BrokenPipeError:  # who reads has seen enough: click ends quietly, with status 1
            raise
        except (OSError, MemoryError) as error:
            raise click.UsageError(reason(error), ctx=None) from None


def reason(error: OSError | MemoryError) -> str:
    """What the system says, and about which file."""
    if isinstance(error, MemoryError):
        return "out of memory"
    words = error.strerror or str(error)
    return words if error.filename is None else f"{error.filename}: {words}"


def say(text: str) -> None:
    """Print on stderr, if somebody listens."""
    with suppress(OSError, RuntimeError):  # full or closed; busy with another message, in a signal's handler
        click.echo(text, err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, package_name="superspike")
def main() -> None:
    """Train networks of spiking neurons on target spike trains or labelled samples, online and locally, with SuperSpike."""


class Grouped(click.Command):
    """A command whose help page has a section for each group of options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections; options of no group are the run's."""
        known = config.options()
        rows: dict[str, list[tuple[str, str]]] = {group: [] for group in config.GROUPS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                rows[known[str(parameter.name)].group if parameter.name in known else config.GROUPS[-1]].append(record)
        for group, records in rows.items():
            with formatter.section(group):
                formatter.write_dl(records)


def train_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for everything in the table of :mod:`superspike.lab.config`."""
    for name, option in reversed(config.options().items()):
        unit, words = option.param.unit, option.words
        kind: Any = click.Choice(words) if words else str
        own = "NAME.FIELD=VALUE,…"
        lists = {list: "N,N,…", config.LOOPS: "true|false", config.PAIRS: "N-N,…", config.PROJECTIONS: own, config.LAYERS: own}
        metavar = None if words else (lists | {int: "INTEGER", float: QUANTITIES[unit]}).get(option.type, "TEXT")
        if name in config.PATHS:
            metavar = "DIR" if name == "data" else "FILE"
        default = f"  [default: {option.default}]" if option.default else ""
        text = f"{option.param.help}{default}"
        command = click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar=metavar, help=text)(command)
    return command


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """What a run prints."""
    command = click.option("--quiet", is_flag=True, help="print nothing but errors and warnings")(command)
    return click.option("--json", "as_json", is_flag=True, help="print one machine-readable summary on stdout")(command)


def checkpoint_option(command: Callable[..., None]) -> Callable[..., None]:
    """How often a run writes its checkpoint: seconds of wall-clock time."""
    help = f"wall-clock time between checkpoints, 0: none  [default: {config.EVERY_S:g}s]"
    seconds = lambda _, __, text: config.EVERY_S if text is None else quantity(text, "ms", "checkpoint") / 1000  # noqa: E731
    return click.option("--checkpoint", metavar="TIME", callback=seconds, help=help)(command)


@main.command(cls=Grouped, short_help="Train a network.")
@click.argument("config_file", required=False, metavar="[CONFIG.toml]")
@train_options
@click.option("--out", metavar="DIR", help="the folder of the run  [default: run-1, run-2, …]")
@click.option("--force", is_flag=True, help="replace the run in that folder")
@click.option(
    "--probe",
    multiple=True,
    metavar="PROBE",
    help="record, as v:hidden1:0-9@1ms or w:w0:0-9x3@500ms=10s..20s does; may be repeated",
)
@checkpoint_option
@output_options
def train(
    config_file: str | None, out: str | None, force: bool, probe: tuple[str, ...], checkpoint: float, as_json: bool, quiet: bool,
    **given: str | None,
) -> None:  # fmt: skip
    """Train a network; without options, learn to write a word in spikes.

    The targets are a text, a picture (dark pixels spike), a .ras file, or regular or Poisson trains (--task); or labelled samples
    are learned: random manifolds, pictures, spoken digits (--task randman, or mnist and its like with --data DIR). Options
    override those of CONFIG.toml. Times take a unit (20s, 500ms), and so do voltages (1mV). Ctrl-C ends a run before its
    time and writes all; superspike resume goes on with it, or with one that was killed.
    """
    from .lab.checkpoint import Keeper
    from .lab.folder import reserve, reserve_next

    chosen = {name: value for name, value in given.items() if value is not None}
    table = config.merge(config.read(config_file) if config_file else {}, chosen)
    built = config.build(table)
    with reserve_next("run-") if out is None else reserve(out, force) as folder, interruptible() as interrupted:
        run = watched(built, folder, quiet, interrupted, probes=probe, keeper=Keeper(folder, checkpoint))
        finish(run, folder, folder.name if out is None else out, as_json, quiet, interrupted)
    end(interrupted)


@main.command(short_help="Go on with a run.")
@click.argument("run_folder", metavar="RUN")
@click.option("--duration", metavar="TIME", help="simulated time beyond what was planned")
@click.option("--epochs", type=click.IntRange(1), help="epochs beyond what was planned, of labelled samples")
@click.option("--data", metavar="DIR", help="where the samples are now  [default: where they were]")
@checkpoint_option
@output_options
def resume(
    run_folder: str, duration: str | None, epochs: int | None, data: str | None, checkpoint: float, as_json: bool, quiet: bool
) -> None:
    """Go on with a run from its newest checkpoint: one that was killed or interrupted, or, for longer, one that has ended.

    Its numbers are those, bit for bit, of a run that was never interrupted.
    """
    from .lab.checkpoint import Keeper
    from .lab.job import resumed

    more = {"duration": None if duration is None else quantity(duration, "ms", "duration"), "epochs": epochs}
    with resumed(run_folder, more, data) as (folder, start, built), interruptible() as interrupted:
        run = watched(built, folder, quiet, interrupted, keeper=Keeper(folder, checkpoint, start))
        finish(run, folder, run_folder, as_json, quiet, interrupted)
    end(interrupted)


def watched(
    built: tuple[Any, Any, Any], folder: Path, quiet: bool, interrupted: Callable[[], int], **more: Any
) -> Run | Fit:  # fmt: skip
    """Carry out a run before the user's eyes."""
    from .lab.job import carry_out

    with or_nothing(folder), followed(*built, quiet, interrupted) as observers:
        return carry_out(*built, **more | observers)


def finish(run: Run | Fit, folder: Path, name: str, as_json: bool, quiet: bool, interrupted: Noted) -> None:
    """Write a run into its reserved folder, draw its pictures, print its summary."""
    with or_nothing(folder), uninterrupted():
        run.write(folder)
    interrupted.says = "the numbers are saved; stopping when the pictures are drawn …"
    try:
        run.draw(folder)
    except KeyboardInterrupt:
        say(f"Warning: interrupted while drawing. The numbers are saved; superspike plot {name} draws the pictures")
    try:
        if as_json:
            click.echo(json.dumps(run.summary() | {"out": name}))
        elif not quiet:
            click.echo("\n".join([*report_lines(run), wrote(Path(name))]))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"stdout: {reason(error)}. The run is written, in {name}") from None
    if run.interrupted and not quiet and checkpoints(folder):
        say(f"interrupted: superspike resume {name} goes on")


def end(interrupted: Callable[[], int]) -> None:
    """End with the shell's status for a signal that came meanwhile, if one did."""
    if interrupted():
        sys.exit(128 + interrupted())


@main.command(short_help="Measure a trained network, plasticity off.")
@click.argument("run_folder", metavar="RUN")
@click.option(
    "--duration", metavar="TIME", help="of a stream: measured time, after a first period that is left out  [default: ten periods]"
)
@click.option("--engine", type=click.Choice(ENGINES), help="of a stream  [default: event]")
@click.option("--data", metavar="DIR", help="of labelled samples: where they are now  [default: where they were]")
@click.option("--part", type=click.Choice(tasks.Split._fields), help="of labelled samples: which  [default: test]")
@click.option("--json", "as_json", is_flag=True, help="print a machine-readable summary")
def evaluate(run_folder: str, as_json: bool, **given: str | None) -> None:
    """Run a trained network with its plasticity off: cost, rates, hits, misses and extra spikes within ±2 ms.

    With the loss of response windows: the share of windows that are answered rightly. Of labelled samples: accuracy with its 95 %
    interval, hidden spikes per decision, when decisions are settled, and how many of each class are taken for each.
    """
    from .lab.job import load
    from .lab.run import Run

    run = load(run_folder)
    stream = isinstance(run, Run)
    for name in ("data", "part") if stream else ("duration", "engine"):
        if given[name] is not None:
            raise ParameterError(f"{name}: must be left out, {run_folder} learned {'a stream' if stream else 'samples'}")
    (evaluate_stream if stream else evaluate_samples)(run, as_json, **given)


def evaluate_stream(run: Any, as_json: bool, duration: str | None, engine: str | None, **_: Any) -> None:
    """Measure a network on its stream."""
    from .lab.training import evaluate as run_evaluation
    from .spikes.score import agreement

    duration_ms = None if duration is None else quantity(duration, "ms", "duration")
    result = run_evaluation(run.network, run.task, duration_ms, engine=engine or "event", on_compile=compile_aloud)
    window = run.network.loss.window_ms
    target = result.spikes["target"].between(0, result.duration_ms - window)
    met = {} if run.network.readout else agreement(result.spikes["output"], target, window)
    if as_json:
        click.echo(json.dumps({"cost": result.cost, "rates_hz": result.rates_hz, **met, "duration_ms": result.duration_ms}))
        return
    click.echo(f"cost      {with_unit(result.cost, run.network.cost_unit)} over {result.duration_ms / 1000:g} s")
    click.echo(f"rates     {rates_text(result.rates_hz)}")
    click.echo(met_text(met))


def evaluate_samples(run: Any, as_json: bool, data: str | None, part: str | None, **_: Any) -> None:
    """Measure a network on labelled samples."""
    from .lab.classification import classify
    from .lab.job import samples_of

    part = part or "test"
    said = classify(run.network, samples_of(run, part, data), latency=True)
    found = said.summary()
    if as_json:
        click.echo(json.dumps({"part": part} | found))
        return
    low, high = (100 * edge for edge in found["interval_95"])
    settled = "settled after {:.0f} ms (5 to 95 %: {:.0f} … {:.0f})".format(*(found["latency_ms"][k] for k in (1, 0, 2)))
    right = f"{100 * said.accuracy:.2f} % of {len(said.labels)} {part} samples ({low:.2f} … {high:.2f})"
    click.echo(f"accuracy  {right}; loss {said.loss:.3g}")
    click.echo(f"decisions {said.spikes_per_decision:.1f} hidden spikes each, {settled}")
    click.echo("answers   of each class (a row), how many samples are taken for each (a column)")
    names = ["".join(letter if letter.isprintable() else "?" for letter in name)[:12] for name in said.classes]
    width = max(*map(len, names), len(str(said.confusion.max())))
    for name, row in zip(["", *names], [names, *said.confusion], strict=True):
        click.echo(" ".join(f"{word or '.':>{width}}" for word in (name or " ", *row)))


@main.command(short_help="Measure how far the local rule points from the exact gradient.")
@click.argument("run_folder", metavar="RUN")
@click.option("--data", metavar="DIR", help="of labelled samples: where they are now  [default: where they were]")
@click.option("--part", type=click.Choice(tasks.Split._fields), help="of labelled samples: which  [default: train]")
@click.option("--samples", type=click.IntRange(1), help="of labelled samples: how many  [default: 200]")
@click.option(
    "--every", type=click.IntRange(1), help="train again, and measure after every so many reports (tenths of an epoch; blocks)"
)
@click.option("--json", "as_json", is_flag=True, help="print the angles, machine-readable")
def align(run_folder: str, every: int | None, as_json: bool, **given: Any) -> None:
    """Print the angle between what the local rule adds up and the exact surrogate gradient, before and after training.

    Of the gradient as it is, and of those that take spikes as given where they reset a neuron, and where they reach their own
    layer. Of labelled samples their sum; of a stream one period, from rest. 0 is the same way, 90 a way that has nothing to do
    with it. Small networks only: the exact gradient takes every synapse through every step.
    """
    from .lab.alignment import network_at_first, over_training, variants
    from .lab.job import load, samples_of
    from .lab.run import Run
    from .lab.saved import read_config

    run = load(run_folder)
    if isinstance(run, Run):
        for name, value in given.items():
            if value is not None:
                raise ParameterError(f"{name}: must be left out, {run_folder} learned a stream")
        data: Any = run.task
    else:
        data = samples_of(run, given["part"] or "train", given["data"])[: given["samples"] or 200]
    if every:
        moved = {"data": given["data"]} if given["data"] else {}
        rows = over_training(*config.build(read_config(run_folder) | moved), data, every)
    else:
        rows = [("before", *row) for row in variants(network_at_first(run_folder, run), data)]
        rows += [("after", *row) for row in variants(run.network, data)]
    if as_json:
        click.echo(json.dumps([{"when": when, "gradient": name, "degrees": x.summary()} for when, name, x in rows]))
        return
    click.echo(f"{'when':<8}{'gradient':<16}" + "".join(f"{name:>8}" for name in rows[0][2].projections))
    for when, name, x in rows:
        angles = ("–" if angle is None else f"{angle:.1f}°" for angle in x.summary().values())
        click.echo(f"{when:<8}{name:<16}" + "".join(f"{angle:>8}" for angle in angles))


@main.command(short_help="Redraw a run's pictures.")
@click.argument("run_folder", metavar="RUN")
@click.option("--out", metavar="DIR", help="where to draw  [default: the run's folder]")
@click.option("--live", is_flag=True, help="again and again, every few seconds, while the run goes on")
@click.option(
    "--animate", metavar="FILE", help="draw nothing but a .gif or .mp4 of the output, period by period, over the training"
)
def plot(run_folder: str, out: str | None, live: bool, animate: str | None) -> None:
    """Redraw a run's pictures: learning.png and raster.png, or, of labelled samples, learning.png, samples.png, confusion.png.

    Of a run that has not ended they show what it was at its last checkpoint; with --live, it is asked for new ones until it ends:
    look at the pictures with a program that reloads them. One that writes none (train --checkpoint 0) is drawn when it has ended.
    --animate trains the run once more, unless it has all its spikes (train --record spikes).
    """
    from .lab import plotting, watching

    if animate:
        for name, value in (("out", out), ("live", live)):
            if value:
                raise ParameterError(f"{name}: must be left out, animate draws one movie into a file")
        plotting.check_movie(animate)  # before the run is repeated
        watching.repeated(run_folder).animate(animate)
        click.echo(animate)
        return
    folder = Path(out or run_folder)
    for run in watching.live(run_folder) if live else [watching.as_it_stands(run_folder)]:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = {str(folder / name): picture for name, picture in run.pictures.items()}
        for path, picture in drawn.items():
            plotting.draw(picture, run, path)
        click.echo(f"{run.reached}: {', '.join(drawn)}" if live else "\n".join(drawn))


@main.command(short_help="Write one HTML page of a run.")
@click.argument("run_folder", metavar="RUN")
@click.option("--out", metavar="FILE", help="the page  [default: report.html in the run's folder]")
def report(run_folder: str, out: str | None) -> None:
    """Write one self-contained HTML page: numbers, learning curve, a raster to zoom into, weights, options, versions."""
    from .lab.job import load
    from .lab.reporting import report as page

    path = Path(out or Path(run_folder) / "report.html")
    path.write_text(page(load(run_folder), Path(run_folder)), encoding="utf-8")
    click.echo(path)


@main.command(short_help="Time both engines side by side.")
@click.option(
    "--suite",
    type=click.Choice(SUITES),
    is_flag=False,
    flag_value="streams",
    help="streams (or no word): four tasks, both engines, both precisions, plasticity on and off, and scaling tables; "
    "classification: 784-256-10, forward and learning, one thread and two, and scaling tables",
)
@click.option("--data", metavar="DIR", help="of classification: MNIST's four IDX files, gzipped or not  [default: made pictures]")
@click.option(
    "--repeats", type=click.IntRange(1), default=5, show_default=True, help="interleaved repeats; the medians are printed"
)
@click.option(
    "--seconds", type=click.FloatRange(0.01), default=0.5, show_default=True, help="wall-clock time of each measurement"
)
@click.option("--peers", is_flag=True, help="add PyTorch (BPTT) and Brian2, or snnTorch, on the same network, where installed")
@click.option("--json", "as_json", is_flag=True, help="print machine-readable results")
def bench(suite: str | None, data: str | None, repeats: int, seconds: float, peers: bool, as_json: bool) -> None:
    """Time both engines side by side, on 200-256-200 at 5 Hz (inputs) and 27.4 Hz (targets) in single precision."""
    if suite == "classification":
        from .bench import classification

        found = classification.suite(data, repeats, seconds, peers, on_compile=compile_aloud)
        click.echo(json.dumps(found) if as_json else classification.report(found))
        return
    if data is not None:
        raise ParameterError(f"--data: must come with --suite classification, got {data}; leave it out")
    from .bench import benchmark
    from .bench.peers import compare, peer_lines

    results = (benchmark.suite if suite else benchmark.compare)(repeats, seconds, on_compile=compile_aloud)
    if peers:
        results["peers"] = compare(repeats)
    if as_json:
        click.echo(json.dumps(results))
        return
    click.echo(", ".join(f"{name} {value}" for name, value in results["machine"].items()))
    click.echo(
        f"{'task':<16} {'engine':<7} {'precision':<10} {'plasticity':<11} threads"
        + "".join(f"{title:>22}" for title in BENCH_COLUMNS.values())
    )
    for row in results["rows"]:
        plasticity = "on" if row["plasticity"] else "off"
        words = f"{row['task']:<16} {row['engine']:<7} {row['precision']:<10} {plasticity:<11} {row['threads']:<7}"
        click.echo(words + "".join(f"{row[name]:>22.3g}" for name in BENCH_COLUMNS))
    if suite:
        compiled = ", ".join(f"{engine} {seconds:.0f} s" for engine, seconds in results["compile_s"].items())
        click.echo(f"compiling: {compiled}; peak memory of this process: {results['peak_memory_mib']:.0f} MiB")
        seeds = results["seeds"]
        click.echo(
            f"200-256-200, {seeds['processes']} processes at once: {seeds['together']:.3g} sim. s per wall s, "
            f"one alone {seeds['alone']:.3g}; ratio {seeds['ratio']:.2f}"
        )
    else:
        click.echo(f"event / clock: {results['ratio']:.1f}")
    for name, found in results.get("scaling", {}).items():
        points = ", ".join(f"{x:g}: {y:.3g} s" for x, y in zip(found["x"], found["seconds"], strict=True))
        click.echo(f"event engine against {name}: {points}; exponent {found['exponent']:.2f}")

    def ratio(row: dict[str, Any]) -> str:
        return f"{row['s_per_simulated_s']:.3g} s per simulated s, {row['ratio']:.3g} × the event engine's"

    for line in peer_lines(results.get("peers", []), 26, ratio):
        click.echo(line)


@main.command(short_help="Train many networks.")
@click.argument("sweep_file", metavar="SWEEP.toml")
@click.option("--jobs", type=click.IntRange(1), help="processes  [default: one per core]")
@click.option("--scheduler", metavar="ADDRESS", help="of a Dask cluster that trains instead, tcp://… (the extra cluster)")
@click.option("--data", metavar="DIR", help="folder of a data set's files, in the place of what SWEEP.toml says")
@click.option("--out", metavar="DIR", help="folder of the runs  [default: the file's name]")
@click.option("--dry-run", is_flag=True, help="list the runs and about how long their learning takes; train nothing but a sample")
def sweep(
    sweep_file: str, jobs: int | None, scheduler: str | None, data: str | None, out: str | None, dry_run: bool
) -> None:  # fmt: skip
    """Train a network for every combination of options in a file; finished runs are kept, and skipped when it is started again.

    \b
    SWEEP.toml:  seeds = 5                 # 1 to 5, or a list
                 [base]
                 task = "randman"          # options as in config.toml
                 [grid]
                 feedback = ["symmetric", "random"]
                 learning_rate = {from = "0.1mV", to = "1mV", steps = 3, scale = "log"}

    Writes sweep.csv (a line a run), curves.png, heat.png where two options vary, and prints mean ± s.d. over the seeds. A run
    that fails is reported, with its options, in failed.txt; the others go on, and the exit status is 1.
    """  # noqa: D301 (click keeps the lines after this character)
    from .lab import sweepfile
    from .lab.plotting import draw
    from .lab.sweep import Failure, estimate
    from .lab.sweep import sweep as run_sweep

    plan = sweepfile.read_sweep(sweep_file, {"data": data} if data else {})
    folder = Path(out or Path(sweep_file).stem)
    if dry_run:
        for table in plan.tables:
            click.echo(", ".join(f"{name} {sweepfile.words(table.get(name, ''))}" for name in plan.varied) or "as in [base]")
        seconds, processes = estimate(plan.tables, jobs)
        click.echo(f"runs: {len(plan.tables)}, about {seconds:.3g} s; processes: {processes}")
        return
    with cluster_at(scheduler) if scheduler else nullcontext() as client:
        runs = run_sweep(plan.tables, folder / "runs", jobs, progress=sys.stderr.isatty(), keep_going=True, client=client)
    rows, failures = sweepfile.rows_of(plan, runs), [run for run in runs if isinstance(run, Failure)]
    if rows:
        sweepfile.write_csv(folder / "sweep.csv", rows)
        for name, picture in (("curves.png", sweepfile.curves), ("heat.png", sweepfile.heat)):
            if name == "curves.png" or sweepfile.two_vary(rows):
                draw(picture, rows, folder / name)
        click.echo(sweepfile.report(rows))
        click.echo(f"wrote {folder / 'sweep.csv'}")
    if failures:
        (folder / "failed.txt").write_text("\n".join(f"{x.table}\n{x.text}" for x in failures), encoding="utf-8")
        for failure in failures:
            own = ", ".join(f"{name} {failure.table.get(name)}" for name in plan.varied)
            say(f"Error: {own or 'the run'} failed: {failure.error}")
        say(f"{len(failures)} of {len(runs)} runs failed; {folder / 'failed.txt'} has more")
        sys.exit(1)
    (folder / "failed.txt").unlink(missing_ok=True)


def cluster_at(scheduler: str) -> Any:
    """The client of the Dask cluster at an address. Raises ParameterError for what is no address."""
    from .model.parameters import extra

    client = extra("distributed", "cluster").Client
    try:
        return client(scheduler)
    except ValueError as error:
        address = "the address of a Dask scheduler, such as tcp://10.0.0.1:8786"
        raise ParameterError(f"--scheduler: must be {address}, got {scheduler!r} ({error})") from None


@main.command("config", short_help="Print a config file with all options, explained.")
@click.option("--task", type=click.Choice((*tasks.TARGETS, *tasks.DATASETS)), default="text", show_default=True)
def print_config(task: str) -> None:
    """Print a config file with all options of a task, what they mean, and what they are where nobody says otherwise."""
    click.echo(config.explained(task), nl=False)


@main.command(short_help="Print versions, cache and cores.")
def info() -> None:
    """Print versions, the kernels' cache and the number of cores."""
    import platform
    from importlib.metadata import version

    from .engine.jit import cache_folder, usable_cores

    click.echo(f"superspike {__version__}, Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in ("numpy", "numba", "scipy", "matplotlib", "click", "tqdm"):
        click.echo(f"{name:<12}{version(name)}")
    kernels = list(cache_folder().rglob("*.nbc"))
    size = sum(path.stat().st_size for path in kernels) / 2**20
    click.echo(f"kernels     {len(kernels)} compiled, {size:.1f} MiB, in {cache_folder()}")
    click.echo(f"cores       {usable_cores()}")


def compile_aloud(simulation: Simulation) -> None:
    """Compile a simulation's kernels, and say so."""
    aloud(simulation.compile, f"the {simulation.engine} engine")


def aloud(compile: Callable[[], None], what: str, quiet: bool = False) -> None:
    """Compile, and say so if it takes longer than loading from the cache."""
    text = f"compiling {what} for this machine (first run only, about 20 s) …"
    timer = threading.Timer(1.5, say, [text])
    if not quiet:
        timer.start()
    try:
        compile()
    finally:
        timer.cancel()


SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and how clusters say that time is over


@contextmanager
def handled(handler: Any) -> Iterator[None]:
    """The signals that end a run are handled so."""
    before = [signal.signal(number, handler) for number in SIGNALS]
    try:
        yield
    finally:
        for number, old in zip(SIGNALS, before, strict=True):
            signal.signal(number, old)


class Noted:
    """The signal that has come, 0 for none, and what is said when it comes."""

    number = 0
    says = "stopping at the end of this block …"

    def __call__(self) -> int:
        """Its number."""
        return self.number


@contextmanager
def interruptible() -> Iterator[Noted]:
    """A signal is only noted, so that the block can end and all be written; a second one interrupts at once."""
    noted = Noted()

    def handle(signum: int, frame: Any) -> None:
        if noted.number:
            raise KeyboardInterrupt
        noted.number = signum
        say(f"\n{noted.says}")

    with handled(handle):
        yield noted


def uninterrupted() -> Any:
    """Signals do nothing, for as long as the numbers of a run take to be written."""
    return handled(signal.SIG_IGN)


@contextmanager
def or_nothing(folder: Path) -> Iterator[None]:
    """What fails in here, fails before a file of the run is written; but for its checkpoint."""
    try:
        yield
    except (OSError, MemoryError) as error:
        kept = (folder / OWN / CHECKPOINT).exists()
        left = f"superspike resume {folder} goes on from the last checkpoint" if kept else "Nothing was written"
        raise click.UsageError(f"{reason(error)}. {left}", ctx=None) from None


@contextmanager
def followed(task: Any, network: Any, training: Any, quiet: bool, interrupted: Callable[[], int]) -> Iterator[dict[str, Any]]:
    """What watches a run: a progress bar, which ends a run that was interrupted, and a word on compilation."""
    from tqdm import tqdm

    if not quiet:
        say(f"{network!r} on {task!r}")
    shown = not quiet and sys.stderr.isatty()
    stream = isinstance(training, config.Training)
    total = (training.burn_in_ms + training.duration_ms) / 1000 if stream else float(training.epochs)
    count = "{n:.0f}/{total:.0f} s" if stream else "{n:.1f}/{total:.0f} epochs"
    with tqdm(total=total, disable=not shown, bar_format=f"{{percentage:3.0f}}%|{{bar}}| {count}{{postfix}}") as bar:

        def on_block(progress: Progress) -> bool:
            rates = rates_text({name: rate for name, rate in progress.rates_hz.items() if name != "input"})
            bar.set_postfix_str(f"{progress.real_time_factor:.0f} × real time, cost {progress.cost:.3g}, {rates}", refresh=False)
            bar.update(progress.time_ms / 1000 - bar.n)
            return not interrupted()

        def on_report(report: Report) -> bool:
            words = f"{1e6 / report.us_per_sample:,.0f} samples/s, loss {report.loss:.3g}, {100 * report.accuracy:.2f} % right"
            if report.accuracy_validation is not None:
                words += f", validation {100 * report.accuracy_validation:.2f} %"
            bar.set_postfix_str(words, refresh=False)
            bar.update(report.epoch - bar.n)
            return not interrupted()

        if stream:
            yield {"on_block": on_block, "on_compile": lambda it: aloud(it.compile, f"the {it.engine} engine", quiet)}
        else:
            yield {"on_report": on_report, "on_compile": lambda compile: aloud(compile, "the engine of trials", quiet)}


def rates_text(rates: dict[str, float]) -> str:
    """``hidden1 8.1, output 24.0 Hz``."""
    return ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items()) + " Hz"


def with_unit(value: float, unit: str) -> str:
    """``12.3 Hz``, or the number alone where it has no unit."""
    return f"{value:.3g} {unit}".rstrip()


def met_text(found: dict[str, Any]) -> str:
    """How the output meets its targets."""
    if "hits" not in found and "accuracy" not in found:
        return "the readout's potentials are met as the cost says"
    if "accuracy" in found:
        return f"{100 * found['accuracy']:.0f} % of {found['windows']} response windows answered rightly"
    hits, misses = found["hits"], found["misses"]
    return f"within ±2 ms: {hits} hits, {misses} misses, {found['extra']} extra spikes ({hits + misses} target spikes)"


def report_lines(run: Run | Fit) -> list[str]:
    """The summary that ``train`` prints."""
    found = run.summary()
    if "us_per_sample" in found:
        said = [("test", "accuracy_test"), ("validation", "accuracy_validation")]
        right = ", ".join(f"{100 * found[key]:.2f} % of the {name} samples" for name, key in said if found[key] is not None)
        low, high = found["interval_95"] or (0, 0)
        right = right or f"{100 * run.metrics['accuracy'][-1]:.2f} % of the samples, as they were learned from"
        return [
            f"accuracy  {right}" + (f"; test {100 * low:.2f} … {100 * high:.2f} with 95 % confidence" if high else ""),
            f"loss      {found['loss']:.3g}",
            f"spikes    {found['spikes_per_decision']:.1f} of hidden neurons per decision",
            f"speed     {found['us_per_sample']:.1f} µs a sample, {found['seconds_per_epoch']:.3g} s an epoch",
        ]
    return [
        f"cost      {found['cost_initial']:.3g} → {with_unit(found['cost'], run.cost_unit)}",  # type: ignore[union-attr]
        f"rates     {rates_text(found['rates_hz'])}",
        f"{'at the end' if 'accuracy' in found else 'last period'}, {met_text(found)}",
        f"speed     {found['real_time_factor']:.0f} × real time",
    ]


def wrote(folder: Path) -> str:
    """Where the run is, and what to look at."""
    look = next((f" (look at {name})" for name in ("raster.png", "samples.png") if (folder / name).exists()), "")
    return f"wrote     {folder}{os.sep}{look}"


@main.group(cls=click.Group)
def data() -> None:
    """Get data sets."""


@data.command(short_help="Download a data set.")
@click.argument("name", type=click.Choice(tuple(SOURCES)))
@click.argument("folder", metavar="DIR")
def fetch(name: str, folder: str) -> None:
    """Download a data set into a folder, unless it is there; train --task NAME --data DIR learns it.

    It needs the network, and the extra data. SHD and SSC (Heidelberg's spoken digits and commands) are --task heidelberg.
    """
    for path in tasks.fetch(name, folder):
        click.echo(path)

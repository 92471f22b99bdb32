"""The tables and sentences of a tunnel, as tunnel.md and tunnel.html show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from mta_eval.results.table import GAP, interval_text, percent_text
from mta_eval.tunnel.matching import APART, CLOSE
from mta_eval.tunnel.training_run import ENOUGH, FACTOR, SOLVED, TrainingResult
from mta_eval.tunnel.tunnel_result import SEEDS_OF_AN_INTERVAL, Tunnel, error_interval
from mta_eval.tunnel.verdicts import HARDLY, PART, Judged


@dataclass(frozen=True)
class TunnelTable:
    """A row for each task, a column for each variant."""

    title: str
    note: str
    head: list[str]
    rows: list[list[str]]


def result_tables(tunnel: Tunnel) -> list[TunnelTable]:
    """Errors, errors on longer rows, steps, and what models cost: the same in every run of the same tunnel on a CPU."""
    preset = tunnel.plan.preset
    interval = (
        "mean over the seeds, its 95 % interval (by t, cut at 0 and 100), every seed"
        if preset.seeds >= SEEDS_OF_AN_INTERVAL
        else f"every seed; an interval takes {SEEDS_OF_AN_INTERVAL}"
    )
    shares = f"Per cent of the answers to {preset.tested} held-out rows: {interval}."
    longer = f"The same models, never trained at this length: {interval}."
    solved = f"At most {percent_text(SOLVED)} of held-out answers wrong; every seed."
    memory = "weights, gradients, moments and what a step keeps: the most at once"
    parts: list[tuple[str, str, Callable[[Judged], str]]] = [
        ("Wrong answers", shares, lambda one: _errors_text(one.errors)),
        (f"Rows {FACTOR} times longer", longer, lambda one: _errors_text(_longer(one))),
        ("Steps until solved", solved, lambda one: " · ".join(map(_steps_text, one.outcome.results))),
        ("Parameters and memory", f"Parameters, width of the SwiGLU, memory of a step ({memory}).", _size_text),
    ]
    return [_table(tunnel, *part) for part in parts]


def time_table(tunnel: Tunnel) -> TunnelTable:
    """Seconds a step, which are other in every run."""
    note = "Without evaluations, on one core or GPU, the median over seeds; other in every run."
    return _table(tunnel, "Seconds a step", note, _seconds_text)


def rate_table(tunnel: Tunnel) -> TunnelTable:
    """The learning rates that were taken."""
    note = "The rate that was taken, and the losses on held-out rows of all that were tried."
    return _table(tunnel, "Learning rates", note, _rate_text)


def protocol(tunnel: Tunnel) -> list[str]:
    """How the variants were compared, a sentence for each point."""
    preset, size = tunnel.plan.preset, tunnel.plan.preset.size
    rates = " or ".join(f"{rate:g}" for rate in preset.rates)
    sweep = f"chosen from {rates} by the loss on held-out rows after {preset.sweep_steps:,} steps, with its own seed"
    solved, ends, apart, part, hardly = map(percent_text, (SOLVED, ENOUGH, APART, PART, HARDLY))
    match = (
        f"Parameters: where they are over {apart} apart from the plain Transformer's, the SwiGLU's width is changed "
        f"until they are within {100 * CLOSE:g} %, or as near as whole widths come."
        if preset.match == "parameters"
        else "Parameters are not matched."
    )
    return [
        f"The same for every variant: {size.layers} layers of width {size.width} with {size.heads} heads and a SwiGLU "
        f"of width {size.hidden}, AdamW, batches of {preset.batch} fresh rows, {preset.steps:,} steps or until "
        f"{ends} of held-out answers are wrong.",
        f"The learning rate of each variant on each task is {sweep if len(preset.rates) > 1 else rates}.",
        match,
        f"Solved: at most {solved} wrong. Chance is the best guess that does not solve the task. Part of a task is "
        f"learned with surely fewer errors than chance's and at most {part} of them; at chance: {hardly} of them or "
        "more, or their interval (Wilson, over rows) reaches chance.",
        "Intervals are of the mean over seeds, which are asked the same rows. Seeds that agree do not rule out one "
        "that fails: of variants that fail with one seed in four, 42 % show none in three.",
    ]


def _table(tunnel: Tunnel, title: str, note: str, text: Callable[[Judged], str]) -> TunnelTable:
    variants = tunnel.plan.variants
    rows = [[task, *(text(tunnel.judged[task, one.label]) for one in variants)] for task in tunnel.plan.tasks]
    return TunnelTable(title, note, ["task", *(one.title for one in variants)], rows)


def _longer(one: Judged) -> list[float]:
    return [result.wrong_longer for result in one.outcome.results]


def _errors_text(errors: Sequence[float]) -> str:
    ends, every = error_interval(errors), " · ".join(f"{100 * error:.1f}" for error in errors)
    return every if ends is None else f"{100 * mean(errors):.1f} % {interval_text(*ends)} ({every})"


def _steps_text(result: TrainingResult) -> str:
    return GAP if result.solved_at is None else f"{result.solved_at:,}"


def _size_text(one: Judged) -> str:
    results = one.outcome.results
    memories = [result.memory for result in results if result.memory is not None]
    memory = f"{max(memories) / 1e6:.1f} MB" if memories else GAP
    return f"{results[0].parameters:,} · {results[0].training.size.hidden} · {memory}"


def _seconds_text(one: Judged) -> str:
    seconds = [result.seconds_per_step for result in one.outcome.results if result.seconds_per_step is not None]
    return f"{median(seconds):.3f}" if seconds else GAP


def _rate_text(one: Judged) -> str:
    losses = " · ".join(f"{rate:g}: {loss:.3f}" for rate, loss in one.outcome.sweep.items())
    return f"{one.outcome.rate:g} ({losses})" if losses else f"{one.outcome.rate:g}"

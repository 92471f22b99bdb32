"""tunnel.md: verdicts and tables, for a README."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from mta_eval.results.table import GAP, interval_text, markdown_table, markdown_text
from mta_eval.tunnel.training_run import ENOUGH, FACTOR, SOLVED, TrainingResult
from mta_eval.tunnel.tunnel_result import Tunnel, error_interval
from mta_eval.tunnel.verdicts import Judged


def as_markdown(tunnel: Tunnel) -> str:
    """The verdicts and tables, without the times, which are other in every run: those stand in a table of their own."""
    preset = tunnel.plan.preset
    seeds = f"{preset.seeds} seed{'s' * (preset.seeds != 1)}"
    parts = [
        f"# {tunnel.plan.variants[0].title} in the tunnel\n",
        "".join(f"- {markdown_text(sentence)}\n" for sentence in tunnel.verdicts.values()),
        "![Wrong answers of every seed, and steps until solved](tunnel.png)\n",
        f"## Wrong answers\n\nOf {preset.tested} held-out rows: mean over {seeds}, its 95 % interval, every seed.\n",
        _table(tunnel, _wrong_text),
        f"## Rows {FACTOR} times longer\n\nThe same models, never trained at this length.\n",
        _table(tunnel, lambda one: _percents([result.wrong_longer for result in one.outcome.results])),
        f"## Steps until solved\n\nAt most {SOLVED:.0%} of held-out answers wrong; every seed.\n",
        _table(tunnel, lambda one: " · ".join(map(_steps_text, one.outcome.results))),
        "## Cost\n\nParameters, and seconds a step with its evaluations on one core or GPU (other in every run).\n",
        _table(tunnel, _cost_text),
        f"## How it was compared\n\n{markdown_text(_protocol(tunnel))}\n",
        _table(tunnel, _rate_text),
        "".join(f"- {markdown_text(note)}\n" for note in tunnel.notes),
    ]
    return "\n".join(parts)


def _table(tunnel: Tunnel, text: Callable[[Judged], str]) -> str:
    variants = tunnel.plan.variants
    rows = [[task, *(text(tunnel.judged[task, one.kind]) for one in variants)] for task in tunnel.plan.tasks]
    return markdown_table(["task", *(one.title for one in variants)], rows, left=1)


def _wrong_text(one: Judged) -> str:
    ends = error_interval(one.errors)
    if ends is None:
        return _percents(one.errors)
    return f"{100 * mean(one.errors):.1f} % {interval_text(*ends)} ({_percents(one.errors)})"


def _percents(errors: Sequence[float]) -> str:
    return " · ".join(f"{100 * error:.1f}" for error in errors)


def _steps_text(result: TrainingResult) -> str:
    return GAP if result.solved_at is None else f"{result.solved_at:,}"


def _cost_text(one: Judged) -> str:
    seconds = [result.seconds_per_step for result in one.outcome.results if result.seconds_per_step is not None]
    return f"{one.outcome.results[0].parameters:,}, {f'{mean(seconds):.3f} s' if seconds else GAP}"


def _rate_text(one: Judged) -> str:
    losses = " · ".join(f"{rate:g}: {loss:.3f}" for rate, loss in one.outcome.sweep.items())
    return f"{one.outcome.rate:g} ({losses})" if losses else f"{one.outcome.rate:g}"


def _protocol(tunnel: Tunnel) -> str:
    preset, size = tunnel.plan.preset, tunnel.plan.preset.size
    rates = " or ".join(f"{rate:g}" for rate in preset.rates)
    sweep = f"chosen from {rates} by the loss on held-out rows after {preset.sweep_steps:,} steps, with its own seed"
    return (
        f"The same for every variant: {size.layers} layers of width {size.width} with {size.heads} heads, AdamW, "
        f"batches of {preset.batch} fresh rows, {preset.steps:,} steps or until {ENOUGH:.0%} of held-out answers are "
        f"wrong; the learning rate is {sweep if len(preset.rates) > 1 else rates}. Below: the rates that were taken, "
        "and the losses."
    )

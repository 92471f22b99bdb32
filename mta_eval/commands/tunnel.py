"""`mta-eval tunnel`: an attention variant trained beside others on diagnostic tasks, and what it can do."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mta_eval.arguments import typed_command
from mta_eval.commands import terminal
from mta_eval.commands.options import MOST_STEPS
from mta_eval.errors import ModelError, SpecError
from mta_eval.outside import typed_float

if TYPE_CHECKING:
    from mta_eval.tunnel.plan import TunnelPlan
    from mta_eval.tunnel.training_run import TrainingResult

MOST_SEEDS, MOST_JOBS = 1000, 256
# commas within one spec: before key= or a number, and in {1,2}
BETWEEN_SPECS = re.compile(r",(?![a-z_]+=)(?![^{]*\})(?!\d+(?:,|$))")


class Matched(StrEnum):
    """What is made equal between variants."""

    parameters = "parameters"
    none = "none"


class TunnelPresetName(StrEnum):
    """Size of models, trainings and comparison."""

    quick = "quick"
    laptop = "laptop"
    gpu = "gpu"


def tunnel(
    variant: Annotated[
        str,
        typer.Argument(
            help="Attention variant: a file my_attention.py (executed), package.module:Class, or a name; "
            "with options: mta:query_kernel_before=2,key_kernel_before=9."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the trainings and tables; the same command continues it.")],
    against: Annotated[str, typer.Option(help="Variants to compare with, by commas; default: the preset's.")] = "",
    tasks: Annotated[
        str, typer.Option(help="Diagnostic tasks (mta-eval list diagnostics): copy,needles:length=64.")
    ] = "",
    preset: Annotated[
        TunnelPresetName,
        typer.Option(help="quick: minutes; laptop: an hour on 2 cores; gpu: 13 tasks, three seeds."),
    ] = TunnelPresetName.laptop,
    seeds: Annotated[
        int, typer.Option(help="Trainings of each variant and task; 0: the preset's.", min=0, max=MOST_SEEDS)
    ] = 0,
    steps: Annotated[int, typer.Option(help="Training steps; 0: the preset's.", min=0, max=MOST_STEPS)] = 0,
    learning_rates: Annotated[
        str, typer.Option(help="Rates to choose from by held-out loss: 1e-3,2e-3; default: the preset's.")
    ] = "",
    match: Annotated[
        Matched, typer.Option(help="parameters: over 2 % apart, the SwiGLU's width is changed; none: as they are.")
    ] = Matched.parameters,
    jobs: Annotated[
        int, typer.Option(help="Trainings at once; 0: one for each core, 1 on a GPU.", min=0, max=MOST_JOBS)
    ] = 0,
    device: Annotated[str, typer.Option(help="auto: cuda, mps or cpu, the first there is.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the variant, time a few steps, no more.")] = False,
) -> None:
    """Train an attention variant beside others on diagnostic tasks, and say what it can do that they cannot.

    Stopped or killed, the same command continues. A file that is named as a variant is executed.
    """
    from mta_eval.models.devices import choose_device
    from mta_eval.tunnel.attention_maps import MapPicture, draw_attention_maps
    from mta_eval.tunnel.made import made_by
    from mta_eval.tunnel.plan import run_plan, tunnel_plan, with_changes
    from mta_eval.tunnel.presets import find_preset
    from mta_eval.tunnel.tunnel_files import write_tunnel
    from mta_eval.tunnel.tunnel_page import write_page
    from mta_eval.tunnel.tunnel_result import tunnel_of

    sizes = with_changes(find_preset(preset.value), seeds, steps, _rates(learning_rates), match.value)
    plan = tunnel_plan(variant, _specs(against), _specs(tasks), sizes)
    place = choose_device(device)
    processes = jobs or (1 if place != "cpu" else _cores())
    for text in plan.notes:
        terminal.note(text)
    if dry_run:
        _print_costs(plan, place, processes)
        return
    ended: list[TrainingResult] = []

    def on_end(result: TrainingResult) -> None:
        ended.append(result)
        terminal.note(f"[{len(ended)}/{len(plan)}] {_ended_text(result)}")

    made = made_by(typed_command(), place)
    trained = tunnel_of(plan, preset.value, run_plan(plan, out, place, processes, on_end), made)
    paths, maps, why_no_maps = write_tunnel(trained, out)[:3], list[MapPicture](), ""
    try:
        maps = draw_attention_maps(trained, out)
    except ModelError as error:  # all that was measured is there
        why_no_maps = str(error)
        terminal.note(why_no_maps)
    paths += [one.path.with_suffix(".png") for one in maps]
    terminal.print_lines([*trained.axis_verdicts, *trained.verdicts.values(), ""])
    terminal.print_lines(map(str, [*paths, write_page(trained, out, maps, why_no_maps)]))


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _specs(text: str) -> list[str]:
    return [spec.strip() for spec in BETWEEN_SPECS.split(text) if spec.strip()]


def _rates(text: str) -> Sequence[float]:
    try:
        return [typed_float(rate) for rate in text.split(",") if rate.strip()]
    except ValueError as error:
        raise SpecError(f"--learning-rates {text!r}: {error}") from error


def _ended_text(result: TrainingResult) -> str:
    training = result.training
    what = f"{training.task} · {training.label} · rate {training.learning_rate:g}"
    if result.diverged:
        return f"{what}: diverged after {result.steps:,} steps"
    if training.is_sweep:
        return f"{what}: held-out loss {result.validation_loss:.3f} after {result.steps:,} steps"
    return f"{what} · seed {training.seed}: {result.wrong:.1%} wrong after {result.steps:,} steps"


def _print_costs(plan: TunnelPlan, device: str, processes: int) -> None:
    from mta_eval.progress import duration_text
    from mta_eval.tunnel.estimate import costs

    measured = costs(plan, device)
    rows = [
        (
            one.task,
            one.variant.title,
            f"{one.parameters:,}",
            str(one.hidden),
            f"{one.step.memory / 1e6:.1f}",
            f"{one.step.seconds:.3f}",
            duration_text(one.total),
        )
        for one in measured
    ]
    head = ["task", "variant", "parameters", "SwiGLU width", "MB a step", "seconds a step", "all its trainings"]
    terminal.print_table(head, rows, left=2)
    total = sum(one.total for one in measured)
    terminal.print_line(
        f"{len(plan)} trainings: about {duration_text(total / processes)} on this machine, {processes} at once, "
        "and less where a task is solved early"
    )

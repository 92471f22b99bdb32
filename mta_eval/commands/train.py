"""`mta-eval train`: a model of the attention family from a recipe, or a language model on texts and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mta_eval.arguments import parse_options, typed_command
from mta_eval.commands import terminal
from mta_eval.commands.options import MOST_STEPS
from mta_eval.commands.training_bar import training_bar
from mta_eval.errors import SpecError, StoreError
from mta_eval.outside import LARGEST
from mta_eval.training.training_log import perplexity_of

if TYPE_CHECKING:
    from mta_eval.training.training import Recipe

BLOCKS, LANGUAGE, SCHEDULE = "Letter blocks", "Text and tasks", "Schedule"
MOST_TOKENS = 1 << 24


class Target(StrEnum):
    """What of the target block is the answer."""

    all = "all"
    first = "first"
    last = "last"


class Tuned(StrEnum):
    """Which weights of a checkpoint are trained."""

    all = "all"
    kernels = "kernels"
    lora = "lora"
    lora_kernels = "lora+kernels"


def train(
    what: Annotated[
        list[str],
        typer.Argument(
            help="letter_blocks, needles (small models that find needles), text, or tasks: niah:needles=4. Text and "
            "tasks may be mixed."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the training; the same command continues it.")],
    attention: Annotated[
        str,
        typer.Option(
            "--attention",
            "--model",
            help="Attention variant (mta-eval list attention). Default: mta, or with --from the checkpoint's own.",
        ),
    ] = "",
    preset: Annotated[
        str,
        typer.Option(
            help="letter_blocks: cpu (minutes on 2 cores) or paper; needles: cpu; else tiny, small, 300M, 550M, 880M "
            "or 1B (the paper's). Default: the first."
        ),
    ] = "",
    seed: Annotated[
        int, typer.Option(help="Random seed of weights, rows and dropout.", min=-LARGEST, max=LARGEST)
    ] = 42,
    steps: Annotated[
        int, typer.Option(help="Training steps; 0: the preset's.", min=0, max=MOST_STEPS, rich_help_panel=SCHEDULE)
    ] = 0,
    batch: Annotated[
        int, typer.Option(help="Rows of a step; 0: the preset's.", min=0, max=MOST_STEPS, rich_help_panel=SCHEDULE)
    ] = 0,
    at_once: Annotated[
        int,
        typer.Option(
            help="Rows that go through the model together; gradients are summed over a step. 0: all.",
            min=0,
            max=MOST_STEPS,
            rich_help_panel=SCHEDULE,
        ),
    ] = 0,
    learning_rate: Annotated[
        float, typer.Option(help="Its peak; 0: the preset's.", min=0, max=10, rich_help_panel=SCHEDULE)
    ] = 0,
    warmup: Annotated[
        int | None,
        typer.Option(help="Steps in which the rate rises.", min=0, max=MOST_STEPS, rich_help_panel=SCHEDULE),
    ] = None,
    decay: Annotated[
        float | None,
        typer.Option(
            help="Last share of the steps, in which the rate falls to 0.", min=0, max=1, rich_help_panel=SCHEDULE
        ),
    ] = None,
    every: Annotated[
        int,
        typer.Option(
            help="Steps between evaluations; 0: the preset's.", min=0, max=MOST_STEPS, rich_help_panel=SCHEDULE
        ),
    ] = 0,
    stop_below: Annotated[
        float | None,
        typer.Option(
            help="Stop early once this share of held-out answers is wrong: 0.01.",
            min=0,
            max=1,
            rich_help_panel=SCHEDULE,
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            help="Text to train on: a file, a folder (each file a domain), .jsonl, dataset:NAME, or prose.",
            rich_help_panel=LANGUAGE,
        ),
    ] = "",
    tokenizer: Annotated[
        str,
        typer.Option(
            help="Folder, hub id, or bpe:SIZE to learn one from the text; default: bpe.", rich_help_panel=LANGUAGE
        ),
    ] = "",
    length: Annotated[
        int, typer.Option(help="Tokens of a row; 0: the preset's.", min=0, max=MOST_TOKENS, rich_help_panel=LANGUAGE)
    ] = 0,
    text_share: Annotated[
        float | None,
        typer.Option(
            help="Share of the rows that are text, where there are tasks too.", min=0, max=1, rich_help_panel=LANGUAGE
        ),
    ] = None,
    text_weight: Annotated[
        float | None,
        typer.Option(
            help="Weight in the loss of a token of a task's prompt; its answer has 1.",
            min=0,
            max=1,
            rich_help_panel=LANGUAGE,
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            "--from", help="Checkpoint to go on from; another --attention is put into it.", rich_help_panel=LANGUAGE
        ),
    ] = "",
    tune: Annotated[
        Tuned | None,
        typer.Option(help="Weights of the checkpoint that are trained; default: all.", rich_help_panel=LANGUAGE),
    ] = None,
    rank: Annotated[
        int | None, typer.Option(help="Rank of LoRA; default: 16.", min=1, max=4096, rich_help_panel=LANGUAGE)
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Option of MTAConfig, such as query_kernel_before=3; repeatable.",
            rich_help_panel=LANGUAGE,
        ),
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            help="Task that the model is asked at every evaluation: niah:needles=2, or perplexity:text=DIR,windows=8; "
            "repeatable.",
            rich_help_panel=LANGUAGE,
        ),
    ] = None,
    probe_samples: Annotated[
        int, typer.Option(help="Samples of each probe.", min=1, max=10_000, rich_help_panel=LANGUAGE)
    ] = 16,
    block: Annotated[
        int | None,
        typer.Option(help="Letters in a block; the paper has 5 and 8.", rich_help_panel=BLOCKS),
    ] = None,
    target: Annotated[
        Target | None,
        typer.Option(help="Answer the whole block, its first or its last letter.", rich_help_panel=BLOCKS),
    ] = None,
    write_rows: Annotated[
        int,
        typer.Option(
            help="Write this many training rows as JSONL instead.", min=0, max=MOST_STEPS, rich_help_panel=BLOCKS
        ),
    ] = 0,
    device: Annotated[str, typer.Option(help="auto: cuda, mps or cpu, the first there is.")] = "auto",
) -> None:
    """Train a model of the attention family. Stopped or killed, the same command continues where it was.

    Several devices: torchrun --nproc-per-node N -m mta_eval train …
    """
    from mta_eval.training import recipes, training
    from mta_eval.training.probes import Probes

    numbers = {"steps": steps, "batch": batch, "at_once": at_once, "learning_rate": learning_rate}
    numbers["evaluate_every"] = every
    given = {
        "data": data,
        "tokenizer_spec": tokenizer,
        "length": length,
        "start": start,
        "tune": tune and tune.value,
        "options": parse_options(options or []),
        "target": target and target.value,
    }
    changes = {name: value for name, value in numbers.items() if value} | _given({"warmup": warmup, "decay": decay})
    chosen = {name: value for name, value in given.items() if value}
    chosen |= _given({"text_share": text_share, "text_weight": text_weight, "rank": rank, "block": block})
    recipe = recipes.recipe_for(what, attention, preset, seed, changes, chosen)
    if write_rows:
        _write_rows(recipe, write_rows, out)
        return
    lengths = (length or getattr(recipe, "length", 512),)
    probes = Probes(tuple(probe), lengths, probe_samples) if probe else None
    text = what == [recipes.TEXT]
    with training_bar(text) as watch:
        errors = training.train(recipe, out, watch, device, stop_below, typed_command(), probes)
    if watch.began is not None:  # only one of several processes speaks
        terminal.print_line(_outcome(errors, recipe.schedule.tested, text))
        terminal.print_line(out)


def _outcome(errors: Mapping[str, float], rows: int, text: bool) -> str:
    if text:
        found = f"perplexity {perplexity_of(errors['loss']):.4g}"
        return f"{found}, {errors['tokens']:.2%} of next tokens wrong, in {rows:,} rows"
    return f"{errors['answers']:.1%} of answers and {errors['tokens']:.2%} of their tokens wrong, of {rows:,}"


def _given(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _write_rows(recipe: Recipe, count: int, out: Path) -> None:
    from mta_eval.results.text_files import write_lines
    from mta_eval.training.letter_block_recipe import LetterBlockRecipe, rows_as_json

    if not isinstance(recipe, LetterBlockRecipe):
        raise SpecError("--write-rows writes letter blocks; the rows of other trainings are tokens")
    if out.exists():
        raise StoreError(f"{str(out)!r} is there already; name a new file")
    write_lines(rows_as_json(recipe, count), out)
    terminal.print_line(f"{count} rows in {out}")

"""Training from a recipe: a task's rows, a model of the attention family, and a folder that survives being stopped."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

from mta_eval import registry
from mta_eval.core import generator
from mta_eval.errors import SpecError
from mta_eval.training.rows import AnswerRows, Stream
from mta_eval.training.training_log import log_line
from mta_eval.version import VERSION

if TYPE_CHECKING:
    import torch

    from mta_eval.attention.decoder import MTAForCausalLM
    from mta_eval.training.processes import Share
    from mta_eval.training.trainer import Progress, Schedule, Trainer
    from mta_eval.training.training_folder import TrainingFolder

Preset = Literal["cpu", "paper"]
TESTED = 1000  # rows of the test stream, at the end


class TrainingObserver(Protocol):
    """Is called in a training: at its beginning, after every step with the loss, after every evaluation."""

    def begin(self, step: int, steps: int) -> None: ...

    def step(self, step: int, loss: float) -> None: ...

    def evaluated(self, progress: Progress) -> None: ...


@dataclass(frozen=True)
class Recipe:
    """What is trained, and how: all that decides the weights, but for the machine."""

    task: str
    attention: str
    preset: Preset
    seed: int
    sizes: dict[str, object]
    schedule: Schedule

    def described(self) -> dict[str, object]:
        """As recipe.json keeps it."""
        plain: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return {**plain, "mta_eval": VERSION}


@runtime_checkable
class RowTask(Protocol):
    """A task that makes rows to train on."""

    def row(self, stream: Stream, seed: int, index: int) -> tuple[str, str]:
        """The prompt and the answer of a row, the same for the same arguments."""


@dataclass(frozen=True)
class TaskRows(AnswerRows):
    """The rows of a task in tokens, for `train.Rows`."""

    task: RowTask
    seed: int

    def __call__(self, stream: Stream, index: int) -> list[int]:
        from mta_eval.training.letter_tokenizer import row_ids

        # what is held out is the same for every seed of a training
        return row_ids(*self.task.row(stream, self.seed if stream == "training" else 0, index))

    @cached_property
    def answers(self) -> list[list[int]]:
        """One answer: its letters, and EOS."""
        return [list(range(-len(self.task.row("validation", 0, 0)[1]) - 1, 0))]


def letter_blocks(
    attention: str,
    preset: Preset = "cpu",
    seed: int = 42,
    block: int = 5,
    target: str = "all",
    **changes: Any,
) -> Recipe:
    """The recipe for letter blocks (MTA paper, section 4.1): `paper` to the letter, `cpu` for 2 cores.

    `changes` replace fields of the schedule. Raises SpecError.
    """
    from mta_eval.training.letter_tokenizer import BOS, EOS, IDS
    from mta_eval.training.trainer import Schedule

    if preset not in get_args(Preset):
        raise SpecError(f"letter_blocks has no preset {preset!r}; there is: {', '.join(get_args(Preset))}")
    sizes: dict[str, object] = {"bos_token_id": IDS[BOS], "eos_token_id": IDS[EOS]}
    schedule: dict[str, Any]
    if preset == "paper":
        size = "characters=319"
        schedule = {"steps": 100_000, "rows": 1_000_000, "evaluate_every": 1000, "held_out": 1000}
    else:
        size = "blocks=8"
        sizes |= {"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 256, "attention_dropout": 0.0}
        sizes["num_attention_heads"] = 4
        schedule = {"steps": 3000, "learning_rate": 2e-3, "warmup": 100, "decay": 1.0}
    is_small = preset == "cpu"
    variant = registry.find("attention", attention)
    use = "small letter blocks" if is_small else "letter blocks"
    options = variant.options_for(use, layers=2 if is_small else 4, block=block)
    sizes |= {name: options[name] for name in variant.kernel_options if options.get(name)}
    task = registry.spec_of(registry.build_task(f"letter_blocks:block={block},target={target},{size}"))
    rows = TaskRows(_row_task(task), seed)
    sizes["max_position_embeddings"] = len(rows("training", 0))
    return Recipe(task, attention, preset, seed, sizes, Schedule(**{**schedule, **changes}))


RECIPES: dict[str, Callable[..., Recipe]] = {"letter_blocks": letter_blocks}


def recipe_for(task: str, *args: object, **options: object) -> Recipe:
    """The recipe of a task. Raises SpecError if there is none."""
    if task not in RECIPES:
        raise SpecError(f"there is no recipe to train {task!r}{registry.did_you_mean(task, RECIPES)}")
    return RECIPES[task](*args, **options)


def train(
    recipe: Recipe,
    out: Path,
    observer: TrainingObserver,
    device: str = "auto",
    stop_below: float | None = None,
    command: str = "",
) -> dict[str, float]:
    """Train `recipe` in the folder `out`, or go on where it was stopped; returns the errors on the test stream.

    Stops early once the share of wrong held-out answers is at most `stop_below`. Under torchrun all processes call
    this, and the first one writes. Raises ModelError if `out` holds something else, is in use or cannot be written.
    """
    from mta_eval.models.devices import choose_device
    from mta_eval.training.card import card
    from mta_eval.training.letter_tokenizer import letter_tokenizer
    from mta_eval.training.processes import processes
    from mta_eval.training.trainer import Trainer
    from mta_eval.training.training_folder import TrainingFolder

    with ExitStack() as alone, processes(choose_device(device)) as (share, place):
        if share.rank:
            share.barrier()  # the first process makes the folder
        folder = TrainingFolder(out, recipe.described())
        if not share.rank:
            share.barrier()
        if not share.rank:
            alone.enter_context(folder.alone())
        if folder.finished:
            if not share.rank:
                observer.begin(recipe.schedule.steps, recipe.schedule.steps)
            return folder.errors()
        model = _new_model(recipe).to(place)
        rows = TaskRows(_row_task(recipe.task), recipe.seed)
        workers = 2 if place.type == "cuda" else 0  # a GPU would wait for its rows
        trainer = Trainer(model, rows, recipe.schedule, recipe.seed, share, workers)
        train_in_folder(trainer, folder, observer, stop_below)
        test = trainer.evaluate("test", TESTED)._asdict()
        if not share.rank:
            facts = {**recipe.described(), "machine": _machine(place, share)}
            folder.finish(model, letter_tokenizer(), test, card(facts, folder.lines(), test, TESTED, command))
    return test


def _row_task(spec: str) -> RowTask:
    task = registry.build_task(spec)
    if not isinstance(task, RowTask):
        raise SpecError(f"{spec!r} makes no rows to train on")
    return task


def rows_as_json(recipe: Recipe, count: int) -> Iterator[str]:
    """The first `count` training rows, a line each: {"src", "tgt"}, as the released code reads them."""
    task = _row_task(recipe.task)
    for index in range(count):
        prompt, answer = task.row("training", recipe.seed, index)
        yield json.dumps({"src": prompt, "tgt": answer})


def train_in_folder(
    trainer: Trainer, folder: TrainingFolder, observer: TrainingObserver, stop_below: float | None
) -> None:
    """Train to the end, or until the share of wrong held-out answers is at most `stop_below`; goes on where it stopped.

    Raises ModelError if the folder is damaged, DivergedError if the loss is no longer a number.
    """
    writes = not trainer.share.rank
    lines = folder.resume(trainer)
    trainer.share.barrier()  # nothing is written before all have read
    if writes:
        observer.begin(trainer.step, trainer.schedule.steps)
    if lines and stop_below is not None and lines[-1]["held_out"]["answers"] <= stop_below:
        return
    for progress in trainer.run(observer.step if writes else None):
        if writes:
            lines.append(log_line(progress))
            folder.save(trainer, lines)
            observer.evaluated(progress)
        if stop_below is not None and progress.held_out.answers <= stop_below:
            return


def _new_model(recipe: Recipe) -> MTAForCausalLM:
    """The model of a recipe before its first step: the same for a seed on every machine."""
    import torch

    from mta_eval.attention.configuration import preset
    from mta_eval.attention.decoder import MTAForCausalLM

    origin = {"task": recipe.task, "preset": recipe.preset, "seed": recipe.seed, "steps": recipe.schedule.steps}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(recipe.seed, "weights").getrandbits(63))
        return MTAForCausalLM(preset("letter-blocks", recipe.attention, "v2", trained=origin, **recipe.sizes))


def _machine(place: torch.device, share: Share) -> str:
    import torch

    if place.type == "cuda":
        name = torch.cuda.get_device_name(place)
    else:
        name = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    return f"{share.world} x {name}, torch {torch.__version__}"

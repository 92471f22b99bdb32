"""The recipe for letter blocks (MTA paper, section 4.1): a task of characters that single-token attention fails at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

from mta_eval import registry
from mta_eval.errors import SpecError
from mta_eval.training.recipe_json import recipe_fields
from mta_eval.training.rows import AnswerRows, Stream
from mta_eval.training.weights import seeded_weights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from mta_eval.attention.decoder import MTAForCausalLM
    from mta_eval.training.trainer import Schedule

Preset = Literal["cpu", "paper"]


@dataclass(frozen=True)
class LetterBlockRecipe:
    """What is trained, and how: all that decides the weights, but for the machine."""

    task: str
    attention: str
    preset: Preset
    seed: int
    sizes: dict[str, object]
    schedule: Schedule

    def described(self) -> dict[str, object]:
        """As recipe.json keeps it."""
        return recipe_fields(self)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Of characters."""
        from mta_eval.training.letter_tokenizer import letter_tokenizer

        return letter_tokenizer()

    def rows(self, tokenizer: PreTrainedTokenizerFast) -> TaskRows:  # noqa: ARG002
        """Of the task."""
        return TaskRows(_row_task(self.task), self.seed)

    def new_model(self, tokenizer: PreTrainedTokenizerFast) -> MTAForCausalLM:  # noqa: ARG002
        """The model before its first step: the same for a seed on every machine."""
        from mta_eval.attention.configuration import preset
        from mta_eval.attention.decoder import MTAForCausalLM

        origin = {"task": self.task, "preset": self.preset, "seed": self.seed, "steps": self.schedule.steps}
        with seeded_weights(self.seed):
            return MTAForCausalLM(preset("letter-blocks", self.attention, "v2", trained=origin, **self.sizes))

    def about(self) -> str:
        """What the model knows."""
        length = self.sizes["max_position_embeddings"]
        return f'It knows the letters a to z, ".", "#" and "_" only, and rows of {length} tokens.'


@runtime_checkable
class RowTask(Protocol):
    """A task that makes rows to train on."""

    def row(self, stream: Stream, seed: int, index: int) -> tuple[str, str]:
        """The prompt and the answer of a row, the same for the same arguments."""


@dataclass(frozen=True)
class TaskRows(AnswerRows):
    """The rows of a task in tokens, for `rows.Rows`."""

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
) -> LetterBlockRecipe:
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
    return LetterBlockRecipe(task, attention, preset, seed, sizes, Schedule(**{**schedule, **changes}))


def _row_task(spec: str) -> RowTask:
    task = registry.build_task(spec)
    if not isinstance(task, RowTask):
        raise SpecError(f"{spec!r} makes no rows to train on")
    return task


def rows_as_json(recipe: LetterBlockRecipe, count: int) -> Iterator[str]:
    """The first `count` training rows, a line each: {"src", "tgt"}, as the released code reads them."""
    task = _row_task(recipe.task)
    for index in range(count):
        prompt, answer = task.row("training", recipe.seed, index)
        yield json.dumps({"src": prompt, "tgt": answer})

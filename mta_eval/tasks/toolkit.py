"""What a task needs, in one place: the public surface that tasks of other packages may rely on.

The smallest task with needles:

    @dataclass(frozen=True)
    class Colour:
        "Colour: which colour was hidden in the text?"

        name: ClassVar[str] = "colour"
        default_lengths: ClassVar[tuple[int, ...]] = (2048,)

        def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
            random = generator(seed, self.name, cell.repeat)
            value = random.choice(("red", "blue"))
            hidden = NeedleDraft(f"The hidden colour is {value}.", depth_of(cell, random), "colour", value)
            return build_sample(
                self, cell, seed, tokenizer,
                words=("", "\\n\\nThe hidden colour is"), needles=[hidden], targets=(value,), rule="first_word",
            )

        def score(self, sample: Sample, output: str) -> float:
            return find_rule("first_word").score(sample, output)

A package names it by an entry point: [project.entry-points."mta_eval.tasks"] colour = "package.module:Colour".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import ClassVar, NamedTuple

from mta_eval.core import Axes, Cell, Needle, PromptSettings, Sample, Task, Tokenizer, generator
from mta_eval.errors import LengthError, SpecError
from mta_eval.registry import spec_of
from mta_eval.scoring import find as find_rule
from mta_eval.tasks.prompts.fitting import answer_budget, draw_key, insert_needles
from mta_eval.tasks.prompts.haystack import Haystack, open_haystack
from mta_eval.tasks.prompts.layout import NeedlePlacement
from mta_eval.tasks.prompts.pools import draw
from mta_eval.tasks.prompts.template import PromptTemplate, prompt_template

__all__ = [
    "HAYSTACK",
    "Axes",
    "Cell",
    "ClassVar",
    "LengthError",
    "Needle",
    "NeedleDraft",
    "PromptTemplate",
    "Sample",
    "SpecError",
    "Task",
    "Tokenizer",
    "answer_budget",
    "build_sample",
    "dataclass",
    "depth_of",
    "draw",
    "draw_key",
    "field",
    "find_rule",
    "generator",
    "open_haystack",
    "order_of_needles",
    "prompt_template",
    "spec_of",
]
SPARE_TOKENS = 8  # of an answer's budget
HAYSTACK = {"help": "prose, prose:LANGUAGE, mixed, noise, essays, file:PATH, dataset:NAME"}
"""Metadata of an option `haystack`: all that `open_haystack` takes."""


class NeedleDraft(NamedTuple):
    """A needle before its prompt is made. `depth`, from 0 to 1, is where it should begin in the context."""

    text: str
    depth: float
    key: str = ""
    value: str = ""
    asked: bool = True
    own_line: bool = False


def depth_of(cell: Cell, random: Random) -> float:
    """The depth of a cell, or a random one where it has none."""
    return random.random() if cell.depth is None else cell.depth


def order_of_needles(depths: Sequence[float]) -> list[int]:
    """The numbers of needles in the order in which they stand, by their depths; number 0 is the swept one.

    It goes before others of its very depth, and at the end of the context behind them.
    """
    return sorted(range(len(depths)), key=lambda index: (depths[index], (index == 0) == (depths[0] == 1)))


def begun_template(
    tokenizer: Tokenizer, words: tuple[str, str], chat: bool, answer_prefix: str
) -> tuple[PromptTemplate, PromptSettings]:
    """The template of `words`, the answer begun after it, and the settings that say so of a chat.

    The user's own beginning of answers stands above the task's.
    """
    settings = tokenizer.prompt_settings
    template = prompt_template(tokenizer, *words, chat=chat)
    if chat and answer_prefix and not settings.answer_prefix:
        settings = replace(settings, answer_prefix=answer_prefix)
    elif chat:
        answer_prefix = ""
    return template.with_answer_prefix(answer_prefix), settings


def build_sample(
    task: Task,
    cell: Cell,
    seed: int,
    tokenizer: Tokenizer,
    *,
    words: tuple[str, str],
    needles: Sequence[NeedleDraft],
    targets: tuple[str, ...],
    rule: str,
    haystack: str | Haystack = "prose",
    swept: int = 0,
    keep_order: bool = False,
    chat: bool = False,
    max_new_tokens: int = 0,
    choices: tuple[str, ...] = (),
    axes: Axes | None = None,
    stop: tuple[str, ...] | None = None,
    draw_name: str = "",
    answer_prefix: str = "",
    target_delimiter: str | None = None,
) -> Sample:
    """A finished sample: needles in a haystack, between `words` before and after, exact in the tokenizer's tokens.

    `needles` are sorted by depth; number `swept` begins at its depth, within half a sentence, the others near theirs.
    With `keep_order` they keep their order even where that moves the swept one. `max_new_tokens` 0 is enough for all
    targets, joined by commas; `answer_tokens` of the tokenizer's settings stands above it. `axes` are added to length,
    depth and repeat. `stop` None ends at a line or sentence, or with `chat` at the model's own end. `draw_name` is the
    sample's `draw`; "" takes what has the same task and repeat for drawn together, at every length and depth.
    `answer_prefix` begins the answer for the model, after the chat template where there is one; that of the settings
    stands above it.
    `target_delimiter` stands between the prompt and a choice; None is a space, or nothing in a chat.
    Raises LengthError if the needles do not fit, SpecError if there is no such haystack or rule, or if the rule cannot
    score this sample.
    """
    label = spec_of(task)
    filler = open_haystack(haystack, seed, tokenizer) if isinstance(haystack, str) else haystack
    template, settings = begun_template(tokenizer, words, chat, answer_prefix)
    budget = settings.answer_tokens or max_new_tokens or answer_budget(tokenizer, ", ".join(targets), SPARE_TOKENS)
    thinking = settings.thinking_tokens
    fitted = insert_needles(
        filler,
        filler.source.start(seed, cell.length, cell.repeat),
        template,
        [NeedlePlacement(needle.text, needle.depth, needle.own_line) for needle in needles],
        cell.length,
        budget,
        thinking,
        label=label,
        swept_needle=swept,
        depth=needles[swept].depth,
        keep_order=keep_order,
    )
    placed = zip((needles[index] for index in fitted.order), fitted.spans, fitted.depths, strict=True)
    sample = Sample(
        id=f"{label}/{cell}",
        task=label,
        prompt=fitted.prompt,
        targets=targets,
        axes={"length": cell.length, "depth": cell.depth, "repeat": cell.repeat} | dict(axes or {}),
        length=cell.length or fitted.prompt_tokens + budget + thinking,
        prompt_tokens=fitted.prompt_tokens,
        max_new_tokens=budget,
        choices=choices,
        needles=tuple(
            Needle(needle.key, needle.value, needle.text, start, end, round(depth, 6), needle.asked)
            for needle, (start, end), depth in placed
        ),
        chat=fitted.chat,
        stop=stop if stop is not None else () if chat else ("\n", "."),
        target_delimiter=target_delimiter if target_delimiter is not None else "" if chat else " ",
        settings=settings,
        draw=draw_name or f"{task.name}/{cell.repeat}",
    )
    find_rule(rule).check(sample)
    return sample

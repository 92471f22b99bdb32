"""Copying: repeat the words that stand behind a cue, in their order.

    … walrus cello banjo kayak oboe …
    The 3 words that follow walrus cello are: -> banjo kayak oboe

One place must be found and then followed word by word. The score is the share of the words that are right before the
first mistake.

Baselines: none solves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mta_eval.tasks.lists import ListAnswer, build_list_sample
from mta_eval.tasks.toolkit import (
    Cell,
    Sample,
    SpecError,
    Tokenizer,
    answer_budget,
    depth_of,
    draw_key,
    find_rule,
    generator,
)
from mta_eval.tasks.word_rows import WordRows

MOST_CUE, MOST_WORDS, FEWEST = 8, 200, 8


@dataclass(frozen=True)
class Copy:
    """Copying: repeat the words that stand behind a cue, in their order"""

    name: ClassVar[str] = "copy"
    default_lengths: ClassVar[tuple[int, ...]] = (512, 1024)
    rule: ClassVar[str] = "words_in_order"

    words: int = field(default=8, metadata={"help": f"words to copy, 1 to {MOST_WORDS}"})
    cue: int = field(default=2, metadata={"help": f"words before them that are named, 1 to {MOST_CUE}"})
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end where the words begin, or ask by chat template"}
    )

    def __post_init__(self) -> None:
        for what, count, most in (("words", self.words, MOST_WORDS), ("cue", self.cue, MOST_CUE)):
            if not 1 <= count <= most:
                raise SpecError(f"copy: {what} must be 1 to {most}, not {count}")

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        key = draw_key(cell.length, 256 + 8 * self.words)
        random = generator(seed, self.name, self.cue, cell.repeat, key)
        rows = WordRows(random, self.cue, self.words, depth_of(cell, random))
        answer = " ".join(rows.behind)
        return build_list_sample(
            self,
            cell,
            tokenizer,
            rows.lay,
            ListAnswer(
                targets=(answer,),
                rule=self.rule,
                budget=answer_budget(tokenizer, answer, 4 if self.prompt == "completion" else 24),
                fixed=False,
                stop=("\n",),
            ),
            words=self._words(" ".join(rows.cue)),
            chat=self.prompt == "chat",
            least=FEWEST,
            axes={"words_asked": self.words, "cue": self.cue},
            draw_name=f"{self.name}:{self.cue}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """The share of the words that the output gives in order before its first mistake."""
        return find_rule(self.rule).score(sample, output)

    def _words(self, cue: str) -> tuple[str, str]:
        many = f"{self.words} words that follow {cue}" if self.words > 1 else f"word that follows {cue}"
        if self.prompt == "chat":
            return "Read this row of words.\n\n", f"\n\nRepeat the {many} in it, and nothing else."
        return "", f"\n\nThe {many} {'are' if self.words > 1 else 'is'}:"

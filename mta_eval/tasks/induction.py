"""Induction: which word followed the last ones, when they stood in the text before?

    … walrus cello banjo kayak … cello igloo … walrus cello -> banjo

A row of random words ends in a cue that it has once before; what followed there is to follow again (the induction heads
of Olsson et al. 2022, arXiv 2209.11895). A cue of one word takes one key; of a cue of several, each word alone stands
in many other places, so they must be matched together.

Baselines: copier solves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mta_eval.tasks.lists import ListAnswer, build_list_sample
from mta_eval.tasks.prompts.pools import WORDS
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

MOST_CUE, CHOICES, FEWEST = 8, 8, 8


@dataclass(frozen=True)
class Induction:
    """Induction: which word followed the last ones, when they stood in the text before? (Olsson et al. 2022)"""

    name: ClassVar[str] = "induction"
    default_lengths: ClassVar[tuple[int, ...]] = (512, 1024)
    rule: ClassVar[str] = "first_word"

    cue: int = field(default=2, metadata={"help": f"words that stood before, 1 to {MOST_CUE}"})

    def __post_init__(self) -> None:
        if not 1 <= self.cue <= MOST_CUE:
            raise SpecError(f"induction: cue must be 1 to {MOST_CUE} words, not {self.cue}")

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        key = draw_key(cell.length, 256)
        random = generator(seed, self.name, self.cue, cell.repeat, key)
        rows = WordRows(random, self.cue, 1, depth_of(cell, random))
        wrong = [word for word in WORDS if word not in (*rows.cue, *rows.behind)]
        choices = [*rows.behind, *random.sample(wrong, CHOICES - 1)]
        random.shuffle(choices)
        return build_list_sample(
            self,
            cell,
            tokenizer,
            rows.lay,
            ListAnswer(
                targets=rows.behind,
                rule=self.rule,
                budget=answer_budget(tokenizer, rows.behind[0], 1),
                fixed=False,
                stop=("\n",),
            ),
            words=("", " " + " ".join(rows.cue)),
            least=FEWEST,
            axes={"cue": self.cue},
            choices=tuple(choices),
            draw_name=f"{self.name}:{self.cue}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """1 if the output's first word is the one that followed."""
        return find_rule(self.rule).score(sample, output)

"""Chains of facts in prose: where do they lead from a given start? Our own, after RULER's tracing.

    … The key to the tower of Riga is kept in Oslo. The bread was warm. …
    … The key to the tower of Oslo is kept in Lima. …
    Start in Riga and go 2 times in a row to the city where the key to the tower of the city you are in is kept.
    You end in the city of -> Lima

One chain of `hops` facts leads from the start to the answer; `distractors` chains of the same kind lead elsewhere. No
city is of two chains, and each tower's key is in one place, so there is one answer. The last fact of the chain begins
at the depth of the cell; the others stand around it at random depths, in the order that `order` says.

Baselines: bag solves one hop, none solves more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.lists import rule_or_auto
from mta_eval.tasks.prompts.pools import CITIES, DECOYS
from mta_eval.tasks.prompts.sources import TextSource
from mta_eval.tasks.toolkit import (
    HAYSTACK,
    Cell,
    NeedleDraft,
    Sample,
    SpecError,
    Tokenizer,
    answer_budget,
    build_sample,
    depth_of,
    draw,
    draw_key,
    find_rule,
    generator,
    open_haystack,
)

MOST_HOPS = 8
SPARE_CITIES = 20  # that a haystack may name, and decoys
FACT_TOKENS = 24


@dataclass(frozen=True)
class MultiHop:
    """Multi-hop: follow facts in prose from a start to the end of their chain."""

    name: ClassVar[str] = "multi_hop"

    hops: int = field(default=2, metadata={"help": f"facts from the start to the answer, 1..{MOST_HOPS}"})
    distractors: int = field(default=2, metadata={"help": "other chains of as many facts"})
    order: Literal["forward", "reversed", "shuffled"] = field(
        default="shuffled", metadata={"help": "the facts of each chain as they are followed, backwards, or anyhow"}
    )
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end in the answer's stem, or ask by chat template"}
    )
    haystack: str = field(default="prose", metadata=HAYSTACK)
    rule: str = field(default="auto", metadata={"help": "scoring rule; auto: first_word, in chat form all_named"})

    def __post_init__(self) -> None:
        if not 1 <= self.hops <= MOST_HOPS:
            raise SpecError(f"multi_hop: hops must be 1 to {MOST_HOPS}, not {self.hops}")
        most = (len(CITIES) - SPARE_CITIES) // (self.hops + 1) - 1
        if not 0 <= self.distractors <= most:
            raise SpecError(
                f"multi_hop: distractors must be 0 to {most} for {self.hops} hops, not {self.distractors}: no city may "
                "be of two chains"
            )
        object.__setattr__(self, "rule", rule_or_auto(self.rule, self._auto))

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """Two windows of many models."""
        return (2048, 4096)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        key = draw_key(cell.length, 256 + FACT_TOKENS * self.hops * (self.distractors + 1))
        random = generator(seed, "multi_hop", self.hops, cell.repeat, key)
        source = open_haystack(self.haystack, seed, tokenizer).source
        chains, decoys = self._draw(random, source)
        start, *_, answer = chains[0]
        drafts, swept = self._place(cell, random, chains)
        others = [*chains[0][1:-1], *(chain[-1] for chain in chains[1:]), *decoys]
        choices = [answer, *others[: max(DECOYS - 1, self.hops - 1 + self.distractors)]]
        random.shuffle(choices)
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=self._words(start),
            answer_prefix="" if self.prompt == "chat" else " You end in the city of",
            needles=drafts,
            targets=(answer,),
            rule=self._rule,
            haystack=self.haystack,
            swept=swept,
            keep_order=True,
            chat=self.prompt == "chat",
            max_new_tokens=answer_budget(tokenizer, answer, 8 if self.prompt == "completion" else 24),
            choices=tuple(choices),
            axes={"hops": self.hops, "distractors": self.distractors, "order": self.order},
            draw_name=f"multi_hop:{self.hops}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` wants the city first in a completion, and named in a chat."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _auto(self) -> str:
        return "first_word" if self.prompt == "completion" else "all_named"

    @property
    def _rule(self) -> str:
        return self._auto if self.rule == "auto" else self.rule

    def _draw(self, random: Random, source: TextSource) -> tuple[list[list[str]], list[str]]:
        """The chains' cities from start to end, the one that is asked for first, and cities of none of them."""
        used: list[str] = []
        for _ in range((self.hops + 1) * (self.distractors + 1) + DECOYS - 1):
            used.append(draw(random, _city_of, used, source))
        borders = range(0, len(used) - DECOYS + 1, self.hops + 1)
        return [used[border : border + self.hops + 1] for border in borders], used[1 - DECOYS :]

    def _place(self, cell: Cell, random: Random, chains: list[list[str]]) -> tuple[list[NeedleDraft], int]:
        """The facts as they stand, and which of them leads to the answer."""
        depth = depth_of(cell, random)
        placed: list[tuple[float, int, int, int]] = []
        for number in range(len(chains)):
            steps = self._in_order(random)
            depths = sorted(random.random() for _ in steps)
            if number == 0:  # the last step is at the depth of the cell, what stands before it before that
                here = steps.index(self.hops - 1)
                shares = [random.random() for _ in steps]
                depths = [
                    *sorted(depth * share for share in shares[:here]),
                    depth,
                    *sorted(depth + (1 - depth) * share for share in shares[here + 1 :]),
                ]
            placed += [(at, number, place, step) for place, (at, step) in enumerate(zip(depths, steps, strict=True))]
        placed.sort()
        drafts = []
        for at, number, _, step in placed:
            here_city, there = list(pairwise(chains[number]))[step]
            drafts.append(NeedleDraft(_fact(here_city, there), at, here_city, there, asked=number == 0))
        last = next(index for index, row in enumerate(placed) if (row[1], row[3]) == (0, self.hops - 1))
        return drafts, last

    def _in_order(self, random: Random) -> list[int]:
        """The steps of a chain as they stand in the text."""
        steps = list(range(self.hops))
        if self.order == "reversed":
            steps.reverse()
        elif self.order == "shuffled":
            random.shuffle(steps)
        return steps

    def _words(self, start: str) -> tuple[str, str]:
        before = (
            "The text below says here and there in which city the key to a city's tower is kept. "
            "You will be asked to follow these facts.\n\n"
        )
        times = "once" if self.hops == 1 else f"{self.hops} times in a row"
        question = (
            f"Start in {start} and go {times} to the city where the key to the tower of the city you are in is kept."
        )
        if self.prompt == "chat":
            return before, f"\n\n{question} In which city do you end? Answer with its name alone."
        return before, f"\n\n{question}"


def _fact(here: str, there: str) -> str:
    return f"The key to the tower of {here} is kept in {there}."


def _city_of(random: Random) -> str:
    return random.choice(CITIES)

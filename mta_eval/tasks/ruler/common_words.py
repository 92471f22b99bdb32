"""Common words extraction (RULER "cwe", Hsieh et al. 2024): the words of a long list that stand in it most often.

    amber-otter, calm-cello, amber-otter, wise-walrus, … calm-cello, amber-otter
    The 10 words that stand in the list most often, joined by commas: -> amber-otter, calm-cello, …

The common words stand in the list `times` times and all others `other_times` times, in random order; the list is as
long as fits. With `protocol=ruler` the numbered list, the worked example, the prompt and the answer's budget are the
published ones.

Baselines: none solves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.lists import (
    ListAnswer,
    ListContext,
    build_list_sample,
    first_items,
    refuse_depth,
    rule_or_auto,
)
from mta_eval.tasks.prompts.word_pairs import PAIRS, DifferentPairs
from mta_eval.tasks.ruler.templates import COMMON_WORDS
from mta_eval.tasks.toolkit import (
    Cell,
    Sample,
    SpecError,
    Tokenizer,
    answer_budget,
    draw_key,
    find_rule,
    generator,
)

PUBLISHED = 10  # common words
LONG = 4096  # tokens: from here on the published numbers are the larger ones
REPEATS, OTHERS = {True: 30, False: 6}, {True: 3, False: 1}  # in a list, by whether it is long
EXAMPLE_WORDS, EXAMPLE_REPEATS = {True: 40, False: 20}, {True: 10, False: 3}
MOST_REPEATS, MOST_COMMON = 1000, 100


@dataclass(frozen=True)
class CommonWords:
    """Common words: which words stand in a long list most often? (RULER)"""

    name: ClassVar[str] = "common_words"

    common: int = field(default=PUBLISHED, metadata={"help": f"common words, 1..{MOST_COMMON}"})
    times: int = field(
        default=0, metadata={"help": "how often each of them stands in the list; 0: 30, below 4096 tokens 6"}
    )
    other_times: int = field(
        default=0, metadata={"help": "how often every other word stands there; 0: 3, below 4096 tokens 1"}
    )
    protocol: Literal["ours", "ruler"] = field(
        default="ours", metadata={"help": "ruler: list, worked example, prompt, budget and rule as published"}
    )
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end where the answer begins, or ask by chat template"}
    )
    rule: str = field(default="auto", metadata={"help": "scoring rule; auto: ruler_all"})

    def __post_init__(self) -> None:
        if not 1 <= self.common <= MOST_COMMON:
            raise SpecError(f"common_words: common must be 1 to {MOST_COMMON}, not {self.common}")
        for what, count in (("times", self.times), ("other_times", self.other_times)):
            if not 0 <= count <= MOST_REPEATS:
                raise SpecError(f"common_words: {what} must be 0 to {MOST_REPEATS}, not {count}")
        for long in (False, True):
            if self._times(long) <= self._other_times(long):
                raise SpecError(
                    f"common_words: times={self._times(long)} is no more than other_times={self._other_times(long)}, "
                    "so no word is common"
                )
        if self.protocol == "ruler" and self.common != PUBLISHED:
            raise SpecError(f"common_words: protocol=ruler asks for {PUBLISHED} words; leave common= out")
        object.__setattr__(self, "rule", rule_or_auto(self.rule, "ruler_all"))

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The first rungs of RULER's ladder."""
        return (4096, 8192)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task. Raises SpecError for a cell with a depth."""
        refuse_depth(self, cell)
        published, long = self.protocol == "ruler", cell.length >= LONG
        key = draw_key(cell.length, LONG)
        random = generator(seed, "common_words", cell.repeat, key)
        times, other_times = self._times(long), self._other_times(long)
        pairs = DifferentPairs(Random(random.getrandbits(64)))
        before = self.common + EXAMPLE_WORDS[long] * published  # words: the common ones, and those of the example
        common = pairs.take(self.common)
        example = ""
        if published:
            example = _example(pairs.take(before)[self.common :], EXAMPLE_REPEATS[long], OTHERS[long], random)
        places = Random(random.getrandbits(64))
        fixed = [(places.random(), word) for word in common for _ in range(times)]
        more: list[tuple[float, str]] = []
        step = other_times if published else 1  # as published every other word stands there as often

        def lay(count: int) -> ListContext:
            needed = count * step
            rest = pairs.take(before + -(-needed // other_times))[before:]
            more.extend((places.random(), rest[index // other_times]) for index in range(len(more), needed))
            listed = [word for _, word in sorted([*fixed, *more[:needed]])]
            parts, separator = (_numbered(listed), " ") if published else (listed, ", ")
            return ListContext(separator.join(parts), [first_items(parts, separator)], (("words", len(parts)),))

        around, prefix = self._words()
        return build_list_sample(
            self,
            cell,
            tokenizer,
            lay,
            ListAnswer(
                targets=tuple(common),
                rule=self._rule,
                budget=self._answer_tokens(tokenizer, common),
                fixed=published,
                stop=() if published else ("\n",),
            ),
            words=(example + around[0], around[1]),
            answer_prefix=prefix,
            chat=self.prompt == "chat",
            most=(PAIRS - before) * other_times // step,
            axes={"common": self.common, "times": times, "other_times": other_times},
            draw_name=f"common_words/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` is the share of the common words that are named."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        return "ruler_all" if self.rule == "auto" else self.rule

    def _times(self, long: bool) -> int:
        return self.times or REPEATS[long]

    def _other_times(self, long: bool) -> int:
        return self.other_times or OTHERS[long]

    def _words(self) -> tuple[tuple[str, str], str]:
        if self.protocol == "ruler":
            return COMMON_WORDS.words()
        if self.common == 1:
            many, these, question = "one word stands", "it", "The word that stands in the list most often:"
        else:
            many, these = f"{self.common} words stand", "them"
            question = f"The {self.common} words that stand in the list most often, joined by commas:"
        before = f"In the list below, {many} more often than all others.\n\n"
        after = f"\n\nFind {these}, and answer with nothing else."
        return (before, after), "" if self.prompt == "chat" else f"\n{question}"

    def _answer_tokens(self, tokenizer: Tokenizer, common: Sequence[str]) -> int:
        if self.protocol == "ruler":
            return COMMON_WORDS.tokens
        return answer_budget(tokenizer, ", ".join(common), 8 if self.prompt == "completion" else 24)


def _numbered(words: Sequence[str]) -> list[str]:
    return [f"{number}. {word}" for number, word in enumerate(words, 1)]


def _example(words: Sequence[str], times: int, other_times: int, random: Random) -> str:
    """The published worked example."""
    common, rest = words[:PUBLISHED], words[PUBLISHED:]
    listed = [*common] * times + [*rest] * other_times
    random.shuffle(listed)
    (before, after), prefix = COMMON_WORDS.words()
    return f"{before}{' '.join(_numbered(listed))}{after}{prefix} {' '.join(_numbered(common))}\n"

"""Frequent words extraction (RULER "fwe", Hsieh et al. 2024): the commonest words of a text in code.

    ... xqkzvb ... ... mfzzaq xqkzvb ... plwoqd ... xqkzvb ... mfzzaq …
    The three most frequent codes are: -> xqkzvb mfzzaq plwoqd

How often a word stands there falls with its rank as rank ** -alpha (a zeta distribution), in random order. Rank 1 is
noise, three dots; ranks 2, 3 and 4 are asked for. With `protocol=ruler` the prompt and the answer's budget are the
published ones.

Baselines: none solves it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from random import Random
from string import ascii_lowercase
from typing import ClassVar, Literal

from mta_eval.tasks.lists import (
    ListAnswer,
    ListContext,
    build_list_sample,
    first_items,
    refuse_depth,
    rule_or_auto,
)
from mta_eval.tasks.ruler.templates import FREQUENT_WORDS
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

NOISE_WORD = "..."
ASKED = 3
TOKENS_A_WORD = 50  # of the length, for each word of the published vocabulary
MOST_WORDS = 1_000_000
SHORT = 1024  # lengths below have one draw


@dataclass(frozen=True)
class FrequentWords:
    """Frequent words: which three codes stand in a text most often? (RULER)"""

    name: ClassVar[str] = "frequent_words"

    alpha: float = field(
        default=2.0, metadata={"help": "how steeply counts fall with the rank, 0.5..5 (RULER: 1.5 to 3.5)"}
    )
    letters: int = field(default=6, metadata={"help": "letters of a word, 4..20"})
    vocabulary: int = field(default=0, metadata={"help": "different words, from 5; 0: one for 50 tokens"})
    protocol: Literal["ours", "ruler"] = field(
        default="ours", metadata={"help": "ruler: prompt, budget and rule as published"}
    )
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end where the answer begins, or ask by chat template"}
    )
    rule: str = field(default="auto", metadata={"help": "scoring rule; auto: ruler_all"})

    def __post_init__(self) -> None:
        if not 0.5 <= self.alpha <= 5:
            raise SpecError(f"frequent_words: alpha must be 0.5 to 5, not {self.alpha}")
        if not 4 <= self.letters <= 20:
            raise SpecError(f"frequent_words: letters must be 4 to 20, not {self.letters}")
        if self.vocabulary and not ASKED + 2 <= self.vocabulary <= min(MOST_WORDS, 26**self.letters // 4):
            most = min(MOST_WORDS, 26**self.letters // 4)
            raise SpecError(
                f"frequent_words: vocabulary must be 0 or {ASKED + 2} to {most} words of {self.letters} letters, "
                f"not {self.vocabulary}"
            )
        object.__setattr__(self, "rule", rule_or_auto(self.rule, "ruler_all"))

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The first rungs of RULER's ladder."""
        return (4096, 8192)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task. Raises SpecError for a cell with a depth."""
        refuse_depth(self, cell)
        published = self.protocol == "ruler"
        key = draw_key(cell.length, SHORT)
        random = generator(seed, "frequent_words", self.letters, cell.repeat, key)
        stream = _Stream(random, self.alpha, self.letters, self._size(cell.length))

        def lay(count: int) -> ListContext:
            words = stream.text(stream.decided(count))
            return ListContext(" ".join(words), [first_items(words, " ")], (("words", len(words)),))

        around, prefix = self._words()
        return build_list_sample(
            self,
            cell,
            tokenizer,
            lay,
            ListAnswer(
                targets=tuple(stream.vocabulary[1 : ASKED + 1]),
                rule=self._rule,
                budget=self._answer_tokens(tokenizer, stream.vocabulary[1 : ASKED + 1]),
                fixed=published,
                stop=() if published else ("\n",),
            ),
            words=around,
            answer_prefix=prefix,
            chat=self.prompt == "chat",
            least=stream.least,
            axes={"alpha": self.alpha, "vocabulary": len(stream.vocabulary)},
            draw_name=f"frequent_words:{self.letters}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` is the share of the three words that are named."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        return "ruler_all" if self.rule == "auto" else self.rule

    def _size(self, length: int) -> int:
        return self.vocabulary or max(length // TOKENS_A_WORD, ASKED + 2)

    def _words(self) -> tuple[tuple[str, str], str]:
        if self.protocol == "ruler":
            return FREQUENT_WORDS.words()
        before = (
            f"The text below is a row of codes of {self.letters} letters. Some stand there more often than others. "
            "Dots mean nothing.\n\n"
        )
        after = "\n\nFind the three codes that stand there most often, and answer with them alone."
        return (before, after), "" if self.prompt == "chat" else "\nThe three most frequent codes are:"

    def _answer_tokens(self, tokenizer: Tokenizer, asked: list[str]) -> int:
        if self.protocol == "ruler":
            return FREQUENT_WORDS.tokens
        return answer_budget(tokenizer, ", ".join(asked), 8 if self.prompt == "completion" else 24)


class _Stream:
    """Words one after the other, each the one that its rank's share makes due next; a text is a beginning of it.

    So any number of words has the counts of the published distribution, rounded down. Each word keeps its random place
    among the others when more are added.
    """

    def __init__(self, random: Random, alpha: float, letters: int, size: int) -> None:
        codes: dict[str, None] = {}  # in order
        while len(codes) < size - 1:
            codes["".join(random.choice(ascii_lowercase) for _ in range(letters))] = None
        self.vocabulary = [NOISE_WORD, *codes]
        self._places = Random(random.getrandbits(64))
        # number j of rank k is due when the first rank's count would be j * k ** alpha
        self._each = [(rank + 1.0) ** alpha for rank in range(size)]
        self._due = [(each, rank, 1) for rank, each in enumerate(self._each)]
        heapify(self._due)
        self._ranks: list[int] = []
        self._placed: list[tuple[float, int]] = []
        self.least = next(count for count in range(1, 100 * size + 100_000) if self._is_decided(count))

    def text(self, count: int) -> list[str]:
        """The first `count` words in their random order."""
        self._grow(count)
        return [self.vocabulary[rank] for _, rank in sorted(self._placed[:count])]

    def decided(self, count: int) -> int:
        """The most words, at most `count`, that leave no doubt which three codes are the most frequent."""
        return next(fewer for fewer in range(count, self.least - 1, -1) if self._is_decided(fewer))

    def _is_decided(self, count: int) -> bool:
        self._grow(count)
        counts = Counter(self._ranks[:count])
        return min(counts[rank] for rank in range(1, ASKED + 1)) > counts[ASKED + 1]

    def _grow(self, count: int) -> None:
        while len(self._ranks) < count:
            _, rank, number = self._due[0]
            heapreplace(self._due, ((number + 1) * self._each[rank], rank, number + 1))
            self._ranks.append(rank)
            self._placed.append((self._places.random(), rank))

"""Associative recall: which value did a key have? Pairs fill the context, and some of the keys come again.

    amber-otter: 4071
    brave-cello: 9932
    …
    What are the values of brave-cello and amber-otter, in this order?
    Answer: -> 9932, 4071

The multi-query associative recall of zoology (Arora et al. 2023, arXiv 2312.04927), in words or, with `form=codes`, in
short codes. With `near` pairs the keys of which share a word (a letter) with the one asked for, a key must be matched
as a whole.

Baselines: bag solves it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from string import ascii_lowercase
from typing import ClassVar, Literal

from mta_eval.tasks.lists import ListAnswer, ListContext, build_list_sample, lines_among, rule_or_auto
from mta_eval.tasks.prompts.word_pairs import PAIRS, word_pair
from mta_eval.tasks.toolkit import (
    Cell,
    NeedleDraft,
    Sample,
    SpecError,
    Tokenizer,
    answer_budget,
    depth_of,
    draw_key,
    find_rule,
    generator,
)

MOST_QUERIES, MOST_NEAR, CODE_LETTERS = 16, 64, 4
FEWEST = 4  # pairs that nobody asks for
CHOICES = 4


@dataclass(frozen=True)
class AssociativeRecall:
    """Associative recall: pairs fill the context, what was the value of a key? (zoology's MQAR)"""

    name: ClassVar[str] = "associative_recall"
    default_lengths: ClassVar[tuple[int, ...]] = (1024, 2048)

    queries: int = field(default=1, metadata={"help": f"keys asked for; the first is swept, 1 to {MOST_QUERIES}"})
    near: int = field(default=0, metadata={"help": f"pairs whose key has half of the first one, 0 to {MOST_NEAR}"})
    form: Literal["words", "codes"] = field(
        default="words", metadata={"help": "keys of two words and numbers, or codes of letters and of digits"}
    )
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end in 'Answer:', or ask by chat template"}
    )
    rule: str = field(
        default="auto", metadata={"help": "scoring rule; auto: first_word, of several or in a chat ruler_all"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.queries <= MOST_QUERIES:
            raise SpecError(f"associative_recall: queries must be 1 to {MOST_QUERIES}, not {self.queries}")
        if not 0 <= self.near <= MOST_NEAR:
            raise SpecError(f"associative_recall: near must be 0 to {MOST_NEAR}, not {self.near}")
        object.__setattr__(self, "rule", rule_or_auto(self.rule, self._auto))

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        key = draw_key(cell.length, 256 + 20 * (self.queries + self.near))
        random = generator(seed, self.name, self.form, cell.repeat, key)
        pairs = _Pairs(random, self.form, self.queries, self.near)
        depth = depth_of(cell, random)
        places = [random.random() for _ in range(self.queries - 1 + self.near)]
        asked = list(range(self.queries))
        random.shuffle(asked)

        fixed = self.queries + self.near
        drafts = [
            NeedleDraft(pairs.line(number), 0.0, *pairs.pair(number), asked=number < self.queries)
            for number in range(fixed)
        ]

        def lay(count: int) -> ListContext:
            lines = [pairs.line(fixed + index) for index in range(count)]
            text, needles = lines_among(list(zip(drafts, (depth, *places), strict=True)), lines)
            return ListContext(text, needles, (("pairs", fixed + count),))

        targets = tuple(pairs.pair(index)[1] for index in asked)
        return build_list_sample(
            self,
            cell,
            tokenizer,
            lay,
            ListAnswer(
                targets=targets,
                rule=self._rule,
                budget=answer_budget(tokenizer, ", ".join(targets), 4 if self.prompt == "completion" else 24),
                fixed=False,
                stop=("\n",),
            ),
            words=self._words([pairs.pair(index)[0] for index in asked]),
            chat=self.prompt == "chat",
            least=FEWEST,
            most=PAIRS // 2,
            axes={"queries": self.queries, "near": self.near},
            choices=pairs.choices(random) if self.queries == 1 else (),
            draw_name=f"{self.name}:{self.form}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` is the exact value of one key, and of several the share that is named."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _auto(self) -> str:
        return "first_word" if self.queries == 1 and self.prompt == "completion" else "ruler_all"

    @property
    def _rule(self) -> str:
        return self._auto if self.rule == "auto" else self.rule

    def _words(self, keys: list[str]) -> tuple[str, str]:
        before = "Each line has a key and its value.\n\n"
        said = " and ".join(", ".join(keys).rsplit(", ", 1))
        ask = f"What is the value of {said}?" if len(keys) == 1 else f"What are the values of {said}, in this order?"
        if self.prompt == "chat":
            return before, f"\n\n{ask} Answer with nothing else."
        return before, f"\n\nQuestion: {ask}\nAnswer:"


class _Pairs:
    """Pairs by their number: those asked for, then those near the first, then as many others as are wanted.

    No key and no value comes twice, and no other key has a half of the first one but the near ones.
    """

    def __init__(self, random: Random, form: str, queries: int, near: int) -> None:
        self._random = Random(random.getrandbits(64))
        self._make: Callable[[Random], str] = word_pair if form == "words" else _code
        self._dash = "-" if form == "words" else ""
        self._pairs: dict[str, str] = {}
        self._values: set[str] = set()
        self._keys: list[str] = []
        self._grow(1)
        self._halves = _halves(self._keys[0], self._dash)
        self._grow(queries)
        for index in range(near):
            self._add(self._near(index % 2))

    def pair(self, index: int) -> tuple[str, str]:
        """Key and value."""
        self._grow(index + 1)
        return self._keys[index], self._pairs[self._keys[index]]

    def line(self, index: int) -> str:
        """A pair as the context has it."""
        return "{}: {}".format(*self.pair(index))

    def choices(self, random: Random) -> tuple[str, ...]:
        """The first value among others."""
        values = [self.pair(index)[1] for index in range(CHOICES)]
        random.shuffle(values)
        return tuple(values)

    def _grow(self, count: int) -> None:
        while len(self._keys) < count:
            key = self._make(self._random)
            if key in self._pairs or (self._keys and set(_halves(key, self._dash)) & set(self._halves)):
                continue
            self._add(key)

    def _near(self, half: int) -> str:
        """A fresh key that has one half of the first."""
        while True:
            halves = list(_halves(self._make(self._random), self._dash))
            halves[half] = self._halves[half]
            key = self._dash.join(halves)
            if key not in self._pairs and halves[1 - half] != self._halves[1 - half]:
                return key

    def _add(self, key: str) -> None:
        value = str(self._random.randrange(10_000, 100_000))
        while value in self._values:
            value = str(self._random.randrange(10_000, 100_000))
        self._values.add(value)
        self._keys.append(key)
        self._pairs[key] = value


def _code(random: Random) -> str:
    return "".join(random.choice(ascii_lowercase) for _ in range(CODE_LETTERS))


def _halves(key: str, dash: str) -> tuple[str, str]:
    if dash:
        first, _, second = key.partition(dash)
        return first, second
    return key[: CODE_LETTERS // 2], key[CODE_LETTERS // 2 :]

"""Multi-needle Needle-in-a-Haystack, after the MTA paper (section 4.4, Figure 4) and the DIFF Transformer protocol.

    … The miller mended the fence. The magic number of Riga is 4071842. The bread was warm. …

    The magic number of Riga is -> 4071842

Each needle gives a city its magic number. The asked needle begins at the swept depth, the others at random depths. All
random choices depend on (seed, length, repeat) alone, so all depths of a repeat share haystack and needles.

Options put a user's own words there: `needle` and `question` are templates, `kind=file:PATH` has the values, and keys
too if it likes. Samples then depend on what the file says as well.

Baselines: copier and bag solve the completion form, bag the instruction form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal

from mta_eval.errors import did_you_mean
from mta_eval.tasks.languages.pack import Language
from mta_eval.tasks.languages.table import LANGUAGES, find_language
from mta_eval.tasks.needle_values import random_uuid, random_value
from mta_eval.tasks.needle_words import NeedleWords
from mta_eval.tasks.prompts.pools import DECOYS, DIGITS, need_digits
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
    order_of_needles,
)
from mta_eval.tasks.user_values import KeyedValue, ValueDraw, longest, need_values, read_user_values

NOUNS = {"number": "number", "word": "word", "uuid": "code"}  # by kind
FILE = "file:"
MOST = 20


@dataclass(frozen=True)
class Niah:
    """Multi-needle Needle-in-a-Haystack: which city has which magic number? (MTA paper, section 4.4)"""

    name: ClassVar[str] = "niah"
    default_lengths: ClassVar[tuple[int, ...]] = (2048, 4096)  # the paper's windows

    needles: int = field(default=1, metadata={"help": "needles in the context, 1..20"})
    asked: int = field(default=1, metadata={"help": "how many keys the question asks for; the first is swept"})
    values: int = field(
        default=1,
        metadata={"help": "values (needles) of each asked key, or a FILE of values", "text_means": ("kind", "file:{}")},
    )
    kind: str = field(
        default="number",
        metadata={
            "help": "number (of a city, as in the paper), word (of a city), uuid (of a uuid), or file:PATH (your own: "
            "VALUE or KEY<tab>VALUE lines, or .jsonl)"
        },
    )
    digits: int = field(default=7, metadata={"help": "digits of a magic number, 1 (as in the paper's Figure 4) to 30"})
    needle: str = field(
        default="", metadata={"help": 'a sentence of your own: "The best thing to do in {key} is {value}."'}
    )
    question: str = field(
        default="", metadata={"help": 'its question: "What is the best thing to do in {key}?"; for completion optional'}
    )
    prompt: Literal["completion", "instruction", "chat"] = field(
        default="completion", metadata={"help": "end in the needle's stem, ask in words, or ask by chat template"}
    )
    language: str = field(default="en", metadata={"help": "of needles, questions and prose: " + ", ".join(LANGUAGES)})
    haystack: str = field(default="prose", metadata=HAYSTACK)
    rule: str = field(
        default="auto",
        metadata={
            "help": "scoring rule; auto: all_named; in completion form first_word (one value) or, of several values "
            "with more than one digit, all_contained"
        },
    )

    def __post_init__(self) -> None:
        if self.kind not in NOUNS and (not self.kind.startswith(FILE) or self.kind == FILE):
            known = [*NOUNS, "file:PATH"]
            raise SpecError(f"niah: option kind cannot be {self.kind!r}{did_you_mean(self.kind, known)}")
        if not 1 <= self.needles <= MOST:
            raise SpecError(f"niah: needles must be 1 to {MOST}, not {self.needles}")
        if self.asked < 1 or self.values < 1:
            raise SpecError("niah: asked and values must be at least 1")
        if self.asked * self.values > self.needles:
            raise SpecError(
                f"niah: {self.asked} asked x {self.values} values makes {self.asked * self.values} needles, "
                f"but needles={self.needles}; raise needles"
            )
        if self.kind == "number" and not 1 <= self.digits <= 30:
            raise SpecError(f"niah: digits must be 1 to 30, not {self.digits}")
        if self._is_digit and self.needles > len(DIGITS):
            raise SpecError(
                f"niah: {self.needles} needles need as many numbers, but there are {len(DIGITS)} of one digit; "
                "raise digits"
            )
        self._words.check(keys=self.needles - self.asked * (self.values - 1))
        if self.rule != "auto":
            object.__setattr__(self, "rule", find_rule(self.rule).name)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        words, rows = self._words, self._rows
        roomy = 256 + self.needles * (self._pack.needle_tokens + len(self.needle) + (longest(rows) if rows else 0))
        key = draw_key(cell.length, roomy)
        random = generator(seed, "niah", cell.repeat, key)
        source = open_haystack(self._haystack, seed, tokenizer).source
        pairs, choices = self._draw_rows(random, source, rows) if rows else self._draw(random, source)
        asked = list(dict.fromkeys(key for key, _ in pairs))[: self.asked]
        targets = tuple(value for key, value in pairs if key in asked)
        depths = [depth_of(cell, random), *(random.random() for _ in pairs[1:])]
        order = order_of_needles(depths)
        drafts = [
            NeedleDraft(words.say(*pair), at, *pair, pair[0] in asked) for pair, at in zip(pairs, depths, strict=True)
        ]
        answer = ", ".join(targets)
        if self.needle and self.prompt != "completion":
            answer = " ".join(draft.text for draft in drafts if draft.asked)  # who answers in words may repeat them
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=words.around(asked),
            needles=[drafts[index] for index in order],
            targets=targets,
            rule=self._rule,
            haystack=self._haystack,
            swept=order.index(0),
            chat=self.prompt == "chat",
            max_new_tokens=answer_budget(tokenizer, answer, 8 if self.prompt == "completion" else 24),
            choices=choices,
            axes={"needles": self.needles},
            stop=self._stop(rows),
            draw_name=f"niah/{key}/{cell.repeat}",
            target_delimiter="" if self.prompt == "chat" else self._pack.gap,
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` wants the exact first word of a completion with one value, else all values named."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        if self.rule != "auto":
            return self.rule
        if self.prompt != "completion" or (self._is_digit and self.asked * self.values > 1):
            return "all_named"  # a digit stands within other numbers too
        return "first_word" if self.asked * self.values == 1 else "all_contained"

    @property
    def _is_digit(self) -> bool:
        """Whether the values are numbers of one digit, of which there are ten."""
        return self.kind == "number" and self.digits == 1

    @property
    def _words(self) -> NeedleWords:
        noun = NOUNS.get(self.kind, "phrase")
        return NeedleWords(self.needle, self.question, noun, self.prompt, self.asked * self.values > 1, self._pack)

    @property
    def _pack(self) -> Language:
        return find_language(self.language)

    @property
    def _haystack(self) -> str:
        """Prose is written in the needles' language."""
        return f"prose:{self.language}" if self.haystack == "prose" and self.language != "en" else self.haystack

    @property
    def _rows(self) -> tuple[KeyedValue, ...]:
        """The user's values; none where they are generated."""
        return read_user_values(self.kind.removeprefix(FILE)) if self.kind.startswith(FILE) else ()

    def _stop(self, rows: Sequence[KeyedValue]) -> tuple[str, ...]:
        stops = self._pack.stops
        if self.prompt == "completion" and not any(stop in row.value for row in rows for stop in stops):
            return ("\n", *stops)
        return () if self.prompt == "chat" else ("\n",)

    @property
    def _choices(self) -> int:
        """How many choices are offered: all values in the context, and decoys; none where several are asked for."""
        return max(self.needles, DECOYS) if self.asked * self.values == 1 else 0

    def _draw(self, random: Random, source: TextSource) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
        """(key, value) of every needle, the swept one first, and the choices in random order.

        No key or value twice, in another, in the user's words or in the haystack.
        """
        keys: list[str] = []
        pairs: list[tuple[str, str]] = []
        used = [self._words.fixed]
        if self._is_digit:
            need_digits(max(self.needles, self._choices), used, source)
        for index in range(self.needles):
            fresh = index >= self.asked * self.values or index % self.values == 0
            if fresh:
                keys.append(self._key(random, used, source))
                used += keys[-1:] if keys[-1] else []
            pairs.append((keys[-1], draw(random, self._value, used, source)))
            used.append(pairs[-1][1])
        choices = [value for _, value in pairs][: self._choices]
        while len(choices) < self._choices:
            choices.append(draw(random, self._value, used, source))
            used.append(choices[-1])
        random.shuffle(choices)
        return pairs, tuple(choices)

    def _draw_rows(
        self, random: Random, source: TextSource, rows: Sequence[KeyedValue]
    ) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
        """As `_draw`, out of the user's rows."""
        short = need_values(self.kind.removeprefix(FILE), rows, self.needles, self._choices)
        drawn = ValueDraw(rows, random, source, [self._words.fixed], short)
        counts = [self.values] * self.asked + [1] * (self.needles - self.asked * self.values)
        pairs = drawn.pairs(counts, lambda used: self._key(random, used, source))
        choices = [value for _, value in pairs][: self._choices]
        choices += drawn.decoys(self._choices - len(choices))
        random.shuffle(choices)
        return pairs, tuple(choices)

    def _key(self, random: Random, used: Sequence[str], source: TextSource) -> str:
        """A fresh key, or "" where the user's needle says none."""
        return draw(random, self._new_key, used, source) if self._words.names_keys else ""

    def _new_key(self, random: Random) -> str:
        return random_uuid(random) if self.kind == "uuid" else random.choice(self._pack.cities)

    def _value(self, random: Random) -> str:
        return random_value(random, self.kind, self.digits, self._pack.words)

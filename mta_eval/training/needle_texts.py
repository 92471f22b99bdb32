"""Rows of prose with magic numbers of places in it, and several of them asked at the end, as `niah` words them.

    … The magic number of Strovan is 4071842. The bread was warm. … The magic number of Besk Luri is 9275490. …

    The magic number of Besk Luri is 9275490.

    The magic number of Strovan is 4071842.

The places are made up of syllables, so that the cities of the task are names which no row has. A tokenizer of our own
spells either in several tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from mta_eval.core import generator
from mta_eval.errors import SpecError
from mta_eval.tasks.languages.english import ENGLISH
from mta_eval.tasks.needle_values import random_value
from mta_eval.training.rows import Stream, WeightedRows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CONSONANTS = (*"bcdfghjklmnprstvwz", "br", "ch", "dr", "fl", "gr", "kr", "pl", "sh", "st", "th", "tr")
VOWELS, ENDS = (*"aeiou", "ai", "ea", "ou"), ("", "", "", *"nrslmk", "nd", "rt")
TWO_WORDS = 0.3  # share of names that have two
DIGITS = 7  # of a number, as in the task
NEEDLE, QUESTION = 20, 20  # tokens of a usual one
BLOCKS = 200  # of prose in a stream, from which every row takes a window
SENTENCE = ENGLISH.sentences["number"].needle


@dataclass(frozen=True)
class NeedleTexts(WeightedRows):
    """Rows of `length` tokens with 2 to `needles` needles and `questions` of them asked, for `rows.Rows`.

    The answers' tokens count 1 in the loss, those of the text `text_weight`, the words of questions nothing.
    """

    tokenizer: PreTrainedTokenizerFast
    length: int
    needles: int
    questions: int
    seed: int
    text_weight: float

    def __post_init__(self) -> None:
        least = NEEDLE * self.needles + QUESTION * self.questions
        if self.needles < 2 or self.questions < 1 or self.length < least:
            raise SpecError(
                f"rows of {self.length} tokens are too short for {self.needles} needles (2 at least) and "
                f"{self.questions} questions; {least} would do"
            )

    def row(self, stream: Stream, index: int) -> tuple[list[int], list[float], list[int]]:
        """See WeightedRows."""
        random = generator(self.seed if stream == "training" else 0, "needle texts", stream, self.length, index)
        while True:  # until all of it fits, as it nearly always does
            count, pairs = random.randint(2, self.needles), dict[str, str]()
            while len(pairs) < count:
                pairs[made_up_name(random)] = random_value(random, "number", DIGITS, ())
            needles = [self._encode(" " + _say(*pair)) for pair in pairs.items()]
            tail, answers = self._questions(random, list(pairs.items()))
            room = self.length - 1 - sum(map(len, needles)) - len(tail)
            if room >= 0:
                break
        units = self._window(random, room)
        for needle in needles:
            units.insert(random.randint(0, len(units)), needle)
        bos = self.tokenizer.bos_token_id
        text = [token for unit in units for token in unit]
        weights = [0.0, *[self.text_weight] * len(text), *(float(number > 0) for number in answers)]
        return [bos, *text, *tail], weights, [0] * (1 + len(text)) + answers

    def _questions(self, random: Random, pairs: list[tuple[str, str]]) -> tuple[list[int], list[int]]:
        """The tokens of all questions and their answers, and for each the number of its answer, 0 for none.

        Every needle is asked before one is asked again.
        """
        tokens, answers = [], []
        asked = random.sample(pairs, len(pairs)) + random.choices(pairs, k=self.questions)
        for number, (name, value) in enumerate(asked[: self.questions], 1):
            stem, _, end = SENTENCE.partition(" {value}")
            question = self._encode("\n\n" + stem.format(key=name))
            answer = self._encode(f" {value}{end}")
            tokens += [*question, *answer]
            answers += [*[0] * len(question), *[number] * len(answer)]
        return tokens, answers

    def _window(self, random: Random, room: int) -> list[list[int]]:
        """Sentences of `room` tokens; of the first one the beginning may be cut away."""
        end = random.randrange(len(self._prose) // 4, len(self._prose))
        units: list[list[int]] = []
        while room > 0:
            end -= 1
            unit = self._prose[end % len(self._prose)][-room:]
            units.append(unit)
            room -= len(unit)
        return units[::-1]

    @cached_property
    def _prose(self) -> list[list[int]]:
        """Sentences of a stream of prose that is this seed's own."""
        units = [
            unit for number in range(BLOCKS) for unit in ENGLISH.writer.block(generator(self.seed, "rows", number))
        ]
        return [
            encoding.ids for encoding in self.tokenizer.backend_tokenizer.encode_batch(units, add_special_tokens=False)
        ]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def made_up_name(random: Random) -> str:
    """A name of one or two words that no place has, as far as we know."""
    words = 1 + (random.random() < TWO_WORDS)
    return " ".join(_made_up_word(random) for _ in range(words))


def needle_corpus(random: Random, count: int) -> list[str]:
    """Texts that a tokenizer for such rows is learnt from: prose, and needles with made-up names."""
    prose = ["".join(ENGLISH.writer.block(random)) for _ in range(count)]
    said = [_say(made_up_name(random), random_value(random, "number", DIGITS, ())) for _ in range(10 * count)]
    return [*prose, *said]


def _say(name: str, value: str) -> str:
    return SENTENCE.format(key=name, value=value)


def _made_up_word(random: Random) -> str:
    syllables = (random.choice(CONSONANTS) + random.choice(VOWELS) for _ in range(random.randint(1, 3)))
    word: str = "".join(syllables) + random.choice(ENDS)
    return word.capitalize()

"""What a needle says and how it is asked for: the task's own words, or a user's templates.

needle    "The best thing to do in {key} is {value}."     a sentence with two places to fill
question  "What is the best thing to do in {key}?"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mta_eval.errors import SpecError
from mta_eval.tasks.languages.english import ENGLISH
from mta_eval.tasks.languages.pack import Language, NeedleSentences

PLACES = ("key", "value")
EXAMPLE = 'needle="The best thing to do in {key} is {value}."'
_PLACE = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class NeedleWords:
    """The words of one task: `needle` and `question` are the user's templates, "" for the task's own.

    The task's own needle gives its key a magic `noun`, in the words of its `language`. `several` is whether more than
    one value is asked for.
    """

    needle: str
    question: str
    noun: str
    prompt: str
    several: bool
    language: Language = ENGLISH

    def check(self, keys: int) -> None:
        """Raises SpecError unless the user's templates can be hidden and asked, where the needles have `keys` keys."""
        for name, text in (("needle", self.needle), ("question", self.question)):
            _check_places(name, text, keys)
        if _has_place(self.question, "value"):
            raise SpecError("niah: question holds {value} and so gives the answer away; write {key} alone")
        if not _has_place(self._needle, "value"):
            meant = "; did you mean 'needles'?" if self.needle.isdecimal() else f"; such as {EXAMPLE}"
            raise SpecError(f"niah: needle lacks {{value}}, the place of what is asked for{meant}")
        if self.prompt != "completion":
            if self.needle and not self.question:
                raise SpecError(
                    f"niah: prompt={self.prompt} asks in words, and a needle of your own needs a question of your own: "
                    'question="What is the best thing to do in {key}?"'
                )
            return
        stem = self._needle.partition("{value}")[0]
        if not stem.strip():
            raise SpecError("niah: needle has no words before {value} to complete; move it, or take prompt=instruction")
        if keys > 1 and not _has_place(stem + self.question, "key"):
            raise SpecError(
                "niah: needle has {key} only behind {value}, so its beginning asks for no key; give a question too, or "
                "take prompt=instruction"
            )

    @property
    def names_keys(self) -> bool:
        """Whether a needle says its key."""
        return _has_place(self._needle, "key")

    @property
    def fixed(self) -> str:
        """What the user's templates say between their places. Line breaks around it, so that no value holds it."""
        return "\n".join(["", *_PLACE.split(self._needle)[::2], *_PLACE.split(self.question)[::2], ""])

    def say(self, key: str, value: str) -> str:
        """A needle."""
        return _fill(self._needle, key=key, value=value)

    def around(self, asked: Sequence[str]) -> tuple[str, str]:
        """What stands before and after the context, where the keys `asked` are asked for."""
        language, said = self.language, self._sentences
        keys = language.comma.join(asked[:-1]) + language.last_comma * (len(asked) > 1) + asked[-1]
        question = _fill(self.question, key=keys)
        if self.prompt == "completion":
            own = said.stem_of_several if self.several and not self.needle else _stem(self._needle)
            stem = _fill(own, key=keys)
            return "", "\n\n" + (f"{question}{language.gap}{stem}" if question else stem)
        before = language.read if self.needle else said.hidden
        after = question or _fill(said.ask_several if self.several else said.ask_one, key=keys)
        return f"{before}\n\n", f"\n\n{language.question}{after}" + (
            "" if self.prompt == "chat" else f"\n{language.answer}"
        )

    @property
    def _sentences(self) -> NeedleSentences:
        return self.language.sentences[self.noun]

    @property
    def _needle(self) -> str:
        return self.needle or self._sentences.needle


def _stem(needle: str) -> str:
    """What a completion prompt ends in: a needle up to its value."""
    return needle.partition("{value}")[0].rstrip()


def _check_places(name: str, text: str, keys: int) -> None:
    if "\n" in text or "\r" in text:
        raise SpecError(f"niah: {name} has a line break; write it in one line")
    for place in _PLACE.findall(text):
        if place not in PLACES:
            raise SpecError(f"niah: {name} has the place {{{place}}}; the places to fill are {{key}} and {{value}}")
    if text and keys > 1 and not _has_place(text, "key"):
        raise SpecError(f"niah: {name} lacks {{key}}, which tells the {keys} keys apart; write it, or needles=1")


def _fill(template: str, **texts: str) -> str:
    """ "of {key}" and key="Oslo" -> "of Oslo"."""
    return _PLACE.sub(lambda place: texts.get(place[1], place[0]), template)


def _has_place(template: str, name: str) -> bool:
    return f"{{{name}}}" in template

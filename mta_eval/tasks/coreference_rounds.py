"""Rounds of a long chat in which the same wish comes again: what was the answer the n-th time?

    User: Write a poem about the walrus.        Assistant: …
    User: Write a letter about the walrus.      Assistant: …
    User: Write a poem about the walrus.        Assistant: …
    User: Repeat the second poem about the walrus. Begin with xkqzv.    Assistant: -> xkqzv …

Multi-round co-reference resolution (Vodrahalli et al. 2024, arXiv 2409.12640; MRCR of OpenAI 2025), with texts of our
own: all answers to one wish look alike, so order alone tells which is meant. Chats are real ones with `prompt=chat`.
The score is that of MRCR: how much of the text is repeated, if it begins with the code.

Baselines: none solves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from string import ascii_lowercase
from typing import ClassVar, Literal, NamedTuple

from mta_eval.core import Message
from mta_eval.tasks.prompts.counting import token_span
from mta_eval.tasks.prompts.items import most_items, place_at
from mta_eval.tasks.prompts.pools import WORDS
from mta_eval.tasks.prompts.prose import write_prose
from mta_eval.tasks.toolkit import (
    Cell,
    LengthError,
    Needle,
    Sample,
    SpecError,
    Tokenizer,
    answer_budget,
    depth_of,
    draw_key,
    find_rule,
    generator,
    spec_of,
)

FORMS = ("poem", "letter", "riddle", "speech", "story", "prayer", "review", "note")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
SENTENCES = 2
CODE_LETTERS = 6


class Round(NamedTuple):
    """What the user asks for, and what the assistant writes."""

    form: str
    topic: str
    text: str

    @property
    def wish(self) -> str:
        """The user's words."""
        return f"Write a {self.form} about the {self.topic}."


@dataclass(frozen=True)
class CoreferenceRounds:
    """Rounds of a long chat in which the same wish comes again: what was the answer the n-th time? (after MRCR)"""

    name: ClassVar[str] = "coreference_rounds"
    default_lengths: ClassVar[tuple[int, ...]] = (2048, 4096)
    rule: ClassVar[str] = "mrcr"

    same: int = field(default=4, metadata={"help": f"rounds with the wish asked for, 1 to {len(ORDINALS)}"})
    near: int = field(default=4, metadata={"help": "rounds with another form or topic in its wish, 0 to 32"})
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "the chat as a text, or in the model's own chat template"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.same <= len(ORDINALS):
            raise SpecError(f"coreference_rounds: same must be 1 to {len(ORDINALS)}, not {self.same}")
        if not 0 <= self.near <= 32:
            raise SpecError(f"coreference_rounds: near must be 0 to 32, not {self.near}")

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task. The answer asked for begins at the depth of the cell, the others of its wish at random ones.

        Raises LengthError if they do not fit.
        """
        key = draw_key(cell.length, 512 + 120 * (self.same + self.near))
        random = generator(seed, self.name, cell.repeat, key)
        rounds = _Rounds(random, self.same, self.near)
        depth = depth_of(cell, random)
        others = [random.random() for _ in range(self.same + self.near - 1)]
        code = "".join(random.choice(ascii_lowercase) for _ in range(CODE_LETTERS))
        label, settings = spec_of(self), tokenizer.prompt_settings

        def lay(count: int) -> _Chat:
            filler = [rounds.filler(index) for index in range(count)]
            sizes = [len(one.wish + one.text) for one in filler]
            places = [place_at(share, sizes) for share in (depth, *others)]
            order = sorted(range(len(places)), key=lambda index: (places[index], (index == 0) == (depth == 1)))
            listed: list[Round] = []
            for place in range(count + 1):
                listed += [rounds.fixed[index] for index in order if places[index] == place]
                listed += filler[place : place + 1]
            return _Chat(listed, rounds.fixed[0])

        def prompt_of(chat: _Chat) -> tuple[str, tuple[Message, ...]]:
            messages = chat.messages(code, settings.system)
            return (tokenizer.render(messages) if self.prompt == "chat" else _as_text(messages)), messages

        specials = (0, 0) if self.prompt == "chat" else tokenizer.specials

        @cache
        def tokens(count: int) -> int:
            return len(tokenizer.encode(prompt_of(lay(count))[0]).ids) + sum(specials)

        answer = f"{code} {rounds.fixed[0].text}"
        budget = answer_budget(tokenizer, answer, 8)
        reserved, count = budget + settings.thinking_tokens, 0
        if cell.length:
            if (needed := tokens(0) + reserved) > cell.length:
                raise LengthError(
                    f"{label} does not fit length {cell.length}: this sample needs {needed} tokens in this tokenizer"
                )
            count = most_items(tokens, cell.length - reserved, 0)
        chat = lay(count)
        prompt, messages = prompt_of(chat)
        left = cell.length - tokens(count) - reserved if cell.length else 0
        return Sample(
            id=f"{label}/{cell}",
            task=label,
            prompt=prompt,
            targets=(answer,),
            axes={"length": cell.length, "depth": cell.depth, "repeat": cell.repeat}
            | {"same": self.same, "rounds": len(chat.rounds), "number": chat.number},
            length=cell.length or tokens(count) + reserved,
            prompt_tokens=tokens(count),
            max_new_tokens=budget + left,
            needles=_needles(chat, prompt, tokenizer, specials[0]),
            chat=messages if self.prompt == "chat" else None,
            stop=() if self.prompt == "chat" else ("\nUser:",),
            settings=settings,
            draw=f"{self.name}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """How much of the text the output repeats, from 0 to 1; 0 unless it begins with the code."""
        return find_rule(self.rule).score(sample, output)


class _Chat(NamedTuple):
    """The rounds as they follow each other, and the one that is asked for."""

    rounds: Sequence[Round]
    asked: Round

    @property
    def number(self) -> int:
        """Which of the rounds with its wish it is, from 1."""
        return sum(one.wish == self.asked.wish for one in self.rounds[: self.rounds.index(self.asked) + 1])

    def messages(self, code: str, system: str) -> tuple[Message, ...]:
        """The whole chat, the question at its end."""
        messages: list[Message] = [{"role": "system", "content": system}] if system else []
        for one in self.rounds:
            messages += [{"role": "user", "content": one.wish}, {"role": "assistant", "content": one.text}]
        question = (
            f"Repeat the {ORDINALS[self.number - 1]} {self.asked.form} about the {self.asked.topic} that you wrote, "
            f"word for word. Begin your answer with {code}."
        )
        return (*messages, {"role": "user", "content": question})


class _Rounds:
    """The rounds with the wish asked for and those near it, `fixed`, and as many others as are wanted."""

    def __init__(self, random: Random, same: int, near: int) -> None:
        self._random = Random(random.getrandbits(64))
        self._form, self._topic = random.choice(FORMS), random.choice(WORDS)
        self._texts: set[str] = set()
        self._fillers: list[Round] = []
        self.fixed = [self._write(self._form, self._topic) for _ in range(same)]
        for index in range(near):
            other_form = random.choice([form for form in FORMS if form != self._form])
            other_topic = random.choice([topic for topic in WORDS if topic != self._topic])
            pair = (other_form, self._topic) if index % 2 else (self._form, other_topic)
            self.fixed.append(self._write(*pair))

    def filler(self, index: int) -> Round:
        """Round number `index` with any other wish."""
        while index >= len(self._fillers):
            form, topic = self._random.choice(FORMS), self._random.choice(WORDS)
            if (form, topic) != (self._form, self._topic):
                self._fillers.append(self._write(form, topic))
        return self._fillers[index]

    def _write(self, form: str, topic: str) -> Round:
        while True:
            sentences = [sentence.strip() for sentence in write_prose(self._random)[:SENTENCES]]
            text = f"O {topic}! {' '.join(sentences)}"
            if text not in self._texts:
                self._texts.add(text)
                return Round(form, topic, text)


def _as_text(messages: Sequence[Message]) -> str:
    said = [f"{message['role'].capitalize()}: {message['content']}" for message in messages]
    return "\n".join([*said, "Assistant:"])


def _needles(chat: _Chat, prompt: str, tokenizer: Tokenizer, shift: int) -> tuple[Needle, ...]:
    """All texts for the wish asked for; depths are of the tokens from the first round's text to the last one's end."""
    spans = tokenizer.encode(prompt).spans
    last = chat.rounds[-1].text
    begin, end = token_span(spans, (prompt.index(chat.rounds[0].text), prompt.index(last) + len(last)))
    needles = []
    for one in chat.rounds:
        if one.wish == chat.asked.wish:
            start = prompt.index(one.text)
            first, behind = token_span(spans, (start, start + len(one.text)))
            depth = min(max((first - begin) / max(end - begin - (behind - first), 1), 0.0), 1.0)
            place = (shift + first, shift + behind, round(depth, 6))
            needles.append(Needle(one.wish, one.text, one.text, *place, asked=one == chat.asked))
    return tuple(needles)

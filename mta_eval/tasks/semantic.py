"""Needles that share no word with the question: it takes knowledge of the world to see that they answer it.

    … Joel has a flat beside the Brandenburg Gate. … Nora has a flat beside the Taj Mahal. …
    Question: Who lives in Germany?
    Answer: -> Joel

The idea of NoLiMa (Modarressi et al. 2025, arXiv 2502.05167), with sentences of our own: attention cannot look for the
words of the question. With `hops=2` two things must be known (the gate is in Germany, Germany is in Europe).
`control=shared_words` says outright what is asked for. Length 0 is the needles alone: what a model gets wrong there it
does not know, and what it gets wrong only at longer lengths it did not find.

Baselines: none solves it; bag solves `control=shared_words`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.facts import PERSONS
from mta_eval.tasks.prompts.pools import draw
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
    draw_key,
    find_rule,
    generator,
    open_haystack,
    order_of_needles,
)
from mta_eval.tasks.world_knowledge import DOMAINS, Domain, KnownFact

MOST_NEEDLES = 5  # as many continents as there are facts of
INSTRUCTION = "The following text says something about several people. Read it and answer the question.\n\n"
FUNCTION_WORDS = frozenset(
    """a|an|and|as|at|beside|by|every|for|from|goes|has|he|in|is|it|never|no|of|on|or|she|so|that|the|to|who|with|
without""".replace("\n", "").split("|")
)


@dataclass(frozen=True)
class Semantic:
    """Needles that share no word with the question; found by knowledge of the world (after NoLiMa)"""

    name: ClassVar[str] = "semantic"
    default_lengths: ClassVar[tuple[int, ...]] = (0, 1024, 2048, 4096)

    hops: Literal[1, 2] = field(default=1, metadata={"help": "steps of knowledge from the needle to the question"})
    needles: int = field(default=4, metadata={"help": f"people in the text, one asked for, 1 to {MOST_NEEDLES}"})
    domain: Literal["any", "landmarks", "animals", "books", "dishes", "tools"] = field(
        default="any", metadata={"help": "what has to be known; any: another one for each draw"}
    )
    control: Literal["none", "shared_words"] = field(
        default="none", metadata={"help": "shared_words: the needles say outright what is asked for"}
    )
    prompt: Literal["completion", "instruction", "chat"] = field(
        default="completion", metadata={"help": "end in 'Answer:', ask in words, or ask by chat template"}
    )
    haystack: str = field(default="prose", metadata=HAYSTACK)
    rule: str = field(
        default="auto", metadata={"help": "scoring rule; auto: first_word, for instruction and chat only_choice"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.needles <= MOST_NEEDLES:
            raise SpecError(f"semantic: needles must be 1 to {MOST_NEEDLES}, not {self.needles}")
        if self.domain != "any" and self.domain not in self._domains:
            raise SpecError(
                f"semantic: {self.domain} have no second hop; with hops=2 take {', '.join(self._domains)} or any"
            )
        if self.rule != "auto":
            object.__setattr__(self, "rule", find_rule(self.rule).name)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        key = draw_key(cell.length, 256 + 80 * self.needles)
        random = generator(seed, "semantic", self.hops, cell.repeat, key)
        name = self.domain if self.domain != "any" else random.choice(sorted(self._domains))
        domain = DOMAINS[name]
        facts = self._facts(domain, random)
        persons = _persons(self.needles, random, open_haystack(self.haystack, seed, tokenizer).source)
        depths = [depth_of(cell, random), *(random.random() for _ in facts[1:])]
        texts = [self._tell(domain, fact, person) for fact, person in zip(facts, persons, strict=True)]
        question = domain.questions[self.hops - 1].format(it=self._asked_of(facts[0]))
        order = order_of_needles(depths)
        before = "" if self.prompt == "completion" else INSTRUCTION
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=(before, f"\n\nQuestion: {question}" + ("" if self.prompt == "chat" else "\nAnswer:")),
            needles=[NeedleDraft(texts[n], depths[n], facts[n].told, persons[n], asked=n == 0) for n in order],
            targets=(persons[0],),
            rule=self._rule,
            haystack=self.haystack,
            swept=order.index(0),
            chat=self.prompt == "chat",
            max_new_tokens=answer_budget(tokenizer, persons[0], 4 if self.prompt == "completion" else 24),
            choices=tuple(sorted(persons)),
            axes={
                "hops": self.hops,
                "needles": self.needles,
                "domain": name,
                "shared_words": len(content_words(question) & content_words(texts[0])),
            },
            draw_name=f"semantic/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` wants the first word of a completion, and in words the name and no other of the text."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        if self.rule != "auto":
            return self.rule
        return "first_word" if self.prompt == "completion" else "only_choice"

    @property
    def _domains(self) -> list[str]:
        """Those that have as many hops."""
        return [name for name, domain in DOMAINS.items() if len(domain.questions) >= self.hops]

    def _asked_of(self, fact: KnownFact) -> str:
        return fact.implied if self.hops == 1 else fact.far

    def _facts(self, domain: Domain, random: Random) -> list[KnownFact]:
        """The fact asked for, then others that answer other questions, at any number of hops."""
        facts: list[KnownFact] = []
        for fact in random.sample(domain.facts, len(domain.facts)):
            taken = {self._asked_of(other) for other in facts}
            if len(facts) < self.needles and self._asked_of(fact) not in taken:
                facts.append(fact)
        return facts

    def _tell(self, domain: Domain, fact: KnownFact, person: str) -> str:
        if self.control == "none":
            return domain.sentence.format(name=person, it=fact.told)
        return domain.plain[self.hops - 1].format(name=person, it=self._asked_of(fact))


def content_words(text: str) -> set[str]:
    """The words of a text that mean something, cut to five letters so that "lives" and "live" are one."""
    words = set(re.findall(r"\w+", text.lower())) - FUNCTION_WORDS
    return {word[:5].rstrip("s") for word in words}


def _persons(count: int, random: Random, source: TextSource) -> list[str]:
    persons: list[str] = []
    for _ in range(count):
        persons.append(draw(random, lambda chance: chance.choice(PERSONS), persons, source))
    return persons

"""Two-condition search in prose: which sentence has all the attributes that the question names?

    … Nora left the accordion in Riga. … Edgar left the cello in Oslo. … Nora left the walrus in Oslo. …
    In Oslo, Nora left the -> walrus

The letter blocks of the MTA paper (section 4.1) in words: every other fact shares some of the attributes asked for, and
one alone has all. One condition finds several facts, so a model has to match two keys at once. With `shared=0` the
other facts share nothing: the same question, of which one condition is enough, as a control.

Baselines: bag solves it, but not with `clauses=2`; copier finds about half of `answer=number`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.fact_search import Search, draw_search, question_of, stem_of
from mta_eval.tasks.facts import NUMBER, distances, join_clauses, tell_apart
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

MOST_ASKED, MOST_FACTS, MOST_SPAN, CHOICES = 4, 64, 40, 8
INSTRUCTION = "The following text says who left what where, among other things. Read it and answer the question.\n\n"


@dataclass(frozen=True)
class Conjunction:
    """Two-condition search in prose: which sentence has all the attributes asked for? (after MTA's letter blocks)"""

    name: ClassVar[str] = "conjunction"
    default_lengths: ClassVar[tuple[int, ...]] = (1024, 2048)

    asked: int = field(default=2, metadata={"help": f"attributes that the question names, 1 to {MOST_ASKED}"})
    distractors: int = field(default=4, metadata={"help": "other facts for each attribute asked for"})
    shared: int = field(
        default=-1, metadata={"help": "attributes asked for that each of them has; -1: one, and with asked=1 none"}
    )
    span: int = field(
        default=0, metadata={"help": f"tokens between attributes in a sentence, 0 (what it needs) to {MOST_SPAN}"}
    )
    order: Literal["any", "same", "reversed"] = field(
        default="any", metadata={"help": "order of the attributes in a sentence, beside that of the question"}
    )
    clauses: Literal[1, 2] = field(
        default=1, metadata={"help": "facts in a sentence; of 2, words alone do not tell which belong together"}
    )
    answer: Literal["attribute", "number", "note", "yes_no"] = field(
        default="attribute",
        metadata={
            "help": "another attribute of the fact, its magic number, the number of its note, or whether there is one"
        },
    )
    prompt: Literal["completion", "instruction", "chat"] = field(
        default="completion",
        metadata={"help": "end in the beginning of the fact, ask in words, or ask by chat template"},
    )
    haystack: str = field(default="prose", metadata=HAYSTACK)
    rule: str = field(
        default="auto", metadata={"help": "scoring rule; auto: first_word, for instruction and chat only_choice"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.asked <= MOST_ASKED:
            raise SpecError(f"conjunction: asked must be 1 to {MOST_ASKED}, not {self.asked}")
        if not -1 <= self.shared < self.asked:
            raise SpecError(
                f"conjunction: shared must be less than asked={self.asked}, not {self.shared}: a fact that shares all "
                "attributes would be an answer too"
            )
        if self.distractors < 0 or self.asked * self.distractors > MOST_FACTS:
            raise SpecError(
                f"conjunction: asked x distractors must be 0 to {MOST_FACTS}, not {self.asked * self.distractors}"
            )
        if not 0 <= self.span <= MOST_SPAN:
            raise SpecError(f"conjunction: span must be 0 to {MOST_SPAN} tokens, not {self.span}")
        if self.answer == "yes_no" and not self._shares * self.distractors:
            raise SpecError("conjunction: answer=yes_no needs asked of 2 or more, and distractors that share some")
        if self.rule != "auto":
            object.__setattr__(self, "rule", find_rule(self.rule).name)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        distractors = self.asked * self.distractors
        key = draw_key(cell.length, 256 + (1 + distractors) * (60 + 2 * self.span * self.asked))
        random = generator(seed, "conjunction", self.asked, cell.repeat, key)
        source = open_haystack(self.haystack, seed, tokenizer).source
        strangers = 0 if self.clauses == 1 else 1 + distractors % 2
        search = draw_search(random, source, self.asked, distractors, self._shares, self.answer, strangers)
        groups = self._sentences(len(search.facts))
        depths = [depth_of(cell, random), *(random.random() for _ in groups[1:])]
        texts = [self._tell(search, group, random, tokenizer) for group in groups]
        order = order_of_needles(depths)
        target, *others = search.answers
        keys = [", ".join(search.facts[group[0]][kind] for kind in search.wanted) for group in groups]
        values = [search.answers[group[0]] for group in groups]
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=self._words(search),
            needles=[NeedleDraft(texts[n], depths[n], keys[n], values[n], asked=n == 0) for n in order],
            targets=(target,),
            rule=self._rule,
            haystack=self.haystack,
            swept=order.index(0),
            chat=self.prompt == "chat",
            max_new_tokens=answer_budget(tokenizer, target, 4 if self.prompt == "completion" else 24),
            choices=("yes", "no") if self.answer == "yes_no" else _choices(target, others, random),
            axes={
                "asked": self.asked,
                "distractors": len(search.facts) - 1,
                "span": self.span,
                **_distance(texts[0], search, tokenizer),
            },
            draw_name=f"conjunction/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` wants the first word of a completion, and in words the answer and no other choice."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        if self.rule != "auto":
            return self.rule
        return "first_word" if self.prompt == "completion" else "only_choice"

    @property
    def _shares(self) -> int:
        return min(1, self.asked - 1) if self.shared == -1 else self.shared

    def _words(self, search: Search) -> tuple[str, str]:
        """What stands before and after the context."""
        question = f"\n\nQuestion: {question_of(search)}"
        if self.prompt != "completion":
            return INSTRUCTION, question + ("" if self.prompt == "chat" else "\nAnswer:")
        stems = {"note": f"{question}\nAnswer: Note", "yes_no": f"{question}\nAnswer:"}
        return "", stems.get(search.answer) or f"\n\n{stem_of(search)}"

    def _sentences(self, facts: int) -> list[tuple[int, ...]]:
        """Which facts are told in one sentence, the one looked for first.

        Two that share different attributes with it stand together, so that their sentence names all that is asked for.
        """
        if self.clauses == 1:
            return [(index,) for index in range(facts)]
        return [(0, facts - 1), *((index, index + 1) for index in range(1, facts - 1, 2))]

    def _tell(self, search: Search, group: Sequence[int], random: Random, tokenizer: Tokenizer) -> str:
        """The sentence of a group of facts, in any order, with the note's number if that is asked for."""
        clauses = [self._clause(search, index, random, tokenizer) for index in group]
        random.shuffle(clauses)
        text = join_clauses(clauses)
        return f"Note {search.answers[group[0]]}: {text}" if self.answer == "note" else text

    def _clause(self, search: Search, index: int, random: Random, tokenizer: Tokenizer) -> str:
        """A fact: the attributes asked for beside each other, the rest before or after them."""
        fact, named = search.facts[index], list(search.wanted)
        if self.order == "reversed":
            named.reverse()
        elif self.order == "any":
            random.shuffle(named)
        rest = [kind for kind in fact if kind not in (*named, NUMBER)]
        random.shuffle(rest)
        cut = random.randint(0, len(rest))
        own = Random(random.getrandbits(64))  # how many adverbs are drawn must not change what is drawn after
        return tell_apart(fact, [*rest[:cut], *named, *rest[cut:]], named, self.span, own, tokenizer)


def _choices(target: str, others: Sequence[str], random: Random) -> tuple[str, ...]:
    """The target among answers that other facts give."""
    wrong = list(dict.fromkeys(others))
    choices = [target, *random.sample(wrong, min(CHOICES - 1, len(wrong)))]
    random.shuffle(choices)
    return tuple(choices)


def _distance(text: str, search: Search, tokenizer: Tokenizer) -> dict[str, float]:
    """The axis "distance": tokens between the attributes asked for in the fact looked for, on average."""
    between = distances(tokenizer.encode(text), text, [search.facts[0][kind] for kind in search.wanted])
    return {"distance": round(sum(between) / len(between), 2)} if between else {}

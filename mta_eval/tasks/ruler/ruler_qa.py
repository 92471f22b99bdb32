"""RULER's question answering (Hsieh et al. 2024): a question of SQuAD or HotpotQA, its documents among many others.

    Answer the question based on the given documents. …
    Document 1:
    …
    Question: In what country is Normandy located? Answer: -> France

At the depth of the cell stand the documents that hold the answer, one after the other; without a depth all documents
are shuffled, as published. The prompt, the answer's budget and the rule are the published ones.

Baselines: not measured, as it needs files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.lists import ListAnswer, ListContext, ListedNeedle, build_list_sample, rule_or_auto
from mta_eval.tasks.prompts.items import place_at
from mta_eval.tasks.ruler.qa_files import DocumentQuestion, read_questions
from mta_eval.tasks.ruler.templates import DOCUMENT, QUESTIONS
from mta_eval.tasks.toolkit import Cell, NeedleDraft, Sample, SpecError, Tokenizer, find_rule, generator

SEPARATOR = "\n\n"


@dataclass(frozen=True)
class RulerQA:
    """RULER's question answering: SQuAD or HotpotQA with its documents among many others, in its wording."""

    name: ClassVar[str] = "ruler_qa"

    variant: Literal["squad", "hotpot"] = field(metadata={"help": "whose questions"})
    source: str = field(
        metadata={
            "help": "file:PATH (dev-v2.0.json or hotpot_dev_distractor_v1.json) or dataset:NAME "
            "(rajpurkar/squad_v2, hotpotqa/hotpot_qa)"
        }
    )
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end where the answer begins, or ask by chat template"}
    )
    rule: str = field(default="auto", metadata={"help": "scoring rule; auto: ruler_part"})

    def __post_init__(self) -> None:
        if self.variant not in ("squad", "hotpot"):
            raise SpecError(f"ruler_qa: there is no {self.variant!r}, only squad and hotpot")
        kind, _, where = self.source.partition(":")
        if kind not in ("file", "dataset") or not where:
            raise SpecError(f"ruler_qa: source is file:PATH or dataset:NAME, not {self.source!r}")
        object.__setattr__(self, "rule", rule_or_auto(self.rule, "ruler_part"))

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The first rungs of RULER's ladder."""
        return (4096, 8192)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task. Raises SpecError for more repeats than there are questions, TextError for a damaged source."""
        documents, questions = read_questions(self.source, self.variant)
        if cell.repeat >= len(questions):
            raise SpecError(f"ruler_qa: {self.source} has {len(questions)} questions; lower --repeats")
        chosen = generator(seed, "ruler_qa questions", self.variant).sample(range(len(questions)), len(questions))
        asked = questions[chosen[cell.repeat]]
        random = generator(seed, "ruler_qa", self.variant, cell.repeat)
        gold = [documents[number] for number in asked.gold]
        random.shuffle(gold)
        gold_places = [random.random() for _ in gold]
        others = _Others(random, documents, asked)

        def lay(count: int) -> ListContext:
            placed = others.take(count)
            if cell.depth is None:
                placed = sorted([*placed, *zip(gold_places, gold, strict=True)])
                texts = [text for _, text in placed]
                places = [texts.index(text) for text in gold]
            else:
                texts = [text for _, text in sorted(placed)]
                place = place_at(cell.depth, [len(text) for text in texts])
                texts[place:place] = gold
                places = list(range(place, place + len(gold)))
            parts = [DOCUMENT.format(number=number, text=text) for number, text in enumerate(texts, 1)]
            starts = list(accumulate((len(part) + len(SEPARATOR) for part in parts), initial=0))
            needles = [
                ListedNeedle(
                    NeedleDraft(texts[place], 0.0, f"document {place + 1}", asked.answers[0]),
                    starts[place] + len(parts[place]) - len(texts[place]),
                )
                for place in sorted(places)
            ]
            return ListContext(SEPARATOR.join(parts), needles, (("documents", len(parts)),))

        words, prefix = QUESTIONS.words(query=asked.question)
        return build_list_sample(
            self,
            cell,
            tokenizer,
            lay,
            ListAnswer(asked.answers, self._rule, QUESTIONS.tokens, fixed=True, stop=()),
            words=words,
            answer_prefix=prefix,
            chat=self.prompt == "chat",
            least=0,
            most=None if others.endless else 0,
            axes={"variant": self.variant, "question": asked.question},
            draw_name=f"ruler_qa:{self.variant}/{cell.repeat}",  # a question has the same documents at every length
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` wants one of the answers."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        return "ruler_part" if self.rule == "auto" else self.rule


class _Others:
    """The documents around a question, each with its random place: first those that belong to it, then any others.

    When all were taken they come again, as published; those that hold the answer come once.
    """

    def __init__(self, random: Random, documents: Sequence[str], asked: DocumentQuestion) -> None:
        near = list(asked.near)
        random.shuffle(near)
        rest = list(set(range(len(documents))) - {*asked.gold, *near})
        rest.sort()
        random.shuffle(rest)
        self._order = [documents[number] for number in (*near, *rest)]
        self._places = random
        self._placed: list[tuple[float, str]] = []
        self.endless = bool(self._order)

    def take(self, count: int) -> list[tuple[float, str]]:
        """The first `count`."""
        while len(self._placed) < count:
            self._placed.append((self._places.random(), self._order[len(self._placed) % len(self._order)]))
        return self._placed[:count]

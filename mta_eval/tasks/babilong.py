"""BABILong QA1-QA10 (Kuratov et al. 2024; QA1-QA5 are the MTA paper's): facts of a bAbI story hidden in text.

Facts come from our own worlds, from bAbI files or from the published data set. At depth d stands the last fact that
the answer needs; the other facts keep their order around it, at random places. Length 0 is the facts alone ("0k").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from random import Random
from typing import ClassVar, Literal

from mta_eval import scoring
from mta_eval.core import AxisValue, Cell, Needle, Sample, Tokenizer, generator
from mta_eval.errors import SpecError
from mta_eval.registry import spec_of
from mta_eval.tasks.babi_files import read_rows, read_stories
from mta_eval.tasks.babi_worlds import LABELS, Story, tell
from mta_eval.tasks.fitting import answer_budget, bury, draw_of, frame
from mta_eval.tasks.haystack import open_haystack
from mta_eval.tasks.layout import Insert

TRIES = 60  # stories looked at for one whose facts leave room for the wanted depth
# sizes only to choose among stories, the same for every tokenizer
CHARACTERS_PER_TOKEN, HALF_A_FACT = 4.0, 15.0
OVERHEAD = 256  # tokens of instruction, examples and question


@dataclass(frozen=True)
class Babilong:
    """BABILong QA1-QA10: answer a question about facts hidden in order in background text."""

    name: ClassVar[str] = "babilong"

    qa: int = field(default=1, metadata={"help": "bAbI task, 1..10", "always": True})
    facts: int = field(default=0, metadata={"help": "facts in a story; 0: as many as that task usually has"})
    examples: int = field(default=2, metadata={"help": "worked examples before the text"})
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end in 'Answer:', or ask by chat template"}
    )
    source: str = field(
        default="worlds", metadata={"help": "worlds (ours), file:PATH (bAbI text), dataset:NAME (RMT-team/babilong)"}
    )
    haystack: str = field(default="prose", metadata={"help": "prose, noise, essays, file:PATH, dataset:NAME"})
    rule: str = field(
        default="babilong_one_label",
        metadata={"help": "scoring rule, such as babilong_official, any_contained (as lm-eval) or first_word"},
    )

    def __post_init__(self) -> None:
        if self.qa not in LABELS:
            raise SpecError(f"babilong: qa must be 1 to {len(LABELS)}, not {self.qa}")
        if self.facts < 0 or self.examples < 0:
            raise SpecError("babilong: facts and examples cannot be negative")
        if self.source.partition(":")[0] not in ("worlds", "file", "dataset"):
            raise SpecError(f"babilong: source is worlds, file:PATH or dataset:NAME, not {self.source!r}")
        if self.source == "worlds" and self.facts:
            tell(self.qa, Random(0), self.facts)
        object.__setattr__(self, "rule", scoring.find(self.rule).name)

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The paper's lengths."""
        return (0, 1024, 2048, 4096)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        if self.source.startswith("dataset:"):
            return self._published(cell, seed, tokenizer)
        random = generator(seed, "babilong", self.qa, cell.repeat, draw_of(cell.length, 6000 if self.qa == 3 else 1500))
        depth = random.random() if cell.depth is None else cell.depth
        story = _choose(list(self._tell(Random(random.getrandbits(64)))), depth, cell.length)
        random = generator(seed, "babilong places", self.qa, cell.length, cell.repeat)
        haystack = open_haystack(self.haystack, seed, tokenizer)
        pinned = story.support[-1]
        ahead = sorted(depth * random.random() for _ in story.facts[:pinned])
        behind = sorted(depth + (1 - depth) * random.random() for _ in story.facts[pinned + 1 :])
        max_new_tokens = self._answer_budget(tokenizer)
        fitted = bury(
            haystack,
            haystack.source.start(seed, cell.length, cell.repeat),
            frame(tokenizer, *self._words(story.question, seed), chat=self.prompt == "chat"),
            [Insert(*pair) for pair in zip(story.facts, [*ahead, depth, *behind], strict=True)],
            cell.length,
            max_new_tokens,
            label=spec_of(self),
            pinned=pinned,
            depth=depth,
            keep_order=True,
        )
        needles = tuple(
            Needle(
                key=story.question if index in story.support else "",
                value=story.answer if index == pinned else "",
                text=fact,
                token_start=span[0],
                token_end=span[1],
                depth=round(deep, 6),
                asked=index in story.support,
            )
            for index, (fact, span, deep) in enumerate(zip(story.facts, fitted.spans, fitted.depths, strict=True))
        )
        return Sample(
            id=f"{spec_of(self)}/{cell}",
            task=spec_of(self),
            prompt=fitted.prompt,
            targets=(story.answer,),
            axes=self._axes(cell, story.question),
            length=cell.length or fitted.prompt_tokens + max_new_tokens,
            prompt_tokens=fitted.prompt_tokens,
            max_new_tokens=max_new_tokens,
            choices=self._choices(),
            needles=needles,
            chat=fitted.chat,
            stop=() if self.prompt == "chat" else ("\n", "."),
            target_delimiter="" if self.prompt == "chat" else " ",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; BABILong's rules leave out the labels that the question names."""
        return scoring.find(self.rule).score(sample, output)

    def _tell(self, random: Random) -> Iterator[Story]:
        if self.source.startswith("file:"):
            known = read_stories(self.source.partition(":")[2], self.qa)
            yield from (random.choice(known) for _ in range(TRIES))
        else:
            yield from (tell(self.qa, random, self.facts or None) for _ in range(TRIES))

    def _words(self, question: str, seed: int) -> tuple[str, str]:
        """What stands before and after the context."""
        before = (
            "Some facts are hidden in a text. Use only the facts, and take the latest where they disagree. "
            f"Answer the question with {'one word' if self.qa != 8 else 'the names alone, joined by commas'}.\n\n"
        )
        random = generator(seed, "babilong examples", self.qa)
        told: list[Story] = []
        while len(told) < self.examples:
            story = tell(self.qa, random)
            # short ones, with different answers as far as there are any
            fresh = story.answer not in [other.answer for other in told]
            if len(story.facts) <= 8 and (fresh or len(told) >= len(LABELS[self.qa])):
                told.append(story)
        for story in told:
            before += f"Text: {' '.join(story.facts)}\nQuestion: {story.question}\nAnswer: {story.answer}\n\n"
        return before + "Text: ", f"\nQuestion: {question}\nAnswer:"

    def _choices(self) -> tuple[str, ...]:
        if self.qa != 8:
            return LABELS[self.qa]
        nothing, *things = LABELS[8]
        return (nothing, *(",".join(some) for size in (1, 2, 3) for some in combinations(sorted(things), size)))

    def _answer_budget(self, tokenizer: Tokenizer) -> int:
        longest = max(self._choices(), key=len)
        return answer_budget(tokenizer, longest, 4 if self.prompt == "completion" else 24)

    def _axes(self, cell: Cell, question: str) -> dict[str, AxisValue]:
        return {"length": cell.length, "depth": cell.depth, "repeat": cell.repeat, "qa": self.qa, "question": question}

    def _published(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """Row `repeat` of the published data: its text is fixed, so its length is what it is and it has no depth."""
        if cell.depth is not None:
            raise SpecError("babilong: the published data set has no depths; run it with --depths any")
        rows = read_rows(self.source.partition(":")[2], cell.length, self.qa)
        if cell.repeat >= len(rows):
            raise SpecError(f"babilong: the published data set has {len(rows)} samples; lower --repeats")
        row = rows[cell.repeat]
        around = frame(tokenizer, *self._words(row["question"], seed), chat=self.prompt == "chat")
        prompt = around.before + row["input"] + around.after
        prompt_tokens = len(tokenizer.encode(prompt).ids) + sum(around.specials(tokenizer))
        max_new_tokens = self._answer_budget(tokenizer)
        return Sample(
            id=f"{spec_of(self)}/{cell}",
            task=spec_of(self),
            prompt=prompt,
            targets=(row["target"],),
            axes=self._axes(cell, row["question"]),
            length=prompt_tokens + max_new_tokens,
            prompt_tokens=prompt_tokens,
            max_new_tokens=max_new_tokens,
            choices=self._choices(),
            chat=around.messages(row["input"]),
            stop=() if self.prompt == "chat" else ("\n", "."),
            target_delimiter="" if self.prompt == "chat" else " ",
        )


def _choose(stories: list[Story], depth: float, length: int) -> Story:
    """The first story, or one with its answer and about as many facts that leaves room for `depth`.

    At depth 0 few facts may stand before the last supporting one, at depth 1 few after it. Where a task's order of
    facts does not allow the depth, the nearest is taken, and the needles say where it is. What is chosen depends on
    no tokenizer, and how often each answer is right depends on no depth.
    """
    first = stories[0]
    room = max(length - OVERHEAD, 0) * CHARACTERS_PER_TOKEN

    def unfit(story: Story) -> tuple[float, int]:
        pinned = story.support[-1]
        ahead = sum(map(len, story.facts[:pinned])) - depth * room
        behind = sum(map(len, story.facts[pinned + 1 :])) - (1 - depth) * room
        return max(ahead, behind, HALF_A_FACT), abs(len(story.facts) - len(first.facts))

    return min((story for story in stories if story.answer == first.answer), key=unfit) if length else first

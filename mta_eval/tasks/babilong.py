"""BABILong QA1-QA10 (Kuratov et al. 2024; QA1-QA5 are the MTA paper's): facts of a bAbI story hidden in text.

    Text: … Mary went to the kitchen. The rain had stopped. … Mary moved to the garden. …
    Question: Where is Mary?
    Answer: -> garden

Facts come from our own worlds, from bAbI files or from the published data set. At depth d stands the last fact that
the answer needs; the others keep their order around it, at random places. Length 0 is the facts alone ("0k"). With
`protocol=official` prompt, budget of the answer, rule and limit on facts are the published ones.
Baselines: bag solves qa1, and about half of qa4, qa5 and qa8; chance goes far where there are few answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.babi.calibrated import make_babi_story
from mta_eval.tasks.babi.choosing import choose_story, facts_that_fit
from mta_eval.tasks.babi.files import read_rows, read_stories
from mta_eval.tasks.babi.published_prompts import ANSWER_TOKENS, PUBLISHED_PROMPTS, most_facts
from mta_eval.tasks.babi.worlds import LABELS, Story, make_story, telling_of
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
    prompt_template,
    spec_of,
)

MOST_FACTS, MOST_EXAMPLES = 10_000, 1000  # beyond the longest that bAbI has by far
TRIES, BABI_TRIES = 60, 30  # stories looked at for one whose facts leave room for the wanted depth
OVERHEAD = {"ours": 256, "official": 400}  # tokens of instruction, examples, question and answer
SHORT, UNIFORM_SHORT = {2: 4096, 3: 8192, 5: 6000, 7: 3000, 8: 3000}, {3: 6000}  # lengths below which not all fits


@dataclass(frozen=True)
class Babilong:
    """BABILong QA1-QA10: answer a question about facts hidden in order in background text."""

    name: ClassVar[str] = "babilong"
    default_lengths: ClassVar[tuple[int, ...]] = (0, 1024, 2048, 4096)  # the paper's

    qa: int = field(default=1, metadata={"help": "bAbI task, 1..10", "always": True})
    facts: int = field(default=0, metadata={"help": "facts in a story; 0: as many as that task usually has"})
    examples: int = field(default=2, metadata={"help": "worked examples before the text"})
    worlds: Literal["babi", "uniform"] = field(
        default="babi", metadata={"help": "stories with the statistics of bAbI's files, or all answers equally likely"}
    )
    protocol: Literal["ours", "official"] = field(
        default="ours", metadata={"help": "official: prompt, answer budget, rule and facts limit as published"}
    )
    use_instruction: bool = field(default=True, metadata={"help": "of the official prompt"})
    use_examples: bool = field(default=True, metadata={"help": "of the official prompt"})
    use_post_prompt: bool = field(default=True, metadata={"help": "of the official prompt"})
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end in 'Answer:', or ask by chat template"}
    )
    source: str = field(
        default="worlds", metadata={"help": "worlds (ours), file:PATH (bAbI text), dataset:NAME (RMT-team/babilong)"}
    )
    haystack: str = field(default="prose", metadata=HAYSTACK)
    rule: str = field(
        default="auto",
        metadata={"help": "scoring rule; auto: babilong_one_label, with protocol=official babilong_official"},
    )

    def __post_init__(self) -> None:
        if self.qa not in LABELS:
            raise SpecError(f"babilong: qa must be 1 to {len(LABELS)}, not {self.qa}")
        for what, count, most in (("facts", self.facts, MOST_FACTS), ("examples", self.examples, MOST_EXAMPLES)):
            if not 0 <= count <= most:
                raise SpecError(f"babilong: {what} is 0 to {most}, not {count}")
        if self.source.partition(":")[0] not in ("worlds", "file", "dataset"):
            raise SpecError(f"babilong: source is worlds, file:PATH or dataset:NAME, not {self.source!r}")
        if self.source == "worlds" and self.facts:
            telling_of(self.qa, self.facts)
        if self.protocol == "official" and self.examples != 2:
            raise SpecError(
                "babilong: protocol=official has its own examples; leave out examples=, or use_examples=false"
            )
        if self.protocol == "ours" and not (self.use_instruction and self.use_examples and self.use_post_prompt):
            raise SpecError("babilong: use_instruction, use_examples and use_post_prompt are of protocol=official")
        if self.rule != "auto":
            name = find_rule(self.rule).name
            # the shortest name of one task: what auto means anyway is auto
            object.__setattr__(self, "rule", "auto" if name == replace(self, rule="auto")._rule else name)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        if self.source.startswith("dataset:"):
            return self._published(cell, seed, tokenizer)
        short = SHORT if self.source == "worlds" and self.worlds == "babi" else UNIFORM_SHORT
        key = draw_key(cell.length, short.get(self.qa, 1500))
        random = generator(seed, "babilong", self.qa, cell.repeat, key)
        depth = depth_of(cell, random)
        stories = self._stories(Random(random.getrandbits(64)), cell.length)
        story = choose_story(stories, depth, max(cell.length - OVERHEAD[self.protocol], 0) if cell.length else None)
        random = generator(seed, "babilong places", self.qa, cell.length, cell.repeat)
        swept = story.support[-1]
        before = sorted(depth * random.random() for _ in story.facts[:swept])
        after = sorted(depth + (1 - depth) * random.random() for _ in story.facts[swept + 1 :])
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=self._words(story.question, seed),
            needles=[
                NeedleDraft(
                    fact,
                    at,
                    key=story.question if index in story.support else "",
                    value=story.answer if index == swept else "",
                    asked=index in story.support,
                )
                for index, (fact, at) in enumerate(zip(story.facts, [*before, depth, *after], strict=True))
            ],
            targets=(story.answer,),
            rule=self._rule,
            haystack=self.haystack,
            swept=swept,
            keep_order=True,
            chat=self.prompt == "chat",
            max_new_tokens=self._answer_budget(tokenizer),
            choices=self._choices(),
            axes={"qa": self.qa, "question": story.question},
            stop=self._stop,
            draw_name=f"babilong:{self.qa}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; BABILong's rules leave out the labels that the question names."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        if self.rule != "auto":
            return self.rule
        return "babilong_official" if self.protocol == "official" else "babilong_one_label"

    @property
    def _stop(self) -> tuple[str, ...]:
        return () if self.prompt == "chat" or self.protocol == "official" else ("\n", ".")

    def _stories(self, random: Random, length: int) -> Iterator[Story]:
        most = most_facts(length) if self.protocol == "official" else None
        if self.source.startswith("file:"):
            name = self.source.partition(":")[2]
            stories = [story for story in read_stories(name, self.qa) if most is None or len(story.facts) <= most]
            if not stories:
                raise SpecError(
                    f"babilong: no story of {name!r} has at most {most} facts, the official limit of {length}"
                )
            yield from (random.choice(stories) for _ in range(TRIES))
        elif self.worlds == "uniform":
            yield from (make_story(self.qa, random, self.facts or None) for _ in range(TRIES))
        else:
            if length:  # the published limit leaves no room for our exact lengths at 1k
                fitting = facts_that_fit(length - OVERHEAD[self.protocol])
                most = fitting if most is None else min(most, fitting)
            yield from (make_babi_story(self.qa, random, self.facts or None, most) for _ in range(BABI_TRIES))

    def _words(self, question: str, seed: int) -> tuple[str, str]:
        """What stands before and after the context."""
        if self.protocol == "official":
            return PUBLISHED_PROMPTS[self.qa].words(
                question,
                use_instruction=self.use_instruction,
                use_examples=self.use_examples,
                use_post_prompt=self.use_post_prompt,
            )
        before = (
            "Some facts are hidden in a text. Use only the facts, and take the latest where they disagree. "
            f"Answer the question with {'one word' if self.qa != 8 else 'the names alone, joined by commas'}.\n\n"
        )
        random = generator(seed, "babilong examples", self.qa)
        example_stories: list[Story] = []
        while len(example_stories) < self.examples:
            story = make_story(self.qa, random)
            # short ones, with different answers as far as there are any
            fresh = story.answer not in [example.answer for example in example_stories]
            if len(story.facts) <= 8 and (fresh or len(example_stories) >= len(LABELS[self.qa])):
                example_stories.append(story)
        for story in example_stories:
            before += f"Text: {' '.join(story.facts)}\nQuestion: {story.question}\nAnswer: {story.answer}\n\n"
        return before + "Text: ", f"\nQuestion: {question}\nAnswer:"

    def _choices(self) -> tuple[str, ...]:
        if self.qa != 8:
            return LABELS[self.qa]
        nothing, *things = LABELS[8]
        return (nothing, *(",".join(carried) for size in (1, 2, 3) for carried in combinations(sorted(things), size)))

    def _answer_budget(self, tokenizer: Tokenizer) -> int:
        if self.protocol == "official":
            return tokenizer.prompt_settings.answer_tokens or ANSWER_TOKENS
        longest = max(self._choices(), key=len)
        return answer_budget(tokenizer, longest, 4 if self.prompt == "completion" else 24)

    def _published(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """Row `repeat` of the published data: its text is fixed, so its length is what it is and it has no depth."""
        if cell.depth is not None:
            raise SpecError("babilong: the published data set has no depths; run it with --depths any")
        rows = read_rows(self.source.partition(":")[2], cell.length, self.qa)
        if cell.repeat >= len(rows):
            raise SpecError(f"babilong: the published data set has {len(rows)} samples; lower --repeats")
        row = rows[cell.repeat]
        template = prompt_template(tokenizer, *self._words(row["question"], seed), chat=self.prompt == "chat")
        context = row["input"].strip() if self.protocol == "official" else row["input"]
        prompt = template.before + context + template.after
        prompt_tokens = len(tokenizer.encode(prompt).ids) + sum(template.specials(tokenizer))
        max_new_tokens = self._answer_budget(tokenizer)
        return Sample(
            id=f"{spec_of(self)}/{cell}",
            task=spec_of(self),
            prompt=prompt,
            targets=(row["target"],),
            axes={
                "length": cell.length,
                "depth": None,
                "repeat": cell.repeat,
                "qa": self.qa,
                "question": row["question"],
            },
            length=prompt_tokens + max_new_tokens + tokenizer.prompt_settings.thinking_tokens,
            prompt_tokens=prompt_tokens,
            max_new_tokens=max_new_tokens,
            choices=self._choices(),
            chat=template.messages(context),
            stop=self._stop,
            target_delimiter="" if self.prompt == "chat" else " ",
            settings=tokenizer.prompt_settings,
            draw=f"babilong:{self.qa}/{cell.repeat}",  # a row has the same story at every length
        )

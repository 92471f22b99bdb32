"""The MTA paper's motivating task (section 4.1): which block of letters holds all the query letters?

    hjnvt.qfoyj.lmzte.xnuaw#zl -> lmzte

Blocks of N distinct letters, joined by periods; L query letters; exactly one block holds them all. Every block is
whole, so every sample can be answered: what tokens are left over go to the answer's budget, not to a cut block.

Baselines: none solves it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from string import ascii_lowercase
from typing import ClassVar, Literal

from mta_eval.tasks.prompts.counting import token_span
from mta_eval.tasks.prompts.items import most_items, place_at
from mta_eval.tasks.prompts.pools import OtherBlocks
from mta_eval.tasks.toolkit import (
    Cell,
    LengthError,
    Needle,
    PromptTemplate,
    Sample,
    SpecError,
    Tokenizer,
    depth_of,
    draw_key,
    find_rule,
    generator,
    prompt_template,
    spec_of,
)

PAPER = 319  # characters of blocks, "#", query and answer together
CHOICES = 8
EXAMPLE_BLOCKS = 4
LONGEST = 4_000_000  # blocks or characters


@dataclass(frozen=True)
class LetterBlocks:
    """Which block of letters holds all the query letters? (MTA paper, section 4.1)"""

    name: ClassVar[str] = "letter_blocks"

    block: int = field(default=5, metadata={"help": "letters in a block (the paper: 5 and 8)"})
    query: int = field(default=2, metadata={"help": "query letters"})
    target: Literal["all", "first", "last"] = field(
        default="all", metadata={"help": "answer the whole block, its first or its last letter"}
    )
    prompt: Literal["auto", "characters", "instruction", "chat"] = field(
        default="auto",
        metadata={
            "help": "characters as the paper trains on, words with two examples; auto: words if the model has any"
        },
    )
    blocks: int = field(default=0, metadata={"help": "a fixed number of blocks, instead of a length"})
    characters: int = field(default=0, metadata={"help": f"fixed characters in all (the paper: {PAPER})"})

    def __post_init__(self) -> None:
        if not 1 <= self.block <= 25:
            raise SpecError(f"letter_blocks: block must be 1 to 25, not {self.block}")
        if not 1 <= self.query <= self.block:
            raise SpecError(f"letter_blocks: query must be 1 to block={self.block}, not {self.query}")
        if not (0 <= self.blocks <= LONGEST and 0 <= self.characters <= LONGEST) or (self.blocks and self.characters):
            raise SpecError(f"letter_blocks: give blocks or characters, one of them, from 0 to {LONGEST}")
        if self.characters and self._fixed_count() < 1:
            raise SpecError(
                f"letter_blocks: characters={self.characters} holds no block of {self.block} and its question"
            )

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The task's own size where it is fixed."""
        return (0,) if self.blocks or self.characters else (256, 512)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        draw = draw_key(cell.length, 1024)
        random = generator(seed, "letter_blocks", self.block, self.query, cell.repeat, draw)
        target, query, others = self._question(random)
        depth = depth_of(cell, random)
        template = self._frame(tokenizer, query, seed)
        answer = self._answer(target)
        lead = "" if self._plain(tokenizer) or self.prompt == "chat" else " "
        settings = tokenizer.prompt_settings
        least = settings.answer_tokens or len(tokenizer.encode(lead + answer).ids) + 1
        if cell.length:
            blocks = self._fill(
                tokenizer, template, others, target, depth, cell.length - settings.thinking_tokens, least
            )
        else:
            blocks = others.take((self._fixed_count() or EXAMPLE_BLOCKS) - 1)
            blocks.insert(round(depth * len(blocks)), target)
        prompt, spans = _join(tokenizer, template, blocks)
        specials = template.specials(tokenizer)
        prompt_tokens = len(spans) + sum(specials)
        return Sample(
            id=f"{spec_of(self)}/{cell}",
            task=spec_of(self),
            prompt=prompt,
            targets=(answer,),
            axes={"length": cell.length, "depth": cell.depth, "repeat": cell.repeat}
            | {"blocks": len(blocks), "position": blocks.index(target) + 1},
            length=cell.length or prompt_tokens + least + settings.thinking_tokens,
            prompt_tokens=prompt_tokens,
            max_new_tokens=cell.length - prompt_tokens - settings.thinking_tokens if cell.length else least,
            choices=self._choices(random, blocks, target),
            needles=self._needles(blocks, query, target, len(template.before), spans, specials[0]),
            chat=template.messages(".".join(blocks)),
            stop=("\n", "."),
            target_delimiter=lead,
            settings=settings,
            draw=f"letter_blocks:{self.block},{self.query}/{draw}/{cell.repeat}",
        )

    def row(self, stream: str, seed: int, index: int) -> tuple[str, str]:
        """(prompt, answer) number `index` of an endless stream of rows to train on, as the paper writes them.

        Streams are named, and apart from one another and from the samples: what is held out of one stays held out.
        Raises SpecError unless `blocks` or `characters` fix the size.
        """
        count = self._fixed_count()
        if not count:
            raise SpecError(f"{spec_of(self)}: rows to train on have a size; give blocks or characters")
        random = generator(seed, f"letter_blocks {stream}", self.block, self.query, index)
        target, query, others = self._question(random)
        blocks = others.take(count - 1)
        blocks.insert(random.randrange(count), target)
        return ".".join(blocks) + "#" + query, self._answer(target)

    def score(self, sample: Sample, output: str) -> float:
        """1 if the answer's first word is exactly the target."""
        return find_rule("first_word").score(sample, output)

    def _question(self, random: Random) -> tuple[str, str, OtherBlocks]:
        """(target block, query letters, the endless other blocks)"""
        target = "".join(random.sample(ascii_lowercase, self.block))
        query = "".join(random.sample(target, self.query))
        return target, query, OtherBlocks(random, self.block, query)

    def _answer(self, block: str) -> str:
        return {"all": block, "first": block[0], "last": block[-1]}[self.target]

    def _fixed_count(self) -> int:
        answer = self.block if self.target == "all" else 1
        return self.blocks or (self.characters - answer - self.query) // (self.block + 1) * bool(self.characters)

    def _plain(self, tokenizer: Tokenizer) -> bool:
        """Whether to ask in the bare form that the paper trains on."""
        return self.prompt == "characters" or (self.prompt == "auto" and not tokenizer.can_spell("Query: A, B?"))

    def _frame(self, tokenizer: Tokenizer, query: str, seed: int) -> PromptTemplate:
        if self._plain(tokenizer):
            return PromptTemplate("", "#" + query)
        part = {"all": "that block", "first": "its first letter", "last": "its last letter"}[self.target]
        before = (
            f"Blocks of {self.block} letters are separated by periods. Exactly one block holds all of the "
            f"{self.query} query letters. Answer with {part}.\n\n"
        )
        random = generator(seed, "letter_blocks examples", self.block, self.query)
        for _ in range(2):
            target, letters, others = self._question(random)
            blocks = others.take(EXAMPLE_BLOCKS - 1)
            blocks.insert(random.randrange(EXAMPLE_BLOCKS), target)
            before += f"Blocks: {'.'.join(blocks)}\nQuery: {' '.join(letters)}\nAnswer: {self._answer(target)}\n\n"
        after = f"\nQuery: {' '.join(query)}\nAnswer:"
        return prompt_template(tokenizer, before + "Blocks: ", after, chat=self.prompt == "chat")

    def _fill(
        self,
        tokenizer: Tokenizer,
        template: PromptTemplate,
        others: OtherBlocks,
        target: str,
        depth: float,
        length: int,
        answer: int,
    ) -> list[str]:
        """The most blocks whose prompt leaves `answer` tokens of `length`, the target at `depth` of their tokens.

        Raises LengthError if not even the target and one other block fit.
        """
        if self.blocks or self.characters:
            raise SpecError(f"{spec_of(self)} fixes its own size; leave --lengths out or write --lengths 0")

        def lay(count: int) -> tuple[list[str], int]:
            blocks = others.take(count)
            spans = tokenizer.encode(".".join([*blocks, target])).spans
            edges = [bisect_right(spans, (index * (self.block + 1), 0)) for index in range(count + 1)]
            place = place_at(depth, [last - first for first, last in pairwise(edges)])
            blocks.insert(place, target)
            return blocks, len(_join(tokenizer, template, blocks)[1]) + sum(template.specials(tokenizer))

        budget = length - answer
        least = lay(1)[1]
        if least > budget:
            raise LengthError(
                f"{spec_of(self)} does not fit length {length}: "
                f"this sample needs {least + answer} tokens in this tokenizer"
            )
        return lay(most_items(lambda count: lay(count)[1], budget))[0]

    def _choices(self, random: Random, blocks: list[str], target: str) -> tuple[str, ...]:
        answers = list(dict.fromkeys(self._answer(block) for block in blocks))
        wrong = [answer for answer in answers if answer != self._answer(target)]
        choices = [self._answer(target), *random.sample(wrong, min(CHOICES - 1, len(wrong)))]
        random.shuffle(choices)
        return tuple(choices)

    def _needles(
        self, blocks: list[str], query: str, target: str, first: int, spans: list[tuple[int, int]], shift: int
    ) -> tuple[Needle, ...]:
        starts = range(first, first + len(blocks) * (self.block + 1), self.block + 1)
        edges = [token_span(spans, (start, start + self.block)) for start in starts]
        context = max(edges[-1][1] - edges[0][0], 1)
        return tuple(
            Needle(
                key="".join(letter for letter in query if letter in block),
                value=self._answer(block),
                text=block,
                token_start=shift + start,
                token_end=shift + end,
                depth=round(min((start - edges[0][0]) / max(context - (end - start), 1), 1.0), 6),
                asked=block == target,
            )
            for block, (start, end) in zip(blocks, edges, strict=True)
        )


def _join(tokenizer: Tokenizer, template: PromptTemplate, blocks: list[str]) -> tuple[str, list[tuple[int, int]]]:
    prompt = template.before + ".".join(blocks) + template.after
    return prompt, tokenizer.encode(prompt).spans

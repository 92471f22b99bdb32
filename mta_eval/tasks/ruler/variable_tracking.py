"""Variable tracking (RULER, Hsieh et al. 2024): chains of assignments hidden in text.

    … The sky is blue. Here we go. …
    VAR QWJZK = 12345
    …
    VAR PLMTR = VAR QWJZK
    …
    The variables with the value 12345 are: -> QWJZK, PLMTR

The chain that is asked for begins at the depth of the cell; the rest of it stands behind, in order, at random depths.
Other chains have other values and stand anywhere. With `protocol=ruler` the prompt, with its worked example, and the
answer's budget are the published ones.

Baselines: none solves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from string import ascii_uppercase
from typing import ClassVar, Literal, NamedTuple

from mta_eval.tasks.lists import rule_or_auto
from mta_eval.tasks.prompts.items import most_items
from mta_eval.tasks.prompts.sources import TextSource
from mta_eval.tasks.ruler.noise_lines import LINE, NoiseLines, open_noise_lines
from mta_eval.tasks.ruler.templates import VARIABLES
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
)

MOST_CHAINS, MOST_HOPS = 20, 40
NAME_LETTERS, EXAMPLE_LETTERS = 5, 3
EXAMPLE_TOKENS, EXAMPLE_HOPS = 500, 10  # of the published worked example, at most
EXAMPLE_LINES = 5  # of noise in it, at least
LINE_TOKENS = 24  # of an assignment, at most


class Chain(NamedTuple):
    """Variables that all have one value: the first by itself, each other by the one before."""

    value: str
    names: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """Its assignments."""
        later = [f"VAR {new} = VAR {old}" for old, new in pairwise(self.names)]
        return [f"VAR {self.names[0]} = {self.value}", *later]


@dataclass(frozen=True)
class VariableTracking:
    """Variable tracking: which variables have the value, by a chain of assignments? (RULER)"""

    name: ClassVar[str] = "variable_tracking"

    chains: int = field(default=1, metadata={"help": f"chains in the text, 1..{MOST_CHAINS}; one is asked for"})
    hops: int = field(
        default=4, metadata={"help": f"assignments from one variable to the next in a chain, 1..{MOST_HOPS}"}
    )
    protocol: Literal["ours", "ruler"] = field(
        default="ours", metadata={"help": "ruler: prompt, worked example, budget and rule as published"}
    )
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end where the answer begins, or ask by chat template"}
    )
    haystack: str = field(default="noise", metadata=HAYSTACK)
    rule: str = field(default="auto", metadata={"help": "scoring rule; auto: ruler_all"})

    def __post_init__(self) -> None:
        for what, count, most in (("chains", self.chains, MOST_CHAINS), ("hops", self.hops, MOST_HOPS)):
            if not 1 <= count <= most:
                raise SpecError(f"variable_tracking: {what} must be 1 to {most}, not {count}")
        object.__setattr__(self, "rule", rule_or_auto(self.rule, "ruler_all"))

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The first rungs of RULER's ladder."""
        return (4096, 8192)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        published = self.protocol == "ruler"
        lines = self.chains * (self.hops + 1)
        key = draw_key(cell.length, 512 + EXAMPLE_TOKENS * published + LINE_TOKENS * lines)
        random = generator(seed, "variable_tracking", cell.repeat, key)
        in_lines = published and self.haystack == "noise"
        haystack = open_noise_lines(tokenizer) if in_lines else open_haystack(self.haystack, seed, tokenizer)
        chains = self._chains(random, haystack.source, self.hops, NAME_LETTERS)
        asked = chains[0]
        words, prefix = self._words(asked)
        if published:
            words = (self._example(random, tokenizer, asked) + words[0], words[1])
        drafts, swept = self._place(cell, random, chains)
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=words,
            answer_prefix=prefix,
            needles=drafts,
            targets=asked.names,
            rule=self._rule,
            haystack=haystack,
            swept=swept,
            keep_order=True,
            chat=self.prompt == "chat",
            max_new_tokens=self._answer_tokens(tokenizer, asked),
            axes={"hops": self.hops, "chains": self.chains},
            stop=() if published or self.prompt == "chat" else ("\n",),
            draw_name=f"variable_tracking/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` is the share of the variables that are named."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        return "ruler_all" if self.rule == "auto" else self.rule

    def _chains(
        self, random: Random, source: TextSource, hops: int, letters: int, taken: Sequence[str] = ()
    ) -> list[Chain]:
        """As many as there are, of this many hops; no name or value stands in another one, nor in the text."""
        used = list(taken)

        def fresh(alphabet: str, size: int) -> str:
            def spell(random: Random) -> str:
                return "".join(random.choice(alphabet) for _ in range(size))

            used.append(draw(random, spell, used, source))
            return used[-1]

        return [
            Chain(fresh("123456789", NAME_LETTERS), tuple(fresh(ascii_uppercase, letters) for _ in range(hops + 1)))
            for _ in range(self.chains)
        ]

    def _place(self, cell: Cell, random: Random, chains: list[Chain]) -> tuple[list[NeedleDraft], int]:
        """The assignments in the order in which they stand, and which of them begins the chain that is asked for."""
        first = depth_of(cell, random)
        placed: list[tuple[float, int, int, str]] = []
        for number, chain in enumerate(chains):
            start = random.random() if number else first
            later = sorted(random.random() for _ in chain.names[1:])
            depths = [start, *(start + (1 - start) * more for more in later)]
            placed += [(depth, number, step, chain.lines[step]) for step, depth in enumerate(depths)]
        placed.sort()
        on_lines = self.protocol == "ours" or self.haystack == "noise"
        end = "" if self.protocol == "ours" else " " if self.haystack == "noise" else "."
        drafts = [
            NeedleDraft(
                text + (end if step or end == "." else ""),
                depth,
                chains[number].names[step],
                chains[number].value,
                asked=number == 0,
                own_line=on_lines,
            )
            for depth, number, step, text in placed
        ]
        return drafts, next(index for index, (_, number, step, _) in enumerate(placed) if number == step == 0)

    def _words(self, asked: Chain) -> tuple[tuple[str, str], str]:
        if self.protocol == "ruler":
            return VARIABLES.words(query=asked.value, num_v=len(asked.names))
        before = (
            "In the text below, lines that begin with VAR give a variable a value: a number, or the value of another "
            "variable.\n\n"
        )
        question = f"Which {len(asked.names)} variables have the value {asked.value}, by themselves or by others?"
        after = f"\n\n{question} Answer with the names alone, joined by commas."
        return (before, after), "" if self.prompt == "chat" else f"\nThe variables with the value {asked.value} are:"

    def _answer_tokens(self, tokenizer: Tokenizer, asked: Chain) -> int:
        if self.protocol == "ruler":
            return VARIABLES.tokens
        return answer_budget(tokenizer, ", ".join(asked.names), 8 if self.prompt == "completion" else 24)

    def _example(self, random: Random, tokenizer: Tokenizer, asked: Chain) -> str:
        """The published worked example: short names, and as many lines of noise as keep it within 500 tokens."""
        random = Random(random.getrandbits(64))  # of its own: how much it draws must not change what is drawn after
        chains = self._chains(random, NoiseLines(), min(self.hops, EXAMPLE_HOPS), EXAMPLE_LETTERS, [asked.value])
        value, names = chains[0]
        (before, after), prefix = VARIABLES.words(query=value, num_v=len(names))
        placed = [
            (place, number, text + " " * (step > 0))
            for number, chain in enumerate(chains)
            for step, (text, place) in enumerate(
                zip(chain.lines, sorted(random.random() for _ in chain.lines), strict=True)
            )
        ]

        def write(noise: int) -> str:
            lines = [LINE] * noise
            for index, (place, _, text) in enumerate(sorted(placed, key=lambda row: row[:2])):
                lines.insert(int(place * noise) + index, text)
            return before + "\n".join(lines) + after + prefix

        def tokens(noise: int) -> int:
            return len(tokenizer.encode(write(noise)).ids)

        noise = most_items(tokens, EXAMPLE_TOKENS, EXAMPLE_LINES)
        return f"{write(noise)} {' '.join(names)}\n\n"

"""Multi-needle Needle-in-a-Haystack, after the MTA paper (section 4.4, Figure 4) and the DIFF Transformer protocol.

    … The miller mended the fence. The magic number of Riga is 4071842. The bread was warm. …

    The magic number of Riga is -> 4071842

Each needle gives a city its magic number. The asked needle begins at the swept depth, the others at random depths.
All random choices depend on (seed, length, repeat) alone, so all depths of a repeat share haystack and needles.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.prompts.pools import CITIES, DECOYS, WORDS
from mta_eval.tasks.prompts.sources import TextSource
from mta_eval.tasks.toolkit import (
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

Kind = Literal["number", "word", "uuid"]
MOST = 20


@dataclass(frozen=True)
class Niah:
    """Multi-needle Needle-in-a-Haystack: which city has which magic number? (MTA paper, section 4.4)"""

    name: ClassVar[str] = "niah"

    needles: int = field(default=1, metadata={"help": "needles in the context, 1..20"})
    asked: int = field(default=1, metadata={"help": "how many keys the question asks for; the first is swept"})
    values: int = field(default=1, metadata={"help": "values (needles) of each asked key"})
    kind: Kind = field(
        default="number", metadata={"help": "city -> number (as in the paper), city -> word, uuid -> uuid"}
    )
    digits: int = field(default=7, metadata={"help": "digits of a magic number"})
    prompt: Literal["completion", "instruction", "chat"] = field(
        default="completion", metadata={"help": "end in the needle's stem, ask in words, or ask by chat template"}
    )
    haystack: str = field(default="prose", metadata={"help": "prose, noise, essays, file:PATH, dataset:NAME"})
    rule: str = field(
        default="auto", metadata={"help": "scoring rule; auto: first_word for one value, all_contained for several"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.needles <= MOST:
            raise SpecError(f"niah: needles must be 1 to {MOST}, not {self.needles}")
        if self.asked < 1 or self.values < 1:
            raise SpecError("niah: asked and values must be at least 1")
        if self.asked * self.values > self.needles:
            raise SpecError(
                f"niah: {self.asked} asked x {self.values} values makes {self.asked * self.values} needles, "
                f"but needles={self.needles}; raise needles"
            )
        if self.kind == "number" and not 2 <= self.digits <= 30:
            raise SpecError(f"niah: digits must be 2 to 30, not {self.digits}")
        if self.rule != "auto":
            object.__setattr__(self, "rule", find_rule(self.rule).name)

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The paper's windows."""
        return (2048, 4096)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        random = generator(seed, "niah", cell.repeat, draw_key(cell.length, 256 + 80 * self.needles))
        source = open_haystack(self.haystack, seed, tokenizer).source
        pairs = self._draw_pairs(random, source)
        asked_keys = list(dict.fromkeys(key for key, _ in pairs))[: self.asked]
        targets = tuple(value for key, value in pairs if key in asked_keys)
        choices = self._draw_choices(random, source, pairs)
        depths = [depth_of(cell, random), *(random.random() for _ in pairs[1:])]
        # the swept needle goes before others of its very depth at the start, behind them at the end
        order = sorted(range(len(pairs)), key=lambda index: (depths[index], (index == 0) == (depths[0] == 1)))
        drafts = [
            NeedleDraft(self._sentence(*pair), at, *pair, pair[0] in asked_keys)
            for pair, at in zip(pairs, depths, strict=True)
        ]
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=self._words(asked_keys),
            needles=[drafts[index] for index in order],
            targets=targets,
            rule=self._rule,
            haystack=self.haystack,
            swept=order.index(0),
            chat=self.prompt == "chat",
            max_new_tokens=answer_budget(tokenizer, ", ".join(targets), 8 if self.prompt == "completion" else 24),
            choices=choices,
            axes={"needles": self.needles},
            stop={"completion": ("\n", "."), "instruction": ("\n",), "chat": ()}[self.prompt],
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` asks for the exact first word where there is one value, else for all of them."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        if self.rule != "auto":
            return self.rule
        return "first_word" if self.asked * self.values == 1 and self.prompt == "completion" else "all_contained"

    def _draw_pairs(self, random: Random, source: TextSource) -> list[tuple[str, str]]:
        """(key, value) of every needle, the swept one first; no key or value twice, in another, or in the haystack."""
        keys: list[str] = []
        pairs: list[tuple[str, str]] = []
        used: list[str] = []
        for index in range(self.needles):
            fresh = index >= self.asked * self.values or index % self.values == 0
            if fresh:
                keys.append(draw(random, self._key, used, source))
                used.append(keys[-1])
            pairs.append((keys[-1], draw(random, self._value, used, source)))
            used.append(pairs[-1][1])
        return pairs

    def _draw_choices(self, random: Random, source: TextSource, pairs: list[tuple[str, str]]) -> tuple[str, ...]:
        """All values in the context, filled up with decoys, in random order; none where several values are asked."""
        if self.asked * self.values > 1:
            return ()
        choices = [value for _, value in pairs]
        while len(choices) < DECOYS:
            choices.append(draw(random, self._value, [*choices, *(key for key, _ in pairs)], source))
        random.shuffle(choices)
        return tuple(choices)

    def _key(self, random: Random) -> str:
        return str(uuid.UUID(int=random.getrandbits(128), version=4)) if self.kind == "uuid" else random.choice(CITIES)

    def _value(self, random: Random) -> str:
        if self.kind == "uuid":
            return str(uuid.UUID(int=random.getrandbits(128), version=4))
        if self.kind == "word":
            return random.choice(WORDS)
        return str(random.randrange(10 ** (self.digits - 1), 10**self.digits))

    @property
    def _noun(self) -> str:
        return {"number": "number", "word": "word", "uuid": "code"}[self.kind]

    def _sentence(self, key: str, value: str) -> str:
        return f"The magic {self._noun} of {key} is {value}."

    def _words(self, asked: list[str]) -> tuple[str, str]:
        """What stands before and after the context."""
        several = self.asked * self.values > 1
        noun = self._noun + "s" * several
        keys = " and ".join(", ".join(asked).rsplit(", ", 1))
        verb = "are" if several else "is"
        if self.prompt == "completion":
            return "", f"\n\nThe magic {noun} of {keys} {verb}"
        before = f"The following text hides some magic {self._noun}s. Read it and remember them.\n\n"
        after = f"\n\nQuestion: What {verb} the magic {noun} of {keys}? Answer with the {noun} alone."
        return before, after + ("" if self.prompt == "chat" else "\nAnswer:")

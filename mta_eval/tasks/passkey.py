"""Passkey retrieval, as Landmark Attention and LongHeads run it: one key on a line of its own in repeated noise.

    The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. …
    The pass key is 71432. Remember it. 71432 is the pass key.
    The grass is green. …
    What is the pass key? The pass key is -> 71432

Sources: Mohtashami and Jaggi 2023 (Landmark Attention), Lu et al. 2024 (LongHeads).

Baselines: copier and bag solve it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import ClassVar, Literal

from mta_eval.tasks.prompts.pools import DECOYS
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


@dataclass(frozen=True)
class Passkey:
    """Passkey retrieval: one number in repeated noise (Landmark Attention; LongHeads)."""

    name: ClassVar[str] = "passkey"

    digits: int = field(default=5, metadata={"help": "digits of the key"})
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end in the answer's stem, or ask by chat template"}
    )
    haystack: str = field(default="noise", metadata=HAYSTACK)
    rule: str = field(
        default="auto",
        metadata={"help": "scoring rule; auto: infinitebench_passkey, in chat form one_number"},
    )

    def __post_init__(self) -> None:
        if not 2 <= self.digits <= 30:
            raise SpecError(f"passkey: digits must be 2 to 30, not {self.digits}")
        if self.rule != "auto":
            name = find_rule(self.rule).name
            # one spec for one task: what auto stands for is called auto
            object.__setattr__(self, "rule", "auto" if name == replace(self, rule="auto")._rule else name)

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The first rungs of the LongHeads ladder."""
        return (2048, 4096)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        drawn = draw_key(cell.length, 512)
        random = generator(seed, "passkey", cell.repeat, drawn)
        source = open_haystack(self.haystack, seed, tokenizer).source
        keys: list[str] = []
        while len(keys) < DECOYS:
            keys.append(draw(random, self._draw_key, keys, source))
        key, choices = keys[0], sorted(keys)
        depth = depth_of(cell, random)
        text = f"The pass key is {key}. Remember it. {key} is the pass key."
        before = (
            "An important number is hidden in a lot of unimportant text. Find it and remember it. "
            "You will be asked about it at the end.\n\n"
        )
        after = "\nWhat is the pass key?" + (" The pass key is" if self.prompt == "completion" else "")
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=(before, after),
            needles=[NeedleDraft(text, depth, "pass key", key, own_line=True)],
            targets=(key,),
            rule=self._rule,
            haystack=self.haystack,
            chat=self.prompt == "chat",
            max_new_tokens=answer_budget(tokenizer, key, 4 if self.prompt == "completion" else 24),
            choices=tuple(choices),
            draw_name=f"passkey/{drawn}/{cell.repeat}",
        )

    def _draw_key(self, random: Random) -> str:
        return str(random.randrange(10 ** (self.digits - 1), 10**self.digits))

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` takes InfiniteBench's for completions, and reads numbers as people write them in a chat."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        if self.rule != "auto":
            return self.rule
        return "infinitebench_passkey" if self.prompt == "completion" else "one_number"

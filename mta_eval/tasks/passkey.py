"""Passkey retrieval, as Landmark Attention and LongHeads run it: one key on a line of its own in repeated noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal

from mta_eval import scoring
from mta_eval.core import Cell, Needle, Sample, Tokenizer, generator
from mta_eval.errors import SpecError
from mta_eval.registry import spec_of
from mta_eval.tasks.fitting import answer_budget, bury, draw_of, frame
from mta_eval.tasks.haystack import open_haystack
from mta_eval.tasks.layout import Insert
from mta_eval.tasks.pools import DECOYS, draw


@dataclass(frozen=True)
class Passkey:
    """Passkey retrieval: one number in repeated noise (Landmark Attention; LongHeads)."""

    name: ClassVar[str] = "passkey"

    digits: int = field(default=5, metadata={"help": "digits of the key"})
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end in the answer's stem, or ask by chat template"}
    )
    haystack: str = field(default="noise", metadata={"help": "noise, prose, essays, file:PATH, dataset:NAME"})
    rule: str = field(default="infinitebench_passkey", metadata={"help": "scoring rule"})

    def __post_init__(self) -> None:
        if not 2 <= self.digits <= 30:
            raise SpecError(f"passkey: digits must be 2 to 30, not {self.digits}")
        object.__setattr__(self, "rule", scoring.find(self.rule).name)

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The first rungs of the LongHeads ladder."""
        return (2048, 4096)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        random = generator(seed, "passkey", cell.repeat, draw_of(cell.length, 512))
        haystack = open_haystack(self.haystack, seed, tokenizer)
        start = haystack.source.start(seed, cell.length, cell.repeat)
        keys: list[str] = []
        while len(keys) < DECOYS:
            keys.append(draw(random, self._draw_key, keys, haystack.source))
        key, choices = keys[0], sorted(keys)
        depth = random.random() if cell.depth is None else cell.depth
        text = f"The pass key is {key}. Remember it. {key} is the pass key."
        before = (
            "An important number is hidden in a lot of unimportant text. Find it and remember it. "
            "You will be asked about it at the end.\n\n"
        )
        after = "\nWhat is the pass key?" + (" The pass key is" if self.prompt == "completion" else "")
        max_new_tokens = answer_budget(tokenizer, key, 4 if self.prompt == "completion" else 24)
        fitted = bury(
            haystack,
            start,
            frame(tokenizer, before, after, chat=self.prompt == "chat"),
            [Insert(text, depth, own_line=True)],
            cell.length,
            max_new_tokens,
            label=spec_of(self),
            pinned=0,
            depth=depth,
        )
        return Sample(
            id=f"{spec_of(self)}/{cell}",
            task=spec_of(self),
            prompt=fitted.prompt,
            targets=(key,),
            axes={"length": cell.length, "depth": cell.depth, "repeat": cell.repeat},
            length=cell.length or fitted.prompt_tokens + max_new_tokens,
            prompt_tokens=fitted.prompt_tokens,
            max_new_tokens=max_new_tokens,
            choices=tuple(choices),
            needles=(Needle("pass key", key, text, *fitted.spans[0], round(fitted.depths[0], 6), asked=True),),
            chat=fitted.chat,
            stop=() if self.prompt == "chat" else ("\n", "."),
            target_delimiter="" if self.prompt == "chat" else " ",
        )

    def _draw_key(self, random: Random) -> str:
        return str(random.randrange(10 ** (self.digits - 1), 10**self.digits))

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`."""
        return scoring.find(self.rule).score(sample, output)

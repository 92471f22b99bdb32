"""RULER's needles (Hsieh et al. 2024), by the names of its eight tasks, in its wording.

    A special magic number is hidden within the following text. Make sure to memorize it. …
    … One of the special magic numbers for amber-otter is: 4071842. …
    What is the special magic number for amber-otter mentioned in the provided text? The special magic number for
    amber-otter mentioned in the provided text is -> 4071842

The first needle that is asked for begins at the depth of the cell, the others at random depths. In multikey_2 and
multikey_3 the text is needles and nothing else, a line each.

Baselines: none solves single_1, multikey_1 and multikey_2.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import ClassVar, Literal, NamedTuple

from mta_eval.tasks.lists import ListAnswer, ListContext, ListedNeedle, build_list_sample, rule_or_auto
from mta_eval.tasks.prompts.items import place_at
from mta_eval.tasks.prompts.sources import TextSource
from mta_eval.tasks.prompts.word_pairs import word_pair
from mta_eval.tasks.ruler.noise_lines import NoiseLines, open_noise_lines
from mta_eval.tasks.ruler.templates import NEEDLE, NEEDLES, ONE_NEEDLE
from mta_eval.tasks.toolkit import (
    Cell,
    NeedleDraft,
    Sample,
    SpecError,
    Tokenizer,
    build_sample,
    depth_of,
    draw,
    draw_key,
    find_rule,
    generator,
    open_haystack,
    order_of_needles,
)

Variant = Literal[
    "single_1", "single_2", "single_3", "multikey_1", "multikey_2", "multikey_3", "multivalue", "multiquery"
]
ROOMY = 640  # tokens that hold any draw of needles, the question and the answer
NEEDLE_LINES = "needles"


class Form(NamedTuple):
    """The published parameters of one variant (scripts/synthetic.yaml)."""

    haystack: str
    keys: str = "words"
    values: str = "numbers"
    keys_count: int = 1
    values_count: int = 1
    queries: int = 1


FORMS: dict[str, Form] = {
    "single_1": Form("noise"),
    "single_2": Form("essays"),
    "single_3": Form("essays", values="uuids"),
    "multikey_1": Form("essays", keys_count=4),
    "multikey_2": Form(NEEDLE_LINES),
    "multikey_3": Form(NEEDLE_LINES, keys="uuids", values="uuids"),
    "multivalue": Form("essays", values_count=4),
    "multiquery": Form("essays", keys_count=4, queries=4),
}


@dataclass(frozen=True)
class RulerNiah:
    """RULER's needles in a haystack: single_1 to 3, multikey_1 to 3, multivalue, multiquery, in its wording."""

    name: ClassVar[str] = "ruler_niah"

    variant: Variant = field(metadata={"help": "which of RULER's eight tasks"})
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end where the answer begins, or ask by chat template"}
    )
    haystack: str = field(
        default="auto",
        metadata={
            "help": "noise, prose, essays, file:PATH, dataset:NAME; auto: noise for single_1, needles for multikey_2 "
            "and 3, else essays"
        },
    )
    rule: str = field(default="auto", metadata={"help": "scoring rule; auto: ruler_all"})

    def __post_init__(self) -> None:
        if self.variant not in FORMS:
            raise SpecError(f"ruler_niah: there is no {self.variant!r}, only {', '.join(FORMS)}")
        published = FORMS[self.variant].haystack
        if published == NEEDLE_LINES and self.haystack != "auto":
            raise SpecError(f"ruler_niah: the text of {self.variant} is needles alone; leave haystack= out")
        if self.haystack == published:
            object.__setattr__(self, "haystack", "auto")
        object.__setattr__(self, "rule", rule_or_auto(self.rule, "ruler_all"))

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The first rungs of RULER's ladder."""
        return (4096, 8192)

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        form = self._form
        key = draw_key(cell.length, ROOMY)
        # variants of the same kinds of keys and values begin with the same draw
        random = generator(seed, "ruler_niah", form.keys, form.values, cell.repeat, key)
        if form.haystack == NEEDLE_LINES:
            return self._among_needles(cell, random, tokenizer, self._draw_name(key, cell))
        on_lines = form.haystack == "noise"
        haystack = open_noise_lines(tokenizer) if on_lines else open_haystack(form.haystack, seed, tokenizer)
        pairs = self._draw(random, haystack.source)
        queries = list(dict.fromkeys(key for key, _ in pairs))[: form.queries]
        asked = [pair for pair in pairs if pair[0] in queries]
        depths = [depth_of(cell, random), *(random.random() for _ in pairs[1:])]
        order = order_of_needles(depths)
        words, prefix = self._words(queries)
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=words,
            answer_prefix=prefix,
            needles=[self._needle(pairs[index], depths[index], pairs[index] in asked, on_lines) for index in order],
            targets=tuple(value for _, value in asked),
            rule=self._rule,
            haystack=haystack,
            swept=order.index(0),
            chat=self.prompt == "chat",
            max_new_tokens=NEEDLES.tokens,
            axes=self._axes,
            stop=(),
            draw_name=self._draw_name(key, cell),
        )

    def score(self, sample: Sample, output: str) -> float:
        """By `rule`; `auto` is the share of the values that are named."""
        return find_rule(self._rule).score(sample, output)

    @property
    def _rule(self) -> str:
        return "ruler_all" if self.rule == "auto" else self.rule

    @property
    def _form(self) -> Form:
        form = FORMS[self.variant]
        return form if self.haystack == "auto" else form._replace(haystack=self.haystack)

    @property
    def _axes(self) -> dict[str, int | str]:
        form = self._form
        return {"variant": self.variant, "keys": form.keys_count, "values": form.values_count, "queries": form.queries}

    def _draw_name(self, key: int, cell: Cell) -> str:
        return f"ruler_niah:{self._form.keys},{self._form.values}/{key}/{cell.repeat}"

    def _draw(self, random: Random, source: TextSource) -> list[tuple[str, str]]:
        """(key, value) of every needle, the swept one first; none in another one or in the text."""
        form, used, pairs = self._form, list[str](), list[tuple[str, str]]()
        for _ in range(form.keys_count):
            key = draw(random, _MAKERS[form.keys], used, source)
            used.append(key)
            for _ in range(form.values_count):
                pairs.append((key, draw(random, _MAKERS[form.values], used, source)))
                used.append(pairs[-1][1])
        return pairs

    def _needle(self, pair: tuple[str, str], depth: float, asked: bool, own_line: bool) -> NeedleDraft:
        return NeedleDraft(self._say(pair), depth, *pair, asked=asked, own_line=own_line)

    def _say(self, pair: tuple[str, str]) -> str:
        return NEEDLE.format(kind=self._form.values, key=pair[0], value=pair[1])

    def _words(self, queries: list[str]) -> tuple[tuple[str, str], str]:
        form = self._form
        if form.queries * form.values_count == 1:
            return ONE_NEEDLE.words(kind=form.values.removesuffix("s"), query=queries[0])
        query = ", ".join(queries[:-1]) + ", and " + queries[-1] if len(queries) > 1 else queries[0]
        return NEEDLES.words(kind=form.values, query=query)

    def _among_needles(self, cell: Cell, random: Random, tokenizer: Tokenizer, draw_name: str) -> Sample:
        form, depth = self._form, depth_of(cell, random)
        ((key, value),) = self._draw(random, NoiseLines())
        others = Random(random.getrandbits(64))
        lines: list[str] = []

        def line() -> str:
            while True:  # the key of the question and its value are of one needle alone
                pair = _MAKERS[form.keys](others), _MAKERS[form.values](others)
                if pair[0] != key and pair[1] != value:
                    return self._say(pair)

        def lay(count: int) -> ListContext:
            while len(lines) < count:
                lines.append(line())
            place = place_at(depth, [len(text) + 1 for text in lines[:count]])
            target = self._needle((key, value), depth, True, True)
            shown = [*lines[:place], target.text, *lines[place:count]]
            start = list(accumulate((len(text) + 1 for text in lines[:place]), initial=0))[-1]
            return ListContext("\n".join(shown), [ListedNeedle(target, start)], (("lines", len(shown)),))

        words, prefix = self._words([key])
        return build_list_sample(
            self,
            cell,
            tokenizer,
            lay,
            ListAnswer((value,), self._rule, NEEDLES.tokens, fixed=True, stop=()),
            words=words,
            answer_prefix=prefix,
            chat=self.prompt == "chat",
            axes=self._axes,
            draw_name=draw_name,
        )


def _number_of(random: Random) -> str:
    return str(random.randrange(10**6, 10**7))


def _uuid_of(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


_MAKERS = {"words": word_pair, "numbers": _number_of, "uuids": _uuid_of}

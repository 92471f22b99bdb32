"""Fitting: needles inserted at their depths, and a prompt that fills its length to the token.

A prompt is a template (instruction, question, chat template) around a context of whole haystack sentences with inserts
between them. Whole sentences rarely add up, so the last one is shortened until the prompt fills the budget.
`layout.py` says what stands where, `counting.py` how many tokens that is. The spliced count is audited against the
whole one for the first prompt of every haystack, the 4th, the 16th and so on.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import log

from mta_eval.core import Message, Tokenizer
from mta_eval.errors import LengthError
from mta_eval.tasks.prompts.counting import Counter, FillerRun, NotLocalError, Piece, Pieces
from mta_eval.tasks.prompts.haystack import Haystack
from mta_eval.tasks.prompts.layout import Layout, NeedlePlacement
from mta_eval.tasks.prompts.template import PromptTemplate
from mta_eval.tasks.prompts.units import full_stop, grapheme_ends, is_line, word_ends

SLACK = 4  # tokens that a prompt may stay under its length
UNITS_TRIED = 64  # sentences looked at for one with a beginning of the right size
LONGEST_GAP = 200  # characters looked at between two words


@dataclass(frozen=True)
class Fitted:
    """A finished prompt. `spans` and `depths` belong to the inserts in the order they stand, `order` tells which."""

    prompt: str
    prompt_tokens: int
    order: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    depths: tuple[float, ...]
    chat: tuple[Message, ...] | None


def answer_budget(tokenizer: Tokenizer, answer: str, slack: int) -> int:
    """max_new_tokens: `answer_tokens` of the settings, else the tokens of the answer and `slack` more."""
    return tokenizer.prompt_settings.answer_tokens or len(tokenizer.encode(" " + answer).ids) + slack


def draw_key(length: int, roomy: int) -> int:
    """Which draw of needles a length gets: its own if `roomy` tokens hold any draw, else that of all short lengths.

    So lengths are independent samples, and yet what fits one short length fits every longer one.
    """
    return length if length >= roomy else 0


def insert_needles(
    haystack: Haystack,
    start: int,
    template: PromptTemplate,
    inserts: Sequence[NeedlePlacement],
    length: int,
    max_new_tokens: int,
    thinking_tokens: int = 0,
    *,
    label: str,
    swept_needle: int | None = None,
    depth: float | None = None,
    keep_order: bool = False,
) -> Fitted:
    """Put `inserts` (sorted by depth) between the sentences of `haystack` from unit `start` on.

    The insert number `swept_needle` begins at `depth` of the context, within half a sentence; the others are placed
    near their own depths on its two sides. Unless `keep_order`, neighbours that overlap its place are moved behind it.
    The prompt fills `length` but for the answer's `max_new_tokens` and the `thinking_tokens` of a thought before it;
    length 0 means no haystack at all.
    Raises LengthError, naming the length this sample of `label` needs, if the inserts alone do not fit.
    """
    fitter = _Fitter(haystack, start, template, inserts)
    bare = fitter.layout.pieces(start, None)
    if not length:
        return fitter.finish(bare)
    budget = length - max_new_tokens - thinking_tokens
    least = length - budget + fitter.counter.measure(bare)[0]
    if least > length:
        thought = f", {thinking_tokens} of them for a thought (--thinking-tokens)" if thinking_tokens else ""
        raise LengthError(
            f"{label} does not fit length {length}: this sample needs {least} tokens in this tokenizer{thought}"
        )
    fitter.aim(budget, swept_needle, depth, keep_order)
    try:
        return fitter.fit(budget)
    except NotLocalError:
        haystack.splice_safe = False
        return fitter.fit(budget)


class _Fitter:
    """One prompt in the making."""

    def __init__(
        self, haystack: Haystack, start: int, template: PromptTemplate, inserts: Sequence[NeedlePlacement]
    ) -> None:
        self.haystack, self.start, self.template = haystack, start, template
        self.counter = Counter(haystack, template.specials(haystack.tokenizer))
        point = self.counter.size("A.")
        sizes = [self.counter.size("A. " + insert.text) - point for insert in inserts]
        self.layout = Layout(haystack, start, (template.before, template.after), inserts, sizes)

    def aim(self, budget: int, swept_needle: int | None, depth: float | None, keep_order: bool) -> None:
        """Place the inserts for a prompt of `budget` tokens."""
        template = self.counter.size(self.template.before) + self.counter.size(self.template.after)
        self.layout.aim(budget - template - sum(self.counter.specials), swept_needle, depth, keep_order)

    def fit(self, budget: int) -> Fitted:
        """The longest context that fits: whole sentences first, then a shortened one."""
        if self.haystack.splice_safe:
            return self.finish(self._choose(budget))
        self.counter.bias = bias = 0
        for _ in range(4):  # a spliced count is off by much the same everywhere: learn by how much
            pieces = self._choose(budget)
            count = self.counter.whole(pieces)[0]
            if budget - SLACK <= count <= budget:
                return self.finish(pieces)
            self.counter.bias = bias = bias + count - self.counter.measure(pieces)[0]
        self.counter.bias = None
        return self.finish(self._choose(budget))

    def _choose(self, budget: int) -> Pieces:
        @cache
        def slack_tokens(end: int, fragment: str | None) -> int:
            return budget - self.counter.measure(self.layout.pieces(end, fragment))[0]

        end = self.haystack.end_within(self.start, self.layout.filler_tokens)
        while end > self.start and slack_tokens(end, None) < 0:
            end -= 1
        while slack_tokens(end + 1, None) >= 0:
            end += 1
        if slack_tokens(end, None) <= SLACK:
            return self.layout.pieces(end, None)
        # one unit less where not even a character and its stop fit; a family emoji may be longer than SLACK
        for whole, last in ((True, end), (True, max(end - 1, self.start)), (False, end)):
            for unit in range(last, last + UNITS_TRIED):
                if fragment := _beginning(self.haystack.unit(unit), partial(slack_tokens, last), whole):
                    return self.layout.pieces(last, fragment)
        raise LengthError(f"the haystack has no text that fills a prompt of {budget} tokens; take another haystack")

    def finish(self, pieces: Pieces) -> Fitted:
        """The prompt of `pieces`, audited now and then. Raises NotLocalError when the audit fails."""
        haystack = self.haystack
        count, spans = self.counter.spliced(pieces) if haystack.splice_safe else self.counter.whole(pieces)
        if haystack.splice_safe and any(isinstance(piece, FillerRun) for piece in pieces):
            haystack.audits += 1
            if _is_power_of_four(haystack.audits) and self.counter.whole(pieces) != (count, spans):
                raise NotLocalError
        texts = [piece.text if isinstance(piece, Piece) else haystack.text(*piece) for piece in pieces]
        first = self.counter.specials[0] + self.counter.size(self.template.before)
        last = count - self.counter.specials[1] - self.counter.size(self.template.after)
        depths = [min(max((start - first) / max(last - first - (end - start), 1), 0.0), 1.0) for start, end in spans]
        return Fitted(
            prompt="".join(texts),
            prompt_tokens=count,
            order=tuple(self.layout.order),
            spans=tuple(spans),
            depths=tuple(depths),
            chat=self.template.messages("".join(texts[1:-1])),
        )


def _beginning(unit: str, slack_tokens: Callable[[str], int], whole: bool) -> str | None:
    """The longest beginning of `unit` that fits, closed with a full stop; cut at a word's end if that is enough.

    `slack_tokens` tells how many tokens a fragment leaves of the prompt's budget; `whole` is whether only whole
    grapheme clusters are taken. None if no beginning fills the budget.
    """
    text, stop = unit.strip("\n" if is_line(unit) else None), full_stop(unit)
    cuts = grapheme_ends(text) if whole else range(1, len(text) + 1)
    words = [end for end in word_ends(text) if end in cuts]
    best = _last_that_fits(words, lambda cut: slack_tokens(_close(text[:cut], stop)))
    if best and slack_tokens(_close(text[:best], stop)) <= SLACK:
        return _close(text[:best], stop)
    last = next((word for word in words if word > best), len(text))
    for cut in range(min(last, best + LONGEST_GAP), max(best, 1) - 1, -1):
        for fragment in (_close(text[:cut], stop), text[:cut] + stop) if cut in cuts else ():
            if fragment and 0 <= slack_tokens(fragment) <= SLACK:
                return fragment
    return None


def _close(text: str, stop: str) -> str:
    """A shortened sentence with a full stop instead of the signs it was cut at."""
    return re.sub(r"[\s,;:.!?–—，、；：。！？।॥،؛؟۔-]+$", "", text) + stop


def _last_that_fits(cuts: list[int], slack_tokens: Callable[[int], int]) -> int:
    """The last of ascending `cuts` that leaves slack_tokens >= 0; 0 if none does."""
    return cuts[index - 1] if (index := bisect_left(cuts, True, key=lambda cut: slack_tokens(cut) < 0)) else 0


def _is_power_of_four(number: int) -> bool:
    return number > 0 and 4 ** round(log(number, 4)) == number

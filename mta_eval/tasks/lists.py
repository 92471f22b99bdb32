"""Samples whose context is a list of items and nothing else: as many whole items as leave room for the answer.

What tokens are left over, fewer than one more item has, go to the answer's budget; they stay unused where the budget
is a published one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from mta_eval.core import Axes, Cell, Needle, Sample, Task, Tokenizer
from mta_eval.errors import LengthError, SpecError
from mta_eval.registry import spec_of
from mta_eval.scoring import find as find_rule
from mta_eval.tasks.prompts.counting import token_span
from mta_eval.tasks.prompts.items import most_items, place_at
from mta_eval.tasks.toolkit import NeedleDraft, begun_template

SHORT = 64  # tokens that a list of all items may lack


class ListedNeedle(NamedTuple):
    """A needle of a list, and at which character of the context its text begins."""

    draft: NeedleDraft
    start: int


class ListContext(NamedTuple):
    """The context that so many items make, its needles in order, and what it adds to the axes."""

    text: str
    needles: Sequence[ListedNeedle] = ()
    axes: tuple[tuple[str, int], ...] = ()


def lines_among(needles: Sequence[tuple[NeedleDraft, float]], lines: Sequence[str]) -> tuple[str, list[ListedNeedle]]:
    """`lines` with needles on lines of their own between them, each at its depth from 0 to 1; and those needles.

    Of needles in one place those given first stand first.
    """
    sizes = [len(line) + 1 for line in lines]
    before: dict[int, list[NeedleDraft]] = defaultdict(list)
    for draft, depth in needles:
        before[place_at(depth, sizes)].append(draft)
    text, listed = "", []
    for place in range(len(lines) + 1):
        for draft in before.get(place, ()):
            listed.append(ListedNeedle(draft, len(text)))
            text += draft.text + "\n"
        text += "".join(f"{line}\n" for line in lines[place : place + 1])
    return text[:-1], listed


class ListAnswer(NamedTuple):
    """What is to be answered: `budget` is its tokens, exactly so many if `fixed`."""

    targets: tuple[str, ...]
    rule: str
    budget: int
    fixed: bool
    stop: tuple[str, ...]


def build_list_sample(
    task: Task,
    cell: Cell,
    tokenizer: Tokenizer,
    lay: Callable[[int], ListContext],
    answer: ListAnswer,
    *,
    words: tuple[str, str],
    answer_prefix: str = "",
    chat: bool = False,
    least: int = 1,
    most: int | None = None,
    axes: Axes | None = None,
    choices: tuple[str, ...] = (),
    draw_name: str,
) -> Sample:
    """A finished sample of the most items that fit; `lay(count)` makes their context. Length 0 is the `least` items.

    Raises LengthError if the least do not fit or there are no more than `most`, SpecError if the rule cannot score it.
    """
    label = spec_of(task)
    template, settings = begun_template(tokenizer, words, chat, answer_prefix)
    budget = settings.answer_tokens or answer.budget
    specials = template.specials(tokenizer)

    def spans_of(context: ListContext) -> list[tuple[int, int]]:
        return tokenizer.encode(template.before + context.text + template.after).spans

    @cache
    def tokens(count: int) -> int:
        return len(spans_of(lay(count))) + sum(specials)

    count, reserved = least, budget + settings.thinking_tokens
    if cell.length:
        if (needed := tokens(least) + reserved) > cell.length:
            raise LengthError(
                f"{label} does not fit length {cell.length}: this sample needs {needed} tokens in this tokenizer"
            )
        count = most_items(tokens, cell.length - reserved, least, most)
    context = lay(count)
    spans = spans_of(context)
    prompt_tokens = len(spans) + sum(specials)
    if count == most and prompt_tokens + reserved < cell.length - SHORT:
        raise LengthError(
            f"{label} has items for {prompt_tokens + reserved} tokens in this tokenizer, not for length {cell.length}"
        )
    left = cell.length - prompt_tokens - reserved if cell.length and not answer.fixed else 0
    sample = Sample(
        id=f"{label}/{cell}",
        task=label,
        prompt=template.before + context.text + template.after,
        targets=answer.targets,
        axes={"length": cell.length, "depth": cell.depth, "repeat": cell.repeat}
        | dict(axes or {})
        | dict(context.axes),
        length=cell.length or prompt_tokens + reserved,
        prompt_tokens=prompt_tokens,
        max_new_tokens=budget + left,
        choices=choices,
        needles=tuple(_needles(context, spans, len(template.before), specials[0])),
        chat=template.messages(context.text),
        stop=() if chat else answer.stop,
        target_delimiter="" if chat else " ",
        settings=settings,
        draw=draw_name,
    )
    find_rule(answer.rule).check(sample)
    return sample


def _needles(context: ListContext, spans: Sequence[tuple[int, int]], first: int, shift: int) -> list[Needle]:
    begin, end = token_span(list(spans), (first, first + len(context.text)))
    made = []
    for draft, start in context.needles:
        place = token_span(list(spans), (first + start, first + start + len(draft.text)))
        depth = (place[0] - begin) / max(end - begin - (place[1] - place[0]), 1)
        made.append(
            Needle(
                draft.key,
                draft.value,
                draft.text,
                shift + place[0],
                shift + place[1],
                round(min(max(depth, 0.0), 1.0), 6),
                draft.asked,
            )
        )
    return made


def first_items(items: Sequence[str], separator: str) -> ListedNeedle:
    """Where a list begins: its first items, as many as no other place of it repeats. In sight only with the whole list.

    That is the one place of a list in which everything counts.
    """
    text = separator.join(items)
    beginnings = (separator.join(items[:count]) for count in range(1, len(items)))
    beginning = next((found for found in beginnings if text.count(found) == 1), text)
    return ListedNeedle(NeedleDraft(beginning, 0.0, "the list's beginning"), 0)


def refuse_depth(task: Task, cell: Cell) -> None:
    """Raises SpecError for a cell with a depth, of which a list that has to be read whole has none."""
    if cell.depth is not None:
        raise SpecError(f"{task.name}: the whole list has to be read, so it has no depths; run it with --depths any")


def rule_or_auto(rule: str, auto: str) -> str:
    """The shortest name of a rule as an option: what auto stands for is auto. Raises SpecError if there is none."""
    if rule == "auto":
        return rule
    name = find_rule(rule).name
    return "auto" if name == auto else name

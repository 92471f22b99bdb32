"""Moved to `mta_eval.tasks.prompts`, with new names: `insert_needles`, `prompt_template`; this path goes in 0.3."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from mta_eval.core import Tokenizer
from mta_eval.deprecation import moved
from mta_eval.tasks.prompts.fitting import Fitted, insert_needles
from mta_eval.tasks.prompts.haystack import Haystack
from mta_eval.tasks.prompts.layout import NeedlePlacement
from mta_eval.tasks.prompts.template import PromptTemplate, prompt_template

__getattr__ = moved(__name__, "mta_eval.tasks.prompts.fitting")


def bury(
    haystack: Haystack,
    start: int,
    template: PromptTemplate,
    inserts: Sequence[NeedlePlacement],
    length: int,
    max_new_tokens: int,
    *,
    label: str,
    pinned: int | None = None,
    depth: float | None = None,
    keep_order: bool = False,
) -> Fitted:
    """The old name of `insert_needles`, whose `swept_needle` was `pinned`."""
    _warn("bury", "prompts.fitting.insert_needles")
    return insert_needles(
        haystack,
        start,
        template,
        inserts,
        length,
        max_new_tokens,
        label=label,
        swept_needle=pinned,
        depth=depth,
        keep_order=keep_order,
    )


def frame(tokenizer: Tokenizer, before: str, after: str, chat: bool) -> PromptTemplate:
    """The old name of `prompt_template`."""
    _warn("frame", "prompts.template.prompt_template")
    return prompt_template(tokenizer, before, after, chat)


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{__name__}.{old} is mta_eval.tasks.{new} now", DeprecationWarning, stacklevel=3)

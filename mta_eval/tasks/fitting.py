"""Moved to `mta_eval.tasks.prompts`, with new names: `insert_needles`, `prompt_template`; this path goes in 0.3."""

from __future__ import annotations

import warnings
from typing import Any

from mta_eval.deprecation import moved
from mta_eval.tasks.prompts.fitting import Fitted, insert_needles
from mta_eval.tasks.prompts.template import PromptTemplate, prompt_template

__getattr__ = moved(__name__, "mta_eval.tasks.prompts.fitting")


def bury(*arguments: Any, pinned: int | None = None, **options: Any) -> Fitted:
    """The old name of `insert_needles`, whose `swept_needle` was `pinned`."""
    _warn("bury", "prompts.fitting.insert_needles")
    return insert_needles(*arguments, swept_needle=pinned, **options)


def frame(*arguments: Any, **options: Any) -> PromptTemplate:
    """The old name of `prompt_template`."""
    _warn("frame", "prompts.template.prompt_template")
    return prompt_template(*arguments, **options)


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{__name__}.{old} is mta_eval.tasks.{new} now", DeprecationWarning, stacklevel=3)

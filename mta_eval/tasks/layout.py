"""Moved to `mta_eval.tasks.prompts.layout`; this path goes in 0.3."""

from __future__ import annotations

from mta_eval.deprecation import moved

__getattr__ = moved(__name__, "mta_eval.tasks.prompts.layout", {"Insert": "NeedlePlacement"})

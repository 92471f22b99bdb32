"""Imports of a package made relative; every other line of a source stays as it is."""

from mta_eval.models.checkpoints.relative_imports import imports_in, with_relative_imports

SOURCE = '''\
"""import ours.a, says the text."""

from __future__ import annotations

import torch
from ours import a, b as c
from ours.a import (
    one,
    two as three,
)
from others import thing
import triton.language as tl

def f():
    from ours.b import four  # late
    from peft import LoraConfig
    return four
'''
RESULT = '''\
"""import ours.a, says the text."""

from __future__ import annotations

import torch
from . import mta_a as a
from .mta_a import __name__ as _a
from . import mta_b as c
from .mta_b import __name__ as _c
from .mta_a import one, two as three
from others import thing
try:
    import triton.language as tl
finally:
    pass

def f():
    from .mta_b import four
    try:
        from peft import LoraConfig
    finally:
        pass
    return four
'''


def new_name(module: str) -> str | None:
    return {"ours.a": "mta_a", "ours.b": "mta_b"}.get(module)


def test_imports_are_made_relative_where_they_stand() -> None:
    assert with_relative_imports(SOURCE, new_name) == RESULT


def test_imports_are_found_in_order_wherever_they_stand() -> None:
    assert [node.lineno for node in imports_in(SOURCE)] == [3, 5, 6, 7, 11, 12, 15, 16]

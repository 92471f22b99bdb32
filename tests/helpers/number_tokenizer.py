"""A tokenizer whose texts are token ids, samples of such texts, and tiny models that read them."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import MAKERS, build

from mta_eval.core import Sample
from mta_eval.models.inference.torch_model import TorchModel

every_kind = pytest.mark.parametrize("kind", MAKERS)


class Numbers:
    """A tokenizer whose texts are numbers, each with a space before it."""

    def prompt_ids(self, prompt: str, plain: bool) -> list[int]:
        assert plain
        return [int(part) for part in prompt.split()]

    turn_end = None
    thought_formats = ()

    def decode_all(self, ids: list[int]) -> str:
        return self.decode(ids)

    def decode(self, ids: list[int]) -> str:
        return "".join(f" {token}" for token in ids)


def ask_for(ids: list[int], most: int = 6, stop: tuple[str, ...] = ()) -> Sample:
    return Sample(str(ids), "t", Numbers().decode(ids), (), {}, 0, len(ids), most, stop=stop)


def model(kind: str = "llama", reuse: bool = True, ends: frozenset[int] = frozenset()) -> TorchModel:
    tokenizer: Any = Numbers()
    return TorchModel(build(kind), tokenizer, set(ends), reuse)

"""Every end token that a checkpoint names anywhere ends an answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import GenerationConfig, LlamaConfig

from mta_eval.errors import ModelError
from mta_eval.models.end_tokens import end_tokens_of, end_tokens_of_checkpoint
from mta_eval.models.hf import HuggingFace


@pytest.mark.parametrize(
    ("generation", "config", "tokenizer", "union"),
    [
        (1, 2, 3, {1, 2, 3}),
        ([1, 4], None, 3, {1, 3, 4}),
        (None, [2], None, {2}),
        (None, None, None, set()),
    ],
)
def test_they_are_the_union_of_all_three(generation: Any, config: Any, tokenizer: Any, union: set[int]) -> None:
    owner: Any = SimpleNamespace(eos_token_id=tokenizer)
    generation_config = GenerationConfig(eos_token_id=generation)
    assert end_tokens_of(generation_config, LlamaConfig(eos_token_id=config), owner) == union
    assert end_tokens_of(None, LlamaConfig(eos_token_id=config), None) == end_tokens_of(
        GenerationConfig(), LlamaConfig(eos_token_id=config), None
    )


def test_a_checkpoint_tells_them_without_being_loaded(llama_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(llama_folder, tmp_path / "copy")
    (copy / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 8]}))
    model = HuggingFace(str(copy), device="cpu")
    own = {model.config.eos_token_id, model.tokenizer.owner.eos_token_id}  # type: ignore[union-attr]
    expected = {7, 8} | own
    assert end_tokens_of_checkpoint(copy, model.config, model.tokenizer.owner) == expected
    assert model._loaded._end_tokens == expected
    (copy / "generation_config.json").write_text("{bad")
    with pytest.raises(ModelError, match=r"cannot read .*generation_config.json.*; mend it or remove it"):
        end_tokens_of_checkpoint(copy, model.config, model.tokenizer.owner)
    (copy / "generation_config.json").unlink()
    assert end_tokens_of_checkpoint(copy, model.config, model.tokenizer.owner) == own

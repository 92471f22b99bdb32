"""Variants as others write them, one file each, following docs/extending/attention.md."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mta_eval import registry
from mta_eval.errors import ModelError
from mta_eval.tunnel.models import new_model
from mta_eval.tunnel.presets import ModelSize
from mta_eval.tunnel.variant_check import check_variant
from mta_eval.tunnel.variants import find_variant

HELPERS = Path(__file__).parents[1] / "helpers"
FILES = [HELPERS / "plugin_package/alibi.py", *sorted((HELPERS / "one_file_variants").glob("*.py"))]
SIZE = ModelSize(layers=2, width=16, heads=2, hidden=16)
TASK = registry.build_diagnostic("needles:length=40")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ADDED, "attention", {})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_sound_and_says_the_same_with_a_cache(file: Path) -> None:
    variant = find_variant(str(file))
    assert check_variant(variant, TASK, SIZE) == []
    model = new_model(variant, TASK, SIZE, 0).eval()
    tokens = torch.tensor([TASK.row("test", 0, 0)])
    with torch.no_grad():
        whole = model(tokens).logits
        first = model(tokens[:, :20], use_cache=True)
        rest = model(tokens[:, 20:], past_key_values=first.past_key_values).logits
    assert torch.allclose(whole[:, 20:], rest, atol=1e-5)


def test_a_windows_size_is_an_option_that_is_checked() -> None:
    file = HELPERS / "one_file_variants/sliding_window.py"
    assert new_model(find_variant(f"{file}:window=3"), TASK, SIZE, 0).config.window == 3
    with pytest.raises(ModelError, match="window is a number of tokens from 1 on, not 0"):
        new_model(find_variant(f"{file}:window=0"), TASK, SIZE, 0)

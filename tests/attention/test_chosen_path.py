"""Which computation "auto" picks, with a card that is not there, and what run.json says of it."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_variants import ALIBI, VARIANTS, build

from mta_eval import registry
from mta_eval.attention import fused, paths
from mta_eval.attention.chosen_path import QueriesToCome, attention_path
from mta_eval.attention.configuration import preset
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.paths import attend_document, why_not_fused
from mta_eval.core import Sweep
from mta_eval.errors import ModelError, SpecError

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
CARD = QueriesToCome(is_cuda=True, dtype=torch.bfloat16, shape=(1, 2, 40, 64))
HERE = CARD._replace(is_cuda=False)
KERNEL, MIX = torch.ones(2, 3, 3), torch.ones(1, 2, 2)
MIXED_BEFORE = "row tiles (heads mixed before softmax need all heads of a tile at once)"


class OnACard(torch.Tensor):
    """A tensor that says it lies on a CUDA device."""

    is_cuda = True


@pytest.fixture(autouse=True)
def alibi(plugin: Any) -> None:
    plugin(*ALIBI)


@needs_triton
@pytest.mark.parametrize(
    ("queries", "kernels", "count", "dropout", "reason"),
    [
        (CARD, Kernels(KERNEL), 40, 0.0, None),
        (CARD, Kernels(KERNEL), 40, 0.1, None),
        (CARD, Kernels(KERNEL, mix_after=MIX), 40, 0.0, None),
        (CARD, Kernels(KERNEL, mix_after=MIX), 40, 0.1, "dropout"),
        (CARD, Kernels(KERNEL, MIX), 40, 0.0, "mixed before softmax"),
        (CARD, Kernels(convolve_after=KERNEL), 40, 0.0, "convolved after softmax"),
        (CARD, Kernels(KERNEL), 1, 0.0, "one query"),
        (CARD._replace(shape=(1, 2, 40, 288)), Kernels(KERNEL), 40, 0.0, "heads of 288"),
        (CARD._replace(dtype=torch.float64), Kernels(KERNEL), 40, 0.0, "float64"),
        (HERE, Kernels(KERNEL), 40, 0.0, "no CUDA device"),
    ],
)
def test_auto_is_fused_on_a_card_where_there_is_a_form(
    queries: QueriesToCome, kernels: Kernels, count: int, dropout: float, reason: str | None
) -> None:
    found = why_not_fused(queries, queries, kernels, count, dropout)
    assert (found is None) if reason is None else (reason in (found or ""))


def test_without_triton_a_card_gets_row_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "available", lambda _: False)
    assert why_not_fused(CARD, CARD, Kernels(KERNEL), 40) == "Triton is not installed"


@needs_triton
@pytest.mark.parametrize(
    ("kernels", "queries", "path", "fuses"),
    [
        (Kernels(KERNEL), 9, "auto", "fused_attention"),
        (Kernels(KERNEL), 1, "auto", "decode_attention"),
        (Kernels(KERNEL), 9, "tiles", None),
        (Kernels(KERNEL), 1, "tiles", None),
        (Kernels(KERNEL), 9, "definition", None),
        (Kernels(KERNEL, MIX), 9, "auto", None),
        (Kernels(KERNEL, MIX), 1, "auto", None),
        (Kernels(), 9, "auto", None),
    ],
)
def test_what_is_picked_is_what_computes(
    kernels: Kernels, queries: int, path: Any, fuses: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []

    def record(q: torch.Tensor, _k: torch.Tensor, v: torch.Tensor, kernel: torch.Tensor, **options: Any) -> Any:
        calls.append({"name": "fused_attention", "kernel": kernel, **options})
        return q.new_zeros(*q.shape[:3], v.shape[3])[:, :, options["history"] :]

    def record_step(q: torch.Tensor, _k: torch.Tensor, v: torch.Tensor, kernel: torch.Tensor, **options: Any) -> Any:
        calls.append({"name": "decode_attention", "kernel": kernel, "history": q.shape[2] - 1, **options})
        return q.new_zeros(*q.shape[:2], 1, v.shape[3])

    monkeypatch.setattr(paths.fused, "fused_attention", record)
    monkeypatch.setattr(paths.fused, "decode_attention", record_step)
    q, k, v = (torch.randn(1, 2, 12, 4).as_subclass(OnACard) for _ in range(3))
    out = attend_document(q[:, :, 12 - queries - 2 :], k, v, kernels, 2, 0.0, path)
    assert out.shape == (1, 2, queries, 4)
    assert [call["name"] for call in calls] == ([fuses] if fuses else [])
    if fuses:
        assert calls[0]["kernel"] is kernels.convolve_before
        assert calls[0]["history"] == 2


@needs_triton
def test_a_step_whose_gradients_are_wanted_runs_on_row_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths.fused, "decode_attention", None)
    q, k, v = (torch.randn(1, 2, 12, 4).as_subclass(OnACard) for _ in range(3))
    learned = torch.randn(2, 3, 3, requires_grad=True)
    assert attend_document(q[:, :, 9:], k, v, Kernels(learned), 2, 0.0, "auto").requires_grad
    assert attend_document(q[:, :, 9:], k, v, Kernels(KERNEL), 2, 0.1, "auto").shape == (1, 2, 1, 4)


@needs_triton
def test_a_models_path_is_that_of_its_layers() -> None:
    assert attention_path(preset("letter-blocks", convolution_layers=[2]), "auto", "cuda:1", "bfloat16") == (
        "3 of 4 layers: scaled_dot_product_attention; 1 of 4 layers: fused Triton kernels"
    )
    first = preset("880M", version="v1")
    assert attention_path(first, "sdpa", "cuda", "float32") == "fused Triton kernels"
    assert attention_path(first, "auto", "cpu", "float32") == "row tiles (no CUDA device)"
    assert attention_path(first, "eager", "cuda", "bfloat16") == "the definition on the whole matrix"
    three = preset("880M", version="v1", num_key_value_heads=8, num_attention_heads=24, head_kernel_after=2)
    assert attention_path(three, "auto", "cuda", "bfloat16") == (
        "fused Triton kernels; steps of one token on row tiles (2 heads are mixed where 3 share keys; of the two one "
        "must divide the other)"
    )
    assert attention_path(preset("880M"), "auto", "cuda", "bfloat16") == MIXED_BEFORE
    assert attention_path(preset("300M", "talking_heads"), "auto", "cuda", "bfloat16") == MIXED_BEFORE
    assert attention_path(preset("300M", "diff"), "auto", "cuda", "bfloat16") == "scaled_dot_product_attention"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_variant_says_what_computes_it(variant: str, device: str) -> None:
    said = attention_path(build(variant).config, "auto", device, "float32")
    wanted = {
        "transformer": "scaled_dot_product_attention",
        "diff": "scaled_dot_product_attention",
        "alibi": "the definition on the whole matrix",
    }
    assert said == wanted.get(variant, said)
    assert said
    assert len(said) < 150
    assert "\n" not in said


def test_other_models_have_what_transformers_calls_it() -> None:
    config: Any = SimpleNamespace(model_type="llama")
    assert attention_path(config, "sdpa", "cpu", "float32") == "transformers' sdpa"


def test_what_the_family_has_not_is_one_line(tmp_path: Path) -> None:
    for name in ("flex_attention", "flash_attention_2"):
        with pytest.raises(ModelError, match=f"no attention={name}; there is: auto, sdpa, eager"):
            attention_path(build("mta").config, name, "cuda", "bfloat16")
    with pytest.raises(SpecError, match=r"flex_attention"):
        registry.build_model(f"mta:{tmp_path},attention=flex_attention")


def test_run_json_says_what_computed_the_attention(tmp_path: Path) -> None:
    import mta_eval

    spec = "letter-blocks-transformer"
    mta_eval.evaluate(spec, "letter_blocks", Sweep((57,), (0.5,), 1), out=tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())["environment"]["models"][spec]
    assert facts["attention path"] == "scaled_dot_product_attention"

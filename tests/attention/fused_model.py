"""Whole models on fused kernels against row tiles: `TRITON_INTERPRET=1 python fused_model.py JSON`, a list of cases.

A case is {"options": of MTAConfig, "cache": "dynamic" or "static"}. Prints a JSON line for each: relative errors of
logits and gradients of a padded batch, of logits with a cache, and how often a kernel ran. The choice of the path
takes the CPU for a card.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from transformers import DynamicCache, StaticCache

from mta_eval.attention import fused, paths
from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.kernels import Kernels

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 40,
    "initializer_range": 0.3,
    "kernel_init": "uniform",
    "query_kernel_before": 3,
    "key_kernel_before": 4,
    "query_kernel_after": 0,
    "key_kernel_after": 0,
    "head_kernel_before": 0,
    "head_kernel_after": 0,
}
MASK = torch.tensor([[0] * 4 + [1] * 14, [1] * 18])


@contextmanager
def on_a_card(calls: list[int]) -> Any:
    """The path is chosen as on a card; `calls` counts the kernels' runs."""

    def why_not_fused(q: Any, v: Any, kernels: Kernels, queries: int, dropout: float = 0.0) -> str | None:
        card = mock.Mock(is_cuda=True, dtype=q.dtype, shape=q.shape)
        return real(card, v, kernels, queries, dropout)

    def counted(*inputs: Any, **options: Any) -> Any:
        calls.append(1)
        return run(*inputs, **options)

    real, run = paths.why_not_fused, fused.fused_attention
    with mock.patch.object(paths, "why_not_fused", why_not_fused), mock.patch.object(fused, "fused_attention", counted):
        yield


def outputs(model: MTAForCausalLM, ids: torch.Tensor, cache: Any) -> dict[str, torch.Tensor]:
    """Logits at once, their gradients, and logits of two pieces and two single tokens with a cache."""
    logits = model(ids, attention_mask=MASK).logits[MASK > 0]
    model.zero_grad()
    logits.square().mean().backward()
    parts, first = [], 0
    for last in (9, 16, 17, 18):
        with torch.no_grad():
            out = model(ids[:, first:last], attention_mask=MASK[:, :last], past_key_values=cache, use_cache=True)
        parts.append(out.logits)
        first = last
    gradients = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])
    return {"logits": logits.detach(), "gradients": gradients, "pieces": torch.cat(parts, 1)[MASK > 0]}


def main() -> None:
    """All cases of the list, in order."""
    torch.set_num_threads(1)
    for case in json.loads(sys.argv[1]):
        torch.manual_seed(2)
        model = MTAForCausalLM(MTAConfig(**{**SIZES, **case["options"]}))
        ids, calls = torch.randint(1, 40, MASK.shape), list[int]()

        def cache(model: MTAForCausalLM = model, kind: str = case["cache"]) -> Any:
            return StaticCache(model.config, max_cache_len=20) if kind == "static" else DynamicCache()

        with on_a_card(calls):
            found = outputs(model, ids, cache())
        wanted = outputs(model, ids, cache())
        errors = {name: float((found[name] - wanted[name]).abs().max() / wanted[name].abs().max()) for name in found}
        print(json.dumps({**errors, "runs": len(calls)}), flush=True)


if __name__ == "__main__":
    main()

"""Whole models on fused kernels against row tiles: `TRITON_INTERPRET=1 python fused_model.py JSON`, a list of cases.

A case is {"options": of MTAConfig, "cache": "dynamic" or "static"}. Prints a JSON line for each: relative errors of
logits and gradients of a padded batch, of logits with a cache, and how often a kernel ran, and one of a step. The
choice of the path takes the CPU for a card.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from transformers import DynamicCache, StaticCache

from mta_eval.attention import fused, paths, static_steps, step
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
STARTS = torch.tensor([4, 0])


@contextmanager
def on_a_card(calls: list[int], steps: list[int]) -> Any:
    """The path is chosen as on a card; `calls` and `steps` count the runs of the kernels, and of those of a step."""

    def why_not_fused(q: Any, v: Any, kernels: Kernels, queries: int, dropout: float = 0.0) -> str | None:
        card = mock.Mock(is_cuda=True, dtype=q.dtype, shape=q.shape)
        return real(card, v, kernels, queries, dropout)

    def counted(*inputs: Any, **options: Any) -> Any:
        calls.append(1)
        return run(*inputs, **options)

    def why_no_fused_step(q: Any, k: Any, v: Any, kernels: Kernels) -> str | None:
        return real_step(mock.Mock(is_cuda=True, dtype=q.dtype, shape=q.shape), k, v, kernels)

    def counted_step(*inputs: Any, **options: Any) -> Any:
        steps.append(1)
        return run_step(*inputs, **options)

    real, run = paths.why_not_fused, fused.fused_attention
    real_step, run_step = step.why_no_fused_step, fused.decode_attention
    with (
        mock.patch.object(paths, "why_not_fused", why_not_fused),
        mock.patch.object(step, "why_no_fused_step", why_no_fused_step),
        mock.patch.object(static_steps, "stays_on_device", return_value=True),
        mock.patch.object(fused, "fused_attention", counted),
        mock.patch.object(fused, "decode_attention", counted_step),
    ):
        yield


def outputs(model: MTAForCausalLM, ids: torch.Tensor, cache: Any) -> dict[str, torch.Tensor]:
    """Logits at once, their gradients, and logits of two pieces and two single tokens with a cache."""
    logits = model(ids, attention_mask=MASK).logits[MASK > 0]
    model.zero_grad()
    logits.square().mean().backward()
    parts, first = [], 0
    for last in (9, 16, 17, 18):
        options = {"row_starts": STARTS} if last == 18 else {"attention_mask": MASK[:, :last]}
        with torch.no_grad():
            out = model(ids[:, first:last], past_key_values=cache, use_cache=True, **options)
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
        ids, calls, steps = torch.randint(1, 40, MASK.shape), list[int](), list[int]()

        def cache(model: MTAForCausalLM = model, kind: str = case["cache"]) -> Any:
            return StaticCache(model.config, max_cache_len=20) if kind == "static" else DynamicCache()

        with on_a_card(calls, steps):
            found = outputs(model, ids, cache())
        wanted = outputs(model, ids, cache())
        errors = {name: float((found[name] - wanted[name]).abs().max() / wanted[name].abs().max()) for name in found}
        print(json.dumps({**errors, "runs": len(calls), "steps": len(steps)}), flush=True)


if __name__ == "__main__":
    main()

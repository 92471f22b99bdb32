"""A look inside: which tokens the last rows of a prompt attend to, layer by layer and head by head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.layer import AttentionLayer


def attention_of_last(model: MTAForCausalLM, ids: list[int], rows: int) -> list[torch.Tensor]:
    """For each layer the weights (H, rows, S) that the last `rows` of the S tokens put on all of them, in float32.

    They are what the values are multiplied with: after every convolution and mixing. DIFF has H / 2 of them. Each layer
    makes them itself (`AttentionLayer.weights`).
    """
    weights: list[torch.Tensor] = []
    with torch.inference_mode(), _collecting(model, weights, rows):
        model(torch.tensor([ids], device=model.device), use_cache=False, logits_to_keep=1)
    return weights


@contextmanager
def _collecting(model: MTAForCausalLM, weights: list[torch.Tensor], rows: int) -> Iterator[None]:
    def collect(layer: torch.nn.Module, _args: tuple[object, ...], arguments: dict[str, Any]) -> None:
        assert isinstance(layer, AttentionLayer)
        q, k, _ = layer.project(arguments["hidden_states"], arguments["position_embeddings"])
        weights.append(layer.weights(q.float(), k.float(), rows)[0])

    layers = [module for module in model.modules() if isinstance(module, AttentionLayer)]
    handles = [layer.register_forward_pre_hook(collect, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

"""What computes the attention of a model of the family, in words for run.json, before its weights are loaded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import torch

from mta_eval import registry
from mta_eval.attention.paths import PATHS, Path
from mta_eval.attention.registration import MODEL_TYPE
from mta_eval.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

IMPLEMENTATIONS: dict[str, Path] = {"auto": "auto", **PATHS}


class QueriesToCome(NamedTuple):
    """What the choice of a path looks at, of queries (or keys) that are not computed yet."""

    is_cuda: bool
    dtype: torch.dtype
    shape: tuple[int, ...]


def attention_path(config: PretrainedConfig, implementation: str, device: str, dtype: str) -> str:
    """What computes the attention, without dropout: of the family layer by layer, else transformers' name of it.

    `implementation` is transformers' attn_implementation; "auto" is the family's default. Layers are made without
    weights. Raises ModelError where the family has no such implementation.
    """
    if config.model_type != MODEL_TYPE:
        return f"transformers' {implementation}"
    if implementation not in IMPLEMENTATIONS:
        raise ModelError(
            f"the attention family has no attention={implementation}; there is: {', '.join(IMPLEMENTATIONS)}"
        )
    path = IMPLEMENTATIONS[implementation]
    shape = (1, config.num_attention_heads, 2, config.head_dim)
    queries = QueriesToCome(device.startswith("cuda"), getattr(torch, dtype), shape)
    keys = queries._replace(shape=(1, config.num_key_value_heads, 2, config.head_dim))
    variant, total = registry.find("attention", config.attention), config.num_hidden_layers
    with torch.device("meta"):
        layers = [variant(config, layer) for layer in range(total)]
    found: Counter[str] = Counter(layer.computed_by(queries, keys, path) for layer in layers)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{count} of {total} layers: {what}" for what, count in found.most_common())

"""The card of a retrofit: what it was made from, its attention, and how far its logits are from those of the origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mta_eval.version import VERSION

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CARD = """\
---
library_name: transformers
tags: [multi-token-attention, mta-eval]
---

# {source} with {attention} attention

The weights are those of `{source}`, whose licence holds for them; the attention is another. It was not trained since:
go on with `mta-eval train text --from FOLDER --data …` (all weights, the kernels alone, or LoRA).

    {command}

On a short text its logits differ from those of the original by at most {difference:.1e}.
Open it with `mta-eval run TASK --model {attention}:FOLDER`, or, after `import mta_eval`, with transformers'
`AutoModelForCausalLM`.

| | |
|---|---|
{facts}
"""
SIZES = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size", "max_position_embeddings")


def retrofit_card(
    source: str,
    original: PreTrainedModel,
    converted: PreTrainedModel,
    options: Mapping[str, object],
    difference: float,
    command: str,
) -> str:
    """Markdown for README.md; `difference` is the largest one of logits, `options` are those that were chosen."""
    import torch
    import transformers

    parameters = sum(weight.numel() for weight in converted.parameters())
    added = parameters - sum(weight.numel() for weight in original.parameters())
    config = converted.config
    facts: dict[str, object] = {
        "made from": source,
        "its type": original.config.model_type,
        "attention": config.attention,
        **options,
        "parameters": f"{parameters:,}",
        "of these the attention's own": f"{added:,}",
        **{name: getattr(config, name) for name in SIZES},
        "dtype": str(converted.dtype).removeprefix("torch."),
        "mta-eval": VERSION,
        "torch, transformers": f"{torch.__version__}, {transformers.__version__}",
    }
    return CARD.format(
        source=source,
        attention=config.attention,
        command=command,
        difference=difference,
        facts="\n".join(f"| {name} | {value} |" for name, value in facts.items()),
    )

"""The small models of a tunnel: one decoder, and any attention of the registry in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mta_eval import registry
from mta_eval.core import DiagnosticTask
from mta_eval.errors import ModelError
from mta_eval.training.weights import seeded_weights
from mta_eval.tunnel.variant_options import option_values

if TYPE_CHECKING:
    from mta_eval.attention.decoder import MTAForCausalLM
    from mta_eval.tunnel.presets import ModelSize
    from mta_eval.tunnel.variants import Variant

USE = "small letter blocks"  # what a variant's `options_for` is asked about
REFUSED = "is refused before training"


def new_model(variant: Variant, task: DiagnosticTask, size: ModelSize, seed: int) -> MTAForCausalLM:
    """The model before its first step: the same for a seed on every machine. Raises ModelError."""
    from mta_eval.attention.configuration import MTAConfig, common_options
    from mta_eval.attention.decoder import MTAForCausalLM

    tokens = len(task.row("validation", 0, 0))
    try:
        found = registry.find("attention", variant.kind)
        options = {**found.options_for(USE, layers=size.layers), **option_values(variant.kind, variant.options)}
        config = MTAConfig(
            **common_options(variant.kind),
            vocab_size=task.vocabulary,
            hidden_size=size.width,
            intermediate_size=size.hidden,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            max_position_embeddings=tokens,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=None,
            attention_dropout=0.0,
            **options,
        )
        with seeded_weights(seed, "tunnel weights"):
            return MTAForCausalLM(config)
    except Exception as error:  # the variant may be anybody's code
        reason = error.__cause__ or error  # what strict configurations wrap has its reason inside
        text = f"{type(reason).__name__}: {reason}".splitlines()[0]
        raise ModelError(f"the variant {variant.label!r} {REFUSED}: no model can be built with it: {text}") from error


def parameter_count(model: MTAForCausalLM) -> int:
    """Weights of a model, tied ones once."""
    return sum(parameter.numel() for parameter in model.parameters())

"""Sizes of language models to train, and how each is trained unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mta_eval import registry
from mta_eval.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from mta_eval.attention.configuration import MTAConfig


@dataclass(frozen=True)
class LanguageSize:
    """A size of the model, and its training: `batch` rows of `length` tokens in each step."""

    steps: int
    batch: int
    length: int
    learning_rate: float
    warmup: int
    weight_decay: float
    vocabulary: int  # of a tokenizer that is learnt from the text
    width: int = 0  # 0: the paper's model of that name
    layers: int = 0
    heads: int = 0
    hidden: int = 0


# The paper's sizes: facts of its Table 7 and the released configurations (2,048 tokens, 105B of them).
LANGUAGE_SIZES: Mapping[str, LanguageSize] = {
    "tiny": LanguageSize(1000, 16, 256, 2e-3, 100, 0.0, 2048, width=128, layers=3, heads=4, hidden=256),
    "small": LanguageSize(5000, 32, 512, 1e-3, 200, 0.05, 4096, width=256, layers=6, heads=8, hidden=704),
    "300M": LanguageSize(400_000, 128, 2048, 1.5e-4, 375, 0.05, 32_000),
    "550M": LanguageSize(400_000, 128, 2048, 1.5e-4, 375, 0.05, 32_000),
    "880M": LanguageSize(400_000, 128, 2048, 1.5e-4, 375, 0.05, 32_000),
    "1B": LanguageSize(200_000, 256, 2048, 1.5e-4, 187, 0.05, 32_000),
}
SMALLEST_SIZE = "tiny"
# of MTAConfig, that --set may change; the rest hangs on the size, the tokenizer or the attention
OPTIONS = (
    *("query_kernel_before", "key_kernel_before", "head_kernel_before", "query_kernel_after", "key_kernel_after"),
    *("head_kernel_after", "convolution_layers", "key_padding", "norm", "gate", "kernel_init", "initializer_range"),
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size"),
    *("head_dim", "attention_dropout", "attention_bias", "mlp_bias", "tie_word_embeddings", "rms_norm_eps"),
    *("max_position_embeddings", "rope_parameters", "hidden_act"),
)
FROM_CHECKPOINT = "checkpoint"  # of any size, trained a little more
CHECKPOINT_SIZE = LanguageSize(300, 8, 512, 1e-4, 30, 0.0, 0)


def find_size(name: str) -> LanguageSize:
    """The size of that name, or that of a checkpoint. Raises SpecError, naming all."""
    if name == FROM_CHECKPOINT:
        return CHECKPOINT_SIZE
    if name not in LANGUAGE_SIZES:
        raise SpecError(f"there is no size {name!r} of language models; there is: {', '.join(LANGUAGE_SIZES)}")
    return LANGUAGE_SIZES[name]


def language_config(
    name: str, attention: str, tokens: Mapping[str, int | None], options: Mapping[str, Any]
) -> MTAConfig:
    """The configuration of a new model. `tokens` are its vocabulary and special tokens; `options` are of MTAConfig.

    The paper's sizes have its second version of each variant; smaller ones have kernels before softmax alone, which a
    CPU can afford. Raises SpecError for options that do not fit.
    """
    from mta_eval.attention.configuration import MTAConfig, common_options, preset

    size = find_size(name)
    variant = registry.find("attention", attention)
    known = (*OPTIONS, *variant.options)
    for option in options:
        if option not in known:
            raise SpecError(f"--set: a new model has no option {option!r}{did_you_mean(option, known)}")
    try:
        if not size.width:
            return preset(name, attention, **{**tokens, **options})
        sizes = {
            "hidden_size": size.width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "intermediate_size": size.hidden,
            **variant.options_for("small letter blocks", layers=size.layers),
        }
        return MTAConfig(**{**common_options(attention), **tokens, **sizes, **options})
    except Exception as error:  # the strict dataclass wraps our ValueError in errors of its own
        cause = error.__cause__ or error
        raise SpecError(f"these options do not fit: {str(cause).splitlines()[0]}") from error

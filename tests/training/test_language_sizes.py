"""Sizes of language models: the paper's where they bear its names, and options that fit or are refused."""

from typing import Any

import pytest

from mta_eval import registry
from mta_eval.errors import SpecError
from mta_eval.training.language_sizes import (
    CHECKPOINT_SIZE,
    FROM_CHECKPOINT,
    LANGUAGE_SIZES,
    SMALLEST_SIZE,
    find_size,
    language_config,
)

TOKENS = {"vocab_size": 320, "bos_token_id": 0, "eos_token_id": 1, "max_position_embeddings": 256}


@pytest.mark.parametrize("attention", tuple(registry.names("attention")))
@pytest.mark.parametrize("size", LANGUAGE_SIZES)
def test_every_size_has_every_attention(size: str, attention: str) -> None:
    config = language_config(size, attention, TOKENS, {})
    assert config.attention == attention
    assert (config.vocab_size, config.bos_token_id, config.eos_token_id) == (320, 0, 1)
    assert config.max_position_embeddings == 256
    assert config.tie_word_embeddings


def test_small_sizes_are_those_of_the_table_with_kernels_before_softmax_alone() -> None:
    config = language_config("tiny", "mta", TOKENS, {})
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (128, 3, 4)
    assert config.intermediate_size == 256
    assert config.query_kernel_before
    assert not config.query_kernel_after
    plain = language_config("tiny", "transformer", TOKENS, {})
    assert plain.hidden_size == 128
    assert not plain.query_kernel_before


def test_the_papers_sizes_are_its_second_version() -> None:
    config = language_config("880M", "mta", TOKENS, {})
    assert (config.hidden_size, config.num_hidden_layers) == (1536, 24)
    assert config.query_kernel_after
    assert LANGUAGE_SIZES["880M"].length == 2048


def test_options_are_written_over_those_of_the_size() -> None:
    config = language_config("tiny", "mta", TOKENS, {"query_kernel_before": 5, "key_kernel_before": 3})
    assert (config.query_kernel_before, config.key_kernel_before) == (5, 3)


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"query_kernel_befor": 3}, r"--set: a new model has no option 'query_kernel_befor'; did you mean"),
    "of the tokenizer": ({"vocab_size": 5}, "no option 'vocab_size'"),
    "attention": ({"attention": "diff"}, "no option 'attention'"),
    "one alone": ({"query_kernel_before": 0}, "these options do not fit: .*go together"),
    "nonsense": ({"norm": "sideways"}, "these options do not fit: norm cannot be 'sideways'"),
    "heads": ({"num_attention_heads": 0}, "these options do not fit"),
}


@pytest.mark.parametrize("size", ["tiny", "300M"])
@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_do_not_fit_are_one_line(case: str, size: str) -> None:
    options, line = OPTIONS[case]
    with pytest.raises(SpecError, match=line) as error:
        language_config(size, "mta", TOKENS, options)
    assert "\n" not in str(error.value)


def test_sizes_are_found_by_name() -> None:
    assert find_size(SMALLEST_SIZE) is LANGUAGE_SIZES["tiny"]
    assert find_size(FROM_CHECKPOINT) is CHECKPOINT_SIZE
    with pytest.raises(SpecError, match="no size 'huge' of language models; there is: tiny, small, 300M"):
        find_size("huge")

"""LongHeads in models of transformers: tiny ones of random weights."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    StaticCache,
)

from mta_eval.attention import naive
from mta_eval.errors import ModelError
from mta_eval.models.context_extension.chunks import Chunking
from mta_eval.models.context_extension.longheads import LongHeadsAttention, apply_longheads, check_chunking

CHUNKING = Chunking(8, 32, 32)
SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.4,
}
KINDS = {
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}


def tiny(kind: str) -> Any:
    config, model = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return model(config(**SIZES)).eval().double()


def llama(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


def ids(total: int, vocabulary: int = 64) -> torch.Tensor:
    return torch.randint(vocabulary, (1, total), generator=torch.Generator().manual_seed(total))


@torch.inference_mode()
def logits(model: Any, tokens: torch.Tensor, **options: Any) -> torch.Tensor:
    found: torch.Tensor = model(tokens, **options).logits
    return found


@pytest.mark.parametrize("kind", ["llama", *KINDS])
def test_inside_its_attention_length_a_model_is_unchanged(kind: str, llama_folder: Path) -> None:
    plain, stretched = ((llama(llama_folder) if kind == "llama" else tiny(kind)) for _ in range(2))
    apply_longheads(stretched, Chunking(8, 96, 96))
    tokens = ids(96)
    # transformers has its angles in float32
    torch.testing.assert_close(logits(stretched, tokens), logits(plain, tokens), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["llama", *KINDS])
def test_beyond_it_a_prompt_at_once_is_a_prompt_in_pieces_and_decoding(kind: str, llama_folder: Path) -> None:
    model = apply_longheads(llama(llama_folder) if kind == "llama" else tiny(kind), CHUNKING)
    tokens = ids(150)
    whole = logits(model, tokens)
    cache, parts, edges = None, [], [0, 20, 70, 71, 72, 73, 110, *range(111, 151)]
    with torch.inference_mode():
        for first, last in itertools.pairwise(edges):
            output = model(tokens[:, first:last], past_key_values=cache, use_cache=True)
            parts.append(output.logits)
            cache = output.past_key_values
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-9, rtol=0)


def test_a_layer_is_the_oracle_between_its_projections(llama_folder: Path) -> None:
    model = llama(llama_folder)
    original = model.model.layers[1].self_attn
    apply_longheads(model, CHUNKING)
    layer = model.model.layers[1].self_attn
    assert isinstance(layer, LongHeadsAttention)
    hidden = torch.randn(1, 90, model.config.hidden_size, generator=torch.Generator().manual_seed(0)).double()
    with torch.inference_mode():
        q, k, v = (
            part(hidden).view(90, -1, original.head_dim).transpose(0, 1)
            for part in (original.q_proj, original.k_proj, original.v_proj)
        )
        out = naive.long_heads(q, k, v, layer.rotation, 8, 32, 32)
        expected = original.o_proj(out.transpose(0, 1).reshape(1, 90, -1))
        torch.testing.assert_close(layer(hidden)[0], expected)


def test_generate_goes_on_as_the_model_would_without_a_cache(llama_folder: Path) -> None:
    model = apply_longheads(llama(llama_folder), CHUNKING)
    tokens = ids(60)
    made = model.generate(tokens, max_new_tokens=20, do_sample=False, pad_token_id=0)[0, 60:].tolist()
    for token in made:
        assert int(logits(model, tokens)[0, -1].argmax()) == token
        tokens = torch.cat((tokens, torch.tensor([[token]])), 1)


def test_the_cache_keeps_keys_once_and_a_vector_for_each_whole_chunk(llama_folder: Path) -> None:
    model = apply_longheads(llama(llama_folder), CHUNKING)
    with torch.inference_mode():
        cache = model(ids(75), use_cache=True).past_key_values
    layer = cache.layers[0]
    assert cache.get_seq_length() == 75
    assert layer.vectors.shape[2] == 9
    assert layer.keys.shape == layer.values.shape == (1, 2, 75, 16)
    attention = model.model.layers[0]
    expected = attention.self_attn.original.k_proj(attention.input_layernorm(model.model.embed_tokens(ids(75))))
    torch.testing.assert_close(layer.keys, expected.view(1, 75, 2, 16).transpose(1, 2))  # unrotated
    for count in (-1, -75, -80, 72):
        with pytest.raises(ValueError, match="cropped by a negative number to whole chunks of 8"):
            cache.crop(count)
    cache.crop(-11)
    assert layer.vectors.shape[2] == 8
    assert layer.keys.shape == layer.values.shape == (1, 2, 64, 16)
    cache.reset()
    assert cache.get_seq_length() == 0


def test_offload_changes_where_keys_lie_and_nothing_else(llama_folder: Path) -> None:
    plain, offloaded = (apply_longheads(llama(llama_folder), CHUNKING, offload=offload) for offload in (False, True))
    tokens = ids(120)
    assert torch.equal(logits(offloaded, tokens), logits(plain, tokens))
    meta = offloaded.model.layers[0].self_attn.store_on
    assert meta == torch.device("cpu")


def test_padding_and_other_caches_are_refused(llama_folder: Path) -> None:
    model = apply_longheads(llama(llama_folder), CHUNKING)
    mask = torch.ones(1, 40, dtype=torch.long)
    torch.testing.assert_close(logits(model, ids(40), attention_mask=mask), logits(model, ids(40)))
    mask[0, :3] = 0
    with pytest.raises(ValueError, match="no padding"):
        logits(model, ids(40), attention_mask=mask)
    with pytest.raises(ValueError, match="needs a dynamic cache"):
        logits(model, ids(40), past_key_values=StaticCache(model.config, max_cache_len=64))


def test_a_batch_is_its_rows(llama_folder: Path) -> None:
    model = apply_longheads(llama(llama_folder), CHUNKING)
    rows = torch.cat((ids(80), ids(80).flip(1)))
    torch.testing.assert_close(logits(model, rows), torch.cat([logits(model, row[None]) for row in rows]))


def test_a_model_of_another_kind_is_one_line() -> None:
    model = GPT2LMHeadModel(
        GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=32, n_positions=128, bos_token_id=1, eos_token_id=2)
    )
    with pytest.raises(ModelError, match="Llama's kind"):
        apply_longheads(model, CHUNKING)


@pytest.mark.parametrize(
    ("chunking", "said"),
    [
        (Chunking(8, 30, 32), "multiples of the window"),
        (Chunking(8, 32, 33), "multiples of the window"),
        (Chunking(0, 32, 32), "multiples of the window"),
        (Chunking(16, 32, 32), "under 3 windows"),
        (Chunking(8, 32, 24), "nothing to choose"),
        (Chunking(8, 256, 256), "trained on 128 tokens"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(chunking: Chunking, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        check_chunking(chunking, 128)

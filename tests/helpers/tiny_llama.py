"""A tiny Llama of random weights for real engines: heads of 32, as vLLM's CPU kernels want them; and as GGUF."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

LAYERS, HEADS, KEY_VALUE_HEADS, WIDTH, FEED_FORWARD, WINDOW = 3, 2, 1, 64, 128, 1024
NORM_EPS, THETA = 1e-6, 10_000.0


def save_llama(folder: Path, tokenizer_folder: Path) -> Path:
    """The model and its tokenizer, as transformers writes them."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=FEED_FORWARD,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=KEY_VALUE_HEADS,
            max_position_embeddings=WINDOW,
            rms_norm_eps=NORM_EPS,
            rope_theta=THETA,
            initializer_range=0.3,  # far from ties, so that all arithmetics agree on the likeliest token
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_gguf(llama: Path) -> Path:
    """The same model as one file, in float32."""
    path = llama / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(NORM_EPS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(THETA)
    _add_tokenizer(writer, llama)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS)
    for name, weight in load_file(llama / "model.safetensors").items():
        heads = {"q_proj": HEADS, "k_proj": KEY_VALUE_HEADS}.get(name.split(".")[-2])
        writer.add_tensor(names.get_name(name, (".weight",)), _rotating_pairs(weight, heads) if heads else weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter, llama: Path) -> None:
    model = json.loads((llama / "tokenizer.json").read_text())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    special = {"<unk>", "<s>", "</s>"}
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if it in special else gguf.TokenType.NORMAL for it in tokens])
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(tokens.index("<s>"))
    writer.add_eos_token_id(tokens.index("</s>"))
    writer.add_unk_token_id(tokens.index("<unk>"))
    writer.add_add_bos_token(True)
    writer.add_chat_template((llama / "chat_template.jinja").read_text())


def _rotating_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    """GGUF's order of a head's rows: RoPE turns neighbours there, and the two halves in transformers."""
    halves = weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2)
    return np.ascontiguousarray(halves.reshape(weight.shape))

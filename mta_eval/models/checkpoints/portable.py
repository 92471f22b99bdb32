"""Checkpoints of the attention family for those who have no mta-eval: with their code, or as a plain Llama."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.registration import MODEL_TYPE, register
from mta_eval.errors import ModelError
from mta_eval.models.checkpoint_config import read_config
from mta_eval.models.checkpoints.code_export import add_code
from mta_eval.models.checkpoints.folders import check_new, new_folder
from mta_eval.models.checkpoints.retrofit import SAME, open_checkpoint
from mta_eval.models.locations import checkpoint_path
from mta_eval.models.tokenizer import transformers_tokenizer

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model")
CARD = "README.md"
PROBE_TOKENS = 64
TOLERANCE = 1e-4  # of the largest logit: in float32 two orders of the same sums are closer than that


def write_with_code(source: str, out: Path) -> None:
    """Write the checkpoint `source` (a folder, a hub id or a model spec) and its code to the new folder `out`.

    Raises ModelError if it is not of the attention family, or as `code_export.add_code` does.
    """
    model, path = _opened(source, out)
    with new_folder(out) as unfinished:
        model.save_pretrained(unfinished)
        _write_tokenizer(path, unfinished)
        if (card := Path(path) / CARD).is_file():
            shutil.copyfile(card, unfinished / CARD)
        add_code(unfinished)


def write_as_llama(source: str, out: Path) -> float:
    """Write the checkpoint `source`, whose attention is plain, to the new folder `out` as a LlamaForCausalLM.

    Returns the largest difference between the logits of both, computed in float32 on a row of tokens. Weights keep
    their dtype. Raises ModelError if no Llama computes the same.
    """
    model, path = _opened(source, out)
    dtype = model.dtype
    llama = as_llama(model.float())
    difference = _difference(model, llama)
    llama.to(dtype)
    with new_folder(out) as unfinished:
        llama.save_pretrained(unfinished)
        _write_tokenizer(path, unfinished)
    return difference


def as_llama(model: MTAForCausalLM) -> LlamaForCausalLM:
    """The same model as transformers' Llama, with the same tensors. Raises ModelError if its attention is not plain.

    A Llama has biases on all four projections of its attention or on none: those that the model lacks are zeros.
    """
    config = model.config
    _check_plain(config)
    biased = bool(config.attention_bias or config.output_bias)
    options = {name: getattr(config, name) for name in (*SAME, "mlp_bias", "attention_dropout")}
    with torch.device("meta"):
        llama = LlamaForCausalLM(LlamaConfig(**options, attention_bias=biased))
    tensors = model.state_dict()
    zeros = {
        name: torch.zeros(parameter.shape, dtype=model.dtype)
        for name, parameter in llama.named_parameters()
        if name not in tensors and name.endswith(".bias")
    }
    missing, unexpected = llama.load_state_dict(tensors | zeros, strict=False, assign=True)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise ModelError(f"weights do not fit a Llama: left over {unexpected[:3]}, missing {missing[:3]}")
    llama.model.rotary_emb = type(llama.model.rotary_emb)(llama.config)  # its buffers are no weights
    llama.tie_weights()
    llama.generation_config = model.generation_config
    return llama.eval()


def _check_plain(config: MTAConfig) -> None:
    found = f"{config.attention} attention" if config.attention != "transformer" else ""
    for option in ("norm", "gate"):
        if not found and getattr(config, option) != "none":
            found = f"{option}={getattr(config, option)} on its heads"
    if found:
        raise ModelError(
            f"a Llama has plain attention, this model has {found}; write it with its code, which transformers runs"
        )


def _difference(model: MTAForCausalLM, llama: LlamaForCausalLM) -> float:
    """The largest difference of their logits on one row. Raises ModelError if that is more than rounding."""
    ids = torch.linspace(0, model.config.vocab_size - 1, min(PROBE_TOKENS, model.config.max_position_embeddings))
    ids = ids.long()[None]
    with torch.inference_mode():
        ours, theirs = model(ids, use_cache=False).logits, llama(ids, use_cache=False).logits
    difference = float((ours - theirs).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(ours.abs().max())):
        raise ModelError(f"as a Llama the model has other logits, by up to {difference:.1e}; nothing was written")
    return difference


def _opened(source: str, out: Path) -> tuple[MTAForCausalLM, str]:
    """A checkpoint of the family, and where it is. Raises ModelError if it is another, or `out` is there already."""
    check_new(out)
    register()
    path = checkpoint_path(source)
    config = read_config(path, {"pretrained_model_name_or_path": path})
    if config.model_type != MODEL_TYPE:
        raise ModelError(f"{source!r} is a {config.model_type} model, which transformers opens as it is")
    return open_checkpoint(source).eval(), path


def _write_tokenizer(path: str, folder: Path) -> None:
    """That of the checkpoint, if it has one: one that was imported may have none."""
    if Path(path).is_dir() and not any((Path(path) / name).is_file() for name in TOKENIZER_FILES):
        return
    transformers_tokenizer(path).save_pretrained(folder)

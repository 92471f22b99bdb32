"""Checkpoints of the released Multi-Token Attention code (facebookresearch/RAM, projects/mta) as Hugging Face folders.

That code trains with lingua, which writes one file of weights and params.json. Its rotary pairs are neighbours (here:
halves), its head kernel after softmax is [group, in, out] (here: [group, out, in]). Older versions of it took softmax
twice in layers without kernels after softmax, the paper takes it once; a checkpoint does not say, so it is asked for.
`curse_norm`, there a factor 1 - lambda_init of the layer on both norms of its residual stream, goes into their weights.
"""

from __future__ import annotations

import math
import re
import warnings
import zipfile
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import torch
from safetensors.torch import load_file

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.errors import ModelError
from mta_eval.models.checkpoints.code_export import add_code
from mta_eval.models.checkpoints.folders import check_new, new_folder
from mta_eval.models.checkpoints.released_arguments import (
    EMBEDDING,
    Softmax,
    Tensors,
    configuration_of,
    read_arguments,
    softmax_again,
)
from mta_eval.models.config_values import check_values, values_of
from mta_eval.models.tokenizer import transformers_tokenizer

WEIGHTS = ("consolidated.pth", "consolidated.00.pth", "consolidated.safetensors", "model.safetensors")
WRAPPERS = {"_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "module"}  # torch's, anywhere in a key
OUTPUTS = ("output.weight", "output.tied_module.weight")
_NORMS = re.compile(r"layers\.(\d+)\.(?:attention_norm|ffn_norm)\.weight")
OUTSIDE = {"model.embed_tokens.weight": EMBEDDING, "model.norm.weight": "norm.weight", "lm_head.weight": OUTPUTS[0]}
IN_LAYER = {
    "self_attn.q_proj.weight": "attention.wq.weight",
    "self_attn.k_proj.weight": "attention.wk.weight",
    "self_attn.v_proj.weight": "attention.wv.weight",
    "self_attn.o_proj.weight": "attention.wo.weight",
    "self_attn.convolve_before": "attention.mta_kernel",
    "self_attn.mix_before": "attention.wpsm.weight",
    "self_attn.convolve_after": "attention.mta_kernel_after_sm",
    "self_attn.mix_after": "attention.head_kernel",
    "self_attn.norm.weight": "attention.subln.weight",
    "self_attn.gate.weight": "attention.gate.weight",
    "self_attn.gate.bias": "attention.gate.bias",
    "mlp.gate_proj.weight": "feed_forward.w1.weight",
    "mlp.up_proj.weight": "feed_forward.w3.weight",
    "mlp.down_proj.weight": "feed_forward.w2.weight",
    "input_layernorm.weight": "attention_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
}


def import_checkpoint(
    source: Path, out: Path, tokenizer: str | None = None, softmax: Softmax | None = None, with_code: bool = False
) -> Path:
    """Write the checkpoint in folder `source` as an MTAForCausalLM to the new folder `out`, and return `out`.

    `softmax` says how often the code that trained it takes softmax in layers with nothing after it; it must be given
    where there are such layers. `tokenizer`, a folder or hub id, goes into the folder too; without one the model has
    neither BOS nor EOS. Weights keep their dtype. `with_code` writes the code too (see `code_export`). Raises
    ModelError, and leaves nothing behind, if anything is missing, left over or unknown.
    """
    check_new(out)
    weights, parameters = _find(source)
    params, tensors = read_arguments(parameters), _read_weights(weights)
    reader = transformers_tokenizer(tokenizer) if tokenizer is not None else None
    config = configuration_of(params, tensors, parameters, reader)
    if softmax_again(config, params["mta"], weights, softmax):
        config.softmax_again = True
    if reader is not None and len(reader) > config.vocab_size:
        raise ModelError(
            f"the tokenizer of {tokenizer!r} has {len(reader)} tokens, more than the {config.vocab_size} of {weights}; "
            "name the tokenizer it was trained with"
        )
    check_values(str(source), values_of(config), parameters.name)
    if params["mta"].get("curse_norm"):
        _scale_norms(tensors)
    model = _model(config, tensors, weights)
    with new_folder(out) as unfinished:
        model.save_pretrained(unfinished)
        if reader is not None:
            reader.save_pretrained(unfinished)
        if with_code:
            add_code(unfinished)
    return out


def _find(source: Path) -> tuple[Path, Path]:
    """The file of weights and params.json, both in the folder or in its subfolder "consolidated"."""
    if not source.is_dir():
        raise ModelError(f"no folder {str(source)!r}; name one with consolidated.pth and params.json")
    places = (source, source / "consolidated")
    weights = next((path for place in places for name in WEIGHTS if (path := place / name).is_file()), None)
    if weights is None:
        hint = "; let lingua's consolidate_checkpoints make it first" if any(source.glob("*.distcp")) else ""
        raise ModelError(f"no consolidated.pth, consolidated.safetensors or model.safetensors in {source}{hint}")
    parameters = next((path for place in (weights.parent, *places) if (path := place / "params.json").is_file()), None)
    if parameters is None:
        raise ModelError(f"no params.json in {source}; lingua writes it beside the checkpoint, copy it there")
    return weights, parameters


def _read_weights(path: Path) -> Tensors:
    """The state dict, without torch's wrappers in its keys and without what needs no import."""
    try:
        if path.suffix == ".safetensors":
            state: Mapping[str, object] = load_file(path)
        else:
            with warnings.catch_warnings(action="ignore"):  # of a pickle's protocol
                state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
            state = inner if isinstance(inner := state.get("model"), dict) else state
        tensors = {".".join(part for part in key.split(".") if part not in WRAPPERS): state[key] for key in state}
        if unknown := [key for key, value in tensors.items() if not isinstance(value, torch.Tensor)]:
            raise TypeError(f"{_listed(unknown)} is no tensor")
    except Exception as error:  # a damaged file makes the loaders raise whatever they trip over
        raise ModelError(f"{path} is damaged or holds more than tensors; save the model's state dict alone") from error
    if any(".triton_mta." in key for key in tensors):
        raise ModelError(f"{path} is of the Triton variant (keys triton_mta.*), which cannot be imported")
    return {
        key: value
        for key, value in tensors.items()
        if isinstance(value, torch.Tensor) and not key.endswith("freqs_cis")
    }


def _scale_norms(tensors: Tensors) -> None:
    """Multiply the weights of both norms of every layer by 1 - lambda_init = 0.2 + 0.6 exp(-0.3 layer)."""
    for key, tensor in tensors.items():
        if found := _NORMS.fullmatch(key):
            tensors[key] = (tensor.double() * (0.2 + 0.6 * math.exp(-0.3 * int(found[1])))).to(tensor.dtype)


def _model(config: MTAConfig, tensors: Tensors, path: Path) -> MTAForCausalLM:
    """The model with the checkpoint's weights, every one of them used once. Raises ModelError."""
    with torch.device("meta"):
        model = MTAForCausalLM(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        del shapes["lm_head.weight"]
        for key in tensors.keys() & OUTPUTS:
            if not torch.equal(tensors.pop(key), tensors[EMBEDDING]):
                raise ModelError(f"{path} has an {key} of its own, but params.json says weight_tying; which is true?")
    theirs = {name: _name(name, tensors) for name in shapes}
    if missing := [key for key in theirs.values() if key not in tensors]:
        raise ModelError(f"{path} lacks {_listed(missing)}, which params.json asks for; do the two belong together?")
    if left := sorted(tensors.keys() - theirs.values()):
        raise ModelError(f"{path} has {_listed(left)}, of which params.json says nothing; do the two belong together?")
    for name, key in theirs.items():
        shape, expected = tuple(tensors[key].shape), _their_shape(key, shapes[name])
        if shape != expected:
            raise ModelError(f"{path} has {key} of shape {shape}, params.json asks for {expected}; is it of this run?")
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors.values()))
    weights = {name: _ours(key, tensors[key], shapes[name], config.head_dim).to(dtype) for name, key in theirs.items()}
    model.load_state_dict(weights, assign=True, strict=False)  # all there but a tied output
    model.tie_weights()
    return model


def _name(name: str, tensors: Tensors) -> str:
    """Their key for our parameter."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, layers, number, inner = name.split(".", 3)
    key = f"{layers}.{number}.{IN_LAYER[inner]}"
    linear = key.replace("head_kernel", "wposm.weight")  # all heads may be mixed by this instead
    return linear if linear in tensors else key


def _their_shape(key: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if ".mta_kernel" in key:
        return (shape[0], 1, *shape[1:])
    return shape[1:] if key.endswith(("wpsm.weight", "wposm.weight")) else shape


def _ours(key: str, tensor: torch.Tensor, shape: tuple[int, ...], head_dim: int) -> torch.Tensor:
    if key.endswith(("wq.weight", "wk.weight")):  # (head, pair, 2) becomes (head, 2, pair)
        tensor = tensor.reshape(-1, head_dim // 2, 2, shape[1]).transpose(1, 2)
    elif key.endswith("head_kernel"):
        tensor = tensor.transpose(1, 2)
    return tensor.reshape(shape).contiguous()


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")

"""Any Llama-type checkpoint as a checkpoint of the attention family that begins as the same model (paper, Table 10).

Identity kernels change no logit; a norm or a gate on the heads does, so they are left out unless asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mta_eval import registry
from mta_eval.attention.configuration import KERNELS, MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.registration import register
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.checkpoint_config import read_config
from mta_eval.models.checkpoints.code_export import add_code
from mta_eval.models.checkpoints.folders import check_new, new_folder
from mta_eval.models.checkpoints.retrofit_card import retrofit_card
from mta_eval.models.error_text import first_line
from mta_eval.models.load_check import check_finite, check_types, check_weights
from mta_eval.models.locations import checkpoint_path
from mta_eval.models.tokenizer import transformers_tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

LLAMA_TYPES = {"llama": None, "mistral": False, "qwen2": True}  # whether q, k and v alone have biases; None: ask
SAME = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "rms_norm_eps", "rope_parameters"),
    *("tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id"),
)
PLAIN, MTA = "transformer", "mta"
OPTIONS = (*KERNELS, "convolution_layers", "key_padding", "norm", "gate", "kernel_init")
PROBE = "The magic number of San Francisco is 8. The magic number of San Francisco is"


def retrofit(
    source: str,
    attention: str,
    out: Path,
    options: Mapping[str, object],
    with_code: bool = False,
    command: str = "",
) -> float:
    """Write to the folder `out` the model `source` (a folder, a hub id or a model spec) with another attention.

    `options` are options of MTAConfig; `with_code` writes its code too (see `code_export`); `command` is told in the
    card. Returns the largest difference between both models' logits on a short text.
    Raises ModelError if the model is not of Llama's type or `out` cannot be written, SpecError if options do not fit.
    """
    check_new(out)
    path = checkpoint_path(source)
    original = _load(path)
    converted = convert(original, attention, options)
    tokenizer = transformers_tokenizer(path)
    ids = torch.tensor([tokenizer(PROBE)["input_ids"]])
    # with gradients on, for without them identity kernels are left out and nothing would be shown
    difference = float((converted(ids).logits - original(ids).logits).abs().max().detach())
    with new_folder(out) as unfinished:
        converted.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        text = retrofit_card(source, original, converted, options, difference, command)
        (unfinished / "README.md").write_text(text, "utf-8")
        if with_code:
            add_code(unfinished)
    return difference


def convert(original: PreTrainedModel, attention: str, options: Mapping[str, object]) -> MTAForCausalLM:
    """The same weights under another attention, in the same dtype, ready to answer. Raises ModelError or SpecError."""
    if attention == "diff":
        raise SpecError("no model can begin as itself with diff attention; train one from a preset instead")
    config = _config(original.config, attention, options)
    with torch.device("meta"):
        model: MTAForCausalLM = MTAForCausalLM(config)
    model = model.to_empty(device="cpu").to(original.dtype)
    model.init_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(config)  # its buffers are no weights
    missing, unexpected = model.load_state_dict(original.state_dict(), strict=False)
    ours = {name for name, _ in model.named_parameters() if is_added(name)}
    if unexpected or set(missing) - ours - {"lm_head.weight"}:
        raise ModelError(f"weights do not fit: left over {unexpected[:3]}, missing {sorted(set(missing) - ours)[:3]}")
    model.tie_weights()
    model.generation_config = original.generation_config
    model.eval()
    return model


def open_checkpoint(source: str, attention: str = "", options: Mapping[str, object] | None = None) -> MTAForCausalLM:
    """A checkpoint of the family as it is, or any Llama-type one with another attention put into it.

    `attention` "" is the checkpoint's own, or transformer, or mta where there are `options` of MTAConfig. Raises
    ModelError, SpecError where the checkpoint has an attention already that cannot be exchanged.
    """
    model = _load(checkpoint_path(source))
    options = options or {}
    own = model.config.attention if isinstance(model, MTAForCausalLM) else ""
    if own and attention in ("", own) and not options:
        checkpoint: MTAForCausalLM = model
        return checkpoint
    if own not in ("", PLAIN):
        raise SpecError(f"{source!r} has {own} attention, which cannot be exchanged; leave attention and options out")
    return convert(model, attention or (MTA if options else PLAIN), options)


def _load(path: str) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    register()
    read_config(path, {"pretrained_model_name_or_path": path})
    loading = {"use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        model, info = AutoModelForCausalLM.from_pretrained(path, dtype="auto", **loading)
    except Exception as error:  # a damaged file makes the loaders raise whatever they trip over
        raise ModelError(f"cannot load the model {path!r}: {first_line(error)}") from error
    check_weights(path, info)
    check_types(path, Path(path), model)
    model = model.eval()
    check_finite(repr(path), model)
    return model


def _config(source: PretrainedConfig, attention: str, options: Mapping[str, object]) -> MTAConfig:
    plain = isinstance(source, MTAConfig) and source.attention == PLAIN  # Llama's own attention under our name
    kind = "llama" if plain else source.model_type
    if kind not in LLAMA_TYPES:
        raise ModelError(f"a {source.model_type} model cannot be retrofitted; these can: {', '.join(LLAMA_TYPES)}")
    given = {name: getattr(source, name) for name in SAME if hasattr(source, name)}
    biased = LLAMA_TYPES[kind]
    given["attention_bias"] = source.attention_bias if biased is None else biased
    given["output_bias"] = source.attention_bias if biased is None else False
    given["mlp_bias"] = getattr(source, "mlp_bias", False)
    window = getattr(source, "sliding_window", None)
    if window is not None:  # attention is full only inside it
        given["max_position_embeddings"] = min(window, given["max_position_embeddings"])
    variant = registry.find("attention", attention)
    if not variant.retrofits:
        raise SpecError(f"{attention} attention cannot be given to a trained model; train it from the start")
    known = (*OPTIONS, *variant.options)
    for name in options:
        if name not in known:
            raise SpecError(f"a retrofit has no option {name!r}{registry.did_you_mean(name, known)}")
    options = dict(options)
    if isinstance(layer := options.get("convolution_layers"), int):
        options["convolution_layers"] = [layer]
    given |= variant.options_for("retrofit", layers=source.num_hidden_layers)
    try:
        return MTAConfig(**{**given, "attention": attention, **options})
    except Exception as error:  # the strict dataclass wraps our ValueError in errors of its own
        cause = error.__cause__ or error
        raise SpecError(f"these options do not fit: {first_line(cause)}") from error


def is_added(name: str) -> bool:
    """Whether a parameter is one that the family adds: model.layers.0.self_attn.<added>."""
    _, separator, part = name.partition(".self_attn.")
    return bool(separator) and part.split(".")[0] not in ("q_proj", "k_proj", "v_proj", "o_proj")

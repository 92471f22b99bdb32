"""params.json of the released Multi-Token Attention code -> our configuration of the same model.

The released code has the argument sliding_window and never applies it (facebookresearch/RAM at b03b1a2, projects/mta):
its train.py:436 and generate.py:239 attend by "sdpa", for which create_causal_mask (transformer.py:37) gives the whole
causal mask; it makes a window for "xformers" alone, which Attention.forward (mta_transformer.py:390) does not know, and
layers with MTA make a whole causal mask of any mask that is no tensor (_update_mask, mta_transformer.py:442).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from mta_eval.attention.configuration import KERNELS, MTAConfig
from mta_eval.errors import ModelError
from mta_eval.models.config_values import check_values
from mta_eval.models.error_text import first_line
from mta_eval.outside import read_json
from mta_eval.printable import say

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Section = dict[str, Any]  # of a JSON file whose values are checked where they are used
Tensors = dict[str, torch.Tensor]
Softmax = Literal["once", "twice"]
EMBEDDING = "tok_embeddings.weight"


def read_arguments(path: Path) -> Section:
    """The model's arguments; of the others only data.seq_len counts, as "max_seqlen". Null is as good as absent."""
    try:
        params = read_json(path.read_text(encoding="utf-8"))
        model = {name: value for name, value in params.get("model", params).items() if value is not None}
        if length := (params.get("data") or {}).get("seq_len"):
            model["max_seqlen"] = length
        if not isinstance(model.setdefault("mta", {}), dict):
            raise TypeError("mta holds no options")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"cannot read training arguments of lingua in {path}; copy it again from the run") from error
    if window := model.get("sliding_window"):
        say(
            f"{path} sets sliding_window to {window}, which the released code never applies, with MTA kernels or "
            "without: the model is imported as that code runs it, with no window"
        )
    return model


def configuration_of(
    model: Section, tensors: Tensors, path: Path, tokenizer: PreTrainedTokenizerFast | None
) -> MTAConfig:
    """Our configuration, from their arguments and, where those may not say, the weights' shapes."""
    try:
        width, layers = model["dim"], model["n_layers"]
        check_values(str(path.parent), {"num_hidden_layers": layers}.get, path.name)  # before they are counted
        heads = model["n_heads"] if "n_heads" in model else width // model["head_dim"]
        return MTAConfig(
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=model.get("n_kv_heads", heads),
            head_dim=model.get("head_dim", width // heads),
            intermediate_size=tensors["layers.0.feed_forward.w1.weight"].shape[0],
            vocab_size=tensors[EMBEDDING].shape[0],
            max_position_embeddings=model.get("max_seqlen", 1024),
            rms_norm_eps=float(model.get("norm_eps", 1e-5)),
            rope_parameters={"rope_type": "default", "rope_theta": float(model.get("rope_theta", 10_000))},
            attention_dropout=float(model.get("dropout", 0)),
            tie_word_embeddings=bool(model.get("weight_tying")),
            bos_token_id=getattr(tokenizer, "bos_token_id", None),
            eos_token_id=getattr(tokenizer, "eos_token_id", None),
            **_attention(model["mta"], layers, heads),
        )
    except KeyError as error:
        raise ModelError(f"{path} and the weights do not say {error.args[0]}; copy both again from one run") from error
    except Exception as error:  # a wrong type fails wherever it is first used, or in the configuration's own checks
        raise ModelError(f"{path} makes no model: {first_line(error.__cause__ or error)}; mend it there") from error


def _attention(mta: Section, layers: int, heads: int) -> Section:
    """The options of our attention. Kernels over keys and queries have their layers, everything else is in all."""
    enabled = bool(mta.get("use_mta"))
    layer_list = mta.get("mta_layers") if enabled else None
    convolving = (
        None
        if layer_list is None
        else sorted({int(layer) for layer in str(layer_list).split(",")} & set(range(layers)))
    )

    def kernel(prefix: str, default: int | None) -> list[int]:
        query, key = (mta.get(f"{prefix}{axis}_kernel_size", default) for axis in ("query", "key"))
        if not enabled or convolving == [] or query is None or key is None:
            return [0, 0]
        return [query, key]

    before, after = kernel("", 1), kernel("after_sm_", None)
    linear = [heads if mta.get(f"{when}_sm_linear_head") else 0 for when in ("pre", "post")]
    mixed = [linear[0], mta.get("head_kernel_size") or linear[1]] if enabled else [0, 0]
    convolves = before != [0, 0] or after != [0, 0]
    attention = "mta" if convolves or any(mixed) else "transformer"
    norm = "depth_scaled" if mta.get("layer_norm_rescale") else "plain"
    gate = "scalar" if mta.get("gate_1d", True) else "vector"
    return {
        **dict(zip(KERNELS, (*before, mixed[0], *after, mixed[1]), strict=True)),
        "attention": "talking_heads" if not convolves and mixed == [heads, heads] else attention,
        "convolution_layers": convolving if convolves else None,
        "key_padding": mta.get("pad_key", "both"),
        "norm": norm if mta.get("group_norm") else "none",
        "gate": gate if mta.get("add_gating") else "none",
    }


def softmax_again(config: MTAConfig, mta: Section, path: Path, softmax: Softmax | None) -> bool:
    """Whether layers without kernels after softmax take it twice. Raises ModelError where that must be said."""
    mixes_before, mixes_after = bool(config.head_kernel_before), bool(config.head_kernel_after)
    layers = range(config.num_hidden_layers) if mta.get("use_mta") and not mixes_after else ()
    listed = mta.get("mta_layers")
    chosen = {int(layer) for layer in str(listed).split(",")} if listed is not None else set(layers)
    bare = [
        layer
        for layer in layers
        if (layer in chosen or mixes_before) and not (layer in chosen and config.query_kernel_after)
    ]
    if not bare:
        return False
    if softmax is None:
        named = ", ".join(map(str, bare[:3])) + (", …" if len(bare) > 3 else "")
        raise ModelError(
            f"{path} has layers with nothing after softmax ({named}), where older released code takes softmax twice, "
            "and the weights do not say; look whether Attention.forward of the mta_transformer.py that trained it "
            "calls normalize_attention a second time, and give --softmax once or --softmax twice (if in doubt import "
            "both: one has a low perplexity on text it was trained on)"
        )
    if softmax == "twice" and not (config.query_kernel_before or mixes_before):
        raise ModelError(f"{path} has no kernels at all, and softmax taken twice is imported with kernels only")
    return softmax == "twice"

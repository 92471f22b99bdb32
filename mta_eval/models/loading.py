"""Loading a causal language model by transformers, and refusing one that is not what was meant."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mta_eval.errors import ModelError
from mta_eval.models.checkpoint_config import HINT, read_config
from mta_eval.models.error_text import first_line
from mta_eval.models.load_check import LoadingInfo, check_finite, check_types, check_weights
from mta_eval.models.locations import local_path
from mta_eval.printable import say

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Quantization = Literal["none", "8bit", "4bit"]
NO_SDPA = "scaled_dot_product_attention yet"  # of transformers' message
ERROR_SHOWN = 300  # characters of what PEFT raises, whose first line may say nothing
ADAPTER_HINT = "adapter= needs PEFT: pip install 'mta-eval[peft]'"


@dataclass(frozen=True)
class LoadOptions:
    """How a checkpoint is loaded; `dtype` and `device` are chosen, not "auto"."""

    dtype: str
    device: str
    attention: str = "auto"
    device_map: str = ""
    quantization: Quantization = "none"
    adapter: str = ""
    trust_remote_code: bool = False
    unused_weights: str = "refuse"


def load_causal_lm(
    name: str, where: Mapping[str, str], options: LoadOptions, more: Mapping[str, object]
) -> PreTrainedModel:
    """The model in evaluation mode, on its device, with all of its weights. Raises ModelError.

    `name` is for messages, `where` and `more` are arguments of from_pretrained.
    """
    read_config(name, where, options.trust_remote_code)
    placement = _placement(options)
    try:
        model, info = _load(name, where, options, {**placement, **more})
    except Exception as error:  # a damaged file makes the loaders raise whatever they trip over
        raise ModelError(f"cannot load the model {name!r}: {first_line(error)}; {HINT}") from error
    check_weights(name, info, options.unused_weights)
    if options.quantization == "none" and getattr(model.config, "quantization_config", None) is None:
        check_types(name, Path(where["pretrained_model_name_or_path"]), model)
    if options.adapter:
        model = _with_adapter(model, options)
    if not options.device_map and options.quantization == "none":
        model = model.to(options.device)
    model = model.eval()
    check_finite(name, model)
    return model


def _load(
    name: str, where: Mapping[str, str], options: LoadOptions, more: Mapping[str, object]
) -> tuple[PreTrainedModel, LoadingInfo]:
    import torch
    from transformers import AutoModelForCausalLM

    arguments: dict[str, object] = {
        **where,
        "dtype": getattr(torch, options.dtype),
        "trust_remote_code": options.trust_remote_code,
        "use_safetensors": None if "gguf_file" in where else True,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # they are in the info: one error names all
        **more,
    }
    wanted = "sdpa" if options.attention == "auto" else options.attention
    loaded: tuple[PreTrainedModel, LoadingInfo]
    try:
        loaded = AutoModelForCausalLM.from_pretrained(**arguments, attn_implementation=wanted)
        return loaded
    except ValueError as error:
        if options.attention != "auto" or NO_SDPA not in str(error):
            raise
    say(f"{name} cannot be computed by sdpa; its own default attention is used")
    loaded = AutoModelForCausalLM.from_pretrained(**arguments)
    return loaded


def _placement(options: LoadOptions) -> dict[str, object]:
    """Where weights go and in how many bits, as arguments of from_pretrained. Raises ModelError."""
    if options.device_map == "meta":
        raise ModelError("device_map=meta loads no weights; auto puts them on the devices that there are")
    placement: dict[str, object] = {"device_map": options.device_map} if options.device_map else {}
    if options.quantization != "none":
        try:
            import bitsandbytes  # noqa: F401
            from transformers import BitsAndBytesConfig
        except ImportError as error:
            raise ModelError("quantization= needs the package bitsandbytes: pip install bitsandbytes") from error
        placement.setdefault("device_map", options.device)
        placement["quantization_config"] = BitsAndBytesConfig(**{f"load_in_{options.quantization}": True})
    return placement


def _with_adapter(model: PreTrainedModel, options: LoadOptions) -> PreTrainedModel:
    """The model with a PEFT adapter, merged into its weights where those are not quantised. Raises ModelError."""
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ModelError(ADAPTER_HINT) from error
    path = str(local_path(options.adapter))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*(missing|unexpected) adapter keys")
        try:
            adapted = PeftModel.from_pretrained(model, path)
            loaded = adapted.load_adapter(path, adapted.active_adapter)  # again, for what the first keeps to itself
        except Exception as error:  # PEFT raises what it trips over
            said = " ".join(str(error).split())[:ERROR_SHOWN] or type(error).__name__
            raise ModelError(f"cannot put the adapter {options.adapter!r} on the model: {said}") from error
    if unused := sorted(loaded.unexpected_keys):
        raise ModelError(
            f"the adapter {options.adapter!r} is not one of this model: {len(unused)} of its weights have no place "
            f"({', '.join(unused[:2])}{', …' if len(unused) > 2 else ''})"
        )
    check_finite(f"the adapter {options.adapter}", adapted)
    merged: PreTrainedModel = adapted if options.quantization != "none" else adapted.merge_and_unload()
    return merged

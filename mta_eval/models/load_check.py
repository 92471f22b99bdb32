"""Whether a model that was loaded is the one that was meant: all of its weights were there, and all are numbers.

transformers initialises at random what a checkpoint lacks, and leaves out what it does not know: a model that is wrong
in part or in whole answers all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from mta_eval.errors import ModelError

if TYPE_CHECKING:
    import torch
    from safetensors import safe_open
    from transformers import PreTrainedModel

SHOWN = 3  # names in a message
# prefixes that others put before names of weights, and what to do about them
WRAPPERS = {
    "_fsdp_wrapped_module.": "saved from a model in FSDP; save its full state dict, or take the prefix off the names",
    "_orig_mod.": "saved from a model under torch.compile; save model._orig_mod, or take the prefix off the names",
    "module.": "saved from a model in DataParallel; save model.module, or take the prefix off the names",
    "base_model.model.": "saved from a PEFT model; save model.merge_and_unload(), or name the adapter by adapter=",
}
# parts of a checkpoint that a language model alone does not have: other modalities, drafting heads, optimisers' copies
OTHER_PARTS = ("vision", "visual", "audio", "multi_modal_projector", "embed_vision", "embed_audio", "mtp")


class LoadingInfo(TypedDict):
    """What transformers says of a loading: names of weights; of another shape (name, there, in the model)."""

    missing_keys: Collection[str]
    unexpected_keys: Collection[str]
    mismatched_keys: Collection[tuple[str, Sequence[int], Sequence[int]]]
    error_msgs: Collection[str]


def check_weights(path: str, info: LoadingInfo, unused: str = "refuse") -> None:
    """Raises ModelError if weights were missing, of another shape, or in the checkpoint and not used.

    With `unused` "ignore" those in the checkpoint that the model has no place
    for are left out in silence; parts for other modalities always are.
    """
    missing = sorted(info["missing_keys"])
    unexpected = sorted(name for name in info["unexpected_keys"] if not _is_other_part(name))
    mismatched = [
        f"{name} {_shape(there)} instead of {_shape(here)}" for name, there, here in sorted(info["mismatched_keys"])
    ]
    errors = sorted(info["error_msgs"])
    problems = [
        _problem("not in the checkpoint and would be random", missing),
        _problem("of another shape", mismatched),
        _problem("in the checkpoint and not in the model", [] if unused == "ignore" and not missing else unexpected),
        _problem("not loaded", errors),
    ]
    if found := "; ".join(filter(None, problems)):
        raise ModelError(f"the weights of {path!r} are not those of its config: {found}{_advice(missing, unexpected)}")


def check_types(name: str, folder: Path, model: PreTrainedModel) -> None:
    """Raises ModelError if a file in `folder` holds whole numbers for a weight that the model computes in floats.

    transformers converts them in silence; they are quantised weights whose scales, and the config that tells of them,
    are lost.
    """
    from safetensors import safe_open

    floating = {weight for weight, values in model.named_parameters() if values.is_floating_point()}
    whole: list[str] = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            whole += [weight for weight in file.keys() if weight in floating and _is_whole(file, weight)]  # noqa: SIM118
    if whole:
        raise ModelError(
            f"{_counted(len(whole))} of {name!r} are stored as whole numbers ({_listed(whole)}), but its config has no "
            "quantization_config that says how to read them"
        )


def _is_whole(file: safe_open, weight: str) -> bool:
    return str(file.get_slice(weight).get_dtype()).startswith(("I", "U", "BOOL"))  # type: ignore[no-untyped-call]


def check_finite(name: str, model: PreTrainedModel) -> None:
    """Raises ModelError if a weight is NaN or infinite, or the logits of a few tokens are."""
    import torch

    with torch.inference_mode():
        wrong = [weight for weight, values in model.named_parameters() if not _is_finite(values)]
        if wrong:
            raise ModelError(f"{_counted(len(wrong))} of {name} hold NaN or infinity: {_listed(wrong)}")
        rows = model.get_input_embeddings().weight.shape[0]
        ids = torch.arange(1, min(9, rows), device=model.device)[None]
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=1).logits
    if not logits.isfinite().all():
        kind = str(model.dtype).removeprefix("torch.")
        advice = "" if kind == "float32" else "; its numbers may be beyond that type: try dtype=float32 or bfloat16"
        raise ModelError(f"{name} computes logits that are NaN or infinite in {kind}{advice}")


def _is_finite(values: torch.Tensor) -> bool:
    if not values.is_floating_point() or values.is_meta or not values.numel():
        return True  # quantised, or kept elsewhere
    lowest, highest = values.aminmax()
    return bool(lowest.isfinite() and highest.isfinite())


def _is_other_part(name: str) -> bool:
    return any(part.startswith(OTHER_PARTS) for part in name.split("."))


def _shape(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes)) or "scalar"


def _problem(what: str, names: Sequence[str]) -> str:
    return f"{_counted(len(names))} {what} ({_listed(names)})" if names else ""


def _counted(count: int) -> str:
    return f"{count} weight{'s' if count != 1 else ''}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown}, …" if len(names) > SHOWN else shown


def _advice(missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """What to do, where the names tell what happened."""
    if unexpected and all("lora_" in name or ".base_layer." in name for name in unexpected):
        return "; it holds LoRA weights that were not merged: merge them, or name the base model with adapter="
    for prefix, advice in WRAPPERS.items():
        if unexpected and any(prefix in name for name in unexpected):
            return f"; names hold {prefix!r}: {advice}"
    if missing and unexpected:
        prefix = _common_prefix(missing, unexpected)
        return f"; names in the checkpoint begin with {prefix!r}: take that off" if prefix else ""
    if unexpected and not missing:
        return "; if the model does not need them, unused_weights=ignore leaves them out"
    return ""


def _common_prefix(missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """What stands before a missing name in every unexpected one; "" if there is no such prefix."""
    ends = [name.removesuffix(missing[0]) for name in unexpected if name.endswith(missing[0])]
    prefix = min(ends, key=len, default="")
    return prefix if prefix and all(name.startswith(prefix) for name in unexpected) else ""

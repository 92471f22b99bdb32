"""LoRA on a model of the attention family, and the attention's own parameters trained beside it.

PEFT has adapters for layers, not for the kernels of an attention: small arrays, which are better trained as they are.
So they are, and an adapter's file holds them under their own names beside the LoRA matrices. Whoever loads it, by
`hf:PATH,adapter=PATH` or PEFT's `PeftModel.from_pretrained`, gets them written over those of the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save_file

from mta_eval.errors import ModelError, SpecError
from mta_eval.models.checkpoints.folders import new_folder
from mta_eval.models.checkpoints.retrofit import is_added
from mta_eval.models.loading import ADAPTER_HINT

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn
    from transformers import PreTrainedModel

# every matrix of a layer; a head's gate is a matrix too, but one of the attention's own parameters
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ALPHA = 2  # lora_alpha of each rank: LoRA's update is multiplied by 2, whatever the rank
LARGEST_RANK = 4096


def kernel_parameters(model: nn.Module) -> list[str]:
    """The names in `model.named_parameters()` of what the attention adds to a Llama: kernels, lambda, norms, gates.

    Of a variant of another package all parameters that it adds. Those of a model that is wrapped by PEFT too; none
    where the attention adds nothing (transformer).
    """
    return [name for name, _ in model.named_parameters() if is_added(name)]


def with_lora(model: PreTrainedModel, rank: int, kernels: bool) -> PeftModel:
    """The model, changed in place, with LoRA of `rank` on every projection of its layers; nothing else is trained.

    That is: q, k, v and o of the attention and the three of the MLP, with lora_alpha = 2 rank, without dropout or
    biases. With `kernels` also all of `kernel_parameters`, themselves and not by LoRA. LoRA begins at 0, so that the
    logits are those of the model. Raises ModelError without PEFT, SpecError for a rank below 1 or where the attention
    has nothing of its own to train.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ModelError(ADAPTER_HINT) from error
    if not 1 <= rank <= LARGEST_RANK:
        raise SpecError(f"the rank of LoRA is a number from 1 to {LARGEST_RANK}, not {rank}")
    own = set(kernel_parameters(model)) if kernels else set()
    if kernels and not own:
        attention = getattr(model.config, "attention", model.config.model_type)
        raise SpecError(f"{attention} attention has no kernels or other parameters of its own; train LoRA alone")
    chosen = {id(parameter) for name, parameter in model.named_parameters() if name in own}
    config = LoraConfig(
        task_type="CAUSAL_LM", r=rank, lora_alpha=ALPHA * rank, lora_dropout=0.0, target_modules=list(PROJECTIONS)
    )
    adapted: PeftModel = get_peft_model(model, config)
    for parameter in adapted.parameters():
        if id(parameter) in chosen:
            parameter.requires_grad_(True)
    return adapted


def save_lora(model: PeftModel, folder: Path) -> None:
    """Write the adapter of `with_lora` to a new folder: LoRA's matrices, and the kernels if they were trained.

    The model under it is not written; the folder names where that was loaded from. Raises ModelError if the folder is
    there already or cannot be written.
    """
    from peft import get_peft_model_state_dict

    tensors = dict(get_peft_model_state_dict(model, save_embedding_layers=False))
    own = set(kernel_parameters(model))
    tensors |= {name: value for name, value in model.named_parameters() if name in own and value.requires_grad}
    with new_folder(folder) as unfinished:
        model.save_pretrained(unfinished, save_embedding_layers=False)
        written = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(written, unfinished / "adapter_model.safetensors", {"format": "pt"})

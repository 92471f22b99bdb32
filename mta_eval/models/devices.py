"""The options `dtype` and `device` of the adapters: their help texts, and what "auto" chooses."""

from __future__ import annotations

from typing import Literal

from mta_eval.errors import ModelError
from mta_eval.models.error_text import first_line

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPE_HELP = "auto: bfloat16 where the hardware computes in it, else float32"
DEVICE_HELP = "auto: cuda, mps or cpu, the first available"


def choose_device(device: str) -> str:
    """`device` itself, or for "auto" the first available of cuda, mps and cpu. Raises ModelError if it is missing."""
    import torch

    if device != "auto":
        try:
            if torch.empty(0, device=device).is_meta:
                raise NotImplementedError("it computes nothing")
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ModelError(
                f"no device {device!r} here: {first_line(error)}; auto takes the first available"
            ) from error
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(dtype: Dtype, device: str) -> str:
    """`dtype` itself, or for "auto" the one that is fast on `device`: bfloat16 only where it is not emulated."""
    import torch

    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    if device == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bfloat16" if fast else "float32"
    return "float32"

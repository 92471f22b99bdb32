"""Any Hugging Face causal language model as a `core.Model`: where it is, how it is loaded.

`inference.py` asks it. Prompts reach it whole; a prompt beyond the window is the runner's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from mta_eval.attention.registration import register
from mta_eval.core import Ability, Answer, ModelIdentity, Sample
from mta_eval.errors import ModelError
from mta_eval.models.identity import checkpoint_identity
from mta_eval.models.inference.torch_model import TorchModel
from mta_eval.models.tokenizer import FastTokenizer, first_line, load_tokenizer, local_path

DTYPE = "auto: bfloat16 where the hardware computes in it, else float32"  # what the option says, in every adapter
DEVICE = "auto: cuda, mps or cpu, the first there is"
HINT = "name a folder, a .gguf file, or a Hugging Face id"


@dataclass(frozen=True)
class HuggingFace:
    """Any Hugging Face causal language model: a folder, a .gguf file or a hub id."""

    name: ClassVar[str] = "hf"

    path: str = field(metadata={"help": "folder, .gguf file or hub id"})
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = field(default="auto", metadata={"help": DTYPE})
    device: str = field(default="auto", metadata={"help": DEVICE})
    attention: str = field(default="sdpa", metadata={"help": "transformers' attn_implementation"})
    max_length_override: int = field(default=0, metadata={"help": "take longer prompts than the model's config says"})
    trust_remote_code: bool = field(default=False, metadata={"help": "run the Python code of the checkpoint"})
    reuse: bool = field(default=True, metadata={"help": "false: every prompt from its start and alone, no guesses"})

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset({"answers", "chooses", "reads"})

    @property
    def max_length(self) -> int:
        """The window its config names. Raises ModelError if it names none."""
        if self.max_length_override:
            return self.max_length_override
        if length := window_of(self.config):
            return length
        raise ModelError(f"the config of {self.path!r} names no window; add max_length_override=TOKENS")

    @cached_property
    def tokenizer(self) -> FastTokenizer:
        """The checkpoint's own tokenizer."""
        return load_tokenizer(self.path)

    def describe(self) -> dict[str, str]:
        """dtype and device, as chosen; for a checkpoint that `mta-eval train` made, what was trained."""
        device = choose_device(self.device)
        chosen = {"device": device, "dtype": self._dtype(device)}
        if trained := getattr(self.config, "trained", None):
            chosen |= {"attention": self.config.attention, "trained on": trained["task"]}
            chosen |= {"preset": trained["preset"], "seed": str(trained["seed"])}
        return chosen

    def identity(self) -> ModelIdentity:
        """Of the files of the checkpoint; see `checkpoint_identity`. Raises ModelError."""
        return checkpoint_identity(
            local_path(self.path), self.config.to_dict(), self.tokenizer.chat_template, ends_of(self.config)
        )

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """See core.Model."""
        yield from self._loaded.generate(samples)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model."""
        return self._loaded.loglikelihood(pairs)

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """See core.Model."""
        yield from self._loaded.token_loglikelihoods(samples)

    @cached_property
    def config(self) -> Any:
        """The checkpoint's configuration, of its text part. Raises ModelError."""
        from transformers import AutoConfig

        register()
        try:
            config = AutoConfig.from_pretrained(**self._where(), trust_remote_code=self.trust_remote_code)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ModelError(f"cannot load the model {self.path!r}: {first_line(error)}; {HINT}") from error
        return config.get_text_config()

    @property
    def weights(self) -> Any:
        """The model itself, loaded, in transformers' form."""
        return self._loaded._model

    @cached_property
    def _loaded(self) -> TorchModel:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM

        register()
        device = choose_device(self.device)
        try:
            model = AutoModelForCausalLM.from_pretrained(
                **self._where(),
                dtype=getattr(torch, self._dtype(device)),
                attn_implementation=self.attention,
                trust_remote_code=self.trust_remote_code,
                use_safetensors=None if self.path.endswith(".gguf") else True,
                **self._load_options(),
            )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"cannot load the model {self.path!r}: {first_line(error)}; {HINT}") from error
        return TorchModel(self._finish(model.to(device).eval()), self.tokenizer, end_tokens_of(model), self.reuse)

    def _load_options(self) -> dict[str, Any]:
        """What else from_pretrained is told: a subclass's own."""
        return {}

    def _finish(self, model: Any) -> Any:
        """What becomes of a model once it is loaded: a subclass's own."""
        return model

    def _where(self) -> dict[str, Any]:
        path = local_path(self.path)
        if path.suffix == ".gguf":
            return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
        return {"pretrained_model_name_or_path": str(path) if path.exists() else self.path}

    def _dtype(self, device: str) -> str:
        import torch

        if self.dtype != "auto":
            return self.dtype
        if device.startswith("cuda"):
            return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        if device == "cpu":
            # elsewhere bfloat16 is emulated, and slower than float32
            fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
            return "bfloat16" if fast else "float32"
        return "float32"


def window_of(config: Any) -> int:
    """The longest window that a configuration names; 0 if it names none."""
    for key in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"):
        if isinstance(length := getattr(config, key, None), int):
            return length
    return 0


def end_tokens_of(model: Any) -> set[int]:
    """The tokens that end an answer, as the model's generation config has them."""
    return ends_of(model.generation_config)


def ends_of(generation_config: Any) -> set[int]:
    """The tokens that a generation config ends an answer at; none if it names none."""
    ends = generation_config.eos_token_id
    return set(ends) if isinstance(ends, list) else {ends} - {None}


def choose_device(device: str) -> str:
    """`device` itself, or for "auto" cuda, mps or cpu, the first there is. Raises ModelError if it is not there."""
    import torch

    if device != "auto":
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ModelError(
                f"no device {device!r} here: {first_line(error)}; auto takes the first there is"
            ) from error
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

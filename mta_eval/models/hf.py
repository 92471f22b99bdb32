"""Any Hugging Face causal language model as a `core.Model`: where it is, how it is loaded.

`inference/` computes its answers. Prompts reach it whole: the runner handles those beyond the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from mta_eval.attention.registration import MODEL_TYPE, register
from mta_eval.core import Ability, Answer, ModelIdentity, Sample
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.checkpoint_config import read_config
from mta_eval.models.context_window import window_of
from mta_eval.models.devices import DEVICE_HELP, DTYPE_HELP, Dtype, choose_device, choose_dtype
from mta_eval.models.end_tokens import end_tokens_of, end_tokens_of_checkpoint
from mta_eval.models.identity import adapter_digest, code_digest, model_identity, stored_parameters, weights_digest
from mta_eval.models.inference.causal_lm import CausalLM
from mta_eval.models.inference.torch_model import TorchModel
from mta_eval.models.loading import LoadOptions, Quantization, load_causal_lm
from mta_eval.models.locations import local_path
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class HuggingFace:
    """Any Hugging Face causal language model: a folder, a .gguf file or a hub id."""

    name: ClassVar[str] = "hf"

    path: str = field(metadata={"help": "folder, .gguf file or hub id"})
    dtype: Dtype = field(default="auto", metadata={"help": DTYPE_HELP})
    device: str = field(default="auto", metadata={"help": DEVICE_HELP})
    attention: str = field(
        default="auto", metadata={"help": "transformers' attn_implementation; auto: sdpa where the model has it"}
    )
    max_length_override: int = field(default=0, metadata={"help": "take longer prompts than the model's config says"})
    trust_remote_code: bool = field(default=False, metadata={"help": "run the Python code of the checkpoint"})
    reuse: bool = field(default=True, metadata={"help": "false: no prefix reuse, no batching, no prompt lookup"})
    revision: str = field(default="", metadata={"help": "branch, tag or commit on the hub"})
    adapter: str = field(default="", metadata={"help": "PEFT adapter: folder or hub id; merged into the weights"})
    device_map: str = field(default="", metadata={"help": "of accelerate, such as auto: weights on several devices"})
    quantization: Quantization = field(default="none", metadata={"help": "of the weights, by bitsandbytes"})
    unused_weights: Literal["refuse", "ignore"] = field(
        default="refuse", metadata={"help": "weights in the checkpoint that its model has no place for"}
    )

    def __post_init__(self) -> None:
        if self.revision and Path(self.path).expanduser().exists():
            raise SpecError(
                f"revision={self.revision} is of a hub, but {self.path!r} is on this machine and has no revisions; "
                "leave revision= out, or name the folder that holds the revision"
            )

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
        return load_tokenizer(self.path, self.revision)

    def describe(self) -> dict[str, str]:
        """dtype, device and what computes the attention; for a checkpoint of `mta-eval train`, what was trained."""
        device = choose_device(self.device)
        chosen = {"device": self.device_map or device, "dtype": choose_dtype(self.dtype, device)}
        if path := self._attention_path(device, chosen["dtype"]):
            chosen["attention path"] = path
        options = ("revision", "adapter", "quantization")
        chosen |= {name: value for name in options if (value := getattr(self, name)) not in ("", "none")}
        trained = getattr(self.config, "trained", None)
        if isinstance(trained, Mapping) and {"task", "preset", "seed"} <= trained.keys():
            chosen |= {"attention": str(self.config.attention), "trained on": str(trained["task"])}
            chosen |= {"preset": str(trained["preset"]), "seed": str(trained["seed"])}
            chosen |= {"parameters": f"{stored_parameters(local_path(self.path)):,}"}
        return chosen

    def identity(self) -> ModelIdentity:
        """That of the checkpoint's files; of a hub id the revision stands for the weights. Raises ModelError."""
        path = local_path(self.path)
        code = {"code": code_digest(path)} if self.trust_remote_code else {}
        return model_identity(
            self.config.to_diff_dict() | code,
            self.tokenizer.chat_template,
            end_tokens_of_checkpoint(path, self.config, self.tokenizer.owner),
            weights_digest(path),
            getattr(self.config, "_commit_hash", None) or "",
            adapter_digest(local_path(self.adapter)) if self.adapter else "",
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
    def config(self) -> PretrainedConfig:
        """The checkpoint's configuration, of its text part. Raises ModelError."""
        register()
        return read_config(self.path, self._where(), self.trust_remote_code).get_text_config()

    @property
    def weights(self) -> CausalLM:
        """The model itself, loaded, in transformers' form."""
        return self._loaded.model

    @property
    def prefilled_tokens(self) -> int:
        """How many tokens of prompts were computed so far."""
        return self._loaded.prefilled_tokens

    @cached_property
    def _loaded(self) -> TorchModel:
        register()
        device = choose_device(self.device)
        options = LoadOptions(
            choose_dtype(self.dtype, device),
            device,
            self.attention,
            self.device_map,
            self.quantization,
            self.adapter,
            self.trust_remote_code,
            self.unused_weights,
        )
        model = load_causal_lm(self.path, self._where(), options, self._load_options())
        ends = end_tokens_of(model.generation_config, model.config, self.tokenizer.owner)
        return TorchModel(self._adapt(model), self.tokenizer, ends, self.reuse)

    def _load_options(self) -> dict[str, PretrainedConfig]:
        """More arguments of from_pretrained, for a subclass to give."""
        return {}

    def _adapt(self, model: PreTrainedModel) -> CausalLM:
        """The model as it is used, for a subclass to change once it is loaded."""
        adapted: CausalLM = model
        return adapted

    def _attention_path(self, device: str, dtype: str) -> str:
        """What computes the attention; "" where that is known once the model is loaded only."""
        from mta_eval.attention.chosen_path import attention_path

        chosen, loaded = self.attention, "_loaded" in self.__dict__
        if chosen == "auto" and self.config.model_type != MODEL_TYPE:
            chosen = str(self._loaded.model.config.get_text_config()._attn_implementation) if loaded else ""
        return attention_path(self.config, chosen, device, dtype) if chosen else ""

    def _where(self) -> dict[str, str]:
        path = local_path(self.path)
        if path.suffix == ".gguf":
            return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
        where = {"pretrained_model_name_or_path": str(path) if path.exists() else self.path}
        return where | ({"revision": self.revision} if self.revision else {})

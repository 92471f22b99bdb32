"""Any Hugging Face causal language model as a `core.Model`: greedy, one prompt at a time, last logits only.

Knows nothing of tasks. Prompts reach it whole; a prompt beyond the window is the runner's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mta_eval.core import Sample
from mta_eval.errors import ModelError
from mta_eval.models.tokenizer import FastTokenizer, first_line, load_tokenizer, local_path

if TYPE_CHECKING:
    import torch

DTYPE = "auto: bfloat16 where the hardware computes in it, else float32"  # what the option says, in every adapter
DEVICE = "auto: cuda, mps or cpu, the first there is"
HINT = "name a folder, a .gguf file, or a Hugging Face id"


class TorchModel:
    """Greedy decoding and log-likelihoods for a causal language model in transformers' form.

    `model(input_ids, past_key_values, logits_to_keep)` must return logits (1, kept, vocabulary) and the cache.
    """

    def __init__(self, model: Any, tokenizer: FastTokenizer, end_tokens: set[int]) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._end_tokens = end_tokens

    def generate(self, sample: Sample) -> str:
        """The greedy answer: up to max_new_tokens, ended by an end token or one of the sample's stop strings."""
        import torch

        tokens: list[int] = []
        text = ""
        with torch.inference_mode():
            step = self._tensor(self._ids(sample))
            cache = None
            while len(tokens) < sample.max_new_tokens:
                output = self._model(input_ids=step, past_key_values=cache, use_cache=True, logits_to_keep=1)
                token = int(output.logits[0, -1].argmax())
                if token in self._end_tokens:
                    break
                tokens.append(token)
                text = self._tokenizer.decode(tokens)
                if cut(text, sample.stop) != text:
                    break
                step, cache = self._tensor([token]), output.past_key_values
        return cut(text, sample.stop)

    def loglikelihood(self, sample: Sample, text: str) -> float:
        """log p(text | prompt), summed over the tokens that `text` adds to the prompt (nats)."""
        import torch

        # encoded as one text: some tokenizers cut an answer differently when it stands alone
        whole = self._tokenizer.prompt_ids(sample.prompt + text, plain=sample.chat is None)
        pairs = zip(self._ids(sample), whole[:-1], strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        prompt, answer = whole[:common], whole[common:]
        with torch.inference_mode():
            logits = self._model(
                input_ids=self._tensor(prompt + answer), use_cache=False, logits_to_keep=len(answer) + 1
            ).logits[0, :-1]
            chosen = torch.log_softmax(logits.float(), -1).gather(1, self._tensor(answer)[0][:, None])
        return float(chosen.sum())

    def _ids(self, sample: Sample) -> list[int]:
        return self._tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)

    def _tensor(self, ids: list[int]) -> torch.Tensor:
        import torch

        return torch.tensor([ids], device=self._model.device)


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

    def generate(self, samples: Iterable[Sample]) -> Iterator[str]:
        """See core.Model."""
        for sample in samples:
            yield self._loaded.generate(sample)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model."""
        return [self._loaded.loglikelihood(sample, text) for sample, text in pairs]

    @cached_property
    def config(self) -> Any:
        """The checkpoint's configuration, of its text part. Raises ModelError."""
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(**self._where(), trust_remote_code=self.trust_remote_code)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise ModelError(f"cannot load the model {self.path!r}: {first_line(error)}; {HINT}") from error
        return config.get_text_config()

    @cached_property
    def _loaded(self) -> TorchModel:
        import torch
        from transformers import AutoModelForCausalLM

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
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise ModelError(f"cannot load the model {self.path!r}: {first_line(error)}; {HINT}") from error
        return TorchModel(self._finish(model.to(device).eval()), self.tokenizer, end_tokens_of(model))

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
    ends = model.generation_config.eos_token_id
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


def cut(text: str, stop: tuple[str, ...]) -> str:
    """`text` up to the first stop string after its first word."""
    lead = len(text) - len(text.lstrip())
    ends = [end for mark in stop if (end := text.find(mark, lead)) >= 0]
    return text[: min(ends, default=len(text))]

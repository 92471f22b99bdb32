"""A Hugging Face checkpoint run by vLLM in this process: paged attention, prefix caching, many samples at a time.

Prompts go to the engine as token ids, so they are ours to the token. The token ids that it answers with are read as if
they were decoded here: thoughts, budgets, stop strings and end tokens are those of `hf`. The order in which tasks make
their samples serves the prefix cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import ClassVar, TypeVar

from mta_eval.core import Ability, Answer, ModelIdentity, Sample
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.answer_text import early_stops, thought_may_come
from mta_eval.models.context_window import window_of
from mta_eval.models.devices import DTYPE_HELP, Dtype
from mta_eval.models.end_tokens import end_tokens_of_checkpoint
from mta_eval.models.hf import HuggingFace
from mta_eval.models.inference.growing_answer import settled
from mta_eval.models.locations import local_path
from mta_eval.models.token_ids import shared_prefix_length
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.models.vllm_engine import Completion, Params, Request, VLLMEngine, import_vllm

T = TypeVar("T")
SCORE_PARAMS: Params = {"max_tokens": 1, "prompt_logprobs": 0, "flat_logprobs": True, "detokenize": False}


@dataclass(frozen=True)
class VLLM:
    """Any causal language model that vLLM runs, many samples at a time: a folder or a hub id; pip install vllm."""

    name: ClassVar[str] = "vllm"

    path: str = field(metadata={"help": "folder or hub id"})
    dtype: Dtype = field(default="auto", metadata={"help": DTYPE_HELP})
    max_length_override: int = field(default=0, metadata={"help": "a shorter window, for a smaller key-value cache"})
    batch: int = field(default=16, metadata={"help": "samples at a time"})
    tensor_parallel_size: int = field(default=1, metadata={"help": "GPUs that share the model"})
    gpu_memory_utilization: float = field(default=0.9, metadata={"help": "share of a GPU's memory that vLLM takes"})

    def __post_init__(self) -> None:
        if self.batch < 1 or self.tensor_parallel_size < 1 or self.max_length_override < 0:
            raise SpecError("vllm: batch and tensor_parallel_size must be at least 1, max_length_override 0 or more")
        if not 0 < self.gpu_memory_utilization <= 1:
            raise SpecError("vllm: gpu_memory_utilization is a share: above 0, at most 1")
        if self.path.endswith(".gguf"):
            raise SpecError("vllm: takes a folder or a hub id; .gguf files are for hf: and server:")

    @property
    def max_length(self) -> int:
        """The window that its config names, or the override. Raises ModelError for one beyond the config's."""
        length, window = self._checkpoint.max_length, window_of(self._checkpoint.config)
        if window and length > window:
            # vLLM's tables of positions end there; what it computes beyond is noise
            raise ModelError(f"vllm: takes no window beyond the {window} tokens of the config; hf:{self.path} does")
        return length

    @property
    def tokenizer(self) -> FastTokenizer:
        """The checkpoint's own tokenizer."""
        return self._checkpoint.tokenizer

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset({"answers", "chooses", "reads"})

    def describe(self) -> dict[str, str]:
        """dtype and device, as chosen, and vLLM's version. Raises ModelError if it is not installed."""
        return self._checkpoint.describe() | {"vllm": import_vllm(self._on_cpu).__version__}

    def identity(self) -> ModelIdentity:
        """Of the checkpoint."""
        return self._checkpoint.identity()

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """See core.Model; `batch` samples at a time, and their answers in order."""
        for batch in _batches(samples, self.batch):
            requests = [Request(self._ids(sample), self._limits(sample)) for sample in batch]
            for sample, output in zip(batch, self._engine.ask(requests), strict=True):
                yield self._answer(sample, len(output.prompt_token_ids or ()), output.outputs[0])

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model."""
        # encoded as one text: some tokenizers cut an answer differently when it stands alone
        wholes = [self._ids(sample, text) for sample, text in pairs]
        shared = [
            shared_prefix_length(self._ids(sample), whole[:-1])
            for (sample, _), whole in zip(pairs, wholes, strict=True)
        ]
        return [sum(values[max(0, start - 1) :]) for values, start in zip(self._score(wholes), shared, strict=True)]

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """See core.Model."""
        return self._score(self._ids(sample) for sample in samples)

    @cached_property
    def _checkpoint(self) -> HuggingFace:
        """Config, tokenizer and dtype of the same checkpoint; its weights are never loaded here."""
        device = "cpu" if self._on_cpu else "cuda"
        return HuggingFace(self.path, self.dtype, device, max_length_override=self.max_length_override)

    @cached_property
    def _on_cpu(self) -> bool:
        import torch

        return not torch.cuda.is_available()

    @cached_property
    def _end_tokens(self) -> set[int]:
        """Those of `hf`."""
        return end_tokens_of_checkpoint(local_path(self.path), self._checkpoint.config, self.tokenizer.owner)

    @cached_property
    def _engine(self) -> VLLMEngine:
        return VLLMEngine(
            str(local_path(self.path)),
            self._checkpoint.describe()["dtype"],
            self.max_length,
            self.tensor_parallel_size,
            self.gpu_memory_utilization,
            self._on_cpu,
        )

    def _ids(self, sample: Sample, text: str = "") -> list[int]:
        return self.tokenizer.prompt_ids(sample.prompt + text, plain=sample.chat is None)

    def _limits(self, sample: Sample) -> Params:
        stops = early_stops(sample, self.tokenizer)
        return {
            "max_tokens": sample.budget,
            "stop_token_ids": sorted(self._end_tokens | self._turn_ends(sample)),
            "stop": stops,
            "detokenize": bool(stops),
        }

    def _turn_ends(self, sample: Sample) -> set[int]:
        """The token that ends a turn in a chat, which ends the answer too; none where it may stand in a thought."""
        if sample.chat is None or thought_may_come(sample, self.tokenizer) or self.tokenizer.turn_end is None:
            return set()
        return {self.tokenizer.turn_end}

    def _answer(self, sample: Sample, prompt_tokens: int, output: Completion) -> Answer:
        if output.finish_reason not in ("stop", "length"):
            raise RuntimeError(f"vLLM broke the answer off: finish_reason {output.finish_reason}")
        answer = settled(output.token_ids, sample, self.tokenizer, self._end_tokens)
        return replace(answer, prompt_tokens=prompt_tokens)

    def _score(self, texts: Iterable[list[int]]) -> Iterator[list[float]]:
        """log p of every token but the first, for each text; vLLM computes these without its prefix cache."""
        for batch in _batches(texts, self.batch):
            for ids, output in zip(batch, self._engine.ask([Request(ids, SCORE_PARAMS) for ids in batch]), strict=True):
                logprobs = output.prompt_logprobs or []
                if len(logprobs) != len(ids):
                    raise ModelError(f"vLLM gave {len(logprobs)} log-probabilities of {len(ids)} tokens")
                yield [float((logprobs[place] or {})[ids[place]].logprob) for place in range(1, len(ids))]


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    feed = iter(items)
    while batch := list(islice(feed, size)):
        yield batch

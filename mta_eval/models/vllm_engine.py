"""vLLM's engine in this process: its settings, its start, its answers in order, and a new one after it broke down.

Knows nothing of samples: token ids go in, vLLM's own outputs come out.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import NamedTuple, Protocol

from mta_eval.errors import ModelError, MtaEvalError
from mta_eval.models.error_text import first_line

Params = dict[str, object]  # of vLLM's SamplingParams, beside those of greedy decoding

INSTALL = "pip install 'mta-eval[vllm]', or without a GPU as `make test-vllm` does"
SETTINGS = {  # of the environment, which wins where it says otherwise
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",  # nothing is sent anywhere
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # in this process, so that the same samples are scheduled alike
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # for the one token more than the window, see `_running`
}
CPU_SETTINGS = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; with vLLM's own choice its check of free memory fails now and then
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # this process has other work to do
}
MAX_MESSAGE = 200  # characters of an error's message
CPU_SHARE = 0.3  # of all memory, which the same check wants to find free


class Logprob(Protocol):
    """vLLM's Logprob."""

    logprob: float


class Completion(Protocol):
    """vLLM's CompletionOutput."""

    token_ids: Sequence[int]
    finish_reason: str | None


class EngineOutput(Protocol):
    """vLLM's RequestOutput."""

    prompt_token_ids: Sequence[int] | None
    prompt_logprobs: Sequence[Mapping[int, Logprob] | None] | None
    outputs: Sequence[Completion]


class _Core(Protocol):
    def shutdown(self) -> None: ...


class _LLMEngine(Protocol):
    engine_core: _Core

    def has_unfinished_requests(self) -> bool: ...


class _LLM(Protocol):
    llm_engine: _LLMEngine

    def generate(
        self, prompts: Sequence[Mapping[str, list[int]]], params: Sequence[object], use_tqdm: bool
    ) -> list[EngineOutput]: ...


class Request(NamedTuple):
    """Token ids of a prompt, and its sampling parameters."""

    ids: list[int]
    params: Params


@dataclass(frozen=True)
class VLLMEngine:
    """vLLM's engine for one checkpoint, started at the first request. `window` in tokens; `share` of a GPU's memory."""

    path: str
    dtype: str
    window: int
    gpus: int
    share: float
    on_cpu: bool

    def ask(self, requests: Sequence[Request]) -> Iterator[EngineOutput]:
        """vLLM's outputs, in order. If several requests fail together, each is asked alone and fails for itself.

        Raises ModelError if the engine cannot be started or read other tokens than it was sent.
        """
        try:
            outputs = self._run(requests)
        except MtaEvalError:
            raise
        except Exception:
            if len(requests) == 1:
                raise
            for request in requests:
                yield from self._run([request])
            return
        yield from outputs

    def _run(self, requests: Sequence[Request]) -> list[EngineOutput]:
        engine, params = self._running, importlib.import_module("vllm").SamplingParams
        # not what a model's generation config asks for, as ours are
        greedy = {"temperature": 0.0, "repetition_penalty": 1.0, "ignore_eos": True}
        try:
            outputs = engine.generate(
                [{"prompt_token_ids": request.ids} for request in requests],
                [params(**greedy, **request.params) for request in requests],
                use_tqdm=False,
            )
        except BaseException:
            if engine.llm_engine.has_unfinished_requests():  # it broke down: the next start finds a clean one
                self._stop()
            raise
        read = [list(output.prompt_token_ids or ()) for output in outputs]
        if len(read) != len(requests):
            raise ModelError(f"vLLM gave {len(read)} answers to {len(requests)} prompts")
        for ids, request in zip(read, requests, strict=True):
            if ids != request.ids:
                raise ModelError(f"vLLM read {len(ids)} prompt tokens, and not the {len(request.ids)} that were sent")
        return outputs

    @cached_property
    def _running(self) -> _LLM:
        vllm = import_vllm(self.on_cpu)
        try:
            with _quiet():
                engine: _LLM = vllm.LLM(
                    self.path,
                    dtype=self.dtype,
                    # a prompt that fills the window is scored too, and vLLM always adds a token, which nothing reads
                    max_model_len=self.window + 1,
                    tensor_parallel_size=self.gpus,
                    gpu_memory_utilization=CPU_SHARE if self.on_cpu else self.share,
                    enforce_eager=self.on_cpu,
                    enable_prefix_caching=True,
                    use_tqdm_on_load=False,
                )
                return engine
        except Exception as error:  # vLLM raises many kinds of errors
            raise ModelError(f"vLLM cannot load {self.path!r}: {_reason(error)}{self._advice(error)}") from error

    def _advice(self, error: Exception) -> str:
        if "memory" not in str(error).lower():
            return ""
        room = "VLLM_CPU_KVCACHE_SPACE=GIB in the environment" if self.on_cpu else "gpu_memory_utilization=SHARE"
        return f"; max_length_override=TOKENS asks for less of it, {room} gives more"

    def _stop(self) -> None:
        self.__dict__.pop("_running").llm_engine.engine_core.shutdown()
        gc.collect()
        with _quiet():
            importlib.import_module("vllm.distributed").cleanup_dist_env_and_memory()


def import_vllm(on_cpu: bool) -> ModuleType:
    """The package vllm, quiet unless VLLM_LOGGING_LEVEL is set. Raises ModelError."""
    for name, value in (SETTINGS | CPU_SETTINGS if on_cpu else SETTINGS).items():
        os.environ.setdefault(name, value)
    try:
        with _quiet():
            return importlib.import_module("vllm")
    except ModuleNotFoundError as error:
        if error.name == "vllm":
            raise ModelError(f"vllm: needs the package vllm: {INSTALL}") from error
        raise ModelError(f"the package vllm cannot be imported: {first_line(error)}; {INSTALL}") from error
    except Exception as error:  # a package of hundreds of files and libraries
        raise ModelError(f"the package vllm cannot be imported: {first_line(error)}; {INSTALL}") from error


def _reason(error: Exception) -> str:
    """What went wrong, in one line: of a failed validation (pydantic's) the reason, not that it failed."""
    errors = getattr(error, "errors", None)
    reason = str(errors()[0]["msg"]) if callable(errors) else first_line(error)
    reason = " ".join(reason.split())
    return reason if len(reason) <= MAX_MESSAGE else reason[:MAX_MESSAGE] + "…"


@contextmanager
def _quiet() -> Iterator[None]:
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"].upper())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

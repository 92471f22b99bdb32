"""A stand-in for the package vllm: answers by a known rule, keeps what it was asked, and fails on command."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from fake_server import Brain

Requests = list[tuple[list[int], dict[str, Any]]]


class FakeVLLM:
    """`module` goes into sys.modules. `started` keeps what each engine was started with, `asked` every call."""

    def __init__(self, brain: Brain) -> None:
        self.brain: Any = brain
        self.started: list[dict[str, Any]] = []
        self.stopped = 0
        self.asked: list[Requests] = []
        self.fault: Callable[[Requests], None] = lambda _: None
        self.unfinished = False
        self.change: Callable[[Any], None] = lambda _: None
        self.end = brain.tokenizer.prompt_ids("</s>", plain=False)  # vLLM's token ids hold the end token too
        self.module = ModuleType("vllm")
        self.distributed = ModuleType("vllm.distributed")
        self.module.__dict__.update(
            LLM=self._start, SamplingParams=dict, __version__="0.0.fake", distributed=self.distributed
        )
        self.distributed.__dict__["cleanup_dist_env_and_memory"] = lambda: None

    def _start(self, path: str, **settings: Any) -> Any:
        self.started.append({"path": path, **settings})
        core = SimpleNamespace(shutdown=self._shut_down)
        engine = SimpleNamespace(has_unfinished_requests=lambda: self.unfinished, engine_core=core)
        return SimpleNamespace(generate=self._generate, llm_engine=engine)

    def _shut_down(self) -> None:
        self.stopped += 1
        self.unfinished = False

    def _generate(self, prompts: list[dict[str, Any]], params: list[dict[str, Any]], use_tqdm: bool) -> list[Any]:
        requests = [(prompt["prompt_token_ids"], one) for prompt, one in zip(prompts, params, strict=True)]
        assert not use_tqdm
        self.asked.append(requests)
        self.fault(requests)
        return [self._output(ids, one) for ids, one in requests]

    def _output(self, ids: list[int], params: dict[str, Any]) -> Any:
        text, _, reason = self.brain.answer(ids, params["max_tokens"])
        made = self.brain.tokenizer.encode(text).ids + (self.end if reason == "stop" else [])
        scores = None
        if "prompt_logprobs" in params:
            values = self.brain.logprobs(ids)
            scores = [None, *({token: SimpleNamespace(logprob=values[at])} for at, token in enumerate(ids) if at)]
        output = SimpleNamespace(
            prompt_token_ids=list(ids),
            prompt_logprobs=scores,
            outputs=[SimpleNamespace(token_ids=made, finish_reason=reason)],
        )
        self.change(output)
        return output

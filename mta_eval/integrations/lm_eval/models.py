"""Our models as lm-eval's `LM`: answers by our adapters, log-likelihoods by lm-eval's `HFLM` on the same weights."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from mta_eval import runner
from mta_eval.core import Sample
from mta_eval.errors import LengthError, SpecError
from mta_eval.integrations.lm_eval import model_names
from mta_eval.integrations.lm_eval.question import adapter_of
from mta_eval.models.tokenizer import transformers_tokenizer
from mta_eval.registry import did_you_mean

LOG = logging.getLogger(__name__)


class _AdapterLM(HFLM):
    """lm-eval's arguments: `pretrained` (folder, hub id, spec such as smollm2), the adapter's options, and HFLM's.

    A prompt that does not fit the window with its answer raises LengthError, unless `truncation=True`, which cuts it
    on the left and says so.
    """

    adapter_name: ClassVar[str]

    def __init__(
        self, pretrained: str = "", device: str | None = None, batch_size: int | str | None = 1, **arguments: object
    ) -> None:
        if device and device.startswith("cuda") and not torch.cuda.is_available():
            device = None  # lm-eval's command line says cuda:0 on every machine
        self._adapter: Any = adapter_of(self.adapter_name, arguments | {"pretrained": pretrained, "device": device})
        options = {field.name for field in dataclasses.fields(self._adapter)}
        rest = {key: value for key, value in arguments.items() if key not in options and key != "max_length"}
        known = inspect.signature(HFLM.__init__).parameters
        for key in rest:
            if key not in known:
                raise SpecError(
                    f"--model {self.adapter_name} has no argument {key!r}{did_you_mean(key, [*options, *known])}"
                )
        checkpoint = getattr(self._adapter, "model", self._adapter)
        super().__init__(
            pretrained=checkpoint.weights,
            tokenizer=transformers_tokenizer(checkpoint.path),
            max_length=self._adapter.max_length,
            batch_size=batch_size,
            **rest,
        )
        self._rendered = False

    def apply_chat_template(self, *arguments: object, **options: object) -> str:
        """See lm-eval. From here on prompts have their special tokens written out."""
        self._rendered = True
        return str(super().apply_chat_template(*arguments, **options))

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Greedy answers by our adapter, in order; sampled ones, which it does not give, by HFLM."""
        settings = [normalize_gen_kwargs(dict(request.args[1]), self.max_gen_toks) for request in requests]
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        stops = [handle_stop_sequences(setting.get("until"), eos=eos) for setting in settings]
        budgets = [int(setting["max_gen_toks"]) for setting in settings]
        samples = [self._sample(*arguments) for arguments in zip(requests, budgets, stops, strict=True)]
        if any(setting.get("do_sample") for setting in settings):
            return [str(answer) for answer in super().generate_until(requests, disable_tqdm)]
        answers = []
        for request, stop, reply in zip(requests, stops, self._adapter.generate(samples), strict=True):
            answer = postprocess_generated_text(generation=reply.text, stop=stop, think_end_token=None)
            self.cache_hook.add_partial("generate_until", request.args, answer)
            answers.append(answer)
        return answers

    def _sample(self, request: Instance, budget: int, stop: Sequence[str]) -> Sample:
        prompt = request.args[0]
        rendered = self._rendered or has_bos_prefix(prompt, self.tokenizer.bos_token)
        count = len(self._adapter.tokenizer.prompt_ids(prompt, plain=not rendered))
        sample = Sample(
            id=f"{request.task_name}/{request.doc_id}",
            task=str(request.task_name),
            prompt=prompt,
            targets=(),
            axes={},
            length=count + budget,
            prompt_tokens=count,
            max_new_tokens=budget,
            stop=tuple(text for text in stop if text),
            chat=() if rendered else None,
        )
        return sample if sample.length <= self.max_length else self._truncated(sample)

    def _truncated(self, sample: Sample) -> Sample:
        excess = sample.length - self.max_length
        problem = f"a prompt of {sample.prompt_tokens} tokens and its answer are {excess} more than the window"
        if not self.truncation:
            raise LengthError(
                f"{sample.id}: {problem} of {self.max_length}; shorten it, or cut it on the left with --model_args "
                "truncation=True"
            )
        LOG.warning("%s: %s of %d; cut on the left", sample.id, problem, self.max_length)
        return runner.fit_window(sample, self._adapter, "mark")[0]


@cache
def lm_class(name: str) -> type[_AdapterLM]:
    """lm-eval's model class for one of our adapters of checkpoints, by the adapter's name."""
    return type(
        f"{name.title().replace('_', '')}LM", (_AdapterLM,), {"adapter_name": name, "__doc__": f"`--model {name}`."}
    )


def __getattr__(name: str) -> type[_AdapterLM]:
    """`models.mta` is `lm_class("mta")`: lm-eval's table names classes as attributes of modules."""
    if name not in model_names():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return lm_class(name)

"""Any of our models as lm-eval's `LM`, for log-likelihoods alone: what multiple-choice tasks and LAMBADA need."""

from __future__ import annotations

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from mta_eval.core import Model, Sample
from mta_eval.errors import ModelError


class AskedModel(LM):
    """`core.Model` inside lm-eval. It cannot say whether an answer is the greedy one, so it never says so."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:  # noqa: ARG002
        """log p(continuation | context) of each request, in order. Raises ModelError for what passes the window."""
        pairs = [(self._sample(request), str(request.args[1])) for request in requests]
        return [(value, False) for value in self._model.loglikelihood(pairs)]

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Not asked by any benchmark here; our own perplexity task reads texts."""
        raise NotImplementedError

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Not asked by any benchmark here; our own tasks are asked without lm-eval."""
        raise NotImplementedError

    def _sample(self, request: Instance) -> Sample:
        prompt, text = str(request.args[0]), str(request.args[1])
        tokenizer = self._model.tokenizer
        count = len(tokenizer.encode(prompt).ids) + tokenizer.specials[0]
        added = len(tokenizer.encode(prompt + text).ids) - len(tokenizer.encode(prompt).ids)
        if count + added > self._model.max_length:
            raise ModelError(
                f"{request.task_name}/{request.doc_id} has {count + added} tokens, more than the window of "
                f"{self._model.max_length}"
            )
        name = f"{request.task_name}/{request.doc_id}"
        return Sample(name, str(request.task_name), prompt, (), {}, count + added, count, 0)

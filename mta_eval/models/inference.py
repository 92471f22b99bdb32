"""Answers and log-likelihoods of a causal language model in transformers' form. Knows nothing of tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mta_eval.core import Sample
from mta_eval.models.answer import Answer
from mta_eval.models.prefill import Prefill, State, out_of_memory
from mta_eval.models.tokenizer import FastTokenizer, shared_tokens

if TYPE_CHECKING:
    import torch

TOGETHER = 8  # samples taken ahead and answered at once, at most
LOGITS = 2**29  # bytes made at once where those of every token are wanted
ROWS = 128  # of logits widened at once


class TorchModel:
    """Greedy decoding and log-likelihoods for a causal language model in transformers' form.

    `model(input_ids, past_key_values, logits_to_keep)` must return logits (1, kept, vocabulary) and the cache. With
    `reuse` the tokens that a prompt shares with the one before it are computed once, and several answers are decoded
    at once; without it every prompt is read from its start and answered alone. The answers are the same in float32; in
    half precision the sums round otherwise, and an answer that hangs on a near tie may change (bench/evaluation.py
    counts them).
    """

    def __init__(self, model: Any, tokenizer: FastTokenizer, end_tokens: set[int], reuse: bool = True) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._end_tokens = end_tokens
        self._prefill = Prefill(model, reuse)
        self._in_rows = reuse

    @property
    def prefilled_tokens(self) -> int:
        """How many tokens of prompts were computed so far."""
        return self._prefill.prefilled_tokens

    def generate(self, samples: Iterable[Sample]) -> Iterator[str]:
        """Greedy answers: up to max_new_tokens, ended by an end token or one of the sample's stop strings.

        Takes up to TOGETHER samples ahead and answers them at once, where the model and memory allow it.
        """
        try:
            for group in groups(samples, TOGETHER if self._in_rows else 1):
                yield from self._answer_group(group)
        finally:
            self._prefill.forget()

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """log p(text | prompt), summed over the tokens that each text adds to its prompt (nats)."""
        import torch

        with torch.inference_mode():
            return [self._log_probability(sample, text) for sample, text in pairs]

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """For each sample log p (nats) of every token of its prompt but the first, given those before it."""
        for sample in samples:
            yield self._every_token(self._ids(sample))

    def _every_token(self, ids: list[int]) -> list[float]:
        import torch

        while True:
            found: list[float] = []
            try:
                with torch.inference_mode():
                    for logits in self._prefill.in_pieces(ids, self._rows):
                        following = ids[len(found) + 1 : len(found) + 1 + len(logits)]
                        found += log_probabilities(logits[: len(following)], following)
                return found
            except RuntimeError as error:
                if not out_of_memory(error) or min(self._rows, len(ids)) <= ROWS:
                    raise
            self._rows = min(self._rows, len(ids)) // 2
            print(f"mta-eval: out of memory; texts are read {self._rows} tokens at a time", file=sys.stderr)

    @cached_property
    def _rows(self) -> int:
        """How many rows of logits are made at once."""
        row = self._model.config.get_text_config().vocab_size * self._model.dtype.itemsize
        return max(ROWS, LOGITS // int(row))

    def _answer_group(self, group: list[Sample]) -> Iterator[str]:
        import torch

        prompts = [self._ids(sample) for sample in group]
        answers = [Answer(sample, self._tokenizer, self._end_tokens) for sample in group]
        while answers:
            with torch.inference_mode():
                count = self._answer_some(prompts, answers)
            yield from (answer.text for answer in answers[:count])
            prompts, answers = prompts[count:], answers[count:]

    def _answer_some(self, prompts: list[list[int]], answers: list[Answer]) -> int:
        """Answer the first prompt, and those of the next that go with it; how many."""
        from mta_eval.models import own_attention, rows

        logits, state = self._prefill.read(prompts[0])
        answers[0].take(int(logits[-1].argmax()))
        failed = False
        if len(prompts) > 1 and self._in_rows:
            try:
                if count := rows.answer(self._model, self._prefill, prompts, answers, state):
                    return count
            except Exception as error:  # each alone does without it, or shows whose failure it is
                if not isinstance(error, own_attention.UnfitError):
                    print(f"mta-eval: {_told(error)}", file=sys.stderr)
                self._in_rows = not isinstance(error, own_attention.UnfitError) and not out_of_memory(error)
                failed = True
        if failed:
            for answer in answers:
                answer.restart()
            return self._answer_some(prompts[:1], answers[:1])
        self._decode(prompts[0], answers[0], state)
        return 1

    def _decode(self, prompt: list[int], answer: Answer, state: State) -> None:
        while not answer.done:
            # a model without a cache reads everything again
            logits, state = self._prefill.step(answer.tokens[-1:] if state else prompt + answer.tokens, state)
            answer.take(int(logits[-1].argmax()))

    def _log_probability(self, sample: Sample, text: str) -> float:
        # encoded as one text: some tokenizers cut an answer differently when it stands alone
        whole = self._tokenizer.prompt_ids(sample.prompt + text, plain=sample.chat is None)
        common = shared_tokens(self._ids(sample), whole[:-1])
        logits, _ = self._prefill.read(whole, len(whole) - common + 1)
        return sum(log_probabilities(logits[:-1], whole[common:]))

    def _ids(self, sample: Sample) -> list[int]:
        return self._tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)


def _told(error: Exception) -> str:
    """What is said where several samples could not be answered together."""
    if out_of_memory(error):
        return "out of memory; samples are answered one at a time from here on"
    return f"samples that could not be answered together are answered one at a time ({type(error).__name__}: {error})"


def log_probabilities(logits: torch.Tensor, ids: list[int]) -> list[float]:
    """log p (nats) of each of `ids` from its row of logits (tokens, vocabulary)."""
    import torch

    found: list[float] = []
    for part, following in zip(
        torch.split(logits, ROWS), torch.split(torch.tensor(ids, device=logits.device), ROWS), strict=True
    ):
        wide = part.to(torch.promote_types(part.dtype, torch.float32))
        chosen = wide.gather(1, following[:, None])[:, 0] - wide.logsumexp(-1)
        found += chosen.tolist()
    return found


def groups(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    """Samples, up to `size` at once; where one cannot be made, those before it are handed out before that is raised."""
    group: list[Sample] = []
    feed = iter(samples)
    while True:
        try:
            group.append(next(feed))
        except StopIteration:
            break
        except BaseException:
            if group:
                yield group
            raise
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group

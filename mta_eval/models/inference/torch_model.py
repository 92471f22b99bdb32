"""Answers and log-likelihoods of a causal language model in transformers' form. Knows nothing of tasks."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from mta_eval.core import Answer, Sample
from mta_eval.models.inference.batching import logits_of_suffixes
from mta_eval.models.inference.causal_lm import CausalLM
from mta_eval.models.inference.decoding import decode_batch, decode_one, likeliest
from mta_eval.models.inference.growing_answer import GrowingAnswer
from mta_eval.models.inference.prefill import Prefill, is_out_of_memory
from mta_eval.models.token_ids import shared_prefix_length
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.printable import say

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

BATCH = 8  # samples taken ahead and answered at once, at most
LOGITS_MEMORY = 2**29  # bytes computed at once where logits of every token are needed
LOGITS_ROWS = 128  # rows of logits widened at once


class TorchModel:
    """Greedy decoding and log-likelihoods for a causal language model in transformers' form.

    With `reuse` the tokens that a prompt shares with the one before it are computed once, and several answers are
    decoded at once, with tokens drafted from the prompt; without it every prompt is read from its start and answered
    alone, a token at a time. The answers are the same in float32; in half precision sums round differently, and an
    answer that depends on a near tie may change (bench/evaluation.py counts them).
    """

    def __init__(self, model: CausalLM, tokenizer: FastTokenizer, end_tokens: set[int], reuse: bool = True) -> None:
        self.model = model
        self._tokenizer = tokenizer
        self._end_tokens = end_tokens
        self._prefill = Prefill(model, reuse)
        self._batching = self._lookup = reuse

    @property
    def prefilled_tokens(self) -> int:
        """How many tokens of prompts were computed so far."""
        return self._prefill.prefilled_tokens

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """Greedy answers: up to max_new_tokens, ended by an end token or one of the sample's stop strings.

        Takes up to BATCH samples ahead and answers them at once, where the model and memory allow it.
        """
        try:
            answers = map(self._begin, samples)
            for batch in batches(answers, BATCH if self._batching else 1):
                yield from self._answer_batch(batch)
        finally:
            self._prefill.clear()

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """log p(text | prompt), summed over the tokens that each text adds to its prompt (nats)."""
        import torch

        values: list[float] = []
        with torch.inference_mode():
            for sample, same in groupby(pairs, key=lambda pair: pair[0]):
                texts = [text for _, text in same]
                for first in range(0, len(texts), BATCH):
                    values += self._loglikelihoods(sample, texts[first : first + BATCH])
        return values

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """For each sample log p (nats) of every token of its prompt but the first, given those before it."""
        for sample in samples:
            yield self._token_loglikelihoods(self._ids(sample))

    def _token_loglikelihoods(self, ids: list[int]) -> list[float]:
        import torch

        while True:
            values: list[float] = []
            try:
                with torch.inference_mode():
                    for logits in self._prefill.in_pieces(ids, self._logits_rows):
                        following = ids[len(values) + 1 : len(values) + 1 + len(logits)]
                        values += log_probabilities(logits[: len(following)], following)
                return values
            except RuntimeError as error:
                if not is_out_of_memory(error) or min(self._logits_rows, len(ids)) <= LOGITS_ROWS:
                    raise
            self._logits_rows = min(self._logits_rows, len(ids)) // 2
            say(f"out of memory; texts are read {self._logits_rows} tokens at a time")

    @cached_property
    def _logits_rows(self) -> int:
        """How many rows of logits are computed at once."""
        row = self.model.config.get_text_config().vocab_size * self.model.dtype.itemsize
        return max(LOGITS_ROWS, LOGITS_MEMORY // int(row))

    def _answer_batch(self, answers: list[GrowingAnswer]) -> Iterator[Answer]:
        import torch

        while answers:
            with torch.inference_mode():
                count = self._answer_first(answers)
            yield from (answer.result() for answer in answers[:count])
            answers = answers[count:]

    def _answer_first(self, answers: list[GrowingAnswer]) -> int:
        """Finish the first answer, and as many of the next as go together with it; returns how many."""
        if count := self._try_batched(lambda: decode_batch(self.model, self._prefill, answers)) or 0:
            return count
        for answer in answers:
            answer.restart()
        logits, state = self._prefill.read(answers[0].prompt_ids)
        answers[0].append(*likeliest(logits[-1:]))
        decode_one(self.model, self._prefill, answers[0], state, self._lookup)
        return 1

    def _loglikelihoods(self, sample: Sample, texts: list[str]) -> list[float]:
        """log p of each text after the sample's prompt."""
        # encoded as one text: some tokenizers cut an answer differently when it stands alone
        wholes = [self._tokenizer.prompt_ids(sample.prompt + text, plain=sample.chat is None) for text in texts]
        prompt = self._ids(sample)
        counts = [len(whole) - shared_prefix_length(prompt, whole[:-1]) + 1 for whole in wholes]
        logits = self._try_batched(lambda: logits_of_suffixes(self.model, self._prefill, wholes, counts)) or []
        for whole, count in zip(wholes[len(logits) :], counts[len(logits) :], strict=True):
            logits.append(self._prefill.read(whole, count)[0])
        return [
            sum(log_probabilities(part[:-1], whole[1 - count :]))
            for part, whole, count in zip(logits, wholes, counts, strict=True)
        ]

    def _try_batched(self, compute: Callable[[], T]) -> T | None:
        """What is computed for several prompts at once; None where that fails, so that each is tried alone."""
        from mta_eval.models.inference.replaced_attention import UnsupportedAttentionError

        if not self._batching:
            return None
        try:
            return compute()
        except Exception as error:
            if not isinstance(error, UnsupportedAttentionError):
                say(_warning(error))
            self._batching = not isinstance(error, UnsupportedAttentionError) and not is_out_of_memory(error)
            return None

    def _begin(self, sample: Sample) -> GrowingAnswer:
        answer = GrowingAnswer(sample, self._tokenizer, self._end_tokens)
        self._check(answer.prompt_ids)
        return answer

    def _ids(self, sample: Sample) -> list[int]:
        ids = self._tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)
        self._check(ids)
        return ids

    def _check(self, ids: list[int]) -> None:
        """Raises ValueError for a token that the model has no embedding of; on a GPU that would break the process."""
        if ids and (highest := max(ids)) >= self._embeddings:
            raise ValueError(
                f"token {highest} ({self._tokenizer.decode_all([highest])!r}) is beyond the model's {self._embeddings} "
                "embeddings: this tokenizer is not the one of these weights"
            )

    @cached_property
    def _embeddings(self) -> int:
        embeddings = getattr(self.model, "get_input_embeddings", lambda: None)()
        return sys.maxsize if embeddings is None else int(embeddings.weight.shape[0])


def _warning(error: Exception) -> str:
    """The warning where several samples could not be answered together."""
    if is_out_of_memory(error):
        return "out of memory; samples are answered one at a time from here on"
    return f"samples that could not be answered together are answered one at a time ({type(error).__name__}: {error})"


def log_probabilities(logits: torch.Tensor, ids: list[int]) -> list[float]:
    """log p (nats) of each of `ids` from its row of logits (tokens, vocabulary); NaN where a logit is NaN or infinite.

    Logits of -inf are no fault: some models mask tokens so.
    """
    import torch

    values: list[float] = []
    for part, following in zip(
        torch.split(logits, LOGITS_ROWS), torch.split(torch.tensor(ids, device=logits.device), LOGITS_ROWS), strict=True
    ):
        wide = part.to(torch.promote_types(part.dtype, torch.float32))
        whole = wide.logsumexp(-1)
        chosen = wide.gather(1, following[:, None])[:, 0] - whole
        values += chosen.masked_fill(~whole.isfinite(), math.nan).tolist()
    return values


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items, up to `size` at once; where making one raises, those before it are yielded before that is raised."""
    batch: list[T] = []
    feed = iter(items)
    while True:
        try:
            batch.append(next(feed))
        except StopIteration:
            break
        except BaseException:
            if batch:
                yield batch
            raise
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

"""Answers and log-likelihoods of a causal language model in transformers' form. Knows nothing of tasks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from mta_eval.core import Answer, Sample
from mta_eval.models.inference import decoding
from mta_eval.models.inference.batching import logits_of_ends
from mta_eval.models.inference.growing_answer import GrowingAnswer
from mta_eval.models.inference.prefill import Prefill, out_of_memory
from mta_eval.models.tokenizer import FastTokenizer, shared_tokens

if TYPE_CHECKING:
    import torch

Found = TypeVar("Found")

TOGETHER = 8  # samples taken ahead and answered at once, at most
LOGITS = 2**29  # bytes made at once where those of every token are wanted
ROWS = 128  # of logits widened at once


class TorchModel:
    """Greedy decoding and log-likelihoods for a causal language model in transformers' form.

    `model(input_ids, past_key_values, logits_to_keep)` must return logits (1, kept, vocabulary) and the cache. With
    `reuse` the tokens that a prompt shares with the one before it are computed once, and several answers are decoded
    at once, with tokens guessed from the prompt; without it every prompt is read from its start and answered alone, a
    token at a time. The answers are the same in float32; in half precision the sums round otherwise, and an answer that
    hangs on a near tie may change (bench/evaluation.py counts them).
    """

    def __init__(self, model: Any, tokenizer: FastTokenizer, end_tokens: set[int], reuse: bool = True) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._end_tokens = end_tokens
        self._prefill = Prefill(model, reuse)
        self._in_rows = self._guessing = reuse

    @property
    def prefilled_tokens(self) -> int:
        """How many tokens of prompts were computed so far."""
        return self._prefill.prefilled_tokens

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """Greedy answers: up to max_new_tokens, ended by an end token or one of the sample's stop strings.

        Takes up to TOGETHER samples ahead and answers them at once, where the model and memory allow it.
        """
        try:
            begun = (GrowingAnswer(sample, self._tokenizer, self._end_tokens) for sample in samples)
            for answers in groups(begun, TOGETHER if self._in_rows else 1):
                yield from self._answer_group(answers)
        finally:
            self._prefill.forget()

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """log p(text | prompt), summed over the tokens that each text adds to its prompt (nats)."""
        import torch

        found: list[float] = []
        with torch.inference_mode():
            for sample, same in groupby(pairs, key=lambda pair: pair[0]):
                texts = [text for _, text in same]
                for first in range(0, len(texts), TOGETHER):
                    found += self._log_probabilities(sample, texts[first : first + TOGETHER])
        return found

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

    def _answer_group(self, answers: list[GrowingAnswer]) -> Iterator[Answer]:
        import torch

        while answers:
            with torch.inference_mode():
                count = self._answer_some(answers)
            yield from (answer.finished() for answer in answers[:count])
            answers = answers[count:]

    def _answer_some(self, answers: list[GrowingAnswer]) -> int:
        """GrowingAnswer the first prompt, and those of the next that go with it; how many."""
        if count := self._tried(lambda: decoding.together(self._model, self._prefill, answers)) or 0:
            return count
        for answer in answers:
            answer.restart()
        logits, state = self._prefill.read(answers[0].prompt)
        answers[0].take(int(logits[-1].argmax()))
        decoding.alone(self._model, self._prefill, answers[0], state, self._guessing)
        return 1

    def _log_probabilities(self, sample: Sample, texts: list[str]) -> list[float]:
        """log p of each text after the sample's prompt."""
        # encoded as one text: some tokenizers cut an answer differently when it stands alone
        wholes = [self._tokenizer.prompt_ids(sample.prompt + text, plain=sample.chat is None) for text in texts]
        prompt = self._ids(sample)
        wanted = [len(whole) - shared_tokens(prompt, whole[:-1]) + 1 for whole in wholes]
        logits = self._tried(lambda: logits_of_ends(self._model, self._prefill, wholes, wanted)) or []
        for whole, count in zip(wholes[len(logits) :], wanted[len(logits) :], strict=True):
            logits.append(self._prefill.read(whole, count)[0])
        return [
            sum(log_probabilities(part[:-1], whole[1 - count :]))
            for part, whole, count in zip(logits, wholes, wanted, strict=True)
        ]

    def _tried(self, ask: Callable[[], Found]) -> Found | None:
        """What is found out of several prompts at once; None where that fails: each alone shows whose failure it is."""
        from mta_eval.models.inference.replaced_attention import UnfitError

        if not self._in_rows:
            return None
        try:
            return ask()
        except Exception as error:
            if not isinstance(error, UnfitError):
                print(f"mta-eval: {_told(error)}", file=sys.stderr)
            self._in_rows = not isinstance(error, UnfitError) and not out_of_memory(error)
            return None

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


def groups(things: Iterable[Found], size: int) -> Iterator[list[Found]]:
    """Things, up to `size` at once; where one cannot be made, those before it are handed out before that is raised."""
    group: list[Found] = []
    feed = iter(things)
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

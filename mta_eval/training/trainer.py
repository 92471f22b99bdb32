"""The training loop: rows of tokens -> a trained model. Knows no task and no file, so it can be stopped anywhere.

Under torchrun every process takes its share of each global batch; gradients and held-out errors are summed, so that
the number of processes changes nothing but the order of sums (and, where there is dropout, its masks).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from mta_eval.core import generator
from mta_eval.errors import ModelError
from mta_eval.training.processes import Share
from mta_eval.training.rows import RowBatch, Rows, Stage, StagedRows


@dataclass(frozen=True)
class Schedule:
    """How a model is trained: steps of `batch` rows with AdamW. `rows` 0 means that no row is seen twice.

    `at_once` rows of a batch go through the model together, and gradients are summed; 0: all of them.
    """

    steps: int
    batch: int = 64
    learning_rate: float = 1e-4
    warmup: int = 0
    decay: float = 0.0  # the last share of the steps, over which the learning rate falls to 0 in a straight line
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 1.0
    rows: int = 0
    evaluate_every: int = 100
    held_out: int = 500
    tested: int = 1000  # rows that are asked at the end
    at_once: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of step `step`, from 1."""
        rising = min(1.0, step / self.warmup) if self.warmup else 1.0
        left = (self.steps + 1 - step) / self.steps
        return self.learning_rate * rising * (min(1.0, left / self.decay) if self.decay else 1.0)


class DivergedError(ModelError):
    """A training whose loss is no longer a number."""


class HeldOutErrors(NamedTuple):
    """Of answers to held-out rows: mean loss of a token (nats), shares of wrong tokens and of answers not all right."""

    loss: float
    tokens: float
    answers: float


class Progress(NamedTuple):
    """Where a training stands after an evaluation; `loss` is the mean over the steps since the last one."""

    step: int
    loss: float
    rate: float
    seconds: float
    held_out: HeldOutErrors


class Trainer:
    """A model in training: `run` goes on from `step`, the number of steps done, and can be left after any yield."""

    def __init__(
        self, model: nn.Module, rows: Rows, schedule: Schedule, seed: int, share: Share, workers: int = 0
    ) -> None:
        if share.world > schedule.batch:
            raise ModelError(f"{share.world} processes cannot share batches of {schedule.batch} rows; start fewer")
        self.model, self.rows, self.schedule, self.seed, self.share = model, rows, schedule, seed, share
        self.step, self.seconds, self._workers = 0, 0.0, workers
        self.device = next(model.parameters()).device
        self.trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.trained.values(),
            lr=schedule.learning_rate,
            betas=schedule.betas,
            eps=schedule.eps,
            weight_decay=schedule.weight_decay,
        )

    def run(self, on_step: Callable[[int, float], None] | None = None) -> Iterator[Progress]:
        """Train to the end, with an evaluation every `evaluate_every` steps and after the last.

        `on_step(step, loss)` is called after every step. Raises DivergedError if the loss is no longer a number.
        """
        schedule, losses, began = self.schedule, [], time.perf_counter() - self.seconds
        for batch in self._batches():
            losses.append(self._advance(batch))
            if on_step is not None:
                on_step(self.step, losses[-1])
            if self.step % schedule.evaluate_every == 0 or self.step == schedule.steps:
                held_out = self.evaluate("validation", schedule.held_out)
                self._check(held_out.loss)
                self.seconds = time.perf_counter() - began
                mean = math.fsum(losses) / len(losses)
                yield Progress(self.step, mean, schedule.rate(self.step), self.seconds, held_out)
                losses = []

    @torch.no_grad()
    def evaluate(
        self, stream: Literal["validation", "test"], count: int, other_rows: Rows | None = None
    ) -> HeldOutErrors:
        """Errors on rows that are never trained on, the answer's earlier tokens given (teacher forcing).

        `other_rows` are asked in place of those of the training.
        """
        self.model.eval()
        rows, at_once = other_rows or self.rows, self.schedule.at_once or self.schedule.batch
        totals = torch.zeros(5, dtype=torch.float64)
        for first in range(self.share.rank, count, self.share.world * at_once):
            indices = range(first, count, self.share.world)[:at_once]
            batch = rows.batch(stream, indices)
            says = self._predict(batch, batch.answers)
            wrong = says.logits.argmax(-1) != says.tokens
            loss = F.cross_entropy(says.logits, says.tokens, reduction="sum")
            answers, wrong_answers = set(says.answers.tolist()), set(says.answers[wrong.cpu()].tolist())
            counts = torch.tensor([len(wrong_answers), len(wrong), len(answers)])
            totals += torch.cat((torch.stack((loss, wrong.sum())).double().cpu(), counts))
        loss, tokens, wrong_answers, token_count, answer_count = self._over_processes(totals).tolist()
        asked, asked_answers = max(token_count, 1), max(answer_count, 1)  # few rows may leave a process without any
        return HeldOutErrors(loss / asked, tokens / asked, wrong_answers / asked_answers)

    def _advance(self, batch: RowBatch) -> float:
        """One step on this process's rows of the batch; returns the loss over all rows of it."""
        self.step += 1
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        total = float(self._over_processes(batch.weights.sum().double()))
        if not total:
            raise ModelError(f"the rows of step {self.step} have no token to predict; give longer texts")
        self.optimizer.zero_grad()
        batch_loss = torch.zeros((), dtype=torch.float64)
        at_once = self.schedule.at_once or len(batch.tokens)
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(generator(self.seed, "dropout", self.step, self.share.rank).getrandbits(63))
            for first in range(0, len(batch.tokens), at_once):
                part = batch.part(first, first + at_once)
                says = self._predict(part, part.weights)
                losses = F.cross_entropy(says.logits, says.tokens, reduction="none")
                loss = (losses * says.weights).sum() / total
                loss.backward()  # type: ignore[no-untyped-call]
                batch_loss += loss.detach().cpu()
        mean = float(self._over_processes(batch_loss))
        self._check(mean)
        self._sum_gradients()
        nn.utils.clip_grad_norm_(self.trained.values(), self.schedule.clip)
        self.optimizer.step()
        return mean

    def _over_processes(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of `values`, on the CPU in float64, which not every device has."""
        return values if self.share.world == 1 else self.share.sum(values.to(self.device))

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergedError(f"the loss of step {self.step} is {loss}; a lower learning rate may help")

    def _predict(self, batch: RowBatch, chosen: torch.Tensor) -> _Predictions:
        """What the model says of the tokens of `batch` where `chosen` (B, T) is not 0; a row's first token is not."""
        asked = chosen[:, 1:] != 0
        rows, places = asked.nonzero(as_tuple=True)  # found before anything is on a GPU, which would be waited for
        first = int(places.min()) if len(places) else 0
        answers = batch.answers[:, 1:][asked] + rows * (batch.tokens.shape[1] + 1)  # apart over rows
        tokens, weights = batch.tokens[:, 1:][asked], batch.weights[:, 1:][asked]
        documents = {} if batch.documents is None else {"attention_mask": batch.documents.to(self.device)}
        half = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        with torch.autocast("cuda", torch.bfloat16) if half else nullcontext():
            kept = batch.tokens.shape[1] - first
            inputs = batch.tokens.to(self.device)
            logits = self.model(inputs, use_cache=False, logits_to_keep=kept, **documents).logits
        picked = logits[rows.to(self.device), (places - first).to(self.device)].float()
        return _Predictions(picked, tokens.to(self.device), weights.to(self.device), answers)

    def _sum_gradients(self) -> None:
        if self.share.world == 1:
            return
        gradients = [parameter.grad for parameter in self.trained.values() if parameter.grad is not None]
        flat = self.share.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _batches(self) -> Iterator[RowBatch]:
        """This process's rows of every batch that is left, made beforehand by `workers` processes if there are any."""
        batches = _Batches(self.rows, self.schedule, self.share)
        steps = range(self.step, self.schedule.steps)
        return iter(DataLoader(batches, batch_size=None, sampler=steps, num_workers=self._workers))


class _Predictions(NamedTuple):
    """Of N tokens: logits (N, vocabulary) in float32, the tokens, their weights, and the numbers of their answers."""

    logits: torch.Tensor
    tokens: torch.Tensor
    weights: torch.Tensor
    answers: torch.Tensor  # on the CPU


class _Batches(Dataset[RowBatch]):
    def __init__(self, rows: Rows, schedule: Schedule, share: Share) -> None:
        self.rows, self.schedule, self.share = rows, schedule, share

    def __getitem__(self, step: int) -> RowBatch:
        stage, first = Stage(self.schedule.steps, self.schedule.batch, self.rows), step * self.schedule.batch
        if isinstance(self.rows, StagedRows):
            stage, first = self.rows.stage(step)
        indices = range(first + self.share.rank, first + stage.batch, self.share.world)
        return stage.rows.batch("training", [index % (self.schedule.rows or index + 1) for index in indices])

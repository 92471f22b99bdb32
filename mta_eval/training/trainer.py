"""The training loop: rows of tokens -> a trained model. Knows no task and no file, so it can be stopped anywhere.

Under torchrun every process takes its share of each global batch; gradients and held-out errors are summed, so that
the number of processes changes nothing but the order of sums (and, where there is dropout, its masks).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import distributed, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from mta_eval.core import generator
from mta_eval.errors import ModelError


@dataclass(frozen=True)
class Schedule:
    """How a model is trained: steps of `batch` rows with AdamW. `rows` 0 means that no row is seen twice."""

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

    def rate(self, step: int) -> float:
        """The learning rate of step `step`, from 1."""
        rising = min(1.0, step / self.warmup) if self.warmup else 1.0
        left = (self.steps + 1 - step) / self.steps
        return self.learning_rate * rising * (min(1.0, left / self.decay) if self.decay else 1.0)


class DivergedError(ModelError):
    """A training whose loss is no longer a number."""


class Rows(Protocol):
    """Rows of tokens, all of one length, the same for the same arguments."""

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """The places of each answer's tokens, as many for every answer, counted from the row's end: -1 is its last.

        The loss and the errors are about these tokens alone.
        """

    def __call__(self, stream: Literal["training", "validation", "test"], index: int) -> list[int]: ...


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


@dataclass(frozen=True)
class Share:
    """Which part of each batch this process takes."""

    rank: int = 0
    world: int = 1

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of `values` over all processes."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def barrier(self) -> None:
        """Wait for the other processes."""
        if self.world > 1:
            distributed.barrier()


@contextmanager
def processes(device: str) -> Iterator[tuple[Share, torch.device]]:
    """This process's share and device: all of the work, or a part of it where torchrun started several."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    place = torch.device(device)
    if world == 1:
        yield Share(), place
        return
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Share(rank, world), place
        distributed.barrier()  # who leaves early breaks the others' connections
    finally:
        distributed.destroy_process_group()


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
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
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
        rows = other_rows or self.rows
        totals = torch.zeros(3, dtype=torch.float64)
        for first in range(self.share.rank, count, self.share.world * self.schedule.batch):
            indices = range(first, count, self.share.world)[: self.schedule.batch]
            logits, answers = self._answer(_tensor(rows, stream, indices), rows)
            wrong = logits.argmax(-1) != answers
            loss = F.cross_entropy(logits.flatten(0, 2), answers.flatten(), reduction="sum")
            totals += torch.stack((loss, wrong.sum(), wrong.any(2).sum())).double().cpu()
        loss, tokens, wrong_answers = self.share.sum(totals.to(self.device)).tolist()
        token_count = count * _answer_tokens(rows)
        return HeldOutErrors(loss / token_count, tokens / token_count, wrong_answers / (count * len(rows.answers)))

    def _advance(self, batch: torch.Tensor) -> float:
        """One step on this process's rows of the batch; returns the loss over all rows of it."""
        self.step += 1
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(generator(self.seed, "dropout", self.step, self.share.rank).getrandbits(63))
            logits, answers = self._answer(batch, self.rows)
        token_count = self.schedule.batch * _answer_tokens(self.rows)
        loss = F.cross_entropy(logits.flatten(0, 2), answers.flatten(), reduction="sum") / token_count
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        batch_loss = float(self.share.sum(loss.detach()))
        self._check(batch_loss)
        self._sum_gradients()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        self.optimizer.step()
        return batch_loss

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergedError(f"the loss of step {self.step} is {loss}; a lower learning rate may help")

    def _answer(self, batch: torch.Tensor, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, answers, tokens, vocabulary) in float32 for the answers (B, answers, tokens) of rows (B, T)."""
        batch, places = batch.to(self.device), torch.tensor(rows.answers, device=self.device)
        tail = -int(min(map(min, rows.answers)))  # tokens from the first that is asked to the row's end
        half = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        with torch.autocast("cuda", torch.bfloat16) if half else nullcontext():
            logits = self.model(batch, use_cache=False, logits_to_keep=tail + 1).logits[:, :-1]
        return logits[:, tail + places].float(), batch[:, places]

    def _sum_gradients(self) -> None:
        if self.share.world == 1:
            return
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        flat = self.share.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _batches(self) -> Iterator[torch.Tensor]:
        """This process's rows of every batch that is left, made beforehand by `workers` processes if there are any."""
        batches = _Batches(self.rows, self.schedule, self.share)
        steps = range(self.step, self.schedule.steps)
        return iter(DataLoader(batches, batch_size=None, sampler=steps, num_workers=self._workers))


class _Batches(Dataset[torch.Tensor]):
    def __init__(self, rows: Rows, schedule: Schedule, share: Share) -> None:
        self.rows, self.schedule, self.share = rows, schedule, share

    def __getitem__(self, step: int) -> torch.Tensor:
        first, batch = step * self.schedule.batch, self.schedule.batch
        indices = range(first + self.share.rank, first + batch, self.share.world)
        return _tensor(self.rows, "training", [index % (self.schedule.rows or index + 1) for index in indices])


def _answer_tokens(rows: Rows) -> int:
    """Of a row."""
    return len(rows.answers) * len(rows.answers[0])


def _tensor(rows: Rows, stream: Literal["training", "validation", "test"], indices: range | list[int]) -> torch.Tensor:
    return torch.tensor([rows(stream, index) for index in indices])

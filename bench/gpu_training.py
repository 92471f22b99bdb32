"""Letter-block training on a card, for `gpu.py`: rows made beforehand, and one step as a CUDA graph."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BATCH = 64
ANSWER = 6  # 5 letters and EOS
_tables: dict[str, torch.Tensor] = {}


@contextmanager
def path_of(name: str) -> Iterator[None]:
    """Within it, layers with kernels run on that path: "auto", which is fused kernels on a card, or "tiles"."""
    from mta_eval.attention import kernel_layer

    paths = dict(kernel_layer.PATHS)
    kernel_layer.PATHS["sdpa"] = name  # type: ignore[assignment]
    try:
        yield
    finally:
        kernel_layer.PATHS.update(paths)


def recipe_of(attention: Any, steps: int, seed: int = 42) -> Any:
    """The paper's preset for so many steps."""
    from mta_eval.training.recipes import recipe_for

    changes = {"steps": steps, "evaluate_every": 10**9, "batch": BATCH}
    return recipe_for(["letter_blocks"], attention, "paper", seed, changes)


def model_of(recipe: Any, device: str) -> nn.Module:
    """The recipe's model before its first step."""
    return recipe.new_model(recipe.tokenizer()).to(device)


def _make_rows(job: tuple[str, int, int]) -> np.ndarray:
    from mta_eval import registry
    from mta_eval.training.letter_block_recipe import TaskRows

    stream, first, last = job
    rows = TaskRows(registry.build_task(recipe_of("mta", 1).task), 42)
    return np.array([rows(stream, index) for index in range(first, last)], dtype=np.uint8)


def make_table(results: Any, count: int = 0) -> float:
    """Rows of the training stream, `count` or 20 seconds' worth, on the device; returns rows a second."""
    workers = 1 if results.smoke else max(1, (os.cpu_count() or 2) - 1)
    count = count or (BATCH * 3 if results.smoke else 400_000)
    step = max(BATCH, count // (workers * 8))
    jobs = [("training", first, min(first + step, count)) for first in range(0, count, step)]
    began = time.perf_counter()
    if workers == 1:
        parts = [_make_rows(job) for job in [*jobs, ("validation", 0, BATCH)]]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_make_rows, [*jobs, ("validation", 0, 1024)]))
    took = time.perf_counter() - began
    _tables["training"] = torch.from_numpy(np.concatenate(parts[:-1])).to(results.device)
    _tables["validation"] = torch.from_numpy(parts[-1]).to(results.device)
    return count / took


def rate(results: Any, attention: str, way: str) -> dict[str, float]:
    """Steps a second, and the losses of the first and last steps."""
    path = path_of("auto" if way.endswith("fused") else "tiles")
    with path:
        if way.startswith("captured"):
            step, losses = captured_step(results, attention)
            count, began = 0, time.perf_counter()
            while count < (2 if results.smoke else 1000) and time.perf_counter() - began < 6:
                for _ in range(1 if results.smoke else 100):
                    step()
                    count += 1
                last = float(losses())
            return {"steps a second": count / (time.perf_counter() - began), "steps": count, "loss": last}
        return loop_rate(results, attention)


def loop_rate(results: Any, attention: str) -> dict[str, float]:
    """Today's training loop, its rows made by worker processes."""
    from mta_eval import registry
    from mta_eval.training.letter_block_recipe import TaskRows
    from mta_eval.training.processes import Share
    from mta_eval.training.trainer import Trainer

    steps = 4 if results.smoke else 400
    recipe = recipe_of(attention, steps)
    rows = TaskRows(registry.build_task(recipe.task), recipe.seed)
    trainer = Trainer(
        model_of(recipe, results.device), rows, recipe.schedule, recipe.seed, Share(), 0 if results.smoke else 12
    )
    warmup_steps, most_seconds, times, losses = 1 if results.smoke else 20, 8.0, [], []
    for batch in trainer._batches():
        losses.append(trainer._advance(batch))
        times.append(time.perf_counter())
        if len(times) > warmup_steps + 2 and times[-1] - times[0] > most_seconds:
            break
    return {
        "steps a second": (len(times) - 1 - warmup_steps) / (times[-1] - times[warmup_steps]),
        "steps": len(times),
        "loss": losses[-1],
    }


def side_by_side(results: Any, attention: str, seeds: int) -> dict[str, float]:
    """Steps a second of several trainings in this process, each on a stream of its own, all together."""
    with path_of("auto"):
        pairs = [captured_step(results, attention, 42 + number) for number in range(seeds)]
        streams = [torch.cuda.Stream() for _ in pairs] if results.device == "cuda" else [None] * seeds
        count, began = 0, time.perf_counter()
        while count < (seeds if results.smoke else 1000) and time.perf_counter() - began < 6:
            for _ in range(1 if results.smoke else 50):
                for (step, _), stream in zip(pairs, streams, strict=True):
                    with torch.cuda.stream(stream) if stream is not None else nullcontext():
                        step()
                    count += 1
            if results.device == "cuda":
                torch.cuda.synchronize()
        took = time.perf_counter() - began
    return {"steps a second, all": count / took, "loss": float(pairs[0][1]())}


def streamed_rate(results: Any, attention: str) -> dict[str, float]:
    """Steps a second of a captured step whose rows worker processes make, as a training without end needs them.

    A batch waits in pinned memory and is copied into the place that the graph reads; the loss is read now and then.
    """
    from torch.utils.data import DataLoader

    from mta_eval import registry
    from mta_eval.training.letter_block_recipe import TaskRows
    from mta_eval.training.processes import Share
    from mta_eval.training.trainer import _Batches

    recipe = recipe_of(attention, 10**6)
    rows = TaskRows(registry.build_task(recipe.task), recipe.seed)
    workers = 0 if results.smoke else max(1, (os.cpu_count() or 2) - 2)
    on_card = results.device == "cuda"
    loader = DataLoader(
        _Batches(rows, recipe.schedule, Share()),
        batch_size=None,
        sampler=range(recipe.schedule.steps),
        num_workers=workers,
        prefetch_factor=16 if workers else None,
        pin_memory=on_card,
        multiprocessing_context="spawn" if workers else None,  # CUDA is in use in this process
    )
    with path_of("auto"):
        batches = iter(loader)
        place = next(batches).to(results.device)
        step, losses = captured_step(results, attention, batch=place)
        count, began, waited = 0, time.perf_counter(), 0.0
        while count < (2 if results.smoke else 2000) and time.perf_counter() - began < 8:
            asked = time.perf_counter()
            rows_of_step = next(batches)
            waited += time.perf_counter() - asked
            place.copy_(rows_of_step, non_blocking=True)
            step()
            count += 1
            if count % 50 == 0:
                float(losses())
        last = float(losses())
        took = time.perf_counter() - began
    return {"steps a second": count / took, "share waiting for rows": waited / took, "workers": workers, "loss": last}


def captured_step(
    results: Any, attention: str, seed: int = 42, batch: torch.Tensor | None = None
) -> tuple[Callable[[], None], Callable[[], torch.Tensor]]:
    """A step as a CUDA graph, and the last loss: on the next rows of the table, or on what `batch` (rows, T) holds.

    Dropout is drawn from the device's generator, which a graph moves on with every replay.
    """
    torch.manual_seed(seed)
    recipe = recipe_of(attention, 10**6, seed)
    schedule, table, given = recipe.schedule, _tables.get("training"), batch
    model = model_of(recipe, results.device).train()
    on_card = results.device == "cuda"
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=torch.tensor(schedule.learning_rate, device=results.device) if on_card else schedule.learning_rate,
        betas=schedule.betas,
        eps=schedule.eps,
        weight_decay=schedule.weight_decay,
        capturable=on_card,
        fused=on_card,
    )
    first_row = torch.zeros((), dtype=torch.long, device=results.device)
    loss = torch.zeros((), device=results.device)
    row_offsets = torch.arange(BATCH, device=results.device)

    def step() -> None:
        batch = given
        if batch is None:
            assert table is not None
            batch = table[(first_row + row_offsets) % len(table)].long()
        with torch.autocast("cuda", torch.bfloat16) if on_card else nullcontext():
            logits = model(batch, use_cache=False, logits_to_keep=ANSWER + 1).logits[:, :-1]
        found = F.cross_entropy(logits.float().flatten(0, 1), batch[:, -ANSWER:].flatten())
        optimizer.zero_grad(set_to_none=True)
        found.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip, foreach=True)
        optimizer.step()
        loss.copy_(found.detach())
        first_row.add_(BATCH)

    replay = step
    if on_card:
        from gpu_parts import captured

        replay = captured(step)

    def run() -> None:  # a graph's replay is a method, which takes no attribute
        replay()

    run.model = model  # type: ignore[attr-defined]
    return run, lambda: loss


def train_until(results: Any, attention: str, left_at_end: float) -> dict[str, Any]:
    """Train by captured steps until so many seconds of the part are left; errors on held-out rows on the way."""
    if "training" not in _tables:
        make_table(results, 0 if results.smoke else 1_000_000 if results.left > 90 else 400_000)
    with path_of("auto"):
        step, losses = captured_step(results, attention)
        count, curve, began = 0, [], time.perf_counter()
        while results.left > left_at_end + 2 and not (results.smoke and count):
            for _ in range(1 if results.smoke else 500):
                step()
            count += 1 if results.smoke else 500
            loss = float(losses())
            if count % 2000 == 0 or results.smoke:
                curve.append([count, loss, *held_out(step.model)])  # type: ignore[attr-defined]
            if not math.isfinite(loss):
                break
        took = time.perf_counter() - began
        wrong = held_out(step.model)  # type: ignore[attr-defined]
    return {"steps": count, "seconds": took, "steps a second": count / took, "curve": curve, "wrong": wrong}


@torch.no_grad()
def held_out(model: nn.Module) -> list[float]:
    """Shares of wrong tokens and of answers not all right, on held-out rows, the answer's earlier tokens given."""
    model.eval()
    wrong = []
    for part in _tables["validation"].long().split(256):
        with torch.autocast("cuda", torch.bfloat16) if part.is_cuda else nullcontext():
            logits = model(part, use_cache=False, logits_to_keep=ANSWER + 1).logits[:, :-1]
        wrong.append(logits.argmax(-1) != part[:, -ANSWER:])
    model.train()
    wrong_tokens = torch.cat(wrong)
    return [float(wrong_tokens.float().mean()), float(wrong_tokens.any(1).float().mean())]

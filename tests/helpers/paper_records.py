"""Records and runs made up for the papers' tests."""

from __future__ import annotations

import random
from typing import Any

from mta_eval.core import Record, Run, Sweep
from mta_eval.papers.source import PageSource


def answer(task: str, score: float | None, model: str = "m", repeat: int = 0, **axes: Any) -> Record:
    """One record; its id is its own by model, task, axes."""
    extra = {key: axes.pop(key) for key in ("truncated", "peak_memory") if key in axes}
    axes = {"length": axes.pop("length", 2048), "depth": axes.pop("depth", 0.5), "repeat": repeat} | axes
    place = "/".join(map(str, axes.values()))
    return Record(f"{task}/{place}", task, model, axes, ["1"], "1", score, 9, 9, 0.1, **extra)


def loss(nats: float, predicted: float, model: str = "m", task: str = "perplexity", **axes: Any) -> Record:
    """One record of perplexity."""
    return answer(task, None, model, nats=nats, predicted=predicted, **axes)


def run(**models: dict[str, str]) -> Run:
    """A run that knows these facts of its models."""
    return Run((), tuple(models), Sweep((), (None,), 1), "generate", "refuse", "0", {}, {"models": models})


def source(records: list[Record], **models: dict[str, str]) -> PageSource:
    """What a page is drawn from."""
    return PageSource(records, [("run", run(**models))])


def everything(models: list[str], repeats: int = 4, seed: int = 0) -> list[Record]:
    """Answers to every task of both papers by every model, right by chance."""
    draw = random.Random(seed)
    records = []
    for number, model in enumerate(models):
        ease = (number + 1) / (len(models) + 1)
        for repeat in range(repeats):
            for length in (2048, 4096):
                for needles in (2, 4, 6, 8, 10):
                    for depth in (0.0, 0.25, 0.5, 0.75, 1.0):
                        score = float(draw.random() < ease)
                        task = f"niah:needles={needles}"
                        place = {"length": length, "depth": depth, "needles": needles}
                        records.append(answer(task, score, model, repeat, **place))
                for domain in ("arxiv", "book", "c4", "cc", "github", "se", "wiki"):
                    nats = 1000 * (2.5 - ease * 0.4 + 0.2 * draw.random())
                    records.append(loss(nats, 1000, model, length=length, domain=domain, repeat=repeat))
            for qa in range(1, 6):
                for length in (0, 1024, 2048, 4096):
                    score = float(draw.random() < ease)
                    records.append(answer(f"babilong:qa={qa}", score, model, repeat, length=length, depth=None))
            passkeys = (answer("passkey", 1.0, model, repeat, length=n, peak_memory=10**9) for n in (4096, 8192))
            records += passkeys
    return records

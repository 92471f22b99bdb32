"""A training from its recipe, in a folder that survives being stopped; under torchrun by several processes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mta_eval.training.rows import MixedRows, TextParts
from mta_eval.training.training_log import log_line, perplexity_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from mta_eval.training.probes import Probes
    from mta_eval.training.processes import Share
    from mta_eval.training.rows import Rows
    from mta_eval.training.trainer import Progress, Schedule, Trainer
    from mta_eval.training.training_folder import TrainingFolder


class Recipe(Protocol):
    """What is trained, and how: all that decides the weights, but for the machine."""

    @property
    def seed(self) -> int:
        """Of weights, rows and dropout."""

    @property
    def schedule(self) -> Schedule:
        """Steps, learning rate, evaluations."""

    def described(self) -> dict[str, object]:
        """As recipe.json keeps it."""

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The tokenizer of the model, the same whenever it is made."""

    def rows(self, tokenizer: PreTrainedTokenizerFast) -> Rows:
        """What is trained on."""

    def new_model(self, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
        """The model before its first step: the same for a seed on every machine."""

    def about(self) -> str:
        """What the card says of the model's use, in Markdown."""


class TrainingObserver(Protocol):
    """Is called in a training: at its beginning, after every step with the loss, after every evaluation."""

    def begin(self, step: int, steps: int) -> None: ...

    def step(self, step: int, loss: float) -> None: ...

    def evaluated(self, progress: Progress, probes: Mapping[str, float]) -> None: ...


def train(
    recipe: Recipe,
    out: Path,
    observer: TrainingObserver,
    device: str = "auto",
    stop_below: float | None = None,
    command: str = "",
    probes: Probes | None = None,
) -> dict[str, float]:
    """Train `recipe` in the folder `out`, or go on where it was stopped; returns the errors on the test stream.

    Stops early once the share of wrong held-out answers is at most `stop_below`. Under torchrun all processes call
    this, and the first one writes and asks the `probes`.
    Raises ModelError if `out` holds something else, is in use or cannot be written.
    """
    from mta_eval.models.checkpoints.lora import merged
    from mta_eval.models.devices import choose_device
    from mta_eval.training.card import card
    from mta_eval.training.processes import processes
    from mta_eval.training.training_folder import TrainingFolder

    with ExitStack() as alone, processes(choose_device(device)) as (share, place):
        described = recipe.described()
        folder = TrainingFolder(out, described)
        # whatever may be wrong is found before the folder is made
        prepared = None if folder.finished else _prepare(recipe, share, place, probes)
        share.barrier()  # all have looked at the folder
        if not share.rank:
            alone.enter_context(folder.alone())
        share.barrier()  # the first one has made it
        if prepared is None or folder.finished:
            if not share.rank:
                observer.begin(recipe.schedule.steps, recipe.schedule.steps)
            return folder.errors()
        trainer, model, tokenizer = prepared
        ask = partial(probes.ask, model, tokenizer) if probes else None
        train_in_folder(trainer, folder, observer, stop_below, ask)
        test = trainer.evaluate("test", recipe.schedule.tested)._asdict()
        if not share.rank:
            facts = {**described, "machine": _machine(place, share), "attention": model.config.attention}
            facts["trained parameters"] = sum(weight.numel() for weight in trainer.trained.values())
            whole = merged(model)
            facts["parameters"] = sum(weight.numel() for weight in whole.parameters())
            folder.finish(whole, tokenizer, test, card(facts, folder.lines(), test, recipe.about(), command))
    return test


class _Prepared(NamedTuple):
    trainer: Trainer
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def _prepare(recipe: Recipe, share: Share, place: torch.device, probes: Probes | None) -> _Prepared:
    """All that a training needs, looked at. Raises MtaEvalError where parts do not fit together."""
    from mta_eval.training.trainer import Trainer

    tokenizer = recipe.tokenizer()
    model, rows = recipe.new_model(tokenizer).to(place), recipe.rows(tokenizer)
    if probes and not share.rank:
        probes.check(model, tokenizer)
    workers = 2 if place.type == "cuda" else 0  # a GPU would wait for its rows
    return _Prepared(Trainer(model, rows, recipe.schedule, recipe.seed, share, workers), model, tokenizer)


def train_in_folder(
    trainer: Trainer,
    folder: TrainingFolder,
    observer: TrainingObserver,
    stop_below: float | None,
    probe: Callable[[], Mapping[str, float]] | None = None,
) -> None:
    """Train to the end, or until the share of wrong held-out answers is at most `stop_below`; goes on where it stopped.

    What `probe` says at each evaluation is kept in the log, and so is the perplexity of each domain of held-out text.
    Raises ModelError if the folder is damaged, DivergedError if the loss is no longer a number.
    """
    writes = not trainer.share.rank
    lines = folder.resume(trainer)
    trainer.share.barrier()  # nothing is written before all have read
    if writes:
        observer.begin(trainer.step, trainer.schedule.steps)
    if lines and stop_below is not None and lines[-1]["held_out"]["answers"] <= stop_below:
        return
    for progress in trainer.run(observer.step if writes else None):
        found = _perplexities(trainer)
        if writes:
            found |= probe() if probe else {}
            lines.append(log_line(progress, found))
            folder.save(trainer, lines)
            observer.evaluated(progress, found)
        if stop_below is not None and progress.held_out.answers <= stop_below:
            return


def _perplexities(trainer: Trainer) -> dict[str, float]:
    """By domain of the held-out text; nothing where all rows are of one, for then the held-out loss says it."""
    rows = trainer.rows
    parts = rows.held_out_texts() if isinstance(rows, TextParts) else {}
    if len(parts) < 2 and not isinstance(rows, MixedRows):
        return {}
    most = max(trainer.schedule.held_out // max(len(parts), 1), 1)
    return {
        f"perplexity of {name}, held out": perplexity_of(trainer.evaluate("validation", min(count, most), text).loss)
        for name, (text, count) in parts.items()
    }


def _machine(place: torch.device, share: Share) -> str:
    import torch

    if place.type == "cuda":
        name = torch.cuda.get_device_name(place)
    else:
        name = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    return f"{share.world} x {name}, torch {torch.__version__}"

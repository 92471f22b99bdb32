"""The folder of a training, which survives being stopped at any moment.

recipe.json says what is trained, log.jsonl has a line for each evaluation, state.safetensors is where it stands. At
the end come the model, as transformers writes it, and README.md, its card: the last file, so its being there means
that all is. Chance needs no place in the state: every batch and dropout mask is a function of (seed, step).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mta_eval.errors import ModelError
from mta_eval.outside import read_json, regular
from mta_eval.training.training_log import LogLine, parse_line
from mta_eval.whole_files import filling_folder, is_unfinished, write_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from mta_eval.training.trainer import Trainer

MOMENTS = ("exp_avg", "exp_avg_sq")


class TrainingFolder:
    """The folder of `recipe`, a plain dict; nothing is written before `alone`.

    Raises ModelError if it holds another training, or anything else.
    """

    def __init__(self, folder: Path, recipe: dict[str, object]) -> None:
        self.folder, self._log, self._state = folder, folder / "log.jsonl", folder / "state.safetensors"
        self._recipe, self._known = recipe, folder / "recipe.json"
        with _one_line_errors(folder):
            if self._known.exists():
                ignored = {"mta_eval"} if self.finished else set()
                _compare(folder, _read(self._known), recipe, ignored)
            elif folder.exists() and not all(map(is_unfinished, folder.iterdir())):
                raise ModelError(f"{str(folder)!r} is there already; name a new folder, or one whose training goes on")

    @property
    def finished(self) -> bool:
        """Whether the model is there."""
        return (self.folder / "README.md").exists()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A context in which no other process trains in this folder, which is made if it is new.

        Raises ModelError while another process trains there.
        """
        with _one_line_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY)
        try:
            with _one_line_errors(self.folder):
                _lock(handle, self.folder)
                if not self._known.exists():
                    _write(self._known, json.dumps(self._recipe, indent=1) + "\n")
            yield
        finally:
            os.close(handle)

    def lines(self) -> list[LogLine]:
        """The log. A torn last line, of a training that was killed, is left out."""
        with _one_line_errors(self.folder, "read"):
            data = self._log.read_bytes() if self._log.exists() else b""
        try:
            return [parse_line(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
        except (ValueError, TypeError) as error:
            raise ModelError(f"{str(self._log)!r} is damaged; delete its folder to train from the start") from error

    def resume(self, trainer: Trainer) -> list[LogLine]:
        """Put the trainer where its training stands; returns the log up to there. Raises ModelError if damaged."""
        if self._state.exists():
            trainer.step, trainer.seconds = _load(self._state, trainer)
        lines = [line for line in self.lines() if line.get("step", 0) <= trainer.step]
        if trainer.step and (not lines or lines[-1]["step"] != trainer.step):
            raise ModelError(f"{str(self._log)!r} is damaged; delete its folder to train from the start")
        return lines

    def save(self, trainer: Trainer, lines: list[LogLine]) -> None:
        """Save the trainer's state and the whole log, in an order that loses nothing."""
        with _one_line_errors(self.folder):
            _write(self._log, "".join(json.dumps(line) + "\n" for line in lines))
            _save(self._state, trainer)

    def errors(self) -> dict[str, float]:
        """Those that `finish` was given."""
        self._state.unlink(missing_ok=True)  # of a training that was killed a moment before its end
        errors: dict[str, float] = _read(self.folder / "evaluation.json")
        return errors

    def finish(
        self,
        model: PreTrainedModel | None,
        tokenizer: PreTrainedTokenizerFast | None,
        errors: dict[str, float],
        card: str,
    ) -> None:
        """Write the model and its tokenizer, if there are any, its errors and its card; the state is needed no more."""
        with _one_line_errors(self.folder):
            _write(self.folder / "evaluation.json", json.dumps(errors) + "\n")
            with filling_folder(self.folder) as unfinished:
                for part in (tokenizer, model):
                    if part is not None:
                        part.save_pretrained(unfinished)
            _write(self.folder / "README.md", card)
            self._state.unlink(missing_ok=True)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ModelError(
            f"{str(folder)!r} is in use by another training; wait for it or name another folder"
        ) from error


def _compare(folder: Path, known: dict[str, object], recipe: dict[str, object], ignored: set[str]) -> None:
    stored, wanted = _flat(known), _flat(recipe)
    for key in {**stored, **wanted}:
        if key not in ignored and stored.get(key) != wanted.get(key):
            raise ModelError(
                f"{str(folder)!r} trains with {key} {stored.get(key)}, not {wanted.get(key)}; name another folder"
            )


def _flat(recipe: dict[str, object]) -> dict[str, object]:
    parts = [value if isinstance(value, dict) else {key: value} for key, value in recipe.items()]
    return {key: value for part in parts for key, value in part.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        parsed = read_json(regular(path).read_text(encoding="utf-8"))
        if not isinstance(parsed, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(path)!r} is damaged ({error}); delete the folder and train again") from error
    return parsed


def _write(path: Path, text: str) -> None:
    write_text(path, text)


def _save(path: Path, trainer: Trainer) -> None:
    tensors = {}
    for name, parameter in trainer.trained.items():
        tensors[f"weight.{name}"] = parameter.detach().cpu()
        for moment in MOMENTS:
            tensors[f"{moment}.{name}"] = trainer.optimizer.state[parameter][moment].cpu()
    with filling_folder(path.parent) as unfinished:
        save_file(tensors, unfinished / path.name, {"step": str(trainer.step), "seconds": repr(trainer.seconds)})


@torch.no_grad()
def _load(path: Path, trainer: Trainer) -> tuple[int, float]:
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata()
            for name, parameter in trainer.trained.items():
                parameter.copy_(file.get_tensor(f"weight.{name}"))
                moments = {moment: file.get_tensor(f"{moment}.{name}").to(parameter.device) for moment in MOMENTS}
                trainer.optimizer.state[parameter] = {"step": torch.tensor(float(about["step"])), **moments}
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(f"{str(path)!r} is damaged ({error}); delete it to train from the start") from error
    return int(about["step"]), float(about["seconds"])


@contextmanager
def _one_line_errors(folder: Path, doing: str = "write") -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot {doing} {str(folder)!r}: {getattr(error, 'strerror', None) or error}") from error

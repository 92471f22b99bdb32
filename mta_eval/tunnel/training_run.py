"""One training of a tunnel: a variant, a task, a learning rate, a seed. A folder that survives being stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mta_eval import registry
from mta_eval.core import DiagnosticTask
from mta_eval.training.rows import AnswerRows
from mta_eval.training.training import TrainingObserver, train_in_folder
from mta_eval.tunnel.models import new_model, parameter_count
from mta_eval.tunnel.presets import ModelSize
from mta_eval.tunnel.rows.drawing import longer
from mta_eval.tunnel.step_cost import step_cost
from mta_eval.tunnel.variants import Variant, find_variant, label_of
from mta_eval.version import VERSION

if TYPE_CHECKING:
    from mta_eval.training.trainer import Progress, Schedule
    from mta_eval.training.training_log import LogLine

SWEEP_SEED = -1  # of the trainings that learning rates are chosen by; no other training has it
SOLVED = 0.05  # share of wrong answers up to which a task is solved
ENOUGH = 0.01  # of held-out answers: a training stops here
FACTOR = 4  # rows to generalise to are so much longer
GROWN = "longer_"  # before the names of their errors
DIVERGED, SECONDS, MEMORY = "diverged", "step_seconds", "step_memory"


@dataclass(frozen=True)
class TunnelTraining:
    """What is trained, and how."""

    task: str
    variant: str  # as `find_variant` takes it
    kind: str
    digest: str
    learning_rate: float
    seed: int
    size: ModelSize
    schedule: Schedule
    tested: int
    options: str = ""  # of the variant

    @property
    def label(self) -> str:
        """What the variant is called."""
        return label_of(self.kind, self.options)

    @property
    def is_sweep(self) -> bool:
        """Whether a learning rate is chosen by it."""
        return self.seed == SWEEP_SEED

    @property
    def name(self) -> str:
        """Its folder, within that of the tunnel."""
        what = "sweep" if self.is_sweep else f"seed-{self.seed}"
        return f"{_plain(self.task)}/{_plain(self.label)}/{what}-rate-{self.learning_rate:g}"

    def described(self) -> dict[str, object]:
        """As recipe.json keeps it: all that decides the weights, but for the machine."""
        fields = asdict(self)
        del fields["variant"]  # where its file lies makes no difference
        if not self.options:
            del fields["options"]
        plain: dict[str, object] = json.loads(json.dumps(fields))
        return {**plain, "mta_eval": VERSION}


@dataclass(frozen=True)
class TrainingResult:
    """What came out. Errors are shares of wrong answers on the test stream; those of a diverged one are 1."""

    training: TunnelTraining
    parameters: int
    validation_loss: float  # at the end, infinite where it diverged
    wrong: float
    wrong_tokens: float
    wrong_longer: float  # on rows that are FACTOR times longer
    steps: int
    solved_at: int | None  # the first evaluation with at most SOLVED wrong
    seconds_per_step: float | None  # without evaluations; None of a sweep
    memory: int | None  # bytes of a step at the highest (step_cost.py); None of a sweep
    diverged: bool


@dataclass(frozen=True)
class DiagnosticRows(AnswerRows):
    """The rows of a task for `training.Rows`. What is held out is the same for every seed."""

    task: DiagnosticTask
    seed: int

    def __call__(self, stream: Literal["training", "validation", "test"], index: int) -> list[int]:
        return self.task.row(stream, self.seed if stream == "training" else 0, index)

    @property
    def answers(self) -> list[list[int]]:
        """Of the task."""
        return [list(places) for places in self.task.answers]


class Unwatched:
    """Shows nothing: a tunnel has many trainings at once, and says when each has ended."""

    def begin(self, step: int, steps: int) -> None:
        """See TrainingObserver."""

    def step(self, step: int, loss: float) -> None:
        """See TrainingObserver."""

    def evaluated(self, progress: Progress, probes: Mapping[str, float]) -> None:
        """See TrainingObserver."""


def train_variant(
    training: TunnelTraining, out: Path, device: str, observer: TrainingObserver | None = None
) -> TrainingResult:
    """Train in a folder of its own under `out`, or go on where it was stopped. One thread, however many there are.

    Raises ModelError if the folder holds something else or is in use.
    """
    from mta_eval.training.processes import Share
    from mta_eval.training.trainer import DivergedError, Trainer
    from mta_eval.training.training_folder import TrainingFolder

    variant = find_variant(training.variant)  # in this process, which may be a new one
    task = registry.build_diagnostic(training.task)
    folder = TrainingFolder(out / training.name, training.described())
    with folder.alone(), one_thread():
        model = new_model(variant, task, training.size, training.seed)
        parameters = parameter_count(model)
        if not folder.finished:
            cost = {} if training.is_sweep else _cost(training, variant, task, device)
            rows = DiagnosticRows(task, training.seed)
            trainer = Trainer(model.to(device), rows, training.schedule, training.seed, Share())
            try:
                stop = None if training.is_sweep else ENOUGH  # rates are compared after the same steps
                train_in_folder(trainer, folder, observer or Unwatched(), stop)
                errors = _errors(trainer, training, task)
            except DivergedError:
                errors = {DIVERGED: float(trainer.step)}
            keeps_model = not training.is_sweep and DIVERGED not in errors
            folder.finish(model if keeps_model else None, None, errors | cost, _card(training))
        return _result(training, parameters, folder.errors(), folder.lines())


def _cost(training: TunnelTraining, variant: Variant, task: DiagnosticTask, device: str) -> dict[str, float]:
    """Seconds and bytes of a step, by a model of its own."""
    from mta_eval.training.processes import Share
    from mta_eval.training.trainer import DivergedError, Trainer

    model = new_model(variant, task, training.size, training.seed).to(device)
    try:
        cost = step_cost(Trainer(model, DiagnosticRows(task, training.seed), training.schedule, 0, Share()))
    except DivergedError:  # so will the training
        return {}
    return {SECONDS: cost.seconds, MEMORY: float(cost.memory)}


def _errors(trainer: object, training: TunnelTraining, task: DiagnosticTask) -> dict[str, float]:
    from mta_eval.training.trainer import Trainer

    assert isinstance(trainer, Trainer)
    if training.is_sweep:
        return {}
    errors = trainer.evaluate("test", training.tested)._asdict()
    grown = trainer.evaluate("test", training.tested, DiagnosticRows(longer(task, FACTOR), training.seed))._asdict()
    return errors | {f"{GROWN}{name}": value for name, value in grown.items()}


def _result(
    training: TunnelTraining, parameters: int, errors: dict[str, float], lines: list[LogLine]
) -> TrainingResult:
    diverged = DIVERGED in errors
    last = lines[-1] if lines else None
    solved = [line["step"] for line in lines if line["held_out"]["answers"] <= SOLVED]
    return TrainingResult(
        training=training,
        parameters=parameters,
        validation_loss=last["held_out"]["loss"] if last and not diverged else float("inf"),
        wrong=errors.get("answers", 1.0),
        wrong_tokens=errors.get("tokens", 1.0),
        wrong_longer=errors.get(f"{GROWN}answers", 1.0),
        steps=int(errors[DIVERGED]) if diverged else last["step"] if last else 0,
        solved_at=solved[0] if solved and not diverged else None,
        seconds_per_step=errors.get(SECONDS),
        memory=int(errors[MEMORY]) if MEMORY in errors else None,
        diverged=diverged,
    )


def _card(training: TunnelTraining) -> str:
    """The folder's README.md, whose being there says that it is whole."""
    what = json.dumps(training.described(), indent=1)
    return (
        f"# {training.label} on {training.task}\n\nTrained by `mta-eval tunnel`, {VERSION}.\n\n```json\n{what}\n```\n"
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it torch computes on one thread: sums are the same whatever else runs, and several trainings fit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _plain(text: str) -> str:
    """A spec as the name of a folder."""
    return "".join(sign if sign.isalnum() or sign in "_=,.-" else "-" for sign in text)

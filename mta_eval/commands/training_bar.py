"""A training as it goes: a bar on a terminal, a line for each evaluation in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mta_eval.progress import duration_text
from mta_eval.training.training_log import perplexity_of

if TYPE_CHECKING:
    from mta_eval.training.trainer import Progress


class TrainingBar:
    """Shows a training as it goes: a bar on a terminal, a line for each evaluation in a log.

    `text` says that its rows have no answers, but next tokens alone.
    """

    def __init__(self, text: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.began: int | None = None
        self._text = text
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps, left"))
        self.bar = Progress(*columns, TimeRemainingColumn(), console=self._console, disable=not sys.stderr.isatty())
        self._job = self.bar.add_task("")
        self._steps = 0

    def begin(self, step: int, steps: int) -> None:
        """`step` of `steps` are done."""
        self.began, self._steps = step, steps
        self.bar.start()  # not before: of several processes only the first one begins
        if 0 < step < steps:
            self._console.print(f"going on after step {step:,}", highlight=False)
        self.bar.update(self._job, total=steps, completed=step)

    def step(self, step: int, loss: float) -> None:
        """One more step."""
        self.bar.update(self._job, completed=step, description=f"loss {loss:.4f}")

    def evaluated(self, progress: Progress, probes: Mapping[str, float]) -> None:
        """An evaluation: its errors, what the probes found, and the time that is left."""
        left = duration_text(progress.seconds / progress.step * (self._steps - progress.step))
        held_out = progress.held_out
        says = f"{held_out.answers:.1%} of held-out answers wrong"
        if self._text:
            says = f"held-out perplexity {perplexity_of(held_out.loss):.4g}"
        self._console.print(f"step {progress.step:,}: loss {progress.loss:.4f}, {says}, {left} left", highlight=False)
        if probes:
            units = {name: "" if name.startswith("perplexity of") else " %" for name in probes}
            found = (f"{name} {value:.4g}{units[name]}" for name, value in probes.items())
            self._console.print(f"  {', '.join(found)}", highlight=False)


@contextmanager
def training_bar(text: bool = False) -> Iterator[TrainingBar]:
    """Shown on stderr until its block ends."""
    shown = TrainingBar(text)
    try:
        yield shown
    finally:
        shown.bar.stop()

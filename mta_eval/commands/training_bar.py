"""A training as it goes: a bar on a terminal, a line for each evaluation in a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mta_eval.printable import console
from mta_eval.progress import MEDIUM, WIDE, duration_text
from mta_eval.training.training_log import perplexity_of

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from mta_eval.training.trainer import Progress


class TrainingBar:
    """Shows a training as it goes: a bar on a terminal, a line for each evaluation in a log.

    `text` says that its rows have no answers, but next tokens alone.
    """

    def __init__(self, text: bool = False) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        self.began: int | None = None
        self._text = text
        screen = console(on_stderr=True)
        one = Column(no_wrap=True)
        columns: list[ProgressColumn] = [TextColumn("{task.description}", table_column=one)]
        if screen.width >= MEDIUM:
            columns.append(BarColumn(bar_width=None))
        columns += [MofNCompleteColumn(table_column=one), TimeRemainingColumn(compact=True, table_column=one)]
        self.bar = Progress(*columns, console=screen, disable=not screen.is_terminal, expand=screen.width < WIDE)
        self._job = self.bar.add_task("")
        self._steps = 0

    def begin(self, step: int, steps: int) -> None:
        """`step` of `steps` are done."""
        self.began, self._steps = step, steps
        self.bar.start()  # not before: of several processes only the first one begins
        if 0 < step < steps:
            self._say(f"going on after step {step:,}")
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
        self._say(f"step {progress.step:,}: loss {progress.loss:.4f}, {says}, {left} left")
        if probes:
            units = {name: "" if name.startswith("perplexity of") else " %" for name in probes}
            found = (f"{name} {value:.4g}{units[name]}" for name, value in probes.items())
            self._say(f"  {', '.join(found)}")

    def _say(self, line: str) -> None:
        """A line above the bar, which no log folds."""
        self.bar.console.print(line, highlight=False, soft_wrap=True)


@contextmanager
def training_bar(text: bool = False) -> Iterator[TrainingBar]:
    """Shown on stderr until its block ends."""
    shown = TrainingBar(text)
    try:
        yield shown
    finally:
        shown.bar.stop()

"""A picture added by another package: how many samples have which score."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from mta_eval.results.pictures.registry import Drawing, Subject, picture
from mta_eval.results.pictures.style import save, styled


@picture("score_histogram", needs=("answers",))
def score_histogram(subject: Subject) -> Drawing:
    """How many samples of a task have which score."""
    scores = [record.score for record in subject.records if record.score is not None]

    def draw(path: Path) -> None:
        with styled():
            figure = Figure((3.5, 2.5), layout="constrained")
            figure.add_subplot().hist(scores, bins=10, range=(0, 1))
            save(figure, path)

    return Drawing("Scores", f"How many samples have which score; {len(scores)} samples.", draw)

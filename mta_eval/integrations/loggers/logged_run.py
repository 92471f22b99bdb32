"""What a tracker gets of a run folder: for each model its facts, its scores by task and length, and its pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from mta_eval.core import Record, Run, Scalar


class LoggedScore(NamedTuple):
    """A number of one task, `what` (accuracy, perplexity), with its 95 % interval and how many samples it is of.

    `length` is that of the window in tokens, None for all lengths together. An interval that cannot be told is NaN.
    """

    task: str
    what: str
    length: int | None
    mean: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True)
class LoggedRun:
    """One model of a run folder: a run of its own in a tracker, since trackers compare runs.

    `title` is its name there, `group` that of the folder, `facts` what was asked of what, `pictures` PNG files by their
    names (heatmap_niah), `files` the run's own: run.json and records.jsonl.
    """

    title: str
    group: str
    folder: Path
    facts: Mapping[str, Scalar]
    scores: Sequence[LoggedScore]
    pictures: Mapping[str, Path]

    @property
    def files(self) -> list[Path]:
        """The files that hold all of the run."""
        return [self.folder / "run.json", self.folder / "records.jsonl"]

    def metrics(self, length: int | None) -> dict[str, float]:
        """The scores at a length, or those of all lengths together, by the names that trackers show."""
        found: dict[str, float] = {}
        for score in self.scores:
            if score.length == length:
                name = f"{score.task}/{'overall ' if length is None else ''}{score.what}"
                found |= {name: score.mean, f"{name} low": score.low, f"{name} high": score.high}
                found[f"{name} samples"] = score.samples
        return {name: value for name, value in found.items() if not math.isnan(value)}

    @property
    def lengths(self) -> list[int]:
        """The lengths that there are scores at, shortest first: the steps of a tracker's curves."""
        return sorted({score.length for score in self.scores if score.length is not None})


class RunLogger(Protocol):
    """Sends runs to a tracker. A frozen dataclass: its fields are the options of its spec."""

    name: ClassVar[str]

    def check(self) -> None:
        """Called before anything is asked. Raises SpecError if the tracker's package is not there."""

    def log(self, run: LoggedRun) -> str:
        """Send one model's part of a run; returns where it is. May raise what the tracker's package raises."""


def logged_runs(folder: Path, pictures: Path) -> list[LoggedRun]:
    """What there is to log of a run folder; the pictures are drawn into the folder `pictures`. Raises StoreError."""
    from mta_eval.results.labels import make_labels
    from mta_eval.results.pictures.gallery import draw_gallery
    from mta_eval.results.store import read
    from mta_eval.results.table import slug_of

    run, records = read(folder)
    models: dict[str, list[Record]] = {}
    for record in records:
        models.setdefault(record.model, []).append(record)
    made = []
    for spec, group in models.items():
        shown = make_labels(records, [(folder.resolve().name, run)]).shown(group)
        label, place = shown[0].model, pictures / slug_of(spec, {one.name for one in pictures.glob("*")})
        drawn = {picture.slug: picture.svg.with_suffix(".png") for picture in draw_gallery(shown, place)}
        title = folder.resolve().name if len(models) == 1 else f"{folder.resolve().name} · {label}"
        about = logged_facts(run, spec, label)
        made.append(LoggedRun(title, folder.resolve().name, folder, about, scores_by_length(group), drawn))
    return made


def logged_facts(run: Run, spec: str, label: str) -> dict[str, Scalar]:
    """What was asked of one model of a run, as a flat table."""
    sweep, identity = run.sweep, run.identities.get(spec)
    facts: dict[str, Scalar] = {"model": spec, "label": label, "tasks": ", ".join(run.tasks)}
    facts |= {"lengths": ",".join(map(str, sweep.lengths)), "depths": ",".join(map(str, sweep.depths))}
    facts |= {"repeats": sweep.repeats, "seeds": ",".join(map(str, run.seeds)), "answer": run.answer}
    facts |= {"mta_eval_version": run.version, "fingerprint": identity.fingerprint if identity else ""}
    return facts | {f"model_{name}": value for name, value in run.settings.get(spec, {}).items()}


def scores_by_length(records: Sequence[Record]) -> list[LoggedScore]:
    """Accuracy of each task at each length and over all, and perplexity where texts were read, of one model."""
    from mta_eval.results.draws import estimate_of
    from mta_eval.results.perplexity_table import BITS, perplexity_frame
    from mta_eval.results.statistics import Estimate

    groups: dict[tuple[str, int | None], list[Record]] = {}
    for record in records:
        if not record.was_read:
            length = record.axes.get("length")
            for place in dict.fromkeys([length if isinstance(length, int) else None, None]):
                groups.setdefault((record.task, place), []).append(record)
    found = [
        LoggedScore(task, "accuracy", length, *mean, sum(one.score is not None for one in group))
        for (task, length), group in groups.items()
        if (mean := estimate_of(group)) is not None
    ]
    read = perplexity_frame([record for record in records if record.was_read])
    for row in read.astype({"value": float, "low": float, "high": float}).to_dict("records"):  # None becomes NaN
        place = row["length"] if isinstance(row["length"], int) else None
        what = BITS if row["domain"] == BITS else f"perplexity {row['domain']}"
        mean = Estimate(*(float(row[name]) for name in ("value", "low", "high")))
        found.append(LoggedScore(str(row["task"]), what, place, *mean, int(row["count"])))
    return found

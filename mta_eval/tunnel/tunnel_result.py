"""What came out of a tunnel: outcomes, a verdict for each task, and what must be known before they are believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import mean, stdev

from mta_eval.tunnel.axes import DifficultyAxis, axes_of
from mta_eval.tunnel.matching import APART
from mta_eval.tunnel.plan import TunnelOutcome, TunnelPlan
from mta_eval.tunnel.verdicts import Judged, axis_verdict, tunnel_verdict

SEEDS_OF_AN_INTERVAL = 3  # fewer say too little of others


@dataclass(frozen=True)
class Tunnel:
    """A tunnel that was trained: `judged` by (task, the variant's label); `made` says by which command and versions."""

    plan: TunnelPlan
    preset_name: str
    judged: dict[tuple[str, str], Judged]
    made: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def axes(self) -> list[DifficultyAxis]:
        """The difficulty axes among the tasks."""
        return axes_of(self.plan.tasks)

    @cached_property
    def verdicts(self) -> dict[str, str]:
        """A sentence for each task."""
        return {task: self._verdict(task) for task in self.plan.tasks}

    @property
    def axis_verdicts(self) -> list[str]:
        """A sentence for each difficulty axis."""
        return [axis_verdict(axis, [self.along(axis, one.label) for one in self.plan.variants]) for axis in self.axes]

    def along(self, axis: DifficultyAxis, label: str) -> list[Judged]:
        """A variant at each value of an axis."""
        return [self.judged[task, label] for task in axis.tasks.values()]

    @property
    def notes(self) -> list[str]:
        """What must be known before a table is believed."""
        return [*self.plan.notes, *(note for one in self.judged.values() for note in self._notes_of(one))]

    def _notes_of(self, one: Judged) -> Iterator[str]:
        where, results = f"{one.title} on {one.outcome.task}", one.outcome.results
        if one.outcome.is_at_edge and one.standing != "solves":
            yield f"{where}: the learning rate {one.outcome.rate:g} is the edge of those that were tried."
        if gone := [f"seed {result.training.seed}" for result in results if result.diverged]:
            yield f"{where}: diverged ({', '.join(gone)}), which counts as all wrong."
        found = self.plan.fits.get((one.outcome.task, one.outcome.label))
        if found and found.parameters != found.before:
            yield (
                f"{where}: the SwiGLU has width {found.size.hidden}, not {self.plan.preset.size.hidden}, which makes "
                f"{found.before:,} parameters {found.parameters:,}; the plain Transformer has {found.reference:,}."
            )
        if found and abs(found.apart) > APART:
            yield f"{where}: {100 * found.apart:+.1f} % parameters, compared with the plain Transformer."

    def _verdict(self, task: str) -> str:
        first, *others = (self.judged[task, variant.label] for variant in self.plan.variants)
        return tunnel_verdict(first, others, self.plan.preset.steps)


def tunnel_of(
    plan: TunnelPlan, preset_name: str, outcomes: Sequence[TunnelOutcome], made: Mapping[str, str] | None = None
) -> Tunnel:
    """What came out, by task and variant."""
    titles = {variant.label: variant.title for variant in plan.variants}
    judged = {(one.task, one.label): Judged(one, titles[one.label]) for one in outcomes}
    return Tunnel(plan, preset_name, judged, made or {})


def error_interval(errors: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean over seeds, by Student's t, cut at 0 and 1; None for one or two seeds.

    The seeds are what varies: all are asked the same rows.
    """
    from scipy.special import stdtrit

    if len(errors) < SEEDS_OF_AN_INTERVAL:
        return None
    half = float(stdtrit(len(errors) - 1, 0.975)) * stdev(errors) / math.sqrt(len(errors))
    return max(0.0, mean(errors) - half), min(1.0, mean(errors) + half)

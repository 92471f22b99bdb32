"""What came out of a tunnel: outcomes, a verdict for each task, and what must be known before they are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mta_eval.tunnel.plan import TunnelOutcome, TunnelPlan
from mta_eval.tunnel.verdicts import Judged, tunnel_verdict

APART = 0.02  # of the first variant's parameters: a difference that is said


@dataclass(frozen=True)
class Tunnel:
    """A tunnel that was trained: `judged` by (task, kind)."""

    plan: TunnelPlan
    preset_name: str
    judged: dict[tuple[str, str], Judged]

    @property
    def verdicts(self) -> dict[str, str]:
        """A sentence for each task."""
        return {task: self._verdict(task) for task in self.plan.tasks}

    @property
    def notes(self) -> list[str]:
        """What must be known before a table is believed."""
        notes = self.plan.notes
        for (task, _), one in self.judged.items():
            if one.outcome.is_at_edge and one.standing != "solves":
                rate = one.outcome.rate
                notes.append(f"{one.title} on {task}: the learning rate {rate:g} is the edge of those that were tried.")
            if gone := [f"seed {result.training.seed}" for result in one.outcome.results if result.diverged]:
                notes.append(f"{one.title} on {task}: diverged ({', '.join(gone)}), which counts as all wrong.")
            if (ratio := self.ratio(one)) and abs(ratio - 1) > APART:
                more = f"{100 * (ratio - 1):+.0f} % parameters"
                notes.append(f"{one.title} on {task}: {more}, compared with the first variant.")
        return notes

    def ratio(self, one: Judged) -> float:
        """Parameters of an outcome's models over those of the first variant on the same task."""
        first = self.judged[one.outcome.task, self.plan.variants[0].kind]
        return one.outcome.results[0].parameters / first.outcome.results[0].parameters

    def _verdict(self, task: str) -> str:
        first, *others = (self.judged[task, variant.kind] for variant in self.plan.variants)
        return tunnel_verdict(first, others, self.plan.preset.steps)


def tunnel_of(plan: TunnelPlan, preset_name: str, outcomes: Sequence[TunnelOutcome]) -> Tunnel:
    """What came out, by task and variant."""
    titles = {variant.kind: variant.title for variant in plan.variants}
    judged = {(one.task, one.kind): Judged(one, titles[one.kind]) for one in outcomes}
    return Tunnel(plan, preset_name, judged)


def error_interval(errors: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean over seeds; None for one seed, which says nothing of others."""
    from mta_eval.results.statistics import interval

    return interval(errors) if len(errors) > 1 else None

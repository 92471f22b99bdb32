"""Chance: any of the choices that the task offers, each as likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mta_eval.core import Sample, generator
from mta_eval.models.baselines.baseline import Baseline


@dataclass(frozen=True)
class Chance(Baseline):
    """Answers with any of the task's choices, each as likely; where there are none, with nothing (a baseline)"""

    name: ClassVar[str] = "chance"

    def answer_to(self, sample: Sample) -> str:
        """One of the choices, drawn for this sample."""
        return generator(0, self.name, sample.id).choice(sample.choices) if sample.choices else ""

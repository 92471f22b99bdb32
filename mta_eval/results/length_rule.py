"""When a model still finds things at a length."""

from __future__ import annotations

from typing import NamedTuple

from mta_eval.errors import SpecError


class LengthRule(NamedTuple):
    """When a length holds: its score, corrected for chance, is at least `floor`, and at least `share` of the shortest
    length's. RULER (Hsieh et al. 2024, section 4) has a floor alone, 85.6 %: Llama-2-7B's at 4K; there `share` is 0.
    """

    share: float = 0.85
    floor: float = 0.5

    def check(self) -> None:
        """Raises SpecError for what is no share."""
        for name, value in self._asdict().items():
            if not 0 <= value <= 1:
                raise SpecError(f"--{name} is a share of the score from 0 to 1, such as 0.85, not {value}")


LENGTH_RULE = LengthRule()

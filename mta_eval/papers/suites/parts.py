"""What each suite asks: its parts, as tasks over a sweep, and the benchmarks that lm-eval has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
BENCHMARKS = "benchmarks"
TEXT = "{text}"  # stands for what --text names


@dataclass(frozen=True)
class Part:
    """Tasks over one sweep. `draws`: samples a cell for each of --repeats."""

    tasks: tuple[str, ...]
    lengths: tuple[int, ...]
    depths: tuple[float | None, ...] = DEPTHS
    draws: int = 1

    @property
    def wants_text(self) -> bool:
        """Whether it reads the texts that --text names."""
        return any(TEXT in task for task in self.tasks)


@dataclass(frozen=True)
class Suite:
    """Parts by their names, and lm-eval's tasks with the number of worked examples in their prompts."""

    paper: str
    parts: Mapping[str, Part]
    benchmarks: Mapping[str, int] = field(default_factory=dict)


SUITES = {
    "mta-paper": Suite(
        paper="mta",
        parts={
            "letter_blocks": Part(("letter_blocks",), (0,), (None,), draws=5),
            "niah": Part(tuple(f"niah:needles={needles}" for needles in (2, 4, 6, 8, 10)), (2048, 4096)),
            # beside the stories' own length there is no depth to speak of
            "babilong": Part(tuple(f"babilong:qa={qa}" for qa in range(1, 6)), (0, 1024, 2048, 4096), (None,), draws=5),
            "perplexity": Part((f"perplexity:text={TEXT}",), (2048,), (None,)),
        },
        benchmarks={
            **dict.fromkeys(("lambada_standard", "lambada_openai", "boolq", "piqa", "social_iqa", "hellaswag"), 0),
            **dict.fromkeys(("winogrande", "arc_easy", "arc_challenge", "openbookqa"), 0),
            "mmlu": 5,  # by appendix D
        },
    ),
    "longheads-paper": Suite(
        paper="longheads",
        parts={
            "passkey": Part(("passkey",), (4096, 8192, 16384, 32768, 65536, 131072)),
            "perplexity": Part((f"perplexity:text={TEXT}",), (512, 1024, 2048, 4096, 8192), (None,)),
        },
    ),
}

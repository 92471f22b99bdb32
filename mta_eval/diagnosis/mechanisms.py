"""What a diagnosis asks: the mechanisms, the tasks that need each of them, and the lengths."""

from __future__ import annotations

from typing import NamedTuple


class Mechanism(NamedTuple):
    """Something that attention has to do, and tasks of which the later ones need more of it than the first."""

    name: str
    tasks: tuple[str, ...]


MECHANISMS = (
    Mechanism("one key", ("niah:needles=4", "associative_recall")),
    Mechanism(
        "two keys at once",
        (
            *("conjunction:shared=0,answer=number", "conjunction:answer=number", "conjunction:clauses=2,answer=number"),
            "associative_recall:near=8",
        ),
    ),
    Mechanism("induction", ("induction:cue=1", "induction:cue=3")),
    Mechanism("copying", ("copy:words=4",)),
    Mechanism("order", ("sorted_needles:needles=2",)),
    Mechanism("meaning", ("semantic:control=shared_words", "semantic")),
    Mechanism("chains", ("multi_hop:hops=1", "multi_hop", "babilong:qa=2")),
    Mechanism("sets", ("graph",)),
    Mechanism("counting", ("frequent_words",)),
    Mechanism("rounds of a chat", ("coreference_rounds:same=2,near=2",)),
)
PRESETS = {
    "laptop": (512, 1024, 2048),
    "gpu": (4096, 8192, 16384, 32768, 65536, 131072),
}
"""The lengths of each preset, in tokens."""
DRAWS = 3  # samples of a task and length for each of --repeats, each drawn by itself

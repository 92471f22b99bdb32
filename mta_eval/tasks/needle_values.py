"""Values that needles are given at random, by kind."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from random import Random


def random_value(random: Random, kind: str, digits: int, words: Sequence[str]) -> str:
    """A uuid, one of `words`, or (any other kind) a number of so many digits, the first of several not 0."""
    if kind == "uuid":
        return random_uuid(random)
    if kind == "word":
        return random.choice(words)
    return str(random.randrange(0 if digits == 1 else 10 ** (digits - 1), 10**digits))


def random_uuid(random: Random) -> str:
    """A uuid of version 4."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))

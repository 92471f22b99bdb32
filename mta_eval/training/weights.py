"""The chance of a model's first weights, which no other chance is changed by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mta_eval.core import generator


@contextmanager
def seeded_weights(seed: int, stream: str = "weights") -> Iterator[None]:
    """Within it torch draws weights on the CPU by `seed`, the same on every machine; streams are apart."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, stream).getrandbits(63))
        yield

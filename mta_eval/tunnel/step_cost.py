"""What a step costs: seconds and memory, measured on a model that is thrown away.

Memory on a GPU is what PyTorch held at the highest (`max_memory_allocated`). On a CPU the system tells only about the
whole process, Python and libraries with it, to some megabytes; so the bytes of all tensors that live at once are
counted instead: weights, gradients, AdamW's moments, and what a step makes and keeps for its backward pass. What one
operation takes and frees again within itself is not seen. The same model gives the same number on every machine.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from mta_eval.training.trainer import Trainer

TIMED = 3  # steps, after one that nobody times


@dataclass(frozen=True)
class StepCost:
    """Of one training step."""

    seconds: float  # the median of TIMED steps, without evaluations
    memory: int  # bytes at the highest


def step_cost(trainer: Trainer) -> StepCost:
    """Measured by training: a few steps to time, and one to count its memory. The trainer's schedule is cut to that."""
    times: list[float] = []
    few = replace(trainer.schedule, steps=TIMED + 1, evaluate_every=TIMED + 2, held_out=1)
    trainer.schedule = few
    list(trainer.run(lambda _step, _loss: times.append(time.perf_counter())))
    seconds = median(after - before for before, after in pairwise(times))
    trainer.schedule = replace(few, steps=TIMED + 2)
    return StepCost(seconds, _peak(trainer))


def _peak(trainer: Trainer) -> int:
    import torch

    if trainer.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(trainer.device)
        list(trainer.run())
        return int(torch.cuda.max_memory_allocated(trainer.device))
    parameters = list(trainer.model.parameters())
    moments = [value for state in trainer.optimizer.state.values() for value in state.values()]
    held = [*parameters, *trainer.model.buffers(), *moments]
    held += [parameter.grad for parameter in parameters if parameter.grad is not None]
    return count_peak(trainer, held)


def count_peak(trainer: Trainer, held: Iterable[torch.Tensor]) -> int:
    """Bytes of tensors that live at once at the highest while `trainer` runs; `held` are there before."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    alive = Alive()

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """Sees what every operation makes, those of the backward pass too."""

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            made = func(*args, **(kwargs or {}))
            alive.add(leaf for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor))
            return made

    alive.add(held)
    with Counting():  # type: ignore[no-untyped-call]
        list(trainer.run())
    return alive.highest


class Alive:
    """The bytes of tensors from when they are added until nothing holds their storage; views count once."""

    def __init__(self) -> None:
        self.now = self.highest = 0
        self._known: set[int] = set()

    def add(self, tensors: Iterable[torch.Tensor]) -> None:
        """Count those that are new."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            if key not in self._known:
                self._known.add(key)
                self.now += size
                weakref.finalize(storage, self._freed, key, size).atexit = False
        self.highest = max(self.highest, self.now)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size

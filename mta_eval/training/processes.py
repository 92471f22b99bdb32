"""The processes of one training: a share of the rows for each, sums over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Share:
    """Which part of each batch this process takes."""

    rank: int = 0
    world: int = 1

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of `values` over all processes."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def barrier(self) -> None:
        """Wait for the other processes."""
        if self.world > 1:
            distributed.barrier()


@contextmanager
def processes(device: str) -> Iterator[tuple[Share, torch.device]]:
    """This process's share and device: all of the work, or a part of it where torchrun started several."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    place = torch.device(device)
    if world == 1:
        yield Share(), place
        return
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Share(rank, world), place
        distributed.barrier()  # who leaves early breaks the others' connections
    finally:
        distributed.destroy_process_group()

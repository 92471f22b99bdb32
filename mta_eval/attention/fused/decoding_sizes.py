"""The sizes of one decoding step, and how its keys are parted; nothing here imports Triton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from mta_eval.attention.kernels import Kernels, key_reach

KERNEL_KEYS = 16  # rows of a tile that one head's kernel has, a row for each of its up to 15 keys
PROGRAMS_PER_PROCESSOR = 4  # so that loads of some hide what others wait for
MOST_SPLITS = 128
COLUMNS = 512  # elements of values that one program sums for a head, at most
PROCESSORS = 132  # of an H100; what the interpreter takes


class DecodingBlocks(NamedTuple):
    """Keys that one block reads, heads of one program, warps, and stages of loads."""

    keys: int
    heads: int
    warps: int
    stages: int


@dataclass(frozen=True)
class DecodingSizes:
    """B x H heads over `tokens` keys, the room of a cache where the length lies on the device.

    `value_groups` is how many groups of values one head's weights are multiplied with: more than one where heads that
    mix have values of their own.
    """

    batch: int
    heads: int
    groups: int
    tokens: int
    size: int
    value: int
    queries_in_kernel: int
    keys_in_kernel: int
    left: int
    item: int
    mixed: int
    splits: int
    blocks: DecodingBlocks

    @property
    def heads_per_group(self) -> int:
        """Heads that share keys."""
        return self.heads // self.groups

    @property
    def value_groups(self) -> int:
        """See the class."""
        return max(1, self.mixed // self.heads_per_group)

    @property
    def parts(self) -> int:
        """Programs that heads sharing keys are parted into."""
        return -(-self.heads_per_group // self.blocks.heads)

    @property
    def all_heads(self) -> int:
        """Heads of the whole batch."""
        return self.batch * self.heads

    @property
    def columns(self) -> int:
        """Elements that one head stores for one split."""
        return self.value_groups * max(16, 1 << (self.value - 1).bit_length())


def decoding_blocks(item: int, size: int, value: int, heads_per_group: int) -> DecodingBlocks:
    """The blocks for elements of `item` bytes, heads of `size`, and `value` elements of values for every key."""
    heads = min(4, 1 << (heads_per_group - 1).bit_length())
    wide = max(size, value) > 128
    warps = 8 if wide or heads > 2 else 4
    if item >= 4:
        return DecodingBlocks(32, 1, 8, 2) if wide else DecodingBlocks(64, min(heads, 2), warps, 2)
    return DecodingBlocks(64, min(heads, 2) if size > 128 else heads, warps, 2 if wide else 3)


def decoding_sizes(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernel: torch.Tensor, kernels: Kernels, splits: int | None
) -> DecodingSizes:
    """The sizes of q (B, H, c_q, D), k (B, G, S, D), v (B, G, S, D_v) and kernel (H, c_q, c_k)."""
    batch, heads = q.shape[:2]
    groups, tokens = k.shape[1:3]
    mixed = 1 if kernels.mix_after is None else kernels.mix_after.shape[-1]
    value_groups = max(1, mixed // (heads // groups))
    blocks = decoding_blocks(q.element_size(), q.shape[3], value_groups * v.shape[3], heads // groups)
    if splits is None:
        processors = PROCESSORS
        if q.is_cuda:
            properties: Any = torch.cuda.get_device_properties(q.device)
            processors = properties.multi_processor_count
        programs = batch * groups * -(-(heads // groups) // blocks.heads)
        step = blocks.keys - kernel.shape[2] + 1
        wanted = -(-processors * PROGRAMS_PER_PROCESSOR // programs)
        splits = max(1, min(MOST_SPLITS, wanted, -(-tokens // step)))
    return DecodingSizes(
        batch=batch,
        heads=heads,
        groups=groups,
        tokens=tokens,
        size=q.shape[3],
        value=v.shape[3],
        queries_in_kernel=kernel.shape[1],
        keys_in_kernel=kernel.shape[2],
        left=key_reach(kernel, kernels.key_padding)[0],
        item=q.element_size(),
        mixed=mixed,
        splits=splits,
        blocks=blocks,
    )

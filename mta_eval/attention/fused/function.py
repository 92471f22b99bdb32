"""The forward and backward pass put together, as one differentiable function of q, k, v and the kernel.

Over 250 lines, so that the kernels that belong together stand beside what launches them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from mta_eval.attention.fused.configurations import LARGE_MEMORY, Configuration, configuration
from mta_eval.attention.fused.forward import launch_attend
from mta_eval.attention.fused.geometry import LN2, Geometry, power, up
from mta_eval.attention.fused.gradients import (
    GRANULE,
    column_constants,
    column_kernel,
    delta_of,
    query_constants,
    query_kernel,
    stripe_rows,
    weigh_constants,
    weigh_kernel,
)
from mta_eval.attention.fused.preparation import prepare
from mta_eval.attention.fused.transposes import through_band, to_keys

WORKSPACE = (
    2**30
)  # bytes that a stripe of weights and their gradients takes, at most, unless one head's GRANULE of keys takes more
PART_ROWS = 256  # rows of one part of a product over rows, at least
PROGRAMS = 512  # programs of one product, at least: a GPU has some hundred multiprocessors


class _Context(Protocol):
    """What `Fused.forward` keeps for the backward pass."""

    sizes: Geometry
    blocks: Configuration
    saved_tensors: tuple[torch.Tensor, ...]

    def save_for_backward(self, *tensors: torch.Tensor) -> None: ...


class Fused(torch.autograd.Function):
    """(outputs, log-sum-exps) of contiguous q, and k, v contiguous in their last axes; `fused_attention` says more."""

    @staticmethod
    def forward(
        ctx: _Context,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        kernel: torch.Tensor,
        starts: torch.Tensor,
        seed: torch.Tensor,
        sizes: Geometry,
        blocks: Configuration | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Prepares, attends, and keeps what the backward pass reads: nothing that is quadratic in the context."""
        blocks = blocks or configuration_for(q, sizes)
        precise = kernel.float().contiguous()
        with on_device(q):
            wide, band = prepare(q, k, precise, starts, sizes)
            out, lse = launch_attend(q, wide, band, v, starts, seed, sizes, blocks.attend)
        ctx.save_for_backward(q, k, v, kernel, starts, seed, out, lse)
        ctx.sizes, ctx.blocks = sizes, blocks
        return out, lse.view(sizes.batch, sizes.heads, sizes.queries) * LN2

    @staticmethod
    def backward(ctx: _Context, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Exact gradients; the same bits every time."""
        q, k, v, kernel, starts, seed, out, lse = ctx.saved_tensors
        sizes = ctx.sizes
        grad = grads[0] if grads[0].stride(-1) == 1 else grads[0].contiguous()
        lse_grad = grads[1].float().reshape(sizes.all_heads, sizes.queries).contiguous()
        with on_device(q):
            gradients = backward(q, k, v, kernel, starts, seed, out, lse, grad, lse_grad, sizes, ctx.blocks)
        return (*gradients, None, None, None, None)


def backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernel: torch.Tensor,
    starts: torch.Tensor,
    seed: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    grad: torch.Tensor,
    lse_grad: torch.Tensor,
    sizes: Geometry,
    blocks: Configuration,
) -> tuple[torch.Tensor, ...]:
    """Gradients of q, k, v and the kernel."""
    precise = kernel.float().contiguous()
    wide, band = prepare(q, k, precise, starts, sizes)
    delta = delta_of(out, grad, lse_grad, sizes, blocks.tokens)
    all_heads = sizes.all_heads
    band_grad = delta.new_zeros(all_heads, sizes.queries, max(sizes.band, 1))
    total = delta.new_empty(all_heads, sizes.rows, sizes.size)
    ungrouped = sizes.heads == sizes.value_groups
    v_grad = v.new_empty(all_heads, sizes.keys, sizes.value, dtype=v.dtype if ungrouped else torch.float32)
    ungrouped = sizes.heads == sizes.key_groups
    k_grad = k.new_empty(all_heads, sizes.keys, sizes.size, dtype=k.dtype if ungrouped else torch.float32)
    q_grad, kernel_grads = torch.empty_like(q), []
    scores_grad = delta.new_empty(all_heads, sizes.rows if sizes.band else 1, power(sizes.reach))
    heads_per_stripe, stripe_keys = stripes(sizes)
    workspace = q.new_empty(2, heads_per_stripe, stripe_rows(sizes), up(stripe_keys, GRANULE))
    for head_from in range(0, all_heads, heads_per_stripe):
        heads = range(head_from, min(head_from + heads_per_stripe, all_heads))
        wide_grad = delta.new_empty(len(heads), sizes.keys, sizes.wide)
        for key_from in range(0, sizes.keys, stripe_keys):
            stripe = Stripe(workspace, heads, key_from, min(key_from + stripe_keys, sizes.keys), sizes, blocks)
            stripe.weigh(q, wide, band, v, starts, grad, lse, delta, seed, band_grad)
            stripe.to_queries(wide, total)
            stripe.to_wide_keys(q, wide_grad)
            stripe.to_values(grad, v_grad)
        shared = (heads, sizes, blocks.tokens)
        if sizes.band:
            band_kernel_grad = through_band(q, k, precise, starts, band_grad, total, scores_grad, q_grad, *shared)
        wide_kernel_grad = to_keys(q, k, precise, starts, wide_grad, scores_grad, k_grad, *shared)
        kernel_grads.append(wide_kernel_grad + band_kernel_grad if sizes.band else wide_kernel_grad)
    kernel_grad = torch.cat(kernel_grads).view(sizes.batch, *kernel.shape).sum(0).to(kernel.dtype)
    if not sizes.band:
        q_grad = total.view(q.shape).to(q.dtype)
    return q_grad, by_group(k_grad, sizes, k), by_group(v_grad, sizes, v), kernel_grad


@dataclass(frozen=True)
class Stripe:
    """Weights and the gradients of logits, side by side in `workspace`, of some heads and keys; their products."""

    workspace: torch.Tensor
    heads: range
    key_from: int
    key_to: int
    sizes: Geometry
    blocks: Configuration

    @property
    def _place(self) -> tuple[int, ...]:
        return self.heads.start, self.key_from, self.key_to, self.workspace.shape[3], self.workspace.shape[2]

    def weigh(
        self,
        q: torch.Tensor,
        wide: torch.Tensor,
        band: torch.Tensor,
        v: torch.Tensor,
        starts: torch.Tensor,
        grad: torch.Tensor,
        lse: torch.Tensor,
        delta: torch.Tensor,
        seed: torch.Tensor,
        band_grad: torch.Tensor,
    ) -> None:
        """Fill the workspace, and the rows of band_grad (B H, T, w) that meet these keys."""
        sizes, blocks = self.sizes, self.blocks.weigh
        across = -(-(self.key_to - self.key_from) // blocks.keys)
        weigh_kernel[(self.workspace.shape[2] // blocks.rows * across, len(self.heads))](
            q,
            wide,
            band,
            v,
            starts,
            grad,
            lse,
            delta,
            seed,
            self.workspace[0],
            self.workspace[1],
            band_grad,
            *self._place,
            max(0, self.blocks.column.keys - blocks.keys),
            sizes.rows,
            sizes.history,
            sizes.keys,
            sizes.keys_stored,
            sizes.heads,
            sizes.heads // sizes.value_groups,
            *v.stride()[:3],
            *grad.stride()[:3],
            sizes.dropout,
            **weigh_constants(sizes, blocks),
            num_warps=blocks.warps,
            num_stages=blocks.stages,
        )

    def to_queries(self, wide: torch.Tensor, total: torch.Tensor) -> None:
        """Add to the queries' gradients (B H, rows, D) in float32; the first stripe fills them."""
        sizes, blocks = self.sizes, self.blocks.query
        block_from = max(0, self.key_from - sizes.first) // blocks.rows  # no earlier row sees these keys
        query_kernel[(-(-sizes.rows // blocks.rows) - block_from, len(self.heads))](
            self.workspace[1],
            wide,
            total,
            *self._place,
            sizes.rows,
            sizes.keys,
            sizes.keys_stored,
            LN2,  # the widened keys hold scale / ln 2
            block_from,
            **query_constants(sizes, blocks, self.key_from > 0),
            num_warps=blocks.warps,
            num_stages=blocks.stages,
        )

    def to_wide_keys(self, q: torch.Tensor, wide_grad: torch.Tensor) -> None:
        """Fill the gradients (heads, S, c_q D) of these widened keys, times the scale of the scores."""
        sizes = self.sizes
        strides = (sizes.heads * sizes.rows * sizes.size, sizes.rows * sizes.size, sizes.size)
        into = wide_grad[:, self.key_from : self.key_to]
        self._columns(self.workspace[1], q, strides, sizes.halo, sizes.rows - 1 - sizes.halo, into, sizes.scale)

    def to_values(self, grad: torch.Tensor, v_grad: torch.Tensor) -> None:
        """Fill the gradients (B H, S, D_v) of these values, for every head on its own."""
        sizes = self.sizes
        into = v_grad[self.heads.start : self.heads.stop, self.key_from : self.key_to]
        self._columns(self.workspace[0], grad, grad.stride()[:3], sizes.history, sizes.queries - 1, into, 1.0)

    def _columns(
        self,
        left: torch.Tensor,
        right: torch.Tensor,
        strides: tuple[int, ...],
        shift: int,
        last: int,
        into: torch.Tensor,
        factor: float,
    ) -> None:
        sizes, blocks, (heads, keys, width) = self.sizes, self.blocks.column, into.shape
        constants = column_constants(sizes, blocks, width)
        programs = -(-keys // blocks.keys) * -(-width // constants["COLUMNS"])
        parts = max(1, min(PROGRAMS // (programs * heads), sizes.rows // PART_ROWS))
        partial_sums = into[None] if parts == 1 else into.new_empty(parts, *into.shape, dtype=torch.float32)
        column_kernel[(programs, heads, parts)](
            left,
            right,
            partial_sums,
            *self._place,
            sizes.rows,
            sizes.keys,
            sizes.heads,
            shift,
            last,
            *strides,
            *partial_sums.stride()[:3],
            factor,
            **constants,
            num_warps=blocks.warps,
            num_stages=blocks.stages,
        )
        if parts > 1:
            into.copy_(partial_sums.sum(0))


def stripes(sizes: Geometry) -> tuple[int, int]:
    """How many heads, and how many of their keys, one stripe holds: whole heads, or one head and some of its keys."""
    key_bytes = 2 * sizes.item * stripe_rows(sizes)  # bytes of one key of one head
    all_keys = up(sizes.keys, GRANULE)
    if key_bytes * all_keys <= WORKSPACE:
        return min(sizes.all_heads, WORKSPACE // (key_bytes * all_keys)), all_keys
    return 1, max(GRANULE, WORKSPACE // key_bytes // GRANULE * GRANULE)


def by_group(gradient: torch.Tensor, sizes: Geometry, like: torch.Tensor) -> torch.Tensor:
    """(B H, S, n) of every head, summed over the heads that read the same keys or values, (B, G, S, n)."""
    gradient = gradient.view(sizes.batch, like.shape[1], -1, *gradient.shape[1:])
    return (gradient[:, :, 0] if gradient.shape[2] == 1 else gradient.sum(2)).to(like.dtype)


def configuration_for(q: torch.Tensor, sizes: Geometry) -> Configuration:
    """The configuration for the device of q; off a GPU, in the interpreter, that of a large one."""
    memory = LARGE_MEMORY + 1
    if q.is_cuda:
        properties: Any = torch.cuda.get_device_properties(q.device)
        memory = properties.shared_memory_per_block_optin
    return configuration(sizes.item, sizes.size, sizes.value, memory)


def on_device(q: torch.Tensor) -> AbstractContextManager[object]:
    """Kernels run on the current device; this makes q's device the current one."""
    return torch.cuda.device(q.device) if q.is_cuda else nullcontext()

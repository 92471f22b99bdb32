"""The backward pass where it is linear in the context: through the band, and from widened keys back to keys.

Over 250 lines, so that the kernels that belong together stand beside what launches them.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from mta_eval.attention.fused.geometry import Geometry, power

WARPS = 8


@triton.jit(do_not_specialize=["head_from", "rows", "history", "keys", "heads", "heads_of_key"])
def band_kernel(
    q,
    k,
    kernel,
    starts,
    band_grad,
    total,
    scores_grad,
    kernel_grad,
    q_grad,
    head_from,
    rows,
    history,
    keys,
    heads,
    heads_of_key,
    stride_kb,
    stride_kg,
    stride_kt,
    scale,
    HALO: tl.constexpr,
    KEYS_IN_KERNEL: tl.constexpr,
    LEFT: tl.constexpr,
    SIZE: tl.constexpr,
    SIZE_BLOCK: tl.constexpr,
    BAND: tl.constexpr,
    REACH: tl.constexpr,
    REACH_STORED: tl.constexpr,
    DOCUMENTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradients of the newest scores U[u, m] = q_u . k_(i-m) and, from them, what is added to the gradients of queries.

    Also this block's share of the kernel's gradient, one number for each of its elements.
    """
    local = tl.program_id(1).to(tl.int64)
    head = local + head_from
    batch, h = head // heads, head % heads
    queries, first = rows - history, keys - rows
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    token = row + first
    valid = row < rows
    k += batch * stride_kb + (h // heads_of_key) * stride_kg
    kernel += h * (HALO + 1) * KEYS_IN_KERNEL
    starts += batch * keys
    q += head * rows * SIZE
    q_grad += head * rows * SIZE
    total += head * rows * SIZE
    scores_grad += head * rows * REACH_STORED
    band_grad += head * queries * BAND
    kernel_grad += (local * tl.num_programs(0) + tl.program_id(0)) * (HALO + 1) * KEYS_IN_KERNEL
    start = tl.zeros((BLOCK,), tl.int32)
    if DOCUMENTS:
        start = tl.load(starts + token, mask=valid, other=0)
    d = tl.arange(0, SIZE_BLOCK)
    inside_q = valid[:, None] & (d < SIZE)[None, :]
    query = tl.load(q + row[:, None] * SIZE + d[None, :], mask=inside_q, other=0.0).to(tl.float32)
    age = tl.arange(0, REACH_STORED)
    scores = tl.zeros((BLOCK, REACH_STORED), tl.float32)
    for m in range(REACH):
        inside = (valid & (token - m >= start))[:, None] & (d < SIZE)[None, :]
        keys_found = tl.load(k + (token - m)[:, None] * stride_kt + d[None, :], mask=inside, other=0.0).to(tl.float32)
        scores = tl.where((age == m)[None, :], tl.sum(query * keys_found, 1)[:, None] * scale, scores)

    score_change = tl.zeros((BLOCK, REACH_STORED), tl.float32)
    for a in tl.static_range(HALO + 1):
        band_row = row + HALO - a
        in_rows = (band_row >= history) & (band_row < rows)
        if DOCUMENTS:
            in_rows = in_rows & (tl.load(starts + band_row + first, mask=in_rows, other=keys) <= token)
        for b in tl.static_range(KEYS_IN_KERNEL):
            column = age - LEFT + b + HALO - a
            on_band = in_rows[:, None] & ((column >= 0) & (column < BAND))[None, :]
            offsets = (band_row - history)[:, None] * BAND + column[None, :]
            band_grads = tl.load(band_grad + offsets, mask=on_band, other=0.0)
            score_change += tl.load(kernel + a * KEYS_IN_KERNEL + b) * band_grads
            tl.store(kernel_grad + a * KEYS_IN_KERNEL + b, tl.sum(tl.sum(scores * band_grads, 1), 0))
    score_change = tl.where(
        (token[:, None] - age[None, :] >= start[:, None]) & (age < REACH)[None, :], score_change, 0.0
    )
    tl.store(scores_grad + row[:, None] * REACH_STORED + age[None, :], score_change, mask=valid[:, None])

    query_grad = tl.load(total + row[:, None] * SIZE + d[None, :], mask=inside_q, other=0.0)
    for m in range(REACH):
        inside = (valid & (token - m >= start))[:, None] & (d < SIZE)[None, :]
        keys_found = tl.load(k + (token - m)[:, None] * stride_kt + d[None, :], mask=inside, other=0.0).to(tl.float32)
        column_grad = tl.sum(tl.where((age == m)[None, :], score_change, 0.0), 1)
        query_grad += scale * column_grad[:, None] * keys_found
    target = q_grad + row[:, None] * SIZE + d[None, :]
    tl.store(target, query_grad.to(q_grad.dtype.element_ty), mask=inside_q)


@triton.jit(do_not_specialize=["head_from", "rows", "keys", "heads", "heads_of_key"])
def key_kernel(
    q,
    k,
    kernel,
    starts,
    wide_grad,
    scores_grad,
    kernel_grad,
    k_grad,
    head_from,
    rows,
    keys,
    heads,
    heads_of_key,
    stride_kb,
    stride_kg,
    stride_kt,
    scale,
    HALO: tl.constexpr,
    KEYS_IN_KERNEL: tl.constexpr,
    LEFT: tl.constexpr,
    SIZE: tl.constexpr,
    SIZE_BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
    BAND: tl.constexpr,
    REACH: tl.constexpr,
    REACH_STORED: tl.constexpr,
    DOCUMENTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """dk[j] = sum_ab kernel[a, b] dk~_a[j + LEFT - b] and what the band adds; this block's share of the kernel's."""
    local = tl.program_id(1).to(tl.int64)
    head = local + head_from
    batch, h = head // heads, head % heads
    first = keys - rows
    key = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    valid = key < keys
    k += batch * stride_kb + (h // heads_of_key) * stride_kg
    kernel += h * (HALO + 1) * KEYS_IN_KERNEL
    starts += batch * keys
    q += head * rows * SIZE
    k_grad += head * keys * SIZE
    scores_grad += head * rows * REACH_STORED
    kernel_grad += (local * tl.num_programs(0) + tl.program_id(0)) * (HALO + 1) * KEYS_IN_KERNEL
    wide_grad += local * keys * WIDE
    d = tl.arange(0, SIZE_BLOCK)
    inside_k = valid[:, None] & (d < SIZE)[None, :]
    own_keys = tl.load(k + key[:, None] * stride_kt + d[None, :], mask=inside_k, other=0.0).to(tl.float32)
    total = tl.zeros((BLOCK, SIZE_BLOCK), tl.float32)
    for b in tl.static_range(KEYS_IN_KERNEL):
        token = key + LEFT - b
        in_keys = valid & (token >= 0) & (token < keys)
        if DOCUMENTS:
            in_keys = in_keys & (tl.load(starts + token, mask=in_keys, other=keys) <= key)
        for a in tl.static_range(HALO + 1):
            mask = in_keys[:, None] & (d < SIZE)[None, :]
            wide_grads = tl.load(wide_grad + token[:, None] * WIDE + a * SIZE + d[None, :], mask=mask, other=0.0)
            total += tl.load(kernel + a * KEYS_IN_KERNEL + b) * wide_grads
            tl.store(kernel_grad + a * KEYS_IN_KERNEL + b, tl.sum(tl.sum(wide_grads * own_keys, 1), 0))
    if BAND:
        for m in range(REACH):
            row = key + m - first
            in_keys = valid & (row >= 0) & (row < rows)
            score_grad = tl.load(scores_grad + row * REACH_STORED + m, mask=in_keys, other=0.0)
            query = tl.load(
                q + row[:, None] * SIZE + d[None, :], mask=in_keys[:, None] & (d < SIZE)[None, :], other=0.0
            )
            total += scale * score_grad[:, None] * query.to(tl.float32)
    target = k_grad + key[:, None] * SIZE + d[None, :]
    tl.store(target, total.to(k_grad.dtype.element_ty), mask=inside_k)


def band_constants(sizes: Geometry, block: int) -> dict[str, int | str]:
    """The compile-time values of `band_kernel`."""
    return {
        "HALO": sizes.halo,
        "KEYS_IN_KERNEL": sizes.keys_in_kernel,
        "LEFT": sizes.left,
        "SIZE": sizes.size,
        "SIZE_BLOCK": power(sizes.size),
        "BAND": sizes.band,
        "REACH": sizes.reach,
        "REACH_STORED": power(sizes.reach),
        "DOCUMENTS": sizes.documents,
        "BLOCK": block,
    }


def key_constants(sizes: Geometry, block: int) -> dict[str, int | str]:
    """The compile-time values of `key_kernel`."""
    return {**band_constants(sizes, block), "WIDE": sizes.wide}


def through_band(
    q: torch.Tensor,
    k: torch.Tensor,
    kernel: torch.Tensor,
    starts: torch.Tensor,
    band_grad: torch.Tensor,
    total: torch.Tensor,
    scores_grad: torch.Tensor,
    q_grad: torch.Tensor,
    heads: range,
    sizes: Geometry,
    block: int,
) -> torch.Tensor:
    """Fill rows `heads` of q_grad (B, H, rows, D) and scores_grad (B H, rows, reach); returns the kernel's (heads, …).

    `total` (B H, rows, D) in float32 is the gradient of the queries that lies off the band.
    """
    blocks = -(-sizes.rows // block)
    kernel_grad = total.new_empty(len(heads), blocks, *kernel.shape[1:])
    band_kernel[(blocks, len(heads))](
        q,
        k,
        kernel,
        starts,
        band_grad,
        total,
        scores_grad,
        kernel_grad,
        q_grad,
        heads.start,
        sizes.rows,
        sizes.history,
        sizes.keys,
        sizes.heads,
        sizes.heads // sizes.key_groups,
        *k.stride()[:3],
        sizes.scale,
        **band_constants(sizes, block),
        num_warps=WARPS,
    )
    return kernel_grad.sum(1)


def to_keys(
    q: torch.Tensor,
    k: torch.Tensor,
    kernel: torch.Tensor,
    starts: torch.Tensor,
    wide_grad: torch.Tensor,
    scores_grad: torch.Tensor,
    k_grad: torch.Tensor,
    heads: range,
    sizes: Geometry,
    block: int,
) -> torch.Tensor:
    """Fill rows `heads` of k_grad (B H, S, D) from wide_grad (heads, S, c_q D); returns the kernel's (heads, …)."""
    blocks = -(-sizes.keys // block)
    kernel_grad = wide_grad.new_empty(len(heads), blocks, *kernel.shape[1:])
    key_kernel[(blocks, len(heads))](
        q,
        k,
        kernel,
        starts,
        wide_grad,
        scores_grad,
        kernel_grad,
        k_grad,
        heads.start,
        sizes.rows,
        sizes.keys,
        sizes.heads,
        sizes.heads // sizes.key_groups,
        *k.stride()[:3],
        sizes.scale,
        **key_constants(sizes, block),
        num_warps=WARPS,
    )
    return kernel_grad.sum(1)

"""The backward pass where it is quadratic: a stripe of weights and of their gradients is written, then multiplied.

Flash attention computes the logits twice in its backward pass, because writing them costs more than the product of a
head's size. Here that product is c_q times as long, so they are written: for all rows of some heads and a stripe of
keys that fits a workspace of constant size, which three plain products then read. That takes 20 units of N^2 D
operations instead of 27, needs no atomics, and gives the same bits every time.

A stripe holds rows u = 0 .. rows - 1 of the stored queries and more rows of zeros, and keys of one stripe. Its blocks
above the diagonal are zeros as far as a product may read, and nothing beyond.

Over 250 lines, so that the kernels that belong together stand beside what launches them.
"""

from __future__ import annotations

from typing import TypedDict

import torch
import triton
import triton.language as tl

from mta_eval.attention.fused.configurations import Blocks
from mta_eval.attention.fused.forward import products
from mta_eval.attention.fused.geometry import Geometry, halves, power, up

GRANULE = 256  # rows: blocks of all kernels divide it, so that a product knows how far each row was written


@triton.jit(do_not_specialize=["queries", "heads"])
def delta_kernel(
    out,
    grad,
    lse_grad,
    delta,
    queries,
    heads,
    stride_ob,
    stride_oh,
    stride_ot,
    stride_gb,
    stride_gh,
    stride_gt,
    VALUE: tl.constexpr,
    VALUE_BLOCK: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """delta_i = grad_i . out_i, less the gradient of the log-sum-exp: what is subtracted from every dP of a row."""
    head = tl.program_id(1).to(tl.int64)
    batch, h = head // heads, head % heads
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column = tl.arange(0, VALUE_BLOCK)
    inside = (row < queries)[:, None] & (column < VALUE)[None, :]
    out += batch * stride_ob + h * stride_oh
    grad += batch * stride_gb + h * stride_gh
    outputs = tl.load(out + row[:, None] * stride_ot + column[None, :], mask=inside, other=0.0).to(tl.float32)
    out_grads = tl.load(grad + row[:, None] * stride_gt + column[None, :], mask=inside, other=0.0).to(tl.float32)
    total = tl.sum(outputs * out_grads, 1) - tl.load(lse_grad + head * queries + row, mask=row < queries, other=0.0)
    tl.store(delta + head * queries + row, total, mask=row < queries)


@triton.jit(
    do_not_specialize=[
        "head_from",
        "key_from",
        "key_to",
        "stripe_rows",
        "slack",
        "rows",
        "history",
        "keys",
        "keys_stored",
        "heads",
        "heads_of_value",
    ]
)
def weigh_kernel(
    q,
    wide,
    band,
    v,
    starts,
    grad,
    lse,
    delta,
    seed,
    weights,
    logits_grad,
    band_grad,
    head_from,
    key_from,
    key_to,
    stripe,
    stripe_rows,
    slack,
    rows,
    history,
    keys,
    keys_stored,
    heads,
    heads_of_value,
    stride_vb,
    stride_vg,
    stride_vt,
    stride_gb,
    stride_gh,
    stride_gt,
    dropout,
    HALO: tl.constexpr,
    SIZE: tl.constexpr,
    WIDE: tl.constexpr,
    WIDE_STORED: tl.constexpr,
    CHUNK: tl.constexpr,
    VALUE: tl.constexpr,
    VALUE_CHUNK: tl.constexpr,
    BAND: tl.constexpr,
    DOCUMENTS: tl.constexpr,
    DROPOUT: tl.constexpr,
    PRECISION: tl.constexpr,
    GRANULE: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):
    """One block of a stripe: its weights, and the gradients of its logits, those on the band in `band_grad` instead."""
    local = tl.program_id(1).to(tl.int64)
    head = local + head_from
    batch, h = head // heads, head % heads
    across = (key_to - key_from + KEYS - 1) // KEYS
    block, key_offset = tl.program_id(0) // across, (tl.program_id(0) % across) * KEYS
    queries, first = rows - history, keys - rows
    row = block * ROWS + tl.arange(0, ROWS)
    token = row + first
    key = key_from + key_offset + tl.arange(0, KEYS)
    weights += local * stripe_rows * stripe
    logits_grad += local * stripe_rows * stripe
    offsets = row[:, None] * stripe + (key_offset + tl.arange(0, KEYS))[None, :]
    reach = (block * ROWS // GRANULE + 1) * GRANULE + first + slack  # how far products may read in these rows
    first_token = block * ROWS + first
    if key_from + key_offset < reach:
        if (key_from + key_offset < first_token + ROWS) & (block * ROWS < rows):
            out_row = row - history
            valid = (out_row >= 0) & (row < rows)
            window = tl.minimum(tl.maximum(row - HALO, 0), rows - 1 - HALO) * SIZE
            from_q, from_wide = q + head * rows * SIZE, wide + head * keys_stored * WIDE_STORED
            logits = products(
                from_q, window, from_wide, key * WIDE_STORED, ROWS, KEYS, WIDE, WIDE_STORED, CHUNK, PRECISION
            )

            from_lse, from_delta = lse + head * queries, delta + head * queries
            from_band, into_band = band + head * queries * BAND, band_grad + head * queries * BAND
            # rows before `history` have no weights of their own: exp2(x - inf) = 0
            row_lse = tl.load(from_lse + out_row, mask=valid, other=float("inf"))
            row_delta = tl.load(from_delta + out_row, mask=valid, other=0.0)
            crosses = key_from + key_offset + KEYS > first_token - BAND + 1
            if crosses:
                age = token[:, None] - key[None, :]
                for newest in range(BAND):
                    band_values = tl.load(from_band + out_row * BAND + newest, mask=valid, other=0.0)
                    logits = tl.where(age == newest, band_values[:, None], logits)
                logits = tl.where(age >= 0, logits, float("-inf"))
            if DOCUMENTS:
                start = tl.load(starts + batch * keys + token, mask=valid, other=keys)
                logits = tl.where(key[None, :] >= start[:, None], logits, float("-inf"))
                padding = row_lse == float("-inf")
                row_lse = tl.where(padding, float("inf"), row_lse)
                row_delta = tl.where(padding, 0.0, row_delta)
            probability = tl.exp2(logits - row_lse[:, None])
            if DROPOUT:
                random = tl.rand(tl.load(seed) + head, row[:, None] * keys + key[None, :])
                scale = tl.where(random >= dropout, 1.0 / (1.0 - dropout), 0.0)
                tl.store(weights + offsets, (probability * scale).to(weights.dtype.element_ty))
            else:
                tl.store(weights + offsets, probability.to(weights.dtype.element_ty))

            from_v = v + batch * stride_vb + (h // heads_of_value) * stride_vg
            from_grad = grad + batch * stride_gb + h * stride_gh
            offset = tl.arange(0, VALUE_CHUNK)
            weight_grad = tl.zeros((ROWS, KEYS), tl.float32)
            for c in range(0, VALUE, VALUE_CHUNK):
                out_grad = tl.load(
                    from_grad + out_row[:, None] * stride_gt + (c + offset)[None, :],
                    mask=valid[:, None] & (c + offset < VALUE)[None, :],
                    other=0.0,
                )
                values = tl.load(
                    from_v + key[None, :] * stride_vt + (c + offset)[:, None],
                    mask=(key < keys)[None, :] & (c + offset < VALUE)[:, None],
                    other=0.0,
                )
                weight_grad = tl.dot(out_grad, values, weight_grad, input_precision=PRECISION)
            if DROPOUT:
                random = tl.rand(tl.load(seed) + head, row[:, None] * keys + key[None, :])
                weight_grad = tl.where(random >= dropout, weight_grad / (1.0 - dropout), 0.0)
            logit_grad = probability * (weight_grad - row_delta[:, None])
            if crosses:
                key_age = token[:, None] - key[None, :]
                for newest in range(BAND):
                    band_values = tl.sum(tl.where(key_age == newest, logit_grad, 0.0), 1)
                    block_key = token - newest - key_from - key_offset  # the place of its key in this block
                    in_block = valid & (block_key >= 0) & (block_key < KEYS)
                    tl.store(into_band + out_row * BAND + newest, band_values, mask=in_block)
                logit_grad = tl.where((key_age >= 0) & (key_age < BAND), 0.0, logit_grad)
            tl.store(logits_grad + offsets, logit_grad.to(logits_grad.dtype.element_ty))
        else:
            zeros = tl.zeros((ROWS, KEYS), weights.dtype.element_ty)
            tl.store(weights + offsets, zeros)
            tl.store(logits_grad + offsets, zeros)


@triton.jit(
    do_not_specialize=["head_from", "key_from", "key_to", "stripe_rows", "rows", "keys", "keys_stored", "block_from"]
)
def query_kernel(
    logits_grad,
    wide,
    total,
    head_from,
    key_from,
    key_to,
    stripe,
    stripe_rows,
    rows,
    keys,
    keys_stored,
    factor,
    block_from,
    HALO: tl.constexpr,
    SIZE: tl.constexpr,
    SIZE_A: tl.constexpr,
    SIZE_B: tl.constexpr,
    WIDE_STORED: tl.constexpr,
    ADDS: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):
    """dq_u = factor sum_a sum_j dL[u + HALO - a, j] k~_a[j], over the keys of the stripe; added to what is there."""
    local = tl.program_id(1).to(tl.int64)
    head = local + head_from
    first = keys - rows
    block = tl.num_programs(0) - 1 - tl.program_id(0) + block_from
    row = block * ROWS + tl.arange(0, ROWS)
    key = tl.arange(0, KEYS)
    logits_grad += local * stripe_rows * stripe
    wide += (head * keys_stored + key_from) * WIDE_STORED
    total += head * rows * SIZE
    offsets = row[:, None] * stripe + key[None, :]
    key_offsets = key[:, None] * WIDE_STORED
    column_a, column_b = tl.arange(0, SIZE_A), SIZE_A + tl.arange(0, SIZE_B if SIZE_B else 16)
    sum_a = tl.zeros((ROWS, SIZE_A), tl.float32)
    sum_b = tl.zeros((ROWS, SIZE_B if SIZE_B else 16), tl.float32)
    # a key on no band is older than its row by w = HALO + right, so these rows meet none at or after row u's own token
    key_end = tl.minimum(key_to, block * ROWS + ROWS + first) - key_from
    steps = tl.maximum((key_end + KEYS - 1) // KEYS, 0) * (HALO + 1)
    for step in range(0, steps):
        key_offset, a = (step // (HALO + 1)) * KEYS, step % (HALO + 1)
        logit_grad = tl.load(logits_grad + offsets + ((HALO - a) * stripe + key_offset))
        key_pointer = wide + key_offsets + (key_offset * WIDE_STORED + a * SIZE)
        if SIZE_A <= SIZE:
            keys_a = tl.load(key_pointer + column_a[None, :])
        else:
            keys_a = tl.load(key_pointer + column_a[None, :], mask=(column_a < SIZE)[None, :], other=0.0)
        sum_a = tl.dot(logit_grad, keys_a, sum_a, input_precision=PRECISION)
        if SIZE_B:
            if SIZE_A + SIZE_B <= SIZE:
                keys_b = tl.load(key_pointer + column_b[None, :])
            else:
                keys_b = tl.load(key_pointer + column_b[None, :], mask=(column_b < SIZE)[None, :], other=0.0)
            sum_b = tl.dot(logit_grad, keys_b, sum_b, input_precision=PRECISION)
    into = total + row[:, None] * SIZE
    inside = (row < rows)[:, None] & (column_a < SIZE)[None, :]
    sum_a = sum_a * factor
    if ADDS:
        sum_a += tl.load(into + column_a[None, :], mask=inside, other=0.0)
    tl.store(into + column_a[None, :], sum_a, mask=inside)
    if SIZE_B:
        inside = (row < rows)[:, None] & (column_b < SIZE)[None, :]
        sum_b = sum_b * factor
        if ADDS:
            sum_b += tl.load(into + column_b[None, :], mask=inside, other=0.0)
        tl.store(into + column_b[None, :], sum_b, mask=inside)


@triton.jit(
    do_not_specialize=["head_from", "key_from", "key_to", "stripe_rows", "rows", "keys", "heads", "shift", "last"]
)
def column_kernel(
    left,
    right,
    total,
    head_from,
    key_from,
    key_to,
    stripe,
    stripe_rows,
    rows,
    keys,
    heads,
    shift,
    last,
    stride_b,
    stride_h,
    stride_t,
    stride_part,
    stride_local,
    stride_key,
    factor,
    WIDTH: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """total[j, e] = factor sum_u left[u, j] right[u - shift, e], over one part of the rows.

    `right` (…, WIDTH) may be the queries, whose rows overlap; those before the first or after `last` meet zeros.
    """
    part, parts = tl.program_id(2), tl.num_programs(2)
    local = tl.program_id(1).to(tl.int64)
    head = local + head_from
    batch, h = head // heads, head % heads
    across = (WIDTH + COLUMNS - 1) // COLUMNS
    key_offset = (tl.program_id(0) // across) * KEYS
    key = key_offset + tl.arange(0, KEYS)
    column = (tl.program_id(0) % across) * COLUMNS + tl.arange(0, COLUMNS)
    row_start = tl.maximum(key_from + key_offset - (keys - rows), 0) // ROWS  # no earlier row sees these keys
    blocks_per_part = (tl.maximum((rows + ROWS - 1) // ROWS - row_start, 0) + parts - 1) // parts
    row_start = (row_start + part * blocks_per_part) * ROWS
    row_end = tl.minimum(row_start + blocks_per_part * ROWS, rows)
    row_offset = tl.arange(0, ROWS)
    left += local * stripe_rows * stripe
    offsets = row_offset[:, None] * stripe + key[None, :]
    right += batch * stride_b + h * stride_h
    sums = tl.zeros((KEYS, COLUMNS), tl.float32)
    for block_row in range(row_start, row_end, ROWS):
        left_block = tl.load(left + offsets + block_row * stripe)
        row = tl.minimum(tl.maximum(block_row + row_offset - shift, 0), last)
        if WIDTH % COLUMNS == 0:
            right_block = tl.load(right + row[:, None] * stride_t + column[None, :])
        else:
            right_block = tl.load(
                right + row[:, None] * stride_t + column[None, :], mask=(column < WIDTH)[None, :], other=0.0
            )
        sums = tl.dot(tl.trans(left_block), right_block, sums, input_precision=PRECISION)
    stripe_keys = key_to - key_from
    total += part * stride_part + local * stride_local
    sums = (sums * factor).to(total.dtype.element_ty)
    tl.store(
        total + key[:, None] * stride_key + column[None, :],
        sums,
        mask=(key < stripe_keys)[:, None] & (column < WIDTH)[None, :],
    )


def weigh_constants(sizes: Geometry, blocks: Blocks) -> dict[str, int | str]:
    """The compile-time values of `weigh_kernel`."""
    chunk = 64 if sizes.item < 4 else 32
    if 0 < sizes.value % chunk <= chunk // 2:
        chunk //= 2
    return {
        "HALO": sizes.halo,
        "SIZE": sizes.size,
        "WIDE": sizes.wide,
        "WIDE_STORED": sizes.wide_stored,
        "CHUNK": sizes.chunk,
        "VALUE": sizes.value,
        "VALUE_CHUNK": min(chunk, power(sizes.value)),
        "BAND": sizes.band,
        "DOCUMENTS": sizes.documents,
        "DROPOUT": sizes.dropout > 0,
        "PRECISION": sizes.precision,
        "GRANULE": GRANULE,
        "ROWS": blocks.rows,
        "KEYS": blocks.keys,
    }


def query_constants(sizes: Geometry, blocks: Blocks, adds: bool) -> dict[str, int | str]:
    """The compile-time values of `query_kernel`."""
    size_a, size_b = halves(sizes.size)
    return {
        "HALO": sizes.halo,
        "SIZE": sizes.size,
        "SIZE_A": size_a,
        "SIZE_B": size_b,
        "WIDE_STORED": sizes.wide_stored,
        "ADDS": adds,
        "PRECISION": sizes.precision,
        "ROWS": blocks.rows,
        "KEYS": blocks.keys,
    }


class ColumnConstants(TypedDict):
    """The compile-time values of `column_kernel`."""

    WIDTH: int
    PRECISION: str
    ROWS: int
    KEYS: int
    COLUMNS: int


def column_constants(sizes: Geometry, blocks: Blocks, width: int) -> ColumnConstants:
    """The compile-time values of `column_kernel`."""
    return {
        "WIDTH": width,
        "PRECISION": sizes.precision,
        "ROWS": blocks.rows,
        "KEYS": blocks.keys,
        "COLUMNS": min(blocks.columns, power(width)),
    }


def stripe_rows(sizes: Geometry) -> int:
    """Rows of a stripe: all stored queries, and as many below them as a shifted block may read."""
    return up(sizes.rows + sizes.halo, GRANULE)


def delta_of(
    out: torch.Tensor, grad: torch.Tensor, lse_grad: torch.Tensor, sizes: Geometry, block: int = 64
) -> torch.Tensor:
    """delta (B H, T) in float32 of outputs and their gradients (B, H, T, D_v)."""
    delta = torch.empty_like(lse_grad)
    delta_kernel[(-(-sizes.queries // block), sizes.all_heads)](
        out,
        grad,
        lse_grad,
        delta,
        sizes.queries,
        sizes.heads,
        *out.stride()[:3],
        *grad.stride()[:3],
        VALUE=sizes.value,
        VALUE_BLOCK=power(sizes.value),
        BLOCK=block,
        num_warps=4,
    )
    return delta

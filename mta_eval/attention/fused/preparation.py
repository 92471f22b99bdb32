"""What the main kernel reads beside queries and values: widened keys, and the logits next to the diagonal.

Over 250 lines, so that the kernels that belong together stand beside what launches them.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from mta_eval.attention.fused.geometry import LN2, Geometry, power

BLOCK = 64  # tokens of one program
LANES = 64  # elements of widened keys of one program


@triton.jit
def widen_block(
    k,
    kernel,
    starts,
    wide,
    keys,
    keys_stored,
    stride_kt,
    block,
    lanes,
    factor,
    KEYS_IN_KERNEL: tl.constexpr,
    LEFT: tl.constexpr,
    SIZE: tl.constexpr,
    WIDE: tl.constexpr,
    WIDE_STORED: tl.constexpr,
    DOCUMENTS: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
):
    """Some elements of a block of widened keys, k~[j, a D + d] = sum_b kernel[a, b] k[j - LEFT + b, d]."""
    token = block * BLOCK + tl.arange(0, BLOCK)
    element = lanes * LANES + tl.arange(0, LANES)
    a, d = element // SIZE, element % SIZE
    start = tl.zeros((BLOCK,), tl.int32)
    if DOCUMENTS:
        start = tl.load(starts + token, mask=token < keys, other=0)
    total = tl.zeros((BLOCK, LANES), tl.float32)
    for b in tl.static_range(KEYS_IN_KERNEL):
        weight = tl.load(kernel + a * KEYS_IN_KERNEL + b, mask=element < WIDE, other=0.0)
        source = token - LEFT + b
        inside = (source >= start) & (source < keys)
        source_keys = tl.load(
            k + source[:, None] * stride_kt + d[None, :], mask=inside[:, None] & (element < WIDE)[None, :], other=0.0
        )
        total += weight[None, :] * source_keys.to(tl.float32)
    target = wide + token[:, None] * WIDE_STORED + element[None, :]
    stored = (token < keys_stored)[:, None] & (element < WIDE_STORED)[None, :]
    tl.store(target, (total * factor).to(wide.dtype.element_ty), mask=stored)


@triton.jit
def band_block(
    q,
    k,
    kernel,
    starts,
    band,
    scores,
    rows,
    history,
    keys,
    stride_kt,
    block,
    factor,
    HALO: tl.constexpr,
    KEYS_IN_KERNEL: tl.constexpr,
    LEFT: tl.constexpr,
    SIZE: tl.constexpr,
    SIZE_BLOCK: tl.constexpr,
    BAND: tl.constexpr,
    BAND_BLOCK: tl.constexpr,
    REACH: tl.constexpr,
    REACH_STORED: tl.constexpr,
    DOCUMENTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The band of BLOCK - HALO rows, from the newest scores U[i, m] = q_i . k_(i-m) of those and the HALO above."""
    block_row = tl.arange(0, BLOCK)
    row = history + block * (BLOCK - HALO) - HALO + block_row
    token = row + keys - rows
    valid = (row >= 0) & (row < rows)
    start = tl.zeros((BLOCK,), tl.int32)
    if DOCUMENTS:
        start = tl.load(starts + token, mask=valid, other=0)
    d = tl.arange(0, SIZE_BLOCK)
    query = tl.load(q + row[:, None] * SIZE + d[None, :], mask=valid[:, None] & (d < SIZE)[None, :], other=0.0)
    query = query.to(tl.float32)
    for m in range(REACH):
        inside = valid & (token - m >= start)
        values = tl.load(
            k + (token - m)[:, None] * stride_kt + d[None, :], mask=inside[:, None] & (d < SIZE)[None, :], other=0.0
        )
        tl.store(scores + block_row * REACH_STORED + m, tl.sum(query * values.to(tl.float32), 1))
    tl.debug_barrier()  # the rows above a row were written by other threads of this program
    age = tl.arange(0, BAND_BLOCK)
    total = tl.zeros((BLOCK, BAND_BLOCK), tl.float32)
    for a in tl.static_range(HALO + 1):
        score_row = block_row - HALO + a
        of_document = (score_row >= 0) & (token - HALO + a >= start)
        for b in tl.static_range(KEYS_IN_KERNEL):
            m = age + LEFT - b - HALO + a
            inside = of_document[:, None] & ((m >= 0) & (m < REACH))[None, :]
            values = tl.load(scores + score_row[:, None] * REACH_STORED + m[None, :], mask=inside, other=0.0)
            total += tl.load(kernel + a * KEYS_IN_KERNEL + b) * values
    total = tl.where((token[:, None] - age[None, :]) >= start[:, None], total * factor, float("-inf"))
    stored = (block_row >= HALO) & (row < rows)
    target = band + (row - history)[:, None] * BAND + age[None, :]
    tl.store(target, total, mask=stored[:, None] & (age < BAND)[None, :])


@triton.jit(
    do_not_specialize=[
        "rows",
        "history",
        "keys",
        "keys_stored",
        "heads",
        "heads_of_key",
        "wide_blocks",
        "wide_programs",
    ]
)
def prepare_kernel(
    q,
    k,
    kernel,
    starts,
    wide,
    band,
    scores,
    rows,
    history,
    keys,
    keys_stored,
    heads,
    heads_of_key,
    stride_kb,
    stride_kg,
    stride_kt,
    wide_blocks,
    wide_programs,
    factor,
    HALO: tl.constexpr,
    KEYS_IN_KERNEL: tl.constexpr,
    LEFT: tl.constexpr,
    SIZE: tl.constexpr,
    SIZE_BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
    WIDE_STORED: tl.constexpr,
    BAND: tl.constexpr,
    BAND_BLOCK: tl.constexpr,
    REACH: tl.constexpr,
    REACH_STORED: tl.constexpr,
    DOCUMENTS: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
):
    """Programs up to `wide_programs` write widened keys, the others the band; both times `factor`."""
    program = tl.program_id(0)
    head = tl.program_id(1).to(tl.int64)
    batch, h = head // heads, head % heads
    k += batch * stride_kb + (h // heads_of_key) * stride_kg
    kernel += h * (HALO + 1) * KEYS_IN_KERNEL
    starts += batch * keys
    if program < wide_programs:
        widen_block(
            k,
            kernel,
            starts,
            wide + head * keys_stored * WIDE_STORED,
            keys,
            keys_stored,
            stride_kt,
            program % wide_blocks,
            program // wide_blocks,
            factor,
            KEYS_IN_KERNEL,
            LEFT,
            SIZE,
            WIDE,
            WIDE_STORED,
            DOCUMENTS,
            BLOCK,
            LANES,
        )
    else:
        band_block_index = program - wide_programs
        blocks = tl.num_programs(0) - wide_programs
        scores += (head * blocks + band_block_index) * BLOCK * REACH_STORED  # this program's own part of the buffer
        band_block(
            q + head * rows * SIZE,
            k,
            kernel,
            starts,
            band + head * (rows - history) * BAND,
            scores,
            rows,
            history,
            keys,
            stride_kt,
            band_block_index,
            factor,
            HALO,
            KEYS_IN_KERNEL,
            LEFT,
            SIZE,
            SIZE_BLOCK,
            BAND,
            BAND_BLOCK,
            REACH,
            REACH_STORED,
            DOCUMENTS,
            BLOCK,
        )


def prepare(
    q: torch.Tensor, k: torch.Tensor, kernel: torch.Tensor, starts: torch.Tensor, sizes: Geometry
) -> tuple[torch.Tensor, torch.Tensor]:
    """Widened keys (B H, S rounded up, c_q D rounded up) and the band (B H, T, w) in float32, in base-2 units.

    q (B, H, rows, D) is contiguous; k (B, G, S, D) is so in its last axis; kernel (H, c_q, c_k) is float32.
    """
    wide = q.new_empty(sizes.all_heads, sizes.keys_stored, sizes.wide_stored)
    band = q.new_empty(sizes.all_heads, sizes.queries, max(sizes.band, 1), dtype=torch.float32)
    wide_blocks = sizes.keys_stored // BLOCK
    wide_programs = wide_blocks * -(-sizes.wide_stored // LANES)
    band_programs = -(-sizes.queries // (BLOCK - sizes.halo)) if sizes.band else 0
    reach = power(sizes.reach)
    scores = q.new_empty(max(1, sizes.all_heads * band_programs * BLOCK * reach), dtype=torch.float32)
    prepare_kernel[(wide_programs + band_programs, sizes.all_heads)](
        q,
        k,
        kernel,
        starts,
        wide,
        band,
        scores,
        sizes.rows,
        sizes.history,
        sizes.keys,
        sizes.keys_stored,
        sizes.heads,
        sizes.heads // sizes.key_groups,
        k.stride(0),
        k.stride(1),
        k.stride(2),
        wide_blocks,
        wide_programs,
        sizes.scale / LN2,
        **prepare_constants(sizes),
        num_warps=4,
    )
    return wide, band


def prepare_constants(sizes: Geometry) -> dict[str, int | str]:
    """The compile-time values of `prepare_kernel`."""
    return {
        "HALO": sizes.halo,
        "KEYS_IN_KERNEL": sizes.keys_in_kernel,
        "LEFT": sizes.left,
        "SIZE": sizes.size,
        "SIZE_BLOCK": power(sizes.size),
        "WIDE": sizes.wide,
        "WIDE_STORED": sizes.wide_stored,
        "BAND": sizes.band,
        "BAND_BLOCK": power(sizes.band),
        "REACH": sizes.reach,
        "REACH_STORED": power(sizes.reach),
        "DOCUMENTS": sizes.documents,
        "BLOCK": BLOCK,
        "LANES": LANES,
    }

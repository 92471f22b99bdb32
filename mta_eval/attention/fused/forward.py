"""The main kernel: flash attention over widened keys, whose widened queries are read and never stored.

Over 250 lines, so that the kernels that belong together stand beside what launches them.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from mta_eval.attention.fused.configurations import Blocks
from mta_eval.attention.fused.geometry import Geometry, halves


@triton.jit
def products(
    q,
    window,
    wide,
    place,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    WIDE: tl.constexpr,
    WIDE_STORED: tl.constexpr,
    CHUNK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Logits off the band (ROWS, KEYS): each row's first query is at `window` of q, each widened key at `place`.

    The queries of a row follow one another in memory, so that a widened query is a window of c_q D elements.
    """
    offset = tl.arange(0, CHUNK)
    logits = tl.zeros((ROWS, KEYS), tl.float32)
    for c in range(0, WIDE_STORED, CHUNK):
        if WIDE == WIDE_STORED:
            queries = tl.load(q + window[:, None] + (c + offset)[None, :])
        else:
            queries = tl.load(q + window[:, None] + (c + offset)[None, :], mask=(c + offset < WIDE)[None, :], other=0.0)
        keys = tl.load(wide + place[None, :] + (c + offset)[:, None])
        logits = tl.dot(queries, keys, logits, input_precision=PRECISION)
    return logits


@triton.jit
def read_values(v, stride, row, inside, FIRST: tl.constexpr, COLUMNS: tl.constexpr, VALUE: tl.constexpr):
    """Rows `row` of v and its columns FIRST .. FIRST + COLUMNS; zero where a row is not `inside`."""
    column = FIRST + tl.arange(0, COLUMNS)
    mask = inside[:, None] & (column < VALUE)[None, :]
    return tl.load(v + row[:, None] * stride + column[None, :], mask=mask, other=0.0)


@triton.jit
def read_whole(v, stride, row, FIRST: tl.constexpr, COLUMNS: tl.constexpr, VALUE: tl.constexpr):
    """The same where all rows are inside."""
    column = FIRST + tl.arange(0, COLUMNS)
    if FIRST + COLUMNS <= VALUE:
        values = tl.load(v + row[:, None] * stride + column[None, :])
    else:
        values = tl.load(v + row[:, None] * stride + column[None, :], mask=(column < VALUE)[None, :], other=0.0)
    return values


@triton.jit(do_not_specialize=["rows", "history", "keys", "keys_stored", "heads", "heads_of_value"])
def attend_kernel(
    q,
    wide,
    band,
    v,
    starts,
    out,
    lse,
    seed,
    rows,
    history,
    keys,
    keys_stored,
    heads,
    heads_of_value,
    stride_vb,
    stride_vg,
    stride_vt,
    stride_ob,
    stride_oh,
    stride_ot,
    dropout,
    HALO: tl.constexpr,
    SIZE: tl.constexpr,
    WIDE: tl.constexpr,
    WIDE_STORED: tl.constexpr,
    CHUNK: tl.constexpr,
    VALUE: tl.constexpr,
    VALUE_A: tl.constexpr,
    VALUE_B: tl.constexpr,
    BAND: tl.constexpr,
    DOCUMENTS: tl.constexpr,
    DROPOUT: tl.constexpr,
    PRECISION: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):
    """Outputs and log-sum-exps (base 2) of ROWS query rows of one head."""
    head = tl.program_id(1).to(tl.int64)
    batch, h = head // heads, head % heads
    block = tl.num_programs(0) - 1 - tl.program_id(0)  # the longest rows first
    queries, first = rows - history, keys - rows
    out_row = block * ROWS + tl.arange(0, ROWS)  # row of the output
    row = history + out_row
    token = row + first
    valid = out_row < queries
    q += head * rows * SIZE
    window = tl.minimum(tl.maximum(row - HALO, 0), rows - 1 - HALO) * SIZE
    wide += head * keys_stored * WIDE_STORED
    v += batch * stride_vb + (h // heads_of_value) * stride_vg
    band += head * queries * BAND

    first_token = first + history + block * ROWS
    start = tl.zeros((ROWS,), tl.int32)
    key_start = 0
    if DOCUMENTS:
        start = tl.load(starts + batch * keys + token, mask=valid, other=keys)
        key_start = tl.min(start, 0) // KEYS * KEYS
    band_start = tl.maximum(key_start, tl.maximum(first_token - BAND + 1, 0) // KEYS * KEYS)
    maximum = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    sum_a = tl.zeros((ROWS, VALUE_A), tl.float32)
    sum_b = tl.zeros((ROWS, VALUE_B if VALUE_B else 16), tl.float32)

    for n in range(key_start, band_start, KEYS):  # wholly older than the band: a plain product
        key = n + tl.arange(0, KEYS)
        value_a = read_whole(v, stride_vt, key, 0, VALUE_A, VALUE)
        if VALUE_B:
            value_b = read_whole(v, stride_vt, key, VALUE_A, VALUE_B, VALUE)
        logits = products(q, window, wide, key * WIDE_STORED, ROWS, KEYS, WIDE, WIDE_STORED, CHUNK, PRECISION)
        if DOCUMENTS:
            logits = tl.where(key[None, :] >= start[:, None], logits, float("-inf"))
        new_maximum = tl.maximum(maximum, tl.max(logits, 1))
        if DOCUMENTS:
            finite_maximum = tl.where(new_maximum == float("-inf"), 0.0, new_maximum)
        else:
            finite_maximum = new_maximum
        rescale = tl.exp2(maximum - finite_maximum)
        weights = tl.exp2(logits - finite_maximum[:, None])
        total = total * rescale + tl.sum(weights, 1)
        if DROPOUT:
            random = tl.rand(tl.load(seed) + head, row[:, None] * keys + key[None, :])
            weights = tl.where(random >= dropout, weights, 0.0)
        weights = weights.to(v.dtype.element_ty)
        sum_a = tl.dot(weights, value_a, sum_a * rescale[:, None], input_precision=PRECISION)
        if VALUE_B:
            sum_b = tl.dot(weights, value_b, sum_b * rescale[:, None], input_precision=PRECISION)
        maximum = new_maximum

    for n in range(band_start, tl.minimum(first_token + ROWS, keys), KEYS):
        key = n + tl.arange(0, KEYS)
        logits = products(q, window, wide, key * WIDE_STORED, ROWS, KEYS, WIDE, WIDE_STORED, CHUNK, PRECISION)
        age = token[:, None] - key[None, :]
        for newest in range(BAND):
            band_logits = tl.load(band + out_row * BAND + newest, mask=valid, other=0.0)
            logits = tl.where(age == newest, band_logits[:, None], logits)
        logits = tl.where(age >= 0, logits, float("-inf"))
        if DOCUMENTS:
            logits = tl.where(key[None, :] >= start[:, None], logits, float("-inf"))
        new_maximum = tl.maximum(maximum, tl.max(logits, 1))
        if DOCUMENTS:
            finite_maximum = tl.where(new_maximum == float("-inf"), 0.0, new_maximum)
        else:
            finite_maximum = new_maximum
        rescale = tl.exp2(maximum - finite_maximum)
        weights = tl.exp2(logits - finite_maximum[:, None])
        total = total * rescale + tl.sum(weights, 1)
        if DROPOUT:
            random = tl.rand(tl.load(seed) + head, row[:, None] * keys + key[None, :])
            weights = tl.where(random >= dropout, weights, 0.0)
        value_a = read_values(v, stride_vt, key, key < keys, 0, VALUE_A, VALUE)
        if VALUE_B:
            value_b = read_values(v, stride_vt, key, key < keys, VALUE_A, VALUE_B, VALUE)
        weights = weights.to(v.dtype.element_ty)
        sum_a = tl.dot(weights, value_a, sum_a * rescale[:, None], input_precision=PRECISION)
        if VALUE_B:
            sum_b = tl.dot(weights, value_b, sum_b * rescale[:, None], input_precision=PRECISION)
        maximum = new_maximum

    denominator = total
    if DOCUMENTS:
        denominator = tl.where(total == 0.0, 1.0, total)  # padding sees nothing, and gets zeros
    lse += head * queries
    tl.store(lse + out_row, maximum + tl.log2(total), mask=valid)
    if DROPOUT:
        denominator = denominator * (1.0 - dropout)
    out += batch * stride_ob + h * stride_oh + out_row[:, None] * stride_ot
    column = tl.arange(0, VALUE_A)
    sum_a = (sum_a / denominator[:, None]).to(out.dtype.element_ty)
    tl.store(out + column[None, :], sum_a, mask=valid[:, None] & (column < VALUE)[None, :])
    if VALUE_B:
        column = VALUE_A + tl.arange(0, VALUE_B)
        sum_b = (sum_b / denominator[:, None]).to(out.dtype.element_ty)
        tl.store(out + column[None, :], sum_b, mask=valid[:, None] & (column < VALUE)[None, :])


def launch_attend(
    q: torch.Tensor,
    wide: torch.Tensor,
    band: torch.Tensor,
    v: torch.Tensor,
    starts: torch.Tensor,
    seed: torch.Tensor,
    sizes: Geometry,
    blocks: Blocks,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs (B, H, T, D_v), tokens before heads in memory, and log-sum-exps (B H, T) in base 2."""
    out = q.new_empty(sizes.batch, sizes.queries, sizes.heads, sizes.value).transpose(1, 2)
    lse = q.new_empty(sizes.all_heads, sizes.queries, dtype=torch.float32)
    attend_kernel[(-(-sizes.queries // blocks.rows), sizes.all_heads)](
        q,
        wide,
        band,
        v,
        starts,
        out,
        lse,
        seed,
        sizes.rows,
        sizes.history,
        sizes.keys,
        sizes.keys_stored,
        sizes.heads,
        sizes.heads // sizes.value_groups,
        *v.stride()[:3],
        *out.stride()[:3],
        sizes.dropout,
        **attend_constants(sizes, blocks),
        num_warps=blocks.warps,
        num_stages=blocks.stages,
    )
    return out, lse


def attend_constants(sizes: Geometry, blocks: Blocks) -> dict[str, int | str]:
    """The compile-time values of `attend_kernel`."""
    value_a, value_b = halves(sizes.value)
    return {
        "HALO": sizes.halo,
        "SIZE": sizes.size,
        "WIDE": sizes.wide,
        "WIDE_STORED": sizes.wide_stored,
        "CHUNK": sizes.chunk,
        "VALUE": sizes.value,
        "VALUE_A": value_a,
        "VALUE_B": value_b,
        "BAND": sizes.band,
        "DOCUMENTS": sizes.documents,
        "DROPOUT": sizes.dropout > 0,
        "PRECISION": sizes.precision,
        "ROWS": blocks.rows,
        "KEYS": blocks.keys,
    }

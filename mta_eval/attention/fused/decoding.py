"""One step of decoding: one query of every head over all cached keys, parted into splits that run side by side.

The convolution moves to the queries: w_b = sum_a kernel[a, b] q_(p - c_q + 1 + a), so that the logit of key j is
sum_b w_b . k_(j - left + b). A block of keys is read once, multiplied with all w_b of its heads on tensor cores, and
the c_k products of a logit are brought together by a gather along the keys. A cache of widened keys would be c_q H / G
times as many bytes. Only the newest c_q - 1 keys are hidden from some of the queries: there each row of the kernel has
a product of its own.

Over 250 lines, so that the kernels that belong together stand beside what launches them.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from mta_eval.attention.fused.decoding_sizes import KERNEL_KEYS, DecodingSizes
from mta_eval.attention.fused.geometry import LN2, power


@triton.jit
def weighted_queries(
    q, kernel, a, head, b, valid, first_token, start, QUERIES: tl.constexpr, KEYS_IN_KERNEL: tl.constexpr,
    SIZE: tl.constexpr, SIZE_BLOCK: tl.constexpr,
):  # fmt: skip
    """Rows kernel[head, a, b] q[head, a], zero for queries before the first token, which are not read."""
    d = tl.arange(0, SIZE_BLOCK)
    valid = valid & (first_token + a >= start)
    weight = tl.load(kernel + (head * QUERIES + a) * KEYS_IN_KERNEL + b, mask=valid, other=0.0)
    query = tl.load(
        q + (head * QUERIES + a)[:, None] * SIZE + d[None, :], mask=valid[:, None] & (d < SIZE)[None, :], other=0.0
    )
    return weight[:, None] * query.to(tl.float32)


@triton.jit
def read_keys(
    k, stride, token, start, total, SIZE: tl.constexpr, SIZE_BLOCK: tl.constexpr
):  # fmt: skip
    """Keys as columns (SIZE_BLOCK, KEYS), zero where there is no token."""
    d = tl.arange(0, SIZE_BLOCK)
    mask = ((token >= start) & (token < total))[None, :] & (d < SIZE)[:, None]
    return tl.load(k + token[None, :] * stride + d[:, None], mask=mask, other=0.0)


@triton.jit
def add_block(
    scores, v, stride_vg, stride_vt, n, high, maximum, total, out, HEADS: tl.constexpr, KEYS_IN_KERNEL: tl.constexpr,
    LANES: tl.constexpr, VALUE: tl.constexpr, VALUE_BLOCK: tl.constexpr, VALUE_GROUPS: tl.constexpr,
    PRECISION: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """The running softmax and its values with the keys from n on; scores (HEADS LANES, KEYS) are of shifted keys."""
    place = tl.arange(0, KEYS)
    b = tl.arange(0, HEADS * LANES) % LANES
    shifted = tl.gather(scores, tl.minimum(place[None, :] + b[:, None], KEYS - 1), 1)
    logits = tl.sum(tl.reshape(shifted, (HEADS, LANES, KEYS)), 1)
    key = n + place
    inside = (place <= KEYS - KEYS_IN_KERNEL) & (key < high)
    logits = tl.where(inside[None, :], logits, float("-inf"))
    new_maximum = tl.maximum(maximum, tl.max(logits, 1))
    rescale = tl.exp2(maximum - new_maximum)
    weights = tl.exp2(logits - new_maximum[:, None])
    total = total * rescale + tl.sum(weights, 1)
    column = tl.arange(0, VALUE_GROUPS * VALUE_BLOCK)
    group, element = column // VALUE_BLOCK, column % VALUE_BLOCK
    values = tl.load(
        v + key[:, None] * stride_vt + (group * stride_vg + element)[None, :],
        mask=inside[:, None] & (element < VALUE)[None, :],
        other=0.0,
    )
    out = tl.dot(weights.to(v.dtype.element_ty), values, out * rescale[:, None], input_precision=PRECISION)
    return new_maximum, total, out


@triton.jit(do_not_specialize=["tokens", "groups", "heads_per_group", "parts", "mixed_groups"])
def decode_kernel(
    q, k, v, kernel, starts, length, partial, lse, tokens, groups, heads_per_group, parts, mixed_groups,
    stride_kb, stride_kg, stride_kt, stride_vb, stride_vg, stride_vt, factor,
    QUERIES: tl.constexpr, KEYS_IN_KERNEL: tl.constexpr, LANES: tl.constexpr, LEFT: tl.constexpr, SIZE: tl.constexpr,
    SIZE_BLOCK: tl.constexpr, VALUE: tl.constexpr, VALUE_BLOCK: tl.constexpr, VALUE_GROUPS: tl.constexpr,
    HEADS: tl.constexpr, PADDED: tl.constexpr, ON_DEVICE: tl.constexpr, PRECISION: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Outputs and log-sum-exps (base 2) of one split of the keys, for some heads that share them."""
    split, splits, program = tl.program_id(0), tl.num_programs(0), tl.program_id(1)
    part, group, batch = program % parts, program // parts % groups, (program // parts // groups).to(tl.int64)
    total_tokens = tokens
    if ON_DEVICE:
        total_tokens = tl.load(length).to(tl.int32)
    start = 0
    if PADDED:
        start = tl.load(starts + batch).to(tl.int32)
    step = KEYS - KEYS_IN_KERNEL + 1  # logits that a block of keys is enough for
    span = tl.maximum(tl.cdiv(total_tokens - start, splits), step)
    low = start + split * span
    high = tl.minimum(low + span, total_tokens)

    row = tl.arange(0, HEADS * LANES)
    b = row % LANES
    head_of_group = part * HEADS + row // LANES
    head = group * heads_per_group + head_of_group
    valid = (b < KEYS_IN_KERNEL) & (head_of_group < heads_per_group)
    heads = groups * heads_per_group
    q += batch * heads * QUERIES * SIZE
    k += batch * stride_kb + group * stride_kg
    v += batch * stride_vb + group // mixed_groups * mixed_groups * stride_vg
    first_token = total_tokens - QUERIES  # of the first query
    whole = tl.zeros((HEADS * LANES, SIZE_BLOCK), tl.float32)
    for earlier in tl.static_range(QUERIES):
        whole += weighted_queries(
            q, kernel, earlier, head, b, valid, first_token, start, QUERIES, KEYS_IN_KERNEL, SIZE, SIZE_BLOCK
        )
    whole = (whole * factor).to(k.dtype.element_ty)

    maximum = tl.full((HEADS,), float("-inf"), tl.float32)
    total = tl.zeros((HEADS,), tl.float32)
    out = tl.zeros((HEADS, VALUE_GROUPS * VALUE_BLOCK), tl.float32)
    place = tl.arange(0, KEYS)
    # blocks from here on read keys that are later than some of the queries
    hidden_from = tl.minimum(high, first_token + LEFT - KEYS + 2)
    for n in range(low, hidden_from, step):
        keys = read_keys(k, stride_kt, n - LEFT + place, start, total_tokens, SIZE, SIZE_BLOCK)
        scores = tl.dot(whole, keys, input_precision=PRECISION)
        maximum, total, out = add_block(
            scores, v, stride_vg, stride_vt, n, high, maximum, total, out, HEADS, KEYS_IN_KERNEL, LANES, VALUE,
            VALUE_BLOCK, VALUE_GROUPS, PRECISION, KEYS,
        )  # fmt: skip
    for n in range(low + tl.cdiv(tl.maximum(hidden_from - low, 0), step) * step, high, step):
        key = n - LEFT + place
        keys = read_keys(k, stride_kt, key, start, total_tokens, SIZE, SIZE_BLOCK)
        scores = tl.zeros((HEADS * LANES, KEYS), tl.float32)
        for a in range(QUERIES):
            wide = weighted_queries(
                q, kernel, a, head, b, valid, first_token, start, QUERIES, KEYS_IN_KERNEL, SIZE, SIZE_BLOCK
            )
            wide = (wide * factor).to(k.dtype.element_ty)
            seen = tl.dot(wide, keys, input_precision=PRECISION)
            scores += tl.where((key <= first_token + a)[None, :], seen, 0.0)
        maximum, total, out = add_block(
            scores, v, stride_vg, stride_vt, n, high, maximum, total, out, HEADS, KEYS_IN_KERNEL, LANES, VALUE,
            VALUE_BLOCK, VALUE_GROUPS, PRECISION, KEYS,
        )  # fmt: skip

    head_of_group = part * HEADS + tl.arange(0, HEADS)
    stored = head_of_group < heads_per_group
    place_of_head = (batch * heads + group * heads_per_group + head_of_group) * splits + split
    tl.store(lse + place_of_head, maximum + tl.log2(total), mask=stored)  # -inf where there is no key
    out = out / tl.where(total == 0.0, 1.0, total)[:, None]
    column = tl.arange(0, VALUE_GROUPS * VALUE_BLOCK)
    target = partial + place_of_head[:, None] * VALUE_GROUPS * VALUE_BLOCK + column[None, :]
    tl.store(target, out, mask=stored[:, None])


@triton.jit(do_not_specialize=["heads", "heads_per_group", "splits"])
def reduce_kernel(
    partial, lse, mix, out, heads, heads_per_group, splits,
    MIXED: tl.constexpr, VALUE: tl.constexpr, VALUE_BLOCK: tl.constexpr, VALUE_GROUPS: tl.constexpr,
    SPLITS_BLOCK: tl.constexpr,
):  # fmt: skip
    """One head's output: its splits put together, and the heads of its group mixed."""
    row = tl.program_id(0).to(tl.int64)
    h = row % heads
    base = h // MIXED * MIXED
    value_group = h // heads_per_group % VALUE_GROUPS
    split, column = tl.arange(0, SPLITS_BLOCK), tl.arange(0, VALUE_BLOCK)
    total = tl.zeros((VALUE_BLOCK,), tl.float32)
    for g in range(MIXED):
        place = (row - h + base + g) * splits + split
        logs = tl.load(lse + place, mask=split < splits, other=float("-inf"))
        maximum = tl.max(logs, 0)
        weights = tl.exp2(logs - tl.where(maximum == float("-inf"), 0.0, maximum))
        source = partial + (place * VALUE_GROUPS + value_group)[:, None] * VALUE_BLOCK + column[None, :]
        parts = tl.load(source, mask=(split < splits)[:, None], other=0.0)
        share = tl.sum(weights, 0)
        found = tl.sum(weights[:, None] * parts, 0) / tl.where(share == 0.0, 1.0, share)
        if MIXED > 1:
            found *= tl.load(mix + h * MIXED + g)
        total += found
    tl.store(out + row * VALUE + column, total.to(out.dtype.element_ty), mask=column < VALUE)


def launch_decode(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernel: torch.Tensor,
    mix: torch.Tensor | None,
    starts: torch.Tensor | None,
    length: torch.Tensor | None,
    sizes: DecodingSizes,
) -> torch.Tensor:
    """Outputs (B, H, 1, D_v). q (B, H, c_q, D), kernel (H, c_q, c_k) and mix are contiguous, the latter in float32."""
    partial = q.new_empty(sizes.all_heads * sizes.splits * sizes.columns, dtype=torch.float32)
    lse = q.new_empty(sizes.all_heads * sizes.splits, dtype=torch.float32)
    out = q.new_empty(sizes.batch, sizes.heads, 1, sizes.value)
    decode_kernel[(sizes.splits, sizes.batch * sizes.groups * sizes.parts)](
        q,
        k,
        v,
        kernel,
        lse if starts is None else starts,  # not read
        lse if length is None else length,
        partial,
        lse,
        sizes.tokens,
        sizes.groups,
        sizes.heads_per_group,
        sizes.parts,
        sizes.value_groups,
        *k.stride()[:3],
        *v.stride()[:3],
        sizes.size**-0.5 / LN2,
        **decode_constants(sizes, starts is not None, length is not None),
        num_warps=sizes.blocks.warps,
        num_stages=sizes.blocks.stages,
    )
    reduce_kernel[(sizes.all_heads,)](
        partial,
        lse,
        lse if mix is None else mix,
        out,
        sizes.heads,
        sizes.heads_per_group,
        sizes.splits,
        **reduce_constants(sizes),
        num_warps=4,
    )
    return out


def decode_constants(sizes: DecodingSizes, padded: bool, on_device: bool) -> dict[str, int | str]:
    """The compile-time values of `decode_kernel`."""
    return {
        "QUERIES": sizes.queries_in_kernel,
        "KEYS_IN_KERNEL": sizes.keys_in_kernel,
        "LANES": KERNEL_KEYS,
        "LEFT": sizes.left,
        "SIZE": sizes.size,
        "SIZE_BLOCK": power(sizes.size),
        "VALUE": sizes.value,
        "VALUE_BLOCK": power(sizes.value),
        "VALUE_GROUPS": sizes.value_groups,
        "HEADS": sizes.blocks.heads,
        "PADDED": padded,
        "ON_DEVICE": on_device,
        "PRECISION": "tf32x3" if sizes.item >= 4 else "tf32",
        "KEYS": sizes.blocks.keys,
    }


def reduce_constants(sizes: DecodingSizes) -> dict[str, int]:
    """The compile-time values of `reduce_kernel`."""
    return {
        "MIXED": sizes.mixed,
        "VALUE": sizes.value,
        "VALUE_BLOCK": power(sizes.value),
        "VALUE_GROUPS": sizes.value_groups,
        "SPLITS_BLOCK": power(sizes.splits, 1),
    }

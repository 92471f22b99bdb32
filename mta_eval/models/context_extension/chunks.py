"""LongHeads on tensors (Lu et al., arXiv 2402.10685): every head of every token chooses the chunks it attends to.

Exact, and linear in the context for a fixed attention length: no T x S tensor, no loop over tokens. Tested against
`naive.long_heads`. The trick: keys are rotated by their place in their own chunk alone; a query that sees that chunk
as the j-th of its m chosen ones is rotated by its distance to that chunk's start, (m - 1 - j) w + r, instead.

B batch, H heads, G heads of keys and values, T queries, S keys, D head size, w tokens in a chunk, C whole chunks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch.nn import functional as F

from mta_eval.attention.paths import softmax_attention
from mta_eval.models.context_extension.resident_chunks import ResidentChunks, to_device

Choose = Literal["best", "first_and_recent", "recent"]
PAIRS = 2048  # of a row and a chunk at once: their scores stay in the processor's cache
EVEN = 64  # pairs come in multiples of it: every new size of a half-precision product costs a plan of its own
FEW_ROWS = 16  # up to here (decoding) the chosen chunks of each row are gathered; above, rows are sorted by chunk


@dataclass(frozen=True)
class Chunking:
    """How a sequence is cut and what a token sees of it.

    `window` w tokens are a chunk; a token from `begin` on sees `attention_length` / w chunks, its own included: the
    first one, the one before its own, and the best of those between ("best", LongHeads), or the first and the most
    recent ("first_and_recent": attention sinks), or the most recent ("recent": a sliding window). `released`: as the
    released code has it, a token of a prompt does not see itself.
    """

    window: int = 256
    attention_length: int = 2048
    begin: int = 2048
    choose: Choose = "best"
    released: bool = False
    rows: int = 4096  # of queries that are computed at once

    @property
    def chosen(self) -> int:
        """Chunks that a token sees."""
        return self.attention_length // self.window


class Rotation(NamedTuple):
    """RoPE's tables, cos and sin (positions, D)."""

    cos: torch.Tensor
    sin: torch.Tensor

    def __call__(self, x: torch.Tensor, positions: torch.Tensor | slice) -> torch.Tensor:
        """x (…, n, D) rotated by `positions` (…, n); rotations add up."""
        half = x.shape[-1] // 2
        turned = torch.cat((-x[..., half:], x[..., :half]), -1)
        return (x * self.cos[positions] + turned * self.sin[positions]).to(x.dtype)


class ChunkQueries(NamedTuple):
    """Queries q (B, H, T, D), and the chunks that each sees, `chosen` (B, H, T, m), the last one its own.

    `place` (T,) is how far into its own chunk each row stands, `visible` (T,) the last place there that it sees.
    """

    q: torch.Tensor
    chosen: torch.Tensor
    place: torch.Tensor
    visible: torch.Tensor


def chunk_vectors(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rotation: Rotation, window: int) -> torch.Tensor:
    """What stands for each chunk when chunks are chosen: (B, H, C, D) from q (B, H, C w, D), k, v (B, G, C w, D).

    The mean output of the chunk's attention to itself, future included, asks the chunk's keys, and gets keys back.
    """
    batch, heads, total, size = q.shape
    places = slice(window)

    def by_chunk(x: torch.Tensor) -> torch.Tensor:
        return x.view(batch, x.shape[1], total // window, window, size).transpose(1, 2).flatten(0, 1)

    q, k, v = by_chunk(q), by_chunk(k), by_chunk(v)
    k = rotation(k, places)
    grouped = q.shape[1] != k.shape[1]
    output = F.scaled_dot_product_attention(rotation(q, places), k, v, enable_gqa=grouped)
    vectors = F.scaled_dot_product_attention(output.mean(2, keepdim=True), k, k, enable_gqa=grouped)
    return vectors.view(batch, total // window, heads, size).transpose(1, 2)


def choose_chunks(q: torch.Tensor, vectors: torch.Tensor, own: torch.Tensor, chunking: Chunking) -> torch.Tensor:
    """Which chunks each head of each row sees, ascending, (B, H, T, m); `own` (T,) is the chunk of each row.

    All rows have m - 1 whole chunks and, as the last, their own.
    """
    count = chunking.chosen
    near = 2 if chunking.choose == "best" else count if chunking.choose == "recent" else count - 1
    latest = own[:, None] - torch.arange(near - 1, -1, -1, device=q.device)
    forced = latest if chunking.choose == "recent" else torch.cat((torch.zeros_like(own)[:, None], latest), 1)
    forced = forced.expand(*q.shape[:3], -1)
    if chunking.choose != "best" or count == 3:
        return forced
    between = torch.arange(1, int(own[-1]) - 1, device=q.device)
    scores = q @ vectors[:, :, 1 : len(between) + 1].transpose(2, 3)
    best = scores.masked_fill_(between > own[:, None] - 2, -math.inf).topk(count - 3, -1, sorted=False).indices
    return torch.cat((forced, best + 1), -1).sort(-1).values


def longheads_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    vectors: torch.Tensor,
    rotation: Rotation,
    chunking: Chunking,
    decoding: bool = False,
    resident: ResidentChunks | None = None,
) -> torch.Tensor:
    """Attention (B, H, T, D) of the last T tokens of S: q (B, H, T, D), k and v (B, G, S, D), none of them rotated.

    `vectors` (B, H, C, D) are those of all whole chunks. With `resident`, k and v may lie on another device: what is
    chosen comes over.
    `decoding` matters to `released` alone: one token after the prompt.
    """
    past = k.shape[2] - q.shape[2]
    late = chunking.released and decoding  # the token counts itself as past
    plain = min(q.shape[2], max(0, chunking.begin - past - late))
    parts = []
    if plain:
        seen = torch.arange(past + plain, device=q.device)
        k_seen, v_seen = k[:, :, : past + plain], v[:, :, : past + plain]
        if resident is not None:
            k_seen, v_seen = (resident.tokens(at, x, 0, past + plain, q.device) for at, x in enumerate((k, v)))
        q_plain = rotation(q[:, :, :plain], seen[past:])
        parts.append(softmax_attention(q_plain, rotation(k_seen, seen), v_seen))
    for first in range(plain, q.shape[2], chunking.rows):
        last = min(first + chunking.rows, q.shape[2])
        tokens = torch.arange(past + first, past + last, device=q.device)
        own, place = tokens // chunking.window, tokens % chunking.window
        if late:  # a chunk that is whole is not the token's own any more
            own, place = (tokens + 1) // chunking.window, (tokens + 1) % chunking.window - 1
        rows = q[:, :, first:last]
        chosen = choose_chunks(rows, vectors, own, chunking)
        visible = place - 1 if chunking.released and not decoding else place
        queries = ChunkQueries(rows, chosen, place, visible)
        if last - first > FEW_ROWS:
            parts.append(_sorted_by_chunk(queries, k, v, rotation, chunking.window))
            continue
        if resident is None:
            keys, values = _side_by_side(chosen, k, v, chunking.window)
        else:
            keys, values = resident.side_by_side(chosen, k, v)
        parts.append(_gathered(queries, keys, values, rotation, chunking.window))
    return torch.cat(parts, 2)


def _side_by_side(
    chosen: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values (B, H, T, m w, D) of the chunks chosen (B, H, T, m), the last of which may not be whole."""
    batch, heads = chosen.shape[:2]
    groups = (torch.arange(heads, device=k.device) * k.shape[1] // heads)[:, None, None]
    batches = torch.arange(batch, device=k.device)[:, None, None, None]

    def gather(x: torch.Tensor) -> torch.Tensor:
        """Whole chunks in one go, then the own one."""
        whole = x[:, :, : x.shape[2] // window * window].view(*x.shape[:2], -1, window, x.shape[3])
        own = (chosen[..., -1:] * window + torch.arange(window, device=k.device)).clamp(max=x.shape[2] - 1)
        return torch.cat((whole[batches, groups, chosen[..., :-1]].flatten(3, 4), x[batches, groups, own]), 3)

    return gather(k), gather(v)


def _gathered(
    rows: ChunkQueries, keys: torch.Tensor, values: torch.Tensor, rotation: Rotation, window: int
) -> torch.Tensor:
    """As it is defined: the chosen chunks' keys and values (B, H, T, m w, D) of every row side by side."""
    q, chosen, place, visible = rows
    size, count = q.shape[-1], chosen.shape[-1]
    positions = torch.arange(count * window, device=q.device)
    query = rotation(q, (count - 1) * window + place)
    scores = (rotation(keys, slice(count * window)) @ query[..., None])[..., 0] / math.sqrt(size)
    scores = scores.to(torch.promote_types(q.dtype, torch.float32))
    hidden = positions > ((count - 1) * window + visible)[:, None]
    weights = torch.softmax(scores.masked_fill(hidden, -math.inf), -1).to(values.dtype)
    return (weights[..., None, :] @ values)[..., 0, :]


def _sorted_by_chunk(
    rows: ChunkQueries, k: torch.Tensor, v: torch.Tensor, rotation: Rotation, window: int
) -> torch.Tensor:
    """The same without a copy of a chunk: all rows that chose it meet it at once, and their softmaxes are merged."""
    out = torch.empty_like(rows.q)
    share = rows.q.shape[1] // k.shape[1]
    for batch in range(len(out)):
        for group in range(k.shape[1]):
            heads = slice(group * share, (group + 1) * share)
            theirs = rows._replace(q=rows.q[batch, heads], chosen=rows.chosen[batch, heads])
            out[batch, heads] = _one_group(theirs, k[batch, group], v[batch, group], rotation, window)
    return out


def _one_group(rows: ChunkQueries, k: torch.Tensor, v: torch.Tensor, rotation: Rotation, window: int) -> torch.Tensor:
    """(h, T, D) of the heads q (h, T, D) that share k and v (S, D); chosen is (h, T, m)."""
    q, flat = rows.q, rows.chosen.flatten()
    heads, total, size = q.shape
    count = rows.chosen.shape[-1]
    order = flat.argsort(stable=True)  # of pairs: a row (head and token) and one of its chunks
    sizes = torch.bincount(flat).tolist()
    visible = rows.visible.repeat(heads)
    starts = torch.arange(count - 1, -1, -1, device=q.device) * window  # from the own chunk's start back to each one's
    distances = (rows.place[:, None] + starts).clamp(min=0)
    queries = rotation((q / math.sqrt(size))[:, :, None], distances).reshape(-1, size)
    offsets = torch.arange(window, device=q.device)
    owned = range(int(rows.chosen[..., -1].min()), len(sizes))  # chunks that are some row's own
    kind = torch.promote_types(q.dtype, torch.float32)
    lowest = torch.finfo(kind).min
    outputs = torch.zeros(len(flat), v.shape[-1], dtype=kind, device=q.device)
    peaks, sums = torch.full(outputs.shape[:1], lowest, dtype=kind, device=q.device), torch.zeros_like(outputs[:, 0])
    for chunk, chosen_by in enumerate(torch.split(order, sizes)):
        here = slice(chunk * window, (chunk + 1) * window)
        if not len(chosen_by) or here.start >= len(k):  # nothing there yet
            continue
        keys, values = to_device(k[here], q.device), to_device(v[here], q.device)
        keys = rotation(keys, slice(len(keys)))
        for pairs in torch.split(_evened(chosen_by), PAIRS):
            scores = (queries[pairs] @ keys.T).to(kind)
            if chunk in owned:
                mine = (pairs % count == count - 1).nonzero()[:, 0]
                hidden = offsets[: len(keys)] > visible[pairs[mine] // count][:, None]
                scores[mine] = scores[mine].masked_fill(hidden, lowest)
            peak = scores.amax(-1)
            weights = scores.sub_(peak[:, None]).exp_()
            peaks[pairs], sums[pairs] = peak, weights.sum(-1)
            outputs[pairs] = (weights.to(v.dtype) @ values).to(kind)
    peaks, sums, outputs = (x.view(heads, total, count, *x.shape[1:]) for x in (peaks, sums, outputs))
    weights = torch.exp(peaks - peaks.amax(-1, keepdim=True))
    merged = (weights[..., None] * outputs).sum(2) / (weights * sums).sum(2)[..., None]
    return merged.to(q.dtype)


def _evened(pairs: torch.Tensor) -> torch.Tensor:
    """`pairs`, the last one repeated up to a multiple of EVEN; computing it twice gives the same."""
    return torch.cat((pairs, pairs[-1:].expand(-len(pairs) % EVEN)))

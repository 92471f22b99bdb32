"""Multi-token attention in memory linear in the context: row tiles with a halo, exact, on every device.

A tile of query rows needs c_q - 1 rows of scores above it for each convolution, and nothing else. Within a tile, keys
are parted where the convolution stops meeting masked scores. On the far side it is a dot product of widened queries and
keys, q~_i = [q_i-c_q+1 .. q_i] and k~_j = [sum_b kernel[a, b] k_j-left+b]_a, which is one matrix product; near the
diagonal it is done by the rule. The convolution after softmax is moved to the values in the same way: being linear,
it is the sum of what it makes of the far weights (a product with widened values) and of the near ones (by the rule).
The backward pass computes each tile again, so that training is linear in memory too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from mta_eval.models.kernels import Kernels, key_reach

TILE_ELEMENTS = 2**22  # scores of one tile over all its heads: the memory it takes, 16 MiB in float32
TILE_ROWS = (16, 128)
WIDEN_FROM = 32  # rows: fewer do not repay the widened keys
FEW_ROWS = 8  # up to here (decoding) the convolution is quicker as a small product and a shifted sum
RECOMPUTE_FROM = 2**24  # scores in all: below, they are kept for the backward pass


@dataclass(frozen=True)
class Tile:
    """Query rows [first, last) of a document, and which parts of the inputs they read (all absolute, from 0)."""

    first: int
    last: int
    weights_from: int  # first row of weights needed
    queries_from: int  # first row of scores needed
    far_keys: int  # keys [0, far_keys) are reached by the dot product
    near_keys: int  # keys [near_keys, last) are read by the rule
    far_values: int  # values [0, far_values) are reached by the product with the widened values
    near_values: int


def multi_token_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    history: int = 0,
    dropout: float = 0.0,
    rows: int | None = None,
) -> torch.Tensor:
    """Causal attention (B, H, T, D_v) of the last T tokens of one document over all its S.

    q (B, H, history + T, D) begins with the `history` = min(kernels.halo, S - T) queries before the T current ones;
    k (B, G, S, D), v (B, G, S, D_v). `rows` is the height of a tile (chosen to bound memory if None).
    """
    if q.shape[2] - history > k.shape[2] or history != min(kernels.halo, k.shape[2] - (q.shape[2] - history)):
        raise ValueError(f"{history} earlier queries for {k.shape[2]} keys; these kernels need {kernels.halo}")
    heads, groups, elements = q.shape[1], k.shape[1], q.shape[0] * k.shape[2] * TILE_ROWS[1]
    step = groups if kernels.mixes else max(1, min(groups, TILE_ELEMENTS // (elements * (heads // groups))))
    parts = []
    for group in range(0, groups, step):
        first, last = group * heads // groups, min(group + step, groups) * heads // groups
        parts.append(
            _attend(
                q[:, first:last],
                k[:, group : group + step],
                v[:, group : group + step],
                kernels if step == groups else kernels.of_heads(first, last),
                history,
                dropout,
                rows,
            )
        )
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def full_matrix_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels, history: int = 0, dropout: float = 0.0
) -> torch.Tensor:
    """The same by the rule alone, in one tile: the definition, with every T x S tensor that it makes."""
    engine = _Engine(kernels, False, False, dropout, int(torch.randint(2**62, ())) if dropout else 0)
    tile = engine.tile(k.shape[2] - (q.shape[2] - history), k.shape[2])
    return engine.output(tile, q / math.sqrt(q.shape[-1]), k, v, None, None)


def last_weights(q: torch.Tensor, k: torch.Tensor, kernels: Kernels, history: int) -> torch.Tensor:
    """The weights (B, H, T, S) that `multi_token_attention` multiplies the values with: for a look at a few rows."""
    engine = _Engine(kernels, False, False, 0.0, 0)
    tile = engine.tile(k.shape[2] - (q.shape[2] - history), k.shape[2])
    return engine.after(tile, engine.weights(tile, q / math.sqrt(q.shape[-1]), k, None), dropout=0.0)


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels, history: int, dropout: float, rows: int | None
) -> torch.Tensor:
    batch, heads, total, _ = q.shape
    queries, keys = total - history, k.shape[2]
    if rows is None:
        rows = min(TILE_ROWS[1], max(TILE_ROWS[0], TILE_ELEMENTS // (batch * heads * keys)))
    widen = queries >= WIDEN_FROM
    after_moves = widen and kernels.mix_after is None and not dropout
    seed = int(torch.randint(2**62, ())) if dropout else 0
    engine = _Engine(kernels, widen, after_moves, dropout, seed)
    k_far = widen_keys(k, kernels.convolve_before, kernels) if widen and kernels.convolve_before is not None else None
    moved = after_moves and kernels.convolve_after is not None
    v_far = widen_values(v, kernels.convolve_after, kernels) if moved and kernels.convolve_after is not None else None
    q = q / math.sqrt(q.shape[-1])
    starts = range(keys - queries, keys, rows)
    tiles = [engine.tile(start, min(start + rows, keys)) for start in starts]
    if torch.is_grad_enabled() and batch * heads * queries * keys < RECOMPUTE_FROM:
        inputs = (q, k, v, k_far, v_far)
        return torch.cat([engine.output(tile, *engine.parts(tile, keys, inputs)) for tile in tiles], 2)
    out: torch.Tensor = _Recomputed.apply(engine, tiles, keys, q, k, v, k_far, v_far, *kernels[:4])  # type: ignore[no-untyped-call]
    return out


@dataclass(frozen=True)
class _Engine:
    """What a tile computes, given slices of the inputs."""

    kernels: Kernels
    widen: bool
    values_widen: bool
    dropout: float
    seed: int

    def tile(self, first: int, last: int) -> Tile:
        kernels = self.kernels
        weights_from = max(0, first - kernels.halo_after)
        far_keys = near_keys = 0
        if kernels.convolve_before is not None and self.widen:
            left, right = key_reach(kernels.convolve_before, kernels.key_padding)
            far_keys = max(0, weights_from - kernels.halo_before - right + 1)
            near_keys = max(0, far_keys - left)
        far_values = near_values = 0
        if kernels.convolve_after is not None and self.values_widen:
            left, right = key_reach(kernels.convolve_after, kernels.key_padding)
            far_values = max(0, first - left + 1)
            near_values = max(0, far_values - right)
        queries_from = max(0, weights_from - kernels.halo_before)
        return Tile(first, last, weights_from, queries_from, far_keys, near_keys, far_values, near_values)

    def parts(self, tile: Tile, keys: int, inputs: tuple[torch.Tensor | None, ...]) -> Iterator[torch.Tensor | None]:
        """The slices of q, k, v, k_far, v_far that a tile reads."""
        for tensor, (start, end) in zip(inputs, self.bounds(tile, keys, inputs), strict=True):
            yield None if tensor is None else tensor[:, :, start:end]

    def bounds(self, tile: Tile, keys: int, inputs: tuple[torch.Tensor | None, ...]) -> list[tuple[int, int]]:
        q = inputs[0]
        assert q is not None
        before = keys - q.shape[2]  # tokens whose queries are not at hand
        return [
            (tile.queries_from - before, tile.last - before),
            (tile.near_keys, tile.last),
            (tile.near_values, tile.last),
            (0, tile.far_keys),
            (0, tile.far_values),
        ]

    def output(
        self,
        tile: Tile,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        k_far: torch.Tensor | None,
        v_far: torch.Tensor | None,
    ) -> torch.Tensor:
        """(B, H, rows, D_v) of one tile from the slices that it reads."""
        found = self.weights(tile, q, k, k_far)
        if v_far is None:
            return _grouped(self.after(tile, found, self.dropout), v)
        kernel = self.kernels.convolve_after
        assert kernel is not None
        far, near = found[..., : tile.far_values], found[..., tile.far_values :]
        left, right = key_reach(kernel, self.kernels.key_padding)
        near = F.pad(near, (tile.far_values - tile.near_values + left, right))
        out = _grouped(self._hide_future(tile, self._convolve(tile, near, kernel, tile.first), tile.near_values, 0), v)
        if not tile.far_values:
            return out
        batch, heads, rows, _ = far.shape
        moved = (far @ v_far).view(batch, heads, rows, kernel.shape[1], -1)
        missing = self.kernels.halo_after - (tile.first - tile.weights_from)
        moved = F.pad(moved, (0, 0, 0, 0, missing, 0))
        for a in range(kernel.shape[1]):
            out = out + moved[:, :, a : a + tile.last - tile.first, a]
        return out

    def weights(self, tile: Tile, q: torch.Tensor, k: torch.Tensor, k_far: torch.Tensor | None) -> torch.Tensor:
        """Softmax weights (B, H, rows from `weights_from`, keys up to `last`)."""
        kernels = self.kernels
        logits = _grouped(q, k.transpose(2, 3))
        if kernels.convolve_before is not None:
            left, right = key_reach(kernels.convolve_before, kernels.key_padding)
            scores = self._hide_future(tile, logits, tile.near_keys, 0, tile.queries_from)
            scores = F.pad(scores, (left - (tile.far_keys - tile.near_keys), right))
            logits = self._convolve(tile, scores, kernels.convolve_before, tile.weights_from)
        if k_far is not None and tile.far_keys:
            assert kernels.convolve_before is not None
            wide = widen_queries(q, kernels.halo_before, tile.weights_from - tile.queries_from)
            logits = torch.cat((wide @ k_far.transpose(2, 3), logits), -1)
        if kernels.mix_before is not None:
            logits = _mix(logits, kernels.mix_before)
        logits = self._hide_future(tile, logits, 0, -math.inf, tile.weights_from)
        return torch.softmax(logits, -1, dtype=torch.promote_types(logits.dtype, torch.float32)).to(logits.dtype)

    def after(self, tile: Tile, found: torch.Tensor, dropout: float) -> torch.Tensor:
        """What becomes of softmax weights: convolved, mixed, dropped; (B, H, rows, keys up to `last`)."""
        kernel = self.kernels.convolve_after
        if kernel is not None:
            found = F.pad(found, key_reach(kernel, self.kernels.key_padding))
            found = self._hide_future(tile, self._convolve(tile, found, kernel, tile.first), 0, 0)
        if self.kernels.mix_after is not None:
            found = _mix(found, self.kernels.mix_after)
        if dropout:
            chance = torch.Generator(found.device).manual_seed(self.seed + tile.first)
            kept = torch.rand(found.shape, generator=chance, device=found.device) >= dropout
            found = found * kept / (1 - dropout)
        return found

    @staticmethod
    def _convolve(tile: Tile, scores: torch.Tensor, kernel: torch.Tensor, first: int) -> torch.Tensor:
        """Convolve scores, whose keys are padded already, into the rows [first, last)."""
        missing = tile.last - first + kernel.shape[1] - 1 - scores.shape[2]
        if missing:
            scores = F.pad(scores, (0, 0, missing, 0))
        if tile.last - first <= FEW_ROWS:
            return _convolve_few(scores, kernel)
        return F.conv2d(scores, kernel[:, None], groups=kernel.shape[0])

    @staticmethod
    def _hide_future(tile: Tile, scores: torch.Tensor, key: int, value: float, row: int | None = None) -> torch.Tensor:
        """Set, in place, scores of rows from `row` and keys from `key` where the key is later than the row."""
        row = tile.first if row is None else row
        cut = max(key, row)
        part = scores[..., cut - key :]
        future = torch.ones(part.shape[2:], dtype=torch.bool, device=scores.device).triu(1 + row - cut)
        part.masked_fill_(future, value)
        return scores


class _Recomputed(torch.autograd.Function):
    """Tiles one after another, each computed again for its gradients: memory for one tile's scores only."""

    @staticmethod
    def forward(ctx: Any, engine: _Engine, tiles: list[Tile], keys: int, *tensors: torch.Tensor | None) -> torch.Tensor:
        ctx.engine, ctx.tiles, ctx.keys = engine, tiles, keys
        ctx.save_for_backward(*tensors)
        inputs = tensors[:5]
        q, v = inputs[0], inputs[2]
        assert q is not None
        assert v is not None
        out = torch.empty(*q.shape[:2], tiles[-1].last - tiles[0].first, v.shape[-1], dtype=q.dtype, device=q.device)
        for tile in tiles:
            rows = slice(tile.first - tiles[0].first, tile.last - tiles[0].first)
            out[:, :, rows] = engine.output(tile, *engine.parts(tile, keys, inputs))  # type: ignore[arg-type]
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        tensors = ctx.saved_tensors
        grads = [None if tensor is None else torch.zeros_like(tensor) for tensor in tensors]
        for tile in ctx.tiles:
            parts = list(ctx.engine.parts(tile, ctx.keys, tensors[:5])) + list(tensors[5:])
            parts = [None if part is None else part.detach().requires_grad_() for part in parts]
            engine = _Engine(
                Kernels(*parts[5:], ctx.engine.kernels.key_padding),
                ctx.engine.widen,
                ctx.engine.values_widen,
                ctx.engine.dropout,
                ctx.engine.seed,
            )
            with torch.enable_grad():
                out = engine.output(tile, *parts[:5])
            present = [index for index, part in enumerate(parts) if part is not None]
            start = tile.first - ctx.tiles[0].first
            found = torch.autograd.grad(
                out, [parts[i] for i in present], grad[:, :, start : start + out.shape[2]], allow_unused=True
            )
            bounds = ctx.engine.bounds(tile, ctx.keys, tensors[:5])
            for index, part in zip(present, found, strict=True):
                if part is not None:
                    into = grads[index] if index >= 5 else grads[index][:, :, slice(*bounds[index])]
                    into += part
        return None, None, None, *grads


def widen_queries(q: torch.Tensor, halo: int, before: int) -> torch.Tensor:
    """q~ (B, H, T, c_q D) of the last T rows of q, whose first `before` <= halo rows stand before them."""
    return F.pad(q, (0, 0, halo - before, 0)).unfold(2, halo + 1, 1).transpose(3, 4).flatten(3)


def widen_keys(k: torch.Tensor, kernel: torch.Tensor, kernels: Kernels) -> torch.Tensor:
    """k~ (B, H, S, c_q D) of k (B, G, S, D)."""
    windows = F.pad(k, (0, 0, *key_reach(kernel, kernels.key_padding))).unfold(2, kernel.shape[2], 1)
    by_group = kernel.view(k.shape[1], -1, *kernel.shape[1:])
    return torch.einsum("bgsdc,ghac->bghsad", windows, by_group).flatten(4).flatten(1, 2)


def widen_values(v: torch.Tensor, kernel: torch.Tensor, kernels: Kernels) -> torch.Tensor:
    """v~ (B, H, S, c_q D_v) of v (B, G, S, D_v): v~_a[m] = sum_b kernel[a, b] v[m - b + left]."""
    left, right = key_reach(kernel, kernels.key_padding)
    windows = F.pad(v, (0, 0, right, left)).unfold(2, kernel.shape[2], 1)
    by_group = kernel.flip(2).view(v.shape[1], -1, *kernel.shape[1:])
    return torch.einsum("bgsdc,ghac->bghsad", windows, by_group).flatten(4).flatten(1, 2)


def _grouped(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """rows (B, H, T, X) @ columns (B, G, X, Y) -> (B, H, T, Y): head h uses group h * G / H."""
    batch, heads, count, width = rows.shape
    groups = columns.shape[1]
    if heads == groups:
        return rows @ columns
    stacked = rows.reshape(batch, groups, heads // groups * count, width)
    return (stacked @ columns).view(batch, heads, count, columns.shape[-1])


def _convolve_few(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """conv2d of scores (B, H, rows + c_q - 1, keys + c_k - 1) by kernel (H, c_q, c_k), for few rows."""
    batch, heads, wide_rows, wide_keys = scores.shape
    _, query_size, key_size = kernel.shape
    rows, keys = wide_rows - query_size + 1, wide_keys - key_size + 1
    columns = kernel.transpose(1, 2)[:, :, None]
    band = torch.cat([F.pad(columns, (row, rows - 1 - row)) for row in range(rows)], 2)  # (H, c_k, rows, wide rows)
    products = (band.flatten(1, 2) @ scores).view(batch, heads, key_size, rows, wide_keys)
    *outer, step, row, key = products.stride()
    # element [b, i, j] of this view is products[b, i, j + b]
    return products.as_strided((batch, heads, key_size, rows, keys), (*outer, step + key, row, key)).sum(2)


def _mix(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Mix scores (B, H, T, S) over groups of heads by kernel (H / c_h, c_h, c_h)."""
    batch, heads, rows, keys = scores.shape
    groups, size, _ = kernel.shape
    return (kernel @ scores.reshape(batch, groups, size, rows * keys)).view(batch, heads, rows, keys)

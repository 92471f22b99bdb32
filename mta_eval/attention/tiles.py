"""Multi-token attention in memory linear in the context: row tiles with a halo, exact, on every device.

`tile.py` says what one tile computes. The backward pass computes each tile again, so that training is linear in memory
too.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import torch

from mta_eval.attention.kernels import Kernels
from mta_eval.attention.tile import Engine, Inputs, Tile

TILE_ELEMENTS = 2**22  # scores of one tile over all its heads: the memory it takes, 16 MiB in float32
TILE_ROWS = (16, 128)  # no lower, no higher
GPU_TILE_ELEMENTS = 2**26  # at most: 128 MiB in bfloat16, and some times that while it is convolved
GPU_TILE_ROWS = (16, 1024)
GPU_SHARE = 512  # bytes of a GPU's memory for each score of a tile
WIDEN_FROM = 32  # rows: fewer do not repay the widened keys
RECOMPUTE_FROM = 2**24  # scores in all: below, they are kept for the backward pass


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
    k (B, G, S, D), v (B, G, S, D_v). `rows` is the height of a tile (chosen to bound memory if None). Raises
    ValueError if `history` is another number.
    """
    past = k.shape[2] - (q.shape[2] - history)
    if past < 0 or history != min(kernels.halo, past):
        raise ValueError(f"{history} earlier queries for {past} earlier keys; the kernels reach {kernels.halo} back")
    sizes = tile_sizes(q.device)
    heads, groups, per_head = q.shape[1], k.shape[1], q.shape[0] * k.shape[2] * sizes.rows[1]
    # heads that do not mix go in turns where all at once would make low tiles
    step = groups if kernels.mixes else max(1, min(groups, sizes.elements // (per_head * (heads // groups))))
    parts = []
    for group in range(0, groups, step):
        first, last = group * heads // groups, min(group + step, groups) * heads // groups
        inputs = Inputs(q[:, first:last], k[:, group : group + step], v[:, group : group + step])
        parts.append(_attend(inputs, kernels.of_heads(first, last), past, dropout, rows, sizes))
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def full_matrix_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels, history: int = 0, dropout: float = 0.0
) -> torch.Tensor:
    """The same by the rule alone, in one tile: the definition, with every T x S tensor that it makes."""
    engine = Engine(kernels, dropout=dropout, seed=_seed(dropout))
    tile = engine.tile(k.shape[2] - (q.shape[2] - history), k.shape[2])
    return engine.output(tile, Inputs(q / math.sqrt(q.shape[-1]), k, v))


def last_weights(q: torch.Tensor, k: torch.Tensor, kernels: Kernels, history: int) -> torch.Tensor:
    """The weights (B, H, T, S) that `multi_token_attention` multiplies the values with: for a look at a few rows."""
    engine = Engine(kernels)
    tile = engine.tile(k.shape[2] - (q.shape[2] - history), k.shape[2])
    return engine.after(tile, engine.weights(tile, Inputs(q / math.sqrt(q.shape[-1]), k, k)))


def _attend(
    inputs: Inputs, kernels: Kernels, past: int, dropout: float, rows: int | None, sizes: TileSizes
) -> torch.Tensor:
    """All tiles of one document; q is not scaled yet and begins with its history."""
    batch, heads, _, size = inputs.q.shape
    keys = inputs.k.shape[2]
    if rows is None:
        rows = min(sizes.rows[1], max(sizes.rows[0], sizes.elements // (batch * heads * keys)))
    widens = keys - past >= WIDEN_FROM
    widens_values = widens and kernels.mix_after is None and not dropout
    engine = Engine(kernels, widens, widens_values, sizes.convolves_by_products, dropout, _seed(dropout))
    inputs = inputs._replace(q=inputs.q / math.sqrt(size))
    tiles = [engine.tile(first, min(first + rows, keys)) for first in range(past, keys, rows)]
    if len(tiles) == 1 and not torch.is_grad_enabled():  # a decoding step has no time for more
        return engine.output(tiles[0], tiles[0].cut(engine.widen(inputs), keys - inputs.q.shape[2]))
    if torch.is_grad_enabled() and batch * heads * (keys - past) * keys < RECOMPUTE_FROM:
        before, inputs = keys - inputs.q.shape[2], engine.widen(inputs)
        return torch.cat([engine.output(tile, tile.cut(inputs, before)) for tile in tiles], 2)
    out: torch.Tensor = _Recomputed.apply(engine, tiles, *inputs[:3], *kernels[:4])  # type: ignore[no-untyped-call]
    return out


class TileSizes(NamedTuple):
    """Scores of one tile over all its heads, at most, unless it has the fewest rows; its fewest and most rows."""

    elements: int
    rows: tuple[int, int]
    convolves_by_products: bool


def tile_sizes(device: torch.device) -> TileSizes:
    """Tiles for a device: a CPU's fit its caches, a GPU's are as large as its memory takes with ease."""
    memory = gpu_memory(device)
    if memory is None:
        return TileSizes(TILE_ELEMENTS, TILE_ROWS, convolves_by_products=False)
    return TileSizes(min(GPU_TILE_ELEMENTS, memory // GPU_SHARE), GPU_TILE_ROWS, convolves_by_products=True)


def gpu_memory(device: torch.device) -> int | None:
    """Bytes of a CUDA device's memory, None of another one."""
    if device.type != "cuda":
        return None
    properties: Any = torch.cuda.get_device_properties(device)
    return int(properties.total_memory)


class _Context(Protocol):
    """What `_Recomputed.forward` keeps for the backward pass."""

    engine: Engine
    tiles: list[Tile]
    saved_tensors: tuple[torch.Tensor | None, ...]

    def save_for_backward(self, *tensors: torch.Tensor | None) -> None: ...


class _Recomputed(torch.autograd.Function):
    """Tiles one after another, each computed again for its gradients: memory for one tile's scores only."""

    @staticmethod
    def forward(
        ctx: _Context,
        engine: Engine,
        tiles: list[Tile],
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        *kernels: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.engine, ctx.tiles = engine, tiles
        ctx.save_for_backward(q, k, v, *kernels)
        inputs = engine.widen(Inputs(q, k, v))
        q, v, first = inputs.q, inputs.v, tiles[0].first
        out = torch.empty(*q.shape[:2], tiles[-1].last - first, v.shape[-1], dtype=v.dtype, device=q.device)
        for tile in tiles:
            part = tile.cut(inputs, inputs.k.shape[2] - q.shape[2])
            out[:, :, tile.first - first : tile.last - first] = engine.output(tile, part)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: _Context, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        saved = [None if tensor is None else tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
        engine = replace(ctx.engine, kernels=ctx.engine.kernels.replaced(saved[3:]))
        with torch.enable_grad():
            inputs = engine.widen(Inputs(*saved[:3]))  # type: ignore[arg-type]
        wholes = [*inputs, *saved[3:]]
        totals = [None if tensor is None else torch.zeros_like(tensor) for tensor in wholes]
        before, first = inputs.k.shape[2] - inputs.q.shape[2], ctx.tiles[0].first
        for tile in ctx.tiles:
            read: list[Any] = [*tile.cut(inputs, before), *saved[3:]]
            read = [None if part is None else part.detach().requires_grad_() for part in read]
            again = replace(engine, kernels=engine.kernels.replaced(read[5:]))
            with torch.enable_grad():
                out = again.output(tile, Inputs(*read[:5]))
            present = [index for index, part in enumerate(read) if part is not None]
            grad = grads[0][:, :, tile.first - first : tile.last - first]
            part_grads = torch.autograd.grad(out, [read[index] for index in present], grad, allow_unused=True)
            bounds = tile.bounds(before)
            for index, part in zip(present, part_grads, strict=True):
                total = totals[index]
                if part is not None and total is not None:
                    into = total[:, :, slice(*bounds[index])] if index < len(bounds) else total
                    into += part
        _through_widening(saved, inputs, totals)
        return None, None, *totals[:3], *totals[5:]


def _through_widening(saved: list[torch.Tensor | None], inputs: Inputs, totals: list[torch.Tensor | None]) -> None:
    """Add to the totals what the gradients of widened keys and values say of keys, values and kernels."""
    places = [0, 1, 2, 5, 6, 7, 8]  # of the saved tensors among the totals
    for wide, grad in ((inputs.k_far, totals[3]), (inputs.v_far, totals[4])):
        if wide is None:
            continue
        present = [(index, tensor) for index, tensor in enumerate(saved) if tensor is not None]
        part_grads = torch.autograd.grad(wide, [tensor for _, tensor in present], grad, allow_unused=True)
        for (index, _), part in zip(present, part_grads, strict=True):
            total = totals[places[index]]
            if part is not None and total is not None:
                total += part


def _seed(dropout: float) -> int:
    return int(torch.randint(2**62, ())) if dropout else 0

"""One tile of multi-token attention: some query rows of one document, against all the keys that they see.

A row of logits needs c_q - 1 rows of scores above it, an output c'_q - 1 rows of weights above it: the halo. Keys are
parted where the convolution stops meeting masked scores. On the far side it is a dot product of widened queries and
keys, q~_i = [q_i-c_q+1 .. q_i] and k~_j = [sum_b kernel[a, b] k_j-left+b]_a, which is one matrix product; near the
diagonal it is done by the rule. The convolution after softmax is moved to the values in the same way: being linear, it
is the sum of what it makes of the far weights (a product with widened values) and of the near ones (by the rule).

On a GPU the rule too is a matrix product, with kernels laid out as bands: a tile with kernels and mixing before and
after softmax takes some 45 launches, of which a dozen touch all its scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional as F

from mta_eval.attention.convolution import convolve_by_products, convolve_few, convolve_plain
from mta_eval.attention.kernels import Kernels, key_reach

FEW_ROWS = 8  # up to here (decoding) the convolution is quicker as a small product and a shifted sum


class Inputs(NamedTuple):
    """Whole inputs of a document, or the slices of them that one tile reads; q is scaled already."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    k_far: torch.Tensor | None = None
    v_far: torch.Tensor | None = None


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
    near_values: int  # values [near_values, last) are read by the rule

    def bounds(self, before: int) -> tuple[tuple[int, int], ...]:
        """The slices of `Inputs` to read, where q begins `before` tokens after the document."""
        return (
            (self.queries_from - before, self.last - before),
            (self.near_keys, self.last),
            (self.near_values, self.last),
            (0, self.far_keys),
            (0, self.far_values),
        )

    def cut(self, inputs: Inputs, before: int) -> Inputs:
        """The slices that this tile reads."""
        q, k, v, k_far, v_far = (slice(*bound) for bound in self.bounds(before))
        return Inputs(
            inputs.q[:, :, q],
            inputs.k[:, :, k],
            inputs.v[:, :, v],
            None if inputs.k_far is None else inputs.k_far[:, :, k_far],
            None if inputs.v_far is None else inputs.v_far[:, :, v_far],
        )


@dataclass(frozen=True)
class Engine:
    """Computes tiles: with which kernels, and whether keys and values are widened for the far side."""

    kernels: Kernels
    widens_keys: bool = False
    widens_values: bool = False
    convolves_by_products: bool = False  # as is quick on a GPU, where grouped convolutions are slow
    dropout: float = 0.0
    seed: int = 0  # of the dropout, so that a tile computed again drops the same

    def tile(self, first: int, last: int) -> Tile:
        """The geometry of rows [first, last)."""
        kernels = self.kernels
        weights_from = max(0, first - kernels.halo_after)
        far_keys = near_keys = far_values = near_values = 0
        if kernels.convolve_before is not None and self.widens_keys:
            left, right = key_reach(kernels.convolve_before, kernels.key_padding)
            far_keys = max(0, weights_from - kernels.halo_before - right + 1)
            near_keys = max(0, far_keys - left)
        if kernels.convolve_after is not None and self.widens_values:
            left, right = key_reach(kernels.convolve_after, kernels.key_padding)
            far_values = max(0, first - left + 1)
            near_values = max(0, far_values - right)
        queries_from = max(0, weights_from - kernels.halo_before)
        return Tile(first, last, weights_from, queries_from, far_keys, near_keys, far_values, near_values)

    def widen(self, inputs: Inputs) -> Inputs:
        """The inputs with the widened keys and values that the tiles' far sides read."""
        return inputs._replace(
            k_far=widen_keys(inputs.k, self.kernels) if self.widens_keys else None,
            v_far=widen_values(inputs.v, self.kernels) if self.widens_values else None,
        )

    def output(self, tile: Tile, read: Inputs) -> torch.Tensor:
        """(B, H, rows, D_v) from the slices that the tile reads."""
        weights = self.weights(tile, read)
        kernel = self.kernels.convolve_after
        if read.v_far is None or kernel is None:
            return grouped_product(self.after(tile, weights), read.v)
        far, near = weights[..., : tile.far_values], weights[..., tile.far_values :]
        left, right = key_reach(kernel, self.kernels.key_padding)
        near = self._convolve(F.pad(near, (tile.far_values - tile.near_values + left, right)), kernel, tile, tile.first)
        out = grouped_product(_hide_future(near, tile.first, tile.near_values, 0), read.v)
        if not tile.far_values:
            return out
        moved = (far @ read.v_far).view(*far.shape[:3], kernel.shape[1], -1)
        moved = F.pad(moved, (0, 0, 0, 0, self.kernels.halo_after - (tile.first - tile.weights_from), 0))
        for a in range(kernel.shape[1]):
            out = out + moved[:, :, a : a + tile.last - tile.first, a]
        return out

    def weights(self, tile: Tile, read: Inputs) -> torch.Tensor:
        """Softmax weights (B, H, rows from `weights_from`, keys up to `last`)."""
        kernels, kernel = self.kernels, self.kernels.convolve_before
        logits = grouped_product(read.q, read.k.transpose(2, 3))
        if kernel is not None:
            left, right = key_reach(kernel, kernels.key_padding)
            scores = _hide_future(logits, tile.queries_from, tile.near_keys, 0)
            scores = F.pad(scores, (left - (tile.far_keys - tile.near_keys), right))
            logits = self._convolve(scores, kernel, tile, tile.weights_from)
        if read.k_far is not None and tile.far_keys:
            wide = widen_queries(read.q, kernels.halo_before, tile.weights_from - tile.queries_from)
            logits = torch.cat((wide @ read.k_far.transpose(2, 3), logits), -1)
        if kernels.mix_before is not None:
            logits = mix_scores(logits, kernels.mix_before)
        weights = _softmax(logits, tile.weights_from)
        return _softmax(weights.clone(), tile.weights_from) if kernels.softmax_again else weights

    def after(self, tile: Tile, weights: torch.Tensor) -> torch.Tensor:
        """What becomes of softmax weights: convolved, mixed, dropped; (B, H, rows, keys up to `last`)."""
        kernel = self.kernels.convolve_after
        if kernel is not None:
            weights = F.pad(weights, key_reach(kernel, self.kernels.key_padding))
            weights = _hide_future(self._convolve(weights, kernel, tile, tile.first), tile.first, 0, 0)
        if self.kernels.mix_after is not None:
            weights = mix_scores(weights, self.kernels.mix_after)
        if self.dropout:
            chance = torch.Generator(weights.device).manual_seed(self.seed + tile.first)
            survivors = torch.rand(weights.shape, generator=chance, device=weights.device) >= self.dropout
            weights = weights * survivors / (1 - self.dropout)
        return weights

    def _convolve(self, scores: torch.Tensor, kernel: torch.Tensor, tile: Tile, first: int) -> torch.Tensor:
        """Convolve scores, whose keys are padded already, into the rows [first, last) of the tile."""
        missing = tile.last - first + kernel.shape[1] - 1 - scores.shape[2]
        if missing:
            scores = F.pad(scores, (0, 0, missing, 0))
        if tile.last - first <= FEW_ROWS:
            return convolve_few(scores, kernel)
        return convolve_by_products(scores, kernel) if self.convolves_by_products else convolve_plain(scores, kernel)


def widen_queries(q: torch.Tensor, halo: int, before: int) -> torch.Tensor:
    """q~ (B, H, T, c_q D) of the last T rows of q, whose first `before` <= halo rows stand before them."""
    return F.pad(q, (0, 0, halo - before, 0)).unfold(2, halo + 1, 1).transpose(3, 4).flatten(3)


def widen_keys(k: torch.Tensor, kernels: Kernels) -> torch.Tensor | None:
    """k~ (B, H, S, c_q D) of k (B, G, S, D); None without a convolution before softmax."""
    kernel = kernels.convolve_before
    return None if kernel is None else _widen(k, kernel, *key_reach(kernel, kernels.key_padding))


def widen_values(v: torch.Tensor, kernels: Kernels) -> torch.Tensor | None:
    """v~ (B, H, S, c_q D_v), v~_a[m] = sum_b kernel[a, b] v[m - b + left]; None without a convolution after softmax."""
    kernel = kernels.convolve_after
    return None if kernel is None else _widen(v, kernel.flip(2), *reversed(key_reach(kernel, kernels.key_padding)))


def grouped_product(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """rows (B, H, T, X) @ columns (B, G, X, Y) -> (B, H, T, Y): head h uses group h * G / H."""
    batch, heads, count, width = rows.shape
    groups = columns.shape[1]
    if heads == groups:
        return rows @ columns
    stacked = rows.reshape(batch, groups, heads // groups * count, width)
    return (stacked @ columns).view(batch, heads, count, columns.shape[-1])


def _widen(tensor: torch.Tensor, kernel: torch.Tensor, left: int, right: int) -> torch.Tensor:
    windows = F.pad(tensor, (0, 0, left, right)).unfold(2, kernel.shape[2], 1)
    by_group = kernel.reshape(tensor.shape[1], -1, *kernel.shape[1:])
    return torch.einsum("bgsdc,ghac->bghsad", windows, by_group).flatten(4).flatten(1, 2)


def _hide_future(scores: torch.Tensor, row: int, key: int, value: float) -> torch.Tensor:
    """Set scores, whose first row and key are `row` and `key`, in place to `value` where the key is later."""
    cut = max(key, row)
    part = scores[..., cut - key :]
    rows, keys = (torch.arange(size, device=scores.device) for size in part.shape[2:])
    part.masked_fill_(keys > rows[:, None] + (row - cut), value)
    return scores


def _softmax(logits: torch.Tensor, row: int) -> torch.Tensor:
    """Softmax over the keys that are not later than a row (torch sums in float32 at least); the first row is `row`."""
    return torch.softmax(_hide_future(logits, row, 0, -math.inf), -1)


def mix_scores(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Mix scores (B, H, T, S) over groups of heads by kernel (H / c_h, c_h, c_h)."""
    batch, heads, rows, keys = scores.shape
    groups, size, _ = kernel.shape
    return (kernel @ scores.reshape(batch, groups, size, rows * keys)).view(batch, heads, rows, keys)

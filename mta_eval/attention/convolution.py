"""Key-query convolution of a tile's scores, in three ways that agree; which is quick depends on rows and device.

Scores (B, H, rows + c_q - 1, keys + c_k - 1) are padded already; a kernel (H, c_q, c_k) makes (B, H, rows, keys) of
them.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

BAND_KEYS = 32  # keys of one block of `convolve_by_products`: for 11 keys of the kernel it reads 42 / 32 of the scores


def convolve_plain(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Torch's own."""
    return F.conv2d(scores, kernel[:, None], groups=kernel.shape[0])


def convolve_by_products(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """conv2d of scores (B, H, rows + c_q - 1, keys + c_k - 1) by kernel (H, c_q, c_k), as one product and one sum.

    Blocks of BAND_KEYS keys, with the c_k - 1 beside them, are multiplied with all rows of the kernel, each laid out as
    a band; what the rows of the kernel make of rows below one another is then added. It takes c_q times the scores.
    """
    batch, heads, wide_rows, wide_keys = scores.shape
    _, query_size, key_size = kernel.shape
    rows, keys = wide_rows - query_size + 1, wide_keys - key_size + 1
    blocks, window = -(-keys // BAND_KEYS), BAND_KEYS + key_size - 1
    scores = F.pad(scores, (0, blocks * BAND_KEYS - keys)).unfold(3, window, BAND_KEYS)  # (B, H, wide rows, blocks, w)
    place, key = (torch.arange(size, device=kernel.device) for size in (window, BAND_KEYS))
    b = place[:, None] - key
    bands = kernel[:, :, b.clamp(0, key_size - 1)] * ((b >= 0) & (b < key_size))  # (H, c_q, window, BAND_KEYS)
    bands = bands.transpose(1, 2).reshape(heads, window, query_size * BAND_KEYS)
    products = scores.reshape(batch, heads, wide_rows * blocks, window) @ bands
    products = products.view(batch, heads, wide_rows, blocks, query_size, BAND_KEYS)
    *outer, row, block, step, one = products.stride()
    # element [i, n, j, a] of this view is products[i + a, n, a, j]
    shape = (batch, heads, rows, blocks, BAND_KEYS, query_size)
    total = products.as_strided(shape, (*outer, row, block, one, row + step)).sum(5)
    return total.flatten(3)[..., :keys]


def convolve_few(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
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

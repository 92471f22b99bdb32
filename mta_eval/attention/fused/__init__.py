"""Exact Multi-Token Attention in fused Triton kernels, forward and backward, for GPUs.

Equation 5 of arXiv 2504.00927 convolves the scores over queries and keys before softmax. Off a narrow band of
diagonals that is a dot product of widened queries and keys, q~_i = [q_i-c_q+1 .. q_i] and
k~_j = [sum_b kernel[a, b] k_j-left+b]_a; so one flash-attention kernel over heads of c_q D elements, which reads its
widened queries as overlapping windows and the band from a small tensor made beforehand, gives the exact outputs in
memory linear in the context. `preparation.py` makes widened keys and band, `forward.py` is that kernel,
`gradients.py` and `transposes.py` go back, `function.py` puts them together; `decoding.py` is the step of one token.
Triton is imported when first needed.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional as F

from mta_eval.attention.kernels import Kernels, KeyPadding

if TYPE_CHECKING:
    from mta_eval.attention.fused.configurations import Configuration

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
LARGEST_HEAD = 256  # elements of a head, and of the values that one kernel sums
LARGEST_KERNEL = (8, 15)


class Operand(Protocol):
    """What decides whether there is a fused form: a tensor, or what stands for one that is not made yet."""

    @property
    def is_cuda(self) -> bool: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def shape(self) -> tuple[int, ...]: ...


def available(q: Operand) -> bool:
    """Whether fused kernels can run where q is: Triton is installed, and q on a CUDA device, or Triton interprets."""
    if importlib.util.find_spec("triton") is None:
        return False
    return q.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"


def unsupported(q: Operand, v: Operand, kernels: Kernels, dropout: float = 0.0) -> str | None:
    """Why there is no fused form, in one line, or None if there is one; q (B, H, rows, D), v (B, G, S, D_v)."""
    if kernels.softmax_again:
        return "softmax that is taken twice is not fused"
    if kernels.mix_before is not None:
        return "heads mixed before softmax need all heads of a tile at once"
    if kernels.convolve_after is not None:
        return "weights convolved after softmax are not fused"
    if dropout and kernels.mix_after is not None:
        return "dropout of weights that are mixed after softmax is not fused"
    if q.dtype not in DTYPES or v.dtype != q.dtype:
        return f"fused kernels take float32, bfloat16 or float16, q and v alike, not {q.dtype} and {v.dtype}"
    if max(q.shape[-1], v.shape[-1]) > LARGEST_HEAD:
        return f"heads of {q.shape[-1]} and values of {v.shape[-1]} elements; fused kernels go to {LARGEST_HEAD}"
    kernel = kernels.convolve_before
    if kernel is not None and (kernel.shape[1] > LARGEST_KERNEL[0] or kernel.shape[2] > LARGEST_KERNEL[1]):
        return f"a kernel of {kernel.shape[1]} x {kernel.shape[2]}; fused kernels go to 8 x 15"
    return None


def fused_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernel: torch.Tensor | None,
    *,
    history: int = 0,
    key_padding: KeyPadding = "both",
    documents: torch.Tensor | None = None,
    mix_after: torch.Tensor | None = None,
    dropout: float = 0.0,
    return_lse: bool = False,
    configuration: Configuration | None = None,
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """Causal attention (B, H, T, D_v) of the last T tokens over all S, scores convolved by `kernel` before softmax.

    q (B, H, history + T, D) begins with the `history` = min(c_q - 1, S - T) queries before the T current ones;
    k (B, G, S, D) and v (B, G, S, D_v), G divides H; kernel (H, c_q, c_k), None for plain scores; scores are divided
    by the root of D. `documents` (B, S) numbers each token's document, 0 for padding, a document's tokens side by side
    (not looked at, as that would wait for the device): each is computed as if it stood alone, and padding gets zeros
    (it holds finite numbers: a weight of zero times NaN is NaN; in the decoder, `documents.by_document` leaves it out).
    `mix_after` (H / c_h, c_h, c_h) mixes the weights of groups of heads, equation 7. `dropout` is the share of weights
    dropped after softmax. With `return_lse` also the log-sum-exps (B, H, T) of the logits, float32, natural, -inf for
    padding; both are differentiable in q, k, v, kernel and mix_after. Products run on tensor cores in q's dtype with
    float32 sums (float32 as three products of tf32). `configuration` replaces the block sizes of the table.

    Raises ValueError if `unsupported` names a reason, if `history` is another number, or where shapes do not fit.
    """
    kernels = Kernels(kernel, mix_after=mix_after, key_padding=key_padding)
    reason = unsupported(q, v, kernels, dropout)
    if reason is not None:
        raise ValueError(reason)
    past = k.shape[2] - (q.shape[2] - history)
    if past < 0 or q.shape[2] <= history or history != min(kernels.halo_before, past):
        raise ValueError(
            f"{history} earlier queries for {past} earlier keys; the kernel reaches {kernels.halo_before} back"
        )
    _check(q, k, v, kernels, documents)
    if mix_after is None:
        out, lse = _plain(q, k, v, kernels, history, documents, dropout, configuration)
    else:
        out, lse = _mixed(q, k, v, kernels, mix_after, history, documents, configuration)
    return (out, lse) if return_lse else out


def decoding_unsupported(q: Operand, k: Operand, v: Operand, kernels: Kernels) -> str | None:
    """Why one query of every head has no fused step, in one line, or None; q (B, H, rows, D), k and v (B, G, S, D)."""
    from mta_eval.attention.fused.decoding_sizes import COLUMNS

    reason = unsupported(q, v, kernels)
    if reason is not None or kernels.mix_after is None:
        return reason
    mixed, shared = kernels.mix_after.shape[-1], q.shape[1] // k.shape[1]
    if mixed % shared and shared % mixed:
        return f"{mixed} heads are mixed where {shared} share keys; of the two one must divide the other"
    columns = max(1, mixed // shared) * max(16, 1 << (v.shape[-1] - 1).bit_length())
    if columns > COLUMNS:
        return f"{mixed} heads mixed after softmax, whose values are {columns} elements a key; a step goes to {COLUMNS}"
    return None


def decode_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernel: torch.Tensor | None,
    *,
    key_padding: KeyPadding = "both",
    mix_after: torch.Tensor | None = None,
    starts: torch.Tensor | None = None,
    length: torch.Tensor | None = None,
    splits: int | None = None,
) -> torch.Tensor:
    """Attention (B, H, 1, D_v) of the newest token over all up to it, scores convolved by `kernel` before softmax.

    q (B, H, c_q, D) holds the last c_q queries, right-aligned; what stands for queries before the first token is not
    read. k (B, G, S, D) and v (B, G, S, D_v); kernel and mix_after as in `fused_attention`. `starts` (B,) are the first
    tokens of rows that begin with padding; a row that is nothing else gets zeros. `length`, one whole number on the
    device, is how many of the S places hold tokens (the others are not read); None: all. Nothing waits for the device,
    and no shape depends on what is on it, so that a CUDA graph of the step stays valid. Not differentiable. `splits`
    replaces the number of parts that the keys are read in. Raises ValueError if `decoding_unsupported` names a reason,
    or where shapes do not fit.
    """
    kernels = Kernels(kernel, mix_after=mix_after, key_padding=key_padding)
    reason = decoding_unsupported(q, k, v, kernels)
    if reason is not None:
        raise ValueError(reason)
    if q.shape[2] != kernels.halo_before + 1:
        raise ValueError(f"{q.shape[2]} queries; a step takes {kernels.halo_before + 1}: the newest and those before")
    _check(q, k, v, kernels, None)
    from mta_eval.attention.fused.decoding import launch_decode
    from mta_eval.attention.fused.decoding_sizes import decoding_sizes
    from mta_eval.attention.fused.function import on_device

    precise = q.new_ones(q.shape[1], 1, 1, dtype=torch.float32) if kernel is None else kernel.float().contiguous()
    mix = None if mix_after is None else mix_after.float().contiguous()
    k, v = _last_contiguous(k), _last_contiguous(v)
    sizes = decoding_sizes(q, k, v, precise, kernels, splits)
    with on_device(q):
        return launch_decode(q.contiguous(), k, v, precise, mix, starts, length, sizes)


def _plain(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    history: int,
    documents: torch.Tensor | None,
    dropout: float,
    configuration: Configuration | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and log-sum-exps; the values may have groups of their own."""
    from mta_eval.attention.fused.function import Fused
    from mta_eval.attention.fused.geometry import geometry

    kernel = kernels.convolve_before
    if kernel is None:
        kernel = q.new_ones(q.shape[1], 1, 1, dtype=torch.float32)
    padding = max(0, kernel.shape[1] - q.shape[2])  # rows of zeros that no output reads, to fill a window of c_q rows
    if padding:
        q, history = F.pad(q, (0, 0, padding, 0)), history + padding
    q, k, v = q.contiguous(), _last_contiguous(k), _last_contiguous(v)
    starts = q.new_empty(1, dtype=torch.int32) if documents is None else starts_of(documents)  # not read, if empty
    seed = torch.randint(2**31 - 1, (1,), device=q.device) if dropout else starts
    sizes = geometry(q, k, v, kernel, history, kernels.key_padding, documents is not None, dropout)
    out, lse = Fused.apply(q, k, v, kernel, starts, seed, sizes, configuration)
    return out, lse


def _mixed(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    mix: torch.Tensor,
    history: int,
    documents: torch.Tensor | None,
    configuration: Configuration | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """O'_h = sum_g mix[h, g] P_g V_h: each head g runs over the values of its whole group, side by side."""
    batch, heads, (groups, size, _) = q.shape[0], q.shape[1], mix.shape
    keys, width = v.shape[2:]
    values = v.repeat_interleave(heads // v.shape[1], 1).view(batch, groups, size, keys, width)
    heads_per_part = max(1, LARGEST_HEAD // width)  # whose values go side by side
    parts = []
    for first in range(0, size, heads_per_part):
        part_values = values[:, :, first : first + heads_per_part].transpose(2, 3).flatten(3)
        out, lse = _plain(q, k, part_values, kernels, history, documents, 0.0, configuration)
        parts.append(out.reshape(*out.shape[:3], -1, width))
    joined = torch.cat(parts, 3) if len(parts) > 1 else parts[0]
    joined = joined.reshape(batch, groups, size, *joined.shape[2:])  # (B, group, g, T, h, D_v)
    return torch.einsum("nhg,bngthd->bnhtd", mix.to(joined.dtype), joined).flatten(1, 2), lse


def starts_of(documents: torch.Tensor) -> torch.Tensor:
    """(B, S) -> the first token of each token's document (B, S) in int32; padding's is the token after it."""
    tokens = torch.arange(documents.shape[1], device=documents.device).expand(documents.shape)
    begins = F.pad(documents[:, 1:] != documents[:, :-1], (1, 0), value=True)
    starts = torch.where(begins, tokens, 0).cummax(1).values
    return torch.where(documents == 0, tokens + 1, starts).to(torch.int32)


def _check(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels,
    documents: torch.Tensor | None,
) -> None:
    if k.shape[:3] != v.shape[:3] or q.shape[1] % k.shape[1] or q.shape[-1] != k.shape[-1] or q.shape[0] != k.shape[0]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit together")
    if kernels.convolve_before is not None and kernels.convolve_before.shape[0] != q.shape[1]:
        raise ValueError(f"kernels of {kernels.convolve_before.shape[0]} heads for {q.shape[1]}")
    if documents is not None and documents.shape != (q.shape[0], k.shape[2]):
        raise ValueError(f"documents {tuple(documents.shape)} number {q.shape[0]} x {k.shape[2]} tokens")


def _last_contiguous(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()

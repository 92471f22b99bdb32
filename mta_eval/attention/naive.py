"""The oracle: every attention of the family as its equations say, with no thought of speed or memory.

Fast paths are tested against these functions in float64. Shapes, here and everywhere: B batch, H heads, G heads that
keys and values have (G divides H), T queries, S keys, D head size. Convolutions are those of arXiv 2504.00927
(equations 4-7), DIFF is arXiv 2410.05258 (equations 1-3), talking heads arXiv 2003.02436, LongHeads arXiv 2402.10685.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from mta_eval.attention.kernels import Kernels, KeyPadding, key_reach


def attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    kernels: Kernels = Kernels(),  # noqa: B008  a NamedTuple cannot change
    documents: torch.Tensor | None = None,
) -> torch.Tensor:
    """Causal attention (B, H, T, D_v) of q (B, H, T, D) over k (B, G, T, D) and v (B, G, T, D_v).

    `documents` (B, T) numbers each token's document, 0 for padding: a document is computed as if it stood alone,
    and padding gets zeros.
    """
    out = q.new_zeros(*q.shape[:3], v.shape[-1])
    documents = torch.ones(q.shape[0], q.shape[2], dtype=torch.long) if documents is None else documents
    for row in range(q.shape[0]):
        for number in sorted(set(documents[row].tolist()) - {0}):
            tokens = torch.nonzero(documents[row] == number)[:, 0]
            q_d, k_d, v_d = q[row][:, tokens], k[row][:, tokens], v[row][:, tokens]
            out[row, :, tokens] = weights(q_d, k_d, kernels) @ _for_every_head(v_d, q)
    return out


def weights(q: torch.Tensor, k: torch.Tensor, kernels: Kernels) -> torch.Tensor:
    """What one document's values are multiplied with: (H, T, T), from q (H, T, D) and k (G, T, D)."""
    future = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(1)
    scores = q @ _for_every_head(k, q[None]).transpose(1, 2) / math.sqrt(q.shape[-1])
    if kernels.convolve_before is not None:
        scores = convolve(scores.masked_fill(future, 0), kernels.convolve_before, kernels.key_padding)
    if kernels.mix_before is not None:
        scores = mix_heads(scores, kernels.mix_before)
    shares = torch.softmax(scores.masked_fill(future, -math.inf), -1)
    if kernels.softmax_again:
        shares = torch.softmax(shares.masked_fill(future, -math.inf), -1)
    if kernels.convolve_after is not None:
        shares = convolve(shares, kernels.convolve_after, kernels.key_padding).masked_fill(future, 0)
    if kernels.mix_after is not None:
        shares = mix_heads(shares, kernels.mix_after)
    return shares


def convolve(scores: torch.Tensor, kernel: torch.Tensor, padding: KeyPadding = "both") -> torch.Tensor:
    """out[h, i, j] = sum_ab kernel[h, a, b] scores[h, i - (c_q - 1) + a, j - left + b], zeros outside."""
    out = torch.zeros_like(scores)
    heads, queries, keys = scores.shape
    _, query_size, key_size = kernel.shape
    left, _ = key_reach(kernel, padding)
    for head in range(heads):
        for a in range(query_size):
            for b in range(key_size):
                down, right = query_size - 1 - a, left - b  # where scores[0, 0] lands
                if down >= queries or abs(right) >= keys:
                    continue
                into = out[head, down:, max(right, 0) : keys + min(right, 0)]
                taken = scores[head, : queries - down, max(-right, 0) : keys - max(right, 0)]
                into += kernel[head, a, b] * taken
    return out


def mix_heads(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """out[h] = sum_g kernel[group, h, g] scores[g] within every group of c_h heads (equation 7)."""
    out = torch.zeros_like(scores)
    size = kernel.shape[-1]
    for group in range(kernel.shape[0]):
        for h in range(size):
            for g in range(size):
                out[group * size + h] += kernel[group, h, g] * scores[group * size + g]
    return out


def differential_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: torch.Tensor, documents: torch.Tensor | None = None
) -> torch.Tensor:
    """DIFF: heads 2h and 2h + 1 are one pair, (softmax_2h - scale * softmax_2h+1) V_h; `scale` is the scalar lambda.

    q (B, H, T, D), k (B, G, T, D), v (B, G / 2, T, 2 D) -> (B, H / 2, T, 2 D). Pair p reads k's heads 2g and 2g + 1
    and v's head g, where g = p * G / H.
    """
    plus = attention(q[:, 0::2], k[:, 0::2], v, documents=documents)
    minus = attention(q[:, 1::2], k[:, 1::2], v, documents=documents)
    return plus - scale * minus


def differential_scale(
    q1: torch.Tensor, k1: torch.Tensor, q2: torch.Tensor, k2: torch.Tensor, layer: int
) -> torch.Tensor:
    """DIFF's lambda from its four vectors (D,), equation 3; layers count from 0."""
    return torch.exp(q1 @ k1) - torch.exp(q2 @ k2) + initial_scale(layer)


def initial_scale(layer: int) -> float:
    """lambda_init = 0.8 - 0.6 exp(-0.3 layer), layers from 0."""
    return 0.8 - 0.6 * math.exp(-0.3 * layer)


def group_norm(out: torch.Tensor, weight: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """RMSNorm of every head and token over the head's values; out (…, D), weight (D,) shared by all heads."""
    return out / torch.sqrt((out * out).mean(-1, keepdim=True) + eps) * weight


def gate(out: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """out * sigmoid(out . weight + bias): weight (1, D) is the scalar gate of v2, (D, D) the vector gate."""
    return out * torch.sigmoid(out @ weight.T + bias)


Rotate = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (n, D) and their n positions -> (n, D): RoPE


def long_heads(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    rotate: Rotate,
    window: int,
    attention_length: int,
    begin: int,
    released: bool = False,
    prompt: int = 0,
) -> torch.Tensor:
    """LongHeads (H, T, D) of one sequence: q (H, T, D), k and v (G, T, D), none of them rotated yet.

    Chunks have `window` tokens. A token before `begin` sees all before it; a later one sees `attention_length` tokens:
    the first chunk, the one before its own, its own up to itself, and those between whose vectors meet its query best.
    What it sees gets positions from 0 on without a gap. `released` has the rules of the released code: the first
    `prompt` tokens do not see themselves, and later ones count themselves as past: they choose one token earlier, and
    a chunk that they complete is the one before their own.
    """
    heads, total, size = q.shape
    out = torch.zeros_like(q)
    for head in range(heads):
        keys, values = k[head * k.shape[0] // heads], v[head * k.shape[0] // heads]
        vectors = [
            chunk_vector(q[head, at : at + window], keys[at : at + window], values[at : at + window], rotate)
            for at in range(0, total - window + 1, window)
        ]
        for token in range(total):
            positions = list(range(token + 1))
            decoded = released and token >= prompt
            if token + decoded >= begin:
                own_chunk = token // window
                if decoded and (token + 1) % window == 0:
                    own_chunk += 1  # nothing of it is there yet
                scores = {chunk: float(q[head, token] @ vectors[chunk]) for chunk in range(1, own_chunk - 1)}
                best = sorted(scores, key=lambda chunk: scores[chunk], reverse=True)
                chosen = sorted({0, own_chunk - 1, own_chunk, *best[: attention_length // window - 3]})
                end = token if released and not decoded else token + 1
                positions = [at for chunk in chosen for at in range(chunk * window, min((chunk + 1) * window, end))]
            place = len(positions) if positions[-1:] != [token] else len(positions) - 1
            query = rotate(q[head, token][None], torch.tensor([place]))
            logits = query @ rotate(keys[positions], torch.arange(len(positions))).T / math.sqrt(size)
            out[head, token] = (torch.softmax(logits, -1) @ values[positions])[0]
    return out


def chunk_vector(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rotate: Rotate) -> torch.Tensor:
    """What stands for a chunk when chunks are chosen, (D,): from the q, k and v (w, D) of one head, not rotated yet.

    The mean output of the chunk's attention to itself, future included, asks the chunk's keys, and gets keys back.
    """
    places, scale = torch.arange(q.shape[0]), 1 / math.sqrt(q.shape[1])
    rotated = rotate(k, places)
    output = torch.softmax(rotate(q, places) @ rotated.T * scale, -1) @ v
    return torch.softmax(output.mean(0) @ rotated.T * scale, -1) @ rotated


def _for_every_head(tensor: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """(G, …) -> (H, …): head h reads head h * G / H."""
    return tensor.repeat_interleave(q.shape[1] // tensor.shape[0], 0)

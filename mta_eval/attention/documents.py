"""Padding and packed documents: which tokens belong together.

A mask (B, S) holds 0 for padding and the document's number for every other token (1 where there is only one), as in
transformers' own 0/1 masks. Attention is computed document by document, so that nothing crosses a border.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class DocumentTokens:
    """The tokens of one document, in batch rows where it stands at the same places.

    `rows` are batch indices; `queries` and `keys` index the current tokens (of T) and all tokens (of S); `past` of
    the keys stand before the first query; `history` index the kept queries (see `Tokens.kept`) of those.
    """

    rows: torch.Tensor
    queries: torch.Tensor
    keys: torch.Tensor
    history: torch.Tensor

    @property
    def past(self) -> int:
        """How many tokens of the document came before the current ones."""
        return len(self.keys) - len(self.queries)


@dataclass(frozen=True)
class Tokens:
    """How T current tokens stand among S; `documents` None means: all are one document, without padding.

    `kept` (B, halo) says which tokens' queries to keep for the next step: indices into the `halo` queries kept before
    (right-aligned) followed by the T current ones, -1 where there is none; None means simply the last ones.

    Of a step (T = 1): `starts` (B,) are the rows' first tokens where each row is padding and then one document, all
    rows' current tokens included; `length`, one number on the device, is how many of the S places of a static cache
    hold tokens. Where it is given, nothing else is known on the host, and `documents` says nothing.
    """

    current: int
    total: int
    documents: tuple[DocumentTokens, ...] | None = None
    kept: torch.Tensor | None = None
    starts: torch.Tensor | None = None
    length: torch.Tensor | None = None


def read_mask(mask: torch.Tensor | None, current: int, total: int, halo: int) -> Tokens:
    """The documents of a mask (B, S) whose last T tokens are current, where kernels reach back `halo` queries.

    Raises ValueError if the mask is no (B, S), or if a document was interrupted so that its queries are gone.
    """
    if mask is None:
        return Tokens(current, total)
    if mask.dim() != 2 or mask.shape[1] != total or mask.is_floating_point():
        raise ValueError(
            f"the attention mask is {tuple(mask.shape)}, {mask.dtype}; it must be (batch, {total}) whole numbers: "
            "0 for padding, else the document's"
        )
    numbers = mask.to("cpu", torch.long)
    if bool((numbers < 0).any()):
        raise ValueError("the attention mask holds numbers below 0; documents count from 1, and 0 is padding")
    if bool((numbers == numbers[:1, :1]).all()) and int(numbers[0, 0]) > 0:
        return Tokens(current, total)
    places: dict[tuple[bytes, bytes], tuple[list[int], list[torch.Tensor]]] = {}
    kept_queries = torch.full((len(numbers), halo), -1)
    past = total - current
    for row, line in enumerate(numbers):
        before, after = _last_real(line[:past], halo), _last_real(line, halo)
        slots = {token: halo - len(before) + place for place, token in enumerate(before)}
        kept_queries[row, halo - len(after) :] = torch.tensor(
            [slots.get(t, halo + t - past) for t in after], dtype=torch.long
        )
        for number in sorted(set(line[past:].tolist()) - {0}):
            keys = torch.nonzero(line == number)[:, 0]
            queries = keys[keys >= past] - past
            needed = keys[: len(keys) - len(queries)][-halo:].tolist() if halo else []
            history = [slots[token] for token in needed if token in slots]
            if len(history) < len(needed):
                raise ValueError(f"document {number} of row {row} goes on after another; its earlier queries are gone")
            place = torch.tensor(history, dtype=torch.long)
            rows, _ = places.setdefault((keys.numpy().tobytes(), place.numpy().tobytes()), ([], [keys, queries, place]))
            rows.append(row)
    device = mask.device
    documents = tuple(
        DocumentTokens(torch.tensor(rows, device=device), queries.to(device), keys.to(device), place.to(device))
        for rows, (keys, queries, place) in places.values()
    )
    starts = _starts(numbers) if current == 1 else None
    return Tokens(current, total, documents, kept_queries.to(device), None if starts is None else starts.to(device))


def _starts(numbers: torch.Tensor) -> torch.Tensor | None:
    """The first tokens (B,) of rows of which each is padding and then one document, S where it is nothing else."""
    starts = (numbers == 0).sum(1)
    wanted = torch.where(torch.arange(numbers.shape[1]) >= starts[:, None], numbers[:, -1:], 0)
    return starts if bool((numbers == wanted).all()) and bool((numbers[:, -1] > 0).all()) else None


def by_document(
    attend: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor],
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    tokens: Tokens,
    earlier: torch.Tensor | None,
) -> torch.Tensor:
    """`attend(q, k, v, earlier)` for each document by itself; padding gets zeros.

    q (B, H, T, D) are the current queries, k and v (B, G, S, D) all keys and values, `earlier` (B, H, halo, D) the
    queries before them, right-aligned. `attend` returns (B, H', T, D_v).
    """
    if tokens.documents is None:
        return attend(q, k, v, earlier)
    out: torch.Tensor | None = None
    for document in tokens.documents:
        rows = document.rows[:, None]
        q_d = q[rows, :, document.queries].transpose(1, 2)
        k_d, v_d = (tensor[rows, :, document.keys].transpose(1, 2) for tensor in (k, v))
        before = None
        if earlier is not None and len(document.history):
            before = earlier[rows, :, document.history].transpose(1, 2)
        result = attend(q_d, k_d, v_d, before).transpose(1, 2)
        if out is None:
            out = result.new_zeros(q.shape[0], q.shape[2], *result.shape[2:])
        out = out.index_put((rows, document.queries), result)
    if out is None:  # nothing but padding
        out = attend(q[:, :, :1], k[:, :, :1], v[:, :, :1], None).transpose(1, 2)
        out = out.new_zeros(q.shape[0], q.shape[2], *out.shape[2:])
    return out.transpose(1, 2)


def packed(position_ids: torch.Tensor) -> torch.Tensor | None:
    """The mask (B, T) of documents that positions (B, T) count through one after another; None if there is only one."""
    border = position_ids[:, 1:] != position_ids[:, :-1] + 1
    if not bool(border.any()):
        return None
    return 1 + torch.nn.functional.pad(border, (1, 0)).long().cumsum(1)


def token_positions(mask: torch.Tensor) -> torch.Tensor:
    """Each token's position in its own document, from 0, for a mask (B, S); padding gets 0."""
    positions = torch.zeros_like(mask, dtype=torch.long)
    for number in sorted(set(mask.flatten().tolist()) - {0}):
        in_document = mask == number
        positions = torch.where(in_document, in_document.long().cumsum(1) - 1, positions)
    return positions


def _last_real(line: torch.Tensor, count: int) -> list[int]:
    real: list[int] = torch.nonzero(line)[:, 0].tolist()
    return real[len(real) - min(count, len(real)) :]

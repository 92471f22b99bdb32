"""Keys and values that lie on another device than the queries: what comes over, and what stays there for the next step.

A token of decoding chooses mostly the chunks that the one before it chose. Those of the last step stay on the queries'
device, and so do the last few tokens; so one step moves new choices only, each once for all heads that share its keys.
"""

from __future__ import annotations

import torch

RECENT = 16  # tokens beyond one chunk that stay on the device: rows of a step may begin in the chunk before the last


def to_device(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """x on `device`; all that leaves a store passes here. From pinned memory the copy does not hold up the host."""
    return x.to(device, non_blocking=True)


def new_store(shape: tuple[int, ...], like: torch.Tensor, device: torch.device | None) -> torch.Tensor:
    """Room of the dtype of `like`, on `device` or with it; pinned where it is a GPU's memory on the CPU."""
    where = like.device if device is None else device
    return torch.empty(shape, dtype=like.dtype, device=where, pin_memory=where.type == "cpu" and like.is_cuda)


def copied_store(part: torch.Tensor) -> torch.Tensor:
    """A copy of a store, pinned if that is."""
    return torch.empty(part.shape, dtype=part.dtype, device=part.device, pin_memory=part.is_pinned()).copy_(part)


class ResidentChunks:
    """Of one layer: the whole chunks of the last step and the last tokens, on the device of the queries.

    Keys and values k, v (B, G, S, D) are the whole store. Tensors held here are replaced and never written in place,
    so that a shallow copy is an independent one.
    """

    def __init__(self, window: int, begin: int = 0) -> None:
        self._window, self._begin = window, begin  # before `begin` tokens a token sees all, so all are held
        self.clear()

    def clear(self) -> None:
        """Hold nothing, for an empty store."""
        self._ids: torch.Tensor | None = None  # of whole chunks, ascending: chunk * B G + row * G + group
        self._chunks: tuple[torch.Tensor, ...] = ()  # keys and values (chunks, w, D)
        self._recent: tuple[torch.Tensor, ...] = ()  # keys and values (B, G, last tokens, D)
        self._total = 0  # tokens in the store

    @property
    def _held(self) -> int:
        """How many of the last tokens are held."""
        return int(self._recent[0].shape[2]) if self._recent else 0

    def crop(self, left: int) -> None:
        """The store has the first `left` tokens only, and other chunks may come after them."""
        keep = left - (self._total - self._held)
        recent = tuple(part[:, :, :keep] for part in self._recent) if keep > 0 else ()
        self.clear()
        self._recent, self._total = recent, left

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Hold the last of the tokens (B, G, T, D) that the store takes in."""
        self._total += keys.shape[2]
        count = self._total if self._total <= self._begin else self._window + RECENT
        before = self._recent or (keys[:, :, :0], values[:, :, :0])
        self._recent = tuple(
            torch.cat((old[:, :, max(0, old.shape[2] + new.shape[2] - count) :], new[:, :, -count:]), 2)
            for old, new in zip(before, (keys, values), strict=True)
        )

    def tokens(self, at: int, store: torch.Tensor, first: int, last: int, device: torch.device) -> torch.Tensor:
        """The tokens [first, last) of the store of keys (`at` 0) or values (1), on the device."""
        begin = self._total - self._held
        if self._recent and first >= begin and last <= self._total:
            return self._recent[at][:, :, first - begin : last - begin]
        return to_device(store[:, :, first:last], device)

    def side_by_side(self, chosen: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (B, H, T, m w, D) of the chunks chosen (B, H, T, m), the last of which may not be whole."""
        (batch, groups), heads, window = k.shape[:2], chosen.shape[1], self._window
        pairs = torch.arange(batch, device=chosen.device)[:, None] * groups
        pairs = (pairs + torch.arange(heads, device=chosen.device) * groups // heads)[:, :, None, None]
        ids, places = torch.unique(chosen[..., :-1] * (batch * groups) + pairs, return_inverse=True)
        self._fetch(ids, k, v)
        own = chosen[..., -1:] * window + torch.arange(window, device=chosen.device)
        own = own.clamp(max=k.shape[2] - 1)
        first, parts = int(own.min()), []
        for at, (store, chunks) in enumerate(zip((k, v), self._chunks, strict=True)):
            tail = self.tokens(at, store, first, k.shape[2], chosen.device)
            last = tail.flatten(0, 1)[pairs, own - first]
            parts.append(torch.cat((chunks[places].flatten(3, 4), last), 3))
        return parts[0], parts[1]

    def _fetch(self, ids: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> None:
        """Make `ids` the whole chunks that are held; those that were not there are moved."""
        (batch, groups, total, size), window = k.shape, self._window
        known = torch.zeros_like(ids, dtype=torch.bool) if self._ids is None else torch.isin(ids, self._ids)
        missing = ids[~known].to(k.device)
        where = (missing % (batch * groups) // groups, missing % groups, missing // (batch * groups))
        parts = []
        for at, store in enumerate((k, v)):
            part = torch.empty(len(ids), window, size, dtype=store.dtype, device=ids.device)
            if len(missing):
                whole = store[:, :, : total // window * window].view(batch, groups, -1, window, size)
                part[~known] = to_device(whole[where], ids.device)
            if self._ids is not None:
                part[known] = self._chunks[at][torch.searchsorted(self._ids, ids[known])]
            parts.append(part)
        self._ids, self._chunks = ids, tuple(parts)

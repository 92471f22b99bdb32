"""What every attention variant is built on: projections and RoPE, documents and caches around it, its norm and gate.

A variant is a subclass in a file of its own, named in the registry (`mta_eval.registry`, or the entry points
`mta_eval.attention` of other packages). The smallest one has a `definition` alone; `attend_document` is its fast path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional as F
from transformers.cache_utils import Cache
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from mta_eval.attention.documents import Tokens, by_document
from mta_eval.attention.fused import Operand
from mta_eval.attention.paths import WHOLE_MATRIX, Path, for_every_head
from mta_eval.attention.query_cache import KeepsQueries, layer_for
from mta_eval.attention.row_caches import by_row

if TYPE_CHECKING:
    from mta_eval.attention.configuration import MTAConfig

NORM_EPS = 1e-5
Use = Literal["language model", "letter blocks", "small letter blocks", "retrofit"]


class AttentionLayer(nn.Module):
    """One layer's attention in the decoder. B batch, H heads, G key-value heads, T queries, S keys, D head size.

    What a variant says of itself: `kind`, its name in configurations, specs and on the command line; `title`, its name
    in tables; `source`, where it is published; `options`, fields of the configuration that it adds, with their
    defaults; `kernel_options`, those of MTAConfig's kernel sizes that it has; `rotates`, whether queries and keys get
    RoPE; `retrofits`, whether a Llama-type checkpoint can be given it.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str] = ""
    options: ClassVar[Mapping[str, object]] = {}
    kernel_options: ClassVar[frozenset[str]] = frozenset()
    rotates: ClassVar[bool] = True
    retrofits: ClassVar[bool] = True

    def __init__(self, config: MTAConfig, layer_idx: int) -> None:
        super().__init__()
        self.config, self.layer_idx = config, layer_idx
        self.has_step = _has_step(type(self))
        self.head_dim = config.head_dim
        heads, groups, width = config.num_attention_heads, config.num_key_value_heads, config.hidden_size
        self.q_proj = nn.Linear(width, heads * self.head_dim, bias=config.attention_bias)
        self.k_proj = nn.Linear(width, groups * self.head_dim, bias=config.attention_bias)
        self.v_proj = nn.Linear(width, groups * self.head_dim, bias=config.attention_bias)
        self.o_proj = nn.Linear(heads * self.head_dim, width, bias=bool(config.output_bias))
        self.add_parameters()
        size = self.value_size
        self.norm = nn.RMSNorm(size, eps=NORM_EPS) if config.norm != "none" else None
        gates = {"none": 0, "scalar": 1, "vector": size}[str(config.gate)]
        self.gate = nn.Linear(size, gates) if gates else None

    # What a variant overrides

    @classmethod
    def defaults(cls, heads: int) -> Mapping[str, object]:  # noqa: ARG003
        """What options of the configuration are where they were left None; others are 0 or "none"."""
        return {}

    @classmethod
    def check(cls, config: MTAConfig) -> None:
        """Raises ValueError, naming the option, where options do not fit this attention."""

    @classmethod
    def options_for(cls, use: Use, *, layers: int, block: int = 5, version: str = "v2") -> Mapping[str, object]:  # noqa: ARG003
        """Options of the configuration for a use that its paper describes; `block` is letters of a letter block."""
        return {}

    def add_parameters(self) -> None:
        """Register the variant's own parameters on `self`, empty."""

    def initialise(self, name: str, parameter: torch.Tensor) -> None:
        """Fill one of the variant's own parameters in place."""
        raise NotImplementedError(f"{type(self).__name__}.initialise does not say how {name} begins")

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """The oracle: the whole matrix of weights (B, H', T, S) that `values` are multiplied with, by the equations.

        q (B, H, T, D) are the last T tokens of one document, k (B, G, S, D) all of them; scores are not scaled yet.
        """
        raise NotImplementedError(f"{type(self).__name__} has no definition")

    def values(self, v: torch.Tensor) -> torch.Tensor:
        """What the weights are multiplied with, (B, G', S, D_v), from v (B, G, S, D)."""
        return v

    @property
    def value_size(self) -> int:
        """D_v, the size of a head's output."""
        return int(self.head_dim)

    @property
    def halo(self) -> int:
        """How many earlier queries one output needs; the cache keeps them."""
        return 0

    def attend_document(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, history: int, dropout: float
    ) -> torch.Tensor:
        """Outputs (B, H', T, D_v) of the last T tokens of one document: by the definition, unless overridden.

        q (B, H, history + T, D) begins with the `history` <= `halo` queries before them; k and v are (B, G, S, D).
        """
        weights = self.definition(q, k)[:, :, history:]
        values = for_every_head(self.values(v), weights.shape[1])
        return F.dropout(weights, dropout) @ values.to(weights.dtype)

    def attend_step(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        starts: torch.Tensor | None,
        length: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """Outputs (B, H', 1, D_v) of each row's current token, without waiting for the device; a variant may have it.

        q (B, H, `halo` + 1 or more, D) ends with it; queries before the first token are not to be read. k, v, `starts`
        and `length` as in `step.step_attention`. None, where `length` is None: another way is as good.
        """
        raise NotImplementedError

    def weights(self, q: torch.Tensor, k: torch.Tensor, rows: int) -> torch.Tensor:
        """The last `rows` rows (B, H', rows, S) of the matrix of weights, for pictures; q and k as in `definition`."""
        return self.definition(q, k)[:, :, q.shape[2] - rows :]

    def computed_by(self, q: Operand, keys: Operand, path: Path) -> str:  # noqa: ARG002
        """In a few words what computes the attention, for run.json; the operands stand for several tokens."""
        overridden = type(self).attend_document is not AttentionLayer.attend_document
        return "a computation of its own" if overridden else WHOLE_MATRIX

    # What is the same for all

    @property
    def initial_scale(self) -> float:
        """lambda_init of the layer (DIFF, arXiv 2410.05258): 0.8 - 0.6 exp(-0.3 layer), layers from 0."""
        return 0.8 - 0.6 * math.exp(-0.3 * self.layer_idx)

    def project(
        self, hidden_states: torch.Tensor, position_embeddings: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """q (B, H, T, D), k and v (B, G, T, D), rotated, in one dtype (under autocast RoPE would widen q and k)."""
        batch, current, _ = hidden_states.shape
        q, k, v = (
            projection(hidden_states).view(batch, current, -1, self.head_dim).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.rotates:
            q, k = apply_rotary_pos_emb(q, k, *position_embeddings)
        return q.to(v.dtype), k.to(v.dtype), v

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: Tokens,
        past_key_values: Cache | None = None,
        **_kwargs: object,
    ) -> tuple[torch.Tensor, None]:
        """(B, T, width) -> (B, T, width). `attention_mask` carries the documents, read once for all layers."""
        q, k, v = self.project(hidden_states, position_embeddings)
        out = by_row(partial(self._update_and_attend, attention_mask), past_key_values, q, k, v)
        return self.o_proj(out.flatten(2)), None

    def _update_and_attend(
        self, tokens: Tokens, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, cache: Cache | None
    ) -> torch.Tensor:
        """Heads' outputs (B, T, H', D_v) of new tokens, which the cache takes in."""
        halo, earlier = self.halo, None
        if cache is not None:
            keeps, query_arguments = layer_for(cache, self.layer_idx, halo), {}
            if isinstance(keeps, KeepsQueries):
                earlier = keeps.earlier() if halo else None
                query_arguments = {"queries": q, "halo": halo, "kept": tokens.kept if halo else None}
            k, v = cache.update(k, v, self.layer_idx, **query_arguments)
            k, v = k[:, :, : tokens.total], v[:, :, : tokens.total]  # a static cache returns all its room
        dropout = float(self.config.attention_dropout or 0) if self.training else 0.0
        if not dropout and (tokens.starts is not None or tokens.length is not None) and self.has_step:
            before = q.new_zeros(*q.shape[:2], halo, q.shape[3]) if earlier is None else earlier.to(q.dtype)
            step = self.attend_step(torch.cat((before, q), 2), k, v, tokens.starts, tokens.length)
            if step is not None:
                return self._norm_and_gate(step.transpose(1, 2))

        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
            past = min(halo, k.shape[2] - q.shape[2])  # the cache may keep more, for layers that look back further
            if before is not None and past:
                q = torch.cat((before[:, :, before.shape[2] - past :].to(q.dtype), q), 2)
            return self.attend_document(q, k, v, past if before is not None else 0, dropout)

        return self._norm_and_gate(by_document(attend, q, k, v, tokens, earlier).transpose(1, 2))

    def _norm_and_gate(self, out: torch.Tensor) -> torch.Tensor:
        if self.norm is not None:
            out = self.norm(out.to(self.norm.weight.dtype)).to(out.dtype)
            if self.config.norm == "depth_scaled":
                out = out * (1 - self.initial_scale)
        if self.gate is not None:
            out = out * torch.sigmoid(self.gate(out))
        return out


def _has_step(kind: type[AttentionLayer]) -> bool:
    """Whether a variant has an `attend_step` that is of the attention which it, or what it is derived from, defines."""

    def origin(name: str) -> type[object]:
        return next(base for base in kind.__mro__ if name in vars(base))

    step = origin("attend_step")
    return step is not AttentionLayer and all(
        issubclass(step, origin(name)) for name in ("definition", "attend_document", "values")
    )

"""DIFF Transformer: the difference of two softmaxes (arXiv 2410.05258)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from mta_eval.attention import naive
from mta_eval.attention.fused import Operand
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.paths import SOFTMAX, Path, softmax_attention
from mta_eval.attention.step import step_attention
from mta_eval.attention.tiles import last_weights

if TYPE_CHECKING:
    from mta_eval.attention.configuration import MTAConfig

LAMBDA_STD = 0.1  # of the four vectors


class DiffAttention(AttentionLayer):
    """Heads 2h and 2h + 1 are one pair: (softmax_2h - lambda softmax_2h+1) V_h, and V_h is two heads' values wide."""

    kind: ClassVar[str] = "diff"
    title: ClassVar[str] = "DIFF"
    source: ClassVar[str] = "Ye et al. 2024, arXiv 2410.05258"
    retrofits: ClassVar[bool] = False  # half as many heads: no setting of lambda begins as the original

    lambda_vectors: nn.Parameter

    @classmethod
    def defaults(cls, heads: int) -> Mapping[str, object]:  # noqa: ARG003
        """Its heads are normed, and scaled by depth."""
        return {"norm": "depth_scaled"}

    @classmethod
    def check(cls, config: MTAConfig) -> None:
        """See AttentionLayer."""
        if config.num_key_value_heads % 2 or config.norm != "depth_scaled":
            raise ValueError(
                "diff attention pairs its heads, so it needs an even number of them, and norm depth_scaled"
            )

    def add_parameters(self) -> None:
        """lambda's vectors q1, k1, q2, k2: (4, D)."""
        self.lambda_vectors = nn.Parameter(torch.empty(4, self.head_dim))

    def initialise(self, name: str, parameter: torch.Tensor) -> None:  # noqa: ARG002
        """Normal, std 0.1."""
        nn.init.normal_(parameter, std=LAMBDA_STD)

    @property
    def scale(self) -> torch.Tensor:
        """lambda, a scalar (equation 3)."""
        q1, k1, q2, k2 = self.lambda_vectors.float()
        return torch.exp(q1 @ k1) - torch.exp(q2 @ k2) + self.initial_scale

    @property
    def value_size(self) -> int:
        """See AttentionLayer."""
        return 2 * int(self.head_dim)

    def values(self, v: torch.Tensor) -> torch.Tensor:
        """(B, G / 2, S, 2 D): each pair's values side by side."""
        batch, groups, keys, size = v.shape
        return v.view(batch, groups // 2, 2, keys, size).transpose(2, 3).flatten(3)

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """See AttentionLayer; of whole documents only: T = S. (B, H / 2, T, S)."""
        plus, minus = (
            torch.stack([naive.weights(*row, Kernels()) for row in zip(q[:, pair::2], k[:, pair::2], strict=True)])
            for pair in (0, 1)
        )
        return plus - self.scale.to(q.dtype) * minus

    def attend_document(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, history: int, dropout: float
    ) -> torch.Tensor:
        """Fused kernels want values as wide as the keys, so each softmax runs over the two halves of the values."""
        q, halves = q[:, :, history:], self.values(v).chunk(2, -1)

        def run(pair: int) -> torch.Tensor:
            parts = [softmax_attention(q[:, pair::2], k[:, pair::2], half, dropout) for half in halves]
            return torch.cat(parts, -1)

        return run(0) - self.scale.to(q.dtype) * run(1)

    def attend_step(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        starts: torch.Tensor | None,
        length: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """See AttentionLayer."""
        values = self.values(v)
        plus, minus = (
            step_attention(q[:, pair::2], k[:, pair::2], values, Kernels(), starts, length) for pair in (0, 1)
        )
        return None if plus is None or minus is None else plus - self.scale.to(q.dtype) * minus

    def computed_by(self, q: Operand, keys: Operand, path: Path) -> str:  # noqa: ARG002
        """See AttentionLayer."""
        return SOFTMAX

    def weights(self, q: torch.Tensor, k: torch.Tensor, rows: int) -> torch.Tensor:
        """See AttentionLayer; (B, H / 2, rows, S)."""
        q = q[:, :, q.shape[2] - rows :]
        plus, minus = (last_weights(q[:, pair::2], k[:, pair::2], Kernels(), 0) for pair in (0, 1))
        return plus - self.scale * minus

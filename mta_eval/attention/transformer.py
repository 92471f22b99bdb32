"""The plain Transformer."""

from __future__ import annotations

from typing import ClassVar

import torch

from mta_eval.attention import naive
from mta_eval.attention.fused import Operand
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.paths import SOFTMAX, Path, softmax_attention
from mta_eval.attention.step import step_attention
from mta_eval.attention.tiles import last_weights


class TransformerAttention(AttentionLayer):
    """Softmax attention, causal, with RoPE."""

    kind: ClassVar[str] = "transformer"
    title: ClassVar[str] = "Transformer"
    source: ClassVar[str] = "Vaswani et al. 2017, arXiv 1706.03762; RoPE: Su et al. 2021, arXiv 2104.09864"

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """See AttentionLayer; of whole documents only: T = S."""
        return torch.stack([naive.weights(*pair, Kernels()) for pair in zip(q, k, strict=True)])

    def attend_document(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, history: int, dropout: float
    ) -> torch.Tensor:
        """By torch's scaled_dot_product_attention."""
        return softmax_attention(q[:, :, history:], k, v, dropout)

    def attend_step(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        starts: torch.Tensor | None,
        length: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """See AttentionLayer."""
        return step_attention(q, k, v, Kernels(), starts, length)

    def computed_by(self, q: Operand, keys: Operand, path: Path) -> str:  # noqa: ARG002
        """See AttentionLayer."""
        return SOFTMAX

    def weights(self, q: torch.Tensor, k: torch.Tensor, rows: int) -> torch.Tensor:
        """See AttentionLayer."""
        return last_weights(q[:, :, q.shape[2] - rows :], k, Kernels(), 0)

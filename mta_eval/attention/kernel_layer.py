"""Attention with learned kernels over queries, keys and heads: what MTA and talking heads share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from mta_eval.attention import naive
from mta_eval.attention.fused import Operand
from mta_eval.attention.kernels import Kernels, initialise_convolution, initialise_mixing
from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.paths import PATHS, Path, attend_document, computed_by
from mta_eval.attention.step import step_attention
from mta_eval.attention.tiles import last_weights

if TYPE_CHECKING:
    from mta_eval.attention.configuration import MTAConfig


class KernelAttention(AttentionLayer):
    """Softmax attention with the kernels that the configuration gives it, before and after softmax."""

    convolve_before: nn.Parameter | None
    mix_before: nn.Parameter | None
    convolve_after: nn.Parameter | None
    mix_after: nn.Parameter | None

    def __init__(self, config: MTAConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self._identity: dict[str, tuple[object, bool]] = {}

    def add_parameters(self) -> None:
        """The kernels, None where there is none in this layer."""
        config, heads = self.config, self.config.num_attention_heads
        for when in ("before", "after"):
            sizes = (getattr(config, f"query_kernel_{when}"), getattr(config, f"key_kernel_{when}"))
            convolves = sizes[0] and config.has_convolution(self.layer_idx)
            self.register_parameter(f"convolve_{when}", _empty(heads, *sizes) if convolves else None)
            size = getattr(config, f"head_kernel_{when}")
            self.register_parameter(f"mix_{when}", _empty(heads // size, size, size) if size else None)

    def initialise(self, name: str, parameter: torch.Tensor) -> None:
        """As the option `kernel_init` says."""
        if name.startswith("convolve"):
            initialise_convolution(parameter, self.config.kernel_init, self.config.key_padding)
        else:
            initialise_mixing(parameter, self.config.kernel_init)

    @property
    def kernels(self) -> Kernels:
        """The layer's kernels."""
        before, after = (self.convolve_before, self.mix_before), (self.convolve_after, self.mix_after)
        has_kernels_before, has_kernels_after = (any(kernel is not None for kernel in part) for part in (before, after))
        again = bool(getattr(self.config, "softmax_again", False)) and has_kernels_before and not has_kernels_after
        return Kernels(*before, *after, self.config.key_padding, again)

    @property
    def halo(self) -> int:
        """See AttentionLayer."""
        return self.kernels.halo

    def definition(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """See AttentionLayer; of whole documents only: T = S. By the loops of `naive`."""
        return torch.stack([naive.weights(*pair, self.kernels) for pair in zip(q, k, strict=True)])

    def attend_document(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, history: int, dropout: float
    ) -> torch.Tensor:
        """On the path that `attn_implementation` names."""
        path = PATHS[self.config._attn_implementation]
        return attend_document(q, k, v, self._effective_kernels(), history, dropout, path)

    def attend_step(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        starts: torch.Tensor | None,
        length: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """See AttentionLayer."""
        may_fuse = PATHS[self.config._attn_implementation] == "auto"
        return step_attention(q, k, v, self._effective_kernels(), starts, length, may_fuse)

    def computed_by(self, q: Operand, keys: Operand, path: Path) -> str:
        """See AttentionLayer; as the kernels are configured, whether or not they are the identity."""
        return computed_by(q, keys, self.kernels, path)

    def weights(self, q: torch.Tensor, k: torch.Tensor, rows: int) -> torch.Tensor:
        """See AttentionLayer; no more than the rows that are wanted and those that they look back at is computed."""
        kernels = self.kernels.to(q.dtype)
        history = min(kernels.halo, q.shape[2] - rows)
        return last_weights(q[:, :, q.shape[2] - rows - history :], k, kernels, history)

    def _effective_kernels(self) -> Kernels:
        """The kernels without those that are exactly the identity: they change nothing, but for gradients.

        So a retrofit that was not trained yet answers as its original does, in every dtype. `halo` may then be more
        than what these kernels need.
        """
        kernels = self.kernels
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return kernels
        return kernels.replaced(
            [
                None if kernel is not None and self._is_identity(name, kernel) else kernel
                for name, kernel in zip(kernels._fields, kernels[:4], strict=False)
            ]
        )

    def _is_identity(self, name: str, kernel: torch.Tensor) -> bool:
        """Compared once for each state of the kernel: on a GPU it would make every step wait."""
        state = (kernel.data_ptr(), kernel.dtype, 0 if kernel.is_inference() else kernel._version)
        if self._identity.get(name, (None, False))[0] != state:
            identity = torch.zeros_like(kernel)
            if name.startswith("mix"):
                initialise_mixing(identity, "identity")
            else:
                initialise_convolution(identity, "identity", self.config.key_padding)
            self._identity[name] = (state, torch.equal(kernel, identity))
        return self._identity[name][1]


def _empty(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(*sizes))

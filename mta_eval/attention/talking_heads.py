"""Talking heads: heads mixed before and after softmax, no kernels over queries and keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mta_eval.attention.kernel_layer import KernelAttention


class TalkingHeadsAttention(KernelAttention):
    """Heads are mixed by learned matrices before and after softmax."""

    kind: ClassVar[str] = "talking_heads"
    title: ClassVar[str] = "Talking heads"
    source: ClassVar[str] = "Shazeer et al. 2020, arXiv 2003.02436"
    kernel_options: ClassVar[frozenset[str]] = frozenset({"head_kernel_before", "head_kernel_after"})

    @classmethod
    def defaults(cls, heads: int) -> Mapping[str, object]:
        """All heads mixed, before and after."""
        return dict.fromkeys(cls.kernel_options, heads)

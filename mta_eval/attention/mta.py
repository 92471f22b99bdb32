"""Multi-Token Attention: scores convolved over queries and keys, heads mixed (arXiv 2504.00927)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mta_eval.attention.kernel_layer import KernelAttention

if TYPE_CHECKING:
    from mta_eval.attention.configuration import MTAConfig

CONVOLUTIONS = ("query_kernel_before", "key_kernel_before", "query_kernel_after", "key_kernel_after")
MIXINGS = ("head_kernel_before", "head_kernel_after")


class MTAAttention(KernelAttention):
    """Attention scores are convolved over queries, keys and heads, before and after softmax."""

    kind: ClassVar[str] = "mta"
    title: ClassVar[str] = "MTA"
    source: ClassVar[str] = "Golovneva et al. 2025, arXiv 2504.00927"
    kernel_options: ClassVar[frozenset[str]] = frozenset((*CONVOLUTIONS, *MIXINGS))

    options: ClassVar[Mapping[str, object]] = {"softmax_again": False}

    @classmethod
    def check(cls, config: MTAConfig) -> None:
        """Raises ValueError where `softmax_again` is neither true nor false.

        It stands for checkpoints of older released code: in layers with kernels before softmax and none after it, the
        weights went through softmax once more.
        """
        if not isinstance(config.softmax_again, bool):
            raise ValueError(f"softmax_again is true or false, not {config.softmax_again!r}")

    @classmethod
    def defaults(cls, heads: int) -> Mapping[str, object]:
        """The paper's second version: kernels of 6 queries x 11 keys, all heads mixed, norm and scalar gate."""
        sizes = {name: 6 if name.startswith("query") else 11 for name in CONVOLUTIONS}
        return {**sizes, **dict.fromkeys(MIXINGS, heads), "norm": "plain", "gate": "scalar"}

    @classmethod
    def options_for(cls, use: str, *, layers: int, block: int = 5, version: str = "v2") -> Mapping[str, object]:
        """Every fourth layer convolves. v1: 6 x 11 before softmax, pairs of heads mixed after, depth-scaled norm.

        Letter blocks: 2 queries x (2 block - 1) keys before softmax only; small models of 2 layers, which have fewer
        steps to join letters in than the paper's 4, get 3 queries.
        """
        convolving = {"convolution_layers": list(range(2, layers, 4))}
        if use == "retrofit":
            return {**convolving, "norm": "none", "gate": "none"}
        if use == "language model":
            first = {"query_kernel_after": 0, "key_kernel_after": 0, "head_kernel_before": 0, "head_kernel_after": 2}
            return {**convolving, **first, "norm": "depth_scaled", "gate": "none"} if version == "v1" else convolving
        none = dict.fromkeys((*CONVOLUTIONS[2:], *MIXINGS), 0)
        queries = 3 if use == "small letter blocks" else 2
        return {**none, CONVOLUTIONS[0]: queries, CONVOLUTIONS[1]: 2 * block - 1, "norm": "none", "gate": "none"}

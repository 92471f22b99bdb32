"""One fused step against the oracle in float64: `TRITON_INTERPRET=1 python decoding_cases.py JSON`, a list of cases.

Prints a JSON line for each: the relative error of the outputs. Places of the cache that hold no token, padding, queries
before the first token and all that `torch.empty` gives are NaN. A process of its own, as for `fused_cases.py`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from mta_eval.attention import naive
from mta_eval.attention.fused import decode_attention
from mta_eval.attention.kernels import Kernels

DEFAULT: dict[str, Any] = {
    "heads": 2,
    "groups": 2,
    "tokens": 70,
    "room": 0,
    "starts": [0],
    "size": 16,
    "value": 16,
    "kernel": [3, 5],
    "padding": "both",
    "mix": 0,
    "splits": 3,
    "dtype": "float32",
}


def random(seed: int, *shape: int) -> torch.Tensor:
    """The same for a seed, in float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def error(case: dict[str, Any]) -> float:
    """The largest difference as a share of the largest value; NaN if there is any."""
    case = {**DEFAULT, **case}
    tokens, heads, batch, dtype = case["tokens"], case["heads"], len(case["starts"]), getattr(torch, case["dtype"])
    q = random(1, batch, heads, tokens, case["size"]).to(dtype).double()
    k, v = (
        random(i, batch, case["groups"], tokens, case[n]).to(dtype).double() for i, n in ((2, "size"), (3, "value"))
    )
    kernel = random(4, heads, *case["kernel"]) * 0.5 if case["kernel"] else None
    mix = random(5, heads // case["mix"], case["mix"], case["mix"]) if case["mix"] else None
    starts = torch.tensor(case["starts"])
    documents = (torch.arange(tokens) >= starts[:, None]).long()
    wanted = naive.attention(q, k, v, Kernels(kernel, None, None, mix, case["padding"]), documents)[:, :, -1:]
    absent = (documents == 0)[:, None, :, None]
    q, k, v = (one.masked_fill(absent, torch.nan) for one in (q, k, v))
    halo = kernel.shape[1] - 1 if kernel is not None else 0
    before = q.new_full((batch, heads, max(0, halo + 1 - tokens), case["size"]), torch.nan)
    last = torch.cat((before, q[:, :, max(0, tokens - halo - 1) :]), 2)
    if case["room"]:
        k, v = (torch.nn.functional.pad(one, (0, 0, 0, case["room"] - tokens), value=torch.nan) for one in (k, v))
    found = decode_attention(
        last.to(dtype),
        k.to(dtype),
        v.to(dtype),
        kernel,
        key_padding=case["padding"],
        mix_after=mix,
        starts=starts if any(case["starts"]) else None,
        length=torch.tensor(tokens) if case["room"] else None,
        splits=case["splits"],
    )
    assert found.shape == wanted.shape
    return float((found.double() - wanted).abs().max() / wanted.abs().max())


def main() -> None:
    """All cases of the list, in order."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    for case in json.loads(sys.argv[1]):
        print(json.dumps({"out": error(case)}), flush=True)


if __name__ == "__main__":
    main()

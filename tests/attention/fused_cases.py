"""Fused attention against the oracle in float64: `TRITON_INTERPRET=1 python fused_cases.py JSON`, a list of cases.

Prints a JSON line for each: relative errors of outputs, log-sum-exps and gradients, and whether a second backward
pass gave the same bits. What `torch.empty` gives is filled with NaN, so that nothing unwritten can be read unseen.
Triton decides when it is imported whether it interprets, so this runs in a process of its own.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from mta_eval.attention import naive
from mta_eval.attention.fused import function, fused_attention
from mta_eval.attention.kernels import Kernels

DEFAULT: dict[str, Any] = {
    "heads": 2,
    "groups": 2,
    "tokens": 70,
    "size": 16,
    "value": 16,
    "kernel": [3, 5],
    "padding": "both",
    "past": 0,
    "documents": None,
    "mix": 0,
    "dropout": 0.0,
    "batch": 1,
    "dtype": "float32",
    "workspace": 2**30,
    "rubbish": 0.0,
}


def random(seed: int, *shape: int) -> torch.Tensor:
    """The same for a seed, in float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def far_off(found: torch.Tensor, want: torch.Tensor) -> float:
    """The largest difference as a share of the largest value; NaN if there is any."""
    assert found.shape == want.shape
    found, want = found.detach().double(), want.detach()
    return float((found - want).abs().max() / want.abs().max())


def errors(case: dict[str, Any]) -> dict[str, Any]:
    """What is printed for a case."""
    case = {**DEFAULT, **case}
    function.WORKSPACE, dtype = case["workspace"], getattr(torch, case["dtype"])
    batch, heads, tokens, past = case["batch"], case["heads"], case["tokens"], case["past"]
    leaves = [random(1, batch, heads, tokens, case["size"])]
    leaves += [random(2, batch, case["groups"], tokens, case["size"])]
    leaves += [random(3, batch, case["groups"], tokens, case["value"])]
    if case["dropout"]:  # with unit vectors as values the outputs are the weights
        leaves[2] = torch.eye(tokens, dtype=torch.float64).expand(batch, case["groups"], -1, -1)
    leaves = [leaf.to(dtype).double() for leaf in leaves]
    leaves += [random(4, heads, *case["kernel"]) * 0.5] if case["kernel"] else []
    leaves += [random(5, heads // case["mix"], case["mix"], case["mix"])] if case["mix"] else []
    exact = [leaf.clone().requires_grad_() for leaf in leaves]
    documents = None if case["documents"] is None else torch.tensor(case["documents"])
    if case["rubbish"] and documents is not None:  # in padding, where the oracle has other numbers
        padding = (documents == 0)[:, None, :, None]
        leaves[:3] = [leaf.masked_fill(padding, float(case["rubbish"])) for leaf in leaves[:3]]
    given = [leaf.to(dtype).requires_grad_() for leaf in leaves]

    def ours() -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v, *rest = given
        kernel = rest.pop(0) if case["kernel"] else None
        halo = kernel.shape[1] - 1 if kernel is not None else 0
        history = min(halo, past)
        torch.manual_seed(6)
        found = fused_attention(
            q[:, :, past - history :],
            k,
            v,
            kernel,
            history=history,
            key_padding=case["padding"],
            documents=documents,
            mix_after=rest[0] if rest else None,
            dropout=case["dropout"],
            return_lse=True,
        )
        assert isinstance(found, tuple)
        return found

    out, lse = ours()
    want, want_lse = wanted(case, exact, documents, out)
    into = random(9, *want.shape)
    seen = torch.isfinite(want_lse)
    found = {"out": far_off(out, want), "lse": far_off(lse[seen], want_lse[seen])}
    found["padding"] = float((lse[~seen] != -torch.inf).sum())
    # the log-sum-exps are differentiable too
    want_loss = (want * into).sum() + (want_lse[seen] * 0.3).sum()

    def gradients(out: torch.Tensor, lse: torch.Tensor) -> tuple[torch.Tensor, ...]:
        loss = (out.double() * into).sum() + (lse[seen].double() * 0.3).sum()
        return torch.autograd.grad(loss, given)

    grads, names = gradients(out, lse), ["q", "k", "v", *(["kernel"] if case["kernel"] else []), "mix"]
    pairs = zip(names, grads, torch.autograd.grad(want_loss, exact), strict=False)
    found |= {name: far_off(*pair) for name, *pair in pairs}
    if case.get("twice"):
        found["same"] = all(torch.equal(*pair) for pair in zip(grads, gradients(*ours()), strict=True))
    if case["dropout"]:
        lower = torch.ones(tokens, tokens).tril().bool()
        found["dropped"] = float((out[..., :tokens] == 0)[..., lower].double().mean())
    return found


def wanted(
    case: dict[str, Any], exact: list[torch.Tensor], documents: torch.Tensor | None, out: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and log-sum-exps by the oracle; with dropout of unit vectors, `out` says which weights were kept."""
    q, k, v, *rest = exact
    kernel = rest.pop(0) if case["kernel"] else None
    kernels = Kernels(kernel, mix_after=rest[0] if rest else None, key_padding=case["padding"])
    past = case["past"]
    if case["dropout"]:
        weights = torch.stack([naive.weights(q[row], k[row], kernels) for row in range(len(q))])
        kept = (out.detach() != 0).double()[..., : case["tokens"]]
        values = v.repeat_interleave(q.shape[1] // v.shape[1], 1)
        return (weights * kept / (1 - case["dropout"])) @ values, sums(q, k, kernels, None)
    whole = naive.attention(q, k, v, kernels, documents)
    return whole[:, :, past:], sums(q, k, kernels, documents)[:, :, past:]


def sums(q: torch.Tensor, k: torch.Tensor, kernels: Kernels, documents: torch.Tensor | None) -> torch.Tensor:
    """Log-sum-exps (B, H, T) of the oracle's logits, -inf for padding."""
    batch, heads, tokens, size = q.shape
    if documents is None:
        documents = torch.ones(batch, tokens, dtype=torch.long)
    rows = []
    for row in range(batch):
        line = torch.full((heads, tokens), -torch.inf, dtype=q.dtype)
        for number in sorted(set(documents[row].tolist()) - {0}):
            at = torch.nonzero(documents[row] == number)[:, 0]
            future = torch.ones(len(at), len(at), dtype=torch.bool).triu(1)
            keys = k[row][:, at].repeat_interleave(heads // k.shape[1], 0)
            scores = (q[row][:, at] @ keys.transpose(1, 2) / size**0.5).masked_fill(future, 0)
            if kernels.convolve_before is not None:
                scores = naive.convolve(scores, kernels.convolve_before, kernels.key_padding)
            line = line.index_copy(1, at, scores.masked_fill(future, -torch.inf).logsumexp(-1))
        rows.append(line)
    return torch.stack(rows)


def main() -> None:
    """All cases of the list, in order."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    for case in json.loads(sys.argv[1]):
        print(json.dumps(errors(case)), flush=True)


if __name__ == "__main__":
    main()

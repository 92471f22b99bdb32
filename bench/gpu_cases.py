"""The cases of `gpu.py`'s part "correct": fused attention against its definition in float64, a process each."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import torch

BF16, FP16, FP32 = "bfloat16", "float16", "float32"
BOUNDS = {BF16: 2e-2, FP16: 4e-3, FP32: 2e-5}  # of |actual - exact| / |exact|, over all elements
DEFAULT = {"heads": 4, "groups": 4, "tokens": 1200, "size": 96, "value": 0, "kernel": [6, 11], "padding": "both"}
DEFAULT |= {"past": 0, "documents": False, "mix": 0, "dtype": BF16, "batch": 1, "workspace": 0, "blocks": None}
CASES: dict[str, dict[str, Any]] = {
    "paper's layer, bf16": {},
    "paper's layer, float32": {"dtype": FP32, "tokens": 700},
    "paper's layer, fp16, batch 2": {"dtype": FP16, "tokens": 500, "batch": 2},
    "grouped queries, after a cache, kernel left": {
        "heads": 6,
        "groups": 2,
        "size": 64,
        "kernel": [5, 7],
        "padding": "left",
        "past": 301,
    },
    "documents and left padding": {"documents": True, "batch": 2, "tokens": 600},
    "documents, float32": {"documents": True, "batch": 2, "tokens": 400, "dtype": FP32},
    "mixed after softmax (v1)": {"mix": 2, "tokens": 700},
    "letter blocks' layer": {"heads": 2, "groups": 2, "size": 128, "kernel": [2, 9], "tokens": 321, "batch": 8},
    "largest head and kernel": {"heads": 2, "groups": 1, "size": 256, "kernel": [8, 15], "tokens": 500},
    "kernel right, odd sizes": {"heads": 2, "groups": 2, "size": 80, "value": 48, "kernel": [4, 4], "padding": "right"},
    "no kernel": {"kernel": None, "tokens": 500},
    "several stripes": {"workspace": 2**21, "tokens": 1100, "heads": 2, "groups": 2},
    "a step": {"step": True, "room": 1500},
    "a step, grouped queries, left padding, kernel left": {
        "step": True,
        "heads": 8,
        "groups": 2,
        "size": 64,
        "kernel": [5, 7],
        "padding": "left",
        "starts": [0, 333],
        "batch": 2,
    },
    "a step, mixed after softmax (v1)": {"step": True, "mix": 2, "tokens": 700},
    "a step, largest head and kernel": {"step": True, "heads": 2, "groups": 1, "size": 256, "kernel": [8, 15]},
    "a step, float32": {"step": True, "dtype": FP32, "starts": [17], "room": 1300},
    "row tiles of the second version": {"tiles": "v2", "tokens": 700, "groups": 2, "dtype": FP32},
    "row tiles of talking heads": {"tiles": "talking", "tokens": 700, "dtype": FP32},
    "dropout": {"dropout": 0.25, "tokens": 256, "heads": 2, "groups": 2, "size": 64, "value": 256, "dtype": FP32},
}
SMOKE = {"tokens": 40, "size": 16, "past": 0, "batch": 1}


def inputs(task: dict[str, Any], device: str) -> tuple[list[torch.Tensor], dict[str, Any]]:
    """q, k, v, kernel and mixing of a task in float64, rounded to its dtype, and the options of `fused_attention`."""
    task = {**DEFAULT, **task}
    draw = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=draw)

    batch, heads, tokens, size = task["batch"], task["heads"], task["tokens"], task["size"]
    tensors = [random(batch, heads, tokens, size)]
    tensors += [random(batch, task["groups"], tokens, width) for width in (size, task["value"] or size)]
    tensors = [tensor.to(getattr(torch, task["dtype"])).double() for tensor in tensors]
    if task["kernel"]:
        kernel = random(heads, *task["kernel"]) * 0.2
        kernel[:, -1, task["kernel"][1] // 2] += 1
        tensors.append(kernel)
    if task["mix"]:
        tensors.append(torch.eye(task["mix"]).double() + 0.2 * random(heads // task["mix"], task["mix"], task["mix"]))
    documents = None
    if task["documents"]:
        documents = torch.arange(tokens).expand(batch, -1) // (tokens // 3 + 1) + 1
        documents = documents.clone()
        documents[-1, : tokens // 10] = 0
        documents[-1, tokens // 10 :] = 1
        documents = documents.to(device)
    options = {"key_padding": task["padding"], "documents": documents, "past": task["past"]}
    return [tensor.to(device) for tensor in tensors], options


def fused(task: dict[str, Any], tensors: list[torch.Tensor], options: dict[str, Any]) -> torch.Tensor:
    """The outputs of fused attention, differentiable in `tensors`."""
    from mta_eval.attention.fused import fused_attention
    from mta_eval.attention.fused.configurations import Blocks, Configuration

    task = {**DEFAULT, **task}
    q, k, v, *rest = tensors
    kernel = rest.pop(0) if task["kernel"] else None
    history = min((kernel.shape[1] if kernel is not None else 1) - 1, options["past"])
    configuration = None
    if task["blocks"]:
        configuration = Configuration(*(Blocks(*one) for one in task["blocks"]))
    found = fused_attention(
        q[:, :, options["past"] - history :],
        k,
        v,
        kernel,
        history=history,
        key_padding=options["key_padding"],
        documents=options["documents"],
        mix_after=rest[0] if rest else None,
        dropout=task.get("dropout", 0.0),
        configuration=configuration,
    )
    assert isinstance(found, torch.Tensor)
    return found


def expected(task: dict[str, Any], tensors: list[torch.Tensor], options: dict[str, Any]) -> torch.Tensor:
    """The same by the definition: the oracle's equations, on the CPU for documents, else on one matrix."""
    from mta_eval.attention import naive
    from mta_eval.attention.kernels import Kernels
    from mta_eval.attention.tiles import full_matrix_attention

    task = {**DEFAULT, **task}
    q, k, v, *rest = tensors
    kernel = rest.pop(0) if task["kernel"] else None
    kernels = Kernels(kernel, mix_after=rest[0] if rest else None, key_padding=options["key_padding"])
    if options["documents"] is not None or kernel is None:
        parts = [None if one is None else one.cpu() for one in (q, k, v)]
        kernels = kernels.replaced([None if one is None else one.cpu() for one in kernels[:4]])
        documents = None if options["documents"] is None else options["documents"].cpu()
        return naive.attention(*parts, kernels, documents).to(q.device)[:, :, options["past"] :]
    history = min(kernels.halo, options["past"])
    return full_matrix_attention(q[:, :, options["past"] - history :], k, v, kernels, history)


def errors(task: dict[str, Any], device: str) -> dict[str, float]:
    """Relative errors of outputs and gradients; every buffer that could be read is filled with NaN before."""
    from mta_eval.attention.fused import function

    if task.get("workspace"):
        function.WORKSPACE = task["workspace"]
    tensors, options = inputs(task, device)
    dtype = getattr(torch, {**DEFAULT, **task}["dtype"])
    exact = [tensor.requires_grad_() for tensor in tensors]
    given = [tensor.detach().to(dtype if index < 3 else torch.float32) for index, tensor in enumerate(tensors)]
    given = [tensor.requires_grad_() for tensor in given]
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True, warn_only=True)  # fills what `empty` gives with NaN
    if task.get("dropout"):
        return dropout_errors(task, given, options)
    if task.get("step"):
        return step_errors(task, [one.detach() for one in given], [one.detach() for one in exact], options)
    if task.get("tiles"):
        return tile_errors(task, given[:4], exact[:4])
    exact_out, out = expected(task, exact, options), fused(task, given, options)
    out_grad = torch.randn(exact_out.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).to(device)
    out_grad = out_grad.to(dtype).double()
    names = ["out", "q", "k", "v", "kernel", "mix"]
    if not {**DEFAULT, **task}["kernel"]:
        names.remove("kernel")
    pairs = [(out, exact_out)]
    pairs += zip(
        torch.autograd.grad(out, given, out_grad.to(out.dtype)),
        torch.autograd.grad(exact_out, exact, out_grad),
        strict=True,
    )
    found = {name: relative_error(*pair) for name, pair in zip(names, pairs, strict=False)}
    again = torch.autograd.grad(fused(task, given, options), given, out_grad.to(out.dtype))
    found["same again"] = float(all(torch.equal(one, pair[0]) for one, pair in zip(again, pairs[1:], strict=True)))
    return found


def dropout_errors(task: dict[str, Any], given: list[torch.Tensor], options: dict[str, Any]) -> dict[str, float]:
    """With unit vectors as values the outputs are the weights: those that are left, and the gradients of just those."""
    from mta_eval.attention import naive
    from mta_eval.attention.kernels import Kernels

    q, k, v, kernel = given
    tokens, rate = q.shape[2], task["dropout"]
    unit = torch.eye(tokens, v.shape[3], device=q.device).expand_as(v).contiguous().requires_grad_()
    torch.manual_seed(3)
    out = fused(task, [q, k, unit, kernel], options)
    kept = (out != 0).double().cpu()
    exact = [tensor.detach().double().cpu().requires_grad_() for tensor in (q, k, unit, kernel)]
    weights = naive.weights(exact[0][0], exact[1][0], Kernels(exact[3]))
    exact_out = (weights * kept[0] / (1 - rate)) @ exact[2][0]
    out_grad = torch.randn(exact_out.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    grads = torch.autograd.grad(out, [q, k, unit, kernel], out_grad[None].to(out))
    exact_grads = torch.autograd.grad(exact_out, exact, out_grad)
    found = {"out": relative_error(out[0].cpu(), exact_out)}
    found |= {
        n: relative_error(g.cpu(), w) for n, g, w in zip(("q", "k", "v", "kernel"), grads, exact_grads, strict=True)
    }
    half = tokens * (tokens + 1) // 2
    found["share dropped"] = 1 - float(kept.sum()) / (kept.shape[1] * half)
    return found


def step_errors(
    task: dict[str, Any], given: list[torch.Tensor], exact: list[torch.Tensor], options: dict[str, Any]
) -> dict[str, float]:
    """One token after the others, in a cache of `room` places whose others are NaN, its length on the device."""
    from mta_eval.attention.fused import decode_attention

    task = {**DEFAULT, **task}
    first = [min(start, task["tokens"] // 2) for start in task.get("starts", [0] * task["batch"])]
    starts = torch.tensor(first[-task["batch"] :], device=given[0].device)
    documents = (torch.arange(task["tokens"], device=starts.device) >= starts[:, None]).long()
    wanted = expected(task, exact, {**options, "documents": documents})[:, :, -1:]
    absent = (documents == 0)[:, None, :, None]
    q, k, v = (one.masked_fill(absent, torch.nan) for one in given[:3])
    kernel, rest = given[3], given[4:]
    if room := task.get("room", 0):
        k, v = (torch.nn.functional.pad(one, (0, 0, 0, room - task["tokens"]), value=torch.nan) for one in (k, v))
    found = decode_attention(
        q[:, :, -kernel.shape[1] :],
        k,
        v,
        kernel,
        key_padding=options["key_padding"],
        mix_after=rest[0] if rest else None,
        starts=starts if bool(starts.any()) else None,
        length=torch.tensor(task["tokens"], device=starts.device) if room else None,
    )
    return {"out": relative_error(found, wanted)}


def tile_errors(task: dict[str, Any], given: list[torch.Tensor], exact: list[torch.Tensor]) -> dict[str, float]:
    """Row tiles of a layer that mixes before softmax, outputs and gradients, against the rule in float64."""
    from gpu_parts import kernels_of

    from mta_eval.attention.tiles import full_matrix_attention, multi_token_attention

    torch.manual_seed(4)
    kernels = kernels_of(task["tiles"], exact[3].detach()).to(torch.float64)
    exact_out = full_matrix_attention(*exact[:3], kernels)
    out = multi_token_attention(*given[:3], kernels.to(given[0].dtype))
    out_grad = torch.randn(exact_out.shape, dtype=torch.float64, device=out.device)
    grads = torch.autograd.grad(out, given[:3], out_grad.to(out.dtype))
    exact_grads = torch.autograd.grad(exact_out, exact[:3], out_grad)
    found = {"out": relative_error(out, exact_out)}
    return found | {n: relative_error(*pair) for n, *pair in zip("qkv", grads, exact_grads, strict=True)}


def relative_error(actual: torch.Tensor, exact: torch.Tensor) -> float:
    """|actual - exact| / |exact| over all elements; NaN stays NaN."""
    return float((actual.detach().double() - exact.detach()).norm() / exact.detach().norm().clamp(min=1e-30))


def main() -> None:
    """One task, JSON in and out; with "warm" the case is only compiled and run once."""
    task = json.loads(sys.argv[1])
    device = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
    if device == "cpu":
        torch.set_num_threads(1)
    if task.pop("warm", False):
        tensors, options = inputs(task, device)
        given = [one.to(getattr(torch, {**DEFAULT, **task}["dtype"])).requires_grad_() for one in tensors]
        fused(task, given, options).float().sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        print(json.dumps({"warm": True}))
        return
    print(json.dumps(errors(task, device)))


if __name__ == "__main__":
    main()

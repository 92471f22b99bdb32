"""Time and memory of multi-token attention: the definition, ours, plain attention; one run, the same inputs.

    python bench/attention.py [--lengths 1k,2k,4k,8k,16k,32k] [--heads 4] [--size 64] [--kernel 6x11]
                              [--device cpu|cuda] [--dtype float32|bfloat16] [--backward] [--decode-length 4k]

Every measurement runs in a process of its own, so that its peak memory is its own.

before   key-query kernels before softmax          (a convolution alone: the paper's equation 5)
v1       the same, and pairs of heads mixed after  (first version of the paper)
v2       kernels before and after softmax, all heads mixed before and after  (second version)

definition  conv2d, softmax and matmul on the whole matrix, as the equations stand (written here, from them)
ours        mta_eval.attention.paths on row tiles; "ours, auto" on fused kernels where they have a form (CUDA only)
sdpa        torch's scaled_dot_product_attention: plain causal attention
extra       peak memory over what the inputs take: resident set on a CPU, allocated on a GPU
needs       on a row that did not run: the T x S tensors that the definition has to hold at once
decode      one more token after `--decode-length`: the attention alone, and the step of a model of SmolLM2's shape
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import typer
from measuring import peak, run_in_process
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from starting import Dtype, parse_choices, parse_kernel, start
from torch.nn import functional as F

from mta_eval.arguments import parse_length, parse_lengths
from mta_eval.attention.documents import Tokens
from mta_eval.attention.kernels import Kernels
from mta_eval.attention.paths import attend
from mta_eval.models.devices import choose_device

SEED = 0
REPEATS = 3  # after a first run, which warms up
MOST_SECONDS = 10  # of one measurement: no further repeat after them
LAYERS = ("before", "v1", "v2")
MATRICES = {"before": 4, "v1": 4, "v2": 5}  # T x S tensors of all heads that the definition holds at once
SMOLLM2 = {"hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3}


def kernels_of(layer: str, heads: int, sizes: tuple[int, int], **where: Any) -> Kernels:
    """Random kernels near the identity."""
    convolution = torch.randn(heads, *sizes, **where) * 0.1
    convolution[:, -1, (sizes[1] - 1) // 2] += 1
    mixing = {size: torch.eye(size, **where).repeat(heads // size, 1, 1) for size in (2, heads)}
    mixing = {size: kernel + 0.1 * torch.randn_like(kernel) for size, kernel in mixing.items()}
    if layer == "before":
        return Kernels(convolution)
    if layer == "v1":
        return Kernels(convolution, None, None, mixing[2])
    return Kernels(convolution, mixing[heads], convolution.flip(0), mixing[heads])


def attention_by_definition(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernels: Kernels) -> torch.Tensor:
    """Equations 5 to 7 on the whole matrix, with torch's own operations."""
    heads, length = q.shape[1], q.shape[2]
    future = torch.ones(length, length, dtype=torch.bool, device=q.device).triu(1)

    def convolve(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        side = (kernel.shape[2] - 1) // 2
        return F.conv2d(F.pad(scores, (side, side, kernel.shape[1] - 1, 0)), kernel[:, None], groups=heads)

    def mix(scores: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        groups, size, _ = kernel.shape
        grouped = scores.view(scores.shape[0], groups, size, length, length)
        return torch.einsum("nhg,bngts->bnhts", kernel, grouped).reshape(scores.shape)

    scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).masked_fill(future, 0)
    if kernels.convolve_before is not None:
        scores = convolve(scores, kernels.convolve_before)
    if kernels.mix_before is not None:
        scores = mix(scores, kernels.mix_before)
    weights = torch.softmax(scores.masked_fill(future, -math.inf), -1)
    if kernels.convolve_after is not None:
        weights = convolve(weights, kernels.convolve_after).masked_fill(future, 0)
    if kernels.mix_after is not None:
        weights = mix(weights, kernels.mix_after)
    return weights @ v


def attention_of(how: str, layer: str, heads: int, sizes: tuple[int, int], **where: Any) -> Callable[..., torch.Tensor]:
    """q, k, v -> outputs."""
    if how == "sdpa":
        return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    kernels = kernels_of(layer, heads, sizes, **where)
    if how == "definition":
        return lambda q, k, v: attention_by_definition(q, k, v, kernels)
    path: Any = "auto" if how == "ours, auto" else "tiles"
    return lambda q, k, v: attend(q, k, v, kernels, Tokens(q.shape[2], k.shape[2]), path=path)


def measure(task: dict[str, Any]) -> dict[str, float]:
    """The seconds of the quickest run, and extra bytes at the peak; `sum` is there to compare outputs."""
    where = {"device": task["device"], "dtype": getattr(torch, task["dtype"])}
    torch.manual_seed(SEED)
    shape = (1, task["heads"], task["length"], task["size"])
    q, k, v = (torch.randn(shape, **where).requires_grad_(task["backward"]) for _ in range(3))
    run = attention_of(task["how"], task["layer"], task["heads"], tuple(task["kernel"]), **where)
    before, seconds = peak(task["device"]), []
    while len(seconds) < 2 or (len(seconds) < 1 + REPEATS and sum(seconds) < MOST_SECONDS):
        began = perf_counter()
        with torch.set_grad_enabled(task["backward"]):
            out = run(q, k, v)
            if task["backward"]:
                out.float().pow(2).sum().backward()
        if task["device"] == "cuda":
            torch.cuda.synchronize()
        seconds.append(perf_counter() - began)
    total = float(out.detach().double().abs().sum())
    return {"seconds": min(seconds), "extra": peak(task["device"]) - before, "sum": total}


def decode(task: dict[str, Any]) -> dict[str, float]:
    """The seconds of the quickest run for one more token: the attention alone, and a whole model of SmolLM2's shape."""
    from mta_eval.attention.configuration import MTAConfig
    from mta_eval.attention.decoder import MTAForCausalLM

    where = {"device": task["device"], "dtype": getattr(torch, task["dtype"])}
    torch.manual_seed(SEED)
    length, heads = task["length"], task["heads"]
    q, k, v = (torch.randn(1, heads, length, task["size"], **where) for _ in range(3))
    kernels = Kernels() if task["how"] == "sdpa" else kernels_of(task["layer"], heads, tuple(task["kernel"]), **where)
    kept = q[:, :, -1 - kernels.halo : -1]
    alone = best(lambda: attend(q[:, :, -1:], k, v, kernels, Tokens(1, length), kept), task["device"])
    options: dict[str, Any] = {"attention": "transformer"}
    if task["how"] != "sdpa":
        options = {"attention": "mta", "convolution_layers": list(range(2, 30, 4))}
        options |= {"norm": "none", "gate": "none"} if task["layer"] == "before" else {}
        if task["layer"] != "v2":
            options |= {"query_kernel_after": 0, "key_kernel_after": 0, "head_kernel_before": 0}
            options |= {"head_kernel_after": 0 if task["layer"] == "before" else 3}
    config = MTAConfig(
        **SMOLLM2, num_hidden_layers=30, vocab_size=49152, max_position_embeddings=length + 64, **options
    )
    model = MTAForCausalLM(config).to(**where).eval()
    cache = model(torch.zeros(1, length, dtype=torch.long, device=task["device"]), logits_to_keep=1).past_key_values
    token = torch.zeros(1, 1, dtype=torch.long, device=task["device"])
    step = best(lambda: model(token, past_key_values=cache), task["device"])
    return {"alone": alone, "step": step}


def best(run: Callable[[], Any], device: str, repeats: int = 20) -> float:
    """Seconds of the quickest run."""
    seconds = []
    for _ in range(repeats):
        began = perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(perf_counter() - began)
    return min(seconds)


def free_memory(device: str) -> float:
    """Bytes of memory that are free."""
    if device == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    lines = Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else []
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    return float(free[0]) if free else math.inf


def main(
    lengths: Annotated[str, typer.Option()] = "1k,2k,4k,8k,16k,32k",
    heads: Annotated[int, typer.Option(min=1)] = 4,
    size: Annotated[int, typer.Option(help="Of a head.", min=1)] = 64,
    kernel: Annotated[str, typer.Option(help="Queries x keys.")] = "6x11",
    device: Annotated[str, typer.Option()] = "cpu",
    dtype: Annotated[Dtype, typer.Option()] = "float32",
    layers: Annotated[str, typer.Option(help="Of: before, v1, v2.")] = ",".join(LAYERS),
    backward: Annotated[bool, typer.Option("--backward", help="Forward and backward.")] = False,
    decode_length: Annotated[str, typer.Option(help="0 leaves decoding out.")] = "4k",
    one: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure and print."""
    if one:
        task = json.loads(one)
        with torch.set_grad_enabled(task["backward"]):
            print(json.dumps(decode(task) if task["decode"] else measure(task)))
        return
    sizes, wanted, device = parse_kernel(kernel), parse_choices(layers, LAYERS, "--layers"), choose_device(device)
    decoded, sizes_in_tokens = parse_length(decode_length), parse_lengths(lengths)
    fixed = {"heads": heads, "size": size, "kernel": sizes, "device": device, "dtype": dtype, "backward": backward}
    console = Console(width=110)
    console.print(f"H={heads} D={size} {kernel} {dtype} on {device}, torch {torch.__version__}, ", end="")
    console.print(f"{torch.get_num_threads()} threads, {'forward and backward' if backward else 'forward'}")
    bytes_each = torch.empty(0, dtype=getattr(torch, dtype)).element_size()
    for layer in wanted:
        table = Table(title=f"{layer}", title_justify="left", box=SIMPLE)
        for heading in ("length", "how", "seconds", "× sdpa", "× definition", "extra MiB"):
            table.add_column(heading, justify="left" if heading == "how" else "right", no_wrap=True)
        for length in sizes_in_tokens:
            found: dict[str, dict[str, float] | None] = {}
            needs = MATRICES[layer] * heads * length**2 * bytes_each * (2 if backward else 1)
            for how in ("sdpa", "definition", "ours", *(["ours, auto"] if device == "cuda" else [])):
                task = {**fixed, "layer": layer, "length": length, "how": how, "decode": False}
                found[how] = (
                    None
                    if how == "definition" and needs > 0.7 * free_memory(device)
                    else run_in_process(__file__, task)
                )
            for how, numbers in found.items():
                table.add_row(f"{length:,}", how, *cells(how, numbers, found, needs))
        console.print(table)
    if decoded:
        console.print(decoding(fixed, decoded, wanted))


def cells(how: str, numbers: dict[str, float] | None, numbers_of: dict[str, Any], needs: float) -> list[str]:
    """The figures of one row."""
    if numbers is None:
        return ["did not run", "", "", f"needs {needs / 2**20:,.0f}" if how == "definition" else ""]
    times = [f"{numbers['seconds'] / other['seconds']:.2f}" if other else "" for other in map(numbers_of.get, RATIOS)]
    return [f"{numbers['seconds']:.3f}", *times, f"{numbers['extra'] / 2**20:,.0f}"]


RATIOS = ("sdpa", "definition")


def decoding(fixed: dict[str, Any], length: int, layers: list[str]) -> Table:
    """The table of decoding."""
    table = Table(title=f"decode one token after {length:,}", title_justify="left", box=SIMPLE)
    for heading in ("layer", "attention ms", "× plain", "model step ms", "× plain"):
        table.add_column(heading, justify="left" if heading == "layer" else "right", no_wrap=True)
    task = {**fixed, "length": length, "backward": False, "decode": True}
    plain = run_in_process(__file__, {**task, "layer": "before", "how": "sdpa"})
    assert plain is not None
    table.add_row("plain", f"{plain['alone'] * 1e3:.2f}", "1", f"{plain['step'] * 1e3:.1f}", "1")
    for layer in layers:
        ours = run_in_process(__file__, {**task, "layer": layer, "how": "ours"})
        assert ours is not None
        table.add_row(
            layer,
            f"{ours['alone'] * 1e3:.2f}",
            f"{ours['alone'] / plain['alone']:.2f}",
            f"{ours['step'] * 1e3:.1f}",
            f"{ours['step'] / plain['step']:.2f}",
        )
    return table


if __name__ == "__main__":
    start(main)

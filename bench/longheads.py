"""Time and memory of LongHeads' prompt phase against the length, beside full attention; one run, the same inputs.

    python bench/longheads.py [--lengths 8k,16k,32k,64k] [--heads 9] [--groups 3] [--size 64] [--window 256]
                              [--attention-length 2048] [--device cpu|cuda] [--dtype float32|bfloat16]

One layer of SmolLM2's shape, its q, k and v given: what the layer does between its projections.

ours        the vectors of all chunks, and attention to those that each token chooses (context_extension.chunks)
sdpa        torch's scaled_dot_product_attention, causal, with RoPE before it
extra       peak memory over what the inputs take
exponent    of growth: the slope of log seconds (or log bytes) over log length, by least squares over all lengths
"""

from __future__ import annotations

import json
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from measuring import peak, run_in_process
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from starting import Dtype, start
from torch.nn import functional as F

from mta_eval.arguments import parse_lengths
from mta_eval.errors import SpecError
from mta_eval.models.context_extension.chunks import Chunking, Rotation, chunk_vectors, longheads_attention
from mta_eval.models.devices import choose_device

REPEATS, MOST_SECONDS = 3, 20  # runs after a first one, as long as they take less than so many seconds


def measure(task: dict[str, Any]) -> dict[str, float]:
    """The seconds of the quickest run, and extra bytes at the peak."""
    torch.manual_seed(0)
    length, size = task["length"], task["size"]
    where: dict[str, Any] = {"device": task["device"], "dtype": getattr(torch, task["dtype"])}
    q, k, v = (
        torch.randn(1, count, length, size, **where) for count in (task["heads"], task["groups"], task["groups"])
    )
    angles = torch.arange(length, device=task["device"])[:, None] / 10_000 ** (
        torch.arange(0, size, 2, device=task["device"]) / size
    )
    angles = torch.cat((angles, angles), -1)
    rotation, positions = Rotation(angles.cos(), angles.sin()), torch.arange(length, device=task["device"])
    chunking = Chunking(task["window"], task["attention_length"], task["attention_length"])

    def ours() -> torch.Tensor:
        chunked_length = length // chunking.window * chunking.window
        vectors = chunk_vectors(
            q[:, :, :chunked_length], k[:, :, :chunked_length], v[:, :, :chunked_length], rotation, chunking.window
        )
        return longheads_attention(q, k, v, vectors, rotation, chunking)

    def sdpa() -> torch.Tensor:
        return F.scaled_dot_product_attention(
            rotation(q, positions),
            rotation(k, positions),
            v,
            is_causal=True,
            enable_gqa=task["heads"] != task["groups"],
        )

    run, before, seconds = {"ours": ours, "sdpa": sdpa}[task["how"]], peak(task["device"]), []
    while len(seconds) < 2 or (len(seconds) < 1 + REPEATS and sum(seconds) < MOST_SECONDS):
        began = perf_counter()
        with torch.inference_mode():
            run()
        if task["device"] == "cuda":
            torch.cuda.synchronize()
        seconds.append(perf_counter() - began)
    return {"seconds": min(seconds), "extra": peak(task["device"]) - before}


def main(
    lengths: Annotated[str, typer.Option()] = "8k,16k,32k,64k",
    heads: Annotated[int, typer.Option(min=1)] = 9,
    groups: Annotated[int, typer.Option(help="Heads of keys and values.", min=1)] = 3,
    size: Annotated[int, typer.Option(help="Of a head.", min=1)] = 64,
    window: Annotated[int, typer.Option(min=1)] = 256,
    attention_length: Annotated[int, typer.Option(min=1)] = 2048,
    device: Annotated[str, typer.Option()] = "cpu",
    dtype: Annotated[Dtype, typer.Option()] = "float32",
    one: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure and print."""
    if one:
        print(json.dumps(measure(json.loads(one))))
        return
    if heads % groups:
        raise SpecError(f"--groups {groups} does not divide the {heads} heads")
    wanted, device = parse_lengths(lengths), choose_device(device)
    fixed = {"heads": heads, "groups": groups, "size": size, "device": device, "dtype": dtype}
    fixed |= {"window": window, "attention_length": attention_length}
    console = Console(width=100)
    console.print(
        f"{heads} heads, {groups} of keys, D={size}, chunks of {window}, {attention_length} attended, ", end=""
    )
    console.print(f"{dtype} on {device}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    table = Table(box=SIMPLE)
    for heading in ("length", "sdpa s", "ours s", "ours / sdpa", "sdpa MiB", "ours MiB"):
        table.add_column(heading, justify="right")
    found: dict[str, list[tuple[int, dict[str, float]]]] = {"sdpa": [], "ours": []}
    for length in wanted:
        for how, numbers in found.items():
            measured = run_in_process(__file__, {**fixed, "length": length, "how": how})
            if measured:
                numbers.append((length, measured))
        cells = {how: dict(numbers).get(length) for how, numbers in found.items()}
        seconds = [f"{one['seconds']:.2f}" if one else "no memory" for one in cells.values()]
        extra = [f"{one['extra'] / 2**20:,.0f}" if one else "" for one in cells.values()]
        ratio = f"{cells['ours']['seconds'] / cells['sdpa']['seconds']:.2f}" if all(cells.values()) else ""  # type: ignore[index]
        table.add_row(f"{length:,}", *seconds, ratio, *extra)
    console.print(table)
    for how, numbers in found.items():
        for what in ("seconds", "extra"):
            slope = np.polyfit(*np.log([(length, measured[what]) for length, measured in numbers]).T, 1)[0]
            console.print(f"{how}: {what} grow with the length to the power of {slope:.2f}")


if __name__ == "__main__":
    start(main)

"""What only a card can say of the fused kernels and of training, in one process tree and a few minutes.

    python bench/gpu.py --out gpu.json [--minutes 8] [--parts correct,tune,table,decode,models,train,paper] [--smoke]

Needs torch, Triton, transformers and a CUDA device, nothing else; with `--smoke` every part runs at tiny sizes on a
CPU, where Triton interprets the kernels, and its times mean nothing.

correct  every path against float64: forward, gradients, history, documents, grouped queries, mixing, dropout, dtypes,
         the step of one token, row tiles of layers that mix heads before softmax
tune     block sizes of each kernel, at 4K and 16K tokens of the paper's layer (16 heads of 96, 6 x 11, bf16)
table    time and peak memory: definition, tiles, fused, plain attention; forward, and forward with backward
decode   one more token after a context: attention alone, in a graph and outside of one; blocks and splits of the step
models   whole models on the card against the CPU: decoding with every cache, steps in a graph, LongHeads
train    steps a second of both letter-block trainings: the loop of `mta-eval train`, and the step in a CUDA graph
paper    as many steps of the paper's preset as the time allows, with held-out errors

Each part is a process of its own with a time limit, and each group of cases too, so that one that fails or hangs costs
its own figures only. The JSON is written after every part; a Markdown table is printed at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from starting import parse_choices, start

HERE = Path(__file__).parent
SHARES = {  # of the time, in the order in which parts run; what one leaves goes to the others
    "correct": 0.20,
    "tune": 0.12,
    "table": 0.24,
    "decode": 0.09,
    "models": 0.07,
    "train": 0.14,
    "paper": 0.14,
}


def main(
    out: Annotated[Path, typer.Option(help="The JSON file.")] = Path("gpu.json"),
    minutes: Annotated[float, typer.Option(help="For all parts together.", min=0.01)] = 8.0,
    parts: Annotated[str, typer.Option(help="Some of them, by commas.")] = ",".join(SHARES),
    smoke: Annotated[bool, typer.Option("--smoke", help="Tiny sizes, on a CPU.")] = False,
    only: Annotated[str, typer.Option(hidden=True)] = "",
    seconds: Annotated[float, typer.Option(hidden=True)] = 0.0,
) -> None:
    """Run the parts and print their table."""
    if smoke:
        os.environ["TRITON_INTERPRET"] = "1"
    if only:
        import gpu_parts

        gpu_parts.run(only, out, time.monotonic() + seconds, smoke)
        return
    began, wanted = time.monotonic(), parse_choices(parts, SHARES, "--parts")
    found: dict[str, Any] = {"seconds": {}}
    with tempfile.TemporaryDirectory() as folder:
        for index, part in enumerate(wanted):
            left = minutes * 60 - (time.monotonic() - began)
            share = left * SHARES[part] / sum(SHARES[later] for later in wanted[index:])
            part_began = time.monotonic()
            found[part] = run_part(part, Path(folder) / f"{part}.json", share, smoke)
            found["seconds"][part] = round(time.monotonic() - part_began, 1)
            print(f"[{time.monotonic() - began:.0f} s] {part}: {json.dumps(found[part])[:600]}", flush=True)
            write(out, found)
    import gpu_report

    print(gpu_report.markdown(found))


def run_part(part: str, out: Path, seconds: float, smoke: bool) -> Any:
    """What a part wrote before it ended, by itself or by its limit; an error goes beside it."""
    command = [sys.executable, __file__, "--only", part, "--out", str(out), "--seconds", f"{seconds:.0f}"]
    error = ""
    try:
        done = subprocess.run(
            [*command, *(["--smoke"] if smoke else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds + 10,
            check=False,
        )
        if done.returncode:
            error = done.stdout[-3000:]
    except subprocess.TimeoutExpired as stopped:
        error = f"stopped after {seconds + 10:.0f} s; {str(stopped.output or '')[-1000:]}"
    results = json.loads(out.read_text()) if out.exists() else {}
    return {**results, "error": error} if error else results


def write(path: Path, results: dict[str, Any]) -> None:
    """All of it at once, so that what is there can always be read."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(results, indent=1))
    unfinished.replace(path)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    start(main)

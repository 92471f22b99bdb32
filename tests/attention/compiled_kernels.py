"""Compile every kernel of a configuration for a card that need not be there: `python compiled_kernels.py JSON`.

A task has fields of Geometry; with "decoding" those of DecodingSizes but its blocks. Prints one JSON line a kernel: its
name, shared memory in bytes, spilled bytes and registers as the assembler says.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from mta_eval.attention.fused import decoding, forward, gradients, preparation, transposes
from mta_eval.attention.fused.configurations import Blocks, configuration
from mta_eval.attention.fused.decoding_sizes import DecodingSizes, decoding_blocks
from mta_eval.attention.fused.geometry import Geometry

TYPES = {4: "fp32", 2: "bf16"}
SINGLES = {"kernel", "band", "lse", "lse_grad", "delta", "band_grad", "total", "scores", "scores_grad", "kernel_grad"}
SINGLES |= {"partial", "mix"}
FLOATS = {"factor", "scale", "dropout"}
WHOLE = {"starts", "seed", "length"}


def signature_of(kernel: Any, constants: dict[str, Any], item: int) -> tuple[dict[str, str], dict[Any, Any]]:
    """The types of a kernel's arguments, and which of them are multiples of 16."""
    pointers = {"q", "k", "v", "wide", "out", "grad", "weights", "logits_grad", "left", "right", "q_grad", "k_grad"}
    signature, multiples = {}, {}
    for index, name in enumerate(kernel.arg_names):
        if name in constants:
            signature[name] = "constexpr"
        elif name in SINGLES or name == "wide_grad":
            signature[name] = "*fp32"
        elif name in WHOLE:
            signature[name] = "*i64" if name in ("seed", "length") else "*i32"
        elif name in pointers:
            signature[name] = f"*{TYPES[item]}"
        else:
            signature[name] = "fp32" if name in FLOATS else "i32"
        if signature[name].startswith("*") or name == "stripe" or name.startswith("stride_"):
            multiples[(index,)] = [["tt.divisibility", 16]]
    return signature, multiples


def compile_for(
    kernel: Any, constants: dict[str, Any], blocks: Blocks | None, item: int, capability: int
) -> dict[str, Any]:
    """What the compiler says of one kernel."""
    signature, multiples = signature_of(kernel, constants, item)
    options = {"num_warps": 4} if blocks is None else {"num_warps": blocks.warps, "num_stages": blocks.stages}
    source = ASTSource(kernel, signature, {(kernel.arg_names.index(n),): c for n, c in constants.items()}, multiples)
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    return {"kernel": kernel.__name__, "shared": made.metadata.shared, **usage(made.asm["cubin"])}


def usage(cubin: bytes) -> dict[str, int]:
    """Registers and bytes on the stack (where spills go) of a compiled kernel."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        said = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    return {name.lower(): int(re.findall(rf"{name}:(\d+)", said)[-1]) for name in ("REG", "STACK")}


def kernels_of(sizes: Geometry, memory: int) -> list[tuple[Any, dict[str, Any], Blocks | None]]:
    """All kernels that a forward and backward pass launch, with their constants."""
    blocks = configuration(sizes.item, sizes.size, sizes.value, memory)
    value = {"VALUE": sizes.value, "VALUE_BLOCK": max(16, 1 << (sizes.value - 1).bit_length()), "BLOCK": 64}
    linear = Blocks(0, 0, transposes.WARPS, 3)
    return [
        (preparation.prepare_kernel, preparation.prepare_constants(sizes), None),
        (forward.attend_kernel, forward.attend_constants(sizes, blocks.attend), blocks.attend),
        (gradients.delta_kernel, value, None),
        (gradients.weigh_kernel, gradients.weigh_constants(sizes, blocks.weigh), blocks.weigh),
        (gradients.query_kernel, gradients.query_constants(sizes, blocks.query, True), blocks.query),
        (gradients.column_kernel, gradients.column_constants(sizes, blocks.column, sizes.wide), blocks.column),
        (transposes.band_kernel, transposes.band_constants(sizes, blocks.tokens), linear),
        (transposes.key_kernel, transposes.key_constants(sizes, blocks.tokens), linear),
    ]


def step_kernels(task: dict[str, Any]) -> list[tuple[Any, dict[str, Any], Blocks | None]]:
    """The two kernels of a step of one token, of padded rows with their length on the device."""
    shared = task["heads"] // task["groups"]
    blocks = decoding_blocks(task["item"], task["size"], max(1, task["mixed"] // shared) * task["value"], shared)
    sizes = DecodingSizes(**task, blocks=blocks)
    launched = Blocks(0, 0, blocks.warps, blocks.stages)
    return [
        (decoding.decode_kernel, decoding.decode_constants(sizes, True, True), launched),
        (decoding.reduce_kernel, decoding.reduce_constants(sizes), None),
    ]


def main() -> None:
    """Reads a list of {"capability", "memory", "only": names, "decoding", and fields of the sizes}."""
    for task in json.loads(sys.argv[1]):
        capability, memory, only = task.pop("capability"), task.pop("memory"), task.pop("only", None)
        if task.pop("decoding", False):
            task = {**STEP, **task}
            item, kernels = task["item"], step_kernels(task)
        else:
            sizes = Geometry(**{**PAPER, **task})
            item, kernels = sizes.item, kernels_of(sizes, memory)
        for kernel, constants, blocks in kernels:
            if only is None or kernel.__name__ in only:
                print(json.dumps(compile_for(kernel, constants, blocks, item, capability)), flush=True)


PAPER = {"batch": 1, "heads": 16, "key_groups": 16, "value_groups": 16, "rows": 4096, "history": 0, "keys": 4096}
PAPER |= {"size": 96, "value": 96, "queries_in_kernel": 6, "keys_in_kernel": 11, "left": 5, "right": 5, "item": 2}
STEP = {"batch": 1, "heads": 16, "groups": 16, "tokens": 4096, "size": 96, "value": 96, "queries_in_kernel": 6}
STEP |= {"keys_in_kernel": 11, "left": 5, "item": 2, "mixed": 1, "splits": 33}

if __name__ == "__main__":
    main()

"""What the benchmarks share: a process for each measurement, and its peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any

import torch

from mta_eval.errors import ModelError


def peak(device: str) -> float:
    """The most memory that this process has taken so far, in bytes."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def run_in_process(script: str, task: dict[str, Any]) -> dict[str, float] | None:
    """`script --one TASK` in a process of its own, so that its peak memory is its own; None if it ran out of memory.

    Raises ModelError where it ends otherwise before it has measured.
    """
    done = subprocess.run(
        [sys.executable, script, "--one", json.dumps(task)], capture_output=True, text=True, check=False
    )
    if done.returncode in (-9, 137) or "out of memory" in done.stderr or "can't allocate" in done.stderr:
        return None
    if done.returncode:
        raise ModelError(f"{script} --one {json.dumps(task)}: {(done.stderr.splitlines() or ['no reason'])[-1]}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured

"""What the benchmarks share: a process for each measurement, and its peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Collection
from typing import Any

import torch
import typer


def peak(device: str) -> float:
    """Bytes at the highest so far."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def chosen_of(text: str, known: Collection[str], option: str) -> list[str]:
    """The names in `text`, parted by commas. Raises typer.BadParameter, which is one line and exit code 2."""
    names = [name.strip() for name in text.split(",")]
    if wrong := [name for name in names if name not in known]:
        raise typer.BadParameter(f"{option} has no {wrong[0]!r}; there is: {', '.join(known)}")
    return names


def apart(script: str, task: dict[str, Any]) -> dict[str, float] | None:
    """`script --one TASK` in a process of its own, so that its peak memory is its own; None if it ran out of memory."""
    done = subprocess.run(
        [sys.executable, script, "--one", json.dumps(task)], capture_output=True, text=True, check=False
    )
    if done.returncode in (-9, 137) or "out of memory" in done.stderr or "can't allocate" in done.stderr:
        return None
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found

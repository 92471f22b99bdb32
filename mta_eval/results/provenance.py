"""Where, when and by which command a run was asked: what run.json keeps beside the question."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

from mta_eval.arguments import typed_command
from mta_eval.core import Json

SOURCES = Path(__file__).parents[2]
CPU_FACTS = Path("/proc/cpuinfo")


def provenance() -> dict[str, Json]:
    """`dates` and `commands` (lists: a run that grows has several), `hardware`, `python`, `system`; `git commit` of
    mta-eval where it runs from a checkout."""
    about: dict[str, Json] = {
        "dates": [datetime.date.today().isoformat()],
        "commands": [typed_command()],
        "hardware": _hardware(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
    commit = _commit()
    return about | ({"git commit": commit} if commit else {})


def _hardware() -> str:
    """Processor, cores and GPUs; GPUs only where torch has them in use already."""
    parts = [f"{_processor().replace(', ', ' ')} ({os.cpu_count() or 1} cores)"]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        parts += [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return "; ".join(parts)


def _processor() -> str:
    try:
        lines = CPU_FACTS.read_text().splitlines()
    except OSError:
        lines = []  # no Linux
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _commit() -> str:
    """The commit of a checkout that mta-eval runs from; "" where it was installed, or there is no git."""
    if not (SOURCES / ".git").exists():
        return ""
    try:
        told = subprocess.run(
            ["git", "-C", str(SOURCES), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()

"""How much memory an answer took."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"  # proc(5): sets the highest resident size back to what it is now


def take_peak() -> int | None:
    """Bytes at the highest since the last call: what torch held on its GPUs, else this process's resident size.

    None where the system does not tell (CPU memory is known on Linux alone).
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        devices = range(torch.cuda.device_count())
        highest = sum(int(torch.cuda.max_memory_allocated(device)) for device in devices)
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        return highest
    try:
        fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        CLEAR.write_text(FORGET_PEAK)
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None

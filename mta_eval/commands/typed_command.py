"""The command that was typed, for the cards of what it made."""

from __future__ import annotations

import os
import shlex
import sys


def typed_command() -> str:
    """As it can be pasted again; under torchrun with that before it."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    program = ["mta-eval"] if processes == 1 else ["torchrun", "--nproc-per-node", str(processes), "-m", "mta_eval"]
    return shlex.join([*program, *sys.argv[1:]])

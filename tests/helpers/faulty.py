"""Runs `mta-eval ARGUMENTS`, with a fault: python faulty.py FAULT VALUE FOLDER ARGUMENTS

kill N      SIGKILL before the Nth change of files under FOLDER (made, opened for writing, renamed, removed)
count 0     prints how many such changes there were, as the last line on stderr
limit N     no file may grow beyond N bytes: what a full disk or a quota does to a writer
clock N     the time of day jumps to and fro by N seconds each time that it is read
none 0      no fault
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "shutil.copyfile")


def watch(folder: str, fatal: int) -> list[int]:
    """Count the changes of files under a folder, and die at one of them."""
    count = [0]

    def changes(event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, _, flags = arguments
            return isinstance(flags, int) and bool(flags & WRITING) and under(path)
        return event in CHANGES and any(map(under, arguments[:2]))

    def under(path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if changes(event, arguments):
            count[0] += 1
            if count[0] == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return count


def jumping(seconds: float) -> None:
    """Make the time of day jump, as it does where somebody sets the clock."""
    really, calls = time.time, [0]

    def now() -> float:
        calls[0] += 1
        return really() + (seconds if calls[0] % 2 else -seconds)

    time.time = now


def main() -> None:
    fault, value, folder = sys.argv[1], int(sys.argv[2]), os.path.abspath(sys.argv[3])
    sys.argv = ["mta-eval", *sys.argv[4:]]
    count = watch(folder, value if fault == "kill" else 0) if fault in ("kill", "count") else [0]
    if fault == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (value, value))
    if fault == "clock":
        jumping(value)
    from mta_eval.cli import main as command_line

    try:
        command_line()
    finally:
        if fault == "count":
            print(count[0], file=sys.stderr)


if __name__ == "__main__":
    main()

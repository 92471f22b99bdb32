"""Commands and texts that the tests of bad input share."""

from __future__ import annotations

from collections.abc import Callable

Call = Callable[..., tuple[int, str, str]]
WINDOW = ("--model", "window:300")
RUN = ("run", "niah", *WINDOW, "--lengths", "256", "--dry-run")
SHOW = ("show", "niah", *WINDOW, "--length", "256")
TRAIN = ("train", "letter_blocks", "--out", "t")
HUGE, DIGITS, LONG = "9" * 20, "9" * 5000, "n" * 300
DEEP = "[" * 200_000

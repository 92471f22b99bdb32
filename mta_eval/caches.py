"""Where things are kept that can be made again: the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """MTA_EVAL_CACHE, or else `mta-eval` in the user's cache folder; it need not exist."""
    home = os.environ.get("MTA_EVAL_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "mta-eval")
    return Path(home).expanduser()

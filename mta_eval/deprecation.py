"""Old import paths that still work for one version, with a DeprecationWarning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module

REMOVED_IN = "0.3"


def moved(old: str, new: str, renamed: Mapping[str, str] | None = None) -> Callable[[str], object]:
    """A module's `__getattr__` that looks names up in the module `new`, by the names that `renamed` gives them."""

    def find(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        target = (renamed or {}).get(name, name)
        found: object = getattr(import_module(new), target)
        warnings.warn(
            f"{old}.{name} is {new}.{target} now; {old} goes in {REMOVED_IN}", DeprecationWarning, stacklevel=2
        )
        return found

    return find

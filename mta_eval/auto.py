"""Importing mta_eval makes transformers' Auto classes open its checkpoints, without importing transformers for it.

A stand-in for our configuration is put into transformers' table as soon as that is loaded, now or later; whatever is
asked of it is asked of the real class, which brings the real models with it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, cast

TABLE = "transformers.models.auto.configuration_auto"
MODEL_TYPE = "multi_token_attention"


def register() -> None:
    """Called once, by `import mta_eval`."""
    if TABLE in sys.modules:
        _enter(sys.modules[TABLE])
    else:
        sys.meta_path.insert(0, _WhenLoaded())


def _enter(table: ModuleType) -> None:
    table.CONFIG_MAPPING.register(MODEL_TYPE, _StandIn(), exist_ok=True)


class _StandIn:
    """Passes for `MTAConfig` until it is used."""

    def __getattr__(self, name: str) -> Any:
        import mta_eval.attention.decoder  # noqa: F401  puts the real classes in our place
        from mta_eval.attention.configuration import MTAConfig

        return getattr(MTAConfig, name)


class _WhenLoaded(MetaPathFinder):
    """Finds transformers' table as everyone else does, and enters our line once it is loaded."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  (the interface's)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if fullname != TABLE:
            return None
        sys.meta_path.remove(self)  # else the next line would ask here again
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _ThenEnter(spec.loader))
        return spec


class _ThenEnter:
    """The table's own loader, and our line after it."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _enter(module)

"""Attention variants as a tunnel names them: of the registry, of a module (`package.module:Class`), or of a file.

A file is executed, as any module is that is imported: name none that you would not run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mta_eval import registry
from mta_eval.errors import ModelError, SpecError
from mta_eval.outside import regular

if TYPE_CHECKING:
    from mta_eval.attention.layer import AttentionLayer


@dataclass(frozen=True)
class Variant:
    """An attention variant that is known to the registry from here on; `digest` is of the source of one of others."""

    named: str  # as it can be found again in another process
    kind: str
    title: str
    source: str
    digest: str


def find_variant(named: str) -> Variant:
    """The variant of a name, a module or a file. Executes the module or file. Raises SpecError or ModelError."""
    if named in registry.names("attention"):
        found = registry.find("attention", named)
        return Variant(named, named, found.title, found.source, _digest(found))
    path, _, chosen = named.partition(".py:")
    if named.endswith(".py") or chosen:
        file = Path(named if not chosen else f"{path}.py").absolute()
        module = _executed(file)
        found, named = _class_in(module, chosen, str(file)), f"{file}:{chosen}" if chosen else str(file)
    elif ":" in named:
        module_name, _, chosen = named.partition(":")
        found = _class_in(_imported(module_name), chosen, named)
    else:
        raise SpecError(
            f"no attention variant is called {named!r}{registry.did_you_mean(named, registry.names('attention'))}"
            " A variant is a name, package.module:Class, or a file that ends in .py"
        )
    registry.add("attention", found.kind, f"{found.__module__}:{found.__qualname__}")
    return Variant(named, found.kind, found.title, found.source, _digest(found))


def _executed(file: Path) -> ModuleType:
    """The module of a file, executed once in this process for each state of the file."""
    try:
        text = regular(file).read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read the variant {str(file)!r}: {error.strerror}") from error
    name = f"mta_eval_variant_{hashlib.sha256(str(file).encode() + text).hexdigest()[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise SpecError(f"{str(file)!r} is no Python file")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # anything: it is not our code
            del sys.modules[name]
            raise ModelError(f"the variant {str(file)!r} cannot be executed: {_short(error)}") from error
    return sys.modules[name]


def _imported(module: str) -> ModuleType:
    try:
        return import_module(module)
    except Exception as error:  # anything: it is not our code
        raise ModelError(f"the module {module!r} cannot be imported: {_short(error)}") from error


def _class_in(module: ModuleType, chosen: str, where: str) -> type[AttentionLayer]:
    """The one attention variant of a module, or the one `chosen`. Raises SpecError."""
    from mta_eval.attention.layer import AttentionLayer

    classes = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, AttentionLayer) and value is not AttentionLayer
    }
    if not chosen:
        classes = {name: value for name, value in classes.items() if value.__module__ == module.__name__}
    if chosen in classes:
        found = classes[chosen]
    elif chosen or len(classes) != 1:
        what = f"no attention variant {chosen!r}" if chosen else f"{len(classes)} attention variants, not one"
        there = f": {', '.join(classes)}; name one, {where}:{next(iter(classes))}" if classes and not chosen else ""
        raise SpecError(
            f"{where!r} has {what}{there}. A variant is a subclass of mta_eval.attention.layer.AttentionLayer"
        )
    else:
        (found,) = classes.values()
    for name in ("kind", "title"):
        if not isinstance(getattr(found, name, None), str):
            raise SpecError(
                f"the variant {found.__name__} in {where!r} has no {name}: write {name} = '...' in its class"
            )
    return found


def _digest(found: type) -> str:
    """Of the file that a class is written in; "" for our own, which the version stands for."""
    if found.__module__.startswith("mta_eval."):
        return ""
    return hashlib.sha256(Path(inspect.getfile(found)).read_bytes()).hexdigest()[:16]


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]

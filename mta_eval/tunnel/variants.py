"""Attention variants as a tunnel names them: of the registry, of a module (`package.module:Class`), or of a file.

Options follow as in every spec: `mta:query_kernel_before=2,key_kernel_before=9`, `my_attention.py:Class,option=value`.
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
from mta_eval.tunnel.variant_options import between_options, options_text

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
    options: str = ""  # those that its name gives, "a=1,b=2"

    @property
    def label(self) -> str:
        """What it is called among others: its kind, and the options that were given."""
        return label_of(self.kind, self.options)


def label_of(kind: str, options: str) -> str:
    """mta, or mta:query_kernel_before=2,key_kernel_before=9."""
    return f"{kind}:{options}" if options else kind


def find_variant(named: str) -> Variant:
    """The variant of a name, a module or a file. Executes the module or file. Raises SpecError or ModelError."""
    place, rest = _parted(named)
    _, chosen, given = registry.parse(f"variant:{rest}")
    if place in registry.names("attention"):
        if chosen is not None:
            raise SpecError(f"{named!r}: options of {place!r} are written {place}:option=value")
        found = registry.find("attention", place)
    elif place.endswith(".py"):
        place = str(Path(place).absolute())
        found = _class_in(_executed(Path(place)), chosen or "", place)
    elif chosen:
        found = _class_in(_imported(place), chosen, f"{place}:{chosen}")
    else:
        raise SpecError(
            f"no attention variant is called {place!r}{registry.did_you_mean(place, registry.names('attention'))}"
            " A variant is a name, package.module:Class, or a file that ends in .py"
        )
    if place not in registry.names("attention"):
        registry.add("attention", found.kind, f"{found.__module__}:{found.__qualname__}")
    options = options_text(found, given)
    again = ",".join(part for part in (chosen, options) if part)
    title = f"{found.title} ({between_options(options, ', ')})" if options else found.title
    return Variant(f"{place}:{again}" if again else place, found.kind, title, found.source, _digest(found), options)


def _parted(named: str) -> tuple[str, str]:
    """Where a variant is, and what follows: a class in a file or module, and options."""
    if named.endswith(".py"):
        return named, ""
    path, dot_py, rest = named.partition(".py:")
    if dot_py:
        return f"{path}.py", rest
    place, _, rest = named.partition(":")
    return place, rest


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

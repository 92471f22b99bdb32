"""The code of a checkpoint, written into its folder: it then opens by transformers alone, with trust_remote_code=True.

The files are those of this package that a model with its attention variant needs. Two others stand for the rest of the
package: a registry that knows this variant and that of the configuration's defaults, and a registration that does
nothing, since transformers finds the classes by `auto_map` in config.json.
"""

from __future__ import annotations

import ast
import inspect
import json
from importlib import import_module
from pathlib import Path

from mta_eval import registry
from mta_eval.attention.layer import AttentionLayer
from mta_eval.attention.mta import MTAAttention
from mta_eval.attention.registration import MODEL_TYPE
from mta_eval.errors import ModelError
from mta_eval.models.checkpoint_files import CONFIG, check_folder
from mta_eval.models.checkpoints.relative_imports import imports_in, with_relative_imports
from mta_eval.version import VERSION
from mta_eval.whole_files import write_text

PREFIX = "mta_"  # of the files' names
ROOM, ROOM_FOLDER = "mta_eval.attention", Path(inspect.getfile(AttentionLayer)).parent
ENTRY = f"{ROOM}.decoder"
OURS = "# Of mta-eval {version}: {module}. MIT licence, Copyright (c) 2026 The mta-eval authors\n"
THEIRS = "# The attention variant {kind}, of {module}, for mta-eval {version}\n"
REGISTRY = '''"""The attention variants of this checkpoint: its own, and that of the configuration's defaults."""

from __future__ import annotations

from .mta_errors import SpecError

NAMES = {names}


def names(kind: str) -> dict[str, str]:
    """Name -> "module:Class" of the variants."""
    return NAMES if kind == "attention" else {{}}


def find(kind: str, name: str) -> type:
    """A variant's class. Raises SpecError for one whose code is not here."""
{cases}    raise SpecError(f"this checkpoint has the code of {{', '.join(NAMES)}} attention, not of {{name!r}}")
'''
CASE = """    if (kind, name) == ("attention", "{kind}"):
        from .{file} import {class_}

        return {class_}
"""
REGISTRATION = '''"""transformers finds the classes by `auto_map` in config.json: nothing is registered."""

MODEL_TYPE = "{model_type}"


def register_classes(*_classes: object) -> None:
    """Nothing."""
'''
GENERATED = {"mta_eval.registry": REGISTRY, "mta_eval.attention.registration": REGISTRATION}
COPIED = "mta_eval.errors"  # beside the room of attention
CLASSES = {"AutoConfig": "MTAConfig", "AutoModel": "MTAModel", "AutoModelForCausalLM": "MTAForCausalLM"}


def add_code(folder: Path) -> None:
    """Write the code of the checkpoint in `folder`, of the attention family, beside its config.json.

    config.json gets an `auto_map`. Raises ModelError if it is no checkpoint of the family, or if its attention is of
    another package and not in a single file; SpecError if its attention is not known.
    """
    config = dict(check_folder(folder))
    if config.get("model_type") != MODEL_TYPE:
        raise ModelError(f"{str(folder)!r} is no checkpoint of the attention family, whose code could be written")
    for name, text in code_of(str(config.get("attention"))).items():
        write_text(folder / name, text)
    # all classes of one file: transformers copies what each file needs to a place of its own, another MTAConfig in each
    config["auto_map"] = {auto: f"{_stem(ENTRY)}.{class_}" for auto, class_ in CLASSES.items()}
    write_text(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def code_of(kind: str) -> dict[str, str]:
    """File name -> text of all files of a model with that attention. Raises ModelError, SpecError as `add_code`."""
    variant: type[AttentionLayer] = registry.find("attention", kind)
    files: dict[str, str] = {}
    waiting = [ENTRY, variant.__module__, MTAAttention.__module__, COPIED]
    while waiting:
        module = waiting.pop()
        name = f"{_stem(module)}.py"
        if name in files:
            continue
        source = _source(module, variant)
        waiting += [] if module in GENERATED else _needed(source, module)
        header = OURS if _is_ours(module) else THEIRS
        files[name] = header.format(version=VERSION, module=module, kind=kind) + with_relative_imports(source, _beside)
    return files


def _source(module: str, variant: type[AttentionLayer]) -> str:
    if module in GENERATED:
        return GENERATED[module].format(model_type=MODEL_TYPE, **_registered(variant))
    try:
        path = inspect.getfile(variant) if module == variant.__module__ else import_module(module).__file__
        return Path(str(path)).read_text("utf-8")
    except (OSError, TypeError) as error:  # a class of a notebook, say
        raise ModelError(f"{variant.kind} attention is in no file that could be read; write it in one") from error


def _registered(variant: type[AttentionLayer]) -> dict[str, object]:
    """What the registry of a checkpoint knows."""
    known = {one.kind: one for one in (variant, MTAAttention)}
    cases = [CASE.format(kind=kind, file=_stem(one.__module__), class_=one.__qualname__) for kind, one in known.items()]
    names = {kind: f"{_stem(one.__module__)}:{one.__qualname__}" for kind, one in known.items()}
    return {"names": names, "cases": "".join(cases)}


def _needed(source: str, module: str) -> list[str]:
    """Modules that go beside a source of `module`. Raises ModelError where it needs what cannot go there."""
    needed: list[str] = []
    for node in imports_in(source):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names = [base] if _beside(base) else [f"{base}.{name}" for name in names]
        for name in names:
            if _beside(name) and isinstance(node, ast.ImportFrom):
                needed.append(name)
            elif name.split(".")[0] in ("", "mta_eval", module.split(".")[0]):
                raise ModelError(
                    f"the code of {module} cannot go beside a checkpoint: it has `{ast.unparse(node)}`; write the "
                    "variant in one file that imports from mta_eval.attention.… and from packages of others alone"
                )
    return needed


def _is_ours(module: str) -> bool:
    return module.startswith("mta_eval.")


def _beside(module: str) -> str | None:
    """The name beside a checkpoint of a module of this package; None of one that has no place there."""
    if module in GENERATED or module == COPIED:
        return _stem(module)
    if not module.startswith(f"{ROOM}."):
        return None
    place = ROOM_FOLDER.joinpath(*module.removeprefix(f"{ROOM}.").split("."))
    return _stem(module) if place.with_suffix(".py").is_file() or (place / "__init__.py").is_file() else None


def _stem(module: str) -> str:
    """A file's name without its end; a variant of another package is always `mta_variant`."""
    if not _is_ours(module):
        return f"{PREFIX}variant"
    return PREFIX + module.removeprefix("mta_eval.").removeprefix("attention.").replace(".", "_")

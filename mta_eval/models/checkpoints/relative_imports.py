"""Python sources with their imports made relative, as transformers wants the code of a checkpoint: flat, side by side.

transformers copies the files that it finds in lines of the form `from .name import …`, and no others. Of a hub it takes
them only where every package is installed that is imported outside of a `try`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

OPTIONAL = frozenset({"triton", "peft"})  # packages that a model works without

Import = ast.Import | ast.ImportFrom
Renaming = Callable[[str], str | None]  # a module -> its name beside the others; None where it is not one of them


def imports_in(source: str) -> list[Import]:
    """All import statements, in the order of their lines, those in functions and behind TYPE_CHECKING too."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return sorted(found, key=lambda node: node.lineno)


def with_relative_imports(source: str, new_name: Renaming) -> str:
    """The source, its lines otherwise as they are, with imports of the modules that `new_name` knows made relative.

    Those of OPTIONAL packages are put into a `try`.
    """
    lines = source.splitlines()
    for node in reversed(imports_in(source)):  # from the end, so that line numbers stay true
        if statements := _statements(node, new_name):
            indent = " " * node.col_offset
            lines[node.lineno - 1 : node.end_lineno] = [f"{indent}{statement}" for statement in statements]
    return "\n".join(lines) + "\n"


def _statements(node: Import, new_name: Renaming) -> Sequence[str]:
    """What stands in the place of an import; nothing where it stays."""
    written = ast.unparse(node)
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        if name := new_name(node.module):
            return [f"from .{name} {written[written.index(' import ') + 1 :]}"]
        renamed = [(alias, new_name(f"{node.module}.{alias.name}")) for alias in node.names]
        if any(name for _, name in renamed):
            return [line for alias, name in renamed for line in _of_module(alias, str(name))]
    packages = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    if OPTIONAL & {package.split(".")[0] for package in packages}:
        return ["try:", f"    {written}", "finally:", "    pass"]
    return []


def _of_module(alias: ast.alias, name: str) -> Sequence[str]:
    """The import of a whole module, and a line for transformers, which does not see the first one."""
    known = alias.asname or alias.name
    return [f"from . import {name} as {known}", f"from .{name} import __name__ as _{known}"]

"""A public name of the package is defined in one module, so that a search for it has one answer."""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "mta_eval"
COMMAND = "the name of a command and of the function that does its work"
REGISTRY = "each registry has them, and is named before them"
ORACLE = "read as naive.attention"
EXCEPTIONS = {
    "attention": ORACLE,
    "find": REGISTRY,
    "import_checkpoint": COMMAND,
    "names": REGISTRY,
    "retrofit": COMMAND,
    "run": COMMAND,
    "train": COMMAND,
}


def modules_by_name(package: Path) -> dict[str, list[str]]:
    """Public classes and functions at the top of a module -> the modules that define them."""
    modules: dict[str, list[str]] = defaultdict(list)
    for file in sorted(package.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                modules[node.name].append(str(file.relative_to(package)))
    return modules


def test_every_public_name_is_defined_in_one_module() -> None:
    several = {name: files for name, files in modules_by_name(PACKAGE).items() if len(set(files)) > 1}
    assert {name: files for name, files in several.items() if name not in EXCEPTIONS} == {}


def test_the_exceptions_of_commands_are_commands() -> None:
    names = {file.stem for file in (PACKAGE / "commands").glob("*.py")}
    assert {name for name, reason in EXCEPTIONS.items() if reason == COMMAND} <= names


def test_names_in_two_modules_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class Cell: ...\ndef draw(): ...\ndef _draw(): ...\n")
    (tmp_path / "b.py").write_text("class Cell:\n    def draw(self): ...\ndef _draw(): ...\n")
    assert modules_by_name(tmp_path) == {"Cell": ["a.py", "b.py"], "draw": ["a.py"]}

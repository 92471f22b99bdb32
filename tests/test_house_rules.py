"""The house rules that pyproject.toml's import contracts do not check: heavy imports, file sizes, unsafe calls."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mta_eval"
FILES = sorted(PACKAGE.rglob("*.py"))
# rooms whose files are imported only when weights, tables or pictures are wanted
HEAVY_ROOMS = {"attention", "results", "papers", "rescoring", "diagnosis"}
HEAVY_FILES = (
    *("models/inference/", "models/context_extension/", "models/checkpoints/", "integrations/lm_eval/"),
    *("training/trainer.py", "training/training_folder.py", "training/corpus.py", "training/text_rows.py"),
    *("training/processes.py", "tunnel/tunnel_figure.py", "tunnel/figure_rows.py"),
)
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "matplotlib",
    "pandas",
    "scipy",
    "numpy",
    "vllm",
    "lm_eval",
    "tokenizers",
    "ray",
}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(file: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(file.read_text())
    found: set[str] = set()
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in tree.body if top_level_only else ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


LIGHT = [
    file
    for file in FILES
    if room_of(file) not in HEAVY_ROOMS and not str(file.relative_to(PACKAGE)).startswith(HEAVY_FILES)
]


@pytest.mark.parametrize("file", LIGHT, ids=lambda file: file.name)
def test_heavy_packages_are_imported_only_where_they_are_used(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(file, top_level_only=True)} & HEAVY


def test_help_loads_no_heavy_package() -> None:
    code = "import sys; from mta_eval.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "mta_eval.cli" in printed
    assert not HEAVY & set(printed.split())


def test_no_file_is_too_long() -> None:
    too_long = {file.name: size for file in FILES if (size := len(file.read_text().splitlines())) > 250}
    reasoned = {name for name in too_long if "Over 250 lines" in next(f for f in FILES if f.name == name).read_text()}
    assert set(too_long) == reasoned


def test_nothing_unsafe_is_called() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, file
        assert "pickle" not in {name.split(".")[0] for name in imports_of(file)}, file


def test_durations_and_deadlines_use_no_clock_that_can_be_set() -> None:
    """The time of day jumps; only a server's date is compared with it, where the server does not say its own."""
    wall = re.compile(r"\btime\.time\(|\bfrom time import .*\btime\b|datetime\.now\(")
    assert {file.name for file in FILES if wall.search(file.read_text())} == {"http_failures.py"}

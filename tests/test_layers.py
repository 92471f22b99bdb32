"""The house rules that a machine can check: layers, heavy imports, file sizes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mta_eval"
FILES = sorted(PACKAGE.rglob("*.py"))
MAY_IMPORT = {
    "__init__": {"auto", "core", "evaluation"},
    "auto": {"models"},
    "errors": set(),
    "caches": set(),
    "core": {"errors"},
    "memory": set(),
    "scoring": set(),
    "registry": {"core", "errors"},
    "answering": {"core", "errors"},
    "runner": {"answering", "core", "errors", "memory"},
    "tasks": {"caches", "core", "errors", "registry", "scoring", "tasks"},
    "models": {"caches", "core", "errors", "registry", "models"},
    "results": {"core", "errors", "results", "scoring"},
    "replicas": {"answering", "core", "errors", "registry", "replicas", "runner"},
    "commands": {"commands", "core", "errors", "models", "registry", "replicas", "results", "runner"},
    "evaluation": {"answering", "commands", "core", "models", "registry", "results", "runner"},
    "cli_checkpoints": {"commands", "core", "errors", "models"},
    "cli_lm_eval": {"lm_eval_plugin"},
    "cli_results": {"commands"},
    "cli_suites": {"commands", "registry", "suites"},
    "cli_rescoring": {"results"},
    "cli_training": {"commands", "errors"},
    "cli": {
        "cli_checkpoints",
        "cli_lm_eval",
        "cli_rescoring",
        "cli_results",
        "cli_suites",
        "cli_training",
        "commands",
        "core",
        "errors",
        "registry",
        "replicas",
        "runner",
    },
    "lm_eval_plugin": {"commands", "core", "errors", "lm_eval_plugin", "models", "registry", "results", "runner"},
    "suites": {"commands", "core", "errors", "lm_eval_plugin", "registry", "runner", "suites"},
    "__main__": {"cli"},
}
# the attention family is torch through and through; adapters import these files only when weights are wanted
TORCH_FILES = {
    "lm_eval_plugin/asked_model.py",
    "lm_eval_plugin/models.py",
    "lm_eval_plugin/task.py",
    "models/attention.py",
    "models/attention_layer.py",
    "models/chunk_cache.py",
    "models/chunks.py",
    "models/configuration.py",
    "models/decoder.py",
    "models/documents.py",
    "models/fused.py",
    "models/kernels.py",
    "models/longheads.py",
    "models/looking.py",
    "models/naive.py",
    "models/own_attention.py",
    "models/query_cache.py",
    "models/released.py",
    "models/retrofit.py",
    "models/row_caches.py",
    "models/rows.py",
    "models/tile.py",
    "models/tiles.py",
    "models/train.py",
    "models/training_folder.py",
}
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_rooms_import_only_what_lies_below_them(file: Path) -> None:
    room = room_of(file)
    ours = {name.split(".")[1] for name in imports_of(file) if name.startswith("mta_eval.")}
    assert ours - {"__version__"} <= MAY_IMPORT[room]


LIGHT = [f for f in FILES if room_of(f) != "results" and str(f.relative_to(PACKAGE)) not in TORCH_FILES]


@pytest.mark.parametrize("file", LIGHT, ids=lambda file: file.name)
def test_heavy_packages_are_imported_only_where_they_are_used(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(file, top_level_only=True)} & HEAVY


def test_core_and_errors_need_the_standard_library_only() -> None:
    for name in ("core", "errors", "commands/arguments"):
        outside = {module.split(".")[0] for module in imports_of(PACKAGE / f"{name}.py")}
        assert outside <= set(sys.stdlib_module_names) | {"mta_eval"}


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

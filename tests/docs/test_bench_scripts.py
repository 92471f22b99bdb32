"""The benchmarks refuse what they do not know in one line, as the commands do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
CASES = {
    "attention.py": [("--layers", "nonsense"), ("--kernel", "3"), ("--dtype", "int"), ("--device", "zz")],
    "baselines.py": [("--length", "x"), ("--repeats", "1")],
    "evaluation.py": [("--scenarios", "nonsense"), ("--ways", "nonsense"), ("--model", "nonsense")],
    "gpu.py": [("--parts", "nonsense"), ("--minutes", "nan")],
    "longheads.py": [("--groups", "2")],
    "generation.py": [("--lengths", "x")],
    "prose_entropy.py": [("--haystacks", "nonsense"), ("--length", "x")],
    "report.py": [("--records", "x")],
}


@pytest.mark.parametrize("script", sorted(BENCH.glob("*.py")), ids=lambda script: script.name)
def test_what_a_benchmark_imports_from_mta_eval_is_there(script: Path) -> None:
    """Read, not imported: some of it is imported late, on a machine with a GPU alone."""
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mta_eval"):
            place = BENCH.parent.joinpath(*node.module.split("."))
            module = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
            names = _top_level_names(module) | {file.stem for file in place.glob("*.py")}
            missing = {alias.name for alias in node.names} - names
            assert not missing, f"line {node.lineno}: {node.module} has no {missing}"


def _top_level_names(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return names


@pytest.mark.slow
@pytest.mark.parametrize("script", CASES)
def test_a_benchmark_refuses_in_one_line(script: str) -> None:
    for arguments in CASES[script]:
        command = [sys.executable, str(BENCH / script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""

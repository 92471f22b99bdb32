"""The benchmarks refuse what they do not know in one line, as the commands do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
CASES = {
    "attention.py": [("--layers", "nonsense"), ("--kernel", "3"), ("--dtype", "int"), ("--device", "zz")],
    "evaluation.py": [("--scenarios", "nonsense"), ("--ways", "nonsense"), ("--model", "nonsense")],
    "gpu.py": [("--parts", "nonsense"), ("--minutes", "nan")],
    "longheads.py": [("--groups", "2")],
    "generation.py": [("--lengths", "x")],
    "prose_entropy.py": [("--haystacks", "nonsense"), ("--length", "x")],
    "report.py": [("--records", "x")],
}


@pytest.mark.slow
@pytest.mark.parametrize("script", CASES)
def test_a_benchmark_refuses_in_one_line(script: str) -> None:
    for arguments in CASES[script]:
        command = [sys.executable, str(BENCH / script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""

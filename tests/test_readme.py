"""Every code block of the README runs; real models are stood in for by the `window` model."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mta_eval import registry, runner
from mta_eval.core import Sweep

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.M | re.S)
PYTHON = [text for language, text in BLOCKS if language == "python"]


def commands() -> list[list[str]]:
    lines = [line for language, text in BLOCKS if language == "bash" for line in text.splitlines()]
    return [command for line in lines if (command := shlex.split(line, comments=True))]


def test_every_block_has_a_language_that_is_tested() -> None:
    assert {language for language, _ in BLOCKS} == {"bash", "python", "text"}


def test_the_six_everyday_commands_run_one_after_the_other(tmp_path: Path) -> None:
    everyday = [command for command in commands() if command[0] == "mta-eval" and "checkpoints/mta" not in str(command)]
    assert len(everyday) == 6
    for command in everyday:
        mta_eval(["window:300" if part == "smollm2" else part for part in command[1:]], tmp_path)
    assert (tmp_path / "runs/first/report/report.html").exists()
    assert len((tmp_path / "qa2.jsonl").read_text().splitlines()) == 15


def test_the_commands_of_the_attention_family_run(tmp_path: Path, llama_folder: Path) -> None:
    family = [command for command in commands() if command[0] == "mta-eval" and "checkpoints/mta" in str(command)]
    assert [command[1] for command in family] == ["retrofit", "run", "attention", "kernels"]
    for command in family:
        mta_eval([str(llama_folder) if part == "smollm2" else part for part in command[1:]], tmp_path)
    assert (tmp_path / "runs/attention.png").exists()
    assert (tmp_path / "runs/kernels/kernels.csv").exists()


def mta_eval(arguments: list[str], folder: Path) -> None:
    program = [sys.executable, "-m", "mta_eval", *arguments]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_make_targets_exist_and_the_demo_runs(tmp_path: Path) -> None:
    makes = [command for command in commands() if command[0] == "make"]
    assert [command[1] for command in makes] == ["demo", "test"]
    for command in makes:
        subprocess.run([*command, "-n"], cwd=ROOT, check=True, capture_output=True)
    program = Path(sys.executable).parent
    if not (program / "mta-eval").exists():
        pytest.skip("mta-eval is not installed beside this interpreter")
    demo = tmp_path / "demo"
    settings = [f"BIN={program}", "MODEL=window:300", f"DEMO={demo}"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(
        ["make", "-o", "install", "-o", ".venv/.installed", "demo", *settings],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env=environment,
    )
    assert {path.suffix for path in (demo / "report").iterdir()} == {".html", ".md", ".csv", ".png", ".svg"}


def test_the_python_blocks_run(capsys: pytest.CaptureFixture[str]) -> None:
    family, first, second = PYTHON
    exec(compile(family, "README.md", "exec"), {})
    exec(compile(first, "README.md", "exec"), {})
    assert "| 100 %" in capsys.readouterr().out
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(second, "README.md", "exec", dont_inherit=True), names)
    task = names["Weather"]()  # type: ignore[operator]
    plan = runner.Plan({"weather": task}, {"w": registry.build_model("window:300")}, Sweep((512,), (0.0, 1.0), 1))
    assert [record.score for record in runner.run(plan)] == [1.0, 0.0]


def test_every_picture_and_file_that_it_names_is_there() -> None:
    for target in re.findall(r"\]\(((?!http|#)[^)]+)\)", README):
        assert (ROOT / target).exists(), target
    tree = next(text for language, text in BLOCKS if language == "text")
    for name in re.findall(r"(\w+\.py)", tree):
        assert list(ROOT.rglob(f"mta_eval/**/{name}")) or list((ROOT / "bench").glob(name)), name

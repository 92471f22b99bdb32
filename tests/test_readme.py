"""Every code block of the README runs; real models are stood in for by the `window` model."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mta_eval import registry, runner
from mta_eval.core import Plan, Sweep

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.M | re.S)
PYTHON = [text for language, text in BLOCKS if language == "python"]


def commands() -> list[list[str]]:
    lines = [line for language, text in BLOCKS if language == "bash" for line in text.splitlines()]
    return [command for line in lines if (command := shlex.split(line, comments=True))]


def test_every_block_has_a_language_that_is_tested() -> None:
    assert {language for language, _ in BLOCKS} == {"bash", "python", "text"}


def under(heading: str) -> list[list[str]]:
    """The mta-eval commands of one chapter."""
    found = [shlex.split(line, comments=True) for line in lines_under(heading)]
    return [command for command in found if command and command[0] == "mta-eval"]


def test_every_command_belongs_to_a_chapter_that_is_run() -> None:
    run = [
        *under("Six everyday"),
        *under("Reading the results"),
        *under("The attention family"),
        *under("Letter blocks"),
        *under("Longer than trained"),
        *under("At home in lm-eval"),
        *under("A whole paper"),
    ]
    assert run == [command for command in commands() if command[0] == "mta-eval"]


def test_the_six_everyday_commands_run_one_after_the_other(tmp_path: Path) -> None:
    everyday = under("Six everyday")
    assert len(everyday) == 6
    for command in everyday:
        mta_eval(["window:300" if part == "smollm2" else part for part in command[1:]], tmp_path)
    assert (tmp_path / "runs/first/report/report.html").exists()
    assert len((tmp_path / "qa2.jsonl").read_text().splitlines()) == 15


def test_the_commands_that_read_results_run(tmp_path: Path) -> None:
    reading = under("Reading the results")
    assert [command[1] for command in reading] == [
        *("run", "report", "watch", "compare", "table", "table", "rescore", "paper")
    ]
    for command in reading:
        few = ["--samples", "2"] if command[1] == "paper" else []
        mta_eval([*command[1:], *few], tmp_path)
    assert (tmp_path / "runs/two/report/report.html").exists()
    assert (tmp_path / "runs/two/compare/difference_niah_needles_4.png").exists()
    assert (tmp_path / "runs/two/rescored/rescore.md").exists()
    assert (tmp_path / "runs/paper/paper.md").exists()


@pytest.mark.slow
def test_the_commands_of_the_attention_family_run(tmp_path: Path, llama_folder: Path) -> None:
    family = under("The attention family")
    assert [command[1] for command in family] == ["retrofit", "run", "attention", "kernels"]
    for command in family:
        mta_eval([str(llama_folder) if part == "smollm2" else part for part in command[1:]], tmp_path)
    assert (tmp_path / "runs/attention.png").exists()
    assert (tmp_path / "runs/kernels/kernels.csv").exists()


@pytest.mark.slow
def test_the_commands_of_letter_blocks_run(tmp_path: Path) -> None:
    letters = under("Letter blocks")
    assert [command[1] for command in letters] == ["run", "report", "paper", "train"]
    for command in letters:
        few = ["--steps", "2", "--every", "2"] if command[1] == "train" else []
        mta_eval([*("3" if part == "100" else part for part in command[1:]), *few], tmp_path)
    assert (tmp_path / "runs/letters/report/attention_letter_blocks.svg").exists()
    assert (tmp_path / "runs/letters-paper/paper.md").exists()
    assert (tmp_path / "runs/letters-45/model.safetensors").exists()


def test_the_commands_of_longer_contexts_run(tmp_path: Path, llama_folder: Path) -> None:
    small = {"smollm2": str(llama_folder), "256": "64", "2048": "256", "4k,8k": "512,1k", "16k": "2k"}
    longer = under("Longer than trained")
    assert len(longer) == 2
    for command in longer:
        parts = [re.sub("|".join(small), lambda found: small[found[0]], part) for part in command[1:]]
        mta_eval([f"hf:{part}" if part == str(llama_folder) else part for part in parts], tmp_path)
    assert (tmp_path / "runs/longer/records.jsonl").exists()


@pytest.mark.slow
def test_the_commands_of_lm_eval_run(tmp_path: Path, llama_folder: Path) -> None:
    ours, reported, backend = (line for line in lines_under("At home in lm-eval") if line.startswith("mta-eval"))
    for line in (ours.replace("smollm2", f"{llama_folder},window=64,attention_length=256"), reported, backend):
        shell(line.replace("FOLDER", str(llama_folder)), tmp_path)
    assert (tmp_path / "runs/lm_eval/report/heatmap_niah.png").exists()
    assert (tmp_path / "runs/backend/records.jsonl").exists()


@pytest.mark.slow  # lm-eval reads all its task files first
def test_lm_evals_own_command_runs_our_tasks(tmp_path: Path, llama_folder: Path) -> None:
    (line,) = (line for line in lines_under("At home in lm-eval") if line.startswith("lm_eval"))
    shell(line.replace("FOLDER", str(llama_folder)), tmp_path)
    assert list(tmp_path.glob("runs/hf/*/samples_mta_niah_*.jsonl"))


@pytest.mark.slow
def test_the_suites_run(tmp_path: Path) -> None:
    whole, longer = under("A whole paper")
    small = ["--lengths", "256", "--without", "benchmarks,letter_blocks,babilong"]
    mta_eval(["window:300" if part == "smollm2" else part for part in [*whole[1:], *small]], tmp_path)
    assert (tmp_path / "runs/suite/report/report.html").exists()
    names = {"smollm2": "window:300", "longheads:smollm2": "window:600", "512,1k": "256,512"}
    mta_eval([names.get(part, part) for part in longer[1:]], tmp_path)
    assert (tmp_path / "runs/long/paper/paper.md").exists()


def lines_under(heading: str) -> list[str]:
    chapter = README.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```bash\n(.*?)^```$", chapter, flags=re.M | re.S)
    return [line for text in blocks for line in text.splitlines()]


def shell(line: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def mta_eval(arguments: list[str], folder: Path) -> None:
    program = [sys.executable, "-m", "mta_eval", *arguments]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_make_targets_exist_and_the_demo_runs(tmp_path: Path) -> None:
    makes = [command for command in commands() if command[0] == "make"]
    assert [command[1] for command in makes] == ["demo", "test", "reproduce-letter-blocks"]
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
    assert {path.suffix for path in (demo / "report").iterdir()} == {".html", ".md", ".csv", ".png", ".svg", ".pdf"}


def test_the_python_blocks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    family, first, second = PYTHON
    exec(compile(family, "README.md", "exec"), {})
    exec(compile(first, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert re.search(r"passkey +0\.0 +0\.0 +0\.0\n +0\.5 +1\.0 +0\.0\n +1\.0 +1\.0 +1\.0", printed), printed
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(second, "README.md", "exec", dont_inherit=True), names)
    task = names["Weather"]()  # type: ignore[operator]
    plan = Plan({"weather": task}, {"w": registry.build_model("window:300")}, Sweep((512,), (0.0, 1.0), 1))
    assert [record.score for record in runner.run(plan)] == [1.0, 0.0]


def test_every_picture_and_file_that_it_names_is_there() -> None:
    for target in re.findall(r"\]\(((?!http|#)[^)]+)\)", README):
        assert (ROOT / target).exists(), target
    tree = next(text for language, text in BLOCKS if language == "text")
    for name in re.findall(r"(\w+\.py)", tree):
        assert list(ROOT.rglob(f"mta_eval/**/{name}")) or list((ROOT / "bench").glob(name)), name

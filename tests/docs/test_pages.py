"""Every code block of the README and of docs/ is run; one that cannot be says why, and its commands are parsed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from doc_blocks import BLOCKS, KEYS, PAGES, ROOT, Block, blocks_of
from typer.main import get_command

from mta_eval.cli import app

SHELL = re.compile(r"[$*?|&<>;`]")  # what only a shell understands
ELSEWHERE = {"git", "cd", "source", "set", "export", "sleep", "srun", "head=$(scontrol", "ray"}  # programs of others
ALLOWED = {"bash", "python", "toml", "yaml", "text", "bibtex"}
NAMED = {str(page.relative_to(ROOT)): page for page in PAGES}
Call = Callable[..., tuple[int, str, str]]


def test_every_block_has_a_language_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} <= ALLOWED
    for page in PAGES:
        fences = re.findall(r"^ *```", page.read_text(), flags=re.M)
        assert len(fences) == 2 * len(blocks_of(page)), f"{page}: a code block is indented or not closed"


def test_every_comment_is_before_a_block_and_has_known_keys() -> None:
    for page in PAGES:
        comments = len(re.findall(r"<!-- test:", page.read_text()))
        assert comments == sum(bool(block.test) for block in blocks_of(page)), page
    for block in BLOCKS:
        assert block.test.keys() <= KEYS, block
        assert all(len(str(block.test[key]).split()) > 1 for key in ("only", "slow") if key in block.test), block
        assert block.language in ("bash", "python") or not block.test, block
        assert not ("only" in block.test and block.language == "python"), f"{block}: Python is always run"
        for old in block.test.get("replace", {}):
            assert str(old) in block.text, f"{block} has no {old!r} to replace"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "bash"], ids=str)
def test_every_command_line_is_one_that_exists(block: Block) -> None:
    for line in block.commands():
        for part in re.split(r" && | \| ", line):
            check_command(shlex.split(part, comments=True), block)


def check_command(words: list[str], block: Block) -> None:
    """A program of ours exists and takes these arguments; one of others is known to the list above."""
    if not words:
        return
    program, *arguments = words
    if "-m" in arguments[:4] and arguments[arguments.index("-m") + 1] == "mta_eval":  # torchrun … -m mta_eval …
        program, arguments = "mta-eval", arguments[arguments.index("-m") + 2 :]
    if program == "mta-eval":
        # a study stands for its tasks and models; the page that has it is run as a whole
        stand_in = ["niah", "--model", "window:300"]
        parse([part for word in arguments for part in (stand_in if word.endswith(".toml") else [word])], block)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
        assert arguments[0] in targets, f"{block}: make {arguments[0]}"
    elif program == "pip":
        assert arguments[0] == "install", block
        extras = set(re.findall(r"mta-eval\[([\w-]+)\]", " ".join(arguments)))
        assert extras <= project()["optional-dependencies"].keys(), block
    elif program == "python" and arguments[:2] == ["-m", "pytest"]:
        assert all((ROOT / name).exists() for name in arguments[2:] if not name.startswith("-")), block
    elif program == "python":
        script, *options = arguments
        text = (ROOT / script).read_text()
        for option in options:
            if option.startswith("--"):
                parameter = rf'"{option}"|\b{option[2:].replace("-", "_")}: Annotated\['
                assert re.search(parameter, text), f"{block}: {script} has no {option}"
    elif program == "lm_eval":
        assert arguments[0] == "run", block
    else:
        recipe = "only" in block.test and block.text.startswith("#!/bin/bash")
        assert program in ELSEWHERE or recipe, f"{block}: what is {program}?"


def parse(arguments: list[str], block: Block) -> None:
    """What mta-eval's own parser makes of the arguments; it raises if it does not take them."""
    if arguments[0] == "lm-eval":
        assert arguments[1] in get_command(app).commands["lm-eval"].commands, block  # type: ignore[attr-defined]
        return
    assert arguments[0] in get_command(app).commands, f"{block}: mta-eval {arguments[0]}"  # type: ignore[attr-defined]
    command = get_command(app).commands[arguments[0]]  # type: ignore[attr-defined]
    meant = [re.sub(r"^\$.*", "3", word) for word in arguments[1:]]
    command.make_context(arguments[0], meant)


@pytest.mark.usefixtures("quick_pdfs")
@pytest.mark.parametrize("page", NAMED)
def test_the_blocks_of_a_page_run_in_order(
    page: str,
    call: Call,
    tmp_path: Path,
    llama_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_page(
        [block for block in blocks_of(NAMED[page]) if "slow" not in block.test], call, tmp_path, llama_folder, capsys
    )


SLOW = sorted({str(block.page.relative_to(ROOT)) for block in BLOCKS if "slow" in block.test})


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW)
def test_the_slow_blocks_of_a_page_run(
    page: str, call: Call, tmp_path: Path, llama_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_page([block for block in blocks_of(NAMED[page]) if "slow" in block.test], call, tmp_path, llama_folder, capsys)


def run_page(blocks: list[Block], call: Call, folder: Path, llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run blocks one after the other in one folder; the Python blocks of a page share their names."""
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        printed = ""
        if block.language == "python":
            exec(compile(block.text, str(block), "exec", dont_inherit=True), names)
            printed = capsys.readouterr().out
        elif block.language == "toml":
            assert tomllib.loads(block.text), block
        elif block.language == "yaml":
            assert list(yaml.safe_load_all(block.text)), block
        elif block.language == "bash" and "only" not in block.test:
            printed = "".join(run(line, "slow" in block.test, call, folder, block) for line in block.commands(llama))
        if "prints" in block.test:
            assert re.search(block.test["prints"], printed), f"{block} printed {printed}"
        for made in block.test.get("makes", ()):
            assert list(folder.glob(made)), f"{block} did not make {made}"


def run(line: str, apart: bool, call: Call, folder: Path, block: Block) -> str:
    """Run mta-eval, here or (`apart`) in a process of its own; other programs are not run."""
    words = shlex.split(line, comments=True)
    if words[0] not in ("mta-eval", "lm_eval"):
        return ""
    if apart or SHELL.search(line.partition(" #")[0]) or words[0] == "lm_eval":
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "default",
        }
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == 0, f"{block}: {line}\n{done.stderr}"
        return done.stdout
    code, printed, errors = call(*words[1:])
    assert code == 0, f"{block}: {line}\n{errors}"
    return printed


def project() -> dict[str, dict[str, object]]:
    """[project] of pyproject.toml."""
    found: dict[str, dict[str, object]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_every_page_is_in_the_navigation() -> None:
    class Loader(yaml.SafeLoader):
        pass

    navigation = json.dumps(yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"])
    for page in PAGES[1:]:
        assert f'"{page.relative_to(ROOT / "docs")}"' in navigation, page


def test_every_picture_of_the_documentation_is_used() -> None:
    texts = "".join(page.read_text() for page in PAGES)
    for picture in (ROOT / "docs/images").iterdir():
        assert f"images/{picture.name}" in texts, picture

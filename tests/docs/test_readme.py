"""The README: one page, links that a package index can follow, make targets that exist, a demo that runs."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
URLS = PROJECT["urls"]
LINKS = re.findall(r"\]\(([^)]+)\)|^\[\w+\]: (\S+)", README, flags=re.M)


def test_it_is_one_page_that_shows_your_own_model_first() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    assert "hf:PATH_OR_ID" in "\n".join(lines[:30])
    assert "--prompt chat" in "\n".join(lines[:30])


def test_its_links_are_absolute_and_lead_to_files_and_pages_that_exist() -> None:
    for target in ("".join(pair).replace("\n", "") for pair in LINKS):
        assert target.startswith("https://"), f"a package index cannot follow {target}"
        home, docs = URLS["Repository"], URLS["Documentation"]
        raw = home.replace("github.com", "raw.githubusercontent.com")
        if target.startswith(docs):
            page = target.removeprefix(docs).partition("#")[0] or "index.html"
            assert (ROOT / "docs" / page.replace(".html", ".md")).exists(), target
        elif target.startswith(raw):
            assert (ROOT / target.removeprefix(f"{raw}/main/")).exists(), target
        elif target.startswith(home):
            assert (ROOT / target.removeprefix(f"{home}/blob/main/")).exists(), target
        else:
            assert target.startswith("https://arxiv.org/abs/"), target


def test_the_home_of_the_project_is_written_the_same_everywhere() -> None:
    home = URLS["Repository"]
    for name in ("README.md", "mkdocs.yml", "CITATION.cff", "docs/install.md"):
        text = (ROOT / name).read_text()
        assert home in text, name
        for found in re.findall(r"https://github\.com/[\w.-]+/[\w.-]+", text):
            assert found == home, f"{name}: {found}"


def test_the_citation_has_the_version_and_the_licence_of_the_package() -> None:
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_make_has_the_targets_and_the_demo_runs(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    for target in ("demo", "test", "docs", "coverage", "mutants", "reproduce-letter-blocks", "reproduce-figures"):
        subprocess.run(["make", target, "-n"], cwd=ROOT, check=True, capture_output=True, env=environment)
    program = Path(sys.executable).parent
    if not (program / "mta-eval").exists():
        pytest.skip("mta-eval is not installed beside this interpreter")
    demo = tmp_path / "demo"
    settings = [f"BIN={program}", "MODEL=window:300", f"DEMO={demo}", "NEEDLES=2,4", "NEEDLE_REPEATS=1"]
    subprocess.run(
        ["make", "-o", "install", "-o", ".venv/.installed", "demo", *settings],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env=environment,
    )
    for report in (demo / "report", demo / "needles/report"):
        assert {path.suffix for path in report.iterdir()} == {".html", ".md", ".csv", ".png", ".svg", ".pdf"}

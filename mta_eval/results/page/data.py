"""Records -> what the page's script reads: an index of all samples, and blocks with the rest of each.

The index is JSON that the page parses at once: what is listed, filtered and searched. The blocks hold the texts around
the needles, which are most of the bytes; each is packed, and unpacked when a sample of it is opened.
"""

from __future__ import annotations

import base64
import json
import math
import shlex
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from mta_eval import scoring
from mta_eval.core import QuotedNeedle, Record, Run
from mta_eval.results.draws import sample_name
from mta_eval.results.grid import axis_value, axis_values
from mta_eval.results.labels import stored
from mta_eval.results.mistakes import KINDS
from mta_eval.results.page.sections import Section
from mta_eval.results.table import axis_text

BLOCK = 250  # samples that are packed together
FINISHES = {
    "stop": "by itself",
    "length": "by its budget of tokens",
    "refused": "by a refusal",
    "failed": "by a failure",
}
LISTED = ("length", "depth")  # the axes to filter by, beside task and model
UNSAFE = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def script_json(value: Any) -> Markup:
    """`value` as JSON that can stand in a <script>: no sign of it ends the element or starts a comment."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(UNSAFE))


def make_index(sections: Sequence[Section]) -> dict[str, Any]:
    """What the list of samples needs, samples in the order of `sections`. Each row holds

    name, task, model, length, depth (places in the lists beside), score, cut, kind of mistake (a place, or -1),
    section, grid, row, column, targets, output, error.
    """
    records = [record for section in sections for record in section.records]
    tasks, models = (list(dict.fromkeys(getattr(one, name) for one in records)) for name in ("task", "model"))
    axes = {name: axis_values(records, name) for name in LISTED}
    kinds = list(KINDS)
    look_up = [
        {value: place for place, value in enumerate(values)} for values in (tasks, models, *axes.values(), kinds)
    ]
    rows = [
        _row(record, kind, (number, *place), look_up)
        for number, section in enumerate(sections)
        for record, kind, place in zip(section.records, section.kinds, section.places, strict=True)
    ]
    return {
        "block": BLOCK,
        "tasks": tasks,
        "models": models,
        **{name: [axis_text(name, value) for value in values] for name, values in axes.items()},
        "kinds": kinds,
        "rules": {name: scoring.find(name).description for name in scoring.names()},
        "sections": [section.slug for section in sections],
        "rows": rows,
    }


def _row(record: Record, kind: str | None, cell: tuple[int, ...], look_up: Sequence[dict[Any, int]]) -> list[Any]:
    tasks, models, lengths, depths, kinds = look_up
    return [
        sample_name(record),
        tasks[record.task],
        models[record.model],
        lengths[axis_value(record, "length")],
        depths[axis_value(record, "depth")],
        _number(record.score),
        int(record.truncated),
        kinds.get(kind, -1),
        *cell,
        record.targets,
        record.output,
        record.error,
    ]


def make_blocks(sections: Sequence[Section], runs: Sequence[tuple[str, Run]]) -> Iterator[str]:
    """The rest of each sample, BLOCK samples in each text: JSON, packed by zlib, in base64."""
    records = [record for section in sections for record in section.records]
    commands: dict[tuple[str, str], tuple[str, str]] = {}
    for start in range(0, len(records), BLOCK):
        rest = [_rest(record, _command(record, runs, commands)) for record in records[start : start + BLOCK]]
        text = json.dumps(rest, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        yield base64.b64encode(zlib.compress(text.encode("utf-8", "replace"))).decode()


def _rest(record: Record, command: str) -> dict[str, Any]:
    return {
        "axes": {name: axis_text(name, value) for name, value in record.axes.items()},
        "tokens": record.prompt_tokens,
        "budget": record.max_new_tokens,
        "thought": record.thought,
        "finish": FINISHES.get(record.finish or "", ""),
        "unverified": record.unverified,
        "seconds": _number(record.seconds),
        "memory": record.peak_memory,
        "choices": record.choices,
        "needles": [_needle(needle) for needle in record.needles],
        "rules": {rule: _number(score) for rule, score in scoring.scores(stored(record)).items()},
        "command": command,
    }


def _needle(needle: QuotedNeedle) -> list[str | int | None]:
    """Text, before, after (both None in records of old versions, which kept neither), depth, first token, asked."""
    around = [needle.before, needle.after] if needle.before or needle.after else [None, None]
    return [needle.text, *around, axis_text("depth", needle.depth), needle.token_start, int(needle.asked)]


def _command(record: Record, runs: Sequence[tuple[str, Run]], known: dict[tuple[str, str], tuple[str, str]]) -> str:
    """What shows the sample in a terminal; the folder is "RUN" if no run is known to hold the record."""
    record = stored(record)
    pair = record.task, record.model
    if pair not in known:
        # where two runs hold one model, the record's has its run's name behind it
        names = [(name, record.model.removesuffix(f" ({name})"), run) for name, run in runs if record.task in run.tasks]
        held = [(name, model) for name, model, run in names if model in run.models]
        folder, model = held[0] if held else ("RUN", record.model)
        known[pair] = shlex.join(["mta-eval", "show", folder]), shlex.join(["--model", model])
    before, after = known[pair]
    seed = f" --seed {record.axes['seed']}" if "seed" in record.axes else ""
    return f"{before} {shlex.quote(record.sample_id)} {after}{seed}"


def _number(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None

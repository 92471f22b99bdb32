"""LongHeads (arXiv 2402.10685): the passkey figure of its repository beside passkey runs. Reported numbers stand here.

They are read off the picture `passkey_128k.png` of the released repository (LLaMA-2-7B, 50 trials a length).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mta_eval.core import Record, Run
from mta_eval.errors import StoreError
from mta_eval.results.curves import Curve, draw_curves
from mta_eval.results.statistics import Estimate, estimate
from mta_eval.results.table import GAP, count_text, interval_text, length_text, markdown_table, model_text, percent_text

REPORTED = {  # accuracy by length
    "LLaMA-2-7B": {4096: 1.0, 16384: 0.0, 32768: 0.0, 65536: 0.0, 131072: 0.0},
    "LongHeads on LLaMA-2-7B": {4096: 1.0, 16384: 0.94, 32768: 0.98, 65536: 0.96, 131072: 1.0},
}

Ladder = dict[int, tuple[Estimate, int]]  # length -> accuracy and how many samples


def write_longheads(records: Sequence[Record], runs: Sequence[tuple[str, Run]], out: Path) -> list[Path]:  # noqa: ARG001
    """Writes the passkey ladder of the models in `records` into the folder `out`; returns the paths.

    Raises StoreError if there are no passkey records, or `out` cannot be written. (`runs` is every paper's argument.)
    """
    ladders = passkey_ladders(records)
    if not ladders:
        raise StoreError("no passkey answers in these runs: nothing to set beside the paper; run the task passkey")
    try:
        out.mkdir(parents=True, exist_ok=True)
        table, page = out / "passkey.csv", out / "paper.md"
        pictures = draw_ladders(ladders, out / "passkey")
        table.write_text(_frame(ladders).to_csv(index=False), encoding="utf-8")
        page.write_text(_page(ladders), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write to {error.filename or out}: {error.strerror or error}") from error
    return [page, table, *pictures]


def passkey_ladders(records: Sequence[Record]) -> dict[str, Ladder]:
    """For each model its accuracy at passkey by length, in the order of the records; failed samples do not count."""
    scores: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record.task.partition(":")[0] == "passkey" and record.score is not None:
            scores[record.model][record.axes["length"]].append(record.score)
    return {
        model: {length: (estimate(found), len(found)) for length, found in sorted(ladder.items())}
        for model, ladder in scores.items()
    }


def draw_ladders(ladders: dict[str, Ladder], path: Path) -> list[Path]:
    """Accuracy by length, measured with 95 % intervals, and as reported."""
    lengths = _lengths(ladders)
    places = {length: float(place) for place, length in enumerate(lengths)}
    curves = [_curve(model_text(model), ladder, places) for model, ladder in ladders.items()]
    for name, points in REPORTED.items():
        shares = list(points.values())
        xs = [places[length] for length in points]
        curves.append(Curve(f"reported: {name}", xs, shares, shares, shares, joined=False))
    labels = ("length (tokens)", "accuracy")
    return draw_curves(curves, "Passkey retrieval", labels, path, ticks=[length_text(length) for length in lengths])


def _lengths(ladders: dict[str, Ladder]) -> list[int]:
    """All that was measured or reported."""
    measured = {length for ladder in ladders.values() for length in ladder}
    return sorted(measured | {length for points in REPORTED.values() for length in points})


def _curve(name: str, ladder: Ladder, places: dict[int, float]) -> Curve:
    found = [estimate for estimate, _ in ladder.values()]
    xs = [places[length] for length in ladder]
    return Curve(name, xs, [one.mean for one in found], [one.low for one in found], [one.high for one in found])


def _frame(ladders: dict[str, Ladder]) -> pd.DataFrame:
    """One row for each model and length, measured or reported, with how many samples stand behind it."""
    rows: list[dict[str, object]] = [
        {"source": "measured", "model": model, "length": length, "samples": count, **one._asdict()}
        for model, ladder in ladders.items()
        for length, (one, count) in ladder.items()
    ]
    rows += [
        {"source": "reported", "model": model, "length": length, "mean": share, "samples": 50}
        for model, points in REPORTED.items()
        for length, share in points.items()
    ]
    return pd.DataFrame(rows, columns=["source", "model", "length", "mean", "low", "high", "samples"])


def _page(ladders: dict[str, Ladder]) -> str:
    lengths = _lengths(ladders)
    head = ["length", *(f"reported: {name}" for name in REPORTED), *(model_text(model) for model in ladders)]
    rows = [
        [
            length_text(length),
            *(percent_text(points[length]) if length in points else GAP for points in REPORTED.values()),
            *(_cell(ladder, length) for ladder in ladders.values()),
        ]
        for length in lengths
    ]
    return "\n".join(
        [
            "# LongHeads: passkey retrieval\n",
            "Reported: read off the figure of the released repository, LLaMA-2-7B, 50 trials a length. Measured:\n"
            "these runs, accuracy with its 95 % interval. Other models, other prompts: compare shapes, not figures.\n",
            markdown_table(head, rows, left=1),
            "![accuracy by length](passkey.png)\n",
        ]
    )


def _cell(ladder: Ladder, length: int) -> str:
    if length not in ladder:
        return GAP
    one, count = ladder[length]
    return f"{percent_text(one.mean)} {interval_text(one.low, one.high)}, {count_text(one.mean, count)}"

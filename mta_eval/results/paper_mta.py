"""Multi-Token Attention (arXiv 2504.00927v2): its Table 1 beside letter-block runs. Reported numbers stand here.

The single seeds are those of the released code's own notes (H100).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import pandas as pd

from mta_eval.core import Record, Run
from mta_eval.errors import StoreError
from mta_eval.results.curves import Curve, draw_curves
from mta_eval.results.table import GAP, markdown_table
from mta_eval.results.trained import KINDS, Spread, Trained, curve, trained_models

NAMES = {"transformer": "Transformer", "mta": "MTA", "diff": "DIFF", "talking_heads": "Talking heads"}
HEAD = (
    "model",
    "block",
    "target",
    "reported",
    "seeds reported",
    "preset",
    "measured",
    "seeds measured",
    "letters wrong",
)


class Reported(NamedTuple):
    """Errors in per cent over three seeds: mean, sample standard deviation, and each seed where it is known."""

    mean: float
    std: float
    seeds: dict[str, float] = {}  # noqa: RUF012  (never changed)


TABLE_1 = {  # (attention, letters in a block, target)
    ("transformer", 5, "all"): Reported(51.6, 43.1, {"42": 77.7, "43": 75.3, "44": 1.9}),
    ("transformer", 5, "first"): Reported(78.2, 1.5),
    ("transformer", 5, "last"): Reported(1.3, 0.4),
    ("transformer", 8, "all"): Reported(31.2, 50.3),
    ("transformer", 8, "first"): Reported(28.9, 24.9),
    ("transformer", 8, "last"): Reported(58.4, 46.8),
    ("mta", 5, "all"): Reported(0.1, 0.1, {"42": 0.0, "43": 0.0, "44": 0.2}),
    ("mta", 5, "first"): Reported(0.0, 0.0),
    ("mta", 5, "last"): Reported(0.0, 0.0),
    ("mta", 8, "all"): Reported(0.1, 0.0),
    ("mta", 8, "first"): Reported(0.0, 0.0),
    ("mta", 8, "last"): Reported(0.0, 0.0),
}


def write_mta(records: Sequence[Record], runs: Sequence[tuple[str, Run]], out: Path) -> list[Path]:
    """Writes Table 1 and its curves for the letter-block records of `runs` into the folder `out`; returns the paths.

    Raises StoreError if there are none of trained models of the family, or `out` cannot be written.
    """
    models = trained_models(records, runs)
    if not models:
        raise StoreError("no answers of trained models of the family to letter_blocks in these runs: nothing to set")
    try:
        out.mkdir(parents=True, exist_ok=True)
        table, page = out / "table_1.csv", out / "paper.md"
        pictures = [path for axis in ("position", "letter") for path in _draw(models, axis, out)]
        table.write_text(_frame(models).to_csv(index=False), encoding="utf-8")
        page.write_text(_page(models, pictures), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write to {error.filename or out}: {error.strerror or error}") from error
    return [page, table, *pictures]


def table_1(models: Sequence[Trained]) -> list[list[str]]:
    """Rows of texts under HEAD: all that is reported, and all that was measured, one row for each task and
    preset of a kind."""
    rows = []
    keys = [*TABLE_1, *dict.fromkeys(_key(one) for one in models if _key(one) not in TABLE_1)]
    for key in sorted(keys, key=lambda key: (key[1], key[2], KINDS.index(key[0]))):
        reported = TABLE_1.get(key)
        said = [GAP, GAP]
        if reported:
            seeds = " · ".join(f"{seed}: {share:.1f}" for seed, share in reported.seeds.items())
            said = [f"{reported.mean:.1f} ± {reported.std:.1f}", seeds or GAP]
        ours: dict[tuple[str, str], list[Trained]] = {}
        for one in models:
            if _key(one) == key:
                ours.setdefault((one.task, one.preset), []).append(one)
        found = [_measured(group) for group in ours.values()] or [[GAP] * 4]
        rows += [[NAMES[key[0]], str(key[1]), key[2], *said, *texts] for texts in found]
    return rows


def _key(one: Trained) -> tuple[str, int, str]:
    return one.attention, one.block, one.target


def _measured(group: Sequence[Trained]) -> list[str]:
    spread = Spread({_seed(one, group): one.wrong for one in group})
    letters = mean(one.letters_wrong for one in group)
    return [group[0].preset, spread.text, spread.seeds_text, f"{100 * letters:.1f}"]


def _seed(one: Trained, group: Sequence[Trained]) -> str:
    """Its seed, or its name where another has the same."""
    return one.seed if sum(other.seed == one.seed for other in group) == 1 else one.model


def _frame(models: Sequence[Trained]) -> pd.DataFrame:
    """One row for each model measured, with what is reported for its kind; errors in per cent."""
    rows: list[dict[str, Any]] = []
    for one in models:
        reported = TABLE_1.get(_key(one))
        rows.append(
            {
                **{name: getattr(one, name) for name in ("attention", "block", "target", "preset", "seed", "task")},
                "model": one.model,
                "samples": len(one.records),
                "measured": 100 * one.wrong,
                "measured_letters": 100 * one.letters_wrong,
                "reported_seed": reported.seeds.get(one.seed) if reported else None,
                "reported_mean": reported.mean if reported else None,
                "reported_std": reported.std if reported else None,
            }
        )
    return pd.DataFrame(rows)


def _draw(models: Sequence[Trained], axis: str, out: Path) -> list[Path]:
    """A picture for each task: errors by "position" of the target, or by "letter" of the answer."""
    labels = {"position": "place of the target among the blocks", "letter": "letter of the answer"}[axis]
    paths: list[Path] = []
    for number, task in enumerate(dict.fromkeys(one.task for one in models)):
        curves = []
        for kind in KINDS:
            group = [one for one in models if (one.task, one.attention) == (task, kind)]
            if not group:
                continue
            points = curve(group, axis)
            lines = [getattr(one, f"by_{axis}")() for one in group]
            singles = [[mean(line[x]) if x in line else None for x in points] for line in lines] if lines[1:] else []
            means, lows, highs = (list(column) for column in zip(*points.values(), strict=True))
            curves.append(Curve(NAMES[kind], list(points), means, lows, highs, singles))
        what = "answers" if axis == "position" else "letters"
        stem = out / (f"by_{axis}" if not number else f"by_{axis}_{number + 1}")
        paths += draw_curves(curves, f"{task}: wrong {what}", (labels, f"wrong {what}"), stem)
    return paths


def _page(models: Sequence[Trained], pictures: Sequence[Path]) -> str:
    samples = sorted({len(one.records) for one in models})
    tasks = " · ".join(f"`{task}`" for task in dict.fromkeys(one.task for one in models))
    presets = ", ".join(dict.fromkeys(one.preset for one in models))
    each = " or ".join(map(str, samples))
    parts = [
        "# Multi-Token Attention, Table 1: letter blocks\n",
        "Wrong answers in per cent, mean ± sample standard deviation over seeds. Reported: the paper, arXiv\n"
        "2504.00927, whose task has 319 characters; its seeds are from the released code's notes (H100). Measured:\n"
        f"these runs, on {tasks}, models trained with the preset {presets}, {each} samples for each seed.\n"
        "Letters are compared as they were generated.\n",
        markdown_table(HEAD, table_1(models), left=3),
        "A mean over seeds says little where some seeds solve the task and others do not: look at every seed.\n",
    ]
    parts += [f"![{path.stem}]({path.name})\n" for path in pictures if path.suffix == ".png"]
    return "\n".join(parts)

"""The samples that lm-eval kept of our tasks (`--log_samples`) as a run: their docs are our samples whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mta_eval.core import Record, Run, Sweep
from mta_eval.errors import StoreError
from mta_eval.outside import read_json, regular
from mta_eval.results.json_fields import as_string
from mta_eval.results.record_json import read_record

COPIED = ("task", "axes", "targets", "prompt_tokens", "max_new_tokens", "choices", "needles")
NOT_OURS = "holds no samples of our tasks in lm-eval; for those of others see mta-eval rescore"


def read_samples_file(path: Path) -> tuple[Run, list[Record]]:
    """The question and records of a samples_*.jsonl. Raises StoreError if it cannot be read or is of other tasks.

    The model's name is put together from the results_*.json beside it as a spec, so that the same model in another
    run has the same name; without that file it is the folder's. lm-eval keeps no seconds a sample.
    """
    rows = list(_rows(path))
    if not rows:
        raise StoreError(f"{str(path)!r} is empty")
    if rows[0].get("metrics") == ["bypass"]:
        raise StoreError(f"{str(path)!r} has answers without scores (--predict_only); score them with mta-eval rescore")
    try:
        model = _model(path)
        records = [_record(row, model) for row in rows]
        seeds = [row["doc"]["seed"] for row in rows]
        if len(set(seeds)) > 1:
            records = [record.with_seed(seed) for record, seed in zip(records, seeds, strict=True)]
        cells = [row["doc"]["axes"] for row in rows]
        sweep = Sweep(
            tuple(dict.fromkeys(cell["length"] for cell in cells)),
            tuple(dict.fromkeys(row["doc"]["depth"] for row in rows)),
            len({cell["repeat"] for cell in cells}),
            seeds[0],
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise StoreError(f"{str(path)!r} {NOT_OURS}") from error
    tasks = tuple(dict.fromkeys(record.task for record in records))
    return Run(tasks, (model,), sweep, "generate", "refuse", "", {}, {"asked by": "lm-eval"}), records


def _record(row: dict[str, Any], model: str) -> Record:
    doc = row["doc"]
    fields = {
        "sample_id": doc["id"],
        "model": model,
        "output": row["filtered_resps"][0],
        "score": row["acc"],
        "seconds": math.nan,
        "prompt_sha256": hashlib.sha256(as_string(doc["prompt"], "prompt").encode()).hexdigest(),
        **{key: doc[key] for key in COPIED},
        "draw": doc.get("draw", ""),  # samples of earlier versions have none
    }
    return read_record(json.dumps(fields))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with regular(path).open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield dict(read_json(line))
                except (ValueError, TypeError) as error:
                    raise StoreError(f"{str(path)!r} line {number} is damaged") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {str(path)!r}: {error}") from error


def _model(path: Path) -> str:
    stamp = path.stem.rpartition("_")[2]
    try:
        about = read_json((path.parent / f"results_{stamp}.json").read_text("utf-8"))
        model, arguments = about["config"]["model"], about["config"]["model_args"]
        if isinstance(arguments, str):  # as Python callers give it
            arguments = dict(pair.partition("=")[::2] for pair in arguments.split(",") if pair)
        source = arguments.pop("pretrained", about["model_name"])
        return f"{model}:{source}" + "".join(f",{key}={_text(value)}" for key, value in arguments.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return path.resolve().parent.name


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""What was given -> the files to read, each with its kind (told by its content), model, task, length and setting."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from mta_eval.errors import TextError
from mta_eval.outside import read_json, regular, resolved
from mta_eval.results.store import QUESTION, RECORDS
from mta_eval.whole_files import is_unfinished

SUFFIXES = (".csv", ".json", ".jsonl")
UNITS = {"": 1, "k": 1024, "m": 1024**2}
BABILONG_NAME = re.compile(r"(?:^|[_-])(qa\d{1,2})[_-](\d+[kKmM]?)(?:_(.*))?$")
LENGTH_IN_NAME = re.compile(r"_(\d+[kKM])(?:_|$)")
LM_EVAL_NAME = re.compile(r"samples_(?P<task>.+?)(?:_(?P<stamp>\d{4}-\d{2}-\d{2}T[\d.:-]+))?$")
# every task that InfiniteBench has predictions for; the longer names first, as some begin alike
INFINITEBENCH_TASKS = (
    *("kv_retrieval_prefix", "kv_retrieval_both", "kv_retrieval", "number_string", "passkey", "code_run", "code_debug"),
    *("math_find", "math_calc", "longdialogue_qa_eng", "longbook_choice_eng", "longbook_sum_eng", "longbook_qa_eng"),
    "longbook_qa_chn",
)
KINDS: tuple[
    tuple[str, set[str], set[str]], ...
] = (  # the keys that an object of each kind has; of those in brackets it has at least one
    ("records", {"sample_id", "axes", "targets"}, set()),
    ("lm_eval", {"doc"}, {"filtered_resps", "resps"}),
    ("needlehaystack", {"context_length", "depth_percent"}, {"model_response", "score"}),
    ("nolima", {"test_name", "gold_answers", "results"}, set()),
    ("helmet", {"args", "data", "averaged_metrics"}, set()),
    ("longbench", {"pred", "answers", "all_classes"}, set()),
    ("longbench_v2", {"answer", "response", "judge"}, set()),
    ("ruler", {"outputs", "pred"}, set()),
    ("infinitebench", {"ground_truth"}, set()),
    ("infinitebench", {"label"}, {"prediction", "pred"}),
)


@dataclass(frozen=True)
class AnswerFile:
    """A file of stored answers. `task`, `setting` are "" and `length` (tokens) None where its name does not tell.

    `setting`: what tells apart two files of one model, task and length, such as BABILong's prompt setting.
    `named`: the user named this very file, it was not found in a folder.
    """

    path: Path
    kind: str
    model: str = ""
    task: str = ""
    length: int | None = None
    setting: str = ""
    named: bool = True


def find_sources(paths: Sequence[Path]) -> tuple[list[AnswerFile], list[Path]]:
    """The answer files among `paths` (files, run folders, folders to search), and the files that are none.

    A file named by the user must be one; in a folder, others are passed over. The same file counts once.
    Raises TextError for what cannot be read, is of no known kind, or if nothing is found.
    """
    sources: dict[Path, AnswerFile] = {}
    passed: list[Path] = []
    for given in paths:
        for path, named in _files(given):
            kind = _kind(path)
            if not kind and named:
                raise TextError(_unknown(path))
            if kind:
                sources.setdefault(resolved(path), _describe(path, kind, given, named))
            else:
                passed.append(path)
    if not sources:
        raise TextError(f"no stored answers in {', '.join(map(str, paths))}; name result files or their folders")
    return _label_runs(_label_models(list(sources.values()))), passed


@lru_cache
def length_in_name(text: str) -> int | None:
    """A length as BABILong writes it, in tokens: "0k" -> 0, "4k" -> 4096, "1M" -> 1048576; None if it is none."""
    match = re.fullmatch(r"([0-9]+)([kKmM]?)", text.strip())
    # a beginning of 30 digits is as far out of range as all of thousands, which Python would not read
    return int(match[1][:30]) * UNITS[match[2].lower()] if match else None


def _files(given: Path) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether the user named it. A run folder stands for its records."""
    if not given.exists():
        raise TextError(f"there is no {str(given)!r}")
    if not given.is_dir():
        yield given, True
    elif (given / QUESTION).exists():
        yield given / RECORDS, True
    else:
        for path in sorted(given.rglob("*")):
            # a run folder's reports and tables hold no answers
            in_run = any((folder / QUESTION).exists() for folder in path.parents if folder.is_relative_to(given))
            unfinished = any(map(is_unfinished, path.relative_to(given).parents))
            if unfinished or path.suffix not in SUFFIXES or (in_run and path.name != RECORDS):
                continue
            if path.is_file():
                yield path, False


def _kind(path: Path) -> str:
    """The kind of a file by its first row, "" if it is none that we know. Raises TextError if it cannot be read."""
    try:
        if path.suffix == ".csv":
            with regular(path).open(encoding="utf-8-sig", newline="") as table:
                return "babilong" if {"target", "output"} <= set(next(csv.reader(table), [])) else ""
        with regular(path).open("rb") as file:
            first = next((line for line in file if line.strip()), b"")
        return _kind_of(_first_object(first.decode("utf-8-sig"), path))
    except UnicodeDecodeError as error:
        raise TextError(f"{str(path)!r} is no UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise TextError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        if path.suffix == ".jsonl":
            raise TextError(f"{str(path)!r} line 1 is damaged: {error}") from error
        return ""


def _first_object(line: str, path: Path) -> object:
    try:
        first = read_json(line) if line else None
    except ValueError:  # one object over many lines
        if path.suffix == ".jsonl":
            raise
        first = read_json(path.read_text("utf-8-sig"))
    return first[0] if isinstance(first, list) and first else first


def _kind_of(first: object) -> str:
    keys = set(first) if isinstance(first, dict) else set()
    return next((kind for kind, all_of, any_of in KINDS if all_of <= keys and (not any_of or keys & any_of)), "")


def _unknown(path: Path) -> str:
    if path.stat().st_size == 0:
        return f"{str(path)!r} is empty"
    if path.suffix == ".json":
        try:
            read_json(path.read_text("utf-8-sig"))
        except ValueError as error:
            return f"{str(path)!r} line {getattr(error, 'lineno', 1)} is damaged: {getattr(error, 'msg', error)}"
    return (
        f"{str(path)!r} holds no answers of a known kind; those are mta-eval records, lm-eval samples_*.jsonl, "
        "BABILong CSVs (columns target, output, question), predictions of InfiniteBench, LongBench and RULER, "
        "results of NoLiMa, HELMET and needlehaystack"
    )


def _describe(path: Path, kind: str, given: Path, named: bool) -> AnswerFile:
    inside = path.parent.relative_to(given).as_posix() if given.is_dir() else "."
    folder = path.parent.resolve().name if inside == "." else inside
    source = AnswerFile(path, kind, model=folder, named=named)
    if kind == "babilong" and (match := BABILONG_NAME.search(path.stem)):
        return replace(source, task=match[1], length=length_in_name(match[2]), setting=match[3] or "")
    if kind == "infinitebench":
        return _describe_infinitebench(source)
    if kind == "lm_eval" and (match := LM_EVAL_NAME.search(path.stem)):
        return replace(source, task=match["task"], length=_lm_eval_length(path, match["task"], match["stamp"]))
    if kind == "ruler":
        return _describe_ruler(source)
    if kind == "longbench":
        return replace(source, task=f"longbench_{path.stem}")
    if kind == "longbench_v2":
        return replace(source, task=kind, model=path.stem)
    return replace(source, task="needlehaystack") if kind == "needlehaystack" else source


def _lm_eval_length(path: Path, task: str, stamp: str | None) -> int | None:
    """The one length of a run, from its task's name or from the results file beside it; None if neither tells.

    lm-eval's BABILong runs one length at a time and writes it into no sample.
    """
    if match := LENGTH_IN_NAME.search(task):
        return length_in_name(match[1])
    try:
        results = read_json((path.parent / f"results_{stamp}.json").read_text("utf-8-sig"))
        lengths = results["configs"][task]["metadata"]["max_seq_lengths"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(lengths, list):
        lengths = [lengths]
    return length_in_name(str(lengths[0])) if len(lengths) == 1 else None


def _describe_infinitebench(source: AnswerFile) -> AnswerFile:
    before, _, after = source.path.stem.rpartition("preds_")
    task = next((name for name in INFINITEBENCH_TASKS if after.startswith(name)), "")
    if not task:
        task = next((name for name in INFINITEBENCH_TASKS if name in source.path.stem), "")
    return replace(source, task=task, model=before.rstrip("_-") or source.model)


def _describe_ruler(source: AnswerFile) -> AnswerFile:
    """RULER writes MODEL/synthetic/LENGTH/pred/TASK.jsonl, or TASK-0.jsonl in several pieces."""
    parents = resolved(source.path).parents
    in_layout = len(parents) > 3 and parents[0].name == "pred"
    task = re.sub(r"-\d+$", "", source.path.stem)
    if not in_layout:
        return replace(source, task=task)
    return replace(source, task=task, length=length_in_name(parents[1].name), model=parents[3].name)


def _label_models(sources: list[AnswerFile]) -> list[AnswerFile]:
    """Two folders of one name are two models: their paths tell them apart."""
    folders: dict[tuple[str, str], set[Path]] = defaultdict(set)
    for source in sources:
        folders[source.kind, source.model].add(_home(source))
    return [
        replace(source, model=f"{source.model} ({_home(source).as_posix()})")
        if source.kind not in ("records", "needlehaystack") and len(folders[source.kind, source.model]) > 1
        else source
        for source in sources
    ]


def _home(source: AnswerFile) -> Path:
    return source.path.parents[3] if source.path.parent.name == "pred" else source.path.parent


def _label_runs(sources: list[AnswerFile]) -> list[AnswerFile]:
    """lm-eval stamps each run with its time, and our runs have their folder: with several, that is the setting."""
    runs = sum(source.kind == "records" for source in sources)
    counts: dict[tuple[str, str, int | None], int] = defaultdict(int)
    for source in sources:
        counts[source.model, source.task, source.length] += source.kind == "lm_eval"
    labelled = []
    for source in sources:
        if source.kind == "records" and runs > 1:
            source = replace(source, setting=source.path.parent.resolve().name)
        stamp = LM_EVAL_NAME.search(source.path.stem) if source.kind == "lm_eval" else None
        if stamp and counts[source.model, source.task, source.length] > 1:
            source = replace(source, setting=stamp["stamp"] or source.path.stem)
        labelled.append(source)
    return labelled

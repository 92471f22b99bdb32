"""A suite, asked part by part: each is a run folder of its own, so a stopped suite goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mta_eval import registry, runner
from mta_eval.core import Model, Plan, Record, Sweep
from mta_eval.errors import SpecError, StoreError
from mta_eval.evaluation import answer_all
from mta_eval.papers import reproduction
from mta_eval.papers.suites.parts import BENCHMARKS, TEXT, Part, Suite


@dataclass(frozen=True)
class Choices:
    """What the user chose of a suite: `lengths` () are the suite's own, `limit` bounds the docs of a benchmark."""

    repeats: int
    seed: int = 0
    lengths: tuple[int, ...] = ()
    text: str = ""
    without: tuple[str, ...] = ()
    limit: int | None = None
    include_path: Path | None = None


class Ended(NamedTuple):
    """A suite that was run: the run folders of its own tasks, and how many samples failed."""

    runs: list[Path]
    failed: int


def run_suite(
    suite: Suite,
    models: Mapping[str, Model],
    choices: Choices,
    out: Path,
    say: Callable[[Iterable[str]], None],
    summarise: Callable[[Sequence[Record], Path], None],
) -> Ended:
    """Run every part, then write the paper's tables. `say` and `summarise` tell the user of what is done.

    What is wrong or missing (lengths, texts, data sets) is found before anything is asked. Raises MtaEvalError.
    """
    if (out / "run.json").exists():
        raise StoreError(
            f"{str(out)!r} is a run of its own, and the suite's report would overwrite its report; choose another --out"
        )
    plans = plans_of(suite, models, choices)
    wanted = suite.benchmarks if BENCHMARKS not in choices.without else {}
    benchmarks = None
    if wanted:
        from mta_eval.integrations.lm_eval.benchmarks import Benchmarks

        benchmarks = Benchmarks(wanted, choices.limit, choices.include_path)
    failed = 0
    for name, plan in plans.items():
        say([f"{name}: {', '.join(plan.tasks)}"])
        records = answer_all(plan, out / name)
        summarise(records, out / name)
        failed += sum(record.error is not None for record in records)
    if benchmarks:
        summarise(benchmarks.ask(models, out / BENCHMARKS, say), out / BENCHMARKS)
    runs = [out / name for name in (*plans, *([BENCHMARKS] if benchmarks else []))]
    try:
        say(map(str, reproduction.draw_papers([suite.paper], runs, out / "paper", 0)))
    except StoreError as error:  # at lengths of one's own there may be nothing to set beside the paper
        say([f"no tables of the paper: {error}"])
    return Ended([out / name for name in plans], failed)


def plans_of(suite: Suite, models: Mapping[str, Model], choices: Choices) -> dict[str, Plan]:
    """What there is to ask, by the part's name; every part was checked. Raises MtaEvalError."""
    known = [*suite.parts, *([BENCHMARKS] if suite.benchmarks else [])]
    for name in choices.without:
        if name not in known:
            raise SpecError(f"--without: the suite has no part {name!r}{registry.did_you_mean(name, known)}")
    left = [name for name in known if name not in choices.without]
    if not left:
        raise SpecError(f"--without leaves nothing of the suite; its parts are {', '.join(known)}")
    _check_benchmarks(choices, left)
    parts = {name: part for name, part in suite.parts.items() if name not in choices.without}
    if reading_parts := [name for name, part in parts.items() if part.wants_text and not choices.text]:
        raise SpecError(
            f"{reading_parts[0]} needs texts: name a file, a folder with a file for each domain, or dataset:NAME with "
            f"--text, or leave the part out with --without {reading_parts[0]}"
        )
    plans = {name: _plan(part, models, choices) for name, part in parts.items()}
    for plan in plans.values():
        runner.check(plan)
    return plans


def _check_benchmarks(choices: Choices, left: Sequence[str]) -> None:
    if BENCHMARKS not in left:
        if choices.limit is not None or choices.include_path is not None:
            option = "--include-path" if choices.limit is None else "--limit"
            raise SpecError(f"{option} is for benchmarks, and none are asked here; leave it out")
    elif choices.include_path is not None and not choices.include_path.is_dir():
        raise SpecError(f"--include-path: no such folder: {str(choices.include_path)!r}")


def _plan(part: Part, models: Mapping[str, Model], choices: Choices) -> Plan:
    tasks = registry.build_all([spec.replace(TEXT, choices.text) for spec in part.tasks], registry.build_task)
    widest = max(model.max_length for model in models.values())
    lengths = choices.lengths or tuple(length for length in part.lengths if length <= widest)
    sweep = Sweep(lengths, part.depths, choices.repeats * part.draws, choices.seed)
    return Plan(tasks, models, sweep)

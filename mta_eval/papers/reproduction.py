"""The page of a paper from runs, or from the shipped checkpoints: their answers, parameter counts and attention."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval import registry
from mta_eval.core import Plan, Record, Run, Sweep
from mta_eval.evaluation import answer_all
from mta_eval.results.inspection import attention_pictures

if TYPE_CHECKING:
    from mta_eval.papers.source import Attention

SEEDS = (42, 43, 44)
SHIPPED = ("letter-blocks-mta", "letter-blocks-transformer")
SEED = 1000  # of the samples, as `make reproduce-letter-blocks` has it
FOLDER = "runs/letter-blocks"
KINDS = ("transformer", "diff", "talking_heads", "mta")  # as the paper's Table 7 has them


def draw_papers(
    names: Sequence[str], runs: Sequence[Path], out: Path, samples: int, attention: bool = False
) -> list[Path]:
    """Write the pages of the papers `names` into `out`, with the values of `runs`; returns the paths, pages first.

    Without runs those of the shipped checkpoints are read, which `run_shipped` makes, `samples` rows each, and their
    attention is drawn; there are none for longheads. Raises StoreError if runs fill no cell of these papers, or `out`
    cannot be written.
    """
    from mta_eval import papers
    from mta_eval.papers.source import PageSource
    from mta_eval.results import several

    note = shipped_runs_note(out, samples) if not runs and "mta" in names else ""
    folders = list(runs) or ([out / FOLDER] if note else [])
    questions, records, missing = several.read_several(folders)
    note += "".join(f" Not finished: `{folder}` lacks {count:,} samples." for folder, count in missing.items())
    with drawn_attention(questions, records if attention or note else []) as drawn:
        counts = parameter_counts() if "mta" in names else {}
        return papers.write_papers(PageSource(records, questions, counts, drawn, note.strip()), out, names)


def run_shipped(out: Path, samples: int) -> tuple[Path, list[Record]]:
    """Ask the shipped checkpoints `samples` rows of letter blocks in `out`/runs/letter-blocks: folder, records.

    What was answered before is kept. Raises StoreError if the folder holds another question.
    """
    plan = Plan(
        tasks=registry.build_all(["letter_blocks"], registry.build_task),
        models=registry.build_all(_specs(), registry.build_model),
        sweep=Sweep((), (None,), samples, SEED),
    )
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # so small models are slower on threads that wait for one another
    return out / FOLDER, answer_all(plan, out / FOLDER)


def shipped_runs_note(out: Path, samples: int) -> str:
    """The sentence about the runs of `run_shipped`: why they were made, and by which command."""
    models = " ".join(f"--model {spec}" for spec in _specs())
    return (
        f"No runs were given: the checkpoints of the package were measured, {samples} samples for each, by the command "
        f"`mta-eval run letter_blocks {models} --depths any --repeats {samples} --seed {SEED} --out {out / FOLDER}`. "
        "They answer letter blocks alone."
    )


def parameter_counts() -> dict[str, int]:
    """Parameters of our own models of the paper's 880M, by attention; no weights are made."""
    import torch

    from mta_eval.attention.configuration import preset
    from mta_eval.attention.decoder import MTAForCausalLM

    with torch.device("meta"):
        return {kind: int(MTAForCausalLM(preset("880M", kind)).num_parameters()) for kind in KINDS}


@contextmanager
def drawn_attention(questions: Sequence[tuple[str, Run]], records: Sequence[Record]) -> Iterator[Attention | None]:
    """Pictures of where the runs' models look in one sample: needles if there are any, else letter blocks, else any.

    One model of each name and seeds aside; None if no model can be looked into. The pictures last as long as the block.
    """
    from mta_eval.papers.source import Attention

    tasks = list(dict.fromkeys(record.task for record in records))
    preferred = [task for name in ("niah", "letter_blocks", "") for task in tasks if task.startswith(name)]
    runs = [dataclasses.replace(run, models=_first_of_each_training(run)) for _, run in questions]
    with tempfile.TemporaryDirectory() as folder:
        pictures = [Path(folder) / f"attention{suffix}" for suffix in (".png", ".svg")]
        draw = attention_pictures(runs, records) if preferred else None
        lines = [draw(preferred[0], picture) for picture in pictures] if draw else [[]]
        yield Attention(preferred[0], pictures, lines[0]) if lines[0] else None


def _first_of_each_training(run: Run) -> tuple[str, ...]:
    """The first model of each training: one of its seeds is enough to look at."""
    facts = run.settings
    kinds = {name: {**facts.get(name, {}), "seed": "", "name": ""} for name in run.models}
    for name, kind in kinds.items():
        if "attention" not in kind:
            kind["name"] = name
    models = {tuple(sorted(kinds[name].items())): name for name in reversed(run.models)}
    return tuple(models.values())[::-1]


def _specs() -> list[str]:
    return [name if seed == SEEDS[0] else f"{name}:seed={seed}" for name in SHIPPED for seed in SEEDS]

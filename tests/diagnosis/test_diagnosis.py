"""A diagnosis: what is asked, its table, and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from mta_eval import registry
from mta_eval.core import PromptSettings, Record
from mta_eval.diagnosis.asking import diagnosis_plan, diagnosis_specs
from mta_eval.diagnosis.diagnose import diagnosis_table, mechanism_of, rows_of
from mta_eval.diagnosis.mechanisms import DRAWS, MECHANISMS, PRESETS

Call = Callable[..., tuple[int, str, str]]
TASKS = [task for mechanism in MECHANISMS for task in mechanism.tasks]


def answered(task: str, model: str, scores: Sequence[float], length: int = 512) -> list[Record]:
    return [
        Record(
            *(f"{task}/{length}/any/{n}", task, model, {"length": length, "repeat": n}, [str(n)], "7"),
            *(score, 100, 8, 0.1),
            prompt_sha256="a",
            draw=f"{length}/{n}",
        )
        for n, score in enumerate(scores)
    ]


def test_every_task_is_asked_once_under_its_canonical_name() -> None:
    assert len(set(TASKS)) == len(TASKS)
    assert [registry.spec_of(registry.build_task(task)) for task in TASKS] == TASKS


@pytest.mark.parametrize(
    ("task", "mechanism"),
    [
        ("conjunction:answer=number", "two keys at once"),
        ("conjunction:answer=number,prompt=chat", "two keys at once"),
        ("conjunction:shared=0,answer=number,prompt=chat", "two keys at once"),
        ("conjunction:asked=3", ""),
        ("graph", "sets"),
    ],
)
def test_a_task_is_of_its_mechanism_in_any_form(task: str, mechanism: str) -> None:
    assert mechanism_of(task) == mechanism


def test_each_model_is_asked_beside_its_baselines_at_the_lengths_that_it_takes() -> None:
    models = registry.build_all(["window:100", "smollm2"], registry.build_model)
    tasks = registry.build_all(["niah"], registry.build_task)
    plan = diagnosis_plan(tasks, models, PromptSettings(), (), "laptop", 3, 7)
    assert list(plan.models)[:2] == ["window:100", "smollm2"]
    assert set(plan.models) - set(models) == {
        f"{name}:of={model}" for name in ("bag", "chance", "copier") for model in models
    }
    assert (plan.sweep.lengths, plan.sweep.depths) == (PRESETS["laptop"], (None,))
    assert (plan.sweep.repeats, plan.sweep.seed) == (3 * DRAWS, 7)
    only = registry.build_all(["smollm2"], registry.build_model)
    far = diagnosis_plan(tasks, only, PromptSettings(), (), "gpu", 3, 7)
    assert far.sweep.lengths == tuple(n for n in PRESETS["gpu"] if n <= only["smollm2"].max_length)
    assert diagnosis_plan(tasks, models, PromptSettings(), (300,), "gpu", 3, 7).sweep.lengths == (300,)


def test_tasks_without_a_chat_are_left_out_of_chats_alone() -> None:
    models = registry.build_all(["window:100"], registry.build_model)
    assert diagnosis_specs(models, "task") == (TASKS, [])
    assert diagnosis_specs(models, "auto") == (TASKS, [])  # it has no template
    asked, left_out = diagnosis_specs(models, "chat")
    assert left_out == ["induction:cue=1", "induction:cue=3"]
    assert asked == [task for task in TASKS if task not in left_out]


def test_the_table_has_a_row_for_each_task_and_model_and_none_for_baselines() -> None:
    records = [
        *answered("graph", "m", [0.0] * 8),
        *answered("niah:needles=4", "m", [1.0] * 8),
        *answered("niah:needles=4", "m", [0.0] * 8, length=1024),
        *answered("niah:needles=4", "bag:of=m", [0.0] * 8),
        *answered("niah:needles=4", "bag:of=m", [0.0] * 8, length=1024),
        *answered("niah:needles=4", "chance:of=m", [0.0] * 8),
        *answered("niah:needles=4", "n", [1.0] * 8),
    ]
    rows = rows_of(records)
    assert [(row.mechanism, row.task, row.model) for row in rows] == [
        *(("one key", "niah:needles=4", "m"), ("one key", "niah:needles=4", "n"), ("sets", "graph", "m")),
    ]
    head, (first, _, last) = diagnosis_table(rows)
    assert head == ["mechanism", "task", "model", "512", "1K", "best baseline", "lift (points)", "holds to"]
    assert first[3].startswith("100 % [")
    assert first[4].startswith("0 % [")
    assert first[5] == "bag 0 %"
    assert first[6].startswith("+50 [")
    assert first[7].startswith("512")
    assert last[4:] == ["–", "–", "–", "–"]


def test_a_star_marks_a_lift_that_is_sure() -> None:
    sure = [*answered("graph", "m", [1.0] * 20), *answered("graph", "bag", [0.0] * 20)]
    unsure = [*answered("graph", "m", [1.0, 0.0]), *answered("graph", "bag", [0.0, 0.0])]
    texts = [diagnosis_table(rows_of(records))[1][0][5] for records in (sure, unsure)]
    assert [text.endswith("*") for text in texts] == [True, False]


def test_the_command_asks_prints_and_writes_the_diagnosis(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "diagnosis"
    sizes = ("--lengths", "1100", "--repeats", "1")
    code, printed, error = call("suite", "diagnose", "--model", "window:9000", *sizes, "--out", str(out))
    assert (code, "mta-eval:" in error) == (0, False), error
    assert "rounds of a chat" in printed
    frame = pd.read_csv(out / "diagnosis.csv")
    assert list(frame["task"]) == TASKS
    assert set(frame["mean"]) == {1.0}
    assert {*frame["baseline"]} <= {f"{name}:of=window:9000" for name in ("bag", "chance", "copier")}
    text = (out / "diagnosis.md").read_text()
    assert all(f"| {task} |" in text for task in TASKS)
    assert (out / "diagnosis.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diagnose", "--text", "prose"), "--text is of a paper"),
        (("diagnose", "--limit", "3"), "--limit is of a paper"),
        (("mta-paper", "--preset", "gpu"), "--preset is of a diagnosis"),
        (("mta-paper", "--prompt", "chat"), "--prompt is of a diagnosis"),
    ],
)
def test_options_of_other_suites_are_refused(call: Call, tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    code, _, error = call("suite", *arguments, "--model", "window:9", "--out", str(tmp_path / "x"))
    assert code == 2
    assert said in error

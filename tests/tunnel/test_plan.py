"""What is trained, in which order, and that a stopped tunnel gives what an undisturbed one gives."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_tunnel import TINY, result, run, tiny_plan

from mta_eval import registry
from mta_eval.errors import ModelError, SpecError
from mta_eval.training.training_folder import TrainingFolder
from mta_eval.tunnel import plan as plans
from mta_eval.tunnel import training_run
from mta_eval.tunnel.plan import TunnelOutcome, best_rate, run_plan, with_changes
from mta_eval.tunnel.presets import PRESETS, find_preset
from mta_eval.tunnel.rows.drawing import longer
from mta_eval.tunnel.training_run import SWEEP_SEED, DiagnosticRows, TrainingResult, TunnelTraining, train_variant
from mta_eval.tunnel.tunnel_markdown import as_markdown
from mta_eval.tunnel.tunnel_result import tunnel_of

ONE = ("copy:length=2,kinds=3",)
PLUGIN = Path(__file__).parents[1] / "helpers/plugin_package/alibi.py"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ADDED, "attention", {})


def files_of(folder: Path) -> dict[str, bytes]:
    """All but what the clock says."""
    kept = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "log.jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            kept[str(path.relative_to(folder))] = repr([{**line, "seconds": 0} for line in lines]).encode()
        elif path.name == "evaluation.json":
            kept[str(path.relative_to(folder))] = repr({**json.loads(path.read_text()), "step_seconds": 0}).encode()
        elif path.is_file():
            kept[str(path.relative_to(folder))] = path.read_bytes()
    return kept


def test_every_pair_is_swept_then_trained_with_every_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 1.0, 0.5])  # of both rates, pair after pair

    def train(training: TunnelTraining, **_: object) -> TrainingResult:
        return replace(result(0.5, validation_loss=next(losses) if training.is_sweep else 9.0), training=training)

    monkeypatch.setattr(plans, "train_variant", train)
    plan, ended = tiny_plan(), []
    outcomes = run_plan(plan, tmp_path, "cpu", 1, ended.append)
    assert len(ended) == len(plan) == 2 * 2 * (2 + 2)
    counts = Counter((one.training.task, one.training.kind, one.training.seed) for one in ended)
    tasks = ["copy:length=2,kinds=3", "order:items=2,questions=1,kinds=8"]
    pairs = [(task, kind) for task in tasks for kind in ("mta", "transformer")]
    assert counts == {(*pair, seed): times for pair in pairs for seed, times in ((SWEEP_SEED, 2), (0, 1), (1, 1))}
    assert {one.training.schedule.steps for one in ended if one.training.is_sweep} == {3}
    assert {one.training.schedule.steps for one in ended if not one.training.is_sweep} == {6}
    assert [(one.task, one.label) for one in outcomes] == pairs
    assert [one.rate for one in outcomes] == [1e-2, 1e-3, 1e-3, 1e-2]
    assert outcomes[0].sweep == {1e-3: 2.0, 1e-2: 1.0}
    for one in outcomes:
        assert [result.training.seed for result in one.results] == [0, 1]
        assert {result.training.learning_rate for result in one.results} == {one.rate}


def test_the_variant_in_question_comes_first_and_once() -> None:
    plan = tiny_plan("mta", ("transformer", "mta", "transformer"))
    assert [variant.kind for variant in plan.variants] == ["mta", "transformer"]


def test_all_is_the_same_for_every_variant() -> None:
    plan = tiny_plan(str(PLUGIN), ("transformer", "mta"), match="none")
    made = [plan.sweep(task, variant) + plan.trainings(task, variant, 1e-3) for task, variant in plan.pairs()]
    kinds = {one.kind for trainings in made for one in trainings}
    assert kinds == {"alibi", "transformer", "mta"}
    for task in plan.tasks:
        protocols = [
            [(one.learning_rate, one.seed, one.size, one.schedule, one.tested) for one in trainings]
            for trainings in made
            if trainings[0].task == task
        ]
        assert protocols.count(protocols[0]) == 3


def test_one_rate_needs_no_sweep(tmp_path: Path) -> None:
    plan = tiny_plan(rates=(1e-3,), seeds=1, tasks=ONE)
    outcomes = run(plan, tmp_path)
    assert len(plan) == 2
    assert [(one.rate, one.sweep, one.is_at_edge) for one in outcomes] == [(1e-3, {}, False)] * 2


def test_a_tunnel_again_trains_nothing_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = tiny_plan(tasks=ONE)
    first = run(plan, tmp_path)
    before = files_of(tmp_path)
    monkeypatch.setattr(training_run, "train_in_folder", None)
    assert run(plan, tmp_path) == first
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("moment", [0, pytest.param(1, marks=pytest.mark.slow), 7])
def test_a_stopped_tunnel_goes_on_as_if_nothing_had_been(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(tasks=ONE)
    whole = run(plan, tmp_path / "whole")
    left = [moment]

    def stopping(*step_and_loss: Any) -> None:
        left[0] -= step_and_loss[1] == 3
        if left[0] < 0:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training_run.Unwatched, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(plan, tmp_path / "stopped")
    again = run(plan, tmp_path / "stopped")
    assert files_of(tmp_path / "stopped") == files_of(tmp_path / "whole")
    assert [_timeless(one) for one in again] == [_timeless(one) for one in whole]


def _timeless(one: TunnelOutcome) -> Any:
    return one.task, one.label, one.sweep, [(result.wrong, result.wrong_longer, result.steps) for result in one.results]


@pytest.mark.slow
def test_processes_change_nothing(tmp_path: Path) -> None:
    plan = tiny_plan(str(PLUGIN))
    one, two = run(plan, tmp_path / "one"), run(plan, tmp_path / "two", 3)
    assert [_timeless(outcome) for outcome in one] == [_timeless(outcome) for outcome in two]
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    run(tiny_plan("transformer", tasks=ONE, rates=(1e-3,), seeds=1), tmp_path)
    with pytest.raises(ModelError, match="trains with batch 4, not 5; name another folder"):
        run(tiny_plan("transformer", tasks=ONE, rates=(1e-3,), seeds=1, batch=5), tmp_path)


def test_a_file_that_was_changed_is_another_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes(PLUGIN.read_bytes())
    run(tiny_plan(str(file), tasks=ONE, rates=(1e-3,), seeds=1), tmp_path / "out")
    monkeypatch.setitem(registry.ADDED, "attention", {})
    file.write_text(file.read_text() + "\nnew = 1\n")
    with pytest.raises(ModelError, match=r"trains with digest \w+, not \w+; name another folder"):
        run(tiny_plan(str(file), tasks=ONE, rates=(1e-3,), seeds=1), tmp_path / "out")


def test_a_file_that_was_moved_is_the_same_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = []
    for name in ("first", "second"):
        file = tmp_path / f"{name}.py"
        file.write_bytes(PLUGIN.read_bytes())
        monkeypatch.setitem(registry.ADDED, "attention", {})
        outcomes.append(run(tiny_plan(str(file), tasks=ONE, rates=(1e-3,), seeds=1), tmp_path / "out"))
    assert [_timeless(one) for one in outcomes[0]] == [_timeless(one) for one in outcomes[1]]


def test_the_same_tunnel_elsewhere_gives_the_same_tables(tmp_path: Path) -> None:
    """But for the seconds, which stand in the last table."""
    plan = tiny_plan(tasks=ONE, seeds=3)
    first, again = (as_markdown(tunnel_of(plan, "tiny", run(plan, tmp_path / where))) for where in ("here", "there"))
    assert first.split("## Seconds a step")[0] == again.split("## Seconds a step")[0]


def test_two_specs_of_one_kind_are_two_variants(tmp_path: Path) -> None:
    plan = tiny_plan("mta", ("mta:convolution_layers=0,query_kernel_before={1,2}",), tasks=ONE, rates=(1e-3,), seeds=1)
    labels = ["mta", "mta:convolution_layers=0,query_kernel_before=1", "mta:convolution_layers=0,query_kernel_before=2"]
    assert [variant.label for variant in plan.variants] == labels
    outcomes = run(plan, tmp_path)
    assert [one.label for one in outcomes] == labels
    assert len({one.results[0].parameters for one in outcomes}) == 3
    recipe = json.loads((tmp_path / outcomes[1].results[0].training.name / "recipe.json").read_text())
    assert recipe["options"] == "convolution_layers=0,query_kernel_before=1"
    assert len(list((tmp_path / "copy-length=2,kinds=3").iterdir())) == 3


def test_what_the_check_remarks_is_in_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "check_variant", lambda *_: ["model.x"])
    remark = "MTA on copy:length=2,kinds=3: model.x has no influence there: its gradient is 0."
    assert remark in tiny_plan(tasks=ONE).notes


def test_a_folder_has_one_tunnel_at_a_time(tmp_path: Path) -> None:
    plan = tiny_plan("transformer", tasks=ONE)
    first = plan.sweep(plan.tasks[0], plan.variants[0])[0]
    folder = TrainingFolder(tmp_path / first.name, first.described())
    with folder.alone(), pytest.raises(ModelError, match="is in use by another training"):
        run(plan, tmp_path)


def test_more_seeds_and_tasks_are_added_to_a_folder(tmp_path: Path) -> None:
    first = run(tiny_plan("transformer", seeds=1, tasks=ONE), tmp_path)
    more = run(tiny_plan("transformer"), tmp_path)
    assert more[0].results[0] == first[0].results[0]


def test_the_least_loss_wins_and_of_equal_ones_the_smallest_rate() -> None:
    def swept(**losses: float) -> list[TrainingResult]:
        made = []
        for number, loss in enumerate(losses.values(), 1):
            one = result(0.5, SWEEP_SEED, validation_loss=loss)
            made.append(replace(one, training=replace(one.training, learning_rate=number)))
        return made

    assert best_rate(swept(a=3.0, b=1.0, c=2.0)) == 2
    assert best_rate(swept(a=3.0, b=1.0, c=1.0)) == 2
    assert best_rate(swept(a=math.inf, b=5.0)) == 2
    assert best_rate(swept(a=math.inf, b=math.inf)) == 1


def test_a_training_that_diverges_is_an_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mta_eval.training.trainer import DivergedError, Trainer

    really = Trainer._check

    def check(trainer: Trainer, loss: float) -> None:
        if trainer.schedule.learning_rate == 1e-2 and trainer.step == 2:
            raise DivergedError("x")
        really(trainer, loss)

    monkeypatch.setattr(Trainer, "_check", check)
    plan = tiny_plan(tasks=ONE)
    one, _ = run(plan, tmp_path)
    assert one.sweep == {1e-3: pytest.approx(one.sweep[1e-3]), 1e-2: math.inf}
    assert one.rate == 1e-3
    gone, _ = run(tiny_plan(tasks=ONE, rates=(1e-2,)), tmp_path / "all")
    assert [(one.diverged, one.wrong, one.steps, one.solved_at) for one in gone.results] == [(True, 1.0, 2, None)] * 2
    assert run(tiny_plan(tasks=ONE, rates=(1e-2,)), tmp_path / "all")[0] == gone


def test_a_task_that_is_solved_ends_its_training_but_no_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "ENOUGH", 1.0)
    monkeypatch.setattr(training_run, "SOLVED", 1.0)
    ended: list[TrainingResult] = []
    run_plan(tiny_plan("transformer", tasks=ONE), tmp_path, "cpu", 1, ended.append)
    assert [(one.training.is_sweep, one.steps, one.solved_at) for one in ended] == [
        *[(True, 3, 2)] * 2,
        *[(False, 2, 2)] * 2,
    ]


def test_what_is_held_out_is_the_same_for_every_seed() -> None:
    task = registry.build_diagnostic("copy")
    first, second = DiagnosticRows(task, 0), DiagnosticRows(task, 1)
    for stream in ("validation", "test"):
        assert first(stream, 3) == second(stream, 3) == task.row(stream, 0, 3)  # type: ignore[arg-type]
    assert first("training", 3) != second("training", 3) == task.row("training", 1, 3)
    assert first.answers == [list(range(-24, 0))]


def test_results_are_those_of_the_rows(tmp_path: Path) -> None:
    """The errors in a result, counted again with the model that the training left."""
    import torch

    from mta_eval.attention.decoder import MTAForCausalLM

    plan = tiny_plan(tasks=("order:items=2,questions=1,kinds=8",), seeds=1, tested=40, steps=40)
    one = run(plan, tmp_path)[0].results[0]
    model = MTAForCausalLM.from_pretrained(tmp_path / one.training.name).eval()
    task = registry.build_diagnostic(one.training.task)
    for asked, found in ((task, one.wrong), (longer(task, 4), one.wrong_longer)):
        rows = torch.tensor([asked.row("test", 0, index) for index in range(40)])
        with torch.no_grad():
            says = model(rows).logits.argmax(-1)
        assert found == pytest.approx(float((says[:, -2] != rows[:, -1]).double().mean()))
    assert one.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_training_leaves_torchs_threads_as_they_were(tmp_path: Path) -> None:
    import torch

    torch.set_num_threads(2)
    try:
        plan = tiny_plan()
        train_variant(next(iter(plan.trainings(plan.tasks[0], plan.variants[0], 1e-3))), tmp_path, "cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_broken_variant_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="'no_mask' is refused before training: it is not causal"):
        tiny_plan("broken_attention:NoMask")
    with pytest.raises(ModelError, match="'no_mask' is refused"):
        tiny_plan("mta", ("broken_attention:NoMask",))


def test_every_task_is_one_that_variants_are_checked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    monkeypatch.setattr(
        plans, "check_variant", lambda variant, task, _: checked.append((variant.label, task.name)) or []
    )
    tiny_plan()
    assert set(checked) == {(kind, name) for kind in ("mta", "transformer") for name in ("copy", "order")}


def test_tasks_without_longer_rows_are_refused() -> None:
    with pytest.raises(SpecError, match=r"associative_recall:pairs=40 has no rows that are 4 times longer"):
        tiny_plan(tasks=("associative_recall:pairs=40",))


def test_changes_of_a_preset() -> None:
    assert with_changes(TINY, 0, 0, ()) == TINY
    assert with_changes(TINY, 0, 0, (), "none").match == "none"
    changed = with_changes(PRESETS["laptop"], 5, PRESETS["laptop"].steps * 2, (1e-4,))
    assert (changed.seeds, changed.rates) == (5, (1e-4,))
    assert changed.sweep_steps == PRESETS["laptop"].sweep_steps * 2
    assert with_changes(PRESETS["laptop"], 0, 1, ()).sweep_steps == 1
    for rates in ((0.0,), (-1.0,), (1e-3, 1e-3), (math.inf,)):
        with pytest.raises(SpecError, match="learning rates are different numbers above 0"):
            with_changes(TINY, 0, 0, rates)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_of_tasks_and_variants_that_there_are(name: str) -> None:
    preset = find_preset(name)
    for spec in preset.tasks:
        assert longer(registry.build_diagnostic(spec), 4)
    assert set(preset.against) <= registry.names("attention").keys()
    assert preset.sweep_steps < preset.steps


def test_there_is_no_other_preset() -> None:
    with pytest.raises(SpecError, match="there is no preset 'gpus'; did you mean 'gpu'"):
        find_preset("gpus")

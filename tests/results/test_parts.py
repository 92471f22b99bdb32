"""What a run was asked, as the fewest blocks; the same whatever way it grew."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import pytest
from test_store import RUN, record

from mta_eval import registry
from mta_eval.core import Cell, Plan, RunPart, Sweep
from mta_eval.results.parts import (
    cell_or_none,
    in_order,
    membership,
    parts_of_plan,
    parts_of_run,
    parts_of_samples,
    samples_in,
    united,
)

PLAN = Plan(
    registry.build_all(["niah", "perplexity:windows=3"], registry.build_task),
    registry.build_all(["window:300", "window:600"], registry.build_model),
    Sweep((256, 512), (0.0, 0.5, None), 2, 7),
)


def part(lengths: tuple[int, ...], depths: tuple[float | None, ...], repeats: int, **changes: object) -> RunPart:
    made = RunPart(("niah",), ("window:300",), Sweep(lengths, depths, repeats))
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_parts_of_a_plan_are_its_sweep_and_the_windows_of_the_texts_that_are_read() -> None:
    both = ("window:300", "window:600")
    parts = parts_of_plan(PLAN)
    assert parts == (
        RunPart(("niah",), both, Sweep((256, 512), (None, 0.0, 0.5), 2, 7)),
        RunPart(("perplexity:windows=3",), both, Sweep((256, 512), (None,), 3, 7)),
    )
    assert samples_in(parts) == len(PLAN)
    seeds = replace(PLAN, tasks={"niah": PLAN.tasks["niah"]}, seeds=(7, 9))
    assert [one.sweep.seed for one in parts_of_plan(seeds)] == [7, 9]
    assert samples_in(parts_of_plan(seeds)) == len(seeds)


def test_lengths_that_nobody_named_are_named_in_the_parts() -> None:
    tasks = registry.build_all(["niah", "passkey"], registry.build_task)
    (own,) = parts_of_plan(Plan(tasks, PLAN.models, Sweep((), (0.5,), 1)))
    assert own.sweep.lengths == (2048, 4096)


def test_what_is_in_two_parts_is_counted_once() -> None:
    one, other = part((512,), (0.0, 1.0), 5), part((512, 1024), (1.0,), 2)
    assert samples_in([one, other]) == 12
    assert united([one], [other], RUN) == (part((512,), (0.0, 1.0), 5), part((1024,), (1.0,), 2))
    assert united([one], [part((512,), (0.0,), 3)], RUN) == (one,)
    assert united([part((512,), (0.0,), 0)], [], RUN) == ()


def test_places_with_other_repeats_are_other_parts() -> None:
    more = united([part((512, 1024), (0.0, 1.0), 2)], [part((512,), (0.0,), 3)], RUN)
    assert more == (part((512,), (0.0,), 3), part((512,), (1.0,), 2), part((1024,), (0.0, 1.0), 2))
    assert samples_in(more) == 9


@pytest.mark.parametrize("seed", range(20))
def test_the_parts_hold_the_same_samples_whatever_way_they_came_together(seed: int) -> None:
    chance = random.Random(seed)
    run = replace(RUN, tasks=("niah", "passkey"), models=("a", "b"))
    steps = [
        RunPart(
            tuple(chance.sample(run.tasks, chance.randint(1, 2))),
            tuple(chance.sample(run.models, chance.randint(1, 2))),
            Sweep(
                tuple(chance.sample((256, 512, 1024), chance.randint(1, 3))),
                tuple(chance.sample((None, 0.0, 0.25, 1.0), chance.randint(1, 4))),
                chance.randint(1, 3),
                chance.randint(0, 1),
            ),
        )
        for _ in range(5)
    ]
    samples = {
        (task, model, one.sweep.seed, cell)
        for one in steps
        for task, model, cell in product(one.tasks, one.models, one.sweep.cells())
    }
    grown = united((), (), run)
    for one in steps:
        grown = united(grown, [one], run)
    assert grown == united(chance.sample(steps, 5), (), run)
    assert samples_in(grown) == len(samples)
    is_there = membership(grown)
    for task, model, length, depth in product(run.tasks, run.models, (256, 512, 1024, 2048), (None, 0.0, 0.25, 1.0)):
        for number, of_seed in product(range(4), range(3)):
            cell = Cell(length, depth, number)
            assert is_there(task, model, of_seed, cell) == ((task, model, of_seed, cell) in samples)


def test_a_run_of_an_earlier_version_is_its_whole_sweep_but_for_lengths_beyond_a_window() -> None:
    (whole,) = parts_of_run(RUN, [])
    assert (whole.tasks, whole.models, samples_in([whole])) == (("niah",), ("window:300",), 8)
    two = replace(RUN, models=("window:300", "hf:x"), environment={"lengths beyond the window": {"hf:x": [1024]}})
    assert samples_in(parts_of_run(two, [])) == 12
    assert {model: part.sweep.lengths for part in parts_of_run(two, []) for model in part.models} == {
        "window:300": (512, 1024),
        "hf:x": (512,),
    }
    assert samples_in(parts_of_run(replace(two, environment={**two.environment, "samples": 12}), [])) == 12


def test_a_depth_is_the_one_that_the_ids_of_its_samples_have() -> None:
    thirds = replace(PLAN, tasks={"niah": PLAN.tasks["niah"]}, sweep=Sweep((256,), (1 / 3, 2 / 3), 1))
    parts = parts_of_plan(thirds)
    ids = [f"niah/{cell}" for cell in thirds.sweep.cells()]
    cells = [cell for one in ids if (cell := cell_or_none(one))]
    blocks = [("niah", model, 0) for model in thirds.models]
    assert parts == parts_of_samples(((block, cell) for block in blocks for cell in cells), ["niah"], [*thirds.models])
    assert all(membership(parts)("niah", "window:300", 0, cell) for cell in [*cells, *thirds.sweep.cells()])
    assert not membership(parts)("niah", "window:300", 0, Cell(256, 0.33333, 0))


@pytest.mark.parametrize("sample_id", ["arc_easy/12", "niah/512/2.00/0", "niah/512/x/0", "niah/512/0.5/x"])
def test_an_id_that_names_no_cell_is_none_of_ours(sample_id: str) -> None:
    assert cell_or_none(sample_id) is None


def test_where_the_sweep_of_an_earlier_version_does_not_say_what_was_asked_the_records_do() -> None:
    counted = replace(RUN, environment={"samples": 46})  # texts: as many windows as they have
    assert parts_of_run(counted, [record(0), record(2)]) == (part((512,), (0.0,), 3),)
    unnamed = replace(RUN, sweep=replace(RUN.sweep, lengths=()))
    assert parts_of_run(unnamed, [record(1)]) == (part((512,), (0.0,), 2),)
    assert parts_of_run(unnamed, [record(0, sample_id="arc_easy/12")]) == ()


def test_records_come_in_the_order_of_a_run_that_asks_all_at_once() -> None:
    run = replace(RUN, tasks=("passkey", "niah"), models=("b", "a"))
    ids = [
        f"{length}/{depth}/{repeat}"
        for length in (512, 1024)
        for repeat in (0, 10)
        for depth in ("1.00", "0.00", "any")
    ]
    ordered = [
        record(0, model=model, task=task, sample_id=f"{task}/{end}", axes={"seed": seed})
        for model in run.models
        for task in run.tasks
        for seed in (0, 1)
        for end in ids
    ]
    mixed = random.Random(0).sample(ordered, len(ordered))
    assert in_order(run, mixed) == ordered
    foreign = [record(0, sample_id=f"arc_easy/{number}", task="x") for number in (2, 10, 1)]
    assert in_order(run, foreign) == foreign

"""The order in which groups are assigned and records leave."""

from __future__ import annotations

from dataclasses import replace

from mta_eval import registry, runner
from mta_eval.core import Plan, Record, SampleKey, Sweep
from mta_eval.distributed.replica import ModelFacts, Replica, Workspace
from mta_eval.distributed.work_queue import SampleGroup, WorkQueue, sample_groups

PLAN = Plan(
    registry.build_all(["niah", "passkey"], registry.build_task),
    registry.build_all(["window:300", "window:400"], registry.build_model),
    Sweep((256, 512), (0.0, 0.5, 1.0), 2),
)
FACTS = {name: ModelFacts.of(model) for name, model in PLAN.models.items()}


def answered(queue: WorkQueue, group: SampleGroup) -> list[Record]:
    return list(Replica().answer(Workspace.current(), queue.request(group)))


def ids(records: list[Record]) -> list[SampleKey]:
    return [(record.model, int(record.axes.get("seed", 0) or 0), record.sample_id) for record in records]


def test_a_group_is_one_haystack_at_all_its_depths() -> None:
    made = list(sample_groups(PLAN, ()))
    assert len(made) == 16
    assert all(len(group.cells) == 3 for group in made)
    assert all(len({(cell.length, cell.repeat) for cell in group.cells}) == 1 for group in made)
    in_order = [(group.model, 0, f"{group.task}/{cell}") for group in made for cell in group.cells]
    assert in_order == ids(list(runner.run(PLAN)))


def test_what_is_done_is_in_no_group() -> None:
    everything = ids(list(runner.run(PLAN)))
    left = [
        (group.model, group.seed, f"{group.task}/{cell}")
        for group in sample_groups(PLAN, set(everything[:7]))
        for cell in group.cells
    ]
    assert left == everything[7:]


def test_records_leave_in_order_whatever_order_they_come_in() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    asked: list[SampleGroup] = []
    while group := queue.next_group(16):
        asked.append(group)
    gone: list[Record] = []
    for group in reversed(asked):
        assert gone == []
        group.records.extend(answered(queue, group))
        gone += queue.take_ready()
    assert queue.finished
    assert ids(gone) == ids(list(runner.run(PLAN)))


def test_no_more_groups_than_allowed_are_ahead_of_the_first_unfinished_one() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    first, second = queue.next_group(2), queue.next_group(2)
    assert first is not None
    assert second is not None
    assert queue.next_group(2) is None
    second.records.extend(answered(queue, second))
    assert list(queue.take_ready()) == []
    assert queue.next_group(2) is None
    first.records.extend(answered(queue, first))
    assert len(list(queue.take_ready())) == 6
    assert queue.next_group(2) is not None


def test_records_of_the_first_group_leave_one_by_one() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    group = queue.next_group(1)
    assert group is not None
    for record in answered(queue, group):
        group.records.append(record)
        assert list(queue.take_ready()) == [record]


def test_a_group_that_comes_back_is_asked_for_the_rest_alone_and_before_all_others() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    group = queue.next_group(4)
    assert group is not None
    group.records.append(answered(queue, group)[0])
    queue.put_back(group)
    assert queue.next_group(4) is group
    assert queue.request(group).cells == group.cells[1:]


def test_a_group_that_is_given_up_becomes_errors_with_the_prompts_hash() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    group = queue.next_group(4)
    assert group is not None
    whole = answered(queue, group)
    group.records.append(whole[0])
    queue.fail(group, "its worker died")
    due = list(queue.take_ready())
    assert due[0] is whole[0]
    assert [(record.error, record.score, record.output) for record in due[1:]] == [("its worker died", None, None)] * 2
    assert [record.prompt_sha256 for record in due] == [record.prompt_sha256 for record in whole]


def test_when_a_run_ends_early_what_came_before_its_turn_is_not_lost() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    first, second = queue.next_group(4), queue.next_group(4)
    assert first is not None
    assert second is not None
    first.records.append(answered(queue, first)[0])
    assert len(list(queue.take_ready())) == 1
    second.records.extend(answered(queue, second))
    assert list(queue.take_unordered()) == second.records


def test_a_queue_has_no_records_of_what_is_done() -> None:
    everything = ids(list(runner.run(PLAN)))
    queue = WorkQueue(PLAN, set(everything[:7]), FACTS)
    records: list[Record] = []
    while group := queue.next_group(1):
        group.records.extend(answered(queue, group))
        records += queue.take_ready()
    assert ids(records) == everything[7:]
    assert queue.finished


def test_a_request_has_the_witness_of_its_task_and_model() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    hashes = {(record.model, record.sample_id): record.prompt_sha256 for record in runner.run(PLAN)}
    while group := queue.next_group(16):
        request = queue.request(group)
        assert (request.model, request.task, request.facts) == (group.model, group.task, FACTS[group.model])
        assert hashes[group.model, f"{group.task}/{request.witness_cell}"] == request.witness_sha256


def test_groups_that_come_back_are_answered_in_their_order() -> None:
    queue = WorkQueue(PLAN, (), FACTS)
    first, second = queue.next_group(4), queue.next_group(4)
    assert first is not None
    assert second is not None
    queue.put_back(first)
    queue.put_back(second)
    assert [queue.next_group(4), queue.next_group(4)] == [first, second]


def test_a_plan_of_several_seeds_is_answered_in_its_order_with_the_seed_as_an_axis() -> None:
    both = replace(PLAN, seeds=(5, 6))
    queue = WorkQueue(both, (), FACTS)
    records: list[Record] = []
    while group := queue.next_group(1):
        if group.seed == 6 and group.task == "passkey":
            queue.fail(group, "its worker died")
        else:
            group.records.extend(answered(queue, group))
        records += queue.take_ready()
    here = list(runner.run(both))
    assert ids(records) == ids(here)
    assert [record.prompt_sha256 for record in records] == [record.prompt_sha256 for record in here]

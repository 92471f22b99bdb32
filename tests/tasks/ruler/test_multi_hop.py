from __future__ import annotations

from collections.abc import Callable

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.ruler.multi_hop import MultiHop

Audit = Callable[[Sample, FastTokenizer], None]


@pytest.mark.parametrize("spec", ["hops=1", "hops=8,distractors=3", "hops=3,haystack=noise", "order=reversed"])
def test_every_length_is_filled(spec: str, tokenizer: FastTokenizer, audit: Audit) -> None:
    task = build_task(f"multi_hop:{spec}")
    for repeat, (length, depth) in enumerate(((2600, 0.0), (2811, 0.4), (3003, 1.0), (2700, None))):
        audit(task.sample(Cell(length, depth, repeat), 0, tokenizer), tokenizer)


@pytest.mark.parametrize("order", ["forward", "reversed", "shuffled"])
def test_facts_stand_in_their_order_and_the_last_of_them_at_its_depth(order: str, byte_bpe: FastTokenizer) -> None:
    task = MultiHop(hops=4, distractors=2, order=order)  # type: ignore[arg-type]
    orders = set()
    for repeat in range(12):
        sample = task.sample(Cell(4096, 0.5, repeat), 0, byte_bpe)
        start = sample.prompt.rpartition("Start in ")[2].partition(" and go")[0]
        asked = {needle.key: needle for needle in sample.needles if needle.asked}
        chain, here = [], start
        while here in asked:
            chain.append(asked[here])
            here = asked[here].value
        assert (len(chain), here) == (4, sample.targets[0])
        assert chain[-1].depth == pytest.approx(0.5, abs=0.02)
        places = [needle.token_start for needle in chain]
        orders.add(tuple(sorted(range(4), key=places.__getitem__)))
        assert len(sample.needles) == 12
    expected = {"forward": {(0, 1, 2, 3)}, "reversed": {(3, 2, 1, 0)}}
    assert orders == expected[order] if order in expected else len(orders) > 4


def test_no_city_is_of_two_chains_and_choices_hold_one_answer(byte_bpe: FastTokenizer) -> None:
    for repeat, (hops, more) in enumerate(((1, 0), (1, 1), (2, 2), (8, 8))):
        sample = MultiHop(hops=hops, distractors=more).sample(Cell(4096, 0.2, repeat), 0, byte_bpe)
        cities = [needle.key for needle in sample.needles] + [
            needle.value for needle in sample.needles if needle.value not in {other.key for other in sample.needles}
        ]
        assert len(set(cities)) == len(cities) == (hops + 1) * (more + 1)
        assert len(set(sample.choices)) == len(sample.choices) == max(4, hops + more)
        assert sample.targets[0] in sample.choices
        assert (sample.axes["hops"], sample.axes["distractors"], sample.axes["order"]) == (hops, more, "shuffled")


def test_all_depths_of_a_repeat_share_their_chains(byte_bpe: FastTokenizer) -> None:
    shown = [MultiHop().sample(Cell(4096, depth, 0), 0, byte_bpe) for depth in (0.0, 0.5, 1.0)]
    assert len({sample.targets for sample in shown}) == len({sample.draw for sample in shown}) == 1
    assert len({tuple(sorted(needle.text for needle in sample.needles)) for sample in shown}) == 1
    assert MultiHop().sample(Cell(4096, 0.0, 1), 0, byte_bpe).draw != shown[0].draw


def test_the_answer_is_the_end_and_no_city_on_the_way(byte_bpe: FastTokenizer) -> None:
    task = MultiHop(hops=3)
    sample = task.sample(Cell(2048, 0.5, 0), 0, byte_bpe)
    assert task.score(sample, f" {sample.targets[0]}.") == 1
    assert {task.score(sample, f" {needle.key}") for needle in sample.needles} == {0}


@pytest.mark.parametrize("options", ["hops=0", "hops=9", "distractors=-1", "hops=8,distractors=60", "order=sorted"])
def test_options_out_of_range_are_refused(options: str) -> None:
    with pytest.raises(SpecError):
        build_task(f"multi_hop:{options}")

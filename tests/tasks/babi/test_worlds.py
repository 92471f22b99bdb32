"""The simulator of the bAbI worlds against babi_reader, which knows only the English that the simulator wrote."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise

import pytest
from babi_reader import answer, find_faults, parse, trace

from mta_eval.core import generator
from mta_eval.errors import SpecError
from mta_eval.tasks.babi.worlds import LABELS, make_story

LEAST = {1: 1, 2: 2, 3: 3, 4: 1, 5: 4, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1}
every_qa = pytest.mark.parametrize("qa", range(1, 11))


@cache
def tell_many(qa, facts=None, count=300):
    return [make_story(qa, generator(7, "babi", qa, facts, number), facts) for number in range(count)]


def show(story):
    return "\n".join([*(f"{index} {fact}" for index, fact in enumerate(story.facts)), str(story)])


def share(stories):
    counts = Counter(story.answer for story in stories)
    return {label: number / len(stories) for label, number in counts.items()}


@every_qa
def test_an_independent_reader_reaches_the_same_answer(qa):
    for story in tell_many(qa):
        assert answer(story.facts, story.question) == story.answer, show(story)


@every_qa
def test_the_support_alone_gives_the_same_answer(qa):
    for story in tell_many(qa):
        assert answer([story.facts[index] for index in story.support], story.question) == story.answer, show(story)


@pytest.mark.parametrize("qa", [1, 2, 3, 5, 6, 9, 10])
def test_without_any_one_of_its_support_facts_the_answer_is_open(qa):
    for story in tell_many(qa):
        for left_out in story.support:
            rest = [story.facts[index] for index in story.support if index != left_out]
            assert answer(rest, story.question) is None, show(story)


@every_qa
def test_support_is_ascending_and_points_at_facts(qa):
    for story in tell_many(qa):
        assert story.support
        assert list(story.support) == sorted(set(story.support))
        assert 0 <= story.support[0] <= story.support[-1] < len(story.facts)


@every_qa
def test_only_possible_things_happen(qa):
    for story in tell_many(qa, count=150):
        assert find_faults(story.facts) == [], show(story)


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        (["Mary moved to the garden.", "Mary went back to the garden."], "is there"),
        (["Mary got the milk."], "is nowhere"),
        (["Mary moved to the garden.", "Mary dropped the milk."], "does not hold it"),
        (["Mary is in the garden.", "John is in the garden.", "Mary got the milk.", "John took the milk."], "held"),
        (["Mary is in the park.", "Mary got the milk.", "Mary left the milk.", "Mary left the milk."], "not hold"),
        (
            [
                "Mary is in the park.",
                "Mary got the milk.",
                "Mary left the milk.",
                "John is in the zoo.",
                "John got the milk.",
            ],
            "elsewhere",
        ),
        (["Fred is in the park.", "Jeff is in the zoo.", "Fred got the milk.", "Fred gave the milk to Jeff."], "with"),
        (["Mary is in the garden.", "Mary is no longer in the kitchen."], "never was there"),
        (["Bill is either in the park or the park."], "same twice"),
        (["The office is north of the kitchen.", "The garden is north of the kitchen."], "two places"),
        (["The office is north of the kitchen.", "The office is south of the kitchen."], "is not south"),
    ],
)
def test_the_reader_notices_what_cannot_be(facts, fault):
    assert fault in " ".join(find_faults(facts))


def test_the_reader_refuses_a_sentence_it_does_not_know():
    with pytest.raises(ValueError, match="cannot read"):
        parse(["Mary ate the apple."])


@every_qa
def test_every_answer_is_a_published_label(qa):
    for story in tell_many(qa):
        named = story.answer.split(",") if qa == 8 else [story.answer]
        assert set(named) <= set(LABELS[qa]), show(story)
        assert len(named) == 1 or (named == sorted(set(named)) and "nothing" not in named)


@pytest.mark.parametrize(
    ("qa", "least", "most"),
    [
        *((qa, 0.1, 0.25) for qa in (1, 2, 3, 4)),
        *((5, 0.05, 0.25), (6, 0.4, 0.6), (7, 0.015, 0.45), (9, 0.4, 0.6), (10, 0.25, 0.42)),
    ],
)
def test_no_answer_is_rare_and_none_drowns_the_others(qa, least, most):
    shares = share(tell_many(qa))
    assert set(shares) == set(LABELS[qa])
    assert min(shares.values()) >= least, shares
    assert max(shares.values()) <= most, shares


def test_hands_hold_nothing_one_thing_or_several_in_turn():
    shares = share(tell_many(8))
    several = sum(part for label, part in shares.items() if "," in label)
    assert 0.2 < shares["nothing"] < 0.45, shares
    assert 0.15 < several < 0.4, shares
    assert {"apple", "football", "milk", "apple,football", "apple,milk", "football,milk"} <= set(shares)


def test_before_is_asked_where_it_means_one_place_if_the_story_has_such_a_question():
    def find_origins(story):
        """For every (object, place), the places it came there from."""
        origins = {}
        for thing in ("apple", "football", "milk"):
            path = trace(parse(story.facts), thing)
            for origin, place in pairwise(path):
                origins.setdefault((thing, place), set()).add(origin)
        return origins

    for story in tell_many(3):
        origins = find_origins(story)
        words = story.question.rstrip("?").split()
        clear = len(origins[words[3], words[6]]) == 1
        assert clear or all(len(sources) > 1 for sources in origins.values()), show(story)


@every_qa
def test_the_fewest_facts_make_a_story_and_fewer_are_refused(qa):
    for story in tell_many(qa, LEAST[qa], count=20):
        assert len(story.facts) == LEAST[qa]
        assert answer(story.facts, story.question) == story.answer, show(story)
    with pytest.raises(
        SpecError, match=f"qa{qa} cannot be told in {LEAST[qa] - 1} facts: it needs at least {LEAST[qa]}"
    ):
        make_story(qa, random.Random(0), LEAST[qa] - 1)


@pytest.mark.parametrize("qa", [1, 2, 3, 5, 6, 7, 8, 9, 10])
def test_a_long_story_is_as_long_as_asked_and_still_true(qa):
    for story in tell_many(qa, 200, count=2):
        assert len(story.facts) == 200
        assert find_faults(story.facts) == []
        assert answer(story.facts, story.question) == story.answer


@pytest.mark.parametrize("facts", [2, 3, 4, 5])
def test_larger_maps_fit_on_a_grid_and_their_questions_have_one_answer(facts):
    for story in tell_many(4, facts, count=200):
        assert len(story.facts) == facts
        assert find_faults(story.facts) == [], show(story)
        assert answer(story.facts, story.question) == story.answer, show(story)


def test_a_map_of_six_places_has_room_for_five_facts():
    with pytest.raises(SpecError, match="qa4 cannot be told in 6 facts: its map has room for at most 5"):
        make_story(4, random.Random(0), 6)


@pytest.mark.parametrize("qa", [0, 11, -1])
def test_other_worlds_are_refused(qa):
    with pytest.raises(SpecError, match="the bAbI worlds are qa1 to qa10"):
        make_story(qa, random.Random(0))


@pytest.mark.parametrize("qa", [1, 2, 3, 5, 6, 7, 8, 9, 10])
def test_without_a_number_stories_differ_in_length(qa):
    assert len({len(story.facts) for story in tell_many(qa)}) >= 9


@every_qa
def test_the_same_generator_tells_the_same_story_and_the_global_one_is_left_alone(qa):
    before = random.getstate()
    assert make_story(qa, generator(3, qa)) == make_story(qa, generator(3, qa))
    assert random.getstate() == before
    assert len({story.facts for story in tell_many(qa)}) > 150


def test_the_same_stories_are_told_whatever_the_hash_seed():
    script = (
        "from mta_eval.core import generator; from mta_eval.tasks.babi.worlds import make_story\n"
        "for qa in range(1, 11): print(make_story(qa, generator(5, qa)))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {"".join(f"{make_story(qa, generator(5, qa))}\n" for qa in range(1, 11))}

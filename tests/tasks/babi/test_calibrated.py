"""Stories with the statistics of bAbI's files, against babi_reader and against what was measured in those files."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from babi_reader import answer, find_faults

from mta_eval.core import generator
from mta_eval.errors import SpecError
from mta_eval.tasks.babi.calibrated import PROFILES, Profile, draw_count, kind_of_answer, make_babi_story
from mta_eval.tasks.babi.worlds import Story, telling_of

every_qa = pytest.mark.parametrize("qa", range(1, 11))
STORIES = {3: 250, 5: 250}


@cache
def tell_many(qa: int) -> list[Story]:
    return [make_babi_story(qa, generator(7, "calibrated", qa, number)) for number in range(STORIES.get(qa, 800))]


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


@every_qa
def test_an_independent_reader_reaches_the_same_answer_from_all_facts_and_from_the_support_alone(qa: int) -> None:
    for story in tell_many(qa):
        assert answer(story.facts, story.question) == story.answer, story
        assert answer([story.facts[index] for index in story.support], story.question) == story.answer, story
        assert list(story.support) == sorted(set(story.support))


@pytest.mark.slow
@every_qa
def test_an_independent_reader_reaches_the_same_answer_in_thousands_of_stories(qa: int) -> None:
    for number in range(2000):
        story = make_babi_story(qa, generator(8, "calibrated", qa, number))
        assert answer(story.facts, story.question) == story.answer, story


@every_qa
def test_only_possible_things_happen_in_stories_of_the_files_statistics(qa: int) -> None:
    for story in tell_many(qa)[:60]:
        assert find_faults(story.facts) == [], story


@pytest.mark.parametrize(
    ("qa", "mean", "ends_in_support"),  # bAbI's en-10k, training and test files together
    [
        *((1, 6.0, 0.45), (2, 15.6, 0.42), (3, 50.5, 0.40), (4, 2.0, 0.50), (5, 20.0, 0.43)),
        *((6, 6.3, 0.37), (7, 8.6, 0.44), (8, 8.8, 0.36), (9, 6.0, 0.46), (10, 6.0, 0.45)),
    ],
)
def test_stories_are_as_long_as_in_the_files_and_end_as_often_in_a_support(
    qa: int, mean: float, ends_in_support: float
) -> None:
    stories = tell_many(qa)
    sizes = [len(story.facts) for story in stories]
    assert abs(sum(sizes) / len(sizes) - mean) < 0.18 * mean
    assert abs(share([story.support[-1] == len(story.facts) - 1 for story in stories]) - ends_in_support) < 0.08
    assert max(sizes) <= PROFILES[qa].facts[-1][0]
    assert all(len(story.facts) - story.support[-1] <= 5 for story in stories) or qa in (3, 5, 7, 8)


@pytest.mark.parametrize("qa", [6, 7, 8, 9, 10])
def test_answers_have_the_shares_of_the_files(qa: int) -> None:
    counts = Counter(kind_of_answer(qa, story.answer) for story in tell_many(qa))
    for kind, wanted in PROFILES[qa].answers.items():
        assert abs(counts[kind] / len(tell_many(qa)) - wanted) < 0.06, counts


def test_some_questions_had_another_answer_before() -> None:
    """In qa5: another gift fits the words of the question, too. A quarter of bAbI's stories are so."""
    doubtful = [_answer_without(story) not in (None, story.answer) for story in tell_many(5)]
    assert 0.12 < share(doubtful) < 0.4


def _answer_without(story: Story) -> object:
    return answer(story.facts[: story.support[-1]], story.question)


@every_qa
def test_no_story_has_more_facts_than_are_allowed(qa: int) -> None:
    for most in (1, 12):
        told = [make_babi_story(qa, generator(3, qa, most, number), most=most) for number in range(2)]
        allowed = max(most // 2 * 2, telling_of(qa).least)
        assert max(len(story.facts) for story in told) <= allowed
        assert all(answer(story.facts, story.question) == story.answer for story in told)


def test_a_number_of_facts_is_drawn_as_often_as_in_the_files() -> None:
    counts = [draw_count(2, generator(1, "count", number)) for number in range(4000)]
    for facts, wanted in PROFILES[2].facts:
        assert facts < 4 or abs(share([count <= facts for count in counts]) - wanted) < 0.03
    assert all(count % 2 == 0 for count in counts)
    assert {draw_count(1, generator(1, "count", number), 6) for number in range(100)} == {2, 4, 6}
    assert {draw_count(3, generator(1, "count", number), 1) for number in range(20)} == {3}


@every_qa
def test_profiles_are_distributions(qa: int) -> None:
    profile: Profile = PROFILES[qa]
    shares = [share for _, share in profile.facts]
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert not profile.answers or abs(sum(profile.answers.values()) - 1) < 1e-9
    assert not profile.behind or abs(sum(profile.behind) - 1) < 1e-9


@pytest.mark.parametrize("qa", [1, 4, 7])
def test_a_number_of_facts_can_be_asked_for(qa: int) -> None:
    assert len(make_babi_story(qa, generator(0, qa), 3).facts) == 3
    with pytest.raises(SpecError, match="needs at least"):
        make_babi_story(3, generator(0, qa), 2)


@pytest.mark.parametrize("qa", [3, 7, 10])
def test_the_same_generator_tells_the_same_calibrated_story(qa: int) -> None:
    assert make_babi_story(qa, generator(3, qa)) == make_babi_story(qa, generator(3, qa))

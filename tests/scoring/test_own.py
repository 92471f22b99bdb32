from __future__ import annotations

import pytest

from mta_eval.errors import SpecError
from mta_eval.scoring import ScoredOutput, find
from mta_eval.scoring.matching import mentions


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("cello", 1),
        ("The Cello.", 1),
        ("cellos", 0),
        ("the cello, not the walrus", 0),
        ("walrus", 0),
        ("neither", 0),
    ],
)
def test_only_choice_wants_the_target_and_no_other_choice(output: str, score: int) -> None:
    assert find("only_choice")(ScoredOutput(output, ("cello",), choices=("cello", "walrus"))) == score


def test_only_choice_refuses_what_it_cannot_score() -> None:
    refuse = find("only_choice").refuse
    assert refuse(ScoredOutput("", ("cello", "walrus"), choices=("cello", "walrus"))) == "it needs one target"
    assert "choices" in refuse(ScoredOutput("", ("cello",)))
    assert refuse(ScoredOutput("", ("cello",), choices=("cello",))) == ""


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("Riga, Oslo", 1),
        ("1. riga\n2. OSLO", 1),
        ("Oslo, Riga", 0),
        ("Riga", 0),
        ("Of Oslo and Riga, Riga stands before Oslo.", 1),
        ("Rigas, Oslo", 0),
    ],
)
def test_in_order_wants_all_targets_in_their_order_at_the_end(output: str, score: int) -> None:
    assert find("in_order")(ScoredOutput(output, ("Riga", "Oslo"))) == score


def test_mentions_are_whole_words_in_the_order_of_the_output() -> None:
    assert mentions("San Diego, riga; Oslo and Riga, Osloer", ["Riga", "Oslo", "San Diego"]) == [
        *("San Diego", "Riga", "Oslo", "Riga"),
    ]


def test_rules_of_our_own_are_found_by_their_names() -> None:
    with pytest.raises(SpecError, match="only_choice"):
        find("only_choise")


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("banjo kayak oboe", 1),
        ("Banjo, kayak - oboe!", 1),
        ("banjo kayak", 2 / 3),
        ("banjo x oboe", 1 / 3),
        ("kayak", 0),
    ],
)
def test_words_in_order_count_up_to_the_first_mistake(output: str, score: float) -> None:
    assert find("words_in_order")(ScoredOutput(output, ("banjo kayak oboe",))) == score


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("abc, def", 1),
        ("def, ABC.", 1),
        ("They are all here.\nFinal answer: [def, abc]", 1),
        ("abc, def, ghi", 0),
        ("abc", 0),
        ("abc def", 0),
        ("", 0),
    ],
)
def test_same_set_wants_all_and_nothing_else(output: str, score: float) -> None:
    assert find("same_set")(ScoredOutput(output, ("abc", "def"))) == score


def test_mrcr_wants_the_code_and_then_measures_likeness() -> None:
    def score(output: str) -> float:
        return find("mrcr")(ScoredOutput(output, ("xkqzv abcd",)))

    assert score(" xkqzv abcd") == 1
    assert score("xkqzv\nabxx") == 0.5
    assert score("abcd") == 0
    assert score("xkqzv") == 0

"""The rules by name: which answers each takes, which are published for what, what a record gets."""

from dataclasses import replace
from typing import Any

import pytest

from mta_eval.core import Record, Sample
from mta_eval.errors import SpecError
from mta_eval.scoring import OTHER_TASKS, OUR_TASKS, ScoredOutput, find, published_for, scores


def record(task: str, output: str | None, targets: list[str], **axes: Any) -> Record:
    return Record(f"{task}/0", task, "m", {"length": 64, **axes}, targets, output, None, 60, 4, 0.1)


def test_a_niah_record_gets_every_rule_that_can_score_one_number() -> None:
    found = scores(record("niah:kind=number", " It is 1234567, I think", ["1234567"]))
    assert found == {
        "ruler_all": 1,
        "ruler_part": 1,
        "all_contained": 1,
        "first_word": 0,
        "all_named": 1,
        "infinitebench_passkey": 1,
        "infinitebench_kv_retrieval": 1,
    }


def test_several_targets_leave_the_rules_for_one_out() -> None:
    found = scores(record("niah:needles=4", "12 and 34", ["12", "34", "56", "78"]))
    assert found == {"ruler_all": 0.5, "ruler_part": 1, "all_contained": 0, "first_word": 1, "all_named": 0}


def test_a_babilong_record_gets_the_published_rules_and_ours() -> None:
    found = scores(record("babilong:qa=7", "None", ["none"], qa=7, question="How many objects is Mary carrying?"))
    assert found == {"babilong_official": 0, "babilong_lm_eval": 1, "babilong_one_label": 1, "first_word": 1}


def test_passkey_and_letter_blocks_get_their_own_rules() -> None:
    assert set(scores(record("passkey", "12345", ["12345"]))) == set(OUR_TASKS["passkey"])
    assert set(scores(record("letter_blocks:n=5", "abcde", ["abcde"]))) == set(OUR_TASKS["letter_blocks"])


def test_a_task_of_someone_else_gets_the_rules_that_need_targets_only() -> None:
    assert tuple(scores(record("their_task", "x", ["x"]))) == OTHER_TASKS


def test_what_was_not_answered_has_no_scores() -> None:
    assert scores(record("niah", None, ["1"])) == {}


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (ScoredOutput("", ("kitchen",), "Where?", 1, "qa1"), ("babilong_official", "babilong_lm_eval")),
        (ScoredOutput("", ("1",), task="passkey"), ("infinitebench_passkey",)),
        (ScoredOutput("", ("1",), task="number_string"), ("infinitebench_number_string",)),
        (ScoredOutput("", ("1",), task="kv_retrieval_both"), ("infinitebench_kv_retrieval",)),
        (ScoredOutput("", ("1",), task="niah_single_1"), ("ruler_all",)),
        (ScoredOutput("", ("1", "2"), task="qa_1"), ("ruler_part", "ruler_all")),
        (ScoredOutput("", ("1", "2"), task="ruler_qa_squad"), ("ruler_part", "ruler_all")),
        (ScoredOutput("", ("1", "2"), task="ruler_qa:squad"), ("ruler_part", "ruler_all")),
        (ScoredOutput("", ("a",), task="letter_blocks:n=5"), ("first_word",)),
        (ScoredOutput("", (), task="needlehaystack"), ()),
    ],
)
def test_each_benchmark_has_the_rules_published_for_it(answer: ScoredOutput, names: tuple[str, ...]) -> None:
    assert published_for(answer) == names


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("babilong_official", ScoredOutput("", ("12345",), "What?", None, "passkey")),
        ("babilong_official", ScoredOutput("", ("kitchen",), "", 1, "qa1")),
        ("babilong_lm_eval", ScoredOutput("", ("kitchen",), "", 21, "qa21")),
        ("babilong_lm_eval", ScoredOutput("", ("kitchen", "office"), "", 1, "qa1")),
        ("infinitebench_kv_retrieval", ScoredOutput("", ("kitchen",), "Where?", 1, "qa1")),
        ("infinitebench_passkey", ScoredOutput("", ("kitchen",), task="x")),
        ("infinitebench_passkey", ScoredOutput("", ("1", "2"), task="x")),
        ("one_number", ScoredOutput("", ("kitchen",), task="x")),
        ("one_number", ScoredOutput("", ("1", "2"), task="x")),
        ("all_named", ScoredOutput("", (), task="x")),
        ("infinitebench_kv_retrieval", ScoredOutput("", ("two words",), task="x")),
        ("ruler_all", ScoredOutput("", (), task="needlehaystack")),
    ],
)
def test_a_rule_says_why_it_cannot_score_an_answer(name: str, answer: ScoredOutput) -> None:
    assert find(name).refuse(answer).startswith("it ")


def test_only_babilong_has_a_number_of_its_task() -> None:
    for task, axes, qa in (("babilong:qa=3", {"qa": 3}, 3), ("babilong", {}, None), ("theirs:qa=3", {"qa": 3}, None)):
        assert ScoredOutput.of(record(task, "x", ["y"], **axes), "z").qa == qa
    scored = ScoredOutput.of(record("babilong:qa=3", "x", ["y"], qa=3, question="Who?"), "z")
    assert scored == ScoredOutput("z", ("y",), "Who?", 3, "babilong:qa=3")
    assert ScoredOutput.of(record("niah", "x", ["y"]), "z") == ScoredOutput("z", ("y",), "", None, "niah")


def test_a_rule_that_cannot_score_a_sample_is_refused_by_name_and_reason() -> None:
    sample = Sample("x/0", "theirs", "?", (), {}, 8, 4, 4)
    with pytest.raises(SpecError, match=r"^the rule ruler_all cannot score theirs: it needs a target$"):
        find("ruler_all").check(sample)
    find("ruler_all").check(replace(sample, targets=("a",)))


def test_a_rule_is_described_by_its_card_and_its_source() -> None:
    assert find("ruler_part").description == (
        "One target occurs in the output, cleaned of control characters. (RULER string_match_part (Hsieh et al. 2024))"
    )
    assert find("keyword:a").description == "Every given word occurs in the output, in any case."


def test_rulers_rules_look_at_the_cleaned_output() -> None:
    answer = ScoredOutput("a\x00b", ("a\x00b",))
    assert find("ruler_all")(answer) == 0  # the control character is a newline by then
    assert find("all_contained")(answer) == 1


@pytest.mark.parametrize(
    ("name", "answer", "score"),
    [
        ("babilong_lm_eval", ScoredOutput("In the Kitchen.", (" kitchen ",), "", 1, "qa1"), 1),
        ("any_contained", ScoredOutput("12 and 34", ("34", "56")), 1),
        ("any_contained", ScoredOutput("12 and 34", ("56", "78")), 0),
        ("share_contained", ScoredOutput("12 and 34", ("34", "56", "78", "90")), 1 / 4),
        ("infinitebench_number_string", ScoredOutput("It is 0034, not 12.", ("0034",)), 1),
        ("infinitebench_number_string", ScoredOutput("Of 12 the 0034.", ("0034",)), 0),
    ],
)
def test_published_rules_by_an_example(name: str, answer: ScoredOutput, score: float) -> None:
    assert find(name)(answer) == score


def test_our_own_rules_read_numbers_as_people_write_them() -> None:
    answer = ScoredOutput("The 7-digit number is 3,486,456.", ("3486456",))
    assert [find(name)(answer) for name in ("all_named", "one_number")] == [1, 1]
    assert [find(name)(answer) for name in ("ruler_all", "infinitebench_passkey")] == [0, 0]  # published as they are


def test_nolimas_rules_look_at_all_or_at_the_last_line_in_the_targets_own_case() -> None:
    rules = ("nolima_em", "nolima_contains", "nolima_lastline_em", "nolima_lastline_contains")
    expected = {
        " Yuki \n": (1, 1, 1, 1),
        "It is Yuki.": (0, 1, 0, 1),
        "yuki": (0, 0, 0, 0),
        "Yuki or Ann?\nAnn": (0, 1, 0, 0),
        "Let me see.\nYuki\n": (0, 1, 1, 1),
    }
    for output, right in expected.items():
        answer = ScoredOutput(output, ("Yuki", "Yuki Ito"))
        assert tuple(find(name)(answer) for name in rules) == right, output


def test_helmets_rules_are_a_share_in_any_case_and_a_piece_of_the_normalised_output() -> None:
    assert find("helmet_recall")(ScoredOutput("AB-1 and 3", ("ab-1", "2", "3", "4"))) == 1 / 2
    for output, right in (("It's the Eiffel Tower, Paris!", 1), ("a tower", 0), ("eiffel-tower", 0)):
        assert find("helmet_substring")(ScoredOutput(output, ("An Eiffel tower", "x y"))) == right
    assert find("helmet_substring")(ScoredOutput("x y", ("An Eiffel tower", "x y"))) == 1


def test_a_keyword_rule_wants_every_word() -> None:
    rule = find("keyword:Sandwich, dolores park")
    assert rule.name == "keyword:Sandwich,dolores park"
    assert rule(ScoredOutput("eat a SANDWICH in Dolores Park", ())) == 1
    assert rule(ScoredOutput("eat a sandwich", ())) == 0


@pytest.mark.parametrize("name", ["keyword", "keyword:", "keyword: ,"])
def test_a_keyword_rule_without_words_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="needs the words"):
        find(name)


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="no rule 'ruler_al'; did you mean 'ruler_all'"):
        find("ruler_al")
    with pytest.raises(SpecError, match="mta-eval list rules shows all"):
        find("zzz")

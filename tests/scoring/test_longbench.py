"""LongBench's rules against values worked out by hand from its published formulas."""

import pytest

from mta_eval.scoring import ScoredOutput, find, published_for
from mta_eval.scoring.longbench import answer_letter, class_named, code_similarity, rouge_l, share_of_numbers, token_f1


def scored(rule: str, output: str, *targets: str, task: str = "", choices: tuple[str, ...] = ()) -> float:
    return find(rule)(ScoredOutput(output, targets, task=task, choices=choices))


def test_qa_f1_is_of_words_without_case_marks_and_articles() -> None:
    # output: cat sat on mat (4 words), target: cat mat (2): P 2/4, R 2/2, F 2/3
    assert scored("longbench_qa_f1", "The cat sat on a mat.", "cat, MAT!") == pytest.approx(2 / 3)
    assert scored("longbench_qa_f1", "Paris", "Rome", "in Paris") == pytest.approx(2 / 3)  # the best of the targets
    assert scored("longbench_qa_f1", "", "Rome") == 0


def test_a_word_that_stands_twice_is_shared_as_often_as_both_have_it() -> None:
    assert token_f1(["a", "a", "b"], ["a", "c"]) == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))


def test_rouge_l_of_one_sentence_is_its_longest_common_subsequence() -> None:
    # police kill the gunman / police killed the gunman: 3 of 4 words each
    assert rouge_l("police kill the gunman", "police killed the gunman") == pytest.approx(3 / 4, abs=1e-7)
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(2 / 4, abs=1e-7)


def test_rouge_l_joins_the_subsequences_of_all_sentences() -> None:
    # Lin 2004, section 3.2: w1 w2 and w1 w3 w5 make 4 words, of 5 in the target and 8 in the output
    found = rouge_l("w1 w2 w6 w7 w8.w1 w3 w8 w9 w5", "w1 w2 w3 w4 w5")
    assert found == pytest.approx(2 * (4 / 8) * (4 / 5) / (4 / 8 + 4 / 5), abs=1e-7)


def test_rouge_l_counts_distinct_words() -> None:
    # {a, b} of {a, b} in the output and of {a, b, c} in the target
    assert rouge_l("a b a b", "a b c") == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3), abs=1e-7)


@pytest.mark.parametrize(("output", "target"), [("", "a"), ("a", ""), ("...", "a")])
def test_rouge_l_of_nothing_is_0(output: str, target: str) -> None:
    assert rouge_l(output, target) == 0


def test_rouge_l_takes_the_first_line_where_longbench_does() -> None:
    assert scored("longbench_rouge_l", "\n\na b\nc d", "a b", task="longbench_samsum") == pytest.approx(1, abs=1e-7)
    assert scored("longbench_rouge_l", "\n\na b\nc d", "a b", task="longbench_qmsum") == pytest.approx(2 / 3, abs=1e-7)


def test_a_class_is_right_by_the_number_of_classes_named() -> None:
    classes = ("Food", "Date", "Other location", "location")
    assert class_named("Type: Food", "Food", classes) == 1
    assert class_named("Food or Date", "Food", classes) == 1 / 2
    assert class_named("Date", "Food", classes) == 0
    assert class_named("Other location", "Other location", classes) == 1  # "location" is a part of the target
    assert scored("longbench_classification", "Food\nDate", "Food", task="longbench_trec_e", choices=classes) == 1


def test_a_chinese_class_is_named_in_the_first_line() -> None:
    classes = ("体育", "社会", "法制、司法", "司法")
    assert (
        scored("longbench_classification", "法制、司法\n体育", "法制、司法", task="longbench_lsht", choices=classes)
        == 1
    )
    assert scored("longbench_classification", "体育、社会", "社会", task="longbench_lsht", choices=classes) == 1 / 2


def test_of_two_parts_of_the_target_in_a_row_the_second_stays_as_published() -> None:
    assert class_named("a b c", "a b c", ("a", "b", "a b c")) == 1 / 2


def test_numbers_count_by_their_share() -> None:
    assert share_of_numbers("There are 7, not 17 or 7.", "7") == pytest.approx(2 / 3)
    assert share_of_numbers("seven", "7") == 0
    assert scored("longbench_count", "7", "7") == 1
    assert scored("longbench_retrieval", "Paragraph 3 (or 5)", "Paragraph 3") == 1 / 2
    assert scored("longbench_retrieval", "段落3", "段落3") == 1
    assert scored("longbench_retrieval", "是段落13，不是段落3。", "段落3") == 1 / 2


def test_code_is_its_first_line_of_code_by_edit_similarity() -> None:
    # "ab" + "d" of "abcd" and "abxd" match: 2 * 3 / 8
    assert code_similarity("```python\n# comment\n// other\n\nabcd\nabxd", "abxd") == 0.75
    assert code_similarity("", "abxd") == 0
    assert scored("longbench_code_sim", "abcde", "abcxx", "abc") == 0.75  # whole hundredths of 2 * 3 / 8
    assert code_similarity("abc", "a") == 0.5
    assert code_similarity("ab", "a") == 0.67


@pytest.mark.parametrize(
    ("output", "letter"),
    [
        ("The correct answer is (B).", "B"),
        ("**The correct answer is (B)**", "B"),
        ("The correct answer is C, not (B)", "C"),
        ("The correct answer is A … The correct answer is (D)", "D"),
        ("the correct answer is (B)", ""),
        ("B", ""),
    ],
)
def test_longbench_v2_reads_the_letter_of_its_sentence(output: str, letter: str) -> None:
    assert answer_letter(output) == letter
    assert scored("longbench_v2", output, "B") == float(letter == "B")


@pytest.mark.parametrize(
    ("rule", "answer", "reason"),
    [
        ("longbench_classification", ScoredOutput("", ("Food",)), "the names of all classes"),
        ("longbench_retrieval", ScoredOutput("", ("3",)), "Paragraph 3"),
        ("longbench_v2", ScoredOutput("", ("E",)), "from A to D"),
        ("longbench_qa_f1", ScoredOutput("", ()), "a target"),
    ],
)
def test_what_a_rule_cannot_score_is_said(rule: str, answer: ScoredOutput, reason: str) -> None:
    assert reason in find(rule).refuse(answer)


@pytest.mark.parametrize(
    ("task", "rules"),
    [
        ("longbench_trec", ("longbench_classification",)),
        ("longbench_passage_count_e", ("longbench_count",)),
        ("longbench_v2", ("longbench_v2",)),
        ("longbench_lcc", ("longbench_code_sim",)),
        ("longbench_multifieldqa_zh", ("longbench_qa_f1_zh",)),
        ("longbench_dureader", ("longbench_rouge_l_zh",)),
        ("longbench_vcsum", ("longbench_rouge_l_zh",)),
        ("longbench_lsht", ("longbench_classification",)),
        ("longbench_passage_retrieval_zh", ("longbench_retrieval",)),
        ("longbench_unknown", ()),
    ],
)
def test_each_data_set_has_its_rule(task: str, rules: tuple[str, ...]) -> None:
    assert published_for(ScoredOutput("", ("x",), task=task)) == rules
    assert [find(name).name for name in rules] == list(rules)

import warnings

from test_labels import LLAMA, record, run

from mta_eval.core import QuotedNeedle, Record
from mta_eval.results.frame import record_frame
from mta_eval.results.labels import Labels

TASKS = ("niah", "niah:needles=4", "passkey")
RECORDS = [record(LLAMA, task, score=number / 2) for number, task in enumerate(TASKS)]
QUESTION = run((LLAMA,), TASKS, task_labels={"passkey": "Key"})


def test_family_options_names_run_and_seed_are_columns() -> None:
    frame = record_frame([("a", QUESTION, RECORDS)])
    assert frame.family.tolist() == ["niah", "niah", "passkey"]
    assert frame.needles.tolist()[:2] == [1, 4]
    assert frame.needles.isna().tolist() == [False, False, True]
    assert frame.task.tolist() == list(TASKS)
    assert frame.task_label.tolist() == ["niah", "niah:needles=4", "Key"]
    assert set(frame.model) == {LLAMA}
    assert set(frame.model_label) == {"Llama-3.1-8B-Instruct"}
    assert (set(frame.run), set(frame.seed)) == ({"a"}, {0})
    assert {"draw", "prompt_sha256", "finish", "fingerprint", "mistake", "needle_list"} <= set(frame)


def test_a_number_of_needles_is_something_to_pivot_by() -> None:
    needle = QuotedNeedle("k", "1", "the 1", 1, 2, 0.5, True)
    records = [Record(**(vars(one) | {"needles": [needle]})) for one in RECORDS]
    with warnings.catch_warnings(action="error"):
        frame = record_frame([("a", QUESTION, records)])
    table = frame.pivot_table(index="length", columns="needles", values="score")
    assert table.columns.tolist() == [1, 4]
    assert frame.needle_list[0] == [needle]


def test_several_runs_are_one_table_each_with_its_name() -> None:
    frame = record_frame([("a", QUESTION, RECORDS), ("b", QUESTION, [one.with_seed(3) for one in RECORDS])])
    assert frame.run.tolist() == ["a"] * 3 + ["b"] * 3
    assert frame.seed.tolist() == [0, 0, 0, 3, 3, 3]


def test_records_of_no_run_and_shown_records_have_their_specs() -> None:
    frame = record_frame([("", None, Labels({LLAMA: "L"}, {"niah": "N"}).shown(RECORDS[:1]))], seed=7)
    assert (frame.task[0], frame.model[0], frame.seed[0], frame.run[0]) == ("niah", LLAMA, 7, "")
    assert record_frame([]).empty


def test_an_option_with_the_name_of_another_column_says_that_it_is_an_option() -> None:
    frame = record_frame([("", None, [record(task="other:score=3,run=x")])])
    assert (frame.score_option[0], frame.run_option[0], frame.score[0]) == (3, "x", 1.0)

"""NoLiMa's and HELMET's own result files, written small here: what is read, what comes out, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from mta_eval.errors import TextError
from mta_eval.rescoring import tallies
from mta_eval.rescoring.readers import read_answer_rows
from mta_eval.rescoring.rows import Row
from mta_eval.rescoring.scoring import Rescored, rescore_files
from mta_eval.rescoring.sources import find_sources


def written(path: Path, run: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=4))  # as both write them
    return path


def rows_in(*paths: Path) -> list[Row]:
    return [row for source in find_sources(paths)[0] for row in read_answer_rows(source)]


def means_of(*paths: Path) -> dict[tuple[str, str, str, int | None, str], float]:
    """(model, setting, task, length, rule) -> mean in per cent."""
    rescored: Rescored = rescore_files(find_sources(paths)[0], ())
    return {
        (group.model, group.setting, group.task, group.length, rule): round(100 * tallies.measure(counts).mean, 9)
        for group, tally in tallies.groups_of(rescored).items()
        for rule, counts in tally.items()
    }


def nolima_result(response: str | None, metric: int, depth: float = 0.5, **more: Any) -> dict[str, Any]:
    placed = {"static_depth": -1, "token_depth": 9, "depth": depth, "context_length_wo_needle": 980}
    return {"placement_metadata": placed, "metric": metric, "response": response, "prompt_tokens": 9, **more}


def nolima_test(*results: Any, **more: Any) -> dict[str, Any]:
    base = {"eval_name": "glm_book_t_1", "test_name": "0407_T01_onehop", "model_name": "glm", "metric": "contains"}
    question = {"retrieval_question": "Who has been to Delft?", "gold_answers": "", "haystack_path": "books/book_1.txt"}
    return {**base, **question, "context_length": 1000, "results": list(results), **more}


def test_a_nolima_test_tells_model_length_depths_targets_and_scores(tmp_path: Path) -> None:
    drawn = [nolima_result("Mia.", 1, 0.25, selected_character="Mia"), nolima_result("No", 0, selected_character="Jo")]
    rows = rows_in(written(tmp_path / "t.json", nolima_test(*drawn, haystack_path="books\\book_1.txt")))
    assert [(row.model, row.length, row.depth, row.stored, row.line) for row in rows] == [
        ("glm", 1000, 0.25, 1, 1),
        ("glm", 1000, 0.5, 0, 2),
    ]
    assert [(row.scored.output, row.scored.targets) for row in rows] == [("Mia.", ("Mia",)), ("No", ("Jo",))]
    assert {row.scored.question for row in rows} == {"Who has been to Delft?"}
    assert {row.draw for row in rows} == {"0407_T01_onehop book_1.txt"}


def test_nolima_is_scored_by_the_metric_of_its_file_beside_its_own_score(tmp_path: Path) -> None:
    for number, length in enumerate((1000, 2000)):
        results = [nolima_result("It is Mia", 1), nolima_result("mia", 0)]
        written(tmp_path / f"{number}.json", nolima_test(*results, context_length=length, gold_answers=["Mia", "Jo"]))
    expected = {
        ("glm", "", "nolima", length, rule): 50 for length in (1000, 2000) for rule in ("nolima_contains", "stored")
    }
    assert means_of(tmp_path) == expected


@pytest.mark.parametrize(
    ("metric", "rule", "score"),
    [
        ("EM", "nolima_em", 0),
        ("lastline_EM", "nolima_lastline_em", 100),
        ("lastline_contains", "nolima_lastline_contains", 100),
    ],
)
def test_each_other_metric_of_nolima_is_a_task_of_its_own(tmp_path: Path, metric: str, rule: str, score: float) -> None:
    test = nolima_test(nolima_result("She went.\nMia", 1), metric=metric, gold_answers=["Mia"])
    task = f"nolima:metric={metric}"
    assert means_of(written(tmp_path / "t.json", test)) == {
        ("glm", "", task, 1000, rule): score,
        ("glm", "", task, 1000, "stored"): 100,
    }


def test_nolimas_direct_questions_and_distractors_are_told_apart(tmp_path: Path) -> None:
    one = nolima_result("Mia", 1)
    written(tmp_path / "a.json", nolima_test(one, gold_answers=["Mia"], test_name="0407_T01_direct"))
    written(tmp_path / "b.json", nolima_test(one, gold_answers=["Mia"], distractor="Jo reads of Delft."))
    assert {key[:3] for key in means_of(tmp_path)} == {("glm", "", "nolima_direct"), ("glm", "distractor", "nolima")}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"results": {}}, "is damaged: its results are no list"),
        ({"results": [3]}, "result 1 is damaged: it is no JSON object"),
        ({"metric": "BLEU"}, "is damaged: its metric 'BLEU' is none of contains, EM, "),
        ({"model_name": None}, "is damaged: it has no model_name"),
        ({"context_length": "1K"}, "is damaged: its length '1K' is no number of tokens"),
        ({"context_length": 1.5}, "is damaged: its length 1.5 is no number of tokens"),
        ({"context_length": -1}, "its length, -1, is none that a table can hold"),
        ({"gold_answers": ""}, "result 1 is damaged: it has no selected_character, and its test no gold_answers"),
        ({"results": [nolima_result("x", 0), nolima_result("x", 2)]}, "result 2 is damaged: its metric 2 is not from"),
        ({"results": [nolima_result("x", 0), {"response": 7}]}, "result 2 is damaged: its answer is no text but int"),
    ],
)
def test_a_damaged_nolima_file_is_named_with_the_result(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    test = nolima_test(nolima_result("x", 0), gold_answers=["Mia"]) | changes
    with pytest.raises(TextError) as caught:
        rows_in(written(tmp_path / "t.json", test))
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"'{tmp_path / 't.json'}' ")


def helmet_run(dataset: str, *data: Any, length: int = 8192, **asked: Any) -> dict[str, Any]:
    args = {"datasets": dataset, "input_max_length": length, "model_name_or_path": "org/glm", "tag": "v1", **asked}
    return {"args": args, "data": list(data), "metrics": {}, "averaged_metrics": {}, "throughput": 1.0}


def helmet_row(output: str | None, answer: Any, **more: Any) -> dict[str, Any]:
    return {"question": "red-owl", "answer": answer, "output": output, "parsed_output": output, **more}


def test_helmets_recall_is_scored_by_its_rules_beside_its_own_metric(tmp_path: Path) -> None:
    numbers = helmet_row("The numbers are 12", ["12", "34"], ruler_recall=0.5)
    for length in (8192, 16384):
        written(tmp_path / f"ruler_in{length}.json", helmet_run("ruler_niah_mv", numbers, length=length))
    pair = helmet_row("Corresponding value: AB-c", "ab-C", substring_exact_match=True, exact_match=False, depth=0.25)
    written(tmp_path / "kv.json", helmet_run("json_kv", pair))
    assert means_of(tmp_path) == {
        ("org/glm", "v1", task, length, rule): score
        for task, length, own, score in (
            ("helmet_ruler_niah_mv", 8192, "helmet_recall", 50),
            ("helmet_ruler_niah_mv", 16384, "helmet_recall", 50),
            ("helmet_json_kv", 8192, "helmet_substring", 100),
        )
        for rule in (own, "stored")
    }
    (row,) = rows_in(tmp_path / "kv.json")
    assert (row.depth, row.scored.question, row.draw) == (0.25, "red-owl", "")


@pytest.mark.parametrize(
    ("dataset", "metric", "task", "rule"),
    [
        ("ruler_qa_1", "substring_exact_match", "helmet_ruler_qa_1", "helmet_substring"),
        ("kilt_popqa_3", "substring_exact_match", "helmet_kilt_popqa_3", "helmet_substring"),
        ("icl_trec_fine_6400shot_balance", "exact_match", "helmet_icl_trec_fine_balance", ""),
        ("infbench_qa_eng_130862", "rougeL_f1", "helmet_infbench_qa_eng", ""),
        ("msmarco_rerank_psg", "NDCG@10", "helmet_msmarco_rerank_psg", ""),
    ],
)
def test_each_data_set_of_helmet_has_its_metric_and_one_name_at_all_lengths(
    tmp_path: Path, dataset: str, metric: str, task: str, rule: str
) -> None:
    row = helmet_row("Answer: Ann", [["Bo"], ["Ann"]], **{metric: 1})
    path = written(tmp_path / "x.json", helmet_run(dataset, row))
    assert means_of(path) == {("org/glm", "v1", task, 8192, name): 100 for name in (rule, "stored") if name}


def test_what_helmet_leaves_to_a_judge_cannot_be_scored(tmp_path: Path) -> None:
    path = written(tmp_path / "x.json", helmet_run("narrativeqa_130772", helmet_row("Ann", ["Ann"], exact_match=1)))
    with pytest.raises(TextError, match="there is no published rule here for helmet_narrativeqa"):
        means_of(path)


def test_a_thinking_run_of_helmet_is_of_the_length_that_was_asked_for(tmp_path: Path) -> None:
    run = helmet_run("json_kv", helmet_row("a", "a"), length=8192 + 32768, thinking=1, use_chat_template=True, tag=None)
    (row,) = rows_in(written(tmp_path / "x.json", run))
    assert (row.length, row.setting) == (8192, "chat thinking")


def test_a_question_over_passages_at_several_depths_is_one_draw(tmp_path: Path) -> None:
    asked = [helmet_row("a", "a", ctxs=[], depth=depth, **more) for depth in (0.0, 1.0) for more in ({}, {"id": "q7"})]
    rows = rows_in(written(tmp_path / "x.json", helmet_run("kilt_nq", *asked)))
    assert [(row.depth, row.draw) for row in rows] == [(0, "red-owl"), (0, "q7"), (1, "red-owl"), (1, "q7")]


def test_depths_that_are_no_shares_are_passed_over(tmp_path: Path) -> None:
    rows = rows_in(
        written(tmp_path / "x.json", helmet_run("kilt_nq", *(helmet_row("a", "a", depth=place) for place in range(3))))
    )
    assert [row.depth for row in rows] == [None] * 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": "x"}, "is damaged: its data are no list"),
        ({"data": [helmet_row("x", "x"), 3]}, "row of data 2 is damaged: it is no JSON object"),
        ({"data": [helmet_row("x", None)]}, "row of data 1 is damaged: it has no answer"),
        ({"data": [helmet_row("x", "x", substring_exact_match="1")]}, "substring_exact_match '1' is not from 0 to 1"),
        ({"args": []}, "is damaged: its length None is no number of tokens"),
        ({"args": {"input_max_length": 8192}}, "is damaged: it has no datasets"),
        ({"args": {"input_max_length": 8192, "datasets": "json_kv"}}, "is damaged: it has no model_name_or_path"),
    ],
)
def test_a_damaged_helmet_file_is_named_with_the_row(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(TextError) as caught:
        rows_in(written(tmp_path / "x.json", helmet_run("json_kv", helmet_row("x", "x")) | changes))
    assert reason in str(caught.value)


def test_a_file_that_is_cut_is_damaged_not_unknown(tmp_path: Path) -> None:
    path = written(tmp_path / "x.json", helmet_run("json_kv", helmet_row("x", "x")))
    path.write_text(path.read_text()[:-9])
    with pytest.raises(TextError, match=r"x\.json' line \d+ is damaged: "):
        rows_in(path)

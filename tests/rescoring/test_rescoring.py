"""Stored answers of every format, written small here: what is read, what comes out, what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from mta_eval.core import Run, Sweep
from mta_eval.errors import SpecError, TextError
from mta_eval.rescoring import scoring as rescoring
from mta_eval.rescoring import tables, tallies, writing
from mta_eval.rescoring.readers import read_answer_rows
from mta_eval.rescoring.rows import Row
from mta_eval.rescoring.scoring import Rescored, rescore_files
from mta_eval.rescoring.sources import find_sources, length_in_name
from mta_eval.results.run_json import run_text
from mta_eval.results.statistics import estimate

PROMPT = "instruction_yes_examples_no_post_prompt_yes"
Rows = list[tuple[str, str, str]]
HERE: Rows = [("kitchen", "In the kitchen.", "Where is Mary? "), ("office", "kitchen or office", "Where is John? ")]


def write_csv(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["", "target", "output", "question"], *([n, *row] for n, row in enumerate(rows))])
    return path


def write_lines(path: Path, objects: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in objects), encoding="utf-8")
    return path


def rows_of(*paths: Path, task: str = "") -> list[Row]:
    return [row for source in find_sources(paths)[0] for row in read_answer_rows(source, task)]


def rescored_of(*paths: Path, rules: tuple[str, ...] = (), task: str = "") -> Rescored:
    return rescore_files(find_sources(paths)[0], rules, task)


def means(rescored: Rescored) -> dict[tuple[str, str, int | None, str], float]:
    """(model, task, length, rule) -> mean in per cent."""
    return {
        (group.model, group.task, group.length, rule): round(100 * tallies.measure(counts).mean, 9)
        for group, tally in tallies.groups_of(rescored).items()
        for rule, counts in tally.items()
    }


def test_a_babilong_csv_tells_its_task_length_prompt_and_model(tmp_path: Path) -> None:
    write_csv(tmp_path / "org/phi-3" / f"qa2_4k_{PROMPT}.csv", HERE)
    (source,), passed = find_sources([tmp_path])
    assert (source.model, source.task, source.length, source.setting) == ("org/phi-3", "qa2", 4096, PROMPT)
    assert passed == []
    (source,), _ = find_sources([tmp_path / "org/phi-3" / f"qa2_4k_{PROMPT}.csv"])
    assert source.model == "phi-3"


@pytest.mark.parametrize(
    ("text", "tokens"), [("0k", 0), ("1k", 1024), ("128k", 131072), ("1M", 1048576), ("10M", 10485760), ("x", None)]
)
def test_every_published_length_is_read(text: str, tokens: int | None) -> None:
    assert length_in_name(text) == tokens


@pytest.mark.parametrize("name", ["qa10_0k.csv", "qa10_10M_a_yes.csv", "phi_qa10_512k.csv"])
def test_names_with_other_prompts_or_none_are_read(tmp_path: Path, name: str) -> None:
    (row,) = rows_of(write_csv(tmp_path / name, [("yes", "yes", "Is Bill here? ")]))
    assert (row.scored.qa, row.scored.task) == (10, "qa10")


def test_the_published_share_of_a_babilong_csv_comes_out_under_both_rules(tmp_path: Path) -> None:
    rescored = rescored_of(
        write_csv(tmp_path / "m" / f"qa1_0k_{PROMPT}.csv", [*HERE, ("office", "", "Where is John? ")])
    )
    assert means(rescored) == {
        ("m", "qa1", 0, "babilong_official"): pytest.approx(100 / 3),
        ("m", "qa1", 0, "babilong_lm_eval"): pytest.approx(200 / 3),
    }


def test_words_that_pandas_takes_for_gaps_are_answers(tmp_path: Path) -> None:
    rows = rows_of(write_csv(tmp_path / "qa7_0k.csv", [("none", "None", "How many? "), ("one", "", "How many? ")]))
    assert [row.scored.output for row in rows] == ["None", ""]
    assert all(row.answered for row in rows)


def test_an_answer_may_have_line_ends_quotes_and_any_script(tmp_path: Path) -> None:
    output = 'a "b",\r\nc\n\n\té輸 \u2028'
    (row,) = rows_of(write_csv(tmp_path / "qa1_1k.csv", [("office", output, "Where? ")]))
    assert row.scored.output == output


def test_rows_are_read_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mta_eval.rescoring.readers.CHUNK", 3)
    rows = rows_of(write_csv(tmp_path / "qa1_1k.csv", [("office", str(n), "Where? ") for n in range(10)]))
    assert [row.scored.output for row in rows] == [str(n) for n in range(10)]
    assert [row.line for row in rows] == [*range(1, 11)]


def test_a_csv_that_does_not_tell_its_task_needs_it(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "answers.csv", HERE)
    with pytest.raises(TextError, match=r"answers\.csv.*give --task qa1"):
        rescored_of(path)
    assert means(rescored_of(path, task="qa1"))[tmp_path.name, "qa1", None, "babilong_official"] == 50


def test_a_task_leaves_other_tasks_out(tmp_path: Path) -> None:
    for task in ("qa1", "qa2"):
        write_csv(tmp_path / f"{task}_1k.csv", HERE)
    assert {task for _, task, _, _ in means(rescored_of(tmp_path, task="qa2"))} == {"qa2"}
    with pytest.raises(TextError, match="no answers to qa3"):
        rescored_of(tmp_path, task="qa3")


def test_longbench_predictions_tell_targets_classes_and_model(tmp_path: Path) -> None:
    sample = {"pred": "Type: Food", "answers": ["Food"], "all_classes": ["Food", "Date"], "length": 9}
    path = write_lines(tmp_path / "pred/llama/trec.jsonl", [sample, sample | {"pred": "Food or Date"}])
    assert means(rescored_of(path)) == {("llama", "longbench_trec", None, "longbench_classification"): 75}
    with pytest.raises(TextError, match=r"no published rule here for longbench_unknown"):
        rescored_of(write_lines(tmp_path / "unknown.jsonl", [sample]))
    with pytest.raises(TextError, match="line 1 is damaged: it has no answers"):
        rescored_of(write_lines(tmp_path / "qasper.jsonl", [sample | {"answers": []}]))


def test_longbench_v2_results_are_grouped_by_their_class_of_length(tmp_path: Path) -> None:
    sample = {"answer": "B", "response": "The correct answer is (B)", "pred": "B", "judge": True, "length": "short"}
    path = write_lines(tmp_path / "glm.jsonl", [sample, sample | {"response": "B!", "judge": False, "length": "long"}])
    rescored = rescored_of(path)
    assert {(group.model, group.task, group.setting) for group, _ in rescored.tallies} == {
        ("glm", "longbench_v2", "short"),
        ("glm", "longbench_v2", "long"),
    }
    scores = [tallies.measure(tally["longbench_v2"]).mean for tally in rescored.tallies.values()]
    assert scores == [tallies.measure(tally["stored"]).mean for tally in rescored.tallies.values()] == [1, 0]


def test_lm_evals_longbench_samples_bring_answers_and_classes(tmp_path: Path) -> None:
    doc = {"answers": ["Food"], "all_classes": ["Food", "Date"], "length": 12345, "question": "?"}
    sample = {"doc": doc, "target": "['Food']", "filtered_resps": ["Food, Date"], "metrics": ["score"], "score": 0.5}
    path = write_lines(tmp_path / "m/samples_longbench_trec.jsonl", [sample])
    assert set(means(rescored_of(path)).items()) == {
        (("m", "longbench_trec", 12345, rule), 50) for rule in ("longbench_classification", "stored")
    }


@pytest.mark.parametrize("truth", ["71432", ["71432"], ["71432", "1"]])
def test_infinitebench_takes_the_first_ground_truth(tmp_path: Path, truth: Any) -> None:
    path = write_lines(
        tmp_path / "kimi" / "preds_passkey.jsonl", [{"id": 0, "prediction": " 71432. 5", "ground_truth": truth}]
    )
    assert means(rescored_of(path)) == {("kimi", "passkey", None, "infinitebench_passkey"): 100}


def test_infinitebench_names_its_fields_in_two_ways_and_its_model_in_the_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "glm_preds_kv_retrieval.jsonl", [{"pred": '"ab-c".', "label": "ab-c"}])
    assert means(rescored_of(path)) == {("glm", "kv_retrieval", None, "infinitebench_kv_retrieval"): 100}


def test_a_missing_prediction_is_left_out_and_counted_an_empty_one_is_wrong(tmp_path: Path) -> None:
    raw = [{"prediction": "12", "ground_truth": "12"}, {"prediction": "", "ground_truth": "12"}]
    raw += [{"prediction": None, "ground_truth": "12"}, {"ground_truth": "12"}]
    rescored = rescored_of(write_lines(tmp_path / "m" / "preds_number_string.jsonl", raw))
    assert means(rescored) == {("m", "number_string", None, "infinitebench_number_string"): 50}
    assert tallies.rescored_frame(rescored)["unanswered"].tolist() == [2]


def test_a_group_with_no_output_at_all_is_unmeasured_not_wrong(tmp_path: Path) -> None:
    frame = tallies.rescored_frame(
        rescored_of(write_lines(tmp_path / "preds_passkey.jsonl", [{"prediction": None, "label": "1"}]))
    )
    assert frame["count"].tolist() == [0]
    assert frame["mean"].isna().all()


def test_a_benchmark_task_without_a_rule_is_an_error_if_named_and_passed_over_in_a_folder(tmp_path: Path) -> None:
    book = write_lines(tmp_path / "preds_longbook_qa_eng.jsonl", [{"prediction": "Ann", "ground_truth": ["Ann"]}])
    write_lines(tmp_path / "preds_passkey.jsonl", [{"prediction": "1", "ground_truth": "1"}])
    with pytest.raises(TextError, match="no published rule here for longbook_qa_eng"):
        rescored_of(book)
    assert list(rescored_of(tmp_path).passed) == [book]
    assert {rule for *_, rule in means(rescored_of(book, rules=("ruler_part",)))} == {"ruler_part"}


def ruler_sample(output: str, targets: list[str], length: int, **doc: Any) -> dict[str, Any]:
    score = sum(target in output for target in targets) / len(targets)
    made = {"doc_id": 0, "doc": {"outputs": targets, "max_length": length, **doc}, "target": targets, "filter": "none"}
    return made | {
        "resps": [[output]],
        "filtered_resps": [output],
        "metrics": ["4096"],
        "4096": -1.0,
        str(length): score,
    }


def test_lm_evals_ruler_samples_tell_length_depth_and_score(tmp_path: Path) -> None:
    samples = [ruler_sample("1 2", ["1", "2"], 8192, depth=0.25), ruler_sample("1", ["1", "2"], 8192, depth=0.5)]
    path = write_lines(tmp_path / "m" / "samples_niah_multivalue_2025-01-02T03-04-05.000678.jsonl", samples)
    rows = rows_of(path)
    assert [(row.length, row.depth, row.stored) for row in rows] == [(8192, 0.25, 1), (8192, 0.5, 0.5)]
    assert means(rescored_of(path)) == {
        ("m", "niah_multivalue", 8192, "ruler_all"): 75,
        ("m", "niah_multivalue", 8192, "stored"): 75,
    }


def babilong_sample(output: str) -> dict[str, Any]:
    doc = {"input": "…", "question": "Where is Mary?", "target": "kitchen"}
    return {
        "doc": doc,
        "target": "kitchen",
        "resps": [[output]],
        "filtered_resps": [output],
        "metrics": ["acc"],
        "acc": 1.0,
    }


def test_lm_evals_babilong_samples_take_their_length_from_the_run(tmp_path: Path) -> None:
    for stamp, length in (("2025-01-01T00-00-00.1", "4k"), ("2025-01-01T01-00-00.1", ["0k"])):
        write_lines(tmp_path / f"samples_babilong_qa1_{stamp}.jsonl", [babilong_sample("kitchen, not office")])
        results = {"configs": {"babilong_qa1": {"metadata": {"max_seq_lengths": length}}}}
        (tmp_path / f"results_{stamp}.json").write_text(json.dumps(results))
    rescored = rescored_of(tmp_path)
    assert means(rescored) == {
        (tmp_path.name, "babilong_qa1", length, rule): score
        for length in (0, 4096)
        for rule, score in (("babilong_official", 0), ("babilong_lm_eval", 100), ("stored", 100))
    }
    assert {group.setting for group, _ in rescored.tallies} == {""}


def test_two_lm_eval_runs_of_one_task_are_told_apart(tmp_path: Path) -> None:
    for stamp in ("2025-01-01T00-00-00.1", "2025-02-01T00-00-00.1"):
        write_lines(tmp_path / f"samples_niah_single_1_{stamp}.jsonl", [ruler_sample("1", ["1"], 4096)])
    assert {group.setting for group, _ in rescored_of(tmp_path).tallies} == {
        "2025-01-01T00-00-00.1",
        "2025-02-01T00-00-00.1",
    }


def test_rulers_own_predictions_are_read_from_its_layout_in_pieces(tmp_path: Path) -> None:
    folder = tmp_path / "llama" / "synthetic" / "4096" / "pred"
    write_lines(folder / "qa_1-0.jsonl", [{"pred": "Paris", "outputs": ["Paris", "paris, France"]}])
    write_lines(folder / "qa_1-1.jsonl", [{"pred": "Rome", "outputs": ["Paris"]}])
    assert means(rescored_of(tmp_path)) == {
        ("llama", "qa_1", 4096, "ruler_part"): 50,
        ("llama", "qa_1", 4096, "ruler_all"): 25,
    }


def needle_result(depth: float, score: int, output: str, length: int = 1000) -> dict[str, Any]:
    return {"model": "m", "context_length": length, "depth_percent": depth, "score": score, "model_response": output}


def test_needle_results_show_the_stored_score_beside_a_rule(tmp_path: Path) -> None:
    for number, one in enumerate([needle_result(0, 10, "a sandwich"), needle_result(97.151, 1, "a Sandwich, no")]):
        (tmp_path / f"{number}_results.json").write_text(json.dumps(one, indent=number or None))
    rescored = rescored_of(tmp_path, rules=("keyword:sandwich",))
    assert means(rescored) == {
        ("m", "needlehaystack", 1000, "keyword:sandwich"): 100,
        ("m", "needlehaystack", 1000, "stored"): 55,
    }
    assert [depth for _, depth in rescored.tallies] == [0, 0.9715]
    assert "| 100 % [34–100], n=2 | 5.5 of 10, n=2 |" in "".join(tables.sections(rescored))


def judged(*scores: float | None, **more: Any) -> list[dict[str, Any]]:
    base = {"model": "gpt", "context_length": 1000, "depth_percent": 50}
    return [base | {"score": score} | more for score in scores]


def test_a_grid_of_scores_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gpt.json"
    path.write_text(json.dumps(judged(10, 7, 3, None)))
    rescored = rescored_of(path)
    assert means(rescored) == {("gpt", "needlehaystack", 1000, "stored"): pytest.approx(200 / 3)}
    assert sum(rescored.unanswered.values()) == 1
    with pytest.raises(TextError, match=r"ruler_all cannot score .*gpt\.json.*: it holds no output"):
        rescored_of(path, rules=("ruler_all",))


@pytest.mark.parametrize(
    ("rule", "name", "mean"),
    [
        ("stored>=7", "stored>=7", 75),
        ("stored > 7", "stored>7", 25),
        ("stored<7.0", "stored<7", 25),
        ("stored<=7", "stored<=7", 75),
    ],
)
def test_a_threshold_makes_a_judges_score_right_or_wrong(tmp_path: Path, rule: str, name: str, mean: float) -> None:
    path = tmp_path / "gpt.json"
    path.write_text(json.dumps(judged(10, 7, 7, 3, model_response="a sandwich")))
    assert means(rescored_of(path, rules=(rule,))) == {("gpt", "needlehaystack", 1000, name): mean}
    assert set(next(iter(rescored_of(path, rules=(rule, "keyword:x")).tallies.values()))) == {name, "keyword:x"}


def test_a_threshold_beyond_the_judges_scores_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gpt.json"
    path.write_text(json.dumps(judged(10)))
    for rule in ("stored>=11", "stored>-1"):
        with pytest.raises(TextError, match="the scores beside its answers go up to 10"):
            rescored_of(path, rules=(rule,))
    for text in ("", "x", "nan", "inf"):
        with pytest.raises(SpecError, match=f"stored>={text} needs a number to compare with"):
            rescored_of(path, rules=(f"stored>={text}",))


def test_a_stored_score_that_is_not_there_cannot_be_asked_for(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "qa1_0k.csv", HERE)
    for rule in ("stored", "stored>=1"):
        with pytest.raises(TextError, match=r"cannot score .*qa1_0k\.csv.*no score stands beside it"):
            rescored_of(path, rules=(rule,))


def test_rows_that_a_rule_cannot_score_are_counted_beside_its_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "m/qa1_0k.csv", HERE)
    (tmp_path / "m/qa1_4k.csv").write_text("target,output\nkitchen,kitchen\noffice,office\n")
    rescored = rescored_of(tmp_path)
    note = "- `babilong_official` cannot score 2 rows, as it needs the question: qa1 at 4K"
    assert note in "".join(tables.sections(rescored)).splitlines()
    frame = tallies.rescored_frame(rescored).set_index(["rule", "length"])
    official = frame.loc[("babilong_official", 4096)]
    assert (official["count"], official["unscored"]) == (0, 2)
    assert frame.loc[("babilong_lm_eval", 4096)]["unscored"] == 0
    writing.write_rescored(rescored, tmp_path / "out")
    assert note in (tmp_path / "out/rescore.md").read_text()


def test_many_cells_without_scores_are_named_in_part(tmp_path: Path) -> None:
    for number in range(1, 21):
        (tmp_path / f"qa{number}_4k.csv").write_text("target,output\nkitchen,kitchen\n")
    text = "".join(tables.sections(rescored_of(tmp_path)))
    assert "cannot score 20 rows, as it needs the question: qa1 at 4K, " in text
    assert "qa8 at 4K and 12 more\n" in text


def test_a_file_that_no_rule_scores_is_listed_with_the_reason(tmp_path: Path) -> None:
    write_csv(tmp_path / "in/m/qa1_0k.csv", HERE)
    (tmp_path / "in/m/qa1_4k.csv").write_text("target,output\nkitchen,kitchen\n")
    rescored = rescored_of(tmp_path / "in", rules=("babilong_official",))
    writing.write_rescored(rescored, tmp_path / "out")
    page = (tmp_path / "out/rescore.md").read_text()
    assert (
        f"- the rule babilong_official cannot score '{tmp_path / 'in/m/qa1_4k.csv'}': it needs the question\n" in page
    )


def run_folder(folder: Path, lines: list[dict[str, Any]], torn: str = "") -> Path:
    base = {"model": "m", "prompt_tokens": 9, "max_new_tokens": 4, "seconds": 0.1, "task": "passkey", "targets": ["12"]}
    path = write_lines(
        folder / "records.jsonl", [{**base, "sample_id": f"passkey/{n}", **one} for n, one in enumerate(lines)]
    )
    path.write_text(path.read_text() + torn)
    run = Run(("passkey",), ("m",), Sweep((64,), (None,), 4, seed=3), "generate", "refuse", "1", {})
    (folder / "run.json").write_text(run_text(run))
    return folder


def test_our_own_runs_are_scored_torn_or_not(tmp_path: Path) -> None:
    cells = [
        {"axes": {"length": 64, "depth": depth}, "output": out, "score": 0.0}
        for depth, out in ((0.0, "12"), (1.0, None))
    ]
    folder = run_folder(tmp_path / "run", cells, torn='{"sample_id": "2", "ta')
    expected = {("m", "passkey", 64, "infinitebench_passkey"): 100, ("m", "passkey", 64, "stored"): 0}
    for given in (folder, folder / "records.jsonl", tmp_path):
        rescored = rescored_of(given)
        assert means(rescored) == expected
        assert sum(rescored.unanswered.values()) == 1


def test_intervals_of_our_own_runs_take_draws_for_independent_as_the_report_does(tmp_path: Path) -> None:
    depths = (0.0, 0.5, 1.0)
    cells = [
        {"axes": {"length": 64, "depth": depth, "repeat": n}, "output": "12" if n < 2 else "7", "score": float(n < 2)}
        for n in range(4)
        for depth in depths
    ]
    for name, drawn in (("run", True), ("old", False)):
        lines = [{**cell, "draw": f"passkey/{number // 3}"} if drawn else cell for number, cell in enumerate(cells)]
        (found,) = tallies.groups_of(rescored_of(run_folder(tmp_path / name, lines))).values()
        scores = [float(n < 2) for n in range(4) for _ in depths]
        expected = estimate(scores, [n for n in range(4) for _ in depths])
        assert tallies.measure(found["infinitebench_passkey"]) == pytest.approx(expected)
        assert expected.low < estimate(scores).low


def test_records_of_the_first_seed_that_do_not_name_it_are_of_its_draws(tmp_path: Path) -> None:
    cells = [
        {"axes": {"length": 64, "depth": depth} | seed, "output": "12", "score": 1.0, "draw": "passkey/0"}
        for depth, seed in ((0.0, {}), (0.5, {"seed": 3}), (1.0, {"seed": 4}))
    ]
    folder = run_folder(tmp_path / "run", cells)
    (found,) = tallies.groups_of(rescored_of(folder)).values()
    assert {draw for _, draw in found["stored"]} == {"3 passkey/0", "4 passkey/0"}


def test_two_runs_are_two_settings_and_their_reports_are_no_answers(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = run_folder(tmp_path / name, [{"axes": {"length": 64}, "output": "12", "score": 1.0}])
        write_csv(folder / "report" / "qa1_0k.csv", HERE)
    assert {(group.kind, group.setting) for group, _ in rescored_of(tmp_path).tallies} == {
        ("records", "a"),
        ("records", "b"),
    }


def test_the_same_file_counts_once(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "qa1_0k.csv", HERE)
    assert tallies.rescored_frame(rescored_of(path, tmp_path, path))["count"].tolist() == [2, 2]


def test_equal_folder_names_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    paths = [write_csv(tmp_path / upper / "m" / "qa1_0k.csv", HERE) for upper in ("x", "y")]
    assert len({group.model for group, _ in rescored_of(*paths).tallies}) == 2


def test_a_folder_passes_over_what_holds_no_answers(tmp_path: Path) -> None:
    write_csv(tmp_path / "qa1_0k.csv", HERE)
    (tmp_path / "qa1_0k.json").write_text('{"prompt": {}}')
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.jsonl").write_text("")
    sources, passed = find_sources([tmp_path])
    assert [source.path.name for source in sources] == ["qa1_0k.csv"]
    assert {path.name for path in passed} == {"qa1_0k.json", "other.csv", "empty.jsonl"}


PASSKEY = '{"prediction": "1", "ground_truth": "1"}\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b'{"a": 1}', "no answers of a known kind"),
        ("x.csv", b"", "is empty"),
        ("x.jsonl", b"hello\n", "line 1 is damaged"),
        ("preds_passkey.jsonl", (PASSKEY + '{"predic\n').encode(), "line 2 is damaged"),
        ("preds_passkey.jsonl", (PASSKEY + "\n[1]\n").encode(), "line 3 is damaged: it is no JSON object"),
        (
            "preds_passkey.jsonl",
            (PASSKEY + '{"prediction": "1"}\n').encode(),
            "line 2 is damaged: it has no ground_truth",
        ),
        (
            "preds_passkey.jsonl",
            b'{"prediction": 5, "ground_truth": "1"}\n',
            "line 1 is damaged: its answer is no text",
        ),
        ("preds_passkey.jsonl", PASSKEY.encode() + b'{"prediction": "\xff"}\n', "line 2 is damaged"),
        ("preds.jsonl", PASSKEY.encode(), "does not tell its task; give --task, such as passkey"),
        ("qa1_0k.csv", b",target,output,question\n0,a,\xff,b\n", "no UTF-8 text"),
        ("qa1_0k.csv", b",target,output,question\n0,a,b,c\n0,a,b,c,d,e\n", "Expected 4 fields in line 3, saw 6"),
        ("qa1_0k.csv", b",target,output,question\n0,a,b,c,d,e\n", "rows have more fields than its head"),
        ("qa1_0k.csv", b',target,output,question\n0,a,"b\n', "is damaged: EOF inside string"),
        ("qa1_0k.csv", b",target,output,question\n0,a,b,c\n1\n", "row 2 is damaged: it has no target"),
        (
            "r.json",
            b'{"model_response": "", "context_length": 9, "depth_percent": 101}',
            "depth_percent, from 0 to 100",
        ),
        ("r.json", b'{"model_response": "", "context_length": 9, "depth_percent": 1, "score": "x"}', "score 'x'"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TextError, match=message) as error:
        rescored_of(path)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_path_that_is_not_there_or_holds_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"there is no .*gone"):
        find_sources([tmp_path / "gone"])
    with pytest.raises(TextError, match="no stored answers in"):
        find_sources([tmp_path])


def test_a_rule_that_cannot_score_these_answers_names_the_file_and_why(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "preds_passkey.jsonl", [{"prediction": "1", "ground_truth": "1"}])
    for given in (path, tmp_path):
        with pytest.raises(TextError, match=r"babilong_official cannot score .*preds_passkey.*qa1 to qa20"):
            rescored_of(given, rules=("babilong_official",))
    with pytest.raises(SpecError, match="babilong_official scores none of these answers: it scores BABILong's qa1"):
        rescored_of(path, rules=("ruler_all", "babilong_official"))


def test_disagreements_are_counted_and_their_rows_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "EXAMPLES", 2)
    rows = [HERE[0], *[HERE[1]] * 4, ("garden", "office", "Where? ")]
    rescored = rescored_of(write_csv(tmp_path / "qa1_0k.csv", rows))
    assert list(rescored.splits.values()) == [[1, 0, 4, 1]]
    ((key, found),) = rescored.examples.items()
    assert key == ("babilong_official", "babilong_lm_eval", "qa1", False)
    assert [one["line"] for one in found] == [2, 3]


def test_two_processes_find_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in ("qa1", "qa2", "qa3"):
        write_csv(tmp_path / f"{task}_0k.csv", HERE)
    alone = rescored_of(tmp_path)
    monkeypatch.setattr(rescoring, "LARGE", 0)
    together = rescored_of(tmp_path)
    assert (together.tallies, together.splits, together.examples) == (alone.tallies, alone.splits, alone.examples)


def test_each_task_takes_its_best_prompt_and_a_length_it_lacks_counts_against_it(tmp_path: Path) -> None:
    right, wrong = HERE[0], ("office", "garden", "Where? ")
    write_csv(tmp_path / "m/qa1_0k_a_yes.csv", [right, right])
    write_csv(tmp_path / "m/qa1_4k_a_yes.csv", [wrong, wrong])
    write_csv(tmp_path / "m/qa1_0k_b_yes.csv", [right, right, wrong])
    write_csv(tmp_path / "m/qa1_4k_b_yes.csv", [right, wrong, wrong])
    write_csv(tmp_path / "m/qa2_0k_a_yes.csv", [right])
    write_csv(tmp_path / "m/qa2_0k_b_yes.csv", [wrong])
    write_csv(tmp_path / "m/qa2_4k_b_yes.csv", [wrong])
    text = tables.best_settings(rescored_of(tmp_path, rules=("babilong_official",)))
    cells = [
        [cell.split(" [")[0].strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line
    ]
    # qa1: a has 100 and 0, b has 66.67 and 33.33, which is as much, and a comes first; qa2: a has 100 and -1
    assert cells[2:] == [["qa1", "100 %", "0 %"], ["qa2", "100 %", "–"], ["average", "100 %", "0 % (1 of 2 tasks)"]]


def test_tasks_stand_in_their_order_and_the_average_is_of_their_means(tmp_path: Path) -> None:
    for task, rows in (("qa10", [("yes", "yes", "?")]), ("qa2", [HERE[1]] * 3), ("qa9", [("no", "yes", "?")])):
        for length in ("0k", "1k"):
            write_csv(tmp_path / f"{task}_{length}.csv", rows)
    text = "".join(tables.sections(rescored_of(tmp_path, rules=("babilong_official",))))
    pivot = text.split("###")[1].splitlines()[4:]
    assert [line.split("|")[1].strip() for line in pivot] == ["qa2", "qa9", "qa10", "average"]
    assert pivot[-1] == "| average | 33.33 % | 33.33 % |"


def test_free_depths_fall_into_twentieths_and_known_ones_stay(tmp_path: Path) -> None:
    few = [ruler_sample("1", ["1"], 4096, depth=depth) for depth in (0.0, 0.123, 1.0)]
    many = [ruler_sample("1", ["1"], 4096, depth=number / 100) for number in range(101)]
    path = tmp_path / "samples_niah_single_1.jsonl"
    assert [
        depth for depths in tallies.depths_of(rescored_of(write_lines(path, few))).values() for depth in depths
    ] == [
        0,
        0.123,
        1,
    ]
    (depths,) = tallies.depths_of(rescored_of(write_lines(path, many))).values()
    assert [*depths] == [pytest.approx((number + 0.5) / 20) for number in range(20)]
    assert sum(tally["ruler_all"].total() for tally in depths.values()) == 101


def test_the_folder_holds_page_table_rows_and_pictures(tmp_path: Path) -> None:
    for task in ("qa1", "qa2"):
        for length in ("0k", "4k"):
            write_csv(tmp_path / "in/m" / f"{task}_{length}.csv", HERE)
    for depth in (0, 50):
        (tmp_path / f"in/{depth}.json").write_text(json.dumps(needle_result(depth, 7, "\ud800 | <b>")))
    paths = writing.write_rescored(rescored_of(tmp_path / "in"), tmp_path / "out")
    assert all(path.stat().st_size for path in paths)
    assert {path.name for path in paths} >= {
        "rescore.md",
        "rescore.csv",
        "disagreements.jsonl",
        "tasks-babilong-m.svg",
        "depths-needlehaystack-m-needlehaystack.png",
    }
    page = (tmp_path / "out/rescore.md").read_text()
    assert "### babilong_official and babilong_lm_eval" in page
    assert "| all |  |  | 4 | 0 | 4 | 0 | 50 % |" in page
    lines = [json.loads(line) for line in (tmp_path / "out/disagreements.jsonl").read_text().splitlines()]
    assert {(one["right"], one["wrong"], one["output"]) for one in lines} == {
        ("babilong_lm_eval", "babilong_official", "kitchen or office")
    }
    with (tmp_path / "out/rescore.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["depth"] for row in table if row["kind"] == "needlehaystack"] == ["all", "0.0", "0.5"]
    assert {(row["mean"], row["count"]) for row in table if row["rule"] == "babilong_official"} == {("0.5", "2")}


def test_a_run_that_a_killed_merge_left_half_made_is_no_source(tmp_path: Path) -> None:
    answer = {"doc": {}, "target": "7", "filtered_resps": ["7"], "doc_id": 0}
    for place in (tmp_path / "runs", tmp_path / ".merged.abcdefgh.part" / "made"):
        place.mkdir(parents=True)
        (place / "samples_passkey.jsonl").write_text(json.dumps(answer) + "\n")
    found, passed = find_sources([tmp_path])
    assert [source.path for source in found] == [tmp_path / "runs" / "samples_passkey.jsonl"]
    assert passed == []

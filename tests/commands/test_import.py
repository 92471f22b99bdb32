"""`mta-eval export` and `mta-eval import`: there, answered elsewhere, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta_eval.core import PromptSettings
from mta_eval.models.stop_strings import cut_at_stop
from mta_eval.models.window import Window
from mta_eval.results.answer_lines import read_answers
from mta_eval.results.sample_json import read_sample, sample_line
from mta_eval.results.store import read

Call = Callable[..., tuple[int, str, str]]
SWEEP = ["--lengths", "256,512", "--depths", "0,1", "--repeats", "2", "--seed", "3"]
pytestmark = pytest.mark.usefixtures("quick_pdfs")


def export(call: Call, task: str, out: str = "samples.jsonl") -> list[dict[str, Any]]:
    code, _, err = call("export", task, "--model", "window:300", *SWEEP, "--out", out)
    assert code == 0, err
    return [json.loads(line) for line in Path(out).read_text().splitlines()]


def write(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def answers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the window model says to each exported sample, read from its line."""
    samples = [read_sample(row).sample for row in rows]
    return [
        {"id": sample.id, "output": answer.text, "prompt_tokens": sample.prompt_tokens}
        for sample, answer in zip(samples, Window(300).generate(samples), strict=True)
    ]


def bring_back(call: Call, *options: str) -> tuple[int, str, str]:
    return call("import", "samples.jsonl", "answers.jsonl", "--name", "mine", *options, "--out", "imported")


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        ("niah", "first_word"),
        ("niah:needles=4,asked=2", "all_contained"),
        ("niah:rule=ruler_all", "ruler_all"),
        ("passkey", "infinitebench_passkey"),
        ("babilong:qa=1", "babilong_one_label"),
        ("letter_blocks", "first_word"),
    ],
)
def test_answers_imported_from_an_export_are_those_of_run(call: Call, task: str, rule: str) -> None:
    rows = export(call, task)
    assert {(row["rule"], row["seed"], row["tokenizer"]["model"]) for row in rows} == {(rule, 3, "window:300")}
    write("answers.jsonl", answers(rows)[::-1])
    assert bring_back(call)[0] == 0
    assert call("run", task, "--model", "window:300", *SWEEP, "--out", "run")[0] == 0
    (imported, theirs), (run, ours) = read(Path("imported")), read(Path("run"))
    pick = ("sample_id", "task", "axes", "targets", "score", "prompt_tokens", "max_new_tokens", "choices")
    pick += ("needles", "prompt_sha256", "error", "truncated", "unverified")
    assert [[getattr(one, name) for name in pick] for one in theirs] == [
        [getattr(one, name) for name in pick] for one in ours
    ]
    stops = {row["id"]: row["stop"] for row in rows}
    assert [one.output for one in theirs] == [cut_at_stop(one.output or "", stops[one.sample_id]) for one in ours]
    assert {one.score for one in theirs} == {0.0, 1.0}
    assert all(math.isnan(one.seconds) and one.peak_memory is None and one.model == "mine" for one in theirs)
    assert [part.sweep for part in imported.parts] == [part.sweep for part in run.parts]
    assert (imported.samples, imported.sweep, imported.prompt) == (run.samples, run.sweep, run.prompt)
    assert list(imported.tokenizers.values()) == list(run.tokenizers.values())


def test_an_imported_run_is_a_run_like_any_other(call: Call) -> None:
    write("answers.jsonl", answers(export(call, "niah")))
    assert bring_back(call)[0] == 0
    assert call("run", "niah", "--model", "window:600", *SWEEP, "--out", "run")[0] == 0
    for arguments, told in (
        (["report", "imported"], "report.html"),
        (["report", "imported", "--attention"], "report.html"),
        (["table", "imported"], "## niah · mine"),
        (["watch", "imported", "--every", "0.1"], "8 answers"),
        (["compare", "imported", "run"], "niah"),
        (["rescore", "imported", "--out", "rescored"], "rescore.md"),
        (["merge", "imported", "run", "--out", "merged"], "16 answers in merged"),
    ):
        code, out, err = call(*arguments)
        assert (code, told in out) == (0, True), err
    code, out, _ = call("show", "imported", "niah/512/1.00/1", "--json")
    shown = json.loads(out)
    assert (code, shown["model"], shown["score"]) == (0, "mine", 1.0)
    assert shown["prompt"] == next(row["prompt"] for row in export(call, "niah") if row["id"] == "niah/512/1.00/1")


def test_under_the_name_of_a_model_run_goes_on_with_an_import(call: Call) -> None:
    write("answers.jsonl", answers(export(call, "niah")))
    assert call("import", "samples.jsonl", "answers.jsonl", "--name", "window:300", "--out", "run")[0] == 0
    assert (
        call("run", "niah", "--model", "window:300", *SWEEP[:-4], "--repeats", "3", "--seed", "3", "--out", "run")[0]
        == 0
    )
    run, records = read(Path("run"))
    assert (run.samples, len(records), sum(math.isnan(one.seconds) for one in records)) == (12, 12, 8)


def test_missing_answers_are_counted_said_and_recorded(call: Call) -> None:
    rows = export(call, "niah")
    write("answers.jsonl", answers(rows)[:5])
    code, out, _ = bring_back(call)
    assert code == 1
    assert "3 samples have no answer in answers.jsonl" in out
    records = read(Path("imported"))[1]
    assert [one.error for one in records if one.error] == ["missing: no answer in answers.jsonl"] * 3
    assert all(one.score is None for one in records if one.error)
    code, out, err = call("report", "imported")
    assert "3 samples are missing" in err
    assert "missing: no answer in answers.jsonl" in Path("imported/report/report.md").read_text()
    write("answers.jsonl", answers(rows)[4:])  # the rest, and one again
    assert bring_back(call)[0] == 1
    assert all(one.error is None for one in read(Path("imported"))[1])
    write("answers.jsonl", answers(rows))
    before = Path("imported/records.jsonl").read_bytes()
    assert bring_back(call)[0] == 0
    assert Path("imported/records.jsonl").read_bytes() == before


def test_another_answer_to_a_sample_that_is_there_is_refused_and_nothing_is_written(call: Call) -> None:
    rows = export(call, "niah")
    given = answers(rows)
    write("answers.jsonl", given[:2])
    bring_back(call)
    before = Path("imported/records.jsonl").read_text().splitlines()[:2]
    given[1]["output"] = "other"
    write("answers.jsonl", given)
    code, _, err = bring_back(call)
    told = f"{given[1]['id']} of mine has two answers, in 'imported' and in 'answers.jsonl' line 2"
    assert (code, err) == (2, f"mta-eval: {told}; choose another --out or --name\n")
    assert Path("imported/records.jsonl").read_text().splitlines() == before


def test_another_seed_grows_the_folder(call: Call) -> None:
    write("answers.jsonl", answers(export(call, "niah")))
    bring_back(call)
    assert call("export", "niah", "--model", "window:300", *SWEEP[:-1], "4", "--out", "samples.jsonl")[0] == 0
    write("answers.jsonl", answers([json.loads(line) for line in Path("samples.jsonl").read_text().splitlines()]))
    assert bring_back(call)[0] == 0
    run, records = read(Path("imported"))
    assert (run.seeds, [one.axes["seed"] for one in records]) == ((3, 4), [3] * 8 + [4] * 8)


def test_an_answer_is_cut_where_run_would_end_it(call: Call) -> None:
    rows = export(call, "niah:needles=4,asked=2")
    assert rows[0]["stop"] == ["\n", "."]
    write("answers.jsonl", [{"id": row["id"], "output": f" 7.\n{row['targets']}", "finish": "length"} for row in rows])
    bring_back(call)
    records = read(Path("imported"))[1]
    assert {(one.output, one.score, one.finish, one.unverified) for one in records} == {(" 7", 0.0, "stop", True)}


def test_what_else_is_known_of_an_answer_is_kept(call: Call) -> None:
    row = export(call, "passkey")[0]
    known = {
        "finish_reason": "length",
        "reasoning": "Hm.",
        "seconds": 1.5,
        "completion_tokens": 9,
        "prompt_tokens": None,
    }
    write("answers.jsonl", [{"id": row["id"], "generated_text": ["x"], "colour": "red", **known}])
    bring_back(call)
    (one,) = (one for one in read(Path("imported"))[1] if one.error is None)
    assert (one.output, one.finish, one.thought, one.seconds, one.output_tokens) == ("x", "length", "Hm.", 1.5, 9)
    assert one.unverified


def test_the_thought_of_a_chat_is_told_from_its_answer(call: Call, llama_folder: Path) -> None:
    chat = ["export", "niah:prompt=chat", "--model", f"tokenizer:{llama_folder}", "--lengths", "512", "--depths", "0"]
    assert call(*chat, "--repeats", "2", "--out", "samples.jsonl")[0] == 0
    rows = [json.loads(line) for line in Path("samples.jsonl").read_text().splitlines()]
    right = rows[0]["targets"][0]
    texts = [f"<think>Is it 5?</think>It is {right}.", f"<think>It may be {right}"]
    write("answers.jsonl", [{"id": row["id"], "text": text} for row, text in zip(rows, texts, strict=True)])
    assert bring_back(call)[0] == 0
    done, cut = read(Path("imported"))[1]
    assert (done.thought, done.output, done.score, done.finish) == ("Is it 5?", f"It is {right}.", 1.0, None)
    assert (cut.thought, cut.output, cut.score, cut.finish) == (f"It may be {right}", "", 0.0, "length")


def test_a_task_that_reads_cannot_be_imported(call: Call) -> None:
    assert (
        call("export", "perplexity:windows=1", "--model", "window:300", "--lengths", "64", "--out", "samples.jsonl")[0]
        == 0
    )
    write("answers.jsonl", [{"id": "a", "output": "b"}])
    told = "'samples.jsonl' line 1: perplexity:windows=1 reads texts and takes no answers; ask it with mta-eval run"
    assert bring_back(call) == (2, "", f"mta-eval: {told}\n")


LINE = '{"id": "niah/256/1.00/0", "output": "x"}\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1: it is no JSON: "),
        (LINE + "\n[]\n", "line 3: the line is [], not an object"),
        (LINE + '{"id": "a"}', "line 2: it has no output; name it 'output' (or response, answer, text, "),
        ('{"output": "a"}', "line 1: id is missing: the id of the exported sample"),
        ('{"id": 7, "output": "a"}', "line 1: id is 7, not a text"),
        ('{"id": "a", "output": null}', "line 1: output is null, not a text or a list of one text"),
        ('{"id": "a", "text": ["b", "c"]}', 'line 1: text is ["b", "c"], not a text or a list of one text'),
        ('{"id": "a", "output": "b", "text": "c"}', "line 1: it has both 'output' and 'text'; leave one of them"),
        ('{"id": "a", "output": "b", "finish": "eos"}', 'line 1: finish is "eos", not one of stop, length, refused'),
        ('{"id": "a", "output": "b", "seconds": -1}', "line 1: seconds is -1, not a number from 0 on"),
        ('{"id": "a", "output": "b", "output_tokens": 1.5}', "line 1: output_tokens is 1.5, not a whole number"),
        (LINE + LINE, "line 2: niah/256/1.00/0 is answered twice, first on line 1"),
        (LINE + '{"id": "a", "output": "b"}', "line 2: there is no sample 'a' in 'samples.jsonl'"),
        (LINE[:-2] + ', "prompt_tokens": 100}', "line 1: prompt_tokens is 100, but the prompt has "),
        ("[" * 100_000, "line 1: it is no JSON: "),
    ],
)
def test_what_is_wrong_with_the_answers_is_one_line_with_file_and_line(call: Call, text: str, told: str) -> None:
    export(call, "niah")
    Path("answers.jsonl").write_text(text)
    code, out, err = bring_back(call)
    assert (code, out) == (2, "")
    assert err.startswith(f"mta-eval: 'answers.jsonl' {told}")
    assert err.count("\n") == 1
    assert not Path("imported").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prompt": 7}, "prompt is 7, not a text"),
        ({"seed": None}, "seed is null, not a whole number"),
        ({"tokenizer": {}}, "tokenizer.model is missing"),
        ({"needles": [{}]}, "needles.key is missing"),
        ({"axes": {"length": []}}, "axes.length is [], not a number"),
        ({"task": "nia"}, "no task is called 'nia'; did you mean 'niah'?"),
        ({"rule": "ruler_all"}, "rule is 'ruler_all', but niah scores by 'first_word'"),
        ({"id": "x"}, "'x' is no id of a sample of niah"),
        ({"id": "niah/x"}, "'niah/x' is no id of a sample of niah"),
        ({"id": "passkey/256/0.00/0"}, "'passkey/256/0.00/0' is no id of a sample of niah"),
        ({"id": "niah/256/1.00/0"}, "niah/256/1.00/0 is there twice, first on line 1; import each seed alone"),
        ({"seed": 4}, "its seed, tokenizer or settings are not those of the first line; import them alone"),
    ],
)
def test_what_is_wrong_with_the_samples_is_one_line_with_file_and_line(
    call: Call, changes: dict[str, Any], told: str
) -> None:
    rows = export(call, "niah")
    rows[1] |= changes
    write("samples.jsonl", rows)
    write("answers.jsonl", answers(export(call, "niah", "good.jsonl")))
    code, _, err = bring_back(call)
    assert code == 2
    assert err.startswith(f"mta-eval: 'samples.jsonl' line 2: {told}")
    assert err.count("\n") == 1


def test_a_needle_that_the_prompt_does_not_hold_is_refused(call: Call) -> None:
    rows = export(call, "niah")
    rows[0]["needles"][0]["text"] = "The sea is wide."
    write("samples.jsonl", rows)
    write("answers.jsonl", answers(export(call, "niah", "good.jsonl")))
    told = "mta-eval: 'samples.jsonl' line 1: its prompt does not hold the needle 'The sea is wide.'\n"
    assert bring_back(call) == (2, "", told)


def test_an_output_that_repeats_the_prompt_is_refused(call: Call) -> None:
    rows = export(call, "niah")
    write("answers.jsonl", [{"id": row["id"], "generated_text": row["prompt"] + " 7"} for row in rows])
    told = "'answers.jsonl' line 1: the output begins with the prompt; give the new text alone"
    assert bring_back(call) == (2, "", f"mta-eval: {told}\n")


def test_files_that_are_none_are_one_line(call: Call) -> None:
    write("answers.jsonl", [])
    Path("folder").mkdir()
    assert "cannot read 'samples.jsonl'" in bring_back(call)[2]
    told = "mta-eval: cannot read 'folder': Is a directory; for a checkpoint see mta-eval import-checkpoint\n"
    assert call("import", "answers.jsonl", "folder", "--name", "x", "--out", "y") == (2, "", told)
    assert "holds no samples" in call("import", "answers.jsonl", "answers.jsonl", "--name", "x", "--out", "y")[2]
    export(call, "niah")
    assert "'answers.jsonl' holds no answers; a line of it is" in bring_back(call)[2]
    for name in (" ", "a\nb"):
        assert "--name is what the model is called" in call("import", "a", "b", "--name", name, "--out", "y")[2]
    Path("latin.jsonl").write_bytes(LINE.encode() + b'{"id": "\xe9"}')
    assert (
        "'latin.jsonl' line 2: it is no UTF-8 text"
        in call("import", "a", "latin.jsonl", "--name", "x", "--out", "y")[2]
    )


def test_a_sample_is_the_same_after_its_line(call: Call) -> None:
    for task in ("niah:needles=3", "letter_blocks", "babilong:qa=2"):
        for row in export(call, task):
            exported = read_sample(row)
            assert json.loads(sample_line(exported)) == row
            assert exported.sample.settings == PromptSettings()
            assert isinstance(exported.sample.targets, tuple)


def test_a_byte_order_mark_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"id": "a", "response": "b"}\n\n{"id": "c", "answer": ["d"]}')
    found = read_answers(tmp_path / "a.jsonl")
    assert [(one.id, one.output, one.line) for one in found.values()] == [("a", "b", 1), ("c", "d", 3)]

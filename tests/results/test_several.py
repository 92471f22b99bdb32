import dataclasses
import json
from pathlib import Path

from test_store import RUN, record

from mta_eval.core import Record
from mta_eval.results.several import questions_of, read_several, told_apart
from mta_eval.results.store import RunFolder


def write(folder: Path, *records: Record, **sweep: object) -> Path:
    models = tuple(dict.fromkeys(one.model for one in records))
    run = dataclasses.replace(RUN, models=models, sweep=dataclasses.replace(RUN.sweep, **sweep))  # type: ignore[arg-type]
    with RunFolder(folder, run) as opened:
        for one in records:
            opened.append(one)
    return folder


def test_runs_of_several_seeds_get_the_axis_seed(tmp_path: Path) -> None:
    folders = [write(tmp_path / f"s{seed}", record(0), seed=seed) for seed in (0, 1, 5)]
    _, records, _ = read_several(folders)
    assert [one.axes["seed"] for one in records] == [0, 1, 5]
    assert {one.model for one in records} == {"window:300"}


def test_runs_of_one_seed_are_told_apart_by_their_names(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, record(0)) for name in ("a", "b")]
    questions, records, _ = read_several(folders)
    assert [name for name, _ in questions] == ["a", "b"]
    assert [one.model for one in records] == ["window:300 (a)", "window:300 (b)"]
    assert "seed" not in records[0].axes


def test_runs_of_other_models_or_tasks_stay_as_they_are(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", record(0)), write(tmp_path / "b", record(0, model="window:600"), seed=1)
    _, records, _ = read_several([first, second])
    assert records == [record(0), record(0, model="window:600")]


def test_a_run_named_twice_is_read_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", record(0))
    questions, records, lacking = read_several([folder, tmp_path / "b" / ".." / "a"])
    assert (len(questions), records, list(lacking)) == (1, [record(0)], [str(folder)])


def test_two_runs_whose_folders_have_one_name_are_told_apart_by_more_of_their_paths(tmp_path: Path) -> None:
    folders = [write(tmp_path / name / "run", record(0)) for name in ("a", "b")]
    _, records, _ = read_several(folders)
    assert [one.model for one in records] == ["window:300 (a/run)", "window:300 (b/run)"]


def test_what_a_run_still_lacks_is_counted(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", record(0), record(1, output=None, score=None, error="E"))
    questions, _, lacking = read_several([folder])
    assert lacking == {str(folder): 7}  # 2 lengths, 2 depths, 2 repeats; one was answered, one failed
    assert questions[0][1].environment["answered"] == "1 of 8 samples"


def test_a_run_that_says_how_many_samples_it_has_is_believed(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", record(0))
    question = json.loads((folder / "run.json").read_text())
    question["environment"]["samples"] = 3
    (folder / "run.json").write_text(json.dumps(question))
    questions, _, lacking = read_several([folder])
    assert lacking == {str(folder): 2}
    assert questions[0][1].environment["answered"] == "1 of 3 samples"
    assert "samples" not in questions[0][1].environment


def test_runs_of_one_seed_that_answered_other_samples_are_parts_of_one(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, record(number)) for number, name in enumerate(("short", "long"))]
    _, records, _ = read_several(folders)
    assert records == [record(0), record(1)]


def test_of_several_seeds_each_may_come_in_parts(tmp_path: Path) -> None:
    folders = [write(tmp_path / f"{seed}{number}", record(number), seed=seed) for seed in (0, 1) for number in (0, 1)]
    _, records, _ = read_several(folders)
    assert [one.axes["seed"] for one in records] == [0, 0, 1, 1]
    assert {one.model for one in records} == {"window:300"}


def test_two_models_of_one_name_are_told_apart_by_their_runs(tmp_path: Path) -> None:
    one, other = told_apart([tmp_path / "a", tmp_path / "b"], [record(0)], [record(1)])
    assert (one[0].model, other[0].model) == ("window:300 (a)", "window:300 (b)")
    same, another = told_apart([tmp_path / "a", tmp_path / "b"], [record(0)], [record(1, model="other")])
    assert (same[0].model, another[0].model) == ("window:300", "other")
    assert told_apart([tmp_path], [record(0)], [record(0)])[0][0].model == "window:300"


def test_questions_are_read_under_the_names_of_their_runs(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, record(0)) for name in ("a", "b")]
    assert [(name, run.models) for name, run in questions_of(folders)] == [
        ("a", ("window:300",)),
        ("b", ("window:300",)),
    ]

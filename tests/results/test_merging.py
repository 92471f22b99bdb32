"""Several run folders as one: what is joined, what gives way, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_store import RUN, record

from mta_eval.core import ModelIdentity, PromptSettings, Record, Run, Sweep
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.merging import merge_runs
from mta_eval.results.several import read_several
from mta_eval.results.store import RunFolder, read

FAILED = {"output": None, "score": None, "error": "out of memory"}


def write(folder: Path, *records: Record, **changes: object) -> Path:
    with RunFolder(folder, replace(RUN, **changes)) as opened:  # type: ignore[arg-type]
        for one in records:
            opened.append(one)
    return folder


def test_all_records_are_there_once_and_the_question_is_the_union(tmp_path: Path) -> None:
    other = record(1, model="hf:x", sample_id="niah/2048/0.00/0")
    sweep = Sweep((2048,), (0.0,), 1, 0)
    first = write(tmp_path / "a", record(1), record(0))
    second = write(tmp_path / "b", other, models=("hf:x",), sweep=sweep, tokenizers={"hf:x": "d"})
    run, records, doubles = merge_runs([first, second], tmp_path / "new" / "run")
    assert read(tmp_path / "new" / "run") == (run, records)
    assert records == [record(0), record(1), other]
    assert (run.models, run.sweep.lengths, run.samples, doubles) == (("window:300", "hf:x"), (512, 1024, 2048), 9, 0)
    assert run.tokenizers == {"window:300": "abc", "hf:x": "d"}
    assert read_several([tmp_path / "new" / "run"])[2] == {str(tmp_path / "new" / "run"): 6}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["run"]


def test_runs_of_other_seeds_become_one_of_several(tmp_path: Path) -> None:
    folders = [
        write(tmp_path / str(seed), record(0, output=str(seed)), sweep=replace(RUN.sweep, seed=seed)) for seed in (4, 1)
    ]
    run, records, _ = merge_runs(folders, tmp_path / "run")
    assert (run.seeds, run.samples) == ((4, 1), 16)
    assert [(one.axes["seed"], one.output) for one in records] == [(1, "1"), (4, "4")]
    with RunFolder(tmp_path / "run", RUN) as folder:
        assert set(folder.run.seeds) == {4, 1, 0}
        assert folder.run.sweep.seed == 4
        assert folder.done == {("window:300", seed, record(0).sample_id) for seed in (1, 4)}


def test_of_runs_that_name_no_lengths_the_records_say_what_was_asked(tmp_path: Path) -> None:
    unnamed = replace(RUN.sweep, lengths=())
    folders = [write(tmp_path / name, record(number), sweep=unnamed) for number, name in enumerate("ab")]
    run, records, _ = merge_runs(folders, tmp_path / "run")
    assert (run.samples, len(records)) == (2, 2)


def test_the_same_answer_is_kept_once_and_another_is_refused_with_both_folders(tmp_path: Path) -> None:
    first = write(tmp_path / "a", record(0), record(1))
    same = write(tmp_path / "b", record(1, seconds=9.0))
    merged = merge_runs([first, same], tmp_path / "run")
    assert (merged.records, merged.doubles) == ([record(0), record(1)], 1)
    for name, changed in (("output", {"output": "8"}), ("score", {"score": 0.5})):
        other = write(tmp_path / name, record(1, **changed))
        with pytest.raises(StoreError) as caught:
            merge_runs([first, other], tmp_path / "no")
        text = str(caught.value)
        assert "\n" not in text
        assert text.startswith(
            f"niah/512/0.00/1 of window:300 has two answers, in {str(first)!r} and in {str(other)!r}"
        )
    assert not (tmp_path / "no").exists()


def test_the_same_answer_to_another_prompt_is_refused(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, record(0, prompt_sha256=name)) for name in ("a", "b", "")]
    with pytest.raises(StoreError, match=r"niah/512/0\.00/0 of window:300 has two prompts"):
        merge_runs(folders[:2], tmp_path / "run")


def test_one_whose_prompt_is_unknown_is_taken_for_the_same(tmp_path: Path) -> None:
    folders = [write(tmp_path / f"{name}x", record(0, prompt_sha256=name)) for name in ("a", "")]
    assert merge_runs(folders, tmp_path / "run").doubles == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_failed_gives_way_to_what_was_answered(tmp_path: Path, order: tuple[int, int]) -> None:
    folders = [write(tmp_path / "a", record(0, **FAILED), record(1, **FAILED)), write(tmp_path / "b", record(0))]
    merged = merge_runs([folders[place] for place in order], tmp_path / "run")
    assert merged.records == [record(0), record(1, **FAILED)]
    assert merged.doubles == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"answer": "choose"}, "answer is generate in the first and choose in the second"),
        ({"version": "9"}, "version is 0.1.0 in the first and 9 in the second"),
        ({"prompt": PromptSettings(system="Hi.")}, "system is nothing in the first and Hi. in the second"),
        ({"tokenizers": {"window:300": "z"}}, "the tokenizer of window:300 is abc in the first and z in the second"),
        (
            {"identities": {"window:300": ModelIdentity(weights="b")}},
            "window:300: its weights is a in the first and b in the second",
        ),
    ],
)
def test_runs_that_contradict_each_other_are_refused(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    known: Run = replace(RUN, identities={"window:300": ModelIdentity(weights="a")})
    first = write(tmp_path / "a", identities=known.identities)
    between = write(tmp_path / "b", models=("hf:x",), tokenizers={"hf:x": "d"}, **_without_model(changes))
    second = write(tmp_path / "c", **changes)
    folders = [first, second] if _without_model(changes) else [first, between, second]
    with pytest.raises(StoreError) as caught:
        merge_runs(folders, tmp_path / "run")
    assert str(caught.value) == f"{str(first)!r} and {str(second)!r} cannot be merged: {told}"


def _without_model(changes: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in changes.items() if name not in ("tokenizers", "identities")}


def test_a_folder_that_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    folders = [write(tmp_path / name) for name in ("a", "b")]
    with pytest.raises(StoreError, match="is there already; name a new folder with --out"):
        merge_runs(folders, folders[0])
    (tmp_path / "empty").mkdir()
    merge_runs(folders, tmp_path / "empty")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is there already"):
        merge_runs(folders, tmp_path / "file")
    with pytest.raises(StoreError, match="cannot write the run folder"):
        merge_runs(folders, tmp_path / "file" / "run")


def test_one_folder_is_nothing_to_merge(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    with pytest.raises(SpecError, match="merge needs two or more run folders"):
        merge_runs([folder, tmp_path / "b" / ".." / "a"], tmp_path / "run")


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no run folder"):
        merge_runs([write(tmp_path / "a"), tmp_path / "nowhere"], tmp_path / "run")

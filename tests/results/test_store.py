import dataclasses
import fcntl
import json
import os
import threading
import time
from pathlib import Path

import pytest

from mta_eval.core import PromptSettings, Record, Run, Sweep
from mta_eval.errors import StoreError
from mta_eval.results.store import RunFolder, in_use, read

RUN = Run(
    tasks=("niah",),
    models=("window:300",),
    sweep=Sweep((512, 1024), (0.0, None), 2, 0),
    answer="generate",
    over_length="refuse",
    version="0.1.0",
    tokenizers={"window:300": "abc"},
    environment={"versions": {"torch": "2"}},
)


def record(number: int, **changes: object) -> Record:
    fields = {
        "sample_id": f"niah/512/0.00/{number}",
        "task": "niah",
        "model": "window:300",
        "axes": {"length": 512, "depth": 0.0},
        "targets": ["7"],
        "output": " 7 – é\n",
        "score": 1.0,
        "prompt_tokens": 500,
        "max_new_tokens": 12,
        "seconds": 0.1,
    }
    return Record(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", RUN) as folder:
        for number in range(3):
            folder.append(record(number))
    assert read(tmp_path / "run") == (RUN, [record(0), record(1), record(2)])


def test_every_record_is_on_disk_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
        assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("torn", range(1, 400, 57))
def test_a_torn_last_line_is_repaired(tmp_path: Path, torn: int) -> None:
    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
        folder.append(record(1))
    file = tmp_path / "records.jsonl"
    file.write_bytes(file.read_bytes()[:-torn])
    with RunFolder(tmp_path, RUN) as folder:
        done = folder.done
        folder.append(record(2))
    assert [line["sample_id"] for line in map(json.loads, file.read_text().splitlines())][-1] == record(2).sample_id
    assert ("window:300", 0, record(0).sample_id) in done or torn > 250
    assert ("window:300", 0, record(1).sample_id) not in done


def test_a_failed_sample_is_not_done_and_is_replaced(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
        folder.append(record(1, output=None, score=None, error="OutOfMemoryError: …"))
    with RunFolder(tmp_path, RUN) as folder:
        assert folder.done == {("window:300", 0, record(0).sample_id)}
        folder.append(record(1))
    assert read(tmp_path)[1] == [record(0), record(1)]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"answer": "choose"}, "answer"),
        ({"over_length": "mark"}, "over_length"),
        ({"tokenizers": {"window:300": "abd"}}, "the tokenizer of window:300"),
        ({"version": "9"}, "version"),
        ({"prompt": PromptSettings(system="Be brief.")}, "system"),
        ({"prompt": PromptSettings(answer_tokens=9)}, "answer_tokens"),
        ({"prompt": PromptSettings(thinking="off")}, "thinking"),
    ],
)
def test_another_question_is_refused_with_what_differs(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
    before = [(tmp_path / name).read_bytes() for name in ("run.json", "records.jsonl")]
    with pytest.raises(StoreError, match=f"another question: {named} was") as caught:
        RunFolder(tmp_path, dataclasses.replace(RUN, models=("window:300", "hf:x"), **changed))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert [(tmp_path / name).read_bytes() for name in ("run.json", "records.jsonl")] == before


def test_another_environment_is_the_same_question(tmp_path: Path) -> None:
    RunFolder(tmp_path, RUN).close()
    RunFolder(tmp_path, dataclasses.replace(RUN, environment={})).close()


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RUN), pytest.raises(StoreError, match="in use"):
        RunFolder(tmp_path, RUN)
    RunFolder(tmp_path, RUN).close()


def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
    file = tmp_path / "records.jsonl"
    file.write_bytes(b"{oops\n" + file.read_bytes())
    before = file.read_bytes()
    with pytest.raises(StoreError, match="line 1 is damaged"):
        RunFolder(tmp_path, RUN)
    assert file.read_bytes() == before


def test_a_full_disk_is_one_line_and_keeps_what_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunFolder(tmp_path, RUN) as folder:
        folder.append(record(0))
        whole = (tmp_path / "records.jsonl").read_bytes()

        class Full:
            """A disk that takes half a line and then no more."""

            fileno = folder._file.fileno

            def write(self, line: bytes) -> int:
                return os.write(self.fileno(), line[: len(line) // 2])

            close = folder._file.close

        monkeypatch.setattr(folder, "_file", Full())
        with pytest.raises(StoreError, match="No space left on device"):
            folder.append(record(1))
    assert (tmp_path / "records.jsonl").read_bytes() == whole


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(StoreError, match="cannot write the run folder"):
        RunFolder(tmp_path / "run", RUN)


def test_a_folder_without_a_question_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no run folder"):
        read(tmp_path)
    with pytest.raises(StoreError, match="there is no run folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "samples_a.jsonl").touch()
    with pytest.raises(StoreError, match=r"holds answers from lm-eval; name their files, such as .*samples_a\.jsonl"):
        read(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(StoreError, match="damaged"):
        read(tmp_path)


def test_a_run_is_in_use_as_long_as_somebody_writes(tmp_path: Path) -> None:
    with RunFolder(tmp_path, RUN):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)
    with pytest.raises(StoreError, match="no run folder"):
        in_use(tmp_path / "nowhere")


def test_looking_whether_a_run_is_in_use_disturbs_neither_lookers_nor_a_run_that_begins(tmp_path: Path) -> None:
    RunFolder(tmp_path, RUN).close()
    looked: list[bool] = []
    end = time.monotonic() + 0.5

    def look() -> None:
        while time.monotonic() < end:
            looked.append(in_use(tmp_path))

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for one in lookers:
        one.start()
    for one in lookers:
        one.join()
    assert looked
    assert not any(looked)
    looker = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looker, fcntl.LOCK_SH)
    threading.Timer(0.05, os.close, [looker]).start()
    RunFolder(tmp_path, RUN).close()  # waits for an instant

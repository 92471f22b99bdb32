import dataclasses

import pytest
from test_labels import record

from mta_eval.core import Record
from mta_eval.errors import SpecError
from mta_eval.results.filters import keep_where
from mta_eval.results.labels import Labels

TASKS = ("niah", "niah:needles=4", "niah:needles=8", "passkey")
LABELS = Labels({"window:300": "W"}, {"niah:needles=4": "Four"})


def with_axes(one: Record, **axes: object) -> Record:
    return dataclasses.replace(one, axes={**one.axes, **axes})  # type: ignore[dict-item]


RECORDS = LABELS.shown(
    [
        *(record(task=task, model=model) for task in TASKS for model in ("window:300", "window:600")),
        with_axes(record(task="passkey"), length=4096, depth=0.25),
        with_axes(record(task="passkey"), length=8192, depth=None),
    ]
)


def tasks_where(*conditions: str) -> list[str]:
    return list(dict.fromkeys(one.task for one in keep_where(RECORDS, conditions)))


def test_a_task_is_a_family_a_spec_or_a_label() -> None:
    assert tasks_where("task=niah") == ["niah", "Four", "niah:needles=8"]
    assert (
        tasks_where("task=niah:needles=4") == tasks_where("task=Four") == tasks_where("task=niah,needles=4") == ["Four"]
    )
    assert tasks_where("task=niah,needles=1") == ["niah"]
    assert tasks_where("task={Four,passkey}") == ["Four", "passkey"]
    assert tasks_where() == ["niah", "Four", "niah:needles=8", "passkey"]


def test_a_model_is_a_spec_or_a_label() -> None:
    assert {one.model for one in keep_where(RECORDS, ["model=window:300"])} == {"W"}
    assert len(keep_where(RECORDS, ["model=W", "task=niah"])) == 3


def test_values_are_those_of_the_axis_however_they_are_written() -> None:
    assert [one.axes["length"] for one in keep_where(RECORDS, ["length={4k,8192}"])] == [4096, 8192]
    assert [one.axes["depth"] for one in keep_where(RECORDS, ["depth=.25"])] == [0.25]
    assert [one.axes["depth"] for one in keep_where(RECORDS, ["depth=25 %"])] == [0.25]
    assert [one.axes["length"] for one in keep_where(RECORDS, ["depth=any"])] == [8192]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("needles=5", "no answer has needles 5; there are: any|no answer has needles 5; there are: 1, 4, 8"),
        ("length=x", "there are: 512, 4K, 8K"),
        ("needls=5", "'needls' is no axis and no option here; did you mean 'needles'"),
        ("niah", "write NAME=VALUE"),
        ("needles={1,}", "nothing between its commas"),
        ("model=V", "no answer has model V; there are: W, window:600"),
    ],
)
def test_what_holds_for_no_answer_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        keep_where(RECORDS, [text])

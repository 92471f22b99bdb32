"""What the metadata says -> the samples that `mta-eval run` asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mta_eval import registry
from mta_eval.core import Sweep
from mta_eval.errors import LengthError, ModelError, MtaEvalError, SpecError
from mta_eval.integrations.lm_eval import TASKS as FILES
from mta_eval.integrations.lm_eval.question import TASKS, TaskQuestion, adapter_of, sample_of
from mta_eval.integrations.lm_eval.task import LM_TASKS
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer


@pytest.fixture(scope="module")
def told(llama_folder: Path) -> dict[str, Any]:
    return {"pretrained": str(llama_folder), "lengths": [256], "depths": [0, 1], "repeats": 1}


@pytest.fixture(scope="module")
def tokenizer(llama_folder: Path) -> FastTokenizer:
    return load_tokenizer(str(llama_folder))


@pytest.mark.parametrize("name", ["letter_blocks", "niah", "babilong", "passkey"])
def test_the_docs_are_the_samples_of_mta_eval_run_after_json_too(
    name: str, told: dict[str, Any], tokenizer: FastTokenizer
) -> None:
    docs = TaskQuestion(name, told | {"lengths": "512,768", "repeats": 2, "sample_seed": 3}).docs()
    task = registry.build_task(name)
    samples = [task.sample(cell, 3, tokenizer) for cell in Sweep((512, 768), (0.0, 1.0), 2).cells()]
    assert [sample_of(json.loads(json.dumps(doc))) for doc in docs] == samples
    assert [doc["seed"] for doc in docs] == [3] * 8


def test_a_chat_sample_comes_back_with_its_messages(told: dict[str, Any], tokenizer: FastTokenizer) -> None:
    doc = json.loads(json.dumps(TaskQuestion("niah", told | {"prompt": "chat"}).docs()[0]))
    assert sample_of(doc).chat is not None
    assert tokenizer.render(sample_of(doc).chat or ()) == doc["prompt"]


def test_needles_in_a_doc_have_their_surroundings(told: dict[str, Any]) -> None:
    needle = TaskQuestion("niah", told).docs()[0]["needles"][0]
    assert needle["text"] in needle["before"] + needle["text"] + needle["after"]
    assert needle["before"] + needle["after"]


@pytest.mark.parametrize("lengths", [[256, "1k"], "256,1k", "[256,1k]", ["256", 1024], (256, 1024)])
def test_lengths_are_read_as_json_and_lm_eval_leave_them(lengths: Any, told: dict[str, Any]) -> None:
    assert TaskQuestion("passkey", told | {"lengths": lengths}).sweep.lengths == (256, 1024)


def test_a_single_length_and_depth_need_no_list(told: dict[str, Any]) -> None:
    sweep = TaskQuestion("passkey", told | {"lengths": 512, "depths": 0.5}).sweep
    assert (sweep.lengths, sweep.depths) == ((512,), (0.5,))
    assert TaskQuestion("passkey", told | {"depths": "any"}).sweep.depths == (None,)


def test_listed_options_are_swept(told: dict[str, Any]) -> None:
    question = TaskQuestion("niah", told | {"needles": [1, 4], "kind": ["number", "word"], "digits": 5})
    assert list(question.tasks) == [
        "niah:digits=5",
        "niah:kind=word,digits=5",
        "niah:needles=4,digits=5",
        "niah:needles=4,kind=word,digits=5",
    ]
    assert question.varied == ["needles", "kind"]
    assert question.docs()[-1]["options"] == {"needles": 4, "kind": "word"}


def test_without_lengths_it_takes_those_that_fit_the_window(told: dict[str, Any]) -> None:
    assert {doc["length"] for doc in TaskQuestion("niah", told | {"lengths": "", "depths": 0.5}).docs()} == {1024}


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"needels": 4}, SpecError, "'needels'; did you mean 'needles'"),
        ({"length": 512}, SpecError, "did you mean 'lengths'"),
        ({"needle": 4}, SpecError, "did you mean 'needles'"),
        ({"needles": "many"}, SpecError, "wants int"),
        ({"kind": ["number", "wird"]}, SpecError, "did you mean 'word'"),
        ({"repeats": 0}, SpecError, "at least 1, not 0"),
        ({"repeats": True}, SpecError, "whole number"),
        ({"sample_seed": "x"}, SpecError, "sample_seed must be a whole number, not 'x'"),
        ({"depths": [0, 2]}, SpecError, "outside 0"),
        ({"lengths": [512, 512]}, SpecError, "given twice"),
        ({"lengths": ["4k"]}, LengthError, "4096 is beyond the model's window of 1024 .*max_length="),
        ({"lengths": [16]}, LengthError, "does not fit length 16"),
        ({"lengths": "[256"}, SpecError, r"\[256"),
        ({"pretrained": "/no/such/folder"}, ModelError, "no file or folder"),
        ({"pretrained": None}, ModelError, "no tokenizer is named"),
    ],
)
def test_a_wrong_question_is_one_clear_line(
    more: dict[str, Any], error: type[MtaEvalError], message: str, told: dict[str, Any]
) -> None:
    with pytest.raises(error, match=message) as raised:
        TaskQuestion("niah", told | more).docs()
    assert "\n" not in str(raised.value)
    assert "--over-length" not in str(raised.value)


def test_options_of_other_tasks_and_of_models_are_let_through(told: dict[str, Any]) -> None:
    theirs = {"qa": 2, "blocks": 4, "dtype": "float32", "max_gen_toks": 3, "factor": 2, "version": 1.0}
    assert list(TaskQuestion("niah", told | theirs).tasks) == ["niah"]


def test_the_window_is_the_arguments_own(told: dict[str, Any]) -> None:
    assert TaskQuestion("niah", told | {"max_length": 4096, "lengths": [4096]}).reader.max_length == 4096
    served = {"model": "x", "tokenizer": told["pretrained"], "base_url": "u", "pretrained": None}
    assert TaskQuestion("niah", told | served).reader.max_length == 2047
    assert TaskQuestion("niah", told | served | {"max_length": 512}).reader.max_length == 511


def test_a_model_of_ours_is_built_from_lm_evals_arguments(told: dict[str, Any]) -> None:
    options = {"window": 32, "attention_length": 256, "offload": True, "max_length": 9000, "device": None}
    model = adapter_of("longheads", told | options)
    assert (model.source, model.window, model.offload, model.max_length) == (told["pretrained"], 32, True, 9000)
    with pytest.raises(SpecError, match="needs --model_args pretrained="):
        adapter_of("mta", {})


NEEDED = {
    "ruler_niah": {"variant": "single_1"},
    "ruler_qa": None,  # files
    "coreference_rounds": {"same": 2, "near": 2},
    "conjunction": {"distractors": 1},
}
"""What a task cannot do without, or not within 1,000 tokens of this tokenizer."""


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_its_file_and_its_class_and_makes_docs(name: str, llama_folder: Path) -> None:
    text = (FILES / f"mta_{name}.yaml").read_text()
    assert text.startswith(f"task: mta_{name}\n")
    class_name = text.partition("lm_eval.task.")[2].split()[0]
    assert LM_TASKS[class_name].asks == name
    needed = NEEDED.get(name, {})
    if needed is not None:
        told = {"pretrained": str(llama_folder), "lengths": [1000], "depths": "any", "repeats": 1}
        (doc,) = TaskQuestion(name, told | needed).docs()
        assert TaskQuestion(name, told | needed).score(doc, " " + ", ".join(doc["targets"])) == 1


def test_every_file_is_of_a_task_or_the_group() -> None:
    assert {path.stem for path in FILES.glob("*.yaml")} == {"mta_eval", *(f"mta_{name}" for name in TASKS)}

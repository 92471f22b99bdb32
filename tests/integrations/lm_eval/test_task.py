"""Our tasks inside lm-eval: metrics, groups, chat, what is passed on and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta_eval.errors import LengthError, MtaEvalError, SpecError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.results.statistics import standard_error

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def told(llama_folder: Path) -> dict[str, Any]:
    return {"pretrained": str(llama_folder), "lengths": [256, 512], "depths": [0, 1], "repeats": 2}


@pytest.fixture(scope="module")
def tokenizer(llama_folder: Path) -> FastTokenizer:
    return load_tokenizer(str(llama_folder))


def test_every_metric_is_the_mean_over_its_docs_with_a_standard_error(
    evaluate: Run, knowing: Any, told: dict[str, Any]
) -> None:
    model = knowing(lambda doc: doc["depth"] == 0 or (doc["length"] == 512 and doc["axes"]["repeat"] == 0))
    results = evaluate(model, {}, metadata=told | {"needles": [1, 4]}, apply_chat_template=False)
    found = {
        key.removesuffix(",none"): value for key, value in results["results"]["mta_niah"].items() if ",none" in key
    }
    means = {
        "acc": 0.625,
        "acc_length_256": 0.5,
        "acc_length_512": 0.75,
        "acc_depth_0.00": 1.0,
        "acc_depth_1.00": 0.25,
        "acc_needles_1": 0.625,
        "acc_needles_4": 0.625,
    }
    assert {key: value for key, value in found.items() if not key.endswith("_stderr")} == means
    errors = {key: value for key, value in found.items() if key.removesuffix("_stderr") in means and value != "N/A"}
    assert {*errors} == {*means, *(f"{name}_stderr" for name in means)}
    # one needle: at 256 tokens the story of the draw of all short lengths; both lengths of four needles have it
    assert errors["acc_depth_0.00_stderr"] == 0
    assert errors["acc_length_512_stderr"] > (0.75 * 0.25 / 8) ** 0.5


def test_standard_errors_take_draws_not_samples_for_independent(
    evaluate: Run, knowing: Any, told: dict[str, Any]
) -> None:
    def right(doc: dict[str, Any]) -> bool:
        return bool(doc["axes"]["repeat"] == 0 or (doc["axes"]["repeat"] == 1 and doc["depth"] == 0))

    model = knowing(right)
    found = evaluate(model, {}, metadata=told | {"repeats": 3, "depths": [0, 0.5, 1]})["results"]["mta_niah"]
    docs = [request.doc for request in model.asked]
    assert len({doc["draw"] for doc in docs}) == 6
    scores, draws = [float(right(doc)) for doc in docs], [doc["draw"] for doc in docs]
    assert found["acc_stderr,none"] == pytest.approx(standard_error(scores, draws))
    assert found["acc_stderr,none"] > 1.3 * standard_error(scores)


def test_the_group_weighs_its_tasks_alike(evaluate: Run, knowing: Any, told: dict[str, Any]) -> None:
    model = knowing(lambda doc: doc["task"].startswith("niah"))
    metadata = told | {"needles": [1, 4], "lengths": [512], "depths": [0.5], "repeats": 1}
    results = evaluate(model, {}, ["mta_eval"], metadata)
    tasks = {"mta_letter_blocks", "mta_niah", "mta_babilong", "mta_passkey"}
    assert set(results["results"]) == {"mta_eval", *tasks}
    assert results["results"]["mta_eval"]["acc,none"] == 0.25
    assert "acc_needles_4,none" not in results["results"]["mta_passkey"]


def test_letter_blocks_of_no_length_have_no_depth_metric(evaluate: Run, knowing: Any, told: dict[str, Any]) -> None:
    metadata = {"tokenizer": told["pretrained"], "lengths": 0, "depths": "any", "repeats": 1}
    found = evaluate(knowing(), {}, ["mta_letter_blocks"], metadata)["results"]["mta_letter_blocks"]
    assert found["acc,none"] == 1
    assert not [key for key in found if "depth" in key]


def test_a_request_has_its_samples_budget_and_stops(evaluate: Run, knowing: Any, told: dict[str, Any]) -> None:
    model = knowing()
    evaluate(model, {}, metadata=told)
    request = model.asked[0]
    assert request.args[0] == request.doc["prompt"]
    how = request.args[1]
    assert how["max_gen_toks"] == request.doc["max_new_tokens"]
    assert (how["do_sample"], how["temperature"]) == (False, 0.0)
    assert all(stop in request.doc["stop"] and not stop[0].isspace() for stop in how["until"])


@pytest.mark.parametrize("name", ["max_gen_toks", "max_new_tokens", "max_tokens"])
def test_gen_kwargs_go_before_the_samples_own(name: str, evaluate: Run, knowing: Any, told: dict[str, Any]) -> None:
    model = knowing()
    evaluate(model, {}, metadata=told, gen_kwargs={name: 3, "until": ["x"]})
    how = model.asked[0].args[1]
    assert (how["max_gen_toks"], how["until"]) == (3, ["x"])
    assert name == "max_gen_toks" or name not in how


def test_a_budget_that_leaves_the_prompt_no_room_is_refused(evaluate: Run, knowing: Any, told: dict[str, Any]) -> None:
    with pytest.raises(LengthError, match=r"600 of answer exceed the window of 1024"):
        evaluate(knowing(), {}, metadata=told, gen_kwargs="max_gen_toks=600")


def test_an_answer_ends_at_a_stop_string_after_its_first_word(
    evaluate: Run, knowing: Any, told: dict[str, Any]
) -> None:
    model = knowing(say="\n\n no idea\n\n{}")  # the stop comes after the first words, and before the target
    metadata = told | {"lengths": [256], "repeats": 1}
    results = evaluate(model, {}, metadata=metadata, log_samples=True)
    stops = results["samples"]["mta_niah"][0]["doc"]["stop"]
    assert any(stop in "\n\n" for stop in stops)
    assert results["samples"]["mta_niah"][0]["filtered_resps"] == ["\n\n no idea"]
    assert results["results"]["mta_niah"]["acc,none"] == 0


def test_limit_and_samples_choose_docs(evaluate: Run, knowing: Any, told: dict[str, Any]) -> None:
    limited = evaluate(knowing(), {}, metadata=told, limit=3, log_samples=True)
    assert [sample["doc_id"] for sample in limited["samples"]["mta_niah"]] == [0, 1, 2]
    chosen = evaluate(knowing(), {}, metadata=told, samples={"mta_niah": [5, 2]}, log_samples=True)
    assert sorted(sample["doc_id"] for sample in chosen["samples"]["mta_niah"]) == [2, 5]


def test_chat_prompts_are_the_samples_own(
    evaluate: Run, knowing: Any, told: dict[str, Any], tokenizer: FastTokenizer
) -> None:
    model = knowing(chat=tokenizer.render)
    evaluate(model, {}, metadata=told | {"prompt": "chat"}, apply_chat_template=True)
    assert all(request.args[0] == request.doc["prompt"] for request in model.asked)
    assert model.asked[0].doc["chat"]


@pytest.mark.parametrize(
    ("more", "how", "message"),
    [
        ({}, {"apply_chat_template": True}, "go together: give both or none"),
        ({"prompt": "chat"}, {}, "go together: give both or none"),
        ({"prompt": "chat"}, {"apply_chat_template": True}, "is not the one the prompts were sized with"),
        ({}, {"system_instruction": "Be brief."}, "system instruction"),
        ({}, {"cache_requests": True}, "--cache_requests would give back other lengths' prompts"),
    ],
)
def test_what_would_change_the_prompts_is_refused(
    more: dict[str, Any], how: dict[str, Any], message: str, evaluate: Run, knowing: Any, told: dict[str, Any]
) -> None:
    model = knowing(chat="another template".format)
    with pytest.raises(SpecError, match=message) as error:
        evaluate(model, {}, metadata=told | more, **how)
    assert isinstance(error.value, MtaEvalError)
    assert "\n" not in str(error.value)
    assert not model.asked

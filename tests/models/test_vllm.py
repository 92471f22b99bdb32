"""The adapter for vLLM, against a stand-in for its package; vLLM itself is asked in test_real_vllm.py."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_server import Reader, Speaker
from fake_vllm import FakeVLLM, Requests

from mta_eval import registry, runner
from mta_eval.core import Plan, PromptSettings, Record, Sample, Sweep
from mta_eval.errors import ModelError, SpecError
from mta_eval.models import vllm_engine
from mta_eval.models.hf import HuggingFace
from mta_eval.models.inference.growing_answer import settled
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.models.vllm import VLLM
from mta_eval.models.window import Window

Call = Callable[..., tuple[int, str, str]]
SWEEP = Sweep((256, 384), (0.0, 0.5, 1.0), 2)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the adapter sets in the environment is gone after the test."""
    for name in vllm_engine.SETTINGS | vllm_engine.CPU_SETTINGS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def model(llama_folder: Path) -> VLLM:
    return VLLM(str(llama_folder), "float32", batch=5)


@pytest.fixture
def fake(model: VLLM, monkeypatch: pytest.MonkeyPatch) -> FakeVLLM:
    made = FakeVLLM(Reader(model.tokenizer, 200))
    monkeypatch.setitem(sys.modules, "vllm", made.module)
    monkeypatch.setitem(sys.modules, "vllm.distributed", made.distributed)
    return made


def samples_of(tokenizer: FastTokenizer, task: str = "passkey") -> list[Sample]:
    made = registry.build_task(task)
    return [made.sample(cell, SWEEP.seed, tokenizer) for cell in SWEEP.cells()]


def records_of(model: Any, **options: Any) -> list[Record]:
    plan = Plan({"passkey": registry.build_task("passkey")}, {"m": model}, SWEEP, **options)
    return [replace(record, seconds=0.0, peak_memory=None) for record in runner.run(plan)]


# --- answers ----------------------------------------------------------------------------------------------------------


def test_an_engine_with_a_window_of_200_scores_as_window_200_does(
    fake: FakeVLLM, model: VLLM, llama_folder: Path
) -> None:
    scores = [record.score for record in records_of(model)]
    assert scores == [record.score for record in records_of(Window(200, tokenizer_path=str(llama_folder)))]
    assert {0.0, 1.0} == set(scores)
    assert [len(requests) for requests in fake.asked] == [5, 5, 2]
    assert records_of(replace(model, batch=1)) == records_of(replace(model, batch=99)) == records_of(model)


def test_the_engine_gets_our_token_ids_and_is_greedy(fake: FakeVLLM, model: VLLM) -> None:
    plain, chat = samples_of(model.tokenizer)[0], samples_of(model.tokenizer, "passkey:prompt=chat")[0]
    list(model.generate([plain, chat]))
    ((first, params), (second, _)) = fake.asked[0]
    assert first == model.tokenizer.prompt_ids(plain.prompt, plain=True)
    assert second == model.tokenizer.prompt_ids(chat.prompt, plain=False)
    assert [ids.count(first[0]) for ids in (first, second)] == [1, 1]  # one BOS, written by the template or put before
    assert (params["temperature"], params["repetition_penalty"]) == (0, 1)
    assert (params["max_tokens"], params["stop"]) == (plain.max_new_tokens, ["."])  # and not the "\n" of its stops


def test_an_answer_ends_at_the_end_tokens_that_hf_ends_it_at(fake: FakeVLLM, model: VLLM, tmp_path: Path) -> None:
    fake.end = end = model.tokenizer.prompt_ids("</s>", plain=False)
    sample = replace(samples_of(model.tokenizer)[0], stop=())
    (given,) = model.generate([sample])
    assert (given.text, given.finish) == (f" {sample.targets[0]}", "stop")
    assert given.prompt_tokens == sample.prompt_tokens
    assert given.output_tokens == len(model.tokenizer.encode(given.text).ids) + len(end)
    ((_, params),) = fake.asked[0]
    assert (params["stop_token_ids"], params["ignore_eos"]) == (end, True)
    for file in Path(model.path).iterdir():
        if file.name != "generation_config.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    list(VLLM(str(tmp_path)).generate([sample]))  # then the config says it
    assert fake.asked[-1][0][1]["stop_token_ids"] == end


def test_answers_are_cut_here(fake: FakeVLLM, model: VLLM) -> None:
    fake.brain.before, fake.brain.behind = "\n", "\nQuestion"
    sample = replace(samples_of(model.tokenizer)[0], max_new_tokens=60)
    assert [given.text for given in model.generate([sample])] == [f"\n{sample.targets[0]}"]


@pytest.mark.parametrize(
    ("behind", "budget", "finish"),
    [("", 60, "stop"), (". More of it", 60, "stop"), (" more of it" * 9, 9, "length")],
)
def test_an_answer_says_why_it_ended(fake: FakeVLLM, model: VLLM, behind: str, budget: int, finish: str) -> None:
    """An end token, a stop string that is found here, the budget."""
    fake.brain.behind = behind
    (given,) = model.generate([replace(samples_of(model.tokenizer)[0], max_new_tokens=budget, stop=(".",))])
    assert (given.finish, given.thought) == (finish, "")


def test_a_stop_string_at_the_last_token_of_the_budget_is_a_stop(fake: FakeVLLM, model: VLLM) -> None:
    fake.brain.behind = "."
    sample = samples_of(model.tokenizer)[0]
    tokens = len(model.tokenizer.encode(f" {sample.targets[0]}.").ids)
    (given,) = model.generate([replace(sample, max_new_tokens=tokens, stop=(".",))])
    assert (given.text, given.finish, given.output_tokens) == (f" {sample.targets[0]}", "stop", tokens)


THINKS = PromptSettings(thinking_tokens=40)


@pytest.mark.parametrize(
    ("says", "budget", "stop", "given"),
    [
        ("<think>Hm. So.</think> 4711. Or", 12, (".",), (" 4711", "Hm. So.", "stop")),
        ("<think>Hm. So.</think> 4711", 12, (), (" 4711", "Hm. So.", "stop")),
        ("<think>Hm. So.</think>" + " 4711" * 9, 12, (), (" 4711", "Hm. So.", "length")),
        (" 4711" * 9, 12, (), (" 4711", "", "length")),  # no thought: its own budget alone
        ("<think>Hm." + " one two three four" * 20, 12, (), ("", "Hm. one", "length")),
        ("Hm, so</think> 4711", 12, (), (" 4711", "Hm, so", "stop")),
    ],
)
@pytest.mark.parametrize("task", ["passkey", "passkey:prompt=chat"])
def test_thoughts_and_budgets_are_those_of_hf(
    fake: FakeVLLM, model: VLLM, task: str, says: str, budget: int, stop: tuple[str, ...], given: tuple[str, str, str]
) -> None:
    fake.brain = Speaker(model.tokenizer, says)
    sample = samples_of(model.tokenizer, task)[0]
    sample = replace(sample, max_new_tokens=budget, settings=THINKS, stop=stop)
    (answer,) = model.generate([sample])
    text, thought, finish = given
    assert answer == replace(
        settled([*model.tokenizer.encode(says).ids, *fake.end], sample, model.tokenizer, set(fake.end)),
        prompt_tokens=sample.prompt_tokens,
    )
    assert (
        len(model.tokenizer.encode(answer.text).ids) == budget if text and finish == "length" else answer.text == text
    )
    assert answer.thought.startswith(thought)
    assert answer.finish == finish
    ((_, params),) = fake.asked[0]
    assert (params["max_tokens"], params["stop"], params["detokenize"]) == (budget + 40, [], False)


def test_the_end_of_a_turn_ends_an_answer_but_no_thought(fake: FakeVLLM, model: VLLM, tmp_path: Path) -> None:
    shutil.copytree(model.path, tmp_path / "m")
    (tmp_path / "m" / "generation_config.json").write_text('{"eos_token_id": 0}')
    other = VLLM(str(tmp_path / "m"), "float32")
    ends, turn_end = sorted({0, other.tokenizer.owner.eos_token_id}), 7
    vars(other.tokenizer)["turn_end"] = turn_end  # as a template of its own would have it
    plain, chat = (samples_of(other.tokenizer, task)[0] for task in ("passkey", "passkey:prompt=chat"))
    list(other.generate([plain, chat, replace(chat, settings=THINKS)]))
    asked = [params["stop_token_ids"] for _, params in fake.asked[0]]
    assert asked == [ends, [*ends, turn_end], ends]


def test_samples_are_taken_a_batch_at_a_time(fake: FakeVLLM, model: VLLM) -> None:
    sample, taken = samples_of(model.tokenizer)[0], itertools.count()
    answers = model.generate(replace(sample, id=str(next(taken))) for _ in itertools.count())
    next(answers)
    assert next(taken) == len(fake.asked[0]) == 5


# --- log-likelihoods --------------------------------------------------------------------------------------------------


def test_loglikelihood_sums_over_the_tokens_that_the_text_adds(fake: FakeVLLM, model: VLLM) -> None:
    pairs = [(sample, f" {place} 1234567") for place, sample in enumerate(samples_of(model.tokenizer))]
    for (sample, text), found in zip(pairs, model.loglikelihood(pairs), strict=True):
        whole = model.tokenizer.prompt_ids(sample.prompt + text, plain=True)
        added = len(whole) - sample.prompt_tokens
        assert added > 1
        assert found == pytest.approx(sum(value or 0 for value in fake.brain.logprobs(whole)[-added:]))
    assert [len(requests) for requests in fake.asked] == [5, 5, 2]


def test_every_token_but_the_first_has_a_loglikelihood(fake: FakeVLLM, model: VLLM) -> None:
    samples = samples_of(model.tokenizer)[:3]
    for sample, found in zip(samples, model.token_loglikelihoods(samples), strict=True):
        assert found == fake.brain.logprobs(model.tokenizer.prompt_ids(sample.prompt, plain=True))[1:]
        assert len(found) == sample.prompt_tokens - 1


def test_loglikelihoods_that_are_not_one_for_each_token_are_refused(fake: FakeVLLM, model: VLLM) -> None:
    fake.change = lambda output: output.prompt_logprobs.pop()
    with pytest.raises(ModelError, match=r"vLLM gave \d+ log-probabilities of \d+ tokens"):
        list(model.token_loglikelihoods(samples_of(model.tokenizer)[:1]))


# --- failures ---------------------------------------------------------------------------------------------------------


def refusing(*prompts: list[int]) -> Callable[[Requests], None]:
    def fault(requests: Requests) -> None:
        if any(ids in prompts for ids, _ in requests):
            raise ValueError("too odd")

    return fault


def test_a_sample_that_fails_costs_its_neighbours_nothing(fake: FakeVLLM, model: VLLM) -> None:
    whole = records_of(model)
    lost = [model.tokenizer.prompt_ids(samples_of(model.tokenizer)[at].prompt, plain=True) for at in (2, 4, 11)]
    fake.fault = refusing(*lost)
    records = records_of(model)
    assert [record.error for record in records] == [
        "ValueError: too odd" if at in (2, 4, 11) else None for at in range(12)
    ]
    assert [record.score for record in records if not record.error] == [
        record.score for at, record in enumerate(whole) if at not in (2, 4, 11)
    ]
    assert len(fake.started) == 1


def test_an_engine_that_breaks_down_is_started_anew(fake: FakeVLLM, model: VLLM) -> None:
    whole = records_of(model)

    def break_down(_: Requests) -> None:
        if len(fake.asked) == 5:  # the second call from here
            fake.unfinished = True
            raise RuntimeError("out of memory")

    fake.fault = break_down
    assert records_of(model) == whole
    assert (len(fake.started), fake.stopped) == (2, 1)


def test_a_prompt_that_was_read_otherwise_is_no_answer(fake: FakeVLLM, model: VLLM) -> None:
    fake.change = lambda output: output.prompt_token_ids.insert(0, 1)
    with pytest.raises(ModelError, match=r"vLLM read 2\d\d prompt tokens, and not the 2\d\d that were sent"):
        records_of(model)


def test_an_answer_broken_off_is_an_error_and_never_a_score(fake: FakeVLLM, model: VLLM) -> None:
    def abort(output: Any) -> None:
        output.outputs[0].finish_reason = "abort"

    fake.change = abort
    errors = {(record.score, record.error) for record in records_of(model)}
    assert errors == {(None, "RuntimeError: vLLM broke the answer off: finish_reason abort")}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Not enough memory\nfor 2 blocks", r"cannot load .*: Not enough memory; max_length_override=.*KVCACHE_SPACE"),
        ("architecture x is not supported", r"cannot load .*: architecture x is not supported$"),
        ("x" * 999, r"cannot load .*: x{200}…$"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_one_line(fake: FakeVLLM, model: VLLM, said: str, line: str) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError(said)

    fake.module.__dict__["LLM"] = refuse
    with pytest.raises(ModelError, match=line) as caught:
        list(model.generate(samples_of(model.tokenizer)))
    assert "\n" not in str(caught.value)


# --- the package ------------------------------------------------------------------------------------------------------


def test_without_the_package_one_line_says_how_to_install_it(
    call: Call, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    code, _, err = call("run", "passkey", "--model", f"vllm:{llama_folder}", "--lengths", "256", "--out", "r")
    assert code == 2
    assert err.strip().startswith("mta-eval: vllm: needs the package vllm: pip install 'mta-eval[vllm]'")
    assert len(err.strip().splitlines()) == 1
    assert call("list", "models")[1].count("vllm") > 1
    assert call("show", "passkey", "--model", f"vllm:{llama_folder}", "--length", "256")[0] == 0


def test_a_package_that_is_broken_is_one_line(model: VLLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vllm.py").write_text("raise RuntimeError('operator nms does not exist\\nat all')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "vllm", raising=False)
    with pytest.raises(ModelError, match=r"vllm cannot be imported: operator nms does not exist; pip install"):
        model.describe()


def test_it_is_quiet_and_sends_nothing_unless_the_user_says_so(
    fake: FakeVLLM, model: VLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "7")
    assert model.describe() == {"device": model.describe()["device"], "dtype": "float32", "vllm": "0.0.fake"}
    assert os.environ["VLLM_LOGGING_LEVEL"] == "ERROR"
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
    assert os.environ["VLLM_CPU_KVCACHE_SPACE"] == "7"
    assert not fake.started  # describing starts no engine


def test_the_engine_is_started_once_with_room_for_the_whole_window(
    fake: FakeVLLM, model: VLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    for there, expected in ((False, (0.3, True)), (True, (0.5, False))):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        monkeypatch.setattr("mta_eval.models.hf.choose_device", lambda device: device)
        fresh = replace(model, max_length_override=512, gpu_memory_utilization=0.5)
        list(fresh.generate(samples_of(fresh.tokenizer)[:7]))
        settings = fake.started.pop()
        assert not fake.started
        assert (settings["max_model_len"], settings["enable_prefix_caching"]) == (513, True)
        assert (settings["gpu_memory_utilization"], settings["enforce_eager"]) == expected


# --- specs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("batch=0", "batch and tensor_parallel_size must be at least 1"),
        ("gpu_memory_utilization=90", "above 0, at most 1"),
        ("dtype=int8", "cannot be 'int8'"),
    ],
)
def test_a_wrong_spec_is_refused(options: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        registry.build_model(f"vllm:some/model,{options}")
    with pytest.raises(SpecError, match="gguf files are for hf: and server:"):
        registry.build_model("vllm:model.gguf")


def test_a_spec_comes_back() -> None:
    spec = "vllm:a/b,dtype=float16,batch=4,gpu_memory_utilization=0.5"
    assert registry.spec_of(registry.build_model(spec)) == spec


def test_the_window_is_the_configs_or_less(model: VLLM) -> None:
    assert model.max_length == HuggingFace(model.path).max_length == 1024
    assert replace(model, max_length_override=300).max_length == 300
    with pytest.raises(ModelError, match="no window beyond the 1024 tokens of the config"):
        _ = replace(model, max_length_override=2000).max_length

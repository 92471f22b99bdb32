"""The adapter for OpenAI-compatible servers, against a server that answers by a known rule and fails on command."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Fault, Reader, Request
from fake_server import quick_retries_and_no_key as quick_retries_and_no_key  # a fixture

from mta_eval import registry, runner
from mta_eval.core import Cell, Plan, Record, Sample, Sweep
from mta_eval.errors import ModelError, SpecError
from mta_eval.models import http_calls, http_keys, smollm2
from mta_eval.models.hf import HuggingFace
from mta_eval.models.http_failures import ServerError
from mta_eval.models.named_tokenizer import NamedTokenizer
from mta_eval.models.server import Server
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.models.window import Window
from mta_eval.tasks.passkey import Passkey
from mta_eval.tasks.perplexity import Perplexity

Make = Callable[..., FakeServer]
Call = Callable[..., tuple[int, str, str]]
SWEEP = Sweep((256, 384), (0.0, 0.5, 1.0), 2)
KEY = "sk-very-secret-4711"


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> FastTokenizer:
    return load_tokenizer(str(tokenizer_folder))


@pytest.fixture
def fake(tokenizer: FastTokenizer) -> Iterator[Make]:
    started: list[FakeServer] = []

    def make(**options: Any) -> FakeServer:
        brain = options.pop("brain", None) or Reader(tokenizer, options.pop("width", 200))
        server = FakeServer(tokenizer, brain, **options)
        started.append(server)
        return server

    yield make
    for server in started:
        server.stop()


@pytest.fixture
def ask(tokenizer_folder: Path) -> Callable[..., Server]:
    def build(server: FakeServer | str, **options: Any) -> Server:
        url = server if isinstance(server, str) else server.url
        return Server(url, tokenizer=NamedTokenizer(str(tokenizer_folder)), **options)

    return build


def samples_of(tokenizer: FastTokenizer, task: str = "passkey", sweep: Sweep = SWEEP) -> list[Sample]:
    made = registry.build_task(task)
    return [made.sample(cell, sweep.seed, tokenizer) for cell in sweep.cells()]


def texts_of(model: Server, samples: Sequence[Sample]) -> list[str]:
    return [given.text for given in model.generate(samples)]


def records_of(model: Any, task: str = "passkey", **options: Any) -> list[Record]:
    plan = Plan({task: registry.build_task(task)}, {"m": model}, SWEEP, **options)
    runner.check(plan)
    return [replace(record, seconds=0.0, peak_memory=None) for record in runner.run(plan)]


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"send": "text"}], ids=str)
@pytest.mark.parametrize("task", ["passkey", "passkey:prompt=chat"])
def test_a_server_with_a_window_of_200_scores_as_window_200_does(
    fake: Make, ask: Callable[..., Server], tokenizer_folder: Path, task: str, options: dict[str, Any]
) -> None:
    server = fake(width=200)
    scores = [record.score for record in records_of(ask(server, **options), task)]
    window = Window(200, tokenizer_path=str(tokenizer_folder))
    assert scores == [record.score for record in records_of(window, task)]
    assert {0.0, 1.0} == set(scores)
    path = "/v1/chat/completions" if "chat" in task else "/v1/completions"
    assert {request.path for request in server.asked if request.body} == {path}


def test_what_reaches_the_model_is_prompt_ids_by_every_way(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    plain, chat = samples_of(tokenizer)[0], samples_of(tokenizer, "passkey:prompt=chat")[0]
    server = fake()
    for sample, is_plain in ((plain, True), (chat, False)):
        ids = tokenizer.prompt_ids(sample.prompt, plain=is_plain)
        assert ids.count(tokenizer.prompt_ids("", plain=True)[0]) == 1  # one BOS
        list(ask(server, api="completion").generate([sample]))
        assert server.posts()[-1]["prompt"] == ids
        list(ask(server, api="completion", send="text").generate([sample]))
        sent = server.posts()[-1]
        assert tokenizer.prompt_ids(sent["prompt"], plain=sent.get("add_special_tokens", True)) == ids
    list(ask(server).generate([chat]))
    assert server.posts()[-1]["messages"] == list(chat.chat or ())


def test_answers_are_greedy_and_bounded(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    server, sample = fake(), samples_of(tokenizer)[0]
    list(ask(server).generate([sample]))
    (body,) = server.posts()
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0, sample.max_new_tokens, "little")
    assert body["repetition_penalty"] == 1.0  # vLLM takes the model's own otherwise


def test_answers_are_cut_here_as_hf_cuts_them(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    plain = replace(samples_of(tokenizer)[-1], max_new_tokens=60)
    cut = {"\n\n ": "", " 7\n8": "", "": "\nQuestion: 9", " ": ". No. Yes"}
    for before, behind in cut.items():
        server = fake(brain=Reader(tokenizer, before=before, behind=behind))
        key = plain.targets[0]
        expected = {"\n\n ": f"\n\n {key}", " 7\n8": " 7", "": key, " ": f" {key}"}[before]
        assert texts_of(ask(server), [plain]) == [expected]
        assert server.posts()[0]["stop"] == ["."]


def test_at_most_four_stops_are_sent_and_all_are_kept(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    server = fake(brain=Reader(tokenizer, behind=" # end"))
    sample = replace(samples_of(tokenizer)[-1], stop=("A1", "B2", "C3", "D4", "#"), max_new_tokens=40)
    assert texts_of(ask(server), [sample]) == [f" {sample.targets[0]} "]
    assert server.posts()[0]["stop"] == ["A1", "B2", "C3", "D4"]


def test_unicode_answers_come_whole(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    answer = " Zürich – 東京 🦙 é"
    server = fake(fault=json.dumps({"choices": [{"text": answer}]}))
    assert texts_of(ask(server), samples_of(tokenizer)[:1]) == [answer]


def test_an_empty_answer_is_an_answer(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    chat = samples_of(tokenizer, "passkey:prompt=chat")[:1]
    server = fake(fault=json.dumps({"choices": [{"message": {"content": None}}]}))
    (given,) = ask(server).generate(chat)
    assert (given.text, given.thought, given.finish) == ("", "", "stop")


@pytest.mark.parametrize(
    ("behind", "budget", "finish"),
    [("", 60, "stop"), (". More of it", 60, "stop"), ("#more", 60, "stop"), (" more of it" * 9, 9, "length")],
)
def test_an_answer_says_why_it_ended_and_how_many_tokens_it_took(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer, behind: str, budget: int, finish: str
) -> None:
    """An end of its own, a stop string that is sent, one that is only looked for here, the budget."""
    sample = replace(samples_of(tokenizer)[-1], stop=("\n", ".", "#"), max_new_tokens=budget)
    brain = Reader(tokenizer, behind=behind)
    (given,) = ask(fake(brain=brain)).generate([sample])
    _, made, _ = brain.answer(tokenizer.prompt_ids(sample.prompt, plain=True), budget)
    assert (given.finish, given.thought) == (finish, "")
    assert (given.prompt_tokens, given.output_tokens) == (sample.prompt_tokens, made)


@pytest.mark.parametrize(
    "usage",
    [
        *({}, None, [], {"prompt_tokens": None}, {"prompt_tokens": True, "completion_tokens": False}),
        *({"prompt_tokens": "9", "completion_tokens": "9"}, {"prompt_tokens": 1.5, "completion_tokens": -3}),
    ],
)
def test_counts_that_a_server_does_not_give_are_none_and_the_answer_is_unverified(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer, usage: Any
) -> None:
    (given,) = ask(fake(fault=json.dumps({"usage": usage}))).generate(samples_of(tokenizer)[:1])
    assert (given.prompt_tokens, given.output_tokens, given.finish) == (None, None, "stop")
    assert given.unverified


def test_a_right_count_of_a_wrong_type_is_no_check(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = samples_of(tokenizer)[:3]
    for right in (float(samples[0].prompt_tokens), str(samples[0].prompt_tokens)):
        model = ask(fake(fault=json.dumps({"usage": {"prompt_tokens": right}})))
        assert [given.unverified for given in model.generate(samples)] == [True] * 3
        assert capsys.readouterr().err.count("does not confirm how many prompt tokens it read") == 1
    assert [given.unverified for given in ask(fake()).generate(samples)] == [False] * 3
    assert not capsys.readouterr().err


def test_another_count_is_accepted_where_the_user_says_so(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    sample = samples_of(tokenizer)[0]
    for read in (1, 9999):
        server = fake(fault=json.dumps({"usage": {"prompt_tokens": read}}))
        with pytest.raises(ServerError, match="count=trust accepts it, marked unverified"):
            list(ask(server).generate([sample]))
        (given,) = ask(server, count="trust").generate([sample])
        assert (given.unverified, given.prompt_tokens) == (True, read)
    (given,) = ask(fake(), count="trust").generate([sample])
    assert not given.unverified
    with pytest.raises(ServerError, match="says that it cut the prompt"):
        list(ask(fake(fault='{"truncated": true}'), count="trust").generate([sample]))
    server = fake(fault='{"usage": {"prompt_tokens": 1}}')
    pair = (sample, " 1")
    with pytest.raises(ServerError, match="count=trust"):
        ask(server).loglikelihood([pair])
    assert ask(server, count="trust").loglikelihood([pair]) == ask(fake()).loglikelihood([pair])


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"message": {"content": None, "refusal": "I cannot help with that."}}, "I cannot help with that."),
        ({"message": {"content": "The k"}, "finish_reason": "content_filter"}, ""),
        ({"message": {"content": None, "refusal": "No."}, "finish_reason": "content_filter"}, "No."),
        ({"text": "The k", "finish_reason": "content_filter"}, ""),
    ],
)
def test_a_refusal_is_kept_as_one(fake: Make, ask: Callable[..., Server], choice: dict[str, Any], said: str) -> None:
    task = "passkey:prompt=chat" if "message" in choice else "passkey"
    server = fake(fault=json.dumps({"choices": [choice]}))
    (record,) = runner.run(Plan({task: registry.build_task(task)}, {"m": ask(server)}, Sweep((256,), (1.0,), 1)))
    assert (record.output, record.finish, record.error, record.score) == (said, "refused", None, 0.0)
    assert not record.unverified
    assert record.output_tokens is not None


def test_null_refusals_are_none(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    server = fake(fault='{"choices": [{"message": {"content": " 1", "refusal": null}, "finish_reason": "stop"}]}')
    (given,) = ask(server).generate(samples_of(tokenizer, "passkey:prompt=chat")[:1])
    assert (given.text, given.finish) == (" 1", "stop")


# --- order, concurrency, laziness -------------------------------------------------------------------------------------


def test_answers_do_not_depend_on_concurrency_or_delays(fake: Make, ask: Callable[..., Server]) -> None:
    chance = random.Random(0)
    server = fake(delay=lambda: chance.random() * 0.1)
    one = records_of(ask(server, concurrency=1))
    assert server.most_at_once == 1
    assert records_of(ask(server, concurrency=16)) == one
    assert 4 <= server.most_at_once <= 16


def test_samples_are_taken_as_they_are_needed(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    sample, taken = samples_of(tokenizer)[0], itertools.count()
    server = fake()
    answers = ask(server, concurrency=2).generate(replace(sample, id=str(next(taken))) for _ in itertools.count())
    for _ in range(5):
        next(answers)
    answers.close()
    assert next(taken) <= 5 + 2 + http_calls.AHEAD
    assert server.most_at_once <= 2


def test_a_sample_that_fails_costs_its_neighbours_nothing(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    bad = [sample.prompt for sample in samples_of(tokenizer)[2:5:2]]

    def fault(it: Request) -> Fault:
        lost = it.body and tokenizer.decode(it.body["prompt"]) in bad
        return (400, {}, '{"error": {"message": "too odd"}}') if lost else None

    server = fake(fault=fault, width=10**6)
    records = records_of(ask(server, concurrency=4))
    assert [record.error is not None for record in records] == [index in (2, 4) for index in range(12)]
    assert "answered 400: too odd" in (records[2].error or "")
    assert {record.score for record in records if not record.error} == {1.0}
    assert len(server.posts()) == 12  # nothing was asked twice


# --- failures that pass -----------------------------------------------------------------------------------------------


FAULTS: dict[str, Fault] = {
    "a dropped connection": "drop",
    "a response cut in the middle": "cut",
    "half a JSON text": "half JSON",
    "a page instead of JSON": "no JSON",
    "a 500": (500, {}, "oops"),
    "a 503": (503, {"Retry-After": "0"}, "{}"),
    "a 429": (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, "{}"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_half_of_the_requests_may_fail(fake: Make, ask: Callable[..., Server], fault: Fault) -> None:
    def every_second(it: Request) -> Fault:
        return fault if it.body and (sum(it.body["prompt"]) + it.attempt) % 2 else None

    failing, whole = fake(fault=every_second), fake()
    assert records_of(ask(failing)) == records_of(ask(whole))
    assert len(failing.posts()) > len(whole.posts()) == 12


def test_it_waits_as_long_as_it_is_asked_to(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    server = fake(fault=lambda it: (429, {"Retry-After": "1"}, "{}") if it.body and it.attempt == 1 else None)
    start = time.monotonic()
    assert len(list(ask(server).generate(samples_of(tokenizer)[:1]))) == 1
    assert 1.0 <= time.monotonic() - start < 3


def test_a_wait_beyond_the_timeout_is_no_wait(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    server = fake(fault=(429, {"Retry-After": "3600"}, '{"message": "quota"}'))
    with pytest.raises(ServerError, match="answered 429: quota"):
        list(ask(server).generate(samples_of(tokenizer)[:1]))
    assert len(server.posts()) == 1


def test_waits_grow_and_are_the_same_every_time(monkeypatch: pytest.MonkeyPatch, fake: Make) -> None:
    server = fake(fault=(500, {}, "no"))
    waits: list[list[float]] = []
    monkeypatch.setattr(http_calls, "FIRST_WAIT", 0.5)
    for text in ("a", "a", "b"):
        waits.append([])
        monkeypatch.setattr(http_calls.time, "sleep", waits[-1].append)
        with pytest.raises(ServerError, match=r"answered 500: no \(9 tries\)"):
            http_calls.Calls("http://127.0.0.1", retries=8).post(server.url, {"prompt": text})
    mine = [[wait for wait in one if wait > 0.1] for one in waits]  # the server's thread sleeps 0 s too
    assert mine[0] == mine[1] != mine[2]
    assert len(mine[0]) == 8
    for attempt, wait in enumerate(mine[0]):
        assert 0.5 <= wait / min(0.5 * 2**attempt, 30) <= 1.5


# --- failures that stay -----------------------------------------------------------------------------------------------


def test_a_refusal_is_not_asked_again_and_said_in_one_line(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    long = json.dumps({"error": {"message": "bad\n  request " + "x" * 9999}})
    server = fake(fault=(400, {}, long))
    with pytest.raises(ServerError, match="answered 400: bad request xxx") as caught:
        list(ask(server).generate(samples_of(tokenizer)[:1]))
    assert len(server.posts()) == 1
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_server_that_takes_no_token_ids_gets_a_hint(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    server = fake(takes_ids=False)
    with pytest.raises(ServerError, match="must be a string; if it takes no token ids, use send=text"):
        list(ask(server).generate(samples_of(tokenizer)[:1]))
    assert len(list(ask(server, send="text").generate(samples_of(tokenizer)[:1]))) == 1


LASTING: dict[str, tuple[Any, str]] = {
    "slow": ("slow", r"no answer from .* within 0\.2 s; timeout=SECONDS waits longer$"),
    "dropped": ("drop", r"broke: .*\(3 tries\)"),
    "no JSON": ("no JSON", r"answered no whole JSON: '<html>gateway</html>' \(3 tries\)"),
    "no choices": ('{"choices": []}', "holds no choices"),
    "null choices": ('{"choices": null}', "holds no choices"),
    "no text": ('{"choices": [{"index": 0}]}', "holds no text"),
    "no text at all": ('{"choices": [{"text": null}]}', "holds no text"),
    "a list": ((200, {}, "[1]"), "answered list, not an object"),
    "aborted": ('{"choices": [{"text": " 1", "finish_reason": "abort"}]}', "broke the answer off"),
    "prompt cut": ('{"usage": {"prompt_tokens": 100}}', "read 100 prompt tokens, not 2.*it cut the prompt"),
    "prompt cut, it says": ('{"truncated": true}', "says that it cut the prompt"),
    "no prompt read": ('{"usage": {"prompt_tokens": 0}}', "read 0 prompt tokens"),
    "too many tokens": ('{"usage": {"prompt_tokens": 999}}', "read 999 prompt tokens.*BOS twice"),
    "window too small": (
        '{"choices": [{"text": " 1", "finish_reason": "length"}], "usage": {"completion_tokens": 1}}',
        "window ended after 1 of",
    ),
}


@pytest.mark.parametrize(("fault", "message"), LASTING.values(), ids=LASTING)
def test_what_is_no_answer_is_an_error_and_never_a_score(
    fake: Make, ask: Callable[..., Server], fault: Any, message: str
) -> None:
    server = fake(fault=fault)
    task = registry.build_task("passkey")
    model = ask(server, retries=2, timeout=0.2 if fault == "slow" else 60)
    (record,) = runner.run(Plan({"passkey": task}, {"m": model}, Sweep((256,), (1.0,), 1)))
    assert (record.output, record.score) == (None, None)
    with pytest.raises(ServerError, match=message):
        list(model.generate([task.sample(next(Sweep((256,), (1.0,), 1).cells()), 0, model.tokenizer)]))
    assert (record.error or "").startswith("ServerError: ")


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_bos_too_few_or_too_many_is_found(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer, shift: int
) -> None:
    sample = samples_of(tokenizer)[0]
    usage = json.dumps({"usage": {"prompt_tokens": sample.prompt_tokens + shift}})
    server = fake(fault=usage)
    with pytest.raises(ServerError, match="BOS"):
        list(ask(server).generate([sample]))


def test_a_chat_may_differ_by_the_special_tokens_and_no_more(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    sample = samples_of(tokenizer, "passkey:prompt=chat")[0]
    for shift, fine in ((-2, False), (-1, True), (1, True), (2, False)):
        usage = json.dumps({"usage": {"prompt_tokens": sample.prompt_tokens + shift}})
        server = fake(fault=usage)
        with nullcontext() if fine else pytest.raises(ServerError, match="prompt tokens, not"):
            assert len(list(ask(server).generate([sample]))) == 1


# --- beside hf --------------------------------------------------------------------------------------------------------


class Weights:
    """A checkpoint behind the server: tokens one by one, stops left to the server, all by torch alone."""

    def __init__(self, hf: HuggingFace) -> None:
        self.model, self.tokenizer, self.lock = hf.weights, hf.tokenizer, threading.Lock()

    def logits(self, ids: list[int]) -> Any:
        import torch

        with self.lock, torch.inference_mode():
            return self.model(input_ids=torch.tensor([ids])).logits[0].float()

    def answer(self, ids: list[int], most: int) -> tuple[str, int, str]:
        made: list[int] = []
        while len(made) < most:
            token = int(self.logits(ids + made)[-1].argmax())
            if token == self.model.generation_config.eos_token_id:
                return self.tokenizer.decode(made), len(made), "stop"
            made.append(token)
        return self.tokenizer.decode(made), len(made), "length"

    def logprobs(self, ids: list[int]) -> list[float | None]:
        rows = self.logits(ids).log_softmax(-1)
        return [None, *(float(row[token]) for row, token in zip(rows, ids[1:], strict=False))]


@pytest.mark.parametrize("task", ["passkey", "passkey:prompt=chat"])
def test_the_same_weights_answer_the_same_as_with_hf(
    fake: Make, ask: Callable[..., Server], llama_folder: Path, task: str
) -> None:
    hf = HuggingFace(str(llama_folder), dtype="float32", device="cpu")
    samples = samples_of(hf.tokenizer, task, Sweep((256,), (0.0, 1.0), 3))
    samples = [replace(sample, stop=("e", " the"), max_new_tokens=12) for sample in samples]
    server = ask(fake(brain=Weights(hf)))
    answers = [(given.text, given.finish, given.prompt_tokens) for given in hf.generate(samples)]
    assert len(set(answers)) > 2
    assert [(given.text, given.finish, given.prompt_tokens) for given in server.generate(samples)] == answers
    pairs = [(sample, sample.target_delimiter + choice) for sample in samples[:2] for choice in sample.choices[:3]]
    assert server.loglikelihood(pairs) == pytest.approx(hf.loglikelihood(pairs), abs=1e-3)


@pytest.mark.slow
def test_a_real_llama_cpp_answers_as_hf_does() -> None:
    xllamacpp = pytest.importorskip("xllamacpp", reason="llama.cpp's server is not here: pip install xllamacpp")
    try:
        gguf = str(smollm2._find())
    except ModelError as error:
        pytest.skip(f"no model to serve: {error}")
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.port = gguf, 1024, 0
    settings.n_parallel, settings.cpuparams.n_threads, settings.verbosity = 1, 1, 0
    settings.warmup, settings.offline = False, True
    running = xllamacpp.Server(settings)  # listens on loopback as long as it is held
    hf = smollm2.SmolLM2(dtype="float32", device="cpu")
    for send, task in (("ids", "passkey"), ("text", "passkey"), ("text", "passkey:prompt=chat")):
        model = Server(running.listening_address, tokenizer=NamedTokenizer(gguf), send=send)  # type: ignore[arg-type]
        assert model.max_length == 1024
        samples = samples_of(model.tokenizer, task, Sweep((256,), (0.5,), 2))
        assert texts_of(model, samples) == [given.text for given in hf.generate(samples)]
    with pytest.raises(ModelError, match="gives no prompt log-probabilities"):
        model.loglikelihood([(samples[0], " 1")])
    with pytest.raises(ServerError, match=r"answered 400: .*exceeds the available context size"):
        list(model.generate(samples_of(model.tokenizer, "passkey", Sweep((2048,), (0.5,), 1))))


# --- logprobs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("send", ["ids", "text"])
@pytest.mark.parametrize("task", ["passkey", "passkey:prompt=chat"])
def test_log_probabilities_are_summed_over_the_tokens_that_the_text_adds(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer, send: str, task: str
) -> None:
    server, sample = fake(), samples_of(tokenizer, task)[0]
    pairs = [(sample, sample.target_delimiter + choice) for choice in sample.choices]
    expected = []
    for _, text in pairs:
        whole = tokenizer.prompt_ids(sample.prompt + text, plain=sample.chat is None)
        added = len(whole) - sample.prompt_tokens
        assert added > 1
        expected.append(sum(value or 0 for value in server.brain.logprobs(whole)[-added:]))
    assert ask(server, send=send).loglikelihood(pairs) == pytest.approx(expected)


@pytest.mark.parametrize("send", ["ids", "text"])
def test_a_server_reads_texts_up_to_its_whole_window(
    fake: Make, ask: Callable[..., Server], send: str, tokenizer: FastTokenizer
) -> None:
    server, task = fake(window=200), Perplexity(windows=3)
    samples = [task.sample(Cell(200, None, number), 0, tokenizer) for number in range(3)]
    assert any(sample.prompt_tokens == 200 for sample in samples)
    found = list(ask(server, send=send).token_loglikelihoods(samples))
    assert found == [server.brain.logprobs(tokenizer.prompt_ids(one.prompt, plain=True))[1:] for one in samples]


def test_choosing_runs_through_a_server(fake: Make, ask: Callable[..., Server]) -> None:
    records = records_of(ask(fake()), answer="choose")
    assert all(record.output in record.choices for record in records)


@pytest.mark.parametrize(
    "options",
    [
        {"echo": False},
        {"kind": "llamacpp"},
        {"fault": '{"choices": [{"text": "x"}]}'},
        {"fault": '{"choices": [{"logprobs": {"token_logprobs": [-1.0]}}]}'},
    ],
    ids=["refused", "llama.cpp", "ignored", "of the answer alone"],
)
def test_a_server_without_prompt_log_probabilities_is_told_apart(
    fake: Make, ask: Callable[..., Server], options: dict[str, Any], tokenizer: FastTokenizer
) -> None:
    model = ask(fake(**options))
    with pytest.raises(ModelError, match=r"gives no prompt log-probabilities .*; use --answer generate"):
        model.loglikelihood([(samples_of(tokenizer)[0], " 1")])
    with pytest.raises(ModelError, match=r"gives no prompt log-probabilities .*; read the text with the model itself"):
        list(model.token_loglikelihoods(samples_of(tokenizer)[:1]))


# --- at the start -----------------------------------------------------------------------------------------------------


def test_its_identity_is_what_the_server_lists_of_the_model(fake: Make, ask: Callable[..., Server]) -> None:
    first = ask(fake(entry={"created": 1, "permission": [{"id": "a"}], "root": "/weights/a"})).identity()
    assert ask(fake(entry={"created": 2, "permission": [{"id": "b"}], "root": "/weights/a"})).identity() == first
    others: list[dict[str, Any]] = [
        {"entry": {"root": "/weights/b"}},
        {"entry": {"root": "/weights/a", "meta": {"n_params": 2}}},
        {"entry": {"root": "/weights/a"}, "own_paths": {"/version": {"version": "0.2"}}},
        {"entry": {"root": "/weights/a"}, "window": 8192},
    ]
    seen = {ask(fake(**options)).identity().config for options in others}
    assert len(seen | {first.config}) == 5
    assert first.template


def test_a_missing_v1_is_found(fake: Make, ask: Callable[..., Server]) -> None:
    for prefix in ("/v1", ""):
        server = fake(prefix=prefix)
        for url in (f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{server.port}/"):
            assert ask(url).describe()["url"] == f"http://127.0.0.1:{server.port}{prefix}"
    server = fake(prefix="/deep/v1")
    assert ask(f"http://127.0.0.1:{server.port}/deep").max_length == 4096


def test_the_one_model_need_not_be_named(fake: Make, ask: Callable[..., Server]) -> None:
    assert ask(fake()).describe()["model"] == "little"
    with pytest.raises(ModelError, match=r"lists 2 models \(a, b\); add model=NAME"):
        ask(fake(models=("a", "b"))).describe()
    assert ask(fake(models=("a", "b:latest")), model="b").describe()["model"] == "b"
    with pytest.raises(ModelError, match="has no model 'litle'; did you mean 'little'"):
        ask(fake(), model="litle").describe()
    with pytest.raises(ModelError, match="lists none"):
        ask(fake(models=())).describe()


def test_the_window_is_the_one_that_is_served(fake: Make, ask: Callable[..., Server]) -> None:
    assert ask(fake(window=777)).max_length == 777
    llama = {"/props": {"default_generation_settings": {"n_ctx": 1536}, "build_info": "b9000"}}
    model = ask(fake(window=None, kind="llamacpp", own_paths=llama))
    assert model.max_length == 1536  # not the 99999 of n_ctx_train
    assert model.describe()["server"] == "llamacpp b9000 fake/1.0"
    tgi = {"/info": {"max_total_tokens": 2048, "version": "3.3"}}
    assert ask(fake(window=None, kind="someone", own_paths=tgi)).max_length == 2048
    silent = fake(window=None, kind="library")
    with pytest.raises(ModelError, match="does not say how long its window is; add max_length_override=TOKENS"):
        _ = ask(silent).max_length
    assert ask(silent, max_length_override=512).max_length == 512


def test_a_server_that_lists_nothing_is_taken_at_the_users_word(fake: Make, ask: Callable[..., Server]) -> None:
    server = fake(fault=lambda it: None if it.body else (404, {}, "nothing here"))
    for options, missing in (({}, "model=NAME,max"), ({"model": "little"}, "add max_length_override")):
        with pytest.raises(ModelError, match=f"lists no models; is it an OpenAI.*{missing}"):
            _ = ask(server, **options).max_length
    records = records_of(ask(server, model="little", max_length_override=4096))
    assert {record.error for record in records} == {None}


def test_no_server_is_one_line_that_says_how_to_start_one(ask: Callable[..., Server], fake: Make) -> None:
    gone = fake()
    gone.stop()
    start = time.monotonic()
    with pytest.raises(ModelError, match=rf"no connection to http://127.0.0.1:{gone.port}/v1.*vllm serve MODEL") as it:
        _ = ask(gone).max_length
    assert "tries" not in str(it.value)
    assert time.monotonic() - start < 1  # it is not asked again and again


def test_a_server_that_goes_away_stops_the_run(
    fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer
) -> None:
    server = fake()
    model = ask(server, concurrency=1)
    answers = model.generate(samples_of(tokenizer))
    next(answers)
    server.stop()
    model._calls._client.close()  # else the open connection still answers
    object.__setattr__(model, "_calls", http_calls.Calls(model.url, 1, 1))
    with pytest.raises(ModelError, match=r"no connection .*\(2 tries\); start the server again and repeat"):
        list(model.generate(samples_of(tokenizer)))


def test_a_redirect_is_not_followed(fake: Make, ask: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTA_EVAL_API_KEY", KEY)
    other = fake()
    for status in (301, 302, 307, 308):
        target = {"Location": f"http://localhost:{other.port}/v1/models?key={KEY}"}
        server = fake(fault=lambda _, status=status, target=target: (status, target, ""))
        with pytest.raises(ModelError, match="redirects to http://localhost/v1/models, which is not followed") as error:
            ask(server).describe()
        assert KEY not in str(error.value)
    assert not other.asked


def test_proxies_of_the_environment_are_not_used_for_loopback(
    fake: Make, ask: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = fake(), fake()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert ask(server).describe()["model"] == "little"
    assert not proxy.asked
    for url, local in {
        "http://localhost:1": 1,
        "http://[::1]:1/v1": 1,
        "http://127.8.0.1": 1,
        "http://10.0.0.1": 0,
    }.items():
        assert http_keys.is_loopback(url) == bool(local)
    with pytest.raises(ModelError):  # elsewhere they are: this one answers 404 to a whole URL
        ask("http://nowhere.invalid/v1").describe()
    assert [request.path for request in proxy.asked] == ["http://nowhere.invalid/v1/models"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("server:http://localhost:1", "needs tokenizer="),
        ("server", "needs 'url'"),
        ("server:localhost:8000,tokenizer=t", "must be like http://localhost:8000/v1"),
        ("server:http://localhost:none/v1,tokenizer=t", "must be like http://localhost:8000/v1"),
        (f"server:http://me:{KEY}@localhost/v1,tokenizer=t", "keys come from MTA_EVAL_API_KEY"),
        (f"server:http://localhost/v1?key={KEY},tokenizer=t", "keys come from MTA_EVAL_API_KEY"),
        ("server:http://localhost/v1,tokenizer=t,concurrency=0", "concurrency must be at least 1"),
        ("server:http://localhost/v1,tokenizer=t,send=words", "cannot be 'words'"),
    ],
)
def test_a_wrong_spec_is_refused(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        registry.build_model(spec)
    assert KEY not in str(caught.value)


def test_a_spec_comes_back(tokenizer_folder: Path) -> None:
    spec = f"server:http://localhost:8000/v1,model=a/b,tokenizer={tokenizer_folder},send=text,concurrency=3"
    assert registry.spec_of(registry.build_model(spec)) == spec
    from_python = Server("http://localhost:8000/v1", "a/b", str(tokenizer_folder), send="text", concurrency=3)  # type: ignore[arg-type]
    assert registry.spec_of(from_python) == spec
    with pytest.raises(ModelError, match="/no/such"):
        registry.build_model("server:http://localhost:8000,tokenizer=/no/such").tokenizer.encode("a")


def test_chat_api_takes_chats_only(fake: Make, ask: Callable[..., Server], tokenizer: FastTokenizer) -> None:
    with pytest.raises(ModelError, match="api=chat takes no plain prompts such as passkey/256"):
        list(ask(fake(), api="chat").generate(samples_of(tokenizer)))


def test_a_chat_cut_to_the_window_is_sent_as_it_was_cut(fake: Make, ask: Callable[..., Server]) -> None:
    server = fake(window=300)
    records = records_of(ask(server), "passkey:prompt=chat", over_length="mark")
    assert {(record.truncated, record.error) for record in records} == {(False, None), (True, None)}
    asked = Counter(it.path.rpartition("/v1/")[2] for it in server.asked if it.body)
    assert asked == {"chat/completions": 6, "completions": 6}  # several at once: in no certain order
    with pytest.raises(ModelError, match="cut to the window"):
        records_of(ask(server, api="chat"), "passkey:prompt=chat", over_length="mark")


# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_written_nowhere(
    fake: Make, call: Call, tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTA_EVAL_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "the other")
    told = json.dumps({"error": {"message": f"strange key: Bearer {KEY}!"}})
    server = fake(fault=lambda it: (422, {}, told) if it.body and sum(it.body["prompt"]) % 2 else None)
    spec = f"server:{server.url},tokenizer={tokenizer_folder}"
    run = ("run", "passkey", "--model", spec, "--lengths", "256", "--repeats", "3", "--out", "r")
    code, out, err = call(*run)
    assert code == 1
    assert {request.headers["Authorization"] for request in server.asked} == {f"Bearer {KEY}"}
    server.fault = lambda _: (401, {}, told)
    code, refused, more = call(*run)
    assert code == 2
    assert "strange key: Bearer ***!" in more
    written = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert any("strange key: Bearer ***!" in text for text in written.values())
    assert not [where for where, text in written.items() if KEY in text]
    assert KEY not in out + err + refused + more
    model = registry.build_model(spec)
    with pytest.raises(ModelError):
        model.describe()
    assert KEY not in repr(model) + repr(vars(model)) + registry.spec_of(model)


def test_openais_key_goes_to_openais_hosts_alone(
    fake: Make, ask: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, other = fake(), "sk-ours-1"
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(server).describe()
    assert [it.headers.get("Authorization") for it in server.asked] == [None] * len(server.asked)
    for host in ("api.openai.com", "eu.api.openai.com"):
        assert http_keys.key_for(f"https://{host}/v1") == KEY
    for host in ("openai.com", "api.openai.com.example.org", "myapi.openai.com", "example.org/api.openai.com"):
        assert http_keys.key_for(f"https://{host}/v1") == ""
    monkeypatch.setenv("MTA_EVAL_API_KEY", other)
    assert {http_keys.key_for(f"https://{host}/v1") for host in ("api.openai.com", "example.org")} == {other}


def test_no_key_goes_to_another_machine_over_plain_http(
    ask: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTA_EVAL_API_KEY", KEY)
    with pytest.raises(
        ModelError, match=r"not sent over plain http to node7, .*; use https, .*key_over_http=true"
    ) as e:
        ask("http://node7:8000/v1").describe()
    assert KEY not in str(e.value)
    assert http_keys.key_for("http://node7:8000/v1", over_http=True) == KEY
    for url in ("http://localhost:8000", "http://127.0.0.1", "http://[::1]:80", "https://node7"):
        assert http_keys.key_for(url) == KEY
    spec = "server:http://node7:8000/v1,tokenizer=t,key_over_http=true"
    model: Any = registry.build_model(spec)
    assert model._calls._client.auth is not None  # made, and not refused
    monkeypatch.delenv("MTA_EVAL_API_KEY")
    assert http_keys.key_for("http://node7:8000/v1") == ""


@pytest.mark.parametrize("key", ["sk-secret\nInjected: yes", "sk secret", "sk-sécret"])
def test_a_broken_key_is_refused_without_saying_it(
    fake: Make, ask: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MTA_EVAL_API_KEY", key)
    with pytest.raises(ModelError, match="MTA_EVAL_API_KEY holds characters that no key has") as caught:
        ask(fake()).describe()
    assert "secret" not in str(caught.value)
    assert "sécret" not in str(caught.value)


# --- the whole pipe ---------------------------------------------------------------------------------------------------


def test_a_run_goes_on_after_a_failure(fake: Make, call: Call, tokenizer_folder: Path, tmp_path: Path) -> None:
    server = fake(width=10**6)
    spec = f"server:{server.url},tokenizer={tokenizer_folder},concurrency=3,retries=1"
    run = ("run", "passkey", "--model", spec, "--lengths", "256,384", "--depths", "0,0.5,1", "--repeats", "2")
    server.fault = lambda it: "drop" if it.body and sum(it.body["prompt"]) % 3 == 0 else None
    code, _, _ = call(*run, "--out", "r")
    failed = [line for line in records_in(tmp_path / "r") if line["error"]]
    assert code == 1
    assert 0 < len(failed) < 12
    assert all(line["score"] is None and "tries" in line["error"] for line in failed)
    server.fault = None
    before = len(server.posts())
    assert call(*run, "--out", "r")[0] == 0
    assert len(server.posts()) - before == len(failed)
    assert call(*run, "--out", "whole")[0] == 0
    key = lambda line: line["sample_id"]  # noqa: E731
    kept = [{**line, "seconds": 0, "peak_memory": 0} for line in sorted(records_in(tmp_path / "r"), key=key)]
    assert kept == [
        {**line, "seconds": 0, "peak_memory": 0} for line in sorted(records_in(tmp_path / "whole"), key=key)
    ]
    about = json.loads((tmp_path / "r" / "run.json").read_text())["environment"]["models"]
    assert next(iter(about.values())) == {
        "url": server.url,
        "model": "little",
        "api": "auto",
        "send": "ids",
        "server": "vllm fake/1.0",
    }


def test_no_server_is_exit_code_2(call: Call, fake: Make, tokenizer_folder: Path) -> None:
    gone = fake()
    gone.stop()
    spec = f"server:http://127.0.0.1:{gone.port},tokenizer={tokenizer_folder}"
    code, _, err = call("run", "passkey", "--model", spec, "--out", "r")
    assert code == 2
    assert f"no connection to http://127.0.0.1:{gone.port}/v1/models" in err.replace("\n", "")


def records_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]


def test_passkeys_are_what_the_fake_server_reads(tokenizer: FastTokenizer) -> None:
    sample = Passkey().sample(next(Sweep((256,), (0.5,), 1).cells()), 0, tokenizer)
    ids = tokenizer.prompt_ids(sample.prompt, plain=True)
    assert Reader(tokenizer).answer(ids, 99)[0].strip() == sample.targets[0]

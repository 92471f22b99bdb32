"""lm-eval's models as ours: the same answers as our own adapters, and nothing cut or lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reader, Speaker
from thinking_folders import CHANNELS, CLOCK, SWITCH, folder_with

from mta_eval import runner
from mta_eval.core import Cell, Plan, PromptSettings, Sample, Sweep
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.harness import Harness
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_model, build_task, spec_of

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> FastTokenizer:
    return load_tokenizer(str(tokenizer_folder))


class OneByOne(FakeServer):
    """lm-eval sends a list of prompts, here of one."""

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        prompt = body.get("prompt")
        if prompt and isinstance(prompt[0], list):
            (body["prompt"],) = prompt
        return super().post(path, body)


@pytest.fixture
def served(tokenizer: FastTokenizer) -> Iterator[FakeServer]:
    server = OneByOne(tokenizer, Reader(tokenizer))
    yield server
    server.stop()


def samples_of(task: str, tokenizer: Any, depths: tuple[float, ...] = (0.0, 0.5, 1.0)) -> list[Sample]:
    return [build_task(task).sample(Cell(256, depth, 0), 0, tokenizer) for depth in depths]


def completions(server: FakeServer, folder: Path, more: str = "") -> str:
    url = f"{server.url}/completions"
    return (
        f"harness:local-completions,model=little,base_url={url},tokenizer={folder},tokenizer_backend=huggingface{more}"
    )


def test_hf_in_lm_eval_answers_as_our_hf(llama_folder: Path) -> None:
    model = build_model(f"harness:hf,pretrained={llama_folder},dtype=float32,batch_size=2")
    ours = build_model(f"hf:{llama_folder},dtype=float32")
    assert model.max_length == ours.max_length == 1024
    assert model.tokenizer.fingerprint == ours.tokenizer.fingerprint
    for task in ("niah:needles=2", "niah:prompt=chat"):
        samples = samples_of(task, model.tokenizer)
        answers = [(given.text, given.finish) for given in model.generate(samples)]
        assert answers == [(given.text, given.finish) for given in ours.generate(samples)]
        pairs = [(sample, text) for sample in samples[:2] for text in (" " + sample.targets[0], " Berlin")]
        assert model.loglikelihood(pairs) == pytest.approx(ours.loglikelihood(pairs), abs=1e-3)


def test_the_window_and_the_tokenizer_need_no_weights(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Harness, "_loaded", None)
    assert build_model(f"harness:hf,pretrained={llama_folder}").max_length == 1024
    assert build_model(f"harness:vllm,pretrained={llama_folder},max_model_len=300").max_length == 300
    api = f"harness:local-completions,model=x,tokenizer={llama_folder}"
    assert build_model(api).max_length == 2047
    assert build_model(api + ",base_url=http://h/v1,max_length=4096").max_length == 4095
    assert build_model(api).tokenizer.specials == (1, 0)


def test_a_server_reads_the_tokens_that_were_counted(served: FakeServer, tokenizer_folder: Path) -> None:
    model = build_model(completions(served, tokenizer_folder, ",add_bos_token=true,max_length=1024"))
    samples = samples_of("passkey", model.tokenizer)
    for sample, answer in zip(samples, model.generate(samples), strict=True):
        assert build_task("passkey").score(sample, answer.text) == 1
    prompts = [body["prompt"] for body in served.posts()]
    assert prompts == [model.tokenizer.prompt_ids(sample.prompt, plain=True) for sample in samples]


def test_a_missing_bos_is_found_before_anything_is_asked(served: FakeServer, tokenizer_folder: Path) -> None:
    model = build_model(completions(served, tokenizer_folder))
    with pytest.raises(ModelError, match=r"reads passkey/.* as \d+ tokens, not \d+; .*add_bos_token=True"):
        list(model.generate(samples_of("passkey", model.tokenizer)))
    assert not served.posts()


def test_one_broken_request_is_one_error(served: FakeServer, tokenizer_folder: Path) -> None:
    spec = completions(served, tokenizer_folder, ",add_bos_token=true,max_length=1024,max_retries=1")
    model = build_model(spec)
    bad = samples_of("passkey", model.tokenizer)[1]
    ids = model.tokenizer.prompt_ids(bad.prompt, plain=True)
    served.fault = lambda request: (500, {}, "no") if request.body and request.body["prompt"] == [ids] else None
    plan = Plan({"passkey": build_task("passkey")}, {"m": model}, Sweep((256,), (0.0, 0.5, 1.0), 1))
    records = {record.sample_id: record for record in runner.run(plan)}
    assert [name for name, record in records.items() if record.error] == [bad.id]
    assert sum(record.score or 0 for record in records.values()) == 2


def test_a_chat_server_gets_the_messages(served: FakeServer, tokenizer_folder: Path) -> None:
    url = f"{served.url}/chat/completions"
    model = build_model(f"harness:local-chat-completions,model=little,base_url={url},tokenizer={tokenizer_folder}")
    samples = samples_of("passkey:prompt=chat", model.tokenizer)
    answers = list(model.generate(samples))
    assert [body["messages"] for body in served.posts()] == [list(sample.chat or ()) for sample in samples]
    assert [
        build_task("passkey").score(sample, given.text) for sample, given in zip(samples, answers, strict=True)
    ] == [1, 1, 1]


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("<think>Hm. So.</think> 4711", (" 4711", "Hm. So.", "stop")),
        ("<think>Hm. So.</think> 4711. Or", (" 4711", "Hm. So.", "stop")),
        ("<think>Hm. So", ("", "Hm. So", "length")),
        ("Hm. So.</think> 4711", (" 4711", "Hm. So.", "stop")),
    ],
)
def test_thoughts_are_no_answers(
    served: FakeServer, tokenizer_folder: Path, says: str, expected: tuple[str, str, str]
) -> None:
    served.brain = Speaker(served.tokenizer, says)
    model = build_model(completions(served, tokenizer_folder, ",add_bos_token=true,max_length=1024"))
    settings = PromptSettings(thinking_tokens=40)
    (sample,) = samples_of("passkey", model.tokenizer.with_settings(settings), (0.5,))
    (given,) = model.generate([replace(sample, max_new_tokens=20)])
    assert (given.text, given.thought, given.finish, given.unverified) == (*expected, False)
    (body,) = served.posts()
    assert body["max_tokens"] == 60
    assert "." not in body["stop"]  # it would end the thought


def test_an_answer_without_a_thought_has_its_own_budget(served: FakeServer, tokenizer_folder: Path) -> None:
    model = build_model(completions(served, tokenizer_folder, ",add_bos_token=true,max_length=1024"))
    says = " one two three four five six seven eight nine"
    served.brain = Speaker(served.tokenizer, says)
    (sample,) = samples_of("passkey", model.tokenizer, (0.5,))
    sample = replace(sample, max_new_tokens=5, stop=(), settings=PromptSettings(thinking_tokens=40))
    (given,) = model.generate([sample])
    assert (given.text, given.finish) == (says[: model.tokenizer.encode(says).spans[4][1]], "length")


def test_what_nothing_was_said_about_is_unverified(served: FakeServer, tokenizer_folder: Path) -> None:
    url = f"{served.url}/chat/completions"
    chat = build_model(f"harness:local-chat-completions,model=little,base_url={url},tokenizer={tokenizer_folder}")
    dummy = build_model(f"harness:dummy,tokenizer={tokenizer_folder},max_length=512")
    ours = build_model(completions(served, tokenizer_folder, ",add_bos_token=true,max_length=1024"))
    for model, task, unverified in (
        (chat, "passkey:prompt=chat", True),
        (dummy, "passkey", True),
        (ours, "passkey", False),
    ):
        answers = list(model.generate(samples_of(task, model.tokenizer)))
        assert [given.unverified for given in answers] == [unverified] * 3, model


def test_a_backend_that_sends_messages_takes_no_settings_of_templates(
    served: FakeServer, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folders = {name: folder_with(it, tokenizer_folder, tmp_path / name) for name, it in (("s", SWITCH), ("c", CLOCK))}
    for folder, settings, what in (
        ("s", PromptSettings(thinking="off"), r"options of the chat template \(enable_thinking\)"),
        ("s", PromptSettings(answer_prefix="It is"), "the beginning of an answer"),
        ("c", PromptSettings(), "the day that the chat template asks for"),
    ):
        model = build_model(
            f"harness:local-chat-completions,model=little,base_url={served.url}/chat/completions,"
            f"tokenizer={folders[folder]}"
        )
        samples = samples_of("passkey:prompt=chat", model.tokenizer.with_settings(settings))
        with pytest.raises(ModelError, match=f"sends messages, and {what} cannot come along; use server:"):
            list(model.generate(samples))
    assert not served.posts()


def test_a_backend_that_sends_prompts_gets_ours_with_all_settings(
    served: FakeServer, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folder = folder_with(SWITCH, tokenizer_folder, tmp_path / "s")
    model = build_model(completions(served, folder, ",max_length=1024"))
    settings = PromptSettings(thinking="off", system="Be brief.")
    samples = samples_of("passkey:prompt=chat", model.tokenizer.with_settings(settings))
    assert not any(given.unverified for given in model.generate(samples))
    assert served.posts()[0]["prompt"] == model.tokenizer.prompt_ids(samples[0].prompt, plain=False)


def test_marks_that_lm_eval_leaves_out_are_refused(served: FakeServer, tokenizer_folder: Path, tmp_path: Path) -> None:
    marks = ("[THINK]", "[/THINK]")
    template = SWITCH.replace("<think>", marks[0]).replace("</think>", marks[1])
    folder = folder_with(template, tokenizer_folder, tmp_path / "m", marks)
    model = build_model(completions(served, folder, ",max_length=1024"))
    with pytest.raises(ModelError, match=r"leaves out the special tokens \[THINK\] and .*; switch its thinking off"):
        list(model.generate(samples_of("passkey:prompt=chat", model.tokenizer)))
    off = model.tokenizer.with_settings(PromptSettings(thinking="off"))
    assert len(list(model.generate(samples_of("passkey:prompt=chat", off)))) == 3


def test_channels_are_told_apart_without_their_special_tokens(
    served: FakeServer, tokenizer_folder: Path, tmp_path: Path
) -> None:
    folder = folder_with(CHANNELS, tokenizer_folder, tmp_path / "c", ("<|channel|>", "<|message|>"))
    served.brain = Speaker(served.tokenizer, "analysisHm.assistantfinal 4711")
    model = build_model(completions(served, folder, ",max_length=1024"))
    settings = PromptSettings(thinking_tokens=40)
    (given, *_) = model.generate(samples_of("passkey:prompt=chat", model.tokenizer.with_settings(settings)))
    assert (given.text, given.thought) == (" 4711", "Hm.")


def test_a_model_without_a_window_wants_one(tokenizer_folder: Path) -> None:
    spec = f"harness:dummy,tokenizer={tokenizer_folder}"
    with pytest.raises(ModelError, match=r"names no window; add max_length=TOKENS"):
        _ = build_model(spec).max_length
    model = build_model(spec + ",max_length=512")
    assert model.max_length == 512
    assert len(list(model.generate(samples_of("passkey", model.tokenizer)))) == 3


def test_it_comes_back_from_its_own_spec() -> None:
    spec = "harness:hf,together=4,pretrained=/a,b/c,dtype=float32"
    model = build_model(spec)
    assert (model.backend, model.together) == ("hf", 4)  # type: ignore[attr-defined]
    assert model.arguments == (("pretrained", "/a,b/c"), ("dtype", "float32"))  # type: ignore[attr-defined]
    assert spec_of(model) == spec
    assert build_model(spec_of(model)) == model
    assert model.describe() == {"backend": "hf", "pretrained": "/a,b/c", "dtype": "float32"}


@pytest.mark.parametrize(
    "secret", ["api_key=k", "auth_token=k", "token=k", "header=k", "hf_token=k", "base_url=http://me:k@host/v1"]
)
def test_secrets_are_refused_and_not_said(secret: str) -> None:
    with pytest.raises(SpecError, match="would be written into the run") as error:
        build_model(f"harness:local-completions,model=x,{secret}")
    assert secret not in str(error.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("harness:nope,pretrained=FOLDER", "lm-eval has no model 'nope'"),
        ("harness:hf,pretrained=FOLDER,dtyp=x", "lm-eval cannot make 'hf'"),
        ("harness:hf,pretrained=/no/such", "no file or folder"),
        ("harness:hf", "missing 1 required positional argument: 'pretrained'"),
        ("harness:hf,together=0", "together must be at least 1"),
        ("harness:hf,pretrained=FOLDER,max_length=many", "max_length wants a number of tokens, not 'many'"),
    ],
)
def test_a_users_mistake_is_one_line(spec: str, message: str, call: Call, llama_folder: Path) -> None:
    spec = spec.replace("FOLDER", str(llama_folder))
    code, _, err = call("run", "passkey", "--model", spec, "--lengths", "256", "--repeats", "1", "--out", "out")
    assert code == 2
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err


def test_perplexity_is_refused() -> None:
    model = build_model("harness:hf")
    assert model.abilities == {"answers", "chooses"}
    with pytest.raises(ModelError, match="harness gives no log-likelihoods of tokens, so it cannot read texts"):
        runner.check(Plan({"perplexity": build_task("perplexity")}, {"m": model}, Sweep((256,), (None,), 1)))

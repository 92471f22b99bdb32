"""lm-eval's models as ours: the same answers as our own adapters, and nothing cut or lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reader

from mta_eval import runner
from mta_eval.core import Cell, Plan, Sample, Sweep
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

"""What a server sends that no file, no terminal and no memory should hold, and parameters that it does not take."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reader
from fake_server import quick_retries_and_no_key as quick_retries_and_no_key  # a fixture

from mta_eval import registry
from mta_eval.core import Cell, Sample
from mta_eval.errors import ModelError
from mta_eval.models import http_bodies, http_calls, server_replies
from mta_eval.models.http_failures import BusyError, ServerError, failure
from mta_eval.models.named_tokenizer import NamedTokenizer
from mta_eval.models.server import Server
from mta_eval.models.server_dialect import Dialect
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.printable import one_line

Call = Callable[..., tuple[int, str, str]]
BOMB = "\x1b]0;title\x07\x1b[2J"


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> FastTokenizer:
    return load_tokenizer(str(tokenizer_folder))


@pytest.fixture
def server(tokenizer: FastTokenizer) -> Iterator[FakeServer]:
    made = FakeServer(tokenizer, Reader(tokenizer))
    yield made
    made.stop()


@pytest.fixture
def sample(tokenizer: FastTokenizer) -> Sample:
    return registry.build_task("passkey").sample(Cell(256, 0.5, 0), 0, tokenizer)


@pytest.fixture
def ask(server: FakeServer, tokenizer_folder: Path, sample: Sample) -> Callable[..., Any]:
    """The one answer to the sample."""

    def answer(**options: Any) -> Any:
        (given,) = Server(server.url, tokenizer=NamedTokenizer(str(tokenizer_folder)), **options).generate([sample])
        return given

    return answer


# --- characters -------------------------------------------------------------------------------------------------------


def test_half_a_character_is_no_half_a_run(
    server: FakeServer, call: Call, tokenizer_folder: Path, tmp_path: Path
) -> None:
    whole = '{"text": " \\ud83e\\udd99 \\ud800 x\\uDC00", "finish_reason": "stop"}'
    server.fault = lambda it: (200, {}, f'{{"choices": [{whole}], "\\ud800": [1, null]}}') if it.body else None
    spec = f"server:{server.url},tokenizer={tokenizer_folder}"
    run = ("run", "passkey", "--model", spec, "--lengths", "256", "--depths", "0.5", "--repeats", "1", "--out", "r")
    assert call(*run)[0] == 0
    (line,) = (tmp_path / "r" / "records.jsonl").read_text().splitlines()
    assert json.loads(line)["output"] == " 🦙 \ufffd x\ufffd"


def test_bytes_that_are_no_utf_8_are_replaced(server: FakeServer, ask: Callable[..., Any]) -> None:
    server.fault = (200, {}, b'\xef\xbb\xbf{"choices": [{"text": " 4\xff7\xed\xa0\x80"}]}')
    assert ask().text.startswith(" 4\ufffd7\ufffd")


def test_no_control_character_of_a_server_reaches_a_terminal(
    server: FakeServer, call: Call, tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTA_EVAL_API_KEY", "sk-secret-1")
    told = json.dumps({"error": {"message": f"no {BOMB} Bearer sk-\x07secret-1 \u202eevil \x9b31m end"}})
    server.fault = lambda it: (400, {}, told) if it.body else None
    spec = f"server:{server.url},tokenizer={tokenizer_folder}"
    run = ("run", "passkey", "--model", spec, "--lengths", "256", "--depths", "0.5", "--repeats", "1", "--out", "r")
    code, out, err = call(*run)
    (line,) = (tmp_path / "r" / "records.jsonl").read_text().splitlines()
    assert code == 1
    assert "answered 400: no Bearer *** evil end;" in json.loads(line)["error"]
    assert not [character for character in out + err if not character.isprintable() and character != "\n"]
    for fault in ((401, {}, told), (301, {"Location": "http://h/a\x1b[2Jb"}, ""), (404, {}, f"{BOMB}gone")):
        server.fault = lambda _, fault=fault: fault
        code, out, err = call(*run)
        assert code == 2
        assert not [character for character in out + err if not character.isprintable() and character != "\n"]


def test_nor_does_one_of_what_it_says_of_itself(server: FakeServer, tokenizer_folder: Path) -> None:
    server.kind, server.models = f"vllm{BOMB}", (f"a{BOMB}", "b")
    model = Server(server.url, tokenizer=NamedTokenizer(str(tokenizer_folder)))
    for named, message in (
        (model, r"lists 2 models \(a, b\)"),
        (Server(server.url, "c", model.tokenizer), "'c'; .*a, b"),
    ):
        with pytest.raises(ModelError, match=message) as error:
            named.describe()
        assert str(error.value).isprintable()
    server.kind, server.models = "vllm", (f"a{BOMB}",)
    server.own_paths = {"/version": {"version": f"0.1{BOMB}"}}
    assert all(value.isprintable() for value in model.describe().values())
    assert model.describe()["server"] == "vllm 0.1 fake/1.0"
    assert model._facts.model == f"a{BOMB}"  # by which it is to be called


def test_the_kind_of_a_server_is_known_by_what_it_shows(server: FakeServer, tokenizer_folder: Path) -> None:
    server.kind = f"vllm{BOMB}"
    assert Server(server.url, tokenizer=NamedTokenizer(str(tokenizer_folder)))._facts.kind == "vllm"


def test_no_string_of_a_json_text_holds_half_a_pair() -> None:
    body = b'{"a\\ud800": ["\\uDFFF", {"b": "\\ud83e\\udd99"}, 1, null, 0.5, true], "c": "d"}'
    assert http_bodies.parsed(body) == {"a\ufffd": ["\ufffd", {"b": "🦙"}, 1, None, 0.5, True], "c": "d"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (" a\n\tb ", "a b"),
        ("a\x1b[1;31mb\x1b[0m", "ab"),
        ("a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\", "ab"),
        ("a\x1b]0;never ended", "a"),
        ("\x1bPq#0\x1b\\a\x1bcb\x1b", "ab"),
        ("\x9b2Ja\x9d0;t\x9cb\x90x\x07c", "abc"),
        ("a\x00\x08\x7f\x85\x1fb\ud800\u200b\u2028é東\u3000🦙", "ab é東 🦙"),
    ],
)
def test_one_line_of_any_text(text: str, line: str) -> None:
    assert one_line(text) == line


# --- time and size ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drip", "drip headers"])
def test_the_timeout_is_that_of_the_whole_answer(server: FakeServer, ask: Callable[..., Any], fault: str) -> None:
    server.fault = fault
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"no answer from .* within 0\.4 s; timeout=SECONDS waits longer$"):
        ask(timeout=0.4)
    assert time.monotonic() - start < 10  # what drips would take 20
    assert len(server.posts()) == 1


def test_no_thread_goes_on_reading_what_nobody_waits_for(server: FakeServer, ask: Callable[..., Any]) -> None:
    server.fault, before = "drip", threading.active_count()
    with pytest.raises(ServerError, match="within"):
        ask(timeout=0.3)
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_tries_and_waits_are_within_the_timeout(server: FakeServer, ask: Callable[..., Any]) -> None:
    server.fault = lambda it: (429, {"Retry-After": "1"}, "{}") if it.body else None
    with pytest.raises(ServerError, match="answered 429") as error:
        ask(timeout=2.5, retries=99)
    assert 2 <= len(server.posts()) <= 3
    assert "tries" in str(error.value)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
def test_an_answer_is_no_larger_than_it_may_be(
    server: FakeServer, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(http_calls, "MAX_BODY", 2 << 20)
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "": bytes}[encoding]
    headers = {"Content-Encoding": encoding} if encoding else {}
    reply = json.dumps({"choices": [{"text": " 1"}]}).encode()
    server.fault = lambda it: (200, headers, pack(reply)) if it.body else None
    assert ask().text == " 1"
    server.fault = lambda it: (200, headers, pack(reply + b" " * (3 << 20))) if it.body else None
    with pytest.raises(ServerError, match=r"answered more than 2 MiB, which is no answer to this$"):
        ask()
    assert len(server.posts()) == 2  # it is not asked again
    assert server.asked[-1].headers["Accept-Encoding"] == "identity"


def test_a_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(64)) + packer.flush()
    made: list[int] = []
    real = zlib.decompressobj(47)

    class Unpacker:
        def decompress(self, chunk: bytes, most: int) -> bytes:
            data = real.decompress(chunk, most)
            made.append(len(data))
            return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_bodies.zlib, "decompressobj", lambda _: Unpacker())
        with pytest.raises(http_bodies.TooLongError):
            http_bodies.unpacked([bomb], "gzip", 5000)
    assert sum(made) == 5001


def test_log_probabilities_of_a_prompt_have_room_of_their_own(
    server: FakeServer, tokenizer_folder: Path, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_calls, "MAX_BODY", 700)
    model = Server(server.url, tokenizer=NamedTokenizer(str(tokenizer_folder)))
    assert model.loglikelihood([(sample, " 1")])
    server.fault = json.dumps({"more": "x" * 2000})
    with pytest.raises(ServerError, match="answered more than"):
        list(model.generate([sample]))


def test_a_body_in_another_encoding_or_a_damaged_one_is_a_broken_connection(
    server: FakeServer, ask: Callable[..., Any]
) -> None:
    for encoding, why in (("br", "the content encoding br, which was not asked for"), ("gzip", "cannot be unpacked")):
        server.fault = lambda it, encoding=encoding: (200, {"Content-Encoding": encoding}, "{}") if it.body else None
        with pytest.raises(ServerError, match=rf"broke: .*{why}.*\(2 tries\)"):
            ask(retries=1)


def test_what_is_nested_too_deeply_is_no_json(server: FakeServer, ask: Callable[..., Any]) -> None:
    server.fault = lambda it: (200, {}, "[" * 200_000) if it.body else None
    with pytest.raises(ServerError, match="answered no whole JSON"):
        ask(retries=0)


# --- parameters -------------------------------------------------------------------------------------------------------


def test_parameters_that_a_server_refuses_are_left_out_from_then_on(
    server: FakeServer, tokenizer_folder: Path, tokenizer: FastTokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = ("max_tokens", "temperature", "seed", "stop")
    model = Server(server.url, tokenizer=NamedTokenizer(str(tokenizer_folder)), concurrency=1)
    samples = [registry.build_task("passkey").sample(Cell(256, depth, 0), 0, tokenizer) for depth in (0.0, 1.0)]
    assert "dropped" not in model.describe()
    texts = [given.text for given in model.generate(samples)]
    assert texts == [f" {sample.targets[0]}" for sample in samples]
    assert len(server.posts()) == 5 + 1
    assert server.posts()[-1]["max_completion_tokens"] == samples[0].budget
    assert not {"max_tokens", "temperature", "seed", "stop"} & server.posts()[-1].keys()
    said = "max_tokens (sent as max_completion_tokens), temperature, seed, stop"
    assert model.describe()["dropped"] == said
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert "takes no temperature: it is left out; answers may not be greedy" in lines[1]


def test_another_parameter_is_not_left_out(server: FakeServer, ask: Callable[..., Any]) -> None:
    server.refuses = ("prompt",)
    with pytest.raises(ServerError, match="'prompt' is not supported"):
        ask()
    assert len(server.posts()) == 1


@pytest.mark.parametrize(
    ("message", "status", "learned"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", 400, "max_tokens"),
        (
            "Unsupported value: 'temperature' does not support 0 with this model. Only 1 is supported.",
            400,
            "temperature",
        ),
        ("Unrecognized request argument supplied: seed", 400, "seed"),
        ("`stop` is not supported", 422, "stop"),
        ("max_tokens is too large: 9999", 400, ""),
        ("temperature must be 1", 400, ""),
        ("Unsupported parameter: 'seed'", 500, ""),
        ("Unsupported parameter: 'model'", 400, ""),
    ],
)
def test_what_counts_as_a_refusal_of_a_parameter(message: str, status: int, learned: str) -> None:
    dialect = Dialect()
    sent: dict[str, Any] = {"max_tokens": 5, "temperature": 0, "seed": 0, "stop": ["."], "model": "m"}
    assert dialect.learn(ServerError(message, status), sent, "it") is bool(learned)
    missing = sent.keys() - dialect.spoken(sent).keys()
    assert missing == ({learned} if learned else set())


def test_a_parameter_that_was_not_sent_cannot_be_left_out() -> None:
    error = BusyError("Unsupported parameter: 'stop'", 400)
    assert not Dialect().learn(error, {"seed": 0}, "it")


def test_calls_that_learn_the_same_at_once_all_go_on(
    server: FakeServer, tokenizer_folder: Path, tokenizer: FastTokenizer
) -> None:
    server.refuses, server.delay = ("max_tokens",), lambda: 0.05
    samples = [registry.build_task("passkey").sample(Cell(256, 0.5, number), 0, tokenizer) for number in range(4)]
    model = Server(server.url, tokenizer=NamedTokenizer(str(tokenizer_folder)), concurrency=4)
    assert [given.text for given in model.generate(samples)] == [f" {sample.targets[0]}" for sample in samples]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:27:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "now"}, 0.0),
        ({"retry-after": "soon", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_a_date_to_try_again_is_counted_from_the_servers_own_clock(
    headers: dict[str, str], seconds: float | None
) -> None:
    error = failure("http://x", 429, "busy", headers, b"")
    assert isinstance(error, BusyError)
    assert error.wait == seconds


def test_a_count_that_no_record_can_hold_is_none() -> None:
    assert server_replies.usage_count({"usage": {"completion_tokens": 2**63 - 1}}, "completion_tokens") == 2**63 - 1
    assert server_replies.usage_count({"usage": {"completion_tokens": 2**70}}, "completion_tokens") is None


def test_a_window_that_no_number_can_hold_is_none(server: FakeServer, tokenizer_folder: Path) -> None:
    server.entry = {"max_model_len": 2**70}
    with pytest.raises(ModelError, match="how long its window is"):
        _ = Server(server.url, tokenizer=NamedTokenizer(str(tokenizer_folder))).max_length

"""An OpenAI-compatible server on loopback that answers by a known rule, and fails on command in every way there is."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import pytest

from mta_eval.models import http_calls, http_keys
from mta_eval.models.tokenizer import FastTokenizer

NEEDLE = re.compile(r"The pass key is (\d+)\. Remember it\. \1 is the pass key\.")
Fault = str | tuple[int, dict[str, str], str | bytes] | None


@pytest.fixture(autouse=True)
def quick_retries_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that import it: no waiting between tries, and no key of the user's."""
    monkeypatch.setattr(http_calls, "FIRST_WAIT", 0.002)
    for name in http_keys.KEYS:
        monkeypatch.delenv(name, raising=False)


class Brain(Protocol):
    tokenizer: FastTokenizer

    def answer(self, ids: list[int], most: int) -> tuple[str, int, str]:
        """(text, tokens made, finish reason)."""

    def logprobs(self, ids: list[int]) -> list[float | None]:
        """One for each token, None for the first."""


@dataclass
class Reader:
    """Reads pass keys perfectly, but only in the last `width` tokens: the rule of models/window.py."""

    tokenizer: FastTokenizer
    width: int = 10**9
    before: str = " "
    behind: str = ""

    def answer(self, ids: list[int], most: int) -> tuple[str, int, str]:
        found = NEEDLE.search(self.tokenizer.decode(ids[-self.width :]))
        text = self.before + (found[1] if found else "I cannot see it") + self.behind
        made = self.tokenizer.encode(text).ids
        return (text, len(made), "stop") if len(made) <= most else (self.tokenizer.decode(made[:most]), most, "length")

    def logprobs(self, ids: list[int]) -> list[float | None]:
        return [None, *(-((31 * before + token) % 97) / 10 for before, token in itertools.pairwise(ids))]


@dataclass
class Speaker:
    """Says the same whatever it is asked, as long as there is budget."""

    tokenizer: FastTokenizer
    text: str

    def answer(self, ids: list[int], most: int) -> tuple[str, int, str]:
        spans = self.tokenizer.encode(self.text).spans
        if len(spans) < most:
            return self.text, len(spans) + 1, "stop"  # and an end token
        return self.text[: spans[most - 1][1]], most, "length"

    def logprobs(self, ids: list[int]) -> list[float | None]:
        raise NotImplementedError


@dataclass
class Request:
    """What came: `body` is None for a GET; `attempt` counts the times that this very request came, from 1."""

    path: str
    body: Any
    headers: dict[str, str]
    attempt: int


@dataclass
class FakeServer:
    """`fault` says how every POST fails, or as a function how any request does; `asked` holds all that came.

    `parses` is what it calls a thought that it takes out of a chat's answer; "" where it takes none out. `refuses`
    names parameters that it does not take. `entry` is added to what it lists of its models.
    """

    tokenizer: FastTokenizer
    brain: Brain
    kind: str = "vllm"
    models: tuple[str, ...] = ("little",)
    window: int | None = 4096
    prefix: str = "/v1"
    echo: bool = True
    takes_ids: bool = True
    fault: Fault | Callable[[Request], Fault] = None
    delay: Callable[[], float] | None = None
    parses: str = ""
    refuses: tuple[str, ...] = ()
    entry: dict[str, Any] = field(default_factory=dict)
    own_paths: dict[str, Any] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _tries: Counter[str] = field(default_factory=Counter)
    _lock: Any = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._http = _Quiet(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}{self.prefix}"

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def posts(self) -> list[Any]:
        return [request.body for request in self.asked if request.body is not None]

    def enter(self, path: str, body: Any, headers: dict[str, str]) -> Fault:
        with self._lock:
            key = path + json.dumps(body)
            self._tries[key] += 1
            self.asked.append(request := Request(path, body, headers, self._tries[key]))
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            if callable(self.fault):
                return self.fault(request)
            return self.fault if body is not None else None

    def leave(self) -> None:
        with self._lock:
            self._now -= 1

    def get(self, path: str) -> tuple[int, Any]:
        if path == f"{self.prefix}/models":
            more = {"max_model_len": self.window} if self.window else {"meta": {"n_ctx_train": 99999}}
            return 200, {"data": [{"id": name, "owned_by": self.kind} | more | self.entry for name in self.models]}
        return (200, self.own_paths[path]) if path in self.own_paths else (404, {"detail": "Not Found"})

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        if path == f"{self.prefix}/chat/completions":
            ids = self.tokenizer.encode(self._render(body)).ids
        elif path == f"{self.prefix}/completions":
            ids = body["prompt"]
            if isinstance(ids, str):
                ids = self.tokenizer.prompt_ids(ids, plain=body.get("add_special_tokens", True))
            elif not self.takes_ids:
                return 400, {"error": {"message": "prompt must be a string"}}
        else:
            return 404, {"detail": "Not Found"}
        if refused := next((name for name in self.refuses if name in body), ""):
            return 400, {"error": {"message": f"Unsupported parameter: '{refused}' is not supported with this model."}}
        most = body.get("max_completion_tokens", body.get("max_tokens", 16))
        if body.get("echo") and not self.echo:
            return 400, {"error": {"message": "Only no echo is supported"}}
        if self.window and len(ids) + most > self.window and body.get("echo"):
            return 400, {"error": {"message": "prompt and answer are longer than the window"}}
        text, made, reason = self.brain.answer(ids, most)
        for mark in body.get("stop", ()):
            if mark in text:
                text, reason = text[: text.index(mark)], "stop"
        choice: dict[str, Any] = {"index": 0, "finish_reason": reason}
        if path.endswith("/chat/completions"):
            choice["message"] = {"role": "assistant", "content": text} | (self._parsed(text) if self.parses else {})
        else:
            choice["text"] = text
        if body.get("echo"):
            made_up = [-0.5] * min(most, 1)
            choice["logprobs"] = {"token_logprobs": [*self.brain.logprobs(ids), *made_up]}
        return 200, {"choices": [choice], "usage": {"prompt_tokens": len(ids), "completion_tokens": made}}

    def _render(self, body: Any) -> str:
        """By transformers itself, as vLLM does."""
        assert self.tokenizer.owner is not None
        more = body.get("chat_template_kwargs", {}) | {
            "continue_final_message": body.get("continue_final_message", False)
        }
        begin = body.get("add_generation_prompt", True)
        rendered = self.tokenizer.owner.apply_chat_template(
            body["messages"], tokenize=False, add_generation_prompt=begin, **more
        )
        return str(rendered)

    def _parsed(self, text: str) -> dict[str, Any]:
        thought, closing, rest = text.removeprefix("<think>").partition("</think>")
        return {self.parses: thought, "content": rest if closing else None}


class _Quiet(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are what these tests are about."""


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "fake/1.0", ""

        def do_GET(self) -> None:
            self._handle(None)

        def do_POST(self) -> None:
            self._handle(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _handle(self, body: Any) -> None:
            fault = server.enter(self.path, body, dict(self.headers))
            try:
                time.sleep(server.delay() if server.delay else 0)
                status, answer = server.get(self.path) if body is None else server.post(self.path, body)
            finally:
                server.leave()
            self._reply(fault, status, answer)

        def _reply(self, fault: Fault, status: int, answer: Any) -> None:
            headers: dict[str, str] = {}
            text: str | bytes = json.dumps(answer, ensure_ascii=False)
            if isinstance(fault, tuple):
                status, headers, text = fault
            elif fault == "drop":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            elif fault == "slow":
                time.sleep(0.5)
            elif fault == "no JSON":
                text = "<html>gateway</html>"
            elif fault == "half JSON":
                text = text[: len(text) // 2]
            elif fault in ("drip", "drip headers"):
                self._drip(fault)
                return
            elif fault is not None and fault.startswith("{"):
                text = json.dumps(answer | json.loads(fault))
            payload = text if isinstance(text, bytes) else text.encode()
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            if fault == "cut":
                payload = payload[: len(payload) // 2]
                self.close_connection = True
            self.wfile.write(payload)

        def _drip(self, fault: str) -> None:
            """A byte now and then, and never the last; ends when nobody reads it any more."""
            self.close_connection = True
            begin = b"HTTP/1.1 200 OK\r\n" + (b"" if fault == "drip headers" else b"Content-Length: 99999\r\n\r\n")
            self.wfile.write(begin)
            for _ in range(1000):
                self.wfile.write(b"x: y\r\n" if fault == "drip headers" else b" ")
                time.sleep(0.02)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return Handler

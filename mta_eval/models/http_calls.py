"""Calls to an HTTP server that may be busy, slow or broken: several at once, tried again, answers in their order.

Knows nothing of language models. The key comes from the environment, goes into one header, and nowhere else.
"""

from __future__ import annotations

import ipaddress
import json
import os
import threading
import time
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from mta_eval.core import Json, generator
from mta_eval.errors import ModelError

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
R = TypeVar("R")
Response = tuple[Json, dict[str, str]]  # the body and the headers
KEYS = ("MTA_EVAL_API_KEY", "OPENAI_API_KEY")
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between tries; each wait is twice the one before
CONNECT = 10.0  # seconds to reach a server
AHEAD = 4  # finished calls that may wait for a slow one before them
MAX_MESSAGE = 300  # characters of a server's message that are shown


class ServerError(Exception):
    """A call that failed for good. No MtaEvalError: the runner keeps it as the error of one sample, and goes on."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class BusyError(ServerError):
    """A failure that may pass; `wait` is how many seconds the server asked for, if it did."""

    wait: float | None = None


class UnreachableError(BusyError):
    """There was no connection at all: refused, no such host, no route."""


class Calls:
    """JSON over HTTP to one server: at most `concurrency` calls at a time, each tried `retries` times more.

    Tried again: 408, 425, 429, 5xx but 501, timeouts (`timeout` seconds without a byte), dropped connections, answers
    that are no whole JSON. Redirects are errors. Proxies of the environment are used, but not for loopback.
    """

    def __init__(self, url: str, concurrency: int = 8, retries: int = 5, timeout: float = 600.0) -> None:
        self._concurrency, self._retries, self._timeout = concurrency, retries, timeout
        self._slots = threading.BoundedSemaphore(concurrency)
        self._left: list[tuple[object, Future[Any]]] = []  # of whatever `in_order` was called with
        self._client = _client(url, concurrency, timeout)
        weakref.finalize(self, self._client.close)

    def get(self, url: str) -> Response:
        """The JSON at `url` and the headers it came with. Raises ServerError; UnreachableError at the first refusal."""
        return self._try("GET", url, None, min(self._retries, 2), patient=False)

    def post(self, url: str, body: dict[str, Json]) -> Json:
        """The JSON that answers `body`. Raises ServerError."""
        return self._try("POST", url, json.dumps(body).encode(), self._retries, patient=True)[0]

    def in_order(self, items: Iterable[T], work: Callable[[T], R]) -> Iterator[R]:
        """`work` of every item, in order, on threads; at most `concurrency` + 4 items are taken ahead.

        If one raises ServerError and the caller goes on with the items after it, their calls go on too and are not
        repeated.
        """
        left, self._left = self._left, []
        waiting: deque[tuple[T, Future[R]]] = deque()
        feed = iter(items)
        try:
            while True:
                for item in islice(feed, self._concurrency + AHEAD - len(waiting)):
                    started = next((future for known, future in left if known is item), None)
                    waiting.append((item, started or self._start(item, work)))
                if not waiting:
                    return
                yield waiting.popleft()[1].result()
        except ServerError:
            self._left = list(waiting)
            raise
        except BaseException:
            for _, future in waiting:
                future.cancel()
            raise

    def _start(self, item: T, work: Callable[[T], R]) -> Future[R]:
        future: Future[R] = Future()

        def run() -> None:
            with self._slots:
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(work(item))
                    except BaseException as error:  # it is raised where the result is wanted
                        future.set_exception(error)

        # a pool's threads would hold up Ctrl-C until the last answer is there
        threading.Thread(target=run, daemon=True).start()
        return future

    def _try(self, method: str, url: str, body: bytes | None, retries: int, patient: bool) -> Response:
        chance = generator(0, url, zlib.crc32(body or b""))
        for attempt in range(retries + 1):
            try:
                return self._once(method, url, body)
            except BusyError as error:
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * (0.5 + chance.random())
                if error.wait is not None:
                    wait = error.wait + FIRST_WAIT * chance.random()
                hopeless = wait > self._timeout or (isinstance(error, UnreachableError) and not patient)
                if attempt == retries or hopeless:
                    tries = f" ({attempt + 1} tries)" if attempt else ""
                    kind = UnreachableError if isinstance(error, UnreachableError) else ServerError
                    raise kind(f"{error}{tries}", error.status) from error
                time.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    def _once(self, method: str, url: str, body: bytes | None) -> Response:
        import httpx2

        headers = {"Content-Type": "application/json"} if body else {}
        try:
            response = self._client.request(method, url, content=body, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise UnreachableError(f"no connection to {url}: {_line(error)}") from error
        except httpx2.TimeoutException as error:
            raise BusyError(f"no answer from {url} within {self._timeout:g} s; timeout=SECONDS waits longer") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise BusyError(f"the connection to {url} broke: {_line(error)}") from error
        if response.status_code >= 300:
            raise _failure(response)
        try:
            return response.json(), dict(response.headers)
        except ValueError as error:
            raise BusyError(f"{url} answered no whole JSON: {_short(response.text)!r}", response.status_code) from error


def is_loopback(url: str) -> bool:
    """Whether `url` names this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _client(url: str, concurrency: int, timeout: float) -> httpx2.Client:
    import httpx2

    key = _key()

    def sign(request: httpx2.Request) -> httpx2.Request:
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        return request

    return httpx2.Client(
        auth=sign,
        timeout=httpx2.Timeout(timeout, connect=min(CONNECT, timeout), pool=None),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=concurrency),
        follow_redirects=False,
        trust_env=not is_loopback(url),
    )


def _key() -> str:
    """The key in the environment, or "". Raises ModelError if it cannot be one, without saying what it is."""
    for name in KEYS:
        if key := os.environ.get(name, "").strip():
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ModelError(f"the key in the environment variable {name} holds characters that no key has")
            return key
    return ""


def _failure(response: httpx2.Response) -> ServerError:
    status, url = response.status_code, str(response.request.url)
    if status < 400:
        target = urlsplit(response.headers.get("location", ""))
        where = f"{target.scheme}://{target.hostname}{target.path}" if target.hostname else target.path
        return ServerError(f"{url} redirects to {where}, which is not followed; name that URL", status)
    message = f"{url} answered {status}: {_message(response)}"
    if status in (408, 425, 429) or (status >= 500 and status != 501):
        busy = BusyError(message, status)
        busy.wait = _seconds(response.headers.get("retry-after", ""))
        return busy
    return ServerError(message, status)


def _message(response: httpx2.Response) -> str:
    """The server's message about a failure, in one line, from whichever of the usual fields has it."""
    try:
        message = response.json()
    except ValueError:
        message = response.text
    for field in ("error", "message", "detail"):
        if isinstance(message, dict) and message.get(field):
            message = message[field]
    return _short(str(message)) or response.reason_phrase


def _seconds(retry_after: str) -> float | None:
    """A Retry-After header, seconds or a date (RFC 9110, 10.2.3), as seconds from now."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _line(error: Exception) -> str:
    return _short(str(error)) or type(error).__name__


def _short(text: str) -> str:
    """`text` in one line of at most 300 characters, without the key, should a server repeat it."""
    key = _key()
    text = " ".join(text.split())
    text = text.replace(key, "***") if key else text
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"

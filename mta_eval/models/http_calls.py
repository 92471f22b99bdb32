"""Calls to an HTTP server that may be busy, slow or broken: several at once, tried again, answers in their order.

Knows nothing of language models. The key goes into one header, and nowhere else.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from mta_eval.core import Json, generator
from mta_eval.models.http_bodies import TooLongError, parsed, unpacked
from mta_eval.models.http_failures import (
    BusyError,
    ServerError,
    UnreachableError,
    exception_line,
    failure,
    short,
)
from mta_eval.models.http_keys import is_loopback, key_for

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
R = TypeVar("R")
Response = tuple[Json, dict[str, str]]  # the body and the headers
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between tries; each wait is twice the one before
CONNECT = 10.0  # seconds to reach a server
AHEAD = 4  # finished calls that may wait for a slow one before them
MAX_BODY = 16 << 20  # bytes of an answer, unpacked


class Calls:
    """JSON over HTTP to one server: at most `concurrency` calls at a time, each tried `retries` times more.

    Tried again: 408, 425, 429, 5xx but 501, dropped connections, answers that are no whole JSON. `timeout` is the time
    in seconds that a call may take in all, its tries and the waits between them together. Redirects are errors. Proxies
    of the environment are used, but not for loopback. `key_over_http` allows the key to go over plain http to another
    machine.
    """

    def __init__(
        self, url: str, concurrency: int = 8, retries: int = 5, timeout: float = 600.0, key_over_http: bool = False
    ) -> None:
        self._concurrency, self._retries, self._timeout = concurrency, retries, timeout
        self._slots = threading.BoundedSemaphore(concurrency)
        self._left: list[tuple[object, Future[Any]]] = []  # of whatever `in_order` was called with
        self._client = _client(url, concurrency, key_for(url, key_over_http))
        weakref.finalize(self, self._client.close)

    def get(self, url: str) -> Response:
        """The JSON at `url` and the headers it came with. Raises ServerError; UnreachableError at the first refusal."""
        return self._try("GET", url, None, MAX_BODY, patient=False)

    def post(self, url: str, body: Mapping[str, Json], more: int = 0) -> Json:
        """The JSON that answers `body`, of at most 16 MiB and `more` bytes. Raises ServerError."""
        return self._try("POST", url, json.dumps(body).encode(), MAX_BODY + more, patient=True)[0]

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
        def run() -> R:
            return work(item)

        return _on_a_thread(run, self._slots)

    def _try(self, method: str, url: str, body: bytes | None, limit: int, patient: bool) -> Response:
        chance = generator(0, url, zlib.crc32(body or b""))
        end = time.monotonic() + self._timeout
        retries = self._retries if patient else min(self._retries, 2)
        for attempt in range(retries + 1):
            try:
                return self._within(end, method, url, body, limit)
            except BusyError as error:
                pause = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * (0.5 + chance.random())
                if error.wait is not None:
                    pause = error.wait + FIRST_WAIT * chance.random()
                hopeless = time.monotonic() + pause > end or (isinstance(error, UnreachableError) and not patient)
                if attempt == retries or hopeless:
                    tries = f" ({attempt + 1} tries)" if attempt else ""
                    kind = UnreachableError if isinstance(error, UnreachableError) else ServerError
                    raise kind(f"{error}{tries}", error.status) from error
                time.sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def _within(self, end: float, method: str, url: str, body: bytes | None, limit: int) -> Response:
        """One try. It runs on a thread of its own, for no timeout of a client bounds a server that drips headers."""
        tried = _on_a_thread(lambda: self._once(end, method, url, body, limit))
        if not wait([tried], max(0.0, end - time.monotonic())).done:
            raise self._too_slow(url)
        return tried.result()

    def _once(self, end: float, method: str, url: str, body: bytes | None, limit: int) -> Response:
        import httpx2

        headers = {"Accept-Encoding": "identity"} | ({"Content-Type": "application/json"} if body else {})
        left = max(0.001, end - time.monotonic())
        timeout = httpx2.Timeout(left, connect=min(CONNECT, left), pool=None)
        try:
            with self._client.stream(method, url, content=body, headers=headers, timeout=timeout) as response:
                chunks = self._until(end, response)
                content = unpacked(chunks, response.headers.get("content-encoding", ""), limit)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise UnreachableError(f"no connection to {url}: {exception_line(error)}") from error
        except httpx2.TimeoutException as error:
            raise self._too_slow(url) from error
        except (httpx2.RequestError, httpx2.InvalidURL, ValueError) as error:
            raise BusyError(f"the connection to {url} broke: {exception_line(error)}") from error
        except TooLongError as error:
            raise ServerError(f"{url} answered more than {limit >> 20} MiB, which is no answer to this") from error
        if response.status_code >= 300:
            raise failure(
                str(response.request.url), response.status_code, response.reason_phrase, response.headers, content
            )
        try:
            return parsed(content), dict(response.headers)
        except ValueError as error:
            text = short(content[:10_000].decode(errors="replace"))
            raise BusyError(f"{url} answered no whole JSON: {text!r}", response.status_code) from error

    def _until(self, end: float, response: httpx2.Response) -> Iterator[bytes]:
        """The packets of a body, up to a moment: one that is waited for in vain does not hold its thread for ever."""
        for chunk in response.iter_raw():
            if time.monotonic() > end:
                raise self._too_slow(str(response.request.url))
            yield chunk

    def _too_slow(self, url: str) -> BusyError:
        return BusyError(f"no answer from {url} within {self._timeout:g} s; timeout=SECONDS waits longer")


def _on_a_thread(work: Callable[[], R], slots: AbstractContextManager[object] | None = None) -> Future[R]:
    """`work`, begun on a thread when there is a slot; a pool's threads would hold up Ctrl-C until the last is done."""
    future: Future[R] = Future()

    def run() -> None:
        with slots or nullcontext():
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # it is raised where the result is wanted
                    future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _client(url: str, concurrency: int, key: str) -> httpx2.Client:
    import httpx2

    def sign(request: httpx2.Request) -> httpx2.Request:
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        return request

    return httpx2.Client(
        auth=sign,
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=concurrency),
        follow_redirects=False,
        trust_env=not is_loopback(url),
    )

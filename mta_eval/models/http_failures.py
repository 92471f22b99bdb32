"""How calls to an HTTP server fail: which failures may pass, and what of a server's message is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mta_eval.core import Json
from mta_eval.models.http_bodies import parsed
from mta_eval.models.http_keys import masked
from mta_eval.printable import one_line

MAX_MESSAGE, MAX_READ = 300, 10_000  # characters of a server's message that are shown, and that are looked at


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


def failure(url: str, status: int, reason: str, headers: Mapping[str, str], body: bytes) -> ServerError:
    """What to raise for an answer of a status from 300 on; `reason` is the phrase that came with it."""
    if status < 400:
        where = short(_without_query(headers.get("location", "")))
        return ServerError(f"{url} redirects to {where}, which is not followed; name that URL", status)
    message = f"{url} answered {status}: {_message(body) or short(reason)}"
    if status in (408, 425, 429) or (status >= 500 and status != 501):
        busy = BusyError(message, status)
        busy.wait = _seconds(headers.get("retry-after", ""), headers.get("date", ""))
        return busy
    return ServerError(message, status)


def _without_query(url: str) -> str:
    """A URL as far as it may be shown: a query may hold a key."""
    try:
        target = urlsplit(url)
        return f"{target.scheme}://{target.hostname}{target.path}" if target.hostname else target.path
    except ValueError:
        return "what is no URL"


def _message(body: bytes) -> str:
    """The server's message about a failure, in one line, from whichever of the usual fields has it."""
    message: Json
    try:
        message = parsed(body)
    except ValueError:
        message = body.decode(errors="replace")
    for field in ("error", "message", "detail"):
        if isinstance(message, Mapping) and message.get(field):
            message = message[field]
    return short(str(message))


def _seconds(retry_after: str, date: str) -> float | None:
    """A Retry-After header, seconds or a date (RFC 9110, 10.2.3), as seconds from the answer's own Date.

    Neither the clock here nor a difference between it and the server's matters where the server says what time it is.
    """
    if retry_after.strip().isdecimal():
        return float(retry_after)
    until = _moment(retry_after)
    if until is None:
        return None
    return max(0.0, (until - (_moment(date) or datetime.now(UTC))).total_seconds())


def _moment(date: str) -> datetime | None:
    """A date of HTTP, which is UTC; None if it is none."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def exception_line(error: Exception) -> str:
    """An exception's message in one line; its class name if it has none."""
    return short(str(error)) or type(error).__name__


def short(text: str) -> str:
    """What a server said, in one line of at most 300 characters, without control characters and keys."""
    text = masked(one_line(text[:MAX_READ]))
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"

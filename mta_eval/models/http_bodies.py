"""What an HTTP server sends as the body of an answer, within a bound, and the JSON in it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from mta_eval.core import Json
from mta_eval.outside import read_json

SURROGATES = re.compile("[\ud800-\udfff]")
ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
ANY_HEADER = 32 + zlib.MAX_WBITS  # zlib's word for: gzip or zlib, whichever it is


class TooLongError(Exception):
    """A body of more bytes than it may have."""


def unpacked(chunks: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """A body out of its `chunks`, which are in a content encoding: "" and identity, gzip, deflate (RFC 9110, 8.4.1).

    Raises TooLongError as soon as it has more than `limit` bytes, packed or not, and ValueError where it cannot be
    unpacked.
    """
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if names and names not in (["gzip"], ["x-gzip"], ["deflate"]):
        raise ValueError(f"it is in the content encoding {encoding}, which was not asked for")
    unpacker = zlib.decompressobj(ANY_HEADER) if names else None
    whole = bytearray()
    for chunk in chunks:
        try:
            # never more than shows that it is too long: a small packet may hold gigabytes
            whole += unpacker.decompress(chunk, limit + 1 - len(whole)) if unpacker else chunk
        except zlib.error as error:
            raise ValueError(f"it cannot be unpacked: {error}") from error
        if len(whole) > limit:
            raise TooLongError
    return bytes(whole)


def parsed(body: bytes) -> Json:
    """The JSON in a body. Bytes that are no UTF-8 and surrogates without a partner, which no file can hold, are U+FFFD.

    Raises ValueError if it is no whole JSON.
    """
    text = body.decode("utf-8-sig", "replace")
    value = read_json(text)
    return _without_surrogates(value) if ESCAPED_SURROGATE.search(text) else value


def _without_surrogates(value: Json) -> Json:
    if isinstance(value, str):
        return SURROGATES.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {SURROGATES.sub("\N{REPLACEMENT CHARACTER}", key): _without_surrogates(it) for key, it in value.items()}
    return value

"""The keys of HTTP servers: which of the environment's is sent where, and that none is ever shown."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from mta_eval.errors import ModelError

OURS, OPENAIS = "MTA_EVAL_API_KEY", "OPENAI_API_KEY"
KEYS = (OURS, OPENAIS)
OPENAI_HOST = "api.openai.com"


def key_for(url: str, over_http: bool = False) -> str:
    """The key that the server at `url` gets; "" for none.

    MTA_EVAL_API_KEY is for the server that was named, whichever it is; OPENAI_API_KEY is for OpenAI's hosts alone.
    Raises ModelError, without saying what the key is, for one that cannot be a key, and for one that would go over
    plain http to another machine unless `over_http` allows it.
    """
    name = next((name for name in (KEYS if is_openai(url) else KEYS[:1]) if _value(name)), "")
    if not name:
        return ""
    key = _value(name)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelError(f"the key in the environment variable {name} holds characters that no key has")
    if urlsplit(url).scheme == "http" and not (over_http or is_loopback(url)):
        raise ModelError(
            f"the key in {name} is not sent over plain http to {urlsplit(url).hostname}, where others may read it; use "
            f"https, unset {name}, or allow it with key_over_http=true"
        )
    return key


def masked(text: str) -> str:
    """`text` with "***" for every key of the environment, should a server repeat it."""
    for name in KEYS:
        if key := _value(name):
            text = text.replace(key, "***")
    return text


def is_openai(url: str) -> bool:
    """Whether `url` is OpenAI's own API, or that of one of its regions."""
    host = urlsplit(url).hostname or ""
    return host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")


def is_loopback(url: str) -> bool:
    """Whether `url` names this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()

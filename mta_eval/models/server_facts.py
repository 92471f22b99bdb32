"""What an OpenAI-compatible server says about itself: where its API begins, its models, its window."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mta_eval.core import Json
from mta_eval.errors import ModelError
from mta_eval.models.http_calls import Calls
from mta_eval.models.http_failures import ServerError, UnreachableError
from mta_eval.outside import LARGEST
from mta_eval.printable import one_line
from mta_eval.registry import did_you_mean

Entry = Mapping[str, Json]  # of the list of models, or another object that describes a server
START = "start one (vllm serve MODEL, llama-server -m FILE.gguf, ollama serve, …), or name another URL"
# what the list of models calls the served window; llama.cpp's n_ctx_train is the trained one, which may be more
WINDOWS = ("max_model_len", "context_length", "context_window")
# of the entry of a model: what changes while the model stays the same
VOLATILE = ("created", "created_at", "modified_at", "permission", "status", "state", "pricing")


@dataclass(frozen=True)
class ServerFacts:
    """`base`: URL of the API with its /v1; `kind`: the software that runs it, as it calls itself (vllm, llamacpp, …).

    `max_length` is 0 where the server does not name its window. `entry` is what its list says of the model, without
    what changes from one start of the server to the next.
    """

    base: str
    model: str
    max_length: int = 0
    kind: str = ""
    software: str = ""
    entry: Entry = field(default_factory=dict)


def discover(calls: Calls, url: str, model: str, need_window: bool) -> ServerFacts:
    """Find the API, the model and the window of the server at `url`, which may leave out its /v1.

    Raises ModelError if nothing answers, or the key is refused, or there is no such model or more than one.
    """
    whole = url.rstrip("/")
    for base in [whole] if re.search(r"/v\d+$", whole) else [whole + "/v1", whole]:
        listed, headers = _list(calls, base)
        if listed is not None:
            break
    else:
        if not model or need_window:
            raise ModelError(f"{whole} lists no models; is it an OpenAI-compatible API? {_by_hand(model)}")
        return ServerFacts(whole, model)
    entry = _choose(listed, model, base)
    kind = one_line(str(entry.get("owned_by") or ""))
    window = next((size for key in WINDOWS if (size := _count(entry.get(key)))), 0)
    version, served = _version_and_window(calls, re.sub(r"/v\d+$", "", base), kind, need_window and not window)
    software = one_line(" ".join(filter(None, (kind, version, headers.get("server", "")))))
    lasting = {key: value for key, value in entry.items() if key not in VOLATILE}
    return ServerFacts(base, model or str(entry["id"]), window or served, kind, software, lasting)


def _list(calls: Calls, base: str) -> tuple[list[Entry] | None, dict[str, str]]:
    """The models listed below `base`, None if there is no such list."""
    try:
        answer, headers = calls.get(f"{base}/models")
    except UnreachableError as error:
        raise ModelError(f"{error}; {START}") from error
    except ServerError as error:
        if error.status in (401, 403):
            raise ModelError(f"{error}; put the key into the environment variable MTA_EVAL_API_KEY") from error
        if error.status in (200, 404, 405, 501):
            return None, {}
        raise ModelError(str(error)) from error
    listed = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(listed, list):
        return None, {}
    return [entry for entry in listed if isinstance(entry, Mapping) and entry.get("id")], headers


def _choose(listed: list[Entry], model: str, base: str) -> Entry:
    entries = {str(entry["id"]): entry for entry in listed}
    if not model and len(entries) != 1:
        some = one_line(", ".join(list(entries)[:10]))
        raise ModelError(
            f"{base} lists {len(entries)} models ({some}); add model=NAME" if some else f"{base} lists none"
        )
    if not model:
        return next(iter(entries.values()))
    entry = entries.get(model) or entries.get(f"{model}:latest")  # Ollama's full names
    if entries and entry is None:
        raise ModelError(f"{base} has no model {model!r}{one_line(did_you_mean(model, entries))}")
    return entry or {"id": model}


def _version_and_window(calls: Calls, root: str, kind: str, need_window: bool) -> tuple[str, int]:
    """What the servers' own paths say: vLLM's /version, llama.cpp's /props, TGI's /info; ("", 0) if nothing."""
    if kind == "vllm":
        return str(_optional(calls, f"{root}/version").get("version", "")), 0
    if kind == "llamacpp" or need_window:
        props = _optional(calls, f"{root}/props")
        settings = props.get("default_generation_settings")
        if isinstance(settings, Mapping):
            return str(props.get("build_info", "")), _count(settings.get("n_ctx"))
    if need_window:
        info = _optional(calls, f"{root}/info")
        return str(info.get("version", "")), _count(info.get("max_total_tokens"))
    return "", 0


def _optional(calls: Calls, url: str) -> Entry:
    try:
        answer, _ = calls.get(url)
    except ServerError:
        return {}
    return answer if isinstance(answer, Mapping) else {}


def _count(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST else 0


def _by_hand(model: str) -> str:
    missing = "max_length_override=TOKENS" if model else "model=NAME,max_length_override=TOKENS"
    return f"If it is, add {missing}"

"""The parameters that an OpenAI-compatible server does not take, learned from its refusals.

OpenAI's reasoning models want `max_completion_tokens` for `max_tokens` and take no `temperature`, `seed` or `stop`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from mta_eval import printable
from mta_eval.core import Json
from mta_eval.models.http_failures import ServerError

# what may be left out or called otherwise; without anything else the answer would be another one
RENAMED: Mapping[str, str | None] = {
    "max_tokens": "max_completion_tokens",
    "temperature": None,
    "seed": None,
    "stop": None,  # answers are cut at stop strings here in any case
}
QUOTE = r"['\"`]?"
REFUSALS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"unsupported (?:parameter|value)s?:? {QUOTE}(\w+)",
        rf"unrecognized request arguments? supplied: {QUOTE}(\w+)",
        rf"(\w+){QUOTE} (?:is|are) (?:not supported|unsupported)",
    )
)


class Dialect:
    """What is sent to one server in place of the usual parameters. Its calls share it, on several threads."""

    def __init__(self) -> None:
        self._refused: frozenset[str] = frozenset()
        self._said: set[str] = set()
        self._lock = threading.Lock()

    @property
    def dropped(self) -> str:
        """The parameters that were left out or renamed, for people; "" if none was."""
        names = (name for name in RENAMED if name in self._refused)
        return ", ".join(f"{name} (sent as {other})" if (other := RENAMED[name]) else name for name in names)

    def spoken(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """A request without the parameters that the server refused before."""
        refused = self._refused
        kept = {key: value for key, value in body.items() if key not in refused}
        return kept | {other: body[name] for name in refused & body.keys() if (other := RENAMED[name])}

    def learn(self, error: ServerError, sent: Mapping[str, Json], server: str) -> bool:
        """Whether `error` refuses a parameter of the request that was `sent`, which can do without it.

        What is learned is said on stderr.
        """
        if error.status not in (400, 422):
            return False
        found = {match[1].lower() for pattern in REFUSALS if (match := pattern.search(str(error)))}
        names = found & RENAMED.keys() & sent.keys()
        for name in sorted(names):
            instead = f"{RENAMED[name]} is sent for it" if RENAMED[name] else "it is left out"
            greedy = "; answers may not be greedy" if name == "temperature" else ""
            self.say(f"{server} takes no {name}: {instead}{greedy}")
        with self._lock:
            self._refused |= names
        return bool(names)

    def say(self, line: str) -> None:
        """A line on stderr, the first time."""
        with self._lock:
            if line in self._said:
                return
            self._said.add(line)
        printable.say(line)

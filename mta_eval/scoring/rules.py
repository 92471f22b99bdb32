"""The registry of scoring rules: what a rule is, what it looks at, and how it is found by name.

    @rule("ruler_all", source="RULER, …", accepts=has_targets)
    def ruler_all(scored: ScoredOutput) -> float: ...

Other packages add rules by entry points of the group `mta_eval.rules`, "package.module:function".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import NamedTuple

from mta_eval.core import Record, Sample, number_of
from mta_eval.errors import SpecError, did_you_mean
from mta_eval.scoring import matching


class ScoredOutput(NamedTuple):
    """What a rule looks at: an output, the targets it should give, and the question where it is known.

    `qa` is BABILong's task number, None for anything else; `task` is the task's spec; `choices` are all classes or
    answers that were to choose from, where there were any.
    """

    output: str
    targets: tuple[str, ...]
    question: str = ""
    qa: int | None = None
    task: str = ""
    choices: tuple[str, ...] = ()

    @classmethod
    def of(cls, asked: Sample | Record, output: str) -> ScoredOutput:
        """An output to a sample, or to the sample of a record."""
        is_babilong = asked.task.partition(":")[0] == "babilong"
        return cls(
            output=output,
            targets=tuple(asked.targets),
            question=str(asked.axes.get("question", "")),
            qa=int(number_of(asked.axes, "qa")) if is_babilong and "qa" in asked.axes else None,
            task=asked.task,
            choices=tuple(asked.choices),
        )


ScoreFunction = Callable[[ScoredOutput], float]
Refusal = Callable[[ScoredOutput], str]


@dataclass(frozen=True)
class Rule:
    """A published rule. Called with a `ScoredOutput` it gives a score from 0 to 1; its docstring is its card.

    `refuse` says in a few words why it cannot score an output, or "" if it can. `source` is where it was published.
    """

    name: str
    source: str
    function: ScoreFunction
    refuse: Refusal

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def __call__(self, scored: ScoredOutput) -> float:
        return self.function(scored)

    @property
    def summary(self) -> str:
        """The first line of its card."""
        return next(iter((self.__doc__ or "").strip().splitlines()), "")

    @property
    def description(self) -> str:
        """Its card's first line and its source, for a page."""
        return f"{self.summary} ({self.source})" if self.source else self.summary

    def check(self, asked: Sample) -> None:
        """Raises SpecError if the rule cannot score outputs to this sample."""
        if reason := self.refuse(ScoredOutput.of(asked, "")):
            raise SpecError(f"the rule {self.name} cannot score {asked.task}: {reason}")

    def score(self, asked: Sample, output: str) -> float:
        """The score, from 0 to 1, of an output to a sample."""
        return self.function(ScoredOutput.of(asked, output))


_RULES: dict[str, Rule] = {}
_ALIASES = {"first_integer": "infinitebench_passkey", "one_label_only": "babilong_one_label"}
_GROUP = "mta_eval.rules"
_KEYWORD = "keyword:WORD,WORD"


def accept_all(_: ScoredOutput) -> str:
    """Refuses nothing."""
    return ""


def needs_targets(scored: ScoredOutput) -> str:
    """Refuses outputs without a target."""
    return "" if scored.targets else "it needs a target"


def rule(name: str, *, source: str, accepts: Refusal = needs_targets) -> Callable[[ScoreFunction], Rule]:
    """Makes a function the rule `name`, and registers it. `accepts` says why an output cannot be scored, or "".

    Raises SpecError if another rule has that name.
    """

    def register(function: ScoreFunction) -> Rule:
        made = Rule(name, source, function, accepts)
        if name in _RULES and _RULES[name].function.__module__ != function.__module__:
            raise SpecError(f"there are two scoring rules called {name!r}")
        return _RULES.setdefault(name, made)

    return register


def names() -> tuple[str, ...]:
    """The names of all rules, ours first; `keyword:WORD,WORD` and old names are not among them."""
    return tuple(dict.fromkeys([*_RULES, *(entry.name for entry in entry_points(group=_GROUP))]))


def find(name: str) -> Rule:
    """The rule called `name`, also by an old name; `keyword:WORD,WORD` makes one. Raises SpecError."""
    kind, _, words = name.partition(":")
    if kind == "keyword":
        return _keyword(words)
    name = _ALIASES.get(name, name)
    if name in _RULES:
        return _RULES[name]
    for entry in entry_points(group=_GROUP):
        if entry.name == name:
            loaded = entry.load()
            if not isinstance(loaded, Rule):
                raise SpecError(f"the entry point {name!r} of {_GROUP} is no rule: {entry.value} lacks @rule")
            return loaded
    near = did_you_mean(name, [*names(), _KEYWORD]) or "; mta-eval list rules shows all"
    raise SpecError(f"there is no rule {name!r}{near}")


def _keyword(words: str) -> Rule:
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    if not wanted:
        raise SpecError("the rule keyword needs the words to look for: keyword:sandwich,Dolores Park")

    def keyword(scored: ScoredOutput) -> float:
        """Every given word occurs in the output, in any case."""
        return matching.all_contained(scored.output, wanted)

    return Rule(f"keyword:{','.join(wanted)}", "", keyword, accept_all)

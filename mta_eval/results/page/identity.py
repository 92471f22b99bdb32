"""What was run, for whoever is sent the result: title, days, command lines, hardware, versions, fingerprints, cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mta_eval.core import Json, Record, Run, RunPart
from mta_eval.results.grid import axis_values
from mta_eval.results.page.names import shown
from mta_eval.results.table import GAP, axis_text, length_text

Facts = Sequence[tuple[str, list[tuple[str, str]]]]
COST_HEAD = ("model", "samples", "prompt tokens", "tokens made", "time", "peak memory")
NAMED = 3  # tasks or models in a title


class AnswerCost(NamedTuple):
    """What the answers of a model took; tokens that it made are None where its backend does not say."""

    model: str
    samples: int
    prompt_tokens: int
    output_tokens: int | None
    seconds: float
    memory: int | None


def answer_costs(records: Sequence[Record]) -> list[AnswerCost]:
    """One for each model, and one for all where there are several."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.model, []).append(record)
    found = [_cost(shown(model), group) for model, group in groups.items()]
    return [*found, _cost("all", records)] if len(found) > 1 else found


def cost_rows(found: Sequence[AnswerCost]) -> list[list[str]]:
    """Costs as texts under COST_HEAD."""
    return [
        [
            one.model,
            f"{one.samples:,}",
            f"{one.prompt_tokens:,}",
            GAP if one.output_tokens is None else f"{one.output_tokens:,}",
            _time_text(one.seconds),
            GAP if one.memory is None else f"{one.memory / 1024**3:.2f} GiB",
        ]
        for one in found
    ]


def page_title(records: Sequence[Record]) -> str:
    """A title made of the tasks and the models: "niah, passkey: smollm2 and 2 more"."""
    tasks, models = ([str(value) for value in axis_values(records, name)] for name in ("task", "model"))
    return f"{few_of(tasks)}: {few_of([shown(model) for model in models])}"


def days_of(runs: Sequence[tuple[str, Run]]) -> str:
    """The first and the last day on which runs were asked something; "" where none says so."""
    days = sorted(day for _, run in runs for day in _texts(run.environment.get("dates")))
    return days[0] if len(set(days)) == 1 else f"{days[0]} to {days[-1]}" if days else ""


def facts_of(records: Sequence[Record], runs: Sequence[tuple[str, Run]]) -> Facts:
    """What was run: (heading, [(what, value), …]) for each run, or one made from the records alone."""
    if runs:
        return [(name, _run_facts(run)) for name, run in runs]
    axes = [name for name in ("length", "depth") if any(name in record.axes for record in records)]
    swept = [(f"{name}s", _list(axis_text(name, value) for value in axis_values(records, name))) for name in axes]
    return [
        (
            "Records",
            [
                ("tasks", _list(str(task) for task in axis_values(records, "task"))),
                ("models", _list(str(model) for model in axis_values(records, "model"))),
                *swept,
            ],
        )
    ]


def _run_facts(run: Run) -> list[tuple[str, str]]:
    facts = [
        ("tasks", _list(run.tasks)),
        ("models", _list(run.models)),
        ("lengths", _list(length_text(length) for length in run.sweep.lengths)),
        ("depths", _list(axis_text("depth", depth) for depth in run.sweep.depths)),
        ("repeats", str(run.sweep.repeats)),
        ("seeds" if len(run.seeds) > 1 else "seed", _list(map(str, run.seeds))),
        *(_part_facts(number, part) for number, part in enumerate(run.parts, 1) if len(run.parts) > 1),
        ("answer mode", run.answer),
        ("prompts over the window", run.over_length),
        ("mta-eval", run.version),
        *((f"tokenizer of {model}", fingerprint) for model, fingerprint in run.tokenizers.items()),
        *((f"fingerprint of {model}", identity.fingerprint) for model, identity in run.identities.items()),
        *((name, _value_text(value)) for name, value in run.environment.items()),
    ]
    return [(name, value) for name, value in facts if value]


def _part_facts(number: int, part: RunPart) -> tuple[str, str]:
    """One of the parts of a run that was not asked all of everything."""
    sweep = part.sweep
    lengths, depths = map(length_text, sweep.lengths), (axis_text("depth", depth) for depth in sweep.depths)
    counts = f"repeats {sweep.repeats}, seed {sweep.seed}"
    return f"part {number}", _list(
        [*part.tasks, *part.models, f"lengths {', '.join(lengths)}", f"depths {', '.join(depths)}", counts]
    )


def _value_text(value: Json) -> str:
    if isinstance(value, Mapping):
        return _list(f"{name} {_value_text(part)}" for name, part in value.items())
    return _list(map(_value_text, value)) if isinstance(value, list | tuple) else str(value)


def _list(texts: Iterable[str]) -> str:
    # A spec holds commas itself ("niah:needles=4,text=essays"), so a dot stands between.
    return " · ".join(texts)


def _time_text(seconds: float) -> str:
    """Hours, minutes and seconds, the two largest that there are."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.3g} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def few_of(names: Sequence[str], most: int = NAMED) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _texts(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _cost(name: str, records: Sequence[Record]) -> AnswerCost:
    made = [record.output_tokens for record in records if record.output_tokens is not None]
    memory = [record.peak_memory for record in records if record.peak_memory is not None]
    tokens = sum(record.prompt_tokens for record in records)
    seconds = sum(record.seconds for record in records if record.seconds == record.seconds)  # NaN: not known
    return AnswerCost(name, len(records), tokens, sum(made) if made else None, seconds, max(memory, default=None))

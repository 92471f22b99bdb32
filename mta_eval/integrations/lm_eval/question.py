"""What `--metadata` and `--model_args` say -> the samples of one task, the very ones that `mta-eval run` asks."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mta_eval import registry, runner
from mta_eval.arguments import parse_depths, parse_lengths
from mta_eval.core import Needle, Plan, Sample, Sweep, Task, Tokenizer
from mta_eval.errors import LengthError, SpecError
from mta_eval.models.harness import tokenizer_in_lm_eval, window_in_lm_eval
from mta_eval.results.run_json import as_settings

Doc = dict[str, Any]  # a sample as JSON: its fields are those of `Sample`, and what lm-eval adds
SWEEP = ("lengths", "depths", "repeats", "sample_seed")
ADAPTER = "mta_eval_model"  # metadata that `mta-eval lm-eval` adds: which of our models it is
NO_WINDOW = 1 << 62
TASKS = tuple(name for name in registry.BUILT_IN["tasks"] if name != "perplexity")  # which is read and not answered
NEAR = 0.8  # how like an option a key must be to be taken for a slip: models have arguments of their own
READER = "the model"


@dataclass(frozen=True)
class Reader:
    """What a task must know of the model that will read its prompts."""

    tokenizer: Tokenizer
    max_length: int


class TaskQuestion:
    """The tasks (one for each combination of listed options), the sweep and the model's reader, from the metadata.

    Raises SpecError for options that do not exist or fit, ModelError where no tokenizer is named, LengthError for
    lengths beyond the model's window.
    """

    def __init__(self, name: str, metadata: Mapping[str, object]) -> None:
        _check_keys(name, metadata)
        options = {field.name: field for field in dataclasses.fields(registry.find("tasks", name))}
        choices = {key: _as_list(metadata[key]) for key in options if key in metadata}
        combined = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
        tasks = [registry.build_task(_spec(name, choice)) for choice in combined]
        self.tasks: dict[str, Task] = {registry.spec_of(task): task for task in tasks}
        self.options = dict(zip(self.tasks, combined, strict=True))
        self.varied = [key for key, values in choices.items() if len(values) > 1]
        self.reader = reader_of(metadata)
        self.sweep = Sweep(
            parse_lengths(_joined(metadata.get("lengths", ""))),
            parse_depths(_joined(metadata.get("depths", "0,0.25,0.5,0.75,1"))),
            _whole_number(name, "repeats", metadata.get("repeats", 5)),
            _whole_number(name, "sample_seed", metadata.get("sample_seed", 0)),
        )
        self._plan = Plan(self.tasks, {READER: _as_model(self.reader)}, self.sweep)
        window = self.reader.max_length
        if beyond := [length for length in self.sweep.lengths if length > window]:
            raise LengthError(
                f"{name}: length {beyond[0]} is beyond the model's window of {window} tokens; drop it, or say which "
                "window the model takes with --model_args max_length=TOKENS"
            )
        runner.check(self._plan)

    def docs(self) -> list[Doc]:
        """Every sample as lm-eval's doc, in the order of `mta-eval run`, with `seed` and the varied `options`."""
        docs = []
        for spec, task in self.tasks.items():
            sweep = self._plan.sweep_of(spec, READER)
            fields = {"seed": sweep.seed, "options": {key: self.options[spec][key] for key in self.varied}}
            for cell in sweep.cells():
                sample = task.sample(cell, sweep.seed, self.reader.tokenizer)
                needles = [dataclasses.asdict(runner.quote(needle, sample.prompt)) for needle in sample.needles]
                docs.append(dataclasses.asdict(sample) | {"depth": cell.depth, "needles": needles} | fields)
        return docs

    def score(self, doc: Doc, output: str) -> float:
        """How right `output` is, by the task of the doc."""
        return self.tasks[doc["task"]].score(sample_of(doc), output)


def sample_of(doc: Doc) -> Sample:
    """The sample that a doc was made of, its lists as tuples again."""
    fields = {field.name: doc[field.name] for field in dataclasses.fields(Sample)}
    for key in ("targets", "choices", "stop"):
        fields[key] = tuple(fields[key])
    known = [field.name for field in dataclasses.fields(Needle)]
    fields["needles"] = tuple(Needle(**{key: needle[key] for key in known}) for needle in fields["needles"])
    fields["chat"] = None if fields["chat"] is None else tuple(fields["chat"])
    fields["settings"] = as_settings(fields["settings"])
    return Sample(**fields)


def reader_of(metadata: Mapping[str, object]) -> Reader:
    """Tokenizer and window of the model, as lm-eval will have them. Raises ModelError if no tokenizer is named."""
    if name := metadata.get(ADAPTER):
        model = adapter_of(str(name), metadata)
        return Reader(model.tokenizer, model.max_length)
    return Reader(tokenizer_in_lm_eval(metadata), window_in_lm_eval(metadata) or NO_WINDOW)


def adapter_of(name: str, arguments: Mapping[str, object]) -> Any:
    """One of our models from lm-eval's arguments: `pretrained` is its path, the rest are its options."""
    fields = [field.name for field in dataclasses.fields(registry.find("models", name))]
    options = {key: arguments[key] for key in fields[1:] if arguments.get(key) is not None}
    if arguments.get("max_length"):
        options["max_length_override"] = arguments["max_length"]
    if not arguments.get("pretrained"):
        raise SpecError(f"--model {name} needs --model_args pretrained=, a folder, hub id or spec such as smollm2")
    return registry.build_model(_spec(name, {fields[0]: arguments["pretrained"]} | options))


def _check_keys(name: str, metadata: Mapping[str, object]) -> None:
    """Raises SpecError for a key that is nearly an option: lm-eval would take it for the model's and say nothing."""
    known = [*SWEEP, *(field.name for task in TASKS for field in dataclasses.fields(registry.find("tasks", task)))]
    for key in metadata:
        if key not in known and (near := difflib.get_close_matches(key, known, 1, NEAR)):
            raise SpecError(f"{name}: metadata has {key!r}; did you mean {near[0]!r}?")


def _as_model(reader: Reader) -> Any:
    """For `Plan`, which asks a model for its window and tokenizer alone until it is run."""
    return reader


def _spec(name: str, options: Mapping[str, object]) -> str:
    texts = [f"{key}={registry.option_text(value)}" for key, value in options.items()]
    return f"{name}:{','.join(texts)}" if texts else name


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _joined(value: object) -> str:
    """[512, "1k"], "512,1k" and, as lm-eval leaves what it cannot read, "[512,1k]" -> "512,1k"."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    text = str(value).strip()
    return text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text


def _whole_number(name: str, key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or (key == "repeats" and value < 1):
        least = " of at least 1" if key == "repeats" else ""
        raise SpecError(f"{name}: {key} must be a whole number{least}, not {value!r}")
    return value

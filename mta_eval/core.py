"""The nouns of mta-eval, read first. Standard library only; every room imports this one and not its neighbours.
Over 250 lines, so that all nouns stand on one page.

    Sweep ── cells ──> Task ── sample(cell, tokenizer) ──> Sample ──> Model ──> Answer ──> Task.score ──> Record
    ReadingTask: cells of its own; Model.token_loglikelihoods instead of an answer; ReadingTask.read instead of score
    Plan = tasks x models x a Sweep, to be run;  Run = the question (run.json) + its Records (records.jsonl)
    A Run grows: its Parts are what it was asked so far; a SampleKey tells its records apart
    Grid = records averaged over two axes;  a draw = a set of random choices that several samples share

Words: `length` is the whole window in tokens (BOS, chat template, prompt and answer budget together);
`depth` is where in the context something stands, from 0 (its start) to 1 (its end).
"""

from __future__ import annotations

import datetime
import hashlib
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from mta_eval.errors import SpecError

Scalar: TypeAlias = int | float | str | bool | None
AxisValue: TypeAlias = Scalar
Axes: TypeAlias = Mapping[str, AxisValue]
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Message: TypeAlias = dict[str, str]
SampleKey: TypeAlias = tuple[str, int, str]  # model, seed, sample id: an id says nothing of its seed
AnswerMode = Literal["generate", "choose"]
OverLength = Literal["refuse", "mark"]
Finish = Literal["stop", "length", "refused", "failed"]
Ability = Literal["answers", "chooses", "reads"]
Thinking = Literal["auto", "off", "keep"]
MOST_CELLS = 10_000_000  # of a sweep: their answers alone would be gigabytes


@dataclass(frozen=True)
class Cell:
    """One point of a sweep. `length` 0 means "as long as the task itself is"; `depth` None means "anywhere"."""

    length: int
    depth: float | None
    repeat: int

    def __post_init__(self) -> None:
        if self.depth is not None and not 0 <= self.depth <= 1:
            raise SpecError(f"depth {self.depth} is outside 0 (start of the context) to 1 (its end)")

    def __str__(self) -> str:
        return f"{self.length}/{depth_text(self.depth)}/{self.repeat}"


@dataclass(frozen=True)
class Sweep:
    """Which samples to make: every length x depth x repeat, drawn from one seed."""

    lengths: tuple[int, ...]
    depths: tuple[float | None, ...]
    repeats: int
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.lengths) * len(self.depths) * self.repeats > MOST_CELLS:
            raise SpecError(f"a sweep has at most {MOST_CELLS:,} samples; ask for fewer repeats, depths or lengths")

    def cells(self) -> Iterator[Cell]:
        """Neighbours share the longest prefix: same haystack, deepest needle first. Caches live from this order."""
        depths = sorted(self.depths, key=lambda depth: -1.0 if depth is None else depth, reverse=True)
        for length in self.lengths:
            for repeat in range(self.repeats):
                for depth in depths:
                    yield Cell(length, depth, repeat)

    def __len__(self) -> int:
        return len(self.lengths) * len(self.depths) * self.repeats


@dataclass(frozen=True)
class RunPart:
    """Samples that a run was asked: each of these tasks, of each of these models, at a sweep that names its lengths."""

    tasks: tuple[str, ...]
    models: tuple[str, ...]
    sweep: Sweep


@dataclass(frozen=True)
class Needle:
    """Something hidden in the context, where it truly stands in the finished prompt.

    `token_start` and `token_end` (exclusive) bound the tokens that touch it, counted from the first (BOS included).
    `depth` = context tokens before it / (context tokens - its own), so 0 is the first place and 1 the last.
    """

    key: str
    value: str
    text: str
    token_start: int
    token_end: int
    depth: float
    asked: bool


@dataclass(frozen=True)
class QuotedNeedle(Needle):
    """A needle as a record keeps it: with the text `before` and `after` it, since records hold no prompts."""

    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class PromptSettings:
    """How a run asks, whatever the task: part of the question, and of every prompt.

    Of chat prompts alone: `system` is the system prompt, `answer_prefix` begins the model's answer for it,
    `template_options` are variables of the chat template (sorted by name), `date` is the day that a template which
    asks for it is told is today, and `thinking` switches the model's thinking by its template: "off", "keep" (on) or
    "auto" (as the template has it). `thinking_tokens` is the budget of a thought and `answer_tokens` that of an
    answer, 0 for the task's own; both are taken from the window.
    """

    system: str = ""
    answer_prefix: str = ""
    template_options: tuple[tuple[str, Scalar], ...] = ()
    thinking: Thinking = "auto"
    thinking_tokens: int = 0
    answer_tokens: int = 0
    date: str = "2025-01-01"

    def __post_init__(self) -> None:
        if min(self.thinking_tokens, self.answer_tokens) < 0:
            raise SpecError("the budgets of thoughts and answers are numbers of tokens, 0 or more")
        try:
            datetime.date.fromisoformat(self.date)
        except ValueError as error:
            raise SpecError(f"{self.date!r} is no date; write it as 2025-01-31") from error


@dataclass(frozen=True)
class Sample:
    """One question to a model.

    `prompt` is the very string the model reads; with `chat` it is those messages rendered by the model's chat
    template as `settings` say, special tokens spelled out. `prompt_tokens`, `max_new_tokens` of answer and
    `settings.thinking_tokens` together fill `length`, never more. Samples of one seed with the same `draw` were drawn
    together (the same story at several depths or lengths): they tell less than as many independent ones. "": not said.
    """

    id: str
    task: str
    prompt: str
    targets: tuple[str, ...]
    axes: Axes
    length: int
    prompt_tokens: int
    max_new_tokens: int
    choices: tuple[str, ...] = ()
    needles: tuple[Needle, ...] = ()
    chat: tuple[Message, ...] | None = None
    stop: tuple[str, ...] = ()
    target_delimiter: str = " "  # stands between the prompt and a choice
    settings: PromptSettings = PromptSettings()
    draw: str = ""

    @property
    def budget(self) -> int:
        """All tokens that a model may generate: those of its thought and of its answer."""
        return self.max_new_tokens + self.settings.thinking_tokens


@dataclass(frozen=True)
class Answer:
    """What a model answered a sample. `text` is what is scored.

    `thought` is what a thinking model wrote before its answer; it is never scored. `finish` says why it ended: "stop"
    (an end token or a stop string), "length" (the budget of tokens was used up), "refused" or "failed". The counts are
    tokens of the prompt and of everything generated; None where the backend does not say. `unverified`: the backend
    did not confirm that it read as many tokens as the prompt has.
    """

    text: str
    thought: str = ""
    finish: Finish = "stop"
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    unverified: bool = False


@dataclass(frozen=True)
class ModelIdentity:
    """What makes a model the same model tomorrow: hashes of its parts, "" for a part that it has not or cannot tell.

    `weights` and `config` of the checkpoint, the `adapter` on top of it, its `revision` on a hub, the chat `template`,
    and the `generation` settings (end tokens and the like).
    """

    weights: str = ""
    config: str = ""
    adapter: str = ""
    revision: str = ""
    template: str = ""
    generation: str = ""

    @property
    def fingerprint(self) -> str:
        """All parts in 16 hexadecimal digits; "" where nothing is known."""
        parts = [f"{name}={value}" for name, value in vars(self).items() if value]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else ""

    def changed(self, now: ModelIdentity) -> str:
        """The first part, of those known both times, that is another now; "" if none is."""
        pairs = ((name, value, getattr(now, name)) for name, value in vars(self).items())
        return next((name for name, before, after in pairs if before and after and before != after), "")


class Encoding(NamedTuple):
    """A text's tokens: their ids, and for each the (start, end) characters it stands for."""

    ids: list[int]
    spans: list[tuple[int, int]]


class Tokenizer(Protocol):
    """What a model lends a task so that prompts are exact in the model's own tokens. One object per vocabulary."""

    def __hash__(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides how a text is cut."""

    @property
    def specials(self) -> tuple[int, int]:
        """How many special tokens (BOS, EOS) the tokenizer puts before and after a plain prompt."""

    @property
    def control_tokens(self) -> Sequence[str]:
        """Texts that become one token with a meaning of its own (the end of a turn, say) wherever they stand."""

    @property
    def prompt_settings(self) -> PromptSettings:
        """How `render` renders, and which budgets are not the task's own."""

    def with_settings(self, settings: PromptSettings) -> Tokenizer:
        """The same vocabulary with other settings."""

    def encode(self, text: str) -> Encoding:
        """The tokens of `text` alone, special tokens written in it included, none added."""

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """`encode` for many texts at once."""

    def render(self, messages: Sequence[Message]) -> str:
        """The chat template around `messages`, ready for the answer. Raises ModelError if there is none."""

    def can_spell(self, text: str) -> bool:
        """Whether `text` survives encoding: False for, say, a letters-only vocabulary given a sentence."""


class Task(Protocol):
    """Makes samples and scores answers. A frozen dataclass: its fields are its options."""

    name: ClassVar[str]

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The lengths to run when the user names none."""

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """The one sample of this cell: a pure function of its arguments. Raises LengthError if it cannot fit."""

    def score(self, sample: Sample, output: str) -> float:
        """How right `output` is, from 0 to 1."""


class DiagnosticTask(Protocol):
    """Makes rows of tokens to train small models on. A frozen dataclass: its fields are its options, whole numbers."""

    name: ClassVar[str]
    grows: ClassVar[str]  # the option that makes rows longer: length, pairs, ...

    @property
    def vocabulary(self) -> int:
        """How many tokens there are, from 0; the same whatever `grows` is."""

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """The places of each answer's tokens, as many for every answer, counted from the row's end: -1 is its last."""

    @property
    def chance(self) -> float:
        """The share of right answers of the best guess that does not solve the task."""

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """Row number `index` of a stream, all of one length, the same for the same arguments."""


class Reading(NamedTuple):
    """What a model made of a text that it read: `score`, from 0 to 1, what it adds to the axes, and `positions`.

    `positions` has [first place, nats, tokens] for each stretch of the window: -log p summed over its tokens.
    """

    score: float
    axes: Axes
    positions: list[list[float]]


@runtime_checkable
class ReadingTask(Task, Protocol):
    """A task whose samples are read and not answered: what counts is how likely the model finds their tokens.

    `prompt_tokens` of its samples counts what the model reads: BOS, but no EOS. Its `score` is never asked.
    """

    def cells(self, sweep: Sweep, tokenizer: Tokenizer) -> Sequence[Cell]:
        """All its samples at the sweep's lengths; repeats count from 0. Raises TextError, LengthError."""

    def read(self, sample: Sample, loglikelihoods: Sequence[float]) -> Reading:
        """The reading of a sample, from `Model.token_loglikelihoods`. Raises ModelError if they are too few or many."""


class Model(Protocol):
    """Answers samples. Loads weights at the first answer, not before.

    `abilities` says what it can be asked: "answers" (`generate`), "chooses" (`loglikelihood`), "reads"
    (`token_loglikelihoods`); the others are never called. An adapter for what another process computes has
    `in_process = False`: that memory is not ours to measure.
    """

    name: ClassVar[str]

    @property
    def abilities(self) -> frozenset[Ability]: ...

    @property
    def max_length(self) -> int:
        """The longest window (prompt and answer together, in tokens) it takes."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    def describe(self) -> dict[str, str]:
        """Settings that shape the answers and were chosen for the user: dtype, device, …"""

    def identity(self) -> ModelIdentity:
        """What makes it this model and no other; computed without loading weights onto a device."""

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """One greedy answer for each sample, in order, as soon as each is there."""

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """log p(text | the sample's prompt), summed over the text's tokens, for each pair."""

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """For each sample log p (nats) of every token of its prompt, given those before it, in order.

        The first token, which nothing precedes, is left out: one number fewer than the prompt has tokens.
        """


@dataclass(frozen=True)
class Record:
    """What became of one sample with one model: a line of records.jsonl.

    `score` is None where nothing was measured (then `error` says why), never 0. `truncated` marks a prompt that
    was cut to the model's window (`--over-length mark`). `needles` are those asked, and all if there are few.
    `seconds`: its share of the time, where a model answers several at once. `peak_memory`: bytes at the highest while
    it was answered, weights included; None if unknown. A sample that was read and not answered has a score but no
    output; see `Reading` for its `positions`. `finish`, `thought`, `output_tokens` and `unverified` are those of the
    `Answer`; `finish` is None where nothing was generated, and in records of version 0.1. `fingerprint` is that of the
    model's identity. `draw` is that of the sample. `question` is the end of the prompt, "" in records of earlier
    versions and of texts that were read. `unknown`: what a newer version wrote beside these fields, kept as
    it is.
    """

    sample_id: str
    task: str
    model: str
    axes: Axes
    targets: list[str]
    output: str | None
    score: float | None
    prompt_tokens: int
    max_new_tokens: int
    seconds: float
    truncated: bool = False
    error: str | None = None
    choices: list[str] = field(default_factory=list)
    needles: list[QuotedNeedle] = field(default_factory=list)
    prompt_sha256: str = ""
    peak_memory: int | None = None
    positions: list[list[float]] = field(default_factory=list)
    finish: Finish | None = None
    thought: str = ""
    output_tokens: int | None = None
    unverified: bool = False
    fingerprint: str = ""
    draw: str = ""
    question: str = ""
    unknown: Mapping[str, Json] = field(default_factory=dict)

    @property
    def was_read(self) -> bool:
        """Whether a text was read here: there is a score, but no answer that could be right or wrong."""
        return self.output is None and self.score is not None

    def with_seed(self, seed: int) -> Record:
        """The same with the axis "seed", which records of a run of several seeds have; what is there already stays."""
        return self if "seed" in self.axes else replace(self, axes={**self.axes, "seed": seed})

    def number(self, axis: str) -> float:
        """The value of an axis that holds numbers. Raises KeyError without it, TypeError if it is no number."""
        return number_of(self.axes, axis)


@dataclass(frozen=True)
class Run:
    """run.json: the question, whole enough to make every prompt again byte for byte.

    `sweep` spans all that was asked: every length and depth, the most repeats, the first seed. Once a run has grown not
    all of that was asked of every task and model: `parts` say what was, each sample in one of them. Runs of earlier
    versions and of lm-eval's benchmarks have none.
    """

    tasks: tuple[str, ...]
    models: tuple[str, ...]
    sweep: Sweep
    answer: str
    over_length: str
    version: str
    tokenizers: dict[str, str]
    environment: Mapping[str, Json] = field(default_factory=dict)
    prompt: PromptSettings = PromptSettings()
    identities: Mapping[str, ModelIdentity] = field(default_factory=dict)
    parts: tuple[RunPart, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that samples were drawn from, the first first."""
        return tuple(dict.fromkeys((self.sweep.seed, *(part.sweep.seed for part in self.parts))))

    def seed_of(self, record: Record) -> int:
        """The seed of a record of this run: its axis "seed", or else the run's first."""
        seed = record.axes.get("seed")
        return seed if isinstance(seed, int) else self.sweep.seed

    def key_of(self, record: Record) -> SampleKey:
        """What tells a record of this run from the others."""
        return record.model, self.seed_of(record), record.sample_id

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """What each model said of itself (`Model.describe`), where the environment has it."""
        models = self.environment.get("models")
        found = models if isinstance(models, Mapping) else {}
        return {
            name: {key: str(value) for key, value in facts.items()}
            for name, facts in found.items()
            if isinstance(facts, Mapping)
        }

    @property
    def labels(self) -> dict[str, str]:
        """What tables and pictures call a model, by its spec, where the user named it."""
        return self._labels("labels")

    @property
    def task_labels(self) -> dict[str, str]:
        """What tables and pictures call a task, by its spec, where the user named it."""
        return self._labels("task_labels")

    def _labels(self, key: str) -> dict[str, str]:
        presentation = self.environment.get("presentation")
        labels = presentation.get(key) if isinstance(presentation, Mapping) else None
        return {str(spec): str(label) for spec, label in labels.items()} if isinstance(labels, Mapping) else {}

    def report_axis(self, name: str) -> str:
        """The axis that the user chose for reports as "x" or "y"; "" if none."""
        presentation = self.environment.get("presentation")
        axis = presentation.get(name) if isinstance(presentation, Mapping) else None
        return axis if isinstance(axis, str) else ""

    @property
    def samples(self) -> int:
        """How many samples the whole run has; 0 where an old version did not write it down."""
        count = self.environment.get("samples")
        return count if isinstance(count, int) else 0


@dataclass(frozen=True)
class Grid:
    """Scores averaged over two axes; every table and picture is drawn from one.

    `mean`, `low`, `high` (95 % interval) and `count` are indexed `[y][x]`; an unmeasured cell has mean None, count 0.
    `truncated` counts the records of a cell whose prompt was cut.
    """

    title: str
    x: str
    y: str
    xs: list[AxisValue]
    ys: list[AxisValue]
    mean: list[list[float | None]]
    low: list[list[float | None]]
    high: list[list[float | None]]
    count: list[list[int]]
    truncated: list[list[int]]


@dataclass(frozen=True)
class Plan:
    """What there is to do: named tasks and models, a sweep, and how to ask.

    With several `seeds` the sweep is asked once of each; its own seed is then one of them. `presentation` is kept with
    the run for its tables and pictures: labels of models and tasks, and the axes of its reports.
    """

    tasks: Mapping[str, Task]
    models: Mapping[str, Model]
    sweep: Sweep
    answer: AnswerMode = "generate"
    over_length: OverLength = "refuse"
    settings: PromptSettings = PromptSettings()
    seeds: tuple[int, ...] = ()
    presentation: Mapping[str, Json] = field(default_factory=dict)

    def by_seed(self) -> list[Plan]:
        """This plan at each of its seeds in turn."""
        return [replace(self, sweep=replace(self.sweep, seed=seed)) for seed in self.seeds or (self.sweep.seed,)]

    def tokenizer_of(self, model: str) -> Tokenizer:
        """What a task gets of a model: its tokenizer with the settings of this plan."""
        return self.models[model].tokenizer.with_settings(self.settings)

    def sweep_of(self, task: str, model: str) -> Sweep:
        """What of the sweep a model is asked.

        Where no lengths were named: those of the task that fit all models, or else their window. Named ones that are
        beyond this model's window but not beyond another's are left out, where prompts are not to be cut.
        """
        windows = [model.max_length for model in self.models.values()]
        if not self.sweep.lengths:
            own = self.tasks[task].default_lengths
            fitting = tuple(length for length in own if length <= min(windows))
            return replace(self.sweep, lengths=fitting or (min(windows),))
        return replace(self.sweep, lengths=tuple(x for x in self.sweep.lengths if x not in self.left_out(model)))

    def left_out(self, model: str) -> tuple[int, ...]:
        """The lengths that a model is not asked, because only another model's window takes them."""
        if self.over_length == "mark":
            return ()
        window, widest = self.models[model].max_length, max(model.max_length for model in self.models.values())
        return tuple(length for length in self.sweep.lengths if window < length <= widest)

    def cells_of(self, task: str, model: str) -> Sequence[Cell]:
        """The cells that a model is asked of a task at the sweep's own seed, in order."""
        return cells_of(self.tasks[task], self.sweep_of(task, model), self.tokenizer_of(model))

    def remaining(self, task: str, model: str, done: Collection[SampleKey]) -> list[Cell]:
        """The cells of `cells_of` that are not `done`."""
        seed = self.sweep.seed
        return [cell for cell in self.cells_of(task, model) if (model, seed, f"{task}/{cell}") not in done]

    def remaining_count(self, done: Collection[SampleKey]) -> int:
        """How many samples of all tasks, models and seeds are not `done`."""
        pairs = [(task, model) for task in self.tasks for model in self.models]
        return sum(len(one.remaining(*pair, done)) for one in self.by_seed() for pair in pairs)

    def __len__(self) -> int:
        return self.remaining_count(())


def cells_of(task: Task, sweep: Sweep, tokenizer: Tokenizer) -> Sequence[Cell]:
    """The cells of a task at a sweep, in the order to ask them. Raises TextError, LengthError."""
    return task.cells(sweep, tokenizer) if isinstance(task, ReadingTask) else list(sweep.cells())


def cell_of(sample_id: str) -> Cell:
    """The cell that the end of a sample's id names: "niah/512/0.50/3"."""
    length, depth, repeat = sample_id.rsplit("/", 3)[1:]
    return Cell(int(length), None if depth == "any" else float(depth), int(repeat))


def number_of(axes: Axes, axis: str) -> float:
    """The value of an axis that holds numbers. Raises KeyError without it, TypeError if it is no number."""
    value = axes[axis]
    if not isinstance(value, int | float):
        raise TypeError(f"axis {axis} is {value!r}, not a number")
    return value


def depth_text(depth: float | None) -> str:
    """0.5 -> "0.50", 0.125 -> "0.125", None -> "any"."""
    if depth is None:
        return "any"
    text = f"{depth:.6f}".rstrip("0")
    return text + "0" * max(0, 2 - len(text.partition(".")[2]))


def generator(seed: int, *key: object) -> random.Random:
    """The only source of chance: a generator of its own for every (seed, task, …) key, the same on every machine."""
    return random.Random("|".join(map(str, (seed, *key))))

"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

from mta_eval.arguments import LONGEST, parse_scalars
from mta_eval.commands import terminal
from mta_eval.core import Model, PromptSettings, Task
from mta_eval.outside import LARGEST

MOST_REPEATS = 10_000  # of one length and depth
MOST_STEPS = 1_000_000_000  # of a training, or its rows


class PromptChoice(StrEnum):
    """Which form prompts have."""

    task = "task"
    completion = "completion"
    chat = "chat"
    auto = "auto"


class ThinkingChoice(StrEnum):
    """Whether a model thinks before it answers a chat."""

    auto = "auto"
    off = "off"
    keep = "keep"


ModelSpecs = Annotated[
    list[str], typer.Option("--model", help="Model spec, such as smollm2 or hf:PATH_OR_ID; repeatable.")
]
Tokenizer = Annotated[str, typer.Option("--model", help="Model spec; tokenizer:PATH is enough here.")]
Lengths = Annotated[str, typer.Option(help="Window sizes in tokens, prompt and answer together: 512,1k,128k.")]
Depths = Annotated[str, typer.Option(help="Needle depths from 0 (start) to 1 (end): 0,0.5,1, or any.")]
Depth = Annotated[str, typer.Option(help="Needle depth from 0 (start) to 1 (end), or any.")]
Repeat = Annotated[int, typer.Option(help="Number of the repeat, from 0.", min=0, max=MOST_REPEATS)]
Repeats = Annotated[int, typer.Option(help="Samples per length and depth.", min=1, max=MOST_REPEATS)]
Seed = Annotated[int, typer.Option(help="Random seed.", min=-LARGEST, max=LARGEST)]
Seeds = Annotated[str, typer.Option(help="Several random seeds in one run, instead of --seed: 0,1,2.")]
PromptForm = Annotated[
    PromptChoice,
    typer.Option(
        "--prompt",
        help="Form of all prompts: as each task's spec says, completion, chat, or auto: chat if there is a template.",
    ),
]
System = Annotated[str, typer.Option("--system", help="System prompt of chats.")]
AnswerPrefix = Annotated[str, typer.Option("--answer-prefix", help="Text that begins the answer to a chat.")]
TemplateOptions = Annotated[
    list[str] | None, typer.Option("--template-option", help="Variable of the chat template, NAME=VALUE; repeatable.")
]
ThinkingOption = Annotated[
    ThinkingChoice,
    typer.Option("--thinking", help="Thinking of models: as the template has it, off, or keep (switched on)."),
]
ThinkingTokens = Annotated[
    int | None,
    typer.Option(
        "--thinking-tokens", help="Tokens for a thought; default: 1024 if the model may think.", min=0, max=LONGEST
    ),
]
AnswerTokens = Annotated[
    int, typer.Option("--answer-tokens", help="Tokens for an answer; default: what the task needs.", min=0, max=LONGEST)
]
Date = Annotated[str, typer.Option("--date", help="Day that a chat template is told is today.")]
Runs = Annotated[list[Path], typer.Argument(help="Run folders, or samples_*.jsonl files of lm-eval.")]
Names = Annotated[
    list[str] | None,
    typer.Option("--name", help="Name of a model or task in tables and pictures, SPEC=NAME; repeatable."),
]
Columns = Annotated[str, typer.Option("--x", help="Column axis.")]
Rows = Annotated[str, typer.Option("--y", help="Row axis.")]
WithAttention = Annotated[
    bool, typer.Option("--attention", help="Also draw the attention maps of attention-family models on one sample.")
]
Checkpoint = Annotated[str, typer.Argument(help="Folder, hub id or spec of a Llama-type or attention-family model.")]
NewFolder = Annotated[Path, typer.Option(help="New folder to write.")]


@dataclass(frozen=True)
class PromptOptions:
    """How a command asks, by its options; see `takes_prompt_options`."""

    prompt: PromptForm = PromptChoice.task
    system: System = ""
    answer_prefix: AnswerPrefix = ""
    template_option: TemplateOptions = None
    thinking: ThinkingOption = ThinkingChoice.auto
    thinking_tokens: ThinkingTokens = None
    answer_tokens: AnswerTokens = 0
    date: Date = PromptSettings().date

    def tasks_and_settings(
        self, specs: Sequence[str], models: Mapping[str, Model]
    ) -> tuple[dict[str, Task], PromptSettings]:
        """Tasks by their specs in the form of the command, and its settings; what was chosen is said on stderr.

        Raises SpecError.
        """
        from mta_eval.prompting import build_tasks, with_room_for_thoughts

        settings = PromptSettings(
            system=self.system,
            answer_prefix=self.answer_prefix,
            template_options=parse_scalars(self.template_option or ()),
            thinking=self.thinking.value,
            answer_tokens=self.answer_tokens,
            date=self.date,
        )
        tasks, form_note = build_tasks(specs, models, self.prompt.value)
        settings, room_note = with_room_for_thoughts(settings, tasks, models, self.thinking_tokens)
        for note in filter(None, (form_note, room_note)):
            terminal.note(note)
        return tasks, settings

    def task_namer(self, models: Mapping[str, Model]) -> Callable[[str], str]:
        """What makes the canonical spec of a task's spec, in the form of the command; it raises SpecError."""
        from mta_eval.prompting import build_tasks

        return lambda spec: next(iter(build_tasks([spec], models, self.prompt.value)[0]))


NO_OPTIONS_GIVEN = PromptOptions()


def takes_prompt_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of PromptOptions as options, in the place of its parameter `asking`."""
    shared = get_type_hints(PromptOptions, include_extras=True)
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == "asking":
            parameters += [
                inspect.Parameter(name, parameter.kind, default=getattr(NO_OPTIONS_GIVEN, name), annotation=hint)
                for name, hint in shared.items()
            ]
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))

    def run(**given: object) -> None:
        asking = PromptOptions(**{name: given.pop(name) for name in shared})  # type: ignore[arg-type]  # typer's values
        command(asking=asking, **given)

    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    return run

"""How a run asks: whether prompts are completions or chats, and how much room a thought gets.

A task's own option `prompt`, where its spec names it, stands above the run's form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, get_args, get_type_hints

from mta_eval import registry
from mta_eval.core import Message, Model, PromptSettings, ReadingTask, Task
from mta_eval.errors import ModelError, SpecError

Form = Literal["task", "completion", "chat", "auto"]
THINKING_TOKENS = 1024  # of a thought, where the user names no budget
QUESTION: Sequence[Message] = ({"role": "user", "content": "?"},)  # to see what a template makes of one
CHAT_ONLY = {"system": "--system", "answer_prefix": "--answer-prefix", "template_options": "--template-option"}


def build_tasks(specs: Sequence[str], models: Mapping[str, Model], form: Form) -> tuple[dict[str, Task], str]:
    """The tasks of specs in the form of the run, by their canonical specs, and one line that says which form and why.

    "task" leaves each to its own options; "auto" is a chat where every model has a chat template. The line is "" where
    there is nothing to say. Raises SpecError, also for a task that cannot be asked in the form.
    """
    note = ""
    if form == "auto":
        without = [name for name, model in models.items() if not has_chat_template(model)]
        form = "completion" if without else "chat"
        reason = f"{without[0]} has no chat template" if without else "every model has a chat template"
        note = f"prompts: {form}, since {reason}"
    built = [_in_form(one, form) for spec in specs for one in registry.expand(spec)]
    return {registry.spec_of(task): task for task in built}, note


def has_chat_template(model: Model) -> bool:
    """Whether a model's tokenizer renders chats."""
    try:
        model.tokenizer.render(QUESTION)
    except ModelError:
        return False
    return True


def with_room_for_thoughts(
    settings: PromptSettings, tasks: Mapping[str, Task], models: Mapping[str, Model], thinking_tokens: int | None
) -> tuple[PromptSettings, str]:
    """The settings with the budget of a thought, and one line that says it where the user did not name it.

    Not named it is THINKING_TOKENS if a chat is asked of a model whose template lets it think, else 0: one budget for
    all models, so that all get the same samples. Raises SpecError for settings of chats where there is none.
    """
    from mta_eval.models.chat_templates import may_think

    chats = any(getattr(task, "prompt", "") == "chat" for task in tasks.values())
    if not chats:
        given = [option for name, option in CHAT_ONLY.items() if getattr(settings, name)]
        if given or settings.thinking != "auto":
            option = given[0] if given else "--thinking"
            raise SpecError(f"{option} is for chats, and no task asks by one; add --prompt chat")
    if thinking_tokens is not None:
        opened = [name for name, model in models.items() if chats and not thinking_tokens and _opens(model, settings)]
        if opened:
            raise SpecError(
                f"the chat template of {opened[0]} opens a thought; give it --thinking-tokens, or --thinking off"
            )
        return dataclasses.replace(settings, thinking_tokens=thinking_tokens), ""
    if not chats:
        return settings, ""
    templates = {name: getattr(model.tokenizer, "chat_template", "") for name, model in models.items()}
    thinkers = [name for name, template in templates.items() if template and may_think(template, settings)]
    if not thinkers:
        return settings, ""
    note = (
        f"thoughts: {thinkers[0]} may think before it answers, in up to {THINKING_TOKENS} tokens of its window "
        "(--thinking-tokens; --thinking off)"
    )
    return dataclasses.replace(settings, thinking_tokens=THINKING_TOKENS), note


def _opens(model: Model, settings: PromptSettings) -> bool:
    """Whether the chat template of a model begins a thought for it."""
    from mta_eval.models.thoughts import opened_by

    tokenizer = model.tokenizer.with_settings(settings)
    prompt = tokenizer.render(QUESTION)
    return opened_by(prompt, getattr(tokenizer, "thought_formats", ())) is not None


def _in_form(spec: str, form: Form) -> Task:
    task = registry.build_task(spec)
    if form in ("task", "completion") or isinstance(task, ReadingTask) or "prompt" in registry.parse(spec)[2]:
        return task
    if form not in get_args(get_type_hints(type(task)).get("prompt")):
        raise SpecError(f"{task.name} cannot be asked by chat; leave it out, or leave --prompt chat out")
    return dataclasses.replace(task, prompt=form)  # type: ignore[type-var]  # tasks are frozen dataclasses

"""Chat templates: the variables that they are rendered with, their switches for thinking, where an answer ends.

A template is a Jinja program that comes with a checkpoint. What it reads besides the messages must be the same
tomorrow: the day that it is told is frozen (`PromptSettings.date`).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from mta_eval.core import PromptSettings, Scalar
from mta_eval.errors import ModelError
from mta_eval.models.thoughts import formats_in

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SWITCHES: Mapping[str, tuple[Scalar, Scalar]] = {  # variable -> (thinking off, thinking on)
    "enable_thinking": (False, True),  # Qwen3, GLM, SmolLM3, EXAONE, Hunyuan
    "thinking": (False, True),  # Granite, DeepSeek V3.1
    "reasoning": (False, True),  # Command A Reasoning
    "thinking_budget": (0, -1),  # Seed-OSS
}
NO_OPTIONS = {"messages", "add_generation_prompt", "raise_exception", "strftime_now", "bos_token", "eos_token"}
PROBE = "9d41c0"  # an answer that no template writes by itself


def variables_of(template: str, settings: PromptSettings) -> dict[str, object]:
    """What a template is rendered with, besides the messages. Raises ModelError as `options_of` does."""
    today = datetime.date.fromisoformat(settings.date)
    moment = datetime.datetime.combine(today, datetime.time(), datetime.UTC)
    return {"strftime_now": moment.strftime, **options_of(template, settings)}


def options_of(template: str, settings: PromptSettings) -> dict[str, Scalar]:
    """The options that settings give a template: those named, and its switch for thinking.

    Raises ModelError for an option that the template does not read or that contradicts how thinking is switched, or
    where thinking is to be switched off and it has no switch.
    """
    read = _variables(template)
    options = dict(settings.template_options)
    if unread := [name for name in options if name not in read]:
        known = ", ".join(sorted(read - NO_OPTIONS)) or "none"
        raise ModelError(f"the chat template reads no option {unread[0]!r}; it reads: {known}")
    if settings.thinking == "auto":
        return options
    switches = {name: values[settings.thinking == "keep"] for name, values in SWITCHES.items() if name in read}
    if settings.thinking == "off" and not switches and not options and formats_in(template, ()):
        raise ModelError(
            "the chat template has no switch that turns thinking off; let it think (--thinking keep), or give its own "
            "option as --template-option NAME=VALUE"
        )
    if against := [name for name, value in switches.items() if options.get(name, value) != value]:
        raise ModelError(
            f"--thinking {settings.thinking} and the template option {against[0]} contradict each other; give one"
        )
    return switches | options


def may_think(template: str, settings: PromptSettings) -> bool:
    """Whether a model with this template may think before it answers, for all that its template tells."""
    return settings.thinking != "off" and bool(
        formats_in(template, ()) or _variables(template).intersection(SWITCHES) or settings.thinking == "keep"
    )


def after_answer(owner: PreTrainedTokenizerFast | None, template: str) -> str:
    """What a template writes after an answer, to end the model's turn; "" if it cannot be told."""
    if owner is None or not template:
        return ""
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": PROBE}]
    try:
        whole = str(owner.apply_chat_template(messages, tokenize=False, **variables_of(template, PromptSettings())))
    except Exception:  # some templates want more than a question and an answer: then only the configs say where it ends
        return ""
    return whole.rpartition(PROBE)[2].lstrip() if PROBE in whole else ""


@lru_cache(maxsize=64)
def _variables(template: str) -> frozenset[str]:
    """The names that a template reads and does not set. Raises ModelError if it is no Jinja template."""
    from jinja2 import TemplateError, meta, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
    try:
        tree = environment.parse(_without_generation_tags(template))
    except TemplateError as error:
        raise ModelError(f"the chat template is no Jinja template: {error}") from error
    # a variable that the template sets where it is not given is read all the same
    tests = [node for node in tree.find_all(nodes.Test) if node.name in ("defined", "undefined")]
    defaults = {node.node.name for node in tests if isinstance(node.node, nodes.Name)}
    return frozenset(meta.find_undeclared_variables(tree) | defaults)


def _without_generation_tags(template: str) -> str:
    """transformers' own tags {% generation %}, which mark answers for training, are no Jinja."""
    return re.sub(r"\{%-?\s*(?:end)?generation\s*-?%\}", "", template)

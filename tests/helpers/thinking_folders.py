"""Tokenizer folders of models that think, and what asks them: a copy of a folder with another chat template."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fake_server import FakeServer, Speaker

from mta_eval.core import Answer, Cell, PromptSettings, Sample
from mta_eval.models.named_tokenizer import NamedTokenizer
from mta_eval.models.server import Server
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_task

MESSAGES = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n"
)
SWITCH = (
    MESSAGES
    + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
OPENS = MESSAGES + "<think>\n{% endif %}"
CLOCK = "{{ strftime_now('%d %B %Y') }}\n" + MESSAGES + "{% endif %}"
CHANNELS = MESSAGES + "{# <|channel|>analysis<|message|> #}{% endif %}"
THINKS = PromptSettings(thinking_tokens=40)


def folder_with(template: str, tokenizer_folder: Path, into: Path, special: Sequence[str] = ()) -> Path:
    """The folder made at `into`; `special` are more special tokens."""
    shutil.copytree(tokenizer_folder, into)
    (into / "chat_template.jinja").write_text(template)
    if special:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(into)
        tokenizer.add_special_tokens({"additional_special_tokens": [*special]})
        tokenizer.save_pretrained(into)
    return into


def chat_sample(tokenizer: FastTokenizer, settings: PromptSettings | None = None) -> Sample:
    """A pass key that is asked for in a chat."""
    made = tokenizer.with_settings(settings or PromptSettings())
    return build_task("passkey:prompt=chat").sample(Cell(300, 0.5, 0), 0, made)


@contextmanager
def serving(folder: Path, says: str, **options: Any) -> Iterator[FakeServer]:
    """A server that says the same whatever it is asked."""
    tokenizer = load_tokenizer(str(folder))
    server = FakeServer(tokenizer, Speaker(tokenizer, says), **options)
    try:
        yield server
    finally:
        server.stop()


def ask(server: FakeServer, folder: Path, sample: Sample, **options: Any) -> Answer:
    """The one answer of a server."""
    (given,) = Server(server.url, tokenizer=NamedTokenizer(str(folder)), **options).generate([sample])
    return given

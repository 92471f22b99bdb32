"""Hugging Face fast tokenizers as `core.Tokenizer`, on the Rust `tokenizers` library alone: no torch, no transformers
unless a chat template or a GGUF file asks for it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mta_eval.attention.registration import register
from mta_eval.core import Ability, Encoding, Message, ModelIdentity, PromptSettings
from mta_eval.errors import ModelError
from mta_eval.models import chat_templates
from mta_eval.models.checkpoint_files import check_folder
from mta_eval.models.error_text import first_line
from mta_eval.models.identity import template_digest
from mta_eval.models.locations import HINT, local_path
from mta_eval.models.thoughts import THINK, ThoughtFormat, formats_in

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from tokenizers import Encoding as BackendEncoding
    from tokenizers import Tokenizer as Backend
    from transformers import PreTrainedTokenizerFast


class FastTokenizer:
    """A tokenizer of the Rust library, with the character spans of its tokens.

    `owner` is the transformers tokenizer around it, which has the chat template; None without one.
    """

    def __init__(self, backend: Backend, name: str, owner: PreTrainedTokenizerFast | None = None) -> None:
        self._backend = backend
        self._name = name
        self.owner = owner
        self.prompt_settings = PromptSettings()
        self._with_settings: dict[PromptSettings, FastTokenizer] = {}
        backend.no_truncation()
        backend.no_padding()

    def with_settings(self, settings: PromptSettings) -> FastTokenizer:
        """The same vocabulary with other settings; one object for each, and this one for its own."""
        if settings == self.prompt_settings:
            return self
        if settings not in self._with_settings:
            made = FastTokenizer(self._backend, self._name, self.owner)
            made.prompt_settings = settings
            self._with_settings[settings] = made
        return self._with_settings[settings]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the serialised tokenizer and of the chat template."""
        chat = self.chat_template
        return hashlib.sha256((self._backend.to_str() + json.dumps(chat)).encode()).hexdigest()[:16]

    @property
    def chat_template(self) -> str:
        """The source of the chat template; "" without one. Of several, the one called "default"."""
        source = getattr(self.owner, "chat_template", None) or ""
        return str(source.get("default", "")) if isinstance(source, dict) else str(source)

    @cached_property
    def specials(self) -> tuple[int, int]:
        """(before, after): the special tokens added around a plain prompt, counted around a probe."""
        mask = self._backend.encode("a", add_special_tokens=True).special_tokens_mask
        before = next((index for index, special in enumerate(mask) if not special), len(mask))
        return before, sum(mask) - before

    def encode(self, text: str) -> Encoding:
        """Tokens of `text` alone. Raises ModelError if a non-empty text has none (a broken vocabulary)."""
        return self._check(text, self._backend.encode(text, add_special_tokens=False))

    def encode_batch(self, texts: Sequence[str]) -> list[Encoding]:
        """`encode` for many texts, in parallel."""
        encodings = self._backend.encode_batch(list(texts), add_special_tokens=False)
        return [self._check(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def prompt_ids(self, prompt: str, plain: bool) -> list[int]:
        """What the model reads: a plain prompt gets its BOS, but no EOS; a rendered chat has both written out."""
        ids: list[int] = self._backend.encode(prompt, add_special_tokens=plain).ids
        return ids[: len(ids) - self.specials[1]] if plain else ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        text: str = self._backend.decode(list(ids), skip_special_tokens=True)
        return text

    def render(self, messages: Sequence[Message]) -> str:
        """The chat template around `messages`, up to where the answer begins. Raises ModelError without one."""
        if self.owner is None or not self.chat_template:
            raise ModelError(f"{self._name} has no chat template; use prompt=completion or prompt=instruction")
        options = chat_templates.variables_of(self.chat_template, self.prompt_settings)
        try:
            rendered = self.owner.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True, **options
            )
        except Exception as error:  # a template is a program: it raises what it likes
            raise ModelError(f"the chat template of {self._name} fails: {first_line(error)}") from error
        return str(rendered) + self.prompt_settings.answer_prefix

    @cached_property
    def _added(self) -> dict[int, AddedToken]:
        return dict(self._backend.get_added_tokens_decoder())

    @cached_property
    def turn_end(self) -> int | None:
        """The special token with which the chat template ends the model's turn; None if it has none."""
        rest = chat_templates.after_answer(self.owner, self.chat_template)
        if not rest:
            return None
        first = self._backend.encode(rest, add_special_tokens=False).ids[:1]
        return first[0] if first and first[0] in self._added else None

    def decode_all(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens spelled out."""
        text: str = self._backend.decode(list(ids), skip_special_tokens=False)
        return text

    @cached_property
    def control_tokens(self) -> tuple[str, ...]:
        """The texts of special tokens, and of added ones that are written as marks: <think>, [INST]."""
        added = self._added.values()
        marks = (token.content for token in added if token.special or re.fullmatch(r"[<\[◁]\S+[>\]▷]", token.content))
        return tuple(mark for mark in marks if len(mark) > 1 and not mark.isspace())

    @cached_property
    def thought_formats(self) -> tuple[ThoughtFormat, ...]:
        """How this model may mark its thoughts: as its vocabulary or its chat template has it, and by <think>.

        Some checkpoints were trained to write that without either.
        """
        known = formats_in(self.chat_template, (token.content for token in self._added.values()))
        return tuple(dict.fromkeys((*known, THINK)))

    def can_spell(self, text: str) -> bool:
        """Whether `text` comes back out of its own tokens, white space aside."""
        decoded = self._backend.decode(self.encode(text).ids, skip_special_tokens=False)
        return "".join(decoded.split()) == "".join(text.split())

    def _check(self, text: str, encoding: BackendEncoding) -> Encoding:
        if text and not encoding.ids:
            raise ModelError(f"the tokenizer of {self._name} makes no tokens of {text[:40]!r}; is it complete?")
        return Encoding(encoding.ids, encoding.offsets)


def load_tokenizer(path_or_id: str, revision: str = "") -> FastTokenizer:
    """A tokenizer by folder, tokenizer.json, GGUF file or hub id (and a revision there). Raises ModelError."""
    path = local_path(path_or_id)
    if path.suffix == ".json" and path.is_file():
        return FastTokenizer(_read(path), path_or_id)
    check_folder(path)
    if path.is_dir() and not any(path.glob("tokenizer*.json")) and not any(path.glob("*.model")):
        raise ModelError(f"no tokenizer in folder {path_or_id!r}; {HINT}")
    from transformers import AutoTokenizer

    register()
    try:
        owner = (
            AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
            if path.suffix == ".gguf"
            else AutoTokenizer.from_pretrained(str(path) if path.exists() else path_or_id, revision=revision or "main")
        )
    except Exception as error:  # a damaged file makes the loaders raise whatever they trip over
        raise ModelError(f"cannot load the tokenizer of {path_or_id!r}: {first_line(error)}; {HINT}") from error
    if getattr(owner, "backend_tokenizer", None) is None:
        raise ModelError(
            f"the tokenizer of {path_or_id!r} is not a fast one, so it has no character spans of its tokens"
        )
    return FastTokenizer(owner.backend_tokenizer, path_or_id, owner)


def transformers_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """transformers' own tokenizer of a folder or hub id, to be saved into another folder. Raises ModelError."""
    from transformers import AutoTokenizer

    register()
    path = local_path(name)
    check_folder(path)
    try:
        return AutoTokenizer.from_pretrained(str(path))
    except Exception as error:  # a damaged file makes the loaders raise whatever they trip over
        raise ModelError(f"cannot load tokenizer {name!r}: {first_line(error)}; name a folder or a hub id") from error


def _read(path: Path) -> Backend:
    from tokenizers import Tokenizer as Backend

    try:
        return Backend.from_file(str(path))
    except Exception as error:  # the Rust library raises bare Exception
        raise ModelError(f"{path} is not a tokenizer.json: {first_line(error)}") from error


@dataclass(frozen=True)
class TokenizerOnly:
    """A tokenizer without a model (folder, tokenizer.json, .gguf or hub id): for `show` and `export`."""

    name: ClassVar[str] = "tokenizer"

    path: str = field(metadata={"help": "folder, tokenizer.json, .gguf or hub id"})

    @property
    def abilities(self) -> frozenset[Ability]:
        """None: there is no model to answer."""
        return frozenset()

    @property
    def max_length(self) -> int:
        """No window: any length can be made."""
        return 1 << 62

    @cached_property
    def tokenizer(self) -> FastTokenizer:
        """The tokenizer itself."""
        return load_tokenizer(self.path)

    def describe(self) -> dict[str, str]:
        """Nothing is chosen for the user here."""
        return {}

    def identity(self) -> ModelIdentity:
        """The chat template alone."""
        return ModelIdentity(template=template_digest(self.tokenizer.chat_template))

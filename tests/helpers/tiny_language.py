"""Language models of seconds: the recipe with tiny sizes, and a corpus of two domains."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mta_eval.core import generator
from mta_eval.tasks.documents import Document
from mta_eval.training.language_recipe import LanguageRecipe, language_model
from mta_eval.training.word_pieces import learn_tokenizer

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "12", "dogs", "run", "over", "7", "red", "hills", "moon")
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
SCHEDULE = {"steps": 5, "batch": 4, "learning_rate": 1e-2, "evaluate_every": 2, "held_out": 6, "tested": 6, "warmup": 2}
LENGTH = 24


def texts_of(name: str, count: int, words: int) -> list[str]:
    """Texts of 3 to `words` words, no two alike."""
    random = generator(0, "tiny language", name)
    return [
        f"{name} {number}: " + " ".join(random.choices(WORDS, k=random.randint(3, words))) for number in range(count)
    ]


def documents(**domains: Sequence[str]) -> list[Document]:
    return [Document(domain, text) for domain, texts in domains.items() for text in texts]


def tokenizer_of(texts: Sequence[str]) -> Any:
    return learn_tokenizer(texts, 300)


def write_corpus(folder: Path) -> Path:
    """Short documents in one domain, and one long one in another."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = (json.dumps({"text": text}) + "\n" for text in texts_of("note", 80, 20))
    (folder / "notes.jsonl").write_text("".join(rows))
    (folder / "story.txt").write_text(". ".join(texts_of("story", 40, 20)))
    return folder


def language_recipe(
    data: Path | str = "",
    *tasks: str,
    attention: str = "",
    seed: int = 1,
    changes: dict[str, Any] | None = None,
    sizes: dict[str, Any] | None = None,
    **options: Any,
) -> LanguageRecipe:
    """A tiny model on rows of 24 tokens; from a checkpoint where `start` is given."""
    given: dict[str, Any] = {"length": LENGTH, "data": str(data), **options}
    if "start" not in options:
        given = {"tokenizer_spec": "bpe:300", "options": {**SIZES, **(sizes or {})}, **given}
    return language_model(tasks, attention, "", seed, {**SCHEDULE, **(changes or {})}, given)

"""Small files in the official forms of SQuAD 2.0 and HotpotQA, and what must hold of samples that are lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta_eval.core import Sample
from mta_eval.models.tokenizer import FastTokenizer


def river(name: str) -> str:
    return f"The river of {name} flows past the town of Town{name}. It is long and has many bends. Boats go there."


def squad(articles: int = 6, paragraphs: int = 4) -> dict[str, Any]:
    """Every paragraph with a question that has two answers, and one that has none."""
    impossible = {"question": "Why?", "id": "0", "is_impossible": True, "answers": []}

    def row(name: str) -> dict[str, Any]:
        question = f"Which town does the river of {name} pass?"
        answers = [{"text": f"Town{name}", "answer_start": 0}, {"text": f"the town of Town{name}", "answer_start": 0}]
        asked = {"question": question, "id": name, "is_impossible": False, "answers": answers}
        return {"context": river(name), "qas": [impossible, asked]}

    made = [
        {"title": f"A{number}", "paragraphs": [row(f"a{number}p{place}") for place in range(paragraphs)]}
        for number in range(articles)
    ]
    return {"version": "v2.0", "data": made}


def hotpot(questions: int = 12) -> list[dict[str, Any]]:
    """Every question with ten documents, of which two support its answer."""
    return [
        {
            "_id": str(number),
            "question": f"Which town does the river of q{number}d3 pass?",
            "answer": f"Townq{number}d3",
            "context": [
                [f"Title {number} {place}", [river(f"q{number}d{place}"), " So it is."]] for place in range(10)
            ],
            "supporting_facts": [[f"Title {number} 3", 0], [f"Title {number} 7", 1]],
        }
        for number in range(questions)
    ]


@pytest.fixture(scope="session")
def squad_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("squad") / "dev-v2.0.json"
    file.write_text(json.dumps(squad()))
    return file


@pytest.fixture(scope="session")
def hotpot_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("hotpot") / "hotpot_dev_distractor_v1.json"
    file.write_text(json.dumps(hotpot()))
    return file


@pytest.fixture
def list_audit() -> Callable[[Sample, FastTokenizer, int], None]:
    """Assert that a sample keeps within its length, lacks fewer tokens than this, and says where its needles stand."""
    return _audit_list


def _audit_list(sample: Sample, tokenizer: FastTokenizer, item: int) -> None:
    encoding = tokenizer._backend.encode(sample.prompt, add_special_tokens=sample.chat is None)
    assert sample.prompt_tokens == len(encoding.ids)
    used = sample.prompt_tokens + sample.max_new_tokens
    assert sample.length - item < used <= sample.length, f"{used} of {sample.length}: {sample.id}"
    for needle in sample.needles:
        assert sample.prompt.count(needle.text) == 1
        begin = sample.prompt.index(needle.text)
        finish = begin + len(needle.text)
        touching = [
            index
            for index, (start, end) in enumerate(encoding.offsets)
            if start < finish and end > begin and end > start
        ]
        assert (needle.token_start, needle.token_end) == (touching[0], touching[-1] + 1)

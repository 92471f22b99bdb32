"""Small files in the official forms of SQuAD 2.0 and HotpotQA, and what must hold of samples that are lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from qa_corpora import hotpot, squad

from mta_eval.core import Sample
from mta_eval.models.tokenizer import FastTokenizer


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

"""Samples and scores are what they were: byte for byte, in three tokenizers."""

from __future__ import annotations

import json

import pytest
import samples as golden_samples

EXPECTED = json.loads(golden_samples.FILE.read_text())


@pytest.mark.parametrize("task", golden_samples.TASKS)
def test_samples_and_scores_are_those_of_the_file(task: str) -> None:
    for name, tokenizer in golden_samples.tokenizers().items():
        assert golden_samples.golden(task, tokenizer) == EXPECTED[task][name], f"{task} in {name}"


def test_every_task_of_the_file_is_made_again() -> None:
    assert set(EXPECTED) == set(golden_samples.TASKS)

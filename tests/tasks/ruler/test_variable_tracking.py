from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval.core import Cell, PromptSettings, Sample
from mta_eval.errors import SpecError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.ruler.variable_tracking import VariableTracking

Audit = Callable[[Sample, FastTokenizer], None]


@pytest.mark.parametrize("spec", ["chains=1", "chains=2,hops=3,haystack=prose", "protocol=ruler"])
def test_every_length_is_filled(spec: str, tokenizer: FastTokenizer, audit: Audit) -> None:
    task = build_task(f"variable_tracking:{spec}")
    for repeat, (length, depth) in enumerate(((2400, 0.0), (2711, 0.4), (3003, 1.0), (2500, None))):
        sample = task.sample(Cell(length, depth, repeat), 0, tokenizer)
        if "protocol" in spec:  # RULER's assignments have no full stop, and its example stands before them
            assert sample.prompt_tokens == len(tokenizer._backend.encode(sample.prompt).ids)
            assert length - 4 <= sample.prompt_tokens + sample.max_new_tokens <= length
            assert all(sample.prompt.count(f"{needle.text}\n") == 1 for needle in sample.needles)
        else:
            audit(sample, tokenizer)


@pytest.mark.parametrize("haystack", ["noise", "prose"])
def test_the_chain_begins_at_its_depth_and_keeps_its_order(haystack: str, byte_bpe: FastTokenizer) -> None:
    task = VariableTracking(chains=3, haystack=haystack)
    for depth in (0.0, 0.3, 0.6):
        sample = task.sample(Cell(4096, depth, 0), 0, byte_bpe)
        asked = [needle for needle in sample.needles if needle.asked]
        assert [needle.key for needle in asked] == list(sample.targets)
        assert asked[0].depth == pytest.approx(depth, abs=0.01)
        assert len(sample.needles) == 15
        chains = {needle.value for needle in sample.needles}
        assert len(chains) == 3
        assert {needle.value for needle in asked} == {re.findall(r"value (\d+)", sample.prompt)[-1]}


def test_all_depths_of_a_repeat_share_names_and_values(byte_bpe: FastTokenizer) -> None:
    task = VariableTracking(chains=2)
    shown = [task.sample(Cell(4096, depth, 1), 0, byte_bpe) for depth in (0.0, 0.5, 1.0)]
    assert len({sample.targets for sample in shown}) == len({sample.draw for sample in shown}) == 1
    others = [task.sample(Cell(length, 0.5, repeat), 0, byte_bpe) for length, repeat in ((4096, 2), (8192, 1))]
    assert len({sample.targets for sample in (*others, shown[0])}) == 3
    assert len({sample.draw for sample in (*others, shown[0])}) == 3


def test_axes_say_hops_and_chains(byte_bpe: FastTokenizer) -> None:
    sample = VariableTracking(chains=2, hops=7).sample(Cell(2048, 0.5, 0), 0, byte_bpe)
    assert (sample.axes["hops"], sample.axes["chains"], len(sample.targets)) == (7, 2, 8)


def test_a_score_is_the_share_of_the_variables(byte_bpe: FastTokenizer) -> None:
    task = VariableTracking()
    sample = task.sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    assert task.score(sample, " ".join(sample.targets[:2])) == 0.4
    assert task.score(sample, "") == 0


def test_in_other_text_the_published_assignments_are_sentences(byte_bpe: FastTokenizer) -> None:
    sample = VariableTracking(protocol="ruler", haystack="prose").sample(Cell(2048, 0.5, 0), 0, byte_bpe)
    assert all(re.fullmatch(r"VAR [A-Z]{5} = (VAR [A-Z]{5}|\d{5})\.", needle.text) for needle in sample.needles)
    assert all(f" {needle.text}" in sample.prompt or f"\n{needle.text}" in sample.prompt for needle in sample.needles)


def test_a_chat_begins_the_answer_for_the_model_as_published(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(str(tokenizer_folder))
    sample = VariableTracking(protocol="ruler", prompt="chat").sample(Cell(2048, 0.5, 0), 0, tokenizer)
    assert sample.settings.answer_prefix.startswith(" Answer: According to the chain(s)")
    assert sample.prompt.endswith(f"<|assistant|>\n{sample.settings.answer_prefix}")
    assert sample.prompt == tokenizer.with_settings(sample.settings).render(sample.chat or ())
    assert sample.prompt_tokens + sample.max_new_tokens <= 2048
    own = tokenizer.with_settings(PromptSettings(answer_prefix="They are"))
    sample = VariableTracking(protocol="ruler", prompt="chat").sample(Cell(2048, 0.5, 0), 0, own)
    assert sample.settings == own.prompt_settings
    assert sample.prompt.endswith("<|assistant|>\nThey are")


@pytest.mark.parametrize("options", [{"chains": 0}, {"chains": 21}, {"hops": 0}, {"hops": 41}])
def test_numbers_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(SpecError, match="must be 1 to"):
        VariableTracking(**options)  # type: ignore[arg-type]

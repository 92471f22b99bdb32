from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mta_eval.core import Cell, PromptSettings, Sample
from mta_eval.errors import LengthError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.prompts.counting import Counter
from mta_eval.tasks.prompts.fitting import answer_budget, draw_key
from mta_eval.tasks.prompts.haystack import Haystack, open_haystack
from mta_eval.tasks.prompts.layout import Layout, NeedlePlacement
from mta_eval.tasks.prompts.sources import open_source

Audit = Callable[[Sample, FastTokenizer], None]
DEPTHS = (0.0, 0.1, 0.25, 0.37, 0.5, 0.63, 0.75, 0.9, 1.0)


def context(sample: Sample, tokenizer: FastTokenizer) -> tuple[int, int, list[tuple[int, int]]]:
    """First token of the context, the one after its last, and all offsets: from the prompt encoded again."""
    offsets = tokenizer._backend.encode(sample.prompt).offsets
    begin = 0 if sample.prompt.startswith(sample.needles[0].text) else sample.prompt.find("\n\n") + 2
    if sample.task.startswith("niah") and "instruction" not in sample.task:
        begin = 0
    finish = sample.prompt.rindex("\n" if sample.task.startswith("passkey") else "\n\n")
    inside = [index for index, (start, end) in enumerate(offsets) if end > begin and start < finish and end > start]
    return inside[0], inside[-1] + 1, offsets


def off(sample: Sample, depth: float, tokenizer: FastTokenizer) -> tuple[float, float]:
    """(tokens between the wanted place and the swept needle, half the longest of the sentences around it)."""
    first, last, offsets = context(sample, tokenizer)
    found = []
    for needle in sample.needles:
        if needle.asked and needle.value == sample.targets[0]:
            room = last - first - (needle.token_end - needle.token_start)
            at = needle.token_start - first
            assert needle.depth == pytest.approx(at / room, abs=3.5 / room)
            finish = offsets[needle.token_end - 1][1]
            sentences = re.split(r"(?<=[.!?])\s", sample.prompt[: offsets[needle.token_start][1] - 1])[-8:]
            sentences += re.split(r"(?<=[.!?])\s", sample.prompt[finish:])[:8]
            half = max(len(tokenizer.encode(sentence + " x").ids) for sentence in sentences) / 2
            found.append((abs(at - depth * room), half))
    return found[0]


@pytest.mark.parametrize("spec", ["niah", "passkey", "passkey:haystack=prose"])
def test_the_swept_needle_is_within_half_a_sentence_of_its_depth(spec: str, tokenizer: FastTokenizer) -> None:
    task = build_task(spec)
    far = []
    for length in (280, 400, 700, 1024, 3000):
        for depth in DEPTHS:
            distance, half = off(task.sample(Cell(length, depth, 1), 0, tokenizer), depth, tokenizer)
            if distance > half + 3:
                far.append((length, depth, round(distance, 1), half))
    assert far == []


@pytest.mark.parametrize("needles", [3, 8, 20])
def test_the_swept_needle_keeps_its_depth_among_others(
    needles: int, tokenizer: FastTokenizer, superword: FastTokenizer
) -> None:
    """Other needles beside it count as sentences. Where tokens cross sentences, sizes of needles are estimates, each
    off by a part of a token."""
    slack = 3 + (needles / 3 if tokenizer is superword else 0)
    task = build_task(f"niah:needles={needles}")
    far = []
    for length in (1400, 2500):
        for depth in DEPTHS:
            for repeat in (0, 1):
                distance, half = off(task.sample(Cell(length, depth, repeat), 0, tokenizer), depth, tokenizer)
                if distance > half + slack:
                    far.append((length, depth, repeat, round(distance, 1), half))
    assert far == []


def test_depth_0_begins_the_context_and_depth_1_ends_it(tokenizer: FastTokenizer) -> None:
    for needles in (1, 4):
        task = build_task(f"niah:needles={needles}")
        for length in (400, 1024, 2048):
            first = task.sample(Cell(length, 0.0, 0), 0, tokenizer)
            asked = next(needle for needle in first.needles if needle.asked)
            assert first.prompt.startswith(asked.text)
            assert asked.depth == 0
            last = task.sample(Cell(length, 1.0, 0), 0, tokenizer)
            asked = next(needle for needle in last.needles if needle.asked)
            assert last.prompt.rsplit("\n\n", 1)[0].endswith(asked.text)
            assert asked.depth == pytest.approx(1, abs=3 / length)


def test_spliced_counts_are_whole_counts(local_tokenizer: FastTokenizer) -> None:
    hay = Haystack(open_source("prose", 5), local_tokenizer)
    counter = Counter(hay, local_tokenizer.specials)
    for number in range(60):
        inserts = [NeedlePlacement(f"The magic number of Rome is {number}{index}.", index / 5) for index in range(5)]
        sizes = [counter.size(insert.text) for insert in inserts]
        layout = Layout(hay, number * 3, ("Read this.\n\n", "\n\nWell?"), inserts, sizes)
        layout.aim(300 + 37 * number, 2, number / 59, keep_order=False)
        for end in (number * 3, number * 3 + 1, number * 3 + 4, number * 3 + 30):
            for fragment in (None, "It was."):
                pieces = layout.pieces(end, fragment)
                assert counter.spliced(pieces) == counter.whole(pieces)


def test_prompts_are_audited_ever_more_rarely(byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Counter.whole
    calls: list[object] = []
    monkeypatch.setattr(Counter, "whole", lambda self, pieces: calls.append(pieces) or whole(self, pieces))
    made = []
    for repeat in range(20):
        build_task("niah:needles=3").sample(Cell(2000, 0.5, repeat), 123, byte_bpe)
        made.append(len(calls))
    assert [number for number in range(1, 20) if made[number] > made[number - 1]] == [3, 15]
    assert made[0] == 1


def test_local_tokenizers_are_counted_by_splicing_and_superword_is_found_out(
    tokenizer: FastTokenizer, superword: FastTokenizer, audit: Audit
) -> None:
    for repeat in range(4):
        audit(build_task("niah:needles=4").sample(Cell(3000, 0.5, repeat), 77, tokenizer), tokenizer)
    assert open_haystack("prose", 77, tokenizer).splice_safe is (tokenizer is not superword)


def test_a_tokenizer_caught_late_is_counted_whole_from_then_on(superword: FastTokenizer, audit: Audit) -> None:
    hay = open_haystack("noise", 4711, superword)
    hay.tokens(0, 2000)  # all that the prompt takes
    hay.splice_safe = True  # as if the table had seen nothing
    audit(build_task("passkey").sample(Cell(1000, 0.5, 0), 4711, superword), superword)
    assert not hay.splice_safe


def test_a_tokenizer_caught_by_an_audit_is_counted_whole_from_then_on(
    byte_bpe: FastTokenizer, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    hay = open_haystack("noise", 4712, byte_bpe)
    spliced = Counter.spliced
    monkeypatch.setattr(Counter, "spliced", lambda *given: (spliced(*given)[0] + 1, spliced(*given)[1]))
    audit(build_task("passkey").sample(Cell(1000, 0.5, 0), 4712, byte_bpe), byte_bpe)
    assert not hay.splice_safe


def test_by_how_much_a_spliced_count_is_off_is_learnt_from_one_whole_count(
    byte_bpe: FastTokenizer, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_haystack("prose", 4713, byte_bpe).splice_safe = False
    spliced, whole = Counter.spliced, Counter.whole
    calls: list[object] = []
    monkeypatch.setattr(Counter, "spliced", lambda *given: (spliced(*given)[0] - 30, spliced(*given)[1]))
    monkeypatch.setattr(Counter, "whole", lambda self, pieces: calls.append(pieces) or whole(self, pieces))
    audit(build_task("niah:needles=3").sample(Cell(2000, 0.5, 0), 4713, byte_bpe), byte_bpe)
    assert len(calls) == 3  # the first try, the second one, and the prompt


def test_an_answer_has_the_tokens_that_the_user_names_or_its_own_and_some_more(byte_bpe: FastTokenizer) -> None:
    assert answer_budget(byte_bpe, "Rome 1234567", 4) == len(byte_bpe.encode(" Rome 1234567").ids) + 4
    assert answer_budget(byte_bpe.with_settings(PromptSettings(answer_tokens=33)), "Rome", 4) == 33


def test_short_lengths_share_a_draw_and_others_have_their_own() -> None:
    assert [draw_key(length, 512) for length in (0, 128, 511, 512, 513)] == [0, 0, 0, 512, 513]


def test_samples_do_not_depend_on_the_order_of_calls(tokenizer: FastTokenizer) -> None:
    cells = [Cell(length, depth, repeat) for length in (1500, 450, 700) for depth in (0.9, 0.3) for repeat in (0, 1)]
    specs = ("niah:needles=3", "passkey:haystack=prose")
    open_haystack.cache_clear()
    forwards = {(spec, cell): build_task(spec).sample(cell, 0, tokenizer) for spec in specs for cell in cells}
    open_haystack.cache_clear()
    backwards = {}
    for spec in specs[::-1]:
        for cell in cells[::-1]:
            build_task("niah:kind=uuid").sample(Cell(500 + cell.length, 0.1, 9), 0, tokenizer)
            backwards[spec, cell] = build_task(spec).sample(cell, 0, tokenizer)
    assert forwards == backwards


NASTY = {
    "dots": "The gate fell shut. Contents" + "." * 60 + " He left early in the morning with nothing. She stayed.",
    "dashes": "He waited " + "-" * 40 + " and then he left without a word. She stayed behind, alone.",
    "emoji": "It rained. 😀👨‍👩‍👧‍👦👩🏽‍🚀 they wrote. 今天天气很好. Ünïcödé ſtuff here. " * 3,
    "short": "Yes.",
    "no stop": "a heading without a stop",
    "spaces": "It  was \t cold\u00a0there.\r\n\r\n\r\n “Who?” he asked… 'Me.'\n(Yes.) end",
}


@pytest.mark.parametrize("name", NASTY)
def test_a_haystack_of_odd_signs_is_fitted_as_exactly(
    name: str, tokenizer: FastTokenizer, audit: Audit, tmp_path: Path
) -> None:
    file = tmp_path / "odd.txt"
    file.write_text(NASTY[name], "utf-8")
    task = build_task(f"niah:needles=2,haystack=file:{file}")
    for length in range(260, 300):
        audit(task.sample(Cell(length, length % 5 / 4, 0), 0, tokenizer), tokenizer)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    needles=st.integers(1, 20),
    asked=st.integers(1, 3),
    kind=st.sampled_from(["number", "word", "uuid"]),
    prompt=st.sampled_from(["completion", "instruction"]),
    length=st.integers(60, 1000),
    depth=st.none() | st.floats(0, 1),
    repeat=st.integers(0, 50),
    seed=st.integers(0, 3),
)
def test_whatever_is_asked_is_exact_or_refused(
    byte_bpe: FastTokenizer,
    audit: Audit,
    needles: int,
    asked: int,
    kind: str,
    prompt: str,
    length: int,
    depth: float | None,
    repeat: int,
    seed: int,
) -> None:
    asked = min(asked, needles)
    task = build_task(f"niah:needles={needles},asked={asked},kind={kind},prompt={prompt}")
    try:
        sample = task.sample(Cell(length, depth, repeat), seed, byte_bpe)
    except LengthError as error:
        least = int(re.findall(r"\d+", str(error))[-1])
        assert least > length
        assert least < 150 + needles * 100
        return
    audit(sample, byte_bpe)
    assert all(0 <= needle.depth <= 1 and math.isfinite(needle.depth) for needle in sample.needles)


def test_128k_tokens_are_exact(byte_bpe: FastTokenizer, llama3_like: FastTokenizer, audit: Audit) -> None:
    for tokenizer in (byte_bpe, llama3_like):
        audit(build_task("niah:needles=8").sample(Cell(131072, 0.25, 3), 0, tokenizer), tokenizer)


@pytest.mark.slow
def test_a_million_tokens_are_exact(local_tokenizer: FastTokenizer, audit: Audit) -> None:
    for length in (1_000_000, 1 << 20):
        audit(build_task("niah:needles=8").sample(Cell(length, 0.75, 0), 0, local_tokenizer), local_tokenizer)

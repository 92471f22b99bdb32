"""Answers given at once are those given one by one; what fails, fails alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from number_tokenizer import Numbers, ask_for, every_kind, model
from tiny_models import build, prompt

from mta_eval.answering import Feed, ask
from mta_eval.core import Sample
from mta_eval.errors import LengthError
from mta_eval.models.inference import batching, replaced_attention
from mta_eval.models.inference.prefill import Prefill
from mta_eval.models.inference.separate_rows import SeparateRows
from mta_eval.models.inference.shared_prefix_cache import SharedPrefixRows
from mta_eval.models.inference.torch_model import batches, log_probabilities

IN_ROWS = ("llama", "gpt2", "yarn")
APART = ("mta", "mta in one layer", "diff", "talking heads", "longheads", "longheads, released", "sinks")


def questions(count: int = 6) -> list[Sample]:
    """Prompts that begin alike, of different lengths."""
    return [ask_for([*prompt(1, 150), 31 + number, *prompt(number + 2, 2 + 2 * number)]) for number in range(count)]


def fails_where(bad: Callable[[torch.Tensor], bool], error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny llama raises `error` for tokens that are `bad`."""
    one = build("llama")
    forward = one.forward

    def fails(input_ids: torch.Tensor, **options: Any) -> Any:
        if bad(input_ids):
            raise error
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(one, "forward", fails)
    monkeypatch.setattr(replaced_attention, "signature", lambda _: type("", (), {"parameters": ("position_ids",)}))


@every_kind
@settings(max_examples=3, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(1, 60), st.integers(0, 9), st.sampled_from([(), (" 1", " 2")])),
        min_size=2,
        max_size=6,
    )
)
def test_answers_are_those_of_prompts_asked_alone(kind: str, shapes: list[tuple[int, int, int, Any]]) -> None:
    samples, before = [], prompt(0, 100)
    for number, (shared, own, most, stop) in enumerate(shapes):
        before = before[:shared] + prompt(number + 1, own)
        samples.append(ask_for(before, most, stop))
    ends = frozenset({7, 8, 9})
    assert list(model(kind, True, ends).generate(samples)) == list(model(kind, False, ends).generate(samples))


@every_kind
@pytest.mark.parametrize("alike", [True, False])
def test_answers_are_decoded_in_rows_where_that_can_be(kind: str, alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def count_in(rows: Any) -> None:
        step = rows.step

        def counted(self: Any, tokens: Any, *options: Any) -> Any:
            counts.append(len(tokens))
            return step(self, tokens, *options)

        monkeypatch.setattr(rows, "step", counted)

    count_in(SeparateRows if kind in APART else SharedPrefixRows)
    samples = questions() if alike else [ask_for([number, *prompt(number, 20 + number)]) for number in range(1, 7)]
    asked = model(kind)
    assert len(list(asked.generate(samples))) == 6
    assert bool(counts) == (kind in IN_ROWS + APART)
    assert set(counts[:3]) <= {6}
    if not alike:
        assert asked.prefilled_tokens == sum(sample.prompt_tokens for sample in samples)


def test_short_prompts_with_little_in_common_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, read = [], Prefill.read_padded

    def counted(self: Prefill, prompts: list[list[int]]) -> Any:
        counts.append(len(prompts))
        return read(self, prompts)

    monkeypatch.setattr(Prefill, "read_padded", counted)
    unlike = [ask_for([number, *prompt(number, 20 + 3 * number)]) for number in range(1, 7)]
    assert list(model().generate(unlike)) == list(model(reuse=False).generate(unlike))
    assert counts == [6]
    list(model().generate(questions()))
    list(model("mta").generate(unlike))
    monkeypatch.setattr(batching, "SHORT_PROMPT", 30)
    list(model().generate(unlike))
    assert counts == [6]


def test_one_of_several_short_prompts_that_cannot_be_read_fails_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [ask_for([number, *prompt(number, 20)]) for number in range(1, 7)]
    wanted = list(model(reuse=False).generate(samples))
    samples[3] = ask_for([0, *prompt(9, 20)])
    fails_where(lambda ids: ids.shape[1] > 3 and 0 in ids, IndexError("a token that it cannot read"), monkeypatch)
    records = list(ask(model().generate, Feed((sample, False) for sample in samples)))
    assert [one.response for one in records] == [*wanted[:3], None, *wanted[4:]]
    assert [one.error for one in records if one.error] == ["IndexError: a token that it cannot read"]
    assert capsys.readouterr().err == ""


def test_a_prompt_that_cannot_be_encoded_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, encode = questions(), Numbers.prompt_ids
    wanted = list(model(reuse=False).generate(samples))

    def fails(self: Numbers, text: str, plain: bool) -> list[int]:
        if text == samples[3].prompt:
            raise KeyError("no such token")
        return encode(self, text, plain)

    monkeypatch.setattr(Numbers, "prompt_ids", fails)
    records = list(ask(model().generate, Feed((sample, False) for sample in samples)))
    assert [one.response for one in records] == [*wanted[:3], None, *wanted[4:]]
    assert records[3].error == "KeyError: 'no such token'"


def test_a_model_without_a_cache_that_gives_all_logits_is_read_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = list(model(reuse=False).generate(questions(2)))
    one = build("llama")
    forward = one.forward

    def plain(input_ids: torch.Tensor, **_: Any) -> Any:
        return SimpleNamespace(logits=forward(input_ids=input_ids, use_cache=False).logits)

    monkeypatch.setattr(one, "forward", plain)
    assert list(model().generate(questions(2))) == wanted


def test_answers_of_no_tokens_are_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    samples = [ask_for(prompt(1, 400), 0), ask_for(prompt(2, 370), 9), ask_for(prompt(3, 370), 9)]
    assert list(model("gpt2").generate(samples)) == list(model("gpt2", reuse=False).generate(samples))
    assert "mta-eval" not in capsys.readouterr().err


def test_questions_on_one_context_read_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, read = model(), []
    tails = batching.read_suffixes

    def watched(*given: Any, last_only: bool) -> torch.Tensor:
        read.append(len(given[1]))
        return tails(*given, last_only=last_only)

    monkeypatch.setattr("mta_eval.models.inference.decoding.read_suffixes", watched)
    list(asked.generate(questions()))
    assert read == [6]
    assert asked.prefilled_tokens == 150 + sum(3 + 2 * number for number in range(6))
    alone = model(reuse=False)
    list(alone.generate(questions()))
    assert alone.prefilled_tokens == sum(sample.prompt_tokens for sample in questions())


def test_choices_read_their_prompt_once() -> None:
    sample, asked = ask_for(prompt(1, 100)), model()
    texts = [" 3 4 5", " 3 9", " 12"]
    found = asked.loglikelihood([(sample, text) for text in texts])
    # the last token of the prompt is read again with each, for what it says of the first of the choice
    assert asked.prefilled_tokens == 100 + (3 + 3 + 2)
    for text, value in zip(texts, found, strict=True):
        ids = Numbers().prompt_ids(sample.prompt + text, True)
        with torch.inference_mode():
            logits = torch.log_softmax(build("llama")(torch.tensor([ids])).logits[0], -1)
        wanted = sum(float(logits[at - 1, ids[at]]) for at in range(100, len(ids)))
        assert math.isclose(value, wanted, rel_tol=1e-9)


@every_kind
def test_every_token_of_a_prompt_has_its_likelihood(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mta_eval.models.inference.torch_model.LOGITS_MEMORY", 16 * 40 * 8)
    monkeypatch.setattr("mta_eval.models.inference.torch_model.LOGITS_ROWS", 10)
    samples = [ask_for(prompt(1, 70)), ask_for(prompt(1, 1)), ask_for(prompt(1, 50) + prompt(2, 47))]
    for sample, found in zip(samples, model(kind).token_loglikelihoods(samples), strict=True):
        ids = Numbers().prompt_ids(sample.prompt, True)
        with torch.inference_mode():
            logits = torch.log_softmax(build(kind)(torch.tensor([ids])).logits[0], -1)
        assert found == pytest.approx([float(logits[at, token]) for at, token in enumerate(ids[1:])], abs=1e-6)
        assert len(found) == sample.prompt_tokens - 1


def test_where_memory_ends_texts_are_read_in_smaller_pieces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mta_eval.models.inference.torch_model.LOGITS_ROWS", 10)
    samples = [ask_for(prompt(1, 70)), ask_for(prompt(2, 60))]
    wanted = list(model().token_loglikelihoods(samples))
    fails_where(lambda ids: ids.shape[1] > 20, torch.OutOfMemoryError("CUDA out of memory"), monkeypatch)
    found = list(model().token_loglikelihoods(samples))
    assert found == [pytest.approx(values, abs=1e-9) for values in wanted]
    said = "mta-eval: out of memory; texts are read {} tokens at a time\n"
    assert capsys.readouterr().err == said.format(35) + said.format(17)
    monkeypatch.setattr("mta_eval.models.inference.torch_model.LOGITS_ROWS", 40)
    with pytest.raises(torch.OutOfMemoryError):
        list(model().token_loglikelihoods(samples))


def test_a_prompt_that_cannot_be_read_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = questions()
    samples[3] = ask_for([*prompt(1, 150), 0, 1, 2, 3])
    wanted = list(model(reuse=False).generate(samples))
    fails_where(lambda ids: ids.shape[1] > 3 and 0 in ids, IndexError("a token that it cannot read"), monkeypatch)
    asked = model()
    records = list(ask(asked.generate, Feed((sample, False) for sample in samples)))
    assert [one.sample for one in records] == samples
    assert [one.response for one in records] == [*wanted[:3], None, *wanted[4:]]
    assert [one.error for one in records if one.error] == ["IndexError: a token that it cannot read"]


def test_a_sample_that_cannot_be_made_stops_after_those_before_it() -> None:
    def made() -> Iterator[Sample]:
        yield from questions(3)
        raise LengthError("too long")

    answers = model().generate(made())
    assert [next(answers) for _ in range(3)] == list(model(reuse=False).generate(questions(3)))
    with pytest.raises(LengthError):
        next(answers)


def test_samples_are_taken_in_groups_and_none_is_left_out() -> None:
    samples = questions(6)
    assert [len(group) for group in batches(samples, 4)] == [4, 2]
    assert [sample for group in batches(samples, 4) for sample in group] == samples
    assert list(batches([], 4)) == []


@pytest.mark.parametrize(
    "failure", [replaced_attention.UnsupportedAttentionError("softcap"), torch.OutOfMemoryError("CUDA out of memory")]
)
def test_where_rows_fail_samples_are_answered_alone(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = []

    def fails(*_: Any) -> torch.Tensor:
        tried.append(1)
        raise failure

    wanted = list(model(reuse=False).generate(questions()))
    monkeypatch.setattr(SharedPrefixRows, "step", fails)
    assert list(model().generate(questions())) == wanted
    assert len(tried) == 1
    said = "mta-eval: out of memory; samples are answered one at a time from here on\n"
    assert capsys.readouterr().err == (said if isinstance(failure, torch.OutOfMemoryError) else "")


def test_attention_with_more_to_it_is_not_decoded_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = list(model(reuse=False).generate(questions()))
    monkeypatch.setattr(replaced_attention, "IGNORED_OPTIONS", ())
    asked = model()
    assert list(asked.generate(questions())) == wanted
    assert not asked._batching


def test_nothing_is_kept_of_prompts_when_all_are_answered() -> None:
    asked = model()
    list(asked.generate(questions()))
    assert not asked._prefill._state
    stopped = asked.generate(questions())
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert not asked._prefill._state


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_row_with_a_logit_that_is_no_number_has_no_log_probabilities(odd: float) -> None:
    logits = torch.tensor([[0.0, 0.0, odd], [0.0, 0.0, float("-inf")]])
    first, second = log_probabilities(logits, [0, 1])
    assert math.isnan(first)
    assert second == pytest.approx(-math.log(2))

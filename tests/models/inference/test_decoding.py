"""Answers with guessed tokens are those of one token at a time, whether the guesses are right or wrong."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
from number_tokenizer import Numbers, ask_for, every_kind, model
from tiny_models import prompt

from mta_eval.core import Sample
from mta_eval.models.inference.growing_answer import GrowingAnswer
from mta_eval.models.inference.prefill import Prefill
from mta_eval.models.inference.separate_rows import SeparateRows
from mta_eval.models.inference.shared_prefix_cache import SharedPrefixRows

GUESSING = {"llama", "gpt2", "yarn", "wide sliding", "mta", "mta in one layer", "diff", "talking heads"}


def repeating(count: int) -> list[Sample]:
    """Prompts whose end stood before, and answers long enough to repeat themselves."""
    return [
        ask_for([*prompt(1, 60), *prompt(number, 20), *prompt(7, 9), *prompt(number, 20)], 40)
        for number in range(2, 2 + count)
    ]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(guessed, right) of every step."""
    found: list[tuple[int, int]] = []
    check = GrowingAnswer.accept

    def counted(self: GrowingAnswer, guessed: Any, chosen: Any) -> int:
        right = check(self, guessed, chosen)
        found.append((len(guessed), right))
        return right

    monkeypatch.setattr(GrowingAnswer, "accept", counted)
    return found


@every_kind
@pytest.mark.parametrize("count", [1, 5])
def test_answers_with_guesses_are_those_without(
    kind: str, count: int, checked: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = repeating(count)
    wanted = list(model(kind, reuse=False).generate(samples))
    assert all(guessed == 0 for guessed, _ in checked)
    checked.clear()
    draws = cycle([9, 0, 3, 1, 7, 2])

    def partly_right(self: GrowingAnswer, most: int) -> list[int]:
        """What the answer is going to be, up to a token that it is not."""
        ids = Numbers().prompt_ids(wanted[samples.index(self._sample)].text, True)
        found = ids[len(self.tokens) :][: max(0, min(most, 39 - len(self.tokens)))]
        wrong = next(draws)
        return [token if at != wrong else 1 + token % 39 for at, token in enumerate(found)]

    monkeypatch.setattr(GrowingAnswer, "draft", partly_right)
    assert list(model(kind).generate(samples)) == wanted
    if kind in GUESSING:
        assert {0, 1, 2, 3, 7, 8} <= {right for _, right in checked}
        assert any(guessed == right == 8 for guessed, right in checked)
        assert len(checked) < 20 * count
    else:
        assert all(guessed == 0 for guessed, _ in checked)


def test_a_step_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of one answer, and tokens of all rows."""
    sizes: dict[type, list[int]] = {Prefill: [], SharedPrefixRows: [], SeparateRows: []}
    for kind, size in ((Prefill, 0), (SharedPrefixRows, 1), (SeparateRows, 1)):
        step = kind.step

        def counted(self: Any, tokens: Any, *options: Any, step: Any = step, size: int = size) -> Any:
            sizes[type(self)].append(len(tokens) * max(map(len, tokens)) if size else len(tokens))
            return step(self, tokens, *options)

        monkeypatch.setattr(kind, "step", counted)
    monkeypatch.setattr("mta_eval.models.inference.prompt_lookup.MIN_MATCH", 1)
    monkeypatch.setattr("mta_eval.models.inference.decoding.STEP_TOKENS", 20)
    monkeypatch.setattr("mta_eval.models.inference.decoding.DRAFT_TOKENS", 6)
    list(model().generate(repeating(5)))
    assert sizes[SharedPrefixRows][0] > 20  # what follows on the shared tokens
    assert max(sizes[SharedPrefixRows][1:]) == 20
    list(model("mta").generate(repeating(5)))
    assert max(sizes[SeparateRows]) == 20
    sizes[Prefill].clear()
    list(model().generate(repeating(1)))
    assert sorted(sizes[Prefill])[-2:] == [7, 109]

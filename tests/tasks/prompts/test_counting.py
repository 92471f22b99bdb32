"""What a prompt's tokens are counted with, and what of it is remembered."""

from __future__ import annotations

import pytest

from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.tasks.prompts import haystack as haystacks
from mta_eval.tasks.prompts.counting import Counter, FillerRun, NotLocalError, Piece
from mta_eval.tasks.prompts.haystack import Haystack
from mta_eval.tasks.prompts.sources import open_source


def test_a_count_is_spliced_with_its_bias_or_whole_without_one(byte_bpe: FastTokenizer) -> None:
    counter = Counter(Haystack(open_source("prose", 0), byte_bpe), (2, 3))
    pieces = [Piece("Read this.\n\n"), FillerRun(0, 30), Piece(" The sea is wide.", 1), Piece("\n\nWell?")]
    count, spans = counter.whole(pieces)
    assert counter.measure(pieces) == (count, spans)
    assert count == 5 + len(byte_bpe.encode("".join(_texts(counter.haystack, pieces))).ids)
    counter.bias = 7
    assert counter.measure(pieces) == (count + 7, spans)
    counter.bias = None
    assert counter.measure(pieces) == (count, spans)


def _texts(hay: Haystack, pieces: list[Piece | FillerRun]) -> list[str]:
    return [piece.text if isinstance(piece, Piece) else hay.text(*piece) for piece in pieces]


def test_a_token_across_a_seam_is_found_out(superword: FastTokenizer) -> None:
    hay = Haystack(open_source("noise", 0), superword)
    hay.tokens(0, 200)
    assert not hay.splice_safe
    hay.splice_safe = True  # as if the table had seen nothing
    counter = Counter(hay, (0, 0))
    with pytest.raises(NotLocalError):
        counter.spliced([FillerRun(0, 20), Piece(" The sky is blue. The sun", 1), FillerRun(20, 100)])


def test_short_texts_are_forgotten_between_prompts_once_they_are_many(
    byte_bpe: FastTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hay = Haystack(open_source("prose", 0), byte_bpe)
    kept = hay.spans("The sea is wide.")
    monkeypatch.setattr(haystacks, "TOKENS_KEPT", len(kept))
    Counter(hay, (0, 0))
    assert hay.spans("The sea is wide.") is kept
    hay.spans("Well?")
    Counter(hay, (0, 0))
    again = hay.spans("The sea is wide.")
    assert again == kept
    assert again is not kept
    Counter(hay, (0, 0))
    assert hay.spans("The sea is wide.") is again  # counted anew from there

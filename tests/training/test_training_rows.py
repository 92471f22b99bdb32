"""Rows of several kinds: the same whether they are made one by one or together."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from mta_eval.training.rows import AnswerRows, MixedRows, RowBatch, Stage, StagedRows, Stream, TextParts


class Numbers(AnswerRows):
    """Rows of one number over and over, which says which row they are."""

    answers = ((-1,), (-3, -2))

    def __init__(self, add: int) -> None:
        self.add = add

    def __call__(self, stream: Stream, index: int) -> list[int]:
        return [self.add + index] * 5


class Packed:
    """Rows of two documents each."""

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        tokens = torch.tensor([[1000 + index] * 5 for index in indices])
        documents = torch.tensor([[1, 1, 2, 2, 0]] * len(indices))
        return RowBatch(tokens, torch.full(tokens.shape, 0.5), torch.ones_like(tokens), documents)

    def held_out_texts(self) -> Any:
        return {"wiki": (self, 3)}


def test_answers_are_numbered_and_alone_count() -> None:
    batch = Numbers(0).batch("training", [7, 2])
    assert batch.tokens.tolist() == [[7] * 5, [2] * 5]
    assert batch.answers.tolist() == [[0, 0, 2, 2, 1]] * 2
    assert batch.weights.tolist() == [[0, 0, 1, 1, 1]] * 2
    assert batch.documents is None


def test_a_part_of_a_batch_has_those_rows_of_every_field() -> None:
    part = Packed().batch("training", range(5)).part(1, 3)
    assert [None if field is None else len(field) for field in part] == [2, 2, 2, 2]
    assert part.tokens[:, 0].tolist() == [1001, 1002]
    assert Numbers(0).batch("training", range(5)).part(1, 3).documents is None


@pytest.mark.parametrize("second", [Packed(), Numbers(500)])
def test_a_mixture_has_the_rows_of_its_parts_in_their_order(second: Any) -> None:
    mixed = MixedRows([(0.7, Numbers(0)), (0.3, second)])
    together = mixed.batch("training", range(40))
    kinds = (together.tokens[:, 0] >= 500).tolist()
    assert 4 < sum(kinds) < 20
    for index, of_second in enumerate(kinds):
        wanted = (second if of_second else Numbers(0)).batch("training", [index])
        documents = wanted.documents if wanted.documents is not None else torch.ones_like(wanted.tokens)
        for field, whole in zip(wanted[:3], together[:3], strict=True):
            assert torch.equal(field[0], whole[index])
        if isinstance(second, Packed):
            assert together.documents is not None
            assert torch.equal(together.documents[index], documents[0])
        else:
            assert together.documents is None
    other = (mixed.batch("validation", range(40)).tokens[:, 0] >= 500).tolist()
    assert other != kinds


def test_a_share_of_nothing_has_no_rows() -> None:
    mixed = MixedRows([(1.0, Numbers(0)), (0.0, Numbers(500))])
    assert mixed.batch("test", range(30)).tokens.max() < 30


def test_a_mixture_knows_the_text_among_its_parts() -> None:
    packed = Packed()
    mixed = MixedRows([(0.5, Numbers(0)), (0.5, packed)])
    assert isinstance(mixed, TextParts)
    assert mixed.held_out_texts() == {"wiki": (packed, 3)}
    assert not isinstance(Numbers(0), TextParts)


def test_stages_come_one_after_another_and_the_last_one_is_asked() -> None:
    one, two = Stage(2, 8, Numbers(0)), Stage(3, 4, Numbers(500))
    staged = StagedRows([one, two])
    assert [staged.stage(step) for step in range(6)] == [(one, 0), (one, 8), (two, 0), (two, 4), (two, 8), (two, 12)]
    assert staged.batch("test", [1]).tokens.tolist() == [[501] * 5]

"""Where needles are placed when others take up the place of the swept one."""

from __future__ import annotations

import pytest

from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.tasks.prompts.counting import Piece
from mta_eval.tasks.prompts.fitting import insert_needles
from mta_eval.tasks.prompts.haystack import Haystack, open_haystack
from mta_eval.tasks.prompts.layout import Layout, NeedlePlacement
from mta_eval.tasks.prompts.sources import Written
from mta_eval.tasks.prompts.template import PromptTemplate

LARGE = " ".join(f"The city number {number} is large." for number in range(20))


@pytest.mark.parametrize(("sizes", "swept", "depth"), [([50, 10], 1, 0.1), ([10, 50], 0, 0.9)], ids=["before", "after"])
def test_a_large_needle_is_moved_to_the_other_side_of_the_swept_one(
    sizes: list[int], swept: int, depth: float, byte_bpe: FastTokenizer
) -> None:
    for keep_order, order in ((False, [1, 0]), (True, [0, 1])):
        inserts = [NeedlePlacement("A.", depth), NeedlePlacement("B.", depth)]
        layout = Layout(open_haystack("prose", 0, byte_bpe), 0, ("", ""), inserts, list(sizes))
        layout.aim(100, swept, depth, keep_order)
        assert layout.order == order


@pytest.mark.parametrize("depth", [0.1, 0.9])
def test_the_swept_needle_has_its_depth_beside_a_large_one(depth: float, byte_bpe: FastTokenizer) -> None:
    inserts = [NeedlePlacement(LARGE, depth), NeedlePlacement("The sea is wide.", depth)]
    inserts = inserts if depth < 0.5 else inserts[::-1]
    swept = 1 if depth < 0.5 else 0
    haystack, template = open_haystack("prose", 0, byte_bpe), PromptTemplate("", "\n\nQuestion?")
    fitted = insert_needles(haystack, 0, template, inserts, 600, 10, label="x", swept_needle=swept, depth=depth)
    assert fitted.depths[fitted.order.index(swept)] == pytest.approx(depth, abs=0.06)


def test_needles_stand_at_their_own_depths_where_none_is_swept(byte_bpe: FastTokenizer) -> None:
    inserts = [NeedlePlacement("The sea is wide.", 0.2), NeedlePlacement("The hill is high.", 0.7)]
    haystack = open_haystack("prose", 0, byte_bpe)
    template = PromptTemplate("Read this. " * 30 + "\n\n", "\n\n" + "Answer that. " * 30)  # no part of the context
    fitted = insert_needles(haystack, 0, template, inserts, 1500, 10, label="x")
    assert fitted.depths == pytest.approx((0.2, 0.7), abs=0.02)


@pytest.mark.parametrize(("swept", "depth"), [(1, 0.0), (0, 1.0)])
def test_needles_kept_in_order_stand_together_at_either_end(swept: int, depth: float, byte_bpe: FastTokenizer) -> None:
    inserts = [NeedlePlacement("The sea is wide.", depth), NeedlePlacement("The hill is high.", depth)]
    haystack, template = open_haystack("prose", 0, byte_bpe), PromptTemplate("", "\n\nQuestion?")
    fitted = insert_needles(
        haystack, 0, template, inserts, 600, 10, label="x", swept_needle=swept, depth=depth, keep_order=True
    )
    context = fitted.prompt.removesuffix("\n\nQuestion?")
    both = "The sea is wide. The hill is high."
    assert context.startswith(both) if depth == 0 else context.endswith(both)
    assert fitted.order == (0, 1)


@pytest.mark.parametrize(
    ("swept", "depth", "depths", "targets"),
    [
        (1, 0.5, (0.25, 0.9, 0.75), [255, 510, 755]),  # of 1,000 tokens; 520 with the first needle's 10
        (1, 0.5, (0.7, 0.5, 0.4), [510, 510, 510]),
        (0, 0.25, (0.25, 0.5, 1.0), [262.5, 508 + 1 / 3, 1000]),
        (0, 1.0, (1.0, 0.3, 0.6), [1000, 1000, 1000]),
        (2, 0.0, (0.3, 0.6, 0.0), [0, 0, 0]),
    ],
)
def test_others_share_the_text_before_and_after_the_swept_needle(
    swept: int, depth: float, depths: tuple[float, ...], targets: list[float], byte_bpe: FastTokenizer
) -> None:
    inserts = [NeedlePlacement("A.", own) for own in depths]
    layout = Layout(open_haystack("prose", 0, byte_bpe), 0, ("", ""), inserts, [10, 20, 30])
    layout.aim(1060, swept, depth, keep_order=True)
    assert layout._targets == pytest.approx(targets)


def test_inserts_of_which_there_is_no_more_room_leave_no_filler(byte_bpe: FastTokenizer) -> None:
    layout = Layout(open_haystack("prose", 0, byte_bpe), 0, ("", ""), [NeedlePlacement("A.", 0.5)], [50])
    layout.aim(20, 0, 0.5, keep_order=True)
    assert layout.filler_tokens == 0
    layout.aim(80, 0, 0.5, keep_order=True)
    assert layout.filler_tokens == 30


@pytest.mark.parametrize(
    ("sizes", "swept", "depth", "order"),
    [
        ([50, 10], 1, 0.27, [1, 0]),  # wanted after 24.3 tokens, before the middle of the first one's 50
        ([50, 10], 1, 0.29, [0, 1]),
        ([10, 50], 0, 0.73, [1, 0]),
        ([10, 50], 0, 0.71, [0, 1]),
        ([20, 30, 10], 2, 0.2, [0, 2, 1]),
        ([10, 30, 20], 0, 0.8, [1, 0, 2]),
        ([30, 30, 10], 2, 0.1, [2, 0, 1]),
    ],
)
def test_a_needle_is_moved_to_the_side_of_the_swept_one_where_more_of_it_fits(
    sizes: list[int], swept: int, depth: float, order: list[int], byte_bpe: FastTokenizer
) -> None:
    inserts = [NeedlePlacement(text, depth) for text in ("A.", "B.", "C.")[: len(sizes)]]
    layout = Layout(open_haystack("prose", 0, byte_bpe), 0, ("", ""), inserts, list(sizes))
    layout.aim(100, swept, depth, keep_order=False)
    assert layout.order == order
    assert [insert.text for insert in layout._inserts] == [("A.", "B.", "C.")[index] for index in order]
    assert layout._sizes == [sizes[index] for index in order]


ONE_TO_FOUR = "One is here. Two is here.\n\nThree is here. Four is here."


@pytest.mark.parametrize(
    ("before", "own_line", "end", "fragment", "context"),
    [
        (0, False, 4, None, "The sea is wide. One is here. Two is here.\n\nThree is here. Four is here."),
        (1, False, 4, None, "One is here. The sea is wide. Two is here.\n\nThree is here. Four is here."),
        (2, False, 4, None, "One is here. Two is here.\n\nThe sea is wide. Three is here. Four is here."),
        (3, False, 4, None, "One is here. Two is here.\n\nThree is here. The sea is wide. Four is here."),
        (4, False, 4, None, "One is here. Two is here.\n\nThree is here. Four is here.\n\nThe sea is wide."),
        (0, True, 4, None, "The sea is wide.\nOne is here. Two is here.\n\nThree is here. Four is here."),
        (1, True, 4, None, "One is here.\nThe sea is wide.\nTwo is here.\n\nThree is here. Four is here."),
        (4, True, 3, None, "One is here. Two is here.\n\nThree is here.\nThe sea is wide."),
        (1, False, 1, None, "One is here. The sea is wide."),
        (0, False, 1, None, "The sea is wide. One is here."),
        (0, False, 0, None, "The sea is wide."),
        (1, False, 2, "Three.", "One is here. The sea is wide. Two is here.\n\nThree."),
        (1, True, 1, "Two.", "One is here.\nThe sea is wide.\nTwo."),
        (3, False, 2, "Three.", "One is here. Two is here.\n\nThree. The sea is wide."),
    ],
)
def test_what_stands_between_sentences_lines_and_needles(
    before: int, own_line: bool, end: int, fragment: str | None, context: str, byte_bpe: FastTokenizer
) -> None:
    hay = Haystack(Written(ONE_TO_FOUR, "x"), byte_bpe)
    inserts = [NeedlePlacement("The sea is wide.", 0.5, own_line)]
    layout = Layout(hay, 0, ("Read:\n", "\nWell?"), inserts, [6])
    layout._room, layout._targets = 6 + hay.tokens(0, end) + bool(fragment) * 2, [float(hay.tokens(0, before))]
    pieces = layout.pieces(end, fragment)
    texts = [piece.text if isinstance(piece, Piece) else hay.text(*piece) for piece in pieces]
    assert "".join(texts) == f"Read:\n{context}\nWell?"
    (needle,) = (piece for piece in pieces if isinstance(piece, Piece) and piece.insert_start >= 0)
    assert needle.text[needle.insert_start :] == "The sea is wide."

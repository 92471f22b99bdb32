"""Tokenizers of our own: every text, digit by digit, the same from the same texts."""

import pytest
from tiny_language import texts_of

from mta_eval.errors import SpecError
from mta_eval.tasks.prompts import pools
from mta_eval.training.word_pieces import BOS, EOS, learn_tokenizer

TEXTS = texts_of("note", 60, 20)


def test_every_text_comes_back_and_digits_are_alone() -> None:
    made = learn_tokenizer(TEXTS * 5, 400)
    for text in (TEXTS[0], "Ünïcode 🙂\n\ttabs", "1234567", ""):
        assert made.decode(made(text)["input_ids"], skip_special_tokens=True) == text
    assert made("the 1234")["input_ids"][-4:] == made.convert_tokens_to_ids(list("1234"))
    assert any(token in made.get_vocab() for token in ("Ġthe", "the"))


def test_a_prompt_has_bos_before_it_and_nothing_behind_it() -> None:
    made = learn_tokenizer(TEXTS, 300)
    assert (made.bos_token, made.eos_token) == (BOS, EOS)
    ids = made("the cat")["input_ids"]
    assert ids[0] == made.bos_token_id
    assert made.eos_token_id not in ids


def test_the_same_texts_give_the_same_tokenizer_of_the_size_that_was_asked() -> None:
    first, again = (learn_tokenizer(iter(TEXTS), 350).backend_tokenizer.to_str() for _ in range(2))
    assert first == again
    cities = [" ".join(pools.CITIES)] * 3
    assert len(learn_tokenizer(cities, 350)) == 350


@pytest.mark.parametrize("size", [0, 299, 200_001])
def test_a_size_that_cannot_be_is_one_line(size: int) -> None:
    with pytest.raises(SpecError, match=rf"^a vocabulary has 300 to 200,000 tokens, not {size}$"):
        learn_tokenizer(TEXTS, size)

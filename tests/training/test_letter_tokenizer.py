from pathlib import Path

import pytest

from mta_eval.models.tokenizer import load_tokenizer
from mta_eval.registry import build_task
from mta_eval.training.letter_tokenizer import ALPHABET, BOS, EOS, IDS, letter_tokenizer, row_ids


def test_there_are_32_ids_each_used_once() -> None:
    assert sorted(IDS.values()) == list(range(32))
    assert ALPHABET == "abcdefghijklmnopqrstuvwxyz.#_"


def test_a_row_is_spelled_between_bos_and_eos() -> None:
    assert row_ids("ab.cd#d", "cd") == [29, 0, 1, 26, 2, 3, 27, 3, 2, 3, 30]
    with pytest.raises(KeyError):
        row_ids("A", "b")


def test_the_tokenizer_spells_a_prompt_as_the_training_did() -> None:
    tokenizer = letter_tokenizer()
    for index in range(20):
        prompt, answer = build_task("letter_blocks:blocks=10").row("training", 0, index)  # type: ignore[attr-defined]
        ids = row_ids(prompt, answer)
        assert tokenizer(prompt)["input_ids"] == ids[: len(prompt) + 1]
        assert tokenizer.decode(ids, skip_special_tokens=True) == prompt + answer
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (IDS[BOS], IDS[EOS])
    assert len(tokenizer) == 32


@pytest.mark.parametrize("unknown", ["A", "7", " ", "\n", "é", "中", "😀"])
def test_what_it_cannot_spell_becomes_an_underscore(unknown: str) -> None:
    tokenizer = letter_tokenizer()
    assert tokenizer.convert_ids_to_tokens(tokenizer(f"a{unknown}b")["input_ids"]) == [BOS, "a", "_", "b"]


def test_tasks_ask_its_models_in_bare_letters(tmp_path: Path) -> None:
    letter_tokenizer().save_pretrained(tmp_path)
    tokenizer = load_tokenizer(str(tmp_path))
    assert not tokenizer.can_spell("Query: A, B?")
    assert tokenizer.can_spell("abc.def#be")
    assert tokenizer.prompt_ids("abc.def#be", plain=True) == row_ids("abc.def#be", "")[:-1]
    assert [end - start for start, end in tokenizer.encode("abc.def#be").spans] == [1] * 10

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from mta_eval import runner
from mta_eval.core import Cell, Plan, Sweep
from mta_eval.errors import ModelError, MtaEvalError
from mta_eval.models.tokenizer import FastTokenizer, TokenizerOnly, load_tokenizer
from mta_eval.registry import build_model
from mta_eval.tasks.niah import Niah

TEXT = "The magic number of Lisbon is 1234567.\n\nThe ferryman kept a jar of honey; “why?”"


def test_specials_are_counted_before_and_after(request: pytest.FixtureRequest) -> None:
    wanted = {"byte_bpe": (1, 0), "unigram": (0, 1), "characters": (0, 0), "llama2_like": (1, 0)}
    for name, specials in wanted.items():
        assert request.getfixturevalue(name).specials == specials


def test_a_text_is_encoded_alone_and_its_spans_are_where_the_tokens_stand(tokenizer: FastTokenizer) -> None:
    encoding = tokenizer.encode(TEXT)
    whole = tokenizer._backend.encode(TEXT, add_special_tokens=True)
    assert len(encoding.ids) == len(encoding.spans) == len(whole.ids) - sum(tokenizer.specials)
    before = tokenizer.specials[0]
    assert encoding.ids == whole.ids[before : before + len(encoding.ids)]
    assert all(0 <= start <= end <= len(TEXT) for start, end in encoding.spans)
    covered = {index for start, end in encoding.spans for index in range(start, end)}
    assert {index for index, character in enumerate(TEXT) if not character.isspace()} <= covered


def test_a_batch_is_each_text_alone(tokenizer: FastTokenizer) -> None:
    texts = [TEXT, "a", TEXT[5:], "by the river"]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


def test_no_truncation_or_padding_is_left_on(byte_bpe: FastTokenizer) -> None:
    backend = Tokenizer.from_str(byte_bpe._backend.to_str())
    backend.enable_truncation(4)
    backend.enable_padding(length=50)
    tokenizer = FastTokenizer(backend, "cut")
    assert tokenizer.encode(TEXT) == byte_bpe.encode(TEXT)
    assert tokenizer.encode_batch(["a", TEXT])[0].ids == byte_bpe.encode("a").ids


def test_what_can_be_spelt_comes_back(byte_bpe: FastTokenizer, characters: FastTokenizer) -> None:
    assert byte_bpe.can_spell(TEXT)
    assert byte_bpe.can_spell("Ünïcödé 今天 😀")
    assert characters.can_spell("the river")
    assert not characters.can_spell("Ω")


def test_a_vocabulary_that_makes_no_tokens_is_called_broken(byte_bpe: FastTokenizer) -> None:
    from tokenizers import models

    broken = FastTokenizer(Tokenizer(models.BPE()), "broken")
    with pytest.raises(ModelError, match="no tokens"):
        broken.encode("hello")
    with pytest.raises(ModelError, match="no tokens"):
        broken.encode_batch(["hello"])
    assert byte_bpe.encode("").ids == []


def test_fingerprints_differ_where_the_cuts_or_the_template_do(
    byte_bpe: FastTokenizer, unigram: FastTokenizer, tokenizer_folder: Path
) -> None:
    copy = FastTokenizer(Tokenizer.from_str(byte_bpe._backend.to_str()), "another name")
    assert copy.fingerprint == byte_bpe.fingerprint
    with_template = load_tokenizer(str(tokenizer_folder))
    assert len({byte_bpe.fingerprint, unigram.fingerprint, with_template.fingerprint}) == 3
    assert with_template.fingerprint == load_tokenizer(str(tokenizer_folder)).fingerprint


def test_a_folder_and_its_tokenizer_json_cut_alike(byte_bpe: FastTokenizer, tokenizer_folder: Path) -> None:
    for path in (tokenizer_folder, tokenizer_folder / "tokenizer.json"):
        tokenizer = load_tokenizer(str(path))
        assert tokenizer.encode(TEXT) == byte_bpe.encode(TEXT)
        assert tokenizer.specials == byte_bpe.specials


def test_a_chat_template_renders_up_to_the_answer(tokenizer_folder: Path, byte_bpe: FastTokenizer) -> None:
    rendered = load_tokenizer(str(tokenizer_folder)).render([{"role": "user", "content": "Hello?"}])
    assert rendered == "<s><|user|>\nHello?</s>\n<|assistant|>\n"
    with pytest.raises(ModelError, match="no chat template"):
        byte_bpe.render([{"role": "user", "content": "Hello?"}])


@pytest.mark.parametrize(
    "path",
    ["/no/such/folder", "./nothing", "a/b/c/d", "no-such-org/no-such-model", "~no-such-user/x", "/no/such.gguf", ""],
)
def test_a_tokenizer_that_is_not_there_is_one_clear_line(path: str) -> None:
    with pytest.raises(ModelError) as error:
        load_tokenizer(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", '{"ver'),
        ("tokenizer.json", '{"version": "1.0"}'),
        ("tokenizer.json", "[]"),
        ("tokenizer_config.json", "{}"),
        ("tokenizer_config.json", "[]"),
        ("spiece.model", "xx"),
        ("notes.txt", "hello"),
    ],
)
def test_a_broken_folder_or_file_is_one_clear_line(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(MtaEvalError) as error:
            load_tokenizer(str(path))
        assert "\n" not in str(error.value)


def test_a_broken_gguf_file_is_one_clear_line(tmp_path: Path) -> None:
    for content in (b"", b"garbage" * 20, b"GGUF\x03\x00\x00\x00"):
        (tmp_path / "model.gguf").write_bytes(content)
        with pytest.raises(ModelError) as error:
            load_tokenizer(str(tmp_path / "model.gguf"))
        assert "\n" not in str(error.value)


def test_a_tokenizer_alone_makes_samples_but_answers_nothing(tokenizer_folder: Path) -> None:
    model = build_model(f"tokenizer:{tokenizer_folder}")
    assert isinstance(model, TokenizerOnly)
    sample = Niah().sample(Cell(300, 0.5, 0), 0, model.tokenizer)
    assert 296 <= sample.prompt_tokens + sample.max_new_tokens <= 300
    assert model.max_length > 10**9
    assert model.abilities == frozenset()
    plan = Plan({"niah": Niah()}, {"m": model}, Sweep((300,), (0.5,), 1))
    with pytest.raises(ModelError, match="tokenizer makes prompts but generates no answers"):
        runner.check(plan)

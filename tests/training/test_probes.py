"""Probes: the suite's own tasks asked of a model in training, and refused before it where they do not fit."""

from typing import Any

import pytest
from tiny_language import texts_of, tokenizer_of

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.errors import LengthError, MtaEvalError
from mta_eval.training import probes as module
from mta_eval.training.probes import Probes

LENGTH = 256


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tokenizer_of(texts_of("note", 60, 20))


@pytest.fixture
def model(tokenizer: Any) -> Any:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    config = MTAConfig(
        **sizes,
        vocab_size=len(tokenizer),
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return MTAForCausalLM(config)


def test_tasks_are_asked_at_their_length_and_texts_are_read_by_domain(model: Any, tokenizer: Any) -> None:
    model.train()
    found = Probes(("passkey", "perplexity:text=prose,windows=1"), (LENGTH,), 2).ask(model, tokenizer)
    assert model.training
    passkey, prose = found
    assert passkey.startswith("passkey ")
    assert prose.startswith("perplexity of prose ")
    assert found[passkey] == 0.0
    assert 50 < found[prose] < 2000  # of 300 tokens, by weights that know nothing
    model.eval()
    assert Probes(("passkey",), (LENGTH,), 1).ask(model, tokenizer)
    assert not model.training


def test_the_same_samples_are_asked_at_every_evaluation(model: Any, tokenizer: Any) -> None:
    probes = Probes(("perplexity:text=prose,windows=1",), (LENGTH,), 1)
    assert probes.ask(model, tokenizer) == probes.ask(model, tokenizer)


def test_what_has_no_value_is_left_out(model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "accuracy", lambda _: None)
    assert Probes(("passkey",), (LENGTH,), 1).ask(model, tokenizer) == {}


def test_a_probe_that_does_not_fit_the_window_is_refused_before_the_training(model: Any, tokenizer: Any) -> None:
    Probes(("passkey",), (LENGTH,), 1).check(model, tokenizer)
    with pytest.raises(LengthError, match=f"length {LENGTH + 1} is beyond the window"):
        Probes(("passkey",), (LENGTH + 1,), 1).check(model, tokenizer)


def test_a_probe_that_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(MtaEvalError, match="niahh"):
        Probes(("niahh",), (LENGTH,), 1)

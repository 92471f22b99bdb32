"""Every decoder-only architecture answers through the adapter as it does in transformers' own generate."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_architectures import ARCHITECTURES, BOS, ENDS, LETTERS, SPACED, UNTESTED, VOCABULARY, WINDOW, build, save
from transformers import AutoTokenizer

from mta_eval.core import Answer, Sample
from mta_eval.models.hf import HuggingFace

# transformers compiles GPT-BigCode's attention so
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
MOST = 10  # tokens of an answer
NEAR_TIE = 1e-4  # a difference of logits that rounding might turn over
# one of each kind of cache, positions, attention, tokenizer class and end; `pytest -m ''` asks all
QUICK = {
    *("llama, tied", "llama, dynamic", "mistral", "qwen2", "qwen3_next", "gemma3_text", "phi3, longrope", "gpt2"),
    *("gpt_neo", "gpt_oss", "falcon, alibi", "deepseek_v3", "minimax", "mamba", "xlstm", "bamba"),
}


def draw_prompts() -> list[list[int]]:
    """Tokens of prompts: alone and with common starts; within a sliding window and beyond; one that repeats itself."""
    draw = random.Random(0)

    def tokens(count: int) -> list[int]:
        return [draw.randrange(SPACED, VOCABULARY) for _ in range(count)]

    base = tokens(50)
    apart = [tokens(count) for count in (1, 5, 25, 40)]
    branching = [base[:30] + tokens(4), base[:30] + tokens(9), (tokens(6) * 9)[:50], base[:45] + tokens(20)]
    return [*apart, *branching, *(base + tokens(count) for count in (3, 7, 2, 5, 5, 3, 9, 4))]


PROMPTS = draw_prompts()
TEXTS = ([SPACED + 1], [SPACED + 2, SPACED + 3], [SPACED + 2, SPACED, SPACED + 5], [SPACED + 1, SPACED])


def spell(ids: Sequence[int]) -> str:
    return "".join(f" {LETTERS[token - SPACED]}" for token in ids)


def ask(ids: Sequence[int]) -> Sample:
    return Sample(spell(ids), "t", spell(ids), (), {}, WINDOW, 1 + len(ids), MOST)


@dataclass(frozen=True)
class Checkpoint:
    """A saved model; the same model as it was before it was saved; and what that answers each prompt."""

    folder: Path
    model: Any
    answers: list[Answer]

    def adapter(self, reuse: bool = True) -> HuggingFace:
        return HuggingFace(str(self.folder), dtype="float32", device="cpu", reuse=reuse)

    def log_probabilities(self, ids: list[int]) -> torch.Tensor:
        """log p of each token but BOS, by one plain pass; of a copy, since some models remember the longest text."""
        inputs = torch.tensor([[BOS, *ids]])
        with torch.inference_mode():
            logits = copy.deepcopy(self.model)(inputs).logits[0, :-1]
        return logits.log_softmax(-1).gather(1, inputs[0, 1:, None])[:, 0]


def reference(model: Any, tokenizer: Any, ids: list[int], use_cache: bool) -> Answer:
    """What transformers' generate answers."""
    inputs = torch.tensor([[BOS, *ids]])
    assert tokenizer(spell(ids)).input_ids == inputs[0].tolist()
    output = copy.deepcopy(model).generate(
        inputs,
        attention_mask=torch.ones_like(inputs),
        **{"do_sample": False, "max_new_tokens": MOST, "eos_token_id": list(ENDS), "pad_token_id": 0},
        **{"use_cache": use_cache, "return_dict_in_generate": True, "output_logits": True},
    )
    best = torch.cat(output.logits).float().topk(2).values
    assert (best[:, 0] - best[:, 1]).min() > NEAR_TIE, "choose another seed in SEEDS"
    tokens = output.sequences[0, inputs.shape[1] :].tolist()
    said = tokens[:-1] if (ended := tokens[-1] in ENDS) else tokens
    text = tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Answer(text, "", "stop" if ended else "length", inputs.shape[1], len(tokens))


def parameters() -> Iterator[Any]:
    for name in ARCHITECTURES:
        yield pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name, reason in UNTESTED.items():
        yield pytest.param(name, marks=pytest.mark.skip(reason=f"{name}: {reason}"))


@pytest.fixture(scope="module", params=parameters())
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    name: str = request.param
    model = build(name)
    folder = save(model, tmp_path_factory.mktemp("architecture"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # where longrope switches its angles, generate drops the cache but reads the last token alone (transformers 5.19)
    answers = [reference(model, tokenizer, ids, use_cache="longrope" not in name) for ids in PROMPTS]
    return Checkpoint(folder, model, answers)


def test_answers_and_likelihoods_are_those_of_transformers(
    checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [ask(ids) for ids in PROMPTS]
    adapter, alone = checkpoint.adapter(), checkpoint.adapter(reuse=False)
    assert list(adapter.generate(samples)) == checkpoint.answers
    assert list(alone.generate(samples)) == checkpoint.answers
    order = random.Random(1).sample(range(len(samples)), len(samples))  # others share a batch
    assert list(adapter.generate(samples[place] for place in order)) == [checkpoint.answers[place] for place in order]
    assert adapter.weights.config._attn_implementation == checkpoint.model.config._attn_implementation
    assert "answered one at a time" not in capsys.readouterr().err
    for asked in (adapter, alone):
        check_likelihoods(checkpoint, asked)


def check_likelihoods(checkpoint: Checkpoint, asked: HuggingFace) -> None:
    prompts = [PROMPTS[1], PROMPTS[3], PROMPTS[7]]
    for ids, found in zip(prompts, asked.token_loglikelihoods(map(ask, prompts)), strict=True):
        torch.testing.assert_close(torch.tensor(found), checkpoint.log_probabilities(ids), atol=1e-4, rtol=0)
    pairs = [(ids, text) for ids in prompts[1:] for text in TEXTS]
    sums = [checkpoint.log_probabilities([*ids, *text])[-len(text) :].sum().item() for ids, text in pairs]
    assert asked.loglikelihood([(ask(ids), spell(text)) for ids, text in pairs]) == pytest.approx(sums, abs=1e-4)


def test_the_table_names_each_row_once_and_the_quick_ones_exist() -> None:
    assert set(ARCHITECTURES) >= QUICK
    assert not set(ARCHITECTURES) & set(UNTESTED)
    assert len({chosen.model_type for chosen in ARCHITECTURES.values()}) >= 110

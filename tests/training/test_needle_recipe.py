"""The recipe of small models that find needles."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from mta_eval import registry
from mta_eval.errors import SpecError
from mta_eval.training.needle_recipe import SIZES, STAGES, WINDOW, NeedleRecipe, needles
from mta_eval.training.rows import MixedRows
from mta_eval.training.trainer import Schedule

TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
# of tokenizer and rows; whoever changes them changes what the models that were trained have seen
TOKENIZER_DIGEST = "fa5e819387f8d17b"
ROWS_DIGESTS = ("3a62894fa92080c6", "e4507460b70dac0c", "b4b70c2a0a13ec04")


@pytest.fixture(scope="module")
def recipe() -> NeedleRecipe:
    return needles("mta", "cpu", 1)


def test_every_variant_gets_the_same_training(recipe: NeedleRecipe) -> None:
    for attention in registry.names("attention"):
        other = needles(attention, "cpu", 1)
        assert (other.stages, other.schedule) == (recipe.stages, recipe.schedule)
        assert {name: other.sizes[name] for name in SIZES} == SIZES


def test_stages_grow_with_the_steps() -> None:
    assert needles("mta").stages == STAGES["cpu"]
    assert [stage.steps for stage in needles("mta", steps=75).stages] == [40, 25, 10]
    for steps in (3, 7, 100):
        made = needles("mta", steps=steps)
        assert sum(stage.steps for stage in made.stages) == made.schedule.steps == steps
    assert needles("mta", steps=50).schedule.warmup == 5


def test_changes_are_of_the_schedule() -> None:
    made = needles("mta", learning_rate=0.5, held_out=7)
    assert made.schedule == replace(needles("mta").schedule, learning_rate=0.5, held_out=7)
    assert isinstance(made.schedule, Schedule)


def test_what_cannot_be_is_one_line() -> None:
    with pytest.raises(SpecError, match="needles has no preset 'gpu'; there is: cpu"):
        needles("mta", "gpu")
    with pytest.raises(SpecError, match="needles trains in 3 stages, so steps must be at least 3, not 2"):
        needles("mta", steps=2)


def test_a_recipe_is_kept_whole(recipe: NeedleRecipe) -> None:
    told: Any = recipe.described()
    assert json.loads(json.dumps(told)) == told
    assert (told["task"], told["attention"], told["seed"], told["preset"]) == ("needles", "mta", 1, "cpu")
    assert told["stages"][1]["length"] == 512
    assert "up to 1,024 tokens with up to 8 needles" in recipe.about()


@pytest.mark.slow
def test_tokenizer_and_rows_are_those_of_the_models_that_were_trained(recipe: NeedleRecipe) -> None:
    tokenizer = recipe.tokenizer()
    assert hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()[:16] == TOKENIZER_DIGEST
    stages = recipe.rows(tokenizer).stages
    assert [stage.batch for stage in stages] == [24, 8, 4]
    assert [isinstance(stage.rows, MixedRows) for stage in stages] == [False, True, True]
    for stage, digest in zip(stages, ROWS_DIGESTS, strict=True):
        hashed = hashlib.sha256()
        for stream in ("training", "validation", "test"):
            for field in stage.rows.batch(stream, [0, 1, 2, 5]):  # type: ignore[arg-type]
                if field is not None:
                    hashed.update(field.numpy().tobytes())
        assert hashed.hexdigest()[:16] == digest


def test_weights_hang_on_the_seed() -> None:
    from mta_eval.training.word_pieces import learn_tokenizer

    tokenizer = learn_tokenizer(["the cat"], 300)
    models = [replace(needles("mta", "cpu", seed), sizes=TINY).new_model(tokenizer) for seed in (1, 1, 2)]
    first, same, other = (model.state_dict()["model.embed_tokens.weight"] for model in models)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    config = models[0].config
    assert (config.max_position_embeddings, config.attention, config.vocab_size) == (WINDOW, "mta", len(tokenizer))
    assert config.trained == {"task": "needles", "preset": "cpu", "seed": 1, "steps": 750}
    assert (config.bos_token_id, config.eos_token_id) == (tokenizer.bos_token_id, tokenizer.eos_token_id)

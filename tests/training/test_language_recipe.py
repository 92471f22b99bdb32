"""Language models from recipes: from scratch and from checkpoints, stopped and gone on with, and what is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_language import LENGTH, SIZES, language_recipe, texts_of, write_corpus
from tiny_training import Heard, Leaving, log_of, result_of, train

from mta_eval.errors import MtaEvalError, SpecError
from mta_eval.models.checkpoints.lora import merged
from mta_eval.training.language_recipe import language_model
from mta_eval.training.rows import MixedRows
from mta_eval.training.sample_rows import SampleRows
from mta_eval.training.text_rows import TextRows

KERNELS = {"query_kernel_before": 3, "key_kernel_before": 5}
HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("language") / "corpus")


@pytest.fixture(scope="module")
def checkpoint(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer of one step, to go on from."""
    folder = tmp_path_factory.mktemp("language") / "checkpoint"
    train(language_recipe(corpus, attention="transformer", changes={"steps": 1}), folder)
    return folder


def recipe_of(kind: str, corpus: Path, checkpoint: Path, **options: Any) -> Any:
    """Every way to train that there is."""
    if kind == "scratch":
        return language_recipe(corpus, attention="mta", sizes={**KERNELS, "attention_dropout": 0.2}, **options)
    given = {"start": str(checkpoint), "tune": kind, **options}
    return language_recipe(corpus, attention="mta", **given)


WAYS = ("scratch", "all", "kernels", "lora", "lora+kernels")


@pytest.mark.parametrize("way", WAYS)
def test_a_stopped_training_goes_on_to_the_same_bytes(way: str, corpus: Path, checkpoint: Path, tmp_path: Path) -> None:
    train(recipe_of(way, corpus, checkpoint), tmp_path / "whole")
    for stop in (1, 3, 5):
        made = recipe_of(way, corpus, checkpoint)
        with pytest.raises(KeyboardInterrupt):
            train(made, tmp_path / "stopped", Leaving(lambda step, stop=stop: step == stop))  # type: ignore[misc]
    train(recipe_of(way, corpus, checkpoint), tmp_path / "stopped")
    assert result_of(tmp_path / "stopped") == result_of(tmp_path / "whole")
    assert [line["step"] for line in log_of(tmp_path / "whole")] == [2, 4, 5]


TRAINED = {
    "all": bool,
    "kernels": lambda name: "convolve" in name or "mix" in name,
    "lora": lambda name: "lora" in name,
    "lora+kernels": lambda name: "lora" in name or "convolve" in name or "mix" in name,
}


@pytest.mark.parametrize("tune", TRAINED)
def test_what_is_tuned_is_trained_and_nothing_else(tune: str, corpus: Path, checkpoint: Path) -> None:
    made = recipe_of(tune, corpus, checkpoint)
    model = made.new_model(made.tokenizer())
    for name, weight in model.named_parameters():
        assert weight.requires_grad == TRAINED[tune](name), name
        assert weight.dtype == torch.float32


@pytest.mark.parametrize("tune", ["lora", "lora+kernels"])
@torch.no_grad()
def test_merged_lora_has_the_logits_of_the_model_in_training(tune: str, corpus: Path, checkpoint: Path) -> None:
    made = recipe_of(tune, corpus, checkpoint, rank=4)
    model = made.new_model(made.tokenizer()).eval()
    for weight in model.parameters():
        if weight.requires_grad:
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    ids = torch.arange(2, 20)[None]
    before = model(ids).logits
    torch.testing.assert_close(merged(model)(ids).logits, before, atol=1e-4, rtol=1e-4)


def test_a_retrofit_begins_as_the_checkpoint_and_keeps_its_tokenizer(corpus: Path, checkpoint: Path) -> None:
    plain = language_recipe(corpus, start=str(checkpoint))
    with_kernels = recipe_of("kernels", corpus, checkpoint)
    assert plain.tokenizer().get_vocab() == language_recipe(corpus).tokenizer().get_vocab()
    models = [made.new_model(made.tokenizer()).eval() for made in (plain, with_kernels)]
    assert [model.config.attention for model in models] == ["transformer", "mta"]
    ids = torch.arange(2, 20)[None]
    first, second = (model(ids).logits.detach() for model in models)
    torch.testing.assert_close(first, second)
    weights = load_file(checkpoint / "model.safetensors")
    assert torch.equal(models[0].state_dict()["model.norm.weight"], weights["model.norm.weight"])


def test_weights_hang_on_the_seed_and_rows_on_nothing_of_the_model(corpus: Path) -> None:
    first, same, other = (language_recipe(corpus, attention="mta", seed=seed) for seed in (1, 1, 2))
    weights = [
        made.new_model(made.tokenizer()).state_dict()["model.embed_tokens.weight"] for made in (first, same, other)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    plain = language_recipe(corpus, attention="transformer")
    rows = [made.rows(made.tokenizer()).batch("training", range(3)).tokens for made in (first, plain)]
    assert torch.equal(rows[0], rows[1])


def test_gradients_over_parts_of_a_batch_are_those_of_the_batch(corpus: Path, tmp_path: Path) -> None:
    logs = []
    for at_once in (0, 1, 3):
        train(language_recipe(corpus, changes={"at_once": at_once}), tmp_path / str(at_once))
        logs.append([line["loss"] for line in log_of(tmp_path / str(at_once))])
    assert logs[1] == pytest.approx(logs[0], abs=1e-5)
    assert logs[2] == pytest.approx(logs[0], abs=1e-5)


def test_the_log_has_the_perplexity_of_each_domain(corpus: Path, tmp_path: Path) -> None:
    heard = Heard()
    train(language_recipe(corpus, changes={"steps": 2}), tmp_path / "two", heard)
    (line,) = log_of(tmp_path / "two")
    assert set(line["probes"]) == {"perplexity of notes, held out", "perplexity of story, held out"}
    assert all(1 < value < 10**4 for value in line["probes"].values())
    card = (tmp_path / "two" / "README.md").read_text()
    assert "| perplexity of notes, held out | " in card
    train(language_recipe(corpus / "story.txt", changes={"steps": 2}), tmp_path / "one")
    assert "probes" not in log_of(tmp_path / "one")[0]  # the held-out loss says it
    short = {"steps": 1, "batch": 2, "held_out": 2, "tested": 2}
    train(language_recipe(corpus / "story.txt", "passkey", length=230, changes=short), tmp_path / "mixed")
    assert set(log_of(tmp_path / "mixed")[0]["probes"]) == {"perplexity of story, held out"}


def test_rows_are_text_tasks_or_a_mixture(corpus: Path) -> None:
    for made, kind in (
        (language_recipe(corpus), TextRows),
        (language_recipe(corpus, "niah", length=200), MixedRows),
        (language_recipe("", "niah", length=200, tokenizer_spec=str(corpus)), SampleRows),
    ):
        given = language_recipe(corpus).tokenizer()
        rows = made.rows(given)
        assert type(rows) is kind
    mixed: Any = language_recipe(corpus, "niah", length=200, text_share=0.2, text_weight=0.1).rows(given)
    assert mixed.shares == [0.2, 0.8]
    assert (mixed.parts[1].text_weight, mixed.parts[1].windows, mixed.parts[1].length) == (0.1, (200,), 200)
    batch = mixed.batch("training", range(8))
    assert batch.tokens.shape == (8, 200)


def test_a_recipe_says_all_that_decides_the_weights(corpus: Path, checkpoint: Path, tmp_path: Path) -> None:
    made = language_recipe(corpus, "niah", length=200)
    told: Any = made.described()
    assert json.loads(json.dumps(told)) == told
    assert told["task"] == "text niah"
    assert told["schedule"]["decay"] == 1.0
    other = write_corpus(tmp_path / "other")
    assert language_recipe(other).described()["text"] == told["text"]
    (other / "story.txt").write_text(". ".join(texts_of("novel", 40, 20)))
    again = replace(language_recipe(other))
    from mta_eval.tasks.documents import read_documents

    read_documents.cache_clear()
    assert again.described()["text"] != told["text"]
    assert "weights" not in told
    assert language_recipe(corpus, start=str(checkpoint)).described()["weights"]


def test_another_checkpoint_in_the_same_place_is_not_gone_on_with(
    corpus: Path, checkpoint: Path, tmp_path: Path
) -> None:
    import shutil

    start = shutil.copytree(checkpoint, tmp_path / "start")
    with pytest.raises(KeyboardInterrupt):
        train(recipe_of("kernels", corpus, start), tmp_path / "made", Leaving(lambda step: step == 3))
    train(language_recipe(corpus, attention="transformer", seed=9, changes={"steps": 1}), tmp_path / "new")
    shutil.copy(tmp_path / "new" / "model.safetensors", start / "model.safetensors")
    with pytest.raises(MtaEvalError, match=r"trains with weights [0-9a-f]+, not "):
        train(recipe_of("kernels", corpus, start), tmp_path / "made")


def test_presets_say_how_a_model_is_trained() -> None:
    tiny = language_model((), "mta", "", 1, {}, {"data": "prose"})
    assert (tiny.preset, tiny.length, tiny.schedule.steps, tiny.schedule.batch) == ("tiny", 256, 1000, 16)
    assert (tiny.schedule.warmup, tiny.schedule.held_out, tiny.schedule.tested) == (100, 64, 128)
    short = language_model((), "mta", "small", 1, {"steps": 50}, {"data": "prose", "length": 64})
    assert (short.preset, short.length, short.schedule.steps, short.schedule.warmup) == ("small", 64, 50, 5)
    further = language_model((), "", "", 1, {}, {"data": "prose", "start": "smollm2"})
    assert (further.preset, further.length, further.schedule.steps) == ("checkpoint", 512, 300)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no data": ({}, "text needs --data"),
    "tune without a checkpoint": ({"data": "prose", "tune": "lora"}, "--tune lora trains a part of a checkpoint"),
    "no such tune": ({"data": "prose", "start": "x", "tune": "some"}, "--tune cannot be 'some'; there is: all"),
    "two tokenizers": ({"data": "prose", "start": "x", "tokenizer_spec": "bpe"}, "a checkpoint has its tokenizer"),
    "rank": ({"data": "prose", "rank": 4}, "--rank is that of LoRA"),
    "rank of kernels": ({"data": "prose", "start": "x", "tune": "kernels", "rank": 4}, "--rank is that of LoRA"),
    "share": ({"data": "prose", "text_share": 0.5}, "--text-share mixes text with tasks"),
    "weight": ({"data": "prose", "text_weight": 0.5}, "--text-weight is about the prompts of tasks"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_do_not_go_together_are_one_line(case: str) -> None:
    options, line = REFUSED[case]
    with pytest.raises(SpecError, match=line):
        language_model((), "", "", 1, {}, options)


def test_a_task_alone_needs_a_tokenizer() -> None:
    for spec in ("", "bpe", "bpe:500"):
        with pytest.raises(SpecError, match="a new model needs a tokenizer: name one by --tokenizer, or text"):
            language_model(("niah",), "mta", "", 1, {}, {"tokenizer_spec": spec})


def test_presets_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(SpecError, match="a checkpoint has its size; leave --preset out, or --from"):
        language_model((), "", "tiny", 1, {}, {"data": "prose", "start": "x"})
    with pytest.raises(SpecError, match="a checkpoint is named by --from; leave --preset out"):
        language_model((), "", "checkpoint", 1, {}, {"data": "prose"})
    with pytest.raises(SpecError, match="there is no size 'huge'"):
        language_model((), "", "huge", 1, {}, {"data": "prose"})


def test_a_vocabulary_that_is_no_number_is_one_line(corpus: Path) -> None:
    with pytest.raises(SpecError, match="--tokenizer 'bpe:many': write bpe:4096, or name a tokenizer"):
        language_recipe(corpus, tokenizer_spec="bpe:many").tokenizer()
    assert len(language_recipe(corpus, tokenizer_spec="bpe:301").tokenizer()) == 301


def test_rows_longer_than_the_window_are_one_line_before_anything_is_written(
    corpus: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for made in (
        language_recipe(corpus, start=str(checkpoint), length=LENGTH + 1),
        language_recipe(corpus, sizes={"max_position_embeddings": LENGTH - 1}),
    ):
        with pytest.raises(SpecError, match=r"are longer than the window of the model, 2[34]; give a smaller --length"):
            train(made, tmp_path / "made")
        assert not (tmp_path / "made").exists()
    longer = recipe_of("all", corpus, checkpoint)
    assert longer.length == LENGTH


def test_a_tokenizer_of_another_model_is_one_line(corpus: Path, checkpoint: Path) -> None:
    made = language_recipe(corpus, start=str(checkpoint))
    with pytest.raises(SpecError, match=r"the tokenizer has a token 30\d, the model 300 tokens; they do not belong"):
        made.new_model(language_recipe(corpus, tokenizer_spec="bpe:400").tokenizer())


def test_a_transformer_has_no_kernels_to_train(corpus: Path, checkpoint: Path) -> None:
    for tune in ("kernels", "lora+kernels"):
        made = language_recipe(corpus, start=str(checkpoint), tune=tune)
        with pytest.raises(SpecError, match="transformer attention has no kernels"):
            made.new_model(made.tokenizer())


BAD_DATA = {
    "missing": ("nowhere", "no such file or folder"),
    "empty folder": ("empty", "holds no"),
    "blank": ("blank.txt", "holds no text"),
    "short": ("short.txt", "fewer than a row of 24|too short"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_text_that_cannot_serve_is_one_line_and_no_folder_is_made(case: str, tmp_path: Path) -> None:
    name, line = BAD_DATA[case]
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "short.txt").write_text("the cat")
    with pytest.raises(MtaEvalError, match=line) as error:
        train(language_recipe(tmp_path / name), tmp_path / "made")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "made").exists()


def test_a_model_in_training_is_described(corpus: Path, checkpoint: Path, tmp_path: Path) -> None:
    train(recipe_of("lora+kernels", corpus, checkpoint, rank=2), tmp_path / "made")
    card = (tmp_path / "made" / "README.md").read_text()
    assert "# mta on text, seed 1\n" in card
    assert f"It began as `{checkpoint}` (lora+kernels weights trained). Its rows had 24 tokens." in card
    assert f"| tokens seen | {5 * 4 * 24} |" in card
    weights = load_file(tmp_path / "made" / "model.safetensors")
    assert not [name for name in weights if "lora" in name]
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    assert (config["attention"], config["hidden_size"]) == ("mta", SIZES["hidden_size"])


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from tiny_language import language_recipe
from tiny_training import train
train(language_recipe({data!r}, attention="mta", changes={{"batch": 5, "at_once": 2}}), Path({folder!r}))
"""


@pytest.mark.slow
def test_two_processes_train_on_text_as_one(corpus: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(here=str(HELPERS), data=str(corpus), folder=str(tmp_path / "two")))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *launcher, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500, env=environment)
    assert done.returncode == 0, done.stderr
    train(language_recipe(corpus, attention="mta", changes={"batch": 5}), tmp_path / "one")
    for ours, theirs in zip(log_of(tmp_path / "two"), log_of(tmp_path / "one"), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
        assert ours["held_out"] == pytest.approx(theirs["held_out"], abs=1e-3)
        assert ours["probes"] == pytest.approx(theirs["probes"], rel=1e-3)
    found, wanted = (load_file(tmp_path / name / "model.safetensors") for name in ("two", "one"))
    for name, weight in found.items():
        torch.testing.assert_close(weight, wanted[name], atol=1e-3, rtol=0)

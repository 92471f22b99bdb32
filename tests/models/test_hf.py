"""The Hugging Face path, on a tiny model made here, against transformers' own generate."""

import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mta_eval.core import Cell, Sample
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.hf import HuggingFace
from mta_eval.models.inference.torch_model import TorchModel
from mta_eval.registry import build_model, build_task


@pytest.fixture(scope="module")
def folder(llama_folder: Path) -> Path:
    return llama_folder


@pytest.fixture(scope="module")
def model(folder: Path) -> HuggingFace:
    return HuggingFace(str(folder), dtype="float32")


def samples(model: HuggingFace) -> list[Sample]:
    task = build_task("niah:needles=2")
    made = [task.sample(Cell(256, depth, repeat), 0, model.tokenizer) for depth in (0.0, 1.0) for repeat in (0, 1)]
    return [replace(sample, stop=()) for sample in made]


def test_answers_are_those_of_transformers_generate(model: HuggingFace, folder: Path) -> None:
    reference, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for sample, answer in zip(samples(model), model.generate(samples(model)), strict=True):
        inputs = tokenizer(sample.prompt, return_tensors="pt")
        assert inputs.input_ids.shape[1] == sample.prompt_tokens
        tokens = reference.generate(
            input_ids=inputs.input_ids,
            attention_mask=inputs.attention_mask,
            max_new_tokens=sample.max_new_tokens,
            do_sample=False,
            pad_token_id=0,
        )[0, sample.prompt_tokens :]
        assert answer.text == tokenizer.decode(tokens, skip_special_tokens=True) != ""
        assert (answer.prompt_tokens, answer.output_tokens) == (sample.prompt_tokens, len(tokens))
        assert answer.finish == ("stop" if int(tokens[-1]) == tokenizer.eos_token_id else "length")


def test_an_answer_ends_before_its_stop_string(model: HuggingFace) -> None:
    sample = samples(model)[0]
    free = next(model.generate([sample])).text
    mark = free.strip()[3]
    stopped = next(model.generate([replace(sample, stop=(mark,))]))
    lead = len(free) - len(free.lstrip())
    assert (stopped.text, stopped.finish) == (free[: free.index(mark, lead)], "stop")


@pytest.mark.parametrize(
    ("said", "answer"), [("\n427\nand more", "\n427"), (" 427. So", " 427"), ("427", "427"), ("\n\n", "\n\n")]
)
def test_a_stop_string_ends_an_answer_after_its_first_word_only(model: HuggingFace, said: str, answer: str) -> None:
    class Scripted:
        """Says `said`, token by token."""

        device = torch.device("cpu")

        def __init__(self) -> None:
            self.left = model.tokenizer.encode(said).ids

        def __call__(self, **_: object) -> SimpleNamespace:
            logits = torch.zeros(1, 1, 10_000)
            logits[0, 0, self.left.pop(0)] = 1
            return SimpleNamespace(logits=logits, past_key_values=None)

    tokens = len(model.tokenizer.encode(said).ids)
    sample = Sample("s", "t", "a b", (), {}, 64, 2, tokens, stop=("\n", "."))
    (given,) = TorchModel(Scripted(), model.tokenizer, set()).generate([sample])
    assert (given.text, given.finish) == (answer, "stop" if answer != said else "length")


def test_loglikelihood_is_the_sum_over_the_answers_tokens(model: HuggingFace, folder: Path) -> None:
    reference, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    sample = samples(model)[0]
    prompt = tokenizer(sample.prompt).input_ids
    answer = tokenizer(" 1234567", add_special_tokens=False).input_ids
    assert len(answer) > 1
    with torch.inference_mode():
        logits = torch.log_softmax(reference(torch.tensor([prompt + answer])).logits[0].double(), -1)
    wanted = sum(float(logits[len(prompt) - 1 + index, token]) for index, token in enumerate(answer))
    (found,) = model.loglikelihood([(sample, " 1234567")])
    assert math.isclose(found, wanted, rel_tol=1e-4)


def test_the_settings_chosen_are_stated(model: HuggingFace, folder: Path) -> None:
    stated = {"device": "cuda" if torch.cuda.is_available() else "cpu", "dtype": "float32"}
    assert HuggingFace(str(folder), "float32").describe() == stated
    assert HuggingFace(str(folder), "float32", attention="eager").describe() == (
        stated | {"attention path": "transformers' eager"}
    )
    assert model.weights.config._attn_implementation == "sdpa"
    assert model.describe() == stated | {"attention path": "transformers' sdpa"}  # what auto was is known by now
    assert HuggingFace(str(folder)).describe()["dtype"] in ("bfloat16", "float32", "float16")


def test_the_window_is_the_configs(model: HuggingFace, folder: Path) -> None:
    assert model.max_length == 1024
    assert HuggingFace(str(folder), max_length_override=4096).max_length == 4096


def test_a_chat_prompt_is_read_without_a_second_bos(model: HuggingFace) -> None:
    sample = build_task("niah:prompt=chat").sample(Cell(256, 0.5, 0), 0, model.tokenizer)
    assert sample.chat is not None
    ids = model.tokenizer.prompt_ids(sample.prompt, plain=False)
    assert len(ids) == sample.prompt_tokens
    assert next(model.generate([sample])) is not None


def test_no_weights_are_loaded_for_a_tokenizer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights were loaded"))
    fresh = build_model(f"hf:{folder}")
    assert fresh.max_length == 1024
    assert build_task("niah").sample(Cell(256, 0.5, 0), 0, fresh.tokenizer).prompt_tokens > 200


def test_a_folder_without_weights_is_one_clear_line(tokenizer_folder: Path) -> None:
    with pytest.raises(ModelError, match="cannot load the model") as error:
        _ = HuggingFace(str(tokenizer_folder)).max_length
    assert "\n" not in str(error.value)


def test_pickled_weights_are_not_loaded(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    broken = HuggingFace(str(tmp_path))
    with pytest.raises(ModelError, match="cannot load the model"):
        list(broken.generate(samples(broken)[:1]))


def test_a_revision_of_a_folder_is_refused(folder: Path) -> None:
    with pytest.raises(SpecError, match=r"revision=v2 is of a hub, but .* has no revisions"):
        build_model(f"hf:{folder},revision=v2")


def test_torn_weights_are_one_line(llama_folder: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(llama_folder, torn)
    (weights,) = torn.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    model = HuggingFace(str(torn))
    sample = build_task("passkey").sample(Cell(256, 0.5, 0), 0, model.tokenizer)
    with pytest.raises(ModelError, match=r"cannot load the model .*torn"):
        list(model.generate([sample]))

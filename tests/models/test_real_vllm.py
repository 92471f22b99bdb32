"""The adapter and vLLM itself, where it is installed (`make test-vllm`): what `hf` answers, and how it fails."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_llama import WINDOW, save_llama

from mta_eval.core import Answer, Sample, Sweep
from mta_eval.errors import ModelError
from mta_eval.models import shipped
from mta_eval.models.hf import HuggingFace
from mta_eval.models.vllm import VLLM
from mta_eval.models.vllm_engine import Request
from mta_eval.registry import build_task

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed here: make test-vllm"),
    pytest.mark.filterwarnings("ignore"),  # of vLLM and what it brings along
]
SWEEP = Sweep((256, 512), (0.0, 0.5, 1.0), 2)
TOLERANCE = 1e-3  # nats, summed over the tokens of an answer, in float32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> str:
    return str(save_llama(tmp_path_factory.mktemp("llama"), tokenizer_folder))


@pytest.fixture(scope="module")
def hf(folder: str) -> HuggingFace:
    return HuggingFace(folder, "float32", "cpu")


@pytest.fixture(scope="module")
def model(folder: str) -> VLLM:
    return VLLM(folder, "float32", batch=5)


@pytest.fixture(scope="module")
def samples(hf: HuggingFace) -> list[Sample]:
    tasks = [build_task(spec) for spec in ("niah:needles=2", "passkey:prompt=chat")]
    return [task.sample(cell, 0, hf.tokenizer) for task in tasks for cell in SWEEP.cells()]


def without_counts(answer: Answer) -> tuple[str, str]:
    """How many tokens are made beyond a stop string is each engine's own."""
    return answer.text, answer.finish


def test_answers_are_those_of_hf(model: VLLM, hf: HuggingFace, samples: list[Sample]) -> None:
    unstopped = [replace(sample, stop=()) for sample in samples]
    for asked in (samples, unstopped):
        answers = list(model.generate(asked))
        expected = list(hf.generate(asked))
        assert [without_counts(answer) for answer in answers] == [without_counts(answer) for answer in expected]
        assert [answer.prompt_tokens for answer in answers] == [sample.prompt_tokens for sample in asked]
        assert len({answer.text for answer in answers}) > len(samples) / 2


def test_a_stop_string_ends_an_answer_where_it_does_with_hf(
    model: VLLM, hf: HuggingFace, samples: list[Sample]
) -> None:
    whole = [without_counts(answer) for answer in hf.generate([replace(sample, stop=()) for sample in samples])]
    stopped = [replace(sample, stop=(text.strip()[3],)) for sample, (text, _) in zip(samples, whole, strict=True)]
    answers = [without_counts(answer) for answer in model.generate(stopped)]
    assert answers == [without_counts(answer) for answer in hf.generate(stopped)] != whole
    assert {finish for _, finish in answers} == {"stop"}


def test_loglikelihoods_are_those_of_hf(model: VLLM, hf: HuggingFace, samples: list[Sample]) -> None:
    pairs = [(sample, text) for sample in samples[::4] for text in (" 1234567", "x", " two words")]
    assert model.loglikelihood(pairs) == pytest.approx(hf.loglikelihood(pairs), abs=TOLERANCE)


def test_every_token_is_as_likely_as_with_hf_up_to_the_whole_window(
    model: VLLM, hf: HuggingFace, samples: list[Sample]
) -> None:
    full = replace(samples[0], prompt=hf.tokenizer.decode(hf.tokenizer.encode(samples[0].prompt * 9).ids[: WINDOW - 1]))
    assert len(hf.tokenizer.prompt_ids(full.prompt, plain=True)) == WINDOW
    for asked, found in zip(samples[:3], model.token_loglikelihoods(samples[:3]), strict=True):
        assert len(found) == asked.prompt_tokens - 1
    (ours,), (theirs,) = model.token_loglikelihoods([full]), hf.token_loglikelihoods([full])
    assert ours == pytest.approx(theirs, abs=TOLERANCE)


def test_neighbours_share_what_was_computed(model: VLLM, hf: HuggingFace) -> None:
    task = build_task("passkey")
    neighbours = [task.sample(cell, 7, hf.tokenizer) for cell in Sweep((768,), (1.0, 0.5), 1).cells()]
    cached = []
    for sample in neighbours:
        (output,) = model._engine.ask([Request(model._ids(sample), model._limits(sample))])
        cached.append(output.num_cached_tokens)
    assert cached[0] < cached[1]
    assert cached[1] > 768 / 4  # in whole blocks of tokens


def test_a_prompt_beyond_the_window_fails_for_itself(model: VLLM, samples: list[Sample]) -> None:
    long = replace(samples[1], prompt=samples[1].prompt * 9)
    answers = model.generate([samples[0], long, samples[2]])
    first = next(answers)
    with pytest.raises(Exception, match=f"maximum context length is {WINDOW + 1} tokens"):
        next(answers)
    assert [first, *model.generate([samples[2]])] == list(model.generate([samples[0], samples[2]]))


def test_an_engine_that_breaks_down_is_started_anew(
    model: VLLM, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(model.generate(samples[:4]))
    engine = model._engine._running

    def break_down() -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engine.llm_engine, "step", break_down)
    assert list(model.generate(samples[:4])) == before
    assert model._engine._running is not engine


def test_an_architecture_that_vllm_does_not_know_is_one_line() -> None:
    model = VLLM(str(shipped.HERE / "mta-42"))
    with pytest.raises(ModelError, match=r"vLLM cannot load .*MTAForCausalLM.* not supported") as caught:
        list(model.generate([Sample("s", "t", "a", (), {}, 4, 1, 1)]))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_nothing_of_vllm_is_said_at_the_terminal(folder: str, tmp_path: Path) -> None:
    run = ["run", "passkey", "--model", f"vllm:{folder}", "--lengths", "256", "--out", str(tmp_path / "r")]
    done = subprocess.run([sys.executable, "-m", "mta_eval", *run], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert not [word for word in ("WARNING", "Warning", "INFO", "Traceback", "rank0") if word in said], said

"""Our models as lm-eval's: the same answers and scores as `mta-eval run`, the same log-likelihoods as hf."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mta_eval import registry, runner
from mta_eval.core import Plan, Sweep
from mta_eval.errors import LengthError, ModelError, SpecError

Run = Callable[..., dict[str, Any]]
FLOAT = {"dtype": "float32"}
METADATA = {"lengths": [256, 512], "depths": [0, 1], "repeats": 1, "needles": 2}
LIKELY = """
task: likely
output_type: loglikelihood
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
doc_to_text: "{{text}}"
doc_to_target: "{{end}}"
metric_list: [{metric: perplexity}, {metric: acc}]
"""
ROLLING = """
task: rolling
output_type: loglikelihood_rolling
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
doc_to_text: ""
doc_to_target: "{{text}}{{text}}{{text}}"
metric_list: [{metric: word_perplexity}]
"""
ASKED = """
task: asked
output_type: generate_until
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
doc_to_text: "{{text}}"
doc_to_target: "{{end}}"
generation_kwargs: {until: ["."], max_gen_toks: 12, do_sample: false}
metric_list: [{metric: exact_match}]
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    """Tasks that are not ours, on a few lines of prose."""
    import json

    folder = tmp_path_factory.mktemp("tasks")
    lines = [{"text": corpus[0][:length], "end": " the magic number"} for length in (40, 90, 200)]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for name, text in (("likely", LIKELY), ("rolling", ROLLING), ("asked", ASKED)):
        (folder / f"{name}.yaml").write_text(text.replace("DATA", str(folder / "data.jsonl")))
    return folder


@pytest.fixture(autouse=True)
def data_sets_stay_here(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.getbasetemp() / "datasets")


@pytest.fixture(scope="module")
def folders(family: dict[str, Path], llama_folder: Path) -> dict[str, Path]:
    return family | {"hf": llama_folder, "longheads": llama_folder}


def answers(results: dict[str, Any], task: str = "mta_niah") -> dict[str, tuple[str, float]]:
    return {row["doc"]["id"]: (row["filtered_resps"][0], row["acc"]) for row in results["samples"][task]}


def asked_by_us(spec: str, lengths: tuple[int, ...] = (256, 512), **how: Any) -> dict[str, tuple[Any, Any]]:
    task = registry.build_task("niah:needles=2" + "".join(f",{key}={value}" for key, value in how.items()))
    plan = Plan({registry.spec_of(task): task}, {"model": registry.build_model(spec)}, Sweep(lengths, (0.0, 1.0), 1))
    return {record.sample_id: (record.output, record.score) for record in runner.run(plan)}


@pytest.mark.parametrize("kind", ["hf", *registry.names("attention")])
def test_lm_eval_gives_the_answers_of_mta_eval_run(kind: str, evaluate: Run, folders: dict[str, Path]) -> None:
    told = {"pretrained": str(folders[kind])} | FLOAT
    ours = asked_by_us(f"{kind}:{folders[kind]},dtype=float32")
    found = evaluate(kind, told, metadata=METADATA, log_samples=True, batch_size=4, device="cpu")
    assert answers(found) == ours
    assert all(output for output, _ in ours.values())


def test_longheads_answers_beyond_the_window(evaluate: Run, folders: dict[str, Path]) -> None:
    told = {"pretrained": str(folders["longheads"]), "window": 32, "attention_length": 256} | FLOAT
    ours = asked_by_us(f"longheads:{folders['longheads']},window=32,attention_length=256,dtype=float32", (1280,))
    found = evaluate("longheads", told, metadata=METADATA | {"lengths": [1280]}, log_samples=True, device="cpu")
    assert answers(found) == ours


def test_chat_answers_are_the_same_too(evaluate: Run, folders: dict[str, Path]) -> None:
    ours = asked_by_us(f"mta:{folders['mta']},dtype=float32", prompt="chat")
    for kind in ("mta", "hf"):
        told = {"pretrained": str(folders["mta"])} | FLOAT
        how = {"apply_chat_template": True, "log_samples": True, "device": "cpu"}
        assert answers(evaluate(kind, told, metadata=METADATA | {"prompt": "chat"}, **how)) == ours


@pytest.mark.parametrize("kind", ["mta", "diff"])
def test_other_tasks_score_as_with_hf(kind: str, evaluate: Run, folders: dict[str, Path], tasks: Path) -> None:
    told = {"pretrained": str(folders[kind])} | FLOAT
    names = ["likely", "rolling", "asked"]
    found = [
        evaluate(model, told, names, folder=tasks, batch_size=2, device="cpu", log_samples=True)
        for model in ("hf", kind)
    ]
    for name, metric in (("likely", "perplexity"), ("rolling", "word_perplexity"), ("asked", "exact_match")):
        hf, ours = (results["results"][name][f"{metric},none"] for results in found)
        assert ours == pytest.approx(hf, rel=1e-4)
    hf, ours = ([row["resps"] for row in results["samples"]["asked"]] for results in found)
    assert ours == hf


def test_a_prompt_beyond_the_window_is_refused_or_cut_with_a_warning(
    evaluate: Run, folders: dict[str, Path], tasks: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"pretrained": str(folders["mta"]), "max_length": 32} | FLOAT
    with pytest.raises(LengthError, match=r"more than the window of 32; shorten it, or .*truncation=True"):
        evaluate("mta", told, ["asked"], folder=tasks)
    with pytest.raises(LengthError, match="more than the window of 32"):
        evaluate("mta", told, ["asked"], folder=tasks, gen_kwargs={"do_sample": True, "temperature": 0.5})
    with caplog.at_level(logging.WARNING, logger="mta_eval.integrations.lm_eval.models"):
        found = evaluate("mta", told | {"truncation": True}, ["asked"], folder=tasks, log_samples=True)
    assert any("cut on the left" in record.message for record in caplog.records)
    assert len(found["samples"]["asked"]) == 3
    with pytest.raises(LengthError, match="its answer alone fills the window"):
        evaluate("mta", told | {"truncation": True, "max_length": 12}, ["asked"], folder=tasks)


def test_the_same_seed_samples_the_same_answers(evaluate: Run, folders: dict[str, Path]) -> None:
    how = {"gen_kwargs": {"do_sample": True, "temperature": 2.0}, "log_samples": True, "torch_random_seed": 3}
    told = {"pretrained": str(folders["mta"])} | FLOAT
    first, second = (answers(evaluate("mta", told, metadata=METADATA, batch_size=4, **how)) for _ in range(2))
    assert first == second
    assert first != asked_by_us(f"mta:{folders['mta']},dtype=float32")


def test_longheads_samples_answers_too(evaluate: Run, folders: dict[str, Path]) -> None:
    told = {"pretrained": str(folders["longheads"]), "window": 32, "attention_length": 256} | FLOAT
    how = {"gen_kwargs": {"do_sample": True, "temperature": 2.0}, "log_samples": True}
    assert len(answers(evaluate("longheads", told, metadata=METADATA, **how))) == 4


def test_the_cache_gives_the_answers_back(evaluate: Run, folders: dict[str, Path], tmp_path: Path) -> None:
    told = {"pretrained": str(folders["mta"])} | FLOAT
    how = {"metadata": METADATA, "use_cache": str(tmp_path / "cache"), "log_samples": True}
    first = answers(evaluate("mta", told, **how))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mta_eval.integrations.lm_eval.models._AdapterLM.generate_until", None)
        assert answers(evaluate("mta", told, **how)) == first


def test_lm_evals_cuda_0_is_whatever_there_is(folders: dict[str, Path]) -> None:
    import torch

    from mta_eval.integrations.lm_eval.models import lm_class

    model = lm_class("mta")(str(folders["mta"]), device="cuda:0", dtype="float32")
    assert model.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("kind", "told", "error", "message"),
    [
        ("mta", {"dtyp": "float32"}, SpecError, "no argument 'dtyp'; did you mean 'dtype'"),
        ("longheads", {"windw": 3}, SpecError, "did you mean 'window'"),
        ("mta", {"dtype": "float33"}, SpecError, "did you mean 'float32'"),
        ("mta", {"pretrained": ""}, SpecError, "needs --model_args pretrained="),
        ("mta", {"pretrained": "/no/such/folder"}, ModelError, "no file or folder"),
        ("diff", {"pretrained": "MTA"}, ModelError, "has mta attention, not diff"),
        ("mta", {"device": "cud"}, ModelError, "no device 'cud'"),
    ],
)
def test_wrong_arguments_are_one_clear_line(
    kind: str, told: dict[str, Any], error: type[Exception], message: str, evaluate: Run, folders: dict[str, Path]
) -> None:
    given = {"pretrained": str(folders[kind])} | told
    if given["pretrained"] == "MTA":
        given["pretrained"] = str(folders["mta"])
    with pytest.raises(error, match=message) as raised:
        evaluate(kind, given, metadata=METADATA)
    assert "\n" not in str(raised.value)

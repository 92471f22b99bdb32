"""What a worker does, in this process: it answers as the run would, or says what is not the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mta_eval import registry, runner
from mta_eval.core import Plan, PromptSettings, Sweep
from mta_eval.distributed.cluster import Cluster
from mta_eval.distributed.pool import replica_pool
from mta_eval.distributed.replica import ModelFacts, Replica, SampleRequest, Workspace
from mta_eval.distributed.work_queue import WorkQueue
from mta_eval.errors import ModelError, SpecError, TextError
from mta_eval.models.in_memory import InMemory


def plan(model: str = "window:300", task: str = "niah") -> Plan:
    return Plan(
        registry.build_all([task], registry.build_task),
        registry.build_all([model], registry.build_model),
        Sweep((256,), (0.0, 1.0), 1, seed=7),
    )


def request_for(asked: Plan) -> SampleRequest:
    queue = WorkQueue(asked, (), {name: ModelFacts.of(model) for name, model in asked.models.items()})
    group = queue.next_group(1)
    assert group is not None
    return queue.request(group)


def test_it_answers_as_the_one_process_run() -> None:
    asked = plan()
    here = [replace(record, seconds=0, peak_memory=None) for record in runner.run(asked)]
    there = [
        replace(record, seconds=0, peak_memory=None)
        for record in Replica().answer(Workspace.current(), request_for(asked))
    ]
    assert here == there


def test_it_answers_with_the_settings_of_the_runs_prompts() -> None:
    asked = replace(plan(), settings=PromptSettings(answer_tokens=31))
    (first, *_) = Replica().answer(Workspace.current(), request_for(asked))
    assert first.max_new_tokens == 31


def test_it_looks_at_models_without_loading_them(llama_folder: Path) -> None:
    spec = f"hf:{llama_folder},dtype=float32,device=cpu"
    facts = Replica().inspect_models(Workspace.current(), [spec])[spec]
    assert facts.settings == {"device": "cpu", "dtype": "float32"}
    assert facts.fingerprint == registry.build_model(spec).tokenizer.fingerprint


def test_another_version_of_mta_eval_is_refused() -> None:
    workspace = replace(Workspace.current(), version="9.9")
    with pytest.raises(ModelError, match=r"a worker on \S+ has mta-eval 0.1.0, this machine 9.9; install the same"):
        Replica().inspect_models(workspace, ["window:300"])
    with pytest.raises(ModelError, match="install the same"):
        list(Replica().answer(workspace, request_for(plan())))


def test_another_tokenizer_is_refused() -> None:
    asked = request_for(plan())
    other = replace(asked, facts=replace(asked.facts, fingerprint="other"))
    with pytest.raises(ModelError, match=r"has another tokenizer of window:300 than this machine; share one copy"):
        list(Replica().answer(Workspace.current(), other))


def test_other_settings_than_those_of_the_other_replicas_are_refused() -> None:
    asked = request_for(plan())
    other = replace(asked, facts=replace(asked.facts, settings={"dtype": "bfloat16"}))
    with pytest.raises(
        ModelError, match=r"window:300 on \S+ has dtype None, but bfloat16 elsewhere; name it in the sp"
    ):
        list(Replica().answer(Workspace.current(), other))


def test_another_text_is_refused() -> None:
    other = replace(request_for(plan()), witness_sha256="0" * 64)
    with pytest.raises(TextError, match=r"makes another prompt of niah/256/1.00/0 than this machine; has it another"):
        list(Replica().answer(Workspace.current(), other))


def test_relative_paths_mean_what_they_mean_to_the_run(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(Workspace.current().version, str(llama_folder.parent))
    assert Replica().inspect_models(workspace, [f"hf:{llama_folder.name}"])
    assert Replica().inspect_models(Workspace(workspace.version, "/nowhere/at/all"), ["window:300"])


def test_a_model_in_memory_cannot_go_and_no_ray_is_started_for_it(llama_folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    pair = AutoModelForCausalLM.from_pretrained(llama_folder), AutoTokenizer.from_pretrained(llama_folder)
    model = InMemory(*pair)
    asked = replace(plan(), models={model.title: model})
    wanted = "LlamaForCausalLM lives in this process alone; replicas build their models from specs, such as hf:PATH"
    with pytest.raises(SpecError, match=wanted), replica_pool(Cluster(), asked):
        pass

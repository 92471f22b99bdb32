import dataclasses

import pytest

from mta_eval.core import Record, Run, Sweep
from mta_eval.errors import SpecError
from mta_eval.results.labels import Labels, make_labels, stored, stored_model, stored_task
from mta_eval.results.lift import lifts

LLAMA = "hf:meta-llama/Llama-3.1-8B-Instruct,dtype=bfloat16"


def run(models: tuple[str, ...], tasks: tuple[str, ...] = ("niah",), **presentation: object) -> Run:
    environment = {"presentation": presentation} if presentation else {}
    sweep = Sweep((512,), (0.0,), 1)
    return Run(tasks, models, sweep, "generate", "refuse", "0", {}, environment)  # type: ignore[arg-type]


def record(model: str = "window:300", task: str = "niah", score: float = 1.0, repeat: int = 0) -> Record:
    axes = {"length": 512, "depth": 0.0, "repeat": repeat}
    return Record(f"{task}/512/0.00/{repeat}", task, model, axes, ["1"], "1", score, 500, 8, 0.1)


def names(*models: str) -> list[str]:
    labels = make_labels([], [("run", run(models))])
    return [labels.model(model) for model in models]


def task_names(*tasks: str) -> list[str]:
    labels = make_labels([], [("run", run(("smollm2",), tasks))])
    return [labels.task(task) for task in tasks]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (LLAMA, "Llama-3.1-8B-Instruct"),
        ("hf:/data/runs/step100/", "step100"),
        ("mta:checkpoints/mta", "mta"),
        ("window:300", "window:300"),
        ("smollm2", "smollm2"),
        ("smollm2:dtype=float32", "smollm2"),
        ("bag:of=smollm2", "bag"),
        ("longheads:/x/Llama-2-7b,chunk=4", "longheads:Llama-2-7b"),
        ("server:http://localhost:8000/v1,model=Qwen/Qwen2.5-7B", "Qwen2.5-7B"),
        ("server:http://localhost:8000/v1", "localhost:8000"),
        ("harness:hf,pretrained=org/thing", "thing"),
        ("hf:..", "hf:.."),
        ('hf:"open', 'hf:"open'),
        ("", ""),
    ],
)
def test_a_model_alone_has_the_name_of_its_checkpoint(spec: str, name: str) -> None:
    assert names(spec) == [name]


def test_only_options_that_differ_are_named() -> None:
    assert names("hf:a/A,dtype=float32,device=cpu", "hf:a/A,dtype=bfloat16,device=cpu", "smollm2:dtype=float32") == [
        "A,dtype=float32",
        "A,dtype=bfloat16",
        "smollm2",
    ]
    assert names("hf:a/A", "hf:a/A,adapter=/x/lora1") == ["A", "A,adapter=lora1"]


def test_names_that_are_the_same_grow_until_they_differ() -> None:
    assert names("hf:x/last", "hf:y/last") == ["x/last", "y/last"]
    assert names("hf:org/A", "vllm:org/A") == ["hf:A", "vllm:A"]
    assert names("hf:/1/x/m", "hf:/2/x/m") == ["1/x/m", "2/x/m"]
    assert names("hf:m,url=a/v1", "hf:m,url=b/v1") == ["hf:m,url=a/v1", "hf:m,url=b/v1"]


def test_tasks_of_a_family_are_told_apart_by_the_options_that_differ() -> None:
    specs = ("niah:text=/a/essays", "niah:needles=4,text=/a/essays", "passkey:prompt=chat", "babilong:qa=1")
    assert task_names(*specs) == ["niah", "niah:needles=4", "passkey:prompt=chat", "babilong:qa=1"]
    assert task_names("an lm-eval task", "perplexity:/a/books") == ["an lm-eval task", "perplexity:books"]


def test_a_label_of_two_models_or_of_another_name_is_used_for_neither() -> None:
    told = (("a", "Mine"), ("b", "Mine"), ("c", "Ours"), ("d", "e"), ("f", "b"))
    runs = [("run", run((spec,), labels={spec: label})) for spec, label in told] + [("last", run(("e",)))]
    labels = make_labels([], runs)
    assert [labels.model(spec) for spec in "abcdef"] == ["a", "b", "Ours", "d", "e", "f"]


def test_labels_of_tasks_are_kept_apart_from_those_of_models() -> None:
    one = run(("hf:a/niah",), ("niah", "niah:needles=4"), labels={"hf:a/niah": "Mine"}, task_labels={"niah": "One"})
    labels = make_labels([], [("run", one)])
    assert (labels.model("hf:a/niah"), labels.task("niah")) == ("Mine", "One")
    assert labels.task("niah:needles=4") == "niah:needles=4"


def test_the_command_line_stands_above_the_run() -> None:
    one = run((LLAMA, "window:300"), ("niah", "niah:needles=4"), labels={"window:300": "W"})
    given = ["window:300=Window", "Llama-3.1-8B-Instruct=Base", "niah:needles=4=Four"]
    labels = make_labels([], [("run", one)], given)
    assert [labels.model("window:300"), labels.model(LLAMA), labels.task("niah:needles=4")] == [
        "Window",
        "Base",
        "Four",
    ]
    assert make_labels([], [("run", one)], ["niah:needles=1=One"]).task("niah") == "One"
    with pytest.raises(SpecError, match="no model and no task"):
        make_labels([], [("run", one)], ["hf:other=X"])


def test_a_model_of_two_runs_keeps_the_name_of_its_run_behind_its_own() -> None:
    records = [record(f"{LLAMA} (a)"), record(f"{LLAMA} (b)")]
    labels = make_labels(records, [("a", run((LLAMA,))), ("b", run((LLAMA,)))])
    assert [one.model for one in labels.shown(records)] == ["Llama-3.1-8B-Instruct (a)", "Llama-3.1-8B-Instruct (b)"]


def test_shown_records_lead_back_to_what_the_run_has() -> None:
    labels = Labels({"window:300": "W"}, {"niah": "Needles"})
    (shown,) = labels.shown([record()])
    assert (shown.model, shown.task) == ("W", "Needles")
    assert (stored_model(shown), stored_task(shown)) == ("window:300", "niah")
    assert stored(shown) == record()
    assert type(stored(shown)) is Record
    assert labels.shown([shown]) == [shown]
    assert (labels.model_spec("W"), labels.task_spec("Needles"), labels.model_spec("x")) == ("window:300", "niah", "x")
    assert (labels.model("x"), labels.task("x")) == ("x", "x")
    seeded = shown.with_seed(1)
    assert stored_task(seeded) == "niah"


def test_a_baseline_with_a_label_stays_one() -> None:
    records = [record("bag", score=0.0), record("smollm2")]
    shown = Labels({"bag": "Words"}, {}).shown(records)
    assert lifts(shown)["smollm2"].baseline == "Words"


def test_all_names_differ_whatever_the_specs_are() -> None:
    specs = ["mta", "hf:mta", "mta:mta", "mta:x/mta", "hf:x/mta", "vllm:x/mta", "hf:mta,dtype=a", "x/mta", "hf:x/mta/"]
    assert len(set(names(*specs))) == len(specs)


def test_records_of_no_run_are_named_too() -> None:
    labels = make_labels([dataclasses.replace(record(LLAMA), task="niah:needles=2")], [])
    assert (labels.model(LLAMA), labels.task("niah:needles=2")) == ("Llama-3.1-8B-Instruct", "niah:needles=2")

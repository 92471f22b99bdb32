"""Two questions as one: what is joined, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_store import RUN, record

from mta_eval.core import Json, ModelIdentity, PromptSettings, RunPart, Sweep
from mta_eval.results.growth import ContradictionError, grown, with_parts, without_unanswered

NEXT = replace(
    RUN,
    tasks=("passkey", "niah"),
    models=("hf:x",),
    sweep=Sweep((2048, 512), (1.0, 0.0), 1, 9),
    tokenizers={"hf:x": "def"},
    environment={"versions": {"torch": "3"}, "models": {"hf:x": {"dtype": "float32"}}},
)


def test_the_first_come_first_and_nothing_is_counted_twice() -> None:
    run = grown(RUN, [], NEXT)
    assert run.tasks == ("niah", "passkey")
    assert run.models == ("window:300", "hf:x")
    assert run.sweep == Sweep((512, 1024, 2048), (0.0, None, 1.0), 2, 0)
    assert run.seeds == (0, 9)
    assert run.tokenizers == {"window:300": "abc", "hf:x": "def"}
    assert run.parts == (
        RunPart(("niah",), ("window:300",), Sweep((512, 1024), (None, 0.0), 2, 0)),
        RunPart(("niah", "passkey"), ("hf:x",), Sweep((512, 2048), (0.0, 1.0), 1, 9)),
    )
    assert run.samples == 8 + 8
    assert grown(run, [], NEXT) == grown(run, [], RUN) == run


def test_asking_for_less_changes_nothing() -> None:
    whole = grown(RUN, [], RUN)
    assert grown(whole, [], replace(RUN, sweep=Sweep((512,), (0.0,), 1, 0))) == whole


def test_facts_that_differ_stand_beside_each_other() -> None:
    run = grown(RUN, [], NEXT)
    assert run.environment["versions"] == {"torch": "2, 3"}
    assert run.environment["models"] == {"hf:x": {"dtype": "float32"}}
    assert grown(run, [], NEXT).environment == run.environment
    first, second = ({"beyond": {"m": lengths}, "limit": limit} for lengths, limit in (([1], 3), ([1, 2], None)))
    joined = grown(replace(RUN, environment=first), [], replace(RUN, environment=second)).environment
    assert (joined["beyond"], joined["limit"]) == ({"m": [1, 2]}, 3)


def test_a_label_stays_with_its_model() -> None:
    first, second, third = (
        replace(RUN, environment={"presentation": {"labels": {spec: label}}})
        for spec, label in (("window:300", "A"), ("hf:x", "A"), ("window:300", "B"))
    )
    assert grown(first, [], third).labels == {"window:300": "B"}
    with pytest.raises(ContradictionError, match="the model with the label 'A' was window:300, now hf:x"):
        grown(first, [], second)


def test_labels_of_other_models_and_the_rest_of_a_presentation_are_joined() -> None:
    shown = {"labels": {"window:300": "A"}}, {"labels": {"hf:x": "B"}, "x": "depth"}, {"x": "length"}
    first, second, third = (replace(RUN, environment={"presentation": one}) for one in shown)
    assert grown(first, [], second).environment["presentation"] == {
        "labels": {"window:300": "A", "hf:x": "B"},
        "x": "depth",
    }
    assert grown(first, [], first).labels == {"window:300": "A"}
    assert grown(replace(second, environment={"presentation": {"y": "model"}}), [], third).environment[
        "presentation"
    ] == {"y": "model", "x": "length"}


@pytest.mark.parametrize("first", [{"a": 1}, [1, 2], "2", 3])
@pytest.mark.parametrize("second", [{"b": 1}, [3], "5", 4])
def test_of_facts_of_two_kinds_the_first_stays(first: Json, second: Json) -> None:
    there, here = (replace(RUN, environment={"fact": fact}) for fact in (first, second))
    if type(first) is not type(second) or isinstance(first, int):
        assert grown(there, [], here).environment["fact"] == first


@pytest.mark.parametrize(("first", "second"), [(2, 5), (5, 2)])
def test_the_most_repeats_of_both_are_the_runs(first: int, second: int) -> None:
    there, here = (replace(RUN, sweep=replace(RUN.sweep, repeats=repeats)) for repeats in (first, second))
    assert grown(there, [], here).sweep.repeats == 5


@pytest.mark.parametrize(
    ("name", "now", "told"),
    [("answer", "choose", "generate"), ("over_length", "mark", "refuse"), ("version", "9", "0.1.0")],
)
def test_how_a_run_was_asked_cannot_change(name: str, now: str, told: str) -> None:
    with pytest.raises(ContradictionError, match=f"^{name} was {told}, now {now}$"):
        grown(RUN, [], replace(RUN, **{name: now}))  # type: ignore[arg-type]


def test_a_part_of_an_identity_that_only_one_knows_is_kept() -> None:
    there = replace(RUN, identities={"m": ModelIdentity(weights="a"), "n": ModelIdentity(config="c")})
    here = replace(RUN, identities={"m": ModelIdentity(weights="a", template="t"), "o": ModelIdentity()})
    assert grown(there, [], here).identities == {
        "m": ModelIdentity(weights="a", template="t"),
        "n": ModelIdentity(config="c"),
        "o": ModelIdentity(),
    }


def test_a_model_that_has_changed_is_a_contradiction_with_its_name() -> None:
    there, here = (replace(RUN, identities={"m": ModelIdentity(weights=weights)}) for weights in "ab")
    with pytest.raises(ContradictionError, match="weights was a, now b") as caught:
        grown(there, [], here)
    assert caught.value.model == "m"


def test_what_differs_is_told_on_one_line() -> None:
    asked = PromptSettings(system="Be\n brief." + "x" * 60, template_options=(("effort", "low"), ("thinking", False)))
    with pytest.raises(ContradictionError, match=r"^system was nothing, now Be brief\.x{51} …$"):
        grown(RUN, [], replace(RUN, prompt=asked))
    with pytest.raises(ContradictionError, match=r"^template_options was effort=low, thinking=False, now nothing$"):
        grown(replace(RUN, prompt=replace(asked, system="")), [], RUN)


def test_another_template_is_told_by_its_name_and_not_as_another_tokenizer() -> None:
    there, here = (
        replace(RUN, identities={"window:300": ModelIdentity(template=one)}, tokenizers={"window:300": one})
        for one in "ab"
    )
    with pytest.raises(ContradictionError, match="chat template was a, now b"):
        grown(there, [], here)


def test_a_model_that_has_answered_nothing_may_have_changed() -> None:
    there, here = (
        replace(RUN, identities={"window:300": ModelIdentity(weights=one)}, tokenizers={"window:300": one})
        for one in "ab"
    )
    failed = record(0, output=None, score=None, error="broken")
    assert grown(without_unanswered(there, [failed], here), [], here).identities == here.identities
    assert without_unanswered(there, [failed, record(1)], here) == there
    assert without_unanswered(there, [], replace(here, models=("hf:x",))) == there


def test_tokenizers_are_compared_model_by_model() -> None:
    grown(RUN, [], replace(RUN, tokenizers={"hf:x": "other"}))
    with pytest.raises(ContradictionError, match="the tokenizer of window:300 was abc, now other"):
        grown(RUN, [], replace(RUN, tokenizers={"window:300": "other"}))


def test_an_earlier_run_brings_what_its_records_say_it_was_asked() -> None:
    there = replace(RUN, sweep=replace(RUN.sweep, lengths=()), environment={"samples": 1})
    assert grown(there, [record(0)], NEXT).samples == 1 + 8


def test_runs_without_cells_have_no_parts() -> None:
    benchmarks = replace(RUN, sweep=Sweep((), (), 0))
    assert with_parts(benchmarks) == benchmarks
    run = grown(benchmarks, [], replace(benchmarks, tasks=("arc",)))
    assert (run.tasks, run.parts, run.samples) == (("niah", "arc"), (), 0)

import pytest
from paper_records import answer, run

from mta_eval.papers.measured import measured_models
from mta_eval.results.measures import accuracy

FACTS = {"attention": "mta", "preset": "cpu", "dtype": "float32"}


def test_seeds_of_one_training_are_one_model_and_stay_visible() -> None:
    records = [answer("niah", score, model) for model, score in (("a:1", 1.0), ("a:1", 0.0), ("a:2", 1.0), ("b", 1.0))]
    for number, record in enumerate(records):
        record.axes["repeat"] = number
    runs = [("r", run(**{"a:1": FACTS | {"seed": "1"}, "a:2": FACTS | {"seed": "2"}, "b": {"dtype": "float32"}}))]
    merged, alone = measured_models(records, runs)
    assert (merged.name, alone.name) == ("MTA, preset cpu, 2 seeds", "b")
    cell = merged.cell(lambda record: record.task == "niah", accuracy)
    assert cell is not None
    assert (round(cell.mean, 3), cell.count, dict(cell.seeds)) == (66.667, 3, {"1": 50.0, "2": 100.0})
    assert cell.std == pytest.approx(35.355, abs=0.001)


def test_the_same_seed_twice_or_other_settings_are_not_merged() -> None:
    records = [answer("niah", 1.0, model) for model in ("a:1", "a:2", "c")]
    same = run(**{"a:1": FACTS | {"seed": "1"}, "a:2": FACTS | {"seed": "1"}})
    assert [one.name for one in measured_models(records, [("r", same)])] == ["a:1", "a:2", "c"]
    other = run(**{"a:1": FACTS | {"seed": "1"}, "a:2": FACTS | {"seed": "2", "preset": "paper"}})
    assert [one.name for one in measured_models(records, [("r", other)])] == ["a:1", "a:2", "c"]


def test_two_trainings_of_one_kind_keep_names_of_their_own() -> None:
    facts = {f"{task}:{seed}": FACTS | {"seed": seed, "trained on": task} for task in "xy" for seed in "12"}
    records = [answer("niah", 1.0, name) for name in facts]
    names = [one.name for one in measured_models(records, [("r", run(**facts))])]
    assert names == ["MTA, preset cpu, 2 seeds", "MTA, preset cpu, 2 seeds (y:1 …)"]

import pytest
from paper_records import answer, run

from mta_eval.papers.measured import measured_models, over_seeds
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


def test_the_size_of_a_model_names_it_where_it_is_known() -> None:
    facts = {f"a:{seed}": FACTS | {"seed": seed, "parameters": "754,884"} for seed in "12"}
    records = [answer("niah", 1.0, name) for name in facts]
    (merged,) = measured_models(records, [("r", run(**facts))])
    assert merged.name == "MTA, 754,884 parameters, 2 seeds"


def test_three_seeds_have_the_interval_of_their_mean_and_two_that_of_all_samples() -> None:
    shares = {"1": 0.2, "2": 0.4, "3": 0.6}
    facts = {f"a:{seed}": FACTS | {"seed": seed} for seed in shares}
    records = [
        answer("niah", float(number < 10 * share), f"a:{seed}", repeat=number)
        for seed, share in shares.items()
        for number in range(10)
    ]
    runs = [("r", run(**facts))]
    (three,) = measured_models(records, runs)
    (two,) = measured_models([record for record in records if record.model != "a:3"], runs)
    cell = three.cell(lambda _: True, accuracy)
    assert cell is not None
    half = 4.302653 * 20 / 3**0.5  # t of two degrees of freedom, deviation 20
    assert (cell.low, cell.high) == (0, pytest.approx(min(40 + half, 100)))
    pooled = accuracy(two.records)
    assert two.cell(lambda _: True, accuracy) is not None
    assert pooled is not None
    assert two.cell(lambda _: True, accuracy).low == pooled.low  # type: ignore[union-attr]


def test_seeds_that_agree_are_no_surer_than_their_samples() -> None:
    facts = {f"a:{seed}": FACTS | {"seed": seed} for seed in "123"}
    records = [answer("niah", 0.0, name, repeat=number) for name in facts for number in range(10)]
    (merged,) = measured_models(records, [("r", run(**facts))])
    cell, pooled = merged.cell(lambda _: True, accuracy), accuracy(records)
    assert cell is not None
    assert pooled is not None
    assert (cell.low, cell.high) == (0, pooled.high)
    assert pooled.high is not None
    assert pooled.high > 1


def test_an_interval_over_seeds_keeps_to_what_can_be() -> None:
    assert over_seeds([1.0, 2.0], 100) is None
    assert over_seeds([50.0, 50.0, 50.0], 100) == (50, 50)
    assert over_seeds([0.0, 0.0, 99.0], 100) == (0, 100)
    low, high = over_seeds([10.0, 11.0, 12.0], 1e9) or (0, 0)
    assert (low, high) == (pytest.approx(11 - 2.484138), pytest.approx(11 + 2.484138))

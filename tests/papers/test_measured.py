import math

import pytest
from paper_records import answer, loss, run
from scipy import stats

from mta_eval.papers.measured import Cell, accuracy, average, measured_models, perplexity

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


def test_failed_samples_do_not_count_and_cut_ones_are_marked() -> None:
    cell = accuracy(
        [answer("niah", 1.0, truncated=True), answer("niah", None, repeat=1), answer("niah", 0.0, repeat=2)]
    )
    assert cell is not None
    assert (cell.mean, cell.count, cell.cut) == (50.0, 2, 1)
    assert accuracy([answer("niah", None)]) is None
    assert accuracy([]) is None


def test_perplexity_weighs_by_tokens_and_its_interval_is_the_ratio_s() -> None:
    nats, tokens = [20.0, 66.0, 26.0], [10.0, 30.0, 10.0]
    cell = perplexity([loss(*pair, repeat=number) for number, pair in enumerate(zip(nats, tokens, strict=True))])
    assert cell is not None
    ratio = 112 / 50
    assert cell.mean == pytest.approx(math.exp(ratio))
    residuals = sum((x - ratio * n) ** 2 for x, n in zip(nats, tokens, strict=True)) / 2
    error = math.sqrt(3 * residuals) / 50
    assert cell.low == pytest.approx(math.exp(ratio - stats.t.ppf(0.975, 2) * error))
    assert cell.low < cell.mean < (cell.high or 0)


def test_one_record_of_perplexity_has_no_interval_and_a_score_tells_none() -> None:
    cell = perplexity([loss(230, 100)])
    assert cell == Cell(pytest.approx(math.exp(2.3)), None, None, 1)
    assert perplexity([answer("perplexity", 0.7)]) is None


def test_an_average_needs_all_of_its_cells() -> None:
    first, second = Cell(10, 8, 13, 5, {"1": 8, "2": 12}), Cell(20, 16, 24, 5, {"1": 20, "2": 20})
    assert average([first, None]) is None
    assert average([]) is None
    cell = average([first, second])
    assert cell is not None
    assert (cell.mean, cell.count, dict(cell.seeds)) == (15, 10, {"1": 14, "2": 16})
    assert cell.low == pytest.approx(15 - math.hypot(2, 4) / 2)
    assert cell.high == pytest.approx(15 + math.hypot(3, 4) / 2)
    lone = average([first, Cell(20, None, None, 1)])
    assert lone is not None
    assert (lone.mean, lone.low, lone.high) == (15, None, None)

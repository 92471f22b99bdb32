"""The reported numbers against one another: sums, formulas and ratios that the paper's numbers must satisfy."""

from statistics import mean, stdev

import pytest

from mta_eval.papers import reported_longheads as longheads
from mta_eval.papers import reported_mta as mta


@pytest.mark.parametrize("table", ["TABLE_2_PRETRAINED", "TABLE_2_TUNED", "TABLE_10"])
def test_the_average_perplexity_is_the_plain_mean_of_seven_domains(table: str) -> None:
    for row in getattr(mta, table).values():
        assert len(row) == len(mta.DOMAINS) + 1
        assert mean(row[:-1]) == pytest.approx(row[-1], abs=0.0101)


def test_the_average_accuracy_is_the_plain_mean_of_nine_benchmarks() -> None:
    for row in mta.TABLE_3.values():
        assert len(row) == len(mta.BENCHMARKS) + 1
        assert mean(row[:-1]) == pytest.approx(row[-1], abs=0.06)


def test_table_1_agrees_with_its_seeds() -> None:
    seeded = [errors for errors in mta.TABLE_1.values() if errors.seeds]
    assert len(seeded) == 2
    for errors in seeded:
        shares = list(errors.seeds.values())
        assert (round(mean(shares), 1), round(stdev(shares), 1)) == (errors.mean, errors.std)


def test_the_parameters_of_table_8_are_what_its_formulas_add() -> None:
    layers, heads, width = 24, 16, 96
    added = {
        "DIFF": 4 * layers * width + 2 * layers * width,
        "Talking heads": 2 * layers * heads**2,
        "MTA": 2 * layers * heads * (6 * 11 / 4 + 16) + layers * (2 * width + 1),
    }
    plain, _ = mta.TABLE_8["Transformer"]
    assert {name: mta.TABLE_8[name][0] - plain for name in added} == added


def test_table_9_has_the_ratios_that_the_paper_draws_from_it() -> None:
    plain, ours = mta.TABLE_9["Transformer"], mta.TABLE_9["MTA"]
    assert round(ours[0] / plain[0], 1) == 4.2
    assert round(plain[2] / ours[2], 1) == 9.5


def test_the_best_row_of_table_5_is_the_model_of_table_2() -> None:
    best = min(mta.TABLE_5, key=mta.TABLE_5.__getitem__)
    assert best == ("6×11", "6×11", "yes", "yes", "scalar gating")
    assert mta.TABLE_5[best] == pytest.approx(mta.TABLE_2_PRETRAINED["MTA"][-1], abs=0.011)
    assert len(mta.TABLE_5) == 17
    assert sum(mta.TABLE_5.values()) == pytest.approx(188.94)


def test_the_gain_at_880m_is_three_per_cent_for_mta() -> None:
    assert {name: round(gain, 1) for name, gain in mta.gain_at_880m().items()} == {
        "DIFF": 0.9,
        "Talking heads": 1.9,
        "MTA": 3.0,
    }


def test_no_value_of_a_plotted_curve_is_told() -> None:
    assert mta.plotted((1, 2)) == {name: {1: None, 2: None} for name in mta.MODELS}


def test_spot_values() -> None:
    assert mta.TABLE_4["MTA"] == (13.2, 8.4)  # Table 4
    assert mta.TABLE_3["DIFF"][mta.BENCHMARKS.index("OBQA")] == 21.4  # Table 3
    assert mta.TABLE_10["Llama 3.1 8B → MTA"][mta.DOMAINS.index("wiki")] == 7.97  # Table 10
    assert longheads.PASSKEY["LongHeads on LLaMA-2-7B"][65536] == 96  # passkey_128k.png
    assert longheads.THIRD_PARTY_PERPLEXITY[4096] == 7.08  # issue 3

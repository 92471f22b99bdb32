import math
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from paper_records import answer, loss
from scipy import stats

from mta_eval.results.measures import Measurement, accuracy, average, perplexity


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
    assert cell == Measurement(pytest.approx(math.exp(2.3)), None, None, 1)
    assert perplexity([answer("perplexity", 0.7)]) is None


def test_an_average_needs_all_of_its_cells() -> None:
    first, second = Measurement(10, 8, 13, 5, {"1": 8, "2": 12}), Measurement(20, 16, 24, 5, {"1": 20, "2": 20})
    assert average([first, None]) is None
    assert average([]) is None
    cell = average([first, second])
    assert cell is not None
    assert (cell.mean, cell.count, dict(cell.seeds)) == (15, 10, {"1": 14, "2": 16})
    assert cell.low == pytest.approx(15 - math.hypot(2, 4) / 2)
    assert cell.high == pytest.approx(15 + math.hypot(3, 4) / 2)
    lone = average([first, Measurement(20, None, None, 1)])
    assert lone is not None
    assert (lone.mean, lone.low, lone.high) == (15, None, None)


def test_a_report_of_a_plain_run_imports_no_paper(tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from mta_eval.core import Record
        from mta_eval.results.report import write_report

        axes = {"length": 512, "depth": 0.5, "repeat": 0}
        answered = Record("niah/512/0.50/0", "niah", "m", axes, ["1"], "1", 1.0, 9, 9, 0.1)
        axes = {"length": 512, "domain": "book", "nats": 9.0, "predicted": 8, "bytes": 30}
        positions = [[1, 9.0, 8]]
        read = Record("perplexity/512/any/0", "perplexity", "m", axes, [], None, 0.3, 9, 0, 0.1, positions=positions)
        write_report([answered, read], Path(sys.argv[1]))
        print(*(name for name in sys.modules if name.startswith("mta_eval.papers")))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "perplexity.csv").exists()
    assert done.stdout.split() == []

"""Models ranked: what is compared with what, ties, effective lengths, and which models are shown."""

import csv
from pathlib import Path

import pytest

from mta_eval.errors import SpecError
from mta_eval.rescoring import writing
from mta_eval.rescoring.leaderboard import Leaderboard, chosen_models, leaderboard_markdown, leaderboards
from mta_eval.rescoring.scoring import Rescored, rescore_files
from mta_eval.rescoring.sources import find_sources
from mta_eval.results.statistics import interval

RULE = "babilong_official"


def answers(folder: Path, task: str, length: str, right: int, of: int = 40, prompt: str = "a") -> None:
    path = folder / f"{task}_{length}_{prompt}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = [["kitchen", "kitchen" if number < right else "office", "Where?"] for number in range(of)]
        csv.writer(file).writerows([["target", "output", "question"], *rows])


def rescored_of(folder: Path) -> Rescored:
    return rescore_files(find_sources([folder])[0], [RULE])


def board_of(folder: Path) -> Leaderboard:
    (board,) = leaderboards(rescored_of(folder))
    return board


def test_models_are_ranked_and_those_whose_intervals_meet_share_a_rank(tmp_path: Path) -> None:
    for model, right in (("best", 40), ("good", 39), ("fair", 20), ("bad", 1)):
        answers(tmp_path / model, "qa1", "0k", right)
    board = board_of(tmp_path)
    assert (board.kind, board.rule) == ("babilong", RULE)
    assert [(one.rank, one.title) for one in board.standings] == [(1, "best"), (1, "good"), (3, "fair"), (4, "bad")]


def test_a_mean_is_over_what_all_models_have(tmp_path: Path) -> None:
    for model, rights in (("a", (40, 20)), ("b", (36, None))):
        for length, right in zip(("0k", "4k"), rights, strict=True):
            if right is not None:
                answers(tmp_path / model, "qa1", length, right)
    first, second = board_of(tmp_path).standings
    assert (first.title, second.title) == ("a", "b")
    assert first.mean
    assert first.mean.mean == 1  # not 75 %: b was not asked at 4K
    assert first.lengths == {0: (1.0, 1), 4096: (0.5, 1)}
    assert second.lengths == {0: (0.9, 1)}


def test_lengths_of_a_task_do_not_make_its_mean_surer_but_tasks_do(tmp_path: Path) -> None:
    for length in ("0k", "4k"):
        answers(tmp_path / "one" / "m", "qa1", length, 20)
    for task in ("qa1", "qa2"):
        answers(tmp_path / "two" / "m", task, "0k", 20)
    low, high = interval([1.0] * 20 + [0.0] * 20)
    (lengths,), (tasks,) = (board_of(tmp_path / name).standings for name in ("one", "two"))
    assert lengths.mean == pytest.approx((0.5, low, high))
    assert tasks.mean == pytest.approx((0.5, 0.5 - (0.5 - low) / 2**0.5, 0.5 + (high - 0.5) / 2**0.5))


def test_models_with_nothing_in_common_have_no_rank(tmp_path: Path) -> None:
    answers(tmp_path / "a", "qa1", "0k", 40)
    answers(tmp_path / "b", "qa2", "0k", 40)
    assert {(one.rank, one.mean) for one in board_of(tmp_path).standings} == {(None, None)}
    assert "| – | a | – | – | 100 % |" in leaderboard_markdown(board_of(tmp_path))


def test_a_length_is_the_mean_of_its_tasks_and_says_if_some_are_missing(tmp_path: Path) -> None:
    answers(tmp_path / "a", "qa1", "0k", 40)
    answers(tmp_path / "a", "qa2", "0k", 0, of=400)
    answers(tmp_path / "a", "qa1", "4k", 10)
    text = leaderboard_markdown(board_of(tmp_path))
    assert "| 50 % | 25 % (1 of 2 tasks) |" in text


def test_the_effective_length_is_over_tasks_that_stand_at_every_length(tmp_path: Path) -> None:
    for length, right in (("1k", 40), ("2k", 40), ("4k", 4)):
        answers(tmp_path / "a", "qa1", length, right)
        answers(tmp_path / "b", "qa1", length, 40)
    answers(tmp_path / "a", "qa2", "1k", 0, of=400)
    assert {one.title: one.effective for one in board_of(tmp_path).standings} == {"a": "2K", "b": "≥ 4K"}


def test_a_model_of_several_prompts_has_each_tasks_best(tmp_path: Path) -> None:
    answers(tmp_path / "m", "qa1", "0k", 40, prompt="a")
    answers(tmp_path / "m", "qa1", "0k", 0, prompt="b")
    answers(tmp_path / "m", "qa2", "0k", 10, prompt="b")
    (standing,) = board_of(tmp_path).standings
    assert standing.title == "m (best of 2 prompts)"
    assert standing.mean
    assert standing.mean.mean == pytest.approx((1 + 0.25) / 2)


def test_models_are_chosen_by_name(tmp_path: Path) -> None:
    for model in ("org/a", "org/b", "c"):
        answers(tmp_path / model, "qa1", "0k", 40)
    (tmp_path / "c/qa2_0k_a.csv").write_text("target,output\noffice,\n")
    rescored = rescored_of(tmp_path)
    chosen = chosen_models(rescored, ["b", "org/a"])
    assert {group.model for group, _ in chosen.tallies} == {"org/a", "org/b"}
    with pytest.raises(SpecError, match="no answers of the model 'org/d'; did you mean 'org/"):
        chosen_models(rescored, ["org/d"])


def test_many_models_are_one_page_with_their_own_tables_beside_it(tmp_path: Path) -> None:
    for number in range(27):
        for task in ("qa1", "qa2", "qa3"):
            for length in ("0k", "4k"):
                answers(tmp_path / f"in/m{number:02}", task, length, number % 5, of=5)
    rescored = rescored_of(tmp_path / "in")
    paths = writing.write_rescored(rescored, tmp_path / "out", top=4)
    page = (tmp_path / "out/rescore.md").read_text()
    assert len(page.splitlines()) < 120
    assert page.index("## Leaderboard") < page.index("## Tasks")
    assert "23 more models in rescore.csv." in page
    assert "| model | qa1 | qa2 | qa3 |" in page
    models = (tmp_path / "out/models.md").read_text()
    assert tmp_path / "out/models.md" in paths
    assert models.count("\n## m04 ") == 1
    assert models.count("\n## m") == 4
    assert (tmp_path / "out/rescore.csv").read_text().count("m26") == 6


def test_few_models_stand_on_the_page_itself(tmp_path: Path) -> None:
    answers(tmp_path / "in/m", "qa1", "0k", 3)
    writing.write_rescored(rescored_of(tmp_path / "in"), tmp_path / "out")
    page = (tmp_path / "out/rescore.md").read_text()
    assert page.index("## Leaderboard") < page.index("## m · a")
    assert not (tmp_path / "out/models.md").exists()

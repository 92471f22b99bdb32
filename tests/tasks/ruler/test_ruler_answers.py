"""Every task of the RULER family against a solver that reads the prompt alone: no answer wrong, none ambiguous."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import ruler_solvers as solvers

from mta_eval import registry
from mta_eval.core import Cell, Sample, Task, Tokenizer

SHORT, LONG = 100, 2000
Solver = Callable[[Sample], object]


def as_set(solve: Callable[[str], set[str]]) -> Solver:
    return lambda sample: solve(sample.prompt) == set(sample.targets)


def is_target(solve: Callable[[str], str]) -> Solver:
    return lambda sample: solve(sample.prompt) == sample.targets[0]


def counts_of(sample: Sample) -> object:
    return solvers.common_words(sample.prompt, len(sample.targets)) == set(sample.targets)


def names_values(sample: Sample) -> object:
    return sorted(solvers.magic_values(sample.prompt)) == sorted(sample.targets)


CASES: dict[str, tuple[Solver, int, bool]] = {  # task -> how it is solved, a length that it fits, whether it has depths
    "variable_tracking": (as_set(solvers.variables), 400, True),
    "variable_tracking:chains=3,hops=2,haystack=prose": (as_set(solvers.variables), 600, True),
    "variable_tracking:protocol=ruler": (as_set(solvers.variables), 1100, True),
    "variable_tracking:chains=2,protocol=ruler,haystack=prose": (as_set(solvers.variables), 1400, True),
    "common_words": (counts_of, 1000, False),
    "common_words:common=3,times=4,other_times=2": (counts_of, 300, False),
    "common_words:protocol=ruler": (counts_of, 1500, False),
    "frequent_words": (as_set(solvers.frequent_words), 400, False),
    "frequent_words:alpha=1.1,vocabulary=300": (as_set(solvers.frequent_words), 1500, False),
    "frequent_words:protocol=ruler": (as_set(solvers.frequent_words), 600, False),
    **{
        f"multi_hop:hops={hops},distractors={more},order={order}": (is_target(solvers.end_of_chain), 1600, True)
        for hops, more, order in ((1, 3, "shuffled"), (2, 2, "forward"), (8, 5, "reversed"), (5, 4, "shuffled"))
    },
    **{f"ruler_niah:{name}": (names_values, 700, True) for name in ("single_1", "multikey_2", "multikey_3")},
    **{
        f"ruler_niah:variant={name},haystack=prose": (names_values, 800, True)
        for name in ("single_2", "single_3", "multikey_1", "multivalue", "multiquery")
    },
}


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    """A token a word."""
    return registry.build_model("window:300").tokenizer


def solve(task: Task, case: tuple[Solver, int, bool], tokenizer: Tokenizer, repeats: range) -> None:
    right, length, has_depths = case
    made = set()
    for repeat in repeats:
        depth = repeat % 5 / 4 if has_depths and repeat % 6 else None
        sample = task.sample(Cell(length + repeat % 40, depth, repeat), 0, tokenizer)
        assert right(sample), sample.id
        assert task.score(sample, ", ".join(sample.targets)) == 1
        assert task.score(sample, "I do not know.") == 0
        made.add(sample.targets)
    assert len(made) > min(len(repeats) // 3, 60)  # there are not many more cities


@pytest.mark.parametrize("spec", CASES)
def test_a_solver_finds_the_answer_in_the_prompt(spec: str, words: Tokenizer) -> None:
    solve(registry.build_task(spec), CASES[spec], words, range(SHORT // 3))


@pytest.mark.slow
@pytest.mark.parametrize("spec", CASES)
def test_a_solver_finds_the_answer_in_many_prompts(spec: str, words: Tokenizer) -> None:
    solve(registry.build_task(spec), CASES[spec], words, range(LONG))


@pytest.mark.parametrize("variant", ["squad", "hotpot"])
def test_a_solver_finds_the_answer_in_the_documents(
    variant: str, words: Tokenizer, squad_file: Path, hotpot_file: Path
) -> None:
    file = squad_file if variant == "squad" else hotpot_file
    task = registry.build_task(f"ruler_qa:{variant},source=file:{file}")
    for repeat in range(12):
        for depth in (None, 0.0, 1.0):
            sample = task.sample(Cell(700, depth, repeat), 0, words)
            assert solvers.town_of_river(sample.prompt) == sample.targets[0]
            assert task.score(sample, f" {sample.targets[-1]}.") == 1
            assert task.score(sample, "Boats") == 0


def test_the_solvers_refuse_what_has_two_answers() -> None:
    with pytest.raises(solvers.AmbiguousError):
        solvers.most_common(["a", "a", "b", "b"], 1)
    with pytest.raises(solvers.AmbiguousError):
        solvers.end_of_chain(
            "The key to the tower of A is kept in B. The key to the tower of A is kept in C. Start in A and go once to"
        )

"""The public surface of a task: its names, and a task of another package that needs nothing else."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mta_eval.core import Cell, PromptSettings, Sample
from mta_eval.errors import SpecError
from mta_eval.registry import build_task
from mta_eval.tasks import toolkit
from mta_eval.tasks.niah import Niah

SOURCE = Path(__file__).parents[1] / "helpers" / "plugin_package" / "variable_chain.py"
SMALLEST = "\n".join(line[4:] for line in (toolkit.__doc__ or "").splitlines() if line.startswith("    "))
PUBLIC = {
    *("HAYSTACK", "Axes", "Cell", "ClassVar", "LengthError", "Needle", "NeedleDraft", "PromptTemplate"),
    *("Sample", "SpecError", "Task", "Tokenizer", "answer_budget", "build_sample", "dataclass", "depth_of"),
    *("draw", "draw_key", "field", "find_rule", "generator", "open_haystack", "order_of_needles", "prompt_template"),
    "spec_of",
}


def test_needles_stand_by_depth_the_swept_one_first_or_at_the_end_last() -> None:
    assert toolkit.order_of_needles([0.5, 0.9, 0.1]) == [2, 0, 1]
    assert toolkit.order_of_needles([0.0, 0.5, 0.0]) == [0, 2, 1]
    assert toolkit.order_of_needles([1.0, 0.5, 1.0]) == [1, 2, 0]


@pytest.fixture
def installed(plugin: Callable[[str, str, str], None]) -> None:
    plugin("mta_eval.tasks", "variable_chain", "plugin_package.variable_chain:VariableChain")


def test_its_public_names_are_these_and_all_there() -> None:
    assert set(toolkit.__all__) == PUBLIC
    assert all(hasattr(toolkit, name) for name in PUBLIC)


def test_a_task_of_another_package_needs_few_lines_and_the_toolkit_only() -> None:
    tree = ast.parse(SOURCE.read_text())
    imports = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module for module in imports if module and module.startswith("mta_eval")} == {"mta_eval.tasks.toolkit"}
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = SOURCE.read_text().splitlines()
    assert sum(bool(line.strip()) and number not in docstrings for number, line in enumerate(lines, 1)) <= 25


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("cell", [Cell(300, 0.0, 0), Cell(600, 0.5, 1), Cell(900, 1.0, 0), Cell(600, None, 2)], ids=str)
def test_its_samples_hold_what_every_sample_holds(cell: Cell, byte_bpe: Any, audit: Callable[..., None]) -> None:
    task = build_task("variable_chain:hops=3")
    sample = task.sample(cell, 0, byte_bpe)
    audit(sample, byte_bpe)
    assert [needle.key for needle in sample.needles] == list(sample.targets)
    assert len(sample.targets) == 4
    first = sample.targets[0]
    assert [task.score(sample, output) for output in (", ".join(sample.targets), first, "none")] == [1, 0.25, 0]


@pytest.mark.usefixtures("installed")
def test_it_runs_on_the_command_line(call: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    arguments = ("variable_chain", "--model", "window:300", "--lengths", "300", "--depths", "0.9")
    code, _, err = call("run", *arguments, "--repeats", "2", "--out", "run")
    assert code == 0, err
    records = [json.loads(line) for line in (tmp_path / "run" / "records.jsonl").read_text().splitlines()]
    assert [record["task"] for record in records] == ["variable_chain"] * 2
    assert all(len(record["targets"]) == 5 and 0 <= record["score"] <= 1 for record in records)


def test_the_task_of_the_docstring_works(byte_bpe: Any, audit: Callable[..., None]) -> None:
    names = {name: getattr(toolkit, name) for name in toolkit.__all__} | {"__name__": "colour"}
    exec(compile(SMALLEST, "toolkit docstring", "exec", dont_inherit=True), names)
    task = names["Colour"]()
    sample = task.sample(Cell(300, 0.5, 0), 0, byte_bpe)
    audit(sample, byte_bpe)
    assert task.score(sample, f" {sample.targets[0]}.") == 1


@dataclass(frozen=True)
class Plain:
    """Two needles, of which the second is swept."""

    name: ClassVar[str] = "plain"


def made(cell: Cell, tokenizer: Any, **options: Any) -> Sample:
    needles = options.pop("needles", None) or [
        toolkit.NeedleDraft("The first is one.", 0.2, "a", "1"),
        toolkit.NeedleDraft("The second is two.", cell.depth or 0.0, "b", "2", asked=False),
    ]
    options = {"targets": ("1", "22"), "rule": "ruler_all", "swept": 1, **options}
    words = ("Read this.\n\n", "\n\nWell?")
    return toolkit.build_sample(Plain(), cell, 3, tokenizer, words=words, needles=needles, **options)  # type: ignore[arg-type]


def test_the_budget_is_that_of_the_settings_or_the_tasks_or_what_all_targets_need(byte_bpe: Any) -> None:
    targets = len(byte_bpe.encode(" 1, 22").ids)
    set_to = byte_bpe.with_settings(PromptSettings(answer_tokens=7, thinking_tokens=20))
    for tokenizer, given, tokens, thinking in (
        (byte_bpe, 0, targets + toolkit.SPARE_TOKENS, 0),
        (byte_bpe, 5, 5, 0),
        (set_to, 5, 7, 20),
        (set_to, 0, 7, 20),
    ):
        for length in (0, 300):
            sample = made(Cell(length, 0.5, 0), tokenizer, max_new_tokens=given)
            assert (sample.max_new_tokens, sample.budget) == (tokens, tokens + thinking)
            assert sample.length == (length or sample.prompt_tokens + sample.budget)
            assert sample.length - 4 <= sample.prompt_tokens + sample.budget <= sample.length
            assert sample.settings == tokenizer.prompt_settings


def test_the_swept_needle_stands_at_its_depth_and_the_other_near_its_own(byte_bpe: Any) -> None:
    for depth in (0.6, 0.9, 1.0):
        first, second = made(Cell(1200, depth, 0), byte_bpe).needles
        assert (first.key, first.value, first.asked) == ("a", "1", True)
        assert (second.key, second.value, second.asked) == ("b", "2", False)
        assert second.depth == pytest.approx(depth, abs=0.015)
        assert first.depth == pytest.approx(0.2, abs=0.05)
        assert second.depth == round(second.depth, 6)


def test_the_swept_needle_is_at_its_depth_beside_a_large_one_and_the_order_is_kept_where_asked(byte_bpe: Any) -> None:
    large = toolkit.NeedleDraft(" ".join(f"Door {number} is shut." for number in range(30)), 0.1, "large")
    small = toolkit.NeedleDraft("The sea is wide.", 0.1, "small")
    for keep_order, keys in ((False, ["small", "large"]), (True, ["large", "small"])):
        sample = made(Cell(600, 0.1, 0), byte_bpe, needles=[large, small], keep_order=keep_order)
        assert [needle.key for needle in sample.needles] == keys
        (depth,) = (needle.depth for needle in sample.needles if needle.key == "small")
        assert (depth == pytest.approx(0.1, abs=0.06)) is not keep_order


def test_a_task_says_what_its_samples_have_beside_prompt_and_needles(byte_bpe: Any) -> None:
    plain = made(Cell(300, 0.5, 4), byte_bpe)
    assert (plain.id, plain.task, plain.targets) == ("plain/300/0.50/4", "plain", ("1", "22"))
    assert (plain.axes, plain.choices) == ({"length": 300, "depth": 0.5, "repeat": 4}, ())
    assert (plain.stop, plain.target_delimiter) == (("\n", "."), " ")
    own = made(Cell(300, 0.5, 4), byte_bpe, axes={"colour": "red"}, choices=("1", "2"), stop=())
    assert (own.axes, own.choices, own.stop) == ({**plain.axes, "colour": "red"}, ("1", "2"), ())
    noisy = made(Cell(300, 0.5, 4), byte_bpe, haystack="noise")
    assert "The grass is green." in noisy.prompt
    assert "The grass is green." not in plain.prompt


def test_other_repeats_and_seeds_read_other_parts_of_the_haystack(byte_bpe: Any) -> None:
    openings = {made(Cell(300, 1.0, repeat), byte_bpe).prompt[:60] for repeat in range(4)}
    assert len(openings) == 4


def test_a_rule_that_cannot_score_the_sample_is_refused_before_the_run(byte_bpe: Any) -> None:
    with pytest.raises(SpecError, match=r"cannot score niah:rule=babilong_official: it scores BABILong"):
        Niah(rule="babilong_official").sample(Cell(300, 0.5, 0), 0, byte_bpe)

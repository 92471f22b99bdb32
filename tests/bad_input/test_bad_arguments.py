"""Arguments that nobody means: refused in one line on stderr with exit code 2, and nothing written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer
from bad_input import DIGITS, HUGE, RUN, SHOW, TRAIN, WINDOW

from mta_eval import cli

SIZES: dict[str, tuple[tuple[str, ...], str]] = {
    "repeats": ((*RUN, "--repeats", HUGE), "10000"),
    "a sweep of too many": ((*RUN, "--repeats", "10000", "--depths", "0:1:0.001,0.0005"), "10,000,000"),
    "length of 5,000 digits": ((*RUN[:4], "--lengths", DIGITS, "--dry-run"), "beyond the 16m"),
    "seeds": ((*RUN, "--seeds", DIGITS), "is no seed"),
    "seed": ((*RUN, "--seed", HUGE), "--seed"),
    "answer tokens": ((*RUN, "--answer-tokens", HUGE), "--answer-tokens"),
    "thinking tokens": ((*RUN, "--thinking-tokens", HUGE), "--thinking-tokens"),
    "GPUs": ((*RUN, "--executor", "ray", "--gpus-per-replica", "inf"), "--gpus-per-replica"),
    "no number of GPUs": ((*RUN, "--executor", "ray", "--gpus-per-replica", "nan"), "--gpus-per-replica"),
    "repeat": ((*SHOW, "--repeat", HUGE), "--repeat"),
    "blocks": (("show", f"letter_blocks:blocks={HUGE}", *WINDOW, "--length", "0"), "18 digits"),
    "characters": (("show", f"letter_blocks:characters={HUGE[:8]}", *WINDOW, "--length", "0"), "4000000"),
    "seconds of watch": (("watch", "x", "--every", "inf"), "--every"),
    "seconds of report": (("report", "x", "--watch", "--every", "inf"), "--every"),
    "samples of paper": (("paper", "mta", "--out", "p", "--samples", HUGE), "--samples"),
    "rows to write": ((*TRAIN, "--write-rows", HUGE), "--write-rows"),
    "steps": ((*TRAIN, "--steps", HUGE), "--steps"),
    "steps between evaluations": ((*TRAIN, "--every", HUGE), "--every"),
    "seed of a training": ((*TRAIN, "--seed", HUGE), "--seed"),
    "rows of attention": (("attention", "x", "--task", "niah", "--out", "a.png", "--rows", "99999"), "--rows"),
    "heads of attention": (("attention", "x", "--task", "niah", "--out", "a.png", "--heads", HUGE), "--heads"),
    "a suite without a name": (("suite",), "mta-paper"),
    "an unknown suite": (("suite", "mta", *WINDOW, "--out", "s"), "mta-paper"),
}


@pytest.mark.parametrize("case", SIZES)
def test_numbers_out_of_range(case: str, refused: Callable[..., str]) -> None:
    arguments, named = SIZES[case]
    assert named in refused(*arguments)


@pytest.mark.usefixtures("run_folder")
def test_what_a_run_does_not_hold(refused: Callable[..., str]) -> None:
    assert "has no sample 'nonsense'" in refused("show", "r", "nonsense")
    assert "nonsense" in refused("table", "r", "--x", "nonsense")
    assert "nonsense" in refused("report", "r", "--y", "nonsense", "--out", "new")


SIGNS: dict[str, tuple[tuple[str, ...], str]] = {
    "an underscore": ((*RUN, "--repeats", "1_0"), "--repeats"),
    "digits of another script": ((*RUN, "--seed", "١٢"), "--seed"),
    "digits of full width": ((*RUN, "--depths", "１"), "no depth"),
    "an underscore in a range": ((*RUN, "--depths", "0:1:0_1"), "no number"),
    "an option in other digits": (("show", "niah:needles=１", *SHOW[2:]), "wants int"),
    "no finite option": (("run", "niah", "--model", "stretched:x,factor=nan", *RUN[4:]), "wants float"),
    "facts": (("run", "babilong:facts=1000000", *WINDOW, *RUN[4:]), "facts is 0 to 10000"),
    "examples": (("run", "babilong:examples=1000000", *WINDOW, *RUN[4:]), "examples is 0 to 1000"),
    "an axis": ((*RUN, "--x", "nonsense"), "no sample has the axis 'nonsense'"),
    "the same axis twice": ((*RUN, "--x", "depth", "--y", "depth"), "are both 'depth'"),
    "a device that computes nothing": (
        ("train", "letter_blocks", "--out", "t", "--device", "meta"),
        "computes nothing",
    ),
}


@pytest.mark.parametrize("case", SIGNS)
def test_what_python_would_take_and_nobody_means(case: str, refused: Callable[..., str]) -> None:
    arguments, named = SIGNS[case]
    assert named in refused(*arguments)


def test_no_command_takes_an_empty_path(refused: Callable[..., str]) -> None:
    """An empty path is the current folder for Python; each of its kind is asked, so that a new command has it too."""
    command = typer.main.get_command(cli.app)
    asked = 0
    for name, one in command.commands.items():  # type: ignore[attr-defined]
        for param in one.params:
            if "path" in str(getattr(param.type_descriptor, "annotation", "")).lower():
                options = [option for option in param.opts if option.startswith("--")]
                for blank in ("", " \t"):
                    place = f"{options[0]}={blank}" if options else blank
                    assert "is empty; name a file or a folder" in refused(name, place)
                asked += 1
    assert asked > 20


def test_a_long_value_leaves_the_line_short(refused: Callable[..., str]) -> None:
    line = refused("run", "niah", *WINDOW, "--lengths", "n" * 10_000, "--dry-run")
    assert "mta-eval: 'nnn" in line
    assert "write tokens such as 512" in line

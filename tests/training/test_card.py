import re
from itertools import pairwise
from typing import Any

from mta_eval.training.card import MAX_LINES, card

RECIPE: dict[str, Any] = {
    "task": "letter_blocks:blocks=10",
    "attention": "mta",
    "preset": "cpu",
    "seed": 43,
    "mta_eval": "0.1.0",
    "machine": "2 x H100, torch 2.9",
    "sizes": {"hidden_size": 128, "max_position_embeddings": 69},
    "schedule": {"steps": 2400, "learning_rate": 2e-3, "betas": [0.9, 0.98], "held_out": 500, "tested": 1000},
}
TEST = {"loss": 0.01, "tokens": 0.0012, "answers": 0.005}


def log(count: int) -> list[dict[str, Any]]:
    held_out = {"loss": 1.0, "tokens": 0.25, "answers": 0.5}
    return [
        {"step": 100 * number, "loss": 1 / number, "rate": 1e-3, "seconds": 60.4 * number, "held_out": held_out}
        for number in range(1, count + 1)
    ]


def steps_of(written: str) -> list[int]:
    return [int(step.replace(",", "")) for step in re.findall(r"^\| ([\d,]+) \| \d", written, re.MULTILINE)]


def test_a_card_says_what_was_trained_how_and_what_came_out() -> None:
    written = card(RECIPE, log(24), TEST, "It knows letters.", "mta-eval train letter_blocks --seed 43")
    assert "# mta on letter_blocks:blocks=10, seed 43\n" in written
    assert "    mta-eval train letter_blocks --seed 43\n" in written
    assert "| whole answers | 0.5% |" in written
    assert "given) | 0.12% |" in written
    assert "errors on 1,000 rows" in written
    assert "errors are on 500 rows" in written
    assert "mta-eval run letter_blocks:blocks=10 --model mta:" in written
    assert "`AutoModelForCausalLM`. It knows letters.\n" in written
    assert "| 2,400 | 0.0417 | 50.0% | 25.00% | 1450 |\n" in written


def test_a_card_names_every_size_the_schedule_and_the_machine() -> None:
    written = card(RECIPE, log(1), TEST, "", "")
    for fact in (
        "hidden_size | 128",
        "learning_rate | 0.002",
        "betas | [0.9, 0.98]",
        "trained on | 2 x H100, torch 2.9",
    ):
        assert f"| {fact} |\n" in written


def test_a_long_curve_is_thinned_evenly_and_keeps_its_last_line() -> None:
    for count in (1, 24, 25, 26, 51, 100, 101):
        steps = steps_of(card(RECIPE, log(count), TEST, "", ""))
        assert steps[-1] == 100 * count
        assert len(steps) <= MAX_LINES
        assert len({later - earlier for earlier, later in pairwise(steps)}) <= 1
    assert len(steps_of(card(RECIPE, log(MAX_LINES), TEST, "", ""))) == MAX_LINES


def test_a_card_begins_as_the_hub_wants_it() -> None:
    head, _, body = card(RECIPE, log(3), TEST, "", "").removeprefix("---\n").partition("---\n")
    assert {line.split(":")[0] for line in head.splitlines()} == {"library_name", "license", "tags"}
    assert body.startswith("\n# ")

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
    assert "These are of 1,000 rows" in written
    assert "are of 500 rows held out" in written
    assert "mta-eval run TASK --model mta:FOLDER" in written
    assert "| step | loss | wrong answers | wrong tokens | seconds |" in written
    assert "Probes" not in written
    assert "tokens seen" not in written
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
    assert "license" not in card({**RECIPE, "start": "smollm2"}, log(3), TEST, "", "")  # that is another's


def test_a_card_of_text_has_perplexities_and_what_was_read() -> None:
    text = {**RECIPE, "task": "text", "data": "books", "length": 512, "tasks": [], "windows": [], "parameters": 1234}
    text["schedule"] = {**RECIPE["schedule"], "batch": 8}
    written = card(text, log(24), TEST | {"loss": 3.0}, "", "")
    assert "| perplexity | 20.09 |" in written
    assert "| wrong next tokens | 0.12% |" in written
    assert "whole answers" not in written
    assert "| step | loss | perplexity | wrong tokens | seconds |" in written
    assert "| 2,400 | 0.0417 | 2.718 | 25.00% | 1450 |\n" in written
    for fact in ("data | books", "length | 512", "parameters | 1234", f"tokens seen | {2400 * 8 * 512}"):
        assert f"| {fact} |\n" in written
    for empty in ("tasks", "windows"):
        assert f"| {empty} |" not in written


def test_a_card_of_text_and_tasks_has_errors_of_answers() -> None:
    mixed = {**RECIPE, "data": "books", "tasks": ["niah"], "length": 512}
    mixed["schedule"] = {**RECIPE["schedule"], "batch": 8}
    assert "| whole answers | 0.5% |" in card(mixed, log(2), TEST, "", "")


def test_a_card_has_the_last_probes() -> None:
    lines = log(3)
    lines[1]["probes"] = {"niah 1K": 1.0}
    lines[2]["probes"] = {"niah 1K": 62.5, "perplexity of wiki, held out": 12.3456}
    written = card(RECIPE, lines, TEST, "", "")
    assert "Asked after step 300: " in written
    assert "| niah 1K | 62.5 |\n| perplexity of wiki, held out | 12.35 |\n" in written
    assert "| niah 1K | 1 |" not in written

"""A look into checkpoints, by the models that come with the package."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval import registry
from mta_eval.attention.inspection import attention_of_last
from mta_eval.core import Cell, Sweep
from mta_eval.models.checkpoints.retrofit import open_checkpoint
from mta_eval.results import inspection

pytestmark = pytest.mark.usefixtures("quick_pdfs")

Call = Callable[..., tuple[int, str, str]]
BOTH = ["letter-blocks-mta", "letter-blocks-transformer"]


def test_models_are_compared_on_the_same_sample(call: Call) -> None:
    code, out, err = call("attention", *BOTH, "--task", "letter_blocks", "--out", "both.svg")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == BOTH
    assert lines[2] == "both.svg"
    assert {line.rpartition(" on ")[2] for line in lines[:2]} == {lines[0].rpartition(" on ")[2]}
    picture = Path("both.svg").read_text()
    assert all(name in picture for name in BOTH)


def test_the_line_says_what_the_weights_are(call: Call) -> None:
    model = registry.build_model(BOTH[0])
    sample = registry.build_task("letter_blocks").sample(Cell(model.max_length, 0.5, 0), 0, model.tokenizer)
    (needle,) = [needle for needle in sample.needles if needle.asked]
    ids = model.tokenizer.prompt_ids(sample.prompt, plain=True)  # type: ignore[attr-defined]
    maps = attention_of_last(open_checkpoint(BOTH[0]), ids, 1)
    most = max(float(head[0, needle.token_start : needle.token_end].sum()) for layer in maps for head in layer)
    _, out, _ = call("attention", BOTH[0], "--task", "letter_blocks", "--out", "one.png")
    assert f"puts {most:.0%} of the last token's attention on {needle.text!r}" in out


def test_multi_token_attention_looks_at_the_target_and_the_transformer_does_not() -> None:
    """What the picture is there to show, over many samples: the target's share of one head's attention."""
    found = {}
    for name in BOTH:
        model, tokenizer = open_checkpoint(name), registry.build_model(name).tokenizer
        shares = []
        for cell in Sweep((model.config.max_position_embeddings,), (None,), 40, 5).cells():
            sample = registry.build_task("letter_blocks").sample(cell, 5, tokenizer)
            (needle,) = [needle for needle in sample.needles if needle.asked]
            maps = attention_of_last(model, tokenizer.prompt_ids(sample.prompt, plain=True), 1)  # type: ignore[attr-defined]
            shares.append(
                [float(head[0, needle.token_start : needle.token_end].sum()) for layer in maps for head in layer]
            )
        found[name] = max(sum(column) / len(column) for column in zip(*shares, strict=True))
    assert found[BOTH[0]] > 0.5 > found[BOTH[1]]


def test_the_length_is_the_models_window_unless_it_is_long(llama_folder: Path) -> None:
    window = registry.build_model(BOTH[0]).max_length
    assert inspection.default_length([BOTH[0], str(llama_folder)]) == window
    assert inspection.default_length([str(llama_folder)]) == 1024
    assert inspection.default_length(["window:300"]) == 1024


def test_models_that_read_other_tokens_cannot_be_compared(call: Call, llama_folder: Path) -> None:
    code, _, err = call(
        "attention", BOTH[0], str(llama_folder), "--task", "letter_blocks:prompt=characters", "--out", "a.png"
    )
    assert code == 2
    assert "read other tokens; draw a picture of each" in err


@pytest.mark.parametrize("model", ["window:300", "tokenizer:x"])
def test_what_has_no_checkpoint_is_one_line(call: Call, model: str) -> None:
    code, _, err = call("attention", model, "--task", "niah", "--length", "512", "--out", "a.png")
    assert (code, len(err.splitlines())) == (2, 1)


def test_a_report_draws_the_attention_of_all_that_can_be_looked_into(call: Call) -> None:
    models = [part for name in BOTH for part in ("--model", name)]
    assert call("run", "letter_blocks", *models, "--repeats", "2", "--depths", "0,1", "--out", "run")[0] == 0
    code, out, _ = call("report", "run", "--x", "position", "--y", "model", "--attention")
    assert code == 0
    assert "attention_letter_blocks.svg" in out
    page = Path("run/report/report.html").read_text()
    assert "Attention on one sample" in page
    assert page.count("of the last token&#39;s attention on") == 2
    assert "![attention](attention_letter_blocks.svg)" in Path("run/report/report.md").read_text()


def test_a_report_without_such_models_has_no_such_picture(call: Call) -> None:
    sweep = ("--lengths", "256", "--depths", "0", "--repeats", "1", "--out", "run")
    assert call("run", "letter_blocks", "--model", "window:300", *sweep)[0] == 0
    assert call("report", "run", "--attention")[0] == 0
    assert "Attention on one sample" not in Path("run/report/report.html").read_text()


def test_measured_runs_stand_beside_the_paper(call: Call) -> None:
    models = [part for name in BOTH for part in ("--model", name)]
    assert call("run", "letter_blocks", *models, "--repeats", "10", "--depths", "any", "--out", "run")[0] == 0
    code, out, _ = call("paper", "mta", "--runs", "run", "--out", "paper")
    assert code == 0
    assert all(Path(line).exists() for line in out.splitlines())
    records = [json.loads(line) for line in Path("run/records.jsonl").read_text().splitlines()]
    wrong = 100 * (1 - sum(r["score"] for r in records if r["model"] == BOTH[0]) / 10)
    assert f"| cpu | {wrong:.1f} | 42: {wrong:.1f} |" in Path("paper/paper.md").read_text()

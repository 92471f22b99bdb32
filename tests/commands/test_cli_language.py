"""mta-eval train text and train TASK, as people use them, on models of seconds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_language import write_corpus
from tiny_training import log_of, result_of

Call = Callable[..., tuple[int, str, str]]
SIZES = ("hidden_size=16", "num_hidden_layers=1", "num_attention_heads=2", "intermediate_size=24")
TINY = tuple(word for size in SIZES for word in ("--set", size))
SCHEDULE = ("--steps", "4", "--batch", "4", "--every", "2", "--warmup", "1", "--device", "cpu")
SHORT = (*SCHEDULE, "--length", "24")


def train(call: Call, out: str, *options: str, what: tuple[str, ...] = ("text",)) -> tuple[int, str, str]:
    if not Path("corpus").exists():
        write_corpus(Path("corpus"))
    return call("train", *what, "--data", "corpus", "--out", out, *options)


def test_text_is_trained_on_and_the_model_answers_its_perplexity(call: Call) -> None:
    options = ("--attention", "mta", "--tokenizer", "bpe:300", *TINY, *SHORT)
    code, out, err = train(
        call, "made", *options, "--probe", "perplexity:text=corpus,windows=1", "--probe-samples", "1"
    )
    assert code == 0, err
    assert out.startswith("perplexity ")
    assert " of next tokens wrong, in 128 rows\n" in out
    assert out.splitlines()[-1] == "made"
    assert "step 2: loss " in err
    assert ", held-out perplexity " in err
    probes = log_of(Path("made"))[-1]["probes"]
    assert [name for name in probes if "held out" in name]
    assert [name for name in probes if "held out" not in name]
    card = Path("made/README.md").read_text()
    assert "    mta-eval train text --data corpus --out made --attention mta " in card
    model = ("--model", "mta:made,device=cpu")
    code, _, err = call("run", "perplexity:text=corpus,windows=1", *model, "--lengths", "24", "--out", "run")
    assert code == 0, err

    # a checkpoint is gone on with: its kernels alone, and by LoRA
    for tune, trained in (("kernels", "kernels"), ("lora", "lora")):
        code, _, err = train(call, tune, "--from", "made", "--tune", tune, *SHORT)
        assert code == 0, err
        assert json.loads(Path(tune, "recipe.json").read_text())["tune"] == trained
    assert result_of(Path("kernels")) != result_of(Path("lora"))


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no data": (("text", "--data", ""), "text needs --data"),
    "data that is not there": (("text", "--data", "nowhere"), "no such file or folder"),
    "preset": (("text", "--preset", "huge"), "there is no size 'huge' of language models; there is: tiny, small"),
    "no checkpoint": (("text", "--from", "nowhere/at/all"), "nowhere/at/all"),
    "a folder that is none": (("text", "--from", "corpus"), "corpus"),
    "two tokenizers": (("text", "--from", "corpus", "--tokenizer", "bpe:300"), "leave --tokenizer out, or --from"),
    "tokenizer": (("text", "--tokenizer", "corpus"), "corpus"),
    "set": (("text", "--set", "nonsense=1"), "--set: a new model has no option 'nonsense'"),
    "set without a value": (("text", "--set", "nonsense"), "nonsense"),
    "tune": (("text", "--tune", "kernels"), "--tune kernels trains a part of a checkpoint"),
    "block": (("text", "--block", "5"), "--block is of letter_blocks alone"),
    "probe": (("text", "--probe", "niahh"), "niahh"),
    "probe beyond the window": (("text", "--length", "24", "--probe", "niah", *TINY), "24"),
    "reading task": (("text", "perplexity:text=corpus", *TINY, "--length", "24"), "has no answers to train on"),
    "short rows": (("text", "niah", *TINY, "--length", "16"), "16"),
    "long rows": (("text", "--length", "100000", *TINY), "fewer than a row of 100,000"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_exit_code_2_and_no_folder(case: str, call: Call) -> None:
    arguments, line = BAD[case]
    write_corpus(Path("corpus"))
    data = () if "--data" in arguments else ("--data", "corpus")
    code, out, err = call("train", *arguments, *data, "--out", "x", "--device", "cpu")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert line in err
    assert not Path("x").exists()

"""The commands about checkpoints, as people use them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mta_eval.arguments import parse_options
from mta_eval.errors import SpecError
from mta_eval.models.checkpoints.retrofit import open_checkpoint

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def mta_folder(llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A retrofit whose kernels are no identity any more."""
    from mta_eval.models.checkpoints.retrofit import retrofit

    folder = tmp_path_factory.mktemp("cli") / "mta"
    retrofit(str(llama_folder), "mta", folder, {"kernel_init": "normal", "convolution_layers": [1, 2]})
    return folder


def test_a_retrofit_says_how_far_it_is_from_its_original(call: Call, llama_folder: Path) -> None:
    code, out, _ = call("retrofit", f"hf:{llama_folder}", "--attention", "mta", "--out", "made")
    assert code == 0
    assert out.startswith("made: mta; its logits differ from the original's by at most ")
    assert float(out.split()[-1]) < 1e-3
    assert json.loads(Path("made/config.json").read_text())["attention"] == "mta"


def test_a_retrofit_with_a_gate_says_that_it_must_be_trained(call: Call, llama_folder: Path) -> None:
    code, out, _ = call("retrofit", str(llama_folder), "--out", "made", "--set", "gate=scalar", "--set", "norm=plain")
    assert code == 0
    assert "train it before use" in out


def test_a_retrofit_runs_a_task_beside_its_original(call: Call, llama_folder: Path) -> None:
    assert call("retrofit", str(llama_folder), "--out", "made", "--attention", "talking_heads")[0] == 0
    models = ("--model", f"hf:{llama_folder},dtype=float32", "--model", "talking_heads:made,dtype=float32")
    sweep = ("--lengths", "256", "--depths", "0,1", "--repeats", "1", "--out", "run")
    assert call("run", "niah:needles=2", *models, *sweep)[0] == 0
    records = [json.loads(line) for line in Path("run/records.jsonl").read_text().splitlines()]
    outputs = {model: [r["output"] for r in records if r["model"] == model] for model in {r["model"] for r in records}}
    assert len(outputs) == 2
    first, second = outputs.values()
    assert first == second


def test_kernels_are_drawn_for_every_layer_that_has_them(call: Call, mta_folder: Path) -> None:
    code, out, err = call("kernels", str(mta_folder), "--out", "kernels")
    assert code == 0, err
    names = {path.name for path in Path("kernels").iterdir()}
    for layer in (1, 2):
        for when in ("before", "after"):
            assert f"layer-{layer:02d}-key-query-{when}-softmax.png" in names
    assert "layer-00-heads-before-softmax.svg" in names
    assert not any(name.startswith("layer-00-key-query") for name in names)
    assert {Path(line).name for line in out.splitlines()} == names
    with Path("kernels/kernels.csv").open() as file:
        rows = list(csv.DictReader(file))
    kernel = open_checkpoint(str(mta_folder)).model.layers[1].self_attn.convolve_before[2]
    (row,) = [r for r in rows if (r["layer"], r["head"], r["kernel"]) == ("1", "2", "key-query-before-softmax")]
    assert abs(float(row["largest"])) == pytest.approx(float(kernel.detach().abs().max()), rel=1e-4)
    assert len(rows) == 3 * 2 * 4 + 2 * 2 * 4


def test_attention_is_drawn_from_the_question_to_the_needle(call: Call, mta_folder: Path) -> None:
    code, out, _ = call("attention", str(mta_folder), "--task", "niah:needles=2", "--length", "256", "--out", "a.png")
    assert code == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert "layer " in out
    assert "magic number" in out


def test_any_llama_type_model_can_be_looked_into(call: Call, llama_folder: Path) -> None:
    assert call("attention", str(llama_folder), "--task", "passkey", "--length", "256", "--out", "a.svg")[0] == 0
    code, _, err = call("kernels", str(llama_folder), "--out", "kernels")
    assert (code, "transformer attention: no kernels" in err) == (2, True)


def test_the_head_that_is_named_is_the_one_that_looks_most(call: Call, mta_folder: Path) -> None:
    from mta_eval.attention.inspection import attention_of_last
    from mta_eval.core import Cell
    from mta_eval.models.tokenizer import load_tokenizer
    from mta_eval.registry import build_task

    _, out, _ = call("attention", str(mta_folder), "--task", "passkey", "--length", "256", "--out", "a.png")
    tokenizer = load_tokenizer(str(mta_folder))
    sample = build_task("passkey").sample(Cell(256, 0.5, 0), 0, tokenizer)
    (needle,) = sample.needles
    maps = attention_of_last(open_checkpoint(str(mta_folder)), tokenizer.prompt_ids(sample.prompt, plain=True), 1)
    shares = torch.stack([layer[:, -1, needle.token_start : needle.token_end].sum(-1) for layer in maps])
    layer, head = divmod(int(shares.argmax()), shares.shape[1])
    assert out.startswith(f"layer {layer}, head {head} puts {float(shares.max()):.0%} ")


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no such folder": (("retrofit", "./nothing", "--out", "x"), "no file or folder"),
    "no checkpoint": (("import-checkpoint", "nothing", "--out", "x"), "no folder 'nothing'"),
    "unknown option": (("retrofit", "LLAMA", "--out", "x", "--set", "nrm=plain"), "did you mean 'norm'"),
    "no option": (("retrofit", "LLAMA", "--out", "x", "--set", "norm"), "write NAME=VALUE"),
    "diff": (("retrofit", "LLAMA", "--out", "x", "--attention", "diff"), "diff"),
    "in use": (("retrofit", "LLAMA", "--out", "LLAMA"), "is there already"),
    "no picture": (("attention", "LLAMA", "--task", "niah", "--out", "a.txt"), ".png"),
    "too long": (("attention", "LLAMA", "--task", "niah", "--length", "4k", "--out", "a.png"), "the model takes 1024"),
    "no form": (("export-checkpoint", "LLAMA", "--out", "x"), "give one of --with-code"),
    "two forms": (("export-checkpoint", "LLAMA", "--with-code", "--as-llama", "--out", "x"), "give one of --with-code"),
    "no family": (("export-checkpoint", "LLAMA", "--as-llama", "--out", "x"), "which transformers opens as it is"),
    "two depths": (("attention", "LLAMA", "--task", "niah", "--depth", "0,1", "--out", "a.png"), "one --depth"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_and_exit_code_2(case: str, call: Call, llama_folder: Path) -> None:
    arguments, line = BAD[case]
    code, out, err = call(*(str(llama_folder) if part == "LLAMA" else part for part in arguments))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert line in err
    assert not Path("x").exists()


def test_options_are_numbers_lists_or_words() -> None:
    assert parse_options(["norm=plain", "convolution_layers=2,6", "head_kernel_after=0"]) == {
        "norm": "plain",
        "convolution_layers": [2, 6],
        "head_kernel_after": 0,
    }
    for wrong in (["norm"], ["=1"], ["norm="], ["norm=a", "norm=b"]):
        with pytest.raises(SpecError):
            parse_options(wrong)


def test_a_checkpoint_is_written_with_its_code(call: Call, mta_folder: Path, llama_folder: Path) -> None:
    code, out, err = call("export-checkpoint", str(mta_folder), "--with-code", "--out", "made")
    assert (code, out) == (0, "made: AutoModelForCausalLM.from_pretrained('made', trust_remote_code=True)\n"), err
    assert call("retrofit", str(llama_folder), "--with-code", "--out", "fitted")[0] == 0
    for folder in ("made", "fitted"):
        assert "class MTAForCausalLM" in Path(folder, "mta_decoder.py").read_text()
        assert json.loads(Path(folder, "config.json").read_text())["auto_map"]["AutoConfig"] == "mta_decoder.MTAConfig"
    assert call("retrofit", str(llama_folder), "--out", "without")[0] == 0
    assert not list(Path("without").glob("*.py"))


def test_a_plain_checkpoint_is_written_as_a_llama(call: Call, llama_folder: Path) -> None:
    assert call("retrofit", str(llama_folder), "--attention", "transformer", "--out", "plain")[0] == 0
    code, out, err = call("export-checkpoint", "transformer:plain", "--as-llama", "--out", "llama")
    assert code == 0, err
    assert out.startswith("llama: a LlamaForCausalLM; its logits differ from the original's by at most ")
    assert json.loads(Path("llama/config.json").read_text())["model_type"] == "llama"

"""Imported checkpoints against the released architecture, written here again on the released names and layouts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import AutoTokenizer

from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.errors import ModelError
from mta_eval.models.checkpoints.released import import_checkpoint
from mta_eval.models.checkpoints.released_arguments import Softmax

Model = dict[str, Any]
State = dict[str, torch.Tensor]

SMALL = {"dim": 16, "n_layers": 3, "n_heads": 4, "vocab_size": -1, "weight_tying": True, "rope_theta": 100_000}
NO_KERNELS = {"use_mta": True, "query_kernel_size": None}
PRE = {"use_mta": True, "query_kernel_size": 3, "key_kernel_size": 5}
POST = {"after_sm_query_kernel_size": 2, "after_sm_key_kernel_size": 3}
GATED = {"group_norm": True, "add_gating": True}
V2 = {**PRE, **POST, **GATED, "mta_layers": "0,2", "pre_sm_linear_head": True, "head_kernel_size": 4}
CASES: dict[str, tuple[str, Model]] = {
    "baseline": ("transformer", {}),
    "baseline of the MTA code": ("transformer", {"mta": {"use_mta": False, "mta_layers": None}}),
    "baseline with norm and gate": ("transformer", {"mta": {"use_mta": False, **GATED}}),
    "grouped queries, other head size": ("transformer", {"n_kv_heads": 2, "head_dim": 6, "norm_eps": 1e-3}),
    "untied": ("transformer", {"weight_tying": False}),
    "heads counted by their size": ("transformer", {"n_heads": None, "head_dim": 8}),
    "v2": ("mta", {"mta": V2}),
    "v2, grouped queries, untied": ("mta", {"mta": V2, "n_kv_heads": 2, "weight_tying": False}),
    "v2, vector gate": ("mta", {"mta": {**V2, "gate_1d": False}}),
    "v1": ("mta", {"mta": {**PRE, "head_kernel_size": 2, "group_norm": True, "layer_norm_rescale": True}}),
    "talking heads": ("talking_heads", {"mta": {**NO_KERNELS, "pre_sm_linear_head": True, "head_kernel_size": 4}}),
    "linear heads": (
        "talking_heads",
        {"mta": {**NO_KERNELS, "pre_sm_linear_head": True, "post_sm_linear_head": True}},
    ),
    "linear heads after only": ("mta", {"mta": {**PRE, "mta_layers": "1", "post_sm_linear_head": True}}),
    "letter blocks": ("mta", {"mta": PRE, "dropout": 0.1}),
    "default kernels of one weight": ("mta", {"mta": {"use_mta": True, "head_kernel_size": 2}}),
    "keys before": ("mta", {"mta": {**PRE, "pad_key": "left"}}),
    "keys after": ("mta", {"mta": {**PRE, **POST, "pad_key": "right"}}),
    "layers that are not there": ("mta", {"mta": {**V2, "mta_layers": "2,6,10"}}),
    "no layer that is there": ("transformer", {"mta": {**PRE, "mta_layers": "7"}}),
}


def has_kernels(mta: Model, layer: int) -> bool:
    return mta.get("mta_layers") is None or str(layer) in mta["mta_layers"].split(",")


def sizes(model: Model) -> tuple[int, int, int]:
    heads = model.get("n_heads") or model["dim"] // model["head_dim"]
    return heads, model.get("n_kv_heads") or heads, model.get("head_dim") or model["dim"] // heads


def checkpoint(model: Model, words: int = 11, dtype: torch.dtype = torch.float64) -> State:
    """Random weights under the released names."""
    (heads, groups, size), dim, hidden, mta = sizes(model), model["dim"], 24, model.get("mta") or {}
    uses, shapes = mta.get("use_mta"), {"tok_embeddings.weight": (words, dim), "norm.weight": (dim,)}
    shapes["output.tied_module.weight" if model["weight_tying"] else "output.weight"] = (words, dim)
    for layer in range(model["n_layers"]):
        inner: dict[str, tuple[int, ...]] = {
            "attention_norm.weight": (dim,),
            "ffn_norm.weight": (dim,),
            "attention.wq.weight": (heads * size, dim),
            "attention.wk.weight": (groups * size, dim),
            "attention.wv.weight": (groups * size, dim),
            "attention.wo.weight": (dim, heads * size),
            "feed_forward.w1.weight": (hidden, dim),
            "feed_forward.w2.weight": (dim, hidden),
            "feed_forward.w3.weight": (hidden, dim),
        }
        before: tuple[Any, ...] = mta.get("query_kernel_size", 1), mta.get("key_kernel_size", 1)
        after: tuple[Any, ...] = mta.get("after_sm_query_kernel_size"), mta.get("after_sm_key_kernel_size")
        for name, kernel in (("mta_kernel", before), ("mta_kernel_after_sm", after)):
            if uses and has_kernels(mta, layer) and None not in kernel:
                inner[f"attention.{name}"] = (heads, 1, *kernel)
        if uses and mta.get("pre_sm_linear_head"):
            inner["attention.wpsm.weight"] = (heads, heads)
        if uses and (mixed := mta.get("head_kernel_size")):
            inner["attention.head_kernel"] = (heads // mixed, mixed, mixed)
        if uses and mta.get("post_sm_linear_head"):
            inner["attention.wposm.weight"] = (heads, heads)
        if mta.get("group_norm"):
            inner["attention.subln.weight"] = (size,)
        if mta.get("add_gating"):
            gates = 1 if mta.get("gate_1d", True) else size
            inner |= {"attention.gate.weight": (gates, size), "attention.gate.bias": (gates,)}
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in inner.items()}
    random = torch.Generator().manual_seed(0)
    state = {name: torch.randn(shape, generator=random, dtype=torch.float64) / 2 for name, shape in shapes.items()}
    if model["weight_tying"]:
        state["output.tied_module.weight"] = state["tok_embeddings.weight"]
    state["rope_embeddings.freqs_cis"] = torch.ones(2, 2)
    return {name: tensor.to(dtype) for name, tensor in state.items()}


def rms(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def convolve(scores: torch.Tensor, kernel: torch.Tensor, padding: str) -> torch.Tensor:
    queries, keys = kernel.shape[2] - 1, kernel.shape[3] - 1
    left = {"both": keys // 2, "left": keys, "right": 0}[padding]
    return F.conv2d(F.pad(scores, (left, keys - left, queries, 0)), kernel, groups=len(kernel))


def released_logits(state: State, model: Model, tokens: torch.Tensor, twice: bool = False) -> torch.Tensor:
    """The released forward pass on one sequence. Angles and the layers' norms are float32, in that code as in ours.

    `twice`: older code took softmax a second time in MTA's layers where nothing stood after the first.
    """
    (heads, groups, size), mta, time = sizes(model), model.get("mta") or {}, len(tokens)
    eps, padding = model.get("norm_eps", 1e-5), mta.get("pad_key", "both")
    powers = 1.0 / model["rope_theta"] ** (torch.arange(0, size, 2).float() / size)
    angles = torch.arange(time)[:, None].float() * powers
    turn = torch.complex(angles.cos(), angles.sin()).to(torch.complex128)[:, None]
    future = torch.ones(time, time, dtype=torch.bool).triu(1)
    h = state["tok_embeddings.weight"][tokens]
    for layer in range(model["n_layers"]):
        own = {name.split(".", 2)[2]: weight for name, weight in state.items() if name.startswith(f"layers.{layer}.")}
        lowered = 0.2 + 0.6 * math.exp(-0.3 * layer) if mta.get("curse_norm") else 1
        x = rms(h.float(), own["attention_norm.weight"], eps) * lowered
        q, k, v = ((x @ own[f"attention.w{name}.weight"].T).view(time, -1, size) for name in "qkv")
        q, k = (
            torch.view_as_real(torch.view_as_complex(y.reshape(time, -1, size // 2, 2)) * turn).flatten(2)
            for y in (q, k)
        )
        k, v = (y.repeat_interleave(heads // groups, 1) for y in (k, v))
        s = torch.einsum("ihd,jhd->hij", q, k) / math.sqrt(size)
        if "attention.mta_kernel" in own:
            s = convolve(s.masked_fill(future, 0), own["attention.mta_kernel"], padding)
        if "attention.wpsm.weight" in own:
            s = F.linear(s.transpose(0, 2), own["attention.wpsm.weight"]).transpose(0, 2)
        s = s.masked_fill(future, -math.inf).softmax(-1)
        followed = any(f"attention.{name}" in own for name in ("mta_kernel_after_sm", "head_kernel", "wposm.weight"))
        in_mta = mta.get("use_mta") and (has_kernels(mta, layer) or mta.get("pre_sm_linear_head"))
        if twice and in_mta and not followed:
            s = s.masked_fill(future, -math.inf).softmax(-1)
        if "attention.mta_kernel_after_sm" in own:
            s = convolve(s, own["attention.mta_kernel_after_sm"], padding).masked_fill(future, 0)
        if "attention.head_kernel" in own:
            kernel = own["attention.head_kernel"]
            mixed = [y.transpose(0, 2) @ one for y, one in zip(torch.split(s, kernel.shape[1]), kernel, strict=True)]
            s = torch.cat([y.transpose(0, 2) for y in mixed])
        if "attention.wposm.weight" in own:
            s = F.linear(s.transpose(0, 2), own["attention.wposm.weight"]).transpose(0, 2)
        o = torch.einsum("hij,jhd->ihd", s, v)
        if "attention.subln.weight" in own:
            o = rms(o, own["attention.subln.weight"], 1e-5)
            o = o * (0.2 + 0.6 * math.exp(-0.3 * layer)) if mta.get("layer_norm_rescale") else o
        if "attention.gate.weight" in own:
            o = o * torch.sigmoid(F.linear(o, own["attention.gate.weight"], own["attention.gate.bias"]))
        h = h + o.flatten(1) @ own["attention.wo.weight"].T
        x = rms(h.float(), own["ffn_norm.weight"], eps) * lowered
        gated = F.silu(x @ own["feed_forward.w1.weight"].T) * (x @ own["feed_forward.w3.weight"].T)
        h = h + gated @ own["feed_forward.w2.weight"].T
    last = state.get("output.weight", state["tok_embeddings.weight"])
    return rms(h.float(), state["norm.weight"], eps) @ last.T


def save(folder: Path, state: Any, params: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "consolidated.pth")
    (folder / "params.json").write_text(json.dumps(params))
    return folder


def assert_same(folder: Path, state: State, model: Model, twice: bool = False) -> MTAForCausalLM:
    imported: MTAForCausalLM = MTAForCausalLM.from_pretrained(folder)
    tokens = torch.arange(17) * 5 % 11
    with torch.no_grad():
        logits = imported(tokens[None]).logits[0]
    torch.testing.assert_close(logits, released_logits(state, model, tokens, twice), rtol=0, atol=1e-10)
    return imported


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_the_released_architecture(case: str, tmp_path: Path) -> None:
    attention, options = CASES[case]
    model = {**SMALL, **options}
    state = checkpoint(model)
    out = import_checkpoint(
        save(tmp_path / "in", {"model": state, "optim": [1]}, {"model": model}), tmp_path / "out", softmax="once"
    )
    assert out == tmp_path / "out"
    assert assert_same(out, state, model).config.attention == attention


BARE = {
    "letter blocks": {"mta": PRE},
    "some layers": {"mta": {**PRE, "mta_layers": "1"}},
    "heads mixed before in all layers": {"mta": {**V2, "head_kernel_size": None}},
    "kernels that are the identity": {"mta": PRE},
}


@pytest.mark.parametrize("case", BARE)
@pytest.mark.parametrize("softmax", ["once", "twice"])
def test_softmax_is_taken_as_often_as_is_said(case: str, softmax: Softmax, tmp_path: Path) -> None:
    model = {**SMALL, **BARE[case]}
    state = checkpoint(model)
    if "identity" in case:
        for name in [name for name in state if name.endswith("mta_kernel")]:
            state[name] = torch.zeros_like(state[name])
            state[name][:, :, -1, 2] = 1
    out = import_checkpoint(save(tmp_path / "in", state, {"model": model}), tmp_path / "out", softmax=softmax)
    imported = assert_same(out, state, model, softmax == "twice")
    assert imported.config.softmax_again == (softmax == "twice")
    tokens = torch.arange(17) * 5 % 11
    once, twice = (released_logits(state, model, tokens, again) for again in (False, True))
    assert (once - twice).abs().max() > 0.1
    reached = imported(tokens[None, :12], use_cache=True).past_key_values
    cached = imported(tokens[None, 12:], past_key_values=reached).logits[0]
    torch.testing.assert_close(cached, twice[12:] if softmax == "twice" else once[12:], rtol=0, atol=1e-10)


@pytest.mark.parametrize("case", BARE)
def test_softmax_must_be_said_where_a_folder_cannot_tell(case: str, tmp_path: Path) -> None:
    model = {**SMALL, **BARE[case]}
    layers = {"some layers": "1", "heads mixed before in all layers": "1"}.get(case, "0, 1, 2")
    message = rf"nothing after softmax \({layers}\).*calls normalize_attention a second time.*--softmax twice"
    assert_refused(save(tmp_path / "in", checkpoint(model), {"model": model}), message)


def test_softmax_twice_changes_nothing_where_kernels_follow(tmp_path: Path) -> None:
    model = {**SMALL, "mta": V2}
    state = checkpoint(model)
    assert_same(
        import_checkpoint(save(tmp_path / "in", state, {"model": model}), tmp_path / "out", softmax="twice"),
        state,
        model,
    )
    bare = {**SMALL, "mta": NO_KERNELS}
    with pytest.raises(ModelError, match="no kernels at all"):
        import_checkpoint(save(tmp_path / "bare", checkpoint(bare), {"model": bare}), tmp_path / "o", softmax="twice")


def test_the_code_goes_along_where_it_is_wanted(tmp_path: Path) -> None:
    model = {**SMALL, "mta": V2}
    source = save(tmp_path / "in", checkpoint(model), {"model": model})
    assert not list(import_checkpoint(source, tmp_path / "without").glob("*.py"))
    assert (import_checkpoint(source, tmp_path / "out", with_code=True) / "mta_decoder.py").is_file()


def test_curse_norm_goes_into_the_norms(tmp_path: Path) -> None:
    model = {**SMALL, "mta": {**V2, "curse_norm": True}}
    state = checkpoint(model)
    assert_same(import_checkpoint(save(tmp_path / "in", state, {"model": model}), tmp_path / "out"), state, model)
    other = released_logits(state, {**SMALL, "mta": V2}, torch.arange(9))
    assert (other - released_logits(state, model, torch.arange(9))).abs().max() > 0.1


def test_a_sliding_window_is_said_and_changes_nothing_as_in_the_released_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {**SMALL, "mta": V2}
    state = checkpoint(model)
    source = save(tmp_path / "in", state, {"model": {**model, "sliding_window": 2}})
    assert_same(import_checkpoint(source, tmp_path / "out"), state, model)
    assert "sets sliding_window to 2, which the released code never applies" in capsys.readouterr().err


def test_every_weight_matters() -> None:
    model = {**SMALL, "mta": V2, "weight_tying": False}
    state, tokens = checkpoint(model), torch.arange(9)
    reference = released_logits(state, model, tokens)
    for name in set(state) - {"rope_embeddings.freqs_cis"}:
        changed = released_logits({**state, name: state[name].flip(0) + 0.1}, model, tokens)
        assert (changed - reference).abs().max() > 1e-6, name


def plain(folder: Path, state: State, params: Model) -> None:
    save(folder, state, params)


def legacy(folder: Path, state: State, params: Model) -> None:
    save(folder, {}, params)
    torch.save(state, folder / "consolidated.pth", _use_new_zipfile_serialization=False)


def safetensors(folder: Path, state: State, params: Model) -> None:
    save(folder, {}, params)
    (folder / "consolidated.pth").unlink()
    own = {name: tensor for name, tensor in state.items() if not name.startswith("output.")}
    save_file(own, folder / "model.safetensors")


def compiled(folder: Path, state: State, params: Model) -> None:
    inside = {name.replace(".attention.", "._orig_mod.attention."): tensor for name, tensor in state.items()}
    save(folder, {"model": {f"_orig_mod.{name}": tensor for name, tensor in inside.items()}}, params)


def subfolder(folder: Path, state: State, params: Model) -> None:
    save(folder / "consolidated", {"model": state}, params)


def subfolder_of_weights(folder: Path, state: State, params: Model) -> None:
    subfolder(folder, state, params)
    (folder / "consolidated" / "params.json").rename(folder / "params.json")


def bare_arguments(folder: Path, state: State, params: Model) -> None:
    save(folder, state, params["model"])


LAYOUTS = (plain, legacy, safetensors, compiled, subfolder, subfolder_of_weights, bare_arguments)


@pytest.mark.parametrize("write", LAYOUTS, ids=lambda write: write.__name__)
def test_a_checkpoint_is_found_however_it_lies(write: Callable[[Path, State, Model], None], tmp_path: Path) -> None:
    model = {**SMALL, "mta": V2}
    state = checkpoint(model)
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", state, {"model": model})
    (tmp_path / "out").mkdir()  # empty: may be used
    assert_same(import_checkpoint(tmp_path / "in", tmp_path / "out"), state, model)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_weights_keep_their_dtype(dtype: torch.dtype, tmp_path: Path) -> None:
    source = save(tmp_path / "in", checkpoint({**SMALL, "mta": V2}, dtype=dtype), {"model": {**SMALL, "mta": V2}})
    imported = MTAForCausalLM.from_pretrained(import_checkpoint(source, tmp_path / "out"))
    assert {weight.dtype for weight in imported.parameters()} == {dtype}


def test_window_dropout_and_ends_come_along(tmp_path: Path) -> None:
    model = {**SMALL, "max_seqlen": 64, "dropout": 0.1}
    for name, params, window in (("a", {"data": {"seq_len": 321}}, 321), ("b", {"data": None}, 64)):
        source = save(tmp_path / name, checkpoint(model), {"model": model, **params})
        config = MTAForCausalLM.from_pretrained(import_checkpoint(source, tmp_path / f"{name}-out")).config
        assert (config.max_position_embeddings, config.attention_dropout) == (window, 0.1)
        assert (config.bos_token_id, config.eos_token_id) == (None, None)


def test_a_tokenizer_comes_along(tmp_path: Path, tokenizer_folder: Path) -> None:
    words = len(AutoTokenizer.from_pretrained(tokenizer_folder))
    source = save(tmp_path / "in", checkpoint(SMALL, words), {"model": SMALL})
    out = import_checkpoint(source, tmp_path / "out", str(tokenizer_folder))
    reader, config = AutoTokenizer.from_pretrained(out), MTAForCausalLM.from_pretrained(out).config
    assert reader("the river").input_ids == AutoTokenizer.from_pretrained(tokenizer_folder)("the river").input_ids
    assert (config.bos_token_id, config.eos_token_id) == (reader.bos_token_id, reader.eos_token_id) == (1, 2)
    smaller = save(tmp_path / "in", checkpoint(SMALL, words - 1), {"model": SMALL})
    assert_refused(smaller, "more than the", str(tokenizer_folder))
    assert_refused(smaller, "cannot load tokenizer", str(tmp_path))
    assert_refused(smaller, "no file or folder", str(tmp_path / "none"))


def assert_refused(source: Path, message: str, tokenizer: str | None = None) -> None:
    """One line, and nothing written, not even beside."""
    place = source.parent / "place"
    place.mkdir(exist_ok=True)
    with pytest.raises(ModelError, match=message) as caught:
        import_checkpoint(source, place / "out", tokenizer)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(place.iterdir())


WQ, KERNEL, HEAD = (f"layers.0.attention.{name}" for name in ("wq.weight", "mta_kernel", "head_kernel"))
UNFIT_STATES: dict[str, tuple[str, Callable[[State], object]]] = {
    "missing": (r"lacks layers\.0\.attention\.mta_kernel, which", lambda state: state.pop(KERNEL)),
    "many missing": ("and 3 more", lambda state: [state.pop(key) for key in list(state) if "w3" in key or "wo" in key]),
    "left over": ("has extra.weight", lambda state: state.update({"extra.weight": torch.ones(1)})),
    "a layer too many": (r"has layers\.3\.x", lambda state: state.update({"layers.3.x": torch.ones(1)})),
    "rows": (r"wq\.weight of shape \(8, 16\).*\(16, 16\)", lambda state: state.update({WQ: torch.ones(8, 16)})),
    "transposed kernel": ("of shape", lambda state: state.update({KERNEL: state[KERNEL].transpose(2, 3)})),
    "grouped heads": ("of shape", lambda state: state.update({HEAD: torch.ones(2, 2, 2)})),
    "no embedding": ("do not say tok_embeddings", lambda state: state.pop("tok_embeddings.weight")),
    "another output": ("weight_tying", lambda state: state.update({"output.tied_module.weight": torch.ones(11, 16)})),
    "triton": ("Triton", lambda state: state.update({"layers.0.attention.triton_mta.weight": torch.ones(1)})),
    "no tensor": ("more than tensors", lambda state: state.update({"step": 3})),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("case", UNFIT_STATES)
def test_weights_that_do_not_fit_are_refused(case: str, tmp_path: Path) -> None:
    message, spoil = UNFIT_STATES[case]
    model = {**SMALL, "mta": V2}
    state = checkpoint(model)
    spoil(state)
    if case == "many missing":
        assert len(state) + 6 == len(checkpoint(model))
    assert_refused(save(tmp_path / "in", state, {"model": model}), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": None}, "do not say dim"),
        ({"n_heads": None}, "do not say head_dim"),
        ({"n_heads": "four"}, "makes no model"),
        ({"n_heads": 0}, "makes no model"),
        ({"n_kv_heads": 3}, "3 key-value heads"),
        ({"norm_eps": "small"}, "makes no model"),
        ({"norm_eps": -1}, "rms_norm_eps is -1.*mend it in params.json"),
        ({"rope_theta": -1}, "rope_theta is -1"),
        ({"head_dim": -1}, "head_dim is -1"),
        ({"max_seqlen": -1}, "max_position_embeddings is -1"),
        ({"n_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"dim": 10**30}, "hidden_size is 10"),
        ({"mta": {**V2, "mta_layers": ""}}, "makes no model"),
        ({"mta": {**V2, "head_kernel_size": 3}}, "does not divide"),
        ({"mta": {**V2, "pad_key": "up"}}, "key_padding"),
        ({"mta": {**V2, "query_kernel_size": 4}}, "of shape"),
        ({"mta": {**V2, "mta_layers": "1"}}, "lacks layers.1.attention.mta_kernel"),
        ({"mta": {}}, "of which params.json says nothing"),
        ({"weight_tying": False}, "lacks output.weight"),
        ({"mta": [1]}, "cannot read"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change: Model, message: str, tmp_path: Path) -> None:
    model = {**SMALL, "mta": V2}
    assert_refused(save(tmp_path / "in", checkpoint(model), {"model": {**model, **change}}), message)


def test_files_that_are_missing_or_damaged_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in"
    assert_refused(source, "no folder")
    source.mkdir()
    assert_refused(source, "no consolidated.pth")
    (source / "__0_0.distcp").touch()
    assert_refused(source, "consolidate_checkpoints")
    (source / "consolidated.pth").write_bytes(b"garbage")
    assert_refused(source, "no params.json")
    for text in ("{", "[1]", '{"model": 3}'):
        (source / "params.json").write_text(text)
        assert_refused(source, "cannot read training arguments")
    (source / "params.json").write_text("{}")
    assert_refused(source, "damaged or holds more")
    for unsafe in ({"model": checkpoint(SMALL), "args": Path("x")}, [torch.ones(1)], torch.nn.Linear(1, 1)):
        assert_refused(save(source, unsafe, {"model": SMALL}), "damaged or holds more")
    (source / "consolidated.pth").unlink()
    (source / "model.safetensors").write_bytes(b"garbage")
    assert_refused(source, "damaged or holds more")


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    source = save(tmp_path / "in", checkpoint(SMALL), {"model": SMALL})
    (tmp_path / "file").touch()
    for out in (source, tmp_path / "file"):
        with pytest.raises(ModelError, match="is there already"):
            import_checkpoint(source, out)
    assert sorted(path.name for path in source.iterdir()) == ["consolidated.pth", "params.json"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: MTAForCausalLM, folder: Path) -> None:
        (folder / "config.json").touch()
        raise OSError("No space left on device")

    monkeypatch.setattr(MTAForCausalLM, "save_pretrained", fail)
    assert_refused(save(tmp_path / "in", checkpoint(SMALL), {"model": SMALL}), "No space left")

"""The fused kernels without a GPU: interpreted against the oracle, and compiled for cards that are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from mta_eval.attention.fused import available, fused_attention, starts_of, unsupported
from mta_eval.attention.kernels import Kernels

HERE = Path(__file__).parent
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")

TWO = [[0] * 7 + [1] * 30 + [2] * 3 + [3] * 20, [5] * 60]
CASES: dict[str, dict[str, Any]] = {
    "odd length, grouped queries": {"groups": 1, "twice": True},
    "one token more than a block of the band": {"tokens": 65, "kernel": [2, 3]},
    "after a cache, kernel left": {"tokens": 90, "past": 41, "kernel": [4, 4], "padding": "left"},
    "after less than the halo, kernel right": {"tokens": 40, "past": 2, "kernel": [4, 3], "padding": "right"},
    "documents and left padding, rubbish in it": {"tokens": 60, "batch": 2, "documents": TWO, "rubbish": 1e30},
    "fewer tokens than the kernel, values wider": {"tokens": 3, "kernel": [8, 15], "size": 48, "value": 96},
    "mixed after softmax": {"heads": 4, "groups": 2, "tokens": 40, "mix": 2},
    "no kernel, documents": {"tokens": 60, "batch": 2, "documents": TWO, "kernel": None},
    "keys alone, to the left: no band": {"kernel": [1, 4], "padding": "left", "tokens": 40},
    "float16": {"dtype": "float16", "tokens": 40},
    "dropout": {"tokens": 64, "value": 64, "dropout": 0.25, "heads": 1, "groups": 1},
}
MODELS: dict[str, dict[str, Any]] = {
    "kernels before": {"options": {}, "cache": "dynamic"},
    "mixed after": {"options": {"head_kernel_after": 2, "norm": "depth_scaled", "gate": "none"}, "cache": "static"},
}
PADDED = [[0] * 5 + [1] * 40, [1] * 20 + [2] * 25]
MORE: dict[str, dict[str, Any]] = {  # quick ones too, in one process
    "padding and documents after a cache": {"tokens": 45, "past": 25, "batch": 2, "documents": PADDED},
    "mixed, documents, after a cache": {
        "tokens": 45,
        "past": 20,
        "heads": 4,
        "mix": 2,
        "documents": PADDED,
        "batch": 2,
    },
    "one query after a cache": {"tokens": 33, "past": 32, "groups": 1, "kernel": [3, 4], "padding": "right"},
    "a batch after a cache, one group": {
        "tokens": 37,
        "batch": 2,
        "past": 7,
        "heads": 4,
        "groups": 1,
        "kernel": [2, 2],
    },
    "a kernel of one number": {"tokens": 31, "kernel": [1, 1], "groups": 1},
    "queries alone, from the key on": {"tokens": 31, "kernel": [4, 1], "groups": 1, "padding": "right"},
    "keys alone, from the key on": {"tokens": 31, "size": 17, "kernel": [1, 15], "padding": "right"},
    "odd head sizes": {"tokens": 31, "size": 5, "value": 3},
    "largest kernel, to the left": {"tokens": 31, "size": 20, "value": 20, "kernel": [8, 15], "padding": "left"},
    "dropout, grouped queries": {"tokens": 64, "dropout": 0.2, "value": 64, "groups": 1, "kernel": [2, 3]},
    "one token": {"tokens": 1},
    "documents of one token, and none": {"tokens": 40, "batch": 2, "documents": [[0] * 40, [*range(1, 41)]]},
    "no kernel after a cache": {"tokens": 64, "kernel": None, "groups": 1, "past": 17},
    "no kernel, three heads mixed": {"tokens": 35, "heads": 3, "groups": 1, "mix": 3, "kernel": None},
}
SLOW: dict[str, dict[str, Any]] = {
    "several stripes of keys, blocks and heads": {"tokens": 600, "kernel": [2, 3], "workspace": 2**20},
    "paper's kernel, head 96": {"tokens": 150, "kernel": [6, 11], "size": 96, "value": 96},
    "several blocks, documents": {"tokens": 300, "documents": [[0] * 9 + [1] * 190 + [2] * 101], "kernel": [3, 4]},
    "several blocks after a cache": {"tokens": 330, "past": 131, "kernel": [3, 4], "groups": 1},
    "several heads a stripe": {"tokens": 300, "heads": 4, "groups": 2, "kernel": [2, 3], "workspace": 2**21 * 2},
    "head 80, values 48": {"tokens": 50, "size": 80, "value": 48},
    "head 256, largest kernel": {"tokens": 40, "size": 256, "value": 256, "kernel": [8, 15], "heads": 1, "groups": 1},
}


def run(script: str, task: Any, **environment: str) -> list[dict[str, Any]]:
    """The JSON lines of a script of this folder, in a process of its own."""
    paths = os.pathsep.join(filter(None, [str(HERE.parents[1]), *sys.path]))
    env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(HERE / script), json.dumps(task)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert not done.returncode, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(name: str, found: dict[str, Any], case: dict[str, Any]) -> None:
    bound = 4e-3 if case.get("dtype") == "float16" else 1e-5
    wrong = {key: value for key, value in found.items() if key not in ("same", "dropped") and not value <= bound}
    assert not wrong, (name, wrong)
    assert found.get("same", True), name
    if "dropout" in case:
        assert abs(found["dropped"] - case["dropout"]) < 0.03, found["dropped"]


@pytest.fixture(scope="module")
def interpreted() -> dict[str, dict[str, Any]]:
    """Errors of all quick cases, in one process."""
    return dict(zip(CASES, run("fused_cases.py", list(CASES.values()), TRITON_INTERPRET="1"), strict=True))


@needs_triton
@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_are_the_oracles(name: str, interpreted: dict[str, dict[str, Any]]) -> None:
    check(name, interpreted[name], CASES[name])


@pytest.fixture(scope="module")
def more() -> dict[str, dict[str, Any]]:
    """Errors of all cases of MORE, in one process."""
    return dict(zip(MORE, run("fused_cases.py", list(MORE.values()), TRITON_INTERPRET="1"), strict=True))


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_more_shapes_are_the_oracles(name: str, more: dict[str, dict[str, Any]]) -> None:
    check(name, more[name], MORE[name])


@needs_triton
@pytest.mark.slow
def test_models_on_fused_kernels_are_those_on_row_tiles() -> None:
    for name, found in zip(MODELS, run("fused_model.py", list(MODELS.values()), TRITON_INTERPRET="1"), strict=True):
        assert found.pop("runs") == 6, name  # two rows that are not padded alike: at once, and two pieces of several
        assert found.pop("steps") == 2, name  # all rows together
        assert max(found.values()) < 1e-5, (name, found)


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_larger_cases_are_the_oracles(name: str) -> None:
    check(name, run("fused_cases.py", [SLOW[name]], TRITON_INTERPRET="1")[0], SLOW[name])


SPILLED = 64  # bytes a thread: the main kernel's quickest blocks on an H200 (4 stages) spill 56, and gain a tenth
CARDS = {80: 166_912, 90: 232_448, 100: 232_448}
SHAPES: dict[str, dict[str, Any]] = {
    "paper": {},
    "head 64": {"size": 64, "value": 64},
    "head 128": {"size": 128, "value": 128, "queries_in_kernel": 2, "keys_in_kernel": 9, "left": 4, "right": 4},
    "pairs mixed": {"value": 192, "value_groups": 8},
    "head 256": {"size": 256, "value": 256, "queries_in_kernel": 8, "keys_in_kernel": 15, "left": 7, "right": 7},
    "documents and dropout": {"documents": True, "dropout": 0.1},
    "float32": {"item": 4},
    "float32, head 256": {"item": 4, "size": 256, "value": 256},
}


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("capability", CARDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_configuration_fits_its_card(shape: str, capability: int) -> None:
    task = {"capability": capability, "memory": CARDS[capability], **SHAPES[shape]}
    found = run("compiled_kernels.py", [task], TRITON_INTERPRET="0")
    assert len(found) == 8
    assert {one["kernel"]: one["shared"] for one in found if one["shared"] > CARDS[capability]} == {}
    assert {one["kernel"]: one["stack"] for one in found if one["stack"] > SPILLED} == {}, "registers spill"


@needs_triton
def test_the_main_kernel_fits_the_card_that_it_was_tuned_for() -> None:
    task = {"capability": 90, "memory": CARDS[90], "only": ["attend_kernel"]}
    (found,) = run("compiled_kernels.py", [task], TRITON_INTERPRET="0")
    assert found["shared"] <= CARDS[90]
    assert found["stack"] <= SPILLED, "registers spill"


def tensors(size: int = 8, heads: int = 2, groups: int = 2, tokens: int = 9) -> list[torch.Tensor]:
    return [torch.randn(1, number, tokens, size) for number in (heads, groups, groups)]


def test_what_has_no_fused_form_says_why() -> None:
    q, _, v = tensors()
    kernel, mix = torch.randn(2, 3, 3), torch.randn(1, 2, 2)
    assert unsupported(q, v, Kernels(kernel)) is None
    assert unsupported(q, v, Kernels(kernel, mix_after=mix)) is None
    for kernels, dropout, said in (
        (Kernels(kernel, softmax_again=True), 0.0, "taken twice"),
        (Kernels(kernel, mix_before=mix), 0.0, "mixed before softmax"),
        (Kernels(kernel, convolve_after=kernel), 0.0, "convolved after softmax"),
        (Kernels(kernel, mix_after=mix), 0.1, "dropout"),
        (Kernels(torch.randn(2, 9, 3)), 0.0, "9 x 3"),
        (Kernels(torch.randn(2, 3, 17)), 0.0, "3 x 17"),
    ):
        assert said in (unsupported(q, v, kernels, dropout) or "")
    assert "float64" in (unsupported(q.double(), v.double(), Kernels(kernel)) or "")
    assert "288" in (unsupported(torch.randn(1, 2, 4, 288), v, Kernels(kernel)) or "")


def test_what_does_not_fit_is_refused_before_any_kernel_runs() -> None:
    q, k, v = tensors()
    kernel = torch.randn(2, 3, 3)
    with pytest.raises(ValueError, match="earlier queries"):
        fused_attention(q[:, :, 1:], k, v, kernel)
    with pytest.raises(ValueError, match="do not fit"):
        fused_attention(q, k[:, :1], v, kernel)
    with pytest.raises(ValueError, match="kernels of 3 heads for 2"):
        fused_attention(q, k, v, torch.randn(3, 3, 3))
    with pytest.raises(ValueError, match="documents"):
        fused_attention(q, k, v, kernel, documents=torch.ones(1, 8, dtype=torch.long))
    with pytest.raises(ValueError, match="take float32"):
        fused_attention(q.double(), k.double(), v.double(), kernel)


def test_documents_start_where_their_numbers_change() -> None:
    documents = torch.tensor([[0, 0, 1, 1, 2, 0, 2], [3, 3, 3, 1, 1, 1, 1]])
    assert starts_of(documents).tolist() == [[1, 2, 2, 2, 4, 6, 6], [0, 0, 0, 3, 3, 3, 3]]


def test_it_is_there_only_where_triton_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not available(torch.zeros(1))
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert available(torch.zeros(1)) is (find_spec("triton") is not None)

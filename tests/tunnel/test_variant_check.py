"""A broken variant is refused before it is trained, with the reason in one line; a sound one is not."""

from __future__ import annotations

import pytest

from mta_eval import registry
from mta_eval.core import DiagnosticTask
from mta_eval.errors import ModelError
from mta_eval.tunnel import variant_check
from mta_eval.tunnel.presets import PRESETS, ModelSize
from mta_eval.tunnel.variants import Variant

SIZE = ModelSize(layers=1, width=16, heads=2, hidden=16)
TASK = registry.build_diagnostic("needles:length=64")
FAULTS = {
    "NoMask": "it is not causal: with other tokens from place 1 on, outputs before it change",
    "OneAhead": "it is not causal: with other tokens from place 1 on",
    "HiddenLeak": "it is not causal: with other tokens from place 1 on",
    "CountsAll": "it is not causal: the first 1 tokens alone give other outputs",
    "LateLeak": "it is not causal: with other tokens from place",
    "AcrossRows": "rows of a batch are not independent: with another row beside it, a row's outputs change",
    "NotFinite": "its outputs are not finite",
    "NotFiniteGradient": "is not finite",
    "NoGradient": "model.layers.0.self_attn.unused has no gradient",
    "Frozen": "model.layers.0.self_attn.unused is a parameter that is not trained; register it as a buffer",
    "Random": "the same tokens give other outputs when they are read again",
    "BatchNormed": "its buffer model.layers.0.self_attn.normed.running_mean changes with what it reads in training",
    "AcrossRowsInTraining": "rows of a batch are not independent in training: with another row beside it",
    "LeakInTraining": "it is not causal in training: with other tokens from place",
    "Raises": "RuntimeError: ",
    "NoBeginning": "no model can be built with it: NotImplementedError: NoBeginning.initialise does not say",
    "WrongOption": "no model can be built with it: ",
}


def check_variant(kind: str, task: DiagnosticTask, size: ModelSize) -> list[str]:
    return variant_check.check_variant(Variant(kind, kind, kind, "", ""), task, size)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    import broken_attention

    for name, found in vars(broken_attention).items():
        if isinstance(getattr(found, "kind", None), str):
            monkeypatch.setitem(registry.ADDED["attention"], found.kind, f"broken_attention:{name}")
    monkeypatch.setitem(registry.ADDED["attention"], "alibi", "plugin_package.alibi:ALiBiAttention")


def kind_of(name: str) -> str:
    import broken_attention

    kind: str = getattr(broken_attention, name).kind
    return kind


@pytest.mark.parametrize("kind", [*registry.names("attention"), "alibi", "plain"])
@pytest.mark.parametrize("task", ["needles:length=64", "copy:length=2"])
def test_a_sound_variant_is_trained(kind: str, task: str) -> None:
    check_variant(kind, registry.build_diagnostic(task), SIZE)


@pytest.mark.parametrize("preset", PRESETS)
def test_sizes_of_the_presets_fit_every_variant(preset: str) -> None:
    for kind in registry.BUILT_IN["attention"]:
        check_variant(kind, registry.build_diagnostic("copy:length=4"), PRESETS[preset].size)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_variant_is_refused_with_the_reason(fault: str) -> None:
    with pytest.raises(ModelError) as refused:
        check_variant(kind_of(fault), TASK, SIZE)
    text = str(refused.value)
    assert text.startswith(f"the variant {kind_of(fault)!r} is refused before training: ")
    assert FAULTS[fault] in text
    assert "\n" not in text


def test_every_broken_variant_is_looked_at() -> None:
    import broken_attention

    classes = {name for name, value in vars(broken_attention).items() if hasattr(value, "kind")}
    assert classes - {"Plain", "AttentionLayer", "Dropping", "Rounded"} == set(FAULTS)


def test_rows_alone_must_give_what_they_give_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that only the number of rows brings out."""
    import broken_attention

    plain = broken_attention.Plain.definition
    monkeypatch.setattr(broken_attention.Plain, "definition", lambda self, q, k: plain(self, q, k) / q.shape[0])
    with pytest.raises(ModelError, match="a row alone gives other outputs"):
        check_variant("plain", TASK, SIZE)


def test_the_check_leaves_the_callers_chance_alone() -> None:
    import torch

    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    check_variant("plain", TASK, SIZE)
    assert torch.equal(torch.rand(1), before)


def test_what_has_no_influence_is_said_and_dropout_is_no_fault() -> None:
    assert check_variant("dropping", TASK, SIZE) == []
    assert check_variant("rounded", TASK, SIZE) == ["model.layers.0.self_attn.unused"]

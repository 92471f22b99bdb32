"""Options of variants in specs: typed, named in one order, refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mta_eval import registry
from mta_eval.commands.tunnel import BETWEEN_SPECS
from mta_eval.errors import ModelError, SpecError
from mta_eval.tunnel.models import new_model
from mta_eval.tunnel.presets import ModelSize
from mta_eval.tunnel.variant_options import option_values
from mta_eval.tunnel.variants import find_variant

PLUGIN = Path(__file__).parents[1] / "helpers/plugin_package/alibi.py"
SIZE = ModelSize(layers=2, width=16, heads=2, hidden=16)
TASK = registry.build_diagnostic("copy:length=2")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ADDED, "attention", {})


def test_options_of_a_name() -> None:
    found = find_variant("mta:query_kernel_before=2,key_kernel_before=9,convolution_layers=0,1")
    assert found.label == "mta:convolution_layers=0,1,key_kernel_before=9,query_kernel_before=2"
    assert found.title == "MTA (convolution_layers=0,1, key_kernel_before=9, query_kernel_before=2)"
    assert (found.kind, found.named) == ("mta", found.label)
    assert find_variant(found.named) == found
    assert find_variant("mta:key_kernel_before=9,query_kernel_before=2,convolution_layers=0,1") == found
    assert option_values("mta", found.options) == {
        "convolution_layers": [0, 1],
        "key_kernel_before": 9,
        "query_kernel_before": 2,
    }


def test_options_reach_the_model_and_the_others_are_those_of_the_variant() -> None:
    config = new_model(find_variant("mta:query_kernel_before=2,convolution_layers=1,norm=plain"), TASK, SIZE, 0).config
    assert (config.query_kernel_before, config.key_kernel_before, config.convolution_layers) == (2, 9, [1])
    assert (config.norm, config.gate) == ("plain", "none")


@pytest.mark.parametrize("form", ["{}:alibi_exponent=4", "{}:ALiBiAttention,alibi_exponent=4"])
def test_options_of_a_file(form: str) -> None:
    found = find_variant(form.format(PLUGIN))
    assert (found.label, found.named) == ("alibi:alibi_exponent=4", form.format(PLUGIN))
    assert new_model(found, TASK, SIZE, 0).config.alibi_exponent == 4.0
    assert find_variant(found.named) == found


def test_options_of_a_class_in_a_module() -> None:
    found = find_variant("plugin_package.alibi:ALiBiAttention,alibi_exponent=4")
    assert (found.label, find_variant(found.named)) == ("alibi:alibi_exponent=4", found)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            "mta:query_kernel_befor=2",
            "the variant 'mta' has no option 'query_kernel_befor'; did you mean 'query_kernel_before'",
        ),
        ("transformer:query_kernel_before=2", "the variant 'transformer' has no option 'query_kernel_before'"),
        ("mta:query_kernel_before=x", "mta: option query_kernel_before: 'x' is no whole number"),
        ("mta:convolution_layers=0,x", "mta: option convolution_layers: 'x' is no whole number"),
        ("mta:softmax_again=yes", "mta: option softmax_again: it is true or false, not 'yes'"),
        ("mta:gate=scalar,gate=none", "gives option 'gate' twice"),
        ("mta:Class", "options of 'mta' are written mta:option=value"),
        (f"{PLUGIN}:alibi_exponent=steep", "alibi: option alibi_exponent: 'steep' is no number"),
    ],
)
def test_options_that_do_not_fit_are_one_line(named: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        find_variant(named)
    assert message in str(refused.value)


def test_options_that_do_not_fit_together_are_one_line() -> None:
    with pytest.raises(ModelError, match=r"'mta:query_kernel_after=2' is refused before training: .*go together"):
        new_model(find_variant("mta:query_kernel_after=2"), TASK, SIZE, 0)


def test_commas_belong_to_options() -> None:
    text = "transformer,mta:a=1,b_c=0,1,my.py:Class,x=2,copy:length={2,4},4x.py"
    assert BETWEEN_SPECS.split(text) == [
        "transformer",
        "mta:a=1,b_c=0,1",
        "my.py:Class,x=2",
        "copy:length={2,4}",
        "4x.py",
    ]

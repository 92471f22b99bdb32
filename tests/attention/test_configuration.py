"""The family's configuration: sizes of the papers, defaults, what is refused, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError, StrictDataclassError

from mta_eval.attention.configuration import KERNELS, MTAConfig, preset
from mta_eval.attention.decoder import MTAForCausalLM


def parameters(config: MTAConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in MTAForCausalLM(config).parameters())


def kernel_sizes(config: MTAConfig) -> list[int]:
    return [getattr(config, name) for name in KERNELS]


def tiny(**options: Any) -> MTAConfig:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4}
    return MTAConfig(**{**sizes, "vocab_size": 64, **options})


@pytest.mark.parametrize(
    ("name", "attention", "count"),
    [
        ("880M", "transformer", 876_553_728),
        ("880M", "diff", 876_567_552),
        ("880M", "talking_heads", 876_566_016),
        ("880M", "mta", 876_583_320),
        ("300M", "transformer", 388_277_248),
        ("300M", "mta", 388_277_248 + 23_380),
        ("550M", "transformer", 651_818_240),
        ("550M", "mta", 651_818_240 + 18_888),
        ("1B", "transformer", 1_495_894_016),
        ("1B", "mta", 1_495_894_016 + 31_128),
    ],
)
def test_the_papers_models_have_the_papers_parameters(name: str, attention: Any, count: int) -> None:
    assert parameters(preset(name, attention)) == count


def test_the_letter_blocks_models() -> None:
    transformer, mta = preset("letter-blocks", "transformer"), preset("letter-blocks")
    assert parameters(mta) - parameters(transformer) == 4 * 2 * 2 * 9
    assert kernel_sizes(mta) == [2, 9, 0, 0, 0, 0]
    assert (mta.norm, mta.gate, mta.attention_dropout, mta.vocab_size) == ("none", "none", 0.1, 32)
    assert kernel_sizes(preset("letter-blocks", key_kernel_before=15)) == [2, 15, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("attention", "sizes", "norm", "gate"),
    [
        ("transformer", [0, 0, 0, 0, 0, 0], "none", "none"),
        ("diff", [0, 0, 0, 0, 0, 0], "depth_scaled", "none"),
        ("talking_heads", [0, 0, 4, 0, 0, 4], "none", "none"),
        ("mta", [6, 11, 4, 6, 11, 4], "plain", "scalar"),
    ],
)
def test_options_left_out_are_those_of_the_paper(attention: str, sizes: list[int], norm: str, gate: str) -> None:
    config = tiny(attention=attention)
    assert kernel_sizes(config) == sizes
    assert (config.norm, config.gate, config.output_bias) == (norm, gate, False)
    assert all(config.has_convolution(layer) for layer in range(4))
    assert (config.num_key_value_heads, config.head_dim) == (4, 8)


def test_options_given_are_kept() -> None:
    config = tiny(query_kernel_before=3, head_kernel_after=2, query_kernel_after=0, key_kernel_after=0, gate="vector")
    assert kernel_sizes(config) == [3, 11, 4, 0, 0, 2]
    assert config.gate == "vector"
    assert tiny(attention_bias=True).output_bias is True
    assert tiny(attention_bias=True, output_bias=False).output_bias is False
    listed = tiny(convolution_layers=[0, 3])
    assert [listed.has_convolution(layer) for layer in range(4)] == [True, False, False, True]
    assert not tiny(convolution_layers=[]).has_convolution(0)


def test_every_fourth_layer_convolves_in_the_papers_language_models() -> None:
    assert preset("300M").convolution_layers == [2, 6, 10, 14, 18]
    assert preset("880M").convolution_layers == [2, 6, 10, 14, 18, 22]
    assert kernel_sizes(preset("550M")) == [6, 11, 10, 6, 11, 10]
    assert preset("550M", "transformer").convolution_layers is None


def test_version_1_of_the_paper() -> None:
    config = preset("880M", version="v1")
    assert kernel_sizes(config) == [6, 11, 0, 0, 0, 2]
    assert (config.norm, config.gate) == ("depth_scaled", "none")
    assert kernel_sizes(preset("880M", "talking_heads", version="v1")) == [0, 0, 16, 0, 0, 16]


def test_a_preset_may_be_changed_but_not_invented() -> None:
    config = preset("300M", num_hidden_layers=4, convolution_layers=[1], rope_parameters=None)
    assert (config.num_hidden_layers, config.convolution_layers, config.hidden_size) == (4, [1], 1024)
    with pytest.raises(ValueError, match="no preset is called '7B'; there is: 300M, 550M, 880M, 1B, letter-blocks"):
        preset("7B")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"softmax_again": "yes"}, "softmax_again is true or false, not 'yes'"),
        ({"attention": "linear"}, "attention cannot be 'linear'; there is: transformer, mta, diff, talking_heads"),
        ({"norm": "group"}, "norm cannot be 'group'; there is: none, plain, depth_scaled"),
        ({"gate": "tanh"}, "gate cannot be 'tanh'; there is: none, scalar, vector"),
        ({"query_kernel_before": -1}, "query_kernel_before is a size from 0 to 4096, not -1"),
        ({"query_kernel_before": 10**6}, "query_kernel_before is a size from 0 to 4096, not 1000000"),
        ({"convolution_layers": [1, 1]}, r"names a layer twice: \[1, 1\]"),
        ({"head_kernel_after": 3}, "head_kernel_after = 3 does not divide the 4 heads"),
        ({"attention": "diff", "head_kernel_after": 2}, "diff attention has no head_kernel_after"),
        ({"attention": "transformer", "query_kernel_before": 2}, "transformer attention has no query_kernel_before"),
        ({"attention": "talking_heads", "key_kernel_after": 2}, "talking_heads attention has no key_kernel_after"),
        ({"query_kernel_after": 0}, "query_kernel_after and key_kernel_after go together"),
        ({"key_kernel_before": 0}, "query_kernel_before and key_kernel_before go together"),
        ({"convolution_layers": [1, 4, -1]}, r"convolution_layers names \[4, -1\]; the layers are 0 to 3"),
        ({"num_key_value_heads": 3}, "3 key-value heads do not divide 4"),
        ({"attention": "diff", "num_key_value_heads": 1}, "diff attention pairs its heads"),
        ({"attention": "diff", "norm": "plain"}, "diff attention pairs its heads"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        tiny(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_init": "ones"},
        {"key_padding": "centre"},
        {"convolution_layers": "all"},
        {"norm": True},
    ],
)
def test_values_of_another_kind_are_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(StrictDataclassError, match=next(iter(options))):
        tiny(**options)


@pytest.mark.parametrize("padding", ["both", "left", "right"])
@pytest.mark.parametrize("how", ["identity", "zero", "constant", "uniform", "normal", "diagonal"])
def test_how_kernels_begin(how: str, padding: str) -> None:
    model = MTAForCausalLM(tiny(kernel_init=how, key_padding=padding, query_kernel_before=3, key_kernel_before=5))
    layer = model.model.layers[1].self_attn
    convolution, mixing = layer.convolve_before, layer.mix_before
    column = {"both": 2, "left": 4, "right": 0}[padding]
    if how in ("identity", "diagonal"):
        wanted = torch.zeros(3, 5)
        for back in range(3 if how == "diagonal" else 1):
            if column - back >= 0:
                wanted[2 - back, column - back] = 1
        assert all(torch.equal(kernel, wanted) for kernel in convolution)
        assert torch.equal(mixing, torch.eye(4)[None])
    elif how in ("zero", "constant"):
        values = {value for kernel in layer.kernels[:4] for value in kernel.unique().tolist()}
        assert list(values) == [pytest.approx(0.3 * (how == "constant"))]
    else:
        values = torch.cat(
            [kernel.detach().flatten() for one in model.model.layers for kernel in one.self_attn.kernels[:4]]
        )
        assert abs(float(values.std()) - {"uniform": 3**-0.5, "normal": 0.3}[how]) < 0.06
        assert float(values.abs().max()) < 1
        assert abs(float(values.mean())) < 0.1


@pytest.mark.parametrize("attention", ["transformer", "mta", "diff", "talking_heads"])
def test_a_configuration_survives_its_file(attention: str, tmp_path: Path) -> None:
    config = tiny(attention=attention, convolution_layers=[1], kernel_init="normal", key_padding="left", head_dim=6)
    config.save_pretrained(tmp_path)
    found = MTAConfig.from_pretrained(tmp_path)
    assert found.to_dict() == config.to_dict() | {"transformers_version": found.to_dict()["transformers_version"]}
    assert (found.attention, found.head_dim, found.key_padding) == (attention, 6, "left")
    assert found.model_type == "multi_token_attention"
    changed = MTAConfig.from_pretrained(tmp_path, kernel_init="zero")
    assert changed.kernel_init == "zero"
    assert changed.convolution_layers == [1]


def test_a_preset_survives_its_file(tmp_path: Path) -> None:
    config = preset("880M", version="v1")
    config.save_pretrained(tmp_path)
    found = MTAConfig.from_pretrained(tmp_path)
    assert kernel_sizes(found) == [6, 11, 0, 0, 0, 2]
    assert found.rope_parameters["rope_theta"] == 100_000
    assert parameters(found) == parameters(config)


def test_weights_begin_as_truncated_normals() -> None:
    for options, width, std in (({}, 32, 32**-0.5), ({}, 48, 48**-0.5), ({"initializer_range": 0.05}, 48, 0.05)):
        layer = MTAForCausalLM(tiny(**options)).model.layers[0]
        weight = (layer.self_attn.q_proj if width == 32 else layer.mlp.down_proj).weight.detach()
        assert weight.shape[1] == width
        assert float(weight.std()) == pytest.approx(std, rel=0.15)
        assert float(weight.abs().max()) <= 3 * std
        assert not layer.self_attn.gate.bias.any()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"num_attention_heads": 0}, "num_attention_heads is a number from 1 on"),
        ({"num_key_value_heads": 0}, "num_key_value_heads is a number from 1 on"),
        ({"attention_dropout": 1.5}, "attention_dropout"),
        ({"hidden_size": 33}, "multiple of the number of attention heads"),
        ({"query_kernel_before": "six"}, "query_kernel_before"),
        ({"initializer_range": 2.0}, "initializer_range"),
    ],
)
def test_sizes_that_no_model_has_are_refused_by_name(options: dict[str, Any], line: str) -> None:
    with pytest.raises((ValueError, StrictDataclassError), match=r"(?s)" + line):
        tiny(**options)

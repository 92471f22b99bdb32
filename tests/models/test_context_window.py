"""The window that a config names, positions scaled as it says."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import GPT2Config, LlamaConfig

from mta_eval.models.context_window import window_of


@pytest.mark.parametrize(
    ("named", "scaling", "window"),
    [
        (2048, {"rope_type": "default"}, 2048),
        (32768, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),  # Qwen
        (163840, {"rope_type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}, 163840),  # DeepSeek
        (4096, {"rope_type": "linear", "factor": 2.5}, 10240),
        (4096, {"rope_type": "dynamic", "factor": 2.0}, 8192),
        (
            131072,
            {"rope_type": "llama3", "factor": 32.0, "original_max_position_embeddings": 8192}
            | {"low_freq_factor": 1.0, "high_freq_factor": 4.0},
            131072,
        ),
    ],
)
def test_a_scaled_config_names_the_window_after_scaling(named: int, scaling: dict[str, Any], window: int) -> None:
    config = LlamaConfig(max_position_embeddings=named, rope_parameters={"rope_theta": 10000.0, **scaling})
    assert window_of(config) == window


def test_other_names_of_the_window_count_too() -> None:
    assert window_of(GPT2Config(n_positions=77)) == 77
    bare: Any = object()
    assert window_of(bare) == 0

"""Which layers of our models PEFT adapts where nobody names them: those of a Llama, whose layers are called alike."""

from __future__ import annotations

import sys

from mta_eval.attention.registration import MODEL_TYPE

ALIKE = "llama"


def register_with_peft() -> None:
    """Where PEFT is imported, let it choose the layers of our models to adapt as it chooses those of a Llama."""
    if "peft" not in sys.modules:
        return
    from peft.utils import constants

    for name, layers in vars(constants).items():
        if name.endswith("_MODULES_MAPPING") and ALIKE in layers:
            layers.setdefault(MODEL_TYPE, layers[ALIKE])

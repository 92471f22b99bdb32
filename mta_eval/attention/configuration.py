"""The configuration of the attention family's decoder, and the sizes that the papers name.

One Llama-style decoder (RMSNorm, SwiGLU, RoPE, tied or untied embeddings, grouped queries); its attention is a choice.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from huggingface_hub.dataclasses import strict
from transformers import LlamaConfig
from transformers.utils.type_validators import interval

from mta_eval import registry
from mta_eval.attention.kernels import Initialisation, KeyPadding
from mta_eval.attention.peft_layers import register_with_peft
from mta_eval.attention.registration import MODEL_TYPE, register_classes
from mta_eval.errors import SpecError

NORMS = ("none", "plain", "depth_scaled")
GATES = ("none", "scalar", "vector")
LARGEST_KERNEL = 4096  # queries, keys or heads; far beyond any that is published
KERNELS = tuple(f"{axis}_kernel_{when}" for when in ("before", "after") for axis in ("query", "key", "head"))


@strict
class MTAConfig(LlamaConfig):
    """LlamaConfig and what the attention adds. Options left None are those of the attention in its paper.

    `attention` is a variant's name in the registry (`mta-eval list attention`). Kernel sizes before and
    after softmax, 0 for none: `query_kernel_*` and `key_kernel_*` (c_q, c_k) in `convolution_layers` (from 0; None:
    all), `head_kernel_*` (c_h) in every layer. `norm` is the RMSNorm of each head's output: none, plain or depth_scaled
    (times 1 - lambda_init of the layer, as DIFF and MTA's first version have it); `gate` a sigmoid gate after it:
    none, scalar or vector. `kernel_init`: identity, zero, constant (0.3), uniform (-1..1), normal (std 0.3), diagonal.
    `initializer_range` 0 stands for a truncated normal of std fan_in^-0.5. `output_bias` None: as `attention_bias`.
    """

    model_type = MODEL_TYPE

    attention: str = "mta"
    query_kernel_before: int | None = None
    key_kernel_before: int | None = None
    head_kernel_before: int | None = None
    query_kernel_after: int | None = None
    key_kernel_after: int | None = None
    head_kernel_after: int | None = None
    convolution_layers: list[int] | None = None
    key_padding: KeyPadding = "both"
    norm: str | None = None
    gate: str | None = None
    kernel_init: Initialisation = "identity"
    output_bias: bool | None = None
    initializer_range: float = interval(min=0.0, max=1.0)(default=0.0)

    def __post_init__(self, **kwargs: object) -> None:
        for name in ("num_attention_heads", "num_key_value_heads", "num_hidden_layers", "hidden_size"):
            size = getattr(self, name)
            if size is not None and (not isinstance(size, int) or size < 1):
                raise ValueError(f"{name} is a number from 1 on, not {size!r}")
        known = self.attention in registry.names("attention")  # another one is refused by `validate_architecture`
        defaults: dict[str, object] = dict.fromkeys(KERNELS, 0) | {"norm": "none", "gate": "none"}
        if known:
            defaults |= variant_of(self.attention).defaults(self.num_attention_heads)
            kwargs = {**variant_of(self.attention).options, **kwargs}
        for name, value in defaults.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        if self.output_bias is None:
            self.output_bias = self.attention_bias
        super().__post_init__(**kwargs)

    def to_dict(self) -> dict[str, object]:
        """As transformers has it, but an `auto_map` only of a class that is of a checkpoint's own code.

        Else the code is not saved again, and could not be found. PEFT asks for this before it looks up which layers to
        adapt, so it is told here.
        """
        register_with_peft()
        options: dict[str, object] = super().to_dict()
        if self._auto_class is None:
            options.pop("auto_map", None)
        return options

    def has_convolution(self, layer: int) -> bool:
        """Whether a layer (from 0) carries key-query kernels."""
        return self.convolution_layers is None or layer in self.convolution_layers

    def validate_architecture(self) -> None:
        """Raises ValueError, naming the option, where options do not fit together."""
        variant = variant_of(self.attention)
        for name, allowed in (
            ("norm", NORMS),
            ("gate", GATES),
            ("kernel_init", get_args(Initialisation)),
            ("key_padding", get_args(KeyPadding)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} cannot be {getattr(self, name)!r}; there is: {', '.join(allowed)}")
        super().validate_architecture()
        if not 0 <= float(self.attention_dropout or 0) < 1:
            raise ValueError(f"attention_dropout is a share from 0 to 1, not {self.attention_dropout}")
        sizes = {name: getattr(self, name) for name in KERNELS}
        for name, size in sizes.items():
            if not isinstance(size, int) or not 0 <= size <= LARGEST_KERNEL:
                raise ValueError(f"{name} is a size from 0 to {LARGEST_KERNEL}, not {size!r:.40}")
            if name.startswith("head") and size and self.num_attention_heads % size:
                raise ValueError(f"{name} = {size} does not divide the {self.num_attention_heads} heads")
            if size and name not in variant.kernel_options:
                raise ValueError(f"{self.attention} attention has no {name}; leave it out")
        for when in ("before", "after"):
            if bool(sizes[f"query_kernel_{when}"]) != bool(sizes[f"key_kernel_{when}"]):
                raise ValueError(f"query_kernel_{when} and key_kernel_{when} go together: give both, or 0 to both")
        layers = range(self.num_hidden_layers)
        if outside := [layer for layer in self.convolution_layers or [] if layer not in layers]:
            raise ValueError(f"convolution_layers names {outside}; the layers are 0 to {self.num_hidden_layers - 1}")
        if len(set(self.convolution_layers or [])) < len(self.convolution_layers or []):
            raise ValueError(f"convolution_layers names a layer twice: {self.convolution_layers}")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(f"{self.num_key_value_heads} key-value heads do not divide {self.num_attention_heads}")
        variant.check(self)


def variant_of(name: str) -> type[Any]:
    """The variant of that name, a subclass of `layer.AttentionLayer`. Raises ValueError, naming all, without one."""
    try:
        return registry.find("attention", name)
    except SpecError as error:
        known = ", ".join(registry.names("attention"))
        raise ValueError(f"attention cannot be {name!r}; there is: {known}") from error


SIZES = {  # width, layers, heads, SwiGLU width: facts of the paper's Table 7 and the released configurations
    "300M": (1024, 20, 16, 2816),
    "550M": (1280, 24, 10, 3584),
    "880M": (1536, 24, 16, 4096),
    "1B": (2048, 24, 16, 5632),
}
PRESETS = (*SIZES, "letter-blocks")


def preset(name: str, attention: str = "mta", version: Literal["v1", "v2"] = "v2", **changes: object) -> MTAConfig:
    """A model of the paper: 300M, 550M, 880M, 1B or letter-blocks, with any attention; `changes` are options.

    `version` says which version of the paper MTA is of: v2 (kernels before and after softmax, all heads mixed, gate)
    or v1 (6 x 11 before, pairs of heads mixed after, depth-scaled norm). Raises ValueError for an unknown name.
    """
    if name == "letter-blocks":
        options = _letter_blocks(attention)
    elif name in SIZES:
        options = _language_model(name, attention, version)
    else:
        raise ValueError(f"no preset is called {name!r}; there is: {', '.join(PRESETS)}")
    return MTAConfig(**{**options, **changes})


def _language_model(name: str, attention: str, version: Literal["v1", "v2"]) -> dict[str, object]:
    width, layers, heads, hidden = SIZES[name]
    options: dict[str, object] = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "vocab_size": 128_256,  # Llama 3.1's tokenizer
        "bos_token_id": 128_000,
        "eos_token_id": 128_001,
        "max_position_embeddings": 2048,
    }
    options |= variant_of(attention).options_for("language model", layers=layers, version=version)
    return options | common_options(attention)


def _letter_blocks(attention: str) -> dict[str, object]:
    options: dict[str, object] = {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 768,
        "vocab_size": 32,
        "bos_token_id": None,
        "eos_token_id": None,
        "max_position_embeddings": 321,
        "attention_dropout": 0.1,
    }
    options |= variant_of(attention).options_for("letter blocks", layers=4)
    return options | common_options(attention)


def common_options(attention: str) -> dict[str, Any]:
    """Options that all new models have alike, those of the paper and small ones."""
    return {
        "attention": attention,
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 100_000.0},
    }


register_classes(MTAConfig)

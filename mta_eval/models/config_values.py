"""Values of a checkpoint's configuration, each from what it may be: a wrong one makes wrong answers, or none, later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mta_eval.errors import ModelError

Get = Callable[[str], object]  # a field's value; None where there is none
SIZES = {  # the largest of each; the largest models that are published stay a factor of 4 below
    "hidden_size": 2**17,
    "intermediate_size": 2**20,
    "num_hidden_layers": 2**12,
    "num_attention_heads": 2**13,
    "num_key_value_heads": 2**13,
    "head_dim": 2**14,
    "vocab_size": 2**24,
    "max_position_embeddings": 2**40,
}
LARGEST_NUMBER = 2**40  # of those that are no sizes
NOT_NEGATIVE = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "initializer_range", "sliding_window")
POSITIVE = ("rope_theta", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping")
ROPE_POSITIVE = (
    *("rope_theta", "factor", "attention_factor", "original_max_position_embeddings", "partial_rotary_factor"),
    *("beta_fast", "beta_slow", "low_freq_factor", "high_freq_factor", "short_factor", "long_factor"),
)
ROPE = ("rope_parameters", "rope_scaling")
ROPE_TYPES = ("default", "linear", "dynamic", "yarn", "longrope", "su", "llama3", "mrope", "proportional", "ntk")
DTYPES = ("auto", "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


def values_of(config: object) -> Get:
    """What a configuration of transformers has for each field.

    It keeps `torch_dtype`, the old name, as `dtype`, and warns whoever asks for the old one: that one is not asked.
    """
    return lambda field: None if field == "torch_dtype" else getattr(config, field, None)


def check_values(name: str, get: Get, file: str = "config.json") -> None:
    """Raises ModelError, naming the field, for a value that no model can have; `name` is the checkpoint's.

    `file` is the one that has the values.
    """
    for field, problem in _problems(get):
        raise ModelError(f"the config of {name!r} is damaged: {field} is {problem}; mend it in {file}")


def _problems(get: Get) -> Iterator[tuple[str, str]]:
    """Fields with what is wrong with each."""
    for field, most in SIZES.items():
        value = get(field)
        if value is not None and not _is_size(value, 1, most):
            yield field, f"{value!r:.60}, not 1 to {most}"
    for field in (*NOT_NEGATIVE, *POSITIVE):
        value = get(field)
        if value is not None and not (_is_number(value, field in POSITIVE) or _is_many(value, field in POSITIVE)):
            yield field, f"{value!r:.60}, not a number from 0 to {LARGEST_NUMBER}"
    for field in ("tie_word_embeddings",):
        if not isinstance(value := get(field), bool | None):
            yield field, f"{value!r:.60}, not true or false"
    for field in ("dtype", "torch_dtype"):
        if (value := get(field)) is not None and str(value).removeprefix("torch.") not in DTYPES:
            yield field, f"{value!r:.60}, not one of {', '.join(DTYPES)}"
    for field in ROPE:
        yield from _problems_of_rope(field, get(field))
    yield from _problems_of_heads(get)


def _problems_of_rope(field: str, rope: object) -> Iterator[tuple[str, str]]:
    """What is wrong with parameters of rotary positions, or with those of each kind of layers."""
    if rope is None:
        return
    if not isinstance(rope, Mapping):
        yield field, f"{rope!r:.60}, not an object"
        return
    for key, value in rope.items():
        if isinstance(value, Mapping):
            yield from _problems_of_rope(f"{field}.{key}", value)
        elif key in ROPE_POSITIVE and not ((value is None and key != "rope_theta") or _is_many(value, True)):
            yield f"{field}.{key}", f"{value!r:.60}, not a number above 0 and up to {LARGEST_NUMBER}"
        elif key in ("rope_type", "type") and value is not None and value not in ROPE_TYPES:
            yield f"{field}.{key}", f"{value!r:.60}, not one of {', '.join(ROPE_TYPES)}"
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default" and rope.get("factor") not in (None, 1):
        yield f"{field}.rope_type", f"not there, so that the factor of {rope['factor']!r:.20} would count for nothing"


def _problems_of_heads(get: Get) -> Iterator[tuple[str, str]]:
    heads, groups, width = (get(field) for field in ("num_attention_heads", "num_key_value_heads", "hidden_size"))
    if isinstance(heads, int) and isinstance(groups, int) and heads % groups:
        yield "num_key_value_heads", f"{groups}, which does not divide the {heads} heads"
    if isinstance(heads, int) and isinstance(width, int) and get("head_dim") is None and width % heads:
        yield "num_attention_heads", f"{heads}, which does not divide the hidden_size of {width}"


def _is_size(value: object, least: int, largest: int) -> bool:
    if isinstance(value, list | tuple):  # some models have a size for each layer
        return all(_is_size(part, 0, largest) for part in value)
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= largest


def _is_many(value: object, positive: bool) -> bool:
    """Whether it is a number, or a list of them: some models have one for each layer or each pair of dimensions."""
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_number(part, positive) for part in value)
    return _is_number(value, positive)


def _is_number(value: object, positive: bool) -> bool:
    """Whether it is a number from 0 on, or above 0 where it must be `positive`, and not beyond LARGEST_NUMBER."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_NUMBER:
        return False
    return value > 0 or not positive

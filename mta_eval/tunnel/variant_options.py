"""Options of a variant as a spec gives them: mta:query_kernel_before=2,key_kernel_before=9,convolution_layers=0,1.

They are fields of MTAConfig: sizes of kernels that the variant has, norm, gate, and the variant's own `options`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mta_eval import registry
from mta_eval.errors import SpecError, did_you_mean
from mta_eval.outside import typed_float, typed_integer

if TYPE_CHECKING:
    from mta_eval.attention.layer import AttentionLayer

ANY = ("norm", "gate")  # every variant has them
OF_KERNELS = ("key_padding", "kernel_init")


def settable(found: type[AttentionLayer]) -> dict[str, object]:
    """The options that a spec may give, with a value of the type of each."""
    kernels: dict[str, object] = dict.fromkeys(sorted(found.kernel_options), 0)
    if kernels:
        kernels |= dict.fromkeys(OF_KERNELS, "") | {"convolution_layers": []}
    return {**kernels, **dict.fromkeys(ANY, ""), **found.options}


def options_text(found: type[AttentionLayer], given: Mapping[str, str]) -> str:
    """Options as they name a variant, in the order of their names: "a=1,b=2". Raises SpecError."""
    typed_options(found, given)
    return ",".join(f"{key}={given[key].strip()}" for key in sorted(given))


def between_options(text: str, between: str) -> str:
    """Options with other signs than a comma between them; commas within a list stay."""
    return re.sub(r",(?=[a-z_]+=)", between, text)


def typed_options(found: type[AttentionLayer], given: Mapping[str, str]) -> dict[str, object]:
    """The values of options. Raises SpecError for one that the variant does not have, or of another type."""
    known, values = settable(found), {}
    for key, text in given.items():
        if key not in known:
            raise SpecError(f"the variant {found.kind!r} has no option {key!r}{did_you_mean(key, known)}")
        try:
            values[key] = _typed(text.strip(), known[key])
        except ValueError as error:
            raise SpecError(f"{found.kind}: option {key}: {error}") from error
    return values


def option_values(kind: str, text: str) -> dict[str, object]:
    """The values of options that `options_text` made, for the variant of that kind."""
    return typed_options(registry.find("attention", kind), registry.parse(f"{kind}:{text}")[2])


def _typed(text: str, like: object) -> object:
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise ValueError(f"it is true or false, not {text!r:.40}")
        return text == "true"
    if isinstance(like, list):
        return [typed_integer(part) for part in text.split(",")]
    types: dict[type, Callable[[str], object]] = {int: typed_integer, float: typed_float, str: str}
    if type(like) not in types:
        raise ValueError(f"its default {like!r:.40} does not say of which type it is; make it a number or a text")
    return types[type(like)](text)

"""Parsed JSON -> values of the type that is wanted, or a ValueError that says which field is wrong, and how."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mta_eval.core import AxisValue, Json
from mta_eval.outside import LARGEST

T = TypeVar("T")


class Fields:
    """The fields of an object, taken one by one; `prefix` names the object in errors."""

    def __init__(self, given: Mapping[str, Json], prefix: str = "") -> None:
        self.left = dict(given)
        self.prefix = prefix

    def take(self, name: str, *default: Json) -> Json:
        """A field, or else the default. Raises ValueError without both."""
        if name not in self.left and not default:
            raise ValueError(f"{self.prefix}{name} is missing")
        return self.left.pop(name, *default)

    def refuse_rest(self, noun: str) -> None:
        """Raises ValueError if a field was not taken; `noun` says of what it is none."""
        if self.left:
            raise ValueError(f"{next(iter(self.left))!r} is no field of {noun}")


def wrong_value(value: object, name: str, wanted: str) -> ValueError:
    """The error for a value that is not what is `wanted`."""
    text = json.dumps(value)
    return ValueError(f"{name} is {text if len(text) <= 60 else text[:60] + ' …'}, not {wanted}")


def as_mapping(value: Json, name: str) -> Mapping[str, Json]:
    """An object. This and what follows raise ValueError for anything else; `name` is that of the field."""
    if not isinstance(value, Mapping):
        raise wrong_value(value, name, "an object")
    return value


def as_list(value: Json, name: str) -> Sequence[Json]:
    """A list."""
    if not isinstance(value, list | tuple):  # a tuple: what has not been JSON yet
        raise wrong_value(value, name, "a list")
    return value


def as_string(value: Json, name: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise wrong_value(value, name, "a text")
    return value


def as_name(value: Json, name: str) -> str:
    """A text that many records share: it is kept once."""
    return sys.intern(as_string(value, name))


def as_text_by_name(value: Json, name: str) -> dict[str, str]:
    """An object whose values are texts."""
    return {key: as_string(item, f"{name}.{key}") for key, item in as_mapping(value, name).items()}


def as_texts(value: Json, name: str) -> list[str]:
    """A list of texts."""
    return [as_string(item, name) for item in as_list(value, name)]


def as_boolean(value: Json, name: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong_value(value, name, "true or false")
    return value


def as_integer(value: Json, name: str) -> int:
    """A whole number of at most 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST:
        raise wrong_value(value, name, "a whole number")
    return value


def as_count(value: Json, name: str) -> int:
    """A whole number from 0 on."""
    if (number := as_integer(value, name)) < 0:
        raise wrong_value(value, name, "a whole number from 0 on")
    return number


def as_finite(value: Json, name: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise wrong_value(value, name, "a finite number")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def as_seconds(value: Json, name: str) -> float:
    """A number from 0 on, or NaN where none was measured."""
    if isinstance(value, float) and math.isnan(value):  # not measured: lm-eval does not say
        return value
    if (number := as_finite(value, name)) < 0:
        raise wrong_value(value, name, "a number from 0 on")
    return number


def as_share(value: Json, name: str) -> float:
    """A number from 0 to 1."""
    if not 0 <= (number := as_finite(value, name)) <= 1:
        raise wrong_value(value, name, "a number from 0 to 1")
    return number


def optional(read: Callable[[Json, str], T]) -> Callable[[Json, str], T | None]:
    """A reader that takes null too."""
    return lambda value, name: None if value is None else read(value, name)


def as_axes(value: Json, name: str) -> dict[str, AxisValue]:
    """An object whose values are numbers, texts, true, false or null."""
    axes: dict[str, AxisValue] = {}
    for axis, found in as_mapping(value, name).items():
        if found is not None and not isinstance(found, str | int | float):
            raise wrong_value(found, f"{name}.{axis}", "a number, a text, true, false or null")
        if isinstance(found, int | float) and not (_is_finite(found) and abs(found) <= LARGEST):
            raise wrong_value(found, f"{name}.{axis}", "a finite number")
        axes[sys.intern(axis)] = found
    return axes


def json_text(value: object) -> str:
    """JSON on one line that is text as far as UTF-8 allows it: with half a surrogate pair in it, all is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text

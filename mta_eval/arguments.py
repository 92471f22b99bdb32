"""What people type for lengths and depths -> numbers, and the command that they typed. Standard library only."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mta_eval.core import Scalar
from mta_eval.errors import MtaEvalError, SpecError, did_you_mean
from mta_eval.outside import MOST_DIGITS, read_json, typed_float, typed_integer

T = TypeVar("T")
LONGEST_RANGE = 1000  # numbers
LONGEST = 16 * 1024 * 1024
UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}


def typed_command() -> str:
    """The command line of this process as it can be pasted again; under torchrun with that before it."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    program = Path(sys.argv[0]).name if sys.argv else ""
    words = ["mta-eval" if program == "__main__.py" else program]
    if processes > 1:
        words = ["torchrun", "--nproc-per-node", str(processes), "-m", "mta_eval"]
    return shlex.join([*words, *sys.argv[1:]])


def parse_length(text: str) -> int:
    """ "512" -> 512, "2k" -> 2048, "1M" -> 1048576, "0" and "0k" -> 0. Raises SpecError."""
    match = re.fullmatch(r"([0-9]+)([km]?)", text.strip().lower())
    if not match:
        raise SpecError(f"{text!r} is no length; write tokens such as 512, 2k or 1m")
    tokens = int(match[1]) * UNITS[match[2]] if len(match[1]) <= MOST_DIGITS else LONGEST + 1
    if tokens > LONGEST:
        raise SpecError(f"length {text:.20} is beyond the {LONGEST // UNITS['m']}m tokens that prompts are made for")
    return tokens


def parse_lengths(text: str) -> tuple[int, ...]:
    """ "512,1k" -> (512, 1024); "1k:4k:1k" -> (1024, 2048, 3072, 4096); nothing -> ().

    Raises SpecError on nonsense and on doubles.
    """
    parts = text.split(",") if text.strip() else []
    return _without_doubles([int(length) for part in parts for length in _range(part, parse_length)], "length")


def parse_depth(text: str, command: str) -> float | None:
    """The one depth of a command that takes one; "any" -> None. Raises SpecError."""
    depths = parse_depths(text)
    if len(depths) > 1:
        raise SpecError(f"{command} takes one sample; give one --depth")
    return depths[0]


def parse_depths(text: str) -> tuple[float | None, ...]:
    """ "0,0.5,1" -> (0.0, 0.5, 1.0); "0:1:0.5" the same; "any" -> (None,).

    Raises SpecError on what is not from 0 to 1.
    """
    depths: list[float | None] = []
    for part in text.split(","):
        depths += _range(part, _number_of) if ":" in part else [_depth_of(part.strip())]
    # -0 is 0, also in the ids of samples
    return _without_doubles([depth if depth is None else _checked_depth(depth) + 0.0 for depth in depths], "depth")


def parse_seeds(text: str, seed: int) -> tuple[int, ...]:
    """--seeds beside --seed: "0,1" -> (0, 1); nothing -> (), for `seed` alone. Raises SpecError if both are given."""
    if not text.strip():
        return ()
    if seed:
        raise SpecError("--seed and --seeds both name seeds; give one of them")
    parts = [part.strip() for part in text.split(",")]
    if wrong := [part for part in parts if not re.fullmatch(rf"-?[0-9]{{1,{MOST_DIGITS}}}", part)]:
        raise SpecError(f"{wrong[0]!r:.60} is no seed; write whole numbers of at most {MOST_DIGITS} digits: 0,1,2")
    return _without_doubles([int(part) for part in parts], "seed")


def parse_labels(texts: Sequence[str], models: Sequence[str], canonical: Callable[[str], str] = str) -> dict[str, str]:
    """["hf:mine=Mine"] -> {"hf:mine": "Mine"}, for specs among `models` (tasks may be among them).

    Specs and labels may hold "=": the spec is the longest beginning of the text that is `canonical` one of them.
    Raises SpecError.
    """
    labels: dict[str, str] = {}
    for text in texts:
        spec, label = _spec_and_label(text, models, canonical)
        if not (spec and label.strip() and label.strip().isprintable()):
            raise SpecError(f"{text!r} is no label; write SPEC=LABEL, on one line")
        if spec not in models:
            raise SpecError(
                f"the label {label!r} is for {spec!r}, which is no model and no task here{did_you_mean(spec, models)}"
            )
        labels[spec] = label.strip()
    names = [labels.get(model, model) for model in models]
    if doubles := [name for name in names if names.count(name) > 1]:
        raise SpecError(f"two models or tasks have the same label, or one has the other's name: {doubles[0]!r}")
    return labels


def _spec_and_label(text: str, models: Sequence[str], canonical: Callable[[str], str]) -> tuple[str, str]:
    """SPEC and LABEL of SPEC=LABEL; where no beginning is a model's spec, parted at the last "="."""
    for place in reversed([place for place, sign in enumerate(text) if sign == "="]):
        try:
            spec = canonical(text[:place])
        except MtaEvalError:
            continue
        if spec in models:
            return spec, text[place + 1 :]
    spec, _, label = text.rpartition("=")
    return spec, label


def parse_scalars(texts: Sequence[str]) -> tuple[tuple[str, Scalar], ...]:
    """["thinking=false", "effort=low"] -> (("effort", "low"), ("thinking", False)), sorted. Raises SpecError.

    A value is JSON (false, 3, "3") or else a text.
    """
    options: dict[str, Scalar] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise SpecError(f"{text!r} is no option; write NAME=VALUE")
        if name.strip() in options:
            raise SpecError(f"option {name.strip()} is given twice")
        try:
            parsed = read_json(value)
        except ValueError:
            parsed = value
        if isinstance(parsed, list | dict) or (isinstance(parsed, float) and not math.isfinite(parsed)):
            raise SpecError(f"{text!r} is no option; its value is a text, a finite number, true, false or null")
        options[name.strip()] = parsed
    return tuple(sorted(options.items()))


def parse_options(texts: Sequence[str]) -> dict[str, int | str | list[int]]:
    """["norm=plain", "convolution_layers=2,6"] -> {"norm": "plain", "convolution_layers": [2, 6]}. Raises SpecError."""
    options: dict[str, int | str | list[int]] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals and value):
            raise SpecError(f"{text!r} is no option; write NAME=VALUE")
        if key in options:
            raise SpecError(f"option {key} is given twice")
        parts = value.split(",")
        try:
            numbers = [typed_integer(part) for part in parts]
        except ValueError:
            options[key] = value
        else:
            options[key] = numbers if len(numbers) > 1 else numbers[0]
    return options


def _range(text: str, parse: Callable[[str], float]) -> list[float]:
    """ "START:STOP:STEP" -> START and every step on, STOP included; anything else alone. Raises SpecError."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        return [parse(parts[0])]
    if len(parts) != 3:
        raise SpecError(f"{text!r} is no range; write START:STOP:STEP, such as 0:1:0.1")
    start, stop, step = map(parse, parts)
    if step <= 0 or stop < start:
        raise SpecError(f"the range {text} has no numbers: it goes up from START to STOP by a STEP above 0")
    if (stop - start) / step > LONGEST_RANGE:
        raise SpecError(f"the range {text} has more than {LONGEST_RANGE} numbers")
    return [round(start + step * index, 6) for index in range(int((stop - start) / step + 1e-9) + 1)]


def _number_of(text: str) -> float:
    try:
        return typed_float(text)
    except ValueError as error:
        raise SpecError(str(error)) from error


def _checked_depth(depth: float) -> float:
    if not 0 <= depth <= 1:
        raise SpecError(f"depth {depth:g} is outside 0 (start of the context) to 1 (its end)")
    return depth


def _depth_of(text: str) -> float | None:
    if text.lower() in ("any", "none"):
        return None
    try:
        depth = typed_float(text)
    except ValueError as error:
        raise SpecError(f"{text!r:.40} is no depth; write a number from 0 (start) to 1 (end), or any") from error
    if not 0 <= depth <= 1:
        raise SpecError(f"depth {text:.40} is outside 0 (start of the context) to 1 (its end)")
    return round(depth, 6)


def _without_doubles(values: list[T], what: str) -> tuple[T, ...]:
    for value in values:
        if values.count(value) > 1:
            raise SpecError(f"{what} {value} is given twice")
    return tuple(values)

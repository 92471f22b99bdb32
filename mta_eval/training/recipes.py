"""The recipes by what is trained on: one of their names, `text`, or specs of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mta_eval import registry
from mta_eval.errors import SpecError, did_you_mean
from mta_eval.training.language_recipe import MTA, language_model
from mta_eval.training.letter_block_recipe import letter_blocks
from mta_eval.training.needle_recipe import needles
from mta_eval.training.training import Recipe

TEXT = "text"
RECIPES: dict[str, Callable[..., Recipe]] = {"letter_blocks": letter_blocks, "needles": needles}
BLOCK_OPTIONS = ("block", "target")
OPTIONS = {"letter_blocks": BLOCK_OPTIONS, "needles": ()}  # that a recipe has beside those of all
TYPED = {"tokenizer_spec": "--tokenizer", "start": "--from", "options": "--set"}  # where it is not --name


def recipe_for(
    what: Sequence[str],
    attention: str,
    preset: str = "",
    seed: int = 42,
    changes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe for `what`: a name of RECIPES alone, or "text" and tasks in any mixture. "": its first preset.

    `changes` replace fields of its schedule; `options` are its own, by their names. Raises SpecError.
    """
    changes, options = changes or {}, options or {}
    registry.find("attention", attention or MTA)
    (first, *others) = what
    if first in RECIPES and not others:
        for name in options:
            if name not in OPTIONS[first]:
                raise SpecError(f"{first} has no option {_typed(name)}; leave it out")
        if first == "needles" and "batch" in changes:
            raise SpecError("needles has a batch for each of its stages; leave --batch out")
        return RECIPES[first](
            attention or MTA, **({"preset": preset} if preset else {}), seed=seed, **options, **changes
        )
    for spec in what:
        name = registry.parse(spec)[0]
        if spec in RECIPES:
            raise SpecError(f"{spec} is a recipe of its own; train on it alone")
        if spec != TEXT and name not in registry.names("tasks"):
            known = [TEXT, *RECIPES, *registry.names("tasks")]
            raise SpecError(f"there is nothing to train on that is called {spec!r}{did_you_mean(name, known)}")
    for name in BLOCK_OPTIONS:
        if name in options:
            raise SpecError(f"{_typed(name)} is of letter_blocks alone; leave it out")
    if what.count(TEXT) > 1:
        raise SpecError("text is named twice; name it once")
    tasks = tuple(spec for spec in what if spec != TEXT)
    if TEXT not in what and options.get("data"):
        raise SpecError("--data is the text of `text`; name that too: mta-eval train text TASK --data …")
    return language_model(tasks, attention, preset, seed, changes, options)


def _typed(option: str) -> str:
    """An option as the command line has it."""
    return TYPED.get(option, f"--{option.replace('_', '-')}")

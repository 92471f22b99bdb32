"""The recipes by the name of what is trained on."""

from __future__ import annotations

from collections.abc import Callable

from mta_eval import registry
from mta_eval.errors import SpecError
from mta_eval.training.letter_block_recipe import letter_blocks
from mta_eval.training.needle_recipe import needles
from mta_eval.training.training import Recipe

RECIPES: dict[str, Callable[..., Recipe]] = {"letter_blocks": letter_blocks, "needles": needles}


def recipe_for(task: str, *args: object, **options: object) -> Recipe:
    """The recipe of a task. Raises SpecError if there is none."""
    if task not in RECIPES:
        raise SpecError(f"there is no recipe to train {task!r}{registry.did_you_mean(task, RECIPES)}")
    return RECIPES[task](*args, **options)

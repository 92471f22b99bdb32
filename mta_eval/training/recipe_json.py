"""A recipe as recipe.json keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from mta_eval.version import VERSION

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def recipe_fields(recipe: DataclassInstance, **more: object) -> dict[str, object]:
    """The fields of a recipe and `more`, as JSON has them, and the version that trains it."""
    plain: dict[str, object] = json.loads(json.dumps({**more, **asdict(recipe)}))
    return {**plain, "mta_eval": VERSION}

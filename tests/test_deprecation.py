"""Import paths that the README of 0.1 named still work, and say where their names are now."""

import importlib

import pytest

OLD = {
    "mta_eval.models.configuration": ("preset", "mta_eval.attention.configuration.preset"),
    "mta_eval.models.decoder": ("MTAForCausalLM", "mta_eval.attention.decoder.MTAForCausalLM"),
    "mta_eval.tasks.haystack": ("open_haystack", "mta_eval.tasks.prompts.haystack.open_haystack"),
    "mta_eval.tasks.layout": ("Insert", "mta_eval.tasks.prompts.layout.NeedlePlacement"),
}


@pytest.mark.parametrize("module", OLD)
def test_an_old_path_gives_the_new_thing_and_a_warning(module: str) -> None:
    name, new = OLD[module]
    with pytest.warns(DeprecationWarning, match=f"{module}.{name} is {new} now"):
        found = getattr(importlib.import_module(module), name)
    home, _, target = new.rpartition(".")
    assert found is getattr(importlib.import_module(home), target)


def test_needles_are_buried_as_before() -> None:
    from mta_eval import registry
    from mta_eval.tasks.fitting import bury, frame
    from mta_eval.tasks.prompts.fitting import insert_needles
    from mta_eval.tasks.prompts.haystack import open_haystack
    from mta_eval.tasks.prompts.layout import NeedlePlacement
    from mta_eval.tasks.prompts.template import prompt_template

    tokenizer = registry.build_model("window:300").tokenizer
    needle = [NeedlePlacement("It was sunny.", 0.5)]
    with pytest.warns(DeprecationWarning, match="insert_needles now"):
        old = bury(
            open_haystack("prose", 0, tokenizer),
            0,
            _template(frame, tokenizer),
            needle,
            256,
            8,
            label="t",
            pinned=0,
            depth=0.5,
        )
    new = insert_needles(
        open_haystack("prose", 0, tokenizer),
        0,
        prompt_template(tokenizer, "", " It was", chat=False),
        needle,
        256,
        8,
        label="t",
        swept_needle=0,
        depth=0.5,
    )
    assert old == new


def _template(frame: object, tokenizer: object) -> object:
    with pytest.warns(DeprecationWarning, match="prompt_template now"):
        return frame(tokenizer, "", " It was", chat=False)  # type: ignore[operator]

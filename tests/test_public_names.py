"""What other people build on. A change here is a change for them: note it in CHANGELOG.md."""

import dataclasses

import mta_eval
from mta_eval import core, errors, registry


def test_the_nouns_keep_their_names() -> None:
    public = {name for name, thing in vars(core).items() if getattr(thing, "__module__", "") == "mta_eval.core"}
    assert public == {
        *("Cell", "Sweep", "Needle", "Sample", "Encoding", "Tokenizer", "Task", "Model", "Record", "Run", "Grid"),
        *("Answer", "ModelIdentity", "QuotedNeedle", "Plan", "Reading", "ReadingTask", "PromptSettings", "RunPart"),
        "DiagnosticTask",
        *("cell_of", "cells_of", "depth_text", "generator", "number_of"),
    }


def test_the_python_interface_keeps_its_names() -> None:
    assert set(mta_eval.__all__) == {"Sweep", "__version__", "evaluate", "load", "register"}
    assert all(hasattr(mta_eval, name) for name in mta_eval.__all__)


def test_the_error_tree_is_the_one_in_its_docstring() -> None:
    classes = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert classes == {"MtaEvalError", "SpecError", "LengthError", "TextError", "ModelError", "StoreError", "SendError"}
    assert all(issubclass(getattr(errors, name), errors.MtaEvalError) for name in classes)
    assert all(name in (errors.__doc__ or "") for name in classes)


def test_every_name_in_the_registry_is_there_with_options_and_a_line() -> None:
    for kind in ("tasks", "models", "diagnostics"):
        for name in registry.names(kind):  # type: ignore[arg-type]
            found = registry.find(kind, name)  # type: ignore[arg-type]
            assert found.name == name
            assert dataclasses.is_dataclass(found)
            assert (found.__doc__ or "").strip()
            assert all(option.metadata.get("help") for option in dataclasses.fields(found))


def test_an_exported_sample_keeps_its_fields() -> None:
    assert {field.name for field in dataclasses.fields(core.Sample)} == {
        *("id", "task", "prompt", "targets", "axes", "length", "prompt_tokens", "max_new_tokens"),
        *("choices", "needles", "chat", "stop", "target_delimiter", "settings", "draw"),
    }

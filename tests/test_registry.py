from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mta_eval import registry
from mta_eval.errors import SpecError
from mta_eval.models.tokenizer import TokenizerOnly
from mta_eval.models.window import Window
from mta_eval.registry import build_model, build_task, did_you_mean, parse, spec_of
from mta_eval.tasks.niah import Niah
from mta_eval.tasks.passkey import Passkey


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("niah", ("niah", None, {})),
        ("niah:", ("niah", None, {})),
        (" niah :needles=4", ("niah", None, {"needles": "4"})),
        ("niah:needles=4,asked=1", ("niah", None, {"needles": "4", "asked": "1"})),
        ("window:300", ("window", "300", {})),
        ("hf:a/b,dtype=float32", ("hf", "a/b", {"dtype": "float32"})),
        ("hf:/a,b/c", ("hf", "/a,b/c", {})),
        ("niah:haystack=file:/a,b.txt,needles=2", ("niah", None, {"haystack": "file:/a,b.txt", "needles": "2"})),
        ("hf:C:\\model=x", ("hf", "C:\\model=x", {})),
        ('niah:needle="x, y=1: {key}",asked=2', ("niah", None, {"needle": "x, y=1: {key}", "asked": "2"})),
        ('niah:needle="a,b=c",question="d,e=f"', ("niah", None, {"needle": "a,b=c", "question": "d,e=f"})),
        ("niah:needle='What''s \"up\",a=b'", ("niah", None, {"needle": 'What\'s "up",a=b'})),
        ('niah:needle="say ""a"",b=c"', ("niah", None, {"needle": 'say "a",b=c'})),
        ('niah:needle=say "a", b', ("niah", None, {"needle": 'say "a", b'})),
        ('niah:needle=""', ("niah", None, {"needle": ""})),
        ('hf:"a,b=c",dtype=float32', ("hf", "a,b=c", {"dtype": "float32"})),
    ],
)
def test_a_spec_is_a_name_then_options(spec: str, parts: object) -> None:
    assert parse(spec) == parts


@pytest.mark.parametrize(
    "thing",
    [
        Niah(),
        Niah(needles=20, asked=3, values=2, kind="uuid"),
        Niah(haystack="file:/a folder/with,comma.txt", prompt="chat", rule="share_contained"),
        Niah(digits=3, needles=1),
        Passkey(digits=9, haystack="prose"),
    ],
)
def test_a_task_comes_back_from_its_own_spec(thing: Niah | Passkey) -> None:
    assert build_task(spec_of(thing)) == thing


@pytest.mark.parametrize(
    "thing",
    [
        Window(300),
        Window(7, tokenizer_path="/a,b"),
        TokenizerOnly("/some/folder"),
        TokenizerOnly("a,b"),
        TokenizerOnly("lr=1/model"),
    ],
)
def test_a_model_comes_back_from_its_own_spec(thing: Window | TokenizerOnly) -> None:
    assert build_model(spec_of(thing)) == thing


def test_specs_are_as_short_as_can_be() -> None:
    assert spec_of(Niah()) == "niah"
    assert spec_of(Niah(needles=4)) == "niah:needles=4"
    assert spec_of(Window(300)) == "window:300"
    assert spec_of(build_task("niah:asked=1,needles=4")) == "niah:needles=4"


@given(st.integers(1, 20), st.integers(2, 30), st.sampled_from(["number", "word", "uuid"]))
def test_any_options_make_the_round_trip(needles: int, digits: int, kind: str) -> None:
    task = build_task(f"niah:kind={kind},digits={digits},needles={needles}")
    assert (task.needles, task.digits, task.kind) == (needles, digits, kind)  # type: ignore[attr-defined]
    assert build_task(spec_of(task)) == task


SPELLED = st.text("ab=,\"' :{}_\n", max_size=12)


@settings(deadline=None)  # the first example imports the models
@given(SPELLED.filter(bool), SPELLED)
def test_any_text_makes_the_round_trip_as_an_option(path: str, other: str) -> None:
    for thing in (TokenizerOnly(path), Window(7, tokenizer_path=other)):
        assert build_model(spec_of(thing)) == thing
    model: Any = build_model(f"harness:hf,a={registry.option_text(other)},b={registry.option_text(path)}")
    assert model.arguments == (("a", other), ("b", path))
    assert build_model(spec_of(model)) == model


def test_only_what_would_be_misread_is_put_in_quotes() -> None:
    plain = ["", "a b", "a, b", "a,b", "a=b", 'say "x"', "True: {key}"]
    assert [registry.option_text(text) for text in plain] == plain
    assert registry.option_text('"x"') == '"""x"""'
    assert registry.option_text("a,b=1") == '"a,b=1"'
    assert registry.option_text(True) == "true"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nia", "did you mean 'niah'"),
        ("paskey:digits=3", "did you mean 'passkey'"),
        ("", "niah"),
        ("xxxxxxxx", "there is: "),
        ("niah:digts=3", "did you mean 'digits'"),
        ("niah:needles=many", "wants int, not 'many'"),
        ("niah:needles=", "wants int"),
        ("niah:needles=1.5", "wants int"),
        ("niah:kind=words", "did you mean 'word'"),
        ("niah:kind=", "kind"),
        ("niah:needles=2,needles=3", "twice"),
        ("niah:2,needles=3", "twice"),
        ("niah:needles=2,asked", "needles|asked"),
        ("niah:Needles=3", "Needles"),
        ('niah:needle="abc', 'quote " is not closed .* twice: ""'),
        ("niah:needle='abc',", "quote ' is not closed"),
        ('niah:needle="a"b', "not closed before the next option"),
        ('niah:needle="a"b,asked=1', "not closed before the next option"),
        ("niah:values=", "file:"),
        ("niah:values=things.txt,kind=word", "values=things.txt means kind=file:things.txt; give one of both"),
    ],
)
def test_a_wrong_task_spec_is_one_clear_line(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as error:
        build_task(spec)
    assert "\n" not in str(error.value)


def test_values_are_a_count_or_a_file_of_values() -> None:
    assert build_task("niah:needles=4,values=2") == Niah(needles=4, values=2)
    assert spec_of(build_task("niah:values=my/things.txt")) == "niah:kind=file:my/things.txt"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("windw:300", "did you mean 'window'"),
        ("window", "window:WIDTH"),
        ("window:", "window:WIDTH"),
        ("window:0", "at least 1"),
        ("window:-3", "at least 1"),
        ("window:wide", "wants int"),
        ("window:300,width=200", "twice"),
        ("tokenizer", "tokenizer:PATH"),
        ("niah", "no model is called"),
        ("/some/folder", r"did you mean hf:/some/folder\?"),
        ("Qwen/Qwen3-0.6B", r"did you mean hf:Qwen/Qwen3-0.6B\?"),
        ("Qwen/Qwen3-0.6B,dtype=float32", r"did you mean hf:Qwen/Qwen3-0.6B,dtype=float32\?"),
        ("tests", r"did you mean hf:tests\?"),
        ("http://localhost:8000/v1", r"did you mean server:http://localhost:8000/v1\?"),
    ],
)
def test_a_wrong_model_spec_is_one_clear_line(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as error:
        build_model(spec)
    assert "\n" not in str(error.value)


def test_an_option_for_the_rest_takes_every_other_key_in_order() -> None:
    model: Any = build_model("harness:hf,b=1,together=3,a=x,y/z")
    assert (model.backend, model.together, model.arguments) == ("hf", 3, (("b", "1"), ("a", "x,y/z")))
    assert spec_of(model) == "harness:hf,together=3,b=1,a=x,y/z"
    assert spec_of(build_model("harness:hf")) == "harness:hf"
    assert build_model("harness:hf,arguments=7").arguments == (("arguments", "7"),)  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match="gives option 'b' twice"):
        build_model("harness:hf,b=1,b=2")


def test_the_nearest_name_is_offered_or_all_of_them() -> None:
    assert did_you_mean("kitten", ["mitten", "dog"]) == "; did you mean 'mitten'?"
    assert did_you_mean("q", iter(["mitten", "dog"])) == "; there is: mitten, dog"


def test_packages_may_add_names_but_not_take_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def __init__(self, name: str, value: str) -> None:
            self.name, self.value = name, value

    extra = [Entry("mine", "mta_eval.tasks.passkey:Passkey"), Entry("niah", "nowhere:Nothing")]
    monkeypatch.setattr(registry, "entry_points", lambda group: extra if group == "mta_eval.tasks" else [])
    assert build_task("mine:digits=3") == Passkey(digits=3)
    assert build_task("niah") == Niah()
    assert "mine" not in registry.names("models")


def test_a_name_is_added_in_this_process_and_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ADDED, "attention", {})
    registry.add("attention", "mine", "plugin_package.alibi:ALiBiAttention")
    assert registry.find("attention", "mine").__name__ == "ALiBiAttention"
    assert "mine" in registry.names("models")
    registry.add("attention", "mine", "plugin_package.alibi:ALiBiAttention")
    registry.add("attention", "mta", registry.BUILT_IN["attention"]["mta"])
    for name in ("mine", "mta"):
        with pytest.raises(SpecError, match=f"the attention variant {name!r} is there already: "):
            registry.add("attention", name, "plugin_package.alibi:Other")

"""Variants by name, by module and by file; what cannot be one is one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mta_eval import registry
from mta_eval.errors import MtaEvalError, SpecError
from mta_eval.tunnel.variants import find_variant

PLUGIN = Path(__file__).parents[1] / "helpers/plugin_package/alibi.py"
HEAD = "from mta_eval.attention.layer import AttentionLayer\n"
ONE = 'class {0}(AttentionLayer):\n    kind = "{1}"\n    title = "{0}"\n'


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ADDED, "attention", {})


def test_a_name_of_the_registry() -> None:
    found = find_variant("mta")
    assert (found.named, found.kind, found.title, found.digest) == ("mta", "mta", "MTA", "")
    assert "2504.00927" in found.source
    assert registry.ADDED["attention"] == {}


def test_a_file_is_executed_and_known_from_then_on() -> None:
    found = find_variant(str(PLUGIN))
    assert (found.kind, found.title) == ("alibi", "ALiBi")
    assert found.named == str(PLUGIN)
    assert re.fullmatch("[0-9a-f]{16}", found.digest)
    assert registry.find("attention", "alibi").__name__ == "ALiBiAttention"
    assert find_variant(str(PLUGIN)) == found


def test_a_relative_path_is_found_again_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(HEAD + ONE.format("Mine", "mine"))
    monkeypatch.chdir(tmp_path)
    found = find_variant("mine.py")
    assert found.named == str(tmp_path / "mine.py")
    monkeypatch.chdir("/")
    assert find_variant(found.named) == found


def test_a_module_and_its_class() -> None:
    found = find_variant("plugin_package.alibi:ALiBiAttention")
    assert (found.named, found.kind) == ("plugin_package.alibi:ALiBiAttention", "alibi")
    assert registry.names("attention")["alibi"] == "plugin_package.alibi:ALiBiAttention"


def test_one_of_several_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "two.py"
    file.write_text(HEAD + ONE.format("First", "first") + ONE.format("Second", "second"))
    found = find_variant(f"{file}:Second")
    assert (found.kind, found.named) == ("second", f"{file}:Second")
    with pytest.raises(SpecError, match=r"has 2 attention variants, not one: First, Second; name one, .*two\.py:First"):
        find_variant(str(file))
    with pytest.raises(SpecError, match="has no attention variant 'Third'"):
        find_variant(f"{file}:Third")


def test_classes_that_a_file_imports_are_not_its_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        HEAD + "from mta_eval.attention.mta import MTAAttention\nfrom mta_eval.attention.diff import DiffAttention\n"
        'class Mine(MTAAttention):\n    kind = "mine"\n'
    )
    assert find_variant(str(file)).kind == "mine"


def test_another_state_of_a_file_is_another_variant(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + ONE.format("Mine", "mine"))
    first = find_variant(str(file))
    registry.ADDED["attention"].clear()
    file.write_text(HEAD + ONE.format("Mine", "mine") + "    new = 1\n")
    second = find_variant(str(file))
    assert second.digest != first.digest
    assert registry.find("attention", "mine").new == 1


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + ONE.format("Mine", "mta"))
    with pytest.raises(SpecError, match="the attention variant 'mta' is there already: mta_eval"):
        find_variant(str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", "cannot be executed: SyntaxError: "),
        ("import no_such_package\n", "cannot be executed: ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise ValueError('first\\nsecond')\n", "cannot be executed: ValueError: first"),
        ("x = 1\n", "has 0 attention variants, not one. A variant is a subclass of mta_eval"),
        (HEAD + 'class Mine(AttentionLayer):\n    title = "x"\n', "Mine in "),
        (HEAD + 'class Mine(AttentionLayer):\n    kind = "x"\n', "has no title: write title = '...' in its class"),
    ],
)
def test_a_file_that_is_no_variant_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(MtaEvalError) as refused:
        find_variant(str(tmp_path / "mine.py"))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("tranformer", "did you mean 'transformer'"),
        ("nowhere.py", "cannot read the variant"),
        ("no.such.module:Class", "the module 'no.such.module' cannot be imported: ModuleNotFoundError"),
        ("mta_eval.attention.mta:Nothing", "has no attention variant 'Nothing'"),
        ("mta_eval.attention.layer:AttentionLayer", "has no attention variant 'AttentionLayer'"),
        ("/dev/zero.py", "cannot read the variant"),
    ],
)
def test_what_names_nothing_is_one_line(named: str, message: str) -> None:
    with pytest.raises(MtaEvalError) as refused:
        find_variant(named)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)

"""protocol=ruler and the tasks in RULER's wording: prompts, budgets and rules against lm-evaluation-harness's own port.

Its templates are read from its sources, not imported: some need packages that nothing else needs.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mta_eval import registry
from mta_eval.core import Cell, Sample, Tokenizer
from mta_eval.scoring import ScoredOutput, find
from mta_eval.tasks.ruler import templates

PORT = Path((importlib.util.find_spec("lm_eval") or pytest.skip("needs lm_eval", allow_module_level=True)).origin or "")
PORT = PORT.parent / "tasks" / "ruler"
MENDED = ("assgined", "assigned")  # a slip of the port that the original has mended


def constant(file: str, name: str) -> Any:
    """A literal at the top of a module of the port."""
    for node in ast.parse((PORT / file).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise LookupError(name)


def functions(file: str, *names: str) -> dict[str, Any]:
    """Functions of a module of the port that need nothing but `re`."""
    tree = ast.parse((PORT / file).read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    found: dict[str, Any] = {"re": re}
    exec(compile(tree, file, "exec"), found)
    return found


def port_of(task: str) -> tuple[str, str, int]:
    """Template, answer prefix and budget of a task of the port."""
    found = constant(f"{task}_utils.py", "CONFIG")
    found = found.get("variable_tracking", found)
    return found["template"], found["answer_prefix"].replace(*MENDED), found["tokens_to_generate"]


def with_hole(words: tuple[str, str]) -> str:
    """The template, with a hole for the context."""
    return "{context}".join(words)


def cut(sample: Sample, words: tuple[str, str]) -> str:
    """The context of a sample between these words."""
    assert sample.prompt.endswith(words[1])
    return sample.prompt[: -len(words[1])].rpartition(words[0])[2]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return registry.build_model("window:300").tokenizer


@pytest.mark.parametrize(
    ("task", "ours", "said"),
    [
        ("vt", templates.VARIABLES, {"query": "12345", "num_v": 5}),
        ("cwe", templates.COMMON_WORDS, {}),
        ("fwe", templates.FREQUENT_WORDS, {}),
    ],
)
def test_the_wording_is_that_of_the_port(task: str, ours: templates.RulerPrompt, said: dict[str, Any]) -> None:
    template, prefix, tokens = port_of(task)
    words, begun = ours.words(**said)
    assert with_hole(words) == template.format(context="{context}", **said)
    assert begun == prefix.format(**said)
    assert ours.tokens == tokens


def test_the_wording_of_questions_is_that_of_the_port() -> None:
    template, prefix, tokens = port_of("qa")
    words, begun = templates.QUESTIONS.words(query="Why?")
    assert with_hole(words) == template.format(context="{context}", query="Why?")
    assert begun == f" {prefix}"  # the port joins it by a space
    assert (templates.QUESTIONS.tokens, templates.DOCUMENT.format(number=3, text="x")) == (
        tokens,
        constant("qa_utils.py", "DOCUMENT_PROMPT").format(i=3, document="x"),
    )


@pytest.mark.parametrize("kind", ["numbers", "words", "uuids"])
def test_the_wording_of_needles_is_that_of_the_port(kind: str) -> None:
    template = constant("niah_utils.py", "TEMPLATE")
    words, begun = templates.NEEDLES.words(kind=kind, query="a, and b")
    assert with_hole(words) == template.format(type_needle_v=kind, query="a, and b", context="{context}")
    assert begun == f" The special magic {kind} for a, and b mentioned in the provided text are"
    for old, new in (("Some", "A"), ("are all", "is"), ("are", "is"), ("answers", "answer")):  # as the port does it
        template = template.replace(old, new)
    words, begun = templates.ONE_NEEDLE.words(kind=kind[:-1], query="a")
    assert with_hole(words) == template.format(type_needle_v=kind[:-1], query="a", context="{context}")
    assert begun == f" The special magic {kind[:-1]} for a mentioned in the provided text is"
    source = (PORT / "prepare_niah.py").read_text()
    assert f'NEEDLE = "{templates.NEEDLE.format(kind="{type_needle_v}", key="{key}", value="{value}")}"' in source
    assert "The special magic {type_needle_v[:-1]} for {query} mentioned in the provided text is" in source
    assert "tokens_to_generate: int = 128" in source
    assert (templates.NEEDLES.tokens, templates.ONE_NEEDLE.tokens) == (128, 128)


@pytest.mark.parametrize(
    ("spec", "haystack", "keys", "values", "counts"),
    [
        ("single_1", "repeat", "words", "numbers", {}),
        ("single_2", "essay", "words", "numbers", {}),
        ("single_3", "essay", "words", "uuids", {}),
        ("multikey_1", "essay", "words", "numbers", {"num_needle_k": 4}),
        ("multikey_2", "needle", "words", "numbers", {}),
        ("multikey_3", "needle", "uuids", "uuids", {}),
        ("multivalue", "essay", "words", "numbers", {"num_needle_v": 4}),
        ("multiquery", "essay", "words", "numbers", {"num_needle_q": 4}),
    ],
)
def test_the_parameters_of_needles_are_those_of_the_port(
    spec: str, haystack: str, keys: str, values: str, counts: dict[str, int], tokenizer: Tokenizer
) -> None:
    tree = ast.parse((PORT / "niah_utils.py").read_text())
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == f"niah_{spec}")
    (call,) = (
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and "generate_samples" in ast.unparse(node.func)
    )
    theirs = {word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)}
    assert theirs == {
        "type_haystack": haystack, "type_needle_k": keys, "type_needle_v": values, "num_samples": 500, **counts,
    }  # fmt: skip
    filled = f"variant={spec},haystack=prose" if haystack == "essay" else spec
    task = registry.build_task(f"ruler_niah:{filled}")
    sample = task.sample(Cell(900, 0.5, 0), 0, tokenizer)
    shape = {"numbers": r"[1-9]\d{6}", "words": r"[a-z]+-[a-z]+", "uuids": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}
    assert all(re.fullmatch(shape[keys], needle.key) for needle in sample.needles)
    assert all(re.fullmatch(shape[values], target) for target in sample.targets)
    expected = max(counts.values(), default=1) if haystack != "needle" else 1
    assert len(sample.needles) == expected
    assert len(sample.targets) == (1 if spec.startswith(("single", "multikey")) else 4)
    assert (sample.max_new_tokens, sample.stop) == (128, ())
    lines = len(re.findall("One of the special magic", sample.prompt))
    assert lines > 9 if haystack == "needle" else lines == expected


@pytest.mark.parametrize(
    ("spec", "length", "prompt"),
    [
        ("variable_tracking:protocol=ruler", 1200, templates.VARIABLES),
        ("common_words:protocol=ruler", 1500, templates.COMMON_WORDS),
        ("frequent_words:protocol=ruler", 700, templates.FREQUENT_WORDS),
    ],
)
def test_a_sample_is_the_published_words_around_its_context(
    spec: str, length: int, prompt: templates.RulerPrompt, tokenizer: Tokenizer
) -> None:
    sample = registry.build_task(spec).sample(Cell(length, None, 3), 0, tokenizer)
    value = sample.needles[0].value
    words, prefix = prompt.words(query=value, num_v=len(sample.targets))
    context = cut(sample, (words[0], words[1] + prefix))
    assert (sample.max_new_tokens, sample.stop, sample.chat) == (prompt.tokens, (), None)
    lines = context.split("\n")
    if "variable" in spec:
        first, *rest = (line for line in lines if line.startswith("VAR"))
        assert first == f"VAR {sample.targets[0]} = {value}"
        assert rest == [f"VAR {new} = VAR {old} " for old, new in pairwise(sample.targets)]
        noise = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
        assert sum(line == noise for line in lines) >= len(lines) - 6  # the last may be cut to fit the length
    elif "common" in spec:
        assert re.fullmatch(r"1\. [a-z]+-[a-z]+( \d+\. [a-z]+-[a-z]+)+", context)
    else:
        assert re.fullmatch(r"(\.\.\.|[a-z]{6})( (\.\.\.|[a-z]{6}))+", context)


def test_the_worked_example_of_variables_is_the_published_one(tokenizer: Tokenizer) -> None:
    task = registry.build_task("variable_tracking:protocol=ruler,chains=2")
    for repeat in range(5):
        sample = task.sample(Cell(1500, 0.5, repeat), 0, tokenizer)
        example, _, rest = sample.prompt.partition("\n\nMemorize and track")
        assert rest.count("Memorize and track") == 0
        shown = re.findall(r"^VAR ([A-Z]{3}) = (\d{5})$", example, re.MULTILINE)
        value = re.findall(r"assigned the value (\d+) in the text above", example)[0]
        first = {number: name for name, number in shown}[value]
        names = example.rpartition("they are:  ")[2].split(" ")
        assert names[0] == first
        assert len(names) == 5
        chain = [
            f"VAR {first} = {value}",
            *(f"VAR {new} = VAR {old} " for old, new in pairwise(names)),
        ]
        lines = [line for line in example.split("\n") if line.startswith("VAR")]
        assert len(lines) == 10
        assert [line for line in lines if line in chain] == chain
        assert value not in rest
        noise = sum(line.startswith("The grass") for line in example.split("\n"))
        assert noise >= 5
        assert len(tokenizer.encode(example.rpartition("  ")[0]).ids) <= 500


@pytest.mark.parametrize(("length", "shown", "common", "other"), [(2000, 20, 3, 1), (8192, 40, 10, 3)])
def test_the_worked_example_of_common_words_is_the_published_one(
    length: int, shown: int, common: int, other: int, tokenizer: Tokenizer
) -> None:
    sample = registry.build_task("common_words:protocol=ruler").sample(Cell(length, None, 0), 0, tokenizer)
    example, _, rest = sample.prompt.partition("\nBelow is a numbered list")
    words, prefix = templates.COMMON_WORDS.words()
    listed, _, answer = example.removeprefix(words[0]).partition(words[1] + prefix + " ")
    rows = re.findall(r"\d+\. (\S+)", listed)
    named = re.findall(r"\d+\. (\S+)", answer)
    assert [len(set(rows)), len(named)] == [shown, 10]
    assert {rows.count(word) for word in named} == {common}
    assert {rows.count(word) for word in set(rows) - set(named)} == {other}
    assert not [word for word in set(rows) if f" {word} " in rest]
    frequent = {True: (30, 3), False: (6, 1)}[length >= 4096]
    counted = re.findall(r"\d+\. (\S+)", rest)
    assert {counted.count(word) for word in sample.targets} == {frequent[0]}
    assert {counted.count(word) for word in set(counted) - set(sample.targets)} == {frequent[1]}


def test_the_rules_score_as_ruler_and_the_port_do() -> None:
    port = functions("common_utils.py", "postprocess_pred", "string_match_all")
    random = Random(0)
    for _ in range(500):
        targets = tuple(random.choice(["Ab", "cd e", "123", "x-y", "b"]) for _ in range(random.randint(1, 4)))
        output = "".join(random.choice([" ab", "CD\x00", "cd e", "123", "\n", "x-Y", ".", "\x1f"]) for _ in range(6))
        (cleaned,) = port["postprocess_pred"]([output])
        ours = [find(name)(ScoredOutput(output, targets)) for name in ("ruler_all", "ruler_part")]
        assert ours[0] == pytest.approx(port["string_match_all"]([cleaned], [list(targets)]))
        # RULER's own string_match_part: one of the answers; the port's is string_match_all for a single output
        assert ours[1] == max(float(target.lower() in cleaned.lower()) for target in targets)


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ("variable_tracking:protocol=ruler", "ruler_all"),
        ("common_words:protocol=ruler", "ruler_all"),
        ("frequent_words", "ruler_all"),
        ("ruler_niah:single_1", "ruler_all"),
        ("ruler_qa:squad,source=file:x", "ruler_part"),
        ("multi_hop", "first_word"),
        ("multi_hop:prompt=chat", "all_named"),
    ],
)
def test_the_rule_that_auto_stands_for_is_called_auto_everywhere(spec: str, rule: str) -> None:
    option = f"{spec},rule=" if ":" in spec else f"{spec}:rule="
    assert registry.spec_of(registry.build_task(option + rule)) == spec
    assert registry.spec_of(registry.build_task(option + "share_contained")) == option + "share_contained"

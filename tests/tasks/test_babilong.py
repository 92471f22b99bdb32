import json
import re
from pathlib import Path

import pytest
from babi_reader import answer as read_answer

from mta_eval.core import Cell, PromptSettings, Sample
from mta_eval.errors import LengthError, SpecError, TextError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_task, spec_of
from mta_eval.tasks.babi.files import read_stories
from mta_eval.tasks.babi.worlds import LABELS

BABI = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Daniel went back to the hallway.
5 Where is Daniel? \thallway\t4
1 Sandra went to the garden.
2 Where is Sandra?\tgarden\t1
"""


def facts_in(sample: Sample) -> list[str]:
    """The facts of a prompt in their order, found by their token positions' texts."""
    return [needle.text for needle in sample.needles]


@pytest.mark.parametrize("qa", range(1, 11))
def test_the_facts_in_the_prompt_answer_the_question(qa: int, byte_bpe: FastTokenizer) -> None:
    task = build_task(f"babilong:qa={qa}")
    for repeat in range(6):
        sample = task.sample(Cell(2048, (0.0, 0.5, 1.0)[repeat % 3], repeat), 0, byte_bpe)
        context = sample.prompt.rpartition("Text: ")[2]
        place = 0
        for fact in facts_in(sample):
            place = context.index(fact, place) + len(fact)
        question = re.findall(r"Question: (.*)\nAnswer:", sample.prompt)[-1]
        assert read_answer(facts_in(sample), question) == sample.targets[0]
        assert sample.targets[0] in sample.choices
        assert task.score(sample, f" {sample.targets[0]}") == 1


@pytest.mark.parametrize("qa", [1, 2, 5, 8])
@pytest.mark.parametrize("length", [700, 1024, 4096])
def test_every_sample_fills_its_length_and_knows_its_facts(qa: int, length: int, tokenizer: FastTokenizer) -> None:
    task = build_task(f"babilong:qa={qa}")
    for depth in (0.0, 0.5, 1.0, None):
        try:
            sample = task.sample(Cell(length, depth, 1), 0, tokenizer)
        except LengthError:
            assert length < 4096  # in characters
            continue
        encoding = tokenizer._backend.encode(sample.prompt, add_special_tokens=True)
        assert sample.prompt_tokens == len(encoding.ids)
        assert length - 4 <= len(encoding.ids) + sample.max_new_tokens <= length
        for needle in sample.needles:
            text = sample.prompt[encoding.offsets[needle.token_start][0] : encoding.offsets[needle.token_end - 1][1]]
            assert needle.text in text
            first, last = (encoding.offsets[place][0] for place in (needle.token_start + 1, needle.token_end - 1))
            assert needle.text not in sample.prompt[first : encoding.offsets[needle.token_end - 1][1]]
            assert needle.text not in sample.prompt[encoding.offsets[needle.token_start][0] : last]


def test_the_last_supporting_fact_stands_at_the_depth(byte_bpe: FastTokenizer) -> None:
    for depth in (0.0, 0.25, 0.5, 0.75, 1.0):
        for repeat in range(4):
            sample = build_task("babilong:qa=1").sample(Cell(4096, depth, repeat), 0, byte_bpe)
            last = [needle for needle in sample.needles if needle.asked][-1]
            assert abs(last.depth - depth) * 4096 < 20


def test_length_0_is_the_facts_alone(byte_bpe: FastTokenizer) -> None:
    sample = build_task("babilong:qa=2").sample(Cell(0, None, 0), 0, byte_bpe)
    assert f"Text: {' '.join(facts_in(sample))}\nQuestion:" in sample.prompt
    assert sample.length == sample.prompt_tokens + sample.max_new_tokens


def test_a_length_too_small_is_one_clear_error(byte_bpe: FastTokenizer) -> None:
    with pytest.raises(LengthError, match=r"babilong:qa=2 does not fit length 64: this sample needs \d+ tokens"):
        build_task("babilong:qa=2").sample(Cell(64, 0.5, 0), 0, byte_bpe)


@pytest.mark.parametrize("qa", [2, 3, 7, 8])
def test_every_tokenizer_and_every_depth_asks_for_the_same_answer(
    qa: int, tokenizer: FastTokenizer, byte_bpe: FastTokenizer
) -> None:
    task = build_task(f"babilong:qa={qa}")
    for repeat in range(4):
        deep = task.sample(Cell(8192, 0.5, repeat), 0, byte_bpe)
        for depth in (0.0, 1.0):
            ours, theirs = (task.sample(Cell(8192, depth, repeat), 0, lent) for lent in (tokenizer, byte_bpe))
            assert facts_in(ours) == facts_in(theirs)
            assert ours.targets == theirs.targets == deep.targets


@pytest.mark.parametrize("qa", [6, 9, 1])
def test_more_examples_than_answers_are_found(qa: int, byte_bpe: FastTokenizer) -> None:
    prompt = build_task(f"babilong:qa={qa},examples=7").sample(Cell(0, None, 0), 0, byte_bpe).prompt
    assert prompt.count("Answer:") == 8


def test_worked_examples_are_right_and_the_same_for_all_samples(byte_bpe: FastTokenizer) -> None:
    for qa in range(1, 11):
        prompts = [
            build_task(f"babilong:qa={qa}").sample(Cell(0, None, repeat), 0, byte_bpe).prompt for repeat in (0, 1)
        ]
        shown = [re.findall(r"Text: (.+)\nQuestion: (.+)\nAnswer: (.+)\n", prompt) for prompt in prompts]
        assert shown[0] == shown[1]
        assert len(shown[0]) == 2
        for text, question, answer in shown[0]:
            assert read_answer([fact.strip() for fact in re.findall(r"[^.]+\.", text)], question) == answer


def test_the_official_rule_marks_unless_another_is_named(byte_bpe: FastTokenizer) -> None:
    task, lax = build_task("babilong:qa=1"), build_task("babilong:qa=1,rule=any_contained")
    sample = task.sample(Cell(0, None, 0), 0, byte_bpe)
    target = sample.targets[0]
    other = next(label for label in LABELS[1] if label != target)
    assert task.score(sample, f" {other} or {target}") == 0
    assert lax.score(sample, f" {other} or {target}") == 1


def test_babi_files_are_read_as_published(tmp_path: Path, byte_bpe: FastTokenizer) -> None:
    file = tmp_path / "qa1_single-supporting-fact_test.txt"
    file.write_text(BABI)
    for where in (file, tmp_path):
        stories = read_stories(str(where), 1)
        assert [story.answer for story in stories] == ["bathroom", "hallway", "garden"]
        assert stories[1].facts == (
            "Mary moved to the bathroom.",
            "John went to the hallway.",
            "Daniel went back to the hallway.",
        )
        assert stories[1].support == (2,)
        assert stories[2].facts == ("Sandra went to the garden.",)
    sample = build_task(f"babilong:qa=1,source=file:{file}").sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    assert sample.targets[0] in ("bathroom", "hallway", "garden")
    assert sample.prompt_tokens + sample.max_new_tokens in range(1020, 1025)


def test_a_question_of_a_file_has_the_facts_that_it_names_or_else_the_last(tmp_path: Path) -> None:
    (tmp_path / "qa.txt").write_text("2 One.\n4 Two.\n\n7 Three.\n8 Why?\ta,b\t7 2\n9 Who? \t c \n")
    both, none = read_stories(str(tmp_path / "qa.txt"), 8)
    assert (both.facts, both.question, both.answer, both.support) == (("One.", "Two.", "Three."), "Why?", "a,b", (0, 2))
    assert (none.question, none.answer, none.support) == ("Who?", "c", (2,))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("1 Where is Mary?\tgarden\t1", "line 1 asks before there is a fact"),
        ("1 Mary left.\n2 Where is Mary?\t \t1", "line 2 has no answer"),
        ("1 Mary left.\n2 Where?\thall\t1 x", "line 2 names the supporting fact 'x', which its story has not"),
        ("1 Mary left.\n2 Where?\thall\t2", "line 2 names the supporting fact '2'"),
        ("5 Mary left.\n1 Bill left.\n2 Where?\thall\t5", "line 3 names the supporting fact '5'"),
    ],
)
def test_a_question_that_makes_no_story_is_one_clear_line(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "qa.txt").write_text(text)
    with pytest.raises(TextError, match=re.escape(f"qa.txt' {named}")):
        read_stories(str(tmp_path / "qa.txt"), 1)


@pytest.mark.parametrize(
    ("text", "named"), [("", "no bAbI question"), ("Once upon a time.", "line 1 is not in the bAbI")]
)
def test_a_file_in_another_format_is_one_clear_line(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "qa.txt").write_text(text)
    with pytest.raises(TextError, match=named):
        read_stories(str(tmp_path / "qa.txt"), 1)
    (tmp_path / "folder").mkdir()
    with pytest.raises(TextError, match=r"holds no file qa1_"):
        read_stories(str(tmp_path / "folder"), 1)


def test_the_published_data_set_is_read_through_datasets(
    tmp_path: Path, byte_bpe: FastTokenizer, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local data set of the same shape: configurations are lengths, splits are tasks."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "babilong"
    (data / "1k").mkdir(parents=True)
    rows = [
        {"input": f"Mary went to the office. {n}", "question": "Where is Mary?", "target": "office"} for n in range(3)
    ]
    (data / "1k" / "qa1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (data / "README.md").write_text(
        "---\nconfigs:\n- config_name: 1k\n  data_files:\n  - split: qa1\n    path: 1k/qa1.jsonl\n---\n"
    )
    task = build_task(f"babilong:qa=1,source=dataset:{data}")
    sample = task.sample(Cell(1024, None, 2), 0, byte_bpe)
    assert "Text: Mary went to the office. 2\nQuestion: Where is Mary?\nAnswer:" in sample.prompt
    assert sample.targets == ("office",)
    assert sample.prompt_tokens == len(byte_bpe._backend.encode(sample.prompt).ids)
    assert sample.length == sample.prompt_tokens + sample.max_new_tokens
    assert (sample.id, sample.stop, sample.target_delimiter) == (f"{spec_of(task)}/1024/any/2", ("\n", "."), " ")
    assert sample.axes == {"length": 1024, "depth": None, "repeat": 2, "qa": 1, "question": "Where is Mary?"}
    assert sample.choices == LABELS[1]
    chat = build_task(f"babilong:qa=1,source=dataset:{data},prompt=chat")
    settings = PromptSettings(thinking_tokens=30, answer_tokens=9)
    talker = load_tokenizer(str(tokenizer_folder)).with_settings(settings)
    asked = chat.sample(Cell(1024, None, 2), 0, talker)
    assert asked.prompt == talker.render(asked.chat or ())
    assert asked.prompt_tokens == len(talker._backend.encode(asked.prompt, add_special_tokens=False).ids)
    assert (asked.length, asked.max_new_tokens) == (asked.prompt_tokens + 39, 9)
    assert (asked.stop, asked.target_delimiter, asked.settings) == ((), "", settings)
    with pytest.raises(SpecError, match="has 3 samples"):
        task.sample(Cell(1024, None, 3), 0, byte_bpe)
    with pytest.raises(SpecError, match="no depths"):
        task.sample(Cell(1024, 0.5, 0), 0, byte_bpe)
    with pytest.raises(TextError, match="2k, qa1"):
        task.sample(Cell(2048, None, 0), 0, byte_bpe)
    for length, named in ((0, "0k, qa1"), (1 << 20, "1M, qa1"), (3 << 19, "1536k, qa1")):
        with pytest.raises(TextError, match=named):
            task.sample(Cell(length, None, 0), 0, byte_bpe)
    with pytest.raises(SpecError, match="1025 is not one of them"):
        task.sample(Cell(1025, None, 0), 0, byte_bpe)


@pytest.mark.parametrize("options", ["qa=0", "qa=11", "facts=-1", "qa=3,facts=2", "source=book"])
def test_wrong_options_are_refused(options: str) -> None:
    with pytest.raises(SpecError):
        build_task(f"babilong:{options}")


@pytest.mark.parametrize(("option", "most"), [("facts", 10_000), ("examples", 1000)])
def test_there_are_so_many_facts_and_examples_at_most(option: str, most: int) -> None:
    build_task(f"babilong:qa=2,{option}={most}")
    with pytest.raises(SpecError, match=f"{option} is 0 to {most}, not {most + 1}"):
        build_task(f"babilong:qa=2,{option}={most + 1}")

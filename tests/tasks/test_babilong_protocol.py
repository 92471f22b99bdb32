"""`protocol=official`, `worlds=` and the published data in files."""

import json
import re
from pathlib import Path

import pytest
from babi_reader import answer as read_answer

from mta_eval.core import Cell, PromptSettings
from mta_eval.errors import SpecError, TextError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_model, build_task, spec_of
from mta_eval.results.sample_json import rule_of
from mta_eval.tasks.babi.published_prompts import PUBLISHED_PROMPTS, most_facts


@pytest.mark.parametrize("qa", range(1, 11))
def test_an_official_sample_has_the_published_prompt_around_its_text(qa: int, byte_bpe: FastTokenizer) -> None:
    sample = build_task(f"babilong:qa={qa},protocol=official").sample(Cell(2048, 0.5, 1), 0, byte_bpe)
    before, after = PUBLISHED_PROMPTS[qa].words(str(sample.axes["question"]))
    assert sample.prompt.startswith(before)
    assert sample.prompt.endswith(after)
    assert (sample.max_new_tokens, sample.stop, sample.length) == (20, (), 2048)
    assert 2044 <= sample.prompt_tokens + 20 <= 2048
    assert read_answer([needle.text for needle in sample.needles], str(sample.axes["question"])) == sample.targets[0]


def test_the_parts_of_the_official_prompt_are_switched_one_by_one(byte_bpe: FastTokenizer) -> None:
    prompt = PUBLISHED_PROMPTS[2]
    for switch, part in (
        ("use_instruction", prompt.instruction),
        ("use_examples", "<example>"),
        ("use_post_prompt", prompt.post_prompt),
    ):
        task = build_task(f"babilong:qa=2,protocol=official,{switch}=false")
        assert part not in task.sample(Cell(0, None, 0), 0, byte_bpe).prompt
        assert part in build_task("babilong:qa=2,protocol=official").sample(Cell(0, None, 0), 0, byte_bpe).prompt


def test_an_official_answer_is_scored_by_the_official_rule_unless_another_is_named(byte_bpe: FastTokenizer) -> None:
    official, ours = build_task("babilong:qa=7,protocol=official"), build_task("babilong:qa=7")
    assert (rule_of(official), rule_of(ours)) == ("babilong_official", "babilong_one_label")
    assert rule_of(build_task("babilong:qa=7,protocol=official,rule=first_word")) == "first_word"
    sample = next(
        sample
        for repeat in range(50)
        if (sample := official.sample(Cell(0, None, repeat), 0, byte_bpe)).targets == ("none",)
    )
    assert official.score(sample, "none") == 0  # "none" also says "one": the published rule is so
    assert ours.score(sample, "none") == 1


def test_a_rule_that_is_the_default_anyway_leaves_the_spec_as_it_is() -> None:
    assert spec_of(build_task("babilong:qa=1,rule=babilong_one_label")) == "babilong:qa=1"
    named = "babilong:qa=1,protocol=official"
    assert spec_of(build_task(f"{named},rule=babilong_official")) == named
    assert "rule=babilong_one_label" in spec_of(build_task(f"{named},rule=babilong_one_label"))


def test_an_official_chat_is_one_message_with_the_whole_prompt(tokenizer_folder: Path) -> None:
    talker = load_tokenizer(str(tokenizer_folder)).with_settings(PromptSettings(answer_tokens=33))
    sample = build_task("babilong:qa=1,protocol=official,prompt=chat").sample(Cell(0, None, 0), 0, talker)
    assert sample.chat
    assert [message["role"] for message in sample.chat] == ["user"]
    assert sample.chat[0]["content"].endswith(f"Question: {sample.axes['question']}")
    assert sample.max_new_tokens == 33


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("protocol=official,examples=1", "has its own examples"),
        ("use_examples=false", "are of protocol=official"),
        ("use_instruction=false", "are of protocol=official"),
        ("use_post_prompt=false", "are of protocol=official"),
        ("worlds=real", "worlds cannot be 'real'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: str, named: str) -> None:
    with pytest.raises(SpecError, match=named):
        build_task(f"babilong:{options}")


def test_stories_of_a_file_keep_to_the_official_limit_on_facts(tmp_path: Path, byte_bpe: FastTokenizer) -> None:
    facts = [f"{number} Mary went to the {('garden', 'office')[number % 2]}." for number in range(1, 131)]
    lines = [*facts[:4], "5 Where is Mary?\tgarden\t4", *facts[5:], "131 Where is Mary?\tgarden\t130"]
    file = tmp_path / "qa1_test.txt"
    file.write_text("\n".join(lines))
    task = build_task(f"babilong:qa=1,protocol=official,source=file:{file}")
    for repeat in range(12):
        assert len(task.sample(Cell(1024, 0.5, repeat), 0, byte_bpe).needles) == 4
    assert 129 in {len(task.sample(Cell(0, None, repeat), 0, byte_bpe).needles) for repeat in range(12)}
    file.write_text("\n".join(lines[5:]).replace("6 ", "1 ", 1))
    task_of_long = build_task(f"babilong:qa=1,protocol=official,source=file:{tmp_path}/./qa1_test.txt")
    with pytest.raises(SpecError, match=f"has at most {most_facts(1024)} facts, the official limit of 1024"):
        task_of_long.sample(Cell(1024, 0.5, 0), 0, byte_bpe)


@pytest.mark.parametrize("qa", [3, 5])
def test_long_stories_are_told_where_they_fit_and_short_ones_at_short_lengths(qa: int) -> None:
    words = build_model("smollm2").tokenizer
    task = build_task(f"babilong:qa={qa}")
    sizes = {
        length: [len(task.sample(Cell(length, None, repeat), 1, words).needles) for repeat in range(12)]
        for length in (0, 512)
    }
    assert max(sizes[512]) <= 32 < max(sizes[0])


def test_samples_that_share_random_choices_say_so(byte_bpe: FastTokenizer) -> None:
    task = build_task("babilong:qa=3")
    draws = {length: task.sample(Cell(length, None, 1), 0, byte_bpe).draw for length in (0, 1024, 4096, 8192, 16384)}
    assert draws[0] == draws[1024] == draws[4096]
    assert len({draws[4096], draws[8192], draws[16384]}) == 3


def test_uniform_worlds_are_an_option(byte_bpe: FastTokenizer) -> None:
    carried = [
        build_task("babilong:qa=8,worlds=uniform").sample(Cell(0, None, repeat), 0, byte_bpe).targets[0]
        for repeat in range(40)
    ]
    assert sum("," in names for names in carried) >= 6  # a third; 6 % of bAbI's


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """As the published generator writes its samples: qa1/0k.json and so on."""
    (tmp_path / "qa1").mkdir()
    rows = [
        {"input": f" Mary went to the office. {n} ", "question": "Where is Mary? ", "target": "office"} for n in (1, 2)
    ]
    for name in ("0k", "1k", "1M"):
        (tmp_path / "qa1" / f"{name}.json").write_text(json.dumps(rows))
    return tmp_path


def test_published_samples_are_read_from_files_and_asked_as_published(published: Path, byte_bpe: FastTokenizer) -> None:
    task = build_task(f"babilong:qa=1,protocol=official,source=dataset:{published}")
    for length in (0, 1024, 1 << 20):
        sample = task.sample(Cell(length, None, 1), 0, byte_bpe)
        before, after = PUBLISHED_PROMPTS[1].words("Where is Mary?")
        assert sample.prompt == f"{before}Mary went to the office. 2{after}"
        assert (sample.max_new_tokens, sample.stop, sample.targets) == (20, (), ("office",))
        assert task.score(sample, "The most recent location of Mary is office.") == 1
    ours = build_task(f"babilong:qa=1,source=dataset:{published}").sample(Cell(0, None, 0), 0, byte_bpe)
    assert "Text:  Mary went to the office. 1 \n" in ours.prompt


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[", "0k.json' is no JSON"),
        ("{}", "0k.json' is no list of samples"),
        ("[]", "0k.json' is no list of samples"),
        (
            '[{"input": "a", "question": "b", "target": "c"}, {"input": "a", "question": "b"}]',
            "sample 2 has not the texts",
        ),
        ('[{"input": "a", "question": "b", "target": 1}]', "sample 1 has not the texts input, question, target"),
        ("[1]", "sample 1 has not the texts"),
    ],
)
def test_a_published_file_that_is_none_is_one_clear_line(
    published: Path, text: str, named: str, byte_bpe: FastTokenizer
) -> None:
    (published / "qa1" / "0k.json").write_text(text)
    with pytest.raises(TextError, match=re.escape(named)):
        build_task(f"babilong:qa=1,source=dataset:{published}").sample(Cell(0, None, 0), 0, byte_bpe)


def test_a_published_length_or_task_that_has_no_file_is_one_clear_line(
    published: Path, byte_bpe: FastTokenizer
) -> None:
    for qa, length, named in ((1, 2048, "qa1/2k.json"), (2, 0, "qa2/0k.json")):
        with pytest.raises(TextError, match=named):
            build_task(f"babilong:qa={qa},source=dataset:{published}").sample(Cell(length, None, 0), 0, byte_bpe)

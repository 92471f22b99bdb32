"""What templates are rendered with: their options, switches for thinking, a frozen day, and where a turn ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from mta_eval.core import Message, PromptSettings
from mta_eval.errors import ModelError
from mta_eval.models.chat_templates import may_think, options_of
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.tasks.prompts.template import prompt_template

ASK: list[Message] = [{"role": "user", "content": "Where is it?"}]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
QWEN = (
    CHATML + "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
GRANITE = "{% if thinking %}Think first. {% endif %}" + CHATML + PROMPT
DATED = (
    "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "Today: {{ date_string }}\n" + CHATML + PROMPT
)
R1 = CHATML + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('No system prompts') }}{% endif %}" + CHATML
EFFORT = "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}"
HARMONY = CHATML + "{# <|channel|> #}" + EFFORT


@pytest.fixture
def folder(tokenizer_folder: Path, tmp_path: Path) -> Path:
    owner = AutoTokenizer.from_pretrained(tokenizer_folder)
    owner.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    owner.save_pretrained(tmp_path)
    return tmp_path


def with_template(folder: Path, template: str, **settings: object) -> FastTokenizer:
    (folder / "chat_template.jinja").write_text(template)
    return load_tokenizer(str(folder)).with_settings(PromptSettings(**settings))  # type: ignore[arg-type]


def test_a_template_that_reads_the_clock_is_told_the_day_of_the_settings(folder: Path) -> None:
    assert "Today: 01 Jan 2025\n" in with_template(folder, DATED).render(ASK)
    assert "Today: 29 Feb 2024\n" in with_template(folder, DATED, date="2024-02-29").render(ASK)
    own = with_template(folder, DATED, template_options=(("date_string", "a day"),))
    assert "Today: a day\n" in own.render(ASK)


@pytest.mark.parametrize(
    ("template", "thinking", "options"),
    [
        (QWEN, "auto", {}),
        (QWEN, "off", {"enable_thinking": False}),
        (QWEN, "keep", {"enable_thinking": True}),
        (GRANITE, "off", {"thinking": False}),
        (GRANITE, "keep", {"thinking": True}),
        (CHATML, "off", {}),  # it does not think anyway
        (CHATML, "keep", {}),
        (R1, "keep", {}),
    ],
)
def test_thinking_is_switched_by_what_the_template_reads(
    template: str, thinking: str, options: dict[str, bool]
) -> None:
    assert options_of(template, PromptSettings(thinking=thinking)) == options  # type: ignore[arg-type]


def test_a_template_that_always_thinks_cannot_be_switched_off(folder: Path) -> None:
    with pytest.raises(ModelError, match="no switch that turns thinking off"):
        with_template(folder, R1, thinking="off").render(ASK)
    effort = with_template(folder, HARMONY, thinking="off", template_options=(("reasoning_effort", "low"),))
    assert effort.render(ASK)


def test_an_option_may_not_contradict_the_switch_of_thinking(folder: Path) -> None:
    with pytest.raises(ModelError, match="--thinking off and the template option enable_thinking contradict"):
        with_template(folder, QWEN, thinking="off", template_options=(("enable_thinking", True),)).render(ASK)
    agreed = with_template(folder, QWEN, thinking="off", template_options=(("enable_thinking", False),))
    assert agreed.render(ASK) == with_template(folder, QWEN, thinking="off").render(ASK)


def test_a_system_prompt_that_the_template_leaves_out_is_refused(folder: Path) -> None:
    users = CHATML.replace("in messages", "in messages if m.role == 'user'")
    with pytest.raises(ModelError, match="leaves the system prompt out"):
        prompt_template(with_template(folder, users, system="Be brief."), "a", "b", chat=True)
    prompt_template(with_template(folder, CHATML, system=" Be brief.\n"), "a", "b", chat=True)
    prompt_template(with_template(folder, users), "a", "b", chat=True)


def test_switched_off_the_prompt_closes_the_thought(folder: Path) -> None:
    assert with_template(folder, QWEN, thinking="off").render(ASK).endswith("<think>\n\n</think>\n\n")
    assert with_template(folder, QWEN).render(ASK).endswith("assistant\n")


def test_an_option_that_no_template_reads_is_refused_with_those_it_does(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"reads no option 'effort'; it reads: enable_thinking"):
        with_template(folder, QWEN, template_options=(("effort", 1),)).render(ASK)


def test_what_a_template_raises_is_one_line(folder: Path) -> None:
    tokenizer = with_template(folder, NO_SYSTEM)
    assert tokenizer.render(ASK)
    with pytest.raises(ModelError, match=r"the chat template of .* fails: No system prompts"):
        tokenizer.render([{"role": "system", "content": "Be brief."}, *ASK])
    with pytest.raises(ModelError, match="no Jinja template"):
        with_template(folder, "{% if %}").render(ASK)


def test_an_answer_prefix_stands_after_the_header_of_the_answer(folder: Path) -> None:
    assert with_template(folder, CHATML + PROMPT, answer_prefix="It is").render(ASK).endswith("assistant\nIt is")


def test_the_token_that_ends_a_turn_is_what_the_template_writes_after_an_answer(folder: Path) -> None:
    tokenizer = with_template(folder, CHATML + PROMPT)
    assert tokenizer.turn_end is not None
    assert tokenizer.decode_all([tokenizer.turn_end]) == "<|im_end|>"
    assert with_template(folder, "{% for m in messages %}{{ m.content }} Q:{% endfor %}").turn_end is None
    assert with_template(folder, "{{ messages[0].content }}").turn_end is None


def test_settings_share_the_vocabulary_and_are_one_object_each(folder: Path) -> None:
    plain = with_template(folder, CHATML)
    off = PromptSettings(thinking="off")
    assert plain.with_settings(PromptSettings()) is plain
    assert plain.with_settings(off) is plain.with_settings(off) is not plain
    assert plain.with_settings(off).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    ("template", "thinking", "expected"),
    [
        (QWEN, "auto", True),
        (QWEN, "off", False),
        (GRANITE, "auto", True),
        (CHATML, "auto", False),
        (CHATML, "keep", True),
        (HARMONY, "auto", True),
        (R1, "auto", True),
    ],
)
def test_whether_a_model_may_think_is_told_by_its_template(template: str, thinking: str, expected: bool) -> None:
    assert may_think(template, PromptSettings(thinking=thinking)) is expected  # type: ignore[arg-type]

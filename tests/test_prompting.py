"""Which form a run's prompts have, and how much room a thought gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from mta_eval.core import Cell, Model, PromptSettings
from mta_eval.errors import LengthError, ModelError, SpecError
from mta_eval.prompting import THINKING_TOKENS, Form, build_tasks, has_chat_template, with_room_for_thoughts
from mta_eval.registry import build_model, build_task

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
)
CHATS = ["niah:prompt=chat"]


@pytest.fixture
def thinker(tokenizer_folder: Path, tmp_path: Path) -> Model:
    AutoTokenizer.from_pretrained(tokenizer_folder).save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(CHATML)
    return build_model(f"tokenizer:{tmp_path}")


@pytest.fixture
def talker(tokenizer_folder: Path) -> Model:
    return build_model(f"tokenizer:{tokenizer_folder}")


@pytest.fixture
def plain() -> Model:
    return build_model("window:300")


@pytest.mark.parametrize(
    ("form", "specs"),
    [
        ("task", ["niah", "passkey:prompt=chat"]),
        ("completion", ["niah", "passkey:prompt=chat"]),
        ("chat", ["niah:prompt=chat", "passkey:prompt=chat"]),
    ],
)
def test_the_form_of_a_run_is_that_of_every_task_that_names_none(form: Form, specs: list[str], talker: Model) -> None:
    tasks, note = build_tasks(["niah", "passkey:prompt=chat"], {"m": talker}, form)
    assert (list(tasks), note) == (specs, "")


def test_auto_is_a_chat_where_every_model_has_a_template_and_says_so(talker: Model, plain: Model) -> None:
    assert (has_chat_template(talker), has_chat_template(plain)) == (True, False)
    tasks, note = build_tasks(["niah", "niah:prompt=instruction"], {"m": talker}, "auto")
    assert list(tasks) == ["niah:prompt=chat", "niah:prompt=instruction"]
    assert note == "prompts: chat, since every model has a chat template"
    tasks, note = build_tasks(["niah"], {"m": talker, "w": plain}, "auto")
    assert (list(tasks), note) == (["niah"], "prompts: completion, since w has no chat template")


def test_texts_that_are_read_have_no_form(talker: Model) -> None:
    assert list(build_tasks(["perplexity"], {"m": talker}, "chat")[0]) == ["perplexity"]


def test_a_task_without_a_chat_form_is_refused(talker: Model, plugin: object) -> None:
    plugin("mta_eval.tasks", "variable_chain", "plugin_package.variable_chain:VariableChain")  # type: ignore[operator]
    with pytest.raises(SpecError, match="variable_chain cannot be asked by chat"):
        build_tasks(["variable_chain"], {"m": talker}, "chat")


def test_a_thought_gets_room_where_a_chat_is_asked_of_a_model_that_may_think(thinker: Model, talker: Model) -> None:
    chats, _ = build_tasks(CHATS, {}, "task")
    settings, note = with_room_for_thoughts(PromptSettings(), chats, {"talker": talker, "thinker": thinker}, None)
    assert settings.thinking_tokens == THINKING_TOKENS
    assert "thinker may think" in note
    for other, models, tokens in (
        (PromptSettings(thinking="off"), {"thinker": thinker}, 0),
        (PromptSettings(), {"talker": talker}, 0),
        (PromptSettings(thinking="keep"), {"talker": talker}, THINKING_TOKENS),
    ):
        assert with_room_for_thoughts(other, chats, models, None)[0].thinking_tokens == tokens
    assert with_room_for_thoughts(PromptSettings(), chats, {"thinker": thinker}, 7)[0].thinking_tokens == 7
    mixed, _ = build_tasks(["niah", "passkey:prompt=chat"], {}, "task")
    assert with_room_for_thoughts(PromptSettings(), mixed, {"m": thinker}, None)[0].thinking_tokens == THINKING_TOKENS
    completions, _ = build_tasks(["niah"], {}, "task")
    assert with_room_for_thoughts(PromptSettings(), completions, {"thinker": thinker}, None)[0].thinking_tokens == 0


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        (PromptSettings(system="Be brief."), "--system"),
        (PromptSettings(answer_prefix="It"), "--answer-prefix"),
        (PromptSettings(template_options=(("a", 1),)), "--template-option"),
        (PromptSettings(thinking="off"), "--thinking"),
    ],
)
def test_settings_of_chats_need_a_chat(settings: PromptSettings, option: str, talker: Model) -> None:
    completions, _ = build_tasks(["niah"], {}, "task")
    with pytest.raises(SpecError, match=f"{option} is for chats"):
        with_room_for_thoughts(settings, completions, {"m": talker}, None)
    assert with_room_for_thoughts(settings, build_tasks(CHATS, {}, "task")[0], {"m": talker}, 9)


@pytest.mark.parametrize(
    "spec", ["niah:prompt=chat", "passkey:prompt=chat", "babilong:qa=1,prompt=chat", "letter_blocks"]
)
def test_both_budgets_are_taken_from_the_window(spec: str, talker: Model) -> None:
    settings = PromptSettings(thinking_tokens=100, answer_tokens=33)
    tokenizer = talker.tokenizer.with_settings(settings)
    sample = build_task(spec).sample(Cell(1024, 0.5, 0), 0, tokenizer)
    assert sample.settings == settings
    assert sample.budget == sample.max_new_tokens + 100
    assert 1024 - 8 <= sample.prompt_tokens + sample.budget <= 1024
    assert sample.max_new_tokens >= 33
    if spec != "letter_blocks":  # whose answers have all that is left
        assert sample.max_new_tokens == 33
    bare = build_task(spec).sample(Cell(0, 0.5, 0), 0, tokenizer)
    assert bare.length == bare.prompt_tokens + bare.budget


def test_a_thought_that_leaves_no_room_is_told_with_its_option(talker: Model) -> None:
    tokenizer = talker.tokenizer.with_settings(PromptSettings(thinking_tokens=500))
    with pytest.raises(LengthError, match=r"500 of them for a thought \(--thinking-tokens\)"):
        build_task("niah:prompt=chat").sample(Cell(512, 0.5, 0), 0, tokenizer)


def test_a_system_prompt_is_a_message_of_the_sample(talker: Model) -> None:
    tokenizer = talker.tokenizer.with_settings(PromptSettings(system="Be brief.", answer_prefix="It is"))
    sample = build_task("niah:prompt=chat").sample(Cell(512, 0.5, 0), 0, tokenizer)
    assert sample.chat is not None
    assert sample.chat[0] == {"role": "system", "content": "Be brief."}
    assert tokenizer.render(sample.chat) == sample.prompt
    assert sample.prompt.endswith("It is")


def test_budgets_are_no_negative_numbers_and_dates_are_dates() -> None:
    for wrong in ({"answer_tokens": -1}, {"thinking_tokens": -1}, {"date": "yesterday"}):
        with pytest.raises(SpecError):
            PromptSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no chat template"):
        build_model("window:300").tokenizer.render([])


def test_a_template_that_opens_a_thought_wants_room_for_it(thinker: Model, tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(
        CHATML + "{% if not enable_thinking is defined %}<think>\n{% endif %}"
    )
    chats, _ = build_tasks(CHATS, {}, "task")
    with pytest.raises(SpecError, match="opens a thought; give it --thinking-tokens, or --thinking off"):
        with_room_for_thoughts(PromptSettings(), chats, {"thinker": thinker}, 0)
    assert with_room_for_thoughts(PromptSettings(thinking="off"), chats, {"thinker": thinker}, 0)
    assert with_room_for_thoughts(PromptSettings(), build_tasks(["niah"], {}, "task")[0], {"thinker": thinker}, 0)

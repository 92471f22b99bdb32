"""What chats are sent to a server as, under which settings, and which thoughts come back from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from thinking_folders import CHANNELS, CLOCK, OPENS, SWITCH, THINKS, ask, chat_sample, folder_with, serving

from mta_eval.core import PromptSettings
from mta_eval.errors import ModelError
from mta_eval.models.http_failures import ServerError
from mta_eval.models.named_tokenizer import NamedTokenizer
from mta_eval.models.server import Server
from mta_eval.models.server_facts import ServerFacts
from mta_eval.models.server_prompts import is_sent_as_messages
from mta_eval.models.tokenizer import load_tokenizer

SPECIAL = ("[THINK]", "[/THINK]")
MISTRAL = SWITCH.replace("<think>", SPECIAL[0]).replace("</think>", SPECIAL[1])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("folders")
    special = {"mistral": SPECIAL}
    templates = {"switch": SWITCH, "opens": OPENS, "clock": CLOCK, "channels": CHANNELS, "mistral": MISTRAL}
    return {
        name: folder_with(template, tokenizer_folder, base / name, special.get(name, ()))
        for name, template in templates.items()
    }


# --- thoughts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parses", ["", "reasoning_content", "reasoning"])
@pytest.mark.parametrize("api", ["auto", "completion"])
def test_a_thought_is_kept_and_not_scored(folders: dict[str, Path], parses: str, api: str) -> None:
    sample = replace(chat_sample(load_tokenizer(str(folders["switch"])), THINKS), max_new_tokens=20)
    with serving(folders["switch"], "<think>The key. It is 17.</think> 4711", parses=parses) as server:
        given = ask(server, folders["switch"], sample, api=api)
        assert (given.text, given.thought, given.finish) == (" 4711", "The key. It is 17.", "stop")
        assert not given.unverified
        (body,) = server.posts()
        assert body["max_tokens"] == 60  # of both
        assert "stop" not in body  # a full stop would end the thought


@pytest.mark.parametrize("parses", ["", "reasoning_content"])
def test_a_thought_that_does_not_end_is_no_answer(folders: dict[str, Path], parses: str) -> None:
    sample = chat_sample(load_tokenizer(str(folders["switch"])), PromptSettings(thinking_tokens=3))
    with serving(folders["switch"], "<think>" + "I wonder. " * 99, parses=parses) as server:
        given = ask(server, folders["switch"], sample)
    assert (given.text, given.finish) == ("", "length")
    assert given.thought.startswith("I wonder. I")


def test_a_thought_that_the_template_opened_ends_where_it_is_closed(folders: dict[str, Path]) -> None:
    sample = chat_sample(load_tokenizer(str(folders["opens"])), THINKS)
    for says, expected in (("Hm.</think> 4711", (" 4711", "Hm.", "stop")), ("Hm. 4711", ("", "Hm. 4711", "length"))):
        with serving(folders["opens"], says) as server:
            given = ask(server, folders["opens"], sample)
            assert (given.text, given.thought, given.finish) == expected
        with serving(folders["switch"], says) as server:  # the server says nothing of it, but counted its tokens
            server.fault = '{"usage": {"completion_tokens_details": {"reasoning_tokens": 9}}}'
            hidden = ask(server, folders["opens"], sample)
            assert (hidden.text, hidden.unverified) == (expected[0] or says, True)


def test_a_hidden_thought_may_end_before_its_last_token(folders: dict[str, Path]) -> None:
    sample = chat_sample(load_tokenizer(str(folders["switch"])), THINKS)
    with serving(folders["switch"], "") as server:
        reply = (
            '{"choices": [{"message": {"content": ""}, "finish_reason": "length"}], "usage": {"completion_tokens": 9'
        )
        server.fault = reply + "}}"
        with pytest.raises(ServerError, match="window ended after 9 of"):
            ask(server, folders["switch"], sample)
        server.fault = reply + ', "completion_tokens_details": {"reasoning_tokens": 9}}}'
        given = ask(server, folders["switch"], sample)
    assert (given.text, given.finish) == ("", "length")


def test_an_answer_has_its_own_budget_alone(folders: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(folders["switch"]))
    sample = replace(chat_sample(tokenizer, THINKS), max_new_tokens=6, stop=(".",))
    answer = " one two three four five six seven eight nine."
    six = answer[: tokenizer.encode(answer).spans[5][1]]
    for thought in ("", "<think>Hm.</think>"):
        with serving(folders["switch"], thought + answer) as server:
            given = ask(server, folders["switch"], sample)
            assert (given.text, given.finish) == (six, "length"), thought
        with serving(folders["switch"], thought + " 4. More of it, and more, and more, and more") as server:
            given = ask(server, folders["switch"], sample)
            assert (given.text, given.finish) == (" 4", "stop"), thought


def test_marks_that_are_special_tokens_are_asked_for(folders: dict[str, Path]) -> None:
    sample = chat_sample(load_tokenizer(str(folders["mistral"])), THINKS)
    with serving(folders["mistral"], "[THINK]Hm.[/THINK] 47<s>11") as server:
        given = ask(server, folders["mistral"], sample)
        assert (given.text, given.thought) == (" 4711", "Hm.")
        assert server.posts()[0]["skip_special_tokens"] is False
    off = chat_sample(load_tokenizer(str(folders["mistral"])), PromptSettings(thinking="off"))
    for kind, asked in (("vllm", off), ("llamacpp", sample)):
        with serving(folders["mistral"], " 4711", kind=kind) as server:
            ask(server, folders["mistral"], asked)
            assert "skip_special_tokens" not in server.posts()[0]
    plain = chat_sample(load_tokenizer(str(folders["switch"])), THINKS)
    with serving(folders["switch"], " 4711") as server:
        ask(server, folders["switch"], plain)
        assert "skip_special_tokens" not in server.posts()[0]


def test_channels_without_their_special_tokens_are_told_apart(folders: dict[str, Path]) -> None:
    sample = chat_sample(load_tokenizer(str(folders["channels"])), THINKS)
    for says, expected in (
        ("analysisLet me look.assistantfinal 4711", (" 4711", "Let me look.", "stop")),
        ("analysisLet me look", ("", "Let me look", "length")),
        ("The analysis is 4711", ("The analysis is 4711", "", "stop")),
    ):
        with serving(folders["channels"], says) as server:
            given = ask(server, folders["channels"], sample)
            assert (given.text, given.thought, given.finish) == expected
    with serving(folders["switch"], "analysis 4711") as server:  # a model that has no channels
        assert ask(server, folders["switch"], chat_sample(load_tokenizer(str(folders["switch"])))).text


# --- settings ---------------------------------------------------------------------------------------------------------


def test_the_settings_of_a_chat_are_sent_along(folders: dict[str, Path]) -> None:
    settings = PromptSettings(system="Be brief.", answer_prefix="The key is", thinking="off")
    tokenizer = load_tokenizer(str(folders["switch"]))
    sample = chat_sample(tokenizer, replace(settings, answer_prefix=""))
    with serving(folders["switch"], " 4711") as server:
        assert not ask(server, folders["switch"], sample).unverified
        (body,) = server.posts()
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert not {"continue_final_message", "add_generation_prompt"} & body.keys()
    begun = chat_sample(tokenizer, replace(settings, thinking="auto"))
    with serving(folders["switch"], " 4711") as server:
        given = ask(server, folders["switch"], begun)
        assert (given.text, given.unverified) == (" 4711", False)
        (body,) = server.posts()
        assert body["messages"][-1] == {"role": "assistant", "content": "The key is"}
        assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
        assert "chat_template_kwargs" not in body
        assert server.asked[-1].path == "/v1/chat/completions"


RENDERED: dict[str, tuple[str, PromptSettings, dict[str, Any], str]] = {
    "options at a server that takes none": (
        *("switch", PromptSettings(thinking="off"), {"kind": "library"}),
        r"a server of 'library' takes no options of chat templates \(enable_thinking\)",
    ),
    "a prefix at llama.cpp": (
        *("switch", PromptSettings(answer_prefix="It is"), {"kind": "llamacpp"}),
        "a server of 'llamacpp' continues no answer that was begun",
    ),
    "a prefix after what the template writes": (
        *("switch", PromptSettings(answer_prefix="It is", thinking="off"), {"kind": "vllm"}),
        "the server would render the beginning of the answer otherwise",
    ),
    "a clock": ("clock", PromptSettings(), {"kind": "vllm"}, "asks for the day, and the server would tell it today's"),
}


@pytest.mark.parametrize(("name", "settings", "options", "why"), RENDERED.values(), ids=RENDERED)
def test_what_a_server_would_render_otherwise_is_sent_as_rendered_here(
    folders: dict[str, Path], name: str, settings: PromptSettings, options: dict[str, Any], why: str
) -> None:
    tokenizer = load_tokenizer(str(folders[name]))
    sample = chat_sample(tokenizer, settings)
    with serving(folders[name], " 4711", **options) as server:
        assert ask(server, folders[name], sample).text == " 4711"
        assert server.posts()[0]["prompt"] == tokenizer.prompt_ids(sample.prompt, plain=False)
        with pytest.raises(ModelError, match=f"api=chat cannot send passkey.*: .*{why}.*; use api=auto"):
            ask(server, folders[name], sample, api="chat")


def test_a_server_of_unknown_software_gets_what_was_asked_for(folders: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(folders["switch"]))
    sample = chat_sample(tokenizer, PromptSettings(thinking="off"))
    with serving(folders["switch"], " 4711", kind="") as server:
        ask(server, folders["switch"], sample)
        assert server.asked[-1].path == "/v1/completions"
        ask(server, folders["switch"], sample, api="chat")
        assert server.posts()[-1]["chat_template_kwargs"] == {"enable_thinking": False}
        server.tokenizer = load_tokenizer(str(folders["opens"]))  # it ignores them: the count tells
        with pytest.raises(ServerError, match=r"prompt tokens, not .*; count=trust accepts it, marked unverified"):
            ask(server, folders["switch"], sample, api="chat")


@pytest.mark.parametrize("api", ["auto", "chat"])
def test_openai_takes_no_settings_of_templates(folders: dict[str, Path], api: str) -> None:
    tokenizer = load_tokenizer(str(folders["switch"]))
    facts = ServerFacts("https://api.openai.com/v1", "gpt-5", kind="system")
    assert is_sent_as_messages(chat_sample(tokenizer), tokenizer, facts, api)
    with pytest.raises(ModelError, match=r"cannot be asked there: .* takes no options of chat templates"):
        is_sent_as_messages(chat_sample(tokenizer, PromptSettings(thinking="off")), tokenizer, facts, api)


def test_an_option_that_the_template_does_not_read_is_refused(folders: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(str(folders["switch"]))
    sample = replace(chat_sample(tokenizer), settings=PromptSettings(template_options=(("budget", 3),)))
    model = Server("http://127.0.0.1:1", "m", NamedTokenizer(str(folders["switch"])), max_length_override=999)
    object.__setattr__(model, "_facts", ServerFacts("http://127.0.0.1:1", "m"))
    with pytest.raises(ModelError, match="reads no option 'budget'"):
        list(model.generate([sample]))

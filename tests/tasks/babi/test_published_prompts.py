"""The published prompts of BABILong, held to digests of what the published code makes of them."""

import hashlib

import pytest

from mta_eval.tasks.babi.published_prompts import PUBLISHED_PROMPTS, most_facts

# of get_formatted_input("A text.", "Where?", …) of booydar/babilong with all parts, without the instruction, without
# the examples, without the post-prompt, and without all three
DIGESTS = {
    1: "e63a7852b7ace2e4 bc44c3bf1be79b91 c172cf0ae7e91dea a1c4d96cd63035d7 1d5f3d4365c5d89a",
    2: "f0b5fa7ba913edb8 9681ce9cdaecb8a6 bbc9edffa4f3dcf4 ef8bd168036ac8f2 1d5f3d4365c5d89a",
    3: "a5edd37777c2678a c8d2898773ee13cf eabe4396160dd55a a1f9145d20552753 1d5f3d4365c5d89a",
    4: "012bb6c581429202 f061fa3c795b1e85 7b8ca3b083ea6838 c6bda3502a465636 1d5f3d4365c5d89a",
    5: "981e4001c06fb67f 1f02eaa9e6ab3413 19237f1cd4c3705d ba10689a4df27246 1d5f3d4365c5d89a",
    6: "84af1c2d2e48006d 1df716338d57ddfb fecdb1e848f942c2 dada5b1b78ffa360 1d5f3d4365c5d89a",
    7: "f1b50695b3a7b3d9 834b82f60a577b0c f5393c8e9336f767 5443f9e67341e9d6 1d5f3d4365c5d89a",
    8: "796a3004ed940c5d 0488cf42a57bcd6a d0bdae4de45cb7dd 7684958eebd62512 1d5f3d4365c5d89a",
    9: "c68496c5624030a1 c043323f3b0cbf22 c9964b2bc3158f8a 5d52462ff8a4eb8b 1d5f3d4365c5d89a",
    10: "abe60b9226fee00d 20b256ff362e3274 0d25da0792530fec 161b53bc46870346 1d5f3d4365c5d89a",
}
SWITCHES = (
    {},
    {"use_instruction": False},
    {"use_examples": False},
    {"use_post_prompt": False},
    {"use_instruction": False, "use_examples": False, "use_post_prompt": False},
)


@pytest.mark.parametrize("qa", range(1, 11))
def test_prompts_are_those_of_the_published_code_to_the_byte(qa: int) -> None:
    for switches, digest in zip(SWITCHES, DIGESTS[qa].split(), strict=True):
        before, after = PUBLISHED_PROMPTS[qa].words("Where?", **switches)
        assert hashlib.sha256(f"{before}A text.{after}".encode()).hexdigest()[:16] == digest, switches


def test_white_space_behind_a_question_is_left_out_as_published() -> None:
    assert PUBLISHED_PROMPTS[1].words("Where is Mary? ")[1] == "\n</context>\n\nQuestion: Where is Mary?"


@pytest.mark.parametrize(("length", "most"), [(0, None), (512, 24), (1024, 86), (2048, 211), (4096, 461), (100, 1)])
def test_the_limit_on_facts_is_that_of_the_published_generator(length: int, most: int | None) -> None:
    """(1000 tokens to the k - 300) // 8 rows, of which the question is one."""
    assert most_facts(length) == most

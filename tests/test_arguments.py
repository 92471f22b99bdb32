import pytest

from mta_eval.arguments import parse_depths, parse_length, parse_lengths, parse_options
from mta_eval.errors import SpecError


@pytest.mark.parametrize(
    ("text", "tokens"), [("512", 512), ("2k", 2048), ("128K", 131072), ("1m", 1048576), ("0k", 0), (" 4k ", 4096)]
)
def test_lengths_are_tokens_with_binary_units(text: str, tokens: int) -> None:
    assert parse_length(text) == tokens


@pytest.mark.parametrize("text", ["", "k", "-1", "1.5k", "2kb", "2 k", "1e3", "²"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="is no length"):
        parse_length(text)


def test_no_lengths_leave_them_to_the_task() -> None:
    assert parse_lengths("") == ()
    assert parse_lengths("512,1k") == (512, 1024)


def test_depths_are_shares_or_any() -> None:
    assert parse_depths("0,0.25,1") == (0.0, 0.25, 1.0)
    assert parse_depths("any") == (None,)


@pytest.mark.parametrize("text", ["1.5", "-0.1", "nan", "inf", "deep", "", "0,,1", "0.5,0.50"])
def test_what_is_no_depth_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        parse_depths(text)


def test_options_in_digits_of_other_scripts_stay_texts() -> None:
    assert parse_options(["a=3", "b=2,6", "c=٣", "d=1_0"]) == {"a": 3, "b": [2, 6], "c": "٣", "d": "1_0"}

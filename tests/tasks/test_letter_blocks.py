import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mta_eval.core import Cell, PromptSettings, Sample
from mta_eval.errors import LengthError, SpecError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_task
from mta_eval.tasks.letter_blocks import EXAMPLE_BLOCKS, LetterBlocks

DEPTHS = (0.0, 0.3, 0.5, 1.0)


def read_question(sample: Sample) -> tuple[list[str], str]:
    """(blocks, query letters) of the last question in a prompt, by regular expressions alone."""
    if "#" in sample.prompt:
        blocks, query = re.fullmatch(r"([a-z.]+)#([a-z]+)", sample.prompt).groups()  # type: ignore[union-attr]
    else:
        blocks, letters = re.findall(r"Blocks: ([a-z.]+)\nQuery: ([a-z ]+)\nAnswer:", sample.prompt)[-1]
        query = letters.replace(" ", "")
    return blocks.split("."), query


@pytest.mark.parametrize("options", ["block=5", "block=8", "block=3,query=1", "block=12,query=4", "prompt=characters"])
@pytest.mark.parametrize("length", [256, 257, 300, 1000])
def test_every_sample_fits_exactly_and_can_be_answered(options: str, length: int, tokenizer: FastTokenizer) -> None:
    task = build_task(f"letter_blocks:{options}")
    smallest = 700 if options != "prompt=characters" and length < 700 and not tokenizer.can_spell("a b") else length
    for depth in DEPTHS:
        for repeat in range(2):
            try:
                sample = task.sample(Cell(max(length, smallest), depth, repeat), 0, tokenizer)
            except LengthError:
                assert length <= 300  # worked examples in character-like vocabularies
                continue
            encoding = tokenizer._backend.encode(sample.prompt, add_special_tokens=True)
            assert sample.prompt_tokens == len(encoding.ids)
            assert sample.length - 4 <= len(encoding.ids) + sample.max_new_tokens <= sample.length
            blocks, query = read_question(sample)
            assert {len(block) for block in blocks} == {task.block}  # type: ignore[attr-defined]
            assert all(len(set(block)) == len(block) for block in blocks)
            holding = [block for block in blocks if set(query) <= set(block)]
            assert [holding[0]] == holding == list(sample.targets)


def test_the_block_asked_for_stands_at_its_depth(byte_bpe: FastTokenizer) -> None:
    task = build_task("letter_blocks")
    for depth in DEPTHS:
        sample = task.sample(Cell(1000, depth, 0), 0, byte_bpe)
        (asked,) = [needle for needle in sample.needles if needle.asked]
        assert abs(asked.depth - depth) < 4 / 1000  # half a block of at most 8 tokens
        spans = byte_bpe.encode(sample.prompt).spans
        for needle in sample.needles:
            start, end = (place - byte_bpe.specials[0] for place in (needle.token_start, needle.token_end))
            assert needle.text in sample.prompt[spans[start][0] : spans[end - 1][1]]
        assert [needle.text for needle in sample.needles] == read_question(sample)[0]


@pytest.mark.parametrize(("target", "index"), [("first", 0), ("last", -1)])
def test_first_and_last_ask_for_one_letter_of_the_same_block(target: str, index: int, byte_bpe: FastTokenizer) -> None:
    whole = build_task("letter_blocks").sample(Cell(512, 0.5, 3), 0, byte_bpe)
    letter = build_task(f"letter_blocks:target={target}").sample(Cell(512, 0.5, 3), 0, byte_bpe)
    assert letter.targets == (whole.targets[0][index],)


def test_the_papers_sample_has_319_characters_of_whole_blocks(characters: FastTokenizer) -> None:
    for block, count in ((5, 52), (8, 34)):
        task = LetterBlocks(block=block, characters=319, prompt="characters")
        sample = task.sample(Cell(0, 0.5, 0), 0, characters)
        blocks, _ = read_question(sample)
        assert len(blocks) == count
        assert len(sample.prompt + sample.targets[0]) == (319 if block == 5 else 316)  # none is cut for N=8


def test_a_fixed_number_of_blocks_is_kept(byte_bpe: FastTokenizer) -> None:
    sample = build_task("letter_blocks:blocks=50").sample(Cell(0, 0.0, 0), 0, byte_bpe)
    blocks, _ = read_question(sample)
    assert len(blocks) == 50
    assert blocks[0] == sample.targets[0]
    with pytest.raises(SpecError, match="--lengths 0"):
        build_task("letter_blocks:blocks=50").sample(Cell(512, 0.0, 0), 0, byte_bpe)


@pytest.mark.parametrize(("form", "lead"), [("", " "), (",prompt=characters", "")])
def test_a_sample_of_a_fixed_size_is_as_long_as_it_is(form: str, lead: str, byte_bpe: FastTokenizer) -> None:
    for depth, position in ((0.0, 1), (0.5, 6), (1.0, 11)):
        sample = build_task(f"letter_blocks:blocks=11{form}").sample(Cell(0, depth, 2), 4, byte_bpe)
        assert sample.prompt_tokens == len(byte_bpe._backend.encode(sample.prompt).ids)
        assert sample.max_new_tokens == len(byte_bpe.encode(lead + sample.targets[0]).ids) + 1
        assert sample.length == sample.prompt_tokens + sample.max_new_tokens
        assert (sample.target_delimiter, sample.stop, sample.chat) == (lead, ("\n", "."), None)
        own = {"length": 0, "depth": depth, "repeat": 2, "blocks": 11, "position": position}
        assert (sample.axes, len(sample.choices), len(sample.needles)) == (own, 8, 11)
        assert sample.id == f"letter_blocks:{'prompt=characters,' * bool(form)}blocks=11/0/{depth:.2f}/2"


def test_without_a_size_length_0_has_as_few_blocks_as_an_example(byte_bpe: FastTokenizer) -> None:
    task = row_task("block=5")
    assert (task.default_lengths, row_task("blocks=9").default_lengths) == ((256, 512), (0,))
    assert row_task("characters=99").default_lengths == (0,)
    sample = task.sample(Cell(0, 0.5, 0), 0, byte_bpe)
    assert sample.prompt.count("Blocks: ") == sample.prompt.count("Query: ") == 3
    assert {blocks.count(".") for blocks in re.findall(r"Blocks: (.*)", sample.prompt)} == {EXAMPLE_BLOCKS - 1}


def test_a_chat_is_the_models_own_template_with_both_budgets(tokenizer_folder: Path) -> None:
    for settings in (PromptSettings(), PromptSettings(thinking_tokens=40, answer_tokens=17)):
        tokenizer = load_tokenizer(str(tokenizer_folder)).with_settings(settings)
        for length in (0, 700):
            sample = build_task("letter_blocks:prompt=chat").sample(Cell(length, 1.0, 0), 0, tokenizer)
            assert sample.prompt == tokenizer.render(sample.chat or ())
            offsets = tokenizer._backend.encode(sample.prompt, add_special_tokens=False).offsets
            assert sample.prompt_tokens == len(offsets)
            (asked,) = [needle for needle in sample.needles if needle.asked]
            assert asked.text in sample.prompt[offsets[asked.token_start][0] : offsets[asked.token_end - 1][1]]
            assert (sample.settings, sample.target_delimiter) == (settings, "")
            assert sample.length == (length or sample.prompt_tokens + sample.budget)
            least = settings.answer_tokens or len(tokenizer.encode(asked.text).ids) + 1
            assert sample.prompt_tokens + sample.budget == sample.length
            assert least <= sample.max_new_tokens <= (least + 8 if length else least)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ("block=5", "Blocks of 5 letters .* all of the 2 query letters. Answer with that block"),
        ("block=3,query=1,target=first", "Blocks of 3 letters .* the 1 query letters. Answer with its first letter"),
        ("block=8,query=4,target=last", "Blocks of 8 letters .* the 4 query letters. Answer with its last letter"),
    ],
)
def test_worked_examples_are_right_and_the_same_for_all_samples(
    options: str, asked: str, byte_bpe: FastTokenizer
) -> None:
    task = row_task(f"{options},blocks=6,prompt=instruction")
    prompts = [task.sample(Cell(0, 0.5, repeat), 0, byte_bpe).prompt for repeat in (0, 1)]
    assert re.match(asked, prompts[0])
    first, second = ([part for part in prompt.split("\n\n") if part.startswith("Blocks: ")][:-1] for prompt in prompts)
    assert first == second
    assert len(set(first)) == 2
    for example in first:
        found = re.fullmatch(r"Blocks: (\S+)\nQuery: ([a-z ]+)\nAnswer: ([a-z]+)", example)
        assert found
        (holding,) = [block for block in found[1].split(".") if set(found[2].split()) <= set(block)]
        assert len(found[1].split(".")) == EXAMPLE_BLOCKS
        assert found[3] == {"all": holding, "first": holding[0], "last": holding[-1]}[task.target]


def test_the_key_of_a_needle_is_the_query_letters_that_it_has(byte_bpe: FastTokenizer) -> None:
    sample = build_task("letter_blocks:target=last,blocks=30").sample(Cell(0, 0.5, 0), 0, byte_bpe)
    _, query = read_question(sample)
    for needle in sample.needles:
        assert needle.key == "".join(letter for letter in query if letter in needle.text)
        assert (needle.value, needle.asked) == (needle.text[-1], needle.key == query)
    depths = [needle.depth for needle in sample.needles]
    assert (depths[0], depths[-1]) == (0.0, 1.0)
    assert depths == sorted(depths)


def test_a_vocabulary_of_letters_is_asked_in_letters() -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    letters = Tokenizer(
        models.WordLevel({sign: index for index, sign in enumerate("abcdefghijklmnopqrstuvwxyz.#_")}, "_")
    )
    letters.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    letters.decoder = decoders.Fuse()
    tokenizer = FastTokenizer(letters, "letters")
    sample = build_task("letter_blocks").sample(Cell(200, 0.5, 0), 0, tokenizer)
    assert re.fullmatch(r"[a-z.]+#[a-z]{2}", sample.prompt)
    assert sample.target_delimiter == ""
    assert (sample.prompt_tokens, sample.prompt_tokens + sample.max_new_tokens) == (len(sample.prompt), 200)


def test_the_named_smallest_length_is_the_smallest(tokenizer: FastTokenizer) -> None:
    task = build_task("letter_blocks:prompt=characters")
    with pytest.raises(LengthError) as error:
        task.sample(Cell(3, 0.5, 0), 0, tokenizer)
    smallest = int(re.findall(r"needs (\d+) tokens", str(error.value))[0])
    assert task.sample(Cell(smallest, 0.5, 0), 0, tokenizer).length == smallest
    with pytest.raises(LengthError):
        task.sample(Cell(smallest - 1, 0.5, 0), 0, tokenizer)


def test_choices_hold_the_answer_and_no_double(byte_bpe: FastTokenizer) -> None:
    for target in ("all", "first"):
        sample = build_task(f"letter_blocks:target={target}").sample(Cell(512, 0.5, 0), 0, byte_bpe)
        assert sample.targets[0] in sample.choices
        assert len(set(sample.choices)) == len(sample.choices) == 8


def test_only_the_exact_block_is_right(byte_bpe: FastTokenizer) -> None:
    task = build_task("letter_blocks")
    sample = replace(task.sample(Cell(256, 0.5, 0), 0, byte_bpe), targets=("abcde",))
    assert task.score(sample, " abcde\n") == 1
    assert task.score(sample, " abcdef") == 0
    assert task.score(sample, " the block abcde") == 0


@pytest.mark.parametrize(
    "options", ["block=0", "block=26", "query=6", "query=0", "blocks=3,characters=99", "characters=5"]
)
def test_sizes_that_make_no_task_are_refused(options: str) -> None:
    with pytest.raises(SpecError):
        build_task(f"letter_blocks:{options}")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("block=26", "block must be 1 to 25, not 26"),
        ("query=6", "query must be 1 to block=5, not 6"),
        ("blocks=-1", "give blocks or characters, one of them, from 0 to 4000000"),
        ("blocks=4000001", "from 0 to 4000000"),
        ("characters=-1", "from 0 to 4000000"),
        ("characters=4000001", "from 0 to 4000000"),
        ("characters=12", "characters=12 holds no block of 5 and its question"),
    ],
)
def test_a_size_that_is_refused_is_told_with_what_is_allowed(options: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        build_task(f"letter_blocks:{options}")


@pytest.mark.parametrize("options", ["block=1,query=1", "block=25", "query=5", "blocks=4000000", "characters=13"])
def test_the_smallest_and_largest_sizes_are_allowed(options: str) -> None:
    build_task(f"letter_blocks:{options}")


ROWS = {
    "block=5,characters=319": 319,  # the paper's
    "block=8,characters=319": 316,
    "block=5,characters=319,target=first": 315,
    "block=8,characters=319,target=last": 318,
    "blocks=10": 67,
    "block=3,query=3,blocks=7,target=last": 32,
}


@pytest.mark.parametrize("options", ROWS)
def test_every_row_to_train_on_can_be_answered_and_has_its_size(options: str) -> None:
    task = row_task(options)
    for index in range(150):
        prompt, answer = task.row("training", 42, index)
        blocks, query = re.fullmatch(r"([a-z.]+)#([a-z]+)", prompt).groups()  # type: ignore[union-attr]
        parts = blocks.split(".")
        assert {len(block) for block in parts} == {task.block}
        assert all(len(set(block)) == task.block for block in parts)
        assert len(set(query)) == len(query) == task.query
        (holding,) = [block for block in parts if set(query) <= set(block)]
        assert answer == {"all": holding, "first": holding[0], "last": holding[-1]}[task.target]
        assert len(prompt + answer) == ROWS[options]


def test_a_row_is_the_same_whenever_it_is_asked_for() -> None:
    backwards = [row_task("blocks=10").row("training", 42, index) for index in reversed(range(50))]
    task = row_task("blocks=10")
    assert [task.row("training", 42, index) for index in range(50)] == backwards[::-1]
    first = "xiznm.klnit.ifuvd.axtus.kujwe.dcate.crsvk.vuptl.zlntj.oxgtk#rk"  # trained models hang on it
    assert task.row("training", 42, 0) == (first, "crsvk")


def test_streams_share_no_question_with_each_other_or_with_the_samples(characters: FastTokenizer) -> None:
    task = row_task("blocks=10,prompt=characters")
    seen: dict[str, set[object]] = {}
    for seed in (0, 42):
        for stream in ("training", "validation", "test"):
            prompts = [task.row(stream, seed, index)[0] for index in range(1500)]
            seen[f"{stream} {seed}"] = {question(prompt) for prompt in prompts}
        cells = [Cell(0, 0.5, repeat) for repeat in range(1000)]
        seen[f"samples {seed}"] = {question(task.sample(cell, seed, characters).prompt) for cell in cells}
    assert [len(found) for found in seen.values()] == [1500, 1500, 1500, 1000] * 2
    assert len(set.union(*seen.values())) == sum(map(len, seen.values()))


def test_the_block_asked_for_stands_anywhere_and_is_asked_by_any_of_its_letters() -> None:
    task, places, letters = row_task("blocks=10"), Counter[int](), Counter[int]()
    for index in range(2000):
        prompt, answer = task.row("training", 0, index)
        blocks, query = prompt.split("#")
        places[blocks.split(".").index(answer)] += 1
        letters.update(answer.index(letter) for letter in query)
    assert sorted(places) == list(range(10))
    assert all(abs(count - 200) < 70 for count in places.values()), places
    assert sorted(letters) == list(range(5))
    assert all(abs(count - 800) < 130 for count in letters.values()), letters


def test_the_target_changes_the_answer_and_not_the_prompt() -> None:
    rows = [row_task(f"blocks=10,target={target}").row("test", 0, 7) for target in ("all", "first", "last")]
    (prompt,) = {prompt for prompt, _ in rows}
    whole, first, last = (answer for _, answer in rows)
    assert (first, last) == (whole[0], whole[-1])
    assert whole in prompt


def test_rows_without_a_size_are_refused() -> None:
    with pytest.raises(SpecError, match="give blocks or characters"):
        row_task("block=5").row("training", 0, 0)


def row_task(options: str) -> LetterBlocks:
    task = build_task(f"letter_blocks:{options}")
    assert isinstance(task, LetterBlocks)
    return task


def question(prompt: str) -> tuple[frozenset[str], str]:
    """What is asked, however its blocks stand."""
    blocks, query = prompt.split("#")
    return frozenset(blocks.split(".")), query


def test_the_place_of_the_target_is_an_axis_from_one(characters: FastTokenizer) -> None:
    task = build_task("letter_blocks:blocks=10,prompt=characters")
    for depth, place in ((0.0, 1), (1.0, 10)):
        sample = task.sample(Cell(0, depth, 0), 0, characters)
        assert sample.axes["position"] == place
        assert sample.prompt.split("#")[0].split(".")[place - 1] == sample.targets[0]

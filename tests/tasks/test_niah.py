from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mta_eval.core import Cell, Sample
from mta_eval.errors import LengthError, ModelError, SpecError
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer
from mta_eval.registry import build_task
from mta_eval.scoring.numbers import whole_numbers
from mta_eval.tasks.niah import Niah
from mta_eval.tasks.prompts import prose
from mta_eval.tasks.prompts.pools import CITIES, WORDS

Audit = Callable[[Sample, FastTokenizer], None]
SPECS = [
    "niah",
    "niah:needles=4",
    "niah:needles=20",
    "niah:needles=8,asked=3,prompt=instruction",
    "niah:needles=9,asked=2,values=3",
    "niah:needles=5,kind=uuid,asked=2,prompt=instruction",
    "niah:needles=3,kind=word",
    "niah:needles=2,digits=3,haystack=noise",
]


def smallest(spec: str, tokenizer: FastTokenizer, length: int = 1, repeat: int = 0) -> int:
    with pytest.raises(LengthError) as error:
        build_task(spec).sample(Cell(length, 0.5, repeat), 0, tokenizer)
    return int(re.findall(r"\d+", str(error.value))[-1])


@pytest.mark.parametrize("spec", SPECS)
def test_every_sample_fills_its_length_and_knows_its_needles(spec: str, tokenizer: FastTokenizer, audit: Audit) -> None:
    task = build_task(spec)
    floor = smallest(spec, tokenizer) + 40  # other lengths draw other keys, which may be longer
    for length, depth in [*((floor + more, more % 5 / 4) for more in range(0, 41, 3)), (2048, 0.3), (4096, None)]:
        audit(task.sample(Cell(length, depth, 0), 0, tokenizer), tokenizer)


@pytest.mark.parametrize("spec", ["niah", "niah:needles=4", "niah:needles=5,kind=uuid,asked=2"])
def test_the_smallest_length_that_an_error_names_is_truly_the_smallest(
    spec: str, tokenizer: FastTokenizer, audit: Audit
) -> None:
    task = build_task(spec)
    for repeat in range(4):
        least = smallest(spec, tokenizer, repeat=repeat)
        audit(task.sample(Cell(least, 0.5, repeat), 0, tokenizer), tokenizer)
        assert smallest(spec, tokenizer, least - 1, repeat) == least


@pytest.mark.parametrize("spec", ["niah:needles=3", "niah:needles=4,asked=2,prompt=instruction"])
def test_every_single_length_above_the_smallest_is_met(spec: str, local_tokenizer: FastTokenizer, audit: Audit) -> None:
    task = build_task(spec)
    made = 0
    for more in range(45):
        try:
            sample = task.sample(Cell(smallest(spec, local_tokenizer) + more, more % 3 / 2, 0), 0, local_tokenizer)
        except LengthError as error:
            assert "this sample needs" in str(error), error  # noqa: PT017
            continue
        audit(sample, local_tokenizer)
        made += 1
    assert made > 20


@pytest.mark.parametrize("spec", SPECS)
def test_keys_and_values_stand_where_they_should_and_nowhere_else(spec: str, byte_bpe: FastTokenizer) -> None:
    task = build_task(spec)
    for repeat in range(5):
        sample = task.sample(Cell(2500, 0.4, repeat), 0, byte_bpe)
        values = [needle.value for needle in sample.needles]
        assert len(set(values)) == len(values)
        assert sorted(sample.targets) == sorted(needle.value for needle in sample.needles if needle.asked)
        prompt = sample.prompt.lower()
        for needle in sample.needles:
            assert prompt.count(needle.value.lower()) == 1
            holders = sum(other.key == needle.key for other in sample.needles)
            assert prompt.count(needle.key.lower()) == holders + needle.asked
            assert needle.text == f"The magic {noun(spec)} of {needle.key} is {needle.value}."


def noun(spec: str) -> str:
    return "code" if "uuid" in spec else "word" if "word" in spec else "number"


@pytest.mark.parametrize(("asked", "values"), [(1, 1), (3, 1), (1, 4), (2, 3)])
def test_as_many_keys_and_values_are_asked_as_wanted(asked: int, values: int, byte_bpe: FastTokenizer) -> None:
    sample = Niah(needles=10, asked=asked, values=values).sample(Cell(1500, 0.5, 0), 0, byte_bpe)
    wanted = [needle for needle in sample.needles if needle.asked]
    assert len(sample.needles) == 10
    assert len(wanted) == len(sample.targets) == asked * values
    assert len({needle.key for needle in wanted}) == asked
    assert len({needle.key for needle in sample.needles if not needle.asked}) == 10 - asked * values
    question = sample.prompt.rsplit("\n\n", 1)[1]
    assert {needle.key for needle in sample.needles if needle.key in question} == {needle.key for needle in wanted}


def test_the_completion_prompt_ends_in_the_needles_own_stem(byte_bpe: FastTokenizer) -> None:
    sample = Niah(needles=3).sample(Cell(512, 0.5, 0), 0, byte_bpe)
    asked = next(needle for needle in sample.needles if needle.asked)
    assert sample.prompt.endswith("\n\n" + asked.text.removesuffix(f" {asked.value}."))
    assert "\n" in sample.stop


def test_choices_hold_the_target_every_value_and_no_doubles(byte_bpe: FastTokenizer) -> None:
    for kind in ("number", "word", "uuid"):
        for needles in (1, 3, 7):
            sample = Niah(needles=needles, kind=kind).sample(Cell(1500, 0.5, 0), 0, byte_bpe)  # type: ignore[arg-type]
            assert {needle.value for needle in sample.needles} <= set(sample.choices)
            assert len(set(sample.choices)) == len(sample.choices) == max(needles, 4)
            assert sample.targets[0] in sample.choices


def test_the_needle_order_changes_from_repeat_to_repeat(byte_bpe: FastTokenizer) -> None:
    task = Niah(needles=4)
    places = set()
    for repeat in range(30):
        sample = task.sample(Cell(1500, 0.5, repeat), 0, byte_bpe)
        places.add([needle.asked for needle in sample.needles].index(True))
    assert places == {0, 1, 2, 3}


def test_all_depths_of_a_repeat_share_haystack_and_needles(byte_bpe: FastTokenizer) -> None:
    task = Niah(needles=3)
    samples = [task.sample(Cell(1024, depth, 2), 0, byte_bpe) for depth in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert len({frozenset((needle.key, needle.value) for needle in sample.needles) for sample in samples}) == 1
    assert len({sample.targets for sample in samples}) == 1
    openings = {hay(sample)[:400] for sample in samples}
    assert len(openings) == 1


def hay(sample: Sample) -> str:
    text = sample.prompt
    for needle in sample.needles:
        text = text.replace(needle.text, "")
    return " ".join(text.split())


def test_other_repeats_and_seeds_give_other_windows_and_needles(byte_bpe: FastTokenizer) -> None:
    task = Niah(needles=2)
    samples = [task.sample(Cell(1024, 0.5, repeat), seed, byte_bpe) for seed in (0, 1) for repeat in range(5)]
    assert len({hay(sample)[:200] for sample in samples}) == 10
    assert len({sample.targets for sample in samples}) == 10


def test_every_tokenizer_gets_the_same_keys_values_and_targets(request: pytest.FixtureRequest) -> None:
    for spec in ("niah:needles=6,asked=2", "niah:needles=4,kind=uuid", "niah:needles=4,kind=word"):
        seen = set()
        for name in ("byte_bpe", "unigram", "characters", "llama2_like", "llama3_like", "superword"):
            sample = build_task(spec).sample(Cell(2048, 0.5, 1), 7, request.getfixturevalue(name))
            pairs = frozenset((needle.key, needle.value, needle.asked) for needle in sample.needles)
            seen.add((pairs, sample.targets, sample.choices, sample.id))
        assert len(seen) == 1


CHILD = """
import hashlib, sys
from tokenizers import Tokenizer
from mta_eval.core import Cell
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.registry import build_task
tokenizer = FastTokenizer(Tokenizer.from_file(sys.argv[1]), "child")
for spec in sys.argv[2:]:
    for length in (2000, 700):
        sample = build_task(spec).sample(Cell(length, 0.25, 1), 3, tokenizer)
        print(hashlib.sha256(repr(sample).encode()).hexdigest())
"""


def test_another_process_under_another_hash_seed_makes_the_same_samples(
    byte_bpe: FastTokenizer, superword: FastTokenizer, tmp_path: Path
) -> None:
    specs = ["niah:needles=8,asked=2", "passkey", "niah:kind=word,needles=3"]
    for tokenizer in (byte_bpe, superword):
        tokenizer._backend.save(str(tmp_path / "tokenizer.json"))
        answers = []
        for hash_seed, order in (("1", specs), ("2", specs[::-1])):
            command = [sys.executable, "-c", CHILD, str(tmp_path / "tokenizer.json"), *order]
            environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            answers.append(sorted(done.stdout.split()))
        assert answers[0] == answers[1]
        assert len(set(answers[0])) == 6


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"needles": 0}, "needles"),
        ({"needles": 21}, "20"),
        ({"asked": 2}, "raise needles"),
        ({"needles": 5, "asked": 2, "values": 3}, "6 needles"),
        ({"asked": 0}, "asked"),
        ({"values": 0}, "values"),
        ({"digits": 0}, "1 to 30"),
        ({"digits": 31}, "1 to 30"),
        ({"digits": 1, "needles": 11}, "11 needles need as many numbers, but there are 10 of one digit; raise digits"),
    ],
)
def test_options_that_make_no_sense_are_one_clear_line(options: dict[str, int], word: str) -> None:
    with pytest.raises(SpecError, match=word) as error:
        Niah(**options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_chat_prompt_is_the_models_own_template_counted_as_it_is(tokenizer_folder: Path, audit: Audit) -> None:
    tokenizer = load_tokenizer(str(tokenizer_folder))
    for spec in ("niah:prompt=chat,needles=3", "passkey:prompt=chat"):
        for length in range(300, 345, 4):
            sample = build_task(spec).sample(Cell(length, 0.5, 0), 0, tokenizer)
            assert sample.chat is not None
            assert sample.prompt.startswith("<s><|user|>\n")
            assert sample.prompt.endswith("<|assistant|>\n")
            audit(sample, tokenizer)


def test_a_chat_without_a_template_is_refused(byte_bpe: FastTokenizer) -> None:
    with pytest.raises(ModelError, match="chat template"):
        Niah(prompt="chat").sample(Cell(512, 0.5, 0), 0, byte_bpe)


def test_length_0_is_the_needles_alone(byte_bpe: FastTokenizer) -> None:
    sample = Niah(needles=3).sample(Cell(0, 0.5, 0), 0, byte_bpe)
    needles = " ".join(needle.text for needle in sample.needles)
    assert sample.prompt.rsplit("\n\n", 1)[0] == needles
    assert sample.length == len(byte_bpe._backend.encode(sample.prompt).ids) + sample.max_new_tokens


def test_answers_are_marked_by_the_rule(byte_bpe: FastTokenizer) -> None:
    one = Niah().sample(Cell(512, 0.5, 0), 0, byte_bpe)
    assert Niah().score(one, f" {one.targets[0]}. The rest") == 1
    assert Niah().score(one, f" I think {one.targets[0]}") == 0
    assert Niah(prompt="instruction").score(one, f"It is {one.targets[0]}.") == 1
    task = Niah(needles=2, asked=2, rule="share_contained")
    two = task.sample(Cell(512, 0.5, 0), 0, byte_bpe)
    assert task.score(two, "neither 12 nor 13") == 0
    assert task.score(two, two.targets[1]) == 0.5
    assert Niah(needles=2, asked=2).score(two, two.targets[1]) == 0
    assert Niah(needles=2, asked=2).score(two, " and ".join(two.targets)) == 1


@pytest.mark.parametrize("kind", ["number", "word"])
def test_answers_in_words_are_read_as_people_write_them(kind: str, byte_bpe: FastTokenizer) -> None:
    task = build_task(f"niah:prompt=instruction,needles=2,asked=2,kind={kind}")
    sample = task.sample(Cell(512, 0.5, 0), 0, byte_bpe)
    one, other = sample.targets
    written = f"{int(one):,} and **{int(other):,}**." if kind == "number" else f"{one.upper()} and **{other}**."
    assert task.score(sample, written) == 1
    assert task.score(sample, f"{one} and {other}9") == 0
    assert task.score(sample, f"{one} and x{other}") == 0
    assert task.score(sample, f"{one} and {one}") == 0
    assert Niah(needles=2, asked=2, rule="all_contained").score(sample, f"{one} and x{other}") == 1


@pytest.mark.parametrize("options", ["", ",needles=10", ",needles=6,asked=2", ",needles=4,prompt=instruction"])
def test_the_papers_needle_has_one_digit(options: str, byte_bpe: FastTokenizer, audit: Audit) -> None:
    task = build_task("niah:digits=1" + options)
    seen = set()
    for repeat in range(25):
        sample = task.sample(Cell(1000, 0.3, repeat), 0, byte_bpe)
        values = [needle.value for needle in sample.needles]
        assert len(set(values)) == len(values)
        assert set(sample.choices) >= set(values) or len(sample.targets) > 1
        if repeat < 3:
            audit(sample, byte_bpe)
        for needle in sample.needles:
            assert needle.text == f"The magic number of {needle.key} is {needle.value}."
            assert whole_numbers(sample.prompt).count(needle.value) == 1
        seen |= set(values)
        assert task.score(sample, f" {', '.join(sample.targets)}. The") == 1
        inside = ", ".join(f"1{target}" for target in sample.targets)
        assert task.score(sample, f" {inside}") == 0
        for longer in ("{} 000", "{},000", "{}.5", "{}th", "{}'000"):
            assert task.score(sample, " " + longer.format(sample.targets[0])) == 0, longer
    assert seen == set("0123456789")


def test_a_digit_is_hidden_beside_longer_numbers_and_not_beside_itself(tmp_path: Path, byte_bpe: FastTokenizer) -> None:
    text = "In 1789 about 20,345 people took route 66 at 6:07. Step 2 is done. See note [5]. It was the 9th, or 8.5 %."
    (tmp_path / "text.txt").write_text(text)
    task = build_task(f"niah:digits=1,haystack=file:{tmp_path}/text.txt,needle=Of 3 {{key}} has {{value}}.")
    samples = [task.sample(Cell(600, 0.5, repeat), 0, byte_bpe) for repeat in range(40)]
    assert {sample.targets[0] for sample in samples} == set("014789")
    assert "6" in whole_numbers(text)  # of 6:07
    (tmp_path / "full.txt").write_text("Say 1. Say 2, 3 and 4. Then 5 and 6 of them, and 7 more. It was so.")
    with pytest.raises(SpecError, match=r"of one digit need 4 of the numbers 0 to 9 that neither.*are 3;"):
        build_task(f"niah:digits=1,haystack=file:{tmp_path}/full.txt").sample(Cell(600, 0.5, 0), 0, byte_bpe)


def test_longer_numbers_are_drawn_as_before(byte_bpe: FastTokenizer) -> None:
    sample = build_task("niah:digits=2,needles=3").sample(Cell(512, 0.5, 0), 0, byte_bpe)
    assert all(len(needle.value) == 2 and needle.value[0] != "0" for needle in sample.needles)


THINGS = "eat a sandwich\nride a tram\nvisit Dr. Wax\nswim with seals\nclimb clock towers\n"
OWN = "needle=The best thing to do in {key} is {value}.,question=What is the best thing to do in {key}?"


@pytest.fixture
def things(tmp_path: Path) -> str:
    (tmp_path / "things.txt").write_text(THINGS)
    return f"niah:kind=file:{tmp_path}/things.txt,{OWN}"


@pytest.mark.parametrize("options", ["", ",needles=4", ",needles=3,asked=2,prompt=instruction", ",needles=4,values=2"])
def test_own_needles_fill_their_length_and_stand_where_they_should(
    options: str, things: str, tokenizer: FastTokenizer, audit: Audit
) -> None:
    task = build_task(things + options)
    for length, depth in ((700, 0.0), (703, 0.5), (1500, None)):
        sample = task.sample(Cell(length, depth, length % 5), 3, tokenizer)
        audit(sample, tokenizer)
        for needle in sample.needles:
            assert needle.text == f"The best thing to do in {needle.key} is {needle.value}."
            assert needle.value in THINGS.splitlines()
            assert sample.prompt.count(needle.value) == 1
        assert sorted(sample.targets) == sorted(needle.value for needle in sample.needles if needle.asked)
        assert task.score(sample, " " + ", ".join(sample.targets)) == 1
        assert set(sample.choices) <= set(THINGS.splitlines())
        assert len(sample.choices) == (max(len(sample.needles), 4) if len(sample.targets) == 1 else 0)


def test_own_needles_are_asked_in_their_own_words(things: str, byte_bpe: FastTokenizer) -> None:
    sample = build_task(things + ",prompt=instruction").sample(Cell(512, 0.5, 0), 0, byte_bpe)
    key, value = sample.needles[0].key, sample.targets[0]
    assert sample.prompt.endswith(f"\n\nQuestion: What is the best thing to do in {key}?\nAnswer:")
    repeated = f" The best thing to do in {key} is {value}."
    assert sample.max_new_tokens == len(byte_bpe.encode(repeated).ids) + 24
    task = build_task(things + ",prompt=instruction")
    assert [task.score(sample, text) for text in (repeated, value.upper(), "sandwiches", value[:-1])] == [1, 1, 0, 0]


def test_a_stop_that_stands_in_a_value_does_not_end_the_answer(things: str, byte_bpe: FastTokenizer) -> None:
    assert build_task(things).sample(Cell(512, 0.5, 0), 0, byte_bpe).stop == ("\n",)
    path = Path(things.partition("file:")[2].partition(",")[0])
    path.write_text(THINGS.replace(".", ""))
    assert build_task(things).sample(Cell(512, 0.5, 0), 0, byte_bpe).stop == ("\n", ".")


def test_samples_follow_the_contents_of_the_file_and_nothing_else_of_it(
    things: str, tmp_path: Path, byte_bpe: FastTokenizer
) -> None:
    cell = Cell(512, 0.5, 1)
    first = build_task(things).sample(cell, 5, byte_bpe)
    (tmp_path / "copy.txt").write_text(THINGS)
    copied = build_task(things.replace("things.txt", "copy.txt")).sample(cell, 5, byte_bpe)
    assert (copied.prompt, copied.targets, copied.choices) == (first.prompt, first.targets, first.choices)
    assert build_task(things).sample(cell, 5, byte_bpe) == first
    (tmp_path / "things.txt").write_text(THINGS.replace("e", "o"))
    assert build_task(things).sample(cell, 5, byte_bpe).targets != first.targets


def test_a_needle_of_one_key_needs_no_key(byte_bpe: FastTokenizer) -> None:
    task = build_task("niah:needle=The secret code is {value}.,needles=2,values=2")
    sample = task.sample(Cell(512, 0.5, 0), 0, byte_bpe)
    assert [needle.text for needle in sample.needles] == [
        f"The secret code is {needle.value}." for needle in sample.needles
    ]
    assert {needle.key for needle in sample.needles} == {""}
    assert len(set(sample.targets)) == 2
    assert sample.prompt.endswith("\n\nThe secret code is")
    with pytest.raises(SpecError, match=r"lacks \{key\}"):
        build_task("niah:needle=The secret code is {value}.,needles=2")


def test_no_value_stands_in_the_words_of_needle_and_question(byte_bpe: FastTokenizer) -> None:
    said = ", ".join(WORDS[:-6])
    for repeat in range(20):
        sample = build_task(f"niah:kind=word,needle={said}: {{value}}.").sample(Cell(3000, 0.5, repeat), 0, byte_bpe)
        assert set(sample.choices) <= set(WORDS[-6:])


def test_too_few_values_of_a_file_are_one_clear_line(things: str, byte_bpe: FastTokenizer) -> None:
    with pytest.raises(SpecError, match="5 values, and 8 needles need 8; add 3"):
        build_task(things + ",needles=8").sample(Cell(900, 0.5, 0), 0, byte_bpe)


@pytest.mark.parametrize("spec", ["niah:kind=file:", "niah:kind=files:x"])
def test_a_kind_that_names_no_file_is_refused(spec: str) -> None:
    with pytest.raises(SpecError, match=r"option kind cannot be '.*'; did you mean 'file:PATH'"):
        build_task(spec)


def test_no_word_of_the_pools_is_inside_another_or_in_the_prose() -> None:
    words = [word.lower() for word in (*CITIES, *WORDS)]
    assert [(one, other) for one in words for other in words if one != other and one in other] == []
    assert len(set(words)) == len(words)
    assert [word for word in words if prose.holds(word)] == []


def test_the_swept_depth_is_checked(byte_bpe: FastTokenizer) -> None:
    for depth in (1.5, -0.1, float("nan")):
        with pytest.raises(SpecError, match="depth"):
            Niah().sample(Cell(512, depth, 0), 0, byte_bpe)

"""Tasks whose context is a list: recall, induction, copying, graphs, rounds. Solvers read the prompt alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mta_eval.core import Cell, Sample, Tokenizer
from mta_eval.errors import LengthError, SpecError
from mta_eval.models.window import Window
from mta_eval.registry import build_task, spec_of

Solver = Callable[[Sample], list[str]]


def recall(sample: Sample) -> list[str]:
    context, _, question = sample.prompt.rpartition("\n\n")
    pairs = re.findall(r"^(\S+): (\d+)$", context, re.MULTILINE)
    keys = re.findall(r"(?:of|and|,) (?=([a-z]+(?:-[a-z]+)?)(?:[?,]| and))", question)
    return [value for asked in keys for key, value in pairs if key == asked]


def follow(sample: Sample) -> list[str]:
    cue = int(str(sample.axes["cue"]))
    words = sample.prompt.split(" ")
    end = words[-cue:]
    return [words[n + cue] for n in range(len(words) - cue) if words[n : n + cue] == end]


def copying(sample: Sample) -> list[str]:
    context, _, question = sample.prompt.rpartition("\n\n")
    cue = re.findall(r"follows? (.*?)(?: are:| is:)", question)[0].split()
    many = int((re.findall(r"The (\d+) words", question) or ["1"])[0])
    words = context.split()
    places = [n + len(cue) for n in range(len(words)) if words[n : n + len(cue)] == cue]
    return [" ".join(words[place : place + many]) for place in places]


def graph(sample: Sample) -> list[str]:
    edges = re.findall(r"^(\S+) -> (\S+)$", sample.prompt, re.MULTILINE)
    question = sample.prompt.rpartition("Question: ")[2]
    assert len(set(edges)) == len(edges)
    if parents := re.findall(r"edge to (\w+)\?", question):
        return sorted(source for source, sink in edges if sink == parents[0])
    ((start, steps),) = re.findall(r"from (\w+) by (?:exactly (\d+)|one)", question)
    reached = {start}
    for _ in range(int(steps or 1)):
        reached = {sink for source, sink in edges if source in reached}
    return sorted(reached)


def rounds(sample: Sample) -> list[str]:
    ordinals = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
    ((number, form, topic, code),) = re.findall(
        r"Repeat the (\w+) (\w+) about the (\w+) that.*Begin your answer with (\w+)\.", sample.prompt
    )
    wish = f"Write a {form} about the {topic}."
    texts = re.findall(rf"{re.escape(wish)}\s.*?(O {topic}! [^\n<]*)", sample.prompt, re.DOTALL)
    return [f"{code} {texts[ordinals.index(number)]}"]


SOLVERS: dict[str, Solver] = {
    "associative_recall": recall,
    "associative_recall:queries=4,near=6": recall,
    "associative_recall:form=codes,near=3,queries=2": recall,
    "induction:cue=1": follow,
    "induction": follow,
    "induction:cue=4": follow,
    "copy": copying,
    "copy:words=1,cue=1": copying,
    "graph": graph,
    "graph:nodes=5": graph,
    "graph:ask=reachable": graph,
    "graph:ask=reachable,hops=3": graph,
    "coreference_rounds": rounds,
    "coreference_rounds:same=2,near=0": rounds,
}


def check_answers(spec: str, repeats: int, tokenizer: Tokenizer) -> None:
    task = build_task(spec)
    for repeat in range(repeats):
        length = 0 if repeat % 3 else 1800
        sample = task.sample(Cell(length, (0.0, 0.3, 1.0)[repeat % 3], repeat), 3, tokenizer)
        found = SOLVERS[spec](sample)
        wanted = sorted(sample.targets) if spec.startswith("graph") else list(sample.targets)
        assert found == wanted, sample.prompt
        assert task.score(sample, " " + ", ".join(sample.targets)) == 1
        assert task.score(sample, "no idea") == 0


@pytest.mark.parametrize("spec", SOLVERS)
def test_the_text_gives_the_answer_and_no_other(spec: str, byte_bpe: Tokenizer) -> None:
    check_answers(spec, 12, byte_bpe)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SOLVERS)
def test_thousands_of_texts_give_the_answer_and_no_other(spec: str, byte_bpe: Tokenizer) -> None:
    check_answers(spec, 1500, byte_bpe)


@pytest.mark.parametrize("spec", SOLVERS)
def test_prompts_fill_their_length_and_needles_stand_where_they_say(spec: str, tokenizer: Tokenizer) -> None:
    task = build_task(spec)
    for length, depth in ((1300, 0.0), (1301, 0.5), (1800, 1.0)):
        try:
            sample = task.sample(Cell(length, depth, 0), 0, tokenizer)
        except LengthError:
            assert spec.startswith("coreference")
            continue
        ids, spans = tokenizer.encode(sample.prompt)
        specials = tokenizer.specials
        assert len(ids) + sum(specials) == sample.prompt_tokens
        assert sample.prompt_tokens + sample.max_new_tokens == length
        for needle in sample.needles:
            place = spans[needle.token_start - specials[0] : needle.token_end - specials[0]]
            assert needle.text in sample.prompt[place[0][0] : place[-1][1]]
        if "reachable" not in spec and "nodes=5" not in spec and "coreference" not in spec:
            assert min(abs(needle.depth - depth) for needle in sample.needles if needle.asked) < 0.05


@pytest.mark.parametrize("spec", SOLVERS)
def test_depths_of_a_repeat_share_the_draw_and_repeats_do_not(spec: str, byte_bpe: Tokenizer) -> None:
    task = build_task(spec)
    first, deep, other = (task.sample(Cell(1800, *cell), 0, byte_bpe) for cell in ((0.0, 0), (1.0, 0), (0.0, 1)))
    assert first.draw == deep.draw != other.draw
    if not spec.startswith("coreference"):  # whose answer moves among those of its wish
        assert first.targets == deep.targets != other.targets


@pytest.mark.parametrize("spec", ["coreference_rounds:prompt=chat", "graph:prompt=chat", "copy:prompt=chat"])
def test_a_chat_is_the_template_of_the_model_around_its_messages(spec: str) -> None:
    from mta_eval.registry import build_model

    tokenizer = build_model("smollm2").tokenizer
    sample = build_task(spec).sample(Cell(1500, 0.5, 0), 0, tokenizer)
    assert sample.chat is not None
    assert tokenizer.render(sample.chat) == sample.prompt
    assert len(tokenizer.encode(sample.prompt).ids) == sample.prompt_tokens
    assert len(sample.chat) == (2 * int(str(sample.axes["rounds"])) + 1 if spec.startswith("coref") else 1)


@pytest.mark.parametrize("cue", [2, 3])
def test_each_word_of_a_cue_stands_in_other_places_too(cue: int, byte_bpe: Tokenizer) -> None:
    for repeat in range(5):
        sample = build_task(f"induction:cue={cue}").sample(Cell(3000, 0.5, repeat), 0, byte_bpe)
        words = sample.prompt.split(" ")
        assert all(words.count(word) > 3 for word in words[-cue:])
        last = {words[n + 1] for n, word in enumerate(words[:-1]) if word == words[-1]}
        assert len(last) > 1  # the last word alone does not tell


@pytest.mark.parametrize("form", ["words", "codes"])
def test_near_pairs_have_one_half_of_the_key_and_others_none(form: str, byte_bpe: Tokenizer) -> None:
    sample = build_task(f"associative_recall:near=4,form={form}").sample(Cell(1500, 0.5, 0), 0, byte_bpe)
    (asked,) = [needle.key for needle in sample.needles if needle.asked]
    middle = asked.index("-") if form == "words" else 2
    first, second = asked[:middle], asked[middle:]
    keys = re.findall(r"^(\S+): \d+$", sample.prompt, re.MULTILINE)
    near = [key for key in keys if key != asked and (key.startswith(first) or key.endswith(second))]
    assert sorted(near) == sorted(needle.key for needle in sample.needles if not needle.asked)
    assert len(near) == 4


@pytest.mark.parametrize("spec", SOLVERS)
def test_a_model_that_sees_all_is_always_right(spec: str) -> None:
    model, task = Window(10**6), build_task(spec)
    sample = task.sample(Cell(1500, 0.5, 0), 0, model.tokenizer)
    assert task.score(sample, next(model.generate([sample])).text) == 1
    assert spec_of(build_task(spec_of(task))) == spec_of(task)


@pytest.mark.parametrize(
    "spec",
    [
        *("associative_recall:queries=0", "associative_recall:queries=17", "associative_recall:near=65"),
        *("induction:cue=0", "induction:cue=9", "copy:words=0", "copy:words=201", "copy:cue=9"),
        *("graph:nodes=0", "graph:nodes=17", "graph:hops=0", "graph:hops=5"),
        *("coreference_rounds:same=0", "coreference_rounds:same=9", "coreference_rounds:near=33"),
    ],
)
def test_impossible_options_are_refused(spec: str) -> None:
    with pytest.raises(SpecError, match="must be"):
        build_task(spec)


@pytest.mark.parametrize("spec", SOLVERS)
def test_a_length_that_is_too_short_says_what_is_needed(spec: str, byte_bpe: Tokenizer) -> None:
    with pytest.raises(LengthError, match=r"needs (\d+) tokens") as error:
        build_task(spec).sample(Cell(20, 0.5, 0), 0, byte_bpe)
    least = int(re.findall(r"needs (\d+)", str(error.value))[0])
    assert build_task(spec).sample(Cell(least, 0.5, 0), 0, byte_bpe).length == least

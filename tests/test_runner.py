import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from mta_eval import registry, runner
from mta_eval.core import Ability, Answer, ModelIdentity, Plan, Record, Sample, Sweep, Task
from mta_eval.errors import LengthError, ModelError, SpecError
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.models.window import Window


@dataclass
class Scripted:
    """A model that fails, or prefers a choice, on command."""

    name: ClassVar[str] = "scripted"

    fail_on: tuple[str, ...] = ()
    max_length: int = 1 << 30
    seen: list[Sample] = field(default_factory=list)

    @property
    def tokenizer(self) -> FastTokenizer:
        return WINDOW.tokenizer

    def describe(self) -> dict[str, str]:
        return {}

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({"answers", "chooses", "reads"})

    def identity(self) -> ModelIdentity:
        return ModelIdentity()

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        batch: list[Sample] = []
        for sample in samples:  # reads ahead by one, as batching models do
            self.seen.append(sample)
            batch.append(sample)
            if len(batch) == 2:
                yield self._one(batch.pop(0))
        yield from map(self._one, batch)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        return [-1.0 if text.strip() in sample.targets else -2.0 for sample, text in pairs]

    def _one(self, sample: Sample) -> Answer:
        if sample.id in self.fail_on:
            raise RuntimeError("out of memory")
        return Answer(" " + sample.targets[0], "I think.", "length", 7, 3)


WINDOW = Window(300)
SWEEP = Sweep((256, 512), (0.0, 0.5, 1.0), 2)


def plan(*tasks: str, model: object = WINDOW, sweep: Sweep = SWEEP, **options: str) -> Plan:
    return Plan({task: registry.build_task(task) for task in tasks}, {"m": model}, sweep, **options)  # type: ignore


def test_every_cell_of_every_task_is_answered_once() -> None:
    records = list(runner.run(plan("niah", "passkey")))
    ids = [record.sample_id for record in records]
    assert len(ids) == len(set(ids)) == 24 == len(plan("niah", "passkey"))
    assert {record.task for record in records} == {"niah", "passkey"}


def test_what_is_done_is_not_asked_again() -> None:
    everything = list(runner.run(plan("niah")))
    done = {("m", 0, record.sample_id) for record in everything[:7]}
    rest = list(runner.run(plan("niah"), done))
    assert [record.sample_id for record in rest] == [record.sample_id for record in everything[7:]]


def test_what_one_model_has_done_another_is_still_asked() -> None:
    models = {"first": Window(300), "second": Window(400)}
    both = Plan({"niah": registry.build_task("niah")}, models, Sweep((256,), (0.0, 1.0), 1))
    done = {("first", 0, record.sample_id) for record in runner.run(both) if record.model == "first"}
    assert [record.model for record in runner.run(both, done)] == ["second", "second"]
    assert both.remaining("niah", "first", done) == []


def test_a_plan_of_several_seeds_is_the_plans_of_each_with_the_seed_as_an_axis() -> None:
    sweep = Sweep((256,), (0.0, 1.0), 2, 3)
    both = replace(plan("niah", "passkey", sweep=sweep), seeds=(3, 4))
    assert len(both) == 16
    records = [replace(record, seconds=0, peak_memory=None) for record in runner.run(both)]
    singly = [
        replace(record.with_seed(seed), seconds=0, peak_memory=None)
        for task in ("niah", "passkey")
        for seed in (3, 4)
        for record in runner.run(plan(task, sweep=replace(sweep, seed=seed)))
    ]
    assert records == singly
    assert [record.axes["seed"] for record in records] == [3] * 4 + [4] * 4 + [3] * 4 + [4] * 4
    done = {("m", 4, record.sample_id) for record in records}
    assert [record.axes["seed"] for record in runner.run(both, done)] == [3] * 8
    assert both.remaining_count(done) == 8


def test_every_seed_of_a_plan_is_checked_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    both = replace(plan("niah", sweep=Sweep((256,), (0.0,), 1)), seeds=(3, 4))
    make, made = type(both.tasks["niah"]).sample, []

    def sample(task: Task, cell: runner.Cell, seed: int, own: FastTokenizer) -> Sample:
        made.append(seed)
        return make(task, cell, seed, own)

    monkeypatch.setattr(type(both.tasks["niah"]), "sample", sample)
    runner.check(both)
    assert made == [3, 4]


def test_a_failed_sample_of_several_seeds_says_of_which() -> None:
    both = replace(plan("niah"), seeds=(0, 1))
    cell = both.cells_of("niah", "m")[0]
    assert runner.failed(both.by_seed()[1], "m", "niah", cell, "E").axes["seed"] == 1
    assert "seed" not in runner.failed(plan("niah"), "m", "niah", cell, "E").axes


def test_a_record_keeps_what_happened_to_its_answer() -> None:
    (record, *_) = runner.run(plan("niah", model=Scripted()))
    assert (record.finish, record.thought, record.output_tokens) == ("length", "I think.", 3)
    failed = next(r for r in runner.run(plan("niah", model=Scripted(fail_on=("niah/256/1.00/0",)))) if r.error)
    assert (failed.finish, failed.thought, failed.output_tokens) == (None, "", None)


def test_a_model_that_cannot_do_what_is_asked_is_refused_before_the_start() -> None:
    class Talker(Scripted):
        abilities = frozenset({"answers"})  # type: ignore[assignment]

    with pytest.raises(ModelError, match="scripted gives no log-likelihoods of tokens, so it cannot read texts"):
        runner.check(plan("perplexity", model=Talker(), sweep=Sweep((64,), (None,), 1)))
    with pytest.raises(ModelError, match="scripted gives no log-likelihoods, so it cannot choose"):
        runner.check(plan("niah", model=Talker(), answer="choose"))


def test_an_adapter_of_other_packages_may_still_yield_texts() -> None:
    class Old(Scripted):
        def _one(self, sample: Sample) -> str:  # type: ignore[override]
            return sample.targets[0]

    with pytest.warns(DeprecationWarning, match="must yield mta_eval.core.Answer"):
        assert {record.score for record in runner.run(plan("niah", model=Old()))} == {1.0}


def test_a_failing_sample_is_data_and_the_others_go_on() -> None:
    bad = ("niah/256/0.50/1", "niah/512/0.00/0")
    model = Scripted(fail_on=bad)
    records = {record.sample_id: record for record in runner.run(plan("niah", model=model))}
    assert len(records) == 12
    for sample_id, record in records.items():
        if sample_id in bad:
            assert (record.output, record.score, record.error) == (None, None, "RuntimeError: out of memory")
        else:
            assert (record.score, record.error) == (1.0, None)


def test_a_model_that_cannot_be_loaded_stops_the_run() -> None:
    class Broken(Scripted):
        def _one(self, sample: Sample) -> Answer:
            raise ModelError("no weights")

    with pytest.raises(ModelError, match="no weights"):
        list(runner.run(plan("niah", model=Broken())))


def test_a_task_that_raises_is_not_taken_for_a_failing_model(monkeypatch: pytest.MonkeyPatch) -> None:
    bugged = plan("niah")
    monkeypatch.setattr(type(bugged.tasks["niah"]), "sample", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(runner.run(bugged))


def test_prompts_beyond_the_window_are_refused_before_the_start() -> None:
    with pytest.raises(LengthError, match="length 512 is beyond the window of m, 300 tokens"):
        runner.check(plan("niah", model=Scripted(max_length=300)))


def test_marked_prompts_are_cut_on_the_left_and_marked() -> None:
    model = Scripted(max_length=300)
    records = list(runner.run(plan("niah", model=model, over_length="mark")))
    assert {record.axes["length"]: record.truncated for record in records} == {256: False, 512: True}
    for sample, record in zip(model.seen, records, strict=True):
        assert len(WINDOW.tokenizer.encode(sample.prompt).ids) == record.prompt_tokens <= 300 - sample.max_new_tokens
        if record.truncated:
            whole = registry.build_task("niah").sample(cell_of(record), 0, WINDOW.tokenizer)
            assert whole.prompt.endswith(sample.prompt)
            assert record.prompt_tokens == 300 - sample.max_new_tokens


def test_choosing_takes_the_likeliest_choice() -> None:
    records = list(runner.run(plan("niah:needles=3", model=Scripted(), answer="choose")))
    assert {record.score for record in records} == {1.0}
    assert all(record.output in record.choices for record in records)


def test_choosing_needs_choices() -> None:
    with pytest.raises(SpecError, match="offers no choices"):
        runner.check(plan("niah:needles=4,asked=2", answer="choose"))


def test_lengths_too_small_are_found_before_the_start() -> None:
    with pytest.raises(LengthError, match="this sample needs"):
        runner.check(plan("niah", sweep=Sweep((8,), (0.5,), 1)))


def test_a_task_uses_its_own_lengths_where_none_are_named() -> None:
    own = plan("niah", "passkey", sweep=Sweep((), (0.5,), 1))
    assert own.sweep_of("niah", "m").lengths == (2048, 4096)
    assert len(own) == 4


def test_where_no_lengths_are_named_those_that_fit_all_windows_are_asked_or_else_the_window() -> None:
    for window, lengths in ((3000, (2048,)), (700, (700,))):
        models = {"m": WINDOW, "small": Scripted(max_length=window)}
        own = Plan({"niah": registry.build_task("niah")}, models, Sweep((), (0.5,), 1))
        assert {own.sweep_of("niah", model).lengths for model in models} == {lengths}
        runner.check(own)


def test_a_length_beyond_one_models_window_but_not_anothers_is_left_out_for_the_one() -> None:
    models = {"wide": WINDOW, "small": Scripted(max_length=300)}
    both = Plan({"passkey": registry.build_task("passkey")}, models, Sweep((256, 512), (0.5,), 2))
    runner.check(both)
    assert (both.left_out("wide"), both.left_out("small"), len(both)) == ((), (512,), 6)
    asked = [(record.model, record.axes["length"]) for record in runner.run(both)]
    assert asked == [("wide", 256)] * 2 + [("wide", 512)] * 2 + [("small", 256)] * 2
    assert runner.probe(both, "small", "passkey")[0][0] == 256
    none = Plan(both.tasks, models, Sweep((512,), (0.5,), 1))
    assert (len(none), runner.probe(none, "small", "passkey")) == (1, [])
    with pytest.raises(LengthError, match="beyond the window of small, 300 tokens"):
        runner.check(Plan(both.tasks, {"small": models["small"]}, Sweep((256, 512), (0.5,), 1)))
    cut = Plan(both.tasks, models, both.sweep, over_length="mark")
    assert (cut.left_out("small"), len(cut)) == ((), 8)


def test_a_record_keeps_needles_and_a_hash_of_its_prompt() -> None:
    record = next(runner.run(plan("niah:needles=4")))
    assert len(record.needles) == 4
    assert sum(needle.asked for needle in record.needles) == 1
    assert len(record.prompt_sha256) == 64
    many = next(runner.run(plan("letter_blocks", sweep=Sweep((2048,), (0.5,), 1))))
    assert [needle.asked for needle in many.needles] == [True]


def cell_of(record: Record) -> runner.Cell:
    return runner.Cell(record.axes["length"], record.axes["depth"], record.axes["repeat"])


class Reader(Scripted):
    """Finds every token of a text equally likely; reads one sample ahead; fails on command."""

    odd: tuple[float, ...] = (-1.0,)

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        for sample in samples:
            if sample.id in self.fail_on:
                raise RuntimeError("out of memory")
            self.seen.append(sample)
            yield [*self.odd, *[-1.0] * (sample.prompt_tokens - 2)]


SHORT = "perplexity:windows=3"


def test_texts_are_read_and_not_answered() -> None:
    records = list(runner.run(plan(SHORT, model=Reader())))
    assert [record.sample_id for record in records] == [f"{SHORT}/{n}/any/{i}" for n in (256, 512) for i in range(3)]
    assert len(plan(SHORT, model=Reader())) == len(records)
    for record in records:
        assert (record.output, record.error, record.targets) == (None, None, [])
        assert record.was_read
        assert record.score == pytest.approx(math.exp(-1))
        assert record.axes["nats"] == record.axes["predicted"] == record.prompt_tokens - 1
        assert sum(count for _, _, count in record.positions) == record.axes["predicted"]


def test_texts_are_read_once_and_beside_tasks_that_are_answered() -> None:
    everything = list(runner.run(plan(SHORT, "niah", model=Reader())))
    assert len(everything) == 6 + 12
    done = {("m", 0, record.sample_id) for record in everything[:4]}
    rest = list(runner.run(plan(SHORT, "niah", model=Reader()), done))
    assert [record.sample_id for record in rest] == [record.sample_id for record in everything[4:]]
    assert [record.was_read for record in rest] == [True] * 2 + [False] * 12


def test_a_text_that_a_model_cannot_read_is_data_and_the_others_go_on() -> None:
    bad = f"{SHORT}/256/any/1"
    records = list(runner.run(plan(SHORT, model=Reader(fail_on=(bad,)))))
    assert [record.error for record in records if record.sample_id == bad] == ["RuntimeError: out of memory"]
    assert [record.was_read for record in records] == [True, False, True, True, True, True]


@pytest.mark.parametrize("odd", [float("nan"), float("-inf")])
def test_what_is_no_log_probability_is_an_error_and_never_a_perplexity(odd: float) -> None:
    model = Reader()
    model.odd = (odd,)
    records = list(runner.run(plan(SHORT, model=model)))
    assert all(record.score is None and not record.positions for record in records)
    assert {record.error for record in records if record.prompt_tokens == 256} == {
        f"ValueError: 1 of 255 log-probabilities are {odd} or the like"
    }


def test_too_few_log_probabilities_stop_the_run() -> None:
    model = Reader()
    model.odd = ()
    with pytest.raises(ModelError, match="do not belong together"):
        list(runner.run(plan(SHORT, model=model)))


def test_texts_are_never_cut_to_a_window_and_need_no_choices() -> None:
    for over_length in ("refuse", "mark"):
        with pytest.raises(LengthError, match=r"length 512 is beyond the window of m, 300 tokens; drop it$"):
            runner.check(plan(SHORT, model=Reader(max_length=300), over_length=over_length))
    runner.check(plan(SHORT, model=Reader(), answer="choose"))
    assert [tokens for tokens, _ in runner.probe(plan(SHORT, model=Reader()), "m", SHORT)] == [256, 512]

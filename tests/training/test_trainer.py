"""The training loop against plain recounts of what it should do."""

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from torch import nn

from mta_eval.attention.configuration import preset
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.core import generator
from mta_eval.errors import ModelError
from mta_eval.training.processes import Share, processes
from mta_eval.training.rows import AnswerRows, RowBatch, Stage, StagedRows
from mta_eval.training.trainer import HeldOutErrors, Progress, Schedule, Trainer

Stream = Literal["training", "validation", "test"]
ANSWER, LENGTH, WORDS = 3, 12, 11


class Numbers(AnswerRows):
    """Rows of random tokens; keeps which were asked for."""

    answers = (tuple(range(-ANSWER, 0)),)

    def __init__(self) -> None:
        self.asked: list[tuple[Stream, int]] = []

    def __call__(self, stream: Stream, index: int) -> list[int]:
        self.asked.append((stream, index))
        random = generator(7, stream, index)
        return [random.randrange(WORDS) for _ in range(LENGTH)]


class Lonely(Share):
    """One of several processes, the others unheard."""

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        return values


class Still(nn.Module):
    """Says the same whatever it is asked; its one weight is the logit of token 0."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, batch: torch.Tensor, use_cache: bool, logits_to_keep: int) -> Any:
        first = self.weight.expand(len(batch), logits_to_keep, 1)
        return SimpleNamespace(logits=torch.cat((first, torch.zeros(*first.shape[:2], WORDS - 1)), -1))


def new_model(**changes: Any) -> MTAForCausalLM:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 24, "vocab_size": WORDS}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return MTAForCausalLM(preset("letter-blocks", **{**sizes, "attention_dropout": 0.0, **changes}))


def schedule(**changes: Any) -> Schedule:
    return Schedule(**{"steps": 4, "batch": 4, "learning_rate": 1e-2, "evaluate_every": 2, "held_out": 6, **changes})


def trainer(model: nn.Module | None = None, share: Share | None = None, workers: int = 0, **changes: Any) -> Trainer:
    return Trainer(model or new_model(), Numbers(), schedule(**changes), 42, share or Share(), workers)


def told_of(trainer: Trainer) -> tuple[list[float], list[Progress]]:
    losses: list[float] = []
    progress = list(trainer.run(lambda _, loss: losses.append(loss)))
    return losses, progress


def answers_of(model: nn.Module, stream: Stream, indices: Iterator[int] | range) -> Iterator[tuple[torch.Tensor, int]]:
    """(log-probabilities, token) for each answer token, from one row at a time and the logits of all of it."""
    for index in indices:
        row = Numbers()(stream, index)
        logits = model(torch.tensor([row])).logits[0]
        for place in range(LENGTH - ANSWER, LENGTH):
            yield torch.log_softmax(logits[place - 1].double(), -1), row[place]


def test_the_rate_is_constant_unless_told_otherwise() -> None:
    assert {schedule(learning_rate=1e-4).rate(step) for step in range(1, 5)} == {1e-4}


def test_the_rate_rises_stays_and_falls() -> None:
    rate = schedule(steps=20, learning_rate=1.0, warmup=4, decay=0.25).rate
    rates = [rate(step) for step in range(1, 21)]
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[4:16] == pytest.approx([1.0] * 12)
    assert rates[16:] == pytest.approx([0.8, 0.6, 0.4, 0.2])  # and 0 after the last


def test_a_rate_that_only_falls_takes_the_whole_training() -> None:
    rate = schedule(steps=4, learning_rate=1.0, decay=1.0).rate
    assert [rate(step) for step in range(1, 5)] == pytest.approx([1, 0.75, 0.5, 0.25])


def test_warm_up_and_decay_may_meet() -> None:
    rate = schedule(steps=4, learning_rate=1.0, warmup=4, decay=1.0).rate
    assert [rate(step) for step in range(1, 5)] == pytest.approx([0.25, 0.375, 0.375, 0.25])


@pytest.mark.parametrize("count", [1, 4, 7, 16])
@pytest.mark.parametrize("stream", ["validation", "test"])
def test_errors_are_those_of_a_plain_recount(stream: Literal["validation", "test"], count: int) -> None:
    model = new_model(attention_dropout=0.3)  # which evaluation must not feel
    loss, tokens, wrong_answers = 0.0, 0, 0
    model.eval()
    with torch.no_grad():
        found = list(answers_of(model, stream, range(count)))
    model.train()
    for first in range(0, len(found), ANSWER):
        wrong = [int(says.argmax()) != token for says, token in found[first : first + ANSWER]]
        tokens, wrong_answers = tokens + sum(wrong), wrong_answers + any(wrong)
    loss = -sum(float(says[token]) for says, token in found) / len(found)
    errors = trainer(model, batch=4).evaluate(stream, count)
    assert errors == pytest.approx(HeldOutErrors(loss, tokens / len(found), wrong_answers / count), abs=1e-6)


def test_errors_of_known_answers_are_known() -> None:
    class Zeros(Numbers):
        def __call__(self, stream: Stream, index: int) -> list[int]:
            return [1] * (LENGTH - ANSWER) + [[0, 0, 0], [0, 2, 0], [2, 2, 2], [0, 0, 2]][index]

    errors = Trainer(Still(1.0), Zeros(), schedule(), 0, Share()).evaluate("test", 4)
    assert (errors.tokens, errors.answers) == (5 / 12, 3 / 4)
    whole = math.log(math.e + WORDS - 1)
    assert errors.loss == pytest.approx(whole - 7 / 12)


class Apart(Numbers):
    """Two answers of two tokens, with others between and behind them."""

    answers = ((-9, -8), (-3, -2))


def test_errors_are_of_every_answer_of_a_row_and_of_nothing_else() -> None:
    model = new_model().eval()
    losses, wrong = [], []
    with torch.no_grad():
        for index in range(7):
            row = Apart()("test", index)
            says = torch.log_softmax(model(torch.tensor([row])).logits[0].double(), -1)
            for answer in Apart.answers:
                places = [LENGTH + place for place in answer]
                losses += [-float(says[place - 1, row[place]]) for place in places]
                wrong.append([int(says[place - 1].argmax()) != row[place] for place in places])
    errors = Trainer(model, Apart(), schedule(), 0, Share()).evaluate("test", 7)
    tokens, answers = sum(map(sum, wrong)) / 28, sum(map(any, wrong)) / 14
    assert errors == pytest.approx(HeldOutErrors(math.fsum(losses) / 28, tokens, answers), abs=1e-6)
    assert Trainer(model, Numbers(), schedule(), 0, Share()).evaluate("test", 7, Apart()) == errors


def test_the_loss_is_about_the_answers_alone() -> None:
    model = new_model()
    one = Trainer(deepcopy(model), Apart(), schedule(steps=1, held_out=1), 0, Share())
    losses, _ = told_of(one)
    wanted = Trainer(model, Apart(), schedule(), 0, Share())
    rows = torch.tensor([Apart()("training", index) for index in range(4)])
    says = torch.log_softmax(wanted.model(rows).logits, -1)
    places = [LENGTH + place for answer in Apart.answers for place in answer]
    picked = [says[row, place - 1, rows[row, place]] for row in range(4) for place in places]
    assert losses == [pytest.approx(-float(torch.stack(picked).mean().detach()), abs=1e-5)]


class Weighed(Numbers):
    """The same rows, whose second answer token counts twice and whose last one not at all."""

    weights = (1.0, 2.0, 0.0)

    def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
        batch = super().batch(stream, indices)
        batch.weights[:, -ANSWER:] = torch.tensor(self.weights)
        return batch


def test_the_loss_is_the_mean_over_weights() -> None:
    model = new_model()
    losses, _ = told_of(Trainer(deepcopy(model), Weighed(), schedule(steps=1), 0, Share()))
    found = [-float(says[token].detach()) for says, token in answers_of(model, "training", range(4))]
    weighed = sum(loss * Weighed.weights[place % ANSWER] for place, loss in enumerate(found))
    assert losses == [pytest.approx(weighed / (4 * sum(Weighed.weights)), abs=1e-5)]


@pytest.mark.parametrize("at_once", [1, 3, 4, 9])
def test_parts_of_a_batch_are_summed_to_the_whole(at_once: int) -> None:
    model = new_model()
    whole = Trainer(deepcopy(model), Weighed(), schedule(clip=0.05), 0, Share())
    parts = Trainer(deepcopy(model), Weighed(), schedule(clip=0.05, at_once=at_once), 0, Share())
    assert told_of(parts)[0] == pytest.approx(told_of(whole)[0], abs=1e-5)
    for found, wanted in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    assert parts.evaluate("test", 7) == pytest.approx(whole.evaluate("test", 7), abs=1e-6)


def test_parts_of_a_batch_go_through_the_model_apart() -> None:
    sizes: list[int] = []
    one = trainer(Still(0.0), steps=1, at_once=3)
    one.model.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    told_of(one)
    assert sizes == [3, 1, 3, 3]  # a step of 4 rows, 6 that are held out


def test_a_step_with_nothing_to_predict_is_one_line() -> None:
    class Nothing(Weighed):
        weights = (0.0, 0.0, 0.0)

    with pytest.raises(ModelError, match=r"^the rows of step 1 have no token to predict; give longer texts$"):
        told_of(Trainer(new_model(), Nothing(), schedule(), 0, Share()))


def test_documents_reach_the_model() -> None:
    class Two(Numbers):
        def batch(self, stream: Stream, indices: Sequence[int]) -> RowBatch:
            batch = super().batch(stream, indices)
            documents = torch.ones_like(batch.tokens)
            documents[:, LENGTH // 2 :] = 2
            return RowBatch(*batch[:3], documents)

    model = new_model()
    errors = Trainer(model, Two(), schedule(), 0, Share()).evaluate("test", 3)
    found = []
    for index in range(3):
        row = Two()("test", index)[LENGTH // 2 :]
        says = torch.log_softmax(model(torch.tensor([row])).logits[0].double(), -1)
        found += [-float(says[place - 1, row[place]].detach()) for place in range(len(row) - ANSWER, len(row))]
    assert errors.loss == pytest.approx(math.fsum(found) / len(found), abs=1e-5)


def test_stages_have_their_own_rows_and_batches() -> None:
    first, last = Numbers(), Numbers()
    stages = StagedRows([Stage(2, 3, first), Stage(2, 4, last)])
    told_of(Trainer(Still(0.0), stages, schedule(), 0, Share()))
    assert first.asked == [("training", index) for index in range(6)]
    assert [index for stream, index in last.asked if stream == "training"] == list(range(8))
    assert [index for stream, index in last.asked if stream == "validation"] == [*range(6)] * 2


def test_several_processes_count_every_held_out_row_once() -> None:
    for count in (1, 2, 7, 10):
        asked: list[tuple[Stream, int]] = []
        for rank in range(3):
            one = trainer(Still(0.0), Lonely(rank, 3), batch=3)
            one.evaluate("validation", count)
            asked += one.rows.asked  # type: ignore[attr-defined]
        assert sorted(asked) == [("validation", index) for index in range(count)]


@pytest.mark.parametrize("clip", [0.05, 1e9])
def test_steps_are_adamw_on_the_clipped_mean_loss_of_the_answers(clip: float) -> None:
    """Three steps against the formulas, from logits of whole rows, one row at a time."""
    betas, eps, decay = (0.8, 0.95), 1e-3, 0.1
    model = new_model()
    changes: dict[str, Any] = {"steps": 3, "batch": 4, "betas": betas, "eps": eps, "weight_decay": decay}
    ours = trainer(deepcopy(model), clip=clip, warmup=2, evaluate_every=100, **changes)
    losses, _ = told_of(ours)
    moments = [(torch.zeros_like(weight), torch.zeros_like(weight)) for weight in model.parameters()]
    for step in (1, 2, 3):
        batch = range(4 * (step - 1), 4 * step)
        loss = -torch.stack([says[token] for says, token in answers_of(model, "training", batch)]).mean()
        assert losses[step - 1] == pytest.approx(float(loss.detach()), abs=1e-5)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        norm = math.sqrt(sum(float((gradient.double() ** 2).sum()) for gradient in gradients))
        assert norm > 0.1
        rate = 1e-2 * min(1, step / 2)
        with torch.no_grad():
            for weight, gradient, (mean, square) in zip(model.parameters(), gradients, moments, strict=True):
                clipped = gradient * min(1, clip / norm)
                mean.mul_(betas[0]).add_((1 - betas[0]) * clipped)
                square.mul_(betas[1]).add_((1 - betas[1]) * clipped**2)
                root = (square / (1 - betas[1] ** step)).sqrt()
                weight -= rate * decay * weight
                weight -= rate * mean / (1 - betas[0] ** step) / (root + eps)
    for found, expected in zip(ours.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-3)


def test_no_row_is_trained_on_twice_unless_rows_are_counted() -> None:
    endless, six = trainer(Still(0.0)), trainer(Still(0.0), rows=6)
    told_of(endless)
    told_of(six)
    for one, expected in ((endless, list(range(16))), (six, [index % 6 for index in range(16)])):
        asked = [index for stream, index in one.rows.asked if stream == "training"]  # type: ignore[attr-defined]
        assert asked == expected


@pytest.mark.parametrize(("batch", "world"), [(4, 2), (5, 2), (7, 3), (3, 3)])
def test_processes_share_every_batch_whole(batch: int, world: int) -> None:
    asked: list[int] = []
    for rank in range(world):
        one = trainer(Still(0.0), Lonely(rank, world), batch=batch)
        told_of(one)
        mine = [index for stream, index in one.rows.asked if stream == "training"]  # type: ignore[attr-defined]
        assert [mine.count(index) for index in mine] == [1] * len(mine)
        each = [sum(index // batch == step for index in mine) for step in range(4)]
        assert set(each) <= {batch // world, -(-batch // world)}
        asked += mine
    assert sorted(asked) == list(range(4 * batch))


def test_held_out_rows_are_of_their_own_stream() -> None:
    one = trainer(Still(0.0))
    told_of(one)
    asked = one.rows.asked  # type: ignore[attr-defined]
    assert [index for stream, index in asked if stream == "validation"] == [*range(6)] * 2
    assert {stream for stream, _ in asked} == {"training", "validation"}


def test_more_processes_than_rows_in_a_batch_are_refused() -> None:
    with pytest.raises(ModelError, match="5 processes cannot share batches of 4 rows; start fewer"):
        trainer(share=Share(0, 5))
    trainer(share=Share(0, 4))


def test_evaluations_come_every_so_many_steps_and_after_the_last() -> None:
    losses, progress = told_of(trainer(steps=5))
    assert [place.step for place in progress] == [2, 4, 5]
    means = [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2, losses[4]]
    assert [place.loss for place in progress] == pytest.approx(means)
    assert 0 < progress[0].seconds < progress[1].seconds < progress[2].seconds
    assert {place.rate for place in progress} == {1e-2}
    assert progress[0].held_out != progress[1].held_out


def test_a_loss_that_is_no_number_is_one_line() -> None:
    one = trainer(Still(math.nan))
    with pytest.raises(ModelError, match=r"^the loss of step 1 is nan; a lower learning rate may help$"):
        next(one.run())
    with pytest.raises(ModelError, match=r"the loss of step 1 is (inf|nan)"):
        next(trainer(Still(-math.inf)).run())


def test_a_training_that_learns_says_so() -> None:
    class Same(Numbers):
        def __call__(self, stream: Stream, index: int) -> list[int]:
            return [4] * LENGTH

    _, progress = told_of(Trainer(new_model(), Same(), schedule(steps=20), 0, Share()))
    assert progress[-1].held_out.loss < 0.5 * progress[0].held_out.loss
    assert progress[-1].held_out[1:] == (0, 0)


def test_dropout_hangs_on_the_seed_and_not_on_who_drew_before() -> None:
    runs = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        torch.rand(noise)
        runs.append(told_of(trainer(new_model(attention_dropout=0.4)))[0])
    assert runs[0] == runs[1]
    other = Trainer(new_model(attention_dropout=0.4), Numbers(), schedule(), 43, Share())
    assert told_of(other)[0] != runs[0]
    assert told_of(trainer())[0] != runs[0]


def test_training_leaves_the_callers_dropout_masks_alone() -> None:
    one = trainer(new_model(attention_dropout=0.4))
    run = one.run()
    next(run)
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    next(run)
    assert torch.equal(torch.rand(1), before)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_rows_made_by_worker_processes_are_the_same() -> None:
    made = [place[:2] for place in trainer(workers=2).run()]
    assert made == [place[:2] for place in trainer().run()]


def test_without_torchrun_one_process_has_all_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with processes("cpu") as (share, place):
        assert (share, place) == (Share(0, 1), torch.device("cpu"))
        share.barrier()
        assert share.sum(torch.ones(2)).tolist() == [1, 1]
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with processes("cpu") as (share, _):
        assert share == Share()
    assert not torch.distributed.is_initialized()

"""Rows from the samples of tasks: a prompt as a model is asked it, with its answer behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mta_eval import registry
from mta_eval.core import Cell, ReadingTask, Sample, Task, generator
from mta_eval.errors import SpecError
from mta_eval.training.rows import Stream, WeightedRows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from mta_eval.models.tokenizer import FastTokenizer

SEEDS = {"training": 1_000_000_000, "validation": 2_000_000_000, "test": 2_000_000_001}  # far from those of runs
OWN_SEEDS = 1_000_000_000  # training seeds, so that none has samples that are held out
ENDING = "\n"  # ends an answer, and is a stop string of tasks that end in "Answer:"
DEPTHS = 8  # decimals of a depth
NO_ANSWERS = "has no answers to train on; name another task, or train on its text"


@dataclass(frozen=True)
class SampleRows(WeightedRows):
    """Rows of `length` tokens, each a sample of one of the tasks (specs) in turn, for `rows.Rows`.

    The sample's window is one of `windows` (0: the facts alone), its depth anywhere. What is shorter than the row is
    padded at its end. An answer counts `answer_weight` in the loss, each token of the prompt `text_weight`.
    Raises SpecError for a task that has no samples with an answer.
    """

    tasks: tuple[str, ...]
    tokenizer: PreTrainedTokenizerFast
    length: int
    windows: tuple[int, ...]
    seed: int
    text_weight: float = 0.0
    answer_weight: float = 1.0

    def row(self, stream: Stream, index: int) -> tuple[list[int], list[float], list[int]]:
        """Tokens, their weights, and 1 for the tokens of the answer. Raises SpecError where a sample has no answer."""
        task, sample = self._sample(stream, index, self.windows)
        if sample.length > self.length:  # the facts alone may be long
            task, sample = self._sample(stream, index, (self.length,))
        prompt = self._reader.prompt_ids(sample.prompt, plain=sample.chat is None)
        told = f"{sample.prompt}{sample.target_delimiter}{_answer(task, sample)}{self._ending(sample)}"
        whole = self._reader.prompt_ids(told, plain=sample.chat is None)
        shared = next(
            (at for at, pair in enumerate(zip(prompt, whole, strict=False)) if len(set(pair)) > 1), len(prompt)
        )
        if len(whole) > self.length:
            raise SpecError(f"{sample.id} does not fit rows of {self.length} tokens; train on longer ones")
        answer = len(whole) - shared
        padding = self.length - len(whole)
        weights = [0.0, *[self.text_weight] * (shared - 1), *[self.answer_weight] * answer, *[0.0] * padding]
        return whole + [self._padding] * padding, weights, [0] * shared + [1] * answer + [0] * padding

    def _sample(self, stream: Stream, index: int, windows: tuple[int, ...]) -> tuple[Task, Sample]:
        """Sample `index`, and its task; the same for every seed of a training where it is held out."""
        random = generator(self.seed if stream == "training" else 0, "sample rows", stream, index)
        (task, has_depths), window = self._built[index % len(self._built)], random.choice(windows)
        cell = Cell(window, round(random.random(), DEPTHS) if has_depths else None, index)
        seed = SEEDS[stream] + (self.seed % OWN_SEEDS if stream == "training" else 0)
        return task, task.sample(cell, seed, self._reader)

    def _ending(self, sample: Sample) -> str:
        """What ends the answer: the end of the turn in a chat, a stop string, else the end of the text."""
        if sample.chat is not None and self._reader.turn_end is not None:
            return self._reader.decode_all([self._reader.turn_end])
        return next(iter(sample.stop), str(self.tokenizer.eos_token or ENDING))

    @cached_property
    def _built(self) -> list[tuple[Task, bool]]:
        """The tasks, and whether each takes depths."""
        built = registry.build_all(self.tasks, registry.build_task)
        for spec, task in built.items():
            if isinstance(task, ReadingTask):
                raise SpecError(f"{spec} {NO_ANSWERS}")
        return [(task, self._has_depths(task)) for task in built.values()]

    def _has_depths(self, task: Task) -> bool:
        try:
            task.sample(Cell(self.windows[0], 0.5, 0), 0, self._reader)
        except SpecError:  # a list that is read whole; what else is wrong is raised again without a depth
            return False
        return True

    @cached_property
    def _reader(self) -> FastTokenizer:
        from mta_eval.models.tokenizer import FastTokenizer

        return FastTokenizer(self.tokenizer.backend_tokenizer, "training", self.tokenizer)

    @property
    def _padding(self) -> int:
        return int(self.tokenizer.eos_token_id or 0)


def _answer(task: Task, sample: Sample) -> str:
    """What is right to say: one target where that is enough, else all of them. Raises SpecError if nothing is right."""
    for answer in (*sample.targets[:1], ", ".join(sample.targets)):
        if answer and task.score(sample, answer) == 1:
            return answer
    raise SpecError(f"{sample.task} {NO_ANSWERS}")

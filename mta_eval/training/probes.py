"""What a model in training can do so far: tasks of the suite that it is asked at every evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta_eval import registry, runner
from mta_eval.core import Plan, Sweep
from mta_eval.results.measures import accuracy, perplexity
from mta_eval.results.table import length_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from mta_eval.core import Record
    from mta_eval.results.measures import Measurement

SEED = 4_000_000_000  # of samples: no run's and no row's


@dataclass(frozen=True)
class Probes:
    """Tasks (specs) at `lengths` tokens, `repeats` samples each at any depth; texts of `perplexity` are read whole."""

    tasks: tuple[str, ...]
    lengths: tuple[int, ...]
    repeats: int

    def __post_init__(self) -> None:
        registry.build_all(self.tasks, registry.build_task)

    def check(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        """Raises MtaEvalError where a task cannot be asked of this model: one that does not fit its window."""
        runner.check(self._plan(model, tokenizer))

    def ask(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
        """Accuracy (%) by task and length, "niah 1K", and perplexity by domain, "perplexity of wiki 1K".

        What no sample has a value of is left out.
        """
        was_training = model.training
        model.eval()
        records = list(runner.run(self._plan(model, tokenizer)))
        model.train(was_training)
        groups: dict[str, list[Record]] = {}
        for record in records:
            domain = record.axes.get("domain")
            what = f"perplexity of {domain}" if domain else record.task
            length = record.axes.get("length")
            groups.setdefault(f"{what} {length_text(int(length)) if length else '0k'}", []).append(record)
        found = {name: _value(name, group) for name, group in groups.items()}
        return {name: cell.mean for name, cell in found.items() if cell is not None}

    def _plan(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Plan:
        from mta_eval.models.in_memory import InMemory

        tasks = registry.build_all(self.tasks, registry.build_task)
        return Plan(tasks, {"model": InMemory(model, tokenizer)}, Sweep(self.lengths, (None,), self.repeats, SEED))


def _value(name: str, records: Sequence[Record]) -> Measurement | None:
    return perplexity(records) if name.startswith("perplexity of") else accuracy(records)

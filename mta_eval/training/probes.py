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

SEED = 4_000_000_000  # of samples: no run's and no row's


@dataclass(frozen=True)
class Probes:
    """Tasks (specs) at `lengths` tokens, `repeats` samples each at any depth; texts of `perplexity` are read whole."""

    tasks: tuple[str, ...]
    lengths: tuple[int, ...]
    repeats: int

    def __post_init__(self) -> None:
        registry.build_all(self.tasks, registry.build_task)

    def ask(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
        """Accuracy by task and length, "niah 1K", and perplexity by domain, "perplexity of wiki 1K".

        Raises MtaEvalError where a task cannot be asked of this model.
        """
        from mta_eval.models.in_memory import InMemory

        was_training = model.training
        model.eval()
        tasks = registry.build_all(self.tasks, registry.build_task)
        plan = Plan(tasks, {"model": InMemory(model, tokenizer)}, Sweep(self.lengths, (None,), self.repeats, SEED))
        runner.check(plan)
        records = list(runner.run(plan))
        model.train(was_training)
        groups: dict[str, list[Record]] = {}
        for record in records:
            domain = record.axes.get("domain")
            what = f"perplexity of {domain}" if domain else record.task
            length = record.axes.get("length")
            groups.setdefault(f"{what} {length_text(int(length)) if length else '0k'}", []).append(record)
        return {name: _value(name, group) for name, group in groups.items()}


def _value(name: str, records: Sequence[Record]) -> float:
    cell = perplexity(records) if name.startswith("perplexity of") else accuracy(records)
    return cell.mean if cell else float("nan")

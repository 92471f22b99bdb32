"""lm-eval's own benchmarks, asked of our models and kept as records: accuracy, or for LAMBADA log-likelihoods."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mta_eval.core import AxisValue, Model, Record, Run, Sweep
from mta_eval.errors import SpecError, TextError
from mta_eval.models.error_text import first_line
from mta_eval.version import VERSION


class Benchmarks:
    """Tasks of lm-eval by name, with the number of worked examples in their prompts; `limit` docs of each at most.

    Making it fetches or reads every data set, so that what is missing is known before anything is asked. Raises
    TextError that names all that is missing, SpecError without lm-eval.
    """

    def __init__(self, shots: Mapping[str, int], limit: int | None = None, include_path: Path | None = None) -> None:
        try:
            from lm_eval.tasks import TaskManager
        except ImportError as error:
            raise SpecError(
                "benchmarks need lm-eval: pip install 'mta-eval[lm-eval]', or --without benchmarks"
            ) from error
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        self._shots, self._limit = dict(shots), limit
        self._manager = TaskManager(include_path=include_path)
        self._missing: dict[str, str] = {}
        self._subtasks = {name: self._load(name) for name in shots}
        if self._missing:
            raise TextError(
                f"no data for {', '.join(self._missing)} ({next(iter(self._missing.values()))}); these are data sets "
                "of the Hugging Face hub: fetch them on a machine with a network (HF_HOME is the cache), or leave them "
                "out: --without benchmarks"
            )

    def ask(self, models: Mapping[str, Model], out: Path, say: Callable[[Iterable[str]], None]) -> list[Record]:
        """Ask what is not answered yet in the run folder `out`; returns all that it holds. Raises StoreError."""
        from mta_eval.results.store import RunFolder, read

        fingerprints = {name: model.tokenizer.fingerprint for name, model in models.items()}
        about = {"shots": self._shots, "limit": self._limit, "asked by": "lm-eval"}
        question = Run(
            tuple(self._shots), tuple(models), Sweep((), (), 0), "choose", "refuse", VERSION, fingerprints, about
        )
        with RunFolder(out, question) as folder:
            for model_name, model in models.items():
                for task in self._shots:
                    for subtask, count in self._subtasks[task].items():
                        answered = [sample_id for name, _, sample_id in folder.done if name == model_name]
                        if sum(sample_id.startswith(f"{subtask}/") for sample_id in answered) < count:
                            say([f"{subtask}: {count} questions to {model_name}"])
                            for record in self._ask(task, subtask, model_name, model):
                                if folder.run.key_of(record) not in folder.done:
                                    folder.append(record)
        return read(out)[1]

    def _load(self, name: str) -> dict[str, int]:
        """The tasks behind a name (a group has several), each with its number of docs; {} if data are missing."""
        import datasets

        try:
            loaded = self._manager.load([name])["tasks"]
        except Exception as error:  # each data set fails in its own way
            self._missing[name] = first_line(error)
            if isinstance(error, ConnectionError):
                datasets.config.HF_HUB_OFFLINE = True  # the others would wait as long; what is in the cache still opens
            return {}
        counts = {subtask: len(task.eval_docs) for subtask, task in loaded.items()}
        return {subtask: min(count, self._limit or count) for subtask, count in counts.items()}

    def _ask(self, task: str, subtask: str, model_name: str, model: Model) -> Iterator[Record]:
        from lm_eval import simple_evaluate

        from mta_eval.integrations.lm_eval.asked_model import AskedModel

        began = time.perf_counter()
        results: dict[str, Any] = simple_evaluate(
            model=AskedModel(model),
            tasks=[subtask],
            num_fewshot=self._shots[task],
            limit=self._limit,
            task_manager=self._manager,
            bootstrap_iters=0,
            log_samples=True,
        )
        rows = results["samples"][subtask]
        seconds = (time.perf_counter() - began) / max(1, len(rows))
        for row in rows:
            yield _record(row, task, subtask, model_name, seconds)


def _record(row: Mapping[str, Any], task: str, subtask: str, model: str, seconds: float) -> Record:
    """A row of lm-eval's samples. The score is its accuracy; LAMBADA's is the probability of the last word."""
    values = [float(response[0]) for response in row["filtered_resps"]]
    arguments = [argument[1] for argument in row["arguments"]]
    axes: dict[str, AxisValue] = {"subtask": subtask} if subtask != task else {}
    if len(values) == 1:
        axes |= {"nats": -values[0], "predicted": 1}
    return Record(
        sample_id=f"{subtask}/{row['doc_id']}",
        task=task,
        model=model,
        axes=axes,
        targets=[str(row["target"])],
        output=None if len(values) == 1 else arguments[values.index(max(values))],
        score=math.exp(values[0]) if len(values) == 1 else float(row["acc"]),
        prompt_tokens=0,
        max_new_tokens=0,
        seconds=seconds,
        choices=[] if len(values) == 1 else arguments,
    )

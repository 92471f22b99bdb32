"""Our tasks as lm-eval's: the YAMLs in `tasks/` name these classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Any, ClassVar

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from mta_eval.core import Message, depth_text
from mta_eval.errors import LengthError, SpecError
from mta_eval.integrations.lm_eval.question import TASKS, Doc, TaskQuestion
from mta_eval.models.stop_strings import cut_at_stop, sendable_stops
from mta_eval.results.statistics import standard_error

BUDGETS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")  # lm-eval's names, the first wins
STDERR = "_stderr"  # how lm-eval names the standard error of a metric


class Docs(list[Doc]):
    """Samples as lm-eval wants a data set: a list that names its columns."""

    @property
    def features(self) -> Mapping[str, object]:
        """The columns."""
        return dict.fromkeys(self[0])


class Drawn(float):
    """A score that knows the draw of its sample."""

    draw: str


def _mean(scores: Sequence[Drawn]) -> float:
    return fsum(scores) / len(scores)


def _standard_error(scores: Sequence[Drawn]) -> float:
    return standard_error(scores, [score.draw for score in scores])


class _Asked(ConfigurableTask):
    """A task of ours. Its metadata: lengths, depths, repeats, sample_seed, tokenizer, and the task's own options.

    Standard errors are those of our own intervals: samples of one draw count as they agree, not as independent ones. An
    option that is given as a list is swept, like lengths and depths; each value has a metric of its own, which is
    the mean over the docs that have it.
    """

    asks: ClassVar[str]

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        config = dict(config or {})
        config.pop("class", None)
        metadata = config.setdefault("metadata", {})
        self._question = TaskQuestion(self.asks, metadata)
        self._docs = Docs(self._question.docs())
        metrics = list(dict.fromkeys(name for doc in self._docs for name in self._metrics_of(doc)))
        super().__init__(
            config={
                "task": f"mta_{self.asks}",
                "output_type": "generate_until",
                "test_split": "test",
                "num_fewshot": 0,
                "generation_kwargs": {"until": [], "do_sample": False, "temperature": 0.0},
                "metric_list": [
                    {"metric": name, "aggregation": how, "higher_is_better": True}
                    for one in metrics
                    for name, how in ((one, _mean), (one + STDERR, _standard_error))
                ],
                "process_results": self._score,
                **config,
            }
        )

    def download(self, *_: object, **__: object) -> None:
        """Nothing is fetched: the docs are made."""
        self.dataset = {"test": self._docs}

    def doc_to_text(self, doc: Doc, *_: object) -> str:
        """The prompt."""
        return str(doc["prompt"])

    def doc_to_target(self, doc: Doc, *_: object) -> str:
        """What an answer should hold."""
        return ", ".join(doc["targets"])

    def fewshot_context(
        self,
        doc: Doc,
        *_: object,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        chat_template: Callable[[list[Message]], str] | None = None,
        **_options: object,
    ) -> str:
        """The prompt, sized to the token: so nothing may be put before it, and chat is a matter of the samples.

        Raises SpecError for system instructions, and where --apply_chat_template and prompt=chat do not go together.
        """
        if system_instruction:
            raise SpecError(f"mta_{self.asks}: a system instruction would push prompts over their length; leave it out")
        if bool(apply_chat_template) != (doc["chat"] is not None):
            raise SpecError(
                f"mta_{self.asks}: --apply_chat_template and prompt=chat (in --metadata) go together: give both or none"
            )
        if doc["chat"] is not None:
            assert chat_template is not None  # lm-eval gives it where it applies one
            rendered = chat_template([dict(message) for message in doc["chat"]])
            if rendered != doc["prompt"]:
                raise SpecError(
                    f"mta_{self.asks}: the model's chat template is not the one the prompts were sized with"
                )
        return str(doc["prompt"])

    def construct_requests(self, doc: Doc, ctx: str, *, metadata: object, **_options: object) -> Instance:
        """One request, with the answer budget and stop strings of its sample; --gen_kwargs go before them.

        Raises LengthError for a budget that leaves the prompt no room: lm-eval's models would cut it.
        """
        settings = {key: value for key, value in self.config.generation_kwargs.items() if value != []}
        budgets = [settings.pop(key) for key in BUDGETS if key in settings]
        defaults = {"until": sendable_stops(doc["stop"]), "max_gen_toks": int([*budgets, doc["max_new_tokens"]][0])}
        if doc["prompt_tokens"] + defaults["max_gen_toks"] > (window := self._question.reader.max_length):
            raise LengthError(
                f"{doc['id']}: {doc['prompt_tokens']} prompt tokens and {defaults['max_gen_toks']} of answer exceed "
                f"the window of {window}; give --gen_kwargs a smaller max_gen_toks, or shorter lengths"
            )
        return Instance(
            request_type="generate_until",
            doc=doc,
            arguments=(ctx, defaults | settings),
            idx=0,
            metadata=metadata,
        )

    def build_all_requests(self, **options: object) -> None:
        """See lm-eval. Raises SpecError for --cache_requests, whose keys know neither lengths nor tokenizer."""
        if options.get("cache_requests"):
            raise SpecError("--cache_requests would give back other lengths' prompts; leave it out")
        super().build_all_requests(**options)

    def apply_filters(self) -> list[Instance] | None:
        """lm-eval's, and then what `mta-eval run` does to an answer: it ends at a stop string after its first word."""
        filtered: list[Instance] | None = super().apply_filters()
        for instance in self.instances:
            for name, answer in instance.filtered_resps.items():
                instance.filtered_resps[name] = cut_at_stop(answer, tuple(instance.doc["stop"]))
        return filtered

    def _score(self, doc: Doc, results: Sequence[str]) -> dict[str, float]:
        score = Drawn(self._question.score(doc, results[0]))
        score.draw = str(doc["draw"])
        # lm-eval has no standard error for `_mean`: what stands under the name of one, which comes later, is ours
        return {name + end: score for name in self._metrics_of(doc) for end in ("", STDERR)}

    def _metrics_of(self, doc: Doc) -> list[str]:
        """The metrics that a doc counts in: over all, of its length, depth, and value of each swept option."""
        names = ["acc", f"acc_length_{doc['length']}"]
        if doc["depth"] is not None:
            names.append(f"acc_depth_{depth_text(doc['depth'])}")
        return names + [f"acc_{key}_{value}" for key, value in doc["options"].items()]


def _lm_task(name: str) -> type[_Asked]:
    """The class of a task of ours, such as NiahLMTask, which asks `mta_niah`."""
    words = {"__doc__": f"`mta_{name}`.", "__module__": __name__, "asks": name}
    return type("".join(map(str.capitalize, name.split("_"))) + "LMTask", (_Asked,), words)


LM_TASKS = {class_.__name__: class_ for class_ in map(_lm_task, TASKS)}
"""By the names under which `tasks/*.yaml` find them in this module."""
globals().update(LM_TASKS)

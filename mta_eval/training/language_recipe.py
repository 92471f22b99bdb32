"""The recipe for language models: next tokens of texts, answers of tasks or both, from scratch or a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from mta_eval import registry
from mta_eval.errors import SpecError
from mta_eval.training.language_sizes import FROM_CHECKPOINT, SMALLEST_SIZE, find_size, language_config
from mta_eval.training.recipe_json import recipe_fields
from mta_eval.training.weights import seeded_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from mta_eval.tasks.documents import Document
    from mta_eval.training.rows import Rows
    from mta_eval.training.trainer import Schedule

Tune = Literal["all", "kernels", "lora", "lora+kernels"]
MTA = "mta"  # unless told otherwise
LEARNT = "bpe"  # a tokenizer that is learnt from the text: bpe:4096


@dataclass(frozen=True)
class LanguageRecipe:
    """What is trained, and how. Without `data` the rows are of `tasks` alone, without tasks they are of the text.

    `start` is a checkpoint to go on from; `tune` says which of its weights are trained. `attention` "" is the
    checkpoint's own.
    """

    attention: str
    preset: str
    seed: int
    schedule: Schedule
    length: int
    data: str = ""
    column: str = "text"
    split: str = "train"
    text_share: float = 0.5  # of rows, where there are tasks too
    tasks: tuple[str, ...] = ()
    windows: tuple[int, ...] = ()  # of the tasks' samples; none: the row's length
    text_weight: float = 0.0  # of a token of a task's prompt
    tokenizer_spec: str = ""
    start: str = ""
    tune: Tune = "all"
    rank: int = 16
    options: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.data and not self.tasks:
            raise SpecError("text needs --data: text files, a folder, .jsonl, dataset:NAME, or prose")
        if self.tune not in get_args(Tune):
            raise SpecError(f"--tune cannot be {self.tune!r}; there is: {', '.join(get_args(Tune))}")
        if self.tune != "all" and not self.start:
            raise SpecError(f"--tune {self.tune} trains a part of a checkpoint; name it with --from")
        if self.start and self.tokenizer_spec:
            raise SpecError("a checkpoint has its tokenizer; leave --tokenizer out, or --from")
        if not self.start and not self.data and self.tokenizer_spec.partition(":")[0] in ("", LEARNT):
            raise SpecError(
                "a new model needs a tokenizer: name one by --tokenizer, or text to learn it from: "
                "mta-eval train text TASK --data …"
            )

    def described(self) -> dict[str, object]:
        """As recipe.json keeps it; text and checkpoint by their digests, so that others are not gone on with."""
        from mta_eval.models.identity import weights_digest
        from mta_eval.models.locations import checkpoint_path, local_path

        what = ["text"] * bool(self.data) + list(self.tasks)
        digest = {"text": _digest(self._texts)} if self.data else {}
        if self.start:
            digest["weights"] = weights_digest(local_path(checkpoint_path(self.start)))
        return recipe_fields(self, task=" ".join(what)) | digest

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The checkpoint's, the one that was named, or one that is learnt from the text."""
        return self._tokenizer

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerFast:
        from mta_eval.models.locations import checkpoint_path
        from mta_eval.models.tokenizer import transformers_tokenizer
        from mta_eval.training.corpus import pieces_of
        from mta_eval.training.word_pieces import learn_tokenizer

        if self.start:
            return transformers_tokenizer(checkpoint_path(self.start))
        kind, _, size = self.tokenizer_spec.partition(":")
        if kind not in ("", LEARNT):
            return transformers_tokenizer(checkpoint_path(self.tokenizer_spec))
        if size and not size.isdecimal():
            raise SpecError(f"--tokenizer {self.tokenizer_spec!r}: write bpe:4096, or name a tokenizer")
        pieces = (piece for document in self._texts for piece in pieces_of(document.text))
        return learn_tokenizer(pieces, int(size or find_size(self.preset).vocabulary))

    def rows(self, tokenizer: PreTrainedTokenizerFast) -> Rows:
        """Text, tasks, or a mixture."""
        from mta_eval.training.corpus import tokenise
        from mta_eval.training.rows import MixedRows
        from mta_eval.training.sample_rows import SampleRows
        from mta_eval.training.text_rows import TextRows

        parts: list[tuple[float, Rows]] = []
        if self.data:
            parts.append((self.text_share, TextRows(tokenise(self._texts, tokenizer), self.length, self.seed)))
        if self.tasks:
            windows = self.windows or (self.length,)
            rows = SampleRows(self.tasks, tokenizer, self.length, windows, self.seed, self.text_weight)
            rows.batch("test", range(len(self.tasks)))  # one of each, to find at once what cannot be asked
            parts.append((1 - self.text_share, rows))
        return parts[0][1] if len(parts) == 1 else MixedRows(parts)

    def new_model(self, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
        """The model before its first step, in float32: the same for a seed on every machine."""
        with seeded_weights(self.seed):
            model = self._from_checkpoint() if self.start else self._from_scratch(tokenizer)
        self._check(model, tokenizer)
        return model

    def _check(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        """Raises SpecError if the model cannot read the rows."""
        from mta_eval.models.context_window import window_of

        window, vocabulary = window_of(model.config), model.config.vocab_size
        if window and self.length > window:
            raise SpecError(
                f"rows of {self.length:,} tokens are longer than the window of the model, {window:,}; "
                "give a smaller --length"
            )
        largest = max(tokenizer.get_vocab().values())
        if largest >= vocabulary:
            raise SpecError(
                f"the tokenizer has a token {largest:,}, the model {vocabulary:,} tokens; they do not belong together"
            )

    def about(self) -> str:
        """What the model is good for."""
        begun = f"It began as `{self.start}` ({self.tune} weights trained). " if self.start else ""
        return f"{begun}Its rows had {self.length:,} tokens."

    def _from_scratch(self, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
        from mta_eval.attention.decoder import MTAForCausalLM

        tokens = {
            "vocab_size": len(tokenizer),
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "max_position_embeddings": self.length,
        }
        model: PreTrainedModel = MTAForCausalLM(language_config(self.preset, self.attention, tokens, self.options))
        return model

    def _from_checkpoint(self) -> PreTrainedModel:
        from mta_eval.models.checkpoints.retrofit import open_checkpoint

        model = open_checkpoint(self.start, self.attention, self.options)
        return _tuned(model.float(), self.tune, self.rank)

    @cached_property
    def _texts(self) -> tuple[Document, ...]:
        from mta_eval.tasks.documents import read_documents

        return read_documents(self.data, self.column, self.split, 0)


def _tuned(model: PreTrainedModel, tune: Tune, rank: int) -> PreTrainedModel:
    """The model with the weights to train marked by `requires_grad`. Raises SpecError where there are none."""
    from mta_eval.models.checkpoints.lora import kernel_parameters, with_lora

    if tune.startswith("lora"):
        adapted: PreTrainedModel = with_lora(model, rank, kernels=tune == "lora+kernels")
        return adapted
    if tune == "kernels":
        own = set(kernel_parameters(model))
        if not own:
            raise SpecError(f"{model.config.attention} attention has no kernels to train; name another --attention")
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in own)
    return model


def _digest(documents: tuple[Document, ...]) -> str:
    hashed = hashlib.sha256()
    for document in documents:
        for text in document:
            hashed.update(len(text.encode()).to_bytes(8, "big") + text.encode())
    return hashed.hexdigest()[:16]


def _check_options(tasks: tuple[str, ...], options: Mapping[str, Any]) -> None:
    """Raises SpecError for options of LanguageRecipe that would change nothing."""
    if "text_share" in options and not (tasks and options.get("data")):
        raise SpecError("--text-share mixes text with tasks; name both, or leave it out")
    if "text_weight" in options and not tasks:
        raise SpecError("--text-weight is about the prompts of tasks; name a task, or leave it out")
    if "rank" in options and not str(options.get("tune", "")).startswith("lora"):
        raise SpecError("--rank is that of LoRA; give --tune lora or lora+kernels, or leave it out")


def language_model(
    tasks: tuple[str, ...],
    attention: str,
    preset: str,
    seed: int,
    changes: Mapping[str, Any],
    options: Mapping[str, Any],
) -> LanguageRecipe:
    """The recipe; `changes` replace fields of the schedule, `options` are fields of LanguageRecipe.

    "" is the smallest preset, or with a checkpoint its size. Raises SpecError.
    """
    from mta_eval.training.trainer import Schedule

    if preset and options.get("start"):
        raise SpecError("a checkpoint has its size; leave --preset out, or --from")
    if preset == FROM_CHECKPOINT:
        raise SpecError("a checkpoint is named by --from; leave --preset out")
    _check_options(tasks, options)
    name = FROM_CHECKPOINT if options.get("start") else preset or SMALLEST_SIZE
    size = find_size(name)
    registry.build_all(tasks, registry.build_task)
    schedule: dict[str, Any] = {
        "steps": size.steps,
        "batch": size.batch,
        "learning_rate": size.learning_rate,
        "warmup": min(size.warmup, changes.get("steps", size.steps) // 10),
        "weight_decay": size.weight_decay,
        "decay": 1.0,
        "held_out": 4 * size.batch,
        "tested": 8 * size.batch,
    }
    fields = {"length": size.length, **options}
    attention = attention or ("" if options.get("start") else MTA)
    return LanguageRecipe(attention, name, seed, Schedule(**{**schedule, **changes}), tasks=tasks, **fields)

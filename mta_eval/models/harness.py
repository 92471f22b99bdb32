"""Any model of lm-eval (hf, vllm, sglang, local-completions, anthropic, …) as a `core.Model`.

lm-eval changes prompts in silence, so this is checked beforehand: another count of tokens (a missing BOS) raises,
and `max_length` is the window beyond which it would cut. Where a backend does not say what it makes of a prompt, its
answers are unverified.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mta_eval.core import Ability, Answer, Finish, ModelIdentity, Sample
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.answer_text import GivenText, answer_of, check_marks, early_stops
from mta_eval.models.chat_templates import options_of
from mta_eval.models.devices import choose_device
from mta_eval.models.error_text import first_line
from mta_eval.models.hf import HuggingFace
from mta_eval.models.identity import template_digest, weights_digest
from mta_eval.models.locations import checkpoint_path
from mta_eval.models.server_prompts import CLOCK
from mta_eval.models.tokenizer import FastTokenizer, load_tokenizer

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import LM

Settings = Mapping[str, object]
SERVED = 2048  # the window that lm-eval assumes of a server unless max_length is given
SECRETS = ("api_key", "auth_token", "token", "hf_token", "use_auth_token", "password", "secret", "header")
HINT = "pip install 'mta-eval[lm-eval]'"


@dataclass(frozen=True)
class Harness:
    """Any lm-eval model by its name there, with its arguments: harness:hf,pretrained=PATH,dtype=float32."""

    name: ClassVar[str] = "harness"

    backend: str = field(metadata={"help": "lm-eval's name: hf, vllm, sglang, local-completions, anthropic, …"})
    together: int = field(default=16, metadata={"help": "prompts passed on at once"})
    arguments: tuple[tuple[str, str], ...] = field(
        default=(),
        metadata={"help": "KEY=VALUE,… for lm-eval; tokenizer= sizes the prompts, else pretrained=", "rest": True},
    )

    def __post_init__(self) -> None:
        if self.together < 1:
            raise SpecError("harness: together must be at least 1")
        for key, value in self.arguments:
            if key in SECRETS or (key == "base_url" and "@" in value):
                raise SpecError(
                    f"harness: {key} would be written into the run; lm-eval reads keys from the environment"
                )

    @property
    def in_process(self) -> bool:
        """Whether the backend computes in this process: lm-eval's own for Hugging Face models do."""
        return self.backend.startswith("hf")

    @cached_property
    def max_length(self) -> int:
        """The window of the arguments or the checkpoint's config, else the loaded model's. Raises ModelError."""
        known = window_in_lm_eval(dict(self.arguments)) or getattr(self._loaded, "max_length", None)
        if not known:
            raise ModelError(f"lm-eval's {self.backend} names no window; add max_length=TOKENS")
        return int(known)

    @cached_property
    def tokenizer(self) -> FastTokenizer:
        """That of tokenizer=, pretrained= or model=, the first that is given. Raises ModelError."""
        return tokenizer_in_lm_eval(dict(self.arguments))

    @property
    def abilities(self) -> frozenset[Ability]:
        """Sums of log-likelihoods, but none of single tokens: lm-eval's interface has no more."""
        return frozenset({"answers", "chooses"})

    def describe(self) -> dict[str, str]:
        """The backend and its arguments."""
        return {"backend": self.backend, **dict(self.arguments)}

    def identity(self) -> ModelIdentity:
        """The template, and the weights in the folder of pretrained=; lm-eval says no more of a backend."""
        folder = Path(str(dict(self.arguments).get("pretrained", "")))
        weights = weights_digest(folder) if folder.is_dir() else ""
        return ModelIdentity(weights=weights, template=template_digest(self.tokenizer.chat_template))

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """See core.Model."""
        waiting = iter(samples)
        while group := list(islice(waiting, self.together)):
            prompts = [self._prompt(sample) for sample in group]
            questions = [self._question(sample, text) for sample, (text, _) in zip(group, prompts, strict=True)]
            try:
                answers = self._loaded.generate_until(questions)
            except Exception:  # one prompt made it fail: ask each alone
                answers = (self._loaded.generate_until([question])[0] for question in questions)
            for output, sample, (_, counted) in zip(answers, group, prompts, strict=True):
                yield replace(self._answer(output, sample), unverified=not counted)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model."""
        asked = [self._request("loglikelihood", (self._prompt(sample)[0], text), sample) for sample, text in pairs]
        values = [float(value) for value, _ in self._loaded.loglikelihood(asked)]
        # lm-eval counts white space at the end of a prompt to the text: its log-likelihood is subtracted again
        ends = {
            request.args[0]: _split_trailing_space(request.args[0])
            for request in asked
            if request.args[0][-1:].isspace()
        }
        if not ends:
            return values
        samples = {request.args[0]: sample for request, (sample, _) in zip(asked, pairs, strict=True)}
        alone = [self._request("loglikelihood", parts, samples[prompt]) for prompt, parts in ends.items()]
        extra = {prompt: value for prompt, (value, _) in zip(ends, self._loaded.loglikelihood(alone), strict=True)}
        return [value - extra.get(request.args[0], 0.0) for value, request in zip(values, asked, strict=True)]

    def _answer(self, output: str, sample: Sample) -> Answer:
        """lm-eval returns the text alone: one that fills its budget counts as cut by it."""
        full = len(self.tokenizer.encode(output).ids) >= sample.budget
        finish: Finish = "length" if full else "stop"
        return answer_of(GivenText(output, finish), sample, self.tokenizer)

    def _question(self, sample: Sample, prompt: str) -> Instance:
        check_marks(sample, self.tokenizer, f"lm-eval's {self.backend}")
        settings = {
            "until": early_stops(sample, self.tokenizer),
            "max_gen_toks": sample.budget,
            "do_sample": False,
            "temperature": 0.0,
        }
        return self._request("generate_until", (prompt, settings), sample)

    def _request(self, kind: str, arguments: tuple[str, Settings | str], sample: Sample) -> Instance:
        from lm_eval.api.instance import Instance

        return Instance(request_type=kind, doc={}, arguments=arguments, idx=0, metadata=(sample.task, 0, 1))

    def _prompt(self, sample: Sample) -> tuple[str, bool]:
        """The prompt as the backend takes it, and whether its tokens were counted there.

        Raises ModelError if it would read other tokens than were counted here.
        """
        prompt = sample.prompt
        if sample.chat is not None and self.tokenizer.with_settings(sample.settings).render(sample.chat) == prompt:
            rendered = self._loaded.apply_chat_template([dict(message) for message in sample.chat])
            if not isinstance(rendered, str):  # messages, which its server renders
                self._check_settings(sample)
                prompt = rendered
        count = self._count(prompt)
        if count not in (None, sample.prompt_tokens):
            raise ModelError(
                f"lm-eval's {self.backend} reads {sample.id} as {count} tokens, not {sample.prompt_tokens}; where a "
                "BOS is missing add add_bos_token=True, else give the right tokenizer="
            )
        return prompt, count is not None

    def _check_settings(self, sample: Sample) -> None:
        """Raises ModelError for settings of a chat that lm-eval cannot pass on beside messages."""
        template = self.tokenizer.chat_template
        options = options_of(template, sample.settings)
        lost = [f"options of the chat template ({', '.join(options)})"] if options else []
        lost += ["the beginning of an answer"] if sample.settings.answer_prefix else []
        lost += ["the day that the chat template asks for"] if CLOCK in template else []
        if lost:
            raise ModelError(
                f"lm-eval's {self.backend} sends messages, and {lost[0]} cannot come along; use server:, or a backend "
                "that sends prompts, such as local-completions"
            )

    def _count(self, prompt: object) -> int | None:
        """The tokens that the backend makes of a prompt; None where it does not say."""
        encode = getattr(self._loaded, "tok_encode", None)
        ids = encode(prompt) if encode and isinstance(prompt, str) else []
        return len(ids) if ids and isinstance(ids[0], int) else None

    @cached_property
    def _loaded(self) -> LM:
        """The backend. Raises ModelError."""
        try:
            import lm_eval.models  # noqa: F401  enters lm-eval's models into its table
            from lm_eval.api.registry import get_model
            from lm_eval.utils import handle_arg_string
        except ImportError as error:
            raise ModelError(f"harness: lm-eval is not installed; {HINT}") from error
        arguments = {key: handle_arg_string(value) for key, value in self.arguments}
        try:
            backend: type[LM] = get_model(self.backend)
        except (ValueError, KeyError) as error:
            raise SpecError(f"harness: lm-eval has no model {self.backend!r}: {first_line(error)}") from error
        if not _has_argument(backend, "tokenizer"):
            arguments.pop("tokenizer", None)
        if _has_argument(backend, "device"):
            arguments.setdefault("device", choose_device("auto"))  # lm-eval's own default is cuda
        try:
            return backend.create_from_arg_obj(arguments)
        except Exception as error:  # each backend raises what it trips over
            raise ModelError(f"harness: lm-eval cannot make {self.backend!r}: {first_line(error)}") from error


def tokenizer_in_lm_eval(arguments: Mapping[str, object]) -> FastTokenizer:
    """The tokenizer that a model of lm-eval's has by its arguments. Raises ModelError if none is named."""
    path = arguments.get("tokenizer") or arguments.get("pretrained") or arguments.get("model")
    if not isinstance(path, str):
        raise ModelError("no tokenizer is named to size the prompts with; give pretrained= or tokenizer=")
    return load_tokenizer(checkpoint_path(path))


def window_in_lm_eval(arguments: Mapping[str, object]) -> int:
    """The window that a model has in lm-eval, which cuts longer prompts and says so in no result; 0 if unknown.

    Raises SpecError for what is no number, ModelError where there is no checkpoint.
    """
    served = "base_url" in arguments or "model" in arguments
    for key in ("max_length", "max_model_len"):
        if tokens := str(arguments.get(key) or ""):
            if not tokens.isdecimal():
                raise SpecError(f"{key} wants a number of tokens, not {tokens!r}")
            return int(tokens) - served  # of a server's window lm-eval does not use the last token
    if served:
        return SERVED - 1
    path = arguments.get("pretrained")
    return HuggingFace(checkpoint_path(path)).max_length if isinstance(path, str) else 0


def _split_trailing_space(prompt: str) -> tuple[str, str]:
    """The prompt, and the white space that ends it."""
    bare = prompt.rstrip()
    return bare, prompt[len(bare) :]


def _has_argument(backend: type[LM], name: str) -> bool:
    """Whether a class or one of its bases takes an argument of that name."""
    return any(name in inspect.signature(kind).parameters for kind in backend.__mro__[:-1])

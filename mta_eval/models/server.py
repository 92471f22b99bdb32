"""Any OpenAI-compatible server as a `core.Model`: vLLM, SGLang, llama.cpp, TGI, Ollama, …

The model reads what `FastTokenizer.prompt_ids` returns. Token ids (send=ids) are sent as they are. Of a text
(send=text) the server encodes a plain prompt and puts its BOS before it; a rendered chat has BOS written out, so it is
sent with `add_special_tokens: false`; `server_prompts` says when messages are sent instead. Either way the count that
the server reports must be ours, or it is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from mta_eval.core import Ability, Answer, Json, ModelIdentity, Sample
from mta_eval.errors import ModelError, SpecError
from mta_eval.models import server_prompts, server_replies
from mta_eval.models.answer_text import early_stops, marks_are_special, thought_may_come
from mta_eval.models.http_calls import Calls
from mta_eval.models.http_failures import ServerError, UnreachableError
from mta_eval.models.identity import digest_of, template_digest
from mta_eval.models.named_tokenizer import NamedTokenizer
from mta_eval.models.server_dialect import Dialect
from mta_eval.models.server_facts import ServerFacts, discover
from mta_eval.models.server_replies import Reply, as_object
from mta_eval.models.token_ids import shared_prefix_length
from mta_eval.printable import one_line

# Servers apply the penalties of a model's generation config to greedy answers too; these switch that off.
NO_PENALTY = {
    "vllm": {"repetition_penalty": 1.0},
    "sglang": {"repetition_penalty": 1.0},
    "llamacpp": {"repeat_penalty": 1.0},
}
SPELLS_SPECIAL_TOKENS = ("vllm", "sglang")  # take `skip_special_tokens`
# llama.cpp and Ollama take no `echo`; llama-cpp-python ("me") gives the log-probabilities shifted by one token
NO_ECHO = ("llamacpp", "library", "me")
ECHO_BYTES = 1024  # of an answer, for each token of the prompt, where its log-probabilities come along
CHOOSE_ADVICE = "use --answer generate"
READ_ADVICE = "read the text with the model itself (hf:PATH_OR_ID) or another server"


@dataclass(frozen=True)
class Server:
    """Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, TGI, Ollama. Key: MTA_EVAL_API_KEY in the environment."""

    name: ClassVar[str] = "server"
    in_process: ClassVar[bool] = False

    url: str = field(metadata={"help": "where it listens, such as http://localhost:8000/v1"})
    model: str = field(default="", metadata={"help": "its name there; not needed if the server has one model only"})
    tokenizer: NamedTokenizer = field(
        default=NamedTokenizer(""), metadata={"help": "the model's: folder, tokenizer.json, .gguf file or hub id"}
    )
    api: Literal["auto", "completion", "chat"] = field(
        default="auto", metadata={"help": "auto: /chat/completions for chat prompts, else /completions"}
    )
    send: Literal["ids", "text"] = field(
        default="ids", metadata={"help": "prompts as token ids, or (TGI, Ollama) text"}
    )
    max_length_override: int = field(default=0, metadata={"help": "its window, if the server does not say it"})
    concurrency: int = field(default=8, metadata={"help": "calls at a time"})
    retries: int = field(default=5, metadata={"help": "more tries after 429, 5xx, dropped connections"})
    timeout: float = field(default=600.0, metadata={"help": "seconds that an answer may take, its tries together"})
    count: Literal["check", "trust"] = field(
        default="check", metadata={"help": "trust: an answer to a prompt that it counts otherwise is marked unverified"}
    )
    key_over_http: bool = field(default=False, metadata={"help": "send the key to another machine without https"})

    def __post_init__(self) -> None:
        if isinstance(self.tokenizer, str):  # from Python
            object.__setattr__(self, "tokenizer", NamedTokenizer(self.tokenizer))
        if not str(self.tokenizer):
            raise SpecError("server needs tokenizer=: the model's folder, tokenizer.json, .gguf file or hub id")
        _check_url(self.url)
        if self.concurrency < 1 or self.retries < 0 or self.max_length_override < 0 or not 0 < self.timeout < 1e6:
            raise SpecError("server: concurrency must be at least 1, retries 0 or more, timeout above 0 seconds")

    @property
    def max_length(self) -> int:
        """max_length_override, or the window that the server says it serves. Raises ModelError if it says none."""
        if length := self.max_length_override or self._facts.max_length:
            return length
        raise ModelError(f"{self._facts.base} does not say how long its window is; add max_length_override=TOKENS")

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset({"answers", "chooses", "reads"})

    def describe(self) -> dict[str, str]:
        """URL and model as found, API and form of the prompts, software, and the parameters that the server refused."""
        facts = self._facts
        about = {"url": facts.base, "model": one_line(facts.model), "api": self.api, "send": self.send}
        about |= {"server": facts.software} if facts.software else {}
        return about | ({"dropped": self._dialect.dropped} if self._dialect.dropped else {})

    def identity(self) -> ModelIdentity:
        """What the server lists of the model, its software, and our chat template; no server tells of its weights."""
        facts = self._facts
        config = digest_of(facts.model, facts.kind, facts.software, facts.entry)
        return ModelIdentity(config=config, template=template_digest(self.tokenizer.chat_template))

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """See core.Model. A call that fails for good raises ServerError; the calls in flight after it go on."""
        _ = self._facts, self._dialect  # made once, before there are threads
        yield from self._calls.in_order(samples, self._answer)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model. Raises ModelError if the server gives no log-probabilities of prompts."""
        if self._facts.kind in NO_ECHO:
            raise ModelError(self._no_echo(f"it is run by {self._facts.kind!r}", CHOOSE_ADVICE))
        return list(self._calls.in_order(pairs, self._loglikelihood))

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """See core.Model. Raises ModelError if the server gives no log-probabilities of prompts."""
        if self._facts.kind in NO_ECHO:
            raise ModelError(self._no_echo(f"it is run by {self._facts.kind!r}", READ_ADVICE))
        yield from self._calls.in_order(samples, self._token_loglikelihoods)

    @cached_property
    def _calls(self) -> Calls:
        return Calls(self.url, self.concurrency, self.retries, self.timeout, self.key_over_http)

    @cached_property
    def _dialect(self) -> Dialect:
        return Dialect()

    @cached_property
    def _facts(self) -> ServerFacts:
        return discover(self._calls, self.url, self.model, not self.max_length_override)

    def _answer(self, sample: Sample) -> Answer:
        stops, marks = early_stops(sample, self.tokenizer), self._spells_marks(sample)
        limits: dict[str, Json] = {"max_tokens": sample.budget}
        limits |= ({"stop": stops} if stops else {}) | ({"skip_special_tokens": False} if marks else {})
        if self._as_chat(sample):
            reply = self._post("/chat/completions", server_prompts.chat_body(sample, self.tokenizer) | limits)
            expected, slack = sample.prompt_tokens, sum(self.tokenizer.specials)
        else:
            ids = self._ids(sample, "")
            reply = self._post("/completions", self._prompt(sample, sample.prompt, ids) | limits)
            expected, slack = len(ids), 0
        checked = server_replies.prompt_checked(reply, expected, slack, trust=self.count == "trust")
        if not checked:
            self._dialect.say(
                f"{self._facts.base} does not confirm how many prompt tokens it read: answers are unverified"
            )
        answer = server_replies.answer_in(reply, sample, self.tokenizer, special_tokens=marks)
        return replace(answer, unverified=not checked)

    def _spells_marks(self, sample: Sample) -> bool:
        """Whether the server is to spell special tokens out, for thoughts are marked with them."""
        if self._facts.kind not in SPELLS_SPECIAL_TOKENS or not thought_may_come(sample, self.tokenizer):
            return False
        return marks_are_special(self.tokenizer)

    def _loglikelihood(self, pair: tuple[Sample, str]) -> float:
        sample, text = pair
        whole = self._ids(sample, text)
        values = self._echo(sample, sample.prompt + text, whole, CHOOSE_ADVICE)
        return sum(values[shared_prefix_length(self._ids(sample, ""), whole[:-1]) :])

    def _token_loglikelihoods(self, sample: Sample) -> list[float]:
        return self._echo(sample, sample.prompt, self._ids(sample, ""), READ_ADVICE)[1:]

    def _echo(self, sample: Sample, prompt: str, ids: list[int], advice: str) -> list[float]:
        """log p of each of the prompt's tokens; of the first 0."""
        max_tokens = int(len(ids) < self.max_length)  # a prompt that fills the window leaves no room for an answer
        body = self._prompt(sample, prompt, ids) | {"max_tokens": max_tokens, "echo": True, "logprobs": 1}
        try:
            reply = self._post("/completions", body, more=ECHO_BYTES * len(ids))
        except ServerError as error:
            if error.status in (400, 422, 500, 501):
                raise ModelError(self._no_echo(str(error), advice)) from error
            raise
        server_replies.prompt_checked(reply, len(ids), trust=self.count == "trust")
        values = server_replies.prompt_logprobs(reply, len(ids))
        if values is None:
            raise ModelError(self._no_echo("it answers `echo` without them", advice))
        return values

    def _as_chat(self, sample: Sample) -> bool:
        """Whether messages are sent, and not a prompt. Raises ModelError where api=chat does not allow it."""
        if self.api == "completion" or (sample.chat is None and self.api == "auto"):
            return False
        if sample.chat is None:
            raise ModelError(
                f"api=chat takes no plain prompts such as {sample.id}; use a task's prompt=chat, or api=auto"
            )
        return server_prompts.is_sent_as_messages(sample, self.tokenizer, self._facts, self.api)

    def _ids(self, sample: Sample, text: str) -> list[int]:
        return self.tokenizer.prompt_ids(sample.prompt + text, plain=sample.chat is None)

    def _prompt(self, sample: Sample, prompt: str, ids: list[int]) -> dict[str, Json]:
        if self.send == "ids":
            return {"prompt": ids}
        return {"prompt": prompt} | ({} if sample.chat is None else {"add_special_tokens": False})

    def _post(self, path: str, body: dict[str, Json], more: int = 0) -> Reply:
        """The server's reply. Raises ModelError where every sample would fail, ServerError where this one fails."""
        facts = self._facts
        greedy: dict[str, Json] = {"model": facts.model, "temperature": 0, "seed": 0, **NO_PENALTY.get(facts.kind, {})}
        try:
            return as_object(self._understood(facts.base + path, greedy | body, more))
        except UnreachableError as error:
            raise ModelError(f"{error}; start the server again and repeat the command: it goes on from here") from error
        except ServerError as error:
            if error.status in (301, 302, 303, 307, 308, 401, 403, 404, 405):
                raise ModelError(f"{error}; mend url=, model=, api= or the key in MTA_EVAL_API_KEY") from error
            if error.status in (400, 422) and self.send == "ids" and "prompt" in body:
                raise ServerError(f"{error}; if it takes no token ids, use send=text", error.status) from error
            raise

    def _understood(self, url: str, body: dict[str, Json], more: int) -> Json:
        """The reply to `body` without the parameters that the server refuses. Raises ServerError."""
        while True:
            sent = self._dialect.spoken(body)
            try:
                return self._calls.post(url, sent, more)
            except ServerError as error:
                if not self._dialect.learn(error, sent, self._facts.base):
                    raise

    def _no_echo(self, why: str, advice: str) -> str:
        return f"{self._facts.base} gives no prompt log-probabilities ({why}); {advice}"


def _check_url(url: str) -> None:
    """Raises SpecError, which never repeats what may be a secret."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine = False
    if not port_is_fine or parts.scheme not in ("http", "https") or not parts.hostname:
        raise SpecError("server: the URL must be like http://localhost:8000/v1")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise SpecError("server: the URL holds a name, key or query; keys come from MTA_EVAL_API_KEY alone")

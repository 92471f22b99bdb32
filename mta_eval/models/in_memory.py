"""A model that is in memory already: the one in a notebook, as a `core.Model`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from mta_eval.core import Ability, Answer, ModelIdentity, Sample
from mta_eval.errors import ModelError
from mta_eval.models.context_window import window_of
from mta_eval.models.end_tokens import end_tokens_of
from mta_eval.models.identity import model_identity, tensors_digest
from mta_eval.models.inference.torch_model import TorchModel
from mta_eval.models.load_check import check_finite
from mta_eval.models.tokenizer import FastTokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class InMemory:
    """A causal language model in transformers' form and its fast tokenizer; `title` is its name in records.

    Raises ModelError if the tokenizer is not a fast one, or the config names no window and `max_length` is not given.
    """

    name: ClassVar[str] = "in_memory"

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, title: str = "", max_length: int = 0
    ) -> None:
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise ModelError("the tokenizer is not a fast one, so its tokens have no character spans")
        self.title = title or type(model).__name__
        self.max_length = max_length or window_of(model.config)
        if not self.max_length:
            raise ModelError(f"the config of {self.title} names no window; give max_length")
        self.tokenizer = FastTokenizer(tokenizer.backend_tokenizer, self.title, tokenizer)
        self._model = model
        self._checked: Sequence[tuple[int, int]] = ()

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset({"answers", "chooses", "reads"})

    def describe(self) -> dict[str, str]:
        """dtype, device and what computes the attention, as they are."""
        from mta_eval.attention.chosen_path import attention_path

        device, dtype = str(self._model.device), str(self._model.dtype).removeprefix("torch.")
        config = self._model.config.get_text_config()
        path = attention_path(config, str(config._attn_implementation), device, dtype)
        return {"device": device, "dtype": dtype, "attention path": path}

    def identity(self) -> ModelIdentity:
        """Weights, configuration, template and end tokens as they are in memory now."""
        return model_identity(
            self._model.config.to_diff_dict(),
            self.tokenizer.chat_template,
            self._end_tokens(),
            tensors_digest(self._tensors()),
        )

    def generate(self, samples: Iterable[Sample]) -> Iterator[Answer]:
        """See core.Model."""
        yield from self._adapter().generate(samples)

    def loglikelihood(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        """See core.Model."""
        # asked for one sample at a time: weights that nobody touched since are not looked at again
        return self._adapter(self._checked).loglikelihood(pairs)

    def token_loglikelihoods(self, samples: Iterable[Sample]) -> Iterator[list[float]]:
        """See core.Model."""
        yield from self._adapter().token_loglikelihoods(samples)

    def _state(self) -> Sequence[tuple[int, int]]:
        """Where each weight is and how often it was written: another one after a change in place or an exchange."""
        weights = self._model.parameters()
        return [(weight.data_ptr(), 0 if weight.is_inference() else weight._version) for weight in weights]

    def _adapter(self, checked: Sequence[tuple[int, int]] = ()) -> TorchModel:
        """The model, its weights looked at unless they are in the state `checked`. Raises ModelError."""
        if self._model.training:
            raise ModelError(f"{self.title} is in training mode, where dropout changes its answers; call model.eval()")
        if checked != (state := self._state()):
            check_finite(self.title, self._model)
            self._checked = state
        return TorchModel(self._model, self.tokenizer, self._end_tokens())

    def _tensors(self) -> Iterable[tuple[str, torch.Tensor]]:
        """Parameters, and the buffers that a checkpoint would hold: quantised weights are such."""
        import torch

        return [(name, value) for name, value in self._model.state_dict().items() if isinstance(value, torch.Tensor)]

    def _end_tokens(self) -> set[int]:
        return end_tokens_of(self._model.generation_config, self._model.config, self.tokenizer.owner)

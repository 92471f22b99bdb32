"""What an attention variant must be before it is trained: causal, finite, trainable, with rows that are independent.

A variant that sees later tokens solves every task and means nothing. The model is the one that will be trained, its
weights moved at random: what begins as the identity could hide a fault until it has learned something. Outputs are
computed with gradients enabled, as in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from mta_eval.core import DiagnosticTask, generator
from mta_eval.errors import ModelError
from mta_eval.tunnel.models import REFUSED, new_model

if TYPE_CHECKING:
    import torch

    from mta_eval.attention.decoder import MTAForCausalLM
    from mta_eval.tunnel.presets import ModelSize
    from mta_eval.tunnel.variants import Variant

ROWS = 2
MOVED = 0.1  # standard deviation of what is added to every weight
TOLERANCE = 1e-4  # of the largest output: rounding in float32 is a hundred times smaller
CUTS = 12  # places at which rows are cut


def check_variant(variant: Variant, task: DiagnosticTask, size: ModelSize) -> list[str]:
    """Parameters whose gradient is 0 on such rows, by their names in the model.

    Raises ModelError, with the reason in one line, for a variant whose training would mean nothing.
    """
    import torch

    model = new_model(variant, task, size, seed=0)
    seed = generator(0, "variant check").getrandbits(63)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += MOVED * torch.randn(parameter.shape, generator=chance)
    tokens = torch.tensor([task.row("validation", 0, index) for index in range(ROWS)])
    others = (tokens + 1 + torch.randint(task.vocabulary - 1, tokens.shape, generator=chance)) % task.vocabulary
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Check(variant.label, model, tokens, others, seed).run()


class Check:
    """One model on rows `tokens` (B, T), and on `others`, which differ from them at every place."""

    def __init__(
        self, label: str, model: MTAForCausalLM, tokens: torch.Tensor, others: torch.Tensor, seed: int
    ) -> None:
        self.label, self.model, self.tokens, self.others, self.seed = label, model, tokens, others, seed
        self.length = tokens.shape[1]

    def run(self) -> list[str]:
        """The names of parameters whose gradient is 0. Raises ModelError at the first fault."""
        self.model.eval()
        output = self._logits(self.tokens)
        if not bool(output.isfinite().all()):
            self._refuse("its outputs are not finite")
        if self._differ(output, self._logits(self.tokens)):
            self._refuse("the same tokens give other outputs when they are read again")
        untrained = self._check_gradients(output)
        output = output.detach()
        for cut in self._cuts():
            self._check_causal(output, cut)
        self._check_rows(output)
        self._check_in_training()
        return untrained

    def _check_gradients(self, output: torch.Tensor) -> list[str]:
        output.logsumexp(-1).mean().backward()  # type: ignore[no-untyped-call]
        untrained = []
        for name, parameter in self.model.named_parameters():
            if not parameter.requires_grad:
                self._refuse(f"{name} is a parameter that is not trained; register it as a buffer")
            if parameter.grad is None:
                self._refuse(f"{name} has no gradient: the outputs do not depend on it")
            if not bool(parameter.grad.isfinite().all()):
                self._refuse(f"the gradient of {name} is not finite")
            if not bool(parameter.grad.any()):
                untrained.append(name)
        return untrained

    def _check_in_training(self) -> None:
        """Once more as in training, where some layers compute otherwise; dropout, if any, falls alike each time."""
        import torch

        self.model.train()
        before = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        output = self._alike(self.tokens)
        for name, buffer in self.model.named_buffers():
            if not torch.equal(buffer, before[name]):
                self._refuse(f"its buffer {name} changes with what it reads in training: rows are not independent")
        beside = self._alike(torch.cat((self.tokens[:1], self.others[1:])))
        if self._differ(output[:1], beside[:1]):
            self._refuse("rows of a batch are not independent in training: with another row beside it, a row changes")
        cut = self.length // 2
        changed = self._alike(torch.cat((self.tokens[:, :cut], self.others[:, cut:]), 1))
        if self._differ(output[:, :cut], changed[:, :cut]):
            self._refuse(f"it is not causal in training: with other tokens from place {cut} on, outputs before change")

    def _alike(self, tokens: torch.Tensor) -> torch.Tensor:
        import torch

        torch.manual_seed(self.seed)
        return self._logits(tokens).detach()

    def _check_causal(self, output: torch.Tensor, cut: int) -> None:
        import torch

        changed = self._logits(torch.cat((self.tokens[:, :cut], self.others[:, cut:]), 1))
        if self._differ(output[:, :cut], changed[:, :cut]):
            self._refuse(f"it is not causal: with other tokens from place {cut} on, outputs before it change")
        alone = self._logits(self.tokens[:, :cut])
        if self._differ(output[:, :cut], alone):
            self._refuse(
                f"it is not causal: the first {cut} tokens alone give other outputs than with more behind them"
            )

    def _check_rows(self, output: torch.Tensor) -> None:
        import torch

        beside = self._logits(torch.cat((self.tokens[:1], self.others[1:])))
        if self._differ(output[:1], beside[:1]):
            self._refuse("rows of a batch are not independent: with another row beside it, a row's outputs change")
        if self._differ(output[:1], self._logits(self.tokens[:1])):
            self._refuse("rows of a batch are not independent: a row alone gives other outputs")

    def _cuts(self) -> list[int]:
        """The ends of the row, and places spread over it."""
        spread = {1 + (self.length - 2) * step // (CUTS - 3) for step in range(CUTS - 2)}
        return sorted({1, 2, self.length // 2, self.length - 1, *spread} & set(range(1, self.length)))

    def _logits(self, tokens: torch.Tensor) -> torch.Tensor:
        try:
            logits: torch.Tensor = self.model(tokens, use_cache=False).logits
        except Exception as error:  # the variant may be anybody's code
            self._refuse(f"{type(error).__name__}: {error}".splitlines()[0])
        return logits

    def _differ(self, first: torch.Tensor, second: torch.Tensor) -> bool:
        largest = float(first.detach().abs().max())
        return not float((first.detach() - second.detach()).abs().max()) <= TOLERANCE * max(largest, 1e-6)

    def _refuse(self, reason: str) -> NoReturn:
        raise ModelError(f"the variant {self.label!r} {REFUSED}: {reason}")

"""Variable chains: values handed on from variable to variable, as RULER's variable tracking has it (arXiv 2404.06654).

    a 5  k 8  b a  m k  c b  n m ; c -> 5  n -> 8

Chains are told in turns, each in its order. `hops` times a variable must be looked up before the value is reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mta_eval.errors import SpecError
from mta_eval.tunnel.rows.drawing import check_options, numbered, row_generator, tail_answers


@dataclass(frozen=True)
class VariableChainRows:
    """Values handed on from variable to variable; what is the value of a chain's last one?"""

    name: ClassVar[str] = "variable_chains"
    grows: ClassVar[str] = "chains"

    chains: int = field(default=4, metadata={"help": "chains in a row, each with a value of its own"})
    hops: int = field(default=2, metadata={"help": "times that a value is handed on"})
    questions: int = field(default=2, metadata={"help": "chains that are asked"})
    kinds: int = field(default=64, metadata={"help": "different variables, and different values"})

    def __post_init__(self) -> None:
        check_options(self, chains=1, hops=0, questions=1, kinds=1)
        if not (self.questions <= self.chains and self.chains * (self.hops + 1) <= self.kinds):
            raise SpecError(
                f"{self.name}: questions={self.questions}, chains={self.chains} and hops={self.hops} do not fit "
                f"kinds={self.kinds}"
            )

    @property
    def vocabulary(self) -> int:
        """A mark, variables and values."""
        return 1 + 2 * self.kinds

    @property
    def answers(self) -> Sequence[Sequence[int]]:
        """See core.DiagnosticTask: each value after its variable."""
        return tail_answers(self.questions, 2, 1)

    @property
    def chance(self) -> float:
        """Any value of the row."""
        return 1 / self.chains

    def row(self, stream: str, seed: int, index: int) -> list[int]:
        """See core.DiagnosticTask."""
        random = row_generator(self, stream, seed, index)
        (mark,), variables, values = numbered(1, self.kinds, self.kinds)
        links = self.hops + 1
        names = random.sample(variables, self.chains * links)
        sources = random.sample(values, self.chains)
        chains = [[source, *names[at * links : (at + 1) * links]] for at, source in enumerate(sources)]
        turns = [chain for chain in range(self.chains) for _ in range(links)]
        random.shuffle(turns)
        row: list[int] = []
        told = [0] * self.chains
        for chain in turns:
            told[chain] += 1
            row += [chains[chain][told[chain]], chains[chain][told[chain] - 1]]
        asked = random.sample(chains, self.questions)
        return [*row, mark, *(token for chain in asked for token in (chain[-1], chain[0]))]

"""Variable tracking of RULER (Hsieh et al. 2024, arXiv 2404.06654): a chain of assignments hidden in noise.

VAR QWJZK = 12345
VAR PLMTR = VAR QWJZK
Question: Find all variables that are assigned the value 12345. They are: -> QWJZK, PLMTR
"""

from itertools import pairwise

from mta_eval.tasks.toolkit import Cell, ClassVar, NeedleDraft, Sample, Tokenizer, build_sample, dataclass

from mta_eval.tasks.toolkit import depth_of, field, find_rule, generator  # isort: skip


@dataclass(frozen=True)
class VariableChain:
    """Variable tracking: which variables hold the value? (RULER)"""

    name: ClassVar[str] = "variable_chain"
    default_lengths: ClassVar[tuple[int, ...]] = (2048, 4096)
    hops: int = field(default=4, metadata={"help": "assignments from one variable to the next"})

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        random = generator(seed, self.name, cell.repeat)
        names = ["".join(random.sample("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 5)) for _ in range(self.hops + 1)]
        value, first = str(random.randrange(10000, 100000)), depth_of(cell, random)
        depths = [first, *sorted(random.uniform(first, 1) for _ in names[1:])]
        texts = [f"VAR {names[0]} = {value}", *(f"VAR {new} = VAR {old}" for old, new in pairwise(names))]
        needles = [NeedleDraft(*row, value, own_line=True) for row in zip(texts, depths, names, strict=True)]
        before = "Memorize the chain of variable assignments hidden in the following text.\n\n"
        after = f"\n\nQuestion: Find all variables that are assigned the value {value}. They are:"
        options = {"targets": tuple(names), "rule": "ruler_all", "haystack": "noise", "keep_order": True}
        return build_sample(self, cell, seed, tokenizer, words=(before, after), needles=needles, **options)

    def score(self, sample: Sample, output: str) -> float:
        return find_rule("ruler_all").score(sample, output)

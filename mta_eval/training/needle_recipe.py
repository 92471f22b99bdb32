"""The recipe for small models that find needles: magic numbers, bAbI facts and prose, short rows first.

It fills Figures 3, 5, 7 and 8 of the MTA paper with models of our own, which are a thousand times smaller than the
paper's. All variants get the same rows, steps and sizes; every seed has rows and weights of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mta_eval import registry
from mta_eval.core import generator
from mta_eval.errors import SpecError
from mta_eval.training.recipe_json import recipe_fields
from mta_eval.training.weights import seeded_weights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from mta_eval.attention.decoder import MTAForCausalLM
    from mta_eval.training.rows import StagedRows
    from mta_eval.training.trainer import Schedule

VOCABULARY = 2048
WINDOW = 4096  # of the model: what it may be asked; longer than any row, to see how far it generalises
BABILONG = tuple(f"babilong:qa={number}" for number in range(1, 6))
BABILONG_SHARE, BABILONG_WEIGHT = 0.3, 4.0  # of rows that are long enough; of an answer's token, for there are few
TEXT_WEIGHT = 0.02
CORPUS, STORIES = 60, 20  # blocks of prose, and stories of each kind, that the tokenizer is learnt from
CORPUS_SEED = 3_000_000_000
SIZES = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
}


@dataclass(frozen=True)
class NeedleStage:
    """`steps` of `batch` rows of `length` tokens, with 2 to `needles` needles and `questions` of them asked."""

    steps: int
    batch: int
    length: int
    needles: int
    questions: int

    @property
    def has_stories(self) -> bool:
        """Whether bAbI's stories, with their instruction and examples, fit the rows."""
        return self.length >= 512


STAGES = {
    "cpu": (
        NeedleStage(400, 24, 160, 4, 4),
        NeedleStage(250, 8, 512, 8, 8),
        NeedleStage(100, 4, 1024, 8, 8),
    ),
}
LEARNING_RATE, WARMUP, DECAY, EVALUATE_EVERY, HELD_OUT, TESTED = 2e-3, 100, 0.5, 50, 16, 100


@dataclass(frozen=True)
class NeedleRecipe:
    """What is trained, and how."""

    attention: str
    preset: str
    seed: int
    stages: tuple[NeedleStage, ...]
    sizes: dict[str, object]
    schedule: Schedule

    def described(self) -> dict[str, object]:
        """As recipe.json keeps it."""
        return recipe_fields(self, task="needles")

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Learnt from prose, needles and stories; the same for every seed and variant."""
        return self._tokenizer

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerFast:
        from mta_eval.training.needle_texts import needle_corpus
        from mta_eval.training.word_pieces import learn_tokenizer

        stories = [text for number in range(1, 6) for text in _stories(number)]
        return learn_tokenizer([*needle_corpus(generator(0, "needle corpus"), CORPUS), *stories], VOCABULARY)

    def rows(self, tokenizer: PreTrainedTokenizerFast) -> StagedRows:
        """Stage by stage: needles, and where they fit stories."""
        from mta_eval.training.needle_texts import NeedleTexts
        from mta_eval.training.rows import MixedRows, Rows, Stage, StagedRows
        from mta_eval.training.sample_rows import SampleRows

        stages = []
        for one in self.stages:
            rows: Rows = NeedleTexts(tokenizer, one.length, one.needles, one.questions, self.seed, TEXT_WEIGHT)
            if one.has_stories:
                windows = (0, one.length)
                stories = SampleRows(BABILONG, tokenizer, one.length, windows, self.seed, TEXT_WEIGHT, BABILONG_WEIGHT)
                rows = MixedRows([(1 - BABILONG_SHARE, rows), (BABILONG_SHARE, stories)])
            stages.append(Stage(one.steps, one.batch, rows))
        return StagedRows(stages)

    def new_model(self, tokenizer: PreTrainedTokenizerFast) -> MTAForCausalLM:
        """The model before its first step: the same for a seed on every machine."""
        from mta_eval.attention.configuration import MTAConfig, common_options
        from mta_eval.attention.decoder import MTAForCausalLM

        config = MTAConfig(
            **common_options(self.attention),
            vocab_size=len(tokenizer),
            max_position_embeddings=WINDOW,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            trained={"task": "needles", "preset": self.preset, "seed": self.seed, "steps": self.schedule.steps},
            **self.sizes,
        )
        with seeded_weights(self.seed):
            return MTAForCausalLM(config)

    def about(self) -> str:
        """What the model knows."""
        longest, needles = (max(getattr(stage, name) for stage in self.stages) for name in ("length", "needles"))
        return (
            f"It knows the sentences of the package's own prose, magic numbers of places, and bAbI's first five tasks, "
            f"from rows of up to {longest:,} tokens with up to {needles} needles, and nothing else. Its window is "
            f"{WINDOW:,} tokens, so that it can be asked more than it was trained on."
        )


def needles(attention: str, preset: str = "cpu", seed: int = 0, **changes: Any) -> NeedleRecipe:
    """The recipe; `changes` replace fields of the schedule. Raises SpecError.

    With `steps` given all stages are made shorter or longer alike.
    """
    from mta_eval.training.trainer import Schedule

    if preset not in STAGES:
        raise SpecError(f"needles has no preset {preset!r}; there is: {', '.join(STAGES)}")
    stages = STAGES[preset]
    steps = changes.pop("steps", 0) or sum(stage.steps for stage in stages)
    whole = sum(stage.steps for stage in stages)
    if steps < len(stages):
        raise SpecError(f"needles trains in {len(stages)} stages, so steps must be at least {len(stages)}, not {steps}")
    ends = [round(steps * sum(stage.steps for stage in stages[: number + 1]) / whole) for number in range(len(stages))]
    scaled = tuple(
        NeedleStage(end - start, stage.batch, stage.length, stage.needles, stage.questions)
        for stage, start, end in zip(stages, [0, *ends], ends, strict=False)
    )
    variant = registry.find("attention", attention)
    schedule = Schedule(
        **{
            "steps": steps,
            "batch": stages[-1].batch,
            "learning_rate": LEARNING_RATE,
            "warmup": min(WARMUP, steps // 10),
            "decay": DECAY,
            "evaluate_every": EVALUATE_EVERY,
            "held_out": HELD_OUT,
            "tested": TESTED,
            **changes,
        }
    )
    sizes = {**SIZES, **variant.options_for("small letter blocks", layers=int(SIZES["num_hidden_layers"]))}
    return NeedleRecipe(attention, preset, seed, scaled, sizes, schedule)


def _stories(number: int) -> list[str]:
    """Some prompts of a bAbI task."""
    from mta_eval.core import Cell
    from mta_eval.models.weightless import words_tokenizer

    task = registry.build_task(f"babilong:qa={number}")
    return [task.sample(Cell(0, None, repeat), CORPUS_SEED, words_tokenizer()).prompt for repeat in range(STORIES)]

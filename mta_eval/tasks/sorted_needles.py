"""Order among needles: in which order does the text name the cities?

    … The magic number of Riga is 4071842. … The magic number of Oslo is 1938207. …
    Question: In which order does the text name Oslo and Riga?
    Answer: -> Riga, Oslo

Finding the needles is not enough: an attention must keep where they stood. With `by=value` the order asked for is that
of the numbers, so each needle must be found with its value. One of the needles begins at the swept depth.

Baselines: none solves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mta_eval.tasks.prompts.pools import CITIES
from mta_eval.tasks.toolkit import (
    HAYSTACK,
    Cell,
    NeedleDraft,
    Sample,
    SpecError,
    Tokenizer,
    answer_budget,
    build_sample,
    depth_of,
    draw,
    draw_key,
    find_rule,
    generator,
    open_haystack,
    order_of_needles,
)

MOST_NEEDLES = 20
INSTRUCTION = "The following text gives cities their magic numbers. Read it and answer the question.\n\n"


@dataclass(frozen=True)
class SortedNeedles:
    """Order among needles: in which order does the text name the cities, or which number is greater?"""

    name: ClassVar[str] = "sorted_needles"
    default_lengths: ClassVar[tuple[int, ...]] = (1024, 2048)
    rule: ClassVar[str] = "in_order"

    needles: int = field(default=3, metadata={"help": f"needles to bring in order, 2 to {MOST_NEEDLES}"})
    others: int = field(default=0, metadata={"help": f"needles that are not asked for, 0 to {MOST_NEEDLES}"})
    by: Literal["place", "value"] = field(
        default="place", metadata={"help": "the order in which they stand, or that of their numbers, smallest first"}
    )
    prompt: Literal["completion", "instruction", "chat"] = field(
        default="completion", metadata={"help": "end in 'Answer:', ask in words, or ask by chat template"}
    )
    haystack: str = field(default="prose", metadata=HAYSTACK)

    def __post_init__(self) -> None:
        if not 2 <= self.needles <= MOST_NEEDLES:
            raise SpecError(f"sorted_needles: needles must be 2 to {MOST_NEEDLES}, not {self.needles}")
        if not 0 <= self.others <= MOST_NEEDLES:
            raise SpecError(f"sorted_needles: others must be 0 to {MOST_NEEDLES}, not {self.others}")

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        count = self.needles + self.others
        key = draw_key(cell.length, 256 + 80 * count)
        random = generator(seed, "sorted_needles", cell.repeat, key)
        source = open_haystack(self.haystack, seed, tokenizer).source
        cities: list[str] = []
        numbers: list[str] = []
        for _ in range(count):
            cities.append(draw(random, lambda chance: chance.choice(CITIES), cities, source))
            numbers.append(draw(random, lambda chance: str(chance.randrange(10**6, 10**7)), numbers, source))
        depths = [depth_of(cell, random), *(random.random() for _ in cities[1:])]
        order = order_of_needles(depths)
        asked = [index for index in order if index < self.needles]
        if self.by == "value":
            asked.sort(key=lambda index: int(numbers[index]))
        targets = tuple(cities[index] for index in asked)
        shuffled = sorted(targets)
        random.shuffle(shuffled)
        before = "" if self.prompt == "completion" else INSTRUCTION
        return build_sample(
            self,
            cell,
            seed,
            tokenizer,
            words=(before, self._question(shuffled)),
            needles=[
                NeedleDraft(
                    f"The magic number of {cities[index]} is {numbers[index]}.",
                    depths[index],
                    cities[index],
                    numbers[index],
                    asked=index < self.needles,
                )
                for index in order
            ],
            targets=targets,
            rule=self.rule,
            haystack=self.haystack,
            swept=order.index(0),
            keep_order=True,
            chat=self.prompt == "chat",
            max_new_tokens=answer_budget(tokenizer, ", ".join(targets), 4 if self.prompt == "completion" else 24),
            axes={"needles": self.needles, "others": self.others},
            stop=() if self.prompt == "chat" else ("\n",),
            draw_name=f"sorted_needles/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """1 if the output names all cities in the order asked for."""
        return find_rule(self.rule).score(sample, output)

    def _question(self, cities: list[str]) -> str:
        said = f"{', '.join(cities[:-1])} and {cities[-1]}"
        question = f"In which order does the text name {said}?"
        if self.by == "value":
            question = f"Put {said} in the order of their magic numbers, smallest first."
        how = "" if self.prompt == "completion" else " Answer with the cities alone, joined by commas."
        return f"\n\nQuestion: {question}{how}" + ("" if self.prompt == "chat" else "\nAnswer:")

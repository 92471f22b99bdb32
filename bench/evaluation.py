"""How long the same prompts take: ours, ours without reuse, lm-eval's `hf`, transformers' pipeline; one checkpoint.

    python bench/evaluation.py [--model smollm2] [--dtype auto] [--threads 2] [--rounds 2]
                               [--scenarios questions,sweep,choices,short,apart,quiz,perplexity,long]

lm-eval is measured where it is installed: pip install 'lm-eval[api]==0.4.13'
--model mta  is SmolLM2 as an MTA model, its kernels moved a little from the identity so that they are computed.

questions   6 questions on one context of 2K: 6 needles, asked one after another
sweep       11 depths at 2K, one needle, one haystack: what `mta-eval run niah --lengths 2k` asks
choices     the 4 choices of each of 2 samples at 2K, ranked by log-probability
short       20 prompts at 256 tokens: 4 haystacks at 5 depths
apart       16 prompts at 256 tokens that have nothing in common
quiz        the 4 choices of each of 12 samples at 128 tokens that have nothing in common
perplexity  the log-probability of every token of 2 texts of 2K
long        one prompt at 8K

Every measurement runs in a process of its own, which answers a short prompt first. Rounds alternate; the best counts.

lm-eval 8  in batches of 8, where there is more than one question
x lm-eval  how many times quicker than lm-eval with its own batch size, 1
prefilled  tokens of prompts that were computed; of the others, all
peak       resident memory at the highest while answering, weights included
same       answers that are those of ours without reuse; log-probabilities: within 0.05 nats, and the greatest distance
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import torch
import typer
from measuring import run_in_process
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from starting import parse_choices, start

from mta_eval.core import Cell, Sample, Tokenizer
from mta_eval.memory import take_peak
from mta_eval.models.devices import Dtype
from mta_eval.models.stop_strings import cut_at_stop
from mta_eval.registry import build_model, build_task

SCENARIOS = ("questions", "sweep", "choices", "short", "apart", "quiz", "perplexity", "long")
LIKELIHOODS = ("choices", "quiz", "perplexity")
WAYS = ("lm-eval", "lm-eval 8", "pipeline", "alone", "ours")
KERNEL_NOISE = 0.003  # standard deviation of what is added to the kernels of --model mta
TOLERANCE = 0.05  # nats


def samples_of(scenario: str, tokenizer: Tokenizer) -> list[Sample]:
    """The samples of a scenario, in the order that `mta-eval run` asks them."""
    if scenario == "questions":
        sample = build_task("niah:needles=6").sample(Cell(2048, 0.5, 0), 0, tokenizer)
        asked = next(needle.key for needle in sample.needles if needle.asked)
        context, _, question = sample.prompt.rpartition("\n\n")
        return [
            replace(sample, prompt=f"{context}\n\n{question.replace(asked, needle.key)}", targets=(needle.value,))
            for needle in sample.needles
        ]
    lengths = {"short": 256, "apart": 256, "quiz": 128, "long": 8192}
    cells = {"sweep": (11, 1), "choices": (2, 1), "short": (5, 4), "apart": (1, 16), "quiz": (1, 12)}
    depths, repeats = cells.get(scenario, (1, 2 if scenario == "perplexity" else 1))
    swept = [1 - depth / max(depths - 1, 1) for depth in range(depths)]
    length, task = lengths.get(scenario, 2048), build_task("niah")
    return [task.sample(Cell(length, depth, repeat), 0, tokenizer) for repeat in range(repeats) for depth in swept]


def answerer(way: str, model: Any) -> Callable[[list[Sample]], list[str]]:
    """Samples -> answers, the weights loaded."""
    if way in ("ours", "alone"):
        return lambda samples: list(model.generate(samples))
    weights, tokenizer = model.weights, model.tokenizer.owner
    if way == "pipeline":
        from transformers import pipeline

        pipe = pipeline("text-generation", model=weights, tokenizer=tokenizer)

        def run(samples: list[Sample]) -> list[str]:
            options = {"do_sample": False, "return_full_text": False}
            return [
                cut_at_stop(
                    pipe(one.prompt, max_new_tokens=one.max_new_tokens, **stops(one), **options)[0]["generated_text"],
                    one.stop,
                )
                for one in samples
            ]

        def stops(sample: Sample) -> dict[str, Any]:
            return {"stop_strings": list(sample.stop), "tokenizer": tokenizer} if sample.stop else {}

        return run
    lm = harness(model, way)

    def ask(samples: list[Sample]) -> list[str]:
        requests = [
            instance(
                "generate_until",
                (one.prompt, {"until": list(one.stop), "max_gen_toks": one.max_new_tokens, "do_sample": False}),
            )
            for one in samples
        ]
        return [str(text) for text in lm.generate_until(requests, disable_tqdm=True)]

    return ask


def ranker(way: str, model: Any) -> Callable[[list[Sample]], list[float]]:
    """Samples -> the log-probabilities of all their choices."""
    if way in ("ours", "alone"):
        return lambda samples: [
            value
            for one in samples
            for value in model.loglikelihood([(one, one.target_delimiter + text) for text in one.choices])
        ]
    lm = harness(model, way)

    def ask(samples: list[Sample]) -> list[float]:
        requests = [
            instance("loglikelihood", (one.prompt, one.target_delimiter + text))
            for one in samples
            for text in one.choices
        ]
        return [float(value) for value, _ in lm.loglikelihood(requests, disable_tqdm=True)]

    return ask


def reader(way: str, model: Any) -> Callable[[list[Sample]], list[float]]:
    """Samples -> the mean log-probability of each prompt's tokens but the first."""
    if way in ("ours", "alone"):
        return lambda samples: [sum(values) / len(values) for values in model.token_loglikelihoods(samples)]
    lm = harness(model, way)

    def ask(samples: list[Sample]) -> list[float]:
        texts = [model.tokenizer.prompt_ids(one.prompt, plain=True) for one in samples]
        windows = [(("", ""), ids[:1], ids[1:]) for ids in texts]  # loglikelihood_rolling would put a token before
        found = lm._loglikelihood_tokens(windows, disable_tqdm=True)
        return [float(value) / len(ids) for (value, _), (_, _, ids) in zip(found, windows, strict=True)]

    return ask


def harness(model: Any, way: str) -> Any:
    """lm-eval's own adapter around the same weights."""
    from lm_eval.models.huggingface import HFLM

    size = 8 if way == "lm-eval 8" else 1
    return HFLM(pretrained=model.weights, tokenizer=model.tokenizer.owner, batch_size=size)


def instance(kind: Any, arguments: tuple[Any, ...]) -> Any:
    """One of lm-eval's requests."""
    from lm_eval.api.instance import Instance

    return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Seconds, CPU seconds, peak bytes, tokens computed and answers."""
    torch.set_num_threads(task["threads"])
    built: Any = build_model(task["model"])
    model = replace(getattr(built, "model", built), dtype=task["dtype"], reuse=task["way"] == "ours")
    samples = samples_of(task["scenario"], model.tokenizer)
    kinds = {"choices": ranker, "quiz": ranker, "perplexity": reader}
    asked: Callable[[list[Sample]], list[Any]] = kinds.get(task["scenario"], answerer)(task["way"], model)
    asked([build_task("niah").sample(Cell(256, 0.5, 9), 0, model.tokenizer)])
    before = model.prefilled_tokens
    take_peak()
    began, processor = perf_counter(), os.times()
    answers = asked(samples)
    seconds = perf_counter() - began
    used = sum(os.times()[:2]) - sum(processor[:2])
    computed = model.prefilled_tokens - before
    return {"seconds": seconds, "cpu": used, "peak": take_peak() or 0, "prefilled": computed, "answers": answers}


def same(answers: list[Any], reference: list[Any]) -> str:
    """How many answers are the same."""
    if isinstance(answers[0], str):
        return f"{sum(a.strip() == b.strip() for a, b in zip(answers, reference, strict=True))} of {len(answers)}"
    differences = [abs(a - b) for a, b in zip(answers, reference, strict=True)]
    return f"{sum(distance <= TOLERANCE for distance in differences)} of {len(differences)}, {max(differences):.4f}"


def noisy_mta(folder: str) -> str:
    """The spec of SmolLM2 as an MTA model whose kernels are no longer the identity, in `folder`."""
    from mta_eval.models.checkpoints.retrofit import convert

    smollm2: Any = build_model("smollm2")
    made = convert(smollm2.model.weights, "mta", {})
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, kernel in made.named_parameters():
            if "convolve" in name or "mix" in name:
                kernel += KERNEL_NOISE * torch.randn(kernel.shape, generator=random).to(kernel.dtype)
    made.save_pretrained(folder)
    smollm2.tokenizer.owner.save_pretrained(folder)
    return f"mta:{folder}"


def main(
    model: Annotated[str, typer.Option(help="A spec.")] = "smollm2",
    dtype: Annotated[Dtype, typer.Option()] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    scenarios: Annotated[str, typer.Option()] = ",".join(SCENARIOS),
    ways: Annotated[str, typer.Option()] = ",".join(WAYS),
    one: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure and print."""
    if one:
        print(json.dumps(measure(json.loads(one))))
        return
    wanted, wanted_ways = parse_choices(scenarios, SCENARIOS, "--scenarios"), parse_choices(ways, WAYS, "--ways")
    if model != "mta":
        build_model(model)
    console = Console(width=110)
    console.print(f"{model}, {dtype}, torch {torch.__version__}, {threads} threads, best of {rounds} rounds")
    chosen = [way for way in wanted_ways if not way.startswith("lm-eval") or find_spec("lm_eval")]
    folder = TemporaryDirectory()
    model = noisy_mta(folder.name) if model == "mta" else model
    table = Table(box=SIMPLE)
    for heading in ("scenario", "how", "seconds", "CPU s", "× lm-eval", "prefilled", "peak MiB", "same"):
        table.add_column(heading, justify="left" if heading in ("scenario", "how") else "right", no_wrap=True)
    for scenario in wanted:
        found: dict[str, dict[str, Any]] = {}
        for _ in range(rounds):
            for way in chosen:
                if (scenario in LIKELIHOODS and way == "pipeline") or (scenario == "long" and way == "lm-eval 8"):
                    continue
                task = {"model": model, "dtype": dtype, "threads": threads, "scenario": scenario, "way": way}
                measured = run_in_process(__file__, task)
                print(
                    f"{scenario}, {way}: {measured['seconds']:.2f} s"
                    if measured
                    else f"{scenario}, {way}: out of memory",
                    file=sys.stderr,
                )
                if measured and measured["seconds"] < found.get(way, {}).get("seconds", math.inf):
                    found[way] = measured
        for way, figures in found.items():
            peer, plain = found.get("lm-eval"), found.get("alone", figures)
            table.add_row(
                scenario,
                way,
                f"{figures['seconds']:.2f}",
                f"{figures['cpu']:.1f}",
                f"{peer['seconds'] / figures['seconds']:.2f}" if peer else "",
                f"{figures['prefilled']:,}" if way in ("ours", "alone") else "",
                f"{figures['peak'] / 2**20:,.0f}",
                same(figures["answers"], plain["answers"]),
            )
    console.print(table)


if __name__ == "__main__":
    start(main)

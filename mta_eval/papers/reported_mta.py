"""What the Multi-Token Attention paper reports (arXiv 2504.00927v2): numbers only, each under its table or figure.

Curves of Figures 3 and 5 to 8 are plotted without their values in the text: those stand here as None, "not in text".
"""

from __future__ import annotations

from typing import NamedTuple

from mta_eval.core import AxisValue
from mta_eval.papers.comparison_table import NamedRange

MODELS = ("Transformer", "DIFF", "Talking heads", "MTA")


class SeedErrors(NamedTuple):
    """Errors in per cent over three seeds: mean, sample standard deviation, and each seed where it is known."""

    mean: float
    std: float
    seeds: dict[str, float] = {}  # noqa: RUF012  (never changed)


# Table 1, wrong answers in per cent: (attention, letters in a block, target). The single seeds are those of the
# released code's own notes (H100).
TABLE_1 = {
    ("transformer", 5, "all"): SeedErrors(51.6, 43.1, {"42": 77.7, "43": 75.3, "44": 1.9}),
    ("transformer", 5, "first"): SeedErrors(78.2, 1.5),
    ("transformer", 5, "last"): SeedErrors(1.3, 0.4),
    ("transformer", 8, "all"): SeedErrors(31.2, 50.3),
    ("transformer", 8, "first"): SeedErrors(28.9, 24.9),
    ("transformer", 8, "last"): SeedErrors(58.4, 46.8),
    ("mta", 5, "all"): SeedErrors(0.1, 0.1, {"42": 0.0, "43": 0.0, "44": 0.2}),
    ("mta", 5, "first"): SeedErrors(0.0, 0.0),
    ("mta", 5, "last"): SeedErrors(0.0, 0.0),
    ("mta", 8, "all"): SeedErrors(0.1, 0.0),
    ("mta", 8, "first"): SeedErrors(0.0, 0.0),
    ("mta", 8, "last"): SeedErrors(0.0, 0.0),
}

DOMAINS = ("arxiv", "book", "c4", "cc", "github", "se", "wiki")
AVERAGE = "average"

# Table 2, validation perplexity of the 880M models on SlimPajama: DOMAINS, then their plain mean.
TABLE_2_PRETRAINED = {  # 2K windows; means of two runs
    "Transformer": (4.65, 13.47, 20.20, 14.41, 4.28, 10.13, 11.64, 11.25),
    "DIFF": (4.62, 13.33, 19.99, 14.28, 4.25, 10.04, 11.54, 11.15),
    "Talking heads": (4.59, 13.26, 19.82, 14.15, 4.20, 9.93, 11.33, 11.04),
    "MTA": (4.54, 13.09, 19.63, 14.00, 4.12, 9.76, 11.18, 10.91),
}
TABLE_2_STD = {"Transformer": 0.00, "DIFF": 0.02, "Talking heads": 0.00, "MTA": 0.01}  # of the average, two runs
TABLE_2_TUNED = {  # 4K windows, after the fine-tuning with those
    "Transformer": (4.32, 13.18, 20.14, 14.08, 3.96, 9.84, 11.63, 11.02),
    "DIFF": (4.28, 13.01, 19.87, 13.93, 3.90, 9.72, 11.49, 10.89),
    "Talking heads": (4.29, 13.25, 19.95, 13.90, 3.86, 9.66, 11.29, 10.88),
    "MTA": (4.21, 12.77, 19.51, 13.66, 3.79, 9.46, 11.14, 10.65),
}

BENCHMARKS = ("BoolQ", "PIQA", "SIQA", "HellaSwag", "WinoGrande", "ARC-e", "ARC-c", "OBQA", "MMLU")
# Table 3, accuracy in per cent of the 880M models, means of two runs: BENCHMARKS, then their plain mean.
TABLE_3 = {
    "Transformer": (56.2, 70.2, 39.9, 38.5, 56.4, 57.9, 25.9, 23.8, 24.5, 43.7),
    "DIFF": (59.6, 70.5, 39.7, 38.9, 56.4, 57.7, 25.6, 21.4, 24.9, 43.9),
    "Talking heads": (61.9, 71.4, 40.6, 39.4, 54.5, 58.2, 25.2, 23.6, 24.7, 44.4),
    "MTA": (62.1, 71.7, 40.4, 39.7, 57.2, 58.9, 24.7, 23.6, 25.8, 44.9),
}
TABLE_3_STD = {"Transformer": 0.3, "DIFF": 0.5}  # of the average; not given for the others

LAMBADA = ("standard", "OpenAI")
# Table 4, perplexity (not accuracy) of the 880M models on LAMBADA.
TABLE_4 = {"Transformer": (17.6, 9.5), "DIFF": (14.9, 9.3), "Talking heads": (15.1, 8.9), "MTA": (13.2, 8.4)}

# Table 5, average validation perplexity of 880M models: kernels of keys and queries before, after softmax; kernels of
# heads before, after softmax; norm.
TABLE_5 = {
    ("6×11", "6×11", "yes", "yes", "scalar gating"): 10.90,
    ("6×11", "6×11", "yes", "yes", "depth scaling"): 10.92,
    ("6×11", "no", "yes", "yes", "scalar gating"): 10.95,
    ("6×11", "no", "yes", "yes", "none"): 10.99,
    ("6×11", "no", "yes", "yes", "depth scaling"): 10.99,
    ("6×11", "no", "yes", "yes", "no scaling"): 11.03,
    ("6×11", "no", "no", "yes", "depth scaling"): 11.09,
    ("6×11", "no", "no", "yes", "none"): 11.16,
    ("6×11", "no", "no", "yes", "no scaling"): 11.13,
    ("6×11", "no", "no", "yes", "layer-norm scaling"): 11.41,
    ("4×9", "no", "no", "no", "depth scaling"): 11.23,
    ("6×11", "no", "no", "no", "depth scaling"): 11.23,
    ("8×13", "no", "no", "no", "depth scaling"): 11.31,
    ("no", "6×11", "no", "yes", "depth scaling"): 11.11,
    ("no", "6×11", "no", "yes", "none"): 11.19,
    ("6×11", "no", "yes", "no", "depth scaling"): 11.10,
    ("6×11", "no", "yes", "no", "none"): 11.20,
}

# Table 8, parameters of the 880M models, and the paper's formula of what each adds (L layers, M heads, d the width of
# a head, kernels of c_q queries x c_k keys and of c_h heads).
TABLE_8 = {
    "Transformer": (876_553_728, ""),
    "DIFF": (876_567_552, "4Ld + 2Ld"),
    "Talking heads": (876_566_016, "2LM²"),
    "MTA": (876_583_320, "2LM(c_q c_k / 4 + c_h) + L(2d + 1)"),
}

COSTS = ("memory (GB)", "FLOPS (10¹³)", "tokens/s (10³)")
# Table 9, cost of training the 880M models on 32 H200; Transformer and DIFF through torch's fused attention (SDPA).
TABLE_9 = {
    "Transformer": (17.5, 25.0, 54.3),
    "DIFF": (21.6, 8.4, 17.6),
    "Talking heads": (63.0, 6.9, 14.6),
    "MTA": (73.8, 2.6, 5.7),
}

# Table 10, perplexity after further training of a pre-trained model, as it is or with MTA put in: DOMAINS, mean.
TABLE_10 = {
    "1.4B Transformer → Transformer": (4.54, 12.87, 19.21, 13.77, 3.99, 9.49, 10.96, 10.69),
    "1.4B Transformer → MTA": (4.51, 12.78, 19.09, 13.67, 3.95, 9.41, 10.87, 10.61),
    "1.4B MTA → MTA": (4.47, 12.57, 18.82, 13.47, 3.89, 9.25, 10.65, 10.44),
    "Llama 3.2 1B → same": (4.54, 14.60, 18.14, 13.40, 3.92, 8.84, 10.25, 10.53),
    "Llama 3.2 1B → MTA": (4.52, 14.49, 18.04, 13.32, 3.89, 8.79, 10.19, 10.46),
    "Llama 3.2 3B → same": (4.12, 12.08, 15.58, 11.50, 3.37, 7.52, 8.35, 8.93),
    "Llama 3.2 3B → MTA": (4.11, 12.03, 15.51, 11.46, 3.35, 7.48, 8.31, 8.89),
    "Llama 3.1 8B → same": (4.00, 11.04, 15.04, 10.99, 3.29, 7.33, 8.00, 8.53),
    "Llama 3.1 8B → MTA": (3.98, 10.97, 14.97, 10.94, 3.27, 7.29, 7.97, 8.48),
}

# said by the press of the first version of the paper, which could not be checked; at which numbers of needles is not
PRESS, PRESS_WINDOW = NamedRange(67.0, 97.6, "press, of MTA in the first version: 67 to 97.6 %"), 4096
NEEDLES = (2, 4, 6, 8, 10)  # Figure 3, at 2K and 4K windows
NEEDLES_BY_DEPTH = (2, 4, 6, 8)  # Figure 8, at 2K
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
DISTRACTION = (0, 1024, 2048, 4096)  # Figures 5 and 7: tokens of text that the facts are hidden in
QUESTIONS = (1, 2, 3, 4, 5)
SIZES = ("300M", "550M", "880M", "1B")  # Figure 6, right


def plotted(columns: tuple[AxisValue, ...]) -> dict[str, dict[AxisValue, float | None]]:
    """Curves of all four models whose values are not in the text."""
    return {model: dict.fromkeys(columns) for model in MODELS}


def gain_at_880m() -> dict[str, float]:
    """Figure 6, right, derived: by how many per cent Table 2's average is below the Transformer's, for each other."""
    averages = {model: row[-1] for model, row in TABLE_2_PRETRAINED.items()}
    plain = averages.pop("Transformer")
    return {model: 100 * (plain - average) / plain for model, average in averages.items()}

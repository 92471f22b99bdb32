"""What is reported of LongHeads (arXiv 2402.10685), and by whom: numbers only. The paper's own tables are not here."""

from __future__ import annotations

from collections.abc import Mapping

from mta_eval.core import AxisValue

ByLength = Mapping[AxisValue, float | None]  # length in tokens -> value

# Accuracy in per cent by length, read off `passkey_128k.png` of the released repository: 50 trials a length.
PASSKEY: Mapping[str, ByLength] = {
    "LLaMA-2-7B": {4096: 100.0, 16384: 0.0, 32768: 0.0, 65536: 0.0, 131072: 0.0},
    "LongHeads on LLaMA-2-7B": {4096: 100.0, 16384: 94.0, 32768: 98.0, 65536: 96.0, 131072: 100.0},
}
# A user's own runs, issue 3 of that repository (June 2024): LLaMA-2-7B, the code's default settings.
THIRD_PARTY = "LongHeads on LLaMA-2-7B (third party)"
THIRD_PARTY_PASSKEY: ByLength = {2048: 100.0}  # "fails" at 4K and 8K, without a number
THIRD_PARTY_PERPLEXITY: ByLength = {512: 8.85, 1024: 7.97, 2048: 7.42, 4096: 7.08, 8192: 7.75}  # PG19
# Peak memory in GB of LLaMA-2-7B with keys and values kept by the CPU, as the released repository's README says.
MEMORY: Mapping[str, ByLength] = {"LongHeads on LLaMA-2-7B, CPU offload": {65536: 26.51, 131072: 44.48}}

"""How often the intervals of means hold the true mean, by simulation: `python bench/coverage.py`.

Samples of one draw agree by a correlation (a normal variable that they share, cut at the rate wanted). Scores are right
or wrong, or the mean of four such ("fractions"). Prints a Markdown table: the share of intervals at 95 % that hold the
true mean, the worst and the mean over the correlations, and their mean width.
"""

from __future__ import annotations

import argparse
import itertools
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from mta_eval.results.statistics import interval

DRAWS, DEPTHS, RATES, CORRELATIONS = (5, 10, 20, 50), (1, 4, 11), (0.5, 0.8, 0.95), (0.0, 0.3, 0.7, 0.95)
PARTS = {"right or wrong": 1, "fractions": 4}


class Coverage(NamedTuple):
    """Share of the intervals that hold the true mean, and their mean width."""

    held: float
    width: float


def coverage(
    rate: float, correlation: float, draws: int, depths: int, parts: int, runs: int, seed: int = 0
) -> Coverage:
    """Of `runs` simulated means over `draws` x `depths` samples, each the mean of `parts` right-or-wrong answers."""
    random = np.random.default_rng((seed, draws, depths, parts))
    shared = np.sqrt(correlation) * random.standard_normal((runs, draws, 1, 1))
    own = np.sqrt(1 - correlation) * random.standard_normal((runs, draws, depths, parts))
    scores = (shared + own < ndtri(rate)).mean(axis=-1).reshape(runs, draws * depths)
    names = np.repeat(np.arange(draws), depths).tolist()
    ends = np.array([interval(one, names) for one in scores.tolist()])
    held = np.mean((ends[:, 0] <= rate) & (rate <= ends[:, 1]))
    return Coverage(float(held), float(np.mean(ends[:, 1] - ends[:, 0])))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="simulated means for each cell (default 2000)")
    runs = parser.parse_args().runs
    print("| scores | rate | depths | " + " | ".join(f"{draws} draws" for draws in DRAWS) + " |")
    print("|:--|--:|--:|" + "--:|" * len(DRAWS))
    for (kind, parts), rate, depths in itertools.product(PARTS.items(), RATES, DEPTHS):
        cells = []
        for draws in DRAWS:
            found = [coverage(rate, one, draws, depths, parts, runs) for one in CORRELATIONS]
            held, width = [100 * one.held for one in found], np.mean([one.width for one in found])
            cells.append(f"{min(held):.1f}, {np.mean(held):.1f} (±{50 * width:.0f})")
        print(f"| {kind} | {100 * rate:.0f} % | {depths} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

"""Cells and truth: how far needles stand from the depth that their row of a picture says."""

from __future__ import annotations

from collections.abc import Sequence

from mta_eval.core import Record

FAR = 0.05  # of the context


def depth_lines(records: Sequence[Record]) -> list[str]:
    """A line for each task with samples whose asked needles (the nearest of them) stand over FAR off their depth."""
    tasks: dict[str, list[float]] = {}
    for record in records:
        asked = [needle.depth for needle in record.needles if needle.asked]
        if asked and record.axes.get("depth") is not None:
            depth = record.number("depth")
            tasks.setdefault(record.task, []).append(min(abs(needle - depth) for needle in asked))
    return [
        f"{len(far)} of {len(distances)} samples of {task} have their needle more than {FAR} off the depth of their "
        f"cell, at worst {max(far):.2f}; records hold the true depths"
        for task, distances in tasks.items()
        if (far := [distance for distance in distances if distance > FAR])
    ]

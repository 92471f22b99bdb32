"""The Markdown table of `gpu.py`'s JSON."""

from __future__ import annotations

from typing import Any

WAYS = ("sdpa", "fused", "definition", "tiles")


def markdown(found: dict[str, Any]) -> str:
    """All tables of a run."""
    lines = [
        f"{found.get('correct', {}).get('card', 'no card')}, torch {found.get('correct', {}).get('torch', '')}",
        "",
    ]
    cases = found.get("correct", {}).get("cases", {})
    wrong = [name for name, case in cases.items() if not isinstance(case, dict) or not case.get("right", True)]
    lines += [f"{len(cases) - len(wrong)} of {len(cases)} cases right; wrong: {', '.join(wrong) or 'none'}", ""]
    lines += ["| layer | pass | tokens | " + " | ".join(f"{way} ms, MiB" for way in WAYS) + " | ours / sdpa |"]
    lines += ["|---|---|--:|" + "--:|" * (len(WAYS) + 1)]
    for layer, kinds in found.get("table", {}).items():
        if not isinstance(kinds, dict):
            continue
        for kind, lengths in kinds.items():
            for tokens, ways in lengths.items():
                lines.append(row(found, layer, kind, tokens, ways))
    for part in ("decode", "train", "paper"):
        lines += ["", f"{part}: {found.get(part)}"]
    return "\n".join(lines)


def row(found: dict[str, Any], layer: str, kind: str, tokens: str, ways: dict[str, Any]) -> str:
    """One line of the table; plain attention is every layer's, and ours is row tiles where there is no fused form."""
    plain = ways.get("sdpa") or found["table"].get("before", {}).get(kind, {}).get(tokens, {}).get("sdpa")
    cells = [cell(ways.get(way)) for way in WAYS]
    ratio = ""
    ours = ways.get("fused") or ways.get("tiles")
    if isinstance(plain, dict) and isinstance(ours, dict):
        ratio = f"{ours['ms'] / plain['ms']:.2f}"
    return f"| {layer} | {kind} | {tokens} | " + " | ".join([*cells, ratio]) + " |"


def cell(figures: Any) -> str:
    """Milliseconds and MiB, or why there are none."""
    if isinstance(figures, dict):
        memory = f", {figures['MiB']:,.0f}" if "MiB" in figures else ""
        return f"{figures['ms']:,.3f}{memory}"
    return str(figures)[:40] if figures else "-"

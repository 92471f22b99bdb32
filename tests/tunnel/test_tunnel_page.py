"""tunnel.html: all on one page, without a network, without a script, whatever a variant is called."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_tunnel import outcome, tunnel

from mta_eval.errors import StoreError
from mta_eval.tunnel.attention_maps import MapPicture
from mta_eval.tunnel.tunnel_page import write_page
from mta_eval.tunnel.tunnel_tables import protocol
from mta_eval.tunnel.verdicts import Judged

SVG = '<?xml version="1.0"?>\n<svg width="100pt"><text>{}</text></svg>'
EVIL = "<script>alert(1)</script>"


def page_of(made: Any, out: Path, why_no_maps: str = "") -> str:
    (out / "tunnel.svg").write_text(SVG.format("figure"))
    (out / "map.svg").write_text(SVG.format("map"))
    path = write_page(made, out, [MapPicture(out / "map.svg", "MTA on copy")], why_no_maps)
    assert path == out / "tunnel.html"
    return path.read_text()


def small() -> Any:
    made = tunnel(outcome(0.0, 0.02, 0.7), outcome(0.9, 1.0, 0.95, kind="diff"))
    return replace(made, made={"command": "mta-eval tunnel mta", "PyTorch": "2.9"})


def test_all_is_on_the_page(tmp_path: Path) -> None:
    text = page_of(small(), tmp_path)
    for part in (*small().verdicts.values(), *protocol(small()), *small().notes):
        assert part.replace("'", "&#39;") in text
    for part in (
        "24.0 % [0–100] (0.0 · 2.0 · 70.0)",
        "300 · 300 · –",
        "1,000 · 8 · 2.0 MB",
        "0.500",
        "0.001 (0.0001: 3.000",
    ):
        assert f"<td>{part}" in text
    assert "<code>mta-eval tunnel mta</code>" in text
    assert "<td>2.9</td>" in text
    assert "<td>mta · a paper</td>" in text
    assert text.index(">figure<") < text.index(">map<")


def test_the_page_needs_no_network_and_no_script(tmp_path: Path) -> None:
    text = page_of(small(), tmp_path)
    assert "<script" not in text
    assert not re.search(r"(src|href)=[\"'](?!#)", text)
    assert "default-src 'none'" in text


def test_what_is_no_text_of_ours_is_escaped(tmp_path: Path) -> None:
    made = small()
    judged = {key: Judged(one.outcome, EVIL) for key, one in made.judged.items()}
    variants = tuple(replace(one, title=EVIL, source=EVIL) for one in made.plan.variants)
    evil = replace(made, judged=judged, plan=replace(made.plan, variants=variants), made={"command": EVIL})
    text = page_of(evil, tmp_path, EVIL)
    assert EVIL not in text
    assert text.count("&lt;script&gt;") > 10


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_page(small(), tmp_path / "nowhere", [])

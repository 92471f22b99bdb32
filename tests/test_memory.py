from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mta_eval import memory
from mta_eval.memory import take_peak

MEGABYTE = 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="the resident size's peak is known on Linux alone")
def test_a_peak_is_seen_once() -> None:
    take_peak()
    before = take_peak()
    block = b"x" * (100 * MEGABYTE)
    del block
    during, after = take_peak(), take_peak()
    assert before is not None
    assert during is not None
    assert after is not None
    assert during > before + 90 * MEGABYTE
    assert after < during - 90 * MEGABYTE


def test_where_the_system_does_not_tell_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "STATUS", tmp_path / "nothing")
    assert take_peak() is None

"""What the tests of bad input share: a command that must be refused, and a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import RUN, Call


@pytest.fixture
def refused(call: Call, tmp_path: Path) -> Callable[..., str]:
    """The one line with which a command is refused; nothing was written."""

    def run(*arguments: str) -> str:
        before = set(tmp_path.rglob("*"))
        code, out, err = call(*arguments)
        assert code == 2, (arguments, out, err)
        assert len(err.strip().splitlines()) == 1
        assert err.startswith("mta-eval")
        assert len(err) < 1000
        assert "Traceback" not in out + err
        assert set(tmp_path.rglob("*")) == before
        return err

    return run


@pytest.fixture
def run_folder(call: Call, tmp_path: Path) -> Path:
    """A run of one sample."""
    assert call(*RUN[:-1], "--repeats", "1", "--depths", "0", "--out", "r")[0] == 0
    return tmp_path / "r"

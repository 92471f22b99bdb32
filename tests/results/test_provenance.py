from __future__ import annotations

import datetime
import sys

import pytest

from mta_eval.results.provenance import provenance


def test_a_run_keeps_the_day_the_command_and_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py", "run", "niah", "--name", "a=b c"])
    about = provenance()
    assert about["commands"] == ["mta-eval run niah --name 'a=b c'"]
    assert about["dates"] == [datetime.date.today().isoformat()]
    assert "cores" in str(about["hardware"])
    assert str(about["python"]).count(".") == 2

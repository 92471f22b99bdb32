"""`mta-eval run`: baselines beside models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mta_eval.results.store import read

Call = Callable[..., tuple[int, str, str]]


def test_baselines_are_asked_the_samples_of_each_model(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "run"
    cell = ("--lengths", "256", "--depths", "0.5", "--repeats", "2", "--out", str(out))
    code, _, error = call("run", "niah", "--model", "window:100", "--model", "window:400", "--baselines", *cell)
    assert (code, "mta-eval:" in error) == (0, False)
    _, records = read(out)
    names = [f"{name}:of=window:{width}" for width in (100, 400) for name in ("bag", "chance", "copier")]
    assert sorted({record.model for record in records}) == sorted([*names, "window:100", "window:400"])
    prompts = {record.prompt_sha256 for record in records if record.sample_id.endswith("/0")}
    assert len(prompts) == 1
    assert all(record.score == 1 for record in records if record.model.startswith("bag"))

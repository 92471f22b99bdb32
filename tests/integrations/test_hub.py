"""A run as a data set of the hub, against a client that keeps what it gets."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from mta_eval.core import PromptSettings, Run, Sweep
from mta_eval.errors import SendError, StoreError
from mta_eval.integrations import hub
from mta_eval.integrations.hub import command_of, push_run
from mta_eval.results.store import read_run

Call = Callable[..., tuple[int, str, str]]
ASK = ("run", "niah:needles=2", "--model", "window:300", "--lengths", "256", "--depths", "0,1", "--repeats", "1")


class FakeHub:
    """The hub: one data set, which may be there already."""

    def __init__(self, public: bool | None = None, broken: bool = False) -> None:
        self.public, self.broken, self.files, self.message = public, broken, {}, ""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> object:
        assert (repo_type, exist_ok) == ("dataset", True)
        if self.broken:
            raise ConnectionError("offline mode is enabled.")
        self.public = (not private) if self.public is None else self.public
        return SimpleNamespace(repo_id=repo_id if "/" in repo_id else f"me/{repo_id}")

    def repo_info(self, repo_id: str, *, repo_type: str) -> object:
        assert (repo_id, repo_type) == ("me/x", "dataset")
        return SimpleNamespace(private=not self.public)

    def upload_folder(self, *, repo_id: str, folder_path: str, repo_type: str, commit_message: str) -> object:
        assert (repo_id, repo_type) == ("me/x", "dataset")
        self.files = {file.name: file.read_bytes() for file in Path(folder_path).iterdir()}
        self.message = commit_message
        return None


@pytest.fixture
def folder(call: Call, tmp_path: Path) -> Path:
    assert call(*ASK, "--out", "r")[0] == 0
    return tmp_path / "r"


def test_a_run_becomes_a_private_data_set_with_a_card(folder: Path, tmp_path: Path) -> None:
    fake = FakeHub()
    assert push_run(folder, "x", hub=fake) == "https://huggingface.co/datasets/me/x"
    assert fake.public is False
    assert set(fake.files) == {"README.md", "records.parquet", "run.json", "records.jsonl"}
    assert fake.files["records.jsonl"] == (folder / "records.jsonl").read_bytes()
    (tmp_path / "t.parquet").write_bytes(fake.files["records.parquet"])
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert list(table["score"]) == [1.0, 1.0]
    assert table["needle_list"][0][0]["text"].startswith("The magic number")
    _, front, text = fake.files["README.md"].decode().split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["configs"] == [
        {"config_name": "records", "data_files": [{"split": "test", "path": "records.parquet"}]}
    ]
    assert about["pretty_name"] == "r"
    for part in ("niah:needles=2", "window:300", "mta-eval run niah:needles=2 --model window:300", "100 %", "torch"):
        assert part in text
    assert "r, by mta-eval" in fake.message


def test_a_public_data_set_is_never_used_unasked(folder: Path) -> None:
    with pytest.raises(SendError, match="'me/x' is public; add --public"):
        push_run(folder, "me/x", hub=(there := FakeHub(public=True)))
    assert there.files == {}
    push_run(folder, "me/x", public=True, hub=there)
    assert there.files
    push_run(folder, "me/x", public=True, hub=(new := FakeHub()))
    assert new.public is True


def test_what_the_hub_says_is_one_line(folder: Path) -> None:
    with pytest.raises(SendError, match=r"did not take .*: offline mode is enabled; mta-eval push .* me/x tries again"):
        push_run(folder, "me/x", hub=FakeHub(broken=True))
    (folder / "records.jsonl").write_text("")
    with pytest.raises(StoreError, match="no records to push"):
        push_run(folder, "me/x", hub=FakeHub())


def test_the_command_of_a_card_asks_the_same(folder: Path, call: Call) -> None:
    words = shlex.split(command_of(read_run(folder)))
    assert call(*words[1:-1], "again")[0] == 0
    ours, theirs = (json.loads((place / "run.json").read_text()) for place in (folder, folder.parent / "again"))
    assert all(ours[name] == theirs[name] for name in ("tasks", "models", "sweep", "prompt"))


def test_the_command_of_a_card_has_what_is_not_usual() -> None:
    settings = PromptSettings(system="Be short.", template_options=(("style", "plain"),), thinking="off")
    sweep = Sweep((512,), (None, 0.125), 3, 4)
    run = Run(("niah",), ("hf:a b",), sweep, "choose", "mark", "1", {}, prompt=settings)
    assert command_of(run) == (
        "mta-eval run niah --model 'hf:a b' --lengths 512 --depths any,0.125 --repeats 3 --seed 4 --answer choose "
        "--over-length mark --system 'Be short.' --template-option 'style=\"plain\"' --thinking off --out runs/again"
    )


def test_run_pushes_when_it_is_done(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    fake = FakeHub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
    code, out, err = call(*ASK, "--out", "r", "--push-to-hub", "me/x")
    assert (code, out.splitlines()[-1]) == (0, "https://huggingface.co/datasets/me/x"), err
    assert fake.public is False
    fake.public, fake.files = None, {}
    code, out, _ = call("push", "r", "me/x", "--public")
    assert (code, fake.public, len(fake.files)) == (0, True, 4)


@pytest.mark.usefixtures("folder")
def test_what_would_be_pushed_can_be_looked_at(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("push", "r", "me/x", "--out", "look/here")
    assert (code, out) == (0, "look/here\n")
    assert (tmp_path / "look/here" / hub.CARD).read_text().count("hf download me/x") == 1
    assert call("push", "r", "me/x", "--out", "look", "--public")[0] == 2

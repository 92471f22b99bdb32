"""What trackers get of a run, and each tracker's own package in its offline mode, where it is installed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from mta_eval import registry
from mta_eval.core import Record, Run, RunPart, Sweep
from mta_eval.errors import SendError, SpecError
from mta_eval.integrations.loggers import sending
from mta_eval.integrations.loggers.logged_run import LoggedRun, logged_runs, scores_by_length
from mta_eval.results.store import RunFolder

Call = Callable[..., tuple[int, str, str]]
SENT: list[LoggedRun] = []


pytestmark = pytest.mark.usefixtures("quick_pdfs")


@dataclass(frozen=True)
class RecordingLogger:
    """A logger of another package: keeps what it gets."""

    name: ClassVar[str] = "kept"
    fails: bool = False

    def check(self) -> None:
        pass

    def log(self, run: LoggedRun) -> str:
        print("a tracker that talks")
        if self.fails:
            raise ConnectionError("no route to the tracker.\nmore")
        SENT.append(run)
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in run.pictures.values())
        return f"kept as {run.title}"


@pytest.fixture
def recording_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ADDED["loggers"], "kept", f"{__name__}:RecordingLogger")
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    SENT.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of one model: 256 right, 512 half right."""
    sweep = Sweep((256, 512), (0.0,), 2)
    run = Run(("niah:needles=4",), ("window:300",), sweep, "generate", "refuse", "0.1.0", {"window:300": "x"})
    run = Run(**{**vars(run), "parts": (RunPart(run.tasks, run.models, sweep),)})
    with RunFolder(tmp_path / "my run", run) as opened:
        for length in (256, 512):
            for repeat in (0, 1):
                axes = {"length": length, "depth": 0.0, "repeat": repeat}
                score = float(length == 256 or repeat == 0)
                name = f"niah:needles=4/{length}/0.00/{repeat}"
                opened.append(Record(name, run.tasks[0], run.models[0], axes, ["7"], "7", score, 9, 9, 0.1))
    return tmp_path / "my run"


def test_scores_are_those_of_each_length_and_of_all(folder: Path, tmp_path: Path) -> None:
    (run,) = logged_runs(folder, tmp_path / "pictures")
    assert (run.title, run.group, run.lengths) == ("my run", "my run", [256, 512])
    assert run.metrics(256)["niah:needles=4/accuracy"] == 1.0
    half = run.metrics(512)
    assert half["niah:needles=4/accuracy"] == 0.5
    assert half["niah:needles=4/accuracy low"] < 0.5 < half["niah:needles=4/accuracy high"]
    assert half["niah:needles=4/accuracy samples"] == 2
    assert run.metrics(None)["niah:needles=4/overall accuracy"] == 0.75
    assert run.facts["lengths"] == "256,512"
    assert run.facts["model"] == "window:300"
    assert [path.name for path in run.files] == ["run.json", "records.jsonl"]
    assert "heatmap_niah_needles_4" in run.pictures


def test_what_failed_has_no_score_and_what_was_read_a_perplexity() -> None:
    failed = Record("niah/256/0.00/0", "niah", "m", {"length": 256}, ["7"], None, None, 9, 9, 0.1, error="E")
    assert scores_by_length([failed]) == []
    axes = {"length": 512, "predicted": 10, "domain": "prose", "repeat": 0, "nats": 10 * math.log(4.0), "bytes": 40}
    read = Record("p/512/any/0", "perplexity", "m", axes, [], None, 0.25, 11, 0, 0.1)
    scores = scores_by_length([read])
    assert [(score.what, score.length, round(score.mean, 6)) for score in scores] == [
        ("perplexity prose", 512, 4.0),
        ("bits per byte", 512, 0.5),
    ]
    run = LoggedRun("r", "r", Path("r"), {}, scores, {})
    assert sorted(run.metrics(512)) == [
        *("perplexity/bits per byte", "perplexity/bits per byte samples"),
        *("perplexity/perplexity prose", "perplexity/perplexity prose samples"),
    ]


@pytest.mark.usefixtures("recording_logger")
def test_a_run_is_logged_when_it_is_done_a_run_for_each_model(call: Call, tmp_path: Path) -> None:
    ask = ("run", "niah", "--model", "window:60", "--model", "window:300", "--lengths", "256", "--depths", "0")
    code, out, err = call(*ask, "--repeats", "1", "--label", "window:60=Small", "--out", "r", "--log", "kept")
    assert code == 0, err
    assert out.splitlines()[-2:] == ["r · Small: kept as r · Small", "r · window:300: kept as r · window:300"]
    assert "a tracker that talks" in err
    assert [run.metrics(256)["niah/accuracy"] for run in SENT] == [0.0, 1.0]
    code, _, err = call(*ask, "--repeats", "1", "--label", "window:60=Small", "--out", "r", "--log", "kept:fails=true")
    assert code == 2
    assert err.splitlines()[-1] == (
        "mta-eval: --log kept: no route to the tracker; the answers are in 'r', and the same command logs them again"
    )
    assert len((tmp_path / "r" / "records.jsonl").read_text().splitlines()) == 2


def test_a_logger_that_is_not_there_is_said_before_anything_is_asked(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending.importlib.util, "find_spec", {}.get)
    for spec in ("wandb", "mlflow", "trackio", "tensorboard"):
        with pytest.raises(SpecError, match=rf"--log {spec} needs .* {spec}: pip install 'mta-eval\[{spec}\]'"):
            sending.find_loggers([spec])
    code, _, err = call("run", "niah", "--model", "window:60", "--lengths", "256", "--out", "r", "--log", "wand")
    assert (code, "did you mean 'wandb'" in err, (tmp_path / "r").exists()) == (2, True, False)


def test_tensorboard_has_curves_pictures_and_facts(folder: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):  # again: what was there before is shown no more
        (line,) = sending.log_run(folder, sending.find_loggers(["tensorboard"]))
    assert line == f"my run: tensorboard --logdir {folder / 'tensorboard'}"
    events = EventAccumulator(str(folder / "tensorboard" / "my_run")).Reload()
    points = events.Scalars("niah:needles=4/accuracy")
    assert [(point.step, point.value) for point in points] == [(256, 1.0), (512, 0.5)]
    assert events.Tags()["images"]
    assert events.Tags()["tensors"] == ["run/text_summary"]


def test_mlflow_has_metrics_by_length_and_the_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # all that mlflow-skinny has without a server
    uri = str(tmp_path / "mlruns")
    (line,) = sending.log_run(folder, sending.find_loggers([f"mlflow:experiment=e,uri={uri}"]))
    client = mlflow.MlflowClient(uri)
    run = client.get_run(line.rpartition(" ")[2])
    assert run.info.run_name == "my run"
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == "window:300"
    assert not any(name.startswith(("mlflow.user", "mlflow.source")) for name in run.data.tags)
    curve = client.get_metric_history(run.info.run_id, "niah_needles_4/accuracy")
    assert sorted((point.step, point.value) for point in curve) == [(256, 1.0), (512, 0.5)]
    files = {file.path for file in client.list_artifacts(run.info.run_id, "run")}
    assert files == {"run/run.json", "run/records.jsonl"}
    assert client.list_artifacts(run.info.run_id, "pictures")


def test_wandb_keeps_it_in_a_folder_where_it_is_offline(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    (line,) = sending.log_run(folder, sending.find_loggers(["wandb:project=p"]))
    assert line.startswith("my run: offline; send it with wandb sync ")
    kept = Path(line.rpartition("wandb sync ")[2])
    (log,) = kept.glob("*.wandb")
    assert b"niah:needles=4/accuracy" in log.read_bytes()
    assert list(kept.rglob("*.png"))


def test_trackio_keeps_it_on_this_machine(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    (line,) = sending.log_run(folder, sending.find_loggers(["trackio:project=p"]))
    assert line == "my run: trackio show --project p"
    rows = SQLiteStorage.get_logs("p", "my run")
    curve = [(row["step"], row["niah:needles=4/accuracy"]) for row in rows if "niah:needles=4/accuracy" in row]
    assert curve == [(256, 1.0), (512, 0.5)]
    assert json.dumps(rows[-1]).count("overall accuracy")


def test_an_error_of_a_tracker_is_an_error_of_ours(folder: Path) -> None:
    with pytest.raises(SendError, match="no route"):
        sending.log_run(folder, [RecordingLogger(fails=True)])
    assert sending.log_run(folder, []) == []

"""`mta-eval lm-eval …`, run in this process."""

from __future__ import annotations

import builtins
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mta_eval.integrations.lm_eval import TASKS

Call = Callable[..., tuple[int, str, str]]
SHORT = ("--metadata", "lengths=[256,384]", "depths=[0,1]", "repeats=1")


@pytest.fixture(autouse=True)
def lm_eval_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import lm_eval.evaluator
    import lm_eval.tasks

    monkeypatch.setattr(lm_eval.tasks, "TaskManager", lm_eval.tasks.TaskManager)
    monkeypatch.setattr(lm_eval.evaluator, "add_env_info", lambda *_: None)  # it runs programs for seconds
    monkeypatch.setattr(lm_eval.utils, "_LOGGING_CONFIGURED", True)
    logger = logging.getLogger("lm_eval")
    level = logger.level
    yield
    logger.setLevel(level)


def test_a_run_is_scored_kept_and_reported(call: Call, family: dict[str, Path], tmp_path: Path) -> None:
    told = ("--model", "mta", "--model_args", f"pretrained={family['mta']},dtype=float32")
    kept = ("--log_samples", "--output_path", "out")
    code, out, err = call("lm-eval", "run", "--tasks", "mta_niah", *told, *SHORT, *kept)
    assert code == 0, err
    assert "acc_length_384" in out
    (samples,) = (tmp_path / "out").rglob("samples_mta_niah_*.jsonl")
    assert len(samples.read_text().splitlines()) == 4
    code, out, err = call("report", str(samples))
    assert code == 0, err
    page = (samples.parent / "report" / "report.html").read_text("utf-8").replace("<wbr>", "")
    assert f"mta:{family['mta']},dtype=float32" in page
    assert (samples.parent / "report" / "heatmap_niah.png").is_file()


def test_metadata_may_be_json(call: Call, llama_folder: Path) -> None:
    metadata = json.dumps({"lengths": ["256"], "depths": "any", "repeats": 2})
    told = ("--model", "hf", "--model_args", f"pretrained={llama_folder}", "--metadata", metadata)
    code, out, err = call("lm-eval", "run", "--tasks=mta_passkey", *told, "--device", "cpu")
    assert code == 0, err
    assert "acc_length_256" in out


def test_without_a_command_it_lists_them(call: Call) -> None:
    code, out, err = call("lm-eval")
    assert (code, err) == (0, "")
    assert "Run lm-eval with our tasks and models" in out
    assert "validate" in out


def test_path_names_the_folder_of_the_tasks(call: Call) -> None:
    assert call("lm-eval", "path") == (0, f"{TASKS}\n", "")
    assert {"mta_eval", "mta_letter_blocks", "mta_niah"} < {path.stem for path in TASKS.glob("*.yaml")}


def test_validate_knows_our_tasks(call: Call) -> None:
    code, out, _ = call("lm-eval", "validate", "--tasks", "mta_niah,mta_eval")
    assert code == 0
    assert "All tasks found and valid" in out


@pytest.mark.slow
def test_ls_lists_our_tasks_beside_lm_evals(call: Call) -> None:
    code, out, _ = call("lm-eval", "ls", "tasks")
    assert code == 0
    assert "mta_letter_blocks" in out
    assert "hellaswag" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "nope"), "lm-eval: Attempted to load model 'nope'"),
        (("--model", "mta"), "mta needs --model_args pretrained="),
        (("--model", "mta", "--model_args", "pretrained=FOLDER,dtyp=x"), "did you mean 'dtype'"),
        (("--model", "hf", "--model_args", "pretrained=/no/such"), "lm-eval: "),
        (("--model", "hf"), "lm-eval: TypeError: "),
        (("--model", "dummy", "--model_args", "tokenizer=FOLDER", "--metadata", "needels=4"), "mean 'needles'"),
        (("--model", "dummy"), "no tokenizer is named"),
        (("--model", "dummy", "--log_samples"), "lm-eval: Specify --output_path"),
        (("--tasks", "mta_nia"), "lm-eval: Tasks not found: mta_nia"),
    ],
)
def test_a_users_mistake_is_one_line(
    arguments: tuple[str, ...], message: str, call: Call, llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--tasks" in arguments:  # spare lm-eval the reading of all its own tasks
        import lm_eval.tasks

        whole = lm_eval.tasks.TaskManager

        def ours_alone(**how: Any) -> Any:
            return whole(**how | {"include_defaults": False})

        monkeypatch.setattr(lm_eval.tasks, "TaskManager", ours_alone)
    tasks = () if "--tasks" in arguments else ("--tasks", "mta_niah")
    given = [argument.replace("FOLDER", str(llama_folder)) for argument in arguments]
    code, _, err = call("lm-eval", "run", *tasks, *given)
    last = err.strip().splitlines()[-1]
    assert code == 2
    assert "Traceback" not in err
    assert last.startswith("mta-eval: ")
    assert message in last


def test_without_lm_eval_one_line_says_how_to_get_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "lm_eval":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert call("lm-eval", "run", "--tasks", "mta_niah") == (
        2,
        "",
        "mta-eval: lm-eval is not installed; pip install 'mta-eval[lm-eval]'\n",
    )

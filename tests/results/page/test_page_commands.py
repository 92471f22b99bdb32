from __future__ import annotations

from typing import Any

from mta_eval.core import Record, Run, Sweep
from mta_eval.results.page.commands import ShowCommands


def record(model: str = "mta", **axes: Any) -> Record:
    known = {"length": 512, "depth": 0.25, "repeat": 0} | axes
    return Record("passkey/512/0.25/0", "passkey", model, known, ["7"], "7", 1.0, 500, 12, 1.0)


def run(*models: str) -> Run:
    return Run(("passkey",), models or ("mta",), Sweep((512,), (0.25,), 1), "", "", "", {})


def test_the_command_names_the_path_of_the_run_that_holds_the_record() -> None:
    commands = ShowCommands([("monday", run("diff")), ("tuesday", run())], {"tuesday": "runs/tues day"})
    assert commands.of(record()) == "mta-eval show 'runs/tues day' passkey/512/0.25/0 --model mta"


def test_without_paths_it_names_the_run_and_without_runs_none() -> None:
    assert ShowCommands([("monday", run())], {}).of(record()).startswith("mta-eval show monday passkey/")
    assert ShowCommands([], {}).of(record()).startswith("mta-eval show RUN passkey/")


def test_of_two_runs_of_one_model_the_name_says_which() -> None:
    commands = ShowCommands([("monday", run()), ("tuesday", run())], {"monday": "a", "tuesday": "b"})
    assert commands.of(record("mta (tuesday)")) == "mta-eval show b passkey/512/0.25/0 --model mta"


def test_samples_of_a_file_of_another_program_have_no_command() -> None:
    assert ShowCommands([("samples", run())], {"samples": ""}).of(record()) == ""


def test_the_seed_is_named_where_there_are_several() -> None:
    assert ShowCommands([], {}).of(record(seed=3)).endswith("--model mta --seed 3")

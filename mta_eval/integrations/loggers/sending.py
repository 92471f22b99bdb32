"""`run --log`: loggers by their specs, and a finished run given to them."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from mta_eval import registry
from mta_eval.errors import MtaEvalError, SendError, SpecError
from mta_eval.integrations.loggers.logged_run import RunLogger, logged_runs
from mta_eval.models.error_text import first_line


def find_loggers(specs: Sequence[str]) -> list[RunLogger]:
    """The loggers that specs name. Raises SpecError for one that does not exist or whose package is missing."""
    loggers: list[RunLogger] = [registry.build_of_kind("loggers", spec) for spec in specs]
    for logger in loggers:
        logger.check()
    return loggers


def need_package(name: str, package: str) -> None:
    """Raises SpecError if the package of a logger is not installed."""
    if importlib.util.find_spec(package) is None:
        raise SpecError(f"--log {name} needs the package {package}: pip install 'mta-eval[{name}]'")


def log_run(folder: Path, loggers: Sequence[RunLogger]) -> list[str]:
    """Give a run folder to loggers; returns a line for each model and logger that says where it is.

    Raises SendError if a tracker does not take it: the answers are in the folder all the same.
    """
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mta-eval-") as place:
        runs = logged_runs(folder, Path(place)) if loggers else []
        for logger in loggers:
            for run in runs:
                try:
                    with redirect_stdout(sys.stderr):  # trackers say who they are; stdout is for results
                        lines.append(f"{run.title}: {logger.log(run)}")
                except MtaEvalError:
                    raise
                except Exception as error:  # each tracker's package has errors of its own
                    raise SendError(
                        f"--log {logger.name}: {first_line(error)}; the answers are in {str(folder)!r}, and the same "
                        "command logs them again"
                    ) from error
    return lines

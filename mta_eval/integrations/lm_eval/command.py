"""`mta-eval lm-eval …`: lm-eval's own command line, with our tasks and models known to it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval.errors import MtaEvalError, SpecError
from mta_eval.integrations.lm_eval import TASKS, model_names, register_models
from mta_eval.integrations.lm_eval.question import ADAPTER
from mta_eval.models.error_text import first_line

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

NEEDED = "lm-eval is not installed; pip install 'mta-eval[lm-eval]'"
LOG = logging.getLogger("lm_eval.mta_eval")  # lm-eval's own loggers are the ones that it shows


def run_harness(arguments: Sequence[str]) -> None:
    """Hand `arguments` (run …, ls …, validate …) to lm-eval. Raises SpecError for what lm-eval trips over."""
    try:
        import lm_eval.tasks
        from lm_eval.__main__ import cli_evaluate
    except ImportError as error:
        raise SpecError(NEEDED) from error
    register_models()
    tasks = {name for value in _values(arguments, "--tasks", "-t") for name in value.split(",")}
    # lm-eval reads its thousands of task files at every start, for ten seconds; tasks of ours need none of them
    only_ours = bool(tasks) and tasks <= {path.stem for path in TASKS.glob("*.yaml")}
    lm_eval.tasks.TaskManager = partial(_with_ours, lm_eval.tasks.TaskManager, only_ours)
    model = next(iter(_values(arguments, "--model", "-M")), "")
    sys.argv = ["lm-eval", *arguments, *(["--metadata", f"{ADAPTER}={model}"] if model in model_names() else [])]
    try:
        cli_evaluate()
    except MtaEvalError:
        raise
    except Exception as error:  # lm-eval and its models raise whatever they trip over
        LOG.debug("where it happened", exc_info=True)
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise SpecError(f"lm-eval: {kind}{first_line(error)} (LMEVAL_LOG_LEVEL=DEBUG shows where)") from error


def _with_ours(
    manager: type[TaskManager], only_ours: bool, include_path: str | Path | None = None, **options: object
) -> TaskManager:
    """lm-eval's TaskManager, which also looks into our folder."""
    return manager(
        include_path=[TASKS, *([include_path] if include_path else [])], include_defaults=not only_ours, **options
    )


def _values(arguments: Sequence[str], *names: str) -> list[str]:
    """What follows an option: `--tasks a b`, `--tasks=a`."""
    values: list[str] = []
    for index, argument in enumerate(arguments):
        if argument in names:
            values += takewhile(lambda value: not value.startswith("-"), arguments[index + 1 :])
        name, equals, value = argument.partition("=")
        if equals and name in names:
            values.append(value)
    return values

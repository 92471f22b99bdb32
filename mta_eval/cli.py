"""The command line: which commands there are. Each is one file of `commands/`, which imports what it needs."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mta_eval.commands.attention import attention
from mta_eval.commands.checked_command import CheckedCommand
from mta_eval.commands.compare import compare
from mta_eval.commands.export import export
from mta_eval.commands.export_checkpoint import export_checkpoint
from mta_eval.commands.import_answers import import_answers
from mta_eval.commands.import_checkpoint import import_checkpoint
from mta_eval.commands.kernels import kernels
from mta_eval.commands.list import list_names
from mta_eval.commands.lm_eval import app as lm_eval
from mta_eval.commands.merge import merge
from mta_eval.commands.paper import paper
from mta_eval.commands.push import push
from mta_eval.commands.report import report
from mta_eval.commands.rescore import rescore
from mta_eval.commands.retrofit import retrofit
from mta_eval.commands.run import run
from mta_eval.commands.show import show
from mta_eval.commands.study_command import StudyCommand
from mta_eval.commands.suite import suite
from mta_eval.commands.table import table
from mta_eval.commands.train import train
from mta_eval.commands.tunnel import tunnel
from mta_eval.commands.view import view
from mta_eval.commands.watch import watch
from mta_eval.errors import MtaEvalError
from mta_eval.printable import guard_terminal, say, short_line, write
from mta_eval.version import VERSION

app = typer.Typer(
    name="mta-eval",
    help="Where in a long context does a model find things, and where does it fail?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)  # what stdout says where it is a file on a full disk
app.command("list", cls=CheckedCommand)(list_names)
COMMANDS: tuple[Callable[..., None], ...] = (
    *(show, export, import_answers, run, merge, push, report, paper, compare, table, watch, view, rescore),
    *(import_checkpoint, export_checkpoint, retrofit, kernels, attention, train, tunnel, suite),
)
for command in COMMANDS:
    name = "import" if command is import_answers else command.__name__.replace("_", "-")
    app.command(name, cls=StudyCommand if command is run else CheckedCommand)(command)
app.add_typer(lm_eval, name="lm-eval")


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Where in a long context does a model find things, and where does it fail?"""
    if show_version:
        typer.echo(f"mta-eval {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line."""
    guard_terminal()
    _quiet_libraries()
    end_in_one_line(app, "mta-eval")


def end_in_one_line(program: typer.Typer, name: str) -> None:
    """Run a command line, and end the process. A user's mistake is one line on stderr and exit code 2."""
    usage_error: Any = typer.BadParameter.__base__  # click's UsageError, wherever typer keeps its click
    try:
        code = program(prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except MtaEvalError as error:
        say(str(error))
    except usage_error as error:
        where = error.ctx.command_path if error.ctx else name
        write(short_line(f"{where}: {error.format_message()} (see {where} --help)"), on_stderr=True)
    except BrokenPipeError:
        _leave_unprinted()
        sys.exit(0)
    except OSError as error:  # a name that the file system does not take, a full disk: nothing of ours is broken
        if error.filename is None and error.errno not in FULL:
            raise
        if error.filename is None:
            _leave_unprinted()
        what = f"cannot use {str(error.filename)[:200]!r}" if error.filename is not None else "cannot write"
        say(f"{what}: {error.strerror}")
    except (KeyboardInterrupt, typer.Abort):
        say("stopped; the same command goes on from here")
        sys.exit(130)
    sys.exit(2)


def _leave_unprinted() -> None:
    """Stdout takes no more; what is still to be printed there would be another error at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _quiet_libraries() -> None:
    """Keep the bars and notes of the libraries off the terminal; they read this when they are first imported."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "warning")  # its report of weights that were not loaded is one
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # the warnings of its C++, which Python cannot silence

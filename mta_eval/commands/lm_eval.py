"""`mta-eval lm-eval`: lm-eval's own command line, with our tasks and models."""

from __future__ import annotations

import typer

app = typer.Typer()
THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    """Run lm-eval with our tasks and models: run, ls, validate, path."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def path() -> None:
    """Print the folder of our tasks, for lm_eval's --include_path."""
    from mta_eval.integrations.lm_eval import TASKS

    typer.echo(TASKS)


def _hand_over(context: typer.Context) -> None:
    from mta_eval.integrations.lm_eval.command import run_harness

    run_harness([context.info_name or "", *context.args])


@app.command(context_settings=THROUGH)
def run(context: typer.Context) -> None:
    """Run lm-eval with our tasks and models known to it; everything else goes through to it."""
    _hand_over(context)


@app.command(context_settings=THROUGH)
def ls(context: typer.Context) -> None:
    """List tasks as lm-eval does, ours among them."""
    _hand_over(context)


@app.command(context_settings=THROUGH)
def validate(context: typer.Context) -> None:
    """Check tasks as lm-eval does, ours among them."""
    _hand_over(context)

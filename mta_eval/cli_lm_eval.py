"""The commands that lead into lm-eval: arguments only."""

from __future__ import annotations

import typer

app = typer.Typer()
harness = typer.Typer(name="lm-eval")
THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@harness.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    """Our tasks and models in lm-eval: run, ls, validate, path."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@harness.command()
def path() -> None:
    """Print the folder of our tasks, for lm_eval's --include_path."""
    from mta_eval.integrations.lm_eval import TASKS

    typer.echo(TASKS)


def _hand_over(context: typer.Context) -> None:
    from mta_eval.integrations.lm_eval.command import run

    run([context.info_name or "", *context.args])


@harness.command(context_settings=THROUGH)
def run(context: typer.Context) -> None:
    """Run lm-eval with our tasks and models known to it; everything else goes through to it."""
    _hand_over(context)


@harness.command(context_settings=THROUGH)
def ls(context: typer.Context) -> None:
    """List tasks as lm-eval does, ours among them."""
    _hand_over(context)


@harness.command(context_settings=THROUGH)
def validate(context: typer.Context) -> None:
    """Check tasks as lm-eval does, ours among them."""
    _hand_over(context)


app.add_typer(harness)

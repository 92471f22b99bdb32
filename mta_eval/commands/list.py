"""`mta-eval list`: tasks, models, attention variants, diagnostic tasks, loggers, rules, pictures; one in full."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import typer

from mta_eval import registry
from mta_eval.commands import terminal
from mta_eval.errors import SpecError

KINDS = ("tasks", "models", "attention", "diagnostics", "loggers", "rules", "pictures")
WITH_OPTIONS = ("tasks", "models", "diagnostics", "loggers")


def list_names(
    what: Annotated[str | None, typer.Argument(help=f"{', '.join(KINDS)}; or a NAME, shown in full.")] = None,
) -> None:
    """List tasks, models, attention variants, diagnostic tasks, loggers, rules, pictures; `list NAME`: one in full."""
    if what is not None and what not in KINDS:
        return _show(what)
    for kind in KINDS:
        if what in (None, kind):
            terminal.print_line(kind.upper())
            for name in _names(kind):
                terminal.print_entry(name, _first_line(_find(kind, name)), indent=2, column=31)
                if kind in WITH_OPTIONS:
                    _print_options(_find(kind, name))
    return None


def _show(name: str) -> None:
    kinds = [kind for kind in KINDS if name in _names(kind)]
    if not kinds:
        known = dict.fromkeys(known for kind in KINDS for known in (kind, *_names(kind)))
        raise SpecError(f"nothing is called {name!r}{registry.did_you_mean(name, known)}")
    for kind in kinds:
        found = _find(kind, name)
        terminal.print_line(f"{name} ({kind})\n")
        card = inspect.getdoc(found) or ""
        # a task's card stands at the top of its file, its class has one line
        module = inspect.getdoc(inspect.getmodule(found)) if kind == "tasks" else None
        terminal.print_line("\n\n".join(part for part in (card, module) if part))
        if source := getattr(found, "source", ""):
            terminal.print_line(f"\nSource: {source}")
        if kind in WITH_OPTIONS:
            terminal.print_line("\nOptions:")
            _print_options(found)
        if kind == "attention":
            _print_attention_options(found)
        terminal.print_line("")


def _names(kind: str) -> list[str]:
    if kind == "rules":
        from mta_eval import scoring

        return list(scoring.names())
    if kind == "pictures":
        from mta_eval.results.pictures import registry as pictures

        return list(pictures.names())
    return list(registry.names(kind))  # type: ignore[arg-type]


def _find(kind: str, name: str) -> object:
    if kind == "rules":
        from mta_eval import scoring

        return scoring.find(name)
    if kind == "pictures":
        from mta_eval.results.pictures import registry as pictures

        return pictures.find(name)
    return registry.find(kind, name)  # type: ignore[arg-type]


def _first_line(found: object) -> str:
    return next(iter((inspect.getdoc(found) or "").splitlines()), "")


def _print_options(kind: object) -> None:
    """The options of a task, model or diagnostic task with their defaults."""
    types = get_type_hints(kind)
    for option in dataclasses.fields(kind):  # type: ignore[arg-type]
        default = "required" if option.default is dataclasses.MISSING else f"{option.default}"
        choices = get_args(types[option.name]) if get_origin(types[option.name]) is Literal else ()
        allowed = " | ".join(map(str, choices))
        about = f"{default:14} {option.metadata.get('help', '')}{allowed and f' ({allowed})'}"
        terminal.print_entry(option.name, about, indent=6, column=27)


def _print_attention_options(variant: object) -> None:
    """The options of the configuration that belong to an attention variant."""
    options: dict[str, object] = dict.fromkeys(sorted(getattr(variant, "kernel_options", ())), "")
    options |= dict(getattr(variant, "options", {}))
    if options:
        terminal.print_line("\nOptions of its configuration (--set of retrofit, or config.json):")
    for name, default in options.items():
        terminal.print_entry(name, str(default), indent=6, column=27)

"""`mta-eval run STUDY.toml`: a file in the place of tasks, read as the arguments that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mta_eval.commands.checked_command import CheckedCommand
from mta_eval.errors import SpecError
from mta_eval.study import study_arguments

NOT_IN_A_STUDY = ("help", "write-study")


class StudyCommand(CheckedCommand):
    """A command whose tasks may be the path of a study: its options come first, so that those beside it override."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click.Command; `args` may hold a study."""
        flags = {option for param in self.params if getattr(param, "is_flag", False) for option in param.opts}
        places = positional_places(args, flags)
        studies = [place for place in places if args[place].endswith(".toml")]
        if len(studies) > 1:
            raise SpecError(f"a run has one study, not {len(studies)}: {', '.join(args[place] for place in studies)}")
        if studies:
            path = Path(args[studies[0]])
            rest = args[: studies[0]] + args[studies[0] + 1 :]
            given = [arg[2:].partition("=")[0] for arg in rest if arg.startswith("--")]
            given += ["tasks"] if len(places) > 1 else []
            names = [option[2:] for param in self.params for option in param.opts if option.startswith("--")]
            args = [*study_arguments(path, [name for name in names if name not in NOT_IN_A_STUDY], given), *rest]
        return super().parse_args(ctx, args)


def positional_places(args: Sequence[str], flags: set[str]) -> list[int]:
    """Where arguments stand that are neither options nor their values."""
    places, is_value = [], False
    for place, argument in enumerate(args):
        if is_value:
            is_value = False
        elif argument.startswith("-") and argument != "-":
            is_value = "=" not in argument and argument not in flags
        else:
            places.append(place)
    return places

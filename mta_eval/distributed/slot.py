"""A post: a place reserved in the cluster, and the replica that holds it."""

from __future__ import annotations

from collections.abc import Collection
from textwrap import shorten
from typing import Any

from mta_eval.core import Record
from mta_eval.distributed.cluster import Placement
from mta_eval.distributed.replica import Facts, Home, Question, Replica
from mta_eval.distributed.work_queue import Group
from mta_eval.errors import MtaEvalError

WHY = 240  # characters of what Ray says of a death


class DeadError(Exception):
    """The worker, or its node, is dead; the text says why."""


class Post:
    """One replica at a time, with one model at a time."""

    def __init__(self, placement: Placement, home: Home) -> None:
        from ray.util.placement_group import placement_group

        self._placement = placement
        self._home = home
        self._place = placement_group([placement.bundle])
        self._actor: Any = None
        self._model = ""  # the one whose weights it has
        self.group: Group | None = None
        self.stream: Any = None  # of references to records
        self.began = False  # with its group

    def ready(self) -> bool:
        """Whether the place is reserved, on a node that is alive."""
        from ray.util import placement_group_table

        return bool(placement_group_table(self._place)["state"] == "CREATED")

    def survey(self, models: Collection[str]) -> dict[str, Facts]:
        """The facts of each model there. Raises DeadError, and MtaEvalError as the replica does."""
        facts: dict[str, Facts] = _get(self._hired().survey.remote(self._home, list(models)))
        return facts

    def ask(self, group: Group, question: Question) -> None:
        """Have a group answered; by a fresh process if its model is another one, so that no memory is left behind."""
        if self._model not in ("", group.model):
            self._dismiss()
        self.group, self._model, self.began = group, group.model, False
        self.stream = self._hired().answer.options(num_returns="streaming").remote(self._home, question)

    def receive(self) -> Record | None:
        """The next record of the group; None after its last. Raises DeadError, and MtaEvalError as the replica does."""
        try:
            record: Record = _get(next(self.stream))
        except StopIteration:
            self.group = self.stream = None
            return None
        self.began = True
        return record

    def close(self) -> None:
        """Give the place back; the replica ends with it."""
        from ray.util.placement_group import remove_placement_group

        self._dismiss()
        remove_placement_group(self._place)

    def _hired(self) -> Any:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        if self._actor is None:
            held = ray.remote(Replica).options(
                num_cpus=self._placement.cpus,
                num_gpus=self._placement.gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(self._place, 0),
            )
            self._actor = held.remote()
        return self._actor

    def _dismiss(self) -> None:
        import ray

        if self._actor is not None:
            ray.kill(self._actor)
        self._actor = None


def _get(reference: Any) -> Any:
    """What a replica returned, or raised. Raises DeadError where it did neither."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, MtaEvalError):
            raise error.cause from None
        raise
    except RayError as error:
        said = [line for line in str(error).splitlines() if line.strip()]
        raise DeadError(shorten(said[-1], WHY) if said else type(error).__name__) from error
